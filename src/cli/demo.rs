//! `daybrief demo`: one night of a bundled sample team on the simulated clock.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use daybrief_index::{Index, Options};
use include_dir::{Dir, include_dir};
use jiff::civil::{Date, date};
use jiff::{Span, Timestamp};

use super::site::Site;
use super::{Global, output, search, suggest};
use crate::brief::{Style, briefing, render};
use crate::clock::Clock;
use crate::config::{Config, FILE_NAME};
use crate::ingest::{self, follow};
use crate::model::{ConnectorId, Learned, Member, Window};
use crate::schedule;
use crate::store::Store;
use crate::store::events;
use crate::triage::Memory;
use crate::triage::memory::{Asking, Settings};
use crate::triage::watch::Watch;

/// The sample team: eight people of a made-up company in six zones, a fortnight of their talk, mail and tickets.
static TEAM: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/fixtures/team");

/// The Monday whose mornings are played; Europe's clocks went back the day before.
const MONDAY: Date = date(2026, 10, 26);

/// What is searched for at the end, and by whom.
const QUESTION: &str = "double charge no-show";
const ASKER: &str = "anjali";

/// The new ticket that an owner is suggested for.
const TICKET: (&str, &str) = ("tracker", "HUT-239");

/// Plays one night of a bundled sample team and prints the briefings as each member's day starts, then one search.
#[derive(Debug, Args)]
pub struct Demo {
    /// Only this member's briefing, and no search.
    #[arg(long, value_name = "MEMBER")]
    member: Option<String>,
}

impl Demo {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let folder = Folder::make()?;
        let clock = Clock::simulated(first_start());
        let (site, index) = load(folder.path(), &clock)?;
        let mut mornings: Vec<(Timestamp, &Member)> = site
            .roster
            .members
            .iter()
            .filter(|member| {
                self.member
                    .as_deref()
                    .is_none_or(|name| name == member.id.as_str())
            })
            .map(|member| (schedule::day_start(member, MONDAY), member))
            .collect();
        if mornings.is_empty() {
            let known: Vec<&str> = site
                .roster
                .members
                .iter()
                .map(|member| member.id.as_str())
                .collect();
            anyhow::bail!(
                "the sample team has no such member; it has {}",
                known.join(", ")
            );
        }
        mornings.sort_by_key(|(start, member)| (*start, member.id.clone()));
        if !global.json {
            output::line(
                "Hutline makes software for mountain huts: eight people in six time zones. Over the weekend the clocks\n\
                 went back in Europe, and a nightly job ran twice. This is Monday morning, wherever it begins first.",
            )?;
        }
        for (start, member) in mornings {
            clock.move_to(start);
            show_morning(&site, member, clock.now(), global.json)?;
        }
        if self.member.is_none() && !global.json {
            show_search(&site, &index)?;
            show_suggestion(&site)?;
            output::line(
                "\nNow with your own: `daybrief init` writes a configuration, `daybrief check` says what it lacks,\n\
                 `daybrief sync` reads your sources, `daybrief brief NAME` shows a briefing, `daybrief run` sends them.",
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn show_morning(site: &Site, member: &Member, now: Timestamp, as_json: bool) -> Result<()> {
    let local = now.to_zoned(member.time_zone.clone());
    if !schedule::is_workday(member, MONDAY) {
        if !as_json {
            output::line(&rule(&format!(
                "{} · {} is away today, so nothing is sent",
                local.strftime("%H:%M"),
                member.name
            )))?;
        }
        return Ok(());
    }
    let before = schedule::last_workday_before(member, MONDAY);
    let previous = before.map(|before| Learned(schedule::day_start(member, before)));
    let briefing = site.store.read_now(|c| {
        let after = Learned(schedule::window_after(member, MONDAY));
        let window = Window {
            after,
            upto: Learned(now),
            upto_seq: events::last_seq(c)?,
        };
        briefing(
            c,
            member,
            &site.roster,
            window,
            previous,
            &Style::default(),
            Vec::new(),
        )
    })?;
    if as_json {
        return output::line(&render::json_line(&render::to_json(&briefing)));
    }
    let city = member
        .time_zone
        .iana_name()
        .and_then(|name| name.rsplit('/').next())
        .unwrap_or("UTC")
        .replace('_', " ");
    output::line(&rule(&format!(
        "{} in {city} · {}",
        local.strftime("%H:%M"),
        member.name
    )))?;
    output::line(render::terminal(&briefing, member, now, &output::screen()).trim_end())
}

fn show_search(site: &Site, index: &Index) -> Result<()> {
    let asker = site
        .roster
        .members
        .iter()
        .find(|member| member.id.as_str() == ASKER);
    let now = asker.map_or_else(first_start, |member| schedule::day_start(member, MONDAY));
    output::line(&rule(&format!("daybrief search {QUESTION:?} --as {ASKER}")))?;
    let question = search::Question {
        text: QUESTION,
        limit: 3,
        explain: false,
    };
    let (shown, _) = search::search(site, index, &question, asker, now)?;
    search::print(site, &shown, asker, now, false)
}

fn show_suggestion(site: &Site) -> Result<()> {
    let (connector, id) = TICKET;
    let (connector, now) = (ConnectorId::new(connector), first_start());
    output::line(&rule(&format!("daybrief suggest {id}")))?;
    let settings = Settings::of(&site.config.triage, &site.config.base)?;
    let (memory, suggestion) = site.store.read_now(|c| {
        let mut memory = Memory::learn(c, &connector, &site.roster, &settings, now)?;
        let asking = Asking::default();
        let suggestion = memory.suggest(c, id, &site.roster, &settings, asking, now)?;
        Ok((memory, suggestion))
    })?;
    suggest::print(site, &memory, &suggestion, false)
}

fn rule(text: &str) -> String {
    format!(
        "\n── {text} {}\n",
        "─".repeat(74_usize.saturating_sub(text.chars().count()))
    )
}

/// Returns when the first member's Monday starts, whoever that is.
fn first_start() -> Timestamp {
    // Auckland's Monday begins on Sunday in UTC; no zone is further ahead than 14 hours.
    let midnight = MONDAY.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    midnight
        .and_then(|midnight| midnight.checked_sub(Span::new().hours(14)))
        .map_or(Timestamp::UNIX_EPOCH, |at| at.timestamp())
}

fn load(dir: &Path, clock: &Clock) -> Result<(Site, Index)> {
    let config = Config::load(&dir.join(FILE_NAME))?;
    let store = Store::in_memory()?;
    let site = Site::at(config, dir.to_path_buf(), store, clock.now())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    // The fortnight is history: it is learned when it happened, and nothing is read before the clock reaches it.
    let learned = MONDAY
        .tomorrow()?
        .at(12, 0, 0, 0)
        .to_zoned(jiff::tz::TimeZone::UTC)?
        .timestamp();
    for (id, connector) in &site.config.connectors {
        let mut source = connector.open(id, &site.config.base, &site.http)?;
        runtime.block_on(ingest::sync(
            &site.store,
            id,
            &mut source,
            &site.roster,
            || learned,
            |_, _| {},
        ))?;
    }
    let site = Site {
        roster: site.renewed_roster()?,
        ..site
    };
    // The watch looks once before the first morning begins.
    Watch::in_config(&site.config.triage, &site.config.base)?.look(
        &site.store,
        &site.roster,
        clock.now(),
    )?;
    let index = Index::in_memory(Options::default());
    follow::follow(&site.store, &index, &site.roster, |_, _| {})?;
    Ok((site, index))
}

/// A temporary folder with the team's files, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("daybrief-demo-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        let folder = Folder(path);
        TEAM.extract(folder.path())
            .context("cannot lay out the sample team")?;
        Ok(folder)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is the temporary folder's own business.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
