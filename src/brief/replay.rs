//! The past, briefed as it would have been: every member's mornings between two dates, in the order they came.

use anyhow::Result;
use jiff::civil::Date;
use rusqlite::Connection;

use super::{Style, briefing};
use crate::model::{Briefing, Learned, Member, MemberId, Window};
use crate::roster::Roster;
use crate::schedule;
use crate::store::events;

/// Calls `show` with each briefing that would have been sent, ordered by instant, then by member.
///
/// A replay knows no deliveries: it takes every work day before as settled at its start.
///
/// # Errors
/// When the store cannot be read, or what `show` says.
pub fn replay(
    c: &Connection,
    roster: &Roster,
    from: Date,
    to: Date,
    style: &Style,
    wanted: impl Fn(&MemberId) -> bool,
    mut show: impl FnMut(&Briefing) -> Result<()>,
) -> Result<()> {
    for morning in mornings(c, roster, from, to, wanted)? {
        show(&briefing(
            c,
            morning.member,
            roster,
            morning.window,
            morning.previous_upto,
            style,
            Vec::new(),
        )?)?;
    }
    Ok(())
}

/// A morning of the past.
#[derive(Clone, Copy, Debug)]
pub struct Morning<'a> {
    /// Whose.
    pub member: &'a Member,
    /// What its briefing covers.
    pub window: Window,
    /// The end of the briefing before.
    pub previous_upto: Option<Learned>,
}

/// Returns every morning between two dates, ordered by instant, then by member.
///
/// # Errors
/// When the store cannot be read.
pub fn mornings<'a>(
    c: &Connection,
    roster: &'a Roster,
    from: Date,
    to: Date,
    wanted: impl Fn(&MemberId) -> bool,
) -> Result<Vec<Morning<'a>>> {
    let upto_seq = events::last_seq(c)?;
    let mut mornings: Vec<(jiff::Timestamp, &Member, Date)> = Vec::new();
    for member in roster
        .members
        .iter()
        .filter(|member| member.is_briefed && wanted(&member.id))
    {
        for date in from
            .series(jiff::Span::new().days(1))
            .take_while(|date| *date <= to)
        {
            if schedule::is_workday(member, date) {
                mornings.push((schedule::day_start(member, date), member, date));
            }
        }
    }
    mornings.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
    let morning = |(start, member, date): (jiff::Timestamp, &'a Member, Date)| {
        let before = schedule::last_workday_before(member, date);
        Morning {
            member,
            window: Window {
                after: Learned(schedule::window_after(member, date)),
                upto: Learned(start),
                upto_seq,
            },
            previous_upto: before.map(|before| Learned(schedule::day_start(member, before))),
        }
    };
    Ok(mornings.into_iter().map(morning).collect())
}
