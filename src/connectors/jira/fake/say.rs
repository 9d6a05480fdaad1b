//! What is said to each call, and what writing changes.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::search::paged;
use super::{PAGE, Site, jira_time};

impl Site {
    pub(super) fn say(
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
                let ids: Vec<Value> = found.iter().map(|(id, _)| json!(id)).collect();
                let (start, ids) = paged(&ids, query);
                let show = |id: &Value| {
                    let id = id.as_u64().unwrap();
                    let mut shown = self.shown(id, 1_000);
                    if self.is_terse {
                        shown["fields"]["comment"] = Value::Null;
                    } else {
                        let histories = &self.issues[&id].histories;
                        shown["changelog"] = json!({ "histories": histories });
                    }
                    shown
                };
                let issues: Vec<Value> = ids.iter().map(show).collect();
                Ok(
                    json!({ "startAt": start, "maxResults": PAGE, "total": found.len(), "issues": issues }),
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

    pub(super) fn say_of_issue(
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
