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

#[cfg(test)]
mod tests {
    use super::super::tests::{at, day, member, member_from_to};
    use super::*;

    #[test]
    fn work_hours_are_hours_on_the_clock_of_the_world() {
        for (start, end, from, upto, expected, why) in [
            (
                "09:00",
                "17:30",
                "2026-11-16T00:00Z",
                "2026-11-17T00:00Z",
                8.5,
                "a day",
            ),
            (
                "09:00",
                "17:30",
                "2026-11-13T15:30Z",
                "2026-11-16T08:15Z",
                1.25,
                "over a weekend",
            ),
            (
                "09:00",
                "17:30",
                "2026-11-16T09:00Z",
                "2026-11-16T09:36Z",
                0.6,
                "within a day",
            ),
            (
                "09:00",
                "17:30",
                "2026-11-16T09:36Z",
                "2026-11-16T09:00Z",
                0.0,
                "backwards",
            ),
            (
                "09:00",
                "17:30",
                "2025-01-01T00:00Z",
                "2027-01-01T00:00Z",
                522.0 * 8.5,
                "two years of 261 work days",
            ),
            (
                "22:00",
                "06:00",
                "2026-03-27T00:00Z",
                "2026-03-30T00:00Z",
                5.0 + 8.0,
                "nights",
            ),
        ] {
            let ana = member_from_to("Europe/Berlin", start, end);
            assert_eq!(
                work_hours_between(&ana, at(from), at(upto)),
                expected,
                "{why}"
            );
        }
        let mut sundays = member_from_to("Europe/Berlin", "01:00", "05:00");
        sundays.workdays = [true; 7];
        let between = |from, upto| work_hours_between(&sundays, at(from), at(upto));
        assert_eq!(
            between("2026-03-28T12:00Z", "2026-03-29T12:00Z"),
            3.0,
            "the clock goes forward"
        );
        assert_eq!(
            between("2026-10-24T12:00Z", "2026-10-25T12:00Z"),
            5.0,
            "the clock goes back"
        );
    }

    #[test]
    fn work_days_are_those_that_have_begun_since() {
        let ana = member("Europe/Berlin");
        for (from, upto, expected) in [
            ("2026-11-16", "2026-11-16", 0),
            ("2026-11-16", "2026-11-17", 1),
            ("2026-11-13", "2026-11-16", 1),
            ("2026-11-14", "2026-11-16", 1),
            ("2026-11-13", "2026-11-15", 0),
            ("2026-11-16", "2026-11-13", 0),
            ("2026-11-09", "2026-11-23", 10),
        ] {
            assert_eq!(
                work_days_between(&ana, day(from), day(upto)),
                expected,
                "{from} {upto}"
            );
        }
    }

    #[test]
    fn two_members_share_the_time_both_work() {
        let (ana, bo) = (member("Europe/Berlin"), member("America/New_York"));
        let shared = overlap(&ana, &bo, at("2026-11-12T00:00Z"), at("2026-11-17T00:00Z"));
        let expected = [12, 13, 16].map(|day| {
            let at = |hour: &str| at(&format!("2026-11-{day}T{hour}Z"));
            (at("14:00"), at("16:30"))
        });
        assert_eq!(shared, expected);
    }
}
