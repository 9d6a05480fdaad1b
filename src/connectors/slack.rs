//! A Slack workspace, read through an app that the team creates for itself (`slack/manifest.yaml`).
//!
//! Polling is complete by itself: channels the app is in, their messages from the newest down, replies, edits, deletions
//! and who may read what. `stand` decides what has to be looked at, `api` asks, `gather` turns answers into pages;
//! messages become events the same way as those of an export. Briefings go out by [`dm`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::secret::Named;
use super::{Cursor, Fact, Page, Source};
use crate::http::{Http, Url};
use crate::model::ConnectorId;

pub mod api;
mod check;
pub mod dm;
mod gather;
pub mod hooks;
pub mod push;
pub mod socket;
pub mod stand;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod tests;

use api::Client;
use gather::Gatherer;
use stand::Spans;

/// How far every reading goes back behind the last one: Slack may list a message a little late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// `type = "slack"`: a workspace.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlackConfig {
    /// The environment variable that holds the app's Bot User OAuth Token, `xoxb-…`.
    pub token_env: Option<String>,
    /// A file that holds it instead, relative to the config.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the app's App-Level Token, `xapp-…`: with it Slack pushes, and briefings have
    /// buttons.
    pub app_token_env: Option<String>,
    /// A file that holds it instead.
    pub app_token_file: Option<PathBuf>,
    /// Names or ids of the channels to read; empty for every one the app is in.
    pub channels: Vec<String>,
    /// Whether private channels that the app is in are read too; only their members get to see what stands there.
    pub private_channels: bool,
    /// Whether direct messages are read too, as far as the token can see them; only those who take part see them.
    pub direct_messages: bool,
    /// How many days back the first reading goes.
    pub history_days: u32,
    /// For how many days edits, deletions and replies to a message are noticed.
    pub watch_days: u32,
    /// Where Slack's Web API is.
    pub api_url: String,
}

impl Default for SlackConfig {
    fn default() -> Self {
        SlackConfig {
            token_env: None,
            token_file: None,
            app_token_env: None,
            app_token_file: None,
            channels: Vec::new(),
            private_channels: false,
            direct_messages: false,
            history_days: 90,
            watch_days: 14,
            api_url: api::API.to_owned(),
        }
    }
}

impl SlackConfig {
    /// Opens the workspace; nothing is asked yet.
    ///
    /// # Errors
    /// When a key cannot be right or the token is not there.
    pub fn open(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<SlackSource> {
        if self.history_days == 0 || self.watch_days == 0 {
            bail!("history_days and watch_days under [connectors.{id}] must be at least 1");
        }
        let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
        let spans = Spans {
            history: days(self.history_days),
            watch: days(self.watch_days.min(self.history_days)),
            overlap: OVERLAP,
        };
        let client = self.client(id, base, http)?;
        Ok(SlackSource(Gatherer::new(client, id, self, spans)))
    }

    /// Returns what the token may and may not see.
    ///
    /// # Errors
    /// When Slack cannot be reached or does not accept the token.
    pub async fn check(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Vec<Fact>> {
        let app = self.app_client(id, base, http)?;
        check::check(self, &self.client(id, base, http)?, app.as_ref(), http).await
    }

    /// Returns whether the table names the token that lets Slack push.
    pub fn has_app_token(&self) -> bool {
        self.app_token_env.is_some() || self.app_token_file.is_some()
    }

    /// Returns a client that may open sockets; `None` where the table names no token for it.
    ///
    /// # Errors
    /// As [`SlackConfig::client`].
    pub fn app_client(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Option<Client>> {
        if !self.has_app_token() {
            return Ok(None);
        }
        let named = Named {
            table: format!("connectors.{id}"),
            keys: ("app_token_env", "app_token_file"),
            env: self.app_token_env.clone(),
            file: self.app_token_file.clone(),
            base: base.to_owned(),
        };
        self.client_with(named, id, http).map(Some)
    }

    /// Returns a client of the workspace.
    ///
    /// # Errors
    /// When the address is none or the token is not there.
    pub fn client(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Client> {
        let named = Named {
            table: format!("connectors.{id}"),
            keys: ("token_env", "token_file"),
            env: self.token_env.clone(),
            file: self.token_file.clone(),
            base: base.to_owned(),
        };
        self.client_with(named, id, http)
    }

    fn client_with(&self, named: Named, id: &ConnectorId, http: &Http) -> Result<Client> {
        let table = format!("connectors.{id}");
        let api = format!("{}/", self.api_url.trim_end_matches('/'));
        let api = Url::parse(&api)
            .with_context(|| format!("api_url under [{table}] is no address: {api}"))?;
        Client::new(http, api, named, id)
    }

    /// Returns the kinds of conversation to list, in Slack's words.
    fn types(&self) -> &'static str {
        match (self.private_channels, self.direct_messages) {
            (false, false) => "public_channel",
            (true, false) => "public_channel,private_channel",
            (false, true) => "public_channel,mpim,im",
            (true, true) => "public_channel,private_channel,mpim,im",
        }
    }
}

/// How long one page may take to gather; what came until then is stored.
const LONGEST_PAGE: Duration = Duration::from_secs(5);
/// A page is full after this many events.
const MAX_EVENTS: usize = 1_000;

/// A workspace that is being read.
pub struct SlackSource(Gatherer);

impl Source for SlackSource {
    async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let gatherer = &mut self.0;
        gatherer.start(after).await?;
        let mut page = gatherer.opening();
        let begun = tokio::time::Instant::now();
        while page.events.len() < MAX_EVENTS && begun.elapsed() < LONGEST_PAGE {
            // What is history and what is news go into pages of their own.
            let Some(is_history) = gatherer.next_is_history() else {
                break;
            };
            let history_before = is_history.then_some(Timestamp::MAX);
            if page.history_before != history_before && !page.events.is_empty() {
                break;
            }
            page.history_before = history_before;
            match gatherer.step(&mut page).await {
                Ok(()) => {}
                // What came before is worth keeping; the next page meets the error again.
                Err(_) if !page.events.is_empty() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(gatherer.close(page, after))
    }

    fn hint(&mut self, object: &str) {
        self.0.hint(object);
    }
}
