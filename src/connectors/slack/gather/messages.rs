//! What stands in a channel and in its threads, and what stands there no more.

use super::*;

impl Gatherer {
    pub(super) async fn read_messages(
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

    pub(super) async fn read_replies(
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
    pub(super) fn deliver(
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
    pub(super) fn deliver_deleted<'a>(
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

    pub(super) fn channel_of(&self, conversation: &Conversation, members: Vec<String>) -> Channel {
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
