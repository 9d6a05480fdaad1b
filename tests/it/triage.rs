//! Owner suggestions, with the real binary on the sample team.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const TEAM: &str = "tests/fixtures/team/daybrief.toml";
const MONDAY: &str = "2026-10-26T08:00:00Z";

fn daybrief(data: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_daybrief"))
        .args(["--config", TEAM, "--data-dir"])
        .arg(data)
        .args(args)
        .env_remove("DAYBRIEF_CONFIG")
        .output()
        .unwrap()
}

fn synced() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let output = daybrief(dir.path(), &["sync"]);
    assert!(output.status.success());
    dir
}

fn suggestion(data: &Path, ticket: &str) -> Value {
    let output = daybrief(data, &["suggest", ticket, "--at", MONDAY, "--json"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_suggestion_names_members_with_reasons_and_says_why_the_others_are_left_out() {
    let dir = synced();
    let said = suggestion(dir.path(), "hut-238");
    assert_eq!(said["ticket"], "HUT-238");
    assert_eq!(said["is_calibrated"], false, "46 tickets prove nothing");
    assert_eq!(said["is_sure"], false);
    assert_eq!(said["rotation"]["team"], "field");
    let excluded = said["excluded"].as_object().unwrap();
    assert_eq!(excluded["wiremu"], "away", "{said}");
    let candidates = said["candidates"].as_array().unwrap();
    assert!(!candidates.is_empty());
    assert!(
        candidates.iter().all(|one| one["member"] != "wiremu"),
        "{said}"
    );
    let shares: Vec<f64> = candidates
        .iter()
        .map(|one| one["probability"].as_f64().unwrap())
        .collect();
    assert!(
        shares.iter().sum::<f64>() <= 1.0001 && shares.is_sorted_by(|a, b| a >= b),
        "{shares:?}"
    );
    assert!(
        !candidates[0]["evidence"].as_array().unwrap().is_empty(),
        "{said}"
    );
}

#[test]
fn the_owner_of_a_ticket_is_named_and_a_ticket_nobody_knows_is_an_error() {
    let dir = synced();
    let output = daybrief(dir.path(), &["suggest", "HUT-241", "--at", MONDAY]);
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("Marcus owns it already."), "{out}");
    let output = daybrief(dir.path(), &["suggest", "HUT-9999"]);
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("there is no ticket HUT-9999"), "{err}");
}

#[test]
fn a_backtest_on_files_beats_the_one_line_rules_and_writes_what_the_scorer_reads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    // Who owns what depends on both the component and the words, which no one-line rule sees.
    let owners = [
        ("ui", "scroll", "ana"),
        ("ui", "colour", "bo"),
        ("db", "scroll", "chi"),
        ("db", "colour", "dee"),
    ];
    let mut lines = String::new();
    for n in 0..800_i64 {
        let (component, word, owner) = owners[(n.wrapping_mul(7_919) % 97 % 4) as usize];
        let created = jiff::Timestamp::from_second(1_700_000_000 + n * 30_000).unwrap();
        let known = jiff::Timestamp::from_second(1_700_000_000 + n * 30_000 + 86_400).unwrap();
        let row = serde_json::json!({
            "id": format!("T-{n}"), "project": "T", "type": "bug", "created_at": created.to_string(), "reporter": format!("user{}", n % 40),
            "title": format!("{word} breaks in case {n}"), "body": "", "component": [component], "assignee": owner,
            "assignee_known_at": known.to_string(), "resolution": "fixed", "status": "closed",
        });
        lines.push_str(&format!("{row}\n"));
    }
    lines.push_str("{broken\n");
    std::fs::write(&file, lines).unwrap();
    let (out, plot) = (dir.path().join("p.jsonl"), dir.path().join("p.svg"));
    let output = Command::new(env!("CARGO_BIN_EXE_daybrief"))
        .args(["backtest", "owners", "--json", "--history"])
        .arg(&file)
        .arg("--out")
        .arg(&out)
        .arg("--plot")
        .arg(&plot)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert!(
        err.contains("history.jsonl:801"),
        "a broken line is named: {err}"
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let slices = report["slices"].as_array().unwrap();
    let all = slices.iter().find(|slice| slice["slice"] == "all").unwrap();
    assert_eq!(all["tickets"], 400);
    let top1 = all["daybrief"]["top1"].as_f64().unwrap();
    assert!(top1 > 0.9, "{report}");
    for (rule, hits) in all["rules"].as_object().unwrap() {
        assert!(hits["top1"].as_f64().unwrap() < 0.75, "{rule}: {hits}");
    }
    let predictions = std::fs::read_to_string(out).unwrap();
    let first: Value = serde_json::from_str(predictions.lines().next().unwrap()).unwrap();
    assert_eq!(predictions.lines().count(), 400);
    assert!(first["suggestions"][0]["assignee"].is_string() && first["abstain"].is_boolean());
    assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg"));
}

#[test]
fn who_declines_is_left_out_and_whom_a_human_asks_for_is_named_although_away() {
    let dir = synced();
    let first = suggestion(dir.path(), "HUT-238")["candidates"][0]["member"]
        .as_str()
        .unwrap()
        .to_owned();
    let decline = ["feedback", &first, "not-me", "HUT-238"];
    for expected in ["is not suggested for HUT-238 again", "said that before"] {
        let output = daybrief(dir.path(), &decline);
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(err.contains(expected), "{err}");
    }
    let said = suggestion(dir.path(), "HUT-238");
    assert_eq!(said["excluded"][&first], "declined", "{said}");
    let output = daybrief(
        dir.path(),
        &[
            "suggest", "HUT-238", "--at", MONDAY, "--json", "--for", "wiremu",
        ],
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let candidates = said["candidates"].as_array().unwrap();
    let wanted = candidates.iter().find(|one| one["member"] == "wiremu");
    assert_eq!(wanted.unwrap()["although"], "away", "{said}");
    assert!(said["excluded"]["wiremu"].is_null());
}

#[test]
fn nothing_is_posted_where_the_config_does_not_say_so() {
    let dir = synced();
    let output = daybrief(dir.path(), &["suggest", "HUT-238", "--post"]);
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("does not let daybrief write to tracker"),
        "{err}"
    );
    let output = daybrief(dir.path(), &["suggest", "HUT-238", "--undo"]);
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(out, "daybrief wrote nothing there.\n");
}
