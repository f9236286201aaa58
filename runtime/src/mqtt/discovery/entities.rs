//! A task as Home Assistant's entities: what it says, what it is like, and what can be asked of it. Pure; knows no other task.

use serde_json::{Value, json};

use super::two::{Two, Wanted};
use crate::daemon::view::TaskView;
use crate::mqtt::places::places;
use crate::mqtt::topics::Topics;

/// Classes that have a button.
const BUTTONS: usize = 32;

/// What is offered: the entity's key, and what describes it. A description of a platform and nothing else takes an entity of
/// before back.
pub(super) type Entity = (String, Value);

/// What a task can show of itself.
pub(super) struct Shown<'a> {
    pub(super) topics: &'a Topics,
    pub(super) wanted: &'a Wanted,
    /// Whether pictures are on the broker.
    pub(super) pictures: bool,
}

impl Shown<'_> {
    pub(super) fn of(&self, task: &TaskView) -> Vec<Entity> {
        let mut entities = Vec::new();
        let mut seen: Vec<Option<String>> = Vec::new();
        for place in places(task) {
            if !seen.contains(&place) {
                self.what_is_seen(task, place.as_deref(), &mut entities);
                seen.push(place);
            }
        }
        self.what_it_is_like(task, &mut entities);
        self.what_can_be_asked(task, &mut entities);
        entities
    }

    /// What it says of a place.
    fn what_is_seen(&self, task: &TaskView, place: Option<&str>, entities: &mut Vec<Entity>) {
        let name = &task.name;
        let key = |what: &str| place.map_or_else(|| format!("{name}_{what}"), |place| format!("{name}_{place}_{what}"));
        let title = |what: &str| match place {
            Some(place) => format!("{name} {place}{what}"),
            None => format!("{name}{what}"),
        };
        let state = self.topics.state(name, place);
        let classes: Vec<&str> = task.classes.iter().map(|class| class.name.as_str()).collect();
        let gone = |platform: &str| json!({ "platform": platform });
        let (class, on) = if let Some(Two { on, device_class }) = Two::of(&classes, self.wanted) {
            // JSON text is a text of the template language, too. `None` is how a state is taken back there.
            let on = Value::from(on);
            let template =
                format!("{{{{ 'None' if value_json.unknown else ('ON' if value_json.class == {on} else 'OFF') }}}}");
            let mut sensor = json!({ "platform": "binary_sensor", "name": title(""), "state_topic": state,
                    "json_attributes_topic": state, "value_template": template });
            if let Some(device_class) = device_class {
                sensor["device_class"] = device_class.into();
            }
            (gone("sensor"), sensor)
        } else {
            // What is unlike everything learnt is no class, and an option of its own.
            let unknown = (!classes.contains(&"unknown")).then_some("unknown");
            let options: Vec<&str> = classes.iter().copied().chain(unknown).collect();
            let sensor = json!({ "platform": "sensor", "name": title(""), "device_class": "enum", "options": options,
                    "state_topic": state, "json_attributes_topic": state,
                    "value_template": "{{ 'unknown' if value_json.unknown else value_json.class }}" });
            (sensor, gone("binary_sensor"))
        };
        entities.extend([(key("class"), class), (key("on"), on)]);
        entities.push((
            key("confidence"),
            json!({ "platform": "sensor", "name": title(" confidence"), "unit_of_measurement": "%",
                "state_class": "measurement", "suggested_display_precision": 0, "state_topic": state,
                "value_template": "{{ value_json.confidence * 100 }}" }),
        ));
        entities.push((
            key("drift"),
            json!({ "platform": "binary_sensor", "name": title(" drift"), "device_class": "problem",
                "entity_category": "diagnostic", "state_topic": state,
                "value_template": "{{ 'ON' if value_json.drift else 'OFF' }}" }),
        ));
        let picture = if self.pictures {
            json!({ "platform": "image", "name": title(" picture"), "content_type": "image/jpeg",
                "image_topic": self.topics.picture(name, place) })
        } else {
            gone("image")
        };
        entities.push((key("picture"), picture));
    }

    /// What `info` says of it.
    fn what_it_is_like(&self, task: &TaskView, entities: &mut Vec<Entity>) {
        let (name, info) = (&task.name, self.topics.own("info"));
        let figure = |what: &str, unit: Option<&str>, template: &str| {
            let mut sensor = json!({ "platform": "sensor", "name": format!("{name} {what}"), "state_class": "measurement",
                "entity_category": "diagnostic", "state_topic": info, "value_template": of_info(name, template) });
            if let Some(unit) = unit {
                sensor["unit_of_measurement"] = unit.into();
                sensor["suggested_display_precision"] = 0.into();
            }
            (format!("{name}_{what}"), sensor)
        };
        entities.push(figure("accuracy", Some("%"), "task.accuracy[0] * 100 if task.accuracy else none"));
        entities.push(figure("samples", None, "task.samples | default(0)"));
    }

    fn what_can_be_asked(&self, task: &TaskView, entities: &mut Vec<Entity>) {
        let (name, info) = (&task.name, self.topics.own("info"));
        let command = |verb: &str| self.topics.own(&format!("cmd/{verb}"));
        let adapt_by_itself = |on: bool| json!({ "task": name, "adaptation": on }).to_string();
        entities.push((
            format!("{name}_adaptation"),
            json!({ "platform": "switch", "name": format!("{name} adaptation"), "entity_category": "config",
                "command_topic": command("set"), "payload_on": adapt_by_itself(true), "payload_off": adapt_by_itself(false),
                "state_topic": info, "state_on": "ON", "state_off": "OFF",
                "value_template": of_info(name, "'ON' if task.adapts | default(true) else 'OFF'") }),
        ));
        entities.push((
            format!("{name}_threshold"),
            json!({ "platform": "number", "name": format!("{name} threshold"), "entity_category": "config",
                "command_topic": command("set"), "min": 0, "max": 100, "step": 1, "mode": "box", "unit_of_measurement": "%",
                "command_template": format!("{{\"task\":\"{name}\",\"threshold\":{{{{ value / 100 }}}}}}"),
                "state_topic": info, "value_template": of_info(name, "task.threshold | default(0) * 100") }),
        ));
        let button = |title: String, verb: &str, payload: Value| {
            json!({ "platform": "button", "name": title, "command_topic": command(verb),
                "payload_press": payload.to_string(), "entity_category": "config" })
        };
        let of_task = || json!({ "task": name });
        entities.push((format!("{name}_adapt"), button(format!("{name} adapt"), "adapt", of_task())));
        entities.push((format!("{name}_rollback"), button(format!("{name} roll back"), "rollback", of_task())));
        for (number, class) in task.classes.iter().take(BUTTONS).enumerate() {
            let payload = json!({ "task": name, "sample": "last", "label": class.name });
            let title = format!("{name} is: {}", class.name);
            entities.push((format!("{name}_is_{number}"), button(title, "label", payload)));
        }
    }
}

/// A template over what `info` says of a task. The name of a task is letters, digits and -.
fn of_info(task: &str, what: &str) -> String {
    format!(
        "{{% set task = value_json.tasks | selectattr('task', 'eq', '{task}') | first | default({{}}) %}}{{{{ {what} }}}}"
    )
}
