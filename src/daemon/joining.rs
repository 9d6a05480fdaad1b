//! Members that come and go with a space (`[roster]`): looked at after every reading, told to the admin once.

use anyhow::Result;
use tracing::{info, warn};

use super::Daemon;
use crate::config::RosterConfig;
use crate::model::{ConnectorId, Gap, Joiners, Member, MemberId};
use crate::roster::Roster;
use crate::sinks::ChatSink;
use crate::store::members::{joiners, put_joiners};
use crate::store::people;

/// What following a space needs.
pub struct Following<S> {
    /// `[roster]`.
    pub config: RosterConfig,
    /// The members of the configuration, whoever is in the space.
    pub configured: Vec<Member>,
    /// Makes the sink of somebody who joined.
    pub sink_of: SinkOf<S>,
}

/// Makes a member's sink.
pub type SinkOf<S> = Box<dyn Fn(&Member) -> Result<S> + Send + Sync>;

impl<S> Following<S> {
    /// Returns who of the members joined by themselves and goes by an id that is not kept yet.
    fn joined_among(&self, members: &[Member], known: &Joiners) -> Joiners {
        let from = self.config.from.as_deref().map(ConnectorId::new);
        let joined = members.iter().filter(|member| {
            let mut configured = self.configured.iter();
            !configured.any(|configured| configured.id == member.id)
        });
        let accounts = joined.filter_map(|member| {
            let account = member.handles.get(from.as_ref()?)?.first()?;
            (known.get(account) != Some(&member.id)).then(|| (account.clone(), member.id.clone()))
        });
        accounts.collect()
    }
}

impl<S: ChatSink + Clone> Daemon<S> {
    /// Brings the members up to the space's: joiners get a sink and are briefed from their next morning on, leavers are not
    /// any more.
    pub(super) async fn follow_space(&mut self) -> Result<()> {
        let Some(following) = &self.following else {
            return Ok(());
        };
        let (config, configured) = (following.config.clone(), following.configured.clone());
        let (members, people, spaces, known) = self
            .store
            .read(move |c| {
                let people = people::people(c, None)?;
                let members = config.followed(c, configured, &people)?;
                Ok((members, people, people::spaces(c)?, joiners(c)?))
            })
            .await?;
        // An id is its joiner's for good before anything is sent or kept under it.
        let new = following.joined_among(&members, &known);
        if !new.is_empty() {
            self.store.write(move |c| put_joiners(c, &new)).await?;
        }
        if members == self.roster.members {
            return Ok(());
        }
        let briefed = |members: &[Member]| -> Vec<MemberId> {
            let briefed = members.iter().filter(|member| member.is_briefed);
            briefed.map(|member| member.id.clone()).collect()
        };
        let (before, after) = (briefed(&self.roster.members), briefed(&members));
        for member in &members {
            let known = self.roster.member(&member.id);
            let is_same = known.is_some_and(|known| known.handles == member.handles);
            if is_same && self.sinks.contains_key(&member.id) {
                continue;
            }
            // Whatever was sent to the accounts of before is nothing to them.
            self.sinks.remove(&member.id);
            match (following.sink_of)(member) {
                Ok(sink) => {
                    self.sinks.insert(member.id.clone(), sink);
                }
                Err(error) => {
                    warn!(member = %member.id, error = %format!("{error:#}"), "{} joined, but no briefing can be sent to them", member.id);
                }
            }
        }
        let only_in = |here: &[MemberId], there: &[MemberId]| -> Vec<String> {
            let only = here.iter().filter(|id| !there.contains(id));
            only.map(ToString::to_string).collect()
        };
        let mut said = Vec::new();
        for (ids, verb) in [
            (only_in(&after, &before), "joined"),
            (only_in(&before, &after), "left"),
        ] {
            if !ids.is_empty() {
                said.push(format!("{} {verb}", ids.join(", ")));
            }
        }
        if !said.is_empty() {
            let (space, said) = (following.config.space.clone(), said.join("; "));
            info!(space, "Members of {space}: {said}");
            self.joined.push(Gap {
                of: space,
                reason: said,
            });
        }
        self.roster = Roster::new(members, self.roster.teams.clone(), people, spaces);
        Ok(())
    }

    /// Returns what the admin is told about the members, if this is the admin.
    pub(super) fn told_to(&self, member: &Member) -> &[Gap] {
        let admin = self
            .following
            .as_ref()
            .and_then(|following| following.config.admin.as_deref());
        if admin == Some(member.id.as_str()) {
            &self.joined
        } else {
            &[]
        }
    }
}

#[cfg(test)]
mod tests;
