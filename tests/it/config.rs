//! The configuration file: the example is true, and errors name the place.

use std::path::Path;

use daybrief::config::Config;

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn error_of(text: &str) -> String {
    match load(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => format!("{error:#}"),
    }
}

fn load(text: &str) -> anyhow::Result<Config> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daybrief.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path)
}

#[test]
fn the_example_loads_and_its_defaults_are_the_defaults() {
    let config = Config::load(Path::new("config.example.toml")).unwrap();
    let bare = load("").unwrap();
    assert_eq!(
        format!("{:?}", config.delivery),
        format!("{:?}", bare.delivery)
    );
    assert_eq!(config.connectors.len(), 9);
    let member = load("[members.ana]\nholidays = \"PT\"").unwrap();
    let (example, default) = (&config.members["ana"], &member.members["ana"]);
    assert_eq!(
        (
            &example.time_zone,
            &example.day_start,
            &example.day_end,
            &example.workdays,
            example.brief
        ),
        (
            &default.time_zone,
            &default.day_start,
            &default.day_end,
            &default.workdays,
            default.brief
        )
    );
    config
        .members("2026-11-23T00:00:00Z".parse().unwrap())
        .unwrap();
    config
        .teams("2026-11-23T00:00:00Z".parse().unwrap())
        .unwrap();
}

/// An unknown key makes serde list the keys it knows, so this cannot drift.
#[test]
fn every_key_stands_in_the_example() {
    let mut checked = 0;
    for table in [
        "[delivery]",
        "[members.x]",
        "[teams.x]",
        "[search]",
        "[qdrant]",
        "[llm]",
        "[connectors.x]\ntype = \"slack-export\"",
        "[connectors.x]\ntype = \"slack\"",
        "[connectors.x]\ntype = \"github\"",
        "[connectors.x]\ntype = \"imap\"",
        "[connectors.x]\ntype = \"imap\"\n[connectors.x.oauth]",
        "[sinks.x]\ntype = \"smtp\"",
        "[connectors.x]\ntype = \"jira\"",
        "[connectors.x]\ntype = \"mbox\"",
        "[connectors.x]\ntype = \"maildir\"",
        "[connectors.x]\ntype = \"tickets\"",
        "[connectors.x]\ntype = \"transcripts\"",
    ] {
        let error = error_of(&format!("{table}\nno_such_key = 1"));
        let expected = error
            .split("expected")
            .nth(1)
            .unwrap_or_else(|| panic!("no list of keys in {error:?}"));
        for key in expected.split('`').skip(1).step_by(2) {
            let written = EXAMPLE.lines().any(|line| {
                let line = line.trim_start_matches(['#', ' ']);
                line.starts_with(&format!("{key} =")) || line.ends_with(&format!(".{key}]"))
            });
            assert!(written, "config.example.toml lacks {key} of {table}");
            checked += 1;
        }
    }
    assert!(checked >= 40, "only {checked} keys were checked");
}

#[test]
fn errors_name_the_file_the_line_and_what_was_expected() {
    for (text, expected) in [
        (
            "\n[delivery]\nsinc = \"x\"",
            vec!["daybrief.toml:3", "unknown field `sinc`", "sync_minutes"],
        ),
        (
            "[connectors.chat]\ntype = \"slack-export\"\npth = \"x\"",
            vec!["daybrief.toml:3", "connectors.chat", "path"],
        ),
        (
            "[connectors.chat]\ntype = \"slak\"",
            vec!["connectors.chat", "slack-export"],
        ),
        (
            "[members.ana]\nhandles = { chat = \"U1\" }",
            vec!["daybrief.toml:2", "no table"],
        ),
        (
            "[delivery]\nsink = \"slack\"",
            vec!["daybrief.toml:2", "no [sinks.slack]", "console"],
        ),
        ("[members.Ana]", vec!["daybrief.toml:1", "a-z"]),
        (
            "[search]\nme = \"bo\"",
            vec!["daybrief.toml:2", "no member \"bo\""],
        ),
        (
            "[teams.t]\nmembers = [\"bo\"]",
            vec!["daybrief.toml:2", "no member \"bo\""],
        ),
        ("a = = 1", vec!["daybrief.toml:1"]),
        (
            "[retention.connectors]\nchatt = 30",
            vec!["daybrief.toml:2", "no [connectors.chatt]"],
        ),
        (
            "[members.ana]\n[teams.t]\nrotation = [\"ana\", \"bo\"]",
            vec!["daybrief.toml:3", "rotation", "no member \"bo\""],
        ),
        (
            "[teams.t]\nareas = [\"chat:#eng\"]",
            vec!["daybrief.toml:2", "no [connectors.chat]"],
        ),
        (
            "data_dir = \"~/day\"",
            vec!["daybrief.toml", "~/day", "does not begin with ~"],
        ),
        (
            "[delivery]\nmax_words = -1",
            vec!["daybrief.toml:2", "a whole number"],
        ),
        (
            "[delivery]\nsync_minutes = 1\nsync_minutes = 2",
            vec![
                "daybrief.toml:3",
                "sync_minutes stands here for the second time",
            ],
        ),
        (
            "[connectors.chat]\n# what\ntype = \"mboxx\"",
            vec!["daybrief.toml:3", "mboxx"],
        ),
    ] {
        let error = error_of(text);
        for part in expected {
            assert!(
                error.contains(part),
                "{text:?} gave {error:?}, which lacks {part:?}"
            );
        }
    }
}

#[test]
fn a_wrong_zone_time_or_date_names_member_key_and_an_example() {
    for (key, value, expected) in [
        ("time_zone", "\"Europe/Lisboa\"", "Europe/Lisbon"),
        ("day_start", "\"8 am\"", "08:30"),
        ("workdays", "[\"monday\"]", "mon, tue"),
        (
            "away",
            "[{ from = \"soon\", to = \"2026-01-01\" }]",
            "2026-11-23",
        ),
        ("holidays", "\"XX\"", "XX"),
        ("day_end", "\"09:00\"", "is when the day starts"),
    ] {
        let config = load(&format!("[members.ana]\n{key} = {value}")).unwrap();
        let error = format!(
            "{:#}",
            config
                .members("2026-11-23T00:00:00Z".parse().unwrap())
                .unwrap_err()
        );
        assert!(
            error.contains("daybrief.toml:2: in [members.ana]") && error.contains(expected),
            "{key}: {error}"
        );
    }
}

#[test]
fn a_members_file_adds_members() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("daybrief.toml"),
        "members_file = \"members.toml\"\n[members.ana]",
    )
    .unwrap();
    std::fs::write(dir.path().join("members.toml"), "[members.bo]").unwrap();
    let config = Config::load(&dir.path().join("daybrief.toml")).unwrap();
    assert_eq!(config.members.keys().collect::<Vec<_>>(), ["ana", "bo"]);
}

#[test]
fn a_shared_leave_calendar_counts_only_for_whom_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let ics = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20261123\nDTEND;VALUE=DATE:20261125\nSUMMARY:Bo: away\nEND:VEVENT\nEND:VCALENDAR\n";
    std::fs::write(dir.path().join("leave.ics"), ics).unwrap();
    let away = |text: &str| -> Vec<usize> {
        std::fs::write(dir.path().join("daybrief.toml"), text).unwrap();
        let config = Config::load(&dir.path().join("daybrief.toml")).unwrap();
        let members = config
            .members("2026-11-23T00:00:00Z".parse().unwrap())
            .unwrap();
        members.iter().map(|member| member.away.len()).collect()
    };
    assert_eq!(
        away("[members.ana]\nleave = \"leave.ics\"\n[members.bo]\nleave = \"leave.ics\""),
        [0, 1]
    );
    assert_eq!(away("[members.ana]\nleave = \"leave.ics\""), [1]);
}
