//! `daybrief backtest owners`: would the suggested owners have been right?

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::plot;
use crate::cli::site::Site;
use crate::cli::{Global, output};
use crate::connectors::tickets::{self, Row};
use crate::model::ConnectorId;
use crate::store::tickets as store;
use crate::triage::backtest::{Plan, Report, SLICES, Slice, Truth, rules_of, walk};
use crate::triage::log;
use crate::triage::memory::Settings;
use crate::triage::model::{Advice, Model, Opened};
use crate::triage::past::Past;

/// Would the suggested owners have been right, had daybrief been there? Each ticket is looked at as it was opened.
#[derive(Debug, Args)]
pub struct Owners {
    /// The tracker whose stored past is walked through [default: the only one].
    #[arg(long, value_name = "ID", conflicts_with = "history")]
    connector: Option<String>,
    /// Instead of the store: the tracker's tickets up to a moment, JSON lines; .gz and .zst are unpacked.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Tickets opened after it, as they were opened; these are the ones suggested for.
    #[arg(long, value_name = "FILE", requires_all = ["truth", "history"])]
    inputs: Option<PathBuf>,
    /// The same tickets as they ended, learned from as each thing became known.
    #[arg(long, value_name = "FILE", requires = "inputs")]
    truth: Option<PathBuf>,
    /// Where to write the suggestions, JSON lines.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where to draw how right the surest answers are, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Days between two fits of the re-ranker.
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    refit_days: u16,
    /// The share of answers that should be right.
    #[arg(long, default_value_t = 0.8, value_name = "SHARE")]
    target: f32,
    /// Leaves components and labels out, which are often set by whoever finds the owner.
    #[arg(long)]
    bare: bool,
    /// Measures afterwards how long one suggestion and one fit take with all of the tickets remembered.
    #[arg(long)]
    time: bool,
}

/// Of a history alone, the first tickets only fill the memory.
const ASKED_FROM: f64 = 0.5;
const OWNERS_WRITTEN: usize = 10;
const DUPLICATES_WRITTEN: usize = 20;
/// How many suggestions are timed, and for how many owners of each reasons are looked for.
const TIMED: usize = 300;
const OWNERS_TIMED: usize = 5;

impl Owners {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        if !(0.0..=1.0).contains(&self.target) {
            bail!("--target is a share between 0 and 1, such as 0.8");
        }
        let (mut past, truth, asked) = match &self.history {
            Some(history) => self.past_in_files(history)?,
            None => self.past_in_store(global)?,
        };
        if asked.is_empty() {
            bail!("there is no ticket to suggest an owner for");
        }
        if self.bare {
            past.leave_fields_out();
        }
        let out = self.out.as_deref().map(File::create).transpose();
        let mut out = out
            .with_context(|| format!("cannot write {}", shown(self.out.as_deref())))?
            .map(BufWriter::new);
        let bar = output::progress("tickets");
        bar.set_length(asked.len() as u64);
        let plan = Plan {
            refit_days: self.refit_days,
            target: self.target,
        };
        let mut report = Report::default();
        let mut failed = None;
        let mut model = walk(
            &past,
            |id| asked.contains(id),
            plan,
            |opened, advice, rules| {
                bar.inc(1);
                report.add(opened, advice, rules, &truth);
                if let Some(out) = &mut out
                    && let Err(error) = writeln!(out, "{}", prediction(opened, advice))
                {
                    failed = Some(error);
                }
            },
        );
        bar.finish_and_clear();
        let [_, _, all] = &report.slices;
        if all.model.count == 0 {
            bail!(
                "too few tickets to measure anything: of {} there was none that got an owner after enough others had one; sync more of the tracker's past first",
                output::counted(asked.len(), "ticket", "tickets")
            );
        }
        let flushed = out.as_mut().map_or(Ok(()), Write::flush);
        if let Some(error) = failed.or(flushed.err()) {
            return Err(error)
                .with_context(|| format!("cannot write {}", shown(self.out.as_deref())));
        }
        if let Some(path) = &self.plot {
            let [_, _, all] = &report.slices;
            std::fs::write(path, plot::curve(&all.curve(0.02), f64::from(self.target)))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let times = self.time.then(|| times_of(&mut model, &past));
        if global.json {
            let mut told = to_json(&report, &past, model.threshold());
            if let Some((one, fit)) = times {
                told["suggestion_ms"] = json!(1_000.0 * one.as_secs_f64());
                told["fit_secs"] = json!(fit.as_secs_f64());
            }
            output::json_line(&told)?;
        } else {
            print(&report, &past, model.threshold(), self.target)?;
            if let Some((one, fit)) = times {
                output::line(&format!(
                    "\nWith {} tickets remembered a suggestion with its reasons takes {:.1} ms, a fit {:.1} s.",
                    output::count(past.openings().count()),
                    1_000.0 * one.as_secs_f64(),
                    fit.as_secs_f64()
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Owners {
    /// Returns the past, what is known today, and the tickets to be asked about.
    fn past_in_files(&self, history: &Path) -> Result<(Past, Truth, HashSet<String>)> {
        let history = read_rows(history)?;
        let inputs = self.inputs.as_deref().map(read_rows).transpose()?;
        let later = self.truth.as_deref().map(read_rows).transpose()?;
        let later = later.unwrap_or_default();
        let truth = truth_of(history.iter().chain(&later));
        let asked = match &inputs {
            Some(inputs) => inputs.iter().map(|row| row.id.clone()).collect(),
            None => latest(history.iter().map(|row| &row.id)),
        };
        let past = Past::of_rows(&history, inputs.as_deref().unwrap_or_default(), &later);
        Ok((past, truth, asked))
    }

    fn past_in_store(&self, global: &Global) -> Result<(Past, Truth, HashSet<String>)> {
        let site = Site::open_read_only(global)?;
        site.store.read_now(|c| {
            let trackers = store::trackers(c)?;
            let connector = match (&self.connector, trackers.as_slice()) {
                (Some(wanted), _) => trackers
                    .iter()
                    .find(|id| id.as_str() == wanted)
                    .with_context(|| format!("{wanted} has no tickets in the store"))?,
                (None, [one]) => one,
                (None, []) => bail!("there are no tickets in the store; sync a tracker first"),
                (None, _) => bail!("which tracker? use --connector {}", names(&trackers)),
            };
            let (tickets, lives) = (
                store::tickets_of(c, connector)?,
                store::lives_of(c, connector)?,
            );
            let owners = Settings::of(&site.config.triage, &site.config.base)?.owners;
            let past = log::past_of(&tickets, &lives, &site.roster, &owners);
            let mut truth = Truth::default();
            for row in tickets {
                let owner = row.ticket.assignee.as_ref();
                let owner = owner.map(|owner| log::account_of(owner, &site.roster));
                if let Some(owner) = owner.filter(|owner| !past.inboxes.contains(owner)) {
                    truth.owners.insert(row.id.clone(), owner);
                }
                if let Some(older) = row.ticket.duplicate_of {
                    truth.repeats.insert(row.id, older);
                }
            }
            let asked = latest(past.openings().map(|opened| &opened.id));
            Ok((past, truth, asked))
        })
    }
}

/// Returns how long one suggestion with its reasons takes on average, and one fit.
fn times_of(model: &mut Model, past: &Past) -> (Duration, Duration) {
    let openings: Vec<&Opened> = past.openings().collect();
    let lately = &openings[openings.len().saturating_sub(TIMED)..];
    let begun = Instant::now();
    for opened in lately {
        let advice = model.advise(opened);
        let grounds = model.grounds(opened);
        for ranked in advice.owners.iter().take(OWNERS_TIMED) {
            model.evidence(&grounds, opened, &ranked.person, |_| true);
        }
    }
    let one = begun.elapsed() / u32::try_from(lately.len().max(1)).unwrap_or(1);
    let begun = Instant::now();
    model.refit(past.steps.last().map_or(0, |(at, _)| *at));
    (one, begun.elapsed())
}

/// Returns the later ones of the tickets; the others only fill the memory.
fn latest<'a>(ids: impl Iterator<Item = &'a String>) -> HashSet<String> {
    let ids: Vec<&String> = ids.collect();
    let from = (ids.len() as f64 * ASKED_FROM) as usize;
    ids.into_iter().skip(from).cloned().collect()
}

fn names(trackers: &[ConnectorId]) -> String {
    let names: Vec<&str> = trackers.iter().map(ConnectorId::as_str).collect();
    names.join(" or ")
}

fn shown(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}

/// Reads a file of tickets; a line that is no ticket is named and left out.
fn read_rows(path: &Path) -> Result<Vec<Row>> {
    let reading = || format!("cannot read {}", path.display());
    let mut rows = Vec::new();
    let lines = tickets::decoded(path).with_context(reading)?.lines();
    for (number, line) in (1..).zip(lines) {
        let line = line.with_context(reading)?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Row>(&line) {
            Ok(row) if !row.id.is_empty() && row.created_at().is_some() => rows.push(row),
            Ok(_) => tracing::warn!(
                "{}:{number}: a ticket without `id` or `created_at`; left out",
                path.display()
            ),
            Err(error) => tracing::warn!("{}:{number}: {error}; left out", path.display()),
        }
    }
    rows.sort_by_key(Row::created_at);
    Ok(rows)
}

fn truth_of<'a>(rows: impl Iterator<Item = &'a Row>) -> Truth {
    let mut truth = Truth::default();
    for row in rows {
        if let Some(owner) = row.assignee.as_ref().filter(|_| !row.assignee_placeholder) {
            truth.owners.insert(row.id.clone(), owner.clone());
        }
        if let Some(older) = &row.duplicate_of {
            truth.repeats.insert(row.id.clone(), older.clone());
        }
    }
    truth
}

fn prediction(opened: &Opened, advice: &Advice) -> Value {
    let owners: Vec<Value> = advice
        .owners
        .iter()
        .take(OWNERS_WRITTEN)
        .map(|ranked| json!({ "assignee": ranked.person, "score": ranked.probability }))
        .collect();
    let duplicates: Vec<Value> = advice
        .duplicates
        .iter()
        .take(DUPLICATES_WRITTEN)
        .map(|(id, score)| json!({ "id": id, "score": score }))
        .collect();
    let areas: Vec<Value> = advice
        .areas
        .iter()
        .map(|(area, score)| json!({ "area": area, "score": score }))
        .collect();
    json!({
        "id": opened.id,
        "suggestions": owners,
        "duplicates": duplicates,
        "areas": areas,
        "abstain": !advice.is_confident,
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn print(report: &Report, past: &Past, threshold: f32, target: f32) -> Result<()> {
    for (name, slice) in SLICES.into_iter().zip(&report.slices) {
        if slice.model.count > 0 {
            print_slice(name, slice)?;
        }
    }
    let [_, _, all] = &report.slices;
    output::line("The surest answers first (all tickets):\n")?;
    output::line(&format!(
        "  {:>8} {:>8} {:>12}",
        "answered", "right", "probability"
    ))?;
    for point in all.curve(0.1) {
        output::line(&format!(
            "  {:>8} {:>8} {:>12.2}",
            format!("{:.0} %", 100.0 * point.coverage),
            percent(point.precision),
            point.probability
        ))?;
    }
    let (answered, right) = report.answered;
    output::line(&format!(
        "\nAnswering from {threshold:.2} up: {} of {} tickets answered, {} of the answers right (target {}).",
        output::count(answered),
        output::count(all.model.count),
        percent(right as f64 / answered.max(1) as f64),
        percent(f64::from(target)),
    ))?;
    output::line(&format!(
        "Probabilities are off by {:.3} on average (ECE, 15 bins).",
        all.calibration_error()
    ))?;
    let (with_area, areas) = report.areas;
    if with_area > 0 {
        output::line(&format!(
            "Component found without being told: {} of {}.",
            percent(areas as f64 / with_area as f64),
            output::count(with_area)
        ))?;
    }
    let (repeats, among) = report.duplicates;
    if repeats > 0 {
        let shares = among.map(|hits| percent(hits as f64 / repeats as f64));
        output::line(&format!(
            "Of {} tickets that repeat another one it came first in {}, among five in {}, among ten in {}.",
            output::count(repeats),
            shares[0],
            shares[1],
            shares[2]
        ))?;
    }
    print_people(report)?;
    if !past.inboxes.is_empty() {
        let names: Vec<&str> = past.inboxes.iter().map(String::as_str).collect();
        output::line(&format!(
            "\nTaken for inboxes, never suggested: {}.",
            names.join(", ")
        ))?;
    }
    Ok(())
}

fn print_slice(name: &str, slice: &Slice) -> Result<()> {
    output::line(&format!(
        "{name} ({} tickets)\n",
        output::count(slice.model.count)
    ))?;
    output::line(&format!(
        "  {:<30} {:>8} {:>8} {:>8}",
        "the owner was among the", "first", "first 3", "first 5"
    ))?;
    for (rule, hits) in [("daybrief", &slice.model)]
        .into_iter()
        .chain(rules_of(slice))
    {
        let [one, three, five] = hits.shares().map(percent);
        output::line(&format!("  {rule:<30} {one:>8} {three:>8} {five:>8}"))?;
    }
    output::line(&format!(
        "  {} can be answered with 80 % right, {} with 90 %.\n",
        percent(slice.coverage_at(0.8)),
        percent(slice.coverage_at(0.9))
    ))
}

fn print_people(report: &Report) -> Result<()> {
    const SHOWN: usize = 15;
    let mut people: Vec<_> = report.people.iter().collect();
    people.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    output::line("\nBy owner (tickets, of them suggested first):")?;
    for (name, (count, right)) in people.iter().take(SHOWN) {
        output::line(&format!("  {name:<30} {count:>6} {right:>6}"))?;
    }
    if people.len() > SHOWN {
        let rest: usize = people[SHOWN..].iter().map(|(_, (count, _))| count).sum();
        output::line(&format!(
            "  … and {} others with {} tickets.",
            people.len() - SHOWN,
            output::count(rest)
        ))?;
    }
    Ok(())
}

fn to_json(report: &Report, past: &Past, threshold: f32) -> Value {
    let hits =
        |shares: [f64; 3]| json!({ "top1": shares[0], "top3": shares[1], "top5": shares[2] });
    let slices: Vec<Value> = SLICES
        .into_iter()
        .zip(&report.slices)
        .filter(|(_, slice)| slice.model.count > 0)
        .map(|(name, slice)| {
            let rules: serde_json::Map<String, Value> = rules_of(slice)
                .map(|(rule, of_rule)| (rule.to_owned(), hits(of_rule.shares())))
                .collect();
            let curve: Vec<Value> = slice
                .curve(0.05)
                .into_iter()
                .map(|point| {
                    json!({ "coverage": point.coverage, "precision": point.precision, "probability": point.probability })
                })
                .collect();
            json!({
                "slice": name,
                "tickets": slice.model.count,
                "daybrief": hits(slice.model.shares()),
                "rules": rules,
                "coverage_at_80": slice.coverage_at(0.8),
                "coverage_at_90": slice.coverage_at(0.9),
                "calibration_error": slice.calibration_error(),
                "curve": curve,
            })
        })
        .collect();
    let people: Vec<Value> = report
        .people
        .iter()
        .map(|(name, (count, right))| json!({ "name": name, "tickets": count, "right": right }))
        .collect();
    json!({
        "slices": slices,
        "threshold": threshold,
        "answered": report.answered.0,
        "answered_right": report.answered.1,
        "tickets_with_component": report.areas.0,
        "component_first": report.areas.1,
        "repeats": report.duplicates.0,
        "repeats_found_at_1_5_10": report.duplicates.1,
        "people": people,
        "inboxes": past.inboxes,
    })
}
