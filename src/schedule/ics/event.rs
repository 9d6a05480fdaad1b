//! The events of a calendar file, line by line.

use anyhow::{Context, Result, bail, ensure};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

/// A VEVENT, as far as days go.
#[derive(Debug)]
pub struct Event {
    /// Where it begins, for errors.
    pub line: usize,
    pub uid: String,
    pub summary: String,
    pub start: Moment,
    end: End,
    /// The rule by which it recurs, and where it stands.
    pub rule: Option<(usize, String)>,
    /// Further starts.
    pub more: Vec<Moment>,
    /// Starts that are called off.
    pub except: Vec<Moment>,
    /// The start of another event of the same uid that this one stands for.
    pub replaces: Option<Moment>,
    pub is_cancelled: bool,
}

/// A day or a time of day somewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    Day(Date),
    Time(DateTime, TimeZone),
}

#[derive(Debug)]
enum End {
    /// As long as this from the start: DTEND − DTSTART or DURATION.
    After(Span),
    None,
}

impl Event {
    /// Returns when an instance that starts then ends.
    pub fn end_of(&self, start: &Moment) -> Result<Moment> {
        let too_late = || format!("line {}: the event ends beyond all calendars", self.line);
        Ok(match (start, &self.end) {
            (Moment::Day(day), End::None) => {
                Moment::Day(day.checked_add(1.day()).with_context(too_late)?)
            }
            (Moment::Day(day), End::After(span)) => {
                Moment::Day(day.checked_add(*span).with_context(too_late)?)
            }
            (Moment::Time(..), End::None) => start.clone(),
            (Moment::Time(time, zone), End::After(span)) => Moment::Time(
                time.checked_add(*span).with_context(too_late)?,
                zone.clone(),
            ),
        })
    }
}

impl Moment {
    pub fn date(&self) -> Date {
        match self {
            Moment::Day(date) => *date,
            Moment::Time(time, _) => time.date(),
        }
    }

    /// Returns the same time on another day.
    pub fn on(&self, date: Date) -> Moment {
        match self {
            Moment::Day(_) => Moment::Day(date),
            Moment::Time(time, zone) => Moment::Time(date.to_datetime(time.time()), zone.clone()),
        }
    }

    /// Returns the instant it means; a day begins at midnight in `zone`.
    pub fn instant(&self, zone: &TimeZone) -> Result<Timestamp> {
        Ok(match self {
            Moment::Day(date) => zone.to_timestamp(date.to_datetime(Time::midnight()))?,
            Moment::Time(time, own) => own.to_timestamp(*time)?,
        })
    }

    /// Returns whether it names that start: the same instant, or its whole day.
    pub fn names(&self, start: &Moment) -> bool {
        match (self, start) {
            (Moment::Day(day), start) => *day == start.date(),
            (Moment::Time(time, zone), Moment::Time(other, other_zone)) => {
                let instant = |time: &DateTime, zone: &TimeZone| zone.to_timestamp(*time).ok();
                instant(time, zone) == instant(other, other_zone)
            }
            (Moment::Time(time, _), Moment::Day(day)) => time.date() == *day,
        }
    }
}

/// Returns all events of a calendar.
pub fn events(ics: &str, zone: &TimeZone) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut draft: Option<Draft> = None;
    // Components inside an event, such as alarms, have times of their own.
    let mut inside: Vec<String> = Vec::new();
    let mut is_calendar = false;
    for line in unfolded(ics.trim_start_matches('\u{feff}')) {
        let Some(property) = Property::read(&line) else {
            continue;
        };
        let value = property.value.trim();
        match (property.name.as_str(), &mut draft) {
            ("BEGIN", None) if value.eq_ignore_ascii_case("VEVENT") => {
                is_calendar = true;
                draft = Some(Draft {
                    line: line.number,
                    ..Draft::default()
                });
            }
            ("BEGIN", None) => is_calendar |= value.eq_ignore_ascii_case("VCALENDAR"),
            ("BEGIN", Some(_)) => inside.push(value.to_uppercase()),
            ("END", Some(_)) if !inside.is_empty() => drop(inside.pop()),
            ("END", Some(_)) if value.eq_ignore_ascii_case("VEVENT") => {
                let draft = draft.take().expect("matched as Some");
                events.push(draft.finish(zone)?);
            }
            (_, Some(draft)) if inside.is_empty() => {
                draft
                    .take(property, zone)
                    .with_context(|| format!("line {}", line.number))?;
            }
            _ => {}
        }
    }
    if let Some(draft) = draft {
        bail!(
            "line {}: the event does not end; is the file cut off?",
            draft.line
        );
    }
    ensure!(
        is_calendar,
        "line 1: not a calendar, BEGIN:VCALENDAR is missing"
    );
    Ok(events)
}

/// An event while it is read.
#[derive(Default)]
struct Draft {
    line: usize,
    uid: String,
    summary: String,
    start: Option<Moment>,
    end: Option<Moment>,
    duration: Option<Span>,
    rule: Option<(usize, String)>,
    more: Vec<Moment>,
    except: Vec<Moment>,
    replaces: Option<Moment>,
    is_cancelled: bool,
}

impl Draft {
    /// Takes in a property.
    fn take(&mut self, property: Property, zone: &TimeZone) -> Result<()> {
        let moments = || {
            property
                .value
                .split(',')
                .map(|value| moment(value, &property, zone))
                .collect::<Result<Vec<_>>>()
        };
        let one = || moment(&property.value, &property, zone).map(Some);
        match property.name.as_str() {
            "UID" => self.uid = property.value.trim().to_owned(),
            "SUMMARY" => self.summary = unescaped(&property.value).trim().to_owned(),
            "DTSTART" => self.start = one()?,
            "DTEND" => self.end = one()?,
            "DURATION" => {
                let span: Span = property
                    .value
                    .trim()
                    .parse()
                    .ok()
                    .context("DURATION is no length of time")?;
                ensure!(!span.is_negative(), "a negative duration");
                self.duration = Some(span);
            }
            "RRULE" => self.rule = Some((property.line, property.value.trim().to_owned())),
            // Periods of free text after a slash are not days.
            "RDATE" => self.more.extend(moments()?),
            "EXDATE" => self.except.extend(moments()?),
            "RECURRENCE-ID" => self.replaces = one()?,
            "STATUS" => self.is_cancelled = property.value.trim().eq_ignore_ascii_case("CANCELLED"),
            _ => {}
        }
        Ok(())
    }

    fn finish(self, zone: &TimeZone) -> Result<Event> {
        let line = self.line;
        let start = self
            .start
            .with_context(|| format!("line {line}: the event has no DTSTART"))?;
        let end = match (&start, self.end, self.duration) {
            (Moment::Day(from), Some(end), _) => End::After((end.date() - *from).get_days().days()),
            (Moment::Time(time, own), Some(end), _) => {
                // The length on the clock, so that an event stays from nine to five across a change of clocks.
                let end = match end {
                    Moment::Time(end, other) if other == *own => end,
                    end => {
                        own.to_datetime(end.instant(zone).with_context(|| format!("line {line}"))?)
                    }
                };
                End::After(end - *time)
            }
            (_, None, Some(span)) => End::After(span),
            (_, None, None) => End::None,
        };
        if let End::After(span) = &end {
            ensure!(
                !span.is_negative(),
                "line {line}: the event ends before it starts"
            );
        }
        Ok(Event {
            line,
            uid: self.uid,
            summary: self.summary,
            start,
            end,
            rule: self.rule,
            more: self.more,
            except: self.except,
            replaces: self.replaces,
            is_cancelled: self.is_cancelled,
        })
    }
}

/// Reads `20261224`, `20261224T090000` or `20261224T080000Z`.
fn moment(value: &str, property: &Property, zone: &TimeZone) -> Result<Moment> {
    // A period, `start/end`, counts by its start.
    let value = value.split('/').next().unwrap_or_default().trim();
    let unreadable = || format!("{} {value:?} is no date", property.name);
    let is_day = value.len() == 8
        || property
            .parameter("VALUE")
            .is_some_and(|value| value.eq_ignore_ascii_case("DATE"));
    if is_day {
        let date = value.get(..8).with_context(unreadable)?;
        return Ok(Moment::Day(
            Date::strptime("%Y%m%d", date)
                .ok()
                .with_context(unreadable)?,
        ));
    }
    let (time, zone) = match value.strip_suffix(['Z', 'z']) {
        Some(time) => (time, TimeZone::UTC),
        None => (
            value,
            property
                .parameter("TZID")
                .and_then(zone_named)
                .unwrap_or_else(|| zone.clone()),
        ),
    };
    Ok(Moment::Time(
        DateTime::strptime("%Y%m%dT%H%M%S", time)
            .ok()
            .with_context(unreadable)?,
        zone,
    ))
}

/// Returns a zone by its IANA name, also behind a prefix (`/mozilla.org/20050126_1/Europe/Berlin`), or by Windows' name.
///
/// An unknown name is read as the person's own zone: it moves a time by hours, and days mostly stay the same.
fn zone_named(name: &str) -> Option<TimeZone> {
    let names = name.match_indices('/').map(|(slash, _)| &name[slash + 1..]);
    let zone = std::iter::once(name)
        .chain(names)
        .find_map(|name| TimeZone::get(name).ok());
    zone.or_else(|| {
        let known = include_str!("windows_zones.txt")
            .lines()
            .filter_map(|line| line.split_once('='));
        let (_, iana) = known
            .into_iter()
            .find(|(windows, _)| windows.eq_ignore_ascii_case(name))?;
        TimeZone::get(iana).ok()
    })
}

/// A line of the file, its continuations joined.
struct Line {
    number: usize,
    text: String,
}

fn unfolded(ics: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, text) in ics.lines().enumerate() {
        match (text.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.text.push_str(rest),
            _ => lines.push(Line {
                number: index + 1,
                text: text.to_owned(),
            }),
        }
    }
    lines
}

/// `NAME;PARAMETER=value:value`.
struct Property {
    line: usize,
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

impl Property {
    /// Returns the property of a line, `None` for what is none: blank lines, text with lost folds.
    fn read(line: &Line) -> Option<Property> {
        let mut is_quoted = false;
        let colon = line.text.find(|letter| {
            is_quoted ^= letter == '"';
            letter == ':' && !is_quoted
        })?;
        let (head, value) = line.text.split_at(colon);
        let mut is_quoted = false;
        let mut parts = head.split(|letter| {
            is_quoted ^= letter == '"';
            letter == ';' && !is_quoted
        });
        let name = parts.next()?.trim().to_uppercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters = parameters.map(|(name, value)| {
            (
                name.trim().to_uppercase(),
                value.trim_matches('"').to_owned(),
            )
        });
        Some(Property {
            line: line.number,
            name,
            parameters: parameters.collect(),
            value: value[1..].to_owned(),
        })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n' | 'N') => plain.push(' '),
                Some(escaped) => plain.push(escaped),
                None => plain.push('\\'),
            },
            (letter, false) => plain.push(letter),
        }
    }
    plain
}
