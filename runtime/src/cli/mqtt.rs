//! `acclimate mqtt`: what the configured broker allows, and what is said there.

use std::fmt::Write as _;

use acclimate::mqtt::visit;
use acclimate::record::MqttTestRecord;

use super::args::Mqtt;
use super::{Context, Outcome};

/// Runs `acclimate mqtt …`.
pub fn run(context: &Context, command: &Mqtt) -> anyhow::Result<Outcome> {
    match command {
        Mqtt::Discover => {
            let devices = visit::discover(&context.config)?;
            context.print(&devices, || {
                let lines: Vec<String> =
                    devices.iter().map(|device| format!("{:7} {}", device.status, device.device)).collect();
                if lines.is_empty() { "no devices".to_owned() } else { lines.join("\n") }
            })?;
            Ok(Outcome::Done)
        }
        Mqtt::Test => {
            let record = visit::test(&context.config)?;
            context.print(&record, || words(&record))?;
            Ok(if record.is_enough() { Outcome::Done } else { Outcome::Partly })
        }
        Mqtt::Watch { all } => {
            let mut failed = None;
            visit::watch(&context.config, *all, &mut |message| {
                failed = context.print(message, || format!("{} {}", message.topic, message.payload)).err();
                failed.is_none()
            })?;
            failed.map_or(Ok(Outcome::Done), Err)
        }
    }
}

fn words(record: &MqttTestRecord) -> String {
    let mut words = format!("{} as {}: connected in {:.0} ms\n", record.broker, record.client_id, record.connected_ms);
    let largest = record.max_packet.map_or_else(|| "any size".to_owned(), |bytes| format!("{bytes} bytes at most"));
    let _ = writeln!(words, "messages of {largest}, {} on their way at a time", record.window);
    if !record.retains {
        words.push_str("keeps no messages for who listens later\n");
    }
    if !record.acknowledges {
        words.push_str("acknowledges no messages: nothing that is told is sure to arrive\n");
    }
    let topics = record.subscriptions.iter().map(|topic| ("listen to", &topic.topic, &topic.refused));
    for (what, topic, refused) in topics.chain([("publish to", &record.published_to, &record.refused)]) {
        let answer = refused.as_ref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
        let _ = writeln!(words, "{what} {topic}: {answer}");
    }
    if let Some(milliseconds) = record.acknowledged_ms {
        let _ = write!(words, "a message is acknowledged in {milliseconds:.1} ms");
    }
    words.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use acclimate::record::MqttSubscriptionRecord;

    #[test]
    fn what_is_not_allowed_is_said_and_is_not_enough() {
        let topic = |refused: Option<&str>| MqttSubscriptionRecord {
            topic: "a/b/cmd/+".to_owned(),
            refused: refused.map(str::to_owned),
        };
        let mut record = MqttTestRecord {
            broker: "mqtt://broker".to_owned(),
            client_id: "b-test".to_owned(),
            connected_ms: 12.3,
            window: 20,
            max_packet: Some(1000),
            retains: true,
            acknowledges: true,
            subscriptions: vec![topic(None)],
            published_to: "a/b/event/test".to_owned(),
            refused: None,
            acknowledged_ms: Some(1.25),
        };
        assert!(record.is_enough());
        let expected = "mqtt://broker as b-test: connected in 12 ms\nmessages of 1000 bytes at most, 20 on their way at a \
                        time\nlisten to a/b/cmd/+: yes\npublish to a/b/event/test: yes\na message is acknowledged in 1.2 ms";
        assert_eq!(words(&record), expected);
        record.subscriptions = vec![topic(Some("not authorized"))];
        assert!(!record.is_enough() && words(&record).contains("listen to a/b/cmd/+: no: not authorized"));
    }
}
