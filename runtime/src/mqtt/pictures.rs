//! The picture of each newest stable answer, for who wants it on the broker. What is due is decided here and pure; a thread of
//! its own makes pictures small.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::message::Message;
use super::picture::{JPEG, fitting};
use super::places::places;
use super::topics::Topics;
use crate::daemon::handle::Newest;
use crate::daemon::view::View;
use crate::source::{Content, Frame};

/// Pictures that wait to be made small.
const WAITING: usize = 8;

/// A picture that is to be published.
#[derive(Clone, Debug, PartialEq)]
struct Due {
    topic: String,
    source: String,
    crop: Option<[f64; 4]>,
    /// What is seen there since when.
    answer: (String, bool, String),
}

/// Where a picture goes once it is small.
pub(super) type Made = dyn Fn(Message) + Send + Sync;

pub(super) struct Pictures {
    newest: Newest,
    work: SyncSender<(String, Option<[f64; 4]>, Arc<Frame>)>,
    /// The answer of which there is a picture, by topic.
    shown: BTreeMap<String, (String, bool, String)>,
}

impl Pictures {
    /// Pictures have so many bytes at most.
    pub(super) fn start(newest: &Newest, most: usize, made: Arc<Made>) -> std::io::Result<Self> {
        let (work, taken) = sync_channel::<(String, Option<[f64; 4]>, Arc<Frame>)>(WAITING);
        thread::Builder::new().name("mqtt-picture".to_owned()).spawn(move || {
            while let Ok((topic, crop, frame)) = taken.recv() {
                match fitting(&frame, crop, most) {
                    Ok(payload) => {
                        let media = Some(JPEG.to_owned());
                        made(Message { topic, payload, media, retain: true, ..Message::default() });
                    }
                    Err(why) => tracing::warn!("no picture for {topic}: {why}"),
                }
            }
        })?;
        Ok(Self { newest: newest.clone(), work, shown: BTreeMap::new() })
    }

    /// Has pictures made of what is seen newly. Where too many wait, the next view is soon enough.
    pub(super) fn see(&mut self, topics: &Topics, view: &View) {
        for Due { topic, source, crop, answer } in due(topics, view, &self.shown) {
            let Some(frame) = self.newest.of(&source) else { continue };
            if let Content::Window(_) = frame.content {
                continue;
            }
            if self.work.try_send((topic.clone(), crop, frame)).is_ok() {
                self.shown.insert(topic, answer);
            }
        }
    }
}

/// Stable answers without a picture.
fn due(topics: &Topics, view: &View, shown: &BTreeMap<String, (String, bool, String)>) -> Vec<Due> {
    let mut due = Vec::new();
    for task in &view.tasks {
        for (look, place) in task.looks.iter().zip(places(task)) {
            let Some(state) = &look.stable else { continue };
            let topic = topics.picture(&task.name, place.as_deref());
            let answer = (state.class.clone(), state.unknown, state.since.clone());
            if shown.get(&topic) != Some(&answer) {
                due.push(Due { topic, source: look.look.source.clone(), crop: look.look.crop, answer });
            }
        }
    }
    due
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn each_stable_answer_has_one_picture_of_what_was_seen() {
        let topics = Topics::new("acclimate", "press-7", None, &[]);
        let mut view = crate::door::tests::view();
        let mut shown = BTreeMap::new();
        let first = due(&topics, &view, &shown);
        let look = &view.tasks[0].looks[0].look;
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].topic.as_str(), first[0].crop), ("acclimate/press-7/gate/picture", look.crop));
        shown.insert(first[0].topic.clone(), first[0].answer.clone());
        assert_eq!(due(&topics, &view, &shown), []);
        let state = view.tasks[0].looks[0].stable.as_mut().unwrap();
        state.confidence /= 2.0;
        assert_eq!(due(&topics, &view, &shown), [], "the same answer");
        view.tasks[0].looks[0].stable.as_mut().unwrap().since = "2026-11-29T13:00:00Z".to_owned();
        assert_eq!(due(&topics, &view, &shown).len(), 1, "seen anew");
        view.tasks[0].looks[0].stable = None;
        assert_eq!(due(&topics, &view, &BTreeMap::new()), []);
    }
}
