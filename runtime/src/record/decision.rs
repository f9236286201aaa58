//! How a head answers, and what that did, as JSON and in words.

use std::collections::BTreeMap;

use acclimate_trainer::{Decision, Outcomes};
use serde::{Deserialize, Serialize};

/// How probabilities become an answer, where it is not just the likeliest class.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DecisionRecord {
    /// What each answer (inner) costs for each class (outer), by name.
    pub costs: Option<BTreeMap<String, BTreeMap<String, f64>>>,
    /// The probability below which an answer of the class is `unknown`.
    pub thresholds: Option<BTreeMap<String, f64>>,
}

impl DecisionRecord {
    /// Writes a decision down with the names of its classes; none where the likeliest class is the answer.
    pub fn new(decision: &Decision, classes: &[String]) -> Option<Self> {
        let by_name = |values: &[f64]| classes.iter().cloned().zip(values.iter().copied()).collect();
        (!decision.is_plain()).then(|| Self {
            costs: decision.costs().map(|costs| {
                classes.iter().cloned().zip(costs.outer_iter().map(|row| by_name(&row.to_vec()))).collect()
            }),
            thresholds: decision.thresholds().map(by_name),
        })
    }

    /// For people, a line each.
    pub fn words(&self) -> String {
        let mut lines = Vec::new();
        if let Some(thresholds) = &self.thresholds {
            let each: Vec<String> = thresholds.iter().map(|(class, p)| format!("{class} {:.1} %", 100.0 * p)).collect();
            lines.push(format!("unknown below: {}", each.join(", ")));
        }
        for (label, answers) in self.costs.iter().flatten() {
            let each: Vec<String> = answers.iter().map(|(answer, cost)| format!("{answer} {cost}")).collect();
            lines.push(format!("cost where {label} is right: {}", each.join(", ")));
        }
        lines.join("\n")
    }
}

/// What a decision did on labelled samples.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DecidedRecord {
    /// Mean cost of an answer that was not `unknown`.
    pub cost: f64,
    /// Share of samples that were answered `unknown` for being below their threshold.
    pub unsure: f64,
    /// Share of right ones among the answers of a class; none where there was no answer.
    pub precision: BTreeMap<String, Option<f64>>,
}

impl DecidedRecord {
    /// Writes outcomes down with the names of the classes.
    pub fn new(outcomes: Outcomes, classes: &[String]) -> Self {
        let Outcomes { cost, unsure, precision } = outcomes;
        Self { cost, unsure, precision: classes.iter().cloned().zip(precision).collect() }
    }

    /// For people.
    pub fn words(&self) -> String {
        let each = self.precision.iter().filter_map(|(class, p)| Some((class, (*p)?)));
        let each: Vec<String> = each.map(|(class, p)| format!("{class} {:.1} %", 100.0 * p)).collect();
        format!(
            "as it answers: mean cost {:.4}, {:.1} % unknown, right among the answers: {}",
            self.cost,
            100.0 * self.unsure,
            each.join(", ")
        )
    }
}
