//! Mail in a Maildir, one file a mail, with its sub-folders.
//!
//! A mail's file never changes but for the flags in its name, so the cursor is the set of names met so far.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::link::Link;
use super::files::{self, AudienceOption, FileSource, Root};
use super::mail::desk::{Desk, RawMail, is_full};
use super::mail::{Found, MAX_MAIL, Options};
use super::{Cursor, Fact, Page};
use crate::model::ConnectorId;

/// `type = "maildir"`: mail in a Maildir.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maildir {
    /// The folder with `cur` and `new`, relative to the config; sub-folders such as `.Lists.dev` are read too.
    pub path: PathBuf,
    /// Sub-folders that are not read, by the last part of their name.
    pub exclude: Vec<String>,
    /// Where a mail can be read: `https://lists.example/message/{id}`, with its Message-ID.
    pub url: String,
    /// Who may read: `everyone`, or `participants`, a mail's sender and recipients.
    pub audience: AudienceOption,
}

impl Default for Maildir {
    fn default() -> Self {
        Maildir {
            path: PathBuf::new(),
            exclude: ["Trash", "Junk", "Spam", "Drafts"]
                .map(String::from)
                .to_vec(),
            url: String::new(),
            audience: AudienceOption::default(),
        }
    }
}

impl Maildir {
    /// Opens the mailbox.
    ///
    /// # Errors
    /// When a key cannot be right.
    pub fn open(&self, id: &ConnectorId, base: &Path) -> Result<FileSource<Mailbox>> {
        let options = Options {
            id: id.clone(),
            url: Link::new(id, &self.url, &["id"])?,
            audience: self.audience,
        };
        Ok(FileSource::new(Mailbox {
            root: Root::new(id, base, &self.path)?,
            exclude: self
                .exclude
                .iter()
                .map(|name| name.to_lowercase())
                .collect(),
            desk: Desk::new(options.clone()),
            options,
            after: None,
        }))
    }

    /// Returns how many mails and folders there are.
    ///
    /// # Errors
    /// When there is no Maildir at the path.
    pub fn check(&self, id: &ConnectorId, base: &Path) -> Result<Vec<Fact>> {
        let root = Root::new(id, base, &self.path)?;
        let exclude: Vec<String> = self
            .exclude
            .iter()
            .map(|name| name.to_lowercase())
            .collect();
        let mails = list(&root, &exclude)?;
        if mails.is_empty() {
            return Ok(vec![Fact::Note(format!(
                "nothing to read: no mail in a folder `cur` or `new` at {}; put a Maildir there or correct `path`",
                root.shown.display()
            ))]);
        }
        let folders: HashSet<&str> = mails.iter().map(|mail| mail.folder.as_str()).collect();
        Ok(vec![Fact::Fine(format!(
            "{} in {}",
            files::counted(mails.len() as u64, "mail", "mails"),
            files::counted(folders.len() as u64, "folder", "folders")
        ))])
    }
}

/// An opened Maildir.
pub struct Mailbox {
    root: Root,
    exclude: Vec<String>,
    options: Options,
    desk: Desk,
    /// The cursor that the desk knows the mails before.
    after: Option<Cursor>,
}

/// The cursor: hashes of the names met, sixteen digits each, by folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Met {
    names: BTreeMap<String, String>,
    /// Whether the last pass ended before the end.
    is_open: bool,
}

/// A file of a Maildir.
struct Entry {
    folder: String,
    /// Relative to the root.
    name: String,
    path: PathBuf,
    hash: u64,
}

impl files::Reader for Mailbox {
    fn page(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let mut met: Met = files::parse_cursor(after);
        let mut known: HashSet<(String, u64)> = HashSet::new();
        for (folder, names) in &met.names {
            let digits = names
                .as_bytes()
                .chunks(16)
                .filter_map(|digits| std::str::from_utf8(digits).ok());
            known.extend(digits.filter_map(|digits| {
                Some((folder.clone(), u64::from_str_radix(digits, 16).ok()?))
            }));
        }
        let mails = list(&self.root, &self.exclude)?;
        let is_known = |mail: &Entry| known.contains(&(mail.folder.clone(), mail.hash));
        let (old, new): (Vec<&Entry>, Vec<&Entry>) = mails.iter().partition(|mail| is_known(mail));
        let mut page = Page::default();
        if new.is_empty() && !met.is_open {
            return Ok(page);
        }
        let is_same = self.after.is_some() && self.after.as_ref() == after;
        if !is_same {
            self.desk = Desk::new(self.options.clone());
            self.learn(&old, true);
        }
        if !is_same || !met.is_open {
            self.learn(&new, false);
        }
        let mut bytes = 0;
        let mut taken = 0;
        for mail in &new {
            if is_full(&page, bytes) {
                break;
            }
            taken += 1;
            match read(mail) {
                Ok((raw, metadata)) => {
                    bytes += raw.raw.len() as u64;
                    // One mail lies in several folders of some mailboxes; that is nothing to tell.
                    let root = &self.root;
                    self.desk.deliver(
                        &raw,
                        &|mail, reason| root.skipped(&mail.name, mail.line, reason),
                        files::modified_at(&metadata),
                        false,
                        false,
                        &mut page,
                    );
                }
                // Another program has moved it: it is met under its new name.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => page.skipped.push(self.root.skipped(
                    &mail.name,
                    0,
                    format!("cannot be read: {error}"),
                )),
            }
            met.names
                .entry(mail.folder.clone())
                .or_default()
                .push_str(&format!("{:016x}", mail.hash));
        }
        met.is_open = taken < new.len();
        page.more = met.is_open;
        page.progress = Some(((old.len() + taken) as u64, mails.len() as u64));
        let next = files::to_cursor(&met);
        self.after = Some(next.clone());
        page.next = (after != Some(&next)).then_some(next);
        Ok(page)
    }
}

impl Mailbox {
    fn learn(&mut self, mails: &[&Entry], is_met: bool) {
        for mail in mails {
            if let Ok((raw, _)) = read(mail) {
                self.desk.learn(&raw, is_met);
            }
        }
        self.desk.finish();
    }
}

fn read(mail: &Entry) -> std::io::Result<(RawMail, Metadata)> {
    let file = File::open(&mail.path)?;
    let metadata = file.metadata()?;
    let mut raw = Vec::new();
    file.take(MAX_MAIL as u64).read_to_end(&mut raw)?;
    let found = Found {
        delivered_at: delivered_at(&mail.path),
        is_cut: metadata.len() > MAX_MAIL as u64,
    };
    Ok((
        RawMail {
            name: mail.name.clone(),
            raw,
            found,
            ..RawMail::default()
        },
        metadata,
    ))
}

/// Returns the time that begins a file's name: `1794339218.M20046P1.host:2,S`.
fn delivered_at(path: &Path) -> Option<Timestamp> {
    let name = path.file_name()?.to_str()?;
    let digits = name.split(['.', '_']).next()?;
    let seconds: i64 = digits.parse().ok()?;
    (digits.len() >= 9)
        .then(|| Timestamp::from_second(seconds).ok())
        .flatten()
}

/// Lists the mails of a Maildir and its sub-folders, by folder and name.
fn list(root: &Root, exclude: &[String]) -> Result<Vec<Entry>> {
    if !root.metadata()?.is_dir() {
        anyhow::bail!(
            "{} is no folder; `path` under [connectors.{}] must name a Maildir",
            root.path.display(),
            root.id
        );
    }
    let mut mails = Vec::new();
    let mut has_maildir = false;
    let mut folders = vec![(String::new(), root.path.clone())];
    while let Some((folder, path)) = folders.pop() {
        let entries = std::fs::read_dir(&path).map_err(|error| root.explain(&error))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.path().is_dir() || name == "tmp" {
                continue;
            }
            if name == "cur" || name == "new" {
                has_maildir = true;
                list_mails(&folder, &name, &entry.path(), &mut mails);
                continue;
            }
            let last = name.rsplit('.').next().unwrap_or(&name).to_lowercase();
            if !exclude.contains(&last) && folder.matches('/').count() < 8 {
                let inner = if folder.is_empty() {
                    name
                } else {
                    format!("{folder}/{name}")
                };
                folders.push((inner, entry.path()));
            }
        }
    }
    if !has_maildir {
        anyhow::bail!(
            "{} holds no Maildir: there is no folder `cur` or `new` in it; correct `path` under [connectors.{}]",
            root.path.display(),
            root.id
        );
    }
    mails.sort_by(|a, b| (&a.folder, &a.path.file_name()).cmp(&(&b.folder, &b.path.file_name())));
    Ok(mails)
}

fn list_mails(folder: &str, part: &str, path: &Path, mails: &mut Vec<Entry>) {
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        if file.starts_with('.') {
            continue;
        }
        // The flags behind `:2,` change when somebody reads the mail; some copies write another sign for the colon.
        let unique = [":2,", ";2,", "!2,", "_2,"]
            .iter()
            .find_map(|sign| file.split_once(sign))
            .map_or(file.as_str(), |(unique, _)| unique);
        let digest = Sha256::digest(unique);
        let hash = u64::from_be_bytes(
            digest[..8]
                .try_into()
                .expect("a SHA-256 digest has 32 bytes"),
        );
        let place = if folder.is_empty() {
            format!("{part}/{file}")
        } else {
            format!("{folder}/{part}/{file}")
        };
        mails.push(Entry {
            folder: folder.to_owned(),
            name: place,
            path: entry.path(),
            hash,
        });
    }
}
