//! Socket Mode: what a workspace pushes, without a public address.
//!
//! One socket is open at a time. Each envelope is acknowledged the moment it is read and only then looked at; when Slack
//! says that a socket ends, the next one is up before the old one is left. No word rests on a socket: after each new one
//! the workspace is read, so that what fell between two of them is found. A press cannot be read again: it is kept before it is
//! acknowledged, and where it cannot be kept Slack tells the one who pressed that nothing came of it.

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::api::{Client, SlackError};
use super::push::{Click, Push, pushes_of};

/// How long a socket may take to come about and to say hello.
const LONGEST_HELLO: Duration = Duration::from_secs(30);
/// Slack pings every few seconds; a socket that is silent for this long is dead.
const LONGEST_SILENCE: Duration = Duration::from_secs(120);
/// How long a socket that is being left may still bring what was on its way.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long keeping a press may take; Slack waits for three seconds.
const LONGEST_KEEPING: Duration = Duration::from_millis(2_500);
/// The longest envelope.
const MAX_BYTES: usize = 4 << 20;
/// How many events are remembered, so that one that comes twice counts once.
const REMEMBERED: usize = 10_000;

/// How long to wait after a socket failed: from the first to the longest wait, twice as long each time, spread out.
#[derive(Clone, Copy, Debug)]
pub struct BackOff {
    /// The first wait.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        BackOff {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
        }
    }
}

impl BackOff {
    fn wait(&self, failures: u32) -> Duration {
        let doubled = 1_u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let bound = self.first.saturating_mul(doubled).min(self.longest);
        bound / 2 + (bound / 2).mul_f64(fastrand::f64())
    }
}

/// What keeps a press so that a crash does not lose it; done when it is kept.
pub type Keeper = Arc<dyn Fn(&Click) -> BoxFuture<'static, Result<()>> + Send + Sync>;

type Line = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// `apps.connections.open`
#[derive(Default, Deserialize)]
#[serde(default)]
struct Opened {
    url: String,
}

/// What a socket carries besides pings.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    envelope_id: String,
    reason: String,
    payload: Value,
}

/// Why a socket is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Slack takes it back soon; it still brings what comes until the next one is up.
    Renew,
    /// Socket Mode was switched off for the app.
    SwitchedOff,
    /// It broke or fell silent.
    Broken,
}

/// Keeps a socket open until the token is cancelled, keeps the presses that it brings and passes everything on; `is_open` says
/// whether one is open.
pub async fn listen(
    client: Client,
    back_off: BackOff,
    (keeper, pushes): (Keeper, mpsc::UnboundedSender<Push>),
    is_open: Arc<AtomicBool>,
    token: CancellationToken,
) {
    let seen = Seen::default();
    let mut before: Option<CancellationToken> = None;
    let mut failures = 0;
    while !token.is_cancelled() {
        let opened = tokio::select! {
            () = token.cancelled() => break,
            opened = open(&client) => opened,
        };
        let end = match opened {
            Ok(line) => {
                if failures > 0 {
                    info!("The socket to Slack is open again");
                }
                failures = 0;
                is_open.store(true, Ordering::SeqCst);
                // The new one is up, so the old one may go.
                if let Some(before) = before.take() {
                    before.cancel();
                }
                let leave = token.child_token();
                let (tell, told) = oneshot::channel();
                tokio::spawn(serve(
                    line,
                    (keeper.clone(), pushes.clone()),
                    seen.clone(),
                    leave.clone(),
                    tell,
                ));
                before = Some(leave);
                if pushes.send(Push::Happened(None)).is_err() {
                    break;
                }
                tokio::select! {
                    () = token.cancelled() => break,
                    end = told => end.unwrap_or(End::Broken),
                }
            }
            Err(error) => {
                if failures == 0 {
                    warn!(error = %format!("{error:#}"), "The socket to Slack cannot be opened; reading goes on by itself");
                }
                failures += 1;
                End::Broken
            }
        };
        if end == End::Renew {
            continue;
        }
        is_open.store(false, Ordering::SeqCst);
        let wait = match end {
            End::Renew | End::Broken => {
                failures = failures.max(1);
                back_off.wait(failures)
            }
            End::SwitchedOff => {
                warn!(
                    "Socket Mode is switched off for the app; switch it on again under Socket Mode at api.slack.com/apps"
                );
                failures = failures.max(1);
                back_off.longest
            }
        };
        tokio::select! {
            () = token.cancelled() => break,
            () = tokio::time::sleep(wait) => {}
        }
    }
    if let Some(before) = before {
        before.cancel();
    }
}

/// Opens a socket; it has said hello.
async fn open(client: &Client) -> Result<Line> {
    let opened: Result<Opened, SlackError> =
        client.repeat("apps.connections.open", &json!({})).await;
    let url = opened?.url;
    let connector = connector_to(&url)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES));
    let connecting = connect_async_tls_with_config(url, Some(config), false, connector);
    let (mut line, _) = match timeout(LONGEST_HELLO, connecting).await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => bail!("no socket came about: {}", reason_of(&error)),
        Err(_) => bail!("no socket came about within {} s", LONGEST_HELLO.as_secs()),
    };
    loop {
        match timeout(LONGEST_HELLO, line.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                let envelope: Envelope = serde_json::from_str(&text).unwrap_or_default();
                match envelope.kind.as_str() {
                    "hello" => return Ok(line),
                    other => bail!("the socket began with {other:?} in place of hello"),
                }
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            _ => bail!("the socket did not say hello"),
        }
    }
}

/// Returns how a socket is secured: by the roots of the machine, as every other call.
fn connector_to(url: &str) -> Result<Option<Connector>> {
    if url.starts_with("ws://127.0.0.1:") {
        return Ok(None);
    }
    if !url.starts_with("wss://") {
        bail!("Slack names an address for the socket that is not secured");
    }
    // Somebody else may have installed one; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig::with_platform_verifier()?;
    Ok(Some(Connector::Rustls(Arc::new(config))))
}

/// Returns what went wrong, without the address, which is a secret.
fn reason_of(error: &SocketError) -> &'static str {
    const DISTRUST: &str = "the certificate is not trusted; that of a private authority belongs among the system's, or SSL_CERT_FILE names it";
    match error {
        // How TLS fails while a connection comes about.
        SocketError::Io(error) => match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => DISTRUST,
            Some(_) => "TLS did not come about",
            None => "there is no connection",
        },
        SocketError::Tls(_) => "TLS did not come about",
        SocketError::Http(_) => "the server refused it",
        _ => "the server does not speak as expected",
    }
}

/// Reads a socket to its end, or until it is left.
async fn serve(
    mut line: Line,
    (keeper, pushes): (Keeper, mpsc::UnboundedSender<Push>),
    seen: Seen,
    leave: CancellationToken,
    tell: oneshot::Sender<End>,
) {
    let mut tell = Some(tell);
    let mut say = |end: End| {
        if let Some(tell) = tell.take() {
            // Nobody waits for the end of a socket that was left.
            let _ = tell.send(end);
        }
    };
    let mut last_words = None;
    loop {
        let silence = last_words.unwrap_or(LONGEST_SILENCE);
        let frame = tokio::select! {
            () = leave.cancelled(), if last_words.is_none() => {
                // What Slack has sent before it saw the new one is still taken.
                last_words = Some(LAST_WORDS);
                continue;
            }
            frame = timeout(silence, line.next()) => frame,
        };
        let text = match frame {
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Close(_))) | None) | Ok(Some(Err(_))) => break,
            Ok(Some(Ok(_))) => continue,
            Err(_) => break,
        };
        let Ok(envelope) = serde_json::from_str::<Envelope>(&text) else {
            continue;
        };
        if envelope.kind == "disconnect" {
            debug!(reason = envelope.reason, "Slack takes the socket back");
            say(if envelope.reason == "link_disabled" {
                End::SwitchedOff
            } else {
                End::Renew
            });
            continue;
        }
        if envelope.envelope_id.is_empty() {
            continue;
        }
        let brought = pushes_of(&envelope.kind, &envelope.payload);
        if let Err(error) = keep(&keeper, &brought).await {
            warn!(error = %format!("{error:#}"), "A press could not be kept; Slack tells whoever pressed that nothing came of it");
            continue;
        }
        // Slack waits three seconds and sends it again; whatever comes of it must not hold this up.
        let ack = json!({ "envelope_id": envelope.envelope_id }).to_string();
        if line.send(Message::text(ack)).await.is_err() {
            break;
        }
        if !seen.is_new(&id_of(&envelope)) {
            continue;
        }
        for push in brought {
            if pushes.send(push).is_err() {
                break;
            }
        }
    }
    say(End::Broken);
    let _ = line.close(None).await;
}

/// Keeps the presses among what an envelope brought.
async fn keep(keeper: &Keeper, brought: &[Push]) -> Result<()> {
    for push in brought {
        if let Push::Clicked(click) = push {
            timeout(LONGEST_KEEPING, keeper(click))
                .await
                .context("the store took too long")??;
        }
    }
    Ok(())
}

/// Returns by what an envelope is known when it comes again.
fn id_of(envelope: &Envelope) -> String {
    let payload = &envelope.payload;
    let id = payload["event_id"]
        .as_str()
        .or(payload["trigger_id"].as_str());
    id.unwrap_or(&envelope.envelope_id).to_owned()
}

/// What has been passed on already, by all sockets of an app.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<(HashSet<String>, VecDeque<String>)>>);

impl Seen {
    fn is_new(&self, id: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, order) = &mut *seen;
        if !known.insert(id.to_owned()) {
            return false;
        }
        order.push_back(id.to_owned());
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
        true
    }
}
