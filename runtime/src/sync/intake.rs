//! Announced heads, from manifests and parts to whole signed heads: admission, the assembler and the disk put together. What a
//! transport calls, whatever it is; it gives bytes and the time, and is told what to get and what came.

use std::time::Duration;

use jiff::Timestamp;

use super::admission::admit;
use super::arrivals::{ArrivalError, Arrivals};
use super::assembler::{Assembler, Output, Part};
use super::install::{here, issue_record, refused};
use super::keyring::Trusted;
use super::manifest::Manifest;
use crate::record::InstallRecord;
use crate::store::{Digest, StoreError, Tasks};

/// What came of what was given.
#[derive(Debug, PartialEq)]
pub enum Intaken {
    /// It is not taken, and why.
    Refused(Box<InstallRecord>),
    /// Get these parts.
    Want {
        /// Of which signed head.
        of: Digest,
        /// For which task.
        task: String,
        /// Which.
        parts: Vec<usize>,
    },
    /// A signed head is whole: it can be installed, and then be [`Intake::done`] with.
    Whole {
        /// Which.
        of: Digest,
        /// For which task.
        task: String,
        /// What `head export --signed` wrote.
        signed: Vec<u8>,
    },
}

/// Why nothing can be taken in for now. Nothing is lost by it: what is missing is asked for again.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Parts cannot be kept or read.
    #[error("could not keep what arrives")]
    Arrival(#[from] ArrivalError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// See the module.
#[derive(Debug)]
pub struct Intake {
    assembler: Assembler,
    arrivals: Arrivals,
    /// Whole, and with nobody's verdict yet.
    judging: Vec<Digest>,
}

impl Intake {
    /// Goes on with what was on its way when the program last ended, if `trusted` keys announced it.
    ///
    /// # Errors
    /// When what was kept cannot be read.
    pub fn start(arrivals: Arrivals, trusted: &[Trusted], now: Duration) -> Result<(Self, Vec<Intaken>), IntakeError> {
        let mut intake = Self { assembler: Assembler::default(), arrivals, judging: Vec::new() };
        for (manifest, kept) in intake.arrivals.load(trusted)? {
            intake.assembler.resume(manifest, &kept, now);
        }
        let intaken = intake.drain()?;
        Ok((intake, intaken))
    }

    /// A manifest came, for this task. `time` is the wall clock's, if it can be believed.
    ///
    /// # Errors
    /// When the store or the disk fails; a refusal is none.
    pub fn manifest(
        &mut self,
        tasks: &Tasks,
        task: &str,
        bytes: &[u8],
        trusted: &[Trusted],
        time: Option<Timestamp>,
        now: Duration,
    ) -> Result<Vec<Intaken>, IntakeError> {
        let refuse = |issue, refusal| Ok(vec![Intaken::Refused(Box::new(refused(task.to_owned(), issue, &refusal)))]);
        let manifest = match Manifest::open(bytes, trusted) {
            Ok(manifest) => manifest,
            Err(refusal) => return refuse(None, refusal),
        };
        let here = here(tasks, task, &manifest.signer.key.id(), time)?;
        if let Err(refusal) = admit(&manifest.signer, &manifest.statement, &here) {
            return refuse(Some(issue_record(&manifest.signer, &manifest.statement)), refusal);
        }
        let of = manifest.sha256;
        // It is announced again with every connection; all of it is here.
        if self.judging.contains(&of) {
            return Ok(Vec::new());
        }
        self.arrivals.begin(&of, bytes)?;
        self.assembler.handle_manifest(manifest, now);
        let intaken = self.drain()?;
        if !self.assembler.awaits(&of) {
            self.arrivals.drop(&of)?;
        }
        Ok(intaken)
    }

    /// A part came.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn part(
        &mut self,
        of: Digest,
        part: usize,
        bytes: &[u8],
        now: Duration,
    ) -> Result<(Part, Vec<Intaken>), IntakeError> {
        let what = self.assembler.check_part(of, part, bytes);
        if what == Part::New {
            self.arrivals.keep(&of, part, bytes)?;
            self.assembler.handle_kept(of, part, now);
        }
        Ok((what, self.drain()?))
    }

    /// Time went by.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn time(&mut self, now: Duration) -> Result<Vec<Intaken>, IntakeError> {
        self.assembler.handle_time(now);
        self.drain()
    }

    /// When [`Intake::time`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        self.assembler.deadline()
    }

    /// There is a verdict on a signed head that was whole.
    ///
    /// # Errors
    /// When its parts cannot be removed.
    pub fn done(&mut self, of: &Digest) -> Result<(), IntakeError> {
        self.leave(of);
        Ok(self.arrivals.drop(of)?)
    }

    /// A signed head that was whole is not judged now: what was kept of it stays, and it comes again with the next start, or
    /// announcement.
    pub fn leave(&mut self, of: &Digest) {
        self.judging.retain(|judging| judging != of);
    }

    fn drain(&mut self) -> Result<Vec<Intaken>, IntakeError> {
        let mut intaken = Vec::new();
        while let Some(output) = self.assembler.poll_output() {
            match output {
                Output::Drop(of) => self.arrivals.drop(&of)?,
                Output::Refused { manifest, refusal } => {
                    let issue = Some(issue_record(&manifest.signer, &manifest.statement));
                    let record = refused(manifest.statement.task.clone(), issue, &refusal);
                    intaken.push(Intaken::Refused(Box::new(record)));
                }
                Output::Want { of, task, parts } => intaken.push(Intaken::Want { of, task, parts }),
                Output::Whole(manifest) => {
                    let (of, task) = (manifest.sha256, manifest.statement.task.clone());
                    match self.arrivals.whole(&manifest)? {
                        Ok(signed) => {
                            self.judging.push(of);
                            intaken.push(Intaken::Whole { of, task, signed });
                        }
                        Err(refusal) => {
                            self.arrivals.drop(&of)?;
                            let issue = Some(issue_record(&manifest.signer, &manifest.statement));
                            intaken.push(Intaken::Refused(Box::new(refused(task, issue, &refusal))));
                        }
                    }
                }
            }
        }
        Ok(intaken)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;
    use crate::store::Access;
    use crate::sync::tests::{head_of, now, pair, statement};
    use crate::sync::{Parts, sign, split};

    const SECOND: Duration = Duration::from_secs(1);

    /// A store whose task `gate` has the backbone that heads of the tests read.
    fn gate(dir: &std::path::Path) -> Tasks {
        let mut tasks = Tasks::open(dir, &Access::Write { command: "a test".to_owned() }).unwrap();
        tasks.create_task(&crate::store::tests::new_task("gate"), now()).unwrap();
        tasks
    }

    fn wanted(intaken: &[Intaken]) -> &[usize] {
        match intaken {
            [Intaken::Want { parts, task, .. }] if task == "gate" => parts,
            other => panic!("parts are wanted, not {other:?}"),
        }
    }

    #[test]
    fn heads_of_256_kb_and_4_mb_come_in_parts_over_a_restart_and_are_whole_again() {
        for dim in [32_000, 500_000] {
            let dir = tempfile::tempdir().unwrap();
            let tasks = gate(dir.path());
            let (key, press) = pair("press-7");
            let trusted = [press];
            let file = head_of(0.5, dim);
            let said = statement(4, &file);
            let bytes = sign(&key, &said, &file.encode().unwrap());
            let Parts { sha256, manifest, parts } = split(&key, &said, &bytes, 128 << 10).unwrap();
            let start = || Intake::start(Arrivals::of(dir.path()), &trusted, SECOND).unwrap();
            let (mut intake, nothing) = start();
            assert!(nothing.is_empty() && intake.deadline().is_none());
            let came = intake.manifest(&tasks, "gate", &manifest, &trusted, Some(now()), SECOND).unwrap();
            assert_eq!(wanted(&came).len(), parts.len());
            let (half, rest) = parts.split_at(parts.len() / 2);
            for (part, bytes) in half.iter().enumerate().rev() {
                assert_eq!(intake.part(sha256, part, bytes, SECOND).unwrap(), (Part::New, Vec::new()));
            }
            drop(intake);
            let (mut intake, came) = start();
            assert_eq!(wanted(&came).len(), rest.len(), "what was kept is not asked for again");
            let mut last = Vec::new();
            for (part, bytes) in rest.iter().enumerate() {
                let part = half.len() + part;
                assert_eq!(intake.part(sha256, part, &bytes[1..], SECOND).unwrap().0, Part::Damaged);
                last = intake.part(sha256, part, bytes, SECOND).unwrap().1;
            }
            assert_eq!(last, [Intaken::Whole { of: sha256, task: "gate".to_owned(), signed: bytes.clone() }]);
            let again = intake.manifest(&tasks, "gate", &manifest, &trusted, Some(now()), SECOND).unwrap();
            assert!(again.is_empty() && start().1.len() == 1, "it is judged still, and kept");
            intake.done(&sha256).unwrap();
            assert!(start().1.is_empty(), "nothing is left of it");
            let again = intake.manifest(&tasks, "gate", &manifest, &trusted, Some(now()), SECOND).unwrap();
            assert_eq!(wanted(&again).len(), parts.len(), "it is wanted again: no verdict was written down");
        }
    }

    #[test]
    fn nothing_is_kept_of_what_is_not_admitted() {
        let dir = tempfile::tempdir().unwrap();
        let tasks = gate(dir.path());
        let ((key, press), (stranger, _)) = (pair("press-7"), pair("stranger"));
        let trusted = [press];
        let file = head_of(0.5, 32_000);
        let said = statement(4, &file);
        let bytes = sign(&key, &said, &file.encode().unwrap());
        let (mut intake, _) = Intake::start(Arrivals::of(dir.path()), &trusted, SECOND).unwrap();
        let mut refused = |manifest: &[u8], task: &str| -> String {
            let came = intake.manifest(&tasks, task, manifest, &trusted, Some(now()), SECOND).unwrap();
            let [Intaken::Refused(record)] = &came[..] else { panic!("{came:?}") };
            record.reasons[0].clone()
        };
        let by_stranger = split(&stranger, &said, &bytes, 128 << 10).unwrap().manifest;
        assert_eq!(refused(&by_stranger, "gate"), "unknown_signer");
        let mut flipped = split(&key, &said, &bytes, 128 << 10).unwrap().manifest;
        flipped[200] ^= 1;
        assert_eq!(refused(&flipped, "gate"), "bad_signature");
        let elsewhere = crate::sync::Statement { backbone_id: [8; 32], ..said.clone() };
        let other = split(&key, &elsewhere, &bytes, 128 << 10).unwrap().manifest;
        assert_eq!(refused(&other, "gate"), "other_backbone");
        assert_eq!(refused(&bytes, "gate"), "too_large", "a head is no manifest");
        assert!(!dir.path().join("arriving").exists());
    }
}
