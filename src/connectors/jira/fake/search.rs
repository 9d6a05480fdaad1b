//! What a search finds: as old as the index, with dates in the account's zone, a page at a time.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil};
use serde_json::{Value, json};

use super::{PAGE, Site, jira_time};

pub fn paged(items: &[Value], query: &BTreeMap<String, String>) -> (usize, Vec<Value>) {
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
    /// Returns the last change that the index knows.
    pub(super) fn indexed(&self, id: u64) -> Option<Timestamp> {
        let now = self.clock.now();
        let changes = &self.issues.get(&id)?.changes;
        let known = changes
            .iter()
            .filter(|at| at.saturating_add(self.index_delay).unwrap() <= now);
        known.max().copied()
    }

    pub(super) fn search(&mut self, jql: &str) -> Result<Vec<(u64, Timestamp)>, u16> {
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
    pub(super) fn shown(&self, id: u64, comments: usize) -> Value {
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

    pub(super) fn find(&self, name: &str) -> Result<u64, u16> {
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

    pub(super) fn search_cloud(&mut self, body: &Value) -> Result<Value, u16> {
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
}
