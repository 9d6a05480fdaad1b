//! One comment of ours on an issue: found by a marker that nobody sees, and edited instead of repeated.

use anyhow::{Context, Result};
use serde_json::json;

use super::api::{Client, Comment, GithubError, User};
use super::normalize::MARKER;
use crate::connectors::{Commented, Tracker};
use crate::http::Method;
use crate::model::{Markdown, ThreadId};

/// The longest comment GitHub takes, in characters, with room for the marker.
const LONGEST: usize = 65_000;

/// The way to comment on issues.
#[derive(Clone, Debug)]
pub struct Comments {
    client: Client,
}

impl Comments {
    /// Returns the way to comment.
    pub fn new(client: Client) -> Comments {
        Comments { client }
    }

    /// Returns our comment with this marker, if there is one. Somebody else's that holds the marker is not ours.
    async fn find(&self, issue: &str, marker: &str) -> Result<Option<Comment>, GithubError> {
        let own = match self.client.get::<User>("user", "user").await {
            Ok(user) => Some(user.login),
            // An app has no user of its own; it writes as a program.
            Err(error) if error.is_about_place() => None,
            Err(error) => return Err(error),
        };
        let is_ours = |comment: &Comment| {
            let author = comment.user.as_ref();
            author.is_some_and(|author| match &own {
                Some(own) => author.login == *own,
                None => author.kind == "Bot",
            })
        };
        let comments: Vec<Comment> = self
            .client
            .all("issues.comments", &format!("{issue}/comments"))
            .await?;
        let has_marker = |comment: &Comment| {
            comment
                .body
                .as_deref()
                .is_some_and(|body| body.contains(marker))
        };
        Ok(comments
            .into_iter()
            .find(|comment| has_marker(comment) && is_ours(comment)))
    }
}

impl Tracker for Comments {
    async fn comment(&self, ticket: &ThreadId, key: &str, text: &Markdown) -> Result<Commented> {
        let (name, number) = ticket
            .id
            .rsplit_once('#')
            .with_context(|| format!("{ticket} is no issue of a repository"))?;
        let is_plain = |key: &str| {
            key.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        anyhow::ensure!(
            is_plain(key),
            "the key of a comment holds only letters, digits, '-', '_' and '.'"
        );
        let issue = format!("repos/{name}/issues/{number}");
        let marker = format!("{MARKER}{key} -->");
        // Text of others may hold a marker too; only ours may stand there.
        let said: String = text.0.replace(MARKER, "").chars().take(LONGEST).collect();
        let body = format!("{}\n\n{marker}", said.trim_end());
        let found = self.find(&issue, &marker).await?;
        if let Some(found) = found {
            if found.body.as_deref().map(|body| body.replace("\r\n", "\n")) == Some(body.clone()) {
                return Ok(Commented {
                    url: found.html_url,
                    is_changed: false,
                });
            }
            let path = format!("repos/{name}/issues/comments/{}", found.id);
            let edited: Comment = self
                .client
                .write(
                    "issues.updateComment",
                    Method::PATCH,
                    &path,
                    &json!({ "body": body }),
                )
                .await?;
            return Ok(Commented {
                url: edited.html_url,
                is_changed: true,
            });
        }
        let path = format!("{issue}/comments");
        let posted: Result<Comment, GithubError> = self
            .client
            .write(
                "issues.createComment",
                Method::POST,
                &path,
                &json!({ "body": body }),
            )
            .await;
        match posted {
            Ok(posted) => Ok(Commented {
                url: posted.html_url,
                is_changed: true,
            }),
            // It may be there although no answer came.
            Err(error @ GithubError::Http(_)) => match self.find(&issue, &marker).await? {
                Some(found) => Ok(Commented {
                    url: found.html_url,
                    is_changed: true,
                }),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }
}
