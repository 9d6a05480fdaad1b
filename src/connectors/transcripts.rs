//! Transcripts of recorded videos, as WebVTT or SubRip files in a folder.
//!
//! Each file is one recording; cues of one speaker are joined to utterances, each with a link to its second.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use serde::Deserialize;

use super::files::lines::lossy;
use super::files::link::Link;
use super::files::look::look;
use super::files::{
    self, AudienceOption, FileSource, Found, MAX_BYTES, MAX_ITEMS, Mark, Marks, Root, bare_event,
};
use super::{Cursor, Fact, Page};
use crate::model::{
    Audience, ConnectorId, Event, EventId, EventKind, Handle, Markdown, Person, Thread, ThreadId,
    ThreadKind,
};

mod cues;
mod name;

pub use cues::{Transcript, Utterance};
use name::{in_name, start_in_name};

/// No more of one file is read; a day of talk has about 1 MB.
const MAX_FILE: u64 = 32 << 20;

/// `type = "transcripts"`: recorded videos with their words.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transcripts {
    /// A folder of `.vtt` and `.srt` files, or one of them, relative to the config.
    pub path: PathBuf,
    /// Where a recording can be watched: `https://videos.example/{stem}`; `?t=` and the second are added.
    pub url: String,
    /// When a recording began whose name and notes do not say: `2026-10-23T14:00Z`.
    pub start: Option<String>,
    /// The zone of dates and times that name none.
    pub time_zone: String,
    /// Who may read: `everyone`, or `participants`, the people who speak.
    pub audience: AudienceOption,
}

impl Default for Transcripts {
    fn default() -> Self {
        Transcripts {
            path: PathBuf::new(),
            url: String::new(),
            start: None,
            time_zone: "UTC".into(),
            audience: AudienceOption::default(),
        }
    }
}

impl Transcripts {
    /// Opens the folder.
    ///
    /// # Errors
    /// When a key cannot be right.
    pub fn open(&self, id: &ConnectorId, base: &Path) -> Result<FileSource<Recordings>> {
        let recordings = self.recordings(id, Root::new(id, base, &self.path)?)?;
        Ok(FileSource::new(recordings))
    }

    fn recordings(&self, id: &ConnectorId, root: Root) -> Result<Recordings> {
        let zone = TimeZone::get(&self.time_zone).with_context(|| {
            format!(
                "`time_zone` under [connectors.{id}] is no IANA zone: {:?}",
                self.time_zone
            )
        })?;
        let start = self.start.as_deref().map(|start| {
            moment(start, &zone).with_context(|| {
                format!(
                    "`start` under [connectors.{id}] is no time like 2026-10-23T14:00Z: {start:?}"
                )
            })
        });
        Ok(Recordings {
            root,
            url: Link::new(id, &self.url, &["stem"])?,
            start: start.transpose()?,
            zone,
            audience: self.audience,
        })
    }

    /// Returns how many recordings there are, of which days, and what is odd about them.
    ///
    /// # Errors
    /// When there is nothing at the path.
    pub fn check(&self, id: &ConnectorId, base: &Path) -> Result<Vec<Fact>> {
        const NAMED: usize = 3;
        let root = Root::new(id, base, &self.path)?;
        let recordings = self.recordings(id, root.clone())?;
        let found = root.files(is_wanted)?;
        let what = ("recording", "recordings");
        let open = |root| Recordings {
            root,
            ..recordings.clone()
        };
        let count = |page: &Page| page.threads.len();
        let looked = look(&root, &found, what, ".vtt or .srt file", open, count);
        let mut facts = looked.facts;
        let days: BTreeSet<civil::Date> = found
            .iter()
            .filter_map(|file| start_in_name(&stem_of(file), &TimeZone::UTC))
            .map(|at| at.to_zoned(TimeZone::UTC).date())
            .collect();
        if let (Some(Fact::Fine(says)), Some(first), Some(last)) =
            (facts.first_mut(), days.first(), days.last())
        {
            says.push_str(&format!(", from {first} to {last}"));
        }
        let is_undated = |reason: &str| reason == NO_DATE;
        let undated = looked
            .skipped
            .iter()
            .filter(|item| is_undated(&item.reason));
        let more = undated.clone().count().saturating_sub(NAMED);
        facts.extend(
            undated
                .take(NAMED)
                .map(|item| Fact::Note(format!("{}: {}", item.at, item.reason))),
        );
        if more > 0 {
            let more = files::counted(more as u64, "more file", "more files");
            facts.push(Fact::Note(format!("{more} without a date in the name")));
        }
        Ok(facts)
    }
}

/// What is told of a file that is no transcript.
const NO_WORDS: &str = "no words with a time such as `00:00:01.000 --> 00:00:04.000` above them; nothing was taken from the file";

/// What is told of a recording that is dated by its file.
const NO_DATE: &str = "no date in the name; the file's time stands in. Name it like 2026-11-23T14-00Z-planning.vtt, or set `start`";

/// An opened folder of transcripts.
#[derive(Clone)]
pub struct Recordings {
    root: Root,
    url: Link,
    start: Option<Timestamp>,
    zone: TimeZone,
    audience: AudienceOption,
}

impl files::Reader for Recordings {
    fn page(&mut self, after: Option<&Cursor>) -> Result<Page> {
        let mut marks: Marks = files::parse_cursor(after);
        let found = self.root.files(is_wanted)?;
        let mut page = Page::default();
        marks.forget_gone(&self.root, &found, &mut page);
        // Of two files with one name the `.vtt` says more: it sorts behind the `.srt` and takes its place here.
        let chosen: BTreeMap<String, &str> = found
            .iter()
            .map(|file| (stem_of(file), file.name.as_str()))
            .collect();
        let total = found.iter().map(|file| file.metadata.len()).sum();
        let (mut done, mut bytes) = (0, 0);
        for file in &found {
            done += file.metadata.len();
            if marks
                .files
                .get(&file.name)
                .is_some_and(|mark| mark.is_current(&file.metadata))
            {
                continue;
            }
            if page.events.len() + page.skipped.len() >= MAX_ITEMS || bytes >= MAX_BYTES {
                done -= file.metadata.len();
                page.more = true;
                break;
            }
            bytes += file.metadata.len();
            page.again.push(self.root.again(&file.name, 0));
            let chosen = chosen[&stem_of(file)];
            let mut mtime = files::mtime_ns(&file.metadata);
            if chosen == file.name {
                if let Err(error) = self.read_file(file, &mut page) {
                    self.root.give_up(file, &error, &mut page)?;
                    mtime = files::UNREADABLE;
                }
            } else {
                let reason = format!("the transcript of the same name, {chosen}, was read instead");
                page.skipped.push(self.root.skipped(&file.name, 0, reason));
            }
            let len = file.metadata.len();
            marks.files.insert(
                file.name.clone(),
                Mark {
                    len,
                    mtime,
                    offset: len,
                    done: true,
                    ..Mark::default()
                },
            );
        }
        if bytes > 0 || page.more || !page.skipped.is_empty() {
            page.progress = Some((done, total));
        }
        let next = files::to_cursor(&marks);
        page.next = (after != Some(&next) && !marks.files.is_empty()).then_some(next);
        Ok(page)
    }
}

impl Recordings {
    fn read_file(&self, file: &Found, page: &mut Page) -> std::io::Result<()> {
        if file.metadata.len() > MAX_FILE {
            let reason = format!(
                "the file is larger than {} MB, which no transcript is",
                MAX_FILE >> 20
            );
            page.skipped.push(self.root.skipped(&file.name, 0, reason));
            return Ok(());
        }
        let bytes = std::fs::read(&file.path)?;
        let (text, is_lossy) = lossy(&bytes);
        if is_lossy {
            page.skipped.push(self.root.skipped(
                &file.name,
                0,
                "some bytes are no UTF-8; they were replaced",
            ));
        }
        let transcript = Transcript::parse(&text);
        for (line, reason) in &transcript.broken {
            page.skipped
                .push(self.root.skipped(&file.name, *line, reason.as_str()));
        }
        if transcript.utterances.is_empty() {
            let reason = if text.trim().is_empty() {
                "the file is empty; nothing was taken from it"
            } else {
                NO_WORDS
            };
            page.skipped.push(self.root.skipped(&file.name, 0, reason));
            return Ok(());
        }
        let stem = stem_of(file);
        let noted = transcript
            .notes
            .iter()
            .find_map(|note| moment(note, &self.zone));
        let start = start_in_name(&stem, &self.zone)
            .or(noted)
            .or(self.start)
            .unwrap_or_else(|| {
                page.skipped.push(self.root.skipped(&file.name, 0, NO_DATE));
                files::modified_at(&file.metadata)
            });
        let link = self.url.fill(&[("stem", &stem)]);
        let (thread, events, people) = normalize(
            &stem,
            &transcript,
            start,
            &self.root.id,
            &link,
            self.audience,
        );
        page.threads.push(thread);
        page.events.extend(events);
        page.people.extend(people);
        Ok(())
    }
}

/// Returns a recording as a thread, its events and its speakers.
pub fn normalize(
    stem: &str,
    transcript: &Transcript,
    start: Timestamp,
    id: &ConnectorId,
    link: &str,
    audience: AudienceOption,
) -> (Thread, Vec<Event>, Vec<Person>) {
    let thread_id = ThreadId::new(id, stem);
    let handle = |speaker: &str| Handle::new(id, speaker.to_lowercase());
    let speakers: BTreeMap<Handle, &str> = transcript
        .utterances
        .iter()
        .filter_map(|utterance| utterance.speaker.as_deref())
        .map(|name| (handle(name), name))
        .collect();
    let thread = Thread {
        id: thread_id.clone(),
        kind: ThreadKind::Recording,
        space: None,
        title: title_of(stem),
        url: link.to_owned(),
        audience: match audience {
            AudienceOption::Everyone => Audience::Everyone,
            AudienceOption::Participants => Audience::Only(speakers.keys().cloned().collect()),
        },
        participants: speakers.keys().cloned().collect(),
        ticket: None,
    };
    let opened = bare_event(
        EventId::new(id, stem),
        thread_id.clone(),
        EventKind::Opened,
        start,
    );
    let mut events = vec![Event {
        url: link.to_owned(),
        ..opened
    }];
    let mut seen = HashSet::new();
    for utterance in &transcript.utterances {
        let seconds = utterance.from_ms / 1_000;
        // Two people may speak up within one second.
        let place = if seen.insert(seconds.to_string()) {
            seconds.to_string()
        } else {
            let mut place = format!("{seconds}.{:03}", utterance.from_ms % 1_000);
            while !seen.insert(place.clone()) {
                place.push('+');
            }
            place
        };
        let from =
            SignedDuration::from_millis(i64::try_from(utterance.from_ms).unwrap_or(i64::MAX));
        let url = if link.is_empty() {
            String::new()
        } else {
            format!(
                "{link}{}t={seconds}",
                if link.contains('?') { '&' } else { '?' }
            )
        };
        let event_id = EventId::new(id, format!("{stem}#t={place}"));
        let at = start.checked_add(from).unwrap_or(start);
        events.push(Event {
            author: utterance.speaker.as_deref().map(handle),
            text: Markdown(utterance.text.clone()),
            url,
            ..bare_event(event_id, thread_id.clone(), EventKind::Posted, at)
        });
    }
    let person = |(handle, name): (Handle, &str)| Person {
        handle: Some(handle),
        name: name.to_owned(),
        ..Person::default()
    };
    (thread, events, speakers.into_iter().map(person).collect())
}

fn is_wanted(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".vtt") || name.ends_with(".srt")
}

/// Returns the file's name without folder and type.
fn stem_of(file: &Found) -> String {
    file.path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Returns the title in a file's name: what stands around the date, with blanks.
fn title_of(stem: &str) -> String {
    let title = match in_name(stem) {
        Some(found) => format!("{} {}", found.before, found.behind),
        None => stem.to_owned(),
    };
    let title = title.replace(['-', '_'], " ");
    let words = title
        .split_whitespace()
        .map(|word| word.trim_matches(['(', ')', '[', ']', ',']))
        .filter(|word| !word.is_empty());
    let title = words.collect::<Vec<_>>().join(" ");
    if title.is_empty() {
        stem.to_owned()
    } else {
        title
    }
}

/// Reads a time with an offset, or one of the zone, or a date; words around it do not matter.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let text = text[start..].trim();
    let word = text.split_whitespace().next()?;
    for candidate in [text, word] {
        if let Ok(at) = candidate.parse::<Timestamp>() {
            return Some(at);
        }
        if let Ok(at) = candidate.parse::<civil::DateTime>() {
            let is_date = candidate.len() == 10;
            let at = if is_date {
                at.date().at(12, 0, 0, 0)
            } else {
                at
            };
            return Some(
                at.to_zoned(if is_date { TimeZone::UTC } else { zone.clone() })
                    .ok()?
                    .timestamp(),
            );
        }
    }
    None
}

#[cfg(test)]
mod tests;
