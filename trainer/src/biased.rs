//! Ridge regression towards the weights of the model's own classifier: hypothesis transfer by biased regularisation,
//! Kuzborskij and Orabona 2013, "Stability and Hypothesis Transfer Learning".
//!
//! Minimises `Σᵢ wᵢ ‖yᵢ - W xᵢ - b‖² + λ‖W - a W₀‖²` with `W₀` in its form for features of norm 1: with `s₀` its scores,
//! that is ridge regression on the residuals `y - a s₀`. Leaving a group out is linear in the targets, so one
//! pass over the columns of `y` and of `s₀` gives the exact leave-out scores for every a.
//!
//! A class without samples is not fitted and keeps `a s₀`, plus the mean of one-hot targets. No leave-out score says
//! what `a` lets such a class stand beside the fitted ones, so where there is one, `a` is the least-squares fit of `s₀` to
//! the targets.

use faer::Mat;
use ndarray::{Array1, Array2, Axis, concatenate, s};

use crate::{
    Form, Kind, Prior, Samples, Solution, calibration,
    centred::Centred,
    leave_out::{LeaveOut, mark, unseen},
    penalised::{Batch, FINE, IllConditioned, ROUGH},
    precision::Precision,
    prior::linear,
    ridge::{Problem, START, batches, choose, one_hot},
    search::Reach,
};

/// Scales `a` tried, from trust in the classifier's own scale down to that of one-hot targets.
const SCALES: [f64; 4] = [1.0, 0.25, 0.0625, 0.015_625];
/// Losses closer than this are equal, and the larger scale wins.
const TIE: f64 = 1e-9;

/// Solves at a penalty and the best scale for it, or where there is none at the best of the path, by leave-out log-loss.
/// Besides the solution, gives scores `[n, classes]` with each sample's whole fold left out. The cost is that of ridge on
/// twice the classes.
pub(crate) fn solve<T: Precision>(
    samples: &Samples<'_>,
    prior: &Prior,
    leave_out: &LeaveOut,
    folds: &LeaveOut,
    centred: &Centred<T>,
    lambda: Option<f64>,
    threads: usize,
) -> Result<(Solution, Array2<f64>), IllConditioned> {
    let (seen, classes) = (&prior.of_samples, samples.classes());
    let (weights, bias) = prior.unit(samples);
    let own = linear(samples.features(), &weights) + &bias;
    let kept: Vec<usize> = (0..bias.len()).filter(|class| !seen.contains(class)).collect();
    let share = 1.0 / bias.len() as f64;
    let targets = concatenate![Axis(1), one_hot(samples.labels(), samples.classes()), own.select(Axis(1), seen)];
    let problem = Problem::new(targets.view(), centred.system(threads));
    let labels: Vec<usize> = samples.labels().iter().map(|&label| seen[label]).collect();
    // A class that is known from elsewhere is not unseen without its only sample.
    let unseen: Vec<(usize, usize)> =
        unseen(samples).into_iter().map(|(row, class)| (row, seen[class])).filter(|&(_, c)| !prior.knows[c]).collect();
    let fitted = [least_squares(&own, &labels)];
    let scales = if kept.is_empty() { &SCALES[..] } else { &fitted[..] };
    let scores = |left_out: &Array2<f64>, scale: f64| {
        let mut scores = &own * scale;
        for (c, &class) in seen.iter().enumerate() {
            let mut column = scores.column_mut(class);
            column += &left_out.column(c);
            column.scaled_add(-scale, &left_out.column(classes + c));
        }
        for &class in &kept {
            scores.column_mut(class).map_inplace(|score| *score += share);
        }
        mark(&mut scores, &unseen);
        scores
    };
    // The best scale for some rows of leave-out predictions, and its loss.
    let best_scale = |left_out: &Array2<f64>, rows: &[usize], near: &mut Option<f64>| {
        let labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        let mut best = (scales[0], f64::INFINITY);
        for &scale in scales {
            let loss = calibration::loss(scores(left_out, scale).select(Axis(0), rows).view(), &labels, near);
            if loss < best.1 - TIE {
                best = (scale, loss);
            }
        }
        best
    };

    let batches = batches(leave_out, folds);
    let unit = centred.unit * centred.unit;
    let mut near = None;
    let lambda = match lambda {
        Some(lambda) => lambda,
        None => choose(centred, &batches, Reach::Downhill(START), |lambda, ranked| {
            let (left_out, _) = problem.at(lambda / unit, ROUGH)?.left_out(ranked, false)?;
            let rows: Vec<usize> = ranked.iter().flat_map(Batch::rows).collect();
            Ok(best_scale(&left_out, &rows, &mut near).1)
        })?,
    };
    let fit = problem.at(lambda / unit, FINE)?;
    let (by_group, by_fold) = fit.left_out(&batches, true)?;
    let (scale, _) = best_scale(&by_group, &(0..labels.len()).collect::<Vec<_>>(), &mut near);

    let coefficients = &fit.coefficients;
    let residual = Mat::from_fn(coefficients.nrows(), classes, |j, c| {
        coefficients[(j, c)] - scale * coefficients[(j, classes + c)]
    });
    let residual = centred.weights_of(residual.as_ref());
    let (by_group, by_fold) = (scores(&by_group, scale), scores(&by_fold, scale));
    let (mut weights, mut bias) = (weights * scale, bias * scale);
    for &class in &kept {
        bias[class] += share;
    }
    let intercept = &problem.mean.slice(s![..classes]) - &(&problem.mean.slice(s![classes..]) * scale);
    let mean = Array1::from(centred.mean.clone());
    for (c, &class) in seen.iter().enumerate() {
        let own = Array1::from_iter((0..samples.dim()).map(|j| residual[(j, c)]));
        bias[class] += intercept[c] - own.dot(&mean);
        let mut row = weights.row_mut(class);
        row += &own;
    }
    let (lambda, scale) = (Some(lambda), Some(scale));
    let form = Form::linear(weights, bias);
    Ok((Solution { kind: Kind::BiasedRidge, form, scores: by_group, lambda, scale }, by_fold))
}

/// The scale at which centred scores `[n, classes]` are nearest to the one-hot labels, within those of [`SCALES`].
fn least_squares(own: &Array2<f64>, labels: &[usize]) -> f64 {
    let right: f64 = own.outer_iter().zip(labels).map(|(row, &label)| row[label]).sum();
    let squares: f64 = own.iter().map(|x| x * x).sum();
    let scale = if squares > 0.0 { right / squares } else { 1.0 };
    scale.clamp(SCALES[SCALES.len() - 1], SCALES[0])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::{FitOptions, solve as solve_kind};

    /// Two noisy classes in the plane and a third the samples lack; a prior that knows the plane's first axis.
    fn case() -> (Array2<f32>, Vec<usize>, Vec<f32>, Prior) {
        let x = Array2::from_shape_fn((12, 3), |(i, j)| ((i * 7 + j * 5) % 11) as f32 / 11.0 + f32::from(j == i % 2));
        let labels = (0..12).map(|i| i % 2).collect();
        let norms = (0..12).map(|i| 2.0 + 0.1 * i as f32).collect();
        let prior = Prior {
            weights: Array2::from_shape_fn((3, 3), |(c, j)| f32::from(c == 2 * j || c == j) - 0.2 * j as f32),
            bias: Array1::from(vec![0.1, -0.2, 0.3]),
            knows: vec![true; 3],
            of_samples: vec![0, 2],
        };
        (x, labels, norms, prior)
    }

    #[test]
    fn leave_out_scores_are_those_of_refits_and_heads_those_of_the_normal_equations() {
        let (x, labels, norms, prior) = case();
        let groups: Vec<usize> = (0..12).map(|i| i / 2 % 4).collect();
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap().with_norms(&norms);
        let leave_out = LeaveOut::new(&samples);
        let centred = Centred::<f64>::new(&samples, vec![1.0; 12], 1);
        let lambda = 0.3;
        let (got, by_fold) = solve(&samples, &prior, &leave_out, &leave_out, &centred, Some(lambda), 1).unwrap();
        assert_eq!(got.scores, by_fold);
        let scale = got.scale.unwrap();
        let own = {
            let (weights, bias) = prior.unit(&samples);
            (linear(x.view(), &weights) + &bias) * scale
        };
        for members in &leave_out.members {
            let rest: Vec<usize> = (0..12).filter(|row| !members.contains(row)).collect();
            // Plain ridge with a free intercept on the residuals of the rest, by the normal equations.
            for (class, column) in [(0, 0), (1, 2)] {
                let normal = faer::Mat::from_fn(4, 4, |a, b| {
                    let at = |i: usize, j: usize| if j == 3 { 1.0 } else { f64::from(x[(i, j)]) };
                    rest.iter().map(|&i| at(i, a) * at(i, b)).sum::<f64>() + f64::from(a == b && a < 3) * lambda
                });
                let right = faer::Mat::from_fn(4, 1, |a, _| {
                    let at = |i: usize| if a == 3 { 1.0 } else { f64::from(x[(i, a)]) };
                    rest.iter().map(|&i| at(i) * (f64::from(labels[i] == class) - own[(i, column)])).sum::<f64>()
                });
                let w = faer::prelude::Solve::solve(&normal.partial_piv_lu(), right);
                for &i in members {
                    let fitted = (0..3).map(|j| w[(j, 0)] * f64::from(x[(i, j)])).sum::<f64>() + w[(3, 0)];
                    let expected = own[(i, column)] + fitted;
                    assert!((got.scores[(i, column)] - expected).abs() < 1e-9, "{i} {column}");
                }
            }
            for &i in members {
                let kept = own[(i, 1)] + 1.0 / 3.0;
                assert!((got.scores[(i, 1)] - kept).abs() < 1e-12, "a class without samples keeps its scores");
            }
        }
        let solved = got.linear().unwrap();
        let again = linear(x.view(), &solved.weights) + &solved.bias;
        assert!((again.column(1).to_owned() - own.column(1)).iter().all(|d| (d - 1.0 / 3.0).abs() < 1e-9));
    }

    #[test]
    fn a_prior_that_says_nothing_makes_it_ridge() {
        let (x, labels, norms, _) = case();
        let groups: Vec<usize> = (0..12).collect();
        let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap().with_norms(&norms);
        let (weights, bias) = (Array2::zeros((2, 3)), Array1::zeros(2));
        let prior = Prior { weights, bias, knows: vec![true; 2], of_samples: vec![0, 1] };
        let options = FitOptions { prior: Some(prior), ..FitOptions::default() };
        let [a, b] = [Kind::Ridge, Kind::BiasedRidge].map(|kind| solve_kind(kind, &samples, None, &options).unwrap());
        assert_eq!(a.lambda, b.lambda);
        let [ours, theirs] = [&a, &b].map(|solution| &solution.linear().unwrap().weights);
        assert!((ours - theirs).iter().chain((&a.scores - &b.scores).iter()).all(|d| d.abs() < 1e-12));
    }
}
