//! Brokers that hang up, refuse, repeat and have limits: nothing is lost, nothing is done twice, and what is wrong is said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use acclimate_tests::broker::{Broker, Do, Event, Said};
use acclimate_tests::daemon::Daemon;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, Publish, PublishProperties};
use serde_json::{Value, json};

use super::{Gate, topic};

/// Waits until something holds of what was said.
#[track_caller]
fn wait_until(daemon: &mut Daemon, broker: &Broker, so: impl Fn(&[Said]) -> bool) -> Vec<Said> {
    daemon.wait_until(|_| so(&broker.said()));
    broker.said()
}

fn predictions(said: &[Said]) -> Vec<&Said> {
    said.iter().filter(|said| said.topic == topic("gate/prediction")).collect()
}

fn names(said: &[&Said]) -> BTreeSet<String> {
    said.iter().filter_map(|said| said.id.clone()).collect()
}

/// What counts messages in their name.
fn count(said: &Said) -> u64 {
    said.id.as_ref().unwrap().rsplit_once('-').unwrap().1.parse().unwrap()
}

fn command(verb: &str, payload: &Value, packet: u16) -> Publish {
    let properties = PublishProperties { response_topic: Some(format!("answers/{verb}")), ..Default::default() };
    let mut publish =
        Publish::new(topic(&format!("cmd/{verb}")), QoS::AtLeastOnce, payload.to_string(), Some(properties));
    publish.pkid = packet;
    publish
}

#[test]
fn a_broker_that_hangs_up_after_every_seventh_acknowledgement_gets_everything_in_order() {
    let mut left = 7;
    let broker = Broker::start(move |event| match event {
        Event::Connected(..) => {
            left = 7;
            Vec::new()
        }
        Event::Published(..) if left == 0 => vec![Do::HangUp],
        Event::Published(..) => {
            left -= 1;
            vec![Do::Acknowledge(PubAckReason::Success)]
        }
        Event::Acknowledged(_) | Event::Subscribed(_) => Vec::new(),
    });
    let mut gate = Gate::new();
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    const SHOWN: usize = 24;
    for picture in 0..SHOWN {
        gate.show(picture % 2);
    }
    let said = wait_until(&mut daemon, &broker, |said| names(&predictions(said)).len() == SHOWN);
    let all = predictions(&said);
    let mut first: Vec<u64> = Vec::new();
    for said in &all {
        let count = count(said);
        if !first.contains(&count) {
            first.push(count);
        }
    }
    assert!(first.is_sorted(), "{first:?}");
    let connections = broker.connections();
    assert!(connections >= 3 && all.len() <= SHOWN + 16 * connections, "{} over {connections}", all.len());
    let _ = daemon.end().expect(0);
}

#[test]
fn what_is_refused_for_whatever_reason_is_kept_named_and_told_over_the_next_connection() {
    let reasons = [
        PubAckReason::UnspecifiedError,
        PubAckReason::ImplementationSpecificError,
        PubAckReason::NotAuthorized,
        PubAckReason::TopicNameInvalid,
        PubAckReason::QuotaExceeded,
        PubAckReason::PayloadFormatInvalid,
    ];
    let (mut first, mut refused, mut hang_up) = (true, 0, false);
    let broker = Broker::start(move |event| match event {
        Event::Connected(number, _) => {
            first = number == 1;
            Vec::new()
        }
        Event::Published(publish, _) if first && publish.topic.ends_with(b"gate/prediction") => {
            refused += 1;
            vec![Do::Acknowledge(reasons[(refused - 1) % reasons.len()])]
        }
        Event::Published(publish, _) => {
            hang_up |= publish.topic.ends_with(b"answers/health") && first;
            if hang_up {
                hang_up = false;
                return vec![Do::Acknowledge(PubAckReason::Success), Do::HangUp];
            }
            let problem = publish.topic.ends_with(b"event/problem") && first;
            let mut doing = vec![Do::Acknowledge(PubAckReason::NoMatchingSubscribers)];
            if problem {
                doing.push(Do::Send(Box::new(command("health", &json!({}), 1))));
            }
            doing
        }
        Event::Acknowledged(_) | Event::Subscribed(_) => Vec::new(),
    });
    let mut gate = Gate::new();
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    for picture in 0..6 {
        gate.show(picture % 2);
    }
    let said = wait_until(&mut daemon, &broker, |said| {
        names(&predictions(said).into_iter().filter(|said| said.connection > 1).collect::<Vec<_>>()).len() == 6
    });
    let problem = said.iter().find(|said| said.topic == topic("event/problem")).unwrap();
    assert!(
        problem.payload.contains("gate/prediction") && problem.payload.contains("unspecified error"),
        "{problem:?}"
    );
    let health = said.iter().find(|said| said.topic == "answers/health").unwrap();
    assert!(health.payload.contains("refuses what is published to"), "{health:?}");
    daemon.wait_until(|view| view["degraded"] == json!([]));
    let (_, metrics) = daemon.get("/metrics");
    assert!(
        metrics.contains("acclimate_mqtt_connected 1") && metrics.contains("acclimate_mqtt_parked_messages 0"),
        "{metrics}"
    );
    let _ = daemon.end().expect(0);
}

#[test]
fn a_command_that_comes_again_is_done_once_and_a_retained_one_never() {
    let label = json!({ "sample": "last", "label": "open", "transaction": "l" });
    let rollback = json!({ "transaction": "old" });
    let mut sent = false;
    let broker = Broker::start(move |event| match event {
        Event::Subscribed(_) => {
            let mut retained = command("rollback", &rollback, 1);
            retained.retain = true;
            vec![Do::Send(Box::new(retained))]
        }
        Event::Published(publish, _) => {
            let mut doing = vec![Do::Acknowledge(PubAckReason::Success)];
            if publish.topic.ends_with(b"gate/prediction") && !sent {
                sent = true;
                for packet in 2..7 {
                    let mut again = command("label", &label, packet);
                    again.dup = packet > 2;
                    doing.push(Do::Send(Box::new(again)));
                }
            }
            doing
        }
        Event::Acknowledged(6) => vec![Do::Send(Box::new(command("health", &json!({}), 7)))],
        Event::Acknowledged(_) | Event::Connected(..) => Vec::new(),
    });
    let mut gate = Gate::new();
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    gate.show(0);
    let answered =
        |said: &[Said], verb: &str| said.iter().filter(|said| said.topic == format!("answers/{verb}")).count();
    let said = wait_until(&mut daemon, &broker, |said| answered(said, "label") >= 1 && answered(said, "health") == 1);
    let answers: BTreeSet<&str> =
        said.iter().filter(|said| said.topic == "answers/label").map(|said| said.payload.as_str()).collect();
    assert_eq!(answers.len(), 1, "the same answer each time: {answers:?}");
    let view = daemon.status();
    let open = view["tasks"][0]["classes"].as_array().unwrap().iter().find(|class| class["name"] == "open").unwrap();
    assert_eq!((&open["samples"], answered(&said, "rollback")), (&json!(7), 0));
    let (_, metrics) = daemon.get("/metrics");
    assert!(metrics.contains("acclimate_shed_total{what=\"mqtt_retained_command\"} 1"), "{metrics}");
    let _ = daemon.end().expect(0);
}

#[test]
fn a_broker_that_hangs_up_at_one_topic_is_told_the_others_and_the_policy_is_named() {
    let broker = Broker::start(move |event| match event {
        Event::Published(publish, _) if publish.topic.ends_with(b"gate/state") => vec![Do::HangUp],
        Event::Published(..) => vec![Do::Acknowledge(PubAckReason::Success)],
        Event::Acknowledged(_) | Event::Connected(..) | Event::Subscribed(_) => Vec::new(),
    });
    let mut gate = Gate::new();
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    gate.show(0);
    let said = wait_until(&mut daemon, &broker, |said| {
        said.iter().any(|said| said.topic == topic("event/problem")) && !predictions(said).is_empty()
    });
    let problem = said.iter().find(|said| said.topic == topic("event/problem")).unwrap();
    assert!(problem.payload.contains("iot:Publish") && problem.payload.contains("gate/state"), "{problem:?}");
    let connections = broker.connections();
    gate.show(1);
    wait_until(&mut daemon, &broker, |said| names(&predictions(said)).len() == 2);
    assert_eq!(broker.connections(), connections, "it does not go on trying");
    let _ = daemon.end().expect(0);
}

/// What AWS IoT Core takes of one client: <https://docs.aws.amazon.com/general/latest/gr/iot-core.html>.
struct Aws {
    published: VecDeque<Instant>,
    violations: Vec<String>,
}

impl Aws {
    /// What a client did wrong, if anything.
    fn judge(&mut self, event: &Event<'_>) -> Option<String> {
        let name =
            |topic: &str| (topic.len() > 256 || topic.matches('/').count() > 7).then(|| format!("topic {topic}"));
        match event {
            Event::Connected(_, Packet::Connect(connect, will, _)) => {
                let id = connect.client_id.len();
                let keep_alive = connect.keep_alive;
                let will = will.as_ref().and_then(|will| name(std::str::from_utf8(&will.topic).unwrap()));
                let fits = (1..=128).contains(&id) && (30..=1200).contains(&keep_alive);
                will.or_else(|| (!fits).then(|| format!("client id of {id}, keep-alive of {keep_alive}")))
            }
            Event::Connected(_, other) => Some(format!("{other:?}")),
            Event::Subscribed(filters) if filters.len() > 8 => Some(format!("{} filters", filters.len())),
            Event::Subscribed(filters) => filters.iter().find_map(|filter| name(filter)),
            Event::Published(publish, size) => {
                let now = Instant::now();
                self.published.push_back(now);
                while self.published.front().is_some_and(|first| now - *first > Duration::from_secs(1)) {
                    self.published.pop_front();
                }
                let rate = self.published.len();
                name(std::str::from_utf8(&publish.topic).unwrap())
                    .or_else(|| (*size > 128 << 10).then(|| format!("{size} bytes")))
                    .or_else(|| (rate > 100).then(|| format!("{rate} messages a second")))
            }
            Event::Acknowledged(_) => None,
        }
    }
}

#[test]
fn the_limits_of_aws_iot_are_kept_and_it_never_hangs_up() {
    let violations = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let mut aws = Aws { published: VecDeque::new(), violations: Vec::new() };
    let mut sent = BTreeMap::new();
    let broker = Broker::start({
        let violations = std::sync::Arc::clone(&violations);
        move |event| {
            if let Some(violation) = aws.judge(&event) {
                aws.violations.push(violation.clone());
                violations.lock().unwrap().push(violation);
                return vec![Do::HangUp];
            }
            match event {
                Event::Published(publish, _) => {
                    let mut doing = vec![Do::Acknowledge(PubAckReason::Success)];
                    // With the first prediction come commands, among them one whose answer does not fit.
                    if publish.topic.ends_with(b"gate/prediction") && sent.insert("sent", ()).is_none() {
                        let commands =
                            [("health", json!({})), ("picture", json!({})), ("adapt", json!({ "task": "gate" }))];
                        for (packet, (verb, payload)) in (1..).zip(commands) {
                            doing.push(Do::Send(Box::new(command(verb, &payload, packet))));
                        }
                    }
                    doing
                }
                Event::Acknowledged(_) | Event::Connected(..) | Event::Subscribed(_) => Vec::new(),
            }
        }
    });
    let mut gate = Gate::new();
    let groups: Vec<String> = (0..12).map(|n| format!("\"hall-{n}\"")).collect();
    let section =
        format!("{}profile = \"aws-iot\"\nfleet = \"plant-3\"\ngroups = [{}]\n", broker.section(), groups.join(", "));
    let mut daemon = Daemon::start(&gate.device, &gate.config(&section));
    const SHOWN: usize = 150;
    for picture in 0..SHOWN {
        gate.show(picture % 2);
    }
    let said = wait_until(&mut daemon, &broker, |said| {
        let answers: BTreeSet<&str> =
            said.iter().map(|said| said.topic.as_str()).filter(|topic| topic.starts_with("answers/")).collect();
        names(&predictions(said)).len() == SHOWN && answers.len() == 3
    });
    assert_eq!(*violations.lock().unwrap(), [""; 0]);
    assert_eq!(broker.connections(), 1);
    assert!(said.iter().filter(|said| said.topic == topic("status")).all(|said| said.retain));
    let _ = daemon.end().expect(0);
}
