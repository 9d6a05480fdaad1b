//! Vectors beside the full text: where they lie, and which are nearest.
//!
//! The default store is a flat file that is scanned: eight bits a dimension, one scale a vector, and the signs of all
//! dimensions in front. A scan is exact, knows deletions and filters at once, and is faster the narrower the filter. Passages
//! are numbered by *rows* that never move; the full-text index says which row is whose, so a row without a passage is garbage
//! and a crash between the two files leaves nothing that could be found.

mod kernel;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use tantivy::{DocAddress, DocId};

use crate::lexical::Bits;
use crate::passage::{Passage, Query};
use crate::vectors::kernel::{differing, dot};

/// A passage as a vector store sees it.
pub(crate) struct Point<'a> {
    pub row: u64,
    pub vector: Vec<f32>,
    pub passage: &'a Passage,
}

/// What a store has to forget: every point whose `field` (`passage`, `event` or `thread`) is `value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub field: &'static str,
    pub value: String,
}

/// The passages a search may return: by row and bit for a store at hand, by query for one that filters itself.
pub(crate) struct Among<'a> {
    pub segments: Vec<(Arc<Vec<u32>>, &'a Bits)>,
    pub query: &'a Query,
    /// Finds the allowed passage of a row.
    pub locate: &'a (dyn Fn(u64) -> Option<DocAddress> + Sync),
}

/// Keeps vectors and finds the nearest.
pub(crate) trait VectorStore: Send + Sync {
    /// Stores vectors, durably when it returns.
    fn upsert(&self, points: &[Point<'_>]) -> Result<()>;
    /// Forgets points. A store that only answers for rows it is asked about need not.
    fn delete(&self, gone: &[Gone]) -> Result<()>;
    /// Returns the nearest allowed passages by cosine, best first.
    fn nearest(
        &self,
        vector: &[f32],
        among: &Among<'_>,
        limit: usize,
    ) -> Result<Vec<(DocAddress, f32)>>;
    /// Returns the cosines to given rows, when the store has them at hand.
    fn cosines(&self, vector: &[f32], rows: &[u64]) -> Option<Vec<f32>>;
    /// Returns the vectors of rows, when the store has them at hand.
    fn vectors(&self, _rows: &[u64]) -> Option<Vec<Vec<f32>>> {
        None
    }
    /// Returns whether the store is elsewhere, may be down, and has to be told of deletions.
    fn is_remote(&self) -> bool {
        false
    }
    /// Removes everything, because a newer store has taken over.
    fn discard(&self) {}
}

const ROWS: usize = 1024;
const HEADER: usize = 4096;
/// Below this many candidates everything is compared exactly; above it signs choose who is.
const COARSE_FROM: usize = 8_000;
/// From here on, how far the choice reaches is found out from a sample.
const SAMPLE_FROM: usize = 200_000;
/// The distance of whom nobody may find.
const FAR: u16 = u16::MAX;
const MAGIC: &[u8; 8] = b"DBVEC\0\x01\n";

/// The flat store.
pub(crate) struct Flat {
    dims: usize,
    blocks: RwLock<Vec<Arc<Block>>>,
    file: Option<(File, PathBuf)>,
}

/// A thousand rows: first all signs, then all scales, then all values.
enum Block {
    Mapped(Mmap),
    Heap(Box<[u8]>),
}

impl Block {
    fn bytes(&self) -> &[u8] {
        match self {
            Block::Mapped(map) => map,
            Block::Heap(bytes) => bytes,
        }
    }
}

/// A query's vector in the forms the scan needs.
struct Asked {
    signs: Vec<u64>,
    values: Vec<i16>,
    scale: f32,
}

impl Asked {
    fn new(vector: &[f32]) -> Asked {
        let largest = vector.iter().fold(1e-9f32, |m, x| m.max(x.abs()));
        // The sum of products with up to 127 stays below 2^31: 512 dimensions leave room for 4095.
        let steps = (((1u32 << 31) as f32 / 127.0 / vector.len().max(1) as f32) as u32).min(4095);
        let steps = steps as f32;
        let values = vector
            .iter()
            .map(|x| (x / largest * steps).round() as i16)
            .collect();
        Asked {
            signs: signs(vector),
            values,
            scale: largest / steps,
        }
    }
}

fn signs(vector: &[f32]) -> Vec<u64> {
    let word = |chunk: &[f32]| {
        chunk
            .iter()
            .enumerate()
            .fold(0, |w, (i, x)| w | u64::from(*x > 0.0) << i)
    };
    vector.chunks(64).map(word).collect()
}

impl Flat {
    pub fn in_memory(dims: usize) -> Flat {
        Flat {
            dims,
            blocks: RwLock::default(),
            file: None,
        }
    }

    /// Makes an empty file; `tag` says whose vectors it holds.
    pub fn create(path: &Path, dims: usize, tag: &str) -> Result<Flat> {
        ensure!(tag.len() < HEADER - 64, "the tag is too long");
        // A reader may still look at an older file of this name: it keeps its own, and this is a new one.
        let _ = std::fs::remove_file(path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        let mut header = vec![0; HEADER];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&(dims as u32).to_le_bytes());
        header[12..16].copy_from_slice(&(tag.len() as u32).to_le_bytes());
        header[16..16 + tag.len()].copy_from_slice(tag.as_bytes());
        file.write_all_at(&header, 0)?;
        Ok(Flat {
            dims,
            blocks: RwLock::default(),
            file: Some((file, path.to_path_buf())),
        })
    }

    /// Opens a file that holds at least `rows` rows under this tag.
    pub fn open(path: &Path, dims: usize, tag: &str, rows: u64, write: bool) -> Result<Flat> {
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        let mut header = vec![0; HEADER];
        file.read_exact_at(&mut header, 0)
            .context("the vector file is cut short")?;
        let number = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
                as usize
        };
        ensure!(
            &header[..8] == MAGIC && number(8) == dims,
            "the vector file has another format"
        );
        ensure!(
            header.get(16..16 + number(12)) == Some(tag.as_bytes()),
            "the vector file belongs to another index"
        );
        let flat = Flat {
            dims,
            blocks: RwLock::default(),
            file: Some((file, path.to_path_buf())),
        };
        let blocks = (rows as usize).div_ceil(ROWS);
        let length = flat
            .file
            .as_ref()
            .expect("it was just set")
            .0
            .metadata()?
            .len();
        ensure!(
            length >= (HEADER + blocks * flat.block_bytes()) as u64,
            "the vector file is cut short"
        );
        flat.grow(blocks)?;
        Ok(flat)
    }

    fn block_bytes(&self) -> usize {
        (ROWS * (self.dims / 8 + 4 + self.dims)).next_multiple_of(4096)
    }

    /// Makes room for a number of blocks.
    fn grow(&self, count: usize) -> Result<()> {
        let mut blocks = self
            .blocks
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        while blocks.len() < count {
            let size = self.block_bytes();
            let block = match &self.file {
                None => Block::Heap(vec![0; size].into_boxed_slice()),
                Some((file, _)) => {
                    let start = (HEADER + blocks.len() * size) as u64;
                    if file.metadata()?.len() < start + size as u64 {
                        file.set_len(start + size as u64)?;
                    }
                    // SAFETY: the file belongs to the index, whose folder is locked against other writers; it only grows, and
                    // rows are written before the full-text index names them, so nobody reads bytes that still change.
                    Block::Mapped(unsafe {
                        memmap2::MmapOptions::new()
                            .offset(start)
                            .len(size)
                            .map(file)?
                    })
                }
            };
            blocks.push(Arc::new(block));
        }
        Ok(())
    }

    fn write(&self, block: usize, at: usize, bytes: &[u8]) -> Result<()> {
        match &self.file {
            Some((file, _)) => {
                file.write_all_at(bytes, (HEADER + block * self.block_bytes() + at) as u64)?
            }
            None => {
                let mut blocks = self
                    .blocks
                    .write()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let old = &mut blocks[block];
                if Arc::get_mut(old).is_none() {
                    *old = Arc::new(Block::Heap(old.bytes().into()));
                }
                match Arc::get_mut(old).expect("it is ours alone") {
                    Block::Heap(own) => own[at..at + bytes.len()].copy_from_slice(bytes),
                    Block::Mapped(_) => unreachable!("a store in memory maps nothing"),
                }
            }
        }
        Ok(())
    }

    /// Writes vectors to rows and waits until they are on disk.
    fn put(&self, points: &[Point<'_>]) -> Result<()> {
        let Some(last) = points.iter().map(|p| p.row).max() else {
            return Ok(());
        };
        self.grow(last as usize / ROWS + 1)?;
        // Neighbors are written together: three writes a run instead of three a row.
        let mut from = 0;
        while from < points.len() {
            let (block, first) = (
                points[from].row as usize / ROWS,
                points[from].row as usize % ROWS,
            );
            let mut run = 1;
            while from + run < points.len()
                && points[from + run].row == points[from].row + run as u64
                && first + run < ROWS
            {
                run += 1;
            }
            let mut all_signs = Vec::with_capacity(run * self.dims / 8);
            let mut scales = Vec::with_capacity(run * 4);
            let mut values = Vec::with_capacity(run * self.dims);
            for Point { vector, .. } in &points[from..from + run] {
                ensure!(
                    vector.len() == self.dims,
                    "a vector has {} dimensions, not {}",
                    vector.len(),
                    self.dims
                );
                let largest = vector.iter().fold(0f32, |m, x| m.max(x.abs()));
                let scale = largest / 127.0;
                signs(vector)
                    .iter()
                    .for_each(|w| all_signs.extend_from_slice(&w.to_le_bytes()));
                scales.extend_from_slice(&scale.to_le_bytes());
                values.extend(vector.iter().map(|x| {
                    if scale > 0.0 {
                        (x / scale).round() as i8 as u8
                    } else {
                        0
                    }
                }));
            }
            let (signs_at, scales_at, values_at) = self.places();
            self.write(block, signs_at + first * self.dims / 8, &all_signs)?;
            self.write(block, scales_at + first * 4, &scales)?;
            self.write(block, values_at + first * self.dims, &values)?;
            from += run;
        }
        if let Some((file, _)) = &self.file {
            file.sync_data()?;
        }
        Ok(())
    }

    fn places(&self) -> (usize, usize, usize) {
        (0, ROWS * self.dims / 8, ROWS * (self.dims / 8 + 4))
    }

    fn snapshot(&self) -> Vec<Arc<Block>> {
        self.blocks
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    fn cosine(&self, blocks: &[Arc<Block>], asked: &Asked, row: u32) -> Option<f32> {
        let bytes = blocks.get(row as usize / ROWS)?.bytes();
        let row = row as usize % ROWS;
        let (_, scales, values) = self.places();
        let scale = &bytes[scales + row * 4..scales + row * 4 + 4];
        let scale = f32::from_le_bytes([scale[0], scale[1], scale[2], scale[3]]);
        let at = values + row * self.dims;
        Some(dot(&asked.values, &bytes[at..at + self.dims]) as f32 * asked.scale * scale)
    }

    /// Returns a cheap first choice: the rows whose signs agree most, in index order.
    fn coarse(
        &self,
        blocks: &[Arc<Block>],
        asked: &Asked,
        among: &Among<'_>,
        wanted: usize,
    ) -> Vec<(u32, DocId, u32)> {
        let count: usize = among.segments.iter().map(|s| s.1.count).sum();
        // The reach is a guess anyway, and an eighth of many is enough to make it.
        let sample = if count > SAMPLE_FROM { 8 } else { 1 };
        let mut histogram = vec![0usize; self.dims + 1];
        let mut seen = 0;
        let distances: Vec<Vec<u16>> = among
            .segments
            .iter()
            .map(|(rows, bits)| {
                let mut distances = vec![FAR; rows.len()];
                for (n, (word, docs)) in bits.words().zip(rows.chunks(64)).enumerate() {
                    let out = &mut distances[n * 64..n * 64 + docs.len()];
                    self.agreement(blocks, asked, word, docs, out);
                    if n % sample == 0 && word != 0 {
                        for distance in out.iter().filter(|d| **d != FAR) {
                            histogram[usize::from(*distance)] += 1;
                            seen += 1;
                        }
                    }
                }
                distances
            })
            .collect();
        let wanted = wanted as f64 * seen as f64 / count.max(1) as f64;
        let mut taken = 0;
        let reach = histogram.iter().position(|n| {
            taken += n;
            taken as f64 >= wanted
        });
        let reach = reach.unwrap_or(self.dims) as u16;
        let mut chosen = Vec::new();
        for (ord, (distances, (rows, _))) in distances.iter().zip(&among.segments).enumerate() {
            for (n, chunk) in distances.chunks(64).enumerate() {
                if chunk.iter().map(|d| u16::from(*d <= reach)).sum::<u16>() == 0 {
                    continue;
                }
                for (i, _) in chunk.iter().enumerate().filter(|d| *d.1 <= reach) {
                    let doc = n * 64 + i;
                    chosen.push((ord as u32, doc as DocId, rows[doc]));
                }
            }
        }
        chosen
    }

    /// Finds in how many signs up to 64 passages differ from the question; `word` says which of them may be found.
    fn agreement(
        &self,
        blocks: &[Arc<Block>],
        asked: &Asked,
        word: u64,
        rows: &[u32],
        out: &mut [u16],
    ) {
        let bytes = self.dims / 8;
        let signs = |row: u32, count: usize| {
            let at = row as usize % ROWS * bytes;
            blocks
                .get(row as usize / ROWS)
                .map(|block| &block.bytes()[at..at + count * bytes])
        };
        // Passages mostly lie in the order they came in, and neighbors are compared in one go.
        let first = rows[0];
        let together = word == u64::MAX
            && first as usize % ROWS + 64 <= ROWS
            && rows.iter().zip(first..).all(|(row, n)| *row == n);
        if together {
            if let Some(signs) = signs(first, 64) {
                differing(&asked.signs, signs, out);
            }
            return;
        }
        let mut word = word;
        while word != 0 {
            let i = word.trailing_zeros() as usize;
            word &= word - 1;
            if let Some(signs) = signs(rows[i], 1) {
                differing(&asked.signs, signs, &mut out[i..=i]);
            }
        }
    }
}

impl VectorStore for Flat {
    fn upsert(&self, points: &[Point<'_>]) -> Result<()> {
        self.put(points)
    }

    fn delete(&self, _gone: &[Gone]) -> Result<()> {
        // A row that no passage names is never looked at.
        Ok(())
    }

    fn nearest(
        &self,
        vector: &[f32],
        among: &Among<'_>,
        limit: usize,
    ) -> Result<Vec<(DocAddress, f32)>> {
        let asked = Asked::new(vector);
        let blocks = self.snapshot();
        let count: usize = among.segments.iter().map(|s| s.1.count).sum();
        let mut found: Vec<(DocAddress, f32)> = Vec::new();
        let mut floor = f32::MIN;
        let mut offer = |address: DocAddress, cosine: f32| {
            if cosine > floor {
                found.push((address, cosine));
                if found.len() >= limit * 4 + 64 {
                    found.select_nth_unstable_by(limit, |a, b| b.1.total_cmp(&a.1));
                    found.truncate(limit);
                    floor = found.iter().fold(f32::MAX, |m, f| m.min(f.1));
                }
            }
        };
        if count > COARSE_FROM && !among.query.exact {
            let wanted = ((count as f64).sqrt() as usize * 15).max(limit * 8);
            for (ord, doc, row) in self.coarse(&blocks, &asked, among, wanted) {
                if let Some(cosine) = self.cosine(&blocks, &asked, row) {
                    offer(DocAddress::new(ord, doc), cosine);
                }
            }
        } else {
            for (ord, (rows, bits)) in among.segments.iter().enumerate() {
                for doc in bits.iter() {
                    if let Some(cosine) = self.cosine(&blocks, &asked, rows[doc as usize]) {
                        offer(DocAddress::new(ord as u32, doc), cosine);
                    }
                }
            }
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(limit);
        Ok(found)
    }

    fn cosines(&self, vector: &[f32], rows: &[u64]) -> Option<Vec<f32>> {
        let asked = Asked::new(vector);
        let blocks = self.snapshot();
        Some(
            rows.iter()
                .map(|row| self.cosine(&blocks, &asked, *row as u32).unwrap_or(0.0))
                .collect(),
        )
    }

    fn vectors(&self, rows: &[u64]) -> Option<Vec<Vec<f32>>> {
        let blocks = self.snapshot();
        let (_, scales, values) = self.places();
        let one = |row: &u64| {
            let bytes = blocks.get(*row as usize / ROWS)?.bytes();
            let row = *row as usize % ROWS;
            let (scale, _) = bytes[scales + row * 4..].split_first_chunk::<4>()?;
            let scale = f32::from_le_bytes(*scale);
            let at = values + row * self.dims;
            Some(
                bytes[at..at + self.dims]
                    .iter()
                    .map(|v| f32::from(*v as i8) * scale)
                    .collect(),
            )
        };
        rows.iter().map(one).collect()
    }
}
