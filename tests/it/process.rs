//! The real binary as a process: it stops when it is told to, and goes on after it was killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use daybrief::model::MemberId;
use daybrief::store::Store;
use daybrief::store::deliveries::{self, State};

/// Six people whose work day is all day, every day, so that all are due whenever the test runs.
const MEMBERS: usize = 6;

fn lay_out(dir: &Path) {
    let mut config = String::from(
        "[delivery]\nsink = \"files\"\n[sinks.files]\ntype = \"file\"\npath = \"out\"\n\
         [connectors.tracker]\ntype = \"tickets\"\npath = \"tickets.jsonl\"\n",
    );
    for number in 0..MEMBERS {
        config.push_str(&format!(
            "[members.m{number}]\nday_start = \"00:00\"\nday_end = \"23:59\"\n\
             workdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n"
        ));
    }
    std::fs::write(dir.join("daybrief.toml"), config).unwrap();
    let row = "{\"id\":\"T-1\",\"created_at\":\"2026-10-20T08:00:00Z\",\"title\":\"t\",\"body\":\"b\",\"status\":\"open\"}\n";
    std::fs::write(dir.join("tickets.jsonl"), row).unwrap();
}

fn run(dir: &Path, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_daybrief"))
        .args(["--config", "daybrief.toml", "run"])
        .args(more)
        .current_dir(dir)
        .env_remove("DAYBRIEF_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn briefings(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir.join("out")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".md")).collect()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{what} never came"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Returns the states of all deliveries.
fn states(dir: &Path) -> Vec<State> {
    let store = Store::open_read_only(&dir.join(".daybrief")).unwrap();
    let all = store.read_now(|c| deliveries::latest(c, None::<&MemberId>, 1000));
    all.unwrap().iter().map(|delivery| delivery.state).collect()
}

#[test]
fn the_daemon_briefs_who_is_due_and_stops_when_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    lay_out(dir.path());
    let daemon = run(dir.path(), &[]);
    wait_until("the briefings", || briefings(dir.path()).len() >= MEMBERS);

    let second = run(dir.path(), &["--once"]).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("another daybrief"), "{said}");

    signal(&daemon, "-TERM");
    let output = daemon.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("Started: 6 members") && said.contains("Stopped"),
        "{said}"
    );
    assert_eq!(briefings(dir.path()).len(), MEMBERS);
}

#[test]
fn after_kill_9_the_next_start_goes_on_and_each_briefing_is_one_file() {
    let dir = tempfile::tempdir().unwrap();
    lay_out(dir.path());
    // Killed as soon as one, two, three … files are there.
    for count in 1..MEMBERS {
        let mut daemon = run(dir.path(), &[]);
        wait_until("a briefing", || briefings(dir.path()).len() >= count);
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }
    let last = run(dir.path(), &["--once"]).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&last.stderr);
    assert_eq!(last.status.code(), Some(0), "{said}");
    // Another day may begin while the test runs.
    let (files, states) = (briefings(dir.path()).len(), states(dir.path()));
    assert_eq!(files, states.len());
    assert!(files.is_multiple_of(MEMBERS), "{files}");
    assert!(
        states.iter().all(|state| *state == State::Sent),
        "{states:?}"
    );
}
