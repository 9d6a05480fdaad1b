//! The seams to the outside systems and the list of them.
//!
//! A connector is one file here, one line in `connectors!`, fixtures, a table in `config.example.toml` and a row in the
//! README. It never touches the store: it turns wire types into a [`Page`] and leaves the rest to `ingest`.

use std::future::Future;
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;
use serde::Deserialize;

use crate::http::Http;
use crate::model::{ConnectorId, Event, Person, Space, Thread};

pub mod files;
pub mod github;
pub mod hooks;
pub mod imap;
pub mod jira;
#[cfg(test)]
pub(crate) mod loopback;
pub mod mail;
pub mod maildir;
pub mod mbox;
pub mod oauth;
pub mod secret;
pub mod slack;
pub mod slack_export;
pub mod tickets;
pub mod tracker;
pub mod transcripts;

use files::FileSource;
pub use tracker::Tracker;

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
    /// What this page read anew: what was said of it earlier is no longer true.
    pub again: Vec<Again>,
    /// The cursor after this page; `None` = unchanged.
    pub next: Option<Cursor>,
    /// Whether there is more to fetch right now.
    pub more: bool,
    /// What occurred before this was there before anybody looked: it is history, not news, and learned at its own time.
    pub history_before: Option<Timestamp>,
    /// How far this run has come, for a progress bar: done and total, in the source's own unit (bytes, files).
    pub progress: Option<(u64, u64)>,
}

/// A file, or its part behind a line, that a page read anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// The file as [`Skipped::at`] names it, without a line.
    pub at: String,
    /// Only what lies behind this line; 0 means the whole file.
    pub after_line: u64,
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

    /// Hears that something happened to one of its objects (a hook, a push), in the source's own words; the next fetch
    /// asks for it again. Listings are complete without it, so a source that has no use for hints ignores them.
    fn hint(&mut self, object: &str) {
        let _ = object;
    }
}

/// Something that `daybrief check` found out about a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It is as it should be.
    Fine(String),
    /// It works, but less than it could; says what to do.
    Note(String),
}

/// Writes the list of systems once: the config enum, the sources and the match between them.
///
/// `files` are opened from a folder, `live` systems also get the HTTP stack.
macro_rules! connectors {
    (
        files { $($(#[$doc:meta])* $name:literal $variant:ident: $config:ty => $source:ty,)* }
        live { $($(#[$live_doc:meta])* $live_name:literal $live:ident: $live_config:ty => $live_source:ty,)* }
    ) => {
        /// One `[connectors.*]` table; `type` chooses the variant.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(tag = "type")]
        pub enum ConnectorConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)*
            $($(#[$live_doc])* #[serde(rename = $live_name)] $live($live_config),)*
        }

        /// An opened source of any type.
        pub enum AnySource {
            $($(#[$doc])* $variant($source),)*
            $($(#[$live_doc])* $live(Box<$live_source>),)*
        }

        impl ConnectorConfig {
            /// The type names of connectors over files, as written in the config.
            pub const FILE_TYPES: &[&str] = &[$($name),*];

            /// The type names of live systems, as written in the config.
            pub const LIVE_TYPES: &[&str] = &[$($live_name),*];

            /// Returns the `type` of the table.
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* $(Self::$live(_) => $live_name,)* }
            }

            /// Opens the source; relative paths start at `base`. Nothing is read yet but the file of a token.
            ///
            /// # Errors
            /// When a key of the table cannot be right; the message names it.
            pub fn open(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<AnySource> {
                match self {
                    $(Self::$variant(config) => config.open(id, base).map(AnySource::$variant),)*
                    $(Self::$live(config) => config.open(id, base, http).map(Box::new).map(AnySource::$live),)*
                }
            }

            /// Returns one-line facts about the source for `daybrief check`, without reading all of it.
            ///
            /// # Errors
            /// When the source as a whole cannot be read; the message names the path or the host, the key and the next
            /// step.
            pub async fn check(&self, id: &ConnectorId, base: &Path, http: &Http) -> Result<Vec<Fact>> {
                match self {
                    $(Self::$variant(config) => config.check(id, base),)*
                    $(Self::$live(config) => config.check(id, base, http).await,)*
                }
            }
        }

        impl Source for AnySource {
            async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
                match self {
                    $(Self::$variant(source) => source.fetch(after).await,)*
                    $(Self::$live(source) => source.fetch(after).await,)*
                }
            }

            fn hint(&mut self, object: &str) {
                match self {
                    $(Self::$variant(source) => source.hint(object),)*
                    $(Self::$live(source) => source.hint(object),)*
                }
            }
        }
    };
}

impl ConnectorConfig {
    /// Returns whether the system can send hooks.
    pub fn sends_hooks(&self) -> bool {
        matches!(self, Self::Github(_) | Self::Jira(_) | Self::Slack(_))
    }

    /// Returns what a hook of this system says.
    ///
    /// # Errors
    /// When it is not from who knows the secret, or the system sends none.
    pub fn heard(&self, delivery: &hooks::Delivery<'_>) -> Result<hooks::Heard, hooks::Refusal> {
        match self {
            Self::Github(_) => github::hooks::heard(delivery),
            Self::Jira(_) => jira::hooks::heard(delivery),
            Self::Slack(_) => slack::hooks::heard(delivery),
            _ => Err(hooks::Refusal::Unsigned),
        }
    }
}

connectors! {
    files {
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
    live {
        /// A Slack workspace, through an app of its own.
        "slack" Slack: slack::SlackConfig => slack::SlackSource,
        /// Issues and pull requests of GitHub repositories.
        "github" Github: github::GithubConfig => github::GithubSource,
        /// A mailbox on a server.
        "imap" Imap: imap::ImapConfig => imap::ImapSource,
        /// Issues of Jira, Cloud and Data Center.
        "jira" Jira: jira::JiraConfig => jira::JiraSource,
    }
}

#[cfg(test)]
mod tests {
    use super::files::testing::{check, open, read};
    use super::*;
    use crate::model::EventKind;

    #[test]
    fn every_type_over_files_opens_from_a_small_table_and_refuses_unknown_keys() {
        let http = Http::new(Default::default(), Default::default());
        for name in ConnectorConfig::FILE_TYPES {
            let config: ConnectorConfig =
                toml::from_str(&format!("type = \"{name}\"\npath = \"x\"")).unwrap();
            assert_eq!(config.type_name(), *name);
            assert!(config.open(&"here".into(), Path::new("/"), &http).is_ok());
            let checked = check(&config, Path::new("/nowhere"));
            let error = checked.unwrap_err().to_string();
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

    /// Writes a file in pieces of any length, reads after each, at times as a new process, and compares what came.
    fn nothing_is_lost_while_a_file_grows(table: &str, name: &str, text: &str, expected: usize) {
        for seed in 1..12_u64 {
            let base = tempfile::tempdir().unwrap();
            let path = base.path().join(name);
            let mut random = seed;
            let mut next = |below: u64| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % below
            };
            let mut source = open(table, base.path());
            let mut cursor = None;
            let mut texts = std::collections::BTreeMap::new();
            let mut upto = 0;
            while upto < text.len() {
                upto = text.floor_char_boundary(upto + 1 + next(900) as usize);
                std::fs::write(&path, &text[..upto]).unwrap();
                if next(3) == 0 {
                    source = open(table, base.path());
                }
                let all = read(&mut source, cursor);
                cursor = all.cursor;
                texts.extend(
                    all.page
                        .events
                        .into_iter()
                        .map(|event| (event.id, (event.thread, event.text.0))),
                );
            }
            let whole = read(&mut open(table, base.path()), None);
            assert_eq!(whole.page.events.len(), expected);
            for event in whole.page.events {
                let (thread, text) = texts
                    .get(&event.id)
                    .unwrap_or_else(|| panic!("{:?} is lost, seed {seed}", event.id));
                assert_eq!(
                    (&event.thread, &event.text.0),
                    (thread, text),
                    "seed {seed}"
                );
            }
        }
    }

    #[test]
    fn nothing_of_a_growing_mailbox_is_lost() {
        let mail = |at: usize| {
            let parent = if at.is_multiple_of(7) {
                String::new()
            } else {
                format!("References: <m{}@x>\n", at / 7 * 7)
            };
            format!(
                "From a@x Mon Nov  9 01:{:02}:00 2026\nFrom: a@x\nDate: Mon, 09 Nov 2026 01:{:02}:00 +0000\nMessage-ID: <m{at}@x>\n{parent}Subject: s\n\n>From here {at}\n\nFrom there\n\n",
                at % 60,
                at % 60
            )
        };
        let text: String = (0..60).map(mail).collect();
        nothing_is_lost_while_a_file_grows("type = \"mbox\"\npath = \"m\"", "m", &text, 60);
    }

    #[test]
    fn nothing_of_a_growing_list_of_tickets_is_lost() {
        let row = |at: usize| {
            format!(
                "{{\"id\":\"T-{at}\",\"created_at\":\"2026-10-20T08:00:00Z\",\"body\":\"wörds {at}\"}}\n"
            )
        };
        let text: String = (0..200).map(row).collect();
        nothing_is_lost_while_a_file_grows(
            "type = \"tickets\"\npath = \"t.jsonl\"",
            "t.jsonl",
            &text,
            200,
        );
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

    #[test]
    #[ignore = "reads the folder that DAYBRIEF_SHARED names"]
    fn samples_of_others_are_read() {
        let shared =
            std::env::var("DAYBRIEF_SHARED").expect("DAYBRIEF_SHARED names the shared folder");
        let shared = Path::new(&shared);
        let read = |table: &str, base: &Path| {
            let begun = std::time::Instant::now();
            let all = read(&mut open(table, base), None);
            let (events, skipped) = (all.page.events.len(), all.page.skipped.len());
            eprintln!(
                "{table:?}: {events} events, {skipped} skipped, {} pages, {:?}",
                all.pages,
                begun.elapsed()
            );
            all
        };
        let sample = read(
            "type = \"slack-export\"\npath = \"slack-export-2018-sample.zip\"",
            &shared.join("specs/slack-export"),
        );
        assert!(sample.page.skipped.is_empty(), "{:?}", sample.skipped());
        let posted = sample
            .page
            .events
            .iter()
            .filter(|event| event.kind == EventKind::Posted);
        assert_eq!(posted.count(), 147);
        let history = read(
            "type = \"tickets\"\npath = \"history.jsonl.zst\"",
            &shared.join("data/assignee/titanium"),
        );
        assert!(history.page.skipped.is_empty(), "{:?}", history.skipped());
        assert_eq!(history.page.threads.len(), 23_245);

        let folder = tempfile::tempdir().unwrap();
        let unpacked = std::process::Command::new("tar")
            .arg("-xzf")
            .arg(shared.join("specs/mail/mail-parser-fixtures.tar.gz"))
            .arg("-C")
            .arg(folder.path())
            .status();
        assert!(unpacked.unwrap().success());
        let mails = read("type = \"mbox\"\npath = \".\"", folder.path());
        assert!(mails.page.events.len() >= 25, "{:?}", mails.skipped());
    }
}
