//! Brings the index up to the log: every step after the position it has applied, as passages.

use anyhow::Result;
use daybrief_index::{Index, Op, Passage};
use rusqlite::Connection;

use crate::model::{EventKind, Logged, Seq, Thread};
use crate::roster::Roster;
use crate::store::followers::{Step, step_at, steps_after};
use crate::store::{Store, events};
use crate::text::safe;

/// How many steps of the log go into one commit of the index.
const BATCH: usize = 4_000;

/// Applies what the log has and the index has not; returns how many steps that were.
///
/// # Errors
/// When the store cannot be read or the index not be written; what was committed stays.
pub fn follow(
    store: &Store,
    index: &Index,
    roster: &Roster,
    mut seen: impl FnMut(u64, u64),
) -> Result<usize> {
    let last = store.read_now(events::last_seq)?;
    if index.applied() > last {
        // Another log, or one that was restored from an older backup.
        index.rebuild(std::iter::empty())?;
    }
    let first = index.applied();
    let mut count = 0;
    loop {
        let after = index.applied();
        let (ops, upto, steps) = store.read_now(|c| {
            let steps = steps_after(c, after, BATCH)?;
            let upto = steps.last().map(|step| step.logged.seq);
            let mut ops = Vec::with_capacity(steps.len());
            for step in &steps {
                ops.extend(ops_of(c, step, roster)?);
            }
            Ok((ops, upto, steps.len()))
        })?;
        let Some(upto) = upto else { return Ok(count) };
        index.apply(&ops, upto)?;
        count += steps;
        seen(upto.0 - first.0, last.0.saturating_sub(first.0));
    }
}

/// Returns what one step changes in the index.
fn ops_of(c: &Connection, step: &Step, roster: &Roster) -> Result<Vec<Op>> {
    let logged = &step.logged;
    Ok(match &logged.event.kind {
        EventKind::Posted | EventKind::Opened => {
            put(&step.thread, logged, roster).into_iter().collect()
        }
        EventKind::Edited { of } | EventKind::Deleted { of } => {
            let Some(base) = events::find_event(c, of)? else {
                return Ok(Vec::new());
            };
            let base = step_at(c, base.seq)?;
            base.map(|base| put_or_delete(&base, roster))
                .into_iter()
                .collect()
        }
        kind if kind.is_state_change() => {
            // The passage that opened the ticket carries its status and owner.
            let opened = events::first_of_thread(c, step.tid)?;
            opened
                .and_then(|opened| put(&step.thread, &opened, roster))
                .into_iter()
                .collect()
        }
        _ => Vec::new(),
    })
}

fn put_or_delete(step: &Step, roster: &Roster) -> Op {
    put(&step.thread, &step.logged, roster)
        .unwrap_or_else(|| Op::DeleteEvent(step.logged.event.id.to_string()))
}

/// Returns the passage of an event; none where there is nothing to find.
fn put(thread: &Thread, logged: &Logged, roster: &Roster) -> Option<Op> {
    let event = &logged.event;
    if logged.is_removed || (event.text.0.trim().is_empty() && event.kind != EventKind::Opened) {
        return None;
    }
    let ticket = thread
        .ticket
        .as_ref()
        .filter(|_| event.kind == EventKind::Opened);
    let names = |handle: &crate::model::Handle| roster.names_of(handle);
    let mut labels: Vec<String> = ticket
        .map(|ticket| ticket.labels.clone())
        .unwrap_or_default();
    labels.extend(
        ticket
            .iter()
            .flat_map(|ticket| ticket.components.iter().cloned()),
    );
    labels.extend(ticket.map(|ticket| ticket.key.clone()));
    Some(Op::Put(Passage {
        id: event.id.to_string(),
        event: event.id.to_string(),
        thread: thread.id.to_string(),
        connector: thread.id.connector.to_string(),
        kind: thread.kind.as_str().to_owned(),
        space: thread.space.as_ref().map(|space| roster.space_name(space)),
        // What no reader may see, nobody finds: whole escape sequences, not only the characters that begin them.
        title: safe(&thread.title).into_owned(),
        text: safe(&event.text.0).into_owned(),
        authors: event.author.as_ref().map(names).unwrap_or_default(),
        labels,
        status: ticket.map(|ticket| ticket.status.clone()),
        assignees: ticket
            .and_then(|ticket| ticket.assignee.as_ref())
            .map(names)
            .unwrap_or_default(),
        language: None,
        audience: logged.audience,
        occurred_at: event.occurred_at,
    }))
}

/// Returns the position up to which nothing is missing from the index.
pub fn is_behind(store: &Store, applied: Seq) -> Result<bool> {
    Ok(store.read_now(events::last_seq)? > applied)
}
