//! `daybrief replay`: every briefing that would have been sent, as JSON lines.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use jiff::civil::Date;

use super::site::Site;
use super::{Global, output};
use crate::brief::replay::replay;
use crate::model::MemberId;

mod words;

/// Replays the past from the log as it is; nothing is sent.
#[derive(Debug, Args)]
pub struct Replay {
    /// The first local date.
    #[arg(long, value_name = "DATE", value_parser = super::time::date)]
    from: Date,
    /// The last local date.
    #[arg(long, value_name = "DATE", value_parser = super::time::date)]
    to: Date,
    /// Only this member; more than once for several.
    #[arg(long, value_name = "MEMBER")]
    member: Vec<String>,
    /// Ask the model of `[llm]` for words before each morning, as `run` does, and say on standard error what came of it.
    #[arg(long)]
    words: bool,
    /// With --words: a model that is none and costs nothing.
    #[arg(long, requires = "words", value_enum, value_name = "KIND")]
    rehearse: Option<Rehearsal>,
}

/// What a model that only rehearses does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rehearsal {
    /// Repeats what was said, truly.
    Faithful,
    /// Writes fluent sentences that are not true.
    Liar,
    /// Does whatever any message orders.
    Obedient,
}

impl Replay {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        if self.to < self.from {
            bail!("--to {} comes before --from {}", self.to, self.from);
        }
        let site = if self.words {
            Site::open(global)?
        } else {
            Site::open_read_only(global)?
        };
        let only: Vec<MemberId> = self
            .member
            .iter()
            .map(|id| MemberId::from(id.as_str()))
            .collect();
        for id in &only {
            site.member(id.as_str())?;
        }
        let wanted = |id: &MemberId| only.is_empty() || only.contains(id);
        if self.words {
            return words::replay(&site, self.from, self.to, wanted, self.rehearse);
        }
        let style = site.style();
        site.store.read_now(|c| {
            replay(
                c,
                &site.roster,
                self.from,
                self.to,
                &style,
                wanted,
                |briefing| output::json_line(&crate::brief::render::to_json(briefing)),
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
