//! The integration tests, one binary.

mod briefing;
mod cli;
mod config;
mod delivery;
mod time;
mod world;
