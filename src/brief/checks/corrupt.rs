//! Summaries made wrong on purpose, one way at a time, to see which check notices.

use std::collections::BTreeSet;

use super::Checker;
use super::measure::{Row, Summarized, citations_for, digest_from, failed, sentences_of};
use super::soft::Mood;
use crate::brief::digest::Digest;

/// The ways in which sentences are corrupted, in the order of the table.
pub const CORRUPTIONS: [&str; 8] = [
    "true",
    "number changed or date added",
    "name from another thread",
    "two participants swapped",
    "sentence of another thread",
    "state added",
    "\"not\" added",
    "wrong messages cited",
];

/// Checks every sentence of the summaries as it is and corrupted.
pub fn corrupted(threads: &[&Summarized]) -> Vec<(&'static str, Row)> {
    let usable: Vec<(&Summarized, Digest)> = threads
        .iter()
        .filter(|thread| thread.reference_summary.is_some())
        .map(|thread| (*thread, digest_from(thread)))
        .collect();
    let all: Vec<Vec<String>> = usable
        .iter()
        .map(|(thread, _)| sentences_of(thread.reference_summary.as_deref().unwrap_or("")))
        .collect();
    let mut rows = CORRUPTIONS.map(|name| (name, Row::default()));
    let mut dice = Dice(7);
    let first_names: Vec<Vec<String>> = usable
        .iter()
        .map(|(_, digest)| first_names(digest))
        .collect();
    for (at, (_, digest)) in usable.iter().enumerate() {
        let checker = Checker::new(digest);
        for sentence in &all[at] {
            let citations = citations_for(&checker, sentence);
            let mut check = |row: usize, text: &str, citations: Vec<u32>| {
                rows[row].1.add(&failed(&checker, text, citations))
            };
            check(0, sentence, citations.clone());
            check(1, &other_number(sentence, &mut dice), citations.clone());
            let others = &first_names[(at + 1 + dice.below(usable.len() - 1)) % usable.len()];
            if let Some(text) = other_name(sentence, &first_names[at], others, digest, &mut dice) {
                check(2, &text, citations.clone());
            }
            if let Some(text) = swapped(sentence, &first_names[at]) {
                check(3, &text, citations.clone());
            }
            let elsewhere = (at + 1 + dice.below(usable.len() - 1)) % usable.len();
            if !all[elsewhere].is_empty() {
                let foreign = &all[elsewhere][dice.below(all[elsewhere].len())];
                check(4, foreign, citations_for(&checker, foreign));
            }
            let state = ["closed", "approved", "merged", "blocked"][dice.below(4)];
            check(
                5,
                &format!(
                    "{}, and the issue was {state}.",
                    sentence.trim_end_matches('.')
                ),
                citations.clone(),
            );
            if let Some(text) = denied(sentence) {
                check(6, &text, citations.clone());
            }
            let rest: Vec<u32> = digest
                .messages
                .iter()
                .map(|message| message.n)
                .filter(|n| !citations.contains(n))
                .take(3)
                .collect();
            if !rest.is_empty() {
                check(7, sentence, rest);
            }
        }
    }
    rows.into()
}

/// A small generator, so that every run draws the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % most.max(1) as u64) as usize
    }
}

/// Returns the first names of those who wrote.
fn first_names(digest: &Digest) -> Vec<String> {
    let writers: BTreeSet<usize> = digest
        .messages
        .iter()
        .filter_map(|message| message.who)
        .collect();
    writers
        .into_iter()
        .filter_map(|who| {
            let written = digest.people[who]
                .handles
                .first()
                .map_or("", |handle| &*handle.id);
            // "Kay, Michael": the given name is what summaries use.
            let given = written.split_once(',').map_or(written, |(_, given)| given);
            let parts: Vec<&str> = given
                .split(|c: char| !c.is_alphabetic())
                .filter(|part| {
                    part.chars().count() > 2
                        && part.starts_with(char::is_uppercase)
                        && part.chars().any(char::is_lowercase)
                })
                .collect();
            parts.first().map(|part| (*part).to_owned())
        })
        .collect()
}

fn other_number(sentence: &str, dice: &mut Dice) -> String {
    let start = sentence
        .char_indices()
        .find(|(at, c)| c.is_ascii_digit() && !sentence[..*at].ends_with(char::is_alphanumeric))
        .map(|(at, _)| at);
    match start {
        Some(start) => {
            let end = sentence[start..]
                .find(|c: char| !c.is_ascii_digit())
                .map_or(sentence.len(), |at| start + at);
            let value: u64 = sentence[start..end].parse().unwrap_or(3);
            format!(
                "{}{}{}",
                &sentence[..start],
                value.wrapping_add(3 + dice.below(90) as u64),
                &sentence[end..]
            )
        }
        None => {
            let month = [
                "January", "February", "March", "April", "June", "July", "August", "October",
            ][dice.below(8)];
            format!(
                "{} on {} {month}.",
                sentence.trim_end_matches('.'),
                1 + dice.below(28)
            )
        }
    }
}

/// Returns where a name stands in a sentence as a word of its own.
fn name_at(sentence: &str, name: &str) -> Option<std::ops::Range<usize>> {
    sentence
        .match_indices(name)
        .map(|(at, _)| at..at + name.len())
        .find(|range| {
            !sentence[..range.start].ends_with(char::is_alphanumeric)
                && !sentence[range.end..].starts_with(char::is_alphanumeric)
        })
}

fn replaced(sentence: &str, range: std::ops::Range<usize>, with: &str) -> String {
    format!(
        "{}{with}{}",
        &sentence[..range.start],
        &sentence[range.end..]
    )
}

fn other_name(
    sentence: &str,
    own: &[String],
    others: &[String],
    digest: &Digest,
    dice: &mut Dice,
) -> Option<String> {
    let range = own.iter().find_map(|name| name_at(sentence, name))?;
    let strangers: Vec<&String> = others
        .iter()
        .filter(|name| {
            !digest
                .people
                .iter()
                .any(|person| person.aliases.contains(&name.to_lowercase()))
        })
        .collect();
    let stranger = strangers.get(dice.below(strangers.len()))?;
    Some(replaced(sentence, range, stranger))
}

fn swapped(sentence: &str, own: &[String]) -> Option<String> {
    let found: Vec<(&String, std::ops::Range<usize>)> = own
        .iter()
        .filter_map(|name| Some((name, name_at(sentence, name)?)))
        .collect();
    let [(first, a), (second, b), ..] = found.as_slice() else {
        return None;
    };
    if first == second || a.start < b.end && b.start < a.end {
        return None;
    }
    let ((early, a), (late, b)) = if a.start < b.start {
        ((first, a), (second, b))
    } else {
        ((second, b), (first, a))
    };
    Some(format!(
        "{}{late}{}{early}{}",
        &sentence[..a.start],
        &sentence[a.end..b.start],
        &sentence[b.end..]
    ))
}

fn denied(sentence: &str) -> Option<String> {
    let words = [
        " is ", " are ", " was ", " were ", " should ", " would ", " could ", " can ", " will ",
        " has ", " does ",
    ];
    if Mood::of(sentence).denies() {
        return None;
    }
    let (at, word) = words
        .iter()
        .filter_map(|word| Some((sentence.find(word)?, word)))
        .min()?;
    Some(format!(
        "{}{word}not {}",
        &sentence[..at],
        &sentence[at + word.len()..]
    ))
}
