//! The device as Home Assistant finds it: one message in the device form, kept by the broker, made anew when tasks or classes
//! change. Pure. <https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>
//!
//! An entity that is left out of the message stays there: what is gone, or has become another kind, is named with its platform
//! alone, which takes it back.

mod entities;
mod two;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::entities::Shown;
pub(super) use self::two::Wanted;
use super::message::Message;
use super::topics::Topics;
use crate::daemon::view::View;

/// Where Home Assistant says that it has begun.
pub(super) const BIRTH: &str = "homeassistant/status";
/// Entities that are gone and named as such, at most.
const GONE: usize = 512;

/// What Home Assistant is told, and was.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    /// How tasks of two classes show, by task.
    pub(super) wanted: BTreeMap<String, Wanted>,
    /// Whether pictures are on the broker.
    pub(super) pictures: bool,
    /// Where the page is, for who is elsewhere.
    pub(super) page: Option<String>,
    /// The platform of every entity so far.
    told: BTreeMap<String, Value>,
}

impl Discovery {
    pub(super) fn new(wanted: BTreeMap<String, Wanted>, pictures: bool, page: Option<String>) -> Self {
        Self { wanted, pictures, page, told: BTreeMap::new() }
    }

    /// What it is told now.
    pub(super) fn message(&mut self, topics: &Topics, view: &View) -> Message {
        let device = &view.device;
        let components = self.components(topics, view);
        let models: Vec<&str> = view.tasks.iter().map(|task| task.backbone.as_str()).collect();
        let mut document = json!({
            "device": {
                "identifiers": [format!("acclimate_{device}")],
                "name": device,
                "manufacturer": "acclimate",
                "model": models.first().copied().unwrap_or("acclimate"),
                "sw_version": view.version,
            },
            "origin": { "name": "acclimate", "sw_version": view.version },
            "availability": [{
                "topic": topics.status(),
                "value_template": "{{ 'online' if value == 'online' else 'offline' }}",
            }],
            "qos": 1,
            "components": components,
        });
        if let Some(page) = &self.page {
            document["device"]["configuration_url"] = page.as_str().into();
        }
        Message::json(format!("homeassistant/device/acclimate_{device}/config"), &document).retained()
    }

    fn components(&mut self, topics: &Topics, view: &View) -> Map<String, Value> {
        let mut components = Map::new();
        let plain = Wanted::default();
        let of_tasks = view.tasks.iter().flat_map(|task| {
            let wanted = self.wanted.get(&task.name).unwrap_or(&plain);
            Shown { topics, wanted, pictures: self.pictures }.of(task)
        });
        for (key, mut entity) in std::iter::once(problem(topics)).chain(of_tasks) {
            if entity.as_object().is_some_and(|entity| entity.len() > 1) {
                entity["unique_id"] = format!("acclimate_{}_{key}", view.device).into();
            }
            components.insert(key, entity);
        }
        let platform = |(key, entity): (&String, &Value)| (key.clone(), entity["platform"].clone());
        let now: BTreeMap<String, Value> = components.iter().map(platform).collect();
        if self.told.len() - self.told.keys().filter(|key| now.contains_key(*key)).count() > GONE {
            self.told.clear();
        }
        for (key, platform) in &self.told {
            components.entry(key.as_str()).or_insert_with(|| json!({ "platform": platform }));
        }
        self.told.extend(now);
        components
    }
}

fn problem(topics: &Topics) -> (String, Value) {
    let info = topics.own("info");
    let sensor = json!({ "platform": "binary_sensor", "name": "Problem", "device_class": "problem",
        "entity_category": "diagnostic", "state_topic": info,
        "value_template": "{{ 'ON' if value_json.degraded else 'OFF' }}", "json_attributes_topic": info,
        "json_attributes_template": "{{ {'reasons': value_json.degraded} | tojson }}" });
    ("problem".to_owned(), sensor)
}

#[cfg(test)]
mod tests;
