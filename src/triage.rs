//! SPINE 3: who might take a ticket, with reasons, and what it repeats.
//!
//! A tracker's past ([`log`], [`past`]) is walked through in the order in which things became known ([`backtest::walk`]),
//! which leaves a [`model::Model`] that was fitted and calibrated on the team's own history; [`Memory`] keeps it up to the
//! log. For a ticket it names accounts; [`candidates`] says which members may be asked, and [`Memory::suggest`] puts them
//! together with evidence that its reader may see, the rotation of the area, and the tickets it may repeat. [`watch`] does
//! so for each new ticket without an owner and keeps the ledger, [`post`] writes to the tracker what the config allows,
//! [`verdicts`] hears what people made of it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::model::suggestion::{Candidate, Exclusion, Repeat};
use crate::model::{Area, ConnectorId, MemberId, Rotation, Team, TeamId, ThreadRef};
use crate::roster::Roster;
use crate::store::tickets::TicketRow;

pub mod backtest;
pub mod candidates;
pub mod log;
pub mod memory;
pub mod model;
pub mod owners;
pub mod past;
pub mod post;
pub mod report;
pub mod stand_ins;
pub mod trivial;
pub mod verdicts;
pub mod watch;

pub use memory::Memory;

/// What is said about a ticket.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// The ticket.
    pub ticket: ThreadRef,
    /// Its title.
    pub title: String,
    /// Who might take it, best first, at most five.
    pub candidates: Vec<Candidate>,
    /// The other members with an account at the tracker, who are not asked.
    pub excluded: BTreeMap<MemberId, Exclusion>,
    /// Whether the first candidate reaches the team's target precision.
    pub is_sure: bool,
    /// The probability from which a candidate stands out.
    pub threshold: f32,
    /// Whether enough is known of the tracker's past for probabilities to mean anything.
    pub is_calibrated: bool,
    /// Who owns it already, by name.
    pub owner: Option<String>,
    /// The area it belongs to, with its probability; 1 where the ticket says so itself.
    pub area: Option<(String, f32)>,
    /// Who is on duty for the area.
    pub rotation: Option<(TeamId, MemberId)>,
    /// Other tickets it may repeat, or that may repeat it, best first.
    pub repeats: Vec<Repeat>,
    /// When this was said.
    pub made_at: Timestamp,
}

/// Returns the team that looks after a ticket's area, and its member on duty.
fn duty_for(
    connector: &ConnectorId,
    area: &Option<(String, f32)>,
    row: &TicketRow,
    roster: &Roster,
    now: Timestamp,
) -> Option<(TeamId, MemberId)> {
    let looks_after = |team: &&Team| {
        team.areas.iter().any(|of_team| match of_team {
            Area::Component(at, name) => {
                at == connector && area.as_ref().is_some_and(|(area, _)| area == name)
            }
            Area::Label(at, name) => at == connector && row.ticket.labels.contains(name),
            Area::Space(..) => false,
        })
    };
    let team = roster.teams.iter().find(looks_after)?;
    Some((team.id.clone(), on_duty(team, roster, now)?))
}

/// Returns who of a team is on duty: members in turn change on Mondays, UTC; a calendar's current event names one.
pub fn on_duty(team: &Team, roster: &Roster, now: Timestamp) -> Option<MemberId> {
    let today = now.to_zoned(TimeZone::UTC).date();
    match team.rotation.as_ref()? {
        Rotation::Members(members) => {
            let monday = civil::date(1970, 1, 5);
            let weeks = today.duration_since(monday).as_hours().div_euclid(24 * 7);
            let turn = usize::try_from(weeks.rem_euclid(members.len().max(1) as i64)).ok()?;
            members.get(turn).cloned()
        }
        Rotation::Calendar(events) => {
            let (_, name) = events
                .iter()
                .find(|(days, _)| days.from <= today && today <= days.to)?;
            let name = name.to_lowercase();
            let is_named = |member: &&MemberId| {
                let full = roster
                    .member(member)
                    .map(|member| member.name.to_lowercase());
                full.is_some_and(|full| name.contains(&full)) || name.contains(member.as_str())
            };
            team.members.iter().find(is_named).cloned()
        }
    }
}
