//! A briefing as the HTML of a mail: one column, styles in place, nothing to fetch, small enough that no client cuts it.
//!
//! Colours are such that they can be read on white and on black, and no background is set, so that a client's dark mode
//! has nothing to get wrong. Text from outside is escaped as a whole; the only links are those of the briefing's own
//! threads and citations.

use jiff::Timestamp;

use super::here::Here;
use super::links::web_address;
use super::names::{chips, title_of};
use super::{parts, phrases, plain};
use crate::model::{Briefing, BriefingItem, Citation, ItemKind, Member, ThreadRef, Waiting};

/// A mail's HTML is never larger.
pub const MAX_BYTES: usize = 30_000;
/// How many letters of each text are kept when a briefing is larger than that, the longest that fits.
const CLIPS: [usize; 3] = [400, 160, 60];
/// Where texts are clipped, longer addresses are left out.
const MAX_CLIPPED_ADDRESS: usize = 200;

const BODY: &str = "margin:0 auto;padding:16px;max-width:600px;font:15px/1.5 -apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const QUIET: &str = "color:#767676;font-size:13px";
const LINK: &str = "color:#2b7bd6;text-decoration:none";
const TITLE: &str =
    "margin:20px 0 4px;font-size:12px;letter-spacing:.06em;text-transform:uppercase;color:#767676";
const ITEM: &str = "margin:0 0 12px";
const QUOTE: &str = "margin:4px 0 0;padding:0 0 0 10px;border-left:3px solid #9a9a9a";

/// Returns a briefing as HTML, for a reader who is at `now`.
pub fn html(briefing: &Briefing, member: &Member, now: Timestamp) -> String {
    let here = Here::new(&member.time_zone, now);
    let whole = page(briefing, member, &here, Room::default());
    if whole.len() <= MAX_BYTES {
        return whole;
    }
    for clip in CLIPS {
        let room = Room {
            clip,
            ..Room::default()
        };
        let clipped = page(briefing, member, &here, room);
        if clipped.len() <= MAX_BYTES {
            return clipped;
        }
    }
    // The lines are in the order of their weight, and the text part has them all.
    let mut items = briefing.items.len();
    loop {
        items /= 2;
        let room = Room {
            clip: CLIPS[CLIPS.len() - 1],
            items,
            threads: 5,
        };
        let short = page(briefing, member, &here, room);
        if short.len() <= MAX_BYTES || items == 0 {
            return short;
        }
    }
}

/// Returns the subject of a mail: the headline, or the one line of a quiet morning.
pub fn subject(briefing: &Briefing, member: &Member, now: Timestamp) -> String {
    let headline = plain(&briefing.headline);
    let line = match briefing.is_quiet() || headline.is_empty() {
        true => Here::new(&member.time_zone, now).quiet(briefing),
        false => headline.replace(['\n', '\r'], " "),
    };
    line.chars().take(200).collect()
}

/// How much there is room for.
#[derive(Clone, Copy)]
struct Room {
    /// Letters of each text.
    clip: usize,
    /// Lines, in all and of those who are waited for.
    items: usize,
    /// Threads that one line names.
    threads: usize,
}

impl Default for Room {
    fn default() -> Self {
        Room {
            clip: usize::MAX,
            items: usize::MAX,
            threads: usize::MAX,
        }
    }
}

impl Room {
    /// Returns text from outside so that a client shows it letter by letter: no tag, no link, no mention.
    fn text(&self, text: &str) -> String {
        let text = plain(text);
        let clipped: String = text.chars().take(self.clip).collect();
        let mut out = escape(&clipped);
        if clipped.len() < text.len() {
            out.push('…');
        }
        out
    }

    /// Returns a link, or the words alone when nobody may follow the address.
    fn link(&self, words: &str, url: &str) -> String {
        let words = self.text(words);
        let is_short =
            |address: &String| self.clip == usize::MAX || address.len() <= MAX_CLIPPED_ADDRESS;
        match web_address(url).filter(is_short) {
            Some(address) => format!(
                "<a href=\"{}\" style=\"{LINK}\">{words}</a>",
                address.replace('&', "&amp;")
            ),
            None => words,
        }
    }

    fn label(&self, thread: &ThreadRef) -> String {
        self.link(&phrases::name_of(thread), &thread.url)
    }
}

fn page(briefing: &Briefing, member: &Member, here: &Here, room: Room) -> String {
    let mut blocks = Vec::new();
    let foot = |text: &str| format!("<div style=\"{QUIET}\">{}</div>", room.text(text));
    if briefing.is_quiet() {
        blocks.push(format!("<div>{}</div>", room.text(&here.quiet(briefing))));
        blocks.extend(briefing.gaps.iter().map(|gap| foot(&phrases::gap(gap))));
        return frame(&here.quiet(briefing), &blocks);
    }
    blocks.push(format!(
        "<h1 style=\"margin:0;font-size:20px;font-weight:600\">{}</h1>",
        room.text(&here.greeting(briefing, member))
    ));
    blocks.push(foot(&here.place(briefing)));
    if !plain(&briefing.headline).is_empty() {
        blocks.push(format!(
            "<div style=\"margin:8px 0 0;font-weight:600\">{}</div>",
            room.text(&phrases::headline(briefing))
        ));
    }
    for (section, items) in parts::sections(briefing) {
        let items: Vec<_> = items
            .into_iter()
            .filter(|(number, _)| *number <= room.items)
            .collect();
        if !items.is_empty() {
            blocks.push(format!("<h2 style=\"{TITLE}\">{}</h2>", title_of(section)));
        }
        blocks.extend(
            items
                .into_iter()
                .map(|(number, item)| item_of(number, item, here, room)),
        );
    }
    if !briefing.waiting.is_empty() {
        blocks.push(format!("<h2 style=\"{TITLE}\">You wait for</h2>"));
        let waiting = briefing.waiting.iter().take(room.items.max(3));
        blocks.extend(waiting.map(|waiting| waiting_of(waiting, here, room)));
    }
    let left_out = briefing.items.len().saturating_sub(room.items);
    if left_out > 0 {
        let lines = phrases::count(left_out, "more line", "more lines");
        blocks.push(foot(&format!("{lines} in the text part of this mail")));
    }
    blocks
        .push("<hr style=\"border:0;border-top:1px solid #9a9a9a;margin:16px 0 8px\">".to_owned());
    blocks.extend(also_of(briefing, room));
    blocks.extend(
        briefing
            .gaps
            .iter()
            .take(room.items.max(5))
            .map(|gap| foot(&phrases::gap(gap))),
    );
    blocks.extend(phrases::covered(&briefing.covered).map(|covered| foot(&covered)));
    blocks.push(foot(&phrases::provenance(briefing)));
    frame(&briefing.headline, &blocks)
}

/// Puts the blocks into a document.
fn frame(title: &str, blocks: &[String]) -> String {
    let title: String = plain(title).chars().take(200).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"supported-color-schemes\" content=\"light dark\">\n<title>{}</title>\n</head>\n<body style=\"margin:0;padding:0\">\n<div style=\"{BODY}\">\n{}\n</div>\n</body>\n</html>\n",
        escape(&title),
        blocks.join("\n")
    )
}

fn item_of(number: usize, item: &BriefingItem, here: &Here, room: Room) -> String {
    let label = parts::label(item).map(|thread| format!("<b>{}</b> ", room.label(thread)));
    let headline = room.text(&item.headline);
    let mut parts = vec![headline];
    let facts = facts_of(item, room);
    match item.kind {
        // Where the change is the news it comes first.
        ItemKind::StatusChange | ItemKind::Due | ItemKind::Stale if label.is_some() => {
            parts.insert(0, facts)
        }
        _ => parts.push(facts),
    }
    parts.retain(|part| !part.is_empty());
    let mut text = format!(
        "<div style=\"{ITEM}\"><span style=\"color:#767676\">{number}.</span> {}{}",
        label.unwrap_or_default(),
        parts.join(" · ")
    );
    let chips = chips(item).join(" · ");
    if !chips.is_empty() {
        text.push_str(&format!(
            " <span style=\"{QUIET}\">{}</span>",
            room.text(&chips)
        ));
    }
    if let Some(answer_by) = here.answer_by(item) {
        text.push_str(&format!("<div><b>{}</b></div>", room.text(&answer_by)));
    }
    if !plain(&item.summary).is_empty() {
        text.push_str(&format!(
            "<div dir=\"auto\">{}</div>",
            room.text(&item.summary)
        ));
    }
    for citation in parts::quotes(item).take(room.threads) {
        text.push_str(&quote_of(citation, here, room));
    }
    text.push_str("</div>");
    text
}

/// Returns the facts of a line; on a line about several places each place is a link.
fn facts_of(item: &BriefingItem, room: Room) -> String {
    let facts = parts::facts(item).into_iter().take(room.threads);
    let facts = facts.map(|(thread, words)| match thread {
        Some(thread) if words.is_empty() => room.label(thread),
        Some(thread) => format!("{} {}", room.label(thread), room.text(words)),
        None => room.text(words),
    });
    let facts: Vec<String> = facts.filter(|fact| !fact.is_empty()).collect();
    facts.join(" · ")
}

fn quote_of(citation: &Citation, here: &Here, room: Room) -> String {
    let author = phrases::author(citation).map(|author| format!("{}, ", room.text(&author)));
    let when = room.link(&here.when(citation.at), &citation.url);
    format!(
        "<div style=\"{QUOTE}\"><span style=\"{QUIET}\">{}{when}</span><div dir=\"auto\">{}</div></div>",
        author.unwrap_or_default(),
        room.text(&phrases::quoted(citation))
    )
}

fn waiting_of(waiting: &Waiting, here: &Here, room: Room) -> String {
    let (who, since, age) = here.waiting(waiting);
    let since = room.link(&since, &waiting.citation.url);
    let mut text = format!(
        "<div style=\"{ITEM}\"><b>{}</b> {} since {since} · {age}",
        room.label(&waiting.thread),
        room.text(&who)
    );
    if !waiting.citation.quote.trim().is_empty() {
        text.push_str(&format!(
            "<div style=\"{QUOTE}\" dir=\"auto\">{}</div>",
            room.text(&phrases::quoted(&waiting.citation))
        ));
    }
    text.push_str("</div>");
    text
}

fn also_of(briefing: &Briefing, room: Room) -> Option<String> {
    let (named, more) = parts::also(briefing);
    let times = |times| match times {
        0 | 1 => String::new(),
        times => format!(" ×{times}"),
    };
    let named: Vec<String> = named
        .into_iter()
        .map(|(thread, count)| format!("{}{}", room.label(thread), times(count)))
        .collect();
    let said = match (named.is_empty(), more) {
        (true, 0) => return None,
        (true, more) => phrases::count(more, "thread", "threads"),
        (false, 0) => named.join(", "),
        (false, more) => format!("{}; {more} more", named.join(", ")),
    };
    Some(format!("<div style=\"{QUIET}\">also moved: {said}</div>"))
}

/// Returns text without anything that HTML reads as markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A word joiner, seen by nobody, keeps a client from taking a name for a mention or a mail address.
            '@' => out.push_str("@\u{2060}"),
            c => out.push(c),
        }
    }
    out
}
