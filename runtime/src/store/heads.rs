//! Heads: recorded with the verdict on them, and read back. Knows nothing about how they are fitted.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::StoreError;
use super::foreign;
use super::id::{Digest, Generation, SampleId, Watermark};
use super::record::{
    Adaptation, Change, Installed, LeaveOut, NewAdaptation, NewHead, Origin, StoredHead, TakeBack, Task, micros,
    timestamp,
};
use super::service::{current, in_service, put_in_service};
use super::snapshot::Snapshot;
use super::tasks::{Tasks, load_task, load_task_on, task_id};
use crate::head_file::HeadFile;

/// Generations that keep their leave-out scores; those pinned and the one in service keep them as well.
const KEPT_LEAVE_OUT: i64 = 20;

impl Tasks {
    /// Records one run of the trainer: verdict, head, leave-out scores and, if it is activated, the pointer, all or
    /// nothing. Gives the head's generation, if there is a head. An adjusted head is recorded with the snapshot that the head
    /// before was fitted on.
    ///
    /// # Errors
    /// Something was forgotten since the snapshot; the head does not fit the task.
    pub fn record_adaptation(
        &mut self,
        snapshot: &Snapshot,
        new: &NewAdaptation<'_>,
        now: Timestamp,
    ) -> Result<Option<Generation>, StoreError> {
        self.write("record the adaptation", |conn| {
            let (id, task) = load_task(conn, &snapshot.task)?;
            let forgets: i64 = conn
                .query_one("SELECT forgets FROM tasks WHERE id = ?1", [id], |row| row.get(0))
                .map_err(StoreError::db("read the task"))?;
            if forgets != snapshot.forgets {
                return Err(StoreError::Stale { task: task.name });
            }
            let adjusted = new.head.as_ref().is_some_and(|head| head.file.provenance.adjusted.is_some());
            let origin = if adjusted { Origin::Adjusted } else { Origin::Adapted };
            let generation =
                new.head.as_ref().map(|head| insert_fitted(conn, id, &task, snapshot, head, origin, now)).transpose()?;
            conn.execute(
                "INSERT INTO adaptations (task, outcome, record, generation, who, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id, new.outcome, new.record, generation.map(|g| g.0), new.who, micros(now)],
            )
            .map_err(StoreError::db("record the adaptation"))?;
            let put = |generation, change| -> Result<(), StoreError> {
                let back = current(conn, id)?.map(|row| row.seq);
                put_in_service(conn, id, generation, change, false, back, new.who, now)
            };
            if let Some(TakeBack(before)) = new.take_back {
                put(before, Change::TakenBack)?;
            }
            if let Some(proved) = new.proved {
                foreign::prove(conn, id, proved)?;
            }
            if new.activate && generation.is_some() {
                put(generation, if origin == Origin::Adjusted { Change::Adjusted } else { Change::Adapted })?;
            }
            prune(conn, id)?;
            Ok(generation)
        })
    }

    /// Takes in a head file from elsewhere, not yet in service. The same file again is the same generation.
    ///
    /// # Errors
    /// The file cannot be read; it belongs to another backbone; it was fitted here on something since forgotten.
    pub fn import_head(&mut self, task: &str, bytes: &[u8], now: Timestamp) -> Result<Generation, StoreError> {
        let file = HeadFile::decode(bytes).map_err(StoreError::HeadFile)?;
        self.write("store the head", |conn| {
            let (id, task) = load_task(conn, task)?;
            foreign::take_in(conn, id, &task, &file, Origin::Imported, now).map(|(generation, _)| generation)
        })
    }

    /// Takes in the classifier that came in a backbone's file, not yet in service unless there is no head. Once for a
    /// backbone: the same again is the same generation.
    ///
    /// # Errors
    /// There is no such task; it does not fit.
    pub fn add_shipped(&mut self, task: &str, file: &HeadFile, now: Timestamp) -> Result<Generation, StoreError> {
        self.write("store the model's own classifier", |conn| insert_shipped(conn, task, file, now))
    }

    /// The classifier that came in the file of a backbone, if it was kept.
    ///
    /// # Errors
    /// There is no such task; the stored head cannot be read.
    pub fn shipped(&self, task: &str, backbone: &[u8; 32]) -> Result<Option<StoredHead>, StoreError> {
        self.read(|conn| shipped(conn, task, backbone))
    }

    /// The task's heads, oldest first.
    ///
    /// # Errors
    /// There is no such task; a stored head cannot be read.
    pub fn heads(&self, task: &str) -> Result<Vec<StoredHead>, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            let rows: Vec<RawHead> = conn
                .prepare(&format!("{HEADS} WHERE h.task = ?1 ORDER BY h.generation"))
                .and_then(|mut query| query.query_map([id], raw_head)?.collect())
                .map_err(StoreError::db("list the heads"))?;
            rows.into_iter().map(|row| row.stored(task)).collect()
        })
    }

    /// One head.
    ///
    /// # Errors
    /// There is no such task or generation; the stored head cannot be read.
    pub fn head(&self, task: &str, generation: Generation) -> Result<StoredHead, StoreError> {
        self.read(|conn| load_head(conn, task, generation))
    }

    /// The bytes of a head's file.
    ///
    /// # Errors
    /// There is no such task or generation.
    pub fn head_file(&self, task: &str, generation: Generation) -> Result<Vec<u8>, StoreError> {
        self.read(|conn| {
            let id = head_id(conn, task, generation)?;
            conn.query_one("SELECT file FROM heads WHERE id = ?1", [id], |row| row.get(0))
                .map_err(StoreError::db("read the head"))
        })
    }

    /// A head's kept out-of-sample scores in the order of the samples; empty where they are no longer kept.
    ///
    /// # Errors
    /// There is no such task or generation.
    pub fn leave_out(&self, task: &str, generation: Generation) -> Result<Vec<LeaveOut>, StoreError> {
        self.read(|conn| {
            let id = head_id(conn, task, generation)?;
            conn.prepare(
                "SELECT s.id, o.probabilities FROM leave_out o JOIN samples s ON s.seq = o.sample WHERE o.head = ?1 ORDER BY s.seq",
            )
            .and_then(|mut query| {
                query
                    .query_map([id], |row| {
                        let (numbers, _) = row.get_ref(1)?.as_blob()?.as_chunks::<4>();
                        let probabilities = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
                        Ok(LeaveOut { sample: SampleId(row.get(0)?), probabilities })
                    })?
                    .collect()
            })
            .map_err(StoreError::db("read the leave-out scores"))
        })
    }

    /// Keeps a head and its leave-out scores, or no longer.
    ///
    /// # Errors
    /// There is no such task or generation.
    pub fn pin(&mut self, task: &str, generation: Generation, pinned: bool) -> Result<(), StoreError> {
        self.write("pin the head", |conn| {
            let id = head_id(conn, task, generation)?;
            conn.execute("UPDATE heads SET pinned = ?2 WHERE id = ?1", params![id, pinned])
                .map_err(StoreError::db("pin the head"))?;
            Ok(())
        })
    }

    /// Every run of the trainer, oldest first.
    ///
    /// # Errors
    /// There is no such task.
    pub fn adaptations(&self, task: &str) -> Result<Vec<Adaptation>, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            conn.prepare("SELECT * FROM adaptations WHERE task = ?1 ORDER BY seq")
                .and_then(|mut query| {
                    query
                        .query_map([id], |row| {
                            Ok(Adaptation {
                                seq: row.get("seq")?,
                                outcome: row.get("outcome")?,
                                record: row.get("record")?,
                                generation: row.get::<_, Option<u32>>("generation")?.map(Generation),
                                who: row.get("who")?,
                                when: timestamp(row.get("time")?),
                            })
                        })?
                        .collect()
                })
                .map_err(StoreError::db("list the adaptations"))
        })
    }
}

/// Stores a head that was fitted on this snapshot, with its leave-out scores.
pub(super) fn insert_fitted(
    conn: &Connection,
    id: i64,
    task: &Task,
    snapshot: &Snapshot,
    new: &NewHead<'_>,
    origin: Origin,
    now: Timestamp,
) -> Result<Generation, StoreError> {
    let expected = (snapshot.len(), new.file.classes.len());
    if new.leave_out.dim() != expected {
        let words = |(rows, columns)| format!("{rows} × {columns}");
        return Err(StoreError::LeaveOut { expected: words(expected), found: words(new.leave_out.dim()) });
    }
    let (head, generation) = insert(conn, id, task, new.file, origin, Some(snapshot.watermark), now)?;
    let step = "store the leave-out scores";
    let mut insert = conn
        .prepare_cached("INSERT INTO leave_out (head, sample, probabilities) VALUES (?1, ?2, ?3)")
        .map_err(StoreError::db(step))?;
    for (seq, row) in snapshot.seqs.iter().zip(new.leave_out.rows()) {
        let probabilities: Vec<u8> = row.iter().flat_map(|&p| (p as f32).to_le_bytes()).collect();
        insert.execute(params![head, seq, probabilities]).map_err(StoreError::db(step))?;
    }
    Ok(generation)
}

/// Stores a model's own classifier, in service where there is no head.
pub(super) fn insert_shipped(
    conn: &Connection,
    task: &str,
    file: &HeadFile,
    now: Timestamp,
) -> Result<Generation, StoreError> {
    if let Some(known) = shipped(conn, task, &file.backbone_id)? {
        return Ok(known.generation);
    }
    let (id, task) = load_task(conn, task)?;
    let first: bool = conn
        .query_one(
            "SELECT NOT EXISTS (SELECT 1 FROM heads WHERE task = ?1) AND next_generation = 1 FROM tasks WHERE id = ?1",
            [id],
            |row| row.get(0),
        )
        .map_err(StoreError::db("look for heads"))?;
    if first {
        conn.execute("UPDATE tasks SET next_generation = 0 WHERE id = ?1", [id])
            .map_err(StoreError::db("number the model's own classifier"))?;
    }
    let (_, generation) = insert(conn, id, &task, file, Origin::Shipped, None, now)?;
    if task.in_service.is_none() && file.backbone_id == task.backbone_id {
        let back = current(conn, id)?.map(|row| row.seq);
        put_in_service(conn, id, Some(generation), Change::Shipped, false, back, &file.provenance.device, now)?;
    }
    Ok(generation)
}

fn shipped(conn: &Connection, task: &str, backbone: &[u8; 32]) -> Result<Option<StoredHead>, StoreError> {
    let id = task_id(conn, task)?;
    conn.query_row(
        &format!(
            "{HEADS} JOIN backbones b ON b.id = h.backbone
             WHERE h.task = ?1 AND h.origin = 'shipped' AND b.backbone_id = ?2 ORDER BY h.generation LIMIT 1"
        ),
        params![id, backbone],
        raw_head,
    )
    .optional()
    .map_err(StoreError::db("look for the model's own classifier"))?
    .map(|row| row.stored(task))
    .transpose()
}

pub(super) fn insert(
    conn: &Connection,
    id: i64,
    task: &Task,
    file: &HeadFile,
    origin: Origin,
    watermark: Option<Watermark>,
    now: Timestamp,
) -> Result<(i64, Generation), StoreError> {
    let foreign = |what, expected: String, found: String| {
        Err(StoreError::ForeignHead { task: task.name.clone(), what, expected, found })
    };
    // A head may be of any backbone that the task has, not only of the one in use.
    let on = match load_task_on(conn, &task.name, Some(&file.backbone_id)) {
        Ok((_, on)) => on,
        Err(StoreError::NoBackbone { .. }) => {
            return foreign("backbone id", Digest(task.backbone_id).to_string(), Digest(file.backbone_id).to_string());
        }
        Err(error) => return Err(error),
    };
    if file.head.dim() != on.dim {
        return foreign("dimension", on.dim.to_string(), file.head.dim().to_string());
    }
    let bytes = file.encode().map_err(StoreError::HeadFile)?;
    let step = "store the head";
    let generation: u32 = conn
        .query_one(
            "UPDATE tasks SET next_generation = next_generation + 1 WHERE id = ?1 RETURNING next_generation - 1",
            [id],
            |row| row.get(0),
        )
        .map_err(StoreError::db(step))?;
    conn.execute(
        "INSERT INTO heads (task, generation, origin, watermark, created, digest, file, backbone)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            generation,
            word(&ORIGINS, origin),
            watermark.map(|w| w.0),
            micros(now),
            Digest::of(&bytes).0,
            bytes,
            on.backbone_row
        ],
    )
    .map_err(StoreError::db(step))?;
    Ok((conn.last_insert_rowid(), Generation(generation)))
}

/// Leave-out scores are by far the most of a head; old ones go.
fn prune(conn: &Connection, task: i64) -> Result<(), StoreError> {
    conn.execute(
        "DELETE FROM leave_out WHERE head IN (
             SELECT id FROM heads WHERE task = ?1 AND NOT pinned AND generation IS NOT ?2
             AND generation <= (SELECT max(generation) FROM heads WHERE task = ?1) - ?3)",
        params![task, in_service(conn, task)?.map(|g| g.0), KEPT_LEAVE_OUT],
    )
    .map_err(StoreError::db("delete old leave-out scores"))?;
    Ok(())
}

pub(super) fn head_id(conn: &Connection, task: &str, generation: Generation) -> Result<i64, StoreError> {
    let id = task_id(conn, task)?;
    conn.prepare_cached("SELECT id FROM heads WHERE task = ?1 AND generation = ?2")
        .and_then(|mut query| query.query_row(params![id, generation.0], |row| row.get(0)).optional())
        .map_err(StoreError::db("find the head"))?
        .ok_or_else(|| StoreError::NoGeneration { task: task.to_owned(), generation })
}

pub(super) fn load_head(conn: &Connection, task: &str, generation: Generation) -> Result<StoredHead, StoreError> {
    let id = head_id(conn, task, generation)?;
    conn.query_one(&format!("{HEADS} WHERE h.id = ?1"), [id], raw_head)
        .map_err(StoreError::db("read the head"))?
        .stored(task)
}

/// Heads, with whose they are.
const HEADS: &str = "SELECT h.*, i.signer, i.name, i.device, i.number, i.issued, i.samples, i.unproved
    FROM heads h LEFT JOIN installed i ON i.head = h.id";

/// A row of `heads`, not yet understood.
struct RawHead {
    generation: u32,
    origin: String,
    watermark: Option<i64>,
    pinned: bool,
    created: i64,
    digest: [u8; 32],
    installed: Option<Installed>,
    file: Vec<u8>,
}

fn raw_head(row: &Row<'_>) -> rusqlite::Result<RawHead> {
    Ok(RawHead {
        generation: row.get("generation")?,
        origin: row.get("origin")?,
        watermark: row.get("watermark")?,
        pinned: row.get("pinned")?,
        created: row.get("created")?,
        digest: row.get("digest")?,
        installed: foreign::installed_of(row)?,
        file: row.get("file")?,
    })
}

impl RawHead {
    fn stored(self, task: &str) -> Result<StoredHead, StoreError> {
        Ok(StoredHead {
            generation: Generation(self.generation),
            origin: parse(&ORIGINS, &self.origin, task, "origin of a head")?,
            created: timestamp(self.created),
            watermark: self.watermark.map(Watermark),
            pinned: self.pinned,
            digest: Digest(self.digest),
            installed: self.installed,
            file: HeadFile::decode(&self.file).map_err(StoreError::HeadFile)?,
        })
    }
}

const ORIGINS: [(&str, Origin); 6] = [
    ("adapted", Origin::Adapted),
    ("adjusted", Origin::Adjusted),
    ("imported", Origin::Imported),
    ("installed", Origin::Installed),
    ("refitted", Origin::Refitted),
    ("shipped", Origin::Shipped),
];

impl Origin {
    /// The word for it in the store and in JSON.
    pub fn token(self) -> &'static str {
        word(&ORIGINS, self)
    }
}

pub(super) fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).expect("every variant has a word").0
}

pub(super) fn parse<T: Copy>(
    words: &[(&'static str, T)],
    word: &str,
    task: &str,
    what: &'static str,
) -> Result<T, StoreError> {
    words.iter().find(|(known, _)| *known == word).map(|&(_, value)| value).ok_or_else(|| StoreError::Record {
        task: task.to_owned(),
        what,
        problem: format!("{word:?} is no word of this version"),
    })
}
