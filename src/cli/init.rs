//! `daybrief init`: a first configuration file.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use jiff::tz::TimeZone;

use super::{Global, output};

/// Writes a first configuration file, with everything it can find out by itself.
#[derive(Debug, Args)]
pub struct Init {
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let path = &global.config;
        let mut options = std::fs::File::options();
        options.write(true);
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let mut file = options.open(path).with_context(|| {
            format!(
                "cannot write {}; if it is there already, edit it or use --force",
                path.display()
            )
        })?;
        let zone = TimeZone::system();
        let text = first_config(&user_id(), zone.iana_name().unwrap_or("UTC"));
        file.write_all(text.as_bytes())?;
        if global.json {
            let told = serde_json::json!({
                "file": path.display().to_string(), "member": user_id(),
            });
            output::json_line(&told)?;
            return Ok(ExitCode::SUCCESS);
        }
        output::line(&format!(
            "Wrote {}. Next:\n  1. edit it: name your sources and your members\n  2. daybrief check    says what is missing\n  3. daybrief sync     reads the sources\n  4. daybrief brief {}  shows your briefing",
            path.display(),
            user_id()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the user's name as a member id.
fn user_id() -> String {
    let name = std::env::var("USER").unwrap_or_default().to_lowercase();
    let id: String = name
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(*c))
        .collect();
    if id.is_empty() { "me".to_owned() } else { id }
}

fn first_config(user: &str, zone: &str) -> String {
    format!(
        r##"# daybrief: every key with its default is in config.example.toml. Paths are relative to this file.

# What is read. Remove the # of what you have; the name after the dot is yours to choose.

# [connectors.chat]
# type = "slack-export"            # a Slack export: the folder or the zip itself
# path = "slack-export.zip"

# [connectors.mail]
# type = "mbox"                    # or "maildir"
# path = "list.mbox"

# [connectors.tracker]
# type = "tickets"                 # tickets as JSON lines, also .gz and .zst
# path = "tickets.jsonl"

# [connectors.calls]
# type = "transcripts"             # a folder of .vtt and .srt files
# path = "recordings"

# Live systems. Secrets are named here, never written: an environment variable, or a file by token_file.
# `daybrief check` then says what the token may not see and the next step.

# [connectors.office]
# type = "slack"                   # an app of your own, made from slack/manifest.yaml; /invite it to channels
# token_env = "SLACK_TOKEN"

# [connectors.code]
# type = "github"
# token_env = "GITHUB_TOKEN"
# repositories = ["owner/name"]

# [connectors.issues]
# type = "jira"
# site = "https://team.atlassian.net"
# user = "me@example.org"
# token_env = "JIRA_TOKEN"

# [connectors.inbox]
# type = "imap"
# host = "imap.example.org"
# user = "me@example.org"
# password_env = "IMAP_PASSWORD"

# Who is briefed, and who is who in the sources.
[members.{user}]
name = "{user}"
time_zone = "{zone}"
day_start = "09:00"
day_end = "17:30"
# holidays = "DE-BE"               # a region, or an .ics file
# away = [{{ from = "2026-12-24", to = "2027-01-01" }}]
# handles = {{ chat = "U024BE7LH", mail = "{user}@example.org", tracker = "{user}" }}

# Where briefings go: `console` if nothing is said, files in a folder, a direct message in Slack, mail (config.example.toml).
# [sinks.dm]
# type = "slack"
# connector = "office"
#
# [sinks.files]
# type = "file"
# path = "briefings"
#
# [delivery]
# sink = "files"

[search]
me = "{user}"
"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_first_file_loads_as_it_is_and_with_everything_switched_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daybrief.toml");
        let text = first_config("ana", "Europe/Lisbon");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Config::load(&path).unwrap().members.len(), 1);
        let all = text.lines().map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.contains('=') || rest.starts_with('['))
                .unwrap_or(line)
        });
        std::fs::write(&path, all.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(Config::load(&path).unwrap().connectors.len(), 8);
    }
}
