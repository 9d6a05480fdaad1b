//! A message as a prompt shows it, and the way back to what was written.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{PersonSlot, TicketSlot};
use crate::model::Handle;
use crate::text::safe;

/// A run of the prompt's text and the run of the source it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    text: Range<usize>,
    source: Range<usize>,
    /// Whether both hold the same bytes.
    is_same: bool,
}

/// A message made fit for a prompt.
#[derive(Clone, Debug)]
pub(super) struct PromptText {
    pub text: String,
    pub source: String,
    pub pieces: Vec<Piece>,
    /// The people whose names became slots.
    pub people: BTreeSet<usize>,
}

/// Everybody and everything that has a slot.
pub(super) struct Names<'a> {
    pub people: &'a [PersonSlot],
    pub tickets: &'a [TicketSlot],
}

impl Names<'_> {
    /// Returns the place of an account's owner.
    pub fn person(&self, handle: &Handle) -> Option<usize> {
        self.people
            .iter()
            .position(|person| person.handles.contains(handle))
    }

    /// Returns the place of whoever is called this, when it can be one person only.
    fn called(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        let mut found = self
            .people
            .iter()
            .enumerate()
            .filter(|(_, person)| {
                person.aliases.contains(&name)
                    || person
                        .handles
                        .iter()
                        .any(|handle| handle.id.eq_ignore_ascii_case(&name))
            })
            .map(|(at, _)| at);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Returns everybody whom a text calls by a name written with a capital, or by a login or an address.
    pub fn named_in(&self, source: &str) -> BTreeSet<usize> {
        let mut words: BTreeSet<String> = BTreeSet::new();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        for word in source.split(|c: char| !is_part(c)) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            let is_login =
                word.contains(['.', '_', '-', '@']) || word.ends_with(|c: char| c.is_ascii_digit());
            if word.starts_with(char::is_uppercase) || is_login {
                words.insert(word.to_lowercase());
                let local = word.split_once('@').map_or(word, |(local, _)| local);
                words.extend(
                    local
                        .split(|c: char| !c.is_alphanumeric())
                        .filter(|part| part.starts_with(char::is_uppercase))
                        .map(str::to_lowercase),
                );
            }
        }
        self.people
            .iter()
            .enumerate()
            .filter(|(_, person)| words.iter().any(|word| person.aliases.contains(word)))
            .map(|(at, _)| at)
            .collect()
    }
}

impl PromptText {
    /// Makes a text fit for a prompt: addresses become `[link: host]`, people who are called and tickets become slots, and
    /// what looks like a slot already is taken apart.
    pub fn of(written: &str, names: &Names<'_>) -> PromptText {
        let source = safe(written).into_owned();
        let mut made = PromptText {
            text: String::with_capacity(source.len()),
            source: String::new(),
            pieces: Vec::new(),
            people: BTreeSet::new(),
        };
        let (mut at, mut copied) = (0, 0);
        while at < source.len() {
            match made.replaced(&source, at, names) {
                Some((text, length)) => {
                    made.copy(&source, copied..at);
                    made.push(&text, at..at + length, false);
                    at += length;
                    copied = at;
                }
                None => at += source[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        made.copy(&source, copied..source.len());
        made.source = source;
        made
    }

    /// Returns what stands here instead of the source's words, and how many bytes of them it stands for.
    fn replaced(&mut self, source: &str, at: usize, names: &Names<'_>) -> Option<(String, usize)> {
        let rest = &source[at..];
        let before = source[..at].chars().next_back().unwrap_or(' ');
        let first = rest.chars().next()?;
        match first {
            '<' => angle(rest, names).map(|(text, person, length)| {
                self.people.extend(person);
                (text, length)
            }),
            '{' if is_slot_like(rest) => Some(("(".to_owned(), 1)),
            '@' if !before.is_alphanumeric() => {
                let (person, length) = call(&rest[1..], names)?;
                self.people.insert(person);
                Some((format!("{{{}}}", names.people[person].slot), length + 1))
            }
            _ if before.is_alphanumeric() => None,
            _ => address(rest).or_else(|| {
                let ticket = names
                    .tickets
                    .iter()
                    .find(|ticket| key_at(source, &ticket.key, at) == Some(at))?;
                Some((format!("{{{}}}", ticket.slot), ticket.key.len()))
            }),
        }
    }

    fn copy(&mut self, source: &str, range: Range<usize>) {
        if !range.is_empty() {
            self.push(&source[range.clone()], range, true);
        }
    }

    fn push(&mut self, text: &str, source: Range<usize>, is_same: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push(Piece {
            text: start..self.text.len(),
            source,
            is_same,
        });
    }
}

/// Returns the source's range behind a range of the prompt's text; replaced words count as a whole.
pub(super) fn source_range(pieces: &[Piece], range: Range<usize>) -> Range<usize> {
    let start = pieces
        .iter()
        .find(|piece| piece.text.end > range.start)
        .map_or(0, |piece| match piece.is_same {
            true => piece.source.start + range.start.saturating_sub(piece.text.start),
            false => piece.source.start,
        });
    let end = pieces
        .iter()
        .rfind(|piece| piece.text.start < range.end)
        .map_or(start, |piece| match piece.is_same {
            true => piece.source.start + range.end.min(piece.text.end) - piece.text.start,
            false => piece.source.end,
        });
    start..end.max(start)
}

/// Returns where a ticket's key stands as a word of its own, from a position on.
pub(super) fn key_at(text: &str, key: &str, from: usize) -> Option<usize> {
    if key.is_empty() {
        return None;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text[from..]
        .match_indices(key)
        .map(|(at, _)| from + at)
        .find(|at| {
            let before = text[..*at].chars().next_back().unwrap_or(' ');
            let after = text[at + key.len()..].chars().next().unwrap_or(' ');
            let is_bare_number = key.bytes().all(|byte| byte.is_ascii_digit());
            !is_word(before)
                && !is_word(after)
                && (!is_bare_number || before == '#')
                && !matches!(before, '/' | '-')
                && after != '-'
        })
}

/// Returns whether a brace begins what a check would take for a slot.
fn is_slot_like(rest: &str) -> bool {
    let mut chars = rest[1..].trim_start().chars();
    matches!(chars.next(), Some('p' | 't' | 'P' | 'T'))
        && chars.next().is_some_and(|c| c.is_ascii_digit())
}

/// Returns what an angle-bracketed token becomes, the person it calls, and its length.
fn angle(rest: &str, names: &Names<'_>) -> Option<(String, Option<usize>, usize)> {
    let end = rest.find('>')?;
    let inner = &rest[1..end];
    let (target, label) = inner.split_once('|').unwrap_or((inner, ""));
    let length = end + 1;
    if let Some(account) = target.strip_prefix('@') {
        let person = names.called(account).or_else(|| names.called(label));
        let text = match person {
            Some(person) => format!("{{{}}}", names.people[person].slot),
            None => "somebody".to_owned(),
        };
        return Some((text, person, length));
    }
    if target.starts_with('!') {
        return Some(("everyone".to_owned(), None, length));
    }
    if target.starts_with('#') && !target.contains(' ') {
        let name = if label.is_empty() {
            &target[1..]
        } else {
            label
        };
        return Some((format!("channel {name}"), None, length));
    }
    let (link, _) = address(target)?;
    let text = if label.is_empty() {
        link
    } else {
        format!("{label} {link}")
    };
    Some((text, None, length))
}

/// Returns the person called right behind an `@`, and how many bytes their name takes.
fn call(rest: &str, names: &Names<'_>) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let word_end = |from: usize| {
        from + rest[from..]
            .find(|c: char| !is_part(c))
            .unwrap_or(rest.len() - from)
    };
    let first = word_end(0);
    // "@Ana Vale" before "@Ana".
    if rest[first..].starts_with(' ') {
        let second = word_end(first + 1);
        if second > first + 1
            && let Some(person) = names.called(rest[..second].trim_end_matches(['.', '-']))
            && names.people[person]
                .aliases
                .contains(&rest[..second].trim_end_matches(['.', '-']).to_lowercase())
        {
            return Some((person, rest[..second].trim_end_matches(['.', '-']).len()));
        }
    }
    let name = rest[..first].trim_end_matches(['.', '-']);
    (!name.is_empty())
        .then(|| names.called(name).map(|person| (person, name.len())))
        .flatten()
}

/// Returns an address that begins here as `[link: host]`, and its length.
fn address(rest: &str) -> Option<(String, usize)> {
    let start = ["https://", "http://", "ftp://", "www.", "mailto:"]
        .into_iter()
        .find(|start| {
            rest.get(..start.len())
                .is_some_and(|piece| piece.eq_ignore_ascii_case(start))
        })?;
    let stop =
        |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|' | ')' | ']' | '}');
    let length = rest.find(stop).unwrap_or(rest.len());
    let length = rest[..length]
        .trim_end_matches(['.', ',', ';', ':', '!', '?', '\''])
        .len();
    if length <= start.len() {
        return None;
    }
    if start == "mailto:" {
        return Some(("[mail address]".to_owned(), length));
    }
    let from = if start == "www." { 0 } else { start.len() };
    let host = rest[from..length]
        .split(['/', '?', '#', ':'])
        .next()
        .unwrap_or("");
    let host = host.rsplit('@').next().unwrap_or(host);
    Some((format!("[link: {host}]"), length))
}
