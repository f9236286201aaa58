//! [`Tasks`]: opening the store, and the tasks in it. The other doors of the same API are in the neighbouring modules.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use acclimate_trainer::Quantisation;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};

use super::lock::Lock;
use super::record::{Access, Model, NewTask, Task, check_class, check_task, micros, timestamp};
use super::samples::Batch;
use super::{StoreError, backbones, heads, schema, service};
use crate::durable;
use crate::group::GroupBy;

/// Classes of a task. More is a column that is not a label.
pub const MAX_CLASSES: usize = 2000;

/// The store of one data directory.
#[derive(Debug)]
pub struct Tasks {
    pub(super) conn: Connection,
    pub(super) dir: PathBuf,
    /// Held by the one writer. Last: the lock goes after the connection has closed.
    lock: Option<Lock>,
}

impl Tasks {
    /// Opens the store of a data directory.
    ///
    /// # Errors
    /// Another process writes; there is no store to read; the file is not ours, damaged, or of a later version.
    pub fn open(dir: &Path, access: &Access) -> Result<Self, StoreError> {
        match access {
            Access::Read => Ok(Self { conn: schema::open_read(dir)?, dir: dir.to_owned(), lock: None }),
            Access::Write { command } => {
                if !dir.is_dir() {
                    durable::make_folder(dir).map_err(StoreError::io("make the data directory", dir))?;
                }
                let lock = Lock::take(dir, command)?;
                let conn = schema::open_write(dir)?;
                if schema::scrub_is_pending(&conn)? {
                    schema::scrub(&conn, dir);
                }
                Ok(Self { conn, dir: dir.to_owned(), lock: Some(lock) })
            }
        }
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes a task.
    ///
    /// # Errors
    /// The name is taken or cannot be used; a class name cannot be used.
    pub fn create_task(&mut self, new: &NewTask, now: Timestamp) -> Result<Task, StoreError> {
        let name = check_task(&new.name)?;
        self.write("make the task", |conn| {
            if task_id(conn, name).is_ok() {
                return Err(StoreError::TaskExists { task: name.to_owned() });
            }
            conn.execute(
                "INSERT INTO tasks (name, group_by, classes_only, created) VALUES (?1, ?2, ?3, ?4)",
                params![name, new.group_by.token(), new.classes_only, micros(now)],
            )
            .map_err(StoreError::db("make the task"))?;
            let task = conn.last_insert_rowid();
            backbones::put_in_use(conn, task, backbones::row(conn, task, &new.backbone)?)?;
            for class in &new.classes {
                make_class(conn, task, class)?;
            }
            if let Some(file) = &new.shipped {
                heads::insert_shipped(conn, name, file, now)?;
            }
            load_task(conn, name).map(|(_, task)| task)
        })
    }

    /// Every task, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self) -> Result<Vec<Task>, StoreError> {
        self.read(|conn| {
            let mut names =
                conn.prepare("SELECT name FROM tasks ORDER BY name").map_err(StoreError::db("list the tasks"))?;
            let names: Vec<String> = names
                .query_map([], |row| row.get(0))
                .and_then(Iterator::collect)
                .map_err(StoreError::db("list the tasks"))?;
            names.iter().map(|name| load_task(conn, name).map(|(_, task)| task)).collect()
        })
    }

    /// One task.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn task(&self, name: &str) -> Result<Task, StoreError> {
        self.read(|conn| load_task(conn, name).map(|(_, task)| task))
    }

    /// Chooses what is one group in this task.
    ///
    /// # Errors
    /// There is no such task.
    pub fn set_group_by(&mut self, task: &str, by: GroupBy) -> Result<(), StoreError> {
        self.write("set what is a group", |conn| {
            let id = task_id(conn, task)?;
            conn.execute("UPDATE tasks SET group_by = ?2 WHERE id = ?1", params![id, by.token()])
                .map_err(StoreError::db("set what is a group"))?;
            Ok(())
        })
    }

    /// Chooses whether the task adapts by itself, and below which confidence its answers are `unknown`; what is none stays.
    ///
    /// # Errors
    /// There is no such task.
    pub fn set_how(&mut self, task: &str, adapts: Option<bool>, threshold: Option<f64>) -> Result<(), StoreError> {
        self.write("set how a task adapts and answers", |conn| {
            let id = task_id(conn, task)?;
            conn.execute(
                "UPDATE tasks SET adapts = ifnull(?2, adapts), threshold = ifnull(?3, threshold) WHERE id = ?1",
                params![id, adapts, threshold],
            )
            .map(drop)
            .map_err(StoreError::db("set how a task adapts and answers"))
        })
    }

    /// Does several things as one: all of them are durable when this returns `Ok`, and none has happened when it
    /// returns `Err` or the process dies. One wait for the disk however many things.
    ///
    /// # Errors
    /// Whatever `work` returns, or that the store cannot be written.
    pub fn batch<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&Batch<'_>) -> Result<T, E>) -> Result<T, E> {
        self.write("store a batch", |conn| work(&Batch { conn }))
    }

    /// Whether writing works: so many bytes go to a file beside the store, and are on the disk while a transaction that
    /// changes nothing is committed; then the file is gone again.
    ///
    /// # Errors
    /// It does not: the disk is full, or broken.
    pub fn try_writing(&mut self, bytes: u64) -> Result<(), StoreError> {
        let probe = schema::Probe::write(&self.dir, bytes)?;
        self.write("write the store", schema::touch)?;
        probe.remove()
    }

    /// One consistent view, whatever a writer does meanwhile.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let tx = self.conn.unchecked_transaction().map_err(StoreError::db("begin to read the store"))?;
        work(&tx)
    }

    /// All or nothing; dropping the transaction undoes it.
    pub(super) fn write<T, E: From<StoreError>>(
        &mut self,
        step: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.lock.is_none() {
            return Err(StoreError::ReadOnly { dir: self.dir.clone() }.into());
        }
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::db("begin to write the store"))?;
        let value = work(&tx)?;
        tx.commit().map_err(StoreError::db(step))?;
        Ok(value)
    }
}

pub(super) fn task_id(conn: &Connection, name: &str) -> Result<i64, StoreError> {
    conn.prepare_cached("SELECT id FROM tasks WHERE name = ?1")
        .and_then(|mut query| query.query_row([name], |row| row.get(0)).optional())
        .map_err(StoreError::db("find the task"))?
        .ok_or_else(|| StoreError::NoTask { task: name.to_owned() })
}

pub(super) fn load_task(conn: &Connection, name: &str) -> Result<(i64, Task), StoreError> {
    load_task_on(conn, name, None)
}

/// A task, seen with the backbone of this id instead of the one in use.
pub(super) fn load_task_on(
    conn: &Connection,
    name: &str,
    backbone: Option<&[u8; 32]>,
) -> Result<(i64, Task), StoreError> {
    let id = task_id(conn, name)?;
    let mut task = conn
        .query_row(
            "SELECT t.name, t.group_by, t.classes_only, t.created, t.adapts, t.threshold, b.id AS backbone_row, b.name AS backbone,
                    b.backbone_id, b.manifest, b.model, b.dim, b.full_scale, b.signed
             FROM tasks t JOIN backbones b ON b.task = t.id
             WHERE t.id = ?1 AND CASE WHEN ?2 IS NULL THEN b.id = t.backbone_in_use ELSE b.backbone_id = ?2 END",
            params![id, backbone],
            task_of,
        )
        .optional()
        .map_err(StoreError::db("read the task"))?
        .ok_or_else(|| StoreError::NoBackbone { task: name.to_owned() })?
        .map_err(|problem| StoreError::Record { task: name.to_owned(), what: "settings", problem })?;
    task.classes = classes(conn, id)?.into_iter().map(|(_, name)| name).collect();
    (task.samples, task.labelled) = conn
        .query_one(
            "SELECT count(*), count((SELECT class FROM labels WHERE sample = s.seq ORDER BY seq DESC LIMIT 1))
             FROM samples s WHERE task = ?1",
            [id],
            |row| Ok((row.get::<_, i64>(0)? as usize, row.get::<_, i64>(1)? as usize)),
        )
        .map_err(StoreError::db("count the samples"))?;
    task.in_service = service::in_service(conn, id)?;
    Ok((id, task))
}

/// A task without what other tables say about it. The inner error is in words.
fn task_of(row: &Row<'_>) -> rusqlite::Result<Result<Task, String>> {
    let quantisation = Quantisation { full_scale: row.get("full_scale")?, signed: row.get("signed")? };
    let group_by: String = row.get("group_by")?;
    let group_by: GroupBy = match group_by.parse() {
        Ok(by) => by,
        Err(error) => return Ok(Err(format!("{error}"))),
    };
    Ok(Ok(Task {
        name: row.get("name")?,
        backbone: row.get("backbone")?,
        backbone_id: row.get("backbone_id")?,
        manifest: row.get("manifest")?,
        model: match row.get::<_, Option<Vec<u8>>>("model")? {
            None => Model::Builtin,
            Some(path) => Model::File(OsString::from_vec(path).into()),
        },
        dim: row.get::<_, i64>("dim")? as usize,
        quantisation,
        group_by,
        created: timestamp(row.get("created")?),
        classes: Vec::new(),
        classes_only: row.get("classes_only")?,
        adapts: row.get("adapts")?,
        threshold: row.get("threshold")?,
        samples: 0,
        labelled: 0,
        in_service: None,
        backbone_row: row.get("backbone_row")?,
    }))
}

/// Ids and names of a task's classes, in their stable order.
pub(super) fn classes(conn: &Connection, task: i64) -> Result<Vec<(i64, String)>, StoreError> {
    conn.prepare_cached("SELECT id, name FROM classes WHERE task = ?1 ORDER BY id")
        .and_then(|mut query| query.query_map([task], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(StoreError::db("list the classes"))
}

/// The class of this name, made if it is new and the task takes new ones.
pub(super) fn class_id(conn: &Connection, task: i64, name: &str) -> Result<i64, StoreError> {
    let found = conn
        .prepare_cached("SELECT id FROM classes WHERE task = ?1 AND name = ?2")
        .and_then(|mut query| query.query_row(params![task, name], |row| row.get(0)).optional())
        .map_err(StoreError::db("find the class"))?;
    if let Some(id) = found {
        return Ok(id);
    }
    let (task_name, only): (String, bool) = conn
        .query_one("SELECT name, classes_only FROM tasks WHERE id = ?1", [task], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(StoreError::db("read the task"))?;
    if only {
        let known = classes(conn, task)?.into_iter().map(|(_, name)| name).collect();
        return Err(StoreError::ClassesOnly { task: task_name, class: name.to_owned(), known });
    }
    make_class(conn, task, name)
}

fn make_class(conn: &Connection, task: i64, name: &str) -> Result<i64, StoreError> {
    let name = check_class(name)?;
    if classes(conn, task)?.len() >= MAX_CLASSES {
        return Err(StoreError::TooManyClasses { class: name.to_owned() });
    }
    conn.execute("INSERT INTO classes (task, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING", params![task, name])
        .map_err(StoreError::db("store the class"))?;
    Ok(conn.last_insert_rowid())
}
