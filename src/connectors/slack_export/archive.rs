//! The files of an export, whether they stand in a folder or in a zip.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use anyhow::Result;
use sha2::Digest as _;
use zip::ZipArchive;

use super::cut_zip::{self, Piece};
use super::{Skipped, files};
use crate::connectors::files::Root;

/// The JSON files of an export by name, without a folder that only wraps the export.
pub struct Archive {
    entries: BTreeMap<String, Entry>,
    zip: Option<ZipArchive<BufReader<File>>>,
    whole: Option<(u64, i64)>,
    path: PathBuf,
}

struct Entry {
    len: u64,
    /// Changes when the content may have changed: a time in a folder, a checksum in a zip.
    stamp: i64,
    place: Place,
}

enum Place {
    File(PathBuf),
    Zipped(usize),
    Piece(Piece),
}

impl Archive {
    /// Lists the files of an export; of a zip that is cut off, those before the cut.
    pub fn open(root: &Root, skipped: &mut Vec<Skipped>) -> Result<Archive> {
        let metadata = root.metadata()?;
        let mut archive = Archive {
            entries: BTreeMap::new(),
            zip: None,
            whole: None,
            path: root.path.clone(),
        };
        if metadata.is_dir() {
            for file in root.files(|name| name.ends_with(".json"))? {
                let (len, stamp) = stamp_of(&file.metadata);
                archive.entries.insert(
                    file.name,
                    Entry {
                        len,
                        stamp,
                        place: Place::File(file.path),
                    },
                );
            }
        } else {
            archive.whole = Some(stamp_of(&metadata));
            let file = File::open(&root.path).map_err(|error| root.explain(&error))?;
            match ZipArchive::new(BufReader::new(file)) {
                Ok(zip) => archive.list_zip(zip),
                Err(_) => {
                    let pieces =
                        cut_zip::pieces(&root.path).map_err(|error| root.explain(&error))?;
                    skipped.push(root.skipped(
                        "",
                        0,
                        format!(
                            "the zip is cut off or damaged; {} before the break",
                            files::counted(pieces.len() as u64, "file stands", "files stand")
                        ),
                    ));
                    for (name, piece) in pieces {
                        let (len, stamp) = (piece.len, piece.stamp);
                        archive.entries.insert(
                            name,
                            Entry {
                                len,
                                stamp,
                                place: Place::Piece(piece),
                            },
                        );
                    }
                }
            }
        }
        archive
            .entries
            .retain(|name, _| name.ends_with(".json") && !name.starts_with("__MACOSX/"));
        archive.unwrap_folder();
        Ok(archive)
    }

    fn list_zip(&mut self, mut zip: ZipArchive<BufReader<File>>) {
        for index in 0..zip.len() {
            let Ok(entry) = zip.by_index_raw(index) else {
                continue;
            };
            if let Ok(name) = entry.name() {
                let (name, len, stamp) =
                    (name.into_owned(), entry.size(), i64::from(entry.crc32()));
                self.entries.insert(
                    name,
                    Entry {
                        len,
                        stamp,
                        place: Place::Zipped(index),
                    },
                );
            }
        }
        self.zip = Some(zip);
    }

    /// Drops the folder that an archiver put around the export.
    fn unwrap_folder(&mut self) {
        const LISTS: [&str; 2] = ["channels.json", "users.json"];
        let around = self
            .entries
            .keys()
            .filter_map(|name| LISTS.iter().find_map(|list| name.strip_suffix(list)))
            .filter(|around| around.is_empty() || around.ends_with('/'))
            .min_by_key(|around| around.len())
            .map(str::to_owned);
        let Some(around) = around.filter(|around| !around.is_empty()) else {
            return;
        };
        self.entries = std::mem::take(&mut self.entries)
            .into_iter()
            .filter_map(|(name, entry)| Some((name.strip_prefix(&around)?.to_owned(), entry)))
            .collect();
    }

    /// Returns the names of the day files, folder by folder, oldest first.
    pub fn days(&self) -> Vec<String> {
        self.entries
            .keys()
            .filter(|name| name.matches('/').count() == 1)
            .cloned()
            .collect()
    }

    /// Returns lengths and stamps of the lists, which stand beside the folders of the days.
    pub fn list_stamps(&self) -> String {
        let lists = self.entries.iter().filter(|(name, _)| !name.contains('/'));
        let stamps: Vec<String> = lists
            .map(|(name, entry)| format!("{name} {} {}", entry.len, entry.stamp))
            .collect();
        stamps.join(", ")
    }

    /// Returns whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Returns the length of a file.
    pub fn len_of(&self, name: &str) -> u64 {
        self.stamp(name).0
    }

    /// Returns the length of a file and something that changes with its content.
    pub fn stamp(&self, name: &str) -> (u64, i64) {
        self.entries
            .get(name)
            .map_or((0, 0), |entry| (entry.len, entry.stamp))
    }

    /// Returns length and time of the zip; nothing for a folder.
    pub fn whole_stamp(&self) -> Option<(u64, i64)> {
        self.whole
    }

    /// Returns a hash of a file's content, where reading it again is cheap and needed.
    pub fn print(&self, name: &str) -> Option<String> {
        match &self.entries.get(name)?.place {
            Place::File(path) => {
                let mut file = File::open(path).ok()?;
                Some(files::hex(
                    &files::hash_prefix(&mut file, u64::MAX).ok()?.finalize(),
                ))
            }
            // The stamp is a checksum already.
            Place::Zipped(_) | Place::Piece(_) => None,
        }
    }

    /// Opens a file.
    pub fn read(&mut self, name: &str) -> io::Result<Box<dyn BufRead + '_>> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        match &self.entries.get(name).ok_or_else(missing)?.place {
            Place::File(path) => Ok(Box::new(BufReader::new(File::open(path)?))),
            Place::Zipped(index) => {
                let entry = self.zip.as_mut().ok_or_else(missing)?.by_index(*index)?;
                Ok(Box::new(BufReader::new(entry)))
            }
            Place::Piece(piece) => piece.open(&self.path),
        }
    }
}

/// Returns the length and the modification time of a file.
pub fn stamp_of(metadata: &Metadata) -> (u64, i64) {
    (metadata.len(), files::mtime_ns(metadata))
}
