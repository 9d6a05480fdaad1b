//! What speaks for a line being the reply to an earlier one, and what for its opening a conversation.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::super::words::{is_common, one_of};
use super::Line;

/// How many features a candidate has.
pub(super) const COUNT: usize = 56;

/// Where the features of an opening begin.
const OPENING: usize = 44;

/// The weights, in the order of [`features_of`] and then [`opening_features`]; made by `fit::fitted_weights`.
pub(super) const WEIGHTS: [f32; COUNT] = include!("weights.in");

/// First words that answer or go on.
const ANSWERS: &str = "yes no yeah yep yup nope ok okay ah oh lol well but and so it that because sure hmm right thanks or i'm not then \
    cool you try what why its it's if also haha nah indeed exactly maybe probably";

/// First words that greet.
const GREETINGS: &str =
    "hi hello hey hiya morning good greetings hallo hola yo sup evening afternoon howdy";

/// What is kept of a line.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub number: usize,
    pub author: u64,
    /// Hashes of what others call the author.
    names: Vec<u64>,
    at: Timestamp,
    /// Whom it speaks to: authors' hashes.
    to: Vec<u64>,
    /// Whom it names further on.
    about: Vec<u64>,
    /// Whether it calls somebody who is not in the window.
    calls_stranger: bool,
    /// Sorted hashes of its words of matter.
    pub words: Vec<u32>,
    length: usize,
    is_question: bool,
    greets: bool,
    thanks: bool,
    answers: bool,
    pub conversation: usize,
    pub replies_to: Option<usize>,
    /// How many later lines of the window reply to it.
    pub replies: u16,
}

impl Known {
    /// Returns what is kept of a line, given those before it.
    pub fn new(line: &Line<'_>, number: usize, recent: &VecDeque<Known>) -> Self {
        let author = hash(line.author);
        let mut names: Vec<u64> = line.names.iter().map(|name| hash(name)).collect();
        names.push(author);
        let mut out = Self {
            number,
            author,
            names,
            at: line.at,
            to: line.mentions.iter().map(|key| hash(key)).collect(),
            about: Vec::new(),
            calls_stranger: false,
            words: Vec::new(),
            length: 0,
            is_question: line.text.trim_end().ends_with('?') || line.text.contains("? "),
            greets: false,
            thanks: false,
            answers: false,
            conversation: number,
            replies_to: None,
            replies: 0,
        };
        for (n, chunk) in line.text.split_whitespace().enumerate().take(200) {
            out.read(n, chunk, recent);
        }
        out.words.sort_unstable();
        out.words.dedup();
        out
    }

    /// Takes in the `n`th word.
    fn read(&mut self, n: usize, chunk: &str, recent: &VecDeque<Known>) {
        let bare = chunk.trim_matches(|c: char| {
            matches!(
                c,
                ':' | ',' | '.' | '?' | '!' | '<' | '>' | '(' | ')' | ';' | '"'
            )
        });
        let core = bare.trim_start_matches('@');
        if core.is_empty() {
            return;
        }
        self.length += 1;
        let lower = core.to_lowercase();
        let called = hash(&lower);
        if n == 0 {
            self.greets = one_of(GREETINGS, &lower);
            self.answers = one_of(ANSWERS, &lower);
        }
        self.thanks |=
            lower.starts_with("thank") || matches!(lower.as_str(), "thx" | "ty" | "cheers");
        let is_marked = bare.len() > core.len() || chunk.ends_with([':', ',']) && n < 3;
        let bears = |other: &&Known| other.author != self.author && other.names.contains(&called);
        let who = (core.len() > 1)
            .then(|| recent.iter().rev().find(bears))
            .flatten()
            .map(|other| other.author);
        match who {
            Some(who) if is_marked || n == 0 && core.len() > 3 => self.to.push(who),
            Some(who) if core.len() > 3 && !is_common(&lower) => self.about.push(who),
            None => {
                self.calls_stranger |= n == 0 && (chunk.ends_with(':') || bare.len() > core.len());
                if lower.len() > 1 && !is_common(&lower) {
                    self.words.push(called as u32);
                }
            }
            _ => {}
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
    let back = recent.len() - n;
    let gap_mins = minutes(earlier.at, line.at);
    let same = line.author == earlier.author;
    let to_it = line.to.contains(&earlier.author);
    let from_it = earlier.to.contains(&line.author);
    let unaddressed = line.to.is_empty() && !line.calls_stranger;
    let mut is_last_of_author = true;
    let mut is_last_of_talk = true;
    let mut is_last_to_me = true;
    let mut own_between = 0;
    for other in recent.iter().skip(n + 1) {
        is_last_of_author &= other.author != earlier.author;
        is_last_of_talk &= other.conversation != earlier.conversation;
        is_last_to_me &= !other.to.contains(&line.author);
        own_between += usize::from(other.author == line.author);
    }
    let own_last = recent
        .iter()
        .rev()
        .find(|other| other.author == line.author);
    let same_talk = own_last.is_some_and(|own| own.conversation == earlier.conversation);
    let partner = own_last.is_some_and(|own| own.to.contains(&earlier.author));
    let common = overlap(line, earlier, spread, recent.len());
    let is_next = back == 1;
    let values = [
        (back as f32).ln(),
        (1.0 + gap_mins).ln(),
        flag(is_next),
        flag(same),
        flag(same && is_last_of_author),
        flag(same && is_next),
        flag(to_it),
        flag(to_it && is_last_of_author),
        flag(from_it),
        flag(from_it && is_last_to_me),
        flag(!line.to.is_empty() && !to_it && !same),
        flag(!earlier.to.is_empty() && !from_it && !same),
        flag(line.about.contains(&earlier.author)),
        common,
        flag(common > 0.0),
        flag(earlier.is_question && !line.is_question && !same),
        flag(same_talk),
        flag(own_last.is_some() && !same_talk),
        flag(is_last_of_talk),
        flag(is_last_of_author && !same),
        flag(line.answers && is_next),
        flag(line.thanks && from_it),
        flag(to_it && from_it),
        flag(gap_mins > 10.0),
        flag(gap_mins > 60.0),
        flag(same && unaddressed != earlier.to.is_empty()),
        flag(earlier.replies_to.is_none() && !same),
        flag(!same && unaddressed && earlier.to.is_empty() && is_next),
        flag(line.calls_stranger),
        flag(same && !line.to.is_empty() && line.to == earlier.to),
        flag(earlier.length < 4 && !same),
        flag(partner && unaddressed),
        flag(partner && unaddressed && is_last_of_author),
        flag(same_talk && is_last_of_talk && !same),
        flag(to_it && same_talk),
        flag(earlier.replies == 0 && earlier.is_question && !same),
        f32::from(earlier.replies).ln_1p(),
        flag(same && earlier.replies_to.is_none() && own_between == 0),
        (own_between as f32).ln_1p(),
        flag(same && own_between == 0 && gap_mins <= 1.0),
        flag(same && unaddressed && earlier.to.is_empty() && own_between == 0),
        flag(from_it && unaddressed),
        flag(back <= 3),
        flag(line.thanks && same_talk && !same),
    ];
    let mut out = [0.0; COUNT];
    out[..OPENING].copy_from_slice(&values);
    out
}

/// Returns the features of "opens a conversation".
pub(super) fn opening_features(line: &Known, recent: &VecDeque<Known>) -> [f32; COUNT] {
    let own_last = recent
        .iter()
        .rev()
        .position(|other| other.author == line.author);
    let idle_mins = recent.back().map_or(1e6, |last| minutes(last.at, line.at));
    let values = [
        1.0,
        flag(!line.to.is_empty()),
        flag(own_last.is_some()),
        flag(line.is_question),
        flag(line.greets),
        (line.length as f32).ln_1p(),
        (1.0 + idle_mins).ln().min(6.0),
        flag(line.answers || line.thanks),
        flag(own_last.is_none() && line.is_question),
        flag(line.calls_stranger),
        flag(recent.iter().any(|other| other.to.contains(&line.author))),
        flag(recent.len() < 20),
    ];
    let mut out = [0.0; COUNT];
    out[OPENING..].copy_from_slice(&values);
    out
}

/// Returns one for a fact and nothing for none.
fn flag(is_so: bool) -> f32 {
    if is_so { 1.0 } else { 0.0 }
}

/// Returns the minutes from one time to a later one.
fn minutes(from: Timestamp, to: Timestamp) -> f32 {
    (to.as_second() - from.as_second()).max(0) as f32 / 60.0
}

/// Returns how much two lines share, words that are rare in the window counting more.
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
    sum / (1.0 + ((a.words.len() * b.words.len()) as f32).sqrt()).sqrt()
}

/// Returns the FNV-1a hash of a text in lower case.
fn hash(text: &str) -> u64 {
    text.chars()
        .flat_map(char::to_lowercase)
        .fold(0xCBF2_9CE4_8422_2325, |hash, c| {
            (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01B3)
        })
}
