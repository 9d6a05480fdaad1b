//! `daybrief brief`: one member's briefing as it would be now, or would have been.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

use super::run::{sink_of, trackers_of};
use super::site::Site;
use super::time::moment;
use super::{Global, output};
use crate::brief::deliver::{Delivering, Outcome, deliver};
use crate::brief::{briefing_with_words, render, window_of};
use crate::lock::InstanceLock;
use crate::model::{Briefing, Learned, Member};
use crate::schedule;
use crate::store::deliveries;

/// Prints one member's briefing; nothing is sent and nothing is remembered, unless you say `--send`.
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
    /// Send it to the member's sink, now; it takes the place of the day's briefing.
    #[arg(long, conflicts_with_all = ["at", "since", "format"])]
    send: bool,
}

/// The forms of a briefing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a file or a wiki.
    Markdown,
    /// As Slack messages: the body of `chat.postMessage`, one a line.
    Slack,
    /// As in a mail.
    Html,
    /// For a program.
    Json,
}

impl Brief {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        if self.send {
            return self.send(global);
        }
        let site = Site::open_read_only(global)?;
        let member = site.member(&self.member)?;
        let now = match &self.at {
            Some(text) => moment(text, &member.time_zone)?,
            None => Timestamp::now(),
        };
        let since = self
            .since
            .as_deref()
            .map(|text| moment(text, &member.time_zone))
            .transpose()?;
        if let Some(since) = since.filter(|since| *since > now) {
            bail!("--since {since} comes after the end of the briefing, {now}");
        }
        let (style, llm) = (site.style(), site.llm());
        let briefing = site.store.read_now(|c| {
            let (mut window, previous) = window_of(c, member, now)?;
            if let Some(since) = since {
                window.after = Learned(since.min(now));
            }
            // Words that the daemon has asked for; a command that only looks asks for none.
            let (made, _) = briefing_with_words(
                c,
                member,
                &site.roster,
                window,
                previous,
                &style,
                Vec::new(),
                llm.as_ref(),
            )?;
            anyhow::Ok(made)
        })?;
        let format = if global.json {
            Format::Json
        } else {
            self.format
        };
        let text = match format {
            Format::Json => render::json_line(&render::to_json(&briefing)),
            Format::Markdown => render::markdown(&briefing, member, now),
            Format::Html => render::html(&briefing, member, now),
            Format::Slack => slack_lines(&briefing, member, now),
            Format::Text => render::terminal(&briefing, member, now, &output::screen()),
        };
        output::line(text.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Sends today's briefing, at most once, as the daemon would.
    fn send(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open(global)?;
        let member = site.member(&self.member)?;
        let _lock = InstanceLock::take(&site.data_dir).context("cannot send")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let now = Timestamp::now();
        let date = schedule::work_date(member, now);
        let earlier = site
            .store
            .read_now(|c| deliveries::delivery(c, &member.id, date))?;
        // Who asks for it now does not wait for the next try.
        site.store
            .write_now(|c| deliveries::try_now(c, &member.id, date))?;
        let style = site.style();
        let llm = site.llm();
        let taps = trackers_of(&site)?.into_keys().collect();
        let with = Delivering {
            store: &site.store,
            roster: &site.roster,
            style: &style,
            quiet_line: site.config.delivery.quiet_line,
            gaps: &[],
            llm: llm.as_ref(),
            taps: &taps,
        };
        let outcome = runtime.block_on(deliver(&with, member, &sink_of(&site, member)?, now))?;
        let was_settled = earlier.is_some_and(|earlier| earlier.is_settled());
        let (said, state) = match &outcome {
            Outcome::Sent if was_settled => ("was sent before", "sent"),
            Outcome::Sent => ("is sent", "sent"),
            Outcome::Quiet => ("has nothing to say, and nothing was sent", "quiet"),
            Outcome::Unknown => (
                "may have arrived or not; its sink cannot tell, so it is not sent again",
                "unknown",
            ),
            Outcome::Missed => ("was given up", "missed"),
            Outcome::TryAgain(_) => ("did not go out", "failed"),
        };
        let next_try_at = match &outcome {
            Outcome::TryAgain(at) => Some(at.to_string()),
            _ => None,
        };
        if global.json {
            output::json_line(
                &json!({ "member": member.id.as_str(), "date": date.to_string(), "state": state, "was_settled": was_settled, "next_try_at": next_try_at }),
            )?;
        } else {
            let again = match &outcome {
                Outcome::TryAgain(at) => format!(
                    "; mend the sink and send it again, or leave it to `daybrief run`, which tries again at {}",
                    at.to_zoned(member.time_zone.clone()).strftime("%H:%M")
                ),
                _ => String::new(),
            };
            eprintln!("the briefing of {} for {date} {said}{again}", member.id);
        }
        Ok(match outcome {
            Outcome::Sent | Outcome::Quiet => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

/// Returns the messages that a sink of type slack would send.
fn slack_lines(briefing: &Briefing, member: &Member, now: Timestamp) -> String {
    let posts = render::slack(briefing, member, now, false);
    let lines = posts
        .iter()
        .map(|post| render::json_line(&json!({ "text": post.text, "blocks": post.blocks })));
    lines.collect::<Vec<_>>().join("\n")
}
