//! A briefing as Slack messages: `rich_text` blocks of structured elements only.
//!
//! Slack reads no markup in a structured element, so text from outside stays text: it makes no link, no mention and no
//! emphasis. What is longer than one message goes on in its thread.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::here::Here;
use super::links::web_address;
use super::names::{chip, chips, title_of};
use super::{parts, phrases, plain};
use crate::ask::Answer;
use crate::brief::standing::Standing;
use crate::brief::steer::Said;
use crate::brief::words::ABOUT;
use crate::connectors::slack::dm::Post;
use crate::model::suggestion::Offer;
use crate::model::{Briefing, BriefingItem, Citation, ItemKind, Member, ThreadRef, Waiting};

mod buttons;
mod fit;
mod offers;

pub use buttons::{WHY, buttons, line_of_id};
use fit::into_messages;
pub use offers::{Pressed, offer, place_of_id};

/// The most characters of a message. Slack takes some 13,200 of them in all blocks together.
pub const MAX_CHARS: usize = 12_000;
/// The most blocks of a message.
pub const MAX_BLOCKS: usize = 50;
/// The most characters of one text.
const MAX_TEXT: usize = 1_500;

/// How a text stands out.
#[derive(Clone, Copy, PartialEq)]
enum Weight {
    Plain,
    Bold,
    Italic,
}

/// A line being written: the elements of a `rich_text_section`.
#[derive(Default)]
struct Line(Vec<Value>);

impl Line {
    fn text(mut self, text: &str, weight: Weight) -> Line {
        let text = cut(text);
        if !text.is_empty() {
            self.0
                .push(styled(json!({ "type": "text", "text": text }), weight));
        }
        self
    }

    /// Adds a link, or the words alone when nobody may follow the address.
    fn link(self, words: &str, url: &str, weight: Weight) -> Line {
        let (words, address) = (cut(words), web_address(url));
        match address {
            Some(address) if !words.is_empty() => {
                let mut line = self;
                let link = json!({ "type": "link", "url": address, "text": words });
                line.0.push(styled(link, weight));
                line
            }
            _ => self.text(&words, weight),
        }
    }

    fn thread(self, thread: &ThreadRef, weight: Weight) -> Line {
        self.link(&phrases::name_of(thread), &thread.url, weight)
    }

    fn section(self) -> Option<Value> {
        (!self.0.is_empty()).then(|| json!({ "type": "rich_text_section", "elements": self.0 }))
    }
}

/// Returns a briefing as messages, for a reader who is at `now`: the first one, and what goes into its thread.
///
/// `is_first` says that the reader never had one, so that it begins with what it is.
pub fn slack(briefing: &Briefing, member: &Member, now: Timestamp, is_first: bool) -> Vec<Post> {
    slack_with_buttons(briefing, member, now, is_first, None, &[])
}

/// Returns a briefing as messages like [`slack`], with a row of buttons below each line when there is a key for them,
/// and one for each ticket that something is offered for.
pub fn slack_with_buttons(
    briefing: &Briefing,
    member: &Member,
    now: Timestamp,
    is_first: bool,
    key: Option<&str>,
    offers: &[Offer],
) -> Vec<Post> {
    let here = Here::new(&member.time_zone, now);
    let mut blocks = Vec::new();
    if is_first {
        blocks.extend(introduction());
    }
    if briefing.is_quiet() {
        blocks.extend(block(vec![
            Line::default()
                .text(&here.quiet(briefing), Weight::Plain)
                .section(),
        ]));
        blocks.extend(block(briefing.gaps.iter().map(gap_of).collect()));
    } else {
        blocks.extend(head(briefing, member, &here));
        for (section, items) in parts::sections(briefing) {
            let title = Line::default().text(title_of(section), Weight::Bold);
            blocks.extend(block(vec![title.section()]));
            for (number, item) in items {
                let Some(item) = item_of(number, item, &here) else {
                    continue;
                };
                blocks.push(item);
                if let Some(key) = key {
                    blocks.push(buttons(key, number, Said::default()));
                    let own = offers.iter().filter(|offer| offer.at.0 == number);
                    blocks.extend(own.flat_map(|own| offer(key, own)));
                }
            }
        }
        blocks.extend(waiting(briefing, &here));
        blocks.extend(foot(briefing));
    }
    let notice = if briefing.is_quiet() || plain(&briefing.headline).is_empty() {
        here.quiet(briefing)
    } else {
        briefing.headline.clone()
    };
    into_messages(blocks, &escape(&notice))
}

/// Returns a message that was sent as it is to stand now. What it shows is made from what is stored, so that the order of
/// presses, or one on an old picture of it, undoes nothing.
pub fn as_it_stands(message: Value, key: &str, now: &Standing) -> Value {
    let message = buttons::with_marks(message, key, &now.said);
    offers::with_offers(message, key, &now.offers)
}

/// Says what this is, what it reads, who sees it and how to stop it.
fn introduction() -> Option<Value> {
    let lines = [
        "This is daybrief: one short message at the start of each of your work days, with a link to the source in every line.",
        "It reads the channels it was invited to and the other places your team has set up for it. Only you see this message, and it shows only what you may read there yourself.",
        "To stop it, write stop here; start brings it back.",
    ];
    let lines = lines.map(|line| Line::default().text(line, Weight::Italic).section());
    block(vec![bullets(lines.to_vec())])
}

/// Returns why a line stands where it stands, and what it rests on.
pub fn why(line: usize, item: &BriefingItem, member: &Member, now: Timestamp) -> Post {
    let here = Here::new(&member.time_zone, now);
    let reasons: Vec<String> = item
        .reasons
        .iter()
        .map(|reason| chip(reason).into_owned())
        .collect();
    let head = Line::default()
        .text(&format!("Line {line}: "), Weight::Bold)
        .text(&reasons.join(" · "), Weight::Plain)
        .text(&format!(" · rank {:.2}", item.score), Weight::Italic);
    let sources = item.citations.iter().map(|citation| {
        let author = phrases::author(citation).map(|author| format!("{author}, "));
        let line = Line::default()
            .text(&author.unwrap_or_default(), Weight::Plain)
            .link(&here.when(citation.at), &citation.url, Weight::Plain);
        if citation.quote.trim().is_empty() {
            return line.section();
        }
        line.text(&format!(": {}", phrases::quoted(citation)), Weight::Plain)
            .section()
    });
    let blocks = block(vec![head.section(), bullets(sources.collect())]);
    Post {
        text: format!("Why line {line}"),
        blocks: blocks.into_iter().collect(),
    }
}

/// Returns an answer to a question: words that passed the checks, if there are some, and the quotes with their links.
pub fn answer(found: &Answer, member: &Member, now: Timestamp) -> Post {
    if found.quotes.is_empty() {
        return words("Not found in your sources.");
    }
    let here = Here::new(&member.time_zone, now);
    let worded = found.words.iter().map(|words| {
        let about = if words.is_about { ABOUT } else { "" };
        let numbers: Vec<String> = words.quotes.iter().map(usize::to_string).collect();
        let text = format!("{about}{} [{}]\n", plain(&words.text), numbers.join(", "));
        Line::default().text(&text, Weight::Plain).section()
    });
    let quotes = (1..).zip(&found.quotes).map(|(number, quote)| {
        let author = quote.author.as_deref().unwrap_or("somebody");
        let more = if quote.is_cut { "…" } else { "" };
        Line::default()
            .text(&format!("{number}. "), Weight::Plain)
            .link(&plain(&quote.label), &quote.url, Weight::Bold)
            .text(
                &format!(
                    " {}, {}: “{}{more}”\n",
                    plain(author),
                    here.when(quote.at),
                    plain(&quote.quote)
                ),
                Weight::Plain,
            )
            .section()
    });
    let blocks = block(worded.chain(quotes).collect());
    Post {
        text: "An answer from your sources".to_owned(),
        blocks: blocks.into_iter().collect(),
    }
}

/// Returns a few words of our own as a message.
pub fn words(text: &str) -> Post {
    Post {
        text: escape(text),
        blocks: block(vec![Line::default().text(text, Weight::Plain).section()])
            .into_iter()
            .collect(),
    }
}

fn head(briefing: &Briefing, member: &Member, here: &Here) -> Option<Value> {
    let greeting = Line::default()
        .text(&here.greeting(briefing, member), Weight::Bold)
        .text(&format!(" · {}", here.place(briefing)), Weight::Plain);
    let headline = phrases::headline(briefing);
    let headline = (!headline.is_empty()).then(|| format!("\n{headline}"));
    let line = match headline {
        Some(headline) => greeting.text(&headline, Weight::Bold),
        None => greeting,
    };
    block(vec![line.section()])
}

fn item_of(number: usize, item: &BriefingItem, here: &Here) -> Option<Value> {
    let label = parts::label(item);
    let mut line = Line::default().text(&format!("{number}. "), Weight::Plain);
    if let Some(thread) = label {
        line = line.thread(thread, Weight::Bold).text(" ", Weight::Plain);
    }
    let headline = plain(&item.headline).into_owned();
    let is_change = matches!(
        item.kind,
        ItemKind::StatusChange | ItemKind::Due | ItemKind::Stale
    );
    let facts = parts::facts(item);
    // Where the change is the news it comes first.
    let is_facts_first = is_change && label.is_some();
    if !is_facts_first {
        line = line.text(&headline, Weight::Plain);
    }
    let mut is_open = !is_facts_first && !headline.is_empty();
    for (thread, words) in facts {
        let words = plain(words);
        if thread.is_none() && words.is_empty() {
            continue;
        }
        line = if is_open {
            line.text(" · ", Weight::Plain)
        } else {
            line
        };
        if let Some(thread) = thread {
            line = line.thread(thread, Weight::Plain);
        }
        let space = if thread.is_some() && !words.is_empty() {
            " "
        } else {
            ""
        };
        line = line.text(&format!("{space}{words}"), Weight::Plain);
        is_open = true;
    }
    if is_facts_first && !headline.is_empty() {
        line = line.text(
            &format!("{}{headline}", if is_open { " · " } else { "" }),
            Weight::Plain,
        );
    }
    let chips = chips(item).join(" · ");
    if !chips.is_empty() {
        line = line.text(&format!(" — {chips}"), Weight::Italic);
    }
    let mut details = Vec::new();
    let answer_by = here.answer_by(item);
    details.extend(answer_by.map(|words| Line::default().text(&words, Weight::Bold)));
    let summary = plain(&item.summary);
    details.extend((!summary.is_empty()).then(|| Line::default().text(&summary, Weight::Plain)));
    details.extend(parts::quotes(item).map(|citation| quote_of(citation, here)));
    let details = details.into_iter().map(Line::section).collect();
    block(vec![line.section(), bullets(details)])
}

fn quote_of(citation: &Citation, here: &Here) -> Line {
    let author = phrases::author(citation).map(|author| format!("{author}, "));
    Line::default()
        .text(&author.unwrap_or_default(), Weight::Plain)
        .link(&here.when(citation.at), &citation.url, Weight::Plain)
        .text(&format!(": {}", phrases::quoted(citation)), Weight::Plain)
}

fn waiting(briefing: &Briefing, here: &Here) -> Vec<Value> {
    if briefing.waiting.is_empty() {
        return Vec::new();
    }
    let lines = briefing
        .waiting
        .iter()
        .map(|waiting| waiting_of(waiting, here).section());
    let title = Line::default().text("You wait for", Weight::Bold);
    block(vec![title.section(), bullets(lines.collect())])
        .into_iter()
        .collect()
}

fn waiting_of(waiting: &Waiting, here: &Here) -> Line {
    let (who, since, age) = here.waiting(waiting);
    let line = Line::default()
        .thread(&waiting.thread, Weight::Bold)
        .text(&format!(" {who} since "), Weight::Plain)
        .link(&since, &waiting.citation.url, Weight::Plain)
        .text(&format!(" · {age}"), Weight::Plain);
    if waiting.citation.quote.trim().is_empty() {
        return line;
    }
    line.text(
        &format!(" · {}", phrases::quoted(&waiting.citation)),
        Weight::Plain,
    )
}

fn foot(briefing: &Briefing) -> Option<Value> {
    let mut lines = vec![also_of(briefing)];
    lines.extend(briefing.gaps.iter().map(gap_of));
    let mut told: Vec<String> = phrases::covered(&briefing.covered).into_iter().collect();
    told.push(phrases::provenance(briefing));
    lines.push(
        Line::default()
            .text(&told.join(" · "), Weight::Italic)
            .section(),
    );
    let lines: Vec<Value> = lines.into_iter().flatten().collect();
    // Sections of one block run on without a break between them.
    let mut elements: Vec<Value> = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        if at > 0 {
            elements.extend(Line::default().text("\n", Weight::Plain).section());
        }
        elements.push(line);
    }
    block(elements.into_iter().map(Some).collect())
}

fn also_of(briefing: &Briefing) -> Option<Value> {
    let (named, more) = parts::also(briefing);
    if named.is_empty() {
        let more = (more > 0).then(|| phrases::count(more, "thread", "threads"))?;
        return Line::default()
            .text(&format!("also moved: {more}"), Weight::Plain)
            .section();
    }
    let mut line = Line::default().text("also moved: ", Weight::Plain);
    for (at, (thread, times)) in named.into_iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        line = line
            .text(comma, Weight::Plain)
            .thread(thread, Weight::Plain);
        if times > 1 {
            line = line.text(&format!(" ×{times}"), Weight::Plain);
        }
    }
    if more > 0 {
        line = line.text(&format!("; {more} more"), Weight::Plain);
    }
    line.section()
}

fn gap_of(gap: &crate::model::Gap) -> Option<Value> {
    Line::default()
        .text(&phrases::gap(gap), Weight::Plain)
        .section()
}

fn block(elements: Vec<Option<Value>>) -> Option<Value> {
    let elements: Vec<Value> = elements.into_iter().flatten().collect();
    (!elements.is_empty()).then(|| json!({ "type": "rich_text", "elements": elements }))
}

fn bullets(lines: Vec<Option<Value>>) -> Option<Value> {
    let lines: Vec<Value> = lines.into_iter().flatten().collect();
    (!lines.is_empty())
        .then(|| json!({ "type": "rich_text_list", "style": "bullet", "elements": lines }))
}

fn styled(mut element: Value, weight: Weight) -> Value {
    match weight {
        Weight::Plain => {}
        Weight::Bold => element["style"] = json!({ "bold": true }),
        Weight::Italic => element["style"] = json!({ "italic": true }),
    }
    element
}

/// Returns a text of a length that one element may have.
fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT {
        return text.to_owned();
    }
    text.chars()
        .take(MAX_TEXT)
        .chain(std::iter::once('…'))
        .collect()
}

/// Returns text for a notification, where Slack does read markup.
fn escape(text: &str) -> String {
    cut(&plain(text))
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
