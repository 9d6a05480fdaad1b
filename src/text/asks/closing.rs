//! Which later message answers an ask.

use crate::model::{AskKind, ThreadKind};

use super::super::clean::{Cleaned, words_in};
use super::super::words::{Words, floor, one_of};
use super::{AskFound, Scene, To, cues, people};

/// More words than this are an answer by themselves.
const ANSWER_WORDS: usize = 6;

/// Words that answer by themselves.
const CLEAR: &str = "yes yep yeah yup no nope nah sure done +1 -1 ok okay agreed correct right exactly indeed fixed updated definitely \
    absolutely probably possibly never always both neither none maybe merged pushed rebased afaik iirc nothing ja nein sí si sim \
    não oui non erledigt hecho feito fait";

/// Words that lean on what was said before.
const LEANING: &str = "it that this those these they them you your there here one try yes no not because maybe i'd i'm i think \
    probably depends use should can could";

/// Returns the first later message that answers the ask.
///
/// That is one by an addressee, or for a group by anybody else, that has more than six words or is a clear yes, no or
/// done; the addressee's next words, however few; the asker's thanks; the review itself; somebody else's direct reply.
pub fn closed_by(scene: &Scene<'_>, ask: usize, found: &AskFound<'_>) -> Option<usize> {
    let messages = scene.messages;
    let asker = messages.get(ask)?.author;
    let mut others = 0;
    for (n, message) in messages.iter().enumerate().skip(ask + 1) {
        let words = Words::new(message.text, 0..floor(message.text, 2_000));
        if message.author == asker {
            if is_settled_by_asker(&words, others > 0) {
                return Some(n);
            }
            continue;
        }
        if found.kind == AskKind::Review && is_reviewed(&words) {
            return Some(n);
        }
        if message.is_bot || words.len() == 0 {
            continue;
        }
        let is_asked = match &found.to {
            To::Persons(keys) => keys.contains(&message.author),
            To::Somebody(name) => message
                .names
                .iter()
                .any(|known| people::is_part(known, &name.to_lowercase())),
            To::Group => true,
        };
        let is_direct = message.reply_to == Some(ask)
            || message.mentions.contains(&asker)
            || names_asker(scene, ask, &words)
            || quotes(scene, ask, found, message.text);
        let to_another = !is_direct
            && (message.reply_to.is_some_and(|to| to < ask)
                || words.list.iter().take(2).any(|word| word.is_mention)
                || one_of("thanks thx", words.get(0)));
        let is_question = words.len() <= 12
            && message
                .text
                .find(['?', '.', '!'])
                .is_some_and(|at| message.text[at..].starts_with('?'));
        let is_full = words_in(message.text) > ANSWER_WORDS
            || is_clear(&words)
            || message.text.contains("http")
            || message.text.contains('`');
        let is_answer = match &found.to {
            To::Group => {
                is_full && (is_direct || others > 0 || leans(scene, ask, &words, message.text))
            }
            _ if is_asked => is_full || !is_question,
            // Somebody else answers for the one who was asked; in a ticket the next comment is often about another thing.
            _ => is_full && (is_direct || others == 0 && scene.kind != ThreadKind::Ticket),
        };
        if is_answer && !to_another {
            return Some(n);
        }
        others += usize::from(!to_another);
    }
    None
}

/// Returns whether the message itself takes its ask back after asking.
pub(super) fn is_withdrawn(cleaned: &Cleaned, asked: usize) -> bool {
    cleaned.segments.iter().skip(asked + 1).any(|segment| {
        let words = Words::new(&cleaned.flat, segment.range.clone());
        segment.words <= 12 && cues::WITHDRAWALS.iter().any(|phrase| words.has(phrase, 0))
    })
}

/// Returns whether the asker says that the matter is settled.
fn is_settled_by_asker(words: &Words, others_spoke: bool) -> bool {
    const SOLVED: &[&str] = &[
        "never mind",
        "nevermind|nvm",
        "solved|fixed it",
        "figured|sorted it|that out",
        "found it|the",
        "works|worked now|great|perfectly|fine",
        "it works|worked",
        "that works|worked|helps|helped|did|fixed|solved",
        "got it",
        "looks like it is|was|does|did|works",
    ];
    const CONTENT: &[&str] = &[
        "thanks|thank|thx|ty|cheers|tyvm|danke|gracias|merci|obrigado|obrigada",
        "makes sense",
        "^ah|aha|oh|ok|okay|great|awesome|perfect|cool|nice|right|gotcha|i see *",
    ];
    words.has_any(SOLVED, 0) || others_spoke && words.has_any(CONTENT, 0)
}

/// Returns whether the message reviews: approves, merges or asks for changes.
fn is_reviewed(words: &Words) -> bool {
    words.has_any(
        &[
            "r+|lgtm|approved|merged|merging|reviewed",
            "looks|look good|great|ok|fine",
        ],
        0,
    ) || (0..words.len()).any(|n| words.get(n).starts_with("r=") || words.get(n).starts_with("r+"))
}

/// Returns whether a short reply is a clear answer.
fn is_clear(words: &Words) -> bool {
    (0..words.len().min(3)).any(|n| one_of(CLEAR, words.get(n)))
        || words.has_any(
            &[
                "will do",
                "on it",
                "not yet|really|sure",
                "of course",
                "i do|did|have|am|will|can|don't|think",
                "looks good",
            ],
            0,
        )
}

/// Returns whether a message leans on the ask: it shares a word of matter with it, or points back.
fn leans(scene: &Scene<'_>, ask: usize, words: &Words, text: &str) -> bool {
    if scene.kind != ThreadKind::Conversation
        || is_clear(words)
        || (0..words.len()).any(|n| one_of(LEANING, words.get(n)))
    {
        return true;
    }
    let asked = scene.messages[ask].text.to_lowercase();
    let shares =
        (0..words.len()).any(|n| words.get(n).chars().count() > 3 && asked.contains(words.get(n)));
    shares || text.trim().starts_with(['<', '`']) && words.len() < 4
}

/// Returns whether the text quotes the asking sentence.
fn quotes(scene: &Scene<'_>, ask: usize, found: &AskFound<'_>, text: &str) -> bool {
    let Some(sentence) = scene.messages[ask].text.get(found.sentence.clone()) else {
        return false;
    };
    let wanted: Vec<&str> = sentence.split_whitespace().take(6).collect();
    let quoted = |line: &str| {
        let line = line.trim_start().trim_start_matches(['>', ' ']);
        wanted.len() >= 3
            && line
                .split_whitespace()
                .collect::<Vec<_>>()
                .windows(wanted.len().min(4))
                .any(|window| window == &wanted[..window.len()])
    };
    text.lines()
        .filter(|line| line.trim_start().starts_with('>'))
        .any(quoted)
}

/// Returns whether the text calls the asker by name.
fn names_asker(scene: &Scene<'_>, ask: usize, words: &Words) -> bool {
    let asker = &scene.messages[ask];
    let is_name =
        |name: &str, text: &str| name.to_lowercase() == text || people::is_part(name, text);
    words
        .list
        .iter()
        .enumerate()
        .filter(|(n, word)| word.is_mention || *n < 2)
        .any(|(n, _)| {
            asker
                .names
                .iter()
                .copied()
                .chain([asker.author])
                .any(|name| is_name(name, words.get(n)))
        })
}
