//! What any vector store has to do, asked through the index, and what happens while one is down.

use super::*;

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
