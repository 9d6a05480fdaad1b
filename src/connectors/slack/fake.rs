//! A small Slack on loopback, with a memory: what is posted there can be listed, edited and deleted, and it can fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::push::{Push, pushes_of};

/// What the next call of a method meets instead of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// This status, with `Retry-After` where it is not empty.
    Status(u16, &'static str),
    /// This word in a well-formed refusal.
    Refusal(&'static str),
    /// An answer that breaks off.
    Cut,
    /// It is done, but the answer is a 500.
    AnswerLost,
}

#[derive(Default)]
pub struct Channel {
    pub name: String,
    pub is_private: bool,
    pub is_im: bool,
    pub is_joined: bool,
    pub members: Vec<String>,
    pub messages: BTreeMap<String, Value>,
    /// By root, so that a count of replies costs nothing.
    pub replies: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Default)]
pub struct Workspace {
    pub users: Vec<Value>,
    pub channels: BTreeMap<String, Channel>,
    /// The method, how many of its calls pass before, and what the one after meets.
    pub faults: VecDeque<(&'static str, usize, Fault)>,
    /// Every call: its method and parameters.
    pub calls: Vec<(String, BTreeMap<String, String>)>,
    /// How many objects a page holds at most, whatever was asked for.
    pub page_size: usize,
    pub is_capped: bool,
    pub scopes: &'static str,
    /// The token that counts; another one is refused as one that has expired.
    pub token: String,
    /// Where sockets are opened, and how many addresses were given out.
    pub socket_url: String,
    pub sockets_opened: usize,
    /// Bad luck that comes by itself.
    pub weather: Option<Weather>,
    /// Calls that came faster than Slack allows them.
    pub too_fast: Vec<String>,
    recent: BTreeMap<String, VecDeque<tokio::time::Instant>>,
    posted: u64,
}

/// How often things go wrong by themselves, in per mille of the calls.
pub struct Weather {
    pub limited: u64,
    pub broken: u64,
    pub reset: u64,
    pub random: u64,
}

impl Weather {
    fn next(&mut self) -> Option<Fault> {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let roll = (self.random >> 33) % 1_000;
        let (limited, broken) = (self.limited, self.limited + self.broken);
        match roll {
            roll if roll < limited => Some(Fault::Status(429, "3")),
            // What breaks was done in one case of two.
            roll if roll < broken && roll.is_multiple_of(2) => Some(Fault::AnswerLost),
            roll if roll < broken => Some(Fault::Status(503, "")),
            roll if roll < broken + self.reset => Some(Fault::Cut),
            _ => None,
        }
    }
}

/// How many calls of a method Slack takes within a minute: its tiers.
fn tier_of(method: &str) -> usize {
    match method {
        "users.list" | "users.conversations" | "conversations.list" => 20,
        "conversations.members" | "auth.test" => 100,
        "chat.postMessage" => 60,
        _ => 50,
    }
}

#[derive(Clone)]
pub struct Fake {
    workspace: Arc<Mutex<Workspace>>,
    pub url: String,
}

pub const TOKEN: &str = "xoxb-geheim";
pub const APP_TOKEN: &str = "xapp-geheim";
/// The second at which what the app itself posts begins.
pub const POSTED_AT: u64 = 1_795_420_000;

impl Fake {
    pub async fn start() -> Fake {
        let workspace = Workspace {
            page_size: 3,
            token: TOKEN.into(),
            scopes: "channels:read,channels:history,users:read,users:read.email,chat:write,im:write,im:history",
            ..Workspace::default()
        };
        let workspace = Arc::new(Mutex::new(workspace));
        let routes = Router::new().fallback(answer).with_state(workspace.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let fake = Fake { workspace, url };
        for name in ["ana", "bo", "cy"] {
            fake.user(name, json!({}));
        }
        fake
    }

    pub fn shared(&self) -> Arc<Mutex<Workspace>> {
        self.workspace.clone()
    }

    pub fn get(&self) -> MutexGuard<'_, Workspace> {
        self.workspace.lock().unwrap()
    }

    pub fn user(&self, name: &str, more: Value) {
        let mut user = json!({
            "id": format!("U{}", name.to_uppercase()), "name": name, "tz": "Europe/Lisbon",
            "profile": { "real_name": format!("{name} Real"), "email": format!("{name}@Example.org") },
        });
        user.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.get().users.push(user);
    }

    pub fn channel(&self, id: &str, name: &str) {
        let channel = Channel {
            name: name.into(),
            is_joined: true,
            members: vec!["UANA".into(), "UBO".into(), "UDAYBRIEF".into()],
            ..Channel::default()
        };
        self.get().channels.insert(id.into(), channel);
    }

    /// Somebody opens their conversation with the app.
    pub fn direct(&self, user: &str) {
        self.get().direct(user);
    }

    pub fn post(&self, channel: &str, ts: &str, user: &str, text: &str) {
        let message = json!({ "type": "message", "ts": ts, "user": user, "text": text });
        self.put(channel, message);
    }

    pub fn reply(&self, channel: &str, root: &str, ts: &str, user: &str, text: &str) {
        let message =
            json!({ "type": "message", "ts": ts, "thread_ts": root, "user": user, "text": text });
        self.put(channel, message);
    }

    pub fn put(&self, channel: &str, message: Value) {
        let ts = message["ts"].as_str().unwrap().to_owned();
        let mut workspace = self.get();
        workspace
            .channels
            .get_mut(channel)
            .unwrap()
            .insert(ts, message);
    }

    pub fn delete(&self, channel: &str, ts: &str) {
        let mut workspace = self.get();
        let channel = workspace.channels.get_mut(channel).unwrap();
        if channel.replies.contains_key(ts) {
            channel.insert(ts.into(), json!({ "type": "message", "subtype": "tombstone", "ts": ts, "thread_ts": ts, "text": "This message was deleted.", "user": "USLACKBOT" }));
        } else {
            channel.remove(ts);
        }
    }

    /// Returns the push of a button in the latest message of a conversation that has it, as Slack sends it; `id` tells it from
    /// another push.
    pub fn press(&self, user: &str, channel: &str, action: &str, id: &str) -> Push {
        let workspace = self.get();
        let messages = workspace.channels[channel].messages.values().rev();
        let is_it = |button: &&Value| button["action_id"] == action;
        let found = messages.flat_map(|message| {
            let rows = message["blocks"].as_array().into_iter().flatten();
            let buttons = rows.filter_map(move |row| {
                let elements = row["elements"].as_array()?.iter();
                Some((message, row, elements.clone().find(is_it)?))
            });
            buttons.collect::<Vec<_>>()
        });
        let (message, row, button) = found.into_iter().next().expect("there is such a button");
        let payload = json!({
            "type": "block_actions", "user": { "id": user }, "message": message,
            "container": { "channel_id": channel, "message_ts": message["ts"] },
            "actions": [{ "type": "button", "action_id": action, "block_id": row["block_id"],
                "value": button["value"], "action_ts": id }],
        });
        pushes_of("interactive", &payload).remove(0)
    }

    pub fn fail(&self, method: &'static str, fault: Fault) {
        self.fail_after(method, 0, fault);
    }

    /// Lets this many calls of a method pass before one fails.
    pub fn fail_after(&self, method: &'static str, passing: usize, fault: Fault) {
        self.get().faults.push_back((method, passing, fault));
    }

    pub fn calls_of(&self, method: &str) -> usize {
        self.get()
            .calls
            .iter()
            .filter(|(name, _)| name == method)
            .count()
    }
}

/// The parameters that the methods know; one more is an error, as a typing mistake would otherwise change nothing.
const KNOWN: [(&str, &[&str]); 12] = [
    ("apps.connections.open", &[]),
    ("auth.test", &[]),
    ("users.list", &["limit", "cursor", "include_locale"]),
    (
        "users.conversations",
        &["types", "exclude_archived", "limit", "cursor", "user"],
    ),
    (
        "conversations.list",
        &["types", "exclude_archived", "limit", "cursor"],
    ),
    ("conversations.members", &["channel", "limit", "cursor"]),
    (
        "conversations.info",
        &["channel", "include_locale", "include_num_members"],
    ),
    (
        "conversations.open",
        &["channel", "users", "return_im", "prevent_creation"],
    ),
    (
        "chat.postMessage",
        &[
            "channel",
            "text",
            "blocks",
            "thread_ts",
            "unfurl_links",
            "unfurl_media",
            "metadata",
            "mrkdwn",
            "parse",
        ],
    ),
    (
        "chat.update",
        &["channel", "ts", "text", "blocks", "metadata"],
    ),
    (
        "conversations.history",
        &[
            "channel",
            "latest",
            "oldest",
            "inclusive",
            "limit",
            "cursor",
            "include_all_metadata",
        ],
    ),
    (
        "conversations.replies",
        &[
            "channel",
            "ts",
            "latest",
            "oldest",
            "inclusive",
            "limit",
            "cursor",
            "include_all_metadata",
        ],
    ),
];

/// Answers one call, as it comes over the network.
pub async fn answer(
    State(workspace): State<Arc<Mutex<Workspace>>>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let mut workspace = workspace.lock().unwrap();
    let method = uri.path().trim_start_matches("/api/").to_owned();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    let url = reqwest::Url::parse(&format!("http://x{uri}")).unwrap();
    parameters.extend(
        url.query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned())),
    );
    if let Ok(Value::Object(fields)) = serde_json::from_slice(&body) {
        let text = |value: Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        parameters.extend(fields.into_iter().map(|(name, value)| (name, text(value))));
    }
    workspace.calls.push((method.clone(), parameters.clone()));
    let refuse = |word: &str| json!({ "ok": false, "error": word });
    let bearer = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let bearer = bearer
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let wanted = if method == "apps.connections.open" {
        APP_TOKEN
    } else {
        &workspace.token
    };
    if bearer != wanted {
        let is_old = bearer == TOKEN && wanted != APP_TOKEN;
        return axum::Json(refuse(if is_old {
            "token_expired"
        } else {
            "invalid_auth"
        }))
        .into_response();
    }
    if let Some(weather) = &mut workspace.weather {
        let fault = weather.next();
        if workspace.is_too_fast(&method, &parameters) {
            workspace.too_fast.push(method.clone());
        }
        if let Some(fault) = fault {
            workspace.faults.push_front((fault_name(&method), 0, fault));
        }
    }
    let at = workspace
        .faults
        .iter()
        .position(|(name, passing, _)| *name == method && *passing == 0);
    let fault = at
        .and_then(|at| workspace.faults.remove(at))
        .map(|(_, _, fault)| fault);
    for (_, passing, _) in workspace
        .faults
        .iter_mut()
        .filter(|(name, passing, _)| *name == method && *passing > 0)
    {
        *passing -= 1;
    }
    match fault {
        Some(Fault::Status(status, retry_after)) => {
            let status = StatusCode::from_u16(status).unwrap();
            return (status, [("retry-after", retry_after)], "").into_response();
        }
        Some(Fault::Refusal(word)) => return axum::Json(refuse(word)).into_response(),
        Some(Fault::Cut) => {
            return (
                [("content-length", "400")],
                Body::from_stream(futures_util::stream::iter([
                    Ok::<_, std::io::Error>("{\"ok\":true,".to_owned()),
                    Err(std::io::Error::other("cut")),
                ])),
            )
                .into_response();
        }
        Some(Fault::AnswerLost) | None => {}
    }
    let said = match KNOWN.iter().find(|(name, _)| *name == method) {
        None => refuse("unknown_method"),
        Some((_, known))
            if parameters
                .keys()
                .any(|name| !known.contains(&name.as_str())) =>
        {
            refuse("invalid_arguments")
        }
        Some(_) => workspace.say(&method, &parameters),
    };
    if matches!(fault, Some(Fault::AnswerLost)) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    ([("x-oauth-scopes", workspace.scopes)], axum::Json(said)).into_response()
}

/// Returns the method's name as the list of faults has it.
fn fault_name(method: &str) -> &'static str {
    let known = KNOWN.iter().map(|(name, _)| *name);
    known
        .into_iter()
        .find(|name| *name == method)
        .unwrap_or("?")
}

impl Workspace {
    /// Counts a call and returns whether the last minute holds more of them than Slack takes.
    fn is_too_fast(&mut self, method: &str, parameters: &BTreeMap<String, String>) -> bool {
        let (scope, most, span) = match (method, parameters.get("channel")) {
            ("chat.postMessage", Some(channel)) => (format!("{method} {channel}"), 1, 1),
            _ => (method.to_owned(), tier_of(method), 60),
        };
        let now = tokio::time::Instant::now();
        let recent = self.recent.entry(scope).or_default();
        while recent
            .front()
            .is_some_and(|at| now - *at >= std::time::Duration::from_secs(span))
        {
            recent.pop_front();
        }
        recent.push_back(now);
        recent.len() > most
    }

    /// Opens the conversation of the app with an account, or finds it.
    fn direct(&mut self, user: &str) -> String {
        let id = format!("D{user}");
        let channel = self.channels.entry(id.clone()).or_default();
        (channel.is_im, channel.is_private, channel.is_joined) = (true, true, true);
        id
    }

    fn say(&mut self, method: &str, parameters: &BTreeMap<String, String>) -> Value {
        let of = |name: &str| parameters.get(name).map(String::as_str);
        let refuse = |word: &str| json!({ "ok": false, "error": word });
        match method {
            "auth.test" => {
                json!({ "ok": true, "url": "https://team.slack.com/", "team": "Team", "user_id": "UDAYBRIEF", "bot_id": "BDAYBRIEF" })
            }
            "users.list" => self.paged("members", self.users.clone(), of("cursor")),
            "users.conversations" | "conversations.list" => {
                let types = of("types").unwrap_or("public_channel");
                let is_wanted = |channel: &Channel| {
                    let kind = match channel {
                        Channel { is_im: true, .. } => "im",
                        Channel {
                            is_private: true, ..
                        } => "private_channel",
                        _ => "public_channel",
                    };
                    types.split(',').any(|wanted| wanted == kind)
                        && (channel.is_joined || method == "conversations.list")
                };
                let channels = self
                    .channels
                    .iter()
                    .filter(|(_, channel)| is_wanted(channel));
                let channels = channels.map(|(id, channel)| channel.shown(id)).collect();
                self.paged("channels", channels, of("cursor"))
            }
            "conversations.open" => {
                let id = self.direct(of("users").unwrap_or_default());
                json!({ "ok": true, "channel": { "id": id } })
            }
            "apps.connections.open" => {
                self.sockets_opened += 1;
                json!({ "ok": true, "url": format!("{}/link/?ticket={}", self.socket_url, self.sockets_opened) })
            }
            "chat.postMessage" => self.post(parameters),
            "chat.update" => {
                let (id, ts) = (
                    of("channel").unwrap_or_default(),
                    of("ts").unwrap_or_default(),
                );
                let message = self
                    .channels
                    .get_mut(id)
                    .and_then(|channel| channel.messages.get_mut(ts));
                let Some(message) = message else {
                    return refuse("message_not_found");
                };
                message["text"] = json!(of("text"));
                // What is not named stays as it was.
                for name in ["blocks", "metadata"] {
                    if let Some(value) = of(name).and_then(|text| serde_json::from_str(text).ok()) {
                        message[name] = value;
                    }
                }
                json!({ "ok": true, "channel": id, "ts": ts })
            }
            _ => {
                let id = of("channel").unwrap_or_default();
                let Some(channel) = self.channels.get(id) else {
                    return refuse("channel_not_found");
                };
                if !channel.is_joined && (channel.is_private || method != "conversations.info") {
                    return refuse(if channel.is_private {
                        "channel_not_found"
                    } else {
                        "not_in_channel"
                    });
                }
                match method {
                    "conversations.info" => json!({ "ok": true, "channel": channel.shown(id) }),
                    "conversations.members" => {
                        let members = channel.members.iter().map(|member| json!(member)).collect();
                        self.paged("members", members, of("cursor"))
                    }
                    "conversations.history" => self.history(channel, parameters),
                    _ => self.replies(channel, parameters),
                }
            }
        }
    }

    fn paged(&self, key: &str, items: Vec<Value>, cursor: Option<&str>) -> Value {
        let from: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let upto = (from + self.page_size).min(items.len());
        let next = if upto < items.len() {
            upto.to_string()
        } else {
            String::new()
        };
        json!({ "ok": true, key: items[from..upto], "response_metadata": { "next_cursor": next } })
    }

    fn limit(&self, parameters: &BTreeMap<String, String>) -> usize {
        let asked: usize = parameters
            .get("limit")
            .map_or(100, |limit| limit.parse().unwrap());
        asked.min(if self.is_capped { 15 } else { self.page_size })
    }

    fn history(&self, channel: &Channel, parameters: &BTreeMap<String, String>) -> Value {
        let is_within = |ts: &str| is_within(ts, parameters);
        let is_top = |message: &Value| {
            message["thread_ts"].is_null()
                || message["thread_ts"] == message["ts"]
                || message["subtype"] == "thread_broadcast"
        };
        let listed = channel.messages.iter().rev();
        let mut listed = listed.filter(|(ts, message)| is_within(ts) && is_top(message));
        let limit = self.limit(parameters);
        let messages: Vec<Value> = listed
            .by_ref()
            .take(limit)
            .map(|(ts, _)| channel.counted(ts))
            .collect();
        json!({ "ok": true, "messages": messages, "has_more": listed.next().is_some() })
    }

    fn replies(&self, channel: &Channel, parameters: &BTreeMap<String, String>) -> Value {
        let root = parameters["ts"].as_str();
        if !channel.messages.contains_key(root) {
            return json!({ "ok": false, "error": "thread_not_found" });
        }
        let replies = channel.replies.get(root).into_iter().flatten();
        let replies = replies.filter(|ts| is_within(ts, parameters));
        let mut replies = replies.map(|ts| channel.messages[ts].clone());
        let mut messages = vec![channel.counted(root)];
        messages.extend(replies.by_ref().take(self.limit(parameters)));
        json!({ "ok": true, "messages": messages, "has_more": replies.next().is_some() })
    }

    fn post(&mut self, parameters: &BTreeMap<String, String>) -> Value {
        let blocks: Value = parameters
            .get("blocks")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        if blocks.as_array().is_some_and(|blocks| blocks.len() > 50) {
            return json!({ "ok": false, "error": "invalid_blocks" });
        }
        if chars_of(&blocks) > 13_200 {
            return json!({ "ok": false, "error": "msg_blocks_too_long" });
        }
        self.posted += 1;
        let ts = format!("{}.000000", POSTED_AT + self.posted);
        let parsed = |name: &str| {
            parameters
                .get(name)
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
        };
        let mut message = json!({ "type": "message", "ts": ts, "bot_id": "BDAYBRIEF", "user": "UDAYBRIEF", "text": parameters.get("text"), "blocks": blocks });
        if let Some(metadata) = parsed("metadata") {
            message["metadata"] = metadata;
        }
        if let Some(root) = parameters.get("thread_ts") {
            message["thread_ts"] = json!(root);
        }
        let id = parameters["channel"].clone();
        let Some(channel) = self.channels.get_mut(&id) else {
            return json!({ "ok": false, "error": "channel_not_found" });
        };
        channel.insert(ts.clone(), message);
        json!({ "ok": true, "channel": id, "ts": ts })
    }
}

/// Returns whether a message is in the span that is asked for, whose ends belong to it only when that is said.
fn is_within(ts: &str, parameters: &BTreeMap<String, String>) -> bool {
    let is_inclusive = parameters.get("inclusive").is_some_and(|is| is == "true");
    let is_end = |name: &str| parameters.get(name).is_some_and(|end| end == ts);
    if is_end("oldest") || is_end("latest") {
        return is_inclusive;
    }
    let (oldest, latest) = (parameters.get("oldest"), parameters.get("latest"));
    oldest.is_none_or(|oldest| ts > oldest.as_str())
        && latest.is_none_or(|latest| ts < latest.as_str())
}

/// Returns how many characters a reader sees, which is what Slack's undocumented limit counts.
fn chars_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(chars_of).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) if key == "text" || key == "url" => text.chars().count(),
                _ => chars_of(value),
            })
            .sum(),
        _ => 0,
    }
}

impl Channel {
    fn insert(&mut self, ts: String, message: Value) {
        if let Some(root) = message["thread_ts"].as_str()
            && root != ts
        {
            let replies = self.replies.entry(root.to_owned()).or_default();
            replies.insert(ts.clone());
        }
        self.messages.insert(ts, message);
    }

    fn remove(&mut self, ts: &str) {
        let removed = self.messages.remove(ts);
        let root = removed
            .as_ref()
            .and_then(|message| message["thread_ts"].as_str());
        if let Some(root) = root
            && let Some(replies) = self.replies.get_mut(root)
        {
            replies.remove(ts);
            if replies.is_empty() {
                self.replies.remove(root);
            }
        }
    }

    fn shown(&self, id: &str) -> Value {
        json!({ "id": id, "name": self.name, "is_private": self.is_private, "is_im": self.is_im, "is_member": self.is_joined })
    }

    /// Returns a message as lists show it: with the count of its replies.
    fn counted(&self, ts: &str) -> Value {
        let mut message = self.messages[ts].clone();
        if let Some(replies) = self.replies.get(ts) {
            message["thread_ts"] = json!(ts);
            message["reply_count"] = json!(replies.len());
            message["latest_reply"] = json!(replies.last());
        }
        message
    }
}
