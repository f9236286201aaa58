//! How a new head is to answer: what a person says now, else what the head before does. Knows nothing of fitting.

use std::path::{Path, PathBuf};

use acclimate_trainer::{Candidate, Decision, DecisionError};
use ndarray::Array2;

use crate::head_file::HeadFile;

/// What a person says about answers; what is left open stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// What answers cost.
    pub costs: Option<Costs>,
    /// The precision that every class' answers are to keep; 0 for no thresholds.
    pub precision: Option<f64>,
    /// Thresholds: of a class, or of all that are not named.
    pub thresholds: Vec<(Option<String>, f64)>,
}

/// What each answer costs for each class, by name; of no class, where mistakes cost the same again.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    classes: Vec<String>,
    matrix: Array2<f64>,
}

/// Why a rule is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A class of the head that the costs do not know.
    #[error("the costs lack class `{class}`: give it a row and a column")]
    NoCost {
        /// The class.
        class: String,
    },
    /// A class that the head does not know.
    #[error("there is no class `{class}` to set a threshold for, expected one of {known}")]
    NoClass {
        /// The name.
        class: String,
        /// The classes.
        known: String,
    },
    /// Numbers that are no rule.
    #[error("could not use the costs or thresholds")]
    Numbers(#[from] DecisionError),
    /// A file of costs that could not be read.
    #[error("could not read costs from {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A file of costs that is no table of classes.
    #[error(
        "{}, line {line}: {found}; expected a header `label,CLASS,CLASS,…` and a line `CLASS,COST,COST,…` for each class: \
         what it costs to answer the column's class where the line's is right",
        path.display()
    )]
    Table {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is there.
        found: String,
    },
}

impl Costs {
    /// Every mistake costs the same.
    pub fn none() -> Self {
        Self { classes: Vec::new(), matrix: Array2::zeros((0, 0)) }
    }

    /// Reads a CSV file: a header of class names behind one cell that says anything, and a line for each class.
    ///
    /// # Errors
    /// It cannot be read, or it is no such table.
    pub fn read(path: &Path) -> Result<Self, RuleError> {
        let failed = |source| RuleError::Read { path: path.into(), source };
        let wrong = |line: usize, found: String| RuleError::Table { path: path.into(), line, found };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_path(path).map_err(failed)?;
        let classes: Vec<String> = reader.headers().map_err(failed)?.iter().skip(1).map(str::to_owned).collect();
        let mut matrix = Array2::from_elem((classes.len(), classes.len()), f64::NAN);
        for (index, row) in reader.records().enumerate() {
            let (row, line) = (row.map_err(failed)?, index + 2);
            let name = row.get(0).unwrap_or_default();
            let label = classes.iter().position(|class| class == name);
            let label = label.ok_or_else(|| wrong(line, format!("the header has no class `{name}`")))?;
            if row.len() != classes.len() + 1 {
                return Err(wrong(line, format!("{} costs for {} classes", row.len() - 1, classes.len())));
            }
            for (cost, word) in matrix.row_mut(label).iter_mut().zip(row.iter().skip(1)) {
                *cost = word.parse().map_err(|_| wrong(line, format!("`{word}` is no number")))?;
            }
        }
        match matrix.outer_iter().position(|row| row.iter().any(|cost| cost.is_nan())) {
            Some(label) => Err(wrong(classes.len() + 1, format!("there is no line for class `{}`", classes[label]))),
            None if classes.is_empty() => Err(wrong(1, "no classes".to_owned())),
            None => Ok(Self { classes, matrix }),
        }
    }

    /// For these classes; of one that is not known here, mistakes cost 1 if they may be missing.
    fn of(&self, names: &[String], may_miss: bool) -> Result<Option<Array2<f64>>, RuleError> {
        if self.classes.is_empty() {
            return Ok(None);
        }
        let place: Vec<Option<usize>> =
            names.iter().map(|name| self.classes.iter().position(|class| class == name)).collect();
        if let Some(missing) = place.iter().position(Option::is_none).filter(|_| !may_miss) {
            return Err(RuleError::NoCost { class: names[missing].clone() });
        }
        Ok(Some(Array2::from_shape_fn((names.len(), names.len()), |(label, answer)| {
            match (place[label], place[answer]) {
                (Some(label), Some(answer)) => self.matrix[(label, answer)],
                _ => f64::from(label != answer),
            }
        })))
    }
}

impl Rule {
    /// The rule for a candidate for classes of these names, with labels `[n]` of the samples it was fitted on; and the
    /// precision its thresholds are made for. `before` is the head whose rule goes on where this one says nothing.
    pub(super) fn decide(
        &self,
        before: Option<&HeadFile>,
        names: &[String],
        candidate: &Candidate,
        labels: &[usize],
    ) -> Result<(Decision, Option<f64>), RuleError> {
        if names.len() < 2 {
            return Ok((Decision::default(), None));
        }
        let costs = match (&self.costs, before.and_then(|head| Some((head, head.decision.costs()?)))) {
            (Some(costs), _) => costs.of(names, false)?,
            (None, Some((head, matrix))) => {
                Costs { classes: head.classes.clone(), matrix: matrix.clone() }.of(names, true)?
            }
            (None, None) => None,
        };
        let mut precision = self.precision;
        let mut thresholds = vec![0.0; names.len()];
        if precision.is_none() && self.thresholds.is_empty() {
            if let Some(head) = before {
                precision = head.provenance.fixed.precision;
                let known = head.classes.iter().zip(head.decision.thresholds().unwrap_or_default());
                for (class, &threshold) in known {
                    if let Some(place) = names.iter().position(|name| name == class) {
                        thresholds[place] = threshold;
                    }
                }
            }
        } else {
            self.set(&mut thresholds, names)?;
        }
        precision = precision.filter(|&precision| precision != 0.0);
        if let Some(precision) = precision {
            let plain = Decision::new(names.len(), costs, None)?;
            return Ok((plain.with_precision(precision, candidate.leave_out.view(), labels)?, Some(precision)));
        }
        let thresholds = thresholds.iter().any(|&threshold| threshold != 0.0).then_some(thresholds);
        Ok((Decision::new(names.len(), costs, thresholds)?, None))
    }

    fn set(&self, thresholds: &mut [f64], names: &[String]) -> Result<(), RuleError> {
        for (_, threshold) in self.thresholds.iter().filter(|(class, _)| class.is_none()) {
            thresholds.fill(*threshold);
        }
        for (class, threshold) in &self.thresholds {
            let Some(class) = class else { continue };
            match names.iter().position(|name| name == class) {
                Some(place) => thresholds[place] = *threshold,
                None => return Err(RuleError::NoClass { class: class.clone(), known: names.join(", ") }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Costs, RuleError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Costs::read(file.path())
    }

    #[test]
    fn costs_are_found_by_name_and_a_class_without_them_is_named() {
        let costs = read("label, ok, scratch\nscratch, 10, 0\nok, 0, 1\n").unwrap();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let of = costs.of(&names(&["scratch", "ok"]), false).unwrap().unwrap();
        assert_eq!(of, ndarray::array![[0.0, 10.0], [1.0, 0.0]]);
        let more = names(&["ok", "dent"]);
        assert_eq!(
            costs.of(&more, false).unwrap_err().to_string(),
            "the costs lack class `dent`: give it a row and a column"
        );
        assert_eq!(costs.of(&more, true).unwrap().unwrap(), ndarray::array![[0.0, 1.0], [1.0, 0.0]]);
        assert_eq!(Costs::none().of(&more, false).unwrap(), None);
    }

    #[test]
    fn what_is_no_table_of_costs_is_named_with_its_line() {
        let complaint = |text: &str| read(text).unwrap_err().to_string();
        assert!(complaint("label,a,b\na,0,1\nc,1,0\n").contains("line 3: the header has no class `c`"));
        assert!(complaint("label,a,b\na,0,x\nb,1,0\n").contains("line 2: `x` is no number"));
        assert!(complaint("label,a,b\na,0\nb,1,0\n").contains("line 2: 1 costs for 2 classes"));
        assert!(complaint("label,a,b\na,0,1\n").contains("there is no line for class `b`"));
    }
}
