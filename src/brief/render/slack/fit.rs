//! Blocks put into messages that Slack takes.

use serde_json::{Value, json};

use super::offers::{TOLD_CHARS, place_of_id};
use super::{MAX_BLOCKS, MAX_CHARS, bullets};
use crate::connectors::slack::dm::Post;

/// How much a row of marks may grow, as more of it is pressed.
const MARKS: usize = 8;

/// What blocks take of a message, with what they may grow by when they are pressed.
#[derive(Clone, Copy, Default)]
struct Room {
    blocks: usize,
    chars: usize,
}

impl Room {
    fn of(block: &Value) -> Room {
        let (blocks, more) = match block["block_id"].as_str() {
            // What became of a ticket is said beside what there is still to press.
            Some(id) if place_of_id(id).is_some() => (2, TOLD_CHARS),
            Some(_) => (1, MARKS),
            None => (1, 0),
        };
        Room {
            blocks,
            chars: chars_of(block) + more,
        }
    }

    fn and(self, other: Room) -> Room {
        Room {
            blocks: self.blocks + other.blocks,
            chars: self.chars + other.chars,
        }
    }

    fn of_all(blocks: &[Value]) -> Room {
        let all = blocks.iter().map(Room::of);
        all.fold(Room::default(), Room::and)
    }

    fn fits(self) -> bool {
        self.blocks <= MAX_BLOCKS && self.chars <= MAX_CHARS
    }
}

/// Puts blocks into messages, each as full as Slack allows. A line and the rows below it stay together.
pub(super) fn into_messages(blocks: Vec<Value>, notice: &str) -> Vec<Post> {
    let mut groups: Vec<Vec<Value>> = Vec::new();
    for block in blocks.into_iter().flat_map(fitting) {
        match groups.last_mut() {
            Some(group) if block["block_id"].is_string() => group.push(block),
            _ => groups.push(vec![block]),
        }
    }
    let pieces = groups.into_iter().flat_map(|group| {
        match Room::of_all(&group).fits() {
            true => vec![group],
            // No message holds all of it.
            false => group.into_iter().map(|block| vec![block]).collect(),
        }
    });
    let mut messages: Vec<Post> = Vec::new();
    let mut used = Room::default();
    for piece in pieces {
        let room = Room::of_all(&piece);
        if messages.is_empty() || !used.and(room).fits() {
            let text = if messages.is_empty() { notice } else { "…" };
            messages.push(Post {
                text: text.to_owned(),
                blocks: Vec::new(),
            });
            used = Room::default();
        }
        used = used.and(room);
        if let Some(message) = messages.last_mut() {
            message.blocks.extend(piece);
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
