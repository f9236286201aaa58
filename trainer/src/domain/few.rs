//! A few labels of another domain: pooled with those of the source, or fitted towards the head that is there. Which weight
//! is best is told by the target's samples alone, each scored without its group.

use ndarray::{Axis, concatenate};

use crate::candidate::clustered_mean;
use crate::{Candidate, FitError, FitOptions, Head, Kind, Prior, Samples, fit, log_loss, select};

use super::plain;

/// What a label of the target may weigh beside one of the source.
pub const WEIGHTS: [f64; 4] = [1.0, 3.0, 10.0, 30.0];

/// A head fitted on both.
#[derive(Clone, Debug, PartialEq)]
pub struct Pooled {
    /// What a sample of the target weighs.
    pub weight: f64,
    /// The head; its leave-out rows are the source's, then the target's.
    pub candidate: Candidate,
}

/// Fits on samples of both domains; a sample of the target weighs the smallest of [`WEIGHTS`] whose leave-out log-loss on
/// the target is within one standard error (paired, by group) of the best. Both have the same classes. It costs four fits.
///
/// # Errors
/// As [`fit`].
pub fn pool(source: &Samples<'_>, target: &Samples<'_>, options: &FitOptions) -> Result<Pooled, FitError> {
    let features = concatenate![Axis(0), source.features(), target.features()];
    let labels = [source.labels(), target.labels()].concat();
    let first = source.groups().iter().max().map_or(0, |last| last + 1);
    let groups: Vec<usize> =
        source.groups().iter().copied().chain(target.groups().iter().map(|group| first + group)).collect();
    let mut tried = Vec::new();
    for weight in WEIGHTS {
        let own = source.weights().map_or_else(|| vec![1.0; source.rows()], <[f64]>::to_vec);
        let weights: Vec<f64> = own.into_iter().chain(vec![weight; target.rows()]).collect();
        let both = Samples::new(features.view(), &labels, &groups, source.classes())
            .and_then(|both| both.with_weights(&weights))
            .expect("a bug: samples that were whole are not any more");
        let mut candidates = fit(&both, options)?;
        let candidate = candidates.swap_remove(select(&candidates));
        let rows = candidate.leave_out.outer_iter().skip(source.rows()).zip(target.labels());
        let losses: Vec<f64> = rows.map(|(p, &label)| log_loss(p, label)).collect();
        tried.push((losses, Pooled { weight, candidate }));
    }
    let mut numbers = std::collections::BTreeMap::new();
    let of: Vec<usize> = target
        .groups()
        .iter()
        .map(|group| {
            let next = numbers.len();
            *numbers.entry(group).or_insert(next)
        })
        .collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let best = tried.iter().map(|(losses, _)| losses).min_by(|a, b| mean(a).total_cmp(&mean(b))).cloned();
    let close = |losses: &[f64]| {
        let worse: Vec<f64> = losses.iter().zip(best.iter().flatten()).map(|(a, b)| a - b).collect();
        let (mean, error) = clustered_mean(&worse, &of);
        mean <= error
    };
    let at = tried.iter().position(|(losses, _)| close(losses)).unwrap_or(0);
    Ok(tried.swap_remove(at).1)
}

/// Ridge regression on the target's samples towards the weights of a head learnt elsewhere ([`Kind::BiasedRidge`]), penalty and
/// scale by leave-out.
///
/// # Errors
/// As [`fit`]; [`FitError::NoPrior`] for a head that is not linear in features of norm 1 or has other classes.
pub fn towards(head: &Head, target: &Samples<'_>, options: &FitOptions) -> Result<Candidate, FitError> {
    let linear = plain(head).filter(|_| head.classes() == target.classes()).ok_or(FitError::NoPrior)?;
    let prior = Prior {
        weights: linear.weights.clone(),
        bias: linear.bias.clone(),
        knows: vec![true; head.classes()],
        of_samples: (0..head.classes()).collect(),
    };
    // The head reads features of norm 1, so that is the norm that they have.
    let norms = vec![1.0; target.rows()];
    let features = target.features();
    let own = Samples::new(features.view(), target.labels(), target.groups(), target.classes())
        .expect("a bug: samples that were whole are not any more");
    let options = FitOptions { kinds: vec![Kind::BiasedRidge], prior: Some(prior), ..options.clone() };
    fit(&own.with_norms(&norms), &options)?.pop().ok_or(FitError::NoPrior)
}
