//! Samples and their labels: coming in, being claimed, being looked at. Knows nothing about what fits on them.
//!
//! Every write goes through a [`Batch`]; the methods of [`Tasks`] with the same names are batches of one.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::StoreError;
use super::backbones::insert_feature;
use super::id::SampleId;
use super::record::{Added, Filter, Label, NewSample, Sample, Task, micros, timestamp};
use super::tasks::{Tasks, class_id, load_task, task_id};

/// The current label of sample `s`: what was claimed last, if that was not a withdrawal.
pub(super) const LABEL_SEQ: &str = "(SELECT seq FROM labels WHERE sample = s.seq ORDER BY seq DESC LIMIT 1)";

/// Fewest digits by which a sample may be named.
const PREFIX_DIGITS: usize = 4;

/// Several writes that become durable together; see [`Tasks::batch`].
#[derive(Debug)]
pub struct Batch<'a> {
    pub(super) conn: &'a Connection,
}

impl Batch<'_> {
    /// Stores a sample, and its label if it has one. The same content again changes nothing, unless it brings another
    /// label.
    ///
    /// # Errors
    /// There is no such task; the feature has another length than the task's; the class name cannot be used.
    pub fn add_sample(&self, task: &str, new: &NewSample<'_>, now: Timestamp) -> Result<Added, StoreError> {
        let (task_id, backbone, dim) = task_and_backbone(self.conn, task)?;
        let id = SampleId::of(new.payload);
        if let Some(seq) = seq_of(self.conn, task_id, &id)? {
            let Some(class) = new.label else { return Ok(Added::Known(id)) };
            let before = label(self.conn, seq)?;
            if before.as_deref() == Some(class) {
                return Ok(Added::Known(id));
            }
            claim(self.conn, task_id, seq, Some(class), new.who, now)?;
            return Ok(Added::Relabelled { id, from: before });
        }
        if new.codes.len() != dim {
            return Err(StoreError::Codes { task: task.to_owned(), expected: dim, found: new.codes.len() });
        }
        let step = || StoreError::db("store the sample");
        self.conn
            .prepare_cached(
                "INSERT INTO samples (task, id, media, source, taken, group_key, phash, added)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    task_id,
                    id.0,
                    new.media,
                    new.source,
                    new.taken.map(micros),
                    new.group_key,
                    new.phash.map(u64::cast_signed),
                    micros(now)
                ])
            })
            .map_err(step())?;
        let seq = self.conn.last_insert_rowid();
        self.conn
            .prepare_cached("INSERT INTO payloads (sample, bytes) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![seq, new.payload]))
            .map_err(step())?;
        if let Some(thumbnail) = new.thumbnail {
            self.conn
                .prepare_cached("INSERT INTO thumbnails (sample, pixels) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute(params![seq, thumbnail.pixels()]))
                .map_err(step())?;
        }
        let feature = (new.codes, new.saturated, new.norm);
        insert_feature(self.conn, seq, backbone, feature, new.extractor, now)?;
        if let Some(class) = new.label {
            claim(self.conn, task_id, seq, Some(class), new.who, now)?;
        }
        Ok(Added::New(id))
    }

    /// Whether the task has this sample: then its feature need not be computed again.
    ///
    /// # Errors
    /// There is no such task.
    pub fn has_sample(&self, task: &str, id: &SampleId) -> Result<bool, StoreError> {
        let task_id = task_id(self.conn, task)?;
        Ok(seq_of(self.conn, task_id, id)?.is_some())
    }

    /// Claims that a sample is of a class; a new class is made. Gives the label before.
    ///
    /// # Errors
    /// There is no such task or sample; the class name cannot be used.
    pub fn label(
        &self,
        task: &str,
        id: &SampleId,
        class: &str,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.set_label(task, id, Some(class), who, now)
    }

    /// Withdraws a sample's label. Gives the label before.
    ///
    /// # Errors
    /// There is no such task or sample.
    pub fn unlabel(&self, task: &str, id: &SampleId, who: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        self.set_label(task, id, None, who, now)
    }

    fn set_label(
        &self,
        task: &str,
        id: &SampleId,
        class: Option<&str>,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let task_id = task_id(self.conn, task)?;
        let seq = seq_of(self.conn, task_id, id)?
            .ok_or_else(|| StoreError::NoSample { task: task.to_owned(), sample: id.to_string() })?;
        let before = label(self.conn, seq)?;
        // The same claim again teaches nothing and would count as new.
        if before.as_deref() != class {
            claim(self.conn, task_id, seq, class, who, now)?;
        }
        Ok(before)
    }
}

impl Tasks {
    /// See [`Batch::add_sample`]; durable when this returns.
    ///
    /// # Errors
    /// As there.
    pub fn add_sample(&mut self, task: &str, new: &NewSample<'_>, now: Timestamp) -> Result<Added, StoreError> {
        self.batch(|batch| batch.add_sample(task, new, now))
    }

    /// See [`Batch::label`]; durable when this returns.
    ///
    /// # Errors
    /// As there.
    pub fn label(
        &mut self,
        task: &str,
        id: &SampleId,
        class: &str,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.batch(|batch| batch.label(task, id, class, who, now))
    }

    /// See [`Batch::unlabel`]; durable when this returns.
    ///
    /// # Errors
    /// As there.
    pub fn unlabel(
        &mut self,
        task: &str,
        id: &SampleId,
        who: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.batch(|batch| batch.unlabel(task, id, who, now))
    }

    /// See [`Batch::has_sample`].
    ///
    /// # Errors
    /// As there.
    pub fn has_sample(&self, task: &str, id: &SampleId) -> Result<bool, StoreError> {
        self.read(|conn| Batch { conn }.has_sample(task, id))
    }

    /// The task's samples in order of arrival.
    ///
    /// # Errors
    /// There is no such task, or no such class in it.
    pub fn samples(&self, task: &str, filter: &Filter) -> Result<Vec<Sample>, StoreError> {
        self.read(|conn| {
            let (id, record) = load_task(conn, task)?;
            let (condition, class) = match filter {
                Filter::All => ("true", None),
                Filter::Labelled => ("l.class IS NOT NULL", None),
                Filter::Of(class) => ("true", Some(known_class(&record, class)?)),
                Filter::Unlabelled => ("l.class IS NULL", None),
            };
            let sql = select(&format!("s.task = ?1 AND (?2 IS NULL OR c.name = ?2) AND {condition} ORDER BY s.seq"));
            conn.prepare(&sql)
                .and_then(|mut query| query.query_map(params![id, class], sample_of)?.collect())
                .map_err(StoreError::db("list the samples"))
        })
    }

    /// The sample whose id starts with these hexadecimal digits, at least four.
    ///
    /// # Errors
    /// There is no such task; no sample, or more than one, has such an id.
    pub fn sample(&self, task: &str, prefix: &str) -> Result<Sample, StoreError> {
        self.read(|conn| {
            let id = task_id(conn, task)?;
            let none = || StoreError::NoSample { task: task.to_owned(), sample: prefix.to_owned() };
            if prefix.len() < PREFIX_DIGITS || !prefix.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(none());
            }
            let sql = select("s.task = ?1 AND substr(hex(s.id), 1, length(?2)) = upper(?2) ORDER BY s.seq LIMIT 2");
            let found: Vec<Sample> = conn
                .prepare_cached(&sql)
                .and_then(|mut query| query.query_map(params![id, prefix], sample_of)?.collect())
                .map_err(StoreError::db("find the sample"))?;
            match <[Sample; 2]>::try_from(found) {
                Ok([first, second]) => Err(StoreError::AmbiguousSample {
                    task: task.to_owned(),
                    prefix: prefix.to_owned(),
                    first: first.id,
                    second: second.id,
                }),
                Err(found) => found.into_iter().next().ok_or_else(none),
            }
        })
    }

    /// The content of a sample.
    ///
    /// # Errors
    /// There is no such task or sample; its content is no longer kept.
    pub fn payload(&self, task: &str, id: &SampleId) -> Result<Vec<u8>, StoreError> {
        self.read(|conn| {
            conn.query_row("SELECT bytes FROM payloads WHERE sample = ?1", [existing_seq(conn, task, id)?], |row| {
                row.get(0)
            })
            .optional()
            .map_err(StoreError::db("read the sample's content"))?
            .ok_or_else(|| StoreError::PayloadGone { task: task.to_owned(), sample: *id })
        })
    }

    /// Whether the content of a sample is kept: an error where it is not.
    ///
    /// # Errors
    /// There is no such task or sample; its content is no longer kept.
    pub fn has_payload(&self, task: &str, id: &SampleId) -> Result<(), StoreError> {
        self.read(|conn| {
            let seq = existing_seq(conn, task, id)?;
            conn.prepare_cached("SELECT 1 FROM payloads WHERE sample = ?1")
                .and_then(|mut query| query.query_row([seq], |_| Ok(())).optional())
                .map_err(StoreError::db("look for the sample's content"))?
                .ok_or_else(|| StoreError::PayloadGone { task: task.to_owned(), sample: *id })
        })
    }

    /// Every claim about a sample, oldest first.
    ///
    /// # Errors
    /// There is no such task or sample.
    pub fn label_history(&self, task: &str, id: &SampleId) -> Result<Vec<Label>, StoreError> {
        self.read(|conn| {
            let seq = existing_seq(conn, task, id)?;
            conn.prepare(
                "SELECT l.seq, c.name, l.who, l.time FROM labels l LEFT JOIN classes c ON c.id = l.class
                 WHERE l.sample = ?1 ORDER BY l.seq",
            )
            .and_then(|mut query| {
                query
                    .query_map([seq], |row| {
                        Ok(Label {
                            seq: row.get(0)?,
                            class: row.get(1)?,
                            who: row.get(2)?,
                            when: timestamp(row.get(3)?),
                        })
                    })?
                    .collect()
            })
            .map_err(StoreError::db("read the labels"))
        })
    }
}

/// The class, if the task has it.
pub(super) fn known_class<'a>(task: &Task, class: &'a str) -> Result<&'a str, StoreError> {
    if task.classes.iter().any(|known| known == class) {
        return Ok(class);
    }
    Err(StoreError::NoClass { task: task.name.clone(), class: class.to_owned(), known: task.classes.join(", ") })
}

fn task_and_backbone(conn: &Connection, task: &str) -> Result<(i64, i64, usize), StoreError> {
    conn.prepare_cached(
        "SELECT t.id, b.id, b.dim FROM tasks t JOIN backbones b ON b.id = t.backbone_in_use WHERE t.name = ?1",
    )
    .and_then(|mut query| {
        query.query_row([task], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? as usize))).optional()
    })
    .map_err(StoreError::db("find the task"))?
    .ok_or_else(|| StoreError::NoTask { task: task.to_owned() })
}

pub(super) fn seq_of(conn: &Connection, task: i64, id: &SampleId) -> Result<Option<i64>, StoreError> {
    conn.prepare_cached("SELECT seq FROM samples WHERE task = ?1 AND id = ?2")
        .and_then(|mut query| query.query_row(params![task, id.0], |row| row.get(0)).optional())
        .map_err(StoreError::db("find the sample"))
}

fn existing_seq(conn: &Connection, task: &str, id: &SampleId) -> Result<i64, StoreError> {
    seq_of(conn, task_id(conn, task)?, id)?
        .ok_or_else(|| StoreError::NoSample { task: task.to_owned(), sample: id.to_string() })
}

/// The current label of a sample.
fn label(conn: &Connection, sample: i64) -> Result<Option<String>, StoreError> {
    conn.prepare_cached(
        "SELECT c.name FROM labels l LEFT JOIN classes c ON c.id = l.class WHERE l.sample = ?1 ORDER BY l.seq DESC LIMIT 1",
    )
    .and_then(|mut query| query.query_row([sample], |row| row.get(0)).optional())
    .map(Option::flatten)
    .map_err(StoreError::db("read the label"))
}

fn claim(
    conn: &Connection,
    task: i64,
    sample: i64,
    class: Option<&str>,
    who: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let class = class.map(|class| class_id(conn, task, class)).transpose()?;
    conn.prepare_cached("INSERT INTO labels (sample, class, who, time) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| insert.execute(params![sample, class, who, micros(now)]))
        .map_err(StoreError::db("store the label"))?;
    Ok(())
}

/// The query that [`sample_of`] reads.
fn select(condition: &str) -> String {
    format!(
        "SELECT s.id, s.seq, s.media, s.source, s.taken, s.group_key, s.phash, f.saturated, f.extractor, s.added,
                (SELECT length(bytes) FROM payloads WHERE sample = s.seq) AS bytes, c.name AS label
         FROM samples s JOIN tasks t ON t.id = s.task
         LEFT JOIN features f ON f.sample = s.seq AND f.backbone = t.backbone_in_use
         LEFT JOIN labels l ON l.seq = {LABEL_SEQ} LEFT JOIN classes c ON c.id = l.class
         WHERE {condition}"
    )
}

fn sample_of(row: &Row<'_>) -> rusqlite::Result<Sample> {
    Ok(Sample {
        id: SampleId(row.get("id")?),
        seq: row.get("seq")?,
        media: row.get("media")?,
        source: row.get("source")?,
        taken: row.get::<_, Option<i64>>("taken")?.map(timestamp),
        group_key: row.get("group_key")?,
        phash: row.get::<_, Option<i64>>("phash")?.map(i64::cast_unsigned),
        saturated: row.get::<_, Option<i64>>("saturated")?.unwrap_or_default() as usize,
        extractor: row.get::<_, Option<String>>("extractor")?.unwrap_or_default(),
        added: timestamp(row.get("added")?),
        bytes: row.get::<_, Option<i64>>("bytes")?.unwrap_or_default() as usize,
        label: row.get("label")?,
    })
}
