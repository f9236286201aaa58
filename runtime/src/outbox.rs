//! The file of an outbox: a small SQLite database beside the store that says whose it is. Knows nothing of what is owed.
//!
//! Not in the store: that has one writer, which should wait for no queue, and none of its backups, scrubs and digests are about
//! this. Invariant: what was committed is there after a power cut, the file's name as well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

/// One kind of outbox.
pub(crate) struct Kind {
    /// Its file, below the data directory.
    pub(crate) file: &'static str,
    /// In words, as after "is no".
    pub(crate) what: &'static str,
    /// In the database's header.
    pub(crate) application_id: u32,
    pub(crate) version: u32,
    /// Pragmas that must come before everything else.
    pub(crate) first: &'static str,
    /// Tables and indices, each made where it is missing.
    pub(crate) tables: &'static str,
}

/// An outbox that is open.
pub(crate) struct File {
    pub(crate) connection: Connection,
    path: PathBuf,
}

/// Why an outbox is of no use.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// SQLite or the disk failed.
    #[error("could not {step} {}", path.display())]
    Database {
        /// What was attempted.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// It is another's file, or a later version's.
    #[error("{} is no {what} of this version (application {application:#x}, version {version}): move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
        /// `application_id` of its header.
        application: u32,
        /// `user_version` of its header.
        version: u32,
    },
    /// The data directory failed.
    #[error("could not make {} durable", path.display())]
    Sync {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl File {
    /// Opens the file in a data directory, or makes it.
    pub(crate) fn open(dir: &Path, kind: &Kind) -> Result<Self, OutboxError> {
        let path = dir.join(kind.file);
        let failed = |step| {
            let path = path.clone();
            move |source| OutboxError::Database { step, path, source }
        };
        let sync = |source| OutboxError::Sync { path: dir.to_owned(), source };
        crate::durable::make_folder(dir).map_err(sync)?;
        let connection = Connection::open(&path).map_err(failed("open"))?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed("open"))?;
        let header = |name: &str| {
            connection.query_one(&format!("PRAGMA {name}"), [], |row| row.get::<_, u32>(0)).map_err(failed("read"))
        };
        let found = (header("application_id")?, header("user_version")?);
        let Kind { application_id, version, first, tables, .. } = kind;
        if found != (0, 0) && found != (*application_id, *version) {
            let (application, version) = found;
            return Err(OutboxError::Foreign { path, what: kind.what, application, version });
        }
        connection
            .execute_batch(&format!(
                "{first}
                 PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 1048576;
                 BEGIN IMMEDIATE;
                 {tables}
                 PRAGMA application_id = {application_id}; PRAGMA user_version = {version};
                 COMMIT;"
            ))
            .map_err(failed("lay out"))?;
        // Without this the file's name may not survive a power cut, whatever is in the file.
        crate::durable::sync_names(dir).map_err(sync)?;
        Ok(Self { connection, path })
    }

    /// What a failure of SQLite at a step is.
    pub(crate) fn failed(&self, step: &'static str) -> impl FnOnce(rusqlite::Error) -> OutboxError + use<> {
        let path = self.path.clone();
        move |source| OutboxError::Database { step, path, source }
    }
}
