//! The lists of an export: people, and channels with who may read them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::archive::Archive;
use super::messages::Message;
use super::{Found, Objects, Skipped, files, split_day};
use crate::connectors::files::{Root, tolerant};
use crate::model::{Audience, ConnectorId, Handle, Person, Space, SpaceId};

/// The files that hold lists.
pub(super) const NAMES: [&str; 5] = [
    "users.json",
    "channels.json",
    "groups.json",
    "mpims.json",
    "dms.json",
];

/// A row of `users.json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// `U…`
    pub id: String,
    /// The login.
    pub name: Option<String>,
    /// The name to show, on old exports here and on newer ones in the profile.
    pub real_name: Option<String>,
    /// IANA zone.
    pub tz: Option<String>,
    /// Whether it is a program.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub is_bot: bool,
    /// Whether the account was switched off.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub deleted: bool,
    /// The rest.
    #[serde(deserialize_with = "tolerant::or_default")]
    pub profile: Profile,
}

/// A user's profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// The name the user chose to be shown by.
    pub display_name: Option<String>,
    /// The full name.
    pub real_name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
}

impl User {
    /// Returns the name that stands behind an `@` in text.
    pub fn short_name(&self) -> &str {
        let chosen = self.profile.display_name.as_deref();
        named(chosen)
            .or(named(self.name.as_deref()))
            .unwrap_or(&self.id)
    }

    fn long_name(&self) -> &str {
        let full = self.profile.real_name.as_deref();
        named(full)
            .or(named(self.real_name.as_deref()))
            .unwrap_or_else(|| self.short_name())
    }

    /// Returns the account and what the profile tells about its owner.
    pub fn person(&self, id: &ConnectorId) -> Person {
        let aliases: BTreeSet<&str> = [self.name.as_deref(), self.profile.display_name.as_deref()]
            .into_iter()
            .filter_map(named)
            .collect();
        Person {
            handle: Some(Handle::new(id, self.id.as_str())),
            name: self.long_name().to_owned(),
            aliases: aliases.into_iter().map(str::to_owned).collect(),
            email: filled(self.profile.email.as_deref()).map(str::to_lowercase),
            time_zone: filled(self.tz.as_deref()).map(str::to_owned),
            is_bot: self.is_program(),
            is_gone: self.deleted,
        }
    }

    /// Returns whether the account is a program's.
    pub fn is_program(&self) -> bool {
        self.is_bot || self.id == "USLACKBOT"
    }
}

/// The most characters of a name; Slack takes as many.
const LONGEST_NAME: usize = 80;

/// Returns a name, if there is one, no longer than Slack takes it from people.
fn named(text: Option<&str>) -> Option<&str> {
    let name = filled(text)?;
    let end = name.char_indices().nth(LONGEST_NAME).map(|(at, _)| at);
    Some(&name[..end.unwrap_or(name.len())])
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A row of `channels.json`, `groups.json`, `dms.json` or `mpims.json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    #[serde(deserialize_with = "tolerant::text")]
    id: String,
    #[serde(deserialize_with = "tolerant::text")]
    name: String,
    #[serde(deserialize_with = "tolerant::texts")]
    members: Vec<String>,
    #[serde(deserialize_with = "tolerant::or_default")]
    is_private: bool,
}

/// A channel, private group or direct conversation.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// `C…`, `G…`, `D…`
    pub id: String,
    /// Its name now; the id for direct conversations.
    pub name: String,
    /// The name its message ids are made of.
    pub id_name: String,
    /// The folder of its day files.
    pub folder: String,
    /// Its members.
    pub members: Vec<String>,
    /// Whether every member of the team may read it.
    pub is_public: bool,
    /// Whether it is between a few people, who are all addressed by what is said.
    pub is_direct: bool,
    /// Whether no list names it; then nobody is known to be in it.
    pub is_unlisted: bool,
}

impl Channel {
    /// Returns the space of the channel.
    pub fn space(&self, id: &ConnectorId) -> SpaceId {
        SpaceId::new(id, self.id.as_str())
    }

    /// Returns who may read it.
    pub fn audience(&self, id: &ConnectorId) -> Audience {
        if self.is_public {
            Audience::Everyone
        } else {
            Audience::Space(self.space(id))
        }
    }
}

/// The lists of an export.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// By user id.
    pub users: HashMap<String, User>,
    /// By folder.
    pub channels: BTreeMap<String, Channel>,
    /// Channel names by id, for links in text.
    pub names: HashMap<String, String>,
    /// A hash of all of it.
    pub hash: String,
}

impl Lists {
    /// Reads the lists of an export.
    ///
    /// # Errors
    /// When there is none of them, so that the path cannot be right.
    pub fn read(root: &Root, archive: &mut Archive, skipped: &mut Vec<Skipped>) -> Result<Lists> {
        const KINDS: [(&str, bool, bool); 4] = [
            ("channels.json", true, false),
            ("groups.json", false, false),
            ("mpims.json", false, true),
            ("dms.json", false, true),
        ];
        if !KINDS.iter().any(|(name, ..)| archive.has(name)) && !archive.has("users.json") {
            bail!(
                "{} holds no Slack export: neither channels.json nor users.json is there; `path` under [connectors.{}] must name the unpacked folder or the zip",
                root.path.display(),
                root.id
            );
        }
        let mut lists = Lists::default();
        let mut hash = Sha256::new();
        for user in rows::<User>(root, archive, "users.json", &mut hash, skipped) {
            lists.users.insert(user.id.clone(), user);
        }
        let folders: BTreeSet<String> = archive
            .days()
            .iter()
            .map(|day| split_day(day).0.to_owned())
            .collect();
        for (file, is_public, is_direct) in KINDS {
            for row in rows::<Row>(root, archive, file, &mut hash, skipped) {
                let name = if row.name.is_empty() {
                    row.id.clone()
                } else {
                    row.name
                };
                let id = if row.id.is_empty() {
                    name.clone()
                } else {
                    row.id
                };
                let folder = if folders.contains(&name) {
                    name.clone()
                } else {
                    id.clone()
                };
                lists.names.insert(id.clone(), name.clone());
                let channel = Channel {
                    id,
                    id_name: name.clone(),
                    name,
                    folder: folder.clone(),
                    members: row.members,
                    is_public: is_public && !row.is_private,
                    is_direct,
                    is_unlisted: false,
                };
                // Two rows for one folder: the stricter one counts.
                let known = lists
                    .channels
                    .entry(folder)
                    .or_insert_with(|| channel.clone());
                if known.is_public && !channel.is_public {
                    *known = channel;
                }
            }
        }
        lists.hash = files::hex(&hash.finalize());
        Ok(lists)
    }

    /// Adds the folders that no list names and returns them; nobody is known to be in them, so nobody may read them.
    pub fn add_unlisted(&mut self, days: &[String]) -> Vec<String> {
        let folders: BTreeSet<&str> = days.iter().map(|day| split_day(day).0).collect();
        let unlisted: Vec<String> = folders
            .into_iter()
            .filter(|folder| !self.channels.contains_key(*folder))
            .map(str::to_owned)
            .collect();
        for folder in &unlisted {
            let channel = Channel {
                id: folder.clone(),
                name: folder.clone(),
                id_name: folder.clone(),
                folder: folder.clone(),
                is_unlisted: true,
                ..Channel::default()
            };
            self.channels.insert(folder.clone(), channel);
        }
        unlisted
    }

    /// Returns the channel of a folder.
    pub fn channel_of(&self, folder: &str) -> &Channel {
        self.channels
            .get(folder)
            .expect("every folder with days was added to the lists")
    }

    /// Returns the channels as spaces.
    pub fn spaces(&self, id: &ConnectorId) -> Vec<Space> {
        self.channels
            .values()
            .map(|channel| Space {
                id: channel.space(id),
                name: self.name_of(channel),
                members: (!channel.is_unlisted).then(|| {
                    channel
                        .members
                        .iter()
                        .map(|user| Handle::new(id, user.as_str()))
                        .collect()
                }),
            })
            .collect()
    }

    /// Returns the name people use for a channel.
    pub fn name_of(&self, channel: &Channel) -> String {
        if !channel.is_direct || channel.members.is_empty() {
            return format!("#{}", channel.name);
        }
        let names: Vec<String> = channel
            .members
            .iter()
            .map(|user| format!("@{}", self.short_name(user)))
            .collect();
        names.join(", ")
    }

    /// Returns the name that stands behind an `@` in text.
    pub fn short_name<'a>(&'a self, user: &'a str) -> &'a str {
        self.users.get(user).map_or(user, User::short_name)
    }

    /// Returns the people of the workspace.
    pub fn people(&self, id: &ConnectorId) -> Vec<Person> {
        let mut people: Vec<Person> = self.users.values().map(|user| user.person(id)).collect();
        people.sort_by(|a, b| a.handle.cmp(&b.handle));
        people
    }

    /// Returns the author of a message when the list of people does not have them: a program, or a guest of another workspace.
    pub fn stranger(&self, message: &Message, id: &ConnectorId) -> Option<Person> {
        let handle = message
            .author()
            .filter(|author| !self.users.contains_key(*author))?;
        let name = message.author_name().unwrap_or(handle);
        Some(Person {
            handle: Some(Handle::new(id, handle)),
            name: name.to_owned(),
            is_bot: message.is_by_program(),
            ..Person::default()
        })
    }
}

fn rows<T: DeserializeOwned>(
    root: &Root,
    archive: &mut Archive,
    name: &str,
    hash: &mut Sha256,
    skipped: &mut Vec<Skipped>,
) -> Vec<T> {
    if !archive.has(name) {
        return Vec::new();
    }
    let (len, stamp) = archive.stamp(name);
    let print = archive
        .print(name)
        .unwrap_or_else(|| format!("{len} {stamp}"));
    hash.update(format!("{name} {print}\n"));
    let mut rows = Vec::new();
    match archive.read(name) {
        Ok(reader) => {
            let mut objects = Objects::new(reader);
            while let Some((line, found)) = objects.next_object() {
                match found {
                    Found::Object(row, _) => rows.push(row),
                    Found::Broken(reason) => skipped.push(root.skipped(name, line, reason)),
                }
            }
        }
        Err(error) => skipped.push(root.skipped(name, 0, format!("cannot be read: {error}"))),
    }
    rows
}
