//! The ledger of asks: who asked whom for what, and what closed it.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::rows::{ask_kind_from_row, ask_kind_to_row};
use super::{micros, moment};
use crate::model::{
    Ask, AskKind, Asked, ConnectorId, EventId, Handle, Learned, LoggedAsk, Seq, ThreadId, TopicId,
    Window,
};

/// An ask as `ingest` found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAsk {
    /// The asking event.
    pub seq: Seq,
    /// What is wanted.
    pub kind: AskKind,
    /// The asking sentence within the event's text, in bytes.
    pub sentence: std::ops::Range<usize>,
    /// The accounts asked, by the source's id; empty = the group.
    pub to: Vec<String>,
    /// The event that closed it.
    pub closed: Option<Seq>,
}

/// Stores the asks of a topic in place of the ones stored before for the same events.
pub fn put_asks(c: &Connection, topic: TopicId, judged: &[Seq], asks: &[FoundAsk]) -> Result<()> {
    let mut forget_targets = c.prepare_cached("DELETE FROM ask_targets WHERE seq = ?1")?;
    let mut forget = c.prepare_cached("DELETE FROM asks WHERE seq = ?1")?;
    for seq in judged {
        forget_targets.execute([seq.0])?;
        forget.execute([seq.0])?;
    }
    let mut insert = c.prepare_cached(
        "INSERT INTO asks (seq, topic, kind, from_byte, to_byte, closed_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let mut target =
        c.prepare_cached("INSERT OR IGNORE INTO ask_targets (handle, seq) VALUES (?1, ?2)")?;
    for ask in asks {
        insert.execute(params![
            ask.seq.0,
            topic.0,
            ask_kind_to_row(ask.kind),
            ask.sentence.start as i64,
            ask.sentence.end as i64,
            ask.closed.map(|seq| seq.0)
        ])?;
        if ask.to.is_empty() {
            target.execute(params!["", ask.seq.0])?;
        }
        for handle in &ask.to {
            target.execute(params![handle, ask.seq.0])?;
        }
    }
    Ok(())
}

const SELECT_ASK: &str = "SELECT a.seq, a.topic, a.kind, a.from_byte, a.to_byte, e.connector, e.id, t.id, e.author,
    e.occurred_at, e.learned, closer.id,
    (SELECT group_concat(handle, char(31)) FROM ask_targets WHERE seq = a.seq)
  FROM asks a JOIN events e ON e.seq = a.seq JOIN threads t ON t.tid = e.tid
  LEFT JOIN events closer ON closer.seq = a.closed_seq AND closer.learned < ?1 AND closer.seq <= ?2";

/// Returns the asks to an account that were known and unanswered at the window's end.
pub fn open_asks_to(c: &Connection, handle: &Handle, window: &Window) -> Result<Vec<LoggedAsk>> {
    let sql = format!(
        "{SELECT_ASK} WHERE a.seq IN (SELECT seq FROM ask_targets WHERE handle = ?3) AND e.connector = ?4
           AND e.learned < ?1 AND e.seq <= ?2 AND closer.seq IS NULL ORDER BY e.occurred_at, a.seq"
    );
    open_asks(c, &sql, handle, window)
}

/// Returns the asks by an account that were known and unanswered at the window's end.
pub fn open_asks_from(c: &Connection, handle: &Handle, window: &Window) -> Result<Vec<LoggedAsk>> {
    let sql = format!(
        "{SELECT_ASK} WHERE e.author = ?3 AND e.connector = ?4
           AND e.learned < ?1 AND e.seq <= ?2 AND closer.seq IS NULL ORDER BY e.occurred_at, a.seq"
    );
    open_asks(c, &sql, handle, window)
}

fn open_asks(
    c: &Connection,
    sql: &str,
    handle: &Handle,
    window: &Window,
) -> Result<Vec<LoggedAsk>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![
        micros(window.upto.0),
        window.upto_seq.0,
        &*handle.id,
        handle.connector.as_str()
    ])?;
    let mut asks = Vec::new();
    while let Some(row) = rows.next()? {
        asks.extend(ask_from_row(row)?);
    }
    Ok(asks)
}

/// Returns the asks of a topic as they stood at the window's end, answered ones too.
pub fn asks_of_topic(c: &Connection, topic: TopicId, window: &Window) -> Result<Vec<LoggedAsk>> {
    let sql = format!(
        "{SELECT_ASK} WHERE a.topic = ?3 AND e.learned < ?1 AND e.seq <= ?2 ORDER BY e.occurred_at, a.seq"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![micros(window.upto.0), window.upto_seq.0, topic.0])?;
    let mut asks = Vec::new();
    while let Some(row) = rows.next()? {
        asks.extend(ask_from_row(row)?);
    }
    Ok(asks)
}

fn ask_from_row(row: &Row<'_>) -> Result<Option<LoggedAsk>> {
    let connector = ConnectorId::new(row.get::<_, String>(5)?);
    // An ask needs somebody who asks; the author is unknown only for changes without words.
    let Some(author) = row.get::<_, Option<String>>(8)? else {
        return Ok(None);
    };
    let targets: String = row.get::<_, Option<String>>(12)?.unwrap_or_default();
    let handles: Vec<Handle> = targets
        .split('\u{1f}')
        .filter(|handle| !handle.is_empty())
        .map(|handle| Handle::new(&connector, handle))
        .collect();
    let ask = Ask {
        event: EventId::new(&connector, row.get::<_, String>(6)?),
        thread: ThreadId::new(&connector, row.get::<_, String>(7)?),
        from: Handle::new(&connector, author),
        to: if handles.is_empty() {
            Asked::Group
        } else {
            Asked::Persons(handles)
        },
        kind: ask_kind_from_row(&row.get::<_, String>(2)?),
        asked_at: moment(row.get(9)?),
        closed_by: row
            .get::<_, Option<String>>(11)?
            .map(|id| EventId::new(&connector, id)),
    };
    Ok(Some(LoggedAsk {
        ask,
        seq: Seq(row.get(0)?),
        learned: Learned(moment(row.get(10)?)),
        topic: TopicId(row.get(1)?),
        sentence: row.get::<_, i64>(3)?.unsigned_abs() as usize
            ..row.get::<_, i64>(4)?.unsigned_abs() as usize,
    }))
}

/// Returns the open asks to persons that were made in `[since, now]`, with their addressees, oldest first.
pub fn open_to_persons(
    c: &Connection,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<(LoggedAsk, Vec<Handle>)>> {
    let sql = format!(
        "{SELECT_ASK} WHERE e.occurred_at >= ?3 AND e.occurred_at <= ?4 AND closer.seq IS NULL
           AND a.seq IN (SELECT seq FROM ask_targets WHERE handle <> '') ORDER BY e.occurred_at, a.seq"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![micros(now), i64::MAX, micros(since), micros(now)])?;
    let mut asks = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(ask) = ask_from_row(row)?
            && let Asked::Persons(to) = &ask.ask.to
        {
            let to = to.clone();
            asks.push((ask, to));
        }
    }
    Ok(asks)
}

/// Returns every ask known at the window's end, with the source's time of what closed it.
pub fn all_asks(c: &Connection, window: &Window) -> Result<Vec<(LoggedAsk, Option<Timestamp>)>> {
    let sql = format!(
        "{} WHERE e.learned < ?1 AND e.seq <= ?2 ORDER BY e.occurred_at, a.seq",
        SELECT_ASK.replacen("FROM asks a", ", closer.occurred_at FROM asks a", 1)
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![micros(window.upto.0), window.upto_seq.0])?;
    let mut asks = Vec::new();
    while let Some(row) = rows.next()? {
        let closed: Option<i64> = row.get(13)?;
        asks.extend(ask_from_row(row)?.map(|ask| (ask, closed.map(moment))));
    }
    Ok(asks)
}
