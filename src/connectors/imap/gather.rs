//! From folders to pages.
//!
//! A page is gathered first and applied afterwards, without waiting in between: a fetch that is dropped half-way has
//! changed nothing, and the cursor never knows more than the page it belongs to.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response, ResponseCode, Status};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use mail_parser::{MimeHeaders, PartType};
use tokio::time::Instant;

use super::names::{self, Chosen};
use super::stand::Stand;
use super::wire::{Door, Wire, WireError, quoted};
use super::{ImapConfig, MailAudience};
use crate::clock::Clock;
use crate::connectors::files::{self, MAX_BYTES, bare_event};
use crate::connectors::mail::body::close_parts;
use crate::connectors::mail::desk::{Desk, RawMail};
use crate::connectors::mail::{
    Envelope, Found, MAX_MAIL, Options, bracketed, parse, parse_headers,
};
use crate::connectors::{Cursor, Page, Skipped};
use crate::model::{Audience, EventId, EventKind, Handle, ThreadId};

/// How much of each mail is fetched at first: its words stand before its attachments.
const PART: usize = 256 << 10;
/// The most mails fetched by one command; with [`PART`] each that is 8 MB.
const LARGEST_BATCH: usize = 32;
/// The most headers fetched by one command.
const HEADERS_BATCH: usize = 500;
/// A page is full after this many mails.
const MAX_MAILS: usize = 500;
/// How long one page may take to gather.
const LONGEST_PAGE: Duration = Duration::from_secs(5);
/// An unused connection is tried before it is trusted again.
const TRUSTED: Duration = Duration::from_secs(60);
/// What was delivered longer than this before the last look and turns up only now was moved here: it is history.
const LATE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// After a new UIDVALIDITY more is read than was kept, so that nothing that was kept is taken for gone.
const MARGIN_DAYS: i64 = 3;
/// How often the cursor notes that all folders were looked at, when nothing else changes.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(24);

const HEADERS: &str =
    "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID IN-REPLY-TO REFERENCES SUBJECT LIST-ID DATE FROM TO CC)]";

/// A mailbox that is being read.
pub struct Gatherer {
    door: Door,
    patterns: Vec<String>,
    history_days: i64,
    audience: MailAudience,
    owner: Handle,
    options: Options,
    clock: Clock,
    wire: Option<(Wire, Instant)>,
    desk: Desk,
    /// The cursor that `stand` and `desk` have come to.
    given: Option<Cursor>,
    stand: Stand,
    /// Up to which UID the headers of known mails were read for threading, by folder.
    learned: HashMap<String, u32>,
    pass: Option<Pass>,
    batch: usize,
}

/// One look at all folders.
struct Pass {
    folders: Vec<names::Folder>,
    queue: VecDeque<names::Folder>,
    open: Option<Open>,
    /// Mails that were fetched and belong on the next page.
    ready: VecDeque<Fetched>,
    /// Whether the folders are looked at once more, because mails have lost their place.
    is_second: bool,
    done: u64,
    total: u64,
}

/// The folder that is open.
struct Open {
    folder: names::Folder,
    validity: u32,
    pending: VecDeque<u32>,
    is_anew: bool,
    /// What is noted when all of it was read.
    end: Vec<Step>,
}

/// A mail, or as much of it as is wanted.
struct Fetched {
    name: String,
    shown: String,
    uid: u32,
    raw: Vec<u8>,
    delivered_at: Option<Timestamp>,
    /// How large it is on the server.
    size: usize,
    /// How much of that came.
    got: usize,
    /// Whether it is deleted or a draft.
    is_aside: bool,
    is_cut: bool,
    is_history: bool,
}

/// What a page changes, in order.
enum Step {
    KeepOnly(Vec<String>),
    Reset {
        name: String,
        validity: u32,
    },
    Lost {
        name: String,
        uids: Vec<u32>,
    },
    Trim {
        name: String,
        young: HashSet<u32>,
    },
    Mail(Box<Fetched>),
    Passed {
        name: String,
        uid: u32,
    },
    Read {
        name: String,
        modseq: Option<u64>,
        exists: u32,
    },
    Skipped(Skipped),
    End,
}

/// What a server says of a folder it opens.
#[derive(Debug, Default)]
struct Shown {
    validity: u32,
    next: Option<u32>,
    modseq: Option<u64>,
    exists: u32,
    vanished: Vec<std::ops::RangeInclusive<u32>>,
    /// UID and whether it is deleted or a draft.
    flags: Vec<(u32, bool)>,
}

impl Gatherer {
    pub fn new(config: &ImapConfig, door: Door, options: Options, clock: Clock) -> Gatherer {
        Gatherer {
            door,
            patterns: config.folders.clone(),
            history_days: i64::from(config.history_days),
            audience: config.audience,
            owner: config.owner(&options.id),
            desk: Desk::new(options.clone()),
            options,
            clock,
            wire: None,
            given: None,
            stand: Stand::default(),
            learned: HashMap::new(),
            pass: None,
            batch: 8,
        }
    }

    /// Returns the next page after a cursor.
    pub async fn page(&mut self, after: Option<&Cursor>) -> Result<Page> {
        if self.given.as_ref() != after {
            self.given = after.cloned();
            self.stand = files::parse_cursor(after);
            self.desk = Desk::new(self.options.clone());
            self.learned.clear();
            self.pass = None;
        }
        let is_old = self.wire.is_some();
        let mut wire = self.connected().await?;
        let mut read = self.read(&mut wire).await;
        if is_old && matches!(&read, Err(error) if error.is::<WireError>() && !is_refusal(error)) {
            // Servers hang up on who was quiet for long, and that shows only now.
            wire = Wire::open(&self.door).await?;
            read = self.read(&mut wire).await;
        }
        match &read {
            Err(error) if !is_refusal(error) => {}
            _ => self.wire = Some((wire, Instant::now())),
        }
        let (steps, pass) =
            read.with_context(|| format!("cannot read mail at {}", self.door.host))?;
        let page = self.apply(steps, pass, after);
        Ok(page)
    }

    /// Returns the connection, a new one if the old one does not answer.
    async fn connected(&mut self) -> Result<Wire> {
        if let Some((mut wire, used_at)) = self.wire.take() {
            if used_at.elapsed() < TRUSTED {
                return Ok(wire);
            }
            let noop = tokio::time::timeout(Duration::from_secs(10), wire.run("NOOP", |_| {}));
            if matches!(noop.await, Ok(Ok(()))) {
                return Ok(wire);
            }
        }
        Wire::open(&self.door).await
    }

    /// Gathers what the next page changes; nothing but what is known for threading has changed after it.
    async fn read(&mut self, wire: &mut Wire) -> Result<(Vec<Step>, Option<Pass>)> {
        self.learn(wire).await?;
        let mut steps = Vec::new();
        let mut pass = match self.pass.take() {
            Some(pass) => pass,
            None => begin(wire, &self.patterns, &mut steps).await?,
        };
        if pass.is_second && pass.open.is_none() && !self.has_lost() {
            pass.queue.clear();
        }
        let begun = Instant::now();
        let (mut mails, mut bytes) = (0, 0);
        let mut is_history = None;
        loop {
            if let Some(next) = pass.ready.front() {
                // What is history and what is news go into pages of their own.
                if is_history.is_some_and(|is_history| is_history != next.is_history) {
                    return Ok((steps, Some(pass)));
                }
                is_history = Some(next.is_history);
                (mails, bytes) = (mails + 1, bytes + next.raw.len() as u64);
                pass.done += 1;
                let next = pass.ready.pop_front().map(Box::new);
                steps.extend(next.map(Step::Mail));
            }
            let is_full =
                mails >= MAX_MAILS || bytes >= MAX_BYTES || begun.elapsed() > LONGEST_PAGE;
            if is_full {
                return Ok((steps, Some(pass)));
            }
            if !pass.ready.is_empty() {
                continue;
            }
            match &mut pass.open {
                Some(open) if !open.pending.is_empty() => {
                    let fetched = self.fetch(wire, open, &mut steps).await?;
                    pass.ready.extend(fetched);
                }
                Some(open) => {
                    steps.append(&mut open.end);
                    pass.open = None;
                }
                None => match pass.queue.pop_front() {
                    Some(folder) => {
                        let opened = self.open(wire, folder, pass.is_second, &mut steps).await?;
                        pass.total += opened.as_ref().map_or(0, |open| open.pending.len() as u64);
                        pass.open = opened;
                    }
                    None if !pass.is_second && (self.has_lost() || loses(&steps)) => {
                        // A move puts the copy there before it takes the mail away, so one more look finds it.
                        pass.is_second = true;
                        pass.queue = pass.folders.iter().cloned().collect();
                        return Ok((steps, Some(pass)));
                    }
                    None => {
                        steps.push(Step::End);
                        return Ok((steps, None));
                    }
                },
            }
        }
    }

    fn has_lost(&self) -> bool {
        !self.stand.lost.is_empty()
    }

    /// Reads the headers of mails that an earlier process has read, so that replies find their threads.
    async fn learn(&mut self, wire: &mut Wire) -> Result<()> {
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
    async fn open(
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
                        missing(wire, known).await?
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
    async fn fetch(
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
            Err(WireError::Garbled) => {
                self.batch = 1;
                *wire = Wire::open(&self.door).await?;
                self.open_again(wire, open).await?;
                if let [uid] = uids[..] {
                    steps.push(Step::Skipped(Skipped {
                        at: self.place(&open.folder.shown, Some(uid)),
                        reason: "the server's answer for this mail cannot be read".into(),
                    }));
                    steps.push(Step::Passed {
                        name: open.folder.raw.clone(),
                        uid,
                    });
                } else {
                    uids.into_iter()
                        .rev()
                        .for_each(|uid| open.pending.push_front(uid));
                }
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.into()),
        }
        // A slow line gets smaller bites, so that a page comes about in any case.
        let took = begun.elapsed();
        if took < LONGEST_PAGE / 4 {
            self.batch = (self.batch * 2).min(LARGEST_BATCH);
        } else if took > LONGEST_PAGE {
            self.batch = (self.batch / 2).max(1);
        }
        mails.retain(|mail| uids.contains(&mail.uid) && !mail.raw.is_empty());
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
                    Err(error) => return Err(error.into()),
                }
                if let Some(more) = more.into_iter().find(|more| more.uid == mail.uid) {
                    (mail.raw, mail.got) = (more.raw, more.got);
                }
                mail.is_cut = mail.size > mail.got && is_text_cut(&mail.raw);
            }
        }
        Ok(mails)
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

    /// Takes what was gathered as done: the page, the cursor and everything that is known change together.
    fn apply(&mut self, mut steps: Vec<Step>, pass: Option<Pass>, after: Option<&Cursor>) -> Page {
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
                Step::Reset { name, validity } => self.stand.reset(&name, validity),
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

    fn place(&self, folder: &str, uid: Option<u32>) -> String {
        match uid {
            Some(uid) => format!("{} {folder} uid {uid}", self.door.host),
            None => format!("{} {folder}", self.door.host),
        }
    }

    fn since(&self, days: i64) -> String {
        let now = self.clock.now();
        let at = now
            .checked_sub(SignedDuration::from_hours(24 * days))
            .unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(TimeZone::UTC).strftime("%-d-%b-%Y").to_string()
    }

    fn today(&self) -> String {
        let now: Zoned = self.clock.now().to_zoned(TimeZone::UTC);
        now.date().to_string()
    }
}

/// Begins a look at all folders.
async fn begin(wire: &mut Wire, patterns: &[String], steps: &mut Vec<Step>) -> Result<Pass> {
    let Chosen { folders, .. } = names::choose(&list(wire).await?, patterns);
    if folders.is_empty() {
        bail!("there is no folder to read; `daybrief check` lists those that are there");
    }
    let names = folders.iter().map(|folder| folder.raw.clone()).collect();
    steps.push(Step::KeepOnly(names));
    Ok(Pass {
        queue: folders.iter().cloned().collect(),
        folders,
        open: None,
        ready: VecDeque::new(),
        is_second: false,
        done: 0,
        total: 0,
    })
}

/// Lists the folders of an account.
pub async fn list(wire: &mut Wire) -> Result<Vec<names::Folder>, WireError> {
    let command = if wire.has("SPECIAL-USE") && wire.has("LIST-EXTENDED") {
        "LIST \"\" \"*\" RETURN (SPECIAL-USE)"
    } else {
        "LIST \"\" \"*\""
    };
    let mut listed = Vec::new();
    wire.run(command, |response| {
        if let Response::MailboxData(MailboxDatum::List(found)) = response {
            listed.push(names::Folder::new(
                &found.name,
                found.delimiter.as_deref(),
                &found.name_attributes,
            ));
        }
    })
    .await?;
    Ok(listed)
}

/// Runs a search.
pub async fn search(wire: &mut Wire, command: &str) -> Result<Vec<u32>, WireError> {
    let mut found = Vec::new();
    wire.run(command, |response| {
        if let Response::MailboxData(MailboxDatum::Search(uids)) = response {
            found.extend_from_slice(uids);
        }
    })
    .await?;
    Ok(found)
}

/// Returns the known mails that a folder does not have any more, by comparing lists.
async fn missing(wire: &mut Wire, known: &super::stand::Folder) -> Result<Vec<u32>, WireError> {
    let (Some(first), Some(last)) = (known.mails.keys().next(), known.mails.keys().next_back())
    else {
        return Ok(Vec::new());
    };
    let command = format!("UID SEARCH UID {first}:{last} UNDELETED UNDRAFT");
    let there: HashSet<u32> = search(wire, &command).await?.into_iter().collect();
    let known = known.mails.keys().copied();
    Ok(known.filter(|uid| !there.contains(uid)).collect())
}

/// Returns whether the steps take mails from their place.
fn loses(steps: &[Step]) -> bool {
    steps
        .iter()
        .any(|step| matches!(step, Step::Lost { .. } | Step::Reset { .. }))
}

fn is_refusal(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(WireError::Refused(_)))
}

impl Shown {
    fn note(&mut self, response: &Response<'_>) {
        match response {
            Response::Data {
                status: Status::Ok,
                outcome,
            }
            | Response::Done { outcome, .. } => match &outcome.code {
                Some(ResponseCode::UidValidity(validity)) => self.validity = *validity,
                Some(ResponseCode::UidNext(next)) => self.next = Some(*next),
                Some(ResponseCode::HighestModSeq(modseq)) => self.modseq = Some(*modseq),
                _ => {}
            },
            Response::MailboxData(MailboxDatum::Exists(exists)) => self.exists = *exists,
            Response::Vanished { uids, .. } => self.vanished.extend(uids.iter().cloned()),
            Response::Fetch(..) => self
                .flags
                .extend(fetched(response).map(|mail| (mail.uid, mail.is_aside))),
            _ => {}
        }
    }
}

/// Reads one FETCH response.
fn fetched(response: &Response<'_>) -> Option<Fetched> {
    let Response::Fetch(_, attributes) = response else {
        return None;
    };
    let mut uid = None;
    let mut mail = Fetched {
        name: String::new(),
        shown: String::new(),
        uid: 0,
        raw: Vec::new(),
        delivered_at: None,
        size: 0,
        got: 0,
        is_aside: false,
        is_cut: false,
        is_history: false,
    };
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(number) => uid = Some(*number),
            AttributeValue::Rfc822Size(size) => mail.size = *size as usize,
            AttributeValue::InternalDate(date) => mail.delivered_at = moment(date),
            AttributeValue::Flags(flags) => {
                mail.is_aside = flags.iter().any(|flag| {
                    flag.eq_ignore_ascii_case("\\deleted") || flag.eq_ignore_ascii_case("\\draft")
                });
            }
            AttributeValue::BodySection {
                data: Some(data), ..
            } => {
                mail.got = data.len();
                mail.raw = unix_lines(data);
            }
            _ => {}
        }
    }
    mail.uid = uid?;
    Some(mail)
}

/// Returns the bytes of a mail with the line ends that mailboxes on a disk have.
fn unix_lines(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    for (at, byte) in data.iter().enumerate() {
        if *byte != b'\r' || data.get(at + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}

/// Reads a time as servers write it: `17-Jul-1996 02:44:25 -0700`.
fn moment(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?;
    at.to_timestamp().ok()
}

/// Returns whether a mail that was fetched in part ends in the middle of its words.
fn is_text_cut(raw: &[u8]) -> bool {
    let raw = close_parts(raw);
    let Some(message) = parse(&raw) else {
        return false;
    };
    let last = message
        .parts
        .iter()
        .filter(|part| !matches!(part.body, PartType::Multipart(_)))
        .max_by_key(|part| part.offset_end);
    last.is_some_and(|part| {
        matches!(part.body, PartType::Text(_) | PartType::Html(_))
            && part
                .content_disposition()
                .is_none_or(|how| !how.is_attachment())
    })
}

/// Returns UIDs as IMAP writes a set: `3:5,9`.
fn set_of(uids: &[u32]) -> String {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match parts.last_mut() {
            Some((_, last)) if uid <= last.saturating_add(1) => *last = uid,
            _ => parts.push((uid, uid)),
        }
    }
    let parts = parts.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}:{last}"),
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_short() {
        for (uids, set) in [
            (vec![7], "7"),
            (vec![3, 4, 5, 9], "3:5,9"),
            (vec![9, 1, 2], "1:2,9"),
            (vec![1, 3, 5], "1,3,5"),
        ] {
            assert_eq!(set_of(&uids), set);
        }
    }

    #[test]
    fn a_server_s_time_is_read_with_its_offset() {
        let at = |text: &str| moment(text).map(|at| at.to_string());
        assert_eq!(
            at("17-Jul-1996 02:44:25 -0700").as_deref(),
            Some("1996-07-17T09:44:25Z")
        );
        assert_eq!(
            at(" 7-Jul-1996 02:44:25 +0000").as_deref(),
            Some("1996-07-07T02:44:25Z")
        );
        assert_eq!(at("yesterday"), None);
    }

    #[test]
    fn a_mail_cut_within_an_attachment_has_all_its_words() {
        let head = "From: a@x\nMessage-ID: <1@x>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n";
        let whole = format!(
            "{head}\n--b\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\nAAAAAAAAAAAA"
        );
        assert!(is_text_cut(head.as_bytes()));
        assert!(!is_text_cut(whole.as_bytes()));
    }
}
