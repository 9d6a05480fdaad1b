//! What the connectors over files share: the blocking source, marks, paths, links and page sizes.
//!
//! A mark says how far a file was read. A file whose length and modification time are those of its mark costs one
//! `stat`; a file that grew is read on from the mark when the part before it still has the same print; any other file
//! is read again whole, which `ingest` makes harmless.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Again, Cursor, Page, Skipped, Source};
use crate::model::{Audience, ConnectorId, Event, EventId, EventKind, Markdown, ThreadId};

pub mod lines;
pub mod link;
pub mod look;
pub mod objects;
#[cfg(test)]
pub(crate) mod testing;
pub mod tolerant;

/// A page is full after this many events and skipped items.
pub const MAX_ITEMS: usize = 2_000;
/// A page is full after this many bytes of the source.
pub const MAX_BYTES: u64 = 8 << 20;

/// The time in the mark of a file that could not be opened; no file has it.
pub const UNREADABLE: i64 = i64::MIN;

/// Reads pages of files; the ordinary function behind a [`FileSource`].
pub trait Reader: Send + 'static {
    /// Returns the next page after the cursor, as [`Source::fetch`] does.
    ///
    /// # Errors
    /// When the path as a whole cannot be read.
    fn page(&mut self, after: Option<&Cursor>) -> Result<Page>;
}

/// A source over files: its reader works on a thread where it may block.
pub struct FileSource<R> {
    // Shared, so that a fetch that is dropped half-way leaves the reader in place for the next one.
    reader: Arc<Mutex<R>>,
}

impl<R: Reader> FileSource<R> {
    /// Wraps a reader.
    pub fn new(reader: R) -> Self {
        FileSource {
            reader: Arc::new(Mutex::new(reader)),
        }
    }
}

impl<R: Reader> Source for FileSource<R> {
    async fn fetch(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let (reader, after) = (self.reader.clone(), after.cloned());
        tokio::task::spawn_blocking(move || {
            let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.page(after.as_ref())
        })
        .await
        .context("the task that reads the files stopped")?
    }
}

/// Whose audience the items of a file source have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AudienceOption {
    /// Every configured member may read.
    #[default]
    Everyone,
    /// Only the people an item names may read it: sender and recipients, speakers.
    Participants,
}

/// A path of the config, with what is needed to talk about it.
#[derive(Clone, Debug)]
pub struct Root {
    /// The connector whose table names the path.
    pub id: ConnectorId,
    /// The path, from the config's folder.
    pub path: PathBuf,
    /// The path as the config writes it, for messages.
    pub shown: PathBuf,
}

impl Root {
    /// Joins a path of the config with the folder of the config.
    ///
    /// # Errors
    /// When the path is empty.
    pub fn new(id: &ConnectorId, base: &Path, path: &Path) -> Result<Root> {
        if path.as_os_str().is_empty() {
            bail!("`path` is missing under [connectors.{id}]; name the file or folder to read");
        }
        Ok(Root {
            id: id.clone(),
            path: base.join(path),
            shown: path.to_path_buf(),
        })
    }

    /// Returns what stands at the path.
    ///
    /// # Errors
    /// When there is nothing or it may not be read; the message names the path, the key and the next step.
    pub fn metadata(&self) -> Result<Metadata> {
        std::fs::metadata(&self.path).map_err(|error| self.explain(&error))
    }

    /// Returns the regular files at or under the path that `wants` takes, by name, with names relative to the path.
    ///
    /// # Errors
    /// As [`Root::metadata`].
    pub fn files(&self, wants: impl Fn(&str) -> bool) -> Result<Vec<Found>> {
        let metadata = self.metadata()?;
        if !metadata.is_dir() {
            return Ok(vec![Found {
                name: String::new(),
                path: self.path.clone(),
                metadata,
            }]);
        }
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), self.path.clone())];
        while let Some((prefix, folder)) = folders.pop() {
            let entries = std::fs::read_dir(&folder).map_err(|error| self.explain(&error))?;
            for entry in entries {
                let entry = entry.map_err(|error| self.explain(&error))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                // Through links as well; a file that vanished since is not there.
                let Ok(metadata) = std::fs::metadata(entry.path()) else {
                    continue;
                };
                if name.starts_with('.') {
                    continue;
                }
                let full = format!("{prefix}{name}");
                if metadata.is_dir() && prefix.matches('/').count() < 8 {
                    folders.push((format!("{full}/"), entry.path()));
                } else if metadata.is_file() && wants(&name) {
                    found.push(Found {
                        name: full,
                        path: entry.path(),
                        metadata,
                    });
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Returns one of its files as a root of its own.
    pub fn of(&self, file: &Found) -> Root {
        Root {
            id: self.id.clone(),
            path: file.path.clone(),
            shown: self.shown_as(&file.name),
        }
    }

    /// Returns the file, or its part behind a line, as what is read anew.
    pub fn again(&self, name: &str, after_line: u64) -> Again {
        Again {
            at: self.shown_as(name).display().to_string(),
            after_line,
        }
    }

    fn shown_as(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.shown.clone()
        } else {
            self.shown.join(name)
        }
    }

    /// Returns an item that could not be read, at a line of a file under the path; line 0 means the whole file.
    pub fn skipped(&self, name: &str, line: u64, reason: impl Into<String>) -> Skipped {
        let mut at = self.shown_as(name).display().to_string();
        if line > 0 {
            at = format!("{at}:{line}");
        }
        Skipped {
            at,
            reason: reason.into(),
        }
    }

    /// Notes a file that cannot be opened.
    ///
    /// # Errors
    /// When the path of the config is that file, so that there is nothing else to read.
    pub fn give_up(&self, file: &Found, error: &std::io::Error, page: &mut Page) -> Result<()> {
        if file.name.is_empty() {
            return Err(self.explain(error));
        }
        let reason = format!("the file cannot be read: {error}");
        page.skipped.push(self.skipped(&file.name, 0, reason));
        Ok(())
    }

    /// Returns the error of the whole path in words for the operator.
    pub fn explain(&self, error: &std::io::Error) -> anyhow::Error {
        let (path, id) = (self.path.display(), &self.id);
        if error.kind() == std::io::ErrorKind::NotFound {
            anyhow!(
                "there is nothing at {path}, which `path` under [connectors.{id}] names; put the files there or correct `path`"
            )
        } else {
            anyhow!("cannot read {path}, which `path` under [connectors.{id}] names: {error}")
        }
    }
}

/// A file found under a [`Root`].
#[derive(Clone, Debug)]
pub struct Found {
    /// The name relative to the root, with `/`; empty when the root is the file.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its length and times.
    pub metadata: Metadata,
}

/// How far one file has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The file's length when it was read.
    pub len: u64,
    /// The file's modification time when it was read, in nanoseconds.
    pub mtime: i64,
    /// Everything before this byte has been read and need not be read again.
    pub offset: u64,
    /// How many lines lie before the offset.
    pub line: u64,
    /// A hash over the part before the offset.
    pub print: String,
    /// Whether the end has been reached.
    pub done: bool,
}

impl Mark {
    /// Returns whether the file is as it was when it was read to its end.
    pub fn is_current(&self, metadata: &Metadata) -> bool {
        self.done && self.is_same_file(metadata)
    }

    /// Returns whether the file has not been touched since.
    pub fn is_same_file(&self, metadata: &Metadata) -> bool {
        self.len == metadata.len() && self.mtime == mtime_ns(metadata)
    }
}

/// The cursor of a connector that reads files line by line or mail by mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// By the file's name.
    pub files: BTreeMap<String, Mark>,
}

impl Marks {
    /// Forgets the files that are gone, and tells the page that what was said of them is no longer true.
    pub fn forget_gone(&mut self, root: &Root, found: &[Found], page: &mut Page) {
        self.files.retain(|name, _| {
            let is_there = found
                .binary_search_by(|file| file.name.as_str().cmp(name))
                .is_ok();
            if !is_there {
                page.again.push(root.again(name, 0));
            }
            is_there
        });
    }
}

/// Reads a cursor; one that another version wrote counts as none, which repeats work and loses nothing.
pub fn parse_cursor<T: DeserializeOwned + Default>(cursor: Option<&Cursor>) -> T {
    cursor
        .and_then(|cursor| serde_json::from_str(&cursor.0).ok())
        .unwrap_or_default()
}

/// Writes a cursor.
pub fn to_cursor<T: Serialize>(state: &T) -> Cursor {
    Cursor(serde_json::to_string(state).expect("maps with text keys and numbers are always JSON"))
}

/// Returns a file's modification time in nanoseconds.
pub fn mtime_ns(metadata: &Metadata) -> i64 {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
    }
}

/// Returns a file's modification time.
pub fn modified_at(metadata: &Metadata) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(mtime_ns(metadata))).unwrap_or_default()
}

/// Returns a hash state over the first `upto` bytes of a file, and the file standing there.
///
/// # Errors
/// When the file cannot be read so far.
pub fn hash_prefix(file: &mut File, upto: u64) -> std::io::Result<Sha256> {
    file.seek(SeekFrom::Start(0))?;
    hash_of(&mut file.take(upto))
}

/// Returns a print of the first `upto` bytes that looks at no more than 64 KiB at both ends.
///
/// # Errors
/// When the file cannot be read so far.
pub fn sampled_print(file: &mut File, upto: u64) -> std::io::Result<String> {
    const SAMPLE: u64 = 64 << 10;
    if upto <= 2 * SAMPLE {
        return Ok(hex(&hash_prefix(file, upto)?.finalize()));
    }
    let mut state = hash_prefix(file, SAMPLE)?;
    file.seek(SeekFrom::Start(upto - SAMPLE))?;
    state.update(hash_of(&mut file.take(SAMPLE))?.finalize());
    state.update(upto.to_le_bytes());
    Ok(hex(&state.finalize()))
}

fn hash_of(reader: &mut impl Read) -> std::io::Result<Sha256> {
    let mut state = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(state),
            Ok(count) => state.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the first eight bytes of a digest as text.
pub fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns an event with nothing but its identity and time; the rest is filled in by struct update.
pub fn bare_event(id: EventId, thread: ThreadId, kind: EventKind, at: jiff::Timestamp) -> Event {
    Event {
        id,
        thread,
        kind,
        author: None,
        occurred_at: at,
        text: Markdown::default(),
        aside: String::new(),
        mentions: Vec::new(),
        url: String::new(),
        audience: None::<Audience>,
        by_bot: false,
    }
}

/// Returns a number with thousands separators, for sentences.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns `1 file`, `2 files`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_path_names_the_key_and_the_next_step() {
        let root = Root::new(
            &"mail".into(),
            Path::new("/nowhere"),
            Path::new("list.mbox"),
        )
        .unwrap();
        let message = root.metadata().unwrap_err().to_string();
        assert!(message.contains("/nowhere/list.mbox") && message.contains("[connectors.mail]"));
        assert!(message.contains("put the files there"));
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (3152, "3,152"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_print_notices_a_change_before_the_mark_and_ignores_one_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let print = |text: &[u8], upto| {
            std::fs::write(&path, text).unwrap();
            sampled_print(&mut File::open(&path).unwrap(), upto).unwrap()
        };
        assert_eq!(print(b"one\ntwo\n", 4), print(b"one\nTWO\nthree\n", 4));
        assert_ne!(print(b"one\ntwo\n", 4), print(b"ONE\ntwo\n", 4));
        let mut long = vec![b'x'; 300_000];
        let before = print(&long, 300_000);
        long[299_999] = b'y';
        assert_ne!(before, print(&long, 300_000));
    }
}
