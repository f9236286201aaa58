//! The MQTT broker: whether it can be reached, and allows this device what it needs. Publishes a few messages to a topic of its
//! own.

use acclimate::config::Config;
use acclimate::mqtt::visit::{self, VisitError};

use super::Found;

/// Of the configured broker.
pub(super) fn broker(config: &Config) -> Found {
    match visit::test(config) {
        Ok(record) => {
            let milliseconds = record.acknowledged_ms.unwrap_or_default();
            let found = format!("{} answers, a message within {milliseconds:.1} ms", record.broker);
            if record.is_enough() {
                return Found::Fine(found);
            }
            if !record.acknowledges {
                return Found::Broken(found, "the broker acknowledges no messages: have it allow QoS 1".to_owned());
            }
            let refused: Vec<String> = record.refusals().map(|(topic, why)| format!("{topic} ({why})")).collect();
            let advice = "allow this device's user or certificate these topics (docs/mqtt.md)";
            Found::Broken(format!("{found}; not allowed: {}", refused.join(", ")), advice.to_owned())
        }
        Err(VisitError::Nowhere) => Found::Fine("none is configured".to_owned()),
        Err(error) => {
            let advice = "see [mqtt] in the configuration, and whether the broker runs (acclimate mqtt test)";
            Found::Broken(acclimate::causes(&error), advice.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    #[test]
    fn a_broker_that_nobody_wants_is_no_lack_and_one_that_does_not_answer_is() {
        assert!(matches!(broker(&Config::default()), Found::Fine(_)));
        // Nobody listens at a port that was just given back.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = Config::parse(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{port}\"")).unwrap();
        let Found::Broken(found, _) = broker(&config) else { panic!() };
        assert!(found.contains("nobody answers") && found.contains(&port.to_string()), "{found}");
    }
}
