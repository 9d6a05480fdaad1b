//! `daybrief explain`: why a line of a briefing stands there, and what it rests on.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::site::Site;
use super::{Global, output};
use crate::brief::render::{self, plain};
use crate::brief::{briefing, window_of};
use crate::model::{Briefing, BriefingItem, MemberId};
use crate::schedule;
use crate::store::deliveries;

/// Says in plain words why a line of a briefing stands there and what it rests on.
#[derive(Debug, Args)]
pub struct Explain {
    /// The line's number.
    #[arg(value_name = "ITEM")]
    item: usize,
    /// Whose briefing [default: `[search] me`].
    #[arg(long, value_name = "MEMBER")]
    member: Option<String>,
    /// The briefing of this local date [default: the last one that was sent, else the one of now].
    #[arg(long, value_name = "DATE", value_parser = super::time::date)]
    date: Option<Date>,
}

impl Explain {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        let id = self.member.as_deref().or(site.config.search.me.as_deref());
        let id = MemberId::new(
            id.context("whose briefing? use --member NAME, or set me under [search]")?,
        );
        let briefing = self.briefing(&site, &id)?;
        let item = self
            .item
            .checked_sub(1)
            .and_then(|index| briefing.items.get(index));
        let Some(item) = item else {
            bail!(
                "the briefing of {id} for {} has {} lines, not a line {}",
                briefing.date,
                briefing.items.len(),
                self.item
            )
        };
        print(item, &briefing, global.json)?;
        Ok(ExitCode::SUCCESS)
    }

    fn briefing(&self, site: &Site, id: &MemberId) -> Result<Briefing> {
        let member = site.member(id.as_str())?;
        let sent = site.store.read_now(|c| match self.date {
            Some(date) => deliveries::delivery(c, id, date),
            None => Ok(deliveries::latest(c, Some(id), 1)?.into_iter().next()),
        })?;
        if let Some(sent) = sent.filter(|sent| !sent.body.is_empty()) {
            let value =
                serde_json::from_str(&sent.body).context("the stored briefing is damaged")?;
            return render::from_json(&value);
        }
        let now = self
            .date
            .map_or_else(Timestamp::now, |date| schedule::day_start(member, date));
        let style = site.style();
        site.store.read_now(|c| {
            let (window, previous) = window_of(c, member, now)?;
            briefing(
                c,
                member,
                &site.roster,
                window,
                previous,
                &style,
                Vec::new(),
            )
        })
    }
}

/// Returns who wrote a line, and what the checks of its words said.
fn written_by(item: &BriefingItem, made: &Briefing) -> Vec<(&'static str, String)> {
    let Some(wording) = &item.wording else {
        let by = match made.written_by.as_str() {
            "extractive" => "extractive",
            _ => "extractive; the model was not asked about this line",
        };
        return vec![("written by:", by.to_owned())];
    };
    let list = |names: &[String]| plain(&names.join(", ")).into_owned();
    let mut said = Vec::new();
    if wording.is_shown {
        said.push((
            "written by:",
            format!("{}, prompt {}", plain(&wording.by), plain(&wording.prompt)),
        ));
    } else {
        said.push((
            "written by:",
            format!("extractive; {} was asked", plain(&wording.by)),
        ));
    }
    if !wording.passed.is_empty() {
        said.push(("passed:", list(&wording.passed)));
    }
    if !wording.noted.is_empty() {
        said.push(("doubts:", list(&wording.noted)));
    }
    if !wording.failed.is_empty() {
        said.push(("kept back:", list(&wording.failed)));
    } else if !wording.is_shown {
        said.push(("kept back:", "the model had nothing to say".to_owned()));
    }
    said
}

fn print(item: &BriefingItem, made: &Briefing, as_json: bool) -> Result<()> {
    if as_json {
        let value = render::to_json(made);
        let index = made
            .items
            .iter()
            .position(|other| other == item)
            .unwrap_or(0);
        return output::json_line(
            &json!({ "item": value["items"][index], "written_by": made.written_by, "theme": made.theme }),
        );
    }
    for line in lines(item, made) {
        output::line(&line)?;
    }
    Ok(())
}

/// Returns what is said of a line, below its heading.
fn lines(item: &BriefingItem, made: &Briefing) -> Vec<String> {
    let reasons: Vec<String> = item
        .reasons
        .iter()
        .map(|reason| render::names::chip(reason).into_owned())
        .collect();
    let label = item
        .threads
        .first()
        .map(|thread| thread.label.clone())
        .unwrap_or_default();
    let mut lines = vec![
        format!("{} {}", plain(&label), plain(&item.headline)),
        format!("  why:        {}", reasons.join(", ")),
        format!(
            "  rank:       {:.2}{}",
            item.score,
            if item.carried {
                ", carried from before the window"
            } else {
                ""
            }
        ),
        format!(
            "  window:     {} to {}",
            made.window.after.0, made.window.upto.0
        ),
    ];
    if !item.summary.is_empty() {
        lines.push(format!("  says:       {}", plain(&item.summary)));
    }
    for (what, said) in written_by(item, made) {
        lines.push(format!("  {what:<11} {said}"));
    }
    for citation in &item.citations {
        let author = citation.author.as_deref().unwrap_or("somebody unnamed");
        lines.push(format!(
            "  rests on:   {} by {} at {}",
            plain(&citation.event.to_string()),
            plain(author),
            citation.at
        ));
        if !citation.quote.is_empty() {
            lines.push(format!(
                "              “{}”: stands there word for word",
                plain(&citation.quote)
            ));
        }
        // The address is the event's own, not one out of its text.
        if let Some(address) = render::links::web_address(&citation.url) {
            lines.push(format!("              {address}"));
        }
    }
    lines.push(
        "  checked:    each source exists, lies in the window or is marked as carried, and is readable by the reader"
            .to_owned(),
    );
    if !made.theme.is_empty() {
        lines.push(format!(
            "  on top:     “{}” behind the counts is by {}, made of checked lines alone",
            plain(&made.theme),
            plain(&made.written_by)
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::render::sample;
    use crate::model::Wording;

    /// What is said of a line, without what every line has.
    fn said(summary: &str, wording: Option<Wording>, theme: &str) -> Vec<String> {
        let mut made = sample::full();
        (made.theme, made.written_by) = (theme.into(), "small-model".into());
        let mut item = made.items[4].clone();
        item.summary = summary.into();
        item.wording = wording;
        let lines = lines(&item, &made).into_iter();
        let wanted = ["says:", "written", "passed", "doubts", "kept", "on top"];
        let lines = lines.filter(|line| wanted.iter().any(|word| line.trim().starts_with(word)));
        lines.map(|line| line.trim().to_owned()).collect()
    }

    fn wording(passed: &[&str], noted: &[&str], failed: &[&str], is_shown: bool) -> Wording {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Wording {
            by: "small-model".into(),
            prompt: "thread-delta@1f".into(),
            passed: owned(passed),
            noted: owned(noted),
            failed: owned(failed),
            is_shown,
        }
    }

    #[test]
    fn words_are_told_from_quotes_with_every_check_that_was_made() {
        let worded = wording(&["V1", "V4", "V5"], &["V9"], &[], true);
        assert_eq!(
            said("≈ Ana wants it by noon.", Some(worded), "the mirror again"),
            [
                "says:       ≈ Ana wants it by noon.",
                "written by: small-model, prompt thread-delta@1f",
                "passed:     V1, V4, V5",
                "doubts:     V9",
                "on top:     “the mirror again” behind the counts is by small-model, made of checked lines alone",
            ]
        );
        let refused = wording(&[], &[], &["V4", "a copy"], false);
        assert_eq!(
            said("", Some(refused), ""),
            [
                "written by: extractive; small-model was asked",
                "kept back:  V4, a copy",
            ]
        );
        let silent = wording(&[], &[], &[], false);
        assert_eq!(
            said("", Some(silent), "")[1],
            "kept back:  the model had nothing to say"
        );
        assert_eq!(
            said("", None, ""),
            ["written by: extractive; the model was not asked about this line"]
        );
    }

    #[test]
    fn what_a_model_wrote_does_nothing_on_a_terminal() {
        let worded = wording(&["V1\u{1b}[2J"], &[], &[], true);
        let said = said(
            "\u{1b}]0;owned\u{7} see https://evil.example/x",
            Some(worded),
            "\u{202e}gnp",
        )
        .join("\n");
        assert!(
            !said.chars().any(|c| c.is_control() && c != '\n') && !said.contains("https://evil"),
            "{said:?}"
        );
        assert!(!said.contains('\u{202e}'), "{said:?}");
    }
}
