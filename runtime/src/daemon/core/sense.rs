//! Frames that are asked for: by somebody who waits for one, and by a hold on a source that gives none by itself. Knows
//! nothing of what is in them.
//!
//! While a class is held, a source that is asked for frames is asked again once its frame was looked at, not more often than
//! [`APART`]; what was asked for and did not come is asked for again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Core, Effect, Now, Request, Source};
use crate::config::Trigger;
use crate::daemon::command::{CommandError, Reply, Said};
use crate::source::Health;

/// Who asked waits so long at most.
pub(super) const WITHIN: Duration = Duration::from_secs(10);
/// Who waits at most.
const WAITING: usize = 64;
/// Between two frames that a hold asks for.
pub(super) const APART: Duration = Duration::from_millis(50);
/// An ask of a hold that was not answered is repeated after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Somebody who waits for a frame of a source.
#[derive(Debug)]
pub(super) struct Asking {
    request: Request,
    source: Arc<str>,
    until: Duration,
}

impl Core {
    /// Somebody asks a source for a frame.
    pub(super) fn ask_for_frame(&mut self, request: Request, source: &str, now: Now) -> Result<(), CommandError> {
        let (name, found) = self.known_source(source)?;
        if !found.kind.is_asked() {
            return Err(CommandError::Conflict(format!(
                "source `{source}` cannot be asked: its pictures are brought to it"
            )));
        }
        if found.health == Health::Ended {
            return Err(CommandError::Conflict(format!("source `{source}` has given all it had")));
        }
        if self.asking.len() >= WAITING {
            return Err(CommandError::Unavailable("too many wait for a frame: try again".to_owned()));
        }
        self.effects.push(Effect::Sense { source: Arc::clone(&name) });
        self.asking.push(Asking { request, source: name, until: now.since + WITHIN });
        Ok(())
    }

    /// The source of this name.
    pub(super) fn known_source(&self, name: &str) -> Result<(Arc<str>, &Source), CommandError> {
        self.sources.get_key_value(name).map(|(name, source)| (Arc::clone(name), source)).ok_or_else(|| {
            let known: Vec<&str> = self.sources.keys().map(|name| &**name).collect();
            CommandError::NotFound(format!("there is no source `{name}`; there are: {}", known.join(", ")))
        })
    }

    /// A frame came, and whoever looks at it has looked.
    pub(super) fn sensed(&mut self, name: &Arc<str>, taken: Timestamp, size: Result<[u32; 2], String>) {
        let Some(source) = self.sources.get_mut(name) else { return };
        source.frames += 1;
        source.last = Some(taken);
        if let Some((_, come)) = &mut source.asked {
            *come = true;
        }
        let answer = match size {
            Ok(size) => {
                (source.size, source.unreadable) = (Some(size), None);
                Ok(Reply::Sensed { source: name.to_string(), taken: taken.to_string(), said: self.said_of(name) })
            }
            Err(why) => {
                let words = format!("a frame of source `{name}` came and is of no use: {why}");
                source.unreadable = Some(why);
                Err(CommandError::Failed(words))
            }
        };
        for request in self.no_longer_asking(|asking| asking.source == *name) {
            self.answer(request, answer.clone());
        }
    }

    fn said_of(&self, source: &str) -> Vec<Said> {
        let of_task = |task: &super::Task| {
            let looks = task.regions.iter().filter(|region| *region.look.source == *source);
            let said = |region: &super::task::Region| Said {
                task: task.name().to_string(),
                look: region.look.clone(),
                state: region.said.now.clone(),
            };
            looks.map(said).collect::<Vec<_>>()
        };
        self.tasks.values().flat_map(of_task).collect()
    }

    /// Whoever waits for a frame of this source, or of any, gets none.
    pub(super) fn nothing_sensed(&mut self, source: Option<&Arc<str>>, why: &CommandError) {
        for request in self.no_longer_asking(|asking| source.is_none_or(|source| asking.source == *source)) {
            self.answer(request, Err(why.clone()));
        }
    }

    fn no_longer_asking(&mut self, who: impl Fn(&Asking) -> bool) -> Vec<Request> {
        self.asking.extract_if(.., |asking| who(asking)).map(|asking| asking.request).collect()
    }

    /// When somebody has waited for long enough, or a hold asks again.
    pub(super) fn sense_again(&self) -> Option<Duration> {
        let waits = self.asking.iter().map(|asking| asking.until);
        let holds = self.sources.iter().filter(|(name, source)| self.is_held(name, source));
        waits.chain(holds.map(|(_, source)| source.due())).min()
    }

    /// Asks the sources of holds, and tells who has waited for long enough.
    pub(super) fn ask_sources(&mut self, now: Now) {
        let late =
            self.asking.iter().filter(|asking| now.since >= asking.until).map(|asking| Arc::clone(&asking.source));
        for name in late.collect::<Vec<_>>() {
            let lost = match self.sources.get(&name).map(|source| &source.health) {
                Some(Health::Lost { reason }) => format!(": {reason}"),
                _ => ": is it running?".to_owned(),
            };
            let words = format!("no frame came from `{name}` within {} s{lost}", WITHIN.as_secs());
            for request in self.no_longer_asking(|asking| asking.source == name && now.since >= asking.until) {
                self.answer(request, Err(CommandError::Conflict(words.clone())));
            }
        }
        let due = |(name, source): &(&Arc<str>, &Source)| self.is_held(name, source) && now.since >= source.due();
        let due: Vec<Arc<str>> = self.sources.iter().filter(due).map(|(name, _)| Arc::clone(name)).collect();
        for name in due {
            if let Some(source) = self.sources.get_mut(&name) {
                source.asked = Some((now.since, false));
            }
            self.effects.push(Effect::Sense { source: name });
        }
    }

    /// Whether a hold wants frames of a source that gives none by itself.
    fn is_held(&self, name: &str, source: &Source) -> bool {
        source.trigger == Trigger::Request
            && self.tasks.values().any(|task| task.hold.as_ref().is_some_and(|hold| hold.wants(name)))
    }
}

impl Source {
    /// When a hold asks it, the next time.
    fn due(&self) -> Duration {
        match self.asked {
            None => Duration::ZERO,
            Some((at, come)) => at + if come { APART } else { AGAIN },
        }
    }
}
