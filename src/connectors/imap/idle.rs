//! Listening for new mail (RFC 2177): what is heard only brings the next reading forward.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use async_imap::extensions::idle::IdleResponse;
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
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long the server may take to begin or end listening.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// Why listening ended.
enum Ended {
    /// The server cannot do it.
    NotOffered,
    /// The connection broke after having listened.
    Broken,
}

impl ImapConfig {
    /// Listens at one folder, the inbox where it is read, until the token is cancelled.
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
        let mut pause = FIRST_PAUSE;
        let mut is_told = false;
        loop {
            let ended = tokio::select! {
                () = token.cancelled() => return,
                ended = self.listen_once(&door, &id, &hints) => ended,
            };
            match ended {
                Ok(Ended::NotOffered) => {
                    debug!(connector = %id, "{id} offers no IDLE; it is read on the interval only");
                    return;
                }
                Ok(Ended::Broken) => (pause, is_told) = (FIRST_PAUSE, false),
                Err(error) if !is_told => {
                    is_told = true;
                    warn!(connector = %id, error = %format!("{error:#}"), "Nobody listens at {id} now; it is read on the interval");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn listen_once(&self, door: &Door, id: &ConnectorId, hints: &Hints) -> Result<Ended> {
        let mut wire = Wire::open(door).await?;
        if !wire.has("IDLE") {
            wire.close().await;
            return Ok(Ended::NotOffered);
        }
        let folders = names::choose(&list(&mut wire).await?, &self.folders).folders;
        let first = folders.first().context("there is no folder to listen at")?;
        wire.run(&format!("EXAMINE {}", quoted(&first.raw)), |_| {})
            .await?;
        // What came while nobody listened.
        hints.give(id, None);
        let stretch = Duration::from_secs(60 * u64::from(self.idle_minutes));
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
                Ok(Ok(IdleResponse::NewData(_))) => hints.give(id, None),
                Ok(Ok(IdleResponse::ManualInterrupt) | Err(_)) => return Ok(Ended::Broken),
            }
            session = match timeout(LONGEST_ANSWER, idle.done()).await {
                Ok(Ok(session)) => session,
                Ok(Err(_)) | Err(_) => return Ok(Ended::Broken),
            };
        }
    }
}
