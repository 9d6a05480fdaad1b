//! Public holidays by region: `DE`, `DE-BE`, `US-NY` …
//!
//! The data are one small text file per country in `holidays/`, compiled in; the top of `rules.rs` tells how to read and write
//! them. They hold the days on which most people of a region do not work by law. Where a country lets offices choose, the
//! common choice is taken and the file says so; a team with other habits gives an ICS file instead.

mod rules;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use anyhow::{Result, anyhow};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use rules::{Calendar, Rule, Substitute};

macro_rules! countries {
    ($($code:literal)*) => {
        /// Every country with its data.
        const COUNTRIES: &[(&str, &str)] = &[$(($code, include_str!(concat!("holidays/", $code, ".txt")))),*];
    };
}
countries!("AT" "AU" "BE" "BR" "CA" "CH" "CZ" "DE" "DK" "ES" "FI" "FR" "GB" "GR" "IE" "IN" "IT" "JP" "LU" "MX" "NL" "NO"
    "NZ" "PL" "PT" "RO" "SE" "SG" "US" "ZA");

/// Returns the public holidays of a region in these years, its country's included, with their names.
///
/// In a year the data do not cover only the days that follow a rule are there: ask [`covers`], and say so.
///
/// # Errors
/// When the region is unknown; the error lists near ones.
pub fn holidays(region: &str, years: RangeInclusive<i16>) -> Result<BTreeMap<Date, String>> {
    let (region, calendar) = find(region)?;
    let mut holidays = BTreeMap::new();
    // A substitute day may lie in the year before (New Year's Day of 2028 in the US) or after.
    for year in years.start().saturating_sub(1)..=years.end().saturating_add(1) {
        holidays.extend(of_year(&calendar, region, year));
    }
    holidays.retain(|date, _| years.contains(&date.year()));
    Ok(holidays)
}

/// Returns whether the data of a region hold for the whole of a year; holidays by the moon are known for some years only.
///
/// # Errors
/// When the region is unknown; the error lists near ones.
pub fn covers(region: &str, year: i16) -> Result<bool> {
    let (region, calendar) = find(region)?;
    Ok(calendar
        .sections
        .iter()
        .filter(|section| section.applies_to(region))
        .all(|section| section.covers.contains(&year)))
}

/// Returns every known region, sorted.
pub fn regions() -> BTreeSet<&'static str> {
    COUNTRIES
        .iter()
        .flat_map(|(code, text)| regions_of(code, &parsed(code, text)))
        .collect()
}

/// Returns the country's code and those of its parts.
fn regions_of(code: &'static str, calendar: &Calendar<'static>) -> BTreeSet<&'static str> {
    let parts = calendar
        .sections
        .iter()
        .flat_map(|section| section.regions.iter().copied());
    parts.chain([code]).collect()
}

fn parsed(code: &str, text: &'static str) -> Calendar<'static> {
    rules::parse(code, text).expect("the data are part of the program and a test reads them all")
}

/// Returns a region's own code and its country's calendar.
fn find(region: &str) -> Result<(&'static str, Calendar<'static>)> {
    let wanted = region.trim().to_uppercase().replace('_', "-");
    let country = wanted.split('-').next().unwrap_or_default();
    if let Some((code, text)) = COUNTRIES.iter().find(|(code, _)| *code == country) {
        let calendar = parsed(code, text);
        let regions = regions_of(code, &calendar);
        return match regions.iter().find(|region| **region == wanted) {
            Some(found) => Ok((found, calendar)),
            None => Err(unknown(region, regions.into_iter())),
        };
    }
    // Somebody wrote a country's name, or a code that differs by a letter.
    let is_named = |code: &str, text: &'static str| {
        let calendar = parsed(code, text);
        calendar
            .names
            .iter()
            .any(|name| name.to_uppercase().starts_with(country))
    };
    let is_close = |code: &str| {
        code.chars()
            .zip(country.chars())
            .filter(|(one, other)| one == other)
            .count()
            == 1
    };
    let named = COUNTRIES
        .iter()
        .filter(|(code, text)| country.len() > 1 && is_named(code, text));
    let named: Vec<_> = named.map(|(code, _)| *code).collect();
    let close: Vec<_> = COUNTRIES
        .iter()
        .map(|(code, _)| *code)
        .filter(|code| is_close(code))
        .collect();
    let all = COUNTRIES.iter().map(|(code, _)| *code).collect();
    let near = [named, close, all]
        .into_iter()
        .find(|near| !near.is_empty());
    Err(unknown(region, near.into_iter().flatten()))
}

/// Returns the error for a region that is not known, with its next step: the nearest names.
fn unknown(region: &str, near: impl Iterator<Item = &'static str>) -> anyhow::Error {
    let letters = region.to_uppercase();
    // The country itself comes first: a part of it that is not here often has no holidays of its own.
    let likeness = |name: &&str| match letters.starts_with(name) {
        true => usize::MAX,
        false => name
            .chars()
            .zip(letters.chars())
            .filter(|(one, other)| one == other)
            .count(),
    };
    let mut near: Vec<_> = near.collect();
    near.sort_by_key(|name| Reverse(likeness(name)));
    near.truncate(8);
    anyhow!(
        "unknown holiday region {region:?}: did you mean {}? For any other place, give an ICS file",
        near.join(", ")
    )
}

/// Returns the holidays that stem from a year's rules; substitute days may lie in the years beside it.
fn of_year(calendar: &Calendar<'_>, region: &str, year: i16) -> BTreeMap<Date, String> {
    let sections = calendar
        .sections
        .iter()
        .filter(|section| section.applies_to(region));
    let rules: Vec<&Rule<'_>> = sections.flat_map(|section| &section.rules).collect();
    let mut days: BTreeMap<Date, String> = BTreeMap::new();
    let mut substitutes: Vec<(Date, &Rule<'_>)> = Vec::new();
    for rule in rules {
        for date in rule.dates(year) {
            let date = rule.moved(date);
            add(&mut days, date, rule.name.to_owned());
            substitutes.push((date, rule));
        }
    }
    if let Some(name) = calendar.between_two {
        let is_free = |date: &Date| !days.contains_key(date) && date.weekday() != Weekday::Sunday;
        let days_after = days.keys().map(|date| plus(*date, 1));
        let between: Vec<_> = days_after
            .filter(|date| is_free(date) && days.contains_key(&plus(*date, 1)))
            .collect();
        for date in between {
            add(&mut days, date, name.to_owned());
        }
    }
    // Earlier days choose first: Christmas Day before Boxing Day.
    substitutes.sort_by_key(|(date, _)| *date);
    for (date, rule) in substitutes {
        if let Some(substitute) = substitute_of(date, rule.substitute, &days) {
            add(&mut days, substitute, format!("{} (observed)", rule.name));
        }
    }
    days
}

/// Adds a day; two holidays on one day share it.
fn add(days: &mut BTreeMap<Date, String>, date: Date, name: String) {
    let names = days.entry(date).or_default();
    if names.is_empty() {
        *names = name;
    } else if !names.contains(&name) {
        *names = format!("{names}, {name}");
    }
}

/// Returns the day off that stands for a holiday on a weekend.
fn substitute_of(
    date: Date,
    substitute: Substitute,
    days: &BTreeMap<Date, String>,
) -> Option<Date> {
    let weekday = date.weekday();
    let is_weekend = matches!(weekday, Weekday::Saturday | Weekday::Sunday);
    let is_due = match substitute {
        Substitute::None => false,
        Substitute::Nearest | Substitute::Weekend => is_weekend,
        Substitute::Saturday => weekday == Weekday::Saturday,
        Substitute::Sunday => weekday == Weekday::Sunday,
    };
    if !is_due {
        return None;
    }
    if substitute == Substitute::Nearest {
        return Some(plus(
            date,
            if weekday == Weekday::Saturday { -1 } else { 1 },
        ));
    }
    (1..8).map(|ahead| plus(date, ahead)).find(|next| {
        !matches!(next.weekday(), Weekday::Saturday | Weekday::Sunday) && !days.contains_key(next)
    })
}

fn plus(date: Date, days: i32) -> Date {
    date.saturating_add(days.days())
}

#[cfg(test)]
mod tests;
