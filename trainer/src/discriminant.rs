//! Linear discriminant analysis: one Gaussian per class, all of one covariance. Fisher 1936, "The use of multiple
//! measurements in taxonomic problems"; Rao 1948, "The utilization of multiple measurements".
//!
//! Logit of class c: `xᵀΣ⁻¹μ_c - ½ μ_cᵀΣ⁻¹μ_c + ln π_c`, which is linear in x and, at temperature 1, the posterior itself;
//! Σ is shrunk as [`within`](crate::within) says, and the shrinkage stands where other heads have their penalty.
//! Leave-out scores are those of refits, with the shrinkage held fixed.

use ndarray::{Array1, Array2, Axis};

use crate::{
    Form, Kind, Samples, Solution, calibration,
    centred::{Centred, System},
    dot::dot,
    leave_out::{LeaveOut, unseen},
    penalised::{Batch, IllConditioned},
    precision::Precision,
    ridge::{batches, ranked},
    within::Within,
};

/// Losses closer than this are equal, and the larger shrinkage wins.
const TIE: f64 = 1e-9;
/// How far from the analytic shrinkage towards 1 the others lie that are tried: it is the best estimate of the covariance, and
/// features of a deep network, whose classes differ along few directions, are told apart better with more.
const TOWARDS_ONE: [f64; 3] = [0.75, 0.5, 0.0];

/// Solves at a shrinkage (above 1 as at 1), or where there is none at the best of a few by leave-out log-loss. `weights` `[n]`
/// give the classes' shares π. Also the scores with each sample's whole fold left out. O(order³) per shrinkage and
/// O(n·order²) once, `order = min(n, dim)`.
pub(crate) fn solve<T: Precision>(
    samples: &Samples<'_>,
    centred: &Centred<T>,
    leave_out: &LeaveOut,
    folds: &LeaveOut,
    weights: &[f64],
    shrinkage: Option<f64>,
    threads: usize,
) -> Result<(Solution, Array2<f64>), IllConditioned> {
    let batches = batches(leave_out, folds);
    // Large shrinkage leaves little of the products of samples, which f32 would not see beside 1.
    match centred.spanned(threads) {
        Some(system) => at(samples, centred, system, &batches, weights, shrinkage),
        None => at(samples, centred, centred.system(threads), &batches, weights, shrinkage),
    }
}

/// The same, in a system of the samples.
fn at<S: Precision, T: Precision>(
    samples: &Samples<'_>,
    centred: &Centred<S>,
    system: System<'_, T>,
    batches: &[Batch<'_>],
    weights: &[f64],
    shrinkage: Option<f64>,
) -> Result<(Solution, Array2<f64>), IllConditioned> {
    let within = Within::new(samples, centred, system);
    let path = || {
        let oracle = within.oracle();
        TOWARDS_ONE.map(|far| oracle + far * (1.0 - oracle))
    };
    let ranked = ranked(batches, system.products.nrows(), samples.rows());
    let rows: Vec<usize> = ranked.iter().flat_map(Batch::rows).collect();
    let labels: Vec<usize> = rows.iter().map(|&row| samples.labels()[row]).collect();
    let (mut near, mut best, mut least) = (None, None, f64::INFINITY);
    for shrinkage in shrinkage.map_or_else(|| path().to_vec(), |one| vec![one]) {
        let shrunk = within.shrink(shrinkage)?;
        let (distances, _) = shrunk.left_out(ranked, false)?;
        let scores = scores(samples, &distances, ranked, weights);
        let loss = calibration::loss(scores.select(Axis(0), &rows).view(), &labels, &mut near);
        if best.is_none() || loss < least - TIE {
            (least, best) = (loss, Some(shrunk));
        }
    }
    let shrunk = best.ok_or(IllConditioned)?;
    let (by_group, by_fold) = shrunk.left_out(batches, true)?;
    let by_group = scores(samples, &by_group, batches, weights);
    let whole: Vec<Vec<usize>> = batches.iter().map(Batch::rows).collect();
    let whole: Vec<Batch<'_>> = whole.iter().map(|rows| Batch { groups: vec![&rows[..]] }).collect();
    let by_fold = scores(samples, &by_fold, &whole, weights);
    let (directions, lengths) = shrunk.directions();
    let directions = centred.weights_of(directions.as_ref());
    let total: f64 = weights.iter().sum();
    let bias = shares(samples, weights).into_iter().zip(lengths).enumerate().map(|(c, (share, length))| {
        (share / total).ln() - 0.5 * length - dot(directions.col_as_slice(c), &centred.mean)
    });
    let bias = Array1::from_iter(bias);
    let directions = Array2::from_shape_fn((samples.classes(), samples.dim()), |(c, j)| directions[(j, c)]);
    let (form, lambda) = (Form::linear(directions, bias), Some(shrunk.shrinkage));
    Ok((Solution { kind: Kind::Discriminant, form, scores: by_group, lambda, scale: None }, by_fold))
}

/// Leave-out logits from leave-out distances, `[n, classes]`.
fn scores(samples: &Samples<'_>, distances: &Array2<f64>, batches: &[Batch<'_>], weights: &[f64]) -> Array2<f64> {
    // The half of a sample's own length that they have besides is the same for every class.
    let mut scores = distances * -0.5;
    let all = shares(samples, weights);
    for members in batches.iter().flat_map(|batch| &batch.groups) {
        let mut left = all.clone();
        for &i in *members {
            left[samples.labels()[i]] -= weights[i];
        }
        let total: f64 = left.iter().sum();
        for &i in *members {
            for (score, share) in scores.row_mut(i).iter_mut().zip(&left) {
                // What is left of a class may be rounding, but then it is unseen.
                *score += (share / total).max(f64::MIN_POSITIVE).ln();
            }
        }
    }
    for at in unseen(samples) {
        scores[at] = f64::NEG_INFINITY;
    }
    scores
}

/// Sum of the weights of each class, `[classes]`.
fn shares(samples: &Samples<'_>, weights: &[f64]) -> Vec<f64> {
    let mut shares = vec![0.0; samples.classes()];
    for (&label, weight) in samples.labels().iter().zip(weights) {
        shares[label] += weight;
    }
    shares
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn single_precision_says_what_double_says() {
        for (n, dim) in [(400, 300), (300, 400)] {
            let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
            let x = Array2::from_shape_fn((n, dim), |(i, j)| {
                ((i * 7919 + j * 104_729 + i * j * 31) % 1009) as f32 / 1009.0 + 0.1 * f32::from(j % 3 == labels[i])
            });
            let groups: Vec<usize> = (0..n).map(|i| i / 2).collect();
            let samples = Samples::new(x.view(), &labels, &groups, 3).unwrap();
            let leave_out = LeaveOut::new(&samples);
            let (folds, weights) = (leave_out.folds(&samples, 10, 0), vec![1.0; n]);
            for shrinkage in [0.05, 0.9] {
                let single = Centred::<f32>::new(&samples, weights.clone(), 1);
                let double = Centred::<f64>::new(&samples, weights.clone(), 1);
                let (a, a_folds) = solve(&samples, &single, &leave_out, &folds, &weights, Some(shrinkage), 2).unwrap();
                let (b, b_folds) = solve(&samples, &double, &leave_out, &folds, &weights, Some(shrinkage), 1).unwrap();
                for (a, b) in [(&a.scores, &b.scores), (&a_folds, &b_folds)] {
                    // Up to what is the same for every class.
                    let gaps = |scores: &Array2<f64>| scores - &scores.column(0).insert_axis(Axis(1));
                    let worst = (gaps(a) - gaps(b)).iter().fold(0.0_f64, |worst, d| worst.max(d.abs()));
                    let scale = gaps(b).iter().fold(1.0_f64, |scale, d| scale.max(d.abs()));
                    assert!(worst < 1e-3 * scale, "{n} {dim} {shrinkage}: {worst} of {scale}");
                }
            }
        }
    }
}
