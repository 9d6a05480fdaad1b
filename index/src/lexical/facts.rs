//! What is known of a passage beside its text, read from columns.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use anyhow::Result;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet, Searcher, SegmentReader, TERMINATED, Term};

use super::Lexical;
use super::allowed::{Bits, blocks};

/// Something known of each of many passages. Nobody outside chooses addresses, so that a plain hash will do.
pub(crate) type ByAddress<T> = HashMap<DocAddress, T, BuildHasherDefault<Mixed>>;

/// The hash of an address: its two numbers, mixed.
#[derive(Default)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(32) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// What ranking needs to know of a passage beside its scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub thread: u64,
    pub kind: usize,
    /// Whether the text is in another language than the built-in table was made of.
    pub is_foreign: bool,
    pub occurred_us: i64,
    pub row: u64,
}

impl Lexical {
    /// Returns the newest of the allowed passages: what a query without words asks for.
    pub fn newest(
        &self,
        searcher: &Searcher,
        allowed: &[Bits],
        most: usize,
    ) -> Result<Vec<DocAddress>> {
        let mut all: Vec<(i64, DocAddress)> = Vec::new();
        for (ord, (segment, bits)) in searcher.segment_readers().iter().zip(allowed).enumerate() {
            let occurred = segment
                .fast_fields()
                .column_first_or_default::<i64>("occurred")?;
            all.extend(
                bits.iter()
                    .map(|doc| (occurred.get_val(doc), DocAddress::new(ord as u32, doc))),
            );
        }
        let order =
            |a: &(i64, DocAddress), b: &(i64, DocAddress)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
        if all.len() > most && most > 0 {
            all.select_nth_unstable_by(most - 1, order);
            all.truncate(most);
        }
        all.sort_by(order);
        Ok(all.into_iter().map(|a| a.1).collect())
    }

    /// Returns the thread, kind, time and row of given passages.
    pub fn facts(&self, searcher: &Searcher, addresses: &[DocAddress]) -> Result<Vec<Facts>> {
        let mut columns = HashMap::new();
        addresses
            .iter()
            .map(|address| {
                let ord = address.segment_ord;
                if let std::collections::hash_map::Entry::Vacant(entry) = columns.entry(ord) {
                    let fast = searcher.segment_reader(ord).fast_fields();
                    let threads = fast.column_first_or_default::<u64>("thread_key")?;
                    let kinds = fast.column_first_or_default::<u64>("kind_key")?;
                    let occurred = fast.column_first_or_default::<i64>("occurred")?;
                    let rows = fast.column_first_or_default::<u64>("row")?;
                    entry.insert((threads, kinds, occurred, rows));
                }
                let (threads, kinds, occurred, rows) = &columns[&ord];
                let doc = address.doc_id;
                Ok(Facts {
                    thread: threads.get_val(doc),
                    kind: kinds.get_val(doc) as usize & 7,
                    is_foreign: kinds.get_val(doc) & 8 != 0,
                    occurred_us: occurred.get_val(doc),
                    row: rows.get_val(doc),
                })
            })
            .collect()
    }

    /// Returns the rows of a segment's passages, by document number.
    pub fn rows(&self, segment: &SegmentReader) -> Result<Vec<u32>> {
        let column = segment
            .fast_fields()
            .column_first_or_default::<u64>("row")?;
        let mut rows = Vec::with_capacity(segment.max_doc() as usize);
        blocks(segment, column.as_ref(), |_, row| rows.push(row as u32));
        Ok(rows)
    }

    /// Returns the allowed passage of a row.
    pub fn locate(&self, searcher: &Searcher, allowed: &[Bits], row: u64) -> Option<DocAddress> {
        let term = Term::from_field_u64(self.fields.row, row);
        searcher
            .segment_readers()
            .iter()
            .zip(allowed)
            .enumerate()
            .find_map(|(ord, (segment, bits))| {
                let inverted = segment.inverted_index(self.fields.row).ok()?;
                let mut postings = inverted
                    .read_postings(&term, IndexRecordOption::Basic)
                    .ok()??;
                while postings.doc() != TERMINATED {
                    if bits.has(postings.doc()) {
                        return Some(DocAddress::new(ord as u32, postings.doc()));
                    }
                    postings.advance();
                }
                None
            })
    }
}
