//! A broker that does what a script says: accepts, acknowledges, refuses, sends, hangs up. Speaks MQTT 5 through rumqttc's
//! packets, with one client at a time.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, Packet, PingResp, PubAck, PubAckReason, Publish, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

/// What a client did.
#[derive(Debug)]
pub enum Event<'a> {
    /// It has connected, for the n-th time.
    Connected(usize, &'a Packet),
    /// It listens to these filters.
    Subscribed(&'a [String]),
    /// It said something; the size of the packet.
    Published(&'a Publish, usize),
    /// It acknowledged something that it was sent.
    Acknowledged(u16),
}

/// What the broker does about it.
#[derive(Clone, Debug)]
pub enum Do {
    /// Acknowledges what was said, or refuses it.
    Acknowledge(PubAckReason),
    /// Sends a message.
    Send(Box<Publish>),
    /// Closes the connection.
    HangUp,
    /// Says that somebody else has connected under the same id, and closes the connection.
    TakeOver,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Over which connection.
    pub connection: usize,
    /// The topic.
    pub topic: String,
    /// The payload, as text.
    pub payload: String,
    /// Whether it was to be kept.
    pub retain: bool,
    /// The name that no other message has.
    pub id: Option<String>,
}

type Script = dyn FnMut(Event<'_>) -> Vec<Do> + Send;

/// A running broker.
pub struct Broker {
    port: u16,
    said: Arc<Mutex<Vec<Said>>>,
    connections: Arc<Mutex<usize>>,
}

impl Broker {
    /// Starts on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub fn start(script: impl FnMut(Event<'_>) -> Vec<Do> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (said, connections): (Arc<Mutex<Vec<Said>>>, Arc<Mutex<usize>>) = Default::default();
        let (all, count, mut script) = (Arc::clone(&said), Arc::clone(&connections), script);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = {
                    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
                    *count += 1;
                    *count
                };
                let mut client = Client { stream, came: BytesMut::new(), number, said: Arc::clone(&all) };
                // However it ends, the next one is served.
                let _ended = client.serve(&mut script);
            }
        });
        Self { port, said, connections }
    }

    /// The section of a device's configuration.
    pub fn section(&self) -> String {
        format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", self.port)
    }

    /// Everything that was said to it.
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Client {
    stream: TcpStream,
    came: BytesMut,
    number: usize,
    said: Arc<Mutex<Vec<Said>>>,
}

impl Client {
    fn serve(&mut self, script: &mut Script) -> std::io::Result<()> {
        loop {
            let (packet, size) = self.read()?;
            let doing = match &packet {
                Packet::Connect(..) => {
                    let connack =
                        ConnAck { session_present: false, code: ConnectReturnCode::Success, properties: None };
                    self.write(&Packet::ConnAck(connack))?;
                    script(Event::Connected(self.number, &packet))
                }
                Packet::Subscribe(subscribe) => {
                    let filters: Vec<String> = subscribe.filters.iter().map(|filter| filter.path.clone()).collect();
                    let return_codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); filters.len()];
                    self.write(&Packet::SubAck(SubAck { pkid: subscribe.pkid, return_codes, properties: None }))?;
                    script(Event::Subscribed(&filters))
                }
                Packet::Publish(publish) => {
                    let properties = publish.properties.clone().unwrap_or_default();
                    let id = properties.user_properties.into_iter().find(|(name, _)| name == "id").map(|(_, id)| id);
                    self.said.lock().unwrap_or_else(PoisonError::into_inner).push(Said {
                        connection: self.number,
                        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                        payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                        retain: publish.retain,
                        id,
                    });
                    script(Event::Published(publish, size))
                }
                Packet::PubAck(puback) => script(Event::Acknowledged(puback.pkid)),
                Packet::PingReq(_) => {
                    self.write(&Packet::PingResp(PingResp))?;
                    Vec::new()
                }
                Packet::Disconnect(_) => return Ok(()),
                other => panic!("a client says {other:?}"),
            };
            for what in doing {
                match what {
                    Do::Acknowledge(reason) => {
                        let Packet::Publish(publish) = &packet else { panic!("nothing was said: {packet:?}") };
                        let mut puback = PubAck::new(publish.pkid, None);
                        puback.reason = reason;
                        self.write(&Packet::PubAck(puback))?;
                    }
                    Do::Send(publish) => self.write(&Packet::Publish(*publish))?,
                    Do::HangUp => return Ok(()),
                    // The shortest DISCONNECT with a reason; rumqttc writes none.
                    Do::TakeOver => return self.stream.write_all(&[0xe0, 1, 0x8e]),
                }
            }
        }
    }

    fn read(&mut self) -> std::io::Result<(Packet, usize)> {
        loop {
            let before = self.came.len();
            match Packet::read(&mut self.came, None) {
                Ok(packet) => return Ok((packet, before - self.came.len())),
                Err(Error::InsufficientBytes(_)) => {}
                // A DISCONNECT of two bytes.
                Err(_) => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            }
            let mut bytes = [0; 1 << 13];
            match self.stream.read(&mut bytes)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => self.came.extend_from_slice(&bytes[..read]),
            }
        }
    }

    fn write(&mut self, packet: &Packet) -> std::io::Result<()> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).expect("a packet of ours can be written");
        self.stream.write_all(&bytes)
    }
}
