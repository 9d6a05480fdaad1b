//! What a mail's author wrote, apart from what they quoted and from signatures and footers.

use std::borrow::Cow;

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

use super::html::visible_text;
use super::{parse, parse_headers, quotes};

/// A mail's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The author's own.
    pub text: String,
    /// Everything else: quotes, signatures, footers.
    pub aside: String,
    /// Whether bytes had to be replaced that are not of the named character set.
    pub is_lossy: bool,
    /// Whether there was HTML that nobody could have written to be read.
    pub is_refused: bool,
}

/// Returns the words of a mail.
pub fn words_of(message: &Message<'_>) -> Words {
    let mut whole = String::new();
    let (mut is_lossy, mut is_refused) = (false, false);
    for part in message.text_bodies() {
        let text = match &part.body {
            PartType::Text(text) if is_flowed(part) => unflowed(text, deletes_space(part)),
            PartType::Text(text) => text.to_string(),
            PartType::Html(html) => visible_text(html).unwrap_or_else(|| {
                is_refused = true;
                String::new()
            }),
            _ => continue,
        };
        is_lossy |= part.is_encoding_problem || text.contains('\u{fffd}');
        if !whole.is_empty() {
            whole.push_str("\n\n");
        }
        whole.push_str(text.trim_end());
    }
    let (text, aside) = quotes::split(&whole);
    Words {
        text,
        aside,
        is_lossy,
        is_refused,
    }
}

/// Returns a mail with an end for every part: one that was cut off, or never had one, would lose its words.
pub fn close_parts(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_closed = |boundary: &str| {
        let end = format!("--{boundary}--");
        raw.windows(end.len())
            .any(|window| window == end.as_bytes())
    };
    let headers = parse_headers(raw);
    let outer = headers
        .as_ref()
        .and_then(|message| boundary_of(message.parts.first()?));
    if outer.is_none_or(is_closed) {
        return Cow::Borrowed(raw);
    }
    let mut closed = raw.to_vec();
    if let Some(message) = parse(raw) {
        // The inner ones first.
        for boundary in message.parts.iter().rev().filter_map(boundary_of) {
            if !is_closed(boundary) {
                closed.extend_from_slice(format!("\n--{boundary}--\n").as_bytes());
            }
        }
    }
    Cow::Owned(closed)
}

fn boundary_of<'a>(part: &'a MessagePart<'_>) -> Option<&'a str> {
    let kind = part.content_type()?;
    let boundary = kind.attribute("boundary")?;
    (kind.c_type.eq_ignore_ascii_case("multipart") && !boundary.is_empty()).then_some(boundary)
}

fn is_flowed(part: &MessagePart<'_>) -> bool {
    let format = part
        .content_type()
        .and_then(|kind| kind.attribute("format"));
    format.is_some_and(|format| format.eq_ignore_ascii_case("flowed"))
}

fn deletes_space(part: &MessagePart<'_>) -> bool {
    let option = part.content_type().and_then(|kind| kind.attribute("delsp"));
    option.is_some_and(|option| option.eq_ignore_ascii_case("yes"))
}

/// Joins the lines that a mail program broke (RFC 3676).
fn unflowed(text: &str, deletes_space: bool) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|&byte| byte == b'>').count();
        let words = &line[depth..];
        let words = words.strip_prefix(' ').unwrap_or(words);
        if open != Some(depth) {
            if !joined.is_empty() {
                joined.push('\n');
            }
            if depth > 0 {
                joined.push_str(&">".repeat(depth));
                joined.push(' ');
            }
        }
        let is_soft = words.ends_with(' ') && words != "-- ";
        joined.push_str(if is_soft && deletes_space {
            &words[..words.len() - 1]
        } else {
            words
        });
        open = is_soft.then_some(depth);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowed_lines_are_joined() {
        assert_eq!(
            unflowed("one \ntwo\n>old \n>er\n-- \nAna", false),
            "one two\n> old er\n-- \nAna"
        );
        assert_eq!(unflowed("one \ntwo", true), "onetwo");
    }
}
