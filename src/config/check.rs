//! Whether the tables of a configuration fit together.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{Config, LlmConfig, RotationConfig, SinkConfig, list, locate};
use crate::connectors::ConnectorConfig;
use crate::model::{ConnectorId, MemberId};

impl Config {
    /// Checks what the types cannot: names that must be known, tables that need each other.
    pub(super) fn check(&self, path: &Path, text: &str) -> Result<()> {
        let is_path = |key: &str| {
            ["path", "data_dir", "leave", "holidays", "calendar"].contains(&key)
                || key.ends_with("_file")
        };
        for (table, file) in locate::texts_at(text, is_path) {
            if file.starts_with('~') {
                let keys: Vec<&str> = table.split('.').collect();
                bail!(
                    "{}: {file:?}: a path does not begin with ~ here; write it in full, or relative to this file",
                    locate::place(path, text, &keys)
                );
            }
        }
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
            if let Some(RotationConfig::Members(rotation)) = &team.rotation
                && let Some(nobody) = rotation.iter().find(|id| !self.members.contains_key(*id))
            {
                bail!(
                    "{}: rotation: there is no member {nobody:?}",
                    locate::place(path, text, &["teams", id, "rotation"])
                );
            }
            for area in &team.areas {
                let connector = area.split(':').next().unwrap_or_default();
                if area.contains(':') && !self.raw_connectors.contains_key(connector) {
                    bail!(
                        "{}: areas: {area:?} names no connector; there is no [connectors.{connector}]",
                        locate::place(path, text, &["teams", id, "areas"])
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
        for id in self.retention.connectors.keys() {
            if !is_connector(id) {
                bail!(
                    "{}: there is no [connectors.{id}], so nothing of it would ever be forgotten",
                    locate::place(path, text, &["retention", "connectors", id])
                );
            }
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
        // Who follows a space may be a member without a table.
        if let Some(admin) = &self.triage.admin
            && self.roster.from.is_none()
            && !self.members.contains_key(admin)
        {
            bail!(
                "{}: there is no member {admin:?}",
                locate::place(path, text, &["triage", "admin"])
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
}
