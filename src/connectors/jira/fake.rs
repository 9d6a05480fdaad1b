//! A small Jira on loopback, with a memory, in both editions. It has the traps of the real one: dates in questions are read
//! in the zone of the account, the index lags behind, keys move, page tokens run out, answers get lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::adf;
use crate::clock::Clock;

/// What the next call that matches meets.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// This status, with a header.
    Status(u16, &'static str, &'static str),
    /// An answer that breaks off.
    Cut,
    /// It is done, but the answer is a 502.
    AnswerLost,
}

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
    pub faults: VecDeque<(&'static str, Fault)>,
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
            faults: VecDeque::new(),
            calls: Vec::new(),
            app: None,
            tokens: BTreeMap::new(),
            change_at_search: None,
            searches: 0,
            next_id: 0,
        };
        let site = Arc::new(Mutex::new(site));
        let routes = Router::new().fallback(answer).with_state(site.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
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
        self.get().faults.push_back((part, fault));
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
fn jira_time(at: &str) -> String {
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

async fn answer(
    State(site): State<Arc<Mutex<Site>>>,
    method: Method,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let mut site = site.lock().unwrap();
    let shown = format!("{method} {uri}");
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    site.calls.push((shown.clone(), body.clone()));
    let expected = if site.is_cloud {
        "Basic Ym90QGV4YW1wbGUub3JnOkFUQVRULWdlaGVpbQ==".to_owned()
    } else {
        format!("Bearer {TOKEN}")
    };
    let refuse = |status: StatusCode, said: &str| {
        (
            status,
            axum::Json(json!({ "errorMessages": [said], "errors": {} })),
        )
            .into_response()
    };
    if let (Some(app), "/oauth/token") = (&mut site.app, uri.path()) {
        return match app.change(&body) {
            Ok(told) => axum::Json(told).into_response(),
            Err(_) => {
                let told = json!({ "error": "invalid_grant", "error_description": "Unknown or invalid refresh token." });
                (StatusCode::FORBIDDEN, axum::Json(told)).into_response()
            }
        };
    }
    let told = headers.get("authorization");
    let told = told
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_let_in = match &mut site.app {
        Some(app) => app.lets_in(told),
        None => told == expected,
    };
    if !is_let_in {
        return refuse(StatusCode::UNAUTHORIZED, "who are you?");
    }
    let at = site
        .faults
        .iter()
        .position(|(part, _)| shown.contains(part));
    let fault = at
        .and_then(|at| site.faults.remove(at))
        .map(|(_, fault)| fault);
    match fault {
        Some(Fault::Status(status, name, value)) => {
            let mut answer = refuse(StatusCode::from_u16(status).unwrap(), "no");
            answer.headers_mut().insert(name, value.parse().unwrap());
            return answer;
        }
        Some(Fault::Cut) => {
            return (
                [("content-length", "900")],
                Body::from_stream(futures_util::stream::iter([
                    Ok::<_, std::io::Error>("{\"issues\":[".to_owned()),
                    Err(std::io::Error::other("cut")),
                ])),
            )
                .into_response();
        }
        Some(Fault::AnswerLost) | None => {}
    }
    let query: BTreeMap<String, String> = reqwest::Url::parse(&format!("http://x{uri}"))
        .unwrap()
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let version = if site.is_cloud {
        "/rest/api/3/"
    } else {
        "/rest/api/2/"
    };
    let Some(path) = uri.path().strip_prefix(version) else {
        return refuse(StatusCode::NOT_FOUND, "another version");
    };
    let path: Vec<&str> = path.split('/').collect();
    let said = site.say(&method, &path, &query, &body);
    if matches!(fault, Some(Fault::AnswerLost)) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    match said {
        Ok(Value::Null) => StatusCode::NO_CONTENT.into_response(),
        Ok(said) => axum::Json(said).into_response(),
        Err(status) => refuse(StatusCode::from_u16(status).unwrap(), "it cannot be"),
    }
}

fn paged(items: &[Value], query: &BTreeMap<String, String>) -> (usize, Vec<Value>) {
    let start: usize = query
        .get("startAt")
        .map_or(0, |start| start.parse().unwrap());
    let asked: usize = query
        .get("maxResults")
        .map_or(PAGE, |most| most.parse().unwrap());
    (
        start,
        items
            .iter()
            .skip(start)
            .take(asked.min(PAGE))
            .cloned()
            .collect(),
    )
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

    /// Returns the last change that the index knows.
    fn indexed(&self, id: u64) -> Option<Timestamp> {
        let now = self.clock.now();
        let changes = &self.issues.get(&id)?.changes;
        let known = changes
            .iter()
            .filter(|at| at.saturating_add(self.index_delay).unwrap() <= now);
        known.max().copied()
    }

    fn search(&mut self, jql: &str) -> Result<Vec<(u64, Timestamp)>, u16> {
        self.searches += 1;
        if let Some((at, id)) = self.change_at_search
            && at == self.searches
        {
            let now = self.clock.now();
            self.issues.get_mut(&id).unwrap().changes.push(now);
        }
        assert!(jql.contains(" ORDER BY "), "{jql}");
        let (question, _) = jql.split_once(" ORDER BY ").unwrap();
        if let Some(ids) = question.strip_prefix("id in (") {
            let ids = ids
                .trim_end_matches(')')
                .split(", ")
                .map(|id| id.parse::<u64>().unwrap());
            let ids: Vec<u64> = ids.collect();
            if ids
                .iter()
                .any(|id| !self.issues.contains_key(id) || self.hidden.contains(id))
            {
                return Err(400);
            }
            return Ok(ids
                .into_iter()
                .map(|id| (id, Timestamp::UNIX_EPOCH))
                .collect());
        }
        let (within, bound) = question.split_once("updated >= ").unwrap();
        let since = match bound.trim_matches('"') {
            number if number.bytes().all(|b| b.is_ascii_digit()) => {
                assert!(self.is_cloud);
                Timestamp::from_millisecond(number.parse().unwrap()).unwrap()
            }
            // A bare date is read in the account's zone; of an hour that comes twice, the second is taken.
            local => {
                let local = civil::DateTime::strptime("%Y-%m-%d %H:%M", local).unwrap();
                self.zone.to_ambiguous_timestamp(local).later().unwrap()
            }
        };
        let keys: Vec<&str> = within.split('"').skip(1).step_by(2).collect();
        if keys.contains(&"GONE") {
            return Err(400);
        }
        let ids = self.issues.iter().filter(|(id, issue)| {
            !self.hidden.contains(id)
                && (keys.is_empty() || keys.contains(&issue.project.1.as_str()))
        });
        let mut found: Vec<(u64, Timestamp)> = ids
            .filter_map(|(id, _)| Some((*id, self.indexed(*id)?)))
            .filter(|(_, at)| *at >= since)
            .collect();
        found.sort_by_key(|(id, at)| (*at, *id));
        Ok(found)
    }

    /// Returns an issue as it is now, whatever the index knows; with some of its comments.
    fn shown(&self, id: u64, comments: usize) -> Value {
        let issue = &self.issues[&id];
        let mut fields = issue.fields.clone();
        let last = issue.changes.iter().max().unwrap();
        fields["updated"] = json!(jira_time(&last.to_string()));
        fields["project"] =
            json!({ "id": issue.project.0, "key": issue.project.1, "name": "Core" });
        let some: Vec<&Value> = issue.comments.iter().take(comments).collect();
        fields["comment"] = json!({ "comments": some, "total": issue.comments.len(), "maxResults": comments, "startAt": 0 });
        json!({ "id": id.to_string(), "key": issue.key, "fields": fields })
    }

    fn find(&self, name: &str) -> Result<u64, u16> {
        let by_key = |name: &str| {
            self.issues
                .iter()
                .find(|(_, issue)| issue.key == name)
                .map(|(id, _)| *id)
        };
        let id = name.parse().ok().or_else(|| by_key(name)).ok_or(404_u16)?;
        if !self.issues.contains_key(&id) || self.hidden.contains(&id) {
            return Err(404);
        }
        Ok(id)
    }

    fn say(
        &mut self,
        method: &Method,
        path: &[&str],
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Result<Value, u16> {
        let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let is_read = method == Method::GET;
        match path {
            ["myself"] => {
                let mut me = self.user("daybrief");
                me["timeZone"] = json!(self.zone.iana_name());
                Ok(me)
            }
            ["serverInfo"] => Ok(
                json!({ "deploymentType": if self.is_cloud { "Cloud" } else { "Server" }, "version": "1001.0.0", "baseUrl": "x" }),
            ),
            ["mypermissions"] => {
                let all = [
                    "BROWSE_PROJECTS",
                    "ADD_COMMENTS",
                    "ASSIGN_ISSUES",
                    "EDIT_ISSUES",
                    "USER_PICKER",
                ];
                let shown: serde_json::Map<String, Value> = all
                    .iter()
                    .map(|key| {
                        (
                            key.to_string(),
                            json!({ "havePermission": !self.denied.contains(key) }),
                        )
                    })
                    .collect();
                Ok(json!({ "permissions": shown }))
            }
            ["project", "search"] | ["project"] => {
                let projects = json!([{ "id": "10", "key": "CORE", "name": "Core" }, { "id": "11", "key": "OPS", "name": "Ops" }]);
                Ok(if self.is_cloud {
                    json!({ "values": projects, "isLast": true })
                } else {
                    projects
                })
            }
            ["search", "jql"] if self.is_cloud => self.search_cloud(body),
            ["search"] if !self.is_cloud => {
                let found = self.search(of("jql"))?;
                let items: Vec<Value> = found
                    .iter()
                    .map(|(id, _)| {
                        let mut shown = self.shown(*id, 1_000);
                        if self.is_terse {
                            shown["fields"]["comment"] = Value::Null;
                        } else {
                            let histories = &self.issues[id].histories;
                            shown["changelog"] = json!({ "histories": histories });
                        }
                        shown
                    })
                    .collect();
                let (start, issues) = paged(&items, query);
                Ok(
                    json!({ "startAt": start, "maxResults": PAGE, "total": items.len(), "issues": issues }),
                )
            }
            ["issue", "bulkfetch"] => {
                let ids: BTreeSet<u64> = body["issueIdsOrKeys"]
                    .as_array()
                    .ok_or(400_u16)?
                    .iter()
                    .filter_map(|id| self.find(id.as_str()?).ok())
                    .collect();
                let issues: Vec<Value> = ids.iter().map(|id| self.shown(*id, PAGE)).collect();
                Ok(json!({ "issues": issues, "issueErrors": [] }))
            }
            ["changelog", "bulkfetch"] => {
                let fields = body["fieldIds"].as_array().ok_or(400_u16)?;
                let mut all: Vec<(String, Value)> = Vec::new();
                for id in body["issueIdsOrKeys"].as_array().ok_or(400_u16)? {
                    let id = id.as_str().unwrap_or_default();
                    let Ok(number) = self.find(id) else { continue };
                    for history in &self.issues[&number].histories {
                        if fields.contains(&history["items"][0]["fieldId"]) {
                            let mut history = history.clone();
                            // This answer alone counts seconds.
                            let at: Timestamp = Timestamp::strptime(
                                "%Y-%m-%dT%H:%M:%S%.f%z",
                                history["created"].as_str().unwrap(),
                            )
                            .unwrap();
                            history["created"] = json!(at.as_second());
                            all.push((id.to_owned(), history));
                        }
                    }
                }
                let start: usize = body["nextPageToken"]
                    .as_str()
                    .map_or(0, |token| token.parse().unwrap());
                let logs: Vec<Value> = all
                    .iter()
                    .skip(start)
                    .take(PAGE)
                    .map(|(id, history)| json!({ "issueId": id, "changeHistories": [history] }))
                    .collect();
                let next = (start + PAGE < all.len()).then(|| (start + PAGE).to_string());
                Ok(json!({ "issueChangeLogs": logs, "nextPageToken": next }))
            }
            ["comment", "list"] => {
                assert_eq!(of("expand"), "properties");
                let ids = body["ids"].as_array().ok_or(400_u16)?;
                let ids: Vec<String> = ids.iter().map(Value::to_string).collect();
                let is_wanted = |comment: &&Value| {
                    let own = comment["id"].as_str().unwrap_or_default();
                    ids.iter().any(|id| id == own)
                };
                let comments = self.issues.values().flat_map(|issue| &issue.comments);
                let wanted: Vec<&Value> = comments.filter(is_wanted).collect();
                Ok(json!({ "values": wanted, "isLast": true }))
            }
            ["comment", id, "properties", key] => {
                let mut comments = self.issues.values().flat_map(|issue| &issue.comments);
                let comment = comments
                    .find(|comment| comment["id"] == *id)
                    .ok_or(404_u16)?;
                let properties = comment["properties"].as_array().ok_or(404_u16)?;
                properties
                    .iter()
                    .find(|property| property["key"] == *key)
                    .cloned()
                    .ok_or(404)
            }
            ["group", "member"] => {
                let name = if query.contains_key("groupId") {
                    of("groupId")
                } else {
                    of("groupname")
                };
                let members = self.circles.get(name).ok_or(403_u16)?;
                let members: Vec<Value> = members.iter().map(|name| self.user(name)).collect();
                let (start, page) = paged(&members, query);
                Ok(json!({ "isLast": start + page.len() >= members.len(), "values": page }))
            }
            ["project", "10", "role"] => Ok(
                json!({ "Developers": "http://x/rest/api/3/project/10/role/7", "Secret": "http://x/role/8" }),
            ),
            ["project", "10", "role", number] => {
                let name = if *number == "7" {
                    "Developers"
                } else {
                    "Secret"
                };
                let members = self.circles.get(name).ok_or(403_u16)?;
                let actors = members.iter().map(|name| {
                    if name.starts_with("staff") {
                        json!({ "type": "atlassian-group-role-actor", "name": name, "actorGroup": { "name": name } })
                    } else {
                        json!({ "type": "atlassian-user-role-actor", "name": name, "actorUser": self.user(name) })
                    }
                });
                Ok(json!({ "name": name, "actors": actors.collect::<Vec<_>>() }))
            }
            ["user", "viewissue", "search"] => {
                let id = self.find(of("issueKey"))?;
                let viewers = self.viewers.get(&id).ok_or(403_u16)?;
                Ok(viewers.iter().map(|name| self.user(name)).collect())
            }
            ["user", "assignable", "search"] => {
                let wanted = of(if self.is_cloud {
                    "accountId"
                } else {
                    "username"
                });
                let users = self.assignable.iter().map(|name| self.user(name));
                // Data Center finds whatever begins like it.
                let is_found = |user: &Value| {
                    if self.is_cloud {
                        user["accountId"] == wanted
                    } else {
                        user["name"].as_str().unwrap().starts_with(&wanted[..1])
                    }
                };
                Ok(users.filter(is_found).collect())
            }
            ["user"] => {
                let key = of("key").strip_prefix("JIRAUSER-").ok_or(404_u16)?;
                if key == "gone" {
                    Err(404)
                } else {
                    Ok(self.user(key))
                }
            }
            ["issue", name, rest @ ..] => {
                let id = self.find(name)?;
                self.say_of_issue(id, method, rest, query, body, is_read)
            }
            _ => Err(404),
        }
    }

    fn search_cloud(&mut self, body: &Value) -> Result<Value, u16> {
        let asked = body["maxResults"].as_u64().unwrap_or(50) as usize;
        let mut items = match body["nextPageToken"].as_str() {
            Some(token) => self.tokens.remove(token).ok_or(400_u16)?,
            None => {
                let found = self.search(body["jql"].as_str().ok_or(400_u16)?)?;
                let shown = |(id, at): &(u64, Timestamp)| json!({ "id": id.to_string(), "fields": { "updated": jira_time(&at.to_string()) } });
                found.iter().map(shown).collect()
            }
        };
        let rest = items.split_off(items.len().min(asked.min(PAGE)));
        let mut said = json!({ "issues": items, "isLast": rest.is_empty() });
        if !rest.is_empty() {
            self.next_id += 1;
            let token = format!("token-{}", self.next_id);
            said["nextPageToken"] = json!(token);
            self.tokens.insert(token, rest);
        }
        Ok(said)
    }

    /// Lets a week go by for the tokens.
    pub fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    fn say_of_issue(
        &mut self,
        id: u64,
        method: &Method,
        path: &[&str],
        query: &BTreeMap<String, String>,
        body: &Value,
        is_read: bool,
    ) -> Result<Value, u16> {
        let now = self.clock.now();
        let me = self.user("daybrief");
        match path {
            [] if is_read => {
                let mut shown = self.shown(id, 1_000);
                if query
                    .get("expand")
                    .is_some_and(|expand| expand == "changelog")
                {
                    shown["changelog"] = json!({ "histories": self.issues[&id].histories });
                }
                Ok(shown)
            }
            [] => {
                let mut values = body["fields"].as_object().cloned().unwrap_or_default();
                let issue = self.issues.get_mut(&id).unwrap();
                for (field, value) in &mut values {
                    issue.fields[field.as_str()] = value.take();
                }
                issue.changes.push(now);
                for act in body["update"]["labels"].as_array().into_iter().flatten() {
                    let labels = issue.fields["labels"].as_array_mut().unwrap();
                    if let Some(label) = act["add"].as_str() {
                        assert!(!label.contains(' '));
                        labels.push(json!(label));
                    }
                    labels.retain(|label| *label != act["remove"]);
                }
                Ok(Value::Null)
            }
            ["assignee"] => {
                let name = body["accountId"]
                    .as_str()
                    .map(|name| name.trim_start_matches("acc-"))
                    .or(body["name"].as_str());
                let user = name.map_or(Value::Null, |name| self.user(name));
                self.next_id += 1;
                let key = if self.is_cloud { "accountId" } else { "key" };
                let number = (900 + self.next_id).to_string();
                let issue = self.issues.get_mut(&id).unwrap();
                let was = std::mem::replace(&mut issue.fields["assignee"], user.clone());
                issue.histories.push(json!({ "id": number, "author": me, "created": jira_time(&now.to_string()), "items": [
                    { "field": "assignee", "fieldId": "assignee", "from": was[key], "fromString": was["displayName"], "to": user[key], "toString": user["displayName"] }] }));
                issue.changes.push(now);
                Ok(Value::Null)
            }
            ["changelog"] => {
                let all = &self.issues[&id].histories;
                let (start, values) = paged(all, query);
                Ok(json!({ "startAt": start, "total": all.len(), "values": values }))
            }
            ["comment"] if is_read => {
                let all = &self.issues[&id].comments;
                let (start, comments) = paged(all, query);
                Ok(json!({ "startAt": start, "total": all.len(), "comments": comments }))
            }
            ["comment"] => {
                self.next_id += 1;
                let number = (500 + self.next_id).to_string();
                let at = jira_time(&now.to_string());
                let comment = json!({ "id": number, "author": me, "body": body["body"], "created": at, "updated": at, "properties": body["properties"] });
                let issue = self.issues.get_mut(&id).unwrap();
                issue.comments.push(comment.clone());
                issue.changes.push(now);
                Ok(comment)
            }
            ["comment", number] => {
                let issue = self.issues.get_mut(&id).unwrap();
                let at = issue
                    .comments
                    .iter()
                    .position(|comment| comment["id"] == *number)
                    .ok_or(404_u16)?;
                if method == Method::DELETE {
                    issue.comments.remove(at);
                    return Ok(Value::Null);
                }
                issue.comments[at]["body"] = body["body"].clone();
                Ok(issue.comments[at].clone())
            }
            _ => Err(404),
        }
    }
}
