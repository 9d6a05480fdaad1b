//! What Jira sends, as far as it is read.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::connectors::files::tolerant;

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct User {
    /// Cloud's name for it.
    #[serde(deserialize_with = "tolerant::text")]
    pub account_id: String,
    /// Data Center's login.
    #[serde(deserialize_with = "tolerant::text")]
    pub name: String,
    /// Data Center's name for it, which histories use.
    #[serde(deserialize_with = "tolerant::text")]
    pub key: String,
    /// The name to show.
    #[serde(deserialize_with = "tolerant::text")]
    pub display_name: String,
    /// Its mail address, where its owner shows it.
    #[serde(deserialize_with = "tolerant::text")]
    pub email_address: String,
    /// Its zone, where its owner shows it.
    #[serde(deserialize_with = "tolerant::text")]
    pub time_zone: String,
    /// `atlassian`, `app`, `customer`.
    #[serde(deserialize_with = "tolerant::text")]
    pub account_type: String,
    /// Whether it may still log in; absent where a history names it.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub active: Option<bool>,
}

impl User {
    /// Returns the name by which the account is known in a deployment; accounts have no case.
    pub fn handle(&self) -> Option<String> {
        [&self.account_id, &self.name, &self.key]
            .into_iter()
            .find(|name| !name.is_empty())
            .map(|name| name.to_lowercase())
    }
}

/// Something with a name and a number.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Named {
    /// Its number.
    #[serde(deserialize_with = "tolerant::text")]
    pub id: String,
    /// Its name.
    #[serde(deserialize_with = "tolerant::text")]
    pub name: String,
}

/// A status.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status {
    /// Its word.
    #[serde(deserialize_with = "tolerant::text")]
    pub name: String,
    /// What it means.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub status_category: Category,
}

/// What a status means: `new`, `indeterminate`, `done`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Category {
    /// The word.
    #[serde(deserialize_with = "tolerant::text")]
    pub key: String,
}

/// A project.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Project {
    /// Its number, which stays.
    #[serde(deserialize_with = "tolerant::text")]
    pub id: String,
    /// What the keys of its issues begin with.
    #[serde(deserialize_with = "tolerant::text")]
    pub key: String,
    /// Its name.
    #[serde(deserialize_with = "tolerant::text")]
    pub name: String,
}

/// An issue.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Issue {
    /// Its number, which stays when it moves.
    #[serde(deserialize_with = "tolerant::text")]
    pub id: String,
    /// What people call it.
    #[serde(deserialize_with = "tolerant::text")]
    pub key: String,
    /// What it says.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub fields: Fields,
    /// What happened to it, where that was asked for.
    pub changelog: Option<Histories>,
}

/// The fields that are asked for.
pub const FIELDS: [&str; 19] = [
    "summary",
    "description",
    "status",
    "priority",
    "reporter",
    "creator",
    "assignee",
    "labels",
    "components",
    "duedate",
    "issuetype",
    "created",
    "updated",
    "project",
    "security",
    "comment",
    "issuelinks",
    "resolution",
    "environment",
];

/// What an issue says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Fields {
    /// Its title.
    #[serde(deserialize_with = "tolerant::text")]
    pub summary: String,
    /// Its text: a document, or wiki markup.
    pub description: Value,
    /// What it says about where it happens; as its text.
    pub environment: Value,
    /// Where it stands.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub status: Status,
    /// How much it matters.
    pub priority: Option<Named>,
    /// Who wants it.
    pub reporter: Option<User>,
    /// Who typed it in.
    pub creator: Option<User>,
    /// Who owns it.
    pub assignee: Option<User>,
    /// Its labels.
    #[serde(deserialize_with = "tolerant::texts")]
    pub labels: Vec<String>,
    /// Its components.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub components: Vec<Named>,
    /// Until when: a date.
    #[serde(deserialize_with = "tolerant::text")]
    pub duedate: String,
    /// `Bug`, `Story` …
    pub issuetype: Option<Named>,
    /// When it was opened.
    pub created: Value,
    /// When anything of it changed.
    pub updated: Value,
    /// Where it stands.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub project: Project,
    /// The level that narrows who may read it.
    pub security: Option<Named>,
    /// Its comments, or the first of them; some servers show them apart only.
    pub comment: Option<Comments>,
    /// What it has to do with others.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub issuelinks: Vec<IssueLink>,
}

/// A page of comments.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Comments {
    /// The comments.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub comments: Vec<Comment>,
    /// How many there are altogether.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub total: usize,
}

/// A comment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Comment {
    /// Its number.
    #[serde(deserialize_with = "tolerant::text")]
    pub id: String,
    /// Who wrote it.
    pub author: Option<User>,
    /// What it says: a document, or wiki markup.
    pub body: Value,
    /// When it was written.
    pub created: Value,
    /// Who alone may read it.
    pub visibility: Option<Visibility>,
    /// False for a note that customers do not see.
    pub jsd_public: Option<bool>,
    /// What programs keep with it, where that was asked for.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub properties: Vec<Property>,
}

/// Who alone may read a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub struct Visibility {
    /// `role` or `group`.
    #[serde(rename = "type", deserialize_with = "tolerant::text")]
    pub kind: String,
    /// Its name.
    #[serde(deserialize_with = "tolerant::text")]
    pub value: String,
    /// Its number.
    #[serde(deserialize_with = "tolerant::text")]
    pub identifier: String,
}

/// What a program keeps with a comment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Property {
    /// Its name.
    pub key: String,
    /// What it keeps.
    pub value: Value,
}

/// What an issue has to do with another one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IssueLink {
    /// `Duplicate`, `Blocks` …
    #[serde(rename = "type", deserialize_with = "tolerant::or_default")]
    pub kind: Named,
    /// The other one, if this one does it to that one.
    pub outward_issue: Option<Other>,
}

/// The other end of a link.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Other {
    /// What people call it.
    pub key: String,
}

/// What happened to an issue.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Histories {
    /// One entry for whatever was changed at once; as issues show it.
    #[serde(alias = "values", alias = "changeHistories")]
    pub histories: Vec<History>,
    /// How many there are altogether, where that is told.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub total: usize,
}

/// What was changed at once.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct History {
    /// Its number.
    #[serde(deserialize_with = "tolerant::text")]
    pub id: String,
    /// Who.
    pub author: Option<User>,
    /// When.
    pub created: Value,
    /// What.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub items: Vec<Item>,
}

/// A field that was changed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Item {
    /// The field's name.
    #[serde(deserialize_with = "tolerant::text")]
    pub field: String,
    /// The field's id, where that is told.
    #[serde(deserialize_with = "tolerant::text")]
    pub field_id: String,
    /// The value before, as programs know it.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub from: Option<String>,
    /// The value before, as people know it.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub from_string: Option<String>,
    /// The value after, as programs know it.
    #[serde(deserialize_with = "tolerant::maybe_text")]
    pub to: Option<String>,
    /// The value after, as people know it.
    #[serde(rename = "toString", deserialize_with = "tolerant::maybe_text")]
    pub to_text: Option<String>,
}

impl Item {
    /// Returns the field's id; older servers tell only its name.
    pub fn id(&self) -> &str {
        if self.field_id.is_empty() {
            &self.field
        } else {
            &self.field_id
        }
    }
}

/// Returns a time of Jira's: a text whose zone may lack its colon, or a number of seconds or milliseconds.
pub fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text
            .parse()
            .ok()
            .or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()),
        // No moment before 1973 in milliseconds, none after 5138 in seconds.
        value => match value.as_i64()? {
            number if number.abs() < 100_000_000_000 => Timestamp::from_second(number).ok(),
            number => Timestamp::from_millisecond(number).ok(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_read_in_each_of_jiras_ways() {
        let expected: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        for value in [
            json!("2026-11-23T08:00:00.000+0000"),
            json!("2026-11-23T19:00:00.000+1100"),
            json!("2026-11-23T08:00:00Z"),
            json!(expected.as_second()),
            json!(expected.as_millisecond()),
        ] {
            assert_eq!(time(&value), Some(expected), "{value}");
        }
        assert_eq!(time(&json!("soon")), None);
        assert_eq!(time(&Value::Null), None);
    }
}
