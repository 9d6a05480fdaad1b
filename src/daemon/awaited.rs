//! Messages that wait for a tracker: edited once when it has answered, however often it was asked.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::Connection;
use tracing::warn;

use super::Daemon;

use crate::brief::offers::Reader;
use crate::brief::standing::standing;
use crate::model::{ConnectorId, Member};
use crate::roster::Roster;
use crate::sinks::ChatSink;
use crate::store::deliveries::key_of;
use crate::store::{Store, awaited};

/// How long all messages may take together, and one of them.
const LONGEST: Duration = Duration::from_secs(20);
const LONGEST_EACH: Duration = Duration::from_secs(10);

/// Shows in messages that wait for a tracker what it answered. Who left is shown nothing; a sink that fails is tried again
/// with the next look.
///
/// # Errors
/// When the store fails.
pub async fn show_answers<S: ChatSink>(
    store: &Store,
    roster: &Roster,
    taps: &BTreeSet<ConnectorId>,
    sink_of: impl Fn(&Member) -> Option<S>,
    now: Timestamp,
) -> Result<()> {
    let begun = tokio::time::Instant::now();
    for waiting in store.read(awaited::answered).await? {
        if begun.elapsed() >= LONGEST {
            break;
        }
        let member = roster.member(&waiting.member);
        let member = member.filter(|member| member.is_briefed).cloned();
        let sink = member.as_ref().and_then(&sink_of);
        if let (Some(member), Some(sink)) = (member, sink) {
            let key = key_of(&member.id, waiting.date);
            let (to, roster, taps, date) =
                (member.clone(), roster.clone(), taps.clone(), waiting.date);
            let stands = move |c: &Connection| {
                let reader = Reader {
                    member: &to,
                    roster: &roster,
                    taps: &taps,
                };
                standing(c, date, reader)
            };
            let stands = store.read(stands).await?;
            let shown = sink.show(&waiting.place, &key, &stands);
            let error = match tokio::time::timeout(LONGEST_EACH, shown).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("{error:#}")),
                Err(_) => Some(format!("it took longer than {} s", LONGEST_EACH.as_secs())),
            };
            if let Some(error) = error {
                warn!(member = %member.id, error, "{} could not be shown what became of a ticket; trying again", member.id);
                store.write(move |c| awaited::give_up(c, now)).await?;
                continue;
            }
        }
        store
            .write(move |c| awaited::settle(c, &waiting, now))
            .await?;
    }
    Ok(())
}

impl<S: ChatSink + Clone> Daemon<S> {
    /// Shows in messages what trackers answered since they were sent.
    pub(super) async fn show_answers(&self, now: Timestamp) -> Result<()> {
        let sink_of = |member: &Member| self.sinks.get(&member.id).cloned();
        show_answers(&self.store, &self.roster, self.tickets.taps(), sink_of, now).await
    }
}

#[cfg(test)]
mod tests;
