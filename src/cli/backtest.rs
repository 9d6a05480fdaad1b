//! `daybrief backtest`: measure daybrief on the team's own past.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::json;

use super::site::Site;
use super::{Global, output};
use crate::brief::backtest::{Report, backtest};
use crate::brief::rank::Weights;
use crate::brief::render::plain;
use crate::store::events;

mod owners;
mod plot;

/// Measures daybrief on the team's own past, before anybody is sent anything.
#[derive(Debug, Args)]
pub struct Backtest {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Would the first lines of the briefings have held what people then acted on?
    Briefings {
        /// How many weeks back from the last event.
        #[arg(long, default_value_t = 4, value_name = "N")]
        weeks: u16,
    },
    Owners(owners::Owners),
}

/// How many misses are shown.
const MISSES_SHOWN: usize = 8;

impl Backtest {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        match self.what {
            What::Briefings { weeks } => briefings(weeks, global),
            What::Owners(owners) => owners.run(global),
        }
    }
}

fn briefings(weeks: u16, global: &Global) -> Result<ExitCode> {
    let site = Site::open_read_only(global)?;
    if site.roster.members.is_empty() {
        bail!(
            "{} names no members; add a [members.NAME] table",
            global.config.display()
        );
    }
    let (first, last) = site
        .store
        .read_now(|c| Ok((events::first_moment(c)?, events::last_moment(c)?)))?;
    let date = |at: jiff::Timestamp| at.to_zoned(TimeZone::UTC).date();
    // The last day has no next day to act on, the first no night before.
    let to = date(last).yesterday()?;
    let from = to
        .saturating_sub(jiff::Span::new().weeks(weeks))
        .max(date(first).tomorrow()?);
    if from > to {
        bail!("there are less than three days of history; sync more first");
    }
    let bar = output::progress("mornings");
    let style = site.style();
    let report = site.store.read_now(|c| {
        backtest(c, &site.roster, from, to, &style, |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        })
    })?;
    bar.finish_and_clear();
    if global.json {
        print_json(&report)?
    } else {
        print(&report, from, to)?
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report, from: jiff::civil::Date, to: jiff::civil::Date) -> Result<()> {
    let share = |held: usize| format!("{:.0} %", 100.0 * held as f64 / report.acted.max(1) as f64);
    output::line(&format!(
        "{} from {from} to {to}. Within a day of them people wrote in {} that others had moved overnight.",
        output::counted(report.mornings, "morning", "mornings"),
        output::counted(report.acted, "thread", "threads")
    ))?;
    if let Some(ours) = report.orders.first().filter(|_| report.acted > 0) {
        output::line(&format!(
            "The first 5 lines of their briefings would have held {} of these threads, the first 9 lines {}.",
            share(ours.at_5),
            share(ours.at_9)
        ))?;
        output::line(&format!(
            "\n  {:<30} {:>8} {:>8}",
            "order", "5 lines", "9 lines"
        ))?;
        for held in &report.orders {
            let (at_5, at_9) = (share(held.at_5), share(held.at_9));
            output::line(&format!("  {:<30} {at_5:>8} {at_9:>8}", held.order))?;
        }
    }
    output::line(&format!(
        "\n{} of {} to members lay unanswered for more than two work days.",
        output::count(report.asks_late),
        output::counted(report.asks, "ask", "asks")
    ))?;
    if !report.misses.is_empty() {
        output::line(&format!(
            "\nActed on without a line ({}), the worst first:",
            output::count(report.misses.len())
        ))?;
        for miss in report.misses.iter().take(MISSES_SHOWN) {
            output::line(&format!(
                "  {} {} {} (+{}): {}",
                miss.date,
                miss.member,
                plain(&miss.thread),
                miss.news,
                miss.why.in_words()
            ))?;
        }
    }
    let weights: Vec<String> = Weights::default()
        .named()
        .iter()
        .map(|(name, weight)| format!("{name} {weight}"))
        .collect();
    output::line(&format!("\nRank weights: {}", weights.join(" · ")))
}

fn print_json(report: &Report) -> Result<()> {
    let orders: Vec<_> = report
        .orders
        .iter()
        .map(|held| json!({ "order": held.order, "at_5": held.at_5, "at_9": held.at_9 }))
        .collect();
    let misses: Vec<_> = report
        .misses
        .iter()
        .map(|miss| json!({ "member": miss.member.as_str(), "date": miss.date.to_string(), "thread": miss.thread, "reason": miss.why.in_words(), "news": miss.news }))
        .collect();
    let weights: BTreeMap<_, _> = Weights::default()
        .named()
        .into_iter()
        .map(|(name, weight)| (name, (f64::from(weight) * 100.0).round() / 100.0))
        .collect();
    output::json_line(&json!({
        "mornings": report.mornings,
        "acted": report.acted,
        "orders": orders,
        "asks": report.asks,
        "asks_unanswered_for_two_work_days": report.asks_late,
        "misses": misses,
        "weights": weights,
    }))
}
