//! `daybrief ask` with the real binary: quotes with their links, nothing the asker may not read, and no answer where there is none.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;

use daybrief::llm::fake::Mind;
use serde_json::{Value, json};

const TEAM: &str = "tests/fixtures/team/daybrief.toml";

struct Team(tempfile::TempDir);

impl Team {
    fn synced() -> Team {
        let team = Team(tempfile::tempdir().unwrap());
        team.run(&["sync"]);
        team
    }

    fn run(&self, args: &[&str]) -> String {
        self.run_with(TEAM, args)
    }

    fn run_with(&self, config: &str, args: &[&str]) -> String {
        let data = self.0.path().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_daybrief"))
            .args([&["--config", config, "--data-dir", data], args].concat())
            .env_remove("DAYBRIEF_CONFIG")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn ask(&self, question: &str, asker: Option<&str>) -> Value {
        let asker: Vec<&str> = asker
            .into_iter()
            .flat_map(|asker| ["--as", asker])
            .collect();
        let args = [&["--json", "ask", question][..], &asker].concat();
        serde_json::from_str(&self.run(&args)).unwrap()
    }
}

#[test]
fn a_question_is_answered_with_quotes_of_what_the_asker_may_read() {
    let team = Team::synced();
    let answer = team.ask("How is the antenna reseated?", None);
    let quotes = answer["quotes"].as_array().unwrap();
    assert!(
        answer["is_found"] == true && (1..=3).contains(&quotes.len()),
        "{answer}"
    );
    assert!(
        quotes[0]["quote"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .contains("antenna"),
        "{answer}"
    );
    let url = quotes[0]["url"].as_str().unwrap();
    assert!(url.starts_with("https://"), "{answer}");

    let text = team.run(&["ask", "How is the antenna reseated?"]);
    assert!(text.starts_with(" 1 ") && text.contains('“'), "{text}");
}

#[test]
fn what_is_not_in_the_sources_is_not_answered() {
    let team = Team::synced();
    for question in [
        "What is the capital of Mongolia?",
        "How do we bake sourdough bread?",
    ] {
        let answer = team.ask(question, None);
        assert_eq!(answer["is_found"], false, "{answer}");
        assert_eq!(team.run(&["ask", question]), "Not found in your sources.\n");
    }
}

#[test]
fn a_private_place_answers_its_members_only() {
    let team = Team::synced();
    let from_private = |answer: &Value| {
        let quotes = answer["quotes"].as_array().unwrap();
        quotes
            .iter()
            .any(|quote| quote["place"].as_str().unwrap().contains("hiring-sync"))
    };
    let questions = [
        "Which candidate gets the offer?",
        "What about the salary of the candidate in the interview?",
    ];
    assert!(
        questions
            .iter()
            .any(|question| from_private(&team.ask(question, Some("rosa")))),
        "a member finds it"
    );
    for question in questions {
        assert!(!from_private(&team.ask(question, Some("tess"))));
        assert!(!from_private(&team.ask(question, None)));
    }
}

/// Starts an OpenAI-compatible server of this machine with a mind behind it; returns its address.
fn model(mind: Mind) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let words = mind.words_for(&serde_json::from_slice(&body).unwrap());
            let answer = json!({
                "id": "1", "object": "chat.completion", "created": 1, "model": "rehearsal",
                "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
                "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": words } }],
            })
            .to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            stream
                .write_all(format!("{head}{answer}").as_bytes())
                .unwrap();
        }
    });
    format!("http://{address}/v1")
}

#[test]
fn with_a_model_checked_words_stand_before_the_same_quotes() {
    const QUESTION: &str = "How is the antenna reseated?";
    let team = Team::synced();
    let without = team.ask(QUESTION, None);
    assert_eq!(
        (&without["written_by"], &without["words"]),
        (&json!("extractive"), &json!([]))
    );
    let own = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-r", "tests/fixtures/team"])
        .arg(own.path())
        .status()
        .unwrap();
    assert!(copied.success());
    let config = own.path().join("team/daybrief.toml");
    let plain = std::fs::read_to_string(&config).unwrap();
    let ask = |base_url: &str| -> Value {
        let table = format!("\n[llm]\nbase_url = \"{base_url}\"\nmodel = \"rehearsal\"\n");
        std::fs::write(&config, format!("{plain}{table}")).unwrap();
        let args = ["--json", "ask", QUESTION];
        serde_json::from_str(&team.run_with(config.to_str().unwrap(), &args)).unwrap()
    };
    let with = ask(&model(Mind::Faithful));
    assert_eq!(with["quotes"], without["quotes"]);
    let words = with["words"].as_array().unwrap();
    assert!(
        with["written_by"] == "rehearsal" && !words.is_empty(),
        "{with}"
    );
    for sentence in words {
        let cited = sentence["quotes"].as_array().unwrap();
        assert!(
            !cited.is_empty() && !sentence["passed"].as_array().unwrap().is_empty(),
            "{with}"
        );
    }
    for mind in [
        Mind::Liar,
        Mind::Obedient,
        Mind::Cunning,
        Mind::Foreign,
        Mind::Parrot,
        Mind::Silent,
    ] {
        let with = ask(&model(mind));
        assert_eq!(with["quotes"], without["quotes"], "{mind:?}");
        let said = with["words"].to_string();
        for bad in [
            "instructions",
            "evil",
            "4711",
            "9.9.9",
            "Quux",
            "mark-",
            "http",
            "@",
        ] {
            assert!(!said.contains(bad), "{mind:?}: {bad} in {said}");
        }
    }
    let dead = ask("http://127.0.0.1:9/v1");
    assert_eq!(dead, without, "a server that is not there changes nothing");
}
