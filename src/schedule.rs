//! When each member's day starts and ends, which days they work, and what was missed while we were down.
//!
//! Everything here is pure: the moment comes in as an argument. All of it rests on one idea. A local time names the
//! *first instant at which the member's clock has reached it*: the time itself on ordinary days, the first of two on a day
//! when the clock goes back, the end of the gap when it goes forward past it. So starts and ends follow each other in order
//! whatever a zone does, and no session is ever negative.

mod answer;
mod hours;

pub mod holidays;
pub mod ics;

pub use answer::{answer_by, work_time_saved};
pub use hours::{Session, overlap, sessions, work_days_between, work_hours_between};

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan, civil};

use crate::model::{Away, Member};

/// How far ahead and back a work day is looked for.
const HORIZON_DAYS: i32 = 400;

/// Why a member does not work on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DayOff {
    /// Not one of their work days.
    Weekend,
    /// The day does not exist in their zone: it moved across the date line (Pacific/Apia, 2011-12-30).
    Skipped,
    /// A public holiday, by name.
    Holiday(String),
    /// Leave.
    Away(Away),
}

/// Returns when the briefing after `after` is due: its work date and that day's start, the first strictly later one.
///
/// `None` when the member has no work day on the local date of `after` and the 400 days that follow; ask again later.
pub fn next_start(member: &Member, after: Timestamp) -> Option<(civil::Date, Timestamp)> {
    dates_from(local_date(&member.time_zone, after), HORIZON_DAYS)
        .filter(|date| is_workday(member, *date))
        .map(|date| (date, day_start(member, date)))
        .find(|(_, start)| *start > after)
}

/// Returns the work date a briefing made now belongs to, work day or not.
///
/// It is the local date, except inside a night shift that began the day before: that one is still the day before's.
/// It never goes back as `now` goes on.
pub fn work_date(member: &Member, now: Timestamp) -> civil::Date {
    let today = local_date(&member.time_zone, now);
    let yesterday = today.saturating_sub(1.day());
    let is_last_nights = is_workday(member, yesterday) && now < day_end(member, yesterday);
    if is_last_nights { yesterday } else { today }
}

/// Returns whether the briefing of `work_date(member, now)` may go out: it is a work day and it has started.
///
/// A late start within the same local day is still due; the next local day it is missed, and merges into the next one.
pub fn is_due(member: &Member, now: Timestamp) -> bool {
    let date = work_date(member, now);
    is_workday(member, date) && day_start(member, date) <= now
}

/// Returns the earliest work date after `last_settled` up to now's own, so that missed days merge into one window.
///
/// When nothing was missed, and for a member who was never briefed, that is `work_date(member, now)`. Looks 400 days back.
pub fn earliest_unsettled(
    member: &Member,
    last_settled: Option<civil::Date>,
    now: Timestamp,
) -> civil::Date {
    let today = work_date(member, now);
    let Some(last_settled) = last_settled else {
        return today;
    };
    let earliest = today.saturating_sub(HORIZON_DAYS.days());
    dates_from(
        last_settled.saturating_add(1.day()).max(earliest),
        HORIZON_DAYS,
    )
    .take_while(|date| *date < today)
    .find(|date| is_workday(member, *date))
    .unwrap_or(today)
}

/// Returns the start of the window of a briefing whose earliest unsettled work date is this one: the end of the member's
/// last work day before it.
///
/// A member without a work day in the 400 days before gets those 400 days.
pub fn window_after(member: &Member, earliest_unsettled: civil::Date) -> Timestamp {
    match last_workday_before(member, earliest_unsettled) {
        Some(date) => day_end(member, date),
        None => day_start(
            member,
            earliest_unsettled.saturating_sub(HORIZON_DAYS.days()),
        ),
    }
}

/// Returns how many work days of leave lie right before the date, when it is more than one: the next briefing is a
/// catch-up then.
///
/// Weekends and public holidays neither count nor end the leave. Pass the earliest unsettled date: who comes back on a
/// Monday and is briefed on Tuesday still catches up.
pub fn was_away(member: &Member, date: civil::Date) -> Option<u32> {
    let days = dates_before(date)
        .map(|date| day_off(member, date))
        .take_while(Option::is_some)
        .filter(|day_off| matches!(day_off, Some(DayOff::Away(_))))
        .count();
    (days > 1).then_some(days as u32)
}

/// Returns the last work day before the date, at most 400 days back.
pub fn last_workday_before(member: &Member, date: civil::Date) -> Option<civil::Date> {
    dates_before(date).find(|date| is_workday(member, *date))
}

/// Returns whether the member works on the date.
pub fn is_workday(member: &Member, date: civil::Date) -> bool {
    is_weekday(member, date)
        && !member.holidays.contains_key(&date)
        && leave_on(member, date).is_none()
        && exists(&member.time_zone, date)
}

/// Returns the last day of the member's leave, if they are on leave now; a weekend or holiday before a leave belongs to it.
pub fn away_until(member: &Member, now: Timestamp) -> Option<civil::Date> {
    const MOST_FREE_DAYS: i32 = 4;
    let date = dates_from(work_date(member, now), MOST_FREE_DAYS)
        .find(|date| leave_on(member, *date).is_some() || is_workday(member, *date))?;
    let on_leave = member.away.iter();
    on_leave
        .filter(|away| away.from <= date && date <= away.to)
        .map(|away| away.to)
        .max()
}

/// Returns why the member does not work on the date, `None` on a work day.
///
/// Leave comes last, so that a day away is a work day the leave took.
pub fn day_off(member: &Member, date: civil::Date) -> Option<DayOff> {
    if !exists(&member.time_zone, date) {
        return Some(DayOff::Skipped);
    }
    if !is_weekday(member, date) {
        return Some(DayOff::Weekend);
    }
    if let Some(name) = member.holidays.get(&date) {
        return Some(DayOff::Holiday(name.clone()));
    }
    leave_on(member, date).map(DayOff::Away)
}

/// Returns when the member's day starts, whether or not they work on it.
pub fn day_start(member: &Member, date: civil::Date) -> Timestamp {
    first_instant(&member.time_zone, date.to_datetime(member.day_start))
}

/// Returns when the member's day ends: on the next local day, for a night shift whose end is not after its start.
pub fn day_end(member: &Member, date: civil::Date) -> Timestamp {
    let is_night_shift = member.day_end <= member.day_start;
    let date = if is_night_shift {
        date.saturating_add(1.day())
    } else {
        date
    };
    first_instant(&member.time_zone, date.to_datetime(member.day_end))
}

/// Returns the latest date whose first instant has been reached.
///
/// The clock on the wall may show the day before once more, where it goes back across midnight.
fn local_date(zone: &TimeZone, at: Timestamp) -> civil::Date {
    let date = zone.to_datetime(at).date();
    dates_from(date.saturating_add(1.day()), 2)
        .take_while(|next| first_instant(zone, next.to_datetime(civil::Time::midnight())) <= at)
        .last()
        .unwrap_or(date)
}

/// Returns the first instant at which the zone's clocks have reached a local time.
fn first_instant(zone: &TimeZone, local: civil::DateTime) -> Timestamp {
    let instant = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local),
        // Read with the later offset the time lies before the jump; the jump itself is the first that takes clocks past it.
        AmbiguousOffset::Gap { before, after } => match after.to_timestamp(local) {
            Ok(early) => match zone
                .following(early)
                .find(|jump| zone.to_datetime(jump.timestamp()) >= local)
            {
                Some(jump) => Ok(jump.timestamp()),
                None => before.to_timestamp(local),
            },
            error => error,
        },
    };
    // Only the first and the last day jiff knows, in the years -9999 and 9999, have instants out of range.
    instant.unwrap_or(if local.year() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Returns whether the zone has the date: a few skipped one when they crossed the date line.
fn exists(zone: &TimeZone, date: civil::Date) -> bool {
    let is_gap = |hour| {
        let local = date.at(hour, 0, 0, 0);
        matches!(
            zone.to_ambiguous_timestamp(local).offset(),
            AmbiguousOffset::Gap { .. }
        )
    };
    // The first look answers for every ordinary day.
    if !is_gap(12) {
        return true;
    }
    let midnight =
        |date: civil::Date| first_instant(zone, date.to_datetime(civil::Time::midnight()));
    midnight(date) < midnight(date.saturating_add(1.day()))
}

/// Returns whether it is one of the member's work days by the week alone.
fn is_weekday(member: &Member, date: civil::Date) -> bool {
    member.workdays[date.weekday().to_monday_zero_offset() as usize]
}

/// Returns the leave that covers the date.
fn leave_on(member: &Member, date: civil::Date) -> Option<Away> {
    member
        .away
        .iter()
        .find(|away| (away.from..=away.to).contains(&date))
        .copied()
}

/// Returns the date and as many that follow.
fn dates_from(first: civil::Date, days: i32) -> impl Iterator<Item = civil::Date> {
    (0..=days).map_while(move |day| first.checked_add(day.days()).ok())
}

/// Returns the dates before this one, latest first, as far as work days are looked for.
fn dates_before(date: civil::Date) -> impl Iterator<Item = civil::Date> {
    (1..=HORIZON_DAYS).map_while(move |day| date.checked_sub(day.days()).ok())
}

#[cfg(test)]
mod draws;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests;
