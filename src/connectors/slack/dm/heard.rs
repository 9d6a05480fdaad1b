//! What a person says in their conversation with us: words, questions and thumbs. Pure: messages in, what they say out.

use serde_json::Value;

use super::EVENT_TYPE;
use crate::connectors::slack::stand::Ts;
use crate::connectors::slack_export::lists::Lists;
use crate::connectors::slack_export::markup::to_markdown;
use crate::model::{ConnectorId, Heard, Inquiry, Verdict, Word};

/// Returns what a message asks: it ends with a question mark, or begins with "ask".
fn question_in(text: &str) -> Option<String> {
    // Names are of no use to a search that knows accounts by others; entities and brackets only disturb it.
    let (text, _) = to_markdown(text, &Lists::default(), &ConnectorId::new(""));
    let text = text.trim();
    let asked = text
        .get(..4)
        .filter(|word| word.eq_ignore_ascii_case("ask "));
    match asked {
        Some(word) => Some(text[word.len()..].trim().to_owned()).filter(|asked| !asked.is_empty()),
        None => text.ends_with(['?', '？', '؟']).then(|| text.to_owned()),
    }
}

/// Returns what a person says in the messages of their conversation with us, newest first as Slack lists them.
pub(super) fn heard_in(messages: &[Value], user: &str, after: &Ts) -> Heard {
    let mut heard = Heard::default();
    for message in messages {
        let metadata = &message["metadata"];
        let key = metadata["event_payload"]["key"].as_str();
        if metadata["event_type"] == EVENT_TYPE
            && let Some(key) = key
        {
            heard.votes.push((key.to_owned(), vote_in(message, user)));
        }
        let ts = Ts(message["ts"].as_str().unwrap_or_default().to_owned());
        let is_theirs =
            message["user"] == user && message["bot_id"].is_null() && message["subtype"].is_null();
        if !is_theirs || ts <= *after {
            continue;
        }
        let text = question_in(message["text"].as_str().unwrap_or_default());
        heard.questions.extend(text.map(|text| Inquiry {
            at: ts.moment(),
            mark: ts.0.clone(),
            text,
        }));
        if heard.upto.is_empty() {
            heard.upto = ts.0;
        }
        heard.word = heard.word.or_else(|| Word::of(message["text"].as_str()?));
    }
    heard.questions.reverse();
    heard
}

/// Returns a person's vote on a message: their thumbs, in any color; both of them are none.
fn vote_in(message: &Value, user: &str) -> Option<Verdict> {
    let reactions = message["reactions"].as_array().into_iter().flatten();
    let theirs = reactions.filter(|reaction| {
        let mut users = reaction["users"].as_array().into_iter().flatten();
        users.any(|by| by == user)
    });
    let (mut up, mut down) = (false, false);
    for name in theirs.filter_map(|reaction| reaction["name"].as_str()) {
        match name.split("::").next().unwrap_or(name) {
            "+1" | "thumbsup" => up = true,
            "-1" | "thumbsdown" => down = true,
            _ => {}
        }
    }
    match (up, down) {
        (true, false) => Some(Verdict::Up),
        (false, true) => Some(Verdict::Down),
        _ => None,
    }
}
