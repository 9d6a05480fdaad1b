//! What hooks said and has not been looked at yet.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::micros;
use crate::model::ConnectorId;

/// For how long deliveries are remembered: as long as senders repeat them.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// Notes a delivery; returns whether it is new.
pub fn put_hook(
    c: &Connection,
    connector: &ConnectorId,
    delivery: &str,
    objects: &[String],
    now: Timestamp,
) -> Result<bool> {
    let added = c
        .prepare_cached(
            "INSERT OR IGNORE INTO hooks (connector, delivery, objects, received_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            connector.as_str(),
            delivery,
            serde_json::to_string(objects)?,
            micros(now)
        ])?;
    Ok(added > 0)
}

/// Returns what is open for a connector: the number of the last delivery, and what they name.
pub fn open_hooks(
    c: &Connection,
    connector: &ConnectorId,
) -> Result<Option<(i64, BTreeSet<String>)>> {
    let mut statement = c.prepare_cached(
        "SELECT id, objects FROM hooks WHERE connector = ?1 AND done_at IS NULL ORDER BY id",
    )?;
    let mut rows = statement.query([connector.as_str()])?;
    let mut open: Option<(i64, BTreeSet<String>)> = None;
    while let Some(row) = rows.next()? {
        let (last, objects) = open.get_or_insert_default();
        *last = row.get(0)?;
        objects.extend(serde_json::from_str::<Vec<String>>(
            &row.get::<_, String>(1)?,
        )?);
    }
    Ok(open)
}

/// Notes that everything up to a delivery was looked at, and forgets what is a day old.
pub fn settle_hooks(
    c: &Connection,
    connector: &ConnectorId,
    upto: i64,
    now: Timestamp,
) -> Result<()> {
    c.prepare_cached(
        "UPDATE hooks SET done_at = ?3 WHERE connector = ?1 AND id <= ?2 AND done_at IS NULL",
    )?
    .execute(params![connector.as_str(), upto, micros(now)])?;
    c.prepare_cached("DELETE FROM hooks WHERE done_at IS NOT NULL AND received_at < ?1")?
        .execute([micros(now.saturating_sub(REMEMBERED)?)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_repetition_is_known_for_a_day_and_open_ones_stay() {
        let store = Store::in_memory().unwrap();
        let (office, code) = (ConnectorId::new("office"), ConnectorId::new("code"));
        let at = |hours: i64| Timestamp::from_second(hours * 3_600).unwrap();
        let put = |id: &ConnectorId, delivery: &str, object: &str, now| {
            let objects = vec![object.to_owned()];
            store
                .write_now(|c| put_hook(c, id, delivery, &objects, now))
                .unwrap()
        };
        assert!(put(&office, "1", "C1", at(0)));
        assert!(put(&office, "2", "C2", at(0)));
        assert!(put(&code, "1", "o/r#1", at(0)), "ids are the sender's own");
        assert!(!put(&office, "1", "C1", at(1)));
        let open = || store.read_now(|c| open_hooks(c, &office)).unwrap();
        let (last, objects) = open().unwrap();
        assert_eq!(objects, BTreeSet::from(["C1".to_owned(), "C2".to_owned()]));
        assert!(put(&office, "3", "C3", at(2)), "it came while we looked");
        let settle = |upto, now| {
            store
                .write_now(|c| settle_hooks(c, &office, upto, now))
                .unwrap();
        };
        settle(last, at(2));
        assert_eq!(open().unwrap().1, BTreeSet::from(["C3".to_owned()]));
        settle(last, at(25));
        assert!(put(&office, "1", "C1", at(25)), "forgotten after a day");
        let code = store.read_now(|c| open_hooks(c, &code)).unwrap();
        assert!(code.is_some(), "nobody looked at this one yet");
    }
}
