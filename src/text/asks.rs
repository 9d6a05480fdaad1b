//! Who asks whom for what, whether it was answered, what was decided and what is stuck.
//!
//! Every sentence of a message gets a score from general features of its form (a question mark, an inverted verb, a
//! second person, an indefinite pronoun, a request verb); the phrases behind them stand in `cues.rs`. Whom an ask is
//! for comes from structure first: mentions, vocatives, whom the author replies to.

#[cfg(test)]
mod cases;
mod closing;
mod cues;
mod people;
mod reply;
mod score;
mod settled;

use std::ops::Range;

use jiff::Timestamp;

use crate::model::{AskKind, ThreadKind};

pub use closing::closed_by;
pub use settled::{blocker_in, decision_in};

use super::clean::Cleaned;

/// One message as the rules see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utterance<'a> {
    /// A stable key of the author.
    pub author: &'a str,
    /// The author's names, full, short or login.
    pub names: &'a [&'a str],
    /// When it was said.
    pub at: Option<Timestamp>,
    /// What was said, Markdown.
    pub text: &'a str,
    /// Keys of the people the text mentions by the source's own markup.
    pub mentions: &'a [&'a str],
    /// The message it replies to, if the source says.
    pub reply_to: Option<usize>,
    /// Whether a program wrote it.
    pub is_bot: bool,
}

/// Somebody who may be named in the text without having written in the scene.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// A stable key.
    pub key: &'a str,
    /// Names, full, short or login.
    pub names: &'a [&'a str],
}

/// The messages of one thread, oldest first, with what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What kind of place it is.
    pub kind: ThreadKind,
    /// The thread's title.
    pub title: &'a str,
    /// The messages, or the part of them at hand.
    pub messages: &'a [Utterance<'a>],
    /// The message that opened the thread, if it is at hand.
    pub opener: Option<usize>,
    /// The key of who opened the thread or owns the change under review.
    pub owner: Option<&'a str>,
    /// Others who may be named.
    pub people: &'a [Named<'a>],
    /// The keys of the two people of a mail that is between two.
    pub between: Option<[&'a str; 2]>,
}

/// Whom an ask is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To<'a> {
    /// The people with these keys.
    Persons(Vec<&'a str>),
    /// Somebody the text calls by this name, whom the scene does not know.
    Somebody(&'a str),
    /// Whoever can answer.
    Group,
}

/// An ask found in a message.
#[derive(Clone, Debug, PartialEq)]
pub struct AskFound<'a> {
    /// What is wanted.
    pub kind: AskKind,
    /// Whom it is for.
    pub to: To<'a>,
    /// The asking sentence, in the message's text.
    pub sentence: Range<usize>,
    /// Whether the words say that it cannot wait.
    pub is_urgent: bool,
    /// How sure the rules are; from [`THRESHOLD`] up.
    pub score: f32,
}

/// From this score on a sentence is an ask.
pub const THRESHOLD: f32 = 1.0;

/// Returns the strongest ask of a message, if it has one.
pub fn ask_in<'a>(scene: &Scene<'a>, i: usize) -> Option<AskFound<'a>> {
    let message = scene.messages.get(i)?;
    if let Some(found) = people::review_call(scene, i) {
        return Some(found);
    }
    if message.is_bot {
        return None;
    }
    let cleaned = Cleaned::of(message.text);
    let best = score::best_sentence(scene, i, &cleaned)?;
    if best.score < THRESHOLD || closing::is_withdrawn(&cleaned, best.segment) {
        return None;
    }
    let sentence = cleaned.segments[best.segment].range.clone();
    Some(AskFound {
        kind: best.kind,
        to: people::addressee(scene, i, &cleaned, best.segment),
        is_urgent: score::is_urgent(message.text),
        score: best.score,
        sentence,
    })
}
