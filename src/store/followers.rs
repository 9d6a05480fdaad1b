//! What followers of the log read: every change after a position, ready to be indexed.

use anyhow::Result;
use rusqlite::{Connection, params};

use super::events::{SELECT_LOGGED, logged_from_row, thread};
use crate::model::{Logged, Seq, Thread};

/// One step of the log for a follower.
#[derive(Clone, Debug)]
pub struct Step {
    /// The event.
    pub logged: Logged,
    /// Its own thread's number.
    pub tid: u64,
    /// Its thread.
    pub thread: Thread,
}

/// Returns the steps after a position, oldest first, at most `limit`.
pub fn steps_after(c: &Connection, after: Seq, limit: usize) -> Result<Vec<Step>> {
    let mut statement = c.prepare_cached(&format!(
        "{} WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2",
        SELECT_LOGGED.replacen("SELECT ", "SELECT /* follower */ ", 1)
    ))?;
    let mut rows = statement.query(params![after.0, limit as i64])?;
    let mut logged = Vec::new();
    while let Some(row) = rows.next()? {
        logged.push(logged_from_row(row)?);
    }
    drop(rows);
    let mut tid_of = c.prepare_cached("SELECT tid FROM events WHERE seq = ?1")?;
    let mut steps: Vec<Step> = Vec::with_capacity(logged.len());
    for logged in logged {
        let tid: u64 = tid_of.query_row([logged.seq.0], |row| row.get(0))?;
        let known = steps
            .iter()
            .rev()
            .take(50)
            .find(|step| step.tid == tid)
            .map(|step| step.thread.clone());
        let thread = match known {
            Some(thread) => Some(thread),
            None => thread(c, tid)?,
        };
        if let Some(thread) = thread {
            steps.push(Step {
                logged,
                tid,
                thread,
            });
        }
    }
    Ok(steps)
}

/// Which neighbor of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The one before it.
    Before,
    /// The one after it.
    After,
}

/// Returns what was said right before or after an event in the same topic to the very same readers, as it is now.
///
/// # Errors
/// When the store cannot be read.
pub fn beside(c: &Connection, logged: &Logged, which: Beside) -> Result<Option<Logged>> {
    let (than, order) = match which {
        Beside::Before => ("<", "DESC"),
        Beside::After => (">", "ASC"),
    };
    let mut statement = c.prepare_cached(&format!(
        "{SELECT_LOGGED} WHERE e.topic = (SELECT topic FROM events WHERE seq = ?1) AND (e.occurred_at, e.seq) {than} (?2, ?1)
           AND e.kind IN ('posted', 'opened') AND NOT e.removed AND coalesce(e.audience, t.audience) = ?3
         ORDER BY e.occurred_at {order}, e.seq {order} LIMIT 1"
    ))?;
    let mut rows = statement.query(params![
        logged.seq.0,
        logged.event.occurred_at.as_microsecond(),
        logged.audience.0
    ])?;
    rows.next()?.map(logged_from_row).transpose()
}

/// Returns everything that was said in a thread, oldest position first.
///
/// # Errors
/// When the store cannot be read.
pub fn said_in(c: &Connection, tid: u64) -> Result<Vec<Logged>> {
    let mut statement = c.prepare_cached(&format!(
        "{SELECT_LOGGED} WHERE e.tid = ?1 AND e.kind IN ('posted', 'opened') ORDER BY e.seq"
    ))?;
    let mut rows = statement.query([tid])?;
    let mut said = Vec::new();
    while let Some(row) = rows.next()? {
        said.push(logged_from_row(row)?);
    }
    Ok(said)
}

/// Returns the event at a position with its thread, as both are now.
pub fn step_at(c: &Connection, seq: Seq) -> Result<Option<Step>> {
    Ok(steps_after(c, Seq(seq.0.saturating_sub(1)), 1)?
        .into_iter()
        .find(|step| step.logged.seq == seq))
}
