//! The daemon: reads the sources on an interval and briefs each member at the start of their own day.
//!
//! [`Daemon::step`] does what is due now and says when it wants to be called again; [`Daemon::run`] sleeps in between,
//! in one place. Tests call the steps on a simulated clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use daybrief_index::Index;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp, civil};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::ask::Answering;
use crate::brief::Style;
use crate::brief::deliver::{Delivering, Outcome, close_earlier, deliver, made, time_for_words};
use crate::brief::hear::hear;
use crate::brief::words::{Asking, fill};
use crate::clock::{Clock, LONGEST_SLEEP};
use crate::config::RetentionConfig;
use crate::connectors::{AnySource, ConnectorConfig, Source};
use crate::http::Http;
use crate::ingest::{self, follow};
use crate::llm::Llm;
use crate::metrics;
use crate::model::{ConnectorId, Gap, Member, MemberId};
use crate::roster::Roster;
use crate::schedule;
use crate::server::{self, ServerConfig};
use crate::sinks::ChatSink;
use crate::store::{Store, deliveries, hooks, people, progress, retention, words};

pub mod desk;
pub mod health;
pub mod hints;
pub mod joining;
pub mod tickets;

use health::Health;
use hints::{Hints, Objects};
use joining::Following;
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
    /// The last date that needs nothing more, by member; the outbox knows too, but is slower to ask.
    settled: BTreeMap<MemberId, civil::Date>,
    /// Briefings that could not be made, why, and until when they are left alone.
    held: BTreeMap<MemberId, (String, Timestamp)>,
    /// Whether the index could not follow the log.
    is_index_behind: bool,
    /// The configured embedding model at work, beside everything else.
    embedding: Option<JoinHandle<Result<()>>>,
    /// Whether the model did not answer, so that it is logged once.
    is_model_silent: bool,
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
        Daemon {
            connectors: parts.connectors,
            base: parts.base,
            http: parts.http,
            sources: BTreeMap::new(),
            store: parts.store,
            index: Arc::new(parts.index),
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
            llm: parts.llm,
            clock,
            token,
            synced_at: None,
            read_at: None,
            hints: Hints::default(),
            troubles: BTreeMap::new(),
            settled: BTreeMap::new(),
            held: BTreeMap::new(),
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
            roster: Arc::new(self.roster.clone()),
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
            let next = self.step().await?;
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

    /// Does what is due now; returns when something is due next.
    ///
    /// # Errors
    /// When the store fails. A source, a sink or a member that fails is noted, and the rest goes on.
    pub async fn step(&mut self) -> Result<Timestamp> {
        let now = self.clock.now();
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
        }
        for member in due {
            if self.token.is_cancelled() {
                return Ok(now);
            }
            // Who left since is not briefed any more.
            if !self.briefed().any(|briefed| briefed.id == member.id) {
                continue;
            }
            self.brief(&member).await?;
        }
        self.expire(now).await?;
        self.write_ahead().await?;
        self.follow().await?;
        self.next_event(now).await
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

    /// Asks the model about what the next members will read, so that nobody waits for it at the start of their day.
    ///
    /// What is new until then is asked again with the next reading; what is not there two minutes before stays a quote.
    async fn write_ahead(&mut self) -> Result<()> {
        let Some(llm) = self.llm.clone() else {
            return Ok(());
        };
        let lead = SignedDuration::from_mins(i64::from(llm.config().lead_minutes));
        let mut soon: Vec<(Timestamp, Member)> = self
            .briefed()
            .filter_map(|member| {
                let start = schedule::next_start(member, self.clock.now())?.1;
                Some((start, member.clone()))
            })
            .filter(|(start, _)| start.duration_since(self.clock.now()) <= lead)
            .collect();
        soon.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
        let Some(first) = soon.first().map(|(start, _)| *start) else {
            return Ok(());
        };
        for (start, member) in soon {
            // Words take the real time, and what is still to do for one may not hold up the start of another.
            let now = self.clock.now();
            let within = time_for_words(&member, now)
                .min(Duration::try_from(first.duration_since(now)).unwrap_or_default());
            if within.is_zero() || start <= now || llm.is_resting() {
                continue;
            }
            let with = self.delivering(&[]);
            let written = async {
                let (_, missing) = made(&with, &member, now).await?;
                let asking = Asking {
                    store: &self.store,
                    llm: &llm,
                    member: &member.id,
                    within,
                };
                let asked = fill(&asking, missing).await?;
                // Translations of what was just written.
                let (_, missing) = made(&with, &member, now).await?;
                if asked.kept > 0 {
                    fill(&asking, missing).await?;
                }
                anyhow::Ok(asked)
            };
            let token = self.token.clone();
            let asked = tokio::select! {
                () = token.cancelled() => return Ok(()),
                asked = tokio::time::timeout(within, written) => asked,
            };
            match asked {
                Ok(Ok(asked)) if asked.kept > 0 => {
                    info!(member = %member.id, kept = asked.kept, left = asked.left, "Wrote ahead for {}: {} threads", member.id, asked.kept);
                }
                Ok(Ok(_)) | Err(_) => {}
                Ok(Err(error)) => {
                    warn!(member = %member.id, error = %format!("{error:#}"), "Nothing could be written ahead for {}; lines stay quotes", member.id);
                }
            }
        }
        Ok(())
    }

    /// Briefs one member whose day has started.
    async fn brief(&mut self, member: &Member) -> Result<()> {
        let Some(sink) = self.sinks.get(&member.id) else {
            return Ok(());
        };
        // Windows end before `upto`: what the last look at the sources brought belongs to this one.
        let now = match self.read_at {
            Some(at) => self
                .clock
                .now()
                .max(at.checked_add(SignedDuration::from_micros(1))?),
            None => self.clock.now(),
        };
        // What they wrote to us counts from this morning on, even where nothing pushes.
        if !hear(&self.store, member, sink, now).await? {
            self.settled
                .insert(member.id.clone(), schedule::work_date(member, now));
            return Ok(());
        }
        let mut gaps = self.gaps_for(member);
        gaps.extend_from_slice(self.told_to(member));
        let delivered = deliver(&self.delivering(&gaps), member, sink, now).await;
        metrics::briefing(match &delivered {
            Ok(Outcome::Sent) => "sent",
            Ok(Outcome::Quiet) => "quiet",
            Ok(Outcome::TryAgain(_)) => "refused",
            Ok(Outcome::Unknown) => "unknown",
            Ok(Outcome::Missed) => "missed",
            Err(_) => "failed",
        });
        match delivered {
            Ok(Outcome::TryAgain(_)) => {
                self.held.remove(&member.id);
            }
            Ok(_) => {
                self.held.remove(&member.id);
                if !self.told_to(member).is_empty() {
                    self.joined.clear();
                }
                self.settled
                    .insert(member.id.clone(), schedule::work_date(member, now));
            }
            Err(error) => self.hold_back(member, format!("{error:#}"), now).await?,
        }
        Ok(())
    }

    /// Leaves a member's briefing alone for a while; says so once.
    async fn hold_back(&mut self, member: &Member, reason: String, now: Timestamp) -> Result<()> {
        let until = now.checked_add(HELD_BACK)?;
        let before = self.held.insert(member.id.clone(), (reason.clone(), until));
        if before.is_some_and(|(before, _)| before == reason) {
            return Ok(());
        }
        warn!(member = %member.id, error = reason, "The briefing of {} could not be made", member.id);
        let gap = Gap {
            of: format!("briefing of {}", member.id),
            reason,
        };
        self.store
            .write(move |c| progress::put_gap(c, &gap, now))
            .await
    }

    /// Returns the members whose day has started and whose briefing of it may be tried now.
    async fn due(&self, now: Timestamp) -> Result<Vec<Member>> {
        let started: Vec<Member> = self
            .briefed()
            .filter(|member| schedule::is_due(member, now))
            .filter(|member| {
                self.settled.get(&member.id) != Some(&schedule::work_date(member, now))
                    && self
                        .held
                        .get(&member.id)
                        .is_none_or(|(_, until)| *until <= now)
            })
            .cloned()
            .collect();
        if started.is_empty() {
            return Ok(started);
        }
        self.store
            .read(move |c| {
                let mut due = Vec::new();
                for member in started {
                    let date = schedule::work_date(&member, now);
                    let delivery = deliveries::delivery(c, &member.id, date)?;
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

    /// Reads sources side by side, each on its own.
    async fn sync(&mut self, limit: SignedDuration, which: Which) -> Result<()> {
        let limit_secs = limit.as_secs();
        let limit = Duration::try_from(limit).unwrap_or_default();
        let mut sources = std::mem::take(&mut self.sources);
        let (is_all, mut objects) = match which {
            Which::All(objects) => (true, objects),
            Which::Hinted(objects) => (false, objects),
        };
        let open: Vec<_> = self
            .connectors
            .keys()
            .filter_map(|id| match objects.remove(id) {
                Some(objects) => Some((id, sources.remove(id), objects)),
                None => is_all.then(|| (id, sources.remove(id), BTreeSet::new())),
            })
            .collect();
        // Who is not asked now keeps what it knows.
        self.sources = sources;
        let this = &*self;
        let readings = open.into_iter().map(async |(id, mut source, objects)| {
            // A source that is cut off keeps what it has learned about people and places.
            let begun = tokio::time::Instant::now();
            let read = this.sync_one(id, &mut source, &objects);
            let read = tokio::time::timeout(limit, read).await;
            let (result, events) = match &read {
                Ok(Ok(events)) => ("read", *events),
                Ok(Err(_)) => ("failed", 0),
                Err(_) => ("slow", 0),
            };
            metrics::reading(id, result, events, begun.elapsed());
            (id.clone(), read, source)
        });
        let readings = join_all(readings).await;
        let mut events = 0;
        for (id, read, source) in readings {
            self.sources
                .extend(source.map(|source| (id.clone(), source)));
            match read {
                Ok(Ok(count)) => {
                    events += count;
                    if self.troubles.remove(&id).is_some() {
                        info!(connector = %id, "{id} can be read again");
                    }
                }
                Ok(Err(error)) => self.note_trouble(&id, format!("{error:#}"), false).await?,
                Err(_) => {
                    let reason = format!("it was not read to its end within {limit_secs} s");
                    self.note_trouble(&id, reason, true).await?;
                }
            }
        }
        self.read_at = Some(self.clock.now());
        if is_all {
            self.synced_at = self.read_at;
            self.health.has_read();
        }
        metrics::sources(self.troubles.len(), self.clock.now());
        if events > 0 {
            info!(events, "Read {events} new events");
        }
        let (people, spaces) = self
            .store
            .read(|c| Ok((people::people(c, None)?, people::spaces(c)?)))
            .await?;
        self.roster = self.roster.renewed(people, spaces);
        self.follow_space().await
    }

    async fn sync_one(
        &self,
        id: &ConnectorId,
        source: &mut Option<AnySource>,
        objects: &BTreeSet<String>,
    ) -> Result<usize> {
        let source = match source {
            Some(source) => source,
            None => source.insert(self.connectors[id].open(id, &self.base, &self.http)?),
        };
        let connector = id.clone();
        let open = self
            .store
            .read(move |c| hooks::open_hooks(c, &connector))
            .await?;
        let hooked = open.iter().flat_map(|(_, objects)| objects);
        for object in objects.iter().chain(hooked) {
            source.hint(object);
        }
        let now = || self.clock.now();
        let synced = ingest::sync(&self.store, id, source, &self.roster, now, |_, _| {}).await?;
        if let Some((last, _)) = open {
            let (connector, now) = (id.clone(), self.clock.now());
            self.store
                .write(move |c| hooks::settle_hooks(c, &connector, last, now))
                .await?;
        }
        Ok(synced.events)
    }

    async fn note_trouble(
        &mut self,
        id: &ConnectorId,
        reason: String,
        is_slow: bool,
    ) -> Result<()> {
        let now = self.clock.now();
        let before = self.troubles.get(id);
        if before
            .is_some_and(|before| before.is_slow == is_slow && (is_slow || before.reason == reason))
        {
            return Ok(());
        }
        let trouble = Trouble {
            reason: reason.clone(),
            since: before.map_or(now, |before| before.since),
            is_slow,
        };
        self.troubles.insert(id.clone(), trouble);
        warn!(connector = %id, error = reason, "{id} cannot be read; the others go on");
        let gap = Gap {
            of: id.to_string(),
            reason,
        };
        self.store
            .write(move |c| progress::put_gap(c, &gap, now))
            .await
    }

    /// Forgets, once a day, what is older than the team wants to keep; the index follows.
    async fn expire(&mut self, now: Timestamp) -> Result<()> {
        let day = SignedDuration::from_hours(24);
        if self
            .expired_at
            .is_some_and(|at| now.duration_since(at) < day)
        {
            return Ok(());
        }
        self.expired_at = Some(now);
        let before = now.saturating_sub(WORDS_KEPT)?;
        self.store.write(move |c| words::prune(c, before)).await?;
        let expired = expire_all(&self.store, &self.connectors, &self.retention, now).await?;
        if expired > 0 {
            info!(
                expired,
                "Forgot the words of {expired} events that are past their time"
            );
        }
        Ok(())
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
                    "Started: {members} members, {connectors} connectors; the next day to start is that of {} at {local}",
                    member.id,
                );
            }
            None => info!(connectors, "Started; nobody is to be briefed"),
        }
    }
}

/// How many events are forgotten in one transaction.
const EXPIRED_AT_ONCE: usize = 2_000;

/// Forgets everything that is past its time; returns how many events that were.
///
/// # Errors
/// When the store fails.
pub async fn expire_all(
    store: &Store,
    connectors: &BTreeMap<ConnectorId, ConnectorConfig>,
    retention: &RetentionConfig,
    now: Timestamp,
) -> Result<usize> {
    let before = |days: u32| now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days)));
    let mut all = 0;
    let mut longest = Some(0);
    for id in connectors.keys() {
        let days = retention.days_of(id);
        longest = longest.zip(days).map(|(longest, days)| longest.max(days));
        let Some(days) = days else { continue };
        let before = before(days)?;
        loop {
            let id = id.clone();
            let expired = store
                .write(move |c| retention::expire(c, &id, before, EXPIRED_AT_ONCE))
                .await?;
            all += expired;
            if expired < EXPIRED_AT_ONCE {
                break;
            }
        }
    }
    // What briefings said may come from any source.
    if let Some(days) = longest.filter(|days| *days > 0) {
        let before = before(days)?;
        store
            .write(move |c| retention::expire_deliveries(c, before))
            .await?;
    }
    Ok(all)
}
