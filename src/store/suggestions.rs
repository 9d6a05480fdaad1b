//! The ledger of suggestions: what was said about which ticket, what the tracker's later owner made of it, how often it
//! was right.

pub mod forgotten;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};

use super::{micros, moment};
use crate::model::suggestion::{Candidate, Evidence, Exclusion, Ladder};
use crate::model::{ConnectorId, MemberId, Seq, TeamId};

/// What was said about a ticket in one state.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The row's number; 0 before it is stored.
    pub id: i64,
    /// The tracker.
    pub connector: ConnectorId,
    /// The ticket, by the source's id.
    pub ticket: String,
    /// A hash of what the ticket said.
    pub state: String,
    /// How far daybrief may go with it.
    pub mode: Ladder,
    /// When it was said.
    pub made_at: Timestamp,
    /// The area, with its probability; 1 where the ticket says so itself.
    pub area: Option<(String, f32)>,
    /// Who was on duty for the area.
    pub duty: Option<(TeamId, MemberId)>,
    /// The probability from which a candidate stood out.
    pub threshold: f32,
    /// Whether nobody stood out.
    pub is_abstained: bool,
    /// The first candidate's account.
    pub first_account: Option<String>,
    /// Who might take it, best first.
    pub candidates: Vec<Candidate>,
    /// Who was left out and why.
    pub excluded: BTreeMap<MemberId, Exclusion>,
    /// Tickets it may repeat, with the likeness.
    pub repeats: Vec<(String, f32)>,
    /// What came of it.
    pub outcome: Option<Outcome>,
}

/// What the tracker's later owner made of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first candidate has it.
    Right,
    /// Somebody else has it.
    Changed,
    /// It was closed without an owner.
    Nobody,
}

impl Outcome {
    /// Returns the stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Right => "right",
            Outcome::Changed => "changed",
            Outcome::Nobody => "none",
        }
    }

    fn of(name: &str) -> Option<Outcome> {
        [Outcome::Right, Outcome::Changed, Outcome::Nobody]
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

/// How often the suggestions of a span were right, a ticket counted once and abstentions left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Tickets somebody stood out for.
    pub suggested: u64,
    /// … that the first candidate took.
    pub right: u64,
    /// … that somebody else took.
    pub changed: u64,
    /// … that nobody has yet.
    pub open: u64,
    /// Tickets nobody stood out for.
    pub abstained: u64,
}

impl Score {
    /// Returns the share that was right of what is known, if anything is.
    pub fn precision(&self) -> Option<f64> {
        let known = self.right + self.changed;
        (known > 0).then(|| self.right as f64 / known as f64)
    }
}

/// Stores a suggestion; returns its number, or `None` when this state of the ticket has one already.
pub fn put(c: &Connection, said: &Recorded) -> Result<Option<i64>> {
    let added = c
        .prepare_cached(
            "INSERT OR IGNORE INTO suggestions (connector, ticket, state, mode, made_at, area, area_probability, team, duty,
               threshold, abstained, first_account, candidates, excluded, repeats)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            said.connector.as_str(),
            said.ticket,
            said.state,
            said.mode.as_str(),
            micros(said.made_at),
            said.area.as_ref().map(|(name, _)| name),
            said.area.as_ref().map(|(_, share)| f64::from(*share)),
            said.duty.as_ref().map(|(team, _)| team.as_str()),
            said.duty.as_ref().map(|(_, member)| member.as_str()),
            f64::from(said.threshold),
            said.is_abstained,
            said.first_account,
            candidates_to_row(&said.candidates),
            excluded_to_row(&said.excluded),
            json!(said.repeats).to_string(),
        ])?;
    Ok((added > 0).then(|| c.last_insert_rowid()))
}

/// Returns whether a state of a ticket has its suggestion.
pub fn is_known(
    c: &Connection,
    connector: &ConnectorId,
    ticket: &str,
    state: &str,
) -> Result<bool> {
    Ok(c.prepare_cached(
        "SELECT 1 FROM suggestions WHERE connector = ?1 AND ticket = ?2 AND state = ?3",
    )?
    .exists(params![connector.as_str(), ticket, state])?)
}

const SELECT: &str = "SELECT id, connector, ticket, state, mode, made_at, area, area_probability, team, duty, threshold,
    abstained, first_account, candidates, excluded, repeats, outcome FROM suggestions";

/// Returns the suggestions of a tracker that nothing has come of yet, oldest first.
pub fn unsettled(c: &Connection, connector: &ConnectorId) -> Result<Vec<Recorded>> {
    let sql = format!("{SELECT} WHERE connector = ?1 AND outcome IS NULL ORDER BY id");
    recorded(c, &sql, params![connector.as_str()])
}

/// Returns the latest suggestion for a ticket.
pub fn latest(c: &Connection, connector: &ConnectorId, ticket: &str) -> Result<Option<Recorded>> {
    let sql = format!("{SELECT} WHERE connector = ?1 AND ticket = ?2 ORDER BY id DESC LIMIT 1");
    let found = recorded(c, &sql, params![connector.as_str(), ticket])?;
    Ok(found.into_iter().next())
}

/// Returns a suggestion by its number.
pub fn by_id(c: &Connection, id: i64) -> Result<Option<Recorded>> {
    let found = recorded(c, &format!("{SELECT} WHERE id = ?1"), params![id])?;
    Ok(found.into_iter().next())
}

/// Returns the latest suggestion of each ticket that was made in `[after, upto)` for the first time and may be shown in
/// briefings.
pub fn first_made_between(
    c: &Connection,
    after: Timestamp,
    upto: Timestamp,
) -> Result<Vec<Recorded>> {
    let sql = format!(
        "{SELECT} s WHERE id IN (
           SELECT max(id) FROM suggestions WHERE made_at < ?2 GROUP BY connector, ticket HAVING min(made_at) >= ?1)
         AND mode IN ('briefing', 'comment', 'assign') ORDER BY id"
    );
    recorded(c, &sql, params![micros(after), micros(upto)])
}

fn recorded(c: &Connection, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<Recorded>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(recorded_from_row(row)?);
    }
    Ok(found)
}

fn recorded_from_row(row: &Row<'_>) -> Result<Recorded> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let number = |at: usize| row.get::<_, Option<f64>>(at);
    let area = text(6)?.zip(number(7)?);
    let duty = text(8)?.zip(text(9)?);
    Ok(Recorded {
        id: row.get(0)?,
        connector: ConnectorId::new(row.get::<_, String>(1)?),
        ticket: row.get(2)?,
        state: row.get(3)?,
        mode: Ladder::of(&row.get::<_, String>(4)?).unwrap_or(Ladder::Off),
        made_at: moment(row.get(5)?),
        area: area.map(|(name, share)| (name, share as f32)),
        duty: duty.map(|(team, member)| (TeamId::new(team), MemberId::new(member))),
        threshold: row.get::<_, f64>(10)? as f32,
        is_abstained: row.get(11)?,
        first_account: text(12)?,
        candidates: candidates_from_row(&row.get::<_, String>(13)?)?,
        excluded: excluded_from_row(&row.get::<_, String>(14)?)?,
        repeats: serde_json::from_str(&row.get::<_, String>(15)?)
            .context("a stored suggestion is damaged")?,
        outcome: text(16)?.and_then(|name| Outcome::of(&name)),
    })
}

/// Writes down what came of a suggestion.
pub fn settle(
    c: &Connection,
    id: i64,
    outcome: Outcome,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    c.prepare_cached(
        "UPDATE suggestions SET outcome = ?2, owner = ?3, settled_at = ?4 WHERE id = ?1",
    )?
    .execute(params![id, outcome.as_str(), owner, micros(now)])?;
    Ok(())
}

/// Returns how the suggestions made in `[after, upto)` did: of one tracker or all, of one area or all.
pub fn score(
    c: &Connection,
    connector: Option<&ConnectorId>,
    area: Option<&str>,
    after: Timestamp,
    upto: Timestamp,
) -> Result<Score> {
    // Of several states of one ticket the last one counts.
    let sql = "SELECT
        count(*) FILTER (WHERE NOT abstained AND coalesce(outcome, '') <> 'none'),
        count(*) FILTER (WHERE NOT abstained AND outcome = 'right'),
        count(*) FILTER (WHERE NOT abstained AND outcome = 'changed'),
        count(*) FILTER (WHERE NOT abstained AND outcome IS NULL),
        count(*) FILTER (WHERE abstained)
      FROM suggestions WHERE id IN (
        SELECT max(id) FROM suggestions WHERE made_at >= ?1 AND made_at < ?2
          AND (?3 IS NULL OR connector = ?3) AND (?4 IS NULL OR area = ?4) GROUP BY connector, ticket)";
    let connector = connector.map(ConnectorId::as_str);
    let values = params![micros(after), micros(upto), connector, area];
    Ok(c.prepare_cached(sql)?.query_row(values, |row| {
        Ok(Score {
            suggested: row.get(0)?,
            right: row.get(1)?,
            changed: row.get(2)?,
            open: row.get(3)?,
            abstained: row.get(4)?,
        })
    })?)
}

/// Stores who else could answer an ask, best first, in place of what was stored before.
pub fn put_stand_ins(
    c: &Connection,
    ask: Seq,
    candidates: &[Candidate],
    now: Timestamp,
) -> Result<()> {
    c.prepare_cached(
        "INSERT OR REPLACE INTO stand_ins (seq, candidates, made_at) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![ask.0, candidates_to_row(candidates), micros(now)])?;
    Ok(())
}

/// Returns who else could answer an ask, best first, and when that was found; `None` when nobody looked yet.
pub fn stand_ins(c: &Connection, ask: Seq) -> Result<Option<(Vec<Candidate>, Timestamp)>> {
    let found = c
        .prepare_cached("SELECT candidates, made_at FROM stand_ins WHERE seq = ?1")?
        .query_row([ask.0], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()?;
    found
        .map(|(json, at)| Ok((candidates_from_row(&json)?, moment(at))))
        .transpose()
}

fn candidates_to_row(candidates: &[Candidate]) -> String {
    let all: Vec<Value> = candidates
        .iter()
        .map(|candidate| {
            let evidence: Vec<Value> = candidate.evidence.iter().map(evidence_to_json).collect();
            json!({
                "member": candidate.member.as_str(), "probability": candidate.probability, "evidence": evidence,
                "although": candidate.although.map(Exclusion::as_str),
            })
        })
        .collect();
    Value::Array(all).to_string()
}

fn candidates_from_row(json: &str) -> Result<Vec<Candidate>> {
    let rows: Vec<Value> = serde_json::from_str(json).context("a stored suggestion is damaged")?;
    let candidate = |row: &Value| {
        let evidence = row["evidence"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Some(Candidate {
            member: MemberId::new(row["member"].as_str()?),
            probability: row["probability"].as_f64()? as f32,
            evidence: evidence.iter().filter_map(evidence_from_json).collect(),
            although: row["although"].as_str().and_then(exclusion_of),
        })
    };
    Ok(rows.iter().filter_map(candidate).collect())
}

fn excluded_to_row(excluded: &BTreeMap<MemberId, Exclusion>) -> String {
    let all: serde_json::Map<String, Value> = excluded
        .iter()
        .map(|(member, exclusion)| (member.to_string(), json!(exclusion.as_str())))
        .collect();
    Value::Object(all).to_string()
}

fn excluded_from_row(json: &str) -> Result<BTreeMap<MemberId, Exclusion>> {
    let rows: BTreeMap<String, String> =
        serde_json::from_str(json).context("a stored suggestion is damaged")?;
    Ok(rows
        .into_iter()
        .filter_map(|(member, reason)| Some((MemberId::new(member), exclusion_of(&reason)?)))
        .collect())
}

fn exclusion_of(name: &str) -> Option<Exclusion> {
    Exclusion::ALL
        .into_iter()
        .find(|exclusion| exclusion.as_str() == name)
}

/// Returns a reason as JSON: `kind` and what belongs to it. `suggest --json` prints the same.
pub fn evidence_to_json(evidence: &Evidence) -> Value {
    match evidence {
        Evidence::OwnedLike {
            ticket,
            likeness,
            at,
        } => json!({ "kind": "owned_like", "ticket": ticket, "likeness": likeness, "at": at }),
        Evidence::WroteOnLike {
            ticket,
            likeness,
            at,
        } => json!({ "kind": "wrote_on_like", "ticket": ticket, "likeness": likeness, "at": at }),
        Evidence::OwnedMany { count } => json!({ "kind": "owned_many", "count": count }),
        Evidence::OwnsComponent { name, count, of } => {
            json!({ "kind": "owns_component", "component": name, "count": count, "of": of })
        }
        Evidence::OwnsReporters { count, of } => {
            json!({ "kind": "owns_reporters", "count": count, "of": of })
        }
        Evidence::TakesOwn { share } => json!({ "kind": "takes_own", "share": share }),
        Evidence::OpenedWith => json!({ "kind": "opened_with" }),
        Evidence::OwnsPath { path } => json!({ "kind": "owns_path", "path": path }),
    }
}

fn evidence_from_json(json: &Value) -> Option<Evidence> {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    let share = |key: &str| json[key].as_f64().map(|share| share as f32);
    let count = |key: &str| json[key].as_u64().map(|count| count as usize);
    Some(match json["kind"].as_str()? {
        "owned_like" => Evidence::OwnedLike {
            ticket: text("ticket")?,
            likeness: share("likeness")?,
            at: json["at"].as_i64()?,
        },
        "wrote_on_like" => Evidence::WroteOnLike {
            ticket: text("ticket")?,
            likeness: share("likeness")?,
            at: json["at"].as_i64()?,
        },
        "owned_many" => Evidence::OwnedMany {
            count: count("count")?,
        },
        "owns_component" => Evidence::OwnsComponent {
            name: text("component")?,
            count: count("count")?,
            of: count("of")?,
        },
        "owns_reporters" => Evidence::OwnsReporters {
            count: count("count")?,
            of: count("of")?,
        },
        "takes_own" => Evidence::TakesOwn {
            share: share("share")?,
        },
        "opened_with" => Evidence::OpenedWith,
        "owns_path" => Evidence::OwnsPath {
            path: text("path")?,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn said(ticket: &str, state: &str, at: i64, is_abstained: bool) -> Recorded {
        let evidence = vec![
            Evidence::OwnedLike {
                ticket: "T-0".into(),
                likeness: 0.5,
                at: 7,
            },
            Evidence::OwnsComponent {
                name: "parser".into(),
                count: 3,
                of: 4,
            },
            Evidence::OwnedMany { count: 3 },
            Evidence::TakesOwn { share: 0.25 },
            Evidence::OpenedWith,
            Evidence::OwnsPath {
                path: "src/a.rs".into(),
            },
        ];
        Recorded {
            id: 0,
            connector: "tracker".into(),
            ticket: ticket.into(),
            state: state.into(),
            mode: Ladder::Briefing,
            made_at: Timestamp::from_second(at).unwrap(),
            area: Some(("parser".into(), 0.5)),
            duty: Some(("core".into(), "bo".into())),
            threshold: 0.75,
            is_abstained,
            first_account: Some("ana".into()),
            candidates: vec![Candidate {
                member: "ana".into(),
                probability: 0.5,
                evidence,
                although: Some(Exclusion::Away),
            }],
            excluded: [("bo".into(), Exclusion::Declined)].into(),
            repeats: vec![("T-0".into(), 0.5)],
            outcome: None,
        }
    }

    #[test]
    fn a_suggestion_is_stored_once_a_state_and_comes_back_whole() {
        let store = Store::in_memory().unwrap();
        store
            .write_now(|c| {
                let mut first = said("T-1", "a", 100, false);
                first.id = put(c, &first)?.unwrap();
                assert_eq!(put(c, &first)?, None);
                assert!(is_known(c, &"tracker".into(), "T-1", "a")?);
                assert!(!is_known(c, &"tracker".into(), "T-1", "b")?);
                assert_eq!(latest(c, &"tracker".into(), "T-1")?, Some(first.clone()));
                put_stand_ins(c, Seq(1), &first.candidates, first.made_at).unwrap_err();
                settle(c, first.id, Outcome::Changed, Some("bo"), first.made_at)?;
                assert!(unsettled(c, &"tracker".into())?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_score_counts_each_ticket_once_by_its_last_state() {
        let store = Store::in_memory().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        store
            .write_now(|c| {
                let put = |ticket, state, when, abstained, outcome: Option<Outcome>| {
                    let id = put(c, &said(ticket, state, when, abstained))?.unwrap();
                    if let Some(outcome) = outcome {
                        settle(c, id, outcome, None, at(999))?;
                    }
                    anyhow::Ok(())
                };
                put("T-1", "a", 10, false, Some(Outcome::Changed))?;
                put("T-1", "b", 11, false, Some(Outcome::Right))?;
                put("T-2", "a", 12, false, Some(Outcome::Changed))?;
                put("T-3", "a", 13, false, None)?;
                put("T-4", "a", 14, true, Some(Outcome::Right))?;
                put("T-5", "a", 15, false, Some(Outcome::Nobody))?;
                put("T-6", "a", 99, false, None)?;
                let all = score(c, None, None, at(0), at(50))?;
                let expected = Score {
                    suggested: 3,
                    right: 1,
                    changed: 1,
                    open: 1,
                    abstained: 1,
                };
                assert_eq!(all, expected);
                assert_eq!(all.precision(), Some(0.5));
                assert_eq!(score(c, None, Some("ui"), at(0), at(50))?.suggested, 0);
                assert_eq!(Score::default().precision(), None);
                let shown = first_made_between(c, at(11), at(50))?;
                let shown: Vec<&str> = shown.iter().map(|said| said.ticket.as_str()).collect();
                assert_eq!(shown, ["T-2", "T-3", "T-4", "T-5"], "T-1 was new before");
                Ok(())
            })
            .unwrap();
    }
}
