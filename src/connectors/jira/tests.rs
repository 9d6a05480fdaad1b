//! Projects read through the whole stack and stored, against a Jira with the traps of the real one.

mod oauth;
mod readers;
mod reading;
mod sample;
mod writing;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::fake::{Fake, Fault, TOKEN, USER};
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::connectors::tracker::Assigned;
use crate::connectors::{Tracker, loopback};
use crate::http::Recorded;
use crate::ingest::{self, Synced};
use crate::model::{Handle, Markdown, ThreadId};
use crate::roster::Roster;
use crate::spec_check::{Spec, check_if_shared};
use crate::store::{Store, audiences};

struct Here {
    fake: Fake,
    is_cloud: bool,
    dir: tempfile::TempDir,
    store: Store,
    clock: Clock,
    http: Http,
    sent: Recorded,
    more: String,
    source: Option<JiraSource>,
}

/// Returns a time of November 2026.
fn on(day: u8, time: &str) -> String {
    format!("2026-11-{day:02}T{time}:00Z")
}

impl Here {
    async fn new(is_cloud: bool) -> Here {
        let clock = Clock::simulated(on(23, "08:00").parse().unwrap());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let (http, sent) = Recorded::http(loopback::hurried(), clock.clone());
        Here {
            fake: Fake::start(is_cloud, clock.clone()).await,
            is_cloud,
            dir,
            store: Store::in_memory().unwrap(),
            http,
            sent,
            clock,
            more: "audience = \"everyone\"".into(),
            source: None,
        }
    }

    fn config(&self) -> JiraConfig {
        let edition = if self.is_cloud {
            format!("user = \"{USER}\"")
        } else {
            "deployment = \"data-center\"".into()
        };
        let lets_in = match self.more.contains("client_id") {
            true => String::new(),
            false => format!("token_file = \"token\"\n{edition}"),
        };
        let table = format!("site = \"{}\"\n{lets_in}\n{}", self.fake.url, self.more);
        toml::from_str(&table).unwrap()
    }

    fn open(&self) -> JiraSource {
        self.config()
            .open(&"jira".into(), self.dir.path(), &self.http)
            .unwrap()
    }

    fn tracker(&self) -> Comments {
        self.config()
            .comments(&"jira".into(), self.dir.path(), &self.http)
            .unwrap()
    }

    async fn sync_at(&mut self, now: &str) -> Result<Synced> {
        self.clock.move_to(now.parse().unwrap());
        let mut source = self.source.take().unwrap_or_else(|| self.open());
        let clock = self.clock.clone();
        let now = move || clock.now();
        let roster = Roster::default();
        let synced = ingest::sync(
            &self.store,
            &"jira".into(),
            &mut source,
            &roster,
            now,
            |_, _| {},
        )
        .await;
        self.source = Some(source);
        synced
    }

    /// Returns the log from a position on, as `kind id by: text`.
    fn log(&self, from: usize) -> Vec<String> {
        let hash = |line: String| match line.split_once('~') {
            Some((head, tail)) if !tail.starts_with("deleted") => format!("{head}~{}", &tail[8..]),
            _ => line,
        };
        let lines = loopback::log(&self.store, from).into_iter();
        lines.map(hash).collect()
    }

    fn query(&self, sql: &str) -> Vec<String> {
        loopback::rows(&self.store, sql)
    }

    /// Returns who may read an event, `-` for a search without a member.
    fn readers(&self, event: &str) -> String {
        let handle = |name: &str| {
            if self.is_cloud {
                format!("ACC-{name}")
            } else {
                name.to_owned()
            }
        };
        let table = |name: &str| {
            format!(
                "[members.{name}]\nhandles = {{ jira = \"{}\" }}\n",
                handle(name)
            )
        };
        let config = format!(
            "[connectors.jira]\ntype = \"jira\"\n{}{}{}",
            table("ana"),
            table("bo"),
            table("cy")
        );
        let config = Config::parse(&config, Path::new("x")).unwrap();
        let members = config.members(self.clock.now()).unwrap();
        let event = event.to_owned();
        self.store
            .read_now(move |c| {
                let id: u64 = c.query_row(
                    "SELECT coalesce(e.audience, t.audience) FROM events e JOIN threads t USING (tid) WHERE e.id = ?1",
                    [&event],
                    |row| row.get(0),
                )?;
                let id = crate::model::AudienceId(id);
                let mut readers = Vec::new();
                if audiences::readable_by(c, None)?.contains(&id) {
                    readers.push("-");
                }
                for member in &members {
                    if audiences::readable_by(c, Some(member))?.contains(&id) {
                        readers.push(member.id.as_str());
                    }
                }
                Ok(readers.join(" "))
            })
            .unwrap()
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let is_cloud = self.is_cloud;
        check_if_shared(|| described(is_cloud), &self.sent.calls());
    }
}

/// Returns Jira's own description of its calls.
fn described(is_cloud: bool) -> Spec {
    if is_cloud {
        // Nobody is an owner too: the words say so, the schema does not.
        return Spec::open("jira/jira-cloud-v3.trimmed.openapi.json.gz")
            .newer(
                "put /rest/api/3/issue/{issueIdOrKey}/assignee",
                &["accountId"],
            )
            .newer("post /oauth/token", &[]);
    }
    // The description at hand is of an older version, cut to fewer calls, and knows the bodies of none.
    let mut spec = Spec::open("jira/jira-dc-7.6-v2.trimmed.openapi.json").under("/rest");
    for operation in [
        "post /api/2/issue/{issueIdOrKey}/comment",
        "put /api/2/issue/{issueIdOrKey}/comment/{id}",
        "put /api/2/issue/{issueIdOrKey}/assignee",
        "put /api/2/issue/{issueIdOrKey}",
    ] {
        spec = spec.newer(operation, &["body"]);
    }
    for number in 501..530 {
        let path = format!("get /api/2/comment/{number}/properties/daybrief");
        spec = spec.newer(Box::leak(path.into_boxed_str()), &[]);
    }
    spec
}

/// A bug with an owner, comments and a history, and five more issues.
fn fill(fake: &Fake) {
    fake.open(1, &on(2, "09:00"), "Ana", "crash on empty input");
    fake.transition(1, &on(2, "10:00"), "bo", "In Progress");
    fake.assign(1, &on(2, "10:05"), "bo", "bo");
    fake.change(
        1,
        &on(2, "10:06"),
        "bo",
        "labels",
        [
            Value::Null,
            json!("old bug"),
            Value::Null,
            json!("bug parser"),
        ],
    );
    fake.change(
        1,
        &on(2, "10:07"),
        "Ana",
        "priority",
        [json!("3"), json!("Low"), json!("2"), json!("High")],
    );
    fake.change(
        1,
        &on(2, "10:08"),
        "Ana",
        "duedate",
        [
            Value::Null,
            Value::Null,
            json!("2026-11-27"),
            json!("2026-11-27 00:00:00.0"),
        ],
    );
    fake.change(
        1,
        &on(2, "10:09"),
        "Ana",
        "summary",
        [Value::Null, json!("a"), Value::Null, json!("b")],
    );
    fake.issue(1, |issue| {
        issue.fields["labels"] = json!(["bug", "parser"]);
        issue.fields["duedate"] = json!("2026-11-27");
    });
    for (time, by, text) in [
        ("09:00", "cy", "who can look?"),
        ("10:00", "bo", "I can"),
        ("11:00", "ci", "build 12 failed"),
    ] {
        fake.comment(1, &on(3, time), by, text, json!({}));
    }
    for id in 2..7 {
        fake.open(id, &on(6, "09:00"), "cy", &format!("issue {id}"));
    }
}
