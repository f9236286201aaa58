//! `[mqtt]`: the broker, who this device is to it, and what is told over it.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;

use super::interval::Interval;
use super::section::{Section, text};
use crate::name::is_name;

/// Where topics begin, unless said otherwise.
pub const PREFIX: &str = "acclimate";
/// The longest silence, unless said otherwise.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The largest packet, bytes, unless said otherwise.
pub const MAX_PACKET: u32 = 256 << 10;
/// What waits for the broker at most, MiB, unless said otherwise.
pub const OUTBOX_MIB: u64 = 64;
/// What no device is called: topics of fleets begin with it, and `heads_from` names a fleet's coordinator so.
pub const FLEET: &str = "fleet";

/// `[mqtt]`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Mqtt {
    /// The broker: `mqtt://host[:port]`, or `mqtts://host[:port]` over TLS. Nothing is sent where absent.
    pub url: Option<String>,
    /// What all topics begin with; `acclimate` where absent.
    pub prefix: Option<String>,
    /// Who this device is to the broker; `{device}` stands for the device's id, and is the default.
    pub client_id: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// A file that holds the user's password; a relative one is looked for among systemd's credentials.
    pub password_file: Option<PathBuf>,
    /// Of `mqtts`: the certificates (PEM) that the broker's must be signed by; the system's where absent.
    pub ca: Option<PathBuf>,
    /// Of `mqtts`: this device's certificate (PEM), with those that lead to it.
    pub cert: Option<PathBuf>,
    /// Of `mqtts`: the key of the certificate (PEM); a relative one is looked for among systemd's credentials.
    pub key: Option<PathBuf>,
    /// Of `mqtts`: protocols to offer by ALPN.
    pub alpn: Vec<String>,
    /// The longest silence, e.g. `30s`.
    pub keep_alive: Option<Interval>,
    /// The largest message that is taken or sent, in bytes.
    pub max_packet: Option<u32>,
    /// A service whose limits are kept.
    pub profile: Option<Profile>,
    /// Which predictions are told.
    pub predictions: Predictions,
    /// Whether Home Assistant finds the device.
    pub home_assistant: bool,
    /// Whether the picture of each newest stable answer is put on the broker, for everybody who may read there.
    pub pictures: bool,
    /// What waits for the broker at most, in MiB.
    pub outbox_mib: Option<u64>,
    /// The fleet whose commands are also this device's.
    pub fleet: Option<String>,
    /// Groups of the fleet whose commands are also this device's.
    pub groups: Vec<String>,
    /// Whether every head that is newly in service is published, signed.
    pub publish_heads: bool,
    /// Devices whose heads are taken in where their keys are trusted; `fleet`: those of the fleet's coordinator.
    pub heads_from: Vec<String>,
}

/// Services with limits of their own.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "kebab-case")]
pub enum Profile {
    /// `AWS IoT Core`.
    AwsIot,
}

/// Which predictions are told.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Eq)]
#[schemars(rename_all = "lowercase")]
pub enum Predictions {
    /// Every answer.
    All,
    /// Stable answers when they change.
    #[default]
    Changes,
}

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its name or number.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

impl Broker {
    /// Reads `mqtt://host[:port]` or `mqtts://host[:port]`.
    pub fn parse(url: &str) -> Option<Self> {
        let (tls, rest) = url
            .strip_prefix("mqtts://")
            .map(|rest| (true, rest))
            .or_else(|| Some((false, url.strip_prefix("mqtt://")?)))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            // An address with colons stands in brackets.
            Some(inside) => {
                let (host, after) = inside.split_once(']')?;
                (host, after.strip_prefix(':').or_else(|| after.is_empty().then_some(""))?)
            }
            None => rest.split_once(':').unwrap_or((rest, "")),
        };
        let port = match (port, tls) {
            ("", true) => 8883,
            ("", false) => 1883,
            (port, _) => port.parse().ok().filter(|&port| port > 0)?,
        };
        let usable = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']) && !host.contains(char::is_control);
        usable.then(|| Self { host: host.to_owned(), port, tls })
    }
}

pub(super) fn read(mut section: Section<'_>) -> Mqtt {
    let expected =
        "mqtt://host:port, or mqtts://host:port over TLS; name and password stand in `user` and `password_file`";
    let url = section.read("url", expected, |value| text(value).filter(|url| Broker::parse(url).is_some()));
    let tls = url.and_then(Broker::parse).map(|broker| broker.tls);
    let level = |topic: &str| !topic.is_empty() && topic.split('/').all(is_name);
    let prefix = section.read("prefix", "words of a-z, 0-9 and -, with / between them", |value| {
        text(value).filter(|prefix| prefix.len() <= 128 && level(prefix)).map(str::to_owned)
    });
    let client_id = section.read("client_id", "1 to 128 characters, such as \"{device}\"", |value| {
        let printable = |id: &&str| (1..=128).contains(&id.len()) && !id.contains(|c: char| c.is_control() || c == ' ');
        text(value).filter(printable).map(str::to_owned)
    });
    let user = section.text("user", "the name of a user");
    let password_file = section.text("password_file", "the path of a file").map(PathBuf::from);
    if password_file.is_some() && user.is_none() {
        section.refuse(
            "password_file",
            "[mqtt] has a `password_file` and no `user`".to_owned(),
            "user = \"…\" beside it",
        );
    }
    let ca = section.text("ca", "the path of a PEM file").map(PathBuf::from);
    let cert = section.text("cert", "the path of a PEM file").map(PathBuf::from);
    let key = section.text("key", "the path of a PEM file").map(PathBuf::from);
    for (one, other, there, missing) in [("cert", "key", &cert, &key), ("key", "cert", &key, &cert)] {
        if there.is_some() && missing.is_none() {
            let message = format!("[mqtt] has a `{one}` and no `{other}`");
            section.refuse(one, message, "both, or neither");
        }
    }
    let alpn = section.texts("alpn", "a list of names, such as [\"mqtt\"]");
    for (name, there) in
        [("ca", ca.is_some()), ("cert", cert.is_some()), ("key", key.is_some()), ("alpn", alpn.is_some())]
    {
        if there && tls == Some(false) {
            section.refuse(name, format!("`{name}` in [mqtt] is of TLS, and `url` is without"), "an url with mqtts://");
        }
    }
    if let Some(name) = alpn.iter().flatten().find(|name| !(1..=255).contains(&name.len())) {
        section.refuse("alpn", format!("{name:?} is no protocol's name"), "1 to 255 bytes each");
    }
    let keep_alive = section.interval("keep_alive");
    if keep_alive.is_some_and(|every| every.0.as_secs() < 2 || every.0.as_secs() > 18 * 3600) {
        let every = section.written("keep_alive").unwrap_or_default();
        section.refuse("keep_alive", format!("a `keep_alive` of {every} in [mqtt]"), "2s to 18h, in whole seconds");
    }
    let max_packet = section.whole("max_packet", 1024, 256 << 20).map(|bytes| bytes as u32);
    let profile = section.choice("profile", &[("aws-iot", Profile::AwsIot)]);
    let kinds = [("all", Predictions::All), ("changes", Predictions::Changes)];
    let predictions = section.choice("predictions", &kinds).unwrap_or_default();
    let home_assistant = section.flag("home_assistant").unwrap_or(false);
    if home_assistant && profile == Some(Profile::AwsIot) {
        let message = "`home_assistant` in [mqtt] is on, and there is none behind AWS IoT".to_owned();
        section.refuse("home_assistant", message, "another `profile`, or home_assistant = false");
    }
    let pictures = section.flag("pictures").unwrap_or(false);
    let outbox_mib = section.whole("outbox_mib", 1, 1 << 20);
    let fleet = section.name_of("fleet", "a name: 1 to 64 of a-z, 0-9 and -");
    let groups = section.texts("groups", "a list of names, such as [\"hall-2\"]").unwrap_or_default();
    if let Some(group) = groups.iter().find(|group| !is_name(group)) {
        section.refuse("groups", format!("{group:?} is no name"), "1 to 64 of a-z, 0-9 and - each");
    }
    if !groups.is_empty() && fleet.is_none() {
        section.refuse("groups", "[mqtt] has `groups` and no `fleet`".to_owned(), "fleet = \"…\" beside it");
    }
    if groups.len() > 16 {
        section.refuse("groups", format!("{} groups in [mqtt]", groups.len()), "16 at most");
    }
    let publish_heads = section.flag("publish_heads").unwrap_or(false);
    let heads_from = section.texts("heads_from", "a list of devices, such as [\"press-7\"]").unwrap_or_default();
    if let Some(device) = heads_from.iter().find(|device| !is_name(device)) {
        section.refuse("heads_from", format!("{device:?} is no device"), "1 to 64 of a-z, 0-9 and - each");
    }
    if heads_from.iter().any(|device| device == FLEET) && fleet.is_none() {
        let message = "`heads_from` in [mqtt] names the fleet's coordinator, and there is no `fleet`".to_owned();
        section.refuse("heads_from", message, "fleet = \"…\" beside it");
    }
    if heads_from.len() > 32 {
        section.refuse("heads_from", format!("{} devices in `heads_from`", heads_from.len()), "32 at most");
    }
    for (key, value) in [("prefix", PREFIX), ("client_id", "{device}"), ("predictions", "changes")] {
        section.default(key, value);
    }
    section.default("keep_alive", format!("{}s", KEEP_ALIVE.as_secs()));
    section.default("max_packet", MAX_PACKET);
    section.default("home_assistant", false);
    section.default("pictures", false);
    section.default("outbox_mib", OUTBOX_MIB);
    for key in ["url", "user", "password_file", "ca", "cert", "key", "profile", "fleet"] {
        section.default(key, serde_json::Value::Null);
    }
    section.default("alpn", serde_json::json!([]));
    section.default("groups", serde_json::json!([]));
    section.default("publish_heads", false);
    section.default("heads_from", serde_json::json!([]));
    section.finish(&[]);
    Mqtt {
        url: url.map(str::to_owned),
        prefix,
        client_id,
        user,
        password_file,
        ca,
        cert,
        key,
        alpn: alpn.unwrap_or_default(),
        keep_alive,
        max_packet,
        profile,
        predictions,
        home_assistant,
        pictures,
        outbox_mib,
        fleet,
        groups,
        publish_heads,
        heads_from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_and_whether_over_tls() {
        let broker = |host: &str, port, tls| Some(Broker { host: host.to_owned(), port, tls });
        assert_eq!(Broker::parse("mqtt://broker.local"), broker("broker.local", 1883, false));
        assert_eq!(Broker::parse("mqtts://broker.local/"), broker("broker.local", 8883, true));
        assert_eq!(Broker::parse("mqtts://10.0.0.7:443"), broker("10.0.0.7", 443, true));
        assert_eq!(Broker::parse("mqtt://[::1]:1884"), broker("::1", 1884, false));
        assert_eq!(Broker::parse("mqtt://[::1]"), broker("::1", 1883, false));
        for wrong in [
            "broker",
            "tcp://broker",
            "mqtt://",
            "mqtt://a:0",
            "mqtt://a:x",
            "mqtt://u:p@a",
            "mqtt://a/b",
            "mqtt://::1",
        ] {
            assert_eq!(Broker::parse(wrong), None, "{wrong}");
        }
    }
}
