//! Sentences that settle a choice for all, and sentences that say work is stuck.

use std::ops::Range;

use super::super::clean::{Class, Cleaned};
use super::super::words::{Words, floor};
use super::{Scene, cues, people};

/// Phrases that state a settled choice: (phrase, weight).
const SETTLING: &[(&str, f32)] = &[
    ("r+", 1.2),
    ("r=me", 1.0),
    ("closing ?this|it|the|as|in|since|because|for|per|due", 1.0),
    (
        "i'll|i'm|im|we'll|gonna|let's|lets|will|to ?going ?to ?just ?go ?ahead ?and close|merge|revert this|it|the",
        1.1,
    ),
    (
        "closing|closed|merged|merging|resolving ?this|it as|in|since|because|per|by|now $",
        1.0,
    ),
    ("give|gave it|this a close", 1.2),
    (
        "we've|we|wg|group|team|committee ?all|have|had|has|already|just|also ?already|all agreed|decided|resolved|concluded|settled ?on|to|that|not",
        1.2,
    ),
    (
        "was|were|been|is ?already|also agreed|decided|resolved|accepted|approved|rejected|settled ?that|to|on|by|at|in",
        0.9,
    ),
    ("it's|its|is decided|settled|agreed", 1.1),
    (
        "let's|lets|we'll|we will|shall ?just|then|plan|to ?to go|stick|use|keep|do|do|leave|drop|ship|make|land|start|move|adopt|skip ?with|it|this|that|the",
        0.9,
    ),
    ("we're|we are going|gonna ?to|with", 0.9),
    (
        "the|our decision|resolution|consensus|conclusion is|was|that|to",
        1.1,
    ),
    (
        "decision|decided|resolved|resolution|agreed|consensus :",
        1.0,
    ),
    ("approved|accepted|rejected by|for|as", 0.9),
    (
        "i'm|im|i|i'll|will going|will|am ?going ?to push|merge|release|deploy|ship|land|remove|close|revert ?it|this|that|the",
        0.9,
    ),
    (
        "we|i|i'll decided|agree|accept|adopt ?to|that|this|your|the",
        0.8,
    ),
    (
        "won't|wontfix|not ?be ?going ?to fix|do|planned|accept|merge|support",
        0.7,
    ),
    (
        "has|have been moved|changed|removed|merged|altered|adopted|accepted|fixed|approved ?to|as",
        0.6,
    ),
    ("final call|decision|answer", 0.9),
    ("go|going ?ahead with *", 0.6),
    (
        "beschlossen|entschieden|vereinbart|decidido|decidimos|acordado|acordamos|décidé|convenu",
        1.0,
    ),
];

/// Words that leave a choice open: (phrase, weight taken away).
const OPEN: &[(&str, f32)] = &[
    (
        "should|could|might|maybe|perhaps|would|may|if|whether|unless|propose|proposal|suggest|think|wonder|wondering|probably|can|feel",
        0.5,
    ),
    (
        "not|never|haven't|hasn't|didn't|yet|before|until|when|once",
        0.4,
    ),
    ("i|i'll|my", 0.1),
];

/// Openings of a message that objects.
const OBJECTIONS: &[&str] = &[
    "^but|wait|hold|actually|revert|reverting|no|nope|disagree|hmm|-1|stop *",
    "i disagree|object|oppose",
    "please don't|revert|reconsider",
    "hold on|off",
    "not so fast",
    "reopening|reopen|reopened",
    "strongly|still against|disagree|oppose",
];

/// Phrases that say work is stuck: (phrase, weight).
const STUCK: &[(&str, f32)] = &[
    ("blocked|blocking|blocker|blocks ?on|by|us|me", 1.1),
    (
        "can't|cannot|can not|couldn't|unable ?to merge|build|land|proceed|continue|release|deploy|ship|log|login|work|move|test|compile|install|start ..",
        0.9,
    ),
    (
        "is|are|went|was|seems|appears|still ?to ?be ?still|currently|completely ?be down|broken|offline|failing|unavailable|unusable|borked|dead",
        1.0,
    ),
    (
        "tests|test|build|builds|ci|travis|deploy|pipeline|job|bot ?is|are|has|have ?has|been|still fail|fails|failed|failing|broke|broken|red|errored|timing|timed",
        1.1,
    ),
    ("waiting|wait|waits|pending|depends for|on *", 0.9),
    ("pending *", 0.9),
    ("until *", 0.2),
    (
        "has|throws|throwing|get|getting|got|hit|hitting ?a|an ?exception|error|crash|panic|500|segfault|ice ?exception|error",
        0.6,
    ),
    ("needs ?a rebase", 0.9),
    (
        "doesn't|does|don't|won't|not ?not ?even ?longer ?work|build|compile|start|load|run|respond",
        0.6,
    ),
    ("stuck ?on|at|in|with", 0.8),
    ("regression|regressed|outage|incident", 0.8),
    (
        "kaputt|blockiert|caído|bloqueado|cassé|bloqué|quebrado",
        0.9,
    ),
];

/// Returns the sentence that settles a choice, unless somebody objects afterwards.
pub fn decision_in(scene: &Scene<'_>, i: usize) -> Option<Range<usize>> {
    let message = scene.messages.get(i)?;
    let cleaned = Cleaned::new(message.text);
    let best = strongest(scene, i, &cleaned, SETTLING, OPEN)?;
    let objected = scene.messages[i + 1..]
        .iter()
        .take(4)
        .filter(|later| later.author != message.author && !later.is_bot)
        .any(|later| {
            let words = Words::new(later.text, 0..floor(later.text, 160));
            let head = people::head(scene, i, &words).min(1);
            OBJECTIONS
                .iter()
                .any(|phrase| words.has(phrase, head.min(words.len())) || words.has(phrase, 0))
        });
    (!objected).then_some(best)
}

/// Returns the sentence that says that work cannot go on.
pub fn blocker_in(scene: &Scene<'_>, i: usize) -> Option<Range<usize>> {
    let cleaned = Cleaned::new(scene.messages.get(i)?.text);
    strongest(
        scene,
        i,
        &cleaned,
        STUCK,
        &[
            ("if|could|might|would|should|when|no longer|was|were", 0.5),
            ("fixed|not|unblocked|works", 0.4),
        ],
    )
}

/// Returns the sentence with the most points, if they reach one.
fn strongest(
    scene: &Scene<'_>,
    i: usize,
    cleaned: &Cleaned,
    cues: &[(&str, f32)],
    against: &[(&str, f32)],
) -> Option<Range<usize>> {
    let _ = (scene, i, cues::URGENT);
    let mut best: Option<(f32, Range<usize>)> = None;
    for segment in &cleaned.segments {
        if segment.is_question || segment.class == Class::Greeting {
            continue;
        }
        let words = Words::new(&cleaned.flat, segment.range.clone());
        let most = cues
            .iter()
            .filter(|(phrase, _)| words.has(phrase, 0))
            .map(|&(_, weight)| weight)
            .fold(0.0, f32::max);
        let less: f32 = against
            .iter()
            .filter(|(phrase, _)| words.has(phrase, 0))
            .map(|&(_, weight)| weight)
            .sum();
        let points = most - less;
        if points >= 0.8 && best.as_ref().is_none_or(|(best, _)| points > *best) {
            best = Some((points, segment.range.clone()));
        }
    }
    best.map(|(_, range)| range)
}
