//! What is remembered of one tracker: learned from its whole past once, then kept up to the log, and fitted anew each night.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::backtest::{Plan, walk};
use super::candidates::{Standing, exclusion_of};
use super::log::{account_of, opened_of, past_of, steps_since};
use super::model::{Advice, Grounds, Model, Opened};
use super::owners::Owners;
use super::{Suggestion, duty_for};
use crate::config::TriageConfig;
use crate::model::suggestion::{Candidate, Evidence, Exclusion, Repeat};
use crate::model::{AudienceId, ConnectorId, Handle, Member, MemberId, Seq, ThreadId, ThreadRef};
use crate::roster::Roster;
use crate::store::tickets::{self, TicketRow};
use crate::store::{audiences, events};

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
/// How long a fit lasts in the daemon.
const FITTED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What a team decided about its suggestions.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The share of the suggestions that should be right.
    pub target: f32,
    /// Accounts that are no people, beside those that are recognised.
    pub placeholders: BTreeSet<Handle>,
    /// Who looks after which paths.
    pub owners: Owners,
    /// Who is told how the suggestions do.
    pub admin: Option<MemberId>,
}

impl Settings {
    /// Returns what the config says; relative paths start at `base`.
    ///
    /// # Errors
    /// When the owners file cannot be read.
    pub fn of(config: &TriageConfig, base: &Path) -> Result<Settings> {
        let owners = match &config.owners_file {
            Some(path) => Owners::read(&base.join(path)).context("[triage] owners_file")?,
            None => Owners::default(),
        };
        let placeholders = config.placeholders.iter().filter_map(|name| {
            let (connector, id) = name.split_once(':')?;
            Some(Handle::new(&ConnectorId::new(connector), id))
        });
        Ok(Settings {
            target: config.target_precision,
            placeholders: placeholders.collect(),
            owners,
            admin: config.admin.as_deref().map(MemberId::new),
        })
    }
}

/// Who asks about a ticket, and for whom.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking<'a> {
    /// Only what they may read is named; without a reader, what everyone may read.
    pub reader: Option<&'a Member>,
    /// Whom a human asks for by name: leave and load do not rule them out.
    pub wanted: Option<&'a MemberId>,
    /// Where the answer is shown: on the ticket itself, only what all its readers may see is named.
    pub is_for_ticket: bool,
}

/// What is remembered of one tracker.
pub struct Memory {
    connector: ConnectorId,
    model: Model,
    tickets: HashMap<String, TicketRow>,
    inboxes: BTreeSet<String>,
    upto: Seq,
    fitted_at: Timestamp,
}

/// Why each considered member is left out, and the accounts of those who are not, with what is to be known about them.
struct Considered {
    excluded: BTreeMap<MemberId, Exclusion>,
    accounts: HashMap<String, (MemberId, Option<Exclusion>)>,
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
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Memory> {
        let tickets = tickets::tickets_of(c, connector)?;
        let lives = tickets::lives_of(c, connector)?;
        let upto = events::last_seq(c)?;
        let mut past = past_of(&tickets, &lives, roster, &settings.owners);
        drop(lives);
        past.steps.retain(|(at, _)| *at <= now.as_second());
        let listed = settings.placeholders.iter();
        past.inboxes.extend(
            listed
                .filter(|handle| handle.connector == *connector)
                .map(|handle| account_of(handle, roster)),
        );
        let plan = Plan {
            refit_days: REFIT_DAYS,
            target: settings.target,
        };
        let mut model = walk(&past, |_| false, plan, |_, _, _| {});
        model.refit(now.as_second());
        Ok(Memory {
            connector: connector.clone(),
            model,
            tickets: tickets
                .into_iter()
                .map(|row| (row.id.clone(), row))
                .collect(),
            inboxes: past.inboxes,
            upto,
            fitted_at: now,
        })
    }

    /// Takes in what the log has heard since.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn follow(&mut self, c: &Connection, roster: &Roster, settings: &Settings) -> Result<()> {
        let last = events::last_seq(c)?;
        if last == self.upto {
            return Ok(());
        }
        let touched = tickets::touched_since(c, &self.connector, self.upto)?;
        for tid in touched {
            let Some(row) = tickets::ticket(c, &self.connector, tid)? else {
                continue;
            };
            let life = tickets::life_of(c, &self.connector, tid)?;
            for (at, step) in steps_since(&row, &life, self.upto, roster, &settings.owners) {
                self.model.meet(at, &step);
            }
            self.tickets.insert(row.id.clone(), row);
        }
        self.upto = last;
        Ok(())
    }

    /// Fits anew what is older than a day; returns whether it did.
    pub fn refit_when_due(&mut self, now: Timestamp) -> bool {
        if now.duration_since(self.fitted_at) < FITTED_FOR {
            return false;
        }
        self.model.refit(now.as_second());
        self.fitted_at = now;
        true
    }

    /// Returns the probability from which a candidate stands out.
    pub fn threshold(&self) -> f32 {
        self.model.threshold()
    }

    /// Returns how many answers the backtest gave in an area, and how many of them were right.
    pub fn answered_in(&self, area: Option<&str>) -> (usize, usize) {
        self.model.answered_in(area)
    }

    /// Returns the accounts that are no people.
    pub fn inboxes(&self) -> &BTreeSet<String> {
        &self.inboxes
    }

    /// Returns the account of a member as the model knows it.
    pub fn account(&self, member: &Member, roster: &Roster) -> Option<String> {
        let handles = member.handles.get(&self.connector)?;
        Some(account_of(handles.first()?, roster))
    }

    /// Returns what there is to say about a ticket.
    ///
    /// # Errors
    /// When the reader may not read the ticket or the store cannot be read.
    pub fn suggest(
        &mut self,
        c: &Connection,
        id: &str,
        roster: &Roster,
        settings: &Settings,
        asking: Asking<'_>,
        now: Timestamp,
    ) -> Result<Suggestion> {
        let readable = audiences::readable_by(c, asking.reader)?;
        // A title or a field may change without an event that the memory would follow.
        let row = match self.tickets.get(id) {
            Some(known) => tickets::ticket(c, &self.connector, known.tid)?,
            None => None,
        };
        let row = row
            .filter(|row| readable.contains(&row.audience) || asking.is_for_ticket)
            .with_context(|| format!("there is no ticket {id} in {}", self.connector))?;
        self.tickets.insert(row.id.clone(), row.clone());
        let text = tickets::text_of(c, row.tid)?;
        let mut opened = opened_of(&row, &text, roster, &settings.owners, now.as_second());
        // Whose it is already says nothing about who else might take it.
        opened.first_owner = None;
        opened.is_unowned = true;
        let advice = self.model.advise(&opened);
        let considered = self.consider(c, &row, roster, asking.wanted, now)?;
        let may_cite = |row: &TicketRow, cited: &TicketRow| {
            if asking.is_for_ticket {
                // A public ticket has readers that we know nothing of: they see what its neighbours in the same place show.
                cited.audience == row.audience && cited.project == row.project
            } else {
                readable.contains(&cited.audience)
            }
        };
        let grounds = self.model.grounds(&opened);
        let candidates = self.candidates(&opened, &grounds, &advice, &considered, |id| {
            let cited = self.tickets.get(id);
            cited.is_some_and(|cited| may_cite(&row, cited))
        });
        let area = self.area_of(&opened, &advice);
        let first = candidates.first();
        let is_sure = self.model.is_calibrated()
            && first.is_some_and(|first| first.probability >= self.model.threshold());
        Ok(Suggestion {
            ticket: self.thread_ref(&row),
            title: row.title.clone(),
            rotation: duty_for(&self.connector, &area, &row, roster, now),
            repeats: self.repeats(&advice, |cited| may_cite(&row, cited)),
            candidates,
            excluded: considered.excluded,
            is_sure,
            threshold: self.model.threshold(),
            is_calibrated: self.model.is_calibrated(),
            owner: row
                .ticket
                .assignee
                .as_ref()
                .filter(|owner| !self.inboxes.contains(&account_of(owner, roster)))
                .map(|owner| roster.name_of(owner)),
            area,
            made_at: now,
        })
    }

    /// Returns who could answer a question in words, best first, by the tickets like it; for whom `may_ask` allows.
    pub fn answerers(
        &mut self,
        text: &str,
        roster: &Roster,
        may_ask: impl Fn(&Member) -> bool,
        may_cite: impl Fn(AudienceId) -> bool,
        now: Timestamp,
    ) -> Vec<Candidate> {
        let opened = Opened {
            title: text.to_owned(),
            is_unowned: true,
            at: now.as_second(),
            ..Opened::default()
        };
        let grounds = self.model.grounds_of_words(&opened);
        let mut found: Vec<Candidate> = Vec::new();
        for member in roster.members.iter().filter(|member| may_ask(member)) {
            let Some(account) = self.account(member, roster) else {
                continue;
            };
            let tickets = &self.tickets;
            let cited = |id: &str| tickets.get(id).is_some_and(|row| may_cite(row.audience));
            let count = self.model.owned_like(&grounds, &account, cited);
            if count >= 2 {
                found.push(Candidate {
                    member: member.id.clone(),
                    probability: 0.0,
                    evidence: vec![Evidence::OwnedMany { count }],
                    although: None,
                });
            }
        }
        let count = |candidate: &Candidate| match candidate.evidence.first() {
            Some(Evidence::OwnedMany { count }) => *count,
            _ => 0,
        };
        found.sort_by(|a, b| {
            count(b)
                .cmp(&count(a))
                .then_with(|| a.member.cmp(&b.member))
        });
        found
    }

    /// Returns who is left out and why, and who is not.
    fn consider(
        &self,
        c: &Connection,
        row: &TicketRow,
        roster: &Roster,
        wanted: Option<&MemberId>,
        now: Timestamp,
    ) -> Result<Considered> {
        let named = tickets::named_by_members(c, row.tid, &self.connector, roster)?;
        let open = tickets::open_by_owner(c, &self.connector)?;
        let mut considered = Considered {
            excluded: BTreeMap::new(),
            accounts: HashMap::new(),
        };
        let members = roster
            .members
            .iter()
            .filter(|member| member.handles.contains_key(&self.connector));
        let mut count = 0;
        for member in members {
            count += 1;
            let standing = self.standing_of(c, member, row, roster, &open)?;
            let exclusion = exclusion_of(member, &standing, row.audience, now);
            let is_asked_for = wanted == Some(&member.id) || named.contains(&member.id);
            match (exclusion, standing.account) {
                (None, Some(account)) => {
                    let kept = (member.id.clone(), None);
                    considered.accounts.insert(account, kept);
                }
                (Some(soft), Some(account)) if soft.is_soft() && is_asked_for => {
                    let kept = (member.id.clone(), Some(soft));
                    considered.accounts.insert(account, kept);
                }
                (exclusion, _) => {
                    let exclusion = exclusion.unwrap_or(Exclusion::OutsideAudience);
                    considered.excluded.insert(member.id.clone(), exclusion);
                }
            }
        }
        // Everyone considered is either a candidate or excluded with a reason.
        assert_eq!(
            count,
            considered.excluded.len() + considered.accounts.len(),
            "everybody is a candidate or left out for a reason"
        );
        Ok(considered)
    }

    fn standing_of(
        &self,
        c: &Connection,
        member: &Member,
        row: &TicketRow,
        roster: &Roster,
        open: &HashMap<String, u32>,
    ) -> Result<Standing> {
        let handles = member
            .handles
            .get(&self.connector)
            .map_or(&[][..], Vec::as_slice);
        let account = handles.first().map(|handle| account_of(handle, roster));
        let owner = row.ticket.assignee.as_ref();
        let last_active = account
            .as_deref()
            .and_then(|account| self.model.last_active(account))
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        let mut has_declined = tickets::has_declined(c, member.id.as_str(), &row.id)?;
        for handle in handles {
            has_declined |= tickets::gave_away(c, row.tid, handle)?;
        }
        Ok(Standing {
            open: handles
                .iter()
                .filter_map(|handle| open.get(&*handle.id))
                .sum(),
            readable: audiences::readable_by(c, Some(member))?,
            has_declined,
            owns: owner.is_some_and(|owner| member.owns(owner)),
            is_bot: handles.first().is_some_and(|handle| roster.is_bot(handle)),
            is_inbox: account
                .as_ref()
                .is_some_and(|account| self.inboxes.contains(account)),
            last_active,
            account,
        })
    }

    fn candidates(
        &self,
        opened: &Opened,
        grounds: &Grounds,
        advice: &Advice,
        considered: &Considered,
        may_cite: impl Fn(&str) -> bool,
    ) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for ranked in &advice.owners {
            let Some((member, although)) = considered.accounts.get(&ranked.person) else {
                continue;
            };
            // Whom a human asked for is named however unlikely the past finds it.
            if ranked.probability < LEAST_PROBABILITY && although.is_none() {
                continue;
            }
            if candidates.len() >= MOST_CANDIDATES && although.is_none() {
                continue;
            }
            candidates.push(Candidate {
                member: member.clone(),
                probability: ranked.probability,
                evidence: self
                    .model
                    .evidence(grounds, opened, &ranked.person, &may_cite),
                although: *although,
            });
        }
        candidates
    }

    fn area_of(&self, opened: &Opened, advice: &Advice) -> Option<(String, f32)> {
        let named = opened.components.first().map(|name| (name.clone(), 1.0));
        let likely = advice
            .areas
            .first()
            .filter(|(_, share)| *share >= LEAST_AREA);
        named.or(likely.cloned())
    }

    fn repeats(&self, advice: &Advice, may_cite: impl Fn(&TicketRow) -> bool) -> Vec<Repeat> {
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
                let is_shown = likeness >= LEAST_REPEAT && may_cite(row);
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
