//! `daybrief brief`: one member's briefing as it would be now, or would have been.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::site::Site;
use super::{Global, output};
use crate::brief::{briefing, render, window_of};
use crate::model::{Learned, Member, MemberId};

/// Prints one member's briefing; nothing is sent and nothing is remembered.
#[derive(Debug, Args)]
pub struct Brief {
    /// The member, as in the configuration.
    #[arg(value_name = "MEMBER")]
    member: String,
    /// As it would have been at this moment: a local time of the member's, or one with an offset.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What happened since this moment, instead of since the end of the last work day.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The forms of a briefing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a file or a wiki.
    Markdown,
    /// For a program.
    Json,
}

impl Brief {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        let id = MemberId::new(self.member.as_str());
        let member = site.roster.member(&id).with_context(|| {
            let known: Vec<&str> = site
                .roster
                .members
                .iter()
                .map(|member| member.id.as_str())
                .collect();
            format!(
                "there is no [members.{id}] in {}; known: {}",
                global.config.display(),
                known.join(", ")
            )
        })?;
        let now = match &self.at {
            Some(text) => moment(text, member)?,
            None => Timestamp::now(),
        };
        let since = self
            .since
            .as_deref()
            .map(|text| moment(text, member))
            .transpose()?;
        let style = site.style();
        let briefing = site.store.read_now(|c| {
            let (mut window, previous) = window_of(c, member, now)?;
            if let Some(since) = since {
                window.after = Learned(since.min(now));
            }
            briefing(
                c,
                member,
                &site.roster,
                window,
                previous,
                &style,
                Vec::new(),
            )
        })?;
        let format = if global.json {
            Format::Json
        } else {
            self.format
        };
        let text = match format {
            Format::Json => render::json_line(&render::to_json(&briefing)),
            Format::Markdown => render::markdown(&briefing, member, now),
            Format::Text => render::terminal(&briefing, member, now, &output::screen()),
        };
        output::line(text.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the moment of a text: with an offset as it stands, else in the member's zone.
fn moment(text: &str, member: &Member) -> Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local: DateTime = text.parse().with_context(|| {
        format!(
            "{text:?} is no time; write 2026-11-23T09:00 (in {}’s zone) or 2026-11-23T09:00+01:00",
            member.name
        )
    })?;
    Ok(local.to_zoned(member.time_zone.clone())?.timestamp())
}
