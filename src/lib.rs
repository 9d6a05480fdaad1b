//! daybrief: a morning briefing for every member of a distributed team, at the start of their own day.

pub mod connectors;
pub mod model;
pub mod text;
