//! MQTT: the device as a broker's clients see it. What it finds is told, what it is asked is done, and nothing is lost while
//! the broker is away.
//!
//! ```text
//! daemon ─▶ Post ─▶ told ─▶ queue (outbox) ─▶ session ─▶ link ─▶ connection ─▶ wire ─▶ broker
//!   ▲                                            │
//!   └──────── operator ◀──── order ◀─────────────┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | `session` | every decision: synchronous, pure, simulated |
//! | `connection` | one connection as the protocol has it: bytes in, bytes out |
//! | `link`, `wire`, `tls`, `waker` | sockets |
//! | `queue`, `outbox` | what the broker is owed, and which commands were carried out |
//! | `topics`, `places`, `message`, `told`, `discovery` | what is said where, and to Home Assistant |
//! | `picture`, `pictures` | pictures, small enough for the broker; those of stable answers |
//! | `heads` | heads for other devices, and of them |
//! | `about` | what a message is about |
//! | `order`, `reply`, `operator` | what is asked, how it is answered, who does it |
//! | [`visit`] | the same broker, from the command line |
//! | `thread` | does what the session wants |
//!
//! Read `session` first.

mod about;
mod connection;
mod discovery;
#[cfg(test)]
mod fuzz;
mod heads;
mod link;
mod message;
mod operator;
mod order;
mod outbox;
mod picture;
mod pictures;
mod places;
mod queue;
mod reply;
mod session;
mod thread;
mod tls;
mod told;
mod topics;
pub mod visit;
mod waker;
mod wire;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use self::about::{Listening, Taker};
use self::connection::Hello;
use self::discovery::{Discovery, Wanted};
use self::heads::{Heads, Places};
use self::link::Socket;
use self::message::Message;
use self::operator::{Answered, Operator};
use self::outbox::Outbox;
use self::pictures::Pictures;
use self::queue::Queue;
use self::session::{Session, Setup};
use self::thread::{Input, Names, Post, Thread};
use self::topics::Topics;
use self::waker::Waker;
use crate::config::{self, Broker, Config, PREFIX, Profile};
use crate::daemon::Running;
use crate::daemon::stage::Stage;
use crate::door;
use crate::outbox::OutboxError;

pub use self::tls::SecretError;

/// What `AWS IoT` takes.
const AWS_PACKET: u32 = 128 << 10;
/// Of the 100 messages a second that it takes.
const AWS_RATE: usize = 80;
/// What waits for the thread.
const WAITING: usize = 1024;
/// What stands around an answer in its packet.
const AROUND: u32 = 2048;

/// Why MQTT cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum MqttError {
    /// What the broker is owed cannot be kept.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A password, a certificate or a key is missing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system gives no thread.
    #[error("could not start the thread of MQTT")]
    Thread(#[from] std::io::Error),
}

/// MQTT while it runs.
pub struct Mqtt {
    post: Arc<Post>,
    thread: JoinHandle<()>,
}

/// Who this device is to the configured broker.
struct Own {
    broker: Broker,
    tls: Option<Arc<ClientConfig>>,
    hello: Hello,
    topics: Topics,
    device: String,
    aws: bool,
}

impl Own {
    /// None where no broker is configured.
    fn of(config: &Config) -> Result<Option<Self>, MqttError> {
        let mqtt = &config.mqtt;
        let Some(broker) = mqtt.url.as_deref().and_then(Broker::parse) else { return Ok(None) };
        let tls = if broker.tls { Some(tls::config(mqtt)?) } else { None };
        let password = mqtt.password_file.as_deref().map(tls::password).transpose()?;
        let device = config.device_id();
        let prefix = mqtt.prefix.as_deref().unwrap_or(PREFIX);
        let topics = Topics::new(prefix, &device, mqtt.fleet.as_deref(), &mqtt.groups);
        let aws = mqtt.profile == Some(Profile::AwsIot);
        let hello = Hello {
            client_id: mqtt.client_id.as_deref().unwrap_or("{device}").replace("{device}", &device),
            login: mqtt.user.clone().map(|user| (user, password.unwrap_or_default())),
            will: Some(status(&topics, "offline")),
            keep_alive: mqtt.keep_alive.map_or(config::KEEP_ALIVE, |every| every.0),
            max_packet: mqtt.max_packet.unwrap_or(config::MAX_PACKET).min(if aws { AWS_PACKET } else { u32::MAX }),
        };
        Ok(Some(Self { broker, tls, hello, topics, device, aws }))
    }
}

/// A number that is another at every call: the system seeds it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Whether the device is there, as the broker keeps it.
fn status(topics: &Topics, word: &str) -> Message {
    Message { topic: topics.status(), payload: word.into(), retain: true, ..Message::default() }
}

/// Begins, where a broker is configured: beside a daemon, which it tells of and asks.
///
/// # Errors
/// When a file of the configuration cannot be read, or nothing can be kept.
pub fn start(config: &Config, data_dir: &Path, running: &Running) -> Result<Option<Mqtt>, MqttError> {
    let mqtt = &config.mqtt;
    let Some(own) = Own::of(config)? else { return Ok(None) };
    let Own { broker, tls, hello, topics, device, aws } = own;
    if hello.login.is_some() && !broker.tls && !is_this_machine(&broker.host) {
        tracing::warn!("the password for the MQTT broker at {} is sent as it is: mqtts:// would hide it", broker.host);
    }
    let max_packet = hello.max_packet;
    let origin = Instant::now();
    let taker = |source: &config::Source| {
        let (filter, source, readings) = (source.topic.clone()?, source.name.clone(), !source.readings.is_empty());
        Some(Taker { filter, source, readings })
    };
    let sources: Vec<Taker> = config.source.iter().filter_map(taker).collect();
    let mut filters = topics.filters();
    for Taker { filter, .. } in &sources {
        if !filters.contains(filter) {
            filters.push(filter.clone());
        }
    }
    filters.extend(mqtt.home_assistant.then(|| discovery::BIRTH.to_owned()));
    let places = Places::of(mqtt, &device);
    filters.extend_from_slice(places.filters());
    let setup = Setup {
        client_id: hello.client_id.clone(),
        filters,
        rate: aws.then_some(AWS_RATE),
        online: status(&topics, "online"),
        stopped: status(&topics, "stopped"),
        seed: random(),
    };
    let outbox = mqtt.outbox_mib.unwrap_or(config::OUTBOX_MIB) << 20;
    let queue = Queue::new(Outbox::open(data_dir, outbox)?)?;
    let waker = Waker::new()?;
    let (inputs, waiting) = sync_channel(WAITING);
    let handle = running.handle();
    let view = Arc::clone(&handle.view.borrow());
    let post = Arc::new(Post {
        inputs: inputs.clone(),
        waker: waker.clone(),
        view: Mutex::new(Some(Arc::clone(&view))),
        predictions: mqtt.predictions,
        full: AtomicU64::new(0),
        fares: Mutex::default(),
        stage: Stage::new("mqtt", Duration::from_mins(1)),
    });
    let done: Arc<dyn Fn(heads::Done) + Send + Sync> = {
        let (inputs, waker) = (inputs.clone(), waker.clone());
        Arc::new(move |done| {
            // Once the thread has ended, the broker tells the next start of it.
            let _ended = inputs.send(Input::Heads(done));
            waker.wake();
        })
    };
    let answered: Arc<Answered> = {
        let (inputs, waker) = (inputs.clone(), waker.clone());
        Arc::new(move |key, message| {
            // Once the thread has ended, the next start answers.
            let _ended = inputs.send(Input::Answered(key, message));
            waker.wake();
        })
    };
    let most = max_packet.saturating_sub(AROUND) as usize;
    let pictured: Arc<pictures::Made> = {
        let waker = waker.clone();
        Arc::new(move |message| {
            // Once the thread has ended, nobody looks at pictures any more.
            let _ended = inputs.send(Input::Pictured(message));
            waker.wake();
        })
    };
    let signing = heads::Setup { topics: topics.clone(), device: device.clone(), packet: max_packet, outbox };
    let (heads, doing) = Heads::start(signing, places, mqtt.publish_heads, handle, done, origin.elapsed())?;
    let mut thread = Thread {
        post: Arc::clone(&post),
        inputs: waiting,
        link: Socket::new(broker, tls, hello, waker, origin),
        session: Session::new(setup, origin.elapsed()),
        queue,
        listening: Listening { topics, device, sources },
        operator: Operator::start(handle, most, &answered)?,
        heads,
        pictures: mqtt.pictures.then(|| Pictures::start(&handle.newest, most, pictured)).transpose()?,
        posted: Arc::clone(&handle.posted),
        most,
        origin,
        names: Names::new(),
        discovery: mqtt.home_assistant.then(|| discovery(config)),
        view,
        spread: Vec::new(),
        ignored: 0,
        shed: 0,
    };
    thread.see_to(doing, origin.elapsed());
    let thread = std::thread::Builder::new().name("mqtt".to_owned()).spawn(move || thread.run())?;
    running.beside().settle(Arc::clone(&post) as Arc<_>);
    Ok(Some(Mqtt { post, thread }))
}

impl Mqtt {
    /// Says goodbye to the broker and ends; what it has not acknowledged is told after the next start.
    pub fn end(self) {
        // The newest view was seen, or is of no use any more.
        drop(self.post.view.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ended = self.post.inputs.send(Input::End);
        self.post.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!("the thread of MQTT had ended with a panic; this is a bug in acclimate");
        }
    }
}

/// What Home Assistant is told beside what the daemon is like.
fn discovery(config: &Config) -> Discovery {
    let wanted = |task: &config::Task| {
        let (device_class, on) = (task.device_class.clone(), task.on_class.clone());
        (task.name.clone(), Wanted { device_class, on })
    };
    let listen = config.http.listen.unwrap_or(door::LISTEN);
    let page = (!listen.ip().is_loopback()).then(|| {
        if listen.ip().is_unspecified() {
            format!("http://{}:{}/", door::local_name(), listen.port())
        } else {
            format!("http://{listen}/")
        }
    });
    Discovery::new(config.task.iter().map(wanted).collect(), config.mqtt.pictures, page)
}

/// Whether an address does not leave this machine.
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
