//! Gaussian classes on the sphere, as a backbone's features are: rounded to 8-bit codes, with groups that share a shift.
#![allow(dead_code, reason = "each test takes what it needs")]

use acclimate_trainer::{Feature, FitOptions, Kind, Prior, Quantisation, Samples};
use ndarray::{Array1, Array2, aview1};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Labelled features and their groups.
#[derive(Clone, Debug)]
pub(crate) struct Synthetic {
    pub(crate) x: Array2<f32>,
    pub(crate) labels: Vec<usize>,
    pub(crate) groups: Vec<usize>,
    pub(crate) classes: usize,
    /// What the features' norms were.
    pub(crate) norms: Vec<f32>,
}

impl Synthetic {
    /// `n` samples in groups of `group`, classes in turn; `spread` is the distance between class means in units of a
    /// sample's deviation, 0 for labels that say nothing. Another `seed` gives other samples of the same classes.
    pub(crate) fn new(seed: u64, n: usize, dim: usize, classes: usize, group: usize, spread: f64) -> Self {
        let mut world = ChaCha8Rng::seed_from_u64(0);
        let means = Array2::from_shape_simple_fn((classes, dim), || spread * normal(&mut world));
        let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
        let groups: Vec<usize> = (0..n).map(|i| i / group).collect();
        let labels: Vec<usize> = groups.iter().map(|g| g % classes).collect();
        let mut x = Array2::zeros((n, dim));
        let quantisation = Quantisation::default_for(dim, true);
        let mut shift = vec![0.0; dim];
        for i in 0..n {
            if i % group == 0 && group > 1 {
                shift.fill_with(|| 0.7 * normal(&mut rng));
            }
            let raw = (0..dim).map(|j| (means[(labels[i], j)] + shift[j] + normal(&mut rng)) as f32);
            let feature = Feature::from_raw(&raw.collect::<Vec<_>>()).unwrap();
            let decoded = quantisation.decode(&quantisation.encode(&feature).codes);
            x.row_mut(i).assign(&aview1(&decoded));
        }
        let norms = (0..n).map(|i| 4.0 + 0.1 * (i % 5) as f32).collect();
        Self { x, labels, groups, classes, norms }
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples::new(self.x.view(), &self.labels, &self.groups, self.classes).unwrap().with_norms(&self.norms)
    }

    /// Asks for one kind, or for all, with the classifier of somebody who saw other samples of the same classes.
    pub(crate) fn options(&self, kind: Option<Kind>) -> FitOptions {
        let elsewhere = Self::new(99, 40 * self.classes, self.x.ncols(), self.classes, 1, 0.7);
        let mut weights = Array2::zeros((self.classes, self.x.ncols()));
        for (x, &label) in elsewhere.x.outer_iter().zip(&elsewhere.labels) {
            weights.row_mut(label).scaled_add(0.1, &x);
        }
        let bias = Array1::zeros(self.classes);
        let (knows, of_samples) = (vec![true; self.classes], (0..self.classes).collect());
        let kinds = kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
        FitOptions { kinds, prior: Some(Prior { weights, bias, knows, of_samples }), ..FitOptions::default() }
    }

    /// The same samples in another order.
    pub(crate) fn permuted(&self, order: &[usize]) -> Self {
        Self {
            x: self.x.select(ndarray::Axis(0), order),
            labels: order.iter().map(|&i| self.labels[i]).collect(),
            groups: order.iter().map(|&i| self.groups[i]).collect(),
            classes: self.classes,
            norms: order.iter().map(|&i| self.norms[i]).collect(),
        }
    }
}

/// A normal deviate (Box and Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 2_f64.powi(32);
    (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
}
