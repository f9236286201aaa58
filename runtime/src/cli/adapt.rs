//! `adapt`: one adaptation, its verdict in words or as JSON, and the exit code that says which.

use std::fmt::Write as _;
use std::time::Duration;

use acclimate::adaptation::{self, Adapted, Costs, Options, Rule};
use acclimate::daemon::client::Daemon;
use acclimate::daemon::command::Command;
use acclimate::head_file::Fixed;
use acclimate::record::{AdaptationRecord, LearningCurveRecord};
use acclimate_trainer::{Kind, Outcome as Verdict, Weighting};
use anyhow::{Context as _, ensure};

use super::{Context, Outcome, args, who};

/// Runs `acclimate adapt`.
pub fn run(context: &Context, args: &args::Adapt) -> anyhow::Result<Outcome> {
    if let Some(mut daemon) = context.daemon()? {
        return through(context, args, &mut daemon);
    }
    let mut tasks = context.tasks_to_write("adapt")?;
    let mut options = Options {
        trust_labels: args.trust_labels,
        elsewhere: None,
        fixed: Fixed { gamma: args.gamma, lambda: args.lambda, precision: None, weighting: args.weighting.into() },
        rule: rule(args)?,
        group_by: args.group_by.map(Into::into),
        ..context.adapt_options()
    };
    if let Some(budget) = args.budget_ms {
        options.budget = Some(Duration::from_millis(budget));
    }
    if !args.head.is_empty() {
        options.kinds = args.head.iter().map(|&kind| kind.into()).collect();
    }
    if args.lambda.is_some() {
        let kinds: Vec<String> = options.kinds.iter().map(ToString::to_string).collect();
        ensure!(
            matches!(options.kinds[..], [kind] if !matches!(kind, Kind::Prototype | Kind::Shipped)),
            "--lambda fixes the penalty of one kind of head that has one, and --head says {}: name one other than prototype \
             and shipped, as in --head ridge --lambda 0.1",
            kinds.join(", ")
        );
    }
    ensure!(
        args.gamma.is_none() || options.kinds == [Kind::Kernel],
        "--gamma fixes the width of a kernel head: ask for that one alone, as in --head kernel --gamma 4"
    );
    let adapted = adaptation::adapt(&mut tasks, &args.task, &options)?;
    context.print(&adapted.record, || {
        let mut words = verdict(&adapted.record);
        if args.explain {
            words += &explain(&adapted);
        }
        words
    })?;
    Ok(outcome(adapted.outcome))
}

/// Has the daemon adapt, as its configuration says.
fn through(context: &Context, args: &args::Adapt, daemon: &mut Daemon) -> anyhow::Result<Outcome> {
    let plain = args.head.is_empty()
        && args.budget_ms.is_none()
        && args.group_by.is_none()
        && matches!(args.weighting, args::Weighting::Auto)
        && args.cost.is_none()
        && args.precision.is_none()
        && args.threshold.is_empty()
        && !args.explain;
    ensure!(
        plain,
        "the daemon at {} adapts as its configuration says: only --trust-labels can be asked of it; stop it to fit otherwise",
        daemon.path.display()
    );
    let command = Command::Adapt { task: args.task.clone(), trust_labels: args.trust_labels };
    let reply = daemon.ask(command, &who())?;
    let record: AdaptationRecord = daemon.part(reply, "adaptation")?;
    context.print(&record, || verdict(&record))?;
    Ok(match record.verdict.as_str() {
        "activated" => Outcome::Done,
        "rejected" => Outcome::Rejected,
        _ => Outcome::NotEnoughSamples,
    })
}

/// How the new head is to answer.
fn rule(args: &args::Adapt) -> anyhow::Result<Rule> {
    let costs = match &args.cost {
        None => None,
        Some(file) if file.as_os_str() == "none" => Some(Costs::none()),
        Some(file) => Some(Costs::read(file)?),
    };
    let thresholds = args.threshold.iter().map(|word| {
        let (class, p) = word.rsplit_once('=').map_or((None, word.as_str()), |(class, p)| (Some(class.to_owned()), p));
        let p: f64 =
            p.parse().with_context(|| format!("--threshold {word}: expected P or CLASS=P with P from 0 to 1"))?;
        Ok((class, p))
    });
    Ok(Rule { costs, precision: args.precision, thresholds: thresholds.collect::<anyhow::Result<_>>()? })
}

/// The exit code that says which verdict it was.
pub fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Activated => Outcome::Done,
        Verdict::NotEnoughSamples => Outcome::NotEnoughSamples,
        Verdict::Rejected => Outcome::Rejected,
    }
}

/// A verdict in words: what became of the candidate, how good it is, why, what to do next.
pub fn verdict(record: &AdaptationRecord) -> String {
    let head = match (&record.head, record.generation) {
        (Some(head), Some(generation)) => format!(": generation {generation}, {head}"),
        _ => String::new(),
    };
    let unproved = if record.unproved && record.verdict == "activated" { " (unproved)" } else { "" };
    let mut words = format!(
        "{}{unproved}{head}, from {} samples in {} groups",
        record.verdict.replace('_', " "),
        record.samples,
        record.groups
    );
    if let Some(evaluation) = &record.evaluation {
        let _ = write!(words, "\non samples it was not fitted on:\n{}", evaluation.words());
    }
    if let Some(c) = &record.comparison {
        let _ = write!(
            words,
            "\nagainst the head in service, on the same {} samples: {:.1} % → {:.1} %",
            c.samples,
            100.0 * c.in_service_accuracy,
            100.0 * c.candidate_accuracy
        );
    }
    if let Some(generation) = record.taken_back {
        let _ = write!(
            words,
            "\ngeneration {generation} was taken back, which no labels had proved: those that there are now speak against it"
        );
    }
    if let Some(generation) = record.proved {
        let _ = write!(words, "\ngeneration {generation}, of another device, is proved: the labels here speak for it");
    }
    for reason in &record.because {
        let _ = write!(words, "\nbecause: {reason}");
    }
    let more = record.learning_curve.as_ref().and_then(LearningCurveRecord::next);
    for next in record.next.iter().map(String::as_str).chain(more) {
        let _ = write!(words, "\nnext: {next}");
    }
    words
}

/// The groups, the candidates and the paired test.
fn explain(adapted: &Adapted) -> String {
    let record = &adapted.record;
    let several = adapted.group_sizes.iter().filter(|&&size| size > 1).count();
    let mut words = format!(
        "\n\ngroups: {}, of which {several} have more than one sample; the largest has {}",
        record.groups,
        adapted.group_sizes.first().unwrap_or(&0)
    );
    words += "\ncandidates, by log-loss on samples left out:";
    for candidate in &record.candidates {
        let _ = write!(words, "\n  {}", candidate.words());
    }
    if let Some(c) = &record.comparison {
        let p = c.p.map_or_else(|| "too few groups for a test".to_owned(), |p| format!("p = {p:.4} for being worse"));
        let se = c.standard_error.map_or_else(String::new, |se| format!(" ± {se:.4}"));
        let _ = write!(
            words,
            "\npaired test: log-loss {:+.4}{se} on {} samples in {} groups, {} left out of it; {p}",
            c.difference, c.samples, c.groups, c.excluded
        );
    }
    if let Some(curve) = &record.learning_curve {
        let _ = write!(words, "\n{}", curve.explained());
    }
    let s = record.seconds;
    let _ = write!(
        words,
        "\nseconds: load {:.3}, fit {:.3}, learning curve {:.3}, total {:.3}",
        s.load, s.fit, s.learning_curve, s.total
    );
    words
}

impl From<args::Weighting> for Weighting {
    fn from(weighting: args::Weighting) -> Self {
        match weighting {
            args::Weighting::Auto => Self::Auto,
            args::Weighting::Balanced => Self::Balanced,
            args::Weighting::None => Self::None,
        }
    }
}

impl From<args::HeadKind> for Kind {
    fn from(kind: args::HeadKind) -> Self {
        match kind {
            args::HeadKind::BiasedRidge => Self::BiasedRidge,
            args::HeadKind::Discriminant => Self::Discriminant,
            args::HeadKind::Kernel => Self::Kernel,
            args::HeadKind::Logistic => Self::Logistic,
            args::HeadKind::Prototype => Self::Prototype,
            args::HeadKind::Ridge => Self::Ridge,
            args::HeadKind::Shipped => Self::Shipped,
        }
    }
}
