//! What `mqtt` prints as JSON.

use serde::Serialize;

/// `mqtt test`.
#[derive(Clone, Debug, Serialize)]
pub struct MqttTestRecord {
    /// The broker's address.
    pub broker: String,
    /// The id that it was visited under.
    pub client_id: String,
    /// From the start to the broker's welcome.
    pub connected_ms: f64,
    /// Messages on their way at a time.
    pub window: u16,
    /// The largest packet that it takes; none where it does not say.
    pub max_packet: Option<u32>,
    /// Whether it keeps messages for who listens later.
    pub retains: bool,
    /// Whether it acknowledges messages.
    pub acknowledges: bool,
    /// Where commands come from, and other devices' heads.
    pub subscriptions: Vec<MqttSubscriptionRecord>,
    /// The topic that was published to.
    pub published_to: String,
    /// Why that is not allowed, if it is not.
    pub refused: Option<String>,
    /// The median time to its acknowledgement.
    pub acknowledged_ms: Option<f64>,
}

impl MqttTestRecord {
    /// The topics that the broker does not allow, each with why.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, &str)> {
        let listened = self.subscriptions.iter().map(|one| (&one.topic, &one.refused));
        let all = listened.chain([(&self.published_to, &self.refused)]);
        all.filter_map(|(topic, refused)| Some((topic.as_str(), refused.as_deref()?)))
    }

    /// Whether a device can be driven so.
    pub fn is_enough(&self) -> bool {
        self.acknowledges && self.refusals().next().is_none()
    }
}

/// A topic that a device listens to.
#[derive(Clone, Debug, Serialize)]
pub struct MqttSubscriptionRecord {
    /// The topic.
    pub topic: String,
    /// Why it may not, if it may not.
    pub refused: Option<String>,
}

/// One line of `mqtt watch`.
#[derive(Clone, Debug, Serialize)]
pub struct MqttMessageRecord {
    /// Its topic.
    pub topic: String,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// Its payload, or how many bytes that has where it is no text.
    pub payload: String,
}

/// One of what `mqtt discover` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MqttDeviceRecord {
    /// Its id.
    pub device: String,
    /// `online`, `stopped` or `offline`.
    pub status: String,
}
