//! Buttons, reactions and words, against a Slack with a memory.

mod crash;
mod hostile;
mod press;
mod questions;

use daybrief_index::Index;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::brief::Style;
use crate::brief::deliver::{Delivering, Outcome, deliver};
use crate::brief::hear::hear;
use crate::config::Config;
use crate::connectors::ConnectorConfig;
use crate::connectors::slack::SlackSource;
use crate::connectors::slack::fake::{APP_TOKEN, Fake, TOKEN};
use crate::http::{Http, Options};
use crate::ingest;
use crate::model::{Briefing, MemberId};
use crate::roster::Roster;
use crate::store::deliveries;

const ASK: &str = "could you send me the list of harbors before noon?";

/// A workspace in which Bo asks Ana something in the night to Monday, and both are briefed.
struct Here {
    fake: Fake,
    dir: tempfile::TempDir,
    store: Store,
    clock: Clock,
    roster: Roster,
    sinks: BTreeMap<String, Sink>,
    desk: Desk,
    hints: Hints,
    source: SlackSource,
    taps: BTreeSet<ConnectorId>,
}

fn ts(at: &str) -> String {
    let at: Timestamp = at.parse().unwrap();
    format!("{}.000100", at.as_second())
}

impl Here {
    async fn new(has_app_token: bool) -> Here {
        let fake = Fake::start().await;
        fake.channel("C1", "general");
        fake.post(
            "C1",
            &ts("2026-11-20T10:00:00Z"),
            "UANA",
            "The new timetable is on staging.",
        );
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        std::fs::write(dir.path().join("app"), APP_TOKEN).unwrap();
        let app = if has_app_token {
            "app_token_file = \"app\"\n"
        } else {
            ""
        };
        let text = format!(
            "[delivery]\nsink = \"dm\"\n[sinks.dm]\ntype = \"slack\"\nconnector = \"office\"\n\
             [connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\nprivate_channels = true\n{app}api_url = \"{}\"\n\
             [connectors.tracker]\ntype = \"tickets\"\npath = \"tickets.jsonl\"\nurl = \"https://tracker.example/{{id}}\"\n\
             [members.ana]\nday_start = \"08:00\"\nhandles = {{ office = [\"UANA\", \"UANA2\"], tracker = \"ana\" }}\n\
             [members.bo]\nday_start = \"08:00\"\nhandles = {{ office = \"UBO\", tracker = \"bo\" }}\n",
            fake.url
        );
        let path = dir.path().join("daybrief.toml");
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        let clock = Clock::simulated("2026-11-22T12:00:00Z".parse().unwrap());
        let options = Options {
            is_paced: false,
            ..Options::default()
        };
        let http = Http::new(options, clock.clone());
        let members = config.members(clock.now()).unwrap();
        let sinks: BTreeMap<String, Sink> = members
            .iter()
            .map(|member| {
                (
                    member.id.to_string(),
                    Sink::of(&config, &http, member).unwrap(),
                )
            })
            .collect();
        let (store, hints) = (Store::in_memory().unwrap(), Hints::default());
        let (office, accounts) = (ConnectorId::new("office"), Accounts::default());
        for member in &members {
            match &sinks[member.id.as_str()] {
                Sink::Slack(dm) => accounts.seat(&office, member, dm),
                other => panic!("{other:?}"),
            }
        }
        let roster = Roster::new(members, Vec::new(), Vec::new(), Vec::new());
        let desk = Desk::new(
            store.clone(),
            clock.clone(),
            hints.clone(),
            office.clone(),
            accounts,
            (watch::channel(Arc::new(roster.clone())).1, BTreeMap::new()),
        );
        let ConnectorConfig::Slack(slack) = &config.connectors[&office] else {
            panic!("it is of type slack");
        };
        let source = slack.open(&office, &config.base, &http).unwrap();
        let mut here = Here {
            fake,
            dir,
            store,
            clock,
            roster,
            sinks,
            desk,
            hints,
            source,
            taps: BTreeSet::new(),
        };
        here.sync().await;
        here.fake.post(
            "C1",
            &ts("2026-11-22T20:00:00Z"),
            "UBO",
            &format!("<@UANA> {ASK}"),
        );
        here
    }

    async fn sync(&mut self) {
        let clock = self.clock.clone();
        let now = move || clock.now();
        ingest::sync(
            &self.store,
            &"office".into(),
            &mut self.source,
            &self.roster,
            now,
            |_, _| {},
        )
        .await
        .unwrap();
    }

    /// Lets a morning come and delivers a member's briefing of it.
    async fn morning(&mut self, member: &str, date: &str) -> Outcome {
        self.clock
            .move_to(format!("{date}T08:00:00Z").parse().unwrap());
        self.sync().await;
        let style = Style::default();
        let with = Delivering {
            store: &self.store,
            roster: &self.roster,
            style: &style,
            quiet_line: true,
            gaps: &[],
            llm: None,
            taps: &self.taps,
        };
        let member = self.roster.member(&MemberId::new(member)).unwrap();
        let now = self.clock.now() + SignedDuration::from_secs(1);
        deliver(&with, member, &self.sinks[member.id.as_str()], now)
            .await
            .unwrap()
    }

    /// Returns what stands in the app's conversation with somebody, oldest first.
    fn messages(&self, channel: &str) -> Vec<Value> {
        let workspace = self.fake.get();
        let channel = workspace.channels.get(channel);
        channel
            .map(|channel| channel.messages.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Returns the labels of the buttons below the first line, those that are on with a star.
    fn labels(&self) -> Vec<String> {
        let message = self.messages("DUANA")[0].clone();
        let blocks = message["blocks"].as_array().unwrap().clone();
        let row = blocks
            .iter()
            .find(|block| block["type"] == "actions")
            .unwrap();
        let label = |button: &Value| {
            let star = if button["style"] == "primary" {
                "*"
            } else {
                ""
            };
            format!("{star}{}", button["text"]["text"].as_str().unwrap())
        };
        row["elements"]
            .as_array()
            .unwrap()
            .iter()
            .map(label)
            .collect()
    }

    fn said(&self) -> Vec<String> {
        let id = MemberId::new("ana");
        let given = self
            .store
            .read_now(|c| steering::given_by(c, &id, Timestamp::MAX))
            .unwrap();
        given
            .iter()
            .map(|given| format!("{} {}", given.verdict.as_str(), given.line))
            .collect()
    }

    fn briefing(&self, member: &str, date: &str) -> Briefing {
        let id = MemberId::new(member);
        let delivery = self
            .store
            .read_now(|c| deliveries::delivery(c, &id, date.parse()?))
            .unwrap();
        crate::brief::deliver::body_of(&delivery.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_button_is_kept_shown_and_obeyed_the_next_morning() {
    let mut here = Here::new(true).await;
    assert_eq!(here.morning("ana", "2026-11-23").await, Outcome::Sent);
    assert_eq!(here.labels(), ["Done", "Later", "Mute", "Why?", "👍", "👎"]);
    let before = here.messages("DUANA")[0].clone();
    for (action, expected) in [
        ("later", ["Done", "*✓ Later", "Mute", "Why?", "👍", "👎"]),
        ("done", ["*✓ Done", "Later", "Mute", "Why?", "👍", "👎"]),
        ("up", ["*✓ Done", "Later", "Mute", "Why?", "*✓ 👍", "👎"]),
        ("down", ["*✓ Done", "Later", "Mute", "Why?", "👍", "*✓ 👎"]),
        (
            "mute",
            ["*✓ Done", "Later", "Unmute", "Why?", "👍", "*✓ 👎"],
        ),
        (
            "unmute",
            ["*✓ Done", "Later", "Mute", "Why?", "👍", "*✓ 👎"],
        ),
        ("down", ["*✓ Done", "Later", "Mute", "Why?", "👍", "👎"]),
    ] {
        let click = here.fake.press("UANA", "DUANA", action, action);
        here.desk.take(click).await.unwrap();
        assert_eq!(here.labels(), expected, "{action}");
    }
    assert_eq!(here.said(), ["later 1", "done 1", "mute 1", "unmute 1"]);
    let after = here.messages("DUANA");
    assert_eq!(after.len(), 1, "it was edited, not sent again");
    assert_eq!(
        (&after[0]["metadata"], &after[0]["text"]),
        (&before["metadata"], &before["text"])
    );

    assert!(
        here.briefing("ana", "2026-11-23").items[0]
            .headline
            .contains("asks you")
    );
    here.morning("ana", "2026-11-24").await;
    assert!(
        here.briefing("ana", "2026-11-24").items.is_empty(),
        "what is done is not carried on"
    );
}

#[tokio::test]
async fn a_click_on_an_old_picture_of_a_message_takes_no_mark_back() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    let (done, up) = (
        here.fake.press("UANA", "DUANA", "done", "1"),
        here.fake.press("UANA", "DUANA", "up", "2"),
    );
    here.desk.take(done).await.unwrap();
    here.desk.take(up).await.unwrap();
    assert_eq!(
        here.labels(),
        ["*✓ Done", "Later", "Mute", "Why?", "*✓ 👍", "👎"]
    );
}

#[tokio::test]
async fn somebody_elses_click_changes_nothing() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    for user in ["UBO", "UMALLORY", ""] {
        for action in ["done", "mute", "up", "why"] {
            let click = here.fake.press(user, "DUANA", action, action);
            here.desk.take(click).await.unwrap();
        }
    }
    assert_eq!(here.said(), [] as [&str; 0]);
    assert_eq!(here.fake.calls_of("chat.update"), 0);
    assert_eq!(here.messages("DUANA").len(), 1, "and nothing is told");
    let bo = MemberId::new("bo");
    let given = here
        .store
        .read_now(|c| steering::given_by(c, &bo, Timestamp::MAX))
        .unwrap();
    assert!(given.is_empty());
}

#[tokio::test]
async fn every_account_of_a_member_may_press_their_buttons_and_nobody_elses() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    here.morning("bo", "2026-11-23").await;
    let click = here.fake.press("UANA2", "DUANA", "done", "1.0");
    here.desk.take(click).await.unwrap();
    assert_eq!(here.said(), ["done 1"]);
    let given_by_bo = |here: &Here| {
        let bo = MemberId::new("bo");
        let given = here
            .store
            .read_now(|c| steering::given_by(c, &bo, Timestamp::MAX));
        given.unwrap().len()
    };
    let theirs = json!({ "type": "block_actions", "user": { "id": "UANA2" }, "container": { "channel_id": "DUBO" },
        "message": {}, "actions": [{ "type": "button", "action_id": "mute", "block_id": "line-1",
            "value": "bo-2026-11-23", "action_ts": "2.0" }] });
    for push in crate::connectors::slack::push::pushes_of("interactive", &theirs) {
        here.desk.take(push).await.unwrap();
    }
    assert_eq!((here.said().len(), given_by_bo(&here)), (1, 0));

    // A word counts in the conversation with either of them.
    let is_stopped = async || {
        let user = "UANA2".into();
        here.desk.take(Push::Addressed { user }).await.unwrap();
        let ana = MemberId::new("ana");
        let listening = here.store.read_now(|c| steering::listening(c, &ana));
        listening.unwrap().0
    };
    assert!(!is_stopped().await);
    let at = ts("2026-11-23T07:00:00Z");
    here.fake.post("DUANA2", &at, "UANA2", "stop");
    assert!(is_stopped().await);
}

#[tokio::test]
async fn why_is_answered_once_in_the_thread_with_what_may_still_be_read() {
    let mut here = Here::new(true).await;
    here.morning("ana", "2026-11-23").await;
    for _ in 0..2 {
        let click = here.fake.press("UANA", "DUANA", "why", "77.1");
        here.desk.take(click).await.unwrap();
    }
    let messages = here.messages("DUANA");
    assert_eq!(
        messages.len(),
        2,
        "a press that is told twice is answered once"
    );
    assert_eq!(messages[1]["thread_ts"], messages[0]["ts"]);
    let answer = messages[1]["blocks"].to_string();
    for part in ["asks you", ASK, "archives/C1/p"] {
        assert!(answer.contains(part), "{answer}");
    }
    here.fake.delete("C1", &ts("2026-11-22T20:00:00Z"));
    here.clock.move_to("2026-11-23T09:00:00Z".parse().unwrap());
    here.sync().await;
    let click = here.fake.press("UANA", "DUANA", "why", "77.2");
    here.desk.take(click).await.unwrap();
    let answer = here.messages("DUANA")[2]["blocks"].to_string();
    assert!(
        !answer.contains("harbors") && answer.contains("Nothing"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_button_that_nobody_hears_is_not_shown() {
    let mut here = Here::new(false).await;
    here.morning("ana", "2026-11-23").await;
    let blocks = here.messages("DUANA")[0]["blocks"].clone();
    assert!(
        blocks.to_string().contains(ASK) && !blocks.to_string().contains("\"actions\""),
        "{blocks}"
    );
}

#[tokio::test]
async fn thumbs_on_our_message_are_votes_and_can_be_taken_back() {
    let mut here = Here::new(false).await;
    here.morning("ana", "2026-11-23").await;
    let mut message = here.messages("DUANA")[0].clone();
    let mut react = async |reactions: Value| {
        message["reactions"] = reactions;
        here.fake.put("DUANA", message.clone());
        here.desk
            .take(Push::Addressed {
                user: "UANA".into(),
            })
            .await
            .unwrap();
        here.said()
    };
    let thumb = |name: &str, user: &str| json!([{ "name": name, "users": [user], "count": 1 }]);
    assert_eq!(
        react(thumb("+1::skin-tone-3", "UBO")).await,
        [] as [&str; 0],
        "another's"
    );
    assert_eq!(react(thumb("+1::skin-tone-3", "UANA")).await, ["up 0"]);
    assert_eq!(
        react(thumb("thumbsup", "UANA")).await,
        ["up 0"],
        "it stands once"
    );
    assert_eq!(react(thumb("-1", "UANA")).await, ["down 0"]);
    assert_eq!(react(json!([])).await, [] as [&str; 0]);
}

#[tokio::test]
async fn stop_and_start_switch_briefings_off_and_on_and_are_answered_once() {
    let here = Here::new(false).await;
    let (member, sink) = (here.roster.members[0].clone(), here.sinks["ana"].clone());
    let wants = async || {
        hear(&here.store, &member, &sink, here.clock.now())
            .await
            .unwrap()
    };
    assert!(wants().await);
    let write = |at: &str, text: &str| here.fake.post("DUANA", &ts(at), "UANA", text);
    write("2026-11-22T11:00:00Z", "Please don't stop!");
    assert!(wants().await);
    write("2026-11-22T11:10:00Z", "Stop.");
    assert!(!wants().await);
    assert!(!wants().await, "it stays so");
    let ours = |here: &Here| {
        here.messages("DUANA")
            .iter()
            .filter(|message| message["bot_id"] == "BDAYBRIEF")
            .count()
    };
    assert_eq!(ours(&here), 1);
    write("2026-11-22T11:20:00Z", "start");
    assert!(wants().await);
    assert!(wants().await);
    assert_eq!(ours(&here), 2);
    here.fake.fail(
        "conversations.history",
        crate::connectors::slack::fake::Fault::Refusal("internal_error"),
    );
    assert!(
        wants().await,
        "who cannot be asked is believed to want what they wanted"
    );
}

#[tokio::test]
async fn what_happened_is_a_hint() {
    let here = Here::new(true).await;
    here.desk
        .take(Push::Happened(Some("C1:5.0".into())))
        .await
        .unwrap();
    let taken = here.hints.take();
    let objects: Vec<&String> = taken[&ConnectorId::new("office")].iter().collect();
    assert_eq!(objects, ["C1:5.0"]);
}
