//! From probabilities to an answer: the class that costs least, or that the head is not sure enough.
//! Knows nothing of how the probabilities came about; they are taken to be calibrated.
//!
//! Costs: Elkan 2001, "The Foundations of Cost-Sensitive Learning", eq. 1. Thresholds: Chow 1970, "On Optimum Recognition
//! Error and Reject Tradeoff": with one cost for every mistake, rejecting what is less probable than a threshold is the
//! best way to reject.
//! Invariant: costs are finite and not negative, right answers cost least in their row, thresholds lie in 0..=1.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use crate::evaluation::most_probable;

/// How a head turns probabilities into an answer. The default answers the likeliest class, however unlikely.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    costs: Option<Array2<f64>>,
    thresholds: Option<Vec<f64>>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The class, also when it is not sure.
    pub class: usize,
    /// Whether its probability reaches the threshold of its class.
    pub sure: bool,
}

/// What a decision does on samples whose labels are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcomes {
    /// Mean cost of the answers that were sure, in the unit of the costs; 1 a mistake where there are none.
    pub cost: f64,
    /// Share of samples without a sure answer.
    pub unsure: f64,
    /// Share of right ones among each class' sure answers, `[classes]`; none where there is no such answer.
    pub precision: Vec<Option<f64>>,
}

/// Why numbers are no decision.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum DecisionError {
    /// A cost that is none.
    #[error("cost of answering class {answer} for class {label} is {cost}, expected a finite number, 0 or above")]
    Cost {
        /// What is answered.
        answer: usize,
        /// What it is.
        label: usize,
        /// The cost.
        cost: f64,
    },
    /// A mistake that costs less than the right answer.
    #[error("answering class {answer} for class {label} costs less than the right answer: nobody would ever be right")]
    Rewarded {
        /// What is answered.
        answer: usize,
        /// What it is.
        label: usize,
    },
    /// Not one row and column per class, or not one threshold.
    #[error("{what} are for {found} classes, expected {expected}")]
    Classes {
        /// The numbers.
        what: &'static str,
        /// How many classes they are for.
        found: usize,
        /// How many there are.
        expected: usize,
    },
    /// A threshold or a precision that is no probability.
    #[error("{what} is {value}, expected a number from 0 to 1")]
    Probability {
        /// What was given.
        what: &'static str,
        /// The number.
        value: f64,
    },
}

impl Decision {
    /// Checks costs `[classes, classes]` (row: what it is, column: what is answered) and thresholds `[classes]`.
    ///
    /// # Errors
    /// When the invariant of this module does not hold.
    pub fn new(
        classes: usize,
        costs: Option<Array2<f64>>,
        thresholds: Option<Vec<f64>>,
    ) -> Result<Self, DecisionError> {
        let found = |what, found| Err(DecisionError::Classes { what, found, expected: classes });
        if let Some(costs) = &costs {
            if costs.dim() != (classes, classes) {
                return found("costs", if costs.nrows() == classes { costs.ncols() } else { costs.nrows() });
            }
            for ((label, answer), &cost) in costs.indexed_iter() {
                if !(cost.is_finite() && cost >= 0.0) {
                    return Err(DecisionError::Cost { answer, label, cost });
                }
                if cost < costs[(label, label)] {
                    return Err(DecisionError::Rewarded { answer, label });
                }
            }
        }
        if let Some(thresholds) = &thresholds {
            if thresholds.len() != classes {
                return found("thresholds", thresholds.len());
            }
            if let Some(&value) = thresholds.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return Err(DecisionError::Probability { what: "threshold", value });
            }
        }
        Ok(Self { costs, thresholds })
    }

    /// What each answer (column) costs for each class (row), `[classes, classes]`.
    pub fn costs(&self) -> Option<&Array2<f64>> {
        self.costs.as_ref()
    }

    /// The probability below which an answer is not sure, per class, `[classes]`.
    pub fn thresholds(&self) -> Option<&[f64]> {
        self.thresholds.as_deref()
    }

    /// Whether it only answers the likeliest class.
    pub fn is_plain(&self) -> bool {
        self.costs.is_none() && self.thresholds.is_none()
    }

    /// The class of the least expected cost (the likelier one of two that cost the same), and whether its probability
    /// reaches its threshold. O(classes²) with costs, else O(classes).
    ///
    /// # Panics
    /// When there are not as many probabilities as classes: the caller mixed up two heads.
    pub fn answer(&self, probabilities: &[f64]) -> Answer {
        let p = ArrayView1::from(probabilities);
        let likeliest = most_probable(p);
        let class = match &self.costs {
            None => likeliest,
            Some(costs) => {
                let expected = p.dot(costs);
                let better = |&a: &usize, &b: &usize| expected[a].total_cmp(&expected[b]).then(p[b].total_cmp(&p[a]));
                (0..p.len()).min_by(better).unwrap_or(likeliest)
            }
        };
        let sure = self.thresholds.as_ref().is_none_or(|thresholds| probabilities[class] >= thresholds[class]);
        Answer { class, sure }
    }

    /// With thresholds under which sure answers of each class are right at this rate, from out-of-sample probabilities
    /// `[n, classes]` and labels `[n]`.
    ///
    /// The threshold of a class is the least at which, of the answers that reach it, no more than `1 - precision` are
    /// wrong when one more wrong one is counted: what the next answer could be, as in conformal risk control
    /// (Angelopoulos et al. 2024, eq. 4). A class with too few answers to show that gets `precision` itself: of answers
    /// with a calibrated probability of so much, so many are right. O(n·(classes + log n)).
    ///
    /// # Errors
    /// When `precision` is not from 0 to 1.
    pub fn with_precision(
        self,
        precision: f64,
        probabilities: ArrayView2<'_, f64>,
        labels: &[usize],
    ) -> Result<Self, DecisionError> {
        if !(0.0..=1.0).contains(&precision) {
            return Err(DecisionError::Probability { what: "precision", value: precision });
        }
        let mut answers = vec![Vec::new(); probabilities.ncols()];
        for (row, &label) in probabilities.axis_iter(Axis(0)).zip(labels) {
            let class = self.answer(&row.to_vec()).class;
            answers[class].push((row[class], class == label));
        }
        let thresholds = answers.into_iter().map(|answers| threshold(answers, precision)).collect();
        Ok(Self { thresholds: Some(thresholds), ..self })
    }

    /// What it does on samples with these probabilities `[n, classes]` and labels `[n]`; a label beyond the classes is
    /// always a mistake, as dear as the dearest.
    pub fn outcomes(&self, probabilities: ArrayView2<'_, f64>, labels: &[usize]) -> Outcomes {
        let classes = probabilities.ncols();
        let dearest = self.costs.iter().flatten().copied().fold(f64::NAN, f64::max);
        let (mut cost, mut sure) = (0.0, 0_usize);
        let mut right = vec![[0_usize; 2]; classes];
        for (row, &label) in probabilities.axis_iter(Axis(0)).zip(labels) {
            let answer = self.answer(&row.to_vec());
            if answer.sure {
                sure += 1;
                right[answer.class][usize::from(answer.class == label)] += 1;
                cost += match &self.costs {
                    None => f64::from(answer.class != label),
                    Some(costs) => costs.get((label, answer.class)).copied().unwrap_or(dearest),
                };
            }
        }
        let share = |part: f64, of: usize| if of > 0 { part / of as f64 } else { 0.0 };
        Outcomes {
            cost: share(cost, sure),
            unsure: share((labels.len() - sure) as f64, labels.len()),
            precision: right
                .iter()
                .map(|&[wrong, right]| (wrong + right > 0).then(|| right as f64 / (wrong + right) as f64))
                .collect(),
        }
    }
}

/// The least threshold that answers (probability, whether right) show to keep the precision.
fn threshold(mut answers: Vec<(f64, bool)>, precision: f64) -> f64 {
    answers.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut wrong, mut found) = (0_usize, None);
    for (i, &(p, right)) in answers.iter().enumerate() {
        wrong += usize::from(!right);
        // Of equal probabilities the threshold takes all or none.
        let last = answers.get(i + 1).is_none_or(|next| next.0 < p);
        if last && (wrong + 1) as f64 <= (1.0 - precision) * (i + 2) as f64 {
            found = Some(p);
        }
    }
    found.unwrap_or(precision)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use ndarray::array;

    #[test]
    fn the_answer_is_what_costs_least() {
        // Missing class 1 is ten times as dear as a false alarm: answered from 1/11 on.
        let decision = Decision::new(2, Some(array![[0.0, 1.0], [10.0, 0.0]]), None).unwrap();
        assert_eq!(decision.answer(&[0.92, 0.08]).class, 0);
        assert_eq!(decision.answer(&[0.90, 0.10]).class, 1);
        assert_eq!(Decision::default().answer(&[0.90, 0.10]), Answer { class: 0, sure: true });
        let outcomes = decision.outcomes(array![[0.9, 0.1], [0.9, 0.1], [0.99, 0.01]].view(), &[0, 1, 1]);
        assert_eq!(outcomes, Outcomes { cost: 11.0 / 3.0, unsure: 0.0, precision: vec![Some(0.0), Some(0.5)] });
    }

    #[test]
    fn below_its_class_threshold_an_answer_is_not_sure() {
        let decision = Decision::new(2, None, Some(vec![0.9, 0.5])).unwrap();
        assert_eq!(decision.answer(&[0.8, 0.2]), Answer { class: 0, sure: false });
        assert_eq!(decision.answer(&[0.2, 0.8]), Answer { class: 1, sure: true });
        let outcomes = decision.outcomes(array![[0.8, 0.2], [0.2, 0.8]].view(), &[0, 0]);
        assert_eq!(outcomes, Outcomes { cost: 1.0, unsure: 0.5, precision: vec![None, Some(0.0)] });
    }

    #[test]
    fn a_precision_is_kept_by_counting_one_more_mistake() {
        // 40 answers of class 0 from 0.99 down; the 25th to the 40th are wrong every other time.
        let p = Array2::from_shape_fn(
            (40, 2),
            |(i, c)| if c == 0 { 0.99 - 0.01 * i as f64 } else { 0.01 + 0.01 * i as f64 },
        );
        let labels: Vec<usize> = (0..40).map(|i| usize::from(i >= 24 && i % 2 == 0)).collect();
        let decision = Decision::default().with_precision(0.9, p.view(), &labels).unwrap();
        // (wrong + 1) / (answers + 1) ≤ 0.1: 25 answers with one wrong give 2/26, 27 with two 3/28 > 0.1, 29 with three …
        let thresholds = decision.thresholds().unwrap();
        assert!((thresholds[0] - p[(25, 0)]).abs() < 1e-12, "{thresholds:?}");
        assert_eq!(thresholds[1], 0.9, "no answer of the class: its calibrated probability must say it");
        let outcomes = decision.outcomes(p.view(), &labels);
        assert!(outcomes.precision[0].unwrap() >= 0.9, "{outcomes:?}");
    }

    #[test]
    fn what_is_no_decision_is_refused() {
        let costs = |costs| Decision::new(2, Some(costs), None);
        assert_eq!(costs(array![[0.0]]), Err(DecisionError::Classes { what: "costs", found: 1, expected: 2 }));
        assert_eq!(
            costs(array![[0.0, -1.0], [1.0, 0.0]]),
            Err(DecisionError::Cost { answer: 1, label: 0, cost: -1.0 })
        );
        assert_eq!(costs(array![[0.0, 1.0], [1.0, 2.0]]), Err(DecisionError::Rewarded { answer: 0, label: 1 }));
        let thresholds = |thresholds| Decision::new(2, None, Some(thresholds));
        assert!(matches!(thresholds(vec![0.5]), Err(DecisionError::Classes { found: 1, .. })));
        assert!(matches!(thresholds(vec![0.5, 1.5]), Err(DecisionError::Probability { .. })));
        let p = array![[0.5, 0.5]];
        assert!(Decision::default().with_precision(f64::NAN, p.view(), &[0]).is_err());
    }
}
