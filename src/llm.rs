//! A model behind an OpenAI-compatible server: one question, one answer, within limits of time, size and money.
//!
//! ```text
//! prompts (front matter, template) ─► Question ─► ladder (how to ask for JSON) ─► async-openai ─► http ─► Reply ─► salvage
//! ```
//!
//! Nothing here knows what a briefing is. A server that does not answer is left alone for a while, so that a morning
//! waits for it once and not once a thread. No text from outside reaches the log.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_openai::Client;
use async_openai::config::{AzureConfig, Config as ApiConfig, OpenAIConfig};
use async_openai::error::OpenAIError;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::config::LlmConfig;
use crate::connectors::secret;
use crate::http::openai::{Through, reason_of};
use crate::http::{Http, Options, Pace, Scope};

pub mod fake;
pub mod ladder;
pub mod orders;
pub mod prompts;
pub mod salvage;
pub mod spend;
pub mod tokens;

#[cfg(test)]
mod tests;

pub use ladder::Rung;
pub use prompts::{Prompt, Prompts};
pub use spend::Price;

use ladder::Trait;

/// How long a server that failed is left alone.
const REST: SignedDuration = SignedDuration::from_mins(5);

/// A model that can be asked. Clones share its limits and what it has learned about the server.
#[derive(Clone)]
pub struct Llm {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client<Box<dyn ApiConfig>>,
    config: LlmConfig,
    prompts: Prompts,
    clock: Clock,
    gate: Semaphore,
    /// The first way of asking for JSON that was not refused.
    rung: AtomicU8,
    /// What else the server refused, as bits of [`Trait`].
    traits: AtomicU8,
    rests_until: Mutex<Option<Timestamp>>,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What it is for: the prompt's name.
    pub purpose: String,
    /// The turns: role and text.
    pub turns: Vec<(&'static str, String)>,
    /// The form of the answer: its name and JSON schema.
    pub schema: (String, Value),
    /// The most tokens of the answer.
    pub max_output_tokens: usize,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What the model wrote.
    pub text: String,
    /// Whether it was cut at its limit.
    pub is_cut: bool,
    /// Tokens read, as the server counts or as we estimate.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The question is longer than the model reads.
    TooLong,
    /// The time was over before it was this question's turn, or before the server had had its own; it may be well.
    NoTime,
    /// The server does not answer, not in time, or not now.
    Unavailable(String),
    /// The server answers, and will answer the same again: no key, no such model.
    Refused(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::TooLong => f.write_str("the question is longer than the model reads"),
            Failure::NoTime => f.write_str("there was no time left for an answer"),
            Failure::Unavailable(reason) | Failure::Refused(reason) => f.write_str(reason),
        }
    }
}

impl Llm {
    /// Returns the model of the configuration over a stack of its own: one try a call, no second one.
    ///
    /// # Errors
    /// When the key is not where the table says, or a prompt is broken.
    pub fn open(config: &LlmConfig, base: &std::path::Path, clock: Clock) -> Result<Llm> {
        let http = Http::new(stack_options(config), clock.clone());
        Llm::over(http, config, base, clock)
    }

    /// Returns the model over a given stack; tests and rehearsals put a fake server under it.
    ///
    /// # Errors
    /// As [`Llm::open`].
    pub fn over(
        http: Http,
        config: &LlmConfig,
        base: &std::path::Path,
        clock: Clock,
    ) -> Result<Llm> {
        let key = match (&config.api_key_env, &config.api_key_file) {
            (None, None) => String::new(),
            (env, file) => {
                let keys = ("api_key_env", "api_key_file");
                let key = secret::named("llm", keys, env.as_deref(), file.as_deref(), base)?;
                key.expose_secret().to_owned()
            }
        };
        let address = config.base_url.trim_end_matches('/');
        let api: Box<dyn ApiConfig> = match &config.azure_deployment {
            None => Box::new(
                OpenAIConfig::new()
                    .with_api_base(address)
                    .with_api_key(key)
                    .with_org_id("")
                    .with_project_id(""),
            ),
            Some(deployment) => Box::new(
                AzureConfig::new()
                    .with_api_base(address)
                    .with_api_key(key)
                    .with_deployment_id(deployment)
                    .with_api_version(&config.azure_api_version),
            ),
        };
        let scope = Scope::new("llm", Pace::per_minute(600));
        // The client builds a connection of its own that is never used, and wants to know how to encrypt even so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::with_config(api).with_http_service(Through::new(http, "llm", scope));
        let prompts = match &config.prompts {
            Some(folder) => Prompts::with_folder(&base.join(folder))
                .context("in the folder that [llm] prompts names")?,
            None => Prompts::built_in()?,
        };
        Ok(Llm {
            inner: Arc::new(Inner {
                client,
                config: config.clone(),
                prompts,
                clock,
                gate: Semaphore::new(config.concurrency),
                rung: AtomicU8::new(0),
                traits: AtomicU8::new(0),
                rests_until: Mutex::new(None),
            }),
        })
    }

    /// Returns the table it was made from.
    pub fn config(&self) -> &LlmConfig {
        &self.inner.config
    }

    /// Returns its prompts.
    pub fn prompts(&self) -> &Prompts {
        &self.inner.prompts
    }

    /// Returns its clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Returns how many tokens a question may have, its fixed words included.
    pub fn room(&self) -> usize {
        let config = &self.inner.config;
        config.context_tokens - config.max_output_tokens
    }

    /// Returns the way of asking for JSON that the server has not refused so far.
    pub fn rung(&self) -> Rung {
        Rung::at(self.inner.rung.load(Ordering::Relaxed))
    }

    /// Returns whether the server is being left alone.
    pub fn is_resting(&self) -> bool {
        let until = *self
            .inner
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| self.inner.clock.now() < until)
    }

    /// Asks a question within a time. Each way of asking for JSON that the server refuses is tried once, and remembered.
    ///
    /// # Errors
    /// When there is no answer; whoever asks goes on without.
    pub async fn ask(&self, question: &Question, within: Duration) -> Result<Reply, Failure> {
        let resting = || {
            Failure::Unavailable(
                "the model failed a moment ago and is left alone for a while".into(),
            )
        };
        if self.is_resting() {
            return Err(resting());
        }
        let begun = tokio::time::Instant::now();
        // A slow server that serves one after the other is no dead one: the wait for a turn is not its time.
        let Ok(_turn) = tokio::time::timeout(within, self.inner.gate.acquire()).await else {
            return Err(Failure::NoTime);
        };
        // Whoever waited for a turn while the server failed does not ask it again.
        if self.is_resting() {
            return Err(resting());
        }
        let left = within.saturating_sub(begun.elapsed());
        let own = Duration::from_secs(self.inner.config.timeout_secs);
        let asked = tokio::time::timeout(left.min(own), self.climb_down(question)).await;
        let answer = asked.unwrap_or_else(|_| {
            if left < own {
                return Err(Failure::NoTime);
            }
            Err(Failure::Unavailable(format!(
                "the model did not answer within {} s",
                own.as_secs()
            )))
        });
        if let Err(Failure::Unavailable(reason) | Failure::Refused(reason)) = &answer
            && !self.is_resting()
        {
            self.rest();
            warn!(
                purpose = question.purpose,
                reason, "The model cannot be asked; lines stay quotes"
            );
        }
        answer
    }

    fn rest(&self) {
        let until = self.inner.clock.now().checked_add(REST).ok();
        *self
            .inner
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
    }

    async fn climb_down(&self, question: &Question) -> Result<Reply, Failure> {
        // Each refusal teaches one thing, so the loop ends: four rungs and two traits.
        for _ in 0..=Rung::ALL.len() + Trait::ALL.len() {
            let rung = self.rung();
            let traits = self.inner.traits.load(Ordering::Relaxed);
            let body = ladder::body_of(question, &self.inner.config.model, rung, traits);
            let sent: Result<Value, OpenAIError> = self.inner.client.chat().create_byot(body).await;
            let error = match sent {
                Ok(value) => return ladder::reply_of(&value, question),
                Err(error) => error,
            };
            let (status, said) = told_by(&error);
            let lesson = ladder::lesson_of(status, &said, rung, traits);
            match lesson {
                ladder::Lesson::Format => {
                    debug!(
                        rung = rung.name(),
                        "The server refuses this way of asking for JSON"
                    );
                    self.inner.rung.store(rung as u8 + 1, Ordering::Relaxed);
                }
                ladder::Lesson::Without(what) => {
                    self.inner
                        .traits
                        .store(traits | what as u8, Ordering::Relaxed);
                }
                ladder::Lesson::TooLong => return Err(Failure::TooLong),
                ladder::Lesson::Unavailable => {
                    return Err(Failure::Unavailable(reason_of(&error, "the model")));
                }
                ladder::Lesson::Refused => {
                    return Err(Failure::Refused(reason_of(&error, "the model")));
                }
            }
        }
        Err(Failure::Refused(
            "the server refuses every way of asking for JSON".into(),
        ))
    }
}

/// Returns how patient calls to a model are: they are long, and nobody asks twice.
pub fn stack_options(config: &LlmConfig) -> Options {
    Options {
        attempt_timeout: Duration::from_secs(config.timeout_secs),
        attempts: 1,
        patience: Duration::ZERO,
        max_bytes: 4 << 20,
        ..Options::default()
    }
}

/// Returns the status of an error and what the server said; the words are for [`ladder::lesson_of`] only, never for a log.
fn told_by(error: &OpenAIError) -> (Option<u16>, String) {
    match error {
        OpenAIError::ApiError(api) => (
            Some(api.status_code.as_u16()),
            format!(
                "{} {} {} {}",
                api.api_error.message,
                api.api_error.r#type.as_deref().unwrap_or_default(),
                api.api_error.param.as_deref().unwrap_or_default(),
                api.api_error.code.as_deref().unwrap_or_default()
            ),
        ),
        OpenAIError::JSONDeserialize(_, content) => (None, content.clone()),
        _ => (None, String::new()),
    }
}

/// Returns the form of an answer as the last words of the instructions, for servers that know no schema.
pub fn form_in_words(schema: &Value) -> String {
    format!(
        "Answer with one JSON object and nothing else. It must match this JSON schema: {}",
        json!(schema)
    )
}
