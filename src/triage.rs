//! Spine 3: who might take a ticket, with reasons, and what it repeats.
//!
//! A tracker's past ([`log`], [`past`]) is walked through in the order in which things became known ([`backtest::walk`]),
//! which leaves a [`model::Model`] that was fitted and calibrated on the team's own history. For a ticket it names
//! accounts; [`candidates`] says which members may be asked, and [`Memory::suggest`] puts them together with evidence
//! that its reader may see, the rotation of the area, and the tickets it may repeat.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use rusqlite::Connection;

use crate::model::{
    Area, AudienceId, ConnectorId, EventKind, Member, MemberId, Rotation, Team, TeamId, ThreadId,
    ThreadRef,
};
use crate::roster::Roster;
use crate::store::audiences;
use crate::store::tickets::{self, TicketRow};

pub mod backtest;
pub mod candidates;
pub mod log;
pub mod model;
pub mod past;
pub mod trivial;

use backtest::{Plan, walk};
use candidates::{Exclusion, Standing, exclusion_of};
use log::{account_of, opened_of, past_of};
use model::{Advice, Evidence, Model, Opened};

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
    /// Whether enough is known of the tracker's past for probabilities to mean anything.
    pub is_calibrated: bool,
    /// Who owns it already, by name.
    pub owner: Option<String>,
    /// The area it belongs to, with its probability; 1 where the ticket says so itself.
    pub area: Option<(String, f32)>,
    /// Who is on duty for the area.
    pub rotation: Option<(TeamId, MemberId)>,
    /// Older tickets it may repeat, best first.
    pub repeats: Vec<Repeat>,
    /// When this was said.
    pub made_at: Timestamp,
}

/// Somebody who might take a ticket.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The member.
    pub member: MemberId,
    /// How likely they end up with it, 0 to 1, as the team's own history has it.
    pub probability: f32,
    /// The strongest reasons, best first.
    pub evidence: Vec<Evidence>,
}

/// A ticket that may say the same.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// The ticket.
    pub ticket: ThreadRef,
    /// Its title.
    pub title: String,
    /// Whether it is done.
    pub is_closed: bool,
    /// How alike the words are, 0 to 1.
    pub likeness: f32,
}

/// How many candidates are named, and how likely one has to be.
const MOST_CANDIDATES: usize = 5;
const LEAST_PROBABILITY: f32 = 0.05;
/// How likely an area has to be that the ticket does not name.
const LEAST_AREA: f32 = 0.5;
/// How alike a ticket has to be to be named as perhaps the same, and how many are.
const LEAST_REPEAT: f32 = 0.4;
const MOST_REPEATS: usize = 3;
/// Days between two fits while a past is walked through.
const REFIT_DAYS: u16 = 30;

/// What is remembered of one tracker.
pub struct Memory {
    connector: ConnectorId,
    model: Model,
    tickets: HashMap<String, TicketRow>,
    texts: HashMap<u64, String>,
    inboxes: BTreeSet<String>,
}

impl Memory {
    /// Learns a tracker's whole past.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn learn(
        c: &Connection,
        connector: &ConnectorId,
        roster: &Roster,
        target: f32,
        now: Timestamp,
    ) -> Result<Memory> {
        let tickets = tickets::tickets_of(c, connector)?;
        let lives = tickets::lives_of(c, connector)?;
        let mut past = past_of(&tickets, &lives, roster);
        past.steps.retain(|(at, _)| *at <= now.as_second());
        let plan = Plan {
            refit_days: REFIT_DAYS,
            target,
        };
        let mut model = walk(&past, |_| false, plan, |_, _, _| {});
        model.refit(now.as_second());
        let texts = lives
            .into_iter()
            .filter(|event| event.kind == EventKind::Opened)
            .map(|event| (event.tid, event.text))
            .collect();
        Ok(Memory {
            connector: connector.clone(),
            model,
            tickets: tickets
                .into_iter()
                .map(|row| (row.id.clone(), row))
                .collect(),
            texts,
            inboxes: past.inboxes,
        })
    }

    /// Returns what there is to say about a ticket to a reader; without one, to everyone.
    ///
    /// # Errors
    /// When the reader may not read the ticket or the store cannot be read.
    pub fn suggest(
        &mut self,
        c: &Connection,
        id: &str,
        roster: &Roster,
        reader: Option<&Member>,
        now: Timestamp,
    ) -> Result<Suggestion> {
        let readable = audiences::readable_by(c, reader)?;
        let row = self
            .tickets
            .get(id)
            .filter(|row| readable.contains(&row.audience))
            .with_context(|| format!("there is no ticket {id} in {}", self.connector))?
            .clone();
        let text = self.texts.get(&row.tid).cloned().unwrap_or_default();
        let mut opened = opened_of(&row, &text, roster, now.as_second());
        // Whose it is already says nothing about who else might take it.
        opened.first_owner = None;
        let advice = self.model.advise(&opened);
        let (excluded, accounts) = self.exclusions(c, &row, roster, now)?;
        let candidates = self.candidates(&opened, &advice, &accounts, &readable);
        let area = self.area_of(&opened, &advice);
        let is_sure = candidates
            .first()
            .is_some_and(|first| first.probability >= self.model.threshold());
        Ok(Suggestion {
            ticket: self.thread_ref(&row),
            title: row.title.clone(),
            rotation: duty_for(&self.connector, &area, &row, roster, now),
            repeats: self.repeats(&advice, &readable),
            candidates,
            excluded,
            is_sure,
            is_calibrated: self.model.is_calibrated(),
            owner: row
                .ticket
                .assignee
                .as_ref()
                .map(|owner| roster.name_of(owner)),
            area,
            made_at: now,
        })
    }

    /// Returns who is left out and why, and the accounts of those who are not.
    fn exclusions(
        &self,
        c: &Connection,
        row: &TicketRow,
        roster: &Roster,
        now: Timestamp,
    ) -> Result<(BTreeMap<MemberId, Exclusion>, HashMap<String, MemberId>)> {
        let mut excluded = BTreeMap::new();
        let mut accounts = HashMap::new();
        let considered = roster
            .members
            .iter()
            .filter(|member| member.handles.contains_key(&self.connector));
        let mut count = 0;
        for member in considered {
            count += 1;
            let standing = self.standing_of(c, member, row, roster)?;
            match (
                exclusion_of(member, &standing, row.audience, now),
                standing.account,
            ) {
                (None, Some(account)) => {
                    accounts.insert(account, member.id.clone());
                }
                (exclusion, _) => {
                    let exclusion = exclusion.unwrap_or(Exclusion::OutsideAudience);
                    excluded.insert(member.id.clone(), exclusion);
                }
            }
        }
        assert_eq!(
            count,
            excluded.len() + accounts.len(),
            "everybody is a candidate or left out for a reason"
        );
        Ok((excluded, accounts))
    }

    fn standing_of(
        &self,
        c: &Connection,
        member: &Member,
        row: &TicketRow,
        roster: &Roster,
    ) -> Result<Standing> {
        let handle = member
            .handles
            .get(&self.connector)
            .and_then(|handles| handles.first());
        let account = handle.map(|handle| account_of(handle, roster));
        let owns = |row: &TicketRow| {
            let owner = row.ticket.assignee.as_ref();
            owner.is_some_and(|owner| member.owns(owner))
        };
        let open = self
            .tickets
            .values()
            .filter(|row| !row.ticket.is_closed && owns(row))
            .count();
        let last_active = account
            .as_deref()
            .and_then(|account| self.model.last_active(account))
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Standing {
            open: u32::try_from(open).unwrap_or(u32::MAX),
            readable: audiences::readable_by(c, Some(member))?,
            has_declined: tickets::has_declined(c, member.id.as_str(), &row.id)?,
            owns: owns(row),
            is_bot: handle.is_some_and(|handle| roster.is_bot(handle)),
            is_inbox: account
                .as_ref()
                .is_some_and(|account| self.inboxes.contains(account)),
            last_active,
            account,
        })
    }

    fn candidates(
        &mut self,
        opened: &Opened,
        advice: &Advice,
        accounts: &HashMap<String, MemberId>,
        readable: &BTreeSet<AudienceId>,
    ) -> Vec<Candidate> {
        let may_cite = |id: &str| {
            let row = self.tickets.get(id);
            row.is_some_and(|row| readable.contains(&row.audience))
        };
        advice
            .owners
            .iter()
            .filter(|ranked| ranked.probability >= LEAST_PROBABILITY)
            .filter_map(|ranked| Some((ranked, accounts.get(&ranked.person)?)))
            .take(MOST_CANDIDATES)
            .map(|(ranked, member)| Candidate {
                member: member.clone(),
                probability: ranked.probability,
                evidence: self.model.evidence(opened, &ranked.person, may_cite),
            })
            .collect()
    }

    fn area_of(&self, opened: &Opened, advice: &Advice) -> Option<(String, f32)> {
        let named = opened.components.first().map(|name| (name.clone(), 1.0));
        let likely = advice
            .areas
            .first()
            .filter(|(_, share)| *share >= LEAST_AREA);
        named.or(likely.cloned())
    }

    fn repeats(&self, advice: &Advice, readable: &BTreeSet<AudienceId>) -> Vec<Repeat> {
        let likeness: HashMap<&str, f32> = advice
            .like_it
            .iter()
            .map(|(id, _, likeness)| (id.as_str(), *likeness))
            .collect();
        advice
            .duplicates
            .iter()
            .filter_map(|(id, _)| {
                let likeness = *likeness.get(id.as_str())?;
                let row = self.tickets.get(id)?;
                let is_shown = likeness >= LEAST_REPEAT && readable.contains(&row.audience);
                is_shown.then(|| Repeat {
                    ticket: self.thread_ref(row),
                    title: row.title.clone(),
                    is_closed: row.ticket.is_closed,
                    likeness,
                })
            })
            .take(MOST_REPEATS)
            .collect()
    }

    /// Returns a ticket as it is named in print.
    pub fn ticket(&self, id: &str) -> Option<ThreadRef> {
        self.tickets.get(id).map(|row| self.thread_ref(row))
    }

    fn thread_ref(&self, row: &TicketRow) -> ThreadRef {
        ThreadRef {
            id: ThreadId::new(&self.connector, row.id.as_str()),
            url: row.url.clone(),
            label: row.ticket.key.clone(),
        }
    }
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
