//! How much a sentence looks like an ask.

use crate::model::{AskKind, ThreadKind};

use super::super::clean::{Class, Cleaned, Segment};
use super::super::words::Words;
use super::cues;
use super::{Scene, THRESHOLD, people};

/// The sentence of a message that asks most.
pub(super) struct Best {
    pub segment: usize,
    pub score: f32,
    pub kind: AskKind,
}

/// Returns the sentence that asks most; of equals, the last question, since it is what the author ends on.
pub(super) fn best_sentence(scene: &Scene<'_>, i: usize, cleaned: &Cleaned) -> Option<Best> {
    let mut best: Option<Best> = None;
    let all: Vec<Words> = cleaned
        .segments
        .iter()
        .map(|segment| Words::new(&cleaned.flat, segment.range.clone()))
        .collect();
    for (n, segment) in cleaned.segments.iter().enumerate() {
        if matches!(
            segment.class,
            Class::Acknowledgement | Class::Greeting | Class::Bare
        ) {
            continue;
        }
        let (score, kind) = score(scene, i, cleaned, &all, n);
        if score <= 0.0
            || best.as_ref().is_some_and(|best| best.score > score)
            || score >= THRESHOLD && is_repeated(scene, i, segment)
        {
            continue;
        }
        best = Some(Best {
            segment: n,
            score,
            kind,
        });
    }
    best
}

/// Returns the score of one sentence and what it would ask for.
fn score(
    scene: &Scene<'_>,
    i: usize,
    cleaned: &Cleaned,
    all: &[Words],
    n: usize,
) -> (f32, AskKind) {
    let (segment, words) = (&cleaned.segments[n], &all[n]);
    let head = people::head(scene, i, words);
    let mut points = request_points(words, head);
    let request = points;
    if segment.is_question {
        points = points.max(0.0) * 0.3 + question_points(cleaned, all, n, head);
    } else {
        points = points.max(opening_points(segment, words, head));
        points -= cues::COURTESIES.sum(words, head);
        // Said to somebody by name, a hint is a request; the first mail of a thread is there to get something done.
        if points > 0.5 && words.list.iter().any(|word| word.is_mention) {
            points += 0.15;
        }
        if points > 0.5 && scene.kind == ThreadKind::Mail && scene.opener == Some(i) {
            points += 0.3;
        }
    }
    let is_review = words.has_any(
        &[
            "review|r|re-review|lgtm|reviewer",
            "take|have a|another look",
            "look good",
        ],
        0,
    );
    let kind = match (segment.is_question, is_review) {
        (_, true) if request > 0.0 => AskKind::Review,
        (true, _)
            if words.has(
                "can|could|would|will you|u|someone|anyone|somebody|anybody",
                0,
            ) =>
        {
            AskKind::Request
        }
        (true, _) => AskKind::Question,
        (false, _) if opening_points(segment, words, head) >= 0.9 => AskKind::Question,
        _ => AskKind::Request,
    };
    (points, kind)
}

/// Returns the points of a sentence that ends with a question mark.
fn question_points(cleaned: &Cleaned, all: &[Words], n: usize, head: usize) -> f32 {
    let (segment, words) = (&cleaned.segments[n], &all[n]);
    let text = &cleaned.flat[segment.range.clone()];
    let mut points = 1.3;
    points -= cues::RHETORICAL.sum(words, head);
    points -= cues::OFFERS.sum(words, head);
    if text.ends_with("(?)")
        || text.ends_with("?)") && !text.starts_with('(') && !text.contains(" (")
    {
        points -= 0.6;
    }
    if is_quoted(text) {
        points -= 0.8;
    }
    if let Some(next) = cleaned.segments.get(n + 1)
        && next.paragraph == segment.paragraph
        && !next.is_question
        && words.len() > 2
        && all[n + 1].len() > 0
        && cues::ANSWER_HEADS
            .iter()
            .any(|phrase| all[n + 1].has(phrase, 0))
    {
        points -= 0.5;
    }
    points
}

/// Returns the points of a sentence that opens like a question but has no mark.
fn opening_points(segment: &Segment, words: &Words, head: usize) -> f32 {
    if segment.words > 40 || words.len() <= head {
        return 0.0;
    }
    cues::QUESTION_HEADS.most(words, head)
}

/// Returns the points of the phrases of request: the strongest, and a little for each other.
fn request_points(words: &Words, head: usize) -> f32 {
    let (mut most, mut others) = (0.0f32, 0.0f32);
    for weight in cues::REQUESTS.weights(words, head) {
        others += most.min(weight);
        most = most.max(weight);
    }
    most + 0.15 * others.min(2.0)
}

/// Returns whether the sentence stands in quotation marks.
fn is_quoted(text: &str) -> bool {
    let opens = text.find(['"', '“', '„', '«']);
    let closes = text
        .trim_end_matches(['.', ')', ','])
        .ends_with(['"', '”', '»']);
    closes && opens.is_some_and(|at| at + 12 < text.len() || at == 0)
}

/// Returns whether an earlier message already has the sentence word for word: a quotation without marks.
fn is_repeated(scene: &Scene<'_>, i: usize, segment: &Segment) -> bool {
    if segment.words < 5 || scene.kind == ThreadKind::Conversation {
        return false;
    }
    let text = scene.messages[i].text;
    let wanted: Vec<&str> = text[segment.range.clone()]
        .split_whitespace()
        .take(12)
        .collect();
    scene.messages[..i].iter().any(|earlier| {
        let mut words = earlier.text.split_whitespace().filter(|word| *word != ">");
        let mut window: std::collections::VecDeque<&str> =
            words.by_ref().take(wanted.len()).collect();
        loop {
            if window.iter().eq(wanted.iter()) {
                return true;
            }
            let Some(next) = words.next() else {
                return false;
            };
            window.pop_front();
            window.push_back(next);
        }
    })
}

/// Returns whether the words say that an answer cannot wait.
pub(super) fn is_urgent(text: &str) -> bool {
    let words = Words::new(text, 0..text.len());
    words.has_any(cues::URGENT, 0)
}
