//! The configuration: one struct per table, loaded from TOML, overridden by `DAYBRIEF__SECTION__KEY`, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use daybrief_index::QdrantPlace;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::connectors::ConnectorConfig;
use crate::connectors::imap::ImapConfig;
use crate::embedding::EmbeddingConfig;
use crate::model::{ConnectorId, Handle, Member, MemberId, Team};
use crate::server::ServerConfig;
use crate::sinks::smtp::SmtpConfig;

mod check;
mod llm;
mod locate;
mod people;
mod triage;

pub use triage::TriageConfig;

pub use llm::LlmConfig;

/// The file that commands look for when none is named.
pub const FILE_NAME: &str = "daybrief.toml";

/// The whole configuration, as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where daybrief keeps its store and index, relative to this file.
    pub data_dir: Option<PathBuf>,
    /// A file with further `[members.*]` tables, relative to this file.
    pub members_file: Option<PathBuf>,
    /// When and how briefings go out.
    pub delivery: Delivery,
    /// Where briefings can go.
    pub sinks: BTreeMap<String, SinkConfig>,
    /// What is read, as written; see [`Config::connectors`] for the typed form.
    #[serde(rename = "connectors")]
    raw_connectors: BTreeMap<String, toml::Table>,
    /// The team.
    pub members: BTreeMap<String, MemberConfig>,
    /// Groups of members with areas of their own.
    pub teams: BTreeMap<String, TeamConfig>,
    /// What `daybrief search` assumes.
    pub search: SearchConfig,
    /// A server for the vectors, for teams that outgrow one machine.
    pub qdrant: QdrantConfig,
    /// A model's opinion on what a search finds.
    pub embedding: EmbeddingConfig,
    /// Who might take a ticket.
    pub triage: TriageConfig,
    /// What daybrief listens to.
    pub server: ServerConfig,
    /// For how long what was said is kept.
    pub retention: RetentionConfig,
    /// A model that words what the facts say.
    pub llm: Option<LlmConfig>,
    /// A space whose people are the members.
    pub roster: RosterConfig,
    /// What is read, typed.
    #[serde(skip)]
    pub connectors: BTreeMap<ConnectorId, ConnectorConfig>,
    /// The folder that relative paths start from.
    #[serde(skip)]
    pub base: PathBuf,
    /// The files that this was read from, with their texts, so that an error can name file and line.
    #[serde(skip)]
    sources: Vec<(PathBuf, String)>,
}

/// `[delivery]`: when and how briefings go out.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// The sink for members that name none: a table under `[sinks]`, or `console`.
    pub sink: String,
    /// How often `run` reads every source, in minutes.
    pub sync_minutes: u32,
    /// Whether a morning with nothing for the reader still gets its one line.
    pub quiet_line: bool,
    /// The most lines of a briefing.
    pub max_items: usize,
    /// The most words of a briefing.
    pub max_words: usize,
    /// After how many work days without movement an own ticket is called stale.
    pub stale_after_days: u32,
}

impl Default for Delivery {
    fn default() -> Self {
        Delivery {
            sink: "console".into(),
            sync_minutes: 5,
            quiet_line: true,
            max_items: 9,
            max_words: 160,
            stale_after_days: 5,
        }
    }
}

/// `[sinks.*]`: somewhere briefings can go.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SinkConfig {
    /// Standard output.
    Console,
    /// A folder of Markdown files, one a briefing: `<date>-<member>.md`.
    File {
        /// The folder, relative to this file.
        path: PathBuf,
    },
    /// A direct message in Slack, from the app of a connector.
    Slack {
        /// The connector, of type `slack`; a member needs a handle there.
        connector: String,
    },
    /// Mail; a member needs `email` or a handle at the connector that the table names.
    Smtp(Box<SmtpConfig>),
}

/// `[members.*]`: one person.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemberConfig {
    /// The name to show; the table's name when empty.
    pub name: String,
    /// IANA zone.
    pub time_zone: String,
    /// When the briefing comes, local.
    pub day_start: String,
    /// When the day ends, local; the next briefing reaches back to it.
    pub day_end: String,
    /// Work days.
    pub workdays: Vec<String>,
    /// Public holidays: a region such as `DE-BE`, or an `.ics` file relative to this file.
    pub holidays: Option<String>,
    /// Leave: dates, both ends included.
    pub away: Vec<AwayConfig>,
    /// Leave from a calendar: an `.ics` file relative to this file. In one that several members name, only the entries
    /// that name the member count.
    pub leave: Option<PathBuf>,
    /// Languages they read, best first.
    pub languages: Vec<String>,
    /// How many open tickets they can carry.
    pub capacity: Option<u32>,
    /// Their accounts by connector: one name or a list.
    pub handles: BTreeMap<String, OneOrMany>,
    /// Whether they are briefed.
    pub brief: bool,
    /// Whether they may be suggested for tickets.
    pub suggest: bool,
    /// Whether their words may be quoted to others.
    pub quote: bool,
    /// Their sink, when it is not `[delivery] sink`.
    pub sink: Option<String>,
    /// Where briefings by mail go; without it their handle at the mail connector of the sink.
    pub email: Option<String>,
}

impl Default for MemberConfig {
    fn default() -> Self {
        MemberConfig {
            name: String::new(),
            time_zone: "UTC".into(),
            day_start: "09:00".into(),
            day_end: "17:30".into(),
            workdays: ["mon", "tue", "wed", "thu", "fri"]
                .map(String::from)
                .to_vec(),
            holidays: None,
            away: Vec::new(),
            leave: None,
            languages: Vec::new(),
            capacity: None,
            handles: BTreeMap::new(),
            brief: true,
            suggest: true,
            quote: true,
            sink: None,
            email: None,
        }
    }
}

/// A span of leave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwayConfig {
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
}

/// One text or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// `[teams.*]`: members who look after something together.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeamConfig {
    /// Ids of members.
    pub members: Vec<String>,
    /// `tracker:component=parser`, `tracker:label=parser`, `office:#parser`.
    pub areas: Vec<String>,
    /// Who takes what nobody stands out for.
    pub rotation: Option<RotationConfig>,
}

/// Who is on duty.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum RotationConfig {
    /// These members in turn, a week each.
    Members(Vec<String>),
    /// An `.ics` file whose current event names the member.
    Calendar {
        /// The file, relative to this file.
        calendar: PathBuf,
    },
}

/// `[search]`: what `daybrief search` assumes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchConfig {
    /// The member who asks when `--as` is not given; without one, only what everyone may read is searched.
    pub me: Option<String>,
}

impl Config {
    /// Loads a configuration file and its members file, applies overrides from the environment, and checks both.
    ///
    /// # Errors
    /// Each names the file, the line where it is known, and what was expected.
    pub fn load(path: &Path) -> Result<Config> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "cannot read the configuration {}; `daybrief init` writes one",
                path.display()
            )
        })?;
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut config = Config::parse(&text, path)?;
        config.base = base;
        config.sources = vec![(path.to_path_buf(), text.clone())];
        if let Some(members_file) = &config.members_file {
            let members_path = config.base.join(members_file);
            let more = std::fs::read_to_string(&members_path).with_context(|| {
                format!(
                    "cannot read the members file {}; correct `members_file`, or make the file: `daybrief members import` fills an empty one",
                    members_path.display()
                )
            })?;
            for (id, member) in Config::parse(&more, &members_path)?.members {
                if config.members.contains_key(&id) {
                    bail!(
                        "{}: [members.{id}] stands in {} as well; keep one",
                        locate::place(&members_path, &more, &["members", &id]),
                        path.display()
                    );
                }
                config.members.insert(id, member);
            }
            config.sources.push((members_path, more));
        }
        config.check(path, &text)?;
        Ok(config)
    }

    /// Returns whether a file is the members file of this configuration.
    pub fn names_members_file(&self, file: &Path) -> bool {
        let named = self.members_file.as_ref();
        named.is_some_and(|named| self.base.join(named) == file)
    }

    /// Returns the members that stand in a members file which this configuration need not name; nobody when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or is wrong.
    pub fn members_in(&self, file: &Path, now: Timestamp) -> Result<Vec<Member>> {
        if self.names_members_file(file) || !file.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the members file {}", file.display()))?;
        let mut config = Config::parse(&text, file)?;
        config.base = self.base.clone();
        config.connectors = self.connectors.clone();
        config.sources = vec![(file.to_path_buf(), text)];
        config.members(now)
    }

    /// Returns whether a key stands in one of the files that this was read from.
    pub fn says(&self, keys: &[&str]) -> bool {
        let mut texts = self.sources.iter().map(|(_, text)| text);
        texts.any(|text| locate::value_of(text, keys).is_some())
    }

    /// Returns the files that hold secrets, each with the table that names it; whether they are there is not looked at.
    pub fn secret_files(&self) -> Vec<(String, PathBuf)> {
        let is_secret =
            |key: &str| key.ends_with("_file") && !["ca_file", "members_file"].contains(&key);
        let mut files = Vec::new();
        for (_, text) in &self.sources {
            for (table, file) in locate::texts_at(text, is_secret) {
                files.push((table, self.base.join(file)));
            }
        }
        files
    }

    /// Returns where a table stands, or a key of it; empty when it was not read from a file.
    fn place_of(&self, keys: [&str; 3]) -> String {
        let places = self.sources.iter().map(|(path, text)| {
            (
                locate::value_of(text, &keys[..2]).is_some(),
                locate::place(path, text, &keys),
            )
        });
        let mut places = places.filter(|(found, _)| *found);
        places
            .next()
            .map_or(String::new(), |(_, place)| format!("{place}: "))
    }

    /// Puts before an error about a table where the key stands that the error begins with.
    fn placed<T>(&self, group: &str, id: &str, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let said = error.to_string();
            let key = said.split([' ', ':']).next().unwrap_or_default();
            let place = self.place_of([group, id, key]);
            error.context(format!("{place}in [{group}.{id}]"))
        })
    }

    /// Reads a configuration from text; `path` is only for messages.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Config> {
        // Once as it stands, because toml knows the line of an error; then with the environment on top.
        toml::from_str::<Config>(text).map_err(|error| locate::explain(path, text, &error))?;
        let merged = config::Config::builder()
            .add_source(config::File::from_str(text, config::FileFormat::Toml))
            .add_source(
                config::Environment::with_prefix("DAYBRIEF")
                    .prefix_separator("__")
                    .separator("__")
                    .try_parsing(true),
            )
            .build()
            .and_then(config::Config::try_deserialize::<Config>);
        let mut config = merged.map_err(|error| {
            anyhow!(
                "{}, with the environment's DAYBRIEF__… on top: {error}",
                path.display()
            )
        })?;
        for (id, table) in &config.raw_connectors {
            let typed = ConnectorConfig::deserialize(toml::Value::Table(table.clone()));
            let typed = typed.map_err(|error| {
                locate::explain_table(path, text, &["connectors", id], &error.to_string())
            })?;
            config
                .connectors
                .insert(ConnectorId::new(id.as_str()), typed);
        }
        Ok(config)
    }

    /// Returns the mail address of a member: their `email`, or their first handle at the sink's connector that is one.
    pub fn address_of(&self, member: &MemberId, sink: &SmtpConfig) -> Option<String> {
        let table = self.members.get(member.as_str())?;
        let is_address = |text: &String| text.parse::<lettre::Address>().is_ok();
        let handles = sink
            .connector
            .as_ref()
            .and_then(|connector| table.handles.get(connector));
        let handles: Vec<String> = match handles {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![one.clone()],
            Some(OneOrMany::Many(many)) => many.clone(),
        };
        table.email.iter().cloned().chain(handles).find(is_address)
    }

    /// Returns the mailboxes in which a mail to an address can be looked for.
    pub fn mailboxes_of(&self, sink: &SmtpConfig, address: &str) -> Vec<(ConnectorId, ImapConfig)> {
        let mailboxes = self.connectors.iter().filter_map(|(id, connector)| {
            let ConnectorConfig::Imap(imap) = connector else {
                return None;
            };
            let is_named = sink.mailboxes.iter().any(|name| name == id.as_str());
            let is_own = imap.user.eq_ignore_ascii_case(address);
            (is_named || is_own).then(|| (id.clone(), imap.clone()))
        });
        mailboxes.collect()
    }

    /// Returns the name of a member's sink.
    pub fn sink_name_of(&self, member: &MemberId) -> &str {
        let named = self
            .members
            .get(member.as_str())
            .and_then(|member| member.sink.as_ref());
        named.unwrap_or(&self.delivery.sink)
    }

    /// Returns the sink of a member.
    pub fn sink_of(&self, member: &MemberId) -> SinkConfig {
        self.sinks
            .get(self.sink_name_of(member))
            .cloned()
            .unwrap_or(SinkConfig::Console)
    }

    /// Returns the members, with their calendars read; holidays are looked up for the years around `now`.
    ///
    /// # Errors
    /// Each names the member and the key.
    pub fn members(&self, now: Timestamp) -> Result<Vec<Member>> {
        let year = now.to_zoned(TimeZone::UTC).year();
        self.members
            .iter()
            .map(|(id, table)| {
                let is_shared = |file: &PathBuf| {
                    self.members
                        .values()
                        .filter(|other| other.leave.as_ref() == Some(file))
                        .count()
                        > 1
                };
                let shares_leave = table.leave.as_ref().is_some_and(is_shared);
                let member = table.member(id, &self.base, year, shares_leave);
                self.placed("members", id, member)
                    .map(|member| self.with_canonical_handles(member))
            })
            .collect()
    }

    /// Mail addresses, speakers’ names and logins have no case; their connectors write them in lower case.
    fn with_canonical_handles(&self, mut member: Member) -> Member {
        for (connector, handles) in &mut member.handles {
            let kind = self
                .connectors
                .get(connector)
                .map(ConnectorConfig::type_name);
            if matches!(
                kind,
                Some("mbox" | "maildir" | "transcripts" | "github" | "jira")
            ) {
                for handle in handles {
                    *handle = Handle::new(connector, handle.id.to_lowercase());
                }
            }
        }
        member
    }

    /// Returns the teams, with their rotations read.
    ///
    /// # Errors
    /// Each names the team and the key.
    pub fn teams(&self, now: Timestamp) -> Result<Vec<Team>> {
        let year = now.to_zoned(TimeZone::UTC).year();
        self.teams
            .iter()
            .map(|(id, table)| self.placed("teams", id, table.team(id, &self.base, year)))
            .collect()
    }

    /// Returns the folder for store and index.
    pub fn data_dir(&self) -> PathBuf {
        self.base
            .join(self.data_dir.as_deref().unwrap_or(Path::new(".daybrief")))
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// `[roster]`: a space whose people are the members.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RosterConfig {
    /// The connector that knows the space.
    pub from: Option<String>,
    /// The space, such as `#eng`.
    pub space: String,
    /// The member whose briefing says who joined and who left.
    pub admin: Option<String>,
}

impl RosterConfig {
    /// Returns the members as the space has them now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn followed(
        &self,
        c: &rusqlite::Connection,
        members: Vec<Member>,
        people: &[crate::model::Person],
    ) -> Result<Vec<Member>> {
        let Some(from) = &self.from else {
            return Ok(members);
        };
        let from = ConnectorId::new(from.as_str());
        let in_space = crate::store::members::in_space(c, &from, &self.space)?;
        let known = crate::store::members::joiners(c)?;
        Ok(crate::identity::followed(
            members, people, &from, &in_space, &known,
        ))
    }
}

/// `[retention]`: for how long what was said is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// In days; 0 = for as long as the source has it.
    pub days: u32,
    /// The same for single connectors.
    pub connectors: BTreeMap<String, u32>,
}

impl RetentionConfig {
    /// Returns for how many days what a connector says is kept; `None` = for as long as the source has it.
    pub fn days_of(&self, connector: &ConnectorId) -> Option<u32> {
        let own = self.connectors.get(connector.as_str());
        Some(*own.unwrap_or(&self.days)).filter(|days| *days > 0)
    }
}

/// `[qdrant]`: a server for the vectors instead of the file beside the index.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QdrantConfig {
    /// Its gRPC address, such as `http://localhost:6334`; without one the vectors stay on this machine.
    pub url: Option<String>,
    /// The collection; it is made when it is missing. Default `daybrief`.
    pub collection: Option<String>,
    /// The environment variable that holds the server's key.
    pub api_key_env: Option<String>,
}

impl QdrantConfig {
    /// Returns where the server is, if one is configured.
    ///
    /// # Errors
    /// When the variable of the key is not set.
    pub fn place(&self) -> Result<Option<QdrantPlace>> {
        let Some(url) = self.url.clone() else {
            return Ok(None);
        };
        let api_key = self
            .api_key_env
            .as_ref()
            .map(|name| {
                std::env::var(name)
                    .with_context(|| format!("[qdrant] api_key_env: {name} is not set"))
            })
            .transpose()?;
        Ok(Some(QdrantPlace {
            url,
            collection: self.collection.clone().unwrap_or_else(|| "daybrief".into()),
            api_key,
        }))
    }
}
