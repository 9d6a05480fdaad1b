//! Tickets with what became of them: what owner suggestion learns from.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::moment;
use super::rows::{kind_from_row, ticket_from_row};
use crate::model::{AudienceId, ConnectorId, EventKind, Handle, Ticket};

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

/// Returns the tickets of a connector.
pub fn tickets_of(c: &Connection, connector: &ConnectorId) -> Result<Vec<TicketRow>> {
    let mut statement = c.prepare_cached(
        "SELECT tid, id, title, url, space, audience, ticket FROM threads
         WHERE connector = ?1 AND ticket IS NOT NULL ORDER BY tid",
    )?;
    let mut rows = statement.query([connector.as_str()])?;
    let mut tickets = Vec::new();
    while let Some(row) = rows.next()? {
        let json: String = row.get(6)?;
        tickets.push(TicketRow {
            tid: row.get(0)?,
            id: row.get(1)?,
            title: row.get(2)?,
            url: row.get(3)?,
            project: row.get(4)?,
            audience: AudienceId(row.get(5)?),
            ticket: ticket_from_row(connector, &json)?,
        });
    }
    Ok(tickets)
}

/// Returns what happened to the tickets of a connector, oldest first; what the source removed is left out.
pub fn lives_of(c: &Connection, connector: &ConnectorId) -> Result<Vec<TicketEvent>> {
    let mut statement = c.prepare_cached(
        "SELECT e.tid, e.kind, e.detail, e.author, e.occurred_at, CASE e.kind WHEN 'opened' THEN e.text ELSE '' END
         FROM events e JOIN threads t ON t.tid = e.tid
         WHERE e.connector = ?1 AND t.ticket IS NOT NULL AND NOT e.removed
         ORDER BY e.occurred_at, e.seq",
    )?;
    let mut rows = statement.query([connector.as_str()])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, detail): (String, Option<String>) = (row.get(1)?, row.get(2)?);
        events.push(TicketEvent {
            tid: row.get(0)?,
            kind: kind_from_row(connector, &kind, detail.as_deref())?,
            author: row
                .get::<_, Option<String>>(3)?
                .map(|author| Handle::new(connector, author)),
            at: moment(row.get(4)?),
            text: row.get(5)?,
        });
    }
    Ok(events)
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

/// Returns whether a member said of a ticket that it is not theirs.
pub fn has_declined(c: &Connection, member: &str, about: &str) -> Result<bool> {
    Ok(c.prepare_cached(
        "SELECT 1 FROM feedback WHERE member = ?1 AND about = ?2 AND verdict = 'not_me' LIMIT 1",
    )?
    .query_row(params![member, about], |_| Ok(()))
    .optional()?
    .is_some())
}
