//! `daybrief index`: look at the index, check it, or build it again from the store.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use super::site::Site;
use super::{Global, output};
use crate::ingest::follow;

/// Looks at the index, checks it, or builds it again from the store.
#[derive(Debug, Args)]
pub struct Index {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Empty the index and fill it again from the store.
    Rebuild,
    /// Read everything back and say what does not fit; exit code 1 when something is wrong.
    Verify,
    /// Show what the index holds and what it weighs.
    Stats,
}

impl Index {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        match self.what {
            What::Rebuild => rebuild(global),
            What::Verify => verify(global),
            What::Stats => stats(global),
        }
    }
}

fn rebuild(global: &Global) -> Result<ExitCode> {
    let site = Site::open(global)?;
    let lock = crate::lock::InstanceLock::take(&site.data_dir).context("cannot rebuild")?;
    let index = site.index()?;
    index.rebuild(std::iter::empty())?;
    let bar = output::progress("index");
    let steps = follow::follow(&site.store, &index, &site.roster, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    drop(lock);
    let stats = index.stats();
    if global.json {
        output::json_line(&json!({ "steps": steps, "passages": stats.passages }))?;
    } else {
        output::line(&format!(
            "The index is built again: {} passages from {} steps of the log.",
            output::count(stats.passages as usize),
            output::count(steps)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(global: &Global) -> Result<ExitCode> {
    let site = Site::open_read_only(global)?;
    let index = site.index_read_only()?;
    let report = index.verify()?;
    let is_behind = follow::is_behind(&site.store, index.applied())?;
    if global.json {
        output::json_line(&json!({
            "passages": report.passages,
            "read": report.read,
            "problems": report.problems,
            "is_behind": is_behind,
        }))?;
    } else {
        output::line(&format!(
            "{} passages, {} of them read back.",
            output::count(report.passages as usize),
            output::count(report.read as usize)
        ))?;
        for problem in &report.problems {
            output::line(&format!("  {problem}"))?;
        }
        if is_behind {
            output::line("The newest events are not in it yet; `daybrief sync` brings them in.")?;
        }
        output::line(if report.problems.is_empty() {
            "Nothing is wrong."
        } else {
            "Run `daybrief index rebuild`; the store has everything the index had."
        })?;
    }
    Ok(if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn stats(global: &Global) -> Result<ExitCode> {
    let site = Site::open_read_only(global)?;
    let index = site.index_read_only()?;
    let stats = index.stats();
    if global.json {
        output::json_line(&serde_json::to_value(&stats)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&format!(
        "{} passages, applied up to step {} of the log",
        output::count(stats.passages as usize),
        stats.applied.0
    ))?;
    output::line(&format!(
        "full text {} in {} segments, vectors {} (weights of generation {})",
        megabytes(stats.text_bytes),
        stats.segments,
        megabytes(stats.vector_bytes),
        stats.generation
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
