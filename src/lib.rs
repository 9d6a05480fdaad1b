//! daybrief: a morning briefing for every member of a distributed team, at the start of their own day.

pub mod brief;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connectors;
pub mod ingest;
pub mod lock;
pub mod model;
pub mod roster;
pub mod schedule;
pub mod stage;
pub mod store;
pub mod text;
