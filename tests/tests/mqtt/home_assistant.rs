//! A device as a real Home Assistant finds it, over a real broker: no entity is refused, each shows what the device is like, and
//! what is pressed, switched and set there happens on the device.

use acclimate_tests::daemon::Daemon;
use acclimate_tests::home_assistant::{self, House};
use acclimate_tests::mosquitto::{self, Broker, Setup};
use serde_json::{Value, json};

use super::{Gate, topic};

/// The message by which it is found.
const CONFIG: &str = "homeassistant/device/acclimate_press-7/config";

fn state<'a>(states: &'a Value, entity: &str) -> &'a str {
    states[entity]["state"].as_str().unwrap_or("not there")
}

#[test]
fn a_device_appears_with_everything_and_does_what_is_asked_there() {
    let (true, Some(python)) = (mosquitto::found(), home_assistant::found()) else { return };
    let broker = Broker::start(Setup::default());
    let mut house = House::start(python, broker.port());
    let mut gate = Gate::new();
    let listener = broker.listen(&[&topic("#"), CONFIG], &[]);
    let config = gate.config(&format!("{}home_assistant = true\npictures = true\n", broker.section()));
    let daemon = Daemon::start(&gate.device, &config);
    gate.show(0);

    // Two classes are on and off, by what they are called.
    let states = house.wait_for("the gate is open", |states| state(states, "binary_sensor.press_7_gate") == "on");
    let gate_is = &states["binary_sensor.press_7_gate"]["attributes"];
    assert_eq!((&gate_is["device_class"], &gate_is["class"]), (&json!("opening"), &json!("open")));
    for (entity, expected) in [
        ("binary_sensor.press_7_problem", "off"),
        ("binary_sensor.press_7_gate_drift", "off"),
        ("number.press_7_gate_threshold", "0.0"),
        ("sensor.press_7_gate_samples", "12"),
        ("switch.press_7_gate_adaptation", "on"),
    ] {
        assert_eq!(state(&states, entity), expected, "{entity}");
    }
    for figure in ["accuracy", "confidence"] {
        let share: f64 = state(&states, &format!("sensor.press_7_gate_{figure}")).parse().unwrap();
        assert!((0.0..=100.0).contains(&share), "{figure}: {share}");
    }
    for button in ["adapt", "roll_back", "is_open", "is_closed"] {
        assert_eq!(state(&states, &format!("button.press_7_gate_{button}")), "unknown", "{button}: never pressed");
    }
    // Since when it has a picture; it is the one that the broker keeps.
    house.wait_for("there is a picture", |states| {
        let since = state(states, "image.press_7_gate_picture");
        since.starts_with("20")
    });

    // A switch, a number and buttons.
    house.call("switch.turn_off", "switch.press_7_gate_adaptation", &json!({}));
    house.wait_for("it is off", |states| state(states, "switch.press_7_gate_adaptation") == "off");
    house.call("number.set_value", "number.press_7_gate_threshold", &json!({ "value": 100 }));
    house.wait_for("it is set", |states| state(states, "number.press_7_gate_threshold") == "100.0");
    gate.show(1);
    house.wait_for("nothing is sure enough", |states| state(states, "binary_sensor.press_7_gate") == "unknown");
    house.call("number.set_value", "number.press_7_gate_threshold", &json!({ "value": 0 }));
    house.wait_for("it is taken back", |states| state(states, "number.press_7_gate_threshold") == "0.0");
    gate.show(1);
    house.wait_for("it is shut", |states| state(states, "binary_sensor.press_7_gate") == "off");
    house.call("button.press", "button.press_7_gate_is_closed", &json!({}));
    house.wait_for("one sample more", |states| state(states, "sensor.press_7_gate_samples") == "13");
    house.call("button.press", "button.press_7_gate_adapt", &json!({}));
    let (_, answer) = listener.wait_for_json(0, &topic("rsp/adapt"));
    assert_eq!(answer["status"], json!("ok"), "{answer}");

    // A third class, and it is a sensor that names them.
    gate.show(0);
    let label = r#"{"task":"gate","sample":"last","label":"ajar"}"#;
    let (seen, _) = listener.wait_for_json(0, &topic("rsp/label"));
    broker.publish(&topic("cmd/label"), label, &[]);
    let (_, answer) = listener.wait_for_json(seen + 1, &topic("rsp/label"));
    assert_eq!(answer["status"], json!("ok"), "{answer}");
    let states = house.wait_for("it is a sensor", |states| {
        states["binary_sensor.press_7_gate"].is_null() && state(states, "sensor.press_7_gate") != "not there"
    });
    let options = &states["sensor.press_7_gate"]["attributes"]["options"];
    assert_eq!(options, &json!(["open", "closed", "ajar", "unknown"]));

    // A broker that has forgotten the message gets it again when Home Assistant begins.
    let heard = listener.heard().len();
    broker.publish(CONFIG, "", &["-r"]);
    let (forgotten, _) = listener.wait_for(heard, |heard, payload| heard == CONFIG && payload == "(null)");
    broker.publish("homeassistant/status", "online", &[]);
    listener.wait_for(forgotten + 1, |heard, payload| heard == CONFIG && payload.contains("gate_class"));
    house.wait_for("it is there again", |states| state(states, "sensor.press_7_gate") != "not there");

    // What is gone is unavailable.
    let _ = daemon.end().expect(0);
    house.wait_for("the device is off", |states| state(states, "sensor.press_7_gate") == "unavailable");
    let log = house.log();
    assert_eq!(log, json!([]), "what it warns of");
    // It is chosen, and stays so.
    let again = Daemon::start(&gate.device, &config);
    house.wait_for("it is off still", |states| state(states, "switch.press_7_gate_adaptation") == "off");
    let _ = again.end().expect(0);
}
