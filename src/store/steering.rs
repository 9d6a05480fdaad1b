//! What readers said about their briefings: done, later, mute, up, down; and whether they want any at all.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp, civil};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{events, micros, moment};
use crate::model::{EventId, Learned, MemberId, Seq, ThreadId, TopicId, Verdict};

/// For how long a vote counts.
const VOTES_COUNT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Something a reader said, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// Who.
    pub by: MemberId,
    /// What.
    pub verdict: Verdict,
    /// The threads it is about.
    pub threads: Vec<ThreadId>,
    /// The events that the line rested on.
    pub cited: Vec<EventId>,
    /// Why the line stood there, by stable names.
    pub reasons: Vec<String>,
    /// The briefing it stood in; `None` for a thread that was named by hand.
    pub date: Option<civil::Date>,
    /// The line's number from 1; 0 for the whole briefing or no line at all.
    pub line: usize,
    /// When.
    pub given_at: Timestamp,
}

/// What a reader's words come to at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steering {
    /// Topics the reader wants to hear nothing of.
    pub muted: BTreeSet<TopicId>,
    /// Topics that were done with, and when.
    pub done: BTreeMap<TopicId, Timestamp>,
    /// Topics that were put off until this briefing, with what their lines rested on.
    pub put_off: BTreeMap<TopicId, BTreeSet<Seq>>,
    /// The sum of votes on lines with a reason, by its stable name.
    pub votes_by_reason: BTreeMap<String, f32>,
    /// The sum of votes on a topic.
    pub votes_by_topic: BTreeMap<TopicId, f32>,
}

/// Keeps what a reader said. A vote takes the place of an earlier one on the same line.
///
/// # Errors
/// When the store cannot be written.
pub fn put(c: &Connection, given: &Given) -> Result<()> {
    let date = given.date.map(|date| date.to_string()).unwrap_or_default();
    if given.verdict.is_vote() && given.date.is_some() {
        withdraw_vote(c, &given.by, given.date, given.line)?;
    }
    let threads: Vec<(&str, &str)> = given
        .threads
        .iter()
        .map(|thread| (thread.connector.as_str(), &*thread.id))
        .collect();
    let cited: Vec<(&str, &str)> = given
        .cited
        .iter()
        .map(|event| (event.connector.as_str(), &*event.id))
        .collect();
    c.prepare_cached(
        "INSERT INTO steering (member, verdict, threads, cited, reasons, date, line, given_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        given.by.as_str(),
        given.verdict.as_str(),
        serde_json::to_string(&threads)?,
        serde_json::to_string(&cited)?,
        given.reasons.join(" "),
        date,
        given.line as i64,
        micros(given.given_at)
    ])?;
    Ok(())
}

/// Takes back a vote on a line; returns whether there was one.
///
/// # Errors
/// When the store cannot be written.
pub fn withdraw_vote(
    c: &Connection,
    by: &MemberId,
    date: Option<civil::Date>,
    line: usize,
) -> Result<bool> {
    let date = date.map(|date| date.to_string()).unwrap_or_default();
    let changed = c
        .prepare_cached("DELETE FROM steering WHERE member = ?1 AND date = ?2 AND line = ?3 AND verdict IN ('up', 'down')")?
        .execute(params![by.as_str(), date, line as i64])?;
    Ok(changed > 0)
}

/// Returns everything a reader has said before a moment, in the order it was said.
///
/// # Errors
/// When the store cannot be read.
pub fn given_by(c: &Connection, member: &MemberId, before: Timestamp) -> Result<Vec<Given>> {
    let mut statement = c.prepare_cached(
        "SELECT member, verdict, threads, cited, reasons, date, line, given_at FROM steering
         WHERE member = ?1 AND given_at < ?2 ORDER BY given_at, id",
    )?;
    let mut rows = statement.query(params![member.as_str(), micros(before)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(from_row(row)?);
    }
    Ok(found)
}

fn from_row(row: &Row<'_>) -> Result<Option<Given>> {
    // A word that only a newer daybrief knows is left alone.
    let Some(verdict) = Verdict::parse(&row.get::<_, String>(1)?) else {
        return Ok(None);
    };
    let pairs = |column: usize| -> Result<Vec<(String, String)>> {
        serde_json::from_str(&row.get::<_, String>(column)?)
            .context("the store holds a damaged line of feedback")
    };
    let threads = pairs(2)?
        .into_iter()
        .map(|(connector, id)| ThreadId::new(&connector.as_str().into(), id));
    let cited = pairs(3)?
        .into_iter()
        .map(|(connector, id)| EventId::new(&connector.as_str().into(), id));
    let reasons: String = row.get(4)?;
    Ok(Some(Given {
        by: MemberId::new(row.get::<_, String>(0)?),
        verdict,
        threads: threads.collect(),
        cited: cited.collect(),
        reasons: reasons.split_whitespace().map(str::to_owned).collect(),
        date: row.get::<_, String>(5)?.parse().ok(),
        line: row.get::<_, i64>(6)?.unsigned_abs() as usize,
        given_at: moment(row.get(7)?),
    }))
}

/// Returns what a reader's words come to for a briefing that is made at `upto`; `previous_upto` is the end of the briefing
/// before: what was put off before that has come again already.
///
/// # Errors
/// When the store cannot be read.
pub fn steering_of(
    c: &Connection,
    member: &MemberId,
    upto: Learned,
    previous_upto: Option<Learned>,
) -> Result<Steering> {
    let mut steering = Steering::default();
    for given in given_by(c, member, upto.0)? {
        let mut topics = BTreeSet::new();
        for thread in &given.threads {
            topics.extend(topic_of(c, thread)?);
        }
        let counts = upto.0.duration_since(given.given_at) <= VOTES_COUNT;
        let vote = match given.verdict {
            Verdict::Up => 1.0,
            Verdict::Down => -1.0,
            _ => 0.0,
        };
        if vote != 0.0 && counts {
            for reason in &given.reasons {
                *steering.votes_by_reason.entry(reason.clone()).or_default() +=
                    vote / given.reasons.len() as f32;
            }
        }
        let mut cited = BTreeSet::new();
        if given.verdict == Verdict::Later {
            for event in &given.cited {
                cited.extend(events::find_event(c, event)?.map(|event| event.seq));
            }
        }
        for topic in &topics {
            match given.verdict {
                Verdict::Mute => {
                    steering.muted.insert(*topic);
                }
                Verdict::Unmute => {
                    steering.muted.remove(topic);
                }
                Verdict::Done => {
                    steering.done.insert(*topic, given.given_at);
                    steering.put_off.remove(topic);
                }
                Verdict::Later => {
                    steering.done.remove(topic);
                    if previous_upto.is_none_or(|previous| given.given_at >= previous.0) {
                        steering.put_off.insert(*topic, cited.clone());
                    }
                }
                Verdict::Up | Verdict::Down if counts => {
                    *steering.votes_by_topic.entry(*topic).or_default() +=
                        vote / topics.len() as f32;
                }
                Verdict::Up | Verdict::Down => {}
            }
        }
    }
    Ok(steering)
}

fn topic_of(c: &Connection, thread: &ThreadId) -> Result<Option<TopicId>> {
    let Some(stored) = events::find_thread(c, thread)? else {
        return Ok(None);
    };
    let topic = events::topic_of_thread(c, stored.tid)?;
    Ok(Some(TopicId(topic.map_or(stored.tid, |(topic, _)| topic))))
}

/// Forgets everything a reader said, or only the votes; returns how much it was.
///
/// # Errors
/// When the store cannot be written.
pub fn forget(c: &Connection, member: &MemberId) -> Result<usize> {
    Ok(c.execute("DELETE FROM steering WHERE member = ?1", [member.as_str()])?)
}

/// Returns whether a member wants no briefings, and the sink's mark of the last word that was heard.
///
/// # Errors
/// When the store cannot be read.
pub fn listening(c: &Connection, member: &MemberId) -> Result<(bool, String)> {
    let found = c
        .prepare_cached("SELECT is_stopped, heard FROM listening WHERE member = ?1")?
        .query_row([member.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Notes whether a member wants briefings.
///
/// # Errors
/// When the store cannot be written.
pub fn set_stopped(c: &Connection, member: &MemberId, is_stopped: bool) -> Result<()> {
    c.prepare_cached("INSERT INTO listening (member, is_stopped) VALUES (?1, ?2) ON CONFLICT (member) DO UPDATE SET is_stopped = ?2")?
        .execute(params![member.as_str(), is_stopped])?;
    Ok(())
}

/// Notes how far a member was heard.
///
/// # Errors
/// When the store cannot be written.
pub fn set_heard(c: &Connection, member: &MemberId, heard: &str) -> Result<()> {
    c.prepare_cached("INSERT INTO listening (member, heard) VALUES (?1, ?2) ON CONFLICT (member) DO UPDATE SET heard = ?2")?
        .execute(params![member.as_str(), heard])?;
    Ok(())
}
