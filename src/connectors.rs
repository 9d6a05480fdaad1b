//! The seams to the outside systems and the list of them.
//!
//! A connector is one file here, one line in `connectors!`, fixtures, a table in `config.example.toml` and a row in the
//! README. It never touches the store: it turns wire types into a [`Page`] and leaves the rest to `ingest`.

use std::future::Future;

use anyhow::Result;

use crate::model::{Event, Person, Space, Thread};

/// How far a source has been read; opaque to everyone but its connector, stored with the page it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// One bite of a source.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Threads as the source shows them now.
    pub threads: Vec<Thread>,
    /// Events, old and new; `ingest` knows which are new.
    pub events: Vec<Event>,
    /// Places and who is in them.
    pub spaces: Vec<Space>,
    /// Accounts and their owners.
    pub people: Vec<Person>,
    /// Items that could not be read, each named by file and line.
    pub skipped: Vec<Skipped>,
    /// The cursor after this page; `None` = unchanged.
    pub next: Option<Cursor>,
    /// Whether there is more to fetch right now.
    pub more: bool,
    /// How far this run has come, for a progress bar: done and total, in the source's own unit (bytes, files).
    pub progress: Option<(u64, u64)>,
}

/// An item that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The place: `mail/list.mbox:1412`, `tickets.jsonl:7`.
    pub at: String,
    /// One plain sentence, without the item's text.
    pub reason: String,
}

/// A system that can be read.
pub trait Source: Send {
    /// Returns the next page after the cursor. The same cursor gives the same ids again.
    ///
    /// # Errors
    /// When the source as a whole cannot be read; single broken items are `skipped`.
    fn fetch(&mut self, after: Option<&Cursor>) -> impl Future<Output = Result<Page>> + Send;
}
