//! Projects read through the whole stack and stored, against a Jira with the traps of the real one.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::fake::{Fake, Fault, TOKEN, USER};
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::connectors::Tracker;
use crate::connectors::tracker::Assigned;
use crate::http::{Options, Recorded};
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
        let options = Options {
            is_paced: false,
            back_off: Duration::from_millis(2),
            patience: Duration::from_secs(2),
            ..Options::default()
        };
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let (http, sent) = Recorded::http(options, clock.clone());
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
        let table = format!(
            "site = \"{}\"\ntoken_file = \"token\"\n{edition}\n{}",
            self.fake.url, self.more
        );
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
        let sql = "SELECT kind || ' ' || id || ' ' || coalesce(author, '-') || ': ' || iif(removed, '-', text) FROM events ORDER BY seq";
        let lines = self.query(sql).into_iter().skip(from);
        let hash = |line: String| match line.split_once('~') {
            Some((head, tail)) if !tail.starts_with("deleted") => format!("{head}~{}", &tail[8..]),
            _ => line,
        };
        lines
            .map(|line| hash(line.trim_end_matches(": ").to_owned()))
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
        return Spec::open("jira/jira-cloud-v3.trimmed.openapi.json.gz").newer(
            "put /rest/api/3/issue/{issueIdOrKey}/assignee",
            &["accountId"],
        );
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

#[tokio::test]
async fn issues_are_read_with_all_that_happened() {
    let mut here = Here::new(true).await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let first = |line: &String| line.contains(" 1");
    let log: Vec<String> = here.log(0).into_iter().filter(first).collect();
    insta::assert_snapshot!(log.join("\n"), @r"
    opened 1 acc-ana: body of *crash on empty input*
    transitioned 1@901.status acc-bo
    assigned 1@902.assignee acc-bo
    labelled 1@903.labels acc-bo
    prioritized 1@904.priority acc-ana
    rescheduled 1@905.duedate acc-ana
    posted 1-c507 acc-cy: who can look?
    posted 1-c508 acc-bo: I can
    posted 1-c509 acc-ci: build 12 failed
    ");
    assert_eq!(here.log(0).len(), 14);
    let ticket = here.query("SELECT ticket FROM threads WHERE id = '1'");
    for field in [
        "\"CORE-1\"",
        "In Progress",
        "High",
        "acc-ana",
        "acc-bo",
        "\"bug\",\"parser\"",
        "2026-11-27",
    ] {
        assert!(ticket[0].contains(field), "{field}: {}", ticket[0]);
    }
    assert_eq!(
        here.query("SELECT url FROM events WHERE id LIKE '1-c%' LIMIT 1"),
        [format!(
            "{}/browse/CORE-1?focusedCommentId=507",
            here.fake.url
        )]
    );
    assert_eq!(
        here.query("SELECT handle || ' ' || name || ' ' || coalesce(email, '-') || ' ' || coalesce(time_zone, '-') FROM people WHERE handle = 'acc-ana' OR is_bot"),
        ["acc-ana Ana Real ana@example.org Europe/Lisbon", "acc-ci ci Real - -"]
    );
    assert_eq!(here.readers("1"), "- ana bo cy");

    let calls = here.fake.calls_with("bulkfetch");
    assert_eq!(here.sync_at(&on(23, "08:05")).await.unwrap().events, 0);
    let again = here.fake.calls_with("bulkfetch") - calls;
    assert_eq!(
        again, 0,
        "what lies behind the watch and the overlap is not fetched again"
    );
}

#[tokio::test]
async fn data_center_is_read_in_its_own_way() {
    let mut here = Here::new(false).await;
    fill(&here.fake);
    here.fake.comment(
        1,
        &on(3, "12:00"),
        "Ana",
        "*sure* [~Bo] see {{x}}",
        json!({}),
    );
    here.fake.change(
        1,
        &on(3, "13:00"),
        "Ana",
        "assignee",
        [
            json!("JIRAUSER-bo"),
            json!("bo"),
            json!("JIRAUSER-gone"),
            json!("Gone"),
        ],
    );
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let first = |line: &String| line.contains(" 1");
    let log: Vec<String> = here.log(0).into_iter().filter(first).collect();
    insta::assert_snapshot!(log.join("\n"), @r"
    opened 1 ana: body of **crash on empty input**
    transitioned 1@901.status bo
    assigned 1@902.assignee bo
    labelled 1@903.labels bo
    prioritized 1@904.priority ana
    rescheduled 1@905.duedate ana
    posted 1-c507 cy: who can look?
    posted 1-c508 bo: I can
    posted 1-c509 ci: build 12 failed
    posted 1-c510 ana: **sure** @Bo see `x`
    assigned 1@911.assignee ana
    ");
    assert_eq!(here.log(0).len(), 16);
    let assigned = here.query("SELECT detail FROM events WHERE kind = 'assigned' ORDER BY seq");
    assert!(
        assigned[0].contains("\"bo\""),
        "a history's name is a login: {assigned:?}"
    );
    assert!(assigned[1].contains("jirauser-gone"), "{assigned:?}");
    assert_eq!(here.query("SELECT handle FROM mentions"), ["bo"]);
    let (call, _) = here
        .fake
        .get()
        .calls
        .iter()
        .find(|(call, _)| call.contains("search?"))
        .cloned()
        .unwrap();
    assert!(
        call.contains("updated+%3E%3D+%222026-05-27+18%3A00%22"),
        "in the zone of the account: {call}"
    );
    assert_eq!(here.sync_at(&on(23, "08:05")).await.unwrap().events, 0);
}

#[tokio::test]
async fn what_happens_later_is_news_with_who_did_it_and_what_is_old_is_not() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.fake
            .open(90, "2024-01-01T00:00:00Z", "cy", "from long ago");
        here.fake.comment(
            90,
            "2024-01-02T00:00:00Z",
            "cy",
            "an old comment",
            json!({}),
        );
        let gone = here
            .fake
            .comment(6, &on(20, "09:00"), "cy", "to be deleted", json!({}));
        let typo = here
            .fake
            .comment(6, &on(20, "10:00"), "cy", "teh words", json!({}));
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let before = here.log(0).len();
        assert!(
            !here.log(0).iter().any(|line| line.contains(" 90")),
            "older than the history that is read"
        );

        here.fake.transition(1, &on(23, "08:10"), "Ana", "Done");
        here.fake
            .comment(90, &on(23, "08:13"), "Ana", "still there", json!({}));
        // None of these counts as a change of the issue.
        let (gone, typo) = (gone.to_string(), typo.to_string());
        let words = here.fake.get().body("the words");
        here.fake.issue(6, |issue| {
            issue.comments.retain(|comment| comment["id"] != *gone);
            issue.comments[0]["body"] = words;
            issue.fields["summary"] = json!("another title");
        });
        here.sync_at(&on(23, "08:15")).await.unwrap();
        let mut news = here.log(before);
        news.sort();
        let who = |name: &str| {
            if is_cloud {
                format!("acc-{name}")
            } else {
                name.to_owned()
            }
        };
        let (ana, cy) = (who("ana"), who("cy"));
        let expected = [
            format!("deleted 6-c{gone}~deleted -"),
            format!("edited 6-c{typo}~ {cy}: the words"),
            format!("opened 90 {cy}: body of *from long ago*"),
            format!("posted 90-c512 {ana}: still there"),
            format!("posted 90-c508 {cy}: an old comment"),
            format!("transitioned 1@911.status {ana}"),
        ];
        let mut got: Vec<&str> = news
            .iter()
            .map(|line| line.split(" body of").next().unwrap())
            .collect();
        got.sort_unstable();
        assert_eq!(news.len(), expected.len(), "{news:#?}");
        for line in [&expected[0], &expected[1], &expected[3], &expected[4]] {
            let is_same = |own: &&String| {
                let bare = |line: &str| {
                    line.chars()
                        .filter(|c| !c.is_ascii_digit())
                        .collect::<String>()
                };
                bare(own) == bare(line)
            };
            assert!(
                news.iter().any(|own| is_same(&own)),
                "{line} is not among {news:#?}"
            );
        }
        let learned = here.query(
            "SELECT kind FROM events WHERE id LIKE '90%' AND learned = occurred_at ORDER BY kind",
        );
        assert_eq!(
            learned,
            ["opened", "posted"],
            "only its last comment is news"
        );
        assert_eq!(
            here.query("SELECT title FROM threads WHERE id = '6'"),
            ["another title"]
        );
        assert_eq!(here.sync_at(&on(23, "08:20")).await.unwrap().events, 0);
    }
}

#[tokio::test]
async fn a_change_that_the_index_learns_of_late_is_not_lost() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let before = here.log(0).len();
        here.fake
            .comment(2, &on(23, "08:01"), "cy", "late in the index", json!({}));
        // The index knows nothing of it for a quarter of an hour, but of what happened after it.
        here.fake.issue(2, |issue| issue.changes.pop());
        here.fake
            .comment(3, &on(23, "08:09"), "cy", "at once in the index", json!({}));
        here.sync_at(&on(23, "08:10")).await.unwrap();
        here.sync_at(&on(23, "08:14")).await.unwrap();
        here.fake.issue(2, |issue| {
            issue.changes.push(on(23, "08:01").parse().unwrap())
        });
        here.sync_at(&on(23, "08:16")).await.unwrap();
        let news = here.log(before).join("\n");
        assert!(
            news.contains("at once") && news.contains("late in"),
            "{news}"
        );
        assert_eq!(here.log(before).len(), 2);

        // And in general, with everything late.
        here.fake.get().index_delay = SignedDuration::from_mins(12);
        let before = here.log(0).len();
        for minute in 20..50_u64 {
            let id = minute % 5 + 2;
            here.fake
                .comment(id, &on(23, &format!("08:{minute}")), "cy", "x", json!({}));
            here.sync_at(&on(23, &format!("08:{minute}")))
                .await
                .unwrap();
        }
        here.sync_at(&on(23, "09:05")).await.unwrap();
        assert_eq!(here.log(before).len(), 30);
    }
}

#[tokio::test]
async fn the_zone_of_the_account_hides_nothing() {
    for zone in [
        "Australia/Sydney",
        "America/Los_Angeles",
        "Pacific/Kiritimati",
        "Europe/Berlin",
    ] {
        for is_cloud in [true, false] {
            let mut here = Here::new(is_cloud).await;
            here.fake.get().zone = TimeZone::get(zone).unwrap();
            fill(&here.fake);
            here.sync_at(&on(23, "08:00")).await.unwrap();
            let before = here.log(0).len();
            here.fake
                .comment(2, &on(23, "08:03"), "cy", "news", json!({}));
            here.sync_at(&on(23, "08:04")).await.unwrap();
            assert_eq!(here.log(before).len(), 1, "{zone} {is_cloud}");
            let listed = if is_cloud { "bulkfetch" } else { "search?" };
            let calls = here.fake.calls_with(listed);
            here.sync_at(&on(23, "08:06")).await.unwrap();
            assert!(
                here.fake.calls_with(listed) - calls <= 4,
                "nor shows everything again"
            );
        }
    }
    // The night in which an hour comes twice.
    let mut here = Here::new(false).await;
    here.fake.get().zone = TimeZone::get("Europe/Berlin").unwrap();
    here.fake.open(1, "2026-10-24T20:00:00Z", "cy", "x");
    here.sync_at("2026-10-25T00:10:00Z").await.unwrap();
    for (minute, now) in [
        ("00:20", "00:25"),
        ("00:50", "00:55"),
        ("01:10", "01:15"),
        ("01:50", "01:55"),
        ("02:10", "02:15"),
    ] {
        let before = here.log(0).len();
        here.fake
            .comment(1, &format!("2026-10-25T{minute}:00Z"), "cy", "x", json!({}));
        here.sync_at(&format!("2026-10-25T{now}:00Z"))
            .await
            .unwrap();
        assert_eq!(here.log(before).len(), 1, "{minute}");
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_jira_fails_or_the_process_dies_anywhere() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let calm = here.log(0);
        assert_eq!(calm.len(), 14, "{calm:#?}");

        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        let faults: &[(&'static str, Fault)] = &[
            ("/search", Fault::Status(429, "retry-after", "0.02")),
            ("/search", Fault::Cut),
            ("/myself", Fault::Status(503, "retry-after", "0.01")),
            ("/search", Fault::Status(502, "x", "y")),
            ("/search", Fault::AnswerLost),
        ];
        for (part, fault) in faults {
            here.fake.fail(part, *fault);
        }
        if is_cloud {
            here.fake.fail(
                "/issue/bulkfetch",
                Fault::Status(429, "retry-after", "0.02"),
            );
            here.fake.fail("/changelog/bulkfetch", Fault::Cut);
            here.fake.fail("/issue/1/comment", Fault::AnswerLost);
        }
        here.sync_at(&on(23, "08:00")).await.unwrap();
        assert!(here.fake.get().faults.is_empty(), "every fault was met");
        let sorted = |mut log: Vec<String>| {
            log.sort();
            log
        };
        // A token that was lost with its answer begins the listing again.
        assert_eq!(sorted(here.log(0)), sorted(calm.clone()));

        // A new process after every page; in Cloud a week goes by in the middle.
        let here = Here::new(is_cloud).await;
        fill(&here.fake);
        let mut cursor: Option<Cursor> = None;
        for round in 0.. {
            assert!(round < 100, "it comes to an end");
            let mut source = here.open();
            source.0.start(cursor.as_ref());
            let mut page = Page {
                history_before: source.0.next_history(),
                ..Page::default()
            };
            for _ in 0..3 + round {
                if source.0.next_history().is_some() {
                    source.0.step(&mut page).await.unwrap();
                }
            }
            let page = source.0.close(page, cursor.as_ref());
            if round == 3 {
                here.fake.get().expire_tokens();
            }
            cursor = page.next.clone().or(cursor);
            let now: Timestamp = on(23, "08:00").parse().unwrap();
            here.store
                .write_now(|c| {
                    ingest::store_page(c, &"jira".into(), &page, &Roster::default(), now, true)
                })
                .unwrap();
            if !page.more {
                break;
            }
        }
        assert_eq!(sorted(here.log(0)), sorted(calm));
    }
}

#[tokio::test]
async fn an_issue_that_changes_while_pages_are_turned_hides_no_other() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.fake.get().change_at_search = Some((2, 1));
        here.sync_at(&on(23, "08:00")).await.unwrap();
        assert_eq!(
            here.query("SELECT id FROM threads ORDER BY id").len(),
            6,
            "{is_cloud}"
        );
    }
}

#[tokio::test]
async fn an_issue_that_moves_stays_itself_under_its_new_key() {
    let mut here = Here::new(true).await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let before = here.log(0).len();
    here.fake.issue(1, |issue| {
        (issue.key, issue.project) = ("OPS-7".into(), ("11".into(), "OPS".into()));
        issue.changes.push(on(23, "08:01").parse().unwrap());
    });
    here.fake.change(
        1,
        &on(23, "08:01"),
        "Ana",
        "Key",
        [Value::Null, json!("CORE-1"), Value::Null, json!("OPS-7")],
    );
    here.sync_at(&on(23, "08:05")).await.unwrap();
    assert_eq!(
        here.log(before),
        Vec::<String>::new(),
        "nothing is told twice"
    );
    let sql = "SELECT ticket ->> 'key' || ' ' || space || ' ' || substr(url, -5) FROM threads WHERE id = '1'";
    assert_eq!(here.query(sql), ["OPS-7 11 OPS-7"]);
    assert_eq!(
        here.query("SELECT name FROM spaces WHERE id = '11'"),
        ["OPS"]
    );
}

#[tokio::test]
async fn an_issue_is_read_by_whom_jira_lets_and_otherwise_by_few() {
    let mut here = Here::new(true).await;
    here.more.clear();
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.fake
        .comment(1, &on(22, "10:00"), "bo", "hi", json!({}));
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.readers("1"), "ana bo", "those who take part");
    // Whoever takes part from now on reads it from now on.
    here.fake.assign(1, &on(23, "08:01"), "bo", "cy");
    here.sync_at(&on(23, "08:05")).await.unwrap();
    assert_eq!(here.readers("1"), "ana bo cy");
    (here.more, here.source) = ("audience = \"everyone\"".into(), None);
    here.sync_at(&on(23, "08:10")).await.unwrap();
    assert_eq!(here.readers("1"), "- ana bo cy");
    let before = here.log(0).len();

    // A level narrows it: to whom Jira names, or to those closest.
    here.fake.issue(1, |issue| {
        issue.fields["security"] = json!({ "id": "9", "name": "Staff" });
        issue.changes.push(on(23, "08:11").parse().unwrap());
    });
    here.sync_at(&on(23, "08:15")).await.unwrap();
    assert_eq!(here.readers("1"), "ana cy");
    here.fake.get().viewers.insert(1, vec!["bo"]);
    here.fake.issue(1, |issue| {
        issue.changes.push(on(23, "08:16").parse().unwrap())
    });
    here.sync_at(&on(23, "08:20")).await.unwrap();
    assert_eq!(here.readers("1"), "bo");
    assert_eq!(here.log(before).len(), 0);

    // Back to few: what was open is closed before anything is read again.
    here.fake
        .issue(1, |issue| issue.fields["security"] = Value::Null);
    here.fake.open(2, &on(23, "08:21"), "Ana", "two");
    here.sync_at(&on(23, "08:25")).await.unwrap();
    assert_eq!(here.readers("2"), "- ana bo cy");
    (here.more, here.source) = (String::new(), None);
    here.sync_at(&on(23, "08:30")).await.unwrap();
    assert_eq!(
        (here.readers("1").as_str(), here.readers("2").as_str()),
        ("ana bo cy", "ana")
    );
}

#[tokio::test]
async fn a_comment_kept_to_some_is_read_by_them_only() {
    let mut here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.fake.assign(1, &on(22, "09:30"), "Ana", "bo");
    let role = |name: &str| json!({ "visibility": { "type": "role", "value": name } });
    let group =
        json!({ "visibility": { "type": "group", "value": "staff", "identifier": "staff" } });
    here.fake.get().circles.extend([
        ("Developers", vec!["bo", "staff"]),
        ("staff", vec!["cy", "dan", "eve"]),
    ]);
    let say = |text: &str, more: Value| {
        let id = here.fake.comment(1, &on(22, "10:00"), "Ana", text, more);
        format!("1-c{id}")
    };
    let (open, developers, secret) = (
        say("open", json!({})),
        say("for developers", role("Developers")),
        say("for few", role("Secret")),
    );
    let (staff, note) = (
        say("for staff", group.clone()),
        say("a note", json!({ "jsdPublic": false })),
    );
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert_eq!(here.readers(&open), "- ana bo cy");
    assert_eq!(
        here.readers(&developers),
        "bo cy",
        "with the people of the groups in it"
    );
    assert_eq!(
        here.readers(&secret),
        "ana",
        "who is in it is not told, so its author"
    );
    assert_eq!(here.readers(&staff), "cy");
    assert_eq!(
        here.readers(&note),
        "ana bo",
        "a note of the desk: its author and the owner"
    );

    // Whoever leaves the group loses what was said in it, although no comment changed.
    here.fake.get().circles.insert("staff", vec!["dan"]);
    here.sync_at(&on(23, "08:30")).await.unwrap();
    assert_eq!(
        (
            here.readers(&developers).as_str(),
            here.readers(&staff).as_str()
        ),
        ("bo", "")
    );
    // And what was open is closed when somebody keeps it to a group later.
    let before = here.log(0).len();
    here.fake.issue(1, |issue| {
        issue.comments[0]["visibility"] = group["visibility"].clone()
    });
    here.sync_at(&on(23, "08:35")).await.unwrap();
    assert_eq!(here.readers(&open), "");
    assert_eq!(here.log(before).len(), 1, "the index hears of it");
}

#[tokio::test]
async fn an_issue_that_is_gone_is_closed_at_once_and_forgotten_after_a_day() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        here.fake.open(1, &on(22, "09:00"), "Ana", "one");
        here.fake.open(2, &on(22, "09:00"), "Ana", "two");
        here.fake
            .comment(1, &on(22, "10:00"), "bo", "hi", json!({}));
        here.sync_at(&on(23, "08:00")).await.unwrap();
        here.fake.get().hidden.insert(1);
        here.sync_at(&on(23, "08:05")).await.unwrap();
        assert_eq!(
            (here.readers("1").as_str(), here.readers("2").as_str()),
            ("", "- ana bo cy")
        );
        assert!(here.log(0).iter().any(|line| line.contains("hi")));
        // It was out of sight for an hour only.
        here.fake.get().hidden.clear();
        here.sync_at(&on(23, "09:05")).await.unwrap();
        assert_eq!(here.readers("1"), "- ana bo cy");
        here.fake.get().issues.remove(&1);
        here.sync_at(&on(23, "10:00")).await.unwrap();
        here.sync_at(&on(24, "10:05")).await.unwrap();
        let log = here.log(0).join("\n");
        assert!(
            !log.contains("hi") && !log.contains("body of *one*"),
            "{log}"
        );
        assert_eq!(here.sync_at(&on(24, "10:10")).await.unwrap().events, 0);
    }
}

#[tokio::test]
async fn a_hook_brings_an_issue_forward_that_the_index_does_not_know() {
    let mut here = Here::new(true).await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    here.fake.get().index_delay = SignedDuration::from_mins(12);
    here.fake
        .comment(2, &on(23, "08:01"), "cy", "right now", json!({}));
    let before = here.log(0).len();
    let source = here.source.as_mut().unwrap();
    source.hint("2");
    source.hint("../nonsense");
    here.sync_at(&on(23, "08:02")).await.unwrap();
    assert_eq!(here.log(before).len(), 1);
    here.sync_at(&on(23, "08:20")).await.unwrap();
    assert_eq!(
        here.log(before).len(),
        1,
        "and the index brings nothing twice"
    );
}

#[tokio::test]
async fn a_token_that_ran_out_says_so_and_closes_nothing() {
    let mut here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.sync_at(&on(23, "08:00")).await.unwrap();
    for (status, name, value) in [
        (401, "x", "y"),
        (200, "x-seraph-loginreason", "AUTHENTICATED_FAILED"),
    ] {
        here.fake
            .fail("/myself", Fault::Status(status, name, value));
        let error = format!("{:#}", here.sync_at(&on(23, "08:05")).await.unwrap_err());
        assert!(
            error.contains("does not accept the token") && !error.contains("geheim"),
            "{error}"
        );
        assert_eq!(here.readers("1"), "- ana bo cy");
    }
    here.more = "audience = \"everyone\"\nprojects = [\"GONE\"]".into();
    here.source = None;
    let error = format!("{:#}", here.sync_at(&on(23, "08:10")).await.unwrap_err());
    assert!(error.contains("does not understand search.jql"), "{error}");
}

#[tokio::test]
async fn a_comment_of_ours_is_edited_instead_of_repeated_whatever_is_lost() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        here.fake.open(1, &on(22, "09:00"), "Ana", "one");
        let forged =
            json!({ "properties": [{ "key": "daybrief", "value": { "key": "suggest" } }] });
        here.fake
            .comment(1, &on(22, "10:00"), "mallory", "not ours", forged);
        here.fake
            .comment(1, &on(22, "10:00"), "daybrief", "by hand", json!({}));
        let tracker = here.tracker();
        let ticket = ThreadId::new(&"jira".into(), "1");
        let say = async |text: &str| {
            let said = tracker
                .comment(&ticket, "suggest", &Markdown(text.into()))
                .await;
            let count = here.fake.issue(1, |issue| issue.comments.len());
            (said, count)
        };
        assert_eq!(tracker.find(&ticket, "suggest").await.unwrap(), None);
        here.fake
            .fail("POST /rest/api/3/issue/1/comment", Fault::AnswerLost);
        here.fake
            .fail("POST /rest/api/2/issue/1/comment", Fault::AnswerLost);
        let (said, count) = say("**Ana** knows [this](https://x.org) best").await;
        let receipt = said.unwrap();
        assert!(
            receipt.is_changed
                && receipt
                    .url
                    .ends_with(&format!("/browse/CORE-1?focusedCommentId={}", receipt.id))
        );
        assert_eq!(count, 3, "exactly one, although no answer came");
        let (said, _) = say("**Ana** knows [this](https://x.org) best").await;
        assert!(!said.unwrap().is_changed, "it stands there already");
        let (said, count) = say("Bo does").await;
        assert!(said.unwrap().is_changed);
        let (said, _) = say("Bo does").await;
        assert_eq!((said.unwrap().is_changed, count), (false, 3));
        let found = tracker.find(&ticket, "suggest").await.unwrap().unwrap();
        assert_eq!(found.id, receipt.id);
        let properties = here
            .fake
            .issue(1, |issue| issue.comments[2]["properties"].to_string());
        assert!(
            properties.contains("\"internal\":true"),
            "customers of a desk do not see it"
        );
        let other = tracker
            .comment(&ticket, "other", &Markdown("x".into()))
            .await
            .unwrap();
        assert!(other.is_changed && other.id != receipt.id);

        here.fake.get().faults.clear();
        here.sync_at(&on(23, "08:00")).await.unwrap();
        let posted: Vec<String> =
            here.query("SELECT text FROM events WHERE kind = 'posted' ORDER BY text");
        assert_eq!(
            posted,
            ["by hand", "not ours"],
            "what we wrote is no news, what the account's owner wrote is"
        );

        assert!(tracker.withdraw(&ticket, "suggest").await.unwrap());
        assert!(!tracker.withdraw(&ticket, "suggest").await.unwrap());
        let verdicts = tracker.verdicts(&ticket, "suggest", on(23, "00:00").parse().unwrap());
        assert_eq!(
            verdicts.await.unwrap()[0].kind,
            crate::connectors::tracker::VerdictKind::Removed
        );
        for wrong in ["a b", ""] {
            assert!(
                tracker
                    .comment(&ticket, wrong, &Markdown("x".into()))
                    .await
                    .is_err()
            );
        }
        let elsewhere = ThreadId::new(&"jira".into(), "../1");
        assert!(tracker.find(&elsewhere, "suggest").await.is_err());
    }
}

#[tokio::test]
async fn an_owner_and_a_label_are_given_once_and_never_over_somebody_else() {
    for (is_cloud, more) in [
        (true, ""),
        (true, "owner_field = \"customfield_10050\""),
        (false, ""),
    ] {
        let mut here = Here::new(is_cloud).await;
        here.more = more.into();
        here.fake.open(1, &on(22, "09:00"), "Ana", "one");
        let tracker = here.tracker();
        let ticket = ThreadId::new(&"jira".into(), "1");
        let handle = |name: &str| {
            Handle::new(
                &"jira".into(),
                if is_cloud {
                    format!("acc-{name}")
                } else {
                    name.to_owned()
                },
            )
        };
        let (ana, zoe) = (handle("ana"), handle("zoe"));
        let assign = async |to: &Handle| tracker.assign(&ticket, to).await.unwrap();
        assert_eq!(assign(&zoe).await, Assigned::Impossible);
        here.fake.fail("PUT", Fault::AnswerLost);
        assert_eq!(assign(&ana).await, Assigned::Done);
        assert_eq!(assign(&ana).await, Assigned::Already);
        assert_eq!(assign(&zoe).await, Assigned::Owned(ana.clone()));
        let is_field_only = here
            .fake
            .issue(1, |issue| issue.fields["assignee"].is_null());
        assert_eq!(is_field_only, !more.is_empty());
        assert!(!tracker.unassign(&ticket, &zoe).await.unwrap());
        here.fake.fail("PUT", Fault::AnswerLost);
        assert!(tracker.unassign(&ticket, &ana).await.unwrap());
        assert!(!tracker.unassign(&ticket, &ana).await.unwrap());

        here.fake.fail("PUT", Fault::AnswerLost);
        assert!(tracker.add_label(&ticket, "needs owner").await.unwrap());
        assert!(!tracker.add_label(&ticket, "needs owner").await.unwrap());
        assert_eq!(
            here.fake.issue(1, |issue| issue.fields["labels"].clone()),
            json!(["needs-owner"])
        );
        assert!(tracker.remove_label(&ticket, "needs owner").await.unwrap());
        assert!(!tracker.remove_label(&ticket, "needs owner").await.unwrap());
    }
}

#[tokio::test]
async fn what_people_make_of_a_suggestion_is_told_and_what_we_did_is_not() {
    let here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    let tracker = here.tracker();
    let ticket = ThreadId::new(&"jira".into(), "1");
    let said = Markdown("Ana knows this best.\n\n/take".into());
    tracker.comment(&ticket, "suggest", &said).await.unwrap();
    here.fake
        .comment(1, &on(22, "10:00"), "cy", "/take", json!({}));
    here.fake
        .comment(1, &on(23, "10:00"), "bo", "not me", json!({}));
    here.fake
        .comment(1, &on(23, "11:00"), "Ana", "Thanks.\n\n/take", json!({}));
    here.fake.assign(1, &on(23, "12:00"), "daybrief", "zoe");
    here.fake.assign(1, &on(23, "13:00"), "bo", "cy");
    let since = on(23, "08:00").parse().unwrap();
    let verdicts = tracker.verdicts(&ticket, "suggest", since).await.unwrap();
    let shown: Vec<String> = verdicts
        .iter()
        .map(|verdict| {
            format!(
                "{} {:?}",
                verdict.by.as_ref().map_or("-", |by| &by.id),
                verdict.kind
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "acc-bo Declined",
            "acc-ana Taken",
            "acc-bo Owner(Some(jira/acc-cy))"
        ]
    );
}

#[tokio::test]
async fn check_says_what_the_token_may_see_and_what_to_do() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        here.more = "projects = [\"CORE\", \"HID\"]\naudience = \"everyone\"".into();
        here.fake
            .get()
            .denied
            .extend(["ASSIGN_ISSUES", "USER_PICKER"]);
        here.clock.move_to(Timestamp::now());
        let checked = here
            .config()
            .check(&"jira".into(), here.dir.path(), &here.http)
            .await;
        let facts: Vec<String> = checked
            .unwrap()
            .iter()
            .map(|fact| match fact {
                Fact::Fine(says) => format!("+ {says}"),
                Fact::Note(says) => format!("! {}", says.split([';', '(']).next().unwrap().trim()),
            })
            .collect();
        let edition = if is_cloud { "Cloud" } else { "Data Center" };
        assert_eq!(
            facts,
            [
                "+ reads as daybrief Real".to_owned(),
                format!("+ Jira {edition} 1001.0.0"),
                "! project HID is not there or hidden from the token's account".to_owned(),
                "+ project CORE is read".to_owned(),
                "! project CORE: without the permission \"Assign issues\" nobody can be made the owner of an issue".to_owned(),
                "! may not list users and groups".to_owned(),
                "! audience = \"everyone\" shows every issue without a security level to every member".to_owned(),
            ]
        );
        here.clock.move_to("2036-01-01T00:00:00Z".parse().unwrap());
        let checked = here
            .config()
            .check(&"jira".into(), here.dir.path(), &here.http)
            .await;
        let is_skewed = |fact: &Fact| matches!(fact, Fact::Note(says) if says.contains("clock"));
        assert!(checked.unwrap().iter().any(is_skewed));
    }
}

#[tokio::test]
async fn a_busy_endpoint_holds_up_no_other() {
    let mut here = Here::new(true).await;
    here.fake.open(1, &on(22, "09:00"), "Ana", "one");
    here.fake
        .fail("/search/jql", Fault::Status(429, "retry-after", "600"));
    let error = format!("{:#}", here.sync_at(&on(23, "08:00")).await.unwrap_err());
    assert!(
        error.contains("allows no further calls before 2026-11-23T08:10:00Z"),
        "{error}"
    );
    let tracker = here.tracker();
    let ticket = ThreadId::new(&"jira".into(), "1");
    let text = Markdown("Ana does".into());
    let said = tracker.comment(&ticket, "suggest", &text).await;
    assert!(said.unwrap().is_changed);
    assert_eq!(
        here.fake.calls_with("/search/jql"),
        1,
        "and it is left alone until then"
    );
}

#[test]
fn a_table_that_cannot_be_right_is_refused() {
    let http = Http::new(Default::default(), Default::default());
    for (table, expected) in [
        ("", "names no site"),
        ("site = \"x\"\nprojects = [\"A B\"]", "no key of a project"),
        (
            "site = \"x\"\nprojects = [\"A\\\"\"]",
            "no key of a project",
        ),
        ("site = \"x\"\nowner_field = \"a/b\"", "no id of a field"),
        (
            "site = \"x\"\nuser = \"a\"\ndeployment = \"data-center\"",
            "leave it out",
        ),
        ("site = \"x\"", "names no token"),
    ] {
        let config: JiraConfig = toml::from_str(table).unwrap();
        let error = config
            .open(&"jira".into(), Path::new("/"), &http)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
#[ignore = "reads the folder that DAYBRIEF_SHARED names"]
async fn every_request_is_one_that_jira_describes() {
    for is_cloud in [true, false] {
        let mut here = Here::new(is_cloud).await;
        fill(&here.fake);
        here.sync_at(&on(23, "08:00")).await.unwrap();
        here.fake.comment(
            6,
            &on(23, "08:01"),
            "cy",
            "x",
            json!({ "visibility": { "type": "group", "value": "staff" } }),
        );
        here.fake.comment(
            6,
            &on(23, "08:01"),
            "cy",
            "x",
            json!({ "visibility": { "type": "role", "value": "Developers" } }),
        );
        here.fake.issue(6, |issue| {
            issue.fields["security"] = json!({ "id": "9", "name": "Staff" })
        });
        if is_cloud {
            here.fake
                .get()
                .circles
                .extend([("Developers", vec!["bo"]), ("staff", vec!["cy"])]);
            here.sync_at(&on(23, "08:05")).await.unwrap();
        }
        here.config()
            .check(&"jira".into(), here.dir.path(), &here.http)
            .await
            .unwrap();
        let tracker = here.tracker();
        let ticket = ThreadId::new(&"jira".into(), "2");
        for text in ["Ana knows this best", "Bo does"] {
            tracker
                .comment(&ticket, "suggest", &Markdown(text.into()))
                .await
                .unwrap();
        }
        let to = Handle::new(&"jira".into(), if is_cloud { "acc-ana" } else { "ana" });
        assert_eq!(tracker.assign(&ticket, &to).await.unwrap(), Assigned::Done);
        tracker.add_label(&ticket, "x").await.unwrap();
        tracker
            .verdicts(&ticket, "suggest", Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        tracker.withdraw(&ticket, "suggest").await.unwrap();
        let operations = described(is_cloud).check(&here.sent.calls());
        let known: &[&str] = if is_cloud {
            &[
                "delete /rest/api/3/issue/{issueIdOrKey}/comment/{id}",
                "get /rest/api/3/group/member",
                "get /rest/api/3/issue/{issueIdOrKey}",
                "get /rest/api/3/issue/{issueIdOrKey}/changelog",
                "get /rest/api/3/issue/{issueIdOrKey}/comment",
                "get /rest/api/3/mypermissions",
                "get /rest/api/3/myself",
                "get /rest/api/3/project/search",
                "get /rest/api/3/project/{projectIdOrKey}/role",
                "get /rest/api/3/project/{projectIdOrKey}/role/{id}",
                "get /rest/api/3/serverInfo",
                "get /rest/api/3/user/assignable/search",
                "get /rest/api/3/user/viewissue/search",
                "post /rest/api/3/changelog/bulkfetch",
                "post /rest/api/3/comment/list",
                "post /rest/api/3/issue/bulkfetch",
                "post /rest/api/3/issue/{issueIdOrKey}/comment",
                "post /rest/api/3/search/jql",
                "put /rest/api/3/issue/{issueIdOrKey}",
                "put /rest/api/3/issue/{issueIdOrKey}/assignee",
                "put /rest/api/3/issue/{issueIdOrKey}/comment/{id}",
            ]
        } else {
            &[]
        };
        let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
        if is_cloud {
            assert_eq!(operations, known);
        } else {
            assert!(operations.contains(&"get /api/2/search"), "{operations:?}");
        }
    }
}
