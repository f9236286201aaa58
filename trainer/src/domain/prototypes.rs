//! T3A: class weights become prototypes that confident features of the target join. Iwasawa and Matsuo 2021, "Test-time
//! classifier adjustment module for model-agnostic domain generalization". Knows nothing of whether it is called for.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::evaluation::most_probable;
use crate::{Form, Head, Kind, calibration};

use super::plain;

/// Features that join a class at most: those of the smallest entropy.
const SUPPORTS: usize = 20;

/// The head whose weights are the mean of each class's own direction and its supports among unlabelled features `[n, dim]`; none
/// for a head that is not linear in features of norm 1. Its temperature makes it as sure as it agrees with the head before.
/// O(n·classes·dim).
pub fn prototypes(head: &Head, target: ArrayView2<'_, f32>) -> Option<Head> {
    let linear = plain(head)?;
    let probabilities = head.batch(target, None);
    let predicted: Vec<usize> = probabilities.outer_iter().map(most_probable).collect();
    let entropies: Vec<f64> = probabilities.outer_iter().map(entropy).collect();
    let mut weights = Array2::<f64>::zeros(linear.weights.raw_dim());
    for (class, mut prototype) in weights.outer_iter_mut().enumerate() {
        prototype.assign(&unit(linear.weights.row(class)));
        for row in surest(&predicted, &entropies, class, SUPPORTS) {
            prototype += &unit(target.row(row));
        }
        let length = prototype.dot(&prototype).sqrt();
        prototype /= length.max(f64::MIN_POSITIVE);
    }
    let scores = target.mapv(f64::from).dot(&weights.t());
    Some(Head {
        kind: Kind::Prototype,
        form: Form::linear(weights.mapv(|w| w as f32), Array1::zeros(head.classes())),
        temperature: calibration::temperature(scores.view(), &predicted),
        lambda: None,
        novelty: head.novelty.clone(),
        // What covered at the site it was fitted for says nothing of another.
        conformal: None,
    })
}

/// The rows predicted as a class, surest first, `at_most` of them.
pub(super) fn surest(predicted: &[usize], entropies: &[f64], class: usize, at_most: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..predicted.len()).filter(|&row| predicted[row] == class).collect();
    rows.sort_by(|&a, &b| entropies[a].total_cmp(&entropies[b]));
    rows.truncate(at_most);
    rows
}

/// In nats.
pub(super) fn entropy(probabilities: ArrayView1<'_, f64>) -> f64 {
    probabilities.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

fn unit(x: ArrayView1<'_, f32>) -> Array1<f64> {
    let x = x.mapv(f64::from);
    let length = x.dot(&x).sqrt();
    if length > 0.0 { x / length } else { x }
}
