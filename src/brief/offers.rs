//! What a reader can do about the tickets of their briefing that nobody owns: take one, give it to whoever is likeliest,
//! say that it is not theirs. Made from what is stored now, so that an old picture of a message offers nothing that is over.

use std::collections::BTreeSet;

use anyhow::Result;
use rusqlite::Connection;

use super::suggested::{LEAST_CONCERN, MOST_NAMED};
use crate::model::suggestion::{Candidate, Offer};
use crate::model::{BriefingItem, ConnectorId, Member, MemberId, Reason, ThreadId, ThreadRef};
use crate::roster::Roster;
use crate::store::postings::{self, Kind, State};
use crate::store::{audiences, suggestions, tickets};

/// Who reads, and what a press of theirs may do.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// Whose briefing it is.
    pub member: &'a Member,
    /// Everybody.
    pub roster: &'a Roster,
    /// Trackers at which a press changes the owner.
    pub taps: &'a BTreeSet<ConnectorId>,
}

/// Returns what there is to press below the lines of a briefing.
///
/// # Errors
/// When the store cannot be read.
pub fn offers_of(c: &Connection, items: &[BriefingItem], reader: Reader<'_>) -> Result<Vec<Offer>> {
    let mut offers = Vec::new();
    for (line, item) in (1..).zip(items) {
        for number in 0..item.threads.len() {
            if let Some(ticket) = ticket_of(item, number) {
                offers.extend(offer_of(c, (line, number), ticket, reader)?);
            }
        }
    }
    Ok(offers)
}

/// Returns the ticket at a place of a line that names tickets without an owner.
pub fn ticket_of(item: &BriefingItem, number: usize) -> Option<&ThreadRef> {
    let is_named = item.reasons.contains(&Reason::UnownedInYourArea) && number < MOST_NAMED;
    item.threads.get(number).filter(|_| is_named)
}

/// Returns what there is to press for one ticket, or what became of it; `None` where there is neither.
///
/// # Errors
/// When the store cannot be read.
pub fn offer_of(
    c: &Connection,
    at: (usize, usize),
    ticket: &ThreadRef,
    reader: Reader<'_>,
) -> Result<Option<Offer>> {
    let ThreadId { connector, id } = &ticket.id;
    let readable = audiences::readable_by(c, Some(reader.member))?;
    let row = tickets::ticket_called(c, connector, id)?;
    let (Some(row), Some(said)) = (
        row.filter(|row| readable.contains(&row.audience)),
        suggestions::latest(c, connector, id)?,
    ) else {
        return Ok(None);
    };
    let mut offer = Offer {
        at,
        label: ticket.label.clone(),
        ..Offer::default()
    };
    let given = postings::posting(c, connector, id, Kind::Assign)?;
    let owner = row.ticket.assignee.as_ref();
    let owner = owner.and_then(|owner| reader.roster.member_of(owner));
    offer.told = match (owner, &given) {
        (Some(owner), _) => Some(format!("{} it now", has(&owner.id, reader))),
        (None, Some(given)) => given.member.as_ref().map(|to| match given.state {
            State::Posted => format!("{} it now", has(to, reader)),
            State::Planned | State::Posting | State::Failed => {
                format!("{} it as soon as the tracker answers", gets(to, reader))
            }
            State::Refused => format!(
                "the tracker did not give it to {}; it has an owner there, or does not let them have it",
                who(to, reader)
            ),
            State::Undoing | State::Undone => "it was taken back".to_owned(),
        }),
        (None, None) if row.ticket.is_closed => Some("it is closed".to_owned()),
        (None, None) => None,
    };
    if offer.told.is_some() {
        return Ok(Some(offer));
    }
    let mut others = Vec::new();
    for candidate in &said.candidates {
        let is_free = candidate.member != reader.member.id
            && candidate.probability >= LEAST_CONCERN
            && !tickets::has_declined(c, candidate.member.as_str(), id)?;
        if is_free && account_of(&candidate.member, connector, reader.roster) {
            others.push(candidate);
        }
    }
    let next = others.first().copied();
    let may_write = reader.taps.contains(connector);
    let has_declined = tickets::has_declined(c, reader.member.id.as_str(), id)?;
    let is_candidate = |one: &Candidate| one.member == reader.member.id;
    offer.may_take =
        may_write && !has_declined && account_of(&reader.member.id, connector, reader.roster);
    offer.may_decline = !has_declined && said.candidates.iter().any(is_candidate);
    offer.give_to = next
        .filter(|_| may_write)
        .map(|next| (next.member.clone(), who(&next.member, reader)));
    if has_declined {
        offer.told = Some(match next {
            Some(next) => format!(
                "not yours, and not suggested to you again; next is {} ({:.0} %)",
                who(&next.member, reader),
                100.0 * next.probability
            ),
            None => "not yours, and not suggested to you again; nobody else stands out".to_owned(),
        });
    }
    Ok((offer.told.is_some() || offer.is_open()).then_some(offer))
}

fn account_of(member: &MemberId, connector: &ConnectorId, roster: &Roster) -> bool {
    let handles = roster
        .member(member)
        .and_then(|member| member.handles.get(connector));
    handles.is_some_and(|handles| !handles.is_empty())
}

fn who(id: &MemberId, reader: Reader<'_>) -> String {
    if *id == reader.member.id {
        return "you".to_owned();
    }
    let member = reader.roster.member(id);
    let handle = member.and_then(|member| member.handles.values().flatten().next());
    handle.map_or_else(|| id.to_string(), |handle| reader.roster.name_of(handle))
}

fn has(id: &MemberId, reader: Reader<'_>) -> String {
    let has = if *id == reader.member.id {
        "have"
    } else {
        "has"
    };
    format!("{} {has}", who(id, reader))
}

fn gets(id: &MemberId, reader: Reader<'_>) -> String {
    let gets = if *id == reader.member.id {
        "get"
    } else {
        "gets"
    };
    format!("{} {gets}", who(id, reader))
}
