//! Turns a briefing into text for one surface.
//!
//! The words are the same everywhere (`names`, `phrases`, `here`); a surface decides on layout. Every string from outside passes
//! [`plain()`] on its way, and a link leads only to an address of a [`ThreadRef`](crate::model::ThreadRef) or a
//! [`Citation`](crate::model::Citation): text from outside makes none. Everything here is pure.

pub mod here;
pub mod html;
pub mod json;
pub mod lines;
pub mod links;
pub mod markdown;
pub mod names;
pub mod parts;
pub mod phrases;
pub mod plain;
pub mod slack;
pub mod terminal;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod safety;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use here::Here;
pub use html::{html, subject};
pub use json::{from_json, json_line, summary_of, to_json};
pub use markdown::markdown;
pub use plain::{plain, visible_line};
pub use slack::{slack, slack_with_buttons};
pub use terminal::{Links, Screen, terminal};

use crate::model::{Briefing, BriefingItem};

/// Returns how many words a reader has to read: headlines, facts, summaries, and quotes that no summary holds.
pub fn words(briefing: &Briefing) -> usize {
    words_of(&briefing.items)
}

/// Returns how many words the reader of these lines has to read.
pub fn words_of(items: &[BriefingItem]) -> usize {
    let count = |text: &str| text.split_whitespace().count();
    let of_item = |item: &BriefingItem| {
        let quoted: usize = parts::quotes(item)
            .map(|citation| count(&citation.quote))
            .sum();
        count(&item.headline) + count(&summary_of(item)) + quoted
    };
    items.iter().map(of_item).sum()
}
