//! Brokers that hang up, refuse, repeat and have limits: nothing is lost, nothing is done twice, and what is wrong is said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use acclimate_tests::broker::{Broker, Do, Event, Said};
use acclimate_tests::daemon::Daemon;
use acclimate_tests::program::{resident, resident_peak};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
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
    const SHOWN: usize = 24;
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

/// A payload that is of no use, in one of many ways.
fn nonsense(random: &mut ChaCha8Rng, verb: &str) -> Publish {
    let good = r#"{"task":"gate","sample":"last","label":"open","generation":1,"samples":["ab"],"hold":"begin"}"#;
    let number = random.random_range(0..7);
    let payload: Vec<u8> = match number {
        0 => (0..random.random_range(0..300)).map(|_| random.random()).collect(),
        1 => good.as_bytes()[..random.random_range(1..good.len())].to_vec(),
        2 => vec![b'['; random.random_range(1..60_000)],
        3 => vec![b' '; random.random_range(65_537..200_000)],
        4 => {
            let mut spoilt = good.as_bytes().to_vec();
            let place = random.random_range(0..spoilt.len());
            spoilt[place] = random.random();
            spoilt
        }
        5 => json!({ "task": ["gate"], "sample": 7, "transaction": {}, "spread": -1, verb: null })
            .to_string()
            .into_bytes(),
        _ => [&[0xff, 0xd8, 0xff][..], &vec![0; random.random_range(0..1000)]].concat(),
    };
    let media = ["application/cbor", "application/json", "image/jpeg", "text/plain; charset=\u{1f}"];
    let response = ["answers/here", "answers/#", "", "acclimate/press-7/cmd/adapt"];
    let properties = PublishProperties {
        content_type: Some(media[random.random_range(0..media.len())].to_owned()),
        response_topic: Some(response[random.random_range(0..response.len())].to_owned()),
        user_properties: vec![("task".to_owned(), "\u{0}+#/".to_owned()), ("transaction".to_owned(), "x".repeat(500))],
        ..Default::default()
    };
    // Nobody forgets anything here: what is left over of a good command is no good one.
    Publish::new(topic(&format!("cmd/{verb}")), QoS::AtLeastOnce, payload, Some(properties))
}

#[test]
fn whatever_is_published_to_a_topic_that_it_listens_to_is_answered_and_it_stays() {
    const VERBS: [&str; 13] = [
        "activate", "adapt", "classify", "forget", "health", "label", "picture", "publish", "rollback", "teach", "",
        "+x", "ça va",
    ];
    const HEADS: [&str; 3] =
        ["acclimate/press-8/gate/head", "acclimate/press-8/gate/head/0", "acclimate/press-8/gate/head/x"];
    const EACH: usize = 25;
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut sent = 0;
    let broker = Broker::start(move |event| match event {
        Event::Published(..) => vec![Do::Acknowledge(PubAckReason::Success)],
        Event::Subscribed(_) | Event::Acknowledged(_) if sent < (VERBS.len() + HEADS.len()) * EACH => {
            let mut next = nonsense(&mut random, VERBS.get(sent / EACH).unwrap_or(&""));
            if let Some(head) = (sent / EACH).checked_sub(VERBS.len()) {
                next.topic = HEADS[head].into();
            }
            sent += 1;
            next.pkid = sent as u16;
            vec![Do::Send(Box::new(next))]
        }
        Event::Acknowledged(packet) if packet as usize == sent => {
            vec![Do::Send(Box::new(command("health", &json!({ "transaction": "end" }), 60_000)))]
        }
        Event::Acknowledged(_) | Event::Connected(..) | Event::Subscribed(_) => Vec::new(),
    });
    let gate = Gate::new();
    let mut daemon = Daemon::start(&gate.device, &gate.config(&(broker.section() + "heads_from = [\"press-8\"]\n")));
    let said = wait_until(&mut daemon, &broker, |said| {
        said.iter().any(|said| said.topic == "answers/health" && said.payload.contains("\"end\""))
    });
    assert_eq!(broker.connections(), 1);
    // In JSON and in CBOR.
    let refused = said.iter().filter(|said| said.payload.contains("status") && said.payload.contains("error")).count();
    let mut topics = BTreeMap::<&str, usize>::new();
    for said in &said {
        *topics.entry(said.topic.as_str()).or_default() += 1;
    }
    assert!(refused >= VERBS.len() * EACH * 9 / 10, "{refused} of {topics:?}");
    let (now, most) = (resident(daemon.id()), resident_peak(daemon.id()));
    println!("fuzzed: {} KiB resident, {} KiB at most", now >> 10, most >> 10);
    let finished = daemon.end().expect(0);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

#[test]
fn another_device_with_the_same_id_is_named() {
    let broker = Broker::start(move |event| match event {
        Event::Published(publish, _) if publish.topic.ends_with(b"/info") => vec![Do::TakeOver],
        Event::Published(..) => vec![Do::Acknowledge(PubAckReason::Success)],
        Event::Acknowledged(_) | Event::Connected(..) | Event::Subscribed(_) => Vec::new(),
    });
    let gate = Gate::new();
    let mut daemon = Daemon::start(&gate.device, &gate.config(&broker.section()));
    let view = daemon.wait_until(|view| view["degraded"].to_string().contains("another device has connected"));
    assert!(view["degraded"].to_string().contains("`press-7`"), "{view}");
    assert_eq!(broker.connections(), 1, "it does not throw the other one out at once");
    let _ = daemon.end().expect(0);
}

/// What `AWS IoT Core` takes of one client: <https://docs.aws.amazon.com/general/latest/gr/iot-core.html>.
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
    const SHOWN: usize = 150;
    let violations = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let mut aws = Aws { published: VecDeque::new(), violations: Vec::new() };
    let mut sent = false;
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
                    if publish.topic.ends_with(b"gate/prediction") && !sent {
                        sent = true;
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
