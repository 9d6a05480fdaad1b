//! The command line: arguments, one file per command, exit codes 0 (done), 1 (failed) and 2 (usage).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

mod ask;
mod backtest;
mod backup;
mod brief;
mod check;
mod completions;
mod demo;
mod eval;
mod explain;
mod feedback;
mod index;
mod init;
mod members;
mod output;
mod prompts;
mod replay;
mod run;
mod search;
mod site;
mod status;
mod suggest;
mod sync;
mod time;

/// A morning briefing for every member of a distributed team, at the start of their own day.
#[derive(Debug, Parser)]
#[command(
    name = "daybrief",
    version,
    about,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = crate::config::FILE_NAME, env = "DAYBRIEF_CONFIG")]
    pub config: PathBuf,
    /// Where daybrief keeps its store and index [default: `data_dir` of the configuration, else .daybrief beside it].
    #[arg(long, global = true, value_name = "DIR", env = "DAYBRIEF_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print data as JSON, with stable field names.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error; twice for everything.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play one night of a bundled sample team and print its briefings.
    Demo(demo::Demo),
    /// Write a first configuration file.
    Init(init::Init),
    /// Look at every source, member and sink, and say what is missing and how to mend it.
    Check(check::Check),
    /// Read the sources now.
    Sync(sync::Sync),
    /// Run the daemon: read the sources and brief each member at the start of their own day.
    Run(run::Run),
    /// Search everything the asker may read.
    Search(search::Search),
    /// Answer a question with quotes from everything the asker may read.
    Ask(ask::Ask),
    /// Look at the index, check it, or build it again from the store.
    Index(index::Index),
    /// Print one member's briefing as it would be now.
    Brief(brief::Brief),
    /// Print every briefing that would have been sent, as JSON lines.
    Replay(replay::Replay),
    /// Say why a line of a briefing stands there and what it rests on.
    Explain(explain::Explain),
    /// Say who might take a ticket, why, and what it may repeat.
    Suggest(suggest::Suggest),
    /// Say what to do with a line of a briefing, or show what was said and learned.
    Feedback(feedback::Feedback),
    /// Show where sources, members and deliveries stand.
    Status(status::Status),
    /// Measure daybrief on the team's own past.
    Backtest(backtest::Backtest),
    /// Measure a part of daybrief on labelled data.
    Eval(eval::Eval),
    /// Who is who across systems, and what is stored about one person.
    Members(members::Members),
    /// Copy the store to a file, also while `run` is at work.
    Backup(backup::Backup),
    /// Show, compare and try what a model is told.
    Prompts(prompts::PromptsCommand),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
}

/// Stands for the `-` of a word that `search` leaves out, so that `-draft` is not read as an option.
const LEFT_OUT: char = '\u{2212}';

/// Returns the arguments as the parser wants them: after `search`, a word such as `-draft` is no option.
pub fn arguments(given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut is_search = false;
    let mut is_over = false;
    given
        .into_iter()
        .map(|argument| {
            let Some(text) = argument.to_str() else {
                return argument;
            };
            is_over |= text == "--";
            if !is_search || is_over {
                is_search |= text == "search";
                return argument;
            }
            match text.strip_prefix('-') {
                Some(word) if !word.is_empty() && !word.starts_with('-') && !is_flag(word) => {
                    format!("{LEFT_OUT}{word}").into()
                }
                _ => argument,
            }
        })
        .collect()
}

fn is_flag(letters: &str) -> bool {
    matches!(letters, "h" | "V") || letters.chars().all(|letter| letter == 'v')
}

/// Runs one command and returns its exit code.
pub fn run(cli: Cli) -> ExitCode {
    output::start_log(cli.global.verbose, matches!(cli.command, Command::Run(_)));
    match dispatch(&cli.global, cli.command) {
        Ok(code) => code,
        // Whoever reads our output has seen enough: `daybrief replay … | head`.
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error, cli.global.json);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(global: &Global, command: Command) -> Result<ExitCode> {
    match command {
        Command::Sync(command) => command.run(global),
        Command::Run(command) => command.run(global),
        Command::Init(command) => command.run(global),
        Command::Check(command) => command.run(global),
        Command::Explain(command) => command.run(global),
        Command::Suggest(command) => command.run(global),
        Command::Feedback(command) => command.run(global),
        Command::Status(command) => command.run(global),
        Command::Search(command) => command.run(global),
        Command::Ask(command) => command.run(global),
        Command::Index(command) => command.run(global),
        Command::Brief(command) => command.run(global),
        Command::Replay(command) => command.run(global),
        Command::Backtest(command) => command.run(global),
        Command::Eval(command) => command.run(global),
        Command::Members(command) => command.run(global),
        Command::Backup(command) => command.run(global),
        Command::Prompts(command) => command.run(global),
        Command::Completions(command) => command.run(),
        Command::Demo(command) => command.run(global),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_to_leave_out_is_no_option_and_options_stay_options() {
        let read = |line: &str| {
            let cli = Cli::try_parse_from(arguments(line.split(' ').map(OsString::from)));
            match cli
                .unwrap_or_else(|error| panic!("{line}: {error}"))
                .command
            {
                Command::Search(search) => search,
                other => panic!("{other:?}"),
            }
        };
        let search = read("daybrief --json search login -draft --limit 3 -vv --as ana -\"two");
        assert_eq!(search.text(), "login -draft -\"two");
        assert_eq!((search.limit, search.asker.as_deref()), (3, Some("ana")));
        assert_eq!(read("daybrief search -- --limit").text(), "--limit");
        let unknown = arguments(["daybrief", "brief", "-x"].map(OsString::from));
        assert!(Cli::try_parse_from(unknown).is_err());
    }
}
