//! A tracker for tests, which remembers what was written to it and can fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::KEY;
use crate::connectors::Tracker;
use crate::connectors::tracker::{Assigned, Receipt, Verdict};
use crate::model::{Handle, Markdown, ThreadId};

/// A tracker that remembers.
#[derive(Clone, Default)]
pub(crate) struct Board(pub(crate) Arc<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) state: Mutex<Things>,
    pub(crate) written: Notify,
}

#[derive(Default)]
pub(crate) struct Things {
    pub(crate) comments: BTreeMap<(String, String), String>,
    pub(crate) owners: BTreeMap<String, Handle>,
    pub(crate) labels: BTreeMap<String, Vec<String>>,
    pub(crate) verdicts: Vec<Verdict>,
    /// How often something was written.
    pub(crate) writes: usize,
    pub(crate) is_down: bool,
    /// The answer to the next writing never comes.
    pub(crate) is_mute: bool,
}

impl Board {
    async fn wrote(&self) {
        let is_mute = {
            let mut state = self.0.state.lock().unwrap();
            state.writes += 1;
            std::mem::take(&mut state.is_mute)
        };
        if is_mute {
            self.0.written.notify_one();
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn comment_on(&self, ticket: &str) -> Option<String> {
        let state = self.0.state.lock().unwrap();
        let key = (ticket.to_owned(), KEY.to_owned());
        state.comments.get(&key).cloned()
    }
}

impl Tracker for Board {
    async fn find(&self, _: &ThreadId, _: &str) -> Result<Option<Receipt>> {
        bail!("not asked for")
    }

    async fn comment(&self, ticket: &ThreadId, key: &str, text: &Markdown) -> Result<Receipt> {
        let key = (ticket.id.to_string(), key.to_owned());
        let is_changed = {
            let mut state = self.0.state.lock().unwrap();
            if state.is_down {
                bail!("the tracker is down");
            }
            state.comments.insert(key, text.0.clone()).as_ref() != Some(&text.0)
        };
        if is_changed {
            self.wrote().await;
        }
        Ok(Receipt {
            id: "1".into(),
            url: format!("https://tracker.example/{}", ticket.id),
            is_changed,
        })
    }

    async fn withdraw(&self, ticket: &ThreadId, key: &str) -> Result<bool> {
        let key = (ticket.id.to_string(), key.to_owned());
        let was = self.0.state.lock().unwrap().comments.remove(&key);
        Ok(was.is_some())
    }

    async fn assign(&self, ticket: &ThreadId, to: &Handle) -> Result<Assigned> {
        {
            let mut state = self.0.state.lock().unwrap();
            if state.is_down {
                bail!("the tracker is down");
            }
            match state.owners.get(&*ticket.id) {
                Some(owner) if owner == to => return Ok(Assigned::Already),
                Some(owner) => return Ok(Assigned::Owned(owner.clone())),
                None => state.owners.insert(ticket.id.to_string(), to.clone()),
            };
        }
        self.wrote().await;
        Ok(Assigned::Done)
    }

    async fn unassign(&self, ticket: &ThreadId, from: &Handle) -> Result<bool> {
        let mut state = self.0.state.lock().unwrap();
        let had = state.owners.get(&*ticket.id) == Some(from);
        if had {
            state.owners.remove(&*ticket.id);
        }
        Ok(had)
    }

    async fn add_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        if self.has_label(ticket, label).await? {
            return Ok(false);
        }
        {
            let mut state = self.0.state.lock().unwrap();
            if state.is_down {
                bail!("the tracker is down");
            }
            let labels = state.labels.entry(ticket.id.to_string()).or_default();
            labels.push(label.to_owned());
        }
        self.wrote().await;
        Ok(true)
    }

    async fn has_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        let state = self.0.state.lock().unwrap();
        let labels = state.labels.get(&*ticket.id);
        Ok(labels.is_some_and(|labels| labels.iter().any(|own| own == label)))
    }

    async fn remove_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        let had = self.has_label(ticket, label).await?;
        let mut state = self.0.state.lock().unwrap();
        let labels = state.labels.entry(ticket.id.to_string()).or_default();
        labels.retain(|own| own != label);
        Ok(had)
    }

    async fn verdicts(&self, _: &ThreadId, _: &str, _: Timestamp) -> Result<Vec<Verdict>> {
        Ok(self.0.state.lock().unwrap().verdicts.clone())
    }
}
