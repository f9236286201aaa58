//! What webhooks are owed: a durable queue for each, in one file beside the store. Knows nothing of HTTP.
//!
//! Invariants: what `put` returned from is there after a power cut; what was put first comes out first; nothing
//! leaves but by `remove`, or as the oldest of too many, which is counted.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{OptionalExtension as _, params};

use crate::outbox::{File, Kind, OutboxError};

/// Payloads that are kept for one hook at most; the oldest go first.
pub(super) const KEPT: u32 = 1000;

const KIND: Kind = Kind {
    file: "outbox.db",
    what: "outbox",
    application_id: 0x6163_636f, // "acco"
    version: 1,
    first: "",
    tables: "CREATE TABLE IF NOT EXISTS owed (
                 number INTEGER PRIMARY KEY AUTOINCREMENT,
                 hook TEXT NOT NULL,
                 payload TEXT NOT NULL
             ) STRICT;
             CREATE INDEX IF NOT EXISTS owed_by_hook ON owed (hook, number);",
};

/// The queues of all hooks.
pub(super) struct Outbox {
    file: Mutex<File>,
}

/// The oldest payload that a hook is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    /// Grows from one to the next, and is never used twice.
    pub(super) number: i64,
    pub(super) payload: String,
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
        Ok(Self { file: Mutex::new(File::open(dir, &KIND)?) })
    }

    /// Keeps a payload for a hook; gives how many of the oldest had to go.
    pub(super) fn put(&self, hook: &str, payload: &str) -> Result<usize, OutboxError> {
        let mut file = self.lock();
        let failed = file.failed("write to");
        let mut put = || -> Result<usize, rusqlite::Error> {
            let transaction = file.connection.transaction()?;
            transaction.execute("INSERT INTO owed (hook, payload) VALUES (?1, ?2)", params![hook, payload])?;
            let dropped = transaction.execute(
                "DELETE FROM owed WHERE hook = ?1 AND number <= (
                     SELECT number FROM owed WHERE hook = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
                params![hook, KEPT],
            )?;
            transaction.commit()?;
            Ok(dropped)
        };
        put().map_err(failed)
    }

    /// What a hook is owed first.
    pub(super) fn oldest(&self, hook: &str) -> Result<Option<Owed>, OutboxError> {
        let owed = |row: &rusqlite::Row<'_>| Ok(Owed { number: row.get(0)?, payload: row.get(1)? });
        let file = self.lock();
        file.connection
            .query_row("SELECT number, payload FROM owed WHERE hook = ?1 ORDER BY number LIMIT 1", [hook], owed)
            .optional()
            .map_err(file.failed("read"))
    }

    /// Takes note that it was delivered.
    pub(super) fn remove(&self, number: i64) -> Result<(), OutboxError> {
        let (file, sql) = (self.lock(), "DELETE FROM owed WHERE number = ?1");
        file.connection.execute(sql, [number]).map(drop).map_err(file.failed("write to"))
    }

    fn drop_all_but(&self, hooks: &[String]) -> Result<usize, OutboxError> {
        let marks = vec!["?"; hooks.len()].join(",");
        let sql = format!("DELETE FROM owed WHERE hook NOT IN ({marks})");
        let file = self.lock();
        file.connection.execute(&sql, rusqlite::params_from_iter(hooks)).map_err(file.failed("write to"))
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
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
        outbox.lock().connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
        let dropped: usize = (0..KEPT + 3).map(|n| outbox.put("a", &n.to_string()).unwrap()).sum();
        assert_eq!(dropped, 3);
        let left = payloads(&outbox, "a");
        assert_eq!((left.len(), left[0].as_str()), (KEPT as usize, "3"));
    }

    #[test]
    fn a_file_of_somebody_else_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        rusqlite::Connection::open(dir.path().join(KIND.file))
            .unwrap()
            .execute_batch("PRAGMA user_version = 9")
            .unwrap();
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
