//! Documents against time, memory and latency:
//! `cargo bench -p daybrief-index -- [--svg FILE] [--keep DIR] [10000 100000 1000000]`.
//!
//! Texts and questions come from the judged sets under `DAYBRIEF_SHARED` (their passages in full, shuffled sentence by sentence
//! beyond the first round); without it both are made up. "Plain" is tantivy with the same fields, analyzers and threads, without
//! vectors; its queries are the very same unions, top ten, no filter, nothing read back. Questions are asked in full by two
//! threads at once. Every ratio is of one run, and plain and hybrid take turns question by question, so that a busy machine
//! slows both. A folder that is kept spares the next run the making of its indexes, and gives it their rates.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use daybrief_index::{
    Arms, AudienceId, Embedder, Index, Op, Options, Passage, Query, Seq, Static, eval,
};

/// A question, and its long form where it has one.
type Asked = (String, String);

const SETS: [&str; 6] = [
    "jira-titanium",
    "jira-hadoop",
    "forum-qatar",
    "stackfaq",
    "slack-racket",
    "meetings-qmsum",
];

fn main() {
    if let Ok(dir) = std::env::var("DAYBRIEF_BENCH_COLD") {
        return cold_search(Path::new(&dir));
    }
    if let Ok(dir) = std::env::var("DAYBRIEF_BENCH_SERVE") {
        return serve(Path::new(&dir));
    }
    let args: Vec<String> = std::env::args().collect();
    let named = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1)
    };
    let svg = named("--svg");
    let keep = named("--keep").map(Path::new);
    let sizes: Vec<usize> = args.iter().filter_map(|a| a.parse().ok()).collect();
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
    let rows: Vec<Row> = sizes
        .into_iter()
        .map(|size| curve(size, &texts, &questions, keep))
        .collect();
    print!("{}", table(&rows));
    if let Some(path) = svg {
        std::fs::write(path, drawing(&rows)).expect("the drawing can be written");
    }
}

/// What one size costs.
struct Row {
    size: usize,
    plain_docs: f64,
    docs: f64,
    plain: [f64; 3],
    hybrid: [f64; 3],
    short: [f64; 2],
    narrow_p50: f64,
    cold_ms: f64,
    input_mb: f64,
    folder_mb: f64,
    serving_mb: f64,
    exactness: (f64, f64),
    fresh_p99_ms: f64,
}

fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &dyn Fn(&Row) -> String| {
        let cells: Vec<String> = rows.iter().map(value).collect();
        out.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    };
    line("passages", &|r| r.size.to_string());
    line("---", &|_| "---".into());
    line("plain tantivy, documents a second", &|r| {
        format!("{:.0}", r.plain_docs)
    });
    line("with vectors, documents a second", &|r| {
        format!("{:.0} ({:.2} ×)", r.docs, r.docs / r.plain_docs)
    });
    line("plain BM25 p50 / p99 ms", &|r| {
        format!("{:.2} / {:.2}", r.plain[0], r.plain[2])
    });
    line("hybrid p50 ms", &|r| {
        format!("{:.2} ({:.2} ×)", r.hybrid[0], r.hybrid[0] / r.plain[0])
    });
    line("hybrid p95 / p99 ms", &|r| {
        format!(
            "{:.2} / {:.2} ({:.2} ×)",
            r.hybrid[1],
            r.hybrid[2],
            r.hybrid[2] / r.plain[2]
        )
    });
    line("short questions: plain / hybrid p50 ms", &|r| {
        let [plain, hybrid] = r.short;
        format!("{plain:.2} / {hybrid:.2} ({:.2} ×)", hybrid / plain)
    });
    line("hybrid under a 1 % audience, p50 ms", &|r| {
        format!("{:.2}", r.narrow_p50)
    });
    line("a new process opens, asks and ends, ms", &|r| {
        format!("{:.0}", r.cold_ms)
    });
    line("text put in, MB", &|r| format!("{:.0}", r.input_mb));
    line("folder, MB", &|r| {
        format!("{:.0} ({:.2} ×)", r.folder_mb, r.folder_mb / r.input_mb)
    });
    line("anonymous memory and vector file, MB", &|r| {
        format!("{:.0}", r.serving_mb)
    });
    line("top ten as without signs: both / vectors", &|r| {
        format!("{:.3} / {:.3}", r.exactness.0, r.exactness.1)
    });
    line("put → searchable p99 at 500 a second, ms", &|r| {
        format!("{:.0}", r.fresh_p99_ms)
    });
    out
}

/// Draws three small charts side by side: rate, latency and memory against passages, both axes logarithmic.
fn drawing(rows: &[Row]) -> String {
    type Line = (&'static str, fn(&Row) -> f64);
    let charts: [(&str, &[Line]); 3] = [
        (
            "documents a second",
            &[("plain", |r| r.plain_docs), ("with vectors", |r| r.docs)],
        ),
        (
            "a question, ms",
            &[
                ("plain p50", |r| r.plain[0]),
                ("hybrid p50", |r| r.hybrid[0]),
                ("hybrid p99", |r| r.hybrid[2]),
            ],
        ),
        (
            "MB",
            &[
                ("text", |r| r.input_mb),
                ("folder", |r| r.folder_mb),
                ("memory", |r| r.serving_mb),
            ],
        ),
    ];
    let colors = ["#888888", "#2b6cb0", "#c05621"];
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"280\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"900\" height=\"280\" fill=\"white\"/>\n",
    );
    for (n, (title, lines)) in charts.iter().enumerate() {
        let left = 40.0 + n as f64 * 300.0;
        let all: Vec<f64> = lines
            .iter()
            .flat_map(|l| rows.iter().map(l.1))
            .map(|v| v.max(1e-3).log10())
            .collect();
        let low = all.iter().copied().fold(f64::MAX, f64::min).floor();
        let high = all
            .iter()
            .copied()
            .fold(f64::MIN, f64::max)
            .ceil()
            .max(low + 1.0);
        let y = |value: f64| 230.0 - (value.max(1e-3).log10() - low) / (high - low) * 180.0;
        let first = rows.first().map_or(1.0, |r| r.size as f64).log10();
        let last = rows
            .last()
            .map_or(10.0, |r| r.size as f64)
            .log10()
            .max(first + 1e-9);
        let x =
            |size: usize| left + 10.0 + ((size as f64).log10() - first) / (last - first) * 200.0;
        out += &format!("<text x=\"{left}\" y=\"20\" font-size=\"13\">{title}</text>\n");
        for step in low as i32..=high as i32 {
            let value = 10f64.powi(step);
            out += &format!(
                "<line x1=\"{left}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
                left + 220.0,
                left - 4.0,
                y(value) + 4.0,
                y = y(value)
            );
        }
        for row in rows {
            out += &format!(
                "<text x=\"{:.1}\" y=\"246\" text-anchor=\"middle\">{}</text>\n",
                x(row.size),
                row.size
            );
        }
        for (i, (name, value)) in lines.iter().enumerate() {
            let color = colors[i];
            let points: Vec<String> = rows
                .iter()
                .map(|r| format!("{:.1},{:.1}", x(r.size), y(value(r))))
                .collect();
            out += &format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/><text x=\"{:.1}\" y=\"268\" fill=\"{color}\">{name}</text>\n",
                points.join(" "),
                left + i as f64 * 75.0
            );
        }
    }
    out + "</svg>\n"
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

fn material() -> (Vec<Passage>, Vec<Asked>) {
    let mut passages = Vec::new();
    let mut questions = Vec::new();
    if let Ok(shared) = std::env::var("DAYBRIEF_SHARED") {
        for set in SETS {
            let set = eval::read(&Path::new(&shared).join("data/search").join(set))
                .expect("DAYBRIEF_SHARED names the shared folder");
            passages.extend(set.passages);
            questions.extend(set.questions.into_iter().map(|q| (q.text, q.body)));
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
        questions.extend((0..2_000).map(|n| {
            // A third of the judged questions have a long form too.
            let long = if n % 3 == 0 { 120 } else { 0 };
            (line(&mut dice, 8), line(&mut dice, long))
        }));
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
        context: String::new(),
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

fn embedding(texts: &[Passage], questions: &[Asked]) {
    let words: Vec<&str> = texts
        .iter()
        .flat_map(|p| p.text.split_whitespace())
        .take(360_000)
        .collect();
    let documents: Vec<String> = words.chunks(180).map(|c| c.join(" ")).collect();
    let start = Instant::now();
    let embedder = Static::unweighted();
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
                .embed(&[&question.0])
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

/// What making the indexes has cost.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
struct Made {
    plain_docs: f64,
    docs: f64,
    bytes: usize,
    folder: u64,
    fresh_p99_ms: f64,
}

/// Makes both indexes in a folder, unless an earlier run has.
fn make(dir: &Path, size: usize, texts: &[Passage]) -> Made {
    let known = std::fs::read(dir.join("made.json")).ok();
    if let Some(made) = known.and_then(|known| serde_json::from_slice(&known).ok()) {
        return made;
    }
    let (plain_docs, _) = fill(&open(&dir.join("plain"), false), size, texts);
    let index = open(&dir.join("both"), true);
    let (docs, bytes) = fill(&index, size, texts);
    let stats = index.stats();
    let made = Made {
        plain_docs,
        docs,
        bytes,
        folder: stats.text_bytes + stats.vector_bytes,
        fresh_p99_ms: freshness(&index, size, texts),
    };
    let json = serde_json::to_vec(&made).expect("a few numbers are JSON");
    std::fs::write(dir.join("made.json"), json).expect("a temporary folder can be written");
    made
}

fn open(dir: &Path, vectors: bool) -> Index {
    let options = Options {
        vectors,
        ..Options::default()
    };
    Index::open(dir, "bench", options).expect("a folder of our own")
}

/// Returns the middle and the slowest times, in milliseconds, of plain, hybrid and hybrid under a narrow audience.
fn latencies(index: &Index, asked: &[&Asked], everything: &[AudienceId]) -> [[f64; 3]; 3] {
    let ask = |mine: usize| {
        let mut times: [Vec<f64>; 3] = Default::default();
        let mine: Vec<&&Asked> = asked.iter().skip(mine).step_by(2).collect();
        for (round, (text, body)) in mine.iter().take(20).chain(&mine).enumerate() {
            let query = |audiences: &[AudienceId]| Query {
                body: body.clone(),
                ..Query::new(text.as_str(), audiences.to_vec(), 10)
            };
            let (all, few) = (query(everything), query(&[AudienceId(7)]));
            let works: [&dyn Fn(); 3] = [
                &|| {
                    black_box(index.plain_top_ten(&all).expect("a query"));
                },
                &|| drop(black_box(index.search(&all).expect("a query"))),
                &|| drop(black_box(index.search(&few).expect("a query"))),
            ];
            for (times, work) in times.iter_mut().zip(works) {
                let once = || {
                    let start = Instant::now();
                    work();
                    start.elapsed().as_secs_f64() * 1e3
                };
                // The least of three: what else the machine does is not what is asked for.
                let least = once().min(once()).min(once());
                if round >= 20 {
                    times.push(least);
                }
            }
        }
        times
    };
    let (mut times, more) = std::thread::scope(|scope| {
        let other = scope.spawn(|| ask(1));
        (ask(0), other.join().expect("the other asker has answers"))
    });
    for (times, more) in times.iter_mut().zip(more) {
        times.extend(more);
        times.sort_by(f64::total_cmp);
    }
    times.map(|times| {
        let place = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        [place(0.5), place(0.95), place(0.99)]
    })
}

fn curve(size: usize, texts: &[Passage], questions: &[Asked], keep: Option<&Path>) -> Row {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let dir = match keep {
        Some(keep) => keep.join(size.to_string()),
        None => temporary.path().to_path_buf(),
    };
    std::fs::create_dir_all(&dir).expect("the folder can be made");
    let made = make(&dir, size, texts);
    let index = open(&dir.join("both"), true);
    let step = (questions.len() / 400).max(1);
    let asked: Vec<&Asked> = questions.iter().step_by(step).collect();
    let titles: Vec<Asked> = asked.iter().map(|a| (a.0.clone(), String::new())).collect();
    let everything: Vec<AudienceId> = (0..100).map(AudienceId).collect();
    let [plain, hybrid, narrow] = latencies(&index, &asked, &everything);
    let short = latencies(&index, &titles.iter().collect::<Vec<_>>(), &everything);
    let stats = index.stats();
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let exactness = exactness(&index, &asked, &everything);
    drop(index);
    let both = dir.join("both");
    let mut cold: Vec<f64> = (0..5)
        .map(|_| alone("DAYBRIEF_BENCH_COLD", &both, &asked[0].0).0)
        .collect();
    cold.sort_by(f64::total_cmp);
    let json = serde_json::to_vec(&asked).expect("pairs are JSON");
    std::fs::write(dir.join("asked.json"), json).expect("the folder can be written");
    let served = alone("DAYBRIEF_BENCH_SERVE", &both, "").1;
    Row {
        size,
        plain_docs: made.plain_docs,
        docs: made.docs,
        plain,
        hybrid,
        short: [short[0][0], short[1][0]],
        narrow_p50: narrow[0],
        cold_ms: cold[2],
        input_mb: mb(made.bytes as u64),
        folder_mb: mb(made.folder),
        serving_mb: served.trim().parse().unwrap_or(f64::NAN) + mb(stats.vector_bytes),
        exactness,
        fresh_p99_ms: made.fresh_p99_ms,
    }
}

/// Returns the 99th percentile of the time from a passage's arrival to its being searchable, with 500 arriving a second and
/// everything that has arrived going into one commit.
fn freshness(index: &Index, size: usize, texts: &[Passage]) -> f64 {
    const A_SECOND: usize = 500;
    const SECONDS: usize = 6;
    let mut dice = Dice(2);
    let coming: Vec<Op> = (0..A_SECOND * SECONDS)
        .map(|n| {
            let from = size + n;
            Op::Put(nth(from, texts, &mut dice))
        })
        .collect();
    let start = Instant::now();
    let arrival = |n: usize| n as f64 / A_SECOND as f64;
    let mut waits = Vec::with_capacity(coming.len());
    let mut done = 0;
    while done < coming.len() {
        let now = start.elapsed().as_secs_f64();
        let arrived = ((now * A_SECOND as f64) as usize + 1).min(coming.len());
        if arrived == done {
            std::thread::sleep(std::time::Duration::from_millis(2));
            continue;
        }
        index
            .apply(&coming[done..arrived], Seq((size + arrived) as u64))
            .expect("a temporary folder can be written");
        let now = start.elapsed().as_secs_f64();
        waits.extend((done..arrived).map(|n| (now - arrival(n)) * 1e3));
        done = arrived;
    }
    waits.sort_by(f64::total_cmp);
    waits[(waits.len() - 1) * 99 / 100]
}

/// Runs this program again for something it does alone, and returns its whole life in milliseconds and what it printed.
fn alone(what: &str, dir: &Path, question: &str) -> (f64, String) {
    let start = Instant::now();
    let ended =
        std::process::Command::new(std::env::current_exe().expect("this program has a path"))
            .env(what, dir)
            .env("DAYBRIEF_BENCH_QUESTION", question)
            .output()
            .expect("this program can be run again");
    assert!(ended.status.success(), "{what} failed");
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    (start.elapsed().as_secs_f64() * 1e3, printed)
}

/// Does what `daybrief search` does with the index.
fn cold_search(dir: &Path) {
    let question = std::env::var("DAYBRIEF_BENCH_QUESTION").unwrap_or_default();
    let index =
        Index::open_read_only(dir, "bench", Options::default()).expect("the index is there");
    let query = Query::new(question, (0..100).map(AudienceId), 10);
    let page = index.search(&query).expect("a query");
    println!("{}", page.items.len());
}

/// Answers the questions by two threads, as a server does, and prints the anonymous memory it has come to.
fn serve(dir: &Path) {
    let questions = std::fs::read(dir.join("../asked.json")).expect("the questions are there");
    let questions: Vec<Asked> = serde_json::from_slice(&questions).expect("they are pairs");
    let index = open(dir, true);
    let ask = |mine: usize| {
        for (text, body) in questions.iter().skip(mine).step_by(2) {
            let query = Query {
                body: body.clone(),
                ..Query::new(text.as_str(), (0..100).map(AudienceId), 10)
            };
            black_box(index.search(&query).expect("a query"));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| ask(1));
        ask(0);
    });
    println!("{}", anonymous_mb());
}

/// Returns how much of the exact top ten the coarse pass keeps, in both arms' answer and in the vectors' alone.
fn exactness(index: &Index, asked: &[&Asked], everything: &[AudienceId]) -> (f64, f64) {
    let (mut kept, mut all) = (0, 0);
    for question in asked.iter().take(100) {
        let query = Query {
            snippets: false,
            body: question.1.clone(),
            ..Query::new(question.0.as_str(), everything.to_vec(), 10)
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
                text: question.0.clone(),
                body: question.1.clone(),
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
    (kept as f64 / all as f64, near as f64 / total as f64)
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
