//! `daybrief suggest`: who might take a ticket, and why.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::site::Site;
use super::{Global, output};
use crate::brief::render::{links, plain};
use crate::model::{Member, MemberId};
use crate::store::tickets;
use crate::triage::model::Evidence;
use crate::triage::{Candidate, Memory, Suggestion};

/// Says who might take a ticket, why, and what it may repeat; nothing is posted.
#[derive(Debug, Args)]
pub struct Suggest {
    /// The ticket's key, such as CORE-17.
    ticket: String,
    /// Who asks: only what they may read is named [default: `[search] me`, else what everyone may read].
    #[arg(long = "as", value_name = "MEMBER")]
    asker: Option<String>,
    /// As it would have been said at this moment (2026-11-23T09:00Z): nothing later is learned from.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Name everybody who is left out, with the reason.
    #[arg(long)]
    explain: bool,
}

impl Suggest {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        let asker = self.asker.as_deref().or(site.config.search.me.as_deref());
        let member = asker
            .map(|id| {
                site.roster.member(&MemberId::new(id)).with_context(|| {
                    format!("there is no [members.{id}] in {}", global.config.display())
                })
            })
            .transpose()?;
        let now = self.at.unwrap_or_else(Timestamp::now);
        let found = site
            .store
            .read_now(|c| tickets::find_ticket(c, &self.ticket))?;
        let (connector, id) = match found.as_slice() {
            [] => bail!(
                "there is no ticket {}; `daybrief sync` brings new ones in",
                self.ticket
            ),
            [one] => one,
            several => {
                let places: Vec<String> = several.iter().map(|(at, _)| at.to_string()).collect();
                bail!("{} is a ticket in {}", self.ticket, places.join(" and in "))
            }
        };
        let target = site.config.triage.target_precision;
        let bar = output::progress("learning the tracker's past");
        let (memory, suggestion) = site.store.read_now(|c| {
            let mut memory = Memory::learn(c, connector, &site.roster, target, now)?;
            let suggestion = memory.suggest(c, id, &site.roster, member, now)?;
            Ok((memory, suggestion))
        })?;
        bar.finish_and_clear();
        if global.json {
            output::json_line(&as_value(&suggestion))?;
        } else {
            print(&site, &memory, &suggestion, self.explain)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn print(
    site: &Site,
    memory: &Memory,
    suggestion: &Suggestion,
    explain: bool,
) -> Result<()> {
    let screen = output::screen();
    output::line(&format!(
        "{} {}",
        screen.bold(&plain(&suggestion.ticket.label)),
        plain(&suggestion.title)
    ))?;
    if let Some(address) = links::web_address(&suggestion.ticket.url) {
        output::line(&address)?;
    }
    output::line("")?;
    let name = |id: &MemberId| site.roster.member(id).map_or(id.to_string(), short_name);
    for candidate in &suggestion.candidates {
        output::line(&format!(
            "  {:>3.0} %  {}",
            100.0 * candidate.probability,
            name(&candidate.member)
        ))?;
        for evidence in &candidate.evidence {
            let words = in_words(evidence, memory, suggestion.made_at);
            output::line(&format!("         {}", plain(&words)))?;
        }
    }
    if !suggestion.candidates.is_empty() {
        output::line("")?;
    }
    output::line(&verdict(suggestion, name))?;
    for repeat in &suggestion.repeats {
        let state = if repeat.is_closed { "closed" } else { "open" };
        output::line(&format!(
            "May repeat {} {} ({:.0} % alike, {state})",
            plain(&repeat.ticket.label),
            plain(&repeat.title),
            100.0 * repeat.likeness
        ))?;
    }
    if explain && !suggestion.excluded.is_empty() {
        output::line("\nLeft out:")?;
        for (member, exclusion) in &suggestion.excluded {
            output::line(&format!("  {} {}", name(member), exclusion.in_words()))?;
        }
    }
    Ok(())
}

fn short_name(member: &Member) -> String {
    plain(&member.name).into_owned()
}

/// Returns the one sentence that says what to do.
fn verdict(suggestion: &Suggestion, name: impl Fn(&MemberId) -> String) -> String {
    let area = suggestion
        .area
        .as_ref()
        .map_or(String::new(), |(area, share)| {
            if *share < 1.0 {
                format!(" It looks like {} ({:.0} %).", plain(area), 100.0 * share)
            } else {
                String::new()
            }
        });
    if let Some(owner) = &suggestion.owner {
        return format!("{} owns it already.{area}", plain(owner));
    }
    let first = suggestion.candidates.first();
    if let Some(first) = first.filter(|_| suggestion.is_sure) {
        return format!("{} stands out.{area}", name(&first.member));
    }
    let why = if suggestion.is_calibrated {
        "Nobody stands out"
    } else {
        "The tracker's past is too short to be sure of anybody"
    };
    match &suggestion.rotation {
        Some((team, duty)) => format!(
            "{why}; ask {}, who is on duty for {team}.{area}",
            name(duty)
        ),
        None => format!("{why}; ask the rotation.{area}"),
    }
}

fn in_words(evidence: &Evidence, memory: &Memory, now: Timestamp) -> String {
    let label = |id: &str| {
        memory
            .ticket(id)
            .map_or(id.to_owned(), |ticket| ticket.label)
    };
    match evidence {
        Evidence::OwnedLike {
            ticket,
            likeness,
            at,
        } => format!(
            "owned {}, {:.0} % alike, {}",
            label(ticket),
            100.0 * likeness,
            age(*at, now)
        ),
        Evidence::WroteOnLike {
            ticket,
            likeness,
            at,
        } => format!(
            "wrote on {}, {:.0} % alike, {}",
            label(ticket),
            100.0 * likeness,
            age(*at, now)
        ),
        Evidence::OwnsComponent { name, count, of } => {
            format!("owned {count} of the last {of} in {name}")
        }
        Evidence::OwnsReporters { count, of } => {
            format!("owned {count} of the last {of} of its reporter")
        }
        Evidence::TakesOwn { share } => {
            format!(
                "reported it, and takes {:.0} % of what they report",
                100.0 * share
            )
        }
        Evidence::OpenedWith => "it was opened in their name".to_owned(),
    }
}

/// Returns an age in words: `3 weeks ago`.
fn age(at: i64, now: Timestamp) -> String {
    let days = (now.as_second() - at).max(0) / 86_400;
    let (count, unit) = match days {
        0 => return "today".to_owned(),
        1 => return "yesterday".to_owned(),
        2..=13 => (days, "days"),
        14..=59 => (days / 7, "weeks"),
        60..=729 => (days / 30, "months"),
        _ => (days / 365, "years"),
    };
    format!("{count} {unit} ago")
}

fn as_value(suggestion: &Suggestion) -> Value {
    let candidates: Vec<Value> = suggestion.candidates.iter().map(candidate_value).collect();
    let excluded: serde_json::Map<String, Value> = suggestion
        .excluded
        .iter()
        .map(|(member, exclusion)| (member.to_string(), json!(exclusion.as_str())))
        .collect();
    let repeats: Vec<Value> = suggestion
        .repeats
        .iter()
        .map(|repeat| {
            json!({
                "ticket": repeat.ticket.label, "title": repeat.title, "url": repeat.ticket.url,
                "is_closed": repeat.is_closed, "likeness": repeat.likeness,
            })
        })
        .collect();
    json!({
        "connector": suggestion.ticket.id.connector.as_str(),
        "ticket": suggestion.ticket.label,
        "title": suggestion.title,
        "url": suggestion.ticket.url,
        "owner": suggestion.owner,
        "is_sure": suggestion.is_sure,
        "is_calibrated": suggestion.is_calibrated,
        "candidates": candidates,
        "excluded": excluded,
        "area": suggestion.area.as_ref().map(|(area, share)| json!({ "area": area, "probability": share })),
        "rotation": suggestion.rotation.as_ref().map(|(team, member)| json!({ "team": team.as_str(), "member": member.as_str() })),
        "repeats": repeats,
        "made_at": suggestion.made_at.to_string(),
    })
}

fn candidate_value(candidate: &Candidate) -> Value {
    let evidence: Vec<Value> = candidate
        .evidence
        .iter()
        .map(|evidence| match evidence {
            Evidence::OwnedLike {
                ticket, likeness, ..
            } => {
                json!({ "kind": "owned_like", "ticket": ticket, "likeness": likeness })
            }
            Evidence::WroteOnLike {
                ticket, likeness, ..
            } => {
                json!({ "kind": "wrote_on_like", "ticket": ticket, "likeness": likeness })
            }
            Evidence::OwnsComponent { name, count, of } => {
                json!({ "kind": "owns_component", "component": name, "count": count, "of": of })
            }
            Evidence::OwnsReporters { count, of } => {
                json!({ "kind": "owns_reporters", "count": count, "of": of })
            }
            Evidence::TakesOwn { share } => json!({ "kind": "takes_own", "share": share }),
            Evidence::OpenedWith => json!({ "kind": "opened_with" }),
        })
        .collect();
    json!({ "member": candidate.member.as_str(), "probability": candidate.probability, "evidence": evidence })
}
