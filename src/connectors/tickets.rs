//! Tickets as JSON lines, one ticket a line with its comments; plain, `.gz` or `.zst`.
//!
//! A row is a snapshot: a ticket that changed stands in the file anew, and `ingest` works out what is different. Only a
//! plain file whose part up to the mark is the same, byte for byte, is read on from there.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Result;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::files::lines::{Lines, lossy};
use super::files::link::Link;
use super::files::{
    self, AudienceOption, FileSource, Found, MAX_BYTES, MAX_ITEMS, Mark, Marks, Root,
};
use super::{Cursor, Page};
use crate::model::{Audience, ConnectorId};

mod normalize;
mod wire;

pub use normalize::normalize;
pub use wire::{Change, Row};

/// No more of one line is read.
const MAX_LINE: usize = 16 << 20;

/// `type = "tickets"`: a tracker's tickets as JSON lines.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tickets {
    /// A file, or a folder of `.jsonl`, `.jsonl.gz` and `.jsonl.zst` files, relative to the config.
    pub path: PathBuf,
    /// Where a ticket can be read: `https://tracker.example/{id}`.
    pub url: String,
    /// Who may read: `everyone`, or `participants`, the people a ticket names.
    pub audience: AudienceOption,
}

impl Tickets {
    /// Opens the files.
    ///
    /// # Errors
    /// When a key cannot be right.
    pub fn open(&self, id: &ConnectorId, base: &Path) -> Result<FileSource<Rows>> {
        Ok(FileSource::new(Rows {
            root: Root::new(id, base, &self.path)?,
            url: Link::new(id, &self.url, &["id"])?,
            audience: self.audience,
            open: None,
            after: None,
            seen: HashMap::new(),
        }))
    }

    /// Returns how many files and, where that is quick, how many tickets there are.
    ///
    /// # Errors
    /// When there is nothing at the path.
    pub fn check(&self, id: &ConnectorId, base: &Path) -> Result<Vec<String>> {
        const QUICK: u64 = 64 << 20;
        let root = Root::new(id, base, &self.path)?;
        let found = root.files(is_wanted)?;
        let mut rows = 0;
        let mut is_counted = true;
        for file in &found {
            if file.metadata.len() > QUICK {
                is_counted = false;
                continue;
            }
            let mut lines = Lines::new(decoded(&file.path)?, 0, 0, 1);
            while let Ok(Some(line)) = lines.next_line() {
                rows += u64::from(line.bytes == b"{");
            }
        }
        let bytes = found.iter().map(|file| file.metadata.len()).sum();
        let files = files::counted(found.len() as u64, "file", "files");
        Ok(vec![if is_counted {
            format!("{} in {files}", files::counted(rows, "ticket", "tickets"))
        } else {
            format!("{files}, {} bytes", files::grouped(bytes))
        }])
    }
}

/// Opened ticket files.
pub struct Rows {
    root: Root,
    url: Link,
    audience: AudienceOption,
    open: Option<(String, FileLines)>,
    /// The cursor that the open file and the tickets met belong to.
    after: Option<Cursor>,
    /// The last update of each ticket met in this pass, so that an older copy further down does not turn it back.
    seen: HashMap<String, Option<jiff::Timestamp>>,
}

impl files::Reader for Rows {
    fn page(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let mut marks: Marks = files::parse_cursor(after);
        let found = self.root.files(is_wanted)?;
        let mut page = Page::default();
        let changed: Vec<&Found> = found
            .iter()
            .filter(|file| {
                !marks
                    .files
                    .get(&file.name)
                    .is_some_and(|mark| mark.is_current(&file.metadata))
            })
            .collect();
        // An archive is not unpacked again for each page: the open file stays from one to the next.
        let mut open = self.open.take();
        if changed.is_empty() || self.after.as_ref() != after {
            open = None;
            self.seen.clear();
        }
        if changed.is_empty() {
            return Ok(page);
        }
        let total: u64 = changed.iter().map(|file| file.metadata.len()).sum();
        let mut done = 0;
        for file in changed {
            let mark = marks.files.entry(file.name.clone()).or_default();
            let lines = match open.take() {
                Some((name, lines)) if name == file.name && mark.is_same_file(&file.metadata) => {
                    Ok(lines)
                }
                _ => reader_after(file, mark),
            };
            let lines = match lines {
                Ok(lines) => lines,
                Err(error) => {
                    page.skipped.push(self.root.skipped(
                        &file.name,
                        0,
                        format!("cannot be read: {error}"),
                    ));
                    *mark = Mark {
                        done: true,
                        ..at_start(file)
                    };
                    continue;
                }
            };
            if let Some(lines) = self.read_file(file, mark, lines, &mut page) {
                page.more = true;
                done += mark.offset.min(file.metadata.len());
                open = Some((file.name.clone(), lines));
                break;
            }
            done += file.metadata.len();
            if is_full(&page, 0) {
                page.more = true;
                break;
            }
        }
        // Whether a file is left is only known by looking again.
        page.progress = Some((done, total));
        let next = files::to_cursor(&marks);
        (self.open, self.after) = (open, Some(next.clone()));
        page.next = (after != Some(&next)).then_some(next);
        Ok(page)
    }
}

impl Rows {
    /// Reads rows until the page is full, which gives the reader back, or the file is over.
    fn read_file(
        &mut self,
        file: &Found,
        mark: &mut Mark,
        mut lines: FileLines,
        page: &mut Page,
    ) -> Option<FileLines> {
        let name = &file.name;
        let start = lines.offset;
        (mark.len, mark.mtime, mark.done) =
            (file.metadata.len(), files::mtime_ns(&file.metadata), false);
        let mut people = HashMap::new();
        let is_over = loop {
            if is_full(page, lines.offset - start) {
                break false;
            }
            let before = (lines.offset, lines.number, lines.hash.clone());
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break true,
                Err(error) => {
                    let reason = format!("the file is cut off or damaged here: {error}");
                    page.skipped
                        .push(self.root.skipped(name, before.1 + 1, reason));
                    break true;
                }
            };
            let (number, is_ended, is_cut) = (line.number, line.is_ended, line.is_cut);
            if line.bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if is_cut {
                let reason = format!("the line is longer than {} MB", MAX_LINE >> 20);
                page.skipped.push(self.root.skipped(name, number, reason));
                continue;
            }
            let (text, is_lossy) = lossy(line.bytes);
            match serde_json::from_str::<Row>(text.trim_start_matches('\u{feff}')) {
                Ok(row) => {
                    if is_lossy {
                        let reason = "some bytes are no UTF-8; they were replaced";
                        page.skipped.push(self.root.skipped(name, number, reason));
                    }
                    self.take_row(&row, file, number, page, &mut people);
                }
                Err(_) if !is_ended => {
                    // Perhaps it is being written: it is looked at again when the file has grown.
                    let reason = "the last line is cut off; it is read again when the file grows";
                    page.skipped.push(self.root.skipped(name, number, reason));
                    (lines.offset, lines.number, lines.hash) = before;
                    break true;
                }
                Err(error) => {
                    let reason = format!("the line is no ticket: {}", reason_of(&error));
                    page.skipped.push(self.root.skipped(name, number, reason));
                }
            }
        };
        (mark.offset, mark.line) = (lines.offset, lines.number);
        mark.print = lines
            .hash
            .as_ref()
            .map(|hash| files::hex(&hash.clone().finalize()))
            .unwrap_or_default();
        mark.done = is_over;
        page.people.extend(people.into_values());
        (!is_over).then_some(lines)
    }

    fn take_row(
        &mut self,
        row: &Row,
        file: &Found,
        line: u64,
        page: &mut Page,
        people: &mut HashMap<String, crate::model::Person>,
    ) {
        let normalized = match normalize(
            row,
            &self.root.id,
            &self.url,
            files::modified_at(&file.metadata),
        ) {
            Ok(normalized) => normalized,
            Err(reason) => {
                page.skipped
                    .push(self.root.skipped(&file.name, line, reason));
                return;
            }
        };
        for note in &normalized.notes {
            page.skipped
                .push(self.root.skipped(&file.name, line, note.as_str()));
        }
        let mut normalized = normalized;
        if self.audience == AudienceOption::Participants {
            let named = normalized
                .people
                .iter()
                .filter_map(|person| person.handle.clone());
            normalized.thread.audience = Audience::Only(named.collect());
        }
        if let Some(updated) = self.seen.get(&row.id) {
            let is_older = row.updated_at() < *updated;
            let reason = if is_older {
                "the ticket stood further up with a later update; only its comments were taken from here"
            } else {
                "the ticket stood further up already; this later row counts"
            };
            page.skipped
                .push(self.root.skipped(&file.name, line, reason));
            if is_older {
                page.events.extend(
                    normalized
                        .events
                        .into_iter()
                        .filter(|event| *event.id.id != *row.id),
                );
                return;
            }
            page.threads.retain(|thread| *thread.id.id != *row.id);
            page.events.retain(|event| *event.id.id != *row.id);
        }
        self.seen.insert(row.id.clone(), row.updated_at());
        for person in normalized.people {
            let key = person
                .handle
                .as_ref()
                .map(|handle| handle.id.to_string())
                .unwrap_or_default();
            let known = people.entry(key).or_insert_with(|| person.clone());
            known.is_bot |= person.is_bot;
        }
        page.threads.push(normalized.thread);
        page.events.extend(normalized.events);
        page.spaces.extend(
            normalized
                .space
                .filter(|space| !page.spaces.contains(space)),
        );
    }
}

type FileLines = Lines<Box<dyn BufRead + Send>>;

fn is_full(page: &Page, bytes: u64) -> bool {
    page.events.len() + page.skipped.len() >= MAX_ITEMS || bytes >= MAX_BYTES
}

fn is_wanted(name: &str) -> bool {
    let plain = name
        .strip_suffix(".gz")
        .or(name.strip_suffix(".zst"))
        .unwrap_or(name);
    plain.ends_with(".jsonl") || plain.ends_with(".ndjson")
}

fn is_packed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "gz" || extension == "zst")
}

/// Opens a file, unpacked by its name's ending.
///
/// # Errors
/// When it cannot be read.
pub fn decoded(path: &Path) -> std::io::Result<Box<dyn BufRead + Send>> {
    let file = File::open(path)?;
    Ok(
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))),
            Some("zst") => {
                let mut decoder = zstd::Decoder::new(file)?;
                // Archives of trackers are written with `--long=27`.
                decoder.window_log_max(27)?;
                Box::new(BufReader::new(decoder))
            }
            _ => Box::new(BufReader::with_capacity(64 << 10, file)),
        },
    )
}

fn at_start(file: &Found) -> Mark {
    Mark {
        len: file.metadata.len(),
        mtime: files::mtime_ns(&file.metadata),
        ..Mark::default()
    }
}

/// Opens a file behind its mark, or at its start when the mark is not of this content.
fn reader_after(file: &Found, mark: &mut Mark) -> std::io::Result<FileLines> {
    if is_packed(&file.path) {
        if !mark.is_same_file(&file.metadata) {
            *mark = at_start(file);
        }
        let mut reader = decoded(&file.path)?;
        // An archive has no middle to begin in.
        let skipped = std::io::copy(&mut (&mut reader).take(mark.offset), &mut std::io::sink())?;
        return Ok(Lines::new(reader, skipped, mark.line, MAX_LINE));
    }
    let mut handle = File::open(&file.path)?;
    let mut hash = Sha256::new();
    if mark.offset > 0 {
        let is_there = mark.offset <= file.metadata.len();
        hash = files::hash_prefix(&mut handle, mark.offset)?;
        if !is_there || files::hex(&hash.clone().finalize()) != mark.print {
            *mark = at_start(file);
            hash = Sha256::new();
        }
    }
    handle.seek(SeekFrom::Start(mark.offset))?;
    let reader: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(64 << 10, handle));
    let mut lines = Lines::new(reader, mark.offset, mark.line, MAX_LINE);
    lines.hash = Some(hash);
    Ok(lines)
}

/// Returns what is wrong with a line without quoting from it.
fn reason_of(error: &serde_json::Error) -> String {
    let column = error.column();
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("a field has another shape than expected, near column {column}")
        }
        _ => format!("not JSON from column {column} on"),
    }
}

#[cfg(test)]
mod tests;
