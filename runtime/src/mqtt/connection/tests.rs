//! A connection against a broker of a few bytes, in virtual time.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnAckProperties, PingResp, SubAck};

use super::*;

const KEEP_ALIVE: Duration = Duration::from_secs(30);

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hello() -> Hello {
    Hello {
        client_id: "press-7".to_owned(),
        login: Some(("user".to_owned(), "password".to_owned())),
        will: Some(Message {
            topic: "status".to_owned(),
            payload: b"offline".to_vec(),
            retain: true,
            ..Message::default()
        }),
        keep_alive: KEEP_ALIVE,
        max_packet: 1000,
    }
}

fn bytes(packet: &Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes, None).unwrap();
    bytes
}

/// What the connection has said.
fn said(connection: &mut Connection) -> Vec<Packet> {
    let mut said = std::mem::take(&mut connection.outgoing);
    let mut packets = Vec::new();
    while !said.is_empty() {
        packets.push(Packet::read(&mut said, None).unwrap());
    }
    packets
}

fn connack(code: ConnectReturnCode, properties: Option<ConnAckProperties>) -> BytesMut {
    bytes(&Packet::ConnAck(ConnAck { session_present: false, code, properties }))
}

fn up(properties: Option<ConnAckProperties>) -> Connection {
    let mut connection = Connection::new(&hello(), at(0));
    connection.read(&connack(ConnectReturnCode::Success, properties), at(0)).unwrap();
    assert!(matches!(connection.next(), Some(Heard::Connected(_))));
    said(&mut connection);
    connection
}

fn message(topic: &str, bytes: usize) -> Message {
    Message { topic: topic.to_owned(), payload: vec![7; bytes], uid: Some("a-1".to_owned()), ..Message::default() }
}

fn puback(packet: u16, reason: PubAckReason) -> BytesMut {
    let mut puback = PubAck::new(packet, None);
    puback.reason = reason;
    bytes(&Packet::PubAck(puback))
}

#[test]
fn it_says_who_it_is_and_leaves_a_will() {
    let mut connection = Connection::new(&hello(), at(0));
    let packets = said(&mut connection);
    let [Packet::Connect(connect, Some(will), Some(login))] = packets.as_slice() else { panic!("{packets:?}") };
    assert_eq!((connect.client_id.as_str(), connect.keep_alive, connect.clean_start), ("press-7", 30, false));
    assert_eq!((&will.message[..], will.retain, will.qos), (&b"offline"[..], true, QoS::AtLeastOnce));
    assert_eq!(login.username, "user");
    assert_eq!(connection.deadline(), GREETING);
    assert_eq!(connection.elapse(GREETING), Err(Lost::Silent(GREETING)));
}

#[test]
fn each_acknowledgement_is_heard_under_the_tag_of_its_message_in_whatever_order_they_come() {
    let mut connection = up(None);
    for tag in [70, 71, 72] {
        connection.publish(tag, &message("t", 3), at(1)).unwrap();
    }
    let packets: Vec<u16> = said(&mut connection)
        .into_iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => publish.pkid,
            other => panic!("{other:?}"),
        })
        .collect();
    let mut answers = puback(packets[2], PubAckReason::NoMatchingSubscribers);
    answers.extend_from_slice(&puback(packets[0], PubAckReason::QuotaExceeded));
    answers.extend_from_slice(&puback(packets[1], PubAckReason::Success));
    for byte in answers {
        connection.read(&[byte], at(2)).unwrap();
    }
    let heard: Vec<Heard> = std::iter::from_fn(|| connection.next()).collect();
    let acknowledged = |tag, refused| Heard::Acknowledged { tag, refused };
    assert_eq!(heard, [acknowledged(72, None), acknowledged(70, Some("quota exceeded")), acknowledged(71, None)]);
    let again = connection.read(&puback(packets[0], PubAckReason::Success), at(3));
    assert!(matches!(again, Err(Lost::Malformed(_))), "{again:?}");
}

#[test]
fn a_packet_identifier_is_not_used_while_it_is_on_its_way() {
    let mut connection = up(None);
    connection.publish(1, &message("t", 0), at(1)).unwrap();
    for tag in 2..70_000 {
        connection.publish(tag, &message("t", 0), at(1)).unwrap();
        let newest = connection.packet;
        assert!(newest != 1 || tag < 3);
        connection.read(&puback(newest, PubAckReason::Success), at(1)).unwrap();
        assert_eq!(connection.next(), Some(Heard::Acknowledged { tag, refused: None }));
        connection.outgoing.clear();
    }
}

#[test]
fn a_broker_that_says_nothing_is_noticed_within_twice_the_keep_alive() {
    let mut connection = up(None);
    assert_eq!(connection.deadline(), KEEP_ALIVE);
    assert_eq!(connection.elapse(at(29)), Ok(()));
    assert_eq!(said(&mut connection), []);
    assert_eq!(connection.elapse(at(30)), Ok(()));
    assert_eq!(said(&mut connection), [Packet::PingReq(PingReq)]);
    connection.read(&bytes(&Packet::PingResp(PingResp)), at(31)).unwrap();
    // From here on nothing comes back, whatever is said.
    for second in 32..61 {
        connection.publish(second, &message("t", 3), at(second)).unwrap();
        assert_eq!(connection.elapse(at(second)), Ok(()));
    }
    assert_eq!(connection.elapse(at(61)), Ok(()));
    assert_eq!(said(&mut connection).last(), Some(&Packet::PingReq(PingReq)));
    assert_eq!(connection.elapse(at(90)), Ok(()));
    assert_eq!(connection.elapse(at(91)), Err(Lost::Silent(2 * KEEP_ALIVE)));
}

#[test]
fn what_the_broker_allows_is_kept() {
    let properties = ConnAckProperties {
        session_expiry_interval: None,
        receive_max: Some(5),
        max_qos: Some(0),
        retain_available: Some(0),
        max_packet_size: Some(100),
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: Some(10),
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    };
    let mut connection = Connection::new(&hello(), at(0));
    connection.read(&connack(ConnectReturnCode::Success, Some(properties)), at(0)).unwrap();
    let welcome = Welcome { window: 5, max_packet: Some(100), acknowledges: false, retains: false };
    assert_eq!(connection.next(), Some(Heard::Connected(welcome)));
    said(&mut connection);
    assert_eq!(connection.deadline(), at(10));
    let too_large = connection.publish(1, &message("t", 200), at(1)).unwrap_err();
    assert!(too_large.bytes > 200 && too_large.most == 100);
    assert_eq!(said(&mut connection), []);
}

#[test]
fn why_a_connection_ends_is_said_with_what_to_do() {
    let refused = |code| Connection::new(&hello(), at(0)).read(&connack(code, None), at(0)).unwrap_err().to_string();
    assert!(refused(ConnectReturnCode::BadUserNamePassword).contains("password_file"));
    assert!(refused(ConnectReturnCode::ClientIdentifierNotValid).contains("client_id"));
    let ended = |bytes: &[u8]| up(None).read(bytes, at(1)).unwrap_err();
    assert!(matches!(ended(&[0xe0, 0]), Lost::Disconnected { code: DisconnectReasonCode::NormalDisconnection, .. }));
    for takeover in [&[0xe0, 1, 0x8e][..], &[0xe0, 2, 0x8e, 0], &[0xe0, 6, 0x8e, 4, 0x1f, 0, 1, b'x']] {
        let ended = ended(takeover);
        assert!(matches!(ended, Lost::Disconnected { code: DisconnectReasonCode::SessionTakenOver, .. }), "{ended:?}");
    }
    // A packet whose inside ends early is a broken one, not the beginning of one.
    assert!(matches!(ended(&[0x30, 2, 0, 9]), Lost::Malformed(_)));
    let http = Connection::new(&hello(), at(0)).read(b"HTTP/1.1 400 Bad Request\r\n\r\n", at(0)).unwrap_err();
    assert!(http.to_string().contains("MQTT 5"), "{http}");
    let mut large = Publish::new("t", QoS::AtLeastOnce, vec![0; 2000], None);
    large.pkid = 1;
    assert!(matches!(ended(&bytes(&Packet::Publish(large))), Lost::Malformed(_)), "it was told that 1000 is the most");
}

#[test]
fn a_message_comes_with_where_to_answer_and_is_acknowledged_when_that_is_said() {
    let mut connection = up(None);
    let properties = PublishProperties {
        response_topic: Some("answers".to_owned()),
        correlation_data: Some(vec![1, 2].into()),
        content_type: Some("application/json".to_owned()),
        user_properties: vec![("task".to_owned(), "gate".to_owned())],
        ..PublishProperties::default()
    };
    let mut publish = Publish::new("cmd/adapt", QoS::AtLeastOnce, b"{}".to_vec(), Some(properties));
    publish.pkid = 9;
    connection.read(&bytes(&Packet::Publish(publish)), at(1)).unwrap();
    let Some(Heard::Message(received)) = connection.next() else { panic!() };
    assert_eq!((received.response.as_deref(), received.correlation), (Some("answers"), Some(vec![1, 2])));
    assert_eq!(said(&mut connection), [], "not before it is remembered");
    connection.acknowledge(received.packet, at(1));
    assert_eq!(said(&mut connection), [Packet::PubAck(PubAck::new(9, None))]);
    connection.subscribe(&["a".to_owned(), "b".to_owned()], at(1));
    let packets = said(&mut connection);
    let [Packet::Subscribe(subscribe)] = packets.as_slice() else { panic!("{packets:?}") };
    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce), SubscribeReasonCode::NotAuthorized];
    let suback = SubAck { pkid: subscribe.pkid, return_codes: codes, properties: None };
    connection.read(&bytes(&Packet::SubAck(suback)), at(2)).unwrap();
    assert_eq!(connection.next(), Some(Heard::Subscribed(vec![None, Some("not authorized")])));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_keep_more_than_a_packet(
        chunks in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), 0..40),
        welcome in proptest::prelude::any::<bool>(),
    ) {
        let mut connection = if welcome { up(None) } else { Connection::new(&hello(), at(0)) };
        for chunk in chunks {
            if connection.read(&chunk, at(1)).is_err() {
                break;
            }
            proptest::prop_assert!(connection.incoming.len() <= 1000 + 60);
        }
    }

    #[test]
    fn no_spoilt_packet_makes_it_panic(
        place in 0_usize..80,
        byte in proptest::prelude::any::<u8>(),
        kind in 0..4,
    ) {
        let mut publish = Publish::new("cmd/adapt", QoS::AtLeastOnce, b"{}".to_vec(), Some(PublishProperties {
            response_topic: Some("answers".to_owned()),
            user_properties: vec![("task".to_owned(), "gate".to_owned())],
            ..PublishProperties::default()
        }));
        publish.pkid = 9;
        let mut bytes = match kind {
            0 => bytes(&Packet::Publish(publish)),
            1 => connack(ConnectReturnCode::Success, None),
            2 => bytes(&Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NotAuthorized))),
            _ => bytes(&Packet::SubAck(SubAck { pkid: 1, return_codes: vec![SubscribeReasonCode::Failure], properties: None })),
        };
        let place = place % bytes.len();
        bytes[place] = byte;
        let mut connection = if kind == 1 { Connection::new(&hello(), at(0)) } else { up(None) };
        let _ = connection.read(&bytes, at(1));
    }
}
