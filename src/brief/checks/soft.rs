//! V9 and V10: "not" and "may" on both sides, and how much of the words is the source's.

use std::collections::BTreeSet;

use super::words::content_words;

const NEGATIONS: &[&str] = &[
    "not", "no", "never", "cannot", "nicht", "kein", "keine", "nie", "nunca", "pas", "jamais",
    "não", "niet", "geen", "non", "не", "нет",
];
const MODALS: &[&str] = &[
    "may",
    "might",
    "perhaps",
    "maybe",
    "possibly",
    "propose",
    "proposes",
    "proposed",
    "proposal",
    "vielleicht",
    "könnte",
    "quizás",
    "podría",
    "peut-être",
    "pourrait",
    "talvez",
    "misschien",
];

/// What a sentence denies and what it leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mood {
    denies: bool,
    leaves_open: bool,
}

impl Mood {
    /// Returns whether it denies something.
    pub fn denies(&self) -> bool {
        self.denies
    }

    /// Returns the mood of a text.
    pub fn of(text: &str) -> Mood {
        let lower = text.to_lowercase();
        let mut mood = Mood {
            denies: false,
            leaves_open: false,
        };
        for word in lower.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '-'))
        {
            mood.denies |=
                NEGATIONS.contains(&word) || word.ends_with("n't") || word.ends_with("n’t");
            mood.leaves_open |= MODALS.contains(&word);
        }
        mood
    }
}

/// Returns the share of a text's content words that stand in the given stems.
pub fn overlap(text: &str, stems: &BTreeSet<String>) -> f32 {
    let words: BTreeSet<String> = content_words(text).into_iter().collect();
    if words.is_empty() {
        return 1.0;
    }
    words.iter().filter(|word| stems.contains(*word)).count() as f32 / words.len() as f32
}
