//! The daemon's look at tickets without an owner: in the background where it takes long, never in the way of a briefing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{Span, Timestamp};
use rusqlite::Connection;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::connectors::tracker::AnyTracker;
use crate::model::{ConnectorId, Gap, Member, MemberId};
use crate::roster::Roster;
use crate::schedule;
use crate::store::{Store, deliveries};
use crate::triage::report::Lately;
use crate::triage::watch::Watch;
use crate::triage::{post, verdicts};

/// How many deliveries are looked at to know whether one of this week was sent.
const DAYS_OF_A_WEEK: usize = 7;

/// The watch over tickets, at rest or at work.
pub struct Tickets {
    rest: Option<Watch>,
    work: Option<JoinHandle<(Watch, Result<usize>)>>,
    trackers: BTreeMap<ConnectorId, AnyTracker>,
    taps: BTreeSet<ConnectorId>,
    admin: Option<MemberId>,
    target: f32,
    /// A tracker that only tests have.
    #[cfg(test)]
    board: Option<crate::triage::post::board::Board>,
}

impl Tickets {
    /// Takes a watch and the ways to write to trackers.
    pub fn new(watch: Watch, trackers: BTreeMap<ConnectorId, AnyTracker>) -> Tickets {
        Tickets {
            admin: watch.settings.admin.clone(),
            target: watch.settings.target,
            work: None,
            taps: trackers
                .keys()
                .filter(|id| watch.modes.lets_people_assign(id))
                .cloned()
                .collect(),
            rest: Some(watch),
            trackers,
            #[cfg(test)]
            board: None,
        }
    }

    /// Returns the trackers at which a member's word changes the owner of a ticket.
    pub fn taps(&self) -> &BTreeSet<ConnectorId> {
        &self.taps
    }

    /// Returns the same with a tracker that only tests have, at which people's word changes an owner.
    #[cfg(test)]
    #[must_use]
    pub(super) fn with_board(
        mut self,
        at: &str,
        board: crate::triage::post::board::Board,
    ) -> Tickets {
        self.taps.insert(at.into());
        self.board = Some(board);
        self
    }

    /// Returns what the admin's first briefing of a week says about the suggestions; nothing to others and on other days.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn weekly(
        &self,
        store: &Store,
        member: &Member,
        now: Timestamp,
    ) -> Result<Option<Gap>> {
        if self.admin.as_ref() != Some(&member.id) {
            return Ok(None);
        }
        let (id, target) = (member.id.clone(), self.target);
        let date = schedule::work_date(member, now);
        let monday = date.checked_sub(Span::new().days(date.weekday().to_monday_zero_offset()))?;
        let said = move |c: &Connection| {
            let earlier = deliveries::latest(c, Some(&id), DAYS_OF_A_WEEK)?;
            let is_told = earlier.iter().any(|earlier| {
                let is_sent = earlier.state == deliveries::State::Sent;
                is_sent && monday <= earlier.date && earlier.date < date
            });
            if is_told {
                return Ok(None);
            }
            let lately = Lately::upto(c, now)?;
            Ok(lately.in_words().map(|line| Gap {
                of: Gap::SUGGESTIONS.into(),
                reason: match lately.drift(target) {
                    Some(worse) => format!("{line}. {worse}"),
                    None => line,
                },
            }))
        };
        store.read(said).await
    }

    /// Looks at the trackers and writes to them what is due. Who has waited for `patience` goes on; the look goes on too.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(
        &mut self,
        store: &Store,
        roster: &Roster,
        now: Timestamp,
        patience: Duration,
    ) -> Result<()> {
        let tracker_of = |id: &ConnectorId| self.trackers.get(id).cloned();
        if !self.trackers.is_empty() {
            verdicts::read(store, tracker_of, &self.taps, roster, now).await?;
        }
        if let Some(mut watch) = self.rest.take() {
            let (store, roster) = (store.clone(), roster.clone());
            self.work = Some(tokio::task::spawn_blocking(move || {
                let looked = watch.look(&store, &roster, now);
                (watch, looked)
            }));
        }
        let Some(work) = &mut self.work else {
            return Ok(());
        };
        let Ok(done) = tokio::time::timeout(patience, work).await else {
            return Ok(());
        };
        self.work = None;
        let (watch, looked) = done.context("the look at tickets stopped")?;
        self.rest = Some(watch);
        match looked {
            Ok(0) => {}
            Ok(count) => {
                let noun = if count == 1 { "ticket" } else { "tickets" };
                info!(count, "Looked at {count} {noun} without an owner");
            }
            Err(error) => {
                let error = format!("{error:#}");
                warn!(
                    error,
                    "Tickets were not looked at; the next look tries again"
                );
            }
        }
        let tracker_of = |id: &ConnectorId| self.trackers.get(id).cloned();
        #[cfg(test)]
        if let Some(board) = &self.board {
            post::post_due(store, |_| Some(board.clone()), now).await?;
        }
        post::post_due(store, tracker_of, now).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
