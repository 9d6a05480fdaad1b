//! A ticket without an owner all the way: read by the real connector, suggested for, written to its tracker once, edited
//! when the ticket says something new, answered there and taken back.

use jiff::SignedDuration;
use serde_json::{Value, json};

mod ladder;

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::connectors::{AnySource, github, jira};
use crate::http::{Http, Options};
use crate::ingest;
use crate::store::{people, postings};

const NOW: &str = "2026-11-23T08:00:00Z";
/// How many tickets the past has, twelve hours apart: enough to be sure of it.
const PAST: u64 = 400;
const NEW: u64 = 900;

/// A tracker with a memory.
trait Board {
    /// Opens a ticket; with an owner it is given to them a day later and closed after another.
    fn open(&self, number: u64, at: Timestamp, title: &str, owner: Option<&str>);
    /// Changes a title.
    fn rename(&self, number: u64, at: &str, title: &str);
    /// Somebody writes on a ticket.
    fn say(&self, number: u64, at: &str, by: &str, text: &str);
    /// Returns the comments that carry our mark: id and text.
    fn ours(&self, number: u64) -> Vec<(String, String)>;
    /// Returns who has a ticket.
    fn owner(&self, number: u64) -> Option<String>;
    /// Returns the labels of a ticket.
    fn labels(&self, number: u64) -> Vec<String>;
    /// Somebody takes a label off.
    fn strip(&self, number: u64, at: &str, label: &str);
    /// Somebody deletes our comment.
    fn delete(&self, number: u64);
    /// An owner gives a ticket back.
    fn give_back(&self, number: u64, at: &str, by: &str);
    /// A stranger writes a comment with our mark, as far as the tracker lets them.
    fn forge(&self, number: u64, at: &str);
    /// The answers to the next comment, label and owner of the new ticket are lost.
    fn lose_answers(&self);
    /// The next labels of a ticket are refused.
    fn refuse_label(&self, number: u64);
    /// Returns how often something was written.
    fn writes(&self) -> usize;
}

const REPO: &str = "team/parser";

impl Board for github::fake::Fake {
    fn open(&self, number: u64, at: Timestamp, title: &str, owner: Option<&str>) {
        let by = format!("user{}", number % 7);
        github::fake::Fake::open(self, REPO, number, &at.to_string(), &by, title);
        let Some(owner) = owner else { return };
        let on = |days: i64| (at + SignedDuration::from_hours(24 * days)).to_string();
        let to = json!({ "assignee": github::fake::user(owner) });
        self.happen(REPO, number, &on(1), "lead", "assigned", to);
        self.happen(REPO, number, &on(2), owner, "closed", json!({}));
        let mut hub = self.get();
        let issues = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        let fields = &mut issues.get_mut(&number).unwrap().fields;
        fields["assignees"] = json!([github::fake::user(owner)]);
        fields["state"] = json!("closed");
    }

    fn rename(&self, number: u64, at: &str, title: &str) {
        let mut hub = self.get();
        let issues = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        let fields = &mut issues.get_mut(&number).unwrap().fields;
        (fields["title"], fields["updated_at"]) = (json!(title), json!(at));
    }

    fn say(&self, number: u64, at: &str, by: &str, text: &str) {
        self.comment(REPO, number, at, by, text);
    }

    fn ours(&self, number: u64) -> Vec<(String, String)> {
        let hub = self.get();
        let comments = hub.repositories[REPO].issues[&number].comments.iter();
        comments
            .map(|comment| (comment["id"].to_string(), comment["body"].to_string()))
            .filter(|(_, body)| body.contains("<!-- daybrief:suggestion -->"))
            .collect()
    }

    fn owner(&self, number: u64) -> Option<String> {
        let hub = self.get();
        let fields = &hub.repositories[REPO].issues[&number].fields;
        Some(fields["assignees"][0]["login"].as_str()?.to_lowercase())
    }

    fn labels(&self, number: u64) -> Vec<String> {
        let hub = self.get();
        let labels = hub.repositories[REPO].issues[&number].fields["labels"].clone();
        let labels = labels.as_array().unwrap().iter();
        labels
            .map(|label| label["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn strip(&self, number: u64, at: &str, label: &str) {
        let gone = json!({ "label": { "name": label } });
        self.happen(REPO, number, at, "lead", "unlabeled", gone);
        let mut hub = self.get();
        let issues = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        let labels = &mut issues.get_mut(&number).unwrap().fields["labels"];
        let labels = labels.as_array_mut().unwrap();
        labels.retain(|own| own["name"] != label);
    }

    fn delete(&self, number: u64) {
        let mut hub = self.get();
        let issues = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        let comments = &mut issues.get_mut(&number).unwrap().comments;
        comments.retain(|comment| comment["user"]["login"] != "daybrief");
    }

    fn give_back(&self, number: u64, at: &str, by: &str) {
        let from = json!({ "assignee": github::fake::user(by) });
        self.happen(REPO, number, at, by, "unassigned", from);
        let mut hub = self.get();
        let issues = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        issues.get_mut(&number).unwrap().fields["assignees"] = json!([]);
    }

    fn forge(&self, number: u64, at: &str) {
        let text = "<!-- daybrief:suggestion -->\nMallory knows best.\n\n/take";
        self.comment(REPO, number, at, "mallory", text);
        let mut hub = self.get();
        let issues = &mut hub.repositories.get_mut(REPO).unwrap().issues;
        issues.get_mut(&number).unwrap().fields["body"] = json!(text);
    }

    fn lose_answers(&self) {
        for path in [
            "POST /repos/team/parser/issues/900/comments",
            "POST /repos/team/parser/issues/900/labels",
            "POST /repos/team/parser/issues/900/assignees",
        ] {
            self.fail(path, github::fake::Fault::AnswerLost);
        }
    }

    fn refuse_label(&self, number: u64) {
        let path = match number {
            NEW => "POST /repos/team/parser/issues/900/labels",
            _ => "POST /repos/team/parser/issues/901/labels",
        };
        self.fail(path, github::fake::Fault::Status(403, "x", "y"));
    }

    fn writes(&self) -> usize {
        let kinds = ["POST /repos", "PATCH ", "DELETE "];
        kinds.iter().map(|kind| self.calls_with(kind).0).sum()
    }
}

impl Board for jira::fake::Fake {
    fn open(&self, number: u64, at: Timestamp, title: &str, owner: Option<&str>) {
        let by = format!("user{}", number % 7);
        jira::fake::Fake::open(self, number, &at.to_string(), &by, title);
        let Some(owner) = owner else { return };
        let on = |days: i64| (at + SignedDuration::from_hours(24 * days)).to_string();
        self.assign(number, &on(1), "lead", owner);
        self.transition(number, &on(2), owner, "Done");
    }

    fn rename(&self, number: u64, at: &str, title: &str) {
        let was = self.issue(number, |issue| issue.fields["summary"].clone());
        let values = [was.clone(), was, json!(title), json!(title)];
        self.change(number, at, "lead", "summary", values);
        self.issue(number, |issue| issue.fields["summary"] = json!(title));
    }

    fn say(&self, number: u64, at: &str, by: &str, text: &str) {
        self.comment(number, at, by, text, json!({}));
    }

    fn ours(&self, number: u64) -> Vec<(String, String)> {
        let is_ours = |comment: &&Value| {
            let mut properties = comment["properties"].as_array().into_iter().flatten();
            properties.any(|property| {
                property["key"] == "daybrief" && property["value"]["key"] == "suggestion"
            })
        };
        self.issue(number, |issue| {
            let ours = issue.comments.iter().filter(is_ours);
            ours.map(|comment| (comment["id"].to_string(), comment["body"].to_string()))
                .collect()
        })
    }

    fn owner(&self, number: u64) -> Option<String> {
        let account = self.issue(number, |issue| {
            let owner = &issue.fields["assignee"];
            match &owner["accountId"] {
                Value::Null => owner["name"].clone(),
                account => account.clone(),
            }
        });
        Some(account.as_str()?.trim_start_matches("acc-").to_owned())
    }

    fn labels(&self, number: u64) -> Vec<String> {
        let labels = self.issue(number, |issue| issue.fields["labels"].clone());
        serde_json::from_value(labels).unwrap()
    }

    fn strip(&self, number: u64, at: &str, label: &str) {
        let values = [Value::Null, json!(label), Value::Null, json!("")];
        self.change(number, at, "lead", "labels", values);
        self.issue(number, |issue| {
            let labels = issue.fields["labels"].as_array_mut().unwrap();
            labels.retain(|own| own != label);
        });
    }

    fn delete(&self, number: u64) {
        self.issue(number, |issue| {
            issue
                .comments
                .retain(|comment| comment["author"]["displayName"] != "daybrief Real");
        });
    }

    fn give_back(&self, number: u64, at: &str, by: &str) {
        let key = if self.get().is_cloud {
            format!("acc-{by}")
        } else {
            format!("JIRAUSER-{by}")
        };
        let values = [json!(key), json!(by), Value::Null, Value::Null];
        self.change(number, at, by, "assignee", values);
        self.issue(number, |issue| issue.fields["assignee"] = Value::Null);
    }

    fn forge(&self, number: u64, at: &str) {
        let property = json!({ "key": "daybrief", "value": { "key": "suggestion" } });
        let more = json!({ "properties": [property] });
        let text = "Mallory knows best.\n\n/take";
        self.comment(number, at, "mallory", text, more);
    }

    fn lose_answers(&self) {
        let paths = match self.get().is_cloud {
            true => [
                "POST /rest/api/3/issue/900/comment",
                "PUT /rest/api/3/issue/900",
                "PUT /rest/api/3/issue/900",
            ],
            false => [
                "POST /rest/api/2/issue/900/comment",
                "PUT /rest/api/2/issue/900",
                "PUT /rest/api/2/issue/900",
            ],
        };
        for path in paths {
            self.fail(path, jira::fake::Fault::AnswerLost);
        }
    }

    fn refuse_label(&self, number: u64) {
        let path = match (self.get().is_cloud, number) {
            (true, NEW) => "PUT /rest/api/3/issue/900",
            (true, _) => "PUT /rest/api/3/issue/901",
            (false, NEW) => "PUT /rest/api/2/issue/900",
            (false, _) => "PUT /rest/api/2/issue/901",
        };
        self.fail(path, jira::fake::Fault::Status(403, "x", "y"));
    }

    fn writes(&self) -> usize {
        let site = self.get();
        let writes = site.calls.iter().filter(|(call, _)| {
            let is_list = call.contains("bulkfetch") || call.contains("comment/list");
            call.starts_with("PUT ")
                || call.starts_with("DELETE ")
                || call.starts_with("POST /rest/api/") && call.contains("/issue/") && !is_list
        });
        writes.count()
    }
}

/// A daemon's tickets and the one tracker they come from.
struct Here {
    id: ConnectorId,
    clock: Clock,
    store: Store,
    roster: Roster,
    source: AnySource,
    tickets: Tickets,
    _dir: tempfile::TempDir,
}

impl Here {
    fn new(clock: &Clock, token: &str, table: &str, handles: [&str; 2], triage: &str) -> Here {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), token).unwrap();
        let text = format!(
            "[triage]\n{triage}\n[connectors.tracker]\ntoken_file = \"token\"\nhistory_days = 365\n{table}\n\
             [members.ana]\nname = \"Ana\"\nhandles = {{ tracker = \"{}\" }}\n\
             [members.bo]\nname = \"Bo\"\nhandles = {{ tracker = \"{}\" }}\n",
            handles[0], handles[1]
        );
        let path = dir.path().join("daybrief.toml");
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        let options = Options {
            is_paced: false,
            back_off: Duration::from_millis(1),
            ..Options::default()
        };
        let http = Http::new(options, clock.clone());
        let id = ConnectorId::new("tracker");
        let connector = &config.connectors[&id];
        let tracker = connector.tracker(&id, &config.base, &http).unwrap();
        let watch = Watch::in_config(&config.triage, &config.base).unwrap();
        let members = config.members(clock.now()).unwrap();
        Here {
            source: connector.open(&id, &config.base, &http).unwrap(),
            tickets: Tickets::new(watch, [(id.clone(), tracker.unwrap())].into()),
            store: Store::in_memory().unwrap(),
            roster: Roster::new(members, Vec::new(), Vec::new(), Vec::new()),
            clock: clock.clone(),
            id,
            _dir: dir,
        }
    }

    /// Reads the tracker and looks at its tickets, as the daemon does.
    async fn look(&mut self, at: &str) {
        self.clock.move_to(at.parse().unwrap());
        let clock = self.clock.clone();
        let now = move || clock.now();
        let (store, source) = (&self.store, &mut self.source);
        ingest::sync(store, &self.id, source, &self.roster, now, |_, _| {})
            .await
            .unwrap();
        let known = store.read_now(|c| Ok((people::people(c, None)?, people::spaces(c)?)));
        let (people, spaces) = known.unwrap();
        self.roster = self.roster.renewed(people, spaces);
        let (now, patience) = (self.clock.now(), Duration::from_secs(500));
        self.tickets
            .look(&self.store, &self.roster, now, patience)
            .await
            .unwrap();
        assert!(self.tickets.work.is_none(), "the look is over");
    }
}

/// Who takes what is told by one word of the title.
fn fill(board: &impl Board) {
    let now: Timestamp = NOW.parse().unwrap();
    for number in 1..=PAST {
        let ago = SignedDuration::from_hours(12 * (6 + PAST as i64 - number as i64));
        let (word, owner) = match number * 7_919 % 97 % 2 {
            0 => ("scroll", "ana"),
            _ => ("colour", "bo"),
        };
        let title = format!("{word} breaks in case {number}");
        board.open(number, now - ago, &title, Some(owner));
    }
    let opened_at = now - SignedDuration::from_mins(30);
    board.open(NEW, opened_at, "scroll breaks in the list", None);
}

async fn from_the_suggestion_to_its_undoing(board: &impl Board, mut here: Here) {
    fill(board);
    board.lose_answers();
    here.look(NOW).await;
    let first = board.ours(NEW);
    assert_eq!(first.len(), 1, "one comment, although the answer was lost");
    assert!(first[0].1.contains("Ana"), "{first:?}");
    assert_eq!(board.owner(NEW), None, "it is said, not done");
    let writes = board.writes();
    here.look("2026-11-23T08:05:00Z").await;
    assert_eq!(board.writes(), writes, "said once");

    board.rename(NEW, "2026-11-23T08:06:00Z", "colour breaks in the list");
    here.look("2026-11-23T08:10:00Z").await;
    let second = board.ours(NEW);
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].0, first[0].0, "edited, not repeated");
    assert!(second[0].1.contains("Bo"), "{second:?}");

    board.say(NEW, "2026-11-23T08:11:00Z", "ana", "/take");
    here.look("2026-11-23T08:15:00Z").await;
    assert_eq!(board.owner(NEW).as_deref(), Some("ana"), "a word takes it");

    let (id, now) = (here.id.clone(), here.clock.now());
    let ticket: String = here
        .store
        .read_now(|c| Ok(c.query_row("SELECT ticket FROM postings", [], |row| row.get(0))?))
        .unwrap();
    here.store
        .write_now(|c| postings::undo(c, &id, &ticket, now))
        .unwrap();
    here.look("2026-11-23T08:20:00Z").await;
    assert_eq!((board.ours(NEW).len(), board.owner(NEW)), (0, None));
    board.rename(NEW, "2026-11-23T08:21:00Z", "scroll breaks in the tree");
    here.look("2026-11-23T08:25:00Z").await;
    assert_eq!(board.ours(NEW).len(), 0, "what was undone stays undone");
    let others = (1..=PAST).map(|number| board.ours(number).len());
    assert_eq!(others.sum::<usize>(), 0, "and nothing else is written to");
}

async fn on_github(triage: &str) -> (github::fake::Fake, Here) {
    let clock = Clock::simulated(NOW.parse().unwrap());
    let fake = github::fake::Fake::start().await;
    fake.repository(REPO, "public");
    let may_own = Some(vec!["ana", "bo"]);
    fake.get().repositories.get_mut(REPO).unwrap().collaborators = may_own;
    let table = format!(
        "type = \"github\"\nrepositories = [\"{REPO}\"]\ndiscussions = false\napi_url = \"{}\"",
        fake.get().url
    );
    let here = Here::new(&clock, github::fake::TOKEN, &table, ["ana", "bo"], triage);
    (fake, here)
}

async fn on_jira(is_cloud: bool, triage: &str) -> (jira::fake::Fake, Here) {
    let clock = Clock::simulated(NOW.parse().unwrap());
    let fake = jira::fake::Fake::start(is_cloud, clock.clone()).await;
    let edition = match is_cloud {
        true => format!("user = \"{}\"", jira::fake::USER),
        false => "deployment = \"data-center\"".to_owned(),
    };
    let table = format!(
        "type = \"jira\"\nsite = \"{}\"\n{edition}\naudience = \"everyone\"",
        fake.url,
    );
    let handles = match is_cloud {
        true => ["acc-ana", "acc-bo"],
        false => ["ana", "bo"],
    };
    let here = Here::new(&clock, jira::fake::TOKEN, &table, handles, triage);
    (fake, here)
}

const COMMENT: &str = "mode = \"comment\"";

#[tokio::test]
async fn on_github_a_suggestion_is_one_comment_with_a_hidden_mark() {
    let (fake, here) = on_github(COMMENT).await;
    from_the_suggestion_to_its_undoing(&fake, here).await;
}

#[tokio::test]
async fn on_jira_a_suggestion_is_one_comment_with_a_property() {
    for is_cloud in [true, false] {
        let (fake, here) = on_jira(is_cloud, COMMENT).await;
        from_the_suggestion_to_its_undoing(&fake, here).await;
    }
}
