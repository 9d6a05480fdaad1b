//! What callers rely on: writing, finding, filtering, and what happens to an index that is not what it should be.

mod readers;

mod crash;

mod store;

mod models;

mod hostile;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::*;

fn passage(id: &str, text: &str) -> Passage {
    Passage {
        id: id.to_string(),
        event: format!("e-{id}"),
        thread: format!("t-{}", id.chars().next().unwrap_or('x')),
        connector: "office".to_string(),
        kind: "conversation".to_string(),
        space: Some("#General".to_string()),
        title: String::new(),
        text: text.to_string(),
        context: String::new(),
        authors: vec!["Ana".to_string(), "ana.reis".to_string()],
        labels: Vec::new(),
        status: None,
        assignees: Vec::new(),
        language: None,
        audience: AudienceId(1),
        occurred_at: "2026-11-20T09:00:00Z".parse().unwrap(),
    }
}

fn filled(passages: impl IntoIterator<Item = Passage>) -> Index {
    let index = Index::in_memory(Options::default());
    let ops: Vec<Op> = passages.into_iter().map(Op::Put).collect();
    index.apply(&ops, Seq(1)).unwrap();
    index
}

fn found(index: &Index, text: &str) -> Vec<String> {
    answer(index, &typed(text))
}

fn answer(index: &Index, query: &Query) -> Vec<String> {
    index
        .search(query)
        .unwrap()
        .items
        .into_iter()
        .map(|h| h.passage.id)
        .collect()
}

fn typed(text: &str) -> Query {
    let now = "2026-11-25T10:00:00Z".parse().unwrap();
    Query {
        arms: Arms::Lexical,
        ..parse_at(text, &jiff::tz::TimeZone::UTC, now).query([AudienceId(1)].into(), 10)
    }
}

#[test]
fn a_change_is_visible_when_apply_returns() {
    let index = filled([
        passage("a1", "the login token expires"),
        passage("b1", "the deploy failed"),
    ]);
    assert_eq!(found(&index, "tokens"), ["a1"]);
    index
        .apply(&[Op::Put(passage("a1", "the cookie expires"))], Seq(2))
        .unwrap();
    assert_eq!(found(&index, "token"), [""; 0]);
    assert_eq!(found(&index, "cookie"), ["a1"]);
    index
        .apply(&[Op::DeleteEvent("e-a1".into())], Seq(3))
        .unwrap();
    assert_eq!(found(&index, "cookie"), [""; 0]);
    index
        .apply(&[Op::DeleteThread("t-b".into())], Seq(4))
        .unwrap();
    assert_eq!(found(&index, "deploy"), [""; 0]);
    assert_eq!(index.applied(), Seq(4));
}

#[test]
fn applying_the_same_twice_changes_nothing() {
    let ops = [
        Op::Put(passage("a1", "one login")),
        Op::Put(passage("a1", "two login")),
        Op::Put(passage("a2", "login")),
    ];
    let index = Index::in_memory(Options::default());
    for _ in 0..2 {
        index.apply(&ops, Seq(1)).unwrap();
        assert_eq!(index.stats().passages, 2);
        assert_eq!(found(&index, "two"), ["a1"]);
        assert_eq!(found(&index, "one"), [""; 0]);
    }
}

#[test]
fn nobody_finds_what_they_may_not_read() {
    let index = filled([
        passage("a1", "salary table"),
        Passage {
            audience: AudienceId(2),
            ..passage("b1", "salary talk")
        },
    ]);
    assert_eq!(found(&index, "salary"), ["a1"]);
    let query = |ids: &[u64]| Query::new("salary", ids.iter().map(|i| AudienceId(*i)), 10);
    assert_eq!(answer(&index, &query(&[])), [""; 0]);
    assert_eq!(answer(&index, &query(&[3, 9_999_999_999])), [""; 0]);
    assert_eq!(answer(&index, &query(&[2])), ["b1"]);
}

#[test]
fn operators_narrow_and_do_not_rank() {
    let ticket = Passage {
        kind: "ticket".into(),
        status: Some("In Progress".into()),
        assignees: vec!["Bo".into()],
        authors: vec!["cy".into()],
        space: Some("core".into()),
        occurred_at: "2026-11-24T23:30:00Z".parse().unwrap(),
        ..passage("b1", "login crash in parser")
    };
    let index = filled([passage("a1", "login crash reported in chat"), ticket]);
    for (text, expected) in [
        ("login from:@ANA", "a1"),
        ("login from:ana.reis", "a1"),
        ("login in:#general", "a1"),
        ("login kind:ticket", "b1"),
        ("login status:\"in progress\"", "b1"),
        ("assignee:bo", "b1"),
        ("from:ana,cy", "b1 a1"),
        ("login after:yesterday", "b1"),
        ("login before:2026-11-24", "a1"),
        ("login -chat", "b1"),
        ("\"login crash\" -\"in parser\"", "a1"),
        ("\"crash login\"", ""),
        ("pars*", "b1"),
        ("from:nobody login", ""),
        ("-login", ""),
        ("-parser", "a1"),
    ] {
        assert_eq!(found(&index, text).join(" "), expected, "{text}");
    }
}

#[test]
fn code_typos_titles_and_other_scripts_are_found() {
    let titled = Passage {
        title: "Rate limiter stalls".into(),
        labels: vec!["CORE-123".into()],
        ..passage("t1", "see log")
    };
    let index = filled([
        passage("c1", "call readConfigFile before start"),
        passage("d1", "error E0308 in src/net/pool.rs:42"),
        passage("m1", "Kubernetes upgrade planned"),
        passage("z1", "検索機能が動かない"),
        passage("g1", "Größe der Tabellen ändern"),
        titled,
    ]);
    for (text, expected) in [
        ("config", "c1"),
        ("readconfigfile", "c1"),
        ("e0308", "d1"),
        ("src/net/pool.rs", "d1"),
        ("pool.rs", "d1"),
        ("kubernets", "m1"),
        ("Kubrenetes", "m1"),
        ("機能", "z1"),
        ("große", "g1"),
        ("rate limiting", "t1"),
        ("core-123", "t1"),
    ] {
        assert_eq!(found(&index, text).join(" "), expected, "{text}");
    }
}

#[test]
fn a_thread_is_one_hit_when_grouped_and_pages_do_not_overlap() {
    let index = filled((0..30).map(|i| {
        passage(
            &format!("{}{i}", ["a", "b", "c"][i % 3]),
            "login again and again",
        )
    }));
    let query = Query {
        group_by_thread: true,
        ..typed("login")
    };
    assert_eq!(answer(&index, &query).len(), 3);
    let mut all: Vec<String> = (0..3)
        .flat_map(|page| {
            answer(
                &index,
                &Query {
                    offset: page * 10,
                    ..typed("login")
                },
            )
        })
        .collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 30);
}

#[test]
fn odd_questions_are_answered_calmly() {
    let index = filled([passage("a1", "the login token expires")]);
    let long = "login token \u{0} \u{202e} ".repeat(5_000);
    for text in [
        &long,
        "",
        "\"",
        "- -- \"\" *",
        "from:",
        "\u{1b}[31m",
        "🦀🦀",
        "((((",
        "NOT AND OR",
        "a:b:c:d",
    ] {
        let query = Query {
            explain: true,
            ..typed(text)
        };
        index.search(&query).unwrap();
    }
    assert_eq!(found(&index, &long), ["a1"]);
}

#[test]
fn what_is_applied_survives_and_only_one_may_write() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(dir.path(), "log", Options::default()).unwrap();
    index
        .apply(&[Op::Put(passage("a1", "the login token"))], Seq(7))
        .unwrap();
    assert!(Index::open(dir.path(), "log", Options::default()).is_err());
    let reader = Index::open_read_only(dir.path(), "log", Options::default()).unwrap();
    assert_eq!(
        (found(&reader, "login").len(), reader.applied()),
        (1, Seq(7))
    );
    assert!(reader.apply(&[], Seq(8)).is_err());
    drop(index);
    let index = Index::open(dir.path(), "log", Options::default()).unwrap();
    assert_eq!((index.applied(), index.notices().len()), (Seq(7), 0));
    assert_eq!(
        index.verify().unwrap(),
        Report {
            passages: 1,
            read: 1,
            problems: Vec::new()
        }
    );
}

#[test]
fn a_foreign_or_damaged_index_is_begun_anew_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(dir.path(), "log", Options::default()).unwrap();
    index
        .apply(&[Op::Put(passage("a1", "the login token"))], Seq(7))
        .unwrap();
    drop(index);
    assert!(Index::open_read_only(dir.path(), "another", Options::default()).is_err());
    let index = Index::open(dir.path(), "another", Options::default()).unwrap();
    assert_eq!(
        (
            index.applied(),
            found(&index, "login").len(),
            index.notices().len()
        ),
        (Seq(0), 0, 1)
    );
    index
        .apply(&[Op::Put(passage("a1", "the login token"))], Seq(7))
        .unwrap();
    drop(index);
    for file in fs::read_dir(dir.path().join("text")).unwrap().flatten() {
        if file
            .path()
            .extension()
            .is_some_and(|e| e == "store" || e == "idx")
        {
            fs::write(file.path(), b"oops").unwrap();
        }
    }
    assert!(Index::open_read_only(dir.path(), "another", Options::default()).is_err());
    let index = Index::open(dir.path(), "another", Options::default()).unwrap();
    assert_eq!((index.applied(), index.notices().len()), (Seq(0), 1));
    assert!(dir.path().join("damaged-1").join("text").exists());
}

#[test]
fn a_rebuilt_index_holds_what_the_log_holds() {
    let index = filled([passage("old", "login of old")]);
    let ops = (0..5_000).map(|i| {
        (
            Op::Put(passage(&format!("n{i}"), "login of new")),
            Seq(i / 3 + 1),
        )
    });
    index.rebuild(ops).unwrap();
    assert_eq!(
        (index.stats().passages, index.applied()),
        (5_000, Seq(1_667))
    );
    assert_eq!(found(&index, "old"), [""; 0]);
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const WORDS: [&str; 24] = [
    "login", "token", "deploy", "crash", "salary", "release", "parser", "cache", "timeout",
    "invoice", "review", "merge", "backup", "quota", "fooBar", "core-123", "E0308", "検索",
    "größe", "retry", "schema", "plan", "secret", "offer",
];

fn words(dice: &mut Dice, count: u64) -> String {
    (0..count)
        .map(|_| WORDS[dice.roll(24) as usize])
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn vectors_find_what_shares_no_word() {
    let index = filled([
        passage(
            "a1",
            "The user cannot sign in after the password was changed.",
        ),
        passage("b1", "Lunch is at noon in the kitchen, bring plates."),
        passage(
            "c1",
            "Quarterly numbers will be sent to the board on Friday.",
        ),
    ]);
    let query = Query {
        arms: Arms::Vectors,
        ..Query::new("login problem with credentials", [AudienceId(1)], 3)
    };
    let page = index.search(&query).unwrap();
    assert_eq!(page.items[0].passage.id, "a1");
    assert!(page.items[0].cosine.unwrap() > page.items[1].cosine.unwrap());
    let both = Query {
        arms: Arms::Both,
        explain: true,
        ..query
    };
    assert_eq!(index.search(&both).unwrap().items[0].passage.id, "a1");
}

#[test]
fn weights_move_with_generations_and_survive() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(dir.path(), "log", Options::default()).unwrap();
    let mut dice = Dice(1);
    for batch in 0..5u64 {
        let ops: Vec<Op> = (0..500)
            .map(|i| Op::Put(passage(&format!("{batch}-{i}"), &words(&mut dice, 12))))
            .collect();
        index.apply(&ops, Seq(batch + 1)).unwrap();
        assert_eq!(index.stats().generation, [8, 9, 10, 10, 11][batch as usize]);
    }
    let query = Query::new("invoice quota", [AudienceId(1)], 10);
    let before: Vec<_> = index
        .search(&query)
        .unwrap()
        .items
        .into_iter()
        .map(|h| (h.passage.id, h.score))
        .collect();
    assert_eq!(index.verify().unwrap().problems, Vec::<String>::new());
    drop(index);
    let index = Index::open(dir.path(), "log", Options::default()).unwrap();
    let after: Vec<_> = index
        .search(&query)
        .unwrap()
        .items
        .into_iter()
        .map(|h| (h.passage.id, h.score))
        .collect();
    assert_eq!(before, after);
    drop(index);
    // Without its vectors a reader answers from full text and says so; a writer makes them again.
    fs::remove_file(dir.path().join("vectors-11.bin")).unwrap();
    let reader = Index::open_read_only(dir.path(), "log", Options::default()).unwrap();
    let page = reader.search(&query).unwrap();
    assert_eq!((page.items.len(), page.notes.len()), (10, 1));
    let index = Index::open(dir.path(), "log", Options::default()).unwrap();
    assert_eq!((index.notices().len(), index.applied()), (1, Seq(5)));
    let again: Vec<_> = index
        .search(&query)
        .unwrap()
        .items
        .into_iter()
        .map(|h| (h.passage.id, h.score))
        .collect();
    assert_eq!(before, again);
}

#[test]
fn what_stands_before_a_passage_helps_to_find_it_and_is_not_shown() {
    let index = filled([
        passage("a1", "Lunch is at noon."),
        Passage {
            context: "Does anybody know why the invoice export fails?".into(),
            ..passage("b1", "Yes, the disk was full.")
        },
    ]);
    let page = index
        .search(&Query::new("invoice export", [AudienceId(1)], 3))
        .unwrap();
    assert_eq!(page.items[0].passage.id, "b1");
    assert_eq!(page.items[0].snippet.text, "Yes, the disk was full.");
}

#[test]
fn what_resembles_a_ticket_is_found_by_its_title_and_text_near_it_in_time() {
    let ticket = |id: &str, text: &str, day: &str| Passage {
        kind: "ticket".into(),
        thread: id.into(),
        title: "Export fails".into(),
        occurred_at: format!("{day}T09:00:00Z").parse().unwrap(),
        ..passage(id, text)
    };
    let at_hand = ticket(
        "a1",
        "The quota of the billing disk is used up.",
        "2026-11-20",
    );
    let index = filled([
        at_hand.clone(),
        ticket("b1", "A font is missing in the page header.", "2026-11-19"),
        ticket(
            "c1",
            "Billing writes nothing, its disk is over quota.",
            "2024-01-01",
        ),
        ticket(
            "d1",
            "Billing writes nothing, its disk is over quota.",
            "2026-11-01",
        ),
    ]);
    assert_eq!(
        answer(&index, &Query::like(&at_hand, [AudienceId(1)], 3)),
        ["d1", "c1", "b1"]
    );
}
