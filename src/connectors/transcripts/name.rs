//! When a recording began, read from its file's name, as meeting programs and people write it.
//!
//! `2026-10-23T14-00Z-planning`, `GMT20261123-140000_Recording` (Zoom), `Meeting-20261123_140000` (Teams),
//! `sync (2026-11-23 14_03 GMT+1)` (Meet), `Standup 2026-11-23 14.00`, `meeting_2026-11-23`.

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, civil};

/// A date within a name, and what stands around it.
#[derive(Debug, PartialEq, Eq)]
pub struct InName<'a> {
    /// What stands before the date.
    pub before: &'a str,
    /// The day.
    date: civil::Date,
    /// The time of day, where there is one.
    time: Option<civil::Time>,
    /// Where the clock stood, where the name says.
    offset: Option<Offset>,
    /// What stands behind date and time.
    pub behind: &'a str,
}

/// Returns the start in a file's name; a time without a zone is one of `zone`, a date alone its noon.
pub fn start_in_name(stem: &str, zone: &TimeZone) -> Option<Timestamp> {
    let found = in_name(stem)?;
    let zone = match (found.time, found.offset) {
        (Some(_), Some(offset)) => offset.to_time_zone(),
        (Some(_), None) => zone.clone(),
        // Noon, so that the day is the same in nearly every zone.
        (None, _) => TimeZone::UTC,
    };
    let time = found.time.unwrap_or(civil::time(12, 0, 0, 0));
    let at = found.date.to_datetime(time).to_zoned(zone).ok()?;
    Some(at.timestamp())
}

/// Returns the first date of a name.
pub fn in_name(stem: &str) -> Option<InName<'_>> {
    let is_digit = |c: char| c.is_ascii_digit();
    for (at, _) in stem.char_indices() {
        if stem[..at].ends_with(is_digit) {
            continue;
        }
        let Some((date, rest)) = date_at(&stem[at..]) else {
            continue;
        };
        let mut before = &stem[..at];
        let mut offset = None;
        for word in ["GMT", "UTC"] {
            if let Some(shorter) = before.strip_suffix(word) {
                (before, offset) = (shorter, Some(Offset::UTC));
            }
        }
        let (time, mut behind) = match time_at(rest) {
            Some((time, behind)) => (Some(time), behind),
            None => (None, rest),
        };
        if time.is_some()
            && let Some((told, rest)) = offset_at(behind)
        {
            (offset, behind) = (Some(told), rest);
        }
        return Some(InName {
            before,
            date,
            time,
            offset,
            behind,
        });
    }
    None
}

/// Reads `2026-11-23`, also with `_` or `.`, and `20261123`.
fn date_at(text: &str) -> Option<(civil::Date, &str)> {
    let (year, rest) = number(text, 4)?;
    let mark = rest.chars().next().filter(|c| matches!(c, '-' | '_' | '.'));
    let skip = |rest| mark.map_or(Some(rest), |mark| str::strip_prefix(rest, mark));
    let (month, rest) = number(skip(rest)?, 2)?;
    let (day, rest) = number(skip(rest)?, 2)?;
    let is_year = (1990..2100).contains(&year) && !rest.starts_with(|c: char| c.is_ascii_digit());
    let date = civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    is_year.then_some((date, rest))
}

/// Reads the time behind a date: `T1430`, ` 14.00`, `-140000`, `_14-00-05`, ` at 14_03`.
fn time_at(text: &str) -> Option<(civil::Time, &str)> {
    let (rest, may_be_short) = match text.strip_prefix(" at ") {
        Some(rest) => (rest, false),
        None => (
            text.strip_prefix(['T', '_', '-', ' '])?,
            text.starts_with(['T', '_']),
        ),
    };
    let (hour, rest) = number(rest, 2)?;
    let mark = rest
        .chars()
        .next()
        .filter(|c| matches!(c, '-' | '_' | '.' | ':'));
    let skip = |rest| mark.map_or(Some(rest), |mark| str::strip_prefix(rest, mark));
    let (minute, rest) = number(skip(rest)?, 2)?;
    let second = skip(rest).and_then(|rest| number(rest, 2));
    // `-1430` behind a date may be anything; `-143000` is a time.
    if mark.is_none() && second.is_none() && !may_be_short {
        return None;
    }
    let (second, rest) = second.unwrap_or((0, rest));
    let is_ended = !rest.starts_with(|c: char| c.is_ascii_digit());
    let part = |number: i16| i8::try_from(number).ok();
    let time = civil::Time::new(part(hour)?, part(minute)?, part(second)?, 0).ok()?;
    is_ended.then_some((time, rest))
}

/// Reads `Z`, ` GMT`, ` UTC+01:00`, ` GMT-5` behind a time.
fn offset_at(text: &str) -> Option<(Offset, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        let is_ended = !rest.starts_with(char::is_alphanumeric);
        return is_ended.then_some((Offset::UTC, rest));
    }
    let word = text.strip_prefix([' ', '_'])?;
    let rest = word
        .strip_prefix("GMT")
        .or_else(|| word.strip_prefix("UTC"))?;
    let Some(hours) = rest.strip_prefix(['+', '-']) else {
        let is_ended = !rest.starts_with(char::is_alphanumeric);
        return is_ended.then_some((Offset::UTC, rest));
    };
    let (hour, behind) = number(hours, 2).or_else(|| number(hours, 1))?;
    let minutes = behind.strip_prefix([':', '_']).unwrap_or(behind);
    let (minute, behind) = number(minutes, 2).unwrap_or((0, behind));
    let seconds = i32::from(hour) * 3_600 + i32::from(minute) * 60;
    let sign = if rest.starts_with('-') { -1 } else { 1 };
    Some((Offset::from_seconds(sign * seconds).ok()?, behind))
}

/// Reads a number of so many digits.
fn number(text: &str, digits: usize) -> Option<(i16, &str)> {
    let (head, rest) = text.split_at_checked(digits)?;
    let is_number = head.bytes().all(|byte| byte.is_ascii_digit());
    Some((is_number.then(|| head.parse().ok())??, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_meeting_programs_and_people_tell_the_start() {
        let zone = TimeZone::get("Europe/Lisbon").unwrap();
        for (stem, expected) in [
            ("2026-07-01-planning", "2026-07-01T12:00:00Z"),
            ("2026-07-01T14-30Z-x", "2026-07-01T14:30:00Z"),
            ("2026-07-01T1430", "2026-07-01T13:30:00Z"),
            ("GMT20260701-140000_Recording", "2026-07-01T14:00:00Z"),
            ("meeting_2026-07-01", "2026-07-01T12:00:00Z"),
            ("Standup 2026-07-01 14.00", "2026-07-01T13:00:00Z"),
            ("20260701 sync", "2026-07-01T12:00:00Z"),
            ("Meeting-20260701_140005", "2026-07-01T13:00:05Z"),
            (
                "abc-defg-hij (2026-07-01 at 14_03 GMT-5)",
                "2026-07-01T19:03:00Z",
            ),
            ("sync 2026.07.01 14:03 UTC+05:30 b", "2026-07-01T08:33:00Z"),
            ("2026-07-01-1430 Roadmap", "2026-07-01T12:00:00Z"),
            ("2026-07-01-planning-2027", "2026-07-01T12:00:00Z"),
            ("é 2026-07-01", "2026-07-01T12:00:00Z"),
            ("2026-07-01T25-00", "2026-07-01T12:00:00Z"),
        ] {
            let at = start_in_name(stem, &zone).map(|at| at.to_string());
            assert_eq!(at.as_deref(), Some(expected), "{stem}");
        }
        for stem in [
            "2026-13-01",
            "planning",
            "120260701",
            "202607011",
            "5551234567",
            "1066-10-14",
            "2026-7",
            "",
        ] {
            assert_eq!(start_in_name(stem, &zone), None, "{stem}");
        }
    }
}
