//! What may be found: one bit for each passage.

use anyhow::Result;
use jiff::Timestamp;
use tantivy::columnar::ColumnValues;
use tantivy::query::{EnableScoring, PhraseQuery, Query as _};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Searcher, SegmentReader, TERMINATED, Term};

use super::plan::head;
use super::{Lexical, name_key};
use crate::analyze::{self, Kind, Token};
use crate::passage::{Filter, Query};

/// One bit for each passage of a segment: alive, readable, and all the filter asks for.
#[derive(Clone, Debug)]
pub(crate) struct Bits {
    words: Vec<u64>,
    pub count: usize,
}

impl Bits {
    fn none(len: u32) -> Bits {
        Bits {
            words: vec![0; (len as usize).div_ceil(64)],
            count: 0,
        }
    }

    fn set(&mut self, doc: DocId) {
        self.words[doc as usize / 64] |= 1 << (doc % 64);
    }

    pub fn has(&self, doc: DocId) -> bool {
        self.words[doc as usize / 64] >> (doc % 64) & 1 == 1
    }

    pub fn iter(&self) -> impl Iterator<Item = DocId> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                (word != 0).then(|| {
                    let bit = word.trailing_zeros();
                    word &= word - 1;
                    i as u32 * 64 + bit
                })
            })
        })
    }

    /// Returns the bits, 64 passages at a time.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().copied()
    }

    /// Returns the first passage from a number on.
    pub fn next(&self, from: DocId) -> Option<DocId> {
        let at = from as usize / 64;
        let mut word = self.words.get(at)? & (u64::MAX << (from % 64));
        let mut at = at;
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at as u32 * 64 + word.trailing_zeros())
    }

    /// Returns the passages from a number to before another.
    pub fn within(&self, from: DocId, to: DocId) -> impl Iterator<Item = DocId> + '_ {
        std::iter::successors(self.next(from), |doc| self.next(doc + 1))
            .take_while(move |doc| *doc < to)
    }

    fn keep(&mut self, other: &Bits) {
        self.words
            .iter_mut()
            .zip(&other.words)
            .for_each(|(a, b)| *a &= b);
    }

    fn drop(&mut self, other: &Bits) {
        self.words
            .iter_mut()
            .zip(&other.words)
            .for_each(|(a, b)| *a &= !b);
    }

    fn recount(&mut self) {
        self.count = self.words.iter().map(|w| w.count_ones() as usize).sum();
    }
}

impl Lexical {
    /// Returns, for every segment, which passages may be found. There is no other way to a passage.
    pub fn allowed(&self, searcher: &Searcher, query: &Query) -> Result<Vec<Bits>> {
        searcher
            .segment_readers()
            .iter()
            .map(|segment| self.allowed_in(searcher, segment, query))
            .collect()
    }

    fn allowed_in(
        &self,
        searcher: &Searcher,
        segment: &SegmentReader,
        query: &Query,
    ) -> Result<Bits> {
        let mut bits = readable(segment, query)?;
        let fields = self.fields;
        let Filter {
            connectors,
            kinds,
            spaces,
            authors,
            statuses,
            assignees,
            after,
            before,
        } = &query.filter;
        let lists = [
            (fields.connector, connectors),
            (fields.kind, kinds),
            (fields.space, spaces),
            (fields.author, authors),
            (fields.status, statuses),
            (fields.assignee, assignees),
        ];
        for (field, names) in lists {
            if !names.is_empty() {
                let terms: Vec<Term> = names
                    .iter()
                    .map(|n| Term::from_field_text(field, &name_key(n)))
                    .collect();
                bits.keep(&any_of(segment, &terms)?);
            }
        }
        if after.is_some() || before.is_some() {
            within(segment, *after, *before, &mut bits)?;
        }
        for phrase in &query.phrases {
            bits.keep(&self.with_phrase(searcher, segment, phrase)?);
        }
        for phrase in &query.excluded {
            bits.drop(&self.with_phrase(searcher, segment, phrase)?);
        }
        if !query.without.is_empty() {
            let terms = query.without.iter().flat_map(|id| {
                [fields.id, fields.event, fields.thread]
                    .map(|field| Term::from_field_text(field, id))
            });
            bits.drop(&any_of(segment, &terms.collect::<Vec<_>>())?);
        }
        bits.recount();
        Ok(bits)
    }

    /// Returns the passages that contain a phrase; a single word counts in all its forms.
    fn with_phrase(
        &self,
        searcher: &Searcher,
        segment: &SegmentReader,
        phrase: &str,
    ) -> Result<Bits> {
        let tokens = analyze::tokens(head(phrase));
        let words: Vec<&Token> = tokens
            .iter()
            .filter(|t| matches!(t.kind, Kind::Word | Kind::Gram))
            .take(32)
            .collect();
        let terms: Vec<(usize, Term)> = words
            .iter()
            .map(|t| {
                (
                    t.position,
                    Term::from_field_text(self.fields.exact, &t.text),
                )
            })
            .collect();
        let query: Box<dyn tantivy::query::Query> = match terms.as_slice() {
            // A phrase without words excludes nothing and is contained nowhere.
            [] => return Ok(Bits::none(segment.max_doc())),
            [(_, term)] => {
                let mut forms = vec![
                    (self.fields.exact, words[0].text.clone()),
                    (self.fields.meta, words[0].text.clone()),
                ];
                for language in self.languages_in(searcher)? {
                    let stem = analyze::stem(language, &words[0].text).into_owned();
                    forms.extend([self.fields.body, self.fields.title].map(|f| (f, stem.clone())));
                }
                let mut terms: Vec<Term> = forms
                    .iter()
                    .map(|(f, t)| Term::from_field_text(*f, t))
                    .collect();
                terms.push(term.clone());
                return any_of(segment, &terms);
            }
            _ => Box::new(PhraseQuery::new_with_offset(terms)),
        };
        let weight = query.weight(EnableScoring::disabled_from_schema(searcher.schema()))?;
        let mut bits = Bits::none(segment.max_doc());
        let mut scorer = weight.scorer(segment, 1.0)?;
        fill(&mut bits, scorer.as_mut());
        Ok(bits)
    }
}

fn readable(segment: &SegmentReader, query: &Query) -> Result<Bits> {
    let audiences = segment
        .fast_fields()
        .column_first_or_default::<u64>("audience")?;
    let mut bits = Bits::none(segment.max_doc());
    if query.readable.is_empty() {
        return Ok(bits);
    }
    // Audience ids are interned and small, so that a table answers faster than a set.
    let largest = query.readable.last().map_or(0, |a| a.0);
    let table: Option<Vec<bool>> = (largest < 1 << 20).then(|| {
        let mut table = vec![false; largest as usize + 1];
        query
            .readable
            .iter()
            .for_each(|a| table[a.0 as usize] = true);
        table
    });
    let may = |audience: u64| match &table {
        Some(table) => usize::try_from(audience)
            .ok()
            .and_then(|a| table.get(a))
            .copied()
            .unwrap_or(false),
        None => query.readable.contains(&crate::AudienceId(audience)),
    };
    blocks(segment, audiences.as_ref(), |doc, audience| {
        if may(audience) {
            bits.set(doc);
        }
    });
    if let Some(alive) = segment.alive_bitset() {
        for (i, word) in bits.words.iter_mut().enumerate() {
            let start = i as u32 * 64;
            for bit in 0..64.min(segment.max_doc() - start) {
                if *word >> bit & 1 == 1 && alive.is_deleted(start + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }
    Ok(bits)
}

fn within(
    segment: &SegmentReader,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    bits: &mut Bits,
) -> Result<()> {
    let occurred = segment
        .fast_fields()
        .column_first_or_default::<i64>("occurred")?;
    let from = after.map_or(i64::MIN, Timestamp::as_microsecond);
    let to = before.map_or(i64::MAX, Timestamp::as_microsecond);
    let mut inside = Bits::none(segment.max_doc());
    blocks(segment, occurred.as_ref(), |doc, at| {
        if from <= at && at < to {
            inside.set(doc);
        }
    });
    bits.keep(&inside);
    Ok(())
}

/// Reads a column in blocks, which decodes several times faster than value by value.
pub(super) fn blocks<T: Copy + Default + PartialOrd + std::fmt::Debug + Send + Sync + 'static>(
    segment: &SegmentReader,
    column: &dyn ColumnValues<T>,
    mut each: impl FnMut(DocId, T),
) {
    let mut buffer = [T::default(); 256];
    let end = segment.max_doc();
    let mut start = 0;
    while start < end {
        let length = (end - start).min(256) as usize;
        column.get_range(u64::from(start), &mut buffer[..length]);
        for (i, value) in buffer[..length].iter().enumerate() {
            each(start + i as u32, *value);
        }
        start += length as u32;
    }
}

fn any_of(segment: &SegmentReader, terms: &[Term]) -> Result<Bits> {
    let mut bits = Bits::none(segment.max_doc());
    for term in terms {
        let inverted = segment.inverted_index(term.field())?;
        if let Some(mut postings) = inverted.read_postings(term, IndexRecordOption::Basic)? {
            fill(&mut bits, &mut postings);
        }
    }
    Ok(bits)
}

fn fill(bits: &mut Bits, docs: &mut (impl DocSet + ?Sized)) {
    while docs.doc() != TERMINATED {
        bits.set(docs.doc());
        docs.advance();
    }
}
