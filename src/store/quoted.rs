//! Which stored briefings quote an event or name its thread; when the event goes, its words leave them too.

use anyhow::Result;
use jiff::civil;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::model::{MemberId, Seq, ThreadId};

#[cfg(test)]
mod tests;

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

/// Notes which threads a briefing names; a message of a talk that is named by itself counts as its thread.
pub fn put_named(
    c: &Connection,
    member: &MemberId,
    date: civil::Date,
    threads: &[&ThreadId],
) -> Result<()> {
    let mut insert = c.prepare_cached(
        "INSERT OR IGNORE INTO named (tid, member, date)
         SELECT tid, ?3, ?4 FROM (SELECT tid FROM threads WHERE connector = ?1 AND id = ?2
           UNION SELECT tid FROM events WHERE connector = ?1 AND id = ?2)",
    )?;
    for thread in threads {
        insert.execute(params![
            thread.connector.as_str(),
            &*thread.id,
            member.as_str(),
            date.to_string()
        ])?;
    }
    Ok(())
}

/// Takes the words of an event, and of its edits, out of every stored briefing that quotes them or names their thread; with
/// the last words of a thread its title and links go, too. The lines stay in their places without texts, because what
/// readers say of a line names its number. The event's own words must be there still.
pub fn unsay(c: &Connection, seq: Seq) -> Result<()> {
    let Some(gone) = Gone::of(c, seq)? else {
        return Ok(());
    };
    let naming: Vec<(String, String, String)> = c
        .prepare_cached(
            "SELECT member, date, body FROM deliveries JOIN (
               SELECT member, date FROM quoted WHERE seq IN (SELECT seq FROM events WHERE seq = ?1 OR of_seq = ?1)
               UNION SELECT member, date FROM named
                 WHERE tid IN (SELECT tid FROM events WHERE seq = ?1 UNION SELECT topic FROM events WHERE seq = ?1))
             USING (member, date) WHERE body <> ''",
        )?
        .query_map([seq.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (member, date, body) in naming {
        // What cannot be read cannot be taken out either, and may not keep a deletion from being stored.
        let left = match serde_json::from_str::<Value>(&body) {
            Ok(mut body) => {
                gone.leave(&mut body);
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
    for table in ["quoted", "named"] {
        c.execute(
            &format!(
                "DELETE FROM {table} WHERE NOT EXISTS (SELECT 1 FROM deliveries d
                 WHERE d.member = {table}.member AND d.date = {table}.date AND d.body <> '')"
            ),
            [],
        )?;
    }
    Ok(())
}

/// Something whose words are to go.
struct Gone {
    /// The event and its edits, as briefings cite them.
    events: Vec<(String, String)>,
    /// The thread it stands in and the one under which it is shown.
    threads: Vec<(String, String)>,
    /// Those of them in which nothing is left.
    ended: Vec<(String, String)>,
    /// What it says and said.
    texts: Vec<String>,
}

impl Gone {
    fn of(c: &Connection, seq: Seq) -> Result<Option<Gone>> {
        let pairs = |sql: &str| -> Result<Vec<(String, String)>> {
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement.query_map([seq.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        let events =
            pairs("SELECT connector, id FROM events WHERE seq = ?1 OR of_seq = ?1 ORDER BY seq")?;
        if events.is_empty() {
            return Ok(None);
        }
        let about = "SELECT t.connector, t.id FROM events e JOIN threads t ON t.tid IN (e.tid, e.topic) WHERE e.seq = ?1";
        let said = "kind IN ('posted', 'opened') AND removed = 0 AND seq <> ?1";
        let texts = pairs("SELECT text, aside FROM events WHERE seq = ?1 OR of_seq = ?1")?;
        Ok(Some(Gone {
            events,
            threads: pairs(about)?,
            // A talk is shown under its first message's thread, so both are looked at.
            ended: pairs(&format!(
                "{about} AND NOT EXISTS (SELECT 1 FROM events s WHERE s.tid = t.tid AND {said})
                   AND NOT EXISTS (SELECT 1 FROM events s WHERE s.topic = t.tid AND {said})"
            ))?,
            texts: texts.into_iter().map(|(text, _)| text).collect(),
        }))
    }

    /// Takes it out of a briefing with the names of `brief::render::to_json`.
    fn leave(&self, briefing: &mut Value) {
        let mut is_touched = false;
        for item in briefing["items"].as_array_mut().into_iter().flatten() {
            let mut is_hit = false;
            for citation in item["citations"].as_array_mut().into_iter().flatten() {
                if is_among(&self.events, citation) {
                    citation["quote"] = "".into();
                    citation["author"] = Value::Null;
                    is_hit = true;
                }
            }
            let mut is_about = is_hit;
            for thread in item["threads"].as_array_mut().into_iter().flatten() {
                is_about |= is_among(&self.threads, thread);
                is_hit |= self.unname(thread);
            }
            if is_hit || is_about && self.is_said_in(item["headline"].as_str().unwrap_or_default())
            {
                item["headline"] = GONE.into();
            }
            if is_hit {
                item["facts"] = "".into();
                if let Some(answer_by) = item["answer_by"].as_object_mut() {
                    answer_by.remove("asker");
                }
            }
            if is_about {
                // A model words a thread as a whole, with messages that it does not cite. Before its words stand the facts.
                item["summary"] = item["facts"].clone();
            }
            is_touched |= is_about;
        }
        for thread in briefing["also"].as_array_mut().into_iter().flatten() {
            is_touched |= self.unname(thread);
        }
        for waiting in briefing["waiting"].as_array_mut().into_iter().flatten() {
            if is_among(&self.events, &waiting["citation"]) {
                waiting["citation"]["quote"] = "".into();
                is_touched = true;
            }
            is_touched |= self.unname(&mut waiting["thread"]);
        }
        if let (true, Some(fields)) = (is_touched, briefing.as_object_mut()) {
            // A model's few words on top are made of all lines together.
            fields.remove("theme");
        }
    }

    /// Empties the name of a thread that has ended, or of a message that is gone; returns whether it was one.
    fn unname(&self, thread: &mut Value) -> bool {
        // A thread often bears the id of its first message, and outlives it.
        let is_message = is_among(&self.events, thread) && !is_among(&self.threads, thread);
        let is_gone = is_message || is_among(&self.ended, thread);
        if is_gone {
            thread["label"] = GONE.into();
            thread["url"] = "".into();
        }
        is_gone
    }

    /// Returns whether a headline is made of the words: behind who or what stand the first of them, some left out.
    fn is_said_in(&self, headline: &str) -> bool {
        let endings = headline
            .match_indices(" · ")
            .map(|(at, dot)| &headline[at + dot.len()..]);
        [headline].into_iter().chain(endings).any(|title| {
            let words: Vec<&str> = words_of(title).collect();
            let is_of = |text: &String| {
                let mut said = words_of(text);
                words.iter().all(|word| said.any(|other| other == *word))
            };
            !words.is_empty() && self.texts.iter().any(is_of)
        })
    }
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

fn is_among(ids: &[(String, String)], named: &Value) -> bool {
    ids.iter()
        .any(|(connector, id)| named["connector"] == **connector && named["id"] == **id)
}
