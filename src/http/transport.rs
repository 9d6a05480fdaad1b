//! The bottom of the stack: one attempt, with its time limit, over the network.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{self, Poll};
use std::time::Duration;

use bytes::BytesMut;
use reqwest::{Client, redirect};
use tower::{Layer, Service};

use super::{Answer, Call, HttpError, Url, host_of};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many times a server may point elsewhere on its own host.
const MAX_REDIRECTS: usize = 5;

type Attempt = Pin<Box<dyn Future<Output = Result<Answer, HttpError>> + Send>>;

/// Limits the time of each attempt.
#[derive(Clone, Copy)]
pub struct TimeoutLayer(pub Duration);

impl<S> Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout {
            inner,
            limit: self.0,
        }
    }
}

/// One attempt within its time; unlike tower's own it keeps the error's type.
#[derive(Clone)]
pub struct Timeout<S> {
    inner: S,
    limit: Duration,
}

impl<S> Service<Call> for Timeout<S>
where
    S: Service<Call, Response = Answer, Error = HttpError>,
    S::Future: Send + 'static,
{
    type Response = Answer;
    type Error = HttpError;
    type Future = Attempt;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), HttpError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, call: Call) -> Attempt {
        let (host, limit) = (call.host(), self.limit);
        let attempt = self.inner.call(call);
        Box::pin(async move {
            let answer = tokio::time::timeout(limit, attempt).await;
            answer.unwrap_or_else(|_| {
                Err(HttpError::TimedOut {
                    host,
                    secs: limit.as_secs(),
                })
            })
        })
    }
}

/// The network.
#[derive(Clone)]
pub struct Network {
    /// Made by the first call: a team that only reads files needs no certificates.
    client: Arc<OnceLock<Result<Client, String>>>,
    max_bytes: usize,
}

impl Network {
    pub fn new(max_bytes: usize) -> Network {
        Network {
            client: Arc::default(),
            max_bytes,
        }
    }

    fn client(&self, host: &str) -> Result<Client, HttpError> {
        let made = self.client.get_or_init(|| {
            // Somebody else may have installed one; any will do.
            let _ = rustls::crypto::ring::default_provider().install_default();
            Client::builder()
                .user_agent(concat!("daybrief/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(redirect::Policy::custom(follow_on_same_host))
                .build()
                .map_err(reason_of)
        });
        made.clone().map_err(|reason| HttpError::Unreachable {
            host: host.to_owned(),
            reason,
        })
    }
}

impl Service<Call> for Network {
    type Response = Answer;
    type Error = HttpError;
    type Future = Attempt;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Attempt {
        let network = self.clone();
        Box::pin(async move {
            let host = call.host();
            let client = network.client(&host)?;
            attempt(&client, call, network.max_bytes).await
        })
    }
}

async fn attempt(client: &Client, call: Call, max_bytes: usize) -> Result<Answer, HttpError> {
    let host = call.host();
    let unreachable = |error: reqwest::Error| HttpError::Unreachable {
        host: host.clone(),
        reason: reason_of(error),
    };
    let too_large = || HttpError::TooLarge {
        host: host.clone(),
        limit: max_bytes,
    };
    let mut request = reqwest::Request::new(call.method, call.url);
    *request.headers_mut() = call.headers;
    if !call.body.is_empty() {
        *request.body_mut() = Some(call.body.into());
    }
    let mut response = client.execute(request).await.map_err(unreachable)?;
    if response
        .content_length()
        .is_some_and(|length| length > max_bytes as u64)
    {
        return Err(too_large());
    }
    let (status, headers) = (response.status(), response.headers().clone());
    if let Some(to) = points_to(response.url(), &status, &headers) {
        return Err(HttpError::Redirected { host, to });
    }
    // What is counted is the unpacked body: a small one may unpack to any size.
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body: body.freeze(),
    })
}

/// Follows a redirect only to where the credentials were meant to go in the first place.
fn follow_on_same_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let is_same = attempt
        .previous()
        .first()
        .is_some_and(|from| from.origin() == attempt.url().origin());
    if is_same && attempt.previous().len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// Returns the host that an unfollowed redirect names.
fn points_to(
    from: &Url,
    status: &reqwest::StatusCode,
    headers: &reqwest::header::HeaderMap,
) -> Option<String> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = headers.get(reqwest::header::LOCATION)?.to_str().ok()?;
    Some(host_of(&from.join(location).ok()?))
}

/// Returns what went wrong, without the address, which may hold secrets.
fn reason_of(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    reason
}
