//! What speaks for a line being the reply to an earlier one, and what for its opening a conversation.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::super::words::is_common;
use super::Line;

/// How many features a candidate has.
pub(super) const COUNT: usize = 40;

/// The weights, fitted by `measure::fit`; in the order of [`features_of`] and then [`opening_features`].
pub(super) const WEIGHTS: [f32; COUNT] = include!("weights.in");

/// What is kept of a line.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub number: usize,
    pub author: u64,
    /// Hashes of what others call the author.
    names: Vec<u64>,
    pub at: Timestamp,
    /// Whom it speaks to: authors' hashes.
    to: Vec<u64>,
    /// Whom it names further on.
    about: Vec<u64>,
    /// Whether it opens with somebody's name who is not in the window.
    calls_stranger: bool,
    /// Sorted hashes of its content words.
    pub words: Vec<u32>,
    length: usize,
    is_question: bool,
    greets: bool,
    thanks: bool,
    answers: bool,
    pub conversation: usize,
    pub replies_to: Option<usize>,
}

impl Known {
    /// Returns what is kept of a line, given those before it.
    pub fn new(line: &Line<'_>, number: usize, recent: &VecDeque<Known>) -> Self {
        let author = hash(line.author);
        let mut names: Vec<u64> = line.names.iter().map(|name| hash(name)).collect();
        names.push(author);
        let mut to: Vec<u64> = line.mentions.iter().map(|key| hash(key)).collect();
        let (mut about, mut words) = (Vec::new(), Vec::new());
        let mut calls_stranger = false;
        let mut length = 0;
        let mut first = String::new();
        for (n, chunk) in line.text.split_whitespace().enumerate().take(200) {
            let bare = chunk.trim_matches(|c: char| {
                matches!(
                    c,
                    ':' | ',' | '.' | '?' | '!' | '<' | '>' | '(' | ')' | ';' | '"'
                )
            });
            let core = bare.trim_start_matches('@');
            if core.is_empty() {
                continue;
            }
            length += 1;
            let lower = core.to_lowercase();
            if n == 0 {
                first.clone_from(&lower);
            }
            let called = hash(&lower);
            let who = (core.len() > 1)
                .then(|| {
                    recent
                        .iter()
                        .rev()
                        .find(|other| other.author != author && other.names.contains(&called))
                })
                .flatten()
                .map(|other| other.author);
            let is_call = bare.len() > core.len() || n == 0 || chunk.ends_with([':', ',']) && n < 3;
            match who {
                Some(who)
                    if is_call
                        && (n > 0
                            || chunk.ends_with([':', ','])
                            || bare.len() > core.len()
                            || core.len() > 3) =>
                {
                    to.push(who)
                }
                Some(who) if core.len() > 3 => about.push(who),
                None if n == 0 && (chunk.ends_with(':') || bare.len() > core.len()) => {
                    calls_stranger = true
                }
                _ => {}
            }
            if who.is_none() && !is_common(&lower) && lower.len() > 1 {
                words.push(called as u32);
            }
        }
        words.sort_unstable();
        words.dedup();
        let text = line.text.trim_end();
        Self {
            number,
            author,
            names,
            at: line.at,
            to,
            about,
            calls_stranger,
            words,
            length,
            is_question: text.ends_with('?') || text.contains("? "),
            greets: matches!(
                first.as_str(),
                "hi" | "hello" | "hey" | "hiya" | "morning" | "good" | "greetings"
            ),
            thanks: ["thank", "thx", "cheers", "ty "]
                .iter()
                .any(|word| line.text.to_lowercase().contains(word)),
            answers: matches!(
                first.as_str(),
                "yes"
                    | "no"
                    | "yeah"
                    | "yep"
                    | "yup"
                    | "nope"
                    | "ok"
                    | "okay"
                    | "ah"
                    | "oh"
                    | "lol"
                    | "well"
                    | "but"
                    | "and"
                    | "so"
                    | "it"
                    | "that"
                    | "because"
                    | "sure"
                    | "hmm"
                    | "right"
                    | "thanks"
                    | "or"
                    | "i'm"
                    | "not"
                    | "then"
                    | "cool"
                    | "you"
                    | "try"
                    | "what"
                    | "why"
            ),
            conversation: number,
            replies_to: None,
        }
    }
}

/// Returns the features of "replies to this earlier line", the `n`th of the recent ones.
pub(super) fn features_of(
    line: &Known,
    earlier: &Known,
    n: usize,
    recent: &VecDeque<Known>,
    spread: &HashMap<u32, u16>,
) -> [f32; COUNT] {
    let mut out = [0.0; COUNT];
    let back = (recent.len() - n) as f32;
    let gap_mins = (line.at.as_second() - earlier.at.as_second()).max(0) as f32 / 60.0;
    let same = line.author == earlier.author;
    let speaks_to = line.to.contains(&earlier.author);
    let spoken_to = earlier.to.contains(&line.author);
    let between = || recent.iter().skip(n + 1);
    let is_last_of_author = !between().any(|other| other.author == earlier.author);
    let is_last_of_talk = !between().any(|other| other.conversation == earlier.conversation);
    let own_last = recent
        .iter()
        .rev()
        .find(|other| other.author == line.author);
    let common = overlap(line, earlier, spread, recent.len());
    let flag = |yes: bool| f32::from(u8::from(yes));
    out[0] = back.ln();
    out[1] = (1.0 + gap_mins).ln();
    out[2] = flag(n + 1 == recent.len());
    out[3] = flag(same);
    out[4] = flag(same && is_last_of_author);
    out[5] = flag(same && n + 1 == recent.len());
    out[6] = flag(speaks_to);
    out[7] = flag(speaks_to && is_last_of_author);
    out[8] = flag(spoken_to);
    out[9] = flag(spoken_to && !between().any(|other| other.to.contains(&line.author)));
    out[10] = flag(!line.to.is_empty() && !speaks_to && !same);
    out[11] = flag(!earlier.to.is_empty() && !spoken_to && !same);
    out[12] = flag(line.about.contains(&earlier.author) || earlier.about.contains(&line.author));
    out[13] = common;
    out[14] = flag(common > 0.0);
    out[15] = flag(earlier.is_question && !line.is_question && !same);
    out[16] = flag(own_last.is_some_and(|own| own.conversation == earlier.conversation));
    out[17] = flag(own_last.is_some_and(|own| own.conversation != earlier.conversation));
    out[18] = flag(is_last_of_talk);
    out[19] = flag(is_last_of_author && !same);
    out[20] = flag(line.answers && n + 1 == recent.len());
    out[21] = flag(line.thanks && spoken_to);
    out[22] = flag(speaks_to && spoken_to);
    out[23] = flag(gap_mins > 10.0);
    out[24] = flag(gap_mins > 60.0);
    out[25] = flag(same && line.to.is_empty() != earlier.to.is_empty());
    out[26] = flag(earlier.replies_to.is_none() && !same);
    out[27] = flag(!same && line.to.is_empty() && earlier.to.is_empty() && n + 1 == recent.len());
    out[28] = flag(line.calls_stranger);
    out[29] = flag(same && !line.to.is_empty() && line.to == earlier.to);
    out[30] = flag(earlier.length < 4 && !same);
    out
}

/// Returns the features of "opens a conversation".
pub(super) fn opening_features(line: &Known, recent: &VecDeque<Known>) -> [f32; COUNT] {
    let mut out = [0.0; COUNT];
    let flag = |yes: bool| f32::from(u8::from(yes));
    let seen = recent.iter().any(|other| other.author == line.author);
    let idle_mins = recent.back().map_or(1e6, |last| {
        (line.at.as_second() - last.at.as_second()).max(0) as f32 / 60.0
    });
    out[31] = 1.0;
    out[32] = flag(!line.to.is_empty() || line.calls_stranger);
    out[33] = flag(seen);
    out[34] = flag(line.is_question);
    out[35] = flag(line.greets);
    out[36] = (line.length as f32).ln_1p();
    out[37] = (1.0 + idle_mins).ln().min(6.0);
    out[38] = flag(line.answers || line.thanks);
    out[39] = flag(!seen && line.is_question);
    out
}

/// Returns how much two lines share, rare words counting more.
fn overlap(a: &Known, b: &Known, spread: &HashMap<u32, u16>, lines: usize) -> f32 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.words.len() && j < b.words.len() {
        match a.words[i].cmp(&b.words[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                let count = f32::from(spread.get(&a.words[i]).copied().unwrap_or(1));
                sum += ((1.0 + lines as f32) / count).ln();
                i += 1;
                j += 1;
            }
        }
    }
    sum / (1.0 + (a.words.len() as f32).sqrt() * (b.words.len() as f32).sqrt()).sqrt()
}

/// Returns the FNV-1a hash of a text.
fn hash(text: &str) -> u64 {
    text.chars()
        .flat_map(char::to_lowercase)
        .fold(0xCBF2_9CE4_8422_2325, |hash, c| {
            (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01B3)
        })
}
