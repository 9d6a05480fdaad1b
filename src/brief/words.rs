//! Words by a model for the lines of a briefing: asked for once a thread, kept, checked for each reader, and put on a
//! line or not.
//!
//! ```text
//! lines ─► jobs (request) ─► cache ─┬─► checks ─► line with words, or its quotes (apply)
//!                                   └─► ask: ledger, model, one repair ─► cache
//! ```
//!
//! Putting words on lines reads the cache only, so it can be done again at any moment: before sending, after an edit, in
//! `explain`. A briefing is complete before anybody asks a model.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::Connection;

use crate::llm::Llm;
use crate::model::{Briefing, BriefingItem, Topic};
use crate::roster::Roster;
use crate::store::night::Night;

pub mod answer;
mod apply;
mod ask;
mod frame;
mod headline;
mod line;
pub mod rationale;
mod request;
mod translate;
pub mod trial;

pub use apply::ABOUT;
pub use ask::{Asked, Asking, Tally, fill};
pub use request::{Job, SourceKind};

use super::Style;
use crate::model::Member;

/// Who writes, for whom.
#[derive(Clone, Copy)]
pub struct Writing<'a> {
    /// The model.
    pub llm: &'a Llm,
    /// The reader.
    pub member: &'a Member,
    /// Everybody.
    pub roster: &'a Roster,
    /// What the team decided about its briefings.
    pub style: &'a Style,
}

/// Puts what is in the cache on the lines of a briefing and returns what is not there yet.
///
/// # Errors
/// When the store cannot be read.
pub fn put_words(
    c: &Connection,
    writing: &Writing<'_>,
    briefing: &mut Briefing,
    night: &Night,
) -> Result<Vec<Job>> {
    let mut missing = Vec::new();
    let mut is_asked = false;
    let before = super::render::words_of(&briefing.items);
    let mut said = BTreeMap::new();
    for (at, item) in briefing.items.iter_mut().enumerate() {
        let Some(topic) = topic_of(item, night) else {
            continue;
        };
        let jobs = request::jobs_for(topic, night, writing, briefing.is_catch_up);
        if jobs.is_empty() {
            continue;
        }
        is_asked = true;
        let mut answers = BTreeMap::new();
        for (place, job) in jobs.into_iter().enumerate() {
            match crate::store::words::words_of(c, &job.key)? {
                Some(body) => drop(answers.insert(place, (job, body))),
                None => missing.push(job),
            }
        }
        let words = apply::put_on(item, topic, night, writing, answers.into_values());
        said.extend(words.map(|words| (at, (topic.id, words))));
    }
    // Words may be longer than the quotes they stand for; the morning is not.
    let most = writing.style.max_words.max(before);
    for at in (0..briefing.items.len()).rev() {
        if super::render::words_of(&briefing.items) <= most {
            break;
        }
        apply::take_off(&mut briefing.items[at]);
        said.remove(&at);
    }
    if writing.llm.config().headline {
        let said: Vec<_> = said.into_values().collect();
        let room = most.saturating_sub(super::render::words_of(&briefing.items));
        missing.extend(headline::put_on(c, briefing, &said, room, writing)?);
    }
    if writing.llm.config().translate {
        for item in &mut briefing.items {
            missing.extend(translate::put_on(c, item, night, writing)?);
        }
    }
    if is_asked {
        briefing.written_by = writing.llm.config().model.clone();
    }
    Ok(missing)
}

/// Returns the topic of a line that is about one; lines that several threads share are facts.
fn topic_of<'n>(item: &BriefingItem, night: &'n Night) -> Option<&'n Topic> {
    let first = &item.threads.first()?.id;
    let topic = night
        .topics
        .values()
        .find(|topic| topic.thread.id == *first)
        .or_else(|| {
            night.topics.values().find(|topic| {
                topic
                    .events
                    .iter()
                    .any(|logged| logged.event.thread == *first)
            })
        })?;
    let is_its_own = |id: &crate::model::ThreadId| {
        topic.thread.id == *id || topic.events.iter().any(|logged| logged.event.thread == *id)
    };
    item.threads
        .iter()
        .all(|thread| is_its_own(&thread.id))
        .then_some(topic)
}
