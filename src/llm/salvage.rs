//! Reads JSON out of whatever a model wrote: a fence around it, words before it, its end cut off.

use serde_json::Value;

/// Returns the members of the list `key` in an answer, whole ones only. `None` when there is no such list.
///
/// An answer that was cut keeps what came before the cut.
pub fn list_in(text: &str, key: &str) -> Option<Vec<Value>> {
    let object = &text[text.find('{')?..];
    let mut stream = serde_json::Deserializer::from_str(object).into_iter::<Value>();
    if let Some(Ok(value)) = stream.next() {
        return match value {
            Value::Object(mut fields) => match fields.remove(key) {
                Some(Value::Array(items)) => Some(items),
                _ => None,
            },
            _ => None,
        };
    }
    whole_items(object, key)
}

/// Returns an object in an answer.
pub fn object_in(text: &str) -> Option<Value> {
    let object = &text[text.find('{')?..];
    let mut stream = serde_json::Deserializer::from_str(object).into_iter::<Value>();
    stream.next()?.ok().filter(Value::is_object)
}

/// Returns the items of a list whose end is missing.
fn whole_items(text: &str, key: &str) -> Option<Vec<Value>> {
    let named = text.find(&format!("\"{key}\""))?;
    let opening = named + text[named..].find('[')?;
    let mut rest = &text[opening + 1..];
    let mut items = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if !rest.starts_with('{') {
            return Some(items);
        }
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(item)) => {
                items.push(item);
                rest = &rest[stream.byte_offset()..];
            }
            _ => return Some(items),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<usize> {
        list_in(text, "items").map(|items| items.len())
    }

    #[test]
    fn items_are_read_from_whatever_stands_around_them() {
        let cases = [
            (r#"{"items":[]}"#, Some(0)),
            (r#"{"items":[{"a":1},{"b":2}]}"#, Some(2)),
            ("```json\n{\"items\": [{\"a\":1}]}\n```", Some(1)),
            (
                "Sure! Here it is: {\"items\":[{\"a\":1}]} Anything else?",
                Some(1),
            ),
            (r#"{"items":[{"a":1},{"b":"cut off he"#, Some(1)),
            (r#"{"items":[{"a":"]}"},{"b":"#, Some(1)),
            (r#"{"items":["#, Some(0)),
            (r#"{"summary":"x"}"#, None),
            (r#"{"items":"all good"}"#, None),
            ("I cannot do that.", None),
            ("", None),
            ("{", None),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn an_object_is_read_or_nothing() {
        assert!(object_in("x {\"text\":\"y\"} z").is_some());
        assert!(object_in("{\"text\":\"y").is_none());
        assert!(object_in("none").is_none());
    }
}
