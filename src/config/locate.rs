//! Where in a TOML file something stands, so that an error can name the line.

use std::path::Path;

use anyhow::{Error, anyhow};
use toml::de::{DeTable, DeValue};

/// Turns a toml error into one that names file and line.
pub(super) fn explain(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let message = error.message().trim_end();
    match error.span() {
        Some(span) => anyhow!(
            "{}:{}: {message}",
            path.display(),
            line_of(text, span.start)
        ),
        None => anyhow!("{}: {message}", path.display()),
    }
}

/// Turns an error about one table into one that names file, line and table.
pub(super) fn explain_table(path: &Path, text: &str, table: &[&str], message: &str) -> Error {
    // serde quotes the key it stumbled over in backticks: unknown field `pth`, expected …
    let key = message
        .split('`')
        .nth(1)
        .filter(|_| message.contains("unknown field"));
    let keys: Vec<&str> = table.iter().copied().chain(key).collect();
    anyhow!(
        "{}: in [{}]: {}",
        place(path, text, &keys),
        table.join("."),
        message.trim_end()
    )
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
