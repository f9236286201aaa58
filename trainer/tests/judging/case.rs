//! Judgements made by hand: what every head says of every sample.

use acclimate_trainer::{InService, JudgeError, JudgeInput, Reason, Verdict, judge};
use ndarray::Array2;

/// The inputs of a judgement, owned.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) classes: usize,
    pub(crate) labels: Vec<usize>,
    pub(crate) groups: Vec<usize>,
    pub(crate) new: Vec<bool>,
    pub(crate) candidate: Array2<f64>,
    pub(crate) prototype: Array2<f64>,
    /// Probabilities, what it was fitted on, its classes.
    pub(crate) in_service: Option<(Array2<f64>, Vec<bool>, Vec<usize>)>,
    pub(crate) trust_labels: bool,
}

/// Probabilities with `p` on the class given for each row, the rest spread evenly.
pub(crate) fn on(classes: usize, rows: impl IntoIterator<Item = (usize, f64)>) -> Array2<f64> {
    let rows: Vec<_> = rows.into_iter().collect();
    Array2::from_shape_fn((rows.len(), classes), |(i, class)| {
        let (favoured, p) = rows[i];
        if class == favoured { p } else { (1.0 - p) / (classes as f64 - 1.0) }
    })
}

impl Case {
    /// `n` samples of each class, each its own group, all recognised with probability `p` by every head.
    pub(crate) fn recognised(classes: usize, n: usize, p: f64) -> Self {
        let labels: Vec<usize> = (0..n * classes).map(|i| i % classes).collect();
        let all = on(classes, labels.iter().map(|&label| (label, p)));
        Self {
            classes,
            groups: (0..labels.len()).collect(),
            new: vec![false; labels.len()],
            candidate: all.clone(),
            prototype: all.clone(),
            in_service: None,
            trust_labels: false,
            labels,
        }
    }

    /// The same, with a head in service that was fitted on all and gives `p` too.
    pub(crate) fn in_service(classes: usize, n: usize, p: f64) -> Self {
        let case = Self::recognised(classes, n, p);
        let in_service = (case.candidate.clone(), vec![true; n * classes], (0..classes).collect());
        Self { in_service: Some(in_service), ..case }
    }

    /// Adds a new sample, scored plainly by the head in service.
    pub(crate) fn add(&mut self, label: usize, group: usize, candidate: (usize, f64), in_service: (usize, f64)) {
        self.labels.push(label);
        self.groups.push(group);
        self.new.push(true);
        for own in [&mut self.candidate, &mut self.prototype] {
            own.append(ndarray::Axis(0), on(self.classes, [candidate]).view()).unwrap();
        }
        if let Some((p, fitted_on, classes)) = &mut self.in_service {
            p.append(ndarray::Axis(0), on(classes.len(), [in_service]).view()).unwrap();
            fitted_on.push(false);
        }
    }

    pub(crate) fn try_judge(&self) -> Result<Verdict, JudgeError> {
        judge(&JudgeInput {
            candidate: self.candidate.view(),
            labels: &self.labels,
            groups: &self.groups,
            classes: self.classes,
            ungrouped: false,
            new: &self.new,
            prototype: self.prototype.view(),
            in_service: self.in_service.as_ref().map(|(p, fitted_on, classes)| InService {
                probabilities: p.view(),
                fitted_on,
                classes,
            }),
            trust_labels: self.trust_labels,
        })
    }

    pub(crate) fn judge(&self) -> Verdict {
        self.try_judge().unwrap()
    }
}

pub(crate) fn tokens(verdict: &Verdict) -> Vec<&'static str> {
    verdict.reasons.iter().map(Reason::token).collect()
}
