//! The sample team's Monday against the answers written down beside it.

use std::collections::BTreeSet;
use std::path::Path;

use daybrief::brief::backtest::backtest;
use daybrief::brief::replay::replay;
use daybrief::brief::{Style, render};
use daybrief::config::Config;
use daybrief::http::Http;
use daybrief::ingest;
use daybrief::model::Briefing;
use daybrief::roster::Roster;
use daybrief::store::{Store, people};
use jiff::Timestamp;
use jiff::civil::date;
use serde_json::Value;

/// The sample team's whole past, as one first sync stores it.
fn loaded() -> (Store, Roster) {
    let config = Config::load(Path::new("tests/fixtures/team/daybrief.toml")).unwrap();
    let now: Timestamp = "2026-10-27T12:00:00Z".parse().unwrap();
    let store = Store::in_memory().unwrap();
    let roster = Roster::new(
        config.members(now).unwrap(),
        config.teams(now).unwrap(),
        Vec::new(),
        Vec::new(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let http = Http::new(Default::default(), Default::default());
    for (id, connector) in &config.connectors {
        let mut source = connector.open(id, &config.base, &http).unwrap();
        let synced = runtime
            .block_on(ingest::sync(
                &store,
                id,
                &mut source,
                &roster,
                || now,
                |_, _| {},
            ))
            .unwrap();
        assert_eq!(synced.skipped, [], "{id}");
    }
    let roster = store
        .read_now(|c| Ok(roster.renewed(people::people(c, None)?, people::spaces(c)?)))
        .unwrap();
    (store, roster)
}

fn monday() -> (Vec<Briefing>, Roster) {
    let (store, roster) = loaded();
    let mut made = Vec::new();
    let monday = date(2026, 10, 26);
    store
        .read_now(|c| {
            replay(
                c,
                &roster,
                monday,
                monday,
                &Style::default(),
                |_| true,
                |briefing| {
                    made.push(briefing.clone());
                    Ok(())
                },
            )
        })
        .unwrap();
    (made, roster)
}

fn expected() -> Value {
    serde_json::from_str(include_str!("../fixtures/team/expected.json")).unwrap()
}

/// Every id a briefing names: threads and citations of its lines, and what it folds.
fn named(briefing: &Briefing) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut lines = BTreeSet::new();
    for item in &briefing.items {
        lines.extend(item.threads.iter().map(|thread| thread.id.id.to_string()));
        lines.extend(
            item.citations
                .iter()
                .map(|citation| citation.event.id.to_string()),
        );
    }
    let folded = briefing
        .also
        .iter()
        .map(|thread| thread.id.id.to_string())
        .collect();
    (lines, folded)
}

#[test]
fn nobody_is_shown_what_they_may_not_read() {
    let (made, roster) = monday();
    let expected = expected();
    let mut checked = 0;
    for briefing in &made {
        let never = &expected["members"][briefing.member.as_str()]["never"];
        let member = roster.member(&briefing.member).unwrap();
        let forms = [
            render::to_json(briefing).to_string(),
            render::markdown(briefing, member, briefing.window.upto.0),
            render::terminal(
                briefing,
                member,
                briefing.window.upto.0,
                &render::Screen::default(),
            ),
        ];
        for id in never
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            checked += 1;
            assert!(
                forms.iter().all(|form| !form.contains(id)),
                "{} was shown {id}",
                briefing.member
            );
        }
        if never.as_array().is_some_and(|never| !never.is_empty()) {
            assert!(
                forms.iter().all(|form| !form.contains("hiring-sync")),
                "{} was shown hiring-sync",
                briefing.member
            );
        }
    }
    assert!(
        checked > 0,
        "expected.json names nothing that must stay private"
    );
}

#[test]
fn the_asks_that_wait_for_a_member_have_a_line() {
    let (made, _) = monday();
    let expected = expected();
    let (mut found, mut missing) = (0, Vec::new());
    for briefing in &made {
        let (lines, _) = named(briefing);
        for ask in expected["members"][briefing.member.as_str()]["needs_you"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let id = ask.as_str().or_else(|| ask["id"].as_str()).unwrap();
            if lines.contains(id) {
                found += 1
            } else {
                missing.push(format!("{}: {id}", briefing.member))
            }
        }
    }
    let share = found as f64 / (found + missing.len()) as f64;
    assert!(
        share >= 0.9,
        "{share:.2} of the open asks have a line; missing: {missing:#?}"
    );
}

#[test]
fn what_moved_on_a_members_own_is_in_a_line_or_named() {
    let (made, _) = monday();
    let expected = expected();
    let (mut found, mut missing) = (0, Vec::new());
    for briefing in &made {
        let (lines, folded) = named(briefing);
        for id in expected["members"][briefing.member.as_str()]["changed_on_yours"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let id = id.as_str().or_else(|| id["id"].as_str()).unwrap();
            if lines.contains(id) || folded.contains(id) {
                found += 1
            } else {
                missing.push(format!("{}: {id}", briefing.member))
            }
        }
    }
    let share = found as f64 / (found + missing.len()) as f64;
    assert!(
        share >= 0.85,
        "{share:.2} of what moved is named; missing: {missing:#?}"
    );
}

#[test]
fn a_decision_that_a_later_one_takes_back_is_told_to_nobody_as_decided() {
    let (briefings, _) = monday();
    let decided: BTreeSet<String> = briefings
        .iter()
        .flat_map(|briefing| &briefing.items)
        .filter(|item| item.kind == daybrief::model::ItemKind::Decision)
        .flat_map(|item| &item.citations)
        .map(|citation| citation.event.id.to_string())
        .collect();
    // Friday's planning settled on a Thursday; Sunday's message in #releases moved it and says so.
    assert!(
        !decided.iter().any(|id| id.contains("planning")),
        "{decided:?}"
    );
    assert!(!decided.is_empty());
}

#[test]
fn the_member_with_nothing_of_theirs_is_told_so() {
    let (made, _) = monday();
    let expected = expected();
    for briefing in &made {
        if expected["members"][briefing.member.as_str()]["quiet"] == true {
            assert!(
                briefing.headline.starts_with("Quiet night"),
                "{}: {}",
                briefing.member,
                briefing.headline
            );
        }
    }
}

#[test]
fn the_backtest_sets_the_lines_beside_three_trivial_orders_and_names_the_worst_misses_first() {
    let (store, roster) = loaded();
    let (from, to) = (date(2026, 10, 13), date(2026, 10, 25));
    let mut last = (0, 0);
    let report = store
        .read_now(|c| {
            backtest(c, &roster, from, to, &Style::default(), |done, all| {
                last = (done, all);
            })
        })
        .unwrap();
    assert_eq!(last, (report.mornings, report.mornings));
    let orders: Vec<&str> = report.orders.iter().map(|held| held.order).collect();
    assert_eq!(
        orders,
        [
            "daybrief",
            "daybrief, one thread a line",
            "latest first",
            "diversity (most voices first)",
            "mentions only"
        ]
    );
    let [ours, single, _, _, mentions] = &report.orders[..] else {
        panic!("{orders:?}")
    };
    assert!(report.acted >= 10, "{report:?}");
    for held in &report.orders {
        assert!(
            held.at_5 <= held.at_9 && held.at_9 <= report.acted,
            "{held:?}"
        );
    }
    assert!(
        single.at_9 <= ours.at_9 && mentions.at_9 < single.at_5,
        "{report:?}"
    );
    // Whatever was acted on was in a line or is a miss with its reason.
    let all: Vec<_> = report.misses.iter().map(|miss| miss.why).collect();
    assert!(all.is_sorted(), "{all:?}");
    assert!(report.misses.len() >= report.acted - ours.at_9 && !report.misses.is_empty());
    assert!(report.asks > report.asks_late);
}
