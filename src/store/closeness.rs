//! How close a member works to others: whose threads they wrote in.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::{Connection, params};

use super::micros;
use crate::model::{Handle, Learned, Member, Window};

/// Returns for each account how close the member works to it, 0 to 1: the share of the threads with that account in
/// which the member wrote too, weighed down where there were few.
pub fn closeness_of(
    c: &Connection,
    member: &Member,
    window: &Window,
    since: Learned,
) -> Result<BTreeMap<Handle, f32>> {
    let mut closeness = BTreeMap::new();
    for (connector, own) in &member.handles {
        let mut topics: BTreeSet<u64> = BTreeSet::new();
        let mut mine = c.prepare_cached(
            "SELECT DISTINCT topic FROM events WHERE connector = ?1 AND author = ?2
               AND learned >= ?3 AND learned < ?4 AND seq <= ?5 AND kind IN ('posted', 'opened')",
        )?;
        for handle in own {
            let rows = mine.query_map(
                params![
                    connector.as_str(),
                    &*handle.id,
                    micros(since.0),
                    micros(window.upto.0),
                    window.upto_seq.0
                ],
                |row| row.get(0),
            )?;
            topics.extend(rows.collect::<rusqlite::Result<Vec<u64>>>()?);
        }
        let mut together: BTreeMap<String, u32> = BTreeMap::new();
        let mut others = c.prepare_cached(
            "SELECT DISTINCT author FROM events WHERE topic = ?1 AND learned < ?2 AND seq <= ?3
               AND author IS NOT NULL AND kind IN ('posted', 'opened') AND by_bot = 0",
        )?;
        for topic in &topics {
            let rows = others.query_map(
                params![topic, micros(window.upto.0), window.upto_seq.0],
                |row| row.get(0),
            )?;
            for author in rows {
                *together.entry(author?).or_default() += 1;
            }
        }
        let mut all = c.prepare_cached(
            "SELECT count(DISTINCT topic) FROM events WHERE connector = ?1 AND author = ?2
               AND learned >= ?3 AND learned < ?4 AND seq <= ?5 AND kind IN ('posted', 'opened')",
        )?;
        for (author, shared) in together {
            let handle = Handle::new(connector, author);
            if own.contains(&handle) {
                continue;
            }
            let total: u32 = all.query_row(
                params![
                    connector.as_str(),
                    &*handle.id,
                    micros(since.0),
                    micros(window.upto.0),
                    window.upto_seq.0
                ],
                |row| row.get(0),
            )?;
            // Two shared threads of three are no habit yet: add-two smoothing.
            closeness.insert(handle, shared as f32 / (total as f32 + 2.0));
        }
    }
    Ok(closeness)
}
