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

/// What is listened to, beside heads.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    pub(super) topics: Topics,
    pub(super) device: String,
    /// Topics to which others publish what they sense, and the sources that take it.
    pub(super) sources: Vec<(String, String)>,
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

    /// The sources that take what is published to a topic.
    pub(super) fn sources_of(&self, topic: &str) -> impl Iterator<Item = &str> {
        self.sources.iter().filter(move |(filter, _)| matches(topic, filter)).map(|(_, source)| source.as_str())
    }
}
