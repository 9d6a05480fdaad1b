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
    /// A phrase is words with a space between; `a|b` is either, `?a` may be missing, `*` is any word and `..` up to eight
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
            return (0..=8)
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

/// Words that say nothing about the matter.
const COMMON: &str = "the a an and or but if then so to of in on at for with from by as is are was were be been am it its it's \
    this that that's these those there there's here i i'm im i've i'll i'd me my you your you're u we we're they them he she his \
    her our their do does did doing don't dont doesn't didn't have has had having can can't cant could couldn't would wouldn't will \
    won't should may might must not no yes what what's which who how why when where while just any some all one two get gets got \
    getting like ok oh well about know think thing things want need use using used up out over off now too very more most much many \
    only also than into because since still even back after before between through go going goes gone come make makes made work works \
    working really actually maybe probably something anything nothing everything someone anyone everyone anybody somebody hi hello hey \
    thanks thank lol yeah sure right good better best great nice same other another each both such way ways look looks looking see seen \
    said say says tell try trying tried take put give let does it'll isn't aren't wasn't them then their were being without within \
    possible question issue problem case kind sort time first last next long little always never again already yet instead \
    please sorry different point sense mean means seems seem find found different help new old";

/// Returns whether a word says nothing about the matter.
pub(super) fn is_common(word: &str) -> bool {
    one_of(COMMON, word)
}

/// Returns the largest character boundary not beyond `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&n| text.is_char_boundary(n))
        .unwrap_or(0)
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
