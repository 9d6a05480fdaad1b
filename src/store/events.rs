//! The log: threads and events, in and out.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{kind_from_row, kind_to_row, ticket_from_row, ticket_to_row};
use super::{audiences, micros, moment};
use crate::model::{
    AudienceId, ConnectorId, Event, EventId, Handle, Learned, Logged, Markdown, Member, Seq,
    SpaceId, Thread, ThreadId, ThreadKind, Ticket, Topic, TopicId,
};

/// A thread's number and its ticket as last stored.
#[derive(Clone, Debug)]
pub struct StoredThread {
    /// The thread's number.
    pub tid: u64,
    /// The fields the source showed last.
    pub ticket: Option<Ticket>,
    /// Who may read it.
    pub audience: AudienceId,
}

/// An event as last stored, enough to compare a new copy with it.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Its position.
    pub seq: Seq,
    /// Its thread's number.
    pub tid: u64,
    /// Its text as it is now.
    pub text: String,
    /// Whether the source has removed it.
    pub is_removed: bool,
    /// Who may read it, where that is narrower than the thread's audience.
    pub audience: Option<AudienceId>,
}

/// Returns the stored thread of an id.
pub fn find_thread(c: &Connection, id: &ThreadId) -> Result<Option<StoredThread>> {
    let found = c
        .prepare_cached(
            "SELECT tid, ticket, audience FROM threads WHERE connector = ?1 AND id = ?2",
        )?
        .query_row(params![id.connector.as_str(), &*id.id], |row| {
            Ok((
                row.get(0)?,
                row.get::<_, Option<String>>(1)?,
                AudienceId(row.get(2)?),
            ))
        })
        .optional()?;
    let Some((tid, ticket, audience)) = found else {
        return Ok(None);
    };
    let ticket = ticket
        .map(|json| ticket_from_row(&id.connector, &json))
        .transpose()?;
    Ok(Some(StoredThread {
        tid,
        ticket,
        audience,
    }))
}

/// Stores or renews a thread and returns its number.
pub fn put_thread(c: &Connection, thread: &Thread) -> Result<u64> {
    let audience = audiences::intern(c, &thread.audience)?;
    let ticket = thread.ticket.as_ref().map(ticket_to_row).transpose()?;
    let tid: u64 = c
        .prepare_cached(
            "INSERT INTO threads (connector, id, kind, space, title, url, audience, ticket)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (connector, id) DO UPDATE SET
               space = coalesce(excluded.space, space), audience = excluded.audience,
               title = CASE WHEN excluded.title = '' THEN title ELSE excluded.title END,
               url = CASE WHEN excluded.url = '' THEN url ELSE excluded.url END,
               ticket = coalesce(excluded.ticket, ticket)
             RETURNING tid",
        )?
        .query_row(
            params![
                thread.id.connector.as_str(),
                &*thread.id.id,
                thread.kind.as_str(),
                thread.space.as_ref().map(|space| &*space.id),
                thread.title,
                thread.url,
                audience.0,
                ticket
            ],
            |row| row.get(0),
        )?;
    let mut insert =
        c.prepare_cached("INSERT OR IGNORE INTO participants (tid, handle) VALUES (?1, ?2)")?;
    for handle in &thread.participants {
        insert.execute(params![tid, &*handle.id])?;
    }
    Ok(tid)
}

/// Returns the stored event of an id.
pub fn find_event(c: &Connection, id: &EventId) -> Result<Option<StoredEvent>> {
    Ok(c.prepare_cached(
        "SELECT seq, tid, text, removed, audience FROM events WHERE connector = ?1 AND id = ?2",
    )?
    .query_row(params![id.connector.as_str(), &*id.id], |row| {
        Ok(StoredEvent {
            seq: Seq(row.get(0)?),
            tid: row.get(1)?,
            text: row.get(2)?,
            is_removed: row.get(3)?,
            audience: row.get::<_, Option<u64>>(4)?.map(AudienceId),
        })
    })
    .optional()?)
}

/// Where and how an event goes into the log.
#[derive(Clone, Copy, Debug)]
pub struct Placing {
    /// Its thread's number.
    pub tid: u64,
    /// Its topic's number.
    pub topic: u64,
    /// The event it is about.
    pub of_seq: Option<Seq>,
    /// When we learned of it.
    pub learned: Timestamp,
}

/// Appends an event and returns its position; `None` when the log has the id already.
pub fn append(c: &Connection, event: &Event, placing: Placing) -> Result<Option<Seq>> {
    let (kind, detail) = kind_to_row(&event.kind)?;
    let audience = event
        .audience
        .as_ref()
        .map(|audience| audiences::intern(c, audience))
        .transpose()?;
    let added = c
        .prepare_cached(
            "INSERT OR IGNORE INTO events
               (connector, id, tid, topic, kind, detail, of_seq, author, occurred_at, learned, text, aside, url, audience, by_bot)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            event.id.connector.as_str(),
            &*event.id.id,
            placing.tid,
            placing.topic,
            kind,
            detail,
            placing.of_seq.map(|seq| seq.0),
            event.author.as_ref().map(|author| &*author.id),
            micros(event.occurred_at),
            micros(placing.learned),
            event.text.0,
            event.aside,
            event.url,
            audience.map(|audience| audience.0),
            event.by_bot
        ])?;
    Ok((added > 0).then(|| Seq(c.last_insert_rowid().unsigned_abs())))
}

/// Replaces what the log keeps as an event's text.
pub fn replace_text(c: &Connection, seq: Seq, text: &str, aside: &str) -> Result<()> {
    c.prepare_cached("UPDATE events SET text = ?2, aside = ?3 WHERE seq = ?1")?
        .execute(params![seq.0, text, aside])?;
    Ok(())
}

/// Replaces who may read an event.
pub fn put_audience(c: &Connection, seq: Seq, audience: Option<AudienceId>) -> Result<()> {
    c.prepare_cached("UPDATE events SET audience = ?2 WHERE seq = ?1")?
        .execute(params![seq.0, audience.map(|audience| audience.0)])?;
    Ok(())
}

/// Forgets an event's text because the source removed it; stored briefings and suggestions let go of it too, and the
/// thread of its title when nothing that was said in it is left.
pub fn remove_text(c: &Connection, seq: Seq) -> Result<()> {
    super::quoted::unsay(c, seq)?;
    super::suggestions::forgotten::unsay(c, seq)?;
    c.prepare_cached("UPDATE events SET text = '', aside = '', removed = 1 WHERE seq = ?1")?
        .execute([seq.0])?;
    // What its edits said was said by it too.
    c.prepare_cached("UPDATE events SET text = '', aside = '' WHERE of_seq = ?1")?
        .execute([seq.0])?;
    c.prepare_cached("DELETE FROM mentions WHERE seq = ?1")?
        .execute([seq.0])?;
    c.prepare_cached("DELETE FROM ask_targets WHERE seq = ?1")?
        .execute([seq.0])?;
    c.prepare_cached("DELETE FROM asks WHERE seq = ?1")?
        .execute([seq.0])?;
    let tid = c
        .prepare_cached("SELECT tid FROM events WHERE seq = ?1")?
        .query_row([seq.0], |row| row.get(0))
        .optional()?;
    tid.map_or(Ok(()), |tid| drop_title(c, tid, true))
}

/// Forgets the title of a thread in which everything that was said is gone. An open ticket keeps what its source tells of
/// it again, unless `is_final`.
pub fn drop_title(c: &Connection, tid: u64, is_final: bool) -> Result<()> {
    c.prepare_cached(
        "UPDATE threads SET title = '' WHERE tid = ?1 AND title <> ''
           AND (?2 OR ticket IS NULL OR coalesce(ticket ->> 'closed', 0))
           AND EXISTS (SELECT 1 FROM events WHERE tid = ?1 AND removed = 1)
           AND NOT EXISTS (SELECT 1 FROM events WHERE tid = ?1 AND kind IN ('posted', 'opened') AND removed = 0)",
    )?
    .execute(params![tid, is_final])?;
    Ok(())
}

/// Returns the ids of what was said in a thread and is still there.
pub fn said_in(c: &Connection, tid: u64) -> Result<Vec<String>> {
    let mut statement = c.prepare_cached(
        "SELECT id FROM events WHERE tid = ?1 AND kind = 'posted' AND removed = 0 ORDER BY seq",
    )?;
    let rows = statement.query_map([tid], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stores whom an event names, in place of what was stored before.
pub fn put_mentions(c: &Connection, seq: Seq, handles: &BTreeSet<String>) -> Result<()> {
    c.prepare_cached("DELETE FROM mentions WHERE seq = ?1")?
        .execute([seq.0])?;
    let mut insert =
        c.prepare_cached("INSERT OR IGNORE INTO mentions (handle, seq) VALUES (?1, ?2)")?;
    for handle in handles {
        insert.execute(params![handle, seq.0])?;
    }
    Ok(())
}

/// Moves the events of a thread under another topic.
pub fn move_to_topic(c: &Connection, tid: u64, topic: u64) -> Result<()> {
    c.prepare_cached("UPDATE events SET topic = ?2 WHERE tid = ?1")?
        .execute(params![tid, topic])?;
    c.prepare_cached(
        "UPDATE asks SET topic = ?2 WHERE seq IN (SELECT seq FROM events WHERE tid = ?1)",
    )?
    .execute(params![tid, topic])?;
    Ok(())
}

/// Returns the topic under which a thread's events are shown, and how many events it has.
pub fn topic_of_thread(c: &Connection, tid: u64) -> Result<Option<(u64, u64)>> {
    let found: (Option<u64>, u64) = c
        .prepare_cached("SELECT max(topic), count(*) FROM events WHERE tid = ?1")?
        .query_row([tid], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.0.map(|topic| (topic, found.1)))
}

/// Returns the last position of the log.
pub fn last_seq(c: &Connection) -> Result<Seq> {
    Ok(Seq(c.query_row(
        "SELECT coalesce(max(seq), 0) FROM events",
        [],
        |row| row.get(0),
    )?))
}

/// Returns how many change events an item has, to tell the same change made twice apart.
pub fn count_changes(c: &Connection, base: &EventId) -> Result<u64> {
    Ok(c.prepare_cached(
        "SELECT count(*) FROM events WHERE connector = ?1 AND id >= ?2 || '~' AND id < ?2 || '~~'",
    )?
    .query_row(params![base.connector.as_str(), &*base.id], |row| {
        row.get(0)
    })?)
}

/// Returns the channel's last messages that stand in no thread before a moment, oldest first, each with its topic and
/// the message it was taken to answer.
pub fn unthreaded_before(
    c: &Connection,
    space: &SpaceId,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<(u64, Option<Seq>, Logged)>> {
    let sql = format!(
        "{SELECT_LOGGED} WHERE e.connector = ?1 AND t.space = ?2 AND t.kind = 'conversation' AND e.kind = 'posted'
           AND e.occurred_at < ?3 AND e.id = t.id ORDER BY e.occurred_at DESC, e.seq DESC LIMIT ?4"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        space.connector.as_str(),
        &*space.id,
        micros(before),
        limit as i64
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let reply_seq: Option<u64> = row.get(COLUMN_REPLY)?;
        found.push((
            row.get(COLUMN_TOPIC)?,
            reply_seq.map(Seq),
            logged_from_row(row)?,
        ));
    }
    found.reverse();
    Ok(found)
}

/// Returns a topic as it stood at a moment of learning, or `None` when nobody could know of it yet.
///
/// At most `limit` events, the latest; the first one is always among them.
pub fn topic(
    c: &Connection,
    id: TopicId,
    upto: Learned,
    upto_seq: Seq,
    limit: usize,
) -> Result<Option<Topic>> {
    let sql = format!(
        "{SELECT_LOGGED} WHERE e.topic = ?1 AND e.learned < ?2 AND e.seq <= ?3 ORDER BY e.occurred_at, e.seq"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![id.0, micros(upto.0), upto_seq.0])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(logged_from_row(row)?);
    }
    drop(rows);
    if events.is_empty() {
        return Ok(None);
    }
    if events.len() > limit {
        events.drain(1..events.len() - limit + 1);
    }
    let Some(mut thread) = thread(c, id.0)? else {
        return Ok(None);
    };
    if let Some(ticket) = &mut thread.ticket {
        undo_later_changes(c, &thread.id.connector, id, upto, upto_seq, ticket)?;
    }
    Ok(Some(Topic { id, thread, events }))
}

/// Takes back what happened to a ticket after a moment of learning, so that the past is told as it was.
fn undo_later_changes(
    c: &Connection,
    connector: &ConnectorId,
    id: TopicId,
    upto: Learned,
    upto_seq: Seq,
    ticket: &mut Ticket,
) -> Result<()> {
    let mut statement = c.prepare_cached(
        "SELECT kind, detail FROM events
         WHERE topic = ?1 AND (learned >= ?2 OR seq > ?3)
           AND kind IN ('transitioned', 'assigned', 'prioritized', 'rescheduled', 'labelled', 'review')
         ORDER BY occurred_at DESC, seq DESC",
    )?;
    let mut rows = statement.query(params![id.0, micros(upto.0), upto_seq.0])?;
    while let Some(row) = rows.next()? {
        let detail: Option<String> = row.get(1)?;
        ticket.undo(&kind_from_row(
            connector,
            &row.get::<_, String>(0)?,
            detail.as_deref(),
        )?);
    }
    Ok(())
}

/// Returns the thread of a number, with its participants.
pub fn thread(c: &Connection, tid: u64) -> Result<Option<Thread>> {
    type Fields = (
        String,
        String,
        String,
        Option<String>,
        String,
        String,
        u64,
        Option<String>,
    );
    let found: Option<Fields> = c
        .prepare_cached("SELECT connector, id, kind, space, title, url, audience, ticket FROM threads WHERE tid = ?1")?
        .query_row([tid], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
                row.get(7)?,
            ))
        })
        .optional()?;
    let Some((connector, id, kind, space, title, url, audience, ticket)) = found else {
        return Ok(None);
    };
    let connector = ConnectorId::new(connector);
    let mut statement = c.prepare_cached("SELECT handle FROM participants WHERE tid = ?1")?;
    let participants = statement
        .query_map([tid], |row| {
            Ok(Handle::new(&connector, row.get::<_, String>(0)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(Thread {
        id: ThreadId::new(&connector, id),
        kind: ThreadKind::parse(&kind)
            .with_context(|| format!("the store holds a thread of the unknown kind {kind:?}"))?,
        space: space.map(|space| SpaceId::new(&connector, space)),
        title,
        url,
        audience: audiences::audience_of(c, AudienceId(audience))?,
        participants,
        ticket: ticket
            .map(|json| ticket_from_row(&connector, &json))
            .transpose()?,
    }))
}

/// The columns of a [`Logged`], without their mentions.
pub(super) const SELECT_LOGGED: &str = "SELECT e.seq, e.connector, e.id, t.id, e.kind, e.detail, e.author, e.occurred_at, e.learned,
    e.text, e.aside, e.url, coalesce(e.audience, t.audience), e.by_bot, e.removed, e.topic, e.reply_seq,
    (SELECT group_concat(handle, char(31)) FROM mentions m WHERE m.seq = e.seq)
  FROM events e JOIN threads t ON t.tid = e.tid";
const COLUMN_TOPIC: usize = 15;
const COLUMN_REPLY: usize = 16;

/// Returns the event of a row of [`SELECT_LOGGED`].
pub(super) fn logged_from_row(row: &Row<'_>) -> Result<Logged> {
    let connector = ConnectorId::new(row.get::<_, String>(1)?);
    let detail: Option<String> = row.get(5)?;
    let mentions: Option<String> = row.get(17)?;
    let event = Event {
        id: EventId::new(&connector, row.get::<_, String>(2)?),
        thread: ThreadId::new(&connector, row.get::<_, String>(3)?),
        kind: kind_from_row(&connector, &row.get::<_, String>(4)?, detail.as_deref())?,
        author: row
            .get::<_, Option<String>>(6)?
            .map(|author| Handle::new(&connector, author)),
        occurred_at: moment(row.get(7)?),
        text: Markdown(row.get(9)?),
        aside: row.get(10)?,
        mentions: mentions
            .iter()
            .flat_map(|handles| handles.split('\u{1f}'))
            .map(|handle| Handle::new(&connector, handle))
            .collect(),
        url: row.get(11)?,
        audience: None,
        by_bot: row.get(13)?,
    };
    Ok(Logged {
        seq: Seq(row.get(0)?),
        learned: Learned(moment(row.get(8)?)),
        event,
        audience: AudienceId(row.get(12)?),
        is_removed: row.get(14)?,
    })
}

/// Returns an event by its position, unless the source removed it.
pub fn logged(c: &Connection, seq: Seq) -> Result<Option<Logged>> {
    let sql = format!("{SELECT_LOGGED} WHERE e.seq = ?1 AND NOT e.removed");
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query([seq.0])?;
    rows.next()?.map(logged_from_row).transpose()
}

/// Returns the event that began a thread, if it is stored.
pub fn first_of_thread(c: &Connection, tid: u64) -> Result<Option<Logged>> {
    let sql = format!("{SELECT_LOGGED} WHERE e.tid = ?1 AND e.id = t.id");
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query([tid])?;
    rows.next()?.map(logged_from_row).transpose()
}

/// Returns the topics that a member wrote in within a span of the source's time.
pub fn topics_written_in(
    c: &Connection,
    member: &Member,
    from: Timestamp,
    upto: Timestamp,
) -> Result<BTreeSet<TopicId>> {
    let mut statement = c.prepare_cached(
        "SELECT DISTINCT topic FROM events WHERE connector = ?1 AND author = ?2
           AND occurred_at >= ?3 AND occurred_at < ?4 AND kind IN ('posted', 'opened')",
    )?;
    let mut topics = BTreeSet::new();
    for handle in member.handles.values().flatten() {
        let rows = statement.query_map(
            params![
                handle.connector.as_str(),
                &*handle.id,
                micros(from),
                micros(upto)
            ],
            |row| row.get(0),
        )?;
        for topic in rows {
            topics.insert(TopicId(topic?));
        }
    }
    Ok(topics)
}

/// Returns the source's time of the latest event, the epoch for an empty log.
pub fn last_moment(c: &Connection) -> Result<Timestamp> {
    Ok(moment(c.query_row(
        "SELECT coalesce(max(occurred_at), 0) FROM events",
        [],
        |row| row.get(0),
    )?))
}

/// Returns the source's time of the earliest event, the epoch for an empty log.
pub fn first_moment(c: &Connection) -> Result<Timestamp> {
    Ok(moment(c.query_row(
        "SELECT coalesce(min(occurred_at), 0) FROM events",
        [],
        |row| row.get(0),
    )?))
}

/// Notes which message another was taken to answer.
pub fn put_reply(c: &Connection, seq: Seq, replied: Seq) -> Result<()> {
    c.prepare_cached("UPDATE events SET reply_seq = ?2 WHERE seq = ?1")?
        .execute(params![seq.0, replied.0])?;
    Ok(())
}

/// An event as the last check before sending looks at it.
#[derive(Clone, Debug)]
pub struct Present {
    /// Its position.
    pub seq: Seq,
    /// Who may read it now.
    pub audience: AudienceId,
    /// When we learned of it.
    pub learned: Learned,
    /// The source's time.
    pub occurred_at: Timestamp,
    /// Its text as it is now.
    pub text: String,
}

/// Returns an event that is stored and not removed.
pub fn present(c: &Connection, id: &EventId) -> Result<Option<Present>> {
    Ok(c.prepare_cached(
        "SELECT e.seq, coalesce(e.audience, t.audience), e.learned, e.occurred_at, e.text
         FROM events e JOIN threads t ON t.tid = e.tid
         WHERE e.connector = ?1 AND e.id = ?2 AND e.removed = 0",
    )?
    .query_row(params![id.connector.as_str(), &*id.id], |row| {
        Ok(Present {
            seq: Seq(row.get(0)?),
            audience: AudienceId(row.get(1)?),
            learned: Learned(moment(row.get(2)?)),
            occurred_at: moment(row.get(3)?),
            text: row.get(4)?,
        })
    })
    .optional()?)
}
