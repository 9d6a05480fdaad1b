//! Who there is, which channels, and who is in them.

use super::*;

impl Gatherer {
    pub(super) async fn read_people(&mut self, now: Timestamp) -> Result<(), SlackError> {
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

    pub(super) fn guests(&self) -> Space {
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

    pub(super) async fn list_channels(&self) -> Result<Vec<Conversation>, SlackError> {
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
    pub(super) fn missing(&self, listed: &[Conversation]) -> Vec<Skipped> {
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

    pub(super) async fn members_of(&self, id: &str) -> Result<Vec<String>, SlackError> {
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

    pub(super) async fn read_members(
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
    pub(super) fn deliver_space(
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
    pub(super) async fn close_if_hidden(
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
}
