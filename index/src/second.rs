//! Vectors of a configured model beside the built-in ones: made in the background, used to place the best answers anew.
//!
//! The built-in vectors find; these decide between the first fifty, because a model behind an endpoint is too slow to find and
//! too good to ignore. They lie in a file of their own under the same rows, and a note beside it says which model of how many
//! dimensions has come how far. Another model begins another file; until that one has caught up, the old model answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use tantivy::{DocAddress, Searcher};

use crate::embed::Embedder;
use crate::passage::{Passage, Query};
use crate::vectors::{Flat, Point, VectorStore};
use crate::{Index, embed};

/// The embedder of a configured model, held by the [`Options`](crate::Options) of an index.
#[derive(Clone)]
pub struct Rescorer(pub Arc<dyn Embedder>);

impl std::fmt::Debug for Rescorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rescorer").field(&self.0.model()).finish()
    }
}

/// How far the configured model has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// The model whose vectors are being made.
    pub model: String,
    /// The model that answers meanwhile; none before the first has caught up.
    pub answering: Option<String>,
    /// How many passages still wait.
    pub left: usize,
}

/// A long text says what it is about in its beginning, and endpoints count every token.
const MOST_BYTES: usize = 2_000;

pub(crate) struct Second {
    embedder: Arc<dyn Embedder>,
    place: Option<(PathBuf, bool)>,
    log: String,
    state: RwLock<State>,
    /// Held while vectors are made, and while rows get new meanings.
    work: Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    serving: Option<Made>,
    filling: Option<Made>,
}

/// The vectors of one model, and up to which row they are there.
#[derive(Clone)]
struct Made {
    part: Part,
    flat: Arc<Flat>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    model: String,
    dims: usize,
    rows: u64,
}

/// What is stored beside the files.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    log: String,
    serving: Option<Part>,
    filling: Option<Part>,
}

const NOTE: &str = "models.json";

impl Second {
    /// Opens what is there. What cannot be read is made again, because nothing in it is a source of truth.
    pub fn open(rescorer: &Rescorer, dir: Option<&Path>, log: &str, write: bool) -> Second {
        let second = Second {
            embedder: Arc::clone(&rescorer.0),
            place: dir.map(|dir| (dir.to_path_buf(), write)),
            log: log.to_string(),
            state: RwLock::default(),
            work: Mutex::new(()),
        };
        let note: Note = dir
            .and_then(|dir| fs::read(dir.join(NOTE)).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        if note.log == log {
            let made = |part: Option<Part>| {
                let part = part?;
                match second.open_flat(&part) {
                    Ok(flat) => Some(Made {
                        part,
                        flat: Arc::new(flat),
                    }),
                    Err(error) => {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "The vectors of a model cannot be read and are made again"
                        );
                        None
                    }
                }
            };
            *second.state() = State {
                serving: made(note.serving),
                filling: made(note.filling),
            };
        }
        second
    }

    fn state(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> State {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn tag(&self, part: &Part) -> String {
        // A name may be long, and the header is short.
        let model: String = part.model.chars().take(200).collect();
        format!("{} {model}", self.log)
    }

    fn path(dir: &Path, part: &Part) -> PathBuf {
        let hash = format!("{} {}", part.model, part.dims)
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
                (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
            });
        dir.join(format!("model-{hash:016x}.bin"))
    }

    fn open_flat(&self, part: &Part) -> Result<Flat> {
        let (dir, write) = self
            .place
            .as_ref()
            .context("nothing in memory can be opened")?;
        Flat::open(
            &Second::path(dir, part),
            padded(part.dims),
            &self.tag(part),
            part.rows,
            *write,
        )
    }

    fn begin(&self, dims: usize) -> Result<Made> {
        let part = Part {
            model: self.embedder.model(),
            dims,
            rows: 0,
        };
        let flat = match &self.place {
            Some((dir, _)) => {
                Flat::create(&Second::path(dir, &part), padded(dims), &self.tag(&part))?
            }
            None => Flat::in_memory(padded(dims)),
        };
        Ok(Made {
            part,
            flat: Arc::new(flat),
        })
    }

    /// Writes down how far each model has come, and removes the files of others.
    fn settle(&self, state: State) -> Result<()> {
        if let Some((dir, _)) = &self.place {
            let part = |made: &Option<Made>| made.as_ref().map(|made| made.part.clone());
            let note = Note {
                log: self.log.clone(),
                serving: part(&state.serving),
                filling: part(&state.filling),
            };
            let aside = dir.join("models.json.new");
            fs::write(&aside, serde_json::to_vec(&note)?)?;
            fs::File::open(&aside)?.sync_all()?;
            fs::rename(&aside, dir.join(NOTE))?;
            let kept: Vec<PathBuf> = [&note.serving, &note.filling]
                .into_iter()
                .flatten()
                .map(|p| Second::path(dir, p))
                .collect();
            for entry in fs::read_dir(dir)?.flatten() {
                if entry.file_name().to_string_lossy().starts_with("model-")
                    && !kept.contains(&entry.path())
                {
                    // A reader that still has the file open keeps it.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        *self.state() = state;
        Ok(())
    }

    /// Forgets everything, because rows are about to mean other passages. Nothing is made until the guard is dropped.
    pub fn forget(&self) -> Result<MutexGuard<'_, ()>> {
        let guard = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        self.settle(State::default())?;
        Ok(guard)
    }

    /// Returns the model's cosines between a query and rows; nothing for a row it has not come to yet. Nothing at all before a
    /// model has caught up once.
    pub fn cosines(&self, text: &str, rows: &[u64]) -> Result<Option<Vec<Option<f32>>>> {
        let Some(made) = self.snapshot().serving else {
            return Ok(None);
        };
        let model = self.embedder.model();
        let other = (model != made.part.model).then(|| self.embedder.of_model(&made.part.model));
        let embedder = match &other {
            None => &self.embedder,
            Some(Some(old)) => old,
            // The old model cannot be asked any more; the built-in vectors answer alone.
            Some(None) => return Ok(None),
        };
        let vector = embedder.embed(&[head(text)])?.pop().unwrap_or_default();
        ensure!(
            vector.len() == made.part.dims,
            "the model {} has {} dimensions now, not {}",
            made.part.model,
            vector.len(),
            made.part.dims
        );
        let cosines = made.flat.cosines(&fit(vector), rows).unwrap_or_default();
        let known = rows
            .iter()
            .zip(cosines)
            .map(|(row, c)| (*row < made.part.rows).then_some(c));
        Ok(Some(known.collect()))
    }
}

impl Index {
    /// Returns whether a model is configured beside the built-in one.
    pub fn has_model(&self) -> bool {
        self.second.is_some()
    }

    /// Makes the vectors of up to `most` passages that the configured model has not come to yet. The built-in vectors answer
    /// meanwhile, and the old model's when another was configured before. Called again until nothing is left, and after
    /// every change; searching and applying go on beside it.
    pub fn embed_more(&self, most: usize) -> Result<Backlog> {
        let Some(second) = &self.second else {
            return Ok(Backlog::default());
        };
        if self.home.as_ref().is_some_and(|home| home.lock.is_none()) {
            bail!("the index was opened for reading");
        }
        let _working = second.work.lock().unwrap_or_else(PoisonError::into_inner);
        let searcher = self.lexical.reader.searcher();
        let model = second.embedder.model();
        let mut state = second.snapshot();
        let is_current =
            |made: &Option<Made>| made.as_ref().is_some_and(|made| made.part.model == model);
        let mut grows = is_current(&state.serving);
        if !grows && !is_current(&state.filling) {
            state.filling = None;
        }
        let target = if grows {
            &mut state.serving
        } else {
            &mut state.filling
        };
        let from = target.as_ref().map_or(0, |made| made.part.rows);
        let mut waiting = self.rows_from(&searcher, from)?;
        let left = waiting.len().saturating_sub(most);
        waiting.truncate(most);
        let mut rest = left;
        if !waiting.is_empty() {
            let passages: Vec<Passage> = waiting
                .iter()
                .map(|(_, address)| self.lexical.passage(&searcher, *address))
                .collect::<Result<_>>()?;
            let texts: Vec<String> = passages.iter().map(|p| text_of(p).to_string()).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let vectors = second.embedder.embed(&texts)?;
            ensure!(
                vectors.len() == texts.len(),
                "the model {model} answered {} texts with {} vectors",
                texts.len(),
                vectors.len()
            );
            let dims = vectors[0].len();
            ensure!(
                dims > 0 && vectors.iter().all(|v| v.len() == dims),
                "the model {model} answered with vectors of different lengths"
            );
            if target.as_ref().is_some_and(|made| made.part.dims != dims) {
                // The same name, another model: begin again, and let nobody compare the two.
                (grows, rest) = (false, waiting.len() + left);
                state = State::default();
                state.filling = Some(second.begin(dims)?);
            } else {
                let made = match target {
                    Some(made) => made,
                    None => target.insert(second.begin(dims)?),
                };
                let points: Vec<Point<'_>> = waiting
                    .iter()
                    .zip(vectors)
                    .zip(&passages)
                    .map(|(((row, _), vector), passage)| Point {
                        row: *row,
                        vector: fit(vector),
                        passage,
                    })
                    .collect();
                made.flat.upsert(&points)?;
                made.part.rows = waiting.last().map_or(from, |(row, _)| row + 1);
            }
        }
        if rest == 0 && !grows && state.filling.is_some() {
            state.serving = state.filling.take();
        }
        let answering = state.serving.as_ref().map(|made| made.part.model.clone());
        second.settle(state)?;
        Ok(Backlog {
            model,
            answering,
            left: rest,
        })
    }

    /// Returns rows and addresses of the passages from a row on, in the order of rows.
    pub(crate) fn rows_from(
        &self,
        searcher: &Searcher,
        from: u64,
    ) -> Result<Vec<(u64, DocAddress)>> {
        let mut found = Vec::new();
        for (ord, segment) in searcher.segment_readers().iter().enumerate() {
            let rows = self.lexical.rows(segment)?;
            let alive = segment.doc_ids_alive().map(|doc| {
                (
                    u64::from(rows[doc as usize]),
                    DocAddress::new(ord as u32, doc),
                )
            });
            found.extend(alive.filter(|(row, _)| *row >= from));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Returns the configured model's cosines to rows, and what there is to say when it does not answer.
    pub(crate) fn second_opinion(
        &self,
        query: &Query,
        rows: &[u64],
    ) -> (Option<Vec<Option<f32>>>, Option<String>) {
        let Some(second) = &self.second else {
            return (None, None);
        };
        let text = [query.text.as_str(), &query.body].join("\n");
        match second.cosines(text.trim(), rows) {
            Ok(known) => (known, None),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "The embedding model did not answer"
                );
                (
                    None,
                    Some(
                        "The embedding endpoint did not answer; ranked by the built-in vectors."
                            .to_string(),
                    ),
                )
            }
        }
    }
}

fn text_of(passage: &Passage) -> String {
    let text = [passage.title.as_str(), &passage.text].join("\n");
    head(text.trim()).to_string()
}

fn head(text: &str) -> &str {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The file keeps signs in words of 64 bits.
fn padded(dims: usize) -> usize {
    dims.next_multiple_of(64)
}

fn fit(mut vector: Vec<f32>) -> Vec<f32> {
    vector.iter_mut().for_each(|x| {
        if !x.is_finite() {
            *x = 0.0
        }
    });
    vector.resize(padded(vector.len()), 0.0);
    embed::normalize(&mut vector);
    vector
}
