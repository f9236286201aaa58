//! The database file: how it is opened, recognised, made and brought up to date, and how forgotten bytes leave it.
//! Knows nothing about tasks or samples.
//!
//! Migrations go forward only, all in one transaction, after a copy of the old file beside it. What is not ours, or is
//! of a later version, is refused before a byte of it changes.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::StoreError;
use super::record::Scrub;

/// The database's name in the data directory.
pub(super) const FILE: &str = "acclimate.db";

/// "accl", in the database's header.
const APPLICATION_ID: u32 = 0x6163_636c;

/// One step per version of the format.
const MIGRATIONS: &[&str] = &[
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
    include_str!("v5.sql"),
    include_str!("v6.sql"),
];

/// How long a statement waits for another process that opens or closes the store.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long emptying the log waits for readers; it can be done later.
const PATIENCE_WITH_READERS: Duration = Duration::from_secs(1);

/// Opens the store for its one writer, which holds the lock; makes or migrates it where needed.
pub(super) fn open_write(dir: &Path) -> Result<Connection, StoreError> {
    open_with(dir, MIGRATIONS)
}

/// Opens the store beside a writer.
pub(super) fn open_read(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Err(StoreError::NoStore { dir: dir.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(&path, flags).map_err(recognise(&path))?;
    conn.busy_timeout(PATIENCE).map_err(StoreError::db("set the patience of the database"))?;
    let state = match state(&conn, &path, MIGRATIONS.len()) {
        // Power failed while it was laid out, the one time that there is a journal to roll back; whoever writes next does.
        Err(StoreError::Database { source, .. }) if is_half_made(&source) => State::Empty,
        state => state?,
    };
    match state {
        State::Empty => Err(StoreError::NoStore { dir: dir.to_owned() }),
        State::Version(found) if (found as usize) < MIGRATIONS.len() => {
            Err(StoreError::Older { path, expected: MIGRATIONS.len() as u32, found })
        }
        State::Version(_) => Ok(conn),
    }
}

fn open_with(dir: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
    let path = dir.join(FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(&path, flags).map_err(recognise(&path))?;
    conn.busy_timeout(PATIENCE).map_err(StoreError::db("set the patience of the database"))?;
    let state = state(&conn, &path, migrations.len())?;
    if matches!(state, State::Empty) {
        // Only a file without pages takes these two.
        conn.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;")
            .map_err(StoreError::db("lay out the database"))?;
    }
    // Sorting in memory: a temporary file would be one more place for what must be forgotten.
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 4194304;",
    )
    .map_err(recognise(&path))?;
    migrate(&mut conn, &path, &state, migrations)?;
    if matches!(state, State::Empty) {
        // Without this the file's name may not survive a power cut, whatever is in the file.
        sync_dir(dir)?;
    }
    Ok(conn)
}

/// Whether a reader would have to roll something back, which it may not.
fn is_half_made(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

enum State {
    Empty,
    Version(u32),
}

fn state(conn: &Connection, path: &Path, newest: usize) -> Result<State, StoreError> {
    let read = |sql: &str| conn.query_one(sql, [], |row| row.get::<_, u32>(0)).map_err(recognise(path));
    let tables = read("SELECT count(*) FROM sqlite_schema")?;
    let (application, version) = (read("PRAGMA application_id")?, read("PRAGMA user_version")?);
    match (application, version) {
        (0, 0) if tables == 0 => Ok(State::Empty),
        (APPLICATION_ID, found) if found as usize > newest => {
            Err(StoreError::Newer { path: path.to_owned(), expected: newest as u32, found })
        }
        (APPLICATION_ID, version) => Ok(State::Version(version)),
        _ => Err(StoreError::NotAStore { path: path.to_owned(), source: None }),
    }
}

/// Whose fault a failure to open is.
fn recognise(path: &Path) -> impl FnOnce(rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NotAStore { path, source: Some(source) },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, source },
        _ => StoreError::Database { step: "open the database", source },
    }
}

fn migrate(conn: &mut Connection, path: &Path, state: &State, migrations: &[&str]) -> Result<(), StoreError> {
    let version = match *state {
        State::Empty => 0,
        State::Version(version) => version as usize,
    };
    if version == migrations.len() {
        return Ok(());
    }
    if version > 0 {
        back_up(conn, path, version)?;
    }
    let tx = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(StoreError::db("begin the migration of the store"))?;
    for migration in &migrations[version..] {
        tx.execute_batch(migration).map_err(StoreError::db("migrate the store, which stays as it was"))?;
    }
    let header = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", migrations.len());
    tx.execute_batch(&header).map_err(StoreError::db("mark the version of the store"))?;
    tx.commit().map_err(StoreError::db("commit the migration of the store"))
}

fn back_up(conn: &Connection, path: &Path, version: usize) -> Result<(), StoreError> {
    let backup = path.with_file_name(format!("{FILE}.bak-v{version}"));
    match fs::remove_file(&backup) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::io("replace the backup", backup)(error));
        }
        _ => {}
    }
    conn.execute("VACUUM INTO ?1", [backup.to_string_lossy()])
        .map_err(StoreError::db("back up the store before its migration"))?;
    File::open(&backup).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", &backup))?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// A file that shows whether there is room. One that a killed process left is written over by the next.
pub(super) struct Probe(PathBuf);

impl Probe {
    pub(super) fn write(dir: &Path, bytes: u64) -> Result<Self, StoreError> {
        let path = dir.join("room.tmp");
        let written = File::create(&path).and_then(|mut file| {
            std::io::copy(&mut std::io::repeat(0xa5).take(bytes), &mut file)?;
            file.sync_all()
        });
        let probe = Self(path);
        match written {
            Ok(()) => Ok(probe),
            Err(error) => {
                let path = probe.0.clone();
                // Half of a file is in the way of whatever is written next.
                let _as_full_as_before = probe.remove();
                Err(StoreError::io("write", path)(error))
            }
        }
    }

    pub(super) fn remove(self) -> Result<(), StoreError> {
        fs::remove_file(&self.0).map_err(StoreError::io("remove", &self.0))
    }
}

/// A write of the first page that changes nothing.
pub(super) fn touch(conn: &Connection) -> Result<(), StoreError> {
    conn.execute_batch(&format!("PRAGMA user_version = {}", MIGRATIONS.len()))
        .map_err(StoreError::db("write the version of the store"))
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(StoreError::io("sync the directory", dir))
}

/// Makes forgotten bytes leave the files: copies of old formats go, the database is built anew from its rows, the log is
/// emptied. O(size of the store), with as much space needed meanwhile; forgetting is rare.
///
/// `secure_delete` overwrites deleted rows and freed pages, but not the copies that moving a row from page to page
/// leaves in the slack of the old one (`small_samples_leave_nothing_in_the_slack_of_pages_that_were_merged` fails
/// without `VACUUM`).
///
/// What fails here is tried again when the store is next opened; the rows are gone in any case.
pub(super) fn scrub(conn: &Connection, dir: &Path) -> Scrub {
    try_scrub(conn, dir).unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "forgotten, but bytes may remain in files for now");
        Scrub { pending: true, ..Scrub::default() }
    })
}

fn try_scrub(conn: &Connection, dir: &Path) -> Result<Scrub, StoreError> {
    let size = |name: &str| fs::metadata(dir.join(name)).map_or(0, |file| file.len());
    let (wal, database) = (format!("{FILE}-wal"), FILE);
    let (wal_before, database_before) = (size(&wal), size(database));

    let backups = delete_backups(dir)?;
    // First without the costly step: with a reader in the way it would be in vain.
    let clean = empty_log(conn)? && {
        // Only here in a file: what goes through it stays in the store, and may be more than the memory.
        let vacuumed = conn.execute_batch("PRAGMA temp_store = FILE; VACUUM;");
        conn.execute_batch("PRAGMA temp_store = MEMORY;").map_err(StoreError::db("sort in memory again"))?;
        vacuumed.map_err(StoreError::db("build the database anew"))?;
        empty_log(conn)?
    };
    if clean {
        conn.execute("DELETE FROM scrub_pending", []).map_err(StoreError::db("note that the files are clean"))?;
    }
    Ok(Scrub {
        wal_bytes: wal_before.saturating_sub(size(&wal)),
        database_bytes: database_before.saturating_sub(size(database)),
        backups,
        pending: !clean,
    })
}

/// Whether bytes of something forgotten may still be in the files.
pub(super) fn scrub_is_pending(conn: &Connection) -> Result<bool, StoreError> {
    conn.query_one("SELECT EXISTS (SELECT 1 FROM scrub_pending)", [], |row| row.get(0))
        .map_err(StoreError::db("read whether the files are clean"))
}

/// Moves the log into the database and truncates it; false when a reader still needs it.
fn empty_log(conn: &Connection) -> Result<bool, StoreError> {
    let step = || StoreError::db("empty the write-ahead log");
    conn.busy_timeout(PATIENCE_WITH_READERS).map_err(step())?;
    let busy: i64 = conn.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(step())?;
    conn.busy_timeout(PATIENCE).map_err(step())?;
    Ok(busy == 0)
}

fn delete_backups(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut deleted = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::io("list", dir))? {
        let path = entry.map_err(StoreError::io("list", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&format!("{FILE}.bak-v")) {
            fs::remove_file(&path).map_err(StoreError::io("delete the backup", &path))?;
            deleted.push(path);
        }
    }
    if !deleted.is_empty() {
        sync_dir(dir)?;
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    const NEXT: &str = "ALTER TABLE tasks ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue';";

    /// A store of format 1 with one task.
    fn old() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let conn = open_with(dir.path(), &MIGRATIONS[..1]).unwrap();
        conn.execute(
            "INSERT INTO tasks (name, backbone, backbone_id, manifest, dim, full_scale, signed, group_by, created)
             VALUES ('belt', 'tiny', zeroblob(32), '', 8, 1.0, 0, 'auto', 0)",
            [],
        )
        .unwrap();
        dir
    }

    fn version(conn: &Connection) -> u32 {
        conn.query_one("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_migration_goes_forward_and_leaves_a_copy_of_what_was() {
        let dir = old();
        let backup = dir.path().join("acclimate.db.bak-v1");
        fs::write(&backup, "left by an attempt that was cut short").unwrap();
        let conn = open_with(dir.path(), &[MIGRATIONS[0], NEXT]).unwrap();
        let colour: String =
            conn.query_one("SELECT colour FROM tasks WHERE name = 'belt'", [], |row| row.get(0)).unwrap();
        assert_eq!((colour.as_str(), version(&conn)), ("blue", 2));
        let copy = Connection::open(&backup).unwrap();
        assert_eq!(version(&copy), 1);
        assert!(copy.prepare("SELECT colour FROM tasks").is_err());
        let tasks: u32 = copy.query_one("SELECT count(*) FROM tasks", [], |row| row.get(0)).unwrap();
        assert_eq!(tasks, 1);
    }

    #[test]
    fn a_migration_that_fails_half_way_changes_nothing() {
        let dir = old();
        let broken = format!("{NEXT} CREATE TABLE tasks (twice);");
        let error = open_with(dir.path(), &[MIGRATIONS[0], &broken]).unwrap_err();
        assert_eq!(error.to_string(), "could not migrate the store, which stays as it was");
        let conn = open_with(dir.path(), &MIGRATIONS[..1]).unwrap();
        assert_eq!(version(&conn), 1);
        assert!(conn.prepare("SELECT colour FROM tasks").is_err());
    }

    #[test]
    fn a_store_whose_laying_out_was_cut_short_is_none_yet_and_is_then_made() {
        let (cut, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let conn = Connection::open(cut.path().join(FILE)).unwrap();
        // So little memory that pages reach the file before the commit.
        conn.execute_batch("PRAGMA cache_size = 1; BEGIN; CREATE TABLE t (x);").unwrap();
        for _ in 0..200 {
            conn.execute("INSERT INTO t VALUES (zeroblob(2000))", []).unwrap();
        }
        for entry in fs::read_dir(cut.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, left.path().join(path.file_name().unwrap())).unwrap();
        }
        assert!(left.path().join("acclimate.db-journal").exists());
        let none = open_read(left.path()).unwrap_err();
        assert!(matches!(none, StoreError::NoStore { .. }), "{none:?}");
        assert_eq!(version(&open_write(left.path()).unwrap()), MIGRATIONS.len() as u32);
        open_read(left.path()).unwrap();
    }

    #[test]
    fn an_up_to_date_store_is_not_copied() {
        let dir = old();
        open_with(dir.path(), &MIGRATIONS[..1]).unwrap();
        assert!(!dir.path().join("acclimate.db.bak-v1").exists());
    }
}
