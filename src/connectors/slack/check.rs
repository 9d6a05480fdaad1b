//! What a Slack token may and may not see, for `daybrief check`.

use anyhow::Result;
use serde_json::{Value, json};

use super::api::{Auth, Client, Conversation, Conversations, History};
use super::{Fact, SlackConfig};
use crate::connectors::files::counted;
use crate::http::Http;

/// How far the clocks may be apart, in seconds.
const MAX_SKEW: i64 = 60;
/// How many channels are named.
const NAMED: usize = 5;

/// Asks Slack who the token is, what it may do and where it is.
pub async fn check(
    config: &SlackConfig,
    client: &Client,
    app: Option<&Client>,
    http: &Http,
) -> Result<Vec<Fact>> {
    let answer = client.read_answer("auth.test", &[]).await?;
    let auth: Auth = answer.json("auth.test")?;
    let mut facts = vec![Fact::Fine(format!("reads {} ({})", auth.team, auth.url))];
    let granted = answer.header("x-oauth-scopes").unwrap_or_default();
    facts.extend(scopes(config, granted));
    facts.push(pushes(app).await);
    if let Some(skew) = answer.clock_skew_secs(http.clock().now())
        && skew.abs() > MAX_SKEW
    {
        facts.push(Fact::Note(format!(
            "this machine's clock is {} s {} Slack's; set it, or mornings come at the wrong time",
            skew.abs(),
            if skew > 0 { "behind" } else { "ahead of" }
        )));
    }
    if !granted.is_empty() && !granted.contains("channels:read") {
        return Ok(facts);
    }
    let (joined, others) = channels(config, client).await?;
    let wanted = Wanted::of(config);
    let asked_for = |channels: Vec<Conversation>| -> Vec<Conversation> {
        let wanted_ones = channels.into_iter().filter(|channel| wanted.has(channel));
        wanted_ones.collect()
    };
    let (joined, others) = (asked_for(joined), asked_for(others));
    facts.push(Fact::Fine(counted(
        joined.len() as u64,
        "channel",
        "channels",
    )));
    let unknown = wanted.unknown(joined.iter().chain(&others));
    if !unknown.is_empty() {
        facts.push(Fact::Note(format!(
            "`channels` names {}, which Slack does not show; correct it, or /invite the app where it is private and set private_channels = true",
            unknown.join(", ")
        )));
    }
    if !others.is_empty() {
        let named = others.iter().take(NAMED);
        let named: Vec<String> = named.map(|channel| format!("#{}", channel.name)).collect();
        facts.push(Fact::Note(format!(
            "it is not in {}, such as {}; /invite it where it shall read",
            counted(others.len() as u64, "public channel", "public channels"),
            named.join(", ")
        )));
    }
    if let Some(channel) = joined.first() {
        let asked = [("channel", channel.id.as_str()), ("limit", "100")];
        let history: Result<History, _> = client.read("conversations.history", &asked).await;
        match history {
            Ok(history) if history.has_more && history.messages.len() <= 15 => {
                facts.push(Fact::Note("Slack gives this app 15 messages a minute, as to apps that are distributed without its review; create an app of your own from slack/manifest.yaml".into()));
            }
            Ok(_) => {}
            Err(error) => facts.push(Fact::Note(error.to_string())),
        }
    }
    Ok(facts)
}

/// Returns whether Slack pushes, so that buttons work.
async fn pushes(app: Option<&Client>) -> Fact {
    let Some(app) = app else {
        return Fact::Fine("no App-Level Token: read on the interval, briefings without buttons; 👍, 👎, stop and questions are heard with the next reading".into());
    };
    // The address is good for one socket and is left to expire.
    let opened: Result<Value, _> = app.repeat("apps.connections.open", &json!({})).await;
    match opened {
        Ok(_) => Fact::Fine("Slack pushes by Socket Mode, and briefings have buttons".into()),
        Err(error) => Fact::Note(error.to_string()),
    }
}

/// Compares the scopes that were granted with those that the config needs.
fn scopes(config: &SlackConfig, granted: &str) -> Vec<Fact> {
    if granted.is_empty() {
        return Vec::new();
    }
    let has = |scope: &&str| granted.split(',').any(|held| held.trim() == *scope);
    let mut reading = vec!["channels:read", "channels:history", "users:read"];
    if config.private_channels {
        reading.extend(["groups:read", "groups:history"]);
    }
    if config.direct_messages {
        reading.extend(["mpim:read", "mpim:history"]);
    }
    let groups = [
        ("cannot read all that the config asks for", reading),
        (
            "cannot match people by mail address",
            vec!["users:read.email"],
        ),
        (
            "cannot send briefings",
            vec!["chat:write", "im:write", "im:history"],
        ),
    ];
    let mut groups = groups.to_vec();
    if config.has_app_token() {
        groups.push((
            "hears 👍 and 👎 only before the next briefing",
            vec!["reactions:read"],
        ));
    }
    let mut facts = Vec::new();
    for (lack, needed) in groups {
        let missing: Vec<&str> = needed.into_iter().filter(|scope| !has(scope)).collect();
        if !missing.is_empty() {
            facts.push(Fact::Note(format!(
                "{lack}: add {} under OAuth & Permissions of the app and install it again",
                missing.join(", ")
            )));
        }
    }
    if facts.is_empty() {
        facts.push(Fact::Fine("all scopes are there".into()));
    }
    facts
}

/// The channels that the config asks for; all when it names none.
struct Wanted(Vec<String>);

impl Wanted {
    fn of(config: &SlackConfig) -> Wanted {
        let names = config.channels.iter();
        Wanted(
            names
                .map(|name| name.trim_start_matches('#').to_owned())
                .collect(),
        )
    }

    fn has(&self, channel: &Conversation) -> bool {
        let mut names = self.0.iter();
        self.0.is_empty() || names.any(|name| *name == channel.name || *name == channel.id)
    }

    /// Returns those that are not among the channels that Slack shows, as `#name`.
    fn unknown<'a>(&self, shown: impl Iterator<Item = &'a Conversation>) -> Vec<String> {
        let shown: Vec<&Conversation> = shown.collect();
        let is_shown = |name: &String| {
            let mut shown = shown.iter();
            shown.any(|channel| *name == channel.name || *name == channel.id)
        };
        let unknown = self.0.iter().filter(|name| !is_shown(name));
        unknown.map(|name| format!("#{name}")).collect()
    }
}

/// Returns the channels the app is in, and the public ones it is not in.
async fn channels(
    config: &SlackConfig,
    client: &Client,
) -> Result<(Vec<Conversation>, Vec<Conversation>)> {
    let (mut joined, mut others) = (Vec::new(), Vec::new());
    let mut cursor = String::new();
    loop {
        let mut parameters = vec![
            ("types", config.types()),
            ("exclude_archived", "true"),
            ("limit", "500"),
        ];
        if !cursor.is_empty() {
            parameters.push(("cursor", &cursor));
        }
        let page: Conversations = client.read("conversations.list", &parameters).await?;
        let next = page.next.cursor().map(str::to_owned);
        for channel in page.channels {
            if channel.is_member {
                joined.push(channel);
            } else if !channel.is_private && !channel.is_im && !channel.is_mpim {
                others.push(channel);
            }
        }
        match next {
            Some(next) => cursor = next,
            None => return Ok((joined, others)),
        }
    }
}
