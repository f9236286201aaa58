//! Cases for a fit that no site would send on purpose, each drawn from its seed. Knows nothing of what should come of them,
//! but whether they may be fitted at all.

use acclimate_trainer::{
    Feature, FitOptions, Kind, Prior, Quantisation, SIZES, Samples, SamplesError, WEIGHTS, Weighting,
};
use ndarray::{Array1, Array2, Axis, aview1};
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Everything a fit is given.
#[derive(Clone, Debug)]
pub(super) struct Fuzzed {
    pub(super) x: Array2<f32>,
    pub(super) labels: Vec<usize>,
    groups: Vec<usize>,
    classes: usize,
    norms: Option<Vec<f32>>,
    weights: Option<Vec<f64>>,
    quantisation: Option<Quantisation>,
    pub(super) options: FitOptions,
    /// The share of kinds that there is time for.
    pub(super) time_for: f64,
}

impl Fuzzed {
    pub(super) fn draw(seed: u64) -> Self {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        // One case of a hundred is large enough for single precision, one of two hundred has five hundred classes.
        let (n, dim, classes) = match random.random_range(0..1000) {
            0..5 => (random.random_range(500..560), random.random_range(1..24), 500),
            5..15 => (random.random_range(260..330), random.random_range(257..320), random.random_range(2..5)),
            _ => {
                let n = power(random, 0.0, 1.85) as usize;
                (n, power(random, 0.0, 1.75) as usize, random.random_range(1..=n.min(9)))
            }
        };
        let labels = labels(random, n, classes);
        let mut x = features(random, &labels, dim, classes);
        let quantisation = random.random_bool(0.3).then(|| Quantisation::default_for(dim, random.random()));
        if let Some(quantisation) = quantisation {
            for mut row in x.outer_iter_mut() {
                if let Ok(feature) = Feature::from_raw(&row.to_vec()) {
                    row.assign(&aview1(&quantisation.decode(&quantisation.encode(&feature).codes)));
                }
            }
        }
        if random.random_bool(0.03) {
            let at = (random.random_range(0..n), random.random_range(0..dim));
            x[at] = *[f32::NAN, f32::INFINITY, f32::NEG_INFINITY].choose(random).unwrap();
        }
        let norms = match random.random_range(0..6) {
            0 => None,
            1 => Some(vec![0.0; n]),
            2 => Some((0..n).map(|_| power(random, -30.0, 38.0) as f32).collect()),
            3 => Some((0..n).map(|i| if i == 0 { f32::NAN } else { 1.0 }).collect()),
            _ => Some((0..n).map(|_| random.random_range(1.0..9.0)).collect()),
        };
        let options = options(random, dim, classes);
        let groups = groups(random, &labels);
        let (weights, time_for) = (weights(random, n), *[0.0, 0.5, 1.0, 1.0, 1.0].choose(random).unwrap());
        Self { x, labels, groups, classes, norms, weights, quantisation, options, time_for }
    }

    pub(super) fn samples(&self) -> Result<Samples<'_>, SamplesError> {
        let mut samples = Samples::new(self.x.view(), &self.labels, &self.groups, self.classes)?;
        if let Some(norms) = &self.norms {
            samples = samples.with_norms(norms);
        }
        if let Some(quantisation) = self.quantisation {
            samples = samples.with_quantisation(quantisation);
        }
        match &self.weights {
            Some(weights) => samples.with_weights(weights),
            None => Ok(samples),
        }
    }

    /// Whether these are samples: what is not must be refused, and nothing else may be.
    pub(super) fn is_whole(&self) -> bool {
        let n = self.x.nrows();
        let largest = self.x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        self.x.iter().all(|x| x.is_finite())
            && (largest <= 0.0 || SIZES.contains(&f64::from(largest)))
            && (self.labels.len(), self.groups.len()) == (n, n)
            && self.labels.iter().all(|&label| label < self.classes)
            && (0..self.classes).all(|class| self.labels.contains(&class))
            && self
                .weights
                .as_ref()
                .is_none_or(|weights| weights.len() == n && weights.iter().all(|weight| WEIGHTS.contains(weight)))
    }

    /// Whether what is asked for makes sense.
    pub(super) fn is_possible(&self) -> bool {
        let FitOptions { kinds, lambda, gamma, .. } = &self.options;
        let good = |number: Option<f64>| number.is_none_or(|number| SIZES.contains(&number));
        !kinds.is_empty() && good(*lambda) && good(*gamma)
    }
}

/// A power of ten, its exponent from a range.
fn power(random: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    10_f64.powf(random.random_range(low..=high))
}

/// Now and then a class has no sample, or a sample no class.
fn labels(random: &mut ChaCha8Rng, n: usize, classes: usize) -> Vec<usize> {
    let lopsided = random.random_bool(0.3);
    let mut labels: Vec<usize> = (0..n)
        .map(|i| match i {
            _ if i < classes => i,
            _ if lopsided => 0,
            _ => random.random_range(0..classes),
        })
        .collect();
    labels.shuffle(random);
    if random.random_bool(0.03) {
        let missing = random.random_range(0..classes);
        labels.iter_mut().filter(|label| **label == missing).for_each(|label| *label = (missing + 1) % classes);
    }
    if random.random_bool(0.02) {
        labels[0] = *[classes, usize::MAX].choose(random).unwrap();
    }
    labels
}

fn features(random: &mut ChaCha8Rng, labels: &[usize], dim: usize, classes: usize) -> Array2<f32> {
    let n = labels.len();
    let means = Array2::from_shape_simple_fn((classes, dim), || random.random_range(-1.0_f32..1.0));
    let spread = power(random, -4.0, 1.0) as f32;
    let mut x = match random.random_range(0..8) {
        0 => Array2::from_elem((n, dim), random.random_range(-1.0_f32..1.0)),
        1 => Array2::zeros((n, dim)),
        2 => Array2::from_shape_simple_fn((n, dim), || f32::from(random.random_bool(0.1))),
        // Numbers of every size.
        3 => Array2::from_shape_simple_fn((n, dim), || {
            let size = power(random, -37.0, 12.0) as f32;
            if random.random() { size } else { -size }
        }),
        _ => Array2::from_shape_fn((n, dim), |(i, j)| {
            let mean = means.row(labels[i].min(classes - 1))[j];
            mean + spread * random.random_range(-1.0_f32..1.0)
        }),
    };
    if random.random_bool(0.5) {
        // As a backbone's are.
        for mut row in x.outer_iter_mut() {
            if let Ok(feature) = Feature::from_raw(&row.to_vec()) {
                row.assign(&aview1(feature.as_slice()));
            }
        }
    } else {
        let scale = *[1e-38_f32, 1e-11, 1e-8, 1e-4, 1.0, 1e3, 1e6, 1e9, 1e11, 1e20].choose(random).unwrap();
        x.mapv_inplace(|v| (v * scale).clamp(f32::MIN, f32::MAX));
    }
    if random.random_bool(0.2) {
        let copies = random.random_range(2..5);
        let order: Vec<usize> = (0..n).map(|i| i / copies).collect();
        x = x.select(Axis(0), &order);
    }
    if random.random_bool(0.1) {
        let order: Vec<usize> = (0..dim).map(|j| j / 2).collect();
        x = x.select(Axis(1), &order);
    }
    let (row, column) = (random.random_range(0..n), random.random_range(0..dim));
    match random.random_range(0..10) {
        0 => x.column_mut(column).fill(0.5),
        1 => x.column_mut(column).mapv_inplace(|v| (1e6 * v).clamp(f32::MIN, f32::MAX)),
        2 => x.row_mut(row).fill(0.0),
        3 => x.row_mut(row).fill(*[1e11_f32, 1e11, 1e11, f32::MAX].choose(random).unwrap()),
        4 => x.row_mut(row).fill(f32::MIN_POSITIVE / 8.0),
        _ => {}
    }
    x
}

fn groups(random: &mut ChaCha8Rng, labels: &[usize]) -> Vec<usize> {
    let n = labels.len();
    let few = random.random_range(1..=n);
    let mut groups: Vec<usize> = match random.random_range(0..6) {
        0 => vec![usize::MAX; n],
        1 => (0..n).map(|i| i / 2).collect(),
        2 => labels.to_vec(),
        3 => (0..n).map(|_| random.random_range(0..few)).collect(),
        4 => (0..n).map(|_| usize::MAX - random.random_range(0..few)).collect(),
        _ => (0..n).collect(),
    };
    if random.random_bool(0.02) {
        groups.pop();
    }
    groups
}

fn weights(random: &mut ChaCha8Rng, n: usize) -> Option<Vec<f64>> {
    let mut weights: Vec<f64> = match random.random_range(0..16) {
        0..3 => (0..n).map(|_| power(random, -2.0, 2.0)).collect(),
        3..6 => (0..n).map(|_| power(random, -6.0, 6.0)).collect(),
        6 => (0..n).map(|_| power(random, -7.0, 7.0)).collect(),
        7 => vec![*[1e-300, 1e-6, 1e6, f64::MAX].choose(random).unwrap(); n],
        _ => return None,
    };
    match random.random_range(0..40) {
        0 => weights[0] = *[0.0, -1.0, f64::NAN, f64::INFINITY].choose(random).unwrap(),
        1 => weights.push(1.0),
        _ => {}
    }
    Some(weights)
}

fn options(random: &mut ChaCha8Rng, dim: usize, classes: usize) -> FitOptions {
    let kinds = match random.random_range(0..4) {
        0 => Kind::ALL.into_iter().filter(|_| random.random_bool(0.4)).collect(),
        _ => Kind::ALL.to_vec(),
    };
    let number = |random: &mut ChaCha8Rng| match random.random_range(0..60) {
        0 => Some(*[0.0, -1.0, f64::NAN, f64::INFINITY].choose(random).unwrap()),
        1..10 => Some(power(random, -3.0, 3.0)),
        10..20 => Some(power(random, -12.0, 12.0)),
        20 => Some(power(random, -300.0, 300.0)),
        _ => None,
    };
    let (lambda, gamma) = (number(random), number(random));
    let weighting = *[Weighting::Auto, Weighting::Balanced, Weighting::None].choose(random).unwrap();
    let prior = random.random_bool(0.6).then(|| prior(random, dim, classes));
    FitOptions { kinds, lambda, gamma, weighting, prior, seed: random.random(), threads: random.random_range(0..3) }
}

/// A classifier of as many classes or a few more, some of which it does not know; now and then of something else.
fn prior(random: &mut ChaCha8Rng, dim: usize, classes: usize) -> Prior {
    let all = classes + random.random_range(0..4);
    let mut of_samples: Vec<usize> = (0..all).collect();
    while of_samples.len() > classes {
        of_samples.remove(random.random_range(0..of_samples.len()));
    }
    let scale = *[0.0, 1e-30, 1.0, 1.0, 1.0, 1e4, 1e12, 3e38].choose(random).unwrap();
    let mut number = || (scale * random.random_range(-1.0_f64..1.0)) as f32;
    let mut weights = Array2::from_shape_simple_fn((all, dim), &mut number);
    let bias = Array1::from_shape_simple_fn(all, &mut number);
    match random.random_range(0..20) {
        0 => weights[(0, 0)] = f32::NAN,
        1 => weights = Array2::zeros((all, dim + 1)),
        2 => of_samples.reverse(),
        _ => {}
    }
    Prior { weights, bias, knows: (0..all).map(|_| random.random_bool(0.8)).collect(), of_samples }
}
