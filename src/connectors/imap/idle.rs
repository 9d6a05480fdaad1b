//! Listening for new mail (RFC 2177): what is heard only brings the next reading forward.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_imap::extensions::idle::IdleResponse;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::ImapConfig;
use super::gather::list;
use super::names;
use super::wire::{Door, Wire, quoted};
use crate::daemon::hints::Hints;
use crate::http::Http;
use crate::model::ConnectorId;

/// How long the first new try waits after a connection broke; each further one twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest wait between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long the server may take to begin or end listening.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// At how many folders somebody listens: each takes a connection, and servers allow an account ten or fifteen.
pub const LISTENED: usize = 4;

/// Why listening ended.
enum Ended {
    /// The server cannot do it.
    NotOffered,
    /// The connection broke after having listened.
    Broken,
}

/// A mailbox that is listened at.
struct Ear<'a> {
    config: &'a ImapConfig,
    id: &'a ConnectorId,
    door: Door,
    hints: Hints,
    /// How many folders there are; 0 until somebody has looked.
    folders: watch::Sender<usize>,
    /// Where nobody listens; the first of them is told.
    deaf: Mutex<BTreeSet<usize>>,
}

impl ImapConfig {
    /// Listens at the first [`LISTENED`] folders that are read, the inbox first, until the token is cancelled.
    pub async fn listen(
        self,
        id: ConnectorId,
        base: &Path,
        http: &Http,
        hints: Hints,
        token: CancellationToken,
    ) {
        if self.idle_minutes == 0 {
            return;
        }
        let Ok(door) = self.door(&id, base, http) else {
            // Reading says why.
            return;
        };
        let ear = Ear {
            config: &self,
            id: &id,
            door,
            hints,
            folders: watch::Sender::new(0),
            deaf: Mutex::default(),
        };
        let listening = join_all((0..LISTENED).map(|place| ear.listen_at(place)));
        tokio::select! {
            () = token.cancelled() => {}
            _ = listening => {}
        }
    }
}

impl Ear<'_> {
    /// Listens at one folder for as long as the server can; a later one waits until it is known to be there.
    async fn listen_at(&self, place: usize) {
        let id = self.id;
        let mut folders = self.folders.subscribe();
        let mut pause = FIRST_PAUSE;
        loop {
            if place > 0 && folders.wait_for(|count| *count > place).await.is_err() {
                return;
            }
            match self.listen_once(place).await {
                Ok(Ended::NotOffered) => {
                    debug!(connector = %id, "{id} offers no IDLE; it is read on the interval only");
                    return;
                }
                Ok(Ended::Broken) => pause = FIRST_PAUSE,
                Err(error) => {
                    let is_first = {
                        let mut deaf = self.deaf.lock().unwrap_or_else(PoisonError::into_inner);
                        let is_first = deaf.is_empty();
                        deaf.insert(place);
                        is_first
                    };
                    if is_first {
                        let at = if place > 0 { "a folder of " } else { "" };
                        warn!(connector = %id, error = %format!("{error:#}"), "Nobody listens at {at}{id} now; it is read on the interval");
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn listen_once(&self, place: usize) -> Result<Ended> {
        let mut wire = Wire::open(&self.door).await?;
        if !wire.has("IDLE") {
            wire.close().await;
            return Ok(Ended::NotOffered);
        }
        let listed = list(&mut wire).await?;
        let folders = names::choose(&listed, &self.config.folders).folders;
        self.folders.send_replace(folders.len());
        let Some(folder) = folders.get(place) else {
            anyhow::ensure!(place > 0, "there is no folder to listen at");
            return Ok(Ended::Broken);
        };
        wire.run(&format!("EXAMINE {}", quoted(&folder.raw)), |_| {})
            .await?;
        self.deaf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&place);
        // What came while nobody listened.
        self.hints.give(self.id, None);
        let stretch = Duration::from_secs(60 * u64::from(self.config.idle_minutes));
        let mut session = wire.into_session();
        loop {
            let mut idle = session.idle();
            timeout(LONGEST_ANSWER, idle.init())
                .await
                .context("the server does not begin to listen")?
                .map_err(|_| anyhow::anyhow!("the server does not want to listen"))?;
            let (heard, _stop) = idle.wait_with_timeout(stretch);
            // The library starts its clock anew at each sign of life; ours does not, so that IDLE is said again in time.
            let heard = timeout(stretch, heard).await;
            match heard {
                Err(_) | Ok(Ok(IdleResponse::Timeout)) => {}
                Ok(Ok(IdleResponse::NewData(_))) => self.hints.give(self.id, None),
                Ok(Ok(IdleResponse::ManualInterrupt) | Err(_)) => return Ok(Ended::Broken),
            }
            session = match timeout(LONGEST_ANSWER, idle.done()).await {
                Ok(Ok(session)) => session,
                Ok(Err(_)) | Err(_) => return Ok(Ended::Broken),
            };
        }
    }
}
