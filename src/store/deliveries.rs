//! The outbox: one row a member and local date, from `planned` to `sent`.

use anyhow::{Result, bail};
use jiff::{Timestamp, civil};
use rusqlite::{Connection, Row, params};

use super::{micros, moment};
use crate::model::{Learned, MemberId, Seq, Window};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Decided, not yet begun.
    Planned,
    /// Handed to the sink, and nobody knows yet whether it arrived; the sink is asked before anything else happens.
    Sending,
    /// The sink has it.
    Sent,
    /// There was nothing to say, and nothing was sent.
    Quiet,
    /// We died while sending, and the sink could not tell; settled, with a gap.
    Unknown,
    /// The sink surely does not have it; tried again until the day is over.
    Failed,
    /// The day was over before it went out; settled, and the next briefing's window reaches back over it.
    Missed,
}

impl State {
    const ALL: [State; 7] = [
        State::Planned,
        State::Sending,
        State::Sent,
        State::Quiet,
        State::Unknown,
        State::Failed,
        State::Missed,
    ];

    /// Returns the stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Planned => "planned",
            State::Sending => "sending",
            State::Sent => "sent",
            State::Quiet => "quiet",
            State::Unknown => "unknown",
            State::Failed => "failed",
            State::Missed => "missed",
        }
    }

    fn parse(name: &str) -> Option<State> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The reader.
    pub member: MemberId,
    /// The reader's local date; with the member it is the key.
    pub date: civil::Date,
    /// Where it stands.
    pub state: State,
    /// How often it was handed to the sink.
    pub attempts: u32,
    /// Not before this.
    pub next_try_at: Option<Timestamp>,
    /// What it covers.
    pub window: Window,
    /// What the sink gave back.
    pub receipt: Option<String>,
    /// The briefing as JSON.
    pub body: String,
}

impl Delivery {
    /// Returns the key a sink stores with the message and looks up before a second try.
    pub fn key(&self) -> String {
        key_of(&self.member, self.date)
    }

    /// Returns whether nothing more will happen to it.
    pub fn is_settled(&self) -> bool {
        matches!(
            self.state,
            State::Sent | State::Quiet | State::Unknown | State::Missed
        )
    }
}

/// Returns the key of a member's briefing of a date.
pub fn key_of(member: &MemberId, date: civil::Date) -> String {
    format!("{member}-{date}")
}

const SELECT: &str = "SELECT member, date, state, attempts, next_try_at, window_after, window_upto, upto_seq, receipt, body FROM deliveries";

fn from_row(row: &Row<'_>) -> Result<Delivery> {
    let (date, state): (String, String) = (row.get(1)?, row.get(2)?);
    let (Ok(date), Some(state)) = (date.parse(), State::parse(&state)) else {
        bail!("the store holds a delivery of the date {date:?} in the state {state:?}")
    };
    Ok(Delivery {
        member: MemberId::new(row.get::<_, String>(0)?),
        date,
        state,
        attempts: row.get(3)?,
        next_try_at: row.get::<_, Option<i64>>(4)?.map(moment),
        window: Window {
            after: Learned(moment(row.get(5)?)),
            upto: Learned(moment(row.get(6)?)),
            upto_seq: Seq(row.get(7)?),
        },
        receipt: row.get(8)?,
        body: row.get(9)?,
    })
}

/// Returns a member's delivery of a date.
pub fn delivery(c: &Connection, member: &MemberId, date: civil::Date) -> Result<Option<Delivery>> {
    let mut statement = c.prepare_cached(&format!("{SELECT} WHERE member = ?1 AND date = ?2"))?;
    let mut rows = statement.query(params![member.as_str(), date.to_string()])?;
    rows.next()?.map(from_row).transpose()
}

/// Returns a member's latest delivery before a date that is done with; a missed one is not, it is caught up on.
pub fn last_settled(
    c: &Connection,
    member: &MemberId,
    before: civil::Date,
) -> Result<Option<Delivery>> {
    let mut statement = c.prepare_cached(&format!(
        "{SELECT} WHERE member = ?1 AND date < ?2 AND state IN ('sent', 'quiet', 'unknown') ORDER BY date DESC LIMIT 1"
    ))?;
    let mut rows = statement.query(params![member.as_str(), before.to_string()])?;
    rows.next()?.map(from_row).transpose()
}

/// Returns every delivery that is not settled.
pub fn unsettled(c: &Connection) -> Result<Vec<Delivery>> {
    let mut statement = c.prepare_cached(&format!(
        "{SELECT} WHERE state IN ('planned', 'sending', 'failed') ORDER BY date, member"
    ))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_row(row)?);
    }
    Ok(found)
}

/// Returns the latest deliveries, the newest first; of one member or of all.
pub fn latest(c: &Connection, member: Option<&MemberId>, limit: usize) -> Result<Vec<Delivery>> {
    let mut statement = c.prepare_cached(&format!(
        "{SELECT} WHERE ?1 IS NULL OR member = ?1 ORDER BY date DESC, window_upto DESC, member LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![member.map(MemberId::as_str), limit as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_row(row)?);
    }
    Ok(found)
}

/// Plans a delivery, or renews the window of one that was planned before and not settled.
/// Returns whether it may go ahead: not when the date is settled already.
pub fn plan(
    c: &Connection,
    member: &MemberId,
    date: civil::Date,
    window: &Window,
    hash: &str,
    body: &str,
) -> Result<bool> {
    let changed = c
        .prepare_cached(
            "INSERT INTO deliveries (member, date, state, window_after, window_upto, upto_seq, hash, body)
             VALUES (?1, ?2, 'planned', ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (member, date) DO UPDATE SET window_after = excluded.window_after,
               window_upto = excluded.window_upto, upto_seq = excluded.upto_seq, hash = excluded.hash, body = excluded.body
             WHERE state IN ('planned', 'failed')",
        )?
        .execute(params![
            member.as_str(),
            date.to_string(),
            micros(window.after.0),
            micros(window.upto.0),
            window.upto_seq.0,
            hash,
            body
        ])?;
    Ok(changed > 0)
}

/// Lets a delivery that waits for another try be tried now, as if it had not failed before; whether the sink has it is
/// still looked up first.
pub fn try_now(c: &Connection, member: &MemberId, date: civil::Date) -> Result<()> {
    c.execute(
        "UPDATE deliveries SET next_try_at = NULL, attempts = 0
         WHERE member = ?1 AND date = ?2 AND state IN ('failed', 'sending')",
        params![member.as_str(), date.to_string()],
    )?;
    Ok(())
}

/// Marks a delivery as handed to the sink, from now until it is settled.
///
/// # Errors
/// When it was not planned: sending it would be a second message.
pub fn begin(c: &Connection, member: &MemberId, date: civil::Date) -> Result<()> {
    let changed = c
        .prepare_cached(
            "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, next_try_at = NULL
             WHERE member = ?1 AND date = ?2 AND state IN ('planned', 'failed')",
        )?
        .execute(params![member.as_str(), date.to_string()])?;
    if changed == 0 {
        bail!(
            "the briefing {} is not waiting to be sent",
            key_of(member, date)
        );
    }
    Ok(())
}

/// Counts one more failure of a delivery and returns how many there were. The first one was counted when it was begun;
/// a look-up that fails later counts here.
pub fn count_failure(c: &Connection, member: &MemberId, date: civil::Date) -> Result<u32> {
    Ok(c.prepare_cached(
        "UPDATE deliveries SET attempts = attempts + (state = 'failed' OR next_try_at IS NOT NULL) WHERE member = ?1 AND date = ?2 RETURNING attempts",
    )?
    .query_row(params![member.as_str(), date.to_string()], |row| row.get(0))?)
}

/// Puts an end to a delivery, or back to `planned` or `failed` for another try.
pub fn settle(
    c: &Connection,
    member: &MemberId,
    date: civil::Date,
    state: State,
    receipt: Option<&str>,
    now: Timestamp,
    next_try_at: Option<Timestamp>,
) -> Result<()> {
    c.prepare_cached(
        "UPDATE deliveries SET state = ?3, receipt = coalesce(?4, receipt), settled_at = ?5, next_try_at = ?6
         WHERE member = ?1 AND date = ?2",
    )?
    .execute(params![
        member.as_str(),
        date.to_string(),
        state.as_str(),
        receipt,
        micros(now),
        next_try_at.map(micros)
    ])?;
    Ok(())
}

/// Returns what a reader was shown on an earlier date, by position: how often, and the last date.
pub fn shown_before(
    c: &Connection,
    member: &MemberId,
    date: civil::Date,
) -> Result<Vec<(Seq, u32, civil::Date)>> {
    let mut statement = c.prepare_cached(
        "SELECT seq, count(*), max(date) FROM shown WHERE member = ?1 AND date < ?2 GROUP BY seq",
    )?;
    let mut rows = statement.query(params![member.as_str(), date.to_string()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let date: String = row.get(2)?;
        if let Ok(date) = date.parse() {
            found.push((Seq(row.get(0)?), row.get(1)?, date));
        }
    }
    Ok(found)
}

/// Notes what a reader was shown.
pub fn put_shown(c: &Connection, member: &MemberId, date: civil::Date, seqs: &[Seq]) -> Result<()> {
    let mut insert =
        c.prepare_cached("INSERT OR IGNORE INTO shown (member, seq, date) VALUES (?1, ?2, ?3)")?;
    for seq in seqs {
        insert.execute(params![member.as_str(), seq.0, date.to_string()])?;
    }
    Ok(())
}
