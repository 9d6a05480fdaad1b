//! `daybrief ask` with the real binary: quotes with their links, nothing the asker may not read, and no answer where there is none.

use std::process::Command;

use serde_json::Value;

const TEAM: &str = "tests/fixtures/team/daybrief.toml";

struct Team(tempfile::TempDir);

impl Team {
    fn synced() -> Team {
        let team = Team(tempfile::tempdir().unwrap());
        team.run(&["sync"]);
        team
    }

    fn run(&self, args: &[&str]) -> String {
        let data = self.0.path().to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_daybrief"))
            .args([&["--config", TEAM, "--data-dir", data], args].concat())
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
