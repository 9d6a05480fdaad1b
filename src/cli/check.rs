//! `daybrief check`: every source, member and sink, with the fix for what is wrong.

mod around;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::site::Site;
use super::{Global, output};
use crate::clock::Clock;
use crate::config::{MemberConfig, SinkConfig};
use crate::connectors::Fact;
use crate::llm::{Llm, Question};
use crate::model::{ConnectorId, Handle, Member};
use crate::schedule::holidays;
use crate::sinks::smtp::{Smtp, SmtpConfig};
use crate::store::people;

/// Looks at every source, member and sink, and says what is missing and how to mend it.
#[derive(Debug, Args)]
pub struct Check {}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Ok,
    Note,
    Wrong,
}

struct Findings(Vec<(Level, String, String)>);

impl Findings {
    fn add(&mut self, level: Level, of: impl ToString, says: impl ToString) {
        self.0.push((level, of.to_string(), says.to_string()));
    }
}

impl Check {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open(global)?;
        let mut findings = Findings(Vec::new());
        connectors(&site, &mut findings)?;
        members(&site, &mut findings)?;
        for (id, sink) in &site.config.sinks {
            if let SinkConfig::Smtp(smtp) = sink {
                mail_sink(&site, id, smtp, &mut findings)?;
            }
            if let SinkConfig::File { path } = sink {
                let dir = site.config.base.join(path);
                match std::fs::create_dir_all(&dir) {
                    Ok(()) => findings.add(
                        Level::Ok,
                        format!("sink {id}"),
                        format!("writes to {}", dir.display()),
                    ),
                    Err(error) => findings.add(
                        Level::Wrong,
                        format!("sink {id}"),
                        format!("cannot write to {}: {error}", dir.display()),
                    ),
                }
            }
        }
        model(&site, &mut findings)?;
        around::embedding(&site, &mut findings);
        around::qdrant(&site, &mut findings);
        around::listening(&site, &mut findings);
        around::secrets(&site, &mut findings);
        for team in site
            .roster
            .teams
            .iter()
            .filter(|team| team.members.is_empty())
        {
            findings.add(
                Level::Note,
                format!("team {}", team.id),
                "has no members; add `members = [\"…\"]`",
            );
        }
        let is_wrong = findings.0.iter().any(|(level, ..)| *level == Level::Wrong);
        for (level, of, says) in &findings.0 {
            if global.json {
                let level = match level {
                    Level::Ok => "ok",
                    Level::Note => "note",
                    Level::Wrong => "wrong",
                };
                output::json_line(&json!({ "level": level, "of": of, "says": says }))?;
            } else {
                let mark = match level {
                    Level::Ok => "✓",
                    Level::Note => "!",
                    Level::Wrong => "✗",
                };
                output::line(&format!("{mark} {of}: {says}"))?;
            }
        }
        Ok(if is_wrong {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// The most tokens that a model may spend on saying one word.
const CHECK_TOKENS: usize = 200;

/// Asks the model one short question, as a morning would.
fn model(site: &Site, findings: &mut Findings) -> Result<()> {
    let Some(config) = &site.config.llm else {
        return Ok(());
    };
    let of = format!("model {}", config.model);
    let llm = match Llm::open(config, &site.config.base, Clock::System) {
        Ok(llm) => llm,
        Err(error) => {
            findings.add(
                Level::Wrong,
                of,
                format!("{error:#}; until then every line is a quote"),
            );
            return Ok(());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let question = Question {
        purpose: "check".into(),
        turns: vec![(
            "user",
            "Return a JSON object whose \"text\" is the word ready.".into(),
        )],
        schema: llm.prompts().get("headline").schema.clone(),
        max_output_tokens: CHECK_TOKENS,
    };
    let limit = std::time::Duration::from_secs(config.timeout_secs);
    match runtime.block_on(llm.ask(&question, limit)) {
        Ok(reply) if reply.is_cut => findings.add(
            Level::Wrong,
            of,
            format!("says more than {CHECK_TOKENS} tokens where one word was asked for, as models do that think aloud; raise [llm] max_output_tokens, or take another model"),
        ),
        Ok(reply) if reply.text.trim().is_empty() => findings.add(
            Level::Wrong,
            of,
            "answers without a word; until it says something every line is a quote",
        ),
        Ok(_) => findings.add(
            Level::Ok,
            of,
            format!("answers; asked for JSON by {}", llm.rung().name()),
        ),
        Err(failure) => findings.add(
            Level::Wrong,
            of,
            format!("{failure}; until then every line is a quote"),
        ),
    }
    Ok(())
}

fn connectors(site: &Site, findings: &mut Findings) -> Result<()> {
    if site.config.connectors.is_empty() {
        findings.add(
            Level::Wrong,
            "connectors",
            "none; add a [connectors.NAME] table with `type` and `path`",
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for (id, connector) in &site.config.connectors {
        if let Err(error) = connector.open(id, &site.config.base, &site.http) {
            findings.add(Level::Wrong, id, format!("{error:#}"));
            continue;
        }
        let checked = connector.check(id, &site.config.base, &site.http);
        let facts = match runtime.block_on(checked) {
            Ok(facts) => facts,
            Err(error) => {
                findings.add(Level::Wrong, id, format!("{error:#}"));
                continue;
            }
        };
        let (mut fine, mut notes) = (Vec::new(), Vec::new());
        for fact in facts {
            match fact {
                Fact::Fine(says) => fine.push(says),
                Fact::Note(says) => notes.push(says),
            }
        }
        let says = format!("{}: {}", connector.type_name(), fine.join("; "));
        if !fine.is_empty() {
            findings.add(Level::Ok, id, says);
        }
        for says in notes {
            findings.add(Level::Note, id, says);
        }
    }
    Ok(())
}

/// Asks a mail server whether it takes mail from us, and says of whom nobody could tell whether a mail arrived.
fn mail_sink(site: &Site, id: &str, config: &SmtpConfig, findings: &mut Findings) -> Result<()> {
    let of = format!("sink {id}");
    let base = site.config.base.clone();
    let smtp = Smtp::new(id, config.clone(), base, &site.http, "", Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match runtime.block_on(smtp.check()) {
        Err(error) => findings.add(Level::Wrong, &of, format!("{error:#}")),
        Ok(facts) => {
            for fact in facts {
                match fact {
                    Fact::Fine(says) => findings.add(Level::Ok, &of, says),
                    Fact::Note(says) => findings.add(Level::Note, &of, says),
                }
            }
        }
    }
    let unseen: Vec<&str> = site
        .roster
        .members
        .iter()
        .filter(|member| member.is_briefed && site.config.sink_name_of(&member.id) == id)
        .filter(|member| {
            let to = site.config.address_of(&member.id, config);
            to.is_some_and(|to| site.config.mailboxes_of(config, &to).is_empty())
        })
        .map(|member| member.id.as_str())
        .collect();
    if !unseen.is_empty() {
        findings.add(
            Level::Note,
            &of,
            format!(
                "if a connection breaks while a mail is handed over, nobody can look whether it arrived at {}; it is then not sent again. Name an imap connector that gets a copy in `mailboxes`",
                unseen.join(", ")
            ),
        );
    }
    Ok(())
}

fn members(site: &Site, findings: &mut Findings) -> Result<()> {
    if site.roster.members.is_empty() {
        findings.add(
            Level::Wrong,
            "members",
            "none; add a [members.NAME] table with `time_zone` and `handles`",
        );
    }
    let known = site.store.read_now(|c| people::people(c, None))?;
    let year = Timestamp::now().to_zoned(TimeZone::UTC).year();
    for member in &site.roster.members {
        let table = site.config.members.get(member.id.as_str());
        let mut troubles = Vec::new();
        for id in site.config.connectors.keys() {
            let handles = member
                .handles
                .get(id)
                .map(Vec::as_slice)
                .unwrap_or_default();
            if handles.is_empty() {
                troubles.push(format!(
                    "no handle at {id}: nothing there is theirs; add it to `handles`"
                ));
            }
            let at_source: Vec<_> = known
                .iter()
                .filter(|person| {
                    person
                        .handle
                        .as_ref()
                        .is_some_and(|handle| handle.connector == *id)
                })
                .collect();
            for handle in handles {
                if !at_source.is_empty()
                    && !at_source
                        .iter()
                        .any(|person| person.handle.as_ref() == Some(handle))
                {
                    let first = member
                        .name
                        .split_whitespace()
                        .next()
                        .unwrap_or("")
                        .to_lowercase();
                    let close = at_source.iter().find(|person| {
                        !first.is_empty() && person.name.to_lowercase().contains(&first)
                    });
                    let close = close
                        .and_then(|person| person.handle.as_ref())
                        .map(|handle| format!("; did you mean {:?}?", &*handle.id));
                    troubles.push(format!(
                        "{id} knows no {:?}{}",
                        &*handle.id,
                        close.unwrap_or_default()
                    ));
                }
            }
        }
        if let Some(region) = table
            .and_then(|table| table.holidays.as_deref())
            .filter(|region| !region.ends_with(".ics"))
            && !holidays::covers(region, year + 1).unwrap_or(true)
        {
            troubles.push(format!("the holidays of {region} are not known to the end of {}; use an .ics file from then on", year + 1));
        }
        findings.add(Level::Ok, &member.id, morning_of(member));
        if let Some(table) = table {
            if !site
                .config
                .says(&["members", member.id.as_str(), "time_zone"])
            {
                troubles.push("no time_zone, so UTC is theirs; add time_zone = \"Europe/Lisbon\", or where they are".into());
            }
            troubles.extend(oddities(table));
        }
        for (connector, handle) in shared_handles(member, &site.roster.members) {
            troubles.push(format!(
                "{handle:?} at {connector} is also another member's; what is asked of one would be asked of both"
            ));
        }
        for trouble in troubles {
            findings.add(Level::Note, &member.id, trouble);
        }
    }
    Ok(())
}

/// Returns when a member is briefed, in words.
fn morning_of(member: &Member) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    if !member.is_briefed {
        return "not briefed (brief = false)".into();
    }
    let days: Vec<&str> = DAYS
        .into_iter()
        .zip(member.workdays)
        .filter_map(|(day, works)| works.then_some(day))
        .collect();
    let zone = member.time_zone.iana_name().unwrap_or("UTC");
    let at = member.day_start.strftime("%H:%M");
    match days.as_slice() {
        [] => "never briefed: `workdays` names no day".into(),
        ["Mon", "Tue", "Wed", "Thu", "Fri"] => format!("briefed at {at} in {zone}"),
        days => format!("briefed at {at} in {zone} on {}", days.join(", ")),
    }
}

/// Returns what in a member's table works and is hardly meant.
fn oddities(table: &MemberConfig) -> Vec<String> {
    let mut odd = Vec::new();
    if let Some(email) = &table.email
        && email.parse::<lettre::Address>().is_err()
    {
        odd.push(format!("email = {email:?} is no mail address"));
    }
    for language in &table.languages {
        if !is_language(language) {
            odd.push(format!(
                "languages: {language:?} is no language code, such as \"en\" or \"pt-BR\""
            ));
        }
    }
    odd
}

/// Returns whether a text has the shape of a language tag: two or three letters, then parts of up to eight.
fn is_language(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let is_word = |part: &str, most: usize| {
        (2..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    parts
        .next()
        .is_some_and(|first| is_word(first, 3) && first.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|part| is_word(part, 8))
}

/// Returns the accounts of a member that another one has, too.
fn shared_handles<'a>(
    member: &'a Member,
    members: &'a [Member],
) -> impl Iterator<Item = (&'a ConnectorId, &'a str)> {
    let own = member.handles.values().flatten();
    let is_shared = |handle: &&Handle| {
        let mut others = members.iter().filter(|other| other.id != member.id);
        others.any(|other| other.owns(handle))
    };
    own.filter(is_shared)
        .map(|handle| (&handle.connector, &*handle.id))
}
