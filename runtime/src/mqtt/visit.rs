//! A visit to the configured broker from the command line, beside a daemon that may be running: what the broker allows, what is
//! said. Leaves no will, and connects under an id of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::connection::{Heard, Lost, TooLarge, Welcome};
use super::heads::Places;
use super::link::Socket;
use super::message::{Message, Received};
use super::session::FILTERS;
use super::waker::Waker;
use super::{MqttError, Own};
use crate::config::Config;
use crate::record::{MqttDeviceRecord, MqttMessageRecord, MqttSubscriptionRecord, MqttTestRecord};

/// For each answer of the broker.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long devices are looked for.
const LOOK: Duration = Duration::from_secs(2);
/// Messages that the way there and back is measured with.
const TRIES: u64 = 5;

/// Why a visit came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// No broker is configured.
    #[error("no MQTT broker is configured: say where it is, [mqtt] url = \"mqtt://…\"")]
    Nowhere,
    /// It cannot begin.
    #[error(transparent)]
    Mqtt(#[from] MqttError),
    /// It ended.
    #[error("could not {step} the MQTT broker at {url}: {why}")]
    Lost {
        /// What was attempted.
        step: &'static str,
        /// Where.
        url: String,
        /// Why not.
        why: String,
    },
}

struct Visit {
    link: Socket,
    url: String,
}

impl Visit {
    /// Connects.
    fn begin(config: &Config, suffix: &str) -> Result<(Self, Own, Welcome, Duration), VisitError> {
        let mut own = Own::of(config)?.ok_or(VisitError::Nowhere)?;
        own.hello.will = None;
        own.hello.client_id = format!("{}-{suffix}", own.hello.client_id);
        let waker = Waker::new().map_err(MqttError::Thread)?;
        let url = config.mqtt.url.clone().unwrap_or_default();
        let began = Instant::now();
        let link = Socket::new(own.broker.clone(), own.tls.clone(), own.hello.clone(), waker, began);
        let mut visit = Self { link, url };
        visit.link.open();
        let welcome = visit.wait("reach", |heard| match heard {
            Heard::Connected(welcome) => Some(welcome),
            _ => None,
        })?;
        Ok((visit, own, welcome, began.elapsed()))
    }

    /// Waits until something is heard.
    fn wait<T>(&mut self, step: &'static str, mut wanted: impl FnMut(Heard) -> Option<T>) -> Result<T, VisitError> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.link.hear(until.saturating_duration_since(Instant::now())) {
                Some(Ok(heard)) => {
                    if let Some(found) = wanted(heard) {
                        return Ok(found);
                    }
                }
                Some(Err(lost)) => return Err(self.lost(step, &lost)),
                None => {}
            }
        }
        Err(self.lost(step, &Lost::Silent(PATIENCE)))
    }

    fn lost(&self, step: &'static str, lost: &Lost) -> VisitError {
        VisitError::Lost { step, url: self.url.clone(), why: lost.to_string() }
    }

    /// Takes a message, if one comes within this time.
    fn take(&mut self, wait: Duration, taken: &mut dyn FnMut(Received)) -> Result<(), VisitError> {
        match self.link.hear(wait) {
            Some(Ok(Heard::Message(received))) => {
                self.link.acknowledge(received.packet);
                taken(received);
                Ok(())
            }
            Some(Ok(_)) | None => Ok(()),
            Some(Err(lost)) => Err(self.lost("go on listening at", &lost)),
        }
    }

    /// Listens to one filter.
    fn listen_or_fail(&mut self, filter: &str) -> Result<(), VisitError> {
        let answers = self.listen(&[filter.to_owned()])?;
        match answers.into_iter().flatten().next() {
            None => Ok(()),
            Some(why) => {
                let why = format!("it does not let us listen to {filter} ({why})");
                Err(VisitError::Lost { step: "listen at", url: self.url.clone(), why })
            }
        }
    }

    /// For each filter whether it is listened to, or why not.
    fn listen(&mut self, filters: &[String]) -> Result<Vec<Option<&'static str>>, VisitError> {
        let mut answers = Vec::new();
        for few in filters.chunks(FILTERS) {
            self.link.subscribe(few);
            answers.extend(self.wait("listen at", |heard| match heard {
                Heard::Subscribed(codes) => Some(codes),
                _ => None,
            })?);
        }
        Ok(answers)
    }
}

/// What the broker allows a device, and how long a message takes to it and back.
///
/// # Errors
/// When it cannot be reached.
pub fn test(config: &Config) -> Result<MqttTestRecord, VisitError> {
    let (mut visit, own, welcome, connected) = Visit::begin(config, "test")?;
    let mut filters = own.topics.filters();
    filters.extend_from_slice(Places::of(&config.mqtt, &own.device).filters());
    let answers = visit.listen(&filters)?;
    let topic = own.topics.own("event/test");
    let message = Message::json(topic.clone(), &serde_json::json!({ "device": own.device, "event": "test" }));
    let mut times = Vec::new();
    let mut refused = None;
    for tag in 0..TRIES {
        let began = Instant::now();
        if let Err(TooLarge { bytes, most }) = visit.link.publish(tag, &message) {
            refused = Some(format!("a message of {bytes} bytes is larger than the broker's {most}"));
            break;
        }
        let why = visit.wait("publish to", |heard| match heard {
            Heard::Acknowledged { refused, .. } => Some(refused),
            _ => None,
        });
        match why {
            Ok(why) => refused = refused.or(why.map(str::to_owned)),
            // Some brokers hang up instead of refusing.
            Err(error) => {
                refused = Some(error.to_string());
                break;
            }
        }
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    visit.link.close();
    times.sort_by(f64::total_cmp);
    let subscription = |(topic, why): (&String, Option<&'static str>)| MqttSubscriptionRecord {
        topic: topic.clone(),
        refused: why.map(str::to_owned),
    };
    Ok(MqttTestRecord {
        broker: visit.url,
        client_id: own.hello.client_id,
        connected_ms: connected.as_secs_f64() * 1000.0,
        window: welcome.window,
        max_packet: welcome.max_packet,
        retains: welcome.retains,
        acknowledges: welcome.acknowledges,
        subscriptions: filters.iter().zip(answers).map(subscription).collect(),
        published_to: topic,
        refused,
        acknowledged_ms: times.get(times.len() / 2).copied(),
    })
}

/// Gives everything that devices with the configured prefix say, this one alone unless all are wanted, until the taker has had
/// enough.
///
/// # Errors
/// When the broker cannot be reached or listened to, or is gone.
pub fn watch(config: &Config, all: bool, take: &mut dyn FnMut(&MqttMessageRecord) -> bool) -> Result<(), VisitError> {
    let (mut visit, own, ..) = Visit::begin(config, "watch")?;
    let filter = if all { own.topics.everybody() } else { own.topics.own("#") };
    visit.listen_or_fail(&filter)?;
    let mut go_on = true;
    while go_on {
        visit.take(PATIENCE, &mut |received| {
            let Received { topic, retain, payload, .. } = received;
            let payload = String::from_utf8(payload);
            let payload = payload.unwrap_or_else(|error| format!("{} bytes", error.as_bytes().len()));
            go_on = take(&MqttMessageRecord { topic, retained: retain, payload });
        })?;
    }
    visit.link.close();
    Ok(())
}

/// The devices with the configured prefix that the broker knows of, by name.
///
/// # Errors
/// When the broker cannot be reached or listened to, or is gone.
pub fn discover(config: &Config) -> Result<Vec<MqttDeviceRecord>, VisitError> {
    let (mut visit, own, ..) = Visit::begin(config, "discover")?;
    visit.listen_or_fail(&own.topics.statuses())?;
    let mut found = BTreeMap::new();
    // What the broker keeps comes at once, and nothing says that it was all.
    let until = Instant::now() + LOOK;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        visit.take(left, &mut |received| {
            let device = own.topics.device_of(&received.topic).map(str::to_owned);
            let status = String::from_utf8(received.payload).ok();
            found.extend(device.zip(status.filter(|status| (1..=20).contains(&status.len()))));
        })?;
    }
    visit.link.close();
    Ok(found.into_iter().map(|(device, status)| MqttDeviceRecord { device, status }).collect())
}
