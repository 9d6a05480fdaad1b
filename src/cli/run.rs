//! `daybrief run`: the daemon.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::site::Site;
use super::{Global, output};
use crate::brief::render::plain;
use crate::clock::Clock;
use crate::connectors::ConnectorConfig;
use crate::connectors::tracker::AnyTracker;
use crate::daemon::desk::{Accounts, Listener};
use crate::daemon::joining::Following;
use crate::daemon::tickets::Tickets;
use crate::daemon::{Daemon, Parts};
use crate::http::Http;
use crate::lock::InstanceLock;
use crate::metrics::Collected;
use crate::model::{ConnectorId, Member};
use crate::server;
use crate::sinks::Sink;
use crate::triage::watch::{Modes, Watch};

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
        let trackers = trackers_of(&site)?;
        let (listeners, store) = (listeners_of(&site, &trackers)?, site.store.clone());
        let http = site.http.clone();
        let mut parts = parts_of(site, trackers)?;
        parts.seat(&listeners);
        let mut daemon = Daemon::new(parts, Clock::System, token.clone());
        let unfinished = runtime.block_on(async {
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
                for listener in listeners {
                    let hints = daemon.hints();
                    listener.start(&loops, &store, hints, daemon.answering(), &token);
                }
                listen(&daemon, &http, &loops, &token);
            }
            let work = loops.spawn(async move {
                // However it ends, those who listen end with it.
                let _end = token.drop_guard();
                if once {
                    daemon.step().await?;
                    return daemon.unfinished().await;
                }
                daemon.run().await.map(|()| Vec::new())
            });
            loops.close();
            loops.wait().await;
            work.await.context("the daemon stopped")?
        })?;
        drop(lock);
        if self.once && global.json {
            let left = unfinished.iter().map(|left| {
                json!({
                    "of": left.of, "reason": left.reason,
                    "next_try_at": left.next_try_at.map(|at| at.to_string()),
                })
            });
            output::json_line(&json!({ "unfinished": left.collect::<Vec<_>>() }))?;
        }
        for left in &unfinished {
            let again = left.next_try_at.map_or(String::new(), |at| {
                let at = at.to_zoned(TimeZone::system());
                format!("; it is not tried again before {}", at.strftime("%H:%M %Z"))
            });
            eprintln!("daybrief: {}: {}{again}", left.of, plain(&left.reason));
        }
        Ok(if unfinished.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Begins to listen at the sources that push.
fn listen(daemon: &Daemon<Sink>, http: &Http, loops: &TaskTracker, token: &CancellationToken) {
    for (id, connector) in daemon.connectors() {
        if let ConnectorConfig::Imap(imap) = connector {
            let (imap, id, base) = (imap.clone(), id.clone(), daemon.base().to_path_buf());
            let (hints, http, token) = (daemon.hints(), http.clone(), token.clone());
            loops.spawn(async move { imap.listen(id, &base, &http, hints, token).await });
        }
    }
}

/// Returns what a daemon works on, from an installation.
///
/// # Errors
/// When the index cannot be opened.
pub fn parts_of(site: Site, trackers: BTreeMap<ConnectorId, AnyTracker>) -> Result<Parts<Sink>> {
    let index = site.index()?;
    for notice in index.notices().drain(..) {
        warn!("{notice}");
    }
    let style = site.style();
    let llm = site.llm();
    let sinks = site
        .roster
        .members
        .iter()
        .map(|member| Ok((member.id.clone(), sink_of(&site, member)?)))
        .collect::<Result<_>>()?;
    let watch = Watch::in_config(&site.config.triage, &site.config.base)?;
    let roster_config = site.config.roster.clone();
    let following = if roster_config.from.is_some() {
        let (config, http) = (site.config.clone(), site.http.clone());
        Some(Following {
            config: roster_config,
            configured: config.members(Timestamp::now())?,
            sink_of: Box::new(move |member| Sink::of(&config, &http, member)),
        })
    } else {
        None
    };
    Ok(Parts {
        tickets: Tickets::new(watch, trackers),
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
        following,
    })
}

/// Returns the ways to write to trackers: only where the config lets daybrief write is there one.
///
/// # Errors
/// When a key of a connector's table cannot be right.
pub fn trackers_of(site: &Site) -> Result<BTreeMap<ConnectorId, AnyTracker>> {
    let modes = Modes::in_config(&site.config.triage);
    let mut trackers = BTreeMap::new();
    for (id, connector) in &site.config.connectors {
        if modes.may_write(id)
            && let Some(tracker) = connector.tracker(id, &site.config.base, &site.http)?
        {
            trackers.insert(id.clone(), tracker);
        }
    }
    Ok(trackers)
}

/// Returns what listens to the workspaces that push.
fn listeners_of(
    site: &Site,
    trackers: &BTreeMap<ConnectorId, AnyTracker>,
) -> Result<Vec<Listener>> {
    let modes = Modes::in_config(&site.config.triage);
    let mut by_word = trackers.clone();
    by_word.retain(|id, _| modes.lets_people_assign(id));
    let mut listeners = Vec::new();
    for (id, connector) in &site.config.connectors {
        let ConnectorConfig::Slack(slack) = connector else {
            continue;
        };
        let Some(client) = slack.app_client(id, &site.config.base, &site.http)? else {
            continue;
        };
        listeners.push(Listener {
            connector: id.clone(),
            client,
            accounts: Accounts::default(),
            trackers: by_word.clone(),
            is_open: Arc::default(),
        });
    }
    Ok(listeners)
}

/// Returns where a member's briefings go.
///
/// # Errors
/// When the sink cannot be used as it is configured.
pub fn sink_of(site: &Site, member: &Member) -> Result<Sink> {
    Sink::of(&site.config, &site.http, member)
}

async fn stop_on_signal(token: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        // The terminal is gone; there is nothing to read anew.
        _ = hangup.recv() => {}
    }
    token.cancel();
}
