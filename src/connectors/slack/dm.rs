//! Briefings as direct messages: sent once, and looked for before any second try.
//!
//! Slack takes no idempotency key. So each message carries the key in its metadata, nothing below sends a message again by
//! itself, and whoever is unsure asks [`Dm::find`] first.

mod heard;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::heard::heard_in;
use super::api::{Client, History, SlackError};
use super::stand::Ts;
use crate::model::{ConnectorId, Heard};

/// Returns where a message is, for [`Dm::revise`]: `D…:ts`, and the root of the thread that it stands in.
pub fn place_of(channel: &str, message: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (ts, root) = (text(&message["ts"]), text(&message["thread_ts"]));
    match root.is_empty() || root == ts {
        true => format!("{channel}:{ts}"),
        false => format!("{channel}:{ts}:{root}"),
    }
}

/// The type of our metadata, by which our messages are told from others in the conversation.
const EVENT_TYPE: &str = "daybrief_briefing";
/// The type of what we say besides briefings.
const ANSWER_TYPE: &str = "daybrief_answer";
/// How far back a message is looked for; no briefing is tried for longer than a day.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(72);
/// What Slack says of a message that is not there any more, or not ours to edit.
const GONE: [&str; 5] = [
    "message_not_found",
    "thread_not_found",
    "channel_not_found",
    "cant_update_message",
    "edit_window_closed",
];
/// How many messages are looked through.
const LOOKED_AT: &str = "100";

/// The conversation of the app with one person.
#[derive(Clone, Debug)]
pub struct Dm {
    client: Client,
    user: String,
    has_buttons: Arc<AtomicBool>,
    /// The conversation's id, which never changes.
    channel: Arc<OnceCell<String>>,
}

/// One message to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// What a notification shows, in Slack's markup.
    pub text: String,
    /// The blocks.
    pub blocks: Vec<Value>,
}

/// Where a message goes.
#[derive(Clone, Copy)]
struct To<'a> {
    channel: &'a str,
    /// The message whose thread it goes into; empty for none.
    root: &'a str,
    kind: &'static str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Opened {
    channel: Place,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    ts: String,
}

impl Dm {
    /// Returns the conversation with an account; nothing is opened yet.
    pub fn new(client: Client, user: &str) -> Dm {
        Dm {
            client,
            user: user.to_owned(),
            has_buttons: Arc::default(),
            channel: Arc::default(),
        }
    }

    /// Returns the conversation with another account of the same person.
    #[must_use]
    pub fn with_account(&self, user: &str) -> Dm {
        Dm {
            user: user.to_owned(),
            channel: Arc::default(),
            ..self.clone()
        }
    }

    /// Returns the conversation with or without buttons: they are of use only where somebody hears them pressed.
    #[must_use]
    pub fn with_buttons(self, has_buttons: bool) -> Dm {
        self.while_open(Arc::new(AtomicBool::new(has_buttons)))
    }

    /// Returns the conversation with buttons for as long as a socket is open that hears them pressed.
    #[must_use]
    pub fn while_open(self, is_open: Arc<AtomicBool>) -> Dm {
        Dm {
            has_buttons: is_open,
            ..self
        }
    }

    /// Returns whether briefings here have buttons.
    pub fn has_buttons(&self) -> bool {
        self.has_buttons.load(Ordering::SeqCst)
    }

    /// Returns the workspace.
    pub fn connector(&self) -> &ConnectorId {
        self.client.connector()
    }

    /// Returns the account.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns what the person has said here since a mark: stop or start, what they ask, and how they vote on our last
    /// messages.
    ///
    /// # Errors
    /// When Slack cannot be asked.
    pub async fn hear(&self, after: &str) -> Result<Heard, SlackError> {
        let channel = self.open().await?;
        let recent = self.recent(&channel).await?;
        Ok(heard_in(
            &recent.messages,
            &self.user,
            &Ts(after.to_owned()),
        ))
    }

    /// Says something of our own, once a key.
    ///
    /// # Errors
    /// As [`Dm::send`].
    pub async fn say(&self, key: &str, post: &Post) -> Result<(), SlackError> {
        if self.find(key).await?.is_none() {
            self.send_as(key, std::slice::from_ref(post), ANSWER_TYPE)
                .await?;
        }
        Ok(())
    }

    /// Answers in the thread of a message, once a key.
    ///
    /// # Errors
    /// As [`Dm::send`].
    pub async fn answer(
        &self,
        channel: &str,
        root: &str,
        key: &str,
        post: &Post,
    ) -> Result<(), SlackError> {
        if self.has_part(channel, key, 0, root).await? {
            return Ok(());
        }
        let to = To {
            channel,
            root,
            kind: ANSWER_TYPE,
        };
        self.post(to, key, (0, 1), post).await?;
        Ok(())
    }

    /// Puts a message as it is to stand now in the place of the one that is there.
    ///
    /// # Errors
    /// When Slack cannot be reached or refuses.
    pub async fn update(&self, channel: &str, message: &Value) -> Result<(), SlackError> {
        let mut body = json!({ "channel": channel, "ts": message["ts"], "text": message["text"], "blocks": message["blocks"] });
        // By its metadata it is known as ours.
        if message["metadata"].is_object() {
            body["metadata"] = message["metadata"].clone();
        }
        let _: Sent = self.client.repeat("chat.update", &body).await?;
        Ok(())
    }

    /// Edits a message of ours that was sent earlier, from what it is at this moment; one that is gone is left alone.
    ///
    /// # Errors
    /// When Slack cannot be reached or refuses.
    pub async fn revise(
        &self,
        place: &str,
        revised: impl FnOnce(Value) -> Value + Send,
    ) -> Result<(), SlackError> {
        let mut parts = place.splitn(3, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (channel, ts, root) = (next(), next(), next());
        let done = async {
            let Some(message) = self.message_at(channel, ts, root).await? else {
                return Ok(());
            };
            let now = revised(message.clone());
            if now == message {
                return Ok(());
            }
            self.update(channel, &now).await
        };
        match done.await {
            Err(error) if GONE.contains(&error.word()) => Ok(()),
            other => other,
        }
    }

    /// Returns a message of the conversation, or of a thread in it.
    async fn message_at(
        &self,
        channel: &str,
        ts: &str,
        root: &str,
    ) -> Result<Option<Value>, SlackError> {
        let mut parameters = vec![
            ("channel", channel),
            ("oldest", ts),
            ("latest", ts),
            ("inclusive", "true"),
            ("limit", "10"),
            ("include_all_metadata", "true"),
        ];
        let method = if root.is_empty() {
            "conversations.history"
        } else {
            parameters.push(("ts", root));
            "conversations.replies"
        };
        let history: History = self.client.read(method, &parameters).await?;
        let mut messages = history.messages.into_iter();
        Ok(messages.find(|message| message["ts"] == ts))
    }

    /// Returns whether the person never had a briefing here.
    ///
    /// # Errors
    /// When Slack cannot be asked.
    pub async fn is_new(&self) -> Result<bool, SlackError> {
        let channel = self.open().await?;
        let parameters = [
            ("channel", channel.as_str()),
            ("limit", LOOKED_AT),
            ("include_all_metadata", "true"),
        ];
        let history: History = self
            .client
            .read("conversations.history", &parameters)
            .await?;
        let is_ours = |message: &Value| message["metadata"]["event_type"] == EVENT_TYPE;
        Ok(!history.messages.iter().any(is_ours))
    }

    /// Returns where the message with this key is, if it arrived: `D…:ts`.
    ///
    /// # Errors
    /// When Slack cannot be asked.
    pub async fn find(&self, key: &str) -> Result<Option<String>, SlackError> {
        let channel = self.open().await?;
        let found = self.recent(&channel).await?;
        let found = found
            .messages
            .iter()
            .find(|message| is_part(message, key, 0));
        Ok(
            found
                .map(|message| format!("{channel}:{}", message["ts"].as_str().unwrap_or_default())),
        )
    }

    /// Sends a briefing: the first message into the conversation, the others into its thread. Returns where it is.
    ///
    /// # Errors
    /// When the first message was refused, or nobody can say whether it arrived; [`Dm::find`] tells.
    pub async fn send(&self, key: &str, posts: &[Post]) -> Result<String, SlackError> {
        self.send_as(key, posts, EVENT_TYPE).await
    }

    async fn send_as(
        &self,
        key: &str,
        posts: &[Post],
        kind: &'static str,
    ) -> Result<String, SlackError> {
        let channel = self.open().await?;
        let mut root = String::new();
        for (part, post) in posts.iter().enumerate() {
            let to = To {
                channel: &channel,
                root: &root,
                kind,
            };
            let parts = (part, posts.len());
            if part == 0 {
                root = self.post(to, key, parts, post).await?;
                continue;
            }
            let first = self.post(to, key, parts, post).await;
            // The briefing as such is there, so what is left of it is worth a second try.
            if first.is_err() && !self.has_part(&channel, key, part, &root).await? {
                self.post(to, key, parts, post).await?;
            }
        }
        Ok(format!("{channel}:{root}"))
    }

    /// Returns the last messages of the conversation.
    async fn recent(&self, channel: &str) -> Result<History, SlackError> {
        let oldest = Ts::at(self.client.now()).before(LOOK_BACK);
        let parameters = [
            ("channel", channel),
            ("limit", LOOKED_AT),
            ("oldest", &oldest.0),
            ("include_all_metadata", "true"),
        ];
        self.client.read("conversations.history", &parameters).await
    }

    /// Opens the conversation, or finds the one that is open.
    async fn open(&self) -> Result<String, SlackError> {
        let opened = self.channel.get_or_try_init(async || {
            let body = json!({ "users": self.user });
            let opened: Opened = self.client.repeat("conversations.open", &body).await?;
            Ok::<_, SlackError>(opened.channel.id)
        });
        Ok(opened.await?.clone())
    }

    async fn post(
        &self,
        to: To<'_>,
        key: &str,
        (part, parts): (usize, usize),
        post: &Post,
    ) -> Result<String, SlackError> {
        let To {
            channel,
            root,
            kind,
        } = to;
        let mut body = json!({
            "channel": channel,
            "text": post.text,
            "blocks": post.blocks,
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": {
                "event_type": kind,
                "event_payload": { "key": key, "part": part, "parts": parts },
            },
        });
        if !root.is_empty() {
            body["thread_ts"] = json!(root);
        }
        let scope = format!("chat.postMessage/{channel}");
        let sent: Sent = self.client.write("chat.postMessage", &scope, &body).await?;
        Ok(sent.ts)
    }

    async fn has_part(
        &self,
        channel: &str,
        key: &str,
        part: usize,
        root: &str,
    ) -> Result<bool, SlackError> {
        let parameters = [
            ("channel", channel),
            ("ts", root),
            ("limit", LOOKED_AT),
            ("include_all_metadata", "true"),
        ];
        let history: History = self
            .client
            .read("conversations.replies", &parameters)
            .await?;
        Ok(history
            .messages
            .iter()
            .any(|message| is_part(message, key, part)))
    }
}

fn is_part(message: &Value, key: &str, part: usize) -> bool {
    let metadata = &message["metadata"];
    let payload = &metadata["event_payload"];
    let is_ours = metadata["event_type"] == EVENT_TYPE || metadata["event_type"] == ANSWER_TYPE;
    is_ours && payload["key"] == key && payload["part"] == part
}

#[cfg(test)]
mod tests;
