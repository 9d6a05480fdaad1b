//! A piece of somebody's text made fit to show: folded, cut at a word border, free of marks that spoof a reader.

use std::borrow::Cow;
use std::ops::Range;

/// A piece of a message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The words, one space between two, without emphasis marks and link brackets.
    pub text: String,
    /// Whether words at the end were left out; the caller shows "…".
    pub is_cut: bool,
}

/// Returns the given range of a text as at most `max_words` contiguous words of it.
pub fn quote(text: &str, range: Range<usize>, max_words: usize) -> Quote {
    let piece = safe(text.get(range).unwrap_or(""));
    let plain = without_marks(&piece);
    let mut out = String::with_capacity(plain.len());
    let mut is_cut = false;
    for (n, word) in plain.split_whitespace().enumerate() {
        if n == max_words {
            is_cut = true;
            break;
        }
        if n > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
    if is_cut {
        let end = out
            .trim_end_matches([',', ';', ':', '-', '–', '—', '(', '['])
            .trim_end()
            .len();
        out.truncate(end);
    }
    Quote { text: out, is_cut }
}

/// Returns whether the quote's words stand in the text one after the other.
pub fn stands_in(quote: &str, text: &str) -> bool {
    let (safe_quote, safe_text) = (safe(quote), safe(text));
    let wanted: Vec<&str> = words_of(&safe_quote).collect();
    let source: Vec<&str> = words_of(&safe_text).collect();
    wanted.is_empty() || source.windows(wanted.len()).any(|window| window == wanted)
}

/// Returns the runs of letters and digits.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// Returns the text without emphasis marks and link brackets; words stay, and so does their order.
fn without_marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    let mut before = ' ';
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let next = rest[c.len_utf8()..].chars().next().unwrap_or(' ');
        in_code ^= c == '`';
        if !in_code && let Some((parts, len)) = link(rest) {
            out.push_str(&parts.join(" "));
            at += len;
            before = ')';
            continue;
        }
        // An underscore is part of a word more often than not; `_so_` stays as it was written.
        let is_mark = !in_code && matches!(c, '*' | '~') && is_emphasis(before, c, next);
        // Between two letters a mark is all that keeps two words apart.
        let parts = is_mark
            && out.ends_with(char::is_alphanumeric)
            && rest
                .trim_start_matches(['*', '~'])
                .starts_with(char::is_alphanumeric);
        if !is_mark || parts {
            out.push(c);
        }
        before = c;
        at += c.len_utf8();
    }
    out
}

/// Returns the words of the link that begins here, and its length: `[label](link)`, `<link|label>`, `<@name>`.
fn link(rest: &str) -> Option<([&str; 2], usize)> {
    if let Some(body) = rest.strip_prefix('[') {
        let (label, tail) = body.split_once("](")?;
        let (target, _) = tail.split_once(')')?;
        let is_link = !label.contains(['[', '\n']) && !target.contains(char::is_whitespace);
        return is_link.then(|| ([label, target], label.len() + target.len() + 4));
    }
    let (inner, _) = rest.strip_prefix('<')?.split_once('>')?;
    let known = ["http://", "https://", "mailto:", "@", "#", "!"]
        .iter()
        .any(|start| inner.starts_with(start));
    let (target, label) = inner.split_once('|').unwrap_or((inner, ""));
    (known && !target.contains(char::is_whitespace)).then_some(([target, label], inner.len() + 2))
}

/// Returns whether a mark is there for emphasis: it opens before a word or closes after one.
fn is_emphasis(before: char, mark: char, next: char) -> bool {
    let is_doubled = before == mark || next == mark;
    let is_outer = |c: char| {
        c == mark
            || c.is_whitespace()
            || c.is_ascii_punctuation() && !matches!(c, '/' | '\\' | '#' | '=')
    };
    let is_inner = |c: char| {
        c == mark
            || !c.is_whitespace()
                && (c.is_alphanumeric()
                    || matches!(c, '`' | '"' | '(' | '[' | '<' | '@' | '.' | '!' | '?' | ')'))
    };
    match mark {
        '~' => is_doubled,
        _ => {
            is_outer(before) && is_inner(next) && next != ' ' || is_inner(before) && is_outer(next)
        }
    }
}

/// Returns the text without what spoofs a terminal, an index or a prompt: control characters other than line feed and
/// tab, escape sequences, bidirectional controls, zero-width characters and tag characters.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            // A zero-width joiner holds one emoji together and a non-joiner spells Persian words; elsewhere both hide.
            '\u{200d}' | '\u{200c}'
                if out.chars().next_back().is_some_and(joins)
                    && chars.peek().copied().is_some_and(joins) =>
            {
                out.push(c)
            }
            _ if is_unsafe(c) => {}
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Returns whether a joiner next to the character changes what is drawn.
fn joins(c: char) -> bool {
    matches!(c as u32, 0x600..=0x6FF | 0x900..=0xDFF | 0x2600..=0x27BF | 0xFE0F | 0x1F000..=0x1FAFF)
}

/// Returns whether the character never reaches a reader by itself.
fn is_unsafe(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        _ if c.is_control() => true,
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{180e}'
        | '\u{ad}'
        | '\u{61c}' => true,
        '\u{e0000}'..='\u{e007f}' | '\u{fff9}'..='\u{fffb}' => true,
        _ => false,
    }
}

/// Skips what follows an escape character: a control sequence, a string up to its terminator, or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            // Up to BEL or ESC \; an unterminated one ends with its line, so that it cannot swallow a message.
            while let Some(&c) = chars.peek() {
                if c == '\n' {
                    break;
                }
                chars.next();
                if c == '\u{7}' || c == '\u{9c}' {
                    break;
                }
                if c == '\u{1b}' {
                    if chars.peek() == Some(&'\\') {
                        chars.next();
                    }
                    break;
                }
            }
        }
        Some('(' | ')' | '#' | '%') => {
            chars.next();
            chars.next();
        }
        Some(c) if c.is_ascii_alphanumeric() || matches!(c, '=' | '>' | '<' | '\\') => {
            chars.next();
        }
        _ => {}
    }
}

/// Skips parameters up to the letter that ends a control sequence.
fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(&c) = chars.peek() {
        if !matches!(c as u32, 0x20..=0x7e) {
            break;
        }
        chars.next();
        if matches!(c as u32, 0x40..=0x7e) {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::sentences;

    #[test]
    fn a_quote_is_folded_and_cut_at_a_word() {
        let check = |text: &str, max_words: usize, expected: &str, is_cut: bool| {
            let quote = quote(text, 0..text.len(), max_words);
            assert_eq!(
                (quote.text.as_str(), quote.is_cut),
                (expected, is_cut),
                "{text:?}"
            );
            assert!(stands_in(&quote.text, text), "{text:?}");
        };
        check(
            "The backup\n  runs at noon.",
            9,
            "The backup runs at noon.",
            false,
        );
        check(
            "First the index, then the store, then sleep.",
            3,
            "First the index",
            true,
        );
        check(
            "This is **really** _quite_ urgent, see snake_case and 2*3.",
            20,
            "This is really _quite_ urgent, see snake_case and 2*3.",
            false,
        );
        check(
            "Read [the notes](https://wiki.test/n) first.",
            9,
            "Read the notes https://wiki.test/n first.",
            false,
        );
        check(
            "<@Ana> the log is at <https://ci.test/7|build 7>.",
            12,
            "@Ana the log is at https://ci.test/7 build 7.",
            false,
        );
        check(
            "Use `a_b*c` or ~~drop~~ it.",
            9,
            "Use `a_b*c` or drop it.",
            false,
        );
        check("", 5, "", false);
    }

    #[test]
    fn what_spoofs_a_reader_is_dropped() {
        let check = |text: &str, expected: &str| assert_eq!(safe(text), expected, "{text:?}");
        check("plain\ttext\n", "plain\ttext\n");
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check(
            "\u{1b}]8;;https://evil.test\u{7}click\u{1b}]8;;\u{7}",
            "click",
        );
        check("\u{1b}]0;title never ends\nnext line", "\nnext line");
        check("bell\u{7} null\0 csi \u{9b}2Jgone", "bell null csi gone");
        check("in\u{202e}vert\u{2066}ed", "inverted");
        check("zero\u{200b}width\u{feff}", "zerowidth");
        check("tag\u{e0041}\u{e007f}s", "tags");
        check(
            "family \u{1f468}\u{200d}\u{1f469}",
            "family \u{1f468}\u{200d}\u{1f469}",
        );
    }

    proptest! {
        #[test]
        fn every_quote_of_a_sentence_stands_in_its_source(text in "([a-zA-Z *_~`.?!<>|@\\[\\]()/:\n-]|https://a\\.b/c |é|\u{200b}){0,120}", max_words in 1usize..12) {
            for sentence in sentences(&text) {
                let quote = quote(&text, sentence.range, max_words);
                prop_assert!(stands_in(&quote.text, &text), "{:?}", quote.text);
            }
        }
    }
}
