//! Embedded hybrid search for conversations and tickets.
//!
//! The crate knows passages and queries; it knows no Slack and no SQL. A caller feeds it the operations of an event log in
//! order ([`Index::apply`]) and asks it questions ([`Index::search`]) that always say which audiences the asker may read.
//! Nothing in an index is a source of truth: a foreign, old or damaged one is put aside when it is opened, and
//! [`Index::applied`] then tells the caller from where to feed it again.
//!
//! Reading order: `passage` (the words) → `parse` (what people type) → `analyze` (text into tokens) → `lexical` (full text) →
//! `snippet` (what is shown).

mod passage;

mod parse;

mod analyze;

mod lexical;

mod snippet;

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tantivy::{IndexWriter, TantivyDocument, Term};

use crate::lexical::Lexical;
pub use crate::parse::{ParsedQuery, parse, parse_at};
pub use crate::passage::{
    Arms, AudienceId, Explanation, Filter, Hit, Op, Page, Passage, Query, Recency, Seq, Snippet,
};
pub use crate::snippet::printable;

/// How an index is made and held.
#[derive(Clone, Debug)]
pub struct Options {
    /// ISO 639-1 codes of the languages people write; the first is assumed where no guess is reliable.
    pub languages: Vec<String>,
    /// What the writer may hold in memory before it writes a segment.
    pub writer_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        let languages = ["en", "de", "fr", "es", "pt", "it", "nl", "ru"];
        Options {
            languages: languages.map(String::from).to_vec(),
            writer_bytes: 24 << 20,
        }
    }
}

/// A hybrid index of passages. Shared by reference; searching never waits for writing.
pub struct Index {
    lexical: Lexical,
    log: String,
    options: Options,
    home: Option<Home>,
    applied: AtomicU64,
    rows: AtomicU64,
    writer: Mutex<Option<IndexWriter>>,
    notices: Mutex<Vec<String>>,
}

/// The folder of an index, and the lock that makes its holder the only writer.
struct Home {
    dir: PathBuf,
    lock: Option<File>,
}

/// What is stored with every commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Payload {
    format: u32,
    log: String,
    applied: Seq,
    rows: u64,
}

/// Raised when the fields, the analysis or the files change, so that older indexes are fed again.
const FORMAT: u32 = 1;

/// What [`Index::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The passages that can be found.
    pub passages: u64,
    /// The passages whose stored text was read back.
    pub read: u64,
    /// What is wrong, in plain sentences; empty when all is well.
    pub problems: Vec<String>,
}

/// What an index holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// The passages that can be found.
    pub passages: u64,
    /// Up to where the log is applied.
    pub applied: Seq,
    /// The parts the full-text index consists of.
    pub segments: usize,
    /// Bytes on disk, full text.
    pub text_bytes: u64,
    /// Bytes on disk, vectors.
    pub vector_bytes: u64,
}

impl Index {
    /// Opens the index in a folder for reading and writing, or makes one. An index of another log or of an older format is
    /// emptied, a damaged one is moved aside; [`notices`](Index::notices) says so and [`applied`](Index::applied) is 0.
    pub fn open(dir: &Path, log: &str, options: Options) -> Result<Index> {
        fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the folder {}", dir.display()))?;
        let lock = File::create(dir.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!(
                "another daybrief holds the index in {}; stop it or ask it instead",
                dir.display()
            );
        }
        let text = dir.join("text");
        let mut notices = Vec::new();
        if text.join("meta.json").exists() {
            match Index::existing(dir, log, &options) {
                Ok(mut index) => {
                    index.home = Some(Home {
                        dir: dir.to_path_buf(),
                        lock: Some(lock),
                    });
                    return Ok(index);
                }
                Err(Unusable::Foreign(why)) => {
                    notices.push(format!("The index {why}; it is built again."));
                    fs::remove_dir_all(&text)?;
                }
                Err(Unusable::Damaged(error)) => {
                    let aside = aside(dir);
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "The index cannot be read and was moved aside"
                    );
                    notices.push(format!(
                        "The index could not be read ({error:#}); it was moved to {} and is built again.",
                        aside.display()
                    ));
                    fs::create_dir_all(&aside)?;
                    fs::rename(&text, aside.join("text"))?;
                }
            }
        } else if text.exists() {
            // A crash between making the folder and its first commit.
            fs::remove_dir_all(&text)?;
        }
        fs::create_dir_all(&text)?;
        let lexical = Lexical::create(&text, options.stems())?;
        let index = Index::over(lexical, log, options);
        let index = Index {
            home: Some(Home {
                dir: dir.to_path_buf(),
                lock: Some(lock),
            }),
            ..index
        };
        *index.notices() = notices;
        index.commit_only(Seq(0))?;
        Ok(index)
    }

    /// Opens the index in a folder for reading, beside whoever writes it. Fails where [`open`](Index::open) would start anew.
    pub fn open_read_only(dir: &Path, log: &str, options: Options) -> Result<Index> {
        if !dir.join("text").join("meta.json").exists() {
            bail!(
                "there is no index in {} yet; run `daybrief sync` first",
                dir.display()
            );
        }
        match Index::existing(dir, log, &options) {
            Ok(index) => Ok(Index {
                home: Some(Home {
                    dir: dir.to_path_buf(),
                    lock: None,
                }),
                ..index
            }),
            Err(Unusable::Foreign(why)) => bail!("the index {why}; run `daybrief index rebuild`"),
            Err(Unusable::Damaged(error)) => {
                Err(error.context("the index cannot be read; run `daybrief index rebuild`"))
            }
        }
    }

    /// Makes an index that lives as long as its value.
    pub fn in_memory(options: Options) -> Index {
        let lexical = Lexical::in_memory(options.stems())
            .expect("an index in memory needs nothing that could fail");
        Index::over(lexical, "", options)
    }

    fn existing(dir: &Path, log: &str, options: &Options) -> Result<Index, Unusable> {
        let lexical = guarded(|| Lexical::open(&dir.join("text"), options.stems()))
            .map_err(Unusable::Damaged)?;
        let payload = match lexical.index.load_metas() {
            Ok(metas) => metas.payload,
            Err(error) => return Err(Unusable::Damaged(error.into())),
        };
        let payload: Payload = match payload.as_deref().map(serde_json::from_str) {
            Some(Ok(payload)) => payload,
            _ => {
                return Err(Unusable::Foreign(
                    "does not say which log it follows".into(),
                ));
            }
        };
        if payload.format != FORMAT {
            return Err(Unusable::Foreign(format!(
                "has format {}, this version writes {FORMAT}",
                payload.format
            )));
        }
        if payload.log != log {
            return Err(Unusable::Foreign("follows another event log".into()));
        }
        let index = Index::over(lexical, log, options.clone());
        index.applied.store(payload.applied.0, Ordering::Release);
        index.rows.store(payload.rows, Ordering::Release);
        Ok(index)
    }

    fn over(lexical: Lexical, log: &str, options: Options) -> Index {
        Index {
            lexical,
            log: log.to_string(),
            options,
            home: None,
            applied: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            writer: Mutex::new(None),
            notices: Mutex::default(),
        }
    }

    /// Returns what happened at opening that the operator should know; the caller may empty the list.
    pub fn notices(&self) -> MutexGuard<'_, Vec<String>> {
        self.notices
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns up to where the log is applied.
    pub fn applied(&self) -> Seq {
        Seq(self.applied.load(Ordering::Acquire))
    }

    /// Applies operations in order and stores that the log is applied up to `upto`. Applying the same again changes nothing.
    /// All of it is searchable when this returns, and none of it when this fails.
    pub fn apply(&self, ops: &[Op], upto: Seq) -> Result<()> {
        let mut held = self
            .writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let done = guarded(|| self.write(&mut held, ops, upto));
        if done.is_err() {
            // A writer that failed once is not trusted with the next batch; what it had not committed is dropped with it.
            *held = None;
        }
        done
    }

    fn write(&self, held: &mut Option<IndexWriter>, ops: &[Op], upto: Seq) -> Result<()> {
        if self.home.as_ref().is_some_and(|home| home.lock.is_none()) {
            bail!("the index was opened for reading");
        }
        if held.is_none() {
            *held = Some(
                self.lexical
                    .index
                    .writer_with_num_threads(1, self.options.writer_bytes.max(15 << 20))?,
            );
        }
        let writer = held.as_mut().expect("it was just made");
        let fields = self.lexical.fields;
        let searcher = self.lexical.reader.searcher();
        let mut rows = self.rows.load(Ordering::Acquire);
        let mut fresh: HashSet<&str> = HashSet::new();
        let delete = |field, value: &str| {
            writer.delete_term(Term::from_field_text(field, value));
        };
        for op in ops {
            match op {
                Op::Put(passage) => {
                    // A deletion costs a look into every segment, and most passages are new.
                    if !fresh.insert(&passage.id)
                        || self.lexical.knows(&searcher, fields.id, &passage.id)?
                    {
                        delete(fields.id, &passage.id);
                    }
                    writer.add_document(self.lexical.document(passage, rows))?;
                    rows += 1;
                }
                Op::DeletePassage(id) => delete(fields.id, id),
                Op::DeleteEvent(event) => delete(fields.event, event),
                Op::DeleteThread(thread) => delete(fields.thread, thread),
            }
        }
        self.commit(writer, upto, rows)
    }

    fn commit(
        &self,
        writer: &mut IndexWriter<TantivyDocument>,
        upto: Seq,
        rows: u64,
    ) -> Result<()> {
        let payload = Payload {
            format: FORMAT,
            log: self.log.clone(),
            applied: upto,
            rows,
        };
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(&serde_json::to_string(&payload)?);
        prepared.commit()?;
        self.lexical.reader.reload()?;
        self.rows.store(rows, Ordering::Release);
        self.applied.store(upto.0, Ordering::Release);
        Ok(())
    }

    fn commit_only(&self, upto: Seq) -> Result<()> {
        self.apply(&[], upto)
    }

    /// Answers a query within what its asker may read. There is no unfiltered path; an empty `readable` finds nothing.
    pub fn search(&self, query: &Query) -> Result<Page<Hit>> {
        guarded(|| self.answer(query))
    }

    fn answer(&self, query: &Query) -> Result<Page<Hit>> {
        let searcher = self.lexical.reader.searcher();
        let allowed = self.lexical.allowed(&searcher, query)?;
        let matching: usize = allowed.iter().map(|b| b.count).sum();
        if matching == 0 || query.limit == 0 {
            return Ok(Page::default());
        }
        let plan = self.lexical.plan(&searcher, query)?;
        let pool = (query.offset + query.limit)
            .saturating_mul(4)
            .clamp(200, 5_000);
        let asked = [&query.text, &query.body]
            .iter()
            .any(|t| t.chars().any(char::is_alphanumeric));
        let (ranked, total) = if asked || !query.prefixes.is_empty() {
            (self.lexical.best(&searcher, &plan, &allowed, pool)?, None)
        } else {
            let newest = self.lexical.newest(&searcher, &allowed, pool)?;
            (
                newest.into_iter().map(|a| (a, 0.0)).collect(),
                Some(matching),
            )
        };
        let addresses: Vec<_> = ranked.iter().map(|r| r.0).collect();
        let facts = self.lexical.facts(&searcher, &addresses)?;
        let mut threads = HashSet::new();
        let mut items = Vec::new();
        let mut shown = Vec::new();
        let mut skip = query.offset;
        for ((address, score), facts) in ranked.into_iter().zip(facts) {
            if query.group_by_thread && !threads.insert(facts.thread) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if items.len() == query.limit {
                break;
            }
            let passage = self.lexical.passage(&searcher, address)?;
            // The bit said so already; a hit is worth asking twice.
            assert!(
                query.readable.contains(&passage.audience),
                "a passage outside the asker's audiences was found"
            );
            let snippet = snippet::snippet(&passage.text, &plan.wanted);
            let bm25 = total.is_none().then_some(score);
            shown.push(address);
            items.push(Hit {
                passage,
                score,
                bm25,
                cosine: None,
                snippet,
                explanation: None,
            });
        }
        if query.explain {
            let parts = self.lexical.score_parts(&searcher, &plan.clauses, &shown)?;
            for (hit, parts) in items.iter_mut().zip(parts) {
                let terms = parts
                    .into_iter()
                    .map(|(i, part)| (plan.clauses[i].name.clone(), part))
                    .collect();
                hit.explanation = Some(Explanation {
                    terms,
                    lexical: hit.score,
                    lexical_weight: 1.0,
                    ..Explanation::default()
                });
            }
        }
        Ok(Page {
            items,
            total: total.filter(|_| !query.group_by_thread),
            notes: plan.notes,
        })
    }

    /// Empties the index and applies a whole log, in batches. A crash on the way leaves an index that knows how far it came.
    pub fn rebuild(&self, ops: impl Iterator<Item = (Op, Seq)>) -> Result<()> {
        {
            let mut held = self
                .writer
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(writer) = held.as_mut() {
                writer.delete_all_documents()?;
                self.commit(writer, Seq(0), 0)?;
            } else {
                drop(held);
                self.commit_only(Seq(0))?;
                let mut held = self
                    .writer
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let writer = held.as_mut().context("the writer is gone")?;
                writer.delete_all_documents()?;
                self.commit(writer, Seq(0), 0)?;
            }
        }
        let mut batch = Vec::new();
        let mut reached = Seq(0);
        for (op, seq) in ops {
            // Operations of one event belong together: half of them applied would count as all.
            if seq > reached && batch.len() >= 2_000 {
                self.apply(&batch, reached)?;
                batch.clear();
            }
            reached = reached.max(seq);
            batch.push(op);
        }
        self.apply(&batch, reached)
    }

    /// Reads everything back and reports what does not fit.
    pub fn verify(&self) -> Result<Report> {
        let mut report = Report::default();
        match self.lexical.index.validate_checksum() {
            Ok(damaged) => {
                let mut damaged: Vec<_> = damaged.iter().map(|f| f.display().to_string()).collect();
                damaged.sort();
                report
                    .problems
                    .extend(damaged.iter().map(|f| format!("The file {f} is damaged.")));
            }
            Err(error) => report
                .problems
                .push(format!("The index cannot be checked: {error}.")),
        }
        // Reading a file that is known to be damaged may end the program.
        if !report.problems.is_empty() {
            return Ok(report);
        }
        let searcher = self.lexical.reader.searcher();
        report.passages = searcher.num_docs();
        let mut ids = HashSet::new();
        for (ord, segment) in searcher.segment_readers().iter().enumerate() {
            for doc in segment.doc_ids_alive() {
                let passage = match self
                    .lexical
                    .passage(&searcher, tantivy::DocAddress::new(ord as u32, doc))
                {
                    Ok(passage) => passage,
                    Err(error) => {
                        report
                            .problems
                            .push(format!("A passage cannot be read: {error:#}."));
                        continue;
                    }
                };
                report.read += 1;
                if !ids.insert(passage.id.clone()) {
                    report
                        .problems
                        .push(format!("The passage {} is there twice.", passage.id));
                }
            }
        }
        Ok(report)
    }

    /// Returns what the index holds.
    pub fn stats(&self) -> Stats {
        let searcher = self.lexical.reader.searcher();
        Stats {
            passages: searcher.num_docs(),
            applied: self.applied(),
            segments: searcher.segment_readers().len(),
            text_bytes: self
                .home
                .as_ref()
                .map_or(0, |home| bytes_in(&home.dir.join("text"))),
            vector_bytes: 0,
        }
    }
}

enum Unusable {
    Foreign(String),
    Damaged(anyhow::Error),
}

/// tantivy panics where a file is not what it was. A damaged index is an error like any other, and not the end of the daemon.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(anyhow::anyhow!(
            "a file of the index is damaged; run `daybrief index verify`"
        ))
    })
}

fn aside(dir: &Path) -> PathBuf {
    (1..)
        .map(|n| dir.join(format!("damaged-{n}")))
        .find(|p| !p.exists())
        .expect("some number is free")
}

fn bytes_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|e| e.metadata().ok())
        .filter(|m| m.is_file())
        .map(|m| m.len())
        .sum()
}

impl Options {
    fn stems(&self) -> Vec<analyze::Stems> {
        self.languages
            .iter()
            .filter_map(|l| analyze::Stems::from_code(l))
            .collect()
    }
}

#[cfg(test)]
mod tests;
