//! Self-training in closed form: ridge regression on what is labelled and, with less weight, on what the head is sure of.
//! Lee 2013, "Pseudo-label", with the head solved instead of iterated. Knows nothing of whether it is called for.
//!
//! Pseudo-labels never join the labelled samples: they are made anew from the head each time, so a head without them is
//! one solve away.

use ndarray::{ArrayView2, Axis, concatenate};

use crate::evaluation::most_probable;
use crate::{FitError, FitOptions, Head, Kind, Samples, solve};

use super::plain;
use super::prototypes::{entropy, surest};

/// What a pseudo-label weighs beside a label.
const WEIGHT: f64 = 0.3;
/// The share of the features taken for a class that joins it: those of the smallest entropy.
const SHARE: f64 = 0.5;
/// No class takes in more than this many times its even part of the target.
const CAP: f64 = 1.5;

/// The head fitted again with the surest of unlabelled features `[n, dim]`, at the penalty and temperature it has; none for a
/// head that is not linear in features of norm 1. It costs a solve.
///
/// # Errors
/// As [`solve`].
pub fn self_train(
    head: &Head,
    samples: &Samples<'_>,
    target: ArrayView2<'_, f32>,
    options: &FitOptions,
) -> Result<Option<Head>, FitError> {
    if plain(head).is_none() || head.classes() != samples.classes() {
        return Ok(None);
    }
    let probabilities = head.batch(target, None);
    let predicted: Vec<usize> = probabilities.outer_iter().map(most_probable).collect();
    let entropies: Vec<f64> = probabilities.outer_iter().map(entropy).collect();
    let most = (CAP * target.nrows() as f64 / head.classes() as f64).ceil() as usize;
    let mut joined = Vec::new();
    for class in 0..head.classes() {
        let of_class = predicted.iter().filter(|&&one| one == class).count();
        let sure = (SHARE * of_class as f64).ceil() as usize;
        joined.extend(surest(&predicted, &entropies, class, sure.min(most)));
    }
    let features = concatenate![Axis(0), samples.features(), target.select(Axis(0), &joined)];
    let labels: Vec<usize> = samples.labels().iter().copied().chain(joined.iter().map(|&row| predicted[row])).collect();
    let first = samples.groups().iter().max().map_or(0, |last| last + 1);
    let groups: Vec<usize> = samples.groups().iter().copied().chain(first..first + joined.len()).collect();
    let own = samples.weights().map_or_else(|| vec![1.0; samples.rows()], <[f64]>::to_vec);
    let weights: Vec<f64> = own.into_iter().chain(joined.iter().map(|_| WEIGHT)).collect();
    let both = Samples::new(features.view(), &labels, &groups, samples.classes())
        .and_then(|both| both.with_weights(&weights))
        .expect("a bug: samples that were whole are not any more");
    let solution = solve(Kind::Ridge, &both, head.lambda, options)?;
    Ok(Some(Head {
        kind: Kind::Ridge,
        form: solution.form.narrow(),
        lambda: solution.lambda,
        conformal: None,
        ..head.clone()
    }))
}
