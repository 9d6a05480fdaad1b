//! Answering: what may be found, the two arms, their fusion, and the page that is shown.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, PoisonError};

use anyhow::Result;
use tantivy::{DocAddress, Searcher};

use crate::arm::Arm;
use crate::embed::Embedder;
use crate::fuse::{self, Fused};
use crate::lexical::{Bits, ByAddress, Facts, Plan, Scored};
use crate::passage::{Arms, AudienceId, Explanation, Filter, Hit, Page, Query, Snippet};
use crate::vectors::Among;
use crate::{Index, analyze, embed, guarded, lexical, snippet};

/// All that decides what may be found, and the state of the index it was decided in.
#[derive(PartialEq, Eq)]
pub(crate) struct AllowedKey {
    searcher: u64,
    readable: BTreeSet<AudienceId>,
    filter: Filter,
    phrases: Vec<String>,
    excluded: Vec<String>,
}

/// Up to here one thread answers sooner than two.
const ALONE: usize = 300_000;
/// How many of the first answers widen the question, and by how much. Three by three tenths won a little nearly everywhere.
const FEEDBACK: usize = 3;
const FEEDBACK_WEIGHT: f32 = 0.3;
/// What the long form of a question counts for beside its short one.
const BODY_VECTOR: f32 = 0.4;

impl Index {
    /// Answers a query within what its asker may read. There is no unfiltered path; an empty `readable` finds nothing.
    pub fn search(&self, query: &Query) -> Result<Page<Hit>> {
        guarded(|| self.answer(query))
    }

    fn answer(&self, query: &Query) -> Result<Page<Hit>> {
        let searcher = self.lexical.reader.searcher();
        let allowed = self.allowed(&searcher, query)?;
        let matching: usize = allowed.iter().map(|b| b.count).sum();
        if matching == 0 || query.limit == 0 {
            return Ok(Page::default());
        }
        let mut plan = self.lexical.plan(&searcher, query)?;
        let says_something = [&query.text, &query.body]
            .iter()
            .any(|t| t.chars().any(char::is_alphanumeric));
        let listing = !says_something && query.prefixes.is_empty();
        let ranked = if listing {
            self.newest(&searcher, &allowed, query)?
        } else {
            self.ranked(&searcher, &allowed, query, &mut plan)?
        };
        let mut threads = HashSet::new();
        let facts = self.facts(&searcher, ranked.iter().map(|r| r.address))?;
        let shown: Vec<Fused> = ranked
            .into_iter()
            .filter(|r| {
                !query.group_by_thread || threads.insert(facts.get(&r.address).map(|f| f.thread))
            })
            .skip(query.offset)
            .take(query.limit)
            .collect();
        let mut items = Vec::with_capacity(shown.len());
        for fused in &shown {
            let passage = self.lexical.passage(&searcher, fused.address)?;
            // The bit said so already; a hit is worth asking twice.
            assert!(
                query.readable.contains(&passage.audience),
                "a passage outside the asker's audiences was found"
            );
            let snippet = if query.snippets {
                snippet::snippet(&passage.text, &plan.wanted)
            } else {
                Snippet::default()
            };
            let Fused {
                score,
                bm25,
                cosine,
                ..
            } = *fused;
            items.push(Hit {
                passage,
                score,
                bm25,
                cosine,
                snippet,
                explanation: None,
            });
        }
        if query.explain {
            let addresses: Vec<DocAddress> = shown.iter().map(|f| f.address).collect();
            let parts = self
                .lexical
                .score_parts(&searcher, &plan.clauses, &addresses)?;
            for ((hit, fused), parts) in items.iter_mut().zip(&shown).zip(parts) {
                let name = |clause: &lexical::Clause| {
                    let field = searcher.schema().get_field_name(clause.field);
                    format!("{field}:{}", clause.text)
                };
                let terms = parts
                    .into_iter()
                    .map(|(i, part)| (name(&plan.clauses[i]), part))
                    .collect();
                let Fused {
                    lexical,
                    vector,
                    lexical_weight,
                    recency,
                    company,
                    opinion,
                    ..
                } = *fused;
                hit.explanation = Some(Explanation {
                    terms,
                    lexical,
                    vector,
                    lexical_weight,
                    recency,
                    company,
                    opinion,
                });
            }
        }
        let total = (listing && !query.group_by_thread).then_some(matching);
        Ok(Page {
            items,
            total,
            notes: plan.notes,
        })
    }

    /// Returns both arms' candidates, fused.
    fn ranked(
        &self,
        searcher: &Searcher,
        allowed: &[Bits],
        query: &Query,
        plan: &mut Plan,
    ) -> Result<Vec<Fused>> {
        let pool = (query.offset + query.limit)
            .saturating_mul(3)
            .clamp(100, 5_000);
        let wanted = query.arms != Arms::Lexical && self.options.vectors;
        let arm = if wanted { self.arm() } else { None };
        let best = || self.lexical.best(searcher, plan, allowed, pool);
        let (lexical, vectors) = match &arm {
            None => (best()?, None),
            Some(arm) => {
                let near = || self.near(arm, searcher, allowed, query, pool);
                if query.arms == Arms::Vectors {
                    (Vec::new(), Some(near()))
                } else if allowed.iter().map(|b| b.count).sum::<usize>() < ALONE {
                    (best()?, Some(near()))
                } else {
                    // The arms do not wait for each other where waiting costs more than a thread.
                    std::thread::scope(|scope| {
                        let near = scope.spawn(near);
                        let lexical = best()?;
                        let near = near
                            .join()
                            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                        anyhow::Ok((lexical, Some(near)))
                    })?
                }
            }
        };
        // A part of an answer beats none.
        let vectors = match vectors {
            Some(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "The vectors did not answer");
                None
            }
            Some(Ok(vectors)) => Some(vectors),
            None => None,
        };
        if vectors.is_none() && wanted {
            plan.notes
                .push("Vectors are unavailable; answered from full text.".to_string());
        }
        let found = lexical
            .iter()
            .chain(vectors.iter().flat_map(|v| &v.1))
            .map(|s| s.0);
        let facts = self.facts(searcher, found)?;
        let mut cosines: ByAddress<f32> = ByAddress::default();
        if let (Some(arm), Some((vector, near))) = (&arm, &vectors) {
            cosines.extend(near.iter().copied());
            let missing: Vec<DocAddress> = lexical
                .iter()
                .map(|s| s.0)
                .filter(|a| !cosines.contains_key(a))
                .collect();
            let rows: Vec<u64> = missing
                .iter()
                .map(|a| facts.get(a).map_or(u64::MAX, |f| f.row))
                .collect();
            let known = arm.store.cosines(vector, &rows).unwrap_or_default();
            cosines.extend(missing.into_iter().zip(known));
        }
        let listed = vectors.as_ref().map(|v| v.1.as_slice());
        let recency = query.recency.as_ref();
        let is_foreign = analyze::is_mostly_unlike_english(&query.text);
        let mut fused = fuse::fuse(&lexical, listed, &cosines, &facts, recency, is_foreign);
        let (Some(arm), Some((vector, _)), Arms::Both) = (&arm, &vectors, query.arms) else {
            return Ok(fused);
        };
        if let Some(again) = widened(arm, vector, &fused, &facts) {
            let mut nearest: Vec<Scored> = again.iter().map(|(a, c)| (*a, *c)).collect();
            nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            fused = fuse::fuse(
                &lexical,
                Some(&nearest),
                &again,
                &facts,
                recency,
                is_foreign,
            );
        }
        // The table hardly knows other languages, and so not who is alike.
        let first = rows_of_first(&fused, &facts);
        if let Some(vectors) = arm.store.vectors(&first).filter(|_| !is_foreign) {
            fuse::keep_company(&mut fused, &vectors, &facts);
        }
        let (opinion, note) = self.second_opinion(query, &rows_of_first(&fused, &facts));
        plan.notes.extend(note);
        if let Some(opinion) = opinion {
            fuse::heed(&mut fused, &opinion);
        }
        Ok(fused)
    }

    /// Returns the query's vector and the nearest allowed passages.
    fn near(
        &self,
        arm: &Arm,
        searcher: &Searcher,
        allowed: &[Bits],
        query: &Query,
        pool: usize,
    ) -> Result<(Vec<f32>, Vec<Scored>)> {
        let mut vector = arm
            .embedder
            .embed(&[&query.text])?
            .pop()
            .unwrap_or_default();
        if !query.body.is_empty() {
            // Each form of the question counts for itself: a long one would drown the short one.
            let long = arm.embedder.embed(&[&query.body])?;
            let long = long.into_iter().next().unwrap_or_default();
            for (v, l) in vector.iter_mut().zip(long) {
                *v = (1.0 - BODY_VECTOR) * *v + BODY_VECTOR * l;
            }
            embed::normalize(&mut vector);
        }
        if vector.iter().all(|x| *x == 0.0) {
            return Ok((vector, Vec::new()));
        }
        let among = Among {
            segments: self.rows_of(searcher)?.into_iter().zip(allowed).collect(),
            query,
            locate: &|row| self.lexical.locate(searcher, allowed, row),
        };
        let near = arm.store.nearest(&vector, &among, pool)?;
        Ok((vector, near))
    }

    /// Does what tantivy alone would do, and returns how many of ten it found, nothing of them: the same terms, no filter,
    /// nothing read back.
    #[cfg(feature = "plain")]
    #[doc(hidden)]
    pub fn plain_top_ten(&self, query: &Query) -> Result<usize> {
        let searcher = self.lexical.reader.searcher();
        let plan = self.lexical.plan(&searcher, query)?;
        let top = tantivy::collector::TopDocs::with_limit(10).order_by_score();
        Ok(searcher.search(&lexical::union(&plan.clauses), &top)?.len())
    }

    /// Returns which passages may be found. The same asker asks again before anything has changed, so the last answers are kept.
    fn allowed(&self, searcher: &Searcher, query: &Query) -> Result<Arc<Vec<Bits>>> {
        let key = AllowedKey {
            searcher: searcher.generation().generation_id(),
            readable: query.readable.clone(),
            filter: query.filter.clone(),
            phrases: query.phrases.clone(),
            excluded: query.excluded.clone(),
        };
        let cachable = query.without.is_empty();
        if cachable {
            let known = self
                .allowed_to
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some((_, bits)) = known.iter().find(|(k, _)| *k == key) {
                return Ok(Arc::clone(bits));
            }
        }
        let bits = Arc::new(self.lexical.allowed(searcher, query)?);
        if cachable {
            let mut known = self
                .allowed_to
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.retain(|(k, _)| k.searcher == key.searcher);
            known.truncate(7);
            known.insert(0, (key, Arc::clone(&bits)));
        }
        Ok(bits)
    }

    fn newest(&self, searcher: &Searcher, allowed: &[Bits], query: &Query) -> Result<Vec<Fused>> {
        let pool = (query.offset + query.limit)
            .saturating_mul(4)
            .clamp(200, 5_000);
        let newest = self.lexical.newest(searcher, allowed, pool)?;
        let plain = |address| Fused {
            address,
            score: 0.0,
            bm25: None,
            cosine: None,
            lexical: 0.0,
            vector: 0.0,
            lexical_weight: 1.0,
            recency: 0.0,
            company: 0.0,
            opinion: 0.0,
        };
        Ok(newest.into_iter().map(plain).collect())
    }

    fn facts(
        &self,
        searcher: &Searcher,
        addresses: impl Iterator<Item = DocAddress>,
    ) -> Result<ByAddress<Facts>> {
        let addresses: Vec<DocAddress> = addresses.collect();
        Ok(addresses
            .iter()
            .copied()
            .zip(self.lexical.facts(searcher, &addresses)?)
            .collect())
    }

    /// Returns the rows of every segment, which are read once in a segment's life.
    fn rows_of(&self, searcher: &Searcher) -> Result<Vec<Arc<Vec<u32>>>> {
        let mut known = self.rows_of.lock().unwrap_or_else(PoisonError::into_inner);
        let segments = searcher.segment_readers();
        if known.len() > segments.len() * 2 + 8 {
            let alive: HashSet<_> = segments.iter().map(|s| s.segment_id()).collect();
            known.retain(|id, _| alive.contains(id));
        }
        segments
            .iter()
            .map(|segment| {
                if let Some(rows) = known.get(&segment.segment_id()) {
                    return Ok(Arc::clone(rows));
                }
                let rows = Arc::new(self.lexical.rows(segment)?);
                known.insert(segment.segment_id(), Arc::clone(&rows));
                Ok(rows)
            })
            .collect()
    }
}

/// Returns the rows of the first candidates: those that are looked at twice.
fn rows_of_first(fused: &[Fused], facts: &ByAddress<Facts>) -> Vec<u64> {
    let row = |f: &Fused| facts.get(&f.address).map_or(u64::MAX, |f| f.row);
    fused.iter().take(fuse::FIRST).map(row).collect()
}

/// The question in other words: what its best answers say. Only the candidates at hand are placed anew.
fn widened(
    arm: &Arm,
    vector: &[f32],
    fused: &[Fused],
    facts: &ByAddress<Facts>,
) -> Option<ByAddress<f32>> {
    let row = |f: &Fused| facts.get(&f.address).map_or(u64::MAX, |f| f.row);
    let best: Vec<&Fused> = fused
        .iter()
        .filter(|f| facts.contains_key(&f.address))
        .take(FEEDBACK)
        .collect();
    let answers = arm
        .store
        .vectors(&best.iter().map(|f| row(f)).collect::<Vec<_>>())?;
    let sum: f32 = best.iter().map(|f| f.score).sum();
    let mut widened = vector.to_vec();
    for (answer, fused) in answers.iter().zip(&best) {
        let share = FEEDBACK_WEIGHT * fused.score / sum.max(f32::MIN_POSITIVE);
        widened
            .iter_mut()
            .zip(answer)
            .for_each(|(w, a)| *w += share * a);
    }
    embed::normalize(&mut widened);
    let rows: Vec<u64> = fused.iter().map(row).collect();
    let again = arm.store.cosines(&widened, &rows)?;
    Some(fused.iter().map(|f| f.address).zip(again).collect())
}
