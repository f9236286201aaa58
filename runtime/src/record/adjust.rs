//! What `adjust` prints.

use serde::{Deserialize, Serialize};

/// Whether a head was adjusted to samples without labels.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AdjustRecord {
    /// The task.
    pub task: String,
    /// `activated`, `rejected` or `not_enough_samples`.
    pub verdict: String,
    /// Why: `drift`, `no_drift`, `not_adjustable` or `too_few_groups`.
    pub reasons: Vec<String>,
    /// Number of the adjusted head.
    pub generation: Option<u32>,
    /// The fitted head that it is made from; an adjusted one is never adjusted again.
    pub from: u32,
    /// Kind of head.
    pub head: String,
    /// Inputs without labels.
    pub inputs: usize,
    /// Groups among them: near-duplicates and windows of one recording count once.
    pub groups: usize,
    /// Groups of what the head was learnt on; none where nothing was compared.
    pub learnt_groups: Option<usize>,
    /// Chance of a difference like this or larger where nothing changed; none of too few groups.
    pub p: Option<f64>,
    /// The head is adjusted where `p` is below this.
    pub level: f64,
    /// Inputs that the adjusted head takes for another class than the head before.
    pub changed: Option<usize>,
}

impl AdjustRecord {
    /// In words.
    pub fn words(&self) -> String {
        let Self { task, generation, from, inputs, groups, learnt_groups, level, .. } = self;
        let p =
            self.p.map_or_else(String::new, |p| if p < 0.001 { format!("p = {p:.0e}") } else { format!("p = {p:.3}") });
        let compared = format!(
            "{inputs} without labels ({groups} groups) against {} groups that generation {from} was learnt on: \
             {p}, unlike them below {level}",
            learnt_groups.unwrap_or(0)
        );
        match (generation, self.reasons.first().map(String::as_str)) {
            (Some(generation), _) => format!(
                "activated (unproved): generation {generation}, {} adjusted from generation {from}\n{compared}\n{} of them are \
                 taken for another class than before\nnext: label some of them and `acclimate adapt {task}`: labels that \
                 disagree take it back, and so does `acclimate head rollback {task}`",
                self.head,
                self.changed.unwrap_or(0)
            ),
            (None, Some("too_few_groups")) => {
                format!(
                    "not enough samples: {inputs} without labels fill too few groups that differ\nnext: name more, of other moments"
                )
            }
            (None, Some("not_adjustable")) => format!(
                "rejected: a {} head acts on raw features and cannot be adjusted\nnext: label some of them and adapt",
                self.head
            ),
            (None, _) => format!("rejected: there is nothing to adjust to\n{compared}"),
        }
    }
}
