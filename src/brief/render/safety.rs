//! What nobody may make people see: whatever stands in a text from outside, no surface obeys it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::lines::columns;
use super::links::web_address;
use super::plain::is_hidden;
use super::*;
use crate::model::{ItemKind, ThreadRef};

fn text(briefing: &Briefing, screen: Screen) -> String {
    terminal(briefing, &sample::member(), sample::now(), &screen)
}

/// Returns a briefing in which every text from outside is one of these.
fn poisoned(texts: &[String], urls: &[String]) -> Briefing {
    let (mut texts, mut urls) = (texts.iter().cycle().cloned(), urls.iter().cycle().cloned());
    let mut text = move || texts.next().unwrap();
    let mut url = move || urls.next().unwrap();
    let mut briefing = sample::full();
    briefing.items.extend(sample::catch_up().items);
    (briefing.headline, briefing.theme) = (text(), text());
    let mut thread =
        |thread: &mut ThreadRef, label: String| (thread.label, thread.url) = (label, url());
    for item in &mut briefing.items {
        (item.headline, item.facts, item.summary) =
            (text(), format!("{} · {}", text(), text()), text());
        let label = text();
        for one in &mut item.threads {
            let label = if item.kind == ItemKind::StatusChange {
                text()
            } else {
                label.clone()
            };
            thread(one, label);
        }
        item.asker = item.answer_by.map(|_| text());
        for citation in &mut item.citations {
            (citation.author, citation.quote) = (Some(text()), text());
        }
    }
    briefing.also.iter_mut().for_each(|one| thread(one, text()));
    for waiting in &mut briefing.waiting {
        thread(&mut waiting.thread, text());
        (waiting.on, waiting.citation.quote) = (vec![text(), text()], text());
        waiting.instead = text();
    }
    for gap in &mut briefing.gaps {
        (gap.of, gap.reason) = (text(), text());
    }
    briefing
}

fn poison() -> impl Strategy<Value = Briefing> {
    let url = prop_oneof![
        Just("https://team.example/t?a=1&copy;b=2".to_owned()),
        hostile::text().prop_map(|text| format!("https://team.example/{text}")),
        hostile::text()
    ];
    let texts = prop::collection::vec(hostile::text(), 7..12);
    (texts, prop::collection::vec(url, 1..4)).prop_map(|(texts, urls)| poisoned(&texts, &urls))
}

/// Returns the addresses of the daemon's own table that a briefing shows as links, in order.
fn own_links(briefing: &Briefing) -> Vec<String> {
    let mut urls: Vec<&str> = Vec::new();
    for (_, items) in parts::sections(briefing) {
        for (_, item) in items {
            urls.extend(parts::label(item).map(|thread| thread.url.as_str()));
            urls.extend(
                parts::facts(item)
                    .into_iter()
                    .filter_map(|(thread, _)| thread)
                    .map(|thread| thread.url.as_str()),
            );
            urls.extend(parts::quotes(item).map(|citation| citation.url.as_str()));
        }
    }
    urls.extend(
        briefing
            .waiting
            .iter()
            .flat_map(|waiting| [waiting.thread.url.as_str(), &waiting.citation.url]),
    );
    urls.extend(
        parts::also(briefing)
            .0
            .into_iter()
            .map(|(thread, _)| thread.url.as_str()),
    );
    let mut urls: Vec<String> = urls.into_iter().filter_map(web_address).collect();
    urls.sort();
    urls
}

const WORD_JOINER: char = '\u{2060}';

/// Takes our own colours and links out of a text, and returns the addresses; whatever else is an escape stays.
fn stripped(text: &str) -> (String, BTreeSet<String>) {
    let (mut rest, mut out, mut urls) = (text, String::new(), BTreeSet::new());
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(link) = rest.strip_prefix("]8;;") {
            let end = link.find("\u{1b}\\").unwrap();
            assert!(
                link[..end].bytes().all(|byte| byte.is_ascii_graphic()),
                "{link:?}"
            );
            urls.extend(Some(link[..end].to_owned()).filter(|url| !url.is_empty()));
            rest = &link[end + 2..];
        } else {
            let end = rest.find('m').unwrap();
            assert!(
                rest[..end]
                    .chars()
                    .all(|c| matches!(c, '[' | ';' | '0'..='9')),
                "{rest:?}"
            );
            rest = &rest[end + 1..];
        }
    }
    (out + rest, urls)
}

proptest! {
    #[test]
    fn nothing_from_outside_controls_a_terminal(briefing in poison(), width in 30usize..100) {
        let bare = text(&briefing, Screen { width, ..Screen::default() });
        prop_assert!(!bare.chars().any(|c| is_hidden(c) && c != '\n'), "{:?}", bare);
        prop_assert!(!bare.contains("https://"));
        for line in bare.lines() {
            prop_assert!(columns(line) <= width.max(40), "{:?}", line);
        }
        let (dressed, urls) = stripped(&text(&briefing, Screen { width, color: true, links: Links::Inline }));
        let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(lines(&dressed), lines(&bare));
        let own: BTreeSet<String> = own_links(&briefing).into_iter().collect();
        prop_assert!(urls.is_subset(&own), "{:?}", urls);
    }

    #[test]
    fn nothing_from_outside_becomes_markdown(briefing in poison()) {
        let text = markdown(&briefing, &sample::member(), sample::now());
        let (mut links, mut headings, mut items, mut rules) = (Vec::new(), 0, 0, 0);
        for event in Parser::new_ext(&text, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
            match event {
                Event::Start(Tag::Link { dest_url, .. }) => links.push(dest_url.to_string()),
                Event::Start(Tag::Heading { .. }) => headings += 1,
                Event::Start(Tag::Item) => items += 1,
                Event::Rule => rules += 1,
                Event::Start(Tag::Paragraph | Tag::List(_) | Tag::Strong | Tag::Emphasis) | Event::End(_) => {}
                Event::Text(words) => {
                    let addresses = words.match_indices("://").filter(|(at, _)| words[..*at].ends_with(|c: char| c.is_ascii_alphanumeric()));
                    prop_assert_eq!(addresses.count(), 0, "{:?}", words);
                }
                Event::SoftBreak => {}
                other => prop_assert!(false, "{:?} in {}", other, text),
            }
        }
        links.sort();
        prop_assert_eq!(links, own_links(&briefing));
        let sections = parts::sections(&briefing).count();
        prop_assert_eq!((headings, rules), (1 + sections + 1, 1), "{}", text);
        let details: usize = briefing.items.iter().map(|item| {
            parts::quotes(item).count() + usize::from(item.answer_by.is_some()) + usize::from(!plain(&item.summary).is_empty())
        }).sum();
        prop_assert_eq!(items, briefing.items.len() + details + briefing.waiting.len());
        for (at, _) in text.match_indices('@') {
            prop_assert_eq!(text[at + 1..].chars().next(), Some(WORD_JOINER));
        }
        for token in ["![", "<"] {
            for (at, _) in text.match_indices(token) {
                prop_assert!(text[..at].ends_with('\\'), "{}", text);
            }
        }
    }

    #[test]
    fn nothing_from_outside_becomes_html(briefing in poison(), is_large in any::<bool>()) {
        let mut briefing = briefing;
        if is_large {
            let items: Vec<_> = briefing.items.iter().cycle().take(60).cloned().collect();
            briefing.items = items;
        }
        let text = html(&briefing, &sample::member(), sample::now());
        prop_assert!(text.len() <= super::html::MAX_BYTES, "{} bytes", text.len());
        let own = own_links(&briefing);
        let mut links = Vec::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('<') {
            let end = at + rest[at..].find('>').unwrap();
            let tag = &rest[at..=end];
            let name = tag.trim_matches(['<', '>', '/', '!']).split([' ', '>']).next().unwrap();
            const KNOWN: [&str; 13] =
                ["doctype", "html", "head", "meta", "title", "body", "div", "h1", "h2", "b", "span", "a", "hr"];
            prop_assert!(KNOWN.contains(&name), "{}", tag);
            for attribute in ["src=", " on", "url(", "background", "<style", "position"] {
                prop_assert!(!tag.contains(attribute), "{}", tag);
            }
            if let Some(address) = tag.strip_prefix("<a href=\"") {
                links.push(address[..address.find('"').unwrap()].replace("&amp;", "&"));
            }
            rest = &rest[end + 1..];
        }
        prop_assert!(links.iter().all(|link| own.contains(link)), "{:?}", links);
        if !is_large && text.matches('…').count() == 0 {
            links.sort();
            prop_assert_eq!(links, own);
        }
        for (at, _) in text.match_indices('@') {
            prop_assert_eq!(text[at + 1..].chars().next(), Some(WORD_JOINER));
        }
    }

    #[test]
    fn escaped_text_reads_letter_by_letter(outside in hostile::text()) {
        let escaped = format!("- {}", super::markdown::escape(&outside));
        let mut read = String::new();
        for event in Parser::new_ext(&escaped, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
            if let Event::Text(words) = event {
                read.push_str(&words);
            }
        }
        prop_assert_eq!(read.replace(WORD_JOINER, ""), plain(&outside));
    }

    #[test]
    fn json_keeps_every_letter_and_shows_none_that_hides(briefing in poison()) {
        let value = to_json(&briefing);
        let line = json_line(&value);
        prop_assert!(!line.chars().any(is_hidden));
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value.clone());
        prop_assert_eq!(from_json(&value).unwrap(), briefing);
    }
}
