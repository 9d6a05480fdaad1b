//! A briefing as text for a terminal, a pipe or a plain file.
//!
//! ```text
//!  1 CORE-16123  Ana asks you · nightly archives over https       asks you · assigned
//!      answer by 11:30, then Ana waits until Mon 09:00
//!      Ana, Sun 20:09: “Can you pick one?”
//! ```

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use super::here::Here;
use super::lines::{Line, Span, columns, columns_of, wrap};
use super::links::web_address;
use super::names::{chips, title_of};
use super::{parts, phrases, plain};
use crate::model::{Briefing, BriefingItem, Citation, ItemKind, Member, ThreadRef, Waiting};

/// How wide a screen is and what it can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns; at least 40 are used.
    pub width: usize,
    /// Whether colours may be used.
    pub color: bool,
    /// What becomes of links.
    pub links: Links,
}

impl Default for Screen {
    fn default() -> Self {
        Screen {
            width: 80,
            color: false,
            links: Links::Hidden,
        }
    }
}

impl Screen {
    /// Returns the text in bold, where colours may be used.
    pub fn bold(&self, text: &str) -> String {
        let style = if self.color { BOLD } else { PLAIN };
        format!("{style}{text}{style:#}")
    }
}

/// What becomes of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// They are left out.
    Hidden,
    /// Labels and times are links (OSC 8).
    Inline,
    /// The link of each line stands at the end: `[1]: https://…`.
    Listed,
}

const MIN_WIDTH: usize = 40;
/// Where a line's text begins: after its number.
const NUMBER: usize = 3;
/// Where answers and quotes begin, and where a long quote goes on.
const DETAIL: usize = 5;
const DETAIL_REST: usize = 7;

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const SECTION: Style = AnsiColor::Cyan.on_default().bold();
const LABEL: Style = AnsiColor::Blue.on_default().bold();
const URGENT: Style = AnsiColor::Yellow.on_default().bold();

/// Returns a briefing as text, for a reader who is at `now`.
pub fn terminal(briefing: &Briefing, member: &Member, now: Timestamp, screen: &Screen) -> String {
    let here = Here::new(&member.time_zone, now);
    let mut page = Page {
        here,
        screen,
        width: screen.width.max(MIN_WIDTH),
        label: 0,
        lines: Vec::new(),
    };
    if briefing.is_quiet() {
        page.flow(0, 0, &[Span::new(page.here.quiet(briefing), BOLD)]);
        page.gaps(briefing);
    } else {
        page.label = page.label_column(briefing);
        page.briefing(briefing, member);
    }
    page.text()
}

/// Lines as they come into being.
struct Page<'a> {
    here: Here,
    screen: &'a Screen,
    width: usize,
    /// How wide the column of labels is.
    label: usize,
    lines: Vec<Line>,
}

impl Page<'_> {
    fn briefing(&mut self, briefing: &Briefing, member: &Member) {
        let greeting = self.here.greeting(briefing, member);
        let place = format!(" · {}", self.here.place(briefing));
        self.flow(0, 2, &[Span::new(greeting, BOLD), Span::new(place, PLAIN)]);
        self.flow(0, 2, &[Span::new(phrases::headline(briefing), BOLD)]);
        for (section, items) in parts::sections(briefing) {
            self.heading(title_of(section));
            for (number, item) in items {
                self.item(number, item);
            }
        }
        if !briefing.waiting.is_empty() {
            self.heading("You wait for");
            for waiting in &briefing.waiting {
                self.waiting(waiting);
            }
        }
        self.lines.push(Vec::new());
        self.also(briefing);
        self.gaps(briefing);
        let covered = phrases::covered(&briefing.covered);
        for line in covered.into_iter().chain([phrases::provenance(briefing)]) {
            self.flow(0, 2, &[Span::new(line, DIM)]);
        }
        if self.screen.links == Links::Listed {
            self.list_links(briefing);
        }
    }

    fn heading(&mut self, title: &str) {
        self.lines.push(Vec::new());
        self.lines
            .push(vec![Span::new(title.to_uppercase(), SECTION)]);
    }

    fn item(&mut self, number: usize, item: &BriefingItem) {
        let label = parts::label(item);
        let mut tail: Vec<String> = chips(item)
            .into_iter()
            .map(|chip| chip.into_owned())
            .collect();
        let mut body = vec![plain(&item.headline).into_owned()];
        let facts = || {
            parts::facts(item)
                .into_iter()
                .map(|(_, words)| plain(words).into_owned())
        };
        match item.kind {
            _ if label.is_none() => {}
            // Where the change is the news it comes first.
            ItemKind::StatusChange | ItemKind::Due | ItemKind::Stale => {
                body.splice(..0, facts());
            }
            _ => tail.extend(facts()),
        }
        body.retain(|part| !part.is_empty());
        tail.retain(|part| !part.is_empty());
        let mut head = vec![Span::new(format!("{number:>2} "), DIM)];
        let start = match label {
            Some(thread) => {
                head.extend(self.label_of(thread));
                NUMBER + self.label + 2
            }
            None => NUMBER,
        };
        head.push(Span::new(body.join(" · "), PLAIN));
        self.hang(start, head);
        self.tail(start, &tail);
        if label.is_none() {
            self.shared_facts(item);
        }
        if let Some(answer_by) = self.here.answer_by(item) {
            self.flow(DETAIL, DETAIL_REST, &[Span::new(answer_by, URGENT)]);
        }
        self.flow(DETAIL, DETAIL, &[Span::new(plain(&item.summary), PLAIN)]);
        for citation in parts::quotes(item) {
            self.quote(citation);
        }
    }

    /// Returns a label, filled up to its column; a longer one is followed by two columns of space.
    fn label_of(&self, thread: &ThreadRef) -> [Span; 2] {
        let name = phrases::name_of(thread);
        let space = self.label.saturating_sub(columns(&name)) + 2;
        [
            Span::link(name, LABEL, web_address(&thread.url)),
            Span::new(" ".repeat(space), PLAIN),
        ]
    }

    /// Sets the reasons at the right: on the last line if it has room, else on lines of their own.
    fn tail(&mut self, start: usize, parts: &[String]) {
        let tail = parts.join(" · ");
        let wanted = columns(&tail);
        let used = self.lines.last().map_or(0, |line| columns_of(line));
        if wanted == 0 {
            return;
        }
        if used + 2 + wanted <= self.width {
            let space = Span::new(" ".repeat(self.width - used - wanted), PLAIN);
            let last = self
                .lines
                .last_mut()
                .expect("the item's first line was pushed before");
            last.extend([space, Span::new(tail, DIM)]);
            return;
        }
        let room = self.width - start;
        let mut lines: Vec<String> = Vec::new();
        for part in parts {
            match lines.last_mut() {
                Some(line) if columns(line) + 3 + columns(part) <= room => {
                    line.extend([" · ", part])
                }
                _ => lines.push(part.clone()),
            }
        }
        for mut line in lines
            .into_iter()
            .flat_map(|line| wrap(&[Span::new(line, DIM)], room, room))
        {
            let space = " ".repeat(self.width - columns_of(&line));
            line.insert(0, Span::new(space, PLAIN));
            self.lines.push(line);
        }
    }

    /// Tells what happened in each of several places, their labels as links.
    fn shared_facts(&mut self, item: &BriefingItem) {
        let mut spans = Vec::new();
        for (thread, words) in parts::facts(item) {
            if !spans.is_empty() {
                spans.push(Span::new(" · ", DIM));
            }
            if let Some(thread) = thread {
                spans.push(Span::link(
                    phrases::name_of(thread),
                    LABEL,
                    web_address(&thread.url),
                ));
            }
            let space = if words.starts_with(' ') { " " } else { "" };
            spans.push(Span::new(format!("{space}{}", plain(words)), PLAIN));
        }
        self.flow(DETAIL, DETAIL, &spans);
    }

    fn quote(&mut self, citation: &Citation) {
        let author =
            phrases::author(citation).map(|author| Span::new(format!("{author}, "), PLAIN));
        let mut spans: Vec<Span> = author.into_iter().collect();
        spans.push(Span::link(
            self.here.when(citation.at),
            DIM,
            web_address(&citation.url),
        ));
        spans.push(Span::new(format!(": {}", phrases::quoted(citation)), PLAIN));
        self.flow(DETAIL, DETAIL_REST, &spans);
    }

    /// Tells on whom the reader waits, on one line as long as that holds it.
    fn waiting(&mut self, waiting: &Waiting) {
        let (who, since, age) = self.here.waiting(waiting);
        let mut spans = vec![Span::new(" ".repeat(NUMBER), PLAIN)];
        spans.extend(self.label_of(&waiting.thread));
        spans.push(Span::new(format!("{who} since "), PLAIN));
        spans.push(Span::link(since, PLAIN, web_address(&waiting.citation.url)));
        spans.push(Span::new(format!(" · {age}"), PLAIN));
        let quote = format!(" · {}", phrases::quoted(&waiting.citation));
        let fits = columns_of(&spans) + columns(&quote) <= self.width;
        if fits && !waiting.citation.quote.trim().is_empty() {
            spans.push(Span::new(quote, DIM));
        }
        self.hang(NUMBER + self.label + 2, spans);
    }

    fn also(&mut self, briefing: &Briefing) {
        let (named, more) = parts::also(briefing);
        let mut spans = Vec::new();
        for (thread, times) in &named {
            let before = if spans.is_empty() {
                "also moved: "
            } else {
                ", "
            };
            spans.push(Span::new(before, PLAIN));
            spans.push(Span::link(
                phrases::name_of(thread),
                LABEL,
                web_address(&thread.url),
            ));
            if *times > 1 {
                spans.push(Span::new(format!(" ×{times}"), PLAIN));
            }
        }
        match (named.is_empty(), more) {
            (_, 0) => {}
            (true, more) => spans.push(Span::new(
                format!("also moved: {}", phrases::count(more, "thread", "threads")),
                PLAIN,
            )),
            (false, more) => spans.push(Span::new(format!("; {more} more"), PLAIN)),
        }
        self.flow(0, 2, &spans);
    }

    fn gaps(&mut self, briefing: &Briefing) {
        for gap in &briefing.gaps {
            self.flow(0, 2, &[Span::new(phrases::gap(gap), URGENT)]);
        }
    }

    /// Lists where each line leads.
    fn list_links(&mut self, briefing: &Briefing) {
        let addresses = (1..).zip(&briefing.items).filter_map(|(number, item)| {
            let address = item
                .threads
                .iter()
                .find_map(|thread| web_address(&thread.url));
            address.map(|address| format!("[{number}]: {address}"))
        });
        let addresses: Vec<Line> = addresses.map(|line| vec![Span::new(line, DIM)]).collect();
        if !addresses.is_empty() {
            self.lines.push(Vec::new());
        }
        // An address is not wrapped: half of one leads nowhere.
        self.lines.extend(addresses);
    }

    /// Adds spans from one column on, further lines indented.
    fn flow(&mut self, start: usize, rest: usize, spans: &[Span]) {
        let lines = wrap(spans, self.width - start, self.width - rest);
        for (index, mut line) in lines.into_iter().enumerate() {
            let indent = if index == 0 { start } else { rest };
            line.insert(0, Span::new(" ".repeat(indent), PLAIN));
            self.lines.push(line);
        }
    }

    /// Adds spans that begin with their own indent, further lines from the column `rest`.
    fn hang(&mut self, rest: usize, spans: Vec<Span>) {
        let lines = wrap(&spans, self.width, self.width - rest);
        for (index, mut line) in lines.into_iter().enumerate() {
            if index > 0 {
                line.insert(0, Span::new(" ".repeat(rest), PLAIN));
            }
            self.lines.push(line);
        }
    }

    /// Returns how wide the labels are, as far as a column can be: some are subjects of mails.
    fn label_column(&self, briefing: &Briefing) -> usize {
        let most = if self.width < 60 { 10 } else { 14 };
        let items = briefing.items.iter().filter_map(parts::label);
        let labels = items.chain(briefing.waiting.iter().map(|waiting| &waiting.thread));
        labels
            .map(|thread| columns(&phrases::name_of(thread)))
            .filter(|columns| *columns <= most)
            .max()
            .unwrap_or(0)
    }

    /// Writes the lines, with sequences for colours and links where they are wanted.
    fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let mut written = String::new();
            for span in line.iter().filter(|span| !span.text.is_empty()) {
                let style = if self.screen.color { span.style } else { PLAIN };
                let url = span
                    .url
                    .as_deref()
                    .filter(|_| self.screen.links == Links::Inline);
                let (open, close) = match url {
                    Some(url) => (format!("\u{1b}]8;;{url}\u{1b}\\"), "\u{1b}]8;;\u{1b}\\"),
                    None => (String::new(), ""),
                };
                written.push_str(&format!("{open}{style}{}{style:#}{close}", span.text));
            }
            text.push_str(written.trim_end_matches(' '));
            text.push('\n');
        }
        text
    }
}
