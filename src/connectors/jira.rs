//! Issues of Jira, of Cloud and of Data Center, and comments on them.
//!
//! Polling is complete by itself: every issue that changed is fetched whole, with its comments and its history, so that
//! owners, states and labels come with who did it and when. `gather` decides what to ask, `normalize` is pure, `adf` and
//! `wiki` turn Jira's two ways of writing into Markdown and back. Comments go out by [`comments`]; [`hooks`] knows what
//! Jira calls out by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::SignedDuration;
use serde::Deserialize;

use super::oauth::{Grant, OAuth, Style};
use super::{Cursor, Fact, Page, Source, secret};
use crate::http::{Http, Url};
use crate::model::ConnectorId;

pub mod adf;
pub mod api;
mod check;
pub mod comments;
mod deliver;
mod gather;
pub mod hooks;
pub mod normalize;
mod people;
mod place;
pub mod wiki;
pub mod wire;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use api::{Access, Client, Deployment};
use comments::Comments;
use gather::Gatherer;

/// Where Atlassian changes tokens.
const TOKEN_URL: &str = "https://auth.atlassian.com/oauth/token";

/// `type = "jira"`: projects.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JiraConfig {
    /// Where people read issues: `https://team.atlassian.net`.
    pub site: String,
    /// Which Jira it is: `cloud` or `data-center`.
    pub deployment: Deployment,
    /// The mail address that an API token of Cloud belongs to; without it the token is sent as a bearer's (OAuth, and the
    /// personal access tokens of Data Center).
    pub user: Option<String>,
    /// The environment variable that holds the token.
    pub token_env: Option<String>,
    /// A file that holds it instead, relative to the config; it is read again at every opening.
    pub token_file: Option<PathBuf>,
    /// The client id of an OAuth app of Cloud, in place of a token.
    pub client_id: Option<String>,
    /// The environment variable that holds the app's client secret.
    pub client_secret_env: Option<String>,
    /// A file that holds it instead.
    pub client_secret_file: Option<PathBuf>,
    /// A file with the app's refresh token. It is written to: each use makes a new one.
    pub refresh_token_file: Option<PathBuf>,
    /// Where refresh tokens are changed into access tokens.
    pub token_url: String,
    /// The keys of the projects that are read; empty for all that the token's account sees.
    pub projects: Vec<String>,
    /// Who may read an issue that no security level narrows.
    pub audience: Readers,
    /// How many days back the first reading goes.
    pub history_days: u32,
    /// The id of a field for people where a suggested owner is put instead of making them the assignee, such as
    /// `customfield_10050`.
    pub owner_field: Option<String>,
    /// Where the API is, where that is not the site: `https://api.atlassian.com/ex/jira/CLOUD_ID` for OAuth and scoped
    /// tokens.
    pub api_url: Option<String>,
}

/// Who may read an issue that no security level narrows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readers {
    /// Those who take part in it: who reported it, owns it, commented on it or changed it.
    #[default]
    Participants,
    /// Every configured member.
    Everyone,
}

impl Default for JiraConfig {
    fn default() -> Self {
        JiraConfig {
            site: String::new(),
            deployment: Deployment::default(),
            user: None,
            token_env: None,
            token_file: None,
            client_id: None,
            client_secret_env: None,
            client_secret_file: None,
            refresh_token_file: None,
            token_url: TOKEN_URL.to_owned(),
            projects: Vec::new(),
            audience: Readers::default(),
            history_days: 180,
            owner_field: None,
            api_url: None,
        }
    }
}

impl JiraConfig {
    /// Opens the projects; nothing is asked yet.
    ///
    /// # Errors
    /// When a key cannot be right or the token is not there.
    pub fn open(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<JiraSource> {
        let days = i64::from(self.history_days.max(1));
        let history = SignedDuration::from_hours(24 * days);
        let client = self.client(id, base, http)?;
        Ok(JiraSource(Gatherer::new(client, id, self, history)))
    }

    /// Returns what the token may and may not see.
    ///
    /// # Errors
    /// When Jira cannot be reached or does not accept the token.
    pub async fn check(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Vec<Fact>> {
        check::check(self, &self.client(id, base, http)?, http).await
    }

    /// Returns the way to write to issues.
    ///
    /// # Errors
    /// As [`JiraConfig::open`].
    pub fn comments(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Comments> {
        let client = self.client(id, base, http)?;
        Ok(Comments::new(client, self.owner_field.clone()))
    }

    fn client(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Client> {
        let table = format!("connectors.{id}");
        if self.site.is_empty() {
            bail!("[{table}] names no site; add site = \"https://team.atlassian.net\"");
        }
        let is_key = |key: &String| {
            key.starts_with(|c: char| c.is_ascii_alphabetic())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if let Some(wrong) = self.projects.iter().find(|key| !is_key(key)) {
            bail!("projects under [{table}]: {wrong:?} is no key of a project, such as \"CORE\"");
        }
        let is_field = |field: &String| {
            field
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if let Some(wrong) = self.owner_field.as_ref().filter(|field| !is_field(field)) {
            bail!(
                "owner_field under [{table}]: {wrong:?} is no id of a field, such as \"customfield_10050\""
            );
        }
        if self.user.is_some() && self.deployment == Deployment::DataCenter {
            bail!(
                "user under [{table}]: Data Center takes a personal access token alone; leave it out"
            );
        }
        let access = self.access(&table, id, base, http)?;
        let address = |key: &str, text: &str| {
            let text = format!("{}/", text.trim_end_matches('/'));
            Url::parse(&text)
                .with_context(|| format!("{key} under [{table}] is no address: {text}"))
        };
        let site = address("site", &self.site)?;
        let api = match &self.api_url {
            Some(api) => address("api_url", api)?,
            None => site,
        };
        Ok(Client::new(
            http,
            &api,
            &self.site,
            access,
            self.deployment,
            id,
        ))
    }

    fn access(&self, table: &str, id: &ConnectorId, base: &Path, http: &Http) -> Result<Access> {
        let (token_env, token_file) = (self.token_env.as_deref(), self.token_file.as_deref());
        let Some(client_id) = &self.client_id else {
            if self.refresh_token_file.is_some() {
                bail!("[{table}] names a refresh token; add client_id and the client secret");
            }
            let keys = ("token_env", "token_file");
            let token = secret::named(table, keys, token_env, token_file, base)?;
            return Ok(Access::Token(self.user.clone(), token));
        };
        if token_env.is_some() || token_file.is_some() || self.user.is_some() {
            bail!("[{table}] names both a token and an OAuth app; keep one");
        }
        if self.deployment == Deployment::DataCenter || self.api_url.is_none() {
            bail!(
                "client_id under [{table}] is for Cloud, through api_url = \"https://api.atlassian.com/ex/jira/CLOUD_ID\""
            );
        }
        let Some(file) = &self.refresh_token_file else {
            bail!(
                "[{table}] names no refresh token: set refresh_token_file to a file that holds it"
            );
        };
        let (env, secret_file) = (
            self.client_secret_env.as_deref(),
            self.client_secret_file.as_deref(),
        );
        let keys = ("client_secret_env", "client_secret_file");
        Ok(Access::OAuth(Arc::new(OAuth {
            http: http.clone(),
            name: id.to_string(),
            table: table.to_owned(),
            token_url: Url::parse(&self.token_url)
                .with_context(|| format!("token_url under [{table}] is no address"))?,
            client_id: client_id.clone(),
            client_secret: Some(secret::named(table, keys, env, secret_file, base)?),
            scope: String::new(),
            grant: Grant::File(base.join(file)),
            style: Style::Json,
            let_in: "let the app in again with the scope offline_access",
            kept: Default::default(),
        })))
    }
}

/// How long one page may take to gather; what came until then is stored.
const LONGEST_PAGE: Duration = Duration::from_secs(5);
/// A page is full after this many events.
const MAX_EVENTS: usize = 1_000;

/// Projects that are being read.
pub struct JiraSource(Gatherer);

impl Source for JiraSource {
    async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let gatherer = &mut self.0;
        gatherer.start(after);
        let mut page = Page::default();
        let begun = tokio::time::Instant::now();
        while page.events.len() < MAX_EVENTS && begun.elapsed() < LONGEST_PAGE {
            let Some(history_before) = gatherer.next_history() else {
                break;
            };
            page.history_before = Some(history_before);
            match gatherer.step(&mut page).await {
                Ok(()) => {}
                // What came before is worth keeping; the next page meets the error again.
                Err(_) if !page.events.is_empty() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(gatherer.close(page, after))
    }

    /// A hook names the number of an issue, see [`hooks::heard`].
    fn hint(&mut self, object: &str) {
        self.0.hint(object);
    }
}
