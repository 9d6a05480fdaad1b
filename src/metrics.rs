//! What is counted and timed, in Prometheus' words: ids of connectors and kinds of outcome, never a name or a text.

use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::model::ConnectorId;

/// Where this process's figures are collected.
#[derive(Clone)]
pub struct Collected(PrometheusHandle);

impl Collected {
    /// Begins to collect; before that, and in commands that do not serve, figures go nowhere.
    ///
    /// # Errors
    /// When this process collects already.
    pub fn start() -> Result<Collected> {
        let handle = PrometheusBuilder::new()
            .install_recorder()
            .context("metrics are collected already")?;
        ::metrics::describe_counter!("daybrief_events_total", "Events stored, by connector.");
        ::metrics::describe_counter!(
            "daybrief_readings_total",
            "Readings of a source, by connector and result."
        );
        ::metrics::describe_histogram!(
            "daybrief_reading_seconds",
            "How long one reading of a source took, by connector."
        );
        ::metrics::describe_counter!(
            "daybrief_briefings_total",
            "Briefings, by what became of them."
        );
        ::metrics::describe_counter!("daybrief_hooks_total", "Hooks, by connector and result.");
        ::metrics::describe_counter!(
            "daybrief_requests_total",
            "Outbound requests, by connector, operation and status."
        );
        ::metrics::describe_gauge!(
            "daybrief_sources_in_trouble",
            "Sources that could not be read the last time."
        );
        ::metrics::describe_gauge!(
            "daybrief_last_reading_timestamp_seconds",
            "When all sources were last read."
        );
        Ok(Collected(handle))
    }

    /// Returns all figures as text.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// Counts a hook.
pub fn hook(connector: &ConnectorId, result: &'static str) {
    ::metrics::counter!("daybrief_hooks_total", "connector" => connector.to_string(), "result" => result).increment(1);
}

/// Counts and times one reading of a source.
pub fn reading(connector: &ConnectorId, result: &'static str, events: usize, took: Duration) {
    let id = connector.to_string();
    ::metrics::counter!("daybrief_events_total", "connector" => id.clone())
        .increment(u64::try_from(events).unwrap_or(u64::MAX));
    ::metrics::counter!("daybrief_readings_total", "connector" => id.clone(), "result" => result)
        .increment(1);
    ::metrics::histogram!("daybrief_reading_seconds", "connector" => id).record(took);
}

/// Notes how all sources stand after a reading.
pub fn sources(in_trouble: usize, at: jiff::Timestamp) {
    // Far below where a float stops counting by one.
    ::metrics::gauge!("daybrief_sources_in_trouble").set(in_trouble as f64);
    ::metrics::gauge!("daybrief_last_reading_timestamp_seconds").set(at.as_second() as f64);
}

/// Counts a briefing.
pub fn briefing(outcome: &'static str) {
    ::metrics::counter!("daybrief_briefings_total", "outcome" => outcome).increment(1);
}

/// Counts an outbound request.
pub fn request(connector: &str, operation: &str, status: &'static str) {
    ::metrics::counter!("daybrief_requests_total", "connector" => connector.to_owned(), "operation" => operation.to_owned(), "status" => status)
        .increment(1);
}
