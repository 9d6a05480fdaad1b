//! Issues, pull requests and discussions of GitHub repositories, and comments on issues.
//!
//! Polling is complete by itself: every issue that changed is asked for its whole timeline, so that comments, reviews,
//! owners and labels come with who did it and when. `gather` decides what to ask, `normalize` is pure. Comments go out
//! by [`comments`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::SignedDuration;
use serde::Deserialize;

use super::{Cursor, Fact, Page, Source, files, secret};
use crate::http::{Http, Url};
use crate::model::ConnectorId;

pub mod api;
mod app;
mod check;
pub mod comments;
mod discussions;
mod gather;
pub mod hooks;
pub mod normalize;
pub mod wire;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

use api::Client;
use app::{Access, App, AppConfig};
use comments::Comments;
use gather::Gatherer;

/// `type = "github"`: repositories.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GithubConfig {
    /// The environment variable that holds a personal access token, or an app's token.
    pub token_env: Option<String>,
    /// A file that holds it instead, relative to the config; it is read again at every opening.
    pub token_file: Option<PathBuf>,
    /// A GitHub App's number or client ID, in place of a token.
    #[serde(deserialize_with = "files::tolerant::maybe_text")]
    pub app_id: Option<String>,
    /// The environment variable that holds the app's private key.
    pub private_key_env: Option<String>,
    /// The file that holds it instead, as GitHub hands it out.
    pub private_key_file: Option<PathBuf>,
    /// Where the app is installed; looked up by repository if left out.
    pub installation_id: Option<u64>,
    /// What is read: `owner/name` each.
    pub repositories: Vec<String>,
    /// Who may read what stands in a repository that is not public.
    pub audience: Readers,
    /// Whether discussions are read too.
    pub discussions: bool,
    /// How many days back the first reading goes.
    pub history_days: u32,
    /// Where the API is; `https://HOST/api/v3/` for GitHub Enterprise Server.
    pub api_url: String,
}

/// Who may read what stands in a repository that is not public.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readers {
    /// Those whom GitHub lists as collaborators; where the token may not list them, nobody.
    #[default]
    Collaborators,
    /// Every configured member.
    Everyone,
}

impl Default for GithubConfig {
    fn default() -> Self {
        GithubConfig {
            token_env: None,
            token_file: None,
            app_id: None,
            private_key_env: None,
            private_key_file: None,
            installation_id: None,
            repositories: Vec::new(),
            audience: Readers::default(),
            discussions: true,
            history_days: 180,
            api_url: api::API.to_owned(),
        }
    }
}

impl GithubConfig {
    /// Opens the repositories; nothing is asked yet.
    ///
    /// # Errors
    /// When a key cannot be right or the token is not there.
    pub fn open(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<GithubSource> {
        let history = SignedDuration::from_hours(24 * i64::from(self.history_days.max(1)));
        let client = self.client(id, base, http)?;
        Ok(GithubSource(Gatherer::new(client, id, self, history)))
    }

    /// Returns what the token may and may not see.
    ///
    /// # Errors
    /// When GitHub cannot be reached or does not accept the token.
    pub async fn check(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Vec<Fact>> {
        check::check(self, &self.client(id, base, http)?, http).await
    }

    /// Returns the way to comment on issues.
    ///
    /// # Errors
    /// As [`GithubConfig::open`].
    pub fn comments(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Comments> {
        Ok(Comments::new(self.client(id, base, http)?))
    }

    fn client(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Client> {
        let table = format!("connectors.{id}");
        if self.repositories.is_empty() {
            bail!("[{table}] names no repositories; add repositories = [\"owner/name\"]");
        }
        for name in &self.repositories {
            let is_fit = |part: &str| {
                !part.is_empty()
                    && part != "."
                    && part != ".."
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            };
            if !name
                .split_once('/')
                .is_some_and(|(owner, name)| is_fit(owner) && is_fit(name))
            {
                bail!("repositories under [{table}]: {name:?} is not of the form owner/name");
            }
        }
        let api = format!("{}/", self.api_url.trim_end_matches('/'));
        let api = Url::parse(&api)
            .with_context(|| format!("api_url under [{table}] is no address: {api}"))?;
        let access = self.access(&table, id, base, http, &api)?;
        Ok(Client::new(http, api, access, id))
    }

    fn access(
        &self,
        table: &str,
        id: &ConnectorId,
        base: &Path,
        http: &Http,
        api: &Url,
    ) -> Result<Access> {
        let (token_env, token_file) = (self.token_env.as_deref(), self.token_file.as_deref());
        let (key_env, key_file) = (
            self.private_key_env.as_deref(),
            self.private_key_file.as_deref(),
        );
        let Some(app_id) = &self.app_id else {
            if key_env.is_some() || key_file.is_some() || self.installation_id.is_some() {
                bail!("[{table}] names an app's key or installation; add app_id");
            }
            let keys = ("token_env", "token_file");
            let token = secret::named(table, keys, token_env, token_file, base)?;
            return Ok(Access::Token(token));
        };
        if token_env.is_some() || token_file.is_some() {
            bail!("[{table}] names both a token and an app; keep one");
        }
        let app = AppConfig {
            app_id,
            pem: &secret::private_key(table, key_env, key_file, base)?,
            installation: self.installation_id,
            first: &self.repositories[0],
        };
        Ok(Access::App(Arc::new(App::new(http, api, id, &app)?)))
    }
}

/// How long one page may take to gather; what came until then is stored.
const LONGEST_PAGE: Duration = Duration::from_secs(5);
/// A page is full after this many events.
const MAX_EVENTS: usize = 1_000;

/// Repositories that are being read.
pub struct GithubSource(Gatherer);

impl Source for GithubSource {
    async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let gatherer = &mut self.0;
        gatherer.start(after);
        let mut page = Page::default();
        let begun = tokio::time::Instant::now();
        while page.events.len() < MAX_EVENTS && begun.elapsed() < LONGEST_PAGE {
            // What is history in one repository may be news in another.
            let Some(history_before) = gatherer.next_history() else {
                break;
            };
            if page.history_before != Some(history_before) && !page.events.is_empty() {
                break;
            }
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

    fn hint(&mut self, object: &str) {
        let split = |sign| {
            let (name, number) = object.rsplit_once(sign)?;
            Some((name, number.parse().ok()?))
        };
        if let Some((name, number)) = split('#') {
            self.0.look_at(name, number);
        } else if let Some((name, number)) = split('!') {
            self.0.look_at_discussion(name, number);
        }
    }
}
