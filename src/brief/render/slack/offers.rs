//! The rows below a line about tickets without an owner: who takes one, and what became of it.

use serde_json::{Value, json};

use super::{Line, Weight, block, plain};
use crate::model::MemberId;
use crate::model::suggestion::Offer;

/// Begins the ids of what stands for one ticket; its line and its place there follow, and `TOLD` where it is words.
const ROW: &str = "ticket-";
const TOLD: &str = "-told";
const TAKE: &str = "take";
const NOT_ME: &str = "not_me";
/// Begins the action that gives a ticket to somebody; the member follows.
const GIVE: &str = "give:";

/// What a button below a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// The presser takes it.
    Take,
    /// It is for somebody else.
    Give(MemberId),
    /// It is not the presser's.
    NotMe,
}

impl Pressed {
    /// Returns what an action says.
    pub fn of(action: &str) -> Option<Pressed> {
        match action {
            TAKE => Some(Pressed::Take),
            NOT_ME => Some(Pressed::NotMe),
            _ => action.strip_prefix(GIVE).map(|to| Pressed::Give(to.into())),
        }
    }
}

/// The most characters of a ticket's name and of a person's in a row; a button takes 75.
const LABEL: usize = 34;
const NAME: usize = 24;
/// The most characters of what became of a ticket, and of the whole row that says it.
const WORDS: usize = 240;
pub(super) const TOLD_CHARS: usize = LABEL + WORDS + 8;

/// Returns text from outside as a row shows it.
fn short(text: &str, most: usize) -> String {
    let text = plain(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// Returns the blocks of one ticket: what was done, then what there is to press.
pub fn offer(key: &str, offer: &Offer) -> Vec<Value> {
    let id = format!("{ROW}{}-{}", offer.at.0, offer.at.1);
    let mut blocks = Vec::new();
    let label = &short(&offer.label, LABEL);
    if let Some(told) = &offer.told {
        let words = Line::default()
            .text(&format!("✓ {label}: "), Weight::Bold)
            .text(&short(told, WORDS), Weight::Plain);
        if let Some(mut told) = block(vec![words.section()]) {
            told["block_id"] = json!(format!("{id}{TOLD}"));
            blocks.push(told);
        }
    }
    let button = |action: String, label: String| {
        json!({
            "type": "button", "action_id": action, "value": key,
            "text": { "type": "plain_text", "text": label, "emoji": false },
        })
    };
    let mut elements = Vec::new();
    if offer.may_take {
        elements.push(button(TAKE.into(), format!("Take {label}")));
    }
    if let Some((to, name)) = &offer.give_to {
        elements.push(button(
            format!("{GIVE}{to}"),
            format!("Assign {} to {label}", short(name, NAME)),
        ));
    }
    if offer.may_decline {
        elements.push(button(NOT_ME.into(), format!("{label} is not me")));
    }
    if !elements.is_empty() {
        blocks.push(json!({ "type": "actions", "block_id": id, "elements": elements }));
    }
    blocks
}

/// Returns the line and the place of the ticket that a block stands for, from its id.
pub fn place_of_id(id: &str) -> Option<(usize, usize)> {
    let id = id.strip_suffix(TOLD).unwrap_or(id);
    let (line, number) = id.strip_prefix(ROW)?.split_once('-')?;
    Some((line.parse().ok()?, number.parse().ok()?))
}

/// Returns a message with the rows of its tickets as they stand now; a ticket that `offers` does not have loses its row.
pub(super) fn with_offers(mut message: Value, key: &str, offers: &[Offer]) -> Value {
    let Some(blocks) = message["blocks"].as_array_mut() else {
        return message;
    };
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    for one in blocks.drain(..) {
        let Some(at) = one["block_id"].as_str().and_then(place_of_id) else {
            kept.push(one);
            continue;
        };
        if !seen.contains(&at) {
            seen.push(at);
            let now = offers.iter().filter(|offer| offer.at == at);
            kept.extend(now.flat_map(|now| offer(key, now)));
        }
    }
    *blocks = kept;
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Offer {
        Offer {
            at: (2, 1),
            label: "HUT-7".into(),
            told: None,
            may_take: true,
            give_to: Some(("bo".into(), "Bo <b>".into())),
            may_decline: true,
        }
    }

    fn shown(blocks: &[Value]) -> Vec<String> {
        let of = |one: &Value| match one["type"].as_str() {
            Some("actions") => {
                let elements = one["elements"].as_array().unwrap().iter();
                let of = |button: &Value| {
                    let label = button["text"]["text"].as_str().unwrap();
                    format!("[{label}]")
                };
                elements.map(of).collect::<Vec<_>>().join(" ")
            }
            _ => one["elements"][0]["elements"]
                .as_array()
                .unwrap()
                .iter()
                .map(|part| part["text"].as_str().unwrap())
                .collect(),
        };
        blocks.iter().map(of).collect()
    }

    #[test]
    fn a_row_offers_what_there_is_to_press_and_then_tells_what_was_done() {
        let row = offer("k", &open());
        assert_eq!(
            shown(&row),
            ["[Take HUT-7] [Assign Bo <b> to HUT-7] [HUT-7 is not me]"]
        );
        let actions = row[0]["elements"].as_array().unwrap().iter();
        let pressed: Vec<Option<Pressed>> = actions
            .map(|button| Pressed::of(button["action_id"].as_str().unwrap()))
            .collect();
        let expected = [Pressed::Take, Pressed::Give("bo".into()), Pressed::NotMe];
        assert_eq!(pressed, expected.map(Some));
        assert_eq!(Pressed::of("done"), None);
        let message =
            json!({ "ts": "1.0", "blocks": [{ "type": "actions", "block_id": "line-2" }, row[0]] });
        let mut done = open();
        done.told = Some("you have it now".into());
        (done.may_take, done.give_to, done.may_decline) = (false, None, false);
        let once = with_offers(message, "k", std::slice::from_ref(&done));
        assert_eq!(
            shown(&once["blocks"].as_array().unwrap()[1..]),
            ["✓ HUT-7: you have it now"]
        );
        assert_eq!(
            with_offers(once.clone(), "k", &[done]),
            once,
            "the same again changes nothing"
        );
    }

    #[test]
    fn a_row_is_known_by_its_id_alone() {
        for (id, expected) in [
            ("ticket-2-1", Some((2, 1))),
            ("ticket-2-1-told", Some((2, 1))),
            ("line-2", None),
            ("ticket-2", None),
            ("ticket-x-1", None),
        ] {
            assert_eq!(place_of_id(id), expected, "{id}");
        }
    }
}
