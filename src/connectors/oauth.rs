//! OAuth 2: a refresh token is changed into an access token that lasts an hour or so.
//!
//! A use may make a new refresh token and end the old one, so the new one stands in the file before anything is asked with
//! what came along. The access token stands beside it: whoever else has the file open needs no new one.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use tracing::warn;

use super::secret::Named;
use crate::http::{Call, Effect, Http, HttpError, Method, Pace, Scope, Url};

#[cfg(test)]
mod tests;

/// For how long a token is good where the answer does not say.
const LASTS: SignedDuration = SignedDuration::from_hours(1);
/// This long before its end a token is not used any more; one that lasts for less than twice as long, for half of its life.
const SPARE: SignedDuration = SignedDuration::from_mins(5);
/// Once an hour is what there should be.
const PACE: Pace = Pace::per_minute(10).at_once(1);

/// `[connectors.NAME.oauth]` and `[sinks.NAME.oauth]` of mail: an app that reads or sends mail for an account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OAuthConfig {
    /// Where refresh tokens are changed into access tokens.
    pub token_url: String,
    /// The app.
    pub client_id: String,
    /// The environment variable that holds the app's client secret; none for an app that has none.
    pub client_secret_env: Option<String>,
    /// A file that holds it instead, relative to the config.
    pub client_secret_file: Option<PathBuf>,
    /// The environment variable that holds the refresh token, where uses make no new one.
    pub refresh_token_env: Option<String>,
    /// A file that holds it instead, relative to the config. It is written to: a use may make a new one.
    pub refresh_token_file: Option<PathBuf>,
    /// What the access token is asked for; empty for all that the app was let in for.
    pub scope: String,
}

impl OAuthConfig {
    /// Opens it; `name` is who asks, and `table` the table over this one.
    ///
    /// # Errors
    /// When a key cannot be right or a secret is not there.
    pub fn open(&self, name: &str, table: &str, base: &Path, http: &Http) -> Result<OAuth> {
        let table = format!("{table}.oauth");
        if self.client_id.is_empty() {
            bail!("[{table}] needs `client_id`, the app that was let in");
        }
        let token_url = Url::parse(&self.token_url)
            .with_context(|| format!("token_url under [{table}] is no address"))?;
        let is_here = matches!(
            token_url.host_str(),
            Some("127.0.0.1" | "localhost" | "[::1]")
        );
        if token_url.scheme() != "https" && !is_here {
            bail!("token_url under [{table}] must be an https: address: secrets go there");
        }
        let named = |env: &Option<String>, file: &Option<PathBuf>, keys| Named {
            table: table.clone(),
            keys,
            env: env.clone(),
            file: file.clone(),
            base: base.to_path_buf(),
        };
        let keys = ("client_secret_env", "client_secret_file");
        let app = named(&self.client_secret_env, &self.client_secret_file, keys);
        let has_secret = app.env.is_some() || app.file.is_some();
        let client_secret = has_secret.then(|| app.read()).transpose()?;
        let grant = match (&self.refresh_token_env, &self.refresh_token_file) {
            (None, Some(file)) => Grant::File(base.join(file)),
            (env, file) => {
                let keys = ("refresh_token_env", "refresh_token_file");
                let named = named(env, file, keys);
                named.read()?;
                Grant::Env(named)
            }
        };
        Ok(OAuth {
            http: http.clone(),
            name: name.to_owned(),
            table,
            token_url,
            client_id: self.client_id.clone(),
            client_secret,
            scope: self.scope.clone(),
            grant,
            style: Style::Form,
            let_in: "let the app in again",
            kept: Mutex::default(),
        })
    }
}

/// An app that people let in.
pub struct OAuth {
    /// The way out.
    pub http: Http,
    /// Who asks.
    pub name: String,
    /// The table that names it, for messages.
    pub table: String,
    /// Where tokens are changed.
    pub token_url: Url,
    /// The app.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<SecretString>,
    /// What is asked for; empty for everything.
    pub scope: String,
    /// Where the refresh token stands.
    pub grant: Grant,
    /// How the question is written.
    pub style: Style,
    /// What a person does when the refresh token is refused.
    pub let_in: &'static str,
    /// What is good now.
    pub kept: Mutex<State>,
}

/// Where a refresh token stands.
#[derive(Clone, Debug)]
pub enum Grant {
    /// In a file, which is written to.
    File(PathBuf),
    /// Where nothing can be written.
    Env(Named),
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As RFC 6749 has it.
    Form,
    /// As Atlassian documents it.
    Json,
}

/// What an app knows while it runs.
#[derive(Default)]
pub struct State {
    access: Option<Kept>,
    /// A refresh token that could be written nowhere.
    rotated: Option<SecretString>,
}

/// An access token.
#[derive(Clone)]
struct Kept {
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

/// Why there is no access token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GrantError {
    /// No answer came, or a refusal without a cause that we know.
    #[error("no access token for [{table}]: {error}")]
    Http {
        /// The table that names the app.
        table: String,
        /// Why.
        error: HttpError,
    },
    /// The app is not let in any more.
    #[error(
        "{host} does not accept the refresh token of [{table}] ({said}): check client_id and the client secret, {let_in}, and put the new refresh token into {place}"
    )]
    Refused {
        /// Who does not accept it.
        host: String,
        /// The table that names the app.
        table: String,
        /// Its own word.
        said: String,
        /// What a person does.
        let_in: &'static str,
        /// Where the refresh token stands.
        place: String,
    },
    /// The refresh token cannot be read, or the next one not be written.
    #[error(
        "refresh_token_file under [{table}]: {reason}; daybrief has to read it and to write the next token into it"
    )]
    Unfit {
        /// The table that names the app.
        table: String,
        /// Why.
        reason: String,
    },
    /// The environment does not hold it.
    #[error("{0}")]
    Missing(String),
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
    /// When the server cannot be reached or refuses, or the file cannot be read and written.
    pub async fn token(
        self: &Arc<Self>,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, GrantError> {
        // Whoever waits may be cut off; the refresh token that comes must be kept all the same.
        let (app, refused) = (self.clone(), refused.cloned());
        let renewing = tokio::spawn(async move { app.renewed(refused.as_ref()).await });
        renewing.await.unwrap_or_else(|error| {
            Err(GrantError::Unfit {
                table: self.table.clone(),
                reason: format!("the task that renews it stopped: {error}"),
            })
        })
    }

    async fn renewed(&self, refused: Option<&SecretString>) -> Result<SecretString, GrantError> {
        // Held until the new token is there, so that it is asked for once.
        let mut kept = self.kept.lock().await;
        let now = self.http.clock().now();
        let is_good = |known: &Kept| {
            let is_it =
                |refused: &SecretString| refused.expose_secret() == known.token.expose_secret();
            known.until > now && !refused.is_some_and(is_it)
        };
        if let Some(known) = kept.access.as_ref().filter(|known| is_good(known)) {
            return Ok(known.token.clone());
        }
        let fresh = match &self.grant {
            Grant::File(file) => self.by_file(file, now, is_good).await?,
            Grant::Env(named) => self.by_env(named, now, &mut kept.rotated).await?,
        };
        Ok(kept.access.insert(fresh).token.clone())
    }

    async fn by_file(
        &self,
        file: &Path,
        now: Timestamp,
        is_good: impl Fn(&Kept) -> bool,
    ) -> Result<Kept, GrantError> {
        let unfit = |error: anyhow::Error| GrantError::Unfit {
            table: self.table.clone(),
            reason: format!("{error:#}"),
        };
        let _alone = alone(file).await.map_err(unfit)?;
        let mut stored = read(file).map_err(unfit)?;
        let found = stored.until.map(|until| Kept {
            token: SecretString::from(stored.access_token.as_str()),
            until,
        });
        if let Some(found) = found.filter(is_good) {
            return Ok(found);
        }
        // What cannot be kept must not be asked for: the old token ends with it.
        write(file, &stored).map_err(unfit)?;
        let (fresh, next) = self.refresh(&stored.refresh_token, now).await?;
        if let Some(next) = next {
            stored.refresh_token = next.expose_secret().to_owned();
        }
        fresh
            .token
            .expose_secret()
            .clone_into(&mut stored.access_token);
        stored.until = Some(fresh.until);
        write(file, &stored).map_err(unfit)?;
        Ok(fresh)
    }

    async fn by_env(
        &self,
        named: &Named,
        now: Timestamp,
        rotated: &mut Option<SecretString>,
    ) -> Result<Kept, GrantError> {
        let old = match rotated {
            Some(rotated) => rotated.clone(),
            None => named
                .read()
                .map_err(|error| GrantError::Missing(format!("{error:#}")))?,
        };
        let (fresh, next) = self.refresh(old.expose_secret(), now).await?;
        if let Some(next) = next.filter(|next| next.expose_secret() != old.expose_secret()) {
            if rotated.is_none() {
                warn!(
                    "[{}] got a new refresh token, and no environment variable can keep it; should the old one end, use refresh_token_file",
                    self.table
                );
            }
            *rotated = Some(next);
        }
        Ok(fresh)
    }

    /// Asks for an access token; a new refresh token may come with it.
    async fn refresh(
        &self,
        refresh_token: &str,
        now: Timestamp,
    ) -> Result<(Kept, Option<SecretString>), GrantError> {
        let operation = "oauth.token";
        let no_answer = |error| GrantError::Http {
            table: self.table.clone(),
            error,
        };
        let answer = self.http.send(self.call(operation, refresh_token)).await;
        let answer = answer.map_err(no_answer)?;
        if matches!(answer.status.as_u16(), 400 | 401 | 403) {
            let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let word = told["error"].as_str().unwrap_or("it does not say why");
            let visible = word.chars().filter(|c| !c.is_control());
            return Err(GrantError::Refused {
                host: self.token_url.host_str().unwrap_or_default().to_owned(),
                table: self.table.clone(),
                said: visible.take(80).collect(),
                let_in: self.let_in,
                place: match &self.grant {
                    Grant::File(file) => file.display().to_string(),
                    Grant::Env(named) => named.env.clone().unwrap_or_default(),
                },
            });
        }
        let accepted = answer.accepted(operation);
        let fresh = accepted.and_then(|answer| answer.json::<Fresh>(operation));
        let fresh = fresh.map_err(no_answer)?;
        let lasts = fresh.expires_in.map(SignedDuration::from_secs);
        let lasts = lasts.filter(|lasts| lasts.is_positive()).unwrap_or(LASTS);
        let used = lasts - SPARE.min(lasts / 2);
        let kept = Kept {
            token: SecretString::from(fresh.access_token),
            until: now.saturating_add(used).unwrap_or(now),
        };
        Ok((kept, fresh.refresh_token.map(SecretString::from)))
    }

    fn call(&self, operation: &str, refresh_token: &str) -> Call {
        let mut pairs = vec![
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("refresh_token", refresh_token),
        ];
        if let Some(secret) = &self.client_secret {
            pairs.push(("client_secret", secret.expose_secret()));
        }
        if !self.scope.is_empty() {
            pairs.push(("scope", &self.scope));
        }
        let scope = Scope::new(format!("{}/oauth", self.name), PACE);
        let call = Call::get(&self.name, operation, scope, self.token_url.clone());
        let call = match self.style {
            Style::Form => call.form(&pairs),
            Style::Json => {
                let body: std::collections::BTreeMap<_, _> = pairs.into_iter().collect();
                call.with_json(Method::POST, &body)
            }
        };
        call.effect(Effect::KeyedWrite)
    }
}

/// Keeps other processes from changing the same token at the same time.
async fn alone(file: &Path) -> Result<File> {
    let path = file.with_extension("lock");
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

fn read(file: &Path) -> Result<Stored> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.trim();
    if text.starts_with('{') {
        // The reason would quote the text.
        return serde_json::from_str(text)
            .map_err(|_| anyhow::anyhow!("{} is damaged", file.display()));
    }
    anyhow::ensure!(
        !text.is_empty() && !text.contains(char::is_whitespace),
        "{} holds no refresh token",
        file.display()
    );
    Ok(Stored {
        refresh_token: text.to_owned(),
        access_token: String::new(),
        until: None,
    })
}

/// Writes another file first, so that the one with the right name is whole, whatever breaks.
fn write(file: &Path, stored: &Stored) -> Result<()> {
    let half = file.with_extension("part");
    let written = || -> Result<()> {
        let mut options = File::options();
        let options = options.create(true).truncate(true).write(true).mode(0o600);
        let mut file_half = options.open(&half)?;
        file_half.write_all(serde_json::to_string(stored)?.as_bytes())?;
        file_half.sync_all()?;
        Ok(std::fs::rename(&half, file)?)
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}
