//! Presses outlive a crash: each is in the store before Slack hears that we have it, and stays open until what came of it is
//! shown.

use std::sync::Arc;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::Desk;
use crate::clock::Clock;
use crate::connectors::Tracker;
use crate::connectors::slack::push::{Click, Push};
use crate::connectors::slack::socket::Keeper;
use crate::model::ConnectorId;
use crate::store::Store;
use crate::store::presses::{self, Key};

/// How old a press may be that is still obeyed after a stop.
const LONGEST_OPEN: SignedDuration = SignedDuration::from_hours(1);

/// Returns by what a press is known; Slack tells the presses of one account apart by their times.
fn id_of(click: &Click) -> String {
    format!("{}:{}", click.user, click.id)
}

/// Returns what keeps the presses of a workspace.
pub fn keeper(store: &Store, clock: &Clock, connector: &ConnectorId) -> Keeper {
    let (store, clock, connector) = (store.clone(), clock.clone(), connector.clone());
    Arc::new(move |click: &Click| {
        let (store, connector, now) = (store.clone(), connector.clone(), clock.now());
        let (id, account) = (id_of(click), click.user.clone());
        let press = serde_json::to_string(click);
        Box::pin(async move {
            let press = press?;
            let keep = move |c: &Connection| {
                let key = Key {
                    connector: &connector,
                    id: &id,
                };
                presses::keep(c, key, &account, &press, now)
            };
            store.write(keep).await
        })
    })
}

/// A press that is being worked on, as the store knows it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    connector: ConnectorId,
    id: String,
}

impl Kept {
    /// Notes that what it says is stored; returns whether it was not yet. Belongs into the transaction that stores it.
    pub(super) fn count(&self, c: &Connection, now: Timestamp) -> Result<bool> {
        presses::count(c, self.key(), now)
    }

    fn key(&self) -> Key<'_> {
        Key {
            connector: &self.connector,
            id: &self.id,
        }
    }
}

impl<T: Tracker> Desk<T> {
    /// Returns how the store knows a press.
    pub(super) fn kept(&self, click: &Click) -> Kept {
        Kept {
            connector: self.connector.clone(),
            id: id_of(click),
        }
    }

    /// Notes that a press is done with.
    pub(super) async fn settle(&self, kept: Kept) -> Result<()> {
        let now = self.clock.now();
        let settle = move |c: &Connection| presses::settle(c, kept.key(), now);
        self.store.write(settle).await
    }

    /// Works on what was pressed before a crash or a stop and is still open.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn catch_up(&self) -> Result<()> {
        let connector = self.connector.clone();
        let open = self
            .store
            .read(move |c| presses::open(c, &connector))
            .await?;
        let now = self.clock.now();
        for presses::Open {
            id,
            press,
            taken_at,
        } in open
        {
            match serde_json::from_str::<Click>(&press) {
                // Whoever pressed it has long seen that nothing came of it, and may have pressed again.
                _ if now.duration_since(taken_at) > LONGEST_OPEN => {
                    let connector = self.connector.clone();
                    self.settle(Kept { connector, id }).await?;
                }
                Ok(click) => self.warn_of(self.take(Push::Clicked(Box::new(click))).await),
                // Of a version to come, or damaged: nobody can tell what it was.
                Err(error) => {
                    let connector = self.connector.clone();
                    self.settle(Kept { connector, id }).await?;
                    self.warn_of(Err(error.into()));
                }
            }
        }
        Ok(())
    }
}
