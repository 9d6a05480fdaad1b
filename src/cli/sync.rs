//! `daybrief sync`: read the sources now.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::site::Site;
use super::{Global, output};
use crate::brief::render::phrases::count;
use crate::brief::render::plain;
use crate::daemon::expire_all;
use crate::ingest::{self, Synced, follow};
use crate::model::ConnectorId;

/// Reads every source to its end, or only one; what was read before is not read again.
#[derive(Debug, Args)]
pub struct Sync {
    /// Only this connector.
    #[arg(value_name = "CONNECTOR")]
    connector: Option<String>,
}

/// How many broken items are named after a sync; `status` lists the rest.
const SKIPS_NAMED: usize = 5;

impl Sync {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open(global)?;
        if let Some(name) = &self.connector {
            let known: Vec<&str> = site
                .config
                .connectors
                .keys()
                .map(ConnectorId::as_str)
                .collect();
            if !known.contains(&name.as_str()) {
                bail!(
                    "there is no [connectors.{name}] in {}; known: {}",
                    global.config.display(),
                    known.join(", ")
                );
            }
        }
        if site.config.connectors.is_empty() {
            bail!(
                "{} names no connectors; add a [connectors.NAME] table",
                global.config.display()
            );
        }
        let lock = crate::lock::InstanceLock::take(&site.data_dir).context(
            "cannot sync; while `daybrief run` is at work it reads the sources by itself",
        )?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut failed = false;
        for id in site.config.connectors.keys().filter(|id| {
            self.connector
                .as_deref()
                .is_none_or(|name| name == id.as_str())
        }) {
            match runtime.block_on(sync_one(&site, id)) {
                Ok(synced) => print_synced(id, &synced, global.json)?,
                Err(error) => {
                    failed = true;
                    output::print_error(
                        &error.context(format!("in [connectors.{id}]")),
                        global.json,
                    );
                }
            }
        }
        let expired = runtime.block_on(expire_all(
            &site.store,
            &site.config.connectors,
            &site.config.retention,
            Timestamp::now(),
        ))?;
        if expired > 0 && !global.json {
            output::line(&format!(
                "Forgot the words of {} past [retention].",
                count(expired, "event", "events")
            ))?;
        }
        let index = site.index()?;
        let bar = output::progress("index");
        follow::follow(
            &site.store,
            &index,
            &site.renewed_roster()?,
            |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            },
        )?;
        bar.finish_and_clear();
        if index.has_model() {
            let bar = output::progress("embedding");
            let embedded = follow::embed(
                &index,
                || false,
                |left| bar.set_message(format!("{left} left")),
            );
            bar.finish_and_clear();
            if let Err(error) = embedded {
                eprintln!(
                    "note: the embedding model did not answer ({error:#}); search goes on without it"
                );
            }
        }
        for notice in index.notices().iter() {
            eprintln!("note: {notice}");
        }
        drop(lock);
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

async fn sync_one(site: &Site, id: &ConnectorId) -> Result<Synced> {
    let mut source = site.config.connectors[id].open(id, &site.config.base, &site.http)?;
    let bar = output::progress(id.as_str());
    let synced = ingest::sync(
        &site.store,
        id,
        &mut source,
        &site.roster,
        Timestamp::now,
        |synced, at| {
            if let Some((done, total)) = at {
                bar.set_length(total);
                bar.set_position(done);
            }
            bar.set_message(format!("{} events", synced.events));
        },
    )
    .await;
    bar.finish_and_clear();
    synced
}

fn print_synced(id: &ConnectorId, synced: &Synced, as_json: bool) -> Result<()> {
    if as_json {
        let skipped: Vec<_> = synced
            .skipped
            .iter()
            .map(|skip| json!({ "at": skip.at, "reason": skip.reason }))
            .collect();
        return output::json_line(
            &json!({ "connector": id.as_str(), "events": synced.events, "threads": synced.threads, "skipped": skipped }),
        );
    }
    let news = match (synced.events, synced.threads) {
        (0, _) => "nothing new".to_owned(),
        (events, threads) => format!(
            "{} in {}",
            output::counted(events, "new event", "new events"),
            output::counted(threads, "thread", "threads")
        ),
    };
    let skipped = match synced.skipped.len() {
        0 => String::new(),
        many => format!(
            ", {}",
            output::counted(many, "item skipped or mended", "items skipped or mended")
        ),
    };
    output::line(&format!("{id}: {news}{skipped}"))?;
    for skip in synced.skipped.iter().take(SKIPS_NAMED) {
        // A path within a zip is text from outside, too.
        eprintln!("  {}: {}", plain(&skip.at), plain(&skip.reason));
    }
    if synced.skipped.len() > SKIPS_NAMED {
        eprintln!(
            "  … and {} more; `daybrief status --skipped {}` lists them",
            synced.skipped.len() - SKIPS_NAMED,
            synced.skipped.len()
        );
    }
    Ok(())
}
