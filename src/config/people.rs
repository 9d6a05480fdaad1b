//! Members and teams as the configuration has them, with their calendars read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use jiff::civil;
use jiff::tz::TimeZone;

use super::{MemberConfig, OneOrMany, RotationConfig, TeamConfig, list};
use crate::model::{Area, Away, ConnectorId, Handle, Member, MemberId, Rotation, Team, TeamId};
use crate::schedule::{holidays, ics};

impl MemberConfig {
    /// Returns whether an entry of a calendar that members share is about this one.
    fn is_named_in(&self, id: &str, summary: &str) -> bool {
        let summary = summary.to_lowercase();
        let words: Vec<&str> = summary.split(|c: char| !c.is_alphanumeric()).collect();
        let name = self.name.to_lowercase();
        words.contains(&id)
            || name
                .split_whitespace()
                .next()
                .is_some_and(|first| words.contains(&first))
    }

    pub(super) fn member(
        &self,
        id: &str,
        base: &Path,
        year: i16,
        shares_leave: bool,
    ) -> Result<Member> {
        let time_zone = TimeZone::get(&self.time_zone).map_err(|_| {
            anyhow!(
                "time_zone = {:?} is no IANA zone, such as \"Europe/Lisbon\"",
                self.time_zone
            )
        })?;
        let time = |key: &str, text: &str| -> Result<civil::Time> {
            text.parse()
                .map_err(|_| anyhow!("{key} = {text:?} is no time of day, such as \"08:30\""))
        };
        let mut holidays_of_years = BTreeMap::new();
        match self.holidays.as_deref() {
            Some(file) if file.ends_with(".ics") => {
                for (span, name) in busy_days(&base.join(file), &time_zone, year, |_| true)? {
                    let mut day = span.from;
                    while day <= span.to {
                        holidays_of_years.insert(day, name.clone());
                        day = day.tomorrow()?;
                    }
                }
            }
            Some(region) => {
                holidays_of_years =
                    holidays::holidays(region, year - 1..=year + 2).context("holidays")?
            }
            None => {}
        }
        let mut away = Vec::new();
        for span in &self.away {
            let date = |text: &str| -> Result<civil::Date> {
                text.parse()
                    .map_err(|_| anyhow!("away: {text:?} is no date, such as \"2026-11-23\""))
            };
            let span = Away {
                from: date(&span.from)?,
                to: date(&span.to)?,
            };
            if span.to < span.from {
                bail!("away: {} comes before {}", span.to, span.from);
            }
            away.push(span);
        }
        if let Some(file) = &self.leave {
            let is_theirs = |summary: &str| !shares_leave || self.is_named_in(id, summary);
            away.extend(
                busy_days(&base.join(file), &time_zone, year, is_theirs)?
                    .into_iter()
                    .map(|(span, _)| span),
            );
        }
        let handles = self.handles.iter().map(|(connector, names)| {
            let connector = ConnectorId::new(connector.as_str());
            let names = match names {
                OneOrMany::One(name) => std::slice::from_ref(name),
                OneOrMany::Many(names) => names,
            };
            let handles = names
                .iter()
                .map(|name| Handle::new(&connector, name.as_str()))
                .collect();
            (connector, handles)
        });
        let (day_start, day_end) = (
            time("day_start", &self.day_start)?,
            time("day_end", &self.day_end)?,
        );
        if day_start == day_end {
            bail!(
                "day_end = {:?} is when the day starts, so nothing could ever happen outside of it",
                self.day_end
            );
        }
        Ok(Member {
            id: MemberId::new(id),
            name: if self.name.is_empty() {
                id.to_owned()
            } else {
                self.name.clone()
            },
            handles: handles.collect(),
            time_zone,
            day_start,
            day_end,
            workdays: workdays(&self.workdays)?,
            holidays: Arc::new(holidays_of_years),
            away,
            languages: self.languages.clone(),
            capacity: self.capacity,
            is_briefed: self.brief,
            is_suggested: self.suggest,
            is_quoted: self.quote,
        })
    }
}

impl TeamConfig {
    pub(super) fn team(&self, id: &str, base: &Path, year: i16) -> Result<Team> {
        let areas = self
            .areas
            .iter()
            .map(|text| area(text))
            .collect::<Result<_>>()?;
        let rotation = match &self.rotation {
            None => None,
            Some(RotationConfig::Members(members)) => Some(Rotation::Members(
                members
                    .iter()
                    .map(|member| MemberId::new(member.as_str()))
                    .collect(),
            )),
            Some(RotationConfig::Calendar { calendar }) => Some(Rotation::Calendar(busy_days(
                &base.join(calendar),
                &TimeZone::UTC,
                year,
                |_| true,
            )?)),
        };
        let members = self
            .members
            .iter()
            .map(|member| MemberId::new(member.as_str()))
            .collect();
        Ok(Team {
            id: TeamId::new(id),
            members,
            areas,
            rotation,
        })
    }
}

/// Returns the days of a calendar's wanted events, from the year before to two years ahead.
fn busy_days(
    path: &Path,
    zone: &TimeZone,
    year: i16,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(Away, String)>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the calendar {}", path.display()))?;
    let within = Away {
        from: civil::date(year - 1, 1, 1),
        to: civil::date(year + 2, 12, 31),
    };
    ics::busy_days(&text, zone, within, wanted)
        .with_context(|| format!("in the calendar {}", path.display()))
}

fn area(text: &str) -> Result<Area> {
    let expected = || {
        anyhow!(
            "areas: {text:?} is not of the form tracker:component=NAME, tracker:label=NAME or office:#channel"
        )
    };
    let (connector, rest) = text.split_once(':').ok_or_else(expected)?;
    let connector = ConnectorId::new(connector);
    match rest.split_once('=') {
        Some(("component", name)) => Ok(Area::Component(connector, name.to_owned())),
        Some(("label", name)) => Ok(Area::Label(connector, name.to_owned())),
        None if rest.starts_with('#') => Ok(Area::Space(connector, rest.to_owned())),
        _ => Err(expected()),
    }
}

fn workdays(names: &[String]) -> Result<[bool; 7]> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let mut days = [false; 7];
    for name in names {
        let day = DAYS
            .iter()
            .position(|day| day == name)
            .ok_or_else(|| anyhow!("workdays: {name:?} is none of {}", list(&DAYS)))?;
        days[day] = true;
    }
    Ok(days)
}
