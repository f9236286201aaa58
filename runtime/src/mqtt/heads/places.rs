//! Where heads are announced, where their parts come, and what is listened to. Pure.
//!
//! `<base>` is `<prefix>/<device>/<task>/head`, or `<prefix>/fleet/<fleet>/<task>/head` of a fleet's coordinator: the manifest.
//! `<base>/<part>` are the parts, numbered from 0.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{FLEET, Mqtt, PREFIX};
use crate::store::Digest;

/// Topics of parts that are listened to one by one; of more, to all.
const ONE_BY_ONE: usize = 8;
/// Bytes of a task's name at most.
const LONGEST: usize = 64;

/// What a topic is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mqtt) enum What {
    /// A head is announced.
    Manifest {
        /// The topic.
        base: String,
        task: String,
    },
    /// A part of one that is on its way.
    Part { of: Digest, part: usize },
    /// A part of none.
    Stray,
}

/// A head that is on its way.
#[derive(Debug)]
struct Coming {
    of: Digest,
    /// Its parts were listened to once.
    asked: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::mqtt) struct Places {
    /// What stands before the task in a manifest's topic, with its `/`.
    roots: Vec<String>,
    filters: Vec<String>,
    /// Which head is on its way from where.
    coming: BTreeMap<String, Coming>,
    /// Topics of parts that this connection listens to.
    listened: BTreeSet<String>,
}

impl Places {
    /// As the configuration of this device says.
    pub(in crate::mqtt) fn of(mqtt: &Mqtt, own: &str) -> Self {
        Self::new(mqtt.prefix.as_deref().unwrap_or(PREFIX), own, mqtt.fleet.as_deref(), &mqtt.heads_from)
    }

    /// `from` names devices, and [`FLEET`] for the fleet's coordinator.
    fn new(prefix: &str, own: &str, fleet: Option<&str>, from: &[String]) -> Self {
        let root = |name: &String| match (name.as_str(), fleet) {
            (FLEET, fleet) => fleet.map(|fleet| format!("{prefix}/{FLEET}/{fleet}/")),
            (device, _) => (device != own).then(|| format!("{prefix}/{device}/")),
        };
        let roots: Vec<String> = from.iter().filter_map(root).collect();
        let filters = roots.iter().map(|root| format!("{root}+/head")).collect();
        Self { roots, filters, ..Self::default() }
    }

    /// Topics of manifests.
    pub(in crate::mqtt) fn filters(&self) -> &[String] {
        &self.filters
    }

    /// What a topic is about, if about heads of those who are listened to.
    pub(in crate::mqtt) fn what(&self, topic: &str) -> Option<What> {
        let rest = self.roots.iter().find_map(|root| topic.strip_prefix(root.as_str()))?;
        let mut levels = rest.split('/');
        let (task, head) = (levels.next()?, levels.next()?);
        if head != "head" || !(1..=LONGEST).contains(&task.len()) {
            return None;
        }
        let Some(part) = levels.next() else {
            return Some(What::Manifest { base: topic.to_owned(), task: task.to_owned() });
        };
        if levels.next().is_some() {
            return None;
        }
        let base = topic.strip_suffix(part).and_then(|base| base.strip_suffix('/'))?;
        Some(match (self.coming.get(base), part.parse()) {
            (Some(coming), Ok(part)) => What::Part { of: coming.of, part },
            _ => What::Stray,
        })
    }

    /// A head that is wanted was announced there.
    pub(super) fn announced(&mut self, base: &str, of: Digest) {
        if self.coming.get(base).is_none_or(|coming| coming.of != of) {
            self.coming.insert(base.to_owned(), Coming { of, asked: false });
        }
    }

    /// What is to be listened to for these parts. A broker gives what it keeps whenever it is asked, so asking again for what did
    /// not come brings it; of a new head, whose parts follow its manifest, those that are listened to just come.
    pub(super) fn wanted(&mut self, of: &Digest, parts: &[usize]) -> Vec<String> {
        let Some((base, coming)) = self.coming.iter_mut().find(|(_, coming)| coming.of == *of) else {
            return Vec::new();
        };
        let first = !std::mem::replace(&mut coming.asked, true);
        let all = format!("{base}/+");
        let mut filters = match parts.len() {
            0..=ONE_BY_ONE => parts.iter().map(|part| format!("{base}/{part}")).collect(),
            _ => vec![all.clone()],
        };
        if first {
            filters.retain(|filter| !self.listened.contains(filter) && !self.listened.contains(&all));
        }
        self.listened.extend(filters.iter().cloned());
        filters
    }

    /// Nothing more of it is waited for.
    pub(super) fn arrived(&mut self, of: &Digest) {
        self.coming.retain(|_, coming| coming.of != *of);
    }

    /// The connection is gone, and with it what it listened to.
    pub(super) fn forget_listened(&mut self) {
        self.listened.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let from = ["press-7", "gate-1", FLEET].map(str::to_owned);
        Places::new("acclimate", "gate-1", Some("plant-3"), &from)
    }

    fn manifest(base: &str, task: &str) -> What {
        What::Manifest { base: base.to_owned(), task: task.to_owned() }
    }

    #[test]
    fn heads_are_announced_by_devices_and_by_the_fleets_coordinator() {
        let places = places();
        assert_eq!(places.filters(), ["acclimate/press-7/+/head", "acclimate/fleet/plant-3/+/head"], "not by itself");
        for (topic, what) in [
            ("acclimate/press-7/gate/head", Some(manifest("acclimate/press-7/gate/head", "gate"))),
            ("acclimate/fleet/plant-3/gate/head", Some(manifest("acclimate/fleet/plant-3/gate/head", "gate"))),
            ("acclimate/press-7/gate/head/0", Some(What::Stray)),
            ("acclimate/press-7/gate/head/0/1", None),
            ("acclimate/press-7/gate/state", None),
            ("acclimate/press-7//head", None),
            ("acclimate/press-7/cmd/adapt", None),
            ("acclimate/press-70/gate/head", None),
            ("acclimate/gate-1/gate/head", None),
            ("acclimate/fleet/plant-4/gate/head", None),
        ] {
            assert_eq!(places.what(topic), what, "{topic}");
        }
        assert!(Places::new("acclimate", "gate-1", None, &[FLEET.to_owned()]).filters().is_empty());
    }

    #[test]
    fn parts_are_listened_to_once_and_again_only_where_they_do_not_come() {
        let mut places = places();
        let base = "acclimate/press-7/gate/head";
        let topics = |parts: &[usize]| parts.iter().map(|part| format!("{base}/{part}")).collect::<Vec<_>>();
        let [first, second, third] = [b"1", b"2", b"3"].map(|bytes| Digest::of(bytes));
        assert!(places.wanted(&first, &[0]).is_empty(), "nobody has announced it");
        places.announced(base, first);
        assert_eq!(places.what("acclimate/press-7/gate/head/7"), Some(What::Part { of: first, part: 7 }));
        assert_eq!(places.what("acclimate/press-7/gate/head/-7"), Some(What::Stray));
        assert_eq!(places.wanted(&first, &[0, 1]), topics(&[0, 1]));
        assert_eq!(places.wanted(&first, &[1]), topics(&[1]), "it did not come");
        places.announced(base, second);
        assert_eq!(places.wanted(&second, &[0, 1, 2]), topics(&[2]), "the others come by themselves");
        places.announced(base, second);
        assert_eq!(places.wanted(&second, &[0, 2]), topics(&[0, 2]));
        places.announced(base, third);
        let many: Vec<usize> = (0..33).collect();
        assert_eq!(places.wanted(&third, &many), [format!("{base}/+")]);
        places.announced(base, first);
        assert!(places.wanted(&first, &[0, 40]).is_empty(), "all of them are listened to");
        places.forget_listened();
        places.announced(base, first);
        assert_eq!(places.wanted(&first, &[0]), topics(&[0]));
        places.arrived(&first);
        assert_eq!(places.what("acclimate/press-7/gate/head/0"), Some(What::Stray));
    }
}
