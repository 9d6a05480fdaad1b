//! Spine 3: who might take a ticket, with reasons, and what it repeats.

pub mod backtest;
pub mod model;
pub mod past;
pub mod trivial;
