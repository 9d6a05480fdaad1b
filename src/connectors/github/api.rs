//! GitHub's REST API: how it is called, what it answers, and what its refusals mean for a person.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;

use super::app::{Access, Kept};
use super::wire::User;
use crate::http::{
    Answer, Call, Effect, Http, HttpError, Method, Pace, Scope, StatusCode, Url, header,
};
use crate::model::ConnectorId;

/// Where the API is.
pub const API: &str = "https://api.github.com/";
/// The version of the API that this file is written for.
const VERSION: &str = "2022-11-28";

/// GitHub allows 900 points a minute; a read costs one of them.
pub const READS: Pace = Pace::per_minute(600).at_once(10);
/// GitHub allows 2,000 points a minute to GraphQL, and a query of ours costs one or two.
const QUERIES: Pace = Pace::per_minute(120).at_once(2);
/// Whatever makes a notification: no more than one a second, and one at a time.
const WRITES: Pace = Pace {
    every: Duration::from_secs(1),
    burst: 1,
    at_once: 1,
};

/// GitHub, as one token or one app sees it.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    api: Url,
    access: Access,
    id: ConnectorId,
}

/// Why GitHub gave nothing.
#[derive(Clone, Debug, Error)]
pub enum GithubError {
    /// No answer came, or a refusal without a cause that we know.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The token is no good.
    #[error(
        "GitHub does not accept the token: make a new one (a fine-grained personal access token with read access to issues, pull requests and metadata) and put it where the config says"
    )]
    BadToken,
    /// The app's signature is no good.
    #[error(
        "GitHub does not accept the app's signature: check that app_id and the private key belong together, and that this machine's clock is right ({said})"
    )]
    BadApp {
        /// GitHub's own words.
        said: String,
    },
    /// The app is not where it should read.
    #[error(
        "the app is not installed for {place}: install it there (Settings, Applications, Configure), or correct installation_id"
    )]
    NotInstalled {
        /// The repository.
        place: String,
    },
    /// The token may not do this.
    #[error(
        "the token may not {operation} at {place} ({said}): give it access to the repository, with the permission {}",
        permission_for(operation)
    )]
    Forbidden {
        /// What was asked for.
        operation: String,
        /// The repository.
        place: String,
        /// GitHub's own words.
        said: String,
    },
    /// It is not there, or the token cannot see it.
    #[error(
        "{place} is not there, or the token cannot see it: check its name, and give the token access to it"
    )]
    Missing {
        /// What was asked for.
        place: String,
    },
}

impl GithubError {
    /// Returns whether only this place is out of reach, while others may not be.
    pub fn is_about_place(&self) -> bool {
        matches!(
            self,
            GithubError::Forbidden { .. }
                | GithubError::Missing { .. }
                | GithubError::NotInstalled { .. }
        )
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// Its items.
    pub items: Vec<T>,
    /// The address of the next page, as GitHub gives it.
    pub next: Option<Url>,
    /// What names this state of the page, for asking whether it changed.
    pub etag: Option<String>,
}

impl Client {
    /// Returns a client.
    pub fn new(http: &Http, api: Url, access: Access, id: &ConnectorId) -> Client {
        Client {
            http: http.clone(),
            api,
            access,
            id: id.clone(),
        }
    }

    /// Returns the time.
    pub fn now(&self) -> jiff::Timestamp {
        self.http.clock().now()
    }

    /// Returns the login that is written as; `None` when a token has none.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn login(&self) -> Result<Option<String>, GithubError> {
        if let Access::App(app) = &self.access {
            return app.login().await.map(Some);
        }
        match self.get::<User>("user", "user").await {
            Ok(user) => Ok(Some(user.login)),
            // The token of an app that somebody else made has no user of its own; it writes as a program.
            Err(error) if error.is_about_place() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what the app may do in a repository, by permission; `None` for a token, which does not say.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn permissions(
        &self,
        repository: &str,
    ) -> Result<Option<BTreeMap<String, String>>, GithubError> {
        match &self.access {
            Access::Token(_) => Ok(None),
            Access::App(app) => Ok(Some(app.token(Some(repository), None).await?.permissions)),
        }
    }

    /// Asks GraphQL about a repository and returns the data, with the kinds of refusal that left parts of it out:
    /// GraphQL's refusals come with a status of success.
    ///
    /// # Errors
    /// As [`Client::get`], and when GitHub refuses the whole.
    pub async fn query(
        &self,
        operation: &str,
        repository: &str,
        query: &str,
        variables: &Value,
    ) -> Result<(Value, Vec<String>), GithubError> {
        // A server of one's own has it beside the REST API: `/api/graphql`, `/api/v3/`.
        let path = match self.api.path().strip_suffix("/v3/") {
            Some(above) => format!("{above}/graphql"),
            None => "graphql".into(),
        };
        let mut call = self.call(operation, self.address(&path, &[])?);
        call.scope = Scope::new(format!("{}/graphql", self.id), QUERIES);
        let body = json!({ "query": query, "variables": variables });
        let call = call.with_json(Method::POST, &body).effect(Effect::Read);
        let answer = self.send_for(call, Some(repository)).await?;
        let mut told: Value = answer.json(operation)?;
        let data = told["data"].take();
        let refused: Vec<String> = told["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| error["type"].as_str().unwrap_or("UNKNOWN").to_owned())
            .collect();
        let mut parts = data.as_object().into_iter().flat_map(|data| data.values());
        if refused.is_empty() || parts.any(|part| !part.is_null()) {
            return Ok((data, refused));
        }
        let error = &told["errors"][0];
        let said = short(error["message"].as_str());
        Err(match error["type"].as_str().unwrap_or_default() {
            "NOT_FOUND" => GithubError::Missing {
                place: repository.to_owned(),
            },
            "RATE_LIMITED" => {
                let reset = answer.header("x-ratelimit-reset");
                let reset =
                    reset.and_then(|reset| Timestamp::from_second(reset.parse().ok()?).ok());
                let soon = self.now().saturating_add(SignedDuration::from_mins(1));
                GithubError::Http(HttpError::Paused {
                    host: self.api.host_str().unwrap_or_default().to_owned(),
                    until: reset.or(soon.ok()).unwrap_or_default(),
                })
            }
            _ => GithubError::Forbidden {
                operation: operation.to_owned(),
                place: repository.to_owned(),
                said,
            },
        })
    }

    /// Returns an address of the API.
    ///
    /// # Errors
    /// When the parts make none.
    pub fn address(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, GithubError> {
        let url = self.api.join(path).map_err(|_| HttpError::Unreadable {
            operation: "an address".into(),
            reason: format!("{path} cannot be part of one"),
        })?;
        let mut url = url;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Asks for one thing.
    ///
    /// # Errors
    /// When GitHub cannot be reached or refuses.
    pub async fn get<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
    ) -> Result<T, GithubError> {
        let answer = self.answer(operation, path).await?;
        Ok(answer.json(operation)?)
    }

    /// Asks for one thing and returns the whole answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn answer(&self, operation: &str, path: &str) -> Result<Answer, GithubError> {
        let call = self.call(operation, self.address(path, &[])?);
        self.send(call).await
    }

    /// Asks for a page of a list; `None` when it is still as the etag says.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn list<T: DeserializeOwned>(
        &self,
        operation: &str,
        url: Url,
        etag: Option<&str>,
    ) -> Result<Option<Listed<T>>, GithubError> {
        let mut call = self.call(operation, url);
        if let Some(etag) = etag {
            call = call.header(header::IF_NONE_MATCH, etag);
        }
        let answer = self.send(call).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        Ok(Some(Listed {
            items: answer.json(operation)?,
            next: self.next_of(&answer),
            etag: answer.header("etag").map(str::to_owned),
        }))
    }

    /// Asks for a whole list, page by page.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn all<T: DeserializeOwned>(
        &self,
        operation: &str,
        path: &str,
    ) -> Result<Vec<T>, GithubError> {
        let mut items = Vec::new();
        let mut next = Some(self.address(path, &[("per_page", "100")])?);
        while let Some(url) = next {
            let Some(page) = self.list(operation, url, None).await? else {
                break;
            };
            items.extend(page.items);
            next = page.next;
        }
        Ok(items)
    }

    /// Writes something; nothing below sends it twice.
    ///
    /// # Errors
    /// As [`Client::get`]; without an answer it may have been written or not.
    pub async fn write<T: DeserializeOwned>(
        &self,
        operation: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<T, GithubError> {
        let mut call = self.call(operation, self.address(path, &[])?);
        call.scope = Scope::new(format!("{}/write", self.id), WRITES);
        call.method = method.clone();
        if !body.is_null() {
            call = call.with_json(method, body);
        }
        let mut answer = self.send(call.effect(Effect::Write)).await?;
        // What is deleted has nothing to say.
        if answer.body.is_empty() {
            answer.body = "null".into();
        }
        Ok(answer.json(operation)?)
    }

    fn call(&self, operation: &str, url: Url) -> Call {
        let scope = Scope::new(self.id.as_str(), READS);
        described(Call::get(self.id.as_str(), operation, scope, url))
    }

    async fn send(&self, call: Call) -> Result<Answer, GithubError> {
        let repository = repository_of(&call.url);
        self.send_for(call, repository.as_deref()).await
    }

    /// Sends a call with what lets it into a repository. A refused token is replaced once: what was refused was not
    /// carried out, so that even a write may go again.
    async fn send_for(&self, call: Call, repository: Option<&str>) -> Result<Answer, GithubError> {
        let (operation, place) = (call.operation.to_string(), place_of(&call.url));
        let send = async |token: &secrecy::SecretString| {
            let bearer = format!("Bearer {}", token.expose_secret());
            Ok::<_, GithubError>(self.http.send(call.clone().credentials(&bearer)?).await?)
        };
        let answer = match &self.access {
            Access::Token(token) => send(token).await?,
            Access::App(app) => {
                let Kept { token, .. } = app.token(repository, None).await?;
                let answer = send(&token).await?;
                if answer.status == StatusCode::UNAUTHORIZED {
                    send(&app.token(repository, Some(&token)).await?.token).await?
                } else {
                    answer
                }
            }
        };
        match answer.status.as_u16() {
            304 => Ok(answer),
            401 => Err(match &self.access {
                Access::Token(_) => GithubError::BadToken,
                Access::App(_) => GithubError::BadApp {
                    said: said(&answer),
                },
            }),
            403 => Err(GithubError::Forbidden {
                operation,
                place,
                said: said(&answer),
            }),
            404 | 410 | 451 => Err(GithubError::Missing { place }),
            _ => Ok(answer.accepted(&operation)?),
        }
    }

    /// Returns the address behind `rel="next"`, if it leads to where the token may go.
    fn next_of(&self, answer: &Answer) -> Option<Url> {
        let links = answer.header("link")?;
        let next = links
            .split(',')
            .find(|link| link.contains("rel=\"next\""))?;
        let address = next.split('<').nth(1)?.split('>').next()?;
        let url = Url::parse(address).ok()?;
        (url.origin() == self.api.origin()).then_some(url)
    }
}

/// Returns a call that says which form and version of answers it wants.
pub fn described(call: Call) -> Call {
    call.header(header::ACCEPT, "application/vnd.github+json")
        .header(
            header::HeaderName::from_static("x-github-api-version"),
            VERSION,
        )
}

/// Returns what a fine-grained token or an app needs for an operation, as GitHub's settings call it.
fn permission_for(operation: &str) -> &'static str {
    let is_read = ["list", "get", "check", "timeline", "comments", "reactions"];
    let (of, act) = operation.split_once('.').unwrap_or((operation, "get"));
    let is_read = is_read.iter().any(|read| act.starts_with(read));
    match (of, is_read) {
        ("pulls", _) => "Pull requests (read)",
        ("discussions", _) => "Discussions (read)",
        ("issues" | "reactions", true) => "Issues (read)",
        ("issues", false) => "Issues (read and write)",
        _ => "Metadata (read)",
    }
}

/// Returns GitHub's own words for a refusal, short.
pub fn said(answer: &Answer) -> String {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    short(value["message"].as_str())
}

fn short(said: Option<&str>) -> String {
    said.unwrap_or("it does not say why")
        .chars()
        .take(160)
        .collect()
}

/// Returns `owner/name` of an address, if it is about a repository.
fn repository_of(url: &Url) -> Option<String> {
    let mut parts = url.path().split('/').skip_while(|part| *part != "repos");
    let (_, owner, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!("{owner}/{name}"))
}

/// Returns `owner/name#12` of an address, as far as it has one.
fn place_of(url: &Url) -> String {
    let parts: Vec<&str> = url.path().trim_matches('/').split('/').collect();
    let at = parts.iter().position(|part| *part == "repos");
    match at.map(|at| &parts[at + 1..]) {
        Some([owner, name, "issues" | "pulls", number, ..]) => format!("{owner}/{name}#{number}"),
        Some([owner, name, ..]) => format!("{owner}/{name}"),
        _ => url.path().to_owned(),
    }
}
