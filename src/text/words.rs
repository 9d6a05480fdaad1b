//! The words of a sentence in lower case, and a matcher for phrases of them.

use std::ops::Range;

/// One word of a sentence.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// Where it stands in the buffer, punctuation not included.
    pub range: Range<usize>,
    /// Where its lower-case form stands.
    low: Range<usize>,
    /// Whether an at sign stands before it.
    pub is_mention: bool,
    /// The first mark after it, or a space.
    pub tail: char,
}

/// The words of a sentence.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    lower: String,
    pub list: Vec<Word>,
}

impl Words {
    /// Returns the words of a piece of the buffer.
    pub fn new(buffer: &str, range: Range<usize>) -> Self {
        let mut out = Self {
            lower: String::with_capacity(range.len()),
            list: Vec::with_capacity(range.len() / 5),
        };
        let piece = &buffer[range.clone()];
        let base = piece.as_ptr() as usize;
        for chunk in piece.split_whitespace() {
            let offset = range.start + (chunk.as_ptr() as usize - base);
            let core = chunk.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '+');
            let lead = &chunk[..chunk.len() - core.len()];
            let end = core
                .trim_end_matches(|c: char| !c.is_alphanumeric() && c != '+')
                .len();
            if end == 0 {
                if let (Some(last), Some(mark)) = (out.list.last_mut(), chunk.chars().next())
                    && last.tail == ' '
                {
                    last.tail = mark;
                }
                continue;
            }
            let start = out.lower.len();
            for c in core[..end].chars() {
                if c == '’' {
                    out.lower.push('\'');
                } else {
                    out.lower.extend(c.to_lowercase());
                }
            }
            out.list.push(Word {
                range: offset + lead.len()..offset + lead.len() + end,
                low: start..out.lower.len(),
                is_mention: lead.ends_with('@'),
                tail: core[end..].chars().find(|&c| c != '>').unwrap_or(' '),
            });
        }
        out
    }

    /// Returns how many words there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns a word in lower case, empty beyond the end.
    pub fn get(&self, n: usize) -> &str {
        self.list
            .get(n)
            .map_or("", |word| &self.lower[word.low.clone()])
    }

    /// Returns the first position at or after `from` where the phrase stands.
    ///
    /// A phrase is words with a space between; `a|b` is either, `?a` may be missing, `*` is any word and `..` up to four
    /// words; `^` at the front ties it to the given position, `$` at the end to the last word.
    pub fn find(&self, phrase: &str, from: usize) -> Option<usize> {
        if let Some(tied) = phrase.strip_prefix('^') {
            return self.stands_at(tied, from).then_some(from);
        }
        (from..self.len()).find(|&at| self.stands_at(phrase, at))
    }

    /// Returns whether the phrase stands anywhere at or after `from`.
    pub fn has(&self, phrase: &str, from: usize) -> bool {
        self.find(phrase, from).is_some()
    }

    /// Returns whether one of the phrases stands at or after `from`.
    pub fn has_any(&self, phrases: &[&str], from: usize) -> bool {
        phrases.iter().any(|phrase| self.has(phrase, from))
    }

    /// Returns whether the phrase begins at this position.
    fn stands_at(&self, phrase: &str, at: usize) -> bool {
        let (first, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
        if first.is_empty() {
            return rest.is_empty() || self.stands_at(rest, at);
        }
        if first == "$" {
            return at >= self.len();
        }
        if first == ".." {
            return (0..=4)
                .take_while(|skip| at + skip <= self.len())
                .any(|skip| self.stands_at(rest, at + skip));
        }
        let (is_optional, choices) = first
            .strip_prefix('?')
            .map_or((false, first), |choices| (true, choices));
        let here = at < self.len()
            && (choices == "*" || choices.split('|').any(|choice| choice == self.get(at)));
        here && (rest.is_empty() || self.stands_at(rest, at + 1))
            || is_optional && (rest.is_empty() || self.stands_at(rest, at))
    }
}

/// Returns whether a list of words, a space between two, holds the word.
pub(super) fn one_of(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split(' ').any(|known| known == word)
}

/// Returns the largest character boundary not beyond `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&n| text.is_char_boundary(n)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn phrases_match_choices_gaps_and_options() {
        let check = |text: &str, phrase: &str, expected: Option<usize>| {
            assert_eq!(
                Words::new(text, 0..text.len()).find(phrase, 0),
                expected,
                "{phrase:?} in {text:?}"
            );
        };
        check("Could you please look at it?", "can|could you", Some(0));
        check("So, could anyone look?", "could anyone|someone", Some(1));
        check("It’s what we’ll do.", "we'll do $", Some(2));
        check(
            "Is there any good way to do it?",
            "is there .. way to",
            Some(0),
        );
        check("is there a way", "is there ?any ?a way", Some(0));
        check("please", "^please *", None);
        check("@ana: r+ please", "r+ ?please $", Some(1));
    }
}
