//! Who may be asked to take a ticket, and who may not and why.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::suggestion::Exclusion;
use crate::model::{AudienceId, Member};
use crate::schedule;

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
