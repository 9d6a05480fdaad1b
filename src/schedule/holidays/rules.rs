//! The rules a country's holidays are written in.
//!
//! ```text
//! names United Kingdom, UK              other names of the country, for errors
//! covers 2000-2099                      the years for which what follows holds
//! jan 1: New Year's Day                 a fixed date
//! 1st monday of may: May Day            counted; also `last`
//! friday from jun 19: Midsummer Eve     the first one from that date on; also `before`, which leaves the date out
//! easter -2: Good Friday                days from Easter Sunday; `orthodox` for the eastern churches'
//! 4th thursday of nov +1: The day after days from any of these
//! on 2026-11-08 2027-10-28: Diwali      a table; it must name each covered year
//! once 2022-09-19: State Funeral        single days; other years have none
//! between two: Citizens' Holiday        a work day between two holidays is one too
//! [GB-NIR GB-SCT]                       what follows is for these regions; `[GB]` alone: for the country as such
//! ```
//! Between the date and the name may stand, in any order:
//! `since 2014`, `until 2023`, `except 2020 2022` – the years; `if sun -1` – the holiday itself moves when it falls on that
//! weekday; and one of `nearest` (Saturday: also the Friday before, Sunday: also the Monday after), `weekend`, `saturday`,
//! `sunday` (on such a day: also the next day that is neither weekend nor holiday).
//!
//! A region has the rules before the first heading and those under the headings that name it.

use std::ops::RangeInclusive;

use anyhow::{Context, Result, bail, ensure};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// A country's file.
#[derive(Debug, Default)]
pub struct Calendar<'a> {
    pub names: Vec<&'a str>,
    /// The name of a day that is one because the days beside it are.
    pub between_two: Option<&'a str>,
    pub sections: Vec<Section<'a>>,
}

/// The rules under one heading.
#[derive(Debug)]
pub struct Section<'a> {
    /// Empty = all of the country.
    pub regions: Vec<&'a str>,
    pub covers: RangeInclusive<i16>,
    pub rules: Vec<Rule<'a>>,
}

impl Section<'_> {
    pub fn applies_to(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.contains(&region)
    }
}

/// One holiday.
#[derive(Debug)]
pub struct Rule<'a> {
    pub name: &'a str,
    pub when: When,
    /// Days after it.
    offset: i32,
    years: RangeInclusive<i16>,
    except: Vec<i16>,
    /// The weekday it moves away from, and by how many days.
    moves: Vec<(Weekday, i32)>,
    pub substitute: Substitute,
}

/// When a holiday is.
#[derive(Debug)]
pub enum When {
    Fixed(i8, i8),
    /// The nth weekday of a month; -1 = the last.
    Nth(i8, Weekday, i8),
    /// The first weekday from a date on.
    From(Weekday, i8, i8),
    /// The last weekday before a date.
    Before(Weekday, i8, i8),
    Easter,
    Orthodox,
    /// One or more dates for each covered year.
    Table(Vec<Date>),
    Once(Vec<Date>),
}

/// Which holidays on a weekend get a day off beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substitute {
    None,
    Nearest,
    Weekend,
    Saturday,
    Sunday,
}

impl Rule<'_> {
    /// Returns the holiday's dates in a year, before they move.
    pub fn dates(&self, year: i16) -> Vec<Date> {
        if !self.years.contains(&year) || self.except.contains(&year) {
            return Vec::new();
        }
        let day = |month, day| Date::new(year, month, day).ok();
        let date = match &self.when {
            When::Fixed(month, number) => day(*month, *number),
            When::Nth(nth, weekday, month) => {
                day(*month, 1).and_then(|first| first.nth_weekday_of_month(*nth, *weekday).ok())
            }
            When::From(weekday, month, number) => day(*month, *number)
                .and_then(|date| date.yesterday().ok()?.nth_weekday(1, *weekday).ok()),
            When::Before(weekday, month, number) => {
                day(*month, *number).and_then(|date| date.nth_weekday(-1, *weekday).ok())
            }
            When::Easter => Some(easter(year)),
            When::Orthodox => Some(orthodox_easter(year)),
            When::Table(dates) | When::Once(dates) => {
                return dates
                    .iter()
                    .filter(|date| date.year() == year)
                    .copied()
                    .collect();
            }
        };
        date.map(|date| date.saturating_add(self.offset.days()))
            .into_iter()
            .collect()
    }

    /// Returns where the holiday goes when it falls on a weekday it avoids.
    pub fn moved(&self, date: Date) -> Date {
        let by = self
            .moves
            .iter()
            .find(|(weekday, _)| *weekday == date.weekday())
            .map_or(0, |(_, days)| *days);
        date.saturating_add(by.days())
    }
}

/// Reads a country's file.
///
/// # Errors
/// When a line is no rule; the error names it.
pub fn parse<'a>(code: &str, text: &'a str) -> Result<Calendar<'a>> {
    let mut calendar = Calendar::default();
    let mut section = Section {
        regions: Vec::new(),
        covers: 2000..=2099,
        rules: Vec::new(),
    };
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let context = || format!("holidays/{code}.txt:{}: {line}", number + 1);
        if line.is_empty() {
        } else if let Some(names) = line.strip_prefix("names ") {
            calendar.names = names.split(',').map(str::trim).collect();
        } else if let Some(years) = line.strip_prefix("covers ") {
            section.covers = parse_years(years).with_context(context)?;
        } else if let Some(regions) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            let covers = calendar
                .sections
                .first()
                .map_or(&section.covers, |first| &first.covers)
                .clone();
            let next = Section {
                regions: regions.split_whitespace().collect(),
                covers,
                rules: Vec::new(),
            };
            calendar
                .sections
                .push(std::mem::replace(&mut section, next));
        } else if let Some(name) = line.strip_prefix("between two:") {
            calendar.between_two = Some(name.trim());
        } else {
            section.rules.push(parse_rule(line).with_context(context)?);
        }
    }
    calendar.sections.push(section);
    Ok(calendar)
}

fn parse_years(text: &str) -> Result<RangeInclusive<i16>> {
    let (from, upto) = text.split_once('-').context("expected FROM-UPTO")?;
    Ok(from.trim().parse()?..=upto.trim().parse()?)
}

fn parse_rule(line: &str) -> Result<Rule<'_>> {
    let (rule, name) = line.split_once(':').context("expected WHEN: NAME")?;
    let words: Vec<&str> = rule.split_whitespace().collect();
    let (when, mut rest) = parse_when(&words)?;
    let mut rule = Rule {
        name: name.trim(),
        when,
        offset: 0,
        years: i16::MIN..=i16::MAX,
        except: Vec::new(),
        moves: Vec::new(),
        substitute: Substitute::None,
    };
    while let [word, following @ ..] = rest {
        rest = match (*word, following) {
            ("since", [year, rest @ ..]) => {
                rule.years = year.parse()?..=*rule.years.end();
                rest
            }
            ("until", [year, rest @ ..]) => {
                rule.years = *rule.years.start()..=year.parse()?;
                rest
            }
            ("except", [..]) => {
                let count = following
                    .iter()
                    .take_while(|word| word.parse::<i16>().is_ok())
                    .count();
                let (years, rest) = following.split_at(count);
                ensure!(count > 0, "expected years after `except`");
                rule.except = years
                    .iter()
                    .map(|year| year.parse())
                    .collect::<Result<_, _>>()?;
                rest
            }
            ("if", [weekday, days, rest @ ..]) => {
                rule.moves
                    .push((parse_weekday(weekday)?, parse_offset(days)?));
                rest
            }
            ("nearest", _) => substitute(&mut rule, Substitute::Nearest, following),
            ("weekend", _) => substitute(&mut rule, Substitute::Weekend, following),
            ("saturday", _) => substitute(&mut rule, Substitute::Saturday, following),
            ("sunday", _) => substitute(&mut rule, Substitute::Sunday, following),
            (days, rest) if days.starts_with(['+', '-']) => {
                rule.offset = parse_offset(days)?;
                rest
            }
            (word, _) => bail!("unknown word {word:?}"),
        };
    }
    Ok(rule)
}

fn substitute<'a, 'b>(
    rule: &mut Rule<'a>,
    substitute: Substitute,
    rest: &'b [&'a str],
) -> &'b [&'a str] {
    rule.substitute = substitute;
    rest
}

/// Reads the date at the front of a rule and returns what is left.
fn parse_when<'a, 'b>(words: &'b [&'a str]) -> Result<(When, &'b [&'a str])> {
    Ok(match words {
        ["easter", rest @ ..] => (When::Easter, rest),
        ["orthodox", rest @ ..] => (When::Orthodox, rest),
        [kind @ ("on" | "once"), rest @ ..] => {
            let count = rest.iter().take_while(|word| word.len() == 10).count();
            let (dates, rest) = rest.split_at(count);
            let dates = dates
                .iter()
                .map(|date| date.parse())
                .collect::<Result<Vec<Date>, _>>()?;
            (
                if *kind == "on" {
                    When::Table(dates)
                } else {
                    When::Once(dates)
                },
                rest,
            )
        }
        [nth, weekday, "of", month, rest @ ..] => {
            let nth = match *nth {
                "last" => -1,
                nth => nth.trim_end_matches(char::is_alphabetic).parse()?,
            };
            (
                When::Nth(nth, parse_weekday(weekday)?, parse_month(month)?),
                rest,
            )
        }
        [weekday, "from", month, day, rest @ ..] => (
            When::From(parse_weekday(weekday)?, parse_month(month)?, day.parse()?),
            rest,
        ),
        [weekday, "before", month, day, rest @ ..] => (
            When::Before(parse_weekday(weekday)?, parse_month(month)?, day.parse()?),
            rest,
        ),
        [month, day, rest @ ..] => (When::Fixed(parse_month(month)?, day.parse()?), rest),
        _ => bail!("expected a date"),
    })
}

fn parse_offset(word: &str) -> Result<i32> {
    word.parse()
        .with_context(|| format!("expected days such as +1, found {word:?}"))
}

fn parse_month(word: &str) -> Result<i8> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let index = MONTHS.iter().position(|month| *month == word);
    Ok(index.with_context(|| format!("unknown month {word:?}"))? as i8 + 1)
}

fn parse_weekday(word: &str) -> Result<Weekday> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let index = DAYS.iter().position(|day| word.starts_with(day));
    let index = index.with_context(|| format!("unknown weekday {word:?}"))? as i8;
    Ok(Weekday::from_monday_zero_offset(index)?)
}

/// Returns Easter Sunday of the western churches (Meeus, Jones and Butcher).
pub fn easter(year: i16) -> Date {
    let year = i32::from(year);
    let (century, in_century) = (year / 100, year % 100);
    let golden = year % 19;
    let epact =
        (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let to_sunday = (32 + 2 * (century % 4) + 2 * (in_century / 4) - epact - in_century % 4) % 7;
    let correction = (golden + 11 * epact + 22 * to_sunday) / 451;
    let days = epact + to_sunday - 7 * correction + 114;
    Date::constant(year as i16, (days / 31) as i8, (days % 31 + 1) as i8)
}

/// Returns Easter Sunday of the eastern churches, by our calendar, for the years 1900 to 2099.
fn orthodox_easter(year: i16) -> Date {
    let number = i32::from(year);
    let moon = (19 * (number % 19) + 15) % 30;
    let to_sunday = (2 * (number % 4) + 4 * (number % 7) - moon + 34) % 7;
    let days = moon + to_sunday + 114;
    // The Julian calendar is 13 days behind in these years.
    Date::constant(year, (days / 31) as i8, (days % 31 + 1) as i8).saturating_add(13.days())
}
