//! Commands: what of them can be done, and as what. Knows nothing of who asks over what.

use std::sync::Arc;

use super::task::{Task, Turn, WAITING};
use super::teach::{Changes, Hold};
use super::{Core, Infer, Job, Now, Offer, Pending, Request, Slow};
use crate::daemon::command::{self, Command, CommandError, Look, Reply};
use crate::group::HOLD;

impl Core {
    /// Begins a command; what is wrong with it is said at once.
    pub(super) fn ask(
        &mut self,
        request: Request,
        who: String,
        command: Command,
        now: Now,
    ) -> Result<(), CommandError> {
        if self.ending {
            return Err(CommandError::Unavailable("the daemon is ending".to_owned()));
        }
        if !self.has_room() {
            return Err(CommandError::Unavailable("too much is on its way to the disk: try again".to_owned()));
        }
        match command {
            Command::Activate { task, generation } => {
                let done = format!("generation {generation} of task `{task}` is in service");
                self.write(request, &task, Job::Activate { generation, who }, done)
            }
            Command::Adapt { task, trust_labels } => {
                if let Some(heat) = &self.heat {
                    return Err(CommandError::Conflict(format!("{heat}: ask again when it has cooled down")));
                }
                self.turn(&task, Turn::Adapt { request: Some(request), who, trust_labels })
            }
            Command::AddSource { source, kind, device } => self.add_source(request, &source, kind, device.as_deref()),
            Command::RemoveSource { source } => self.remove_source(request, &source),
            Command::Classify { task, source } => {
                let (name, task) = self.task(&task)?;
                if task.facts.head.is_none() {
                    return Err(CommandError::Conflict(format!("task `{name}` has no head in service yet: teach it")));
                }
                let source = task.source(source.as_deref()).map_err(CommandError::NotFound)?;
                let look = task.regions.iter().find(|region| *region.look.source == *source);
                let look = look.map_or_else(|| whole(&source), |region| region.look.clone());
                self.infer(&name, look, Infer::Classify, Pending::Classify { request });
                Ok(())
            }
            Command::ClassifyPicture { task, picture } => {
                let (name, task) = self.task(&task)?;
                if task.facts.head.is_none() {
                    return Err(CommandError::Conflict(format!("task `{name}` has no head in service yet: teach it")));
                }
                self.infer(&name, whole(""), Infer::ClassifyPicture(picture), Pending::Classify { request });
                Ok(())
            }
            Command::CreateTask { task, backbone, from } => {
                if self.tasks.contains_key(task.as_str()) {
                    return Err(CommandError::Conflict(format!("there is a task `{task}` already")));
                }
                self.check_looks(&from)?;
                let work = Slow::Choose { backbone, classes: Vec::new() };
                self.slow(&task.into(), work, Pending::Choose { request, looks: from });
                Ok(())
            }
            Command::Forget { task, samples } => {
                let done = format!("{} of task `{task}` are forgotten", counted(samples.len()));
                self.write(request, &task, Job::Forget { samples, who }, done)
            }
            Command::Install { task, signed } => {
                let (name, of) = self.task(&task)?;
                // They are large.
                if of.waiting.iter().any(|turn| matches!(turn, Turn::Install { .. })) {
                    return Err(CommandError::Unavailable(format!(
                        "another device's head waits to be judged in task `{name}`: try again"
                    )));
                }
                self.turn(&task, Turn::Install { request, who, signed })
            }
            Command::Label { task, samples, label } => {
                let (name, task) = self.task(&task)?;
                let generation = task.facts.head.as_ref().map(|head| head.generation);
                let what = match &label {
                    Some(label) => format!("labelling {} `{label}`", counted(samples.len())),
                    None => format!("taking {} back", if samples.len() == 1 { "a label" } else { "labels" }),
                };
                self.store(&name, Job::Label { samples, label, who }, Pending::Label { request, what, generation });
                Ok(())
            }
            Command::LabelSeen { task, label } => self.label_seen(request, &task, label, who),
            Command::Look { task, from } => {
                self.check_looks(&from)?;
                let (name, task) = self.task(&task)?;
                if !task.declared.is_empty() {
                    return Err(CommandError::Conflict(format!(
                        "what task `{name}` looks at stands in the configuration file: change `from` there"
                    )));
                }
                let done = format!("task `{name}` looks at {} now", regions(from.len()));
                self.store(&name, Job::Look { looks: from }, Pending::Plain { request, done });
                Ok(())
            }
            Command::Rollback { task } => {
                let done = format!("the head before is in service in task `{task}` again");
                self.write(request, &task, Job::Rollback { who }, done)
            }
            Command::Sense { source } => self.ask_for_frame(request, &source, now),
            Command::Set { task, adaptation, threshold } => {
                let done = set(&task, adaptation, threshold).map_err(CommandError::Invalid)?;
                let (name, _) = self.task(&task)?;
                let job = Job::Set { adapts: adaptation, threshold };
                self.store(&name, job, Pending::Plain { request, done });
                Ok(())
            }
            Command::Teach { task, source, class, hold: command::Hold::Begin } => {
                self.begin(request, &task, source.as_deref(), &class, who, now)
            }
            Command::Teach { task, class, hold: command::Hold::End, source: _ } => {
                let (name, task) = self.task(&task)?;
                match &task.hold {
                    Some(hold) if hold.class == class => {
                        self.let_go(&name, Some(request), now);
                        Ok(())
                    }
                    _ => Err(CommandError::Conflict(format!("`{class}` is not being held in task `{name}`"))),
                }
            }
            Command::Undo { task } => {
                let (name, task) = self.task(&task)?;
                if let Some(hold) = &task.hold {
                    let held = &hold.class;
                    return Err(CommandError::Conflict(format!("`{held}` is being held: let it go first")));
                }
                if task.undo.is_empty() && task.released.is_empty() && task.waiting.is_empty() && !task.busy {
                    return Err(CommandError::Conflict(format!("there is nothing to undo in task `{name}`")));
                }
                self.turn(&name, Turn::Undo { request, who })
            }
        }
    }

    /// A button is pressed.
    fn begin(
        &mut self,
        request: Request,
        task: &str,
        source: Option<&str>,
        class: &str,
        who: String,
        now: Now,
    ) -> Result<(), CommandError> {
        let next_ticket = self.next_ticket;
        let (name, task) = self.task_mut(task)?;
        if class.trim() != class || !(1..=200).contains(&class.len()) || class.contains(char::is_control) {
            return Err(CommandError::Invalid(format!(
                "`{class}` is no name for a class: expected 1 to 200 characters"
            )));
        }
        let source = task.source(source).map_err(CommandError::NotFound)?;
        if let Some(hold) = &task.hold {
            return if hold.class == class && hold.source == source {
                self.answer(request, Ok(Reply::Done { done: format!("`{class}` is being held") }));
                Ok(())
            } else {
                let held = &hold.class;
                Err(CommandError::Conflict(format!("`{held}` is being held in task `{name}`: let it go first")))
            };
        }
        let held = &task.regions;
        if held.iter().filter(|region| *region.look.source == *source).count() > 1 {
            return Err(CommandError::Conflict(format!(
                "task `{name}` looks at several regions of `{source}`: which of them shows `{class}` is not said"
            )));
        }
        // The clock may stand still or go back; the count of tickets does not.
        let key = format!("{HOLD}{source}:{}:{next_ticket}", now.time.as_microsecond());
        task.hold = Some(Hold {
            group_key: key.clone(),
            class: class.to_owned(),
            source,
            who,
            begun: now.since,
            frames: 0,
            on_their_way: 0,
            failed: None,
            released: None,
            digest_before: None,
            generation_before: task.facts.head.as_ref().map(|head| head.generation),
            changes: Changes::default(),
        });
        // Before the first frame is stored: both go the same way.
        self.store(&name, Job::Mark, Pending::Mark { hold: key });
        self.watch();
        self.answer(request, Ok(Reply::Done { done: format!("`{class}` is being held") }));
        Ok(())
    }

    /// A button is released, or too long held.
    pub(super) fn let_go(&mut self, name: &Arc<str>, request: Option<Request>, now: Now) {
        if let Some(task) = self.tasks.get_mut(name)
            && let Some(mut hold) = task.hold.take()
        {
            hold.released = Some((now.since, request));
            task.released.push(hold);
            self.watch();
        }
    }

    /// A sample is handed in: embedded first, then stored.
    pub(super) fn offered(&mut self, request: Request, who: String, offer: Offer) -> Result<(), CommandError> {
        if self.ending {
            return Err(CommandError::Unavailable("the daemon is ending".to_owned()));
        }
        if !self.has_room() {
            return Err(CommandError::Unavailable("too much is on its way to the disk: try again".to_owned()));
        }
        let (name, _) = self.task(&offer.task)?;
        let (label, group_key) = (offer.label.clone(), offer.group_key.clone());
        let pending = Pending::Embed { request, who, label, group_key };
        let look = whole(&offer.source);
        self.infer(&name, look, Infer::Embed(Box::new(offer)), pending);
        Ok(())
    }

    fn write(&mut self, request: Request, task: &str, job: Job, done: String) -> Result<(), CommandError> {
        self.turn(task, Turn::Write { request, job, done })
    }

    /// Has something wait for its turn.
    fn turn(&mut self, task: &str, turn: Turn) -> Result<(), CommandError> {
        let (name, task) = self.task_mut(task)?;
        if task.waiting.len() >= WAITING {
            return Err(CommandError::Unavailable(format!("too many commands wait in task `{name}`: try again")));
        }
        task.waiting.push_back(turn);
        Ok(())
    }

    fn check_looks(&self, looks: &[Look]) -> Result<(), CommandError> {
        for Look { source, crop } in looks {
            self.known_source(source)?;
            if let Some([x, y, width, height]) = *crop {
                let inside = |start: f64, length: f64| start >= 0.0 && length > 0.0 && start + length <= 1.0 + 1e-9;
                if !inside(x, width) || !inside(y, height) {
                    return Err(CommandError::Invalid(format!(
                        "the region [{x}, {y}, {width}, {height}] does not lie in the frame: expected x, y, width, height in \
                         fractions of it, 0 to 1"
                    )));
                }
            }
        }
        Ok(())
    }

    pub(super) fn task(&self, name: &str) -> Result<(Arc<str>, &Task), CommandError> {
        let found = self.tasks.get_key_value(name).ok_or_else(|| self.no_task(name))?;
        Ok((Arc::clone(found.0), found.1))
    }

    fn task_mut(&mut self, name: &str) -> Result<(Arc<str>, &mut Task), CommandError> {
        let none = self.no_task(name);
        let task = self.tasks.get_mut(name).ok_or(none)?;
        Ok((Arc::clone(task.name()), task))
    }

    fn no_task(&self, name: &str) -> CommandError {
        let known: Vec<&str> = self.tasks.keys().map(|name| &**name).collect();
        CommandError::NotFound(match known[..] {
            [] => format!("there is no task `{name}`, nor any other: make one with `acclimate init {name}`"),
            _ => format!("there is no task `{name}`; there are: {}", known.join(", ")),
        })
    }
}

/// What will have been chosen, in words.
fn set(task: &str, adaptation: Option<bool>, threshold: Option<f64>) -> Result<String, String> {
    let adapts =
        adaptation.map(|on| if on { "adapts by itself" } else { "adapts only when it is asked to" }.to_owned());
    let answers = match threshold {
        Some(threshold) if !(0.0..=1.0).contains(&threshold) => {
            return Err(format!("a threshold of {threshold}: expected a confidence from 0 to 1"));
        }
        Some(0.0) => Some("answers whatever its confidence, as far as its head does".to_owned()),
        Some(threshold) => Some(format!("answers `unknown` below a confidence of {threshold}")),
        None => None,
    };
    match [adapts, answers].into_iter().flatten().reduce(|one, other| format!("{one} and {other}")) {
        Some(what) => Ok(format!("task `{task}` {what} from now on")),
        None => Err(format!("nothing is set in task `{task}`: expected `adaptation`, true or false, or `threshold`")),
    }
}

pub(super) fn whole(source: &str) -> Look {
    Look { source: source.to_owned(), crop: None }
}

pub(super) fn counted(samples: usize) -> String {
    if samples == 1 { "1 sample".to_owned() } else { format!("{samples} samples") }
}

fn regions(number: usize) -> String {
    match number {
        0 => "every source".to_owned(),
        1 => "1 region".to_owned(),
        _ => format!("{number} regions"),
    }
}
