//! The piece of a passage worth showing: the best window of words, what matched in it, safe to print.

use std::collections::HashMap;
use std::ops::Range;

use crate::analyze::{self, Kind, Stems, Token};
use crate::passage::Snippet;

/// The words of a query as they can occur in a text, and what each is worth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Folded words, stems, parts and wholes.
    pub terms: HashMap<String, f32>,
    /// Folded beginnings of words.
    pub prefixes: Vec<String>,
    /// The languages to stem by.
    pub languages: Vec<Stems>,
}

const WINDOW_WORDS: usize = 30;
// A snippet is shown from what fits on a screen; nobody reads the 40th page of a log for one line.
const LONGEST_TEXT: usize = 40_000;

/// The first two bytes of what is wanted, one bit each: nearly every word of a text is told apart by them, without a stem.
struct Beginnings(Box<[u64; 1024]>);

impl Beginnings {
    fn of(wanted: &Wanted) -> Beginnings {
        let mut bits = Box::new([0; 1024]);
        for text in wanted.terms.keys().chain(&wanted.prefixes) {
            let at = Beginnings::place(text);
            bits[at / 64] |= 1 << (at % 64);
        }
        Beginnings(bits)
    }

    fn place(text: &str) -> usize {
        let mut bytes = text.bytes().map(usize::from);
        bytes.next().unwrap_or(0) << 8 | bytes.next().unwrap_or(0)
    }

    fn has(&self, text: &str) -> bool {
        let at = Beginnings::place(text);
        self.0[at / 64] >> (at % 64) & 1 == 1
    }
}

impl Wanted {
    fn weight(&self, token: &Token, beginnings: &Beginnings) -> f32 {
        // Stemmers change how words end. A prefix of one letter has no second byte, and is looked for below.
        let short = self.prefixes.iter().any(|p| p.len() < 2);
        if !short && !beginnings.has(&token.text) {
            return 0.0;
        }
        if let Some(weight) = self.terms.get(&token.text) {
            return *weight;
        }
        if token.kind == Kind::Word {
            for language in &self.languages {
                if let Some(weight) = self
                    .terms
                    .get(analyze::stem(*language, &token.text).as_ref())
                {
                    return *weight;
                }
            }
        }
        if self.prefixes.iter().any(|p| token.text.starts_with(p)) {
            1.0
        } else {
            0.0
        }
    }
}

/// Returns the window of a text that covers most of what is wanted; the beginning when nothing matches.
pub(crate) fn snippet(text: &str, wanted: &Wanted) -> Snippet {
    let text = &text[..ceil(text, LONGEST_TEXT)];
    let region = focus(text, wanted);
    let (begun, ended) = (region.start == 0, region.end == text.len());
    let text = &printable(&text[region]);
    let beginnings = Beginnings::of(wanted);
    let tokens: Vec<(Token, f32)> = analyze::tokens(text)
        .into_iter()
        .map(|t| {
            let w = wanted.weight(&t, &beginnings);
            (t, w)
        })
        .collect();
    let mut window = best_window(&tokens);
    // A window that begins near the start of the text may as well begin there.
    if tokens
        .iter()
        .take_while(|t| t.0.range.start < window.start)
        .filter(|t| t.0.kind == Kind::Word)
        .count()
        <= 3
    {
        window.start = 0;
    }
    let (start, end) = (window.start, cut_end(text, &tokens, window.clone()));
    let mut out = String::new();
    if start > 0 || !begun {
        out.push_str("… ");
    }
    let shift = out.len();
    out.push_str(text[start..end].trim_end());
    let length = out.len();
    if end < text.len() || !ended {
        out.push_str(" …");
    }
    let mut highlights: Vec<Range<usize>> = Vec::new();
    let mut ranges: Vec<Range<usize>> = tokens
        .iter()
        .filter(|(t, w)| *w > 0.0 && t.range.start >= start && t.range.end <= end)
        .map(|(t, _)| t.range.start - start + shift..(t.range.end - start + shift).min(length))
        .collect();
    ranges.sort_by_key(|r| (r.start, r.end));
    for range in ranges {
        match highlights.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => highlights.push(range),
        }
    }
    Snippet {
        text: out,
        highlights,
    }
}

/// Returns the part of a long text that is worth analyzing: a glance at the beginnings of words costs a fiftieth of an analysis.
fn focus(text: &str, wanted: &Wanted) -> Range<usize> {
    const ENOUGH: usize = 900;
    let terms: Vec<(&str, f32)> = wanted
        .terms
        .iter()
        .map(|(term, weight)| (term.as_str(), *weight))
        .chain(wanted.prefixes.iter().map(|p| (p.as_str(), 1.0)))
        .collect();
    if text.len() <= ENOUGH || terms.iter().any(|t| !t.0.is_ascii()) {
        return 0..text.len();
    }
    let bytes = text.as_bytes();
    let mut by_first: Vec<Vec<usize>> = vec![Vec::new(); 256];
    for (i, (term, _)) in terms.iter().enumerate() {
        if let Some(first) = term.bytes().next() {
            by_first[usize::from(first.to_ascii_lowercase())].push(i);
            by_first[usize::from(first.to_ascii_uppercase())].push(i);
        }
    }
    let mut anchors: Vec<(usize, usize)> = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let candidates = &by_first[usize::from(*byte)];
        let inside = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
        if candidates.is_empty()
            || (inside && !(bytes[at - 1].is_ascii_lowercase() && byte.is_ascii_uppercase()))
        {
            continue;
        }
        for &i in candidates {
            // Stems differ from their words at the end: "happi" is in "happy".
            let term = terms[i].0.as_bytes();
            let stem = &term[..term.len().min(4.max(term.len().saturating_sub(2)))];
            if bytes[at..]
                .get(..stem.len())
                .is_some_and(|b| b.eq_ignore_ascii_case(stem))
            {
                anchors.push((at, i));
            }
        }
    }
    let mut best = (0.0, 0);
    for (n, (start, _)) in anchors.iter().enumerate().take(2_000) {
        let mut seen: Vec<usize> = Vec::new();
        for (_, term) in anchors[n..].iter().take_while(|a| a.0 < start + 220) {
            if !seen.contains(term) {
                seen.push(*term);
            }
        }
        let sum: f32 = seen.iter().map(|i| terms[*i].1).sum();
        if sum > best.0 * 1.01 {
            best = (sum, *start);
        }
    }
    let space = |at: usize| {
        bytes[..at]
            .iter()
            .rposition(u8::is_ascii_whitespace)
            .map_or(0, |i| i + 1)
    };
    let start = if best.1 <= 200 {
        0
    } else {
        space(best.1 - 150)
    };
    let end = if start + ENOUGH >= text.len() {
        text.len()
    } else {
        space(start + ENOUGH)
    };
    if end > start {
        start..end
    } else {
        0..text.len()
    }
}

/// Returns the window of 30 words with the greatest weight of distinct terms.
fn best_window(tokens: &[(Token, f32)]) -> Range<usize> {
    let Some(last) = tokens.iter().map(|t| t.0.range.end).max() else {
        return 0..0;
    };
    let hits: Vec<&(Token, f32)> = tokens.iter().filter(|t| t.1 > 0.0).collect();
    let mut best: Option<(f32, usize)> = None;
    for (i, (first, _)) in hits.iter().enumerate() {
        let mut seen: Vec<&str> = Vec::new();
        let mut sum = 0.0;
        for (token, weight) in hits[i..].iter().take(60) {
            if token.position >= first.position + WINDOW_WORDS * 2 / 3 {
                break;
            }
            // A repeated word adds a little, a new one all it is worth.
            sum += if seen.contains(&token.text.as_str()) {
                weight * 0.1
            } else {
                *weight
            };
            seen.push(&token.text);
        }
        if best.is_none_or(|(b, _)| sum > b * 1.01) {
            best = Some((sum, first.position));
        }
    }
    let from = best.map_or(0, |(_, position)| position.saturating_sub(4));
    let start = tokens
        .iter()
        .filter(|t| t.0.position >= from)
        .map(|t| t.0.range.start)
        .min()
        .unwrap_or(0);
    let to = from + WINDOW_WORDS;
    let end = tokens
        .iter()
        .filter(|t| t.0.position < to && t.0.kind != Kind::Whole)
        .map(|t| t.0.range.end)
        .max();
    start..end.unwrap_or(last)
}

fn cut_end(text: &str, tokens: &[(Token, f32)], window: Range<usize>) -> usize {
    let end = window.end.max(window.start);
    let next = tokens
        .iter()
        .map(|t| t.0.range.start)
        .filter(|s| *s >= end)
        .min();
    match next {
        // The closing punctuation of the last word belongs to it.
        Some(next) => {
            end + text[end..next]
                .find(char::is_whitespace)
                .unwrap_or(next - end)
        }
        None => text.len().min(ceil(text, end + 60)),
    }
}

fn ceil(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}

/// Returns a text on one line without anything that moves the cursor, turns the writing direction or cannot be seen.
pub fn printable(text: &str) -> String {
    let text = &text[..ceil(text, LONGEST_TEXT)];
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            _ if is_unsafe(c) => {}
            _ => out.push(c),
        }
    }
    out
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e000}'..='\u{f8ff}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, words: &[&str]) -> Snippet {
        let terms = words.iter().map(|w| (w.to_string(), 1.0)).collect();
        snippet(
            text,
            &Wanted {
                terms,
                prefixes: Vec::new(),
                languages: vec![Stems::ENGLISH],
            },
        )
    }

    fn marked(snippet: &Snippet) -> String {
        let mut out = snippet.text.clone();
        for range in snippet.highlights.iter().rev() {
            out.insert(range.end, ']');
            out.insert(range.start, '[');
        }
        out
    }

    #[test]
    fn matches_are_marked_in_any_form_of_the_word() {
        let snippet = check(
            "The connection resets when fooBar is called.",
            &["connect", "reset", "foo"],
        );
        assert_eq!(
            marked(&snippet),
            "The [connection] [resets] when [fooBar] is called."
        );
    }

    #[test]
    fn the_best_window_of_a_long_text_is_shown() {
        let text = format!(
            "{} the login token expired early {}",
            "noise ".repeat(200),
            "noise ".repeat(200)
        );
        let snippet = check(&text, &["login", "token", "expir"]);
        assert!(
            snippet.text.starts_with("… ") && snippet.text.ends_with(" …"),
            "{snippet:?}"
        );
        assert_eq!(snippet.highlights.len(), 3);
        assert!(snippet.text.split_whitespace().count() <= 33);
    }

    #[test]
    fn nothing_unsafe_is_shown() {
        let snippet = check("a\u{1b}[31m red\u{202e}txt\u{200b} \r\nline\u{7}", &["red"]);
        assert_eq!(
            marked(&snippet),
            "a[31m [red]txt line".replace("[red]txt", "redtxt")
        );
        assert_eq!(printable("one\n\ttwo\u{2028}three"), "one two three");
    }

    proptest! {
        #[test]
        fn highlights_lie_in_the_text(text in "\\PC{0,200}|[a-z \\u{0}-\\u{20}検索機能\\u{200b}\\u{202e}é]{0,300}", word in "[a-z検é]{1,3}") {
            let snippet = check(&text, &[&word]);
            let mut end = 0;
            for range in &snippet.highlights {
                prop_assert!(range.start >= end && range.end > range.start);
                prop_assert!(snippet.text.get(range.clone()).is_some());
                end = range.end;
            }
            prop_assert!(!snippet.text.chars().any(is_unsafe));
        }
    }
}
