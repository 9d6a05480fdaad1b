//! Two lists into one: full text and vectors, each as a share of its best, half and half; then a second look at the first fifty.
//!
//! Reciprocal ranks throw the scores away and drag the better arm down to the worse; a weighted sum of scaled scores won on
//! nearly every judged set. Scaling from nothing to the best needs no thousandth candidate to know where nothing is. The second
//! look asks what the candidates make of each other, and what a configured model makes of them.

use tantivy::DocAddress;

use crate::lexical::{ByAddress, Facts, KINDS, Scored};
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
    pub company: f32,
    pub opinion: f32,
}

/// How much of the fused score full text makes up. More of it won nothing on any kind of thread once identifiers were kept whole.
const LEXICAL: f32 = 0.5;
/// The same for texts in languages that the built-in table has hardly seen.
const LEXICAL_FOREIGN: f32 = 0.8;

/// How many of the first candidates are looked at twice.
pub(crate) const FIRST: usize = 50;
/// How many of the others a candidate is compared with, and how fast those that are less alike lose their say.
const NEIGHBORS: usize = 10;
const LIKENESS_POWER: i32 = 6;
/// What a configured model's opinion counts for.
const OPINION: f32 = 0.3;

/// Returns how far a passage's score is drawn to those of the candidates most like it. Forums, meetings and pages come back to
/// their subjects, and what several of them say is seldom beside the point; a chat answers a question once.
fn sociability(facts: &Facts) -> f32 {
    match KINDS[facts.kind.min(KINDS.len() - 1)] {
        // Their likeness is not known well enough.
        _ if facts.is_foreign => 0.0,
        "topic" | "recording" => 0.35,
        "conversation" => 0.0,
        "ticket" => 0.15,
        _ => 0.2,
    }
}

/// Draws the scores of the first candidates to those of their likes. `vectors` are theirs, in order.
pub(crate) fn keep_company(fused: &mut [Fused], vectors: &[Vec<f32>], facts: &ByAddress<Facts>) {
    let count = fused.len().min(vectors.len()).min(FIRST);
    let mut likeness = vec![0f32; count * count];
    for i in 0..count {
        for j in 0..i {
            let cosine: f32 = dot(&vectors[i], &vectors[j]);
            let value = cosine.max(0.0).powi(LIKENESS_POWER);
            (likeness[i * count + j], likeness[j * count + i]) = (value, value);
        }
    }
    let scores: Vec<f32> = fused[..count].iter().map(|f| f.score).collect();
    for i in 0..count {
        let share = facts.get(&fused[i].address).map_or(0.0, sociability);
        if share == 0.0 {
            continue;
        }
        let mut others: Vec<(f32, f32)> = likeness[i * count..(i + 1) * count]
            .iter()
            .copied()
            .zip(scores.iter().copied())
            .collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0));
        others.truncate(NEIGHBORS);
        let all: f32 = others.iter().map(|o| o.0).sum();
        if all > 0.0 {
            let drawn = others.iter().map(|o| o.0 * o.1).sum::<f32>() / all;
            fused[i].company = share * (drawn - fused[i].score);
            fused[i].score += fused[i].company;
        }
    }
    sort(fused);
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight sums, so that the compiler may add eight at a time.
    let mut sums = [0f32; 8];
    let (a, _) = a.as_chunks::<8>();
    let (b, _) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum()
}

/// Places the first candidates anew by what a configured model thinks of them; one it does not know keeps its score.
pub(crate) fn heed(fused: &mut [Fused], opinion: &[Option<f32>]) {
    let best = opinion.iter().flatten().copied().fold(0.0, f32::max);
    let most = fused.iter().map(|f| f.score).fold(0.0, f32::max);
    if best <= 0.0 {
        return;
    }
    for (fused, cosine) in fused.iter_mut().zip(opinion) {
        if let Some(cosine) = cosine {
            let scaled = most * (cosine / best).clamp(0.0, 1.0);
            fused.opinion = OPINION * (scaled - fused.score);
            fused.score += fused.opinion;
        }
    }
    sort(fused);
}

fn sort(fused: &mut [Fused]) {
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.address.cmp(&b.address)));
}

/// Joins the arms' candidates. `facts` knows each of them, and `cosines` those that only full text found; `is_foreign` says
/// of the question that it is in another language than the table's.
pub(crate) fn fuse(
    lexical: &[Scored],
    vectors: Option<&[Scored]>,
    cosines: &ByAddress<f32>,
    facts: &ByAddress<Facts>,
    recency: Option<&Recency>,
    is_foreign: bool,
) -> Vec<Fused> {
    let bm25s: ByAddress<f32> = lexical.iter().copied().collect();
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
            let bm25 = bm25s.get(&address).copied();
            let cosine = cosines.get(&address).copied();
            let lexical = bm25.map_or(0.0, |s| s / best_bm25);
            let (vector, weight) = match best_cosine {
                Some(best) => {
                    // Vectors that answer alone are not weighed against anything.
                    let is_foreign =
                        !bm25s.is_empty() && (is_foreign || facts.is_some_and(|f| f.is_foreign));
                    (
                        cosine.map_or(0.0, |c| (c / best).clamp(0.0, 1.0)),
                        if is_foreign { LEXICAL_FOREIGN } else { LEXICAL },
                    )
                }
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
                company: 0.0,
                opinion: 0.0,
            }
        })
        .collect();
    sort(&mut out);
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
                    is_foreign: false,
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
            false,
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
    fn candidates_that_agree_lift_each_other() {
        let facts = |kind| {
            let fact = Facts {
                thread: 0,
                kind,
                is_foreign: false,
                occurred_us: 0,
                row: 0,
            };
            (0..10)
                .map(|i| (address(i), fact))
                .collect::<ByAddress<_>>()
        };
        let unit = |i: usize| {
            let mut vector = vec![0.0; 8];
            vector[i] = 1.0;
            vector
        };
        let list = [(address(0), 1.0), (address(1), 0.95), (address(2), 0.7)];
        let order = |kind| {
            let mut fused = fuse(
                &list,
                None,
                &ByAddress::default(),
                &facts(kind),
                None,
                false,
            );
            keep_company(&mut fused, &[unit(0), unit(1), unit(0)], &facts(kind));
            fused
                .iter()
                .map(|f| (f.address.doc_id, f.company != 0.0))
                .collect::<Vec<_>>()
        };
        let topic = KINDS.iter().position(|k| *k == "topic").unwrap();
        assert_eq!(order(topic), [(1, false), (0, true), (2, true)]);
        let talk = KINDS.iter().position(|k| *k == "conversation").unwrap();
        assert_eq!(order(talk), [(0, false), (1, false), (2, false)]);
    }

    #[test]
    fn a_second_opinion_counts_where_there_is_one() {
        let list = [(address(0), 1.0), (address(1), 0.9), (address(2), 0.8)];
        let mut fused = fuse(
            &list,
            None,
            &ByAddress::default(),
            &ByAddress::default(),
            None,
            false,
        );
        heed(&mut fused, &[Some(0.1), Some(0.8), None]);
        let order: Vec<u32> = fused.iter().map(|f| f.address.doc_id).collect();
        assert_eq!(order, [1, 2, 0]);
        heed(&mut fused, &[None, None, None]);
        assert_eq!(fused[0].address, address(1));
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
