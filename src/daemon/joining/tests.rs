//! Joiners and leavers of a running daemon, at a Slack with a memory: who is briefed, and whose buttons count.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use daybrief_index::{Index, Options as IndexOptions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::brief::Style;
use crate::clock::Clock;
use crate::config::Config;
use crate::connectors::ConnectorConfig;
use crate::connectors::slack::fake::{APP_TOKEN, Fake, TOKEN};
use crate::daemon::desk::{Accounts, Desk, Listener};
use crate::daemon::tickets::Tickets;
use crate::daemon::{Daemon, Parts};
use crate::http::{Http, Options};
use crate::model::suggestion::{Candidate, Ladder};
use crate::sinks::Sink;
use crate::store::suggestions::{self, Recorded};
use crate::store::{Store, steering, tickets};
use crate::triage::memory::Settings;
use crate::triage::post::board::Board;
use crate::triage::watch::{Modes, Watch};

/// A team that follows a private channel: Ana, the admin, and Bo are in it; Cy is not yet.
struct Team {
    fake: Fake,
    clock: Clock,
    store: Store,
    daemon: Daemon<Sink>,
    board: Board,
    desk: Desk<Board>,
    dir: tempfile::TempDir,
}

fn ts(at: &str) -> String {
    let at: Timestamp = at.parse().unwrap();
    format!("{}.000100", at.as_second())
}

impl Team {
    async fn new() -> Team {
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
            tickets: Tickets::new(watch, BTreeMap::new()).tapping("tracker"),
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
        let board = Board::default();
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
            store,
            daemon,
            board,
            dir,
        }
    }

    async fn run_until(&mut self, end: &str) {
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

    fn joins(&self, user: &str, is_in: bool) {
        let mut workspace = self.fake.get();
        let members = &mut workspace.channels.get_mut("G1").unwrap().members;
        members.retain(|member| member != user);
        members.extend(is_in.then(|| user.to_owned()));
    }

    /// Opens tickets that nobody owns and that Cy or Bo might take; Cy is known there by their mail address.
    fn tickets(&self, ids: &[&str]) {
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

    async fn presses(&self, user: &str, channel: &str, action: &str, id: &str) {
        let push = self.fake.press(user, channel, action, id);
        self.desk.take(push).await.unwrap();
    }

    fn messages(&self, channel: &str) -> Vec<Value> {
        let workspace = self.fake.get();
        let channel = workspace.channels.get(channel);
        let messages = channel.map(|channel| channel.messages.values().cloned().collect());
        messages.unwrap_or_default()
    }

    fn said_by(&self, member: &str) -> Vec<&'static str> {
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

    fn owner(&self, ticket: &str) -> Option<String> {
        let state = self.board.0.state.lock().unwrap();
        state.owners.get(ticket).map(|owner| owner.id.to_string())
    }
}

const ASK: &str = "could you send me the list of harbors before noon?";

#[tokio::test]
async fn a_joiner_of_the_running_daemon_is_briefed_and_every_button_of_theirs_is_obeyed() {
    let mut team = Team::new().await;
    team.run_until("2026-11-22T18:00:00Z").await;
    team.joins("UCY", true);
    team.tickets(&["HUT-7", "HUT-8"]);
    team.fake.post(
        "C1",
        &ts("2026-11-22T20:00:00Z"),
        "UBO",
        &format!("<@UCY> {ASK}"),
    );
    team.run_until("2026-11-23T09:30:00Z").await;
    let briefing = team.messages("DUCY");
    assert_eq!(briefing.len(), 1);
    let shown = briefing[0]["blocks"].to_string();
    for part in [
        ASK,
        "This is daybrief",
        "Take HUT-7",
        "Take HUT-8",
        "Assign bo to HUT-8",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for action in ["later", "done", "mute", "why"] {
        team.presses("UCY", "DUCY", action, action).await;
    }
    assert_eq!(team.said_by("cy"), ["later", "done", "mute"]);
    let answers = team.messages("DUCY").split_off(1);
    assert!(answers.len() == 1 && answers[0]["blocks"].to_string().contains(ASK));
    team.presses("UCY", "DUCY", "take", "t").await;
    let left = team.messages("DUCY")[0]["blocks"].to_string();
    let (taken, other) = match left.contains("Take HUT-7") {
        true => ("HUT-8", "HUT-7"),
        false => ("HUT-7", "HUT-8"),
    };
    assert_eq!(team.owner(taken).as_deref(), Some("cy@example.org"));
    team.presses("UCY", "DUCY", "give:bo", "g").await;
    assert_eq!(team.owner(other).as_deref(), Some("bo"));

    // What was said counts on the next morning.
    team.run_until("2026-11-24T09:30:00Z").await;
    let next = team.messages("DUCY").pop().unwrap()["blocks"].to_string();
    assert!(
        !next.contains("harbors") && !next.contains("This is daybrief"),
        "{next}"
    );
}

#[tokio::test]
async fn a_leaver_gets_no_further_briefing_and_their_taps_and_questions_are_refused() {
    let mut team = Team::new().await;
    team.fake.post(
        "C1",
        &ts("2026-11-22T20:00:00Z"),
        "UANA",
        &format!("<@UBO> {ASK}"),
    );
    team.tickets(&["HUT-7"]);
    team.run_until("2026-11-23T09:30:00Z").await;
    assert_eq!(team.messages("DUBO").len(), 1);
    team.presses("UBO", "DUBO", "later", "1").await;
    team.joins("UBO", false);
    team.run_until("2026-11-23T10:30:00Z").await;
    let updates = team.fake.calls_of("chat.update");
    for action in ["done", "mute", "why", "up", "take", "not_me"] {
        team.presses("UBO", "DUBO", action, action).await;
    }
    team.fake.post(
        "DUBO",
        &ts("2026-11-23T10:29:00Z"),
        "UBO",
        "Where is the new timetable?",
    );
    let push = crate::connectors::slack::push::Push::Addressed { user: "UBO".into() };
    team.desk.take(push).await.unwrap();
    assert_eq!(team.said_by("bo"), ["later"], "what they said as a member");
    assert_eq!(team.owner("HUT-7"), None);
    assert!(
        !team
            .store
            .read_now(|c| tickets::has_declined(c, "bo", "HUT-7"))
            .unwrap()
    );
    assert_eq!(team.fake.calls_of("chat.update"), updates);
    team.run_until("2026-11-25T09:30:00Z").await;
    let ours = |message: &&Value| message["bot_id"] == "BDAYBRIEF";
    assert_eq!(team.messages("DUBO").iter().filter(ours).count(), 1);
    let told = team.messages("DUANA")[1]["blocks"].to_string();
    assert!(told.contains("bo left"), "{told}");

    // Whoever comes back is a member again.
    team.joins("UBO", true);
    team.run_until("2026-11-25T11:00:00Z").await;
    team.presses("UBO", "DUBO", "done", "2").await;
    assert_eq!(team.said_by("bo"), ["later", "done"]);
}

#[tokio::test]
async fn a_joiner_keeps_their_id_and_their_conversation_whoever_of_the_same_name_comes_and_goes() {
    let mut team = Team::new().await;
    for (user, id) in [("cyb", "UB2"), ("cya", "UA1")] {
        let profile =
            json!({ "real_name": format!("Cyd {user}"), "email": format!("{user}@example.org") });
        team.fake
            .user(user, json!({ "id": id, "profile": profile }));
    }
    team.joins("UB2", true);
    team.run_until("2026-11-22T18:00:00Z").await;
    // The account of the second comes before that of the first.
    team.joins("UA1", true);
    team.fake.post(
        "C1",
        &ts("2026-11-22T20:00:00Z"),
        "UBO",
        &format!("<@UB2> {ASK}"),
    );
    team.run_until("2026-11-23T09:30:00Z").await;
    let texts = |team: &Team, channel: &str| -> Vec<bool> {
        let messages = team.messages(channel);
        messages
            .iter()
            .map(|message| message["blocks"].to_string().contains(ASK))
            .collect()
    };
    assert_eq!(texts(&team, "DUB2"), [true]);
    assert_eq!(texts(&team, "DUA1"), [false]);
    team.presses("UB2", "DUB2", "later", "1").await;
    assert_eq!(team.said_by("cyd"), ["later"]);
    // When the first goes, the second does not step into their place.
    team.joins("UB2", false);
    team.run_until("2026-11-24T09:30:00Z").await;
    assert_eq!(texts(&team, "DUB2"), [true]);
    assert_eq!(texts(&team, "DUA1"), [false, false]);
}
