//! The verdict's operating characteristics: how often it is right, by simulation on features that mimic a backbone's.
//!
//! Reduced and seeded here; `ACCLIMATE_SOAK=1` (`cargo xtask soak verdict`) runs the full counts. The protocol stands in
//! `protocol.rs`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod protocol;

use acclimate_trainer::{Feature, Outcome, Verdict};
use ndarray::Array2;
use protocol::{Addition, BAD, NEW, Pool, chain, draw};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DIM: usize = 96;
const CLASSES: usize = 6;

fn normal(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
}

/// Features like those of a photograph backbone: six classes about means on a sphere, one pair of them alike; scatter whose
/// spectrum falls off as `1/√j`; 4 % of the samples are near-duplicates of the one before and share its group.
/// A head fitted on 540 is right for about 85 %.
fn synthetic(n: usize, seed: u64) -> Pool {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut means = Array2::from_shape_simple_fn((CLASSES, DIM), || normal(&mut rng));
    for mut mean in means.rows_mut() {
        let norm = mean.dot(&mean).sqrt();
        mean /= norm;
    }
    let alike = 0.45 * &means.row(0) + 0.9 * &means.row(1);
    means.row_mut(1).assign(&alike);
    let scale: Vec<f64> = (0..DIM).map(|j| SCATTER / (1.0 + j as f64).powf(0.25)).collect();
    let mut pool = Pool {
        features: Array2::zeros((n, DIM)),
        labels: Vec::with_capacity(n),
        groups: Vec::with_capacity(n),
        classes: CLASSES,
    };
    let mut last = vec![0.0; DIM];
    for row in 0..n {
        let duplicate = row > 0 && rng.random_bool(0.04);
        let label = if duplicate { pool.labels[row - 1] } else { rng.random_range(0..CLASSES) };
        let raw: Vec<f64> = (0..DIM)
            .map(|j| {
                if duplicate {
                    last[j] + 0.02 * normal(&mut rng)
                } else {
                    means[[label, j]] + scale[j] * normal(&mut rng)
                }
            })
            .collect();
        let feature = Feature::from_raw(&raw.iter().map(|&x| x as f32).collect::<Vec<f32>>()).unwrap();
        pool.features.row_mut(row).assign(&ndarray::aview1(feature.as_slice()));
        pool.labels.push(label);
        pool.groups.push(if duplicate { pool.groups[row - 1] } else { row });
        last = raw;
    }
    pool
}
const SCATTER: f64 = 0.85;

fn soak() -> bool {
    std::env::var_os("ACCLIMATE_SOAK").is_some()
}

fn rejected(verdicts: &[Verdict]) -> f64 {
    let rejected = verdicts.iter().filter(|v| v.outcome == Outcome::Rejected).count();
    rejected as f64 / verdicts.len() as f64
}

#[test]
fn mislabelled_additions_are_rejected_and_clean_ones_are_not() {
    const ADDITIONS: [Addition; 3] = [Addition::Clean, Addition::LabelledOtherwise, Addition::OthersLabelledSo];
    let draws = if soak() { 200 } else { 20 };
    let pool = synthetic(1200, 1);
    let mut verdicts: [Vec<Verdict>; 3] = Default::default();
    let mut accuracy = 0.0;
    for number in 0..draws {
        let (in_service, of_draw) = draw(&pool, number, 540, &ADDITIONS);
        accuracy += in_service / draws as f64;
        for (all, verdict) in verdicts.iter_mut().zip(of_draw) {
            all.push(verdict);
        }
    }
    println!("{draws} draws, 540 samples in service, accuracy {accuracy:.3}, {NEW} new, {BAD} of them mislabelled");
    for (addition, verdicts) in ADDITIONS.iter().zip(&verdicts) {
        let mut reasons = std::collections::BTreeMap::new();
        for verdict in verdicts {
            *reasons.entry(verdict.reasons[0].token()).or_insert(0) += 1;
        }
        println!("{addition:?}: rejected {:.3}; first reasons {reasons:?}", rejected(verdicts));
    }
    assert!((0.8..0.9).contains(&accuracy), "the features are not like the real ones: {accuracy}");
    assert!(rejected(&verdicts[0]) <= 0.05, "clean additions are rejected");
    assert!(rejected(&verdicts[1]) >= 0.6, "mislabelled additions pass");
    assert!(rejected(&verdicts[2]) >= 0.6, "mislabelled additions pass");
}

#[test]
fn adapting_without_real_gain_does_not_walk_downhill() {
    let (size, held_out, adaptations) = (540, 2000, if soak() { 1000 } else { 100 });
    let pool = synthetic(size + adaptations * (size / 20) + held_out, 2);
    let chain = chain(&pool, size, adaptations, held_out);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let tenth = adaptations / 10;
    let (first, last) = (mean(&chain.log_loss[..tenth]), mean(&chain.log_loss[adaptations - tenth..]));
    println!(
        "{adaptations} adaptations without real gain: activated {:.3}; candidates truly worse by more than the margin \
         {:.3}, of which activated {}; true log-loss in service {first:.3} at first, {last:.3} at last",
        chain.activated as f64 / adaptations as f64,
        chain.truly_worse as f64 / adaptations as f64,
        chain.worse_activated,
    );
    assert!(last - first < acclimate_trainer::MARGIN, "{first} to {last}");
    assert!(chain.worse_activated as f64 <= 0.05 * adaptations as f64, "{chain:?}");
}
