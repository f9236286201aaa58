//! The contract of every kind of head, run against each:
//!
//! - *deterministic*: the same samples in the same order give the same bits, on any number of threads;
//! - *order-free*: other orders of samples, other numbers for groups and other orders of classes change nothing;
//! - *total*: whatever can be labelled can be fitted, and every number is finite;
//! - *honest*: leave-out scores predict scores on fresh samples, and say chance where labels mean nothing;
//! - *calibrated*: probabilities sum to 1, and confidence is what accuracy turns out to be;
//! - *differentiable*: the gradient of its scores by the raw feature is what finite differences of them say.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod synthetic;

use acclimate_trainer::{
    Candidate, EXACT, Feature, FitError, FitOptions, Form, Head, Kind, LANDMARKS, LOG_LOSS_FLOOR, Samples, fit,
    log_loss, select, softmax, solve,
};
use ndarray::{Array2, Axis};
use synthetic::Synthetic;

fn fit_one(kind: Kind, case: &Synthetic) -> Candidate {
    fit(&case.samples(), &case.options(Some(kind))).unwrap().remove(0)
}

/// Whether a kind starts from a classifier that was there before.
fn has_prior(kind: Kind) -> bool {
    matches!(kind, Kind::BiasedRidge | Kind::Shipped)
}

fn answers(head: &Head, case: &Synthetic) -> Array2<f64> {
    head.batch(case.x.view(), Some(&case.norms))
}

fn assert_close(kind: Kind, a: &Array2<f64>, b: &Array2<f64>) {
    assert_eq!(a.dim(), b.dim());
    let worst = (a - b).iter().fold(0.0_f64, |worst, x| worst.max(x.abs()));
    assert!(worst < 1e-6, "{kind}: {worst}");
}

fn assert_sound(kind: Kind, case: &Synthetic, what: &str) -> Candidate {
    let candidate = fit_one(kind, case);
    let head = &candidate.head;
    assert!(head.form.is_finite(), "{kind}, {what}: head");
    assert!(head.temperature.is_finite() && head.temperature > 0.0, "{kind}, {what}: {}", head.temperature);
    let novelty = head.novelty.as_ref().unwrap();
    assert_eq!(head.lambda.is_some(), !matches!(kind, Kind::Prototype | Kind::Shipped), "{kind}, {what}");
    let finite = case.x.rows().into_iter().all(|row| novelty.score(&row.to_vec()).is_finite());
    assert!(novelty.threshold.is_finite() && finite, "{kind}, {what}: novelty");
    assert!(candidate.fold_losses.iter().all(|&loss| (0.0..=-LOG_LOSS_FLOOR.ln()).contains(&loss)), "{kind}, {what}");
    assert!(candidate.log_loss.is_finite() && candidate.log_loss_se.is_finite(), "{kind}, {what}: loss");
    for row in candidate.leave_out.outer_iter().chain(answers(head, case).outer_iter()) {
        assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{kind}, {what}: {row}");
        assert!((row.sum() - 1.0).abs() < 1e-9, "{kind}, {what}: {row}");
    }
    candidate
}

#[test]
fn the_same_samples_give_the_same_bits_on_any_number_of_threads() {
    let case = Synthetic::new(1, 60, 20, 3, 2, 1.0);
    let one = fit(&case.samples(), &case.options(None)).unwrap();
    for threads in [0, 1, 2, 16] {
        let again = fit(&case.samples(), &FitOptions { threads, ..case.options(None) }).unwrap();
        assert_eq!(again, one);
    }
    let kinds: Vec<Kind> = one.iter().map(|candidate| candidate.head.kind).collect();
    assert_eq!(kinds, Kind::ALL, "cheapest first");
}

#[test]
fn the_order_of_samples_and_the_numbers_of_groups_change_nothing() {
    for kind in Kind::ALL {
        for (n, dim, group) in [(60, 24, 1), (60, 24, 3), (30, 48, 2)] {
            let case = Synthetic::new(2, n, dim, 3, group, 0.7);
            let order: Vec<usize> = (0..n).map(|i| (i * 7 + 3) % n).collect();
            let mut other = case.permuted(&order);
            for group in &mut other.groups {
                *group = 1000 - 3 * *group;
            }
            let (a, b) = (fit_one(kind, &case), fit_one(kind, &other));
            assert_close(kind, &a.leave_out.select(Axis(0), &order), &b.leave_out);
            assert_close(kind, &answers(&a.head, &case), &answers(&b.head, &case));
        }
    }
}

#[test]
fn the_order_of_classes_changes_the_order_of_probabilities_only() {
    for kind in Kind::ALL {
        // Single samples: how groups are dealt into folds may depend on the labels, how they are left out may not.
        let case = Synthetic::new(3, 36, 20, 3, 1, 0.7);
        let mut other = case.clone();
        for label in &mut other.labels {
            *label = (*label + 1) % 3;
        }
        let mut options = case.options(Some(kind));
        let a = fit(&case.samples(), &options).unwrap().remove(0);
        let prior = options.prior.as_mut().unwrap();
        prior.weights = prior.weights.select(Axis(0), &[2, 0, 1]);
        let b = fit(&other.samples(), &options).unwrap().remove(0);
        if kind != Kind::Logistic {
            assert_close(kind, &a.leave_out.select(Axis(1), &[2, 0, 1]), &b.leave_out);
            assert_close(kind, &answers(&a.head, &case).select(Axis(1), &[2, 0, 1]), &answers(&b.head, &case));
        }
        assert!((a.log_loss - b.log_loss).abs() < 0.05, "{kind}: {} {}", a.log_loss, b.log_loss);
    }
}

#[test]
fn whatever_can_be_labelled_can_be_fitted() {
    for kind in Kind::ALL {
        let base = Synthetic::new(4, 12, 8, 3, 1, 1.0);
        let changed = |change: &dyn Fn(&mut Array2<f32>)| {
            let mut case = base.clone();
            change(&mut case.x);
            case
        };
        for scale in [1e-6, 1e-3, 1e3, 1e6] {
            let candidate = assert_sound(kind, &changed(&|x| *x *= scale), "scaled");
            let difference = (candidate.log_loss - fit_one(kind, &base).log_loss).abs();
            // Folds are dealt by content, so those of scaled samples are others. A given classifier has its own scale.
            let tolerance = match kind {
                Kind::BiasedRidge => f64::INFINITY,
                Kind::Logistic => 0.3,
                _ => 1e-3,
            };
            assert!(difference < tolerance, "{kind} at {scale} is another head by {difference}");
        }
        let alike = assert_sound(kind, &changed(&|x| x.fill(0.25)), "all alike");
        assert!(alike.log_loss > 1.0, "{kind} claims to tell apart what is the same: {}", alike.log_loss);
        assert_sound(kind, &changed(&|x| x.fill(0.0)), "all zero");
        assert_sound(kind, &changed(&|x| x.column_mut(3).fill(0.5)), "a constant component");
        assert_sound(kind, &changed(&|x| x.slice_mut(ndarray::s![.., 1..]).fill(0.0)), "one component");
        assert_sound(kind, &changed(&|x| x.column_mut(0).mapv_inplace(|v| 1e6 * v)), "one huge component");
        assert_sound(kind, &changed(&|x| x.row_mut(0).fill(0.0)), "a zero feature");
        let order: Vec<usize> = (0..36).map(|i| i % 12).collect();
        assert_sound(kind, &base.permuted(&order), "every sample three times in a group");
        let mut loose = base.permuted(&order);
        loose.groups = (0..36).collect();
        assert_sound(kind, &loose, "every sample three times on its own");
        let mut contradicting = base.permuted(&order);
        contradicting.labels = (0..36).map(|i| i % 3).rev().collect();
        assert_sound(kind, &contradicting, "contradicting labels");
    }
}

#[test]
fn few_samples_and_lopsided_classes_are_fitted() {
    for kind in Kind::ALL {
        for (n, dim, classes) in [(2, 5, 2), (3, 1, 3), (7, 4, 7), (9, 200, 2)] {
            let case = Synthetic::new(5, n, dim, classes, 1, 1.0);
            let candidate = assert_sound(kind, &case, "few");
            let single = case.samples().counts().contains(&1);
            assert_eq!(candidate.ungrouped, single, "{kind}: {n} samples, {classes} classes");
        }
        let mut lopsided = Synthetic::new(6, 40, 10, 2, 1, 1.0);
        lopsided.labels = (0..40).map(|i| usize::from(i == 17)).collect();
        let candidate = assert_sound(kind, &lopsided, "one of forty");
        // Left out, nobody knows its class: probability 0, counted at the floor. A given classifier does.
        assert_eq!(candidate.leave_out[(17, 1)] <= 0.0, !has_prior(kind), "{kind}");
        let floored = (candidate.fold_losses[17] + LOG_LOSS_FLOOR.ln()).abs() < 1e-12;
        assert!(floored || has_prior(kind), "{kind}");
        let mut one_group_each = Synthetic::new(7, 20, 6, 2, 10, 1.0);
        one_group_each.groups.fill(3);
        assert!(assert_sound(kind, &one_group_each, "one group").ungrouped);
    }
}

#[test]
fn leave_out_scores_predict_scores_on_fresh_samples() {
    for kind in Kind::ALL {
        let (case, fresh) = (Synthetic::new(8, 200, 40, 4, 2, 0.5), Synthetic::new(9, 2000, 40, 4, 2, 0.5));
        let candidate = fit_one(kind, &case);
        let p = answers(&candidate.head, &fresh);
        let loss = p.outer_iter().zip(&fresh.labels).map(|(p, &label)| log_loss(p, label)).sum::<f64>() / 2000.0;
        let confidence = p.outer_iter().map(|p| p.iter().copied().fold(0.0, f64::max)).sum::<f64>() / 2000.0;
        let best = |p: ndarray::ArrayView1<'_, f64>| (0..4).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
        let right = p.outer_iter().zip(&fresh.labels).filter(|(p, label)| best(*p) == **label).count();
        let accuracy = right as f64 / 2000.0;
        assert!(
            (candidate.log_loss - loss).abs() < 3.0 * candidate.log_loss_se + 0.05,
            "{kind}: {loss}, {}",
            candidate.log_loss
        );
        assert!((candidate.accuracy - accuracy).abs() < 0.1, "{kind}: {accuracy}, {}", candidate.accuracy);
        assert!((confidence - accuracy).abs() < 0.06, "{kind}: confident {confidence}, right {accuracy}");
        assert!(accuracy > 0.6, "{kind} learns nothing: {accuracy}");
    }
}

#[test]
fn labels_that_mean_nothing_score_chance_even_with_near_duplicates() {
    for kind in Kind::ALL {
        // Five near-duplicates each: left out one by one they would give the label away.
        let singles = Synthetic::new(10, 60, 200, 3, 1, 0.0);
        let case = Synthetic {
            x: Array2::from_shape_fn((300, 200), |(i, j)| singles.x[(i / 5, j)] + 1e-3 * ((i * 3 + j) % 5) as f32),
            labels: (0..300).map(|i| singles.labels[i / 5]).collect(),
            groups: (0..300).map(|i| i / 5).collect(),
            classes: 3,
            norms: vec![4.0; 300],
        };
        let candidate = fit_one(kind, &case);
        assert!(candidate.accuracy < 0.5, "{kind}: {}", candidate.accuracy);
        assert!(candidate.log_loss > 1.0, "{kind} claims to know: {}", candidate.log_loss);
        if kind == Kind::Shipped {
            // It learns nothing here, so there is no trap.
            continue;
        }
        let mut split = case;
        split.groups = (0..300).collect();
        let trapped = fit_one(kind, &split).accuracy;
        assert!(trapped > candidate.accuracy + 0.2, "{kind}: left out one by one, {trapped}");
    }
}

#[test]
fn one_class_is_an_anomaly_task() {
    let case = Synthetic::new(5, 60, 16, 2, 1, 4.0);
    let (all, labels) = (case.samples(), case.samples().labels().to_vec());
    let rows = |class: usize| labels.iter().enumerate().filter(move |(_, label)| **label == class).map(|(row, _)| row);
    let ok = all.features().select(ndarray::Axis(0), &rows(0).collect::<Vec<_>>());
    let (zeros, groups) = (vec![0; ok.nrows()], (0..ok.nrows()).collect::<Vec<_>>());
    let candidates = fit(&Samples::new(ok.view(), &zeros, &groups, 1).unwrap(), &FitOptions::default()).unwrap();
    let [candidate] = &candidates[..] else { panic!("a prototype alone") };
    assert_eq!(candidate.head.kind, Kind::Prototype);
    let novelty = candidate.head.novelty.as_ref().unwrap();
    let unknown = |class| rows(class).filter(|&row| novelty.is_unknown(&all.features().row(row).to_vec())).count();
    assert!(unknown(0) <= 1 && unknown(1) >= 29, "unknown: {} of its own, {} of others", unknown(0), unknown(1));
    assert_eq!(candidate.head.probabilities(&Feature::from_raw(&ok.row(0).to_vec()).unwrap()), [1.0]);

    let one = ok.slice(ndarray::s![..1, ..]);
    let candidates = fit(&Samples::new(one, &[0], &[0], 1).unwrap(), &FitOptions::default()).unwrap();
    assert!(candidates[0].leave_out[(0, 0)].abs() < f64::MIN_POSITIVE, "nothing of the class is left without it");
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let x = Array2::<f32>::ones((3, 2));
    let samples = Samples::new(x.view(), &[0; 3], &[0, 1, 2], 1).unwrap();
    for kind in Kind::ALL {
        assert_eq!(solve(kind, &samples, None, &FitOptions::default()).unwrap_err(), FitError::OneClass);
    }
    let case = Synthetic::new(11, 12, 4, 2, 1, 1.0);
    let none = FitOptions { kinds: Vec::new(), ..FitOptions::default() };
    assert_eq!(fit(&case.samples(), &none), Err(FitError::NoKinds));
    for lambda in [0.0, -1.0, f64::INFINITY] {
        let got = acclimate_trainer::solve(Kind::Ridge, &case.samples(), Some(lambda), &none);
        assert_eq!(got, Err(FitError::Lambda { lambda }));
    }
    // At such a width all samples are alike to all digits: no kernel head, and no harm to the others.
    let wide = |kinds: &[Kind]| FitOptions { gamma: Some(1e-12), kinds: kinds.to_vec(), ..case.options(None) };
    assert_eq!(fit(&case.samples(), &wide(&[Kind::Kernel])), Err(FitError::Singular { kind: Kind::Kernel }));
    assert_eq!(fit(&case.samples(), &wide(&Kind::ALL)).unwrap().len(), Kind::ALL.len() - 1);
    for kind in [Kind::BiasedRidge, Kind::Shipped] {
        assert_eq!(solve(kind, &case.samples(), None, &none), Err(FitError::NoPrior));
        let mut without = case.clone();
        without.norms[3] = f32::NAN;
        assert_eq!(solve(kind, &without.samples(), None, &case.options(None)), Err(FitError::NoPrior));
        assert_eq!(fit(&without.samples(), &case.options(None)).unwrap().len(), Kind::ALL.len() - 2);
    }
}

#[test]
fn a_given_classifier_keeps_its_classes_and_learns_those_of_the_samples() {
    // It knows five classes; the samples are of its third, its fifth and one that it has never heard of.
    let case = Synthetic::new(13, 90, 30, 6, 1, 0.7);
    let rows: Vec<usize> = (0..90).filter(|&i| [2, 4, 5].contains(&case.labels[i])).collect();
    let mut some = case.permuted(&rows);
    let of_samples = vec![2, 4, 5];
    some.labels.iter_mut().for_each(|label| *label = of_samples.iter().position(|class| class == label).unwrap());
    some.classes = 3;
    let mut options = case.options(None);
    let prior = options.prior.as_mut().unwrap();
    (prior.of_samples, prior.knows[5]) = (of_samples.clone(), false);
    let candidates = fit(&some.samples(), &options).unwrap();
    let biased = candidates.iter().find(|candidate| candidate.head.kind == Kind::BiasedRidge).unwrap();
    assert!(candidates.iter().all(|candidate| candidate.head.kind != Kind::Shipped), "it lacks a class");
    assert_eq!((biased.leave_out.dim(), biased.head.classes()), ((45, 6), 6));
    assert!(biased.head.novelty.is_none());
    assert!(biased.accuracy > 0.7, "{}", biased.accuracy);
    // The classes that the samples lack are still told apart from them.
    let p = answers(&biased.head, &case);
    let of = |class: usize| (0..90).filter(move |&i| case.labels[i] == class);
    let best = |i: usize| (0..6).max_by(|&a, &b| p[(i, a)].total_cmp(&p[(i, b)])).unwrap();
    let right = [0, 1, 3].into_iter().flat_map(|class| of.clone()(class).map(move |i| (i, class)));
    let right = right.filter(|&(i, class)| best(i) == class).count();
    assert!(right > 22, "{right} of 45");
}

#[test]
fn a_good_prior_helps_where_samples_are_few_and_a_wrong_one_does_no_harm() {
    let few = Synthetic::new(14, 12, 60, 4, 1, 0.5);
    let [ridge, biased] = [Kind::Ridge, Kind::BiasedRidge].map(|kind| fit_one(kind, &few).log_loss);
    assert!(biased < ridge - 0.1, "{biased} {ridge}");
    let many = Synthetic::new(15, 300, 40, 4, 1, 0.5);
    let mut options = many.options(None);
    let prior = options.prior.as_mut().unwrap();
    prior.weights = prior.weights.select(Axis(0), &[1, 2, 3, 0]);
    let candidates = fit(&many.samples(), &options).unwrap();
    let loss = |kind| candidates.iter().find(|candidate| candidate.head.kind == kind).unwrap().log_loss;
    assert!(loss(Kind::BiasedRidge) < loss(Kind::Ridge) + 0.02, "{} {}", loss(Kind::BiasedRidge), loss(Kind::Ridge));
    assert!(loss(Kind::Shipped) > loss(Kind::Ridge) + 0.5);
}

#[test]
fn a_clearly_better_kind_is_selected() {
    // Classes that differ in one small direction only: means are all but equal, so prototypes know little.
    let mut case = Synthetic::new(12, 200, 10, 2, 1, 0.0);
    for (mut row, &label) in case.x.outer_iter_mut().zip(&case.labels) {
        row[0] = if label == 0 { 0.02 } else { -0.02 } + 0.1 * row[0];
    }
    let candidates = fit(&case.samples(), &FitOptions::default()).unwrap();
    assert_ne!(candidates[select(&candidates)].head.kind, Kind::Prototype);
}

#[test]
fn a_kernel_of_more_samples_than_are_kept_exactly_rests_on_landmarks() {
    // Rings in the plane, turn by turn: nothing linear tells them apart.
    let n = EXACT + 100;
    let labels: Vec<usize> = (0..n).map(|i| i % 2).collect();
    let x = Array2::from_shape_fn((n, 3), |(i, j)| {
        let (angle, radius) = (i as f32 * 2.399_963, if labels[i] == 0 { 0.5 } else { 1.0 } + 0.02 * (i % 7) as f32);
        [radius * angle.cos(), radius * angle.sin(), 0.3][j]
    });
    let groups: Vec<usize> = (0..n).map(|i| i / 2).collect();
    let samples = Samples::new(x.view(), &labels, &groups, 2).unwrap();
    let options = FitOptions { gamma: Some(4.0), ..FitOptions::default() };
    let solution = solve(Kind::Kernel, &samples, Some(0.1), &options).unwrap();
    let Form::Kernel(kernel) = &solution.form else { panic!("a kernel head has a kernel") };
    assert_eq!(kernel.support.nrows(), LANDMARKS);
    let right = labels.iter().enumerate().filter(|&(i, &c)| solution.scores[(i, c)] > solution.scores[(i, 1 - c)]);
    assert!(right.count() as f64 > 0.99 * n as f64, "left out, rings are told apart");
    let linear = solve(Kind::Ridge, &samples, Some(0.1), &FitOptions::default()).unwrap();
    let right = labels.iter().enumerate().filter(|&(i, &c)| linear.scores[(i, c)] > linear.scores[(i, 1 - c)]);
    assert!((right.count() as f64) < 0.7 * n as f64, "no line tells rings apart");
}

#[test]
fn five_hundred_classes_of_one_or_two_samples_are_fitted() {
    let case = Synthetic::new(16, 550, 4, 500, 1, 2.0);
    for kind in Kind::ALL {
        assert_sound(kind, &case, "500 classes");
    }
}

/// Central differences on a feature of any norm. Features are f32, so a step of 1e-3 of the norm loses 1e-4 of the slope.
#[test]
fn gradients_of_scores_by_the_raw_feature_are_those_of_finite_differences() {
    for kind in Kind::ALL {
        let case = Synthetic::new(21, 60, 24, 3, 2, 1.0);
        let head = fit_one(kind, &case).head;
        for (row, norm) in [(0, 0.3_f32), (7, 1.0), (31, 40.0)] {
            let raw: Vec<f32> = case.x.row(row).iter().map(|x| x * norm).collect();
            let at = |raw: &[f32]| Feature::from_raw(raw).unwrap();
            for weights in [head.contrast(0), vec![0.0, 1.0, 0.0], vec![-0.5, 0.0, 2.0]] {
                let score = |raw: &[f32]| -> f64 {
                    let logits = head.logits(&at(raw));
                    logits.iter().zip(&weights).map(|(logit, weight)| logit * weight).sum()
                };
                let gradient = head.gradient(&at(&raw), &weights);
                let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                assert!(length > 0.0, "{kind}: a head that tells classes apart has a slope");
                for (j, &found) in gradient.iter().enumerate() {
                    let moved = |by: f32| {
                        let mut moved = raw.clone();
                        moved[j] += by;
                        moved
                    };
                    let (above, below) = (moved(2e-3 * norm), moved(-2e-3 * norm));
                    let step = f64::from(above[j]) - f64::from(below[j]);
                    let expected = (score(&above) - score(&below)) / step;
                    assert!((found - expected).abs() < 1e-3 * length, "{kind}, {j}: {found} {expected} of {length}");
                }
                if kind != Kind::Shipped {
                    let along: f64 = gradient.iter().zip(&raw).map(|(g, &x)| g * f64::from(x)).sum();
                    assert!(along.abs() < 1e-5 * length * f64::from(norm), "{kind}: length alone tells nothing");
                }
            }
        }
    }
}

/// The scores are those that the probabilities come from.
#[test]
fn scores_become_the_probabilities() {
    for kind in Kind::ALL {
        let case = Synthetic::new(22, 60, 24, 3, 2, 1.0);
        let head = fit_one(kind, &case).head;
        let raw: Vec<f32> = case.x.row(3).iter().map(|x| x * case.norms[3]).collect();
        let feature = Feature::from_raw(&raw).unwrap();
        let mut scores = head.logits(&feature);
        softmax(&mut scores, head.temperature);
        assert_eq!(scores, head.probabilities(&feature), "{kind}");
    }
}
