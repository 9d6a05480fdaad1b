//! Until when a reply still helps: the deadline an ask has by the clocks of both people.

use jiff::Timestamp;

use super::hours::{Session, sessions, work_hours_between};
use crate::model::{AnswerBy, Member};

/// Returns the last moment at which the reader's reply still saves the asker a work day, and until when they wait otherwise.
///
/// People reply and read replies in their own work time. A reply given at *t* is of use from *u(t)*: the first instant of
/// the asker's work time at or after *t*. Then, with *t₀* the first instant of the reader's work time at or after `now`,
///
/// * *S* is the asker's session that holds *u(t₀)*, the first one a reply can still save. It is the current or the next one,
///   or a later one when the reader does not work before that ends.
/// * `by` is the last instant of the reader's work time before *S* ends: the end of *S* when the reader works then, else
///   the end of the reader's last session before it. Whatever comes before `by` is of use in *S*.
/// * `else_waits_until` is *u(t₁)*, with *t₁* the first instant of the reader's work time from `by` on: the start of the
///   asker's session after *S*, or later, when the reader is not back by then (part time, leave, other work days).
///
/// `None` when one of them has no such session within 400 days.
pub fn answer_by(asker: &Member, reader: &Member, now: Timestamp) -> Option<AnswerBy> {
    deadline(asker, reader, now).map(|deadline| deadline.answer_by)
}

/// Returns the asker's work hours that a reply at the reader's first chance saves over one after `by`: those between
/// *u(t₀)* and `else_waits_until`. Zero when there is no deadline.
pub fn work_time_saved(asker: &Member, reader: &Member, now: Timestamp) -> f64 {
    deadline(asker, reader, now).map_or(0.0, |deadline| {
        work_hours_between(
            asker,
            deadline.of_use_from,
            deadline.answer_by.else_waits_until,
        )
    })
}

/// A deadline and the moment from which a reply at the first chance is of use, *u(t₀)*.
struct Deadline {
    of_use_from: Timestamp,
    answer_by: AnswerBy,
}

fn deadline(asker: &Member, reader: &Member, now: Timestamp) -> Option<Deadline> {
    let first_chance = sessions(reader, now).next()?.start.max(now);
    let (saved, of_use_from) = of_use(asker, first_chance)?;
    let mut next_chance = None;
    let mut by = first_chance;
    for session in sessions(reader, first_chance) {
        if session.start >= saved.end {
            next_chance = Some(session.start);
            break;
        }
        by = session.end.min(saved.end);
        if session.end > saved.end {
            next_chance = Some(saved.end);
            break;
        }
    }
    let (_, else_waits_until) = of_use(asker, next_chance?)?;
    Some(Deadline {
        of_use_from,
        answer_by: AnswerBy {
            by,
            else_waits_until,
        },
    })
}

/// Returns when the asker can use a reply given at this moment, and the session in which they do.
fn of_use(asker: &Member, replied_at: Timestamp) -> Option<(Session, Timestamp)> {
    let session = sessions(asker, replied_at).next()?;
    Some((session, session.start.max(replied_at)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, day, member, member_from_to};
    use super::*;
    use crate::model::Away;

    #[track_caller]
    fn check(asker: &Member, reader: &Member, now: &str, expected: (&str, &str, f64)) {
        let found = answer_by(asker, reader, at(now)).unwrap();
        let saved = work_time_saved(asker, reader, at(now));
        assert_eq!(
            (found.by, found.else_waits_until, saved),
            (at(expected.0), at(expected.1), expected.2)
        );
    }

    #[test]
    fn the_deadline_is_the_end_of_the_askers_day_while_the_reader_works() {
        let (berlin, lisbon) = (member("Europe/Berlin"), member("Europe/Lisbon"));
        // Friday: "before 16:30, then Ana waits until Monday".
        check(
            &berlin,
            &lisbon,
            "2026-11-20T09:00Z",
            ("2026-11-20T16:30Z", "2026-11-23T08:00Z", 7.5),
        );
        let kolkata = member("Asia/Kolkata");
        check(
            &kolkata,
            &berlin,
            "2026-11-16T08:00Z",
            ("2026-11-16T12:00Z", "2026-11-17T03:30Z", 4.0),
        );
    }

    #[test]
    fn the_deadline_is_the_end_of_the_readers_day_when_that_comes_first() {
        let (berlin, new_york) = (member("Europe/Berlin"), member("America/New_York"));
        check(
            &new_york,
            &berlin,
            "2026-11-16T08:00Z",
            ("2026-11-16T16:30Z", "2026-11-17T14:00Z", 8.5),
        );
    }

    #[test]
    fn a_day_of_the_asker_that_the_reader_cannot_reach_does_not_count() {
        let (berlin, los_angeles) = (member("Europe/Berlin"), member("America/Los_Angeles"));
        // The Californian's Monday begins when Berlin has gone home: what can still be saved is Berlin's Tuesday.
        check(
            &berlin,
            &los_angeles,
            "2026-11-16T17:00Z",
            ("2026-11-17T01:30Z", "2026-11-18T08:00Z", 8.5),
        );
        // Also for a reader who looks before Berlin's Monday ends.
        check(
            &berlin,
            &los_angeles,
            "2026-11-16T16:00Z",
            ("2026-11-17T01:30Z", "2026-11-18T08:00Z", 8.5),
        );
        // A Friday there saves Berlin's Monday.
        check(
            &berlin,
            &los_angeles,
            "2026-11-20T17:00Z",
            ("2026-11-21T01:30Z", "2026-11-24T08:00Z", 8.5),
        );
    }

    #[test]
    fn the_asker_waits_as_long_as_the_reader_is_away() {
        let ana = member("Europe/Berlin");
        let mut bo = member("Europe/Berlin");
        bo.away.push(Away {
            from: day("2026-11-17"),
            to: day("2026-11-18"),
        });
        check(
            &ana,
            &bo,
            "2026-11-16T08:00Z",
            ("2026-11-16T16:30Z", "2026-11-19T08:00Z", 3.0 * 8.5),
        );
        // A short day inside the asker's: they wait until it begins again.
        let noon = member_from_to("Europe/Berlin", "11:00", "14:00");
        check(
            &ana,
            &noon,
            "2026-11-16T10:00Z",
            ("2026-11-16T13:00Z", "2026-11-17T10:00Z", 8.5),
        );
    }

    #[test]
    fn an_asker_on_leave_gives_time() {
        let (mut ana, bo) = (member("Europe/Berlin"), member("Europe/Berlin"));
        ana.away.push(Away {
            from: day("2026-11-16"),
            to: day("2026-11-20"),
        });
        check(
            &ana,
            &bo,
            "2026-11-16T08:00Z",
            ("2026-11-23T16:30Z", "2026-11-24T08:00Z", 8.5),
        );
        ana.workdays = [false; 7];
        assert_eq!(answer_by(&ana, &bo, at("2026-11-16T08:00Z")), None);
        assert_eq!(work_time_saved(&ana, &bo, at("2026-11-16T08:00Z")), 0.0);
    }
}
