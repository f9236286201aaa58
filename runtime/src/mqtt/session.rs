//! The deciding of MQTT: when to connect, what to listen to, what to say and say again, what a refusal means. Synchronous and
//! pure: moments and what was heard go in, what is to be done comes out. Knows no socket, file or clock.
//!
//! ```text
//! resting ─ until ─▶ opening ─ CONNACK ─▶ listening ─ SUBACK ─▶ up
//!    ▲                  │                     │                 │  lost: twice as long as before, at most a minute, and jitter
//!    └──────────────────┴─────────────────────┴─────────────────┘
//! ```
//!
//! - Whatever was not acknowledged is said again after every CONNACK, in order, whatever the broker says it remembers.
//! - At most a window of messages is on its way; what was acknowledged and is not yet removed counts as being so.
//! - A message that is refused is parked: kept, counted, reported and tried again later, in the way of no other.
//! - A broker that hangs up again and again at one message is told the others, one at a time until it is known which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;

use super::connection::{Heard, Lost, TooLarge, Welcome};
use super::message::{Message, Received};
use super::outbox::Owed;
use crate::backoff::backoff;

/// Between two tries to connect: the first, and the longest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(1);
/// A connection that held so long was a good one, and so was one over which anything that was owed arrived.
const GOOD: Duration = Duration::from_secs(10);
/// From SUBSCRIBE to SUBACK.
const LISTEN_WITHIN: Duration = Duration::from_secs(15);
/// Filters in one SUBSCRIBE, as `AWS IoT` has it.
pub(super) const FILTERS: usize = 8;
/// Messages on their way at a time.
const WINDOW: usize = 16;
/// A broker that hangs up so soon after a message may do so because of it.
const SOON: Duration = Duration::from_secs(5);
/// So many times in a row, and it is.
const STRIKES: u32 = 3;
/// Acknowledgements after which several messages at a time are trusted again.
const CAREFUL: u32 = 64;
/// What was refused is tried again after so long.
const PARKED: Duration = Duration::from_mins(10);
/// For saying goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// Refusals that are told apart.
const REFUSALS: usize = 16;

/// How it is said that there is no connection.
pub(super) const NOT_CONNECTED: &str = "the MQTT broker is not connected";

/// Where it stands that another device has the same id.
const CLIENT_ID: &str = "client id";

/// Tags of values are those with this bit, the others are numbers of what is owed.
const VALUE: u64 = 1 << 63;

/// What is owed, wherever it lies.
pub(super) trait Owes {
    /// What comes after a number, in order.
    fn after(&mut self, number: u64, most: usize) -> Vec<Owed>;
}

/// What a session is begun with.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) client_id: String,
    pub(super) filters: Vec<String>,
    /// Messages a second at most.
    pub(super) rate: Option<usize>,
    /// `online`, and what is said in its place at the end.
    pub(super) online: Message,
    pub(super) stopped: Message,
    /// What jitter is made of.
    pub(super) seed: u64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Do {
    Close,
    Open,
    /// Somebody is to be told.
    Problem(String),
    Publish {
        tag: u64,
        message: Message,
    },
    /// These arrived.
    Remove(Vec<u64>),
    Subscribe(Vec<String>),
    /// A message came.
    Take(Received),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Resting { until: Duration },
    Opening,
    Listening { since: Duration, answers: usize },
    Up { since: Duration },
    Ended,
}

/// The newest value of a topic: the broker keeps it, so only the newest matters.
#[derive(Clone, Debug)]
struct Value {
    message: Message,
    /// It is not with the broker, or an older one is.
    stale: bool,
}

#[derive(Debug)]
pub(super) struct Session {
    setup: Setup,
    phase: Phase,
    failures: u32,
    random: u64,
    welcome: Option<Welcome>,
    values: Vec<Value>,
    /// On their way, in order.
    flying: VecDeque<(u64, String)>,
    /// Read ahead from what is owed.
    ahead: VecDeque<Owed>,
    after: u64,
    /// There is nothing after `after`.
    caught_up: bool,
    arrived: Vec<u64>,
    parked: BTreeSet<u64>,
    parked_until: Option<Duration>,
    /// At which the broker hangs up.
    poison: BTreeSet<u64>,
    suspect: Option<(u64, u32)>,
    careful: u32,
    last_sent: Duration,
    /// Something that was owed arrived over this connection.
    progress: bool,
    sent: VecDeque<Duration>,
    ending: Option<Duration>,
    /// Topics that are refused, with why.
    refusals: BTreeMap<String, String>,
    /// Why there is no connection.
    lost: Option<String>,
    doing: Vec<Do>,
}

impl Session {
    pub(super) fn new(setup: Setup, now: Duration) -> Self {
        let online = Value { message: setup.online.clone(), stale: true };
        Self {
            random: setup.seed,
            setup,
            phase: Phase::Resting { until: now },
            failures: 0,
            welcome: None,
            values: vec![online],
            flying: VecDeque::new(),
            ahead: VecDeque::new(),
            after: 0,
            caught_up: false,
            arrived: Vec::new(),
            parked: BTreeSet::new(),
            parked_until: None,
            poison: BTreeSet::new(),
            suspect: None,
            careful: 0,
            last_sent: now,
            progress: false,
            sent: VecDeque::new(),
            ending: None,
            refusals: BTreeMap::new(),
            lost: Some("it has not been reached yet".to_owned()),
            doing: Vec::new(),
        }
    }

    /// The newest value of a topic; what was said before is forgotten. An empty one takes the topic back.
    pub(super) fn value(&mut self, message: Message) {
        match self.values.iter_mut().find(|value| value.message.topic == message.topic) {
            Some(value) if value.message == message => {}
            Some(value) => *value = Value { message, stale: true },
            None => self.values.push(Value { message, stale: true }),
        }
    }

    /// Somebody who needs the values may not have heard them.
    pub(super) fn say_values_again(&mut self) {
        self.values.iter_mut().for_each(|value| value.stale = true);
    }

    /// The topics that have a value.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter(|value| !value.message.payload.is_empty()).map(|value| value.message.topic.as_str())
    }

    /// More is owed.
    pub(super) fn owes(&mut self) {
        self.caught_up = false;
    }

    /// Nothing new is begun: says goodbye.
    pub(super) fn end(&mut self, now: Duration) {
        self.value(self.setup.stopped.clone());
        self.ending = Some(now + GOODBYE);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether the broker takes what it is told.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    /// The largest packet that the broker takes, while there is a connection.
    pub(super) fn packet(&self) -> Option<u32> {
        self.welcome.map(|welcome| welcome.max_packet.unwrap_or(u32::MAX))
    }

    /// What does not work, in words.
    pub(super) fn troubles(&self) -> Vec<String> {
        let lost = self.lost.iter().map(|why| format!("{NOT_CONNECTED}: {why}"));
        lost.chain(self.refusals.values().cloned()).collect()
    }

    /// Messages that were refused and are kept.
    pub(super) fn parked(&self) -> u64 {
        self.parked.len() as u64
    }

    /// Takes in what was heard.
    pub(super) fn heard(&mut self, heard: Heard, now: Duration) {
        match heard {
            Heard::Acknowledged { tag, refused } => self.acknowledged(tag, refused, now),
            Heard::Connected(welcome) => self.connected(welcome, now),
            Heard::Message(received) => self.doing.push(Do::Take(received)),
            Heard::Subscribed(codes) => self.subscribed(&codes, now),
        }
    }

    fn connected(&mut self, welcome: Welcome, now: Duration) {
        self.welcome = Some(welcome);
        self.flying.clear();
        self.say_again();
        if !welcome.acknowledges {
            let why =
                "the broker acknowledges no message (it allows QoS 0 only): nothing that is told is sure to arrive";
            self.refuse("", why.to_owned());
        }
        let filters = self.setup.filters.clone();
        for filters in filters.chunks(FILTERS) {
            self.doing.push(Do::Subscribe(filters.to_vec()));
        }
        self.phase = Phase::Listening { since: now, answers: 0 };
    }

    /// From the beginning, except for what the broker hangs up at.
    fn say_again(&mut self) {
        self.ahead.clear();
        (self.after, self.caught_up) = (0, false);
        self.parked.clone_from(&self.poison);
        self.parked_until = None;
        self.say_values_again();
    }

    fn subscribed(&mut self, codes: &[Option<&'static str>], now: Duration) {
        let Phase::Listening { since, answers } = self.phase else { return };
        for (filter, refused) in self.setup.filters.clone().iter().skip(answers).zip(codes) {
            match refused {
                Some(why) => self.refuse(
                    filter,
                    format!(
                        "the broker does not let this device listen to {filter} ({why}): allow its user or certificate to \
                         subscribe to it and to receive from it"
                    ),
                ),
                None => drop(self.refusals.remove(filter)),
            }
        }
        let answers = answers + codes.len();
        if answers < self.setup.filters.len() {
            self.phase = Phase::Listening { since, answers };
            return;
        }
        self.phase = Phase::Up { since: now };
        self.lost = None;
    }

    fn acknowledged(&mut self, tag: u64, refused: Option<&'static str>, now: Duration) {
        let Some(at) = self.flying.iter().position(|(flying, _)| *flying == tag) else { return };
        let Some((_, topic)) = self.flying.remove(at) else { return };
        self.careful = self.careful.saturating_sub(1);
        if self.suspect.is_some_and(|(suspect, _)| suspect == tag) {
            self.suspect = None;
        }
        match refused {
            None => {
                self.refusals.remove(&topic);
                // Nobody throws the other out any more.
                if matches!(self.phase, Phase::Up { since } if now.saturating_sub(since) >= GOOD) {
                    self.refusals.remove(CLIENT_ID);
                }
                if tag & VALUE == 0 {
                    self.arrived.push(tag);
                    self.progress = true;
                }
            }
            Some(why) => {
                let why = format!(
                    "the broker refuses what is published to {topic} ({why}): it is kept and tried again; allow this device's \
                     user or certificate to publish there"
                );
                self.park(tag, &topic, why, now);
            }
        }
    }

    /// A message is larger than the broker takes.
    pub(super) fn too_large(&mut self, tag: u64, TooLarge { bytes, most }: TooLarge, now: Duration) {
        let Some(at) = self.flying.iter().position(|(flying, _)| *flying == tag) else { return };
        let Some((_, topic)) = self.flying.remove(at) else { return };
        let why = format!(
            "a message to {topic} has {bytes} bytes and the broker takes {most} at most: raise the broker's largest packet"
        );
        self.park(tag, &topic, why, now);
    }

    fn park(&mut self, tag: u64, topic: &str, why: String, now: Duration) {
        if tag & VALUE == 0 {
            self.parked.insert(tag);
        }
        self.parked_until.get_or_insert(now + PARKED);
        self.refuse(topic, why);
    }

    /// Says what is refused, once for each topic.
    fn refuse(&mut self, topic: &str, why: String) {
        if self.refusals.get(topic) == Some(&why) || self.refusals.len() >= REFUSALS {
            return;
        }
        self.refusals.insert(topic.to_owned(), why.clone());
        self.doing.push(Do::Problem(why));
    }

    /// There is no connection any more.
    pub(super) fn lost(&mut self, lost: &Lost, now: Duration) {
        let held = matches!(self.phase, Phase::Up { since } if now.saturating_sub(since) >= GOOD);
        let good = held || self.progress;
        self.progress = false;
        self.failures = if good { 0 } else { self.failures.saturating_add(1) };
        let mut why = lost.to_string();
        if let Phase::Up { .. } | Phase::Listening { .. } = self.phase {
            self.blame(lost, now);
        }
        let mut wait = self.retry();
        if matches!(lost, Lost::Disconnected { code: DisconnectReasonCode::SessionTakenOver, .. }) {
            why = format!(
                "another device has connected as `{}`: give one of them another `id` in [device], or `client_id` in [mqtt]",
                self.setup.client_id
            );
            self.refuse(CLIENT_ID, why.clone());
            // Whoever comes back at once throws the other one out.
            wait = wait.max(LAST_RETRY / 2);
        }
        self.flying.clear();
        self.arrived_now();
        self.welcome = None;
        self.lost = Some(why);
        self.phase = if self.ending.is_some() { Phase::Ended } else { Phase::Resting { until: now + wait } };
    }

    /// Finds what the broker hung up at, if it hangs up again and again.
    fn blame(&mut self, lost: &Lost, now: Duration) {
        let abrupt = match lost {
            Lost::Closed | Lost::Failed(_) => true,
            Lost::Disconnected { code, .. } => !matches!(
                code,
                DisconnectReasonCode::AdministrativeAction
                    | DisconnectReasonCode::KeepAliveTimeout
                    | DisconnectReasonCode::ServerBusy
                    | DisconnectReasonCode::ServerShuttingDown
                    | DisconnectReasonCode::SessionTakenOver
            ),
            Lost::Malformed(_) | Lost::Refused { .. } | Lost::Silent(_) => false,
        };
        if !abrupt || now.saturating_sub(self.last_sent) > SOON {
            return;
        }
        let Some((tag, topic)) = self.flying.front().cloned() else { return };
        self.careful = CAREFUL;
        let strikes = match self.suspect {
            Some((suspect, strikes)) if suspect == tag => strikes + 1,
            _ => 1,
        };
        self.suspect = Some((tag, strikes));
        if strikes >= STRIKES {
            self.suspect = None;
            self.poison.insert(tag);
            self.refuse(
                &topic,
                format!(
                    "the broker hung up {STRIKES} times right after a message to {topic} ({lost}): it is kept and not told \
                     again; its policy probably does not allow this device to publish there (AWS IoT: iot:Publish, and \
                     iot:RetainPublish, on topic/{topic})"
                ),
            );
        }
    }

    /// Time until the next try: twice as long each time, between half of it and all.
    fn retry(&mut self) -> Duration {
        backoff(FIRST_RETRY, self.failures, LAST_RETRY).mul_f64(0.5 + self.uniform() / 2.0)
    }

    /// `SplitMix64`.
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// When [`Session::poll`] is to be called, if nothing is heard before.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        let phase = match self.phase {
            Phase::Resting { until } => Some(until),
            Phase::Listening { since, .. } => Some(since + LISTEN_WITHIN),
            Phase::Opening | Phase::Ended | Phase::Up { .. } => None,
        };
        let rate = self.throttled(now);
        phase.into_iter().chain(rate).chain(self.ending).chain(self.parked_until.filter(|_| self.is_up())).min()
    }

    /// Until when nothing may be said, where there are limits.
    fn throttled(&self, now: Duration) -> Option<Duration> {
        let rate = self.setup.rate?;
        let first = self.sent.front().filter(|_| self.sent.len() >= rate)?;
        Some(*first + Duration::from_secs(1)).filter(|until| *until > now)
    }

    /// What is to be done now.
    pub(super) fn poll(&mut self, owed: &mut dyn Owes, now: Duration) -> Vec<Do> {
        match self.phase {
            Phase::Resting { .. } | Phase::Opening | Phase::Listening { .. } if self.ending.is_some() => {
                self.doing.push(Do::Close);
                self.finish();
            }
            Phase::Resting { until } if now >= until => {
                self.phase = Phase::Opening;
                self.doing.push(Do::Open);
            }
            Phase::Listening { since, .. } if now >= since + LISTEN_WITHIN => {
                self.doing.push(Do::Close);
                self.lost(&Lost::Failed("the broker does not answer what is listened to".to_owned()), now);
            }
            Phase::Up { .. } => self.speak(owed, now),
            Phase::Ended | Phase::Listening { .. } | Phase::Opening | Phase::Resting { .. } => {}
        }
        std::mem::take(&mut self.doing)
    }

    fn speak(&mut self, owed: &mut dyn Owes, now: Duration) {
        if self.parked_until.is_some_and(|until| now >= until) {
            // What flies now is not said twice: it is skipped below.
            self.say_again();
        }
        let most = if self.careful > 0 { 1 } else { WINDOW };
        let window = most.min(self.welcome.map_or(1, |welcome| welcome.window.into()));
        if self.arrived.len() * 2 >= window || self.flying.is_empty() {
            self.arrived_now();
        }
        while self.flying.len() + self.arrived.len() < window && self.throttled(now).is_none() {
            let Some((tag, message)) = self.next(owed, window) else { break };
            self.flying.push_back((tag, message.topic.clone()));
            self.last_sent = now;
            if let Some(rate) = self.setup.rate {
                self.sent.push_back(now);
                self.sent.drain(..self.sent.len().saturating_sub(rate));
            }
            self.doing.push(Do::Publish { tag, message });
        }
        let quiet = self.flying.is_empty() && self.values.iter().all(|value| !value.stale);
        if self.ending.is_some_and(|until| quiet || now >= until) {
            self.arrived_now();
            self.doing.push(Do::Close);
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.arrived_now();
        self.phase = Phase::Ended;
    }

    fn arrived_now(&mut self) {
        if !self.arrived.is_empty() {
            self.doing.push(Do::Remove(std::mem::take(&mut self.arrived)));
        }
    }

    /// What is said next: values first, then what is owed, in order.
    fn next(&mut self, owed: &mut dyn Owes, window: usize) -> Option<(u64, Message)> {
        let retains = self.welcome.is_some_and(|welcome| welcome.retains);
        for (index, value) in self.values.iter_mut().enumerate() {
            let tag = VALUE | index as u64;
            // A newer value waits until it is known what became of the older one.
            if value.stale && !self.poison.contains(&tag) && self.flying.iter().all(|(flying, _)| *flying != tag) {
                value.stale = false;
                let retain = value.message.retain && retains;
                return Some((tag, Message { retain, ..value.message.clone() }));
            }
        }
        loop {
            if self.ahead.is_empty() {
                if self.caught_up {
                    return None;
                }
                self.ahead.extend(owed.after(self.after, window));
                self.caught_up = self.ahead.is_empty();
            }
            let Owed { number, message, .. } = self.ahead.pop_front()?;
            self.after = number;
            let known = self.parked.contains(&number) || self.arrived.contains(&number);
            if !known && self.flying.iter().all(|(flying, _)| *flying != number) {
                let retain = message.retain && retains;
                return Some((number, Message { retain, ..message }));
            }
        }
    }
}

#[cfg(test)]
mod tests;
