//! Text into tokens: one analyzer for prose in every script, and for code.
//!
//! A tokenizer that serves people who paste stack traces has to keep `fooBar`, `foo_bar` and `src/foo.rs:42` whole *and* find
//! them by their parts; one that serves Chinese, Japanese, Korean or Thai cannot wait for spaces. Both happen here, once, for
//! documents, queries and snippets alike.

mod stems;

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_segmentation::UnicodeSegmentation;

pub(crate) use stems::{Stems, is_function_word, is_mostly_unlike_english, language_of, stem};

/// What a token is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A word; the only kind that is stemmed.
    Word,
    /// Two neighboring characters of a script that writes without spaces (one, when it stands alone).
    Gram,
    /// A part of an identifier that is a word itself: `foo` of `fooBar`.
    Part,
    /// An identifier, path, URL, version or key that spans several words: `foo::bar`, `core-123`, `#412`.
    Whole,
}

/// One token. `position` counts words; parts and wholes share the position of the word they begin at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: Kind,
    pub text: String,
    pub range: Range<usize>,
    pub position: usize,
}

// Longer runs are base64, minified code or a cat on the keyboard.
const LONGEST: usize = 64;
const LONGEST_WHOLE: usize = 128;

/// Returns the tokens of a text in order.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::with_capacity(text.len() / 5 + 1);
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut position = 0;
    let mut dense: Vec<(usize, char)> = Vec::new();
    let mut dense_end = 0;
    for (start, piece) in text.unicode_word_indices() {
        if !dense.is_empty() && start != dense_end {
            grams(&mut dense, &mut position, &mut out);
        }
        if piece.is_ascii() || !piece.chars().any(is_dense) {
            grams(&mut dense, &mut position, &mut out);
            starts.push((start, position));
            words(piece, start, &mut position, &mut out);
            continue;
        }
        // Hangul and Latin share a word ("PC방"), so a piece may have to be cut.
        let mut sparse: Option<usize> = None;
        for (at, c) in piece.char_indices() {
            if is_dense(c) {
                if let Some(from) = sparse.take() {
                    grams(&mut dense, &mut position, &mut out);
                    words(&piece[from..at], start + from, &mut position, &mut out);
                }
                dense.push((start + at, c));
            } else if is_combining_mark(c) && sparse.is_none() {
                dense.push((start + at, c));
            } else {
                sparse.get_or_insert(at);
            }
        }
        if let Some(from) = sparse {
            grams(&mut dense, &mut position, &mut out);
            words(&piece[from..], start + from, &mut position, &mut out);
        }
        dense_end = start + piece.len();
    }
    grams(&mut dense, &mut position, &mut out);
    wholes(text, &starts, &mut out);
    out
}

/// Emits a piece that UAX-29 calls a word, cut at the dots and colons that join words in code.
fn words(piece: &str, start: usize, position: &mut usize, out: &mut Vec<Token>) {
    let numeric = piece
        .bytes()
        .all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
    if numeric || piece.bytes().all(|b| b.is_ascii_alphanumeric()) {
        word(piece, start, position, out);
        return;
    }
    let mut from = 0;
    let bytes = piece.as_bytes();
    for (at, c) in piece.char_indices() {
        let cut = match c {
            '.' | ':' | '\u{b7}' | '\u{2027}' => {
                // A dot between digits is a version or a decimal point.
                let digit =
                    |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
                !(c == '.' && digit(at.checked_sub(1)) && digit(Some(at + 1)))
            }
            // French and Italian elision: l'erreur, dell'utente. English has "don't" and "o'clock" instead.
            '\'' | '\u{2019}' => {
                let left = piece[from..at].chars().count();
                let right = piece[at..].chars().count() - 1;
                left <= 2 && right >= 3 && !piece[from..at].eq_ignore_ascii_case("o")
            }
            _ => false,
        };
        if cut {
            word(&piece[from..at], start + from, position, out);
            from = at + c.len_utf8();
        }
    }
    word(&piece[from..], start + from, position, out);
}

fn word(piece: &str, start: usize, position: &mut usize, out: &mut Vec<Token>) {
    if piece.is_empty() || !piece.chars().any(char::is_alphanumeric) {
        return;
    }
    let range = start..start + piece.len();
    if piece.len() <= LONGEST {
        let text = fold(piece.trim_matches('_'));
        if !text.is_empty() {
            out.push(Token {
                kind: Kind::Word,
                text,
                range: range.clone(),
                position: *position,
            });
            parts(piece, range, *position, out);
        }
    }
    *position += 1;
}

/// Emits the parts of `foo_bar`, `fooBar`, `HTTPServer` and `log4j`, when there are at least two.
fn parts(piece: &str, range: Range<usize>, position: usize, out: &mut Vec<Token>) {
    let simple = |b: &u8| b.is_ascii_lowercase() || *b >= 128;
    if piece.as_bytes().iter().skip(1).all(simple)
        || piece.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    {
        return;
    }
    let chars: Vec<(usize, char)> = piece.char_indices().collect();
    let mut cuts = vec![0];
    for i in 1..chars.len() {
        let (at, c) = chars[i];
        let before = chars[i - 1].1;
        let after = chars.get(i + 1).map(|c| c.1);
        let camel = before.is_lowercase() && c.is_uppercase();
        let acronym =
            before.is_uppercase() && c.is_uppercase() && after.is_some_and(char::is_lowercase);
        let digits = before.is_numeric() != c.is_numeric();
        if camel || acronym || digits || !c.is_alphanumeric() || !before.is_alphanumeric() {
            cuts.push(at);
        }
    }
    cuts.push(piece.len());
    let pieces: Vec<&str> = cuts
        .windows(2)
        .map(|w| &piece[w[0]..w[1]])
        .filter(|p| p.chars().any(char::is_alphanumeric))
        .collect();
    // "iOS", "E0308" and "v2" are names, not compounds: a part of one letter says nothing.
    if pieces.len() < 2 {
        return;
    }
    for part in pieces {
        if part.chars().count() >= 2 {
            out.push(Token {
                kind: Kind::Part,
                text: fold(part),
                range: range.clone(),
                position,
            });
        }
    }
}

/// Emits the collected characters of a script without spaces as overlapping pairs.
fn grams(dense: &mut Vec<(usize, char)>, position: &mut usize, out: &mut Vec<Token>) {
    if dense.is_empty() {
        return;
    }
    // Marks (Thai vowels, voiced kana) belong to the character before them.
    let mut cells: Vec<(Range<usize>, String)> = Vec::new();
    for &(at, c) in dense.iter() {
        let end = at + c.len_utf8();
        match cells.last_mut() {
            Some((range, text)) if is_combining_mark(c) => {
                range.end = end;
                text.push(c);
            }
            _ => cells.push((at..end, c.to_string())),
        }
    }
    dense.clear();
    for (_, text) in &mut cells {
        *text = text.nfkc().flat_map(char::to_lowercase).collect();
    }
    if let [(range, text)] = cells.as_slice() {
        out.push(Token {
            kind: Kind::Gram,
            text: text.clone(),
            range: range.clone(),
            position: *position,
        });
        *position += 1;
        return;
    }
    for pair in cells.windows(2) {
        let text = format!("{}{}", pair[0].1, pair[1].1);
        out.push(Token {
            kind: Kind::Gram,
            text,
            range: pair[0].0.start..pair[1].0.end,
            position: *position,
        });
        *position += 1;
    }
    *position += 1;
}

/// Emits what spans several words: paths, keys, handles, qualified names, versions.
fn wholes(text: &str, starts: &[(usize, usize)], out: &mut Vec<Token>) {
    let joins = |c: char| {
        matches!(
            c,
            '_' | '-' | '.' | '/' | ':' | '#' | '@' | '\\' | '+' | '$' | '~'
        )
    };
    let position_at = |at: usize| match starts.binary_search_by_key(&at, |s| s.0) {
        Ok(i) => starts[i].1,
        Err(i) => starts.get(i).map_or(0, |s| s.1),
    };
    for run in runs(text, |c| c.is_alphanumeric() || joins(c)) {
        // Nearly every run is a plain word.
        if text.as_bytes()[run.clone()]
            .iter()
            .all(u8::is_ascii_alphanumeric)
        {
            continue;
        }
        let piece = &text[run.clone()];
        let mut inner = piece
            .trim_matches(|c| matches!(c, '.' | ':' | '-' | '+' | '~' | '$' | '\\' | '_' | '/'));
        inner = inner.trim_end_matches(['@', '#']);
        if piece.len() > inner.len() && (piece.ends_with("++") || piece.ends_with('#')) {
            let language = piece.trim_start_matches(joins).to_lowercase();
            if matches!(language.as_str(), "c++" | "c#" | "f#" | "g++") {
                let start = run.end - language.len();
                out.push(Token {
                    kind: Kind::Whole,
                    text: language,
                    range: start..run.end,
                    position: position_at(start),
                });
                continue;
            }
        }
        // An underscore alone does not break a word, and neither does nothing at all.
        if inner.len() < 2
            || inner.len() > LONGEST_WHOLE
            || !inner.chars().any(|c| joins(c) && c != '_')
        {
            continue;
        }
        if inner.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            continue;
        }
        let start = run.start + (inner.as_ptr() as usize - piece.as_ptr() as usize);
        let range = start..start + inner.len();
        let position = position_at(start);
        let mut push = |piece: &str| {
            let text = fold(piece);
            let known = out
                .iter()
                .rev()
                .take_while(|t| t.kind == Kind::Whole)
                .any(|t| t.range == range && t.text == text);
            if text.len() >= 2 && !known {
                out.push(Token {
                    kind: Kind::Whole,
                    text,
                    range: range.clone(),
                    position,
                });
            }
        };
        let bare = inner.split_once("://").map_or(inner, |(_, rest)| rest);
        push(bare);
        let mut unlined = bare;
        while let Some((before, line)) = unlined.rsplit_once(':')
            && !line.is_empty()
            && line.bytes().all(|b| b.is_ascii_digit())
        {
            unlined = before;
        }
        if unlined.len() < bare.len() {
            push(unlined);
        }
        if let Some((before, name)) = unlined.rsplit_once(['/', '\\']) {
            // A file is looked for by its name, a page by its host.
            if name.contains(['.', '-', '_']) && name.contains(char::is_alphabetic) {
                push(name);
            }
            if bare.len() < inner.len() {
                push(before.split('/').next().unwrap_or(before));
            }
        }
    }
}

fn runs(text: &str, inside: impl Fn(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while chars.next_if(|&(_, c)| !inside(c)).is_some() {}
        let (start, c) = chars.next()?;
        let mut end = start + c.len_utf8();
        while let Some((at, c)) = chars.next_if(|&(_, c)| inside(c)) {
            end = at + c.len_utf8();
        }
        Some(start..end)
    })
}

/// Returns the form in which words are compared: NFKC, lower case, Latin letters without their marks.
pub(crate) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(word.len());
    for c in word.nfkc().flat_map(char::to_lowercase) {
        match c {
            _ if c.is_ascii() => out.push(c),
            '\u{2019}' => out.push('\''),
            'ß' => out.push_str("ss"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            // Cyrillic й is a letter, Latin é an e with a mark.
            '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => {
                decompose_canonical(c, |d| {
                    if !is_combining_mark(d) {
                        out.push(d);
                    }
                });
            }
            '\u{300}'..='\u{36f}' => {}
            _ => out.push(c),
        }
    }
    out
}

fn is_dense(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}'       // Thai, Lao
        | '\u{1000}'..='\u{109f}'     // Myanmar
        | '\u{1100}'..='\u{11ff}'     // Hangul letters
        | '\u{1780}'..='\u{17ff}'     // Khmer
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}'     // kana
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' // Han
        | '\u{ac00}'..='\u{d7af}'     // Hangul syllables
        | '\u{ff66}'..='\u{ff9f}'     // half-width kana
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, kind: Kind) -> Vec<String> {
        tokens(text)
            .into_iter()
            .filter(|t| t.kind == kind)
            .map(|t| t.text)
            .collect()
    }

    #[test]
    fn words_are_folded_and_cut_at_code_joints() {
        for (text, expected) in [
            (
                "The Müller-Straße, naïve café!",
                "the muller strasse naive cafe",
            ),
            ("don't break O'Brien’s code", "don't break o'brien's code"),
            ("l'erreur dell'utente", "l erreur dell'utente"),
            ("foo.bar(baz) std::fs::read", "foo bar baz std fs read"),
            (
                "version 1.2.3 costs 1,000.50",
                "version 1.2.3 costs 1,000.50",
            ),
            ("Привет, Мир; йод", "привет мир йод"),
            ("ﬁle ＡＢＣ", "file abc"),
            ("snake_case fooBar E0308", "snake_case foobar e0308"),
            ("", ""),
            ("… --- !!!", ""),
        ] {
            assert_eq!(of(text, Kind::Word).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn identifiers_are_found_by_their_parts() {
        for (text, expected) in [
            ("fooBar", "foo bar"),
            ("HTTPServerError", "http server error"),
            ("snake_case_name", "snake case name"),
            ("log4j", "log"),
            ("E0308", "0308"),
            ("iPhone iOS plain Plain", "phone os"),
            ("ALLCAPS 12345", ""),
        ] {
            assert_eq!(of(text, Kind::Part).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn keys_paths_and_qualified_names_are_kept_whole() {
        for (text, expected) in [
            ("see CORE-123, #412 and @ana.", "core-123 #412 @ana"),
            (
                "at src/foo/bar.rs:42:7",
                "src/foo/bar.rs:42:7 src/foo/bar.rs bar.rs",
            ),
            ("std::fs::read_to_string", "std::fs::read_to_string"),
            ("https://docs.rs/jiff/0.2/", "docs.rs/jiff/0.2 docs.rs"),
            ("C++ and C# rule", "c++ c#"),
            ("tokio-1.54 v1.2.3-rc.1", "tokio-1.54 v1.2.3-rc.1"),
            ("it ended. Then: nothing", ""),
        ] {
            assert_eq!(of(text, Kind::Whole).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_become_pairs() {
        for (text, expected) in [
            ("検索機能", "検索 索機 機能"),
            ("Rust言語です", "言語 語で です"),
            ("サーバー", "サー ーバ バー"),
            ("한국어를 지원", "한국 국어 어를 지원"),
            ("字", "字"),
            ("PC방에서", "방에 에서"),
        ] {
            assert_eq!(of(text, Kind::Gram).join(" "), expected, "{text}");
        }
        assert!(of("ภาษาไทย", Kind::Gram).len() >= 4);
    }

    #[test]
    fn ranges_point_into_the_text() {
        let text = "Naïve fooBar 検索 at src/x.rs:1";
        for token in tokens(text) {
            assert!(
                text.get(token.range.clone()).is_some_and(|t| !t.is_empty()),
                "{token:?}"
            );
        }
    }

    #[test]
    fn stems_follow_the_language_of_the_text() {
        assert_eq!(stem(Stems::ENGLISH, "connections"), "connect");
        assert_eq!(
            stem(Stems::from_code("de").unwrap(), "verbindungen"),
            "verbind"
        );
        let both = [
            Stems::ENGLISH,
            Stems::from_code("de").unwrap(),
            Stems::from_code("fr").unwrap(),
        ];
        let german = "Die Verbindung zur Datenbank wurde gestern Abend mehrfach unterbrochen, und niemand hat es bemerkt.";
        assert_eq!(language_of(german, None, &both).code(), "de");
        assert_eq!(language_of("lgtm", None, &both).code(), "en");
        assert_eq!(language_of("lgtm", Some("fr-CA"), &both).code(), "fr");
    }

    proptest::proptest! {
        #[test]
        fn any_text_becomes_tokens(text in "\\PC{0,80}|[a-zA-Z0-9_.:/#@ \\u{0}-\\u{20}éß検索ไทย한\\u{301}\\u{200d}]{0,120}") {
            for token in tokens(&text) {
                proptest::prop_assert!(text.get(token.range.clone()).is_some_and(|t| !t.is_empty()));
                proptest::prop_assert!(!token.text.is_empty() && token.text.len() <= LONGEST_WHOLE * 4);
                stem(Stems::ENGLISH, &token.text);
            }
            language_of(&text, None, &[Stems::ENGLISH, Stems::from_code("de").unwrap()]);
        }
    }
}
