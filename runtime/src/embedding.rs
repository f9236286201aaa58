//! From samples to features: opens a task's backbone and embeds with it what `loading` read.
//!
//! Knows nothing about labels or heads. A picture is decoded, preprocessed and dropped on one thread; what waits for the
//! engine is its small input tensor.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use acclimate_backbone::{
    ActivationError, ActivationMaps, Backbone, BackboneError, BackboneId, EngineOptions, Input, Library, LibraryError,
    Manifest, ManifestError, Picture, Prepared, Thumbnail, builtin,
};
use acclimate_trainer::Feature;

use crate::loading::{InputError, Payload};
use crate::store::{Model, Task};
use crate::trial::{TrialError, Trials};

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
    /// There is no map behind its feature, or it cannot be opened there.
    #[error("could not look into backbone `{name}`")]
    Maps {
        /// The backbone.
        name: String,
        /// Why.
        #[source]
        source: Box<ActivationError>,
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
            Model::Builtin => Backbone::from_bytes(manifest, builtin::model(manifest).to_vec(), &self.options),
            Model::File(file) => {
                let tried = self.trials.ensure_known(manifest, file, &self.options);
                tried.map_err(|source| OpenError::Trial { name: name(), source: source.into() })?;
                Backbone::open(manifest, file, &self.options)
            }
        };
        opened.map_err(|source| OpenError::Backbone { name: name(), source: source.into() })
    }

    /// The model of a task, where it is now.
    fn find(&self, task: &Task) -> Result<Model, OpenError> {
        match &task.model {
            Model::File(path) if !path.is_file() => {
                let entry = self.library.find(&task.backbone);
                let wrap =
                    |source: LibraryError| OpenError::Find { name: task.backbone.clone(), source: source.into() };
                Ok(Model::File(entry.map_err(wrap)?.file.unwrap_or_default()))
            }
            model => Ok(model.clone()),
        }
    }

    /// The model's file, as it is.
    ///
    /// # Errors
    /// When it is gone.
    pub fn bytes_for(&self, task: &Task, manifest: &Manifest) -> Result<Vec<u8>, OpenError> {
        match self.find(task)? {
            Model::Builtin => Ok(builtin::model(manifest).to_vec()),
            Model::File(path) => std::fs::read(&path).map_err(|source| OpenError::Backbone {
                name: task.backbone.clone(),
                source: Box::new(BackboneError::Read { path, source }),
            }),
        }
    }

    /// Opens the backbone that a task's features come from.
    ///
    /// # Errors
    /// When the model file is gone or another one, or no engine can run it.
    pub fn open_for(&self, task: &Task) -> Result<Backbone, OpenError> {
        let name = || task.backbone.clone();
        let manifest = Manifest::parse(&task.manifest)
            .map_err(|source| OpenError::Manifest { name: name(), source: source.into() })?;
        let backbone = self.open(&manifest, &self.find(task)?)?;
        unchanged(task, backbone.id())?;
        Ok(backbone)
    }

    /// Opens the backbone that a task's features come from at the maps behind them.
    ///
    /// # Errors
    /// As [`open_for`](Self::open_for), or the features are no spatial means.
    pub fn maps_for(&self, task: &Task) -> Result<ActivationMaps, OpenError> {
        let name = || task.backbone.clone();
        let manifest = Manifest::parse(&task.manifest)
            .map_err(|source| OpenError::Manifest { name: name(), source: source.into() })?;
        unchanged(task, BackboneId::of(&manifest))?;
        if let Model::File(file) = self.find(task)? {
            let tried = self.trials.ensure_known(&manifest, &file, &self.options);
            tried.map_err(|source| OpenError::Trial { name: name(), source: source.into() })?;
        }
        let maps = ActivationMaps::open(&manifest, self.bytes_for(task, &manifest)?, &self.options);
        maps.map_err(|source| OpenError::Maps { name: name(), source: source.into() })
    }
}

/// Whether what was found is what the task's features were computed with.
fn unchanged(task: &Task, found: BackboneId) -> Result<(), OpenError> {
    if found.0 == task.backbone_id {
        return Ok(());
    }
    let (expected, found) = (BackboneId(task.backbone_id).to_string(), found.to_string());
    Err(OpenError::Changed { name: task.backbone.clone(), expected, found })
}

/// A sample with its feature.
#[derive(Debug)]
pub struct Embedded {
    /// What is kept of it.
    pub payload: Payload,
    /// What groups it with others: see [`GroupInput::phash`](crate::group::GroupInput::phash).
    pub phash: u64,
    /// Small copy, of a picture.
    pub thumbnail: Option<Thumbnail>,
    /// The backbone's feature.
    pub feature: Feature,
}

/// Embeds samples in order.
pub fn embed(backbone: &mut Backbone, payloads: Vec<Payload>) -> Vec<Result<Embedded, InputError>> {
    let ready = prepare(&backbone.manifest().input, &payloads, backbone.threads());
    let batch: Vec<&Prepared> = ready.iter().flatten().map(|ready| &ready.prepared).collect();
    // As one batch; if that fails, one by one, so that the culprit is found.
    let mut features = match backbone.embed(&batch) {
        Ok(features) => features.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(_) => batch.iter().map(|one| backbone.embed(&[one]).map(|mut features| features.swap_remove(0))).collect(),
    }
    .into_iter();
    let finish = |(payload, ready): (Payload, Result<Ready, InputError>)| {
        let Ready { phash, thumbnail, prepared: _ } = ready?;
        let feature = features.next().expect("a bug: the engine gave fewer features than inputs");
        Ok(Embedded { payload, phash, thumbnail, feature: feature.map_err(InputError::Feature)? })
    };
    payloads.into_iter().zip(ready).map(finish).collect()
}

/// Embeds one sample in memory: a picture's file, or a window as it is stored.
///
/// # Errors
/// When it cannot be decoded or is not of the backbone's kind, or the engine fails.
pub fn embed_bytes(backbone: &mut Backbone, bytes: Vec<u8>) -> Result<Embedded, InputError> {
    let payload = Payload::of_sample(&backbone.manifest().input, bytes)?;
    embed(backbone, vec![payload]).pop().expect("a bug: one sample in, one result out")
}

/// Prepares one sample in memory for a network, as [`embed_bytes`] does.
///
/// # Errors
/// When it cannot be decoded or is not of the input's kind.
pub fn prepared(input: &Input, bytes: Vec<u8>) -> Result<Prepared, InputError> {
    let payload = Payload::of_sample(input, bytes)?;
    prepare_one(input, &payload).map(|ready| ready.prepared)
}

/// A preprocessed sample on its way to the engine.
struct Ready {
    phash: u64,
    thumbnail: Option<Thumbnail>,
    prepared: Prepared,
}

/// Decodes and preprocesses samples on some threads; each holds one decoded picture at a time.
fn prepare(input: &Input, payloads: &[Payload], threads: usize) -> Vec<Result<Ready, InputError>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(payload) = payloads.get(index) else { return done };
            done.push((index, prepare_one(input, payload)));
        }
    };
    let mut results: Vec<(usize, Result<Ready, InputError>)> = thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.min(payloads.len())).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for worker in workers {
            results.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn prepare_one(input: &Input, payload: &Payload) -> Result<Ready, InputError> {
    match (input, &payload.window) {
        (Input::Image(image), _) => {
            let picture = Picture::decode(&payload.bytes)?;
            let thumbnail = picture.thumbnail();
            Ok(Ready {
                phash: thumbnail.perceptual_hash(),
                thumbnail: Some(thumbnail),
                prepared: Prepared::picture(&picture, image),
            })
        }
        (Input::Signal(signal), Some(cut)) => {
            Ok(Ready { phash: cut.recording, thumbnail: None, prepared: Prepared::window(&cut.window, signal) })
        }
        (Input::Signal(_), None) => unreachable!("a bug: a signal's payload was made without its window"),
    }
}
