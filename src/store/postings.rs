//! What of ours stands at a tracker: written down before it is posted and settled after, so that a crash in between
//! neither doubles nor loses it.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{micros, moment};
use crate::model::{ConnectorId, MemberId};

/// What is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Our comment on the ticket.
    Comment,
    /// The ticket given to somebody.
    Assign,
    /// Our label on the ticket.
    Label,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Comment, Kind::Assign, Kind::Label];

    /// Returns the stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Comment => "comment",
            Kind::Assign => "assign",
            Kind::Label => "label",
        }
    }
}

/// Where a posting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Decided, not begun.
    Planned,
    /// Handed to the tracker; if we die now, the tracker is asked.
    Posting,
    /// It is there.
    Posted,
    /// The tracker did not take it; tried again later.
    Failed,
    /// The tracker will not take it, or somebody decided otherwise.
    Refused,
    /// It is being taken back.
    Undoing,
    /// A human took it back; nothing is posted on that ticket any more.
    Undone,
}

impl State {
    const ALL: [State; 7] = [
        State::Planned,
        State::Posting,
        State::Posted,
        State::Failed,
        State::Refused,
        State::Undoing,
        State::Undone,
    ];

    /// Returns the stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Planned => "planned",
            State::Posting => "posting",
            State::Posted => "posted",
            State::Failed => "failed",
            State::Refused => "refused",
            State::Undoing => "undoing",
            State::Undone => "undone",
        }
    }
}

/// A row of the outbox towards trackers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The tracker.
    pub connector: ConnectorId,
    /// The ticket, by the source's id.
    pub ticket: String,
    /// What it is.
    pub kind: Kind,
    /// The suggestion it says.
    pub suggestion: i64,
    /// Where it stands.
    pub state: State,
    /// The comment's text or the label, empty when it is to be withdrawn; or the account the ticket is given to.
    pub body: String,
    /// The member the ticket is given to, or who stands first in the comment.
    pub member: Option<MemberId>,
    /// The labels of ours that may be on the ticket; nobody else's are taken off.
    pub stands: Vec<String>,
    /// Where it can be read.
    pub url: Option<String>,
    /// How often the tracker did not take it.
    pub attempts: u32,
    /// When it is tried again.
    pub next_try_at: Option<Timestamp>,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// Puts a posting into the outbox, in place of what an earlier state of the ticket said; what a human took back stays so,
/// and what says the same already is left alone. Returns whether there is something to do.
pub fn plan(c: &Connection, posting: &Posting) -> Result<bool> {
    let changed = c
        .prepare_cached(
            "INSERT INTO postings (connector, ticket, kind, suggestion, state, body, member, changed_at)
             VALUES (?1, ?2, ?3, ?4, 'planned', ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET suggestion = excluded.suggestion, state = 'planned', body = excluded.body,
               member = excluded.member, attempts = 0, next_try_at = NULL, changed_at = excluded.changed_at
             WHERE state NOT IN ('undoing', 'undone') AND body <> excluded.body",
        )?
        .execute(params![
            posting.connector.as_str(),
            posting.ticket,
            posting.kind.as_str(),
            posting.suggestion,
            posting.body,
            posting.member.as_ref().map(MemberId::as_str),
            micros(posting.changed_at),
        ])?;
    Ok(changed > 0)
}

/// Marks a posting as handed over, or as being taken back; from here on the tracker knows more than we do.
///
/// Returns whether it was waiting; somebody else may have settled it meanwhile.
pub fn begin(c: &Connection, posting: &Posting, now: Timestamp) -> Result<bool> {
    let next = if posting.state == State::Undoing {
        State::Undoing
    } else {
        State::Posting
    };
    let changed = c
        .prepare_cached(
            "UPDATE postings SET state = ?4, changed_at = ?5, stands = ?6 WHERE connector = ?1 AND ticket = ?2 AND kind = ?3
               AND state IN ('planned', 'posting', 'failed', 'undoing')",
        )?
        .execute(params![
            posting.connector.as_str(),
            posting.ticket,
            posting.kind.as_str(),
            next.as_str(),
            micros(now),
            may_stand(posting).join("\n"),
        ])?;
    Ok(changed == 1)
}

/// Returns the labels that may be on a ticket once a posting has begun.
pub fn may_stand(posting: &Posting) -> Vec<String> {
    let mut labels = posting.stands.clone();
    let is_new = posting.state != State::Undoing && !labels.contains(&posting.body);
    if posting.kind == Kind::Label && is_new && !posting.body.is_empty() {
        labels.push(posting.body.clone());
    }
    labels
}

/// Writes down how a posting ended, or when it is tried again.
pub fn settle(
    c: &Connection,
    posting: &Posting,
    state: State,
    url: Option<&str>,
    next_try_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    c.prepare_cached(
        "UPDATE postings SET state = ?4, url = coalesce(?5, url), next_try_at = ?6, changed_at = ?7, stands = ?8,
           attempts = CASE ?4 WHEN 'failed' THEN attempts + 1 WHEN 'undoing' THEN attempts + 1 ELSE 0 END
         WHERE connector = ?1 AND ticket = ?2 AND kind = ?3",
    )?
    .execute(params![
        posting.connector.as_str(),
        posting.ticket,
        posting.kind.as_str(),
        state.as_str(),
        url,
        next_try_at.map(micros),
        micros(now),
        posting.stands.join("\n"),
    ])?;
    Ok(())
}

/// Notes whether a posting failed because the tracker refuses it; returns whether its kind of writing was known to fail that
/// way there. What fails for all tickets alike is said once.
pub fn note_failure(c: &Connection, posting: &Posting, is_refusal: bool) -> Result<bool> {
    let (connector, kind) = (posting.connector.as_str(), posting.kind.as_str());
    let is_known = c
        .prepare_cached(
            "SELECT 1 FROM postings WHERE connector = ?1 AND kind = ?2 AND attempts > 0 AND is_refusal = ?3",
        )?
        .query_row(params![connector, kind, is_refusal], |_| Ok(()))
        .optional()?
        .is_some();
    c.prepare_cached(
        "UPDATE postings SET is_refusal = ?4 WHERE connector = ?1 AND ticket = ?2 AND kind = ?3",
    )?
    .execute(params![connector, posting.ticket, kind, is_refusal])?;
    Ok(is_known)
}

/// Lets a ticket be given away again, because somebody asks for it by their own word; unless everything of ours was taken back.
pub fn reopen(c: &Connection, connector: &ConnectorId, ticket: &str) -> Result<()> {
    c.prepare_cached(
        "UPDATE postings SET state = 'refused', body = '' WHERE connector = ?1 AND ticket = ?2 AND kind = 'assign' AND state = 'undone'
           AND EXISTS (SELECT 1 FROM postings WHERE connector = ?1 AND ticket = ?2 AND kind <> 'assign' AND state NOT IN ('undoing', 'undone'))",
    )?
    .execute(params![connector.as_str(), ticket])?;
    Ok(())
}

/// Asks for what stands on a ticket to be taken back, and forbids more of it; returns what there was.
pub fn undo(
    c: &Connection,
    connector: &ConnectorId,
    ticket: &str,
    now: Timestamp,
) -> Result<Vec<Posting>> {
    c.prepare_cached(
        "UPDATE postings SET state = 'undoing', next_try_at = NULL, attempts = 0, changed_at = ?3
         WHERE connector = ?1 AND ticket = ?2 AND state <> 'undone'",
    )?
    .execute(params![connector.as_str(), ticket, micros(now)])?;
    let sql = format!("{SELECT} WHERE connector = ?1 AND ticket = ?2 AND state = 'undoing'");
    all(c, &sql, params![connector.as_str(), ticket])
}

const SELECT: &str = "SELECT connector, ticket, kind, suggestion, state, body, member, url, attempts, next_try_at, changed_at, stands
    FROM postings";

/// Returns what is to be done at trackers now, oldest first.
pub fn due(c: &Connection, now: Timestamp) -> Result<Vec<Posting>> {
    let sql = format!(
        "{SELECT} WHERE state IN ('planned', 'posting', 'failed', 'undoing') AND coalesce(next_try_at, 0) <= ?1
         ORDER BY changed_at, connector, ticket, kind"
    );
    all(c, &sql, params![micros(now)])
}

/// Returns what stands on open suggestions, to be asked what people made of it; the latest first.
pub fn watched(c: &Connection, since: Timestamp) -> Result<Vec<Posting>> {
    let sql = format!(
        "{SELECT} WHERE state = 'posted' AND body <> '' AND changed_at >= ?1
           AND suggestion IN (SELECT id FROM suggestions WHERE outcome IS NULL) ORDER BY changed_at DESC"
    );
    all(c, &sql, params![micros(since)])
}

/// Returns what of one kind stands on a ticket, or stood.
pub fn posting(
    c: &Connection,
    connector: &ConnectorId,
    ticket: &str,
    kind: Kind,
) -> Result<Option<Posting>> {
    let sql = format!("{SELECT} WHERE connector = ?1 AND ticket = ?2 AND kind = ?3");
    let found = all(c, &sql, params![connector.as_str(), ticket, kind.as_str()])?;
    Ok(found.into_iter().next())
}

/// Returns whether we gave a ticket to somebody and that still stands as far as we know.
pub fn is_given(c: &Connection, connector: &ConnectorId, ticket: &str) -> Result<bool> {
    Ok(c.prepare_cached(
        "SELECT 1 FROM postings WHERE connector = ?1 AND ticket = ?2 AND kind = 'assign' AND state IN ('posting', 'posted')",
    )?
    .query_row(params![connector.as_str(), ticket], |_| Ok(()))
    .optional()?
    .is_some())
}

/// Returns the labels of ours on a tracker's tickets, by ticket.
pub fn labels(c: &Connection, connector: &ConnectorId) -> Result<BTreeMap<String, Vec<String>>> {
    let sql = format!("{SELECT} WHERE connector = ?1 AND kind = 'label' AND stands <> ''");
    let standing = all(c, &sql, params![connector.as_str()])?;
    Ok(standing
        .into_iter()
        .map(|posting| (posting.ticket, posting.stands))
        .collect())
}

fn all(c: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Posting>> {
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map(values, from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Posting> {
    let state: String = row.get(4)?;
    let kind: String = row.get(2)?;
    Ok(Posting {
        connector: ConnectorId::new(row.get::<_, String>(0)?),
        ticket: row.get(1)?,
        kind: Kind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .unwrap_or(Kind::Comment),
        suggestion: row.get(3)?,
        state: State::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .unwrap_or(State::Refused),
        body: row.get(5)?,
        member: row.get::<_, Option<String>>(6)?.map(MemberId::new),
        url: row.get(7)?,
        attempts: row.get(8)?,
        next_try_at: row.get::<_, Option<i64>>(9)?.map(moment),
        changed_at: moment(row.get(10)?),
        stands: row
            .get::<_, String>(11)?
            .lines()
            .map(str::to_owned)
            .collect(),
    })
}
