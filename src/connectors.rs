//! The seams to the outside systems and the list of them.
//!
//! A connector is one file here, one line in `connectors!`, fixtures, a table in `config.example.toml` and a row in the
//! README. It never touches the store: it turns wire types into a [`Page`] and leaves the rest to `ingest`.

use std::future::Future;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::model::{ConnectorId, Event, Person, Space, Thread};

pub mod files;
pub mod mail;
pub mod maildir;
pub mod mbox;
pub mod slack_export;
pub mod tickets;
pub mod transcripts;

use files::FileSource;

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

/// Writes the list of systems once: the config enum, the sources and the match between them.
macro_rules! connectors {
    ($($(#[$doc:meta])* $name:literal $variant:ident: $config:ty => $source:ty,)*) => {
        /// One `[connectors.*]` table; `type` chooses the variant.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(tag = "type")]
        pub enum ConnectorConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)*
        }

        /// An opened source of any type.
        pub enum AnySource {
            $($(#[$doc])* $variant($source),)*
        }

        impl ConnectorConfig {
            /// Every type name, as written in the config.
            pub const TYPE_NAMES: &[&str] = &[$($name),*];

            /// Returns the `type` of the table.
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// Opens the source; relative paths start at `base`. Nothing is read yet.
            ///
            /// # Errors
            /// When a key of the table cannot be right; the message names it.
            pub fn open(&self, id: &ConnectorId, base: &Path) -> Result<AnySource> {
                match self { $(Self::$variant(config) => config.open(id, base).map(AnySource::$variant),)* }
            }

            /// Returns one-line facts about the source for `daybrief check`, without reading all of it.
            ///
            /// # Errors
            /// When the source as a whole cannot be read; the message names the path, the key and the next step.
            pub fn check(&self, id: &ConnectorId, base: &Path) -> Result<Vec<String>> {
                match self { $(Self::$variant(config) => config.check(id, base),)* }
            }
        }

        impl Source for AnySource {
            async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
                match self { $(Self::$variant(source) => source.fetch(after).await,)* }
            }
        }
    };
}

connectors! {
    /// A Slack export: a folder or the zip itself.
    "slack-export" SlackExport: slack_export::SlackExport => FileSource<slack_export::Export>,
    /// Mail in mbox files.
    "mbox" Mbox: mbox::Mbox => FileSource<mbox::Mailbox>,
    /// Mail in a Maildir and its sub-folders.
    "maildir" Maildir: maildir::Maildir => FileSource<maildir::Mailbox>,
    /// Tickets as JSON lines.
    "tickets" Tickets: tickets::Tickets => FileSource<tickets::Rows>,
    /// Transcripts of recorded videos.
    "transcripts" Transcripts: transcripts::Transcripts => FileSource<transcripts::Recordings>,
}

#[cfg(test)]
mod tests {
    use super::files::testing::{open, read};
    use super::*;
    use crate::model::EventKind;

    #[test]
    fn every_type_opens_from_a_small_table_and_refuses_unknown_keys() {
        for name in ConnectorConfig::TYPE_NAMES {
            let config: ConnectorConfig =
                toml::from_str(&format!("type = \"{name}\"\npath = \"x\"")).unwrap();
            assert_eq!(config.type_name(), *name);
            assert!(config.open(&"here".into(), Path::new("/")).is_ok());
            let error = config
                .check(&"here".into(), Path::new("/nowhere"))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("/nowhere/x") && error.contains("[connectors.here]"),
                "{error}"
            );
            let wrong = format!("type = \"{name}\"\npath = \"x\"\ncolour = 1");
            assert!(
                toml::from_str::<ConnectorConfig>(&wrong)
                    .unwrap_err()
                    .to_string()
                    .contains("colour")
            );
        }
    }

    #[test]
    #[ignore = "reads the folder that DAYBRIEF_SHARED names"]
    fn team_world_is_read_whole() {
        let shared =
            std::env::var("DAYBRIEF_SHARED").expect("DAYBRIEF_SHARED names the shared folder");
        let base = Path::new(&shared).join("data/team-world");
        assert!(base.is_dir(), "{} is missing", base.display());
        let begun = std::time::Instant::now();
        let count = |table: &str, wanted: fn(&EventKind) -> bool| {
            let begun = std::time::Instant::now();
            let all = read(&mut open(table, &base), None);
            assert!(all.page.skipped.is_empty(), "{:?}", all.skipped());
            eprintln!(
                "{table:?}: {} events in {} pages, {:?}",
                all.page.events.len(),
                all.pages,
                begun.elapsed()
            );
            let again = read(&mut open(table, &base), all.cursor.clone());
            assert!(again.page.events.is_empty());
            all.page
                .events
                .iter()
                .filter(|event| wanted(&event.kind))
                .count()
        };
        let is_posted = |kind: &EventKind| *kind == EventKind::Posted;
        let is_opened = |kind: &EventKind| *kind == EventKind::Opened;
        let tickets = "type = \"tickets\"\npath = \"tracker/issues.jsonl\"";
        assert_eq!(
            count(
                "type = \"slack-export\"\npath = \"slack-export\"",
                is_posted
            ),
            3_152
        );
        assert_eq!(
            count("type = \"mbox\"\npath = \"mail/list.mbox\"", is_posted),
            425
        );
        assert_eq!(count(tickets, is_opened), 178);
        assert_eq!(count(tickets, is_posted), 866);
        eprintln!("read in {:?}", begun.elapsed());
    }
}
