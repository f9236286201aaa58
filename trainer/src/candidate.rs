//! From samples to candidates: fit each kind, score each sample without its group, calibrate.
//! Knows nothing of the head in service: that is the judge's.
//!
//! Read next: `ridge.rs` (the closed form), `selection.rs` (which candidate is proposed).

use std::cell::OnceCell;

use ndarray::{Array2, ArrayViewMut1, Axis};

use crate::{
    Conformal, FALSE_UNKNOWN_RATE, Head, Kind, Novelty, Prior, Samples, Solution, Weighting, balance, biased,
    calibration,
    centred::Centred,
    coordinates::Coordinates,
    cost::flops,
    discriminant,
    evaluation::most_probable,
    kernel,
    leave_out::LeaveOut,
    log_loss, logistic,
    penalised::IllConditioned,
    prototype::Directions,
    race,
    race::{Behind, Heat},
    ridge,
    samples::SIZES,
    softmax,
    solution::columns,
    spectrum::Spectrum,
};

/// Folds of the cross-validation that selection and logistic regression rest on.
const FOLDS: usize = 10;

/// Orders up to this are solved in f64: that costs little, and single precision would be seen.
const DOUBLE: usize = 256;

/// A fitted head with the evidence for it.
///
/// Every leave-out score comes from a fit without the sample's group. What all share is the penalty and one scalar, the
/// temperature, which were chosen on these very scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The head, fitted on all samples.
    pub head: Head,
    /// Calibrated out-of-sample probabilities, `[n, classes]`, in the samples' order. A class the rest holds no sample
    /// of has probability 0, which [`log_loss`] bounds. The classes are the samples', but the prior's for the kinds
    /// that start from it.
    pub leave_out: Array2<f64>,
    /// Log-loss per sample, `[n]`, in nats, with the sample's whole fold left out: what [`select`](crate::select())
    /// compares. Leaving out less flatters a kind, and not every kind can leave out one group at a time.
    pub fold_losses: Vec<f64>,
    /// How much each sample counts in that comparison, mean 1, `[n]`.
    pub importance: Vec<f64>,
    /// Whether the classes counted alike in the fit. A prototype is the same either way.
    pub balanced: bool,
    /// The group each sample was left out with, `[n]`, numbered from 0: the samples' own, or single ones where
    /// `ungrouped`.
    pub groups: Vec<usize>,
    /// Mean log-loss of `leave_out`, in nats.
    pub log_loss: f64,
    /// Standard error of `log_loss`, clustered by group.
    pub log_loss_se: f64,
    /// Whether a class had fewer than two groups, so that its samples were left out one by one.
    pub ungrouped: bool,
    /// Share of samples whose likeliest class out of sample is their label.
    pub accuracy: f64,
}

/// What to fit and how.
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// The kinds to fit, in any order. Those that start from the model's own classifier are fitted where there is one,
    /// the samples have their norms, and, for [`Kind::Shipped`], it knows all their classes.
    pub kinds: Vec<Kind>,
    /// The penalty of every kind that has one; chosen for each by leave-out log-loss where there is none.
    pub lambda: Option<f64>,
    /// γ of [`Kind::Kernel`]; chosen by leave-out log-loss where there is none.
    pub gamma: Option<f64>,
    /// Whether the classes count alike in the fit.
    pub weighting: Weighting,
    /// The model's own classifier.
    pub prior: Option<Prior>,
    /// Deals groups into folds where a kind needs them.
    pub seed: u64,
    /// Threads to use at most, of which the caller's is one; the result does not depend on it. Whoever also predicts
    /// leaves a core free or runs the fit at a lower priority.
    pub threads: usize,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            kinds: Kind::ALL.to_vec(),
            lambda: None,
            gamma: None,
            weighting: Weighting::Auto,
            prior: None,
            seed: 0,
            threads: 1,
        }
    }
}

/// Why nothing was fitted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A γ that is none.
    #[error("gamma is {gamma}, expected a number from 1e-12 to 1e12")]
    Gamma {
        /// The γ.
        gamma: f64,
    },
    /// A penalty that is none.
    #[error("penalty is {lambda}, expected a number from 1e-12 to 1e12")]
    Lambda {
        /// The penalty.
        lambda: f64,
    },
    /// The eigendecomposition did not converge.
    #[error("eigendecomposition of {rows} samples of dim {dim} did not converge: this is a bug, please report it")]
    NoConvergence {
        /// How many samples.
        rows: usize,
        /// Their dim.
        dim: usize,
    },
    /// No kinds were asked for.
    #[error("no kind of head to fit, expected at least one")]
    NoKinds,
    /// There is nothing to start from.
    #[error("no classifier to start from, or samples without the norms of their features: fit another kind of head")]
    NoPrior,
    /// There is nothing that can be solved for.
    #[error(
        "{kind} head: the numbers are singular, to all digits: leave width and penalty to be chosen, or fit another kind of head"
    )]
    Singular {
        /// The kind of head.
        kind: Kind,
    },
    /// A solution needs something to tell apart.
    #[error("samples are of one class, expected two or more: label samples of another class")]
    OneClass,
}

/// What was fitted, and what was not for want of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Cheapest first.
    pub candidates: Vec<Candidate>,
    /// Kinds that could have been fitted and were not allowed to start.
    pub skipped: Vec<Kind>,
    /// Kinds that were fitted on some of the samples and not on all, for they were behind there.
    pub behind: Vec<Behind>,
}

/// Fits every kind asked for, cheapest first, deterministically. Samples of one class give a prototype alone, whatever
/// was asked for: it answers that class, and its novelty says what is unlike it. With more than [`RACED`](crate::RACED) samples,
/// kinds that some of them show to be behind are not fitted on all.
///
/// # Errors
/// When there is no kind, a penalty that is none, or numbers that do not converge.
pub fn fit(samples: &Samples<'_>, options: &FitOptions) -> Result<Vec<Candidate>, FitError> {
    Ok(fit_within(samples, options, &mut |_, _| true)?.candidates)
}

/// As [`fit`], asking before each kind whether it may start, with about how many floating-point operations it takes
/// ([`flops`](crate::flops())): a trainer has no clock, but its caller may have one. Up to the first kind that learns more
/// than means the answer does not count: something always comes of it.
///
/// # Errors
/// As [`fit`].
pub fn fit_within(
    samples: &Samples<'_>,
    options: &FitOptions,
    may_start: &mut dyn FnMut(Kind, f64) -> bool,
) -> Result<Fitted, FitError> {
    fit_on_and_tell_by(samples, samples, options, may_start)
}

/// As [`fit_within`]; what is unknown is told on `raw`, the same samples with the features that heads will be given.
pub(crate) fn fit_on_and_tell_by(
    samples: &Samples<'_>,
    raw: &Samples<'_>,
    options: &FitOptions,
    may_start: &mut dyn FnMut(Kind, f64) -> bool,
) -> Result<Fitted, FitError> {
    if options.kinds.is_empty() {
        return Err(FitError::NoKinds);
    }
    check(options.lambda, options.gamma)?;
    let fitter = Fitter::new(samples, options);
    let novelty = Novelty::with_groups(raw, &fitter.leave_out, FALSE_UNKNOWN_RATE, options.threads);
    let wanted = |kind: &Kind| match samples.classes() {
        1 => *kind == Kind::Prototype,
        _ => options.kinds.contains(kind) && fitter.can_fit(*kind),
    };
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(wanted).collect();
    let Heat { behind, flops: mut raced } = race::heat(samples, &fitter.folds, &kinds, options);
    let mut fitted = Fitted { candidates: Vec::new(), skipped: Vec::new(), behind };
    let (mut learnt, mut singular) = (false, None);
    for kind in kinds {
        if fitted.behind.iter().any(|behind| behind.kind == kind) {
            continue;
        }
        // Who measures how fast this machine is by what was started is told of the heat, too.
        if may_start(kind, fitter.flops(kind) + std::mem::take(&mut raced)) || !learnt {
            match fitter.candidate(kind, Some(&novelty)) {
                Ok(candidate) => fitted.candidates.push(candidate),
                // Others may be had.
                Err(error @ FitError::Singular { .. }) => {
                    singular.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            }
            learnt |= !matches!(kind, Kind::Prototype | Kind::Shipped);
        } else {
            fitted.skipped.push(kind);
        }
    }
    match singular {
        Some(error) if fitted.candidates.is_empty() => Err(error),
        _ => Ok(fitted),
    }
}

/// Fits kinds without what tells the unknown; those that cannot be fitted are left out.
pub(crate) fn fit_known(samples: &Samples<'_>, kinds: &[Kind], options: &FitOptions) -> Vec<Candidate> {
    let fitter = Fitter::new(samples, options);
    kinds.iter().filter_map(|&kind| fitter.candidate(kind, None).ok()).collect()
}

/// Solves one kind at one penalty (where the kind has one; chosen as in [`fit`] if `None`), in f64 and uncalibrated:
/// to reproduce a head that is in service, or to check one. The classes count alike if the options say `balanced`, and
/// if they say `auto` where the counts differ enough.
///
/// # Errors
/// As [`fit`]; also when there is one class only, `lambda` is not above zero, or there is nothing to start from.
pub fn solve(
    kind: Kind,
    samples: &Samples<'_>,
    lambda: Option<f64>,
    options: &FitOptions,
) -> Result<Solution, FitError> {
    if samples.classes() < 2 {
        return Err(FitError::OneClass);
    }
    check(lambda, options.gamma)?;
    let fitter = Fitter::new(samples, options);
    fitter.solve(kind, lambda, fitter.even).map(|(solution, _)| solution)
}

/// A penalty and a width that are given must be within [`SIZES`].
fn check(lambda: Option<f64>, gamma: Option<f64>) -> Result<(), FitError> {
    let wrong = |number: &f64| !SIZES.contains(number);
    match (lambda.filter(wrong), gamma.filter(wrong)) {
        (Some(lambda), _) => Err(FitError::Lambda { lambda }),
        (None, Some(gamma)) => Err(FitError::Gamma { gamma }),
        (None, None) => Ok(()),
    }
}

/// What kinds share, computed once.
struct Fitter<'a, 'b> {
    samples: &'a Samples<'b>,
    options: &'a FitOptions,
    leave_out: LeaveOut,
    /// The same groups, dealt into few folds.
    folds: LeaveOut,
    directions: OnceCell<Directions<'a, 'b>>,
    /// Whether kinds are compared with the classes counting alike.
    even: bool,
    /// With the samples' own weights, and with the classes balanced.
    spectra: [OnceCell<Spectrum>; 2],
    single: [OnceCell<Centred<f32>>; 2],
    double: [OnceCell<Centred<f64>>; 2],
}

impl<'a, 'b> Fitter<'a, 'b> {
    fn new(samples: &'a Samples<'b>, options: &'a FitOptions) -> Self {
        let leave_out = LeaveOut::new(samples);
        let folds = leave_out.folds(samples, FOLDS, options.seed);
        let even = match options.weighting {
            Weighting::Auto => balance::is_lopsided(samples),
            Weighting::Balanced => true,
            Weighting::None => false,
        };
        let (directions, spectra, single, double) = Default::default();
        Self { samples, options, leave_out, folds, directions, even, spectra, single, double }
    }

    /// Whether a kind is fitted with the classes balanced and as they are.
    fn both_ways(&self, kind: Kind) -> bool {
        self.even && self.options.weighting == Weighting::Auto && !matches!(kind, Kind::Prototype | Kind::Shipped)
    }

    fn flops(&self, kind: Kind) -> f64 {
        flops(kind, self.samples) * if self.both_ways(kind) { 2.0 } else { 1.0 }
    }

    /// Fits one kind, both ways where the weighting is to be chosen, and keeps the one with the smaller loss.
    fn candidate(&self, kind: Kind, novelty: Option<&Novelty>) -> Result<Candidate, FitError> {
        let first = self.weighted(kind, novelty, self.even)?;
        if !self.both_ways(kind) {
            return Ok(first);
        }
        let other = self.weighted(kind, novelty, false)?;
        Ok(if other.fold_loss() < first.fold_loss() { other } else { first })
    }

    /// Fits one kind and scores it twice: without each sample's group, and without its fold.
    fn weighted(&self, kind: Kind, novelty: Option<&Novelty>, balanced: bool) -> Result<Candidate, FitError> {
        let Self { samples, options, folds, .. } = self;
        let (solution, by_fold) = self.solve(kind, options.lambda, balanced)?;
        let mut by_fold = by_fold.unwrap_or_else(|| match kind {
            Kind::Prototype => self.directions().left_out(folds),
            _ => solution.scores.clone(),
        });
        let labels = self.labels(kind);
        let (_, fold_losses) = calibrate(&mut by_fold, &labels);
        // What the prior alone knows has no mean to be near to, and must not be called unknown for that.
        let novelty = novelty.filter(|_| solution.form.classes() == samples.classes()).cloned();
        let importance = balance::weights(samples, self.even);
        let candidate = Candidate::new(solution, fold_losses, &labels, &self.leave_out, novelty);
        if !candidate.head.form.is_finite() {
            return Err(FitError::Singular { kind });
        }
        Ok(Candidate { importance, balanced, ..candidate })
    }

    /// Whether a kind that starts from the model's own classifier has what it needs.
    fn can_fit(&self, kind: Kind) -> bool {
        match kind {
            Kind::BiasedRidge => self.prior().is_ok(),
            Kind::Discriminant | Kind::Kernel | Kind::Logistic | Kind::Prototype | Kind::Ridge => true,
            Kind::Shipped => self.prior().is_ok_and(Prior::knows_all),
        }
    }

    fn prior(&self) -> Result<&Prior, FitError> {
        let usable = |prior: &&Prior| self.samples.norms().is_some() && prior.fits(self.samples);
        self.options.prior.as_ref().filter(usable).ok_or(FitError::NoPrior)
    }

    /// The samples' labels as columns of a kind's scores.
    fn labels(&self, kind: Kind) -> Vec<usize> {
        let labels = self.samples.labels();
        match (&self.options.prior, kind) {
            (Some(prior), Kind::BiasedRidge | Kind::Shipped) => labels.iter().map(|&l| prior.of_samples[l]).collect(),
            _ => labels.to_vec(),
        }
    }

    /// Solves one kind; with the scores that leave whole folds out, where they come with it.
    fn solve(
        &self,
        kind: Kind,
        lambda: Option<f64>,
        balanced: bool,
    ) -> Result<(Solution, Option<Array2<f64>>), FitError> {
        let Self { samples, options, leave_out, folds, .. } = self;
        let threads = options.threads;
        match kind {
            Kind::BiasedRidge => {
                let prior = self.prior()?;
                self.closed_form(
                    balanced,
                    |centred| biased::solve(samples, prior, leave_out, folds, centred, lambda, threads),
                    |centred| biased::solve(samples, prior, leave_out, folds, centred, lambda, threads),
                )
            }
            Kind::Discriminant => {
                // Only the classes' shares are balanced: the scatter within them is that of the samples.
                let shares = balance::weights(samples, balanced);
                self.closed_form(
                    false,
                    |centred| discriminant::solve(samples, centred, leave_out, folds, &shares, lambda, threads),
                    |centred| discriminant::solve(samples, centred, leave_out, folds, &shares, lambda, threads),
                )
            }
            Kind::Kernel => {
                let (weights, at) = (balance::weights(samples, balanced), (lambda, options.gamma));
                // What linear kinds are solved from in the span of samples says how far they are from each other.
                let alike = samples.rows() < samples.dim() && samples.weights().is_none();
                let single = if samples.rows() > DOUBLE {
                    let shared = alike.then(|| self.single(false));
                    kernel::solve(samples, leave_out, folds, &weights, at, shared, threads).ok()
                } else {
                    None
                };
                let double = || {
                    let shared = alike.then(|| self.double(false));
                    kernel::solve(samples, leave_out, folds, &weights, at, shared, threads)
                };
                let (solution, by_fold) =
                    single.map_or_else(double, Ok).map_err(|IllConditioned| FitError::Singular { kind })?;
                Ok((solution, Some(by_fold)))
            }
            Kind::Logistic => Ok((self.logistic(lambda, balanced)?, None)),
            Kind::Prototype => Ok((self.directions().solution(leave_out), None)),
            Kind::Ridge => self.closed_form(
                balanced,
                |centred| ridge::solve(samples, leave_out, folds, centred, lambda, threads),
                |centred| ridge::solve(samples, leave_out, folds, centred, lambda, threads),
            ),
            Kind::Shipped => Ok((self.prior()?.solution(samples), None)),
        }
    }

    /// Solves in single precision where that pays and does, else in double.
    fn closed_form(
        &self,
        balanced: bool,
        single: impl Fn(&Centred<f32>) -> Result<(Solution, Array2<f64>), IllConditioned>,
        double: impl Fn(&Centred<f64>) -> Result<(Solution, Array2<f64>), IllConditioned>,
    ) -> Result<(Solution, Option<Array2<f64>>), FitError> {
        let (rows, dim) = (self.samples.rows(), self.samples.dim());
        if rows.min(dim) > DOUBLE
            && let Ok((solution, by_fold)) = single(self.single(balanced))
        {
            return Ok((solution, Some(by_fold)));
        }
        let (solution, by_fold) =
            double(self.double(balanced)).map_err(|IllConditioned| FitError::NoConvergence { rows, dim })?;
        Ok((solution, Some(by_fold)))
    }

    /// Solves logistic regression in few principal coordinates, or in single precision.
    fn logistic(&self, lambda: Option<f64>, balanced: bool) -> Result<Solution, FitError> {
        let Self { samples, options, folds, .. } = self;
        let (rows, dim) = (samples.rows(), samples.dim());
        let threads = options.threads;
        if rows.min(dim) > DOUBLE {
            let coordinates = Coordinates::new(self.single(balanced), threads);
            let single = coordinates.and_then(|single| logistic::solve(samples, folds, &single, lambda, threads));
            if let Ok(solution) = single {
                return Ok(solution);
            }
        }
        let coordinates = Coordinates::principal(self.spectrum(balanced)?);
        logistic::solve(samples, folds, &coordinates, lambda, threads)
            .map_err(|IllConditioned| FitError::NoConvergence { rows, dim })
    }

    fn single(&self, balanced: bool) -> &Centred<f32> {
        let Self { samples, options, .. } = self;
        let centred = || Centred::new(samples, balance::weights(samples, balanced), options.threads);
        self.single[usize::from(balanced)].get_or_init(centred)
    }

    fn double(&self, balanced: bool) -> &Centred<f64> {
        let Self { samples, options, .. } = self;
        let centred = || Centred::new(samples, balance::weights(samples, balanced), options.threads);
        self.double[usize::from(balanced)].get_or_init(centred)
    }

    fn directions(&self) -> &Directions<'a, 'b> {
        self.directions.get_or_init(|| Directions::new(self.samples))
    }

    fn spectrum(&self, balanced: bool) -> Result<&Spectrum, FitError> {
        let cell = &self.spectra[usize::from(balanced)];
        if let Some(spectrum) = cell.get() {
            return Ok(spectrum);
        }
        let spectrum = Spectrum::new(columns(self.samples), balance::weights(self.samples, balanced))?;
        Ok(cell.get_or_init(|| spectrum))
    }
}

impl Candidate {
    /// Mean of `fold_losses`, each as much as it counts.
    pub fn fold_loss(&self) -> f64 {
        let weighted = self.fold_losses.iter().zip(&self.importance).map(|(loss, weight)| loss * weight);
        weighted.sum::<f64>() / self.fold_losses.len() as f64
    }

    /// Calibrates a solution and weighs it.
    fn new(
        solution: Solution,
        fold_losses: Vec<f64>,
        labels: &[usize],
        leave_out: &LeaveOut,
        novelty: Option<Novelty>,
    ) -> Self {
        let Solution { kind, form, mut scores, lambda, scale: _ } = solution;
        let (temperature, losses) = calibrate(&mut scores, labels);
        let right = scores.axis_iter(Axis(0)).zip(labels).filter(|(p, label)| most_probable(*p) == **label);
        let right = right.count();
        let (mean, se) = clustered_mean(&losses, &leave_out.of);
        let conformal = Some(Conformal::new(scores.view(), labels, &leave_out.of));
        Self {
            head: Head { kind, form: form.narrow(), temperature, lambda, novelty, conformal },
            leave_out: scores,
            importance: vec![1.0; fold_losses.len()],
            fold_losses,
            balanced: false,
            groups: leave_out.of.clone(),
            log_loss: mean,
            log_loss_se: se,
            ungrouped: leave_out.ungrouped,
            accuracy: right as f64 / labels.len() as f64,
        }
    }
}

/// Turns scores `[n, classes]` into probabilities at their best temperature; gives it, and the log-losses `[n]`.
fn calibrate(scores: &mut Array2<f64>, labels: &[usize]) -> (f64, Vec<f64>) {
    let temperature = calibration::temperature(scores.view(), labels);
    let calibrated = |(mut row, &label): (ArrayViewMut1<'_, f64>, &usize)| {
        let mut p = row.to_vec();
        softmax(&mut p, temperature);
        row.assign(&ndarray::aview1(&p));
        log_loss(row.view(), label)
    };
    let losses = scores.axis_iter_mut(Axis(0)).zip(labels).map(calibrated).collect();
    (temperature, losses)
}

/// The mean of `values` and its standard error when those of a group (numbered from 0) vary together: the
/// cluster-robust variance `G/(G-1) · Σ_g (Σ_{i∈g} (v_i - mean))² / n²`. Infinite for fewer than two groups.
pub(crate) fn clustered_mean(values: &[f64], groups: &[usize]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let mut sums = vec![0.0; groups.iter().max().map_or(0, |&last| last + 1)];
    for (value, &group) in values.iter().zip(groups) {
        sums[group] += value - mean;
    }
    let count = sums.len() as f64;
    if count < 2.0 {
        return (mean, f64::INFINITY);
    }
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    (mean, (count / (count - 1.0) * squares).sqrt() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_of_single_samples_is_the_textbooks() {
        // Deviations 1, 1, 1, 1 around 2: s² = 4/3, and the error of the mean √(s²/4).
        let (mean, se) = clustered_mean(&[1.0, 3.0, 1.0, 3.0], &[0, 1, 2, 3]);
        assert_eq!(mean, 2.0);
        assert!((se - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{se}");
    }

    #[test]
    fn copies_of_a_sample_in_its_group_add_no_certainty() {
        let (_, one) = clustered_mean(&[1.0, 3.0], &[0, 1]);
        let (_, thrice) = clustered_mean(&[1.0, 3.0, 1.0, 3.0, 1.0, 3.0], &[0, 1, 0, 1, 0, 1]);
        assert!((one - thrice).abs() < 1e-12, "{one} {thrice}");
        assert_eq!(clustered_mean(&[1.0, 3.0], &[0, 0]).1, f64::INFINITY);
    }
}
