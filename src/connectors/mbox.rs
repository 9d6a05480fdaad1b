//! Mail in mbox files, as lists archive it and mail programs export it.
//!
//! A mailbox is read twice: once for the headers, which make the threads, and once, page by page, for the mails. The
//! cursor stands before the last mail of a file, because that one may still have been written when it was read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

use super::files::link::Link;
use super::files::look::look;
use super::files::{self, AudienceOption, FileSource, Found, Mark, Marks, Root, UNREADABLE};
use super::mail::Options;
use super::mail::desk::{Desk, RawMail, is_full};
use super::{Cursor, Fact, Page};
use crate::model::ConnectorId;

mod separate;

use separate::Mails;

/// `type = "mbox"`: mail in mbox files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mbox {
    /// A file, or a folder of mbox files, relative to the config.
    pub path: PathBuf,
    /// Where a mail can be read: `https://lists.example/message/{id}`, with its Message-ID.
    pub url: String,
    /// Who may read: `everyone`, or `participants`, a mail's sender and recipients.
    pub audience: AudienceOption,
}

impl Mbox {
    /// Opens the mailbox.
    ///
    /// # Errors
    /// When a key cannot be right.
    pub fn open(&self, id: &ConnectorId, base: &Path) -> Result<FileSource<Mailbox>> {
        let root = Root::new(id, base, &self.path)?;
        Ok(FileSource::new(Mailbox::new(root, self.options(id)?)))
    }

    /// Returns how much mail there is.
    ///
    /// # Errors
    /// When there is nothing at the path.
    pub fn check(&self, id: &ConnectorId, base: &Path) -> Result<Vec<Fact>> {
        let options = self.options(id)?;
        let root = Root::new(id, base, &self.path)?;
        let found = root.files(is_wanted)?;
        let open = |root| Mailbox::new(root, options.clone());
        let count = |page: &Page| page.events.len();
        let looked = look(&root, &found, ("mail", "mails"), "mbox file", open, count);
        Ok(looked.facts)
    }

    fn options(&self, id: &ConnectorId) -> Result<Options> {
        Ok(Options {
            id: id.clone(),
            url: Link::new(id, &self.url, &["id"])?,
            audience: self.audience,
        })
    }
}

/// An opened mailbox.
pub struct Mailbox {
    root: Root,
    options: Options,
    desk: Desk,
    /// The cursor that the desk knows the mails before.
    after: Option<Cursor>,
    /// The file that the last page ended in.
    open: Option<(String, FileMails)>,
}

type FileMails = Mails<BufReader<File>>;

impl files::Reader for Mailbox {
    fn page(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let mut marks: Marks = files::parse_cursor(after);
        let found = self.root.files(is_wanted)?;
        let pending: Vec<&Found> = found
            .iter()
            .filter(|file| {
                !marks
                    .files
                    .get(&file.name)
                    .is_some_and(|mark| mark.is_current(&file.metadata))
            })
            .collect();
        let mut page = Page::default();
        if pending.is_empty() && found.len() == marks.files.len() {
            return Ok(page);
        }
        marks.forget_gone(&self.root, &found, &mut page);
        let is_touched = |file: &&Found| {
            marks
                .files
                .get(&file.name)
                .is_none_or(|mark| mark.done || !mark.is_same_file(&file.metadata))
        };
        let is_next_page = self.open.is_some()
            && self.after.as_ref() == after
            && !pending.first().is_none_or(is_touched);
        if !is_next_page {
            self.open = None;
            self.learn(&found, &pending, &mut marks, after);
        }
        let mut open = self.open.take();
        let total: u64 = found.iter().map(|file| file.metadata.len()).sum();
        let mut bytes = 0;
        for file in pending {
            if is_full(&page, bytes) {
                page.more = true;
                break;
            }
            let mark = marks.files.entry(file.name.clone()).or_default();
            let mails = match open.take() {
                Some((name, mails)) if name == file.name => Ok(mails),
                _ => mails_from(file, mark.offset, mark.line),
            };
            page.again.push(self.root.again(&file.name, mark.line));
            let left = match mails {
                Ok(mails) => self.deliver(file, mark, mails, &mut bytes, &mut page),
                Err(error) => {
                    self.root.give_up(file, &error, &mut page)?;
                    // Rights change no time of the file, so the next run looks again.
                    (mark.len, mark.mtime, mark.done) = (file.metadata.len(), UNREADABLE, true);
                    None
                }
            };
            if let Some(mails) = left {
                open = Some((file.name.clone(), mails));
                page.more = true;
                break;
            }
        }
        let done = found.iter().map(|file| {
            marks
                .files
                .get(&file.name)
                .map_or(0, |mark| if mark.done { mark.len } else { mark.offset })
        });
        page.progress = Some((done.sum::<u64>().min(total), total));
        let next = files::to_cursor(&marks);
        (self.open, self.after) = (open, Some(next.clone()));
        page.next = (after != Some(&next)).then_some(next);
        Ok(page)
    }
}

impl Mailbox {
    fn new(root: Root, options: Options) -> Mailbox {
        Mailbox {
            root,
            desk: Desk::new(options.clone()),
            options,
            after: None,
            open: None,
        }
    }

    /// Reads the headers of what is new, and of all before it where this process has not read them yet.
    fn learn(
        &mut self,
        found: &[Found],
        pending: &[&Found],
        marks: &mut Marks,
        after: Option<&Cursor>,
    ) {
        let mut is_known = self.after.is_some() && self.after.as_ref() == after;
        for file in pending {
            let Some(mark) = marks.files.get_mut(&file.name) else {
                continue;
            };
            let print = File::open(&file.path)
                .and_then(|mut open| files::sampled_print(&mut open, mark.offset));
            if mark.offset > file.metadata.len() || !print.is_ok_and(|print| print == mark.print) {
                // Another file stands in its place: everything is read again, and what was known of it is forgotten.
                *mark = Mark::default();
                is_known = false;
            }
        }
        let mut new_parts: BTreeMap<&str, u64> = BTreeMap::new();
        for file in pending {
            new_parts.insert(
                &file.name,
                marks.files.get(&file.name).map_or(0, |mark| mark.offset),
            );
        }
        if !is_known {
            self.desk = Desk::new(self.options.clone());
            for file in found {
                // A file that was given up half-way was learned as a whole, and is so again below.
                let mark = marks.files.get(&file.name).filter(|mark| mark.done);
                let upto = if new_parts.contains_key(file.name.as_str()) {
                    mark.map_or(0, |mark| mark.offset)
                } else {
                    u64::MAX
                };
                self.learn_part(file, 0, 0, upto, upto);
            }
            self.desk.finish();
        }
        for file in pending {
            let mark = marks.files.get(&file.name).cloned().unwrap_or_default();
            let (from, line) = if mark.done || is_known {
                (mark.offset, mark.line)
            } else {
                (0, 0)
            };
            self.learn_part(file, from, line, u64::MAX, mark.offset);
        }
        self.desk.finish();
    }

    /// Learns the mails that begin in a part of a file; those before `met` have been delivered.
    fn learn_part(&mut self, file: &Found, from: u64, line: u64, upto: u64, met: u64) {
        if from >= upto {
            return;
        }
        let Ok(mut mails) = mails_from(file, from, line) else {
            return;
        };
        while let Ok(Some(mail)) = mails.next_mail() {
            if mail.start >= upto {
                break;
            }
            if !mail.is_open {
                self.desk.learn(&mail, mail.start < met);
            }
        }
    }

    /// Delivers mails until the page is full, which gives the reader back, or the file is over.
    fn deliver(
        &mut self,
        file: &Found,
        mark: &mut Mark,
        mut mails: FileMails,
        bytes: &mut u64,
        page: &mut Page,
    ) -> Option<FileMails> {
        let fallback = files::modified_at(&file.metadata);
        let begin = mark.offset;
        (mark.len, mark.mtime, mark.done) =
            (file.metadata.len(), files::mtime_ns(&file.metadata), false);
        while !is_full(page, *bytes) {
            let mail = match mails.next_mail() {
                Ok(Some(mail)) => mail,
                Ok(None) => {
                    mark.done = true;
                    break;
                }
                Err(error) => {
                    page.skipped.push(self.root.skipped(
                        &file.name,
                        mark.line + 1,
                        format!("the file cannot be read on: {error}"),
                    ));
                    mark.done = true;
                    break;
                }
            };
            *bytes += mails.position().0 - mail.start;
            (mark.offset, mark.line) = (mail.start, mail.line.saturating_sub(1));
            if mail.is_junk {
                page.skipped.push(self.root.skipped(
                    &file.name,
                    mail.line,
                    "what stands here is no mail: no line `From …` and no headers",
                ));
                continue;
            }
            if mail.is_open {
                let reason =
                    "the last mail ends within its headers; it is read again when the file grows";
                page.skipped
                    .push(self.root.skipped(&file.name, mail.line, reason));
                continue;
            }
            // The mail at the mark was met when it was the last one; it may have been incomplete.
            let is_certain = begin > 0 && mail.start == begin;
            let root = &self.root;
            let place = |mail: &RawMail, reason: &str| root.skipped(&mail.name, mail.line, reason);
            self.desk
                .deliver(&mail, &place, fallback, true, is_certain, page);
        }
        if !mark.done {
            (mark.offset, mark.line) = mails.position();
        }
        mark.print = File::open(&file.path)
            .and_then(|mut open| files::sampled_print(&mut open, mark.offset))
            .unwrap_or_default();
        (!mark.done).then_some(mails)
    }
}

/// Opens a file at a mail.
fn mails_from(file: &Found, offset: u64, line: u64) -> std::io::Result<FileMails> {
    let mut open = File::open(&file.path)?;
    open.seek(SeekFrom::Start(offset))?;
    Ok(Mails::new(
        BufReader::with_capacity(64 << 10, open),
        &file.name,
        offset,
        line,
    ))
}

/// Archives of lists are called `list.mbox` or `2026-November.txt`, those of mail programs often just `Inbox`.
fn is_wanted(name: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase());
    extension.is_none_or(|extension| matches!(extension.as_str(), "mbox" | "mbx" | "txt" | "eml"))
}
