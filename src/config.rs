//! The configuration: one struct per table, loaded from TOML, overridden by `DAYBRIEF__SECTION__KEY`, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use daybrief_index::QdrantPlace;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde::Deserialize;

use crate::connectors::ConnectorConfig;
use crate::connectors::imap::ImapConfig;
use crate::embedding::EmbeddingConfig;
use crate::model::{Area, Away, ConnectorId, Handle, Member, MemberId, Rotation, Team, TeamId};
use crate::schedule::{holidays, ics};
use crate::server::ServerConfig;
use crate::sinks::smtp::SmtpConfig;

mod llm;
mod locate;
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
        if let Some(members_file) = &config.members_file {
            let members_path = base.join(members_file);
            let text = std::fs::read_to_string(&members_path).with_context(|| {
                format!("cannot read the members file {}", members_path.display())
            })?;
            let more = Config::parse(&text, &members_path)?;
            config.members.extend(more.members);
        }
        config.base = base;
        config.check(path, &text)?;
        Ok(config)
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

    fn check(&self, path: &Path, text: &str) -> Result<()> {
        let groups: [(&str, Vec<&String>); 4] = [
            ("connectors", self.raw_connectors.keys().collect()),
            ("members", self.members.keys().collect()),
            ("teams", self.teams.keys().collect()),
            ("sinks", self.sinks.keys().collect()),
        ];
        for (group, ids) in groups {
            for id in ids {
                if id.is_empty()
                    || !id
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
                {
                    bail!(
                        "{}: the id in [{group}.{id}] may hold only a-z, 0-9, _ and -",
                        locate::place(path, text, &[group, id])
                    );
                }
            }
        }
        for (id, member) in &self.members {
            for connector in member.handles.keys() {
                if !self.raw_connectors.contains_key(connector) {
                    let known: Vec<&str> = self.raw_connectors.keys().map(String::as_str).collect();
                    bail!(
                        "{}: handles names the connector {connector:?}, which has no table; known: {}",
                        locate::place(path, text, &["members", id, "handles", connector]),
                        list(&known)
                    );
                }
            }
            if let Some(sink) = &member.sink {
                self.check_sink(sink, || locate::place(path, text, &["members", id, "sink"]))?;
            }
        }
        self.check_sink(&self.delivery.sink, || {
            locate::place(path, text, &["delivery", "sink"])
        })?;
        if self.delivery.sync_minutes == 0 {
            bail!(
                "{}: sync_minutes must be at least 1",
                locate::place(path, text, &["delivery", "sync_minutes"])
            );
        }
        self.check_slack_sinks(path, text)?;
        self.check_smtp_sinks(path, text)?;
        if let Some((key, fault)) = self.llm.as_ref().and_then(LlmConfig::fault) {
            bail!("{}: {fault}", locate::place(path, text, &["llm", key]));
        }
        for (id, team) in &self.teams {
            for member in &team.members {
                if !self.members.contains_key(member) {
                    bail!(
                        "{}: there is no member {member:?}",
                        locate::place(path, text, &["teams", id, "members"])
                    );
                }
            }
        }
        let is_connector = |id: &str| self.raw_connectors.contains_key(id);
        if let Some((key, why)) = self.triage.wrong_key(is_connector) {
            bail!(
                "{}: {key}: {why}",
                locate::place(path, text, &["triage", key])
            );
        }
        if let Some(from) = &self.roster.from {
            let place = |key| locate::place(path, text, &["roster", key]);
            if !self.raw_connectors.contains_key(from) {
                bail!("{}: there is no [connectors.{from}]", place("from"));
            }
            if self.roster.space.is_empty() {
                bail!(
                    "{}: [roster] needs the space whose people are the members: space = \"#eng\"",
                    place("from")
                );
            }
        }
        if let Some(me) = &self.search.me
            && !self.members.contains_key(me)
        {
            bail!(
                "{}: there is no member {me:?}",
                locate::place(path, text, &["search", "me"])
            );
        }
        Ok(())
    }

    fn check_sink(&self, sink: &str, place: impl Fn() -> String) -> Result<()> {
        if sink == "console" || self.sinks.contains_key(sink) {
            return Ok(());
        }
        let known: Vec<&str> = ["console"]
            .into_iter()
            .chain(self.sinks.keys().map(String::as_str))
            .collect();
        bail!(
            "{}: there is no [sinks.{sink}]; known: {}",
            place(),
            list(&known)
        )
    }

    /// Checks that sinks over Slack name a connector that can send, and reach everybody who uses them.
    fn check_slack_sinks(&self, path: &Path, text: &str) -> Result<()> {
        for (name, sink) in &self.sinks {
            let SinkConfig::Slack { connector } = sink else {
                continue;
            };
            let place = || locate::place(path, text, &["sinks", name, "connector"]);
            match self.connectors.get(&ConnectorId::new(connector.as_str())) {
                None => bail!(
                    "{}: [sinks.{name}]: there is no [connectors.{connector}]",
                    place()
                ),
                Some(ConnectorConfig::Slack(_)) => {}
                Some(_) => bail!("{}: connector must name a connector of type slack", place()),
            }
            for (id, member) in &self.members {
                let own = member.sink.as_ref().unwrap_or(&self.delivery.sink);
                if own == name && member.brief && !member.handles.contains_key(connector) {
                    bail!(
                        "{}: members.{id} has no handle at {connector}, where [sinks.{name}] sends to; add handles = {{ {connector} = \"U…\" }}, another sink, or brief = false",
                        locate::place(path, text, &["members", id])
                    );
                }
            }
        }
        Ok(())
    }

    /// Checks that sinks over SMTP can send, and have an address of everybody who uses them.
    fn check_smtp_sinks(&self, path: &Path, text: &str) -> Result<()> {
        for (name, sink) in &self.sinks {
            let SinkConfig::Smtp(smtp) = sink else {
                continue;
            };
            let place = |key| locate::place(path, text, &["sinks", name, key]);
            smtp.verify(name)
                .with_context(|| locate::place(path, text, &["sinks", name]))?;
            if let Some(connector) = &smtp.connector
                && !self.raw_connectors.contains_key(connector)
            {
                bail!(
                    "{}: [sinks.{name}]: there is no [connectors.{connector}]",
                    place("connector")
                );
            }
            for mailbox in &smtp.mailboxes {
                let connector = self.connectors.get(&ConnectorId::new(mailbox.as_str()));
                if !matches!(connector, Some(ConnectorConfig::Imap(_))) {
                    bail!(
                        "{}: [sinks.{name}]: mailboxes must name connectors of type imap, and {mailbox:?} is none",
                        place("mailboxes")
                    );
                }
            }
            for (id, member) in &self.members {
                let own = member.sink.as_ref().unwrap_or(&self.delivery.sink);
                let member_id = MemberId::new(id.as_str());
                if own == name && member.brief && self.address_of(&member_id, smtp).is_none() {
                    bail!(
                        "{}: members.{id} has no address that [sinks.{name}] can send to; add email = \"…\", another sink, or brief = false",
                        locate::place(path, text, &["members", id])
                    );
                }
            }
        }
        Ok(())
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
                table
                    .member(id, &self.base, year, shares_leave)
                    .with_context(|| format!("in [members.{id}]"))
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
            .map(|(id, table)| {
                table
                    .team(id, &self.base, year)
                    .with_context(|| format!("in [teams.{id}]"))
            })
            .collect()
    }

    /// Returns the folder for store and index.
    pub fn data_dir(&self) -> PathBuf {
        self.base
            .join(self.data_dir.as_deref().unwrap_or(Path::new(".daybrief")))
    }
}

impl MemberConfig {
    /// Returns whether an entry of a calendar that members share is about this one.
    fn is_named_in(&self, id: &str, summary: &str) -> bool {
        let summary = summary.to_lowercase();
        let words: Vec<&str> = summary.split(|c: char| !c.is_alphanumeric()).collect();
        let name = self.name.to_lowercase();
        words.contains(&id)
            || name
                .split_whitespace()
                .next()
                .is_some_and(|first| words.contains(&first))
    }

    fn member(&self, id: &str, base: &Path, year: i16, shares_leave: bool) -> Result<Member> {
        let time_zone = TimeZone::get(&self.time_zone).map_err(|_| {
            anyhow!(
                "time_zone = {:?} is no IANA zone, such as \"Europe/Lisbon\"",
                self.time_zone
            )
        })?;
        let time = |key: &str, text: &str| -> Result<civil::Time> {
            text.parse()
                .map_err(|_| anyhow!("{key} = {text:?} is no time of day, such as \"08:30\""))
        };
        let mut holidays_of_years = BTreeMap::new();
        match self.holidays.as_deref() {
            Some(file) if file.ends_with(".ics") => {
                for (span, name) in busy_days(&base.join(file), &time_zone, year, |_| true)? {
                    let mut day = span.from;
                    while day <= span.to {
                        holidays_of_years.insert(day, name.clone());
                        day = day.tomorrow()?;
                    }
                }
            }
            Some(region) => holidays_of_years = holidays::holidays(region, year - 1..=year + 2)?,
            None => {}
        }
        let mut away = Vec::new();
        for span in &self.away {
            let date = |text: &str| -> Result<civil::Date> {
                text.parse()
                    .map_err(|_| anyhow!("away: {text:?} is no date, such as \"2026-11-23\""))
            };
            let span = Away {
                from: date(&span.from)?,
                to: date(&span.to)?,
            };
            if span.to < span.from {
                bail!("away: {} comes before {}", span.to, span.from);
            }
            away.push(span);
        }
        if let Some(file) = &self.leave {
            let is_theirs = |summary: &str| !shares_leave || self.is_named_in(id, summary);
            away.extend(
                busy_days(&base.join(file), &time_zone, year, is_theirs)?
                    .into_iter()
                    .map(|(span, _)| span),
            );
        }
        let handles = self.handles.iter().map(|(connector, names)| {
            let connector = ConnectorId::new(connector.as_str());
            let names = match names {
                OneOrMany::One(name) => std::slice::from_ref(name),
                OneOrMany::Many(names) => names,
            };
            let handles = names
                .iter()
                .map(|name| Handle::new(&connector, name.as_str()))
                .collect();
            (connector, handles)
        });
        Ok(Member {
            id: MemberId::new(id),
            name: if self.name.is_empty() {
                id.to_owned()
            } else {
                self.name.clone()
            },
            handles: handles.collect(),
            time_zone,
            day_start: time("day_start", &self.day_start)?,
            day_end: time("day_end", &self.day_end)?,
            workdays: workdays(&self.workdays)?,
            holidays: Arc::new(holidays_of_years),
            away,
            languages: self.languages.clone(),
            capacity: self.capacity,
            is_briefed: self.brief,
            is_suggested: self.suggest,
            is_quoted: self.quote,
        })
    }
}

impl TeamConfig {
    fn team(&self, id: &str, base: &Path, year: i16) -> Result<Team> {
        let areas = self
            .areas
            .iter()
            .map(|text| area(text))
            .collect::<Result<_>>()?;
        let rotation = match &self.rotation {
            None => None,
            Some(RotationConfig::Members(members)) => Some(Rotation::Members(
                members
                    .iter()
                    .map(|member| MemberId::new(member.as_str()))
                    .collect(),
            )),
            Some(RotationConfig::Calendar { calendar }) => Some(Rotation::Calendar(busy_days(
                &base.join(calendar),
                &TimeZone::UTC,
                year,
                |_| true,
            )?)),
        };
        let members = self
            .members
            .iter()
            .map(|member| MemberId::new(member.as_str()))
            .collect();
        Ok(Team {
            id: TeamId::new(id),
            members,
            areas,
            rotation,
        })
    }
}

/// Returns the days of a calendar's wanted events, from the year before to two years ahead.
fn busy_days(
    path: &Path,
    zone: &TimeZone,
    year: i16,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(Away, String)>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the calendar {}", path.display()))?;
    let within = Away {
        from: civil::date(year - 1, 1, 1),
        to: civil::date(year + 2, 12, 31),
    };
    ics::busy_days(&text, zone, within, wanted)
        .with_context(|| format!("in the calendar {}", path.display()))
}

fn area(text: &str) -> Result<Area> {
    let expected = || {
        anyhow!(
            "areas: {text:?} is not of the form tracker:component=NAME, tracker:label=NAME or office:#channel"
        )
    };
    let (connector, rest) = text.split_once(':').ok_or_else(expected)?;
    let connector = ConnectorId::new(connector);
    match rest.split_once('=') {
        Some(("component", name)) => Ok(Area::Component(connector, name.to_owned())),
        Some(("label", name)) => Ok(Area::Label(connector, name.to_owned())),
        None if rest.starts_with('#') => Ok(Area::Space(connector, rest.to_owned())),
        _ => Err(expected()),
    }
}

fn workdays(names: &[String]) -> Result<[bool; 7]> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let mut days = [false; 7];
    for name in names {
        let day = DAYS
            .iter()
            .position(|day| day == name)
            .ok_or_else(|| anyhow!("workdays: {name:?} is none of {}", list(&DAYS)))?;
        days[day] = true;
    }
    Ok(days)
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
        Ok(crate::identity::followed(members, people, &from, &in_space))
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
