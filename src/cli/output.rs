//! What all commands share about printing: the log, errors, closed pipes, progress bars.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::brief::render::{self, Links, Screen};

/// How wide text is where nobody says.
const WIDTH: usize = 80;
/// Longer lines are hard to read.
const MAX_WIDTH: usize = 100;

/// Starts the log on standard error. A daemon says what a day looks like; a command speaks only when something is wrong.
pub fn start_log(verbose: u8, is_daemon: bool) {
    let level = match (verbose, is_daemon) {
        (0, false) => "warn",
        (0, true) => "info",
        (1, _) => "daybrief=debug,info",
        (_, _) => "debug",
    };
    let filter = EnvFilter::try_from_env("DAYBRIEF_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // The client of the model logs answers that it cannot read, word for word.
    let filter = match "async_openai=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // A second start in one process (tests) keeps the first log.
    let _ = if std::env::var_os("DAYBRIEF_LOG_JSON").is_some() {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}

/// Prints an error with its causes, one plain line each.
pub fn print_error(error: &anyhow::Error, as_json: bool) {
    if as_json {
        // Nobody may be reading any more; the exit code tells it, too.
        let _ = json_line(&json!({ "error": format!("{error:#}") }));
    }
    let mut causes = error.chain().map(ToString::to_string);
    if let Some(first) = causes.next() {
        eprintln!("daybrief: {first}");
    }
    for cause in causes {
        eprintln!("  because: {cause}");
    }
}

/// Returns whether an error only means that nobody reads our output any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Prints a line of text; a closed pipe is an error that [`is_closed_pipe`] knows.
///
/// # Errors
/// When standard output cannot be written.
pub fn line(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Prints a JSON value on one line.
///
/// # Errors
/// When standard output cannot be written.
pub fn json_line(value: &Value) -> Result<()> {
    line(&render::json_line(value))
}

/// Returns a progress bar on standard error; it shows nothing where nobody looks.
pub fn progress(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{prefix:>14} {bar:30} {percent:>3} %  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(what.to_owned());
    bar
}

/// Returns a number with commas between thousands.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number with its noun: `1 thread`, `2,000 threads`.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Returns what standard output can show: colours unless `NO_COLOR` or a pipe says otherwise, links on a terminal only.
pub fn screen() -> Screen {
    let stdout = std::io::stdout();
    let is_terminal = stdout.is_terminal();
    // An empty table knows how wide the terminal is.
    let width = comfy_table::Table::new().width().filter(|_| is_terminal);
    Screen {
        width: width.map_or(WIDTH, |width| usize::from(width).min(MAX_WIDTH)),
        color: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        links: if is_terminal {
            Links::Inline
        } else {
            Links::Hidden
        },
    }
}
