//! Sources that are read side by side; one that fails is noted and the others go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::join_all;
use jiff::SignedDuration;
use tracing::{info, warn};

use super::{Daemon, Trouble, Which};
use crate::connectors::{AnySource, Source};
use crate::ingest;
use crate::metrics;
use crate::model::{ConnectorId, Gap};
use crate::sinks::ChatSink;
use crate::store::{has_no_room, hooks, people, progress};

impl<S: ChatSink + Clone> Daemon<S> {
    /// Reads sources side by side, each on its own.
    pub(super) async fn sync(&mut self, limit: SignedDuration, which: Which) -> Result<()> {
        if self.read_at.is_none() {
            // Who is here already keeps their id, whoever comes with what is read now.
            self.follow_space().await?;
        }
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
        let (mut events, mut full) = (0, None);
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
                // That is nothing about the source.
                Ok(Err(error)) if has_no_room(&error) => full = Some(error),
                Ok(Err(error)) => {
                    let told = format!("{error:#}");
                    // Whoever shows it says which source it is.
                    let reason = told.strip_prefix(&format!("cannot read {id}: "));
                    let reason = reason.unwrap_or(&told).to_owned();
                    self.note_trouble(&id, reason, false).await?;
                }
                Err(_) => {
                    let reason = format!("it was not read to its end within {limit_secs} s");
                    self.note_trouble(&id, reason, true).await?;
                }
            }
        }
        if let Some(error) = full {
            return Err(error);
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
        self.follow_space().await?;
        self.everybody.send_replace(Arc::new(self.roster.clone()));
        Ok(())
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
        let others = if self.connectors.len() > 1 {
            "; the others go on"
        } else {
            ""
        };
        warn!(connector = %id, error = reason, "{id} cannot be read{others}");
        let gap = Gap {
            of: id.to_string(),
            reason,
        };
        self.store
            .write(move |c| progress::put_gap(c, &gap, now))
            .await
    }
}
