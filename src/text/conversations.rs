//! Which line of a channel a new line replies to, so that unthreaded talk falls into conversations.
//!
//! Lines come in order and are placed once: a later line never changes where an earlier one went. The state is a function
//! of the last [`WINDOW`] lines and where they were placed, so it can be rebuilt from a store with [`Disentangler::recall`].

mod features;
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
