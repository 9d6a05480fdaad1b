//! Text into vectors, by a table that is compiled in: pieces of words, a row for each, their weighted sum.
//!
//! The table is made by `model/train.py`. A transformer would be a few points better and sixty times slower; weighting the
//! pieces by how rare they are in the very index that is searched wins most of that back for nothing.

use std::sync::{Arc, OnceLock};

use anyhow::{Result, ensure};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Makes vectors of texts. The built-in one is [`Static`]; another may ask a server.
pub trait Embedder: Send + Sync {
    /// What made the vectors; vectors of different models are never compared.
    fn model(&self) -> String;
    /// The length of the vectors; 0 while nobody knows it yet.
    fn dims(&self) -> usize;
    /// Returns one vector of unit length for each text; a text that says nothing becomes zeros.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>>;
    /// Returns the embedder of an older model, when it can still be asked: it answers until the vectors of this one are made.
    fn of_model(&self, _model: &str) -> Option<Arc<dyn Embedder>> {
        None
    }
}

static TABLE_BYTES: &[u8] = include_bytes!("../model/static.bin");
/// The built-in table's number of dimensions.
pub(crate) const DIMS: usize = 512;
/// What comes later in a long text changes little, and a log of a megabyte should not cost a second.
const MOST_PIECES: usize = 512;
/// What a title adds to its passage's vector.
const TITLE: f32 = 0.7;
/// What the end of the passage before adds to it.
const CONTEXT: f32 = 0.3;

/// The table as it lies in the binary: nothing is unpacked but the places of the pieces.
struct Table {
    vocabulary: Vocabulary,
    scales: Vec<f32>,
    rows: &'static [u8],
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        Table::read(TABLE_BYTES).expect("the compiled-in table is well formed; a test reads it")
    })
}

impl Table {
    fn read(bytes: &'static [u8]) -> Result<Table> {
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
        };
        ensure!(
            bytes.len() > 16 && &bytes[..4] == b"DBSE" && number(4) == 1,
            "this is no embedding table"
        );
        ensure!(number(8) == DIMS, "the table has {} dimensions", number(8));
        let count = number(12);
        let mut vocabulary = Vocabulary::with_room_for(count);
        let mut at = 16;
        for row in 0..count {
            let length = usize::from(bytes[at]);
            vocabulary.insert(&bytes[at + 1..at + 1 + length], row as u16);
            at += 1 + length;
        }
        let scales = bytes[at..at + count * 2]
            .chunks_exact(2)
            .map(|b| half(u16::from_le_bytes([b[0], b[1]])))
            .collect();
        let rows = &bytes[at + count * 2..];
        ensure!(rows.len() == count * DIMS / 2, "the table is cut short");
        Ok(Table {
            vocabulary,
            scales,
            rows,
        })
    }
}

/// Returns the value of an IEEE half-precision number.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 31);
    let fraction = f32::from(bits & 1023);
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// Pieces by their bytes: two open-addressed tables, for pieces that begin a word and for those that go on with one.
struct Vocabulary {
    slots: Vec<Slot>,
    longest: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    piece: &'static [u8],
    hash: u32,
    row: u16,
    inner: bool,
}

const FIRST: u32 = 0x811c_9dc5;
const INNER: u32 = 0x6b43_a9b5;

fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

impl Vocabulary {
    fn with_room_for(count: usize) -> Vocabulary {
        Vocabulary {
            slots: vec![Slot::default(); (count * 4).next_power_of_two()],
            longest: 0,
        }
    }

    fn insert(&mut self, piece: &'static [u8], row: u16) {
        let (inner, piece) = match piece.strip_prefix(b"##") {
            Some(rest) if !rest.is_empty() => (true, rest),
            _ => (false, piece),
        };
        let hash = piece
            .iter()
            .fold(if inner { INNER } else { FIRST }, |h, b| step(h, *b));
        let mut at = self.place(hash);
        while !self.slots[at].piece.is_empty() {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = Slot {
            piece,
            hash,
            row,
            inner,
        };
        self.longest = self.longest.max(piece.len());
    }

    fn place(&self, hash: u32) -> usize {
        (hash ^ hash >> 15) as usize & (self.slots.len() - 1)
    }

    fn find(&self, piece: &[u8], hash: u32, inner: bool) -> Option<u16> {
        let mut at = self.place(hash);
        loop {
            let slot = &self.slots[at];
            if slot.piece.is_empty() {
                return None;
            }
            if slot.hash == hash && slot.inner == inner && slot.piece == piece {
                return Some(slot.row);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// Cuts a word greedily into its longest pieces. A word with a part that no piece covers is left out.
    fn cut(&self, word: &[u8], out: &mut Vec<u16>) {
        let begun = out.len();
        let mut from = 0;
        let mut hashes = [0u32; 32];
        while from < word.len() {
            let inner = from > 0;
            let reach = (word.len() - from).min(self.longest).min(hashes.len());
            let mut hash = if inner { INNER } else { FIRST };
            for (i, byte) in word[from..from + reach].iter().enumerate() {
                hash = step(hash, *byte);
                hashes[i] = hash;
            }
            let found = (1..=reach).rev().find_map(|n| {
                let row = self.find(&word[from..from + n], hashes[n - 1], inner)?;
                Some((n, row))
            });
            match found {
                Some((length, row)) => {
                    out.push(row);
                    from += length;
                }
                None => {
                    out.truncate(begun);
                    return;
                }
            }
        }
    }
}

/// Appends the pieces of a text, cut like BERT's uncased tokenizer does.
pub(crate) fn pieces(text: &str, out: &mut Vec<u16>) {
    let vocabulary = &table().vocabulary;
    let mut word: Vec<u8> = Vec::with_capacity(64);
    let full = out.len() + MOST_PIECES;
    let mut rest = text;
    while out.len() < full && !rest.is_empty() {
        let plain = rest
            .bytes()
            .position(|b| !b.is_ascii())
            .unwrap_or(rest.len());
        for byte in rest.as_bytes()[..plain].iter() {
            if byte.is_ascii_alphanumeric() {
                word.push(byte.to_ascii_lowercase());
                continue;
            }
            flush(vocabulary, &mut word, out);
            if out.len() >= full {
                break;
            }
            if byte.is_ascii_punctuation() {
                vocabulary.cut(&[*byte], out);
            }
        }
        rest = &rest[plain..];
        let other = rest
            .bytes()
            .position(|b| b.is_ascii())
            .unwrap_or(rest.len());
        // A mark or a ligature may join what stands around it, so the word in hand stays in hand.
        for c in rest[..other].nfd().flat_map(char::to_lowercase) {
            if out.len() >= full {
                break;
            }
            if is_combining_mark(c)
                || c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{fffd}')
            {
                continue;
            }
            let lone = is_ideograph(c) || !c.is_alphanumeric();
            if lone {
                flush(vocabulary, &mut word, out);
            }
            if !c.is_whitespace() {
                word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            if lone {
                flush(vocabulary, &mut word, out);
            }
        }
        rest = &rest[other..];
    }
    flush(vocabulary, &mut word, out);
    out.truncate(full);
}

fn flush(vocabulary: &Vocabulary, word: &mut Vec<u8>, out: &mut Vec<u16>) {
    // BERT gives up on words of more than a hundred characters.
    if !word.is_empty() && word.len() <= 200 {
        vocabulary.cut(word, out);
    }
    word.clear();
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// What a passage is embedded by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    pub title: Vec<u16>,
    /// Title and text.
    pub all: Vec<u16>,
    /// The end of the passage before.
    pub context: Vec<u16>,
}

impl Pieces {
    pub fn of(title: &str, text: &str, context: &str) -> Pieces {
        let mut found = Pieces {
            title: Vec::new(),
            all: Vec::with_capacity(text.len() / 4 + 8),
            context: Vec::new(),
        };
        pieces(context, &mut found.context);
        pieces(title, &mut found.title);
        found.all.extend(&found.title);
        pieces(text, &mut found.all);
        found
    }
}

/// How often each piece occurs in the passages that fixed a generation's weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub passages: u32,
    pub of_piece: Vec<u32>,
}

impl Counts {
    /// Returns the counts of nothing, by which every piece weighs the same.
    pub fn none() -> Counts {
        Counts {
            passages: 0,
            of_piece: vec![0; table().scales.len()],
        }
    }

    /// Counts one passage's pieces, which are sorted here.
    pub fn add(&mut self, pieces: &mut [u16]) {
        pieces.sort_unstable();
        let mut last = None;
        for &piece in pieces.iter() {
            if last != Some(piece) {
                self.of_piece[usize::from(piece)] += 1;
            }
            last = Some(piece);
        }
        self.passages += 1;
    }
}

/// The built-in embedder, with the weights of one generation of one index.
pub struct Static {
    weights: Vec<f32>,
}

impl Static {
    /// Returns the embedder of an index that has not counted anything yet.
    pub fn unweighted() -> Static {
        Static::new(&Counts::none())
    }

    pub(crate) fn new(counts: &Counts) -> Static {
        let total = counts.passages as f32;
        let weigh = |(found, scale): (&u32, &f32)| {
            let found = *found as f32;
            let idf = if counts.passages == 0 {
                1.0
            } else {
                (1.0 + (total - found + 0.5) / (found + 0.5)).ln()
            };
            idf.sqrt() * scale
        };
        Static {
            weights: counts
                .of_piece
                .iter()
                .zip(&table().scales)
                .map(weigh)
                .collect(),
        }
    }

    /// Returns a passage's vector: its title and text together, and its title once more. Titles are what tickets and threads are
    /// looked for by, and a long text drowns them.
    pub(crate) fn passage_vector(&self, pieces: &Pieces) -> Vec<f32> {
        let mut vector = self.vector(&mut pieces.all.clone());
        for (more, weight) in [(&pieces.title, TITLE), (&pieces.context, CONTEXT)] {
            if !more.is_empty() {
                let more = self.vector(&mut more.clone());
                vector
                    .iter_mut()
                    .zip(more)
                    .for_each(|(v, m)| *v += weight * m);
            }
        }
        normalize(&mut vector);
        vector
    }

    /// Returns the vector of pieces, which are sorted here.
    pub(crate) fn vector(&self, pieces: &mut [u16]) -> Vec<f32> {
        pieces.sort_unstable();
        let mut sum = vec![0.0f32; DIMS];
        let mut bias = 0.0;
        let mut from = 0;
        while from < pieces.len() {
            let piece = pieces[from];
            let mut to = from + 1;
            while to < pieces.len() && pieces[to] == piece {
                to += 1;
            }
            let count = (to - from) as f32;
            let weight = (1.0 + count.ln()) * self.weights[usize::from(piece)];
            let at = usize::from(piece) * DIMS / 2;
            add_row(&mut sum, &table().rows[at..at + DIMS / 2], weight);
            bias += weight;
            from = to;
        }
        // A nibble is its value plus eight.
        sum.iter_mut().for_each(|x| *x -= 8.0 * bias);
        normalize(&mut sum);
        sum
    }
}

impl Embedder for Static {
    fn model(&self) -> String {
        "daybrief-static-1".to_string()
    }

    fn dims(&self) -> usize {
        DIMS
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let one = |text: &&str| {
            let mut found = Vec::with_capacity(text.len() / 4);
            pieces(text, &mut found);
            self.vector(&mut found)
        };
        Ok(texts.iter().map(one).collect())
    }
}

/// Brings a vector to unit length; zeros stay zeros.
pub(crate) fn normalize(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm > 1e-9 {
        vector.iter_mut().for_each(|x| *x /= norm);
    }
}

/// Adds `weight` times a packed row. Low nibbles are the first half of the dimensions, high ones the second: the order of
/// dimensions is nobody's business as long as it is always the same, and this one needs no shuffling.
fn add_row(sum: &mut [f32], row: &[u8], weight: f32) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just said that it knows these instructions.
        return unsafe { add_row_avx2(sum, row, weight) };
    }
    add_row_plain(sum, row, weight);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn add_row_avx2(sum: &mut [f32], row: &[u8], weight: f32) {
    add_row_plain(sum, row, weight);
}

#[inline(always)]
fn add_row_plain(sum: &mut [f32], row: &[u8], weight: f32) {
    let (low, high) = sum.split_at_mut(DIMS / 2);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(row) {
        *low += weight * f32::from(byte & 15);
        *high += weight * f32::from(byte >> 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        let both = Static::new(&Counts::none()).embed(&[a, b]).unwrap();
        both[0].iter().zip(&both[1]).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn the_table_is_small_and_well_formed() {
        let table = Table::read(TABLE_BYTES).unwrap();
        assert!(TABLE_BYTES.len() <= 8 << 20);
        assert_eq!(table.scales.len() * DIMS / 2, table.rows.len());
        assert!(table.scales.iter().all(|s| s.is_finite() && *s > 0.0));
    }

    #[test]
    fn words_are_cut_like_bert_cuts_them() {
        let name = |row: &u16| {
            let slot = table()
                .vocabulary
                .slots
                .iter()
                .find(|s| s.row == *row && !s.piece.is_empty())
                .unwrap();
            let piece = std::str::from_utf8(slot.piece).unwrap();
            if slot.inner {
                format!("##{piece}")
            } else {
                piece.to_string()
            }
        };
        for (text, expected) in [
            (
                "Embeddings, naïvely CAFÉ",
                "em ##bed ##ding ##s , naive ##ly cafe",
            ),
            ("foo_bar", "foo _ bar"),
            ("日本 x", "日 本 x"),
            ("don't", "don ' t"),
            ("", ""),
        ] {
            let mut out = Vec::new();
            pieces(text, &mut out);
            assert_eq!(
                out.iter().map(name).collect::<Vec<_>>().join(" "),
                expected,
                "{text}"
            );
        }
        let mut out = Vec::new();
        pieces(&"many words ".repeat(10_000), &mut out);
        assert_eq!(out.len(), MOST_PIECES);
    }

    #[test]
    fn alike_texts_are_near_and_others_are_not() {
        let near = cosine("How do I log in?", "user login fails");
        let far = cosine("How do I log in?", "the soup needs more salt");
        assert!(near > far + 0.15, "{near} {far}");
        assert!(cosine("", "anything").abs() < 1e-6);
    }

    #[test]
    fn rare_pieces_weigh_more() {
        let mut counts = Counts::none();
        let mut common = Vec::new();
        pieces("the server", &mut common);
        (0..2_000).for_each(|_| counts.add(&mut common.clone()));
        let both = Static::new(&counts)
            .embed(&["the server kafka", "kafka"])
            .unwrap();
        let dot: f32 = both[0].iter().zip(&both[1]).map(|(x, y)| x * y).sum();
        assert!(dot > 0.95, "{dot}");
    }
}
