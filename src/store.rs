//! The store: one SQLite file, one writer, several readers, schema by numbered migrations.
//!
//! All SQL lives in `store/`, one function per question, so that another database can stand behind the same functions.
//! Everything else calls [`Store::read`] or [`Store::write`]; inside, functions are synchronous.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

pub mod asks;
pub mod audiences;
pub mod awaited;
pub mod closeness;
pub mod deliveries;
pub mod events;
pub mod followers;
pub mod hooks;
pub mod members;
pub mod night;
pub mod people;
pub mod postings;
pub mod presses;
pub mod progress;
pub mod questions;
pub mod quoted;
pub mod retention;
pub mod rows;
pub mod steering;
pub mod suggestions;
pub mod tickets;
pub mod words;

/// The schema, one file a step. A file that has been released never changes.
const MIGRATIONS: [&str; 16] = [
    include_str!("store/0001_log.sql"),
    include_str!("store/0002_deliveries.sql"),
    include_str!("store/0003_hooks.sql"),
    include_str!("store/0004_topic_order.sql"),
    include_str!("store/0005_steering.sql"),
    include_str!("store/0006_suggestions.sql"),
    include_str!("store/0007_words.sql"),
    include_str!("store/0008_headlines.sql"),
    include_str!("store/0009_quoted.sql"),
    include_str!("store/0010_presses.sql"),
    include_str!("store/0011_named.sql"),
    include_str!("store/0012_joiners.sql"),
    include_str!("store/0013_labels.sql"),
    include_str!("store/0014_gone.sql"),
    include_str!("store/0015_awaited.sql"),
    include_str!("store/0016_questions.sql"),
];

/// The name of the database within the data folder.
pub const FILE_NAME: &str = "daybrief.db";

/// Returns why a store cannot be used, with its path; of a damaged one also what to do and what is lost with it.
fn named(error: anyhow::Error, path: &Path) -> anyhow::Error {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let code = error
        .downcast_ref::<rusqlite::Error>()
        .and_then(rusqlite::Error::sqlite_error_code);
    let path = path.display();
    if matches!(code, Some(NotADatabase | DatabaseCorrupt)) {
        return error.context(format!(
            "the store {path} is damaged; put a copy from `daybrief backup` in its place, or move it away together with {FILE_NAME}-wal, {FILE_NAME}-shm and the folder index: `daybrief sync` then reads what the sources still hold, and what was briefed and said of it is lost"
        ));
    }
    error.context(format!("cannot use the store {path}"))
}

/// A handle to the store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: Option<PathBuf>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens the store in a folder and brings its schema up to date; makes both where they are missing.
    ///
    /// # Errors
    /// When the folder cannot be written or a newer daybrief wrote the file.
    pub fn open(dir: &Path) -> Result<Store> {
        make_private(dir)
            .with_context(|| format!("cannot create the data folder {}", dir.display()))?;
        let path = dir.join(FILE_NAME);
        let mut connection = Connection::open(&path)
            .with_context(|| format!("cannot open the store {}", path.display()))?;
        let prepared = connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(anyhow::Error::from)
            .and_then(|()| prepare(&connection))
            .and_then(|()| migrate(&mut connection));
        prepared.map_err(|error| named(error, &path))?;
        Ok(Store::around(Some(path), connection))
    }

    /// Opens an existing store without writing to it.
    ///
    /// # Errors
    /// When there is none yet, or its schema is another one.
    pub fn open_read_only(dir: &Path) -> Result<Store> {
        let path = dir.join(FILE_NAME);
        if !path.exists() {
            bail!(
                "there is no store in {} yet; run `daybrief sync` first",
                dir.display()
            );
        }
        let connection = open_reader(&path).map_err(|error| named(error, &path))?;
        let version: usize = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| named(error.into(), &path))?;
        if version != MIGRATIONS.len() {
            bail!(
                "the store in {} has schema {version}; run `daybrief sync` once to bring it up to date",
                dir.display()
            );
        }
        Ok(Store::around(Some(path), connection))
    }

    /// Makes an empty store in memory, for the demo and for tests.
    ///
    /// # Errors
    /// Only when SQLite itself fails.
    pub fn in_memory() -> Result<Store> {
        let mut connection = Connection::open_in_memory()?;
        prepare(&connection)?;
        migrate(&mut connection)?;
        Ok(Store::around(None, connection))
    }

    fn around(path: Option<PathBuf>, connection: Connection) -> Store {
        let inner = Inner {
            path,
            writer: Mutex::new(connection),
            readers: Mutex::new(Vec::new()),
        };
        Store {
            inner: Arc::new(inner),
        }
    }

    /// Runs a closure in one transaction on the writer; what it returns is committed, an error rolls back.
    ///
    /// # Errors
    /// What the closure or SQLite says.
    pub fn write_now<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        // A panic inside a transaction rolls it back when the guard drops, so a poisoned lock holds a sound connection.
        let mut connection = self
            .inner
            .writer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit().context("cannot commit to the store")?;
        Ok(value)
    }

    /// Runs a closure on a reader; it sees one consistent state.
    ///
    /// # Errors
    /// What the closure or SQLite says.
    pub fn read_now<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let Some(path) = &self.inner.path else {
            let connection = self
                .inner
                .writer
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            return work(&connection);
        };
        let pooled = self
            .inner
            .readers
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .pop();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => open_reader(path)?,
        };
        let transaction = connection.transaction()?;
        let value = work(&transaction);
        drop(transaction);
        self.inner
            .readers
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(connection);
        value
    }

    /// Like [`Store::write_now`], off the async threads.
    ///
    /// # Errors
    /// What the closure or SQLite says.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.write_now(work))
            .await
            .context("the store's writer stopped")?
    }

    /// Like [`Store::read_now`], off the async threads.
    ///
    /// # Errors
    /// What the closure or SQLite says.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.read_now(work))
            .await
            .context("a reader of the store stopped")?
    }

    /// Copies the store to a new file, page by page beside whoever writes, checks the copy, and only then gives it its
    /// name; `seen` is told how many pages of how many are done. Returns the size in bytes.
    ///
    /// # Errors
    /// When the file cannot be written, or the copy does not pass SQLite's own check.
    pub fn backup(&self, file: &Path, mut seen: impl FnMut(u64, u64)) -> Result<u64> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let half = file.with_file_name(name);
        let copied = self.read_now(|c| {
            if half.exists() {
                std::fs::remove_file(&half)?;
            }
            // The copy is as private as the data folder.
            private_file(&half)?;
            let mut copy = Connection::open(&half)?;
            let backup = rusqlite::backup::Backup::new(c, &mut copy)?;
            loop {
                let step = backup.step(1_000)?;
                let stand = backup.progress();
                let total = u64::try_from(stand.pagecount).unwrap_or(0);
                let open = u64::try_from(stand.remaining).unwrap_or(0);
                seen(total.saturating_sub(open), total);
                if step == rusqlite::backup::StepResult::Done {
                    break;
                }
            }
            drop(backup);
            let verdict: String = copy.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
            if verdict != "ok" {
                bail!("the copy is damaged: {verdict}");
            }
            copy.pragma_update(None, "journal_mode", "DELETE")?;
            Ok(())
        });
        if let Err(error) = copied {
            std::fs::remove_file(&half).ok();
            return Err(error);
        }
        std::fs::File::open(&half)?.sync_all()?;
        std::fs::rename(&half, file)?;
        Ok(std::fs::metadata(file)?.len())
    }

    /// Returns the log's uuid; followers that carry another one must start anew.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn log_uuid(&self) -> Result<String> {
        self.read_now(|c| {
            meta(c, "log")?.context("the store has no log id; it was not made by daybrief")
        })
    }
}

/// Makes an empty file that only its owner may read.
fn private_file(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

/// Makes a folder that only its owner may enter; one that is there already stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// Returns whether something failed because the store has no room or its disk takes nothing, which a later try may find
/// otherwise.
pub fn has_no_room(error: &anyhow::Error) -> bool {
    use rusqlite::ErrorCode::{DiskFull, ReadOnly, SystemIoFailure};
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(rusqlite::Error::SqliteFailure(failure, _))
            if matches!(failure.code, DiskFull | ReadOnly | SystemIoFailure))
    })
}

/// Returns a fact about the store itself.
pub fn meta(c: &Connection, key: &str) -> Result<Option<String>> {
    Ok(
        c.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            row.get(0)
        })
        .optional()?,
    )
}

/// Notes a fact about the store itself.
pub fn set_meta(c: &Connection, key: &str, value: &str) -> Result<()> {
    c.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
        [key, value],
    )?;
    Ok(())
}

/// Returns the microseconds that stand for a moment in the store.
pub fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// Returns the moment of a stored number, the nearest one for a number out of range.
pub fn moment(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .with_context(|| format!("cannot open the store {}", path.display()))?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > MIGRATIONS.len() {
        bail!(
            "the store has schema {version}, this daybrief knows {}; use the newer daybrief",
            MIGRATIONS.len()
        );
    }
    for (number, script) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction
            .execute_batch(script)
            .with_context(|| format!("migration {} failed", number + 1))?;
        if number == 0 {
            set_meta(&transaction, "log", &uuid::Uuid::now_v7().to_string())?;
        }
        transaction.pragma_update(None, "user_version", number + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_open_finds_the_same_log() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap().log_uuid().unwrap();
        assert_eq!(Store::open(dir.path()).unwrap().log_uuid().unwrap(), first);
        assert_eq!(
            Store::open_read_only(dir.path())
                .unwrap()
                .log_uuid()
                .unwrap(),
            first
        );
    }

    #[test]
    fn a_backup_is_whole_and_has_the_same_log() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(dir.path()).unwrap();
        store.write_now(|c| set_meta(c, "colour", "green")).unwrap();
        let mut stand = (0, 0);
        let bytes = store.backup(&other.path().join(FILE_NAME), |done, total| {
            stand = (done, total);
        });
        assert!(bytes.unwrap() > 0);
        assert_eq!(stand.0, stand.1, "it was told to the end");
        let copy = Store::open(other.path()).unwrap();
        assert_eq!(copy.log_uuid().unwrap(), store.log_uuid().unwrap());
        let colour = copy.read_now(|c| meta(c, "colour")).unwrap();
        assert_eq!(colour.as_deref(), Some("green"));
    }

    #[test]
    fn an_error_inside_a_write_leaves_nothing_behind() {
        let store = Store::in_memory().unwrap();
        let failed: Result<()> = store.write_now(|c| {
            set_meta(c, "half", "done")?;
            bail!("and then it broke")
        });
        assert!(failed.is_err());
        assert_eq!(store.read_now(|c| meta(c, "half")).unwrap(), None);
    }

    #[test]
    fn a_newer_schema_is_refused_with_the_next_step() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path())
            .unwrap()
            .write_now(|c| Ok(c.pragma_update(None, "user_version", 99)?))
            .unwrap();
        let error = format!("{:#}", Store::open(dir.path()).err().unwrap());
        assert!(error.contains("use the newer daybrief"), "{error}");
    }
}
