//! Questions that members put to us, from the moment they are heard until they are answered.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::micros;
use crate::model::{Inquiry, MemberId};

/// A question of longer ago is nobody's any more.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// How long whoever answers a question has it for themselves; a process that died has it no longer.
const HELD: SignedDuration = SignedDuration::from_mins(5);

/// Keeps a question, once a mark.
///
/// # Errors
/// When the store cannot be written.
pub fn put(c: &Connection, member: &MemberId, asked: &Inquiry) -> Result<()> {
    c.prepare_cached(
        "INSERT OR IGNORE INTO questions (member, mark, text, asked_at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        member.as_str(),
        asked.mark,
        asked.text,
        micros(asked.at)
    ])?;
    Ok(())
}

/// Takes the open questions of a member to answer them, oldest first; nobody else gets them for a while. Those that are too
/// old are forgotten.
///
/// # Errors
/// When the store cannot be written.
pub fn take(c: &Connection, member: &MemberId, now: Timestamp) -> Result<Vec<(String, String)>> {
    c.prepare_cached("DELETE FROM questions WHERE asked_at < ?1")?
        .execute([micros(now.saturating_sub(LONGEST)?)])?;
    let mut statement = c.prepare_cached(
        "SELECT mark, text FROM questions WHERE member = ?1 AND held_until <= ?2 ORDER BY asked_at, mark",
    )?;
    let rows = statement.query_map(params![member.as_str(), micros(now)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let taken = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    c.prepare_cached(
        "UPDATE questions SET held_until = ?3 WHERE member = ?1 AND held_until <= ?2",
    )?
    .execute(params![
        member.as_str(),
        micros(now),
        micros(now.saturating_add(HELD)?)
    ])?;
    Ok(taken)
}

/// Notes that a question is answered.
///
/// # Errors
/// When the store cannot be written.
pub fn settle(c: &Connection, member: &MemberId, mark: &str) -> Result<()> {
    c.prepare_cached("DELETE FROM questions WHERE member = ?1 AND mark = ?2")?
        .execute([member.as_str(), mark])?;
    Ok(())
}

/// Returns whether a question that was asked at a moment is still to be answered: it is no older than a day, and we were
/// there to be asked.
///
/// # Errors
/// When the store cannot be read.
pub fn is_timely(c: &Connection, asked_at: Timestamp, now: Timestamp) -> Result<bool> {
    let since = super::meta(c, SINCE)?.and_then(|since| since.parse::<Timestamp>().ok());
    Ok(now.duration_since(asked_at) <= LONGEST && since.is_none_or(|since| asked_at >= since))
}

/// Under which name the store keeps since when we are there to be asked.
const SINCE: &str = "asked_since";

/// Notes that we are there to be asked from now on, if we were not before.
///
/// # Errors
/// When the store cannot be written.
pub fn begin(c: &Connection, now: Timestamp) -> Result<()> {
    match super::meta(c, SINCE)? {
        Some(_) => Ok(()),
        None => super::set_meta(c, SINCE, &now.to_string()),
    }
}
