//! What a model is asked about a thread: which messages, in how many parts, under which prompt, kept under which key.
//!
//! The window of a request belongs to the thread and not to a reader (the last three days of it), so that all readers who
//! may read the same messages share one call. What is new for a reader is decided when the words are put on their line.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Writing;
use crate::brief::digest::{Digest, DigestMessage, digest_of};
use crate::llm::orders::gives_orders;
use crate::llm::{Prompt, tokens};
use crate::model::{Seq, ThreadKind, Topic, TopicId};
use crate::store::night::Night;

/// How far back from its newest message a thread counts as new in a request: a weekend.
const SPAN: SignedDuration = SignedDuration::from_hours(72);
/// How many earlier messages give context.
const CONTEXT: u32 = 2;
/// The most parts of a long thread, the newest ones.
const PARTS: usize = 2;

/// One thing to ask a model.
#[derive(Clone, Debug)]
pub struct Job {
    /// A hash of all that decides the answer.
    pub key: String,
    /// The topic; a change of it takes the answer away.
    pub topic: TopicId,
    /// The prompt.
    pub prompt: Prompt,
    /// What it is about.
    pub source: SourceKind,
}

/// What a job is about.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A thread, or a part of a long one.
    Thread(Box<Digest>),
    /// A text to be translated, and the English name of the language.
    Text {
        /// The text.
        text: String,
        /// The language.
        language: &'static str,
    },
    /// Lines that passed their checks, for the words of a headline.
    Lines {
        /// The lines.
        text: String,
    },
}

/// Returns what to ask about a topic, the newest part first; nothing where nobody said anything new.
pub fn jobs_for(
    topic: &Topic,
    night: &Night,
    writing: &Writing<'_>,
    is_catch_up: bool,
) -> Vec<Job> {
    let new = if is_catch_up {
        night.new.clone()
    } else {
        recent_in(topic)
    };
    let digest = digest_of(topic, &new, writing.roster, &[]);
    let mut digest = without_orders(digest);
    if !digest.messages.iter().any(|message| message.is_new) {
        return Vec::new();
    }
    let prompts = writing.llm.prompts();
    let prompt = |part: &Digest| {
        let is_asking = part
            .messages
            .iter()
            .any(|message| message.is_new && (message.cues.asks || message.cues.decides));
        prompts.get(match (is_catch_up, is_asking) {
            (true, _) => "catch-up",
            (false, true) => "asks-and-decisions",
            (false, false) => "thread-delta",
        })
    };
    let room = room_for(prompt(&digest), writing.llm.room());
    for message in &mut digest.messages {
        message.text = shortened(&message.text, room / 2);
    }
    parts_of(&digest, room)
        .into_iter()
        .map(|part| {
            let prompt = prompt(&part).clone();
            Job {
                key: key_of(&part, &prompt, &writing.llm.config().model),
                topic: topic.id,
                prompt,
                source: SourceKind::Thread(Box::new(part)),
            }
        })
        .collect()
}

/// Returns what is new in a topic for everybody: what was said within [`SPAN`] of the newest.
fn recent_in(topic: &Topic) -> BTreeSet<Seq> {
    let newest = topic
        .events
        .iter()
        .filter(|logged| logged.event.kind.is_said() && !logged.is_removed)
        .map(|logged| logged.learned.0)
        .max();
    let since = newest.and_then(|newest| newest.checked_sub(SPAN).ok());
    topic
        .events
        .iter()
        .filter(|logged| since.is_some_and(|since| logged.learned.0 >= since))
        .map(|logged| logged.seq)
        .collect()
}

/// Returns whether a message is quoted at most: it reads like orders to a model. It does not enter a prompt either.
pub fn is_quote_only(message: &DigestMessage) -> bool {
    gives_orders(&message.source)
}

/// Returns a digest without the messages that read like orders to a model.
pub(super) fn without_orders(mut digest: Digest) -> Digest {
    let numbers: BTreeSet<u32> = digest
        .messages
        .iter()
        .filter(|message| is_quote_only(message))
        .map(|message| message.n)
        .collect();
    digest
        .messages
        .retain(|message| !numbers.contains(&message.n));
    digest
}

/// Returns how many tokens the messages of a request may take.
fn room_for(prompt: &Prompt, model_reads: usize) -> usize {
    const FRAME: usize = 150;
    let fixed = tokens::estimate(&prompt.system) + tokens::estimate(&prompt.user) + FRAME;
    prompt
        .token_budget
        .min(model_reads)
        .saturating_sub(fixed)
        .max(200)
}

/// Returns the parts of a digest, the newest first. A thread that grows keeps the borders it had, so that words made of
/// its older parts stay good.
fn parts_of(digest: &Digest, room: usize) -> Vec<Digest> {
    let mut parts: Vec<Vec<&DigestMessage>> = Vec::new();
    let mut used = 0;
    for message in &digest.messages {
        let cost = tokens::estimate(&message_json(digest, message).to_string());
        if parts.is_empty() || used + cost > room {
            parts.push(Vec::new());
            used = 0;
        }
        used += cost;
        if let Some(part) = parts.last_mut() {
            part.push(message);
        }
    }
    parts
        .iter()
        .rev()
        .filter_map(|part| {
            let first_new = part.iter().find(|message| message.is_new)?.n;
            let last = part.last()?.n;
            Some(digest.part(first_new.saturating_sub(CONTEXT)..last + 1))
        })
        .take(PARTS)
        .collect()
}

/// Returns the material of a request. No id, no name, no address is in it.
pub fn source_of(digest: &Digest) -> Value {
    let kind = match digest.kind {
        ThreadKind::Ticket => "ticket",
        ThreadKind::Mail => "mail",
        ThreadKind::Recording => "meeting",
        _ => "chat",
    };
    let messages: Vec<Value> = digest
        .messages
        .iter()
        .map(|message| message_json(digest, message))
        .collect();
    let mut source = json!({ "kind": kind, "facts": digest.facts.lines(digest) });
    if !digest.title.is_empty() {
        source["title"] = json!(without_mail(&digest.title));
    }
    source["messages"] = json!(messages);
    source
}

fn message_json(digest: &Digest, message: &DigestMessage) -> Value {
    let mut value = json!({
        "n": message.n,
        "at": message.at.strftime("%d %b %H:%M").to_string(),
        "text": without_mail(&message.text),
    });
    if let Some(who) = message.who {
        value["who"] = json!(digest.people[who].slot);
    }
    if message.is_new {
        value["new"] = json!(true);
    }
    value
}

/// Returns a text in which mail addresses are only said to be there.
fn without_mail(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let bare = word.trim_end();
            match bare.find('@') {
                Some(at) if at > 0 && bare[at..].contains('.') => {
                    format!("[mail]{}", &word[bare.len()..])
                }
                _ => word.to_owned(),
            }
        })
        .collect()
}

/// Returns a text cut to about so many tokens, at a space.
fn shortened(text: &str, most: usize) -> String {
    if tokens::estimate(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        used += tokens::estimate(word);
        if used > most {
            break;
        }
        kept.push_str(word);
    }
    format!("{}…", kept.trim_end())
}

fn key_of(part: &Digest, prompt: &Prompt, model: &str) -> String {
    let source = source_of(part);
    let asked = source.to_string();
    // Who else takes part in a long thread says nothing about this part of it.
    let people: Vec<String> = part
        .people
        .iter()
        .filter(|person| asked.contains(&person.slot))
        .map(|person| format!("{}={:?}", person.slot, person.handles))
        .collect();
    let events: Vec<String> = part
        .messages
        .iter()
        .map(|message| format!("{}:{}", message.event, message.source))
        .collect();
    let audiences: Vec<u64> = part.audiences.iter().map(|audience| audience.0).collect();
    hash_of(&json!([
        model,
        prompt.name,
        prompt.hash,
        part.thread.to_string(),
        audiences,
        people,
        events,
        source
    ]))
}

/// Returns the key of a translation, or, without a language, of a headline.
pub fn key_of_text(text: &str, language: &str, prompt: &Prompt, model: &str) -> String {
    hash_of(&json!([model, prompt.name, prompt.hash, language, text]))
}

fn hash_of(value: &Value) -> String {
    Sha256::digest(value.to_string().as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Job {
    /// Returns the job with the older half of its messages left out; `None` when one is left.
    pub fn shorter(&self) -> Option<Job> {
        let SourceKind::Thread(digest) = &self.source else {
            return None;
        };
        let last = digest.messages.last()?.n;
        let from = digest.messages.get(digest.messages.len().div_ceil(2))?.n;
        let mut shorter = self.clone();
        shorter.source = SourceKind::Thread(Box::new(digest.part(from..last + 1)));
        Some(shorter)
    }
}
