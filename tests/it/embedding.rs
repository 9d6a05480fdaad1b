//! The vectors of a real model behind an OpenAI-compatible endpoint; `.ci/run` starts it (see `tests/embeddings/server.sh`).

use std::sync::Arc;

use daybrief::clock::Clock;
use daybrief::embedding::{EmbeddingConfig, Endpoint};
use daybrief::http::{Http, Options};
use daybrief_index::{AudienceId, Embedder, Index, Op, Passage, Query, Rescorer, Seq};

fn endpoint(batch: usize) -> Endpoint {
    let base_url = std::env::var("DAYBRIEF_EMBEDDINGS_URL").expect(
        "DAYBRIEF_EMBEDDINGS_URL names the endpoint; tests/embeddings/server.sh starts one",
    );
    // The second start in one process finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = EmbeddingConfig {
        base_url: Some(base_url),
        model: "intfloat/multilingual-e5-small".into(),
        batch,
        ..EmbeddingConfig::default()
    };
    let http = Http::new(Options::default(), Clock::System);
    config.endpoint(&http).unwrap().unwrap()
}

const ENGLISH: [&str; 5] = [
    "The antenna on the roof has to be screwed tight before winter.",
    "Payroll is late because the bank changed its file format.",
    "The build fails since the compiler was updated on Monday.",
    "Please book the train tickets for the workshop in Vienna.",
    "The backup server ran out of disk space last night.",
];

/// What each of the five is about, in other languages.
const ASKED: [(&str, usize); 6] = [
    ("Die Antenne auf dem Dach muss festgeschraubt werden", 0),
    ("Los salarios se retrasan por el formato del banco", 1),
    (
        "La compilation échoue depuis la mise à jour du compilateur",
        2,
    ),
    ("Zugfahrkarten für den Workshop in Wien buchen", 3),
    (
        "El servidor de copias de seguridad se quedó sin espacio en disco",
        4,
    ),
    (
        "O servidor de backup ficou sem espaço em disco ontem à noite",
        4,
    ),
];

#[test]
#[ignore = "needs the embedding endpoint that .ci/run starts"]
fn a_real_endpoint_answers_in_order_whatever_the_batch_and_across_languages() {
    let (by_two, at_once) = (endpoint(2), endpoint(32));
    let mut texts: Vec<&str> = ENGLISH.to_vec();
    texts.insert(2, "  ");
    let vectors = by_two.embed(&texts).unwrap();
    assert_eq!(by_two.dims(), vectors[0].len());
    assert!(
        vectors[2].iter().all(|value| *value == 0.0),
        "a text that says nothing is zeros"
    );
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    for (vector, again) in vectors.iter().zip(at_once.embed(&texts).unwrap()) {
        assert!(vector.is_empty() || dot(vector, &again) > 0.99 || dot(vector, vector) == 0.0);
    }
    for (question, expected) in ASKED {
        let asked = at_once.embed(&[question]).unwrap().remove(0);
        let english: Vec<f32> = at_once
            .embed(&ENGLISH)
            .unwrap()
            .iter()
            .map(|vector| dot(vector, &asked))
            .collect();
        let best = (0..ENGLISH.len())
            .max_by(|a, b| english[*a].total_cmp(&english[*b]))
            .unwrap();
        assert_eq!(best, expected, "{question}: {english:?}");
    }
}

#[test]
#[ignore = "needs the embedding endpoint that .ci/run starts"]
fn an_index_with_a_real_endpoint_finds_across_languages() {
    let index = Index::in_memory(daybrief_index::Options {
        rescorer: Some(Rescorer(Arc::new(endpoint(16)))),
        ..daybrief_index::Options::default()
    });
    let puts: Vec<Op> = ENGLISH
        .iter()
        .enumerate()
        .map(|(at, text)| Op::Put(passage(at, text)))
        .collect();
    index.apply(&puts, Seq(ENGLISH.len() as u64)).unwrap();
    assert_eq!(index.embed_more(100).unwrap().left, 0);
    for (question, expected) in ASKED {
        let query = Query::new(question, [AudienceId(1)], 5);
        let page = index.search(&query).unwrap();
        assert_eq!(page.items[0].passage.id, expected.to_string(), "{question}");
    }
}

fn passage(at: usize, text: &str) -> Passage {
    Passage {
        id: at.to_string(),
        event: at.to_string(),
        thread: at.to_string(),
        connector: "office".into(),
        kind: "conversation".into(),
        space: None,
        title: String::new(),
        text: text.to_owned(),
        context: String::new(),
        authors: Vec::new(),
        labels: Vec::new(),
        status: None,
        assignees: Vec::new(),
        language: Some("en".into()),
        audience: AudienceId(1),
        occurred_at: "2026-11-16T08:00:00Z".parse().unwrap(),
    }
}
