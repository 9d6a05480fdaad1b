//! Markdown as a document.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde_json::{Map, Value, json};

use super::{children, kind_of, text_of};

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
