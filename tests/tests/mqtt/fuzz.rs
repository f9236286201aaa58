//! What nobody should send, on every topic that a daemon listens to, over a real broker: it goes on answering over the same
//! connection, and its memory stays what it was. 600 messages; 100,000 in `cargo xtask soak mqtt-fuzz`.

use acclimate_tests::daemon::Daemon;
use acclimate_tests::mosquitto::{self, Broker, Setup};
use acclimate_tests::mutation::{spoil, spoil_text};
use acclimate_tests::picture;
use acclimate_tests::program::resident;
use acclimate_tests::publisher::Publisher;
use acclimate_tests::skip::soak;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rumqttc::v5::mqttbytes::v5::PublishProperties;
use serde_json::json;

use super::{Gate, topic};

/// Bytes by which memory may grow after a fifth of the messages.
const GROWTH: u64 = 24 << 20;

const DOCUMENTS: [(&str, &str); 12] = [
    ("activate", r#"{"task":"gate","generation":3}"#),
    ("adapt", r#"{"task":"belt","transaction":"a1"}"#),
    ("classify", r#"{"task":"gate"}"#),
    ("forget", r#"{"task":"gate","samples":["1f2e3d"]}"#),
    ("health", "{}"),
    ("label", r#"{"task":"belt","sample":"last","label":"open","transaction":7}"#),
    ("picture", r#"{"source":"belt"}"#),
    ("publish", r#"{"task":"belt"}"#),
    ("rollback", r#"{"task":"belt","spread":"10min"}"#),
    ("set", r#"{"task":"gate","adaptation":false,"threshold":0.6}"#),
    ("teach", r#"{"task":"belt","class":"open","hold":"begin"}"#),
    ("undo", r#"{"task":"belt"}"#),
];

/// A message that is like one which is meant for a device.
fn message(random: &mut ChaCha8Rng, picture: &[u8]) -> (String, Vec<u8>, Option<PublishProperties>) {
    let (verb, document) = DOCUMENTS[random.random_range(0..DOCUMENTS.len())];
    let topic = match random.random_range(0..8) {
        0..3 => topic(&format!("cmd/{verb}")),
        3 => format!("acclimate/fleet/plant-3/cmd/{verb}"),
        4 => format!("acclimate/fleet/plant-3/group/hall-2/cmd/{verb}"),
        5 => "acclimate/press-8/gate/head".to_owned(),
        6 => "cameras/gatehouse/jpg".to_owned(),
        _ => "homeassistant/status".to_owned(),
    };
    let mut payload = match random.random_range(0..8) {
        0 => spoil(picture, random),
        1 => vec![[b'[', b'{', 0x9f, 0x81, 0xff][random.random_range(0..5)]; random.random_range(1..200_000)],
        2 => [document.as_bytes(), &vec![b' '; random.random_range(0..200_000)]].concat(),
        3 => spoil(document.as_bytes(), random),
        _ => spoil_text(document, random).into_bytes(),
    };
    if random.random_range(0..50) == 0 {
        // More than the device takes: the broker keeps it from it.
        payload.resize(300 << 10, b'x');
    }
    let media = ["application/json", "application/cbor", "image/jpeg", "text/plain"][random.random_range(0..4)];
    let user = vec![
        ("task".to_owned(), "gate".to_owned()),
        ("transaction".to_owned(), "t".repeat(random.random_range(0..400))),
    ];
    let properties = PublishProperties {
        content_type: Some(media.to_owned()),
        correlation_data: Some(vec![7; random.random_range(0..100)].into()),
        user_properties: if random.random() { user } else { Vec::new() },
        ..PublishProperties::default()
    };
    (topic, payload, random.random::<bool>().then_some(properties))
}

#[test]
fn fuzz() {
    if !mosquitto::found() {
        return;
    }
    let messages = if soak() { 100_000 } else { 600 };
    let broker = Broker::start(Setup::default());
    let gate = Gate::new();
    let section = format!(
        "[[source]]\nname = \"gatehouse\"\nkind = \"mqtt\"\ntopic = \"cameras/gatehouse/jpg\"\n{}fleet = \"plant-3\"\n\
         groups = [\"hall-2\"]\nheads_from = [\"press-8\"]\nhome_assistant = true\n",
        broker.section()
    );
    let status = broker.listen(&[&topic("status")], &[]);
    let mut daemon = Daemon::start(&gate.device, &gate.config(&section));
    status.until_online(0, "press-7");
    let mut publisher = Publisher::connect(broker.port(), "stranger");
    let mut random = ChaCha8Rng::seed_from_u64(20_261_130);
    let picture = picture::draw(0, 1);
    let mut answered = 0;
    let mut warm = None;
    for number in 0..messages {
        let (topic, payload, properties) = message(&mut random, &picture);
        publisher.publish(&topic, payload, properties);
        // As fast as it takes them: what is asked here is whether it does.
        if number % 100 == 99 {
            answered += 1;
            ask(&mut publisher, &broker, answered);
        }
        if number == messages / 5 {
            warm = Some(resident(daemon.id()));
        }
    }
    publisher.drain();
    ask(&mut publisher, &broker, answered + 1);
    let grown = resident(daemon.id()).saturating_sub(warm.unwrap());
    println!("fuzz: {messages} messages, {grown} bytes of memory more for the last four fifths of them");
    assert!(grown < GROWTH, "{grown}");
    let said: Vec<String> = status.heard().into_iter().map(|(_, said)| said).collect();
    assert!(said.iter().all(|said| said == "online"), "the connection was lost: {said:?}");
    let view = daemon.status();
    assert!(!view["degraded"].to_string().contains("MQTT"), "{}", view["degraded"]);
    let _ = daemon.end().expect(0);
}

/// It answers who asks it: for what it does not know, which waits for none of the commands that it carries out meanwhile.
#[track_caller]
fn ask(publisher: &mut Publisher, broker: &Broker, number: usize) {
    let answers = format!("answers/{number}");
    let listener = broker.listen(&[&answers, "ready"], &[]);
    // The subscription holds once what it listens to comes.
    broker.publish("ready", "", &["-r"]);
    broker.publish("ready", "yes", &["-r"]);
    listener.wait_for(0, |heard, _| heard == "ready");
    let properties = PublishProperties { response_topic: Some(answers.clone()), ..PublishProperties::default() };
    publisher.publish(&topic("cmd/hello"), b"{}".to_vec(), Some(properties));
    let (_, answer) = listener.wait_for_json(0, &answers);
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!("error"), &json!("invalid")), "{answer}");
}
