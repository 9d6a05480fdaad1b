//! The recorded export of `tests/fixtures/slack_export`, whole, broken, grown and zipped.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::connectors::files::testing::{All, check, fixtures, open, read, read_new};
use crate::model::{Audience, Event, EventKind};

const TABLE: &str = "type = \"slack-export\"\npath = \"export\"\nurl = \"https://team.slack.com/\"";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

fn export() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    copy(&fixtures("slack_export"), &base.path().join("export"));
    base
}

fn find<'a>(all: &'a All, id: &str) -> &'a Event {
    let found = all.page.events.iter().find(|event| *event.id.id == *id);
    found.unwrap_or_else(|| panic!("{id} is not in {:?}", all.ids()))
}

fn zipped(from: &Path, prefix: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let mut folders = vec![(prefix.to_owned(), from.to_path_buf())];
    while let Some((prefix, folder)) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                folders.push((format!("{name}/"), path));
            } else {
                zip.start_file(name, options).unwrap();
                zip.write_all(&fs::read(path).unwrap()).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn messages_become_events() {
    let base = export();
    let all = read_new(TABLE, base.path());
    let asked = find(&all, "parser:1792742460.000200");
    assert_eq!(
        asked.text.0,
        "@bo can you look at <Expr> in #parser? See [the patch](https://git.example/42)"
    );
    assert_eq!(&*asked.thread.id, "parser:1792742460.000200");
    assert_eq!(
        asked
            .mentions
            .iter()
            .map(|handle| &*handle.id)
            .collect::<Vec<_>>(),
        ["U2"]
    );
    assert_eq!(
        asked.url,
        "https://team.slack.com/archives/C1/p1792742460000200"
    );
    assert_eq!(asked.occurred_at.to_string(), "2026-10-23T08:01:00.0002Z");

    let reply = find(&all, "parser:1792742520.000300");
    assert_eq!(
        (&*reply.thread.id, &*reply.text.0),
        ("parser:1792742460.000200", "On it & back before noon")
    );
    assert_eq!(
        reply.url,
        "https://team.slack.com/archives/C1/p1792742520000300?thread_ts=1792742460.000200&cid=C1"
    );

    let built = find(&all, "parser:1792742580.000400");
    assert_eq!(
        built.text.0,
        "[Build 81](https://ci.example/81)\ngreen\nBranch: main"
    );
    assert!(
        built.by_bot
            && built
                .author
                .as_ref()
                .is_some_and(|author| &*author.id == "B7")
    );

    let eyes = find(&all, "parser:1792742460.000200~r:eyes:U3");
    assert!(
        matches!(&eyes.kind, EventKind::Reacted { emoji, added: true, of } if emoji == "eyes" && *of == asked.id)
    );
    let deleted = find(&all, "parser:1792742600.000500~deleted");
    assert!(
        matches!(&deleted.kind, EventKind::Deleted { of } if &*of.id == "parser:1792742600.000500")
    );
    assert_eq!(
        find(&all, "parser:1792742700.000600").text.0,
        "Fixed for @here"
    );
    assert_eq!(
        find(&all, "parser:1792742800.000700").text.0,
        "[Plan](https://files.example/F1)"
    );
    assert_eq!(find(&all, "parser:1792742900.000800").text.0, "hello @Ana");
    assert!(
        !all.ids()
            .iter()
            .any(|id| id.contains("000100") && id.contains("17927424")),
        "joins are no messages"
    );

    let ana = &all.page.people[0];
    assert_eq!(
        (&*ana.name, &ana.aliases[..]),
        ("Ana Duarte", &["Ana".to_owned(), "ana".to_owned()][..])
    );
    assert_eq!(ana.email.as_deref(), Some("ana@example.org"));
    let guest = all
        .page
        .people
        .iter()
        .find(|person| person.name == "Guest From Elsewhere");
    assert!(guest.is_some_and(|guest| !guest.is_bot));
}

#[test]
fn who_may_read_follows_the_list_a_channel_stands_in() {
    let base = export();
    let all = read_new(TABLE, base.path());
    let audience = |id: &str| {
        let thread = all
            .page
            .threads
            .iter()
            .find(|thread| *thread.id.id == *id)
            .unwrap();
        match &thread.audience {
            Audience::Everyone => "everyone".to_owned(),
            Audience::Space(space) => {
                let space = all
                    .page
                    .spaces
                    .iter()
                    .find(|known| known.id == *space)
                    .unwrap();
                let members = space.members.as_ref().map(|members| members.len());
                format!("{} {members:?}", space.name)
            }
            Audience::Only(_) => unreachable!(),
        }
    };
    assert_eq!(audience("parser:1792742460.000200"), "everyone");
    assert_eq!(audience("hiring:1792742460.000200"), "#hiring Some(2)");
    assert_eq!(audience("D0BOANA:1792742461.000200"), "@Ana, @bo Some(2)");
    assert_eq!(
        audience("mpdm-ana--bo--cy-1:1792742462"),
        "@Ana, @bo, @cy Some(3)"
    );
    assert_eq!(audience("stray:1792742463.000000"), "#stray None");
    assert!(
        all.skipped()[0].starts_with("export/stray: no list of channels names this folder"),
        "{:?}",
        all.skipped()
    );
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_loaded() {
    let base = export();
    let all = read_new(TABLE, base.path());
    let told: Vec<String> = all
        .skipped()
        .into_iter()
        .filter(|told| told.contains("10-24"))
        .collect();
    let told: Vec<(&str, &str)> = told
        .iter()
        .map(|told| {
            told.split_once(".json:")
                .unwrap()
                .1
                .split_once(": ")
                .unwrap()
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "3",
                "the message stood further up already; it was loaded once"
            ),
            (
                "4",
                "another message further up has this time, which is its id; both were loaded"
            ),
            (
                "5",
                "a message without a time, which is its id, was left out"
            ),
            ("6", "some bytes are no UTF-8; they were replaced"),
            ("7", "an item has another shape than expected: invalid type"),
            ("8", "an item has no end"),
            ("10", "the file is cut off in the middle of an item"),
        ]
    );
    for (id, text) in [
        ("800.000100", "one"),
        ("800.000100+4", "another"),
        ("860.000200", "bad \u{fffd} byte"),
        ("890.000500", "still here"),
    ] {
        assert_eq!(find(&all, &format!("parser:1792828{id}")).text.0, text);
    }
}

#[test]
fn only_days_that_differ_are_read_again() {
    let base = export();
    let day = base.path().join("export/parser/2026-10-23.json");
    let all = read_new(TABLE, base.path());
    // The same content with another time is nothing new.
    let text = fs::read_to_string(&day).unwrap();
    fs::write(&day, &text).unwrap();
    let touched = read(&mut open(TABLE, base.path()), all.cursor.clone());
    assert!(touched.page.events.is_empty());

    fs::write(&day, text.replace("Fixed for", "Repaired for")).unwrap();
    fs::write(
        day.with_file_name("2026-10-25.json"),
        r#"[{"user": "U1", "ts": "1792915200.000000", "text": "new"}]"#,
    )
    .unwrap();
    let more = read(&mut open(TABLE, base.path()), touched.cursor.clone());
    assert_eq!(
        find(&more, "parser:1792742700.000600").text.0,
        "Repaired for @here"
    );
    assert_eq!(find(&more, "parser:1792915200.000000").text.0, "new");
    assert!(
        !more
            .ids()
            .iter()
            .any(|id| id.starts_with("hiring") || id.starts_with("parser:1792828"))
    );
    assert!(more.page.spaces.is_empty(), "the lists did not change");

    // A channel that becomes private takes its old messages along.
    fs::write(base.path().join("export/channels.json"), "[]").unwrap();
    fs::write(
        base.path().join("export/groups.json"),
        r#"[{"id": "C1", "name": "secret-parser", "members": ["U1"]}]"#,
    )
    .unwrap();
    fs::rename(
        base.path().join("export/parser"),
        base.path().join("export/secret-parser"),
    )
    .unwrap();
    let closed = read(&mut open(TABLE, base.path()), more.cursor);
    let thread = closed
        .page
        .threads
        .iter()
        .find(|thread| &*thread.id.id == "parser:1792742460.000200")
        .unwrap();
    assert!(
        matches!(&thread.audience, Audience::Space(space) if &*space.id == "C1"),
        "and its ids stay"
    );
}

#[test]
fn a_zip_says_what_the_folder_says() {
    let base = export();
    let folder = read_new(TABLE, base.path());
    let bytes = zipped(&base.path().join("export"), "team export/");
    fs::write(base.path().join("export.zip"), &bytes).unwrap();
    let table = TABLE.replace("\"export\"", "\"export.zip\"");
    let zip = read_new(&table, base.path());
    assert_eq!(zip.page.events, folder.page.events);
    assert_eq!(zip.page.people, folder.page.people);
    assert_eq!(zip.skipped().len(), folder.skipped().len());

    // Another export over it, with one day more.
    fs::write(
        base.path().join("export/parser/2026-10-25.json"),
        r#"[{"user": "U1", "ts": "1792915200.000000", "text": "new"}]"#,
    )
    .unwrap();
    fs::write(
        base.path().join("export.zip"),
        zipped(&base.path().join("export"), ""),
    )
    .unwrap();
    let more = read(&mut open(&table, base.path()), zip.cursor);
    assert_eq!(more.ids(), ["parser:1792915200.000000"]);
}

#[test]
fn a_cut_zip_gives_what_stands_before_the_cut() {
    let base = export();
    let bytes = zipped(&base.path().join("export"), "");
    let table = TABLE.replace("\"export\"", "\"cut.zip\"");
    let mut best = 0;
    for percent in [30, 50, 70, 90, 99] {
        fs::write(
            base.path().join("cut.zip"),
            &bytes[..bytes.len() * percent / 100],
        )
        .unwrap();
        let Ok(config) = toml::from_str::<crate::connectors::ConnectorConfig>(&table) else {
            unreachable!()
        };
        // Without any list there is no export, and the error says so.
        if let Err(error) = check(&config, base.path()) {
            assert!(
                error.to_string().contains("holds no Slack export"),
                "{error}"
            );
            continue;
        }
        let all = read_new(&table, base.path());
        assert!(
            all.skipped()[0].starts_with("cut.zip: the zip is cut off or damaged"),
            "{:?}",
            all.skipped()
        );
        assert!(all.page.events.len() >= best);
        best = all.page.events.len();
    }
    let whole = read_new(TABLE, base.path()).page.events.len();
    assert!(best > whole / 2, "{best} of {whole}");
}

#[test]
fn a_day_larger_than_a_page_comes_in_pages() {
    let base = export();
    let messages: Vec<String> = (0..5_000)
        .map(|at| {
            format!(
                r#"{{"user":"U1","ts":"{}.000000","text":"m{at}"}}"#,
                1_793_000_000 + at
            )
        })
        .collect();
    fs::write(
        base.path().join("export/parser/2026-10-26.json"),
        format!("[{}]", messages.join(",\n")),
    )
    .unwrap();
    let mut source = open(TABLE, base.path());
    let all = read(&mut source, None);
    assert!(all.pages >= 3);
    assert_eq!(
        all.ids()
            .iter()
            .filter(|id| id.starts_with("parser:17930"))
            .count(),
        5_000
    );

    // A process that starts anew after each page reads the same.
    let mut anew = All::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    loop {
        use crate::connectors::Source as _;
        let page = runtime
            .block_on(open(TABLE, base.path()).fetch(anew.cursor.as_ref()))
            .unwrap();
        anew.page.events.extend(page.events);
        anew.cursor = page.next.or(anew.cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(anew.page.events, all.page.events);
}

#[test]
fn check_tells_what_is_there() {
    let base = export();
    let config: crate::connectors::ConnectorConfig = toml::from_str(TABLE).unwrap();
    let facts = check(&config, base.path()).unwrap();
    assert_eq!(
        facts,
        ["4 channels, 4 people, 6 day files from 2026-10-23 to 2026-10-24"]
    );
}

#[test]
fn an_empty_day_an_item_that_is_no_object_and_an_impossible_time_are_named() {
    let base = export();
    let day = |name: &str, text: &str| {
        fs::write(base.path().join("export/parser").join(name), text).unwrap();
    };
    let said = |ts: &str| {
        format!("{{\"type\":\"message\",\"user\":\"U1\",\"ts\":\"{ts}\",\"text\":\"hello\"}}")
    };
    day("2026-10-25.json", "");
    let (right, old, late) = (
        said("1792999000.000100"),
        said("12.000100"),
        said("4102531200.000100"),
    );
    day(
        "2026-10-26.json",
        &format!("[\n7,\n{right},\n{old},\n{late}]"),
    );
    let all = read_new(TABLE, base.path());
    let told = all.skipped();
    let about = |name: &str| -> Vec<&str> {
        let told = told.iter().filter(|told| told.contains(name));
        told.map(|told| told.rsplit('/').next().unwrap()).collect()
    };
    assert_eq!(about("10-25"), ["2026-10-25.json: the file is empty"]);
    assert_eq!(
        about("10-26"),
        [
            "2026-10-26.json:2: what stands here is no JSON object",
            "2026-10-26.json:4: the message's time lies in 1970, more than a year from the day of its file; it was left out",
            "2026-10-26.json:5: the message's time lies in 2100, more than a year from the day of its file; it was left out",
        ]
    );
    let ids = all.ids();
    let has = |ts: &str| ids.iter().any(|id| id.ends_with(ts));
    assert!(has(":1792999000.000100") && !has(":12.000100") && !has(":4102531200.000100"));
}
