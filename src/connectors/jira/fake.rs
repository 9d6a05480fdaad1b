//! A small Jira on loopback, with a memory, in both editions. It has the traps of the real one: dates in questions are read
//! in the zone of the account, the index lags behind, keys move, page tokens run out, answers get lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::adf;
use crate::clock::Clock;
pub use crate::connectors::loopback::Fault;
use crate::connectors::loopback::{self, Faults};

mod answer;
mod say;
mod search;

pub struct Issue {
    pub key: String,
    pub project: (String, String),
    pub fields: Value,
    pub comments: Vec<Value>,
    pub histories: Vec<Value>,
    /// When it changed.
    pub changes: Vec<Timestamp>,
}

pub struct Site {
    pub is_cloud: bool,
    pub clock: Clock,
    /// The zone of the token's account.
    pub zone: TimeZone,
    /// How far the index is behind.
    pub index_delay: SignedDuration,
    pub issues: BTreeMap<u64, Issue>,
    /// Issues that the account cannot see.
    pub hidden: BTreeSet<u64>,
    /// A search shows neither comments nor histories.
    pub is_terse: bool,
    /// Who may read an issue that a level narrows; missing where the account may not know.
    pub viewers: BTreeMap<u64, Vec<&'static str>>,
    /// Groups and roles with their people; missing where the account may not know.
    pub circles: BTreeMap<&'static str, Vec<&'static str>>,
    pub assignable: Vec<&'static str>,
    pub denied: BTreeSet<&'static str>,
    pub faults: Faults,
    /// Every call: method, path and query, and the body.
    pub calls: Vec<(String, Value)>,
    /// When there is one, only its access tokens are good.
    pub app: Option<OAuthApp>,
    /// What is left of the listings that were begun, by token.
    tokens: BTreeMap<String, Vec<Value>>,
    /// At this search of all, this issue changes first.
    pub change_at_search: Option<(usize, u64)>,
    searches: usize,
    next_id: u64,
}

/// An app that people let in, with one refresh token at a time.
pub struct OAuthApp {
    pub refresh_token: String,
    pub access_token: String,
    /// For how many calls an access token is good.
    pub calls_each: usize,
    pub left: usize,
    pub minted: usize,
}

impl OAuthApp {
    /// Changes the present refresh token into the next one; an older one ends everything.
    fn change(&mut self, asked: &Value) -> Result<Value, u16> {
        let is_ours = asked["grant_type"] == "refresh_token"
            && asked["client_id"] == "app"
            && asked["client_secret"] == "geheim-app";
        if !is_ours || asked["refresh_token"] != self.refresh_token.as_str() {
            return Err(403);
        }
        self.minted += 1;
        self.refresh_token = format!("geheim-refresh-{}", self.minted);
        self.access_token = format!("geheim-access-{}", self.minted);
        self.left = self.calls_each;
        Ok(
            json!({ "access_token": self.access_token, "refresh_token": self.refresh_token, "expires_in": 3600, "token_type": "Bearer" }),
        )
    }

    fn lets_in(&mut self, bearer: &str) -> bool {
        let is_good = self.left > 0 && bearer == format!("Bearer {}", self.access_token);
        self.left -= usize::from(is_good);
        is_good
    }
}

#[derive(Clone)]
pub struct Fake {
    site: Arc<Mutex<Site>>,
    pub url: String,
}

pub const TOKEN: &str = "ATATT-geheim";
pub const USER: &str = "bot@example.org";
const PAGE: usize = 2;

impl Fake {
    pub async fn start(is_cloud: bool, clock: Clock) -> Fake {
        let site = Site {
            is_cloud,
            clock,
            zone: TimeZone::get("Australia/Sydney").unwrap(),
            index_delay: SignedDuration::ZERO,
            issues: BTreeMap::new(),
            hidden: BTreeSet::new(),
            is_terse: false,
            viewers: BTreeMap::new(),
            circles: BTreeMap::new(),
            assignable: vec!["ana", "bo"],
            denied: BTreeSet::new(),
            faults: Faults::default(),
            calls: Vec::new(),
            app: None,
            tokens: BTreeMap::new(),
            change_at_search: None,
            searches: 0,
            next_id: 0,
        };
        let site = Arc::new(Mutex::new(site));
        let routes = Router::new()
            .fallback(answer::answer)
            .with_state(site.clone());
        let url = loopback::serve(routes).await;
        Fake { site, url }
    }

    pub fn get(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap()
    }

    /// Opens an issue of project CORE.
    pub fn open(&self, id: u64, at: &str, by: &str, title: &str) {
        let mut site = self.get();
        let fields = json!({
            "summary": title, "description": site.body(&format!("body of *{title}*")), "status": status("To Do"), "priority": { "name": "High" },
            "reporter": site.user(by), "creator": site.user(by), "assignee": null, "labels": [], "components": [{ "id": "1", "name": "parser" }],
            "duedate": null, "issuetype": { "name": "Bug" }, "created": jira_time(at), "issuelinks": [], "security": null,
        });
        let issue = Issue {
            key: format!("CORE-{id}"),
            project: ("10".into(), "CORE".into()),
            fields,
            comments: Vec::new(),
            histories: Vec::new(),
            changes: vec![at.parse().unwrap()],
        };
        site.issues.insert(id, issue);
    }

    /// Comments on an issue; returns the comment's number. `more` is merged into it.
    pub fn comment(&self, id: u64, at: &str, by: &str, text: &str, more: Value) -> u64 {
        let mut site = self.get();
        site.next_id += 1;
        let number = 500 + site.next_id;
        let mut comment = json!({ "id": number.to_string(), "author": site.user(by), "body": site.body(text), "created": jira_time(at), "updated": jira_time(at) });
        let own = comment.as_object_mut().unwrap();
        own.extend(more.as_object().unwrap().clone());
        let issue = site.issues.get_mut(&id).unwrap();
        issue.comments.push(comment);
        issue.changes.push(at.parse().unwrap());
        number
    }

    /// Changes a field; `from` and `to` are values as programs know them, and as people do.
    pub fn change(
        &self,
        id: u64,
        at: &str,
        by: &str,
        field: &str,
        [from, from_text, to, to_text]: [Value; 4],
    ) {
        let mut site = self.get();
        site.next_id += 1;
        let number = 900 + site.next_id;
        let history = json!({ "id": number.to_string(), "author": site.user(by), "created": jira_time(at), "items": [
            { "field": field, "fieldId": field, "from": from, "fromString": from_text, "to": to, "toString": to_text }] });
        let issue = site.issues.get_mut(&id).unwrap();
        issue.histories.push(history);
        issue.changes.push(at.parse().unwrap());
    }

    /// Assigns an issue.
    pub fn assign(&self, id: u64, at: &str, by: &str, to: &str) {
        let (key, user) = {
            let site = self.get();
            let user = site.user(to);
            let key = if site.is_cloud {
                &user["accountId"]
            } else {
                &user["key"]
            };
            (key.clone(), user)
        };
        self.change(
            id,
            at,
            by,
            "assignee",
            [Value::Null, Value::Null, key, json!(to)],
        );
        self.get().issues.get_mut(&id).unwrap().fields["assignee"] = user;
    }

    /// Puts an issue into another state.
    pub fn transition(&self, id: u64, at: &str, by: &str, to: &str) {
        let from = self.get().issues[&id].fields["status"]["name"].clone();
        self.change(
            id,
            at,
            by,
            "status",
            [json!("1"), from, json!("2"), json!(to)],
        );
        self.get().issues.get_mut(&id).unwrap().fields["status"] = status(to);
    }

    pub fn issue<R>(&self, id: u64, act: impl FnOnce(&mut Issue) -> R) -> R {
        act(self.get().issues.get_mut(&id).unwrap())
    }

    pub fn fail(&self, part: &'static str, fault: Fault) {
        self.get().faults.add(part, fault);
    }

    pub fn calls_with(&self, part: &str) -> usize {
        let site = self.get();
        site.calls
            .iter()
            .filter(|(call, _)| call.contains(part))
            .count()
    }
}

/// Returns a time as Jira writes it, in a zone of its own and without the colon.
pub fn jira_time(at: &str) -> String {
    let at: Timestamp = at.parse().unwrap();
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    at.to_zoned(zone)
        .strftime("%Y-%m-%dT%H:%M:%S.000%z")
        .to_string()
}

fn status(name: &str) -> Value {
    let key = match name {
        "Done" => "done",
        "To Do" => "new",
        _ => "indeterminate",
    };
    json!({ "name": name, "statusCategory": { "key": key } })
}

impl Site {
    /// Returns an account; in Data Center its key is another one than its name.
    pub fn user(&self, name: &str) -> Value {
        let kind = if name == "ci" { "app" } else { "atlassian" };
        let mut user =
            json!({ "displayName": format!("{name} Real"), "accountType": kind, "active": true });
        let login = name.to_lowercase();
        if self.is_cloud {
            user["accountId"] = json!(format!("acc-{login}"));
            if login == "ana" {
                user["emailAddress"] = json!("ana@example.org");
                user["timeZone"] = json!("Europe/Lisbon");
            }
        } else {
            user["name"] = json!(name);
            user["key"] = json!(format!("JIRAUSER-{login}"));
        }
        user
    }

    pub fn body(&self, text: &str) -> Value {
        if self.is_cloud {
            adf::from_markdown(text)
        } else {
            json!(text)
        }
    }
}
