//! What a message of a topic that is listened to is about. Pure: the thread does what is said here. What it is to sources and
//! to heads stands with them.

use rumqttc::v5::mqttbytes::matches;

use super::discovery;
use super::message::Received;
use super::order::{self, Order};
use super::reply::Reply;
use super::topics::Topics;
use crate::daemon::command::CommandError;
use crate::daemon::view::View;

/// A source to which others publish what they sense.
#[derive(Clone, Debug)]
pub(super) struct Taker {
    /// The topic, in which `+` and `#` may stand.
    pub(super) filter: String,
    pub(super) source: String,
    /// It takes readings: one that the broker has kept is of another time.
    pub(super) readings: bool,
}

/// What is listened to, beside heads.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    pub(super) topics: Topics,
    pub(super) device: String,
    /// What takes what others publish.
    pub(super) sources: Vec<Taker>,
}

/// What a message is about.
#[derive(Debug)]
pub(super) enum About {
    /// Home Assistant has begun, or ended.
    Birth { began: bool },
    /// Something is to be done.
    Order(Box<Order>),
    /// What that was is not understood; who asked is told so.
    Wrong(Box<(Reply, CommandError)>),
    /// A command that the broker has kept would come again with every connection.
    Retained,
    /// Neither of these.
    Other,
}

impl Listening {
    pub(super) fn about(&self, received: &Received, view: &View) -> About {
        if received.topic == discovery::BIRTH {
            return About::Birth { began: received.payload == b"online" };
        }
        let Some(verb) = self.topics.verb(&received.topic) else { return About::Other };
        if received.retain {
            return About::Retained;
        }
        let reply = Reply::to(&self.topics, &self.device, verb, received);
        match order::read(verb, received, reply, view) {
            Ok(order) => About::Order(Box::new(order)),
            Err(wrong) => About::Wrong(wrong),
        }
    }

    /// The sources that take a message.
    pub(super) fn takers(&self, received: &Received) -> impl Iterator<Item = &str> {
        let takes = |taker: &&Taker| matches(&received.topic, &taker.filter) && !(taker.readings && received.retain);
        self.sources.iter().filter(takes).map(|taker| taker.source.as_str())
    }
}
