//! What callers rely on: writing, finding, filtering, and what happens to an index that is not what it should be.

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

/// Draws members, memberships and questions; audiences and passages change all the time.
fn nobody_reads_foreign_passages(draws: u64) {
    let mut dice = Dice(20_261_122);
    let index = Index::in_memory(Options::default());
    let mut audience_of: HashMap<String, u64> = HashMap::new();
    let mut members: Vec<std::collections::BTreeSet<AudienceId>> = (0..50)
        .map(|_| {
            (0..dice.roll(6))
                .map(|_| AudienceId(dice.roll(40)))
                .collect()
        })
        .collect();
    let mut found = 0;
    for draw in 0..draws {
        if draw % 2_000 == 0 {
            let ops = (0..200).map(|_| {
                let id = format!("p{}", dice.roll(3_000));
                if dice.roll(10) == 0 {
                    audience_of.remove(&id);
                    return Op::DeletePassage(id);
                }
                let audience = dice.roll(40);
                audience_of.insert(id.clone(), audience);
                let text = words(&mut dice, 8);
                Op::Put(Passage {
                    audience: AudienceId(audience),
                    ..passage(&id, &text)
                })
            });
            let ops: Vec<Op> = ops.collect();
            index.apply(&ops, Seq(draw + 1)).unwrap();
        }
        let member = dice.roll(50) as usize;
        if dice.roll(4) == 0 {
            let audience = AudienceId(dice.roll(40));
            if !members[member].remove(&audience) {
                members[member].insert(audience);
            }
        }
        let typed = match dice.roll(6) {
            0 => format!("\"{}\"", words(&mut dice, 1)),
            1 => format!("{} -{}", words(&mut dice, 2), words(&mut dice, 1)),
            2 => format!(
                "{}*",
                &words(&mut dice, 1).chars().take(3).collect::<String>()
            ),
            3 => "from:ana".to_string(),
            n => words(&mut dice, n - 3),
        };
        let mut query = parse(&typed, &jiff::tz::TimeZone::UTC).query(members[member].clone(), 5);
        query.group_by_thread = dice.roll(3) == 0;
        for hit in index.search(&query).unwrap().items {
            let audience = audience_of.get(&hit.passage.id).copied();
            assert_eq!(
                audience,
                Some(hit.passage.audience.0),
                "an old passage was found by {typed}"
            );
            assert!(
                members[member].contains(&hit.passage.audience),
                "a foreign passage was found by {typed}"
            );
            found += 1;
        }
    }
    assert!(found > draws / 2, "the draws prove nothing: {found} hits");
}

#[test]
fn random_members_never_read_foreign_passages() {
    nobody_reads_foreign_passages(3_000);
}

#[test]
#[ignore = "a million draws: cargo test --release -p daybrief-index -- --ignored a_million"]
fn a_million_draws_never_read_a_foreign_passage() {
    nobody_reads_foreign_passages(1_000_000);
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

/// The child of the next test: applies one passage a commit until it is killed.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(dir) = std::env::var("DAYBRIEF_INDEX_KILL_DIR") else {
        return;
    };
    let index = Index::open(Path::new(&dir), "log", Options::default()).unwrap();
    for seq in index.applied().0 + 1.. {
        let ops = [
            Op::Put(passage(&format!("k{seq}"), &format!("login number{seq}"))),
            Op::DeletePassage(format!("k{}", seq - 1)),
        ];
        index
            .apply(&ops[..if seq % 3 == 0 { 2 } else { 1 }], Seq(seq))
            .unwrap();
    }
}

#[test]
fn kill_9_loses_nothing_that_was_applied() {
    let dir = tempfile::tempdir().unwrap();
    let mut reached = 0;
    for round in 0..4u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "tests::child_that_writes_until_it_is_killed",
                "--nocapture",
            ])
            .env("DAYBRIEF_INDEX_KILL_DIR", dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400 + round * 173));
        child.kill().unwrap();
        child.wait().unwrap();
        let index = Index::open(dir.path(), "log", Options::default()).unwrap();
        let applied = index.applied().0;
        assert!(
            applied >= reached && index.notices().is_empty(),
            "{applied} {reached}"
        );
        reached = applied;
        let expected = (1..=applied)
            .filter(|seq| !((seq + 1) % 3 == 0 && *seq < applied))
            .count() as u64;
        assert_eq!(
            index.verify().unwrap(),
            Report {
                passages: expected,
                read: expected,
                problems: Vec::new()
            }
        );
    }
    assert!(reached > 0);
}

/// What any vector store has to do, asked through the index.
fn conforms(url: &str, collection: &str) {
    let dir = tempfile::tempdir().unwrap();
    let place = QdrantPlace {
        url: url.into(),
        collection: collection.into(),
        api_key: None,
    };
    let options = Options {
        qdrant: Some(place),
        ..Options::default()
    };
    let index = Index::open(dir.path(), "log", options.clone()).unwrap();
    let sign_in = "The user cannot sign in after the password was changed.";
    let ops = [
        Op::Put(passage("a1", sign_in)),
        Op::Put(Passage {
            audience: AudienceId(2),
            ..passage("b1", sign_in)
        }),
        Op::Put(Passage {
            space: Some("core".into()),
            kind: "ticket".into(),
            ..passage("c1", sign_in)
        }),
        Op::Put(Passage {
            occurred_at: "2020-01-01T00:00:00Z".parse().unwrap(),
            ..passage("d1", sign_in)
        }),
    ];
    index.apply(&ops, Seq(1)).unwrap();
    let ask = |text: &str| Query {
        arms: Arms::Vectors,
        ..typed(text)
    };
    let sorted = |query: Query| {
        let page = index.search(&query).unwrap();
        assert_eq!(page.notes, Vec::<String>::new());
        let mut ids: Vec<String> = page.items.into_iter().map(|h| h.passage.id).collect();
        ids.sort();
        ids.join(" ")
    };
    for (text, expected) in [
        ("login problem", "a1 c1 d1"),
        ("login problem in:core", "c1"),
        ("login problem kind:conversation", "a1 d1"),
        ("login problem after:2026-01-01", "a1 c1"),
        ("login problem before:2026-01-01", "d1"),
        ("login problem from:nobody", ""),
    ] {
        assert_eq!(sorted(ask(text)), expected, "{text}");
    }
    index
        .apply(
            &[
                Op::DeletePassage("a1".into()),
                Op::Put(passage("c1", "Lunch is at noon.")),
            ],
            Seq(2),
        )
        .unwrap();
    assert_eq!(sorted(ask("login problem")), "c1 d1");
    assert_eq!(
        sorted(Query {
            readable: [AudienceId(2)].into(),
            ..ask("login problem")
        }),
        "b1"
    );
    // A hundred more begin a new generation in a new collection.
    let ops: Vec<Op> = (0..100)
        .map(|i| {
            Op::Put(passage(
                &format!("n{i}"),
                &format!("note {i} on the deploy"),
            ))
        })
        .collect();
    index.apply(&ops, Seq(3)).unwrap();
    assert_eq!(index.stats().generation, 6);
    assert_eq!(
        sorted(Query {
            limit: 1,
            ..ask("cannot sign in")
        }),
        "d1"
    );
    drop(index);
    let index = Index::open(dir.path(), "log", options).unwrap();
    assert_eq!(
        index
            .search(&Query {
                limit: 1,
                ..ask("cannot sign in")
            })
            .unwrap()
            .items[0]
            .passage
            .id,
        "d1"
    );
}

#[test]
fn qdrant_answers_like_the_store_at_hand() {
    let server = crate::qdrant::fake::Fake::default().serve(0);
    conforms(&server.url, "briefs");
    let collections = server.fake.collections.lock().unwrap();
    let sizes: Vec<_> = collections
        .iter()
        .map(|(name, points)| (name.as_str(), points.len()))
        .collect();
    assert_eq!(
        sizes,
        [("briefs-6", 103)],
        "old collections and deleted points are removed"
    );
    assert!(
        server
            .fake
            .indexed
            .lock()
            .unwrap()
            .contains(&"audience".to_string())
    );
    drop(collections);
    // The same suite against the real one, for whoever has it: QDRANT_URL=http://localhost:6334.
    if let Ok(url) = std::env::var("QDRANT_URL") {
        conforms(&url, &format!("daybrief-test-{}", std::process::id()));
    }
}

#[test]
fn a_server_that_is_down_costs_only_the_vectors_share() {
    let fake = crate::qdrant::fake::Fake::default();
    let server = fake.clone().serve(0);
    let place = QdrantPlace {
        url: server.url.clone(),
        collection: "briefs".into(),
        api_key: None,
    };
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(
        dir.path(),
        "log",
        Options {
            qdrant: Some(place),
            ..Options::default()
        },
    )
    .unwrap();
    index
        .apply(&[Op::Put(passage("a1", "the login token expires"))], Seq(1))
        .unwrap();
    let port = server.url.rsplit_once(':').unwrap().1.parse().unwrap();
    drop(server);
    index
        .apply(
            &[Op::Put(passage("a2", "the login cookie expires"))],
            Seq(2),
        )
        .unwrap();
    let query = Query {
        arms: Arms::Both,
        ..typed("login")
    };
    let page = index.search(&query).unwrap();
    assert_eq!(
        (page.items.len(), page.notes),
        (
            2,
            vec!["Vectors are unavailable; answered from full text.".to_string()]
        )
    );
    let _server = fake.clone().serve(port);
    index
        .apply(&[Op::Put(passage("a3", "the login page"))], Seq(3))
        .unwrap();
    assert_eq!(
        fake.collections.lock().unwrap()["briefs-0"].len(),
        3,
        "what was missed is sent again"
    );
    let page = index.search(&query).unwrap();
    assert_eq!((page.items.len(), page.notes.len()), (3, 0));
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

/// A model of two dimensions that likes texts with one word.
#[derive(Clone)]
struct Likes {
    word: &'static str,
    is_down: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Likes {
    fn of(word: &'static str) -> Likes {
        Likes {
            word,
            is_down: Default::default(),
        }
    }

    fn options(&self) -> Options {
        Options {
            rescorer: Some(Rescorer(std::sync::Arc::new(self.clone()))),
            ..Options::default()
        }
    }
}

impl Embedder for Likes {
    fn model(&self) -> String {
        format!("likes-{}", self.word)
    }

    fn dims(&self) -> usize {
        2
    }

    fn embed(&self, texts: &[&str]) -> anyhow::Result<Vec<Vec<f32>>> {
        anyhow::ensure!(!self.is_down.load(Ordering::Relaxed), "nobody listens");
        let one = |text: &&str| {
            let liked = text.contains(self.word) || *text == "login";
            vec![f32::from(liked), f32::from(!liked)]
        };
        Ok(texts.iter().map(one).collect())
    }

    fn of_model(&self, model: &str) -> Option<std::sync::Arc<dyn Embedder>> {
        let words = ["page", "token"];
        let word = words.into_iter().find(|w| model == format!("likes-{w}"))?;
        Some(std::sync::Arc::new(Likes {
            word,
            ..self.clone()
        }))
    }
}

#[test]
fn another_model_places_the_best_answers_anew_and_changes_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        passage("a1", "login token login token"),
        passage("b1", "the login page"),
        passage("c1", "lunch at noon"),
    ];
    let (page, token) = (Likes::of("page"), Likes::of("token"));
    let first = |index: &Index| {
        let page = index
            .search(&Query::new("login", [AudienceId(1)], 3))
            .unwrap();
        assert_eq!(page.notes, Vec::<String>::new());
        page.items[0].passage.id.clone()
    };
    let index = Index::open(dir.path(), "log", page.options()).unwrap();
    index.apply(&texts.map(Op::Put), Seq(1)).unwrap();
    assert_eq!(
        first(&index),
        "a1",
        "the built-in vectors answer before the model has come far"
    );
    let backlog = index.embed_more(2).unwrap();
    assert_eq!(
        backlog,
        Backlog {
            model: "likes-page".into(),
            answering: None,
            left: 1
        }
    );
    assert_eq!(first(&index), "a1");
    let backlog = index.embed_more(2).unwrap();
    assert_eq!(
        (backlog.answering.as_deref(), backlog.left),
        (Some("likes-page"), 0)
    );
    assert_eq!(first(&index), "b1");
    drop(index);
    // Another model is configured: the old one answers until the new one has all vectors.
    let index = Index::open(dir.path(), "log", token.options()).unwrap();
    assert_eq!(first(&index), "b1");
    let backlog = index.embed_more(2).unwrap();
    assert_eq!(
        (backlog.answering.as_deref(), backlog.left),
        (Some("likes-page"), 1)
    );
    assert_eq!(first(&index), "b1");
    assert_eq!(
        index.embed_more(2).unwrap().answering.as_deref(),
        Some("likes-token")
    );
    assert_eq!(first(&index), "a1");
    let files = || {
        fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("model-"))
            .count()
    };
    assert_eq!(files(), 1, "the old model's vectors are removed");
    let reader = Index::open_read_only(dir.path(), "log", token.options()).unwrap();
    assert_eq!(first(&reader), "a1");
    assert!(reader.embed_more(1).is_err());
    // An endpoint that is down costs its share of the answer and says so.
    token.is_down.store(true, Ordering::Relaxed);
    let answered = index
        .search(&Query::new("login", [AudienceId(1)], 3))
        .unwrap();
    assert_eq!((answered.items.len(), answered.notes.len()), (3, 1));
    token.is_down.store(false, Ordering::Relaxed);
    // What is built again has other rows, so that no vector may stay.
    index
        .rebuild([(Op::Put(passage("b1", "the login page")), Seq(1))].into_iter())
        .unwrap();
    assert_eq!((index.embed_more(0).unwrap().left, files()), (1, 0));
}

fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        Just("from:".to_string()),
        Just("colour:".to_string()),
        Just("-".to_string()),
        Just("\"".to_string()),
        Just("“".to_string()),
        Just("before:9999-99-99 ".to_string()),
        Just("after:-1d ".to_string()),
        Just("*".to_string()),
        Just("\u{0}\u{7}\u{1b}[2J".to_string()),
        Just("\u{202e}\u{200b}\u{feff}".to_string()),
        Just("login ".to_string()),
        Just("e\u{301}\u{301}\u{301}".to_string()),
        "\\PC{0,12}",
        "[a-z]{1,4}:\"?[a-z,]{0,6}",
    ];
    (
        proptest::collection::vec(piece, 0..12),
        prop_oneof![9 => Just(1usize), 1 => Just(2_000)],
    )
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn hostile_questions_and_texts_get_a_calm_answer(typed in hostile(), written in hostile()) {
        let index = filled([passage("a1", &written), passage("b1", "the login page")]);
        let query = parse(&typed, &jiff::tz::TimeZone::UTC).query([AudienceId(1)].into(), 5);
        let page = index.search(&Query { explain: true, ..query }).unwrap();
        for hit in page.items {
            let text = &hit.snippet.text;
            proptest::prop_assert!(text.len() < 50_000 && !text.chars().any(char::is_control));
            proptest::prop_assert!(hit.snippet.highlights.iter().all(|r| text.get(r.clone()).is_some()));
            proptest::prop_assert!(hit.score.is_finite());
        }
    }
}
