//! The integration tests: features through [`world::World`], files in and messages out, on a simulated clock.

mod briefing;
mod cli;
mod config;
mod delivery;
mod mail;
mod owners;
mod process;
mod steering;
mod time;
mod transport;
mod triage;
mod world;
