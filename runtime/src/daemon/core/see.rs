//! Frames: what is said of them, what changed, what has drifted, what is kept. Knows nothing of commands.

use std::sync::Arc;

use super::keep::Frame as Candidate;
use super::{Core, Done, Effect, Infer, Job, Now, Observation, Pending, Trouble};
use crate::daemon::notice::{self, Prediction};

/// Between two wishes for labels, of one task.
const WISH_EVERY: std::time::Duration = std::time::Duration::from_mins(10);

impl Core {
    pub(super) fn saw(&mut self, observation: Observation, now: Now) {
        let Observation { task: name, look, frame, phash, feature, answer, milliseconds, taken } = observation;
        let (store_works, has_room, ending) = (self.store.is_none(), self.has_room(), self.ending);
        let Some(task) = self.tasks.get_mut(&name) else { return };
        let agree = task.agree;
        let Some(region) = task.regions.get_mut(look) else { return };
        let new_scene = region.scene.observe(phash, now.since);
        region.milliseconds = Some(milliseconds);

        let changed = answer.as_ref().is_some_and(|answer| region.said.observe(&answer.prediction, agree, now.time));
        let changed = changed.then(|| region.said.counts.clone()).flatten();
        let predicted = region.said.now.clone().filter(|_| self.setup.every_answer && answer.is_some());
        let predicted = predicted.map(|state| Prediction {
            time: frame.taken.to_string(),
            task: name.to_string(),
            source: frame.source.to_string(),
            crop: region.look.crop,
            state,
        });

        // Scenes of all regions are numbered apart: one burst is one scene of one region.
        let burst = region.scene.number * 64 + look % 64;
        let mut drifted = false;
        if let (Some(answer), Some(feature), Some(reference)) = (&answer, &feature, &task.drift.reference)
            && answer.class < reference.counts.len()
            && task.drift.of == Some(answer.prediction.generation)
        {
            let level = task.drift.monitor.level();
            let test = task.drift.monitor.observe(reference, feature.as_slice(), answer.class, burst);
            drifted = test.is_some_and(|test| test.p < level) && !task.standing.drifted;
            task.standing.drifted |= drifted;
            if task.standing.drifted {
                task.drift.since.observe(feature.as_slice(), answer.class, burst);
            }
        }

        let source = Arc::clone(&frame.source);
        let look = region.look.clone();
        let candidate = Candidate {
            phash,
            new_scene,
            answer: answer.as_ref().map(|answer| &answer.prediction),
            drifted: task.standing.drifted,
            waiting: task.facts.unlabelled,
        };
        let mut shed = false;
        let mut hold_frame = None;
        let mut capture = false;
        if let Some(hold) = &mut task.hold {
            if let Some(taken) = taken
                && hold.wants(&source)
            {
                shed = !has_room;
                if has_room {
                    hold.on_their_way += 1;
                    let (label, group_key) = (Some(hold.class.clone()), Some(hold.group_key.clone()));
                    let (who, payload) = (hold.who.clone(), task.keeping.payloads());
                    let job = Job::Keep { taken, label, group_key, payload, who };
                    hold_frame = Some((job, hold.group_key.clone()));
                }
            }
        } else if store_works && has_room && !ending && task.unlabelled.wants(task.keeping, candidate, now.since) {
            task.unlabelled.take(phash, task.standing.drifted, now.since);
            capture = true;
        }

        self.effects.extend(predicted.map(|prediction| Effect::Predicted(Box::new(prediction))));
        if let Some((job, hold)) = hold_frame {
            self.store(&name, job, Pending::Held { hold });
        }
        self.shed += u64::from(shed);
        if capture {
            self.infer(&name, look, Infer::Capture(frame), Pending::Unlabelled);
        }
        if let Some(state) = changed {
            let unknown = if state.unknown { " (unlike everything learnt)" } else { "" };
            let message = format!("{name}: {}{unknown}", state.class);
            self.announce(notice::Event::Changed, Some(&name), Some(&source), message, Some(state), now);
        }
        if drifted {
            let message = format!("what task `{name}` sees is no longer what it learnt: label five of the newest");
            self.announce(notice::Event::Drifted, Some(&name), Some(&source), message, None, now);
        }
    }

    /// A frame was kept without a label, or was not.
    pub(super) fn kept_unlabelled(&mut self, name: &Arc<str>, done: &Result<Done, Trouble>, now: Now) {
        let Some(task) = self.tasks.get_mut(name) else { return };
        task.unlabelled.on_its_way = false;
        let wish = matches!(done, Ok(Done::Kept(_)))
            && task.facts.head.is_some()
            && task.last_wish.is_none_or(|last| now.since.saturating_sub(last) >= WISH_EVERY);
        if wish {
            task.last_wish = Some(now.since);
            let message = format!("task `{name}` saw something it is not sure of: a label would help");
            self.announce(notice::Event::LabelWanted, Some(name), None, message, None, now);
        }
    }
}
