//! `daybrief replay`: every briefing that would have been sent, as JSON lines.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::civil::Date;

use super::site::Site;
use super::{Global, output};
use crate::brief::replay::replay;
use crate::model::MemberId;

/// Replays the past from the log as it is; nothing is sent and nothing is written.
#[derive(Debug, Args)]
pub struct Replay {
    /// The first local date.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The last local date.
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// Only this member.
    #[arg(long, value_name = "MEMBER")]
    member: Option<String>,
}

impl Replay {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        if self.to < self.from {
            bail!("--to {} comes before --from {}", self.to, self.from);
        }
        let site = Site::open_read_only(global)?;
        let only = self.member.as_deref().map(MemberId::from);
        if let Some(id) = &only {
            site.roster.member(id).with_context(|| {
                format!("there is no [members.{id}] in {}", global.config.display())
            })?;
        }
        let wanted = |id: &MemberId| only.as_ref().is_none_or(|only| only == id);
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
