//! Jira's REST API, of Cloud and of Data Center: how it is called, what it answers, and what its refusals mean for a person.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::connectors::oauth::{GrantError, OAuth};
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
    access: Access,
    id: ConnectorId,
    /// Which Jira it is.
    pub deployment: Deployment,
}

/// What lets calls in.
#[derive(Clone, Debug)]
pub enum Access {
    /// A token that lasts, with the mail address that it belongs to; without one it is a bearer's.
    Token(Option<String>, SecretString),
    /// An app that people let in.
    OAuth(Arc<OAuth>),
}

impl Access {
    /// Returns what stands behind `Authorization:`, and the token in it where that can be changed for another.
    async fn credentials(
        &self,
        refused: Option<&SecretString>,
    ) -> Result<(SecretString, Option<SecretString>), JiraError> {
        Ok(match self {
            Access::Token(Some(user), token) => {
                let pair = format!("{user}:{}", token.expose_secret());
                let engine = base64::engine::general_purpose::STANDARD;
                let basic = format!("Basic {}", engine.encode(pair));
                (SecretString::from(basic), None)
            }
            Access::Token(None, token) => (bearer(token), None),
            Access::OAuth(oauth) => {
                let token = oauth.token(refused).await?;
                (bearer(&token), Some(token))
            }
        })
    }
}

fn bearer(token: &SecretString) -> SecretString {
    SecretString::from(format!("Bearer {}", token.expose_secret()))
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
    /// An app gets no access token.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The token may not do this.
    #[error(
        "the token's account may not {operation} {place} ({said}): give it the project permission {}",
        permission_for(operation)
    )]
    Forbidden {
        /// What was asked for.
        operation: String,
        /// The issue or project.
        place: String,
        /// Jira's own words.
        said: String,
    },
    /// It is not there, or the token cannot see it.
    #[error(
        "{place} is not there, or the token's account cannot see it: check the name, or give the account the project permission \"Browse Projects\""
    )]
    Missing {
        /// What was asked for.
        place: String,
    },
    /// The question makes no sense to it: a project that is not there, a page that is no more.
    #[error(
        "Jira does not understand {operation}: {said}{}",
        advice_for(operation)
    )]
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
    /// Returns a client.
    pub fn new(
        http: &Http,
        api: &Url,
        site: &str,
        access: Access,
        deployment: Deployment,
        id: &ConnectorId,
    ) -> Client {
        Client {
            http: http.clone(),
            api: api.clone(),
            site: site.trim_end_matches('/').to_owned(),
            access,
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
        self.send(self.call(operation, &Method::GET, url, READS))
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
        let call = self.call(operation, &Method::POST, self.address(path)?, READS);
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
        let mut call = self.call(operation, &method, self.address(path)?, WRITES);
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
    fn call(&self, operation: &str, method: &Method, url: Url, pace: Pace) -> Call {
        let scope = Scope::new(format!("{}/{method} {operation}", self.id), pace);
        Call::get(self.id.as_str(), operation, scope, url)
            .header(header::ACCEPT, "application/json")
    }

    /// Sends a call with what lets it in. An access token that is refused is replaced once: what was refused was not carried
    /// out, so that even a write may go again.
    async fn let_in(&self, call: Call) -> Result<Answer, JiraError> {
        let (credentials, token) = self.access.credentials(None).await?;
        let first = call.clone().credentials(credentials.expose_secret())?;
        let answer = self.http.send(first).await?;
        if answer.status != StatusCode::UNAUTHORIZED || token.is_none() {
            return Ok(answer);
        }
        let (credentials, _) = self.access.credentials(token.as_ref()).await?;
        let again = call.credentials(credentials.expose_secret())?;
        Ok(self.http.send(again).await?)
    }

    async fn send(&self, call: Call) -> Result<Answer, JiraError> {
        let (operation, place) = (call.operation.to_string(), place_of(&call.url));
        let answer = self.let_in(call).await?;
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

/// Returns what an account needs for an operation, as Jira's permission schemes call it.
fn permission_for(operation: &str) -> &'static str {
    match operation {
        "issue.addComment" => "\"Add Comments\"",
        "issue.editComment" => "\"Edit Own Comments\"",
        "issue.deleteComment" => "\"Delete Own Comments\"",
        "issue.assign" => "\"Assign Issues\"",
        "issue.edit" => "\"Edit Issues\"",
        "group.members" | "user.viewIssue" | "user.assignable" => {
            "\"Browse Projects\" and the global permission \"Browse users and groups\""
        }
        _ => "\"Browse Projects\"",
    }
}

/// Returns what helps where a question makes no sense to Jira.
fn advice_for(operation: &str) -> &'static str {
    match operation {
        "issue.edit" => "; a field can be set only where it stands on the project's edit screen",
        "issue.assign" => "; only an active account with \"Assignable User\" can be an owner",
        "search.jql" | "search" => "; check the keys under `projects`",
        _ => "",
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

#[cfg(test)]
mod tests {
    use super::*;

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
