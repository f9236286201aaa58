//! Laws of the closed forms: statistics are a group under addition, and leave-out is refitting.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod synthetic;

use acclimate_trainer::{FitOptions, Kind, Quantisation, Statistics, fit, solve};
use ndarray::{Array2, Axis};
use proptest::{prelude::*, test_runner::RngSeed};
use synthetic::Synthetic;

const DIM: usize = 5;
const NAMES: [&str; 4] = ["d", "b", "a", "c"];

fn quantisation(signed: bool) -> Quantisation {
    Quantisation { full_scale: 0.5, signed }
}

/// Rows of codes and labels.
fn rows() -> impl Strategy<Value = Vec<([u8; DIM], usize)>> {
    prop::collection::vec((any::<[u8; DIM]>(), 0..NAMES.len()), 0..40)
}

fn split(rows: &[([u8; DIM], usize)]) -> (Array2<u8>, Vec<usize>) {
    let codes = Array2::from_shape_fn((rows.len(), DIM), |(i, j)| rows[i].0[j]);
    (codes, rows.iter().map(|row| row.1).collect())
}

fn statistics(rows: &[([u8; DIM], usize)], signed: bool, block: usize) -> Statistics {
    let mut statistics = Statistics::new(DIM, quantisation(signed));
    for block in rows.chunks(block) {
        let (codes, labels) = split(block);
        statistics.add(codes.view(), &labels).unwrap();
    }
    statistics
}

/// Ridge with a free intercept by Gaussian elimination on the weighted normal equations: the slow and obvious way.
/// Returns scores of `at` from a fit of the rows that `sees` admits.
fn refit(case: &Synthetic, weights: &[f64], lambda: f64, sees: impl Fn(usize) -> bool, at: usize) -> Vec<f64> {
    let (dim, classes) = (case.x.ncols(), case.classes);
    let extended = |i: usize, j: usize| {
        if j < dim { f64::from(case.x[(i, j)]) } else { 1.0 }
    };
    let mut a = Array2::<f64>::zeros((dim + 1, dim + 1 + classes));
    for j in 0..dim {
        a[(j, j)] = lambda;
    }
    for i in (0..case.labels.len()).filter(|&i| sees(i)) {
        for j in 0..=dim {
            for k in 0..=dim {
                a[(j, k)] += weights[i] * extended(i, j) * extended(i, k);
            }
            a[(j, dim + 1 + case.labels[i])] += weights[i] * extended(i, j);
        }
    }
    for pivot in 0..=dim {
        let row = a.row(pivot).mapv(|x| x / a[(pivot, pivot)]);
        for other in (0..=dim).filter(|&other| other != pivot) {
            let factor = a[(other, pivot)];
            a.row_mut(other).zip_mut_with(&row, |x, y| *x -= factor * y);
        }
        a.row_mut(pivot).assign(&row);
    }
    (0..classes).map(|c| (0..=dim).map(|j| extended(at, j) * a[(j, dim + 1 + c)]).sum()).collect()
}

/// A fixed seed: a failure is the change's, never the day's.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 192, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn order_and_blocking_do_not_matter(rows in rows(), signed: bool, block in 1_usize..20, turn in 0_usize..40) {
        let one = statistics(&rows, signed, 1000);
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len().max(1));
        turned.reverse();
        let other = statistics(&turned, signed, block);
        prop_assert_eq!(one.digest(&NAMES), other.digest(&NAMES));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn merging_is_pooling_and_subtracting_undoes_it(a in rows(), b in rows(), signed: bool) {
        let (one, other) = (statistics(&a, signed, 7), statistics(&b, signed, 3));
        let mut merged = one.clone();
        merged.merge(&other).unwrap();
        prop_assert_eq!(&merged, &statistics(&[a, b].concat(), signed, 5));
        merged.subtract(&other).unwrap();
        prop_assert_eq!(merged.digest(&NAMES), one.digest(&NAMES));
    }

    #[test]
    fn removing_undoes_adding(kept in rows(), forgotten in rows(), signed: bool) {
        let mut all = statistics(&[kept.clone(), forgotten.clone()].concat(), signed, 11);
        let (codes, labels) = split(&forgotten);
        all.remove(codes.view(), &labels).unwrap();
        let never = statistics(&kept, signed, 1000);
        prop_assert_eq!(all.digest(&NAMES), never.digest(&NAMES));
        prop_assert_eq!(all.second_moment(), never.second_moment());
    }

    #[test]
    fn renaming_classes_alike_keeps_the_digest(rows in rows(), signed: bool) {
        let swapped: Vec<_> = rows.iter().map(|&(codes, label)| (codes, NAMES.len() - 1 - label)).collect();
        let mut names = NAMES;
        names.reverse();
        prop_assert_eq!(statistics(&rows, signed, 9).digest(&NAMES), statistics(&swapped, signed, 9).digest(&names));
    }

    #[test]
    fn leaving_out_is_refitting(
        seed in 0_u64..1000, n in 12_usize..26, dim in 1_usize..30, classes in 2_usize..4, group in 1_usize..4,
        power in -2_i32..2, lopsided: bool,
    ) {
        let mut case = Synthetic::new(seed, n, dim, classes, 1, 0.5);
        case.groups = (0..n).map(|i| i / group).collect();
        if lopsided {
            // Weights come in where one class has more than three times another's samples.
            case.labels = (0..n).map(|i| if i % 4 == 0 { i / 4 % classes } else { 0 }).collect();
        }
        let counts: Vec<f64> = case.samples().counts().into_iter().map(|count| count as f64).collect();
        let (least, most) = counts.iter().fold((f64::INFINITY, 0.0), |(a, b), &c| (c.min(a), c.max(b)));
        let weigh = |label: usize| if most > 3.0 * least { n as f64 / classes as f64 / counts[label] } else { 1.0 };
        let weights: Vec<f64> = case.labels.iter().map(|&label| weigh(label)).collect();
        let lambda = 10_f64.powi(power);
        let options = FitOptions::default();
        let solution = solve(Kind::Ridge, &case.samples(), Some(lambda), &options).unwrap();
        let candidates = fit(&case.samples(), &FitOptions { kinds: vec![Kind::Ridge], ..options }).unwrap();
        let groups = &candidates[0].groups;
        let linear = solution.linear().unwrap();
        let logits = case.x.mapv(f64::from).dot(&linear.weights.t()) + &linear.bias;
        for i in 0..n {
            let whole = refit(&case, &weights, lambda, |_| true, i);
            let without = refit(&case, &weights, lambda, |k| groups[k] != groups[i], i);
            for c in 0..classes {
                prop_assert!((logits[(i, c)] - whole[c]).abs() < 1e-6, "{} {}", logits[(i, c)], whole[c]);
                let got = solution.scores[(i, c)];
                if got == f64::NEG_INFINITY {
                    prop_assert!(counts[c] < 2.0 && case.labels[i] == c);
                } else {
                    prop_assert!((got - without[c]).abs() < 1e-6, "sample {i}: {got} {}", without[c]);
                }
            }
        }
    }

    #[test]
    fn every_kind_stays_finite(
        seed in 0_u64..1000, n in 4_usize..16, dim in 1_usize..12, classes in 2_usize..4, group in 1_usize..3,
        scale in prop::sample::select(vec![1e-6_f32, 1.0, 1e6]), constant in prop::option::of(0_usize..12),
        repeat in 1_usize..3,
    ) {
        let mut case = Synthetic::new(seed, n.max(classes * group), dim, classes, group, 0.5);
        case.x *= scale;
        if let Some(column) = constant {
            case.x.column_mut(column % dim).fill(scale);
        }
        let order: Vec<usize> = (0..case.labels.len() * repeat).map(|i| i / repeat).collect();
        let case = case.permuted(&order);
        for candidate in fit(&case.samples(), &FitOptions::default()).unwrap() {
            prop_assert!(candidate.head.form.is_finite());
            for row in candidate.leave_out.axis_iter(Axis(0)) {
                prop_assert!((row.sum() - 1.0).abs() < 1e-9, "{row}");
            }
            prop_assert!(candidate.head.temperature.is_finite() && candidate.log_loss.is_finite());
        }
    }
}
