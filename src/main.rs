//! Parses arguments, loads the configuration and runs one command.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    daybrief::cli::run(daybrief::cli::Cli::parse())
}
