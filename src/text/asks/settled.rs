//! Sentences that settle a choice for all, and sentences that say work is stuck.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::LazyLock;

use crate::model::ThreadKind;

use super::super::clean::{Class, Cleaned};
use super::super::memo::{Memo, remembered};
use super::super::phrases::Table;
use super::super::words::{Words, floor, one_of};
use super::{Scene, people};

/// From this many points on a sentence settles a choice or says that work is stuck.
const ENOUGH: f32 = 0.8;

/// Phrases that state a settled choice anywhere.
static SETTLING: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (
            "we've|we|wg|group|team|committee|tf|everyone ?all|have|had|has|already|just|also ?* ?also|now agreed|decided|resolved|concluded|voted ?on|to|that|not",
            1.2,
        ),
        (
            "was|were|been|is ?already|also|now agreed|decided|accepted|approved|rejected that|to|by|at|on",
            0.9,
        ),
        ("it's|its|that's|is decided|settled", 1.1),
        (
            "let's|lets|we'll ?just|then|now|all ?plan ?to go|stick|leave|keep|do|drop|ship|land|merge|close|adopt|reschedule|postpone|skip|discuss ?ahead with|it|this|that|the",
            0.9,
        ),
        (
            "we will|shall|are ?just|then|now|going|gonna ?to go|stick|leave|keep|drop|ship|land|merge|close|adopt|remove|add|switch|move ?with|to|it|this|that|the *",
            0.9,
        ),
        (
            "we're going|gonna ?to go|use|do|keep|drop|ship|land|merge|close|switch|move|remove|add|with|adopt|stick *",
            0.9,
        ),
        (
            "the|our|final|current|general|group's decision|resolution|consensus|conclusion is|was|here",
            1.1,
        ),
        (
            "decision|decided|resolved|resolution|agreed|consensus :",
            1.0,
        ),
        (
            "made|took|reached a|the ?recent|final|explicit|conscious decision|agreement|consensus",
            1.0,
        ),
        ("rough consensus|agreement is|was|to|that", 0.9),
        ("approved|accepted|rejected by the|our|everyone", 0.9),
        (
            "i'm|i'll|i am|will|going ?going ?to merge|release|deploy|ship|land|revert ?it|this|that|the",
            0.9,
        ),
        (
            "i'm|im|i'll|i ?am|will ?going ?to push it|this|that|the|everything to|into",
            0.9,
        ),
        (
            "we|wg agree|accept|adopt with|to|that|this|your|the|these .. and will|shall",
            0.9,
        ),
        (
            "going|go ahead with|and merge|close|do|use|remove|drop",
            0.9,
        ),
        (
            "beschlossen|entschieden|vereinbart|decidido|decidimos|acordado|acordamos|décidé|convenu",
            1.0,
        ),
    ])
});

/// Phrases that settle a ticket.
static ON_TICKETS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (
            "^closing|closed|merging|merged|reopening|wontfix|duplicate ?this|it|as|in|since|because|for|per|due|of|now|up|pr",
            1.1,
        ),
        ("closing ?this|it ?up|then|now|as|out $", 1.0),
        (
            "i'll|i'm|im|we'll|we're|gonna|let's|lets ?am ?going|gonna ?to ?just ?go ?ahead ?and close|merge|revert|land this|it|the|out|for|as|in|your",
            1.1,
        ),
        (
            "closing|close this|it ?as ?as in|since|because|due|per|wontfix|dupe|duplicate|fixed|inactive|for|intended",
            1.1,
        ),
        (
            "give|gave|giving it|this|that ?one|issue|ticket|pr a close",
            1.2,
        ),
        ("we|i do|are ?not|n't plan|planning|going|intend to", 0.8),
        ("wontfix|superseded|obsoleted", 0.85),
        (
            "issue|pr|this|it|rfc has|have been moved|superseded|accepted|approved|merged|deferred|postponed ?to|as",
            0.9,
        ),
        ("assigning|^milestone|1.0-beta|postponing|deferring", 0.9),
    ])
});

/// Phrases by which an editor or owner settles a proposal in mail.
static IN_MAIL: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (
            "^i'll|we'll ?also ?just make|add|change|remove|fix|incorporate|alter|reword|create|open|delete|drop|update|use|keep|go *",
            0.85,
        ),
        (
            "^i|we will ?also ?just make|add|change|remove|fix|incorporate|alter|reword|create|open|delete|drop|update|use|keep|go *",
            0.85,
        ),
        (
            "has|have|been|is ?now ?been altered|reworded|incorporated ?as|in|to|accordingly|from",
            0.85,
        ),
        ("no ?real objection|objections", 0.9),
        ("here's|here|is what we|editors ..", 0.9),
        ("status|all : ?all ?done|fixed|agreed|closed|resolved", 0.9),
        ("get around to it", 0.8),
    ])
});

/// Words that leave a choice open.
static OPEN: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (
            "should|could|might|maybe|perhaps|would|may|propose|proposal|suggest|suggestion|think|wonder|wondering|probably|feel|hope|guess",
            0.4,
        ),
        ("if|whether|unless|before|until|assuming", 0.4),
        (
            "not|never|haven't|hasn't|didn't|isn't|wasn't|won't ?* ?been decided|agreed|resolved|accepted|settled|approved|concluded|yet",
            1.6,
        ),
        (
            "want|need|try|trying|like|plan ?to close|merge|push|add|change",
            0.3,
        ),
        ("baring|barring objection|objections", 0.2),
        ("in the past", 1.2),
        (
            "don't|doesn't|didn't|not believe|think|recall|remember",
            1.0,
        ),
        ("originally|previously|formerly|please|once", 0.3),
        ("favor|favour of closing|merging", 0.5),
    ])
});

/// Openings by which a later message objects, and phrases that object anywhere in it.
const OBJECTIONS: &[&str] = &[
    "^but|wait|actually|no|nope|hmm|-1|stop *",
    "^hold on|off",
    "^not so|sure",
];
const PROTESTS: &[&str] = &[
    "i disagree|object|oppose",
    "please don't|revert|reconsider|reopen",
    "hold off",
    "reopening|reopened|reverting",
];

/// Phrases that say work is stuck.
static STUCK: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        ("blocked|blocking|blocker|blocks ?on|by|us|me", 1.1),
        (
            "can't|cannot|couldn't|unable|not ?to merge|build|land|proceed|continue|release|deploy|ship|log|login|work|move|test|compile|install|start ..",
            0.85,
        ),
        (
            "is|are|went|was|seems|appears|still ?to ?be ?still|currently|completely ?be down|broken|offline|failing|unavailable|unusable|borked",
            1.0,
        ),
        (
            "tests|test|build|builds|ci|travis|deploy|pipeline|job|bot|buildbot ?is|are|has|have ?has|been|still fail|fails|failed|failing|broke|broken|red|errored|timing|timed|dying|died",
            1.1,
        ),
        ("is|are|we're|i'm|still waiting|held ?up for|on|by *", 0.85),
        ("pending *", 0.9),
        (
            "has|throws|throwing|get|getting|got|hit|hitting an|a exception|crash|panic|500|segfault|ice",
            0.9,
        ),
        ("needs ?a rebase|fix|fixing", 0.9),
        (
            "doesn't|does|don't|won't|not ?not ?even ?longer build|compile|start|load|boot|respond",
            0.8,
        ),
        ("stuck ?on|at|in|with", 0.8),
        (
            "causing|causes|cause|causing|broke|breaks|breaking us|me|everyone|the|our|it|all",
            0.6,
        ),
        ("regression|regressed|outage|incident|malfunction", 0.8),
        ("404|errors|error for me|us|too|here", 0.8),
        (
            "kaputt|blockiert|caído|bloqueado|cassé|bloqué|quebrado",
            0.9,
        ),
    ])
});

/// Words that take a blockage back.
static UNSTUCK: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (
            "if|could|might|would|should|when|whenever|means|mean|because|being|used",
            0.5,
        ),
        ("fixed|not|unblocked|works|resolved", 0.3),
    ])
});

thread_local! {
    static ON_A_TICKET: RefCell<Memo<Option<Range<usize>>>> = RefCell::default();
    static IN_A_MAIL: RefCell<Memo<Option<Range<usize>>>> = RefCell::default();
    static IN_TALK: RefCell<Memo<Option<Range<usize>>>> = RefCell::default();
    static BLOCKED: RefCell<Memo<Option<Range<usize>>>> = RefCell::default();
}

/// Returns the sentence that settles a choice, unless somebody objects afterwards.
pub fn decision_in(scene: &Scene<'_>, i: usize) -> Option<Range<usize>> {
    let message = scene.messages.get(i)?;
    let best = match scene.kind {
        ThreadKind::Ticket => remembered(&ON_A_TICKET, message.text, |text| {
            approval(text).or_else(|| settling(text, Some(&ON_TICKETS)))
        }),
        ThreadKind::Mail | ThreadKind::Topic | ThreadKind::Page | ThreadKind::Document => {
            remembered(&IN_A_MAIL, message.text, |text| {
                settling(text, Some(&IN_MAIL))
            })
        }
        ThreadKind::Conversation | ThreadKind::Recording => {
            remembered(&IN_TALK, message.text, |text| settling(text, None))
        }
    }?;
    let others = scene.messages[i + 1..]
        .iter()
        .filter(|later| later.author != message.author && !later.is_bot)
        .take(3);
    let objected = others.enumerate().any(|(n, later)| {
        let words = Words::new(later.text, 0..floor(later.text, 200));
        n == 0 && words.has_any(OBJECTIONS, 0) || words.has_any(PROTESTS, 0)
    });
    (!objected).then_some(best)
}

fn settling(text: &str, special: Option<&Table>) -> Option<Range<usize>> {
    strongest(&Cleaned::of(text), &SETTLING, special, &OPEN)
}

/// Returns the sentence that says that work cannot go on.
pub fn blocker_in(scene: &Scene<'_>, i: usize) -> Option<Range<usize>> {
    let text = scene.messages.get(i)?.text;
    remembered(&BLOCKED, text, |text| {
        strongest(&Cleaned::of(text), &STUCK, None, &UNSTUCK)
    })
}

/// Returns a reviewer's "r+", "r=name" or a bot's "approved by", which settle a change.
fn approval(text: &str) -> Option<Range<usize>> {
    let words = Words::new(text, 0..text.len());
    let n = (0..words.len()).find(|&n| {
        let word = words.get(n);
        let is_mark = word.starts_with("r+") || word.starts_with("r=") && word.len() > 2;
        let talks_about = n > 0
            && one_of(
                "an a the to for before your get no needs another my just saying would next or",
                words.get(n - 1),
            );
        is_mark && !talks_about
    });
    let at = n
        .or_else(|| words.find("approved by", 0))
        .or_else(|| words.find("^lgtm|approved", 0))?;
    let start = words.list[at].range.start;
    let end = text[start..]
        .find('\n')
        .map_or(text.len(), |end| start + end);
    let line = text[..start].rfind('\n').map_or(0, |before| before + 1);
    Some(line..end)
}

/// Returns the sentence with the most points, if they are enough.
fn strongest(
    cleaned: &Cleaned,
    cues: &Table,
    special: Option<&Table>,
    against: &Table,
) -> Option<Range<usize>> {
    let mut best: Option<(f32, Range<usize>)> = None;
    for segment in cleaned
        .segments
        .iter()
        .filter(|segment| !segment.is_question && segment.class != Class::Greeting)
    {
        let words = Words::new(&cleaned.flat, segment.range.clone());
        let head = (0..words.len())
            .find(|&n| !people::is_marker(words.get(n)))
            .unwrap_or(0);
        let most = special
            .map_or(0.0, |table| table.most(&words, head))
            .max(cues.most(&words, head));
        if most < ENOUGH {
            continue;
        }
        // What is said outright bears a hedge beside it.
        let hedges = if most > 1.0 { 0.5 } else { 1.0 };
        let points = most - hedges * against.sum(&words, head);
        if points >= ENOUGH && best.as_ref().is_none_or(|(best, _)| points > *best) {
            best = Some((points, segment.range.clone()));
        }
    }
    best.map(|(_, range)| range)
}
