//! One line by a model that stands for other lines: a headline, a rationale. It may only say again what they say.

use std::collections::BTreeSet;

/// The least share of a line's longer words that must stand in what it was made of.
const SHARED: f32 = 0.75;

/// Returns whether a line says no more than its sources: their numbers and slots, mostly their words, nothing that some
/// surface makes something of.
pub fn stands(sources: &str, words: &str, max_words: usize) -> bool {
    let count = words.split_whitespace().count();
    let is_sized = (2..=max_words).contains(&count) && words.chars().count() <= 220;
    let is_plain = super::super::render::plain(words) == words;
    let without_slots = words.replace(['{', '}'], "");
    is_sized
        && is_plain
        && !does_something(&without_slots)
        && slots(words).is_subset(&slots(sources))
        && numbers(&without_slots).is_subset(&numbers(&sources.replace(['{', '}'], "")))
        && doubts(sources).is_subset(&doubts(words))
        && shared(sources, words) >= SHARED
}

/// Returns the words of a text that turn or weaken what it says; a line that leaves one out may say the opposite.
fn doubts(text: &str) -> BTreeSet<&'static str> {
    const DOUBTS: [&str; 14] = [
        "not", "never", "no", "nobody", "none", "without", "cannot", "may", "might", "unless",
        "nicht", "kein", "keine", "pas",
    ];
    let lower = text
        .to_lowercase()
        .replace("n't", " not")
        .replace("n’t", " not");
    let words: BTreeSet<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    DOUBTS
        .into_iter()
        .filter(|doubt| words.contains(doubt))
        .collect()
}

/// Returns whether a text holds what some surface makes something of: an address, a mention, markup.
pub fn does_something(text: &str) -> bool {
    let lower = text.to_lowercase();
    let has_dotted_name = text.split_whitespace().any(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let mut labels = word.rsplit('.');
        let last = labels.next().unwrap_or_default();
        labels.next().is_some_and(|label| !label.is_empty())
            && last.chars().count() >= 2
            && last.chars().all(char::is_alphabetic)
    });
    has_dotted_name
        || text.chars().any(|c| "@＠<>[]{}`|\\#&*_~^$=".contains(c))
        || ["://", "hxxp", "mailto", "javascript:", "data:"]
            .iter()
            .any(|token| lower.contains(token))
}

fn slots(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap_or(rest))
        .collect()
}

fn numbers(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|part| part.chars().any(|c| c.is_ascii_digit()))
        .collect()
}

/// Returns how many of a line's longer words begin like a word of its sources.
fn shared(sources: &str, words: &str) -> f32 {
    let stems = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() >= 4)
            .map(|word| word.to_lowercase().chars().take(6).collect())
            .collect()
    };
    let (sources, words) = (stems(sources), stems(words));
    if words.is_empty() {
        return 1.0;
    }
    words.intersection(&sources).count() as f32 / words.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_only_what_its_sources_say() {
        let sources =
            "{p1} closed 7 of 9 tickets like {t1}. The road to the hut is closed until the 9th.";
        for (words, expected) in [
            ("{p1} closed 7 tickets like {t1}", true),
            ("The road is closed until the 9th", true),
            ("{p2} closed 7 tickets like {t1}", false),
            ("{p1} closed 8 tickets like {t1}", false),
            ("Congratulations, everybody receives presents", false),
            ("The road is closed, see hut.example", false),
            ("@here the road is closed", false),
            ("The <b>road</b> is closed", false),
            ("closed", false),
        ] {
            assert_eq!(stands(sources, words, 25), expected, "{words}");
        }
        let doubtful = "The import of the bookings did not finish and may need until noon.";
        assert!(!stands(
            doubtful,
            "The import of the bookings did finish",
            25
        ));
        assert!(stands(
            doubtful,
            "The import of the bookings did not finish, it may need until noon",
            25
        ));
    }
}
