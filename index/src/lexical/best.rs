//! The best passages by full text among those that may be found.

use std::collections::HashMap;

use anyhow::Result;
use tantivy::query::{
    BooleanQuery, BoostQuery, EnableScoring, Occur, Query as _, TermQuery, Weight,
};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocId, DocSet, Searcher};

use super::Lexical;
use super::allowed::Bits;
use super::plan::{Clause, Plan};

/// A passage and its full-text score.
pub(crate) type Scored = (DocAddress, f32);

impl Lexical {
    /// Returns the `most` best passages among the allowed ones, best first.
    pub fn best(
        &self,
        searcher: &Searcher,
        plan: &Plan,
        allowed: &[Bits],
        most: usize,
    ) -> Result<Vec<Scored>> {
        if plan.clauses.is_empty() || most == 0 {
            return Ok(Vec::new());
        }
        let scoring = EnableScoring::enabled_from_searcher(searcher);
        let mut top = Top::new(most);
        let weight = union(&plan.clauses).weight(scoring)?;
        let mut singles: Option<Vec<Box<dyn Weight>>> = None;
        for (ord, (segment, bits)) in searcher.segment_readers().iter().zip(allowed).enumerate() {
            let ord = ord as u32;
            if bits.count == 0 {
                continue;
            }
            // Where few may be found, walking those few beats walking the postings.
            if bits.count < segment.max_doc() as usize / 16 {
                if singles.is_none() {
                    let made = plan
                        .clauses
                        .iter()
                        .map(|c| Ok(single(c).weight(scoring)?))
                        .collect::<Result<_>>()?;
                    singles = Some(made);
                }
                for weight in singles.iter().flatten() {
                    let mut scorer = weight.scorer(segment, 1.0)?;
                    top.walk(scorer.as_mut(), bits);
                }
                top.settle(ord);
                continue;
            }
            weight.for_each_pruning(top.threshold(), segment, &mut |doc, score| {
                if bits.has(doc) {
                    top.offer(DocAddress::new(ord, doc), score);
                }
                top.threshold()
            })?;
        }
        Ok(top.into_sorted())
    }

    /// Returns, for each given passage, the clauses that match it and what each adds.
    pub fn score_parts(
        &self,
        searcher: &Searcher,
        clauses: &[Clause],
        addresses: &[DocAddress],
    ) -> Result<Vec<Vec<(usize, f32)>>> {
        let scoring = EnableScoring::enabled_from_searcher(searcher);
        let mut order: Vec<usize> = (0..addresses.len()).collect();
        order.sort_by_key(|i| addresses[*i]);
        let mut out = vec![Vec::new(); addresses.len()];
        for (number, clause) in clauses.iter().enumerate() {
            let weight = single(clause).weight(scoring)?;
            let mut scorer: Option<(u32, Box<dyn tantivy::query::Scorer>)> = None;
            for &i in &order {
                let address = addresses[i];
                if scorer.as_ref().is_none_or(|s| s.0 != address.segment_ord) {
                    let segment = searcher.segment_reader(address.segment_ord);
                    scorer = Some((address.segment_ord, weight.scorer(segment, 1.0)?));
                }
                let (_, scorer) = scorer.as_mut().expect("it was just made");
                if scorer.doc() < address.doc_id {
                    scorer.seek(address.doc_id);
                }
                if scorer.doc() == address.doc_id {
                    out[i].push((number, scorer.score()));
                }
            }
        }
        Ok(out)
    }
}

fn single(clause: &Clause) -> BoostQuery {
    BoostQuery::new(
        Box::new(TermQuery::new(
            clause.term.clone(),
            IndexRecordOption::WithFreqs,
        )),
        clause.boost,
    )
}

pub(crate) fn union(clauses: &[Clause]) -> BooleanQuery {
    let clauses = clauses.iter().map(|c| {
        (
            Occur::Should,
            Box::new(single(c)) as Box<dyn tantivy::query::Query>,
        )
    });
    BooleanQuery::new(clauses.collect())
}

/// The best so far: a heap with its worst on top.
struct Top {
    most: usize,
    heap: std::collections::BinaryHeap<Ranked>,
    sums: HashMap<DocId, f32>,
}

#[derive(PartialEq)]
struct Ranked(f32, DocAddress);

impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    // The worst is the greatest: low score first, then the later address.
    fn cmp(&self, other: &Ranked) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0).then(self.1.cmp(&other.1))
    }
}

impl Top {
    fn new(most: usize) -> Top {
        Top {
            most,
            heap: std::collections::BinaryHeap::with_capacity(most + 1),
            sums: HashMap::new(),
        }
    }

    fn threshold(&self) -> f32 {
        if self.heap.len() < self.most {
            f32::MIN
        } else {
            self.heap.peek().map_or(f32::MIN, |r| r.0)
        }
    }

    fn offer(&mut self, address: DocAddress, score: f32) {
        if self.heap.len() < self.most {
            self.heap.push(Ranked(score, address));
        } else if score > self.threshold() {
            self.heap.pop();
            self.heap.push(Ranked(score, address));
        }
    }

    /// Adds one clause's scores of the allowed passages.
    fn walk(&mut self, scorer: &mut dyn tantivy::query::Scorer, bits: &Bits) {
        for doc in bits.iter() {
            if scorer.doc() < doc {
                scorer.seek(doc);
            }
            if scorer.doc() == doc {
                *self.sums.entry(doc).or_insert(0.0) += scorer.score();
            }
        }
    }

    fn settle(&mut self, ord: u32) {
        for (doc, score) in std::mem::take(&mut self.sums) {
            self.offer(DocAddress::new(ord, doc), score);
        }
    }

    fn into_sorted(self) -> Vec<Scored> {
        let mut all: Vec<Scored> = self.heap.into_iter().map(|r| (r.1, r.0)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }
}
