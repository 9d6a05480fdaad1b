//! What is asked of a server about one folder: what is new in it, what has gone, and the mails themselves.

use std::collections::{BTreeSet, HashSet};

use anyhow::{Result, bail};
use jiff::Timestamp;
use tokio::time::Instant;

use super::answer::{fetched, is_text_cut, set_of};
use super::{
    Fetched, Gatherer, HEADERS, HEADERS_BATCH, LARGEST_BATCH, LATE, LONGEST_PAGE, MARGIN_DAYS,
    Open, PART, Shown, Step, search,
};
use crate::connectors::Skipped;
use crate::connectors::imap::names;
use crate::connectors::imap::stand::Folder;
use crate::connectors::imap::wire::{Wire, WireError, quoted};
use crate::connectors::mail::{Envelope, Found, MAX_MAIL, parse_headers};

impl Gatherer {
    /// Reads the headers of mails that an earlier process has read, so that replies find their threads.
    pub(super) async fn learn(&mut self, wire: &mut Wire) -> Result<()> {
        let mut names: Vec<String> = self.stand.folders.keys().cloned().collect();
        names.retain(|name| {
            let last = self.stand.folders[name].mails.keys().next_back();
            last.is_some_and(|last| self.learned.get(name).is_none_or(|upto| upto < last))
        });
        if self.given.is_none() || names.is_empty() {
            return Ok(());
        }
        for name in names {
            let known = self.stand.folders[&name].clone();
            let upto = self.learned.get(&name).copied().unwrap_or(0);
            let uids: Vec<u32> = known
                .mails
                .range(upto.saturating_add(1)..)
                .map(|(uid, _)| *uid)
                .collect();
            let mut shown = Shown::default();
            let opened = wire
                .run(&format!("EXAMINE {}", quoted(&name)), |response| {
                    shown.note(response)
                })
                .await;
            match opened {
                Ok(()) if shown.validity == known.validity => {}
                // It is read again from its beginning, or cannot be read now.
                Ok(()) | Err(WireError::Refused(_)) => {
                    self.learned.insert(name, u32::MAX);
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            for chunk in uids.chunks(HEADERS_BATCH) {
                let command = format!("UID FETCH {} (UID INTERNALDATE {HEADERS})", set_of(chunk));
                let mut headers = Vec::new();
                wire.run(&command, |response| headers.extend(fetched(response)))
                    .await?;
                for mail in headers {
                    let Some(id) = known.mails.get(&mail.uid) else {
                        continue;
                    };
                    let Some(message) = parse_headers(&mail.raw) else {
                        continue;
                    };
                    let found = Found {
                        delivered_at: mail.delivered_at,
                        is_cut: false,
                    };
                    let mut envelope = Envelope::of(&message, &mail.raw, found);
                    envelope.id.clone_from(id);
                    self.desk.recall(envelope);
                }
                let last = chunk.last().copied().unwrap_or(u32::MAX);
                self.learned.insert(name.clone(), last);
            }
        }
        self.desk.finish();
        Ok(())
    }

    /// Opens a folder and finds out what is new in it and what has gone.
    pub(super) async fn open(
        &self,
        wire: &mut Wire,
        folder: names::Folder,
        is_second: bool,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Open>> {
        let name = folder.raw.clone();
        let known = self.stand.folders.get(&name);
        let mut command = format!("EXAMINE {}", quoted(&name));
        let has_vanished = match known.map(|known| (known.validity, known.modseq)) {
            Some((validity, Some(modseq))) if wire.has_qresync && !is_second => {
                command.push_str(&format!(" (QRESYNC ({validity} {modseq}))"));
                true
            }
            _ => {
                if wire.has("CONDSTORE") {
                    command.push_str(" (CONDSTORE)");
                }
                false
            }
        };
        let mut shown = Shown::default();
        match wire.run(&command, |response| shown.note(response)).await {
            Ok(()) => {}
            // One folder that is locked or forbidden does not stop the others; what is known of it stays.
            Err(WireError::Refused(why)) => {
                steps.push(Step::Skipped(Skipped {
                    at: self.place(&folder.shown, None),
                    reason: format!("the folder cannot be opened: {why}"),
                }));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        let known = known.filter(|known| known.validity == shown.validity);
        let since = self.since(self.history_days + MARGIN_DAYS);
        let mut next = 1;
        let mut revived = Vec::new();
        match known {
            None if is_second && self.stand.folders.contains_key(&name) => return Ok(None),
            None => steps.push(Step::Reset {
                name: name.clone(),
                validity: shown.validity,
            }),
            Some(known) => {
                next = known.next;
                let is_same = shown.next == Some(known.next)
                    && shown.exists == known.exists
                    && shown.modseq == known.modseq;
                if is_same {
                    return Ok(None);
                }
                if !is_second {
                    let lost = if has_vanished {
                        let gone = shown.vanished.iter().flat_map(|range| {
                            known.mails.range(range.clone()).map(|(uid, _)| *uid)
                        });
                        let flagged = shown.flags.iter().filter(|(_, is_aside)| *is_aside);
                        let flagged = flagged.map(|(uid, _)| *uid);
                        let flagged = flagged.filter(|uid| known.mails.contains_key(uid));
                        revived = shown
                            .flags
                            .iter()
                            .filter(|(uid, is_aside)| {
                                !is_aside && *uid < next && !known.mails.contains_key(uid)
                            })
                            .map(|(uid, _)| *uid)
                            .collect();
                        gone.chain(flagged).collect()
                    } else {
                        let lost = missing(wire, known).await?;
                        revived = self.returned(wire, &name, known).await?;
                        lost
                    };
                    if !lost.is_empty() {
                        steps.push(Step::Lost {
                            name: name.clone(),
                            uids: lost,
                        });
                    }
                    let today = self.today();
                    if self.stand.trimmed_on.as_ref() != Some(&today) && !known.mails.is_empty() {
                        let since = self.since(self.history_days);
                        let young = search(wire, &format!("UID SEARCH SINCE {since}")).await?;
                        steps.push(Step::Trim {
                            name: name.clone(),
                            young: young.into_iter().collect(),
                        });
                    }
                }
            }
        }
        let mut pending = BTreeSet::new();
        if shown.next.is_none_or(|server| server > next) && shown.exists > 0 {
            // `n:*` always names the last mail, too.
            let command = format!("UID SEARCH UID {next}:* UNDELETED UNDRAFT SINCE {since}");
            let found = search(wire, &command).await?;
            pending.extend(found.into_iter().filter(|uid| *uid >= next));
        }
        pending.extend(revived);
        let mut end = Vec::new();
        let last = shown.next.map(|next| next.saturating_sub(1));
        if let Some(uid) = last.or(pending.last().copied()).filter(|uid| *uid > 0) {
            end.push(Step::Passed {
                name: name.clone(),
                uid,
            });
        }
        if !is_second {
            end.push(Step::Read {
                name,
                modseq: shown.modseq,
                exists: shown.exists,
            });
        }
        let is_anew = known.map_or(self.stand.passed_at.is_some(), |known| known.is_anew);
        Ok(Some(Open {
            folder,
            validity: shown.validity,
            pending: pending.into_iter().collect(),
            is_anew,
            end,
        }))
    }

    /// Fetches some of the mails that a folder has waiting. One that the server cannot send in a way that can be read is
    /// named and left behind.
    pub(super) async fn fetch(
        &mut self,
        wire: &mut Wire,
        open: &mut Open,
        steps: &mut Vec<Step>,
    ) -> Result<Vec<Fetched>> {
        let count = self.batch.min(open.pending.len());
        let uids: Vec<u32> = open.pending.drain(..count).collect();
        let command = format!(
            "UID FETCH {} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{PART}>)",
            set_of(&uids)
        );
        let begun = Instant::now();
        let mut mails: Vec<Fetched> = Vec::new();
        let answer = wire
            .run(&command, |response| mails.extend(fetched(response)))
            .await;
        match answer {
            Ok(()) => {}
            Err(error) => {
                self.singled_out(wire, open, uids, error, steps).await?;
                return Ok(Vec::new());
            }
        }
        // A slow line gets smaller bites, so that a page comes about in any case.
        let took = begun.elapsed();
        if took < LONGEST_PAGE / 4 {
            self.batch = (self.batch * 2).min(LARGEST_BATCH);
        } else if took > LONGEST_PAGE {
            self.batch = (self.batch / 2).max(1);
        }
        let is_asked_for = |mail: &Fetched| uids.contains(&mail.uid);
        mails.retain(is_asked_for);
        let empty = mails.iter().filter(|mail| mail.raw.is_empty());
        let empty: BTreeSet<u32> = empty.map(|mail| mail.uid).collect();
        mails.retain(|mail| !mail.raw.is_empty());
        if let [uid] = uids[..]
            && empty.contains(&uid)
        {
            let reason = "the server gives this mail out without a word".to_owned();
            self.pass_over(open, uid, reason, steps);
        } else {
            // Some servers answer one part of what many are asked for; alone each gets its own answer.
            let is_read = |uid: &u32| mails.iter().any(|mail| mail.uid == *uid);
            let alone = empty.into_iter().rev().filter(|uid| !is_read(uid));
            for uid in alone {
                self.batch = 1;
                open.pending.push_front(uid);
            }
        }
        mails.sort_by_key(|mail| mail.uid);
        mails.dedup_by_key(|mail| mail.uid);
        for mail in &mut mails {
            mail.name.clone_from(&open.folder.raw);
            mail.shown.clone_from(&open.folder.shown);
            mail.is_history = self.is_history(open.is_anew, mail.delivered_at);
            if mail.size > mail.got && is_text_cut(&mail.raw) {
                let command = format!("UID FETCH {} (UID BODY.PEEK[]<0.{MAX_MAIL}>)", mail.uid);
                let mut more = Vec::new();
                let answer = wire
                    .run(&command, |response| more.extend(fetched(response)))
                    .await;
                match answer {
                    Ok(()) | Err(WireError::Refused(_)) => {}
                    // The first part of it is there, and has to do.
                    Err(_) => {
                        *wire = Wire::open(&self.door).await?;
                        self.open_again(wire, open).await?;
                    }
                }
                if let Some(more) = more.into_iter().find(|more| more.uid == mail.uid) {
                    (mail.raw, mail.got) = (more.raw, more.got);
                }
                mail.is_cut = mail.size > mail.got && is_text_cut(&mail.raw);
            }
        }
        Ok(mails)
    }

    /// Looks for the mail that a server cannot give out: each is asked for alone, on a new connection. Who fails again there is
    /// named and left behind, if the server gives out another mail right then; where it gives out nothing the server is at
    /// fault, or the line, and all of it is for a later reading.
    async fn singled_out(
        &mut self,
        wire: &mut Wire,
        open: &mut Open,
        uids: Vec<u32>,
        error: WireError,
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        self.batch = 1;
        *wire = Wire::open(&self.door).await?;
        self.open_again(wire, open).await?;
        let [uid] = uids[..] else {
            let again = uids.into_iter().rev();
            again.for_each(|uid| open.pending.push_front(uid));
            return Ok(());
        };
        if self.suspect.replace(uid) != Some(uid) {
            open.pending.push_front(uid);
            return Ok(());
        }
        self.suspect = None;
        let known = self.stand.folders.get(&open.folder.raw);
        let read = known.and_then(|known| known.mails.keys().next_back().copied());
        let others = open.pending.back().copied().into_iter().chain(read);
        let mut is_well = false;
        for other in others {
            let command = format!("UID FETCH {other} (UID BODY.PEEK[]<0.64>)");
            let mut came = Vec::new();
            let answer = wire
                .run(&command, |response| came.extend(fetched(response)))
                .await;
            if answer.is_ok() && came.iter().any(|mail: &Fetched| !mail.raw.is_empty()) {
                is_well = true;
                break;
            }
            *wire = Wire::open(&self.door).await?;
            self.open_again(wire, open).await?;
        }
        if !is_well {
            return Err(error.into());
        }
        let reason = match error {
            WireError::Garbled => "the server's answer for this mail cannot be read".to_owned(),
            error => format!("the server does not give this mail out: {error}"),
        };
        self.pass_over(open, uid, reason, steps);
        Ok(())
    }

    /// Names a mail that cannot be had, and leaves it behind; it is tried again where a later list tells of it.
    fn pass_over(&mut self, open: &Open, uid: u32, reason: String, steps: &mut Vec<Step>) {
        steps.push(Step::Skipped(Skipped {
            at: self.place(&open.folder.shown, Some(uid)),
            reason,
        }));
        steps.push(Step::Passed {
            name: open.folder.raw.clone(),
            uid,
        });
        let looked_at = self.looked_at.entry(open.folder.raw.clone());
        looked_at.or_default().insert(uid);
    }

    /// Returns the mails that a folder tells of and that are not known: a mark of deletion was taken back, an earlier process
    /// could not have them, or the server numbered them anew.
    async fn returned(
        &self,
        wire: &mut Wire,
        name: &str,
        known: &Folder,
    ) -> Result<Vec<u32>, WireError> {
        if known.next <= 1 {
            return Ok(Vec::new());
        }
        // What is older was let go on purpose.
        let since = self.since(self.history_days);
        let last = known.next - 1;
        let command = format!("UID SEARCH UID 1:{last} UNDELETED UNDRAFT SINCE {since}");
        let there = search(wire, &command).await?;
        let looked_at = self.looked_at.get(name);
        let is_unknown = |uid: &u32| {
            let is_left_out = looked_at.is_some_and(|looked_at| looked_at.contains(uid));
            *uid <= last && !known.mails.contains_key(uid) && !is_left_out
        };
        Ok(there.into_iter().filter(is_unknown).collect())
    }

    async fn open_again(&self, wire: &mut Wire, open: &Open) -> Result<()> {
        let mut shown = Shown::default();
        let command = format!("EXAMINE {}", quoted(&open.folder.raw));
        wire.run(&command, |response| shown.note(response)).await?;
        if shown.validity != open.validity {
            bail!("the folder {} changed while it was read", open.folder.shown);
        }
        Ok(())
    }

    fn is_history(&self, is_anew: bool, delivered_at: Option<Timestamp>) -> bool {
        let passed_at = self
            .stand
            .passed_at
            .and_then(|at| Timestamp::from_second(at).ok());
        let (Some(passed_at), Some(delivered_at)) = (passed_at, delivered_at) else {
            return false;
        };
        delivered_at < passed_at && (is_anew || passed_at.duration_since(delivered_at) > LATE)
    }
}

/// Returns the known mails that a folder does not have any more, by comparing lists.
async fn missing(wire: &mut Wire, known: &Folder) -> Result<Vec<u32>, WireError> {
    let (Some(first), Some(last)) = (known.mails.keys().next(), known.mails.keys().next_back())
    else {
        return Ok(Vec::new());
    };
    let command = format!("UID SEARCH UID {first}:{last} UNDELETED UNDRAFT");
    let there: HashSet<u32> = search(wire, &command).await?.into_iter().collect();
    let known = known.mails.keys().copied();
    Ok(known.filter(|uid| !there.contains(uid)).collect())
}
