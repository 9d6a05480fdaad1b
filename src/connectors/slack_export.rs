//! A Slack export, as a folder or as the zip itself.
//!
//! An export is a snapshot: one folder per channel, one JSON file per day. The cursor keeps the length, time and hash
//! of every day file, so a second export over the first costs one look per file and brings only the days that differ.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::files::link::Link;
use super::files::objects::{Found, Objects};
use super::files::{self, FileSource, MAX_BYTES, MAX_ITEMS, Root};
use super::{Cursor, Fact, Page, Skipped};
use crate::model::ConnectorId;

mod archive;
mod cut_zip;
pub mod lists;
pub(in crate::connectors) mod markup;
pub mod messages;

use archive::Archive;
use lists::Lists;
pub use messages::{Message, normalize};

/// `type = "slack-export"`: the channels of a Slack export.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlackExport {
    /// The unpacked export or its zip, relative to the config.
    pub path: PathBuf,
    /// The address of the workspace, `https://team.slack.com`, for links to messages; without it there are none.
    pub url: String,
}

impl SlackExport {
    /// Opens the export.
    ///
    /// # Errors
    /// When a key cannot be right.
    pub fn open(&self, id: &ConnectorId, base: &Path) -> Result<FileSource<Export>> {
        Ok(FileSource::new(Export {
            root: Root::new(id, base, &self.path)?,
            url: Link::new(id, self.url.trim_end_matches('/'), &[])?,
            run: None,
        }))
    }

    /// Returns what the export holds, from its lists and file names.
    ///
    /// # Errors
    /// When there is no export.
    pub fn check(&self, id: &ConnectorId, base: &Path) -> Result<Vec<Fact>> {
        let root = Root::new(id, base, &self.path)?;
        let mut skipped = Vec::new();
        let mut archive = Archive::open(&root, &mut skipped)?;
        let lists = Lists::read(&root, &mut archive, &mut skipped)?;
        let days = archive.days();
        let dates: BTreeSet<&str> = days.iter().filter_map(|name| day_of(name)).collect();
        let span = match (dates.first(), dates.last()) {
            (Some(first), Some(last)) => format!(" from {first} to {last}"),
            _ => String::new(),
        };
        let mut facts = vec![if days.is_empty() {
            Fact::Note(format!(
                "nothing to read: no day file such as general/2026-11-23.json at {}; put the whole export there or correct `path`",
                root.shown.display()
            ))
        } else {
            Fact::Fine(format!(
                "{}, {}, {}{span}",
                files::counted(lists.channels.len() as u64, "channel", "channels"),
                files::counted(lists.users.len() as u64, "person", "people"),
                files::counted(days.len() as u64, "day file", "day files"),
            ))
        }];
        facts.extend(
            skipped
                .iter()
                .map(|item| Fact::Note(format!("{}: {}", item.at, item.reason))),
        );
        Ok(facts)
    }
}

/// An opened export.
pub struct Export {
    root: Root,
    url: Link,
    run: Option<Run>,
}

/// The cursor: what has been read, by folder and day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stand {
    /// Length and time of the zip when all of it had been read.
    whole: Option<(u64, i64)>,
    /// Lengths and times of the lists, so that they are read only when one was touched.
    list_stamps: String,
    /// The hash of the lists of people and channels that have been delivered.
    lists: String,
    /// By channel id: the name its ids are made of, which a later rename leaves as it is, and whether everyone may read.
    channels: BTreeMap<String, (String, bool)>,
    /// By folder and day: length, stamp and hash of what was read.
    days: BTreeMap<String, BTreeMap<String, (u64, i64, String)>>,
    /// A day file that did not fit into one page: its name, length and stamp, and how many items were taken.
    part: Option<(String, u64, i64, usize)>,
}

/// A pass over the export, kept between its pages.
struct Run {
    /// The cursor after the last page; another one starts a new pass.
    after: Option<Cursor>,
    stand: Stand,
    archive: Archive,
    lists: Lists,
    pending: VecDeque<String>,
    total: u64,
    done: u64,
    /// What the next page carries besides messages.
    first: Page,
}

impl files::Reader for Export {
    fn page(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let mut run = match self.run.take() {
            Some(run) if run.after.as_ref() == after => run,
            _ => match self.start(after)? {
                Some(run) => run,
                None => return Ok(Page::default()),
            },
        };
        let mut page = std::mem::take(&mut run.first);
        let mut bytes = 0;
        while page.events.len() + page.skipped.len() < MAX_ITEMS && bytes < MAX_BYTES {
            let Some(name) = run.pending.pop_front() else {
                break;
            };
            let len = run.archive.len_of(&name);
            let is_whole = self.read_day(&mut run, &name, &mut page);
            if is_whole {
                bytes += len;
                run.done += len;
            } else {
                run.pending.push_front(name);
                break;
            }
        }
        page.more = !run.pending.is_empty();
        if !page.more {
            run.stand.whole = run.archive.whole_stamp();
        }
        page.progress = Some((run.done, run.total));
        let next = files::to_cursor(&run.stand);
        if page.more {
            run.after = Some(next.clone());
            self.run = Some(run);
        }
        page.next = (after != Some(&next)).then_some(next);
        Ok(page)
    }
}

impl Export {
    /// Looks at what has changed since the cursor; nothing when a zip has not been touched.
    fn start(&self, after: Option<&Cursor>) -> Result<Option<Run>> {
        let mut stand: Stand = files::parse_cursor(after);
        let metadata = self.root.metadata()?;
        if stand
            .whole
            .is_some_and(|whole| metadata.is_file() && whole == archive::stamp_of(&metadata))
        {
            return Ok(None);
        }
        let mut first = Page::default();
        let mut archive = Archive::open(&self.root, &mut first.skipped)?;
        let list_stamps = archive.list_stamps();
        let is_same_day = |name: &String| {
            let (folder, day) = split_day(name);
            let known = stand.days.get(folder).and_then(|days| days.get(day));
            known.is_some_and(|known| (known.0, known.1) == archive.stamp(name))
        };
        let is_same = stand.list_stamps == list_stamps && archive.days().iter().all(is_same_day);
        if metadata.is_dir() && is_same && !list_stamps.is_empty() {
            return Ok(None);
        }
        stand.list_stamps = list_stamps;
        let mut about_lists = Vec::new();
        let mut lists = Lists::read(&self.root, &mut archive, &mut about_lists)?;
        let days = archive.days();
        for folder in lists.add_unlisted(&days) {
            if !stand.channels.contains_key(&folder) {
                let reason = "no list of channels names this folder; its messages are loaded, but nobody may read them until one does";
                first.skipped.push(self.root.skipped(&folder, 0, reason));
            }
        }
        for channel in lists.channels.values_mut() {
            let known = stand.channels.entry(channel.id.clone());
            let known = known.or_insert_with(|| (channel.name.clone(), channel.is_public));
            if known.1 != channel.is_public {
                // Who may read has changed, so every thread has to be delivered again.
                known.1 = channel.is_public;
                stand.days.remove(&channel.folder);
            }
            channel.id_name.clone_from(&known.0);
        }
        if stand.lists != lists.hash {
            let names = lists::NAMES.iter().map(|name| self.root.again(name, 0));
            first.again.extend(names);
            stand.lists.clone_from(&lists.hash);
            first.spaces = lists.spaces(&self.root.id);
            first.people = lists.people(&self.root.id);
            first.skipped.extend(about_lists);
        }
        let mut pending = VecDeque::new();
        for name in days {
            let (folder, day) = split_day(&name);
            let (len, stamp) = archive.stamp(&name);
            let known = stand
                .days
                .get_mut(folder)
                .and_then(|days| days.get_mut(day));
            match known {
                Some(known) if (known.0, known.1) == (len, stamp) => {}
                Some(known)
                    if known.0 == len
                        && archive.print(&name).is_some_and(|print| print == known.2) =>
                {
                    known.1 = stamp;
                }
                _ => pending.push_back(name),
            }
        }
        let total = pending.iter().map(|name| archive.len_of(name)).sum();
        Ok(Some(Run {
            after: after.cloned(),
            stand,
            archive,
            lists,
            pending,
            total,
            done: 0,
            first,
        }))
    }

    /// Reads one day into the page; false when the page is full before the day is over.
    fn read_day(&self, run: &mut Run, name: &str, page: &mut Page) -> bool {
        let (folder, day) = split_day(name);
        let (len, stamp) = run.archive.stamp(name);
        let taken = match run.stand.part.take() {
            Some((part, part_len, part_stamp, taken))
                if part == name && (part_len, part_stamp) == (len, stamp) =>
            {
                taken
            }
            _ => 0,
        };
        let print = run.archive.print(name).unwrap_or_default();
        let channel = run.lists.channel_of(folder);
        let reader = match run.archive.read(name) {
            Ok(reader) => reader,
            Err(error) => {
                page.skipped.push(
                    self.root
                        .skipped(name, 0, format!("cannot be read: {error}")),
                );
                return true;
            }
        };
        if taken == 0 {
            page.again.push(self.root.again(name, 0));
        }
        let mut objects = Objects::new(reader);
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut threads: HashSet<String> = HashSet::new();
        let mut people: HashSet<String> = HashSet::new();
        let mut count = 0;
        while let Some((line, found)) = objects.next_object::<Message>() {
            count += 1;
            let mut message = match found {
                Found::Object(message, is_lossy) => {
                    if is_lossy && count > taken {
                        let reason = "some bytes are no UTF-8; they were replaced";
                        page.skipped.push(self.root.skipped(name, line, reason));
                    }
                    message
                }
                Found::Broken(reason) => {
                    if count > taken {
                        page.skipped.push(self.root.skipped(name, line, reason));
                    }
                    continue;
                }
            };
            // Two items with one time: the same one twice, or two that must both stay.
            if let Some(text) = seen.insert(message.ts.clone(), message.text.clone())
                && !message.is_about_another()
            {
                if text == message.text {
                    if count > taken {
                        let reason = "the message stood further up already; it was loaded once";
                        page.skipped.push(self.root.skipped(name, line, reason));
                    }
                    continue;
                }
                if count > taken {
                    let reason = "another message further up has this time, which is its id; both were loaded";
                    page.skipped.push(self.root.skipped(name, line, reason));
                }
                message.suffix = format!("+{line}");
            }
            if count <= taken {
                continue;
            }
            if let Some(reason) = far_from(day, &message.ts) {
                page.skipped.push(self.root.skipped(name, line, reason));
                continue;
            }
            match normalize(&message, channel, &run.lists, &self.root.id, &self.url) {
                Ok(Some((thread, events))) => {
                    let stranger = run.lists.stranger(&message, &self.root.id);
                    if let Some(person) =
                        stranger.filter(|_| events.iter().any(|event| event.author.is_some()))
                        && people.insert(person.name.clone())
                    {
                        page.people.push(person);
                    }
                    if threads.insert(thread.id.id.to_string()) {
                        page.threads.push(thread);
                    }
                    page.events.extend(events);
                }
                Ok(None) => {}
                Err(reason) => page.skipped.push(self.root.skipped(name, line, reason)),
            }
            if page.events.len() + page.skipped.len() >= MAX_ITEMS {
                run.stand.part = Some((name.to_owned(), len, stamp, count));
                return false;
            }
        }
        let days = run.stand.days.entry(folder.to_owned()).or_default();
        days.insert(day.to_owned(), (len, stamp, print));
        true
    }
}

/// Returns the folder and the day of `general/2026-11-09.json`.
fn split_day(name: &str) -> (&str, &str) {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    (folder, file.strip_suffix(".json").unwrap_or(file))
}

/// Returns why a message cannot be of the day that its file is named after: it is more than a year away from it.
fn far_from(day: &str, ts: &str) -> Option<String> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let at = messages::time_of(ts)?.to_zoned(jiff::tz::TimeZone::UTC);
    let days = (at.date() - day).get_days().abs();
    (days > 366).then(|| {
        format!(
            "the message's time lies in {}, more than a year from the day of its file; it was left out",
            at.year()
        )
    })
}

fn day_of(name: &str) -> Option<&str> {
    let day = split_day(name).1;
    day.parse::<jiff::civil::Date>().ok().map(|_| day)
}

#[cfg(test)]
mod tests;
