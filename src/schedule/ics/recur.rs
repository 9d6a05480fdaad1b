//! Recurring events: the starts a rule gives.
//!
//! Each period of a rule (day, week, month, year) is gone through day by day and every day is asked whether the rule means
//! it. That is slow and easily right, and a calendar has few rules.

use anyhow::{Context, Result, bail, ensure};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use super::event::Moment;

/// An RRULE.
struct Rule {
    every: Every,
    interval: i32,
    count: Option<u32>,
    until: Option<Moment>,
    /// Weekdays, with their number in the month or year; 0 = each.
    weekdays: Vec<(i32, Weekday)>,
    months: Vec<i8>,
    /// Days of the month; negative ones count from its end.
    month_days: Vec<i8>,
    week_start: Weekday,
}

#[derive(Clone, Copy, PartialEq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// Returns the starts of a recurring event up to a date.
pub fn starts(first: &Moment, rule: &str, upto: Date) -> Result<Vec<Moment>> {
    let rule = Rule::parse(rule, first)?;
    let mut starts: Vec<Moment> = Vec::new();
    let mut period = rule.period_of(first.date());
    while period <= upto {
        let next = period
            .checked_add(rule.length(1))
            .context("a rule beyond all calendars")?;
        let days = period
            .series(1.day())
            .take_while(|day| *day < next && *day <= upto);
        for day in days.filter(|day| *day >= first.date() && rule.means(*day, first.date())) {
            let start = first.on(day);
            let is_over = rule
                .until
                .as_ref()
                .is_some_and(|until| is_after(&start, until));
            if is_over
                || rule
                    .count
                    .is_some_and(|count| starts.len() >= count as usize)
            {
                return Ok(starts);
            }
            starts.push(start);
        }
        period = period
            .checked_add(rule.length(rule.interval))
            .context("a rule beyond all calendars")?;
    }
    Ok(starts)
}

fn is_after(start: &Moment, until: &Moment) -> bool {
    match (start, until) {
        (Moment::Time(..), Moment::Time(..)) => {
            // Both have zones of their own.
            let instants = (start.instant(&TimeZone::UTC), until.instant(&TimeZone::UTC));
            matches!(instants, (Ok(start), Ok(until)) if start > until)
        }
        (start, until) => start.date() > until.date(),
    }
}

impl Rule {
    fn parse(text: &str, first: &Moment) -> Result<Rule> {
        let mut rule = Rule {
            every: Every::Day,
            interval: 1,
            count: None,
            until: None,
            weekdays: Vec::new(),
            months: Vec::new(),
            month_days: Vec::new(),
            week_start: Weekday::Monday,
        };
        let mut has_frequency = false;
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part
                .split_once('=')
                .with_context(|| format!("RRULE part {part:?} has no value"))?;
            let value = value.trim().to_uppercase();
            let unreadable = || format!("RRULE part {part:?} is not understood");
            match name.trim().to_uppercase().as_str() {
                "FREQ" => {
                    has_frequency = true;
                    rule.every = match value.as_str() {
                        "DAILY" => Every::Day,
                        "WEEKLY" => Every::Week,
                        "MONTHLY" => Every::Month,
                        "YEARLY" => Every::Year,
                        _ => bail!(unreadable()),
                    }
                }
                "INTERVAL" => rule.interval = value.parse().ok().with_context(unreadable)?,
                "COUNT" => rule.count = Some(value.parse().ok().with_context(unreadable)?),
                "UNTIL" => rule.until = Some(parse_until(&value, first).with_context(unreadable)?),
                "BYDAY" => {
                    rule.weekdays = value
                        .split(',')
                        .map(parse_weekday)
                        .collect::<Option<_>>()
                        .with_context(unreadable)?;
                }
                "BYMONTH" => rule.months = numbers(&value).with_context(unreadable)?,
                "BYMONTHDAY" => rule.month_days = numbers(&value).with_context(unreadable)?,
                "WKST" => rule.week_start = parse_weekday(&value).with_context(unreadable)?.1,
                _ => bail!(unreadable()),
            }
        }
        ensure!(has_frequency, "the RRULE has no FREQ");
        ensure!(
            (1..=1000).contains(&rule.interval),
            "RRULE interval {} is out of range",
            rule.interval
        );
        Ok(rule)
    }

    /// Returns the first day of the period a date lies in.
    fn period_of(&self, date: Date) -> Date {
        match self.every {
            Every::Day => date,
            Every::Week => {
                date.saturating_sub(i32::from(date.weekday().since(self.week_start)).days())
            }
            Every::Month => date.first_of_month(),
            Every::Year => date.first_of_year(),
        }
    }

    /// Returns the length of so many periods.
    fn length(&self, periods: i32) -> Span {
        match self.every {
            Every::Day => periods.days(),
            Every::Week => periods.weeks(),
            Every::Month => periods.months(),
            Every::Year => periods.years(),
        }
    }

    /// Returns whether the rule means this day of one of its periods.
    fn means(&self, day: Date, first: Date) -> bool {
        let by_day = !self.weekdays.is_empty() || !self.month_days.is_empty();
        let is_months = match self.every {
            // A yearly rule without further words keeps the first event's month.
            Every::Year if self.months.is_empty() && self.weekdays.is_empty() => {
                day.month() == first.month()
            }
            _ => self.months.is_empty() || self.months.contains(&day.month()),
        };
        let is_days = if by_day {
            let from_end = day.day() - day.days_in_month() - 1;
            let in_month = self
                .month_days
                .iter()
                .any(|wanted| *wanted == day.day() || *wanted == from_end);
            let in_week = self
                .weekdays
                .iter()
                .any(|(nth, weekday)| self.is_nth(day, *nth, *weekday));
            (self.month_days.is_empty() || in_month) && (self.weekdays.is_empty() || in_week)
        } else {
            match self.every {
                Every::Day => true,
                Every::Week => day.weekday() == first.weekday(),
                Every::Month | Every::Year => day.day() == first.day(),
            }
        };
        is_months && is_days
    }

    /// Returns whether the day is the nth such weekday of its month, or of its year when the rule is about whole years.
    fn is_nth(&self, day: Date, nth: i32, weekday: Weekday) -> bool {
        if day.weekday() != weekday || nth == 0 || matches!(self.every, Every::Day | Every::Week) {
            return day.weekday() == weekday;
        }
        let (number, length) = if self.every == Every::Year && self.months.is_empty() {
            (i32::from(day.day_of_year()), i32::from(day.days_in_year()))
        } else {
            (i32::from(day.day()), i32::from(day.days_in_month()))
        };
        if nth > 0 {
            (number - 1) / 7 + 1 == nth
        } else {
            (length - number) / 7 + 1 == -nth
        }
    }
}

/// Reads a day, a time in UTC, or a time where the event is.
fn parse_until(value: &str, first: &Moment) -> Option<Moment> {
    if value.len() == 8 {
        return Date::strptime("%Y%m%d", value).ok().map(Moment::Day);
    }
    let time = DateTime::strptime("%Y%m%dT%H%M%S", value.trim_end_matches('Z')).ok()?;
    let zone = match first {
        Moment::Time(_, zone) if !value.ends_with('Z') => zone.clone(),
        _ => TimeZone::UTC,
    };
    Some(Moment::Time(time, zone))
}

/// Reads `MO`, `1MO` or `-1SU`.
fn parse_weekday(text: &str) -> Option<(i32, Weekday)> {
    const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let text = text.trim();
    let index = DAYS.iter().position(|day| text.ends_with(day))?;
    let nth = match &text[..text.len() - 2] {
        "" => 0,
        nth => nth.parse().ok()?,
    };
    Some((nth, Weekday::from_monday_zero_offset(index as i8).ok()?))
}

fn numbers(value: &str) -> Option<Vec<i8>> {
    value
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect()
}
