//! Forgetting what is older than a team wants to keep.
//!
//! An event that expires is treated as if its source had deleted it: a `Deleted` event follows in the log, so that the
//! index lets go of its passages too. Its row stays without words, so that a source that still has it is not read as news.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::events::{self, Placing};
use super::micros;
use crate::model::{ConnectorId, Event, EventId, EventKind, Markdown, Seq, ThreadId};
use crate::store::moment;

/// Forgets the words of up to `limit` events of a connector that happened before a moment; returns how many. What is still
/// asked for or still open stays: the open tickets of a tracker keep the text they were opened with.
pub fn expire(
    c: &Connection,
    connector: &ConnectorId,
    before: Timestamp,
    limit: usize,
) -> Result<usize> {
    let mut statement = c.prepare_cached(
        "SELECT e.seq, e.id, e.tid, e.topic, e.occurred_at, t.id FROM events e JOIN threads t USING (tid)
         WHERE e.connector = ?1 AND e.occurred_at < ?2 AND e.removed = 0 AND e.kind IN ('posted', 'opened')
           AND NOT (e.kind = 'opened' AND t.ticket IS NOT NULL AND NOT coalesce(t.ticket ->> 'closed', 0))
         ORDER BY e.seq LIMIT ?3",
    )?;
    let rows = statement.query_map(params![connector.as_str(), micros(before), limit], |row| {
        Ok((
            row.get::<_, u64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, u64>(2)?,
            row.get::<_, u64>(3)?,
            row.get::<_, i64>(4)?,
            row.get::<_, String>(5)?,
        ))
    })?;
    let expired = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    for (seq, id, tid, topic, occurred_at, thread) in &expired {
        let of = EventId::new(connector, id.as_str());
        let event = Event {
            id: EventId::new(connector, format!("{id}~expired")),
            thread: ThreadId::new(connector, thread.as_str()),
            kind: EventKind::Deleted { of },
            author: None,
            occurred_at: moment(*occurred_at),
            text: Markdown::default(),
            aside: String::new(),
            mentions: Vec::new(),
            url: String::new(),
            audience: None,
            by_bot: true,
        };
        let placing = Placing {
            tid: *tid,
            topic: *topic,
            of_seq: Some(Seq(*seq)),
            // It is no news that something old is gone.
            learned: moment(*occurred_at),
        };
        events::append(c, &event, placing)?;
        events::remove_text(c, Seq(*seq))?;
    }
    Ok(expired.len())
}

/// Forgets what briefings said and what they were made of, from before a moment; that they were sent stays known.
pub fn expire_deliveries(c: &Connection, before: Timestamp) -> Result<usize> {
    let emptied = c.execute(
        "UPDATE deliveries SET body = '', cited = '[]' WHERE settled_at < ?1 AND body <> ''",
        [micros(before)],
    )?;
    c.execute("DELETE FROM gaps WHERE seen_at < ?1", [micros(before)])?;
    c.execute("DELETE FROM skips WHERE seen_at < ?1", [micros(before)])?;
    Ok(emptied)
}
