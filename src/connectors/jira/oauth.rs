//! OAuth 2 of Jira Cloud: a refresh token is changed into an access token of an hour.
//!
//! Each use makes a new refresh token and ends the old one, so the new one stands in the file before anything is asked with
//! what came along. The access token stands beside it: whoever else has the file open needs no new one.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::api::JiraError;
use crate::http::{Call, Effect, Http, Method, Pace, Scope, Url};
use crate::model::ConnectorId;

/// Where Atlassian changes tokens.
pub const TOKEN_URL: &str = "https://auth.atlassian.com/oauth/token";
/// For how long a token is good where the answer does not say.
const LASTS: SignedDuration = SignedDuration::from_hours(1);
/// This long before its end a token is not used any more.
const SPARE: SignedDuration = SignedDuration::from_mins(5);
/// Once an hour is what there should be.
const PACE: Pace = Pace::per_minute(10).at_once(1);

/// An app that people of the site let in.
pub struct OAuth {
    pub http: Http,
    pub connector: ConnectorId,
    pub token_url: Url,
    pub client_id: String,
    pub client_secret: SecretString,
    /// Holds the refresh token, and is written to.
    pub file: PathBuf,
    pub kept: Mutex<Option<Kept>>,
}

/// An access token.
#[derive(Clone)]
pub struct Kept {
    token: SecretString,
    until: Timestamp,
}

/// What stands in the file; at first it holds the bare refresh token.
#[derive(Deserialize, Serialize)]
struct Stored {
    refresh_token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    until: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Fresh {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth")
            .field("client_id", &self.client_id)
            .finish()
    }
}

impl OAuth {
    /// Returns an access token; never the one that was refused.
    ///
    /// # Errors
    /// When Atlassian cannot be reached or refuses, or the file cannot be read and written.
    pub async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, JiraError> {
        // Held until the new token is there, so that it is asked for once.
        let mut kept = self.kept.lock().await;
        let now = self.http.clock().now();
        let is_good = |known: &Kept| {
            let is_it =
                |refused: &SecretString| refused.expose_secret() == known.token.expose_secret();
            known.until > now && !refused.is_some_and(is_it)
        };
        if let Some(known) = kept.as_ref().filter(|known| is_good(known)) {
            return Ok(known.token.clone());
        }
        let _alone = self.alone().await.map_err(|error| self.unfit(&error))?;
        let stored = self.read().map_err(|error| self.unfit(&error))?;
        let found = stored.until.map(|until| Kept {
            token: SecretString::from(stored.access_token.as_str()),
            until,
        });
        let fresh = match found.filter(is_good) {
            Some(found) => found,
            None => {
                // What cannot be kept must not be asked for: the old token ends with it.
                self.write(&stored).map_err(|error| self.unfit(&error))?;
                self.refresh(stored, now).await?
            }
        };
        Ok(kept.insert(fresh).token.clone())
    }

    async fn refresh(&self, mut stored: Stored, now: Timestamp) -> Result<Kept, JiraError> {
        let operation = "oauth.token";
        let scope = Scope::new(format!("{}/oauth", self.connector), PACE);
        let body = json!({
            "grant_type": "refresh_token", "client_id": self.client_id,
            "client_secret": self.client_secret.expose_secret(), "refresh_token": stored.refresh_token,
        });
        let url = self.token_url.clone();
        let call = Call::get(self.connector.as_str(), operation, scope, url)
            .with_json(Method::POST, &body)
            .effect(Effect::KeyedWrite);
        let answer = self.http.send(call).await?;
        if matches!(answer.status.as_u16(), 400 | 401 | 403) {
            let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let word = told["error"].as_str().unwrap_or("it does not say why");
            return Err(JiraError::BadGrant {
                connector: self.connector.to_string(),
                file: self.file.display().to_string(),
                said: word.chars().take(80).collect(),
            });
        }
        let fresh: Fresh = answer.accepted(operation)?.json(operation)?;
        let lasts = fresh.expires_in.map(SignedDuration::from_secs);
        let lasts = lasts.filter(|lasts| *lasts > SPARE).unwrap_or(LASTS);
        let until = now.saturating_add(lasts - SPARE).unwrap_or(now);
        if let Some(next) = fresh.refresh_token {
            stored.refresh_token = next;
        }
        stored.access_token.clone_from(&fresh.access_token);
        stored.until = Some(until);
        self.write(&stored).map_err(|error| self.unfit(&error))?;
        Ok(Kept {
            token: SecretString::from(fresh.access_token),
            until,
        })
    }

    /// Keeps other processes from changing the same token at the same time.
    async fn alone(&self) -> Result<File> {
        let path = self.file.with_extension("lock");
        tokio::task::spawn_blocking(move || {
            let mut options = File::options();
            let file = options.create(true).truncate(false).write(true).mode(0o600);
            let file = file
                .open(&path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            file.lock()?;
            Ok(file)
        })
        .await?
    }

    fn read(&self) -> Result<Stored> {
        let text = std::fs::read_to_string(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let text = text.trim();
        if text.starts_with('{') {
            // The reason would quote the text.
            return serde_json::from_str(text)
                .map_err(|_| anyhow::anyhow!("{} is damaged", self.file.display()));
        }
        anyhow::ensure!(
            !text.is_empty() && !text.contains(char::is_whitespace),
            "{} holds no refresh token",
            self.file.display()
        );
        Ok(Stored {
            refresh_token: text.to_owned(),
            access_token: String::new(),
            until: None,
        })
    }

    /// Writes another file first, so that the one with the right name is whole, whatever breaks.
    fn write(&self, stored: &Stored) -> Result<()> {
        let half = self.file.with_extension("part");
        let written = || -> Result<()> {
            let mut options = File::options();
            let options = options.create(true).truncate(true).write(true).mode(0o600);
            let mut file = options.open(&half)?;
            file.write_all(serde_json::to_string(stored)?.as_bytes())?;
            file.sync_all()?;
            Ok(std::fs::rename(&half, &self.file)?)
        };
        written().with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn unfit(&self, error: &anyhow::Error) -> JiraError {
        JiraError::NoGrant {
            connector: self.connector.to_string(),
            reason: format!("{error:#}"),
        }
    }
}
