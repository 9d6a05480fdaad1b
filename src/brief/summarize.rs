//! The extractive summary: for each line the facts of the change, then the first good sentence of the messages that
//! matter, word for word, with author, time and link.
//!
//! Nothing cleverer was measurably better on real threads (see the house's notes on summaries), and a quote is true by
//! construction.

use std::collections::BTreeSet;

use super::changes::is_ticket;
use super::rank::{Ranked, Reader};
use super::select::{Line, kind_of_group};
use crate::model::{
    Asked, BriefingItem, Citation, EventId, ItemKind, Logged, Reason, Section, ThreadId,
    ThreadKind, ThreadRef, Topic,
};
use crate::text::{first_good_sentence, quote};

mod facts;
mod quotes;

use facts::{asked_by, brief_fact, cited_facts, facts_of};
pub use quotes::{citation_by, citation_of};
use quotes::{quotes_of, said_in};

/// How many words a line may take for each of its parts; 0 = the part is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// The most words of a title.
    pub title: usize,
    /// The most quotes of a line that asks for the reader or names them, and the most words of each.
    pub asking: (usize, usize),
    /// The same for a line about a change on the reader's.
    pub changed: (usize, usize),
    /// The same for a line worth knowing.
    pub team: (usize, usize),
    /// The most words of a title on a shared line.
    pub shared_title: usize,
}

impl Lengths {
    /// The lengths to try, widest first. What asks for the reader keeps its words longest: a question that is not shown
    /// cannot be answered.
    pub const LADDER: [Lengths; 7] = [
        Lengths {
            title: 10,
            asking: (2, 20),
            changed: (2, 20),
            team: (1, 18),
            shared_title: 4,
        },
        Lengths {
            title: 8,
            asking: (1, 20),
            changed: (1, 18),
            team: (1, 14),
            shared_title: 4,
        },
        Lengths {
            title: 8,
            asking: (1, 18),
            changed: (1, 14),
            team: (1, 10),
            shared_title: 3,
        },
        Lengths {
            title: 7,
            asking: (1, 16),
            changed: (1, 12),
            team: (0, 0),
            shared_title: 3,
        },
        Lengths {
            title: 6,
            asking: (1, 14),
            changed: (1, 8),
            team: (0, 0),
            shared_title: 3,
        },
        Lengths {
            title: 6,
            asking: (1, 12),
            changed: (0, 0),
            team: (0, 0),
            shared_title: 2,
        },
        Lengths {
            title: 5,
            asking: (1, 10),
            changed: (0, 0),
            team: (0, 0),
            shared_title: 2,
        },
    ];

    /// Returns how many quotes of how many words a line may show.
    fn quotes_for(&self, ranked: &Ranked<'_>, section: Section) -> (usize, usize) {
        match (section, ranked.kind) {
            (Section::NeedsYou | Section::Blockers, _)
            | (_, ItemKind::Mention | ItemKind::Decision) => self.asking,
            (Section::ChangedOnYours, _) => self.changed,
            (Section::WorthKnowing, _) => self.team,
        }
    }
}

/// How many of the team's threads on a shared line show a piece of their title; the others are named by key alone.
const TITLED_A_LINE: usize = 8;

/// The most messages naming the reader that the list at the end leads to, of one talk.
const NAMED_A_TALK: usize = 3;

/// The threads of one line that are listed by id; a long talk has hundreds.
const THREADS_A_LINE: usize = 60;

/// Returns a line as an item.
pub fn item_of(line: &Line<'_>, reader: &Reader<'_>, lengths: Lengths) -> BriefingItem {
    match line.ranked.as_slice() {
        [ranked] => single(ranked, line.section, reader, lengths),
        _ => shared(line, reader, lengths),
    }
}

fn single(
    ranked: &Ranked<'_>,
    section: Section,
    reader: &Reader<'_>,
    lengths: Lengths,
) -> BriefingItem {
    let news = &ranked.news;
    let (most, words) = lengths.quotes_for(ranked, section);
    let quoted = quotes_of(ranked, reader, most, words);
    let mut citations: Vec<Citation> = quoted
        .into_iter()
        .map(|(logged, words, is_cut)| Citation {
            is_cut,
            ..citation_of(logged, words, reader)
        })
        .collect();
    // The events behind the facts are cited without words. However much is from before, one of them is new.
    let is_new = |id: &EventId| news.new.iter().any(|logged| logged.event.id == *id);
    for logged in cited_facts(ranked) {
        let is_cited = citations
            .iter()
            .any(|citation| citation.event == logged.event.id);
        let has_new = ranked.is_carried
            || is_new(&logged.event.id)
            || citations.iter().any(|citation| is_new(&citation.event));
        if !is_cited && (citations.len() < 2 || citations.len() < 3 && has_new) {
            citations.push(citation_of(logged, String::new(), reader));
        }
    }
    BriefingItem {
        section,
        kind: ranked.kind,
        threads: threads_of(ranked, reader),
        carried: ranked.is_carried,
        headline: headline_of(ranked, reader, lengths.title),
        facts: facts_of(ranked, reader),
        summary: String::new(),
        wording: None,
        citations,
        reasons: ranked.reasons.clone(),
        answer_by: ranked.answer_by,
        asker: asker_of(ranked, reader),
        score: ranked.score,
    }
}

/// Returns by name who waits until a topic's answer.
fn asker_of(ranked: &Ranked<'_>, reader: &Reader<'_>) -> Option<String> {
    let asker = ranked.asker.as_ref()?;
    Some(reader.roster.name_of(asker))
}

/// Several topics of a kind on one line: each with its label and its fact.
fn shared(line: &Line<'_>, reader: &Reader<'_>, lengths: Lengths) -> BriefingItem {
    let kind = kind_of_group(line);
    let what = match line
        .ranked
        .first()
        .map(|ranked| ranked.news.topic.thread.kind)
    {
        Some(ThreadKind::Ticket) => "tickets",
        Some(ThreadKind::Mail) => "mail threads",
        Some(ThreadKind::Conversation) => "conversations",
        _ => "threads",
    };
    let count = line.ranked.len();
    let headline = match (line.section, kind) {
        (Section::NeedsYou, _) => format!("{count} older asks wait for you"),
        (Section::WorthKnowing, ItemKind::NewTicket) => format!("{count} new {what}"),
        (Section::WorthKnowing, _) => format!("{count} other {what} moved"),
        _ => format!("{count} more of your {what} moved"),
    };
    let mut reasons: BTreeSet<Reason> = BTreeSet::new();
    let (mut parts, mut citations, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for (n, ranked) in line.ranked.iter().enumerate() {
        reasons.extend(ranked.reasons.first().cloned());
        let label = label_of(ranked.news.topic, reader);
        // The reader knows their own threads by key; the team's need a piece of the title.
        let said = match line.section {
            Section::WorthKnowing if lengths.shared_title == 0 || n >= TITLED_A_LINE => {
                String::new()
            }
            Section::WorthKnowing => {
                first_words(&ranked.news.topic.thread.title, lengths.shared_title)
            }
            Section::NeedsYou => asked_by(ranked, reader),
            _ => brief_fact(ranked, lengths),
        };
        parts.push(if said.is_empty() {
            label
        } else {
            format!("{label} {said}")
        });
        threads.extend(threads_of(ranked, reader));
        let news = &ranked.news.new;
        let cited = cited_facts(ranked)
            .find(|logged| news.is_empty() || news.iter().any(|new| new.seq == logged.seq));
        citations.extend(cited.map(|logged| citation_of(logged, String::new(), reader)));
    }
    let soonest = line
        .ranked
        .iter()
        .filter(|ranked| ranked.answer_by.is_some());
    let soonest = soonest.min_by_key(|ranked| ranked.answer_by.map(|answer| answer.by));
    BriefingItem {
        section: line.section,
        kind,
        threads,
        carried: line.ranked.iter().all(|ranked| ranked.is_carried),
        headline,
        facts: parts.join(" · "),
        summary: String::new(),
        wording: None,
        citations,
        reasons: reasons.into_iter().collect(),
        answer_by: soonest.and_then(|ranked| ranked.answer_by),
        asker: soonest.and_then(|ranked| asker_of(ranked, reader)),
        score: line
            .ranked
            .iter()
            .map(|ranked| ranked.score)
            .fold(0.0, f32::max),
    }
}

/// Returns what to call a topic: the ticket's key, the channel, the subject.
pub fn label_of(topic: &Topic, reader: &Reader<'_>) -> String {
    match (&topic.thread.ticket, &topic.thread.space, topic.thread.kind) {
        (Some(ticket), ..) if !ticket.key.is_empty() => ticket.key.clone(),
        (_, Some(space), ThreadKind::Conversation) => reader.roster.space_name(space),
        (_, _, ThreadKind::Conversation) => "direct message".to_owned(),
        _ if !topic.thread.title.is_empty() => first_words(&topic.thread.title, 6),
        _ => topic.thread.id.id.to_string(),
    }
}

/// Returns a topic as a briefing names it, followed by the threads that its new messages stand in.
fn threads_of(ranked: &Ranked<'_>, reader: &Reader<'_>) -> Vec<ThreadRef> {
    let topic = ranked.news.topic;
    let label = label_of(topic, reader);
    let main = ThreadRef {
        id: topic.thread.id.clone(),
        url: topic.thread.url.clone(),
        label: label.clone(),
    };
    let mut seen = BTreeSet::from([topic.thread.id.clone()]);
    let further = ranked
        .news
        .new
        .iter()
        .chain(&ranked.news.old_mentions)
        .filter(|logged| seen.insert(logged.event.thread.clone()));
    let further: Vec<ThreadRef> = further
        .take(THREADS_A_LINE)
        .map(|logged| ThreadRef {
            id: logged.event.thread.clone(),
            url: logged.event.url.clone(),
            label: label.clone(),
        })
        .collect();
    let named = named_in(ranked, reader).filter(|named| seen.insert(named.id.clone()));
    let named: Vec<ThreadRef> = named.take(THREADS_A_LINE).collect();
    [main].into_iter().chain(further).chain(named).collect()
}

/// Returns the messages of a talk that name the reader, the newest first: the places to look at.
fn named_in<'a>(
    ranked: &'a Ranked<'_>,
    reader: &'a Reader<'_>,
) -> impl Iterator<Item = ThreadRef> + 'a {
    let topic = ranked.news.topic;
    let is_talk = topic.thread.kind == ThreadKind::Conversation;
    let named = ranked.news.mentions.iter().rev().filter(move |_| is_talk);
    named.map(move |logged| ThreadRef {
        id: ThreadId::new(&logged.event.id.connector, &*logged.event.id.id),
        url: logged.event.url.clone(),
        label: label_of(topic, reader),
    })
}

/// Returns a topic as the list at the end names it: by the messages of a talk that name the reader, else by itself.
pub fn thread_refs(ranked: &Ranked<'_>, reader: &Reader<'_>) -> Vec<ThreadRef> {
    let named: Vec<ThreadRef> = named_in(ranked, reader).take(NAMED_A_TALK).collect();
    if !named.is_empty() {
        return named;
    }
    let topic = ranked.news.topic;
    vec![ThreadRef {
        id: topic.thread.id.clone(),
        url: topic.thread.url.clone(),
        label: label_of(topic, reader),
    }]
}

fn headline_of(ranked: &Ranked<'_>, reader: &Reader<'_>, words: usize) -> String {
    let news = &ranked.news;
    let title = title_of(ranked, words);
    let name = |logged: Option<&&Logged>| {
        logged
            .and_then(|logged| logged.event.author.as_ref())
            .map(|author| reader.roster.name_of(author))
    };
    let lead = match ranked.kind {
        ItemKind::Ask => {
            let asker = news
                .asks
                .first()
                .map(|ask| reader.roster.name_of(&ask.ask.from));
            let what = if ranked.reasons.contains(&Reason::ReviewRequested) {
                "asks you for a review"
            } else {
                "asks you"
            };
            asker
                .map(|asker| format!("{asker} {what}"))
                .or_else(|| Some("your review is asked for".to_owned()))
        }
        ItemKind::Mention => name(news.mentions.first().or(news.old_mentions.first()))
            .map(|author| format!("{author} names you")),
        ItemKind::Decision => Some("decided".to_owned()),
        ItemKind::Blocker => Some("blocked".to_owned()),
        _ => None,
    };
    match (lead, title.is_empty()) {
        (Some(lead), true) => lead,
        (Some(lead), false) => format!("{lead} · {title}"),
        (None, false) => title,
        (None, true) => voices(ranked, reader),
    }
}

/// Returns a topic's title, or for talk without one the first words that were said; nothing where the line says it
/// already: in the label of a mail, or in the quote of the message that began the talk.
fn title_of(ranked: &Ranked<'_>, words: usize) -> String {
    let topic = ranked.news.topic;
    if !topic.thread.title.is_empty() {
        return if is_ticket(topic) {
            first_words(&topic.thread.title, words)
        } else {
            String::new()
        };
    }
    let opening = topic
        .events
        .iter()
        .find(|logged| logged.event.kind.is_said() && !logged.is_removed);
    match opening {
        Some(opening) if !is_quoted_first(ranked, opening) => {
            opening_words(&opening.event.text.0, words)
        }
        _ => String::new(),
    }
}

/// Returns whether a message is the one that the line quotes anyway.
fn is_quoted_first(ranked: &Ranked<'_>, logged: &Logged) -> bool {
    let news = &ranked.news;
    match (news.asks.first(), news.mentions.first()) {
        (Some(ask), _) => ask.seq == logged.seq,
        (None, Some(named)) => named.seq == logged.seq,
        (None, None) => news.new.last().is_some_and(|last| last.seq == logged.seq),
    }
}

/// Returns the first words of a message, without the names it calls and `:emoji:` codes.
fn opening_words(text: &str, words: usize) -> String {
    let Some(range) = first_good_sentence(text) else {
        return String::new();
    };
    let opening = quote(text, said_in(text, range, &[], words + 4), words + 4);
    let is_code = |word: &&str| word.len() > 2 && word.starts_with(':') && word.ends_with(':');
    let kept: Vec<&str> = opening
        .text
        .split(' ')
        .filter(|word| !is_code(word))
        .collect();
    let is_cut = opening.is_cut || kept.len() > words;
    let kept = kept[..kept.len().min(words)].join(" ");
    if is_cut { format!("{kept}…") } else { kept }
}

fn first_words(text: &str, words: usize) -> String {
    let cut = quote(text, 0..text.len(), words);
    if cut.is_cut {
        format!("{}…", cut.text)
    } else {
        cut.text
    }
}

fn voices(ranked: &Ranked<'_>, reader: &Reader<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    for logged in &ranked.news.new {
        let Some(author) = &logged.event.author else {
            continue;
        };
        let name = reader.roster.name_of(author);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.truncate(3);
    names.join(", ")
}

/// Returns whether an ask is to a group.
pub fn is_to_group(asked: &Asked) -> bool {
    matches!(asked, Asked::Group)
}
