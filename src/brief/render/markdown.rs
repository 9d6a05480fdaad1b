//! A briefing as Markdown, for files and for systems that read it.
//!
//! Text from outside is escaped as a whole: whatever it holds, a viewer shows its characters and nothing happens.

use jiff::Timestamp;

use super::here::Here;
use super::links::web_address;
use super::names::{chips, title_of};
use super::{parts, phrases, plain};
use crate::model::{Briefing, BriefingItem, Citation, ItemKind, Member, ThreadRef, Waiting};

/// Returns a briefing as Markdown, for a reader who is at `now`.
pub fn markdown(briefing: &Briefing, member: &Member, now: Timestamp) -> String {
    let here = Here::new(&member.time_zone, now);
    let mut blocks = Vec::new();
    if briefing.is_quiet() {
        blocks.push(here.quiet(briefing));
        blocks.extend(briefing.gaps.iter().map(|gap| escape(&phrases::gap(gap))));
        return blocks.join("\n\n") + "\n";
    }
    blocks.push(format!("# {}", inline(&here.greeting(briefing, member))));
    blocks.push(escape(&here.place(briefing)));
    if !plain(&briefing.headline).is_empty() {
        blocks.push(format!("**{}**", inline(&phrases::headline(briefing))));
    }
    for (section, items) in parts::sections(briefing) {
        blocks.push(format!("## {}", title_of(section)));
        let items: Vec<String> = items
            .into_iter()
            .map(|(number, item)| item_of(number, item, &here))
            .collect();
        blocks.push(items.join("\n"));
    }
    if !briefing.waiting.is_empty() {
        blocks.push("## You wait for".to_owned());
        let waiting: Vec<String> = briefing
            .waiting
            .iter()
            .map(|waiting| waiting_of(waiting, &here))
            .collect();
        blocks.push(waiting.join("\n"));
    }
    blocks.push("---".to_owned());
    blocks.extend(also_of(briefing));
    blocks.extend(briefing.gaps.iter().map(|gap| escape(&phrases::gap(gap))));
    blocks.extend(phrases::covered(&briefing.covered));
    blocks.push(phrases::provenance(briefing));
    blocks.join("\n\n") + "\n"
}

fn item_of(number: usize, item: &BriefingItem, here: &Here) -> String {
    let lead = format!("{number}. ");
    let indent = " ".repeat(lead.len());
    let label = parts::label(item).map(|thread| format!("**{}** ", label_of(thread)));
    let headline = if label.is_some() {
        inline(&item.headline)
    } else {
        escape(&item.headline)
    };
    let mut parts = vec![headline];
    let facts = facts_of(item);
    match item.kind {
        // Where the change is the news it comes first.
        ItemKind::StatusChange | ItemKind::Due | ItemKind::Stale if label.is_some() => {
            parts.insert(0, facts)
        }
        _ => parts.push(facts),
    }
    parts.retain(|part| !part.is_empty());
    let mut text = format!("{lead}{}{}", label.unwrap_or_default(), parts.join(" · "));
    let chips = chips(item).join(" · ");
    if !chips.is_empty() {
        text.push_str(&format!(" — *{chips}*"));
    }
    let mut details = Vec::new();
    details.extend(
        here.answer_by(item)
            .map(|answer_by| format!("**{}**", inline(&answer_by))),
    );
    details.extend(Some(escape(&item.summary)).filter(|summary| !summary.is_empty()));
    details.extend(parts::quotes(item).map(|citation| quote_of(citation, here)));
    for detail in details {
        text.push_str(&format!("\n{indent}- {detail}"));
    }
    text
}

/// Returns the facts of a line; on a line about several places each place is a link.
fn facts_of(item: &BriefingItem) -> String {
    let facts = parts::facts(item)
        .into_iter()
        .map(|(thread, words)| match thread {
            Some(thread) if words.is_empty() => label_of(thread),
            Some(thread) => format!("{} {}", label_of(thread), inline(words)),
            None => escape(words),
        });
    facts.collect::<Vec<_>>().join(" · ")
}

fn quote_of(citation: &Citation, here: &Here) -> String {
    let author = phrases::author(citation).map(|author| format!("{}, ", escape(&author)));
    let when = link(&here.when(citation.at), &citation.url);
    format!(
        "{}{when}: {}",
        author.unwrap_or_default(),
        inline(&phrases::quoted(citation))
    )
}

fn waiting_of(waiting: &Waiting, here: &Here) -> String {
    let (who, since, age) = here.waiting(waiting);
    let since = link(&since, &waiting.citation.url);
    let mut text = format!(
        "- **{}** {} since {since} · {age}",
        label_of(&waiting.thread),
        inline(&who)
    );
    if !waiting.citation.quote.trim().is_empty() {
        text.push_str(&format!(
            " · {}",
            inline(&phrases::quoted(&waiting.citation))
        ));
    }
    text
}

fn also_of(briefing: &Briefing) -> Option<String> {
    let (named, more) = parts::also(briefing);
    let times = |times| {
        if times > 1 {
            format!(" ×{times}")
        } else {
            String::new()
        }
    };
    let named: Vec<String> = named
        .into_iter()
        .map(|(thread, count)| format!("{}{}", label_of(thread), times(count)))
        .collect();
    match (named.is_empty(), more) {
        (true, 0) => None,
        (true, more) => Some(format!(
            "also moved: {}",
            phrases::count(more, "thread", "threads")
        )),
        (false, 0) => Some(format!("also moved: {}", named.join(", "))),
        (false, more) => Some(format!("also moved: {}; {more} more", named.join(", "))),
    }
}

fn label_of(thread: &ThreadRef) -> String {
    link(&phrases::name_of(thread), &thread.url)
}

/// Returns a link, or the words alone when nobody may follow the address.
fn link(words: &str, url: &str) -> String {
    match web_address(url) {
        // A destination may hold character references, and "&copy;" would become one.
        Some(address) => format!("[{}]({})", inline(words), address.replace('&', "&amp;")),
        None => escape(words),
    }
}

/// Returns text from outside so that a viewer shows it letter by letter, wherever it stands in a line: no link, picture, HTML,
/// mention, heading or formula.
pub fn escape(text: &str) -> String {
    let text = plain(text);
    // At its start a text may open a block: "# ", "- ", "1. ".
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match text[digits..].chars().next() {
        Some('#' | '-' | '+' | '=' | ':') if digits == 0 => format!("\\{}", inline(&text)),
        Some('.' | ')') if digits > 0 => {
            format!("{}\\{}", &text[..digits], inline(&text[digits..]))
        }
        _ => inline(&text),
    }
}

/// Does the same for text that does not stand at the start of a line.
fn inline(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`'
                | '*'
                | '_'
                | '['
                | ']'
                | '{'
                | '}'
                | '<'
                | '>'
                | '&'
                | '|'
                | '~'
                | '$'
                | '^'
        ) {
            out.push('\\');
        }
        out.push(c);
        if c == '@' {
            // A word joiner, seen by nobody, keeps a viewer from taking a name for a mention or a mail address.
            out.push('\u{2060}');
        }
    }
    out
}
