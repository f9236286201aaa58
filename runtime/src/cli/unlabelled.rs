//! Inputs without labels as features, in the order of their groups: what is one moment comes one after the other.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use acclimate::group::{GroupBy, GroupInput, groups};
use acclimate::inputs::{self, Labels};
use acclimate::loading::Loader;
use acclimate_backbone::Backbone;
use acclimate_trainer::Feature;

use super::Context;
use super::classify::{Failures, embed};

/// What could be read.
pub(super) struct Read {
    /// Features, `[n]`.
    pub(super) features: Vec<Feature>,
    /// Groups, `[n]`, rising: near-duplicates and windows of one recording share one.
    pub(super) groups: Vec<usize>,
}

/// Reads files and folders; what cannot be read is reported.
pub(super) fn read(
    context: &Context,
    backbone: &mut Backbone,
    paths: &[PathBuf],
    stride: Option<NonZeroUsize>,
    what: &'static str,
    failures: &mut Failures<'_>,
) -> anyhow::Result<Read> {
    let input = backbone.manifest().input.clone();
    let found = inputs::find(paths, &Labels::None, &input);
    failures.of(&found)?;
    let bar = context.progress(found.items.len(), what);
    let mut loader = Loader::new(&found.items, &input, stride.map(NonZeroUsize::get));
    let (mut features, mut grouped) = (Vec::<Feature>::new(), Vec::new());
    while let Some(chunk) = loader.next() {
        bar.set_position(loader.files());
        for (item, input, embedded) in embed(backbone, chunk) {
            match embedded {
                Ok(embedded) => {
                    features.push(embedded.feature);
                    grouped.push(GroupInput {
                        seq: grouped.len() as i64,
                        phash: Some(embedded.phash),
                        source: input,
                        taken: None,
                        group_key: item.group.clone(),
                    });
                }
                Err(reason) => bar.suspend(|| failures.one(&input, &reason))?,
            }
        }
    }
    bar.finish_and_clear();
    let mut read: Vec<(usize, Feature)> = groups(&grouped, GroupBy::Column).into_iter().zip(features).collect();
    read.sort_by_key(|(group, _)| *group);
    let (groups, features) = read.into_iter().unzip();
    Ok(Read { features, groups })
}
