//! The integration tests: features through [`world::World`], files in and messages out, on a simulated clock.

mod ask;
mod briefing;
mod cli;
mod config;
mod delivery;
mod disk;
mod embedding;
mod mail;
mod owners;
mod process;
mod safety;
mod setup;
mod steering;
mod time;
mod tls;
mod transport;
mod triage;
mod words;
mod world;
