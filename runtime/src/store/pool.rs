//! Every sample of a task with its feature, labelled or not: what a person's attention is chosen from. Read in one
//! transaction; knows nothing about choosing.

use acclimate_trainer::Quantisation;
use ndarray::Array2;

use super::StoreError;
use super::id::SampleId;
use super::samples::LABEL_SEQ;
use super::snapshot::{decode, group_input};
use super::tasks::{Tasks, load_task_on};
use crate::group::{GroupBy, GroupInput, groups};

/// The samples of a task that have a feature of one backbone, in order of arrival.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Their ids.
    pub ids: Vec<SampleId>,
    /// Their labels.
    pub labels: Vec<Option<String>>,
    /// Their features' codes `[n, dim]`.
    codes: Array2<u8>,
    quantisation: Quantisation,
    /// The norms that their features had, `[n]`; NaN where it was not kept.
    pub norms: Vec<f32>,
    group_inputs: Vec<GroupInput>,
    group_by: GroupBy,
}

impl Pool {
    /// The decoded features `[n, dim]`.
    pub fn features(&self) -> Array2<f32> {
        decode(&self.codes, self.quantisation)
    }

    /// The group of each sample.
    pub fn groups(&self) -> Vec<usize> {
        groups(&self.group_inputs, self.group_by)
    }
}

impl Tasks {
    /// Every sample of a task that has a feature of this backbone.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone, or a feature has another length than the task's.
    pub fn pool(&self, task: &str, backbone: &[u8; 32]) -> Result<Pool, StoreError> {
        let step = "read the samples";
        self.read(|conn| {
            let (id, on) = load_task_on(conn, task, Some(backbone))?;
            let mut pool = Pool {
                ids: Vec::new(),
                labels: Vec::new(),
                codes: Array2::zeros((0, on.dim)),
                quantisation: on.quantisation,
                norms: Vec::new(),
                group_inputs: Vec::new(),
                group_by: on.group_by,
            };
            let mut codes: Vec<u8> = Vec::new();
            let mut query = conn
                .prepare_cached(&format!(
                    "SELECT s.id, s.seq, f.codes, s.phash, s.source, s.taken, s.group_key, c.name, f.norm, h.pixels
                     FROM samples s JOIN features f ON f.sample = s.seq AND f.backbone = ?2
                     LEFT JOIN labels l ON l.seq = {LABEL_SEQ} LEFT JOIN classes c ON c.id = l.class
                     LEFT JOIN thumbnails h ON h.sample = s.seq
                     WHERE s.task = ?1 ORDER BY s.seq"
                ))
                .map_err(StoreError::db(step))?;
            let mut rows = query.query([id, on.backbone_row]).map_err(StoreError::db(step))?;
            while let Some(row) = rows.next().map_err(StoreError::db(step))? {
                let mut read = || {
                    pool.ids.push(SampleId(row.get(0)?));
                    codes.extend_from_slice(row.get_ref(2)?.as_blob()?);
                    pool.group_inputs.push(group_input(row)?);
                    pool.labels.push(row.get(7)?);
                    pool.norms.push(row.get::<_, Option<f64>>(8)?.map_or(f32::NAN, |norm| norm as f32));
                    Ok(())
                };
                read().map_err(StoreError::db(step))?;
            }
            let found = codes.len();
            pool.codes = Array2::from_shape_vec((pool.ids.len(), on.dim), codes).map_err(|_| StoreError::Record {
                task: task.to_owned(),
                what: "feature",
                problem: format!("{found} codes of {} samples, expected {} of each", pool.ids.len(), on.dim),
            })?;
            Ok(pool)
        })
    }
}
