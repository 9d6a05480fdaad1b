//! Work time: a member's sessions, the hours and days between two moments, and the time two members share.

use jiff::{Timestamp, civil};

use super::{HORIZON_DAYS, dates_from, day_end, day_start, is_workday, local_date};
use crate::model::Member;

/// One work day's time, `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The work date.
    pub date: civil::Date,
    /// Its start.
    pub start: Timestamp,
    /// Its end, on the next local day for a night shift.
    pub end: Timestamp,
}

/// Returns the sessions that end after `from`, in order, over the 400 days that follow.
pub fn sessions(member: &Member, from: Timestamp) -> impl Iterator<Item = Session> {
    sessions_within(member, from, HORIZON_DAYS)
}

/// Returns the hours of the member's work time in `[from, upto)`, zero when that is empty.
pub fn work_hours_between(member: &Member, from: Timestamp, upto: Timestamp) -> f64 {
    work_spans(member, from, upto)
        .map(|(start, end)| hours(start, end))
        .sum()
}

/// Returns how many of the member's work days have begun after the date `from`, up to and with `upto`.
///
/// Friday to Monday is one, for most. Zero when `upto` is not later.
pub fn work_days_between(member: &Member, from: civil::Date, upto: civil::Date) -> u32 {
    let days = (upto - from).get_days();
    dates_from(from, days)
        .skip(1)
        .filter(|date| is_workday(member, *date))
        .count() as u32
}

/// Returns the spans in `[from, upto)` in which both members work.
pub fn overlap(
    one: &Member,
    other: &Member,
    from: Timestamp,
    upto: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let others: Vec<_> = work_spans(other, from, upto).collect();
    work_spans(one, from, upto)
        .flat_map(|(start, end)| {
            others
                .iter()
                .map(move |(other_start, other_end)| (start.max(*other_start), end.min(*other_end)))
        })
        .filter(|(start, end)| start < end)
        .collect()
}

/// Returns a span's length.
fn hours(start: Timestamp, end: Timestamp) -> f64 {
    end.duration_since(start).as_secs_f64() / 3600.0
}

/// Returns the pieces of the member's work time in `[from, upto)`.
fn work_spans(
    member: &Member,
    from: Timestamp,
    upto: Timestamp,
) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    // A session that begins before `upto` has a date at most two after the one on which `from` lies, and the days between.
    let days = (upto.duration_since(from).as_hours() / 24).clamp(0, i32::MAX.into()) as i32 + 2;
    sessions_within(member, from, days)
        .take_while(move |session| session.start < upto)
        .map(move |session| (session.start.max(from), session.end.min(upto)))
        .filter(|(start, end)| start < end)
}

/// Returns the sessions that end after `from`, on dates from the day before its local date to so many days after it.
fn sessions_within(member: &Member, from: Timestamp, days: i32) -> impl Iterator<Item = Session> {
    let yesterday = local_date(&member.time_zone, from)
        .yesterday()
        .unwrap_or(civil::Date::MIN);
    dates_from(yesterday, days + 1)
        .filter(|date| is_workday(member, *date))
        .map(|date| Session {
            date,
            start: day_start(member, date),
            end: day_end(member, date),
        })
        // A clock that jumps over the whole shift leaves nothing of it.
        .filter(move |session| session.start < session.end && session.end > from)
}
