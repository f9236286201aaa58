//! Learning curves put to the test: what few labels foretell, and what many then give. Knows the trainer.

use acclimate_trainer::{CurvePoint, Estimate, FitOptions, Forecast, Kind, LearningCurve, fit, select};
use anyhow::Context as _;
use ndarray::ArrayView1;

use crate::draws::Draw;
use crate::features::Features;

/// A forecast beside what came.
#[derive(Clone, Debug)]
pub struct Foretold {
    /// What was measured.
    pub points: Vec<CurvePoint>,
    /// The gain that was foretold, from the samples there were to all of the draw.
    pub gain: Estimate,
    /// The accuracy that was foretold with all of the draw.
    pub accuracy: Estimate,
    /// What is said.
    pub forecast: Forecast,
    /// Accuracy of a ridge on the test part, with the samples there were.
    pub now: f64,
    /// The same with all of the draw.
    pub later: f64,
    /// The gain of what `adapt` selects.
    pub auto: f64,
}

impl Foretold {
    /// From so many samples of each class of a draw, what all of it give; of the kinds that are quick where `auto`.
    ///
    /// # Errors
    /// When the trainer refuses.
    pub fn on(features: &Features, per_class: usize, seed: u64) -> anyhow::Result<Self> {
        Self::with(features, per_class, seed, false)
    }

    /// As [`Foretold::on`], with every kind fitted.
    ///
    /// # Errors
    /// As there.
    pub fn with(features: &Features, per_class: usize, seed: u64, auto: bool) -> anyhow::Result<Self> {
        let all = Draw::all(features, seed);
        let few = all.few(features, per_class);
        let [all_picked, few_picked] = [&all, &few].map(|draw| features.pick(&draw.train));
        let [all_samples, few_samples] =
            [all_picked.samples(features.classes.len())?, few_picked.samples(features.classes.len())?];
        let curve = LearningCurve::measure(&few_samples, 0, 1, &mut |_| true)?;
        let more = groups(&all_picked.groups) as f64 - curve.groups as f64;
        let test = features.pick(&all.test);
        let accuracy = |samples, kinds: &[Kind]| -> anyhow::Result<f64> {
            let fitted = fit(samples, &FitOptions { kinds: kinds.to_vec(), ..FitOptions::default() })?;
            let head = &fitted.get(select(&fitted)).context("a head")?.head;
            let p = head.batch(test.x.view(), Some(&test.norms));
            let right = p.rows().into_iter().zip(&test.labels).filter(|(row, label)| best(row) == **label);
            Ok(right.count() as f64 / test.labels.len() as f64)
        };
        let ridge = [Kind::Ridge];
        Ok(Self {
            gain: curve.gain(more),
            accuracy: curve.accuracy(more),
            forecast: curve.forecast(),
            now: accuracy(&few_samples, &ridge)?,
            later: accuracy(&all_samples, &ridge)?,
            auto: if auto {
                accuracy(&all_samples, &Kind::ALL)? - accuracy(&few_samples, &Kind::ALL)?
            } else {
                f64::NAN
            },
            points: curve.points,
        })
    }
}

fn groups(of: &[usize]) -> usize {
    of.iter().collect::<std::collections::BTreeSet<_>>().len()
}

fn best(row: &ArrayView1<'_, f64>) -> usize {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0)
}
