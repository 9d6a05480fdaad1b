//! The rows of buttons below the lines of a briefing, and what they show of what was said.

use serde_json::{Value, json};

use crate::brief::steer::Said;
use crate::model::Verdict;

/// Begins the id of a row of buttons; the number of its line follows.
const ROW: &str = "line-";
/// The action of the button that asks for reasons and sources.
pub const WHY: &str = "why";

/// Returns the buttons below a line, as they stand after what its reader said. Their value names the briefing.
pub fn buttons(key: &str, line: usize, said: Said) -> Value {
    let is = |verdict: Verdict| match verdict {
        Verdict::Done | Verdict::Later => said.end == Some(verdict),
        Verdict::Up | Verdict::Down => said.vote == Some(verdict),
        Verdict::Mute | Verdict::Unmute => false,
    };
    let mute = if said.is_muted {
        (Verdict::Unmute, "Unmute")
    } else {
        (Verdict::Mute, "Mute")
    };
    let row = [
        (Verdict::Done, "Done"),
        (Verdict::Later, "Later"),
        mute,
        (Verdict::Up, "👍"),
        (Verdict::Down, "👎"),
    ];
    let button = |action: &str, label: String, is_on: bool| {
        let mut button = json!({
            "type": "button", "action_id": action, "value": key,
            "text": { "type": "plain_text", "text": label, "emoji": true },
        });
        if is_on {
            button["style"] = json!("primary");
        }
        button
    };
    let mut elements: Vec<Value> = row
        .into_iter()
        .map(|(verdict, label)| {
            let tick = if is(verdict) { "✓ " } else { "" };
            button(verdict.as_str(), format!("{tick}{label}"), is(verdict))
        })
        .collect();
    elements.insert(3, button(WHY, "Why?".to_owned(), false));
    json!({ "type": "actions", "block_id": format!("{ROW}{line}"), "elements": elements })
}

/// Returns the number of the line that a row of buttons stands below, from the row's id.
pub fn line_of_id(id: &str) -> Option<usize> {
    id.strip_prefix(ROW)?.parse().ok()
}

fn line_of_row(block: &Value) -> Option<usize> {
    (block["type"] == "actions").then(|| line_of_id(block["block_id"].as_str()?))?
}

/// Returns a message with its buttons as they stand after what its reader said of each line.
pub(super) fn with_marks(mut message: Value, key: &str, said: &[(usize, Said)]) -> Value {
    for block in message["blocks"].as_array_mut().into_iter().flatten() {
        let Some(line) = line_of_row(block) else {
            continue;
        };
        if let Some((_, said)) = said.iter().find(|(row, _)| *row == line) {
            *block = buttons(key, line, *said);
        }
    }
    message
}
