//! How far a mailbox has been read: the cursor, and what becomes of a mail that left its folder. No server in here.
//!
//! A mail is its Message-ID; where it lies is a folder, that folder's UIDVALIDITY and a UID. A mail without a place is
//! *lost*; it is gone only once all folders were looked at again after that, because a move first puts the copy there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

/// How many mails that went are remembered, in case they come back.
const MOST_GONE: usize = 2_000;

/// The cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stand {
    /// By name on the wire.
    pub folders: BTreeMap<String, Folder>,
    /// When all folders had been read for the last time, in seconds.
    pub passed_at: Option<i64>,
    /// Ids of mails without a place.
    pub lost: BTreeSet<String>,
    /// Ids of mails that were told to be gone, the latest last.
    pub gone: Vec<String>,
    /// The day on which old mails were last forgotten.
    pub trimmed_on: Option<String>,
}

/// How far a folder has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Folder {
    /// UIDs mean something only with this.
    pub validity: u32,
    /// The first UID that has not been looked at.
    pub next: u32,
    /// HIGHESTMODSEQ when it was read to its end.
    pub modseq: Option<u64>,
    /// How many mails it held then.
    pub exists: u32,
    /// Whether it was met, or met anew, after others had been read, and not yet read to its end since.
    pub is_anew: bool,
    /// The ids of its mails, by UID.
    pub mails: BTreeMap<u32, String>,
}

impl Stand {
    /// Begins a folder from its first mail; those that were known to lie there have no place until they are met again.
    pub fn reset(&mut self, name: &str, validity: u32) {
        let is_anew = self.passed_at.is_some();
        let fresh = Folder {
            validity,
            next: 1,
            is_anew,
            ..Folder::default()
        };
        if let Some(before) = self.folders.insert(name.to_owned(), fresh) {
            self.lost.extend(before.mails.into_values());
        }
    }

    /// Forgets folders that are not read any more.
    pub fn keep_only(&mut self, names: &HashSet<&str>) {
        let gone: Vec<String> = self
            .folders
            .keys()
            .filter(|name| !names.contains(name.as_str()))
            .cloned()
            .collect();
        for name in gone {
            if let Some(folder) = self.folders.remove(&name) {
                self.lost.extend(folder.mails.into_values());
            }
        }
    }

    /// Notes that mails are not in a folder any more.
    pub fn take(&mut self, name: &str, uids: impl IntoIterator<Item = u32>) {
        if let Some(folder) = self.folders.get_mut(name) {
            let lost = uids.into_iter().filter_map(|uid| folder.mails.remove(&uid));
            self.lost.extend(lost);
        }
    }

    /// Notes where a mail lies; returns whether it had been told to be gone.
    pub fn put(&mut self, name: &str, uid: u32, id: &str) -> bool {
        if let Some(folder) = self.folders.get_mut(name) {
            folder.mails.insert(uid, id.to_owned());
        }
        self.lost.remove(id);
        let before = self.gone.len();
        self.gone.retain(|gone| gone != id);
        self.gone.len() < before
    }

    /// Notes that a UID has been looked at.
    pub fn pass(&mut self, name: &str, uid: u32) {
        if let Some(folder) = self.folders.get_mut(name) {
            folder.next = folder.next.max(uid.saturating_add(1));
        }
    }

    /// Returns the ids of lost mails that lie nowhere; they are gone now. To be asked only after all folders were looked
    /// at once more.
    pub fn bury(&mut self) -> Vec<String> {
        let lost = std::mem::take(&mut self.lost);
        if lost.is_empty() {
            return Vec::new();
        }
        let placed: HashSet<&str> = self
            .folders
            .values()
            .flat_map(|folder| folder.mails.values().map(String::as_str))
            .collect();
        let gone: Vec<String> = lost
            .into_iter()
            .filter(|id| !placed.contains(id.as_str()))
            .collect();
        self.gone.extend(gone.iter().cloned());
        let surplus = self.gone.len().saturating_sub(MOST_GONE);
        self.gone.drain(..surplus);
        gone
    }

    /// Forgets the mails of a folder that are older than the history; that they go is of no interest any more.
    pub fn trim(&mut self, name: &str, young: &HashSet<u32>) {
        if let Some(folder) = self.folders.get_mut(name) {
            folder.mails.retain(|uid, _| young.contains(uid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand() -> Stand {
        let mut stand = Stand::default();
        for (name, mails) in [
            ("INBOX", vec![(1, "a"), (2, "b")]),
            ("Archive", vec![(7, "c")]),
        ] {
            stand.reset(name, 9);
            for (uid, id) in mails {
                stand.put(name, uid, id);
                stand.pass(name, uid);
            }
        }
        stand
    }

    #[test]
    fn a_mail_that_moved_is_not_gone() {
        let mut stand = stand();
        stand.take("INBOX", [2]);
        assert_eq!(stand.lost.len(), 1);
        stand.put("Archive", 8, "b");
        assert!(stand.bury().is_empty());
        stand.take("Archive", [8]);
        assert_eq!(stand.bury(), ["b"]);
        assert!(stand.bury().is_empty(), "a mail goes once");
        assert!(stand.put("INBOX", 3, "b"), "and may come back");
    }

    #[test]
    fn a_copy_elsewhere_keeps_a_mail() {
        let mut stand = stand();
        stand.put("Archive", 8, "a");
        stand.take("INBOX", [1]);
        assert!(stand.bury().is_empty());
    }

    #[test]
    fn a_new_uidvalidity_loses_only_what_is_not_met_again() {
        let mut stand = stand();
        stand.passed_at = Some(1);
        stand.reset("INBOX", 10);
        assert!(stand.folders["INBOX"].is_anew);
        assert_eq!(stand.folders["INBOX"].next, 1);
        stand.put("INBOX", 1, "b");
        assert_eq!(stand.bury(), ["a"]);
    }

    #[test]
    fn a_folder_that_is_not_read_any_more_loses_its_mails() {
        let mut stand = stand();
        stand.keep_only(&HashSet::from(["INBOX"]));
        assert_eq!(stand.bury(), ["c"]);
    }
}
