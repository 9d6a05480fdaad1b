//! Whom a sentence is said to: mentions, vocatives, everybody, or the one being replied to.

use crate::model::{AskKind, ThreadKind};

use super::super::clean::{Class, Cleaned};
use super::super::lines;
use super::super::words::{Words, one_of};
use super::reply::{continued, replied_to};
use super::{AskFound, Scene, To};

/// Words before a sentence's matter: they neither ask nor address.
const MARKERS: &str = "so and but or hmm hm ok okay also btw well hi hey hello hallo hola oh ah um uh then now actually \
    anyway anyways just ps p.s yeah yes yep right thanks sorry cool nice great alright finally again secondly first second \
    lastly additionally otherwise however though still maybe out of curiosity like quick question for example in particular \
    specifically basically namely wait hang hold on alternatively sure true interesting fair gotcha aha lol haha ha heh yea ya yup mm mmm mhm huh wow awesome agreed exactly indeed";

/// Words that speak to whoever reads.
const EVERYBODY: &[&str] = &[
    "^anyone|anybody|someone|somebody|any1|everyone|everybody|folks|y'all|nobody",
    "does|do|did|has|have|had|is|are|was|can|could|would|will|should|hey|hi|hello|if|that|whether|maybe|perhaps|for anyone|anybody|someone|somebody|any1|everyone|everybody|people|folks",
    "anyone|anybody|someone|somebody|any1 know|knows|have|has|want|wants|willing|else|able|can|could|here|tried|seen|using|got|who|with|please|should",
    "folks|everyone|everybody|y'all|guys|anyone's $",
    "you all|guys|folks",
    "any ?of you",
    "any idea|ideas|suggestions|advice|pointers|tips|hints|objections|comments|help|volunteers|thoughts|takers",
    "suggestions|advice|pointers|comments|feedback|help|input|ideas ?is|are|very|much|would ?be ?much|greatly welcome|appreciated",
    "the group|list|wg|committee|team|community|room",
    "from any|people|those|other|others",
    "jemand|wer|alguien|alguém|alguem|quelqu'un|todos|alle",
];

/// Words that make "you" many.
const PLURAL: &[&str] = &[
    "you all|guys|folks",
    "thanks|thank|hi|hello|hey ?you all|everyone|everybody|folks|guys",
];

/// Words that speak to one.
pub(super) const YOU: &str = "you|your|you're|youre|u|ur|yours|yourself|ya|you've|you'd|you'll|du|dein|deine|dir|dich|sie|ihr|\
    tu|te|vous|votre|usted|tú|tienes|puedes|você|voce|peux-tu|pouvez-vous";

/// Returns whom the sentence is for.
pub(super) fn addressee<'a>(
    scene: &Scene<'a>,
    i: usize,
    cleaned: &Cleaned,
    segment: usize,
) -> To<'a> {
    let message = &scene.messages[i];
    let words = Words::new(&cleaned.flat, cleaned.segments[segment].range.clone());
    // "@ana If you touch it anyway, could you …? Otherwise, could you …?"
    let paragraph = cleaned.segments[segment].paragraph;
    let before = cleaned.segments[..segment]
        .iter()
        .rev()
        .take_while(|other| other.paragraph == paragraph)
        .take(3);
    let called = before
        .map(|other| Words::new(&cleaned.flat, other.range.clone()))
        .map(|words| called_first(scene, i, &words));
    if let Some(named) = std::iter::once(named_in(scene, i, &words))
        .chain(called)
        .find(|named| !named.is_empty())
    {
        return To::Persons(named);
    }
    let lead = lead_of(scene, i, cleaned);
    if !lead.is_empty() && !words.has("anyone|anybody|someone|somebody", 0) {
        return To::Persons(lead);
    }
    if words.list.iter().any(|word| word.is_mention) && !message.mentions.is_empty() {
        return To::Persons(message.mentions.to_vec());
    }
    let at = head(scene, i, &words);
    if EVERYBODY
        .iter()
        .any(|phrase| words.has(phrase, if phrase.starts_with('^') { at } else { 0 }))
    {
        return To::Group;
    }
    if words.has(YOU, 0) && Words::new(&cleaned.flat, 0..cleaned.flat.len()).has_any(PLURAL, 0) {
        return To::Group;
    }
    let near = mentions_near(scene, i, cleaned, segment);
    if !near.is_empty() {
        return To::Persons(near);
    }
    if let Some(keys) = continued(scene, i) {
        return To::Persons(keys);
    }
    if let Some(name) = stranger(scene, i, cleaned) {
        return To::Somebody(name);
    }
    match replied_to(scene, i, cleaned, segment, &words) {
        Some(key) => To::Persons(vec![key]),
        None => correspondent(scene, i).map_or(To::Group, |key| To::Persons(vec![key])),
    }
}

/// Returns who gets a mail that goes to one person.
fn correspondent<'a>(scene: &Scene<'a>, i: usize) -> Option<&'a str> {
    match scene.between? {
        [one, other] if one == scene.messages[i].author => Some(other),
        [other, one] if one == scene.messages[i].author => Some(other),
        _ => None,
    }
}

/// Returns the first position after greetings, discourse markers and a vocative.
pub(super) fn head(scene: &Scene<'_>, i: usize, words: &Words) -> usize {
    let mut at = 0;
    while at < words.len().min(6) {
        let word = &words.list[at];
        let called = matches!(word.tail, ',' | ':' | '-' | '–' | '…') && at < 3;
        let is_vocative = word.is_mention || called && resolve(scene, i, words, at).is_some();
        if !is_vocative && !is_marker(words.get(at)) {
            break;
        }
        at += 1;
    }
    at
}

/// Returns whether the word only leads over to what follows.
pub(super) fn is_marker(word: &str) -> bool {
    one_of(MARKERS, word)
}

/// Returns the ask of a line that calls for review: "r? @ana".
pub(super) fn review_call<'a>(scene: &Scene<'a>, i: usize) -> Option<AskFound<'a>> {
    let text = scene.messages[i].text;
    for (at, _) in text.match_indices("r?") {
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
        for n in 1..words.len().min(8) {
            let Some(key) =
                resolve(scene, i, &words, n).filter(|_| words.list[n].is_mention || n == 1)
            else {
                break;
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        if !keys.is_empty() || words.len() <= 3 || text.trim().len() < 30 {
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

/// Returns the people the sentence itself speaks to.
fn named_in<'a>(scene: &Scene<'a>, i: usize, words: &Words) -> Vec<&'a str> {
    let mut keys: Vec<&'a str> = Vec::new();
    for (n, word) in words.list.iter().enumerate() {
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

/// Returns the people the sentence calls at its start.
fn called_first<'a>(scene: &Scene<'a>, i: usize, words: &Words) -> Vec<&'a str> {
    let starts = words.list.first().is_some_and(|word| word.is_mention) && !is_reference(words, 0);
    if starts {
        resolve(scene, i, words, 0).into_iter().collect()
    } else {
        Vec::new()
    }
}

/// Returns whether a mention only speaks about somebody: "as @ana said", "@ana's patch".
fn is_reference(words: &Words, n: usize) -> bool {
    let before = n > 0
        && one_of(
            "as like by from per of with thanks thx via after than",
            words.get(n - 1),
        );
    let verb = "said says mentioned wrote suggested pointed noted posted has had did is was thinks already";
    let after = n > 0 && words.list[n].tail == ' ' && one_of(verb, words.get(n + 1));
    before || after || words.get(n).ends_with("'s")
}

/// Returns whether a bare word stands where a name is called: first with a comma or colon, after a greeting, or last.
fn is_vocative(words: &Words, n: usize) -> bool {
    let called = matches!(words.list[n].tail, ',' | ':' | ')' | '-' | '–');
    let greeted = n > 0
        && one_of(
            "hi hey hello dear ping hallo hola oi salut",
            words.get(n - 1),
        );
    let opens = n <= 2
        && (0..n).all(|m| {
            is_marker(words.get(m)) || words.list[m].range.end + 2 >= words.list[n].range.start
        });
    let asked = n == 0
        && one_of(
            "can could would will please pls do did have are any what how",
            words.get(1),
        );
    let last = n + 1 == words.len() && n > 0 && words.list[n - 1].tail == ',';
    opens && (called || asked) || greeted || last
}

/// Returns whom the whole message speaks to: a mention or name at its start, or a greeting.
pub(super) fn lead_of<'a>(scene: &Scene<'a>, i: usize, cleaned: &Cleaned) -> Vec<&'a str> {
    let Some(first) = cleaned.segments.first() else {
        return Vec::new();
    };
    let words = Words::new(&cleaned.flat, first.range.clone());
    let mut keys = Vec::new();
    for n in 0..words.len().min(8) {
        if n == 0 && lines::is_greeting(words.get(0), 1) || words.get(n) == "and" {
            continue;
        }
        let mentioned = words.list[n].is_mention && !(n > 0 && is_reference(&words, n));
        let is_called = mentioned || is_vocative(&words, n) || first.class == Class::Greeting;
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

/// Returns the name a mail greets or opens with, when nobody in the scene bears it.
fn stranger<'a>(scene: &Scene<'a>, i: usize, cleaned: &Cleaned) -> Option<&'a str> {
    const MANY: &str = "all everyone everybody folks there guys team list sir sirs madam group friends people both gentlemen colleagues \
        issue note time date summary proposal question problem status class section agenda subject topic comment comments example \
        reason background minutes update regards";
    if scene.kind != ThreadKind::Mail {
        return None;
    }
    let first = cleaned.segments.first()?;
    let words = Words::new(&cleaned.flat, first.range.clone());
    let n = usize::from(lines::is_greeting(words.get(0), 1) || one_of("thanks", words.get(0)));
    let word = words.list.get(n)?;
    let text = scene.messages[i].text;
    let name = text.get(word.range.clone())?;
    let stands_alone = text[word.range.end..]
        .trim_start_matches([',', ':', '-', '!', '.', ' '])
        .starts_with('\n');
    let looks_right = name.len() > 2
        && name.starts_with(char::is_uppercase)
        && name.chars().all(char::is_alphabetic)
        && !name.chars().all(char::is_uppercase);
    let is_called = stands_alone && (n == 1 || matches!(word.tail, ',' | ':' | '-'));
    (is_called && looks_right && !one_of(MANY, words.get(n)) && !is_marker(words.get(n)))
        .then_some(name)
}

/// Returns the people mentioned right beside the ask: "Thoughts? cc @ana", or a line of mentions alone.
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
        let is_name =
            |n: usize| words.list[n].is_mention || one_of("cc ping and fyi or", words.get(n));
        let only_names = words.len() > 0 && (0..words.len()).all(is_name);
        let is_copied = words.has("cc|ping", 0) && words.len() < 8;
        if !only_names && !is_copied {
            continue;
        }
        for n in (0..words.len()).filter(|&n| words.list[n].is_mention) {
            if let Some(key) = resolve(scene, i, &words, n)
                && !keys.contains(&key)
            {
                keys.push(key);
            }
        }
    }
    keys
}

/// Returns the key of the person a word names, who is not the author.
pub(super) fn resolve<'a>(scene: &Scene<'a>, i: usize, words: &Words, n: usize) -> Option<&'a str> {
    let (word, text) = (&words.list[n], words.get(n));
    let author = scene.messages[i].author;
    let raw = scene.messages[i].text.get(word.range.clone());
    let may_be_part = text.len() > 2
        && (word.is_mention || raw.is_some_and(|raw| raw.starts_with(char::is_uppercase)));
    let authors = scene
        .messages
        .iter()
        .map(|message| (message.author, message.names));
    let others = scene.people.iter().map(|person| (person.key, person.names));
    let mut partly = None;
    for (key, names) in authors.chain(others).filter(|(key, _)| *key != author) {
        for name in names.iter().copied().chain([key]) {
            if name.eq_ignore_ascii_case(text)
                || name.len() == text.len() && name.to_lowercase() == text
            {
                return Some(key);
            }
            if partly.is_none() && may_be_part && is_part(name, text) {
                partly = Some(key);
            }
        }
    }
    partly
}

/// Returns whether the text is one of the words of a name, initials left aside.
pub(super) fn is_part(name: &str, text: &str) -> bool {
    name.split(|c: char| !c.is_alphanumeric()).any(|part| {
        part.len() > 2
            && (part.eq_ignore_ascii_case(text)
                || part.len() == text.len() && part.to_lowercase() == text)
    })
}
