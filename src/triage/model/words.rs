//! Words of tickets, numbered, and where they stand: a small full-text index that grows ticket by ticket.

use std::collections::HashMap;

/// A ticket's number within one model, in the order in which they were opened.
pub type TicketNo = u32;

/// No more words of one ticket are read; what follows is mostly logs.
const MOST_WORDS: usize = 400;
/// How many of a question's words are looked up, the rarest ones.
const MOST_ASKED: usize = 60;
/// BM25's saturation and length parameters, the usual ones.
const K1: f32 = 1.2;
const B: f32 = 0.6;
/// How much a word of the title counts against one of the body.
const TITLE: u32 = 3;

/// A ticket's words: numbers with how often each stands there, the title's weighted.
pub type Bag = Vec<(u32, u32)>;

/// Words and the tickets they stand in.
#[derive(Debug, Default)]
pub struct Words {
    numbers: HashMap<String, u32>,
    postings: Vec<Vec<(TicketNo, u16)>>,
    lengths: Vec<u32>,
    total_length: u64,
}

impl Words {
    /// Returns the words of a ticket, each with its count, numbering those that are new.
    pub fn bag(&mut self, title: &str, body: &str) -> Bag {
        let mut counts: HashMap<u32, u32> = HashMap::new();
        let mut read = 0;
        for (text, weight) in [(title, TITLE), (body, 1)] {
            for_each_word(text, |word| {
                if read >= MOST_WORDS {
                    return;
                }
                read += 1;
                let next = self.postings.len() as u32;
                let number = match self.numbers.get(word) {
                    Some(number) => *number,
                    None => {
                        self.numbers.insert(word.to_owned(), next);
                        self.postings.push(Vec::new());
                        next
                    }
                };
                *counts.entry(number).or_default() += weight;
            });
        }
        let mut bag: Bag = counts.into_iter().collect();
        bag.sort_unstable();
        bag
    }

    /// Adds the next ticket and returns its number.
    pub fn add(&mut self, bag: &Bag) -> TicketNo {
        let ticket = self.lengths.len() as TicketNo;
        let mut length = 0;
        for (word, count) in bag {
            self.postings[*word as usize].push((ticket, (*count).min(u16::MAX.into()) as u16));
            length += count;
        }
        self.lengths.push(length);
        self.total_length += u64::from(length);
        ticket
    }

    /// Returns whether any ticket has a word.
    pub fn is_known(&self, word: u32) -> bool {
        !self.postings[word as usize].is_empty()
    }

    /// Returns how telling a word is: the more tickets have it, the less.
    pub fn idf(&self, word: u32) -> f32 {
        let (with, all) = (
            self.postings[word as usize].len() as f32,
            self.lengths.len() as f32,
        );
        ((all - with + 0.5) / (with + 0.5)).ln_1p()
    }

    /// Returns the tickets most like a bag of words, best first, at most `most`, with a score of 0 to about 1: BM25 as a
    /// share of what a ticket scores against itself.
    pub fn like(&self, bag: &Bag, most: usize) -> Vec<(TicketNo, f32)> {
        if self.lengths.is_empty() {
            return Vec::new();
        }
        let average = (self.total_length as f32 / self.lengths.len() as f32).max(1.0);
        let mut asked: Vec<(u32, f32, u32)> = bag
            .iter()
            .map(|(word, count)| (*word, self.idf(*word), *count))
            .collect();
        asked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        asked.truncate(MOST_ASKED);
        let own_length = bag.iter().map(|(_, count)| count).sum::<u32>() as f32;
        let mut scores = vec![0.0_f32; self.lengths.len()];
        let mut best_possible = 0.0;
        for (word, idf, count) in asked {
            let weight = idf * (1.0 + (count as f32).ln());
            best_possible += weight * saturated(count as f32, own_length, average);
            for (ticket, times) in &self.postings[word as usize] {
                let length = self.lengths[*ticket as usize] as f32;
                scores[*ticket as usize] += weight * saturated(f32::from(*times), length, average);
            }
        }
        let mut found: Vec<(TicketNo, f32)> = scores
            .into_iter()
            .enumerate()
            .filter(|(_, score)| *score > 0.0)
            .map(|(ticket, score)| (ticket as TicketNo, score / best_possible))
            .collect();
        let order =
            |a: &(TicketNo, f32), b: &(TicketNo, f32)| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0));
        if found.len() > most {
            found.select_nth_unstable_by(most, order);
            found.truncate(most);
        }
        found.sort_by(order);
        found
    }
}

fn saturated(times: f32, length: f32, average: f32) -> f32 {
    times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length / average))
}

/// Calls `seen` with each word in lower case; parts of `fooBar` and `foo_bar` come beside the whole.
pub fn for_each_word(text: &str, mut seen: impl FnMut(&str)) {
    let mut lower = String::new();
    for piece in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let piece = piece.trim_matches('_');
        if piece.len() < 2 || piece.len() > 60 {
            continue;
        }
        lower.clear();
        lower.extend(piece.chars().flat_map(char::to_lowercase));
        seen(stem(&lower));
        let parts = parts_of(piece);
        if parts.len() > 1 {
            for part in parts.into_iter().filter(|part| part.len() > 2) {
                seen(stem(&part.to_lowercase()));
            }
        }
    }
}

/// Cuts the endings that English plurals and verbs have; the same for any tracker and harmless elsewhere.
fn stem(word: &str) -> &str {
    let is_long = |rest: &str| rest.len() > 3;
    for ending in ["ings", "ing", "ies", "ed", "es", "s"] {
        if let Some(rest) = word.strip_suffix(ending)
            && is_long(rest)
            && !rest.ends_with('s')
        {
            return rest;
        }
    }
    word
}

fn parts_of(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for piece in word.split('_') {
        let mut start = 0;
        let mut before: Option<char> = None;
        for (at, c) in piece.char_indices() {
            if c.is_uppercase() && before.is_some_and(char::is_lowercase) {
                parts.push(&piece[start..at]);
                start = at;
            }
            before = Some(c);
        }
        parts.push(&piece[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_and_in_parts() {
        let mut words = Vec::new();
        for_each_word("The TableView's on_close handlers: crashed", |word| {
            words.push(word.to_owned());
        });
        let expected = "the tableview table view on_close close handler crash";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn the_ticket_most_like_a_question_comes_first_and_itself_scores_one() {
        let mut words = Words::default();
        for title in [
            "table view crashes on scroll",
            "login fails",
            "maps are blank",
        ] {
            let bag = words.bag(title, "");
            words.add(&bag);
        }
        let question = words.bag("table view crashes on scroll", "");
        let found = words.like(&question, 2);
        assert_eq!(found[0].0, 0);
        assert!((found[0].1 - 1.0).abs() < 0.05, "{found:?}");
        assert!(found.len() <= 2);
        let nothing = words.bag("zebra", "");
        assert!(words.like(&nothing, 5).is_empty());
    }
}
