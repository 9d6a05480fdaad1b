//! From folders to pages.
//!
//! A page is gathered first and applied afterwards, without waiting in between: a fetch that is dropped half-way has
//! changed nothing, and the cursor never knows more than the page it belongs to. `folder` asks the server, `answer` reads
//! what it says, `apply` makes a page of it.

mod answer;
mod apply;
mod folder;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_imap::imap_proto::{MailboxDatum, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::names::{self, Chosen};
use super::stand::Stand;
use super::wire::{Door, Wire, WireError};
use super::{ImapConfig, MailAudience};
use crate::clock::Clock;
use crate::connectors::files::{self, MAX_BYTES};
use crate::connectors::mail::Options;
use crate::connectors::mail::desk::Desk;
use crate::connectors::{Cursor, Page, Skipped};
use crate::model::Handle;

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
    /// The mail at which the connection broke when it was asked for alone.
    suspect: Option<u32>,
    /// The mails that this process looked at and has no use for, or could not have, by folder; the next one looks again.
    looked_at: HashMap<String, HashSet<u32>>,
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
            suspect: None,
            looked_at: HashMap::new(),
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

/// Returns whether the steps take mails from their place.
fn loses(steps: &[Step]) -> bool {
    steps
        .iter()
        .any(|step| matches!(step, Step::Lost { .. } | Step::Reset { .. }))
}

fn is_refusal(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(WireError::Refused(_)))
}
