//! One pass over a workspace, call by call: each step is one question to Slack and what follows from its answer.

mod messages;
mod places;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::api::{
    Account, Auth, Client, Conversation, Conversations, History, Info, Members, Posted, SlackError,
    Users,
};
use super::stand::{Spans, Stand, Ts};
use super::{Cursor, Page, SlackConfig};
use crate::connectors::Skipped;
use crate::connectors::files::link::Link;
use crate::connectors::files::{self, bare_event};
use crate::connectors::slack_export::lists::{Channel, Lists};
use crate::connectors::slack_export::messages::normalize;
use crate::model::{
    ANYONE, ConnectorId, EventId, EventKind, GUESTS, Handle, Person, Space, SpaceId, ThreadId,
};

/// The most messages Slack gives at once.
const LIMIT: &str = "999";
/// What Slack gives an app that is distributed without its review.
const CAP: usize = 15;
/// How long the lists of people and of the members of public channels are believed.
const PEOPLE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// For how long after a pass over all channels those that something happened in are read alone.
const FULL_EVERY: SignedDuration = SignedDuration::from_mins(4);
/// How often recent messages are looked through for edits, deletions and late replies.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Reads a workspace. It may be dropped and taken up at any await: what it keeps is whole at each of them.
pub struct Gatherer {
    client: Client,
    id: ConnectorId,
    wanted: Vec<String>,
    types: &'static str,
    reads_private: bool,
    spans: Spans,
    auth: Option<Auth>,
    people: People,
    run: Option<Run>,
    /// What Slack said itself: threads to look at again, by channel.
    hinted: BTreeMap<String, BTreeSet<Ts>>,
    /// The channels as last listed, and when a pass over all of them was last over.
    listed: BTreeMap<String, Conversation>,
    full_at: Option<Timestamp>,
}

/// Who is who, as last read.
#[derive(Default)]
struct People {
    lists: Lists,
    guests: BTreeSet<String>,
    print: String,
    read_at: Option<Timestamp>,
    /// A list that is not read to its end: what came, and where it goes on.
    partial: (Vec<Account>, Option<String>),
}

/// A pass over the workspace, kept between its pages.
struct Run {
    /// The cursor after the last page; another one starts a new pass.
    after: Option<Cursor>,
    stand: Stand,
    url: Link,
    channels: BTreeMap<String, Conversation>,
    queue: VecDeque<String>,
    total: u64,
    begun_at: Timestamp,
    is_sweep: bool,
    /// Whether it is only about channels that something happened in.
    is_partial: bool,
    /// Whether the members of public channels are asked for too.
    renews_members: bool,
    /// Channels whose members and messages have been read in this pass.
    with_members: BTreeSet<String>,
    is_read: BTreeSet<String>,
    is_capped: bool,
    /// What the next page carries besides messages.
    first: Page,
}

impl Gatherer {
    pub fn new(client: Client, id: &ConnectorId, config: &SlackConfig, spans: Spans) -> Gatherer {
        let wanted = config.channels.iter();
        Gatherer {
            client,
            id: id.clone(),
            wanted: wanted
                .map(|name| name.trim_start_matches('#').to_owned())
                .collect(),
            types: config.types(),
            reads_private: config.private_channels,
            spans,
            auth: None,
            people: People::default(),
            run: None,
            hinted: BTreeMap::new(),
            listed: BTreeMap::new(),
            full_at: None,
        }
    }

    /// Notes that something happened in a channel (`C…`) or to a message and its thread (`C…:ts`).
    pub fn hint(&mut self, object: &str) {
        let (channel, root) = object.split_once(':').unwrap_or((object, ""));
        if channel.is_empty() {
            return;
        }
        let roots = self.hinted.entry(channel.to_owned()).or_default();
        if !root.is_empty() {
            roots.insert(Ts(root.to_owned()));
        }
    }

    /// Returns the channels to read where Slack said what happened and all were read a moment ago.
    fn only_hinted(&self, now: Timestamp) -> bool {
        let is_fresh = |at: Timestamp| now.duration_since(at) < FULL_EVERY;
        !self.hinted.is_empty()
            && self.full_at.is_some_and(is_fresh)
            && self
                .hinted
                .keys()
                .all(|channel| self.listed.contains_key(channel))
    }

    /// Goes on with the pass that the cursor belongs to, or begins one: people, then the list of channels.
    pub async fn start(&mut self, after: Option<&Cursor>) -> Result<(), SlackError> {
        if self
            .run
            .as_ref()
            .is_some_and(|run| run.after.as_ref() == after)
        {
            return Ok(());
        }
        self.run = None;
        let auth = match &self.auth {
            Some(auth) => auth.clone(),
            None => self.client.read::<Auth>("auth.test", &[]).await?,
        };
        self.auth = Some(auth.clone());
        let now = self.client.now();
        let is_stale = |at: Timestamp| now.duration_since(at) >= PEOPLE_EVERY;
        let renews_members = self.people.read_at.is_none_or(is_stale);
        if renews_members {
            self.read_people(now).await?;
        }
        let mut stand: Stand = files::parse_cursor(after);
        let is_partial = self.only_hinted(now) && !renews_members;
        let listed: Vec<Conversation> = if is_partial {
            self.listed.values().cloned().collect()
        } else {
            self.list_channels().await?
        };
        let mut first = Page::default();
        if stand.people != self.people.print {
            first.people = self.people.lists.people(&self.id);
            first.spaces.push(self.guests());
        }
        if !is_partial {
            first.skipped.extend(self.missing(&listed));
        }
        let lists = &mut self.people.lists;
        for channel in &listed {
            lists.names.insert(channel.id.clone(), channel.name.clone());
        }
        let channels: BTreeMap<String, Conversation> = listed
            .into_iter()
            .map(|channel| (channel.id.clone(), channel))
            .collect();
        self.listed.clone_from(&channels);
        let hinted = std::mem::take(&mut self.hinted);
        for (channel, roots) in &hinted {
            if let Some(place) = stand.channels.get_mut(channel) {
                place.ask_for(roots);
            }
        }
        let known = stand.channels.iter().filter(|(_, place)| !place.is_gone);
        let queue: BTreeSet<&String> = channels.keys().chain(known.map(|(id, _)| id)).collect();
        // What was begun comes first, so that even one page a process gets to the end.
        let queue = queue
            .into_iter()
            .filter(|id| !is_partial || hinted.contains_key(*id));
        let (begun, settled): (Vec<_>, Vec<_>) = queue.partition(|id| {
            let place = stand.channels.get(*id);
            place.is_none_or(|place| !place.is_settled())
        });
        let queue: VecDeque<String> = begun.into_iter().chain(settled).cloned().collect();
        let swept_at = Timestamp::from_second(stand.swept_at).unwrap_or_default();
        let url = auth.url.trim_end_matches('/');
        self.run = Some(Run {
            after: after.cloned(),
            url: Link::new(&self.id, url, &[]).unwrap_or_default(),
            is_sweep: !is_partial && now.duration_since(swept_at) >= SWEEP_EVERY,
            is_partial,
            stand: Stand {
                people: self.people.print.clone(),
                ..stand
            },
            total: queue.len() as u64,
            channels,
            queue,
            begun_at: now,
            renews_members,
            with_members: BTreeSet::new(),
            is_read: BTreeSet::new(),
            is_capped: false,
            first,
        });
        Ok(())
    }

    /// Returns the page to begin with.
    pub fn opening(&mut self) -> Page {
        let run = self.run.as_mut();
        run.map(|run| std::mem::take(&mut run.first))
            .unwrap_or_default()
    }

    /// Returns whether the next step brings history; `None` when the pass is over.
    pub fn next_is_history(&self) -> Option<bool> {
        let run = self.run.as_ref()?;
        let id = run.queue.front()?;
        let Some(place) = run.stand.channels.get(id) else {
            return Some(true);
        };
        Some(if run.is_read.contains(id) {
            place.todo.front().is_some_and(|todo| todo.is_history)
        } else {
            place.newest.is_empty()
        })
    }

    /// Asks Slack the next question.
    pub async fn step(&mut self, page: &mut Page) -> Result<(), SlackError> {
        let Some(mut run) = self.run.take() else {
            return Ok(());
        };
        let id = run.queue.front().cloned().unwrap_or_default();
        let stepped = self.step_in(&mut run, &id, page).await;
        let stepped = match stepped {
            Err(error) if error.is_about_place() => {
                let name = run
                    .channels
                    .get(&id)
                    .map_or(id.as_str(), |channel| &channel.name);
                page.skipped.push(Skipped {
                    at: format!("#{name}"),
                    reason: error.to_string(),
                });
                run.queue.pop_front();
                Ok(())
            }
            other => other,
        };
        self.run = Some(run);
        stepped
    }

    /// Ends a page: what has been read goes into its cursor.
    pub fn close(&mut self, mut page: Page, after: Option<&Cursor>) -> Page {
        let Some(mut run) = self.run.take() else {
            return page;
        };
        page.more = !run.queue.is_empty();
        if !page.more && run.is_sweep {
            run.stand.swept_at = run.begun_at.as_second();
        }
        if !page.more && !run.is_partial {
            self.full_at = Some(run.begun_at);
        }
        page.progress = Some((run.total - run.queue.len() as u64, run.total));
        let next = files::to_cursor(&run.stand);
        if page.more {
            run.after = Some(next.clone());
            self.run = Some(run);
        }
        page.next = (after != Some(&next)).then_some(next);
        page
    }

    async fn step_in(&self, run: &mut Run, id: &str, page: &mut Page) -> Result<(), SlackError> {
        let Some(conversation) = run.channels.get(id).cloned() else {
            self.close_if_hidden(run, id, page).await?;
            run.queue.pop_front();
            return Ok(());
        };
        let place = run.stand.channels.entry(id.to_owned()).or_default();
        let wants_members = conversation.is_private
            || run.renews_members
            || place.is_gone
            || place.print.is_empty();
        if wants_members && !run.with_members.contains(id) {
            self.read_members(run, &conversation, page).await?;
            run.with_members.insert(id.to_owned());
        } else if !run.is_read.contains(id) {
            self.read_messages(run, &conversation, page).await?;
        } else if !place.todo.is_empty() {
            self.read_replies(run, &conversation, page).await?;
        } else {
            place.forget(run.begun_at, &self.spans);
            run.queue.pop_front();
        }
        Ok(())
    }
}
