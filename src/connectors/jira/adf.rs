//! Jira Cloud's document format as Markdown, and Markdown as a document.
//!
//! What has no place in Markdown (panels, expanders, cards) gives its words; pictures give nothing. A mention is the name
//! it shows, with the account kept beside the text.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde_json::{Map, Value, json};

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Its text, as Markdown.
    pub text: String,
    /// The accounts it addresses.
    pub mentions: Vec<String>,
}

/// Returns a document as Markdown. A plain text, as some fields hold, stays as it is.
pub fn to_markdown(document: &Value) -> Words {
    if let Value::String(text) = document {
        return Words {
            text: text.trim().to_owned(),
            mentions: Vec::new(),
        };
    }
    let mut writer = Writer::default();
    let text = writer.blocks(document, "\n\n");
    Words {
        text,
        mentions: writer.mentions,
    }
}

#[derive(Default)]
struct Writer {
    mentions: Vec<String>,
}

fn children(node: &Value) -> &[Value] {
    node["content"].as_array().map_or(&[], Vec::as_slice)
}

fn kind_of(node: &Value) -> &str {
    node["type"].as_str().unwrap_or_default()
}

impl Writer {
    fn blocks(&mut self, node: &Value, between: &str) -> String {
        let blocks: Vec<String> = children(node)
            .iter()
            .map(|child| self.block(child))
            .filter(|text| !text.trim().is_empty())
            .collect();
        blocks.join(between)
    }

    fn block(&mut self, node: &Value) -> String {
        match kind_of(node) {
            "paragraph" | "caption" => at_line_starts(&self.line(node)),
            "heading" => {
                let level = node["attrs"]["level"].as_u64().unwrap_or(1).clamp(1, 6);
                let text = self.line(node).replace('\n', " ");
                if text.is_empty() {
                    return text;
                }
                format!("{} {text}", "#".repeat(level as usize))
            }
            "codeBlock" => {
                let code: String = children(node).iter().map(text_of).collect();
                let fence = "`".repeat(longest_run(&code, '`').max(2) + 1);
                let language = node["attrs"]["language"].as_str().unwrap_or_default();
                format!("{fence}{language}\n{code}\n{fence}")
            }
            "blockquote" => {
                let quoted = self.blocks(node, "\n\n");
                let lines = quoted.lines().map(|line| match line {
                    "" => ">".to_owned(),
                    line => format!("> {line}"),
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            "rule" => "---".to_owned(),
            "bulletList" | "decisionList" => self.list(node, |_| "- ".to_owned()),
            "taskList" => self.list(node, |item| {
                let is_done = item["attrs"]["state"] == "DONE";
                format!("- [{}] ", if is_done { "x" } else { " " })
            }),
            "orderedList" => {
                let mut number = node["attrs"]["order"].as_u64().unwrap_or(1);
                self.list(node, |_| {
                    number += 1;
                    format!("{}. ", number - 1)
                })
            }
            "table" => self.table(node),
            "blockCard" | "embedCard" => address(&node["attrs"]),
            "expand" | "nestedExpand" => {
                let title = node["attrs"]["title"].as_str().unwrap_or_default();
                let text = self.blocks(node, "\n\n");
                match title.trim() {
                    "" => text,
                    title => format!("{}\n\n{text}", escaped(title)),
                }
            }
            "text" | "mention" | "emoji" | "hardBreak" | "inlineCard" | "date" | "status" => {
                self.inline(node)
            }
            // Panels, columns, and whatever comes next year: their words count.
            _ => self.blocks(node, "\n\n"),
        }
    }

    fn list(&mut self, node: &Value, mut marker: impl FnMut(&Value) -> String) -> String {
        let mut lines: Vec<String> = Vec::new();
        for item in children(node) {
            if kind_of(item) == "taskList" {
                // A list within a list of tasks stands beside its items.
                let nested = self.block(item);
                lines.extend(nested.lines().map(|line| format!("  {line}")));
                continue;
            }
            let is_inline = children(item)
                .iter()
                .any(|child| matches!(kind_of(child), "text" | "mention" | "hardBreak" | "emoji"));
            let text = if is_inline {
                at_line_starts(&self.line(item))
            } else {
                self.item(item)
            };
            let marker = marker(item);
            let indent = " ".repeat(if marker.starts_with("- [") {
                2
            } else {
                marker.len()
            });
            for (at, line) in text.lines().enumerate() {
                lines.push(match (at, line) {
                    (0, line) => format!("{marker}{line}"),
                    (_, "") => String::new(),
                    (_, line) => format!("{indent}{line}"),
                });
            }
            if text.is_empty() {
                lines.push(marker.trim_end().to_owned());
            }
        }
        lines.join("\n")
    }

    /// Returns what stands in an item: a list follows its line, everything else stands apart.
    fn item(&mut self, item: &Value) -> String {
        let mut text = String::new();
        for child in children(item) {
            let block = self.block(child);
            if block.trim().is_empty() {
                continue;
            }
            if !text.is_empty() {
                text.push_str(if kind_of(child).ends_with("List") {
                    "\n"
                } else {
                    "\n\n"
                });
            }
            text.push_str(&block);
        }
        text
    }

    fn table(&mut self, node: &Value) -> String {
        let mut lines = Vec::new();
        for row in children(node) {
            let cells: Vec<String> = children(row)
                .iter()
                .map(|cell| {
                    self.blocks(cell, " ")
                        .replace('\n', " ")
                        .replace('|', "\\|")
                })
                .collect();
            lines.push(format!("| {} |", cells.join(" | ")));
            if lines.len() == 1 {
                lines.push(format!("|{}", " --- |".repeat(cells.len())));
            }
        }
        lines.join("\n")
    }

    /// Returns the line that a paragraph or a heading is.
    fn line(&mut self, node: &Value) -> String {
        let mut text = String::new();
        for child in children(node) {
            text.push_str(&self.inline(child));
        }
        // White space at the ends of a line means nothing, and much of it at the start would mean code.
        let lines = text.lines().map(str::trim);
        lines.collect::<Vec<_>>().join("\n").trim().to_owned()
    }

    fn inline(&mut self, node: &Value) -> String {
        let attrs = &node["attrs"];
        let named = |name: &str| attrs[name].as_str().unwrap_or_default();
        match kind_of(node) {
            "text" => marked(node),
            "hardBreak" => "\n".to_owned(),
            "mention" => {
                if !named("id").is_empty() {
                    self.mentions.push(named("id").to_owned());
                }
                let name = named("text").trim_start_matches('@');
                format!(
                    "@{}",
                    escaped(if name.is_empty() { named("id") } else { name })
                )
            }
            "emoji" => {
                let text = named("text");
                if text.is_empty() {
                    named("shortName")
                } else {
                    text
                }
                .to_owned()
            }
            "inlineCard" => address(attrs),
            "date" => {
                let millis = attrs["timestamp"]
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .or_else(|| attrs["timestamp"].as_i64());
                let at = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
                at.map(|at| at.to_zoned(TimeZone::UTC).date().to_string())
                    .unwrap_or_default()
            }
            "status" => escaped(named("text")),
            _ => children(node)
                .iter()
                .map(|child| self.inline(child))
                .collect(),
        }
    }
}

fn text_of(node: &Value) -> &str {
    node["text"].as_str().unwrap_or_default()
}

fn address(attrs: &Value) -> String {
    let url = attrs["url"].as_str().unwrap_or_default();
    if url.is_empty() {
        String::new()
    } else {
        format!("<{url}>")
    }
}

fn longest_run(text: &str, wanted: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Returns a text with the signs of its marks. White space at its ends stays outside, where Markdown wants it.
fn marked(node: &Value) -> String {
    let text = text_of(node);
    let mark = |name: &str| {
        let mut marks = node["marks"].as_array().into_iter().flatten();
        marks.find(|mark| mark["type"] == name)
    };
    let body = text.trim_matches(char::is_whitespace);
    if body.is_empty() {
        return text.to_owned();
    }
    let (before, after) = (
        &text[..text.len() - text.trim_start().len()],
        &text[text.trim_end().len()..],
    );
    let href = mark("link").and_then(|link| link["attrs"]["href"].as_str());
    let mut inner = if mark("code").is_some() {
        let fence = "`".repeat(longest_run(body, '`') + 1);
        let pad = if body.starts_with('`') || body.ends_with('`') {
            " "
        } else {
            ""
        };
        format!("{fence}{pad}{body}{pad}{fence}")
    } else if href == Some(body) {
        return format!("{before}<{body}>{after}");
    } else {
        let mut inner = escaped_in(body, href.is_some());
        for (name, sign) in [("strike", "~~"), ("em", "*"), ("strong", "**")] {
            if mark(name).is_some() {
                inner = format!("{sign}{inner}{sign}");
            }
        }
        inner
    };
    if let Some(href) = href {
        let is_plain = !href.contains([' ', '(', ')', '<', '>']);
        inner = if is_plain {
            format!("[{inner}]({href})")
        } else {
            let href = href.replace('<', "%3C").replace('>', "%3E");
            format!("[{inner}](<{href}>)")
        };
    }
    format!("{before}{inner}{after}")
}

fn escaped(text: &str) -> String {
    escaped_in(text, false)
}

/// Returns a text with a backslash where Markdown would read a sign, and only there.
fn escaped_in(text: &str, is_link: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |at: Option<usize>| at.and_then(|at| chars.get(at)).copied();
    let has_link = is_link || text.contains("](");
    let has_entity = text.contains(';');
    let mut escaped = String::with_capacity(text.len());
    for (here, &c) in chars.iter().enumerate() {
        let (before, after) = (at(here.checked_sub(1)), at(Some(here + 1)));
        let is_space = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_sign = match c {
            '\\' => after.is_none_or(|after| after.is_ascii_punctuation() || after == '\n'),
            '*' => !(is_space(before) && is_space(after)) || before.is_none() || after.is_none(),
            '_' => !(is_word(before) && is_word(after)),
            '`' => true,
            '[' | ']' => has_link || after == Some('[') || before.is_none() || after.is_none(),
            '<' => after.is_none_or(|after| after.is_ascii_alphabetic() || "/!?".contains(after)),
            '&' => has_entity && after.is_some_and(|after| after.is_alphanumeric() || after == '#'),
            // One that only begins, as in "~5 minutes", ends nothing.
            '~' => !(before.is_some_and(char::is_whitespace) && is_word(after)),
            '!' => after == Some('['),
            _ => false,
        };
        if is_sign {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Returns a paragraph whose lines begin no list, heading, quote or rule.
fn at_line_starts(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let rest = &line[digits..];
        if digits > 0 && digits < 10 && rest.starts_with(['.', ')']) {
            let is_item = rest[1..].is_empty() || rest[1..].starts_with(' ');
            if is_item {
                return format!("{}\\{rest}", &line[..digits]);
            }
        }
        let is_item = |sign: char| {
            line.strip_prefix(sign)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
        let is_heading = (1..=6).contains(&hashes)
            && (line[hashes..].is_empty() || line[hashes..].starts_with([' ', '\t']));
        let is_line_of =
            |sign: char| !line.is_empty() && line.chars().all(|c| c == sign || c.is_whitespace());
        let begins = ['-', '+', '*'].into_iter().any(is_item)
            || is_heading
            || line.starts_with('>')
            || line.starts_with("~~~")
            || is_line_of('-')
            || is_line_of('=');
        if begins {
            format!("\\{line}")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns Markdown as a document. HTML in it stands there as text.
pub fn from_markdown(text: &str) -> Value {
    let mut builder = Builder {
        open: vec![node("doc")],
        marks: Vec::new(),
    };
    builder.open[0]["version"] = json!(1);
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        builder.add(event);
    }
    while builder.open.len() > 1 {
        builder.close();
    }
    let mut document = builder.open.pop().unwrap_or_default();
    if children(&document).is_empty() {
        document["content"] = json!([{ "type": "paragraph", "content": [] }]);
    }
    document
}

fn node(kind: &str) -> Value {
    json!({ "type": kind, "content": [] })
}

struct Builder {
    /// The nodes that are not over, outermost first.
    open: Vec<Value>,
    marks: Vec<Value>,
}

impl Builder {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                let marks = if self.kind() == "codeBlock" {
                    Vec::new()
                } else {
                    self.marks.clone()
                };
                self.say(&text, marks);
            }
            Event::Code(text) => {
                let link = self.marks.iter().find(|mark| mark["type"] == "link");
                let marks = link.cloned().into_iter().chain([json!({ "type": "code" })]);
                let marks = marks.collect();
                self.say(&text, marks);
            }
            // People's lines are lines.
            Event::SoftBreak | Event::HardBreak => {
                self.need_paragraph();
                self.put(json!({ "type": "hardBreak" }));
            }
            Event::Rule => {
                self.end_paragraph();
                self.put(json!({ "type": "rule" }));
            }
            _ => {}
        }
    }

    fn kind(&self) -> &str {
        self.open.last().map_or("", kind_of)
    }

    fn start(&mut self, tag: Tag<'_>) {
        let is_nested = |builder: &Builder| {
            builder
                .open
                .iter()
                .any(|node| kind_of(node) == "listItem" || kind_of(node) == "blockquote")
        };
        match tag {
            Tag::Paragraph => self.open.push(node("paragraph")),
            Tag::Heading { level, .. } => {
                let level = match level {
                    HeadingLevel::H1 => 1,
                    HeadingLevel::H2 => 2,
                    HeadingLevel::H3 => 3,
                    HeadingLevel::H4 => 4,
                    HeadingLevel::H5 => 5,
                    HeadingLevel::H6 => 6,
                };
                self.end_paragraph();
                // Lists and quotes hold no headings.
                let mut heading = node(if is_nested(self) {
                    "paragraph"
                } else {
                    "heading"
                });
                if !is_nested(self) {
                    heading["attrs"] = json!({ "level": level });
                }
                self.open.push(heading);
            }
            Tag::BlockQuote(_) => {
                self.end_paragraph();
                self.open.push(node("blockquote"));
            }
            Tag::CodeBlock(kind) => {
                self.end_paragraph();
                let mut block = node("codeBlock");
                if let CodeBlockKind::Fenced(language) = kind
                    && !language.is_empty()
                {
                    block["attrs"] = json!({ "language": &*language });
                }
                self.open.push(block);
            }
            Tag::List(first) => {
                self.end_paragraph();
                let mut list = node(if first.is_some() {
                    "orderedList"
                } else {
                    "bulletList"
                });
                if let Some(first) = first {
                    list["attrs"] = json!({ "order": first });
                }
                self.open.push(list);
            }
            Tag::Item => self.open.push(node("listItem")),
            Tag::Emphasis => self.marks.push(json!({ "type": "em" })),
            Tag::Strong => self.marks.push(json!({ "type": "strong" })),
            Tag::Strikethrough => self.marks.push(json!({ "type": "strike" })),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self
                .marks
                .push(json!({ "type": "link", "attrs": { "href": &*dest_url } })),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) => self.close(),
            TagEnd::CodeBlock => {
                // The last line feed belongs to the fence.
                if let Some(block) = self.open.last_mut()
                    && let Some(text) = block["content"][0]["text"].as_str()
                {
                    let code = text.strip_suffix('\n').unwrap_or(text).to_owned();
                    block["content"] = if code.is_empty() {
                        json!([])
                    } else {
                        json!([{ "type": "text", "text": code }])
                    };
                }
                self.close();
            }
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => {
                self.end_paragraph();
                if tag == TagEnd::Item
                    && children(self.open.last().unwrap_or(&Value::Null)).is_empty()
                {
                    self.put(node("paragraph"));
                }
                self.close();
            }
            TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::Image => {
                self.marks.pop();
            }
            _ => {}
        }
    }

    /// Opens a paragraph where words stand in an item or a quote without one.
    fn need_paragraph(&mut self) {
        if !matches!(self.kind(), "paragraph" | "heading" | "codeBlock") {
            self.open.push(node("paragraph"));
        }
    }

    fn end_paragraph(&mut self) {
        if self.kind() == "paragraph" {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(done) = self.open.pop() {
            self.put(done);
        }
    }

    fn put(&mut self, child: Value) {
        let parent = self
            .open
            .last_mut()
            .and_then(|node| node["content"].as_array_mut());
        if let Some(parent) = parent {
            parent.push(child);
        }
    }

    fn say(&mut self, text: &str, mut marks: Vec<Value>) {
        if text.is_empty() {
            return;
        }
        self.need_paragraph();
        marks.sort_by_key(|mark| order_of(mark["type"].as_str().unwrap_or_default()));
        marks.dedup_by(|a, b| a["type"] == b["type"]);
        let parent = self
            .open
            .last_mut()
            .and_then(|node| node["content"].as_array_mut());
        let Some(parent) = parent else { return };
        let marks = Value::Array(marks);
        let is_same = |last: &Value| {
            kind_of(last) == "text"
                && (last["marks"] == marks || (last["marks"].is_null() && marks == json!([])))
        };
        if let Some(last) = parent.last_mut().filter(|last| is_same(last)) {
            let joined = format!("{}{text}", text_of(last));
            last["text"] = json!(joined);
            return;
        }
        let mut said = Map::new();
        said.insert("type".into(), json!("text"));
        said.insert("text".into(), json!(text));
        if marks != json!([]) {
            said.insert("marks".into(), marks);
        }
        parent.push(Value::Object(said));
    }
}

fn order_of(mark: &str) -> usize {
    ["link", "strong", "em", "strike", "code"]
        .iter()
        .position(|known| *known == mark)
        .unwrap_or(9)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str, marks: &[&str]) -> Value {
        let mut node = json!({ "type": "text", "text": text });
        if !marks.is_empty() {
            let marks = marks.iter().map(|mark| json!({ "type": mark }));
            node["marks"] = marks.collect();
        }
        node
    }

    fn doc(content: Value) -> Value {
        json!({ "type": "doc", "version": 1, "content": content })
    }

    fn paragraph(content: Value) -> Value {
        json!({ "type": "paragraph", "content": content })
    }

    #[test]
    fn what_people_write_in_jira_reads_as_markdown() {
        let said = |content: Value| to_markdown(&doc(content)).text;
        let item = |content: Value| json!({ "type": "listItem", "content": content });
        for (content, expected) in [
            (
                json!([paragraph(json!([
                    text("plain", &[]),
                    text(" and bold ", &["strong"]),
                    text("x", &["code"])
                ]))]),
                "plain **and bold** `x`",
            ),
            (
                json!([paragraph(json!([text(
                    "2 * 3, a_b, *no*, Vec<T> & co",
                    &[]
                )]))]),
                "2 * 3, a_b, \\*no\\*, Vec\\<T> & co",
            ),
            (
                json!([paragraph(
                    json!([text("- no list", &[]), { "type": "hardBreak" }, text("1. none", &[])])
                )]),
                "\\- no list\n1\\. none",
            ),
            (
                json!([{ "type": "heading", "attrs": { "level": 2 }, "content": [text("Plan", &[])] }, { "type": "rule" }]),
                "## Plan\n\n---",
            ),
            (
                json!([{ "type": "codeBlock", "attrs": { "language": "rust" }, "content": [text("let a = \"```\";", &[])] }]),
                "````rust\nlet a = \"```\";\n````",
            ),
            (
                json!([{ "type": "blockquote", "content": [paragraph(json!([text("a", &[])])), paragraph(json!([text("b", &[])]))] }]),
                "> a\n>\n> b",
            ),
            (
                json!([{ "type": "bulletList", "content": [
                item(json!([paragraph(json!([text("one", &[])])), { "type": "orderedList", "attrs": { "order": 3 }, "content": [item(json!([paragraph(json!([text("two", &[])]))]))] }])),
                item(json!([paragraph(json!([text("three", &[])]))])),
            ] }]),
                "- one\n  3. two\n- three",
            ),
            (
                json!([{ "type": "taskList", "content": [
                { "type": "taskItem", "attrs": { "state": "DONE" }, "content": [text("did", &[])] },
                { "type": "taskItem", "attrs": { "state": "TODO" }, "content": [text("to do", &[])] },
            ] }]),
                "- [x] did\n- [ ] to do",
            ),
            (
                json!([{ "type": "panel", "attrs": { "panelType": "info" }, "content": [paragraph(json!([text("mind", &[])]))] }]),
                "mind",
            ),
            (
                json!([{ "type": "somethingNew", "content": [paragraph(json!([text("still", &[])]))] }]),
                "still",
            ),
            (
                json!([{ "type": "mediaSingle", "content": [{ "type": "media", "attrs": { "id": "x" } }] }]),
                "",
            ),
            (
                json!([paragraph(json!([
                    { "type": "text", "text": "https://x.org/a", "marks": [{ "type": "link", "attrs": { "href": "https://x.org/a" } }] }, text(" ", &[]),
                    { "type": "text", "text": "here", "marks": [{ "type": "link", "attrs": { "href": "https://x.org/(b)" } }] }, text(" ", &[]),
                    { "type": "inlineCard", "attrs": { "url": "https://x.org/c" } }, text(" ", &[]),
                    { "type": "date", "attrs": { "timestamp": "1795651200000" } }, text(" ", &[]),
                    { "type": "status", "attrs": { "text": "LATE", "color": "red" } }, text(" ", &[]),
                    { "type": "emoji", "attrs": { "shortName": ":tada:", "text": "🎉" } },
                ]))]),
                "<https://x.org/a> [here](<https://x.org/(b)>) <https://x.org/c> 2026-11-26 LATE 🎉",
            ),
            (
                json!([{ "type": "table", "content": [
                { "type": "tableRow", "content": [{ "type": "tableHeader", "content": [paragraph(json!([text("k", &[])]))] }, { "type": "tableHeader", "content": [paragraph(json!([text("v", &[])]))] }] },
                { "type": "tableRow", "content": [{ "type": "tableCell", "content": [paragraph(json!([text("a|b", &[])]))] }, { "type": "tableCell", "content": [] }] },
            ] }]),
                "| k | v |\n| --- | --- |\n| a\\|b |  |",
            ),
            (json!([]), ""),
        ] {
            assert_eq!(said(content), expected);
        }
        assert_eq!(to_markdown(&Value::Null), Words::default());
        assert_eq!(to_markdown(&json!("old *text*")).text, "old *text*");
        let words = to_markdown(&doc(json!([paragraph(
            json!([text("hi ", &[]), { "type": "mention", "attrs": { "id": "5b10", "text": "@Ana Real" } }])
        )])));
        assert_eq!(
            (words.text.as_str(), words.mentions),
            ("hi @Ana Real", vec!["5b10".to_owned()])
        );
    }

    #[test]
    fn what_we_write_is_a_document_that_jira_takes() {
        let document = from_markdown(
            "# Who\n\n**Ana** knows <b>this</b>:\nsee [CORE-1](https://x.org/1)\n\n- one\n- two\n\n<https://x.org>",
        );
        let kinds: Vec<&str> = children(&document).iter().map(kind_of).collect();
        assert_eq!(kinds, ["heading", "paragraph", "bulletList", "paragraph"]);
        assert_eq!(document["version"], 1);
        assert_eq!(
            children(&document)[1]["content"],
            json!([
                { "type": "text", "text": "Ana", "marks": [{ "type": "strong" }] },
                { "type": "text", "text": " knows <b>this</b>:" },
                { "type": "hardBreak" },
                { "type": "text", "text": "see " },
                { "type": "text", "text": "CORE-1", "marks": [{ "type": "link", "attrs": { "href": "https://x.org/1" } }] },
            ])
        );
        assert_eq!(children(&children(&document)[2]).len(), 2);
        assert_eq!(
            children(&from_markdown("")).len(),
            1,
            "a document is never empty"
        );
        let nested = from_markdown("- # no heading in a list\n\n> ## nor in a quote");
        assert!(!nested.to_string().contains("\"heading\""), "{nested}");
    }

    fn any_words() -> impl Strategy<Value = String> {
        // Letters, and every sign that Markdown could take for something else.
        "[a-zé9][-a-z0-9 *_`<>&;!#.+=~|\\\\\\[\\]()/:é]{0,20}[a-z9é.]"
            .prop_map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn any_line() -> impl Strategy<Value = Vec<Value>> {
        let mark = prop::sample::subsequence(vec!["strong", "em", "strike"], 0..=3);
        let marked = (any_words(), mark).prop_map(|(words, marks)| vec![text(&words, &marks)]);
        let code = "[a-z*_<\\\\`]{1,6}[a-z]".prop_map(|code| vec![text(&code, &["code"])]);
        let link = any_words().prop_map(|words| {
            vec![json!({ "type": "text", "text": words, "marks": [{ "type": "link", "attrs": { "href": "https://x.org/a_(b)" } }] })]
        });
        let line_break = Just(vec![json!({ "type": "hardBreak" })]);
        let piece = prop_oneof![4 => marked, 1 => code, 1 => link, 1 => line_break];
        prop::collection::vec(piece, 0..4).prop_map(|pieces| {
            // Marks side by side have no clear meaning in Markdown, so plain words stand between them.
            let mut line = vec![text("a", &[])];
            for piece in pieces.into_iter().flatten() {
                if kind_of(&piece) == "hardBreak" {
                    line.extend([piece, text("b", &[])]);
                } else if piece["marks"].is_null() {
                    let last = line.last_mut().unwrap();
                    let joined = format!("{} {}", text_of(last), text_of(&piece));
                    last["text"] = json!(joined);
                } else {
                    let last = line.last_mut().unwrap();
                    let joined = format!("{} ", text_of(last));
                    last["text"] = json!(joined);
                    line.extend([piece, text(" c", &[])]);
                }
            }
            line
        })
    }

    fn any_block() -> impl Strategy<Value = Value> {
        let plain = any_line().prop_map(|line| paragraph(json!(line)));
        let heading = (1..=6_u8, any_words()).prop_map(|(level, words)| json!({ "type": "heading", "attrs": { "level": level }, "content": [text(&words, &[])] }));
        let code = ("[a-z]{0,4}", "[a-z`~#*\\\\ ]{1,8}(\n[a-z`# ]{1,5}){0,2}").prop_map(
            |(language, code)| {
                let mut block = json!({ "type": "codeBlock", "content": [text(&code, &[])] });
                if !language.is_empty() {
                    block["attrs"] = json!({ "language": language });
                }
                block
            },
        );
        let quote = prop::collection::vec(any_line().prop_map(|line| paragraph(json!(line))), 1..3)
            .prop_map(|content| json!({ "type": "blockquote", "content": content }));
        let leaf = any_line()
            .prop_map(|line| json!({ "type": "listItem", "content": [paragraph(json!(line))] }));
        let list = (prop::option::of(1..1_000_u32), prop::collection::vec((leaf, prop::option::of(any_line())), 1..4)).prop_map(|(first, items)| {
            let items: Vec<Value> = items.into_iter().map(|(mut item, nested)| {
                if let Some(line) = nested {
                    let nested = json!({ "type": "bulletList", "content": [{ "type": "listItem", "content": [paragraph(json!(line))] }] });
                    item["content"].as_array_mut().unwrap().push(nested);
                }
                item
            }).collect();
            match first {
                Some(first) => json!({ "type": "orderedList", "attrs": { "order": first }, "content": items }),
                None => json!({ "type": "bulletList", "content": items }),
            }
        });
        prop_oneof![
            plain,
            heading,
            code,
            quote,
            list,
            Just(json!({ "type": "rule" }))
        ]
    }

    proptest! {
        #[test]
        fn a_document_comes_back_through_markdown_as_it_was(blocks in prop::collection::vec(any_block(), 1..5)) {
            // Two lists in a row would be one list; a paragraph stands between any two blocks.
            let mut content = Vec::new();
            for block in blocks {
                content.push(paragraph(json!([text("p", &[])])));
                content.push(block);
            }
            let document = doc(json!(content));
            let markdown = to_markdown(&document).text;
            prop_assert_eq!(from_markdown(&markdown), document, "{}", markdown);
        }

        #[test]
        fn any_text_becomes_a_document_that_says_the_same_again(text in "(\\PC|\n|\\*|_|`|> |- |# ){0,60}") {
            let once = to_markdown(&from_markdown(&text)).text;
            let _ = to_markdown(&json!(text));
            prop_assert!(once.len() <= 4 * text.len() + 8);
        }
    }
}
