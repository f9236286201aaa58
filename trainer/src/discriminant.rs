//! Linear discriminant analysis: one Gaussian per class, all of one covariance. Fisher 1936, "The use of multiple
//! measurements in taxonomic problems"; Rao 1948, "The utilization of multiple measurements".
//!
//! Logit of class c: `xᵀΣ⁻¹μ_c - ½ μ_cᵀΣ⁻¹μ_c + ln π_c`, which is linear in x and, at temperature 1, the posterior itself;
//! Σ is shrunk as [`within`](crate::within) says, and the shrinkage stands where other heads have their penalty.
//! Leave-out scores are those of refits, with the shrinkage held fixed.

use ndarray::Array2;

use crate::{
    Form, Kind, Samples, Solution, calibration,
    leave_out::{LeaveOut, unseen},
    within::{Whitened, Within},
};

/// Losses closer than this are equal, and the larger shrinkage wins.
const TIE: f64 = 1e-9;
/// How far from the analytic shrinkage towards 1 the others lie that are tried: it is the best estimate of the covariance, and
/// features of a deep network, whose classes differ along few directions, are told apart better with more.
const TOWARDS_ONE: [f64; 3] = [0.75, 0.5, 0.0];

/// Solves at a shrinkage (above 1 as at 1), or where there is none at the best of a few by leave-out log-loss. `weights` `[n]`
/// give the classes' shares π. Also the scores with each sample's whole fold left out. O(n·dim·p + p³) per shrinkage, `p = min(n, dim)`.
pub(crate) fn solve(
    samples: &Samples<'_>,
    within: &Within,
    leave_out: &LeaveOut,
    folds: &LeaveOut,
    weights: &[f64],
    shrinkage: Option<f64>,
) -> (Solution, Array2<f64>) {
    let oracle = within.oracle();
    let path = shrinkage.map_or_else(|| TOWARDS_ONE.map(|far| oracle + far * (1.0 - oracle)).to_vec(), |one| vec![one]);
    let mut near = None;
    let mut best: Option<(f64, Whitened<'_>, Array2<f64>)> = None;
    for shrinkage in path {
        let whitened = within.whiten(shrinkage);
        let scores = scores(samples, &whitened, leave_out, weights);
        let loss = calibration::loss(scores.view(), samples.labels(), &mut near);
        if best.as_ref().is_none_or(|(least, ..)| loss < least - TIE) {
            best = Some((loss, whitened, scores));
        }
    }
    let (whitened, scores) = best.map_or_else(
        || (within.whiten(1.0), Array2::zeros((samples.rows(), samples.classes()))),
        |(_, whitened, scores)| (whitened, scores),
    );
    let (directions, mut bias) = whitened.directions();
    let total: f64 = weights.iter().sum();
    for (c, (bias, share)) in bias.iter_mut().zip(shares(samples, weights)).enumerate() {
        let mean = whitened.means.col_as_slice(c);
        *bias = (share / total).ln() - 0.5 * crate::dot::dot(mean, mean) - *bias;
    }
    let by_fold = self::scores(samples, &whitened, folds, weights);
    let form = Form::linear(directions, bias);
    (Solution { kind: Kind::Discriminant, form, scores, lambda: Some(whitened.shrinkage), scale: None }, by_fold)
}

/// Leave-out logits, `[n, classes]`.
fn scores(samples: &Samples<'_>, whitened: &Whitened<'_>, leave_out: &LeaveOut, weights: &[f64]) -> Array2<f64> {
    // The half of a sample's own length that they have besides is the same for every class.
    let mut scores = whitened.left_out(leave_out) * -0.5;
    let all = shares(samples, weights);
    for members in &leave_out.members {
        let mut left = all.clone();
        for &i in members {
            left[samples.labels()[i]] -= weights[i];
        }
        let total: f64 = left.iter().sum();
        for &i in members {
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
