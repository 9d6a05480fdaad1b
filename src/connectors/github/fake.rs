//! A small GitHub on loopback, with a memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub use crate::connectors::loopback::Fault;
use crate::connectors::loopback::{self, Faults};

pub mod app;
mod graphql;

#[derive(Default)]
pub struct Repository {
    pub visibility: &'static str,
    /// `None` when the token may not list them.
    pub collaborators: Option<Vec<&'static str>>,
    pub issues: BTreeMap<u64, Issue>,
    /// `None` when they are switched off.
    pub discussions: Option<BTreeMap<u64, Value>>,
}

#[derive(Default)]
pub struct Issue {
    pub fields: Value,
    pub timeline: Vec<Value>,
    pub comments: Vec<Value>,
    pub inline: Vec<Value>,
    /// Reactions to its comments, by the comment's number.
    pub reactions: BTreeMap<u64, Vec<Value>>,
}

#[derive(Default)]
pub struct Hub {
    pub repositories: BTreeMap<String, Repository>,
    pub faults: Faults,
    /// Every call: method, path and query, and whether the answer was "as before".
    pub calls: Vec<(String, bool)>,
    pub url: String,
    /// Issues that were transferred: where from and where to.
    pub moved: BTreeMap<String, String>,
    /// The token's account may only read.
    pub is_reader: bool,
    /// Headers that tell of the token.
    pub told_of_token: Vec<(&'static str, &'static str)>,
    /// When what is written happens.
    pub now: String,
    /// When there is one, only its tokens are good.
    pub app: Option<app::FakeApp>,
    /// What GraphQL was asked for.
    pub asked: Vec<String>,
    /// The kind of refusal that every query meets.
    pub refuses: Option<&'static str>,
    /// A discussion is shown in part, on a page that leads nowhere.
    pub is_odd: bool,
    next_id: u64,
}

#[derive(Clone)]
pub struct Fake(Arc<Mutex<Hub>>);

pub const TOKEN: &str = "ghp-geheim";
const PAGE: usize = 2;

impl Fake {
    pub async fn start() -> Fake {
        let hub = Arc::new(Mutex::new(Hub::default()));
        let routes = Router::new().fallback(answer).with_state(hub.clone());
        hub.lock().unwrap().url = format!("{}/", loopback::serve(routes).await);
        hub.lock().unwrap().now = "2026-11-23T08:00:00Z".into();
        Fake(hub)
    }

    pub fn get(&self) -> MutexGuard<'_, Hub> {
        self.0.lock().unwrap()
    }

    pub fn repository(&self, name: &str, visibility: &'static str) {
        let repository = Repository {
            visibility,
            collaborators: Some(vec!["Ana"]),
            ..Repository::default()
        };
        self.get().repositories.insert(name.into(), repository);
    }

    /// Opens an issue.
    pub fn open(&self, name: &str, number: u64, at: &str, by: &str, title: &str) {
        let fields = json!({
            "number": number, "state": "open", "title": title, "body": format!("body of {title}"), "user": user(by), "labels": [], "assignees": [],
            "html_url": format!("https://github.com/{name}/issues/{number}"), "created_at": at, "updated_at": at,
        });
        let issue = Issue {
            fields,
            ..Issue::default()
        };
        self.get()
            .repositories
            .get_mut(name)
            .unwrap()
            .issues
            .insert(number, issue);
    }

    /// Lets something happen to an issue.
    pub fn happen(&self, name: &str, number: u64, at: &str, by: &str, event: &str, more: Value) {
        let mut hub = self.get();
        hub.next_id += 1;
        let id = 1_000 + hub.next_id;
        let issue = hub.issue(name, number);
        let mut happening =
            json!({ "id": id, "event": event, "actor": user(by), "created_at": at });
        happening
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        issue.timeline.push(happening);
        issue.fields["updated_at"] = json!(at);
    }

    /// Comments on an issue; returns the comment's number.
    pub fn comment(&self, name: &str, number: u64, at: &str, by: &str, body: &str) -> u64 {
        let mut hub = self.get();
        hub.next_id += 1;
        let id = hub.next_id;
        let issue_url = format!("{}repos/{name}/issues/{number}", hub.url);
        let issue = hub.issue(name, number);
        issue.comments.push(json!({
            "id": id, "body": body, "user": user(by), "created_at": at, "updated_at": at, "issue_url": issue_url,
            "html_url": format!("https://github.com/{name}/issues/{number}#issuecomment-{id}"),
        }));
        issue.fields["updated_at"] = json!(at);
        id
    }

    /// Moves an issue to another repository, where it has to be already.
    pub fn transfer(&self, (from, number): (&str, u64), (to, new): (&str, u64)) {
        let mut hub = self.get();
        hub.repositories
            .get_mut(from)
            .unwrap()
            .issues
            .remove(&number);
        hub.moved.insert(
            format!("/repos/{from}/issues/{number}"),
            format!("repos/{to}/issues/{new}"),
        );
    }

    pub fn fail(&self, part: &'static str, fault: Fault) {
        self.get().faults.add(part, fault);
    }

    /// Returns how many calls had this part in their path, and how many of them brought nothing new.
    pub fn calls_with(&self, part: &str) -> (usize, usize) {
        let hub = self.get();
        let calls: Vec<bool> = hub
            .calls
            .iter()
            .filter(|(call, _)| call.contains(part))
            .map(|(_, same)| *same)
            .collect();
        (calls.len(), calls.iter().filter(|same| **same).count())
    }
}

pub fn user(login: &str) -> Value {
    json!({ "login": login, "type": if login.ends_with("[bot]") { "Bot" } else { "User" } })
}

async fn answer(
    State(hub): State<Arc<Mutex<Hub>>>,
    method: Method,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let mut hub = hub.lock().unwrap();
    let shown = format!("{method} {uri}");
    hub.calls.push((shown.clone(), false));
    let bearer = headers.get("authorization");
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let bearer = bearer.unwrap_or_default();
    let is_let_in = match &mut hub.app {
        Some(app) => app.lets_in(uri.path(), bearer),
        None => bearer == TOKEN,
    };
    if !is_let_in {
        return (
            StatusCode::UNAUTHORIZED,
            axum::Json(json!({ "message": "Bad credentials" })),
        )
            .into_response();
    }
    assert!(headers.contains_key("user-agent") && headers.contains_key("x-github-api-version"));
    let fault = hub.faults.met_by(&shown);
    if let Some(Fault::Status(status, name, value)) = fault {
        let status = StatusCode::from_u16(status).unwrap();
        let said = axum::Json(json!({ "message": "no" }));
        return (status, [(name, value)], said).into_response();
    }
    if let Some(Fault::Cut) = fault {
        return loopback::cut("[{");
    }
    if let Some(to) = hub.moved.get(uri.path()) {
        let to = format!("{}{to}", hub.url);
        return (StatusCode::MOVED_PERMANENTLY, [("location", to)]).into_response();
    }
    let query = loopback::query_of(&uri);
    let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = hub.say(&method, &path, &query, &body);
    if matches!(fault, Some(Fault::AnswerLost)) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let Some(said) = said else {
        return (
            StatusCode::NOT_FOUND,
            axum::Json(json!({ "message": "Not Found" })),
        )
            .into_response();
    };
    let Value::Array(items) = said else {
        let status = if said["message"].is_string() {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::OK
        };
        let mut answer = (status, axum::Json(said)).into_response();
        for (name, value) in &hub.told_of_token {
            answer.headers_mut().insert(*name, value.parse().unwrap());
        }
        return answer;
    };
    let page: usize = query.get("page").map_or(1, |page| page.parse().unwrap());
    let shown: Vec<&Value> = items.iter().skip((page - 1) * PAGE).take(PAGE).collect();
    let etag = format!(
        "\"{:x}\"",
        shown
            .iter()
            .flat_map(|item| item.to_string().into_bytes())
            .fold(7_u64, |hash, byte| hash
                .wrapping_mul(31)
                .wrapping_add(u64::from(byte)))
    );
    if headers
        .get("if-none-match")
        .is_some_and(|value| value == etag.as_str())
    {
        hub.calls.last_mut().unwrap().1 = true;
        return (StatusCode::NOT_MODIFIED, [("etag", etag)]).into_response();
    }
    let mut answer = axum::Json(json!(shown)).into_response();
    answer.headers_mut().insert("etag", etag.parse().unwrap());
    if items.len() > page * PAGE {
        let rest: Vec<String> = query
            .iter()
            .filter(|(name, _)| *name != "page")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let link = format!(
            "<{}{}?{}&page={}>; rel=\"next\", <x>; rel=\"last\"",
            hub.url,
            path.join("/"),
            rest.join("&"),
            page + 1
        );
        answer.headers_mut().insert("link", link.parse().unwrap());
    }
    answer
}

impl Hub {
    fn issue(&mut self, name: &str, number: u64) -> &mut Issue {
        self.repositories
            .get_mut(name)
            .unwrap()
            .issues
            .get_mut(&number)
            .unwrap()
    }

    fn say(
        &mut self,
        method: &Method,
        path: &[&str],
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Option<Value> {
        let since = query.get("since").cloned().unwrap_or_default();
        let [first, rest @ ..] = path else {
            return None;
        };
        if let Some(app) = &mut self.app
            && (*first == "app" || path.last() == Some(&"installation"))
        {
            return app.say(path);
        }
        let writer = self.app.as_ref().map_or("daybrief", |_| "helper[bot]");
        if *first != "repos" {
            return match *first {
                "graphql" => Some(self.ask(body)),
                "user" => Some(user(writer)),
                "rate_limit" => {
                    Some(json!({ "resources": { "core": { "remaining": 4_990, "limit": 5_000 } } }))
                }
                _ => None,
            };
        }
        let [owner, name, rest @ ..] = rest else {
            return None;
        };
        let name = format!("{owner}/{name}");
        let (url, now) = (self.url.clone(), self.now.clone());
        let repository = self.repositories.get_mut(&name)?;
        let by_update = |mut items: Vec<Value>| {
            items.retain(|item| item["updated_at"].as_str().unwrap() >= since.as_str());
            items.sort_by_key(|item| item["updated_at"].as_str().unwrap().to_owned());
            Value::Array(items)
        };
        match rest {
            [] => Some(
                json!({ "full_name": name, "visibility": repository.visibility, "private": repository.visibility != "public",
                    "permissions": { "pull": true, "triage": !self.is_reader, "push": !self.is_reader } }),
            ),
            ["collaborators"] => Some(match &repository.collaborators {
                Some(logins) => logins.iter().map(|login| user(login)).collect(),
                None => json!({ "message": "Must have push access" }),
            }),
            ["issues"] => {
                assert_eq!(query.get("state").map(String::as_str), Some("all"));
                Some(by_update(
                    repository
                        .issues
                        .values()
                        .map(|issue| issue.fields.clone())
                        .collect(),
                ))
            }
            ["issues", "comments"] => Some(by_update(
                repository
                    .issues
                    .values()
                    .flat_map(|issue| issue.comments.clone())
                    .collect(),
            )),
            ["issues", "comments", id] if method == Method::DELETE => {
                let id: u64 = id.parse().ok()?;
                for issue in repository.issues.values_mut() {
                    issue.comments.retain(|comment| comment["id"] != id);
                }
                Some(Value::Null)
            }
            ["issues", "comments", id, "reactions"] => {
                let id: u64 = id.parse().ok()?;
                let mut issues = repository.issues.values();
                Some(
                    issues
                        .find_map(|issue| issue.reactions.get(&id))
                        .into_iter()
                        .flatten()
                        .cloned()
                        .collect(),
                )
            }
            ["issues", "comments", id] => {
                let mut comments = repository
                    .issues
                    .values_mut()
                    .flat_map(|issue| &mut issue.comments);
                let comment = comments.find(|comment| comment["id"].as_u64() == id.parse().ok())?;
                comment["body"] = body["body"].clone();
                Some(comment.clone())
            }
            [kind, number, rest @ ..] => {
                let issue = repository.issues.get_mut(&number.parse().ok()?)?;
                match (*kind, rest) {
                    ("issues", []) => Some(issue.fields.clone()),
                    ("issues", ["timeline"]) => {
                        let mut timeline = issue.timeline.clone();
                        timeline.extend(issue.comments.iter().map(|comment| {
                            let mut happening = comment.clone();
                            happening["event"] = json!("commented");
                            happening["actor"] = comment["user"].clone();
                            happening
                        }));
                        timeline.sort_by_key(|happening| {
                            happening["created_at"]
                                .as_str()
                                .unwrap_or_default()
                                .to_owned()
                        });
                        timeline.insert(
                            0,
                            json!({ "event": "committed", "sha": "00", "author": { "name": "x" } }),
                        );
                        Some(Value::Array(timeline))
                    }
                    ("issues", ["comments"]) if method == Method::POST => {
                        self.next_id += 1;
                        let id = self.next_id;
                        let comment = json!({
                            "id": id, "body": body["body"], "user": user(writer), "created_at": now, "updated_at": now,
                            "issue_url": format!("{url}repos/{name}/issues/{number}"), "html_url": format!("https://github.com/{name}/issues/{number}#issuecomment-{id}"),
                        });
                        issue.comments.push(comment.clone());
                        issue.fields["updated_at"] = json!(now);
                        Some(comment)
                    }
                    ("issues", ["comments"]) => Some(Value::Array(issue.comments.clone())),
                    ("issues", ["assignees", login]) => {
                        let listed = repository.collaborators.as_ref()?;
                        listed
                            .iter()
                            .any(|own| own.eq_ignore_ascii_case(login))
                            .then_some(Value::Null)
                    }
                    ("issues", ["assignees"]) => {
                        let login = body["assignees"][0].as_str()?;
                        let owners = issue.fields["assignees"].as_array_mut().unwrap();
                        owners.retain(|owner| owner["login"] != login);
                        let is_given = method == Method::POST;
                        if is_given {
                            owners.push(user(login));
                        }
                        let event = if is_given { "assigned" } else { "unassigned" };
                        self.next_id += 1;
                        issue.timeline.push(json!({
                            "id": 1_000 + self.next_id, "event": event, "actor": user(writer), "created_at": now, "assignee": user(login),
                        }));
                        issue.fields["updated_at"] = json!(now);
                        Some(issue.fields.clone())
                    }
                    ("issues", ["labels", gone @ ..]) => {
                        issue.fields["updated_at"] = json!(now);
                        let labels = issue.fields["labels"].as_array_mut().unwrap();
                        match gone {
                            [gone] => {
                                labels.retain(|label| label["name"] != gone.replace("%20", " "))
                            }
                            _ => labels.push(json!({ "name": body["labels"][0] })),
                        }
                        Some(Value::Array(labels.clone()))
                    }
                    ("pulls", ["comments"]) => Some(Value::Array(issue.inline.clone())),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
