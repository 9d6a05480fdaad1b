//! Whom a sentence is said to: mentions, vocatives, the one being replied to, or everybody.

use crate::model::{AskKind, ThreadKind};

use super::super::clean::{Class, Cleaned};
use super::super::words::Words;
use super::{AskFound, Scene, To};

/// Words before a sentence's matter: they neither ask nor address.
const MARKERS: &[&str] = &[
    "so",
    "and",
    "but",
    "or",
    "hmm",
    "hm",
    "ok",
    "okay",
    "also",
    "btw",
    "well",
    "hi",
    "hey",
    "hello",
    "hallo",
    "hola",
    "oh",
    "ah",
    "um",
    "uh",
    "then",
    "now",
    "actually",
    "anyway",
    "anyways",
    "just",
    "ps",
    "p.s",
    "yeah",
    "yes",
    "yep",
    "right",
    "thanks",
    "sorry",
    "cool",
    "nice",
    "great",
    "alright",
    "finally",
    "again",
    "secondly",
    "first",
    "second",
    "lastly",
    "additionally",
    "otherwise",
    "however",
    "though",
    "still",
    "maybe",
    "out",
    "of",
    "curiosity",
    "like",
    "quick",
    "question",
    "for",
    "example",
    "in",
    "particular",
    "specifically",
    "basically",
    "namely",
    "wait",
    "hang",
    "hold",
    "on",
    "alternatively",
];

/// Words that speak to whoever reads.
const EVERYBODY: &[&str] = &[
    "anyone|anybody|someone|somebody|any1|everyone|everybody|folks|y'all|anyone's|anybody's|nobody|people|channel|here|team|guys",
    "you all|guys|folks",
    "any ?of you",
    "any idea|ideas|suggestions|advice|pointers|tips|hints|objections|comments|help|volunteers|thoughts",
    "is there ?any|a|some|something|anything",
    "are there *",
    "all",
    "who has|can|wants|else|would|is",
    "the group|list|wg|committee|team|community",
    "jemand|wer|alguien|alguém|alguem|quelqu'un|todos|alle",
];

/// Words that speak to one.
const YOU: &str = "you|your|you're|youre|u|ur|yours|yourself|ya|du|dein|deine|dir|dich|sie|ihr|tu|te|vous|votre|usted|tú|tienes|puedes|você|voce|peux-tu|pouvez-vous|you've|you'd|you'll";

/// Returns the first position after greetings, discourse markers and a vocative.
pub(super) fn head(scene: &Scene<'_>, i: usize, words: &Words) -> usize {
    let mut at = 0;
    while at < words.len().min(6) {
        let word = &words.list[at];
        let is_vocative = word.is_mention
            || matches!(word.tail, ',' | ':' | '-' | '–' | '…')
                && at < 3
                && resolve(scene, i, words, at).is_some();
        let is_marker = MARKERS.contains(&words.get(at));
        if !is_vocative && !is_marker {
            break;
        }
        at += 1;
    }
    at
}

/// Returns the ask of a review bot's line: "r? @ana".
pub(super) fn review_call<'a>(scene: &Scene<'a>, i: usize) -> Option<AskFound<'a>> {
    let text = scene.messages[i].text;
    let mut from = 0;
    while let Some(at) = text[from..].find("r?").map(|at| at + from) {
        from = at + 2;
        let starts = at == 0
            || text[..at].ends_with(|c: char| c.is_whitespace() || matches!(c, '(' | '*' | ','));
        let ends = text[at + 2..]
            .chars()
            .next()
            .is_none_or(char::is_whitespace);
        if !starts || !ends {
            continue;
        }
        let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let words = Words::new(text, at..line_end);
        let mut keys: Vec<&'a str> = Vec::new();
        for n in 1..words.len() {
            if !words.list[n].is_mention && (n > 1 || words.list[n].range.start > at + 4) {
                break;
            }
            match resolve(scene, i, &words, n) {
                Some(key) if !keys.contains(&key) => keys.push(key),
                Some(_) => {}
                None => break,
            }
        }
        let is_call = !keys.is_empty() || words.len() <= 3 || text.trim().len() < 30;
        if is_call {
            let end = words
                .list
                .get(keys.len())
                .map_or(at + 2, |word| word.range.end)
                .max(at + 2);
            let to = if keys.is_empty() {
                To::Group
            } else {
                To::Persons(keys)
            };
            return Some(AskFound {
                kind: AskKind::Review,
                to,
                sentence: at..end,
                is_urgent: false,
                score: 2.0,
            });
        }
    }
    None
}

/// Returns whom the sentence is for.
pub(super) fn addressee<'a>(
    scene: &Scene<'a>,
    i: usize,
    cleaned: &Cleaned,
    segment: usize,
) -> To<'a> {
    let message = &scene.messages[i];
    let range = cleaned.segments[segment].range.clone();
    let words = Words::new(&cleaned.flat, range);
    let named = named_in(scene, i, &words);
    if !named.is_empty() {
        return To::Persons(named);
    }
    let to_all = words.has_any(EVERYBODY, 0);
    let lead = lead_of(scene, i, cleaned);
    if !lead.is_empty() && !words.has("anyone|anybody|someone|somebody", 0) {
        return To::Persons(lead);
    }
    if words.list.iter().any(|word| word.is_mention) && !message.mentions.is_empty() {
        return To::Persons(message.mentions.to_vec());
    }
    if to_all {
        return To::Group;
    }
    let near = mentions_near(scene, i, cleaned, segment);
    if !near.is_empty() {
        return To::Persons(near);
    }
    match replied_to(scene, i, cleaned, segment, &words) {
        Some(key) => To::Persons(vec![key]),
        None => To::Group,
    }
}

/// Returns the people the sentence itself speaks to.
fn named_in<'a>(scene: &Scene<'a>, i: usize, words: &Words) -> Vec<&'a str> {
    let mut keys: Vec<&'a str> = Vec::new();
    let count = words.len();
    for n in 0..count {
        let word = &words.list[n];
        let is_spoken_to = if word.is_mention {
            !is_reference(words, n)
        } else {
            is_vocative(words, n)
        };
        if is_spoken_to
            && let Some(key) = resolve(scene, i, words, n)
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    keys
}

/// Returns whether a mention only speaks about somebody: "as @ana said", "@ana's patch".
fn is_reference(words: &Words, n: usize) -> bool {
    const BEFORE: [&str; 12] = [
        "as", "like", "by", "from", "per", "of", "with", "thanks", "thx", "via", "after", "than",
    ];
    const AFTER: [&str; 16] = [
        "said",
        "says",
        "mentioned",
        "wrote",
        "suggested",
        "pointed",
        "noted",
        "posted",
        "has",
        "had",
        "did",
        "is",
        "was",
        "thinks",
        "already",
        "and",
    ];
    let before = n > 0 && BEFORE.contains(&words.get(n - 1));
    let after = n > 0 && words.list[n].tail == ' ' && AFTER.contains(&words.get(n + 1));
    before || after || words.get(n).ends_with("'s")
}

/// Returns whether a bare word stands where a name is called: first with a comma or colon, after a greeting, or last.
fn is_vocative(words: &Words, n: usize) -> bool {
    let word = &words.list[n];
    let called = matches!(word.tail, ',' | ':' | ')' | '-' | '–');
    let greeted = n > 0
        && matches!(
            words.get(n - 1),
            "hi" | "hey" | "hello" | "dear" | "ping" | "hallo" | "hola" | "oi" | "salut"
        );
    let opens = n == 0
        || (n <= 2
            && (0..n).all(|m| {
                MARKERS.contains(&words.get(m))
                    || words.list[m].range.end + 2 >= words.list[n].range.start
            }));
    let asked = n == 0
        && matches!(
            words.get(1),
            "can"
                | "could"
                | "would"
                | "will"
                | "please"
                | "pls"
                | "do"
                | "did"
                | "have"
                | "are"
                | "any"
                | "what"
                | "how"
        );
    let last = n + 1 == words.len() && n > 0 && words.list[n - 1].tail == ',';
    opens && (called || asked) || greeted || last
}

/// Returns whom the whole message speaks to: a mention or name at its start, or a greeting.
fn lead_of<'a>(scene: &Scene<'a>, i: usize, cleaned: &Cleaned) -> Vec<&'a str> {
    let Some(first) = cleaned.segments.first() else {
        return Vec::new();
    };
    let words = Words::new(&cleaned.flat, first.range.clone());
    let mut keys = Vec::new();
    for n in 0..words.len().min(8) {
        let word = &words.list[n];
        let greets = n == 0 && super::super::lines::is_greeting(words.get(0), 1);
        if greets || words.get(n) == "and" {
            continue;
        }
        let is_called = word.is_mention && !(n > 0 && is_reference(&words, n))
            || is_vocative(&words, n)
            || first.class == Class::Greeting;
        match resolve(scene, i, &words, n) {
            Some(key) if is_called => {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            _ if first.class == Class::Greeting => {}
            _ => break,
        }
    }
    keys
}

/// Returns the people mentioned right after the ask: "Thoughts? cc @ana", or in a line of mentions alone.
fn mentions_near<'a>(
    scene: &Scene<'a>,
    i: usize,
    cleaned: &Cleaned,
    segment: usize,
) -> Vec<&'a str> {
    let mut keys = Vec::new();
    for (n, other) in cleaned
        .segments
        .iter()
        .enumerate()
        .skip(segment.saturating_sub(1))
        .take(4)
    {
        if n == segment {
            continue;
        }
        let words = Words::new(&cleaned.flat, other.range.clone());
        let only_names = words.len() > 0
            && words.list.iter().enumerate().all(|(n, word)| {
                word.is_mention || matches!(words.get(n), "cc" | "ping" | "and" | "fyi" | "or")
            });
        let copied = words.has("cc|ping", 0) && words.len() < 8;
        if only_names || copied {
            for n in 0..words.len() {
                if words.list[n].is_mention
                    && let Some(key) = resolve(scene, i, &words, n)
                    && !keys.contains(&key)
                {
                    keys.push(key);
                }
            }
        }
    }
    keys
}

/// Returns the one person the message answers, if the ask goes on in that exchange.
fn replied_to<'a>(
    scene: &Scene<'a>,
    i: usize,
    cleaned: &Cleaned,
    segment: usize,
    words: &Words,
) -> Option<&'a str> {
    let messages = scene.messages;
    let author = messages[i].author;
    if let Some(to) = messages[i]
        .reply_to
        .filter(|&to| to < i && messages[to].author != author)
    {
        return Some(messages[to].author);
    }
    let start = cleaned.segments[segment].range.start;
    for range in cleaned
        .attributions
        .iter()
        .rev()
        .filter(|range| range.end <= start)
    {
        let line = Words::new(messages[i].text, range.clone());
        if let Some(key) = (0..line.len()).find_map(|n| resolve(scene, i, &line, n)) {
            return Some(key);
        }
    }
    let you = words.has(YOU, 0)
        || cleaned.segments.iter().any(|other| {
            other.paragraph == cleaned.segments[segment].paragraph
                && Words::new(&cleaned.flat, other.range.clone()).has(YOU, 0)
        });
    let before = (0..i)
        .rev()
        .find(|&n| messages[n].author != author && !messages[n].is_bot);
    match scene.kind {
        ThreadKind::Mail | ThreadKind::Topic => before.map(|n| messages[n].author),
        ThreadKind::Ticket => {
            let owner = scene
                .owner
                .or(scene.opener.map(|n| messages[n].author))
                .filter(|&owner| owner != author);
            match (you, before) {
                (true, Some(n)) => Some(messages[n].author),
                (true, None) => owner,
                _ => owner.filter(|_| is_change(scene)),
            }
        }
        _ => {
            let before = before.filter(|&n| i - n <= 8)?;
            let is_engaged = messages[before.saturating_sub(6)..before]
                .iter()
                .any(|message| message.author == author);
            let replies = you || is_engaged || words.len() <= 5 || MARKERS.contains(&words.get(0));
            replies.then_some(messages[before].author)
        }
    }
}

/// Returns whether the ticket is a change under review.
fn is_change(scene: &Scene<'_>) -> bool {
    const CUES: [&str; 9] = [
        "r?",
        "r+",
        "r=",
        "this pr",
        "this patch",
        "rebase",
        "squash",
        "pull request",
        "the commit",
    ];
    scene.messages.iter().any(|message| {
        let lower = message.text.to_lowercase();
        CUES.iter().any(|cue| lower.contains(cue))
    })
}

/// Returns the key of the person a word names, who is not the author.
pub(super) fn resolve<'a>(scene: &Scene<'a>, i: usize, words: &Words, n: usize) -> Option<&'a str> {
    let word = &words.list[n];
    let text = words.get(n);
    let capital = scene.messages[i]
        .text
        .get(word.range.clone())
        .is_some_and(|raw| raw.starts_with(char::is_uppercase));
    let author = scene.messages[i].author;
    let authors = scene
        .messages
        .iter()
        .map(|message| (message.author, message.names));
    let others = scene.people.iter().map(|person| (person.key, person.names));
    let mut partly = None;
    for (key, names) in authors.chain(others) {
        if key == author {
            continue;
        }
        for name in names.iter().copied().chain([key]) {
            if name.eq_ignore_ascii_case(text) || name.to_lowercase() == text {
                return Some(key);
            }
            if partly.is_none()
                && (capital || word.is_mention)
                && text.len() > 2
                && is_part(name, text)
            {
                partly = Some(key);
            }
        }
    }
    partly
}

/// Returns whether the text is one of the words of a name, initials left aside.
fn is_part(name: &str, text: &str) -> bool {
    name.split(|c: char| !c.is_alphanumeric())
        .any(|part| part.len() > 2 && part.to_lowercase() == text)
}
