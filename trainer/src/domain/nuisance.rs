//! Heads that do not use the directions in which a site changed. Knows nothing of how a change is noticed.
//!
//! When the light changes, features of every class move the same way, and a head that never saw it takes that for a reason: a few
//! labels of the new light then move its answers by which classes happened to be among them. Nuisance attribute projection
//! (Solomonoff, Campbell and Boardman 2005, "Advances in channel compensation for SVM speaker recognition", eq. 4) takes the
//! direction between the mean feature before and after away from everything that is fitted on: `x - D Dᵀx`, `D` orthonormal. The
//! weights of a linear head then lie outside of it, so the head answers for raw features as for projected ones, in the old
//! light and in the new; nothing has to be known of a sample when it is classified. `cargo xtask report light` has the figures.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::is_worse;
use crate::candidate::fit_on_and_tell_by;
use crate::{Candidate, FitError, FitOptions, Fitted, Form, Kind, Linear, Samples};

/// Directions that are kept, the newest first. A site that keeps changing has labels of all its lights before long.
pub const MOST: usize = 4;

/// A direction that is this close to those there are, says nothing new; in parts of its length.
const NEGLIGIBLE: f64 = 1e-3;

/// Orthonormal directions of features, one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct Nuisance {
    directions: Array2<f32>,
}

impl Nuisance {
    /// Of directions `[k, dim]`, the most important first, of which [`MOST`] are kept; none where nothing is left of them: not
    /// finite, without length, or as many as features have components.
    pub fn new<'a>(directions: impl IntoIterator<Item = ArrayView1<'a, f32>>) -> Option<Self> {
        let mut kept: Vec<Vec<f64>> = Vec::new();
        for direction in directions {
            let mut rest: Vec<f64> = direction.iter().map(|&x| f64::from(x)).collect();
            let length = norm(&rest);
            if kept.len() == MOST || kept.iter().any(|other| other.len() != rest.len()) || kept.len() + 1 >= rest.len()
            {
                break;
            }
            // Twice is enough (Giraud, Langou and Rozložník 2005).
            for _ in 0..2 {
                for other in &kept {
                    let along: f64 = other.iter().zip(&rest).map(|(a, b)| a * b).sum();
                    rest.iter_mut().zip(other).for_each(|(x, other)| *x -= along * other);
                }
            }
            let left = norm(&rest);
            if left.is_finite() && left > NEGLIGIBLE * length {
                for x in &mut rest {
                    *x /= left;
                }
                kept.push(rest);
            }
        }
        let dim = kept.first()?.len();
        let numbers = kept.into_iter().flatten().map(|x| x as f32).collect::<Vec<_>>();
        let directions = Array2::from_shape_vec((numbers.len() / dim, dim), numbers).ok()?;
        Some(Self { directions })
    }

    /// From what [`Nuisance::directions`] gave once, bit for bit; none where these are not 1 to [`MOST`] orthonormal directions.
    pub fn restored(directions: Array2<f32>) -> Option<Self> {
        let (count, dim) = directions.dim();
        let products = directions.mapv(f64::from);
        let products = products.dot(&products.t());
        let orthonormal =
            products.indexed_iter().all(|((i, j), x)| (x - f64::from(u8::from(i == j))).abs() < NEGLIGIBLE);
        ((1..=MOST).contains(&count) && count < dim && orthonormal).then_some(Self { directions })
    }

    /// `[k, dim]`, orthonormal but for rounding.
    pub fn directions(&self) -> ArrayView2<'_, f32> {
        self.directions.view()
    }

    /// Features `[n, dim]` without what they have along the directions. O(n·k·dim).
    ///
    /// # Panics
    /// When the features are of another dim.
    pub fn remove(&self, features: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut left = features.to_owned();
        for mut row in left.rows_mut() {
            let mut rest: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
            for direction in self.directions.rows() {
                let along: f64 = direction.iter().zip(&rest).map(|(&d, x)| f64::from(d) * x).sum();
                rest.iter_mut().zip(direction).for_each(|(x, &d)| *x -= along * f64::from(d));
            }
            row.iter_mut().zip(rest).for_each(|(x, rest)| *x = rest as f32);
        }
        left
    }
}

/// As [`fit_within`](crate::fit_within), without the directions: of the kinds asked for those that are linear in features of norm 1, for only their
/// heads read raw features as they do projected ones. What is unknown is told on raw features, as ever. No kind, nothing fitted.
///
/// # Errors
/// As [`fit_within`](crate::fit_within).
///
/// # Panics
/// When the directions are of another dim than the samples.
pub fn fit_without(
    samples: &Samples<'_>,
    nuisance: &Nuisance,
    options: &FitOptions,
    may_start: &mut dyn FnMut(Kind, f64) -> bool,
) -> Result<Fitted, FitError> {
    let linear = |kind: &Kind| !matches!(kind, Kind::BiasedRidge | Kind::Kernel | Kind::Shipped);
    let options = FitOptions { kinds: options.kinds.iter().copied().filter(linear).collect(), ..options.clone() };
    if options.kinds.is_empty() {
        return Ok(Fitted { candidates: Vec::new(), skipped: Vec::new(), behind: Vec::new() });
    }
    let features = nuisance.remove(samples.features());
    let projected =
        Samples::new(features.view(), samples.labels(), samples.groups(), samples.classes()).and_then(|projected| {
            match samples.weights() {
                Some(weights) => projected.with_weights(weights),
                None => Ok(projected),
            }
        });
    // Where nothing is left to compute with, nothing is fitted.
    let Ok(projected) = projected else {
        return Ok(Fitted { candidates: Vec::new(), skipped: options.kinds, behind: Vec::new() });
    };
    let mut fitted = fit_on_and_tell_by(&projected, samples, &options, may_start)?;
    for candidate in &mut fitted.candidates {
        if let Form::Linear(Linear { weights, .. }) = &mut candidate.head.form {
            *weights = nuisance.remove(weights.view());
        }
    }
    Ok(fitted)
}

/// How far a head's answers are believed elsewhere, 0 to 1: by how much more than chance it is right on samples labelled there.
pub fn trust(right: usize, of: usize, classes: usize) -> f64 {
    let chance = 1.0 / classes.max(2) as f64;
    let share = right as f64 / of.max(1) as f64;
    ((share - chance) / (1.0 - chance)).clamp(0.0, 1.0)
}

/// The mean feature `[dim]` that what is sensed elsewhere would have, had nothing moved: of the classes' means over what was learnt
/// (`features` `[n, dim]`, `labels` `[n]`), in the parts in which a head took what it saw for them (`taken_for` `[classes]`) as far as it is
/// to be trusted, and else as they were learnt. A head that is right elsewhere tells a class that is seen for long from another
/// light; one that takes everything for one class, because the light changed, does not. None where nothing was learnt.
pub fn unmoved(features: ArrayView2<'_, f32>, labels: &[usize], taken_for: &[f64], trust: f64) -> Option<Array1<f64>> {
    let (mut sum, mut whole) = (Array1::<f64>::zeros(features.ncols()), 0.0);
    for (class, &taken) in taken_for.iter().enumerate() {
        let rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
        let Some(mean) = features.select(Axis(0), &rows).mapv(f64::from).mean_axis(Axis(0)) else { continue };
        let part = trust * taken + (1.0 - trust) * rows.len() as f64 / labels.len() as f64;
        sum += &(mean * part);
        whole += part;
    }
    (whole > 0.0).then(|| sum / whole)
}

/// Whether a head without directions loses by that, on samples left out, by the rule that keeps a candidate out of service. What looked like a change of light may have been one class alone before the
/// camera; to do without that costs where the classes are known, so only samples of before, `learnt` `[n]`, are asked. A few labels
/// of the new light would speak for whichever head takes the light for their class.
pub fn costs(plain: &Candidate, without: &Candidate, learnt: &[bool]) -> bool {
    let losses = without.fold_losses.iter().zip(&plain.fold_losses).zip(&plain.groups).zip(learnt);
    let (worse, groups): (Vec<f64>, Vec<usize>) =
        losses.filter(|(_, learnt)| **learnt).map(|(((a, b), &group), _)| (a - b, group)).unzip();
    !worse.is_empty() && is_worse(&worse, &groups)
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::leave_out::mix;
    use crate::select;
    use ndarray::array;

    const DIM: usize = 16;

    /// Two classes on the first axis, all of them moved along the second, and a little along the first.
    fn draw(seed: u64, labels: &[usize], by: f32) -> Array2<f32> {
        let noise = |i: usize, j: usize| {
            let key = |k: u64| mix(((seed * 100_000 + i as u64) * 100 + j as u64) * 6 + k);
            (0..6).map(|k| (key(k) >> 11) as f32 / 2_f32.powi(53)).sum::<f32>() - 3.0
        };
        Array2::from_shape_fn((labels.len(), DIM), |(i, j)| {
            let class = if labels[i] == 0 { 1.2 } else { -1.2 };
            0.7 * noise(i, j) + [class + 0.6 * by, by].get(j).copied().unwrap_or_default()
        })
    }

    fn right(head: &crate::Head, x: &Array2<f32>, labels: &[usize]) -> f64 {
        let p = head.batch(x.view(), None);
        let right = p.outer_iter().zip(labels).filter(|(p, label)| crate::evaluation::most_probable(*p) == **label);
        right.count() as f64 / labels.len() as f64
    }

    #[test]
    fn directions_are_orthonormal_and_what_says_nothing_new_is_left_out() {
        let axes =
            array![[2.0_f32, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [5.0, 0.0, 0.0, 0.0], [0.0, 0.0, f32::NAN, 0.0]];
        let nuisance = Nuisance::new(axes.rows()).unwrap();
        assert_eq!(nuisance.directions(), array![[1.0_f32, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]);
        assert_eq!(nuisance.remove(array![[3.0_f32, 4.0, 5.0, 6.0]].view()), array![[0.0_f32, 0.0, 5.0, 6.0]]);
        assert_eq!(Nuisance::new(array![[0.0_f32, 0.0]].rows()), None);
        assert_eq!(Nuisance::new(array![[f32::INFINITY, 0.0]].rows()), None);
        assert_eq!(Nuisance::new([]), None);
        assert_eq!(Nuisance::restored(nuisance.directions().to_owned()).as_ref(), Some(&nuisance));
        for wrong in [array![[1.0_f32, 1.0, 0.0]], Array2::zeros((0, 3)), array![[f32::NAN, 0.0]], Array2::eye(3)] {
            assert_eq!(Nuisance::restored(wrong), None);
        }
        // Something must be left to learn from.
        assert_eq!(Nuisance::new(array![[1.0_f32, 0.0], [0.0, 1.0]].rows()).unwrap().directions().nrows(), 1);
        let many = Array2::<f32>::eye(9);
        assert_eq!(Nuisance::new(many.rows()).unwrap().directions().nrows(), MOST);
    }

    #[test]
    fn a_few_labels_of_one_class_do_not_turn_the_new_light_into_that_class() {
        let labels: Vec<usize> = (0..80).map(|i| i % 2).collect();
        let home = draw(1, &labels, 0.0);
        // What is seen since, in any mix; of it five labels, all of one class.
        let (seen, test) = (draw(2, &labels, 1.5), draw(3, &labels, 1.5));
        let five = seen.select(Axis(0), &[0, 2, 4, 6, 8]);
        let x = ndarray::concatenate![Axis(0), home, five];
        let of: Vec<usize> = labels.iter().copied().chain([0; 5]).collect();
        let groups: Vec<usize> = (0..of.len()).collect();
        let samples = Samples::new(x.view(), &of, &groups, 2).unwrap();
        let options =
            FitOptions { kinds: vec![Kind::Ridge, Kind::Kernel, Kind::Discriminant], ..FitOptions::default() };
        let mean = |x: &Array2<f32>| x.mean_axis(Axis(0)).unwrap();
        let moved: Array1<f32> = mean(&seen) - mean(&home);
        let nuisance = Nuisance::new([moved.view()]).unwrap();

        let pooled = crate::fit(&samples, &options).unwrap();
        let pooled = &pooled[select(&pooled)];
        let fitted = fit_without(&samples, &nuisance, &options, &mut |_, _| true).unwrap();
        assert!(fitted.candidates.iter().all(|candidate| candidate.head.kind != Kind::Kernel));
        let without = &fitted.candidates[select(&fitted.candidates)];
        let (before, after) = (right(&pooled.head, &test, &labels), right(&without.head, &test, &labels));
        assert!(after > before + 0.05 && after > 0.9, "{before} {after}");
        assert!(right(&without.head, &draw(4, &labels, 0.0), &labels) > 0.9);

        // It answers for raw features as for projected ones.
        let (raw, projected) = (&test, nuisance.remove(test.view()));
        let (p, q) = (without.head.batch(raw.view(), None), without.head.batch(projected.view(), None));
        assert!((&p - &q).iter().all(|x| x.abs() < 1e-6));
    }

    #[test]
    fn what_is_expected_is_the_mix_seen_as_far_as_the_head_is_right_there() {
        assert_eq!([trust(5, 5, 2), trust(1, 2, 2), trust(0, 5, 2), trust(0, 0, 3)], [1.0, 0.0, 0.0, 0.0]);
        assert!((trust(4, 5, 2) - 0.6).abs() < 1e-12);
        let x = array![[1.0_f32, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let of = |taken: [f64; 2], trust| unmoved(x.view(), &[0, 0, 0, 1], &taken, trust).unwrap();
        assert_eq!(of([0.0, 1.0], 1.0), array![0.0, 1.0]);
        assert_eq!(of([0.0, 1.0], 0.0), array![0.75, 0.25]);
        assert_eq!(of([0.5, 0.5], 0.5), array![0.625, 0.375]);
        // A class that nothing was learnt of is as if it were not there.
        assert_eq!(unmoved(x.view(), &[0, 0, 0, 0], &[0.0, 1.0], 1.0), None);
    }

    #[test]
    fn nothing_is_fitted_where_no_kind_can_do_without() {
        let labels = [0, 1, 0, 1];
        let x = draw(5, &labels, 0.0);
        let samples = Samples::new(x.view(), &labels, &[0, 1, 2, 3], 2).unwrap();
        let axis = Array2::<f32>::eye(DIM);
        let nuisance = Nuisance::new(axis.rows()).unwrap();
        let options = FitOptions { kinds: vec![Kind::Kernel], ..FitOptions::default() };
        assert!(fit_without(&samples, &nuisance, &options, &mut |_, _| true).unwrap().candidates.is_empty());
    }
}
