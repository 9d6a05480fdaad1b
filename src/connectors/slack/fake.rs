//! A small Slack on loopback, with a memory: what is posted there can be listed, edited and deleted, and it can fail.

mod calls;
mod methods;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use calls::answer;

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
