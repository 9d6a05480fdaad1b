//! One message of an export, as it stands in the file and as events.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::lists::{Channel, Lists};
use super::markup::to_markdown;
use crate::connectors::files::link::Link;
use crate::connectors::files::{bare_event, tolerant};
use crate::model::{
    ConnectorId, Event, EventId, EventKind, Handle, Markdown, Thread, ThreadId, ThreadKind,
};

/// An item of a day file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    /// The time, which is also the id within the channel: `seconds.micros`.
    #[serde(deserialize_with = "tolerant::text")]
    pub ts: String,
    /// What sort of message it is, where it is not a plain one.
    subtype: Option<String>,
    /// The author.
    user: Option<String>,
    /// The program that wrote it.
    bot_id: Option<String>,
    bot_profile: Option<Named>,
    user_profile: Option<Named>,
    /// The name a program chose to be shown by.
    username: Option<String>,
    /// What it says, in Slack's markup.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub text: String,
    /// The message it replies to.
    #[serde(deserialize_with = "tolerant::text")]
    thread_ts: String,
    #[serde(deserialize_with = "tolerant::or_default")]
    reactions: Vec<Reaction>,
    #[serde(deserialize_with = "tolerant::or_default")]
    attachments: Vec<Value>,
    #[serde(deserialize_with = "tolerant::or_default")]
    files: Vec<File>,
    file: Option<File>,
    comment: Option<Comment>,
    #[serde(deserialize_with = "tolerant::or_default")]
    blocks: Vec<Value>,
    /// The new form of an edited message, in exports that hold the edits.
    message: Option<Box<Message>>,
    /// The message that was deleted, in exports that hold the deletions.
    #[serde(deserialize_with = "tolerant::text")]
    deleted_ts: String,
    /// Set by the reader when another message of the channel has the same time.
    #[serde(skip)]
    pub suffix: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Reaction {
    name: String,
    #[serde(deserialize_with = "tolerant::or_default")]
    users: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    name: Option<String>,
    title: Option<String>,
    permalink: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Comment {
    user: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
    real_name: Option<String>,
}

impl Named {
    fn shown(&self) -> Option<&str> {
        self.real_name.as_deref().or(self.name.as_deref())
    }
}

impl Message {
    /// Returns the account that wrote it.
    pub fn author(&self) -> Option<&str> {
        let comment = self
            .comment
            .as_ref()
            .and_then(|comment| comment.user.as_deref());
        let accounts = [
            self.user.as_deref(),
            comment,
            self.bot_id.as_deref(),
            self.username.as_deref(),
        ];
        accounts
            .into_iter()
            .flatten()
            .find(|account| !account.is_empty())
    }

    /// Returns the time of the message it replies to, or of itself; empty when it stands alone.
    pub fn thread_ts(&self) -> &str {
        &self.thread_ts
    }

    /// Returns whether this account, a person's or a program's, wrote it.
    pub fn is_by(&self, account: &str) -> bool {
        let accounts = [self.user.as_deref(), self.bot_id.as_deref()];
        !account.is_empty() && accounts.contains(&Some(account))
    }

    /// Returns the author's name as the message itself gives it.
    pub fn author_name(&self) -> Option<&str> {
        let profile = self.user_profile.as_ref().and_then(Named::shown);
        let bot = self.bot_profile.as_ref().and_then(Named::shown);
        profile
            .or(self.username.as_deref())
            .or(bot)
            .filter(|name| !name.is_empty())
    }

    /// Returns whether a program wrote it.
    pub fn is_by_program(&self) -> bool {
        self.bot_id.is_some() || self.is("bot_message") || self.user.as_deref() == Some("USLACKBOT")
    }

    /// Returns whether it tells of another message, so that it may have that one's time.
    pub fn is_about_another(&self) -> bool {
        self.is("message_changed") || self.is("message_deleted") || self.is_noise()
    }

    fn is(&self, subtype: &str) -> bool {
        self.subtype.as_deref() == Some(subtype)
    }

    /// Returns whether it only says that something about the channel changed.
    fn is_noise(&self) -> bool {
        const PREFIXES: [&str; 6] = [
            "channel_",
            "group_",
            "bot_",
            "pinned_",
            "unpinned_",
            "sh_room_",
        ];
        const NAMES: [&str; 7] = [
            "reminder_add",
            "reply_broadcast",
            "message_replied",
            "joiner_notification",
            "joiner_notification_for_inviter",
            "app_conversation_join",
            "ekm_access_denied",
        ];
        match self.subtype.as_deref() {
            None | Some("bot_message") => false,
            Some(subtype) => {
                PREFIXES.iter().any(|prefix| subtype.starts_with(prefix))
                    || NAMES.contains(&subtype)
            }
        }
    }
}

/// Returns a message as a thread and its events; nothing for notices about the channel.
///
/// # Errors
/// When it has no time and so no id.
pub fn normalize(
    message: &Message,
    channel: &Channel,
    lists: &Lists,
    id: &ConnectorId,
    url: &Link,
) -> Result<Option<(Thread, Vec<Event>)>, String> {
    if message.is_noise() {
        return Ok(None);
    }
    let at =
        time_of(&message.ts).ok_or("a message without a time, which is its id, was left out")?;
    let root = if message.thread_ts.is_empty() {
        &message.ts
    } else {
        &message.thread_ts
    };
    let name_of = |ts: &str| EventId::new(id, format!("{}:{ts}", channel.id_name));
    let thread_id = ThreadId::new(id, format!("{}:{root}", channel.id_name));
    let thread = Thread {
        id: thread_id.clone(),
        kind: ThreadKind::Conversation,
        space: Some(channel.space(id)),
        title: String::new(),
        url: permalink(url, channel, root, root),
        audience: channel.audience(id),
        participants: if channel.is_direct {
            channel
                .members
                .iter()
                .map(|user| Handle::new(id, user.as_str()))
                .collect()
        } else {
            Default::default()
        },
        ticket: None,
    };

    if message.is("message_deleted") || message.is("tombstone") {
        let ts = if message.deleted_ts.is_empty() {
            &message.ts
        } else {
            &message.deleted_ts
        };
        let of = name_of(ts);
        let deleted = EventId::new(id, format!("{}~deleted", of.id));
        return Ok(Some((
            thread,
            vec![bare_event(
                deleted,
                thread_id,
                EventKind::Deleted { of },
                at,
            )],
        )));
    }
    if message.is("message_changed") {
        let Some(new) = &message.message else {
            return Ok(None);
        };
        let Some((thread, mut events)) = normalize(new, channel, lists, id, url)? else {
            return Ok(None);
        };
        events.truncate(1);
        for event in &mut events {
            let of = event.id.clone();
            event.id = EventId::new(id, format!("{}~{}", of.id, message.ts));
            event.kind = EventKind::Edited { of };
            event.occurred_at = at;
        }
        return Ok(Some((thread, events)));
    }

    let message_id = name_of(&format!("{}{}", message.ts, message.suffix));
    let (text, mut mentions) = to_markdown(&words(message), lists, id);
    let author = message.author().map(|author| Handle::new(id, author));
    // `<@U1> uploaded a file` names its own author.
    mentions.retain(|mention| Some(mention) != author.as_ref());
    let is_program = author
        .as_ref()
        .and_then(|author| lists.users.get(&*author.id))
        .is_some_and(|user| user.is_program());
    let posted = Event {
        author,
        text: Markdown(text),
        mentions,
        url: permalink(url, channel, &message.ts, root),
        by_bot: message.is_by_program() || is_program,
        ..bare_event(message_id.clone(), thread_id.clone(), EventKind::Posted, at)
    };
    let mut events = vec![posted];
    for reaction in &message.reactions {
        let emoji = reaction.name.trim_matches(':');
        for user in &reaction.users {
            let reacted = EventId::new(id, format!("{}~r:{emoji}:{user}", message_id.id));
            let kind = EventKind::Reacted {
                of: message_id.clone(),
                emoji: emoji.to_owned(),
                added: true,
            };
            let author = Some(Handle::new(id, user.as_str()));
            // Slack does not say when; it was not before the message.
            events.push(Event {
                author,
                ..bare_event(reacted, thread_id.clone(), kind, at)
            });
        }
    }
    Ok(Some((thread, events)))
}

/// Returns the time of `seconds.micros`.
pub(super) fn time_of(ts: &str) -> Option<Timestamp> {
    let (seconds, micros) = ts.split_once('.').unwrap_or((ts, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds) || !is_number(micros) {
        return None;
    }
    let micros = format!("{micros:0<6}")[..6].parse::<i32>().ok()?;
    Timestamp::new(seconds.parse().ok()?, micros * 1_000).ok()
}

fn permalink(url: &Link, channel: &Channel, ts: &str, root: &str) -> String {
    if url.is_empty() {
        return String::new();
    }
    let place = format!(
        "{}/archives/{}/p{}",
        url.as_str(),
        channel.id,
        ts.replace('.', "")
    );
    if ts == root {
        place
    } else {
        format!("{place}?thread_ts={root}&cid={}", channel.id)
    }
}

/// Returns what a message says; without words of its own, what its attachments, files or blocks say.
fn words(message: &Message) -> String {
    if !message.text.trim().is_empty() {
        return message.text.clone();
    }
    let attached: Vec<String> = message
        .attachments
        .iter()
        .map(attachment_words)
        .filter(|words| !words.is_empty())
        .collect();
    if !attached.is_empty() {
        return attached.join("\n\n");
    }
    let mut blocks = String::new();
    message
        .blocks
        .iter()
        .for_each(|block| block_words(block, &mut blocks));
    if !blocks.trim().is_empty() {
        return blocks.trim().to_owned();
    }
    let files = message.files.iter().chain(&message.file);
    files.filter_map(file_words).collect::<Vec<_>>().join("\n")
}

fn attachment_words(attachment: &Value) -> String {
    let text = |key: &str| {
        attachment[key]
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(text("pretext").map(str::to_owned));
    parts.extend(text("title").map(|title| match text("title_link") {
        Some(link) => format!("<{link}|{title}>"),
        None => title.to_owned(),
    }));
    parts.extend(text("text").map(str::to_owned));
    for field in attachment["fields"].as_array().into_iter().flatten() {
        let (title, value) = (
            field["title"].as_str().unwrap_or_default(),
            field["value"].as_str().unwrap_or_default(),
        );
        match (title.trim(), value.trim()) {
            ("", "") => {}
            ("", only) | (only, "") => parts.push(only.to_owned()),
            (title, value) => parts.push(format!("{title}: {value}")),
        }
    }
    if parts.is_empty() {
        parts.extend(text("fallback").map(str::to_owned));
    }
    parts.join("\n")
}

/// Collects the words of a block and of what it holds.
fn block_words(block: &Value, words: &mut String) {
    match block {
        Value::Array(items) => items.iter().for_each(|item| block_words(item, words)),
        Value::Object(fields) => {
            match (
                fields.get("type").and_then(Value::as_str),
                fields.get("text"),
                fields.get("user_id"),
                fields.get("url"),
            ) {
                (Some("user"), _, Some(Value::String(user)), _) => {
                    words.push_str(&format!("<@{user}>"))
                }
                (_, Some(Value::String(text)), ..) => words.push_str(text),
                (_, Some(text), ..) => block_words(text, words),
                (Some("link"), _, _, Some(Value::String(url))) => {
                    words.push_str(&format!("<{url}>"))
                }
                _ => {}
            }
            for key in ["elements", "fields"] {
                fields
                    .get(key)
                    .into_iter()
                    .for_each(|inner| block_words(inner, words));
            }
            let is_line = matches!(
                fields.get("type").and_then(Value::as_str),
                Some(
                    "section"
                        | "header"
                        | "context"
                        | "rich_text_section"
                        | "rich_text_quote"
                        | "rich_text_preformatted"
                )
            );
            if is_line && !words.is_empty() && !words.ends_with('\n') {
                words.push('\n');
            }
        }
        _ => {}
    }
}

fn file_words(file: &File) -> Option<String> {
    let name = [&file.title, &file.name]
        .into_iter()
        .flatten()
        .find(|name| !name.trim().is_empty())?;
    Some(match &file.permalink {
        Some(link) => format!("<{link}|{name}>"),
        None => name.clone(),
    })
}
