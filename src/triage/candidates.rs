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
        (!member.is_suggested, Exclusion::OptedOut),
        (standing.has_declined, Exclusion::Declined),
        (is_away(), Exclusion::Away),
        (is_full, Exclusion::AtCapacity),
        (is_idle, Exclusion::Inactive),
    ]
    .into_iter()
    .find_map(|(applies, exclusion)| applies.then_some(exclusion))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::model::Away;

    fn member() -> Member {
        Member {
            id: "ana".into(),
            name: "Ana".into(),
            handles: Default::default(),
            time_zone: jiff::tz::TimeZone::UTC,
            day_start: jiff::civil::time(9, 0, 0, 0),
            day_end: jiff::civil::time(17, 0, 0, 0),
            workdays: [true, true, true, true, true, false, false],
            holidays: Default::default(),
            away: Vec::new(),
            languages: Vec::new(),
            capacity: Some(3),
            is_briefed: true,
            is_suggested: true,
            is_quoted: true,
        }
    }

    /// A reason, and what brings it about.
    type Case = (Option<Exclusion>, fn(&mut Member, &mut Standing));

    #[test]
    fn everybody_is_a_candidate_or_left_out_for_a_typed_reason() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let cases: [Case; 12] = [
            (None, |_, _| {}),
            (None, |_, standing| standing.open = 2),
            (None, |_, standing| standing.last_active = None),
            (Some(Exclusion::AlreadyAssigned), |_, standing| {
                standing.owns = true
            }),
            (Some(Exclusion::AtCapacity), |_, standing| standing.open = 3),
            (Some(Exclusion::Declined), |_, standing| {
                standing.has_declined = true
            }),
            (Some(Exclusion::OutsideAudience), |_, standing| {
                standing.readable.clear()
            }),
            (Some(Exclusion::OutsideAudience), |_, standing| {
                standing.account = None
            }),
            (Some(Exclusion::Placeholder), |_, standing| {
                standing.is_inbox = true
            }),
            (Some(Exclusion::Bot), |_, standing| standing.is_bot = true),
            (Some(Exclusion::Inactive), |_, standing| {
                standing.last_active = Some("2026-08-20T12:00:00Z".parse().unwrap());
            }),
            (Some(Exclusion::Away), |member, _| {
                let (from, to) = (date(2026, 11, 23), date(2026, 11, 27));
                member.away = vec![Away { from, to }];
            }),
        ];
        for (expected, change) in cases {
            let mut member = member();
            let mut standing = Standing {
                account: Some("ana".into()),
                readable: [AudienceId(1)].into(),
                last_active: Some("2026-11-20T12:00:00Z".parse().unwrap()),
                ..Standing::default()
            };
            change(&mut member, &mut standing);
            let found = exclusion_of(&member, &standing, AudienceId(1), now);
            assert_eq!(found, expected, "{standing:?}");
        }
    }
}
