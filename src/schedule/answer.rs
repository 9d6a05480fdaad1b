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
