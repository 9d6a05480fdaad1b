//! A ticket as it stands in a line of the file.

use jiff::{Timestamp, civil};
use serde::Deserialize;
use serde_json::Value;

use crate::connectors::files::tolerant;

/// The fields of [`Row`], as they are written.
pub const FIELDS: [&str; 32] = [
    "id",
    "project",
    "product",
    "created_at",
    "updated_at",
    "resolved_at",
    "type",
    "title",
    "body",
    "environment",
    "url",
    "reporter",
    "creator",
    "component",
    "labels",
    "priority",
    "assignee",
    "assignee_placeholder",
    "assignee_known_at",
    "initial_assignee",
    "reviewers",
    "status",
    "resolution",
    "duplicate_of",
    "due",
    "due_date",
    "cc",
    "comments",
    "events",
    // Known, and of no use to a briefing.
    "initial_status",
    "links",
    "versions",
];

/// One line: a ticket with its comments and, where the tracker keeps one, its history.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    /// The visible key.
    #[serde(deserialize_with = "tolerant::text")]
    pub id: String,
    /// The project it belongs to.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub project: Option<String>,
    /// The product, on trackers that have products instead of projects.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub product: Option<String>,
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) created_at: String,
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) updated_at: String,
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) resolved_at: String,
    /// `bug`, `pull_request` …
    #[serde(rename = "type", deserialize_with = "tolerant::text")]
    pub kind: String,
    /// The title.
    #[serde(deserialize_with = "tolerant::text")]
    pub title: String,
    /// The description, without the title.
    #[serde(deserialize_with = "tolerant::text")]
    pub body: String,
    /// Where it was seen.
    #[serde(deserialize_with = "tolerant::text")]
    pub environment: String,
    /// A link of the ticket's own.
    #[serde(deserialize_with = "tolerant::text")]
    pub url: String,
    /// Who has the problem.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub reporter: Option<String>,
    /// Who wrote it down.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub creator: Option<String>,
    /// Parts of the product.
    #[serde(deserialize_with = "tolerant::texts")]
    pub component: Vec<String>,
    /// Labels.
    #[serde(deserialize_with = "tolerant::texts")]
    pub labels: Vec<String>,
    /// Priority.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub priority: Option<String>,
    /// Who owns it now.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub assignee: Option<String>,
    /// Whether that is an inbox and not a person.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub assignee_placeholder: bool,
    /// When the owner became known; later than the truth where the tracker keeps no history.
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) assignee_known_at: String,
    /// Who owned it when it was opened; the outer `None` where the tracker does not tell.
    #[serde(deserialize_with = "tolerant::told")]
    pub initial_assignee: Option<Option<String>>,
    /// Who was asked to review it.
    #[serde(deserialize_with = "tolerant::texts")]
    pub reviewers: Vec<String>,
    /// The status word.
    #[serde(deserialize_with = "tolerant::text")]
    pub status: String,
    /// How it was resolved.
    #[serde(deserialize_with = "tolerant::text")]
    pub resolution: String,
    /// The ticket it repeats.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub duplicate_of: Option<String>,
    /// When it is due.
    #[serde(alias = "due_date", deserialize_with = "tolerant::text")]
    pub(super) due: String,
    /// Who watches it.
    #[serde(deserialize_with = "tolerant::texts")]
    pub cc: Vec<String>,
    /// What was said, oldest first.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub comments: Vec<Comment>,
    /// What was changed, oldest first.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub events: Vec<Change>,
}

/// A comment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Comment {
    /// The tracker's id, if it has one.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub id: Option<String>,
    /// Who wrote it.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub author: Option<String>,
    #[serde(alias = "created_at", deserialize_with = "tolerant::text")]
    pub(super) at: String,
    /// What it says.
    #[serde(alias = "body", deserialize_with = "tolerant::text")]
    pub text: String,
}

/// A row of the history: a field that got another value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Change {
    /// Who changed it.
    #[serde(alias = "author", deserialize_with = "tolerant::maybe_text")]
    pub by: Option<String>,
    #[serde(deserialize_with = "tolerant::text")]
    pub(super) at: String,
    /// The field's name.
    #[serde(deserialize_with = "tolerant::text")]
    pub field: String,
    /// The value before.
    pub from: Value,
    /// The value after.
    pub to: Value,
}

impl Row {
    /// Returns when it was opened.
    pub fn created_at(&self) -> Option<Timestamp> {
        time(&self.created_at)
    }

    /// Returns when its owner became known.
    pub fn assignee_known_at(&self) -> Option<Timestamp> {
        time(&self.assignee_known_at)
    }

    /// Returns when it was resolved.
    pub fn resolved_at(&self) -> Option<Timestamp> {
        time(&self.resolved_at)
    }

    /// Returns when it was last touched.
    pub fn updated_at(&self) -> Option<Timestamp> {
        time(&self.updated_at)
    }
}

impl Comment {
    /// Returns when it was written.
    pub fn at(&self) -> Option<Timestamp> {
        time(&self.at)
    }
}

impl Change {
    /// Returns when it was made.
    pub fn at(&self) -> Option<Timestamp> {
        time(&self.at)
    }

    /// Returns the values before it, none where the field was empty.
    pub fn before(&self) -> Vec<String> {
        match &self.from {
            Value::Array(items) => items
                .iter()
                .cloned()
                .filter_map(tolerant::text_of)
                .collect(),
            other => tolerant::text_of(other.clone()).into_iter().collect(),
        }
    }
}

/// Reads a time with an offset; one without counts as UTC, and a bare date as its midnight.
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    // Jira writes `+0000`, Bugzilla a blank instead of the `T`.
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok())
        .or_else(|| {
            let moment: civil::DateTime = text.parse().ok()?;
            Some(moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        })
        .or_else(|| {
            Timestamp::from_second(
                text.parse::<i64>()
                    .ok()
                    .filter(|seconds| *seconds > 100_000_000)?,
            )
            .ok()
        })
}

/// Reads a date, or the date of a time.
pub fn date(text: &str) -> Option<civil::Date> {
    let text = text.trim();
    text.get(..10).unwrap_or(text).parse().ok()
}
