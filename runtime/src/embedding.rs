//! From files to features: opens a task's backbone and embeds pictures with it, a chunk at a time.
//!
//! Knows nothing about labels or heads. Memory is bounded by the chunk: a picture is decoded, preprocessed and dropped on
//! one thread, what waits for the engine is its small input tensor.

use std::io::Read as _;
use std::path::Path;

use acclimate_backbone::{
    Backbone, BackboneError, EngineOptions, Input, Library, LibraryError, Manifest, ManifestError, Picture,
    PictureError, Prepared, builtin,
};
use acclimate_trainer::Feature;

use crate::pictures::Item;
use crate::store::{Model, Task};
use crate::trial::{TrialError, Trials};

/// Pictures embedded between two acknowledgements.
const CHUNK: usize = 16;

/// Largest file that is read, bytes.
const MAX_FILE: u64 = 64 << 20;

/// Why a task's backbone cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine or the file said no.
    #[error("could not open backbone `{name}`")]
    Backbone {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: Box<BackboneError>,
    },
    /// What opened is not what the task's features were computed with.
    #[error(
        "backbone `{name}` has id {found}, the task's features were computed by {expected}: restore the model file and manifest that the task was made with"
    )]
    Changed {
        /// The backbone.
        name: String,
        /// The task's backbone id.
        expected: String,
        /// The id of what was found.
        found: String,
    },
    /// The file is not where it was, and not found elsewhere.
    #[error("could not find the model file of backbone `{name}`")]
    Find {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: Box<LibraryError>,
    },
    /// It is new here, and did not pass its trial.
    #[error("could not take backbone `{name}` in")]
    Trial {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: Box<TrialError>,
    },
    /// The stored manifest does not parse.
    #[error("the stored manifest of backbone `{name}` is damaged")]
    Manifest {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: Box<ManifestError>,
    },
}

/// What opens backbones: the models there are, the ones that are known here, and what runs them.
#[derive(Clone, Debug)]
pub struct Opener {
    /// Where models are found.
    pub library: Library,
    /// What runs them.
    pub options: EngineOptions,
    /// Which of them are known here.
    pub trials: Trials,
}

impl Opener {
    /// Opens a backbone; one that is new here passes a trial first.
    ///
    /// # Errors
    /// When the model did not pass, the file is another one, or no engine can run it.
    pub fn open(&self, manifest: &Manifest, model: &Model) -> Result<Backbone, OpenError> {
        let name = || manifest.name.clone();
        let opened = match model {
            Model::Builtin => Backbone::from_bytes(manifest, builtin::MODEL.to_vec(), &self.options),
            Model::File(file) => {
                let tried = self.trials.ensure_known(manifest, file, &self.options);
                tried.map_err(|source| OpenError::Trial { name: name(), source: source.into() })?;
                Backbone::open(manifest, file, &self.options)
            }
        };
        opened.map_err(|source| OpenError::Backbone { name: name(), source: source.into() })
    }

    /// Opens the backbone that a task's features come from.
    ///
    /// # Errors
    /// When the model file is gone or another one, or no engine can run it.
    pub fn open_for(&self, task: &Task) -> Result<Backbone, OpenError> {
        let name = || task.backbone.clone();
        let manifest = Manifest::parse(&task.manifest)
            .map_err(|source| OpenError::Manifest { name: name(), source: source.into() })?;
        let backbone = match &task.model {
            Model::File(path) if !path.is_file() => {
                let entry = self.library.find(&task.backbone);
                let entry = entry.map_err(|source| OpenError::Find { name: name(), source: source.into() })?;
                self.open(&manifest, &Model::File(entry.file.unwrap_or_default()))?
            }
            model => self.open(&manifest, model)?,
        };
        if backbone.id().0 != task.backbone_id {
            return Err(OpenError::Changed {
                name: name(),
                expected: acclimate_backbone::BackboneId(task.backbone_id).to_string(),
                found: backbone.id().to_string(),
            });
        }
        Ok(backbone)
    }
}

/// Why one input gave no feature. The rest of an import goes on.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The engine failed on it, or its output is no feature.
    #[error("could not compute the feature")]
    Feature(#[source] BackboneError),
    /// The backbone takes signals, which no file is read as yet.
    #[error("the task's backbone takes signals: this version reads pictures only")]
    Kind,
    /// It is not a picture that can be decoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The file cannot be read.
    #[error("could not read the file")]
    Read(#[source] std::io::Error),
    /// The file is too large to be a picture.
    #[error("the file has more than {} MiB: pictures larger than that are not read", MAX_FILE >> 20)]
    Size,
}

/// A picture with its feature.
#[derive(Debug)]
pub struct Embedded {
    /// The file as it is.
    pub payload: Vec<u8>,
    /// Media type of the payload.
    pub media: &'static str,
    /// Perceptual hash.
    pub phash: u64,
    /// The backbone's feature.
    pub feature: Feature,
}

/// A decoded and preprocessed picture on its way to the engine.
struct Ready {
    payload: Vec<u8>,
    media: &'static str,
    phash: u64,
    prepared: Prepared,
}

/// Embeds pictures in order and hands them over a chunk at a time, each with its item.
///
/// # Errors
/// Only what `take` returns; what is wrong with an input is handed to `take`.
pub fn embed<E>(
    backbone: &mut Backbone,
    items: &[Item],
    mut take: impl FnMut(Vec<(&Item, Result<Embedded, InputError>)>) -> Result<(), E>,
) -> Result<(), E> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for chunk in items.chunks(CHUNK) {
        let ready = prepare(&backbone.manifest().input, chunk, threads);
        take(chunk.iter().zip(run(backbone, ready)).collect())?;
    }
    Ok(())
}

/// Embeds one picture in memory.
///
/// # Errors
/// When it cannot be decoded, or the engine fails.
pub fn embed_bytes(backbone: &mut Backbone, payload: Vec<u8>) -> Result<Embedded, InputError> {
    let ready = decode(&backbone.manifest().input, payload)?;
    run(backbone, vec![Ok(ready)]).pop().expect("a bug: one picture in, one result out")
}

/// Decodes and preprocesses a chunk on all threads; each holds one decoded picture at a time.
fn prepare(input: &Input, chunk: &[Item], threads: usize) -> Vec<Result<Ready, InputError>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(item) = chunk.get(index) else { return done };
            done.push((index, read(&item.path).and_then(|payload| decode(input, payload))));
        }
    };
    let mut results: Vec<(usize, Result<Ready, InputError>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.min(chunk.len())).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for worker in workers {
            results.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn decode(input: &Input, payload: Vec<u8>) -> Result<Ready, InputError> {
    let input = input.image().ok_or(InputError::Kind)?;
    let picture = Picture::decode(&payload)?;
    let (phash, prepared) = (picture.perceptual_hash(), Prepared::picture(&picture, input));
    Ok(Ready { media: media(&payload), payload, phash, prepared })
}

/// Runs the engine on what is ready, as one batch; if the batch fails, one by one, so that the culprit is found.
fn run(backbone: &mut Backbone, ready: Vec<Result<Ready, InputError>>) -> Vec<Result<Embedded, InputError>> {
    let batch: Vec<&Prepared> = ready.iter().flatten().map(|ready| &ready.prepared).collect();
    let mut features = match backbone.embed(&batch) {
        Ok(features) => features.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(_) => batch.iter().map(|one| backbone.embed(&[one]).map(|mut features| features.swap_remove(0))).collect(),
    }
    .into_iter();
    let finish = |ready: Result<Ready, InputError>| {
        let Ready { payload, media, phash, prepared: _ } = ready?;
        let feature = features.next().expect("a bug: the engine gave fewer features than inputs");
        Ok(Embedded { payload, media, phash, feature: feature.map_err(InputError::Feature)? })
    };
    ready.into_iter().map(finish).collect()
}

/// Reads a file, or standard input for `-`, up to the limit.
fn read(path: &Path) -> Result<Vec<u8>, InputError> {
    let mut payload = Vec::new();
    let taken = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut payload)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut payload))
    };
    taken.map_err(InputError::Read)?;
    if payload.len() as u64 > MAX_FILE { Err(InputError::Size) } else { Ok(payload) }
}

/// Media type by the first bytes; only what `Picture::decode` accepts gets here.
fn media(payload: &[u8]) -> &'static str {
    match payload {
        [0xff, 0xd8, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        _ => "application/octet-stream",
    }
}
