//! The session against brokers of a few lines, in virtual time.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use rumqttc::v5::mqttbytes::v5::ConnectReturnCode;

use super::*;
use crate::mqtt::message::Weight;

/// What is owed, in memory.
#[derive(Default)]
struct Owing(BTreeMap<u64, Message>);

impl Owes for Owing {
    fn after(&mut self, number: u64, most: usize) -> Vec<Owed> {
        let owed = |(number, message): (&u64, &Message)| Owed {
            number: *number,
            weight: Weight::Event,
            message: message.clone(),
        };
        self.0.range(number + 1..).take(most).map(owed).collect()
    }
}

fn said(topic: &str, payload: &str) -> Message {
    Message { topic: topic.to_owned(), payload: payload.into(), ..Message::default() }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const WELCOME: Welcome = Welcome { window: 20, max_packet: None, acknowledges: true, retains: true };

fn session(filters: usize) -> Session {
    let setup = Setup {
        client_id: "press-7".to_owned(),
        filters: (0..filters).map(|n| format!("f/{n}")).collect(),
        rate: None,
        online: said("status", "online"),
        stopped: said("status", "stopped"),
        seed: 7,
    };
    Session::new(setup, Duration::ZERO)
}

fn owing(numbers: std::ops::RangeInclusive<u64>) -> Owing {
    Owing(numbers.map(|n| (n, said(&format!("event/{n}"), "x"))).collect())
}

/// Connects and listens; `now` is when the connection is open.
fn up(session: &mut Session, owed: &mut Owing, mut now: Duration) -> Duration {
    while !session.poll(owed, now).contains(&Do::Open) {
        now = session.deadline(now).unwrap();
    }
    session.heard(Heard::Connected(WELCOME), now);
    let filters = session.setup.filters.len();
    assert!(session.poll(owed, now).iter().all(|what| matches!(what, Do::Subscribe(_))));
    session.heard(Heard::Subscribed(vec![None; filters]), now);
    assert!(session.is_up());
    now
}

fn published(doing: &[Do]) -> Vec<(u64, String)> {
    let published = |what: &Do| match what {
        Do::Publish { tag, message } => Some((*tag, message.topic.clone())),
        _ => None,
    };
    doing.iter().filter_map(published).collect()
}

/// Has a broker acknowledge everything until nothing is said any more; topics in order.
fn drain(session: &mut Session, owed: &mut Owing, now: Duration) -> Vec<String> {
    let mut topics = Vec::new();
    loop {
        let doing = session.poll(owed, now);
        for what in &doing {
            if let Do::Remove(numbers) = what {
                owed.0.retain(|number, _| !numbers.contains(number));
            }
        }
        let said = published(&doing);
        if said.is_empty() {
            return topics;
        }
        for (tag, topic) in said {
            session.heard(Heard::Acknowledged { tag, refused: None }, now);
            topics.push(topic);
        }
    }
}

#[test]
fn it_listens_before_it_says_that_it_is_there_and_eight_filters_at_a_time() {
    let (mut session, mut owed) = (session(9), owing(1..=1));
    assert_eq!(session.poll(&mut owed, Duration::ZERO), [Do::Open]);
    session.heard(Heard::Connected(WELCOME), Duration::ZERO);
    let doing = session.poll(&mut owed, Duration::ZERO);
    let [Do::Subscribe(first), Do::Subscribe(second)] = doing.as_slice() else { panic!("{doing:?}") };
    assert_eq!((first.len(), second.len()), (8, 1));
    session.heard(Heard::Subscribed(vec![None; 8]), Duration::ZERO);
    assert_eq!(session.poll(&mut owed, Duration::ZERO), []);
    assert!(session.troubles()[0].contains("not connected"));
    session.heard(Heard::Subscribed(vec![Some("not authorized")]), Duration::ZERO);
    let doing = session.poll(&mut owed, Duration::ZERO);
    let [Do::Problem(why), rest @ ..] = doing.as_slice() else { panic!("{doing:?}") };
    assert!(why.contains("f/8") && why.contains("not authorized"), "{why}");
    let topics: Vec<String> = published(rest).into_iter().map(|(_, topic)| topic).collect();
    assert_eq!(topics, ["status", "event/1"]);
    assert_eq!(session.troubles(), std::slice::from_ref(why), "only what is still so");
}

#[test]
fn no_more_than_a_window_is_on_its_way_and_what_arrived_is_removed() {
    let (mut session, mut owed) = (session(1), owing(1..=100));
    let now = up(&mut session, &mut owed, Duration::ZERO);
    let first = published(&session.poll(&mut owed, now));
    assert_eq!(first.len(), WINDOW);
    assert_eq!(published(&session.poll(&mut owed, now)), []);
    for (tag, _) in &first[..3] {
        session.heard(Heard::Acknowledged { tag: *tag, refused: None }, now);
    }
    let more = published(&session.poll(&mut owed, now));
    assert_eq!(more.len(), 1, "what arrived and is not removed counts; the value does not");
    for (tag, _) in first[3..].iter().chain(&more) {
        session.heard(Heard::Acknowledged { tag: *tag, refused: None }, now);
    }
    let topics = drain(&mut session, &mut owed, now);
    assert_eq!(topics.len() + first.len() + more.len(), 101);
    assert!(owed.0.is_empty());
    owed.0.insert(101, said("event/101", ""));
    assert_eq!(drain(&mut session, &mut owed, now), [""; 0], "nobody said that more is owed");
    session.owes();
    assert_eq!(drain(&mut session, &mut owed, now), ["event/101"]);
}

#[test]
fn what_was_not_acknowledged_is_said_again_in_order_whatever_became_of_the_connection() {
    let (mut session, mut owed) = (session(1), owing(1..=50));
    let mut now = Duration::ZERO;
    let mut seen: Vec<String> = Vec::new();
    let mut times = 0;
    while !owed.0.is_empty() {
        times += 1;
        assert!(times < 50, "{owed:?}", owed = owed.0.len());
        now = up(&mut session, &mut owed, now);
        // Seven are acknowledged, then the broker is gone.
        for _ in 0..7 {
            let doing = session.poll(&mut owed, now);
            for what in &doing {
                if let Do::Remove(numbers) = what {
                    owed.0.retain(|number, _| !numbers.contains(number));
                }
            }
            seen.extend(published(&doing).into_iter().map(|(_, topic)| topic));
            let Some((tag, _)) = session.flying.front().cloned() else { break };
            session.heard(Heard::Acknowledged { tag, refused: None }, now);
        }
        session.lost(&Lost::Silent(seconds(60)), now);
        for what in session.poll(&mut owed, now) {
            if let Do::Remove(numbers) = what {
                owed.0.retain(|number, _| !numbers.contains(number));
            }
        }
    }
    let mut first = Vec::new();
    for topic in seen.iter().filter(|topic| topic.starts_with("event/")) {
        if !first.contains(topic) {
            first.push(topic.clone());
        }
    }
    assert_eq!(first, (1..=50).map(|n| format!("event/{n}")).collect::<Vec<_>>());
    assert!(seen.len() <= 50 + times * (WINDOW + 1), "{} in {times} connections", seen.len());
}

#[test]
fn only_the_newest_value_of_a_topic_is_said_and_after_every_connack_again() {
    let (mut session, mut owed) = (session(1), Owing::default());
    session.value(said("gate/state", "open"));
    session.value(said("gate/state", "closed"));
    let now = up(&mut session, &mut owed, Duration::ZERO);
    let doing = session.poll(&mut owed, now);
    let [.., Do::Publish { tag, message }] = doing.as_slice() else { panic!("{doing:?}") };
    assert_eq!(message.payload, b"closed");
    session.value(said("gate/state", "open"));
    assert_eq!(session.poll(&mut owed, now), [], "the one before is on its way");
    session.heard(Heard::Acknowledged { tag: *tag, refused: None }, now);
    assert!(
        matches!(session.poll(&mut owed, now).as_slice(), [Do::Publish { message, .. }] if message.payload == b"open")
    );
    session.lost(&Lost::Closed, now);
    let now = up(&mut session, &mut owed, now);
    assert_eq!(drain(&mut session, &mut owed, now), ["status", "gate/state"]);
    session.value(said("gate/state", "open"));
    assert_eq!(drain(&mut session, &mut owed, now), [""; 0], "it is with the broker");
}

#[test]
fn what_is_refused_is_parked_named_and_tried_again_later_in_the_way_of_no_other() {
    let (mut session, mut owed) = (session(1), owing(1..=3));
    let mut now = up(&mut session, &mut owed, Duration::ZERO);
    let doing = session.poll(&mut owed, now);
    for (tag, _) in published(&doing) {
        let refused = (tag == 2).then_some("not authorized");
        session.heard(Heard::Acknowledged { tag, refused }, now);
    }
    let doing = session.poll(&mut owed, now);
    let [Do::Problem(why), Do::Remove(numbers)] = doing.as_slice() else { panic!("{doing:?}") };
    assert!(why.contains("event/2") && why.contains("not authorized"), "{why}");
    assert_eq!((numbers.as_slice(), session.parked()), ([1, 3].as_slice(), 1));
    assert!(session.troubles()[0].contains("event/2"));
    owed.0.retain(|number, _| *number == 2);
    now += PARKED;
    assert_eq!(session.deadline(Duration::ZERO), Some(now));
    assert_eq!(drain(&mut session, &mut owed, now), ["status", "event/2"]);
    assert_eq!((session.troubles(), session.parked()), (Vec::new(), 0));
}

#[test]
fn a_broker_that_hangs_up_at_one_message_is_told_the_others() {
    let (mut session, mut owed) = (session(1), owing(1..=40));
    let (mut now, mut connections) = (Duration::ZERO, 0);
    while owed.0.len() > 1 {
        connections += 1;
        assert!(connections < 12, "{:?}", owed.0.keys());
        now = up(&mut session, &mut owed, now);
        'connection: loop {
            let doing = session.poll(&mut owed, now);
            for what in &doing {
                if let Do::Remove(numbers) = what {
                    owed.0.retain(|number, _| !numbers.contains(number));
                }
            }
            let said = published(&doing);
            if said.is_empty() {
                break;
            }
            // What was said before is acknowledged in time, or is not.
            for (tag, topic) in said {
                if topic == "event/17" {
                    session.lost(&Lost::Closed, now);
                    break 'connection;
                }
                session.heard(Heard::Acknowledged { tag, refused: None }, now);
            }
        }
    }
    assert!(owed.0.contains_key(&17) && connections == STRIKES + 1, "{connections}");
    let troubles = session.troubles();
    let [why] = troubles.as_slice() else { panic!("{troubles:?}") };
    assert!(why.contains("event/17") && why.contains("iot:Publish"), "{why}");
    assert_eq!(session.parked(), 1);
}

#[test]
fn tries_to_connect_become_rarer_up_to_a_minute_and_devices_do_not_come_together() {
    let waits = |seed| {
        let mut session = session(1);
        session.random = seed;
        let (mut owed, mut now, mut waits) = (Owing::default(), Duration::ZERO, Vec::new());
        for _ in 0..12 {
            while !session.poll(&mut owed, now).contains(&Do::Open) {
                now = session.deadline(now).unwrap();
            }
            let began = now;
            session.lost(&Lost::Refused { code: ConnectReturnCode::BadUserNamePassword, reason: None }, now);
            waits.push(session.deadline(now).unwrap().saturating_sub(began));
        }
        assert!(session.troubles()[0].contains("password_file"), "{:?}", session.troubles());
        waits
    };
    let (one, other) = (waits(1), waits(2));
    assert!(one[0] >= FIRST_RETRY / 2 && one[0] <= FIRST_RETRY, "{one:?}");
    assert!(one[8..].iter().all(|wait| (LAST_RETRY / 2..=LAST_RETRY).contains(wait)), "{one:?}");
    assert!(one.iter().zip(&other).all(|(one, other)| one != other));
}

#[test]
fn a_takeover_is_said_to_be_another_device_and_is_not_fought_for() {
    let (mut session, mut owed) = (session(1), Owing::default());
    let now = up(&mut session, &mut owed, Duration::ZERO);
    session.lost(&Lost::Disconnected { code: DisconnectReasonCode::SessionTakenOver, reason: None }, now);
    assert!(session.deadline(now).unwrap() >= now + LAST_RETRY / 2);
    let troubles = session.troubles().concat();
    assert!(troubles.contains("`press-7`") && troubles.contains("client_id"), "{troubles}");
}

#[test]
fn limits_of_messages_a_second_are_kept() {
    let (mut session, mut owed) = (session(1), owing(1..=50));
    session.setup.rate = Some(10);
    let mut now = up(&mut session, &mut owed, Duration::ZERO);
    let mut moments = Vec::new();
    while moments.len() < 51 {
        let said = drain(&mut session, &mut owed, now);
        moments.extend(said.iter().map(|_| now));
        now = session.deadline(now).unwrap_or(now + seconds(1));
    }
    for pair in moments.windows(11) {
        assert!(pair[10] >= pair[0] + seconds(1), "{moments:?}");
    }
}

#[test]
fn at_the_end_it_says_goodbye_and_does_not_wait_long_for_who_is_not_there() {
    let (mut session, mut owed) = (session(1), Owing::default());
    let now = up(&mut session, &mut owed, Duration::ZERO);
    drain(&mut session, &mut owed, now);
    session.end(now);
    let doing = session.poll(&mut owed, now);
    let [Do::Publish { tag, message }] = doing.as_slice() else { panic!("{doing:?}") };
    assert_eq!(message.payload, b"stopped");
    session.heard(Heard::Acknowledged { tag: *tag, refused: None }, now);
    assert_eq!(session.poll(&mut owed, now), [Do::Close]);
    assert!(session.has_ended());

    let mut session = self::session(1);
    let now = up(&mut session, &mut owed, Duration::ZERO);
    session.end(now);
    let _unheard = session.poll(&mut owed, now);
    assert!(!session.has_ended());
    let later = session.deadline(now).unwrap();
    assert_eq!(session.poll(&mut owed, later), [Do::Close]);

    let mut session = self::session(1);
    session.end(now);
    session.poll(&mut owed, now);
    assert!(session.has_ended(), "nobody is there");
}
