//! A signed head, from its bytes to a verdict: admitted, judged, written down. The first half only reads, so that a daemon can
//! have it done beside its writer; nobody may move the pointer to the head in service, or forget, before the second.

use acclimate_trainer::Outcome;
use jiff::Timestamp;

use super::admission::{Here, admit, admit_head};
use super::key::KeyId;
use super::keyring::Trusted;
use super::refusal::Refusal;
use super::signed::SignedHead;
use super::statement::Statement;
use crate::adaptation::{AdaptError, Judged, Options, judge_foreign};
use crate::head_file::HeadFile;
use crate::record::{InstallRecord, IssueRecord};
use crate::store::{Installed, NewInstall, Seen, StoreError, Tasks};

/// Why there is no verdict on a signed head. A refusal is one.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The numbers failed.
    #[error("could not judge the head")]
    Judge(#[source] AdaptError),
    /// The verdict could not be written down.
    #[error("could not write the verdict down")]
    Record(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AdaptError> for InstallError {
    fn from(error: AdaptError) -> Self {
        match error {
            AdaptError::Store(error) => Self::Store(error),
            error => Self::Judge(error),
        }
    }
}

/// What is known of a task when a head for it comes from this signer. `now` is the time, if the clock is to be believed.
///
/// # Errors
/// There is no such task, or the store fails.
pub fn here(tasks: &Tasks, task: &str, signer: &KeyId, now: Option<Timestamp>) -> Result<Here, StoreError> {
    let of = tasks.task(task)?;
    let counts = tasks.labelled_by_class(task)?;
    let in_service = match of.in_service {
        Some(generation) => Some((generation, tasks.head(task, generation)?.digest)),
        None => None,
    };
    Ok(Here {
        task: of.name,
        backbone_id: of.backbone_id,
        dim: of.dim,
        taught: counts.into_iter().filter(|(_, samples)| *samples > 0).map(|(class, _)| class).collect(),
        only: of.classes_only.then_some(of.classes),
        in_service,
        seen: tasks.seen(task, &signer.0)?,
        now,
    })
}

/// A signed head with its verdict, not yet written down. Until it is, nothing has changed.
#[derive(Debug)]
#[must_use = "a verdict that is not written down is lost"]
pub struct Weighed {
    record: InstallRecord,
    note: Note,
    who: String,
}

/// What is to be written.
#[derive(Debug)]
enum Note {
    /// Nobody trusted said anything.
    Nothing,
    /// What a trusted signer has said.
    Seen { signer: KeyId, seen: Seen },
    /// The head, for it was judged.
    Head { file: Box<HeadFile>, of: Installed, activate: bool },
}

/// Whether a signed head goes in service in a task: admitted by what `trusted` keys say, then judged on the task's own samples.
///
/// # Errors
/// There is no such task, the store fails, or the numbers do; a refusal is a verdict.
pub fn weigh(
    tasks: &Tasks,
    task: &str,
    bytes: &[u8],
    trusted: &[Trusted],
    now: Option<Timestamp>,
    options: &Options,
) -> Result<Weighed, InstallError> {
    // What is wrong with the question comes before what is wrong with the head.
    let name = tasks.task(task)?.name;
    let who = options.who.clone();
    let signed = match SignedHead::open(bytes, trusted) {
        Ok(signed) => signed,
        Err(refusal) => return Ok(Weighed { record: refused(name, None, &refusal), note: Note::Nothing, who }),
    };
    let SignedHead { signer, statement, head } = &signed;
    let here = here(tasks, task, &signer.key.id(), now)?;
    let issue = || Some(issue_record(signer, statement));
    let note = |judged| {
        let seen = Seen { sequence: statement.sequence, head: statement.head, judged };
        Note::Seen { signer: signer.key.id(), seen }
    };
    let admitted = admit(signer, statement, &here).and_then(|()| admit_head(statement, head, &here));
    let file = match admitted {
        Ok(file) => file,
        // What was said of another task is nothing about this one.
        Err(refusal @ Refusal::OtherTask { .. }) => {
            return Ok(Weighed { record: refused(name, issue(), &refusal), note: Note::Nothing, who });
        }
        Err(refusal) => {
            let judged = matches!(refusal, Refusal::InService { .. });
            return Ok(Weighed { record: refused(name, issue(), &refusal), note: note(judged), who });
        }
    };
    if tasks.is_withdrawn(task, &statement.head)? {
        let refusal = Refusal::Forgotten { digest: statement.head };
        return Ok(Weighed { record: refused(name, issue(), &refusal), note: note(true), who });
    }
    let known = tasks.generation_of(task, &statement.head)?;
    let judged = judge_foreign(tasks, task, &file, known, statement.samples.as_ref(), options)?;
    let of = Installed {
        signer: signer.key.id().0,
        name: signer.name.clone(),
        device: statement.device.clone(),
        sequence: statement.sequence,
        issued: statement.issued,
        samples: statement.samples.clone(),
        unproved: judged.unproved || judged.worse,
    };
    let activate = !judged.worse;
    let record = verdict(name, issue(), judged);
    Ok(Weighed { record, note: Note::Head { file: Box::new(file), of, activate }, who })
}

impl Weighed {
    /// The second half: the head, whose it is, the verdict and the move of the pointer, in one transaction.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write_down(self, tasks: &mut Tasks) -> Result<InstallRecord, InstallError> {
        let Self { mut record, note, who } = self;
        match note {
            Note::Nothing => {}
            Note::Seen { signer, seen } => {
                // What is known already costs no write.
                let known = tasks.seen(&record.task, &signer.0)?;
                if known.is_none_or(|known| known.sequence < seen.sequence || (seen.judged && !known.judged)) {
                    tasks.note_seen(&record.task, &signer.0, &seen)?;
                }
            }
            Note::Head { file, of, activate } => {
                let json = serde_json::to_string(&record)?;
                let (outcome, record_json) = (record.verdict.as_str(), json.as_str());
                let new = NewInstall { file: &file, of: &of, outcome, record: record_json, activate, who: &who };
                let generation = tasks.install(&record.task, &new, Timestamp::now())?;
                record.generation = Some(generation.0);
            }
        }
        Ok(record)
    }
}

/// What a signer says of a head, as JSON.
pub fn issue_record(signer: &Trusted, statement: &Statement) -> IssueRecord {
    IssueRecord {
        signer: signer.name.clone(),
        key: signer.key.id().to_string(),
        device: statement.device.clone(),
        generation: statement.generation.0,
        number: statement.sequence,
        issued: format!("{:.0}", statement.issued),
        expires: format!("{:.0}", statement.expires),
        sha256: statement.head.to_string(),
    }
}

/// That a head is not used, and why; also of one that never came whole.
pub fn refused(task: String, issue: Option<IssueRecord>, refusal: &Refusal) -> InstallRecord {
    InstallRecord {
        task,
        verdict: "rejected".to_owned(),
        trusted: issue.is_some(),
        unproved: false,
        reasons: vec![refusal.token().to_owned()],
        because: vec![crate::causes(refusal)],
        next: Vec::new(),
        generation: None,
        issue,
        comparison: None,
    }
}

fn verdict(task: String, issue: Option<IssueRecord>, judged: Judged) -> InstallRecord {
    let Judged { worse, unproved, verdict, classes } = judged;
    let mut because: Vec<String> = verdict.reasons.iter().map(|reason| reason.to_words(&classes)).collect();
    if verdict.outcome == Outcome::NotEnoughSamples {
        because
            .insert(0, "too few labels here could judge it: it is used on its signer's word until they can".to_owned());
    }
    let tokens = verdict.reasons.iter().map(|reason| reason.token().to_owned());
    let next = verdict.next.iter().map(|advice| advice.to_words(&classes)).collect();
    let comparison = verdict.comparison.map(Into::into);
    if worse {
        let refusal = Refusal::Worse { because };
        let refused = refused(task, issue, &refusal);
        let more = tokens.filter(|token| token != refusal.token());
        return InstallRecord {
            reasons: refused.reasons.iter().cloned().chain(more).collect(),
            next,
            comparison,
            ..refused
        };
    }
    InstallRecord {
        task,
        verdict: "activated".to_owned(),
        trusted: true,
        unproved,
        reasons: tokens.collect(),
        because,
        next,
        generation: None,
        issue,
        comparison,
    }
}
