//! A line in another language than its reader reads gets a translation beside it; the original stays.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::Connection;

use super::Writing;
use super::line::does_something;
use super::request::{Job, SourceKind, key_of_text};
use crate::brief::render::plain;
use crate::llm::orders::gives_orders;
use crate::model::{BriefingItem, Wording};
use crate::store::night::Night;
use crate::store::words::words_of;
use crate::text::language::{foreign_to, language_of, name_of};

/// Puts the translation on a line if it is in the cache; returns what to ask for otherwise.
pub fn put_on(
    c: &Connection,
    item: &mut BriefingItem,
    night: &Night,
    writing: &Writing<'_>,
) -> Result<Option<Job>> {
    let languages = &writing.member.languages;
    let Some(language) = languages.first().and_then(|code| name_of(code)) else {
        return Ok(None);
    };
    let Some(topic) = super::topic_of(item, night) else {
        return Ok(None);
    };
    // The words if there are some, else the first quote.
    let is_worded = !item.summary.is_empty();
    let original = if is_worded {
        item.summary
            .trim_start_matches(super::apply::ABOUT)
            .to_owned()
    } else {
        let quotes = item.citations.iter().map(|citation| &citation.quote);
        match quotes.into_iter().find(|quote| !quote.is_empty()) {
            Some(quote) => quote.clone(),
            None => return Ok(None),
        }
    };
    // Orders to a model are quoted and that is all.
    if foreign_to(&original, languages).is_none() || gives_orders(&original) {
        return Ok(None);
    }
    let prompt = writing.llm.prompts().get("translation");
    let model = &writing.llm.config().model;
    let key = key_of_text(&original, language, prompt, model);
    let Some(body) = words_of(c, &key)? else {
        return Ok(Some(Job {
            key,
            topic: topic.id,
            prompt: prompt.clone(),
            source: SourceKind::Text {
                text: original,
                language,
            },
        }));
    };
    let found: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let words = found["text"].as_str().unwrap_or_default();
    // What is in the cache is checked again: a row may be older than a rule.
    if !stands(&original, words, language) {
        return Ok(None);
    }
    let code = languages.first().map_or("", String::as_str);
    item.summary = if is_worded {
        format!("{} [{code}: {words}]", item.summary)
    } else {
        format!("[{code}] {words}")
    };
    let wording = item.wording.get_or_insert_with(|| Wording {
        by: model.clone(),
        prompt: String::new(),
        passed: Vec::new(),
        noted: Vec::new(),
        failed: Vec::new(),
        is_shown: false,
    });
    if !wording.is_shown {
        wording.prompt = format!("{}@{}", prompt.name, prompt.hash);
        wording.is_shown = true;
        wording.failed.clear();
    }
    wording.passed.push("translation".into());
    Ok(None)
}

/// Returns whether a text can be the translation of another: one plain line of about its length, with the same numbers and
/// slots, in the language that was asked for, and nothing that does something somewhere.
pub fn stands(original: &str, words: &str, language: &str) -> bool {
    let chars = |text: &str| text.chars().count();
    let fits = chars(words) >= 2 && chars(words) <= chars(original) * 3 + 20 && chars(words) <= 300;
    let is_plain = plain(words) == words && plain(words) == plain(&plain(words));
    let is_language = language_of(words).is_none_or(|code| name_of(code) == Some(language));
    let is_other = words.trim() != original.trim();
    fits && is_plain
        && is_other
        && is_language
        && !does_something(words)
        && parts_of(original) == parts_of(words)
}

/// Returns the numbers of a text, with how often each stands there.
fn parts_of(text: &str) -> BTreeMap<&str, usize> {
    let mut parts = BTreeMap::new();
    let numbers = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| part.chars().any(|c| c.is_ascii_digit()));
    for number in numbers {
        *parts.entry(number).or_default() += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_translation_adds_nothing_and_does_nothing() {
        let original = "Der Import von 412 Buchungen ist seit gestern Mittag fertig.";
        let check = |words: &str, expected: bool| {
            assert_eq!(stands(original, words, "English"), expected, "{words}");
        };
        check(
            "The import of 412 bookings has been finished since yesterday noon.",
            true,
        );
        check(
            "The import of 421 bookings has been finished since yesterday noon.",
            false,
        );
        check(
            "The import of bookings has been finished since yesterday noon.",
            false,
        );
        check("412", true);
        check(original, false);
        check("", false);
        check(
            "L’importation des 412 réservations est terminée depuis hier midi, mais nous devons encore vérifier les adresses de tous les clients avant la semaine prochaine.",
            false,
        );
        for bad in [
            "See https://evil.example",
            "See evil.example",
            "@here",
            "<!here>",
            "[x](y)",
            "`rm`",
            "a\u{202e}b",
            "&#60;b&#62;",
        ] {
            check(&format!("The import of 412 bookings is done. {bad}"), false);
        }
    }
}
