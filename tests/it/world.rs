//! A small world: sources written by the test, a simulated clock, a sink that remembers, and everything else real.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use daybrief::brief::Style;
use daybrief::clock::Clock;
use daybrief::config::Config;
use daybrief::daemon::{Daemon, Parts};
use daybrief::http::Http;
use daybrief::model::{Briefing, MemberId};
use daybrief::roster::Roster;
use daybrief::schedule;
use daybrief::sinks::{ChatSink, Found, Message, Receipt};
use daybrief::store::{Store, audiences, deliveries, events};
use daybrief_index::{Index, Options};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// What the sink does with the next messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes them.
    #[default]
    Well,
    /// Refuses them.
    Down,
    /// Takes them, but the answer is lost.
    AnswerLost,
}

#[derive(Debug, Default)]
pub struct Remembered {
    pub mood: Mood,
    pub cannot_look: bool,
    /// Key, moment and briefing of every message taken.
    pub sent: Vec<(String, Timestamp, Briefing)>,
}

/// A sink that remembers.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub Arc<Mutex<Remembered>>);

impl ChatSink for Memory {
    async fn send(&self, message: Message<'_>) -> Result<Receipt> {
        let mut remembered = self.0.lock().unwrap();
        if remembered.mood == Mood::Down {
            bail!("the sink is down");
        }
        let sent = (
            message.key.to_owned(),
            message.now,
            message.briefing.clone(),
        );
        remembered.sent.push(sent);
        if remembered.mood == Mood::AnswerLost {
            bail!("connection reset after the request was sent");
        }
        Ok(Receipt(message.key.to_owned()))
    }

    async fn find(&self, key: &str) -> Result<Found> {
        let remembered = self.0.lock().unwrap();
        if remembered.mood == Mood::Down {
            bail!("the sink is down");
        }
        Ok(match remembered.sent.iter().any(|(sent, ..)| sent == key) {
            _ if remembered.cannot_look => Found::CannotTell,
            true => Found::Yes(Receipt(key.to_owned())),
            false => Found::No,
        })
    }
}

pub struct World {
    dir: tempfile::TempDir,
    config: String,
    messages: BTreeMap<String, Vec<Value>>,
    tickets: Vec<Value>,
    pub clock: Clock,
    pub sink: Memory,
    pub quiet_line: bool,
    daemon: Option<Daemon<Memory>>,
    runtime: tokio::runtime::Runtime,
    is_checked: bool,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl World {
    pub fn new(now: &str) -> World {
        World {
            dir: tempfile::tempdir().unwrap(),
            config: "[connectors.chat]\ntype = \"slack-export\"\npath = \"chat\"\n[connectors.tracker]\ntype = \"tickets\"\npath = \"tickets.jsonl\"\n".into(),
            messages: BTreeMap::new(),
            tickets: Vec::new(),
            clock: Clock::simulated(at(now)),
            sink: Memory::default(),
            quiet_line: true,
            daemon: None,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            is_checked: false,
        }
    }

    /// Adds a member whose Slack id is `U` and the name in capitals; `more` is further TOML.
    pub fn member(&mut self, name: &str, zone: &str, more: &str) {
        let id = name.to_uppercase();
        self.config += &format!(
            "[members.{name}]\ntime_zone = \"{zone}\"\nhandles = {{ chat = \"U{id}\", tracker = \"{name}\" }}\n{more}\n"
        );
    }

    pub fn set_config(&mut self, config: String) {
        self.config = config;
    }

    /// Writes a message; `channel` with a leading `~` is private to ana and cy.
    pub fn chat(&mut self, channel: &str, when: &str, who: &str, text: &str) -> String {
        let micros = at(when).as_microsecond();
        let ts = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let message = json!({ "type": "message", "user": format!("U{}", who.to_uppercase()), "text": text, "ts": ts });
        self.messages
            .entry(channel.to_owned())
            .or_default()
            .push(message);
        format!("{}:{ts}", channel.trim_start_matches('~'))
    }

    pub fn ticket(&mut self, ticket: Value) {
        self.tickets.push(ticket);
    }

    /// Takes the text of a message away, as Slack shows a deleted one.
    pub fn delete(&mut self, id: &str) {
        let ts = id.rsplit(':').next().unwrap();
        for message in self
            .messages
            .values_mut()
            .flatten()
            .filter(|message| message["ts"] == ts)
        {
            message["subtype"] = json!("tombstone");
            message["text"] = json!("This message was deleted.");
        }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Writes the sources as they are at the clock's time.
    fn write_sources(&self) {
        let now = self.clock.now().as_microsecond();
        let chat = self.path("chat");
        std::fs::create_dir_all(&chat).unwrap();
        let config = self.loaded();
        let users: Vec<Value> = config
            .members
            .keys()
            .map(|name| json!({ "id": format!("U{}", name.to_uppercase()), "name": name, "real_name": name, "profile": {} }))
            .collect();
        std::fs::write(chat.join("users.json"), json!(users).to_string()).unwrap();
        let (mut public, mut private) = (Vec::new(), Vec::new());
        for (channel, messages) in &self.messages {
            let name = channel.trim_start_matches('~');
            let members = if channel.starts_with('~') {
                vec!["UANA", "UCY"]
            } else {
                vec![]
            };
            let list = if channel.starts_with('~') {
                &mut private
            } else {
                &mut public
            };
            list.push(json!({ "id": format!("C{}", name.to_uppercase()), "name": name, "members": members }));
            std::fs::create_dir_all(chat.join(name)).unwrap();
            let mut days: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            for message in messages {
                let micros: i64 = message["ts"]
                    .as_str()
                    .unwrap()
                    .replace('.', "")
                    .parse()
                    .unwrap();
                if micros <= now {
                    let day = Timestamp::from_microsecond(micros)
                        .unwrap()
                        .strftime("%Y-%m-%d")
                        .to_string();
                    days.entry(day).or_default().push(message);
                }
            }
            for (day, messages) in days {
                std::fs::write(
                    chat.join(name).join(format!("{day}.json")),
                    json!(messages).to_string(),
                )
                .unwrap();
            }
        }
        std::fs::write(chat.join("channels.json"), json!(public).to_string()).unwrap();
        std::fs::write(chat.join("groups.json"), json!(private).to_string()).unwrap();
        let tickets: Vec<String> = self
            .tickets
            .iter()
            .filter(|ticket| at(ticket["created_at"].as_str().unwrap()).as_microsecond() <= now)
            .map(Value::to_string)
            .collect();
        std::fs::write(self.path("tickets.jsonl"), tickets.join("\n") + "\n").unwrap();
    }

    fn loaded(&self) -> Config {
        let path = self.path("daybrief.toml");
        std::fs::write(&path, &self.config).unwrap();
        Config::load(&path).unwrap()
    }

    fn start(&self) -> Daemon<Memory> {
        let config = self.loaded();
        let store = Store::open(&self.path("data")).unwrap();
        let now = self.clock.now();
        let roster = Roster::new(
            config.members(now).unwrap(),
            config.teams(now).unwrap(),
            Vec::new(),
            Vec::new(),
        );
        let sinks = roster
            .members
            .iter()
            .map(|member| (member.id.clone(), self.sink.clone()))
            .collect();
        let parts = Parts {
            connectors: config.connectors,
            base: config.base,
            http: Http::new(Default::default(), self.clock.clone()),
            index: Index::open(
                &self.path("index"),
                &store.log_uuid().unwrap(),
                Options::default(),
            )
            .unwrap(),
            store,
            roster,
            sinks,
            style: Style::default(),
            quiet_line: self.quiet_line,
            sync_every: SignedDuration::from_mins(30),
        };
        Daemon::new(parts, self.clock.clone(), CancellationToken::new())
    }

    /// Lets the daemon do what is due, again and again, until a moment.
    pub fn run_until(&mut self, end: &str) {
        let end = at(end);
        let mut daemon = self.daemon.take().unwrap_or_else(|| self.start());
        loop {
            self.write_sources();
            let next = self.runtime.block_on(daemon.step()).unwrap();
            assert!(
                next > self.clock.now(),
                "the daemon wants to be called again at once"
            );
            if next > end {
                break;
            }
            self.clock.move_to(next);
        }
        self.clock.move_to(end);
        self.daemon = Some(daemon);
    }

    /// A source says by itself that something happened; the daemon takes its next step at a moment.
    pub fn hint(&mut self, connector: &str, moment: &str) {
        self.clock.move_to(at(moment));
        self.write_sources();
        let mut daemon = self.daemon.take().expect("the world has run");
        daemon.hints().give(&connector.into(), None);
        self.runtime.block_on(daemon.step()).unwrap();
        self.daemon = Some(daemon);
    }

    /// The daemon dies as it stands; the next run starts a new one on the same folder.
    pub fn crash(&mut self) {
        self.daemon = None;
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path("data")).unwrap()
    }

    pub fn mood(&self, mood: Mood) {
        self.sink.0.lock().unwrap().mood = mood;
    }

    pub fn sent(&self) -> Vec<(String, Timestamp, Briefing)> {
        self.sink.0.lock().unwrap().sent.clone()
    }

    pub fn sent_to(&self, member: &str) -> Vec<Briefing> {
        self.sent()
            .into_iter()
            .map(|(.., briefing)| briefing)
            .filter(|briefing| briefing.member.as_str() == member)
            .collect()
    }

    /// Checks what must hold after every simulation.
    pub fn check(&mut self) {
        self.is_checked = true;
        let sent = self.sent();
        let keys: BTreeSet<&String> = sent.iter().map(|(key, ..)| key).collect();
        assert_eq!(keys.len(), sent.len(), "a briefing was sent twice");
        assert!(self.daemon.is_some(), "the world never ran");
        let store = self.store();
        let members = self.loaded().members(self.clock.now()).unwrap();
        let now = self.clock.now();
        store
            .read_now(|c| {
                let doubled: u64 = c.query_row(
                    "SELECT count(*) - count(DISTINCT connector || ' ' || id) FROM events",
                    [],
                    |row| row.get(0),
                )?;
                assert_eq!(doubled, 0, "an event is stored twice");
                for member in &members {
                    let readable = audiences::readable_by(c, Some(member))?;
                    for (_, _, briefing) in sent
                        .iter()
                        .filter(|(.., briefing)| briefing.member == member.id)
                    {
                        for item in &briefing.items {
                            assert!(!item.citations.is_empty(), "a line without a citation");
                            for citation in &item.citations {
                                let audience = events::present(c, &citation.event)?
                                    .expect("a citation of nothing")
                                    .audience;
                                assert!(
                                    readable.contains(&audience),
                                    "{} was shown {}",
                                    member.id,
                                    citation.event
                                );
                            }
                        }
                    }
                    let last = deliveries::latest(c, Some(&member.id), 1)?;
                    if let Some(last) = last
                        .first()
                        .filter(|last| last.date < schedule::work_date(member, now))
                    {
                        assert!(last.is_settled(), "{} is not settled", last.key());
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    pub fn state_of(&self, member: &str, date: &str) -> Option<&'static str> {
        let id = MemberId::new(member);
        let found = self
            .store()
            .read_now(|c| deliveries::delivery(c, &id, date.parse()?))
            .unwrap();
        found.map(|delivery| delivery.state.as_str())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.is_checked, "a test ends with world.check()");
        }
    }
}
