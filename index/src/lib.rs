//! Embedded hybrid search for conversations and tickets.
//!
//! The crate knows passages and queries; it knows no Slack and no SQL. A caller feeds it the operations of an event log in
//! order ([`Index::apply`]) and asks it questions ([`Index::search`]) that always say which audiences the asker may read.
//! Nothing in an index is a source of truth: a foreign, old or damaged one is put aside when it is opened, and
//! [`Index::applied`] then tells the caller from where to feed it again.
//!
//! Reading order: `passage` (the words) → `parse` (what people type) → `write` and `search` (the two things an index does) →
//! `analyze` (text into tokens) → `lexical` (full text) → `embed` (text into vectors) → `vectors` and `qdrant` (where they lie) → `arm` (both
//! together) → `second` (another model's vectors) → `fuse` (two lists into one) → `snippet` (what is shown) → `eval` (how good
//! it is).

mod passage;

mod parse;

mod write;

mod search;

mod analyze;

mod lexical;

mod embed;

mod vectors;

mod qdrant;

mod arm;

mod second;

mod fuse;

mod snippet;

pub mod eval;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tantivy::IndexWriter;
use tantivy::index::SegmentId;

use crate::arm::{Arm, Place};
pub use crate::embed::{Embedder, Static};
use crate::lexical::Lexical;
pub use crate::parse::{ParsedQuery, parse, parse_at};
pub use crate::passage::{
    Arms, AudienceId, Explanation, Filter, Hit, Op, Page, Passage, Query, Recency, Seq, Snippet,
};
pub use crate::qdrant::QdrantPlace;
use crate::second::Second;
pub use crate::second::{Backlog, Rescorer};
pub use crate::snippet::printable;

/// How an index is made and held.
#[derive(Clone, Debug)]
pub struct Options {
    /// ISO 639-1 codes of the languages people write; the first is assumed where no guess is reliable.
    pub languages: Vec<String>,
    /// Keeps vectors; without them full text answers alone.
    pub vectors: bool,
    /// Keeps the vectors in Qdrant instead of a file.
    pub qdrant: Option<QdrantPlace>,
    /// A model that places the best answers anew; see [`Index::embed_more`].
    pub rescorer: Option<Rescorer>,
    /// What the writer may hold in memory before it writes a segment.
    pub writer_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        let languages = ["en", "de", "fr", "es", "pt", "it", "nl", "ru"];
        Options {
            languages: languages.map(String::from).to_vec(),
            vectors: true,
            qdrant: None,
            rescorer: None,
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
    stored: AtomicU64,
    writer: Mutex<Option<IndexWriter>>,
    notices: Mutex<Vec<String>>,
    /// Missing when its files could not be read; full text then answers alone.
    arm: RwLock<Option<Arc<Arm>>>,
    /// The vectors of the configured model.
    second: Option<Second>,
    /// The rows of each segment's passages.
    rows_of: Mutex<HashMap<SegmentId, Arc<Vec<u32>>>>,
    /// What the last askers may find.
    allowed_to: Mutex<Vec<(search::AllowedKey, Arc<Vec<lexical::Bits>>)>>,
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
    /// Up to which row the vectors are stored; behind `rows` while a server is down.
    stored: u64,
    generation: u32,
}

/// Raised when the fields, the analysis or the files change, so that older indexes are fed again.
const FORMAT: u32 = 2;

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
    /// The generation of the vectors' weights.
    pub generation: u32,
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
                Ok((mut index, payload)) => {
                    index.home = Some(Home {
                        dir: dir.to_path_buf(),
                        lock: Some(lock),
                    });
                    match Arm::open(index.place_in(dir), payload.generation, payload.rows, true) {
                        _ if !index.options.vectors => {}
                        Ok(arm) => index.set_arm(arm),
                        Err(error) => {
                            tracing::warn!(
                                error = format!("{error:#}"),
                                "The vectors cannot be read and are made again"
                            );
                            index.notices().push(format!(
                                "The vectors could not be read ({error:#}) and were made again."
                            ));
                            index.embed_again()?;
                        }
                    }
                    arm::remove_others(dir, index.generation());
                    index.second = index.second_in(Some(dir), true);
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
        let index = Index {
            second: index.second_in(Some(dir), true),
            ..index
        };
        if let Some(second) = &index.second {
            drop(second.forget()?);
        }
        index.set_arm(Arm::create(index.place(), 0, &embed::Counts::none())?);
        arm::remove_others(dir, 0);
        index.apply(&[], Seq(0))?;
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
            Ok((index, payload)) => {
                match Arm::open(index.place_in(dir), payload.generation, payload.rows, false) {
                    _ if !index.options.vectors => {}
                    Ok(arm) => index.set_arm(arm),
                    Err(error) => {
                        tracing::warn!(error = format!("{error:#}"), "The vectors cannot be read")
                    }
                }
                Ok(Index {
                    second: index.second_in(Some(dir), false),
                    home: Some(Home {
                        dir: dir.to_path_buf(),
                        lock: None,
                    }),
                    ..index
                })
            }
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
        let mut index = Index::over(lexical, "", options);
        index.second = index.second_in(None, true);
        index.set_arm(
            Arm::create(index.place(), 0, &embed::Counts::none())
                .expect("an arm in memory needs nothing that could fail"),
        );
        index
    }

    fn existing(dir: &Path, log: &str, options: &Options) -> Result<(Index, Payload), Unusable> {
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
        index.stored.store(payload.stored, Ordering::Release);
        Ok((index, payload))
    }

    fn second_in(&self, dir: Option<&Path>, write: bool) -> Option<Second> {
        let rescorer = self.options.rescorer.as_ref()?;
        Some(Second::open(rescorer, dir, &self.log, write))
    }

    fn set_arm(&self, arm: Arm) {
        *self.arm.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(arm));
    }

    fn arm(&self) -> Option<Arc<Arm>> {
        self.arm
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn generation(&self) -> u32 {
        self.arm().map_or(0, |arm| arm.generation)
    }

    fn place(&self) -> Place<'_> {
        Place {
            dir: self.dir(),
            log: &self.log,
            qdrant: self.options.qdrant.as_ref(),
        }
    }

    fn place_in<'a>(&'a self, dir: &'a Path) -> Place<'a> {
        Place {
            dir: Some(dir),
            ..self.place()
        }
    }

    fn dir(&self) -> Option<&Path> {
        self.home.as_ref().map(|home| home.dir.as_path())
    }

    fn over(lexical: Lexical, log: &str, options: Options) -> Index {
        Index {
            lexical,
            log: log.to_string(),
            options,
            home: None,
            applied: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            writer: Mutex::new(None),
            notices: Mutex::default(),
            arm: RwLock::default(),
            second: None,
            rows_of: Mutex::default(),
            allowed_to: Mutex::default(),
        }
    }

    /// Returns what happened at opening that the operator should know; the caller may empty the list.
    pub fn notices(&self) -> MutexGuard<'_, Vec<String>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns up to where the log is applied.
    pub fn applied(&self) -> Seq {
        Seq(self.applied.load(Ordering::Acquire))
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
        let arm = self.arm();
        let mut strangers = 0;
        if arm.is_none() && self.options.vectors {
            report
                .problems
                .push("The vectors cannot be read.".to_string());
        }
        for (ord, segment) in searcher.segment_readers().iter().enumerate() {
            let rows = self.lexical.rows(segment)?;
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
                if let Some(arm) = &arm {
                    let vector = arm.embedder.passage_vector(&arm::pieces_of(&passage));
                    let cosine = arm
                        .store
                        .cosines(&vector, &[u64::from(rows[doc as usize])])
                        .unwrap_or_default();
                    let silent = vector.iter().all(|x| *x == 0.0);
                    strangers += usize::from(!silent && cosine.first().is_some_and(|c| *c < 0.98));
                }
                if !ids.insert(passage.id.clone()) {
                    report
                        .problems
                        .push(format!("The passage {} is there twice.", passage.id));
                }
            }
        }
        if strangers > 0 {
            report
                .problems
                .push(format!("{strangers} passages have vectors of other texts."));
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
            generation: self.generation(),
            vector_bytes: self.dir().map_or(0, |dir| {
                bytes_at(&arm::vectors_path(dir, self.generation()))
            }),
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

fn bytes_at(path: &Path) -> u64 {
    path.metadata().map_or(0, |m| m.len())
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
