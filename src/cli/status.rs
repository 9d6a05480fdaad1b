//! `daybrief status`: where sources, members and deliveries stand.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::site::Site;
use super::{Global, output};
use crate::brief::render::plain;
use crate::schedule;
use crate::store::{deliveries, events, progress};
use crate::triage::report::Lately;

/// Shows where sources, members and deliveries stand.
#[derive(Debug, Args)]
pub struct Status {
    /// How many broken items of each source are named.
    #[arg(long, default_value_t = 3, value_name = "N")]
    skipped: usize,
}

impl Status {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        let now = Timestamp::now();
        if global.json {
            return self.print_json(&site, now);
        }
        for id in site.config.connectors.keys() {
            let (stand, counts, skips, named) = site.store.read_now(|c| {
                Ok((
                    progress::progress_of(c, id)?,
                    progress::counts_of(c, id)?,
                    progress::count_skips(c, id)?,
                    progress::skips_of(c, id, self.skipped)?,
                ))
            })?;
            let synced = stand
                .synced_at
                .map_or("never read to the end".to_owned(), |at| {
                    format!("read {}", ago(now, at))
                });
            output::line(&format!(
                "{id}: {} in {}, {}, {synced}",
                output::counted(counts.events as usize, "event", "events"),
                output::counted(counts.threads as usize, "thread", "threads"),
                output::counted(counts.open_asks as usize, "open ask", "open asks")
            ))?;
            if let Some(error) = stand.error {
                output::line(&format!("  cannot be read: {error}"))?;
            }
            if skips > 0 {
                let more = if skips as usize > named.len() {
                    ", for example"
                } else {
                    ""
                };
                output::line(&format!(
                    "  {}{more}:",
                    output::counted(
                        skips as usize,
                        "item skipped or mended",
                        "items skipped or mended"
                    )
                ))?;
                for skip in named {
                    output::line(&format!("    {}: {}", plain(&skip.at), plain(&skip.reason)))?;
                }
            }
        }
        let last = site.store.read_now(events::last_seq)?;
        match site.index_read_only() {
            Ok(index) if index.applied() < last => {
                output::line(&format!(
                    "index: {} events behind; `daybrief sync` brings them in",
                    last.0 - index.applied().0
                ))?;
            }
            Ok(index) => output::line(&format!(
                "index: up to date, {}",
                output::counted(index.stats().passages as usize, "passage", "passages")
            ))?,
            Err(_) if last.0 == 0 => {
                output::line("index: nothing in it yet; `daybrief sync` reads the sources")?;
            }
            Err(error) => output::line(&format!("index: {error:#}"))?,
        }
        for member in site
            .roster
            .members
            .iter()
            .filter(|member| member.is_briefed)
        {
            let next = schedule::next_start(member, now).map_or(
                "no work day ahead".to_owned(),
                |(_, start)| {
                    start
                        .to_zoned(member.time_zone.clone())
                        .strftime("next %a %-d %b %H:%M %Z")
                        .to_string()
                },
            );
            let last = site
                .store
                .read_now(|c| deliveries::latest(c, Some(&member.id), 1))?;
            let last = last.first().map_or("not briefed yet".to_owned(), |last| {
                format!("last {} ({})", last.date, last.state.as_str())
            });
            output::line(&format!("{}: {next}, {last}", member.id))?;
        }
        let lately = site.store.read_now(|c| Lately::upto(c, now))?;
        if let Some(line) = lately.in_words() {
            output::line(&format!("owner suggestions: {line}"))?;
        }
        if let Some(drift) = lately.drift(site.config.triage.target_precision) {
            output::line(&format!("  {drift}; `daybrief backtest owners` shows more"))?;
        }
        let week = now.checked_sub(SignedDuration::from_hours(7 * 24))?;
        for (at, gap) in site.store.read_now(|c| progress::gaps_since(c, week, 10))? {
            output::line(&format!("gap {}: {}, {}", ago(now, at), gap.of, gap.reason))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn print_json(&self, site: &Site, now: Timestamp) -> Result<ExitCode> {
        let mut connectors = Vec::new();
        for id in site.config.connectors.keys() {
            connectors.push(site.store.read_now(|c| {
                let (stand, counts) = (progress::progress_of(c, id)?, progress::counts_of(c, id)?);
                let named: Vec<_> = progress::skips_of(c, id, self.skipped)?
                    .into_iter()
                    .map(|skip| json!({ "at": skip.at, "reason": skip.reason }))
                    .collect();
                Ok(json!({
                    "connector": id.as_str(), "events": counts.events, "threads": counts.threads, "open_asks": counts.open_asks,
                    "synced_at": stand.synced_at.map(|at| at.to_string()), "error": stand.error,
                    "skipped": progress::count_skips(c, id)?, "skipped_items": named,
                }))
            })?);
        }
        let mut members = Vec::new();
        for member in site
            .roster
            .members
            .iter()
            .filter(|member| member.is_briefed)
        {
            let last = site
                .store
                .read_now(|c| deliveries::latest(c, Some(&member.id), 1))?;
            members.push(json!({
                "member": member.id.as_str(),
                "next_start": schedule::next_start(member, now).map(|(_, start)| start.to_string()),
                "last_date": last.first().map(|last| last.date.to_string()),
                "last_state": last.first().map(|last| last.state.as_str()),
            }));
        }
        let last = site.store.read_now(events::last_seq)?;
        let lately = site.store.read_now(|c| Lately::upto(c, now))?;
        let suggestions = json!({
            "suggested": lately.last.suggested, "right": lately.last.right, "changed": lately.last.changed,
            "open": lately.last.open, "abstained": lately.last.abstained, "precision": lately.last.precision(),
            "precision_before": lately.before.precision(),
            "drift": lately.drift(site.config.triage.target_precision),
        });
        let applied = site.index_read_only().ok().map(|index| index.applied().0);
        output::json_line(
            &json!({ "connectors": connectors, "members": members, "log": last.0, "index": applied, "suggestions": suggestions }),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    match now.duration_since(at).as_mins() {
        ..=1 => "just now".to_owned(),
        minutes @ 2..=119 => format!("{minutes} minutes ago"),
        minutes @ 120..=2879 => format!("{} hours ago", minutes / 60),
        minutes => format!("{} days ago", minutes / 1440),
    }
}
