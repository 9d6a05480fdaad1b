//! How far each source has been read, what was skipped, and what went wrong.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{micros, moment};
use crate::connectors::{Again, Cursor, Skipped};
use crate::model::{ConnectorId, Gap};

/// Where a source stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The cursor, if a page was ever stored.
    pub cursor: Option<Cursor>,
    /// Whether the first sync is over.
    pub is_backfilled: bool,
    /// When it was last read to the end.
    pub synced_at: Option<Timestamp>,
    /// What went wrong the last time.
    pub error: Option<String>,
}

/// Returns where a source stands.
pub fn progress_of(c: &Connection, connector: &ConnectorId) -> Result<Progress> {
    let found = c
        .prepare_cached(
            "SELECT cursor, backfilled, synced_at, error FROM cursors WHERE connector = ?1",
        )?
        .query_row([connector.as_str()], |row| {
            Ok(Progress {
                cursor: row.get::<_, Option<String>>(0)?.map(Cursor),
                is_backfilled: row.get(1)?,
                synced_at: row.get::<_, Option<i64>>(2)?.map(moment),
                error: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Stores the cursor of a page; `at_end` says when the source was read to its end.
pub fn put_cursor(
    c: &Connection,
    connector: &ConnectorId,
    cursor: Option<&Cursor>,
    at_end: Option<Timestamp>,
) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO cursors (connector, cursor, backfilled, synced_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (connector) DO UPDATE SET cursor = coalesce(excluded.cursor, cursor),
           backfilled = max(backfilled, excluded.backfilled), synced_at = coalesce(excluded.synced_at, synced_at),
           error = NULL",
    )?
    .execute(params![connector.as_str(), cursor.map(|cursor| &cursor.0), at_end.is_some(), at_end.map(micros)])?;
    Ok(())
}

/// Notes that a source could not be read.
pub fn put_error(c: &Connection, connector: &ConnectorId, error: &str) -> Result<()> {
    c.prepare_cached(
        "INSERT INTO cursors (connector, error) VALUES (?1, ?2) ON CONFLICT (connector) DO UPDATE SET error = excluded.error",
    )?
    .execute(params![connector.as_str(), error])?;
    Ok(())
}

/// Notes items that were left out; the same one counts once.
pub fn put_skips(
    c: &Connection,
    connector: &ConnectorId,
    skipped: &[Skipped],
    now: Timestamp,
) -> Result<()> {
    let mut insert = c.prepare_cached(
        "INSERT OR IGNORE INTO skips (connector, at, reason, seen_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for skip in skipped {
        insert.execute(params![
            connector.as_str(),
            skip.at,
            skip.reason,
            micros(now)
        ])?;
    }
    Ok(())
}

/// Forgets what was said of a file, or of its part behind a line: it has been read anew.
pub fn forget_skips(c: &Connection, connector: &ConnectorId, again: &Again) -> Result<()> {
    // Not by LIKE: a name may hold `%` and `_`.
    c.prepare_cached(
        "DELETE FROM skips WHERE connector = ?1
         AND ((at = ?2 AND ?3 = 0)
           OR (substr(at, 1, length(?2) + 1) = ?2 || ':' AND CAST(substr(at, length(?2) + 2) AS INTEGER) > ?3))",
    )?
    .execute(params![connector.as_str(), again.at, again.after_line as i64])?;
    Ok(())
}

/// Returns the items of a source that were left out, latest first, those of one file by line.
pub fn skips_of(c: &Connection, connector: &ConnectorId, limit: usize) -> Result<Vec<Skipped>> {
    let mut statement = c.prepare_cached(
        "SELECT at, reason FROM skips WHERE connector = ?1 ORDER BY seen_at DESC,
           rtrim(at, '0123456789'), CAST(substr(at, length(rtrim(at, '0123456789')) + 1) AS INTEGER), reason LIMIT ?2",
    )?;
    let rows = statement.query_map(params![connector.as_str(), limit as i64], |row| {
        Ok(Skipped {
            at: row.get(0)?,
            reason: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns how many items of a source were left out.
pub fn count_skips(c: &Connection, connector: &ConnectorId) -> Result<u64> {
    Ok(c.query_row(
        "SELECT count(*) FROM skips WHERE connector = ?1",
        [connector.as_str()],
        |row| row.get(0),
    )?)
}

/// Notes what is missing somewhere.
pub fn put_gap(c: &Connection, gap: &Gap, now: Timestamp) -> Result<()> {
    c.execute(
        "INSERT INTO gaps (of_what, reason, seen_at) VALUES (?1, ?2, ?3)",
        params![gap.of, gap.reason, micros(now)],
    )?;
    Ok(())
}

/// Forgets the gap of something that is there after all.
pub fn close_gap(c: &Connection, of: &str) -> Result<()> {
    c.execute("DELETE FROM gaps WHERE of_what = ?1", [of])?;
    Ok(())
}

/// Returns the gaps noted since a moment, latest first.
pub fn gaps_since(c: &Connection, since: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Gap)>> {
    let mut statement = c.prepare_cached(
        "SELECT seen_at, of_what, reason FROM gaps WHERE seen_at >= ?1 ORDER BY seen_at DESC, id DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![micros(since), limit as i64], |row| {
        Ok((
            moment(row.get(0)?),
            Gap {
                of: row.get(1)?,
                reason: row.get(2)?,
            },
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How much one connector has stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Threads as they are shown: unthreaded talk counts by conversation.
    pub threads: u64,
    /// Events of every kind.
    pub events: u64,
    /// Open asks.
    pub open_asks: u64,
}

/// Returns how much one connector has stored.
pub fn counts_of(c: &Connection, connector: &ConnectorId) -> Result<Counts> {
    let count = |sql: &str| c.query_row(sql, [connector.as_str()], |row| row.get(0));
    Ok(Counts {
        threads: count("SELECT count(DISTINCT topic) FROM events WHERE connector = ?1")?,
        events: count("SELECT count(*) FROM events WHERE connector = ?1")?,
        open_asks: count(
            "SELECT count(*) FROM asks JOIN events USING (seq) WHERE events.connector = ?1 AND closed_seq IS NULL",
        )?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_of_a_file_goes_when_it_is_read_anew_and_lines_are_in_order() {
        let store = crate::store::Store::in_memory().unwrap();
        let id = ConnectorId::new("list");
        let skip = |at: &str| Skipped {
            at: at.to_owned(),
            reason: "odd".to_owned(),
        };
        let all = [
            "a.jsonl:2",
            "a.jsonl:10",
            "a.jsonl:100",
            "a.jsonl:1",
            "a.jsonl",
            "aXjsonl:3",
            "b:2",
        ];
        let left = |again: Option<(&str, u64)>| -> Vec<String> {
            let id = id.clone();
            let again = again.map(|(at, after_line)| Again {
                at: at.to_owned(),
                after_line,
            });
            let skips = store.write_now(|c| {
                c.execute("DELETE FROM skips", [])?;
                put_skips(c, &id, &all.map(skip), Timestamp::UNIX_EPOCH)?;
                if let Some(again) = again {
                    forget_skips(c, &id, &again)?;
                }
                skips_of(c, &id, 100)
            });
            skips.unwrap().into_iter().map(|skip| skip.at).collect()
        };
        assert_eq!(
            left(None),
            [
                "a.jsonl",
                "a.jsonl:1",
                "a.jsonl:2",
                "a.jsonl:10",
                "a.jsonl:100",
                "aXjsonl:3",
                "b:2"
            ]
        );
        assert_eq!(
            left(Some(("a.jsonl", 2))),
            ["a.jsonl", "a.jsonl:1", "a.jsonl:2", "aXjsonl:3", "b:2"]
        );
        assert_eq!(left(Some(("a.jsonl", 0))), ["aXjsonl:3", "b:2"]);
    }
}
