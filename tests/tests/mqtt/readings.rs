//! A device that learns from readings which another publishes as JSON, taught with Mosquitto's own programs' messages alone.

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::mosquitto::{self, Broker, Setup};
use acclimate_tests::publisher::Publisher;
use serde_json::{Value, json};

use super::topic;

/// Readings of a window.
const WINDOW: usize = 32;

/// What a pump's sensor says while it runs, or stands still.
fn reading(number: usize, runs: bool) -> Vec<u8> {
    let (time, noise) = (number as f64, (number * 7919 % 101) as f64 / 1000.0);
    let swing = if runs { 1.0 } else { 0.02 };
    let [x, y] = [(time * 0.9).sin() * swing + noise, (time * 0.9).cos() * swing - noise];
    json!({ "id": "pump-1", "acceleration": { "x/g": x, "y": [y] } }).to_string().into_bytes()
}

#[test]
fn readings_that_another_device_publishes_are_learnt_from() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup::default());
    let device = Device::new();
    let length = WINDOW.to_string();
    let _ = device
        .run(["init", "pump", "--backbone", "builtin-signal-1", "--channels", "2", "--length", &length])
        .expect(0);
    let config = format!(
        "[device]\nid = \"press-7\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"pump-1\"\nkind = \"mqtt\"\n\
         topic = \"sensors/+\"\nreadings = [\"/acceleration/x~1g\", \"/acceleration/y\"]\nwindow = {WINDOW}\n\
         [[task]]\nname = \"pump\"\nfrom = [{{ source = \"pump-1\" }}]\nagree = 1\n{}",
        broker.section()
    );
    let config = device.file("acclimate.toml", config.as_bytes());
    let listener = broker.listen(&[&topic("#")], &[]);
    // What the broker has kept is of another time: no window begins with it.
    broker.publish("sensors/pump-1", "{\"acceleration\":{\"x/g\":9,\"y\":[9]}}", &["-r"]);
    let mut daemon = Daemon::start(&device, &config);
    listener.until_online(0, "press-7");
    let mut publisher = Publisher::connect(broker.port(), "pump-1");
    let frames = |view: &Value| view["sources"][0]["frames"].as_u64().unwrap_or_default();
    let (mut said, mut windows, mut answers) = (0, 0, 0);
    let mut show = |daemon: &mut Daemon, runs: bool| {
        for _ in 0..WINDOW {
            said += 1;
            publisher.publish("sensors/pump-1", reading(said, runs), None);
        }
        windows += 1;
        daemon.wait_until(|view| frames(view) == windows);
    };
    for round in 0..6 {
        for (runs, class) in [(false, "still"), (true, "running")] {
            show(&mut daemon, runs);
            let label = json!({ "sample": "last", "label": class, "transaction": format!("{round} {class}") });
            broker.publish(&topic("cmd/label"), &label.to_string(), &[]);
            let (at, answer) = listener.wait_for_json(answers, &topic("rsp/label"));
            answers = at + 1;
            assert_eq!(answer["status"], json!("ok"), "{answer}");
        }
    }
    broker.publish(&topic("cmd/adapt"), "{}", &[]);
    let (heard, answer) = listener.wait_for_json(0, &topic("rsp/adapt"));
    assert_eq!(answer["data"]["adaptation"]["verdict"], json!("activated"), "{answer}");
    for (runs, class) in [(true, "running"), (false, "still")] {
        show(&mut daemon, runs);
        listener.wait_for(heard, |heard, payload| {
            heard == topic("pump/state") && payload.contains(&format!("\"class\":\"{class}\""))
        });
    }
    // Where nothing is a reading any more that is named, and forgotten with the next that is one.
    for _ in 0..8 {
        broker.publish("sensors/pump-1", "{\"acceleration\":{}}", &[]);
    }
    daemon.wait_until(|view| view["sources"][0]["reason"].to_string().contains("nothing at `/acceleration/x~1g`"));
    broker.publish("sensors/pump-1", &String::from_utf8(reading(0, true)).unwrap(), &[]);
    daemon.wait_until(|view| view["sources"][0]["health"] == "running");
    let _ = daemon.end().expect(0);
}
