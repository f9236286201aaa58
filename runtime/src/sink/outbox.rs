//! What webhooks are owed: a durable queue for each, in one small SQLite file beside the store. Knows nothing of HTTP.
//!
//! Not in the store: that has one writer, which should wait for no queue, and none of its backups, scrubs and digests are
//! about this. Invariants: what `put` returned from is there after a power cut; what was put first comes out first; nothing
//! leaves but by `remove`, or as the oldest of too many, which is counted.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};

/// Payloads that are kept for one hook at most; the oldest go first.
pub(super) const KEPT: u32 = 1000;

const FILE: &str = "outbox.db";
/// "acco", in the database's header.
const APPLICATION_ID: u32 = 0x6163_636f;
const VERSION: u32 = 1;

/// The queues of all hooks.
pub(super) struct Outbox {
    connection: Mutex<Connection>,
    path: PathBuf,
}

/// The oldest payload that a hook is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    /// Grows from one to the next, and is never used twice.
    pub(super) number: i64,
    pub(super) payload: String,
}

/// Why the outbox is of no use.
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
    #[error("{} is no outbox of this version (application {application:#x}, version {version}): move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
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

impl Outbox {
    /// What is left for hooks that are no longer there is dropped, and said.
    pub(super) fn keep_only(&self, hooks: &[String]) {
        match self.drop_all_but(hooks) {
            Ok(0) => {}
            Ok(dropped) => {
                tracing::warn!("{dropped} payloads for webhooks that are no longer configured were dropped");
            }
            Err(error) => tracing::error!("{}", crate::causes(&error)),
        }
    }

    /// Opens the outbox of a data directory, or makes it.
    pub(super) fn open(dir: &Path) -> Result<Self, OutboxError> {
        let path = dir.join(FILE);
        let failed = |step| {
            let path = path.clone();
            move |source| OutboxError::Database { step, path, source }
        };
        crate::durable::make_folder(dir).map_err(|source| OutboxError::Sync { path: dir.to_owned(), source })?;
        let connection = Connection::open(&path).map_err(failed("open"))?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed("open"))?;
        let header = |name: &str| {
            connection.query_one(&format!("PRAGMA {name}"), [], |row| row.get::<_, u32>(0)).map_err(failed("read"))
        };
        let (application, version) = (header("application_id")?, header("user_version")?);
        if !matches!((application, version), (0, 0) | (APPLICATION_ID, VERSION)) {
            return Err(OutboxError::Foreign { path, application, version });
        }
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 1048576;
                 BEGIN IMMEDIATE;
                 CREATE TABLE IF NOT EXISTS owed (
                     number INTEGER PRIMARY KEY AUTOINCREMENT,
                     hook TEXT NOT NULL,
                     payload TEXT NOT NULL
                 ) STRICT;
                 CREATE INDEX IF NOT EXISTS owed_by_hook ON owed (hook, number);
                 PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};
                 COMMIT;"
            ))
            .map_err(failed("lay out"))?;
        // Without this the file's name may not survive a power cut, whatever is in the file.
        crate::durable::sync_names(dir).map_err(|source| OutboxError::Sync { path: dir.to_owned(), source })?;
        Ok(Self { connection: Mutex::new(connection), path })
    }

    /// Keeps a payload for a hook; gives how many of the oldest had to go.
    pub(super) fn put(&self, hook: &str, payload: &str) -> Result<usize, OutboxError> {
        let failed = self.failed("write to");
        let mut connection = self.lock();
        let put = || -> Result<usize, rusqlite::Error> {
            let transaction = connection.transaction()?;
            transaction.execute("INSERT INTO owed (hook, payload) VALUES (?1, ?2)", params![hook, payload])?;
            let dropped = transaction.execute(
                "DELETE FROM owed WHERE hook = ?1 AND number <= (
                     SELECT number FROM owed WHERE hook = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
                params![hook, KEPT],
            )?;
            transaction.commit()?;
            Ok(dropped)
        };
        let mut put = put;
        put().map_err(failed)
    }

    /// What a hook is owed first.
    pub(super) fn oldest(&self, hook: &str) -> Result<Option<Owed>, OutboxError> {
        let owed = |row: &rusqlite::Row<'_>| Ok(Owed { number: row.get(0)?, payload: row.get(1)? });
        self.lock()
            .query_row("SELECT number, payload FROM owed WHERE hook = ?1 ORDER BY number LIMIT 1", [hook], owed)
            .optional()
            .map_err(self.failed("read"))
    }

    /// Takes note that it was delivered.
    pub(super) fn remove(&self, number: i64) -> Result<(), OutboxError> {
        self.lock().execute("DELETE FROM owed WHERE number = ?1", [number]).map(drop).map_err(self.failed("write to"))
    }

    fn drop_all_but(&self, hooks: &[String]) -> Result<usize, OutboxError> {
        let marks = vec!["?"; hooks.len()].join(",");
        let sql = format!("DELETE FROM owed WHERE hook NOT IN ({marks})");
        self.lock().execute(&sql, rusqlite::params_from_iter(hooks)).map_err(self.failed("write to"))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, step: &'static str) -> impl FnOnce(rusqlite::Error) -> OutboxError + use<> {
        let path = self.path.clone();
        move |source| OutboxError::Database { step, path, source }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};

    fn payloads(outbox: &Outbox, hook: &str) -> Vec<String> {
        std::iter::from_fn(|| {
            let owed = outbox.oldest(hook).unwrap()?;
            outbox.remove(owed.number).unwrap();
            Some(owed.payload)
        })
        .collect()
    }

    #[test]
    fn what_was_put_comes_out_in_order_for_each_hook_also_after_opening_anew() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path()).unwrap();
        for (hook, payload) in [("a", "1"), ("b", "2"), ("a", "3")] {
            outbox.put(hook, payload).unwrap();
        }
        drop(outbox);
        let outbox = Outbox::open(dir.path()).unwrap();
        outbox.keep_only(&["a".to_owned()]);
        assert_eq!(payloads(&outbox, "a"), ["1", "3"]);
        assert_eq!(payloads(&outbox, "b"), [""; 0], "nobody is called so any more");
        outbox.put("a", "4").unwrap();
        assert_eq!(outbox.oldest("a").unwrap().unwrap().number, 4, "numbers are not used twice");
    }

    #[test]
    fn of_too_many_the_oldest_go_and_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path()).unwrap();
        outbox.lock().execute_batch("PRAGMA synchronous = OFF").unwrap();
        let dropped: usize = (0..KEPT + 3).map(|n| outbox.put("a", &n.to_string()).unwrap()).sum();
        assert_eq!(dropped, 3);
        let left = payloads(&outbox, "a");
        assert_eq!((left.len(), left[0].as_str()), (KEPT as usize, "3"));
    }

    #[test]
    fn a_file_of_somebody_else_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        Connection::open(dir.path().join(FILE)).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
        let error = Outbox::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("version 9"), "{error}");
    }

    const CHILD: &str = "ACCLIMATE_TEST_OUTBOX";

    /// Not a test of its own: what the next one starts and kills.
    #[test]
    fn writes_until_it_is_killed() {
        let Some(dir) = std::env::var_os(CHILD) else { return };
        let outbox = Outbox::open(Path::new(&dir)).unwrap();
        for n in 0.. {
            outbox.put("a", &format!("payload {n}")).unwrap();
            // Past the test harness, which would keep it.
            writeln!(std::io::stderr(), "put {n}").unwrap();
        }
    }

    #[test]
    fn what_was_put_is_there_after_kill_9() {
        for kill_after in [1, 7, 40] {
            let dir = tempfile::tempdir().unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture", "sink::outbox::tests::writes_until_it_is_killed"])
                .env(CHILD, dir.path())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
            let put: Vec<String> = lines.by_ref().filter(|line| line.starts_with("put ")).take(kill_after).collect();
            child.kill().unwrap();
            let late = lines.filter(|line| line.starts_with("put ")).count();
            child.wait().unwrap();
            let acknowledged = put.len() + late;
            assert_eq!(put.len(), kill_after);
            let kept = payloads(&Outbox::open(dir.path()).unwrap(), "a");
            // The last one may have been committed and not yet said.
            assert!((acknowledged..=acknowledged + 1).contains(&kept.len()), "{} of {acknowledged}", kept.len());
            assert!(kept.iter().enumerate().all(|(n, payload)| *payload == format!("payload {n}")));
        }
    }
}
