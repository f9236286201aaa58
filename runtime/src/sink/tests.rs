//! Sinks from outside: who is told what, what happens to who fails, what is kept.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::daemon::notice::{Event, State};
use crate::fake::Fake;

const SOON: Duration = Duration::from_secs(30);

pub(crate) fn notice(id: u64, class: &str) -> Notice {
    let state = State {
        class: class.to_owned(),
        confidence: 0.9,
        unknown: false,
        scores: BTreeMap::from([(class.to_owned(), 0.9)]),
        generation: 3,
        since: "2026-01-01T00:00:00Z".to_owned(),
    };
    Notice {
        id,
        time: "2026-01-01T00:00:00Z".to_owned(),
        event: Event::Changed,
        task: Some("gate".to_owned()),
        source: Some("yard".to_owned()),
        reason: None,
        message: format!("gate is {class}"),
        state: Some(state),
    }
}

fn sinks(text: &str, dir: &Path) -> Sinks {
    Sinks::start(&Config::parse(text).unwrap().sink, dir, crate::serial::Downlinks::default()).unwrap()
}

/// A hook that answers with these, and then with 200; what it was told, with the name of each payload.
fn hook(answers: &'static [&'static str]) -> (Fake, Receiver<(u64, String)>) {
    let (sender, received) = channel();
    let sender = std::sync::Mutex::new(sender);
    let fake = Fake::start(move |request, answer| {
        let notice: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let name = request.header("idempotency-key").unwrap().to_owned();
        let told = (notice["id"].as_u64().unwrap(), name);
        // Who is told before we answer is told in order; the test may be over.
        let _ = sender.lock().unwrap().send(told);
        answer.whole(answers.get(request.number).unwrap_or(&"200 OK"), "", b"");
    });
    (fake, received)
}

fn webhook(url: &str) -> String {
    format!("[[sink]]\ntask = \"gate\"\nkind = \"webhook\"\nurl = \"{url}\"\nwithin = \"5s\"")
}

#[test]
fn a_program_is_told_the_notice_and_only_of_what_it_listens_to() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let argv = format!("[\"/bin/sh\", \"-c\", \"cat >> $0\", \"{}\"]", file.display());
    let text =
        format!("[[sink]]\ntask = \"gate\"\nkind = \"command\"\nargv = {argv}\nevents = [\"changed\", \"drifted\"]");
    let mut sinks = sinks(&text, dir.path());
    let mut others = [notice(1, "open"), notice(2, "open"), notice(3, "open")];
    others[0].task = Some("belt".to_owned());
    others[1].event = Event::Adapted;
    others[2].task = None;
    for notice in others.iter().chain([&notice(4, "open"), &notice(5, "closed")]) {
        sinks.tell(notice);
    }
    sinks.end();
    let told: Vec<serde_json::Value> =
        std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        told,
        [serde_json::to_value(notice(4, "open")).unwrap(), serde_json::to_value(notice(5, "closed")).unwrap()]
    );
}

#[test]
fn a_program_that_fails_or_takes_too_long_is_named_and_the_next_notice_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let told = |script: &str, within: &str| {
        let argv = format!("[\"/bin/sh\", \"-c\", \"{script}\"]");
        let text = format!("[[sink]]\ntask = \"gate\"\nkind = \"command\"\nargv = {argv}\nwithin = \"{within}\"");
        let command = command::Command::new(&Config::parse(&text).unwrap().sink[0]);
        command.tell("{}")
    };
    assert_eq!(told("true", "20s"), Ok(()));
    let reason = told("echo no such light >&2; exit 4", "20s").unwrap_err();
    assert!(
        reason.contains("task `gate`") && reason.contains("exit status: 4") && reason.contains("no such light"),
        "{reason}"
    );
    let reason = told("sleep 1000", "100ms").unwrap_err();
    assert!(reason.contains("longer than 100ms"), "{reason}");

    let missing = "[[sink]]\ntask = \"gate\"\nkind = \"command\"\nargv = [\"/nonexistent/program\"]";
    let mut sinks = sinks(missing, dir.path());
    let fares = sinks.fares();
    sinks.tell(&notice(1, "open"));
    sinks.end();
    assert!(fares.troubles()[0].contains("/nonexistent/program"));
}

#[test]
fn telling_never_waits_and_what_is_shed_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let go_on = dir.path().join("go on");
    let argv =
        format!("[\"/bin/sh\", \"-c\", \"until [ -e \\\"$0\\\" ]; do sleep 0.05; done\", \"{}\"]", go_on.display());
    let text = format!("[[sink]]\ntask = \"gate\"\nkind = \"command\"\nargv = {argv}\nwithin = \"1min\"");
    let mut sinks = sinks(&text, dir.path());
    // One is being told, as many as the queue takes wait.
    let sent = WAITING as u64 + 30;
    for id in 0..sent {
        sinks.tell(&notice(id, "open"));
    }
    let ("notice", shed) = sinks.fares().shed()[0] else { panic!("{:?}", sinks.fares().shed()) };
    assert!((29..=30).contains(&shed), "{shed}");
    std::fs::write(&go_on, "").unwrap();
    sinks.end();
}

#[test]
fn a_webhook_is_told_in_order_until_it_says_that_it_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (fake, received) = hook(&["503 Service Unavailable", "404 Not Found", "204 No Content"]);
    let mut sinks = sinks(&webhook(&fake.url()), dir.path());
    for id in [7, 8] {
        sinks.tell(&notice(id, "open"));
    }
    let told: Vec<(u64, String)> = (0..4).map(|_| received.recv_timeout(SOON).unwrap()).collect();
    assert_eq!(told.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [7, 7, 7, 8]);
    assert!(told[0].1 == told[1].1 && told[1].1 == told[2].1 && told[2].1 != told[3].1, "{told:?}");
    sinks.end();
}

#[test]
fn what_a_webhook_is_owed_is_told_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (first, received) = hook(&["500 Internal Server Error"; 100]);
    let text = webhook(&first.url());
    let mut sinks = sinks(&text, dir.path());
    for id in [1, 2, 3] {
        sinks.tell(&notice(id, "open"));
    }
    // Once it is tried again, the first answer is known.
    for _ in 0..2 {
        received.recv_timeout(SOON).unwrap();
    }
    let fares = sinks.fares();
    sinks.end();
    assert!(fares.troubles()[0].contains("500"));
    let address = first.address();
    drop(first);
    let (sender, received) = channel();
    let sender = std::sync::Mutex::new(sender);
    let _fake = Fake::start_at(address, move |request, answer| {
        let notice: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        sender.lock().unwrap().send(notice["id"].as_u64().unwrap()).unwrap();
        answer.whole("200 OK", "", b"");
    });
    let mut sinks = super::tests::sinks(&text, dir.path());
    let told: Vec<u64> = (0..3).map(|_| received.recv_timeout(SOON).unwrap()).collect();
    assert_eq!(told, [1, 2, 3]);
    sinks.end();
}

#[test]
fn without_a_webhook_there_is_no_outbox() {
    let dir = tempfile::tempdir().unwrap();
    sinks("", dir.path()).end();
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[test]
fn changed_sinks_begin_once_those_that_are_gone_have_ended_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let writes = |name: &str, event: &str| {
        let argv = format!("[\"/bin/sh\", \"-c\", \"cat >> $0\", \"{}\"]", file(name).display());
        format!("[[sink]]\ntask = \"gate\"\nkind = \"command\"\nargv = {argv}\nevents = [\"{event}\"]\n")
    };
    let ids = |name: &str| -> Vec<u64> {
        let text = std::fs::read_to_string(file(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str::<Notice>(line).unwrap().id).collect()
    };
    let (fake, received) = hook(&["503 Service Unavailable"]);
    let hook = webhook(&fake.url());
    let mut sinks = sinks(&format!("{}{hook}\n{}", writes("stays", "changed"), writes("goes", "changed")), dir.path());
    sinks.tell(&notice(1, "open"));
    // The hook is at its first notice, which it has not taken.
    received.recv_timeout(SOON).unwrap();
    let patient = hook.replace("within = \"5s\"", "within = \"6s\"");
    let text = format!("{}{patient}\n{}", writes("stays", "changed"), writes("comes", "changed"));
    sinks.change(&Config::parse(&text).unwrap().sink).unwrap();
    sinks.tell(&notice(2, "open"));
    // As it is still called the same, it is told what it was owed, once and first.
    let told: Vec<u64> = (0..2).map(|_| received.recv_timeout(SOON).unwrap().0).collect();
    assert_eq!(told, [1, 2]);
    sinks.end();
    assert_eq!((ids("stays"), ids("goes"), ids("comes")), (vec![1, 2], vec![1], vec![2]));
}
