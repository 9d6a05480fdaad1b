//! What the daemon does with tickets after each look at the sources: a suggestion for each new one without an owner, once a
//! state, into the ledger; and what came of the earlier ones.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::log::account_of;
use super::memory::{Asking, Memory, Settings};
use super::{Suggestion, post, report, stand_ins};
use crate::config::TriageConfig;
use crate::model::ConnectorId;
use crate::model::suggestion::Ladder;
use crate::roster::Roster;
use crate::store::suggestions::{self, Outcome, Recorded};
use crate::store::tickets::{self, TicketRow};
use crate::store::{Store, postings};

/// How far daybrief goes, by connector and area.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// Where nothing else is said.
    pub everywhere: Ladder,
    /// `tracker`, or an area of it: `tracker:component=parser`.
    pub of: BTreeMap<String, Ladder>,
    /// How the label is made; empty where none is set.
    pub label: String,
    /// Whether people's own word changes an owner where the ladder stops at the briefing.
    pub taps: bool,
}

impl Modes {
    /// Returns how far daybrief goes at a tracker, in an area of it if that has a word of its own.
    pub fn of(&self, connector: &ConnectorId, area: Option<&str>) -> Ladder {
        let of_area = area.and_then(|area| self.of.get(&format!("{connector}:component={area}")));
        *of_area
            .or_else(|| self.of.get(connector.as_str()))
            .unwrap_or(&self.everywhere)
    }

    /// Returns what the config says.
    pub fn in_config(config: &TriageConfig) -> Modes {
        let of = config.modes.iter();
        Modes {
            everywhere: config.mode.into(),
            of: of
                .map(|(place, step)| (place.clone(), (*step).into()))
                .collect(),
            label: config.label.clone(),
            taps: config.taps_assign,
        }
    }

    /// Returns whether a member who takes a ticket, or gives it to somebody, changes its owner at the tracker.
    pub fn lets_people_assign(&self, connector: &ConnectorId) -> bool {
        let highest = self.highest(connector);
        highest >= Ladder::Comment || self.taps && highest >= Ladder::Briefing
    }

    /// Returns whether daybrief writes anything to a tracker.
    pub fn may_write(&self, connector: &ConnectorId) -> bool {
        self.highest(connector) >= Ladder::Label || self.lets_people_assign(connector)
    }

    /// Returns the highest step anywhere at a tracker.
    pub fn highest(&self, connector: &ConnectorId) -> Ladder {
        let prefix = format!("{connector}:");
        let areas = self.of.iter().filter(|(key, _)| key.starts_with(&prefix));
        areas
            .map(|(_, step)| *step)
            .chain([self.of(connector, None)])
            .max()
            .unwrap_or_default()
    }
}

/// Tickets opened or left longer ago than this are nobody's news.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The most suggestions of one look; the rest has its turn at the next one.
const MOST_A_LOOK: usize = 50;
/// What an area has to show before tickets in it are given to anybody: answers in the backtest and in the last 30 days.
const LEAST_BACKTESTED: usize = 20;
const LEAST_LIVE: u64 = 10;

/// Whoever looks after tickets without an owner.
#[derive(Default)]
pub struct Watch {
    /// What the team decided.
    pub settings: Settings,
    /// How far it goes where.
    pub modes: Modes,
    memories: BTreeMap<ConnectorId, Memory>,
    drift: report::Drift,
}

impl Watch {
    /// Returns a watch that has looked at nothing yet.
    pub fn new(settings: Settings, modes: Modes) -> Watch {
        Watch {
            settings,
            modes,
            ..Watch::default()
        }
    }

    /// Returns the watch that the config wants; relative paths start at `base`.
    ///
    /// # Errors
    /// When the owners file cannot be read.
    pub fn in_config(config: &TriageConfig, base: &std::path::Path) -> Result<Watch> {
        let settings = Settings::of(config, base)?;
        Ok(Watch::new(settings, Modes::in_config(config)))
    }

    /// Looks at every tracker once; returns how many suggestions are new. May take as long as learning a tracker's past.
    ///
    /// # Errors
    /// When the store fails. A tracker that fails is logged, and the others go on.
    pub fn look(&mut self, store: &Store, roster: &Roster, now: Timestamp) -> Result<usize> {
        let mut count = 0;
        for connector in store.read_now(tickets::trackers)? {
            if self.modes.highest(&connector) == Ladder::Off {
                continue;
            }
            match self.look_at(store, &connector, roster, now) {
                Ok(new) => count += new,
                Err(error) => {
                    let error = format!("{error:#}");
                    warn!(connector = %connector, error, "Tickets of {connector} were not looked at; the next look tries again");
                }
            }
        }
        if !self.memories.is_empty() {
            stand_ins::look(&mut self.memories, store, roster, now)?;
        }
        self.drift.check(store, self.settings.target, now)?;
        Ok(count)
    }

    fn look_at(
        &mut self,
        store: &Store,
        connector: &ConnectorId,
        roster: &Roster,
        now: Timestamp,
    ) -> Result<usize> {
        let since = now.checked_sub(LOOK_BACK)?;
        let known = self.memories.get(connector).map(Memory::inboxes);
        let inboxes = known.cloned().unwrap_or_else(|| {
            let listed = self.settings.placeholders.iter();
            let listed = listed.filter(|handle| handle.connector == *connector);
            listed.map(|handle| handle.id.to_string()).collect()
        });
        settle(store, connector, &inboxes, roster, now)?;
        let fresh = store.read_now(|c| {
            let rows = tickets::unowned_since(c, connector, &inboxes, since)?;
            let rows = rows.into_iter().filter(|row| opened_by(c, row, now));
            let mut fresh = Vec::new();
            for row in rows {
                let state = state_of(c, &row, None)?;
                if !suggestions::is_known(c, connector, &row.id, &state)? {
                    fresh.push((row, state));
                }
            }
            Ok(fresh)
        })?;
        if fresh.is_empty() && !self.memories.contains_key(connector) {
            return Ok(0);
        }
        let settings = &self.settings;
        let memory = match self.memories.entry(connector.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => {
                let memory = known.into_mut();
                store.read_now(|c| memory.follow(c, roster, settings))?;
                if memory.refit_when_due(now) {
                    info!(connector = %connector, "Owner suggestions of {connector} were fitted anew");
                }
                memory
            }
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert(store.read_now(|c| Memory::learn(c, connector, roster, settings, now))?)
            }
        };
        let mut count = 0;
        let mut open: Vec<(TicketRow, String)> = fresh.into_iter().take(MOST_A_LOOK).collect();
        let mut is_recheck = false;
        while !open.is_empty() {
            let mut again = Vec::new();
            for (row, state) in open {
                let said = store.read_now(|c| {
                    let asking = Asking {
                        is_for_ticket: true,
                        ..Asking::default()
                    };
                    memory.suggest(c, &row.id, roster, settings, asking, now)
                })?;
                // An older ticket that nobody has and the new one repeats is looked at once more: this may be the better report.
                if !is_recheck {
                    for repeat in said.repeats.iter().filter(|repeat| !repeat.is_closed) {
                        again.extend(store.read_now(|c| {
                            older_unowned(c, connector, &repeat.ticket.id.id, &row.id)
                        })?);
                    }
                }
                count += usize::from(self::record(
                    store,
                    Fresh {
                        connector,
                        row: &row,
                        state,
                        said: &said,
                    },
                    memory,
                    &self.modes,
                    settings,
                    roster,
                    now,
                )?);
            }
            open = if is_recheck { Vec::new() } else { again };
            is_recheck = true;
        }
        Ok(count)
    }
}

/// A ticket with what is to be recorded for it.
struct Fresh<'a> {
    connector: &'a ConnectorId,
    row: &'a TicketRow,
    state: String,
    said: &'a Suggestion,
}

/// Puts a suggestion into the ledger and what follows from it into the outbox; returns whether it is new.
fn record(
    store: &Store,
    fresh: Fresh<'_>,
    memory: &Memory,
    modes: &Modes,
    settings: &Settings,
    roster: &Roster,
    now: Timestamp,
) -> Result<bool> {
    let Fresh {
        connector,
        row,
        state,
        said,
    } = fresh;
    let area = said.area.as_ref().map(|(area, _)| area.as_str());
    let wanted = modes.of(connector, area);
    if wanted == Ladder::Off {
        return Ok(false);
    }
    let mode = match (wanted, area) {
        (Ladder::Assign, area)
            if has_proven_itself(store, connector, area, memory, settings, now)? =>
        {
            Ladder::Assign
        }
        // What has not proven itself is said, not done.
        (Ladder::Assign, _) => Ladder::Comment,
        (wanted, _) => wanted,
    };
    let first = said.candidates.first();
    let first_member = first.and_then(|first| roster.member(&first.member));
    let mut recorded = Recorded {
        id: 0,
        connector: connector.clone(),
        ticket: row.id.clone(),
        state,
        mode,
        made_at: now,
        area: said.area.clone(),
        duty: said.rotation.clone(),
        threshold: said.threshold,
        is_abstained: !said.is_sure,
        first_account: first_member.and_then(|member| memory.account(member, roster)),
        candidates: said.candidates.clone(),
        excluded: said.excluded.clone(),
        repeats: said
            .repeats
            .iter()
            .map(|repeat| (repeat.ticket.id.id.to_string(), repeat.likeness))
            .collect(),
        outcome: None,
    };
    let reporter = row
        .ticket
        .reporter
        .as_ref()
        .and_then(|reporter| roster.member_of(reporter));
    let text = post::comment_text(said, reporter.map(|member| &member.id), roster, now);
    store.write_now(|c| {
        let Some(id) = suggestions::put(c, &recorded)? else {
            return Ok(false);
        };
        recorded.id = id;
        for posting in post::postings_for(&recorded, text, &modes.label, roster, now) {
            let is_there =
                postings::posting(c, connector, &row.id, posting.kind)?.is_some_and(|before| {
                    before.state == postings::State::Posted && !before.body.is_empty()
                });
            // There is nothing to withdraw where nothing stands.
            if !posting.body.is_empty() || is_there {
                postings::plan(c, &posting)?;
            }
        }
        Ok(true)
    })
}

/// Puts a comment for one ticket into the outbox, because a human wants it there now; `None` when there is nothing to say or
/// nothing new.
///
/// # Errors
/// When the store fails.
pub fn plan_comment(
    store: &Store,
    memory: &mut Memory,
    settings: &Settings,
    connector: &ConnectorId,
    id: &str,
    roster: &Roster,
    now: Timestamp,
) -> Result<Option<postings::Posting>> {
    let (row, said, state) = store.read_now(|c| {
        let row = tickets::ticket_called(c, connector, id)?.context("the ticket is gone")?;
        let asking = Asking {
            is_for_ticket: true,
            ..Asking::default()
        };
        let said = memory.suggest(c, id, roster, settings, asking, now)?;
        let state = state_of(c, &row, None)?;
        Ok((row, said, state))
    })?;
    let modes = Modes {
        everywhere: Ladder::Comment,
        ..Modes::default()
    };
    let fresh = Fresh {
        connector,
        row: &row,
        state,
        said: &said,
    };
    let is_new = record(store, fresh, memory, &modes, settings, roster, now)?;
    store.write_now(|c| {
        if !is_new && let Some(mut before) = suggestions::latest(c, connector, id)? {
            // The watch said the same before, on a lower step.
            before.mode = Ladder::Comment;
            let reporter = row.ticket.reporter.as_ref();
            let reporter = reporter.and_then(|reporter| roster.member_of(reporter));
            let text = post::comment_text(&said, reporter.map(|member| &member.id), roster, now);
            for posting in post::postings_for(&before, text, "", roster, now) {
                if !posting.body.is_empty() {
                    postings::plan(c, &posting)?;
                }
            }
        }
        let planned = postings::posting(c, connector, id, postings::Kind::Comment)?;
        Ok(planned.filter(|planned| planned.state == postings::State::Planned))
    })
}

/// Returns whether an area's backtest and its last 30 live days both hold the target precision. Where tickets have no area,
/// as at GitHub, those without one and the whole tracker stand for it.
fn has_proven_itself(
    store: &Store,
    connector: &ConnectorId,
    area: Option<&str>,
    memory: &Memory,
    settings: &Settings,
    now: Timestamp,
) -> Result<bool> {
    let (answered, right) = memory.answered_in(area);
    let month = now.checked_sub(report::MONTH)?;
    let live = store.read_now(|c| suggestions::score(c, Some(connector), area, month, now))?;
    let target = f64::from(settings.target);
    Ok(answered >= LEAST_BACKTESTED
        && right as f64 / answered as f64 >= target
        && live.right + live.changed >= LEAST_LIVE
        && live
            .precision()
            .is_some_and(|precision| precision >= target))
}

/// Holds what was suggested against who has the tickets now.
fn settle(
    store: &Store,
    connector: &ConnectorId,
    inboxes: &std::collections::BTreeSet<String>,
    roster: &Roster,
    now: Timestamp,
) -> Result<()> {
    let settled = store.read_now(|c| {
        let mut settled = Vec::new();
        for said in suggestions::unsettled(c, connector)? {
            let Some(row) = tickets::ticket_called(c, connector, &said.ticket)? else {
                continue;
            };
            let owner = row.ticket.assignee.as_ref();
            let owner = owner
                .map(|owner| account_of(owner, roster))
                .filter(|owner| !inboxes.contains(owner));
            // Whom we gave it to is no judge of it, until the ticket is done.
            let is_ours = postings::is_given(c, connector, &said.ticket)?
                && !tickets::is_answered(c, &said.ticket)?
                && owner.as_deref() == said.first_account.as_deref();
            let outcome = match &owner {
                Some(_) if is_ours && !row.ticket.is_closed => continue,
                Some(owner) if Some(owner) == said.first_account.as_ref() => Outcome::Right,
                Some(_) => Outcome::Changed,
                None if row.ticket.is_closed => Outcome::Nobody,
                None => continue,
            };
            settled.push((said.id, outcome, owner));
        }
        Ok(settled)
    })?;
    if settled.is_empty() {
        return Ok(());
    }
    store.write_now(|c| {
        for (id, outcome, owner) in settled {
            suggestions::settle(c, id, outcome, owner.as_deref(), now)?;
        }
        Ok(())
    })
}

/// Returns whether a ticket was there at a moment; a simulation's store knows more than its clock.
fn opened_by(c: &Connection, row: &TicketRow, now: Timestamp) -> bool {
    tickets::opened_at(c, row.tid).is_ok_and(|at| at.is_none_or(|at| at <= now))
}

/// Returns an older ticket without an owner, to be looked at again because of a newer one.
fn older_unowned(
    c: &Connection,
    connector: &ConnectorId,
    older: &str,
    newer: &str,
) -> Result<Option<(TicketRow, String)>> {
    let Some(row) = tickets::ticket_called(c, connector, older)? else {
        return Ok(None);
    };
    if row.ticket.assignee.is_some() || row.ticket.is_closed {
        return Ok(None);
    }
    let state = state_of(c, &row, Some(newer))?;
    let is_known = suggestions::is_known(c, connector, older, &state)?;
    Ok((!is_known).then_some((row, state)))
}

/// Returns a hash of what a ticket says and who declined it; of two equal ones a second suggestion would say nothing new.
fn state_of(c: &Connection, row: &TicketRow, because_of: Option<&str>) -> Result<String> {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    part(&row.title);
    part(&tickets::text_of(c, row.tid)?);
    for list in [&row.ticket.components, &row.ticket.labels] {
        let mut list = list.clone();
        list.sort();
        part(&list.join("\u{1f}"));
    }
    for who in tickets::declined_by(c, &row.id)? {
        part(&who);
    }
    part(because_of.unwrap_or_default());
    let hash = hash.finalize();
    Ok(hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
