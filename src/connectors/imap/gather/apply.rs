//! What was gathered becomes a page, and what is known changes with it.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::{Fetched, Gatherer, MARGIN_DAYS, NOTED_EVERY, Pass, Step};
use crate::connectors::files::{self, bare_event};
use crate::connectors::imap::MailAudience;
use crate::connectors::mail::desk::RawMail;
use crate::connectors::mail::{Found, bracketed};
use crate::connectors::{Cursor, Page, Skipped};
use crate::model::{Audience, EventId, EventKind, ThreadId};

impl Gatherer {
    /// Takes what was gathered as done: the page, the cursor and everything that is known change together.
    pub(super) fn apply(
        &mut self,
        mut steps: Vec<Step>,
        pass: Option<Pass>,
        after: Option<&Cursor>,
    ) -> Page {
        let now = self.clock.now();
        let is_idle = matches!(steps[..], [Step::KeepOnly(_), Step::End]);
        let oldest = now.checked_sub(SignedDuration::from_hours(
            24 * (self.history_days + MARGIN_DAYS + 1),
        ));
        let mut page = Page {
            more: pass.is_some(),
            progress: pass
                .as_ref()
                .filter(|pass| pass.total > 0)
                .map(|pass| (pass.done, pass.total)),
            ..Page::default()
        };
        let mut mails = Vec::new();
        for step in &mut steps {
            if let Step::Mail(mail) = step
                && !mail.is_aside
                && mail
                    .delivered_at
                    .is_none_or(|at| oldest.as_ref().is_ok_and(|oldest| at >= *oldest))
            {
                let raw = RawMail {
                    name: format!("{} uid {}", mail.shown, mail.uid),
                    raw: std::mem::take(&mut mail.raw),
                    found: Found {
                        delivered_at: mail.delivered_at,
                        is_cut: mail.is_cut,
                    },
                    ..RawMail::default()
                };
                self.desk.learn(&raw, false);
                mails.push(raw);
                page.history_before = mail.is_history.then_some(Timestamp::MAX);
            }
        }
        self.desk.finish();
        let mut mails = mails.into_iter().peekable();
        for step in steps {
            match step {
                Step::KeepOnly(names) => {
                    self.stand
                        .keep_only(&names.iter().map(String::as_str).collect());
                }
                Step::Reset { name, validity } => {
                    self.looked_at.remove(&name);
                    self.stand.reset(&name, validity);
                }
                Step::Lost { name, uids } => self.stand.take(&name, uids),
                Step::Trim { name, young } => self.stand.trim(&name, &young),
                Step::Mail(mail) => {
                    let name = format!("{} uid {}", mail.shown, mail.uid);
                    if let Some(raw) = mails.next_if(|raw| raw.name == name) {
                        self.deliver(&mail, &raw, now, &mut page);
                    }
                    self.stand.pass(&mail.name, mail.uid);
                }
                Step::Passed { name, uid } => self.stand.pass(&name, uid),
                Step::Read {
                    name,
                    modseq,
                    exists,
                } => {
                    if let Some(folder) = self.stand.folders.get_mut(&name) {
                        (folder.modseq, folder.exists, folder.is_anew) = (modseq, exists, false);
                    }
                }
                Step::Skipped(skipped) => page.skipped.push(skipped),
                Step::End => self.end(now, is_idle, &mut page),
            }
        }
        self.close(&mut page);
        for (name, folder) in &self.stand.folders {
            // What came in this process needs no second reading of its headers.
            let last = folder.mails.keys().next_back().copied().unwrap_or(0);
            let upto = self.learned.entry(name.clone()).or_insert(last);
            *upto = (*upto).max(last);
        }
        let next = files::to_cursor(&self.stand);
        page.next = (after != Some(&next)).then(|| next.clone());
        self.given = Some(next);
        self.pass = pass;
        page
    }

    fn deliver(&mut self, mail: &Fetched, raw: &RawMail, now: Timestamp, page: &mut Page) {
        let host = self.door.host.clone();
        let skipped = |mail: &RawMail, reason: &str| Skipped {
            at: format!("{host} {}", mail.name),
            reason: reason.to_owned(),
        };
        let before = page.events.len();
        let is_back = !self.stand.gone.is_empty()
            && self
                .desk
                .id_of(raw)
                .is_some_and(|id| self.stand.gone.contains(&id));
        let delivered = self.desk.deliver(raw, &skipped, now, false, is_back, page);
        let Some(mut id) = delivered else {
            // One of our own, or none that can be read.
            let looked_at = self.looked_at.entry(mail.name.clone());
            looked_at.or_default().insert(mail.uid);
            return;
        };
        if is_back {
            // What was removed stays removed; the mail that is there again is another event.
            self.stand.gone.retain(|gone| *gone != id);
            id = format!("{id}~{}", mail.uid);
            for event in &mut page.events[before..] {
                event.id = EventId::new(&self.options.id, bracketed(&id));
            }
        }
        self.stand.put(&mail.name, mail.uid, &id);
    }

    /// Ends a look at all folders: what has no place now is gone.
    fn end(&mut self, now: Timestamp, is_idle: bool, page: &mut Page) {
        let id = &self.options.id;
        for gone in self.stand.bury() {
            let of = EventId::new(id, bracketed(&gone));
            let event = EventId::new(id, format!("{}~deleted", bracketed(&gone)));
            // `ingest` knows the thread of the mail.
            let thread = ThreadId::new(id, bracketed(&gone));
            page.events
                .push(bare_event(event, thread, EventKind::Deleted { of }, now));
        }
        let passed_at = self
            .stand
            .passed_at
            .and_then(|at| Timestamp::from_second(at).ok());
        if !is_idle || passed_at.is_none_or(|at| now.duration_since(at) > NOTED_EVERY) {
            self.stand.passed_at = Some(now.as_second());
        }
        self.stand.trimmed_on = Some(self.today());
    }

    /// Closes the audiences of a page.
    fn close(&self, page: &mut Page) {
        let close = |audience: &mut Audience| match (self.audience, audience) {
            (MailAudience::Owner, audience) => {
                *audience = Audience::Only(BTreeSet::from([self.owner.clone()]));
            }
            (MailAudience::Participants, Audience::Only(people)) => {
                // The mailbox's owner reads their own mail, also what came by a list or as a hidden copy.
                people.insert(self.owner.clone());
            }
            _ => {}
        };
        page.threads
            .iter_mut()
            .for_each(|thread| close(&mut thread.audience));
        page.events
            .iter_mut()
            .filter_map(|event| event.audience.as_mut())
            .for_each(close);
    }

    pub(super) fn place(&self, folder: &str, uid: Option<u32>) -> String {
        match uid {
            Some(uid) => format!("{} {folder} uid {uid}", self.door.host),
            None => format!("{} {folder}", self.door.host),
        }
    }

    pub(super) fn since(&self, days: i64) -> String {
        let now = self.clock.now();
        let at = now
            .checked_sub(SignedDuration::from_hours(24 * days))
            .unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(TimeZone::UTC).strftime("%-d-%b-%Y").to_string()
    }

    pub(super) fn today(&self) -> String {
        let now: Zoned = self.clock.now().to_zoned(TimeZone::UTC);
        now.date().to_string()
    }
}
