//! `daybrief run`: the daemon.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::Global;
use super::site::Site;
use crate::clock::Clock;
use crate::connectors::ConnectorConfig;
use crate::daemon::{Daemon, Parts};
use crate::lock::InstanceLock;
use crate::metrics::Collected;
use crate::model::Member;
use crate::server;
use crate::sinks::Sink;

/// Reads the sources on an interval and briefs each member at the start of their own day, until it is told to stop.
#[derive(Debug, Args)]
pub struct Run {
    /// Do what is due now, then stop.
    #[arg(long)]
    once: bool,
}

impl Run {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open(global)?;
        if site.config.connectors.is_empty() {
            bail!(
                "{} names no connectors; add a [connectors.NAME] table",
                global.config.display()
            );
        }
        let lock = InstanceLock::take(&site.data_dir)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let (token, loops) = (CancellationToken::new(), TaskTracker::new());
        let server = site.config.server.clone();
        let address = server.address()?.filter(|_| !self.once);
        let metrics = address.map(|_| Collected::start()).transpose()?;
        let mut daemon = Daemon::new(parts_of(site)?, Clock::System, token.clone());
        runtime.block_on(async {
            if let Some(address) = address {
                let listener = TcpListener::bind(address).await.with_context(|| {
                    format!("cannot listen on {address}; [server] listen names another place, or another program has it")
                })?;
                let routes = server::routes(daemon.serving(server, metrics))?;
                let token = token.clone();
                loops.spawn(async move {
                    if let Err(error) = server::serve(listener, routes, token).await {
                        error!(error = %format!("{error:#}"), "The server stopped; hooks, health and metrics are gone, briefings go on");
                    }
                });
            }
            tokio::spawn(stop_on_signal(token.clone()));
            let once = self.once;
            if !once {
                listen(&daemon, &loops, &token);
            }
            let work = loops.spawn(async move {
                // However it ends, those who listen end with it.
                let _end = token.drop_guard();
                if once {
                    return daemon.step().await.map(|_| ());
                }
                daemon.run().await
            });
            loops.close();
            loops.wait().await;
            work.await.context("the daemon stopped")?
        })?;
        drop(lock);
        Ok(ExitCode::SUCCESS)
    }
}

/// Begins to listen at the sources that push.
fn listen(daemon: &Daemon<Sink>, loops: &TaskTracker, token: &CancellationToken) {
    for (id, connector) in daemon.connectors() {
        if let ConnectorConfig::Imap(imap) = connector {
            let (imap, id, base) = (imap.clone(), id.clone(), daemon.base().to_path_buf());
            let (hints, token) = (daemon.hints(), token.clone());
            loops.spawn(async move { imap.listen(id, &base, hints, token).await });
        }
    }
}

/// Returns what a daemon works on, from an installation.
///
/// # Errors
/// When the index cannot be opened.
pub fn parts_of(site: Site) -> Result<Parts<Sink>> {
    let index = site.index()?;
    let style = site.style();
    let llm = site.llm();
    let sinks = site
        .roster
        .members
        .iter()
        .map(|member| Ok((member.id.clone(), sink_of(&site, member)?)))
        .collect::<Result<_>>()?;
    Ok(Parts {
        connectors: site.config.connectors,
        base: site.config.base,
        http: site.http,
        store: site.store,
        index,
        roster: site.roster,
        sinks,
        style,
        quiet_line: site.config.delivery.quiet_line,
        llm,
        sync_every: SignedDuration::from_mins(i64::from(site.config.delivery.sync_minutes)),
        retention: site.config.retention,
    })
}

/// Returns where a member's briefings go.
///
/// # Errors
/// When the sink cannot be used as it is configured.
pub fn sink_of(site: &Site, member: &Member) -> Result<Sink> {
    Sink::of(&site.config, &site.http, member)
}

async fn stop_on_signal(token: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    token.cancel();
}
