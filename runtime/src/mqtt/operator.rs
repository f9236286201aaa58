//! Carries out commands, a few at a time, on threads of its own: an adaptation takes its time, and nobody waits for it. Knows
//! nothing of brokers.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use acclimate_backbone::Picture;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, RgbImage};
use serde_json::json;

use super::message::Message;
use super::order::{Order, What};
use super::reply::Data;
use crate::causes;
use crate::config::SourceKind;
use crate::daemon::command::{Command, CommandError};
use crate::daemon::handle::Handle;
use crate::door::health::readiness;
use crate::loading::sample_media;
use crate::source::{Content, Frame};

/// Commands that are carried out at a time.
const AT_A_TIME: usize = 4;
/// And that wait.
const WAITING: usize = 32;
/// Who asks, for the history.
const WHO: &str = "mqtt";
const QUALITY: u8 = 80;
/// A picture is not made smaller than this for looking at, pixels.
const SMALLEST: u32 = 64;

/// Where an answer is given: the key of its command, and the message.
pub(super) type Answered = dyn Fn(Option<String>, Message) + Send + Sync;

pub(super) struct Operator {
    orders: SyncSender<Order>,
}

impl Operator {
    /// Answers have so many bytes at most.
    pub(super) fn start(handle: &Handle, most: usize, answered: &Arc<Answered>) -> std::io::Result<Self> {
        let (orders, taken) = sync_channel(WAITING);
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..AT_A_TIME {
            let (handle, taken, answered) = (handle.clone(), Arc::clone(&taken), Arc::clone(answered));
            thread::Builder::new().name("mqtt-command".to_owned()).spawn(move || {
                while let Some(Order { what, key, reply, wait: _ }) = next(&taken) {
                    let answer = carry_out(&handle, what, most);
                    answered(key, reply.message(&answer, most));
                }
            })?;
        }
        Ok(Self { orders })
    }

    /// Has a command carried out; gives it back where too many wait.
    pub(super) fn carry_out(&self, order: Order) -> Result<(), Box<Order>> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Disconnected(order) | TrySendError::Full(order) => Box::new(order),
        })
    }
}

fn next(orders: &Mutex<Receiver<Order>>) -> Option<Order> {
    orders.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn carry_out(handle: &Handle, what: What, most: usize) -> Result<Data, CommandError> {
    match what {
        What::Command(command) => {
            let reply = handle.ask_and_wait(command, WHO)?;
            let document = serde_json::to_value(&reply);
            Ok(Data::Document(document.map_err(|error| CommandError::Failed(error.to_string()))?))
        }
        What::Health => Ok(Data::Document(health(handle))),
        What::Publish(_) => {
            Err(CommandError::Failed("a head is published elsewhere; this is a bug in acclimate".to_owned()))
        }
        What::Picture(source) => picture(handle, source, most),
    }
}

fn health(handle: &Handle) -> serde_json::Value {
    let view = Arc::clone(&handle.view.borrow());
    let found = readiness(&view, &(handle.pulse)());
    json!({
        "readiness": found,
        "version": view.version,
        "started": view.started,
        "sources": view.sources,
        "tasks": view.tasks,
    })
}

/// The newest picture of a source: it is asked for one, where it can be.
fn picture(handle: &Handle, source: Option<String>, most: usize) -> Result<Data, CommandError> {
    let view = Arc::clone(&handle.view.borrow());
    let source = match (source, view.sources.as_slice()) {
        (Some(source), _) => source,
        (None, [only]) => only.name.clone(),
        (None, sources) => {
            let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
            return Err(CommandError::Invalid(format!(
                "expected `source`: one of {}",
                if names.is_empty() { "none, for there is no source".to_owned() } else { names.join(", ") }
            )));
        }
    };
    let is_asked = |kind: &str| SourceKind::of_word(kind).is_some_and(SourceKind::is_asked);
    if view.sources.iter().any(|known| known.name == source && is_asked(&known.kind)) {
        handle.ask_and_wait(Command::Sense { source: source.clone() }, WHO)?;
    }
    let frame = handle.newest.of(&source);
    let frame = frame.ok_or_else(|| CommandError::NotFound(format!("source `{source}` has given no frame yet")))?;
    // In JSON three bytes take four, and what stands around it takes some.
    let (media, bytes) = fitting(&frame, (most / 4 * 3).saturating_sub(512)).map_err(CommandError::Failed)?;
    Ok(Data::Picture { source, taken: frame.taken.to_string(), media, bytes })
}

/// The picture in so many bytes: as it is if it fits, else smaller.
fn fitting(frame: &Frame, most: usize) -> Result<(&'static str, Vec<u8>), String> {
    let picture = match &frame.content {
        Content::File(bytes) if bytes.len() <= most && sample_media(bytes) == "image/jpeg" => {
            return Ok(("image/jpeg", bytes.clone()));
        }
        Content::File(bytes) => Picture::decode(bytes).map_err(|error| causes(&error))?,
        Content::Rgb { width, height, pixels } => {
            Picture::from_rgb(*width, *height, pixels.clone()).map_err(|error| causes(&error))?
        }
        Content::Window(_) => return Err(format!("source `{}` gives readings and no pictures", frame.source)),
    };
    let (width, height) = (picture.width(), picture.height());
    let image = RgbImage::from_raw(width, height, picture.rgb().to_vec());
    let mut image = image.ok_or_else(|| "the picture has fewer pixels than it should".to_owned())?;
    loop {
        let mut bytes = Vec::new();
        let (width, height) = image.dimensions();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY)
            .encode(image.as_raw(), width, height, ExtendedColorType::Rgb8)
            .map_err(|error| causes(&error))?;
        if bytes.len() <= most {
            return Ok(("image/jpeg", bytes));
        }
        if width.min(height) / 2 < SMALLEST {
            return Err(format!("the picture has {} bytes where {most} fit: `max_packet` in [mqtt]", bytes.len()));
        }
        image = resize(&image, width / 2, height / 2, FilterType::Triangle);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_picture_is_made_smaller_until_it_fits() {
        let pixels: Vec<u8> = (0..512 * 512 * 3_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let frame = Frame {
            source: "yard".into(),
            taken: jiff::Timestamp::UNIX_EPOCH,
            content: Content::Rgb { width: 512, height: 512, pixels },
        };
        let (media, bytes) = fitting(&frame, 100_000).unwrap();
        let small = Picture::decode(&bytes).unwrap();
        assert!(media == "image/jpeg" && bytes.len() <= 100_000 && small.width() < 512, "{}", bytes.len());
        let frame = Frame { content: Content::File(bytes.clone()), ..frame };
        assert_eq!(fitting(&frame, 100_000).unwrap().1, bytes, "what fits is left as it is");
        assert!(fitting(&frame, 10).unwrap_err().contains("`max_packet`"));
    }
}
