//! The instance lock: one process writes to a data folder at a time.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Held by whoever may write; released when dropped, or when the process dies.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Takes the lock of a data folder.
    ///
    /// # Errors
    /// When another daybrief holds it: it says so and what to do.
    pub fn take(data_dir: &Path) -> Result<InstanceLock> {
        crate::store::make_private(data_dir)?;
        let path = data_dir.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(InstanceLock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => bail!(
                "another daybrief is at work on {}: stop `daybrief run` first, or wait for the other command to end",
                data_dir.display()
            ),
            Err(std::fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let first = InstanceLock::take(dir.path()).unwrap();
        let error = InstanceLock::take(dir.path()).unwrap_err().to_string();
        assert!(error.contains("stop `daybrief run` first"), "{error}");
        drop(first);
        InstanceLock::take(dir.path()).unwrap();
    }
}
