//! Briefings sent once, whatever is lost on the way.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::*;
use crate::brief::Style;
use crate::brief::deliver::{Delivering, Outcome, deliver};
use crate::clock::Clock;
use crate::config::Config;
use crate::connectors::slack::fake::{Fake, Fault, TOKEN};
use crate::http::{Http, Options};
use crate::model::Member;
use crate::roster::Roster;
use crate::sinks::Sink;
use crate::store::Store;

struct Here {
    fake: Fake,
    _dir: tempfile::TempDir,
    store: Store,
    roster: Roster,
    sinks: BTreeMap<String, Sink>,
}

const MORNING: &str = "2026-11-23T08:00:00Z";

impl Here {
    async fn new() -> Here {
        let fake = Fake::start().await;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let text = format!(
            "[delivery]\nsink = \"dm\"\n[sinks.dm]\ntype = \"slack\"\nconnector = \"office\"\n\
             [connectors.office]\ntype = \"slack\"\ntoken_file = \"token\"\napi_url = \"{}\"\n\
             [members.ana]\nday_start = \"08:00\"\nhandles = {{ office = \"UANA\" }}\n",
            fake.url
        );
        let path = dir.path().join("daybrief.toml");
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        let now = at(MORNING);
        let options = Options {
            is_paced: false,
            back_off: std::time::Duration::from_millis(1),
            ..Options::default()
        };
        let http = Http::new(options, Clock::simulated(now));
        let members = config.members(now).unwrap();
        let sinks = members.iter().map(|member| {
            (
                member.id.to_string(),
                Sink::of(&config, &http, member).unwrap(),
            )
        });
        Here {
            fake,
            _dir: dir,
            store: Store::in_memory().unwrap(),
            sinks: sinks.collect(),
            roster: Roster::new(members, Vec::new(), Vec::new(), Vec::new()),
        }
    }

    fn dm(&self) -> Dm {
        match &self.sinks["ana"] {
            Sink::Slack(dm) => dm.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Delivers ana's briefing of the morning, this many minutes later.
    async fn deliver(&self, minutes: i64) -> Outcome {
        let style = Style::default();
        let with = Delivering {
            store: &self.store,
            roster: &self.roster,
            style: &style,
            quiet_line: true,
            gaps: &[],
            llm: None,
            taps: &Default::default(),
        };
        let member: &Member = &self.roster.members[0];
        let now = at(MORNING) + SignedDuration::from_mins(minutes);
        deliver(&with, member, &self.sinks["ana"], now)
            .await
            .unwrap()
    }

    fn messages(&self) -> Vec<Value> {
        let workspace = self.fake.get();
        let channel = workspace.channels.get("DUANA");
        channel
            .map(|channel| channel.messages.values().cloned().collect())
            .unwrap_or_default()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn post(text: &str) -> Post {
    Post {
        text: text.into(),
        blocks: vec![json!({ "type": "rich_text", "elements": [] })],
    }
}

#[tokio::test]
async fn a_briefing_is_one_message_with_its_key_and_without_previews() {
    let here = Here::new().await;
    assert_eq!(here.deliver(0).await, Outcome::Sent);
    assert_eq!(here.deliver(1).await, Outcome::Sent);
    let messages = here.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0]["metadata"]["event_payload"]["key"],
        "ana-2026-11-23"
    );
    assert!(
        messages[0]["blocks"]
            .to_string()
            .contains("This is daybrief"),
        "the first one says what it is"
    );
    let call = here
        .fake
        .get()
        .calls
        .iter()
        .find(|(method, _)| method == "chat.postMessage")
        .cloned();
    let (_, parameters) = call.unwrap();
    assert_eq!(
        (
            parameters["unfurl_links"].as_str(),
            parameters["unfurl_media"].as_str()
        ),
        ("false", "false")
    );

    let found = here.dm().find("ana-2026-11-23").await.unwrap();
    assert_eq!(
        found,
        Some(format!("DUANA:{}", messages[0]["ts"].as_str().unwrap()))
    );
    assert_eq!(here.dm().find("ana-2026-11-24").await.unwrap(), None);
    assert_eq!(here.deliver(24 * 60).await, Outcome::Sent);
    let next = here.messages()[1]["blocks"].to_string();
    assert!(!next.contains("This is daybrief"), "it says so only once");
}

#[tokio::test]
async fn whatever_is_lost_on_the_way_there_is_exactly_one_message() {
    use Fault::{AnswerLost, Cut, Refusal, Status};
    let cases: &[&[(&'static str, Fault)]] = &[
        &[("chat.postMessage", AnswerLost)],
        &[("chat.postMessage", Status(500, ""))],
        &[("chat.postMessage", Cut)],
        &[("chat.postMessage", Status(429, "0.01"))],
        &[("chat.postMessage", Refusal("internal_error"))],
        &[("conversations.open", Status(503, "0"))],
        &[("conversations.open", Refusal("user_disabled"))],
    ];
    for faults in cases {
        let here = Here::new().await;
        for (method, fault) in *faults {
            here.fake.fail(method, *fault);
        }
        let mut outcome = here.deliver(0).await;
        let mut minutes = 0;
        while let Outcome::TryAgain(_) = outcome {
            minutes += 31;
            assert!(minutes < 300, "{faults:?}");
            outcome = here.deliver(minutes).await;
        }
        assert_eq!(outcome, Outcome::Sent, "{faults:?}");
        assert_eq!(here.messages().len(), 1, "{faults:?}");
    }
}

#[tokio::test]
async fn a_message_that_nobody_could_look_for_at_first_is_found_later() {
    let here = Here::new().await;
    here.fake.fail("chat.postMessage", Fault::AnswerLost);
    // The conversation is looked at once before the message; the look after it fails.
    here.fake
        .fail_after("conversations.history", 1, Fault::Refusal("internal_error"));
    assert!(matches!(here.deliver(0).await, Outcome::TryAgain(_)));
    assert_eq!(here.deliver(31).await, Outcome::Sent);
    assert_eq!(here.messages().len(), 1);
    assert_eq!(here.fake.calls_of("chat.postMessage"), 1);
}

#[tokio::test]
async fn what_is_too_long_goes_into_the_thread_once() {
    let here = Here::new().await;
    here.fake
        .fail_after("chat.postMessage", 1, Fault::AnswerLost);
    here.fake
        .fail_after("chat.postMessage", 2, Fault::Status(500, ""));
    let receipt = here
        .dm()
        .send("k", &[post("one"), post("two"), post("three")])
        .await
        .unwrap();
    let messages = here.messages();
    let texts: Vec<&str> = messages
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert!(receipt.ends_with(messages[0]["ts"].as_str().unwrap()));
    for message in &messages[1..] {
        assert_eq!(message["thread_ts"], messages[0]["ts"]);
    }
}

#[test]
fn a_sink_that_cannot_reach_a_member_is_named_when_the_config_is_read() {
    let base = "[delivery]\nsink = \"dm\"\n[sinks.dm]\ntype = \"slack\"\nconnector = \"office\"\n";
    let office = "[connectors.office]\ntype = \"slack\"\n";
    for (more, expected) in [
        (String::new(), "[sinks.dm]: there is no [connectors.office]"),
        (
            "[connectors.office]\ntype = \"mbox\"\n".into(),
            "must name a connector of type slack",
        ),
        (
            format!("{office}[members.ana]\n"),
            "members.ana has no handle at office",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daybrief.toml");
        std::fs::write(&path, format!("{base}{more}")).unwrap();
        let error = format!("{:#}", Config::load(Path::new(&path)).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
}
