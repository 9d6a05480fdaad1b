//! The daemon: reads the sources on an interval and briefs each member at the start of their own day.
//!
//! [`Daemon::step`] does what is due now and says when it wants to be called again; [`Daemon::run`] sleeps in between,
//! in one place. Tests call the steps on a simulated clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use daybrief_index::Index;
use jiff::{SignedDuration, Timestamp, civil};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::ask::Answering;
use crate::brief::Style;
use crate::brief::deliver::{Delivering, close_earlier};
use crate::brief::render::phrases::count;
use crate::clock::{Clock, LONGEST_SLEEP};
use crate::config::RetentionConfig;
use crate::connectors::{AnySource, ConnectorConfig};
use crate::http::Http;
use crate::ingest::follow;
use crate::llm::Llm;
use crate::metrics;
use crate::model::{ConnectorId, Gap, Member, MemberId};
use crate::roster::Roster;
use crate::schedule;
use crate::server::{self, ServerConfig};
use crate::sinks::ChatSink;
use crate::store::questions::begin as questions_since;
use crate::store::{Store, deliveries, has_no_room, set_meta};

mod awaited;
pub mod desk;
pub mod health;
mod hearing;
pub mod hints;
pub mod joining;
mod keeping;
mod mornings;
mod questions;
mod reading;
#[cfg(test)]
mod team;
pub mod tickets;

pub use keeping::expire_all;

use health::Health;
use hints::{Hints, Objects};
use joining::Following;
use questions::Questions;
use tickets::Tickets;

/// How long a briefing waits for one last look at the sources.
const LAST_FETCH: SignedDuration = SignedDuration::from_secs(30);
/// How long a briefing waits for the look at tickets without an owner, and how long anything else does.
const LAST_LOOK: Duration = Duration::from_secs(10);
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// How long words of a model are kept; those that are wanted again are asked for again.
const WORDS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long a briefing that could not be made is left alone.
const HELD_BACK: SignedDuration = SignedDuration::from_mins(5);
/// How long a store without room is left alone.
const FULL_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// How long a hint waits for others.
const AFTER_HINT: Duration = Duration::from_secs(1);
/// The shortest sleep, so that nothing that is due for ever keeps the machine busy.
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);

/// What a daemon works on.
pub struct Parts<S> {
    /// What is read.
    pub connectors: BTreeMap<ConnectorId, ConnectorConfig>,
    /// The folder that relative paths start from.
    pub base: PathBuf,
    /// The way out.
    pub http: Http,
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
    /// For how long what was said is kept.
    pub retention: RetentionConfig,
    /// Who looks after tickets without an owner.
    pub tickets: Tickets,
    /// The model that words lines, if there is one.
    pub llm: Option<Llm>,
    /// The space whose people are the members, if there is one.
    pub following: Option<Following<S>>,
}

/// A running daemon.
pub struct Daemon<S> {
    connectors: BTreeMap<ConnectorId, ConnectorConfig>,
    base: PathBuf,
    http: Http,
    /// Opened sources; a live one knows people and places from before.
    sources: BTreeMap<ConnectorId, AnySource>,
    store: Store,
    index: Arc<Index>,
    roster: Roster,
    /// The same, for those who answer beside the loops.
    everybody: watch::Sender<Arc<Roster>>,
    sinks: BTreeMap<MemberId, S>,
    style: Style,
    quiet_line: bool,
    sync_every: SignedDuration,
    retention: RetentionConfig,
    following: Option<Following<S>>,
    /// Who joined and left since the admin was told.
    joined: Vec<Gap>,
    /// When what is too old was last forgotten.
    expired_at: Option<Timestamp>,
    health: Health,
    tickets: Tickets,
    llm: Option<Llm>,
    clock: Clock,
    token: CancellationToken,
    /// When all sources were last looked at.
    synced_at: Option<Timestamp>,
    /// When any source was last looked at: windows end after it.
    read_at: Option<Timestamp>,
    /// What sources said themselves since they were last looked at.
    hints: Hints,
    /// What is wrong with a source, so that it is logged once.
    troubles: BTreeMap<ConnectorId, Trouble>,
    /// Whether it is known since when we are there to be asked.
    is_asked: bool,
    /// What answers those who ask us something.
    questions: Questions,
    /// Whose words were last asked for.
    heard_last: Option<MemberId>,
    /// The last date that needs nothing more, by member; the outbox knows too, but is slower to ask.
    settled: BTreeMap<MemberId, civil::Date>,
    /// Briefings that could not be made, why, and until when they are left alone.
    held: BTreeMap<MemberId, (String, Timestamp)>,
    /// Whether the store has no room, so that it is logged once.
    is_full: bool,
    /// Whether the index could not follow the log.
    is_index_behind: bool,
    /// The configured embedding model at work, beside everything else.
    embedding: Option<JoinHandle<Result<()>>>,
    /// Whether the model did not answer, so that it is logged once.
    is_model_silent: bool,
}

/// Something that was due and is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// What it is.
    pub of: String,
    /// What stands in the way.
    pub reason: String,
    /// Not before this is it tried again.
    pub next_try_at: Option<Timestamp>,
}

/// Which sources are read.
enum Which {
    /// All of them; some said what to look at.
    All(Objects),
    /// Those that said that something happened.
    Hinted(Objects),
}

/// Why a source is not up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    /// For the operator.
    reason: String,
    /// Since when.
    since: Timestamp,
    /// Whether it answers, only not fast enough.
    is_slow: bool,
}

impl<S: ChatSink + Clone> Daemon<S> {
    /// Puts a daemon together; nothing runs yet.
    pub fn new(parts: Parts<S>, clock: Clock, token: CancellationToken) -> Daemon<S> {
        let (index, llm) = (Arc::new(parts.index), parts.llm);
        let everybody = watch::Sender::new(Arc::new(parts.roster.clone()));
        let answering = Answering {
            index: index.clone(),
            roster: everybody.subscribe(),
            llm: llm.clone(),
        };
        Daemon {
            questions: Questions::with(answering, parts.store.clone()),
            connectors: parts.connectors,
            base: parts.base,
            http: parts.http,
            sources: BTreeMap::new(),
            store: parts.store,
            index,
            everybody,
            roster: parts.roster,
            sinks: parts.sinks,
            style: parts.style,
            quiet_line: parts.quiet_line,
            sync_every: parts.sync_every,
            retention: parts.retention,
            following: parts.following,
            joined: Vec::new(),
            expired_at: None,
            health: Health::default(),
            tickets: parts.tickets,
            llm,
            clock,
            token,
            synced_at: None,
            read_at: None,
            hints: Hints::default(),
            troubles: BTreeMap::new(),
            is_asked: false,
            heard_last: None,
            settled: BTreeMap::new(),
            held: BTreeMap::new(),
            is_full: false,
            is_index_behind: false,
            embedding: None,
            is_model_silent: false,
        }
    }

    /// Returns where sources that push can say that something happened; it is cheap to clone.
    pub fn hints(&self) -> Hints {
        self.hints.clone()
    }

    /// Returns what questions to us are answered with.
    pub fn answering(&self) -> Answering {
        Answering {
            index: self.index.clone(),
            roster: self.everybody.subscribe(),
            llm: self.llm.clone(),
        }
    }

    /// Returns what a server beside this daemon works on.
    pub fn serving(
        &self,
        config: ServerConfig,
        metrics: Option<metrics::Collected>,
    ) -> server::Parts {
        server::Parts {
            config,
            connectors: self.connectors.clone(),
            base: self.base.clone(),
            store: self.store.clone(),
            hints: self.hints(),
            health: self.health.clone(),
            metrics,
            clock: self.clock.clone(),
        }
    }

    /// Returns what is read.
    pub fn connectors(&self) -> impl Iterator<Item = (&ConnectorId, &ConnectorConfig)> {
        self.connectors.iter()
    }

    /// Returns the folder that relative paths start from.
    pub fn base(&self) -> &std::path::Path {
        &self.base
    }

    /// Runs until the token is cancelled. A briefing that has begun is finished first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(&mut self) -> Result<()> {
        self.say_started();
        while !self.token.is_cancelled() {
            let next = self.step_or_wait().await?;
            let wait =
                Duration::try_from(next.duration_since(self.clock.now())).unwrap_or(Duration::ZERO);
            tokio::select! {
                () = self.token.cancelled() => {}
                () = tokio::time::sleep(wait.clamp(SHORTEST_SLEEP, LONGEST_SLEEP)) => {}
                () = self.hints.wait() => {
                    // Things seldom happen alone, and a source that pushes a lot is not asked all the time.
                    tokio::select! {
                        () = self.token.cancelled() => {}
                        () = tokio::time::sleep(AFTER_HINT) => {}
                    }
                }
            }
        }
        info!("Stopped");
        Ok(())
    }

    /// Does what is due now, as [`Daemon::step`] does. A store without room ends nothing: it is said once, and tried again
    /// soon. What was read and not stored is read again, and what was sent and not settled is looked for.
    ///
    /// # Errors
    /// When the store fails in another way.
    pub async fn step_or_wait(&mut self) -> Result<Timestamp> {
        let stepped = match self.is_full {
            // As long as nothing can be written nobody is asked for anything.
            true => self.try_room().await,
            false => Ok(()),
        };
        let stepped = match stepped {
            Ok(()) => self.step().await,
            Err(error) => Err(error),
        };
        match stepped {
            Err(error) if has_no_room(&error) => {
                if !std::mem::replace(&mut self.is_full, true) {
                    self.health.is_full(true);
                    error!(error = %format!("{error:#}"), "The store cannot be written: make room on the disk of the data folder; nothing is lost, and daybrief goes on by itself");
                }
                Ok(self.clock.now().checked_add(FULL_AGAIN)?)
            }
            Ok(next) => {
                if std::mem::replace(&mut self.is_full, false) {
                    self.health.is_full(false);
                    info!("The store can be written again");
                }
                Ok(next)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a word into the store, to see whether it takes one.
    async fn try_room(&self) -> Result<()> {
        let now = self.clock.now().to_string();
        self.store
            .write(move |c| set_meta(c, "tried_at", &now))
            .await
    }

    /// Does what is due now; returns when something is due next.
    ///
    /// # Errors
    /// When the store fails. A source, a sink or a member that fails is noted, and the rest goes on.
    pub async fn step(&mut self) -> Result<Timestamp> {
        let now = self.clock.now();
        if !std::mem::replace(&mut self.is_asked, true) {
            self.store.write(move |c| questions_since(c, now)).await?;
        }
        close_earlier(
            &self.delivering(&[]),
            |member| self.sinks.get(&member.id).cloned(),
            now,
        )
        .await?;
        let due = self.due(now).await?;
        let is_sync_due = match self.synced_at {
            Some(at) => at.checked_add(self.sync_every)? <= now,
            None => true,
        };
        let hinted = self.hints.take();
        if is_sync_due || !due.is_empty() || !hinted.is_empty() {
            // Nobody's start waits for a long reading; it goes on where it was cut.
            let first_start = self.next_start(now);
            let limit = match first_start {
                Some(start) if due.is_empty() => start.duration_since(now).max(LAST_FETCH),
                _ => LAST_FETCH,
            };
            let token = self.token.clone();
            let which = if is_sync_due || !due.is_empty() {
                Which::All(hinted)
            } else {
                Which::Hinted(hinted)
            };
            tokio::select! {
                // Each page is stored with its cursor, so a reading may be cut anywhere.
                () = token.cancelled() => return Ok(now),
                done = self.sync(limit, which) => done?,
            }
            self.look_at_tickets(now, due.is_empty()).await?;
            if due.is_empty() {
                self.show_answers(now).await?;
            }
            let has_time = due.is_empty()
                && self
                    .next_start(now)
                    .is_none_or(|start| start.duration_since(now) > LAST_FETCH);
            if is_sync_due && has_time {
                self.hear_readers(now).await?;
            }
        }
        for member in due {
            if self.token.is_cancelled() {
                return Ok(now);
            }
            // Who left since is not briefed any more.
            let now = self.briefed().find(|briefed| briefed.id == member.id);
            if let Some(member) = now.cloned() {
                self.brief(&member).await?;
            }
        }
        self.expire(now).await?;
        self.write_ahead().await?;
        self.follow().await?;
        self.next_event(now).await
    }

    /// Returns what was due by now and is not done, each in a sentence: briefings that did not go out, sources that cannot
    /// be read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unfinished(&self) -> Result<Vec<Unfinished>> {
        let now = self.clock.now();
        let mut left = Vec::new();
        for open in self.store.read(deliveries::unsettled).await? {
            let Some(member) = self.briefed().find(|member| member.id == open.member) else {
                continue;
            };
            if open.date == schedule::work_date(member, now) && schedule::is_due(member, now) {
                left.push(Unfinished {
                    of: format!("the briefing of {} for {}", member.id, open.date),
                    reason: "its sink did not take it".to_owned(),
                    next_try_at: open.next_try_at,
                });
            }
        }
        for (member, (reason, until)) in &self.held {
            left.push(Unfinished {
                of: format!("the briefing of {member}"),
                reason: reason.clone(),
                next_try_at: Some(*until),
            });
        }
        for (connector, trouble) in &self.troubles {
            left.push(Unfinished {
                of: connector.to_string(),
                reason: trouble.reason.clone(),
                next_try_at: None,
            });
        }
        Ok(left)
    }

    /// Looks at tickets without an owner; a briefing that is due waits a little for it, one that is near not at all.
    async fn look_at_tickets(&mut self, now: Timestamp, has_time: bool) -> Result<()> {
        let patience = match self.next_start(now) {
            _ if !has_time => LAST_LOOK,
            Some(start) => Duration::try_from(start.duration_since(self.clock.now()))
                .unwrap_or_default()
                .max(LAST_LOOK),
            None => LONGEST_LOOK,
        };
        let patience = patience.min(LONGEST_LOOK);
        let (store, roster) = (self.store.clone(), self.roster.clone());
        self.tickets.look(&store, &roster, now, patience).await
    }

    /// Returns when something is due after `now`: a reading, a start, another try.
    async fn next_event(&self, now: Timestamp) -> Result<Timestamp> {
        let next_sync = self.synced_at.unwrap_or(now).checked_add(self.sync_every)?;
        let tries = self.store.read(deliveries::unsettled).await?;
        let tries = tries.into_iter().filter_map(|open| open.next_try_at);
        let held = self.held.values().map(|(_, until)| *until);
        let next_start = self.next_start(now);
        let ahead = self.llm.as_ref().and_then(|llm| {
            let lead = SignedDuration::from_mins(i64::from(llm.config().lead_minutes));
            next_start?.checked_sub(lead).ok()
        });
        let events = tries.chain(held).chain(next_start).chain(ahead);
        Ok(events
            .filter(|at| *at > now)
            .fold(next_sync, Timestamp::min))
    }

    fn next_start(&self, now: Timestamp) -> Option<Timestamp> {
        self.briefed()
            .filter_map(|member| Some(schedule::next_start(member, now)?.1))
            .min()
    }

    fn briefed(&self) -> impl Iterator<Item = &Member> {
        self.roster
            .members
            .iter()
            .filter(|member| member.is_briefed)
    }

    fn delivering<'a>(&'a self, gaps: &'a [Gap]) -> Delivering<'a> {
        Delivering {
            store: &self.store,
            roster: &self.roster,
            style: &self.style,
            quiet_line: self.quiet_line,
            gaps,
            llm: self.llm.as_ref(),
            taps: self.tickets.taps(),
        }
    }

    /// Returns what is missing from a member's briefing, in words and times for them; the log has the operator's.
    fn gaps_for(&self, member: &Member) -> Vec<Gap> {
        self.troubles
            .iter()
            .map(|(id, trouble)| {
                let since = trouble.since.to_zoned(member.time_zone.clone());
                let what = if trouble.is_slow {
                    "has not been read to its end since"
                } else {
                    "could not be read since"
                };
                Gap {
                    of: id.to_string(),
                    reason: format!("{what} {}", since.strftime("%a %H:%M")),
                }
            })
            .collect()
    }

    /// Brings the index up to the log. No briefing waits for it.
    async fn follow(&mut self) -> Result<()> {
        let (store, index, roster) = (self.store.clone(), self.index.clone(), self.roster.clone());
        let followed =
            tokio::task::spawn_blocking(move || follow::follow(&store, &index, &roster, |_, _| {}))
                .await
                .context("the task that follows the log stopped")?;
        match followed {
            Ok(_) => {
                self.is_index_behind = false;
                self.health.follows(true);
            }
            Err(error) if !self.is_index_behind => {
                self.is_index_behind = true;
                self.health.follows(false);
                warn!(error = %format!("{error:#}"), "The index is behind the log; the next sync tries again");
            }
            Err(_) => {}
        }
        self.embed().await;
        Ok(())
    }

    /// Lets the configured embedding model catch up, and says once when it cannot. Nothing waits for it.
    async fn embed(&mut self) {
        match self.embedding.take_if(|task| task.is_finished()) {
            Some(done) => match done.await {
                Ok(Ok(())) => self.is_model_silent = false,
                Ok(Err(error)) if !self.is_model_silent => {
                    self.is_model_silent = true;
                    warn!(error = %format!("{error:#}"), "The embedding model does not answer; search goes on with the built-in vectors");
                }
                Ok(Err(_)) => {}
                Err(_) => warn!("The task that embeds passages stopped"),
            },
            None if self.embedding.is_some() => return,
            None => {}
        }
        if self.index.has_model() {
            let (index, token) = (self.index.clone(), self.token.clone());
            self.embedding = Some(tokio::task::spawn_blocking(move || {
                follow::embed(&index, || token.is_cancelled(), |_| {})
            }));
        }
    }

    fn say_started(&self) {
        let now = self.clock.now();
        let (members, connectors) = (self.briefed().count(), self.connectors.len());
        let all = [
            count(members, "member", "members"),
            count(connectors, "connector", "connectors"),
        ]
        .join(", ");
        let first = self
            .briefed()
            .filter_map(|member| Some((schedule::next_start(member, now)?.1, member)))
            .min_by_key(|(start, _)| *start);
        match first {
            Some((start, member)) => {
                let local = start.to_zoned(member.time_zone.clone());
                let local = local.strftime("%a %-d %b %H:%M %Z");
                info!(
                    members,
                    connectors,
                    "Started: {all}; the next day to start is that of {} at {local}",
                    member.id,
                );
            }
            None => info!(connectors, "Started; nobody is to be briefed"),
        }
    }
}
