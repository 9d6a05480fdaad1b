//! Slack's Web API: how it is called, what it answers, and what its errors mean for a person.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::connectors::files::tolerant;
use crate::connectors::secret::Named;
use crate::connectors::slack_export::lists::User;
use crate::connectors::slack_export::messages::Message;
use crate::http::{Answer, Call, Effect, Http, HttpError, Method, Pace, Scope, Url};
use crate::model::ConnectorId;

/// Where the Web API is.
pub const API: &str = "https://slack.com/api/";

/// A workspace, as one app sees it.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    api: Url,
    token: Arc<Mutex<SecretString>>,
    /// Where the token stands.
    named: Arc<Named>,
    id: ConnectorId,
}

/// Why Slack gave nothing.
#[derive(Clone, Debug, Error)]
pub enum SlackError {
    /// No answer came.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Slack refused; the words say what to do.
    #[error("{}", advice(method, error, needed))]
    Refused {
        /// The method.
        method: String,
        /// Slack's word for it.
        error: String,
        /// The scope that is missing, if that is it.
        needed: String,
    },
}

impl SlackError {
    /// Returns Slack's word for what is wrong; empty when Slack could not be asked.
    pub fn word(&self) -> &str {
        match self {
            SlackError::Refused { error, .. } => error,
            SlackError::Http(_) => "",
        }
    }

    /// Returns whether the place asked about cannot be seen with this token, while others can.
    pub fn is_about_place(&self) -> bool {
        matches!(
            self.word(),
            "not_in_channel"
                | "channel_not_found"
                | "is_archived"
                | "method_not_supported_for_channel_type"
                | "no_permission"
        )
    }
}

fn advice(method: &str, error: &str, needed: &str) -> String {
    match error {
        error
            if method == "apps.connections.open"
                && (is_about_token(error)
                    || matches!(error, "missing_scope" | "not_allowed_token_type")) =>
        {
            format!(
                "Slack does not accept the App-Level Token ({error}): generate one with the scope connections:write under Basic Information of the app and put it where the config says"
            )
        }
        error if is_about_token(error) => {
            format!(
                "Slack does not accept the token ({error}): install the app in the workspace again and put its new Bot User OAuth Token where the config says"
            )
        }
        "missing_scope" => format!(
            "{method} needs the scope {needed}: add it under OAuth & Permissions of the app and install it again"
        ),
        "not_in_channel" => "the app is not in the channel: /invite it there".into(),
        "ratelimited" => format!("{method} was asked too often; it is tried again later"),
        other => format!("Slack refused {method}: {other}"),
    }
}

/// What every answer has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    ok: bool,
    error: String,
    needed: String,
}

impl Client {
    /// Returns a client of a workspace.
    ///
    /// # Errors
    /// When the token is not there.
    pub fn new(http: &Http, api: Url, named: Named, id: &ConnectorId) -> anyhow::Result<Client> {
        Ok(Client {
            http: http.clone(),
            api,
            token: Arc::new(Mutex::new(named.read()?)),
            named: Arc::new(named),
            id: id.clone(),
        })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When Slack cannot be reached or refuses.
    pub async fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, SlackError> {
        Ok(self.read_answer(method, parameters).await?.json(method)?)
    }

    /// Asks for something and returns the whole answer, with its headers.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn read_answer(
        &self,
        method: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Answer, SlackError> {
        let mut call = self.call(method, method)?;
        for (name, value) in parameters {
            call = call.query(name, value);
        }
        self.send(method, call).await
    }

    /// Does something; `scope` is what it shares a limit with.
    ///
    /// # Errors
    /// As [`Client::read`]; an [`SlackError::Http`] leaves open whether it was done.
    pub async fn write<T: DeserializeOwned>(
        &self,
        method: &str,
        scope: &str,
        body: &Value,
    ) -> Result<T, SlackError> {
        let call = self.call(method, scope)?;
        let call = call.with_json(Method::POST, body).effect(Effect::Write);
        Ok(self.send(method, call).await?.json(method)?)
    }

    /// Does something that changes nothing when it is done again.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn repeat<T: DeserializeOwned>(
        &self,
        method: &str,
        body: &Value,
    ) -> Result<T, SlackError> {
        let call = self.call(method, method)?.with_json(Method::POST, body);
        Ok(self.send(method, call).await?.json(method)?)
    }

    /// Returns the workspace.
    pub fn connector(&self) -> &ConnectorId {
        &self.id
    }

    /// Returns the time.
    pub fn now(&self) -> jiff::Timestamp {
        self.http.clock().now()
    }

    fn call(&self, method: &str, scope: &str) -> Result<Call, SlackError> {
        let url = self.api.join(method).map_err(|_| HttpError::Unreadable {
            operation: method.to_owned(),
            reason: "the address of the API cannot be joined with it".into(),
        })?;
        let scope = Scope::new(format!("{}/{scope}", self.id), pace_of(method));
        Ok(Call::get(self.id.as_str(), method, scope, url))
    }

    async fn send(&self, method: &str, call: Call) -> Result<Answer, SlackError> {
        let (mut answer, mut envelope) = self.send_once(method, call.clone()).await?;
        // A refused call was not carried out, so with a token that has come in the meantime it goes out again.
        if is_about_token(&envelope.error) && self.has_new_token() {
            (answer, envelope) = self.send_once(method, call).await?;
        }
        if envelope.ok {
            return Ok(answer);
        }
        Err(SlackError::Refused {
            method: method.to_owned(),
            error: envelope.error,
            needed: envelope.needed,
        })
    }
}

impl Client {
    async fn send_once(&self, method: &str, call: Call) -> Result<(Answer, Envelope), SlackError> {
        let token = self.held().clone();
        let call = call.credentials(&format!("Bearer {}", token.expose_secret()))?;
        let answer = self.http.send(call).await?.accepted(method)?;
        let envelope = answer.json(method)?;
        Ok((answer, envelope))
    }

    /// Reads the token again where it stands; returns whether it is another one.
    fn has_new_token(&self) -> bool {
        let Ok(read) = self.named.read() else {
            return false;
        };
        let mut held = self.held();
        let is_new = read.expose_secret() != held.expose_secret();
        *held = read;
        is_new
    }

    fn held(&self) -> std::sync::MutexGuard<'_, SecretString> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_about_token(error: &str) -> bool {
    matches!(
        error,
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive"
    )
}

/// Returns how fast a method may be called: Slack's tiers, by workspace and app.
fn pace_of(method: &str) -> Pace {
    match method {
        "chat.postMessage" => Pace {
            every: Duration::from_secs(1),
            burst: 1,
            at_once: 1,
        },
        "users.list" | "users.conversations" | "conversations.list" => Pace::per_minute(20),
        // Slack's lowest tier; a socket is opened a few times a day.
        "apps.connections.open" => Pace {
            every: Duration::from_secs(60),
            burst: 3,
            at_once: 1,
        },
        "conversations.members" | "auth.test" => Pace::per_minute(100),
        _ => Pace::per_minute(50),
    }
}

/// Where the next page of a list begins; empty at its end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Next {
    #[serde(deserialize_with = "tolerant::or_default")]
    response_metadata: Metadata,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(deserialize_with = "tolerant::text")]
    next_cursor: String,
}

impl Next {
    /// Returns the cursor of the next page, if there is one. A page may be empty and still not be the last.
    pub fn cursor(&self) -> Option<&str> {
        Some(self.response_metadata.next_cursor.as_str()).filter(|cursor| !cursor.is_empty())
    }
}

/// `auth.test`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Auth {
    /// The workspace's address.
    pub url: String,
    /// The workspace's name.
    pub team: String,
    /// The token's own account.
    pub user_id: String,
    /// The app's account as a program; empty for a person's token.
    pub bot_id: String,
}

/// `users.list`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Users {
    /// A page of accounts.
    pub members: Vec<Account>,
    /// The next page.
    #[serde(flatten)]
    pub next: Next,
}

/// An account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Account {
    /// What an export has as well.
    #[serde(flatten)]
    pub user: User,
    /// A guest in several channels.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_restricted: bool,
    /// A guest in one channel.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_ultra_restricted: bool,
    /// Of another organization, through a shared channel.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_stranger: bool,
}

impl Account {
    /// Returns whether the account sees only the channels it is in.
    pub fn is_guest(&self) -> bool {
        self.is_restricted || self.is_ultra_restricted || self.is_stranger
    }
}

/// `users.conversations`, `conversations.list`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Conversations {
    /// A page of channels.
    pub channels: Vec<Conversation>,
    /// The next page.
    #[serde(flatten)]
    pub next: Next,
}

/// `conversations.info`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Info {
    /// The channel.
    pub channel: Conversation,
}

/// A channel, private channel or direct conversation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// `C…`, `G…`, `D…`
    pub id: String,
    /// Its name; empty for direct conversations.
    #[serde(deserialize_with = "tolerant::text")]
    pub name: String,
    /// Whether only its members may read it.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_private: bool,
    /// Between two.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_im: bool,
    /// Between a few.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_mpim: bool,
    /// Closed for good.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_archived: bool,
    /// Whether the token's account is in it, where the list says so.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_member: bool,
}

/// `conversations.members`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Members {
    /// A page of account ids.
    pub members: Vec<String>,
    /// The next page.
    #[serde(flatten)]
    pub next: Next,
}

/// `conversations.history`, `conversations.replies`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct History {
    /// A page of messages. Each is read on its own, so that a strange one costs nothing but itself.
    pub messages: Vec<Value>,
    /// Whether there are further ones.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub has_more: bool,
}

/// A message with what only the live system knows of it.
#[derive(Clone, Debug, Default)]
pub struct Posted {
    /// What an export has as well.
    pub message: Message,
    /// How many replies it has.
    pub reply_count: u64,
    /// The time of the last one.
    pub latest_reply: String,
}

impl Posted {
    /// Reads a message; `None` when it is none.
    pub fn of(value: &Value) -> Option<Posted> {
        Some(Posted {
            message: Message::deserialize(value).ok()?,
            reply_count: value["reply_count"].as_u64().unwrap_or(0),
            latest_reply: value["latest_reply"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        })
    }
}
