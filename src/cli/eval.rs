//! `daybrief eval`: measure a part of daybrief on labelled data; needs no configuration.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use super::Global;

/// Measures a part of daybrief on labelled data.
#[derive(Debug, Args)]
pub struct Eval {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Asks, addressees, answers and decisions on labelled messages.
    Asks {
        /// The labelled messages, JSON lines.
        labels: PathBuf,
        /// Where to write the predictions, JSON lines.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

impl Eval {
    pub(super) fn run(self, _global: &Global) -> Result<ExitCode> {
        match self.what {
            What::Asks { labels, out } => {
                let text = std::fs::read_to_string(&labels)
                    .with_context(|| format!("cannot read {}", labels.display()))?;
                let predictions = crate::text::eval::evaluate(text.lines())
                    .with_context(|| format!("in {}", labels.display()))?;
                let mut file = std::fs::File::create(&out)
                    .with_context(|| format!("cannot write {}", out.display()))?;
                for line in &predictions {
                    writeln!(file, "{}", serde_json::to_string(line)?)?;
                }
                println!(
                    "{} predictions written to {}",
                    predictions.len(),
                    out.display()
                );
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
