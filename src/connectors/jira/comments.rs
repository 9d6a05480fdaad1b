//! What of ours stands on an issue: one comment, found by a property that programs see and edited instead of repeated; an
//! owner; a label.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::api::{Client, JiraError};
use super::deliver::{all_comments, login_of};
use super::wire::{Comment, Fields, Histories, History, Issue, Property, User, time};
use super::{adf, wiki};
use crate::connectors::Tracker;
use crate::connectors::tracker::{
    Assigned, Receipt, Verdict, VerdictKind, is_plain_key, verdict_in,
};
use crate::http::Method;
use crate::model::{Handle, Markdown, ThreadId};

/// The property of a comment that holds our key.
const PROPERTY: &str = "daybrief";
/// Keeps a comment in a service desk from its customers.
const DESK_PROPERTY: &str = "sd.public.comment";
/// The longest comment Jira takes, in characters, with room for markup.
const LONGEST: usize = 30_000;
/// How many comments are asked about at once.
const COMMENTS: usize = 1_000;

/// The way to write to issues.
#[derive(Clone, Debug)]
pub struct Comments {
    client: Client,
    /// Where a suggested owner is put, if not in the assignee's place.
    owner_field: Option<String>,
    me: Arc<OnceCell<User>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Found {
    values: Vec<Comment>,
}

/// Returns which of these comments are ours, with their keys.
pub async fn ours_among(
    client: &Client,
    comments: &[&Comment],
) -> Result<BTreeMap<String, String>, JiraError> {
    let mut ours = BTreeMap::new();
    if client.is_cloud() {
        for some in comments.chunks(COMMENTS) {
            let ids: Vec<u64> = some
                .iter()
                .filter_map(|comment| comment.id.parse().ok())
                .collect();
            let body = json!({ "ids": ids });
            let found: Found = client
                .ask("comment.list", "comment/list?expand=properties", &body)
                .await?;
            for comment in found.values {
                if let Some(key) = key_in(&comment.properties) {
                    ours.insert(comment.id, key);
                }
            }
        }
        return Ok(ours);
    }
    for comment in comments {
        let path = format!("comment/{}/properties/{PROPERTY}", comment.id);
        match client.get::<Property>("comment.property", &path, &[]).await {
            Ok(property) => {
                ours.extend(key_in(&[property]).map(|key| (comment.id.clone(), key)));
            }
            Err(error) if error.is_about_place() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ours)
}

fn key_in(properties: &[Property]) -> Option<String> {
    let own = properties
        .iter()
        .find(|property| property.key == PROPERTY)?;
    own.value["key"].as_str().map(str::to_owned)
}

/// Returns the whole history of an issue.
pub async fn history_of(client: &Client, issue: &str) -> Result<Vec<History>, JiraError> {
    if !client.is_cloud() {
        let query = [("fields", "updated"), ("expand", "changelog")];
        let issue: Issue = client
            .get("issue.get", &format!("issue/{issue}"), &query)
            .await?;
        return Ok(issue.changelog.unwrap_or_default().histories);
    }
    let path = format!("issue/{issue}/changelog");
    let mut all: Vec<History> = Vec::new();
    loop {
        let start = all.len().to_string();
        let query = [("startAt", start.as_str()), ("maxResults", "100")];
        let page: Histories = client.get("issue.changelog", &path, &query).await?;
        let is_over = page.histories.is_empty();
        all.extend(page.histories);
        if is_over || all.len() >= page.total {
            return Ok(all);
        }
    }
}

impl Comments {
    /// Returns the way to write.
    pub fn new(client: Client, owner_field: Option<String>) -> Comments {
        Comments {
            client,
            owner_field,
            me: Arc::default(),
        }
    }

    async fn me(&self) -> Result<&User, JiraError> {
        let ask = || self.client.get::<User>("myself", "myself", &[]);
        self.me.get_or_try_init(ask).await
    }

    /// Returns all comments of an issue, and ours with this key, if it is there.
    async fn look(
        &self,
        ticket: &ThreadId,
        key: &str,
    ) -> Result<(Vec<Comment>, Option<Comment>), JiraError> {
        let all = all_comments(&self.client, &ticket.id).await?;
        let me = self.me().await?.handle();
        let is_own = |comment: &&Comment| comment.author.as_ref().and_then(User::handle) == me;
        let own: Vec<&Comment> = all.iter().filter(is_own).collect();
        let ours = ours_among(&self.client, &own).await?;
        let found = all
            .iter()
            .find(|comment| ours.get(&comment.id).is_some_and(|own| own == key));
        let found = found.cloned();
        Ok((all, found))
    }

    async fn issue(&self, ticket: &ThreadId) -> Result<Issue, JiraError> {
        let owner = self.owner_name();
        let fields = format!("labels,{owner}");
        let path = format!("issue/{}", ticket.id);
        let mut issue: Value = self
            .client
            .get("issue.get", &path, &[("fields", &fields)])
            .await?;
        // Whatever field holds the owner is read as the assignee.
        let shown = issue["fields"][owner].take();
        issue["fields"]["assignee"] = match shown {
            Value::Array(mut several) if !several.is_empty() => several.swap_remove(0),
            Value::Array(_) => Value::Null,
            one => one,
        };
        let key = issue["key"].as_str().unwrap_or_default().to_owned();
        let fields = Fields::deserialize(&issue["fields"]).unwrap_or_default();
        Ok(Issue {
            id: ticket.id.to_string(),
            key,
            fields,
            changelog: None,
        })
    }

    fn owner_name(&self) -> &str {
        self.owner_field.as_deref().unwrap_or("assignee")
    }

    /// Puts an account, or nobody, where the owner stands.
    async fn put_owner(&self, ticket: &ThreadId, to: Option<&Handle>) -> Result<(), JiraError> {
        let name = if self.client.is_cloud() {
            "accountId"
        } else {
            "name"
        };
        let account = json!({ name: to.map(|to| &*to.id) });
        let (operation, path, body) = match &self.owner_field {
            None => (
                "issue.assign",
                format!("issue/{}/assignee", ticket.id),
                account,
            ),
            Some(field) => {
                let value = if to.is_some() { account } else { Value::Null };
                let body = json!({ "fields": { field.as_str(): value } });
                ("issue.edit", format!("issue/{}", ticket.id), body)
            }
        };
        self.client
            .write(operation, Method::PUT, &path, &body)
            .await?;
        Ok(())
    }

    async fn put_label(&self, ticket: &ThreadId, act: &str, label: &str) -> Result<bool> {
        let label = without_spaces(label);
        let wanted = act == "add";
        let has_label = |issue: &Issue| issue.fields.labels.contains(&label);
        if label.is_empty() || has_label(&self.issue(ticket).await?) == wanted {
            return Ok(false);
        }
        let body = json!({ "update": { "labels": [{ act: label }] } });
        let path = format!("issue/{}", ticket.id);
        let written = self
            .client
            .write("issue.edit", Method::PUT, &path, &body)
            .await;
        let is_done = has_label(&self.issue(ticket).await?) == wanted;
        settled(written.map(|_| ()), is_done)?;
        Ok(true)
    }

    fn receipt(&self, key: &str, comment: &str, is_changed: bool) -> Receipt {
        Receipt {
            id: comment.to_owned(),
            url: format!("{}?focusedCommentId={comment}", self.client.link(key)),
            is_changed,
        }
    }

    /// Returns a comment's body as Jira takes it.
    fn body(&self, text: &str) -> Value {
        if self.client.is_cloud() {
            adf::from_markdown(text)
        } else {
            Value::String(wiki::from_markdown(text))
        }
    }

    /// Returns what a body says, so that two can be compared whatever Jira adds to them.
    fn words(&self, body: &Value) -> String {
        match body {
            Value::String(markup) => wiki::to_markdown(markup).text,
            body => adf::to_markdown(body).text,
        }
    }
}

/// Returns whether something is done that was written and then looked for: it may be there although no answer came.
fn settled(written: Result<(), JiraError>, is_done: bool) -> Result<()> {
    match written {
        Err(JiraError::Http(_)) if is_done => Ok(()),
        other => Ok(other?),
    }
}

/// Jira's labels hold no white space.
fn without_spaces(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join("-")
}

fn ensure_key(key: &str) -> Result<()> {
    ensure!(
        is_plain_key(key),
        "the key of a comment holds only letters, digits, '-', '_' and '.'"
    );
    Ok(())
}

fn ensure_issue(ticket: &ThreadId) -> Result<()> {
    let is_number = !ticket.id.is_empty() && ticket.id.bytes().all(|b| b.is_ascii_digit());
    ensure!(is_number, "{ticket} is no issue of Jira's");
    Ok(())
}

impl Tracker for Comments {
    async fn find(&self, ticket: &ThreadId, key: &str) -> Result<Option<Receipt>> {
        ensure_issue(ticket)?;
        ensure_key(key)?;
        let Some(found) = self.look(ticket, key).await?.1 else {
            return Ok(None);
        };
        let issue = self.issue(ticket).await?;
        Ok(Some(self.receipt(&issue.key, &found.id, false)))
    }

    async fn comment(&self, ticket: &ThreadId, key: &str, text: &Markdown) -> Result<Receipt> {
        ensure_issue(ticket)?;
        ensure_key(key)?;
        let said: String = text.0.chars().take(LONGEST).collect();
        let body = self.body(said.trim());
        let issue = self.issue(ticket).await?.key;
        let path = format!("issue/{}/comment", ticket.id);
        if let (_, Some(found)) = self.look(ticket, key).await? {
            if self.words(&found.body) == self.words(&body) {
                return Ok(self.receipt(&issue, &found.id, false));
            }
            let mut path = format!("{path}/{}", found.id);
            if self.client.is_cloud() {
                // Nobody wants a mail for each change of a suggestion.
                path.push_str("?notifyUsers=false");
            }
            let edit = json!({ "body": body });
            let written = self
                .client
                .write("issue.editComment", Method::PUT, &path, &edit)
                .await;
            let is_done = match &written {
                Err(JiraError::Http(_)) => {
                    let (_, found) = self.look(ticket, key).await?;
                    found.is_some_and(|found| self.words(&found.body) == self.words(&body))
                }
                _ => false,
            };
            settled(written.map(|_| ()), is_done)?;
            return Ok(self.receipt(&issue, &found.id, true));
        }
        // A comment in a service desk would reach its customers.
        let properties = json!([
            { "key": PROPERTY, "value": { "key": key } },
            { "key": DESK_PROPERTY, "value": { "internal": true } },
        ]);
        let post = json!({ "body": body, "properties": properties });
        let posted = self
            .client
            .write("issue.addComment", Method::POST, &path, &post)
            .await;
        match posted {
            Ok(posted) => {
                let id = posted["id"].as_str().map(str::to_owned);
                let id = id.unwrap_or_else(|| posted["id"].to_string());
                Ok(self.receipt(&issue, &id, true))
            }
            // It may be there although no answer came.
            Err(error @ JiraError::Http(_)) => match self.look(ticket, key).await?.1 {
                Some(found) => Ok(self.receipt(&issue, &found.id, true)),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn withdraw(&self, ticket: &ThreadId, key: &str) -> Result<bool> {
        ensure_issue(ticket)?;
        ensure_key(key)?;
        let Some(found) = self.look(ticket, key).await?.1 else {
            return Ok(false);
        };
        let path = format!("issue/{}/comment/{}", ticket.id, found.id);
        let written = self
            .client
            .write("issue.deleteComment", Method::DELETE, &path, &Value::Null)
            .await;
        let is_gone = match &written {
            Err(JiraError::Http(_)) => self.look(ticket, key).await?.1.is_none(),
            _ => false,
        };
        settled(written.map(|_| ()), is_gone)?;
        Ok(true)
    }

    async fn assign(&self, ticket: &ThreadId, to: &Handle) -> Result<Assigned> {
        ensure_issue(ticket)?;
        let issue = self.issue(ticket).await?;
        let owner = issue.fields.assignee.as_ref().and_then(User::handle);
        match owner {
            Some(owner) if *owner == *to.id => return Ok(Assigned::Already),
            Some(owner) => return Ok(Assigned::Owned(Handle::new(&to.connector, owner))),
            None => {}
        }
        let by = if self.client.is_cloud() {
            "accountId"
        } else {
            "username"
        };
        let query = [("issueKey", issue.key.as_str()), (by, &to.id)];
        let users: Vec<User> = self
            .client
            .get("user.assignable", "user/assignable/search", &query)
            .await?;
        let is_them = |user: &User| user.handle().is_some_and(|name| *name == *to.id);
        if !users.iter().any(is_them) {
            return Ok(Assigned::Impossible);
        }
        let written = self.put_owner(ticket, Some(to)).await;
        let owner = self.issue(ticket).await?.fields.assignee;
        let is_done = owner.as_ref().is_some_and(is_them);
        settled(written, is_done)?;
        Ok(if is_done {
            Assigned::Done
        } else {
            Assigned::Impossible
        })
    }

    async fn unassign(&self, ticket: &ThreadId, from: &Handle) -> Result<bool> {
        ensure_issue(ticket)?;
        let owner = async || {
            let issue = self.issue(ticket).await?;
            Ok::<_, JiraError>(issue.fields.assignee.as_ref().and_then(User::handle))
        };
        if owner().await?.as_deref() != Some(&*from.id) {
            return Ok(false);
        }
        let written = self.put_owner(ticket, None).await;
        let is_done = owner().await?.as_deref() != Some(&*from.id);
        settled(written, is_done)?;
        Ok(true)
    }

    async fn add_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        ensure_issue(ticket)?;
        self.put_label(ticket, "add", label).await
    }

    async fn has_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        ensure_issue(ticket)?;
        let labels = self.issue(ticket).await?.fields.labels;
        Ok(labels.contains(&without_spaces(label)))
    }

    async fn remove_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        ensure_issue(ticket)?;
        self.put_label(ticket, "remove", label).await
    }

    /// Jira lets programs see no reactions to comments, so words, owners and what is gone have to do.
    async fn verdicts(
        &self,
        ticket: &ThreadId,
        key: &str,
        since: Timestamp,
    ) -> Result<Vec<Verdict>> {
        ensure_issue(ticket)?;
        ensure_key(key)?;
        let (comments, found) = self.look(ticket, key).await?;
        let me = self.me().await?.handle();
        let by = |author: Option<&User>| {
            let name = author.and_then(User::handle);
            (name.is_none() || name != me)
                .then(|| name.map(|name| Handle::new(&ticket.connector, name)))
        };
        let is_since = |at: &Timestamp| *at >= since;
        let mut verdicts = Vec::new();
        if found.is_none() {
            verdicts.push(Verdict {
                kind: VerdictKind::Removed,
                by: None,
                at: None,
            });
        }
        for comment in &comments {
            let at = time(&comment.created).filter(is_since);
            let said = verdict_in(&self.words(&comment.body));
            if let (Some(at), Some(kind), Some(by)) = (at, said, by(comment.author.as_ref())) {
                let at = Some(at);
                verdicts.push(Verdict { kind, by, at });
            }
        }
        let owner = self.owner_name();
        for past in history_of(&self.client, &ticket.id).await? {
            let at = time(&past.created).filter(is_since);
            let (Some(at), Some(by)) = (at, by(past.author.as_ref())) else {
                continue;
            };
            for item in past.items.iter().filter(|item| item.id() == owner) {
                let to = match &item.to {
                    Some(to) if !self.client.is_cloud() => Some(login_of(&self.client, to).await?),
                    to => to.clone(),
                };
                let to = to.map(|to| to.to_lowercase());
                verdicts.push(Verdict {
                    kind: VerdictKind::Owner(to.map(|to| Handle::new(&ticket.connector, to))),
                    by: by.clone(),
                    at: Some(at),
                });
            }
        }
        verdicts.sort_by_key(|verdict| verdict.at);
        Ok(verdicts)
    }
}
