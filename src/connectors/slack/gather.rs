//! One pass over a workspace, call by call: each step is one question to Slack and what follows from its answer.

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

    async fn read_people(&mut self, now: Timestamp) -> Result<(), SlackError> {
        loop {
            let (came, cursor) = &mut self.people.partial;
            let mut parameters = vec![("limit", "500")];
            parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let users: Users = match self.client.read("users.list", &parameters).await {
                Ok(users) => users,
                Err(error) => {
                    // Slack forgets where a list goes on after a while.
                    self.people.partial = Default::default();
                    return Err(error);
                }
            };
            *cursor = users.next.cursor().map(str::to_owned);
            came.extend(users.members);
            if cursor.is_none() {
                break;
            }
        }
        let accounts = std::mem::take(&mut self.people.partial.0);
        let mut hash = Sha256::new();
        self.people.guests.clear();
        self.people.lists.users.clear();
        for account in accounts {
            let is_guest = account.is_guest();
            hash.update(format!("{:?}{is_guest}\n", account.user));
            if is_guest {
                self.people.guests.insert(account.user.id.clone());
            }
            let id = account.user.id.clone();
            self.people.lists.users.insert(id, account.user);
        }
        self.people.print = files::hex(&hash.finalize());
        self.people.read_at = Some(now);
        Ok(())
    }

    fn guests(&self) -> Space {
        let guests = self.people.guests.iter();
        Space {
            id: SpaceId::new(&self.id, GUESTS),
            name: "guests".into(),
            members: Some(
                guests
                    .map(|user| Handle::new(&self.id, user.as_str()))
                    .collect(),
            ),
        }
    }

    async fn list_channels(&self) -> Result<Vec<Conversation>, SlackError> {
        let mut channels: Vec<Conversation> = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut parameters = vec![
                ("types", self.types),
                ("exclude_archived", "true"),
                ("limit", "500"),
            ];
            if !cursor.is_empty() {
                parameters.push(("cursor", &cursor));
            }
            let page: Conversations = self.client.read("users.conversations", &parameters).await?;
            let next = page.next.cursor().map(str::to_owned);
            channels.extend(page.channels);
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        // A program's direct messages are questions to it and its own briefings, no talk of the team.
        let is_program = self
            .auth
            .as_ref()
            .is_some_and(|auth| !auth.bot_id.is_empty());
        channels.retain(|channel| !(channel.is_im && is_program));
        if !self.wanted.is_empty() {
            channels.retain(|channel| {
                self.wanted
                    .iter()
                    .any(|wanted| *wanted == channel.name || *wanted == channel.id)
            });
        }
        Ok(channels)
    }

    /// Names the channels that the config wants and the app is not in.
    fn missing(&self, listed: &[Conversation]) -> Vec<Skipped> {
        let is_listed = |wanted: &String| {
            listed
                .iter()
                .any(|channel| *wanted == channel.name || *wanted == channel.id)
        };
        let missing = self.wanted.iter().filter(|wanted| !is_listed(wanted));
        let hint = if self.reads_private {
            "the app is not in it: /invite it there"
        } else {
            "the app is not in it: /invite it there; a private channel also needs private_channels = true"
        };
        missing
            .map(|wanted| Skipped {
                at: format!("#{wanted}"),
                reason: hint.into(),
            })
            .collect()
    }

    async fn members_of(&self, id: &str) -> Result<Vec<String>, SlackError> {
        let mut members = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut parameters = vec![("channel", id), ("limit", "999")];
            if !cursor.is_empty() {
                parameters.push(("cursor", &cursor));
            }
            let page: Members = self
                .client
                .read("conversations.members", &parameters)
                .await?;
            let next = page.next.cursor().map(str::to_owned);
            members.extend(page.members);
            match next {
                Some(next) => cursor = next,
                None => return Ok(members),
            }
        }
    }

    async fn read_members(
        &self,
        run: &mut Run,
        conversation: &Conversation,
        page: &mut Page,
    ) -> Result<(), SlackError> {
        let mut members = self.members_of(&conversation.id).await?;
        members.sort();
        let channel = self.channel_of(conversation, members.clone());
        let is_open = !(conversation.is_private || conversation.is_im || conversation.is_mpim);
        self.deliver_space(run, &channel, members, is_open, page);
        Ok(())
    }

    /// Puts a channel's members into the page, if they or its name have changed.
    fn deliver_space(
        &self,
        run: &mut Run,
        channel: &Channel,
        mut members: Vec<String>,
        is_open: bool,
        page: &mut Page,
    ) {
        if is_open {
            members.push(ANYONE.to_owned());
        }
        let name = self.people.lists.name_of(channel);
        let print = Sha256::digest(format!("{name}\n{}", members.join(" ")));
        let print = files::hex(&print);
        let place = run.stand.channels.entry(channel.id.clone()).or_default();
        if place.print == print {
            return;
        }
        place.print = print;
        page.spaces.push(Space {
            id: channel.space(&self.id),
            name,
            members: Some(
                members
                    .iter()
                    .map(|user| Handle::new(&self.id, user.as_str()))
                    .collect(),
            ),
        });
    }

    /// Looks after a channel that is no longer listed: one that became private, or that the app was removed from, is
    /// closed to all but the members that can still be seen.
    async fn close_if_hidden(
        &self,
        run: &mut Run,
        id: &str,
        page: &mut Page,
    ) -> Result<(), SlackError> {
        let info: Result<Info, SlackError> = self
            .client
            .read("conversations.info", &[("channel", id)])
            .await;
        let conversation = match info {
            Ok(info) if !info.channel.is_private => return Ok(()),
            Ok(info) => info.channel,
            Err(error) if error.is_about_place() => Conversation {
                id: id.to_owned(),
                name: self
                    .people
                    .lists
                    .names
                    .get(id)
                    .cloned()
                    .unwrap_or_else(|| id.to_owned()),
                ..Conversation::default()
            },
            Err(error) => return Err(error),
        };
        let members = match self.members_of(id).await {
            Ok(members) => members,
            Err(error) if error.is_about_place() => Vec::new(),
            Err(error) => return Err(error),
        };
        let channel = self.channel_of(&conversation, members.clone());
        self.deliver_space(run, &channel, members, false, page);
        if let Some(place) = run.stand.channels.get_mut(id) {
            place.is_gone = true;
        }
        Ok(())
    }

    async fn read_messages(
        &self,
        run: &mut Run,
        conversation: &Conversation,
        page: &mut Page,
    ) -> Result<(), SlackError> {
        let id = conversation.id.as_str();
        let (now, is_sweep) = (run.begun_at, run.is_sweep);
        let place = run.stand.channels.entry(id.to_owned()).or_default();
        place.is_gone = false;
        let reading = place.reading(now, is_sweep, &self.spans).clone();
        let mut parameters = vec![
            ("channel", id),
            ("limit", LIMIT),
            ("oldest", &reading.from.0),
        ];
        if !reading.below.is_empty() {
            parameters.push(("latest", &reading.below.0));
        }
        let history: History = self
            .client
            .read("conversations.history", &parameters)
            .await?;
        if history.has_more && history.messages.len() <= CAP && !history.messages.is_empty() {
            run.note_cap(page);
        }
        let mut below = reading.below;
        for value in &history.messages {
            if let Some(ts) = value["ts"].as_str().map(|ts| Ts(ts.to_owned()))
                && (below.is_empty() || ts < below)
            {
                below = ts;
            }
            let posted = self.deliver(run, conversation, value, page);
            let Some(place) = run.stand.channels.get_mut(id) else {
                continue;
            };
            match posted {
                Some(posted) => place.note(&posted),
                // Its thread outlives a deleted message, and people go on in it.
                None if value["subtype"] == "tombstone" => {
                    if let Some(stone) = Posted::of(value) {
                        place.note_thread(&stone);
                    }
                }
                None => {}
            }
        }
        let Some(place) = run.stand.channels.get_mut(id) else {
            return Ok(());
        };
        // Slack's own cursors expire; a time does not.
        let has_moved = place
            .reading
            .as_ref()
            .is_some_and(|open| open.below != below);
        if history.has_more && has_moved {
            if let Some(open) = &mut place.reading {
                open.below = below;
            }
            return Ok(());
        }
        let gone = place.finish();
        if place.newest.is_empty() {
            // Nothing stands there yet; what comes is news.
            place.newest = Ts::at(now);
        }
        self.deliver_deleted(
            conversation,
            gone.iter().map(|ts| (ts, ts)),
            run.begun_at,
            page,
        );
        run.is_read.insert(id.to_owned());
        Ok(())
    }

    async fn read_replies(
        &self,
        run: &mut Run,
        conversation: &Conversation,
        page: &mut Page,
    ) -> Result<(), SlackError> {
        let id = conversation.id.as_str();
        let place = run.stand.channels.entry(id.to_owned()).or_default();
        let Some(todo) = place.todo.front().cloned() else {
            return Ok(());
        };
        let mut parameters = vec![("channel", id), ("ts", &todo.root.0), ("limit", LIMIT)];
        if !todo.after.is_empty() {
            parameters.push(("oldest", &todo.after.0));
        }
        let answer = self.client.read("conversations.replies", &parameters).await;
        let history: History = match answer {
            Err(error) if error.word() == "thread_not_found" => {
                // The message itself is gone, not only what was said to it.
                let was_known =
                    place.known.remove(&todo.root) || place.threads.contains_key(&todo.root);
                let gone = was_known.then_some((&todo.root, &todo.root));
                self.deliver_deleted(conversation, gone.into_iter(), run.begun_at, page);
                History::default()
            }
            other => other?,
        };
        if history.has_more && history.messages.len() <= CAP + 1 && history.messages.len() > 1 {
            run.note_cap(page);
        }
        let (mut root, mut got) = (None, Vec::new());
        for value in &history.messages {
            let posted = self.deliver(run, conversation, value, page);
            match posted {
                Some(posted) if posted.message.ts == todo.root.0 => root = Some(posted),
                Some(posted) => got.push(Ts(posted.message.ts)),
                // A deleted root is still counted by its replies.
                None if value["ts"].as_str() == Some(&todo.root.0) => root = Posted::of(value),
                None => {}
            }
        }
        let place = run.stand.channels.entry(id.to_owned()).or_default();
        let gone = place.note_replies(root.as_ref(), got, history.has_more);
        let gone = gone.iter().map(|ts| (ts, &todo.root));
        self.deliver_deleted(conversation, gone, run.begun_at, page);
        Ok(())
    }

    /// Puts a message into the page; returns it if it is one that can be deleted later.
    fn deliver(
        &self,
        run: &Run,
        conversation: &Conversation,
        value: &serde_json::Value,
        page: &mut Page,
    ) -> Option<Posted> {
        let lists = &self.people.lists;
        let Some(posted) = Posted::of(value) else {
            page.skipped.push(Skipped {
                at: format!(
                    "#{} {}",
                    conversation.name,
                    value["ts"].as_str().unwrap_or("?")
                ),
                reason: "a message in a form that is not documented was left out".into(),
            });
            return None;
        };
        let message = &posted.message;
        let own = self.auth.as_ref()?;
        if message.is_by(&own.bot_id) || message.is_by(&own.user_id) {
            return None;
        }
        let channel = self.channel_of(conversation, Vec::new());
        match normalize(message, &channel, lists, &self.id, &run.url) {
            Ok(Some((thread, events))) => {
                let is_posted = events
                    .first()
                    .is_some_and(|event| event.kind == EventKind::Posted);
                let stranger: Option<Person> = lists.stranger(message, &self.id);
                page.people.extend(stranger.filter(|_| is_posted));
                if !page.threads.iter().any(|known| known.id == thread.id) {
                    page.threads.push(thread);
                }
                page.events.extend(events);
                is_posted.then_some(posted)
            }
            Ok(None) => None,
            Err(reason) => {
                page.skipped.push(Skipped {
                    at: format!("#{}", conversation.name),
                    reason,
                });
                None
            }
        }
    }

    /// Puts the deletion of messages into the page, each with its thread's root.
    fn deliver_deleted<'a>(
        &self,
        conversation: &Conversation,
        gone: impl Iterator<Item = (&'a Ts, &'a Ts)>,
        now: Timestamp,
        page: &mut Page,
    ) {
        for (ts, root) in gone {
            let of = EventId::new(&self.id, format!("{}:{}", conversation.id, ts.0));
            let deleted = EventId::new(&self.id, format!("{}~deleted", of.id));
            let thread = ThreadId::new(&self.id, format!("{}:{}", conversation.id, root.0));
            page.events
                .push(bare_event(deleted, thread, EventKind::Deleted { of }, now));
        }
    }

    fn channel_of(&self, conversation: &Conversation, members: Vec<String>) -> Channel {
        Channel {
            id: conversation.id.clone(),
            name: if conversation.name.is_empty() {
                conversation.id.clone()
            } else {
                conversation.name.clone()
            },
            id_name: conversation.id.clone(),
            members,
            // Who may read it is kept with the space, open or not: a channel may become private any day.
            is_public: false,
            is_direct: conversation.is_im || conversation.is_mpim,
            ..Channel::default()
        }
    }
}

impl Run {
    fn note_cap(&mut self, page: &mut Page) {
        if !std::mem::replace(&mut self.is_capped, true) {
            page.skipped.push(Skipped {
                at: "conversations.history".into(),
                reason: "Slack gives this app 15 messages a minute, as to apps that are distributed without its review; create an app of your own from slack/manifest.yaml, and read older messages from an export".into(),
            });
        }
    }
}
