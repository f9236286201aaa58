//! Messages as they go out and come in. Knows no packet.

/// What is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    /// The broker keeps it for who listens later.
    pub(super) retain: bool,
    /// The media type of the payload.
    pub(super) media: Option<String>,
    /// What a reply answers, as the asker calls it.
    pub(super) correlation: Option<Vec<u8>>,
    /// Unlike that of any other message: who is told twice can tell.
    pub(super) uid: Option<String>,
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    /// The packet that is to be acknowledged; 0 where nobody waits for it.
    pub(super) packet: u16,
    pub(super) media: Option<String>,
    /// Where it is to be answered.
    pub(super) response: Option<String>,
    pub(super) correlation: Option<Vec<u8>>,
    /// The sender's own names and values.
    pub(super) properties: Vec<(String, String)>,
}

pub(super) const JSON: &str = "application/json";
pub(super) const CBOR: &str = "application/cbor";

/// How messages weigh when there are too many: what stands first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Prediction = 0,
    Reply = 1,
    Event = 2,
    /// A head or a part of one: the broker keeps it, and only the newest of a topic is owed.
    Head = 3,
}

impl Message {
    /// A JSON document.
    pub(super) fn json(topic: String, document: &impl serde::Serialize) -> Self {
        // Our own records hold nothing that JSON cannot say.
        let payload = serde_json::to_vec(document).unwrap_or_default();
        Self { topic, payload, media: Some(JSON.to_owned()), ..Self::default() }
    }

    /// The same, kept by the broker.
    pub(super) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }
}
