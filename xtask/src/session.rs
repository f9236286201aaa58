//! One run of checks: announces and times each step, goes on after a failure, and ends with what failed and what was
//! skipped and why. Invariant: a skip that `ACCLIMATE_REQUIRE` names counts as a failure.

use std::{process::ExitCode, time::Instant};

/// How a step that did not fail ended.
pub(crate) enum Outcome {
    Done,
    /// What is missing (the word `ACCLIMATE_REQUIRE` takes) and why it could not be had.
    Skipped {
        what: String,
        why: String,
    },
}

pub(crate) struct Session {
    required: Vec<String>,
    failed: Vec<String>,
    skipped: Vec<(String, String)>,
}

impl Session {
    /// `required` is the value of `ACCLIMATE_REQUIRE`: words separated by commas.
    pub(crate) fn new(required: &str) -> Self {
        let required = required.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Self { required, failed: Vec::new(), skipped: Vec::new() }
    }

    pub(crate) fn step(&mut self, name: &str, about: &str, run: impl FnOnce(&mut Self) -> anyhow::Result<Outcome>) {
        eprintln!("\n==> {name}: {about}");
        let started = Instant::now();
        let outcome = run(self);
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Done) => eprintln!("==> {name}: done in {seconds:.1} s"),
            Ok(Outcome::Skipped { what, why }) => {
                eprintln!("==> {name}: skipped after {seconds:.1} s: {why}");
                self.skip(&what, &why);
            }
            Err(error) => {
                eprintln!("==> {name}: FAILED after {seconds:.1} s: {error:#}");
                self.failed.push(format!("{name}: {error:#}"));
            }
        }
    }

    /// Notes a skip once per thing and reason.
    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        let skip = (what.to_owned(), why.to_owned());
        if self.skipped.contains(&skip) {
            return;
        }
        if self.required.iter().any(|word| word == what) {
            self.failed.push(format!("{what}: required (ACCLIMATE_REQUIRE) but skipped: {why}"));
        }
        self.skipped.push(skip);
    }

    pub(crate) fn failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Prints the end of the run; the exit code says whether anything failed.
    pub(crate) fn finish(&self) -> ExitCode {
        eprintln!();
        for (what, why) in &self.skipped {
            eprintln!("skipped: {what}: {why}");
        }
        if self.skipped.is_empty() {
            eprintln!("nothing was skipped");
        }
        for failure in &self.failed {
            eprintln!("failed: {failure}");
        }
        if self.failed() {
            return ExitCode::FAILURE;
        }
        eprintln!("all passed");
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(required: &str) -> Session {
        let mut session = Session::new(required);
        session.step("fetch", "a library", |_| Ok(Outcome::Skipped { what: "ort".into(), why: "no network".into() }));
        session
    }

    #[test]
    fn a_skip_fails_only_where_it_is_required() {
        assert!(!skipped("").failed());
        assert!(!skipped("deny, audit").failed());
        assert!(skipped("deny, ort").failed());
    }

    #[test]
    fn a_failing_step_fails_the_run_and_does_not_end_it() {
        let mut session = Session::new("");
        session.step("one", "fails", |_| anyhow::bail!("broken"));
        let mut ran = false;
        session.step("two", "passes", |_| {
            ran = true;
            Ok(Outcome::Done)
        });
        assert!(ran && session.failed());
    }
}
