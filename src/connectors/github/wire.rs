//! What GitHub sends, as far as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::connectors::files::tolerant;

/// An account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// The name people are addressed by.
    #[serde(deserialize_with = "tolerant::text")]
    pub login: String,
    /// `User`, `Bot`, `Organization`.
    #[serde(rename = "type", deserialize_with = "tolerant::text")]
    pub kind: String,
}

/// A repository.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Repository {
    /// `owner/name`, as it is called now.
    pub full_name: String,
    /// `public`, `private`, `internal`.
    #[serde(deserialize_with = "tolerant::text")]
    pub visibility: String,
    /// Whether it is private; older servers know no visibility.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub private: bool,
    /// Whether it can change no more.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub archived: bool,
    /// What the token's account may do there, by role; older servers and apps are told nothing.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub permissions: BTreeMap<String, bool>,
}

impl Repository {
    /// Returns whether anybody may read it.
    pub fn is_public(&self) -> bool {
        !self.private && (self.visibility.is_empty() || self.visibility == "public")
    }
}

/// An issue or a pull request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Issue {
    /// Its number within the repository.
    pub number: u64,
    /// Its page.
    #[serde(deserialize_with = "tolerant::text")]
    pub html_url: String,
    /// `open`, `closed`.
    #[serde(deserialize_with = "tolerant::text")]
    pub state: String,
    /// Its title.
    #[serde(deserialize_with = "tolerant::text")]
    pub title: String,
    /// Its text.
    pub body: Option<String>,
    /// Who opened it.
    pub user: Option<User>,
    /// Its labels.
    #[serde(deserialize_with = "tolerant::texts")]
    pub labels: Vec<String>,
    /// Who owns it.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub assignees: Vec<User>,
    /// What it is planned for.
    pub milestone: Option<Milestone>,
    /// There only on pull requests.
    pub pull_request: Option<PullRequest>,
    /// When it was opened.
    #[serde(deserialize_with = "tolerant::text")]
    pub created_at: String,
    /// When anything of it changed.
    #[serde(deserialize_with = "tolerant::text")]
    pub updated_at: String,
}

/// What an issue is planned for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Milestone {
    /// Until when.
    pub due_on: Option<String>,
}

/// What an issue says of itself as a pull request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PullRequest {
    /// When it was merged.
    pub merged_at: Option<String>,
}

/// A comment on an issue, or on a line of a pull request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Comment {
    /// Its number.
    pub id: u64,
    /// Its text.
    pub body: Option<String>,
    /// Its page.
    #[serde(deserialize_with = "tolerant::text")]
    pub html_url: String,
    /// The issue it stands on.
    #[serde(deserialize_with = "tolerant::text")]
    pub issue_url: String,
    /// Who wrote it.
    pub user: Option<User>,
    /// When it was written.
    #[serde(deserialize_with = "tolerant::text")]
    pub created_at: String,
    /// When it was last changed.
    #[serde(deserialize_with = "tolerant::text")]
    pub updated_at: String,
}

/// Something that happened to an issue. Comments and reviews are among them; each kind has fields of its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Happening {
    /// What happened.
    #[serde(deserialize_with = "tolerant::text")]
    pub event: String,
    /// Its number; commits have none.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub id: u64,
    /// Who did it.
    pub actor: Option<User>,
    /// Who wrote it, for reviews.
    pub user: Option<User>,
    /// When.
    #[serde(deserialize_with = "tolerant::text")]
    pub created_at: String,
    /// When, for reviews.
    #[serde(deserialize_with = "tolerant::text")]
    pub submitted_at: String,
    /// The words of a comment or a review.
    pub body: Option<String>,
    /// Its page.
    #[serde(deserialize_with = "tolerant::text")]
    pub html_url: String,
    /// The outcome of a review.
    #[serde(deserialize_with = "tolerant::text")]
    pub state: String,
    /// The label that came or went.
    pub label: Option<Value>,
    /// Who got it or lost it.
    pub assignee: Option<User>,
    /// Who is asked for a review.
    pub requested_reviewer: Option<User>,
}

/// Somebody's reaction to a comment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reaction {
    /// `+1`, `-1`, `heart` …
    #[serde(deserialize_with = "tolerant::text")]
    pub content: String,
    /// Who.
    pub user: Option<User>,
    /// When.
    #[serde(deserialize_with = "tolerant::text")]
    pub created_at: String,
}

impl Issue {
    /// Returns whether it stands in a repository: GitHub answers with the new place of one that was moved.
    pub fn is_in(&self, repository: &str) -> bool {
        let own = format!("/{repository}/").to_lowercase();
        self.html_url.to_lowercase().contains(&own)
    }
}
