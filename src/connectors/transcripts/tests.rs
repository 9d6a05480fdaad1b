//! The recorded transcripts of `tests/fixtures/transcripts`, and how their starts are found.

use super::*;
use crate::connectors::files::testing::{fixtures, open, read, read_new};

const TABLE: &str = "type = \"transcripts\"\npath = \".\"\nurl = \"https://v.example/{stem}\"";

fn copied() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixtures("transcripts")).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, base.path().join(from.file_name().unwrap())).unwrap();
    }
    base
}

#[test]
fn recordings_become_utterances() {
    let base = copied();
    let all = read_new(TABLE, base.path());
    let lines: Vec<String> = all
        .page
        .events
        .iter()
        .map(|event| {
            let author = event.author.as_ref().map_or("-", |author| &author.id);
            format!(
                "{} {} {author}: {}",
                event.id.id, event.occurred_at, event.text.0
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "2026-10-23T14-00Z-planning 2026-10-23T14:00:00Z -: ",
            "2026-10-23T14-00Z-planning#t=1 2026-10-23T14:00:01Z ana duarte: Let us begin with the parser. Bo, how far are you?",
            "2026-10-23T14-00Z-planning#t=7 2026-10-23T14:00:07.2Z bo lindqvist: Two of three cases are done & merged.",
            "2026-10-23T14-00Z-planning#t=83 2026-10-23T14:01:23.9Z ana duarte: Then we decide: we ship on Friday.",
            "2026-10-24-demo 2026-10-24T12:00:00Z -: ",
            "2026-10-24-demo#t=0 2026-10-24T12:00:00Z cy: A quick look at the printer. It jams.",
            "standup 2026-10-25T09:30:00Z -: ",
            "standup#t=1 2026-10-25T09:30:01Z -: no name, bad \u{fffd} byte",
        ]
    );
    assert_eq!(
        all.page.events[3].url,
        "https://v.example/2026-10-23T14-00Z-planning?t=83"
    );
    let titles: Vec<&str> = all
        .page
        .threads
        .iter()
        .map(|thread| &*thread.title)
        .collect();
    assert_eq!(titles, ["planning", "demo", "standup"]);
    let told: Vec<String> = all
        .skipped()
        .iter()
        .map(|told| told.replace("./", ""))
        .collect();
    assert_eq!(
        told,
        [
            "2026-10-24-demo.srt:10: the cue has no start time; it was left out",
            "standup.srt: the transcript of the same name, standup.vtt, was read instead",
            "standup.vtt: some bytes are no UTF-8; they were replaced",
        ]
    );
}

#[test]
fn a_new_recording_is_all_that_comes() {
    let base = copied();
    let all = read_new(TABLE, base.path());
    std::fs::write(
        base.path().join("2026-10-26.vtt"),
        "WEBVTT\n\n00:01.000 --> 00:02.000\nhello",
    )
    .unwrap();
    let more = read(&mut open(TABLE, base.path()), all.cursor);
    assert_eq!(more.ids(), ["2026-10-26", "2026-10-26#t=1"]);
    assert_eq!(more.page.threads[0].title, "2026-10-26");
}

#[test]
fn a_start_is_found_in_notes_and_the_config() {
    let zone = TimeZone::get("Europe/Lisbon").unwrap();
    assert_eq!(
        moment("Date: 2026-07-01 14:30", &zone).unwrap().to_string(),
        "2026-07-01T13:30:00Z"
    );
    assert_eq!(
        moment("2026-07-01T14:30:00+02:00", &zone)
            .unwrap()
            .to_string(),
        "2026-07-01T12:30:00Z"
    );
    assert!(moment("recorded on Friday", &zone).is_none());
    let config: crate::connectors::ConnectorConfig =
        toml::from_str("type = \"transcripts\"\npath = \"x\"\nstart = \"noon\"").unwrap();
    assert!(
        config
            .open(
                &"here".into(),
                Path::new("/"),
                &crate::http::Http::new(Default::default(), Default::default()),
            )
            .err()
            .unwrap()
            .to_string()
            .contains("`start`")
    );
}

#[test]
fn a_recording_without_a_date_and_one_without_words_are_named() {
    let base = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(base.path().join(name), text).unwrap();
    let cue = "WEBVTT\n\n00:01.000 --> 00:02.000\nhello";
    put("all hands.vtt", cue);
    put("GMT20261123-140000_Recording.vtt", cue);
    put("bad.vtt", "hello");
    put("empty.vtt", "");
    put("2026-11-23.srt", "1\n00:00:99,000 --> x\nlost\n");
    let all = read_new(TABLE, base.path());
    let titles: Vec<&str> = all.page.threads.iter().map(|at| &*at.title).collect();
    assert_eq!(titles, ["Recording", "all hands"]);
    let told = all.skipped().join("\n").replace("./", "");
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "2026-11-23.srt:2: the cue has no start time; it was left out",
            &format!("2026-11-23.srt: {NO_WORDS}"),
            &format!("all hands.vtt: {NO_DATE}"),
            &format!("bad.vtt: {NO_WORDS}"),
            "empty.vtt: the file is empty; nothing was taken from it",
        ]
    );
    let config = toml::from_str(TABLE).unwrap();
    let facts = crate::connectors::files::testing::check(&config, base.path()).unwrap();
    assert_eq!(
        facts
            .join("\n")
            .replace("./", "")
            .lines()
            .collect::<Vec<_>>(),
        [
            "2 recordings in 5 files, from 2026-11-23 to 2026-11-23",
            "no recording can be read from 2026-11-23.srt:2: the cue has no start time; it was left out",
            &format!("no recording can be read from bad.vtt: {NO_WORDS}"),
            "no recording can be read from empty.vtt: the file is empty; nothing was taken from it",
            &format!("all hands.vtt: {NO_DATE}"),
        ]
    );

    // Mended, it is read again, and what was said of it goes.
    put("bad.vtt", cue);
    let more = read(&mut open(TABLE, base.path()), all.cursor);
    assert_eq!(more.page.again[0].at, "./bad.vtt");
    assert_eq!(more.ids(), ["bad", "bad#t=1"]);
}
