//! Who is who: the members and teams of the config, joined with what the sources say about accounts.

use std::collections::HashMap;

use crate::model::{ConnectorId, Handle, Member, MemberId, Person, Space, SpaceId, Team};

/// Everybody, ready for questions. Made anew after each sync.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// The members, in the order of their ids.
    pub members: Vec<Member>,
    /// The teams.
    pub teams: Vec<Team>,
    by_handle: HashMap<Handle, usize>,
    short_names: Vec<String>,
    people: HashMap<Handle, Person>,
    spaces: HashMap<SpaceId, String>,
}

impl Roster {
    /// Joins members and teams with the accounts and places the sources know.
    pub fn new(
        members: Vec<Member>,
        teams: Vec<Team>,
        people: Vec<Person>,
        spaces: Vec<Space>,
    ) -> Roster {
        let mut by_handle = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            for handle in member.handles.values().flatten() {
                by_handle.insert(handle.clone(), index);
            }
        }
        let short_names = short_names_of(&members);
        let people = people
            .into_iter()
            .filter_map(|person| Some((person.handle.clone()?, person)))
            .collect();
        let spaces = spaces
            .into_iter()
            .map(|space| (space.id, space.name))
            .collect();
        Roster {
            members,
            teams,
            by_handle,
            short_names,
            people,
            spaces,
        }
    }

    /// Returns the same people with what the sources say now.
    pub fn renewed(&self, people: Vec<Person>, spaces: Vec<Space>) -> Roster {
        Roster::new(self.members.clone(), self.teams.clone(), people, spaces)
    }

    /// Returns the member of an id.
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// Returns the member behind an account.
    pub fn member_of(&self, handle: &Handle) -> Option<&Member> {
        self.by_handle
            .get(handle)
            .map(|&index| &self.members[index])
    }

    /// Returns the name to show for an account: the member's, else the source's, else the account itself.
    /// A member goes by the first name where nobody else of the team has it.
    pub fn name_of(&self, handle: &Handle) -> String {
        if let Some(&index) = self.by_handle.get(handle) {
            return self.short_names[index].clone();
        }
        match self.people.get(handle) {
            Some(person) if !person.name.is_empty() => person.name.clone(),
            // A bare mail address is not shown: the part before the @ says who it is.
            _ => handle
                .id
                .split_once('@')
                .map_or(&*handle.id, |(local, _)| local)
                .to_owned(),
        }
    }

    /// Returns every name an account goes by: for vocatives and for `from:` in a search.
    pub fn names_of(&self, handle: &Handle) -> Vec<String> {
        let mut names = vec![handle.id.to_string()];
        if let Some(member) = self.member_of(handle) {
            names.extend([member.name.clone(), member.id.to_string()]);
        }
        if let Some(person) = self.people.get(handle) {
            names.extend(person.aliases.iter().cloned());
            names.push(person.name.clone());
        }
        names.retain(|name| !name.is_empty());
        names.sort();
        names.dedup();
        names
    }

    /// Returns an account's mail address, if its source says.
    pub fn email_of(&self, handle: &Handle) -> Option<&str> {
        self.people.get(handle)?.email.as_deref()
    }

    /// Returns whether an account is a program.
    pub fn is_bot(&self, handle: &Handle) -> bool {
        self.people.get(handle).is_some_and(|person| person.is_bot)
    }

    /// Returns the visible name of a place.
    pub fn space_name(&self, space: &SpaceId) -> String {
        self.spaces
            .get(space)
            .cloned()
            .unwrap_or_else(|| space.id.to_string())
    }

    /// Returns the accounts of the members at one connector.
    pub fn handles_at<'a>(
        &'a self,
        connector: &'a ConnectorId,
    ) -> impl Iterator<Item = &'a Handle> {
        self.members
            .iter()
            .filter_map(|member| member.handles.get(connector))
            .flatten()
    }
}

fn short_names_of(members: &[Member]) -> Vec<String> {
    let first = |member: &Member| {
        member
            .name
            .split_whitespace()
            .next()
            .unwrap_or("")
            .to_owned()
    };
    let is_alone = |name: &str| members.iter().filter(|other| first(other) == name).count() == 1;
    members
        .iter()
        .map(|member| {
            Some(first(member))
                .filter(|name| is_alone(name))
                .unwrap_or_else(|| member.name.clone())
        })
        .collect()
}
