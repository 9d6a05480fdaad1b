//! The sentences a line shows, word for word, and where they were said.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::brief::rank::{Ranked, Reader};
use crate::model::{Citation, Logged};
use crate::roster::Roster;
use crate::text::{first_good_sentence, quote};

pub(super) type Quoted<'a> = (&'a Logged, String, bool);

/// Returns the sentences a line shows, the ones that matter first, shown in the order they were said.
pub(super) fn quotes_of<'a>(
    ranked: &'a Ranked<'_>,
    reader: &Reader<'_>,
    most: usize,
    words: usize,
) -> Vec<Quoted<'a>> {
    let news = &ranked.news;
    let mut chosen: Vec<(&Logged, Range<usize>)> = Vec::new();
    let mut add = |logged: &'a Logged, range: Option<Range<usize>>| {
        let is_new = !chosen.iter().any(|(other, _)| other.seq == logged.seq);
        if chosen.len() < most && is_new && logged.event.kind.is_said() {
            chosen.extend(
                range
                    .or_else(|| first_good_sentence(&logged.event.text.0))
                    .map(|range| (logged, range)),
            );
        }
    };
    for ask in &news.asks {
        if let Some(logged) = news
            .topic
            .events
            .iter()
            .find(|logged| logged.seq == ask.seq)
        {
            add(logged, Some(ask.sentence.clone()));
        }
    }
    for logged in news.mentions.iter().chain(&news.old_mentions) {
        add(logged, sentence_naming(logged));
    }
    for logged in &news.put_off {
        add(logged, None);
    }
    for (logged, sentence) in news.decisions.iter().chain(&news.blockers) {
        add(logged, Some(sentence.clone()));
    }
    let mut authors = BTreeSet::new();
    for logged in news
        .new
        .iter()
        .rev()
        .filter(|logged| authors.insert(logged.event.author.clone()))
    {
        add(logged, None);
    }
    chosen.sort_by_key(|(logged, _)| (logged.event.occurred_at, logged.seq));
    chosen
        .into_iter()
        .map(|(logged, range)| {
            let text = &logged.event.text.0;
            let called = logged.event.mentions.iter();
            let names: Vec<String> = called
                .flat_map(|handle| reader.roster.names_of(handle))
                .collect();
            let quoted = quote(text, said_in(text, range, &names, words), words);
            (logged, quoted.text, quoted.is_cut)
        })
        .filter(|(_, words, _)| !words.is_empty())
        .collect()
}

/// Returns the sentence of a message that names somebody with an `@`, if one does.
fn sentence_naming(logged: &Logged) -> Option<Range<usize>> {
    let text = &logged.event.text.0;
    crate::text::sentences(text)
        .into_iter()
        .map(|sentence| sentence.range)
        .find(|range| {
            text.get(range.clone())
                .is_some_and(|piece| piece.contains('@'))
        })
}

/// Returns the part of a sentence without the names it calls: a source may write them otherwise than we do
/// (`<@U024>`), and a quote is what stands there word for word. A name within many words that are shown stays.
pub(super) fn said_in(
    text: &str,
    range: Range<usize>,
    names: &[String],
    shown: usize,
) -> Range<usize> {
    let Some(sentence) = text.get(range.clone()) else {
        return range;
    };
    let words = sentence.split_whitespace().count().min(shown);
    let called = sentence
        .split_whitespace()
        .take(shown)
        .filter(|word| is_call(word))
        .count();
    let calls: Vec<Range<usize>> = sentence
        .split_whitespace()
        .filter(|word| is_call(word))
        .map(|word| {
            let start = word.as_ptr() as usize - sentence.as_ptr() as usize;
            // A name may be of several words: `@Ana Lopez`.
            let long = names.iter().filter(|name| name.contains(' '));
            let long = long.filter_map(|name| {
                let end = start + 1 + name.len();
                let is_it = sentence.get(start + 1..end)?.eq_ignore_ascii_case(name);
                is_it.then_some(end)
            });
            start..long.max().unwrap_or(0).max(start + word.len())
        })
        .collect();
    let is_leading = calls.first().is_some_and(|call| call.start == 0);
    if calls.is_empty() || (!is_leading && words > 16 * called) {
        return range;
    }
    // The longest piece between two names.
    let ends = calls.iter().map(|call| call.start).chain([sentence.len()]);
    let starts = [0].into_iter().chain(calls.iter().map(|call| call.end));
    let longest = starts
        .zip(ends)
        .filter(|(start, end)| start <= end)
        .max_by_key(|(start, end)| end - start)
        .unwrap_or((0, sentence.len()));
    let piece = &sentence[longest.0..longest.1];
    let from = longest.0 + piece.len()
        - piece
            .trim_start_matches(|c: char| c.is_whitespace() || ",:;-–.".contains(c))
            .len();
    range.start + from..range.start + longest.1
}

/// Returns whether a word calls somebody by name, within brackets or not.
fn is_call(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '@');
    word.len() > 1 && word.starts_with('@')
}

/// Returns a citation of an event.
pub fn citation_of(logged: &Logged, words: String, reader: &Reader<'_>) -> Citation {
    let is_own = logged
        .event
        .author
        .as_ref()
        .is_some_and(|author| reader.member.owns(author));
    if is_own {
        return cite(logged, words, reader.roster);
    }
    citation_by(logged, words, reader.roster)
}

/// Returns a citation of an event, with everybody's names from the roster. Who does not want to be quoted is named and
/// linked, without their words.
pub fn citation_by(logged: &Logged, words: String, roster: &Roster) -> Citation {
    let author = logged.event.author.as_ref();
    let member = author.and_then(|author| roster.member_of(author));
    let words = match member {
        Some(member) if !member.is_quoted => String::new(),
        _ => words,
    };
    cite(logged, words, roster)
}

fn cite(logged: &Logged, words: String, roster: &Roster) -> Citation {
    Citation {
        event: logged.event.id.clone(),
        at: logged.event.occurred_at,
        author: logged
            .event
            .author
            .as_ref()
            .map(|author| roster.name_of(author)),
        url: logged.event.url.clone(),
        quote: words,
        is_cut: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_called_are_not_part_of_a_short_quote() {
        let check = |text: &str, shown: usize, expected: &str| {
            let names = ["Cy van Dam".to_owned(), "Ed @sea".to_owned()];
            let quoted = quote(text, said_in(text, 0..text.len(), &names, shown), shown);
            assert_eq!(quoted.text, expected, "{text:?}");
        };
        check("@ana, can you look?", 9, "can you look?");
        check("@cy van Dam, you too?", 9, "you too?");
        check("@Ed @sea, and you?", 9, "and you?");
        check("this is for (@ana and @bo) I think", 9, "this is for");
        let long = "Thanks, @ana & @bo - I never want to give anybody the wrong idea about how soon I need all of this";
        check(long, 8, "I never want to give anybody the wrong");
        let far = "I never want to give anybody the wrong idea about how soon I need all of this, so do ask @ana";
        check(far, 6, "I never want to give anybody");
    }
}
