//! The discussions of the small GitHub, by GraphQL.

use serde_json::{Value, json};

use super::{Fake, Hub, PAGE};

impl Fake {
    /// Opens a discussion; a repository has none before the first one.
    pub fn discuss(&self, name: &str, number: u64, at: &str, by: &str, title: &str) {
        let topic = json!({
            "title": title, "body": format!("body of {title}"), "url": format!("https://github.com/{name}/discussions/{number}"),
            "number": number, "createdAt": at, "updatedAt": at, "author": actor(by), "comments": [],
        });
        let mut hub = self.get();
        let topics = &mut hub.repositories.get_mut(name).unwrap().discussions;
        topics.get_or_insert_default().insert(number, topic);
    }

    /// Comments on a discussion, or replies to a comment of it; returns the number. The discussion counts as changed only
    /// by a comment.
    pub fn say_there(
        &self,
        name: &str,
        number: u64,
        to: Option<u64>,
        at: &str,
        by: &str,
        body: &str,
    ) -> u64 {
        let mut hub = self.get();
        hub.next_id += 1;
        let id = 500 + hub.next_id;
        let topic = hub.topic(name, number);
        let said = json!({
            "id": format!("DC_{id}"), "databaseId": id, "body": body, "createdAt": at, "author": actor(by), "deletedAt": null,
            "url": format!("https://github.com/{name}/discussions/{number}#discussioncomment-{id}"), "replies": [],
        });
        let comments = topic["comments"].as_array_mut().unwrap();
        match to {
            Some(to) => {
                let parent = comments.iter_mut().find(|known| known["databaseId"] == to);
                parent.unwrap()["replies"]
                    .as_array_mut()
                    .unwrap()
                    .push(said);
            }
            None => {
                comments.push(said);
                topic["updatedAt"] = json!(at);
            }
        }
        id
    }

    /// Chooses a comment as the answer; of it comes only what is asked for.
    pub fn choose(&self, name: &str, number: u64, comment: u64, at: &str, by: &str) {
        let mut hub = self.get();
        let topic = hub.topic(name, number);
        let mut comments = topic["comments"].as_array().unwrap().iter();
        let chosen = comments.find(|known| known["databaseId"] == comment);
        let chosen = chosen.unwrap();
        topic["answer"] =
            json!({ "id": chosen["id"], "databaseId": chosen["databaseId"], "url": chosen["url"] });
        topic["answerChosenAt"] = json!(at);
        topic["answerChosenBy"] = actor(by);
    }
}

fn actor(login: &str) -> Value {
    match login.strip_suffix("[bot]") {
        Some(bare) => json!({ "__typename": "Bot", "login": bare }),
        None => json!({ "__typename": "User", "login": login }),
    }
}

fn page(items: &[Value], after: &Value) -> Value {
    let from = after
        .as_str()
        .map_or(0, |after| after[1..].parse().unwrap());
    let upto = (from + PAGE).min(items.len());
    json!({ "nodes": items[from..upto], "pageInfo": { "hasNextPage": upto < items.len(), "endCursor": format!("c{upto}") } })
}

fn with_replies(comment: &Value) -> Value {
    let mut comment = comment.clone();
    comment["replies"] = page(comment["replies"].as_array().unwrap(), &Value::Null);
    comment
}

impl Hub {
    pub fn topic(&mut self, name: &str, number: u64) -> &mut Value {
        let repository = self.repositories.get_mut(name).unwrap();
        let topics = repository.discussions.as_mut().unwrap();
        topics.get_mut(&number).unwrap()
    }

    /// Answers a query; whatever is wrong comes with a status of success.
    pub(super) fn ask(&mut self, asked: &Value) -> Value {
        let (query, given) = (asked["query"].as_str().unwrap(), &asked["variables"]);
        let text = |key: &str| given[key].as_str().unwrap_or_default();
        let refused = |kind: &str, data: Value| json!({ "data": data, "errors": [{ "type": kind, "message": "Resource not accessible by personal access token" }] });
        if let Some(kind) = self.refuses {
            return refused(kind, json!({ "repository": null }));
        }
        if query.contains("node(id:") {
            self.asked.push("replies".into());
            let mut topics = self
                .repositories
                .values()
                .filter_map(|known| known.discussions.as_ref())
                .flat_map(|topics| topics.values());
            let comment = topics.find_map(|topic| {
                let mut comments = topic["comments"].as_array().unwrap().iter();
                comments.find(|comment| comment["id"] == text("id"))
            });
            let replies = comment.unwrap()["replies"].as_array().unwrap();
            return json!({ "data": { "node": { "replies": page(replies, &given["after"]) } } });
        }
        let name = format!("{}/{}", text("owner"), text("name"));
        let Some(repository) = self.repositories.get(&name) else {
            return refused("NOT_FOUND", json!({ "repository": null }));
        };
        let none = Default::default();
        let topics = repository.discussions.as_ref().unwrap_or(&none);
        if query.contains("discussions(first:") {
            assert!(query.contains("{field: UPDATED_AT, direction: DESC}"));
            self.asked.push("list".into());
            let mut all: Vec<Value> = topics
                .values()
                .map(|topic| json!({ "number": topic["number"], "updatedAt": topic["updatedAt"] }))
                .collect();
            all.sort_by_key(|topic| {
                std::cmp::Reverse(topic["updatedAt"].as_str().unwrap().to_owned())
            });
            return json!({ "data": { "repository": { "hasDiscussionsEnabled": repository.discussions.is_some(), "discussions": page(&all, &given["after"]) } } });
        }
        let number = given["number"].as_u64().unwrap();
        self.asked.push(format!("one {number}"));
        let Some(topic) = topics.get(&number) else {
            return refused("NOT_FOUND", json!({ "repository": { "discussion": null } }));
        };
        let comments: Vec<Value> = topic["comments"]
            .as_array()
            .unwrap()
            .iter()
            .map(with_replies)
            .collect();
        let mut topic = topic.clone();
        topic["comments"] = page(&comments, &given["after"]);
        if self.is_odd {
            topic["comments"] = json!({ "nodes": [null, comments.first()], "pageInfo": { "hasNextPage": true, "endCursor": null } });
            topic["author"] = Value::Null;
            return refused(
                "FORBIDDEN",
                json!({ "repository": { "discussion": topic } }),
            );
        }
        json!({ "data": { "repository": { "discussion": topic } } })
    }
}
