//! Which line of a channel a new line replies to, so that unthreaded talk falls into conversations.
//!
//! Lines come in order and are placed once: a later line never changes where an earlier one went. The state is a function
//! of the last [`WINDOW`] lines and where they were placed, so it can be rebuilt from a store with [`Disentangler::recall`].

mod features;
pub mod fit;
pub mod measure;

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use features::{Known, WEIGHTS, features_of, opening_features};

/// How many lines back a reply may reach.
pub const WINDOW: usize = 100;

/// One line of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// A stable key of the author.
    pub author: &'a str,
    /// The author's names, as others would call them.
    pub names: &'a [&'a str],
    /// When it was said.
    pub at: Timestamp,
    /// What was said.
    pub text: &'a str,
    /// Keys of the people it mentions by the source's own markup.
    pub mentions: &'a [&'a str],
}

/// Where a line belongs; lines are numbered from 0 in the order they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The line it replies to; `None` = it opens a conversation.
    pub reply_to: Option<usize>,
    /// The number of the line that opened its conversation.
    pub conversation: usize,
}

/// Places the lines of one channel, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Disentangler {
    recent: VecDeque<Known>,
    /// In how many of the recent lines a word stands.
    spread: HashMap<u32, u16>,
    next: usize,
}

impl Disentangler {
    /// Returns one that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns one that has seen so many lines and waits for the last of them to be recalled.
    pub fn starting_at(number: usize) -> Self {
        Self {
            next: number,
            ..Self::default()
        }
    }

    /// Returns where the line belongs and remembers it.
    pub fn push(&mut self, line: &Line<'_>) -> Placed {
        let known = Known::new(line, self.next, &self.recent);
        let placed = self.place(&known);
        self.remember(known, placed);
        placed
    }

    /// Remembers a line that was placed before.
    pub fn recall(&mut self, line: &Line<'_>, placed: Placed) {
        let known = Known::new(line, self.next, &self.recent);
        self.remember(known, placed);
    }

    /// Returns the most likely place of a line.
    fn place(&self, line: &Known) -> Placed {
        let mut best = (score(&opening_features(line, &self.recent)), None);
        for (n, earlier) in self.recent.iter().enumerate() {
            let points = score(&features_of(line, earlier, n, &self.recent, &self.spread));
            // Of equals the later line wins.
            if points >= best.0 {
                best = (points, Some(n));
            }
        }
        match best.1.map(|n| &self.recent[n]) {
            Some(earlier) => Placed {
                reply_to: Some(earlier.number),
                conversation: earlier.conversation,
            },
            None => Placed {
                reply_to: None,
                conversation: line.number,
            },
        }
    }

    /// Puts a line at the end of the window and lets the oldest go.
    fn remember(&mut self, mut line: Known, placed: Placed) {
        line.conversation = placed.conversation;
        line.replies_to = placed.reply_to;
        let first = self.next - self.recent.len();
        if let Some(answered) = placed
            .reply_to
            .and_then(|to| to.checked_sub(first))
            .and_then(|n| self.recent.get_mut(n))
        {
            answered.replies += 1;
        }
        for &word in &line.words {
            *self.spread.entry(word).or_default() += 1;
        }
        self.recent.push_back(line);
        self.next += 1;
        if self.recent.len() > WINDOW
            && let Some(oldest) = self.recent.pop_front()
        {
            for word in oldest.words {
                if let Some(count) = self.spread.get_mut(&word) {
                    *count -= 1;
                    if *count == 0 {
                        self.spread.remove(&word);
                    }
                }
            }
        }
    }
}

/// Returns the weighted sum of the features.
fn score(features: &[f32; features::COUNT]) -> f32 {
    features
        .iter()
        .zip(&WEIGHTS)
        .map(|(value, weight)| value * weight)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two talks that cross, a minute between two lines.
    const CROSSED: &[(&str, &str)] = &[
        (
            "ana",
            "does anyone have a working config for the label printer?",
        ),
        (
            "bo",
            "hi all, how do I get my leave approved in the new portal?",
        ),
        ("cleo", "ana: yes, copy the printer section from the wiki"),
        (
            "dee",
            "bo: open the portal, then Requests, your lead gets a mail",
        ),
        ("ana", "cleo: thanks, the printer section works"),
        ("bo", "dee: ah, found it"),
    ];

    fn line<'a>((author, text): (&'a str, &'a str), minute: i64) -> Line<'a> {
        let at = Timestamp::from_second(1_780_000_000 + minute * 60).unwrap();
        Line {
            author,
            names: &[],
            at,
            text,
            mentions: &[],
        }
    }

    fn placed(lines: &[(&str, &str)]) -> Vec<Placed> {
        let mut disentangler = Disentangler::new();
        lines
            .iter()
            .zip(0..)
            .map(|(&said, minute)| disentangler.push(&line(said, minute)))
            .collect()
    }

    #[test]
    fn crossed_talks_fall_apart() {
        let replies: Vec<Option<usize>> = placed(CROSSED)
            .iter()
            .map(|placed| placed.reply_to)
            .collect();
        assert_eq!(replies, [None, None, Some(0), Some(1), Some(2), Some(3)]);
        let talks: Vec<usize> = placed(CROSSED)
            .iter()
            .map(|placed| placed.conversation)
            .collect();
        assert_eq!(talks, [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn a_later_line_changes_nothing_before_it() {
        let all = placed(CROSSED);
        for n in 0..CROSSED.len() {
            assert_eq!(placed(&CROSSED[..n]), all[..n]);
        }
    }

    #[test]
    fn recalled_lines_leave_the_same_state() {
        let mut long: Vec<(&str, &str)> = Vec::new();
        for _ in 0..40 {
            long.extend(CROSSED);
        }
        let all = placed(&long);
        let mut disentangler = Disentangler::starting_at(long.len() - 1 - WINDOW);
        for n in long.len() - 1 - WINDOW..long.len() - 1 {
            disentangler.recall(&line(long[n], n as i64), all[n]);
        }
        assert_eq!(
            disentangler.push(&line(long[long.len() - 1], long.len() as i64 - 1)),
            all[long.len() - 1]
        );
    }
}
