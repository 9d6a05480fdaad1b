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
    #[arg(long, value_name = "DATE")]
    date: Option<Date>,
}

impl Explain {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        let id = self.member.as_deref().or(site.config.search.me.as_deref());
        let id = MemberId::new(
            id.context("whose briefing? use --member NAME, or set me under [search]")?,
        );
        let briefing = self.briefing(&site, &id, global)?;
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

    fn briefing(&self, site: &Site, id: &MemberId, global: &Global) -> Result<Briefing> {
        let member = site.roster.member(id).with_context(|| {
            format!("there is no [members.{id}] in {}", global.config.display())
        })?;
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
    let reasons: Vec<String> = item
        .reasons
        .iter()
        .map(|reason| render::names::chip(reason).into_owned())
        .collect();
    if as_json {
        let value = render::to_json(made);
        let index = made
            .items
            .iter()
            .position(|other| other == item)
            .unwrap_or(0);
        return output::json_line(
            &json!({ "item": value["items"][index], "written_by": made.written_by }),
        );
    }
    let label = item
        .threads
        .first()
        .map(|thread| thread.label.clone())
        .unwrap_or_default();
    output::line(&format!("{} {}", plain(&label), plain(&item.headline)))?;
    output::line(&format!("  why:        {}", reasons.join(", ")))?;
    output::line(&format!(
        "  rank:       {:.2}{}",
        item.score,
        if item.carried {
            ", carried from before the window"
        } else {
            ""
        }
    ))?;
    output::line(&format!(
        "  window:     {} to {}",
        made.window.after.0, made.window.upto.0
    ))?;
    for (what, said) in written_by(item, made) {
        output::line(&format!("  {what:<11} {said}"))?;
    }
    for citation in &item.citations {
        let author = citation.author.as_deref().unwrap_or("somebody unnamed");
        output::line(&format!(
            "  rests on:   {} by {} at {}",
            plain(&citation.event.to_string()),
            plain(author),
            citation.at
        ))?;
        if !citation.quote.is_empty() {
            output::line(&format!(
                "              “{}”: stands there word for word",
                plain(&citation.quote)
            ))?;
        }
        if !citation.url.is_empty() {
            output::line(&format!("              {}", plain(&citation.url)))?;
        }
    }
    output::line(
        "  checked:    each source exists, lies in the window or is marked as carried, and is readable by the reader",
    )
}
