//! A team and its running daemon at a Slack with a memory, for the tests of what the daemon does over days.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daybrief_index::{Index, Options as IndexOptions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::desk::{Accounts, Desk, Listener};
use super::joining::Following;
use super::tickets::Tickets;
use super::{Daemon, Parts};
use crate::brief::Style;
use crate::clock::Clock;
use crate::config::Config;
use crate::connectors::ConnectorConfig;
use crate::connectors::slack::fake::{APP_TOKEN, Fake, TOKEN};
use crate::http::{Http, Options};
use crate::model::suggestion::{Candidate, Ladder};
use crate::model::{ConnectorId, Member, MemberId};
use crate::roster::Roster;
use crate::sinks::Sink;
use crate::store::suggestions::{self, Recorded};
use crate::store::{Store, steering};
use crate::triage::memory::Settings;
use crate::triage::post::board::Board;
use crate::triage::watch::{Modes, Watch};

/// A team that follows a private channel: Ana, the admin, and Bo are in it; Cy is not yet.
pub(super) struct Team {
    pub(super) fake: Fake,
    pub(super) clock: Clock,
    /// Whether a socket is open.
    pub(super) is_open: Arc<AtomicBool>,
    pub(super) store: Store,
    pub(super) daemon: Daemon<Sink>,
    pub(super) board: Board,
    pub(super) desk: Desk<Board>,
    dir: tempfile::TempDir,
}

pub(super) fn ts(at: &str) -> String {
    let at: Timestamp = at.parse().unwrap();
    format!("{}.000100", at.as_second())
}

impl Team {
    pub(super) async fn new() -> Team {
        let fake = Fake::start().await;
        fake.channel("C1", "general");
        fake.channel("G1", "crew");
        {
            let mut workspace = fake.get();
            workspace.page_size = 100;
            workspace.channels.get_mut("G1").unwrap().is_private = true;
        }
        fake.post(
            "C1",
            &ts("2026-11-20T10:00:00Z"),
            "UANA",
            "The new timetable is on staging.",
        );
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        std::fs::write(dir.path().join("app"), APP_TOKEN).unwrap();
        std::fs::write(dir.path().join("tickets.jsonl"), "").unwrap();
        let text = format!(
            "[delivery]\nsink = \"dm\"\n[sinks.dm]\ntype = \"slack\"\nconnector = \"office\"\n\
             [roster]\nfrom = \"office\"\nspace = \"#crew\"\nadmin = \"ana\"\n\
             [connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\napp_token_file = \"app\"\nprivate_channels = true\napi_url = \"{}\"\n\
             [connectors.tracker]\ntype = \"tickets\"\npath = \"tickets.jsonl\"\nurl = \"https://tracker.example/{{id}}\"\n\
             [members.ana]\nday_start = \"08:00\"\nhandles = {{ office = \"UANA\", tracker = \"ana\" }}\n\
             [members.bo]\nday_start = \"08:00\"\nhandles = {{ office = \"UBO\", tracker = \"bo\" }}\n",
            fake.url
        );
        std::fs::write(dir.path().join("daybrief.toml"), text).unwrap();
        let config = Config::load(&dir.path().join("daybrief.toml")).unwrap();
        let clock = Clock::simulated("2026-11-22T12:00:00Z".parse().unwrap());
        let options = Options {
            is_paced: false,
            ..Options::default()
        };
        let http = Http::new(options, clock.clone());
        let (store, office) = (Store::in_memory().unwrap(), ConnectorId::new("office"));
        let members = config.members(clock.now()).unwrap();
        let sink_of = {
            let (config, http) = (config.clone(), http.clone());
            move |member: &Member| Sink::of(&config, &http, member)
        };
        let sinks = members
            .iter()
            .map(|member| (member.id.clone(), sink_of(member).unwrap()));
        let ConnectorConfig::Slack(slack) = &config.connectors[&office] else {
            panic!("it is of type slack");
        };
        let listener = Listener {
            connector: office.clone(),
            client: slack.client(&office, &config.base, &http).unwrap(),
            accounts: Accounts::default(),
            trackers: BTreeMap::new(),
            is_open: Default::default(),
        };
        listener.is_open.store(true, Ordering::SeqCst);
        let is_open = listener.is_open.clone();
        let board = Board::default();
        // What is suggested is written by the tests.
        let modes = Modes {
            everywhere: Ladder::Off,
            ..Modes::default()
        };
        let watch = Watch::new(Settings::default(), modes);
        let uuid = store.log_uuid().unwrap();
        let mut parts = Parts {
            base: config.base.clone(),
            http,
            index: Index::open(&dir.path().join("index"), &uuid, IndexOptions::default()).unwrap(),
            store: store.clone(),
            sinks: sinks.collect(),
            style: Style::default(),
            quiet_line: true,
            sync_every: SignedDuration::from_mins(30),
            retention: config.retention.clone(),
            tickets: Tickets::new(watch, BTreeMap::new()).with_board("tracker", board.clone()),
            llm: None,
            following: Some(Following {
                config: config.roster.clone(),
                configured: members.clone(),
                sink_of: Box::new(sink_of),
            }),
            roster: Roster::new(members, Vec::new(), Vec::new(), Vec::new()),
            connectors: config.connectors,
        };
        let accounts = listener.accounts.clone();
        parts.seat(&[listener]);
        let daemon = Daemon::new(parts, clock.clone(), CancellationToken::new());
        let trackers = [(ConnectorId::new("tracker"), board.clone())].into();
        let everybody = daemon.answering().roster.clone();
        let (hints, answering) = (daemon.hints(), daemon.answering());
        let desk = Desk::new(
            store.clone(),
            clock.clone(),
            hints,
            office,
            accounts,
            (everybody, trackers),
        );
        Team {
            desk: desk.with_answers(answering),
            fake,
            clock,
            is_open,
            store,
            daemon,
            board,
            dir,
        }
    }

    pub(super) async fn run_until(&mut self, end: &str) {
        let end: Timestamp = end.parse().unwrap();
        loop {
            let next = self.daemon.step().await.unwrap();
            if next > end {
                break;
            }
            self.clock.move_to(next);
        }
        self.clock.move_to(end);
    }

    pub(super) fn joins(&self, user: &str, is_in: bool) {
        let mut workspace = self.fake.get();
        let members = &mut workspace.channels.get_mut("G1").unwrap().members;
        members.retain(|member| member != user);
        members.extend(is_in.then(|| user.to_owned()));
    }

    /// Opens tickets that nobody owns and that Cy or Bo might take; Cy is known there by their mail address.
    pub(super) fn tickets(&self, ids: &[&str]) {
        let row = |id: &&str| {
            json!({ "id": id, "project": "HUT", "type": "bug", "title": format!("The ferry page stays blank, {id}"), "body": "",
                "created_at": "2026-11-22T21:00:00Z", "reporter": "cy@example.org", "status": "open" })
        };
        let rows: Vec<String> = ids
            .iter()
            .map(row)
            .map(|row| row.to_string() + "\n")
            .collect();
        std::fs::write(self.dir.path().join("tickets.jsonl"), rows.concat()).unwrap();
        for id in ids {
            let candidate = |member: &str, probability| Candidate {
                member: member.into(),
                probability,
                evidence: Vec::new(),
                although: None,
            };
            let said = Recorded {
                id: 0,
                connector: "tracker".into(),
                ticket: (*id).into(),
                state: "s".into(),
                mode: Ladder::Briefing,
                made_at: "2026-11-22T22:00:00Z".parse().unwrap(),
                area: None,
                duty: None,
                threshold: 0.5,
                is_abstained: false,
                first_account: Some("cy@example.org".into()),
                candidates: vec![candidate("cy", 0.6), candidate("bo", 0.3)],
                excluded: BTreeMap::new(),
                repeats: Vec::new(),
                outcome: None,
            };
            self.store
                .write_now(|c| suggestions::put(c, &said))
                .unwrap();
        }
    }

    pub(super) async fn presses(&self, user: &str, channel: &str, action: &str, id: &str) {
        let push = self.fake.press(user, channel, action, id);
        self.desk.take(push).await.unwrap();
    }

    pub(super) fn messages(&self, channel: &str) -> Vec<Value> {
        let workspace = self.fake.get();
        let channel = workspace.channels.get(channel);
        let messages = channel.map(|channel| channel.messages.values().cloned().collect());
        messages.unwrap_or_default()
    }

    pub(super) fn said_by(&self, member: &str) -> Vec<&'static str> {
        let id = MemberId::new(member);
        let given = self
            .store
            .read_now(|c| steering::given_by(c, &id, Timestamp::MAX));
        given
            .unwrap()
            .iter()
            .map(|given| given.verdict.as_str())
            .collect()
    }

    pub(super) fn owner(&self, ticket: &str) -> Option<String> {
        let state = self.board.0.state.lock().unwrap();
        state.owners.get(ticket).map(|owner| owner.id.to_string())
    }
}

pub(super) const ASK: &str = "could you send me the list of harbors before noon?";
