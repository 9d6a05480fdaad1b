//! SPINE 1: one page of a source into the log, with its cursor, in one transaction.
//!
//! Everything here may run again: an event the log has is not added twice, a snapshot that says nothing new changes
//! nothing, and a crash between two pages repeats at most one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::Connection;

use crate::connectors::{Page, Skipped, Source};
use crate::model::{ConnectorId, Event, EventKind, Learned, Seq, ThreadId, ThreadKind, TopicId};
use crate::roster::Roster;
use crate::store::events::{self, Placing};
use crate::store::{Store, audiences, people, progress};

mod compare;
mod conversations;
pub mod follow;
mod ledger;
mod mentions;

use mentions::Names;

/// What one sync brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Events that are new to the log.
    pub events: usize,
    /// Threads that are new or have something new; unthreaded talk counts by conversation.
    pub threads: usize,
    /// The same, by where they are shown: a thread may come in several pages.
    topics: BTreeSet<TopicId>,
    /// Items that were left out, with the reasons.
    pub skipped: Vec<Skipped>,
}

/// Reads a source to its end.
///
/// `seen` is called after each page with what came so far and the source's own progress.
///
/// # Errors
/// When the source or the store fails; what came before is stored, and the failure is noted for `status`.
pub async fn sync<S: Source>(
    store: &Store,
    connector: &ConnectorId,
    source: &mut S,
    roster: &Roster,
    now: impl Fn() -> Timestamp,
    mut seen: impl FnMut(&Synced, Option<(u64, u64)>),
) -> Result<Synced> {
    let id = connector.clone();
    let stand = store.read(move |c| progress::progress_of(c, &id)).await?;
    let mut cursor = stand.cursor;
    let mut synced = Synced::default();
    loop {
        let page = match source.fetch(cursor.as_ref()).await {
            Ok(page) => page,
            Err(error) => {
                let (id, reason) = (connector.clone(), format!("{error:#}"));
                store
                    .write(move |c| progress::put_error(c, &id, &reason))
                    .await?;
                return Err(error.context(format!("cannot read {connector}")));
            }
        };
        cursor = page.next.clone().or(cursor);
        let (more, at, skipped) = (page.more, page.progress, page.skipped.clone());
        let (id, roster, moment, is_first) = (
            connector.clone(),
            roster.clone(),
            now(),
            !stand.is_backfilled,
        );
        let stored = store
            .write(move |c| store_page(c, &id, &page, &roster, moment, is_first))
            .await?;
        synced.events += stored.events;
        synced.topics.extend(stored.topics);
        synced.threads = synced.topics.len();
        synced.skipped.extend(skipped);
        synced.skipped.extend(stored.skipped);
        seen(&synced, at);
        if !more {
            return Ok(synced);
        }
    }
}

/// Stores one page: people, spaces, threads, events, what follows from them, and the cursor.
///
/// The first sync of a connector is history and learns at the source's own times; every later one learns now.
///
/// # Errors
/// When the store fails; then nothing of the page is stored.
pub fn store_page(
    c: &Connection,
    connector: &ConnectorId,
    page: &Page,
    roster: &Roster,
    now: Timestamp,
    is_first: bool,
) -> Result<Synced> {
    for person in &page.people {
        people::put_person(c, person)?;
    }
    for space in &page.spaces {
        people::put_space(c, space)?;
    }
    let roster = roster.renewed(people::people(c, None)?, Vec::new());
    let configured: Vec<_> = roster.handles_at(connector).collect();
    let names = Names::of(connector, &people::people(c, Some(connector))?, &configured);

    let mut writer = Writer {
        c,
        names: &names,
        now,
        is_first,
        history_before: page.history_before,
        touched: BTreeMap::new(),
        resealed: BTreeSet::new(),
        synced: Synced::default(),
        tids: HashMap::new(),
    };
    for thread in &page.threads {
        writer.put_thread(thread, page)?;
    }
    for event in distinct(&page.events, &mut writer.synced.skipped) {
        writer.put_event(event)?;
    }
    writer.note_audiences(page)?;
    for (tid, ..) in writer.tids.values() {
        // A source that still knows what expired tells its title again.
        events::drop_title(c, *tid, false)?;
    }
    let Writer {
        mut touched,
        mut synced,
        ..
    } = writer;
    conversations::group(c, &mut touched, &roster)?;
    let topics: BTreeSet<TopicId> = touched.values().map(|touched| touched.topic).collect();
    for topic in &topics {
        ledger::judge(c, *topic, &roster)?;
    }
    synced.threads = topics.len();
    synced.topics = topics;
    for again in &page.again {
        progress::forget_skips(c, connector, again)?;
    }
    progress::put_skips(c, connector, &page.skipped, now)?;
    progress::put_skips(c, connector, &synced.skipped, now)?;
    progress::put_cursor(
        c,
        connector,
        page.next.as_ref(),
        (!page.more).then_some(now),
    )?;
    Ok(synced)
}

/// A thread that a page brought something new to.
struct Touched {
    /// Its kind and place.
    kind: ThreadKind,
    space: Option<crate::model::SpaceId>,
    /// Where its events are shown.
    topic: TopicId,
    /// The new event that is the thread's own first message, if it came now.
    root: Option<(Seq, Timestamp)>,
    /// Whether messages under the root came, or stand there already.
    has_replies: bool,
}

struct Writer<'a> {
    c: &'a Connection,
    names: &'a Names,
    now: Timestamp,
    is_first: bool,
    history_before: Option<Timestamp>,
    touched: BTreeMap<u64, Touched>,
    /// Threads of which more or less may be read than before.
    resealed: BTreeSet<ThreadId>,
    synced: Synced,
    tids: HashMap<ThreadId, (u64, ThreadKind, Option<crate::model::SpaceId>)>,
}

impl Writer<'_> {
    fn put_thread(&mut self, thread: &crate::model::Thread, page: &Page) -> Result<()> {
        let stored = events::find_thread(self.c, &thread.id)?;
        let tid = events::put_thread(self.c, thread)?;
        self.tids
            .insert(thread.id.clone(), (tid, thread.kind, thread.space.clone()));
        let Some(stored) = stored else { return Ok(()) };
        if stored.audience != audiences::intern(self.c, &thread.audience)? {
            self.resealed.insert(thread.id.clone());
        }
        if let (Some(before), Some(after)) = (&stored.ticket, &thread.ticket) {
            let told: Vec<&Event> = page
                .events
                .iter()
                .filter(|event| event.thread == thread.id)
                .collect();
            let mut unseen = Vec::new();
            for event in told {
                if events::find_event(self.c, &event.id)?.is_none() {
                    unseen.push(event);
                }
            }
            let base = crate::model::EventId::new(&thread.id.connector, thread.id.id.clone());
            let salt = events::count_changes(self.c, &base)?;
            for event in compare::missing_changes(thread, before, after, &unseen, salt, self.now) {
                self.append(&event, None)?;
            }
        }
        Ok(())
    }

    fn put_event(&mut self, event: &Event) -> Result<()> {
        match (&event.kind, events::find_event(self.c, &event.id)?) {
            (EventKind::Posted | EventKind::Opened, Some(stored)) => {
                if stored.is_removed {
                    return Ok(());
                }
                let audience = event.audience.as_ref();
                let audience = audience
                    .map(|own| audiences::intern(self.c, own))
                    .transpose()?;
                if audience != stored.audience {
                    events::put_audience(self.c, stored.seq, audience)?;
                    self.resealed.insert(event.thread.clone());
                }
                if stored.text != event.text.0 {
                    let salt = events::count_changes(self.c, &event.id)?;
                    self.put_change(&compare::edited(event, salt))?;
                }
                Ok(())
            }
            (_, Some(_)) => Ok(()),
            (
                EventKind::Edited { .. } | EventKind::Deleted { .. } | EventKind::Reacted { .. },
                None,
            ) => self.put_change(event),
            (_, None) => self.append(event, None).map(|_| ()),
        }
    }

    /// Tells the index, by the log, of threads that other people may read now. Nobody is briefed about that.
    fn note_audiences(&mut self, page: &Page) -> Result<()> {
        for thread in std::mem::take(&mut self.resealed) {
            let mut told = page.events.iter();
            if told.any(|event| event.thread == thread && event.kind == EventKind::AudienceChanged)
            {
                continue;
            }
            let base = crate::model::EventId::new(&thread.connector, thread.id.clone());
            let salt = events::count_changes(self.c, &base)?;
            self.append(&compare::audience_changed(&thread, salt, self.now), None)?;
        }
        Ok(())
    }

    /// Stores an event about an earlier event, and what it does to it.
    fn put_change(&mut self, event: &Event) -> Result<()> {
        let (EventKind::Edited { of } | EventKind::Deleted { of } | EventKind::Reacted { of, .. }) =
            &event.kind
        else {
            return Ok(());
        };
        let base = events::find_event(self.c, of)?;
        if base.is_none() && events::find_thread(self.c, &event.thread)?.is_none() {
            // Something is gone that never came here.
            return Ok(());
        }
        let owned: Event;
        let mut event = event;
        if let Some(base) = &base
            && !self.tids.contains_key(&event.thread)
            && events::find_thread(self.c, &event.thread)?.is_none()
        {
            // Who tells that something is gone need not know any more where it stood.
            let thread = events::thread(self.c, base.tid)?;
            owned = Event {
                thread: thread.context("a stored thread cannot be read back")?.id,
                ..event.clone()
            };
            event = &owned;
        }
        let added = self.append(event, base.as_ref().map(|base| base.seq))?;
        let (Some(base), true) = (base, added.is_some()) else {
            return Ok(());
        };
        match &event.kind {
            EventKind::Edited { .. } => {
                events::replace_text(self.c, base.seq, &event.text.0, &event.aside)?;
                events::put_mentions(self.c, base.seq, &self.mentions_in(event))?;
            }
            EventKind::Deleted { of } => {
                events::remove_text(self.c, base.seq)?;
                if of.id == event.thread.id {
                    self.delete_rest(event)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What was said in a ticket or a discussion goes with it. Replies to a message outlive it.
    fn delete_rest(&mut self, event: &Event) -> Result<()> {
        let (tid, kind, _) = self.thread_of(event)?;
        if !matches!(kind, ThreadKind::Ticket | ThreadKind::Topic) {
            return Ok(());
        }
        for id in events::said_in(self.c, tid)? {
            let of = crate::model::EventId::new(&event.id.connector, id.as_str());
            let id = crate::model::EventId::new(&event.id.connector, format!("{id}~deleted"));
            self.put_change(&Event {
                id,
                kind: EventKind::Deleted { of },
                ..event.clone()
            })?;
        }
        Ok(())
    }

    fn append(&mut self, event: &Event, of_seq: Option<Seq>) -> Result<Option<Seq>> {
        let (tid, kind, space) = self.thread_of(event)?;
        let topic = match self.touched.get(&tid) {
            Some(touched) => touched.topic.0,
            None => events::topic_of_thread(self.c, tid)?.map_or(tid, |(topic, _)| topic),
        };
        let is_before = |moment| event.occurred_at < moment;
        let learned = if self.is_first || self.history_before.is_some_and(is_before) {
            event.occurred_at.min(self.now)
        } else {
            self.now
        };
        let Some(seq) = events::append(
            self.c,
            event,
            Placing {
                tid,
                topic,
                of_seq,
                learned,
            },
        )?
        else {
            return Ok(None);
        };
        // An edit's or a reaction's own row holds no second copy of the mentions.
        if of_seq.is_none() {
            events::put_mentions(self.c, seq, &self.mentions_in(event))?;
        }
        self.synced.events += 1;
        let is_root = event.id.id == event.thread.id && event.kind == EventKind::Posted;
        let touched = self.touched.entry(tid).or_insert_with(|| Touched {
            kind,
            space,
            topic: TopicId(topic),
            root: None,
            has_replies: false,
        });
        if is_root {
            touched.root = Some((seq, event.occurred_at));
        } else if event.kind == EventKind::Posted {
            touched.has_replies = true;
        }
        Ok(Some(seq))
    }

    fn thread_of(
        &mut self,
        event: &Event,
    ) -> Result<(u64, ThreadKind, Option<crate::model::SpaceId>)> {
        if let Some(known) = self.tids.get(&event.thread) {
            return Ok(known.clone());
        }
        let stored = events::find_thread(self.c, &event.thread)?.with_context(|| {
            format!(
                "the event {} belongs to a thread that no page has brought",
                event.id
            )
        })?;
        let thread =
            events::thread(self.c, stored.tid)?.context("a stored thread cannot be read back")?;
        let known = (stored.tid, thread.kind, thread.space);
        self.tids.insert(event.thread.clone(), known.clone());
        Ok(known)
    }

    fn mentions_in(&self, event: &Event) -> BTreeSet<String> {
        let mut handles = self.names.mentioned_in(&event.text.0);
        handles.extend(self.names.mentioned_in(&event.aside));
        handles.extend(event.mentions.iter().map(|handle| {
            self.names
                .account(&handle.id)
                .unwrap_or(&handle.id)
                .to_owned()
        }));
        handles
    }
}

/// Returns the events of a page with each id once; a second one with other words is named as left out.
fn distinct<'a>(page: &'a [Event], skipped: &mut Vec<Skipped>) -> Vec<&'a Event> {
    let mut seen: HashMap<&crate::model::EventId, &Event> = HashMap::new();
    let mut distinct = Vec::with_capacity(page.len());
    for event in page {
        match seen.get(&event.id) {
            None => {
                seen.insert(&event.id, event);
                distinct.push(event);
            }
            Some(first) if first.text != event.text => skipped.push(Skipped {
                at: event.id.to_string(),
                reason:
                    "the same id stands there twice with different words; the first one is kept"
                        .into(),
            }),
            Some(_) => {}
        }
    }
    distinct
}

/// Returns a learning time that is later than every event of the log, for windows over the whole of it.
pub fn end_of_time() -> Learned {
    Learned(Timestamp::MAX)
}
