//! Whether a later decision takes an earlier one back.
//!
//! Both a word for it and two words of the earlier one must stand in one sentence ("this overrides the *Thursday* from
//! *planning*"): a decision that is silently kept back is worse than two that contradict each other.

use std::collections::BTreeSet;

use super::sentences;

/// Words that take something back, whole, in the languages that the other rules over wording know.
const TAKING_BACK: [&str; 29] = [
    "overrides",
    "overriding",
    "overrule",
    "overrules",
    "overruled",
    "supersede",
    "supersedes",
    "superseded",
    "replaces",
    "reverses",
    "revoke",
    "revokes",
    "revoked",
    "rescind",
    "rescinds",
    "overturn",
    "overturns",
    "overturned",
    "undoes", // English
    "ersetzt",
    "überholt",
    "aufgehoben",
    "widerrufen", // German
    "remplace",
    "annule", // French
    "reemplaza",
    "sustituye",
    "anula",
    "substitui", // Spanish and Portuguese
];

/// How many words of the earlier decision must be named.
const NAMED: usize = 2;
/// From this many letters on a word says something.
const TELLING: usize = 4;
/// Longer words that say nothing about what was decided.
const EMPTY: [&str; 26] = [
    "about", "after", "agreed", "also", "because", "been", "before", "could", "decide", "decided",
    "decision", "from", "have", "instead", "just", "should", "that", "then", "there", "this",
    "what", "when", "which", "will", "with", "would",
];

/// Returns the words by which a decision can be named: those of its sentence and of its thread's title.
pub fn names_of(sentence: &str, title: &str) -> BTreeSet<String> {
    let words = words_of(sentence).chain(words_of(title));
    words
        .filter(|word| {
            let is_number = word.starts_with(|c: char| c.is_ascii_digit());
            (word.chars().count() >= TELLING || is_number) && !EMPTY.contains(&word.as_str())
        })
        .collect()
}

/// Returns whether a message takes back what goes by these names.
pub fn takes_back(message: &str, names: &BTreeSet<String>) -> bool {
    sentences(message).into_iter().any(|sentence| {
        let words: BTreeSet<String> = words_of(&message[sentence.range]).collect();
        TAKING_BACK.iter().any(|word| words.contains(*word))
            && words.intersection(names).count() >= NAMED
    })
}

fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_decision_names_and_takes_back_is_taken_back_and_nothing_else() {
        let names = names_of(
            "Then it's decided: the harbor sheet is printed on Friday in blue.",
            "weekly round",
        );
        for (message, expected) in [
            (
                "We decided otherwise. This overrides the blue sheet from Friday.",
                true,
            ),
            (
                "That replaces what the weekly round said about the harbor.",
                true,
            ),
            ("Das ersetzt den Harbor-Beschluss vom Friday.", true),
            // Two words of it, and nothing is taken back.
            ("The harbor sheet is decided, too.", false),
            // Something is taken back, and it is something else.
            ("This overrides the plan for Monday.", false),
            (
                "Agreed: a reverse proxy for the harbor sheet, and it is undocumented.",
                false,
            ),
            (
                "The new pump replaces the old one. The harbor is open on Friday.",
                false,
            ),
            (
                "This overrides the decision that we decided with what should have been.",
                false,
            ),
            ("", false),
        ] {
            assert_eq!(takes_back(message, &names), expected, "{message}");
        }
    }
}
