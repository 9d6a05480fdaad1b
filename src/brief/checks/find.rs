//! Which of many messages a sentence or a question is about: words and meaning, fused.
//!
//! A sentence that rests on a message shares its words, so that single messages are compared. A question names the matter and
//! not the words of its answer, so that neighbors count, too, and what is found is spread over the thread.

use std::collections::{HashMap, HashSet};

use daybrief_index::{Embedder, Static};

use super::words::{content_words, is_stop_word};

/// Full-text saturation and length weight, as BM25 names them.
const K: f32 = 1.2;
const B: f32 = 0.4;
/// How far a question's neighbors reach, and what the nearest of them adds.
const REACH: usize = 6;
const SPILL: f32 = 0.4;
/// How near two messages found for one question may stand.
const APART: usize = 5;
/// What it adds that the question names the author.
const AUTHOR: f32 = 1.0;
/// What words weigh against meaning in a question; in a sentence both weigh the same.
const WORDS: f32 = 0.4;
/// How far around a found message its context reaches, for what it covers.
const AROUND: usize = 2;
/// Below this many messages neighbors are no place of their own.
const LONG: usize = 40;

/// One text that can be found.
struct Doc {
    /// Content words with their counts.
    terms: HashMap<String, f32>,
    length: f32,
    vector: Vec<f32>,
    /// Lower-case words of the author's name.
    author: Vec<String>,
}

/// The messages of one thread or the hits of one search, ready to be ranked.
pub struct Finder {
    docs: Vec<Doc>,
    frequency: HashMap<String, f32>,
    mean_length: f32,
    embedder: Static,
}

impl Finder {
    /// Takes in texts, each behind the name of its author.
    pub fn new<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Finder {
        let embedder = Static::unweighted();
        let mut frequency: HashMap<String, f32> = HashMap::new();
        let mut docs = Vec::new();
        for (author, text) in texts {
            let mut terms: HashMap<String, f32> = HashMap::new();
            let mut length = 0.0;
            for word in content_words(text) {
                *terms.entry(word).or_default() += 1.0;
                length += 1.0;
            }
            for term in terms.keys() {
                *frequency.entry(term.clone()).or_default() += 1.0;
            }
            docs.push(Doc {
                terms,
                length,
                vector: vector_of(&embedder, text),
                author: author
                    .split(|c: char| !c.is_alphanumeric())
                    .filter(|part| !part.is_empty())
                    .map(str::to_lowercase)
                    .collect(),
            });
        }
        let total: f32 = docs.iter().map(|doc| doc.length).sum();
        let mean_length = (total / docs.len().max(1) as f32).max(1.0);
        Finder {
            docs,
            frequency,
            mean_length,
            embedder,
        }
    }

    /// Returns the places of the `most` texts that a sentence most likely rests on, best first.
    pub fn best(&self, sentence: &str, most: usize) -> Vec<usize> {
        let mixed = mixed(&self.by_words(sentence), &self.by_meaning(sentence), 0.5);
        order_of(&mixed).into_iter().take(most).collect()
    }

    /// Returns the places of the `most` texts that most likely answer a question, best first.
    pub fn answers(&self, question: &str, most: usize) -> Vec<usize> {
        self.answers_with(question, most, &[])
    }

    /// The same, with something added to the score of each text.
    pub fn answers_with(&self, question: &str, most: usize, added: &[f32]) -> Vec<usize> {
        let (mut words, mut meaning) = (self.by_words(question), self.by_meaning(question));
        let is_long = self.docs.len() >= LONG;
        if is_long {
            (words, meaning) = (spilled(&words), spilled(&meaning));
        }
        let asked: HashSet<String> = question
            .split(|c: char| !c.is_alphanumeric())
            .map(str::to_lowercase)
            .collect();
        let is_named = |doc: &Doc| {
            !doc.author.is_empty() && doc.author.iter().all(|part| asked.contains(part))
        };
        let mut scores = mixed(&words, &meaning, WORDS);
        for (at, doc) in self.docs.iter().enumerate() {
            scores[at] += if is_named(doc) { AUTHOR } else { 0.0 };
            scores[at] += added.get(at).copied().unwrap_or(0.0);
        }
        let apart = if is_long { APART } else { 0 };
        let mut best: Vec<usize> = Vec::new();
        for at in order_of(&scores) {
            if best.len() == most {
                break;
            }
            if best.iter().all(|other| other.abs_diff(at) > apart) {
                best.push(at);
            }
        }
        best
    }

    /// Returns the place of the text that shares most with a long one, by words alone.
    pub fn nearest_by_words(&self, text: &str) -> Option<usize> {
        order_of(&self.by_words(text)).first().copied()
    }

    /// Returns how near two texts are in meaning, -1 to 1.
    pub fn similarity(&self, a: &str, b: &str) -> f32 {
        dot(&vector_of(&self.embedder, a), &vector_of(&self.embedder, b))
    }

    /// Returns the share of a question's weight that these texts and their nearest neighbors hold together, 0 to 1: a rare
    /// word weighs more than a frequent one, and one that stands nowhere weighs most.
    pub fn coverage(&self, question: &str, places: &[usize]) -> f32 {
        let near = |at: usize| {
            self.docs[at.saturating_sub(AROUND)..]
                .iter()
                .take(2 * AROUND + 1)
        };
        let is_held = |term: &String| {
            let mut around = places.iter().flat_map(|at| near(*at));
            around.any(|doc| doc.terms.contains_key(term) || doc.author.contains(term))
        };
        let mut terms = content_words(question);
        terms.sort();
        terms.dedup();
        let (mut all, mut held) = (0.0, 0.0);
        for term in &terms {
            let weight = self.rarity(term);
            all += weight;
            held += if is_held(term) { weight } else { 0.0 };
        }
        if all > 0.0 { held / all } else { 0.0 }
    }

    fn rarity(&self, term: &str) -> f32 {
        let found = self.frequency.get(term).copied().unwrap_or(0.0);
        (1.0 + (self.docs.len() as f32 - found + 0.5) / (found + 0.5)).ln()
    }

    fn by_words(&self, query: &str) -> Vec<f32> {
        let terms: HashSet<String> = content_words(query).into_iter().collect();
        let mut terms: Vec<(String, f32)> = terms
            .into_iter()
            .map(|term| {
                let rarity = self.rarity(&term);
                (term, rarity)
            })
            .collect();
        // Sums of floats depend on their order, and a hash set has none.
        terms.sort_by(|a, b| a.0.cmp(&b.0));
        let score = |doc: &Doc| {
            let norm = K * (1.0 - B + B * doc.length / self.mean_length);
            terms
                .iter()
                .map(|(term, rarity)| {
                    let count = doc.terms.get(term).copied().unwrap_or(0.0);
                    rarity * count * (K + 1.0) / (count + norm)
                })
                .sum()
        };
        self.docs.iter().map(score).collect()
    }

    fn by_meaning(&self, query: &str) -> Vec<f32> {
        let plain: Vec<&str> = query
            .split_whitespace()
            .filter(|word| !is_stop_word(&word.to_lowercase()))
            .collect();
        let wanted = vector_of(&self.embedder, &plain.join(" "));
        self.docs
            .iter()
            .map(|doc| dot(&doc.vector, &wanted))
            .collect()
    }
}

fn vector_of(embedder: &Static, text: &str) -> Vec<f32> {
    let mut vectors = embedder
        .embed(&[text])
        .expect("the built-in embedder needs nothing that could fail");
    vectors.pop().unwrap_or_default()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Returns the scores with a share of the neighbors' added, less the farther they are.
fn spilled(scores: &[f32]) -> Vec<f32> {
    (0..scores.len())
        .map(|at| {
            let mut sum = scores[at];
            for step in 1..=REACH {
                let share = SPILL * (1.0 - step as f32 / (REACH as f32 + 1.0));
                let before = at.checked_sub(step).map_or(0.0, |at| scores[at]);
                let after = scores.get(at + step).copied().unwrap_or(0.0);
                sum += share * (before + after);
            }
            sum
        })
        .collect()
}

/// Returns the places by falling score, the earlier one first where two are equal.
fn order_of(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order
}

/// Returns both scores in one, each as a share of its best; `share` is what the words weigh.
fn mixed(words: &[f32], meaning: &[f32], share: f32) -> Vec<f32> {
    let most_of = |scores: &[f32]| scores.iter().copied().fold(1e-6, f32::max);
    let (top_words, top_meaning) = (most_of(words), most_of(meaning));
    words
        .iter()
        .zip(meaning)
        .map(|(word, sense)| share * word / top_words + (1.0 - share) * sense / top_meaning)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_finds_the_message_it_rests_on() {
        let finder = Finder::new([
            ("Ana", "The import fails since the mirror moved."),
            ("Bo", "Lunch is at noon today, who is in?"),
            (
                "Cy",
                "I will raise the timeout of the nightly import to an hour.",
            ),
        ]);
        assert_eq!(
            finder.best("Cy raises the import's timeout to one hour.", 1),
            [2]
        );
        assert_eq!(finder.answers("Who wants lunch?", 1), [1]);
        assert!(finder.coverage("timeout of the import", &[2]) > 0.9);
        assert!(finder.coverage("recipe for the soup", &[0, 1, 2]) < 0.1);
    }
}
