//! Messages that say that a tracker has not answered yet, until they say what it answered.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp, civil};
use rusqlite::{Connection, params};

use super::micros;
use crate::model::{ConnectorId, MemberId};

/// After this long nobody looks at the message any more.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A message of ours that waits for a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Where it is, as its sink names it.
    pub place: String,
    /// Whose briefing it is.
    pub member: MemberId,
    /// The date of that briefing.
    pub date: civil::Date,
    /// Its tickets that wait, or whose tracker has answered.
    pub tickets: Vec<(ConnectorId, String)>,
}

/// Notes that a message waits for the trackers of its tickets.
///
/// # Errors
/// When the store cannot be written.
pub fn put(c: &Connection, awaited: &Awaited, now: Timestamp) -> Result<()> {
    let mut statement = c.prepare_cached(
        "INSERT OR REPLACE INTO awaited (place, connector, ticket, member, date, noted_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (connector, ticket) in &awaited.tickets {
        statement.execute(params![
            awaited.place,
            connector.as_str(),
            ticket,
            awaited.member.as_str(),
            awaited.date.to_string(),
            micros(now),
        ])?;
    }
    Ok(())
}

/// Returns the messages that wait for a tracker that has answered meanwhile, each with the tickets it answered about.
///
/// # Errors
/// When the store cannot be read.
pub fn answered(c: &Connection) -> Result<Vec<Awaited>> {
    let mut statement = c.prepare_cached(
        "SELECT a.place, a.member, a.date, a.connector, a.ticket FROM awaited a
         LEFT JOIN postings p ON p.connector = a.connector AND p.ticket = a.ticket AND p.kind = 'assign'
         WHERE coalesce(p.state, '') NOT IN ('planned', 'posting', 'failed', 'undoing')
         ORDER BY a.place, a.connector, a.ticket",
    )?;
    let mut rows = statement.query([])?;
    let mut found: Vec<Awaited> = Vec::new();
    while let Some(row) = rows.next()? {
        let place: String = row.get(0)?;
        let connector = ConnectorId::new(row.get::<_, String>(3)?);
        let ticket = (connector, row.get(4)?);
        match found.last_mut().filter(|last| last.place == place) {
            Some(last) => last.tickets.push(ticket),
            None => found.push(Awaited {
                place,
                member: MemberId::new(row.get::<_, String>(1)?),
                date: row
                    .get::<_, String>(2)?
                    .parse()
                    .context("the store holds a damaged date")?,
                tickets: vec![ticket],
            }),
        }
    }
    Ok(found)
}

/// Notes that a message says what became of its tickets; messages of a week ago are given up.
///
/// # Errors
/// When the store cannot be written.
pub fn settle(c: &Connection, awaited: &Awaited, now: Timestamp) -> Result<()> {
    let mut statement = c.prepare_cached(
        "DELETE FROM awaited WHERE place = ?1 AND connector = ?2 AND ticket = ?3",
    )?;
    for (connector, ticket) in &awaited.tickets {
        statement.execute(params![awaited.place, connector.as_str(), ticket])?;
    }
    give_up(c, now)
}

/// Gives up the messages of a week ago.
///
/// # Errors
/// When the store cannot be written.
pub fn give_up(c: &Connection, now: Timestamp) -> Result<()> {
    c.prepare_cached("DELETE FROM awaited WHERE noted_at < ?1")?
        .execute([micros(now.saturating_sub(LONGEST)?)])?;
    Ok(())
}
