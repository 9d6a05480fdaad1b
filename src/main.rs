//! Parses arguments, loads the configuration and runs one command.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = daybrief::cli::arguments(std::env::args_os());
    daybrief::cli::run(daybrief::cli::Cli::parse_from(arguments))
}
