//! The wiki markup of Jira Data Center as Markdown, and Markdown as wiki markup.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::adf::Words;

/// Returns wiki markup as Markdown.
pub fn to_markdown(markup: &str) -> Words {
    let markup = markup.replace("\r\n", "\n");
    let mut reader = Reader::default();
    for line in markup.lines() {
        reader.add(line);
    }
    reader.end_code();
    Words {
        text: reader.out.join("\n").trim().to_owned(),
        mentions: reader.mentions,
    }
}

#[derive(Default)]
struct Reader {
    out: Vec<String>,
    mentions: Vec<String>,
    /// The tag of a block of code that is not over.
    code: Option<&'static str>,
    is_quoted: bool,
    is_in_table: bool,
}

impl Reader {
    fn add(&mut self, line: &str) {
        if let Some(tag) = self.code {
            match line.split_once(tag) {
                None => self.put(line),
                Some((before, after)) => {
                    if !before.trim().is_empty() {
                        self.put(before);
                    }
                    self.end_code();
                    if !after.trim().is_empty() {
                        self.add(after);
                    }
                }
            }
            return;
        }
        for tag in ["{code", "{noformat"] {
            let Some((before, rest)) = line.split_once(tag) else {
                continue;
            };
            let Some((options, rest)) = rest.split_once('}') else {
                continue;
            };
            // `{{code}}` is the word, as code.
            let is_word = before.ends_with('{');
            if is_word || !(options.is_empty() || options.starts_with(':')) {
                continue;
            }
            if !before.trim().is_empty() {
                self.add(before);
            }
            self.code = Some(if tag == "{code" {
                "{code}"
            } else {
                "{noformat}"
            });
            let is_word = |part: &&str| !part.is_empty() && !part.contains('=');
            let language = options.trim_start_matches(':').split('|').find(is_word);
            self.put(&format!("```{}", language.unwrap_or_default().trim()));
            if !rest.trim().is_empty() {
                self.add(rest);
            }
            return;
        }
        self.add_text(line.trim_end());
    }

    fn add_text(&mut self, line: &str) {
        // A quote begins and ends within a line or on its own.
        if let Some((before, after)) = line.split_once("{quote}") {
            if !before.trim().is_empty() {
                self.add_text(before);
            }
            self.is_quoted = !self.is_quoted;
            if !self.is_quoted {
                self.out.push(String::new());
            }
            if !after.trim().is_empty() {
                self.add_text(after);
            }
            return;
        }
        let line = without_frames(line);
        let text = line.trim_start();
        if !text.starts_with('|') {
            self.is_in_table = false;
        }
        let heading = text
            .strip_prefix('h')
            .and_then(|rest| rest.split_once(". "))
            .and_then(|(level, rest)| Some((level.parse::<usize>().ok()?, rest)))
            .filter(|(level, _)| (1..=6).contains(level));
        if let Some((level, rest)) = heading {
            let rest = self.inline(rest);
            return self.put(&format!("{} {rest}", "#".repeat(level)));
        }
        if let Some(rest) = text.strip_prefix("bq. ") {
            let rest = self.inline(rest);
            return self.put(&format!("> {rest}"));
        }
        if text == "----" {
            return self.put("---");
        }
        if text.starts_with('|') {
            return self.row(text);
        }
        let bullets = text.bytes().take_while(|b| b"*#-".contains(b)).count();
        if bullets > 0 && text[bullets..].starts_with(' ') {
            let marker = if text[..bullets].ends_with('#') {
                "1."
            } else {
                "-"
            };
            let rest = self.inline(text[bullets..].trim_start());
            let indent = "   ".repeat(bullets - 1);
            return self.put(&format!("{indent}{marker} {rest}"));
        }
        let text = self.inline(text);
        for line in text.lines() {
            self.put(line.trim_end());
        }
        if text.is_empty() {
            self.put("");
        }
    }

    fn row(&mut self, text: &str) {
        let is_head = text.starts_with("||");
        let sign = if is_head { "||" } else { "|" };
        let cells = text.trim_matches('|').split(sign);
        let cells: Vec<String> = cells.map(|cell| self.inline(cell.trim())).collect();
        self.put(&format!("| {} |", cells.join(" | ")));
        if !self.is_in_table {
            self.put(&format!("|{}", " --- |".repeat(cells.len())));
        }
        self.is_in_table = true;
    }

    fn put(&mut self, line: &str) {
        self.out.push(match (self.is_quoted, line) {
            (false, line) => line.to_owned(),
            (true, "") => ">".to_owned(),
            (true, line) => format!("> {line}"),
        });
    }

    fn end_code(&mut self) {
        if self.code.take().is_some() {
            self.put("```");
        }
    }

    fn inline(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let before = out.chars().next_back();
            let taken = match c {
                '\\' if rest.starts_with("\\\\") => {
                    out.push('\n');
                    2
                }
                '\\' => {
                    let next = rest[1..].chars().next().filter(char::is_ascii_punctuation);
                    out.push_str(&next.map_or("\\".into(), |next| format!("\\{next}")));
                    1 + next.map_or(0, char::len_utf8)
                }
                '{' if rest.starts_with("{{") => match rest.find("}}") {
                    Some(end) => {
                        out.push_str(&format!("`{}`", rest[2..end].replace('`', "'")));
                        end + 2
                    }
                    None => {
                        out.push_str("{{");
                        2
                    }
                },
                '[' => self.link(rest, &mut out),
                '!' => match picture(rest) {
                    Some(end) => end,
                    None => {
                        out.push('!');
                        1
                    }
                },
                '*' | '_' | '-' | '+' => match phrase(rest, c, before) {
                    Some(end) => {
                        let inner = self.inline(&rest[1..end]);
                        let sign = match c {
                            '*' => "**",
                            '_' => "*",
                            '-' => "~~",
                            _ => "",
                        };
                        out.push_str(&format!("{sign}{inner}{sign}"));
                        end + 1
                    }
                    None => {
                        out.push(c);
                        1
                    }
                },
                _ => {
                    out.push(c);
                    c.len_utf8()
                }
            };
            rest = &rest[taken..];
        }
        out
    }

    /// Puts a link or a mention into the text; returns how long it is.
    fn link(&mut self, rest: &str, out: &mut String) -> usize {
        let inner = rest[1..].split(['\n', ']']).next().unwrap_or_default();
        if inner.is_empty() || !rest[1 + inner.len()..].starts_with(']') {
            out.push('[');
            return 1;
        }
        let taken = inner.len() + 2;
        if let Some(name) = inner.strip_prefix('~') {
            let name = name.strip_prefix("accountid:").unwrap_or(name);
            self.mentions.push(name.to_owned());
            out.push_str(&format!("@{name}"));
            return taken;
        }
        let mut parts = inner.split('|');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let is_address = |text: &str| text.contains("://") || text.starts_with("mailto:");
        match second {
            Some(url) if is_address(url) => {
                let text = self.inline(first);
                out.push_str(&format!("[{text}](<{}>)", url.trim()));
            }
            None if is_address(first) => out.push_str(&format!("<{first}>")),
            // Attachments and anchors lead nowhere from outside.
            _ if first.starts_with(['^', '#']) => out.push_str(&first[1..]),
            _ => {
                out.push_str(&format!("[{inner}]"));
            }
        }
        taken
    }
}

/// Returns a line without the signs of colors and panels.
fn without_frames(line: &str) -> String {
    let mut text = line.to_owned();
    for tag in [
        "{color", "{panel", "{anchor", "{tip", "{info", "{warning", "{note",
    ] {
        let mut from = 0;
        while let Some(start) = text[from..].find(tag).map(|at| from + at) {
            let rest = &text[start + tag.len()..];
            let end = rest
                .find('}')
                .filter(|end| *end == 0 || rest.starts_with(':'));
            match end {
                Some(end) => text.replace_range(start..start + tag.len() + end + 1, ""),
                None => from = start + tag.len(),
            }
        }
    }
    text
}

/// Returns where a picture ends.
fn picture(rest: &str) -> Option<usize> {
    let end = rest[1..].find('!')? + 1;
    let name = rest[1..end].split('|').next()?;
    let is_file = name.contains('.') && !name.contains(char::is_whitespace) && name.len() > 2;
    is_file.then_some(end + 1)
}

/// Returns where a phrase within `sign`s ends: it touches them within, and no letter or digit outside.
fn phrase(rest: &str, sign: char, before: Option<char>) -> Option<usize> {
    let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != sign);
    if !is_apart(before) || rest[1..].starts_with(|c: char| c.is_whitespace() || c == sign) {
        return None;
    }
    let mut ends = rest.match_indices(sign).skip(1).map(|(at, _)| at);
    ends.find(|end| {
        let last = rest[..*end].chars().next_back();
        let is_touching = last.is_some_and(|last| !last.is_whitespace() && last != sign);
        is_touching && is_apart(rest[end + 1..].chars().next())
    })
}

/// Returns Markdown as wiki markup; what would be markup in it is escaped.
pub fn from_markdown(text: &str) -> String {
    let mut writer = Writer::default();
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        writer.add(event);
    }
    writer.out.trim().to_owned()
}

#[derive(Default)]
struct Writer {
    out: String,
    /// The signs of the lists that are not over.
    lists: Vec<char>,
    /// The addresses of the links that are not over.
    links: Vec<String>,
    is_code: bool,
}

impl Writer {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::Paragraph) if self.lists.is_empty() => self.apart(),
            Event::Start(Tag::Heading { level, .. }) => {
                self.apart();
                self.out.push_str(&format!("{level}. "));
            }
            Event::Start(Tag::BlockQuote(_)) => {
                self.apart();
                self.out.push_str("{quote}\n");
            }
            Event::End(TagEnd::BlockQuote(_)) => self.out.push_str("\n{quote}"),
            Event::Start(Tag::CodeBlock(kind)) => {
                self.apart();
                self.is_code = true;
                let language = match kind {
                    CodeBlockKind::Fenced(language) if !language.is_empty() => {
                        let is_fit = |c: char| c.is_ascii_alphanumeric();
                        let language: String = language.chars().filter(|c| is_fit(*c)).collect();
                        format!(":{language}")
                    }
                    _ => String::new(),
                };
                self.out.push_str(&format!("{{code{language}}}\n"));
            }
            Event::End(TagEnd::CodeBlock) => {
                self.is_code = false;
                self.out.push_str("{code}");
            }
            Event::Start(Tag::List(first)) => {
                if self.lists.is_empty() {
                    self.apart();
                }
                self.lists.push(if first.is_some() { '#' } else { '*' });
            }
            Event::End(TagEnd::List(_)) => {
                self.lists.pop();
            }
            Event::Start(Tag::Item) => {
                if !self.out.is_empty() && !self.out.ends_with('\n') {
                    self.out.push('\n');
                }
                let signs: String = self.lists.iter().collect();
                self.out.push_str(&format!("{signs} "));
            }
            Event::Start(Tag::Strong) | Event::End(TagEnd::Strong) => self.out.push('*'),
            Event::Start(Tag::Emphasis) | Event::End(TagEnd::Emphasis) => self.out.push('_'),
            Event::Start(Tag::Strikethrough) | Event::End(TagEnd::Strikethrough) => {
                self.out.push('-');
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.out.push('[');
                self.links.push(dest_url.replace(['|', ']'], ""));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                let url = self.links.pop().unwrap_or_default();
                self.out.push_str(&format!("|{url}]"));
            }
            Event::Text(text) if self.is_code => {
                // Nothing within may end it.
                self.out.push_str(&text.replace("{code}", "{ code}"));
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                self.out.push_str(&escaped(&text));
            }
            Event::Code(text) => {
                self.out.push_str(&format!("{{{{{}}}}}", escaped(&text)));
            }
            Event::SoftBreak | Event::HardBreak => {
                self.out
                    .push_str(if self.lists.is_empty() { "\n" } else { " " });
            }
            Event::Rule => {
                self.apart();
                self.out.push_str("----");
            }
            _ => {}
        }
    }

    fn apart(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("{quote}\n") {
            self.out.push_str("\n\n");
        }
    }
}

/// Returns a text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        let is_inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_sign = match c {
            '{' | '}' | '[' | ']' | '|' | '\\' | '!' | '^' | '~' => true,
            '*' | '_' | '-' | '+' => !(is_inside(before) && is_inside(after)),
            _ => false,
        };
        if is_sign {
            escaped.push('\\');
        }
        escaped.push(c);
        before = Some(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wiki_markup_reads_as_markdown() {
        for (markup, expected) in [
            ("h2. Plan\r\nwords", "## Plan\nwords"),
            (
                "*bold* _em_ -gone- +new+ {{code}}",
                "**bold** *em* ~~gone~~ new `code`",
            ),
            (
                "snake_case_name, 2 * 3 * 4, well-known re-use",
                "snake_case_name, 2 * 3 * 4, well-known re-use",
            ),
            ("* a\n** b\n# c\n- d", "- a\n   - b\n1. c\n- d"),
            (
                "{code:java|title=X.java}\nint *a*;\n{code}\nafter",
                "```java\nint *a*;\n```\nafter",
            ),
            ("{code:title=x|java}a{code}", "```java\na\n```"),
            ("{noformat}\n[~bo] *x*\n{noformat}", "```\n[~bo] *x*\n```"),
            ("{code}\nnever over", "```\nnever over\n```"),
            (
                "{quote}\nold\n\nwords\n{quote}\nnew",
                "> old\n>\n> words\n\nnew",
            ),
            ("bq. said", "> said"),
            (
                "[~Bo] see [here|https://x.org/a] and [https://x.org]",
                "@Bo see [here](<https://x.org/a>) and <https://x.org>",
            ),
            ("[not a link] [^log.txt]", "[not a link] log.txt"),
            ("!shot.png|thumbnail! done! now!", "done! now!"),
            (
                "||k||v||\n|a|b|\nx",
                "| k | v |\n| --- | --- |\n| a | b |\nx",
            ),
            ("{color:red}late{color} {panel:title=x}in{panel}", "late in"),
            ("one\\\\two", "one\ntwo"),
            ("\\*no\\*", "\\*no\\*"),
            ("----", "---"),
            ("", ""),
        ] {
            assert_eq!(to_markdown(markup).text, expected, "{markup}");
        }
        assert_eq!(
            to_markdown("[~Bo] and [~accountid:5b10]").mentions,
            ["Bo", "5b10"]
        );
    }

    #[test]
    fn what_we_write_is_wiki_markup_and_text_in_it_is_none() {
        for (text, expected) in [
            (
                "# Who\n\n**Ana** *knows*\nthis",
                "h1. Who\n\n*Ana* _knows_\nthis",
            ),
            ("- a\n  - b\n- c", "* a\n** b\n* c"),
            ("1. a\n2. b", "# a\n# b"),
            (
                "[CORE-1](https://x.org/1) `x*y`",
                "[CORE-1|https://x.org/1] {{x*y}}",
            ),
            ("```rust\nlet a;\n```", "{code:rust}\nlet a;\n{code}"),
            ("> said", "{quote}\nsaid\n{quote}"),
            (
                "[~everybody] {code} !x.png!",
                "\\[\\~everybody\\] \\{code\\} \\!x.png\\!",
            ),
        ] {
            assert_eq!(from_markdown(text), expected, "{text}");
        }
        let said = to_markdown(&from_markdown("[~everybody] {code} !x.png! *y*"));
        assert!(said.mentions.is_empty(), "{said:?}");
    }

    proptest! {
        #[test]
        fn no_markup_breaks_the_reader(markup in "(\\PC|\n|\\{code\\}|\\{quote\\}|\\[~|\\*|_|\\||h1\\. ){0,60}") {
            to_markdown(&markup);
        }

        #[test]
        fn nobody_is_addressed_by_text_that_we_write(text in "(\\PC|\\[~|\\]|\\\\|\n|`){0,40}") {
            prop_assert!(to_markdown(&from_markdown(&text)).mentions.is_empty());
        }
    }
}
