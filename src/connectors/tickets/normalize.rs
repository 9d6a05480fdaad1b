//! A ticket's line as a thread and its events.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use serde_json::Value;

use super::wire::{Change, Row, date, time};
use crate::connectors::files::link::Link;
use crate::connectors::files::{bare_event, tolerant};
use crate::model::{
    Audience, ConnectorId, Event, EventId, EventKind, Handle, Markdown, Person, Space, SpaceId,
    Thread, ThreadId, ThreadKind, Ticket,
};

/// What a line says.
#[derive(Clone, Debug)]
pub struct Normalized {
    /// The ticket.
    pub thread: Thread,
    /// Its opening, comments and changes, oldest first.
    pub events: Vec<Event>,
    /// Its project.
    pub space: Option<Space>,
    /// Everybody it names.
    pub people: Vec<Person>,
    /// What was odd about the line; nothing of it is lost.
    pub notes: Vec<String>,
}

/// Returns a line as a thread and its events; `fallback` stands in where the line has no time at all.
///
/// # Errors
/// When the line has no id.
pub fn normalize(
    row: &Row,
    id: &ConnectorId,
    url: &Link,
    fallback: Timestamp,
) -> Result<Normalized, String> {
    if row.id.is_empty() {
        return Err("a line without an `id` is no ticket".to_owned());
    }
    let mut notes = Vec::new();
    let url = if row.url.starts_with("https://") || row.url.starts_with("http://") {
        row.url.clone()
    } else {
        url.fill(&[("id", &row.id)])
    };
    let handle = |login: &Option<String>| login.as_deref().map(|login| Handle::new(id, login));
    let project = row
        .project
        .as_ref()
        .or(row.product.as_ref())
        .map(|name| Space {
            id: SpaceId::new(id, name.as_str()),
            name: name.clone(),
            members: None,
        });
    let thread_id = ThreadId::new(id, row.id.as_str());
    let thread = Thread {
        id: thread_id.clone(),
        kind: ThreadKind::Ticket,
        space: project.as_ref().map(|space| space.id.clone()),
        title: row.title.trim().to_owned(),
        url: url.clone(),
        audience: Audience::Everyone,
        participants: row
            .cc
            .iter()
            .map(|login| Handle::new(id, login.as_str()))
            .collect(),
        ticket: Some(Ticket {
            key: row.id.clone(),
            kind: row.kind.clone(),
            status: row.status.clone(),
            is_closed: is_closed(row),
            priority: row.priority.clone(),
            reporter: handle(&row.reporter).or(handle(&row.creator)),
            assignee: handle(&row.assignee),
            reviewers: row
                .reviewers
                .iter()
                .map(|login| Handle::new(id, login.as_str()))
                .collect(),
            labels: row.labels.clone(),
            components: row.component.clone(),
            due: date(&row.due),
            duplicate_of: row.duplicate_of.clone(),
        }),
    };
    if thread
        .ticket
        .as_ref()
        .is_some_and(|ticket| ticket.due.is_none())
        && !row.due.is_empty()
    {
        notes.push("`due` is no date; it was left out".to_owned());
    }

    let event = |event_id: String, kind, at, author: &Option<String>, text: &str| Event {
        author: handle(author),
        text: Markdown(text.trim_end().to_owned()),
        url: url.clone(),
        ..bare_event(EventId::new(id, event_id), thread_id.clone(), kind, at)
    };
    let opened_at = time(&row.created_at).unwrap_or_else(|| {
        let what = if row.created_at.is_empty() {
            "is missing"
        } else {
            "is no time"
        };
        let earliest = earliest(row);
        let stand_in = if earliest.is_some() {
            "the earliest time that the ticket names"
        } else {
            "the file's own time"
        };
        notes.push(format!("`created_at` {what}; {stand_in} stands in"));
        earliest.unwrap_or(fallback)
    });
    let author = if row.reporter.is_some() {
        &row.reporter
    } else {
        &row.creator
    };
    let mut opened = event(
        row.id.clone(),
        EventKind::Opened,
        opened_at,
        author,
        &row.body,
    );
    opened.aside = row.environment.trim().to_owned();
    let mut events = vec![opened];

    let mut ids = HashSet::new();
    let mut last = opened_at;
    for (number, comment) in (1..).zip(&row.comments) {
        let mut comment_id = match &comment.id {
            Some(own) if own.starts_with(&row.id) => own.clone(),
            Some(own) => format!("{}-c{own}", row.id),
            None => format!("{}-c{number}", row.id),
        };
        if !ids.insert(comment_id.clone()) {
            notes.push(format!(
                "comment {number} has the id of another comment; it got one of its own"
            ));
            comment_id = format!("{}-c{number}+{number}", row.id);
        }
        let at = time(&comment.at).unwrap_or_else(|| {
            notes.push(format!(
                "comment {number} has no time; the time before it stands in"
            ));
            last
        });
        last = at;
        events.push(event(
            comment_id,
            EventKind::Posted,
            at,
            &comment.author,
            &comment.text,
        ));
    }

    let changes = changes(row, &mut notes, id);
    let is_told = told_resolution(row, &changes);
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for (at, change, kind) in changes {
        let base = format!("{}@{at}#{}", row.id, change.field);
        let count = counts
            .entry(base.clone())
            .and_modify(|count| *count += 1)
            .or_insert(1);
        let change_id = if *count == 1 {
            base
        } else {
            format!("{base}.{count}")
        };
        events.push(event(change_id, kind, at, &change.by, ""));
    }
    if let Some(at) = time(&row.resolved_at).filter(|_| !is_told && is_closed(row)) {
        let to = if row.status.is_empty() {
            row.resolution.clone()
        } else {
            row.status.clone()
        };
        events.push(event(
            format!("{}@{at}", row.id),
            EventKind::Transitioned { from: None, to },
            at,
            &None,
            "",
        ));
    }
    events.sort_by_key(|event| event.occurred_at);
    Ok(Normalized {
        thread,
        people: people(row, &events),
        space: project,
        events,
        notes,
    })
}

/// Returns whether the ticket counts as done.
fn is_closed(row: &Row) -> bool {
    const OPEN: [&str; 4] = ["open", "reopened", "new", "in progress"];
    const CLOSED: [&str; 23] = [
        "closed",
        "done",
        "resolved",
        "fixed",
        "verified",
        "merged",
        "rejected",
        "wontfix",
        "wont fix",
        "won't fix",
        "won't do",
        "cancelled",
        "canceled",
        "invalid",
        "duplicate",
        "completed",
        "complete",
        "declined",
        "released",
        "abandoned",
        "obsolete",
        "shipped",
        "not planned",
    ];
    const UNRESOLVED: [&str; 5] = ["", "unresolved", "none", "---", "open"];
    let status = row.status.trim().to_lowercase().replace('_', " ");
    if CLOSED.contains(&status.as_str()) {
        return true;
    }
    // A reopened ticket may keep the time and the word of its first resolution.
    if OPEN.contains(&status.as_str()) {
        return false;
    }
    !row.resolved_at.is_empty()
        || !UNRESOLVED.contains(&row.resolution.trim().to_lowercase().as_str())
}

/// Returns the changes that have a kind of event, with their times.
fn changes<'a>(
    row: &'a Row,
    notes: &mut Vec<String>,
    id: &ConnectorId,
) -> Vec<(Timestamp, &'a Change, EventKind)> {
    let mut changes = Vec::new();
    for (number, change) in (1..).zip(&row.events) {
        let Some(kind) = kind_of(change, id) else {
            continue;
        };
        match time(&change.at) {
            Some(at) => changes.push((at, change, kind)),
            None => notes.push(format!(
                "change {number} of the history has no time; it was left out"
            )),
        }
    }
    // A resolution that comes with a change of status says the same once more.
    let statuses: BTreeSet<Timestamp> = changes
        .iter()
        .filter(|(_, change, _)| change.field == "status")
        .map(|(at, ..)| *at)
        .collect();
    changes.retain(|(at, change, _)| change.field != "resolution" || !statuses.contains(at));
    changes
}

fn kind_of(change: &Change, id: &ConnectorId) -> Option<EventKind> {
    let (from, to) = (
        tolerant::text_of(change.from.clone()),
        tolerant::text_of(change.to.clone()),
    );
    let handle = |login: Option<String>| login.map(|login| Handle::new(id, login));
    Some(match change.field.to_lowercase().as_str() {
        "assignee" => EventKind::Assigned {
            from: handle(from),
            to: handle(to),
        },
        "status" | "resolution" => EventKind::Transitioned { from, to: to? },
        "priority" => EventKind::Prioritized { from, to },
        "due" | "due_date" | "duedate" => EventKind::Rescheduled {
            from: from.as_deref().and_then(date),
            to: to.as_deref().and_then(date),
        },
        "labels" | "label" | "keywords" => {
            let (before, after) = (words(&change.from), words(&change.to));
            let added: Vec<String> = after.difference(&before).cloned().collect();
            let removed: Vec<String> = before.difference(&after).cloned().collect();
            if added.is_empty() && removed.is_empty() {
                return None;
            }
            EventKind::Labelled { added, removed }
        }
        "reviewer" | "reviewers" | "review_requested" => {
            EventKind::ReviewRequested { of: handle(to)? }
        }
        _ => return None,
    })
}

/// Returns the labels of a value: a list, or words between commas or blanks.
fn words(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items
            .iter()
            .cloned()
            .filter_map(tolerant::text_of)
            .collect(),
        other => {
            let text = tolerant::text_of(other.clone()).unwrap_or_default();
            let separator = if text.contains(',') { ',' } else { ' ' };
            text.split(separator)
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        }
    }
}

/// Returns whether the history tells of the resolution that `resolved_at` is about.
fn told_resolution(row: &Row, changes: &[(Timestamp, &Change, EventKind)]) -> bool {
    const NEAR_SECS: u64 = 60;
    let Some(resolved_at) = time(&row.resolved_at) else {
        return false;
    };
    let transitions = || {
        changes.iter().filter_map(|(at, _, kind)| match kind {
            EventKind::Transitioned { to, .. } => Some((*at, to)),
            _ => None,
        })
    };
    let is_near = |at: Timestamp| at.as_second().abs_diff(resolved_at.as_second()) <= NEAR_SECS;
    let is_last_word = transitions()
        .max_by_key(|(at, _)| *at)
        .is_some_and(|(_, to)| to.eq_ignore_ascii_case(&row.status));
    is_last_word || transitions().any(|(at, _)| is_near(at))
}

fn earliest(row: &Row) -> Option<Timestamp> {
    let comments = row.comments.iter().map(|comment| &comment.at);
    let times = [&row.updated_at, &row.resolved_at]
        .into_iter()
        .chain(comments)
        .chain(row.events.iter().map(|change| &change.at));
    times.filter_map(|text| time(text)).min()
}

/// Returns everybody the ticket names; an assignee that is an inbox counts as a program.
fn people(row: &Row, events: &[Event]) -> Vec<Person> {
    let connector = events.first().map(|event| &event.id.connector);
    let mut people: BTreeMap<String, bool> = BTreeMap::new();
    let authors = events
        .iter()
        .filter_map(|event| event.author.as_ref())
        .map(|author| author.id.to_string());
    let named = [&row.reporter, &row.creator]
        .into_iter()
        .flatten()
        .chain(&row.cc)
        .chain(&row.reviewers)
        .cloned();
    authors.chain(named).for_each(|login| {
        people.insert(login, false);
    });
    if let Some(assignee) = &row.assignee {
        people.insert(assignee.clone(), row.assignee_placeholder);
    }
    let person = |(login, is_bot): (String, bool)| Person {
        handle: connector.map(|connector| Handle::new(connector, login.as_str())),
        name: login,
        is_bot,
        ..Person::default()
    };
    people.into_iter().map(person).collect()
}
