//! Jira's REST API, of Cloud and of Data Center: how it is called, what it answers, and what its refusals mean for a person.

use std::time::Duration;

use base64::Engine;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::connectors::files::tolerant;
use crate::http::{
    Answer, Call, Effect, Http, HttpError, Method, Pace, Scope, StatusCode, Url, header,
};
use crate::model::ConnectorId;

/// Jira says no numbers; three calls at a time of a kind are never too many.
const READS: Pace = Pace::per_minute(300).at_once(3);
/// One write at a time, since an issue has a limit of its own.
const WRITES: Pace = Pace {
    every: Duration::from_secs(1),
    burst: 1,
    at_once: 1,
};

/// Which Jira it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployment {
    /// `…atlassian.net`, REST version 3: documents, account ids.
    #[default]
    Cloud,
    /// A server of one's own, REST version 2: wiki markup, logins.
    DataCenter,
}

/// Jira, as one token sees it.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    api: Url,
    /// Where people read issues, without a slash at the end.
    site: String,
    credentials: SecretString,
    id: ConnectorId,
    /// Which Jira it is.
    pub deployment: Deployment,
}

/// Why Jira gave nothing.
#[derive(Clone, Debug, Error)]
pub enum JiraError {
    /// No answer came, or a refusal without a cause that we know.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The token is no good.
    #[error(
        "Jira does not accept the token: make a new one, put it where the config says, and check `user` (Cloud: the mail address that the token belongs to; Data Center: none)"
    )]
    BadToken,
    /// The token may not do this.
    #[error("the token's account may not {operation} {place} ({said})")]
    Forbidden {
        /// What was asked for.
        operation: String,
        /// The issue or project.
        place: String,
        /// Jira's own words.
        said: String,
    },
    /// It is not there, or the token cannot see it.
    #[error("{place} is not there, or the token's account cannot see it")]
    Missing {
        /// What was asked for.
        place: String,
    },
    /// The question makes no sense to it: a project that is not there, a page that is no more.
    #[error("Jira does not understand {operation}: {said}")]
    Misunderstood {
        /// What was asked for.
        operation: String,
        /// Jira's own words.
        said: String,
    },
}

impl JiraError {
    /// Returns whether only this place is out of reach, while others may not be.
    pub fn is_about_place(&self) -> bool {
        matches!(
            self,
            JiraError::Forbidden { .. } | JiraError::Missing { .. }
        )
    }
}

impl Client {
    /// Returns a client. `user` is the mail address that a Cloud token belongs to; without one the token is a bearer's.
    pub fn new(
        http: &Http,
        api: &Url,
        site: &str,
        (user, token): (Option<&str>, &SecretString),
        deployment: Deployment,
        id: &ConnectorId,
    ) -> Client {
        let token = token.expose_secret();
        let credentials = match user {
            Some(user) => {
                let pair = format!("{user}:{token}");
                let engine = base64::engine::general_purpose::STANDARD;
                format!("Basic {}", engine.encode(pair))
            }
            None => format!("Bearer {token}"),
        };
        Client {
            http: http.clone(),
            api: api.clone(),
            site: site.trim_end_matches('/').to_owned(),
            credentials: SecretString::from(credentials),
            id: id.clone(),
            deployment,
        }
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        self.http.clock().now()
    }

    /// Returns whether it is Cloud.
    pub fn is_cloud(&self) -> bool {
        self.deployment == Deployment::Cloud
    }

    /// Returns where people read an issue.
    pub fn link(&self, key: &str) -> String {
        format!("{}/browse/{key}", self.site)
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When Jira cannot be reached or refuses.
    pub async fn get<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, JiraError> {
        let answer = self.answer(operation, path, query).await?;
        Ok(answer.json(operation)?)
    }

    /// Asks for something and returns the whole answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn answer(
        &self,
        operation: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, JiraError> {
        let mut url = self.address(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.call(operation, &Method::GET, url, READS)?)
            .await
    }

    /// Asks a question that is too long for an address.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn ask<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
        body: &Value,
    ) -> Result<T, JiraError> {
        let call = self.call(operation, &Method::POST, self.address(path)?, READS)?;
        let call = call.with_json(Method::POST, body);
        Ok(self.send(call).await?.json(operation)?)
    }

    /// Writes something; nothing below sends it twice. What is answered with nothing is null.
    ///
    /// # Errors
    /// As [`Client::get`]; without an answer it may have been written or not.
    pub async fn write(
        &self,
        operation: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, JiraError> {
        let mut call = self.call(operation, &method, self.address(path)?, WRITES)?;
        call.method = method.clone();
        if !body.is_null() {
            call = call.with_json(method, body);
        }
        let answer = self.send(call.effect(Effect::Write)).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(answer.json(operation)?)
    }

    fn address(&self, path: &str) -> Result<Url, HttpError> {
        let version = match self.deployment {
            Deployment::Cloud => "rest/api/3",
            Deployment::DataCenter => "rest/api/2",
        };
        let path = format!("{version}/{path}");
        self.api.join(&path).map_err(|_| HttpError::Unreadable {
            operation: "an address".into(),
            reason: "a part of it cannot stand there".into(),
        })
    }

    /// Jira limits each method of each address apart: one that is too busy holds up no other.
    fn call(
        &self,
        operation: &str,
        method: &Method,
        url: Url,
        pace: Pace,
    ) -> Result<Call, JiraError> {
        let scope = Scope::new(format!("{}/{method} {operation}", self.id), pace);
        let call = Call::get(self.id.as_str(), operation, scope, url)
            .header(header::ACCEPT, "application/json");
        Ok(call.credentials(self.credentials.expose_secret())?)
    }

    async fn send(&self, call: Call) -> Result<Answer, JiraError> {
        let (operation, place) = (call.operation.to_string(), place_of(&call.url));
        let answer = self.http.send(call).await?;
        let said = || said_by(&answer);
        // A token that has run out reads as nobody, who sees nothing and is told nothing.
        let is_nobody = answer
            .header("x-seraph-loginreason")
            .is_some_and(|reason| reason.contains("FAILED") || reason.contains("DENIED"));
        match answer.status.as_u16() {
            401 => Err(JiraError::BadToken),
            _ if is_nobody => Err(JiraError::BadToken),
            400 => Err(JiraError::Misunderstood {
                operation,
                said: said(),
            }),
            403 => Err(JiraError::Forbidden {
                operation,
                place,
                said: said(),
            }),
            404 | 410 => Err(JiraError::Missing { place }),
            _ if answer.status == StatusCode::NO_CONTENT => Ok(answer),
            _ => Ok(answer.accepted(&operation)?),
        }
    }
}

fn said_by(answer: &Answer) -> String {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let first = value["errorMessages"][0].as_str();
    let field = || value["errors"].as_object()?.values().next()?.as_str();
    let said = first.or_else(field).or_else(|| value["message"].as_str());
    said.unwrap_or("it does not say why")
        .chars()
        .take(160)
        .collect()
}

/// Returns the part of an address that a person knows: `issue/CORE-1`.
fn place_of(url: &Url) -> String {
    let path = url.path();
    let known = path.split_once("/rest/api/").map_or(path, |(_, rest)| rest);
    known
        .split('/')
        .skip(1)
        .take(2)
        .collect::<Vec<_>>()
        .join("/")
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
    /// Its comments, or the first of them.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub comment: Comments,
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

    #[test]
    fn a_refusal_says_what_jira_says() {
        let answer = |body: &'static str| Answer {
            status: StatusCode::BAD_REQUEST,
            headers: Default::default(),
            body: body.into(),
        };
        for (body, expected) in [
            (
                r#"{"errorMessages":["no such project"],"errors":{}}"#,
                "no such project",
            ),
            (
                r#"{"errorMessages":[],"errors":{"labels":"no spaces"}}"#,
                "no spaces",
            ),
            (r#"{"message":"nothing"}"#, "nothing"),
            ("<html>", "it does not say why"),
        ] {
            assert_eq!(said_by(&answer(body)), expected);
        }
        let url = Url::parse("https://x.org/jira/rest/api/2/issue/CORE-1/comment?a=b").unwrap();
        assert_eq!(place_of(&url), "issue/CORE-1");
    }
}
