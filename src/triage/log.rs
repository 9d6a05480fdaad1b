//! A tracker's past from our own log.

use std::collections::{BTreeSet, HashMap};

use crate::model::{EventKind, Handle, Seq};
use crate::roster::Roster;
use crate::store::tickets::{TicketEvent, TicketRow};

use super::model::{Opened, tally::Seconds};
use super::owners::Owners;
use super::past::{Accounts, Order, Past, Step, place_of};

/// Returns the name under which an account is learned: of a member with several, the first one.
pub fn account_of(handle: &Handle, roster: &Roster) -> String {
    roster
        .member_of(handle)
        .and_then(|member| member.handles.get(&handle.connector)?.first())
        .unwrap_or(handle)
        .id
        .to_string()
}

/// Returns a ticket as it stands now, to be looked at as if it were opened `at` this instant.
pub fn opened_of(
    row: &TicketRow,
    text: &str,
    roster: &Roster,
    owners: &Owners,
    at: Seconds,
) -> Opened {
    let account =
        |handle: &Option<Handle>| handle.as_ref().map(|handle| account_of(handle, roster));
    Opened {
        id: row.id.clone(),
        project: row.project.clone().unwrap_or_default(),
        kind: row.ticket.kind.clone(),
        title: row.title.clone(),
        body: text.to_owned(),
        reporter: account(&row.ticket.reporter),
        components: row.ticket.components.clone(),
        labels: row.ticket.labels.clone(),
        first_owner: account(&row.ticket.assignee),
        is_unowned: row.ticket.assignee.is_none(),
        path_owners: owners
            .of_text(text)
            .into_iter()
            .map(|(owner, path)| (account_named(&owner, row, roster), path))
            .collect(),
        at,
    }
}

/// Returns the account of somebody whom the owners file names: by a member's id, or as the tracker calls them.
fn account_named(owner: &str, row: &TicketRow, roster: &Roster) -> String {
    let connector = row
        .ticket
        .reporter
        .as_ref()
        .or(row.ticket.assignee.as_ref());
    let Some(connector) = connector.map(|handle| &handle.connector) else {
        return owner.to_owned();
    };
    let member = roster
        .members
        .iter()
        .find(|member| member.id.as_str() == owner);
    let own = member.and_then(|member| member.handles.get(connector)?.first());
    let named = Handle::new(connector, owner);
    account_of(own.unwrap_or(&named), roster)
}

/// Returns what became known of the tickets and when. An owner whose assignment the source does not tell counts from the
/// end of the ticket, or from the last thing that happened to it: late, never early.
pub fn past_of(
    tickets: &[TicketRow],
    lives: &[TicketEvent],
    roster: &Roster,
    owners: &Owners,
) -> Past {
    let mut by_tid: HashMap<u64, Vec<&TicketEvent>> = HashMap::new();
    for event in lives {
        by_tid.entry(event.tid).or_default().push(event);
    }
    let mut accounts = Accounts::default();
    let mut bots = BTreeSet::new();
    let mut steps = Vec::new();
    for row in tickets {
        let life = by_tid.get(&row.tid).map_or(&[][..], Vec::as_slice);
        let Some(opening) = life.iter().find(|event| event.kind == EventKind::Opened) else {
            continue;
        };
        let at = opening.at.as_second();
        steps.push((
            at,
            Order::Opening,
            Step::Opened(Box::new(first_state(row, life, opening, roster, owners))),
        ));
        for event in life {
            let Some(author) = &event.author else {
                continue;
            };
            let by = account_of(author, roster);
            accounts.does(&by);
            if roster.is_bot(author) {
                bots.insert(by);
                continue;
            }
            let id = row.id.clone();
            let step = match event.kind {
                EventKind::Opened => continue,
                EventKind::Posted => Step::Commented { id, by },
                _ => Step::Acted { by },
            };
            let (at, order) = place_of(event.at.as_second(), at);
            steps.push((at, order, step));
        }
        if let (Some(of), Some(closing)) = (&row.ticket.duplicate_of, life.last()) {
            let (at, order) = place_of(closing.at.as_second(), at);
            let (id, of) = (row.id.clone(), of.clone());
            steps.push((at, order, Step::Repeats { id, of }));
        }
        if let Some(owner) = &row.ticket.assignee {
            let by = account_of(owner, roster);
            accounts.owns(&by, !row.ticket.is_closed);
            if roster.is_bot(owner) {
                bots.insert(by.clone());
            }
            let (at, order) = place_of(owned_at(life, owner).as_second(), at);
            let id = row.id.clone();
            steps.push((at, order, Step::Owned { id, by }));
        }
    }
    let mut inboxes = accounts.inboxes();
    inboxes.extend(bots);
    Past::in_order(steps, inboxes)
}

/// Returns what became known of a ticket after a position of the log, oldest first.
pub fn steps_since(
    row: &TicketRow,
    life: &[TicketEvent],
    after: Seq,
    roster: &Roster,
    owners: &Owners,
) -> Vec<(Seconds, Step)> {
    let mut steps = Vec::new();
    let life: Vec<&TicketEvent> = life.iter().collect();
    let mut has_moved = false;
    for event in life.iter().filter(|event| event.seq > after) {
        let at = event.at.as_second();
        let author = event.author.as_ref();
        let by = author.map(|author| account_of(author, roster));
        match event.kind {
            EventKind::Opened => {
                let opened = first_state(row, &life, event, roster, owners);
                steps.push((at, Step::Opened(Box::new(opened))));
                has_moved = true;
                continue;
            }
            EventKind::Assigned { .. } | EventKind::Transitioned { .. } => has_moved = true,
            _ => {}
        }
        let Some(by) = by.filter(|_| !author.is_some_and(|author| roster.is_bot(author))) else {
            continue;
        };
        let id = row.id.clone();
        steps.push(match event.kind {
            EventKind::Posted => (at, Step::Commented { id, by }),
            _ => (at, Step::Acted { by }),
        });
    }
    let last = life.last().map_or(0, |event| event.at.as_second());
    if has_moved && let Some(of) = &row.ticket.duplicate_of {
        let (id, of) = (row.id.clone(), of.clone());
        steps.push((last, Step::Repeats { id, of }));
    }
    // An owner who was there from the first moment counts from the end, as in the walk through the past.
    if has_moved && let Some(owner) = &row.ticket.assignee {
        let is_told = life.iter().any(
            |event| matches!(&event.kind, EventKind::Assigned { to: Some(to), .. } if to == owner),
        );
        if is_told || row.ticket.is_closed {
            let id = row.id.clone();
            let by = account_of(owner, roster);
            let at = owned_at(&life, owner).as_second();
            steps.push((at, Step::Owned { id, by }));
        }
    }
    steps
}

/// Returns a ticket as it was opened, as far as its history tells.
fn first_state(
    row: &TicketRow,
    life: &[&TicketEvent],
    opening: &TicketEvent,
    roster: &Roster,
    owners: &Owners,
) -> Opened {
    let mut opened = opened_of(row, &opening.text, roster, owners, opening.at.as_second());
    let first_change = life.iter().find_map(|event| match &event.kind {
        EventKind::Assigned { from, .. } => Some(from.clone()),
        _ => None,
    });
    (opened.first_owner, opened.is_unowned) = match first_change {
        Some(Some(from)) => (Some(account_of(&from, roster)), false),
        Some(None) => (None, true),
        None => (None, false),
    };
    for event in life.iter().rev() {
        if let EventKind::Labelled { added, removed } = &event.kind {
            opened.labels.retain(|label| !added.contains(label));
            opened.labels.extend(removed.iter().cloned());
        }
    }
    opened
}

fn owned_at(life: &[&TicketEvent], owner: &Handle) -> jiff::Timestamp {
    let given = life.iter().rev().find(
        |event| matches!(&event.kind, EventKind::Assigned { to: Some(to), .. } if to == owner),
    );
    let moved = || {
        life.iter()
            .rev()
            .find(|event| matches!(event.kind, EventKind::Transitioned { .. }))
    };
    given
        .or_else(moved)
        .or(life.last())
        .map_or(jiff::Timestamp::MAX, |event| event.at)
}
