//! Members whose day starts: what is written ahead for them, and their briefing.

use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{Daemon, HELD_BACK};
use crate::brief::deliver::{Outcome, deliver, made, time_for_words};
use crate::brief::hear::hear;
use crate::brief::words::{Asking, fill};
use crate::metrics;
use crate::model::{Gap, Member};
use crate::schedule;
use crate::sinks::ChatSink;
use crate::store::{deliveries, has_no_room, progress};

impl<S: ChatSink + Clone> Daemon<S> {
    /// Asks the model about what the next members will read, so that nobody waits for it at the start of their day.
    ///
    /// What is new until then is asked again with the next reading; what is not there two minutes before stays a quote.
    pub(super) async fn write_ahead(&mut self) -> Result<()> {
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
    pub(super) async fn brief(&mut self, member: &Member) -> Result<()> {
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
        gaps.extend(self.tickets.weekly(&self.store, member, now).await?);
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
            Err(error) if has_no_room(&error) => return Err(error),
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
    pub(super) async fn due(&self, now: Timestamp) -> Result<Vec<Member>> {
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
}
