//! Tickets without an owner in the daemon: recorded once a state, shown to the people concerned, judged by what happens.

use daybrief::model::suggestion::Ladder;
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
