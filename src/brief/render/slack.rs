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
use crate::brief::steer::Said;
use crate::brief::words::ABOUT;
use crate::connectors::slack::dm::Post;
use crate::model::{
    Briefing, BriefingItem, Citation, ItemKind, Member, ThreadRef, Verdict, Waiting,
};

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
    slack_with_buttons(briefing, member, now, is_first, None)
}

/// Returns a briefing as messages like [`slack`], with a row of buttons below each line when there is a key for them.
pub fn slack_with_buttons(
    briefing: &Briefing,
    member: &Member,
    now: Timestamp,
    is_first: bool,
    key: Option<&str>,
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
                blocks.extend(key.map(|key| buttons(key, number, Said::default())));
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

/// Begins the id of a row of buttons; the number of its line follows.
const ROW: &str = "line-";
/// The action of the button that asks for reasons and sources.
pub const WHY: &str = "why";

/// Returns the buttons below a line, as they stand after what its reader said. Their value names the briefing.
pub fn buttons(key: &str, line: usize, said: Said) -> Value {
    let is = |verdict: Verdict| match verdict {
        Verdict::Done | Verdict::Later => said.end == Some(verdict),
        Verdict::Up | Verdict::Down => said.vote == Some(verdict),
        Verdict::Mute | Verdict::Unmute => false,
    };
    let mute = if said.is_muted {
        (Verdict::Unmute, "Unmute")
    } else {
        (Verdict::Mute, "Mute")
    };
    let row = [
        (Verdict::Done, "Done"),
        (Verdict::Later, "Later"),
        mute,
        (Verdict::Up, "👍"),
        (Verdict::Down, "👎"),
    ];
    let button = |action: &str, label: String, is_on: bool| {
        let mut button = json!({
            "type": "button", "action_id": action, "value": key,
            "text": { "type": "plain_text", "text": label, "emoji": true },
        });
        if is_on {
            button["style"] = json!("primary");
        }
        button
    };
    let mut elements: Vec<Value> = row
        .into_iter()
        .map(|(verdict, label)| {
            let tick = if is(verdict) { "✓ " } else { "" };
            button(verdict.as_str(), format!("{tick}{label}"), is(verdict))
        })
        .collect();
    elements.insert(3, button(WHY, "Why?".to_owned(), false));
    json!({ "type": "actions", "block_id": format!("{ROW}{line}"), "elements": elements })
}

/// Returns the number of the line that a row of buttons stands below, from the row's id.
pub fn line_of_id(id: &str) -> Option<usize> {
    id.strip_prefix(ROW)?.parse().ok()
}

fn line_of_row(block: &Value) -> Option<usize> {
    (block["type"] == "actions").then(|| line_of_id(block["block_id"].as_str()?))?
}

/// Returns the lines of a message that have buttons.
pub fn rows_of(message: &Value) -> Vec<usize> {
    let blocks = message["blocks"].as_array().into_iter().flatten();
    blocks.filter_map(line_of_row).collect()
}

/// Returns a message with its buttons as they stand after what its reader said of each line.
pub fn with_marks(mut message: Value, key: &str, said: &[(usize, Said)]) -> Value {
    for block in message["blocks"].as_array_mut().into_iter().flatten() {
        let Some(line) = line_of_row(block) else {
            continue;
        };
        if let Some((_, said)) = said.iter().find(|(row, _)| *row == line) {
            *block = buttons(key, line, *said);
        }
    }
    message
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
    let headline = plain(&briefing.headline);
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

/// Puts blocks into messages, each as full as Slack allows.
fn into_messages(blocks: Vec<Value>, notice: &str) -> Vec<Post> {
    let mut messages: Vec<Post> = Vec::new();
    let mut used = 0;
    for block in blocks.into_iter().flat_map(fitting) {
        let chars = chars_of(&block);
        let is_full =
            |message: &Post| message.blocks.len() >= MAX_BLOCKS || used + chars > MAX_CHARS;
        if messages.last().is_none_or(is_full) {
            let text = if messages.is_empty() { notice } else { "…" };
            messages.push(Post {
                text: text.to_owned(),
                blocks: Vec::new(),
            });
            used = 0;
        }
        used += chars;
        if let Some(message) = messages.last_mut() {
            message.blocks.push(block);
        }
    }
    messages
}

/// Returns a block, or the blocks it has to be taken apart into, because no message holds it.
fn fitting(block: Value) -> Vec<Value> {
    if chars_of(&block) <= MAX_CHARS {
        return vec![block];
    }
    let mut pieces: Vec<Value> = Vec::new();
    for element in block["elements"].as_array().cloned().unwrap_or_default() {
        let is_list = element["type"] == "rich_text_list";
        let lines = if is_list {
            element["elements"].as_array().cloned()
        } else {
            None
        };
        let lines = lines.map(|lines| {
            lines
                .into_iter()
                .map(|line| bullets(vec![Some(line)]))
                .collect()
        });
        pieces.extend(
            lines
                .unwrap_or_else(|| vec![Some(element)])
                .into_iter()
                .flatten(),
        );
    }
    // A line holds a few texts of bounded length, and a list of links that is longer loses its end.
    pieces
        .into_iter()
        .map(|mut piece| {
            while chars_of(&piece) > MAX_CHARS
                && piece["elements"]
                    .as_array_mut()
                    .is_some_and(|elements| elements.pop().is_some())
            {}
            json!({ "type": "rich_text", "elements": [piece] })
        })
        .collect()
}

/// Returns how many characters of texts and addresses an element holds.
fn chars_of(element: &Value) -> usize {
    match element {
        Value::Array(items) => items.iter().map(chars_of).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("text" | "url" | "value", Value::String(text)) => text.chars().count(),
                _ => chars_of(value),
            })
            .sum(),
        _ => 0,
    }
}

/// Returns text for a notification, where Slack does read markup.
fn escape(text: &str) -> String {
    cut(&plain(text))
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{hostile, sample};
    use super::*;
    use crate::model::Gap;

    fn written(briefing: &Briefing) -> Vec<Post> {
        slack(briefing, &sample::member(), sample::now(), false)
    }

    /// Returns the messages as a reader sees them: links as `[words](address)`.
    fn seen(messages: &[Post]) -> String {
        fn see(element: &Value, out: &mut String) {
            let text = element["text"].as_str().unwrap_or_default();
            match element["type"].as_str().unwrap() {
                "link" => out.push_str(&format!("[{text}]({})", element["url"].as_str().unwrap())),
                "text" if element["style"]["bold"] == true => out.push_str(&format!("*{text}*")),
                "text" => out.push_str(text),
                kind => {
                    for inner in element["elements"].as_array().unwrap() {
                        out.push_str(if kind == "rich_text_list" {
                            "\n  • "
                        } else {
                            ""
                        });
                        see(inner, out);
                    }
                }
            }
        }
        let mut out = String::new();
        for message in messages {
            for block in &message.blocks {
                see(block, &mut out);
                out.push('\n');
            }
            out.push_str("────\n");
        }
        out
    }

    #[test]
    fn a_briefing_reads_well_in_slack() {
        insta::assert_snapshot!(seen(&written(&sample::full())), @r"
        *Good morning Becki* · Mon 16 Nov, 09:00 Berlin · since Fri 17:30*
        2 need you · 1 blocker · 1 of yours moved*
        *Needs you*
        1. [CORE-123](https://tracker.example/issue/CORE-123) Ana asks you · Serve the nightly archives over https only · 6 comments by 3 — assigned
          • *answer by 11:30, then Ana waits until tomorrow 09:00*
          • Ana, [yesterday 20:09](https://tracker.example/e/11-15T1909): “Can you pick one of the two certificates before we cut the branch on Tuesday?”
          • Ruut, [today 08:12](https://tracker.example/e/11-16T0712): “The cheaper one needs a dedicated address…”
        2. [CORE-98](https://tracker.example/issue/CORE-98) Bo asks you for a review · Retry on 503 · open since Thu 12 Nov
        *Blockers*
        3. [#build](https://chat.example/build) blocked · the mirror is read-only — blocks work
        *Changed on yours*
        4. [CORE-94](https://tracker.example/issue/CORE-94) closed by Dov Fri 21:16 · Remove the special treatment of boxes in the borrow checker — reported by you
        *Worth knowing*
        5. *#clojure* decided — decided in your area
          • Alyson, [Sat 01:13](https://tracker.example/e/11-14T0013): “We go with [link: clojure.org].”
        *You wait for*
          • [CORE-7](https://tracker.example/issue/CORE-7) Bo since [Thu 14:10](https://tracker.example/e/11-12T1310) · 9 work hours · “Could you look at the flaky test?”
        also moved: [CORE-64](https://tracker.example/issue/CORE-64), [#clojure](https://chat.example/clojure/1) ×2; 3 more
        missing: office – it has not answered since 04:10
        covered 189 messages, 51 mails, 28 new and 14 closed tickets · lines quoted: 3 · model text: 0 · daybrief explain 1
        ────
        ");
        assert_eq!(
            written(&sample::full())[0].text,
            "2 need you · 1 blocker · 1 of yours moved"
        );
    }

    #[test]
    fn a_quiet_morning_is_one_line_and_the_first_message_says_what_it_is() {
        let mut quiet = sample::quiet();
        assert_eq!(
            seen(&written(&quiet)),
            "Quiet weekend: 145 messages, none yours.\n────\n"
        );
        quiet.gaps.push(Gap {
            of: "list".into(),
            reason: "could not be read since Fri 21:00".into(),
        });
        assert!(
            seen(&written(&quiet)).contains("missing: list – could not be read since Fri 21:00")
        );
        let first = slack(&quiet, &sample::member(), sample::now(), true);
        let first = seen(&first);
        for part in [
            "This is daybrief",
            "Only you see this message",
            "To stop it",
            "Quiet weekend",
        ] {
            assert!(first.contains(part), "{first}");
        }
    }

    #[test]
    fn what_is_too_long_goes_on_in_further_messages_and_nothing_is_lost() {
        let mut long = sample::full();
        let item = long.items[0].clone();
        long.items = (0..120)
            .map(|at| {
                let mut item = item.clone();
                item.headline = format!("item {at} {}", "word ".repeat(60));
                item
            })
            .collect();
        let messages = written(&long);
        assert!(messages.len() > 2);
        for message in &messages {
            assert!(message.blocks.len() <= MAX_BLOCKS);
            let chars: usize = message.blocks.iter().map(chars_of).sum();
            assert!(chars <= MAX_CHARS, "{chars}");
            assert!(!message.text.is_empty());
        }
        let seen = seen(&messages);
        assert!(
            (0..120).all(|at| seen.contains(&format!("item {at} "))),
            "every item is there"
        );
    }

    #[test]
    fn buttons_stand_below_their_lines_and_within_the_limits() {
        let with_buttons = |briefing: &Briefing| {
            slack_with_buttons(
                briefing,
                &sample::member(),
                sample::now(),
                true,
                Some("becki-2026-11-16"),
            )
        };
        let full = sample::full();
        let messages = with_buttons(&full);
        assert_eq!(messages.len(), 1);
        assert_eq!(
            rows_of(&json!({ "blocks": messages[0].blocks })),
            [1, 2, 3, 4, 5]
        );
        for pair in messages[0]
            .blocks
            .windows(2)
            .filter(|pair| pair[1]["type"] == "actions")
        {
            assert_eq!(pair[0]["type"], "rich_text");
        }
        let mut long = full.clone();
        long.items = (0..120).map(|at| full.items[at % 5].clone()).collect();
        let messages = with_buttons(&long);
        let rows = messages
            .iter()
            .map(|message| rows_of(&json!({ "blocks": message.blocks })).len());
        assert_eq!(rows.sum::<usize>(), 120);
        for message in &messages {
            let chars: usize = message.blocks.iter().map(chars_of).sum();
            assert!(
                message.blocks.len() <= MAX_BLOCKS && chars <= MAX_CHARS,
                "{chars}"
            );
        }
    }

    #[test]
    fn the_first_message_says_four_things_in_three_lines() {
        let first = slack(&sample::quiet(), &sample::member(), sample::now(), true);
        let introduction = &first[0].blocks[0]["elements"][0];
        let lines = introduction["elements"].as_array().unwrap();
        assert_eq!(
            (lines.len(), &introduction["type"]),
            (3, &json!("rich_text_list"))
        );
        for (line, parts) in lines.iter().zip([
            &["one short message"][..],
            &["It reads", "Only you see"],
            &["stop", "start"],
        ]) {
            assert!(
                parts.iter().all(|part| line.to_string().contains(part)),
                "{line}"
            );
        }
    }

    /// Calls a check with every element.
    fn walk(element: &Value, check: &mut impl FnMut(&Value)) {
        check(element);
        for inner in element["elements"].as_array().into_iter().flatten() {
            walk(inner, check);
        }
    }

    proptest! {
        #[test]
        fn text_from_outside_makes_nothing_but_text(text in hostile::text(), url in hostile::text()) {
            let mut briefing = sample::full();
            for item in &mut briefing.items {
                (item.headline, item.summary, item.facts) = (text.clone(), text.clone(), text.clone());
                for thread in &mut item.threads {
                    (thread.label, thread.url) = (text.clone(), url.clone());
                }
                for citation in &mut item.citations {
                    (citation.quote, citation.author, citation.url) = (text.clone(), Some(text.clone()), url.clone());
                }
            }
            briefing.headline = text.clone();
            let own: Vec<String> = briefing.also.iter().map(|thread| thread.url.clone())
                .chain(briefing.waiting.iter().flat_map(|waiting| [waiting.thread.url.clone(), waiting.citation.url.clone()]))
                .chain(web_address(&url)).collect();
            for message in written(&briefing) {
                prop_assert!(!message.text.contains('<') && !message.text.is_empty());
                for block in &message.blocks {
                    walk(block, &mut |element| {
                        let kind = element["type"].as_str().unwrap();
                        assert!(["rich_text", "rich_text_section", "rich_text_list", "text", "link"].contains(&kind));
                        if kind == "text" || kind == "link" {
                            let text = element["text"].as_str().unwrap();
                            assert!(!text.is_empty() && !text.contains("https://evil"), "{text}");
                        }
                        if kind == "link" {
                            assert!(own.iter().any(|own| element["url"] == *own), "{element}");
                        }
                    });
                }
            }
        }
    }
}
