//! What a morning is about, in a few words behind its counts: made of lines that passed their checks, and of nothing else.
//!
//! The counts stay as they were computed, so no words can change them.

use anyhow::Result;
use rusqlite::Connection;

use super::Writing;
use super::line;
use super::request::{Job, SourceKind, key_of_text};
use crate::model::{Briefing, TopicId};
use crate::store::words::words_of;
use crate::text::language::foreign_to;

/// The most words of a headline's words.
pub const WORDS: usize = 12;

/// Puts the words behind the counts if they are in the cache; returns what to ask for otherwise.
///
/// `said` is what the lines say as the model wrote it, people and tickets in slots; the topic is the first line's.
pub fn put_on(
    c: &Connection,
    briefing: &mut Briefing,
    said: &[(TopicId, String)],
    room: usize,
    writing: &Writing<'_>,
) -> Result<Option<Job>> {
    let Some((topic, _)) = said.first() else {
        return Ok(None);
    };
    let lines: Vec<String> = said.iter().map(|(_, text)| without_slots(text)).collect();
    let text = lines.join(" ");
    let prompt = writing.llm.prompts().get("headline");
    let key = key_of_text(&text, "", prompt, &writing.llm.config().model);
    let Some(body) = words_of(c, &key)? else {
        return Ok(Some(Job {
            key,
            topic: *topic,
            prompt: prompt.clone(),
            source: SourceKind::Lines { text },
        }));
    };
    let found: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let words = found["text"].as_str().unwrap_or_default();
    let languages = &writing.member.languages;
    // What is in the cache is checked again: a row may be older than a rule.
    if line::stands(&text, words, WORDS.min(room)) && foreign_to(words, languages).is_none() {
        words.clone_into(&mut briefing.theme);
    }
    Ok(None)
}

/// Returns a line without its slots: a headline names nobody and no ticket.
fn without_slots(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (at, piece) in text.split('{').enumerate() {
        if at == 0 {
            plain.push_str(piece);
            continue;
        }
        let (slot, rest) = piece.split_once('}').unwrap_or((piece, ""));
        plain.push_str(if slot.starts_with('t') {
            "a ticket"
        } else {
            "somebody"
        });
        plain.push_str(rest);
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_a_headline_without_their_people_and_tickets() {
        assert_eq!(
            without_slots("{p1} closed {t2} at noon."),
            "somebody closed a ticket at noon."
        );
        assert_eq!(without_slots("Nothing {p"), "Nothing somebody");
    }
}
