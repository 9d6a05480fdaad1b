//! The one tower stack for every outbound HTTP call.
//!
//! ```text
//! caller ─ span ─ retry ─ throttle (per host and scope, shared) ─ timeout (per attempt) ─ transport (reqwest)
//! ```
//!
//! The throttle stands inside the retry, so that retries are paced too; what a server says about its limits pauses the
//! whole scope, not only the call that heard it. Tests put the same stack over a transport of their own with
//! [`Http::over`]. [`openai`] lets an `async-openai` client go the same way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
pub use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt};
use tracing::{Instrument, debug, debug_span};

use crate::clock::Clock;

pub mod limits;
pub mod openai;
#[cfg(test)]
mod recorded;
mod retry;
mod throttle;
mod transport;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use recorded::Recorded;
pub use throttle::Pace;

/// One request on its way out. Its body is in memory, so that it can be sent again.
#[derive(Clone)]
pub struct Call {
    /// Who asks: a connector's id, `llm`.
    pub connector: Arc<str>,
    /// What for, in the remote system's own word: `conversations.history`.
    pub operation: Arc<str>,
    /// Whether it may be sent twice.
    pub effect: Effect,
    /// What it shares a limit with.
    pub scope: Scope,
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// The headers; secrets among them are marked as sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What sending a request twice would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: a GET, a search by POST, a question to a model.
    Read,
    /// The thing twice; only a refusal for being too fast is tried again.
    Write,
    /// Nothing: the remote system recognizes the key that the request carries.
    KeyedWrite,
}

/// Calls that share a limit.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Its name, within the host: the account, the account and the method.
    pub name: Arc<str>,
    /// How fast it may go.
    pub pace: Pace,
}

/// What came back, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, of whatever sort.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer that can be used. None of them names a query, a header or a body of the request.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HttpError {
    /// There was no connection, or it broke.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why, without the address.
        reason: String,
    },
    /// An attempt took too long.
    #[error("{host} did not answer within {secs} s")]
    TimedOut {
        /// The host.
        host: String,
        /// The limit.
        secs: u64,
    },
    /// The answer is larger than anything that is expected.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// The server points to another host, which the credentials are not meant for.
    #[error(
        "{host} points to {to}, which gets no credentials; if that is right, name it as the address"
    )]
    Redirected {
        /// The host.
        host: String,
        /// Where it points.
        to: String,
    },
    /// The server wants to be left alone for longer than a call waits.
    #[error("{host} allows no further calls before {until}")]
    Paused {
        /// The host.
        host: String,
        /// When it may be asked again.
        until: Timestamp,
    },
    /// The server said no.
    #[error("{operation} was refused with {status}{hint}")]
    Refused {
        /// What was asked for.
        operation: String,
        /// The status.
        status: StatusCode,
        /// The server's own words, short, with a separator in front; empty when it has none.
        hint: String,
    },
    /// The answer is not what the system is documented to send.
    #[error("the answer to {operation} cannot be read: {reason}")]
    Unreadable {
        /// What was asked for.
        operation: String,
        /// What is wrong with it, without its text.
        reason: String,
    },
}

/// How patient a stack is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long one attempt may take, its body included.
    pub attempt_timeout: Duration,
    /// How often a call is sent at most.
    pub attempts: u32,
    /// How long a call waits altogether because the server asks for it or because an attempt failed.
    pub patience: Duration,
    /// The first back-off; each further one is up to twice as long.
    pub back_off: Duration,
    /// How large an answer may be.
    pub max_bytes: usize,
    /// Whether scopes are paced; what a server says about its limits counts either way.
    pub is_paced: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            attempt_timeout: Duration::from_secs(20),
            attempts: 5,
            patience: Duration::from_secs(90),
            back_off: Duration::from_millis(500),
            max_bytes: 32 << 20,
            is_paced: true,
        }
    }
}

/// The stack. Clones share connections and limits, so a process needs one.
#[derive(Clone)]
pub struct Http {
    stack: BoxCloneSyncService<Call, Answer, HttpError>,
    clock: Clock,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// Returns the stack over the network. Nothing is opened before the first call.
    pub fn new(options: Options, clock: Clock) -> Http {
        let transport = transport::Network::new(options.max_bytes);
        Http::over(transport, options, clock)
    }

    /// Returns the stack over any transport.
    pub fn over<T>(transport: T, options: Options, clock: Clock) -> Http
    where
        T: Service<Call, Response = Answer, Error = HttpError> + Clone + Send + Sync + 'static,
        T::Future: Send + 'static,
    {
        let stack = ServiceBuilder::new()
            .layer(BoxCloneSyncService::layer())
            .layer(tower::retry::RetryLayer::new(retry::Again::new(
                options,
                clock.clone(),
            )))
            .layer(throttle::ThrottleLayer::new(options, clock.clone()))
            .layer(transport::TimeoutLayer(options.attempt_timeout))
            .service(transport);
        Http { stack, clock }
    }

    /// Sends a call and returns the answer, whatever its status.
    ///
    /// # Errors
    /// When no answer came, or one that points elsewhere, is too large or asks for too much patience.
    pub async fn send(&self, call: Call) -> Result<Answer, HttpError> {
        let span = debug_span!(
            "http",
            connector = &*call.connector,
            operation = &*call.operation,
            host = call.host()
        );
        let begun = tokio::time::Instant::now();
        let (connector, operation) = (call.connector.clone(), call.operation.clone());
        async {
            let answer = self.stack.clone().oneshot(call).await;
            let millis = begun.elapsed().as_millis();
            crate::metrics::request(&connector, &operation, class_of(&answer));
            match &answer {
                Ok(answer) => {
                    let (status, bytes) = (answer.status.as_u16(), answer.body.len());
                    debug!(status, bytes, millis, "Answered with {status}");
                }
                Err(error) => debug!(%error, millis, "Got no answer"),
            }
            answer
        }
        .instrument(span)
        .await
    }

    /// Sends a call and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`Http::send`], and when the status is not one of success or the body is something else.
    pub async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, HttpError> {
        let operation = call.operation.clone();
        let answer = self.send(call).await?.accepted(&operation)?;
        answer.json(&operation)
    }

    /// Returns the clock that limits given as times are measured with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

impl Call {
    /// Returns a read of an address, without credentials.
    pub fn get(connector: &str, operation: &str, scope: Scope, url: Url) -> Call {
        Call {
            connector: connector.into(),
            operation: operation.into(),
            effect: Effect::Read,
            scope,
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// Returns the call with a parameter in its address.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Call {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Returns the call with a header.
    ///
    /// # Panics
    /// When the value holds a line break or another control character.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Call {
        let value = HeaderValue::from_str(value).expect("a header's value holds no line break");
        self.headers.insert(name, value);
        self
    }

    /// Returns the call with credentials, as they stand behind `Authorization:`; they are never shown.
    ///
    /// # Errors
    /// When they hold a line break or another control character.
    pub fn credentials(mut self, value: &str) -> Result<Call, HttpError> {
        let mut value = HeaderValue::from_str(value).map_err(|_| HttpError::Unreadable {
            operation: self.operation.to_string(),
            reason: "the token holds a line break or another character that no token has".into(),
        })?;
        value.set_sensitive(true);
        self.headers.insert(header::AUTHORIZATION, value);
        Ok(self)
    }

    /// Returns the call as a POST of a form.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Call {
        let mut form = self.url.clone();
        form.query_pairs_mut().clear().extend_pairs(pairs);
        self.body = form.query().unwrap_or_default().to_owned().into();
        self.method = Method::POST;
        self.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    /// Returns the call with a method and a body of JSON.
    #[must_use]
    pub fn with_json(mut self, method: Method, body: &impl Serialize) -> Call {
        let body = serde_json::to_vec(body).expect("what we send is made of strings and numbers");
        self.body = body.into();
        self.method = method;
        self.header(header::CONTENT_TYPE, "application/json; charset=utf-8")
    }

    /// Returns the call with another effect.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Call {
        self.effect = effect;
        self
    }

    /// Returns the host it goes to, with the port where that is unusual.
    pub fn host(&self) -> String {
        host_of(&self.url)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Queries, headers and bodies hold tokens and people's words.
        write!(
            f,
            "{} {}{} ({})",
            self.method,
            self.host(),
            self.url.path(),
            self.operation
        )
    }
}

impl Scope {
    /// Returns a scope.
    pub fn new(name: impl Into<Arc<str>>, pace: Pace) -> Scope {
        Scope {
            name: name.into(),
            pace,
        }
    }
}

impl Answer {
    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the answer if its status is one of success.
    ///
    /// # Errors
    /// Otherwise; the error holds the status and what the server says in its `message` or `error`.
    pub fn accepted(self, operation: &str) -> Result<Answer, HttpError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(HttpError::Refused {
            operation: operation.to_owned(),
            status: self.status,
            hint: self.hint(),
        })
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// When it is something else; the error tells where, not what.
    pub fn json<T: DeserializeOwned>(&self, operation: &str) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde's own words may quote the text.
            let kind = match error.classify() {
                serde_json::error::Category::Data => "a field has another type than documented",
                serde_json::error::Category::Eof => "it ends in the middle",
                _ => "it is no JSON",
            };
            HttpError::Unreadable {
                operation: operation.to_owned(),
                reason: format!("{kind} (line {}, column {})", error.line(), error.column()),
            }
        })
    }

    /// Returns how far the server's clock is ahead of ours, in seconds, if it tells its time.
    pub fn clock_skew_secs(&self, now: Timestamp) -> Option<i64> {
        let date = limits::http_date(self.header("date")?)?;
        Some(date.as_second() - now.as_second())
    }

    fn hint(&self) -> String {
        const LONGEST: usize = 160;
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let said = ["message", "error_description", "error"]
            .iter()
            .find_map(|key| value.get(key)?.as_str());
        match said {
            Some(said) => format!(": {}", said.chars().take(LONGEST).collect::<String>()),
            None => String::new(),
        }
    }
}

/// Returns what metrics call an answer.
fn class_of(answer: &Result<Answer, HttpError>) -> &'static str {
    match answer.as_ref().map(|answer| answer.status.as_u16()) {
        Err(_) => "none",
        Ok(429) => "429",
        Ok(200..=299) => "2xx",
        Ok(300..=399) => "3xx",
        Ok(400..=499) => "4xx",
        Ok(_) => "5xx",
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("an address without a host");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
