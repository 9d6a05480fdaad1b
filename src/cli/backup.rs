//! `daybrief backup`: the store as one file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::{Global, output, site::Site};
use crate::store::FILE_NAME;

/// Copies the store to a file, also while `run` is at work. The index is not copied: it is built again from the store.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write; it must not be there yet.
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let site = Site::open_read_only(global)?;
        if self.file.exists() {
            bail!(
                "{} is there already; name another file",
                self.file.display()
            );
        }
        let bar = output::progress("Copying");
        let bytes = site.store.backup(&self.file, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let bytes = bytes.with_context(|| format!("cannot write {}", self.file.display()))?;
        if global.json {
            let file = self.file.display().to_string();
            output::json_line(&json!({ "file": file, "bytes": bytes }))?;
        } else {
            let size = match bytes {
                ..1_048_576 => format!("{} KB", bytes.div_ceil(1 << 10)),
                _ => format!("{:.1} MB", bytes as f64 / f64::from(1 << 20)),
            };
            output::line(&format!(
                "{}: {size}, checked. To go back to it, stop daybrief, put it into the data folder as {FILE_NAME} and remove {FILE_NAME}-wal, {FILE_NAME}-shm and the folder index beside it.",
                self.file.display()
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
