//! Breaking styled text into lines by the width it takes on a screen, never inside a character as a reader sees it.

use anstyle::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A piece of text in one style, that may be a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Text without control characters.
    pub text: String,
    /// Its style, when colours are on.
    pub style: Style,
    /// Where it leads, when links are on.
    pub url: Option<String>,
}

impl Span {
    /// Returns text in a style.
    pub fn new(text: impl Into<String>, style: Style) -> Span {
        Span {
            text: text.into(),
            style,
            url: None,
        }
    }

    /// Returns text that leads somewhere.
    pub fn link(text: impl Into<String>, style: Style, url: Option<String>) -> Span {
        Span {
            text: text.into(),
            style,
            url,
        }
    }
}

/// One line on the screen.
pub type Line = Vec<Span>;

/// Returns how many columns a text takes.
pub fn columns(text: &str) -> usize {
    text.graphemes(true).map(width_of).sum()
}

/// Returns how many columns a line takes.
pub fn columns_of(line: &[Span]) -> usize {
    columns(&text_of(line))
}

/// Breaks spans into lines: the first with room for `first` columns, the others for `rest`.
///
/// Lines break at spaces, and beside wide characters, since Chinese and Japanese have none; a word longer than a line is cut.
pub fn wrap(spans: &[Span], first: usize, rest: usize) -> Vec<Line> {
    // One text for all spans: a mark at the start of one belongs to the last letter of the span before.
    let text = text_of(spans);
    let cells: Vec<(usize, &str)> = text.grapheme_indices(true).collect();
    let mut lines = Vec::new();
    let (mut start, mut break_at, mut used, mut at) = (0, None, 0, 0);
    while at < cells.len() {
        let (_, cell) = cells[at];
        let room = if lines.is_empty() { first } else { rest };
        if at > start && may_break(cells[at - 1].1, cell) {
            break_at = Some(at);
        }
        if cell != " " && used + width_of(cell) > room && at > start {
            let end = break_at.unwrap_or(at);
            lines.push(cut(
                spans,
                byte_of(&cells, start, &text)..byte_of(&cells, end, &text),
            ));
            start = end;
            while start < cells.len() && cells[start].1 == " " {
                start += 1;
            }
            (at, used, break_at) = (start, 0, None);
            continue;
        }
        used += width_of(cell);
        at += 1;
    }
    if start < cells.len() {
        lines.push(cut(spans, byte_of(&cells, start, &text)..text.len()));
    }
    lines
}

fn text_of(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

fn width_of(cell: &str) -> usize {
    UnicodeWidthStr::width(cell)
}

fn byte_of(cells: &[(usize, &str)], index: usize, text: &str) -> usize {
    cells.get(index).map_or(text.len(), |cell| cell.0)
}

/// Returns whether a line may end between two characters.
fn may_break(before: &str, after: &str) -> bool {
    const CLOSING: &str = ".,;:!?)]}»”’\"'…%、。，．！？）」』】〉》〕・：；ー";
    const OPENING: &str = "([{«“‘\"'（「『【〈《〔#@";
    let is_one_of = |cell: &str, set: &str| cell.chars().next().is_some_and(|c| set.contains(c));
    if before == " " || after == " " {
        return before == " " && after != " ";
    }
    let is_wide = width_of(before) > 1 || width_of(after) > 1;
    is_wide && !is_one_of(after, CLOSING) && !is_one_of(before, OPENING)
}

/// Returns the spans of a range of the joined text, without spaces at the end.
fn cut(spans: &[Span], range: std::ops::Range<usize>) -> Line {
    let mut line: Line = Vec::new();
    let mut offset = 0;
    for span in spans {
        let from = range.start.max(offset) - offset;
        let to = range
            .end
            .min(offset + span.text.len())
            .saturating_sub(offset);
        offset += span.text.len();
        if from < to {
            // Ranges end between characters of the joined text, which are characters of the span too.
            line.push(Span {
                text: span.text[from..to].to_owned(),
                ..span.clone()
            });
        }
    }
    while let Some(last) = line.last_mut() {
        last.text.truncate(last.text.trim_end_matches(' ').len());
        if !last.text.is_empty() {
            break;
        }
        line.pop();
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, first: usize, rest: usize, expected: &[&str]) {
        let lines = wrap(&[Span::new(text, Style::new())], first, rest);
        let lines: Vec<String> = lines.iter().map(|line| text_of(line)).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn lines_break_at_spaces_and_beside_wide_characters() {
        check("", 10, 10, &[]);
        check("one two three", 7, 7, &["one two", "three"]);
        check("one two three", 3, 9, &["one", "two three"]);
        check("incomprehensible", 6, 6, &["incomp", "rehens", "ible"]);
        check("日本語のテキスト。", 6, 6, &["日本語", "のテキ", "スト。"]);
        check("これは「例」です", 8, 8, &["これは", "「例」で", "す"]);
        check("ok 👍🏽👍🏽 fine", 5, 5, &["ok 👍🏽", "👍🏽", "fine"]);
    }

    #[test]
    fn a_character_stays_whole() {
        check("🇩🇪🇫🇷🇯🇵", 2, 2, &["🇩🇪", "🇫🇷", "🇯🇵"]);
        check(
            "e\u{301}e\u{301}e\u{301}",
            2,
            2,
            &["e\u{301}e\u{301}", "e\u{301}"],
        );
    }

    #[test]
    fn spans_keep_their_style_and_address_across_lines() {
        let bold = Style::new().bold();
        let url = Some("https://a.example".to_owned());
        let lines = wrap(
            &[
                Span::new("see ", Style::new()),
                Span::link("two words", bold, url.clone()),
            ],
            7,
            7,
        );
        let expected = [
            vec![Span::new("see two", Style::new())],
            vec![Span::link("words", bold, url.clone())],
        ];
        assert_eq!(lines[1], expected[1]);
        assert_eq!(
            lines[0],
            vec![
                Span::new("see ", Style::new()),
                Span::link("two", bold, url)
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_long(text in super::super::hostile::text(), room in 4usize..30) {
            let text = super::super::plain(&text).into_owned();
            let lines = wrap(&[Span::new(text.clone(), Style::new())], room, room);
            let squeezed = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(squeezed(&lines.iter().map(|line| text_of(line)).collect::<String>()), squeezed(&text));
            for line in &lines {
                prop_assert!(columns_of(line) <= room || text_of(line).graphemes(true).count() == 1, "{:?}", line);
            }
        }
    }
}
