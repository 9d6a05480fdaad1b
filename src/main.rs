//! Parses arguments, loads the configuration and runs one command.

fn main() {}
