//! Puts checked words on a line, or says which checks kept them away.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Writing;
use super::ask::Tally;
use super::request::{Job, is_quote_only};
use crate::brief::checks::Checker;
use crate::brief::checks::reader::{ForReader, for_reader};
use crate::brief::digest::{Digest, digest_of};
use crate::brief::draft::{Confidence, Draft, Worded};
use crate::brief::summarize::citation_by;
use crate::model::{BriefingItem, Citation, EventId, ItemKind, Logged, Section, Topic, Wording};
use crate::store::night::Night;
use crate::text::sentences;

/// The most sources of a line.
const MAX_SOURCES: usize = 5;
/// The mark of words that follow from several messages, or that a check was not sure of.
pub const ABOUT: &str = "≈ ";

/// Puts the best words of these answers on a line. They are checked once more, for this reader: what they may read, what is
/// new for them, and what the line is about. Returns them as the model wrote them, people and tickets in slots.
pub fn put_on(
    item: &mut BriefingItem,
    topic: &Topic,
    night: &Night,
    writing: &Writing<'_>,
    answers: impl Iterator<Item = (Job, String)>,
) -> Option<String> {
    let digest = digest_of(topic, &night.new, writing.roster, &[]);
    let checker = Checker::new(&digest);
    let (asks, mentions) = theirs(topic, night, writing);
    let reader = ForReader {
        readable: &night.readable,
        new: &night.new,
        asks: &asks,
        mentions: &mentions,
    };
    let mut failed: BTreeSet<String> = BTreeSet::new();
    let mut asked = None;
    for (job, body) in answers {
        let by = format!("{}@{}", job.prompt.name, job.prompt.hash);
        asked.get_or_insert_with(|| by.clone());
        let (tally, body) = Tally::beside(&body);
        failed.extend(tally.refused.into_keys());
        let draft = Draft::from_json(&body).unwrap_or_default();
        for proposed in &draft.items {
            let checked = checker.check(proposed);
            failed.extend(
                checked
                    .report
                    .failed_hard()
                    .map(|outcome| outcome.check.as_str().to_owned()),
            );
            let Some(worded) = checked.worded else {
                continue;
            };
            let Some(worded) = for_reader(&worded, &digest, &reader) else {
                failed.insert("not for this reader".into());
                continue;
            };
            if worded.confidence == Confidence::Low {
                failed.insert("low confidence".into());
            } else if !is_about(item, &worded, topic, night) {
                failed.insert("about something else".into());
            } else if cited(&digest, &worded).any(is_quote_only) {
                failed.insert("quote only".into());
            } else if is_copy(&digest, &worded) {
                failed.insert("a copy".into());
            } else {
                put(item, worded, topic, writing, by);
                return Some(checked.item.text);
            }
        }
    }
    // Nobody was asked, or nothing can be said: the quotes speak.
    item.wording = asked.map(|prompt| Wording {
        by: writing.llm.config().model.clone(),
        prompt,
        passed: Vec::new(),
        noted: Vec::new(),
        failed: failed.into_iter().collect(),
        is_shown: false,
    });
    None
}

/// Returns the events of a topic that ask the reader something, and those that name them.
fn theirs(
    topic: &Topic,
    night: &Night,
    writing: &Writing<'_>,
) -> (BTreeSet<EventId>, BTreeSet<EventId>) {
    let asks: BTreeSet<_> = night.asks_to.iter().map(|ask| ask.seq).collect();
    let ids = |is_theirs: &dyn Fn(&Logged) -> bool| {
        let events = topic.events.iter().filter(|logged| is_theirs(logged));
        events.map(|logged| logged.event.id.clone()).collect()
    };
    let names = |logged: &Logged| {
        let mut mentions = logged.event.mentions.iter();
        mentions.any(|handle| writing.member.owns(handle))
    };
    (ids(&|logged| asks.contains(&logged.seq)), ids(&names))
}

/// Takes the words off a line again; the quotes stand there still or come back with the next briefing.
pub fn take_off(item: &mut BriefingItem) {
    if let Some(wording) = &mut item.wording
        && wording.is_shown
    {
        wording.is_shown = false;
        wording.failed.push("no room".into());
        item.summary.clear();
    }
}

/// Returns whether words are about what the line is about: the ask or the mention that it stands for, or something new.
fn is_about(item: &BriefingItem, worded: &Worded, topic: &Topic, night: &Night) -> bool {
    let cites = |citation: &Citation| worded.citations.contains(&citation.event);
    if is_addressed(item) {
        return item
            .citations
            .iter()
            .filter(|citation| !citation.quote.is_empty())
            .any(cites);
    }
    item.carried
        || topic.events.iter().any(|logged| {
            night.new.contains(&logged.seq) && worded.citations.contains(&logged.event.id)
        })
}

/// Returns whether somebody wants the reader: then their own words stay.
fn is_addressed(item: &BriefingItem) -> bool {
    item.section == Section::NeedsYou
        || matches!(
            item.kind,
            ItemKind::Ask | ItemKind::Mention | ItemKind::Decision
        )
}

fn cited<'d>(
    digest: &'d Digest,
    worded: &'d Worded,
) -> impl Iterator<Item = &'d crate::brief::digest::DigestMessage> {
    digest
        .messages
        .iter()
        .filter(|message| worded.citations.contains(&message.event))
}

/// Returns whether words are little more than pieces of a source, or hold a sentence of one as good as whole: then the source
/// speaks for itself, between marks and under its author's name. Who says it does not count, or a copy with "says" before it
/// would be none.
pub(super) fn is_copy(digest: &Digest, worded: &Worded) -> bool {
    const LEAST_RUN: usize = 3;
    const LEAST_WHOLE: usize = 5;
    const SAYING: [&str; 14] = [
        "says", "said", "say", "writes", "wrote", "asks", "asked", "reports", "reported", "notes",
        "noted", "that", "about", "this",
    ];
    let names: BTreeSet<String> = cited(digest, worded)
        .filter_map(|message| message.who)
        .flat_map(|who| words_in(&digest.people[who].name))
        .collect();
    let words: Vec<String> = words_in(&worded.text)
        .into_iter()
        .skip_while(|word| names.contains(word) || SAYING.contains(&word.as_str()))
        .collect();
    let mut covered = vec![false; words.len()];
    // A title is somebody's words as much as a message is, and no quote of it would stand beside them.
    let sources = cited(digest, worded).map(|message| message.source.as_str());
    for source in sources.chain([digest.title.as_str()]) {
        let is_whole = |range: Range<usize>| {
            let sentence = words_in(&source[range]);
            sentence.len() >= LEAST_WHOLE
                && longest_shared(&words, &sentence) * 10 >= sentence.len() * 8
        };
        // Whatever somebody puts before and behind it.
        let ranges = sentences(source).into_iter();
        let mut ranges = ranges
            .map(|sentence| sentence.range)
            .chain(std::iter::once(0..source.len()));
        if ranges.any(is_whole) {
            return true;
        }
        let source = words_in(source);
        for at in 0..words.len() {
            let longest = longest_from(&words[at..], &source);
            if longest >= LEAST_RUN || longest == words.len() {
                covered[at..at + longest].fill(true);
            }
        }
    }
    let copied = covered.iter().filter(|is_copied| **is_copied).count();
    copied * 10 >= words.len() * 8
}

/// Returns how many words of a source stand in a row at the beginning of these.
fn longest_from(words: &[String], source: &[String]) -> usize {
    (0..source.len())
        .map(|from| {
            let pairs = words.iter().zip(&source[from..]);
            pairs.take_while(|(one, other)| one == other).count()
        })
        .max()
        .unwrap_or(0)
}

/// Returns how many words of a source stand in a row anywhere in these.
fn longest_shared(words: &[String], source: &[String]) -> usize {
    (0..words.len())
        .map(|at| longest_from(&words[at..], source))
        .max()
        .unwrap_or(0)
}

fn words_in(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn put(item: &mut BriefingItem, worded: Worded, topic: &Topic, writing: &Writing<'_>, by: String) {
    let source = |event: &crate::model::EventId| {
        let logged = topic
            .events
            .iter()
            .find(|logged| logged.event.id == *event)?;
        let words = match &worded.quote {
            Some((quoted, words)) if quoted == event && worded.needs_quote => words.clone(),
            _ => String::new(),
        };
        Some(citation_by(logged, words, writing.roster))
    };
    let mut citations: Vec<Citation> = worded.citations.iter().filter_map(source).collect();
    if is_addressed(item) {
        // The question itself stays, word for word; the words stand before it.
        citations.retain(|citation| !item.citations.iter().any(|own| own.event == citation.event));
        let own = std::mem::take(&mut item.citations);
        item.citations = own.into_iter().chain(citations).collect();
    } else {
        let facts = std::mem::take(&mut item.citations);
        let facts = facts
            .into_iter()
            .filter(|citation| citation.quote.is_empty())
            .filter(|citation| !worded.citations.contains(&citation.event));
        item.citations = citations
            .into_iter()
            .chain(facts.collect::<Vec<_>>())
            .collect();
    }
    item.citations.truncate(MAX_SOURCES);
    let mark = match worded.confidence {
        Confidence::High => "",
        _ => ABOUT,
    };
    item.summary = format!("{mark}{}", worded.text);
    item.wording = Some(Wording {
        by: writing.llm.config().model.clone(),
        prompt: by,
        passed: worded.report.passed().map(str::to_owned).collect(),
        noted: worded
            .report
            .failed_soft()
            .map(|outcome| outcome.check.as_str().to_owned())
            .collect(),
        failed: Vec::new(),
        is_shown: true,
    });
}
