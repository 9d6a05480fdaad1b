//! A workspace read through the whole stack and stored, against a Slack that pages, fails, edits and deletes.

use serde_json::json;

use super::fake::{Fake, Fault, TOKEN};
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{Options, Recorded};
use crate::ingest::{self, Synced};
use crate::roster::Roster;
use crate::spec_check::{Spec, check_if_shared};
use crate::store::{Store, audiences, people};

mod odd;
mod rights;

/// A daybrief that reads the fake.
struct Here {
    fake: Fake,
    dir: tempfile::TempDir,
    store: Store,
    clock: Clock,
    http: Http,
    sent: Recorded,
    more: String,
    source: Option<SlackSource>,
}

const NOW: &str = "2026-11-23T08:00:00Z";

/// Returns the id of a message this many minutes before `NOW`.
fn ago(minutes: i64) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    format!("{}.000100", now.as_second() - 60 * minutes)
}

impl Here {
    async fn new() -> Here {
        let clock = Clock::simulated(NOW.parse().unwrap());
        let options = Options {
            is_paced: false,
            back_off: Duration::from_millis(2),
            ..Options::default()
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let fake = Fake::start().await;
        fake.channel("C1", "general");
        let (http, sent) = Recorded::http(options, clock.clone());
        Here {
            fake,
            dir,
            store: Store::in_memory().unwrap(),
            http,
            sent,
            clock,
            more: String::new(),
            source: None,
        }
    }

    fn config(&self) -> SlackConfig {
        let url = &self.fake.url;
        toml::from_str(&format!(
            "token_file = \"token\"\napi_url = \"{url}\"\n{}",
            self.more
        ))
        .unwrap()
    }

    fn open(&self) -> SlackSource {
        self.config()
            .open(&"office".into(), self.dir.path(), &self.http)
            .unwrap()
    }

    /// Reads to the end, this many minutes later.
    async fn sync(&mut self, minutes: i64) -> Result<Synced> {
        let now = self.clock.now();
        self.clock.move_to(now + SignedDuration::from_mins(minutes));
        let mut source = self.source.take().unwrap_or_else(|| self.open());
        let clock = self.clock.clone();
        let synced = ingest::sync(
            &self.store,
            &"office".into(),
            &mut source,
            &Roster::default(),
            move || clock.now(),
            |_, _| {},
        )
        .await;
        self.source = Some(source);
        synced
    }

    /// Returns the log as `kind id text`, in its order.
    fn log(&self) -> Vec<String> {
        self.query(
            "SELECT kind || ' ' || id || ' ' || iif(removed, '-', text) FROM events ORDER BY seq",
        )
        .iter()
        .map(|line| self.relative(line))
        .collect()
    }

    /// Returns the messages that stand, sorted, as `id text`.
    fn standing(&self) -> Vec<String> {
        let sql = "SELECT id || ' ' || text FROM events WHERE kind = 'posted' AND NOT removed ORDER BY id";
        self.query(sql)
            .iter()
            .map(|line| self.relative(line))
            .collect()
    }

    fn query(&self, sql: &str) -> Vec<String> {
        self.store
            .read_now(|c| {
                let mut statement = c.prepare(sql)?;
                let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .unwrap()
    }

    /// Writes `C1:1795420740.000100` as `C1:-1`, in minutes.
    fn relative(&self, line: &str) -> String {
        let now: Timestamp = NOW.parse().unwrap();
        let mut line = line.to_owned();
        while let Some(at) = line.find(".000100") {
            let start = at - 10;
            let secs: i64 = line[start..at].parse().unwrap();
            let minutes = (secs - now.as_second()) / 60;
            line.replace_range(start..at + 7, &minutes.to_string());
        }
        line
    }

    /// Returns who may read the thread of a message: `-` for a search without a name.
    fn readers(&self, thread: &str) -> String {
        let config = "[connectors.office]\ntype = \"slack\"\n[members.ana]\nhandles = { office = \"UANA\" }\n\
             [members.cy]\nhandles = { office = \"UCY\" }\n[members.gil]\nhandles = { office = \"UGIL\" }\n";
        let config = Config::parse(config, Path::new("x")).unwrap();
        let members = config.members(self.clock.now()).unwrap();
        let thread = thread.to_owned();
        self.store
            .read_now(|c| {
                let audience: u64 = c.query_row(
                    "SELECT audience FROM threads WHERE id = ?1",
                    [&thread],
                    |row| row.get(0),
                )?;
                let mut readers = Vec::new();
                let nobody = std::iter::once(None);
                for member in nobody.chain(members.iter().map(Some)) {
                    let readable = audiences::readable_by(c, member)?;
                    if readable.iter().any(|id| id.0 == audience) {
                        readers.push(member.map_or("-", |member| member.id.as_str()).to_owned());
                    }
                }
                Ok(readers.join(" "))
            })
            .unwrap()
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        check_if_shared(described, &self.sent.calls());
    }
}

/// Returns Slack's own description of its methods, with what came after the archived one.
pub(super) fn described() -> Spec {
    Spec::open("slack/slack-web-api.trimmed.swagger2.json")
        .under("/api")
        // Message metadata is of 2022, the description of 2021.
        .newer("get /conversations.history", &["include_all_metadata"])
        .newer("get /conversations.replies", &["include_all_metadata"])
        .newer("post /chat.postMessage", &["metadata"])
        .newer("post /chat.update", &["metadata"])
        // It was left out of the trimmed description.
        .newer("post /apps.connections.open", &[])
}

#[tokio::test]
async fn a_workspace_is_read_once_with_its_people_places_and_threads() {
    let mut here = Here::new().await;
    here.fake.user("gil", json!({ "is_restricted": true }));
    for minute in 1..=7 {
        here.fake.post(
            "C1",
            &ago(minute * 30),
            "UANA",
            &format!("message {minute}"),
        );
    }
    here.fake
        .reply("C1", &ago(60), &ago(55), "UBO", "a reply to <@UANA>");
    here.fake.reply("C1", &ago(60), &ago(54), "UCY", "another");
    here.fake.put(
        "C1",
        json!({ "ts": ago(10), "bot_id": "BDAYBRIEF", "user": "UDAYBRIEF", "text": "my own" }),
    );
    here.fake.put(
        "C1",
        json!({ "ts": ago(9), "subtype": "channel_join", "user": "UCY", "text": "joined" }),
    );
    here.fake
        .put("C1", json!({ "ts": ago(8), "text": { "no": "text" } }));
    here.fake.get().channels.insert(
        "G1".into(),
        super::fake::Channel {
            name: "secret".into(),
            is_private: true,
            is_joined: true,
            ..Default::default()
        },
    );
    here.fake.post("G1", &ago(5), "UANA", "not to be read");

    let synced = here.sync(0).await.unwrap();
    assert_eq!(synced.events, 9);
    let standing = here.standing();
    assert_eq!(standing.len(), 9, "{standing:?}");
    assert!(
        standing.contains(&"C1:-55 a reply to @ana".to_owned()),
        "{standing:?}"
    );
    let threads = here.query("SELECT id FROM threads ORDER BY id");
    assert_eq!(threads.len(), 7, "{threads:?}");
    let urls = here.query("SELECT url FROM events WHERE text = 'another'");
    let root = ago(60);
    let reply = ago(54).replace('.', "");
    assert_eq!(
        urls,
        [format!(
            "https://team.slack.com/archives/C1/p{reply}?thread_ts={root}&cid=C1"
        )]
    );
    let known = here.store.read_now(|c| people::people(c, None)).unwrap();
    let ana = known
        .iter()
        .find(|person| person.name == "ana Real")
        .unwrap();
    assert_eq!(ana.email.as_deref(), Some("ana@example.org"));
    assert_eq!(ana.time_zone.as_deref(), Some("Europe/Lisbon"));
    assert_eq!(
        here.readers(&format!("C1:{root}")),
        "- ana cy",
        "a guest is not in it"
    );

    let calls = here.fake.get().calls.len();
    assert_eq!(here.sync(5).await.unwrap().events, 0);
    let calls = here.fake.get().calls.len() - calls;
    assert_eq!(
        calls, 3,
        "the list of channels and two small pages of history"
    );
}

#[tokio::test]
async fn edits_deletions_and_late_replies_are_noticed() {
    let mut here = Here::new().await;
    for (minutes, text) in [
        (3_000, "old"),
        (300, "typo"),
        (200, "mistake"),
        (100, "root"),
    ] {
        here.fake.post("C1", &ago(minutes), "UANA", text);
    }
    here.fake.reply("C1", &ago(100), &ago(90), "UBO", "first");
    here.fake.reply("C1", &ago(100), &ago(80), "UBO", "second");
    here.sync(0).await.unwrap();
    let before = here.log().len();

    here.fake.post("C1", &ago(300), "UANA", "type");
    here.fake.delete("C1", &ago(200));
    here.fake.reply("C1", &ago(3_000), &ago(2), "UCY", "late");
    here.fake.delete("C1", &ago(90));
    here.fake.reply("C1", &ago(100), &ago(1), "UCY", "third");
    here.sync(20).await.unwrap();
    let mut news = here.log()[before..].to_vec();
    news.sort();
    // An edit's id ends in a hash.
    let edited = news
        .iter()
        .position(|line| line.starts_with("edited C1:-300~"))
        .unwrap();
    assert!(news.remove(edited).ends_with(" type"));
    assert_eq!(
        news,
        [
            "deleted C1:-200~deleted ",
            "deleted C1:-90~deleted ",
            "posted C1:-1 third",
            "posted C1:-2 late"
        ]
    );
    let texts: Vec<String> = here
        .standing()
        .iter()
        .map(|line| line.split_once(' ').unwrap().1.to_owned())
        .collect();
    assert_eq!(texts, ["old", "type", "root", "second", "late", "third"]);

    // A root that has replies leaves a stone behind, one whose replies go too leaves nothing.
    here.fake.delete("C1", &ago(100));
    here.sync(20).await.unwrap();
    assert!(!here.standing().contains(&"C1:-100 root".to_owned()));
    assert!(here.standing().contains(&"C1:-1 third".to_owned()));
    assert_eq!(here.sync(20).await.unwrap().events, 0);

    // People go on in the thread of a message that is gone.
    here.fake
        .reply("C1", &ago(100), &ago(-70), "UBO", "after the end");
    here.sync(20).await.unwrap();
    assert!(here.standing().contains(&"C1:70 after the end".to_owned()));
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_slack_fails_or_the_process_dies_anywhere() {
    let calm = {
        let mut here = busy().await;
        here.sync(0).await.unwrap();
        here.standing()
    };
    assert_eq!(calm.len(), 26);

    let mut here = busy().await;
    for (method, fault) in [
        ("conversations.history", Fault::Status(429, "0.02")),
        ("conversations.history", Fault::Status(500, "")),
        ("conversations.replies", Fault::Cut),
        ("users.list", Fault::Status(503, "0")),
        ("users.conversations", Fault::Cut),
        ("conversations.members", Fault::Status(429, "0.01")),
        ("conversations.replies", Fault::AnswerLost),
    ] {
        here.fake.fail(method, fault);
    }
    here.sync(0).await.unwrap();
    assert_eq!(here.standing(), calm);
    assert!(here.fake.get().faults.is_empty(), "every fault was met");

    // A refusal in the middle ends the reading; what came before is kept, and the next one goes on.
    let mut here = busy().await;
    let mut failures = 0;
    for method in [
        "conversations.history",
        "conversations.replies",
        "conversations.history",
    ] {
        here.fake.fail(method, Fault::Refusal("internal_error"));
        here.fake.fail(method, Fault::Refusal("internal_error"));
        failures += usize::from(here.sync(0).await.is_err());
    }
    here.fake.get().faults.clear();
    here.sync(0).await.unwrap();
    assert!(failures >= 2, "{failures}");
    assert_eq!(here.standing(), calm);

    // A new process after every page.
    let here = busy().await;
    let mut cursor = None;
    for round in 0.. {
        assert!(round < 200, "it comes to an end");
        let mut source = here.open();
        let page = source.fetch(cursor.as_ref()).await.unwrap();
        cursor = page.next.clone().or(cursor);
        let now = here.clock.now();
        here.store
            .write_now(|c| {
                ingest::store_page(c, &"office".into(), &page, &Roster::default(), now, true)
            })
            .unwrap();
        if !page.more {
            break;
        }
    }
    assert_eq!(here.standing(), calm);
}

/// Returns a workspace with three channels, more than one page each, and threads longer than a page.
async fn busy() -> Here {
    let here = Here::new().await;
    here.fake.channel("C2", "parser");
    here.fake.channel("C3", "empty");
    for minute in 1..=8 {
        here.fake.post("C1", &ago(minute * 100), "UANA", "general");
        here.fake
            .post("C2", &ago(minute * 100 + 1), "UBO", "parser");
    }
    for minute in 1..=10 {
        here.fake.reply(
            "C2",
            &ago(201),
            &ago(200 - minute),
            "UCY",
            &format!("reply {minute}"),
        );
    }
    here
}

/// Returns a line of the kernel's account of this process, in MB.
fn memory_mb(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|of| of.strip_prefix(line)).unwrap();
    let kb: u64 = found.trim().trim_end_matches(" kB").parse().unwrap();
    kb / 1_024
}

#[tokio::test]
#[ignore = "takes a while; measures how fast a full workspace is read, and in how much memory"]
async fn a_hundred_thousand_messages_are_read_at_the_speed_of_the_api() {
    let mut here = Here::new().await;
    here.store = Store::open(&here.dir.path().join("data")).unwrap();
    here.fake.get().page_size = 999;
    let start = 1_795_000_000 - 50_000 * 60;
    for at in 0..100_000_i64 {
        here.fake.post(
            "C1",
            &format!("{}.000100", start + at * 30),
            "UANA",
            "a message of a few words about the parser",
        );
    }
    // What the fake holds is Slack's.
    let before = memory_mb("VmRSS:");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(here.sync(0).await.unwrap().events, 100_000);
    let (took, grown) = (begun.elapsed(), memory_mb("VmHWM:").saturating_sub(before));
    eprintln!(
        "{took:?}, {} calls, {grown} MB more at most",
        here.fake.get().calls.len()
    );
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(grown <= 200, "{grown} MB");
}

#[tokio::test]
#[ignore = "reads the folder that DAYBRIEF_SHARED names"]
async fn every_request_is_one_that_slack_describes() {
    let mut here = busy().await;
    here.more = "private_channels = true\napp_token_file = \"app\"".into();
    std::fs::write(here.dir.path().join("app"), super::fake::APP_TOKEN).unwrap();
    here.sync(0).await.unwrap();
    here.fake.get().channels.get_mut("C3").unwrap().is_joined = false;
    here.sync(20).await.unwrap();
    let config = here.config();
    let checked = config
        .check(&"office".into(), here.dir.path(), &here.http)
        .await;
    checked.unwrap();
    let client = config
        .client(&"office".into(), here.dir.path(), &here.http)
        .unwrap();
    let dm = super::dm::Dm::new(client, "UANA");
    assert!(dm.is_new().await.unwrap());
    let post = super::dm::Post {
        text: "Quiet night".into(),
        blocks: vec![json!({ "type": "rich_text", "elements": [] })],
    };
    here.fake
        .fail_after("chat.postMessage", 1, Fault::AnswerLost);
    dm.send("ana-2026-11-23", &[post.clone(), post])
        .await
        .unwrap();
    assert!(dm.find("ana-2026-11-23").await.unwrap().is_some());
    let message = here.fake.get().channels["DUANA"]
        .messages
        .values()
        .next()
        .unwrap()
        .clone();
    dm.update("DUANA", &message).await.unwrap();
    dm.hear("").await.unwrap();
    let operations = described().check(&here.sent.calls());
    let known = [
        "get /auth.test",
        "get /conversations.history",
        "get /conversations.info",
        "get /conversations.list",
        "get /conversations.members",
        "get /conversations.replies",
        "get /users.conversations",
        "get /users.list",
        "post /apps.connections.open",
        "post /chat.postMessage",
        "post /chat.update",
        "post /conversations.open",
    ];
    assert_eq!(
        operations.iter().map(String::as_str).collect::<Vec<_>>(),
        known
    );
}
