//! What the checks catch on real threads: human sentences, taken as true, and the same sentences corrupted.
//!
//! The corruptions are mechanical and of the form the checks look for, so that a catch rate is an upper bound for a model's
//! own mistakes. Citations are simulated: the three messages that share most words with the sentence, those of authors it
//! names first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Checker;
use super::find::Finder;
use super::people::named_in;
use crate::brief::digest::{Digest, digest_of};
use crate::brief::draft::{Check, Confidence, DraftItem, DraftKind, Severity};
use crate::connectors::mail::quotes;
use crate::model::{
    Audience, AudienceId, ConnectorId, Event, EventId, EventKind, Handle, Learned, Logged,
    Markdown, Person, Seq, Thread, ThreadId, ThreadKind, Topic, TopicId,
};
use crate::roster::Roster;

/// A thread with a person's summary, as the sets have it.
#[derive(Debug, Deserialize)]
pub struct Summarized {
    /// The thread's id.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// What was written.
    pub messages: Vec<Written>,
    /// What a person made of it.
    pub reference_summary: Option<String>,
}

/// A message of a set.
#[derive(Debug, Deserialize)]
pub struct Written {
    /// The message's id.
    pub id: String,
    /// Who wrote it.
    #[serde(default)]
    pub author: String,
    /// What was written.
    pub text: String,
    /// Whom it went to, as the header has it.
    #[serde(default)]
    pub to: Option<String>,
}

/// How a set of sentences fared: counts of sentences for which something did not hold.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Row {
    /// How many sentences.
    pub sentences: usize,
    /// V4: a number, date, key or piece of code.
    pub numbers: usize,
    /// V5: a person.
    pub people: usize,
    /// V6: a state.
    pub states: usize,
    /// V7: markup or an address.
    pub markup: usize,
    /// V9: "not" or "may" on one side only; the quote is shown.
    pub mood: usize,
    /// V10: other words; replaced by the quote.
    pub foreign: usize,
    /// V4 or V6.
    pub hard: usize,
    /// V4, V5 or V6.
    pub hard_with_names: usize,
    /// V4, V5, V6 or V10: the sentence is not shown.
    pub not_shown: usize,
}

impl Row {
    pub(super) fn add(&mut self, failed: &BTreeSet<Check>) {
        self.sentences += 1;
        let has = |checks: &[Check]| usize::from(checks.iter().any(|check| failed.contains(check)));
        self.numbers += has(&[Check::V4]);
        self.people += has(&[Check::V5]);
        self.states += has(&[Check::V6]);
        self.markup += has(&[Check::V7]);
        self.mood += has(&[Check::V9]);
        self.foreign += has(&[Check::V10]);
        self.hard += has(&[Check::V4, Check::V6]);
        self.hard_with_names += has(&[Check::V4, Check::V5, Check::V6]);
        self.not_shown += has(&[Check::V4, Check::V5, Check::V6, Check::V10]);
    }

    /// Returns a count as a share of the sentences.
    pub fn share(&self, count: usize) -> f64 {
        count as f64 / self.sentences.max(1) as f64
    }
}

/// Returns the digest of a thread of a set; everything counts as new.
pub fn digest_from(thread: &Summarized) -> Digest {
    let connector = ConnectorId::new("set");
    let thread_id = ThreadId::new(&connector, thread.id.as_str());
    let handle = |name: &str| Handle::new(&connector, name);
    let mut people = BTreeMap::new();
    let mut participants = BTreeSet::new();
    for message in &thread.messages {
        let to = message.to.iter().flat_map(|to| recipients(to));
        for name in to
            .chain([message.author.clone()])
            .filter(|name| !name.is_empty())
        {
            participants.insert(handle(&name));
            people.insert(
                name.clone(),
                Person {
                    handle: Some(handle(&name)),
                    name,
                    ..Person::default()
                },
            );
        }
    }
    let at = |n: usize| Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(n as i64);
    let events = thread.messages.iter().enumerate().map(|(n, message)| {
        let (own, aside) = quotes::split(&message.text);
        Logged {
            seq: Seq(n as u64 + 1),
            learned: Learned(at(n)),
            event: Event {
                id: EventId::new(&connector, message.id.as_str()),
                thread: thread_id.clone(),
                kind: EventKind::Posted,
                author: (!message.author.is_empty()).then(|| handle(&message.author)),
                occurred_at: at(n),
                text: Markdown(own),
                aside,
                mentions: Vec::new(),
                url: String::new(),
                audience: None,
                by_bot: false,
            },
            audience: AudienceId(1),
            is_removed: false,
        }
    });
    let events: Vec<Logged> = events.collect();
    let new = events.iter().map(|logged| logged.seq).collect();
    let topic = Topic {
        id: TopicId(1),
        thread: Thread {
            id: thread_id,
            kind: ThreadKind::Mail,
            space: None,
            title: thread.title.clone(),
            url: String::new(),
            audience: Audience::Everyone,
            participants,
            ticket: None,
        },
        events,
    };
    let roster = Roster::new(
        Vec::new(),
        Vec::new(),
        people.into_values().collect(),
        Vec::new(),
    );
    digest_of(&topic, &new, &roster, &[])
}

/// Returns the names in a header: `"Kay, Michael"<a@b>, Jo <c@d>`.
fn recipients(header: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut name, mut in_quotes, mut in_angle) = (String::new(), false, false);
    for c in header.chars().chain([',']) {
        match c {
            '"' => in_quotes = !in_quotes,
            '<' if !in_quotes => in_angle = true,
            '>' if !in_quotes => in_angle = false,
            ',' if !in_quotes && !in_angle => {
                let plain = name
                    .trim()
                    .trim_matches('\'')
                    .trim_start_matches("ext ")
                    .trim()
                    .to_owned();
                if !plain.is_empty() {
                    names.push(plain);
                }
                name.clear();
            }
            _ if !in_angle => name.push(c),
            _ => {}
        }
    }
    names
}

/// Returns the sentences of a summary.
pub fn sentences_of(summary: &str) -> Vec<String> {
    crate::text::sentences(summary)
        .into_iter()
        .map(|sentence| {
            summary[sentence.range]
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// Returns the numbers of the messages a sentence would cite.
pub fn citations_for(checker: &Checker<'_>, sentence: &str) -> Vec<u32> {
    let wanted: BTreeSet<String> = super::words::content_words(sentence).into_iter().collect();
    let named = named_in(sentence, checker.digest, |word| checker.holds_name(word));
    let mut scored: Vec<(bool, usize, u32)> = checker
        .digest
        .messages
        .iter()
        .zip(&checker.sources)
        .map(|(message, source)| {
            let is_named = message
                .who
                .is_some_and(|who| named.iter().any(|one| one.people.contains(&who)));
            (
                is_named,
                source.stems.intersection(&wanted).count(),
                message.n,
            )
        })
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
    // An author who is named and wrote often takes no more than the places their words earn.
    let mut chosen: Vec<u32> = Vec::new();
    let mut authors: BTreeSet<Option<usize>> = BTreeSet::new();
    for (is_named, _, n) in &scored {
        let who = checker.digest.message(*n).and_then(|message| message.who);
        if *is_named && authors.insert(who) && chosen.len() < 3 {
            chosen.push(*n);
        }
    }
    scored.sort_by(|a, b| b.1.cmp(&a.1).then(a.2.cmp(&b.2)));
    for (.., n) in scored {
        if chosen.len() < 3 && !chosen.contains(&n) {
            chosen.push(n);
        }
    }
    chosen
}

/// Returns the checks that do not hold for a sentence and these citations.
pub fn failed(checker: &Checker<'_>, sentence: &str, citations: Vec<u32>) -> BTreeSet<Check> {
    let checked = checker.check(&DraftItem {
        kind: DraftKind::Fyi,
        text: sentence.to_owned(),
        citations,
        quote: String::new(),
        people: Vec::new(),
        tickets: Vec::new(),
        confidence: Confidence::High,
    });
    let failed = |severity| {
        checked
            .report
            .outcomes
            .iter()
            .filter(move |outcome| outcome.severity == severity)
            .map(|outcome| outcome.check)
    };
    failed(Severity::Hard)
        .chain(failed(Severity::Soft))
        .collect()
}

/// A question about a recorded meeting, with what a person answered and which lines bear it out.
#[derive(Debug, Deserialize)]
pub struct Cited {
    /// The meeting.
    pub thread: String,
    /// The question.
    pub query: String,
    /// A person's answer.
    pub answer: String,
    /// Ids of the lines that bear it out.
    pub evidence: Vec<String>,
}

/// How often a line that bears an answer out is found.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Found {
    /// How many questions.
    pub questions: usize,
    /// The first one found is such a line.
    pub first: f64,
    /// One of the first three is.
    pub any_of_three: f64,
    /// What is found covers enough of the question to be shown, see [`crate::ask::ENOUGH`].
    pub shown: f64,
    /// The same for a meeting about other things: what is shown then is no answer.
    pub shown_of_foreign: f64,
}

/// Returns how often the evidence is found from the answer, as V2b looks for it, and from the question, as `ask` does.
pub fn found(meetings: &[Summarized], questions: &[Cited]) -> (Found, Found) {
    let finders: BTreeMap<&str, (&Summarized, Finder)> = meetings
        .iter()
        .map(|meeting| {
            let lines = meeting
                .messages
                .iter()
                .map(|line| (line.author.as_str(), line.text.as_str()));
            (meeting.id.as_str(), (meeting, Finder::new(lines)))
        })
        .collect();
    let (mut by_answer, mut by_question) = (Found::default(), Found::default());
    for question in questions {
        let Some((meeting, finder)) = finders.get(question.thread.as_str()) else {
            continue;
        };
        let evidence: BTreeSet<&str> = question.evidence.iter().map(String::as_str).collect();
        let is_evidence = |at: &usize| evidence.contains(meeting.messages[*at].id.as_str());
        let foreign =
            foreign_to(meeting, meetings).and_then(|other| finders.get(other.id.as_str()));
        let count = |found: &mut Found, asked: &str, best: Vec<usize>| {
            let is_enough = |finder: &Finder, best: &[usize]| {
                f64::from(u8::from(finder.coverage(asked, best) >= crate::ask::ENOUGH))
            };
            found.shown += is_enough(finder, &best);
            if let Some((_, other)) = foreign {
                found.shown_of_foreign += is_enough(other, &other.answers(asked, 3));
            }
            found.questions += 1;
            found.first += f64::from(u8::from(best.first().is_some_and(is_evidence)));
            found.any_of_three += f64::from(u8::from(best.iter().any(is_evidence)));
        };
        count(
            &mut by_answer,
            &question.answer,
            finder.best(&question.answer, 3),
        );
        count(
            &mut by_question,
            &question.query,
            finder.answers(&question.query, 3),
        );
    }
    for found in [&mut by_answer, &mut by_question] {
        let all = found.questions.max(1) as f64;
        found.first /= all;
        found.any_of_three /= all;
        found.shown /= all;
        found.shown_of_foreign /= all;
    }
    (by_answer, by_question)
}

/// Returns the meeting that shares the fewest words with a meeting, by their titles and authors.
fn foreign_to<'a>(meeting: &Summarized, meetings: &'a [Summarized]) -> Option<&'a Summarized> {
    let words = |meeting: &Summarized| -> BTreeSet<String> {
        let summary = meeting.reference_summary.as_deref().unwrap_or("");
        super::words::content_words(&format!("{} {summary}", meeting.title))
            .into_iter()
            .collect()
    };
    let own = words(meeting);
    meetings
        .iter()
        .filter(|other| other.id != meeting.id)
        .min_by_key(|other| words(other).intersection(&own).count())
}

/// Returns the threads whose summary is nearer to them than to any other thread of the set, and how many are not: in the
/// sets at hand a quarter of the mail summaries belong to another thread, and a check that says so is right.
pub fn aligned(threads: &[Summarized]) -> (Vec<&Summarized>, usize) {
    let texts: Vec<String> = threads
        .iter()
        .map(|thread| {
            let written = thread
                .messages
                .iter()
                .map(|message| format!("{} {} {}", message.author, thread.title, message.text));
            written.collect::<Vec<_>>().join(" ")
        })
        .collect();
    let finder = Finder::new(texts.iter().map(|text| ("", text.as_str())));
    let is_own = |at: usize, thread: &Summarized| {
        let summary = thread.reference_summary.as_deref().unwrap_or("");
        finder.nearest_by_words(summary) == Some(at)
    };
    let own: Vec<&Summarized> = threads
        .iter()
        .enumerate()
        .filter(|(at, thread)| is_own(*at, thread))
        .map(|(_, thread)| thread)
        .collect();
    let others = threads.len() - own.len();
    (own, others)
}
