//! Who else could answer an ask whose addressee is away: whoever closed tickets like it, by the same evidence as a ticket's
//! candidates.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::memory::Memory;
use crate::model::suggestion::Candidate;
use crate::model::{ConnectorId, Handle};
use crate::roster::Roster;
use crate::schedule::away_until;
use crate::store::{Store, asks, audiences, events, suggestions};

/// Asks older than this are carried by nobody.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How many are named.
const MOST: usize = 2;
/// The most asks of one look.
const MOST_A_LOOK: usize = 50;

/// Looks for stand-ins of the open asks whose addressees are all away, once an ask.
///
/// # Errors
/// When the store fails.
pub fn look(
    memories: &mut BTreeMap<ConnectorId, Memory>,
    store: &Store,
    roster: &Roster,
    now: Timestamp,
) -> Result<()> {
    let since = now.checked_sub(LOOK_BACK)?;
    let waiting = store.read_now(|c| asks::open_to_persons(c, since, now))?;
    let waiting = waiting
        .into_iter()
        .filter(|(_, to)| are_all_away(to, roster, now));
    for (ask, to) in waiting.take(MOST_A_LOOK) {
        let found = store.read_now(|c| {
            if suggestions::stand_ins(c, ask.seq)?.is_some() {
                return Ok(None);
            }
            let Some(logged) = events::logged(c, ask.seq)? else {
                return Ok(None);
            };
            let mut readers = Vec::new();
            for member in &roster.members {
                let is_asker = member.owns(&ask.ask.from);
                let is_asked = to.iter().any(|handle| member.owns(handle));
                if !is_asker
                    && !is_asked
                    && member.is_briefed
                    && away_until(member, now).is_none()
                    && audiences::readable_by(c, Some(member))?.contains(&logged.audience)
                {
                    readers.push(member.id.clone());
                }
            }
            // The asker reads the evidence: only what they may read counts.
            let asker = roster.member_of(&ask.ask.from);
            let readable = audiences::readable_by(c, asker)?;
            let mut best: Vec<Candidate> = Vec::new();
            for memory in memories.values_mut() {
                best.extend(memory.answerers(
                    &logged.event.text.0,
                    roster,
                    |member| readers.contains(&member.id),
                    |audience| readable.contains(&audience),
                    now,
                ));
            }
            best.truncate(MOST);
            Ok(Some(best))
        })?;
        if let Some(found) = found {
            store.write_now(|c| suggestions::put_stand_ins(c, ask.seq, &found, now))?;
        }
    }
    Ok(())
}

fn are_all_away(to: &[Handle], roster: &Roster, now: Timestamp) -> bool {
    let is_away = |handle: &Handle| {
        let member = roster.member_of(handle);
        member.is_some_and(|member| away_until(member, now).is_some())
    };
    !to.is_empty() && to.iter().all(is_away)
}
