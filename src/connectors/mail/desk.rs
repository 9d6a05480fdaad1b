//! From raw mails to a page: what mbox, Maildir and IMAP do with each mail they find.

use jiff::Timestamp;

use super::body::close_parts;
use super::threads::Threads;
use super::{Envelope, Found, MAX_MAIL, Options, is_own, normalize, parse, parse_headers};
use crate::connectors::files::{MAX_BYTES, MAX_ITEMS};
use crate::connectors::{Page, Skipped};

/// A mail as it lies in a file.
#[derive(Clone, Debug, Default)]
pub struct RawMail {
    /// The file's name relative to the connector's path.
    pub name: String,
    /// The line it begins at; 0 where the file holds nothing else.
    pub line: u64,
    /// The byte it begins at.
    pub start: u64,
    /// Its headers and as much of its body as is kept.
    pub raw: Vec<u8>,
    /// What the mailbox says about it.
    pub found: Found,
}

impl RawMail {
    /// Adds a line, as long as there is room.
    pub fn push_line(&mut self, line: &[u8]) {
        if self.raw.len() + line.len() >= MAX_MAIL {
            self.found.is_cut = true;
        } else {
            self.raw.extend_from_slice(line);
            self.raw.push(b'\n');
        }
    }
}

/// What is known of a mailbox while it is read.
pub struct Desk {
    /// What the connector's table says.
    pub options: Options,
    threads: Threads,
}

impl Desk {
    /// Begins with an empty mailbox.
    pub fn new(options: Options) -> Self {
        Desk {
            options,
            threads: Threads::default(),
        }
    }

    /// Learns a mail of the batch for threading; `is_met` tells that it has been delivered before.
    pub fn learn(&mut self, mail: &RawMail, is_met: bool) {
        let Some(message) = parse_headers(&mail.raw) else {
            return;
        };
        let mut envelope = Envelope::of(&message, &mail.raw, mail.found);
        self.threads.push(&mut envelope);
        if is_met {
            self.threads.meet(&mut envelope);
        }
    }

    /// Learns a mail that was delivered by an earlier process, under the id it had there.
    pub fn recall(&mut self, mut envelope: Envelope) {
        self.threads.push(&mut envelope);
        self.threads.meet(&mut envelope);
    }

    /// Returns the id, without brackets, that a mail's headers give it.
    pub fn id_of(&self, mail: &RawMail) -> Option<String> {
        let message = parse_headers(&mail.raw)?;
        Some(Envelope::of(&message, &mail.raw, mail.found).id)
    }

    /// Ends a batch.
    pub fn finish(&mut self) {
        self.threads.finish();
    }

    /// Delivers a mail that has been learned, and returns its id without brackets; nothing for one that cannot be read
    /// and for a briefing of our own. `is_repeat_told` says whether a second copy is worth a word, `place` names the mail
    /// when something is wrong with it.
    ///
    /// `is_certain` delivers it even if it was met before: the last mail of a file may have grown since.
    pub fn deliver(
        &mut self,
        mail: &RawMail,
        place: &dyn Fn(&RawMail, &str) -> Skipped,
        fallback: Timestamp,
        is_repeat_told: bool,
        is_certain: bool,
        page: &mut Page,
    ) -> Option<String> {
        let skipped = |reason: &str| place(mail, reason);
        let raw = close_parts(&mail.raw);
        let Some(message) = parse(&raw) else {
            page.skipped.push(skipped("no mail could be read here"));
            return None;
        };
        if is_own(&message) {
            return None;
        }
        let mut envelope = Envelope::of(&message, &mail.raw, mail.found);
        if !self.threads.knows(&envelope.id) {
            // It came after the headers were read.
            self.threads.push(&mut envelope);
            self.threads.finish();
        }
        let named = envelope.id.clone();
        let is_first = self.threads.meet(&mut envelope);
        if !is_first && !is_certain {
            if is_repeat_told {
                page.skipped.push(skipped("the mail stood further up already, under the same Message-ID; it was loaded once"));
            }
            return Some(envelope.id);
        }
        if envelope.id != named {
            page.skipped.push(skipped("another mail further up has this Message-ID; both were loaded, this one under an id of its own"));
        }
        let placed = self.threads.place(&envelope, fallback);
        let normalized = normalize(&message, &envelope, &placed, mail.found, &self.options);
        for note in &normalized.notes {
            page.skipped.push(skipped(note));
        }
        match page
            .threads
            .iter_mut()
            .find(|thread| thread.id == normalized.thread.id)
        {
            Some(thread) => thread.participants.extend(normalized.thread.participants),
            None => page.threads.push(normalized.thread),
        }
        page.spaces.extend(
            normalized
                .space
                .filter(|space| !page.spaces.contains(space)),
        );
        for person in normalized.people {
            match page
                .people
                .iter_mut()
                .find(|known| known.handle == person.handle)
            {
                Some(known) if known.name.is_empty() => *known = person,
                Some(_) => {}
                None => page.people.push(person),
            }
        }
        page.events.push(normalized.event);
        Some(envelope.id)
    }
}

/// Returns whether a page has enough in it.
pub fn is_full(page: &Page, bytes: u64) -> bool {
    page.events.len() + page.skipped.len() >= MAX_ITEMS || bytes >= MAX_BYTES
}
