//! Fields of JSON that people's scripts write in more than one way.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads a text, a number or nothing as a text.
///
/// # Errors
/// Never for valid JSON.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text_of(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Reads a text or a number, if there is one.
///
/// # Errors
/// Never for valid JSON.
pub fn maybe_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(Value::deserialize(deserializer)?))
}

/// Reads a text of a field that is there, if only as null.
///
/// # Errors
/// Never for valid JSON.
pub fn told<'de, D>(deserializer: D) -> Result<Option<Option<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    maybe_text(deserializer).map(Some)
}

/// Reads a list of texts, one text or nothing as a list.
///
/// # Errors
/// Never for valid JSON.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Array(items) => items.into_iter().filter_map(text_of).collect(),
        other => text_of(other).into_iter().collect(),
    })
}

/// Reads null as the default.
///
/// # Errors
/// When there is something of another shape.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Returns a value as a text; an object counts by its name, as trackers write people, labels and statuses.
pub fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(fields) => ["login", "name", "key", "id"]
            .iter()
            .find_map(|key| fields.get(*key)?.as_str().map(str::to_owned)),
        _ => None,
    }
}
