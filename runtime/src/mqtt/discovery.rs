//! The device as Home Assistant finds it: one message in the device form, kept by the broker, made anew when tasks or classes
//! change. Pure. <https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>

use serde_json::{Map, Value, json};

use super::message::Message;
use super::topics::Topics;
use crate::daemon::view::{TaskView, View};

/// Where Home Assistant says that it has begun.
pub(super) const BIRTH: &str = "homeassistant/status";

/// Classes that have a button.
const BUTTONS: usize = 32;

/// What it is told.
pub(super) fn message(topics: &Topics, view: &View) -> Message {
    let device = &view.device;
    let mut components = Map::new();
    let mut add = |name: String, component: Value| {
        let mut component = component;
        component["unique_id"] = format!("acclimate_{device}_{name}").into();
        components.insert(name, component);
    };
    let info = topics.own("info");
    add(
        "problem".to_owned(),
        json!({ "platform": "binary_sensor", "name": "Problem", "device_class": "problem", "entity_category": "diagnostic",
            "state_topic": info, "value_template": "{{ 'ON' if value_json.degraded else 'OFF' }}",
            "json_attributes_topic": info, "json_attributes_template": "{{ {'reasons': value_json.degraded} | tojson }}" }),
    );
    for task in &view.tasks {
        for (name, component) in of_task(topics, task) {
            add(name, component);
        }
    }
    let models: Vec<&str> = view.tasks.iter().map(|task| task.backbone.as_str()).collect();
    let document = json!({
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
    Message::json(format!("homeassistant/device/acclimate_{device}/config"), &document).retained()
}

fn of_task(topics: &Topics, task: &TaskView) -> Vec<(String, Value)> {
    let mut components = Vec::new();
    let sources = task.sources();
    let name = &task.name;
    let several = sources.len() > 1;
    let places: Vec<Option<&str>> = if several { sources.into_iter().map(Some).collect() } else { vec![None] };
    let classes: Vec<&str> = task.classes.iter().map(|class| class.name.as_str()).collect();
    for place in places {
        let state = topics.state(name, place);
        let key = |what: &str| place.map_or_else(|| format!("{name}_{what}"), |place| format!("{name}_{place}_{what}"));
        let title = |what: &str| match place {
            Some(place) => format!("{name} {place}{what}"),
            None => format!("{name}{what}"),
        };
        // What is unlike everything learnt is no class, and an option of its own.
        let options: Vec<&str> =
            classes.iter().copied().chain((!classes.contains(&"unknown")).then_some("unknown")).collect();
        components.push((
            key("class"),
            json!({ "platform": "sensor", "name": title(""), "device_class": "enum", "options": options,
                "state_topic": state, "json_attributes_topic": state,
                "value_template": "{{ 'unknown' if value_json.unknown else value_json.class }}" }),
        ));
        components.push((
            key("confidence"),
            json!({ "platform": "sensor", "name": title(" confidence"), "unit_of_measurement": "%",
                "state_class": "measurement", "suggested_display_precision": 0, "state_topic": state,
                "value_template": "{{ value_json.confidence * 100 }}" }),
        ));
        components.push((
            key("drift"),
            json!({ "platform": "binary_sensor", "name": title(" drift"), "device_class": "problem",
                "entity_category": "diagnostic", "state_topic": state,
                "value_template": "{{ 'ON' if value_json.drift else 'OFF' }}" }),
        ));
    }
    let info = topics.own("info");
    // The name of a task is letters, digits and -.
    let of_info = |what: &str| {
        format!(
            "{{% set task = value_json.tasks | selectattr('task', 'eq', '{name}') | first | default({{}}) %}}{{{{ {what} }}}}"
        )
    };
    components.push((
        format!("{name}_accuracy"),
        json!({ "platform": "sensor", "name": format!("{name} accuracy"), "unit_of_measurement": "%",
            "state_class": "measurement", "suggested_display_precision": 0, "entity_category": "diagnostic",
            "state_topic": info,
            "value_template": of_info("task.accuracy[0] * 100 if task.accuracy else none") }),
    ));
    components.push((
        format!("{name}_samples"),
        json!({ "platform": "sensor", "name": format!("{name} samples"), "state_class": "measurement",
            "entity_category": "diagnostic", "state_topic": info, "value_template": of_info("task.samples | default(0)") }),
    ));
    let button = |title: String, verb: &str, payload: Value| {
        json!({ "platform": "button", "name": title, "command_topic": topics.own(&format!("cmd/{verb}")),
            "payload_press": payload.to_string(), "entity_category": "config" })
    };
    components.push((format!("{name}_adapt"), button(format!("{name} adapt"), "adapt", json!({ "task": name }))));
    components
        .push((format!("{name}_rollback"), button(format!("{name} roll back"), "rollback", json!({ "task": name }))));
    for (number, class) in classes.into_iter().take(BUTTONS).enumerate() {
        let payload = json!({ "task": name, "sample": "last", "label": class });
        components.push((format!("{name}_is_{number}"), button(format!("{name} is: {class}"), "label", payload)));
    }
    components
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::daemon::command::Look;
    use crate::daemon::view::{ClassView, LookView};

    fn view(sources: &[&str]) -> View {
        let mut view = crate::door::tests::view();
        view.device = "press-7".to_owned();
        let class = |name: &str| ClassView { name: name.to_owned(), samples: 3 };
        view.tasks[0].classes = vec![class("open"), class("it's \"shut\"")];
        let look = |source: &&str| LookView {
            look: Look { source: (*source).to_owned(), crop: None },
            now: None,
            stable: None,
            milliseconds: None,
        };
        view.tasks[0].looks = sources.iter().map(look).collect();
        view
    }

    fn document(sources: &[&str]) -> Value {
        let topics = Topics::new("acclimate", "press-7", None, &[]);
        let message = message(&topics, &view(sources));
        assert_eq!(message.topic, "homeassistant/device/acclimate_press-7/config");
        assert!(message.retain);
        serde_json::from_slice(&message.payload).unwrap()
    }

    #[test]
    fn a_task_is_a_sensor_with_its_classes_and_a_button_for_each() {
        let document = document(&["yard"]);
        let components = document["components"].as_object().unwrap();
        let class = &components["gate_class"];
        assert_eq!(class["options"], json!(["open", "it's \"shut\"", "unknown"]));
        assert_eq!(class["state_topic"], json!("acclimate/press-7/gate/state"));
        let press = components["gate_is_1"]["payload_press"].as_str().unwrap();
        let press: Value = serde_json::from_str(press).unwrap();
        assert_eq!(press, json!({ "task": "gate", "sample": "last", "label": "it's \"shut\"" }));
        assert_eq!(components["gate_adapt"]["command_topic"], json!("acclimate/press-7/cmd/adapt"));
        let mut ids: Vec<&str> = components.values().map(|one| one["unique_id"].as_str().unwrap()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "every name is there once");
        assert!(components.values().all(|one| one["platform"].is_string() && one["name"].is_string()));
    }

    #[test]
    fn each_source_of_several_has_a_sensor_of_its_own() {
        let document = document(&["yard", "door"]);
        assert_eq!(
            document["components"]["gate_door_class"]["state_topic"],
            json!("acclimate/press-7/gate/door/state")
        );
        assert!(document["components"]["gate_class"].is_null());
    }
}
