//! Commands as people and programs write them, right and wrong.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use serde_json::json;

use super::*;
use crate::mqtt::topics::Topics;

fn received(payload: &[u8]) -> Received {
    Received { payload: payload.to_vec(), ..Received::default() }
}

fn understood(verb: &str, received: &Received) -> Result<Order, Box<(Reply, CommandError)>> {
    let topics = Topics::new("acclimate", "press-7", None, &[]);
    let reply = Reply::to(&topics, "press-7", verb, received);
    read(verb, received, reply, &crate::door::tests::view())
}

fn command(verb: &str, document: &Value) -> Command {
    match understood(verb, &received(document.to_string().as_bytes())).unwrap().what {
        What::Command(command) => command,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn wrong(verb: &str, received: &Received, words: &[&str]) {
    let (_, error) = *understood(verb, received).unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "`{word}` is not in: {error}");
    }
}

#[test]
fn a_command_is_the_daemons_own_with_the_task_where_there_is_only_one() {
    let adapt = Command::Adapt { task: "gate".to_owned(), trust_labels: false };
    assert_eq!(command("adapt", &json!({ "task": "gate" })), adapt);
    assert_eq!(command("adapt", &json!({})), adapt);
    let seen = Command::LabelSeen { task: "gate".to_owned(), label: "open".to_owned() };
    assert_eq!(command("label", &json!({ "sample": "last", "label": "open" })), seen);
    let label = |sample: &str, label: Option<&str>| Command::Label {
        task: "gate".to_owned(),
        samples: vec![sample.to_owned()],
        label: label.map(str::to_owned),
    };
    assert_eq!(command("label", &json!({ "sample": "1f", "label": "open" })), label("1f", Some("open")));
    assert_eq!(command("label", &json!({ "samples": ["last"], "label": null })), label("last", None));
    let set = Command::Set { task: "gate".to_owned(), adaptation: Some(false), threshold: None };
    assert_eq!(command("set", &json!({ "task": "gate", "adaptation": false })), set);
    assert_eq!(understood("adapt", &received(b"")).unwrap().what, What::Command(adapt));
    assert_eq!(understood("health", &received(b"{}")).unwrap().what, What::Health);
    assert_eq!(understood("publish", &received(b"{}")).unwrap().what, What::Publish("gate".to_owned()));
    assert!(understood("publish", &received(br#"{"task":"../gate"}"#)).is_err(), "only of a task that there is");
    assert_eq!(
        understood("picture", &received(b"{\"source\":\"yard\"}")).unwrap().what,
        What::Picture(Some("yard".into()))
    );
}

#[test]
fn what_is_wrong_is_said_with_what_was_expected() {
    wrong("adpat", &received(b"{}"), &["no command `adpat`", "adapt, classify"]);
    wrong("adapt", &received(b"{\"task\":"), &["not JSON", "{\"task\":\"gate\"}"]);
    wrong("adapt", &received(b"3"), &["no object"]);
    wrong("adapt", &received(b"{\"tsk\":1}"), &["tsk", "expected"]);
    wrong("adapt", &received(&vec![b' '; LARGEST + 1]), &["65537 bytes", "65536"]);
    wrong("label", &received(b"{\"label\":\"open\"}"), &["`sample` is missing"]);
    wrong("label", &received(b"{\"sample\":\"last\"}"), &["`label` is missing"]);
    wrong("label", &received(b"{\"sample\":\"a\",\"samples\":[],\"label\":\"x\"}"), &["`sample` and `samples`"]);
    wrong("health", &received(b"{\"task\":\"gate\"}"), &["unknown field `task`"]);
    wrong("picture", &received(b"{\"source\":3}"), &["no text"]);
    wrong("adapt", &received(b"{\"transaction\":[]}"), &["`transaction`"]);
    let long = vec![("transaction".to_owned(), "t".repeat(201))];
    wrong("adapt", &Received { properties: long, ..received(b"{}") }, &["`transaction`", "200 bytes"]);
    wrong("adapt", &received(b"{\"spread\":\"soon\"}"), &["`spread`", "10min"]);
    let picture = Received { media: Some("image/jpeg".to_owned()), ..received(b"x") };
    wrong("adapt", &picture, &["it is a picture"]);
    let cbor = Received { media: Some(CBOR.to_owned()), ..received(&[0xff]) };
    wrong("adapt", &cbor, &["cbor"]);
    let deep = "[".repeat(100_000);
    wrong("adapt", &Received { media: None, ..received(&deep.as_bytes()[..60_000]) }, &["not JSON"]);
}

#[test]
fn cbor_says_the_same_as_json() {
    let document = ciborium::Value::serialized(&json!({ "task": "gate", "generation": 3, "transaction": 9 })).unwrap();
    let cbor = Received { media: Some(CBOR.to_owned()), ..received(&cbor::write(&document)) };
    let order = understood("activate", &cbor).unwrap();
    assert_eq!(order.what, What::Command(Command::Activate { task: "gate".to_owned(), generation: 3 }));
    assert_eq!(order.key.as_deref(), Some("activate 9"));
}

#[test]
fn a_picture_is_classified_with_the_task_in_a_user_property() {
    let mut picture = Received { media: Some("image/jpeg".to_owned()), ..received(b"\xff\xd8\xffetc") };
    picture.properties = vec![("task".to_owned(), "belt".to_owned()), ("transaction".to_owned(), "x".to_owned())];
    let order = understood("classify", &picture).unwrap();
    let What::Command(Command::ClassifyPicture { task, .. }) = order.what else { panic!("{order:?}") };
    assert_eq!((task.as_str(), order.key.as_deref()), ("belt", Some("classify \"x")));
}

#[test]
fn a_key_is_the_transaction_else_the_correlation_data() {
    let key = |received: &Received| understood("adapt", received).unwrap().key;
    assert_eq!(key(&received(b"{}")), None);
    assert_eq!(key(&received(b"{\"transaction\":\"1\"}")).as_deref(), Some("adapt \"1"));
    assert_eq!(key(&received(b"{\"transaction\":1}")).as_deref(), Some("adapt 1"));
    let correlated = |data: &[u8]| Received { correlation: Some(data.to_vec()), ..received(b"{}") };
    assert!(key(&correlated(b"a")).is_some() && key(&correlated(b"a")) != key(&correlated(b"b")));
}

#[test]
fn a_fleet_does_not_begin_all_at_once() {
    let waits = |device: &str, spread| waits(device, &received(b"{\"transaction\":1}"), spread);
    let hour = Duration::from_hours(1);
    let all: Vec<Duration> = (0..100).map(|n| waits(&format!("press-{n}"), hour)).collect();
    assert!(all.iter().all(|wait| *wait <= hour));
    let first_half = all.iter().filter(|wait| **wait < hour / 2).count();
    assert!((30..70).contains(&first_half), "{first_half}");
    assert_eq!(waits("press-1", Duration::ZERO), Duration::ZERO);
    assert_eq!(waits("press-1", hour), waits("press-1", hour), "a repeated command waits as long");
}

proptest::proptest! {
    #[test]
    fn no_payload_makes_it_panic(
        verb in "(adapt|label|classify|picture|teach|forget|activate|rollback|health|[a-z+#/]{0,9})",
        payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        cbor in proptest::prelude::any::<bool>(),
    ) {
        let media = cbor.then(|| CBOR.to_owned());
        let _ = understood(&verb, &Received { media, ..received(&payload) });
    }

    #[test]
    fn no_document_makes_it_panic(
        verb in "(adapt|label|classify|picture|teach|forget|activate|rollback|health)",
        document in "\\{(\"(task|sample|samples|label|class|hold|generation|transaction|spread|source)\":(null|true|-?[0-9]{1,20}|\"[a-zé\"]{0,9}\"|\\[\\]|\\{\\}),?){0,5}\\}",
    ) {
        let _ = understood(&verb, &received(document.as_bytes()));
    }
}
