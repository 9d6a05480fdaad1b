//! The daemon: reads the sources on an interval and briefs each member at the start of their own day.
//!
//! [`Daemon::step`] does what is due now and says when it wants to be called again; [`Daemon::run`] sleeps in between.
//! Tests call the steps on a simulated clock.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use daybrief_index::Index;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::brief::Style;
use crate::brief::deliver::{Delivering, Outcome, deliver};
use crate::clock::{Clock, LONGEST_SLEEP};
use crate::connectors::{ConnectorConfig, Source};
use crate::ingest::{self, follow};
use crate::model::{ConnectorId, Gap, Member, MemberId};
use crate::roster::Roster;
use crate::schedule;
use crate::sinks::ChatSink;
use crate::store::{Store, deliveries, people, progress};

/// How long a briefing waits for one last fetch.
const LAST_FETCH: Duration = Duration::from_secs(30);

/// Everything a running daemon holds.
pub struct Daemon<S> {
    /// What is read.
    pub connectors: BTreeMap<ConnectorId, ConnectorConfig>,
    /// The folder that relative paths start from.
    pub base: std::path::PathBuf,
    /// The store.
    pub store: Store,
    /// The index.
    pub index: Index,
    /// Everybody.
    pub roster: Roster,
    /// The sink of each member.
    pub sinks: BTreeMap<MemberId, S>,
    /// What the team decided about its briefings.
    pub style: Style,
    /// Whether a morning with nothing for the reader still gets its one line.
    pub quiet_line: bool,
    /// How long between two readings of the sources.
    pub sync_every: SignedDuration,
    /// The time.
    pub clock: Clock,
    /// When the sources were last read to the end.
    pub synced_at: Option<Timestamp>,
    /// What was wrong with a source the last time, so that it is logged once.
    pub troubles: BTreeMap<ConnectorId, String>,
}

impl<S: ChatSink> Daemon<S> {
    /// Does what is due now; returns when something is due next.
    ///
    /// # Errors
    /// When the store fails. A source, a sink or a member that fails is noted, and the rest goes on.
    pub async fn step(&mut self) -> Result<Timestamp> {
        let now = self.clock.now();
        let due = self.due(now).await?;
        let is_time = self.synced_at.is_none_or(|at| {
            at.checked_add(self.sync_every)
                .is_ok_and(|next| next <= now)
        });
        if is_time || !due.is_empty() {
            self.sync().await?;
        }
        let mut next = self.synced_at.unwrap_or(now).checked_add(self.sync_every)?;
        let gaps: Vec<Gap> = self
            .troubles
            .iter()
            .map(|(id, reason)| Gap {
                of: id.to_string(),
                reason: format!("could not be read: {reason}"),
            })
            .collect();
        for member in due {
            // The clock moved while the sources were read: the window reaches to this moment.
            let now = self.clock.now();
            let with = Delivering {
                store: &self.store,
                roster: &self.roster,
                style: &self.style,
                quiet_line: self.quiet_line,
                gaps: &gaps,
            };
            let Some(sink) = self.sinks.get(&member.id) else {
                continue;
            };
            match deliver(&with, &member, sink, now).await {
                Ok(Outcome::TryAgain(at)) => next = next.min(at),
                Ok(_) => {}
                Err(error) => {
                    warn!(member = %member.id, error = %format!("{error:#}"), "The briefing of {} could not be made", member.id);
                    let gap = Gap {
                        of: format!("briefing of {}", member.id),
                        reason: format!("{error:#}"),
                    };
                    self.store
                        .write(move |c| progress::put_gap(c, &gap, now))
                        .await?;
                    next = next.min(now.checked_add(SignedDuration::from_mins(5))?);
                }
            }
        }
        let starts = self
            .briefed()
            .filter_map(|member| schedule::next_start(member, now))
            .map(|(_, start)| start);
        Ok(starts.fold(next, Timestamp::min))
    }

    /// Runs until the token is cancelled.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(&mut self, token: &CancellationToken) -> Result<()> {
        let now = self.clock.now();
        let first = self
            .briefed()
            .filter_map(|member| Some((schedule::next_start(member, now)?.1, member)))
            .min_by_key(|(start, _)| *start);
        match first {
            Some((start, member)) => {
                let local = start.to_zoned(member.time_zone.clone());
                info!(
                    members = self.briefed().count(),
                    connectors = self.connectors.len(),
                    "Started: {} members, {} connectors; next is {} at {}",
                    self.briefed().count(),
                    self.connectors.len(),
                    member.id,
                    local.strftime("%a %-d %b %H:%M %Z")
                );
            }
            None => info!("Started; nobody is to be briefed"),
        }
        loop {
            let next = tokio::select! {
                () = token.cancelled() => break,
                next = self.step() => next?,
            };
            let wait =
                Duration::try_from(next.duration_since(self.clock.now())).unwrap_or(Duration::ZERO);
            tokio::select! {
                () = token.cancelled() => break,
                () = tokio::time::sleep(wait.clamp(Duration::from_millis(200), LONGEST_SLEEP)) => {}
            }
        }
        info!("Stopped");
        Ok(())
    }

    fn briefed(&self) -> impl Iterator<Item = &Member> {
        self.roster
            .members
            .iter()
            .filter(|member| member.is_briefed)
    }

    /// Returns the members whose day has started and whose briefing of it is not settled.
    async fn due(&self, now: Timestamp) -> Result<Vec<Member>> {
        let started: Vec<Member> = self
            .briefed()
            .filter(|member| schedule::is_due(member, now))
            .cloned()
            .collect();
        self.store
            .read(move |c| {
                let mut due = Vec::new();
                for member in started {
                    let delivery =
                        deliveries::delivery(c, &member.id, schedule::work_date(&member, now))?;
                    let is_open = delivery.is_none_or(|delivery| {
                        !delivery.is_settled() && delivery.next_try_at.is_none_or(|at| at <= now)
                    });
                    if is_open {
                        due.push(member);
                    }
                }
                Ok(due)
            })
            .await
    }

    /// Reads every source, each on its own, and brings the index up to the log.
    async fn sync(&mut self) -> Result<()> {
        let mut events = 0;
        let ids: Vec<ConnectorId> = self.connectors.keys().cloned().collect();
        for id in ids {
            match tokio::time::timeout(LAST_FETCH, self.sync_one(&id)).await {
                Ok(Ok(count)) => {
                    events += count;
                    if self.troubles.remove(&id).is_some() {
                        info!(connector = %id, "{id} can be read again");
                    }
                }
                Ok(Err(error)) => self.note_trouble(&id, format!("{:#}", error)).await?,
                Err(_) => {
                    self.note_trouble(&id, "it took more than 30 seconds".into())
                        .await?
                }
            }
        }
        self.synced_at = Some(self.clock.now());
        let (people, spaces) = self
            .store
            .read(|c| Ok((people::people(c, None)?, people::spaces(c)?)))
            .await?;
        self.roster = self.roster.renewed(people, spaces);
        if events > 0 {
            info!(events, "Read {events} new events");
        }
        if let Err(error) = follow::follow(&self.store, &self.index, &self.roster, |_, _| {}) {
            warn!(error = %format!("{error:#}"), "The index is behind; the next sync tries again");
        }
        Ok(())
    }

    async fn sync_one(&self, id: &ConnectorId) -> Result<usize> {
        let mut source = self.connectors[id].open(id, &self.base)?;
        sync_source(&self.store, id, &mut source, &self.roster, &self.clock).await
    }

    async fn note_trouble(&mut self, id: &ConnectorId, reason: String) -> Result<()> {
        if self.troubles.insert(id.clone(), reason.clone()).as_ref() == Some(&reason) {
            return Ok(());
        }
        warn!(connector = %id, "{id} cannot be read: {reason}");
        let (gap, now) = (
            Gap {
                of: id.to_string(),
                reason,
            },
            self.clock.now(),
        );
        self.store
            .write(move |c| progress::put_gap(c, &gap, now))
            .await
    }
}

async fn sync_source<T: Source>(
    store: &Store,
    id: &ConnectorId,
    source: &mut T,
    roster: &Roster,
    clock: &Clock,
) -> Result<usize> {
    // Windows are half-open: what is learned at the very moment a briefing is made must lie before its end.
    let just_now = SignedDuration::from_micros(1);
    let learned = || clock.now().checked_sub(just_now).unwrap_or(Timestamp::MIN);
    let synced = ingest::sync(store, id, source, roster, learned, |_, _| {}).await?;
    Ok(synced.events)
}
