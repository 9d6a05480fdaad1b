//! The good sentences of a message, each a contiguous piece of the text it came from.
//!
//! The text is copied once into a buffer of the same length in which everything that is not the author's own prose is
//! blanked (code, quotes, tables, signatures, log lines) and soft line breaks are spaces. Sentences are found in the
//! buffer, and because the lengths agree their ranges hold for the text as it was written.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use unicode_segmentation::UnicodeSegmentation;

use super::lines::{self, Flat};
use super::memo::{Memo, remembered};
use super::words::one_of;

/// A sentence worth showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Where it stands in the given text.
    pub range: Range<usize>,
    /// How many words it has, code not counted.
    pub words: usize,
    /// Whether it ends with a question mark.
    pub is_question: bool,
}

/// Returns the good sentences of a message, in order.
pub fn sentences(markdown: &str) -> Vec<Sentence> {
    Cleaned::of(markdown)
        .segments
        .iter()
        .filter(|segment| segment.class == Class::Good)
        .map(Sentence::from)
        .collect()
}

/// Returns the first good sentence of a message.
pub fn first_good_sentence(text: &str) -> Option<Range<usize>> {
    Cleaned::of(text)
        .segments
        .iter()
        .find(|segment| segment.class == Class::Good)
        .map(|segment| segment.range.clone())
}

/// What a piece of prose is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Worth showing.
    Good,
    /// Too short to stand alone, but it may still ask something.
    Short,
    /// "Thanks", "sounds good", "+1".
    Acknowledgement,
    /// "Hi Ana,".
    Greeting,
    /// Nothing but code or links.
    Bare,
}

/// A sentence of any class.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub range: Range<usize>,
    pub class: Class,
    pub words: usize,
    pub is_question: bool,
    /// Sentences with the same number stand in one run of lines.
    pub paragraph: usize,
}

impl From<&Segment> for Sentence {
    fn from(segment: &Segment) -> Self {
        Self {
            range: segment.range.clone(),
            words: segment.words,
            is_question: segment.is_question,
        }
    }
}

/// A message taken apart.
pub(super) struct Cleaned {
    /// The buffer: as long as the text, prose only, inline code and links masked.
    pub flat: String,
    pub segments: Vec<Segment>,
    /// "On Monday Ana wrote:" lines, which name whom the author replies to.
    pub attributions: Vec<Range<usize>>,
    /// Lines the author quotes.
    pub quotes: Vec<Range<usize>>,
}

thread_local! {
    static CLEANED: RefCell<Memo<Rc<Cleaned>>> = RefCell::default();
}

impl Cleaned {
    /// Returns a message taken apart, lately or now.
    pub fn of(text: &str) -> Rc<Self> {
        remembered(&CLEANED, text, |text| Rc::new(Cleaned::new(text)))
    }

    /// Takes a message apart.
    fn new(text: &str) -> Self {
        let Flat {
            buffer,
            attributions,
            quotes,
        } = lines::flatten(text);
        let mut segments: Vec<Segment> = Vec::new();
        let (mut paragraph, mut seen) = (0, 0);
        for range in pieces(&buffer) {
            if buffer[seen..range.start].contains('\n') {
                paragraph += 1;
            }
            let piece = &buffer[range.clone()];
            let words = words_in(piece);
            let is_question = asks(piece);
            segments.push(Segment {
                class: classify(piece, words, is_question),
                words,
                is_question,
                paragraph,
                range: range.clone(),
            });
            seen = range.end;
        }
        Self {
            flat: buffer,
            segments,
            attributions,
            quotes,
        }
    }
}

/// Returns the sentences of the buffer: Unicode's bounds, less those that are none.
fn pieces(buffer: &str) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    // A name called at the start of a sentence begins it, though it is written small.
    let mut calls = buffer.as_bytes().to_vec();
    for n in 1..calls.len() {
        if calls[n] == b'@' && matches!(calls[n - 1], b' ' | b'<') {
            calls[n] = b'A';
        }
    }
    let calls = String::from_utf8(calls).expect("one ASCII byte stands for another");
    for (start, piece) in calls.split_sentence_bound_indices() {
        let trimmed = piece.trim();
        if trimmed.is_empty() {
            continue;
        }
        let start = start + (piece.len() - piece.trim_start().len());
        let end = start + trimmed.len();
        match out.last_mut() {
            Some(last) if continues(&buffer[last.clone()], &buffer[last.end..start], trimmed) => {
                last.end = end
            }
            _ => out.push(start..end),
        }
    }
    out
}

/// Returns whether two pieces are one sentence after all.
fn continues(left: &str, gap: &str, right: &str) -> bool {
    if gap.contains('\n') {
        return false;
    }
    let first = right
        .chars()
        .find(|c| !matches!(c, '"' | '\'' | '(' | '*' | '_' | '“' | '‘'))
        .unwrap_or(' ');
    let last = left.chars().next_back().unwrap_or(' ');
    // Inside a token: `assert!(x)`, "Yahoo!s", "list?s".
    if gap.is_empty() && !matches!(last, '。' | '！' | '？') {
        return true;
    }
    // Smileys, emoji and closing marks belong to what they follow.
    let is_mark = !right.chars().any(char::is_alphanumeric) && !right.contains(lines::LINK);
    if is_mark || is_shortcode(right) {
        return true;
    }
    // "Why?" he asked.
    if first.is_lowercase() && matches!(last, '"' | '”' | '\'' | '’' | ')' | '»') {
        return true;
    }
    last == '.'
        && (first.is_lowercase() && !right.starts_with(['@', '<'])
            || ends_with_abbreviation(left, first))
}

/// Returns whether the text is one emoji written as `:name:`.
fn is_shortcode(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(':')
        && text.ends_with(':')
        && text[1..text.len() - 1]
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b':' | b' '))
}

/// Words that end with a full stop and end no sentence.
const ABBREVIATIONS: &str = "e.g i.e eg ie vs cf mr mrs dr prof fig approx resp ca z.b d.h bzw ggf u.a p.ej sr sra dept inc ltd jr ver vol pp";

/// Words that do so before a number only.
const BEFORE_NUMBERS: &str = "no sec st ch art min max nr";

/// Returns whether a full stop belongs to its word.
fn ends_with_abbreviation(left: &str, next: char) -> bool {
    let body = left.trim_end_matches('.');
    let word = body
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"'))
        .next()
        .unwrap_or("");
    let mut chars = word.chars();
    // "J. Smith", but not "plan B. We …": an initial stands at the start or after another name.
    if let (Some(only), None) = (chars.next(), chars.next()) {
        return only.is_uppercase() && only != 'I' && next.is_uppercase() && body.len() < 3;
    }
    let word = word.to_lowercase();
    one_of(ABBREVIATIONS, &word) || next.is_ascii_digit() && one_of(BEFORE_NUMBERS, &word)
}

/// Returns whether the sentence ends with a question mark, smileys aside.
fn asks(piece: &str) -> bool {
    let mut rest = piece.trim_end();
    loop {
        if let Some(last) = rest.rsplit(char::is_whitespace).next()
            && last.len() < rest.len()
            && (is_shortcode(last) || is_smiley(last) || last.contains(lines::LINK))
        {
            rest = rest[..rest.len() - last.len()].trim_end();
            continue;
        }
        break;
    }
    rest.trim_end_matches(|c: char| {
        matches!(
            c,
            '!' | '"' | '\'' | ')' | '”' | '’' | '*' | '_' | '…' | '»' | ']'
        )
    })
    .ends_with(['?', '？', '؟'])
}

/// Returns whether a token is a face made of punctuation, or an emoji.
fn is_smiley(token: &str) -> bool {
    let face = token.len() <= 4
        && token.starts_with([':', ';', '=', 'x', 'X', '^'])
        && token.bytes().skip(1).any(|b| {
            matches!(
                b,
                b')' | b'(' | b'D' | b'P' | b'p' | b'/' | b'|' | b'^' | b'o' | b'O'
            )
        });
    face || (!token.is_empty()
        && token
            .chars()
            .all(|c| c as u32 >= 0x2600 && !c.is_alphanumeric()))
}

/// Returns how many words of prose the piece has; masked code and links count for nothing.
pub(super) fn words_in(piece: &str) -> usize {
    let mut count = 0;
    let mut ideographs = 0;
    let mut in_code = false;
    for token in piece.split_whitespace() {
        let ticks = token.bytes().filter(|&b| b == b'`').count();
        let is_code = in_code || ticks > 0;
        if ticks % 2 == 1 {
            in_code = !in_code;
        }
        if is_code
            || token.contains(lines::LINK)
            || is_shortcode(token)
            || !token.chars().any(char::is_alphanumeric)
        {
            continue;
        }
        count += 1;
        ideographs += token
            .chars()
            .filter(|&c| matches!(c as u32, 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF))
            .count();
    }
    count.max(ideographs / 2)
}

/// Returns what the piece is good for.
fn classify(piece: &str, words: usize, is_question: bool) -> Class {
    if words == 0 || is_formula(piece) {
        return Class::Bare;
    }
    if lines::is_greeting(piece, words) || lines::is_call(piece) {
        return Class::Greeting;
    }
    if is_question {
        return if words >= 2 {
            Class::Good
        } else {
            Class::Short
        };
    }
    if lines::is_acknowledgement(piece, words) {
        return Class::Acknowledgement;
    }
    if words < 4 { Class::Short } else { Class::Good }
}

/// Returns whether the piece is more signs than words: a grammar rule, a path, an expression.
fn is_formula(piece: &str) -> bool {
    let visible = piece.chars().filter(|c| !c.is_whitespace()).count();
    let signs = piece
        .chars()
        .filter(|c| {
            matches!(
                c,
                '(' | ')'
                    | '['
                    | ']'
                    | '{'
                    | '}'
                    | '|'
                    | '='
                    | '<'
                    | '>'
                    | '/'
                    | '\\'
                    | ';'
                    | '$'
                    | '%'
                    | '^'
                    | '&'
            )
        })
        .count();
    signs * 4 > visible
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Compares the good sentences of a text, white space folded.
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = sentences(text)
            .into_iter()
            .map(|sentence| {
                text[sentence.range]
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn sentences_survive_hard_wraps_links_and_abbreviations() {
        check(
            "The nightly import took four hours again because the mirror\nwas rebuilding its index. Nobody was paged for it.",
            &[
                "The nightly import took four hours again because the mirror was rebuilding its index.",
                "Nobody was paged for it.",
            ],
        );
        check(
            "We need a cache, e.g. Redis, for v1.2.3 of api.rs. Short.",
            &["We need a cache, e.g. Redis, for v1.2.3 of api.rs."],
        );
        check(
            "See https://wiki.test/a.b?c=d. Then tell Dr. Vale what you think. J. Park knows more.",
            &["Then tell Dr. Vale what you think.", "J. Park knows more."],
        );
        check(
            "Call `list?` on it first. Does that change the result? :slightly_smiling_face:",
            &[
                "Call `list?` on it first.",
                "Does that change the result? :slightly_smiling_face:",
            ],
        );
        check(
            "Is this the page you meant? <https://wiki.test/p>",
            &["Is this the page you meant?"],
        );
        check(
            "\"Why now?\" he asked on Monday.",
            &["\"Why now?\" he asked on Monday."],
        );
        check(
            "今日のリリースは明日に延期します。ご確認をお願いします。",
            &[
                "今日のリリースは明日に延期します。",
                "ご確認をお願いします。",
            ],
        );
    }

    #[test]
    fn what_the_author_did_not_say_is_left_out() {
        check(
            "> Can we drop the old field?\nYes, nothing reads it any more.",
            &["Yes, nothing reads it any more."],
        );
        check(
            "On 3 May 2026 at 10:12, Ana Vale wrote:\n> The job is red.\n\nIt is green again since noon.",
            &["It is green again since noon."],
        );
        check(
            "Hi Ana,\n\nThe certificate expires on Friday.\n\nBest regards,\nBo Lind\nSenior Engineer\nTel: 555",
            &["The certificate expires on Friday."],
        );
        check(
            "The mirror is back.\n-- \nBo Lind, Operations\nWe never sleep at all.",
            &["The mirror is back."],
        );
        check("Thanks!\nSounds good\n+1\nok cool", &[]);
        check(
            "```\nlet a = 1;\n```\nThe snippet above leaks a handle. ```x()``` That one does not.",
            &["The snippet above leaks a handle.", "That one does not."],
        );
        check(
            "It fails like this:\n```\nerror[E0382]: borrow of moved value",
            &["It fails like this:"],
        );
        check(
            "2026-05-03T10:12:00 ERROR worker: no route\n    at io.net.Conn(Conn.java:12)\nThe worker lost its route again.",
            &["The worker lost its route again."],
        );
        check(
            "| a | b |\n|---|---|\n| 1 | 2 |\nThe second column is wrong here.",
            &["The second column is wrong here."],
        );
        check(
            "# Motivation\n<!-- Describe your change. -->\n- [x] I ran the tests\n- The parser now keeps comments.\n",
            &["The parser now keeps comments."],
        );
        check("https://wiki.test/only/a/link", &[]);
        check("<details>\n$ cargo build\nreturn foo(bar);\n}", &[]);
        check(
            "-----Original Message-----\nFrom: Ana\nPlease deploy the fix today.",
            &[],
        );
    }

    #[test]
    fn the_first_good_sentence_is_the_first_that_says_something() {
        let text = "Hey all!\n\nThanks for waiting. The rollout is done in two of three regions.";
        assert_eq!(
            first_good_sentence(text).map(|range| &text[range]),
            Some("The rollout is done in two of three regions.")
        );
        assert_eq!(first_good_sentence("+1"), None);
    }

    proptest! {
        #[test]
        fn ranges_are_in_order_and_on_character_borders(text in "(\\PC|\n|```|> |- |http://x |é){0,200}") {
            let mut end = 0;
            for sentence in sentences(&text) {
                prop_assert!(sentence.range.start >= end && sentence.range.end <= text.len());
                prop_assert!(text.get(sentence.range.clone()).is_some());
                end = sentence.range.end;
            }
        }
    }
}
