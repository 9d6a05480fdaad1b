//! A simulated year of a large team, start by start.

use std::sync::Arc;
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, civil};

use super::draws::{Dice, random_member};
use super::oracle::{Track, date, timestamp};
use super::tests::at;
use super::*;
use crate::model::Away;

/// Twelve zones, with all kinds of DST: north, south, half an hour, none, reversed names, across midnight.
const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Los_Angeles",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Africa/Casablanca",
];

/// Returns 200 members in the twelve zones, with leave and holidays in the year.
fn large_team(year: i16) -> Vec<Member> {
    let first = civil::date(year, 1, 1);
    let mut dice = Dice(year as u64);
    let members = (0..200).map(|number| {
        let zone = TimeZone::get(ZONES[number % ZONES.len()]).unwrap();
        let mut member = random_member(&mut dice, zone, first);
        if !member.workdays.contains(&true) {
            member.workdays = [true; 7];
        }
        let mut leave = |days: i64| {
            let from = first.saturating_add(dice.within(0, 364).days());
            Away {
                from,
                to: from.saturating_add(Span::new().days(dice.within(0, days))),
            }
        };
        member.away = vec![leave(4), leave(9), leave(20)];
        let holidays = (0..10).map(|_| (leave(0).from, "a holiday".to_owned()));
        member.holidays = Arc::new(holidays.collect());
        member
    });
    members.collect()
}

#[test]
fn a_year_of_200_members_has_one_start_for_each_work_day_at_the_right_local_minute() {
    let began = Instant::now();
    let (from, upto) = (at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z"));
    let mut starts = 0;
    for member in large_team(2026) {
        let track = Track::around(&member, from, 1, 367);
        let is_in_year = |minute: i64| timestamp(minute) > from && timestamp(minute) < upto;
        let expected: Vec<_> = track
            .starts
            .iter()
            .filter(|(day, minute)| track.is_workday(*day) && is_in_year(*minute))
            .map(|(day, minute)| (date(*day), timestamp(*minute)))
            .collect();
        let walk = std::iter::successors(next_start(&member, from), |(_, start)| {
            next_start(&member, *start)
        });
        let found: Vec<_> = walk.take_while(|(_, start)| *start < upto).collect();
        assert_eq!(found, expected, "{member:?}");
        for (date, start) in &found {
            let shown = member.time_zone.to_datetime(*start);
            let is_after_gap = member
                .time_zone
                .to_ambiguous_timestamp(date.to_datetime(member.day_start))
                .is_ambiguous();
            assert!(
                shown == date.to_datetime(member.day_start) || is_after_gap,
                "{member:?} {start}"
            );
        }
        assert!(
            found.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "a date twice: {member:?}"
        );
        starts += found.len();
    }
    println!(
        "200 members, {} zones, one year: {starts} starts in {:.1?}",
        ZONES.len(),
        began.elapsed()
    );
}

#[test]
fn whatever_the_daemon_sleeps_through_no_off_hour_falls_between_two_windows() {
    let mut dice = Dice(7);
    let mut merged = 0;
    for member in large_team(2027).into_iter().take(60) {
        let mut now = at("2027-01-04T00:00Z");
        let mut settled: Option<(civil::Date, Timestamp)> = None;
        while now < at("2027-12-31T00:00Z") {
            let date = work_date(&member, now);
            if is_due(&member, now) && settled.is_none_or(|(last, _)| last < date) {
                let earliest = earliest_unsettled(&member, settled.map(|(last, _)| last), now);
                let after = window_after(&member, earliest);
                merged += usize::from(earliest < date);
                if let Some((_, upto)) = settled {
                    let between = after.duration_since(upto).as_secs_f64().max(0.0) / 3600.0;
                    let worked = work_hours_between(&member, upto, after.max(upto));
                    assert!(
                        (between - worked).abs() < 1e-6,
                        "{between} h, {worked} h worked, {now} {member:?}"
                    );
                }
                settled = Some((date, now));
            }
            // Mostly awake; now and then down for up to four days.
            let minutes = if dice.percent(5) {
                dice.within(600, 6000)
            } else {
                dice.within(5, 60)
            };
            now = timestamp(now.as_second() / 60 + minutes);
        }
    }
    assert!(merged > 100, "{merged} merged");
}
