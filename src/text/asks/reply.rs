//! Whom a message answers when it names nobody: by the source's own link, by its quotes, by the place it stands in.

use crate::model::ThreadKind;

use super::super::clean::Cleaned;
use super::super::lines::is_greeting;
use super::super::words::{Words, floor, is_common};
use super::Scene;
use super::people::{YOU, is_marker, lead_of, resolve};

/// Returns the one person the message answers, if the ask goes on in that exchange.
pub(super) fn replied_to<'a>(
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
    if let Some(key) =
        quoted_author(scene, i, cleaned, start).or_else(|| attributed(scene, i, cleaned, start))
    {
        return Some(key);
    }
    let paragraph = cleaned.segments[segment].paragraph;
    let beside = || {
        cleaned
            .segments
            .iter()
            .filter(|other| other.paragraph == paragraph)
    };
    let you = words.has(YOU, 0)
        || beside().any(|other| Words::new(&cleaned.flat, other.range.clone()).has(YOU, 0));
    let before = (0..i).rev().find(|&n| {
        messages[n].author != author && !messages[n].is_bot && !is_pointer(messages[n].text)
    });
    match scene.kind {
        ThreadKind::Mail | ThreadKind::Topic => before.map(|n| messages[n].author),
        ThreadKind::Ticket => {
            let owner = owner_of(scene, author).filter(|_| is_change(scene));
            let has_spoken = messages[..i].iter().any(|message| message.author == author);
            match before {
                Some(n) if you => Some(messages[n].author),
                None if you => scene.owner.filter(|&owner| owner != author),
                _ if owner.is_some_and(|owner| owner != author) => owner,
                Some(n) if n + 1 == i && has_spoken => Some(messages[n].author),
                _ => None,
            }
        }
        _ => {
            // After many lines of their own the author speaks to the room again.
            let before = before.filter(|&n| i - n <= if you { 6 } else { 3 })?;
            let is_engaged = messages[before.saturating_sub(6)..before]
                .iter()
                .any(|message| message.author == author);
            let is_short = cleaned
                .segments
                .iter()
                .map(|other| other.words)
                .sum::<usize>()
                <= 6;
            let first = Words::new(&cleaned.flat, cleaned.segments[0].range.clone());
            let leads_on =
                is_marker(words.get(0)) || is_marker(first.get(0)) && !is_greeting(first.get(0), 1);
            let replies = you
                || is_engaged
                || is_short
                || leads_on
                || shares_matter(words, messages[before].text);
            replies.then_some(messages[before].author)
        }
    }
}

/// Returns whom the author's last lines spoke to, if nobody has spoken since.
pub(super) fn continued<'a>(scene: &Scene<'a>, i: usize) -> Option<Vec<&'a str>> {
    let messages = scene.messages;
    if messages[i].reply_to.is_some() || scene.kind != ThreadKind::Conversation {
        return None;
    }
    let own = messages[..i]
        .iter()
        .enumerate()
        .rev()
        .take_while(|(_, earlier)| earlier.author == messages[i].author);
    own.take(4)
        .map(|(n, earlier)| lead_of(scene, n, &Cleaned::of(earlier.text)))
        .find(|keys| !keys.is_empty())
}

/// Returns who is named by the last "On Monday Ana wrote:" before `start`.
fn attributed<'a>(scene: &Scene<'a>, i: usize, cleaned: &Cleaned, start: usize) -> Option<&'a str> {
    let lines = cleaned
        .attributions
        .iter()
        .rev()
        .filter(|range| range.end <= start);
    lines
        .map(|range| Words::new(scene.messages[i].text, range.clone()))
        .find_map(|line| (0..line.len()).find_map(|n| resolve(scene, i, &line, n)))
}

/// Returns the author of the earlier message that is quoted last before `start`.
fn quoted_author<'a>(
    scene: &Scene<'a>,
    i: usize,
    cleaned: &Cleaned,
    start: usize,
) -> Option<&'a str> {
    let message = &scene.messages[i];
    for range in cleaned
        .quotes
        .iter()
        .rev()
        .filter(|range| range.end <= start)
        .take(6)
    {
        let line = message.text[range.clone()].trim_start_matches(['>', ' ', '|']);
        let wanted: Vec<&str> = line.split_whitespace().take(8).collect();
        if wanted.len() < 2 && line.len() < 12 {
            continue;
        }
        let says = |text: &str| {
            let own = text
                .lines()
                .filter(|line| !line.trim_start().starts_with('>'));
            own.flat_map(str::split_whitespace)
                .collect::<Vec<_>>()
                .windows(wanted.len())
                .any(|window| window == wanted)
        };
        if let Some(earlier) = scene.messages[..i]
            .iter()
            .rev()
            .find(|earlier| says(earlier.text))
        {
            return (earlier.author != message.author).then_some(earlier.author);
        }
    }
    None
}

/// Returns who opened the thread, or who speaks like the owner of a change: "rebased", "I've added a test".
fn owner_of<'a>(scene: &Scene<'a>, asker: &str) -> Option<&'a str> {
    const OWNING: &[&str] = &[
        "^rebased|updated|fixed|addressed|pushed|done|squashed|amended",
        "i|i've ?have ?just ?also added|changed|fixed|updated|rebased|pushed|renamed|addressed|squashed|removed",
    ];
    let known = scene
        .owner
        .or(scene.opener.map(|n| scene.messages[n].author));
    known.or_else(|| {
        let owns = |text: &str| Words::new(text, 0..floor(text, 200)).has_any(OWNING, 0);
        scene
            .messages
            .iter()
            .find(|message| message.author != asker && owns(message.text))
            .map(|message| message.author)
    })
}

/// Returns whether a message only points somewhere: "cc @ana", a link.
fn is_pointer(text: &str) -> bool {
    let words = Words::new(text, 0..floor(text, 200));
    words.len() == 0
        || words.len() <= 4 && matches!(words.get(0), "cc" | "https" | "http" | "related" | "see")
}

/// Returns whether the sentence takes up a word of matter from the text.
fn shares_matter(words: &Words, text: &str) -> bool {
    let other = Words::new(text, 0..floor(text, 1_500));
    (0..words.len()).any(|n| {
        let word = words.get(n);
        word.chars().count() > 3
            && !is_common(word)
            && (0..other.len()).any(|m| other.get(m) == word)
    })
}

/// Returns whether the ticket is a change under review.
fn is_change(scene: &Scene<'_>) -> bool {
    const CUES: &[&str] = &[
        "r+|r",
        "this pr|patch",
        "rebase|rebased|squash|squashed",
        "pull request",
        "lgtm",
    ];
    scene.messages.iter().any(|message| {
        let words = Words::new(message.text, 0..message.text.len());
        words.has_any(CUES, 0) || (0..words.len()).any(|n| words.get(n).starts_with("r="))
    })
}
