//! `daybrief suggest`: who might take a ticket, and why.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::site::{Site, one_call};
use super::time::moment;
use super::{Global, output};
use crate::brief::render::{links, plain, visible_line};
use crate::brief::words;
use crate::brief::words::rationale::{filled, in_slots, rationale};
use crate::connectors::tracker::AnyTracker;
use crate::lock::InstanceLock;
use crate::model::suggestion::{Candidate, Ladder};
use crate::model::{ConnectorId, Member, MemberId};
use crate::store::suggestions::evidence_to_json;
use crate::store::{Store, postings, tickets};
use crate::triage::memory::{Asking, Settings};
use crate::triage::watch::{self, Modes};
use crate::triage::{Memory, Suggestion, post};

/// How long whoever looks waits for a model.
const PATIENCE: Duration = Duration::from_secs(8);

/// Says who might take a ticket, why, and what it may repeat; nothing is posted unless `--post` says so.
#[derive(Debug, Args)]
pub struct Suggest {
    /// The ticket's key, such as CORE-17.
    ticket: String,
    /// Who asks: only what they may read is named [default: `[search] me`, else what everyone may read].
    #[arg(long = "as", value_name = "MEMBER")]
    asker: Option<String>,
    /// Whom you have in mind: leave and load do not rule them out.
    #[arg(long = "for", value_name = "MEMBER")]
    wanted: Option<String>,
    /// As it would have been said at this moment (2026-11-23T09:00Z): nothing later is learned from.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Name everybody who is left out, with the reason; with a model, say in a checked sentence why the first one is named.
    #[arg(long)]
    explain: bool,
    /// Put it on the ticket as a comment, or edit the one that stands there. Needs mode "comment" or "assign".
    #[arg(long, conflicts_with_all = ["at", "undo"])]
    post: bool,
    /// Take back what daybrief wrote on the ticket, and never write there again.
    #[arg(long, conflicts_with = "at")]
    undo: bool,
}

impl Suggest {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = if self.post || self.undo {
            Site::open(global)?
        } else {
            Site::open_read_only(global)?
        };
        let member_of = |id: &str| site.member(id);
        let asker = self.asker.as_deref().or(site.config.search.me.as_deref());
        let member = asker.map(member_of).transpose()?;
        let wanted = self.wanted.as_deref().map(member_of).transpose()?;
        let zone = member.map_or_else(TimeZone::system, |member| member.time_zone.clone());
        let now = match &self.at {
            Some(text) => moment(text, &zone)?,
            None => Timestamp::now(),
        };
        let (connector, id) = found(&site, &self.ticket)?;
        if self.undo {
            return undo(&site, &connector, &id, now);
        }
        let settings = Settings::of(&site.config.triage, &site.config.base)?;
        let bar = output::progress("learning the tracker's past");
        let (mut memory, suggestion) = site.store.read_now(|c| {
            let mut memory = Memory::learn(c, &connector, &site.roster, &settings, now)?;
            let asking = Asking {
                reader: member,
                wanted: wanted.map(|member| &member.id),
                is_for_ticket: false,
            };
            let suggestion = memory.suggest(c, &id, &site.roster, &settings, asking, now)?;
            Ok((memory, suggestion))
        })?;
        bar.finish_and_clear();
        let rationale = if self.explain {
            rationale_of(&site, &memory, &suggestion, member)?
        } else {
            None
        };
        if global.json {
            let mut value = as_value(&suggestion);
            if self.explain {
                value["rationale"] = json!(rationale);
            }
            output::json_line(&value)?;
        } else {
            print(&site, &memory, &suggestion, self.explain)?;
            if let (Some(rationale), Some(llm)) = (&rationale, &site.config.llm) {
                output::line(&format!(
                    "\n{} (worded by {})",
                    plain(rationale),
                    plain(&llm.model)
                ))?;
            }
        }
        if self.post {
            post(&site, &mut memory, &settings, &connector, &id, now)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns why the first candidate might take it, in one sentence of a model that says no more than the evidence; `None`
/// without a model or where its sentence does not hold.
fn rationale_of(
    site: &Site,
    memory: &Memory,
    suggestion: &Suggestion,
    asker: Option<&Member>,
) -> Result<Option<String>> {
    let (Some(first), true) = (suggestion.candidates.first(), site.config.llm.is_some()) else {
        return Ok(None);
    };
    let Some(llm) = site.llm() else {
        return Ok(None);
    };
    let label = |id: &str| {
        let ticket = memory.ticket(id);
        ticket.map_or(id.to_owned(), |ticket| ticket.label)
    };
    let (text, labels) = in_slots(first, label, suggestion.made_at);
    // Each call is noted before it is made.
    let ledger = Store::open(&site.data_dir)?;
    let nobody = MemberId::new("");
    let asking = words::Asking {
        store: &ledger,
        llm: &llm,
        member: asker.map_or(&nobody, |member| &member.id),
        within: PATIENCE,
    };
    let Some(sentence) = one_call(rationale(&asking, &text))? else {
        return Ok(None);
    };
    let name = site.roster.member(&first.member);
    let name = name.map_or(first.member.to_string(), short_name);
    Ok(Some(filled(&sentence, &name, &labels)))
}

/// Returns the ticket that is called so.
pub(super) fn found(site: &Site, ticket: &str) -> Result<(ConnectorId, String)> {
    let found = site.store.read_now(|c| tickets::find_ticket(c, ticket))?;
    match found.as_slice() {
        [] => bail!("there is no ticket {ticket}; `daybrief sync` brings new ones in"),
        [one] => Ok(one.clone()),
        several => {
            let places: Vec<String> = several.iter().map(|(at, _)| at.to_string()).collect();
            bail!("{ticket} is a ticket in {}", places.join(" and in "))
        }
    }
}

/// Returns the way to write to a tracker.
fn tracker_of(site: &Site, connector: &ConnectorId) -> Result<AnyTracker> {
    let config = site.config.connectors.get(connector);
    let config =
        config.with_context(|| format!("there is no [connectors.{connector}] any more"))?;
    let tracker = config.tracker(connector, &site.config.base, &site.http)?;
    tracker.with_context(|| {
        format!(
            "{connector} is of type {}, which daybrief cannot write to",
            config.type_name()
        )
    })
}

/// Puts what may be said to all readers of a ticket on it.
fn post(
    site: &Site,
    memory: &mut Memory,
    settings: &Settings,
    connector: &ConnectorId,
    id: &str,
    now: Timestamp,
) -> Result<()> {
    let _lock = InstanceLock::take(&site.data_dir)?;
    let modes = Modes::in_config(&site.config.triage);
    if modes.highest(connector) < Ladder::Comment {
        bail!(
            "[triage] does not let daybrief write to {connector}; set mode = \"comment\", or modes = {{ {connector} = \"comment\" }}"
        );
    }
    let tracker = tracker_of(site, connector)?;
    let planned = watch::plan_comment(
        &site.store,
        memory,
        settings,
        connector,
        id,
        &site.roster,
        now,
    )?;
    let Some(posting) = planned else {
        return output::line(
            "Nothing was posted: nobody stands out, it has an owner, it stands there already, or somebody took it back.",
        );
    };
    let posted = one_call(post::post(&site.store, &tracker, posting, now))?;
    if !posted {
        bail!("{connector} did not take the comment; `daybrief run` tries again");
    }
    let there = site
        .store
        .read_now(|c| postings::posting(c, connector, id, postings::Kind::Comment))?;
    let url = there.and_then(|there| there.url).unwrap_or_default();
    output::line(&format!(
        "Posted. {}",
        links::web_address(&url).unwrap_or_default()
    ))
}

/// Takes back what stands on a ticket.
fn undo(site: &Site, connector: &ConnectorId, id: &str, now: Timestamp) -> Result<ExitCode> {
    let _lock = InstanceLock::take(&site.data_dir)?;
    let standing = site
        .store
        .write_now(|c| postings::undo(c, connector, id, now))?;
    if standing.is_empty() {
        output::line("daybrief wrote nothing there.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let tracker = tracker_of(site, connector)?;
    for posting in standing {
        let kind = posting.kind;
        one_call(post::post(&site.store, &tracker, posting, now))?;
        let left = site
            .store
            .read_now(|c| postings::posting(c, connector, id, kind))?;
        if left.is_some_and(|left| left.state != postings::State::Undone) {
            bail!("{connector} did not take it back yet; `daybrief run` tries again");
        }
    }
    output::line("Taken back; nothing more is written there.")?;
    Ok(ExitCode::SUCCESS)
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
        // From nearly no past a name that nothing speaks for says nothing.
        if !suggestion.is_calibrated
            && candidate.evidence.is_empty()
            && candidate.although.is_none()
        {
            continue;
        }
        output::line(&format!(
            "  {:>3.0} %  {}",
            100.0 * candidate.probability,
            name(&candidate.member)
        ))?;
        if let Some(although) = candidate.although {
            output::line(&format!("         but {}", although.in_words()))?;
        }
        for evidence in &candidate.evidence {
            let label = |id: &str| {
                let ticket = memory.ticket(id);
                ticket.map_or(id.to_owned(), |ticket| ticket.label)
            };
            let words = evidence.in_words(label, suggestion.made_at);
            output::line(&format!("         {}", plain(&words)))?;
        }
    }
    if !suggestion.candidates.is_empty() {
        output::line("")?;
    }
    let mut teams = site.roster.teams.iter();
    let has_rotations = teams.any(|team| team.rotation.is_some());
    output::line(&verdict(suggestion, has_rotations, name))?;
    for repeat in &suggestion.repeats {
        let state = if repeat.is_closed { "closed" } else { "open" };
        output::line(&format!(
            "May repeat {} {} ({:.0} % alike, {state})",
            plain(&repeat.ticket.label),
            plain(&repeat.title),
            100.0 * repeat.likeness
        ))?;
    }
    if explain && suggestion.excluded.is_empty() {
        output::line("\nNobody is left out.")?;
    } else if explain {
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
fn verdict(
    suggestion: &Suggestion,
    has_rotations: bool,
    name: impl Fn(&MemberId) -> String,
) -> String {
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
        None if has_rotations => format!("{why}; ask the rotation.{area}"),
        None => format!("{why}.{area}"),
    }
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
                "ticket": visible_line(&repeat.ticket.label), "title": visible_line(&repeat.title), "url": repeat.ticket.url,
                "is_closed": repeat.is_closed, "likeness": repeat.likeness,
            })
        })
        .collect();
    json!({
        "connector": suggestion.ticket.id.connector.as_str(),
        "ticket": visible_line(&suggestion.ticket.label),
        "title": visible_line(&suggestion.title),
        "url": suggestion.ticket.url,
        "owner": suggestion.owner.as_deref().map(visible_line),
        "is_sure": suggestion.is_sure,
        "is_calibrated": suggestion.is_calibrated,
        "candidates": candidates,
        "excluded": excluded,
        "area": suggestion.area.as_ref().map(|(area, share)| json!({ "area": visible_line(area), "probability": share })),
        "rotation": suggestion.rotation.as_ref().map(|(team, member)| json!({ "team": team.as_str(), "member": member.as_str() })),
        "repeats": repeats,
        "made_at": suggestion.made_at.to_string(),
    })
}

fn candidate_value(candidate: &Candidate) -> Value {
    let evidence: Vec<Value> = candidate.evidence.iter().map(evidence_to_json).collect();
    json!({
        "member": candidate.member.as_str(), "probability": candidate.probability, "evidence": evidence,
        "although": candidate.although.map(|although| although.as_str()),
    })
}
