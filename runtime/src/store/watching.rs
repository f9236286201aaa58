//! What a running daemon keeps with a task beside its samples: where it looks, and how much room it takes. Knows nothing of
//! sources or policies.
//!
//! Room is made in the order in which it costs least: samples that were never labelled go whole, the oldest first; then the
//! payloads of labelled ones, whose features stay, and never the last payloads of a class.

use rusqlite::{Connection, params};

use super::StoreError;
use super::id::{SampleId, Watermark};
use super::record::{Evicted, Region};
use super::samples::{Batch, LABEL_SEQ, seq_of};
use super::tasks::{Tasks, task_id};

/// Payloads of a class that are never dropped for room.
const LAST_OF_A_CLASS: i64 = 8;

impl Tasks {
    /// Where the task looks, if somebody chose.
    ///
    /// # Errors
    /// There is no such task.
    pub fn looks(&self, task: &str) -> Result<Vec<Region>, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            conn.prepare_cached("SELECT source, x, y, width, height FROM looks WHERE task = ?1 ORDER BY id")
                .and_then(|mut query| {
                    query
                        .query_map([id], |row| {
                            let side = |column: usize| row.get::<_, Option<f64>>(column);
                            let crop = match (side(1)?, side(2)?, side(3)?, side(4)?) {
                                (Some(x), Some(y), Some(width), Some(height)) => Some([x, y, width, height]),
                                _ => None,
                            };
                            Ok(Region { source: row.get(0)?, crop })
                        })?
                        .collect()
                })
                .map_err(StoreError::db("read what the task looks at"))
        })
    }

    /// Chooses where the task looks, in place of what was chosen before.
    ///
    /// # Errors
    /// There is no such task.
    pub fn set_looks(&mut self, task: &str, looks: &[Region]) -> Result<(), StoreError> {
        self.write("store what the task looks at", |conn| {
            let id = task_id(conn, task)?;
            let step = || StoreError::db("store what the task looks at");
            conn.execute("DELETE FROM looks WHERE task = ?1", [id]).map_err(step())?;
            for Region { source, crop } in looks {
                let [x, y, width, height] = crop.map_or([None; 4], |crop| crop.map(Some));
                conn.execute(
                    "INSERT INTO looks (task, source, x, y, width, height) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![id, source, x, y, width, height],
                )
                .map_err(step())?;
            }
            Ok(())
        })
    }

    /// Bytes of the payloads that a task keeps.
    ///
    /// # Errors
    /// There is no such task.
    pub fn payload_bytes(&self, task: &str) -> Result<u64, StoreError> {
        self.read(|conn| payload_bytes(conn, task_id(conn, task)?))
    }

    /// The last claim about any sample so far.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn last_claim(&self) -> Result<Watermark, StoreError> {
        self.read(|conn| {
            conn.query_one("SELECT coalesce(max(seq), 0) FROM labels", [], |row| row.get(0))
                .map(Watermark)
                .map_err(StoreError::db("find the last label"))
        })
    }

    /// Samples that were labelled, or labelled anew, after everything that a head of the task was fitted on.
    ///
    /// # Errors
    /// There is no such task.
    pub fn new_labels(&self, task: &str) -> Result<usize, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            let sql = format!(
                "SELECT count(*) FROM samples s JOIN labels l ON l.seq = {LABEL_SEQ} WHERE s.task = ?1 AND l.class IS NOT NULL
                 AND l.seq > (SELECT coalesce(max(watermark), 0) FROM heads WHERE task = ?1)"
            );
            let count: i64 = conn
                .prepare_cached(&sql)
                .and_then(|mut query| query.query_row([id], |row| row.get(0)))
                .map_err(StoreError::db("count the new labels"))?;
            Ok(count as usize)
        })
    }

    /// Samples of each class of a task, in the order of its classes.
    ///
    /// # Errors
    /// There is no such task.
    pub fn labelled_by_class(&self, task: &str) -> Result<Vec<(String, usize)>, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            let sql = format!(
                "SELECT c.name, (SELECT count(*) FROM labels l JOIN samples s ON s.seq = l.sample
                                 WHERE l.class = c.id AND l.seq = {LABEL_SEQ})
                 FROM classes c WHERE c.task = ?1 ORDER BY c.id"
            );
            conn.prepare_cached(&sql)
                .and_then(|mut query| {
                    query.query_map([id], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize)))?.collect()
                })
                .map_err(StoreError::db("count the samples of each class"))
        })
    }

    /// Makes room: the payloads of the task take at most so many bytes afterwards, where that can be had.
    ///
    /// # Errors
    /// There is no such task.
    pub fn evict(&mut self, task: &str, keep_bytes: u64) -> Result<Evicted, StoreError> {
        self.write("make room", |conn| {
            let id = task_id(conn, task)?;
            let before = payload_bytes(conn, id)?;
            let mut too_much = before.saturating_sub(keep_bytes);
            let mut evicted = Evicted::default();
            let step = || StoreError::db("make room");
            let never_labelled = "SELECT s.seq, length(p.bytes) FROM samples s JOIN payloads p ON p.sample = s.seq
                 WHERE s.task = ?1 AND NOT EXISTS (SELECT 1 FROM labels WHERE sample = s.seq) ORDER BY s.seq";
            for (seq, bytes) in oldest(conn, never_labelled, id, too_much)? {
                conn.execute("DELETE FROM samples WHERE seq = ?1", [seq]).map_err(step())?;
                evicted.samples += 1;
                too_much = too_much.saturating_sub(bytes);
            }
            let labelled = format!(
                "SELECT seq, bytes FROM (
                    SELECT s.seq AS seq, length(p.bytes) AS bytes,
                           row_number() OVER (PARTITION BY l.class ORDER BY s.seq DESC) AS place
                    FROM samples s JOIN payloads p ON p.sample = s.seq JOIN labels l ON l.seq = {LABEL_SEQ}
                    WHERE s.task = ?1) WHERE place > {LAST_OF_A_CLASS} ORDER BY seq"
            );
            for (seq, bytes) in oldest(conn, &labelled, id, too_much)? {
                conn.execute("DELETE FROM payloads WHERE sample = ?1", [seq]).map_err(step())?;
                evicted.payloads += 1;
                too_much = too_much.saturating_sub(bytes);
            }
            evicted.bytes = before.saturating_sub(payload_bytes(conn, id)?);
            Ok(evicted)
        })
    }
}

impl Batch<'_> {
    /// Drops the payload of a sample; its feature stays.
    ///
    /// # Errors
    /// There is no such task.
    pub fn drop_payload(&self, task: &str, id: &SampleId) -> Result<(), StoreError> {
        if let Some(seq) = seq_of(self.conn, task_id(self.conn, task)?, id)? {
            self.conn
                .execute("DELETE FROM payloads WHERE sample = ?1", [seq])
                .map_err(StoreError::db("drop the sample's content"))?;
        }
        Ok(())
    }
}

fn payload_bytes(conn: &Connection, task: i64) -> Result<u64, StoreError> {
    conn.prepare_cached(
        "SELECT coalesce(sum(length(p.bytes)), 0) FROM payloads p JOIN samples s ON s.seq = p.sample WHERE s.task = ?1",
    )
    .and_then(|mut query| query.query_row([task], |row| row.get::<_, i64>(0)))
    .map(i64::unsigned_abs)
    .map_err(StoreError::db("count the bytes of the payloads"))
}

/// Rows with their bytes, from the first on, until there are enough bytes.
fn oldest(conn: &Connection, sql: &str, task: i64, enough: u64) -> Result<Vec<(i64, u64)>, StoreError> {
    let step = || StoreError::db("look for what may go");
    let mut query = conn.prepare_cached(sql).map_err(step())?;
    let mut rows = query.query([task]).map_err(step())?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while bytes < enough
        && let Some(row) = rows.next().map_err(step())?
    {
        let one = row.get::<_, i64>(1).map_err(step())?.unsigned_abs();
        bytes += one;
        found.push((row.get(0).map_err(step())?, one));
    }
    Ok(found)
}
