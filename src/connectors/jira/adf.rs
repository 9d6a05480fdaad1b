//! Jira Cloud's document format as Markdown, and Markdown as a document.
//!
//! What has no place in Markdown (panels, expanders, cards) gives its words; pictures give nothing. A mention is the name
//! it shows, with the account kept beside the text.

mod write;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

pub use write::from_markdown;

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
