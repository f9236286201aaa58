//! One at a time: what waits for its turn in a task is begun here, and what other threads have done is taken in. Knows nothing
//! of frames.

use std::sync::Arc;

use super::ask::counted;
use super::task::{Turn, Undo};
use super::teach::{Changes, Hold};
use super::{Core, Done, Effect, Job, LEARN_WITHIN, Now, Pending, Slow, Ticket, Trouble, TroubleKind};
use crate::daemon::command::{CommandError, Reply};
use crate::daemon::notice;
use crate::record::AdaptationRecord;
use crate::store::Added;

impl Core {
    /// A hold of which everything is stored waits to be learnt from now on.
    pub(super) fn release(&mut self, name: &Arc<str>) {
        let Some(task) = self.tasks.get_mut(name) else { return };
        // In the order of their release.
        while task.released.first().is_some_and(Hold::complete) {
            let hold = task.released.remove(0);
            task.waiting.push_back(Turn::Learn(Box::new(hold)));
        }
    }

    /// Begins what waits, if it is its turn.
    pub(super) fn next_turn(&mut self, name: &Arc<str>) {
        while !self.ending
            && let Some(task) = self.tasks.get_mut(name)
            && !task.busy
            && let Some(turn) = task.waiting.pop_front()
        {
            match turn {
                Turn::Adapt { request, who, trust_labels } => {
                    (task.busy, task.adapting) = (true, true);
                    let (budget, elsewhere) = (self.setup.budget, task.drift.since.mean());
                    let work = Slow::Fit { budget, trust_labels, who, elsewhere };
                    self.slow(name, work, Pending::Adapt { request });
                }
                Turn::Install { request, who, signed } => {
                    task.busy = true;
                    self.slow(name, Slow::Install { signed, who }, Pending::Install { request });
                }
                Turn::Learn(hold) if hold.frames == 0 => self.nothing_held(&hold),
                Turn::Learn(hold) => {
                    (task.busy, task.adapting) = (true, true);
                    let budget = self.setup.budget.map_or(LEARN_WITHIN, |budget| budget.min(LEARN_WITHIN));
                    let (who, elsewhere) = (hold.who.clone(), task.drift.since.mean());
                    let work = Slow::Fit { budget: Some(budget), trust_labels: false, who, elsewhere };
                    self.slow(name, work, Pending::Learn { hold });
                }
                Turn::Write { request, job, done } => {
                    task.busy = true;
                    self.store(name, job, Pending::Write { request, done });
                }
                Turn::Undo { request, who } => {
                    if let Some(undo) = task.undo.pop() {
                        task.busy = true;
                        let Changes { added: forget, relabelled: labels } = undo.changes.clone();
                        let job = Job::Undo { forget, labels, generation: undo.generation, who };
                        self.store(name, job, Pending::Undo { request, undo });
                    } else {
                        let nothing = format!("there is nothing to undo in task `{name}`");
                        self.answer(request, Err(CommandError::Conflict(nothing)));
                    }
                }
            }
        }
    }

    fn nothing_held(&mut self, hold: &Hold) {
        let Some((_, Some(request))) = hold.released else { return };
        let why = hold.failed.clone().map_or_else(
            || {
                CommandError::Conflict(format!(
                    "no frame came from `{}` while `{}` was held: is it running?",
                    hold.source, hold.class
                ))
            },
            CommandError::Failed,
        );
        self.answer(request, Err(why));
    }

    /// Takes in what another thread has done.
    pub(super) fn done(&mut self, ticket: Ticket, done: Result<Done, Trouble>, now: Now) {
        let Some((name, pending)) = self.pending.remove(&ticket) else { return };
        match &done {
            Err(Trouble { kind: TroubleKind::Store, words }) => self.trouble(&words.clone(), now),
            // Only what was really written shows that writing works.
            Ok(Done::Kept(Added::New(_) | Added::Relabelled { .. }) | Done::Recorded { .. }) => self.store = None,
            Ok(Done::Labelled(changed)) if !changed.is_empty() => self.store = None,
            _ => {}
        }
        match (pending, done) {
            (Pending::Adapt { request }, done) => {
                let done = self.fitted(&name, done, now);
                if let Some(request) = request {
                    let answer = done.map(|(adaptation, _)| Reply::Adapted { adaptation }).map_err(Into::into);
                    self.answer(request, answer);
                }
            }
            (Pending::Install { request }, done) => {
                let answer = self.installed(&name, done, now);
                self.answer(request, answer);
            }
            (Pending::Learn { hold }, done) => self.learnt(&name, *hold, done, now),
            (Pending::Classify { request }, done) => {
                let answer = match done {
                    Ok(Done::Classified(prediction)) => Ok(Reply::Classified { prediction }),
                    other => Err(unexpected(other)),
                };
                self.answer(request, answer);
            }
            (Pending::Choose { request, looks }, Ok(Done::Openable(mut new))) => {
                new.name = name.to_string();
                let done = format!("made task `{name}` on {}", new.backbone.name);
                self.store(&name, Job::Create { new, looks }, Pending::Plain { request, done });
            }
            (Pending::Label { request, what, generation }, Ok(Done::Labelled(before))) => {
                let changed = before.len();
                let done = format!("{what}: {} changed", counted(changed));
                if let Some(task) = self.tasks.get_mut(&name) {
                    task.can_undo(Undo {
                        what,
                        changes: Changes { added: Vec::new(), relabelled: before },
                        generation,
                    });
                }
                self.answer(request, Ok(Reply::Done { done }));
            }
            (Pending::Seen { request, who, label }, done) => self.seen(&name, request, who, label, done),
            (Pending::SeenKept { request, what, generation }, done) => {
                self.seen_kept(&name, request, what, generation, done);
            }
            (Pending::Undo { request, undo }, done) => {
                let generation = self.free(&name);
                let answer = match done {
                    Ok(Done::Undone { before, after }) => {
                        let samples = undo.changes.len();
                        Ok(Reply::Undone { samples, generation, digest_before: before, digest_after: after })
                    }
                    other => {
                        // It was not taken back: it still can be.
                        if let Some(task) = self.tasks.get_mut(&name) {
                            task.undo.push(undo);
                        }
                        Err(unexpected(other))
                    }
                };
                self.answer(request, answer);
            }
            (Pending::Write { request, done: words }, done) => {
                let _generation = self.free(&name);
                self.answer(request, plain(words, done));
            }
            (Pending::Plain { request, done: words }, done) => self.answer(request, plain(words, done)),
            (Pending::Source { request, source }, done) => self.source_added(request, source, done),
            (Pending::SourceGone { request, source }, done) => self.source_removed(request, &source, done),
            (Pending::Choose { request, .. } | Pending::Label { request, .. }, other) => {
                self.answer(request, Err(unexpected(other)));
            }
            (Pending::Embed { request, who, label, group_key }, Ok(Done::Captured(taken))) => {
                let job = Job::Keep { taken, label, group_key, payload: true, who };
                self.store(&name, job, Pending::Offered { request });
            }
            (Pending::Embed { request, .. }, other) => {
                self.effects.push(Effect::AnswerOffer { request, answer: Err(unexpected(other)) });
            }
            (Pending::Offered { request }, done) => {
                let answer = match done {
                    Ok(Done::Kept(added)) => Ok(added),
                    other => Err(unexpected(other)),
                };
                self.effects.push(Effect::AnswerOffer { request, answer });
            }
            (Pending::Mark { hold }, Ok(Done::Marked(at))) => {
                self.slow(&name, Slow::Digest(at), Pending::Digest { hold });
            }
            (Pending::Digest { hold }, Ok(Done::Digested(digest))) => {
                if let Some(hold) = self.tasks.get_mut(&name).and_then(|task| task.hold_of(&hold)) {
                    hold.digest_before = Some(digest);
                }
            }
            (Pending::Held { hold }, done) => self.held(&name, &hold, done),
            (Pending::Unlabelled, Ok(Done::Captured(taken))) => {
                let Some(task) = self.tasks.get_mut(&name) else { return };
                let payload = task.keeping.payloads();
                let who = "daemon".to_owned();
                let job = Job::Keep { taken, label: None, group_key: None, payload, who };
                self.store(&name, job, Pending::Unlabelled);
            }
            (Pending::Unlabelled, done) => self.kept_unlabelled(&name, &done, now),
            (Pending::Room, done) => {
                if let Some(task) = self.tasks.get_mut(&name) {
                    task.making_room = false;
                }
                if let Ok(Done::Evicted(evicted)) = done {
                    self.evicted += (evicted.samples + evicted.payloads) as u64;
                }
            }
            (Pending::Refer, Ok(Done::Referred { generation, reference })) => {
                if let Some(task) = self.tasks.get_mut(&name)
                    && task.drift.of == Some(generation)
                {
                    task.drift.reference = reference;
                }
            }
            (Pending::Probe, Ok(_)) => self.store = None,
            // A digest or a reference that could not be had is shown as absent; what could not be written was told above.
            (Pending::Digest { .. } | Pending::Mark { .. } | Pending::Probe | Pending::Refer, _) => {}
        }
    }

    /// The turn is over. Gives the generation in service.
    fn free(&mut self, name: &Arc<str>) -> Option<u32> {
        let task = self.tasks.get_mut(name)?;
        (task.busy, task.adapting) = (false, false);
        task.facts.head.as_ref().map(|head| head.generation)
    }

    /// An adaptation ended: what everybody is told.
    fn fitted(
        &mut self,
        name: &Arc<str>,
        done: Result<Done, Trouble>,
        now: Now,
    ) -> Result<(Box<AdaptationRecord>, String), Trouble> {
        let _generation = self.free(name);
        let done = match done {
            Ok(Done::Recorded { adaptation, digest }) => Ok((adaptation, digest)),
            Ok(_) => Err(bug()),
            Err(trouble) => Err(trouble),
        };
        match &done {
            Ok((adaptation, _)) => {
                if let Some(task) = self.tasks.get_mut(name) {
                    task.tried = if adaptation.generation.is_some() { 0 } else { task.facts.new_labels };
                    task.count_labels();
                    task.verdict = Some(adaptation.verdict.clone());
                    task.next.clone_from(&adaptation.next);
                }
                if let Some(generation) = adaptation.taken_back {
                    let message = format!(
                        "task `{name}`: generation {generation}, which no labels had proved, was taken back: those that there \
                         are now speak against it"
                    );
                    self.announce_because(notice::Event::Rejected, name, message, Some("taken_back".to_owned()), now);
                }
                let event = match adaptation.verdict.as_str() {
                    "activated" => notice::Event::Adapted,
                    "rejected" => notice::Event::Rejected,
                    _ => return done,
                };
                let message = told(adaptation);
                self.announce(event, Some(name), None, message, None, now);
            }
            Err(trouble) => {
                // Tried again only after more labels: the same samples would fail the same way, on a disk that is not full.
                if trouble.kind != TroubleKind::Store
                    && let Some(task) = self.tasks.get_mut(name)
                {
                    task.tried = task.facts.new_labels;
                    task.count_labels();
                }
                let message = format!("task `{name}` could not adapt: {}", trouble.words);
                self.announce(notice::Event::Problem, Some(name), None, message, None, now);
            }
        }
        done
    }

    /// Another device's head was taken in, or refused: what everybody is told, unless nothing changed by it.
    fn installed(&mut self, name: &Arc<str>, done: Result<Done, Trouble>, now: Now) -> Result<Reply, CommandError> {
        let _generation = self.free(name);
        let Ok(Done::Installed(installed)) = done else { return Err(unexpected(done)) };
        let activated = installed.verdict == "activated";
        if activated || !installed.is_known() {
            let event = if activated { notice::Event::Adapted } else { notice::Event::Rejected };
            self.announce_because(event, name, installed.sentence(), installed.reasons.first().cloned(), now);
        }
        Ok(Reply::Installed { installed })
    }

    fn learnt(&mut self, name: &Arc<str>, hold: Hold, done: Result<Done, Trouble>, now: Now) {
        let fitted = self.fitted(name, done, now);
        let Hold { class, frames, released, digest_before, generation_before, changes, .. } = hold;
        if let Some(task) = self.tasks.get_mut(name) {
            let what = format!("teaching `{class}` with {frames} frames");
            task.can_undo(Undo { what, changes, generation: generation_before });
        }
        if let Some((at, Some(request))) = released {
            let answer = fitted.map_err(CommandError::from).map(|(adaptation, digest_after)| Reply::Learnt {
                frames,
                milliseconds: now.since.saturating_sub(at).as_secs_f64() * 1000.0,
                adaptation,
                digest_before: digest_before.unwrap_or_default(),
                digest_after,
            });
            self.answer(request, answer);
        }
    }

    /// A frame of a hold is stored, or is not.
    fn held(&mut self, name: &Arc<str>, hold: &str, done: Result<Done, Trouble>) {
        let Some(task) = self.tasks.get_mut(name) else { return };
        let done = match done {
            Ok(Done::Kept(added)) => Ok(added),
            Ok(_) => Err(bug().words),
            Err(trouble) => Err(trouble.words),
        };
        if let Some(hold) = task.hold_of(hold) {
            hold.stored(done.as_ref().map_err(Clone::clone));
        }
    }
}

/// What an adaptation came to, in one sentence.
fn told(adaptation: &AdaptationRecord) -> String {
    let AdaptationRecord { task, verdict, generation, samples, .. } = adaptation;
    let generation = generation.map_or_else(String::new, |generation| format!(" generation {generation}"));
    let why = adaptation.because.first().map_or_else(String::new, |because| format!(": {because}"));
    let verdict = verdict.replace('_', " ");
    format!("task `{task}`:{generation} {verdict}, from {}{why}", counted(*samples))
}

fn plain(words: String, done: Result<Done, Trouble>) -> Result<Reply, CommandError> {
    done.map(|_| Reply::Done { done: words }).map_err(Into::into)
}

pub(super) fn unexpected(done: Result<Done, Trouble>) -> CommandError {
    done.map_or_else(CommandError::from, |_| bug().into())
}

fn bug() -> Trouble {
    let words = "a thread of the daemon did something else than it was asked; this is a bug in acclimate".to_owned();
    Trouble { kind: TroubleKind::Failed, words }
}
