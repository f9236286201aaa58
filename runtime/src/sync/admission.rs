//! Whether a head that a trusted key has signed may come before the local judgement. Pure: what is known of the device in, a
//! refusal or the head out. Knows no file, clock or store.

use jiff::Timestamp;

use super::keyring::Trusted;
use super::refusal::Refusal;
use super::self_test::TOLERANCE;
use super::statement::Statement;
use crate::head_file::HeadFile;
use crate::store::{Digest, Generation, MAX_CLASSES, Seen, is_class_name};

/// What is known here of a task, when a head for it comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Here {
    /// The task.
    pub task: String,
    /// Id of the backbone in use.
    pub backbone_id: [u8; 32],
    /// Components of its features.
    pub dim: usize,
    /// Classes with samples.
    pub taught: Vec<String>,
    /// The task's classes, where heads keep all of them and no others.
    pub only: Option<Vec<String>>,
    /// The head in service.
    pub in_service: Option<(Generation, Digest)>,
    /// The newest that the signer has said of the task.
    pub seen: Option<Seen>,
    /// The time, if the clock is to be believed.
    pub now: Option<Timestamp>,
}

/// Whether what a trusted key says of a head lets it in: before its bytes have come, and again when they are there.
///
/// # Errors
/// The first thing that speaks against it.
pub fn admit(signer: &Trusted, statement: &Statement, here: &Here) -> Result<(), Refusal> {
    let signer = || signer.name.clone();
    let Statement { task, backbone_id, sequence, expires, head, .. } = statement;
    let sequence = *sequence;
    if *task != here.task {
        return Err(Refusal::OtherTask { task: here.task.clone(), found: task.clone() });
    }
    if let Some(seen) = here.seen {
        if sequence < seen.sequence {
            return Err(Refusal::Older { signer: signer(), sequence, seen: seen.sequence });
        }
        if sequence == seen.sequence && *head != seen.head {
            return Err(Refusal::Conflicting { signer: signer(), sequence });
        }
    }
    if let Some((generation, digest)) = here.in_service
        && digest == *head
    {
        return Err(Refusal::InService { generation });
    }
    if here.seen.is_some_and(|seen| seen.judged && seen.sequence == sequence) {
        return Err(Refusal::Seen { task: here.task.clone(), signer: signer(), sequence });
    }
    if let Some(now) = here.now.filter(|now| now > expires) {
        return Err(Refusal::Expired { expires: *expires, now });
    }
    if *backbone_id != here.backbone_id {
        let (expected, found) = (Digest(here.backbone_id), Digest(*backbone_id));
        return Err(Refusal::OtherBackbone { task: here.task.clone(), expected, found });
    }
    statement.check_size()
}

/// The head in a file of which a trusted key has said this, if it is what was said and answers here as it did there.
///
/// # Errors
/// The first thing that speaks against it.
pub fn admit_head(statement: &Statement, file: &[u8], here: &Here) -> Result<HeadFile, Refusal> {
    let head = HeadFile::decode(file).map_err(Refusal::NotLoadable)?;
    let differs = |what, expected: String, found: String| Err(Refusal::NotWhole { what, expected, found });
    if head.task != statement.task {
        return differs("its task", statement.task.clone(), head.task);
    }
    if head.backbone_id != statement.backbone_id {
        return differs(
            "its backbone",
            Digest(statement.backbone_id).to_string(),
            Digest(head.backbone_id).to_string(),
        );
    }
    if head.head.dim() != here.dim {
        return differs("the width of its features", here.dim.to_string(), head.head.dim().to_string());
    }
    let difference = statement.self_test.difference(&head.head);
    if difference > TOLERANCE {
        return Err(Refusal::SelfTest { difference, most: TOLERANCE });
    }
    check_classes(&head.classes, here)?;
    Ok(head)
}

/// A head must know what is taught here; where a task keeps its classes, just those.
fn check_classes(classes: &[String], here: &Here) -> Result<(), Refusal> {
    let not_in = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|class| !those.contains(class)).take(5).cloned().collect()
    };
    let task = &here.task;
    if let Some(class) = classes.iter().find(|class| !is_class_name(class)) {
        return Err(Refusal::OtherClasses { problem: format!("no class can be called {class:?} here") });
    }
    if classes.len() > MAX_CLASSES {
        let problem = format!("it has {} classes, and a task has {MAX_CLASSES} at most", classes.len());
        return Err(Refusal::OtherClasses { problem });
    }
    let (unknown, wanted) = match &here.only {
        Some(only) => (not_in(classes, only), not_in(only, classes)),
        None => (Vec::new(), not_in(&here.taught, classes)),
    };
    let problem = match (&wanted[..], &unknown[..]) {
        ([], []) => return Ok(()),
        ([], unknown) => format!("it knows classes that task `{task}` does not take: {}", unknown.join(", ")),
        (wanted, _) => format!("it does not know classes of task `{task}`: {}", wanted.join(", ")),
    };
    Err(Refusal::OtherClasses { problem })
}
