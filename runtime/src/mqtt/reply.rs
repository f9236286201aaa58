//! Answers to commands: where they go and what they look like. Pure.
//!
//! `{"status":"ok","device":D,"transaction":T,"data":…}`, or `{"status":"error",…,"error":{"code":C,"message":M}}`; in CBOR
//! where the command was.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use serde_json::{Value, json};

use super::message::{CBOR, JSON, Message, Received};
use super::topics::Topics;
use crate::cbor;
use crate::daemon::command::CommandError;

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    topic: String,
    correlation: Option<Vec<u8>>,
    cbor: bool,
    device: String,
    /// As the asker calls it.
    pub(super) transaction: Option<Value>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Document(Value),
    /// A picture's file.
    Picture {
        source: String,
        taken: String,
        media: &'static str,
        bytes: Vec<u8>,
    },
}

impl Reply {
    /// To where the asker listens, else to the device's own topic.
    pub(super) fn to(topics: &Topics, device: &str, verb: &str, received: &Received) -> Self {
        let usable = |topic: &&String| {
            (1..=1024).contains(&topic.len()) && !topic.contains(['+', '#']) && !topic.contains(char::is_control)
        };
        let own = || {
            let verb: String =
                verb.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(40).collect();
            topics.reply(if verb.is_empty() { "unknown" } else { &verb })
        };
        Self {
            topic: received.response.as_ref().filter(usable).cloned().unwrap_or_else(own),
            correlation: received.correlation.clone(),
            cbor: received.media.as_deref() == Some(CBOR),
            device: device.to_owned(),
            transaction: None,
        }
    }

    /// The answer, of so many bytes at most.
    pub(super) fn message(&self, answer: &Result<Data, CommandError>, most: usize) -> Message {
        let message = self.written(answer);
        if message.payload.len() <= most {
            return message;
        }
        let too_large =
            format!("the answer has {} bytes, of {most} at most: `max_packet` in [mqtt]", message.payload.len());
        self.written(&Err(CommandError::Failed(too_large)))
    }

    /// Where the answer will go, for whoever remembers it.
    pub(super) fn address(&self) -> Message {
        let media = Some(if self.cbor { CBOR } else { JSON }.to_owned());
        let (topic, correlation) = (self.topic.clone(), self.correlation.clone());
        Message { topic, media, correlation, ..Message::default() }
    }

    fn written(&self, answer: &Result<Data, CommandError>) -> Message {
        let mut document = json!({ "status": if answer.is_ok() { "ok" } else { "error" }, "device": self.device });
        if let Some(transaction) = &self.transaction {
            document["transaction"] = transaction.clone();
        }
        match answer {
            Ok(Data::Document(data)) => document["data"] = data.clone(),
            Ok(Data::Picture { source, taken, media, bytes }) => {
                document["data"] = json!({ "source": source, "taken": taken, "media": media });
                if !self.cbor {
                    document["data"]["base64"] = STANDARD.encode(bytes).into();
                }
            }
            Err(error) => document["error"] = json!({ "code": error.code(), "message": error.to_string() }),
        }
        let payload = match Cbor::serialized(&document) {
            Ok(mut value) if self.cbor => {
                if let Ok(Data::Picture { bytes, .. }) = answer {
                    put_bytes(&mut value, bytes);
                }
                cbor::write(&value)
            }
            _ => document.to_string().into_bytes(),
        };
        Message { payload, ..self.address() }
    }
}

/// The answer to a command that was begun under a key and not answered when the daemon ended.
pub(super) fn interrupted(device: &str, key: &str, address: Message) -> Message {
    let name = key.split_once(' ').map_or("", |(_, name)| name);
    let transaction = match name.strip_prefix('"') {
        Some(text) => Some(Value::from(text.to_owned())),
        None => name.parse::<serde_json::Number>().ok().map(Value::from),
    };
    let cbor = address.media.as_deref() == Some(CBOR);
    let Message { topic, correlation, .. } = address;
    let reply = Reply { topic, correlation, cbor, device: device.to_owned(), transaction };
    let words = "the daemon ended before this was answered, and whether it was done is not known: look, and ask again under \
                 another transaction";
    reply.written(&Err(CommandError::Unavailable(words.to_owned())))
}

/// The picture as bytes, which JSON cannot say.
fn put_bytes(document: &mut Cbor, bytes: &[u8]) {
    let Cbor::Map(entries) = document else { return };
    let data = entries.iter_mut().find(|(key, _)| key.as_text() == Some("data"));
    if let Some((_, Cbor::Map(data))) = data {
        data.push((Cbor::Text("bytes".to_owned()), Cbor::Bytes(bytes.to_vec())));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn reply(received: &Received) -> Reply {
        let topics = Topics::new("acclimate", "press-7", None, &[]);
        Reply { transaction: Some(json!("x1")), ..Reply::to(&topics, "press-7", "adapt", received) }
    }

    #[test]
    fn an_answer_goes_where_the_asker_listens_with_what_he_said() {
        let own = reply(&Received::default()).message(&Ok(Data::Document(json!({ "done": "it" }))), 1000);
        assert_eq!((own.topic.as_str(), own.media.as_deref()), ("acclimate/press-7/rsp/adapt", Some(JSON)));
        let document: Value = serde_json::from_slice(&own.payload).unwrap();
        let expected = json!({ "status": "ok", "device": "press-7", "transaction": "x1", "data": { "done": "it" } });
        assert_eq!(document, expected);
        let asked = Received {
            response: Some("answers/7".to_owned()),
            correlation: Some(vec![1, 2]),
            media: Some(CBOR.to_owned()),
            ..Received::default()
        };
        let answer = reply(&asked).message(&Err(CommandError::NotFound("no".to_owned())), 1000);
        assert_eq!((answer.topic.as_str(), answer.correlation), ("answers/7", Some(vec![1, 2])));
        let document = cbor::read(&answer.payload).unwrap().deserialized::<Value>().unwrap();
        assert_eq!(document["error"], json!({ "code": "not_found", "message": "no" }));
        let nowhere = Received { response: Some("answers/#".to_owned()), ..Received::default() };
        let again = interrupted("press-7", "adapt \"x1", reply(&asked).address());
        let document = cbor::read(&again.payload).unwrap().deserialized::<Value>().unwrap();
        assert_eq!((again.topic.as_str(), &document["transaction"]), ("answers/7", &json!("x1")));
        assert_eq!(reply(&nowhere).address().topic, "acclimate/press-7/rsp/adapt");
    }

    #[test]
    fn a_picture_is_text_in_json_and_bytes_in_cbor_and_what_is_too_large_is_said() {
        let bytes = vec![0xff, 0xd8, 1, 2];
        let picture = || {
            let (source, taken) = ("yard".to_owned(), "2026-01-01T00:00:00Z".to_owned());
            Ok(Data::Picture { source, taken, media: "image/jpeg", bytes: bytes.clone() })
        };
        let document: Value =
            serde_json::from_slice(&reply(&Received::default()).message(&picture(), 1000).payload).unwrap();
        assert_eq!(document["data"]["base64"], json!("/9gBAg=="));
        let cbor = Received { media: Some(CBOR.to_owned()), ..Received::default() };
        let value = cbor::read(&reply(&cbor).message(&picture(), 1000).payload).unwrap();
        assert!(format!("{value:?}").contains("Bytes([255, 216, 1, 2])"), "{value:?}");
        let small = reply(&Received::default()).message(&picture(), 120);
        assert!(String::from_utf8(small.payload).unwrap().contains("of 120 at most"));
    }
}
