//! One briefing out, once: planned, checked again, handed to the sink, settled. Whatever crashes, never twice.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::{Style, briefing, render, window_of};
use crate::model::{Briefing, Gap, Member, Seq};
use crate::roster::Roster;
use crate::schedule;
use crate::sinks::{ChatSink, Found, Message};
use crate::store::deliveries::{self, Delivery, State, key_of};
use crate::store::{Store, audiences, events, progress};

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
    let date = schedule::work_date(member, now);
    let key = key_of(&member.id, date);
    let id = member.id.clone();
    let before = with
        .store
        .read(move |c| deliveries::delivery(c, &id, date))
        .await?;
    if let Some(before) = &before
        && let Some(outcome) = outcome_of_earlier(with, before, sink, now).await?
    {
        return Ok(outcome);
    }

    // Planned and committed before anything leaves.
    let (owned, roster, style, gaps) = (
        member.clone(),
        with.roster.clone(),
        *with.style,
        with.gaps.to_vec(),
    );
    let made = with
        .store
        .read(move |c| {
            let (window, previous) = window_of(c, &owned, now)?;
            briefing(c, &owned, &roster, window, previous, &style, gaps)
        })
        .await?;
    let body = render::to_json(&made).to_string();
    let (id, window, hash) = (member.id.clone(), made.window, hash_of(&body));
    with.store
        .write(move |c| deliveries::plan(c, &id, date, &window, &hash, &body).map(|_| ()))
        .await?;
    if made.is_quiet() && !with.quiet_line {
        settle(with, member, date, State::Quiet, None, now, None).await?;
        return Ok(Outcome::Quiet);
    }

    let id = member.id.clone();
    with.store
        .write(move |c| deliveries::begin(c, &id, date))
        .await?;
    // What was readable a moment ago may be deleted or closed to the reader now.
    let owned = member.clone();
    let (checked, seqs) = with
        .store
        .read(move |c| still_readable(c, &owned, made))
        .await?;
    let message = Message {
        key: &key,
        to: member,
        briefing: &checked,
        now,
    };
    match sink.send(message).await {
        Ok(receipt) => {
            let id = member.id.clone();
            with.store
                .write(move |c| {
                    deliveries::put_shown(c, &id, date, &seqs)?;
                    deliveries::settle(c, &id, date, State::Sent, Some(&receipt.0), now, None)
                })
                .await?;
            info!(member = %member.id, items = checked.items.len(), "Briefed {}: {} lines", member.id, checked.items.len());
            Ok(Outcome::Sent)
        }
        Err(error) => {
            warn!(member = %member.id, error = %format!("{error:#}"), "The briefing of {} did not go out; trying again", member.id);
            let attempts = before.map_or(0, |before| before.attempts) + 1;
            again_later(with, member, date, attempts, now).await
        }
    }
}

/// Returns how a delivery that was begun before ended, or `None` when it may be made anew.
async fn outcome_of_earlier<S: ChatSink>(
    with: &Delivering<'_>,
    before: &Delivery,
    sink: &S,
    now: Timestamp,
) -> Result<Option<Outcome>> {
    let Some(member) = with.roster.member(&before.member) else {
        return Ok(Some(Outcome::Unknown));
    };
    match before.state {
        State::Sent => Ok(Some(Outcome::Sent)),
        State::Quiet => Ok(Some(Outcome::Quiet)),
        State::Unknown => Ok(Some(Outcome::Unknown)),
        State::Planned => Ok(None),
        State::Failed if before.next_try_at.is_some_and(|at| now < at) => {
            Ok(before.next_try_at.map(Outcome::TryAgain))
        }
        // We died between handing it over and hearing back, or the sink failed: it may be there.
        State::Sending | State::Failed => match sink.find(&before.key()).await {
            Ok(Found::Yes(receipt)) => {
                settle(
                    with,
                    member,
                    before.date,
                    State::Sent,
                    Some(receipt.0),
                    now,
                    None,
                )
                .await?;
                Ok(Some(Outcome::Sent))
            }
            Ok(Found::No) => {
                settle(with, member, before.date, State::Planned, None, now, None).await?;
                Ok(None)
            }
            Ok(Found::CannotTell) => {
                let reason = "we stopped while it was being sent, and the sink cannot tell whether it arrived";
                put_gap(with, before.key(), reason, now).await?;
                settle(with, member, before.date, State::Unknown, None, now, None).await?;
                Ok(Some(Outcome::Unknown))
            }
            Err(_) => again_later(with, member, before.date, before.attempts + 1, now)
                .await
                .map(Some),
        },
    }
}

/// Puts a delivery off: twice as long each time, at most half an hour.
async fn again_later(
    with: &Delivering<'_>,
    member: &Member,
    date: jiff::civil::Date,
    attempts: u32,
    now: Timestamp,
) -> Result<Outcome> {
    let wait = SignedDuration::from_secs(30 * (1_i64 << attempts.min(6)))
        .min(SignedDuration::from_mins(30));
    let next = now.checked_add(wait)?;
    if attempts == 1 {
        put_gap(
            with,
            key_of(&member.id, date),
            "the sink did not take it yet; it is tried again",
            now,
        )
        .await?;
    }
    settle(with, member, date, State::Failed, None, now, Some(next)).await?;
    Ok(Outcome::TryAgain(next))
}

async fn settle(
    with: &Delivering<'_>,
    member: &Member,
    date: jiff::civil::Date,
    state: State,
    receipt: Option<String>,
    now: Timestamp,
    next: Option<Timestamp>,
) -> Result<()> {
    let id = member.id.clone();
    with.store
        .write(move |c| deliveries::settle(c, &id, date, state, receipt.as_deref(), now, next))
        .await
}

async fn put_gap(with: &Delivering<'_>, of: String, reason: &str, now: Timestamp) -> Result<()> {
    let gap = Gap {
        of,
        reason: reason.to_owned(),
    };
    with.store
        .write(move |c| progress::put_gap(c, &gap, now))
        .await
}

/// Drops every citation that is gone or that the reader may no longer read, and the lines that rested on nothing else.
/// Returns the rest and the positions it cites.
pub fn still_readable(
    c: &Connection,
    member: &Member,
    mut made: Briefing,
) -> Result<(Briefing, Vec<Seq>)> {
    let readable = audiences::readable_by(c, Some(member))?;
    let mut seqs = BTreeMap::new();
    let mut items = Vec::with_capacity(made.items.len());
    for mut item in std::mem::take(&mut made.items) {
        let mut kept = Vec::with_capacity(item.citations.len());
        for citation in std::mem::take(&mut item.citations) {
            if let Some((seq, audience)) = events::present(c, &citation.event)?
                && readable.contains(&audience)
            {
                seqs.insert(citation.event.clone(), seq);
                kept.push(citation);
            }
        }
        item.citations = kept;
        if !item.citations.is_empty() {
            items.push(item);
        }
    }
    made.items = items;
    let mut waiting = Vec::new();
    for wait in std::mem::take(&mut made.waiting) {
        if events::present(c, &wait.citation.event)?
            .is_some_and(|(_, audience)| readable.contains(&audience))
        {
            waiting.push(wait);
        }
    }
    made.waiting = waiting;
    Ok((made, seqs.into_values().collect()))
}

fn hash_of(body: &str) -> String {
    Sha256::digest(body.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
