//! Two lists into one: full text and vectors, each as a share of its best, added with a weight that depends on the kind of thread.
//!
//! Reciprocal ranks throw the scores away and drag the better arm down to the worse; a weighted sum of scaled scores won on
//! nearly every judged set. Scaling from nothing to the best needs no thousandth candidate to know where nothing is.

use std::collections::HashMap;

use tantivy::DocAddress;

use crate::lexical::{Facts, KINDS, Scored};
use crate::passage::Recency;

/// A candidate with all that is known of its score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fused {
    pub address: DocAddress,
    pub score: f32,
    pub bm25: Option<f32>,
    pub cosine: Option<f32>,
    pub lexical: f32,
    pub vector: f32,
    pub lexical_weight: f32,
    pub recency: f32,
}

/// Returns how much of the fused score full text makes up. People quote tickets by their very words, and talk about meetings in
/// others.
fn lexical_weight(kind: usize) -> f32 {
    match KINDS[kind.min(KINDS.len() - 1)] {
        "ticket" => 0.6,
        "conversation" | "recording" => 0.5,
        _ => 0.6,
    }
}

/// Joins the arms' candidates. `facts` knows each of them; `cosine_of` fills in what the vector arm did not return.
pub(crate) fn fuse(
    lexical: &[Scored],
    vectors: Option<&[Scored]>,
    cosines: &HashMap<DocAddress, f32>,
    facts: &HashMap<DocAddress, Facts>,
    recency: Option<&Recency>,
) -> Vec<Fused> {
    let bm25: HashMap<DocAddress, f32> = lexical.iter().copied().collect();
    let best = |scored: &[Scored]| scored.first().map_or(0.0, |s| s.1).max(f32::MIN_POSITIVE);
    let (best_bm25, best_cosine) = (best(lexical), vectors.map(best));
    let mut all: Vec<DocAddress> = lexical
        .iter()
        .chain(vectors.unwrap_or_default())
        .map(|s| s.0)
        .collect();
    all.sort_unstable();
    all.dedup();
    let mut out: Vec<Fused> = all
        .into_iter()
        .map(|address| {
            let facts = facts.get(&address);
            let bm25 = bm25.get(&address).copied();
            let cosine = cosines.get(&address).copied();
            let lexical = bm25.map_or(0.0, |s| s / best_bm25);
            let (vector, weight) = match best_cosine {
                Some(best) => (
                    cosine.map_or(0.0, |c| (c / best).clamp(0.0, 1.0)),
                    lexical_weight(facts.map_or(0, |f| f.kind)),
                ),
                None => (0.0, 1.0),
            };
            let recency = match (recency, facts) {
                (Some(recency), Some(facts)) => gain(recency, facts.occurred_us),
                _ => 0.0,
            };
            let score = weight * lexical + (1.0 - weight) * vector + recency;
            Fused {
                address,
                score,
                bm25,
                cosine,
                lexical,
                vector,
                lexical_weight: weight,
                recency,
            }
        })
        .collect();
    out.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.address.cmp(&b.address)));
    out
}

fn gain(recency: &Recency, occurred_us: i64) -> f32 {
    let age_days = (recency.now.as_microsecond() - occurred_us) as f32 / 86_400e6;
    let age_days = if recency.both_ways {
        age_days.abs()
    } else {
        age_days.max(0.0)
    };
    recency.weight * (-age_days / recency.days.max(0.01)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(doc: u32) -> DocAddress {
        DocAddress::new(0, doc)
    }

    fn check(lexical: &[(u32, f32)], vectors: &[(u32, f32)], recency: Option<Recency>) -> Vec<u32> {
        let list = |l: &[(u32, f32)]| l.iter().map(|s| (address(s.0), s.1)).collect::<Vec<_>>();
        let vectors = list(vectors);
        let facts = (0..10).map(|i| {
            (
                address(i),
                Facts {
                    thread: 0,
                    kind: 0,
                    occurred_us: i64::from(i) * 86_400_000_000,
                    row: 0,
                },
            )
        });
        let fused = fuse(
            &list(lexical),
            Some(&vectors),
            &vectors.iter().copied().collect(),
            &facts.collect(),
            recency.as_ref(),
        );
        fused.iter().map(|f| f.address.doc_id).collect()
    }

    #[test]
    fn both_arms_count_and_agreement_wins() {
        assert_eq!(
            check(
                &[(1, 9.0), (2, 8.0), (3, 1.0)],
                &[(2, 0.9), (4, 0.8), (1, 0.2)],
                None
            ),
            [2, 1, 4, 3]
        );
        assert_eq!(check(&[], &[(2, 0.9), (4, 0.8)], None), [2, 4]);
        assert_eq!(check(&[(1, 1.0)], &[], None), [1]);
    }

    #[test]
    fn recency_decides_between_equals_and_not_more() {
        let recency = Recency {
            now: "1970-01-10T00:00:00Z".parse().unwrap(),
            weight: 0.1,
            days: 3.0,
            both_ways: false,
        };
        assert_eq!(
            check(&[(1, 5.0), (8, 5.0), (9, 1.0)], &[], Some(recency)),
            [8, 1, 9]
        );
    }
}
