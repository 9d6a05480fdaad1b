//! The prompts on threads of our own writing: what a model makes of them, held to the checks and to what must be said.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::frame::Frame;
use super::request::source_of;
use super::{line, translate};
use crate::brief::checks::Checker;
use crate::brief::digest::{Digest, digest_of};
use crate::brief::draft::Draft;
use crate::llm::{Llm, salvage};
use crate::model::{
    Audience, AudienceId, ConnectorId, Event, EventId, EventKind, Handle, Learned, Logged,
    Markdown, Seq, Thread, ThreadId, ThreadKind, Ticket, Topic, TopicId,
};
use crate::roster::Roster;

static FIXTURES: &str = include_str!("../../../prompts/fixtures.json");

/// One thread and what came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// What it is about.
    pub name: String,
    /// The prompt.
    pub prompt: String,
    /// Why there is no answer.
    pub failure: Option<String>,
    /// Items that the model wrote.
    pub items: usize,
    /// Those that passed the checks.
    pub passed: usize,
    /// Things that must be said.
    pub expected: usize,
    /// Those that a passing item says.
    pub found: usize,
    /// Passing items that say what must not be said.
    pub wrong: usize,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// Tries every fixture, or those of one prompt.
///
/// # Errors
/// When a fixture is broken.
pub async fn run(llm: &Llm, only: Option<&str>) -> Result<Vec<Trial>> {
    let fixtures: Vec<Value> =
        serde_json::from_str(FIXTURES).context("prompts/fixtures.json is no JSON")?;
    let mut trials = Vec::new();
    for fixture in &fixtures {
        let prompt = fixture["prompt"].as_str().unwrap_or_default();
        if only.is_none_or(|only| only == prompt) {
            trials.push(one(llm, fixture, prompt).await?);
        }
    }
    Ok(trials)
}

async fn one(llm: &Llm, fixture: &Value, name: &str) -> Result<Trial> {
    let prompt = llm
        .prompts()
        .find(name)
        .with_context(|| format!("a fixture names the prompt {name}"))?;
    let mut trial = Trial {
        name: fixture["name"].as_str().unwrap_or_default().to_owned(),
        prompt: name.to_owned(),
        ..Trial::default()
    };
    let frame = Frame::random();
    let digest = (!fixture["messages"].is_null()).then(|| digest_from(fixture));
    let source = match &digest {
        Some(digest) => {
            let mut source = source_of(digest);
            if let Some(question) = fixture["question"].as_str() {
                source["question"] = json!(question);
            }
            source
        }
        None => json!({ "text": fixture["text"] }),
    };
    let language = fixture["language"].as_str();
    let most = llm.config().max_output_tokens;
    let question = frame.question(prompt, &source, language, most)?;
    let limit = Duration::from_secs(llm.config().timeout_secs);
    let reply = match llm.ask(&question, limit).await {
        Ok(reply) => reply,
        Err(failure) => {
            trial.failure = Some(failure.to_string());
            return Ok(trial);
        }
    };
    (trial.input_tokens, trial.output_tokens) = (reply.input_tokens, reply.output_tokens);
    let said: Vec<(String, Vec<u32>)> = match &digest {
        Some(digest) => {
            let items = salvage::list_in(&reply.text, "items").unwrap_or_default();
            trial.items = items.len();
            let draft = Draft::from_json(&json!({ "items": items }).to_string());
            let draft = draft.unwrap_or_default();
            let checker = Checker::new(digest);
            let passing = draft
                .items
                .iter()
                .filter_map(|item| checker.check(item).worded.map(|worded| (worded, item)));
            passing
                .map(|(worded, item)| (worded.text, item.citations.clone()))
                .collect()
        }
        None => {
            let found = salvage::object_in(&reply.text).unwrap_or_default();
            let words = found["text"].as_str().unwrap_or_default().to_owned();
            trial.items = usize::from(!words.is_empty());
            let original = fixture["text"].as_str().unwrap_or_default();
            let stands = match language {
                Some(language) => translate::stands(original, &words, language),
                None => line::stands(original, &words, 25),
            };
            let said = (stands && !frame.leaks_into(&words)).then_some((words, Vec::new()));
            said.into_iter().collect()
        }
    };
    trial.passed = said.len();
    for expected in fixture["expect"].as_array().into_iter().flatten() {
        trial.expected += 1;
        let cites: Vec<u64> = numbers(&expected["cites"]);
        let is_said = said.iter().any(|(text, cited)| {
            let lower = text.to_lowercase();
            let mut words = strings(&expected["words"]).peekable();
            let says =
                words.peek().is_none() || words.any(|word| lower.contains(&word.to_lowercase()));
            says && (cites.is_empty() || cited.iter().any(|n| cites.contains(&u64::from(*n))))
        });
        trial.found += usize::from(is_said);
    }
    trial.wrong = said
        .iter()
        .filter(|(text, _)| {
            let lower = text.to_lowercase();
            strings(&fixture["not"]).any(|word| lower.contains(&word.to_lowercase()))
        })
        .count();
    Ok(trial)
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn numbers(value: &Value) -> Vec<u64> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect()
}

/// Returns the digest of a fixture's messages.
pub(super) fn digest_from(fixture: &Value) -> Digest {
    let connector = ConnectorId::new("fixture");
    let (kind, ticket) = match fixture["kind"].as_str() {
        Some("ticket") => (
            ThreadKind::Ticket,
            Some(Ticket {
                key: "FIX-1".into(),
                status: "open".into(),
                ..Ticket::default()
            }),
        ),
        Some("mail") => (ThreadKind::Mail, None),
        _ => (ThreadKind::Conversation, None),
    };
    let thread = Thread {
        id: ThreadId::new(&connector, "1"),
        kind,
        space: None,
        title: fixture["title"].as_str().unwrap_or_default().to_owned(),
        url: String::new(),
        audience: Audience::Everyone,
        participants: BTreeSet::new(),
        ticket,
    };
    let start = Timestamp::UNIX_EPOCH;
    let mut new = BTreeSet::new();
    let messages = fixture["messages"].as_array().into_iter().flatten();
    let events = (1..).zip(messages).map(|(number, message)| {
        let at = start
            .checked_add(SignedDuration::from_mins(number))
            .unwrap_or(start);
        let seq = Seq(number.unsigned_abs());
        if message[1].as_bool().unwrap_or_default() {
            new.insert(seq);
        }
        Logged {
            seq,
            learned: Learned(at),
            event: Event {
                id: EventId::new(&connector, number.to_string()),
                thread: thread.id.clone(),
                kind: EventKind::Posted,
                author: message[0]
                    .as_str()
                    .map(|name| Handle::new(&connector, name)),
                occurred_at: at,
                text: Markdown(message[2].as_str().unwrap_or_default().to_owned()),
                aside: String::new(),
                mentions: Vec::new(),
                url: String::new(),
                audience: None,
                by_bot: false,
            },
            audience: AudienceId(1),
            is_removed: false,
        }
    });
    let topic = Topic {
        id: TopicId(1),
        events: events.collect(),
        thread: thread.clone(),
    };
    digest_of(&topic, &new, &Roster::default(), &[])
}

/// Returns a model that rehearses, for trying prompts without a server.
///
/// # Errors
/// When a prompt is broken.
pub fn rehearsal(prompts: Option<&Path>) -> Result<Llm> {
    use crate::clock::Clock;
    use crate::config::LlmConfig;
    use crate::llm::fake::{Fake, MODEL, Manner, Mind};
    let config = LlmConfig {
        base_url: "http://rehearsal.invalid/v1".into(),
        model: MODEL.into(),
        prompts: prompts.map(Path::to_path_buf),
        ..LlmConfig::default()
    };
    let http = Fake::new(Manner::Well, Mind::Faithful)
        .http(crate::llm::stack_options(&config), Clock::System);
    Llm::over(http, &config, Path::new(""), Clock::System)
}

/// Returns a fake server as a model to ask.
#[cfg(test)]
pub(super) fn fake_asking(fake: &crate::llm::fake::Fake) -> Llm {
    use crate::clock::Clock;
    use crate::config::LlmConfig;
    let config = LlmConfig {
        base_url: "http://model.invalid/v1".into(),
        model: crate::llm::fake::MODEL.into(),
        ..LlmConfig::default()
    };
    let http = fake.http(crate::llm::stack_options(&config), Clock::System);
    Llm::over(http, &config, Path::new(""), Clock::System).unwrap()
}
