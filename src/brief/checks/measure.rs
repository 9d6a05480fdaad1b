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
    fn add(&mut self, failed: &BTreeSet<Check>) {
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

/// The ways in which sentences are corrupted, in the order of the table.
pub const CORRUPTIONS: [&str; 8] = [
    "true",
    "number changed or date added",
    "name from another thread",
    "two participants swapped",
    "sentence of another thread",
    "state added",
    "\"not\" added",
    "wrong messages cited",
];

/// Checks every sentence of the summaries as it is and corrupted.
pub fn corrupted(threads: &[&Summarized]) -> Vec<(&'static str, Row)> {
    let usable: Vec<(&Summarized, Digest)> = threads
        .iter()
        .filter(|thread| thread.reference_summary.is_some())
        .map(|thread| (*thread, digest_from(thread)))
        .collect();
    let all: Vec<Vec<String>> = usable
        .iter()
        .map(|(thread, _)| sentences_of(thread.reference_summary.as_deref().unwrap_or("")))
        .collect();
    let mut rows = CORRUPTIONS.map(|name| (name, Row::default()));
    let mut dice = Dice(7);
    let first_names: Vec<Vec<String>> = usable
        .iter()
        .map(|(_, digest)| first_names(digest))
        .collect();
    for (at, (_, digest)) in usable.iter().enumerate() {
        let checker = Checker::new(digest);
        for sentence in &all[at] {
            let citations = citations_for(&checker, sentence);
            let mut check = |row: usize, text: &str, citations: Vec<u32>| {
                rows[row].1.add(&failed(&checker, text, citations))
            };
            check(0, sentence, citations.clone());
            check(1, &other_number(sentence, &mut dice), citations.clone());
            let others = &first_names[(at + 1 + dice.below(usable.len() - 1)) % usable.len()];
            if let Some(text) = other_name(sentence, &first_names[at], others, digest, &mut dice) {
                check(2, &text, citations.clone());
            }
            if let Some(text) = swapped(sentence, &first_names[at]) {
                check(3, &text, citations.clone());
            }
            let elsewhere = (at + 1 + dice.below(usable.len() - 1)) % usable.len();
            if !all[elsewhere].is_empty() {
                let foreign = &all[elsewhere][dice.below(all[elsewhere].len())];
                check(4, foreign, citations_for(&checker, foreign));
            }
            let state = ["closed", "approved", "merged", "blocked"][dice.below(4)];
            check(
                5,
                &format!(
                    "{}, and the issue was {state}.",
                    sentence.trim_end_matches('.')
                ),
                citations.clone(),
            );
            if let Some(text) = denied(sentence) {
                check(6, &text, citations.clone());
            }
            let rest: Vec<u32> = digest
                .messages
                .iter()
                .map(|message| message.n)
                .filter(|n| !citations.contains(n))
                .take(3)
                .collect();
            if !rest.is_empty() {
                check(7, sentence, rest);
            }
        }
    }
    rows.into()
}

/// A small generator, so that every run draws the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % most.max(1) as u64) as usize
    }
}

/// Returns the first names of those who wrote.
fn first_names(digest: &Digest) -> Vec<String> {
    let writers: BTreeSet<usize> = digest
        .messages
        .iter()
        .filter_map(|message| message.who)
        .collect();
    writers
        .into_iter()
        .filter_map(|who| {
            let written = digest.people[who]
                .handles
                .first()
                .map_or("", |handle| &*handle.id);
            // "Kay, Michael": the given name is what summaries use.
            let given = written.split_once(',').map_or(written, |(_, given)| given);
            let parts: Vec<&str> = given
                .split(|c: char| !c.is_alphabetic())
                .filter(|part| {
                    part.chars().count() > 2
                        && part.starts_with(char::is_uppercase)
                        && part.chars().any(char::is_lowercase)
                })
                .collect();
            parts.first().map(|part| (*part).to_owned())
        })
        .collect()
}

fn other_number(sentence: &str, dice: &mut Dice) -> String {
    let start = sentence
        .char_indices()
        .find(|(at, c)| c.is_ascii_digit() && !sentence[..*at].ends_with(char::is_alphanumeric))
        .map(|(at, _)| at);
    match start {
        Some(start) => {
            let end = sentence[start..]
                .find(|c: char| !c.is_ascii_digit())
                .map_or(sentence.len(), |at| start + at);
            let value: u64 = sentence[start..end].parse().unwrap_or(3);
            format!(
                "{}{}{}",
                &sentence[..start],
                value.wrapping_add(3 + dice.below(90) as u64),
                &sentence[end..]
            )
        }
        None => {
            let month = [
                "January", "February", "March", "April", "June", "July", "August", "October",
            ][dice.below(8)];
            format!(
                "{} on {} {month}.",
                sentence.trim_end_matches('.'),
                1 + dice.below(28)
            )
        }
    }
}

/// Returns the words of a sentence with the ranges they stand at.
fn name_at(sentence: &str, name: &str) -> Option<std::ops::Range<usize>> {
    sentence
        .match_indices(name)
        .map(|(at, _)| at..at + name.len())
        .find(|range| {
            !sentence[..range.start].ends_with(char::is_alphanumeric)
                && !sentence[range.end..].starts_with(char::is_alphanumeric)
        })
}

fn replaced(sentence: &str, range: std::ops::Range<usize>, with: &str) -> String {
    format!(
        "{}{with}{}",
        &sentence[..range.start],
        &sentence[range.end..]
    )
}

fn other_name(
    sentence: &str,
    own: &[String],
    others: &[String],
    digest: &Digest,
    dice: &mut Dice,
) -> Option<String> {
    let range = own.iter().find_map(|name| name_at(sentence, name))?;
    let strangers: Vec<&String> = others
        .iter()
        .filter(|name| {
            !digest
                .people
                .iter()
                .any(|person| person.aliases.contains(&name.to_lowercase()))
        })
        .collect();
    let stranger = strangers.get(dice.below(strangers.len()))?;
    Some(replaced(sentence, range, stranger))
}

fn swapped(sentence: &str, own: &[String]) -> Option<String> {
    let found: Vec<(&String, std::ops::Range<usize>)> = own
        .iter()
        .filter_map(|name| Some((name, name_at(sentence, name)?)))
        .collect();
    let [(first, a), (second, b), ..] = found.as_slice() else {
        return None;
    };
    if first == second || a.start < b.end && b.start < a.end {
        return None;
    }
    let ((early, a), (late, b)) = if a.start < b.start {
        ((first, a), (second, b))
    } else {
        ((second, b), (first, a))
    };
    Some(format!(
        "{}{late}{}{early}{}",
        &sentence[..a.start],
        &sentence[a.end..b.start],
        &sentence[b.end..]
    ))
}

fn denied(sentence: &str) -> Option<String> {
    let words = [
        " is ", " are ", " was ", " were ", " should ", " would ", " could ", " can ", " will ",
        " has ", " does ",
    ];
    if super::soft::Mood::of(sentence).denies() {
        return None;
    }
    let (at, word) = words
        .iter()
        .filter_map(|word| Some((sentence.find(word)?, word)))
        .min()?;
    Some(format!(
        "{}{word}not {}",
        &sentence[..at],
        &sentence[at + word.len()..]
    ))
}
