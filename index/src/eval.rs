//! Runs a folder of judged questions through the real index, so that a figure is the figure of what people use.
//!
//! The folder is BEIR-like: `corpus.jsonl`, `queries.jsonl` (both may end in `.gz`) and `qrels.tsv`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Arms, AudienceId, Explanation, Index, Op, Passage, Query, Recency, Seq};

/// Everyone in a judged set may read everything.
const EVERYONE: AudienceId = AudienceId(1);

/// One document of a judged set; fields that are not named here are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    id: String,
    title: String,
    text: String,
    kind: Option<String>,
    date: Option<String>,
    lang: Option<String>,
    status: Option<String>,
    author: Option<String>,
}

/// One judged question.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Question {
    /// The question's id.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// The long form of the question: a ticket's description.
    pub body: String,
    /// Documents that do not count: the ticket whose duplicates are looked for.
    pub exclude: Vec<String>,
}

/// A judged set in memory.
pub struct Set {
    /// The documents, as passages everyone may read.
    pub passages: Vec<Passage>,
    /// The questions in order.
    pub questions: Vec<Question>,
    /// For each question, how relevant its documents are; not listed is not relevant.
    pub judged: HashMap<String, HashMap<String, u32>>,
}

/// The usual measures, averaged over the judged questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Gain 2^relevance − 1, discounted by the logarithm of the rank, against the best order.
    pub ndcg_10: f64,
    /// One over the rank of the first relevant document among ten.
    pub mrr_10: f64,
    /// The share of the relevant documents among the first hundred.
    pub recall_100: f64,
    /// How many questions were judged.
    pub questions: usize,
}

/// Reads a folder.
pub fn read(dir: &Path) -> Result<Set> {
    let mut passages = Vec::new();
    for document in lines::<Document>(&dir.join("corpus.jsonl"))? {
        passages.push(passage(document));
    }
    let questions = lines::<Question>(&dir.join("queries.jsonl"))?;
    let mut judged: HashMap<String, HashMap<String, u32>> = HashMap::new();
    for line in open(&dir.join("qrels.tsv"))?.lines().skip(1) {
        let line = line?;
        let mut columns = line.split('\t');
        if let (Some(question), Some(document), Some(grade)) =
            (columns.next(), columns.next(), columns.next())
            && let Ok(grade @ 1..) = grade.trim().parse()
        {
            judged
                .entry(question.to_string())
                .or_default()
                .insert(document.to_string(), grade);
        }
    }
    Ok(Set {
        passages,
        questions,
        judged,
    })
}

fn passage(document: Document) -> Passage {
    let kind = match document.kind.as_deref().unwrap_or_default() {
        "ticket" => "ticket",
        "chat" => "conversation",
        "thread" | "reply" => "topic",
        "transcript" => "recording",
        "mail" => "mail",
        _ => "document",
    };
    let day = document
        .date
        .as_deref()
        .and_then(|d| d.get(..10))
        .map(|d| format!("{d}T12:00:00Z"));
    Passage {
        event: document.id.clone(),
        thread: document.id.clone(),
        id: document.id,
        connector: "set".into(),
        kind: kind.into(),
        space: None,
        title: document.title,
        text: document.text,
        context: String::new(),
        authors: document.author.into_iter().collect(),
        labels: Vec::new(),
        status: document.status,
        assignees: Vec::new(),
        language: document.lang,
        audience: EVERYONE,
        occurred_at: day
            .and_then(|d| d.parse().ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn open(path: &Path) -> Result<BufReader<Box<dyn Read>>> {
    let packed = path.with_extension(format!(
        "{}.gz",
        path.extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default()
    ));
    let reader: Box<dyn Read> = if path.exists() {
        Box::new(File::open(path)?)
    } else {
        let file = File::open(&packed)
            .with_context(|| format!("there is neither {} nor its .gz", path.display()))?;
        Box::new(MultiGzDecoder::new(file))
    };
    Ok(BufReader::new(reader))
}

fn lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>> {
    let mut out = Vec::new();
    for (number, line) in open(path)?.lines().enumerate() {
        let line = line?;
        if !line.trim().is_empty() {
            let read = serde_json::from_str(&line);
            out.push(read.with_context(|| format!("{} line {}", path.display(), number + 1))?);
        }
    }
    Ok(out)
}

/// Fills an index with a set's documents.
pub fn fill(index: &Index, set: &Set) -> Result<()> {
    let ops: Vec<Op> = set.passages.iter().cloned().map(Op::Put).collect();
    index.apply(&ops, Seq(set.passages.len() as u64))
}

/// How a set's questions are asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking {
    /// Which arms answer.
    pub arms: Arms,
    /// Asks the short form alone, where a question has a long one too.
    pub short: bool,
}

/// Returns a question as the index is asked it. A question that stands for a ticket of the set (it excludes that) is the
/// question what resembles it, and is asked like [`Query::like`] asks; its text is the question's own.
fn query(set: &Set, question: &Question, asking: Asking) -> Query {
    let at_hand = question
        .exclude
        .iter()
        .find_map(|id| set.passages.iter().find(|p| p.id == *id))
        .filter(|p| p.kind == "ticket" && p.occurred_at != Timestamp::UNIX_EPOCH && !asking.short);
    Query {
        arms: asking.arms,
        snippets: false,
        body: if asking.short {
            String::new()
        } else {
            question.body.clone()
        },
        without: question.exclude.iter().cloned().collect(),
        recency: at_hand.map(|p| Recency::around(p.occurred_at)),
        ..Query::new(&question.text, [EVERYONE], 100)
    }
}

/// Asks every question, writes one line for each (`{"qid", "docs": [{"id", "score"}]}`) and returns the measures.
pub fn run(index: &Index, set: &Set, asking: Asking, out: &mut dyn Write) -> Result<Metrics> {
    let mut total = Metrics::default();
    for question in &set.questions {
        let query = query(set, question, asking);
        let page = index.search(&query)?;
        let documents: Vec<_> = page
            .items
            .iter()
            .map(|hit| serde_json::json!({"id": hit.passage.thread, "score": hit.score}))
            .collect();
        serde_json::to_writer(
            &mut *out,
            &serde_json::json!({"qid": question.id, "docs": documents}),
        )?;
        writeln!(out)?;
        if let Some(judged) = set.judged.get(&question.id) {
            // Ties go by id, as in score.py, so that both print the same figures.
            let mut ranked: Vec<(f32, &str)> = page
                .items
                .iter()
                .map(|hit| (hit.score, hit.passage.thread.as_str()))
                .collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let ranked: Vec<&str> = ranked.into_iter().map(|r| r.1).collect();
            total.add(&ranked, judged);
        }
    }
    // Judged questions that were never asked count as zero.
    let asked: HashSet<&str> = set.questions.iter().map(|q| q.id.as_str()).collect();
    total.questions += set
        .judged
        .keys()
        .filter(|q| !asked.contains(q.as_str()))
        .count();
    Ok(total.mean())
}

/// A set's questions with what was found for each, every part of every score kept: for weighing the parts anew.
pub struct Explained {
    found: Vec<Found>,
}

/// What one question found, and how relevant its documents are.
struct Found {
    hits: Vec<(String, Explanation)>,
    judged: HashMap<String, u32>,
}

/// Asks every judged question as [`run`] does.
pub fn explained(index: &Index, set: &Set) -> Result<Explained> {
    let mut found = Vec::new();
    for question in &set.questions {
        if let Some(judged) = set.judged.get(&question.id) {
            let asked = Query {
                explain: true,
                ..query(set, question, Asking::default())
            };
            let items = index.search(&asked)?.items.into_iter();
            found.push(Found {
                hits: items
                    .map(|hit| (hit.passage.thread, hit.explanation.unwrap_or_default()))
                    .collect(),
                judged: judged.clone(),
            });
        }
    }
    Ok(Explained { found })
}

impl Explained {
    /// Returns the measures of the same hits in the order of another score.
    pub fn judged_by(&self, score: impl Fn(&Explanation) -> f32) -> Metrics {
        let mut total = Metrics::default();
        for found in &self.found {
            let mut ranked: Vec<(f32, &str)> = found
                .hits
                .iter()
                .map(|(id, parts)| (score(parts), id.as_str()))
                .collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let ranked: Vec<&str> = ranked.into_iter().map(|r| r.1).collect();
            total.add(&ranked, &found.judged);
        }
        total.mean()
    }
}

impl Metrics {
    fn add(&mut self, ranked: &[&str], judged: &HashMap<String, u32>) {
        let gain = |grade: u32| f64::from(2u32.saturating_pow(grade) - 1);
        let discount = |rank: usize| (rank as f64 + 2.0).log2();
        let mut seen = BTreeMap::new();
        let grades: Vec<u32> = ranked
            .iter()
            .filter(|id| seen.insert(**id, ()).is_none())
            .map(|id| judged.get(*id).copied().unwrap_or(0))
            .collect();
        let dcg: f64 = grades
            .iter()
            .take(10)
            .enumerate()
            .map(|(rank, g)| gain(*g) / discount(rank))
            .sum();
        let mut best: Vec<u32> = judged.values().copied().collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        let ideal: f64 = best
            .iter()
            .take(10)
            .enumerate()
            .map(|(rank, g)| gain(*g) / discount(rank))
            .sum();
        self.ndcg_10 += dcg / ideal;
        self.mrr_10 += grades
            .iter()
            .take(10)
            .position(|g| *g > 0)
            .map_or(0.0, |rank| 1.0 / (rank as f64 + 1.0));
        let found = grades.iter().take(100).filter(|g| **g > 0).count();
        self.recall_100 += found as f64 / judged.len() as f64;
        self.questions += 1;
    }

    fn mean(self) -> Metrics {
        let n = self.questions.max(1) as f64;
        Metrics {
            ndcg_10: self.ndcg_10 / n,
            mrr_10: self.mrr_10 / n,
            recall_100: self.recall_100 / n,
            ..self
        }
    }
}
