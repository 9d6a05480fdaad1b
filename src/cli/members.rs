//! `daybrief members`: who is who across systems, and what is stored about one person.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::{Global, output, site::Site};
use crate::identity::{self, Newcomer};
use crate::ingest::follow;
use crate::lock::InstanceLock;
use crate::model::{ConnectorId, Handle, Member, MemberId};
use crate::store::{members, people};

/// Who is who across systems, and what is stored about one person.
#[derive(Debug, Args)]
pub struct Members {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the people of a connector who are no members yet to the members file.
    Import(Import),
    /// Propose accounts that may be a member's; nothing is written.
    Suggest,
    /// Print everything stored about a member, a JSON object a line.
    Export {
        /// Their id in the configuration.
        member: String,
    },
    /// Forget a member: their words, accounts, briefings and feedback.
    Forget(Forget),
}

#[derive(Debug, Args)]
struct Import {
    /// The connector that knows them; `daybrief sync` must have read it.
    #[arg(long, value_name = "CONNECTOR")]
    from: String,
    /// Only people in this space.
    #[arg(long, value_name = "SPACE")]
    space: Option<String>,
    /// The file to add to [default: `members_file` of the configuration, else members.toml beside it].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print what would be added instead.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Forget {
    /// Their id in the configuration.
    member: String,
    /// Do it; without, only what would be forgotten is said.
    #[arg(long)]
    yes: bool,
}

impl Members {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        match self.what {
            What::Import(import) => import.run(global)?,
            What::Suggest => suggest(global)?,
            What::Export { member } => {
                let site = Site::open_read_only(global)?;
                let member = member_of(&site, &member)?;
                let print = |value| output::json_line(&value);
                site.store
                    .read_now(|c| members::export(c, &member, print))?;
            }
            What::Forget(forget) => forget.run(global)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn member_of(site: &Site, id: &str) -> Result<Member> {
    site.roster
        .member(&MemberId::new(id))
        .cloned()
        .with_context(|| {
            let known: Vec<&str> = site
                .roster
                .members
                .iter()
                .map(|member| member.id.as_str())
                .collect();
            format!("there is no member {id:?}; known: {}", known.join(", "))
        })
}

impl Import {
    fn run(self, global: &Global) -> Result<()> {
        let site = Site::open_read_only(global)?;
        let from = ConnectorId::new(self.from.as_str());
        let Some(connector) = site.config.connectors.get(&from) else {
            bail!("there is no [connectors.{from}]");
        };
        let type_name = connector.type_name();
        let is_mail = ["mbox", "maildir", "imap"].contains(&type_name);
        if is_mail && self.space.is_none() {
            bail!(
                "a {type_name} knows everybody who ever wrote to it; name the connector of your chat or tracker, or one --space"
            );
        }
        let (people, among, known) = site.store.read_now(|c| {
            let people = people::people(c, None)?;
            let among = match &self.space {
                Some(space) => Some(members::in_space(c, &from, space)?),
                None => None,
            };
            Ok((people, among, members::joiners(c)?))
        })?;
        if among.as_ref().is_some_and(BTreeSet::is_empty) {
            bail!(
                "{from} tells nobody in {}; write the space as `daybrief check` names it, and `daybrief sync` first",
                self.space.unwrap_or_default()
            );
        }
        let file = match (&self.file, &site.config.members_file) {
            (Some(file), _) => file.clone(),
            (None, Some(file)) => site.config.base.join(file),
            (None, None) => site.config.base.join("members.toml"),
        };
        // Who stands in the file is a member, even while the configuration does not name it.
        let mut members = site.roster.members.clone();
        members.extend(site.config.members_in(&file, Timestamp::now())?);
        let among = among.as_ref();
        let found = identity::newcomers(&members, &people, &from, among, &known);
        let is_named = site.config.names_members_file(&file);
        let to_name = if is_named {
            String::new()
        } else {
            format!(
                "\nThe configuration does not name it yet; add this line at its top:\nmembers_file = {}",
                quoted(&file.file_name().unwrap_or_default().to_string_lossy())
            )
        };
        if found.is_empty() {
            let hint = if file.exists() { to_name.as_str() } else { "" };
            return say(
                global,
                &found,
                &format!("Everybody {from} knows is a member already.{hint}"),
            );
        }
        let text: String = found.iter().map(table_of).collect();
        if self.dry_run {
            return if global.json {
                say(global, &found, "")
            } else {
                output::line(text.trim_end())
            };
        }
        append(&file, &text)?;
        let words = format!(
            "Added {} to {}. Read it: zones, day starts and accounts are what the sources say.{to_name}",
            count(found.len(), "member"),
            file.display()
        );
        say(global, &found, &words)
    }
}

fn say(global: &Global, found: &[Newcomer], words: &str) -> Result<()> {
    if !global.json {
        return output::line(words);
    }
    for newcomer in found {
        output::json_line(&json!({
            "member": newcomer.id.as_str(), "name": newcomer.name, "email": newcomer.email, "time_zone": newcomer.time_zone,
            "handles": newcomer.handles.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
    }
    Ok(())
}

/// Returns a newcomer's table as TOML.
fn table_of(newcomer: &Newcomer) -> String {
    let mut text = format!(
        "[members.{}]\nname = {}\n",
        newcomer.id,
        quoted(&newcomer.name)
    );
    match &newcomer.time_zone {
        Some(zone) => text += &format!("time_zone = {}\n", quoted(zone)),
        None => text += "# The source tells no zone.\ntime_zone = \"UTC\"\n",
    }
    if let Some(email) = &newcomer.email {
        text += &format!("email = {}\n", quoted(email));
    }
    let mut by_connector: Vec<(&ConnectorId, Vec<&Handle>)> = Vec::new();
    for handle in &newcomer.handles {
        match by_connector
            .iter_mut()
            .find(|(id, _)| **id == handle.connector)
        {
            Some((_, handles)) => handles.push(handle),
            None => by_connector.push((&handle.connector, vec![handle])),
        }
    }
    let handles: Vec<String> = by_connector
        .iter()
        .map(|(id, handles)| {
            let ids: Vec<String> = handles.iter().map(|handle| quoted(&handle.id)).collect();
            match ids.as_slice() {
                [one] => format!("{id} = {one}"),
                many => format!("{id} = [{}]", many.join(", ")),
            }
        })
        .collect();
    text + &format!("handles = {{ {} }}\n\n", handles.join(", "))
}

/// Returns a text as a TOML string; JSON's escapes are TOML's too, but for one character that nobody needs.
fn quoted(text: &str) -> String {
    let clean: String = text.chars().filter(|letter| *letter != '\u{7f}').collect();
    json!(clean).to_string()
}

fn append(file: &Path, text: &str) -> Result<()> {
    let mut opened = std::fs::File::options()
        .create(true)
        .append(true)
        .open(file)
        .with_context(|| format!("cannot write {}", file.display()))?;
    let is_new = opened.metadata()?.len() == 0;
    let lead = if is_new { "" } else { "\n" };
    opened.write_all(format!("{lead}{}\n", text.trim_end()).as_bytes())?;
    opened
        .sync_all()
        .with_context(|| format!("cannot write {}", file.display()))
}

fn suggest(global: &Global) -> Result<()> {
    let site = Site::open_read_only(global)?;
    let people = site.store.read_now(|c| people::people(c, None))?;
    let proposals = identity::proposals(&site.roster.members, &people);
    if global.json {
        for proposal in &proposals {
            output::json_line(&json!({
                "member": proposal.member.as_str(), "connector": proposal.handle.connector.as_str(),
                "handle": &*proposal.handle.id, "sign": proposal.sign.as_str(),
            }))?;
        }
        return Ok(());
    }
    if proposals.is_empty() {
        return output::line("No account looks like a member's that is not theirs already.");
    }
    for proposal in &proposals {
        let name = site.roster.name_of(&proposal.handle);
        let name = daybrief_index::printable(&name);
        output::line(&format!(
            "[members.{}] handles.{} = {}    # {}: {name}",
            proposal.member,
            proposal.handle.connector,
            daybrief_index::printable(&quoted(&proposal.handle.id)),
            proposal.sign.as_str(),
        ))?;
    }
    output::line("\nNothing was written; put what is right into the configuration.")
}

impl Forget {
    fn run(self, global: &Global) -> Result<()> {
        let site = Site::open(global)?;
        let member = member_of(&site, &self.member)?;
        let handles: Vec<Handle> = member.handles.values().flatten().cloned().collect();
        if !self.yes {
            let mut counts = std::collections::BTreeMap::new();
            site.store.read_now(|c| {
                members::export(c, &member, |value| {
                    let what = value["what"].as_str().unwrap_or("").to_owned();
                    *counts.entry(what).or_insert(0_usize) += 1;
                    Ok(())
                })
            })?;
            if global.json {
                let told = json!({ "member": self.member, "would_forget": counts });
                return output::json_line(&told);
            }
            let parts: Vec<String> = counts
                .iter()
                .map(|(what, number)| count(*number, what))
                .collect();
            return output::line(&format!(
                "Would forget {}: {}. Nothing was changed; repeat it with --yes. `daybrief members export {}` prints all of it.",
                self.member,
                parts.join(", "),
                self.member
            ));
        }
        let _lock = InstanceLock::take(&site.data_dir).context("cannot forget")?;
        let (id, now) = (member.id.clone(), Timestamp::now());
        let forgotten = site
            .store
            .write_now(|c| members::forget(c, &id, &handles, now))?;
        let index = site.index()?;
        follow::follow(&site.store, &index, &site.roster, |_, _| {})?;
        if global.json {
            return output::json_line(&json!({
                "member": self.member, "events": forgotten.events, "briefings": forgotten.briefings, "accounts": forgotten.accounts,
                "suggestions": forgotten.suggestions,
            }));
        }
        output::line(&format!(
            "Forgot the words of {}, {}, {} and {} of {}. Now remove [members.{}] from the configuration; sources that are still read will tell of the account again, without what was said before.",
            count(forgotten.events, "event"),
            count(forgotten.briefings, "briefing"),
            count(forgotten.accounts, "account"),
            count(forgotten.suggestions, "suggestion"),
            self.member,
            self.member
        ))
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ if what == "feedback" => format!("{number} {what}"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let office = ConnectorId::new("office");
        let newcomer = Newcomer {
            id: "zoe".into(),
            name: "Zoë \"Z\" \u{7f}\u{1b}[31m\n".into(),
            email: Some("zoe@example.org".into()),
            time_zone: None,
            handles: vec![
                Handle::new(&office, "U1"),
                Handle::new(&office, "U2"),
                Handle::new(&ConnectorId::new("code"), "zoe"),
            ],
        };
        let read: toml::Table = table_of(&newcomer).parse().unwrap();
        let zoe = &read["members"]["zoe"];
        assert_eq!(zoe["name"].as_str(), Some("Zoë \"Z\" \u{1b}[31m\n"));
        assert_eq!(zoe["handles"]["office"].as_array().unwrap().len(), 2);
        assert_eq!(zoe["handles"]["code"].as_str(), Some("zoe"));
    }
}
