//! Signed heads of other devices: taken in with the verdict on them, and what was seen of their signers. Knows nothing of
//! signatures or of how heads are judged.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::StoreError;
use super::heads::{self, head_id};
use super::id::{Digest, Generation, SampleId};
use super::marks::Marks;
use super::record::{Change, Installed, NewInstall, Origin, Seen, Task, micros, timestamp};
use super::service::{current, put_in_service};
use super::tasks::{Tasks, class_id, load_task, task_id};
use crate::head_file::HeadFile;

impl Tasks {
    /// Takes in a head that another device has signed, with the verdict on it: the head, whose it is, that it was seen, and, if it
    /// is to be, the pointer; all or nothing. A head that is here already keeps its number.
    ///
    /// # Errors
    /// There is no such task; it does not fit; it was fitted here on something since forgotten.
    pub fn install(&mut self, task: &str, new: &NewInstall<'_>, now: Timestamp) -> Result<Generation, StoreError> {
        self.write("take the head in", |conn| {
            let (id, task) = load_task(conn, task)?;
            let (generation, digest) = take_in(conn, id, &task, new.file, Origin::Installed, now)?;
            let Installed { signer, name, device, sequence, issued, samples, unproved } = new.of;
            conn.execute(
                "INSERT INTO installed (head, signer, name, device, number, issued, samples, unproved)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE (SELECT watermark FROM heads WHERE id = ?1) IS NULL
                 ON CONFLICT (head) DO UPDATE SET number = excluded.number, issued = excluded.issued,
                     unproved = min(unproved, excluded.unproved)",
                params![
                    head_id(conn, &task.name, generation)?,
                    signer,
                    name,
                    device,
                    sequence.cast_signed(),
                    micros(*issued),
                    samples.as_ref().map(Marks::to_bytes),
                    unproved
                ],
            )
            .map_err(StoreError::db("note whose head it is"))?;
            see(conn, id, signer, &Seen { sequence: *sequence, head: digest, judged: true })?;
            conn.execute(
                "INSERT INTO adaptations (task, outcome, record, generation, who, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id, new.outcome, new.record, generation.0, new.who, micros(now)],
            )
            .map_err(StoreError::db("record the verdict"))?;
            if new.activate {
                // What it answers can be said of samples, too.
                if !task.classes_only {
                    for class in &new.file.classes {
                        class_id(conn, id, class)?;
                    }
                }
                let back = current(conn, id)?.map(|row| row.seq);
                put_in_service(conn, id, Some(generation), Change::Installed, false, back, new.who, now)?;
            }
            Ok(generation)
        })
    }

    /// The newest that a signer has said of a task, if anything was seen of it.
    ///
    /// # Errors
    /// There is no such task.
    pub fn seen(&self, task: &str, signer: &[u8; 32]) -> Result<Option<Seen>, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            conn.query_row(
                "SELECT number, digest, judged FROM seen WHERE task = ?1 AND signer = ?2",
                params![id, signer],
                |row| {
                    let sequence = row.get::<_, i64>(0)?.cast_unsigned();
                    Ok(Seen { sequence, head: Digest(row.get(1)?), judged: row.get(2)? })
                },
            )
            .optional()
            .map_err(StoreError::db("read what was seen of the signer"))
        })
    }

    /// Notes what a signer has said of a task; what is older than what was noted changes nothing.
    ///
    /// # Errors
    /// There is no such task.
    pub fn note_seen(&mut self, task: &str, signer: &[u8; 32], seen: &Seen) -> Result<(), StoreError> {
        self.write("note what was seen of the signer", |conn| see(conn, task_id(conn, task)?, signer, seen))
    }

    /// The generation of a head file that is here already.
    ///
    /// # Errors
    /// There is no such task.
    pub fn generation_of(&self, task: &str, digest: &Digest) -> Result<Option<Generation>, StoreError> {
        self.read(|conn| known(conn, task_id(conn, task)?, digest))
    }

    /// Whether no labels of this device have proved another device's head yet.
    ///
    /// # Errors
    /// There is no such task or generation.
    pub fn is_unproved(&self, task: &str, generation: Generation) -> Result<bool, StoreError> {
        self.read(|conn| {
            let sql = "SELECT unproved FROM installed WHERE head = ?1";
            let unproved = conn.query_row(sql, [head_id(conn, task, generation)?], |row| row.get(0)).optional();
            Ok(unproved.map_err(StoreError::db("read whether the head is proved"))?.unwrap_or(false))
        })
    }

    /// Whether a head was fitted here on something since forgotten.
    ///
    /// # Errors
    /// There is no such task.
    pub fn is_withdrawn(&self, task: &str, digest: &Digest) -> Result<bool, StoreError> {
        self.read(|conn| withdrawn(conn, task_id(conn, task)?, digest))
    }

    /// Which move of the pointer put the head in service that is there.
    ///
    /// # Errors
    /// There is no such task.
    pub fn moved_at(&self, task: &str) -> Result<Option<u64>, StoreError> {
        self.read(|conn| Ok(current(conn, task_id(conn, task)?)?.map(|pointer| pointer.seq.cast_unsigned())))
    }
}

fn see(conn: &Connection, task: i64, signer: &[u8; 32], seen: &Seen) -> Result<(), StoreError> {
    let Seen { sequence, head, judged } = seen;
    conn.execute(
        "INSERT INTO seen (task, signer, number, digest, judged) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (task, signer) DO UPDATE SET number = excluded.number, digest = excluded.digest, judged = excluded.judged
         WHERE excluded.number > number OR excluded.number = number AND excluded.digest = digest AND excluded.judged",
        params![task, signer, sequence.cast_signed(), head.0, judged],
    )
    .map_err(StoreError::db("note what was seen of the signer"))?;
    Ok(())
}

/// Stores a head that was not fitted here just now. One that is here already keeps its number; one that was fitted here on
/// something since forgotten is refused.
pub(super) fn take_in(
    conn: &Connection,
    id: i64,
    task: &Task,
    file: &HeadFile,
    origin: Origin,
    now: Timestamp,
) -> Result<(Generation, Digest), StoreError> {
    let digest = Digest::of(&file.encode().map_err(StoreError::HeadFile)?);
    if withdrawn(conn, id, &digest)? {
        return Err(StoreError::Forgotten { task: task.name.clone(), digest });
    }
    let generation = match known(conn, id, &digest)? {
        Some(generation) => generation,
        None => heads::insert(conn, id, task, file, origin, None, now)?.1,
    };
    Ok((generation, digest))
}

fn known(conn: &Connection, task: i64, digest: &Digest) -> Result<Option<Generation>, StoreError> {
    conn.query_row(
        "SELECT generation FROM heads WHERE task = ?1 AND digest = ?2 ORDER BY generation LIMIT 1",
        params![task, digest.0],
        |row| row.get(0).map(Generation),
    )
    .optional()
    .map_err(StoreError::db("look for the head"))
}

fn withdrawn(conn: &Connection, task: i64, digest: &Digest) -> Result<bool, StoreError> {
    conn.query_one(
        "SELECT EXISTS (SELECT 1 FROM withdrawn WHERE task = ?1 AND digest = ?2)",
        params![task, digest.0],
        |row| row.get(0),
    )
    .map_err(StoreError::db("look for the head among those withdrawn"))
}

/// Heads of other devices that were fitted on some of these samples, as far as they say on which.
pub(super) fn fitted_on(
    conn: &Connection,
    task: i64,
    samples: &[(i64, SampleId)],
) -> Result<Vec<Generation>, StoreError> {
    let marked: Vec<(Generation, Option<Marks>)> = conn
        .prepare(
            "SELECT h.generation, i.samples FROM installed i JOIN heads h ON h.id = i.head
             WHERE h.task = ?1 AND i.samples IS NOT NULL ORDER BY h.generation",
        )
        .and_then(|mut query| {
            let read = |row: &Row<'_>| Ok((Generation(row.get(0)?), Marks::from_bytes(row.get_ref(1)?.as_blob()?)));
            query.query_map([task], read)?.collect()
        })
        .map_err(StoreError::db("find heads of other devices that were fitted on these samples"))?;
    let fitted = marked
        .into_iter()
        .filter(|(_, marks)| marks.as_ref().is_some_and(|marks| samples.iter().any(|(_, sample)| marks.has(sample))));
    Ok(fitted.map(|(generation, _)| generation).collect())
}

/// Labels of this device have proved a head of another one.
pub(super) fn prove(conn: &Connection, task: i64, generation: Generation) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE installed SET unproved = 0 WHERE head = (SELECT id FROM heads WHERE task = ?1 AND generation = ?2)",
        params![task, generation.0],
    )
    .map_err(StoreError::db("note that the head is proved"))?;
    Ok(())
}

/// Whose head it is, of a row that may say it.
pub(super) fn installed_of(row: &Row<'_>) -> rusqlite::Result<Option<Installed>> {
    let Some(signer) = row.get::<_, Option<[u8; 32]>>("signer")? else { return Ok(None) };
    Ok(Some(Installed {
        signer,
        name: row.get("name")?,
        device: row.get("device")?,
        sequence: row.get::<_, i64>("number")?.cast_unsigned(),
        issued: timestamp(row.get("issued")?),
        samples: row.get_ref("samples")?.as_blob_or_null()?.and_then(Marks::from_bytes),
        unproved: row.get("unproved")?,
    }))
}
