//! A task in other programs' formats: backbone and head as one ONNX file, heads and samples as NumPy arrays. Knows nothing
//! about command lines.
//!
//! Invariant: no ONNX file leaves here that has not given the live head's probabilities.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use acclimate_backbone::{
    BackboneError, Ends, EngineError, Likeness, Manifest, ManifestError, Merge, MergeError, Network, NetworkError,
    Prepared, merge,
};
use acclimate_trainer::{Form, Kernel, Kind, Linear};
use ndarray::ArrayView1;

use crate::durable;
use crate::embedding::{OpenError, Opener, prepared};
use crate::loading::InputError;
use crate::npz::Npz;
use crate::record::DecisionRecord;
use crate::store::{Filter, Snapshot, StoreError, StoredHead, Tasks};

/// Inputs that both are asked about, where so many payloads are kept.
const INPUTS: usize = 8;

/// Largest difference of a probability.
pub const TOLERANCE: f64 = 1e-5;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The live backbone failed.
    #[error("could not compute a feature to compare with")]
    Backbone(#[from] BackboneError),
    /// The merged file gives other probabilities.
    #[error(
        "the merged file gives other probabilities than the live head: they differ by {difference:.1e}, expected at most \
         {TOLERANCE:.0e}; nothing was written. This is a bug, please report it with the model's name"
    )]
    Differs {
        /// The largest difference.
        difference: f64,
    },
    /// A stored input cannot be prepared.
    #[error("could not prepare a stored sample to compare on")]
    Input(#[from] InputError),
    /// The stored manifest does not parse.
    #[error("the stored manifest is damaged")]
    Manifest(#[from] ManifestError),
    /// Model and head cannot be merged.
    #[error("could not merge backbone and head into one file")]
    Merge(#[from] MergeError),
    /// The merged file does not open.
    #[error("the merged file does not open; nothing was written")]
    Open(#[from] NetworkError),
    /// The rule for answers could not be written down.
    #[error("could not write down how the head answers")]
    Decision(#[from] serde_json::Error),
    /// The live backbone cannot be opened.
    #[error(transparent)]
    OpenLive(#[from] OpenError),
    /// The merged file does not run.
    #[error("the merged file does not run; nothing was written")]
    Run(#[from] EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is larger than the format can be.
    #[error("there is more than the 4 GiB that an NPZ file holds")]
    TooLarge,
}

/// A merged file and how it was checked.
#[derive(Debug)]
pub struct Merged {
    /// The file.
    pub bytes: Vec<u8>,
    /// Inputs on which it was compared with the live head.
    pub inputs: usize,
    /// Whether those were made up, because no payload is kept.
    pub synthetic: bool,
    /// Largest difference of a probability.
    pub difference: f64,
    /// What ran it.
    pub extractor: String,
}

/// Backbone and head as one ONNX file, compared with the live ones.
///
/// # Errors
/// They cannot be merged, or the file does not give the live head's probabilities.
pub fn onnx(tasks: &Tasks, opener: &Opener, task: &str, head: &StoredHead) -> Result<Merged, ExportError> {
    let on = tasks.task_on(task, &head.file.backbone_id)?;
    let manifest = Manifest::parse(&on.manifest)?;
    let head_file = &head.file;
    let (weights, bias, likeness) = match &head_file.head.form {
        Form::Linear(Linear { weights, bias }) => (weights, bias, None),
        Form::Kernel(Kernel { support, quantisation: _, coefficients, bias, gamma }) => {
            (coefficients, bias, Some(Likeness { support: support.view(), gamma: *gamma }))
        }
    };
    let mut metadata = vec![
        ("acclimate.task".to_owned(), task.to_owned()),
        ("acclimate.generation".to_owned(), head.generation.to_string()),
        ("acclimate.head".to_owned(), head.digest.to_string()),
    ];
    // The graph gives probabilities; whoever runs it is to answer as the head here does.
    if let Some(decision) = DecisionRecord::new(&head_file.decision, &head_file.classes) {
        metadata.push(("acclimate.decision".to_owned(), serde_json::to_string(&decision)?));
    }
    let request = Merge {
        weights: weights.view(),
        likeness,
        bias: bias.view(),
        temperature: head_file.head.temperature,
        unit: head_file.head.kind != Kind::Shipped,
        classes: &head_file.classes,
        metadata,
    };
    let bytes = merge(&opener.bytes_for(&on, &manifest)?, &manifest, &request)?;

    let mut live = opener.open_for(&on)?;
    let shape = manifest.input.shape(1).split_off(1);
    let ends = Ends {
        output: Some("probabilities"),
        input: manifest.input.tensor(),
        shape: &shape,
        element: manifest.input.element(),
    };
    let mut merged = Network::open(bytes.clone(), &ends, &opener.options)?;
    let mut inputs = Vec::new();
    for sample in tasks.samples(task, &Filter::All)?.iter().filter(|sample| sample.bytes > 0).take(INPUTS) {
        inputs.push(prepared(&manifest.input, tasks.payload(task, &sample.id)?)?);
    }
    let synthetic = inputs.is_empty();
    if synthetic {
        inputs.push(Prepared::synthetic(&manifest.input));
    }
    let mut difference = 0.0_f64;
    for input in &inputs {
        let feature = live.embed(&[input])?.swap_remove(0);
        let expected = head_file.head.probabilities(&feature);
        let found = merged.run(&input.tensor(&manifest.input))?;
        if found.len() != expected.len() {
            return Err(ExportError::Differs { difference: 1.0 });
        }
        for (found, expected) in found.iter().zip(expected) {
            let gap = (f64::from(*found) - expected).abs();
            difference = difference.max(if gap.is_finite() { gap } else { 1.0 });
        }
    }
    if difference > TOLERANCE {
        return Err(ExportError::Differs { difference });
    }
    let extractor = live.extractor().to_string();
    Ok(Merged { bytes, inputs: inputs.len(), synthetic, difference, extractor })
}

/// A head's numbers.
///
/// # Errors
/// There are too many.
pub fn head_npz(head: &StoredHead) -> Result<Vec<u8>, ExportError> {
    let file = &head.file;
    let (classes, dim) = (file.head.classes(), file.head.dim());
    let numbers = match &file.head.form {
        Form::Linear(Linear { weights, bias }) => {
            Npz::default().f32s("weights", &[classes, dim], weights).f32s("bias", &[classes], bias)
        }
        Form::Kernel(Kernel { support, quantisation: _, coefficients, bias, gamma }) => Npz::default()
            .f32s("support", &[support.nrows(), dim], support)
            .f32s("coefficients", &[classes, support.nrows()], coefficients)
            .f32s("bias", &[classes], bias)
            .f64s("gamma", &[], [gamma]),
    };
    let npz = numbers
        .f64s("temperature", &[], [&file.head.temperature])
        .f64s("lambda", &[], [&file.head.lambda.unwrap_or(f64::NAN)])
        .texts("kind", &[file.head.kind.to_string()])
        .texts("classes", &file.classes)
        .indices("generation", [&(head.generation.0 as usize)])
        .texts("backbone", &[crate::store::Digest(file.backbone_id).to_string()]);
    npz.finish().ok_or(ExportError::TooLarge)
}

/// The labelled samples of a task as a fit sees them, and the kept leave-out probabilities of a head for them (NaN where
/// it has none).
///
/// # Errors
/// The store fails, or there are too many.
pub fn samples_npz(tasks: &Tasks, snapshot: &Snapshot, head: Option<&StoredHead>) -> Result<Vec<u8>, ExportError> {
    let (n, dim) = snapshot.codes.dim();
    let ids: Vec<String> = snapshot.ids.iter().map(ToString::to_string).collect();
    let mut npz = Npz::default()
        .f32s("features", &[n, dim], &snapshot.features())
        .u8s("codes", &[n, dim], &snapshot.codes)
        .f32s("norms", &[n], &snapshot.norms)
        .indices("labels", &snapshot.labels)
        .indices("groups", &snapshot.groups())
        .texts("ids", &ids)
        .texts("classes", &snapshot.classes);
    if let Some(head) = head {
        let width = head.file.classes.len();
        let mut leave_out = ndarray::Array2::from_elem((n, width), f32::NAN);
        for kept in tasks.leave_out(&snapshot.task, head.generation)? {
            if let Some(row) = snapshot.ids.iter().position(|id| *id == kept.sample)
                && kept.probabilities.len() == width
            {
                leave_out.row_mut(row).assign(&ArrayView1::from(&kept.probabilities));
            }
        }
        npz = npz
            .f32s("leave_out", &[n, width], &leave_out)
            .texts("leave_out_classes", &head.file.classes)
            .indices("leave_out_generation", [&(head.generation.0 as usize)]);
    }
    npz.finish().ok_or(ExportError::TooLarge)
}

/// Writes a file whole or not at all: beside it first, then under its name.
///
/// # Errors
/// When it cannot be written; what was there before is then still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = durable::above(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    // A temporary file is its owner's alone; this one is for others as any new file is.
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    durable::sync_names(folder)
}
