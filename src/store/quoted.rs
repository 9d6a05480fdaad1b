//! Which stored briefings quote an event; when the event goes, its words leave them too.

use anyhow::Result;
use jiff::civil;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::model::{MemberId, Seq};

/// Stands where the words of a line were.
const GONE: &str = "removed at its source";

/// Notes which events a briefing quotes.
pub fn put(c: &Connection, member: &MemberId, date: civil::Date, seqs: &[Seq]) -> Result<()> {
    let mut insert =
        c.prepare_cached("INSERT OR IGNORE INTO quoted (seq, member, date) VALUES (?1, ?2, ?3)")?;
    for seq in seqs {
        insert.execute(params![seq.0, member.as_str(), date.to_string()])?;
    }
    Ok(())
}

/// Takes the words of an event, and of its edits, out of every stored briefing that quotes them. The lines stay in their
/// places without texts, because what readers say of a line names its number.
pub fn unsay(c: &Connection, seq: Seq) -> Result<()> {
    let ids: Vec<(String, String)> = c
        .prepare_cached("SELECT connector, id FROM events WHERE seq = ?1 OR of_seq = ?1")?
        .query_map([seq.0], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let quoting: Vec<(String, String, String)> = c
        .prepare_cached(
            "SELECT DISTINCT member, date, body FROM quoted JOIN deliveries USING (member, date)
             WHERE seq IN (SELECT seq FROM events WHERE seq = ?1 OR of_seq = ?1) AND body <> ''",
        )?
        .query_map([seq.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (member, date, body) in quoting {
        // What cannot be read cannot be taken out either, and may not keep a deletion from being stored.
        let left = match serde_json::from_str::<Value>(&body) {
            Ok(mut body) => {
                without(&mut body, &ids);
                body.to_string()
            }
            Err(_) => String::new(),
        };
        c.prepare_cached("UPDATE deliveries SET body = ?3 WHERE member = ?1 AND date = ?2")?
            .execute(params![member, date, left])?;
    }
    Ok(())
}

/// Forgets of which briefings the words are gone anyway.
pub fn prune(c: &Connection) -> Result<()> {
    c.execute(
        "DELETE FROM quoted WHERE NOT EXISTS (SELECT 1 FROM deliveries d
         WHERE d.member = quoted.member AND d.date = quoted.date AND d.body <> '')",
        [],
    )?;
    Ok(())
}

/// Empties the texts of what rests on the events, in a briefing with the names of `brief::render::to_json`.
fn without(briefing: &mut Value, ids: &[(String, String)]) {
    let is_gone = |citation: &Value| {
        ids.iter()
            .any(|(connector, id)| citation["connector"] == **connector && citation["id"] == **id)
    };
    let mut is_touched = false;
    for item in briefing["items"].as_array_mut().into_iter().flatten() {
        let mut is_hit = false;
        for citation in item["citations"].as_array_mut().into_iter().flatten() {
            if is_gone(citation) {
                citation["quote"] = "".into();
                is_hit = true;
            }
        }
        if is_hit {
            item["headline"] = GONE.into();
            item["facts"] = "".into();
            item["summary"] = "".into();
        }
        is_touched |= is_hit;
    }
    for waiting in briefing["waiting"].as_array_mut().into_iter().flatten() {
        if is_gone(&waiting["citation"]) {
            waiting["citation"]["quote"] = "".into();
        }
    }
    if let (true, Some(fields)) = (is_touched, briefing.as_object_mut()) {
        // A model's few words on top are made of all lines together.
        fields.remove("theme");
    }
}
