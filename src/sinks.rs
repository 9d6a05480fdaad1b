//! Where briefings go: the seam, and the two sinks that need nothing else.

use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::brief::render::{self, Screen};
use crate::config::SinkConfig;
use crate::model::{Briefing, Member};

/// A briefing on its way to a reader.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Member and local date; the sink stores it with the message.
    pub key: &'a str,
    /// The reader.
    pub to: &'a Member,
    /// The briefing.
    pub briefing: &'a Briefing,
    /// The moment of sending.
    pub now: Timestamp,
}

/// What a sink gives back: where the message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(pub String);

/// What a sink knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The message is there.
    Yes(Receipt),
    /// It never arrived.
    No,
    /// This sink cannot look.
    CannotTell,
}

/// Somewhere briefings can go.
pub trait ChatSink: Send + Sync {
    /// Sends a message.
    ///
    /// # Errors
    /// When the sink refused it, or when nobody can say whether it arrived; [`ChatSink::find`] tells the two apart.
    fn send(&self, message: Message<'_>) -> impl Future<Output = Result<Receipt>> + Send;

    /// Looks for a message by its key.
    ///
    /// # Errors
    /// When the sink cannot be reached now.
    fn find(&self, key: &str) -> impl Future<Output = Result<Found>> + Send;
}

/// The sinks of the configuration.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Standard output.
    Console,
    /// A folder of Markdown files.
    Folder(PathBuf),
}

impl Sink {
    /// Returns the sink of a table; relative paths start at `base`.
    pub fn of(config: &SinkConfig, base: &Path) -> Sink {
        match config {
            SinkConfig::Console => Sink::Console,
            SinkConfig::File { path } => Sink::Folder(base.join(path)),
        }
    }
}

impl ChatSink for Sink {
    async fn send(&self, message: Message<'_>) -> Result<Receipt> {
        match self {
            Sink::Console => {
                let screen = Screen::default();
                let text = render::terminal(message.briefing, message.to, message.now, &screen);
                writeln!(
                    std::io::stdout().lock(),
                    "── {} ──\n\n{}\n",
                    message.key,
                    text.trim_end()
                )?;
                Ok(Receipt("console".into()))
            }
            Sink::Folder(dir) => write_file(dir, message),
        }
    }

    async fn find(&self, key: &str) -> Result<Found> {
        match self {
            Sink::Console => Ok(Found::CannotTell),
            Sink::Folder(dir) => {
                let path = path_of(dir, key);
                Ok(if path.exists() {
                    Found::Yes(Receipt(path.display().to_string()))
                } else {
                    Found::No
                })
            }
        }
    }
}

/// Writes one briefing to a file of its own: under another name first, so that a file with the right name is whole.
fn write_file(dir: &Path, message: Message<'_>) -> Result<Receipt> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))?;
    let path = path_of(dir, message.key);
    let half = path.with_extension("md.part");
    let text = render::markdown(message.briefing, message.to, message.now);
    let mut file =
        std::fs::File::create(&half).with_context(|| format!("cannot write {}", half.display()))?;
    writeln!(
        file,
        "<!-- daybrief {} -->\n{}",
        message.key,
        text.trim_end()
    )?;
    file.sync_all()?;
    std::fs::rename(&half, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Receipt(path.display().to_string()))
}

fn path_of(dir: &Path, key: &str) -> PathBuf {
    dir.join(format!("{key}.md"))
}
