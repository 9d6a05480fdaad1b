//! What of ours stands on an issue: one comment, found by a marker that nobody sees and edited instead of repeated; an
//! owner; a label.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::api::{Client, GithubError};
use super::normalize::{MARKER, is_by, time};
use super::wire::{Comment, Happening, Issue, Reaction, User};
use crate::connectors::Tracker;
use crate::connectors::tracker::{
    Assigned, Receipt, Verdict, VerdictKind, is_plain_key, verdict_in,
};
use crate::http::Method;
use crate::model::{Handle, Markdown, ThreadId};

/// The longest comment GitHub takes, in characters, with room for the marker.
const LONGEST: usize = 65_000;

/// The way to write to issues.
#[derive(Clone, Debug)]
pub struct Comments {
    client: Client,
    /// Whose token it is, as far as that is known.
    own: Arc<OnceCell<Option<String>>>,
}

/// An issue's repository and its address within the API.
struct Place<'a> {
    repository: &'a str,
    issue: String,
}

impl Comments {
    /// Returns the way to comment.
    pub fn new(client: Client) -> Comments {
        Comments {
            client,
            own: Arc::default(),
        }
    }

    /// Returns the login that the token writes as.
    async fn own(&self) -> Result<&Option<String>, GithubError> {
        self.own.get_or_try_init(|| self.client.login()).await
    }

    async fn is_ours(&self, author: Option<&User>) -> Result<bool, GithubError> {
        let own = self.own().await?;
        Ok(is_by(author, own.as_deref()))
    }

    /// Returns our comment with this marker, if there is one. Somebody else's that holds the marker is not ours.
    async fn find_marked(
        &self,
        place: &Place<'_>,
        marker: &str,
    ) -> Result<Option<Comment>, GithubError> {
        let path = format!("{}/comments", place.issue);
        let comments: Vec<Comment> = self.client.all("issues.comments", &path).await?;
        for comment in comments {
            let body = comment.body.as_deref().unwrap_or_default();
            if body.contains(marker) && self.is_ours(comment.user.as_ref()).await? {
                return Ok(Some(comment));
            }
        }
        Ok(None)
    }

    async fn write(
        &self,
        operation: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<(), GithubError> {
        let written = self.client.write::<Value>(operation, method, path, body);
        written.await.map(|_| ())
    }

    async fn issue(&self, place: &Place<'_>) -> Result<Issue, GithubError> {
        self.client.get("issues.get", &place.issue).await
    }
}

/// Returns what an issue's thread is about; its id is `owner/name#12`.
fn place_of(ticket: &ThreadId) -> Result<Place<'_>> {
    let (repository, number) = ticket
        .id
        .rsplit_once('#')
        .with_context(|| format!("{ticket} is no issue of a repository"))?;
    Ok(Place {
        repository,
        issue: format!("repos/{repository}/issues/{number}"),
    })
}

fn marker_of(key: &str) -> Result<String> {
    ensure!(
        is_plain_key(key),
        "the key of a comment holds only letters, digits, '-', '_' and '.'"
    );
    Ok(format!("{MARKER}{key} -->"))
}

/// Returns whether something is done that was written and then looked for: it may be there although no answer came.
fn settled(written: Result<(), GithubError>, is_done: bool) -> Result<()> {
    match written {
        Err(GithubError::Http(_)) if is_done => Ok(()),
        other => Ok(other?),
    }
}

fn receipt(comment: Comment, is_changed: bool) -> Receipt {
    Receipt {
        id: comment.id.to_string(),
        url: comment.html_url,
        is_changed,
    }
}

fn is_owned_by(issue: &Issue, login: &str) -> bool {
    let mut owners = issue.assignees.iter();
    owners.any(|user| user.login.eq_ignore_ascii_case(login))
}

fn has_label(issue: &Issue, label: &str) -> bool {
    // GitHub's labels have no case.
    let mut labels = issue.labels.iter();
    labels.any(|own| own.to_lowercase() == label.to_lowercase())
}

impl Tracker for Comments {
    async fn find(&self, ticket: &ThreadId, key: &str) -> Result<Option<Receipt>> {
        let found = self
            .find_marked(&place_of(ticket)?, &marker_of(key)?)
            .await?;
        Ok(found.map(|comment| receipt(comment, false)))
    }

    async fn comment(&self, ticket: &ThreadId, key: &str, text: &Markdown) -> Result<Receipt> {
        let (place, marker) = (place_of(ticket)?, marker_of(key)?);
        // Text of others may hold a marker too; only ours may stand there.
        let said: String = text.0.replace(MARKER, "").chars().take(LONGEST).collect();
        let body = format!("{}\n\n{marker}", said.trim_end());
        if let Some(found) = self.find_marked(&place, &marker).await? {
            if found.body.as_deref().map(|body| body.replace("\r\n", "\n")) == Some(body.clone()) {
                return Ok(receipt(found, false));
            }
            let path = format!("repos/{}/issues/comments/{}", place.repository, found.id);
            let (operation, body) = ("issues.updateComment", json!({ "body": body }));
            let edited: Comment = self
                .client
                .write(operation, Method::PATCH, &path, &body)
                .await?;
            return Ok(receipt(edited, true));
        }
        let path = format!("{}/comments", place.issue);
        let (operation, body) = ("issues.createComment", json!({ "body": body }));
        let posted: Result<Comment, GithubError> = self
            .client
            .write(operation, Method::POST, &path, &body)
            .await;
        match posted {
            Ok(posted) => Ok(receipt(posted, true)),
            // It may be there although no answer came.
            Err(error @ GithubError::Http(_)) => match self.find_marked(&place, &marker).await? {
                Some(found) => Ok(receipt(found, true)),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn withdraw(&self, ticket: &ThreadId, key: &str) -> Result<bool> {
        let (place, marker) = (place_of(ticket)?, marker_of(key)?);
        let Some(found) = self.find_marked(&place, &marker).await? else {
            return Ok(false);
        };
        let path = format!("repos/{}/issues/comments/{}", place.repository, found.id);
        let written = self
            .write("issues.deleteComment", Method::DELETE, &path, &Value::Null)
            .await;
        settled(written, self.find_marked(&place, &marker).await?.is_none())?;
        Ok(true)
    }

    async fn assign(&self, ticket: &ThreadId, to: &Handle) -> Result<Assigned> {
        let place = place_of(ticket)?;
        let issue = self.issue(&place).await?;
        if is_owned_by(&issue, &to.id) {
            return Ok(Assigned::Already);
        }
        if let Some(owner) = issue.assignees.first() {
            return Ok(Assigned::Owned(Handle::new(
                &to.connector,
                owner.login.to_lowercase(),
            )));
        }
        if !is_plain_key(&to.id) {
            return Ok(Assigned::Impossible);
        }
        // GitHub leaves out whom an issue cannot be given to, and says nothing.
        let path = format!("{}/assignees/{}", place.issue, to.id);
        match self.client.answer("issues.checkAssignee", &path).await {
            Ok(_) => {}
            Err(GithubError::Missing { .. }) => return Ok(Assigned::Impossible),
            Err(error) => return Err(error.into()),
        }
        let path = format!("{}/assignees", place.issue);
        let body = json!({ "assignees": [&*to.id] });
        let written = self
            .write("issues.addAssignees", Method::POST, &path, &body)
            .await;
        let is_done = is_owned_by(&self.issue(&place).await?, &to.id);
        settled(written, is_done)?;
        Ok(if is_done {
            Assigned::Done
        } else {
            Assigned::Impossible
        })
    }

    async fn unassign(&self, ticket: &ThreadId, from: &Handle) -> Result<bool> {
        let place = place_of(ticket)?;
        if !is_owned_by(&self.issue(&place).await?, &from.id) {
            return Ok(false);
        }
        let path = format!("{}/assignees", place.issue);
        let body = json!({ "assignees": [&*from.id] });
        let written = self
            .write("issues.removeAssignees", Method::DELETE, &path, &body)
            .await;
        let is_done = !is_owned_by(&self.issue(&place).await?, &from.id);
        settled(written, is_done)?;
        Ok(true)
    }

    async fn add_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        let place = place_of(ticket)?;
        if has_label(&self.issue(&place).await?, label) {
            return Ok(false);
        }
        let path = format!("{}/labels", place.issue);
        let body = json!({ "labels": [label] });
        let written = self
            .write("issues.addLabels", Method::POST, &path, &body)
            .await;
        let is_done = has_label(&self.issue(&place).await?, label);
        settled(written, is_done)?;
        Ok(true)
    }

    async fn has_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        let issue = self.issue(&place_of(ticket)?).await?;
        Ok(has_label(&issue, label))
    }

    async fn remove_label(&self, ticket: &ThreadId, label: &str) -> Result<bool> {
        let place = place_of(ticket)?;
        if !has_label(&self.issue(&place).await?, label) {
            return Ok(false);
        }
        let mut url = self
            .client
            .address(&format!("{}/labels", place.issue), &[])?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(label);
        }
        let written = self
            .write(
                "issues.removeLabel",
                Method::DELETE,
                url.as_str(),
                &Value::Null,
            )
            .await;
        let is_done = !has_label(&self.issue(&place).await?, label);
        settled(written, is_done)?;
        Ok(true)
    }

    async fn verdicts(
        &self,
        ticket: &ThreadId,
        key: &str,
        since: Timestamp,
    ) -> Result<Vec<Verdict>> {
        let (place, marker) = (place_of(ticket)?, marker_of(key)?);
        let handle = |user: Option<&User>| {
            user.map(|user| Handle::new(&ticket.connector, user.login.to_lowercase()))
        };
        let mut verdicts = Vec::new();
        match self.find_marked(&place, &marker).await? {
            None => verdicts.push(Verdict {
                kind: VerdictKind::Removed,
                by: None,
                at: None,
            }),
            Some(comment) => {
                let path = format!(
                    "repos/{}/issues/comments/{}/reactions",
                    place.repository, comment.id
                );
                let reactions: Vec<Reaction> =
                    self.client.all("reactions.listForComment", &path).await?;
                for reaction in reactions {
                    let kind = match reaction.content.as_str() {
                        "+1" => VerdictKind::Liked,
                        "-1" => VerdictKind::Disliked,
                        _ => continue,
                    };
                    if !self.is_ours(reaction.user.as_ref()).await? {
                        verdicts.push(Verdict {
                            kind,
                            by: handle(reaction.user.as_ref()),
                            at: time(&reaction.created_at),
                        });
                    }
                }
            }
        }
        let path = format!("{}/timeline", place.issue);
        let timeline: Vec<Value> = self.client.all("issues.timeline", &path).await?;
        for value in timeline {
            let Ok(happening) = Happening::deserialize(value) else {
                continue;
            };
            let Some(at) = time(&happening.created_at).filter(|at| *at >= since) else {
                continue;
            };
            let kind = match happening.event.as_str() {
                "assigned" | "unassigned" => {
                    let Some(of) = handle(happening.assignee.as_ref()) else {
                        continue;
                    };
                    match happening.event.as_str() {
                        "assigned" => VerdictKind::Added(of),
                        _ => VerdictKind::Released(of),
                    }
                }
                "commented" => {
                    let body = happening.body.as_deref().unwrap_or_default();
                    match verdict_in(body).filter(|_| !body.contains(MARKER)) {
                        Some(kind) => kind,
                        None => continue,
                    }
                }
                _ => continue,
            };
            let by = happening.actor.as_ref().or(happening.user.as_ref());
            if !self.is_ours(by).await? {
                let (by, at) = (handle(by), Some(at));
                verdicts.push(Verdict { kind, by, at });
            }
        }
        verdicts.sort_by_key(|verdict| verdict.at);
        Ok(verdicts)
    }
}
