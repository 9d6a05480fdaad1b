//! V3: the words of a message that a model quotes, as they were written.

use super::QUOTE_WORDS;
use crate::brief::digest::DigestMessage;

/// Returns the words of a message behind a quote of its prompt text, as they were written.
pub fn quoted(message: &DigestMessage, quote: &str) -> Option<String> {
    let words = |text: &str| -> Vec<(usize, usize, String)> {
        let mut found: Vec<(usize, usize, String)> = Vec::new();
        let mut start = None;
        for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
            match (c.is_alphanumeric(), start) {
                (true, None) => start = Some(at),
                (false, Some(from)) => {
                    found.push((from, at, text[from..at].to_lowercase()));
                    start = None;
                }
                _ => {}
            }
        }
        found
    };
    let wanted = words(quote);
    let held = words(&message.text);
    if wanted.is_empty() {
        return None;
    }
    let at = held
        .windows(wanted.len())
        .position(|window| window.iter().zip(&wanted).all(|(a, b)| a.2 == b.2))?;
    let range = held[at].0..held[at + wanted.len() - 1].1;
    let mut source = message.source_range(range);
    // A full stop or a question mark belongs to what it ends.
    let tail = &message.source[source.end..];
    if tail.starts_with(['.', '?', '!']) {
        source.end += 1;
    }
    let words = crate::text::quote(&message.source, source, QUOTE_WORDS).text;
    (!words.is_empty()).then_some(words)
}
