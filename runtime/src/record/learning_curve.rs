//! What more labels would buy, as JSON and in words.

use acclimate_trainer::{CurveError, Estimate, Forecast, LearningCurve, WORTH};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where every sample is a group of its own, groups are called labels; so they are where nearly all are.
const NEARLY_ALL: f64 = 0.9;

/// The learning curve of a task's samples.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct LearningCurveRecord {
    /// `worth`: some more gain two points; `flat`: more gain little; `untold`: too uncertain; `too_few_groups`: nothing was
    /// measured.
    pub forecast: String,
    /// The same in words.
    pub words: String,
    /// Accuracy of a ridge on samples in groups that it was not fitted on, by how much it was fitted on.
    pub points: Vec<CurvePointRecord>,
    /// More groups for two points of accuracy; none where no number is enough.
    pub groups_for_two_points: Option<EstimateRecord>,
    /// Points of accuracy, as a share, that twice as many groups gain.
    pub gain_of_twice: Option<EstimateRecord>,
    /// The same of 100 groups more.
    pub gain_of_100: Option<EstimateRecord>,
}

/// Accuracy at one size.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct CurvePointRecord {
    /// Groups fitted on, mean.
    pub groups: f64,
    /// Samples fitted on, mean.
    pub samples: f64,
    /// Share of the others classified as labelled.
    pub accuracy: f64,
    /// Its standard error, clustered by group.
    pub standard_error: f64,
}

/// A number and between what it lies.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct EstimateRecord {
    /// As likely too high as too low.
    pub median: f64,
    /// 95 % interval; an end that is missing is unbounded.
    pub interval: [Option<f64>; 2],
}

impl EstimateRecord {
    fn new(estimate: Estimate) -> Option<Self> {
        let finite = |x: f64| x.is_finite().then_some(x);
        let (low, high) = estimate.interval;
        finite(estimate.median).map(|median| Self { median, interval: [finite(low), finite(high)] })
    }
}

impl LearningCurveRecord {
    /// Writes a curve down.
    pub fn new(curve: &LearningCurve) -> Self {
        let forecast = curve.forecast();
        let (token, words) = match forecast {
            Forecast::Flat { per_hundred } => (
                "flat",
                format!(
                    "more labels buy little: 100 more gain about {:.1} points ({})",
                    100.0 * per_hundred.median,
                    between(per_hundred.interval, |gain| format!("{:.1}", 100.0 * gain))
                ),
            ),
            Forecast::Untold { doubled } => (
                "untold",
                format!(
                    "what more labels would buy cannot be told yet: twice as many gain {} points",
                    between(doubled.interval, |gain| format!("{:.0}", 100.0 * gain))
                ),
            ),
            Forecast::Worth { groups } => {
                let each = curve.samples as f64 / curve.groups as f64;
                let labels = if each * NEARLY_ALL < 1.0 {
                    "labels".to_owned()
                } else {
                    format!("groups ({:.0} labels)", rounded(groups.median * each))
                };
                (
                    "worth",
                    format!(
                        "about {:.0} more {labels} for +{:.0} points ({})",
                        rounded(groups.median),
                        100.0 * WORTH,
                        between(groups.interval, |groups| format!("{:.0}", rounded(groups)))
                    ),
                )
            }
        };
        Self {
            forecast: token.to_owned(),
            words,
            points: curve
                .points
                .iter()
                .map(|point| CurvePointRecord {
                    groups: point.groups,
                    samples: point.samples,
                    accuracy: point.accuracy,
                    standard_error: point.standard_error,
                })
                .collect(),
            groups_for_two_points: EstimateRecord::new(curve.groups_for(WORTH)),
            gain_of_twice: EstimateRecord::new(curve.gain(curve.groups as f64)),
            gain_of_100: EstimateRecord::new(curve.gain(100.0)),
        }
    }

    /// Why there is no curve, where samples are what is wanting.
    pub fn missing(error: &CurveError, classes: &[&str]) -> Option<Self> {
        let CurveError::TooFewGroups { class, groups } = error else { return None };
        let class = classes.get(*class).copied().unwrap_or("a class");
        let needed = acclimate_trainer::GROUPS_PROVED;
        Some(Self {
            forecast: "too_few_groups".into(),
            words: format!(
                "what more labels would buy cannot be told: {class} has {groups} of the {needed} groups needed"
            ),
            points: Vec::new(),
            groups_for_two_points: None,
            gain_of_twice: None,
            gain_of_100: None,
        })
    }

    /// What was measured, and what follows.
    pub fn explained(&self) -> String {
        let points = self.points.iter().map(|point| {
            format!("{:.0}: {:.1} ± {:.1}", point.samples, 100.0 * point.accuracy, 196.0 * point.standard_error)
        });
        let points: Vec<String> = points.collect();
        if points.is_empty() {
            return format!("learning curve: {}", self.words);
        }
        format!("learning curve of ridge, samples: accuracy in %: {}\n  {}", points.join(", "), self.words)
    }

    /// What to do next: only where a number of labels can be named.
    pub fn next(&self) -> Option<&str> {
        (self.forecast == "worth").then_some(self.words.as_str())
    }
}

/// An interval in words.
fn between((low, high): (f64, f64), write: impl Fn(f64) -> String) -> String {
    if high.is_finite() {
        format!("{} to {}, 95 %", write(low), write(high))
    } else {
        format!("{} or more, 95 %", write(low))
    }
}

/// To two digits, at least 1: more would be a lie.
fn rounded(number: f64) -> f64 {
    let number = number.max(1.0);
    let unit = 10.0_f64.powf((number.log10().floor() - 1.0).max(0.0));
    (number / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_to_two_digits() {
        for (number, said) in [(0.2, 1.0), (7.4, 7.0), (34.6, 35.0), (129.4, 130.0), (1_449.0, 1_400.0)] {
            assert!((rounded(number) - said).abs() < 1e-9, "{number}");
        }
    }

    #[test]
    fn an_end_that_is_unbounded_is_not_said() {
        let write = |x: f64| format!("{x:.0}");
        assert_eq!(between((3.0, 9.0), write), "3 to 9, 95 %");
        assert_eq!(between((3.0, f64::INFINITY), write), "3 or more, 95 %");
        let estimate = Estimate { median: 4.0, interval: (3.0, f64::INFINITY) };
        assert_eq!(EstimateRecord::new(estimate).map(|of| of.interval), Some([Some(3.0), None]));
    }

    #[test]
    fn a_class_with_too_few_groups_is_named() {
        let error = CurveError::TooFewGroups { class: 1, groups: 3 };
        let record = LearningCurveRecord::missing(&error, &["ok", "scratch"]);
        let words = record.as_ref().map_or("", |record| &record.words);
        assert_eq!(words, "what more labels would buy cannot be told: scratch has 3 of the 5 groups needed");
        assert_eq!(record.as_ref().and_then(LearningCurveRecord::next), None);
        assert_eq!(LearningCurveRecord::missing(&CurveError::NoTime, &[]), None);
    }
}
