//! What each method answers, and what it changes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Channel, POSTED_AT, Workspace, tier_of};

impl Workspace {
    /// Counts a call and returns whether the last minute holds more of them than Slack takes.
    pub(super) fn is_too_fast(
        &mut self,
        method: &str,
        parameters: &BTreeMap<String, String>,
    ) -> bool {
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
    pub(super) fn direct(&mut self, user: &str) -> String {
        let id = format!("D{user}");
        let channel = self.channels.entry(id.clone()).or_default();
        (channel.is_im, channel.is_private, channel.is_joined) = (true, true, true);
        id
    }

    pub(super) fn say(&mut self, method: &str, parameters: &BTreeMap<String, String>) -> Value {
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
                let blocks = of("blocks").and_then(|text| serde_json::from_str(text).ok());
                if let Some(error) = blocks.as_ref().and_then(refusal_of) {
                    return refuse(error);
                }
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

    pub(super) fn paged(&self, key: &str, items: Vec<Value>, cursor: Option<&str>) -> Value {
        let from: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let upto = (from + self.page_size).min(items.len());
        let next = if upto < items.len() {
            upto.to_string()
        } else {
            String::new()
        };
        json!({ "ok": true, key: items[from..upto], "response_metadata": { "next_cursor": next } })
    }

    pub(super) fn limit(&self, parameters: &BTreeMap<String, String>) -> usize {
        let asked: usize = parameters
            .get("limit")
            .map_or(100, |limit| limit.parse().unwrap());
        asked.min(if self.is_capped { 15 } else { self.page_size })
    }

    pub(super) fn history(
        &self,
        channel: &Channel,
        parameters: &BTreeMap<String, String>,
    ) -> Value {
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

    pub(super) fn replies(
        &self,
        channel: &Channel,
        parameters: &BTreeMap<String, String>,
    ) -> Value {
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

    pub(super) fn post(&mut self, parameters: &BTreeMap<String, String>) -> Value {
        let blocks: Value = parameters
            .get("blocks")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        if let Some(error) = refusal_of(&blocks) {
            return json!({ "ok": false, "error": error });
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

/// Returns why Slack takes no message of these blocks.
fn refusal_of(blocks: &Value) -> Option<&'static str> {
    let all = blocks.as_array().into_iter().flatten();
    let ids: Vec<&str> = all.filter_map(|one| one["block_id"].as_str()).collect();
    let different: BTreeSet<&&str> = ids.iter().collect();
    let is_long = blocks.as_array().is_some_and(|blocks| blocks.len() > 50);
    match (is_long || different.len() < ids.len(), chars_of(blocks)) {
        (true, _) => Some("invalid_blocks"),
        (_, 13_201..) => Some("msg_blocks_too_long"),
        _ => None,
    }
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
    pub(super) fn insert(&mut self, ts: String, message: Value) {
        if let Some(root) = message["thread_ts"].as_str()
            && root != ts
        {
            let replies = self.replies.entry(root.to_owned()).or_default();
            replies.insert(ts.clone());
        }
        self.messages.insert(ts, message);
    }

    pub(super) fn remove(&mut self, ts: &str) {
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

    pub(super) fn shown(&self, id: &str) -> Value {
        json!({ "id": id, "name": self.name, "is_private": self.is_private, "is_im": self.is_im, "is_member": self.is_joined })
    }

    /// Returns a message as lists show it: with the count of its replies.
    pub(super) fn counted(&self, ts: &str) -> Value {
        let mut message = self.messages[ts].clone();
        if let Some(replies) = self.replies.get(ts) {
            message["thread_ts"] = json!(ts);
            message["reply_count"] = json!(replies.len());
            message["latest_reply"] = json!(replies.last());
        }
        message
    }
}
