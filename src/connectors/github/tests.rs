//! Repositories read through the whole stack and stored, against a GitHub that pages, fails, edits and deletes.

use jiff::Timestamp;
use serde_json::json;

use super::fake::{Fake, Fault, TOKEN, user};
use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::connectors::tracker::Assigned;
use crate::connectors::{Tracker, loopback};
use crate::http::{Options, Recorded};
use crate::ingest::{self, Synced};
use crate::model::{Handle, Markdown, ThreadId};
use crate::roster::Roster;
use crate::spec_check::{Spec, check_if_shared};
use crate::store::{Store, audiences};

mod app;
mod discussions;
mod readers;
mod writing;

struct Here {
    fake: Fake,
    dir: tempfile::TempDir,
    store: Store,
    clock: Clock,
    http: Http,
    sent: Recorded,
    more: String,
    source: Option<GithubSource>,
}

const REPO: &str = "team/parser";

/// Returns a time of Monday 23 November 2026, of the month's `day` or of the clock.
fn on(day: u8, time: &str) -> String {
    format!("2026-11-{day:02}T{time}:00Z")
}

impl Here {
    async fn new() -> Here {
        let clock = Clock::simulated(on(23, "08:00").parse().unwrap());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        let fake = Fake::start().await;
        fake.repository(REPO, "public");
        let (http, sent) = Recorded::http(loopback::hurried(), clock.clone());
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

    fn config(&self) -> GithubConfig {
        let url = self.fake.get().url.clone();
        let repositories = if self.more.contains("repositories") {
            String::new()
        } else {
            format!("repositories = [\"{REPO}\"]\n")
        };
        let token = match self.more.contains("app_id") {
            true => "private_key_file = \"app.pem\"",
            false => "token_file = \"token\"",
        };
        toml::from_str(&format!(
            "{token}\napi_url = \"{url}\"\n{repositories}{}",
            self.more
        ))
        .unwrap()
    }

    fn open(&self) -> GithubSource {
        self.config()
            .open(&"code".into(), self.dir.path(), &self.http)
            .unwrap()
    }

    async fn check(&self) -> Vec<Fact> {
        let config = self.config();
        let id = "code".into();
        let checked = config.check(&id, self.dir.path(), &self.http);
        checked.await.unwrap()
    }

    async fn sync_at(&mut self, now: &str) -> Result<Synced> {
        self.clock.move_to(now.parse().unwrap());
        let mut source = self.source.take().unwrap_or_else(|| self.open());
        let clock = self.clock.clone();
        let now = move || clock.now();
        let roster = Roster::default();
        let synced = ingest::sync(
            &self.store,
            &"code".into(),
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
        let lines = loopback::log(&self.store, from).into_iter();
        lines.map(|line| line.replace(REPO, "")).collect()
    }

    fn query(&self, sql: &str) -> Vec<String> {
        loopback::rows(&self.store, sql)
    }

    fn readers(&self, thread: &str) -> String {
        let config = "[connectors.code]\ntype = \"github\"\n[members.ana]\nhandles = { code = \"Ana\" }\n[members.bo]\nhandles = { code = \"bo\" }\n";
        let config = Config::parse(config, Path::new("x")).unwrap();
        let members = config.members(self.clock.now()).unwrap();
        self.store
            .read_now(|c| {
                let audience: u64 = c.query_row(
                    "SELECT audience FROM threads WHERE id = ?1",
                    [thread],
                    |row| row.get(0),
                )?;
                let mut readers = Vec::new();
                for member in std::iter::once(None).chain(members.iter().map(Some)) {
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

/// Fills a repository: an issue with a life, a pull request with reviews, and a few more so that there are pages.
fn fill(fake: &Fake) {
    fake.open(REPO, 1, &on(2, "09:00"), "Ana", "crash on empty input");
    fake.happen(
        REPO,
        1,
        &on(2, "09:05"),
        "Ana",
        "labeled",
        json!({ "label": { "name": "bug" } }),
    );
    fake.happen(
        REPO,
        1,
        &on(2, "10:00"),
        "bo",
        "assigned",
        json!({ "assignee": user("bo") }),
    );
    fake.comment(REPO, 1, &on(3, "09:00"), "Cy", "@bo can you look?");
    fake.comment(REPO, 1, &on(3, "10:00"), "ci[bot]", "build 12 failed");
    fake.open(REPO, 2, &on(4, "09:00"), "bo", "do not crash");
    {
        let mut hub = fake.get();
        let issue = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        issue.get_mut(&1).unwrap().fields["labels"] = json!([{ "name": "bug" }]);
        issue.get_mut(&1).unwrap().fields["assignees"] = json!([user("bo")]);
        let pull = issue.get_mut(&2).unwrap();
        pull.fields["pull_request"] = json!({ "merged_at": null });
        pull.inline = vec![
            json!({ "id": 77, "body": "why not here?", "user": user("Ana"), "created_at": on(5, "11:00"), "updated_at": on(5, "11:00"), "html_url": "https://github.com/x" }),
        ];
    }
    fake.happen(
        REPO,
        2,
        &on(4, "10:00"),
        "bo",
        "review_requested",
        json!({ "requested_reviewer": user("Ana") }),
    );
    fake.happen(REPO, 2, &on(5, "11:00"), "Ana", "reviewed", json!({ "user": user("Ana"), "state": "commented", "body": "", "submitted_at": on(5, "11:00") }));
    fake.happen(REPO, 2, &on(5, "12:00"), "Cy", "reviewed", json!({ "user": user("Cy"), "state": "approved", "body": null, "submitted_at": on(5, "12:00") }));
    for number in 3..8 {
        fake.open(
            REPO,
            number,
            &on(6, "09:00"),
            "Cy",
            &format!("issue {number}"),
        );
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        check_if_shared(described, &self.sent.calls());
    }
}

/// Returns GitHub's own description of its calls.
fn described() -> Spec {
    // The description at hand is cut to fewer calls than there are.
    Spec::open("github/github-rest.trimmed.openapi.json.gz")
        .newer("get /repos/team/parser/issues/comments/1/reactions", &[])
        .newer(
            "delete /repos/team/parser/issues/1/labels/needs%20owner",
            &[],
        )
        .newer("post /graphql", &[])
        .newer("get /app", &[])
        .newer("get /repos/team/parser/installation", &[])
        .newer("get /repos/other/tool/installation", &[])
}

#[tokio::test]
async fn issues_and_pull_requests_are_read_with_all_that_happened() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let mut log = here.log(0);
    log.retain(|line| line.contains("#1") || line.contains("#2"));
    insta::assert_snapshot!(log.join("\n"), @r"
    opened #1 ana: body of crash on empty input
    labelled #1@e1001 ana
    assigned #1@e1002 bo
    posted #1-c3 cy: @bo can you look?
    posted #1-c4 ci[bot]: build 12 failed
    opened #2 bo: body of do not crash
    review #2@e1005 bo
    posted #2-d77 ana: why not here?
    posted #2-r1007 cy: approved
    ");
    let tickets =
        here.query("SELECT ticket FROM threads WHERE id LIKE '%#1' OR id LIKE '%#2' ORDER BY id");
    assert!(
        tickets[0].contains("\"parser#1\"")
            && tickets[0].contains("bug")
            && tickets[0].contains("bo"),
        "{tickets:?}"
    );
    assert!(tickets[1].contains("pull_request"), "{tickets:?}");
    assert_eq!(
        here.query("SELECT name FROM people WHERE is_bot"),
        ["ci[bot]"]
    );
    assert_eq!(here.readers(&format!("{REPO}#1")), "- ana bo");

    // Nothing changed: short lists are answered with "as before", and no timeline is asked for.
    here.sync_at(&on(23, "08:05")).await.unwrap();
    let (timelines, _) = here.fake.calls_with("timeline");
    assert_eq!(here.sync_at(&on(23, "08:10")).await.unwrap().events, 0);
    assert_eq!(here.fake.calls_with("timeline").0, timelines);
}

#[tokio::test]
async fn an_issue_that_is_deleted_goes_with_all_that_was_said_in_it_when_its_hook_comes() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let before = here.log(0).len();
    {
        let mut hub = here.fake.get();
        let repository = hub.repositories.get_mut(REPO).unwrap();
        repository.issues.remove(&1);
    }
    here.sync_at(&on(23, "09:00")).await.unwrap();
    assert_eq!(here.log(before).len(), 0, "no listing shows it");

    let mut source = here.source.take().unwrap();
    source.hint(&format!("{}#1", REPO.to_uppercase()));
    source.hint("somebody/else#1");
    source.hint("nonsense");
    source.hint(&format!("{REPO}#9999"));
    here.source = Some(source);
    here.sync_at(&on(23, "09:05")).await.unwrap();
    let mut gone = here.log(before);
    gone.sort();
    insta::assert_snapshot!(gone.join("\n"), @r"
    deleted #1-c3~deleted -
    deleted #1-c4~deleted -
    deleted #1~deleted -
    ");
    let words = here.query("SELECT text FROM events WHERE id LIKE '%#1%' AND text <> ''");
    assert!(words.is_empty(), "{words:?}");
}

#[tokio::test]
async fn what_happens_later_is_news_with_who_did_it_and_what_is_old_is_not() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.fake
        .open(REPO, 90, "2024-01-01T00:00:00Z", "Cy", "from long ago");
    let typo = here
        .fake
        .comment(REPO, 90, "2024-01-02T00:00:00Z", "Cy", "an old comment");
    let gone = here
        .fake
        .comment(REPO, 1, &on(20, "09:00"), "Cy", "to be deleted");
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let before = here.log(0).len();
    assert!(
        !here.log(0).iter().any(|line| line.contains("#90")),
        "older than the history that is read"
    );

    here.fake
        .happen(REPO, 1, &on(23, "08:10"), "Ana", "closed", json!({}));
    {
        let mut hub = here.fake.get();
        let issues = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        let first = issues.get_mut(&1).unwrap();
        first.fields["state"] = json!("closed");
        first.comments.retain(|comment| comment["id"] != gone);
        // An edit that does not count as a change of the issue.
        let edited = &mut first.comments[0];
        edited["body"] = json!("@bo can you look today?");
        edited["updated_at"] = json!(on(23, "08:11"));
        let pull = issues.get_mut(&2).unwrap();
        pull.fields["state"] = json!("closed");
        pull.fields["pull_request"] = json!({ "merged_at": on(23, "08:12") });
    }
    here.fake
        .happen(REPO, 2, &on(23, "08:12"), "bo", "merged", json!({}));
    here.fake
        .happen(REPO, 2, &on(23, "08:12"), "bo", "closed", json!({}));
    here.fake
        .comment(REPO, 90, &on(23, "08:13"), "Ana", "still there");
    here.sync_at(&on(23, "08:15")).await.unwrap();
    let mut news = here.log(before);
    news.sort();
    let hash = |line: &String| match line.split_once('~') {
        Some((head, tail)) if !tail.starts_with("deleted") => format!("{head}~{}", &tail[8..]),
        _ => line.clone(),
    };
    insta::assert_snapshot!(news.iter().map(hash).collect::<Vec<_>>().join("\n"), @r"
    deleted #1-c9~deleted -
    edited #1-c3~ cy: @bo can you look today?
    opened #90 cy: body of from long ago
    posted #90-c13 ana: still there
    posted #90-c8 cy: an old comment
    transitioned #1@e1010 ana
    transitioned #2@e1011 bo
    ");
    let learned = here
        .query("SELECT id FROM events WHERE id LIKE '%#90%' AND learned = occurred_at ORDER BY id");
    assert_eq!(
        learned,
        [format!("{REPO}#90"), format!("{REPO}#90-c{typo}")],
        "only its last comment is news"
    );
    assert_eq!(here.sync_at(&on(23, "08:20")).await.unwrap().events, 0);
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_github_fails_or_the_process_dies_anywhere() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let calm = here.log(0);
    assert_eq!(calm.len(), 14, "{calm:#?}");

    let mut here = Here::new().await;
    fill(&here.fake);
    for (part, fault) in [
        ("/issues?", Fault::Status(429, "retry-after", "0.02")),
        ("/timeline", Fault::Status(403, "retry-after", "0.01")),
        ("page=2", Fault::Cut),
        ("/pulls/2/comments", Fault::Status(502, "x", "y")),
        ("/issues/comments", Fault::AnswerLost),
    ] {
        here.fake.fail(part, fault);
    }
    here.sync_at(&on(23, "08:00")).await.unwrap();
    assert!(here.fake.get().faults.is_empty(), "every fault was met");
    assert_eq!(here.log(0), calm);

    // A limit that is used up for longer than anybody waits: the next reading goes on where this one ended.
    let mut here = Here::new().await;
    fill(&here.fake);
    here.fake.fail(
        "/issues/4/timeline",
        Fault::Status(429, "retry-after", "600"),
    );
    let error = format!("{:#}", here.sync_at(&on(23, "08:00")).await.unwrap_err());
    assert!(
        error.contains("allows no further calls before 2026-11-23T08:10:00Z"),
        "{error}"
    );
    here.http = Http::new(
        Options {
            is_paced: false,
            ..Options::default()
        },
        here.clock.clone(),
    );
    here.source = None;
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let (mut got, mut wanted) = (here.log(0), calm.clone());
    got.sort();
    wanted.sort();
    assert_eq!(got, wanted);

    // A new process after every page.
    let here = Here::new().await;
    fill(&here.fake);
    let mut cursor = None;
    for round in 0.. {
        assert!(round < 100, "it comes to an end");
        let page = here.open().fetch(cursor.as_ref()).await.unwrap();
        cursor = page.next.clone().or(cursor);
        let now: Timestamp = on(23, "08:00").parse().unwrap();
        here.store
            .write_now(|c| {
                ingest::store_page(c, &"code".into(), &page, &Roster::default(), now, true)
            })
            .unwrap();
        if !page.more {
            break;
        }
    }
    assert_eq!(here.log(0), calm);
}

#[test]
fn a_table_that_cannot_be_right_is_refused() {
    let http = Http::new(Default::default(), Default::default());
    for (table, expected) in [
        ("", "names no repositories"),
        ("repositories = [\"parser\"]", "not of the form owner/name"),
        ("repositories = [\"a/../b\"]", "not of the form owner/name"),
        ("repositories = [\"a/b\"]", "names no token"),
        (
            "repositories = [\"a/b\"]\napp_id = 1",
            "names no private key",
        ),
        (
            "repositories = [\"a/b\"]\napp_id = 1\ntoken_env = \"A\"",
            "both a token and an app",
        ),
        (
            "repositories = [\"a/b\"]\ninstallation_id = 1",
            "add app_id",
        ),
    ] {
        let config: GithubConfig = toml::from_str(table).unwrap();
        let error = config
            .open(&"code".into(), Path::new("/"), &http)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
#[ignore = "reads the folder that DAYBRIEF_SHARED names"]
async fn every_request_is_one_that_github_describes() {
    let mut here = Here::new().await;
    fill(&here.fake);
    here.fake.repository("team/secret", "private");
    here.more = format!("repositories = [\"{REPO}\", \"team/secret\"]");
    here.sync_at(&on(23, "08:00")).await.unwrap();
    let config = here.config();
    let checked = config
        .check(&"code".into(), here.dir.path(), &here.http)
        .await;
    checked.unwrap();
    let comments = config
        .comments(&"code".into(), here.dir.path(), &here.http)
        .unwrap();
    let ticket = ThreadId::new(&"code".into(), format!("{REPO}#4"));
    for text in ["Ana knows this best", "Bo does"] {
        comments
            .comment(&ticket, "suggest", &Markdown(text.into()))
            .await
            .unwrap();
    }
    here.with_app();
    here.check().await;
    let operations = described().check(&here.sent.calls());
    let known = [
        "get /app",
        "get /rate_limit",
        "get /repos/team/parser/installation",
        "get /repos/{owner}/{repo}",
        "get /repos/{owner}/{repo}/collaborators",
        "get /repos/{owner}/{repo}/issues",
        "get /repos/{owner}/{repo}/issues/comments",
        "get /repos/{owner}/{repo}/issues/{issue_number}/comments",
        "get /repos/{owner}/{repo}/issues/{issue_number}/timeline",
        "get /repos/{owner}/{repo}/pulls/{pull_number}/comments",
        "get /user",
        "patch /repos/{owner}/{repo}/issues/comments/{comment_id}",
        "post /app/installations/{installation_id}/access_tokens",
        "post /graphql",
        "post /repos/{owner}/{repo}/issues/{issue_number}/comments",
    ];
    assert_eq!(
        operations.iter().map(String::as_str).collect::<Vec<_>>(),
        known
    );
}
