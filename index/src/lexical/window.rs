//! BM25 a window of documents at a time.
//!
//! A question that stands for a whole ticket has a hundred terms in four fields. tantivy's own union moves one document at a
//! time through all of them; here the scores of a window of documents are summed term by term, and terms that are in many
//! passages and worth little are looked up only for passages that still have a chance (MaxScore). The answer is the same.

use std::sync::Arc;

use anyhow::{Context, Result};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocId, InvertedIndexReader, SegmentReader};

use super::allowed::Bits;
use super::best::Top;
use super::plan::{Clause, Plan};

/// How many documents are summed at a time; their sums stay in the fastest memory.
pub(super) const WINDOW: usize = 8192;
/// A term in fewer than one in so many passages is summed whatever it weighs.
const FREQUENT: usize = 64;
// tantivy's constants, which are right.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// Returns what the length of a field, by its stored number, adds to a term's frequency below the line.
pub(super) fn length_factors(tokens: u64, documents: u64) -> [f32; 256] {
    let average = tokens as f32 / documents as f32;
    std::array::from_fn(|id| {
        K1 * (1.0 - B + B * FieldNormReader::id_to_fieldnorm(id as u8) as f32 / average)
    })
}

/// One segment's part of a search.
pub(super) struct Search<'a> {
    ord: u32,
    end: DocId,
    /// First the terms that are looked up, then those that may come to be, then those that are too rare for it to pay.
    lists: Vec<List<'a>>,
    looked_up: usize,
    frequent: usize,
    /// What the looked-up terms can add at most.
    rest: f32,
    /// What all terms can add at most.
    all: f32,
}

/// A term's postings in one segment.
struct List<'a> {
    postings: BlockSegmentPostings,
    /// The next posting within the block.
    at: usize,
    documents: usize,
    lengths: FieldNormReader,
    factors: &'a [f32; 256],
    /// The term adds less than this to any score.
    weight: f32,
}

impl<'a> Search<'a> {
    pub fn new(
        segment: &SegmentReader,
        ord: usize,
        plan: &Plan,
        factors: &'a [(Field, [f32; 256])],
        total: u64,
    ) -> Result<Search<'a>> {
        let end = segment.max_doc();
        let mut found: Vec<(f32, &Clause, &TermInfo)> = Vec::new();
        for clause in &plan.clauses {
            if let Some(info) = clause.postings.get(ord).and_then(Option::as_ref) {
                let n = clause.found.min(total) as f32;
                let idf = (1.0 + (total as f32 - n + 0.5) / (n + 0.5)).ln();
                found.push((clause.boost * idf * (1.0 + K1), clause, info));
            }
        }
        // Many postings for little weight are the first that need not be read.
        let is_frequent = |info: &TermInfo| info.doc_freq as usize * FREQUENT > end as usize;
        found.sort_by(|a, b| {
            let price = |f: &(f32, &Clause, &TermInfo)| f.0 / f.2.doc_freq.max(1) as f32;
            is_frequent(b.2)
                .cmp(&is_frequent(a.2))
                .then(price(a).total_cmp(&price(b)))
        });
        let frequent = found.iter().take_while(|f| is_frequent(f.2)).count();
        let mut fields: Vec<(Field, Arc<InvertedIndexReader>, FieldNormReader)> = Vec::new();
        let mut lists = Vec::with_capacity(found.len());
        for (weight, clause, info) in found {
            let place = match fields.iter().position(|f| f.0 == clause.field) {
                Some(place) => place,
                None => {
                    let inverted = segment.inverted_index(clause.field)?;
                    let lengths = segment.get_fieldnorms_reader(clause.field)?;
                    fields.push((clause.field, inverted, lengths));
                    fields.len() - 1
                }
            };
            let (field, inverted, lengths) = &fields[place];
            let factors = factors
                .iter()
                .find(|f| f.0 == *field)
                .map(|f| &f.1)
                .context("a field has no lengths")?;
            lists.push(List {
                postings: inverted
                    .read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?,
                at: 0,
                documents: info.doc_freq as usize,
                lengths: lengths.clone(),
                factors,
                weight,
            });
        }
        Ok(Search {
            ord: ord as u32,
            end,
            all: lists.iter().map(|l| l.weight).sum(),
            lists,
            looked_up: 0,
            frequent,
            rest: 0.0,
        })
    }

    pub fn run(&mut self, bits: &Bits, sums: &mut [f32; WINDOW], top: &mut Top) {
        // Where few may be found, the others need not be summed.
        let few = (bits.count * 4 < self.end as usize).then_some(bits);
        let mut from = 0;
        while self.all > top.threshold() {
            self.give_up(top.threshold());
            let next = self.lists[self.looked_up..]
                .iter()
                .filter_map(|list| list.doc())
                .min();
            let next = next.map(|doc| doc.max(from));
            let next = match few {
                Some(bits) => next.and_then(|doc| bits.next(doc)),
                None => next,
            };
            let Some(next) = next else { return };
            let to = self.end.min(next + WINDOW as u32);
            for list in &mut self.lists[self.looked_up..] {
                match few {
                    // Most blocks of postings hold nobody who may be found.
                    Some(bits) if bits.count * 128 < list.documents => {
                        bits.within(next, to).for_each(|doc| {
                            sums[(doc - next) as usize] += list.score(doc).unwrap_or(0.0);
                        });
                    }
                    Some(bits) => list.sum(next, to, sums, |doc| bits.has(doc)),
                    None => list.sum(next, to, sums, |_| true),
                }
            }
            self.offer(next, (to - next) as usize, bits, sums, top);
            sums[..(to - next) as usize].fill(0.0);
            from = to;
        }
    }

    /// Stops summing terms that do not lift a passage over `floor` even all together.
    fn give_up(&mut self, floor: f32) {
        let before = self.looked_up;
        while self.looked_up < self.frequent
            && self.rest + self.lists[self.looked_up].weight <= floor
        {
            self.rest += self.lists[self.looked_up].weight;
            self.looked_up += 1;
        }
        if self.looked_up > before {
            // What may add most is asked first, so that the others need not be.
            self.lists[..self.looked_up].sort_by(|a, b| b.weight.total_cmp(&a.weight));
        }
    }

    fn offer(&mut self, from: DocId, count: usize, bits: &Bits, sums: &[f32], top: &mut Top) {
        for (n, chunk) in sums[..count].chunks(64).enumerate() {
            let least = (top.threshold() - self.rest).max(0.0);
            if chunk.iter().map(|s| u32::from(*s > least)).sum::<u32>() == 0 {
                continue;
            }
            for (i, sum) in chunk.iter().enumerate() {
                let doc = from + (n * 64 + i) as DocId;
                if *sum <= least || !bits.has(doc) {
                    continue;
                }
                let (mut score, mut rest) = (*sum, self.rest);
                let floor = top.threshold();
                for list in &mut self.lists[..self.looked_up] {
                    if score + rest <= floor {
                        break;
                    }
                    rest -= list.weight;
                    score += list.score(doc).unwrap_or(0.0);
                }
                top.offer(DocAddress::new(self.ord, doc), score);
            }
        }
    }
}

impl List<'_> {
    fn doc(&self) -> Option<DocId> {
        self.postings.docs().get(self.at).copied()
    }

    /// Adds the term's scores of a window of documents.
    #[inline(always)]
    fn sum(
        &mut self,
        from: DocId,
        to: DocId,
        sums: &mut [f32; WINDOW],
        may: impl Fn(DocId) -> bool,
    ) {
        if self.doc().is_some_and(|doc| doc < from) {
            self.at = self.postings.seek(from);
        }
        loop {
            let docs = self.postings.docs();
            let Some(&last) = docs.last() else { return };
            let end = if last < to {
                docs.len()
            } else {
                docs.partition_point(|doc| *doc < to)
            };
            let freqs = &self.postings.freqs()[..docs.len()];
            for i in self.at.min(end)..end {
                let doc = docs[i];
                if may(doc) {
                    let frequency = freqs[i] as f32;
                    let factor = self.factors[usize::from(self.lengths.fieldnorm_id(doc))];
                    // The mask tells the compiler what is true anyway.
                    sums[(doc - from) as usize & (WINDOW - 1)] +=
                        self.weight * (frequency / (frequency + factor));
                }
            }
            if end < docs.len() {
                self.at = end;
                return;
            }
            self.postings.advance();
            self.at = 0;
        }
    }

    /// Returns what the term adds to a document's score. Documents are asked for in order.
    fn score(&mut self, doc: DocId) -> Option<f32> {
        if self.doc()? < doc {
            self.at = self.postings.seek(doc);
        }
        if self.doc()? != doc {
            return None;
        }
        let frequency = self.postings.freq(self.at) as f32;
        let factor = self.factors[usize::from(self.lengths.fieldnorm_id(doc))];
        Some(self.weight * (frequency / (frequency + factor)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::passage::{AudienceId, Query};
    use crate::{Index, Op, Options, Passage, Seq};

    /// A word that is the rarer the greater its number.
    fn word(state: &mut u64) -> String {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = (*state >> 40) as f64 / (1u64 << 24) as f64;
        format!("w{}", (300.0 * share.powi(3)) as usize)
    }

    fn line(state: &mut u64, count: usize) -> String {
        (0..count).map(|_| word(state) + " ").collect()
    }

    #[test]
    fn windows_find_what_summing_every_term_of_every_passage_finds() {
        let index = Index::in_memory(Options {
            vectors: false,
            ..Options::default()
        });
        let mut state = 3;
        let passage = |n: usize, state: &mut u64| Passage {
            id: format!("p{n}"),
            event: format!("e{n}"),
            thread: format!("t{n}"),
            connector: "chat".into(),
            kind: "conversation".into(),
            space: None,
            title: line(state, 2),
            text: line(state, 4 + n % 9),
            context: String::new(),
            authors: Vec::new(),
            labels: Vec::new(),
            status: None,
            assignees: Vec::new(),
            language: None,
            audience: AudienceId(n as u64 % 100),
            occurred_at: jiff::Timestamp::UNIX_EPOCH,
        };
        // More than a window in one segment, and a second segment with holes.
        for (from, to) in [(0, super::WINDOW + 900), (10_000, 10_700)] {
            let ops: Vec<Op> = (from..to)
                .map(|n| Op::Put(passage(n, &mut state)))
                .collect();
            index.apply(&ops, Seq(to as u64)).unwrap();
        }
        let gone: Vec<Op> = (0..300)
            .map(|n| Op::DeletePassage(format!("p{}", n * 7)))
            .collect();
        index.apply(&gone, Seq(20_000)).unwrap();
        let lexical = &index.lexical;
        let searcher = lexical.reader.searcher();
        for (round, readable) in [100, 30, 3, 1].into_iter().cycle().take(16).enumerate() {
            let query = Query::new(
                line(&mut state, 1 + round * 3),
                (0..readable).map(AudienceId),
                10,
            );
            let allowed = lexical.allowed(&searcher, &query).unwrap();
            let plan = lexical.plan(&searcher, &query).unwrap();
            let all: Vec<_> = allowed
                .iter()
                .enumerate()
                .flat_map(|(ord, bits)| bits.iter().map(move |doc| (ord as u32, doc)))
                .map(|(ord, doc)| tantivy::DocAddress::new(ord, doc))
                .collect();
            let parts = lexical.score_parts(&searcher, &plan.clauses, &all).unwrap();
            let sums: BTreeMap<_, f32> = all
                .iter()
                .zip(parts)
                .map(|(address, parts)| (*address, parts.iter().map(|p| p.1).sum()))
                .collect();
            let mut slow: Vec<f32> = sums.values().copied().filter(|s| *s > 0.0).collect();
            slow.sort_by(|a, b| b.total_cmp(a));
            for most in [1, 20] {
                let fast = lexical.best(&searcher, &plan, &allowed, most).unwrap();
                assert_eq!(fast.len(), slow.len().min(most), "round {round}");
                for ((address, score), expected) in fast.iter().zip(&slow) {
                    let near = |a: f32, b: f32| (a - b).abs() <= 1e-4 * b.max(1.0);
                    assert!(near(*score, sums[address]), "{score} {}", sums[address]);
                    assert!(near(*score, *expected), "round {round}: {score} {expected}");
                }
            }
        }
    }
}
