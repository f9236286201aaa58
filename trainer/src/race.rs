//! A heat before many samples are fitted: kinds that some of the samples already show to be behind are not fitted on all of
//! them. Successive halving of one round (Karnin, Koren and Somekh 2013, "Almost optimal exploration in multi-armed bandits")
//! that compares by paired losses, as in racing (Maron and Moore 1994, "Hoeffding races").
//!
//! What gains most from more samples may be behind only for now: to be left out a kind must be behind by [`MARGIN`] standard
//! errors.

use crate::{
    Candidate, FitOptions, Kind, Samples,
    candidate::{clustered_mean, fit_known},
    flops,
    leave_out::LeaveOut,
    picked::Picked,
    selection::differences,
};

/// With more samples than this there is a heat.
pub const RACED: usize = 1_000;
/// Samples in it at least, in whole folds.
const HEAT: usize = 400;
/// Standard errors of the paired difference, clustered by group.
const MARGIN: f64 = 2.0;

/// A kind that was behind in the heat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behind {
    /// The kind.
    pub kind: Kind,
    /// The one with the least loss.
    pub ahead: Kind,
    /// Samples in the heat.
    pub samples: usize,
    /// How much more log-loss, in nats, with whole folds left out.
    pub more: f64,
    /// The standard error of that, clustered by group.
    pub standard_error: f64,
}

/// What came of a heat.
#[derive(Default)]
pub(crate) struct Heat {
    pub(crate) behind: Vec<Behind>,
    /// Floating-point operations that it took, about.
    pub(crate) flops: f64,
}

/// Who of some kinds is behind on whole folds of the samples, about [`HEAT`] of them. Nobody where samples are few, where there
/// is no choice, or where a class is not among those.
pub(crate) fn heat(samples: &Samples<'_>, folds: &LeaveOut, kinds: &[Kind], options: &FitOptions) -> Heat {
    // Means cost next to nothing, and what starts from a prior is best where samples are few.
    let raced = |kind: &Kind| matches!(kind, Kind::Discriminant | Kind::Kernel | Kind::Logistic | Kind::Ridge);
    let kinds: Vec<Kind> = kinds.iter().copied().filter(raced).collect();
    if samples.rows() <= RACED || kinds.len() < 2 {
        return Heat::default();
    }
    let mut rows: Vec<usize> = Vec::new();
    for fold in &folds.members {
        if rows.len() < HEAT {
            rows.extend(fold);
        }
    }
    rows.sort_unstable();
    let picked = Picked::new(samples, &rows);
    match picked.samples().filter(|few| 2 * few.rows() <= samples.rows()) {
        None => Heat::default(),
        Some(few) => Heat {
            behind: losers(&fit_known(&few, &kinds, options)),
            flops: kinds.iter().map(|&kind| flops(kind, &few)).sum(),
        },
    }
}

/// Those behind the best. One that is not linear is ahead of no linear one: whether it is worth its price is asked on all samples.
fn losers(candidates: &[Candidate]) -> Vec<Behind> {
    let linear = |candidate: &Candidate| candidate.head.linear().is_some();
    let behind = |candidate: &Candidate| {
        let rivals = candidates.iter().filter(|rival| linear(rival) || !linear(candidate));
        let best = rivals.min_by(|a, b| a.fold_loss().total_cmp(&b.fold_loss()))?;
        let (more, standard_error) = clustered_mean(&differences(candidate, best), &best.groups);
        let (kind, ahead, samples) = (candidate.head.kind, best.head.kind, best.fold_losses.len());
        (more > MARGIN * standard_error).then_some(Behind { kind, ahead, samples, more, standard_error })
    };
    candidates.iter().filter_map(behind).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::fit_within;
    use ndarray::Array2;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    /// Two classes: one around the other in two of six directions, or apart along one.
    fn case(n: usize, around: bool) -> (Array2<f32>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut noise = || 2.0 * rng.random::<f32>() - 1.0;
        let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
        let x = Array2::from_shape_fn((n, 6), |(i, j)| {
            let angle = i as f32 * 2.399_963;
            let far = if i % 2 == 0 { 0.4 } else { 1.0 };
            match (around, j) {
                (true, 0) => far * angle.cos(),
                (true, 1) => far * angle.sin(),
                (false, 0) => far + 0.5 * noise(),
                _ => 0.2 * noise(),
            }
        });
        (x, labels)
    }

    fn fitted(n: usize, around: bool, kinds: &[Kind]) -> (Vec<Kind>, Vec<Behind>) {
        let (x, labels) = case(n, around);
        let groups: Vec<usize> = (0..n).collect();
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
        // Wide enough for a circle, and too narrow to see that what lies far apart is alike.
        let gamma = Some(if around { 2.0 } else { 500.0 });
        let options = FitOptions { kinds: kinds.to_vec(), gamma, ..FitOptions::default() };
        let fitted = fit_within(&samples, &options, &mut |_, _| true).unwrap();
        (fitted.candidates.iter().map(|candidate| candidate.head.kind).collect(), fitted.behind)
    }

    #[test]
    fn what_some_samples_show_to_be_behind_is_not_fitted_on_all() {
        let (kinds, behind) = fitted(1_200, false, &[Kind::Ridge, Kind::Kernel]);
        assert_eq!(kinds, [Kind::Ridge], "{behind:?}");
        let one = behind[0];
        assert!((one.kind, one.ahead) == (Kind::Kernel, Kind::Ridge) && one.samples >= HEAT, "{one:?}");
        assert!(one.more > MARGIN * one.standard_error, "{one:?}");
    }

    #[test]
    fn who_is_not_shown_to_be_behind_runs_on() {
        // Only the kernel tells them apart, and linear kinds are as good as one another.
        let kinds = [Kind::Ridge, Kind::Discriminant, Kind::Kernel];
        assert_eq!(fitted(1_200, true, &kinds), (kinds.to_vec(), Vec::new()));
        // One kind has nobody to race, and few samples are all needed.
        assert_eq!(fitted(1_200, true, &[Kind::Ridge]), (vec![Kind::Ridge], Vec::new()));
        assert!(fitted(RACED, false, &[Kind::Ridge, Kind::Kernel]).1.is_empty());
    }
}
