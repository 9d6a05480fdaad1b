//! Tables of phrases, compiled once and looked up by their first word.

use std::collections::HashMap;

use super::words::Words;

/// The most phrases a table may hold.
const LIMIT: usize = 128;

/// One step of a phrase.
#[derive(Debug)]
enum Step {
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// Any word.
    Any,
    /// Up to eight words.
    Gap,
    /// The end of the sentence.
    End,
}

/// A compiled phrase; see `Words::find` for how it is written.
#[derive(Debug)]
struct Phrase {
    /// Whether it stands only where a sentence's matter begins.
    is_tied: bool,
    steps: Vec<(Step, bool)>,
}

/// Phrases with what they add.
#[derive(Debug)]
pub(super) struct Table {
    phrases: Vec<Phrase>,
    weights: Vec<f32>,
    by_first: HashMap<&'static str, Vec<usize>>,
    /// Phrases that may begin with any word.
    loose: Vec<usize>,
}

impl Table {
    /// Compiles a table.
    pub fn new(cues: &[(&'static str, f32)]) -> Self {
        assert!(cues.len() <= LIMIT, "a table holds at most {LIMIT} phrases");
        let phrases: Vec<Phrase> = cues.iter().map(|(text, _)| Phrase::new(text)).collect();
        let (mut by_first, mut loose) = (HashMap::<&'static str, Vec<usize>>::new(), Vec::new());
        for (n, phrase) in phrases.iter().enumerate() {
            // Optional words may be missing, so that each of them and the first that may not can come first.
            let firsts = phrase
                .steps
                .iter()
                .scan(true, |goes_on, (step, is_optional)| {
                    std::mem::replace(goes_on, *is_optional).then_some(step)
                });
            for step in firsts {
                match step {
                    Step::OneOf(words) => words
                        .iter()
                        .for_each(|word| by_first.entry(word).or_default().push(n)),
                    _ => loose.push(n),
                }
            }
        }
        Self {
            phrases,
            weights: cues.iter().map(|cue| cue.1).collect(),
            by_first,
            loose,
        }
    }

    /// Returns the weights of the phrases that stand in the sentence, each once; tied ones only at `head`.
    pub fn weights<'t>(&'t self, words: &'t Words, head: usize) -> impl Iterator<Item = f32> + 't {
        let mut found: u128 = 0;
        for at in 0..words.len() {
            let named = self.by_first.get(words.get(at)).into_iter().flatten();
            for &n in named.chain(&self.loose) {
                let phrase = &self.phrases[n];
                if found & (1 << n) == 0
                    && (!phrase.is_tied || at == head)
                    && phrase.stands_at(words, at)
                {
                    found |= 1 << n;
                }
            }
        }
        (0..self.phrases.len())
            .filter(move |n| found & (1 << n) != 0)
            .map(|n| self.weights[n])
    }

    /// Returns the largest weight of the phrases that stand in the sentence.
    pub fn most(&self, words: &Words, head: usize) -> f32 {
        self.weights(words, head).fold(0.0, f32::max)
    }

    /// Returns the sum of the weights of the phrases that stand in the sentence.
    pub fn sum(&self, words: &Words, head: usize) -> f32 {
        self.weights(words, head).sum()
    }
}

impl Phrase {
    /// Compiles a phrase.
    fn new(text: &'static str) -> Self {
        let (is_tied, text) = text
            .strip_prefix('^')
            .map_or((false, text), |tied| (true, tied));
        let step = |token: &'static str| {
            let (is_optional, choices) = token
                .strip_prefix('?')
                .map_or((false, token), |choices| (true, choices));
            let step = match choices {
                "*" => Step::Any,
                ".." => Step::Gap,
                "$" => Step::End,
                _ => Step::OneOf(choices.split('|').collect()),
            };
            (step, is_optional)
        };
        Self {
            is_tied,
            steps: text.split_whitespace().map(step).collect(),
        }
    }

    /// Returns whether the phrase begins at this position.
    fn stands_at(&self, words: &Words, at: usize) -> bool {
        stand(&self.steps, words, at)
    }
}

/// Returns whether the steps lead on from this position.
fn stand(steps: &[(Step, bool)], words: &Words, at: usize) -> bool {
    let Some(((step, is_optional), rest)) = steps.split_first() else {
        return true;
    };
    let goes_on = match step {
        Step::OneOf(choices) => {
            at < words.len() && choices.contains(&words.get(at)) && stand(rest, words, at + 1)
        }
        Step::Any => at < words.len() && stand(rest, words, at + 1),
        Step::Gap => (0..=8)
            .take_while(|skip| at + skip <= words.len())
            .any(|skip| stand(rest, words, at + skip)),
        Step::End => at >= words.len(),
    };
    goes_on || *is_optional && stand(rest, words, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phrase_counts_once_and_tied_ones_at_the_head() {
        let table = Table::new(&[
            ("can|could ?somebody *", 1.0),
            ("^any idea", 2.0),
            ("?just wondering", 4.0),
            ("red .. $", 8.0),
        ]);
        let check = |text: &str, head: usize, expected: f32| {
            assert_eq!(
                table.sum(&Words::new(text, 0..text.len()), head),
                expected,
                "{text:?}"
            );
        };
        check("Could you or can somebody look?", 0, 1.0);
        check("So, any idea?", 1, 2.0);
        check("So, any idea?", 0, 0.0);
        check("just wondering", 0, 4.0);
        check("wondering why the build is red again", 0, 12.0);
    }
}
