//! One connection to a broker, as the protocol has it: bytes and moments in, bytes and what was heard out. The packets are
//! rumqttc's; packet identifiers, the keep-alive and the order of things are here. Knows no socket, and nothing of what is
//! said; a new connection is a new one of these, so that nothing of the last is left.
//!
//! ```text
//! CONNECT ─▶ greeting ─ CONNACK ─▶ up: PUBLISH ─▶ PUBACK, SUBSCRIBE ─▶ SUBACK, PINGREQ ─▶ anything
//!               │ GREETING elapsed    │ a ping unanswered for a keep-alive
//!               └──────── lost ◀──────┘
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter, LastWill, Login, Packet,
    PingReq, PubAck, PubAckReason, Publish, PublishProperties, Subscribe, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

use super::message::{Message, Received};

/// From CONNECT to CONNACK.
const GREETING: Duration = Duration::from_secs(15);
/// Messages that the broker may have on their way to us.
const RECEIVE: u16 = 32;
/// How long the broker remembers us while we are gone, seconds.
const REMEMBER: u32 = 3600;

/// What is said of ourselves.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    pub(super) client_id: String,
    pub(super) login: Option<(String, String)>,
    /// What the broker says when we are gone.
    pub(super) will: Option<Message>,
    pub(super) keep_alive: Duration,
    /// The largest packet that is taken.
    pub(super) max_packet: u32,
}

/// What the broker allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    /// Messages on their way at a time.
    pub(super) window: u16,
    /// The largest packet.
    pub(super) max_packet: Option<u32>,
    /// Whether messages are acknowledged at all.
    pub(super) acknowledges: bool,
    /// Whether it keeps messages for who listens later.
    pub(super) retains: bool,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message has arrived; or why it was refused.
    Acknowledged {
        tag: u64,
        refused: Option<&'static str>,
    },
    Connected(Welcome),
    Message(Received),
    /// For each filter whether it is listened to, or why not.
    Subscribed(Vec<Option<&'static str>>),
}

/// Why a connection is no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error("the broker closed the connection")]
    Closed,
    #[error("the broker ended the connection: {}{}", disconnect_words(*code), said(reason.as_deref()))]
    Disconnected { code: DisconnectReasonCode, reason: Option<String> },
    #[error("the connection failed: {0}")]
    Failed(String),
    #[error("the broker said something that is not MQTT 5 ({0}): is there a broker of MQTT 5 at this address?")]
    Malformed(String),
    #[error("the broker refused the connection: {}{}", connect_words(*code), said(reason.as_deref()))]
    Refused { code: ConnectReturnCode, reason: Option<String> },
    #[error("the broker said nothing for {} s", .0.as_secs())]
    Silent(Duration),
}

fn said(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" (it says: {reason})"))
}

/// A packet of ours is larger than the broker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) bytes: usize,
    pub(super) most: u32,
}

#[derive(Debug)]
pub(super) struct Connection {
    up: bool,
    /// What came and is not a whole packet yet.
    incoming: BytesMut,
    /// What is to be sent.
    pub(super) outgoing: BytesMut,
    max_incoming: u32,
    max_outgoing: Option<u32>,
    keep_alive: Duration,
    /// When something was sent, and when something was heard.
    sent: Duration,
    heard_at: Duration,
    pinged: Option<Duration>,
    packet: u16,
    /// What is on its way, by packet.
    flying: BTreeMap<u16, u64>,
    heard: VecDeque<Heard>,
}

impl Connection {
    /// Begins with CONNECT.
    pub(super) fn new(hello: &Hello, now: Duration) -> Self {
        let properties = ConnectProperties {
            session_expiry_interval: Some(REMEMBER),
            receive_maximum: Some(RECEIVE),
            max_packet_size: Some(hello.max_packet),
            ..ConnectProperties::new()
        };
        let connect = Connect {
            keep_alive: hello.keep_alive.as_secs() as u16,
            client_id: hello.client_id.clone(),
            clean_start: false,
            properties: Some(properties),
        };
        let will = hello.will.clone();
        let will = will.map(|Message { topic, payload, retain, .. }| {
            LastWill::new(topic, payload, QoS::AtLeastOnce, retain, None)
        });
        let login = hello.login.as_ref().map(|(user, password)| Login::new(user, password));
        let mut connection = Self {
            up: false,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            max_incoming: hello.max_packet,
            max_outgoing: None,
            keep_alive: hello.keep_alive,
            sent: now,
            heard_at: now,
            pinged: None,
            packet: 0,
            flying: BTreeMap::new(),
            heard: VecDeque::new(),
        };
        connection.write(&Packet::Connect(connect, will, login), now);
        connection
    }

    /// Takes what came.
    pub(super) fn read(&mut self, bytes: &[u8], now: Duration) -> Result<(), Lost> {
        self.incoming.extend_from_slice(bytes);
        loop {
            // Whoever speaks something else may never say a whole packet.
            if let (false, Some(first)) = (self.up, self.incoming.first())
                && !matches!(first, 0x20 | 0xe0 | 0xf0)
            {
                return Err(Lost::Malformed(format!("its first byte is {first:#04x}")));
            }
            let (before, third) = (self.incoming.len(), self.incoming.get(2).copied());
            let ends = self.incoming.first() == Some(&0xe0);
            match Packet::read(&mut self.incoming, Some(self.max_incoming)) {
                Ok(packet) => self.take(packet, now)?,
                Err(Error::InsufficientBytes(_)) if self.incoming.len() == before => return Ok(()),
                // A DISCONNECT that says no more than why, or not even that, is a whole one.
                Err(_) if ends => {
                    let code = if before == 2 { Some(0) } else { third };
                    let code = code.and_then(|code| DisconnectReasonCode::try_from(code).ok());
                    let code = code.unwrap_or(DisconnectReasonCode::UnspecifiedError);
                    return Err(Lost::Disconnected { code, reason: None });
                }
                Err(error) => return Err(Lost::Malformed(error.to_string())),
            }
        }
    }

    fn take(&mut self, packet: Packet, now: Duration) -> Result<(), Lost> {
        (self.heard_at, self.pinged) = (now, None);
        match packet {
            Packet::ConnAck(connack) if !self.up => {
                let properties = connack.properties;
                if connack.code != ConnectReturnCode::Success {
                    let reason = properties.and_then(|properties| properties.reason_string);
                    return Err(Lost::Refused { code: connack.code, reason });
                }
                self.up = true;
                let of = properties.as_ref();
                if let Some(seconds) = of.and_then(|of| of.server_keep_alive).filter(|&seconds| seconds > 0) {
                    self.keep_alive = Duration::from_secs(seconds.into());
                }
                self.max_outgoing = of.and_then(|of| of.max_packet_size);
                self.heard.push_back(Heard::Connected(Welcome {
                    window: of.and_then(|of| of.receive_max).unwrap_or(u16::MAX).max(1),
                    max_packet: self.max_outgoing,
                    acknowledges: of.and_then(|of| of.max_qos).is_none_or(|most| most > 0),
                    retains: of.and_then(|of| of.retain_available).is_none_or(|retains| retains > 0),
                }));
            }
            Packet::Disconnect(disconnect) => {
                let reason = disconnect.properties.and_then(|properties| properties.reason_string);
                return Err(Lost::Disconnected { code: disconnect.reason_code, reason });
            }
            _ if !self.up => return Err(Lost::Malformed("something before CONNACK".to_owned())),
            Packet::PingResp(_) => {}
            Packet::PubAck(puback) => {
                let tag = self.flying.remove(&puback.pkid);
                let tag = tag.ok_or_else(|| Lost::Malformed(format!("PUBACK of packet {}", puback.pkid)))?;
                self.heard.push_back(Heard::Acknowledged { tag, refused: refusal(puback.reason) });
            }
            Packet::Publish(publish) if publish.qos != QoS::ExactlyOnce => {
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                let PublishProperties { response_topic, correlation_data, user_properties, content_type, .. } =
                    publish.properties.unwrap_or_default();
                self.heard.push_back(Heard::Message(Received {
                    topic,
                    payload: publish.payload.into(),
                    retain: publish.retain,
                    packet: publish.pkid,
                    media: content_type,
                    response: response_topic,
                    correlation: correlation_data.map(Into::into),
                    properties: user_properties,
                }));
            }
            Packet::SubAck(suback) => {
                let codes = suback.return_codes.into_iter().map(not_listened).collect();
                self.heard.push_back(Heard::Subscribed(codes));
            }
            other => return Err(Lost::Malformed(format!("{:?}", std::mem::discriminant(&other)))),
        }
        Ok(())
    }

    /// What was heard, in order.
    pub(super) fn next(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// Says something; what becomes of it is heard under the tag.
    pub(super) fn publish(&mut self, tag: u64, message: &Message, now: Duration) -> Result<(), TooLarge> {
        let Message { topic, payload, retain, media, correlation, uid } = message;
        let properties = PublishProperties {
            content_type: media.clone(),
            correlation_data: correlation.clone().map(Into::into),
            user_properties: uid.iter().map(|uid| ("id".to_owned(), uid.clone())).collect(),
            ..PublishProperties::default()
        };
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload.clone(), Some(properties));
        publish.retain = *retain;
        publish.pkid = self.free_packet();
        let size = publish.size();
        if let Some(most) = self.max_outgoing.filter(|&most| size > most as usize) {
            return Err(TooLarge { bytes: size, most });
        }
        self.flying.insert(publish.pkid, tag);
        self.write(&Packet::Publish(publish), now);
        Ok(())
    }

    pub(super) fn subscribe(&mut self, filters: &[String], now: Duration) {
        let filter = |filter: &String| Filter { nolocal: false, ..Filter::new(filter.clone(), QoS::AtLeastOnce) };
        let mut subscribe = Subscribe::new_many(filters.iter().map(filter), None);
        subscribe.pkid = self.free_packet();
        self.write(&Packet::Subscribe(subscribe), now);
    }

    /// The message of a packet need not come again.
    pub(super) fn acknowledge(&mut self, packet: u16, now: Duration) {
        if packet > 0 {
            self.write(&Packet::PubAck(PubAck::new(packet, None)), now);
        }
    }

    /// Says that we go, so that the will is not told.
    pub(super) fn close(&mut self, now: Duration) {
        self.write(&Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection)), now);
    }

    /// When [`Connection::elapse`] is to be called, at the latest.
    pub(super) fn deadline(&self) -> Duration {
        match self.pinged {
            _ if !self.up => self.heard_at + GREETING,
            Some(at) => at + self.keep_alive,
            None => self.sent.min(self.heard_at) + self.keep_alive,
        }
    }

    /// Time went by: a ping is due, or one was not answered.
    pub(super) fn elapse(&mut self, now: Duration) -> Result<(), Lost> {
        if now < self.deadline() {
            return Ok(());
        }
        if !self.up || self.pinged.is_some() {
            return Err(Lost::Silent(now.saturating_sub(self.heard_at)));
        }
        self.write(&Packet::PingReq(PingReq), now);
        self.pinged = Some(now);
        Ok(())
    }

    fn free_packet(&mut self) -> u16 {
        loop {
            self.packet = self.packet.checked_add(1).unwrap_or(1);
            if !self.flying.contains_key(&self.packet) {
                return self.packet;
            }
        }
    }

    fn write(&mut self, packet: &Packet, now: Duration) {
        // What could fail was looked at before: sizes, and that there is a packet identifier.
        if let Err(error) = packet.write(&mut self.outgoing, None) {
            tracing::error!("a packet could not be written: {error}; this is a bug in acclimate");
        }
        self.sent = now;
    }
}

/// Why a message is not with the broker; that nobody listens is no reason.
fn refusal(reason: PubAckReason) -> Option<&'static str> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => None,
        PubAckReason::UnspecifiedError => Some("unspecified error"),
        PubAckReason::ImplementationSpecificError => Some("implementation specific error"),
        PubAckReason::NotAuthorized => Some("not authorized"),
        PubAckReason::TopicNameInvalid => Some("topic name invalid"),
        PubAckReason::PacketIdentifierInUse => Some("packet identifier in use"),
        PubAckReason::QuotaExceeded => Some("quota exceeded"),
        PubAckReason::PayloadFormatInvalid => Some("payload format invalid"),
    }
}

fn not_listened(code: SubscribeReasonCode) -> Option<&'static str> {
    match code {
        SubscribeReasonCode::Success(_) => None,
        SubscribeReasonCode::Failure | SubscribeReasonCode::Unspecified => Some("unspecified error"),
        SubscribeReasonCode::ImplementationSpecific => Some("implementation specific error"),
        SubscribeReasonCode::NotAuthorized => Some("not authorized"),
        SubscribeReasonCode::TopicFilterInvalid => Some("topic filter invalid"),
        SubscribeReasonCode::PkidInUse => Some("packet identifier in use"),
        SubscribeReasonCode::QuotaExceeded => Some("quota exceeded"),
        SubscribeReasonCode::SharedSubscriptionsNotSupported => Some("shared subscriptions not supported"),
        SubscribeReasonCode::SubscriptionIdNotSupported => Some("subscription identifiers not supported"),
        SubscribeReasonCode::WildcardSubscriptionsNotSupported => Some("wildcard subscriptions not supported"),
    }
}

fn connect_words(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::BadUserNamePassword => "wrong user or password: see `user` and `password_file` in [mqtt]",
        ConnectReturnCode::NotAuthorized => "not authorized: see `user`, `cert` and what the broker allows them",
        ConnectReturnCode::BadClientId | ConnectReturnCode::ClientIdentifierNotValid => {
            "it does not take the client id: see `client_id` in [mqtt]"
        }
        ConnectReturnCode::RefusedProtocolVersion | ConnectReturnCode::UnsupportedProtocolVersion => {
            "it does not speak MQTT 5"
        }
        ConnectReturnCode::ServerBusy
        | ConnectReturnCode::ServerUnavailable
        | ConnectReturnCode::ServiceUnavailable => "it is busy",
        ConnectReturnCode::Banned => "this client is banned",
        ConnectReturnCode::ConnectionRateExceeded => "too many connections at a time",
        ConnectReturnCode::PacketTooLarge => "the packet is too large",
        ConnectReturnCode::QuotaExceeded => "quota exceeded",
        ConnectReturnCode::RetainNotSupported => "it keeps no retained messages",
        ConnectReturnCode::QoSNotSupported => "it does not acknowledge messages (QoS 1)",
        ConnectReturnCode::TopicNameInvalid => "it does not take the will's topic: see `prefix` in [mqtt]",
        ConnectReturnCode::ServerMoved | ConnectReturnCode::UseAnotherServer => {
            "another broker is to be used: see `url`"
        }
        _ => "for no reason that says more",
    }
}

fn disconnect_words(code: DisconnectReasonCode) -> &'static str {
    match code {
        DisconnectReasonCode::NormalDisconnection => "normally",
        DisconnectReasonCode::SessionTakenOver => "another client has the same id",
        DisconnectReasonCode::NotAuthorized => "not authorized",
        DisconnectReasonCode::ServerShuttingDown => "it is shutting down",
        DisconnectReasonCode::KeepAliveTimeout => "it heard nothing from us for too long",
        DisconnectReasonCode::PacketTooLarge => "a packet was too large",
        DisconnectReasonCode::MessageRateTooHigh => "too many messages at a time",
        DisconnectReasonCode::QuotaExceeded => "quota exceeded",
        DisconnectReasonCode::ReceiveMaximumExceeded => "too many messages on their way",
        DisconnectReasonCode::TopicNameInvalid => "topic name invalid",
        DisconnectReasonCode::TopicFilterInvalid => "topic filter invalid",
        DisconnectReasonCode::ServerBusy => "it is busy",
        DisconnectReasonCode::AdministrativeAction => "somebody closed it",
        DisconnectReasonCode::ProtocolError | DisconnectReasonCode::MalformedPacket => "it did not understand us",
        _ => "for no reason that says more",
    }
}

#[cfg(test)]
mod tests;
