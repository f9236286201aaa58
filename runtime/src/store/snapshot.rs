//! What a fit sees of a task: every labelled sample at one moment, and the statistics behind it. Read in one
//! transaction; knows nothing about fitting.

use std::sync::OnceLock;

use acclimate_backbone::Thumbnail;
use acclimate_trainer::{Quantisation, Statistics};
use ndarray::{Array2, ArrayView1};
use rusqlite::{Connection, Row};

use super::id::{Digest, SampleId, Watermark};
use super::record::{Task, timestamp};
use super::{StoreError, backbones};

use super::tasks::{Tasks, classes, load_task, load_task_on};
use crate::group::{GroupBy, GroupInput, groups};

/// The labelled samples of a task, in order of arrival.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The task.
    pub task: String,
    /// Their ids.
    pub ids: Vec<SampleId>,
    /// Their features' codes `[n, dim]`.
    pub codes: Array2<u8>,
    /// What a code means.
    pub quantisation: Quantisation,
    /// The norms that their features had before normalisation, `[n]`; NaN where format 1 did not keep it.
    pub norms: Vec<f32>,
    /// The backbone that computed them.
    pub backbone_id: [u8; 32],
    /// Their classes, as indices into `classes`.
    pub labels: Vec<usize>,
    /// For each, when it was labelled so, in the order of all claims; see [`Watermark::is_before`].
    pub label_seqs: Vec<i64>,
    /// The task's classes in their stable order; some may have no sample.
    pub classes: Vec<String>,
    /// What groups are made from; carries the sequence numbers.
    pub group_inputs: Vec<GroupInput>,
    /// The task's way to group.
    pub group_by: GroupBy,
    /// Heads keep all of the classes.
    pub classes_only: bool,
    /// The last claim that this snapshot contains.
    pub watermark: Watermark,
    /// How often something had been forgotten; a head fitted on a snapshot from before is not taken.
    pub(super) forgets: i64,
    pub(super) seqs: Vec<i64>,
    /// Once somebody asked: O(n·dim²).
    digest: OnceLock<Digest>,
}

/// The label of sample `s` when claim `?3` was the last one.
const LABEL_SEQ_AT: &str = "(SELECT seq FROM labels WHERE sample = s.seq AND seq <= ?3 ORDER BY seq DESC LIMIT 1)";

impl Snapshot {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no labelled sample.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The group of each sample.
    pub fn groups(&self) -> Vec<usize> {
        groups(&self.group_inputs, self.group_by)
    }

    /// The decoded features `[n, dim]`, as a fit wants them.
    pub fn features(&self) -> Array2<f32> {
        decode(&self.codes, self.quantisation)
    }

    /// The raw sums over the samples.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::new(self.codes.ncols(), self.quantisation);
        statistics
            .add(self.codes.view(), &self.labels)
            .expect("codes and labels of a snapshot have one length, and codes the task's dimension");
        statistics
    }

    /// Digest of the sums: equal for equal labelled samples, whatever happened before.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| {
            let names: Vec<&str> = self.classes.iter().map(String::as_str).collect();
            Digest(self.statistics().digest(&names).expect("a task's classes have one name each"))
        })
    }
}

impl Tasks {
    /// What a fit sees of a task now.
    ///
    /// # Errors
    /// There is no such task.
    pub fn snapshot(&self, task: &str) -> Result<Snapshot, StoreError> {
        self.read(|conn| take(conn, task))
    }

    /// The same samples at one moment with the features of the backbone in use, and with those of another one.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone, or some sample lacks a feature of it.
    pub fn snapshots(&self, task: &str, backbone: &[u8; 32]) -> Result<[Snapshot; 2], StoreError> {
        self.read(|conn| {
            let (id, other) = load_task_on(conn, task, Some(backbone))?;
            backbones::complete(conn, id, &other)?;
            Ok([take(conn, task)?, take_of(conn, (id, other), None)?])
        })
    }

    /// What a fit saw of a task when this claim was the last one, with the features of this backbone as they are now.
    /// What has been forgotten since is not in it.
    ///
    /// # Errors
    /// There is no such task, or it has no such backbone.
    pub fn snapshot_at(&self, task: &str, backbone: &[u8; 32], at: Watermark) -> Result<Snapshot, StoreError> {
        self.read(|conn| take_of(conn, load_task_on(conn, task, Some(backbone))?, Some(at)))
    }

    /// The raw sums over a task's labelled samples, and the names of its classes in the order of the sums.
    ///
    /// # Errors
    /// There is no such task.
    pub fn statistics(&self, task: &str) -> Result<(Statistics, Vec<String>), StoreError> {
        let snapshot = self.snapshot(task)?;
        Ok((snapshot.statistics(), snapshot.classes))
    }

    /// Digest of a task's statistics.
    ///
    /// # Errors
    /// There is no such task.
    pub fn digest(&self, task: &str) -> Result<Digest, StoreError> {
        self.snapshot(task).map(|snapshot| snapshot.digest())
    }
}

/// Codes `[n, dim]` as features.
pub(super) fn decode(codes: &Array2<u8>, quantisation: Quantisation) -> Array2<f32> {
    let mut features = Array2::zeros(codes.dim());
    for (codes, mut feature) in codes.rows().into_iter().zip(features.rows_mut()) {
        let decoded = quantisation.decode(codes.as_slice().expect("rows of a standard layout are contiguous"));
        feature.assign(&ArrayView1::from(&decoded));
    }
    features
}

/// What groups the sample of a row whose second column is its `seq`, and whose fourth to seventh are `phash`, `source`,
/// `taken` and `group_key`, beside its thumbnail's `pixels`.
pub(super) fn group_input(row: &Row<'_>) -> rusqlite::Result<GroupInput> {
    Ok(GroupInput {
        seq: row.get(1)?,
        phash: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
        thumbnail: row.get_ref("pixels")?.as_blob_or_null()?.and_then(Thumbnail::from_pixels),
        source: row.get(4)?,
        taken: row.get::<_, Option<i64>>(5)?.map(timestamp),
        group_key: row.get(6)?,
    })
}

pub(super) fn take(conn: &Connection, task: &str) -> Result<Snapshot, StoreError> {
    take_of(conn, load_task(conn, task)?, None)
}

/// With the features of the backbone that the task is seen with, and the claims up to a moment.
fn take_of(conn: &Connection, (id, record): (i64, Task), at: Option<Watermark>) -> Result<Snapshot, StoreError> {
    let step = "read the labelled samples";
    let class_ids: Vec<i64> = classes(conn, id)?.into_iter().map(|(class, _)| class).collect();
    let (forgets, watermark): (i64, i64) = conn
        .query_one("SELECT forgets, (SELECT coalesce(max(seq), 0) FROM labels) FROM tasks WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(StoreError::db(step))?;
    let watermark = at.map_or(watermark, |at| at.0);

    let mut snapshot = Snapshot {
        task: record.name.clone(),
        ids: Vec::with_capacity(record.labelled),
        codes: Array2::zeros((0, record.dim)),
        quantisation: record.quantisation,
        norms: Vec::with_capacity(record.labelled),
        backbone_id: record.backbone_id,
        labels: Vec::with_capacity(record.labelled),
        label_seqs: Vec::with_capacity(record.labelled),
        classes: record.classes,
        group_inputs: Vec::with_capacity(record.labelled),
        group_by: record.group_by,
        classes_only: record.classes_only,
        watermark: Watermark(watermark),
        forgets,
        seqs: Vec::with_capacity(record.labelled),
        digest: OnceLock::new(),
    };
    let mut codes: Vec<u8> = Vec::with_capacity(record.labelled * record.dim);
    let mut query = conn
        .prepare_cached(&format!(
            "SELECT s.id, s.seq, f.codes, s.phash, s.source, s.taken, s.group_key, l.seq, l.class, f.norm, h.pixels
             FROM samples s JOIN labels l ON l.seq = {LABEL_SEQ_AT} JOIN features f ON f.sample = s.seq AND f.backbone = ?2
             LEFT JOIN thumbnails h ON h.sample = s.seq
             WHERE s.task = ?1 AND l.class IS NOT NULL ORDER BY s.seq"
        ))
        .map_err(StoreError::db(step))?;
    let mut rows = query.query([id, record.backbone_row, watermark]).map_err(StoreError::db(step))?;
    while let Some(row) = rows.next().map_err(StoreError::db(step))? {
        let mut read = || {
            let seq: i64 = row.get(1)?;
            snapshot.ids.push(SampleId(row.get(0)?));
            snapshot.seqs.push(seq);
            let before = codes.len();
            codes.extend_from_slice(row.get_ref(2)?.as_blob()?);
            snapshot.group_inputs.push(group_input(row)?);
            snapshot.label_seqs.push(row.get(7)?);
            snapshot.norms.push(row.get::<_, Option<f64>>(9)?.map_or(f32::NAN, |norm| norm as f32));
            Ok((codes.len() - before, row.get::<_, i64>(8)?))
        };
        let (length, class) = read().map_err(StoreError::db(step))?;
        let label = class_ids.iter().position(|&known| known == class).filter(|_| length == record.dim);
        snapshot.labels.push(label.ok_or_else(|| StoreError::Record {
            task: record.name.clone(),
            what: "feature or label",
            problem: format!("{length} codes of class {class}, expected {} of one of the task's", record.dim),
        })?);
    }
    snapshot.codes = Array2::from_shape_vec((snapshot.ids.len(), record.dim), codes)
        .expect("every row was checked to have the task's dimension");
    Ok(snapshot)
}
