//! What Home Assistant would make of the device.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use serde_json::{Value, json};

use super::*;
use crate::daemon::command::Look;
use crate::daemon::view::{ClassView, LookView};

fn view(sources: &[&str], classes: &[&str]) -> View {
    let mut view = crate::door::tests::view();
    view.device = "press-7".to_owned();
    view.tasks[0].classes = classes.iter().map(|name| ClassView { name: (*name).to_owned(), samples: 3 }).collect();
    let look = |source: &&str| LookView {
        look: Look { source: (*source).to_owned(), crop: None },
        now: None,
        stable: None,
        milliseconds: None,
    };
    view.tasks[0].looks = sources.iter().map(look).collect();
    view
}

fn told(discovery: &mut Discovery, view: &View) -> Value {
    let topics = Topics::new("acclimate", "press-7", None, &[]);
    let message = discovery.message(&topics, view);
    assert_eq!(message.topic, "homeassistant/device/acclimate_press-7/config");
    assert!(message.retain);
    serde_json::from_slice(&message.payload).unwrap()
}

fn of(sources: &[&str], classes: &[&str]) -> Value {
    told(&mut Discovery::default(), &view(sources, classes))["components"].take()
}

/// The payload of a command, as it arrives.
fn payload(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

#[test]
fn a_task_is_a_sensor_with_its_classes_and_a_button_for_each() {
    let components = of(&["yard"], &["open", "it's \"shut\"", "ajar"]);
    let class = &components["gate_class"];
    assert_eq!(class["options"], json!(["open", "it's \"shut\"", "ajar", "unknown"]));
    assert_eq!(class["state_topic"], json!("acclimate/press-7/gate/state"));
    assert_eq!(components["gate_on"], json!({ "platform": "binary_sensor" }), "of two classes it is taken back");
    let expected = json!({ "task": "gate", "sample": "last", "label": "it's \"shut\"" });
    assert_eq!(payload(&components["gate_is_1"]["payload_press"]), expected);
    assert_eq!(components["gate_adapt"]["command_topic"], json!("acclimate/press-7/cmd/adapt"));
    let all = components.as_object().unwrap().values().filter(|one| one["name"].is_string());
    let mut ids: Vec<&str> = all.map(|one| one["unique_id"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "every name is there once");
    assert!(components.as_object().unwrap().values().all(|one| one["platform"].is_string()));
}

#[test]
fn a_task_of_two_classes_is_on_or_off_and_a_third_makes_it_a_sensor() {
    let mut discovery = Discovery::default();
    let components = told(&mut discovery, &view(&["yard"], &["open", "closed"]))["components"].take();
    let on = &components["gate_on"];
    assert_eq!((&on["platform"], &on["device_class"]), (&json!("binary_sensor"), &json!("opening")));
    assert!(on["value_template"].as_str().unwrap().contains("value_json.class == \"open\""));
    assert_eq!(components["gate_class"], json!({ "platform": "sensor" }));
    let components = told(&mut discovery, &view(&["yard"], &["open", "closed", "ajar"]))["components"].take();
    assert_eq!(components["gate_on"], json!({ "platform": "binary_sensor" }));
    assert_eq!(components["gate_class"]["device_class"], json!("enum"));
    let wanted = Wanted { device_class: Some("garage_door".to_owned()), on: Some("closed".to_owned()) };
    discovery.wanted = [("gate".to_owned(), wanted)].into();
    let components = told(&mut discovery, &view(&["yard"], &["open", "closed"]))["components"].take();
    assert_eq!(components["gate_on"]["device_class"], json!("garage_door"));
}

#[test]
fn adapting_is_a_switch_and_the_threshold_a_number() {
    let components = of(&["yard"], &["open", "closed"]);
    let switch = &components["gate_adaptation"];
    assert_eq!(payload(&switch["payload_off"]), json!({ "task": "gate", "adaptation": false }));
    assert_eq!(payload(&switch["payload_on"]), json!({ "task": "gate", "adaptation": true }));
    let number = &components["gate_threshold"];
    let template = number["command_template"].as_str().unwrap().replace("{{ value / 100 }}", "0.6");
    assert_eq!(payload(&template.into()), json!({ "task": "gate", "threshold": 0.6 }));
    for asks in [switch, number] {
        assert_eq!(asks["command_topic"], json!("acclimate/press-7/cmd/set"));
        assert_eq!(asks["state_topic"], json!("acclimate/press-7/info"));
    }
}

#[test]
fn each_source_of_several_has_a_sensor_of_its_own_and_so_has_each_region() {
    let components = of(&["yard", "door", "yard"], &["open", "ajar", "shut"]);
    let topic = |key: &str| components[key]["state_topic"].clone();
    assert_eq!(topic("gate_door_class"), json!("acclimate/press-7/gate/door/state"));
    assert_eq!(topic("gate_yard-2_class"), json!("acclimate/press-7/gate/yard-2/state"));
    assert!(components["gate_class"].is_null());
}

#[test]
fn a_picture_is_there_only_where_it_is_on_the_broker() {
    assert_eq!(of(&["yard"], &["open"])["gate_picture"], json!({ "platform": "image" }), "taken back");
    let mut discovery =
        Discovery { pictures: true, page: Some("http://press-7.local:7070/".to_owned()), ..Discovery::default() };
    let document = told(&mut discovery, &view(&["yard"], &["open"]));
    assert_eq!(document["components"]["gate_picture"]["image_topic"], json!("acclimate/press-7/gate/picture"));
    assert_eq!(document["device"]["configuration_url"], json!("http://press-7.local:7070/"));
}

#[test]
fn what_is_gone_is_taken_back() {
    let mut discovery = Discovery::default();
    told(&mut discovery, &view(&["yard", "door"], &["a", "b", "c"]));
    let components = told(&mut discovery, &view(&["yard"], &["a", "b"]))["components"].take();
    assert_eq!(components["gate_door_class"], json!({ "platform": "sensor" }));
    assert_eq!(components["gate_is_2"], json!({ "platform": "button" }));
    assert!(components["gate_class"]["options"].is_array());
}
