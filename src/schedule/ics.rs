//! Days from an iCalendar file: leave, holidays, rotations.
//!
//! An own reader, because we need only this much of RFC 5545 and the crates that read recurrences (icalendar with rrule,
//! calcard; looked at in 2026) bring chrono and chrono-tz: a second calendar library and a second copy of all time zones
//! beside jiff. It reads VEVENT with DTSTART, DTEND, DURATION, SUMMARY, RRULE, RDATE, EXDATE, RECURRENCE-ID and STATUS, and
//! skips all else. It is tolerant where real exports are odd: bare line feeds, a missing VCALENDAR, Outlook's names of zones,
//! an end on the day of the start. What it cannot understand of an event is an error that names the line, because a leave
//! that is silently lost is worse.

mod event;
mod recur;

use anyhow::{Context, Result, ensure};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil};

use crate::model::Away;
use event::{Event, Moment};

/// A timed event shorter than this takes no day: a visit to the dentist is no leave.
const MIN_HOURS: i64 = 6;

/// Returns the days that the wanted events of a calendar take within a range, as spans with the event's summary, in order.
///
/// `zone` is that of the person whose days they are; times without a zone of their own are read in it. A timed event takes
/// the days whose noon it covers, so that a hand-over in the morning gives a day to one person only; one that covers no
/// noon takes the day on which it starts; one of less than six hours takes none. Spans that reach beyond `within` are whole.
///
/// # Errors
/// When the text is no calendar, or an event in it cannot be read; the error names the line.
pub fn busy_days(
    ics: &str,
    zone: &TimeZone,
    within: Away,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(Away, String)>> {
    let events = event::events(ics, zone)?;
    let mut days = Vec::new();
    for event in events
        .iter()
        .filter(|event| !event.is_cancelled && wanted(&event.summary))
    {
        for start in starts(event, &events, within)? {
            let span = days_of(event, &start, zone)?;
            days.extend(
                span.filter(|span| overlaps(*span, within))
                    .map(|span| (span, event.summary.clone())),
            );
        }
    }
    days.sort_by(|(one, one_summary), (other, other_summary)| {
        (one.from, one.to, one_summary).cmp(&(other.from, other.to, other_summary))
    });
    days.dedup();
    Ok(days)
}

/// Returns when an event takes place: once, or as often as its rule says, without what was called off or moved.
fn starts(event: &Event, events: &[Event], within: Away) -> Result<Vec<Moment>> {
    let mut starts = match &event.rule {
        Some((line, rule)) => {
            recur::starts(&event.start, rule, within.to).with_context(|| format!("line {line}"))?
        }
        None => vec![event.start.clone()],
    };
    starts.extend(event.more.iter().cloned());
    if event.replaces.is_none() && !event.uid.is_empty() {
        let siblings = events.iter().filter(|other| other.uid == event.uid);
        let moved: Vec<_> = siblings
            .filter_map(|other| other.replaces.as_ref())
            .collect();
        starts.retain(|start| !moved.iter().any(|moved| moved.names(start)));
    }
    starts.retain(|start| !event.except.iter().any(|except| except.names(start)));
    Ok(starts)
}

/// Returns the days one instance of an event takes.
fn days_of(event: &Event, start: &Moment, zone: &TimeZone) -> Result<Option<Away>> {
    let line = event.line;
    let end = event.end_of(start)?;
    Ok(match (start, end) {
        (Moment::Day(from), Moment::Day(end)) => {
            ensure!(*from <= end, "line {line}: the event ends before it starts");
            // The end is the day after the last; some programs write the last day, at least for a single one.
            Some(Away {
                from: *from,
                to: end.yesterday().unwrap_or(end).max(*from),
            })
        }
        (start, end) => {
            let (start, end) = (start.instant(zone)?, end.instant(zone)?);
            ensure!(start <= end, "line {line}: the event ends before it starts");
            (end.duration_since(start).as_hours() >= MIN_HOURS)
                .then(|| days_between(start, end, zone))
        }
    })
}

/// Returns the local days whose noon lies in `[start, end)`, or the first day when there is none.
fn days_between(start: Timestamp, end: Timestamp, zone: &TimeZone) -> Away {
    let (start, end) = (zone.to_datetime(start), zone.to_datetime(end));
    let noon = civil::Time::constant(12, 0, 0, 0);
    let from = if start.time() <= noon {
        start.date()
    } else {
        start.date().saturating_add(1.day())
    };
    let to = if end.time() > noon {
        end.date()
    } else {
        end.date().saturating_sub(1.day())
    };
    if from <= to {
        Away { from, to }
    } else {
        Away {
            from: start.date(),
            to: start.date(),
        }
    }
}

fn overlaps(one: Away, other: Away) -> bool {
    one.from <= other.to && other.from <= one.to
}

#[cfg(test)]
mod tests;
