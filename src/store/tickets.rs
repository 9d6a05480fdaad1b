//! Tickets with what became of them: what owner suggestion learns from.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{kind_from_row, ticket_from_row};
use super::{micros, moment, postings};
use crate::model::{AudienceId, ConnectorId, EventKind, Handle, MemberId, Seq, Ticket};
use crate::roster::Roster;

/// A ticket as the source shows it now.
#[derive(Clone, Debug)]
pub struct TicketRow {
    /// Its thread's number.
    pub tid: u64,
    /// The source's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it can be read.
    pub url: String,
    /// Its project, by the source's id.
    pub project: Option<String>,
    /// Who may read it.
    pub audience: AudienceId,
    /// Its fields.
    pub ticket: Ticket,
}

/// Something that happened to a ticket.
#[derive(Clone, Debug)]
pub struct TicketEvent {
    /// Its position in the log.
    pub seq: Seq,
    /// Its thread's number.
    pub tid: u64,
    /// What happened.
    pub kind: EventKind,
    /// Who did it, if the source says.
    pub author: Option<Handle>,
    /// The source's time.
    pub at: Timestamp,
    /// The words of an opening; empty for everything else.
    pub text: String,
}

/// Returns the connectors that have tickets, in the order of their names.
pub fn trackers(c: &Connection) -> Result<Vec<ConnectorId>> {
    let mut statement = c.prepare_cached(
        "SELECT DISTINCT connector FROM threads WHERE ticket IS NOT NULL ORDER BY connector",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    Ok(names
        .collect::<rusqlite::Result<Vec<String>>>()?
        .into_iter()
        .map(ConnectorId::new)
        .collect())
}

const SELECT_TICKET: &str = "SELECT tid, id, title, url, space, audience, ticket FROM threads WHERE connector = ?1 AND ticket IS NOT NULL";

/// Returns the tickets of a connector.
pub fn tickets_of(c: &Connection, connector: &ConnectorId) -> Result<Vec<TicketRow>> {
    let sql = format!("{SELECT_TICKET} ORDER BY tid");
    rows_of(c, connector, &sql, params![connector.as_str()])
}

/// Returns a ticket by its thread's number.
pub fn ticket(c: &Connection, connector: &ConnectorId, tid: u64) -> Result<Option<TicketRow>> {
    let sql = format!("{SELECT_TICKET} AND tid = ?2");
    let found = rows_of(c, connector, &sql, params![connector.as_str(), tid])?;
    Ok(found.into_iter().next())
}

/// Returns a ticket by the source's id.
pub fn ticket_called(
    c: &Connection,
    connector: &ConnectorId,
    id: &str,
) -> Result<Option<TicketRow>> {
    let sql = format!("{SELECT_TICKET} AND id = ?2");
    let found = rows_of(c, connector, &sql, params![connector.as_str(), id])?;
    Ok(found.into_iter().next())
}

/// Returns the open tickets that nobody or one of these accounts owns and that were opened, or lost their owner, since a
/// moment; the oldest first.
pub fn unowned_since(
    c: &Connection,
    connector: &ConnectorId,
    inboxes: &BTreeSet<String>,
    since: Timestamp,
) -> Result<Vec<TicketRow>> {
    let sql = format!(
        "{SELECT_TICKET} AND NOT ticket ->> 'closed'
           AND (ticket ->> 'assignee' IS NULL OR ticket ->> 'assignee' IN (SELECT value FROM json_each(?3)))
           AND tid IN (SELECT tid FROM events WHERE connector = ?1 AND kind IN ('opened', 'assigned') AND occurred_at >= ?2)
         ORDER BY tid"
    );
    let inboxes = serde_json::to_string(inboxes)?;
    let values = params![connector.as_str(), micros(since), inboxes];
    rows_of(c, connector, &sql, values)
}

fn rows_of(
    c: &Connection,
    connector: &ConnectorId,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<TicketRow>> {
    let ours = postings::labels(c, connector)?;
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut tickets = Vec::new();
    while let Some(row) = rows.next()? {
        let json: String = row.get(6)?;
        let id: String = row.get(1)?;
        let mut ticket = ticket_from_row(connector, &json)?;
        // What we put there ourselves says nothing about the ticket.
        if let Some(ours) = ours.get(&id) {
            let is_ours = |label: &String| ours.iter().any(|own| own.eq_ignore_ascii_case(label));
            ticket.labels.retain(|label| !is_ours(label));
        }
        tickets.push(TicketRow {
            tid: row.get(0)?,
            id,
            title: row.get(2)?,
            url: row.get(3)?,
            project: row.get(4)?,
            audience: AudienceId(row.get(5)?),
            ticket,
        });
    }
    Ok(tickets)
}

const SELECT_EVENT: &str = "SELECT e.seq, e.tid, e.kind, e.detail, e.author, e.occurred_at,
    CASE e.kind WHEN 'opened' THEN e.text ELSE '' END FROM events e";

/// Returns what happened to the tickets of a connector, oldest first; what the source removed is left out.
pub fn lives_of(c: &Connection, connector: &ConnectorId) -> Result<Vec<TicketEvent>> {
    let sql = format!(
        "{SELECT_EVENT} JOIN threads t ON t.tid = e.tid
         WHERE e.connector = ?1 AND t.ticket IS NOT NULL AND NOT e.removed ORDER BY e.occurred_at, e.seq"
    );
    events_of(c, connector, &sql, params![connector.as_str()])
}

/// Returns what happened to one ticket, oldest first; what the source removed is left out.
pub fn life_of(c: &Connection, connector: &ConnectorId, tid: u64) -> Result<Vec<TicketEvent>> {
    let sql =
        format!("{SELECT_EVENT} WHERE e.tid = ?1 AND NOT e.removed ORDER BY e.occurred_at, e.seq");
    events_of(c, connector, &sql, params![tid])
}

fn events_of(
    c: &Connection,
    connector: &ConnectorId,
    sql: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<TicketEvent>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(event_from_row(connector, row)?);
    }
    Ok(events)
}

fn event_from_row(connector: &ConnectorId, row: &Row<'_>) -> Result<TicketEvent> {
    let (kind, detail): (String, Option<String>) = (row.get(2)?, row.get(3)?);
    Ok(TicketEvent {
        seq: Seq(row.get(0)?),
        tid: row.get(1)?,
        kind: kind_from_row(connector, &kind, detail.as_deref())?,
        author: row
            .get::<_, Option<String>>(4)?
            .map(|author| Handle::new(connector, author)),
        at: moment(row.get(5)?),
        text: row.get(6)?,
    })
}

/// Returns the numbers of the tickets that something was heard of after a position.
pub fn touched_since(c: &Connection, connector: &ConnectorId, after: Seq) -> Result<Vec<u64>> {
    let mut statement = c.prepare_cached(
        "SELECT DISTINCT e.tid FROM events e JOIN threads t ON t.tid = e.tid
         WHERE e.seq > ?2 AND e.connector = ?1 AND t.ticket IS NOT NULL ORDER BY e.tid",
    )?;
    let found = statement.query_map(params![connector.as_str(), after.0], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Returns the words a ticket was opened with.
pub fn text_of(c: &Connection, tid: u64) -> Result<String> {
    let mut statement = c.prepare_cached(
        "SELECT text FROM events WHERE tid = ?1 AND kind = 'opened' AND NOT removed ORDER BY seq LIMIT 1",
    )?;
    let found = statement.query_row([tid], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or_default())
}

/// Returns when a ticket was opened, where the log has it.
pub fn opened_at(c: &Connection, tid: u64) -> Result<Option<Timestamp>> {
    let mut statement = c.prepare_cached(
        "SELECT occurred_at FROM events WHERE tid = ?1 AND kind = 'opened' ORDER BY seq LIMIT 1",
    )?;
    let found = statement.query_row([tid], |row| row.get(0)).optional()?;
    Ok(found.map(moment))
}

/// Returns who said of a ticket that it is not theirs.
pub fn declined_by(c: &Connection, about: &str) -> Result<Vec<String>> {
    let mut statement = c.prepare_cached(
        "SELECT DISTINCT member FROM feedback WHERE about = ?1 AND verdict = 'not_me' ORDER BY member",
    )?;
    let found = statement.query_map([about], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Writes down what a member says about a ticket: `take`, `assign:MEMBER`, `not_me`, `agree`. The same twice counts once.
/// Returns whether it is new.
pub fn put_verdict(
    c: &Connection,
    member: &str,
    about: &str,
    verdict: &str,
    now: Timestamp,
) -> Result<bool> {
    let added = c
        .prepare_cached(
            "INSERT INTO feedback (member, about, verdict, given_at) SELECT ?1, ?2, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM feedback WHERE member = ?1 AND about = ?2 AND verdict = ?3)",
        )?
        .execute(params![member, about, verdict, micros(now)])?;
    Ok(added > 0)
}

/// Returns how many open tickets each account of a tracker owns.
pub fn open_by_owner(c: &Connection, connector: &ConnectorId) -> Result<HashMap<String, u32>> {
    let mut statement = c.prepare_cached(
        "SELECT ticket ->> 'assignee', count(*) FROM threads
         WHERE connector = ?1 AND ticket IS NOT NULL AND NOT ticket ->> 'closed' AND ticket ->> 'assignee' IS NOT NULL
         GROUP BY 1",
    )?;
    let found = statement.query_map([connector.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Returns the members whom other members ask for by name in the words on a ticket.
pub fn named_by_members(
    c: &Connection,
    tid: u64,
    connector: &ConnectorId,
    roster: &Roster,
) -> Result<BTreeSet<MemberId>> {
    let mut statement = c.prepare_cached(
        "SELECT m.handle, e.author FROM mentions m JOIN events e USING (seq)
         WHERE e.tid = ?1 AND NOT e.removed AND NOT e.by_bot AND e.author IS NOT NULL",
    )?;
    let mut rows = statement.query([tid])?;
    let mut named = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let member = |name: String| roster.member_of(&Handle::new(connector, name));
        let (of, by) = (member(row.get(0)?), member(row.get(1)?));
        if let (Some(of), Some(by)) = (of, by)
            && of.id != by.id
        {
            named.insert(of.id.clone());
        }
    }
    Ok(named)
}

/// Returns whether a ticket was taken from an account, by whomever, and not given back since.
pub fn gave_away(c: &Connection, tid: u64, handle: &Handle) -> Result<bool> {
    let mut statement = c.prepare_cached(
        "SELECT coalesce(max(occurred_at) FILTER (WHERE detail ->> 'from' = ?2), -1)
              > coalesce(max(occurred_at) FILTER (WHERE detail ->> 'to' = ?2), -1)
         FROM events WHERE tid = ?1 AND kind = 'assigned'",
    )?;
    Ok(statement.query_row(params![tid, &*handle.id], |row| row.get(0))?)
}

/// Returns the tickets that are called so, with their connectors; case does not count.
pub fn find_ticket(c: &Connection, key: &str) -> Result<Vec<(ConnectorId, String)>> {
    let mut statement = c.prepare_cached(
        "SELECT connector, id FROM threads
         WHERE ticket IS NOT NULL AND (id = ?1 COLLATE NOCASE OR ticket ->> 'key' = ?1 COLLATE NOCASE)
         ORDER BY connector",
    )?;
    let found = statement.query_map([key], |row| {
        Ok((ConnectorId::new(row.get::<_, String>(0)?), row.get(1)?))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Returns whether a member took a ticket, or gave it to somebody, by a word to us.
pub fn is_answered(c: &Connection, about: &str) -> Result<bool> {
    Ok(c.prepare_cached(
        "SELECT 1 FROM feedback WHERE about = ?1 AND (verdict = 'take' OR verdict LIKE 'assign:%') LIMIT 1",
    )?
    .exists([about])?)
}

/// Returns whether a member said of a ticket that it is not theirs.
pub fn has_declined(c: &Connection, member: &str, about: &str) -> Result<bool> {
    Ok(c.prepare_cached(
        "SELECT 1 FROM feedback WHERE member = ?1 AND about = ?2 AND verdict = 'not_me' LIMIT 1",
    )?
    .query_row(params![member, about], |_| Ok(()))
    .optional()?
    .is_some())
}
