//! Tickets as JSON lines, one ticket a line with its comments, or as one JSON array of them; plain, `.gz` or `.zst`.
//!
//! A row is a snapshot: a ticket that changed stands in the file anew, and `ingest` works out what is different. Only a
//! plain file whose part up to the mark is the same, byte for byte, is read on from there.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Result;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::files::lines::{Lines, lossy};
use super::files::link::Link;
use super::files::look::look;
use super::files::objects::{self, Objects};
use super::files::{
    self, AudienceOption, FileSource, Found, MAX_BYTES, MAX_ITEMS, Mark, Marks, Root,
};
use super::{Cursor, Fact, Page};
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
        Ok(FileSource::new(
            self.rows(id, Root::new(id, base, &self.path)?)?,
        ))
    }

    fn rows(&self, id: &ConnectorId, root: Root) -> Result<Rows> {
        Ok(Rows {
            root,
            url: Link::new(id, &self.url, &["id"])?,
            audience: self.audience,
            open: None,
            after: None,
            seen: HashMap::new(),
        })
    }

    /// Returns how many tickets there are, and of which files none can be read.
    ///
    /// # Errors
    /// When there is nothing at the path.
    pub fn check(&self, id: &ConnectorId, base: &Path) -> Result<Vec<Fact>> {
        let root = Root::new(id, base, &self.path)?;
        let rows = self.rows(id, root.clone())?;
        let found = root.files(is_wanted)?;
        let open = |root| Rows {
            root,
            url: rows.url.clone(),
            audience: rows.audience,
            open: None,
            after: None,
            seen: HashMap::new(),
        };
        let count = |page: &Page| page.threads.len();
        let wanted = ".jsonl, .ndjson or .json file";
        let looked = look(&root, &found, ("ticket", "tickets"), wanted, open, count);
        Ok(looked.facts)
    }
}

/// Opened ticket files.
pub struct Rows {
    root: Root,
    url: Link,
    audience: AudienceOption,
    open: Option<(String, FileRows)>,
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
        if changed.is_empty() && found.len() == marks.files.len() {
            return Ok(page);
        }
        let total: u64 = changed.iter().map(|file| file.metadata.len()).sum();
        let mut done = 0;
        marks.forget_gone(&self.root, &found, &mut page);
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
                    self.root.give_up(file, &error, &mut page)?;
                    // Rights change no time of the file, so the next run looks again.
                    *mark = Mark {
                        done: true,
                        mtime: files::UNREADABLE,
                        ..at_start(file)
                    };
                    continue;
                }
            };
            // A line that was cut off is looked at again, too.
            page.again.push(self.root.again(&file.name, mark.line));
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
        mut rows: FileRows,
        page: &mut Page,
    ) -> Option<FileRows> {
        (mark.len, mark.mtime, mark.done) =
            (file.metadata.len(), files::mtime_ns(&file.metadata), false);
        let mut people = HashMap::new();
        let FileRows { kind, stand } = &mut rows;
        let is_over = match kind {
            Kind::Lines(lines) => self.read_lines(file, lines, stand, page, &mut people),
            Kind::Array(array) => self.read_array(file, array, stand, page, &mut people),
        };
        match kind {
            Kind::Lines(lines) => {
                (mark.offset, mark.line) = (lines.offset, lines.number);
                mark.print = lines
                    .hash
                    .as_ref()
                    .map(|hash| files::hex(&hash.clone().finalize()))
                    .unwrap_or_default();
            }
            // An array has no part that stays when it grows: its mark counts items, and it is read whole again.
            Kind::Array(_) => (mark.offset, mark.line) = (0, stand.items),
        }
        mark.done = is_over;
        page.people.extend(people.into_values());
        if is_over && !stand.unknown.is_empty() {
            let names: Vec<&str> = stand.unknown.iter().map(String::as_str).collect();
            let reason = format!(
                "fields that daybrief does not know were left out: {}",
                names.join(", ")
            );
            page.skipped.push(self.root.skipped(&file.name, 0, reason));
        }
        (!is_over).then_some(rows)
    }

    /// Reads lines; returns whether the file is over.
    fn read_lines(
        &mut self,
        file: &Found,
        lines: &mut Lines<Input>,
        stand: &mut Stand,
        page: &mut Page,
        people: &mut People,
    ) -> bool {
        let name = &file.name;
        let start = lines.offset;
        loop {
            if is_full(page, lines.offset - start) {
                return false;
            }
            let before = (lines.offset, lines.number, lines.hash.clone());
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return true,
                Err(error) => {
                    let reason = format!("the file is cut off or damaged here: {error}");
                    page.skipped
                        .push(self.root.skipped(name, before.1 + 1, reason));
                    return true;
                }
            };
            let (number, is_ended, is_cut) = (line.number, line.is_ended, line.is_cut);
            if line.bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let (text, is_lossy) = lossy(line.bytes);
            let text = text.trim_start_matches('\u{feff}').trim_start();
            let reason = if is_cut {
                format!("the line is longer than {} MB", MAX_LINE >> 20)
            } else if !text.starts_with('{') {
                "the line is no ticket: it is no JSON object".to_owned()
            } else {
                match serde_json::from_str::<Row>(text) {
                    Ok(row) => {
                        if is_lossy {
                            let reason = "some bytes are no UTF-8; they were replaced";
                            page.skipped.push(self.root.skipped(name, number, reason));
                        }
                        if stand.looks_at_fields() {
                            let fields: HashMap<String, serde::de::IgnoredAny> =
                                serde_json::from_str(text).unwrap_or_default();
                            stand.note_fields(fields.into_keys());
                        }
                        stand.items += u64::from(self.take_row(&row, file, number, page, people));
                        continue;
                    }
                    Err(error) => format!("the line is no ticket: {}", reason_of(&error)),
                }
            };
            if !is_ended && !is_cut {
                // Perhaps it is being written: it is looked at again when the file has grown.
                let reason = "the last line is cut off; it is read again when the file grows";
                page.skipped.push(self.root.skipped(name, number, reason));
                (lines.offset, lines.number, lines.hash) = before;
                return true;
            }
            page.skipped.push(self.root.skipped(name, number, reason));
            stand.broken += 1;
            if stand.items == 0 && stand.broken == MAX_BROKEN {
                let reason = format!(
                    "none of the first {MAX_BROKEN} lines is a ticket, so the rest was not looked at; one JSON object a line is needed, or one JSON array of objects"
                );
                page.skipped.push(self.root.skipped(name, 0, reason));
                return true;
            }
        }
    }

    /// Reads the objects of an array; returns whether the file is over.
    fn read_array(
        &mut self,
        file: &Found,
        array: &mut Objects<Input>,
        stand: &mut Stand,
        page: &mut Page,
        people: &mut People,
    ) -> bool {
        let mut bytes = 0;
        loop {
            if is_full(page, bytes) {
                return false;
            }
            let Some((line, found)) = array.next_object::<Map<String, Value>>() else {
                return true;
            };
            stand.items += 1;
            let reason = match found {
                objects::Found::Object(fields, is_lossy) => {
                    bytes += array.last_len() as u64;
                    if is_lossy {
                        let reason = "some bytes are no UTF-8; they were replaced";
                        page.skipped
                            .push(self.root.skipped(&file.name, line, reason));
                    }
                    let names: Vec<String> = fields.keys().cloned().collect();
                    match Row::deserialize(Value::Object(fields)) {
                        Ok(row) => {
                            stand.note_fields(names.into_iter());
                            self.take_row(&row, file, line, page, people);
                            continue;
                        }
                        Err(_) => "the item is no ticket: a field has another shape than expected"
                            .to_owned(),
                    }
                }
                objects::Found::Broken(reason) => reason,
            };
            page.skipped
                .push(self.root.skipped(&file.name, line, reason));
        }
    }

    /// Takes a ticket into the page; false when the row is none.
    fn take_row(
        &mut self,
        row: &Row,
        file: &Found,
        line: u64,
        page: &mut Page,
        people: &mut People,
    ) -> bool {
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
                return false;
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
                return true;
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
        true
    }
}

type Input = Box<dyn BufRead + Send>;
type People = HashMap<String, crate::model::Person>;

/// An opened file of tickets, and what was met in it so far.
struct FileRows {
    kind: Kind,
    stand: Stand,
}

enum Kind {
    /// One ticket a line.
    Lines(Lines<Input>),
    /// One array of tickets.
    Array(Objects<Input>),
}

/// What was met in a file.
#[derive(Default)]
struct Stand {
    /// Tickets of a file of lines; items of an array, tickets or not.
    items: u64,
    /// Lines that are no tickets.
    broken: u64,
    /// In how many tickets names of fields were looked at.
    looked: u64,
    /// The names that are none of ours.
    unknown: BTreeSet<String>,
}

impl Stand {
    /// Returns whether the names of fields are still looked at: so many tickets show what a file is like.
    fn looks_at_fields(&self) -> bool {
        self.looked < 200
    }

    /// Notes those names of fields that nobody knows.
    fn note_fields(&mut self, names: impl Iterator<Item = String>) {
        const NAMED: usize = 8;
        const LONGEST: usize = 40;
        if !self.looks_at_fields() {
            return;
        }
        self.looked += 1;
        for name in names {
            let is_plain = name.len() <= LONGEST && !name.contains(char::is_control);
            if is_plain && !wire::FIELDS.contains(&&*name) && self.unknown.len() < NAMED {
                self.unknown.insert(name);
            }
        }
    }
}

/// A file without a ticket is given up after so many lines.
const MAX_BROKEN: u64 = 10;

fn is_full(page: &Page, bytes: u64) -> bool {
    page.events.len() + page.skipped.len() >= MAX_ITEMS || bytes >= MAX_BYTES
}

fn is_wanted(name: &str) -> bool {
    let plain = name
        .strip_suffix(".gz")
        .or(name.strip_suffix(".zst"))
        .unwrap_or(name);
    [".jsonl", ".ndjson", ".json"]
        .iter()
        .any(|ending| plain.ends_with(ending))
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
fn reader_after(file: &Found, mark: &mut Mark) -> std::io::Result<FileRows> {
    if is_array(&file.path)? {
        if mark.offset > 0 || !mark.is_same_file(&file.metadata) {
            *mark = at_start(file);
        }
        let mut array = Objects::new(decoded(&file.path)?);
        let taken = mark.line;
        for _ in 0..taken {
            array.next_object::<serde::de::IgnoredAny>();
        }
        return Ok(FileRows {
            kind: Kind::Array(array),
            stand: Stand {
                items: taken,
                ..Stand::default()
            },
        });
    }
    let lines = lines_after(file, mark)?;
    Ok(FileRows {
        stand: Stand {
            // A file that was read before has tickets, or has been given up.
            items: lines.number,
            ..Stand::default()
        },
        kind: Kind::Lines(lines),
    })
}

/// Returns whether a file holds one array of objects; a line such as `[1,2]` does not make it one.
fn is_array(path: &Path) -> std::io::Result<bool> {
    const HEAD: u64 = 4 << 10;
    let mut head = Vec::new();
    // An archive that is broken at once says so when it is read.
    let _ = decoded(path)?.take(HEAD).read_to_end(&mut head);
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let rest = head.trim_ascii_start().strip_prefix(b"[");
    let first = rest.and_then(|rest| rest.trim_ascii_start().first());
    Ok(matches!(first, Some(b'{' | b']')))
}

fn lines_after(file: &Found, mark: &mut Mark) -> std::io::Result<Lines<Input>> {
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
