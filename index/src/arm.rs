//! The vector arm: what embeds, where the vectors lie, and the generation of weights that both belong to.
//!
//! Pieces are weighted by how rare they are in the index itself. Weights that moved with every passage would make old vectors
//! wrong, so they move in generations: generation `g` is fixed by the first 2^g passages, the passages there are embedded again
//! into a new file, and the query is always weighted like the passages it is compared with.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::embed::{self, Counts, Pieces, Static};
use crate::passage::Passage;
use crate::qdrant::{QdrantPlace, Remote};
use crate::vectors::{Flat, Point, VectorStore};

/// Below 2^6 passages every piece weighs the same.
const FIRST_GENERATION: u32 = 6;
/// Sixteen thousand passages say how rare a word is; more of them would cost more than they tell.
const LAST_GENERATION: u32 = 14;

pub(crate) struct Arm {
    pub generation: u32,
    pub embedder: Static,
    pub store: Box<dyn VectorStore>,
}

/// Where the files lie, and the server when there is one.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub dir: Option<&'a Path>,
    pub log: &'a str,
    pub qdrant: Option<&'a QdrantPlace>,
}

/// A passage on its way into the store. Its text is not needed any more.
pub(crate) struct Fresh<'a> {
    pub row: u64,
    pub pieces: Pieces,
    pub passage: Cow<'a, Passage>,
}

/// Returns the generation of an index that has ever held this many passages.
pub(crate) fn generation_of(rows: u64) -> u32 {
    match rows.checked_ilog2() {
        Some(g) if g >= FIRST_GENERATION => g.min(LAST_GENERATION),
        _ => 0,
    }
}

impl Arm {
    /// Makes an empty arm; in memory when there is no folder.
    pub fn create(place: Place<'_>, generation: u32, counts: &Counts) -> Result<Arm> {
        if let Some(dir) = place.dir {
            fs::write(dir.join(weights_name(generation)), pack(counts))?;
        }
        let store: Box<dyn VectorStore> = match place {
            Place {
                qdrant: Some(qdrant),
                ..
            } => Box::new(Remote::new(qdrant, generation, embed::DIMS)?),
            Place { dir: None, .. } => Box::new(Flat::in_memory(embed::DIMS)),
            Place {
                dir: Some(dir),
                log,
                ..
            } => Box::new(Flat::create(
                &vectors_path(dir, generation),
                embed::DIMS,
                &tag(log, generation),
            )?),
        };
        Ok(Arm {
            generation,
            embedder: Static::new(counts),
            store,
        })
    }

    /// Opens the arm that a commit named.
    pub fn open(place: Place<'_>, generation: u32, rows: u64, write: bool) -> Result<Arm> {
        let dir = place.dir.context("an arm in memory cannot be opened")?;
        let counts = unpack(
            &fs::read(dir.join(weights_name(generation))).context("the weights are missing")?,
        )?;
        let store: Box<dyn VectorStore> = match place.qdrant {
            Some(qdrant) => Box::new(Remote::new(qdrant, generation, embed::DIMS)?),
            None => {
                let path = vectors_path(dir, generation);
                Box::new(Flat::open(
                    &path,
                    embed::DIMS,
                    &tag(place.log, generation),
                    rows,
                    write,
                )?)
            }
        };
        Ok(Arm {
            generation,
            embedder: Static::new(&counts),
            store,
        })
    }

    /// Stores the vectors of passages.
    pub fn put(&self, fresh: &[Fresh<'_>]) -> Result<()> {
        // A run at a time, so that a million passages need no second memory.
        for run in fresh.chunks(16_384) {
            let points = in_two(run, |f| Point {
                row: f.row,
                vector: self.embedder.passage_vector(&f.pieces),
                passage: &f.passage,
            });
            self.store.upsert(&points)?;
        }
        Ok(())
    }
}

/// Returns what a passage is embedded by.
pub(crate) fn pieces_of(passage: &Passage) -> Pieces {
    Pieces::of(&passage.title, &passage.text, &passage.context)
}

/// Does the same to every item, on two threads when there are many.
pub(crate) fn in_two<'a, T: Sync, R: Send>(
    items: &'a [T],
    work: impl Fn(&'a T) -> R + Sync,
) -> Vec<R> {
    if items.len() < 256 {
        return items.iter().map(work).collect();
    }
    let (left, right) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        let right = scope.spawn(|| right.iter().map(&work).collect::<Vec<R>>());
        let mut all: Vec<R> = left.iter().map(&work).collect();
        all.extend(
            right
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        );
        all
    })
}

/// Removes the files of other generations.
pub(crate) fn remove_others(dir: &Path, generation: u32) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.starts_with("vectors-") || name.starts_with("weights-");
        if ours && name != weights_name(generation) && vectors_path(dir, generation) != entry.path()
        {
            // A reader that still has the file open keeps it; the next start tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn tag(log: &str, generation: u32) -> String {
    format!("{log} daybrief-static-3 generation {generation}")
}

pub(crate) fn vectors_path(dir: &Path, generation: u32) -> PathBuf {
    dir.join(format!("vectors-{generation}.bin"))
}

fn weights_name(generation: u32) -> String {
    format!("weights-{generation}.bin")
}

fn pack(counts: &Counts) -> Vec<u8> {
    let numbers = [counts.passages]
        .into_iter()
        .chain(counts.of_piece.iter().copied());
    let mut bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes
}

fn unpack(bytes: &[u8]) -> Result<Counts> {
    ensure!(
        bytes.len() == (Counts::none().of_piece.len() + 2) * 4,
        "the weights have another length"
    );
    let numbers: Vec<u32> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| u32::from_le_bytes(*b))
        .collect();
    ensure!(
        numbers.last() == Some(&checksum(&bytes[..bytes.len() - 4])),
        "the weights are damaged"
    );
    Ok(Counts {
        passages: numbers[0],
        of_piece: numbers[1..numbers.len() - 1].to_vec(),
    })
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
