//! Our heads on a draw, as `adapt` without options fits them: each kind alone, and the one that is selected. Knows the
//! trainer, and nothing of where features come from.

use std::time::{Duration, Instant};

use acclimate_trainer::{Candidate, Evaluation, FitOptions, Kind, fit, fit_within, select};
use anyhow::Context as _;

use crate::draws::Draw;
use crate::features::Features;

/// A head and what the test says of it.
#[derive(Clone, Debug)]
pub struct Tested {
    /// How it was fitted.
    pub kind: Kind,
    /// What it says of itself: samples left out.
    pub said: Evaluation,
    /// What is so: the draw's test part.
    pub test: Evaluation,
}

/// Every kind on one draw.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Each kind that could be fitted.
    pub heads: Vec<Tested>,
    /// Which of them is selected.
    pub selected: usize,
    /// How long fitting and selecting took.
    pub elapsed: Duration,
}

impl Fitted {
    /// Fits and tests.
    ///
    /// # Errors
    /// When a class has no sample to learn from, or the trainer refuses.
    pub fn on(features: &Features, draw: &Draw) -> anyhow::Result<Self> {
        let [train, test] = [&draw.train, &draw.test].map(|rows| features.pick(rows));
        let samples = train.samples(features.classes.len())?;
        let start = Instant::now();
        let fitted = fit_within(&samples, &FitOptions::default(), &mut |_, _| true);
        let acclimate_trainer::Fitted { mut candidates, behind, .. } =
            fitted.with_context(|| format!("fitting on {draw:?}"))?;
        let selected = select(&candidates);
        let elapsed = start.elapsed();
        // Those that lost a race are to be seen, too; what is selected had been selected by then.
        for lost in behind {
            candidates.extend(fit(&samples, &FitOptions { kinds: vec![lost.kind], ..FitOptions::default() })?);
        }
        let tested = |candidate: &Candidate| -> anyhow::Result<Tested> {
            let Candidate { head, leave_out, groups, ungrouped, .. } = candidate;
            let p = head.batch(test.x.view(), Some(&test.norms));
            Ok(Tested {
                kind: head.kind,
                said: Evaluation::new(leave_out.view(), &train.labels, groups, *ungrouped)?,
                test: Evaluation::new(p.view(), &test.labels, &test.groups, false)?,
            })
        };
        Ok(Self { heads: candidates.iter().map(tested).collect::<anyhow::Result<_>>()?, selected, elapsed })
    }

    /// The head that is selected.
    pub fn auto(&self) -> &Tested {
        &self.heads[self.selected]
    }

    /// The head of a kind, if it could be fitted.
    pub fn of(&self, kind: Kind) -> Option<&Tested> {
        self.heads.iter().find(|head| head.kind == kind)
    }
}
