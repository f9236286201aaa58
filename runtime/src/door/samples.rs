//! Samples for the page's queue and galleries: what people and the head in service say of them. Reads the store; knows
//! nothing of HTTP. What the head says of a sample it was fitted on is its answer with that sample's group left out.

use std::collections::HashMap;

use acclimate_trainer::Use;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::attention::{out_of_sample, suspect_labels, worth_a_label};
use crate::store::{Filter, Sample, SampleId, StoreError, Tasks};

/// Samples given where nobody says how many.
const USUAL: usize = 100;

/// Samples given at most.
const MOST: usize = 1000;

/// Which samples.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wanted {
    /// Of which kind; `all` where absent.
    filter: Option<Kind>,
    /// How many; 100 where absent, 1000 at most.
    limit: Option<u32>,
    /// Only those with this label.
    label: Option<String>,
    /// Only those that the head takes for this class.
    guess: Option<String>,
}

/// Kinds of samples, and their order.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Every one, the newest first.
    #[default]
    All,
    /// Those with a label, the newest first.
    Labelled,
    /// Those whose label looks wrong, the likeliest mistake first.
    Suspect,
    /// Those without a label, the newest first.
    Unlabelled,
    /// Those that a label would teach most, in that order.
    Useful,
}

/// A sample.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Listed {
    /// Its id.
    id: String,
    /// Its label.
    label: Option<String>,
    /// Where it came from.
    source: String,
    /// When it was sensed, else stored, RFC 3339 UTC.
    taken: String,
    /// What the head in service takes it for.
    guess: Option<String>,
    /// How sure it is, 0 to 1.
    confidence: Option<f64>,
    /// Unlike everything that it learnt.
    unknown: bool,
    /// Why it is in the list, in words.
    why: Option<String>,
}

/// What the head says of a sample.
#[derive(Clone, Debug, Default)]
struct Guess {
    class: Option<(String, f64)>,
    unknown: bool,
}

/// The samples that are wanted.
///
/// # Errors
/// There is no such task, or the store fails.
pub(super) fn list(tasks: &Tasks, task: &str, wanted: &Wanted) -> Result<Vec<Listed>, StoreError> {
    let Wanted { filter, limit, label, guess } = wanted;
    let limit = limit.map_or(USUAL, |limit| (limit as usize).min(MOST));
    let chosen = choose(tasks, task, filter.unwrap_or_default(), limit)?;
    let mut guesses = guesses(tasks, task)?;
    let listed = chosen.into_iter().map(|(sample, why)| {
        let Guess { class, unknown } = guesses.remove(&sample.id).unwrap_or_default();
        let (guess, confidence) = class.unzip();
        Listed {
            id: sample.id.to_string(),
            label: sample.label,
            source: sample.source,
            taken: sample.taken.unwrap_or(sample.added).to_string(),
            guess,
            confidence,
            unknown,
            why,
        }
    });
    let fits = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
    Ok(listed.filter(|listed| fits(label, &listed.label) && fits(guess, &listed.guess)).take(limit).collect())
}

/// Samples of a kind in their order, with what brings them there.
fn choose(tasks: &Tasks, task: &str, kind: Kind, limit: usize) -> Result<Vec<(Sample, Option<String>)>, StoreError> {
    let newest_first = |filter: &Filter| {
        let samples = tasks.samples(task, filter)?;
        Ok(samples.into_iter().rev().map(|sample| (sample, None)).collect())
    };
    let one = |id: SampleId, why: String| Ok((tasks.sample(task, &id.to_string())?, Some(why)));
    match kind {
        Kind::All => newest_first(&Filter::All),
        Kind::Labelled => newest_first(&Filter::Labelled),
        Kind::Unlabelled => newest_first(&Filter::Unlabelled),
        Kind::Suspect => {
            let suspects = suspect_labels(tasks, task)?.unwrap_or_default().into_iter().take(MOST);
            suspects.map(|s| one(s.sample, format!("looks like {} ({:.0}×)", s.looks_like, s.odds))).collect()
        }
        Kind::Useful => {
            let useful = worth_a_label(tasks, task, limit)?.into_iter();
            let why = |because| match because {
                Use::Typical => "typical".to_owned(),
                Use::Doubtful { margin } => format!("doubtful (margin {margin:.2})"),
            };
            useful.map(|(id, useful)| one(id, why(useful.because))).collect()
        }
    }
}

/// What the head in service says of each sample that has a feature; nothing without a head.
fn guesses(tasks: &Tasks, task: &str) -> Result<HashMap<SampleId, Guess>, StoreError> {
    let Some(head) = tasks.in_service(task)? else { return Ok(HashMap::new()) };
    let pool = tasks.pool(task, &head.file.backbone_id)?;
    let probabilities = out_of_sample(tasks, task, &head, &pool)?;
    let features = pool.features();
    let novelty = head.file.head.novelty.as_ref();
    let guess = |row: usize| {
        let probabilities = probabilities.row(row).to_vec();
        if !probabilities.iter().all(|p| p.is_finite()) {
            return Guess::default();
        }
        let answer = head.file.decision.answer(&probabilities);
        // Novelty is measured from what was learnt, so it says nothing of what that is made of.
        let novel = pool.labels[row].is_none()
            && novelty.is_some_and(|novelty| novelty.is_unknown(&features.row(row).to_vec()));
        let class = Some((head.file.classes[answer.class].clone(), probabilities[answer.class]));
        Guess { class, unknown: novel || !answer.sure }
    };
    Ok(pool.ids.iter().enumerate().map(|(row, &id)| (id, guess(row))).collect())
}
