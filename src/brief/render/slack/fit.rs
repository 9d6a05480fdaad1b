//! Blocks put into messages that Slack takes.

use serde_json::{Value, json};

use super::{MAX_BLOCKS, MAX_CHARS, bullets};
use crate::connectors::slack::dm::Post;

/// Puts blocks into messages, each as full as Slack allows.
pub(super) fn into_messages(blocks: Vec<Value>, notice: &str) -> Vec<Post> {
    let mut messages: Vec<Post> = Vec::new();
    let mut used = 0;
    for block in blocks.into_iter().flat_map(fitting) {
        let chars = chars_of(&block);
        let is_full =
            |message: &Post| message.blocks.len() >= MAX_BLOCKS || used + chars > MAX_CHARS;
        if messages.last().is_none_or(is_full) {
            let text = if messages.is_empty() { notice } else { "…" };
            messages.push(Post {
                text: text.to_owned(),
                blocks: Vec::new(),
            });
            used = 0;
        }
        used += chars;
        if let Some(message) = messages.last_mut() {
            message.blocks.push(block);
        }
    }
    messages
}

/// Returns a block, or the blocks it has to be taken apart into, because no message holds it.
fn fitting(block: Value) -> Vec<Value> {
    if chars_of(&block) <= MAX_CHARS {
        return vec![block];
    }
    let mut pieces: Vec<Value> = Vec::new();
    for element in block["elements"].as_array().cloned().unwrap_or_default() {
        let is_list = element["type"] == "rich_text_list";
        let lines = if is_list {
            element["elements"].as_array().cloned()
        } else {
            None
        };
        let lines = lines.map(|lines| {
            lines
                .into_iter()
                .map(|line| bullets(vec![Some(line)]))
                .collect()
        });
        pieces.extend(
            lines
                .unwrap_or_else(|| vec![Some(element)])
                .into_iter()
                .flatten(),
        );
    }
    // A line holds a few texts of bounded length, and a list of links that is longer loses its end.
    pieces
        .into_iter()
        .map(|mut piece| {
            while chars_of(&piece) > MAX_CHARS
                && piece["elements"]
                    .as_array_mut()
                    .is_some_and(|elements| elements.pop().is_some())
            {}
            json!({ "type": "rich_text", "elements": [piece] })
        })
        .collect()
}

/// Returns how many characters of texts and addresses an element holds.
pub(super) fn chars_of(element: &Value) -> usize {
    match element {
        Value::Array(items) => items.iter().map(chars_of).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("text" | "url" | "value", Value::String(text)) => text.chars().count(),
                _ => chars_of(value),
            })
            .sum(),
        _ => 0,
    }
}
