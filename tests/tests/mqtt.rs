//! A device that is driven from a broker alone, with Mosquitto's own programs: the README's commands, with and without
//! certificates. What a daemon promises of brokers that misbehave or are gone stands in the modules.

mod fuzz;
mod heads;
mod home_assistant;
mod outage;
mod readings;
mod scripted;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use acclimate_tests::daemon::Daemon;
use acclimate_tests::device::Device;
use acclimate_tests::mosquitto::{self, Broker, Listener, Setup};
use acclimate_tests::picture;
use acclimate_tests::readme;
use serde_json::{Value, json};

pub(crate) const ROOT: &str = "acclimate/press-7";

/// A device called `press-7` that tells gates that are open from such that are closed, in pictures that appear in a folder.
pub(crate) struct Gate {
    pub(crate) device: Device,
    inbox: PathBuf,
    pictures: u64,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let device = Device::new();
        let _ = device.run(["init", "gate", "--backbone", "builtin-picture-1"]).expect(0);
        let drawn = device.draw("before", 6, 1);
        for (class, label) in picture::CLASSES.into_iter().zip(["open", "closed"]) {
            let folder = drawn.join(class);
            let _ = device
                .run(["add".as_ref(), "gate".as_ref(), folder.as_os_str(), "--label".as_ref(), label.as_ref()])
                .expect(0);
        }
        let _ = device.run(["adapt", "gate"]).expect(0);
        let inbox = device.path("inbox");
        std::fs::create_dir_all(&inbox).unwrap();
        Self { device, inbox, pictures: 0 }
    }

    pub(crate) fn config(&self, mqtt: &str) -> PathBuf {
        let inbox = self.inbox.display();
        let text = format!(
            "[device]\nid = \"press-7\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"yard\"\nkind = \"folder\"\n\
             path = \"{inbox}\"\n[[task]]\nname = \"gate\"\nfrom = [{{ source = \"yard\" }}]\nagree = 1\n{mqtt}\
             predictions = \"all\"\n"
        );
        self.device.file("acclimate.toml", text.as_bytes())
    }

    /// Shows a picture of a class.
    pub(crate) fn show(&mut self, class: usize) {
        self.pictures += 1;
        let name = format!("{:05}.png", self.pictures);
        let path = self.device.file(format!("written/{name}"), &picture::draw(class, 90_000 + self.pictures));
        // Whole at once.
        std::fs::rename(path, self.inbox.join(name)).unwrap();
    }
}

/// A command of the README, said to the broker of the test.
#[track_caller]
fn say(line: &str, broker: &Broker) {
    let found: Vec<String> = broker.arguments().iter().map(|argument| format!("'{argument}'")).collect();
    let line = line.replace("-V 5 -h broker.local", &found.join(" "));
    let output = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn topic(rest: &str) -> String {
    format!("{ROOT}/{rest}")
}

/// The README's commands, in their order: three labels by what is seen, an adaptation, and back.
fn drive(setup: Setup) {
    let broker = Broker::start(setup);
    let mut gate = Gate::new();
    let listener = broker.listen(&[&topic("#")], &[]);
    let daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    listener.until_online(0, "press-7");
    let block = readme::block("Over MQTT", "sh");
    let commands: Vec<&str> = block.lines().filter(|line| line.starts_with("mosquitto_pub")).collect();
    let (mut verdict, mut heard) = (Value::Null, 0);
    for line in &commands {
        let verb = line.split_once("/cmd/").unwrap().1.split_once(' ').unwrap().0;
        if verb == "label" {
            gate.show(usize::from(line.contains("closed")));
            heard = listener.wait_for_json(heard, &topic("gate/prediction")).0 + 1;
        }
        say(line, &broker);
        let (_, answer) = listener.wait_for(0, |heard, payload| {
            let transaction = line.split_once("\"transaction\":").unwrap().1.split('}').next().unwrap();
            heard == topic(&format!("rsp/{verb}")) && payload.contains(transaction)
        });
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["status"], json!("ok"), "{line}: {answer}");
        if verb == "adapt" {
            verdict = answer["data"]["adaptation"].clone();
        }
    }
    assert_eq!(commands.len(), 5);
    assert_eq!((&verdict["verdict"], &verdict["generation"]), (&json!("activated"), &json!(2)), "{verdict}");
    assert_eq!(verdict["samples"], json!(15), "{verdict}");
    let (_, told) = listener.wait_for_json(0, &topic("event/adapted"));
    assert!(told["message"].as_str().unwrap().contains("generation 2"), "{told}");
    // The values that the broker keeps follow.
    let info = |generation| move |heard: &str, payload: &str| heard == topic("info") && payload.contains(generation);
    let (second, _) = listener.wait_for(heard, info("\"generation\":2"));
    listener.wait_for(second, info("\"generation\":1"));
    let _ = daemon.end().expect(0);
    listener.wait_for(0, |heard, payload| heard == topic("status") && payload == "stopped");
    assert_eq!(gate_generation(&gate), json!(1), "it went back");
}

fn gate_generation(gate: &Gate) -> Value {
    let heads = gate.device.json(["head", "list", "gate"]);
    let heads = heads.as_array().unwrap().clone();
    heads.into_iter().find(|head| head["in_service"] == true).map_or(Value::Null, |head| head["generation"].clone())
}

#[test]
fn the_readmes_commands_drive_a_device() {
    if mosquitto::found() {
        drive(Setup::default());
    }
}

#[test]
fn the_readmes_commands_drive_a_device_with_certificates_and_its_list_of_who_may_do_what() {
    if mosquitto::found() {
        drive(Setup { closed: true, persistent: true, packet: None });
    }
}

#[test]
fn commands_that_are_wrong_retained_or_repeated_are_answered_ignored_and_done_once() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup::default());
    let mut gate = Gate::new();
    // Before the device is there: a retained command comes with its connection.
    broker.publish(&topic("cmd/rollback"), r#"{"transaction":"old"}"#, &["-r"]);
    let listener = broker.listen(&[&topic("#"), "answers/#"], &[]);
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    listener.until_online(0, "press-7");
    let answers = |listener: &Listener, on: &str| {
        let of = |(topic, payload): (String, String)| (topic == on).then(|| serde_json::from_str(&payload).unwrap());
        listener.heard().into_iter().filter_map(of).collect::<Vec<Value>>()
    };

    broker.publish(&topic("cmd/adpat"), "{}", &[]);
    let (_, answer) = listener.wait_for_json(0, &topic("rsp/adpat"));
    assert_eq!(answer["status"], json!("error"));
    assert!(answer["error"]["message"].as_str().unwrap().contains("adapt, classify"), "{answer}");
    broker.publish(&topic("cmd/label"), "{\"sample\":", &[]);
    let (_, answer) = listener.wait_for_json(0, &topic("rsp/label"));
    assert!(answer["error"]["message"].as_str().unwrap().contains("\"sample\":\"last\""), "{answer}");
    let large = gate.device.file("large", &vec![b' '; 100_000]);
    let more = ["-D", "publish", "correlation-data", "c7", "-D", "publish", "response-topic", "answers/7"];
    broker.publish_file(&topic("cmd/adapt"), &large, &more);
    let (_, answer) = listener.wait_for_json(0, "answers/7");
    assert!(answer["error"]["message"].as_str().unwrap().contains("100000 bytes"), "{answer}");

    gate.show(0);
    let (_, prediction) = listener.wait_for_json(0, &topic("gate/prediction"));
    assert!(prediction["uid"].is_string() && prediction["source"] == json!("yard"), "{prediction}");
    let label = r#"{"sample":"last","label":"open","transaction":7}"#;
    for _ in 0..3 {
        broker.publish(&topic("cmd/label"), label, &[]);
    }
    let labelled = |listener: &Listener| {
        answers(listener, &topic("rsp/label")).into_iter().filter(|answer| answer["transaction"] == json!(7)).count()
    };
    broker.publish(&topic("cmd/health"), r#"{"transaction":"h"}"#, &[]);
    let (_, health) = listener.wait_for_json(0, &topic("rsp/health"));
    assert_eq!(health["data"]["readiness"]["degraded"], json!([]), "{health}");
    listener.wait_for(0, |heard, payload| heard == topic("rsp/label") && payload.contains("\"transaction\":7"));
    let open = |view: &Value| {
        view["tasks"][0]["classes"].as_array().unwrap().iter().find(|class| class["name"] == "open").unwrap()["samples"]
            .clone()
    };
    let view = daemon.wait_until(|view| open(view) == json!(7));
    assert_eq!(view["tasks"][0]["generation"], json!(1), "the retained command was not carried out");

    // A restart remembers what was done.
    let _ = daemon.end().expect(0);
    let seen = listener.heard().len();
    let before = labelled(&listener);
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    listener.until_online(seen, "press-7");
    broker.publish(&topic("cmd/label"), label, &[]);
    listener.wait_for(seen, |heard, payload| heard == topic("rsp/label") && payload.contains("\"transaction\":7"));
    assert!(labelled(&listener) > before);
    assert_eq!(open(&daemon.status()), json!(7), "it is answered again and not done again");
    broker.publish(&topic("cmd/label"), label, &["-D", "publish", "response-topic", "answers/again"]);
    let (_, answer) = listener.wait_for_json(seen, "answers/again");
    assert_eq!((&answer["status"], &answer["transaction"]), (&json!("ok"), &json!(7)), "{answer}");
    let picture = gate.device.file("shown.png", &picture::draw(1, 7));
    let more = ["-D", "publish", "content-type", "image/png", "-D", "publish", "user-property", "task", "gate"];
    broker.publish_file(&topic("cmd/classify"), &picture, &more);
    let (_, answer) = listener.wait_for_json(seen, &topic("rsp/classify"));
    assert_eq!(answer["data"]["prediction"]["class"], json!("closed"), "{answer}");
    broker.publish(&topic("cmd/picture"), "{}", &[]);
    let (_, answer) = listener.wait_for_json(seen, &topic("rsp/picture"));
    assert!(answer["status"] == json!("error") || answer["data"]["base64"].is_string(), "{answer}");
    let _ = daemon.end().expect(0);
}

#[test]
fn the_command_line_says_what_the_broker_allows_and_what_is_said_there() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup { closed: true, persistent: false, packet: None });
    let gate = Gate::new();
    let config = gate.config(&broker.section()).display().to_string();
    let tested = gate.device.json(["--config", &config, "mqtt", "test"]);
    assert_eq!((&tested["subscriptions"][0]["refused"], &tested["refused"]), (&Value::Null, &Value::Null), "{tested}");
    assert!(tested["acknowledged_ms"].is_number(), "{tested}");
    // Another's certificate may not do what this device may.
    let foreign = gate.device.path("acclimate.toml");
    let text = std::fs::read_to_string(&foreign).unwrap().replace("id = \"press-7\"", "id = \"press-8\"");
    let foreign = gate.device.file("foreign.toml", text.as_bytes()).display().to_string();
    let refused = gate.device.run(["--config", &foreign, "mqtt", "test"]).expect(1);
    // Mosquitto hangs up at what a client may not publish, or refuses it.
    assert!(refused.stdout.contains("publish to acclimate/press-8/event/test: no: "), "{}", refused.stdout);
    let watching = acclimate_tests::program::Running::start(
        gate.device.command(["--config", &config, "mqtt", "watch"]).arg("--json"),
    );
    broker.publish(&topic("cmd/probe"), "hello", &["-r"]);
    watching.wait_until(|| watching.said().contains("\"payload\":\"hello\""));
    let _killed = watching.kill_after(std::time::Duration::ZERO);
}

#[test]
fn pictures_that_others_publish_are_looked_at() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup::default());
    let gate = Gate::new();
    let source = "[[source]]\nname = \"gatehouse\"\nkind = \"mqtt\"\ntopic = \"cameras/+/jpg\"\n";
    let config = gate.config(&broker.section());
    let text = std::fs::read_to_string(&config).unwrap().replace("source = \"yard\"", "source = \"gatehouse\"");
    let config = gate.device.file("published.toml", format!("{text}{source}").as_bytes());
    let listener = broker.listen(&[&topic("#")], &[]);
    let daemon = Daemon::start(&gate.device, &config);
    listener.until_online(0, "press-7");
    for class in [1, 0] {
        let picture = gate.device.file("published.png", &picture::draw(class, 70_000));
        broker.publish_file("cameras/gatehouse/jpg", &picture, &[]);
        let expected = json!(["open", "closed"][class]);
        listener.wait_for(0, |heard, payload| {
            let said: Value = serde_json::from_str(payload).unwrap_or_default();
            heard == topic("gate/prediction") && said["class"] == expected && said["source"] == json!("gatehouse")
        });
    }
    let _ = daemon.end().expect(0);
}

#[test]
fn a_broker_that_comes_back_without_what_it_kept_is_told_everything_again_and_listened_to() {
    if !mosquitto::found() {
        return;
    }
    let mut broker = Broker::start(Setup::default());
    let mut gate = Gate::new();
    let listener = broker.listen(&[&topic("#")], &[]);
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    listener.until_online(0, "press-7");
    gate.show(0);
    listener.wait_for(0, |heard, payload| heard == topic("gate/state") && payload.contains("\"open\""));
    broker.kill();
    daemon.wait_until(|view| view["degraded"].to_string().contains("the MQTT broker is not connected"));
    // Whoever is not there is told later.
    gate.show(1);
    daemon.wait_until(|view| view["sources"][0]["frames"] == json!(2));
    broker.again();
    let listener = broker.listen(&[&topic("#")], &[]);
    let from = listener.until_online(0, "press-7");
    listener.wait_for(from, |heard, payload| heard == topic("gate/state") && payload.contains("\"closed\""));
    listener
        .wait_for(0, |heard, payload| heard == topic("gate/prediction") && payload.contains("\"class\":\"closed\""));
    broker.publish(&topic("cmd/health"), "{}", &[]);
    let (_, health) = listener.wait_for_json(0, &topic("rsp/health"));
    assert_eq!(health["status"], json!("ok"), "{health}");
    daemon.wait_until(|view| view["degraded"] == json!([]));
    // And who is killed is said to be gone.
    let _ = daemon.kill_after(std::time::Duration::ZERO);
    listener.wait_for(0, |heard, payload| heard == topic("status") && payload == "offline");
}

#[test]
fn a_broker_that_is_not_trusted_and_one_that_does_not_trust_us_are_not_spoken_to() {
    if !mosquitto::found() {
        return;
    }
    let [broker, other] = [(); 2].map(|()| Broker::start(Setup { closed: true, ..Setup::default() }));
    let gate = Gate::new();
    let (ours, theirs) = (broker.path("ca.pem").display().to_string(), other.path("ca.pem").display().to_string());
    let text = broker.section().replace(&ours, &theirs);
    let config = gate.device.file("foreign.toml", format!("[device]\nid = \"press-7\"\n{text}").as_bytes());
    let test = |config: &std::path::Path| {
        let finished =
            gate.device.run(["--config".as_ref(), config.as_os_str(), "mqtt".as_ref(), "test".as_ref()]).expect(1);
        finished.stderr
    };
    let said = test(&config);
    assert!(said.contains("certificate") && said.contains("`ca`"), "{said}");
    let without: String = broker
        .section()
        .lines()
        .filter(|line| !line.starts_with("cert") && !line.starts_with("key"))
        .fold(String::new(), |text, line| text + line + "\n");
    let config = gate.device.file("nobody.toml", format!("[device]\nid = \"press-7\"\n{without}").as_bytes());
    let said = test(&config);
    assert!(said.contains("`cert`"), "{said}");
}

#[test]
fn a_command_for_a_group_of_a_fleet_is_this_devices_too_and_waits_for_its_share_of_the_time() {
    if !mosquitto::found() {
        return;
    }
    let broker = Broker::start(Setup::default());
    let gate = Gate::new();
    let listener = broker.listen(&[&topic("#")], &[]);
    let section = format!("{}fleet = \"plant-3\"\ngroups = [\"hall-2\"]\n", broker.section());
    let daemon = Daemon::start(&gate.device, &gate.config(&section));
    listener.until_online(0, "press-7");
    for of in ["acclimate/fleet/plant-3", "acclimate/fleet/plant-3/group/hall-2"] {
        let payload = json!({ "transaction": of, "spread": "500ms" }).to_string();
        broker.publish(&format!("{of}/cmd/health"), &payload, &[]);
        listener.wait_for(0, |heard, payload| {
            let answer: Value = serde_json::from_str(payload).unwrap_or_default();
            heard == topic("rsp/health") && answer["transaction"] == json!(of) && answer["device"] == json!("press-7")
        });
    }
    let _ = daemon.end().expect(0);
}
