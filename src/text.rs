//! Reading messages without a model: clean sentences, asks and their answers, decisions, conversations, near-duplicates.
//!
//! Everything here is a pure function over text; nothing is stored, fetched or timed.

pub mod asks;
pub mod clean;
pub mod conversations;
pub mod eval;
pub mod language;
mod lines;
mod memo;
pub mod overriding;
mod phrases;
mod quote;
pub mod similar;
mod words;

pub use clean::{Sentence, first_good_sentence, sentences};
pub use quote::{Quote, quote, safe, stands_in};
