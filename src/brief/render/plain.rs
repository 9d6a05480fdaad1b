//! The gate that every string from outside passes before it reaches a surface.
//!
//! A message may hold escape sequences that retitle a terminal, bidirectional controls that turn a sentence around,
//! characters that nobody sees but a model reads, and addresses that a viewer would turn into links of its own.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Marks on one base letter beyond these are a prank; no script needs as many.
const MAX_MARKS: usize = 8;
/// The most characters of a host name that are shown.
const MAX_HOST: usize = 48;
/// A label of more bytes is none.
const MAX_LABEL: usize = 400;

/// Returns the text as one line of visible characters, with every address in it replaced by `[link: host]`.
pub fn plain(text: &str) -> Cow<'_, str> {
    match visible(text) {
        Cow::Borrowed(text) => without_addresses(text),
        // Characters are taken out first, so that none can hide an address.
        Cow::Owned(text) => Cow::Owned(without_addresses(&text).into_owned()),
    }
}

/// Returns the text as one line of visible characters, addresses as they are: what programs read of it.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    visible(text)
}

/// Returns whether a character has no place in a line: it controls, hides or reorders instead of showing something.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a character ends a line or moves the cursor along it.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_variation(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

fn is_mark(c: char) -> bool {
    !c.is_ascii() && c.width() == Some(0)
}

/// Takes out what nobody can see and folds white space.
fn visible(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(is_blank);
    if !needs_work(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut marks, mut strings_end) = (text, 0, true);
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\u{1b}' | '\u{80}'..='\u{9f}' if c != '\u{85}' => {
                after_escape(c, after, &mut strings_end)
            }
            _ => after,
        };
        let previous = out.chars().next_back();
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if is_blank(c) {
            if previous.is_some_and(|previous| previous != ' ') {
                out.push(' ');
            }
        } else if is_variation(c) {
            // One of the two emoji selectors after a character is spelling, a run of selectors is a message in disguise.
            if c >= '\u{fe0e}'
                && previous.is_some_and(|previous| previous != ' ' && !is_variation(previous))
            {
                out.push(c);
            }
        } else if !is_hidden(c) && marks <= MAX_MARKS {
            out.push(c);
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    Cow::Owned(out)
}

/// Returns whether a trimmed text holds anything but visible characters and single spaces.
fn needs_work(text: &str) -> bool {
    let (mut marks, mut previous) = (0, 'a');
    text.chars().any(|c| {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        let is_double = c == ' ' && previous == ' ';
        previous = c;
        is_double || c != ' ' && is_blank(c) || is_hidden(c) || is_variation(c) || marks > MAX_MARKS
    })
}

/// Returns what follows an escape sequence that begins with `lead`.
///
/// `strings_end` turns false once no terminator is left, so that a row of openings is not searched again and again. An
/// opening that never ends takes nothing with it: nobody hides the rest of a message that way.
fn after_escape<'a>(lead: char, after: &'a str, strings_end: &mut bool) -> &'a str {
    let (kind, body) = match (lead, after.chars().next()) {
        ('\u{1b}', Some(next)) if next.is_ascii() && !next.is_ascii_control() => {
            (next, &after[1..])
        }
        ('\u{1b}', _) => return after,
        // The one-character forms U+0080 to U+009F stand for ESC and a character 0x40 below.
        _ => (char::from_u32(lead as u32 - 0x40).unwrap_or(' '), after),
    };
    match kind {
        '[' => {
            let body = body.trim_start_matches(|c| matches!(c, ' '..='?'));
            body.strip_prefix(|c| matches!(c, '@'..='~'))
                .unwrap_or(body)
        }
        ']' | 'P' | 'X' | '^' | '_' if *strings_end => {
            let end = body
                .find(['\u{7}', '\u{9c}'])
                .into_iter()
                .chain(body.find("\u{1b}\\"))
                .min();
            *strings_end = end.is_some();
            let Some(end) = end else { return body };
            let tail = &body[end..];
            tail.strip_prefix("\u{1b}\\")
                .or_else(|| tail.strip_prefix(['\u{7}', '\u{9c}']))
                .unwrap_or(tail)
        }
        ']' | 'P' | 'X' | '^' | '_' => body,
        ' '..='/' => {
            let body = body.trim_start_matches(|c| matches!(c, ' '..='/'));
            body.strip_prefix(|c| matches!(c, '0'..='~'))
                .unwrap_or(body)
        }
        _ => body,
    }
}

/// Replaces every address by the name of its host.
fn without_addresses(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let (mut out, mut done) = (String::new(), 0);
    while let Some((start, authority)) = next_address(&lower, done) {
        let end = authority + length_of(&text[authority..]);
        out.push_str(&text[done..start]);
        let link = match host_of(&text[authority..end]) {
            host if host.is_empty() => "[link]".to_owned(),
            host => format!("[link: {host}]"),
        };
        done = end;
        match labelled(&out).filter(|_| text[end..].starts_with(')')) {
            // `[label](address)`: the label, and where it leads, once.
            Some(open) => {
                let label = out[open + 1..out.len() - "](".len()].to_owned();
                out.truncate(open);
                out.push_str(label.trim());
                if !label.ends_with(&link) {
                    let blank = if label.trim().is_empty() { "" } else { " " };
                    out.extend([blank, &link]);
                }
                done += 1;
            }
            None => out.push_str(&link),
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Returns where the label begins whose address comes next, in a text that ends with `](`.
fn labelled(text: &str) -> Option<usize> {
    let before = text.strip_suffix("](")?;
    let mut depth = 0_u32;
    for (at, byte) in before.bytes().enumerate().rev().take(MAX_LABEL) {
        match byte {
            b']' => depth += 1,
            b'[' if depth == 0 => return Some(at),
            b'[' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Returns where the next address begins, and where its host does.
fn next_address(lower: &str, from: usize) -> Option<(usize, usize)> {
    let rest = &lower[from..];
    let ends_word = |at: usize| !rest[..at].ends_with(char::is_alphanumeric);
    let scheme = rest.match_indices("://").find_map(|(at, found)| {
        let scheme = rest[..at].len()
            - rest[..at]
                .trim_end_matches(|c: char| c.is_ascii_alphanumeric())
                .len();
        (scheme > 0).then_some((at - scheme, at + found.len()))
    });
    let www = rest.match_indices("www.").find_map(|(at, found)| {
        let goes_on = rest[at + found.len()..].starts_with(char::is_alphanumeric);
        (!rest[..at].ends_with(['-', '.']) && ends_word(at) && goes_on).then_some((at, at))
    });
    let mail = rest
        .match_indices("mailto:")
        .find_map(|(at, found)| ends_word(at).then_some((at, at + found.len())));
    let first = scheme.into_iter().chain(www).chain(mail).min()?;
    Some((from + first.0, from + first.1))
}

/// Returns how much of the text still belongs to an address, sentence marks at its end left out.
fn length_of(text: &str) -> usize {
    let ends = |c: char| match c {
        '<' | '>' | '"' | '|' | '`' | '{' | '}' | '[' | ']' | '^' | '\\' => true,
        _ => c.is_whitespace() || !c.is_ascii() && !c.is_alphanumeric(),
    };
    let mut address = &text[..text.find(ends).unwrap_or(text.len())];
    while let Some(last) = address.chars().next_back() {
        let is_open = || address.matches('(').count() >= address.matches(')').count();
        let belongs = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' => false,
            ')' => is_open(),
            _ => true,
        };
        if belongs {
            break;
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address.len()
}

fn host_of(address: &str) -> String {
    let authority = &address[..address.find(['/', '?', '#']).unwrap_or(address.len())];
    // What stands before the @ is made up to look like a host.
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host);
    let host: String = host
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        .take(MAX_HOST)
        .collect();
    // Many viewers turn a bare "www." into a link.
    let mut bare = host.as_str();
    while bare
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("www."))
    {
        bare = &bare[4..];
    }
    bare.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "",
            "Ship it.",
            "naïve – “yes”",
            "דנה: שלום",
            "山田さん 👍🏽",
            "ก็ได้",
            "a :// b",
            "awww. nice",
        ] {
            assert!(
                matches!(plain(text), Cow::Borrowed(same) if same == text),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_nobody_sees_is_taken_out() {
        let cases = [
            ("a\u{1b}[31mb\u{1b}[0mc", "abc"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            (
                "a\u{1b}]8;;https://evil.example\u{1b}\\b\u{1b}]8;;\u{1b}\\c",
                "abc",
            ),
            ("a\u{9b}2Jb\u{9d}0;t\u{9c}c", "abc"),
            ("a\u{1b}]0;never ends", "a0;never ends"),
            ("a\u{1b}(Bb\u{1b}cd\u{1b}", "abd"),
            ("pay\u{202e}gnp.exe\u{2066}x\u{2069}", "paygnp.exex"),
            ("ig\u{200b}no\u{feff}re\u{ad}\u{2060}", "ignore"),
            ("hi\u{e0041}\u{e0042}\u{e007f}", "hi"),
            (
                "one\r\n\t two\u{2028}three\u{85}four ",
                "one two three four",
            ),
            ("❤\u{fe0f}\u{fe0f}\u{fe01}x\u{e0101}", "❤\u{fe0f}x"),
            ("\u{7}bell\u{7f}\u{0}", "bell"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text:?}");
        }
        let zalgo = format!("z{}", "\u{301}".repeat(40));
        assert_eq!(plain(&zalgo).chars().count(), 1 + MAX_MARKS);
    }

    #[test]
    fn an_address_becomes_the_name_of_its_host() {
        let cases = [
            (
                "see https://github.com/a/b?c=d#e.",
                "see [link: github.com].",
            ),
            ("(http://Clojure.org/about)", "([link: Clojure.org])"),
            ("[docs](https://a.example/x_(y))", "docs [link: a.example]"),
            (
                "http://bank.example@evil.example:80/",
                "[link: evil.example]",
            ),
            (
                "http://bank.example\\@evil.example",
                "[link: bank.example]\\@evil.example",
            ),
            (
                "[holiday plan](https://example.org/h) & more",
                "holiday plan [link: example.org] & more",
            ),
            (
                "see [https://a.example/x](https://a.example/x).",
                "see [link: a.example].",
            ),
            (
                "[https://bank.example](https://evil.example)",
                "[link: bank.example] [link: evil.example]",
            ),
            ("[a [b] c](http://x.example)", "a [b] c [link: x.example]"),
            ("](http://x.example)", "]([link: x.example])"),
            ("[](http://x.example)", "[link: x.example]"),
            ("HTTPS://X.EXAMPLE", "[link: X.EXAMPLE]"),
            ("ht\u{200b}tps://x.example", "[link: x.example]"),
            ("www.x.example/a, or", "[link: x.example], or"),
            ("mailto:ana@x.example", "[link: x.example]"),
            (
                "slack://channel?id=1 vscode://open",
                "[link: channel] [link: open]",
            ),
            ("http://", "[link]"),
            ("見てhttps://例え.jp/。次", "見て[link: 例え.jp]。次"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_result_is_visible_and_final(text in super::super::hostile::text()) {
            let once = plain(&text).into_owned();
            prop_assert!(!once.chars().any(is_hidden), "{:?}", once);
            prop_assert!(!once.contains("  ") && once.trim_matches(' ') == once);
            prop_assert_eq!(plain(&once), once.as_str());
        }
    }
}
