//! What is past its time is forgotten.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use tracing::info;

use super::{Daemon, WORDS_KEPT};
use crate::config::RetentionConfig;
use crate::connectors::ConnectorConfig;
use crate::model::ConnectorId;
use crate::sinks::ChatSink;
use crate::store::suggestions::forgotten;
use crate::store::{Store, retention, words};

impl<S: ChatSink + Clone> Daemon<S> {
    /// Forgets, once a day, what is older than the team wants to keep; the index follows.
    pub(super) async fn expire(&mut self, now: Timestamp) -> Result<()> {
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
        let id = id.clone();
        store
            .write(move |c| forgotten::expire(c, &id, before))
            .await?;
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
