//! A slow second opinion on the schedule: it looks at the member's clock minute by minute and counts.
//!
//! It shares no code with what it checks and asks jiff for nothing but the offset at an instant: no ambiguity rules, no
//! list of transitions, no civil arithmetic beyond the number of a day. It reads the clock once an hour, and minute by
//! minute inside the hours whose two ends differ, which is exact as long as no zone changes twice within an hour; a test
//! below holds that true. Wall time here is the furthest the clock has shown so far, in minutes since 1970.

use std::collections::BTreeSet;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, civil};

use crate::model::{AnswerBy, Member};

const DAY: i64 = 1440;

/// A member's clock over some days, a minute an entry.
pub struct Track {
    /// The first minute, since 1970.
    first: i64,
    /// The wall time of each minute.
    wall: Vec<i32>,
    /// The day number of the session each minute belongs to, `OFF` for none.
    work: Vec<i32>,
    /// The minute at which each day's start was reached, with its day number, whether or not the member works.
    pub starts: Vec<(i64, i64)>,
    /// The same for its end.
    pub ends: Vec<(i64, i64)>,
    /// The days that showed on the clock and on which the member works.
    workdays: BTreeSet<i64>,
}

const OFF: i32 = i32::MIN;

impl Track {
    /// Walks the clock of a member from so many days before a moment to so many after it.
    pub fn around(member: &Member, now: Timestamp, days_back: i64, days_ahead: i64) -> Track {
        let hour = now.as_second().div_euclid(3600) * 60;
        let first = hour - days_back * DAY;
        // Two days more at the front show how far the clock was, should it have gone back just before.
        let mut walk = Walk::new(member, first - 2 * DAY);
        let mut track = Track {
            first,
            wall: Vec::with_capacity(((days_back + days_ahead) * DAY) as usize),
            work: Vec::with_capacity(((days_back + days_ahead) * DAY) as usize),
            starts: Vec::new(),
            ends: Vec::new(),
            workdays: BTreeSet::new(),
        };
        let mut offset = offset_minutes(&member.time_zone, first - 2 * DAY);
        for hour in 0..(days_back + days_ahead + 2) * 24 {
            let from = first - 2 * DAY + hour * 60;
            let next_offset = offset_minutes(&member.time_zone, from + 60);
            for minute in from..from + 60 {
                let here = if offset == next_offset {
                    offset
                } else {
                    offset_minutes(&member.time_zone, minute)
                };
                walk.step(minute, minute + here, &mut track);
                if minute >= first {
                    track.wall.push(walk.wall as i32);
                    track.work.push(walk.session());
                }
            }
            offset = next_offset;
        }
        track.workdays = walk.workdays;
        track
    }

    fn index(&self, minute: i64) -> usize {
        usize::try_from(minute - self.first).unwrap()
    }

    /// Returns the first start of a work day strictly after the minute.
    pub fn next_start(&self, now: i64) -> Option<(i64, i64)> {
        let is_next = |(day, minute): &&(i64, i64)| *minute > now && self.workdays.contains(day);
        self.starts.iter().find(is_next).copied()
    }

    pub fn is_workday(&self, day: i64) -> bool {
        self.workdays.contains(&day)
    }

    pub fn work_date(&self, now: i64) -> i64 {
        let today = i64::from(self.wall[self.index(now)]).div_euclid(DAY);
        if i64::from(self.work[self.index(now)]) == today - 1 {
            today - 1
        } else {
            today
        }
    }

    pub fn is_due(&self, now: i64) -> bool {
        let date = self.work_date(now);
        self.is_workday(date)
            && self
                .starts
                .iter()
                .any(|(day, minute)| *day == date && *minute <= now)
    }

    pub fn earliest_unsettled(&self, last_settled: i64, now: i64) -> i64 {
        let today = self.work_date(now);
        (last_settled + 1..today)
            .find(|day| self.is_workday(*day))
            .unwrap_or(today)
    }

    pub fn last_workday_before(&self, day: i64) -> Option<i64> {
        self.workdays.range(..day).next_back().copied()
    }

    pub fn end_of(&self, date: i64) -> Option<i64> {
        self.ends
            .iter()
            .find(|(day, _)| *day == date)
            .map(|(_, minute)| *minute)
    }

    pub fn work_days_between(&self, from: i64, upto: i64) -> u32 {
        self.workdays
            .iter()
            .filter(|day| **day > from && **day <= upto)
            .count() as u32
    }

    pub fn work_minutes_between(&self, from: i64, upto: i64) -> usize {
        let minutes = &self.work[self.index(from)..self.index(upto).max(self.index(from))];
        minutes.iter().filter(|day| **day != OFF).count()
    }

    pub fn shared_minutes(&self, other: &Track, from: i64, upto: i64) -> usize {
        (from..upto)
            .filter(|minute| {
                self.work[self.index(*minute)] != OFF && other.work[other.index(*minute)] != OFF
            })
            .count()
    }
}

/// Returns the deadline by its definition, and the minutes saved: by trying a reply in every minute of the reader's.
pub fn answer_by(asker: &Track, reader: &Track, now: i64) -> Option<(AnswerBy, usize)> {
    let last = asker.first + asker.work.len() as i64;
    let reads_at = |minute: &i64| reader.work[reader.index(*minute)] != OFF;
    // The asker's first work minute at or after each one; those near the end of the track have none.
    let mut of_use = vec![OFF; asker.work.len() + 1];
    for (index, day) in asker.work.iter().enumerate().rev() {
        of_use[index] = if *day == OFF {
            of_use[index + 1]
        } else {
            index as i32
        };
    }
    let of_use = |minute: i64| {
        let index = of_use[asker.index(minute)];
        (index != OFF).then(|| asker.first + i64::from(index))
    };
    let session_of = |minute: i64| asker.work[asker.index(minute)];

    let first_use = of_use((now..last).find(reads_at)?)?;
    let helps = |minute: &i64| {
        of_use(*minute).is_some_and(|used| session_of(used) == session_of(first_use))
    };
    let by = (now..last).filter(reads_at).take_while(helps).last()? + 1;
    let too_late_use = of_use((by..last).find(reads_at)?)?;
    let answer_by = AnswerBy {
        by: timestamp(by),
        else_waits_until: timestamp(too_late_use),
    };
    Some((
        answer_by,
        asker.work_minutes_between(first_use, too_late_use),
    ))
}

/// The state of a walk along a member's clock.
struct Walk<'a> {
    member: &'a Member,
    wall: i64,
    /// The day of the wall time.
    day: i64,
    workdays: BTreeSet<i64>,
    /// Whether the member works today and yesterday; a day the clock never showed is no work day.
    works: [bool; 2],
    start: i64,
    end: i64,
}

impl<'a> Walk<'a> {
    fn new(member: &'a Member, from: i64) -> Self {
        let minutes = |time: civil::Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
        let (start, mut end) = (minutes(member.day_start), minutes(member.day_end));
        if end <= start {
            end += DAY;
        }
        let wall = from + offset_minutes(&member.time_zone, from) - 1;
        Walk {
            member,
            wall,
            day: wall.div_euclid(DAY),
            workdays: BTreeSet::new(),
            works: [false; 2],
            start,
            end,
        }
    }

    /// Goes on to a minute at which the clock shows `shown`.
    fn step(&mut self, minute: i64, shown: i64, track: &mut Track) {
        let (before, day_before) = (self.wall, self.day);
        if shown <= before {
            return;
        }
        self.wall = shown;
        if shown >= (day_before + 1) * DAY {
            self.day = shown.div_euclid(DAY);
            let is_next = self.day == day_before + 1;
            self.works = [works_on(self.member, self.day), is_next && self.works[0]];
            if self.works[0] {
                self.workdays.insert(self.day);
            }
        }
        for day in day_before - 1..=self.day {
            let passed = |time: i64| before < day * DAY + time && day * DAY + time <= self.wall;
            if passed(self.start) {
                track.starts.push((day, minute));
            }
            if passed(self.end) {
                track.ends.push((day, minute));
            }
        }
    }

    /// Returns the day whose session it is now.
    fn session(&self) -> i32 {
        for (works, day) in [(self.works[0], self.day), (self.works[1], self.day - 1)] {
            if works && (day * DAY + self.start..day * DAY + self.end).contains(&self.wall) {
                return day as i32;
            }
        }
        OFF
    }
}

fn works_on(member: &Member, day: i64) -> bool {
    let date = date(day);
    // 1970-01-01 was a Thursday.
    member.workdays[(day + 3).rem_euclid(7) as usize]
        && !member.holidays.contains_key(&date)
        && !member
            .away
            .iter()
            .any(|away| away.from <= date && date <= away.to)
}

/// Returns what the zone's clock is ahead of UTC at a minute.
fn offset_minutes(zone: &TimeZone, minute: i64) -> i64 {
    let seconds = i64::from(zone.to_offset(timestamp(minute)).seconds());
    assert_eq!(seconds % 60, 0, "an offset of whole minutes");
    seconds / 60
}

pub fn timestamp(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

/// Returns the date of a day number.
pub fn date(day: i64) -> civil::Date {
    civil::Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(day))
}

/// Returns the number of a date.
pub fn number(date: civil::Date) -> i64 {
    i64::from((date - civil::Date::constant(1970, 1, 1)).get_days())
}

/// Returns every zone of jiff's own database.
pub fn all_zones() -> Vec<TimeZone> {
    let database = TimeZoneDatabase::bundled();
    let zones: Vec<_> = database
        .available()
        .map(|name| database.get(name.as_str()).unwrap())
        .collect();
    assert!(zones.len() > 400, "the bundled zones are there");
    zones
}

#[test]
fn no_zone_changes_twice_within_an_hour_or_within_a_minute() {
    for zone in all_zones() {
        let mut last = timestamp(number(civil::date(1992, 1, 1)) * DAY);
        let transitions = zone
            .following(last)
            .map(|transition| transition.timestamp());
        for transition in
            transitions.take_while(|transition| transition.as_second() < 2_500_000_000)
        {
            assert!(
                transition.duration_since(last).as_mins() > 60,
                "{zone:?} {transition}"
            );
            assert_eq!(transition.as_second() % 60, 0, "{zone:?} {transition}");
            last = transition;
        }
    }
}
