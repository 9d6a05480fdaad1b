//! The right hour every day: leave, weekends, downtime, clock changes, a whole year of a large team.

use std::collections::BTreeMap;

use daybrief::brief::Style;
use daybrief::brief::deliver::{Delivering, deliver};
use daybrief::model::MemberId;
use daybrief::roster::Roster;
use daybrief::schedule;
use daybrief::store::Store;
use jiff::Timestamp;

use crate::world::{Memory, World, at};

#[test]
fn a_member_back_from_leave_gets_one_catch_up() {
    let mut world = World::new("2026-11-12T12:00:00Z");
    world.member(
        "ana",
        "Europe/Lisbon",
        "away = [{ from = \"2026-11-16\", to = \"2026-11-20\" }]",
    );
    world.member("bo", "Europe/Berlin", "");
    world.chat(
        "general",
        "2026-11-12T10:00:00Z",
        "ana",
        "I leave the harbor list as it is until I am back.",
    );
    world.chat(
        "general",
        "2026-11-17T10:00:00Z",
        "bo",
        "<@UANA> which of the two lists should we print?",
    );
    world.run_until("2026-11-23T12:00:00Z");
    let dates: Vec<String> = world
        .sent_to("ana")
        .iter()
        .map(|briefing| briefing.date.to_string())
        .collect();
    assert_eq!(dates, ["2026-11-12", "2026-11-13", "2026-11-23"]);
    let back = world.sent_to("ana").pop().unwrap();
    assert!(back.is_catch_up);
    assert!(format!("{back:?}").contains("which of the two lists"));
    world.check();
}

#[test]
fn days_that_were_missed_merge_into_one_window() {
    let mut world = World::new("2026-11-16T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "Europe/Berlin", "");
    world.chat(
        "general",
        "2026-11-17T19:00:00Z",
        "bo",
        "<@UANA> could you look at the tide table of Tuesday?",
    );
    world.run_until("2026-11-16T13:00:00Z");
    world.crash();
    world.clock.move_to(at("2026-11-20T11:00:00Z"));
    world.run_until("2026-11-20T12:00:00Z");
    let sent = world.sent_to("ana");
    assert_eq!(
        sent.iter()
            .map(|briefing| briefing.date.to_string())
            .collect::<Vec<_>>(),
        ["2026-11-16", "2026-11-20"]
    );
    assert_eq!(
        sent[1].window.after.0,
        at("2026-11-16T17:30:00Z"),
        "the window reaches back to the last briefed day’s end"
    );
    assert!(format!("{:?}", sent[1]).contains("tide table"));
    world.check();
}

#[test]
fn the_hour_stays_when_the_clocks_change() {
    let mut world = World::new("2026-10-22T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.run_until("2026-10-27T12:00:00Z");
    let starts: Vec<String> = world
        .sent()
        .iter()
        .skip(1)
        .map(|(_, when, _)| when.strftime("%a %H:%M").to_string())
        .collect();
    assert_eq!(
        starts,
        ["Fri 08:00", "Mon 09:00", "Tue 09:00"],
        "in UTC: summer time until Friday"
    );
    world.check();
}

/// Every briefing of 200 members in 12 zones over a year goes through the real outbox: one per member and work day, at
/// the right local minute.
#[test]
fn a_year_of_two_hundred_members_misses_and_doubles_nothing() {
    let members = daybrief_year::members();
    let store = Store::in_memory().unwrap();
    let roster = Roster::new(members.clone(), Vec::new(), Vec::new(), Vec::new());
    let (style, sink) = (Style::default(), Memory::default());
    let with = Delivering {
        store: &store,
        roster: &roster,
        style: &style,
        quiet_line: true,
        gaps: &[],
        llm: None,
        taps: &Default::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (first, last) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let mut starts: Vec<(Timestamp, usize)> = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let mut now = first;
        while let Some((_, start)) =
            schedule::next_start(member, now).filter(|(_, start)| *start < last)
        {
            starts.push((start, index));
            now = start;
        }
    }
    starts.sort();
    for (start, index) in &starts {
        runtime
            .block_on(deliver(&with, &members[*index], &sink, *start))
            .unwrap();
    }
    let sent = sink.0.lock().unwrap();
    assert_eq!(sent.sent.len(), starts.len());
    let mut days: BTreeMap<(MemberId, jiff::civil::Date), Timestamp> = BTreeMap::new();
    for (_, when, briefing) in &sent.sent {
        assert!(
            days.insert((briefing.member.clone(), briefing.date), *when)
                .is_none(),
            "twice on one day"
        );
    }
    let mut expected = 0;
    for member in &members {
        let mut date = jiff::civil::date(2026, 1, 2);
        while date < jiff::civil::date(2026, 12, 31) {
            // Independent of the schedule: a work day by the calendar, neither holiday nor leave.
            let is_workday = member.workdays[date.weekday().to_monday_zero_offset() as usize]
                && !member.holidays.contains_key(&date)
                && !member
                    .away
                    .iter()
                    .any(|away| away.from <= date && date <= away.to);
            let sent_at = days.get(&(member.id.clone(), date));
            assert_eq!(sent_at.is_some(), is_workday, "{} on {date}", member.id);
            if let Some(sent_at) = sent_at {
                expected += 1;
                let local = sent_at.to_zoned(member.time_zone.clone());
                assert_eq!(
                    (local.date(), local.time()),
                    (date, member.day_start),
                    "{}",
                    member.id
                );
            }
            date = date.tomorrow().unwrap();
        }
    }
    assert!(expected > 45_000, "only {expected} briefings");
}

/// The two hundred.
mod daybrief_year {
    use std::sync::Arc;

    use daybrief::model::{Away, Member, MemberId};
    use daybrief::schedule::holidays::holidays;
    use jiff::civil::{date, time};
    use jiff::tz::TimeZone;

    const PLACES: [(&str, &str); 12] = [
        ("Europe/Lisbon", "PT"),
        ("Europe/Berlin", "DE-BE"),
        ("Europe/London", "GB"),
        ("America/New_York", "US"),
        ("America/Los_Angeles", "US"),
        ("America/Sao_Paulo", "BR"),
        ("Asia/Kolkata", "IN"),
        ("Asia/Tokyo", "JP"),
        ("Australia/Sydney", "AU-NSW"),
        ("Australia/Lord_Howe", "AU-NSW"),
        ("Pacific/Auckland", "NZ-AUK"),
        ("Africa/Johannesburg", "ZA"),
    ];

    pub fn members() -> Vec<Member> {
        (0..200_u16)
            .map(|number| {
                let (zone, region) = PLACES[usize::from(number) % PLACES.len()];
                let leave = date(2026, 1 + (number % 12) as i8, 1 + (number % 20) as i8);
                Member {
                    id: MemberId::new(format!("m{number:03}")),
                    name: format!("M{number}"),
                    handles: Default::default(),
                    time_zone: TimeZone::get(zone).unwrap(),
                    day_start: time(6 + (number % 5) as i8, 15 * (number % 4) as i8, 0, 0),
                    day_end: time(17, 30, 0, 0),
                    workdays: if number % 10 == 0 {
                        [false, true, true, true, true, true, false]
                    } else {
                        [true, true, true, true, true, false, false]
                    },
                    holidays: Arc::new(holidays(region, 2025..=2027).unwrap()),
                    away: vec![Away {
                        from: leave,
                        to: leave.saturating_add(jiff::Span::new().days(i64::from(number % 15))),
                    }],
                    languages: Vec::new(),
                    capacity: None,
                    is_briefed: true,
                    is_suggested: true,
                    is_quoted: true,
                }
            })
            .collect()
    }
}

#[test]
fn the_name_beside_a_deadline_is_whose_deadline_it_is() {
    let mut world = World::new("2026-11-16T12:00:00Z");
    world.member("ana", "Europe/Lisbon", "");
    world.member("bo", "Europe/Lisbon", "day_end = \"12:00\"");
    world.member("chi", "Asia/Tokyo", "");
    let root = world.chat(
        "general",
        "2026-11-16T18:00:00Z",
        "chi",
        "<@UANA> could you send me the keys of the boat house?",
    );
    world.reply(
        &root,
        "2026-11-16T23:00:00Z",
        "bo",
        "<@UANA> which of the two boats is it?",
    );
    world.run_until("2026-11-17T12:00:00Z");
    let briefing = world.sent_to("ana").pop().unwrap();
    let item = &briefing.items[0];
    assert!(item.headline.contains("chi asks you"), "{}", item.headline);
    // Bo reads until noon and again the next day. Chi's day is over; an answer by the evening reaches it the next morning.
    let answer_by = item.answer_by.unwrap();
    assert_eq!(item.asker.as_deref(), Some("bo"));
    assert_eq!(answer_by.by, at("2026-11-17T12:00:00Z"));
    assert_eq!(answer_by.else_waits_until, at("2026-11-18T09:00:00Z"));
    world.check();
}
