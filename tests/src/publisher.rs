//! Publishes anything to a broker, fast: what Mosquitto's own program would refuse to send, or take a process for. Speaks MQTT 5
//! through rumqttc's packets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Connect, Packet, Publish, PublishProperties};

/// Publications without an acknowledgement, at most.
const WINDOW: usize = 20;
/// Bytes of a packet, at most.
const LARGEST: u32 = 1 << 20;

/// A connection to a broker on this machine.
#[derive(Debug)]
pub struct Publisher {
    stream: TcpStream,
    heard: BytesMut,
    packet: u16,
    unacknowledged: usize,
}

impl Publisher {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens there, or it is no broker.
    pub fn connect(port: u16, id: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the broker listens");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a time limit that is not zero");
        let mut publisher = Self { stream, heard: BytesMut::new(), packet: 0, unacknowledged: 0 };
        let connect = Connect { keep_alive: 0, client_id: id.to_owned(), clean_start: true, properties: None };
        publisher.say(&Packet::Connect(connect, None, None));
        match publisher.hear() {
            Packet::ConnAck(_) => publisher,
            other => panic!("no CONNACK but {other:?}"),
        }
    }

    /// Publishes once the broker has taken most of what came before.
    ///
    /// # Panics
    /// When the broker hangs up.
    pub fn publish(&mut self, topic: &str, payload: Vec<u8>, properties: Option<PublishProperties>) {
        while self.unacknowledged >= WINDOW {
            self.acknowledged();
        }
        self.packet = self.packet % u16::MAX + 1;
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload, properties);
        publish.pkid = self.packet;
        self.say(&Packet::Publish(publish));
        self.unacknowledged += 1;
    }

    /// Waits until the broker has taken all of it.
    pub fn drain(&mut self) {
        while self.unacknowledged > 0 {
            self.acknowledged();
        }
    }

    fn acknowledged(&mut self) {
        match self.hear() {
            Packet::PubAck(_) => self.unacknowledged -= 1,
            other => panic!("no PUBACK but {other:?}"),
        }
    }

    fn say(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).expect("a packet that can be written");
        self.stream.write_all(&bytes).expect("the broker listens");
    }

    fn hear(&mut self) -> Packet {
        loop {
            if let Ok(packet) = Packet::read(&mut self.heard, Some(LARGEST)) {
                return packet;
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).expect("the broker answers");
            assert!(read > 0, "the broker hung up");
            self.heard.extend_from_slice(&chunk[..read]);
        }
    }
}
