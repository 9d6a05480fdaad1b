//! The schedule against its oracle, on many random draws.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{ToSpan, civil};

use super::oracle::{self, Track, all_zones, date, number, timestamp};
use super::tests::{at, member};
use super::*;
use crate::model::Away;

/// A small seeded generator (splitmix64), so that a draw can be repeated by its number.
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number in `[from, upto]`.
    pub fn within(&mut self, from: i64, upto: i64) -> i64 {
        from + (self.next() % (upto - from + 1) as u64) as i64
    }

    pub fn percent(&mut self, percent: i64) -> bool {
        self.within(1, 100) <= percent
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.within(0, from.len() as i64 - 1) as usize]
    }
}

/// Returns a member with odd hours, odd work days, leave and holidays around a date.
pub fn random_member(dice: &mut Dice, zone: TimeZone, around: civil::Date) -> Member {
    let time = |minutes: i64| civil::time((minutes / 60 % 24) as i8, (minutes % 60) as i8, 0, 0);
    let start = match dice.within(0, 9) {
        0..=4 => dice.within(28, 44) * 15,
        // Where clocks change.
        5 | 6 => dice.within(0, 14) * 15,
        _ => dice.within(0, 1439),
    };
    let end = match dice.within(0, 9) {
        0..=4 => start + 510,
        5 => start,
        6 => start + dice.within(1, 60),
        _ => dice.within(0, 1439),
    };
    let workdays = match dice.within(0, 99) {
        0..=59 => [true, true, true, true, true, false, false],
        60..=69 => [true, true, true, true, false, false, true],
        70..=74 => [true; 7],
        75 => [false; 7],
        _ => std::array::from_fn(|_| dice.percent(60)),
    };
    let day_near = |dice: &mut Dice| around.saturating_add(dice.within(-12, 12).days());
    let away = (0..dice.within(0, 2)).map(|_| {
        let from = day_near(dice);
        // Long leave ends well within the 400 days that are looked through, or well beyond.
        let length = match dice.within(0, 99) {
            0 => dice.within(100, 300),
            1 => dice.within(900, 1200),
            _ => dice.within(0, 8),
        };
        Away {
            from,
            to: from.saturating_add(length.days()),
        }
    });
    let away = away.collect();
    let holidays: BTreeMap<_, _> = (0..dice.within(0, 3))
        .map(|_| (day_near(dice), "a holiday".to_owned()))
        .collect();
    Member {
        day_start: time(start),
        day_end: time(end),
        time_zone: zone,
        workdays,
        holidays: Arc::new(holidays),
        away,
        ..member("UTC")
    }
}

/// Returns every change of every zone in the years 1993 to 2045, as the zone and the minute.
fn all_changes(zones: &[TimeZone]) -> Vec<(TimeZone, i64)> {
    let (from, upto) = (at("1993-01-01T00:00Z"), at("2045-12-31T00:00Z"));
    let changes_of = |zone: &TimeZone| {
        let transitions = zone
            .following(from)
            .map(|transition| transition.timestamp());
        let minutes: Vec<_> = transitions
            .take_while(|at| *at < upto)
            .map(|at| at.as_second() / 60)
            .collect();
        minutes
            .into_iter()
            .map(|minute| (zone.clone(), minute))
            .collect::<Vec<_>>()
    };
    zones.iter().flat_map(changes_of).collect()
}

/// Draws so many cases, every second one within three days of a change of clocks, and compares all answers of all of them.
fn check_draws(draws: u64, seed: u64) {
    let began = Instant::now();
    let zones = all_zones();
    let changes = all_changes(&zones);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let (drawn, deadlines) = std::thread::scope(|scope| {
        let share = |core: u64| {
            let (zones, changes) = (&zones, &changes);
            let draws = (core..draws).step_by(cores as usize);
            scope.spawn(move || {
                draws
                    .map(|number| draw(number, seed, zones, changes))
                    .collect::<Vec<_>>()
            })
        };
        let workers: Vec<_> = (0..cores).map(share).collect();
        let drawn: Vec<bool> = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect();
        (
            drawn.len() as u64,
            drawn.iter().filter(|has_deadline| **has_deadline).count() as u64,
        )
    });
    println!(
        "{drawn} draws over {} zones, every second near one of {} changes, {deadlines} deadlines, in {:.1?}",
        zones.len(),
        changes.len(),
        began.elapsed()
    );
    assert_eq!(drawn, draws);
    assert!(deadlines > draws * 9 / 10, "most draws have a deadline");
}

/// Draws two members and a moment, and compares all answers; returns whether there is a deadline.
fn draw(number: u64, seed: u64, zones: &[TimeZone], changes: &[(TimeZone, i64)]) -> bool {
    let mut dice = Dice(seed ^ (number << 20));
    let (zone, minute) = if number.is_multiple_of(2) {
        // A prime step goes through all changes when there are draws enough, else far and wide.
        let (zone, minute) = &changes[(number / 2 * 7919) as usize % changes.len()];
        (zone.clone(), minute + dice.within(-4320, 4320))
    } else {
        (
            dice.pick(zones).clone(),
            dice.within(12_100_000, 39_900_000),
        )
    };
    let now = timestamp(minute);
    let today = zone.to_datetime(now).date();
    let one = random_member(&mut dice, zone, today);
    let other_zone = if dice.percent(20) {
        one.time_zone.clone()
    } else {
        dice.pick(zones).clone()
    };
    let other = random_member(&mut dice, other_zone, today);
    let settled = dice
        .percent(90)
        .then(|| oracle::number(today) - dice.within(0, 6));
    let span = dice.within(0, 6 * 1440);
    let context = format!("draw {number} at {now}: {one:?} {other:?}");
    check_draw(&one, &other, minute, settled, span, &context)
}

/// Compares fast and slow answers for one draw; returns whether there is a deadline.
fn check_draw(
    one: &Member,
    other: &Member,
    now: i64,
    settled: Option<i64>,
    span: i64,
    context: &str,
) -> bool {
    // Most answers lie within two weeks; long leave needs the whole horizon.
    let walked =
        |back, ahead| [one, other].map(|member| Track::around(member, timestamp(now), back, ahead));
    let mut tracks = walked(14, 9);
    for (back, ahead) in [(40, 25), (420, 404)] {
        if !answers_lie_within(&tracks, now) {
            tracks = walked(back, ahead);
        }
    }
    let [track, other_track] = &tracks;
    let at_now = timestamp(now);

    let expected = track
        .next_start(now)
        .map(|(day, minute)| (date(day), timestamp(minute)));
    assert_eq!(next_start(one, at_now), expected, "next_start, {context}");
    let today = track.work_date(now);
    assert_eq!(work_date(one, at_now), date(today), "work_date, {context}");
    assert_eq!(is_due(one, at_now), track.is_due(now), "is_due, {context}");
    let earliest = settled.map_or(today, |settled| track.earliest_unsettled(settled, now));
    assert_eq!(
        earliest_unsettled(one, settled.map(date), at_now),
        date(earliest),
        "earliest_unsettled, {context}"
    );
    let last = track.last_workday_before(earliest);
    assert_eq!(
        last_workday_before(one, date(earliest)),
        last.map(date),
        "last_workday_before, {context}"
    );
    if let Some(end) = last.and_then(|last| track.end_of(last)) {
        assert_eq!(
            window_after(one, date(earliest)),
            timestamp(end),
            "window_after, {context}"
        );
    }
    for day in today - 5..today + 5 {
        assert_eq!(
            is_workday(one, date(day)),
            track.is_workday(day),
            "is_workday {day}, {context}"
        );
        assert_eq!(
            day_off(one, date(day)).is_none(),
            track.is_workday(day),
            "day_off {day}, {context}"
        );
    }
    let of_days = |days: &[(i64, i64)]| -> Vec<_> {
        let near = days
            .iter()
            .filter(|(day, _)| (today - 5..today + 5).contains(day));
        near.map(|(day, minute)| (date(*day), timestamp(*minute)))
            .collect()
    };
    for (day, start) in of_days(&track.starts) {
        assert_eq!(day_start(one, day), start, "day_start {day}, {context}");
    }
    for (day, end) in of_days(&track.ends) {
        assert_eq!(day_end(one, day), end, "day_end {day}, {context}");
    }
    let (from, upto) = (timestamp(now - span / 2), timestamp(now + span / 2));
    let minutes = track.work_minutes_between(now - span / 2, now + span / 2);
    assert_eq!(
        as_minutes(work_hours_between(one, from, upto)),
        minutes,
        "work_hours_between, {context}"
    );
    let days = track.work_days_between(today - span / 2880, today + span / 2880);
    let (first, last) = (date(today - span / 2880), date(today + span / 2880));
    assert_eq!(
        work_days_between(one, first, last),
        days,
        "work_days_between, {context}"
    );
    let shared = overlap(one, other, from, upto);
    let shared_minutes = shared
        .iter()
        .map(|(start, end)| end.duration_since(*start).as_mins() as usize)
        .sum::<usize>();
    assert_eq!(
        shared_minutes,
        track.shared_minutes(other_track, now - span / 2, now + span / 2),
        "overlap, {context}"
    );
    assert!(
        shared.is_sorted() && shared.iter().all(|(start, end)| start < end),
        "overlap, {context}"
    );

    let deadline = oracle::answer_by(track, other_track, now);
    assert_eq!(
        answer_by(one, other, at_now),
        deadline.map(|(answer_by, _)| answer_by),
        "answer_by, {context}"
    );
    let saved = deadline.map_or(0, |(_, minutes)| minutes);
    assert_eq!(
        as_minutes(work_time_saved(one, other, at_now)),
        saved,
        "work_time_saved, {context}"
    );
    deadline.is_some()
}

/// Returns whether these tracks reach far enough for every question.
fn answers_lie_within(tracks: &[Track; 2], now: i64) -> bool {
    let [one, other] = tracks;
    let days_back = number(timestamp(now).to_zoned(TimeZone::UTC).date()) - 8;
    one.next_start(now).is_some()
        && one.last_workday_before(days_back).is_some()
        && oracle::answer_by(one, other, now).is_some()
}

fn as_minutes(hours: f64) -> usize {
    (hours * 60.0).round() as usize
}

#[test]
fn fast_and_slow_answers_agree_on_2_000_draws() {
    check_draws(2_000, 1);
}

#[test]
#[ignore = "runs for a while: cargo test --release -- --ignored draws"]
fn fast_and_slow_answers_agree_on_100_000_draws() {
    check_draws(100_000, 2);
}
