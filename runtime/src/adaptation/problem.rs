//! The numbers of one adaptation: a snapshot as the trainer wants it, the head in service on the same samples, and what
//! came out as a record. Pure: knows neither store nor clock.

mod nuisance;

use std::collections::HashMap;

use acclimate_trainer::domain::{self, Nuisance, fit_without};
use acclimate_trainer::{
    Behind, Candidate, Decision, Evaluation, FORGOTTEN, FitOptions, InService, JudgeInput, Kind, LearningCurve,
    Outcome, Prior, Samples, Verdict, fit_within, judge, select,
};
use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::{AdaptError, Options, Rule};
use crate::group::{GroupBy, groups};
use crate::head_file::{Fixed, HeadFile};
use crate::record::{AdaptationRecord, CandidateRecord, EvaluationRecord, LearningCurveRecord, Seconds};
use crate::store::{Generation, LeaveOut, Marks, SampleId, Snapshot, StoreError, StoredHead, Tasks};

/// What is said of a candidate that does without directions, as a token and in words.
const NUISANCE: (&str, &str) =
    ("nuisance_left_out", "it does not use the direction in which everything moved when what is sensed changed");

/// A snapshot, with classes that have no sample left out, unless heads are to keep them.
pub(super) struct Problem<'a> {
    snapshot: &'a Snapshot,
    features: Array2<f32>,
    /// Names of the classes, in the task's order.
    pub(super) names: Vec<String>,
    /// Those that have samples, as indices into `names`.
    seen: Vec<usize>,
    /// Of each sample, as an index into `names`.
    labels: Vec<usize>,
    groups: Vec<usize>,
    group_by: GroupBy,
}

/// The head in service, or one that is to be, scored on a problem's samples.
pub(super) struct Service {
    /// None of one that is not here yet.
    head: Option<StoredHead>,
    /// `[n, classes of the head]`: kept leave-out scores where it was fitted on the sample, else plain ones; not finite
    /// where a fitted sample's score was not kept.
    probabilities: Array2<f64>,
    fitted_on: Vec<bool>,
    /// `[n]`: labelled, or relabelled, since it was fitted.
    new: Vec<bool>,
    /// The problem's class for each class of the head.
    classes: Vec<usize>,
}

/// Fitted candidates and the one that goes before the judge.
pub(super) struct Proposal {
    candidates: Vec<Candidate>,
    /// Kinds that there was no time for.
    pub(super) skipped: Vec<Kind>,
    /// Kinds that some of the samples showed to be behind.
    pub(super) behind: Vec<Behind>,
    selected: usize,
    /// Which were asked for, and know all the classes.
    eligible: Vec<bool>,
    /// Leave-out probabilities of the yardstick of a first head, `[n, names]`.
    prototype: Array2<f64>,
    /// What the candidates do without.
    nuisance: Option<Nuisance>,
}

impl Proposal {
    pub(super) fn selected(&self) -> &Candidate {
        &self.candidates[self.selected]
    }

    /// The directions that its heads do not use, if they are to do without any.
    pub(super) fn nuisance(&self) -> Option<&Nuisance> {
        self.nuisance.as_ref()
    }

    /// The candidates that were asked for.
    pub(super) fn into_eligible(self) -> Vec<Candidate> {
        self.candidates.into_iter().zip(self.eligible).filter_map(|(one, asked)| asked.then_some(one)).collect()
    }

    /// With the candidate of this kind selected, if there is one.
    pub(super) fn choosing(mut self, kind: Kind) -> Option<Self> {
        self.selected = self.candidates.iter().position(|candidate| candidate.head.kind == kind)?;
        Some(self)
    }
}

impl<'a> Problem<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, group_by: Option<GroupBy>) -> Self {
        let mut place = vec![None; snapshot.classes.len()];
        let (mut names, mut seen) = (Vec::new(), Vec::new());
        for (class, name) in snapshot.classes.iter().enumerate() {
            let has_samples = snapshot.labels.contains(&class);
            if has_samples {
                seen.push(names.len());
            }
            if has_samples || snapshot.classes_only {
                place[class] = Some(names.len());
                names.push(name.clone());
            }
        }
        Self {
            seen,
            features: snapshot.features(),
            labels: snapshot.labels.iter().filter_map(|&label| place[label]).collect(),
            groups: group_by.map_or_else(|| snapshot.groups(), |by| groups(&snapshot.group_inputs, by)),
            group_by: group_by.unwrap_or(snapshot.group_by),
            names,
            snapshot,
        }
    }

    /// Fits what may start, and selects; nothing where there are no samples, or of one class only in a task that knows others.
    /// `without` directions, nothing also where no kind asked for can do without.
    pub(super) fn propose(
        &self,
        options: &Options,
        shipped: Option<&StoredHead>,
        without: Option<&Nuisance>,
        may_start: &mut dyn FnMut(Kind, f64) -> bool,
    ) -> Result<Option<Proposal>, AdaptError> {
        let one_class = self.seen.len() == 1;
        if self.seen.is_empty() || one_class && self.snapshot.classes.len() > 1 {
            return Ok(None);
        }
        let labels: Vec<usize> = self.labels.iter().filter_map(|label| self.seen.binary_search(label).ok()).collect();
        let samples = Samples::new(self.features.view(), &labels, &self.groups, self.seen.len())?;
        let samples = samples.with_norms(&self.snapshot.norms).with_quantisation(self.snapshot.quantisation);
        let mut kinds = options.kinds.clone();
        kinds.push(Kind::Prototype);
        let prior = shipped.map(|shipped| self.prior(&shipped.file));
        let Fixed { gamma, lambda, precision: _, weighting } = options.fixed;
        let fitting = FitOptions { kinds, gamma, lambda, weighting, prior, seed: 0, threads: options.threads };
        let fitted = match without {
            Some(nuisance) => fit_without(&samples, nuisance, &fitting, may_start)?,
            None => fit_within(&samples, &fitting, may_start)?,
        };
        let candidates = fitted.candidates;
        // Where classes without samples are to be kept, only what starts from the model's own classifier has them all.
        let asked = |candidate: &&Candidate| {
            (one_class || options.kinds.contains(&candidate.head.kind)) && candidate.head.classes() == self.names.len()
        };
        let mask: Vec<bool> = candidates.iter().map(|candidate| asked(&candidate)).collect();
        let eligible: Vec<Candidate> = candidates.iter().filter(asked).cloned().collect();
        let kind = match eligible.get(select(&eligible)) {
            Some(candidate) => candidate.head.kind,
            None if without.is_some() => return Ok(None),
            None => return Err(AdaptError::NoCandidate { task: self.snapshot.task.clone() }),
        };
        let mut prototype = Array2::zeros((self.labels.len(), self.names.len()));
        let mut selected = 0;
        for (index, candidate) in candidates.iter().enumerate() {
            if candidate.head.kind == kind {
                selected = index;
            }
            if candidate.head.kind == Kind::Prototype {
                for (column, &class) in candidate.leave_out.columns().into_iter().zip(&self.seen) {
                    prototype.column_mut(class).assign(&column);
                }
            }
        }
        let nuisance = without.cloned();
        Ok(Some(Proposal {
            candidates,
            skipped: fitted.skipped,
            behind: fitted.behind,
            selected,
            eligible: mask,
            prototype,
            nuisance,
        }))
    }

    /// What more labels would buy; none where nothing can be told apart, or `may_start` says no.
    pub(super) fn learning_curve(
        &self,
        threads: usize,
        may_start: &mut dyn FnMut(f64) -> bool,
    ) -> Result<Option<LearningCurveRecord>, AdaptError> {
        if self.seen.len() < 2 {
            return Ok(None);
        }
        let labels: Vec<usize> = self.labels.iter().filter_map(|label| self.seen.binary_search(label).ok()).collect();
        let samples = Samples::new(self.features.view(), &labels, &self.groups, self.seen.len())?;
        let names: Vec<&str> = self.seen.iter().map(|&class| self.names[class].as_str()).collect();
        Ok(match LearningCurve::measure(&samples, 0, threads, may_start) {
            Ok(curve) => Some(LearningCurveRecord::new(&curve)),
            // Advice is no reason to come to no verdict.
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no learning curve");
                LearningCurveRecord::missing(&error, &names)
            }
        })
    }

    /// The model's own classifier, with this problem's classes.
    fn prior(&self, file: &HeadFile) -> Prior {
        let HeadFile { classes, head, .. } = file;
        let mut prior = Prior {
            weights: Array2::zeros((self.names.len(), head.dim())),
            bias: Array1::zeros(self.names.len()),
            knows: vec![false; self.names.len()],
            of_samples: self.seen.clone(),
        };
        for (class, name) in self.names.iter().enumerate() {
            let own = classes.iter().position(|known| known == name);
            if let Some((own, linear)) = own.zip(head.linear()) {
                prior.weights.row_mut(class).assign(&linear.weights.row(own));
                prior.bias[class] = linear.bias[own];
                prior.knows[class] = true;
            }
        }
        prior
    }

    /// The verdict on a proposal; without one, that there is too little to judge.
    pub(super) fn judge(
        &self,
        proposal: Option<&Proposal>,
        service: Option<&Service>,
        trust_labels: bool,
    ) -> Result<Verdict, AdaptError> {
        // Without a proposal, a single class is one of several that the task knows.
        let classes = if proposal.is_some() { self.names.len() } else { self.names.len().max(2) };
        let none = Array2::zeros((self.labels.len(), classes));
        let every_one = vec![true; self.labels.len()];
        let verdict = judge(&JudgeInput {
            candidate: proposal.map_or(none.view(), |proposal| proposal.selected().leave_out.view()),
            labels: &self.labels,
            groups: &self.groups,
            classes,
            ungrouped: proposal.is_some_and(|proposal| proposal.selected().ungrouped),
            new: service.map_or(&every_one, |service| &service.new),
            prototype: proposal.map_or(none.view(), |proposal| proposal.prototype.view()),
            in_service: service.map(Service::as_input),
            trust_labels,
        })?;
        // Of classes that are kept without samples nothing was shown.
        Ok(Verdict { unproved: verdict.unproved || self.unshown().is_some(), ..verdict })
    }

    /// The verdict on a head that was fitted elsewhere, on the samples that it can be judged on fairly.
    pub(super) fn judge_foreign(
        &self,
        foreign: &Service,
        service: Option<&Service>,
        options: &Options,
    ) -> Result<Verdict, AdaptError> {
        let fair = foreign.as_input().fair(&self.groups);
        let rows: Vec<usize> = (0..fair.len()).filter(|&row| fair[row]).collect();
        let pick = |values: &[usize]| rows.iter().map(|&row| values[row]).collect::<Vec<_>>();
        let classes = self.names.len().max(1);
        let mut candidate = Array2::zeros((rows.len(), classes));
        for (mut to, &from) in candidate.outer_iter_mut().zip(&rows) {
            for (&class, &p) in foreign.classes.iter().zip(foreign.probabilities.row(from)) {
                if class != FORGOTTEN {
                    to[class] = p;
                }
            }
        }
        let served = service.map(|service| {
            let fitted_on: Vec<bool> = rows.iter().map(|&row| service.fitted_on[row]).collect();
            (service.probabilities.select(Axis(0), &rows), fitted_on, &service.classes)
        });
        let (labels, groups) = (pick(&self.labels), pick(&self.groups));
        let new = vec![true; rows.len()];
        let judged = |prototype: Array2<f64>| {
            judge(&JudgeInput {
                candidate: candidate.view(),
                labels: &labels,
                groups: &groups,
                classes,
                ungrouped: false,
                new: &new,
                prototype: prototype.view(),
                in_service: served.as_ref().map(|(probabilities, fitted_on, classes)| InService {
                    probabilities: probabilities.view(),
                    fitted_on,
                    classes,
                }),
                trust_labels: false,
            })
        };
        let verdict = judged(Array2::zeros((rows.len(), classes)))?;
        // The yardstick is a fit, and is not asked where there is a head in service to compare with.
        if verdict.comparison.is_some() || verdict.outcome == Outcome::NotEnoughSamples {
            return Ok(verdict);
        }
        match self.yardstick(options)? {
            Some(all) => Ok(judged(all.select(Axis(0), &rows))?),
            None => Ok(verdict),
        }
    }

    /// Leave-out probabilities `[n, names]` of the yardstick of a first head, where it can be fitted.
    fn yardstick(&self, options: &Options) -> Result<Option<Array2<f64>>, AdaptError> {
        if self.seen.len() < 2 {
            return Ok(None);
        }
        let options = Options { kinds: vec![Kind::Prototype], ..options.clone() };
        match self.propose(&options, None, None, &mut |_, _| true) {
            Ok(proposal) => Ok(proposal.map(|proposal| proposal.prototype)),
            Err(AdaptError::NoCandidate { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// This problem's class for each class of a head.
    fn places_of(&self, classes: &[String]) -> Vec<usize> {
        let place = |name: &String| self.names.iter().position(|known| known == name).unwrap_or(FORGOTTEN);
        classes.iter().map(place).collect()
    }

    /// How a candidate is to answer, and the precision that its thresholds are made for.
    pub(super) fn decide(
        &self,
        rule: &Rule,
        before: Option<&HeadFile>,
        candidate: &Candidate,
    ) -> Result<(Decision, Option<f64>), AdaptError> {
        Ok(rule.decide(before, &self.names, candidate, &self.labels)?)
    }

    /// How good a candidate is on samples it was not fitted on; of one class there is nothing to tell apart.
    pub(super) fn evaluate(&self, candidate: &Candidate) -> Result<Option<Evaluation>, AdaptError> {
        if self.names.len() < 2 {
            return Ok(None);
        }
        let probabilities = candidate.leave_out.view();
        Ok(Some(Evaluation::new(probabilities, &self.labels, &candidate.groups, candidate.ungrouped)?))
    }

    /// Whether labels that neither head was fitted on speak against the adjustment of one to the other, whose classes are
    /// the same.
    pub(super) fn speaks_against(&self, before: &Service, adjusted: &Service) -> bool {
        let [fair, also] = [before, adjusted].map(|service| service.as_input().fair(&self.groups));
        let known = |row: usize| adjusted.classes.iter().position(|&class| class == self.labels[row]);
        let (rows, labels): (Vec<usize>, Vec<usize>) = (0..self.labels.len())
            .filter(|&row| adjusted.new[row] && fair[row] && also[row])
            .filter_map(|row| Some((row, known(row)?)))
            .unzip();
        let [before, adjusted] = [before, adjusted].map(|service| service.probabilities.select(Axis(0), &rows));
        let groups: Vec<usize> = rows.iter().map(|&row| self.groups[row]).collect();
        !rows.is_empty() && domain::contradicted(before.view(), adjusted.view(), &labels, &groups)
    }

    /// How good the head in service is on the samples that it can be compared on fairly.
    fn evaluate_service(
        &self,
        service: &Service,
        proposal: Option<&Proposal>,
    ) -> Result<Option<Evaluation>, AdaptError> {
        let fair = service.as_input().fair(&self.groups);
        let rows: Vec<usize> = (0..fair.len()).filter(|&row| fair[row]).collect();
        if rows.is_empty() || self.names.len() < 2 {
            return Ok(None);
        }
        let pick = |values: &[usize]| rows.iter().map(|&row| values[row]).collect::<Vec<_>>();
        let mut probabilities = Array2::zeros((rows.len(), self.names.len()));
        for (mut to, from) in probabilities.rows_mut().into_iter().zip(&rows) {
            for (&class, &p) in service.classes.iter().zip(service.probabilities.row(*from)) {
                if class != FORGOTTEN {
                    to[class] = p;
                }
            }
        }
        let ungrouped = proposal.is_some_and(|proposal| proposal.selected().ungrouped);
        Ok(Some(Evaluation::new(probabilities.view(), &pick(&self.labels), &pick(&self.groups), ungrouped)?))
    }

    /// Samples per class.
    pub(super) fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.names.len()];
        self.labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }

    /// Sizes of the groups, largest first.
    pub(super) fn group_sizes(&self) -> Vec<usize> {
        let mut sizes: HashMap<usize, usize> = HashMap::new();
        self.groups.iter().for_each(|&group| *sizes.entry(group).or_default() += 1);
        let mut sizes: Vec<usize> = sizes.into_values().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    }

    /// Advice where the task keeps classes that have no sample: no score can tell what a new head does to them.
    fn unshown(&self) -> Option<String> {
        let unshown: Vec<&str> =
            (0..self.names.len()).filter(|class| !self.seen.contains(class)).map(|c| self.names[c].as_str()).collect();
        (!unshown.is_empty() && !self.seen.is_empty()).then(|| {
            format!(
                "label samples of {}: the task keeps the model's classes, and nothing shows what a new head does to {}",
                some_of(&unshown),
                if unshown.len() == 1 { "this one".to_owned() } else { format!("these {}", unshown.len()) }
            )
        })
    }

    /// Everything there is to say about an adaptation, but its generation and its seconds.
    pub(super) fn record(
        &self,
        task: &str,
        verdict: &Verdict,
        proposal: Option<&Proposal>,
        service: Option<&Service>,
    ) -> Result<AdaptationRecord, AdaptError> {
        let selected = proposal.map(Proposal::selected);
        let evaluation = selected.map(|candidate| self.evaluate(candidate)).transpose()?.flatten();
        let in_service = service.map(|service| self.evaluate_service(service, proposal)).transpose()?.flatten();
        let write = |evaluation: &Evaluation| EvaluationRecord::new(evaluation, &self.names);
        let without = proposal.and_then(Proposal::nuisance).map(|_| NUISANCE);
        Ok(AdaptationRecord {
            task: task.to_owned(),
            verdict: token(verdict.outcome).to_owned(),
            unproved: verdict.unproved,
            reasons: verdict
                .reasons
                .iter()
                .map(acclimate_trainer::Reason::token)
                .chain(without.map(|(token, _)| token))
                .map(str::to_owned)
                .collect(),
            because: verdict
                .reasons
                .iter()
                .map(|reason| reason.to_words(&self.names))
                .chain(without.map(|(_, words)| words.to_owned()))
                .collect(),
            next: verdict
                .next
                .iter()
                .map(|advice| advice.to_words(&self.names))
                .chain(service.and_then(Service::head).and_then(|head| lost(&head.file.classes, &self.names)))
                .chain(self.unshown())
                .collect(),
            generation: None,
            head: selected.map(|candidate| candidate.head.kind.to_string()),
            lambda: selected.and_then(|candidate| candidate.head.lambda),
            samples: self.labels.len(),
            classes: self.names.clone(),
            groups: self.group_sizes().len(),
            group_by: self.group_by.token().to_owned(),
            ungrouped: selected.is_some_and(|candidate| candidate.ungrouped),
            evaluation: evaluation.as_ref().map(write),
            in_service: in_service.as_ref().map(write),
            taken_back: None,
            nuisance: proposal.and_then(Proposal::nuisance).map(|nuisance| nuisance.directions().nrows()),
            proved: None,
            comparison: verdict.comparison.map(Into::into),
            candidates: proposal.map_or_else(Vec::new, |proposal| {
                let records = proposal.candidates.iter().enumerate();
                let records = records.map(|(index, one)| CandidateRecord::new(one, index == proposal.selected));
                records.collect()
            }),
            learning_curve: None,
            seconds: Seconds::default(),
        })
    }
}

impl Service {
    fn as_input(&self) -> InService<'_> {
        InService { probabilities: self.probabilities.view(), fitted_on: &self.fitted_on, classes: &self.classes }
    }

    /// The head, where it is here.
    pub(super) fn head(&self) -> Option<&StoredHead> {
        self.head.as_ref()
    }

    /// Its number, where it is here.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.head().map(|head| head.generation)
    }

    /// Scores a head of the store with the leave-out scores that are kept there, as [`Service::new`] does.
    pub(super) fn stored(
        tasks: &Tasks,
        problem: &Problem<'_>,
        snapshot: &Snapshot,
        head: StoredHead,
    ) -> Result<Self, StoreError> {
        let kept = tasks.leave_out(&snapshot.task, head.generation)?;
        Ok(Self::new(problem, snapshot, &kept, head))
    }

    /// Scores a head: a kept leave-out score stands for every sample it was fitted on. `snapshot` has the
    /// problem's samples with the features that the head reads. Of another device's head, what it was fitted on has no score.
    pub(super) fn new(problem: &Problem<'_>, snapshot: &Snapshot, kept: &[LeaveOut], head: StoredHead) -> Self {
        let kept: HashMap<SampleId, &LeaveOut> = kept.iter().map(|score| (score.sample, score)).collect();
        let contained = if head.watermark.is_some() {
            vec![false; snapshot.len()]
        } else {
            contained(snapshot, &head.file, head.installed.as_ref().and_then(|of| of.samples.as_ref()))
        };
        let mut probabilities = head.file.head.batch(snapshot.features().view(), Some(&snapshot.norms));
        let mut fitted_on = Vec::with_capacity(snapshot.len());
        let mut new = Vec::with_capacity(snapshot.len());
        for (((id, &label_seq), contained), mut row) in
            snapshot.ids.iter().zip(&snapshot.label_seqs).zip(contained).zip(probabilities.axis_iter_mut(Axis(0)))
        {
            let later = head.watermark.is_none_or(|watermark| watermark.is_before(label_seq));
            let score = kept.get(id).map(|score| score.probabilities.iter().map(|&p| f64::from(p)).collect::<Vec<_>>());
            match &score {
                Some(score) if score.len() == row.len() => row.assign(&ArrayView1::from(score)),
                Some(_) => row.fill(f64::NAN),
                None if !later || contained => row.fill(f64::NAN),
                None => {}
            }
            fitted_on.push(score.is_some() || !later || contained);
            new.push(later);
        }
        let classes = problem.places_of(&head.file.classes);
        Self { head: Some(head), probabilities, fitted_on, new, classes }
    }

    /// Scores a head that is not here yet.
    pub(super) fn of_another(
        problem: &Problem<'_>,
        snapshot: &Snapshot,
        file: &HeadFile,
        marks: Option<&Marks>,
    ) -> Self {
        let mut probabilities = file.head.batch(snapshot.features().view(), Some(&snapshot.norms));
        let fitted_on = contained(snapshot, file, marks);
        for ((mut row, &fitted), norm) in probabilities.outer_iter_mut().zip(&fitted_on).zip(&snapshot.norms) {
            if fitted {
                row.fill(f64::NAN);
            } else if norm.is_finite() && !row.iter().all(|p| p.is_finite()) {
                // Numbers beyond all bounds are an answer that is never right, and not none.
                row.fill(0.0);
            }
        }
        let new = vec![true; snapshot.len()];
        Self { head: None, probabilities, fitted_on, new, classes: problem.places_of(&file.classes) }
    }
}

/// `[n]`: which samples a head that was fitted elsewhere was fitted on: those that are marked, or all where it says that its
/// statistics were just these.
fn contained(snapshot: &Snapshot, file: &HeadFile, marks: Option<&Marks>) -> Vec<bool> {
    let all = file.provenance.statistics.is_some_and(|digest| !snapshot.is_empty() && digest == snapshot.digest().0);
    snapshot.ids.iter().map(|id| all || marks.is_some_and(|marks| marks.has(id))).collect()
}

/// Advice where the head in service knows classes that the candidate does not, for want of samples.
fn lost(known: &[String], names: &[String]) -> Option<String> {
    let lost: Vec<&str> = known.iter().filter(|class| !names.contains(class)).map(String::as_str).collect();
    (!lost.is_empty()).then(|| {
        format!(
            "label samples of {}: the head in service knows {} that the new one does not, for want of samples",
            some_of(&lost),
            if lost.len() == 1 { "a class".to_owned() } else { format!("{} classes", lost.len()) }
        )
    })
}

/// The first few names.
fn some_of(names: &[&str]) -> String {
    const NAMED: usize = 5;
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}

/// The verdict's name in JSON and in the store.
pub(super) fn token(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Activated => "activated",
        Outcome::NotEnoughSamples => "not_enough_samples",
        Outcome::Rejected => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_would_be_lost_are_named() {
        let names = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        assert_eq!(lost(&names(&["a", "b"]), &names(&["b", "a", "c"])), None);
        let said = lost(&names(&["a", "b"]), &names(&["b"])).unwrap_or_default();
        assert_eq!(
            said,
            "label samples of a: the head in service knows a class that the new one does not, for want of samples"
        );
        let many = lost(&names(&["a", "b", "c", "d", "e", "f", "g"]), &[]).unwrap_or_default();
        assert!(many.starts_with("label samples of a, b, c, d, e, …: the head in service knows 7 classes"), "{many}");
    }
}
