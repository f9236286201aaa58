//! How the verdict's operating characteristics are measured, on any pool of labelled features.
//!
//! Knows nothing of where features come from, so that synthetic and real ones go through the same protocol:
//!
//! - *One draw*: `older` samples, as many of each class as there are, are fitted, selected and taken into service. Then
//!   [`NEW`] more are labelled, all concerning one class (the draw's number modulo the classes), and an adaptation runs
//!   on the older and the new together.
//! - *Clean*: the new labels are true.
//! - *Mislabelled*: [`BAD`] of the new labels are wrong, in one of two ways: pictures of the class that are labelled as
//!   others at random, or pictures of others that are labelled as the class.
//! - *No real gain*: a store of constant size; each adaptation sees a twentieth of it replaced by fresh samples of the
//!   same classes, so that no candidate is expected to be better than the head in service. What is activated serves on.

use acclimate_trainer::{
    Candidate, FitOptions, InService, JudgeInput, Kind, Outcome, Samples, Verdict, fit, judge, log_loss, select,
};
use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// New samples of a draw.
pub(crate) const NEW: usize = 45;
/// Mislabelled ones among them: 40 %.
pub(crate) const BAD: usize = 18;

/// Labelled features, labels true.
pub(crate) struct Pool {
    /// `[n, dim]`, as a fit sees them.
    pub(crate) features: Array2<f32>,
    /// `[n]`.
    pub(crate) labels: Vec<usize>,
    /// `[n]`; equal numbers may not be split.
    pub(crate) groups: Vec<usize>,
    /// Number of classes.
    pub(crate) classes: usize,
}

/// What the new samples of a draw are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addition {
    /// All of one class, all labels true.
    Clean,
    /// All of one class, [`BAD`] labelled as others.
    LabelledOtherwise,
    /// All labelled one class, [`BAD`] of them of others.
    OthersLabelledSo,
}

/// A snapshot: rows of the pool in order of labelling, and what a person said they are.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) rows: Vec<usize>,
    pub(crate) labels: Vec<usize>,
}

/// A head with the snapshot it was fitted on, whose leave-out scores are kept.
pub(crate) struct Served {
    pub(crate) candidate: Candidate,
    pub(crate) snapshot: Snapshot,
}

/// Fits and selects on a snapshot, judges against the head in service if there is one.
pub(crate) fn adapt(pool: &Pool, snapshot: &Snapshot, served: Option<&Served>) -> (Candidate, Verdict) {
    let features = pool.features.select(Axis(0), &snapshot.rows);
    let groups: Vec<usize> = snapshot.rows.iter().map(|&row| pool.groups[row]).collect();
    let samples = Samples::new(features.view(), &snapshot.labels, &groups, pool.classes).unwrap();
    let mut candidates = fit(&samples, &FitOptions::default()).unwrap();
    let prototype = candidates.iter().find(|c| c.head.kind == Kind::Prototype).unwrap().leave_out.clone();
    let candidate = candidates.swap_remove(select(&candidates));

    let mut new = vec![true; groups.len()];
    let mut fitted_on = vec![false; groups.len()];
    let mut probabilities = Array2::zeros((0, 0));
    let classes: Vec<usize> = (0..pool.classes).collect();
    if let Some(served) = served {
        probabilities = served.candidate.head.batch(features.view(), None);
        for (index, (row, label)) in snapshot.rows.iter().zip(&snapshot.labels).enumerate() {
            if let Some(kept) = served.snapshot.rows.iter().position(|fitted| fitted == row) {
                probabilities.row_mut(index).assign(&served.candidate.leave_out.row(kept));
                fitted_on[index] = true;
                new[index] = served.snapshot.labels[kept] != *label;
            }
        }
    }
    let verdict = judge(&JudgeInput {
        candidate: candidate.leave_out.view(),
        labels: &snapshot.labels,
        groups: &groups,
        classes: pool.classes,
        ungrouped: candidate.ungrouped,
        new: &new,
        prototype: prototype.view(),
        in_service: served.map(|_| InService {
            probabilities: probabilities.view(),
            fitted_on: &fitted_on,
            classes: &classes,
        }),
        trust_labels: false,
    });
    (candidate, verdict.unwrap())
}

/// One draw: the verdicts on each of the additions, and the accuracy in leave-out of the head in service.
pub(crate) fn draw(pool: &Pool, number: usize, older: usize, additions: &[Addition]) -> (f64, Vec<Verdict>) {
    let mut rng = ChaCha8Rng::seed_from_u64(number as u64);
    let class = number % pool.classes;
    let mut order: Vec<usize> = (0..pool.labels.len()).collect();
    order.shuffle(&mut rng);
    let (mut snapshot, mut left) = (Snapshot::default(), Vec::new());
    for each in 0..pool.classes {
        let members: Vec<usize> = order.iter().copied().filter(|&row| pool.labels[row] == each).collect();
        // Enough of the draw's class for the addition, and a few of the others to mislabel.
        let spare = if each == class { NEW } else { BAD };
        let (kept, rest) = members.split_at((older / pool.classes).min(members.len() - spare));
        snapshot.rows.extend(kept);
        left.extend(rest);
    }
    snapshot.rows.shuffle(&mut rng);
    left.shuffle(&mut rng);
    snapshot.labels = snapshot.rows.iter().map(|&row| pool.labels[row]).collect();
    let (candidate, first) = adapt(pool, &snapshot, None);
    assert_eq!(first.outcome, Outcome::Activated, "{:?}", first.reasons);
    let served = Served { candidate, snapshot };
    let verdicts = additions.iter().map(|&addition| {
        let mut snapshot = served.snapshot.clone();
        for (row, label) in add(pool, &left, class, addition, &mut rng) {
            snapshot.rows.push(row);
            snapshot.labels.push(label);
        }
        adapt(pool, &snapshot, Some(&served)).1
    });
    let verdicts = verdicts.collect();
    (served.candidate.accuracy, verdicts)
}

/// The new samples of a draw with their labels.
fn add(pool: &Pool, left: &[usize], class: usize, addition: Addition, rng: &mut impl Rng) -> Vec<(usize, usize)> {
    let of_class = left.iter().copied().filter(|&row| pool.labels[row] == class);
    let others = left.iter().copied().filter(|&row| pool.labels[row] != class);
    let mut new: Vec<(usize, usize)> = match addition {
        Addition::Clean => of_class.take(NEW).map(|row| (row, class)).collect(),
        Addition::LabelledOtherwise => of_class
            .take(NEW)
            .enumerate()
            .map(|(i, row)| {
                let other = (class + rng.random_range(1..pool.classes)) % pool.classes;
                (row, if i < BAD { other } else { class })
            })
            .collect(),
        Addition::OthersLabelledSo => {
            of_class.take(NEW - BAD).chain(others.take(BAD)).map(|row| (row, class)).collect()
        }
    };
    assert_eq!(new.len(), NEW, "the pool is too small");
    new.shuffle(rng);
    new
}

/// What a chain of adaptations without real gain did.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    /// Candidates that went into service.
    pub(crate) activated: usize,
    /// Candidates whose true log-loss was worse than that of the head in service by more than the margin...
    pub(crate) truly_worse: usize,
    /// ... and that went into service nevertheless.
    pub(crate) worse_activated: usize,
    /// True log-loss of the head in service after each adaptation.
    pub(crate) log_loss: Vec<f64>,
}

/// Runs `adaptations` of them on stores of `size`, with the last `held_out` rows of the pool as the truth. The pool's rows
/// before these are used in order, so it must hold `size + adaptations · size / 20` of them, classes well mixed.
pub(crate) fn chain(pool: &Pool, size: usize, adaptations: usize, held_out: usize) -> Chain {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let truth = pool.labels.len() - held_out;
    let truth_features = pool.features.slice(ndarray::s![truth.., ..]);
    let true_loss = |candidate: &Candidate| {
        let p = candidate.head.batch(truth_features, None);
        let losses = p.rows().into_iter().zip(&pool.labels[truth..]).map(|(row, &label)| log_loss(row, label));
        losses.sum::<f64>() / held_out as f64
    };
    let of =
        |rows: &[usize]| Snapshot { rows: rows.to_vec(), labels: rows.iter().map(|&row| pool.labels[row]).collect() };
    let mut rows: Vec<usize> = (0..size).collect();
    let mut fresh = size..truth;
    let snapshot = of(&rows);
    let mut served = Served { candidate: adapt(pool, &snapshot, None).0, snapshot };
    let mut loss = true_loss(&served.candidate);
    let mut chain = Chain::default();
    for _ in 0..adaptations {
        for _ in 0..size / 20 {
            rows.remove(rng.random_range(0..size));
            rows.push(fresh.next().expect("the pool is too small"));
        }
        let snapshot = of(&rows);
        let (candidate, verdict) = adapt(pool, &snapshot, Some(&served));
        let its_loss = true_loss(&candidate);
        let worse = its_loss - loss > acclimate_trainer::MARGIN;
        chain.truly_worse += usize::from(worse);
        if verdict.outcome == Outcome::Activated {
            chain.activated += 1;
            chain.worse_activated += usize::from(worse);
            served = Served { candidate, snapshot };
            loss = its_loss;
        }
        chain.log_loss.push(loss);
    }
    chain
}
