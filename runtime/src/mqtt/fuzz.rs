//! Every topic that is listened to, given what nobody should send: spoilt, nested, oversized, of the wrong kind. No panic, nothing
//! taken for more than it is, no answer larger than a packet, nothing kept of what no trusted key has announced. 3,000 messages;
//! 1,000,000 in `cargo xtask soak mqtt-intake`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::cell::RefCell;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::about::{About, Listening, Taker};
use super::heads::{Places, What};
use super::message::{CBOR, JSON, Received};
use super::reply::Reply;
use super::topics::Topics;
use crate::cbor;
use crate::config::Mqtt;
use crate::daemon::command::CommandError;
use crate::daemon::view::View;
use crate::store::{Access, Digest, NewTask, Tasks};
use crate::sync::tests::{head_of, now, pair, statement};
use crate::sync::{Arrivals, Intake, Intaken, Part, Parts, Trusted, sign, split};

/// Bytes of an answer at most.
const MOST: usize = 8 << 10;
const SECOND: Duration = Duration::from_secs(1);

/// What is well formed, and what it is spoilt from.
const COMMANDS: [(&str, &str); 15] = [
    ("activate", r#"{"task":"gate","generation":3}"#),
    ("adapt", r#"{"task":"gate","trust_labels":true,"transaction":"a1"}"#),
    ("classify", r#"{"task":"gate","source":"yard"}"#),
    ("forget", r#"{"task":"gate","samples":["1f2e3d","last"]}"#),
    ("health", "{}"),
    ("label", r#"{"task":"gate","sample":"last","label":"open","transaction":7}"#),
    ("label", r#"{"samples":["1f","2e"],"label":null}"#),
    ("picture", r#"{"source":"yard"}"#),
    ("publish", r#"{"task":"gate"}"#),
    ("rollback", r#"{"task":"gate","spread":"10min"}"#),
    ("set", r#"{"task":"gate","adaptation":false,"threshold":0.6}"#),
    ("teach", r#"{"task":"gate","class":"open","hold":"begin","source":"yard"}"#),
    ("teach", r#"{"class":"open","hold":"end"}"#),
    ("do", r#"{"do":"install","task":"gate","signed":"AAAA"}"#),
    ("", "null"),
];

/// What stands where something else was expected.
const STRANGE: [&[u8]; 12] = [
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"0.30000000000000004",
    b"\"\\ud800\"",
    b"\"\\u0000\"",
    b"[]",
    b"{}",
    b"true",
    b"\xff\xd8\xff\xe0",
    b"\x9f\x9f\xbf\x5f\xff",
];

/// One way to spoil bytes; places are in fractions of them.
#[derive(Clone, Debug)]
enum Spoil {
    Cut(f64),
    Flip(f64, u8),
    Insert(f64, Vec<u8>),
    /// The same bytes again and again.
    Grow(f64, usize),
    /// So deep in lists.
    Nest(usize),
    /// A value of another kind, in place of one that stands between two marks.
    Strange(f64, usize),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        (0.0..1.0).prop_map(Spoil::Cut),
        (0.0..1.0, any::<u8>()).prop_map(|(at, bits)| Spoil::Flip(at, bits)),
        (0.0..1.0, prop::collection::vec(any::<u8>(), 1..32)).prop_map(|(at, bytes)| Spoil::Insert(at, bytes)),
        (0.0..1.0, 1..4_000_usize).prop_map(|(at, times)| Spoil::Grow(at, times)),
        (1..50_000_usize).prop_map(Spoil::Nest),
        (0.0..1.0, 0..STRANGE.len()).prop_map(|(at, what)| Spoil::Strange(at, what)),
    ]
}

fn spoilt(mut bytes: Vec<u8>, ways: &[Spoil]) -> Vec<u8> {
    for way in ways {
        let place = |at: &f64| ((bytes.len() as f64 * at) as usize).min(bytes.len());
        match way {
            Spoil::Cut(at) => bytes.truncate(place(at)),
            Spoil::Flip(at, bits) => {
                let at = place(at);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
            }
            Spoil::Insert(at, new) => drop(bytes.splice(place(at)..place(at), new.iter().copied())),
            Spoil::Grow(at, times) => {
                let at = place(at);
                let chunk = bytes[at..(at + 64).min(bytes.len())].to_vec();
                bytes.splice(at..at, chunk.repeat(*times));
            }
            Spoil::Nest(deep) => {
                let nested = [vec![b'['; *deep], bytes.clone(), vec![b']'; *deep]].concat();
                // CBOR's lists of one.
                bytes = if bytes.first() == Some(&b'{') { nested } else { [vec![0x81; *deep], bytes].concat() };
            }
            Spoil::Strange(at, what) => {
                let mark = |byte: &u8| b":,[]{}".contains(byte);
                let from = place(at);
                let start = bytes[..from].iter().rposition(mark).map_or(0, |at| at + 1);
                let end = bytes[from..].iter().position(mark).map_or(bytes.len(), |at| from + at);
                bytes.splice(start..end.max(start), STRANGE[*what].iter().copied());
            }
        }
    }
    bytes
}

/// A message: of which topic, whether well formed to begin with, spoilt how, and said how.
#[derive(Clone, Debug)]
struct Case {
    topic: usize,
    seed: usize,
    ways: Vec<Spoil>,
    media: usize,
    retain: bool,
    response: Option<String>,
    correlation: Option<Vec<u8>>,
    properties: Vec<(String, String)>,
}

fn case() -> impl Strategy<Value = Case> {
    let how = (
        0..4_usize,
        prop::bool::weighted(0.05),
        prop::option::of("[a-z/+#$]{0,40}"),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..64)),
        prop::collection::vec(("task|transaction|[a-z]{1,8}", "gate|[ -~]{0,300}"), 0..3),
    );
    (0..8_usize, any::<usize>(), prop::collection::vec(spoil(), 0..4), how).prop_map(
        |(topic, seed, ways, (media, retain, response, correlation, properties))| Case {
            topic,
            seed,
            ways,
            media,
            retain,
            response,
            correlation,
            properties,
        },
    )
}

/// What a device is that listens to everything that there is.
struct Listener {
    listening: Listening,
    view: View,
    places: Places,
    tasks: Tasks,
    trusted: Vec<Trusted>,
    intake: Intake,
    sha256: Digest,
    manifest: Vec<u8>,
    parts: Vec<Vec<u8>>,
    folder: tempfile::TempDir,
}

const MANIFEST: &str = "acclimate/press-8/gate/head";

impl Listener {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut tasks = Tasks::open(folder.path(), &Access::Write { command: "a test".to_owned() }).unwrap();
        let new: NewTask = crate::store::tests::new_task("gate");
        tasks.create_task(&new, now()).unwrap();
        let (key, press) = pair("press-8");
        let file = head_of(0.5, 32_000);
        let said = statement(4, &file);
        let signed = sign(&key, &said, &file.encode().unwrap());
        let Parts { sha256, manifest, parts } = split(&key, &said, &signed, 128 << 10).unwrap();
        let parts = parts.into_iter().map(<[u8]>::to_vec).collect();
        let trusted = vec![press];
        let (intake, _) = Intake::start(Arrivals::of(folder.path()), &trusted, SECOND).unwrap();
        let topics = Topics::new("acclimate", "press-7", Some("plant-3"), &["hall-2".to_owned()]);
        let taker = |filter: &str, readings| Taker { filter: filter.to_owned(), source: "yard".to_owned(), readings };
        let sources = vec![taker("cameras/+/jpg", false), taker("sensors/#", true)];
        let listening = Listening { topics, device: "press-7".to_owned(), sources };
        let mqtt = Mqtt { heads_from: vec!["press-8".to_owned()], ..Mqtt::default() };
        let places = Places::of(&mqtt, "press-7");
        Self {
            listening,
            view: crate::door::tests::view(),
            places,
            tasks,
            trusted,
            intake,
            sha256,
            manifest,
            parts,
            folder,
        }
    }

    /// A message of a topic, and whether it is as it should be.
    fn message(&self, case: &Case) -> (Received, bool) {
        let (verb, document) = COMMANDS[case.seed % COMMANDS.len()];
        let part = case.seed % self.parts.len();
        let as_cbor = case.media == 1;
        let command = || {
            let value: Value = serde_json::from_str(document).unwrap();
            if as_cbor {
                cbor::write(&ciborium::Value::serialized(&value).unwrap())
            } else {
                document.as_bytes().to_vec()
            }
        };
        let (topic, payload) = match case.topic {
            0 | 1 => (format!("acclimate/press-7/cmd/{verb}"), command()),
            2 => (format!("acclimate/fleet/plant-3/cmd/{verb}"), command()),
            3 => (format!("acclimate/fleet/plant-3/group/hall-2/cmd/{verb}"), command()),
            4 => ("homeassistant/status".to_owned(), b"online".to_vec()),
            5 => ("cameras/a/jpg".to_owned(), b"\xff\xd8\xff\xe0\x00\x10JFIF".to_vec()),
            6 => (MANIFEST.to_owned(), self.manifest.clone()),
            _ => (format!("{MANIFEST}/{part}"), self.parts[part].clone()),
        };
        let spoilt = spoilt(payload.clone(), &case.ways);
        let whole = spoilt == payload;
        let media = [Some(JSON), Some(CBOR), Some("image/jpeg"), None][case.media].map(str::to_owned);
        let Case { retain, response, correlation, properties, .. } = case.clone();
        (Received { topic, payload: spoilt, retain, packet: 7, media, response, correlation, properties }, whole)
    }

    /// As the thread does, but that nothing is carried out.
    fn take(&mut self, received: &Received, whole: bool) {
        for source in self.listening.takers(received) {
            assert_eq!(source, "yard");
        }
        if let Some(what) = self.places.what(&received.topic) {
            return self.take_head(&what, received, whole);
        }
        let answer = |reply: &Reply, answer: Result<_, CommandError>| {
            let message = reply.message(&answer, MOST);
            assert!(message.payload.len() <= MOST && !message.topic.contains(['+', '#']), "{}", message.topic);
            assert!(message.correlation.is_none_or(|data| Some(data) == received.correlation));
        };
        match self.listening.about(received, &self.view) {
            About::Birth { began } => assert_eq!(began, received.payload == b"online"),
            About::Order(order) => {
                assert!(order.wait <= Duration::from_hours(24));
                assert!(order.key.as_ref().is_none_or(|key| key.len() <= 256), "{:?}", order.key);
                answer(&order.reply, Err(CommandError::Unavailable("not now".to_owned())));
            }
            About::Wrong(wrong) => {
                let (reply, error) = *wrong;
                answer(&reply, Err(error));
            }
            About::Retained => assert!(received.retain),
            About::Other => assert!(!received.topic.contains("/cmd/"), "{}", received.topic),
        }
    }

    fn take_head(&mut self, what: &What, received: &Received, whole: bool) {
        // Every head is on its way here.
        if let What::Part { .. } | What::Stray = what {
            let part = received.topic.rsplit('/').next().and_then(|part| part.parse().ok()).unwrap();
            let (what, _) = self.intake.part(self.sha256, part, &received.payload, SECOND).unwrap();
            assert!(whole || what != Part::New, "what was not signed is kept");
        } else {
            let came = self
                .intake
                .manifest(&self.tasks, "gate", &received.payload, &self.trusted, Some(now()), SECOND)
                .unwrap();
            let refused = came.iter().any(|one| matches!(one, Intaken::Refused(_)));
            assert!(whole || refused, "{came:?}");
        }
    }

    fn kept(&self) -> usize {
        let arriving = walk(&self.folder.path().join("arriving"));
        arriving.into_iter().sum()
    }
}

/// Sizes of the files below a folder.
fn walk(folder: &std::path::Path) -> Vec<usize> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|entry| match entry.metadata() {
            Ok(of) if of.is_dir() => walk(&entry.path()),
            Ok(of) => vec![of.len() as usize],
            Err(_) => Vec::new(),
        })
        .collect()
}

#[test]
fn mqtt_intake() {
    let cases = if std::env::var_os("ACCLIMATE_SOAK").is_some() { 1_000_000 } else { 3_000 };
    let listener = RefCell::new(Listener::new());
    let config = Config { cases, max_shrink_iters: 10_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let tried = runner.run(&case(), |case| {
        let mut listener = listener.borrow_mut();
        let (received, whole) = listener.message(&case);
        listener.take(&received, whole);
        Ok(())
    });
    tried.unwrap();
    let listener = listener.into_inner();
    let all: usize = listener.parts.iter().map(Vec::len).sum::<usize>() + listener.manifest.len();
    assert!(listener.kept() <= all, "{} bytes are kept of {all}", listener.kept());
}
