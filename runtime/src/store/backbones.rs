//! The backbones of a task and the features that they gave: which is in use, which features are missing, and what may
//! compute them. Knows nothing about engines; features come in ready.
//!
//! Invariant: every sample has a feature of the backbone in use.

use std::os::unix::ffi::OsStrExt as _;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::StoreError;
use super::id::SampleId;
use super::record::{Model, NewBackbone, NewFeature, StoredFeature, Task, micros};
use super::samples::{LABEL_SEQ, seq_of};
use super::tasks::{Tasks, load_task_on, task_id};

impl Tasks {
    /// Makes a backbone known to a task, not yet in use; once, however often it is called. Gives the task as seen with
    /// it.
    ///
    /// # Errors
    /// There is no such task.
    pub fn add_backbone(&mut self, task: &str, new: &NewBackbone) -> Result<Task, StoreError> {
        self.write("store the backbone", |conn| {
            row(conn, task_id(conn, task)?, new)?;
            load_task_on(conn, task, Some(&new.id)).map(|(_, task)| task)
        })
    }

    /// A task as seen with one of its backbones.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone.
    pub fn task_on(&self, task: &str, backbone: &[u8; 32]) -> Result<Task, StoreError> {
        self.read(|conn| load_task_on(conn, task, Some(backbone)).map(|(_, task)| task))
    }

    /// Samples without a feature of this backbone, in order of arrival; where the model's own classifier was kept, which
    /// needs norms, also those with a feature of format 1, which has none.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone.
    pub fn missing_features(&self, task: &str, backbone: &[u8; 32]) -> Result<Vec<SampleId>, StoreError> {
        self.read(|conn| {
            let (id, on) = load_task_on(conn, task, Some(backbone))?;
            conn.prepare(
                "SELECT s.id FROM samples s LEFT JOIN features f ON f.sample = s.seq AND f.backbone = ?2
                 WHERE s.task = ?1 AND (f.sample IS NULL OR f.norm IS NULL AND EXISTS
                     (SELECT 1 FROM heads WHERE backbone = ?2 AND origin = 'shipped')) ORDER BY s.seq",
            )
            .and_then(|mut query| query.query_map([id, on.backbone_row], |row| row.get(0).map(SampleId))?.collect())
            .map_err(StoreError::db("look for missing features"))
        })
    }

    /// Stores features computed from kept payloads. One that is there already is replaced; a sample that was forgotten
    /// meanwhile is passed over.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone; a feature has another length than the backbone's.
    pub fn add_features(
        &mut self,
        task: &str,
        backbone: &[u8; 32],
        features: &[NewFeature],
        extractor: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("store the features", |conn| {
            let (id, on) = load_task_on(conn, task, Some(backbone))?;
            for new in features {
                if new.codes.len() != on.dim {
                    return Err(StoreError::Codes { task: on.name, expected: on.dim, found: new.codes.len() });
                }
                let Some(seq) = seq_of(conn, id, &new.sample)? else { continue };
                let feature = (&new.codes[..], new.saturated, new.norm);
                insert_feature(conn, seq, on.backbone_row, feature, extractor, now)?;
            }
            Ok(())
        })
    }

    /// Puts a backbone in use in a task that has no head in service; where there is one, backbone and head change
    /// together.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone; there is a head in service; a sample lacks a feature.
    pub fn use_backbone(&mut self, task: &str, backbone: &[u8; 32]) -> Result<(), StoreError> {
        self.write("put the backbone in use", |conn| {
            let (id, on) = load_task_on(conn, task, Some(backbone))?;
            if let Some(generation) = on.in_service {
                return Err(StoreError::InService { task: on.name, generation });
            }
            complete(conn, id, &on)?;
            put_in_use(conn, id, on.backbone_row)
        })
    }

    /// What computed the features of the labelled samples; more than one after an update of the engine.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone.
    pub fn extractors_of_labelled(&self, task: &str, backbone: &[u8; 32]) -> Result<Vec<String>, StoreError> {
        self.read(|conn| {
            let (id, on) = load_task_on(conn, task, Some(backbone))?;
            conn.prepare(&format!(
                "SELECT DISTINCT f.extractor FROM samples s JOIN labels l ON l.seq = {LABEL_SEQ}
                 JOIN features f ON f.sample = s.seq AND f.backbone = ?2
                 WHERE s.task = ?1 AND l.class IS NOT NULL ORDER BY 1"
            ))
            .and_then(|mut query| query.query_map([id, on.backbone_row], |row| row.get(0))?.collect())
            .map_err(StoreError::db("read what computed the features"))
        })
    }

    /// The stored features of a backbone that something else than this extractor computed, in the order of the samples'
    /// ids: codes as they were stored, and the norm where it was kept.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone.
    pub fn features_not_of(
        &self,
        task: &str,
        backbone: &[u8; 32],
        extractor: &str,
    ) -> Result<Vec<StoredFeature>, StoreError> {
        self.read(|conn| {
            let (id, on) = load_task_on(conn, task, Some(backbone))?;
            conn.prepare(
                "SELECT s.id, f.codes, f.norm FROM samples s JOIN features f ON f.sample = s.seq AND f.backbone = ?2
                 WHERE s.task = ?1 AND f.extractor != ?3 ORDER BY s.id",
            )
            .and_then(|mut query| {
                let stored = |row: &Row<'_>| {
                    let norm = row.get::<_, Option<f64>>(2)?.map(|norm| norm as f32);
                    Ok(StoredFeature { sample: SampleId(row.get(0)?), codes: row.get(1)?, norm })
                };
                query.query_map(params![id, on.backbone_row, extractor], stored)?.collect()
            })
            .map_err(StoreError::db("read the features"))
        })
    }

    /// Notes that an extractor may compute features of a backbone: found the same on so many payloads to within a
    /// difference, or, where `alone`, it has computed every feature again and is the only one from now on.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone.
    pub fn accept_extractor(
        &mut self,
        task: &str,
        backbone: &[u8; 32],
        extractor: &str,
        (checked, difference, alone): (usize, Option<f32>, bool),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let step = || StoreError::db("note what computes features");
        self.write("note what computes features", |conn| {
            let (_, on) = load_task_on(conn, task, Some(backbone))?;
            if alone {
                conn.execute("DELETE FROM extractors WHERE backbone = ?1", [on.backbone_row]).map_err(step())?;
            }
            conn.execute(
                "INSERT OR REPLACE INTO extractors (backbone, extractor, checked, difference, time)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![on.backbone_row, extractor, checked as i64, difference.map(f64::from), micros(now)],
            )
            .map_err(step())?;
            Ok(())
        })
    }

    /// What may compute features of a backbone, first come first.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone.
    pub fn extractors(&self, task: &str, backbone: &[u8; 32]) -> Result<Vec<String>, StoreError> {
        self.read(|conn| {
            let (_, on) = load_task_on(conn, task, Some(backbone))?;
            conn.prepare("SELECT extractor FROM extractors WHERE backbone = ?1 ORDER BY time, extractor")
                .and_then(|mut query| query.query_map([on.backbone_row], |row| row.get(0))?.collect())
                .map_err(StoreError::db("read what computed the features"))
        })
    }
}

/// The row of a backbone, made where it is new.
pub(super) fn row(conn: &Connection, task: i64, new: &NewBackbone) -> Result<i64, StoreError> {
    let model = match &new.model {
        Model::Builtin => None,
        Model::File(path) => Some(path.as_os_str().as_bytes()),
    };
    // The same backbone from another place: its file may have moved.
    conn.query_one(
        "INSERT INTO backbones (task, name, backbone_id, manifest, model, dim, full_scale, signed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (task, backbone_id) DO UPDATE SET manifest = excluded.manifest, model = excluded.model RETURNING id",
        params![
            task,
            new.name,
            new.id,
            new.manifest,
            model,
            new.dim as i64,
            new.quantisation.full_scale,
            new.quantisation.signed
        ],
        |row| row.get(0),
    )
    .map_err(StoreError::db("store the backbone"))
}

pub(super) fn put_in_use(conn: &Connection, task: i64, backbone: i64) -> Result<(), StoreError> {
    conn.execute("UPDATE tasks SET backbone_in_use = ?2 WHERE id = ?1", [task, backbone])
        .map_err(StoreError::db("put the backbone in use"))?;
    Ok(())
}

/// Refuses a backbone that some sample lacks a feature of.
pub(super) fn complete(conn: &Connection, id: i64, on: &Task) -> Result<(), StoreError> {
    let missing: i64 = conn
        .query_one(
            "SELECT count(*) FROM samples s
             WHERE task = ?1 AND NOT EXISTS (SELECT 1 FROM features WHERE sample = s.seq AND backbone = ?2)",
            [id, on.backbone_row],
            |row| row.get(0),
        )
        .map_err(StoreError::db("look for missing features"))?;
    if missing == 0 {
        return Ok(());
    }
    let (task, backbone) = (on.name.clone(), on.backbone.clone());
    Err(StoreError::FeaturesMissing { task, backbone, missing: missing as usize })
}

/// Stores one feature: codes, how many are clipped, norm. The first extractor of a backbone is taken as it is.
pub(super) fn insert_feature(
    conn: &Connection,
    sample: i64,
    backbone: i64,
    (codes, saturated, norm): (&[u8], usize, f32),
    extractor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let step = || StoreError::db("store the feature");
    conn.prepare_cached(
        "INSERT INTO features (sample, backbone, codes, saturated, norm, extractor) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (sample, backbone) DO UPDATE
         SET codes = excluded.codes, saturated = excluded.saturated, norm = excluded.norm, extractor = excluded.extractor",
    )
    .and_then(|mut insert| insert.execute(params![sample, backbone, codes, saturated as i64, f64::from(norm), extractor]))
    .map_err(step())?;
    let first = conn
        .prepare_cached("SELECT 1 FROM extractors WHERE backbone = ?1 LIMIT 1")
        .and_then(|mut query| query.query_row([backbone], |_| Ok(())).optional())
        .map_err(step())?
        .is_none();
    if first {
        conn.execute(
            "INSERT INTO extractors (backbone, extractor, checked, time) VALUES (?1, ?2, 0, ?3)",
            params![backbone, extractor, micros(now)],
        )
        .map_err(step())?;
    }
    Ok(())
}
