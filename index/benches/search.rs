//! Documents against time, memory and latency: `cargo bench -p daybrief-index -- [10000 100000 1000000]`.
//!
//! Texts and questions come from the judged sets under `DAYBRIEF_SHARED` (their passages in full, shuffled sentence by sentence
//! beyond the first round); without it both are made up. "Plain" is tantivy with the same fields, analyzers and threads, without
//! vectors; its queries are the very same unions, top ten, no filter, nothing read back.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use daybrief_index::{
    Arms, AudienceId, Embedder, Index, Op, Options, Passage, Query, Seq, Static, eval,
};

const SETS: [&str; 6] = [
    "jira-titanium",
    "jira-hadoop",
    "forum-qatar",
    "stackfaq",
    "slack-racket",
    "meetings-qmsum",
];

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        vec![10_000, 100_000]
    } else {
        sizes
    };
    let (texts, questions) = material();
    println!(
        "{} texts, {} questions, {} threads",
        texts.len(),
        questions.len(),
        std::thread::available_parallelism().map_or(1, |n| n.get())
    );
    embedding(&texts, &questions);
    println!(
        "passages | plain docs/s | hybrid docs/s | plain p50 ms | hybrid p50 | p95 | p99 | 1 % filter p50 | cold open+query ms | text MB | vectors MB | input MB | anonymous MB"
    );
    for size in sizes {
        curve(size, &texts, &questions);
    }
}

/// A generator that gives the same passages every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

fn material() -> (Vec<Passage>, Vec<String>) {
    let mut passages = Vec::new();
    let mut questions = Vec::new();
    if let Ok(shared) = std::env::var("DAYBRIEF_SHARED") {
        for set in SETS {
            let set = eval::read(&Path::new(&shared).join("data/search").join(set))
                .expect("DAYBRIEF_SHARED names the shared folder");
            passages.extend(set.passages);
            questions.extend(set.questions.into_iter().map(|q| q.text));
        }
    } else {
        let mut dice = Dice(7);
        let word = |dice: &mut Dice| {
            let n = dice
                .roll(20_000)
                .min(dice.roll(20_000))
                .min(dice.roll(20_000));
            ["lo", "ka", "ter", "min", "sol", "re", "dan", "vi"][n % 8].to_string()
                + ["gin", "che", "mo", "per", "ta", "ble"][n / 8 % 6]
                + &(n / 48).to_string()
        };
        let line =
            |dice: &mut Dice, n: usize| (0..n).map(|_| word(dice)).collect::<Vec<_>>().join(" ");
        for i in 0..10_000 {
            passages.push(passage(i, &line(&mut dice, 180)));
        }
        questions.extend((0..2_000).map(|_| line(&mut dice, 8)));
    }
    (passages, questions)
}

fn passage(number: usize, text: &str) -> Passage {
    Passage {
        id: format!("p{number}"),
        event: format!("e{number}"),
        thread: format!("t{}", number / 3),
        connector: "bench".into(),
        kind: "conversation".into(),
        space: Some(format!("space{}", number % 50)),
        title: String::new(),
        text: text.into(),
        authors: vec![format!("author{}", number % 200)],
        labels: Vec::new(),
        status: None,
        assignees: Vec::new(),
        language: None,
        audience: AudienceId(number as u64 % 100),
        occurred_at: jiff::Timestamp::from_second(1_700_000_000 + number as i64 * 60)
            .expect("a bench is not that long"),
    }
}

/// Returns passage `number`: the first round as they are, later ones mixed from the sentences of three.
fn nth(number: usize, texts: &[Passage], dice: &mut Dice) -> Passage {
    let original = &texts[number % texts.len()];
    if number < texts.len() {
        return Passage {
            title: original.title.clone(),
            kind: original.kind.clone(),
            ..passage(number, &original.text)
        };
    }
    let mut text = String::new();
    let wanted = original.text.len().min(4_000);
    while text.len() < wanted {
        let from = &texts[dice.roll(texts.len())].text;
        let sentences: Vec<&str> = from.split_inclusive(['.', '\n']).collect();
        let start = dice.roll(sentences.len().max(1));
        sentences
            .iter()
            .skip(start)
            .take(3)
            .for_each(|s| text.push_str(s));
        text.push(' ');
    }
    passage(number, &text)
}

fn embedding(texts: &[Passage], questions: &[String]) {
    let words: Vec<&str> = texts
        .iter()
        .flat_map(|p| p.text.split_whitespace())
        .take(360_000)
        .collect();
    let documents: Vec<String> = words.chunks(180).map(|c| c.join(" ")).collect();
    let embedder = Static::unweighted();
    let start = Instant::now();
    embedder
        .embed(&["open"])
        .expect("the built-in embedder cannot fail");
    let open_ms = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    for document in &documents {
        black_box(
            embedder
                .embed(&[document])
                .expect("the built-in embedder cannot fail"),
        );
    }
    let per_second = documents.len() as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    for question in questions {
        black_box(
            embedder
                .embed(&[question])
                .expect("the built-in embedder cannot fail"),
        );
    }
    let query_us = start.elapsed().as_secs_f64() * 1e6 / questions.len() as f64;
    println!(
        "embedding: first use {open_ms:.1} ms, {per_second:.0} documents of 180 words a second on one thread, {query_us:.1} us a question"
    );
}

fn fill(index: &Index, size: usize, texts: &[Passage]) -> (f64, usize) {
    let mut dice = Dice(1);
    let mut seconds = 0.0;
    let mut bytes = 0;
    let mut number = 0;
    while number < size {
        let batch: Vec<Op> = (number..(number + 5_000).min(size))
            .map(|n| Op::Put(nth(n, texts, &mut dice)))
            .collect();
        number += batch.len();
        bytes += batch
            .iter()
            .map(|op| {
                if let Op::Put(p) = op {
                    p.text.len() + p.title.len()
                } else {
                    0
                }
            })
            .sum::<usize>();
        let start = Instant::now();
        index
            .apply(&batch, Seq(number as u64))
            .expect("a temporary folder can be written");
        seconds += start.elapsed().as_secs_f64();
    }
    (size as f64 / seconds, bytes)
}

fn curve(size: usize, texts: &[Passage], questions: &[String]) {
    let plain_dir = tempfile::tempdir().expect("a temporary folder");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let plain_options = Options {
        vectors: false,
        ..Options::default()
    };
    let plain_index = Index::open(plain_dir.path(), "bench", plain_options).expect("a new index");
    let (plain_docs, _) = fill(&plain_index, size, texts);
    drop(plain_index);
    let index = Index::open(dir.path(), "bench", Options::default()).expect("a new index");
    let (docs, bytes) = fill(&index, size, texts);
    let step = (questions.len() / 400).max(1);
    let asked: Vec<&String> = questions.iter().step_by(step).collect();
    let everything: Vec<AudienceId> = (0..100).map(AudienceId).collect();
    let time = |work: &mut dyn FnMut(&str)| {
        asked.iter().take(40).for_each(|q| work(q));
        let mut times: Vec<f64> = asked
            .iter()
            .map(|q| {
                let start = Instant::now();
                work(q);
                start.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let at = |times: &[f64], share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let plain = time(&mut |q| drop(black_box(index.plain_top_ten(q).expect("a query"))));
    let hybrid = time(&mut |q| {
        drop(black_box(
            index
                .search(&Query::new(q, everything.clone(), 10))
                .expect("a query"),
        ))
    });
    let narrow = time(&mut |q| {
        drop(black_box(
            index
                .search(&Query::new(q, [AudienceId(7)], 10))
                .expect("a query"),
        ))
    });
    let stats = index.stats();
    let anonymous = anonymous_mb();
    exactness(&index, &asked, &everything);
    drop(index);
    let start = Instant::now();
    let cold =
        Index::open_read_only(dir.path(), "bench", Options::default()).expect("the index is there");
    cold.search(&Query::new(asked[0].as_str(), everything.clone(), 10))
        .expect("a query");
    let cold_ms = start.elapsed().as_secs_f64() * 1e3;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "{size} | {plain_docs:.0} | {docs:.0} ({:.2}x) | {:.2} | {:.2} ({:.2}x) | {:.2} | {:.2} ({:.2}x) | {:.2} | {cold_ms:.1} | {:.0} | {:.0} | {:.0} | {anonymous:.0}",
        docs / plain_docs,
        at(&plain, 0.5),
        at(&hybrid, 0.5),
        at(&hybrid, 0.5) / at(&plain, 0.5),
        at(&hybrid, 0.95),
        at(&hybrid, 0.99),
        at(&hybrid, 0.99) / at(&plain, 0.99),
        at(&narrow, 0.5),
        mb(stats.text_bytes),
        mb(stats.vector_bytes),
        mb(bytes as u64),
    );
}

/// Prints how much of the exact top ten the coarse pass keeps.
fn exactness(index: &Index, asked: &[&String], everything: &[AudienceId]) {
    let (mut kept, mut all) = (0, 0);
    for question in asked.iter().take(100) {
        let query = Query {
            snippets: false,
            ..Query::new(question.as_str(), everything.to_vec(), 10)
        };
        let fast = index.search(&query).expect("a query").items;
        let exact = index
            .search(&Query {
                exact: true,
                ..query
            })
            .expect("a query")
            .items;
        all += exact.len();
        kept += exact
            .iter()
            .filter(|e| fast.iter().any(|f| f.passage.id == e.passage.id))
            .count();
    }
    let vectors = |exact| Query {
        arms: Arms::Vectors,
        snippets: false,
        exact,
        ..Query::new("", everything.to_vec(), 10)
    };
    let (mut near, mut total) = (0, 0);
    for question in asked.iter().take(100) {
        let ids = |exact| -> Vec<String> {
            let query = Query {
                text: question.to_string(),
                ..vectors(exact)
            };
            index
                .search(&query)
                .expect("a query")
                .items
                .into_iter()
                .map(|h| h.passage.id)
                .collect()
        };
        let fast = ids(false);
        let exact = ids(true);
        total += exact.len();
        near += exact.iter().filter(|e| fast.contains(e)).count();
    }
    println!(
        "exactness of the top ten: hybrid {:.4}, vectors alone {:.4}",
        kept as f64 / all as f64,
        near as f64 / total as f64
    );
}

fn anonymous_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with("RssAnon"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1e3
}
