//! The best passages by full text among those that may be found, and what each term of the question adds to a score.

use anyhow::Result;
use tantivy::query::{Bm25StatisticsProvider, BoostQuery, EnableScoring, Query as _, TermQuery};
#[cfg(feature = "plain")]
use tantivy::query::{BooleanQuery, Occur};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Searcher};

use super::Lexical;
use super::allowed::Bits;
use super::plan::{Clause, Plan};
use super::window::{Search, WINDOW, length_factors};

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
        let total = searcher.total_num_docs()?;
        let mut factors: Vec<(Field, [f32; 256])> = Vec::new();
        for clause in &plan.clauses {
            if factors.iter().all(|f| f.0 != clause.field) {
                let tokens = searcher.total_num_tokens(clause.field)?;
                factors.push((clause.field, length_factors(tokens, total)));
            }
        }
        let mut top = Top::new(most);
        let mut sums = Box::new([0.0; WINDOW]);
        for (ord, (segment, bits)) in searcher.segment_readers().iter().zip(allowed).enumerate() {
            if bits.count > 0 {
                let mut search = Search::new(segment, ord, plan, &factors, total)?;
                search.run(bits, &mut sums, &mut top);
            }
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
        Box::new(TermQuery::new(clause.term(), IndexRecordOption::WithFreqs)),
        clause.boost,
    )
}

/// Returns the question as tantivy would be asked it.
#[cfg(feature = "plain")]
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
pub(super) struct Top {
    most: usize,
    heap: std::collections::BinaryHeap<Ranked>,
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
        }
    }

    pub fn threshold(&self) -> f32 {
        if self.heap.len() < self.most {
            f32::MIN
        } else {
            self.heap.peek().map_or(f32::MIN, |r| r.0)
        }
    }

    pub fn offer(&mut self, address: DocAddress, score: f32) {
        if self.heap.len() < self.most {
            self.heap.push(Ranked(score, address));
        } else if score > self.threshold() {
            self.heap.pop();
            self.heap.push(Ranked(score, address));
        }
    }

    fn into_sorted(self) -> Vec<Scored> {
        let mut all: Vec<Scored> = self.heap.into_iter().map(|r| (r.1, r.0)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }
}
