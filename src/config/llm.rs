//! `[llm]`: a model that words what the facts say. Without the table every line is a quote.

use std::path::PathBuf;

use serde::Deserialize;

/// `[llm]`: any server that speaks the OpenAI way.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmConfig {
    /// The address up to and with `/v1`; for Azure the address of the resource.
    pub base_url: String,
    /// The model, by the server's name for it.
    pub model: String,
    /// The environment variable with the key; a server on the own machine needs none.
    pub api_key_env: Option<String>,
    /// A file that holds the key, relative to the configuration.
    pub api_key_file: Option<PathBuf>,
    /// The name of an Azure deployment; with it calls go the Azure way.
    pub azure_deployment: Option<String>,
    /// The version of Azure's interface.
    pub azure_api_version: String,
    /// How many tokens the model reads at once, its answer included.
    pub context_tokens: usize,
    /// The most tokens of one answer.
    pub max_output_tokens: usize,
    /// How long one call may take.
    pub timeout_secs: u64,
    /// How many calls run side by side.
    pub concurrency: usize,
    /// How long before a start the daemon begins to word; whatever comes later than two minutes before it stays a quote.
    pub lead_minutes: u32,
    /// The most tokens of a day, read and written; 0 = no limit.
    pub tokens_per_day: u64,
    /// The most tokens of a day for one member; 0 = no limit.
    pub tokens_per_member: u64,
    /// What a million tokens cost, read …
    pub price_in: f64,
    /// … and written.
    pub price_out: f64,
    /// The most money of a day; 0 = no limit.
    pub spend_per_day: f64,
    /// The most money of a day for one member; 0 = no limit.
    pub spend_per_member: f64,
    /// What the prices are in; only shown.
    pub currency: String,
    /// Whether lines in a language that the reader does not read get a translation beside them.
    pub translate: bool,
    /// Whether a few words say behind the counts what a morning is about: one more call a member and morning.
    pub headline: bool,
    /// A folder with prompts that replace the built-in ones, relative to the configuration.
    pub prompts: Option<PathBuf>,
}

impl Default for LlmConfig {
    fn default() -> Self {
        LlmConfig {
            base_url: "https://api.openai.com/v1".into(),
            model: String::new(),
            api_key_env: None,
            api_key_file: None,
            azure_deployment: None,
            azure_api_version: "2024-10-21".into(),
            context_tokens: 8192,
            max_output_tokens: 700,
            timeout_secs: 60,
            concurrency: 2,
            lead_minutes: 20,
            tokens_per_day: 2_000_000,
            tokens_per_member: 50_000,
            price_in: 0.0,
            price_out: 0.0,
            spend_per_day: 0.0,
            spend_per_member: 0.0,
            currency: "EUR".into(),
            translate: true,
            headline: false,
            prompts: None,
        }
    }
}

impl LlmConfig {
    /// Returns what is wrong with the table as a whole, and at which key.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        if self.model.is_empty() {
            return Some((
                "model",
                "model must name the model, as the server calls it".into(),
            ));
        }
        match reqwest::Url::parse(&self.base_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => {
                return Some((
                    "base_url",
                    "base_url must be an address such as \"http://localhost:8080/v1\"".into(),
                ));
            }
        }
        if self.concurrency == 0 || self.timeout_secs == 0 {
            return Some((
                "concurrency",
                "concurrency and timeout_secs must be at least 1".into(),
            ));
        }
        if self.context_tokens < self.max_output_tokens + 1000 {
            return Some((
                "context_tokens",
                "context_tokens must leave 1000 tokens beside max_output_tokens".into(),
            ));
        }
        let amounts = [
            self.price_in,
            self.price_out,
            self.spend_per_day,
            self.spend_per_member,
        ];
        if amounts
            .iter()
            .any(|amount| !amount.is_finite() || *amount < 0.0)
        {
            return Some(("price_in", "prices and limits cannot be negative".into()));
        }
        let is_capped = self.spend_per_day > 0.0 || self.spend_per_member > 0.0;
        if is_capped && self.price_in == 0.0 && self.price_out == 0.0 {
            return Some((
                "spend_per_day",
                "a limit in money needs price_in and price_out".into(),
            ));
        }
        None
    }
}
