//! The inference thread: frames in, answers out. Waits for frames and small requests, never for the store, a fit, the core or
//! a door: what the core has no room for is shed and counted.
//!
//! Knows nothing of what is kept or learnt. The head that answers is read once for each frame and region, so that an answer
//! is wholly of one head.

mod region;
mod sight;

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use acclimate_backbone::{Backbone, Thumbnail};
use acclimate_trainer::{Feature, Quantisation};

pub(crate) use self::region::{Lens, cropped, picture};
pub(crate) use self::sight::DRAWN;
use self::sight::Sight;
use super::command::Look;
use super::core::{Answer, Done, Event, Infer, Observation, Offer, Taken, Ticket, Trouble, TroubleKind, Watch};
use super::handle::Newest;
use super::inbox::Inbox;
use super::stage::Stage;
use super::vitals::{Latency, answered};
use crate::causes;
use crate::embedding::{Embedded, Opener, embed_bytes};
use crate::extractor;
use crate::record::PredictionRecord;
use crate::source::{Content, Frame, Outlet, Readings, Sensed};
use crate::store::{Access, StoredHead, Tasks};

/// How long it waits for a frame before it looks up.
const PATIENCE: Duration = Duration::from_secs(1);

/// The head in service of each task: swapped whole by the writer, read here.
#[derive(Clone, Debug, Default)]
pub(super) struct Served(Arc<RwLock<HashMap<Arc<str>, Arc<StoredHead>>>>);

impl Served {
    pub(super) fn of(&self, task: &str) -> Option<Arc<StoredHead>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(task).cloned()
    }

    pub(super) fn put(&self, task: &Arc<str>, head: Option<Arc<StoredHead>>) {
        let mut served = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match head {
            Some(head) => served.insert(Arc::clone(task), head),
            None => served.remove(task),
        };
    }
}

/// What it is asked beside frames.
#[derive(Debug)]
pub(super) enum Request {
    Do {
        ticket: Ticket,
        task: Arc<str>,
        look: Look,
        what: Infer,
    },
    /// Nothing more comes.
    End,
    /// What is done to the frames of each source.
    Lenses(HashMap<Arc<str>, Lens>),
    Watch(Vec<Watch>),
}

/// The thread's state.
pub(super) struct Inference {
    pub(super) outlet: Arc<Outlet>,
    pub(super) requests: Receiver<Request>,
    pub(super) inbox: Inbox,
    pub(super) served: Served,
    pub(super) newest: Newest,
    pub(super) opener: Opener,
    pub(super) data_dir: std::path::PathBuf,
    pub(super) lenses: HashMap<Arc<str>, Lens>,
    pub(super) stage: Stage,
    pub(super) latency: Latency,
    pub(super) watching: Vec<Watch>,
    pub(super) backbones: HashMap<[u8; 32], Opened>,
}

/// A backbone that runs.
pub(super) struct Opened {
    backbone: Backbone,
    quantisation: Quantisation,
    extractor: String,
}

impl Inference {
    /// Until the end.
    pub(super) fn run(mut self) {
        loop {
            self.stage.works();
            while let Ok(request) = self.requests.try_recv() {
                match request {
                    Request::Do { ticket, task, look, what } => {
                        let done = self.work(&task, &look, what);
                        self.inbox.tell(Event::Done { ticket, done });
                    }
                    Request::End => return self.stage.rests(),
                    Request::Lenses(lenses) => self.lenses = lenses,
                    Request::Watch(watching) => self.watch(watching),
                }
                self.stage.works();
            }
            self.stage.rests();
            match self.outlet.take_with_moment(PATIENCE) {
                Some((came, Sensed::Frame(frame))) => {
                    self.stage.works();
                    self.frame(frame, came);
                }
                Some((_, Sensed::Health { source, health })) => {
                    self.inbox.tell(Event::Source { source, health });
                }
                Some((_, Sensed::Counted { source, line })) => self.inbox.offer(Event::Counted { source, line }),
                Some((_, Sensed::Labelled { source, class })) => {
                    self.inbox.tell(Event::Labelled { source, class });
                }
                None => {}
            }
        }
    }

    /// Opens what is needed now, closes what is not.
    fn watch(&mut self, watching: Vec<Watch>) {
        self.backbones.retain(|id, _| watching.iter().any(|watch| watch.backbone_id == *id));
        for watch in &watching {
            let known =
                self.watching.iter().any(|before| before.task == watch.task && before.backbone_id == watch.backbone_id);
            if !known {
                let opened = self.open(watch);
                if let Err(why) = &opened {
                    tracing::error!("task `{}`: {why}", watch.task);
                }
                self.inbox.tell(Event::Opened { task: Arc::clone(&watch.task), opened });
            }
        }
        self.watching = watching;
    }

    /// Opens the backbone of a task and makes sure that it computes the features that the task has.
    fn open(&mut self, watch: &Watch) -> Result<String, String> {
        let tasks = Tasks::open(&self.data_dir, &Access::Read).map_err(|error| causes(&error))?;
        let task = tasks.task_on(&watch.task, &watch.backbone_id).map_err(|error| causes(&error))?;
        if !self.backbones.contains_key(&watch.backbone_id) {
            let backbone = self.opener.open_for(&task).map_err(|error| causes(&error))?;
            let (quantisation, extractor) = (backbone.quantisation(), backbone.extractor().to_string());
            tracing::info!("{} runs on {extractor}", task.backbone);
            self.backbones.insert(watch.backbone_id, Opened { backbone, quantisation, extractor });
        }
        let Some(opened) = self.backbones.get_mut(&watch.backbone_id) else { return Err("it is gone".to_owned()) };
        extractor::agrees(&tasks, &task, &mut opened.backbone).map_err(|error| causes(&error))?;
        Ok(opened.extractor.clone())
    }

    fn frame(&mut self, frame: Frame, came: Instant) {
        let (source, taken) = (Arc::clone(&frame.source), frame.taken);
        let sensed = |size| Event::Sensed { source: Arc::clone(&source), taken, size };
        let seen = match self.through_lens(frame) {
            Ok(seen) => seen,
            Err(why) => return self.inbox.offer(sensed(Err(why))),
        };
        let (frame, sight) = seen;
        let mut size = Ok(sight.size());
        self.newest.keep(Arc::clone(&frame));
        let watching = std::mem::take(&mut self.watching);
        for watch in &watching {
            let looks = watch.looks.iter().enumerate().filter(|(_, look)| *look.source == *frame.source);
            for (number, look) in looks {
                match self.observe(watch, number, look, &frame, &sight, came) {
                    Ok(Some(observation)) if observation.taken.is_some() => {
                        self.inbox.tell(Event::Saw(Box::new(observation)));
                    }
                    Ok(Some(observation)) => self.inbox.offer(Event::Saw(Box::new(observation))),
                    Ok(None) => {}
                    Err(why) => size = Err(format!("task `{}`: {why}", watch.task)),
                }
                self.stage.works();
            }
        }
        self.watching = watching;
        // Last: who asked for it is told what everybody says of it.
        self.inbox.offer(sensed(size));
    }

    /// The frame as it is to be seen by everybody, and decoded.
    fn through_lens(&self, frame: Frame) -> Result<(Arc<Frame>, Sight), String> {
        let sight = Sight::of(&frame.content)?;
        match (self.lenses.get(&frame.source).filter(|lens| !lens.is_clear()), sight) {
            (Some(lens), Sight::Picture(picture)) => {
                let picture = lens.through(picture).map_err(|error| causes(&error))?;
                let (width, height, pixels) = (picture.width(), picture.height(), picture.rgb().to_vec());
                let content = Content::Rgb { width, height, pixels };
                Ok((Arc::new(Frame { content, ..frame }), Sight::Picture(picture)))
            }
            (_, sight) => Ok((Arc::new(frame), sight)),
        }
    }

    /// Looks at one region of a frame.
    fn observe(
        &mut self,
        watch: &Watch,
        number: usize,
        look: &Look,
        frame: &Arc<Frame>,
        sight: &Sight,
        came: Instant,
    ) -> Result<Option<Observation>, String> {
        let Some(opened) = self.backbones.get_mut(&watch.backbone_id) else { return Ok(None) };
        let region = look.crop.map(|crop| sight.region(Some(crop))).transpose()?;
        let sight = region.as_ref().unwrap_or(sight);
        let (phash, thumbnail) = sight.marks();
        let head = self.served.of(&watch.task).filter(|head| head.file.backbone_id == watch.backbone_id);
        let held = watch.held.as_ref().is_some_and(|held| *held == frame.source);
        // Kept as it came.
        let whole_file = look.crop.is_none() && !matches!(frame.content, Content::Rgb { .. });
        let feature = if head.is_some() || held && whole_file { Some(opened.feature(sight)?) } else { None };
        let answer = head
            .as_ref()
            .zip(feature.as_ref())
            .map(|(head, feature)| answer(head, &frame.source, feature, watch.threshold));
        let milliseconds = came.elapsed().as_secs_f64() * 1000.0;
        if answer.is_some() {
            answered(&self.latency, &watch.task, &frame.source, milliseconds);
        }
        let taken = if held {
            let taken = match (&frame.content, &feature) {
                (Content::File(bytes) | Content::Window(Readings { npy: bytes, .. }), Some(feature)) if whole_file => {
                    // What would be computed from the stored bytes is what was just computed.
                    opened.taken(bytes.clone(), phash, thumbnail, feature)
                }
                _ => opened.embedded(sight.encoded()?)?,
            };
            Some(Box::new(Taken { source: frame.source.to_string(), time: Some(frame.taken), ..taken }))
        } else {
            None
        };
        Ok(Some(Observation {
            task: Arc::clone(&watch.task),
            look: number,
            frame: Arc::clone(frame),
            phash,
            feature: feature.map(Arc::new),
            answer: answer.transpose()?,
            milliseconds,
            taken,
        }))
    }

    /// Does what was asked between frames.
    fn work(&mut self, task: &Arc<str>, look: &Look, what: Infer) -> Result<Done, Trouble> {
        let failed = |words: String| Trouble { kind: TroubleKind::Failed, words };
        let watch = self.watching.iter().find(|watch| watch.task == *task);
        let backbone_id = watch.map(|watch| watch.backbone_id);
        let threshold = watch.map_or(0.0, |watch| watch.threshold);
        let opened = backbone_id.and_then(|id| self.backbones.get_mut(&id)).ok_or_else(|| Trouble {
            kind: TroubleKind::Conflict,
            words: format!("the backbone of task `{task}` is not running"),
        })?;
        let newest = || {
            self.newest.of(&look.source).ok_or_else(|| Trouble {
                kind: TroubleKind::Conflict,
                words: format!("no frame of source `{}` has come yet", look.source),
            })
        };
        match what {
            Infer::Capture(_) | Infer::CaptureNewest => {
                let frame = if let Infer::Capture(frame) = what { frame } else { newest()? };
                let bytes = match (&frame.content, look.crop) {
                    (Content::File(bytes), None) => bytes.clone(),
                    (content, crop) => {
                        let region = Sight::of(content).and_then(|whole| whole.region(crop)).map_err(failed)?;
                        if let Sight::Window(_) = region {
                            // That it does not fit the backbone is told better than by its bytes.
                            region.prepared(&opened.backbone.manifest().input).map_err(failed)?;
                        }
                        region.encoded().map_err(failed)?
                    }
                };
                let taken = opened.embedded(bytes).map_err(failed)?;
                let (source, time) = (frame.source.to_string(), Some(frame.taken));
                Ok(Done::Captured(Box::new(Taken { source, time, ..taken })))
            }
            Infer::ClassifyPicture(bytes) => {
                let head = self.served.of(task).filter(|head| Some(head.file.backbone_id) == backbone_id);
                let head = head.ok_or_else(|| failed(format!("task `{task}` has no head in service")))?;
                let unreadable = |words| Trouble { kind: TroubleKind::Invalid, words };
                let picture = Sight::of(&Content::File(bytes)).map_err(unreadable)?;
                let feature = opened.feature(&picture).map_err(failed)?;
                let answer = answer(&head, "", &feature, threshold).map_err(failed)?;
                Ok(Done::Classified(Box::new(answer.prediction)))
            }
            Infer::Classify => {
                let frame = newest()?;
                let head = self.served.of(task).filter(|head| Some(head.file.backbone_id) == backbone_id);
                let head = head.ok_or_else(|| failed(format!("task `{task}` has no head in service")))?;
                let region = Sight::of(&frame.content).and_then(|whole| whole.region(look.crop)).map_err(failed)?;
                let feature = opened.feature(&region).map_err(failed)?;
                let answer = answer(&head, &frame.source, &feature, threshold).map_err(failed)?;
                Ok(Done::Classified(Box::new(answer.prediction)))
            }
            Infer::Embed(offer) => {
                let Offer { payload, source, .. } = *offer;
                let taken = opened.embedded(payload);
                let taken = taken.map_err(|words| Trouble { kind: TroubleKind::Invalid, words })?;
                Ok(Done::Captured(Box::new(Taken { source, ..taken })))
            }
        }
    }
}

impl Opened {
    fn feature(&mut self, sight: &Sight) -> Result<Feature, String> {
        let prepared = sight.prepared(&self.backbone.manifest().input)?;
        let mut features = self.backbone.embed(&[&prepared]).map_err(|error| causes(&error))?;
        features.pop().ok_or_else(|| "the engine gave no feature; this is a bug in acclimate".to_owned())
    }

    /// Payload and feature from the very bytes that are stored.
    fn embedded(&mut self, bytes: Vec<u8>) -> Result<Taken, String> {
        let Embedded { payload, phash, thumbnail, feature } =
            embed_bytes(&mut self.backbone, bytes).map_err(|error| causes(&error))?;
        let taken = self.taken(payload.bytes, phash, thumbnail, &feature);
        Ok(Taken { media: payload.media, ..taken })
    }

    fn taken(&self, payload: Vec<u8>, phash: u64, thumbnail: Option<Thumbnail>, feature: &Feature) -> Taken {
        let encoded = self.quantisation.encode(feature);
        Taken {
            media: crate::loading::sample_media(&payload),
            payload,
            source: String::new(),
            time: None,
            phash,
            thumbnail,
            codes: encoded.codes,
            saturated: encoded.saturated,
            norm: feature.norm(),
            extractor: self.extractor.clone(),
        }
    }
}

fn answer(head: &StoredHead, source: &str, feature: &Feature, threshold: f64) -> Result<Answer, String> {
    let prediction = PredictionRecord::new(source.to_owned(), head, feature, threshold, None);
    let prediction = prediction.map_err(|error| causes(&error))?;
    let class = head.file.classes.iter().position(|class| *class == prediction.class).unwrap_or_default();
    Ok(Answer { prediction, class })
}
