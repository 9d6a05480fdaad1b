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
    for (start, member, date) in mornings {
        let before = schedule::last_workday_before(member, date);
        let previous_upto = before.map(|before| Learned(schedule::day_start(member, before)));
        let window = Window {
            after: Learned(schedule::window_after(member, date)),
            upto: Learned(start),
            upto_seq,
        };
        show(&briefing(
            c,
            member,
            roster,
            window,
            previous_upto,
            style,
            Vec::new(),
        )?)?;
    }
    Ok(())
}
