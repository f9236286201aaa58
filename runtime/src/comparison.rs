//! Comparing backbones on a task's own samples: what each would be worth, what it costs.
//!
//! Reads payloads and computes every feature anew, for the backbone in use as well, so that all are measured alike; the
//! task is not touched. Knows nothing of names or files of models.

use std::time::Instant;

use acclimate_backbone::Backbone;
use acclimate_trainer::{
    Comparison, Evaluation, EvaluationError, FitError, FitOptions, InService, JudgeError, JudgeInput, Kind, Samples,
    SamplesError, fit, judge, select,
};
use ndarray::{Array2, ArrayView1};

use crate::embedding::embed_bytes;
use crate::loading::InputError;
use crate::store::{Snapshot, StoreError, Tasks};

/// Why a backbone could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The leave-out scores could not be evaluated.
    #[error("could not evaluate the head")]
    Evaluation(#[from] EvaluationError),
    /// No head could be fitted.
    #[error("could not fit a head")]
    Fit(#[from] FitError),
    /// The backbone gives no feature for a stored sample.
    #[error("could not compute the feature of sample {sample}")]
    Input {
        /// The sample.
        sample: String,
        /// Why.
        #[source]
        source: Box<InputError>,
    },
    /// Two sets of scores do not fit one another.
    #[error("could not compare the scores")]
    Judge(#[from] JudgeError),
    /// The features cannot be fitted.
    #[error("could not use the features")]
    Samples(#[from] SamplesError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is too little to compare on.
    #[error("task `{task}` has labelled samples of {classes} classes: a comparison needs two; label more")]
    TooFewClasses {
        /// The task.
        task: String,
        /// Classes with samples.
        classes: usize,
    },
}

/// The labelled samples of a task, as every backbone is compared on them.
#[derive(Debug)]
pub struct Ground {
    snapshot: Snapshot,
    /// Class of each sample, counting only classes that have one.
    labels: Vec<usize>,
    groups: Vec<usize>,
    classes: usize,
}

/// What came of one backbone.
#[derive(Debug)]
pub struct Measured {
    /// Leave-out probabilities `[n, classes]` of the selected head.
    probabilities: Array2<f64>,
    /// How good that head is on samples it was not fitted on.
    pub evaluation: Evaluation,
    /// Its kind.
    pub kind: Kind,
    /// Milliseconds from the stored sample to its feature: the middle one.
    pub sample_ms: f64,
    /// Largest resident memory of this process meanwhile, bytes; none where the system does not tell.
    pub peak_memory: Option<u64>,
}

impl Ground {
    /// The labelled samples of a task.
    ///
    /// # Errors
    /// There is no such task, or nothing to tell apart in it.
    pub fn new(tasks: &Tasks, task: &str) -> Result<Self, CompareError> {
        let snapshot = tasks.snapshot(task)?;
        let with_samples: Vec<usize> =
            (0..snapshot.classes.len()).filter(|class| snapshot.labels.contains(class)).collect();
        let classes = with_samples.len();
        if classes < 2 {
            return Err(CompareError::TooFewClasses { task: task.to_owned(), classes });
        }
        let labels = snapshot.labels.iter().filter_map(|label| with_samples.binary_search(label).ok()).collect();
        Ok(Self { groups: snapshot.groups(), labels, classes, snapshot })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none; never, for one that was made.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Computes every sample's feature with a backbone, fits and evaluates. `done` is told after each sample.
    ///
    /// # Errors
    /// A sample has no feature, the store or the numbers fail.
    pub fn measure(
        &self,
        tasks: &Tasks,
        backbone: &mut Backbone,
        threads: usize,
        mut done: impl FnMut(),
    ) -> Result<Measured, CompareError> {
        let forgot = forget_peak();
        let quantisation = backbone.quantisation();
        let mut features = Array2::zeros((self.len(), backbone.dim()));
        let mut times = Vec::with_capacity(self.len());
        for (id, mut row) in self.snapshot.ids.iter().zip(features.rows_mut()) {
            let payload = tasks.payload(&self.snapshot.task, id)?;
            let start = Instant::now();
            let embedded = embed_bytes(backbone, payload)
                .map_err(|source| CompareError::Input { sample: id.to_string(), source: source.into() })?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            // As it would be stored and fitted.
            let codes = quantisation.encode(&embedded.feature).codes;
            row.assign(&ArrayView1::from(&quantisation.decode(&codes)));
            done();
        }
        let samples = Samples::new(features.view(), &self.labels, &self.groups, self.classes)?;
        let candidates = fit(&samples, &FitOptions { threads, ..FitOptions::default() })?;
        let candidate = &candidates[select(&candidates)];
        let evaluation =
            Evaluation::new(candidate.leave_out.view(), &self.labels, &candidate.groups, candidate.ungrouped)?;
        times.sort_by(f64::total_cmp);
        Ok(Measured {
            probabilities: candidate.leave_out.clone(),
            evaluation,
            kind: candidate.head.kind,
            sample_ms: times.get(times.len() / 2).copied().unwrap_or_default(),
            peak_memory: if forgot { peak() } else { None },
        })
    }

    /// One backbone against the one in use, paired by sample, clustered by group.
    ///
    /// # Errors
    /// The two were not measured on this ground.
    pub fn against(&self, other: &Measured, in_use: &Measured) -> Result<Option<Comparison>, CompareError> {
        let every = vec![true; self.len()];
        let classes: Vec<usize> = (0..self.classes).collect();
        let verdict = judge(&JudgeInput {
            candidate: other.probabilities.view(),
            labels: &self.labels,
            groups: &self.groups,
            classes: self.classes,
            ungrouped: other.evaluation.ungrouped,
            new: &every,
            prototype: other.probabilities.view(),
            // Both were scored by leaving out, on every sample.
            in_service: Some(InService {
                probabilities: in_use.probabilities.view(),
                fitted_on: &every,
                classes: &classes,
            }),
            trust_labels: true,
        })?;
        Ok(verdict.comparison)
    }
}

/// Starts the kernel's high-water mark of this process anew, where it allows that.
fn forget_peak() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The largest resident set of this process, bytes.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"))?;
    kib.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
