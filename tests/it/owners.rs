//! Tickets without an owner in the daemon: recorded once a state, shown to the people concerned, judged by what happens.

use daybrief::model::suggestion::Ladder;
use daybrief::store::postings::{self, Kind, Posting};
use daybrief::store::progress;
use daybrief::store::suggestions::{self, Outcome, Recorded};
use daybrief::triage::report::Lately;
use serde_json::json;

use crate::world::{World, at};

/// A year of tickets in which `parser` is bo's and `ui` is cy's; ana reports and dee left.
fn past(world: &mut World) {
    let words = ["token", "scroll", "escape", "colour", "unicode", "margin"];
    for n in 0..300_i64 {
        let (component, owner) = match n % 2 {
            _ if n < 12 => ("parser", "dee"),
            0 => ("parser", "bo"),
            _ => ("ui", "cy"),
        };
        let word = words[(n % 6) as usize];
        let opened = at("2026-01-05T09:00:00Z").as_second() + n * 86_400;
        let time = |second: i64| jiff::Timestamp::from_second(second).unwrap().to_string();
        world.ticket(json!({
            "id": format!("T-{n}"), "type": "bug", "created_at": time(opened), "updated_at": time(opened + 40_000),
            "resolved_at": time(opened + 40_000), "title": format!("{word} is wrong in {component} case {n}"),
            "body": format!("The {word} breaks."), "reporter": "ana", "component": [component], "assignee": owner,
            "status": "closed", "resolution": "fixed",
        }));
    }
}

fn world(triage: &str) -> World {
    let mut world = World::new("2026-11-03T06:00:00Z");
    for name in ["ana", "bo", "cy", "dee"] {
        world.member(name, "UTC", "");
    }
    world.more(&format!(
        "[teams.core]\nmembers = [\"ana\", \"bo\"]\nareas = [\"tracker:component=parser\"]\nrotation = [\"ana\"]\n[triage]\n{triage}\n"
    ));
    past(&mut world);
    world
}

fn open(world: &mut World, id: &str, when: &str, component: &str) {
    world.ticket(json!({
        "id": id, "type": "bug", "created_at": when, "title": format!("unicode is wrong in {component} again"),
        "body": "The unicode breaks.", "reporter": "rita", "component": [component], "status": "open",
    }));
}

fn said(world: &World, ticket: &str) -> Option<Recorded> {
    let found = world
        .store()
        .read_now(|c| suggestions::latest(c, &"tracker".into(), ticket));
    found.unwrap()
}

#[test]
fn a_new_ticket_is_suggested_once_shown_to_those_concerned_and_judged_by_its_later_owner() {
    let mut world = world("mode = \"briefing\"");
    world.run_until("2026-11-03T12:00:00Z");
    open(&mut world, "T-900", "2026-11-03T18:10:00Z", "parser");
    world.run_until("2026-11-03T23:00:00Z");
    let first = said(&world, "T-900").unwrap();
    assert_eq!(first.mode, Ladder::Briefing);
    assert_eq!(first.candidates[0].member.as_str(), "bo");
    assert!(!first.is_abstained, "{first:?}");
    assert_eq!(first.duty.as_ref().unwrap().1.as_str(), "ana");
    let excluded: Vec<(&str, &str)> = first
        .excluded
        .iter()
        .map(|(member, why)| (member.as_str(), why.as_str()))
        .collect();
    assert_eq!(excluded, [("dee", "inactive")], "who left is not asked");

    world.run_until("2026-11-04T12:00:00Z");
    assert_eq!(said(&world, "T-900").unwrap().id, first.id, "once a state");
    for (member, is_told) in [("bo", true), ("ana", true), ("cy", false)] {
        let briefings = world.sent_to(member);
        let items = briefings.iter().flat_map(|briefing| &briefing.items);
        let lines: Vec<&str> = items
            .filter(|item| item.facts.contains("perhaps") || item.facts.contains("you"))
            .map(|item| item.facts.as_str())
            .collect();
        assert_eq!(lines.len(), usize::from(is_told), "{member}: {lines:?}");
        if is_told {
            let who = if member == "bo" {
                "perhaps you"
            } else {
                "perhaps bo"
            };
            assert!(lines[0].starts_with(&format!("T-900 {who} (")), "{lines:?}");
            assert!(lines[0].contains("owned"), "{lines:?}");
        }
    }

    world.change_ticket("T-900", "assignee", json!("bo"));
    world.run_until("2026-11-04T13:00:00Z");
    assert_eq!(said(&world, "T-900").unwrap().outcome, Some(Outcome::Right));
    let lately = world
        .store()
        .read_now(|c| Lately::upto(c, at("2026-11-05T00:00:00Z")))
        .unwrap();
    assert_eq!(
        lately.in_words().unwrap(),
        "last 30 days: 1 suggested, 1 right, 0 changed, 0 open; precision 1.00"
    );
    world.check();
}

#[test]
fn only_who_is_in_a_team_has_an_area_and_others_may_be_asked_all_the_same() {
    let mut world = world("mode = \"briefing\"");
    world.run_until("2026-11-03T12:00:00Z");
    open(&mut world, "T-900", "2026-11-03T18:10:00Z", "parser");
    open(&mut world, "T-901", "2026-11-03T18:20:00Z", "ui");
    world.run_until("2026-11-04T12:00:00Z");
    for (member, expected) in [
        ("bo", "new, without an owner in your area: "),
        ("cy", "new, without an owner that may be yours: "),
    ] {
        let briefings = world.sent_to(member);
        let mut items = briefings.iter().flat_map(|briefing| &briefing.items);
        assert!(
            items.any(|item| item.headline.starts_with(expected)),
            "{member}: {briefings:?}"
        );
    }
    world.check();
}

#[test]
fn a_shadow_is_recorded_and_seen_by_nobody_and_off_is_off() {
    let mut world = world(
        "mode = \"shadow\"\nmodes = { \"tracker:component=ui\" = \"off\" }\nplaceholders = [\"tracker:web\"]",
    );
    world.run_until("2026-11-03T12:00:00Z");
    open(&mut world, "T-900", "2026-11-03T18:10:00Z", "parser");
    open(&mut world, "T-901", "2026-11-03T18:20:00Z", "ui");
    open(&mut world, "T-902", "2026-11-03T19:10:00Z", "parser");
    world.change_ticket("T-902", "assignee", json!("web"));
    world.run_until("2026-11-04T12:00:00Z");
    assert_eq!(said(&world, "T-900").unwrap().mode, Ladder::Shadow);
    assert_eq!(said(&world, "T-901"), None);
    assert!(said(&world, "T-902").is_some(), "an inbox is no owner");
    let alike = |ticket: &str, other: &str| {
        let said = said(&world, ticket).unwrap();
        said.repeats
            .iter()
            .any(|(id, likeness)| id == other && *likeness > 0.8)
    };
    assert!(alike("T-902", "T-900"), "the newer repeats the older one");
    assert!(alike("T-900", "T-902"), "the older one was looked at again");
    let sent = world.sent();
    let items = sent.iter().flat_map(|(.., briefing)| &briefing.items);
    assert!(
        items
            .into_iter()
            .all(|item| !item.facts.contains("perhaps"))
    );
    world.change_ticket("T-900", "assignee", json!("cy"));
    world.run_until("2026-11-04T13:00:00Z");
    let outcome = said(&world, "T-900").unwrap().outcome;
    assert_eq!(outcome, Some(Outcome::Changed));
    world.check();
}

#[test]
fn an_ask_to_somebody_away_names_who_else_could_answer() {
    let mut world = World::new("2026-11-03T06:00:00Z");
    world.member("ana", "UTC", "");
    world.member(
        "bo",
        "UTC",
        "away = [{ from = \"2026-11-04\", to = \"2026-11-10\" }]",
    );
    // Cy's day begins 40 minutes after ana's.
    world.member("cy", "UTC", "day_start = \"09:40\"");
    past(&mut world);
    open(&mut world, "T-900", "2026-11-03T07:00:00Z", "ui");
    world.chat(
        "general",
        "2026-11-03T09:30:00Z",
        "ana",
        "<@UBO> could you tell me why the colour is wrong in ui cases, and the scroll breaks?",
    );
    world.run_until("2026-11-04T12:00:00Z");
    let briefings = world.sent_to("ana");
    let waiting: Vec<String> = briefings
        .iter()
        .flat_map(|briefing| &briefing.waiting)
        .map(|waiting| waiting.instead.clone())
        .collect();
    let last = waiting.last().unwrap_or_else(|| panic!("{briefings:#?}"));
    assert!(
        last.starts_with("away until 11 Nov; cy owned ")
            && last.ends_with(" like it and starts in 40 min"),
        "{waiting:?}"
    );
    world.check();
}

/// Writes what came of earlier suggestions in an area into the ledger.
fn judged(world: &World, name: &str, area: &str, outcomes: &[(Outcome, usize)]) {
    let said = Recorded {
        id: 0,
        connector: "tracker".into(),
        ticket: String::new(),
        state: "s".into(),
        mode: Ladder::Comment,
        made_at: at("2026-11-02T12:00:00Z"),
        area: Some((area.to_owned(), 1.0)),
        duty: None,
        threshold: 0.8,
        is_abstained: false,
        first_account: Some("bo".into()),
        candidates: Vec::new(),
        excluded: Default::default(),
        repeats: Vec::new(),
        outcome: None,
    };
    let outcomes = outcomes
        .iter()
        .flat_map(|(outcome, times)| vec![*outcome; *times]);
    let put = |c: &rusqlite::Connection| {
        for (n, outcome) in outcomes.enumerate() {
            let ticket = format!("{name}-{n}");
            let id = suggestions::put(
                c,
                &Recorded {
                    ticket,
                    ..said.clone()
                },
            )?
            .unwrap();
            suggestions::settle(c, id, outcome, Some("bo"), at("2026-11-02T18:00:00Z"))?;
        }
        Ok(())
    };
    world.store().write_now(put).unwrap();
}

fn given(world: &World, ticket: &str) -> Option<Posting> {
    let found = world
        .store()
        .read_now(|c| postings::posting(c, &"tracker".into(), ticket, Kind::Assign));
    found.unwrap()
}

#[test]
fn a_ticket_is_given_to_somebody_only_where_the_backtest_and_the_last_month_both_hold() {
    let mut world = world("mode = \"assign\"");
    world.run_until("2026-11-03T12:00:00Z");
    // The backtest of `parser` holds, and nothing was judged live.
    open(&mut world, "T-900", "2026-11-03T12:10:00Z", "parser");
    world.run_until("2026-11-03T13:00:00Z");
    assert_eq!(said(&world, "T-900").unwrap().mode, Ladder::Comment);
    assert_eq!(given(&world, "T-900"), None);
    // Nine right ones are too few, the tenth is enough.
    judged(&world, "R", "parser", &[(Outcome::Right, 9)]);
    open(&mut world, "T-901", "2026-11-03T13:10:00Z", "parser");
    world.run_until("2026-11-03T14:00:00Z");
    assert_eq!(said(&world, "T-901").unwrap().mode, Ladder::Comment);
    judged(&world, "S", "parser", &[(Outcome::Right, 3)]);
    // `docs` did as well live and has no past.
    judged(&world, "D", "docs", &[(Outcome::Right, 12)]);
    open(&mut world, "T-902", "2026-11-03T14:10:00Z", "parser");
    open(&mut world, "T-903", "2026-11-03T14:10:00Z", "docs");
    world.run_until("2026-11-03T15:00:00Z");
    assert_eq!(said(&world, "T-902").unwrap().mode, Ladder::Assign);
    assert_eq!(given(&world, "T-902").unwrap().body, "bo");
    assert_eq!(said(&world, "T-903").unwrap().mode, Ladder::Comment);
    assert_eq!(given(&world, "T-903"), None);

    // What one command takes back is not done again when the ticket says something else.
    let undo = |c: &rusqlite::Connection| {
        postings::undo(c, &"tracker".into(), "T-902", at("2026-11-03T15:00:00Z"))
    };
    assert!(!world.store().write_now(undo).unwrap().is_empty());
    world.change_ticket(
        "T-902",
        "title",
        json!("unicode is wrong in parser, and more"),
    );
    world.run_until("2026-11-03T16:00:00Z");
    assert_eq!(
        given(&world, "T-902").unwrap().state,
        postings::State::Undone
    );

    // A month that went wrong drops the area back to saying, and somebody is told.
    judged(&world, "W", "parser", &[(Outcome::Changed, 16)]);
    open(&mut world, "T-904", "2026-11-03T16:10:00Z", "parser");
    world.run_until("2026-11-03T17:00:00Z");
    assert_eq!(said(&world, "T-904").unwrap().mode, Ladder::Comment);
    assert_eq!(given(&world, "T-904"), None);
    let since = at("2026-11-03T00:00:00Z");
    let gaps = world
        .store()
        .read_now(|c| progress::gaps_since(c, since, 50));
    let alarms: Vec<String> = gaps
        .unwrap()
        .into_iter()
        .filter(|(_, gap)| gap.of == "triage")
        .map(|(_, gap)| gap.reason)
        .collect();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(alarms[0].contains("the target is 0.80"), "{alarms:?}");
}

#[test]
fn the_admins_first_briefing_of_a_week_says_how_the_suggestions_do() {
    let mut world = world("mode = \"shadow\"\nadmin = \"ana\"");
    world.run_until("2026-11-08T12:00:00Z");
    judged(
        &world,
        "R",
        "parser",
        &[(Outcome::Right, 4), (Outcome::Changed, 1)],
    );
    world.run_until("2026-11-11T23:00:00Z");
    for (member, weekly) in [("ana", 1), ("bo", 0)] {
        let briefings = world.sent_to(member);
        let told: Vec<(String, String)> = briefings
            .iter()
            .flat_map(|briefing| {
                briefing
                    .gaps
                    .iter()
                    .map(|gap| (briefing.date.to_string(), gap.reason.clone()))
            })
            .filter(|(_, reason)| reason.starts_with("last 30 days"))
            .collect();
        assert_eq!(told.len(), weekly, "{member}: {told:?}");
        if let Some((date, line)) = told.first() {
            assert_eq!(date, "2026-11-09", "a Monday");
            assert!(
                line.starts_with("last 30 days: 5 suggested, 4 right, 1 changed, 0 open"),
                "{line}"
            );
        }
    }
    world.check();
}
