//! What the schedule says about single days, as tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::model::MemberId;

/// Returns a member who works Monday to Friday, 9:00 to 17:30.
pub(super) fn member(zone: &str) -> Member {
    Member {
        id: MemberId::from("ana"),
        name: "Ana".into(),
        handles: BTreeMap::new(),
        time_zone: TimeZone::get(zone).unwrap(),
        day_start: civil::time(9, 0, 0, 0),
        day_end: civil::time(17, 30, 0, 0),
        workdays: [true, true, true, true, true, false, false],
        holidays: Arc::default(),
        away: Vec::new(),
        languages: Vec::new(),
        capacity: None,
        is_briefed: true,
        is_suggested: true,
        is_quoted: true,
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn day(text: &str) -> civil::Date {
    text.parse().unwrap()
}

pub(super) fn time(text: &str) -> civil::Time {
    text.parse().unwrap()
}

/// Returns a member with these hours.
pub(super) fn member_from_to(zone: &str, day_start: &str, day_end: &str) -> Member {
    Member {
        day_start: time(day_start),
        day_end: time(day_end),
        ..member(zone)
    }
}

#[test]
fn a_day_starts_at_the_first_instant_the_clock_has_reached_its_time() {
    for (zone, date, start, expected, why) in [
        (
            "Europe/Berlin",
            "2026-11-16",
            "09:00",
            "2026-11-16T08:00Z",
            "an ordinary day",
        ),
        (
            "Europe/Berlin",
            "2026-03-29",
            "02:30",
            "2026-03-29T01:00Z",
            "in the gap: where it ends",
        ),
        (
            "Europe/Berlin",
            "2026-03-29",
            "02:00",
            "2026-03-29T01:00Z",
            "the gap's first minute",
        ),
        (
            "Europe/Berlin",
            "2026-10-25",
            "02:30",
            "2026-10-25T00:30Z",
            "twice: the first",
        ),
        (
            "Europe/Berlin",
            "2026-10-25",
            "03:00",
            "2026-10-25T02:00Z",
            "after the overlap",
        ),
        (
            "Australia/Lord_Howe",
            "2026-10-04",
            "02:10",
            "2026-10-03T15:30Z",
            "a gap of half an hour",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-05",
            "01:45",
            "2026-04-04T14:45Z",
            "an overlap of half an hour",
        ),
        (
            "America/Sao_Paulo",
            "2018-11-04",
            "00:00",
            "2018-11-04T03:00Z",
            "a day without midnight",
        ),
        (
            "Pacific/Apia",
            "2011-12-30",
            "09:00",
            "2011-12-30T10:00Z",
            "a skipped day: where the next begins",
        ),
        (
            "Pacific/Apia",
            "2011-12-31",
            "09:00",
            "2011-12-30T19:00Z",
            "the day after a skipped one",
        ),
    ] {
        let member = member_from_to(zone, start, "17:30");
        assert_eq!(
            day_start(&member, day(date)),
            at(expected),
            "{zone} {date}: {why}"
        );
    }
}

#[test]
fn a_day_that_ends_before_it_starts_ends_on_the_next_one() {
    for (start, end, expected) in [
        ("09:00", "17:30", "2026-11-16T16:30Z"),
        ("22:00", "06:00", "2026-11-17T05:00Z"),
        ("08:00", "08:00", "2026-11-17T07:00Z"),
        ("16:00", "00:00", "2026-11-16T23:00Z"),
    ] {
        let member = member_from_to("Europe/Berlin", start, end);
        assert_eq!(
            day_end(&member, day("2026-11-16")),
            at(expected),
            "{start}–{end}"
        );
    }
}

#[test]
fn a_day_off_has_its_reason_and_leave_takes_work_days_only() {
    let leave = Away {
        from: day("2026-12-24"),
        to: day("2027-01-01"),
    };
    let mut ana = member("Europe/Berlin");
    ana.away.push(leave);
    ana.holidays = Arc::new(BTreeMap::from([(
        day("2026-12-25"),
        "Christmas Day".into(),
    )]));
    for (date, expected) in [
        ("2026-12-23", None),
        ("2026-12-24", Some(DayOff::Away(leave))),
        ("2026-12-25", Some(DayOff::Holiday("Christmas Day".into()))),
        ("2026-12-26", Some(DayOff::Weekend)),
        ("2026-12-28", Some(DayOff::Away(leave))),
        ("2027-01-01", Some(DayOff::Away(leave))),
        ("2027-01-04", None),
    ] {
        assert_eq!(day_off(&ana, day(date)), expected, "{date}");
        assert_eq!(is_workday(&ana, day(date)), expected.is_none(), "{date}");
    }
    assert_eq!(
        day_off(&member("Pacific/Apia"), day("2011-12-30")),
        Some(DayOff::Skipped)
    );
}

#[test]
fn the_next_start_is_strictly_later_and_on_a_work_day() {
    let ana = member("Europe/Berlin");
    for (after, expected) in [
        ("2026-11-16T07:59:59Z", "2026-11-16"),
        ("2026-11-16T08:00Z", "2026-11-17"),
        ("2026-11-20T08:00Z", "2026-11-23"),
    ] {
        let date = day(expected);
        assert_eq!(
            next_start(&ana, at(after)),
            Some((date, day_start(&ana, date))),
            "{after}"
        );
    }
    let mut away = ana.clone();
    away.away.push(Away {
        from: day("2026-11-16"),
        to: day("2027-12-20"),
    });
    assert_eq!(
        next_start(&away, at("2026-11-16T12:00Z")).unwrap().0,
        day("2027-12-21"),
        "400 days on"
    );
    assert_eq!(
        next_start(&away, at("2026-11-15T12:00Z")),
        None,
        "401 days on"
    );
    assert_eq!(
        next_start(
            &Member {
                workdays: [false; 7],
                ..ana
            },
            at("2026-11-16T12:00Z")
        ),
        None
    );
}

#[test]
fn a_briefing_belongs_to_the_local_day_or_to_the_night_shift_under_way() {
    for (start, end, now, expected, due) in [
        ("09:00", "17:30", "2026-11-16T07:59Z", "2026-11-16", false),
        ("09:00", "17:30", "2026-11-16T08:00Z", "2026-11-16", true),
        ("09:00", "17:30", "2026-11-16T22:59Z", "2026-11-16", true),
        ("09:00", "17:30", "2026-11-16T23:00Z", "2026-11-17", false),
        ("09:00", "17:30", "2026-11-21T12:00Z", "2026-11-21", false),
        ("22:00", "06:00", "2026-11-17T04:59Z", "2026-11-16", true),
        ("22:00", "06:00", "2026-11-17T05:00Z", "2026-11-17", false),
        ("22:00", "06:00", "2026-11-16T03:00Z", "2026-11-16", false),
    ] {
        let ana = member_from_to("Europe/Berlin", start, end);
        assert_eq!(
            work_date(&ana, at(now)),
            day(expected),
            "{start}–{end} {now}"
        );
        assert_eq!(is_due(&ana, at(now)), due, "{start}–{end} {now}");
    }
}

#[test]
fn missed_days_merge_into_one_window() {
    let ana = member("Europe/Berlin");
    for (last_settled, now, earliest, after) in [
        (
            Some("2026-11-13"),
            "2026-11-16T08:00Z",
            "2026-11-16",
            "2026-11-13T16:30Z",
        ),
        (
            Some("2026-11-11"),
            "2026-11-16T08:00Z",
            "2026-11-12",
            "2026-11-11T16:30Z",
        ),
        (
            Some("2026-11-13"),
            "2026-11-17T08:00Z",
            "2026-11-16",
            "2026-11-13T16:30Z",
        ),
        (
            Some("2026-11-16"),
            "2026-11-16T12:00Z",
            "2026-11-16",
            "2026-11-13T16:30Z",
        ),
        (None, "2026-11-16T08:00Z", "2026-11-16", "2026-11-13T16:30Z"),
        (
            Some("2026-11-13"),
            "2026-11-15T12:00Z",
            "2026-11-15",
            "2026-11-13T16:30Z",
        ),
    ] {
        let found = earliest_unsettled(&ana, last_settled.map(day), at(now));
        assert_eq!(found, day(earliest), "{last_settled:?} {now}");
        assert_eq!(
            window_after(&ana, found),
            at(after),
            "{last_settled:?} {now}"
        );
    }
}

#[test]
fn more_than_one_work_day_of_leave_makes_a_catch_up() {
    let mut ana = member("Europe/Berlin");
    for (from, to, expected) in [
        ("2026-11-13", "2026-11-13", None),
        ("2026-11-12", "2026-11-13", Some(2)),
        ("2026-11-07", "2026-11-15", Some(5)),
        ("2026-11-10", "2026-11-12", None),
        ("2026-11-14", "2026-11-15", None),
    ] {
        ana.away = vec![Away {
            from: day(from),
            to: day(to),
        }];
        assert_eq!(was_away(&ana, day("2026-11-16")), expected, "{from}–{to}");
    }
}
