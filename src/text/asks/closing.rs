//! Which later message answers an ask.

use crate::model::AskKind;

use super::super::clean::{Cleaned, words_in};
use super::super::words::Words;
use super::{AskFound, Scene, To, cues, people};

/// More words than this are an answer by themselves.
const ANSWER_WORDS: usize = 6;

/// Returns the first later message that answers the ask.
///
/// That is one by an addressee, or for a group by anybody else, with more than six words or a clear yes, no or done; the
/// asker's thanks; the review itself; or somebody else's direct reply.
pub fn closed_by(scene: &Scene<'_>, ask: usize, found: &AskFound<'_>) -> Option<usize> {
    let messages = scene.messages;
    let asker = messages.get(ask)?.author;
    let mut others_spoke = false;
    for (n, message) in messages.iter().enumerate().skip(ask + 1) {
        let words = Words::new(message.text, 0..message.text.len());
        if message.author == asker {
            if is_settled_by_asker(&words, others_spoke) {
                return Some(n);
            }
            continue;
        }
        if found.kind == AskKind::Review && is_reviewed(&words) {
            return Some(n);
        }
        if message.is_bot {
            continue;
        }
        let is_asked = match &found.to {
            To::Persons(keys) => keys.contains(&message.author),
            To::Somebody(name) => message.names.iter().any(|known| people::is_part(known, &name.to_lowercase())),
            To::Group => true,
        };
        let is_direct = message.reply_to == Some(ask)
            || message.mentions.contains(&asker)
            || names_asker(scene, ask, &words);
        let speaks_to_another = !is_direct
            && (message.reply_to.is_some_and(|to| to < ask)
                || words.list.iter().take(2).any(|word| word.is_mention));
        let count = words_in(message.text);
        let is_answer = count > ANSWER_WORDS
            || is_clear(&words)
            || message.text.contains("http")
            || message.text.contains('`');
        if is_answer && !speaks_to_another && (is_asked || is_direct || !others_spoke) {
            return Some(n);
        }
        others_spoke |= !speaks_to_another;
    }
    None
}

/// Returns whether the message itself takes its ask back after asking.
pub(super) fn is_withdrawn(cleaned: &Cleaned, asked: usize) -> bool {
    cleaned.segments.iter().skip(asked + 1).any(|segment| {
        let words = Words::new(&cleaned.flat, segment.range.clone());
        segment.words <= 12 && cues::WITHDRAWALS.iter().any(|phrase| words.has(phrase, 0))
    })
}

/// Returns whether the asker says that the matter is settled.
fn is_settled_by_asker(words: &Words, others_spoke: bool) -> bool {
    let start = words.len().min(14) > 0;
    let solved = words.has_any(
        &[
            "never mind",
            "nevermind|nvm",
            "solved|fixed it",
            "figured|sorted it|that out",
            "found it|the",
            "works|worked now|great|perfectly|fine",
            "it works|worked",
            "that works|worked|helps|helped|did|fixed|solved",
            "got it",
        ],
        0,
    );
    let thanks = words.has_any(
        &[
            "thanks|thank|thx|ty|cheers|tyvm|danke|gracias|merci|obrigado|obrigada",
            "makes sense",
            "^ah|aha|oh|ok|okay|great|awesome|perfect|cool|nice|right|gotcha|i see *",
        ],
        0,
    );
    start && (solved || thanks && others_spoke)
}

/// Returns whether the message reviews: approves, merges or asks for changes.
fn is_reviewed(words: &Words) -> bool {
    words.has_any(
        &[
            "r+|lgtm|approved|merged|merging|reviewed",
            "looks|look good|great|ok|fine",
            "r|r=me",
            "^r=*",
        ],
        0,
    ) || (0..words.len()).any(|n| words.get(n).starts_with("r=") || words.get(n).starts_with("r+"))
}

/// Returns whether a short reply is a clear answer.
fn is_clear(words: &Words) -> bool {
    const ANSWERS: &[&str] = &[
        "yes",
        "yep",
        "yeah",
        "yup",
        "no",
        "nope",
        "nah",
        "sure",
        "done",
        "+1",
        "-1",
        "ok",
        "okay",
        "agreed",
        "correct",
        "right",
        "exactly",
        "indeed",
        "fixed",
        "updated",
        "definitely",
        "absolutely",
        "probably",
        "possibly",
        "never",
        "always",
        "both",
        "neither",
        "none",
        "ja",
        "nein",
        "sí",
        "si",
        "sim",
        "não",
        "oui",
        "non",
        "erledigt",
        "hecho",
        "feito",
        "fait",
        "maybe",
        "merged",
        "pushed",
        "rebased",
        "afaik",
        "iirc",
        "nothing",
    ];
    (0..words.len().min(3)).any(|n| ANSWERS.contains(&words.get(n)))
        || words.has_any(
            &[
                "will do",
                "on it",
                "not yet|really|sure",
                "of course",
                "i do|did|have|am|will|can|don't|think",
                "looks good",
            ],
            0,
        )
}

/// Returns whether the text calls the asker by name.
fn names_asker(scene: &Scene<'_>, ask: usize, words: &Words) -> bool {
    let asker = &scene.messages[ask];
    (0..words.len()).any(|n| {
        let word = &words.list[n];
        (word.is_mention || n < 2)
            && asker
                .names
                .iter()
                .copied()
                .chain([asker.author])
                .any(|name| {
                    name.to_lowercase() == words.get(n)
                        || name
                            .split(|c: char| !c.is_alphanumeric())
                            .any(|part| part.len() > 2 && part.to_lowercase() == words.get(n))
                })
    })
}
