//! What daybrief listens to: hooks in, health, readiness and metrics. Nothing listens without `[server] listen`.
//!
//! A hook is a hint: it is checked over its raw bytes, noted in the store, answered at once, and the object it names is
//! fetched again by the next reading of its connector. A hook that is refused, repeated or lost costs nothing but time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as InPath, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::connectors::hooks::{Delivery, Heard, Refusal};
use crate::connectors::{ConnectorConfig, secret};
use crate::daemon::health::Health;
use crate::daemon::hints::Hints;
use crate::metrics;
use crate::model::ConnectorId;
use crate::store::{Store, hooks};

/// The largest body that is read: GitHub's own limit for what it sends.
const LARGEST_BODY: usize = 25 << 20;
/// Senders want an answer within seconds; what cannot be noted by then is refused, and sent again or listed later.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// For how long one kind of refusal is not logged again.
const SAID_ONCE: SignedDuration = SignedDuration::from_mins(10);

/// `[server]`: what daybrief listens to.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Where to listen, such as `127.0.0.1:8090`; without it nothing listens. Put a proxy with TLS in front of it.
    pub listen: Option<String>,
    /// The most hooks of one connector that are taken in a minute.
    pub hooks_per_minute: u32,
    /// Connectors that may send hooks to `/hooks/NAME`, with what they share with us.
    pub hooks: BTreeMap<String, HookConfig>,
}

/// `[server.hooks.*]`: what a connector signs its hooks with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookConfig {
    /// The environment variable that holds the signing secret.
    pub secret_env: Option<String>,
    /// A file that holds it instead, relative to the config.
    pub secret_file: Option<PathBuf>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: None,
            hooks_per_minute: 600,
            hooks: BTreeMap::new(),
        }
    }
}

impl ServerConfig {
    /// Returns the address to listen on, if one is configured.
    ///
    /// # Errors
    /// When it is no address.
    pub fn address(&self) -> Result<Option<SocketAddr>> {
        self.listen
            .as_deref()
            .map(|text| {
                text.parse().with_context(|| {
                    format!("[server] listen = {text:?} is no address; write it as 127.0.0.1:8090")
                })
            })
            .transpose()
    }
}

/// What the server works on.
pub struct Parts {
    /// The configuration of `[server]`.
    pub config: ServerConfig,
    /// The connectors; only those with a secret are listened to.
    pub connectors: BTreeMap<ConnectorId, ConnectorConfig>,
    /// The folder that relative paths start from.
    pub base: PathBuf,
    /// Where hooks are noted.
    pub store: Store,
    /// Whom to tell.
    pub hints: Hints,
    /// How the daemon is.
    pub health: Health,
    /// Where metrics are collected, if they are.
    pub metrics: Option<metrics::Collected>,
    /// The time.
    pub clock: Clock,
}

/// A sender of hooks.
struct Sender {
    config: ConnectorConfig,
    secret: SecretString,
}

struct Shared {
    senders: BTreeMap<ConnectorId, Sender>,
    per_minute: u32,
    store: Store,
    hints: Hints,
    health: Health,
    metrics: Option<metrics::Collected>,
    clock: Clock,
    taken: Mutex<BTreeMap<ConnectorId, (i64, u32)>>,
    said: Mutex<BTreeMap<(ConnectorId, &'static str), Timestamp>>,
}

/// Looks whether hooks could be taken as the configuration says.
///
/// # Errors
/// As [`routes`].
pub fn check(
    config: &ServerConfig,
    connectors: BTreeMap<ConnectorId, ConnectorConfig>,
    base: &Path,
) -> Result<()> {
    senders(config, connectors, base).map(drop)
}

/// Returns everything that is served.
///
/// # Errors
/// When a table under `[server.hooks]` names no connector that sends hooks, or its secret is not there.
pub fn routes(parts: Parts) -> Result<Router> {
    let shared = Shared {
        senders: senders(&parts.config, parts.connectors, &parts.base)?,
        per_minute: parts.config.hooks_per_minute.max(1),
        store: parts.store,
        hints: parts.hints,
        health: parts.health,
        metrics: parts.metrics,
        clock: parts.clock,
        taken: Mutex::default(),
        said: Mutex::default(),
    };
    Ok(Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render_metrics))
        .route("/hooks/{connector}", post(hook))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(10),
        ))
        .layer(tower::limit::ConcurrencyLimitLayer::new(64))
        .with_state(Arc::new(shared)))
}

/// Serves until the token is cancelled; requests that have begun are finished.
///
/// # Errors
/// When the socket fails.
pub async fn serve(listener: TcpListener, routes: Router, token: CancellationToken) -> Result<()> {
    let address = listener.local_addr()?;
    info!(%address, "Listening on {address}");
    axum::serve(listener, routes)
        .with_graceful_shutdown(async move { token.cancelled().await })
        .await
        .context("the server stopped")
}

fn senders(
    config: &ServerConfig,
    mut connectors: BTreeMap<ConnectorId, ConnectorConfig>,
    base: &Path,
) -> Result<BTreeMap<ConnectorId, Sender>> {
    let mut senders = BTreeMap::new();
    for (name, hook) in &config.hooks {
        let table = format!("server.hooks.{name}");
        let id = ConnectorId::new(name.as_str());
        let Some(connector) = connectors.remove(&id) else {
            bail!("[{table}]: there is no [connectors.{name}]");
        };
        if !connector.sends_hooks() {
            let type_name = connector.type_name();
            bail!("[{table}]: connectors of type {type_name} send no hooks");
        }
        let secret = secret::named(
            &table,
            ("secret_env", "secret_file"),
            hook.secret_env.as_deref(),
            hook.secret_file.as_deref(),
            base,
        )?;
        let sender = Sender {
            config: connector,
            secret,
        };
        senders.insert(id, sender);
    }
    Ok(senders)
}

async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    let answers = shared
        .store
        .read(|c| Ok(c.query_row("SELECT 1", [], |_| Ok(()))?));
    match tokio::time::timeout(Duration::from_secs(2), answers).await {
        Ok(Ok(())) => (StatusCode::OK, "ok\n").into_response(),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not answer\n",
        )
            .into_response(),
    }
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    match shared.health.what_is_missing() {
        None => (StatusCode::OK, "ready\n").into_response(),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")).into_response(),
    }
}

async fn render_metrics(State(shared): State<Arc<Shared>>) -> Response {
    let Some(metrics) = &shared.metrics else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics.render()).into_response()
}

async fn hook(
    State(shared): State<Arc<Shared>>,
    InPath(name): InPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let id = ConnectorId::new(name);
    let Some(sender) = shared.senders.get(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let now = shared.clock.now();
    let heard = sender.config.heard(&Delivery {
        headers: &headers,
        query: query.as_deref(),
        body: &body,
        now,
        secret: &sender.secret,
    });
    let (delivery, objects) = match heard {
        Ok(Heard::Challenge(text)) => return text.into_response(),
        Ok(Heard::Hint { delivery, objects }) => (delivery, objects),
        Err(refusal) => return shared.refuse(&id, refusal, now),
    };
    if !shared.may_take(&id, now) {
        metrics::hook(&id, "too many");
        shared.say(&id, "limit", now, || {
            format!(
                "{id} sends more than {} hooks a minute; the rest waits for the next reading",
                shared.per_minute
            )
        });
        let wait = [(header::RETRY_AFTER, "60")];
        return (StatusCode::TOO_MANY_REQUESTS, wait).into_response();
    }
    let connector = id.clone();
    let noted = shared
        .store
        .write(move |c| hooks::put_hook(c, &connector, &delivery, &objects, now));
    match tokio::time::timeout(ANSWER_WITHIN, noted).await {
        Ok(Ok(is_new)) => {
            metrics::hook(&id, if is_new { "taken" } else { "repeated" });
            if is_new {
                shared.hints.give(&id, None);
            }
            StatusCode::ACCEPTED.into_response()
        }
        Ok(Err(error)) => {
            shared.say(&id, "store", now, || {
                format!("A hook of {id} could not be noted: {error:#}")
            });
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Shared {
    /// Returns whether a connector may send one more hook in this minute.
    fn may_take(&self, id: &ConnectorId, now: Timestamp) -> bool {
        let minute = now.as_second().div_euclid(60);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, count) = taken.entry(id.clone()).or_insert((minute, 0));
        if *at != minute {
            (*at, *count) = (minute, 0);
        }
        *count += 1;
        *count <= self.per_minute
    }

    fn refuse(&self, id: &ConnectorId, refusal: Refusal, now: Timestamp) -> Response {
        let (status, word) = match refusal {
            Refusal::Unsigned => (StatusCode::UNAUTHORIZED, "unsigned"),
            Refusal::Forged => (StatusCode::UNAUTHORIZED, "forged"),
            Refusal::Stale => (StatusCode::UNAUTHORIZED, "stale"),
            Refusal::Unreadable => (StatusCode::BAD_REQUEST, "unreadable"),
        };
        metrics::hook(id, word);
        self.say(id, word, now, || {
            format!("A hook for {id} was refused: {refusal}")
        });
        status.into_response()
    }

    /// Logs one kind of trouble of one sender, once in a while.
    fn say(&self, id: &ConnectorId, what: &'static str, now: Timestamp, text: impl Fn() -> String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let before = said.get(&(id.clone(), what));
        if before.is_none_or(|before| now.duration_since(*before) >= SAID_ONCE) {
            said.insert((id.clone(), what), now);
            warn!(connector = %id, what, "{}", text());
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::connectors::hooks::signed;

    const BODY: &str =
        r#"{"action":"opened","issue":{"number":7},"repository":{"full_name":"o/r"}}"#;

    struct Served {
        routes: Router,
        store: Store,
        hints: Hints,
        health: Health,
        _dir: tempfile::TempDir,
    }

    fn served(per_minute: u32) -> Served {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "hush\n").unwrap();
        let connector: ConnectorConfig =
            toml::from_str("type = \"github\"\nrepositories = [\"o/r\"]").unwrap();
        let hook = HookConfig {
            secret_env: None,
            secret_file: Some("secret".into()),
        };
        let parts = Parts {
            config: ServerConfig {
                hooks_per_minute: per_minute,
                hooks: BTreeMap::from([("code".into(), hook)]),
                ..ServerConfig::default()
            },
            connectors: BTreeMap::from([(ConnectorId::new("code"), connector)]),
            base: dir.path().to_owned(),
            store: Store::in_memory().unwrap(),
            hints: Hints::default(),
            health: Health::default(),
            metrics: None,
            clock: Clock::simulated(Timestamp::from_second(1_000_000).unwrap()),
        };
        Served {
            store: parts.store.clone(),
            hints: parts.hints.clone(),
            health: parts.health.clone(),
            routes: routes(parts).unwrap(),
            _dir: dir,
        }
    }

    async fn post(served: &Served, path: &str, delivery: &str, secret: &str) -> StatusCode {
        let signature = format!("sha256={}", signed(secret, &[BODY.as_bytes()]));
        let request = Request::post(path)
            .header("x-github-delivery", delivery)
            .header("x-hub-signature-256", signature)
            .body(Body::from(BODY))
            .unwrap();
        served
            .routes
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
    }

    fn open(served: &Served) -> usize {
        let open = served
            .store
            .read_now(|c| hooks::open_hooks(c, &"code".into()));
        open.unwrap().map_or(0, |(_, objects)| objects.len())
    }

    #[tokio::test]
    async fn a_genuine_hook_is_noted_once_before_it_is_answered() {
        let served = served(10);
        assert_eq!(post(&served, "/hooks/code", "d-1", "hush").await, 202);
        assert_eq!(open(&served), 1);
        assert!(served.hints.take().contains_key(&ConnectorId::new("code")));
        assert_eq!(post(&served, "/hooks/code", "d-1", "hush").await, 202);
        assert!(served.hints.take().is_empty(), "a repetition wakes nobody");
    }

    #[tokio::test]
    async fn what_is_not_signed_with_our_secret_leaves_no_trace() {
        let served = served(10);
        assert_eq!(post(&served, "/hooks/code", "d-1", "guess").await, 401);
        assert_eq!(post(&served, "/hooks/other", "d-1", "hush").await, 404);
        assert_eq!((open(&served), served.hints.take().len()), (0, 0));
    }

    #[tokio::test]
    async fn a_flood_is_cut_and_the_sender_told_when_to_come_back() {
        let served = served(2);
        for (delivery, status) in [("1", 202), ("2", 202), ("3", 429)] {
            assert_eq!(post(&served, "/hooks/code", delivery, "hush").await, status);
        }
    }

    #[tokio::test]
    async fn readiness_says_what_is_missing() {
        let served = served(2);
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answer = served.routes.clone().oneshot(request).await.unwrap();
            let status = answer.status().as_u16();
            let body = to_bytes(answer.into_body(), 1_000).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(ask("/healthz").await, (200, "ok\n".into()));
        let (status, body) = ask("/readyz").await;
        assert_eq!(
            (status, &*body),
            (503, "the sources have not been read yet\n")
        );
        served.health.has_read();
        served.health.follows(true);
        assert_eq!(ask("/readyz").await, (200, "ready\n".into()));
    }

    #[test]
    fn a_table_without_a_connector_that_sends_hooks_is_refused() {
        let hook = BTreeMap::from([("nobody".to_owned(), HookConfig::default())]);
        let config = ServerConfig {
            hooks: hook,
            ..ServerConfig::default()
        };
        let error = senders(&config, BTreeMap::new(), Path::new(""));
        let error = error.err().unwrap().to_string();
        assert_eq!(
            error,
            "[server.hooks.nobody]: there is no [connectors.nobody]"
        );
    }
}
