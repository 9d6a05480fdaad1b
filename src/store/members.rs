//! What is stored about one person: to hand it out, and to forget it.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::suggestions::forgotten;
use super::{moment, people, retention};
use crate::model::{ConnectorId, Handle, Joiners, Member, MemberId};

/// Returns the accounts in a space by its visible name or its id; empty when it is not known.
pub fn in_space(c: &Connection, connector: &ConnectorId, space: &str) -> Result<BTreeSet<Handle>> {
    let mut statement = c.prepare_cached(
        "SELECT m.handle FROM space_members m JOIN spaces s ON s.connector = m.connector AND s.id = m.space
         WHERE m.connector = ?1 AND (s.name = ?2 OR s.id = ?2) AND m.handle <> '*'",
    )?;
    let rows = statement.query_map(params![connector.as_str(), space], |row| {
        row.get::<_, String>(0)
    })?;
    let handles = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(handles
        .into_iter()
        .map(|handle| Handle::new(connector, handle))
        .collect())
}

/// Returns by which ids those go who joined by themselves, whether they are still there or not.
///
/// # Errors
/// When the store cannot be read.
pub fn joiners(c: &Connection) -> Result<Joiners> {
    let mut statement = c.prepare_cached("SELECT connector, handle, member FROM joiners")?;
    let rows = statement.query_map([], |row| {
        let connector = ConnectorId::new(row.get::<_, String>(0)?);
        let handle = Handle::new(&connector, row.get::<_, String>(1)?);
        Ok((handle, MemberId::new(row.get::<_, String>(2)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps by which ids somebody goes who joined by themselves.
///
/// # Errors
/// When the store cannot be written.
pub fn put_joiners(c: &Connection, joiners: &Joiners) -> Result<()> {
    let mut statement = c.prepare_cached(
        "INSERT OR REPLACE INTO joiners (connector, handle, member) VALUES (?1, ?2, ?3)",
    )?;
    for (handle, member) in joiners {
        statement.execute(params![
            handle.connector.as_str(),
            &*handle.id,
            member.as_str()
        ])?;
    }
    Ok(())
}

/// Calls `each` with everything stored about a member: accounts, what they wrote, briefings, feedback; one JSON object a
/// time with a `what`.
pub fn export(
    c: &Connection,
    member: &Member,
    mut each: impl FnMut(Value) -> Result<()>,
) -> Result<()> {
    let own: BTreeSet<&Handle> = member.handles.values().flatten().collect();
    for person in people::people(c, None)? {
        if let Some(handle) = &person.handle
            && own.contains(handle)
        {
            each(
                json!({ "what": "account", "connector": handle.connector.as_str(), "id": &*handle.id, "name": person.name,
                "aliases": person.aliases, "email": person.email, "time_zone": person.time_zone }),
            )?;
        }
    }
    let mut events = c.prepare(
        "SELECT e.id, t.id, e.kind, e.occurred_at, e.url, e.text FROM events e JOIN threads t USING (tid)
         WHERE e.connector = ?1 AND e.author = ?2 ORDER BY e.seq",
    )?;
    for handle in &own {
        let mut rows = events.query(params![handle.connector.as_str(), &*handle.id])?;
        while let Some(row) = rows.next()? {
            let at = moment(row.get(3)?).to_string();
            each(
                json!({ "what": "event", "connector": handle.connector.as_str(), "id": row.get::<_, String>(0)?,
                "thread": row.get::<_, String>(1)?, "kind": row.get::<_, String>(2)?, "at": at,
                "url": row.get::<_, String>(4)?, "text": row.get::<_, String>(5)? }),
            )?;
        }
    }
    let mut briefings = c.prepare(
        "SELECT date, state, receipt, body FROM deliveries WHERE member = ?1 ORDER BY date",
    )?;
    let mut rows = briefings.query([member.id.as_str()])?;
    while let Some(row) = rows.next()? {
        let body: Value = serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default();
        each(
            json!({ "what": "briefing", "date": row.get::<_, String>(0)?, "state": row.get::<_, String>(1)?,
            "receipt": row.get::<_, Option<String>>(2)?, "body": body }),
        )?;
    }
    let mut steering = c.prepare(
        "SELECT verdict, threads, date, line, given_at FROM steering WHERE member = ?1 ORDER BY id",
    )?;
    let mut rows = steering.query([member.id.as_str()])?;
    while let Some(row) = rows.next()? {
        let threads: Value = serde_json::from_str(&row.get::<_, String>(1)?).unwrap_or_default();
        each(
            json!({ "what": "feedback", "verdict": row.get::<_, String>(0)?, "threads": threads,
            "date": row.get::<_, String>(2)?, "line": row.get::<_, u32>(3)?, "at": moment(row.get(4)?).to_string() }),
        )?;
    }
    let mut suggested = c.prepare(
        "SELECT DISTINCT s.connector, s.ticket, s.made_at, j.value FROM suggestions s, json_each(s.candidates) j
         WHERE j.value ->> 'member' = ?1 ORDER BY s.id",
    )?;
    let mut rows = suggested.query([member.id.as_str()])?;
    while let Some(row) = rows.next()? {
        let said: Value = serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default();
        each(
            json!({ "what": "suggestion", "connector": row.get::<_, String>(0)?, "ticket": row.get::<_, String>(1)?,
            "at": moment(row.get(2)?).to_string(), "probability": said["probability"], "evidence": said["evidence"] }),
        )?;
    }
    Ok(())
}

/// How much was forgotten of a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Events whose words and author are gone.
    pub events: usize,
    /// Briefings.
    pub briefings: usize,
    /// Accounts.
    pub accounts: usize,
    /// Suggestions for tickets that they stood in.
    pub suggestions: usize,
}

/// Forgets a person: the words and the author of what they wrote, their accounts, mentions of them, briefings and feedback,
/// and where they were suggested. What is left is that something was there.
pub fn forget(
    c: &Connection,
    id: &MemberId,
    handles: &[Handle],
    now: Timestamp,
) -> Result<Forgotten> {
    let mut forgotten = Forgotten::default();
    for handle in handles {
        let own = params![handle.connector.as_str(), &*handle.id];
        forgotten.events += retention::forget_author(c, handle, now)?;
        c.execute(
            "UPDATE events SET author = NULL WHERE connector = ?1 AND author = ?2",
            own,
        )?;
        c.execute(
            "DELETE FROM mentions WHERE handle = ?2 AND seq IN (SELECT seq FROM events WHERE connector = ?1)",
            own,
        )?;
        c.execute(
            "DELETE FROM ask_targets WHERE handle = ?2 AND seq IN (SELECT seq FROM events WHERE connector = ?1)",
            own,
        )?;
        c.execute(
            "DELETE FROM presses WHERE connector = ?1 AND account = ?2",
            own,
        )?;
        forgotten.accounts += c.execute(
            "DELETE FROM people WHERE connector = ?1 AND handle = ?2",
            own,
        )?;
    }
    forgotten.briefings = c.execute("DELETE FROM deliveries WHERE member = ?1", [id.as_str()])?;
    c.execute("DELETE FROM shown WHERE member = ?1", [id.as_str()])?;
    for sql in [
        "DELETE FROM quoted WHERE member = ?1",
        "DELETE FROM named WHERE member = ?1",
        "DELETE FROM feedback WHERE member = ?1",
        "DELETE FROM steering WHERE member = ?1",
        "DELETE FROM listening WHERE member = ?1",
        "DELETE FROM joiners WHERE member = ?1",
        "DELETE FROM awaited WHERE member = ?1",
        "DELETE FROM questions WHERE member = ?1",
        "UPDATE llm_calls SET member = '' WHERE member = ?1",
    ] {
        c.execute(sql, [id.as_str()])?;
    }
    forgotten.suggestions = forgotten::forget(c, id, handles, now)?;
    Ok(forgotten)
}
