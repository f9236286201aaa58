//! What a device says of its store, and what is known of it at which moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use acclimate_tests::device::Device;

/// What must not be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Whether there is the task `parts`.
    pub(super) task: bool,
    /// Samples with a label, and which.
    pub(super) labels: BTreeMap<String, String>,
    /// The generation in service.
    pub(super) service: Vec<u64>,
    /// The file that a head was exported to.
    pub(super) exported: Option<Vec<u8>>,
}

/// Where heads are exported to: beside the data directory.
pub(super) fn exported(device: &Device) -> PathBuf {
    device.data_dir().with_file_name("exported.head")
}

impl State {
    /// What the device says; why it does not, else.
    pub(super) fn of(device: &Device) -> Result<Self, String> {
        let tasks = device.run(["task", "list", "--json"]);
        // Power may fail before there is anything.
        if tasks.stderr.contains("there is no store in") {
            return Ok(Self::default());
        }
        if tasks.code != Some(0) {
            return Err(format!("task list: {}", tasks.stderr));
        }
        if tasks.json().as_array().is_none_or(Vec::is_empty) {
            return Ok(Self::default());
        }
        let samples = device.run(["sample", "list", "parts", "--json"]);
        let heads = device.run(["head", "list", "parts", "--json"]);
        for said in [&samples, &heads] {
            if said.code != Some(0) {
                return Err(format!("sample list, head list: {}", said.stderr));
            }
        }
        let (samples, heads) = (samples.json(), heads.json());
        let labels =
            samples.as_array().into_iter().flatten().filter_map(|sample| {
                Some((sample["sample"].as_str()?.to_owned(), sample["label"].as_str()?.to_owned()))
            });
        let service = heads.as_array().into_iter().flatten().filter(|head| head["in_service"] == true);
        let service = service.filter_map(|head| head["generation"].as_u64()).collect();
        let exported = fs::read(exported(device)).ok();
        Ok(Self { task: true, labels: labels.collect(), service, exported })
    }
}

/// One command, and what was so when it had been acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) what: String,
    /// How much had happened on the disk before it was asked for.
    pub(super) begun: usize,
    /// And when it was acknowledged.
    pub(super) acknowledged: usize,
    /// Samples that were acknowledged on the way, and when.
    pub(super) on_the_way: Vec<(usize, String)>,
    pub(super) after: State,
}

impl Step {
    /// Those at which something was just acknowledged.
    pub(super) fn moments(&self) -> impl Iterator<Item = usize> {
        self.on_the_way.iter().map(|(moment, _)| *moment).chain([self.acknowledged])
    }

    pub(super) fn words(&self) -> String {
        let Self { what, begun, acknowledged, on_the_way: _, after } = self;
        format!("{begun:6} to {acknowledged:6}: {what}; {} labels, in service {:?}", after.labels.len(), after.service)
    }
}

/// What may be so at a moment: the last that was acknowledged, or what was under way.
pub(super) struct Expected<'a> {
    before: State,
    /// Acknowledged as a part of what was under way.
    partly: BTreeSet<&'a str>,
    under_way: Option<&'a Step>,
}

impl<'a> Expected<'a> {
    pub(super) fn at(steps: &'a [Step], moment: usize) -> Self {
        let done = steps.iter().rev().find(|step| step.acknowledged <= moment);
        let under_way = steps.iter().find(|step| step.begun <= moment && moment < step.acknowledged);
        let partly = under_way.into_iter().flat_map(|step| &step.on_the_way);
        Self {
            before: done.map_or_else(State::default, |step| step.after.clone()),
            partly: partly.filter(|(said, _)| *said <= moment).map(|(_, sample)| sample.as_str()).collect(),
            under_way,
        }
    }

    /// What of the state that was found is none of it.
    pub(super) fn compare(&self, found: &State) -> Result<(), String> {
        let Self { before, partly, under_way } = self;
        let doing = under_way.map_or("nothing", |step| step.what.as_str());
        let after = under_way.map_or(before, |step| &step.after);
        if found.task != before.task && found.task != after.task {
            return Err(format!("the task was acknowledged and is lost, during {doing}"));
        }
        let samples: BTreeSet<&String> =
            [before, after, found].into_iter().flat_map(|state| state.labels.keys()).collect();
        for sample in samples {
            let label = |state: &State| state.labels.get(sample).cloned();
            let (was, becomes, is) = (label(before), label(after), label(found));
            let allowed = is == becomes || is == was && !partly.contains(sample.as_str());
            if !allowed {
                return Err(format!("sample {sample} is {is:?}, was {was:?}, becomes {becomes:?} by {doing}"));
            }
        }
        if found.service != before.service && found.service != after.service {
            let State { service, .. } = found;
            return Err(format!(
                "in service is {service:?}, was {:?}, becomes {:?} by {doing}",
                before.service, after.service
            ));
        }
        if found.exported != before.exported && found.exported != after.exported {
            let bytes = |state: &State| state.exported.as_ref().map(Vec::len);
            return Err(format!(
                "the exported file has {:?} bytes, had {:?}, gets {:?} by {doing}, or others",
                bytes(found),
                bytes(before),
                bytes(after)
            ));
        }
        Ok(())
    }
}
