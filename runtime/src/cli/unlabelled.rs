//! Inputs without labels as features, in the order of their groups: what is one moment comes one after the other.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use acclimate::group::{GroupBy, groups};
use acclimate::inputs::{self, Labels};
use acclimate_backbone::Backbone;
use acclimate_trainer::Feature;

use super::Context;
use super::classify::{Failures, Inputs, group_input};

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
    let found = inputs::find(paths, &Labels::None, &backbone.manifest().input);
    let (mut features, mut grouped) = (Vec::<Feature>::new(), Vec::new());
    let of = Inputs { found: &found, stride, what };
    of.each(context, backbone, failures, |_, item, name, embedded| {
        features.push(embedded.feature);
        grouped.push(group_input(grouped.len(), item, name, embedded.phash));
        Ok(())
    })?;
    let mut read: Vec<(usize, Feature)> = groups(&grouped, GroupBy::Column).into_iter().zip(features).collect();
    read.sort_by_key(|(group, _)| *group);
    let (groups, features) = read.into_iter().unzip();
    Ok(Read { features, groups })
}
