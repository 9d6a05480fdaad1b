//! Words that carry content, cut to their stems.

use std::collections::HashSet;
use std::sync::OnceLock;

/// Words that say nothing about what a sentence is about.
const STOP_WORDS: &str = "a about above after again against all also although always am an and any are as at be because been before being below between both but by can cannot could did do does doing done don down during each either else even ever every few for from further get gets getting give given go goes going got had has have having he her here hers herself him himself his how however i if in into is it its itself just know let like likely made make makes many may maybe me might mine more most much must my myself need needs neither never no nor not now of off often oh ok okay on once one only onto or other our ours out over own perhaps please put quite rather really s said same say says see seem seems shall she should since so some something still such sure t take than that thats the their theirs them themselves then there theres these they thing things think this those though through to together too um under until up upon us use used uh very via want wants was way we well went were what whatever when where whether which while who whom whose why will with within without would yeah yes yet you your yours";

/// Words of questions and summaries that name no matter.
const ASKING: &str = "discuss discussed discussing discussion summarize summarise summary talk talked talking describe explain mention mentioned opinion opinions view think thought regarding concerning meeting group team member members agreed decided decision conclude concluded introduce introduced presentation propose proposed suggest suggested answer respond responded reply replied believe believed elaborate main mainly contribute";

/// Returns whether a lower-case word says nothing about the matter.
pub fn is_stop_word(word: &str) -> bool {
    static WORDS: OnceLock<HashSet<&str>> = OnceLock::new();
    WORDS
        .get_or_init(|| STOP_WORDS.split(' ').collect())
        .contains(word)
}

/// Returns whether a lower-case word belongs to the asking and not to the matter.
fn is_asking(word: &str) -> bool {
    static WORDS: OnceLock<HashSet<&str>> = OnceLock::new();
    WORDS
        .get_or_init(|| ASKING.split(' ').collect())
        .contains(word)
}

/// Returns the stems of the words that carry content, in order.
pub fn content_words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| !is_stop_word(word) && !is_asking(word))
        .map(|word| stem(&word))
        .collect()
}

/// Endings of number, tense and degree, what must be left before them, and what stands in their place.
const ENDINGS: [(&str, usize, &str); 12] = [
    ("ations", 3, "ate"),
    ("ation", 3, "ate"),
    ("izing", 3, "ize"),
    ("ies", 2, "y"),
    ("sses", 2, "ss"),
    ("ings", 3, ""),
    ("ing", 3, ""),
    ("edly", 3, ""),
    ("ed", 3, ""),
    ("ers", 3, "er"),
    ("es", 3, "e"),
    ("ly", 4, ""),
];

/// Returns a lower-case word without the endings of number, tense and degree.
pub fn stem(word: &str) -> String {
    let length = word.chars().count();
    if length > 4 {
        for (ending, least, with) in ENDINGS {
            let Some(root) = word
                .strip_suffix(ending)
                .filter(|root| root.chars().count() >= least)
            else {
                continue;
            };
            let mut out = format!("{root}{with}");
            // "planning", "dropped".
            if matches!(ending, "ing" | "ings" | "ed" | "edly") {
                let mut last = out.chars().rev();
                let (a, b) = (last.next(), last.next());
                let is_doubled = a == b && !matches!(a, Some('l' | 's' | 'z'));
                if is_doubled && out.chars().count() > 3 {
                    out.pop();
                }
            }
            return out.trim_end_matches('e').to_owned();
        }
    }
    if length > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") {
        return word[..word.len() - 1].trim_end_matches('e').to_owned();
    }
    if length > 3 {
        word.trim_end_matches('e').to_owned()
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for (a, b) in [
            ("plans", "planning"),
            ("raises", "raised"),
            ("replies", "reply"),
            ("moved", "move"),
            ("dropped", "drops"),
        ] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
        assert_ne!(stem("status"), stem("stats"));
        assert_eq!(
            content_words("What did the group discuss about buttons?"),
            ["button"]
        );
    }
}
