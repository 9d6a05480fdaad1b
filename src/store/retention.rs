//! Forgetting what is older than a team wants to keep.
//!
//! An event that expires is treated as if its source had deleted it: a `Deleted` event follows in the log, so that the
//! index lets go of its passages too. Its row stays without words, so that a source that still has it is not read as news.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::events::{self, Placing};
use super::{micros, moment};
use crate::model::{ConnectorId, Event, EventId, EventKind, Handle, Markdown, Seq, ThreadId};

/// Forgets the words of up to `limit` events of a connector that happened before a moment; returns how many. What is still
/// asked for or still open stays: the open tickets of a tracker keep the text they were opened with.
pub fn expire(
    c: &Connection,
    connector: &ConnectorId,
    before: Timestamp,
    limit: usize,
) -> Result<usize> {
    let expired = found(
        c,
        "e.connector = ?1 AND e.occurred_at < ?2
         AND NOT (e.kind = 'opened' AND t.ticket IS NOT NULL AND NOT coalesce(t.ticket ->> 'closed', 0))
         ORDER BY e.seq LIMIT ?3",
        params![connector.as_str(), micros(before), limit],
    )?;
    for gone in &expired {
        // It is no news that something old is gone.
        let (at, suffix) = (moment(gone.occurred_at), "expired");
        remove(c, connector, gone, at, suffix)?;
    }
    Ok(expired.len())
}

/// Forgets the words of everything an account wrote; returns how many events that were.
pub fn forget_author(c: &Connection, author: &Handle, now: Timestamp) -> Result<usize> {
    let own = params![author.connector.as_str(), &*author.id];
    let written = found(c, "e.connector = ?1 AND e.author = ?2 ORDER BY e.seq", own)?;
    for gone in &written {
        remove(
            c,
            &author.connector,
            gone,
            now.min(moment(gone.occurred_at)),
            "forgotten",
        )?;
    }
    Ok(written.len())
}

/// Something that was said and is to be forgotten.
struct Gone {
    seq: u64,
    id: String,
    tid: u64,
    topic: u64,
    occurred_at: i64,
    thread: String,
}

/// Returns what was said and is still there, under a condition.
fn found(c: &Connection, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Gone>> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT e.seq, e.id, e.tid, e.topic, e.occurred_at, t.id FROM events e JOIN threads t USING (tid)
         WHERE e.removed = 0 AND e.kind IN ('posted', 'opened') AND {condition}"
    ))?;
    let rows = statement.query_map(values, |row| {
        Ok(Gone {
            seq: row.get(0)?,
            id: row.get(1)?,
            tid: row.get(2)?,
            topic: row.get(3)?,
            occurred_at: row.get(4)?,
            thread: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Takes the words of an event away, as if its source had deleted it; learned at the given moment.
fn remove(
    c: &Connection,
    connector: &ConnectorId,
    gone: &Gone,
    learned: Timestamp,
    suffix: &str,
) -> Result<()> {
    let of = EventId::new(connector, gone.id.as_str());
    let event = Event {
        id: EventId::new(connector, format!("{}~{suffix}", gone.id)),
        thread: ThreadId::new(connector, gone.thread.as_str()),
        kind: EventKind::Deleted { of },
        author: None,
        occurred_at: moment(gone.occurred_at),
        text: Markdown::default(),
        aside: String::new(),
        mentions: Vec::new(),
        url: String::new(),
        audience: None,
        by_bot: true,
    };
    let placing = Placing {
        tid: gone.tid,
        topic: gone.topic,
        of_seq: Some(Seq(gone.seq)),
        learned,
    };
    events::append(c, &event, placing)?;
    events::remove_text(c, Seq(gone.seq))
}

/// Forgets what briefings said and what they were made of, from before a moment; that they were sent stays known.
pub fn expire_deliveries(c: &Connection, before: Timestamp) -> Result<usize> {
    let emptied = c.execute(
        "UPDATE deliveries SET body = '', cited = '[]' WHERE settled_at < ?1 AND body <> ''",
        [micros(before)],
    )?;
    super::quoted::prune(c)?;
    c.execute("DELETE FROM gaps WHERE seen_at < ?1", [micros(before)])?;
    c.execute("DELETE FROM skips WHERE seen_at < ?1", [micros(before)])?;
    Ok(emptied)
}
