//! The extractive summary: for each line the facts of the change, then the first good sentence of the messages that
//! matter, word for word, with author, time and link.
//!
//! Nothing cleverer was measurably better on real threads (see the house's notes on summaries), and a quote is true by
//! construction.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::Timestamp;

use super::changes::is_ticket;
use super::rank::{Ranked, Reader};
use super::select::{Line, kind_of_group};
use crate::model::{
    Asked, BriefingItem, Citation, EventId, EventKind, ItemKind, Logged, Reason, Section, ThreadId,
    ThreadKind, ThreadRef, Topic,
};
use crate::roster::Roster;
use crate::text::{first_good_sentence, language, quote};

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
        answer_by: news.asks.first().and(ranked.answer_by),
        score: ranked.score,
    }
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
        answer_by: line
            .ranked
            .iter()
            .filter_map(|ranked| ranked.answer_by)
            .min_by_key(|answer| answer.by),
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

/// Returns what changed, as facts: the state before and after, and how much was said by whom.
fn facts_of(ranked: &Ranked<'_>, reader: &Reader<'_>) -> String {
    let news = &ranked.news;
    let mut facts = state_facts(ranked, reader);
    for reason in &ranked.reasons {
        match reason {
            Reason::DueToday => facts.push("due today".to_owned()),
            Reason::Overdue => {
                facts.extend(due_of(news.topic).map(|due| format!("overdue since {due}")))
            }
            Reason::NoMovement(days) => facts.push(format!("no movement for {days} work days")),
            _ => {}
        }
    }
    let said = news
        .new
        .iter()
        .filter(|logged| logged.event.kind == EventKind::Posted)
        .count();
    if said > 1 {
        let word = if is_ticket(news.topic) {
            "comments"
        } else {
            "messages"
        };
        facts.push(format!(
            "{said} {word} by {}",
            if news.voices == 1 {
                "one".to_owned()
            } else {
                news.voices.to_string()
            }
        ));
    }
    if let Some(language) = foreign_language(ranked, reader) {
        facts.push(format!("in {language}"));
    }
    if ranked.is_carried
        && let Some(ask) = news.asks.first()
    {
        let date = ask.ask.asked_at.to_zoned(reader.member.time_zone.clone());
        facts.push(format!("open since {}", date.strftime("%a %-d %b")));
    }
    facts.join(" · ")
}

/// Returns the language of the message that a line is about, if it is surely none that the reader reads.
fn foreign_language(ranked: &Ranked<'_>, reader: &Reader<'_>) -> Option<&'static str> {
    let news = &ranked.news;
    let asking = news.asks.first().and_then(|ask| {
        let mut events = news.topic.events.iter();
        events.find(|logged| logged.seq == ask.seq)
    });
    let about = asking.or(news.mentions.first().copied()).or_else(|| {
        news.new
            .iter()
            .rev()
            .find(|logged| logged.event.kind.is_said())
            .copied()
    })?;
    let code = language::foreign_to(&about.event.text.0, &reader.member.languages)?;
    language::name_of(code)
}

fn due_of(topic: &Topic) -> Option<jiff::civil::Date> {
    topic.thread.ticket.as_ref().and_then(|ticket| ticket.due)
}

fn state_facts(ranked: &Ranked<'_>, reader: &Reader<'_>) -> Vec<String> {
    let local = |at: Timestamp| {
        at.to_zoned(reader.member.time_zone.clone())
            .strftime("%a %H:%M")
            .to_string()
    };
    let name = |handle: &Option<crate::model::Handle>| {
        handle.as_ref().map(|handle| reader.roster.name_of(handle))
    };
    let mut facts = Vec::new();
    for logged in &ranked.news.new {
        let by = name(&logged.event.author)
            .map(|by| format!(" by {by}"))
            .unwrap_or_default();
        let at = local(logged.event.occurred_at);
        match &logged.event.kind {
            EventKind::Opened if is_ticket(ranked.news.topic) => facts.push(format!("new{by}")),
            EventKind::Transitioned { to, .. } => {
                facts.push(format!("{}{by} {at}", crate::text::safe(to)))
            }
            EventKind::Assigned { to, .. } => {
                facts.push(
                    name(to).map_or("owner taken off".to_owned(), |to| format!("now {to}’s{by}")),
                );
            }
            EventKind::Prioritized { to: Some(to), .. } => {
                facts.push(format!("priority {}", crate::text::safe(to)))
            }
            EventKind::Rescheduled { to: Some(to), .. } => facts.push(format!("due {to}")),
            _ => {}
        }
    }
    // The last word on a field is the one that counts; three facts are enough for a line.
    let over = facts.len().saturating_sub(3);
    facts.drain(..over);
    facts
}

/// Returns the two or three words that tell what happened, for a shared line.
fn brief_fact(ranked: &Ranked<'_>, lengths: Lengths) -> String {
    let news = &ranked.news;
    if news.topic.thread.kind == ThreadKind::Conversation && lengths.shared_title > 0 {
        // Many talks have the same channel for a label; the first words tell them apart.
        let opening = news
            .topic
            .events
            .iter()
            .find(|logged| logged.event.kind.is_said() && !logged.is_removed);
        return opening
            .map(|logged| opening_words(&logged.event.text.0, lengths.shared_title))
            .unwrap_or_default();
    }
    let state = news
        .new
        .iter()
        .rev()
        .find_map(|logged| match &logged.event.kind {
            EventKind::Transitioned { to, .. } => Some(crate::text::safe(to).into_owned()),
            EventKind::Assigned { .. } => Some("new owner".to_owned()),
            _ => None,
        });
    let said = news
        .new
        .iter()
        .filter(|logged| logged.event.kind == EventKind::Posted)
        .count();
    match (state, said) {
        (Some(state), _) => state,
        (None, _)
            if news
                .new
                .iter()
                .any(|logged| logged.event.kind == EventKind::Opened) =>
        {
            String::new()
        }
        (None, 0) => String::new(),
        (None, said) => format!("+{said}"),
    }
}

/// Returns who asked and when, for a line that older asks share.
fn asked_by(ranked: &Ranked<'_>, reader: &Reader<'_>) -> String {
    let Some(ask) = ranked.news.asks.first() else {
        return String::new();
    };
    let date = ask.ask.asked_at.to_zoned(reader.member.time_zone.clone());
    format!(
        "{}, {}",
        reader.roster.name_of(&ask.ask.from),
        date.strftime("%a %-d %b")
    )
}

/// Returns the events that a line's facts rest on, the weightiest first.
fn cited_facts<'a>(ranked: &'a Ranked<'_>) -> impl Iterator<Item = &'a Logged> {
    let news = &ranked.news;
    let asked = news.asks.iter().filter_map(|ask| {
        news.topic
            .events
            .iter()
            .find(|logged| logged.seq == ask.seq)
    });
    let named = news
        .mentions
        .iter()
        .chain(&news.old_mentions)
        .chain(&news.put_off)
        .copied();
    let changed = news
        .new
        .iter()
        .rev()
        .filter(|logged| logged.event.kind.is_state_change())
        .copied();
    let rest = news.new.iter().rev().copied();
    let oldest = news
        .new
        .is_empty()
        .then(|| news.topic.events.last())
        .flatten();
    asked.chain(named).chain(changed).chain(rest).chain(oldest)
}

type Quoted<'a> = (&'a Logged, String, bool);

/// Returns the sentences a line shows, the ones that matter first, shown in the order they were said.
fn quotes_of<'a>(
    ranked: &'a Ranked<'_>,
    reader: &Reader<'_>,
    most: usize,
    words: usize,
) -> Vec<Quoted<'a>> {
    let news = &ranked.news;
    let mut chosen: Vec<(&Logged, Range<usize>)> = Vec::new();
    let mut add = |logged: &'a Logged, range: Option<Range<usize>>| {
        let is_new = !chosen.iter().any(|(other, _)| other.seq == logged.seq);
        if chosen.len() < most && is_new && logged.event.kind.is_said() {
            chosen.extend(
                range
                    .or_else(|| first_good_sentence(&logged.event.text.0))
                    .map(|range| (logged, range)),
            );
        }
    };
    for ask in &news.asks {
        if let Some(logged) = news
            .topic
            .events
            .iter()
            .find(|logged| logged.seq == ask.seq)
        {
            add(logged, Some(ask.sentence.clone()));
        }
    }
    for logged in news.mentions.iter().chain(&news.old_mentions) {
        add(logged, sentence_naming(logged));
    }
    for logged in &news.put_off {
        add(logged, None);
    }
    for (logged, sentence) in news.decisions.iter().chain(&news.blockers) {
        add(logged, Some(sentence.clone()));
    }
    let mut authors = BTreeSet::new();
    for logged in news
        .new
        .iter()
        .rev()
        .filter(|logged| authors.insert(logged.event.author.clone()))
    {
        add(logged, None);
    }
    chosen.sort_by_key(|(logged, _)| (logged.event.occurred_at, logged.seq));
    chosen
        .into_iter()
        .map(|(logged, range)| {
            let text = &logged.event.text.0;
            let called = logged.event.mentions.iter();
            let names: Vec<String> = called
                .flat_map(|handle| reader.roster.names_of(handle))
                .collect();
            let quoted = quote(text, said_in(text, range, &names, words), words);
            (logged, quoted.text, quoted.is_cut)
        })
        .filter(|(_, words, _)| !words.is_empty())
        .collect()
}

/// Returns the sentence of a message that names somebody with an `@`, if one does.
fn sentence_naming(logged: &Logged) -> Option<Range<usize>> {
    let text = &logged.event.text.0;
    crate::text::sentences(text)
        .into_iter()
        .map(|sentence| sentence.range)
        .find(|range| {
            text.get(range.clone())
                .is_some_and(|piece| piece.contains('@'))
        })
}

/// Returns the part of a sentence without the names it calls: a source may write them otherwise than we do
/// (`<@U024>`), and a quote is what stands there word for word. A name within many words that are shown stays.
fn said_in(text: &str, range: Range<usize>, names: &[String], shown: usize) -> Range<usize> {
    let Some(sentence) = text.get(range.clone()) else {
        return range;
    };
    let words = sentence.split_whitespace().count().min(shown);
    let called = sentence
        .split_whitespace()
        .take(shown)
        .filter(|word| is_call(word))
        .count();
    let calls: Vec<Range<usize>> = sentence
        .split_whitespace()
        .filter(|word| is_call(word))
        .map(|word| {
            let start = word.as_ptr() as usize - sentence.as_ptr() as usize;
            // A name may be of several words: `@Ana Lopez`.
            let long = names.iter().filter(|name| name.contains(' '));
            let long = long.filter_map(|name| {
                let end = start + 1 + name.len();
                let is_it = sentence.get(start + 1..end)?.eq_ignore_ascii_case(name);
                is_it.then_some(end)
            });
            start..long.max().unwrap_or(0).max(start + word.len())
        })
        .collect();
    let is_leading = calls.first().is_some_and(|call| call.start == 0);
    if calls.is_empty() || (!is_leading && words > 16 * called) {
        return range;
    }
    // The longest piece between two names.
    let ends = calls.iter().map(|call| call.start).chain([sentence.len()]);
    let starts = [0].into_iter().chain(calls.iter().map(|call| call.end));
    let longest = starts
        .zip(ends)
        .filter(|(start, end)| start <= end)
        .max_by_key(|(start, end)| end - start)
        .unwrap_or((0, sentence.len()));
    let piece = &sentence[longest.0..longest.1];
    let from = longest.0 + piece.len()
        - piece
            .trim_start_matches(|c: char| c.is_whitespace() || ",:;-–.".contains(c))
            .len();
    range.start + from..range.start + longest.1
}

/// Returns whether a word calls somebody by name, within brackets or not.
fn is_call(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '@');
    word.len() > 1 && word.starts_with('@')
}

/// Returns a citation of an event.
pub fn citation_of(logged: &Logged, words: String, reader: &Reader<'_>) -> Citation {
    let is_own = logged
        .event
        .author
        .as_ref()
        .is_some_and(|author| reader.member.owns(author));
    if is_own {
        return cite(logged, words, reader.roster);
    }
    citation_by(logged, words, reader.roster)
}

/// Returns a citation of an event, with everybody's names from the roster. Who does not want to be quoted is named and
/// linked, without their words.
pub fn citation_by(logged: &Logged, words: String, roster: &Roster) -> Citation {
    let author = logged.event.author.as_ref();
    let member = author.and_then(|author| roster.member_of(author));
    let words = match member {
        Some(member) if !member.is_quoted => String::new(),
        _ => words,
    };
    cite(logged, words, roster)
}

fn cite(logged: &Logged, words: String, roster: &Roster) -> Citation {
    Citation {
        event: logged.event.id.clone(),
        at: logged.event.occurred_at,
        author: logged
            .event
            .author
            .as_ref()
            .map(|author| roster.name_of(author)),
        url: logged.event.url.clone(),
        quote: words,
        is_cut: false,
    }
}

/// Returns whether an ask is to a group.
pub fn is_to_group(asked: &Asked) -> bool {
    matches!(asked, Asked::Group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_called_are_not_part_of_a_short_quote() {
        let check = |text: &str, shown: usize, expected: &str| {
            let names = ["Cy van Dam".to_owned(), "Ed @sea".to_owned()];
            let quoted = quote(text, said_in(text, 0..text.len(), &names, shown), shown);
            assert_eq!(quoted.text, expected, "{text:?}");
        };
        check("@ana, can you look?", 9, "can you look?");
        check("@cy van Dam, you too?", 9, "you too?");
        check("@Ed @sea, and you?", 9, "and you?");
        check("this is for (@ana and @bo) I think", 9, "this is for");
        let long = "Thanks, @ana & @bo - I never want to give anybody the wrong idea about how soon I need all of this";
        check(long, 8, "I never want to give anybody the wrong");
        let far = "I never want to give anybody the wrong idea about how soon I need all of this, so do ask @ana";
        check(far, 6, "I never want to give anybody");
    }
}
