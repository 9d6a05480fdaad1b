//! What a workspace pushes, as far as it matters to us: that something happened, that somebody wrote to us, that a button
//! was pressed. Pure: an envelope's payload in, pushes out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that Slack told us by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Push {
    /// Something happened: in a channel (`C…`), to a message and its thread (`C…:ts`), or anywhere.
    Happened(Option<String>),
    /// Somebody wrote to us or reacted to a message of ours.
    Addressed {
        /// Their account.
        user: String,
    },
    /// Somebody pressed a button of ours.
    Clicked(Box<Click>),
}

/// A button that was pressed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Click {
    /// Who pressed it, as Slack says.
    pub user: String,
    /// Which one: its action.
    pub action: String,
    /// What it stands for: the key of a briefing.
    pub key: String,
    /// The row it stands in: the block's id.
    pub row: String,
    /// The conversation.
    pub channel: String,
    /// The message as it was on the screen.
    pub message: Value,
    /// What tells this press from another.
    pub id: String,
}

/// Returns what an envelope is about; nothing for what does not matter.
pub fn pushes_of(kind: &str, payload: &Value) -> Vec<Push> {
    match kind {
        "events_api" => of_event(&payload["event"]).into_iter().collect(),
        "interactive" if payload["type"] == "block_actions" => clicks_of(payload),
        _ => Vec::new(),
    }
}

fn of_event(event: &Value) -> Option<Push> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is_ours = |channel: &str| channel.starts_with('D');
    match event["type"].as_str()? {
        "message" => {
            let channel = text(&event["channel"]);
            if is_ours(&channel) {
                let user = text(&event["user"]);
                let is_a_person =
                    !user.is_empty() && event["bot_id"].is_null() && event["subtype"].is_null();
                return is_a_person.then_some(Push::Addressed { user });
            }
            // What a change is about stands inside of it.
            let about = match event["subtype"].as_str() {
                Some("message_changed") => &event["message"],
                Some("message_deleted") => &event["previous_message"],
                _ => event,
            };
            let is_change = !std::ptr::eq(about, event);
            let (root, ts) = (text(&about["thread_ts"]), text(&about["ts"]));
            let of = match (root.is_empty(), is_change) {
                (false, _) => root,
                (true, true) => ts,
                // A new message is found at the top of its channel.
                (true, false) => String::new(),
            };
            Some(Push::Happened(Some(if of.is_empty() {
                channel
            } else {
                format!("{channel}:{of}")
            })))
        }
        "reaction_added" | "reaction_removed" if is_ours(event["item"]["channel"].as_str()?) => {
            Some(Push::Addressed {
                user: text(&event["user"]),
            })
        }
        "member_joined_channel"
        | "member_left_channel"
        | "channel_rename"
        | "channel_archive"
        | "channel_unarchive"
        | "channel_deleted"
        | "user_change"
        | "team_join" => Some(Push::Happened(None)),
        _ => None,
    }
}

fn clicks_of(payload: &Value) -> Vec<Push> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let actions = payload["actions"].as_array().into_iter().flatten();
    let clicks = actions
        .filter(|action| action["type"] == "button")
        .map(|action| Click {
            user: text(&payload["user"]["id"]),
            action: text(&action["action_id"]),
            key: text(&action["value"]),
            row: text(&action["block_id"]),
            channel: text(&payload["container"]["channel_id"]),
            message: payload["message"].clone(),
            id: text(&action["action_ts"]),
        });
    clicks.map(Box::new).map(Push::Clicked).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_pushed_names_what_is_to_be_read_again_and_nothing_more() {
        let happened = |object: &str| Some(Push::Happened(Some(object.into())));
        let cases = [
            (
                json!({ "type": "message", "channel": "C1", "user": "U1", "ts": "5.0", "text": "secret" }),
                happened("C1"),
            ),
            (
                json!({ "type": "message", "channel": "C1", "ts": "6.0", "thread_ts": "5.0" }),
                happened("C1:5.0"),
            ),
            (
                json!({ "type": "message", "subtype": "message_changed", "channel": "C1", "ts": "9.0", "message": { "ts": "5.0" } }),
                happened("C1:5.0"),
            ),
            (
                json!({ "type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": "6.0",
                    "previous_message": { "ts": "6.0", "thread_ts": "5.0" } }),
                happened("C1:5.0"),
            ),
            (
                json!({ "type": "message", "channel": "D1", "user": "U1", "text": "stop" }),
                Some(Push::Addressed { user: "U1".into() }),
            ),
            (
                json!({ "type": "message", "channel": "D1", "bot_id": "B1", "user": "UB" }),
                None,
            ),
            (
                json!({ "type": "reaction_added", "user": "U1", "item": { "channel": "D1", "ts": "5.0" } }),
                Some(Push::Addressed { user: "U1".into() }),
            ),
            (
                json!({ "type": "reaction_added", "user": "U1", "item": { "channel": "C1", "ts": "5.0" } }),
                None,
            ),
            (json!({ "type": "user_change" }), Some(Push::Happened(None))),
            (json!({ "type": "emoji_changed" }), None),
            (json!({}), None),
        ];
        for (event, expected) in cases {
            let pushes = pushes_of("events_api", &json!({ "event": event }));
            assert_eq!(pushes.first(), expected.as_ref(), "{event}");
        }
        assert!(pushes_of("slash_commands", &json!({})).is_empty());
    }
}
