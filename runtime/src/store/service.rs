//! The head in service: which one, since when, by whose word, and the way back. Knows nothing about what heads hold.
//!
//! The pointer to the head in service is the last row of `service`. Each row says where a roll back from it goes
//! (`back`), so that rolling back twice goes two steps back and not to and fro; what came after is history, not lost:
//!
//! ```text
//! adapt → 1    adapt → 2    adapt → 3    roll back → 2    roll back → 1    nothing before
//!     back: –      back: 1      back: 2       back: 1          back: –
//! ```

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::heads::{head_id, load_head, parse, word};
use super::id::Generation;
use super::record::{Change, Service, StoredHead, micros, timestamp};
use super::tasks::{Tasks, load_task_on, task_id};
use super::{StoreError, backbones};

impl Tasks {
    /// The head in service, if there is one.
    ///
    /// # Errors
    /// There is no such task; the stored head cannot be read.
    pub fn in_service(&self, task: &str) -> Result<Option<StoredHead>, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            in_service(conn, id)?.map(|generation| load_head(conn, task, generation)).transpose()
        })
    }

    /// Puts a generation in service. Gives the one that was.
    ///
    /// # Errors
    /// There is no such task or generation.
    pub fn activate(
        &mut self,
        task: &str,
        generation: Generation,
        who: &str,
        forced: bool,
        now: Timestamp,
    ) -> Result<Option<Generation>, StoreError> {
        self.write("put the head in service", |conn| {
            head_id(conn, task, generation)?;
            let id = task_id(conn, task)?;
            let current = current(conn, id)?;
            let before = current.as_ref().and_then(|row| row.generation);
            if before != Some(generation) {
                put_in_service(
                    conn,
                    id,
                    Some(generation),
                    Change::Activated,
                    forced,
                    current.map(|row| row.seq),
                    who,
                    now,
                )?;
            }
            Ok(before)
        })
    }

    /// Puts the head in service that was there before the present one, among those that still exist.
    ///
    /// # Errors
    /// There is no such task, or nothing before.
    pub fn rollback(&mut self, task: &str, who: &str, now: Timestamp) -> Result<Generation, StoreError> {
        self.write("roll back", |conn| {
            let (generation, back) = before(conn, task)?;
            put_in_service(conn, task_id(conn, task)?, Some(generation), Change::RolledBack, false, back, who, now)?;
            Ok(generation)
        })
    }

    /// The head that [`Tasks::rollback`] would put in service.
    ///
    /// # Errors
    /// There is no such task, or nothing before.
    pub fn before(&self, task: &str) -> Result<Generation, StoreError> {
        self.read(|conn| before(conn, task).map(|(generation, _)| generation))
    }

    /// Every move of the pointer to the head in service, oldest first.
    ///
    /// # Errors
    /// There is no such task.
    pub fn service_history(&self, task: &str) -> Result<Vec<Service>, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            let rows: Vec<(String, Service)> = conn
                .prepare("SELECT change, seq, generation, forced, who, time FROM service WHERE task = ?1 ORDER BY seq")
                .and_then(|mut query| {
                    query
                        .query_map([id], |row| {
                            let service = Service {
                                seq: row.get("seq")?,
                                generation: row.get::<_, Option<u32>>("generation")?.map(Generation),
                                change: Change::Activated,
                                forced: row.get("forced")?,
                                who: row.get("who")?,
                                when: timestamp(row.get("time")?),
                            };
                            Ok((row.get("change")?, service))
                        })?
                        .collect()
                })
                .map_err(StoreError::db("read the history of the head in service"))?;
            rows.into_iter()
                .map(|(word, service)| {
                    let change = parse(&CHANGES, &word, task, "change of the head in service")?;
                    Ok(Service { change, ..service })
                })
                .collect()
        })
    }
}

/// Where a roll back goes, and where one from there would.
fn before(conn: &Connection, task: &str) -> Result<(Generation, Option<i64>), StoreError> {
    let present = current(conn, task_id(conn, task)?)?;
    let in_service = present.as_ref().and_then(|row| row.generation);
    let mut at = present.and_then(|row| row.back);
    while let Some(seq) = at {
        let row = conn
            .query_one("SELECT seq, generation, back FROM service WHERE seq = ?1", [seq], pointer_of)
            .map_err(StoreError::db("read the history of the head in service"))?;
        match row.generation {
            Some(generation) if Some(generation) != in_service && head_id(conn, task, generation).is_ok() => {
                return Ok((generation, row.back));
            }
            _ => at = row.back,
        }
    }
    Err(StoreError::NothingBefore { task: task.to_owned() })
}

/// The last move of the pointer.
pub(super) struct Pointer {
    pub(super) seq: i64,
    pub(super) generation: Option<Generation>,
    back: Option<i64>,
}

fn pointer_of(row: &Row<'_>) -> rusqlite::Result<Pointer> {
    Ok(Pointer { seq: row.get(0)?, generation: row.get::<_, Option<u32>>(1)?.map(Generation), back: row.get(2)? })
}

pub(super) fn current(conn: &Connection, task: i64) -> Result<Option<Pointer>, StoreError> {
    conn.query_row(
        "SELECT seq, generation, back FROM service WHERE task = ?1 ORDER BY seq DESC LIMIT 1",
        [task],
        pointer_of,
    )
    .optional()
    .map_err(StoreError::db("find the head in service"))
}

pub(super) fn in_service(conn: &Connection, task: i64) -> Result<Option<Generation>, StoreError> {
    Ok(current(conn, task)?.and_then(|row| row.generation))
}

#[expect(clippy::too_many_arguments, reason = "one column each")]
pub(super) fn put_in_service(
    conn: &Connection,
    task: i64,
    generation: Option<Generation>,
    change: Change,
    forced: bool,
    back: Option<i64>,
    who: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Backbone and head move together. With no head in service the backbone stays.
    if let Some(generation) = generation {
        let (name, backbone): (String, [u8; 32]) = conn
            .query_one(
                "SELECT t.name, b.backbone_id FROM heads h JOIN tasks t ON t.id = h.task JOIN backbones b ON b.id = h.backbone
                 WHERE h.task = ?1 AND h.generation = ?2",
                params![task, generation.0],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(StoreError::db("find the backbone of the head"))?;
        let (_, on) = load_task_on(conn, &name, Some(&backbone))?;
        backbones::complete(conn, task, &on)?;
        backbones::put_in_use(conn, task, on.backbone_row)?;
    }
    conn.execute(
        "INSERT INTO service (task, generation, change, forced, back, who, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![task, generation.map(|g| g.0), word(&CHANGES, change), forced, back, who, micros(now)],
    )
    .map_err(StoreError::db("put the head in service"))?;
    Ok(())
}

const CHANGES: [(&str, Change); 8] = [
    ("activated", Change::Activated),
    ("adapted", Change::Adapted),
    ("adjusted", Change::Adjusted),
    ("forgot", Change::Forgot),
    ("installed", Change::Installed),
    ("rolled_back", Change::RolledBack),
    ("shipped", Change::Shipped),
    ("taken_back", Change::TakenBack),
];

impl Change {
    /// The word for it in the store and in JSON.
    pub fn token(self) -> &'static str {
        word(&CHANGES, self)
    }
}
