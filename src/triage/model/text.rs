//! Who fits a text, learned one ticket at a time: a softmax over people, trained by gradient steps as owners become known.

use super::tally::PersonNo;
use super::words::{Bag, Words};

/// Weights are kept by hash; two words that share a place are told apart by the others.
const PLACES: usize = 1 << 15;
const RATE: f32 = 0.6;
/// How many earlier tickets are gone over again with each new one, so that one pass is enough.
const AGAIN: usize = 4;
/// How many of the last tickets may be gone over again.
const MEMORY: usize = 6_000;

/// A text as a vector of length one.
pub type TextVector = Vec<(u32, f32)>;

/// The classifier.
#[derive(Debug, Default)]
pub struct TextModel {
    weights: Vec<Option<Vec<f32>>>,
    memory: Vec<(TextVector, PersonNo)>,
    learned: usize,
    random: u64,
}

impl TextModel {
    /// Returns a ticket's words as the model reads them; `also` are further features such as its components.
    pub fn vector(words: &Words, bag: &Bag, also: &[String]) -> TextVector {
        let mut vector: Vec<(u32, f32)> = bag
            .iter()
            .map(|(word, count)| {
                let weight = words.idf(*word) * (1.0 + (*count as f32).ln());
                (place(u64::from(*word)), weight)
            })
            .collect();
        let norm = vector
            .iter()
            .map(|(_, weight)| weight * weight)
            .sum::<f32>()
            .sqrt()
            .max(1e-6);
        for (_, weight) in &mut vector {
            *weight /= norm;
        }
        vector.extend(also.iter().map(|name| (place(hash(name)), 0.5)));
        vector
    }

    /// Returns how well each person fits, as probabilities over the given people.
    pub fn fit(&self, vector: &TextVector, people: &[PersonNo]) -> Vec<f32> {
        softmax(people.iter().map(|person| self.raw(vector, *person)))
    }

    /// Learns that a person owned a ticket.
    pub fn learn(&mut self, vector: TextVector, person: PersonNo, among: &[PersonNo]) {
        self.step(&vector, person, among);
        for _ in 0..AGAIN.min(self.memory.len()) {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = (self.random >> 33) as usize % self.memory.len();
            let (again, owner) = std::mem::take(&mut self.memory[at]);
            self.step(&again, owner, among);
            self.memory[at] = (again, owner);
        }
        if self.memory.len() < MEMORY {
            self.memory.push((vector, person));
        } else {
            let at = self.learned % MEMORY;
            self.memory[at] = (vector, person);
        }
        self.learned += 1;
    }

    fn step(&mut self, vector: &TextVector, person: PersonNo, among: &[PersonNo]) {
        let mut people = among.to_vec();
        if !people.contains(&person) {
            people.push(person);
        }
        let fit = self.fit(vector, &people);
        for (other, share) in people.into_iter().zip(fit) {
            let error = if other == person { 1.0 - share } else { -share };
            if error.abs() < 0.002 {
                continue;
            }
            let weights = self.weights_of(other);
            for (place, value) in vector {
                weights[*place as usize] += RATE * error * value;
            }
        }
    }

    fn raw(&self, vector: &TextVector, person: PersonNo) -> f32 {
        let Some(Some(weights)) = self.weights.get(person as usize) else {
            return 0.0;
        };
        vector
            .iter()
            .map(|(place, value)| weights[*place as usize] * value)
            .sum()
    }

    fn weights_of(&mut self, person: PersonNo) -> &mut [f32] {
        let at = person as usize;
        if self.weights.len() <= at {
            self.weights.resize(at + 1, None);
        }
        self.weights[at].get_or_insert_with(|| vec![0.0; PLACES])
    }
}

/// Returns the shares of `e^score`.
pub fn softmax(scores: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut scores: Vec<f32> = scores.collect();
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in &mut scores {
        *score = (*score - most).exp();
        sum += *score;
    }
    for score in &mut scores {
        *score /= sum;
    }
    scores
}

fn place(number: u64) -> u32 {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u32 % PLACES as u32
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_owned_a_text_fits_it_and_others_do_not() {
        let mut words = Words::default();
        let mut model = TextModel::default();
        let people = [0, 1, 2];
        let texts = ["table view crash", "login token expired", "map tiles blank"];
        for round in 0..10 {
            for (person, text) in texts.iter().enumerate() {
                let bag = words.bag(text, "");
                words.add(&bag);
                let vector = TextModel::vector(&words, &bag, &[]);
                if round > 0 {
                    model.learn(vector, person as PersonNo, &people);
                }
            }
        }
        let bag = words.bag("expired token", "");
        let fit = model.fit(&TextModel::vector(&words, &bag, &[]), &people);
        assert!(fit[1] > 0.6 && fit[0] < 0.3 && fit[2] < 0.3, "{fit:?}");
        assert!((fit.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
