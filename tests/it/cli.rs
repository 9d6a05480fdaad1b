//! The binary as a user meets it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const TEAM: &str = "tests/fixtures/team/daybrief.toml";

fn daybrief(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_daybrief"))
        .args(args)
        .env_remove("DAYBRIEF_CONFIG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_demo_prints_everybodys_morning_in_order_and_no_escapes() {
    let output = daybrief(&["demo"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    assert!(!out.contains('\u{1b}'));
    let order: Vec<usize> = [
        "· Tess",
        "· Anjali",
        "· Jonas",
        "· Inês",
        "· Marcus",
        "· Rosa",
    ]
    .iter()
    .map(|name| out.find(name).expect(name))
    .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(out.contains("Wiremu Paki is away today"));
    assert!(out.lines().all(|line| line.chars().count() <= 200));
}

#[test]
fn usage_errors_exit_with_2_and_a_missing_configuration_with_1_and_the_next_step() {
    assert_eq!(daybrief(&["brieff"]).status.code(), Some(2));
    let output = daybrief(&["--config", "/nonexistent/daybrief.toml", "sync"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("daybrief init"));
}

#[test]
fn a_second_sync_stores_nothing_twice_and_search_respects_the_asker() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let run = |args: &[&str]| daybrief(&[&["--config", TEAM, "--data-dir", data], args].concat());
    let first = run(&["sync"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(text(&first.stdout).contains("new events"));
    let second = text(&run(&["sync"]).stdout);
    assert_eq!(second.matches("nothing new").count(), 4, "{second}");

    let hits = |asker: &str| {
        text(
            &run(&[
                "search",
                "--as",
                asker,
                "in:#hiring-sync",
                "salary",
                "offer",
                "candidate",
                "--json",
            ])
            .stdout,
        )
    };
    assert!(hits("ines").contains("hiring-sync"));
    assert!(!hits("tess").contains("hiring-sync"));
    let replay = |member: &str| {
        text(
            &run(&[
                "replay",
                "--from",
                "2026-10-26",
                "--to",
                "2026-10-26",
                "--member",
                member,
            ])
            .stdout,
        )
    };
    assert_eq!(replay("tess"), replay("tess"));
    assert_eq!(replay("tess").lines().count(), 1);
}

#[test]
fn search_finds_what_is_like_a_ticket_and_prefers_the_recent_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("daybrief.toml");
    std::fs::write(
        &config,
        "[connectors.tracker]\ntype = \"tickets\"\npath = \"t.jsonl\"\n[members.ana]\nhandles = { tracker = \"ana\" }\n",
    )
    .unwrap();
    let ticket = |id: &str, day: &str, title: &str, body: &str| {
        format!(
            "{{\"id\":\"{id}\",\"created_at\":\"{day}T10:00:00Z\",\"title\":\"{title}\",\"body\":\"{body}\",\"reporter\":\"ana\"}}\n"
        )
    };
    let tickets = [
        ticket(
            "A-1",
            "2026-11-20",
            "Login fails after an hour",
            "The refresh token expires and nobody renews it",
        ),
        ticket(
            "A-2",
            "2026-11-21",
            "Sessions end too early",
            "Login asks again because the token expires",
        ),
        ticket(
            "A-3",
            "2026-11-21",
            "The printer jams",
            "Paper sticks in the second tray",
        ),
        ticket(
            "A-4",
            "2026-01-10",
            "Backup drill",
            "We restored the backup in the drill",
        ),
        ticket(
            "A-5",
            "2026-11-22",
            "Backup drill",
            "We restored the backup in the drill",
        ),
    ];
    std::fs::write(dir.path().join("t.jsonl"), tickets.concat()).unwrap();
    let run = |args: &[&str]| daybrief(&[&["--config", config.to_str().unwrap()], args].concat());
    assert!(run(&["sync"]).status.success());
    let found = |args: &[&str]| -> Vec<String> {
        let output = run(&[&["search", "--json", "--as", "ana"], args].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
            .lines()
            .map(|line| {
                let at = line.find("A-").expect("a hit names its ticket");
                line[at..at + 3].to_string()
            })
            .collect()
    };
    let like = found(&["--like", "A-1"]);
    assert_eq!(like.first().map(String::as_str), Some("A-2"), "{like:?}");
    assert!(!like.contains(&"A-1".to_string()), "{like:?}");
    assert_eq!(found(&["backup", "drill"])[..2], ["A-4", "A-5"]);
    assert_eq!(found(&["backup", "drill", "--recent"])[..2], ["A-5", "A-4"]);
    let unknown = run(&["search", "--like", "A-9"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("there is no ticket A-9 that you may read"));
}

/// Answers `/embeddings` like an endpoint does: one vector for what "works", another for the rest.
fn embeddings(listener: &TcpListener) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        while stream.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let asked: serde_json::Value = serde_json::from_slice(&body)?;
        let vector = |text: &str| match text.contains("works") {
            true => [0.0, 1.0],
            false => [1.0, 0.0],
        };
        let texts = asked["input"].as_array().unwrap().iter().enumerate();
        let data: Vec<_> = texts
            .map(|(at, text)| {
                let vector = vector(text.as_str().unwrap());
                serde_json::json!({"object": "embedding", "index": at, "embedding": vector})
            })
            .collect();
        let usage = serde_json::json!({"prompt_tokens": 1, "total_tokens": 1});
        let answer =
            serde_json::json!({"object": "list", "model": "m", "data": data, "usage": usage});
        let answer = answer.to_string();
        write!(
            stream.get_mut(),
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        )?;
    }
}

#[test]
fn a_model_behind_an_endpoint_is_measured_without_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "corpus.jsonl",
        "{\"id\":\"d1\",\"text\":\"The login fails.\"}\n{\"id\":\"d2\",\"text\":\"The login works.\"}\n",
    );
    write("queries.jsonl", "{\"id\":\"q1\",\"text\":\"login\"}\n");
    write("qrels.tsv", "query\tdocument\tgrade\nq1\td1\t1\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || embeddings(&listener));
    let measured = |more: &[&str]| {
        let folder = dir.path().to_str().unwrap();
        let output = daybrief(&[&["--json", "eval", "search", folder], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        line["mrr_10"].as_f64().unwrap()
    };
    assert_eq!(measured(&[]), 0.5);
    assert_eq!(measured(&["--embeddings", &url, "--model", "m"]), 1.0);
}

#[test]
fn broken_items_are_named_and_the_rest_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("daybrief.toml"),
        "[connectors.tracker]\ntype = \"tickets\"\npath = \"t.jsonl\"\n[members.ana]\nhandles = { tracker = \"ana\" }\n",
    )
    .unwrap();
    let good = r#"{"id":"A-1","created_at":"2026-11-20T10:00:00Z","title":"t","body":"b","reporter":"ana"}"#;
    std::fs::write(
        dir.path().join("t.jsonl"),
        format!(
            "{good}\n{{\"id\": \"A-2\", broken\n{}\n",
            good.replace("A-1", "A-3")
        ),
    )
    .unwrap();
    let config = dir.path().join("daybrief.toml");
    let run = |args: &[&str]| daybrief(&[&["--config", config.to_str().unwrap()], args].concat());
    let output = run(&["sync"]);
    assert!(output.status.success());
    assert!(
        text(&output.stdout).contains("2 new events in 2 threads, 1 item skipped or mended"),
        "{}",
        text(&output.stdout)
    );
    assert!(
        text(&output.stderr).contains("t.jsonl:2"),
        "{}",
        text(&output.stderr)
    );
    assert!(text(&run(&["status"]).stdout).contains("1 item skipped or mended"));
    // What is mended is no longer told.
    let mended = [
        good,
        &good.replace("A-1", "A-2"),
        &good.replace("A-1", "A-3"),
    ]
    .join("\n");
    std::fs::write(dir.path().join("t.jsonl"), mended).unwrap();
    assert!(run(&["sync"]).status.success());
    let stands = text(&run(&["status"]).stdout);
    assert!(
        stands.contains("3 events in 3 threads") && !stands.contains("skipped"),
        "{stands}"
    );
}

#[test]
fn the_daemon_stops_on_sigterm_and_writes_one_file_a_briefing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.jsonl"), "").unwrap();
    // Around the clock, every day: somebody's day has always started.
    let all_day = "day_start = \"00:00\"\nday_end = \"23:59\"\nworkdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n";
    let config = format!(
        "[connectors.tracker]\ntype = \"tickets\"\npath = \"t.jsonl\"\n[sinks.files]\ntype = \"file\"\npath = \"out\"\n[delivery]\nsink = \"files\"\n[members.ana]\n{all_day}"
    );
    std::fs::write(dir.path().join("daybrief.toml"), config).unwrap();
    let path = dir.path().join("daybrief.toml");
    for signal in ["-KILL", "-TERM"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_daybrief"))
            .args(["--config", path.to_str().unwrap(), "run"])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&dir.path().join("out"));
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let status = child.wait().unwrap();
        assert_eq!(status.success(), signal == "-TERM");
    }
    let files: Vec<_> = std::fs::read_dir(dir.path().join("out")).unwrap().collect();
    assert!(
        (1..=2).contains(&files.len()),
        "one briefing a day, two if midnight passed: {files:?}"
    );
}

fn wait_for(path: &Path) {
    for _ in 0..200 {
        if path.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{} never came", path.display());
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let demo = text(&daybrief(&["demo"]).stdout);
    let blocks: Vec<&str> = readme.split("```text\n").skip(1).collect();
    assert_eq!(blocks.len(), 2, "a briefing and a suggestion");
    for block in blocks {
        let (shown, _) = block.split_once("```").unwrap();
        assert!(
            demo.contains(shown),
            "the README shows\n{shown}\nand the demo prints\n{demo}"
        );
    }
}

#[test]
fn a_briefing_that_did_not_go_out_is_tried_now_when_somebody_sends_it_and_its_gap_goes() {
    let dir = tempfile::tempdir().unwrap();
    let ticket = r#"{"id":"A-1","created_at":"2026-11-20T10:00:00Z","title":"t","body":"b","reporter":"bo","assignee":"ana"}"#;
    std::fs::write(dir.path().join("t.jsonl"), ticket).unwrap();
    let all_day = "day_start = \"00:00\"\nday_end = \"23:59\"\nworkdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]\n";
    let config = format!(
        "[connectors.tracker]\ntype = \"tickets\"\npath = \"t.jsonl\"\n[sinks.files]\ntype = \"file\"\npath = \"out\"\n[delivery]\nsink = \"files\"\nquiet_line = true\n[members.ana]\n{all_day}"
    );
    std::fs::write(dir.path().join("daybrief.toml"), config).unwrap();
    // Where the folder of the sink should be there is a file.
    std::fs::write(dir.path().join("out"), "").unwrap();
    let path = dir.path().join("daybrief.toml");
    let run = |args: &[&str]| daybrief(&[&["--config", path.to_str().unwrap()], args].concat());

    let output = run(&["run", "--once"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the briefing of ana for ") && said.contains("it is not tried again before"),
        "{said}"
    );
    let output = run(&["--json", "run", "--once"]);
    assert_eq!(output.status.code(), Some(1));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(line["unfinished"][0]["next_try_at"].is_string(), "{line}");
    assert!(text(&run(&["status"]).stdout).contains("gap "));

    let output = run(&["brief", "ana", "--send"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("tries again at"), "{said}");

    std::fs::remove_file(dir.path().join("out")).unwrap();
    let output = run(&["brief", "ana", "--send"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        std::fs::read_dir(dir.path().join("out")).unwrap().count(),
        1
    );
    let stands = text(&run(&["status"]).stdout);
    assert!(!stands.contains("gap "), "{stands}");
    // Once it is out it is not sent again.
    assert!(text(&run(&["brief", "ana", "--send"]).stderr).contains("was sent before"));
    assert!(run(&["run", "--once"]).status.success());
}

#[test]
fn a_script_for_a_shell_ends_quietly_where_nobody_reads_it() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_daybrief"))
        .args(["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(
        daybrief(&["search", "x", "--limit", "0"]).status.code(),
        Some(2)
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let dir = tempfile::tempdir().unwrap();
    let ticket = r#"{"id":"A-1","created_at":"2026-11-20T10:00:00Z","title":"The printer jams \u0007\u202e","body":"It jams.","reporter":"bo"}"#;
    std::fs::write(dir.path().join("t.jsonl"), ticket).unwrap();
    std::fs::write(
        dir.path().join("daybrief.toml"),
        "[connectors.tracker]\ntype = \"tickets\"\npath = \"t.jsonl\"\n[members.ana]\nhandles = { tracker = \"ana\" }\n[members.bo]\nhandles = { tracker = \"bo\" }\n",
    )
    .unwrap();
    let path = dir.path().join("daybrief.toml");
    let run = |args: &[&str]| daybrief(&[&["--config", path.to_str().unwrap()], args].concat());
    assert!(run(&["sync"]).status.success());
    for args in [
        &["brief", "cy"][..],
        &["search", "printer", "--as", "cy"],
        &["ask", "who?", "--as", "cy"],
        &["suggest", "A-1", "--as", "cy"],
        &["explain", "1", "--member", "cy"],
        &["feedback", "cy"],
        &[
            "replay",
            "--from",
            "2026-11-20",
            "--to",
            "2026-11-21",
            "--member",
            "cy",
        ],
    ] {
        let output = run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(
            said.contains("there is no member \"cy\"; known: ana, bo"),
            "{args:?}: {said}"
        );
    }
    let said = |args: &[&str]| text(&run(args).stderr).to_string();
    assert!(
        said(&["search", "kind:foo", "printer"])
            .contains("nothing that may be read here is kind:foo; kinds are")
    );
    assert!(said(&["search", "in:nowhere", "printer"]).contains("is in:nowhere"));
    assert!(!said(&["search", "from:bo", "printer"]).contains("nothing that may be read"));

    // A time is read in the same way everywhere.
    let output = run(&["--json", "suggest", "A-1", "--at", "2026-11-24T10:00"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["title"], "The printer jams");
    assert!(said(&["suggest", "A-1", "--at", "noon"]).contains("write 2026-11-23T09:00"));
    let late = [
        "brief",
        "ana",
        "--at",
        "2026-11-23T09:00",
        "--since",
        "2026-11-24T09:00",
    ];
    assert!(said(&late).contains("comes after the end of the briefing"));
    // Nothing is known of the past: no number, and no rotation that there is not.
    let output = run(&["suggest", "A-1"]);
    let shown = text(&output.stdout);
    assert!(
        !shown.contains('%') && !shown.contains("rotation"),
        "{shown}"
    );
    let output = run(&["backtest", "owners"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("too few tickets"),
        "{}",
        text(&output.stderr)
    );
    assert!(said(&["feedback", "ana", "done", "1"]).contains("daybrief brief ana --send"));

    // A store that is none is named, with what to do.
    let data = dir.path().join(".daybrief");
    for name in ["daybrief.db-wal", "daybrief.db-shm"] {
        let _ = std::fs::remove_file(data.join(name));
    }
    std::fs::write(data.join("daybrief.db"), "no database at all".repeat(99)).unwrap();
    for args in [&["sync"][..], &["status"]] {
        let said = said(args);
        assert!(
            said.contains("daybrief.db is damaged")
                && said.contains("reads what the sources still hold"),
            "{args:?}: {said}"
        );
    }
}
