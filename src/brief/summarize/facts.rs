//! What a line says of a change without anybody's words: states, counts, languages.

use jiff::Timestamp;

use super::{Lengths, opening_words};
use crate::brief::changes::is_ticket;
use crate::brief::rank::{Ranked, Reader};
use crate::model::{EventKind, Logged, Reason, ThreadKind, Topic};
use crate::text::language;

/// Returns what changed, as facts: the state before and after, and how much was said by whom.
pub(super) fn facts_of(ranked: &Ranked<'_>, reader: &Reader<'_>) -> String {
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
pub(super) fn brief_fact(ranked: &Ranked<'_>, lengths: Lengths) -> String {
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
pub(super) fn asked_by(ranked: &Ranked<'_>, reader: &Reader<'_>) -> String {
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
pub(super) fn cited_facts<'a>(ranked: &'a Ranked<'_>) -> impl Iterator<Item = &'a Logged> {
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
