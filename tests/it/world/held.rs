//! What must hold after every simulation.

use daybrief::brief::replay::replay;
use daybrief::brief::{Style, render};
use daybrief::model::{Briefing, EventId, Member};
use daybrief::roster::Roster;
use daybrief::schedule;
use daybrief::store::{audiences, deliveries, events};
use jiff::Timestamp;
use rusqlite::Connection;

/// Returns when we learned that an event is gone.
fn removed_at(c: &Connection, id: &EventId) -> Timestamp {
    let event = events::find_event(c, id).unwrap();
    let event = event.unwrap_or_else(|| panic!("{id} is cited and never existed"));
    assert!(event.is_removed, "{id} can be found in one way only");
    let sql = "SELECT learned FROM events WHERE of_seq = ?1 AND kind = 'deleted'";
    let learned = c.query_row(sql, [event.seq.0], |row| row.get(0)).unwrap();
    Timestamp::from_microsecond(learned).unwrap()
}

/// Every citation exists or was removed later, may be read and lies in the window, or its line is carried.
pub(super) fn check_citations(c: &Connection, member: &Member, sent: &[Briefing]) {
    let readable = audiences::readable_by(c, Some(member)).unwrap();
    let mut before = None;
    for briefing in sent {
        let window = briefing.window;
        let from = before.map_or(window.after, |upto| window.after.min(upto));
        for item in &briefing.items {
            assert!(!item.citations.is_empty(), "a line without a citation");
            let mut is_new = false;
            for citation in &item.citations {
                let id = &citation.event;
                let cited = events::present(c, id).unwrap();
                let Some(cited) = cited else {
                    assert!(
                        removed_at(c, id) >= window.upto.0,
                        "{id} is cited and was gone by then"
                    );
                    is_new = true;
                    continue;
                };
                let may_read = readable.contains(&cited.audience);
                assert!(may_read, "{} was shown {id}", member.id);
                assert!(cited.learned < window.upto, "{id} was known to nobody yet");
                is_new |= cited.learned >= from;
            }
            assert!(
                item.carried || is_new,
                "a line from before the window: {item:?}"
            );
        }
        before = Some(window.upto);
    }
}

/// Every work day that began has a settled briefing, or a later one reaches back over it; today's may still be tried.
pub(super) fn check_mornings(c: &Connection, member: &Member, began: Timestamp, now: Timestamp) {
    let deliveries = deliveries::latest(c, Some(&member.id), 1_000).unwrap();
    let today = schedule::work_date(member, now);
    for open in deliveries.iter().filter(|delivery| !delivery.is_settled()) {
        let is_tried_again = open.date == today && open.next_try_at.is_some_and(|at| at > now);
        assert!(is_tried_again, "{} is not settled", open.key());
    }
    let mut after = began;
    while let Some((date, start)) = schedule::next_start(member, after) {
        if start > now {
            break;
        }
        let needed = schedule::window_after(member, date);
        let is_covered = |delivery: &deliveries::Delivery| {
            delivery.date == date || delivery.date > date && delivery.window.after.0 <= needed
        };
        let is_briefed = deliveries.iter().any(is_covered);
        assert!(is_briefed, "nothing tells {} of {date}", member.id);
        after = start;
    }
}

pub(super) fn replayed(
    c: &Connection,
    roster: &Roster,
    began: Timestamp,
    now: Timestamp,
) -> String {
    let date = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut lines = String::new();
    let style = Style::default();
    replay(
        c,
        roster,
        date(began),
        date(now),
        &style,
        |_| true,
        |briefing| {
            lines += &render::json_line(&render::to_json(briefing));
            lines += "\n";
            Ok(())
        },
    )
    .unwrap();
    lines
}
