//! What goes out of the ledger: what it says of a person who is forgotten, and of tickets that are past their time.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{candidates_from_row, candidates_to_row, excluded_from_row, excluded_to_row};
use crate::model::{ConnectorId, Handle, MemberId, Seq};
use crate::store::micros;

/// Takes a person out of everything that was suggested; returns in how many suggestions they stood.
///
/// A comment of ours that names them is asked back from its tracker. That something was suggested, and whether it was right,
/// still counts.
pub fn forget(c: &Connection, id: &MemberId, handles: &[Handle], now: Timestamp) -> Result<usize> {
    let name = id.as_str();
    // Whom a comment names is known by its suggestion, so that comes first.
    let naming =
        "(member = ?1 OR suggestion IN (SELECT s.id FROM suggestions s, json_each(s.candidates) j
                  WHERE j.value ->> 'member' = ?1))";
    c.execute(
        &format!(
            "DELETE FROM postings WHERE {naming}
               AND (state = 'planned' AND stands = '' OR kind = 'assign' AND state NOT IN ('refused', 'undone'))"
        ),
        [name],
    )?;
    c.execute(
        &format!(
            "UPDATE postings SET body = '', member = NULL, attempts = 0, next_try_at = NULL, changed_at = ?2,
               state = CASE WHEN state IN ('refused', 'undone') THEN state ELSE 'undoing' END WHERE {naming}"
        ),
        params![name, micros(now)],
    )?;
    let mut count = 0;
    for (row, candidates, excluded) in rows(c, "SELECT id, candidates, excluded FROM suggestions")?
    {
        let (mut left, mut out) = (
            candidates_from_row(&candidates)?,
            excluded_from_row(&excluded)?,
        );
        let was_first = left.first().is_some_and(|first| first.member == *id);
        let before = left.len() + out.len();
        left.retain(|candidate| candidate.member != *id);
        out.remove(id);
        if left.len() + out.len() == before {
            continue;
        }
        count += 1;
        // Nobody stands out any more where they did and nothing has come of it yet.
        c.prepare_cached(
            "UPDATE suggestions SET candidates = ?2, excluded = ?3,
               first_account = iif(?4, NULL, first_account),
               abstained = iif(?4 AND outcome IS NULL, 1, abstained) WHERE id = ?1",
        )?
        .execute(params![
            row,
            candidates_to_row(&left),
            excluded_to_row(&out),
            was_first
        ])?;
    }
    c.execute(
        "UPDATE suggestions SET team = NULL, duty = NULL WHERE duty = ?1",
        [name],
    )?;
    for handle in handles {
        let own = params![handle.connector.as_str(), &*handle.id];
        for column in ["first_account", "owner"] {
            let sql = format!(
                "UPDATE suggestions SET {column} = NULL WHERE connector = ?1 AND {column} = ?2"
            );
            c.execute(&sql, own)?;
        }
    }
    for (row, candidates, _) in rows(c, "SELECT seq, candidates, '{}' FROM stand_ins")? {
        let mut left = candidates_from_row(&candidates)?;
        let before = left.len();
        left.retain(|candidate| candidate.member != *id);
        if left.len() < before {
            c.prepare_cached("UPDATE stand_ins SET candidates = ?2 WHERE seq = ?1")?
                .execute(params![row, candidates_to_row(&left)])?;
        }
    }
    forget_stand_ins(c)?;
    Ok(count)
}

/// Forgets who was suggested for the tickets of a tracker that were settled before a moment, and what we wrote there;
/// returns how many suggestions that were. How often they were right still counts.
pub fn expire(c: &Connection, connector: &ConnectorId, before: Timestamp) -> Result<usize> {
    let values = params![connector.as_str(), micros(before)];
    c.execute(
        "UPDATE postings SET body = '', stands = '', member = NULL WHERE connector = ?1 AND changed_at < ?2
           AND state IN ('posted', 'refused', 'undone')
           AND suggestion IN (SELECT id FROM suggestions WHERE settled_at < ?2)",
        values,
    )?;
    let expired = c.execute(
        "UPDATE suggestions SET candidates = '[]', excluded = '{}', repeats = '[]', first_account = NULL, owner = NULL,
           team = NULL, duty = NULL
         WHERE connector = ?1 AND settled_at < ?2 AND (candidates <> '[]' OR excluded <> '{}' OR repeats <> '[]')",
        values,
    )?;
    forget_stand_ins(c)?;
    Ok(expired)
}

/// Forgets what was made of an event's words: who could have answered it and, where it opened a ticket, whom we suggested
/// for that and what we wrote there. How often that was right still counts.
pub fn unsay(c: &Connection, seq: Seq) -> Result<()> {
    c.prepare_cached("DELETE FROM stand_ins WHERE seq = ?1")?
        .execute([seq.0])?;
    let ticket =
        "(connector, ticket) IN (SELECT t.connector, t.id FROM events e JOIN threads t USING (tid)
           WHERE e.seq = ?1 AND e.kind = 'opened')";
    c.prepare_cached(&format!(
        "UPDATE suggestions SET candidates = '[]', excluded = '{{}}', repeats = '[]',
           first_account = iif(outcome IS NULL, NULL, first_account), abstained = iif(outcome IS NULL, 1, abstained)
         WHERE {ticket}"
    ))?
    .execute([seq.0])?;
    // What is still to be said is said no more; what stands there went with the ticket.
    c.prepare_cached(&format!(
        "UPDATE postings SET body = '', state = iif(state IN ('planned', 'failed'), 'refused', state)
         WHERE {ticket} AND kind = 'comment'"
    ))?
    .execute([seq.0])?;
    Ok(())
}

/// Forgets who could have answered what is not asked any more.
fn forget_stand_ins(c: &Connection) -> Result<()> {
    c.execute(
        "DELETE FROM stand_ins WHERE seq IN (SELECT seq FROM events WHERE removed)",
        [],
    )?;
    Ok(())
}

fn rows(c: &Connection, sql: &str) -> Result<Vec<(i64, String, String)>> {
    let mut statement = c.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Outcome, Recorded, latest, put, score, settle};
    use super::*;
    use crate::model::suggestion::{Candidate, Exclusion, Ladder};
    use crate::store::Store;
    use crate::store::postings::{self, Kind, Posting, State};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Records a suggestion of `candidates` and what of it stands at the tracker; returns its number.
    fn suggest(c: &Connection, ticket: &str, candidates: &[&str], state: State) -> Result<i64> {
        let candidate = |name: &&str| Candidate {
            member: (*name).into(),
            probability: 0.5,
            evidence: Vec::new(),
            although: None,
        };
        let mut said = Recorded {
            id: 0,
            connector: "tracker".into(),
            ticket: ticket.into(),
            state: "a".into(),
            mode: Ladder::Comment,
            made_at: at(10),
            area: None,
            duty: Some(("core".into(), "ana".into())),
            threshold: 0.4,
            is_abstained: false,
            first_account: candidates.first().map(|name| format!("{name}-account")),
            candidates: candidates.iter().map(candidate).collect(),
            excluded: BTreeMap::from([
                ("ana".into(), Exclusion::Away),
                ("cy".into(), Exclusion::Away),
            ]),
            repeats: vec![("T-0".into(), 0.9)],
            outcome: None,
        };
        said.excluded
            .retain(|member, _| !candidates.contains(&member.as_str()));
        said.id = put(c, &said)?.unwrap();
        let posting = |kind, body: &str| Posting {
            connector: "tracker".into(),
            ticket: ticket.into(),
            kind,
            suggestion: said.id,
            state: State::Planned,
            body: body.into(),
            member: candidates.first().map(|name| (*name).into()),
            stands: Vec::new(),
            url: None,
            attempts: 0,
            next_try_at: None,
            changed_at: at(10),
        };
        let comment = posting(Kind::Comment, &candidates.join(" or "));
        postings::plan(c, &comment)?;
        postings::settle(c, &comment, state, None, None, at(11))?;
        postings::plan(
            c,
            &posting(Kind::Assign, &format!("{}-account", candidates[0])),
        )?;
        Ok(said.id)
    }

    /// Returns whether a word stands anywhere in a table.
    fn holds(c: &Connection, table: &str, word: &str) -> Result<bool> {
        let mut statement = c.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                let value: rusqlite::types::Value = row.get(column)?;
                if format!("{value:?}").contains(word) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    #[test]
    fn a_person_who_is_forgotten_stands_in_no_suggestion_and_in_no_comment() {
        let store = Store::in_memory().unwrap();
        let (id, handle) = (
            MemberId::new("ana"),
            Handle::new(&"tracker".into(), "ana-account"),
        );
        store
            .write_now(|c| {
                suggest(c, "T-1", &["ana", "bo"], State::Posted)?;
                suggest(c, "T-2", &["bo", "ana"], State::Planned)?;
                let done = suggest(c, "T-3", &["ana"], State::Undone)?;
                settle(c, done, Outcome::Right, Some("ana-account"), at(20))?;
                suggest(c, "T-4", &["bo"], State::Posted)?;
                let before = score(c, None, None, at(0), at(99))?;
                assert_eq!((before.suggested, before.right), (4, 1));
                assert!(holds(c, "suggestions", "ana")? && holds(c, "postings", "ana")?);

                assert_eq!(forget(c, &id, std::slice::from_ref(&handle), at(30))?, 4);
                assert!(!holds(c, "suggestions", "ana")? && !holds(c, "postings", "ana")?);
                let state = |ticket| {
                    let found = postings::posting(c, &"tracker".into(), ticket, Kind::Comment);
                    anyhow::Ok(found?.map(|posting| posting.state))
                };
                assert_eq!(state("T-1")?, Some(State::Undoing), "it is asked back");
                assert_eq!(state("T-2")?, None, "it was not there yet");
                assert_eq!(state("T-3")?, Some(State::Undone));
                assert_eq!(state("T-4")?, Some(State::Posted), "it names somebody else");
                let other = latest(c, &"tracker".into(), "T-4")?.unwrap();
                assert_eq!(other.candidates.len(), 1);
                assert!(other.excluded.contains_key(&MemberId::new("cy")));
                let after = score(c, None, None, at(0), at(99))?;
                assert_eq!((after.suggested, after.right, after.abstained), (3, 1, 1));
                assert_eq!(forget(c, &id, &[handle], at(31))?, 0);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_came_of_a_suggestion_is_kept_when_whom_it_named_is_past_its_time() {
        let store = Store::in_memory().unwrap();
        store
            .write_now(|c| {
                for (ticket, settled_at) in [("T-1", Some(20)), ("T-2", Some(60)), ("T-3", None)] {
                    let id = suggest(c, ticket, &["ana"], State::Posted)?;
                    if let Some(settled_at) = settled_at {
                        settle(c, id, Outcome::Right, Some("ana-account"), at(settled_at))?;
                    }
                }
                let before = score(c, None, None, at(0), at(99))?;
                assert_eq!(expire(c, &"other".into(), at(50))?, 0);
                assert_eq!(expire(c, &"tracker".into(), at(50))?, 1);
                assert_eq!(expire(c, &"tracker".into(), at(50))?, 0, "once");
                assert_eq!(score(c, None, None, at(0), at(99))?, before);
                for (ticket, named) in [("T-1", 0), ("T-2", 1), ("T-3", 1)] {
                    let said = latest(c, &"tracker".into(), ticket)?.unwrap();
                    assert_eq!(said.candidates.len(), named, "{ticket}");
                    let posting = postings::posting(c, &"tracker".into(), ticket, Kind::Comment)?;
                    assert_eq!(posting.unwrap().body.is_empty(), named == 0, "{ticket}");
                }
                Ok(())
            })
            .unwrap();
    }
}
