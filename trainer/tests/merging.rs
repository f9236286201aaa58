//! Heads from merged and reduced statistics, and what weights and weightings do: each against the plain way of saying the same.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may stop at the first surprise; exact answers are compared exactly"
)]

mod synthetic;

use acclimate_trainer::{
    Encoded, Feature, FitOptions, Kind, Linear, Quantisation, Samples, Statistics, Weighting, fit, fit_within, flops,
    solve,
};
use ndarray::{Array2, Axis, aview1, s};
use synthetic::Synthetic;

/// The codes of a case's features, `[n, dim]`.
fn codes(case: &Synthetic) -> (Array2<u8>, Quantisation) {
    let quantisation = Quantisation::default_for(case.x.ncols(), true);
    let mut codes = Array2::zeros(case.x.dim());
    for (row, mut to) in case.x.outer_iter().zip(codes.rows_mut()) {
        // Codes of decoded codes are the codes: the norm is taken back.
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        let unit = Feature::from_raw(&row.to_vec()).unwrap();
        let scaled = Quantisation::new(quantisation.full_scale / norm, true).unwrap();
        let Encoded { codes, .. } = scaled.encode(&unit);
        to.assign(&aview1(&codes));
        assert_eq!(quantisation.decode(&codes), row.to_vec());
    }
    (codes, quantisation)
}

fn statistics(codes: &Array2<u8>, labels: &[usize], quantisation: Quantisation) -> Statistics {
    let mut statistics = Statistics::new(codes.ncols(), quantisation);
    statistics.add(codes.view(), labels).unwrap();
    statistics
}

fn bits(linear: &Linear<f64>) -> Vec<u64> {
    linear.weights.iter().chain(&linear.bias).map(|x| x.to_bits()).collect()
}

#[test]
fn heads_of_merged_and_of_reduced_statistics_are_those_of_the_pooled_samples_bit_for_bit() {
    let case = Synthetic::new(21, 300, 40, 4, 1, 0.7);
    let (codes, quantisation) = codes(&case);
    let part = |from: usize, to: usize| {
        statistics(&codes.slice(s![from..to, ..]).to_owned(), &case.labels[from..to], quantisation)
    };
    let pooled = part(0, 200);
    // Three devices in another order, and a fourth that joins and leaves again.
    let mut merged = part(150, 200);
    merged.merge(&part(0, 70)).unwrap();
    merged.merge(&part(200, 300)).unwrap();
    merged.merge(&part(70, 150)).unwrap();
    merged.subtract(&part(200, 300)).unwrap();
    // One device that forgets its last hundred, one by one, in another order.
    let mut reduced = part(0, 300);
    for i in (200..300).map(|i| 200 + (i * 7) % 100) {
        reduced.remove(codes.slice(s![i..=i, ..]), &case.labels[i..=i]).unwrap();
    }
    for lambda in [1e-3, 0.1, 30.0] {
        let expected = bits(&pooled.ridge(lambda).unwrap());
        assert_eq!(bits(&merged.ridge(lambda).unwrap()), expected);
        assert_eq!(bits(&reduced.ridge(lambda).unwrap()), expected);
    }
    assert_eq!(bits(&merged.prototype()), bits(&pooled.prototype()));
    assert_eq!(bits(&reduced.prototype()), bits(&pooled.prototype()));
    assert_ne!(bits(&part(0, 199).ridge(0.1).unwrap()), bits(&pooled.ridge(0.1).unwrap()));
    assert!(Statistics::new(3, quantisation).ridge(0.1).is_none());
    assert!(pooled.ridge(0.0).is_none());
}

#[test]
fn heads_of_statistics_are_those_of_the_samples() {
    for (n, dim) in [(300, 24), (40, 60)] {
        let case = Synthetic::new(22, n, dim, 4, 1, 0.7);
        let (codes, quantisation) = codes(&case);
        let statistics = statistics(&codes, &case.labels, quantisation);
        for (kind, of) in [(Kind::Ridge, statistics.ridge(0.3).unwrap()), (Kind::Prototype, statistics.prototype())] {
            let solution = solve(kind, &case.samples(), Some(0.3), &FitOptions::default()).unwrap();
            let linear = solution.linear().unwrap();
            let worst = |a: &Linear<f64>, b: &Linear<f64>| {
                let weights = (&a.weights - &b.weights).iter().fold(0.0_f64, |worst, d| worst.max(d.abs()));
                (&a.bias - &b.bias).iter().fold(weights, |worst, d| worst.max(d.abs()))
            };
            assert!(worst(linear, &of) < 1e-6, "{kind}: {}", worst(linear, &of));
        }
    }
}

#[test]
fn a_sample_of_weight_three_is_three_samples() {
    let case = Synthetic::new(23, 60, 12, 3, 1, 0.7);
    let weights: Vec<f64> = (0..60).map(|i| if i % 4 == 0 { 3.0 } else { 1.0 }).collect();
    let order: Vec<usize> = (0..60).flat_map(|i| vec![i; if i % 4 == 0 { 3 } else { 1 }]).collect();
    let copied = case.permuted(&order);
    for kind in [Kind::Ridge, Kind::BiasedRidge, Kind::Logistic, Kind::Prototype] {
        let options = case.options(Some(kind));
        // Weights have mean 1, so the penalty is per sample. `biased_ridge` starts from the samples' mean norm.
        let norms = vec![4.0; 90];
        let weighted = Samples::new(case.x.view(), &case.labels, &case.groups, 3).unwrap().with_norms(&norms[..60]);
        let weighted = weighted.with_weights(&weights).unwrap();
        let copies = Samples::new(copied.x.view(), &copied.labels, &copied.groups, 3).unwrap().with_norms(&norms);
        let a = solve(kind, &weighted, Some(0.2), &options).unwrap();
        let b = solve(kind, &copies, Some(0.2 * 90.0 / 60.0), &options).unwrap();
        let difference = &a.linear().unwrap().weights - &b.linear().unwrap().weights;
        let worst = difference.iter().fold(0.0_f64, |worst, d| worst.max(d.abs()));
        assert!(worst < if kind == Kind::Logistic { 1e-3 } else { 1e-9 }, "{kind}: {worst}");
    }
}

/// 200 samples of three classes and 15 of the fourth, noisy.
fn lopsided() -> Synthetic {
    let case = Synthetic::new(24, 400, 30, 4, 1, 0.45);
    let mut left = 0;
    let rows: Vec<usize> = (0..400)
        .filter(|&i| {
            left += usize::from(case.labels[i] == 3);
            case.labels[i] != 3 || left <= 12
        })
        .collect();
    case.permuted(&rows)
}

#[test]
fn classes_of_unlike_size_count_alike_where_balanced_leave_out_loss_says_so() {
    let case = lopsided();
    let with = |weighting| FitOptions { weighting, ..case.options(None) };
    let [auto, balanced, none] = [Weighting::Auto, Weighting::Balanced, Weighting::None]
        .map(|weighting| fit(&case.samples(), &with(weighting)).unwrap());
    for ((auto, balanced), none) in auto.iter().zip(&balanced).zip(&none) {
        let kind = auto.head.kind;
        assert!(balanced.balanced && !none.balanced, "{kind}");
        if kind == Kind::Prototype || kind == Kind::Shipped {
            assert_eq!(balanced.head, none.head, "{kind}");
            continue;
        }
        assert_ne!(balanced.head.form, none.head.form, "{kind}");
        let chosen = if auto.balanced { balanced } else { none };
        assert_eq!(auto.head, chosen.head, "{kind}");
        // What `none` loses when classes count alike.
        let even = none.fold_losses.iter().zip(&auto.importance).map(|(loss, weight)| loss * weight).sum::<f64>();
        let even = even / case.labels.len() as f64;
        assert!(auto.fold_loss() <= even.min(balanced.fold_loss()) + 1e-12, "{kind}: {even} {}", balanced.fold_loss());
    }
    assert!(auto.iter().any(|candidate| candidate.balanced && candidate.head.kind == Kind::Ridge));
    let recall = |candidates: &[acclimate_trainer::Candidate], kind: Kind| {
        let p = &candidates.iter().find(|candidate| candidate.head.kind == kind).unwrap().leave_out;
        let rare: Vec<usize> = (0..case.labels.len()).filter(|&i| case.labels[i] == 3).collect();
        let right = rare.iter().filter(|&&i| (0..3).all(|c| p[(i, c)] < p[(i, 3)])).count();
        right as f64 / rare.len() as f64
    };
    for kind in [Kind::Ridge, Kind::Logistic] {
        assert!(recall(&balanced, kind) >= recall(&none, kind) + 0.2, "{kind} gains nothing by balance");
    }
    // Where counts are alike there is nothing to choose.
    let even = Synthetic::new(25, 60, 12, 3, 1, 0.7);
    assert!(fit(&even.samples(), &even.options(None)).unwrap().iter().all(|candidate| !candidate.balanced));
}

#[test]
fn who_holds_a_clock_may_stop_what_has_not_started_but_not_the_first_real_head() {
    let case = Synthetic::new(26, 40, 12, 3, 1, 0.7);
    let mut asked = Vec::new();
    let fitted = fit_within(&case.samples(), &case.options(None), &mut |kind, cost| {
        assert!((cost - flops(kind, &case.samples())).abs() < 1e-9);
        asked.push(kind);
        kind == Kind::Logistic
    })
    .unwrap();
    let kinds: Vec<Kind> = fitted.candidates.iter().map(|candidate| candidate.head.kind).collect();
    assert_eq!(kinds, [Kind::Shipped, Kind::Prototype, Kind::Ridge, Kind::Logistic]);
    assert_eq!(asked.len(), kinds.len() + fitted.skipped.len(), "each is asked for once");
    assert!(fitted.skipped.contains(&Kind::BiasedRidge));
    let all = fit(&case.samples(), &case.options(None)).unwrap();
    assert_eq!(all.len(), fitted.candidates.len() + fitted.skipped.len());
    let again = all.iter().filter(|candidate| kinds.contains(&candidate.head.kind));
    assert!(again.zip(&fitted.candidates).all(|(a, b)| a == b), "what is skipped changes nothing else");
}

#[test]
fn a_penalty_that_is_given_is_used() {
    let case = Synthetic::new(27, 40, 12, 3, 1, 0.7);
    for kind in [Kind::Ridge, Kind::Logistic] {
        let fixed = FitOptions { lambda: Some(0.37), ..case.options(Some(kind)) };
        let candidate = fit(&case.samples(), &fixed).unwrap().remove(0);
        assert_eq!(candidate.head.lambda, Some(0.37), "{kind}");
        let solution = solve(kind, &case.samples(), Some(0.37), &case.options(None)).unwrap();
        let narrow = solution.linear().unwrap().weights.mapv(|w| w as f32);
        assert_eq!(candidate.head.linear().unwrap().weights, narrow, "{kind}");
        let wrong = FitOptions { lambda: Some(-1.0), ..case.options(Some(kind)) };
        assert!(fit(&case.samples(), &wrong).is_err());
    }
}

#[test]
fn with_one_sample_of_each_class_ridge_is_proposed() {
    let case = Synthetic::new(28, 5, 12, 5, 1, 0.7);
    let options = FitOptions { prior: None, ..case.options(None) };
    let candidates = fit(&case.samples(), &options).unwrap();
    assert_eq!(candidates[acclimate_trainer::select(&candidates)].head.kind, Kind::Ridge);
    let x = case.x.index_axis(Axis(0), 2).to_vec();
    let p = candidates[acclimate_trainer::select(&candidates)].head.probabilities(&Feature::from_raw(&x).unwrap());
    assert!((0..5).all(|c| c == 2 || p[c] < p[2]));
}
