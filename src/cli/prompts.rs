//! `daybrief prompts`: what a model is told, how a team's own prompts differ, and whether they work.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Global, output};
use crate::brief::words::trial;
use crate::clock::Clock;
use crate::config::Config;
use crate::llm::{Llm, Prompt, Prompts, tokens};

/// Shows, compares and tries the prompts.
#[derive(Debug, Args)]
pub struct PromptsCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the prompts, or print one.
    Show {
        /// Its name.
        name: Option<String>,
    },
    /// Compare the prompts of the folder that `[llm] prompts` names with the built-in ones.
    Diff,
    /// Try the prompts on bundled threads: with the model of `[llm]`, or with one that only rehearses.
    Test {
        /// Only this prompt.
        name: Option<String>,
        /// The rehearsing model, even where `[llm]` names another.
        #[arg(long)]
        rehearse: bool,
    },
}

impl PromptsCommand {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let prompts = prompts_of(global)?;
        match self.what {
            What::Show { name: None } => list(&prompts, global.json),
            What::Show { name: Some(name) } => show(&prompts, &name, global.json),
            What::Diff => diff(&prompts),
            What::Test { name, rehearse } => test(global, name.as_deref(), rehearse),
        }
    }
}

/// Returns the prompts that the configuration leads to; without one, the built-in ones.
fn prompts_of(global: &Global) -> Result<Prompts> {
    if !global.config.exists() {
        return Prompts::built_in();
    }
    let config = Config::load(&global.config)?;
    match config.llm.and_then(|llm| llm.prompts) {
        Some(folder) => Prompts::with_folder(&config.base.join(folder)),
        None => Prompts::built_in(),
    }
}

fn list(prompts: &Prompts, as_json: bool) -> Result<ExitCode> {
    for prompt in prompts.all() {
        let fixed = tokens::estimate(&prompt.system) + tokens::estimate(&prompt.user);
        if as_json {
            output::json_line(&json!({
                "name": prompt.name, "purpose": prompt.purpose, "inputs": prompt.inputs, "model_class": prompt.model_class,
                "token_budget": prompt.token_budget, "fixed_tokens": fixed, "schema": prompt.schema.0, "hash": prompt.hash,
                "replaced": prompt.is_replaced,
            }))?;
            continue;
        }
        let own = if prompt.is_replaced { ", your own" } else { "" };
        output::line(&format!(
            "{:<20} {}\n{:<20} {} of {} tokens fixed, for a {} model, {}{own}",
            prompt.name,
            prompt.purpose,
            "",
            fixed,
            prompt.token_budget,
            prompt.model_class,
            prompt.hash
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(prompts: &'a Prompts, name: &str) -> Result<&'a Prompt> {
    let known: Vec<&str> = prompts.all().map(|prompt| prompt.name.as_str()).collect();
    prompts
        .find(name)
        .with_context(|| format!("there is no prompt {name}; known: {}", known.join(", ")))
}

fn show(prompts: &Prompts, name: &str, as_json: bool) -> Result<ExitCode> {
    let prompt = find(prompts, name)?;
    if as_json {
        output::json_line(&json!({
            "name": prompt.name, "system": prompt.system, "user": prompt.user, "schema": prompt.schema.1, "hash": prompt.hash,
        }))?;
    } else {
        for line in text_of(prompt) {
            output::line(&line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a prompt as lines: the front matter that matters, the system's words, the user's.
fn text_of(prompt: &Prompt) -> Vec<String> {
    let mut lines = vec![
        format!("purpose: {}", prompt.purpose),
        format!("inputs: {}", prompt.inputs.join(", ")),
        format!("token_budget: {}", prompt.token_budget),
        format!("schema: {}", prompt.schema.0),
        String::new(),
    ];
    lines.extend(prompt.system.lines().map(str::to_owned));
    lines.push("=== user".to_owned());
    lines.extend(prompt.user.lines().map(str::to_owned));
    lines
}

fn diff(prompts: &Prompts) -> Result<ExitCode> {
    let built_in = Prompts::built_in()?;
    let mut replaced = 0;
    for prompt in prompts.all().filter(|prompt| prompt.is_replaced) {
        replaced += 1;
        output::line(&format!("--- built-in {}", prompt.name))?;
        output::line(&format!("+++ your own {}", prompt.name))?;
        for line in changed(&text_of(built_in.get(&prompt.name)), &text_of(prompt)) {
            output::line(&line)?;
        }
    }
    if replaced == 0 {
        output::line("every prompt is the built-in one")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Tries the prompts; fails when something was shown that must not be said, or a server did not answer.
fn test(global: &Global, only: Option<&str>, rehearse: bool) -> Result<ExitCode> {
    let config = match global.config.exists() {
        true => Some(Config::load(&global.config)?),
        false => None,
    };
    let base = config.as_ref().map(|config| config.base.clone());
    let table = config.and_then(|config| config.llm);
    let llm = match (&table, &base) {
        (Some(table), Some(base)) if !rehearse => Llm::open(table, base, Clock::System)?,
        (Some(table), Some(base)) => {
            let folder = table.prompts.as_ref().map(|folder| base.join(folder));
            trial::rehearsal(folder.as_deref())?
        }
        _ => trial::rehearsal(None)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let trials = runtime.block_on(trial::run(&llm, only))?;
    let mut is_wrong = trials.is_empty();
    for trial in &trials {
        is_wrong |= trial.wrong > 0 || trial.failure.is_some();
        if global.json {
            output::json_line(&json!({
                "name": trial.name, "prompt": trial.prompt, "failure": trial.failure, "items": trial.items, "passed": trial.passed,
                "expected": trial.expected, "found": trial.found, "wrong": trial.wrong,
                "input_tokens": trial.input_tokens, "output_tokens": trial.output_tokens,
            }))?;
            continue;
        }
        let said = match &trial.failure {
            Some(failure) => failure.clone(),
            None => format!(
                "{} of {} items passed the checks, {} of {} facts said, {} wrong, {} tokens",
                trial.passed,
                trial.items,
                trial.found,
                trial.expected,
                trial.wrong,
                trial.input_tokens + trial.output_tokens
            ),
        };
        output::line(&format!("{:<20} {}: {said}", trial.prompt, trial.name))?;
    }
    let sum = |of: fn(&trial::Trial) -> usize| trials.iter().map(of).sum::<usize>();
    if !global.json {
        output::line(&format!(
            "{}: {} of {} items passed, {} of {} facts said, {} wrong",
            llm.config().model,
            sum(|trial| trial.passed),
            sum(|trial| trial.items),
            sum(|trial| trial.found),
            sum(|trial| trial.expected),
            sum(|trial| trial.wrong)
        ))?;
    }
    Ok(if is_wrong {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Returns the lines that went, with `-`, and that came, with `+`, by the longest common run of lines.
fn changed(before: &[String], after: &[String]) -> Vec<String> {
    let (rows, columns) = (before.len(), after.len());
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if before[row] == after[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut lines) = (0, 0, Vec::new());
    while row < rows || column < columns {
        if row < rows && column < columns && before[row] == after[column] {
            (row, column) = (row + 1, column + 1);
        } else if column == columns
            || row < rows && common[row + 1][column] >= common[row][column + 1]
        {
            lines.push(format!("-{}", before[row]));
            row += 1;
        } else {
            lines.push(format!("+{}", after[column]));
            column += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_went_and_what_came() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            changed(&lines("a\nb\nc"), &lines("a\nx\nc\nd")),
            ["-b", "+x", "+d"]
        );
        assert!(changed(&lines("a\nb"), &lines("a\nb")).is_empty());
        assert_eq!(changed(&[], &lines("a")), ["+a"]);
    }
}
