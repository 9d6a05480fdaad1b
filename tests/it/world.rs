//! A small world: sources written by the test, a simulated clock, a sink that remembers, and everything else real.

mod held;
mod memory;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use daybrief::brief::{Style, steer};
use daybrief::clock::Clock;
use daybrief::config::Config;
use daybrief::config::LlmConfig;
use daybrief::daemon::joining::Following;
use daybrief::daemon::tickets::Tickets;
use daybrief::daemon::{Daemon, Parts};
use daybrief::http::{Http, Options as HttpOptions};
use daybrief::llm::fake::Fake;
use daybrief::llm::{Llm, stack_options};
use daybrief::model::{Briefing, MemberId, Verdict};
use daybrief::roster::Roster;
use daybrief::store::{Store, audiences, deliveries, events, people};
use daybrief::triage::watch::Watch;
use daybrief_index::{Index, Options};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::transport::Pages;
use held::{check_citations, check_mornings, replayed};
pub use memory::{Memory, Mood};

pub struct World {
    dir: tempfile::TempDir,
    config: String,
    messages: BTreeMap<String, Vec<Value>>,
    tickets: Vec<Value>,
    pub clock: Clock,
    pub sink: Memory,
    pub quiet_line: bool,
    /// What the network answers; files need none of it.
    pub pages: Pages,
    began: Timestamp,
    /// The server that the daemon asks for words, and its table.
    pub model: Option<(Fake, LlmConfig)>,
    daemon: Option<Daemon<Memory>>,
    /// The running daemon's own store.
    running: RefCell<Option<Store>>,
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
            pages: Pages::default(),
            began: at(now),
            model: None,
            daemon: None,
            running: RefCell::default(),
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

    /// Writes an answer within the thread of a message.
    pub fn reply(&mut self, root: &str, when: &str, who: &str, text: &str) -> String {
        let (channel, ts) = root.split_once(':').unwrap();
        let id = self.chat(channel, when, who, text);
        let messages = self.messages.get_mut(channel).unwrap();
        messages.last_mut().unwrap()["thread_ts"] = json!(ts);
        for message in messages.iter_mut().filter(|message| message["ts"] == ts) {
            message["thread_ts"] = json!(ts);
        }
        id
    }

    /// A member says something of a line of one of their briefings.
    pub fn say(&self, member: &str, date: &str, line: usize, verdict: Verdict) {
        let (id, now) = (MemberId::new(member), self.clock.now());
        let said = self
            .store()
            .write_now(|c| steer::say(c, &id, date.parse()?, line, verdict, now));
        assert!(said.unwrap().is_some(), "there is no line {line}");
    }

    pub fn ticket(&mut self, ticket: Value) {
        self.tickets.push(ticket);
    }

    /// Adds further TOML to the config.
    pub fn more(&mut self, toml: &str) {
        self.config += toml;
    }

    /// Sets a field of a ticket, as the source shows it from now on.
    pub fn change_ticket(&mut self, id: &str, field: &str, value: Value) {
        let ticket = self.tickets.iter_mut().find(|ticket| ticket["id"] == id);
        ticket.unwrap()[field] = value;
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
        let watch = Watch::in_config(&config.triage, &config.base).unwrap();
        let sink = self.sink.clone();
        let following = config.roster.from.is_some().then(|| Following {
            config: config.roster.clone(),
            configured: roster.members.clone(),
            sink_of: Box::new(move |_| Ok(sink.clone())),
        });
        self.running.replace(Some(store.clone()));
        let parts = Parts {
            connectors: config.connectors,
            base: config.base,
            http: Http::over(
                self.pages.clone(),
                HttpOptions {
                    is_paced: false,
                    attempts: 1,
                    ..HttpOptions::default()
                },
                self.clock.clone(),
            ),
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
            retention: config.retention,
            tickets: Tickets::new(watch, BTreeMap::new()),
            llm: self.llm(),
            following,
        };
        Daemon::new(parts, self.clock.clone(), CancellationToken::new())
    }

    pub fn llm(&self) -> Option<Llm> {
        let (fake, config) = self.model.as_ref()?;
        let http = fake.http(stack_options(config), self.clock.clone());
        Some(Llm::over(http, config, self.dir.path(), self.clock.clone()).unwrap())
    }

    /// Lets the daemon do what is due, again and again, until a moment.
    pub fn run_until(&mut self, end: &str) {
        let end = at(end);
        let mut daemon = self.daemon.take().unwrap_or_else(|| self.start());
        loop {
            self.write_sources();
            let next = self.runtime.block_on(daemon.step_or_wait()).unwrap();
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

    /// The disk of the running daemon's store is full, or has room again.
    pub fn fill_disk(&self, is_full: bool) {
        let store = self.running.borrow().clone().expect("the world has run");
        let filled = store.write_now(|c| {
            let pages: u64 = c.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let most = if is_full { pages } else { 1 << 30 };
            Ok(
                c.query_row(&format!("PRAGMA max_page_count = {most}"), [], |row| {
                    row.get::<_, u64>(0)
                })?,
            )
        });
        assert!(filled.unwrap() > 0);
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path("data")).unwrap()
    }

    /// Returns how many passages the index finds for a word, among what everybody may read.
    pub fn found(&self, word: &str) -> usize {
        let store = self.store();
        let index = Index::open_read_only(
            &self.path("index"),
            &store.log_uuid().unwrap(),
            Options::default(),
        );
        let readable = store.read_now(|c| audiences::readable_by(c, None)).unwrap();
        let parsed = daybrief_index::parse_at(
            &format!("\"{word}\""),
            &jiff::tz::TimeZone::UTC,
            self.clock.now(),
        );
        let page = index.unwrap().search(&parsed.query(readable, 10)).unwrap();
        page.items.len()
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
        self.pages.check();
        assert!(self.daemon.is_some(), "the world never ran");
        let sent = self.sent();
        let keys: BTreeSet<&String> = sent.iter().map(|(key, ..)| key).collect();
        assert_eq!(keys.len(), sent.len(), "a briefing was sent twice");
        let config = self.loaded();
        let now = self.clock.now();
        let members = config.members(now).unwrap();
        let roster = Roster::new(
            members.clone(),
            config.teams(now).unwrap(),
            Vec::new(),
            Vec::new(),
        );
        self.store()
            .read_now(|c| {
                let doubled: u64 = c.query_row(
                    "SELECT count(*) - count(DISTINCT connector || ' ' || id) FROM events",
                    [],
                    |row| row.get(0),
                )?;
                assert_eq!(doubled, 0, "an event is stored twice");
                let people = people::people(c, None)?;
                let members = config.roster.followed(c, members.clone(), &people)?;
                for member in &members {
                    check_citations(c, member, &self.sent_to(member.id.as_str()));
                    if member.is_briefed {
                        check_mornings(c, member, self.began, now);
                    }
                }
                let roster = roster.renewed(people::people(c, None)?, people::spaces(c)?);
                let again = || replayed(c, &roster, self.began, now);
                assert_eq!(again(), again(), "the same log gave other bytes");
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
        if std::thread::panicking() {
            return;
        }
        // What happened after the last check, or without one, must hold as well.
        if self.daemon.is_some() {
            self.check();
        }
        self.pages.check();
        assert!(self.is_checked, "a test ends with world.check()");
    }
}

/// Returns a world that has run for a moment and reads a Slack workspace besides its files.
fn live(pages: &[(&str, Value)]) -> World {
    let mut world = World::new("2026-11-19T10:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.config += "[connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\napi_url = \"https://slack.test/api/\"\n";
    std::fs::write(world.path("token"), "xoxb-of-a-test").unwrap();
    for (of, body) in pages {
        world.pages.add(of, 200, body.clone());
    }
    world.run_until("2026-11-19T10:00:01Z");
    world
}

/// What a workspace with one channel and one message is asked for.
fn workspace() -> Vec<(&'static str, Value)> {
    let message = json!({ "type": "message", "user": "UANA", "text": "the harbor list is done", "ts": "1795078800.000100" });
    vec![
        (
            "auth.test",
            json!({ "ok": true, "url": "https://team.slack.test/", "team_id": "T1", "user_id": "UBOT", "bot_id": "B1" }),
        ),
        (
            "users.list",
            json!({ "ok": true, "members": [{ "id": "UANA", "name": "ana", "profile": {} }] }),
        ),
        (
            "users.conversations",
            json!({ "ok": true, "channels": [{ "id": "C1", "name": "harbor", "is_channel": true, "is_member": true }] }),
        ),
        (
            "conversations.members",
            json!({ "ok": true, "members": ["UANA", "UBOT"] }),
        ),
        (
            "conversations.history",
            json!({ "ok": true, "messages": [message], "has_more": false }),
        ),
    ]
}

#[test]
fn a_live_source_is_read_from_recorded_pages() {
    let mut world = live(&workspace());
    let message = daybrief::model::EventId::new(&"office".into(), "C1:1795078800.000100");
    let stored = world.store().read_now(|c| events::present(c, &message));
    assert_eq!(stored.unwrap().unwrap().text, "the harbor list is done");
    world.check();
}

#[test]
#[should_panic(expected = "nobody asked for [\"chat.postMessage\"]")]
fn a_page_that_nobody_asks_for_fails_the_world() {
    let mut pages = workspace();
    pages.push(("chat.postMessage", json!({ "ok": true })));
    drop(live(&pages));
}

#[test]
#[should_panic(expected = "unexpected requests")]
fn a_request_without_a_page_fails_the_world() {
    drop(live(&workspace()[..1]));
}

#[test]
#[should_panic(expected = "ana-2026-11-20 is not settled")]
fn a_delivery_that_is_left_open_fails_the_world() {
    let mut world = World::new("2026-11-20T07:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.run_until("2026-11-20T12:00:00Z");
    let sql = "UPDATE deliveries SET state = 'sending', next_try_at = NULL";
    let open = world.store().write_now(|c| Ok(c.execute(sql, [])?));
    open.unwrap();
}
