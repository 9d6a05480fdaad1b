//! One briefing out, once: planned, checked again, handed to the sink, settled. Whatever crashes, never twice.
//!
//! Each step is committed before the next begins, so that a new process finds out from the outbox how far the old one
//! came. What the sink surely did not take before the local day was over is `missed`, and the next morning's window
//! reaches back over it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp, civil};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::offers::{Reader, offers_of};
use super::{Style, briefing_with_words, render, window_of, words};
use crate::llm::Llm;
use crate::model::{
    AudienceId, Briefing, Citation, ConnectorId, EventId, Gap, Learned, Member, Seq, ThreadId,
    ThreadRef, Window,
};
use crate::roster::Roster;
use crate::schedule;
use crate::sinks::{ChatSink, Found, Message, NotTaken, Receipt};
use crate::store::deliveries::{self, Delivery, State, key_of};
use crate::store::{Store, audiences, events, progress, quoted};
use crate::text::stands_in;

/// How long a sink may take; then it counts as failed.
const LONGEST_SEND: Duration = Duration::from_secs(60);

/// How long before a start words have to be there.
const WORDS_BEFORE_START: SignedDuration = SignedDuration::from_mins(2);
/// How long a briefing that is late anyway waits for words.
const WORDS_WHEN_LATE: Duration = Duration::from_secs(30);

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sink has it, now or from before.
    Sent,
    /// There was nothing to say.
    Quiet,
    /// The sink refused; tried again then.
    TryAgain(Timestamp),
    /// Nobody can say whether it arrived; a gap says so.
    Unknown,
    /// The day it was for is over; the next briefing covers it.
    Missed,
}

/// What a delivery needs besides the member and the sink.
#[derive(Clone, Copy)]
pub struct Delivering<'a> {
    /// The store.
    pub store: &'a Store,
    /// Everybody.
    pub roster: &'a Roster,
    /// What the team decided about its briefings.
    pub style: &'a Style,
    /// Whether a morning with nothing for the reader still gets its one line.
    pub quiet_line: bool,
    /// What is missing this morning.
    pub gaps: &'a [Gap],
    /// The model that words lines, if there is one.
    pub llm: Option<&'a Llm>,
    /// Trackers at which a press below a line changes the owner of a ticket.
    pub taps: &'a BTreeSet<ConnectorId>,
}

/// A briefing that is in the outbox and has not left.
#[derive(Clone, Debug)]
pub struct Planned {
    /// As it was when it was planned.
    pub briefing: Briefing,
    /// The end of the window before; what was learned since and happened before is late.
    previous_upto: Option<Learned>,
    /// The end of the log when it was made.
    made_at: Seq,
}

/// Delivers a member's briefing of this moment's work date, unless it is settled already.
///
/// # Errors
/// When the store fails; a failing sink is an outcome, not an error.
pub async fn deliver<S: ChatSink>(
    with: &Delivering<'_>,
    member: &Member,
    sink: &S,
    now: Timestamp,
) -> Result<Outcome> {
    let (id, date) = (member.id.clone(), schedule::work_date(member, now));
    let before = with
        .store
        .read(move |c| deliveries::delivery(c, &id, date))
        .await?;
    if let Some(before) = before
        && let Some(outcome) = resume(with, member, before, sink, now).await?
    {
        return Ok(outcome);
    }
    let planned = plan(with, member, now).await?;
    match begin(with, member, planned, now).await? {
        Some(briefing) => hand_over(with, member, &briefing, sink, now).await,
        None => Ok(Outcome::Quiet),
    }
}

/// Makes a briefing and puts it into the outbox; what was planned there before for the same date is replaced.
///
/// # Errors
/// When the store fails.
pub async fn plan(with: &Delivering<'_>, member: &Member, now: Timestamp) -> Result<Planned> {
    let (mut planned, mut missing) = made(with, member, now).await?;
    let begun = tokio::time::Instant::now();
    // Words first, then translations of them; a briefing is complete before and without either.
    for _ in 0..2 {
        let within = time_for_words(member, now).saturating_sub(begun.elapsed());
        let Some(llm) = with
            .llm
            .filter(|_| !missing.is_empty() && !within.is_zero())
        else {
            break;
        };
        let asking = words::Asking {
            store: with.store,
            llm,
            member: &member.id,
            within,
        };
        words::fill(&asking, missing).await?;
        (planned, missing) = made(with, member, now).await?;
    }
    let made = planned.briefing.clone();
    with.store.write(move |c| put_planned(c, &made)).await?;
    Ok(planned)
}

/// Returns a briefing with the words there are, and what a model could still be asked.
///
/// # Errors
/// When the store cannot be read.
pub async fn made(
    with: &Delivering<'_>,
    member: &Member,
    now: Timestamp,
) -> Result<(Planned, Vec<words::Job>)> {
    let (owned, roster, style, gaps, llm) = (
        member.clone(),
        with.roster.clone(),
        *with.style,
        with.gaps.to_vec(),
        with.llm.cloned(),
    );
    with.store
        .read(move |c| {
            let (window, previous_upto) = window_of(c, &owned, now)?;
            let (briefing, missing) = briefing_with_words(
                c,
                &owned,
                &roster,
                window,
                previous_upto,
                &style,
                gaps,
                llm.as_ref(),
            )?;
            let planned = Planned {
                briefing,
                previous_upto,
                made_at: events::last_seq(c)?,
            };
            Ok((planned, missing))
        })
        .await
}

/// Returns how long a model may still be asked: until two minutes before the start. At the start there is no time; whoever
/// is late anyway waits a little longer for better lines.
pub fn time_for_words(member: &Member, now: Timestamp) -> Duration {
    let start = schedule::day_start(member, schedule::work_date(member, now));
    let left = start.duration_since(now).saturating_sub(WORDS_BEFORE_START);
    if left.is_positive() {
        return Duration::try_from(left).unwrap_or_default();
    }
    if now.duration_since(start) > WORDS_BEFORE_START {
        return WORDS_WHEN_LATE;
    }
    Duration::ZERO
}

/// Checks a planned briefing against the store as it is now and marks it as handed over; `None` when nothing is left to
/// say, and it is settled as quiet.
///
/// Check and mark are one transaction. A briefing that no longer stands is made anew for the same window, so that its
/// counts and its headline hold too.
///
/// # Errors
/// When the store fails, or when it is not waiting to be sent.
pub async fn begin(
    with: &Delivering<'_>,
    member: &Member,
    planned: Planned,
    now: Timestamp,
) -> Result<Option<Briefing>> {
    let (owned, roster, style, quiet_line, llm) = (
        member.clone(),
        with.roster.clone(),
        *with.style,
        with.quiet_line,
        with.llm.cloned(),
    );
    with.store
        .write(move |c| {
            let Planned {
                briefing: mut made,
                previous_upto,
                made_at,
            } = planned;
            // Words may rest on more of a message than its quote: when the log has moved they are held against it anew.
            let is_worded = made.items.iter().any(|item| !item.summary.is_empty());
            let has_moved = is_worded && events::last_seq(c)? != made_at;
            if has_moved || still_standing(c, &owned, made.clone(), previous_upto)? != made {
                let (window, gaps) = (made.window, std::mem::take(&mut made.gaps));
                let (again, _) = briefing_with_words(
                    c,
                    &owned,
                    &roster,
                    window,
                    previous_upto,
                    &style,
                    gaps,
                    llm.as_ref(),
                )?;
                made = still_standing(c, &owned, again, previous_upto)?;
                put_planned(c, &made)?;
            }
            // With a source missing nobody knows that the morning is quiet.
            if made.is_quiet() && made.gaps.is_empty() && !quiet_line {
                deliveries::settle(c, &owned.id, made.date, State::Quiet, None, now, None)?;
                return Ok(None);
            }
            deliveries::begin(c, &owned.id, made.date)?;
            Ok(Some(made))
        })
        .await
}

/// Hands a briefing that was begun to the sink and settles it.
///
/// # Errors
/// When the store fails.
pub async fn hand_over<S: ChatSink>(
    with: &Delivering<'_>,
    member: &Member,
    made: &Briefing,
    sink: &S,
    now: Timestamp,
) -> Result<Outcome> {
    let key = key_of(&member.id, made.date);
    let (items, to, roster, taps) = (
        made.items.clone(),
        member.clone(),
        with.roster.clone(),
        with.taps.clone(),
    );
    let offers = with
        .store
        .read(move |c| {
            let reader = Reader {
                member: &to,
                roster: &roster,
                taps: &taps,
            };
            offers_of(c, &items, reader)
        })
        .await?;
    let message = Message {
        key: &key,
        to: member,
        briefing: made,
        offers: &offers,
        now,
    };
    let sent = tokio::time::timeout(LONGEST_SEND, sink.send(message)).await;
    let error = match sent {
        Ok(Ok(receipt)) => return settle_sent(with, member, made.clone(), receipt, now).await,
        Ok(Err(error)) => error,
        Err(_) => anyhow::anyhow!("it took longer than {} s", LONGEST_SEND.as_secs()),
    };
    let reason = format!("{error:#}");
    if error.is::<NotTaken>() {
        return again_later(with, member, made.date, State::Failed, &reason, now).await;
    }
    // A sink may fail after it has accepted.
    match sink.find(&key).await {
        Ok(Found::Yes(receipt)) => settle_sent(with, member, made.clone(), receipt, now).await,
        Ok(Found::CannotTell) => {
            warn!(member = %member.id, error = reason, "Nobody knows whether the briefing of {} went out", member.id);
            settle_unknown(with, member, made.date, now).await
        }
        Ok(Found::No) => again_later(with, member, made.date, State::Failed, &reason, now).await,
        Err(_) => again_later(with, member, made.date, State::Sending, &reason, now).await,
    }
}

/// Returns how a delivery that was begun before ended, or `None` when it is to be made anew.
async fn resume<S: ChatSink>(
    with: &Delivering<'_>,
    member: &Member,
    before: Delivery,
    sink: &S,
    now: Timestamp,
) -> Result<Option<Outcome>> {
    match before.state {
        State::Sent => Ok(Some(Outcome::Sent)),
        State::Quiet => Ok(Some(Outcome::Quiet)),
        State::Unknown => Ok(Some(Outcome::Unknown)),
        State::Missed => Ok(Some(Outcome::Missed)),
        State::Planned => Ok(None),
        State::Failed | State::Sending if before.next_try_at.is_some_and(|at| now < at) => {
            Ok(before.next_try_at.map(Outcome::TryAgain))
        }
        // We died between handing it over and hearing back, or the sink failed: it may be there.
        State::Sending | State::Failed => match sink.find(&before.key()).await {
            Ok(Found::Yes(receipt)) => {
                let made = body_of(&before)?;
                settle_sent(with, member, made, receipt, now)
                    .await
                    .map(Some)
            }
            Ok(found) if found == Found::No || before.state == State::Failed => {
                settle(with, member, before.date, State::Planned, now, None).await?;
                Ok(None)
            }
            Ok(_) => settle_unknown(with, member, before.date, now)
                .await
                .map(Some),
            Err(error) => {
                let reason = format!("{error:#}");
                again_later(with, member, before.date, before.state, &reason, now)
                    .await
                    .map(Some)
            }
        },
    }
}

/// Settles what an earlier day left open, when its reader's local day is over.
///
/// # Errors
/// When the store fails.
pub async fn close_earlier<S: ChatSink>(
    with: &Delivering<'_>,
    sink_of: impl Fn(&Member) -> Option<S>,
    now: Timestamp,
) -> Result<()> {
    for open in with.store.read(deliveries::unsettled).await? {
        let Some(member) = with.roster.member(&open.member) else {
            let (id, date) = (open.member.clone(), open.date);
            let close = move |c: &Connection| {
                deliveries::settle(c, &id, date, State::Missed, None, now, None)
            };
            with.store.write(close).await?;
            continue;
        };
        if open.date >= schedule::work_date(member, now) {
            continue;
        }
        let found = match (open.state, sink_of(member)) {
            (State::Sending | State::Failed, Some(sink)) => sink.find(&open.key()).await.ok(),
            _ => None,
        };
        match found {
            Some(Found::Yes(receipt)) => {
                settle_sent(with, member, body_of(&open)?, receipt, now).await?;
            }
            Some(Found::CannotTell) if open.state == State::Sending => {
                settle_unknown(with, member, open.date, now).await?;
            }
            Some(_) | None => {
                warn!(member = %member.id, date = %open.date, "The briefing of {} for {} did not go out; the next one covers it", member.id, open.date);
                let reason = "it did not go out before the day was over; the next one covers it";
                put_gap(with, open.key(), reason, now).await?;
                settle(with, member, open.date, State::Missed, now, None).await?;
            }
        }
    }
    Ok(())
}

/// Puts a delivery off: twice as long each time, at most half an hour. [`close_earlier`] ends it with the day. `state` is
/// `Failed` where the sink surely does not have it, `Sending` where it could not be asked.
async fn again_later(
    with: &Delivering<'_>,
    member: &Member,
    date: civil::Date,
    state: State,
    reason: &str,
    now: Timestamp,
) -> Result<Outcome> {
    let id = member.id.clone();
    let attempts = with
        .store
        .write(move |c| deliveries::count_failure(c, &id, date))
        .await?;
    let wait = SignedDuration::from_secs(30 << attempts.min(6)).min(SignedDuration::from_mins(30));
    let next = now.checked_add(wait)?;
    if attempts <= 1 {
        warn!(member = %member.id, error = reason, "The briefing of {} did not go out; trying again while the day lasts", member.id);
        let gap = "the sink did not take it yet; it is tried again while the day lasts";
        put_gap(with, key_of(&member.id, date), gap, now).await?;
    }
    settle(with, member, date, state, now, Some(next)).await?;
    Ok(Outcome::TryAgain(next))
}

async fn settle_sent(
    with: &Delivering<'_>,
    member: &Member,
    made: Briefing,
    receipt: Receipt,
    now: Timestamp,
) -> Result<Outcome> {
    let (id, lines) = (member.id.clone(), made.items.len());
    with.store
        .write(move |c| {
            let seqs = cited_positions(c, &made)?;
            deliveries::put_shown(c, &id, made.date, &seqs)?;
            progress::close_gap(c, &gap_of(&key_of(&id, made.date)))?;
            progress::close_gap(c, &format!("briefing of {id}"))?;
            let receipt = Some(receipt.0.as_str());
            deliveries::settle(c, &id, made.date, State::Sent, receipt, now, None)
        })
        .await?;
    let noun = if lines == 1 { "line" } else { "lines" };
    info!(member = %member.id, lines, "Briefed {}: {lines} {noun}", member.id);
    Ok(Outcome::Sent)
}

async fn settle_unknown(
    with: &Delivering<'_>,
    member: &Member,
    date: civil::Date,
    now: Timestamp,
) -> Result<Outcome> {
    let reason =
        "it was being sent when something broke, and its sink cannot tell whether it arrived";
    put_gap(with, key_of(&member.id, date), reason, now).await?;
    settle(with, member, date, State::Unknown, now, None).await?;
    Ok(Outcome::Unknown)
}

async fn settle(
    with: &Delivering<'_>,
    member: &Member,
    date: civil::Date,
    state: State,
    now: Timestamp,
    next: Option<Timestamp>,
) -> Result<()> {
    let id = member.id.clone();
    with.store
        .write(move |c| deliveries::settle(c, &id, date, state, None, now, next))
        .await
}

/// Returns what the gap of a briefing is called.
fn gap_of(key: &str) -> String {
    format!("briefing {key}")
}

async fn put_gap(with: &Delivering<'_>, key: String, reason: &str, now: Timestamp) -> Result<()> {
    let gap = Gap {
        of: gap_of(&key),
        reason: reason.to_owned(),
    };
    with.store
        .write(move |c| progress::put_gap(c, &gap, now))
        .await
}

pub(crate) fn put_planned(c: &Connection, made: &Briefing) -> Result<()> {
    let body = render::to_json(made).to_string();
    let hash: String = Sha256::digest(body.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let may_go = deliveries::plan(c, &made.member, made.date, &made.window, &hash, &body)?;
    let mut seqs = cited_positions(c, made)?;
    for waiting in &made.waiting {
        seqs.extend(events::find_event(c, &waiting.citation.event)?.map(|event| event.seq));
    }
    quoted::put(c, &made.member, made.date, &seqs)?;
    let items = made.items.iter().flat_map(|item| &item.threads);
    let waiting = made.waiting.iter().map(|waiting| &waiting.thread);
    let named: Vec<&ThreadId> = items
        .chain(&made.also)
        .chain(waiting)
        .map(|thread| &thread.id)
        .collect();
    quoted::put_named(c, &made.member, made.date, &named)?;
    anyhow::ensure!(
        may_go,
        "the briefing {} is on its way or settled already",
        key_of(&made.member, made.date)
    );
    Ok(())
}

/// Returns the briefing of a delivery.
///
/// # Errors
/// When what is stored is damaged.
pub fn body_of(delivery: &Delivery) -> Result<Briefing> {
    let value = serde_json::from_str(&delivery.body)
        .with_context(|| format!("the stored briefing {} is damaged", delivery.key()))?;
    render::from_json(&value)
}

/// Returns the positions in the log of what a briefing's lines cite.
fn cited_positions(c: &Connection, made: &Briefing) -> Result<Vec<Seq>> {
    let mut seqs = BTreeSet::new();
    for citation in made.items.iter().flat_map(|item| &item.citations) {
        seqs.extend(events::find_event(c, &citation.event)?.map(|event| event.seq));
    }
    Ok(seqs.into_iter().collect())
}

/// Returns the briefing without every citation that is gone, that the reader may no longer read, whose words changed or
/// that lies outside of the window, and without the lines that rested on nothing else.
///
/// # Errors
/// When the store cannot be read.
pub fn still_standing(
    c: &Connection,
    member: &Member,
    mut made: Briefing,
    previous_upto: Option<Learned>,
) -> Result<Briefing> {
    let check = Check {
        c,
        readable: audiences::readable_by(c, Some(member))?,
        window: made.window,
        late_from: previous_upto.map_or(made.window.after, |upto| upto.min(made.window.after)),
    };
    let mut items = Vec::with_capacity(made.items.len());
    for mut item in std::mem::take(&mut made.items) {
        let mut kept = Vec::with_capacity(item.citations.len());
        let mut is_new = false;
        for citation in std::mem::take(&mut item.citations) {
            if let Some(cited) = check.stands(&citation)? {
                is_new |= cited;
                kept.push(citation);
            }
        }
        item.citations = kept;
        if !item.citations.is_empty() && (item.carried || is_new) {
            items.push(item);
        }
    }
    made.items = items;
    let mut waiting = Vec::with_capacity(made.waiting.len());
    for wait in std::mem::take(&mut made.waiting) {
        if check.stands(&wait.citation)?.is_some() {
            waiting.push(wait);
        }
    }
    made.waiting = waiting;
    let mut also = Vec::with_capacity(made.also.len());
    for thread in std::mem::take(&mut made.also) {
        if check.may_be_named(&thread)? {
            also.push(thread);
        }
    }
    made.also = also;
    Ok(made)
}

/// What a citation is checked against.
struct Check<'a> {
    c: &'a Connection,
    readable: BTreeSet<AudienceId>,
    window: Window,
    late_from: Learned,
}

impl Check<'_> {
    /// Returns whether the cited event is new in the window; `None` when it may not be cited.
    fn stands(&self, citation: &Citation) -> Result<Option<bool>> {
        let Some(cited) = events::present(self.c, &citation.event)? else {
            return Ok(None);
        };
        let (learned, window) = (cited.learned, &self.window);
        let is_known = learned < window.upto && cited.seq <= window.upto_seq;
        let may_stand = is_known
            && self.readable.contains(&cited.audience)
            && stands_in(&citation.quote, &cited.text);
        let is_late = learned >= self.late_from && cited.occurred_at < self.late_from.0;
        Ok(may_stand.then_some(learned >= window.after || is_late))
    }

    /// Returns whether a thread, or a message that is named as one, is there and may be read.
    fn may_be_named(&self, thread: &ThreadRef) -> Result<bool> {
        let message = EventId::new(&thread.id.connector, &*thread.id.id);
        if let Some(present) = events::present(self.c, &message)? {
            return Ok(self.readable.contains(&present.audience));
        }
        let stored = events::find_thread(self.c, &thread.id)?;
        Ok(stored.is_some_and(|stored| self.readable.contains(&stored.audience)))
    }
}
