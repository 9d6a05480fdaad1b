//! Who may be asked to take a ticket, and who may not and why.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{AudienceId, Member};
use crate::schedule;

/// Why somebody is not suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exclusion {
    /// Owns it already.
    AlreadyAssigned,
    /// Is on leave on their next work day.
    Away,
    /// Carries as many open tickets as they can.
    AtCapacity,
    /// Said that it is not theirs.
    Declined,
    /// May not read it, or has no account at the tracker.
    OutsideAudience,
    /// Did nothing at the tracker for 90 days.
    Inactive,
    /// The account is a team inbox.
    Placeholder,
    /// The account is a program's.
    Bot,
}

impl Exclusion {
    /// Returns the reason's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Exclusion::AlreadyAssigned => "already_assigned",
            Exclusion::Away => "away",
            Exclusion::AtCapacity => "at_capacity",
            Exclusion::Declined => "declined",
            Exclusion::OutsideAudience => "outside_audience",
            Exclusion::Inactive => "inactive",
            Exclusion::Placeholder => "placeholder",
            Exclusion::Bot => "bot",
        }
    }

    /// Returns the reason in words, after the name.
    pub fn in_words(self) -> &'static str {
        match self {
            Exclusion::AlreadyAssigned => "owns it already",
            Exclusion::Away => "is away",
            Exclusion::AtCapacity => "has as many open tickets as they can carry",
            Exclusion::Declined => "said it is not theirs",
            Exclusion::OutsideAudience => "cannot read it",
            Exclusion::Inactive => "did nothing at the tracker for 90 days",
            Exclusion::Placeholder => "is a team inbox",
            Exclusion::Bot => "is a program",
        }
    }
}

/// What is known of a member with regard to one ticket.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Their account at the tracker, as the model knows it.
    pub account: Option<String>,
    /// Open tickets they own there.
    pub open: u32,
    /// What they may read.
    pub readable: BTreeSet<AudienceId>,
    /// Whether they said that the ticket is not theirs.
    pub has_declined: bool,
    /// Whether they own it.
    pub owns: bool,
    /// Whether the account is a program's.
    pub is_bot: bool,
    /// Whether the account is a team inbox.
    pub is_inbox: bool,
    /// When they last did something at the tracker; `None` for whom it never saw.
    pub last_active: Option<Timestamp>,
}

/// The days without a deed after which nobody is suggested.
const INACTIVE_DAYS: i64 = super::model::INACTIVE_DAYS;

/// Returns why a member is not suggested for a ticket of this audience, if there is a reason.
pub fn exclusion_of(
    member: &Member,
    standing: &Standing,
    audience: AudienceId,
    now: Timestamp,
) -> Option<Exclusion> {
    let is_idle = standing
        .last_active
        .is_some_and(|last| now.duration_since(last).as_hours() > INACTIVE_DAYS * 24);
    let is_away = || {
        let today = now.to_zoned(member.time_zone.clone()).date();
        let is_on_leave = |date| {
            member
                .away
                .iter()
                .any(|away| away.from <= date && date <= away.to)
        };
        let next = schedule::next_start(member, now).map(|(date, _)| date);
        is_on_leave(today)
            || next.is_none_or(|next| next > today.saturating_add(jiff::Span::new().days(7)))
    };
    let is_full = member
        .capacity
        .is_some_and(|capacity| standing.open >= capacity);
    [
        (standing.is_inbox, Exclusion::Placeholder),
        (standing.is_bot, Exclusion::Bot),
        (standing.owns, Exclusion::AlreadyAssigned),
        (
            standing.account.is_none() || !standing.readable.contains(&audience),
            Exclusion::OutsideAudience,
        ),
        (standing.has_declined, Exclusion::Declined),
        (is_away(), Exclusion::Away),
        (is_full, Exclusion::AtCapacity),
        (is_idle, Exclusion::Inactive),
    ]
    .into_iter()
    .find_map(|(applies, exclusion)| applies.then_some(exclusion))
}
