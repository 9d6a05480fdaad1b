//! Buttons that were pressed, from the moment they are heard until what came of them is shown.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::micros;
use crate::model::ConnectorId;

/// For how long a press is known when it comes again.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// What tells a press from all others: where it was heard, and its id there.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The workspace.
    pub connector: &'a ConnectorId,
    /// The id.
    pub id: &'a str,
}

/// Keeps a press of an account; one that is kept already stays as it is.
pub fn keep(
    c: &Connection,
    key: Key<'_>,
    account: &str,
    press: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO presses (connector, id, account, press, taken_at) VALUES (?1, ?2, ?3, ?4, ?5)";
    c.prepare_cached(sql)?.execute(params![
        key.connector.as_str(),
        key.id,
        account,
        press,
        micros(now)
    ])?;
    Ok(())
}

/// A press that is not done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its id.
    pub id: String,
    /// What was pressed, as it was kept.
    pub press: String,
    /// When it was kept.
    pub taken_at: Timestamp,
}

/// Returns the presses of a workspace that are not done with, oldest first.
pub fn open(c: &Connection, connector: &ConnectorId) -> Result<Vec<Open>> {
    let sql = "SELECT id, press, taken_at FROM presses WHERE connector = ?1 AND done_at IS NULL ORDER BY taken_at, id";
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map([connector.as_str()], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    rows.map(|row| {
        let (id, press, taken_at) = row?;
        Ok(Open {
            id,
            press,
            taken_at: Timestamp::from_microsecond(taken_at)?,
        })
    })
    .collect()
}

/// Notes that what a press says is stored; returns whether it was not yet. Belongs into the transaction that stores it.
pub fn count(c: &Connection, key: Key<'_>, now: Timestamp) -> Result<bool> {
    let own = params![key.connector.as_str(), key.id];
    let counted: Option<Option<i64>> = c
        .prepare_cached("SELECT counted_at FROM presses WHERE connector = ?1 AND id = ?2")?
        .query_row(own, |row| row.get(0))
        .optional()?;
    if let Some(Some(_)) = counted {
        return Ok(false);
    }
    c.prepare_cached("UPDATE presses SET counted_at = ?3 WHERE connector = ?1 AND id = ?2")?
        .execute(params![key.connector.as_str(), key.id, micros(now)])?;
    Ok(true)
}

/// Notes that a press is done with, drops what it was, and forgets those of the day before.
pub fn settle(c: &Connection, key: Key<'_>, now: Timestamp) -> Result<()> {
    c.prepare_cached(
        "UPDATE presses SET done_at = ?3, press = '' WHERE connector = ?1 AND id = ?2",
    )?
    .execute(params![key.connector.as_str(), key.id, micros(now)])?;
    // Those of a workspace that is not read any more go, too.
    c.prepare_cached("DELETE FROM presses WHERE taken_at < ?1")?
        .execute([micros(now.saturating_sub(REMEMBERED)?)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_press_is_kept_and_counted_once_and_its_words_go_when_it_is_done() {
        let store = Store::in_memory().unwrap();
        let office = ConnectorId::new("office");
        let (first, second) = ("UANA:1", "UANA:2");
        let key = |id| Key {
            connector: &office,
            id,
        };
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let later = now + SignedDuration::from_secs(1);
        let write = |f: &dyn Fn(&Connection) -> Result<()>| store.write_now(|c| f(c)).unwrap();
        let open_now = || store.read_now(|c| open(c, &office)).unwrap();
        write(&|c| keep(c, key(first), "UANA", "{1}", now));
        write(&|c| keep(c, key(first), "UANA", "{again}", later));
        write(&|c| keep(c, key(second), "UANA", "{2}", later));
        let of = |id: &str, press: &str, taken_at| Open {
            id: id.to_owned(),
            press: press.to_owned(),
            taken_at,
        };
        assert_eq!(
            open_now(),
            [of(first, "{1}", now), of(second, "{2}", later)]
        );

        write(&|c| {
            assert!(count(c, key(first), now)?);
            assert!(!count(c, key(first), later)?, "it counts once");
            assert!(count(c, key("UANA:9"), now)?, "nobody kept it");
            Ok(())
        });
        write(&|c| settle(c, key(first), now));
        assert_eq!(open_now(), [of(second, "{2}", later)]);
        write(&|c| keep(c, key(first), "UANA", "{again}", later));
        write(&|c| {
            assert!(!count(c, key(first), later)?, "nor when it comes again");
            Ok(())
        });
        let left: String = store
            .read_now(|c| {
                let sql = "SELECT group_concat(press, '') FROM presses";
                Ok(c.query_row(sql, [], |row| row.get(0))?)
            })
            .unwrap();
        assert_eq!(left, "{2}");

        let next = now + SignedDuration::from_hours(25);
        write(&|c| settle(c, key(second), next));
        let rows: i64 = store
            .read_now(|c| Ok(c.query_row("SELECT count(*) FROM presses", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(rows, 0, "those of yesterday are forgotten");
    }
}
