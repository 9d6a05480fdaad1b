//! Where in a TOML file something stands, so that an error can name the line.

use std::path::Path;

use anyhow::{Error, anyhow};
use toml::de::{DeTable, DeValue};

/// Turns a toml error into one that names file and line.
pub(super) fn explain(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let mut message = plainly(error.message().trim_end());
    match error.span() {
        Some(span) => {
            if message == "duplicate key" {
                let key = text.get(span.clone()).unwrap_or_default();
                message = format!("{key} stands here for the second time; keep one");
            }
            anyhow!(
                "{}:{}: {message}",
                path.display(),
                line_of(text, span.start)
            )
        }
        None => anyhow!("{}: {message}", path.display()),
    }
}

/// Says in words what serde says in types.
fn plainly(message: &str) -> String {
    let mut said = message.to_owned();
    for (of, words) in [
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected f32", "expected a number"),
        ("expected f64", "expected a number"),
    ] {
        if said.ends_with(of) {
            said = said.replace(of, words);
        }
    }
    said
}

/// Turns an error about one table into one that names file, line and table.
pub(super) fn explain_table(path: &Path, text: &str, table: &[&str], message: &str) -> Error {
    // serde quotes the key it stumbled over in backticks: unknown field `pth`, expected …
    let key = message
        .split('`')
        .nth(1)
        .filter(|_| message.contains("unknown field"))
        .or(message.contains("unknown variant").then_some("type"));
    let keys: Vec<&str> = table.iter().copied().chain(key).collect();
    anyhow!(
        "{}: in [{}]: {}",
        place(path, text, &keys),
        table.join("."),
        plainly(message.trim_end())
    )
}

/// Returns what stands at a key path, if anything does.
pub(super) fn value_of(text: &str, keys: &[&str]) -> Option<toml::Value> {
    let table = toml::Value::Table(text.parse().ok()?);
    let value = keys.iter().try_fold(&table, |value, key| value.get(*key));
    value.cloned()
}

/// Returns the texts at wanted keys anywhere in a text, each with the table it stands in.
pub(super) fn texts_at(text: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let Ok(table) = text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut open = vec![(String::new(), table)];
    while let Some((name, table)) = open.pop() {
        for (key, value) in table {
            match value {
                toml::Value::Table(deeper) => {
                    let dot = if name.is_empty() { "" } else { "." };
                    open.push((format!("{name}{dot}{key}"), deeper));
                }
                toml::Value::String(text) if is_wanted(&key) => found.push((name.clone(), text)),
                _ => {}
            }
        }
    }
    found
}

/// Returns `file:line` of a key path, or of the longest part of it that exists; only the file when nothing does.
pub(super) fn place(path: &Path, text: &str, keys: &[&str]) -> String {
    match DeTable::parse(text)
        .ok()
        .and_then(|table| offset_of(table.get_ref(), keys))
    {
        Some(offset) => format!("{}:{}", path.display(), line_of(text, offset)),
        None => path.display().to_string(),
    }
}

fn offset_of(table: &DeTable<'_>, keys: &[&str]) -> Option<usize> {
    let (first, rest) = keys.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    let deeper = match value.get_ref() {
        DeValue::Table(table) => offset_of(table, rest),
        _ => None,
    };
    deeper.or(Some(key.span().start))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
        + 1
}
