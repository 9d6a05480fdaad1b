//! The recorded lines of `tests/fixtures/tickets`, whole, broken, grown and packed.

use std::fs;
use std::io::Write as _;

use crate::connectors::Source as _;
use crate::connectors::files::testing::{All, check, fixtures, open, read, read_new};
use crate::model::{Audience, Event, EventKind, Thread};

const TABLE: &str = "type = \"tickets\"\npath = \"t.jsonl\"\nurl = \"https://t.example/{id}\"";

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures("tickets").join(name)).unwrap()
}

fn folder_with(name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    fs::write(base.path().join(name), bytes).unwrap();
    base
}

fn line(event: &Event) -> String {
    let author = event.author.as_ref().map_or("-", |author| &author.id);
    let kind = match &event.kind {
        EventKind::Posted | EventKind::Opened => event.text.0.clone(),
        EventKind::Transitioned { from, to } => format!("{from:?} > {to}"),
        EventKind::Assigned { from, to } => format!(
            "{:?} > {:?}",
            from.as_ref().map(|h| &*h.id),
            to.as_ref().map(|h| &*h.id)
        ),
        EventKind::Prioritized { from, to } => format!("{from:?} > {to:?}"),
        EventKind::Labelled { added, removed } => format!("+{added:?} -{removed:?}"),
        EventKind::Rescheduled { from, to } => format!("{from:?} > {to:?}"),
        other => format!("{other:?}"),
    };
    format!("{} {author} {kind}", event.id.id)
}

fn lines(all: &All, ticket: &str) -> Vec<String> {
    all.page
        .events
        .iter()
        .filter(|event| *event.thread.id == *ticket)
        .map(line)
        .collect()
}

fn thread<'a>(all: &'a All, ticket: &str) -> &'a Thread {
    all.page
        .threads
        .iter()
        .find(|thread| *thread.id.id == *ticket)
        .unwrap()
}

#[test]
fn a_line_becomes_a_ticket_and_its_events() {
    let base = folder_with("t.jsonl", &fixture("plain.jsonl"));
    let all = read_new(TABLE, base.path());
    assert!(all.page.skipped.is_empty(), "{:?}", all.skipped());
    assert_eq!(
        lines(&all, "PARSE-1"),
        [
            "PARSE-1 ana Two levels are fine, three are not.",
            "PARSE-1-c1 bo Seen it, mine.",
            "PARSE-1-c7 - Same here",
            "PARSE-1@2026-10-21T10:00:00Z - None > closed",
        ]
    );
    assert_eq!(
        lines(&all, "PARSE-2"),
        [
            "PARSE-2 bo ",
            "PARSE-2@2026-10-20T09:00:00Z#assignee ana Some(\"cy\") > None",
            "PARSE-2@2026-10-20T09:00:00Z#labels ana +[\"docs\"] -[]",
            "PARSE-2@2026-10-20T09:05:00Z#labels ana +[] -[\"docs\"]",
            "PARSE-2@2026-10-20T10:00:00Z#priority bo Some(\"low\") > Some(\"high\")",
            "PARSE-2@2026-10-20T11:00:00Z#due bo None > Some(2026-10-30)",
        ]
    );
    // The history tells of the resolution; `resolved_at` says nothing more.
    assert_eq!(
        lines(&all, "PARSE-3"),
        [
            "PARSE-3 cy x",
            "PARSE-3@2026-10-22T08:00:00Z#status cy Some(\"open\") > done"
        ]
    );

    let first = thread(&all, "PARSE-1");
    assert_eq!(
        (&*first.title, &*first.url),
        (
            "Nested lists lose their indent",
            "https://t.example/PARSE-1"
        )
    );
    assert_eq!(first.space.as_ref().map(|space| &*space.id), Some("PARSE"));
    assert_eq!(
        first
            .participants
            .iter()
            .map(|handle| &*handle.id)
            .collect::<Vec<_>>(),
        ["cy"]
    );
    let ticket = first.ticket.as_ref().unwrap();
    assert_eq!(
        (
            &*ticket.key,
            &*ticket.kind,
            &*ticket.status,
            ticket.is_closed
        ),
        ("PARSE-1", "bug", "closed", true)
    );
    assert_eq!(
        ticket.assignee.as_ref().map(|handle| &*handle.id),
        Some("bo")
    );
    assert_eq!(
        (&ticket.labels[..], &ticket.components[..]),
        (&["regression".to_owned()][..], &["lists".to_owned()][..])
    );
    assert_eq!(
        thread(&all, "PARSE-2")
            .ticket
            .as_ref()
            .unwrap()
            .due
            .unwrap()
            .to_string(),
        "2026-10-30"
    );
    assert_eq!(
        thread(&all, "PARSE-3")
            .space
            .as_ref()
            .map(|space| &*space.id),
        Some("Printer")
    );
    let inbox = all.page.people.iter().find(|person| person.name == "inbox");
    assert!(
        inbox.is_some_and(|inbox| inbox.is_bot),
        "an inbox is no person"
    );
}

#[test]
fn the_participants_of_a_ticket_are_those_it_names() {
    let base = folder_with("t.jsonl", &fixture("plain.jsonl"));
    let all = read_new(
        &format!("{TABLE}\naudience = \"participants\""),
        base.path(),
    );
    let Audience::Only(handles) = &thread(&all, "PARSE-1").audience else {
        panic!("the audience is narrow");
    };
    assert_eq!(
        handles.iter().map(|handle| &*handle.id).collect::<Vec<_>>(),
        ["ana", "bo", "cy"]
    );
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_loaded() {
    let base = folder_with("t.jsonl", &fixture("odd.jsonl"));
    let all = read_new(TABLE, base.path());
    assert_eq!(
        all.skipped(),
        [
            "t.jsonl:1: `created_at` is missing; the file's own time stands in",
            "t.jsonl:2: comment 1 has no time; the time before it stands in",
            "t.jsonl:2: comment 3 has the id of another comment; it got one of its own",
            "t.jsonl:3: the line is no ticket: it is no JSON object",
            "t.jsonl:4: a line without an `id` is no ticket",
            "t.jsonl:5: the ticket stood further up with a later update; only its comments were taken from here",
            "t.jsonl:6: some bytes are no UTF-8; they were replaced",
            "t.jsonl:6: `due` is no date; it was left out",
            "t.jsonl:8: the last line is cut off; it is read again when the file grows",
        ]
    );
    assert_eq!(
        all.page
            .threads
            .iter()
            .map(|thread| &*thread.title)
            .collect::<Vec<_>>(),
        ["no times at all", "newer", "bad \u{fffd} byte"]
    );
    let ids: Vec<String> = all
        .page
        .events
        .iter()
        .map(|event| format!("{} {}", event.id.id, event.occurred_at))
        .collect();
    assert!(
        ids.contains(&"ODD-2-c5 2026-10-20T09:00:00Z".to_owned()),
        "{ids:?}"
    );
    assert!(
        ids.contains(&"ODD-2-c3+3 2026-10-20T07:00:00Z".to_owned()),
        "{ids:?}"
    );
}

#[test]
fn a_grown_file_brings_only_what_is_new_and_a_replaced_one_all_of_it() {
    let base = folder_with("t.jsonl", &fixture("odd.jsonl"));
    let path = base.path().join("t.jsonl");
    let all = read_new(TABLE, base.path());
    let mut text = fixture("odd.jsonl");
    text.extend_from_slice(
        b"ff\"}\n{\"id\": \"ODD-5\", \"created_at\": \"2026-10-20T08:00:00Z\"}\n",
    );
    fs::write(&path, &text).unwrap();
    let more = read(&mut open(TABLE, base.path()), all.cursor.clone());
    assert_eq!(more.ids(), ["ODD-4", "ODD-5"]);
    assert_eq!(thread(&more, "ODD-4").title, "cut off");

    // As long as before, but with another word in the middle, and one line more.
    let mut other = String::from_utf8_lossy(&text)
        .replace("newer", "NEWER")
        .into_bytes();
    other.extend_from_slice(b"{\"id\": \"ODD-6\"}\n");
    fs::write(&path, &other).unwrap();
    let whole = read(&mut open(TABLE, base.path()), more.cursor);
    assert_eq!(thread(&whole, "ODD-2").title, "NEWER");
    assert!(whole.ids().contains(&"ODD-1") && whole.ids().contains(&"ODD-6"));

    fs::write(&path, "").unwrap();
    assert!(
        read(&mut open(TABLE, base.path()), whole.cursor)
            .page
            .events
            .is_empty()
    );
}

#[test]
fn packed_files_and_folders_say_the_same() {
    let plain = fixture("plain.jsonl");
    let base = folder_with("t.jsonl", &plain);
    let expected = read_new(TABLE, base.path()).page.events;

    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&plain).unwrap();
    let gz = gz.finish().unwrap();
    let mut zst = zstd::Encoder::new(Vec::new(), 3).unwrap();
    zst.window_log(27).unwrap();
    zst.long_distance_matching(true).unwrap();
    zst.write_all(&plain).unwrap();
    let zst = zst.finish().unwrap();
    for (name, bytes) in [("t.jsonl.gz", &gz), ("t.jsonl.zst", &zst)] {
        let base = folder_with(name, bytes);
        assert_eq!(
            read_new(&TABLE.replace("t.jsonl", name), base.path())
                .page
                .events,
            expected,
            "{name}"
        );
        assert_eq!(
            read_new(&TABLE.replace("t.jsonl", "."), base.path())
                .page
                .events,
            expected,
            "a folder with {name}"
        );
        let cut = folder_with(name, &bytes[..bytes.len() / 2]);
        let all = read_new(&TABLE.replace("t.jsonl", name), cut.path());
        assert!(
            all.skipped()[0].contains("cut off or damaged"),
            "{:?}",
            all.skipped()
        );
    }
}

#[test]
fn many_tickets_come_in_pages_and_none_is_lost_between_them() {
    let text: String = (0..9_000)
        .map(|at| format!("{{\"id\":\"T-{at}\",\"created_at\":\"2026-10-20T08:00:00Z\",\"comments\":[{{\"text\":\"a\",\"at\":\"2026-10-20T09:00:00Z\"}}]}}\n"))
        .collect();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    for (name, bytes) in [
        ("t.jsonl", text.clone().into_bytes()),
        ("t.jsonl.gz", gz.finish().unwrap()),
    ] {
        let base = folder_with(name, &bytes);
        let table = TABLE.replace("t.jsonl", name);
        let all = read_new(&table, base.path());
        assert_eq!(
            (all.page.events.len(), all.page.threads.len()),
            (18_000, 9_000)
        );
        assert!(all.pages >= 9, "{name}: {}", all.pages);
        // A process that starts anew after each page reads the same.
        let mut anew = All::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        loop {
            use crate::connectors::Source as _;
            let page = runtime
                .block_on(open(&table, base.path()).fetch(anew.cursor.as_ref()))
                .unwrap();
            anew.page.events.extend(page.events);
            anew.cursor = page.next.or(anew.cursor);
            if !page.more {
                break;
            }
        }
        assert_eq!(anew.page.events.len(), 18_000, "{name}");
    }
}

#[test]
fn an_endless_line_costs_only_itself() {
    let mut text =
        b"{\"id\": \"A\", \"created_at\": \"2026-10-20T08:00:00Z\"}\n{\"id\": \"B\", \"body\": \""
            .to_vec();
    text.resize(text.len() + (50 << 20), b'x');
    text.extend_from_slice(b"\"}\n{\"id\": \"C\", \"created_at\": \"2026-10-20T08:00:00Z\"}\n");
    let base = folder_with("t.jsonl", &text);
    let all = read_new(TABLE, base.path());
    assert_eq!(all.ids(), ["A", "C"]);
    assert_eq!(all.skipped(), ["t.jsonl:2: the line is longer than 16 MB"]);
}

#[test]
fn status_words_say_what_is_closed() {
    for (json, is_closed) in [
        (r#"{"status":"open"}"#, false),
        (r#"{"status":"CLOSED"}"#, true),
        (
            r#"{"status":"In Progress","resolved_at":"2026-10-20T08:00:00Z"}"#,
            false,
        ),
        (
            r#"{"status":"Deployed","resolved_at":"2026-10-20T08:00:00Z"}"#,
            true,
        ),
        (r#"{"status":"Deployed","resolution":"Fixed"}"#, true),
        (r#"{"status":"Reopened","resolution":"Fixed"}"#, false),
        (r#"{"status":"Backlog","resolution":"Unresolved"}"#, false),
        (r#"{"status":"WONT_FIX"}"#, true),
        (r#"{"status":"Won't Fix"}"#, true),
        (r"{}", false),
    ] {
        let mut row: super::Row = serde_json::from_str(json).unwrap();
        row.id = "T-1".into();
        let link = Default::default();
        let normalized =
            super::normalize(&row, &"here".into(), &link, jiff::Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            normalized.thread.ticket.unwrap().is_closed,
            is_closed,
            "{json}"
        );
    }
}

/// Reads one file of tickets and returns the tickets and what is told, `t.jsonl` cut off.
fn read_text(text: &str) -> (Vec<String>, String) {
    let base = folder_with("t.jsonl", text.as_bytes());
    let all = read_new(TABLE, base.path());
    let ids = all.page.threads.iter().map(|at| at.id.id.to_string());
    (ids.collect(), all.skipped().join("\n"))
}

#[test]
fn an_array_of_tickets_is_read_like_lines() {
    let row = "{\n \"id\": \"T-1\",\n \"created_at\": \"2026-10-20\",\n \"comments\": [{\"at\": \"2026-10-21\", \"text\": \"a\"}]\n}";
    let (ids, told) = read_text(&format!(
        "\u{feff}[\n{row},\n7,\n{}\n]",
        row.replace("T-1", "T-2")
    ));
    assert_eq!(ids, ["T-1", "T-2"]);
    assert_eq!(told, "t.jsonl:7: what stands here is no JSON object");
    assert_eq!(read_text("[]"), (vec![], String::new()));

    // More than a page, and a new process in the middle of it.
    let rows: Vec<String> = (0..4_100)
        .map(|at| format!("{{\"id\":\"T-{at}\",\"created_at\":\"2026-10-20\"}}"))
        .collect();
    let base = folder_with("t.jsonl", format!("[{}]", rows.join(",")).as_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let first = runtime
        .block_on(open(TABLE, base.path()).fetch(None))
        .unwrap();
    let rest = read(&mut open(TABLE, base.path()), first.next);
    let got = first.threads.len() + rest.page.threads.len();
    assert!(first.more && got == 4_100, "{got}");
    assert_eq!(&*rest.page.threads.last().unwrap().id.id, "T-4099");

    // It grows: it is read again whole, and what was said of it goes.
    fs::write(
        base.path().join("t.jsonl"),
        "[{\"id\":\"A\"}, {\"id\":\"B\"}]",
    )
    .unwrap();
    let more = read(&mut open(TABLE, base.path()), rest.cursor);
    assert_eq!(more.page.threads.len(), 2);
    assert_eq!(
        (
            more.page.again[0].at.as_str(),
            more.page.again[0].after_line
        ),
        ("t.jsonl", 0)
    );
}

#[test]
fn what_is_no_ticket_is_named_and_no_more_of_it_than_helps() {
    let good = "{\"id\":\"T-1\",\"created_at\":\"2026-10-20\",\"colour\":1,\"mood\":2}\n";
    let (ids, told) = read_text(&format!("{good}[1,2]\n{}", good.replace("T-1", "T-2")));
    assert_eq!(ids, ["T-1", "T-2"]);
    assert_eq!(
        told,
        "t.jsonl:2: the line is no ticket: it is no JSON object\nt.jsonl: fields that daybrief does not know were left out: colour, mood"
    );
    // Seventy lines of something else.
    let (ids, told) = read_text(&"not a ticket\n".repeat(70));
    assert!(ids.is_empty());
    assert_eq!(told.lines().count(), 11, "{told}");
    assert!(told.ends_with("one JSON object a line is needed, or one JSON array of objects"));
    let (_, told) = read_text(
        "{\"id\":\"T-1\"}\n{\"id\":\"T-2\",\"created_at\":\"noon\",\"updated_at\":\"2026-10-20\"}\n",
    );
    assert_eq!(
        told,
        "t.jsonl:1: `created_at` is missing; the file's own time stands in\nt.jsonl:2: `created_at` is no time; the earliest time that the ticket names stands in"
    );
}

#[test]
fn every_field_of_a_row_is_known_by_name() {
    let source = include_str!("wire.rs");
    let row = source.split("pub struct Row {").nth(1).unwrap();
    let row = row.split("\n}").next().unwrap();
    let mut names: Vec<&str> = Vec::new();
    for line in row.lines() {
        let quoted = |key: &str| line.split(key).nth(1)?.split('"').nth(1);
        names.extend(quoted("rename = ").into_iter().chain(quoted("alias = ")));
        let field = line
            .trim()
            .trim_start_matches("pub ")
            .trim_start_matches("pub(super) ");
        if let Some((name, _)) = field
            .split_once(": ")
            .filter(|_| !line.contains(['#', '/']))
        {
            names.push(name);
        }
    }
    let known = |name: &str| super::wire::FIELDS.contains(&name) || name == "kind";
    let unknown: Vec<&&str> = names.iter().filter(|name| !known(name)).collect();
    assert!(names.len() > 25 && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn check_says_of_which_files_nothing_can_be_read() {
    let base = tempfile::tempdir().unwrap();
    let config: crate::connectors::ConnectorConfig =
        toml::from_str("type = \"tickets\"\npath = \".\"").unwrap();
    let facts = || check(&config, base.path()).unwrap();
    assert_eq!(
        facts(),
        [
            "nothing to read: there is no .jsonl, .ndjson or .json file at .; put one there or correct `path`"
        ]
    );
    fs::write(base.path().join("a.jsonl"), "").unwrap();
    assert_eq!(
        facts(),
        ["1 file at ., but nothing in it: no ticket so far"]
    );
    fs::write(base.path().join("b.jsonl"), [0, 159, 200, 10, 7].repeat(9)).unwrap();
    fs::write(base.path().join("c.json"), "[\n{\n\"id\": \"T-1\"\n}]").unwrap();
    assert_eq!(
        facts(),
        [
            "1 ticket in 3 files",
            "no ticket can be read from ./b.jsonl:1: the line is no ticket: it is no JSON object"
        ]
    );
}
