//! The names of topics: what this device says where, and what it listens to. Knows no message.

use crate::config::FLEET;

/// What topics of a device begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topics {
    prefix: String,
    device: String,
    fleet: Option<String>,
    groups: Vec<String>,
}

impl Topics {
    pub(super) fn new(prefix: &str, device: &str, fleet: Option<&str>, groups: &[String]) -> Self {
        let (prefix, device) = (prefix.to_owned(), device.to_owned());
        Self { prefix, device, fleet: fleet.map(str::to_owned), groups: groups.to_vec() }
    }

    /// `<root>/<rest>`.
    pub(super) fn own(&self, rest: &str) -> String {
        format!("{}/{}/{rest}", self.prefix, self.device)
    }

    /// Whatever is said with this prefix.
    pub(super) fn everybody(&self) -> String {
        format!("{}/#", self.prefix)
    }

    /// The status of every device with this prefix.
    pub(super) fn statuses(&self) -> String {
        format!("{}/+/status", self.prefix)
    }

    /// The device whose status has this topic.
    pub(super) fn device_of<'a>(&self, topic: &'a str) -> Option<&'a str> {
        topic
            .strip_prefix(&self.prefix)?
            .strip_prefix('/')?
            .strip_suffix("/status")
            .filter(|device| !device.contains('/'))
    }

    /// `online`, `offline` or `stopped`.
    pub(super) fn status(&self) -> String {
        self.own("status")
    }

    /// The stable answer of a task: of a source, where it looks at several.
    pub(super) fn state(&self, task: &str, source: Option<&str>) -> String {
        self.own(&source.map_or_else(|| format!("{task}/state"), |source| format!("{task}/{source}/state")))
    }

    /// The picture of a stable answer.
    pub(super) fn picture(&self, task: &str, source: Option<&str>) -> String {
        self.own(&source.map_or_else(|| format!("{task}/picture"), |source| format!("{task}/{source}/picture")))
    }

    /// Where a command is answered that does not say where.
    pub(super) fn reply(&self, verb: &str) -> String {
        self.own(&format!("rsp/{verb}"))
    }

    /// What is listened to.
    pub(super) fn filters(&self) -> Vec<String> {
        let mut filters = vec![self.own("cmd/+")];
        if let Some(fleet) = &self.fleet {
            let fleet = format!("{}/{FLEET}/{fleet}", self.prefix);
            filters.push(format!("{fleet}/cmd/+"));
            filters.extend(self.groups.iter().map(|group| format!("{fleet}/group/{group}/cmd/+")));
        }
        filters
    }

    /// The verb of a topic that carries commands for this device.
    pub(super) fn verb<'a>(&self, topic: &'a str) -> Option<&'a str> {
        self.filters().iter().find_map(|filter| {
            let verb = topic.strip_prefix(filter.strip_suffix('+')?)?;
            (!verb.contains('/')).then_some(verb)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_to_the_device_its_fleet_and_its_groups() {
        let topics = Topics::new("acclimate", "press-7", Some("plant-3"), &["hall-2".to_owned()]);
        assert_eq!(
            topics.filters(),
            ["acclimate/press-7/cmd/+", "acclimate/fleet/plant-3/cmd/+", "acclimate/fleet/plant-3/group/hall-2/cmd/+"]
        );
        for (topic, verb) in [
            ("acclimate/press-7/cmd/adapt", Some("adapt")),
            ("acclimate/fleet/plant-3/cmd/label", Some("label")),
            ("acclimate/fleet/plant-3/group/hall-2/cmd/x", Some("x")),
            ("acclimate/fleet/plant-3/group/hall-1/cmd/x", None),
            ("acclimate/press-8/cmd/adapt", None),
            ("acclimate/press-7/cmd/adapt/more", None),
            ("acclimate/press-7/gate/state", None),
        ] {
            assert_eq!(topics.verb(topic), verb, "{topic}");
        }
        assert_eq!(topics.device_of("acclimate/press-8/status"), Some("press-8"));
        assert_eq!(topics.device_of("acclimate/a/b/status"), None);
        assert_eq!(topics.state("gate", None), "acclimate/press-7/gate/state");
        assert_eq!(topics.state("gate", Some("yard")), "acclimate/press-7/gate/yard/state");
    }
}
