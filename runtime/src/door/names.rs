//! By which names a device is reached. A page elsewhere can make its own name mean this device's address (DNS rebinding); it
//! cannot choose which name the browser then sends. Knows nothing of requests.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::uri::Authority;

/// A name by which the door may be reached, `host` or `host:port`, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[http] names has {0:?}: expected a host, or host:port, without scheme and path, e.g. \"press-7.example.com\"")]
pub struct NameError(String);

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Host::new(text).map(|host| Self(host.authority)).ok_or_else(|| NameError(text.to_owned()))
    }
}

/// What a `Host` header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// With the port if there is one.
    authority: String,
    /// Without the port.
    bare: String,
    /// If it is an address.
    address: Option<IpAddr>,
}

impl Host {
    /// None where it is no host.
    pub(super) fn new(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        if text.contains('@') {
            return None;
        }
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        if host.is_empty() {
            return None;
        }
        let address = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        Some(Self { authority: text.to_ascii_lowercase(), bare: host, address })
    }

    /// Whether it can only mean the machine that the client runs on.
    pub(super) fn is_loopback(&self) -> bool {
        self.bare == "localhost" || self.address.is_some_and(|address| address.to_canonical().is_loopback())
    }
}

/// The names of this device.
#[derive(Clone, Debug)]
pub(super) struct Names {
    own: Vec<String>,
    configured: Vec<Name>,
}

impl Names {
    /// Those of a host, and those that the configuration adds.
    pub(super) fn new(hostname: &str, configured: Vec<Name>) -> Self {
        let full = hostname.trim_end_matches('.').to_ascii_lowercase();
        let short = full.split('.').next().unwrap_or_default().to_owned();
        let local = format!("{short}.local");
        Self { own: [full, short, local].into_iter().filter(|name| !name.starts_with('.')).collect(), configured }
    }

    /// Whether a host is this device, for a connection that came in at `local`. Addresses cannot be rebound; the only one that
    /// is ours for sure is the one that was connected to.
    pub(super) fn know(&self, host: &Host, local: IpAddr) -> bool {
        host.is_loopback()
            || host.address.is_some_and(|address| address.to_canonical() == local.to_canonical())
            || (host.address.is_none() && self.own.contains(&host.bare))
            || self.configured.iter().any(|Name(name)| Host::new(name).is_some_and(|known| known.bare == host.bare))
    }

    /// Whether an `Origin` is the page of this device, reached by `host`. Another port of the same host is another page.
    pub(super) fn own_origin(&self, origin: &str, host: &Host) -> bool {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let Some(authority) = authority.map(str::to_ascii_lowercase) else { return false };
        authority == host.authority || self.configured.iter().any(|Name(name)| *name == authority)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

    fn names() -> Names {
        Names::new(
            "Press-7.fritz.box",
            vec!["proxy.example.com".parse().unwrap(), "proxy.example.com:8443".parse().unwrap()],
        )
    }

    fn known(host: &str) -> bool {
        Host::new(host).is_some_and(|host| names().know(&host, LOCAL))
    }

    #[test]
    fn own_names_loopback_and_the_address_that_was_connected_to_are_known_and_nothing_else() {
        for host in [
            "localhost",
            "LOCALHOST:7070",
            "127.0.0.1:7070",
            "127.8.8.8",
            "[::1]:7070",
            "press-7",
            "press-7.local:7070",
            "Press-7.Fritz.Box",
            "press-7.local.",
            "192.168.1.7:7070",
            "[::ffff:192.168.1.7]",
            "proxy.example.com",
            "proxy.example.com:1",
        ] {
            assert!(known(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "press-7.evil.example",
            "evil@localhost",
            "192.168.1.8",
            "[fe80::1]",
            "",
            ".",
            ".local",
            "local",
            "http://localhost",
            "localhost/x",
        ] {
            assert!(!known(host), "{host}");
        }
    }

    #[test]
    fn an_origin_is_ours_to_the_port() {
        let host = Host::new("press-7.local:7070").unwrap();
        let own = |origin: &str| names().own_origin(origin, &host);
        assert!(own("http://press-7.local:7070") && own("https://press-7.local:7070"));
        assert!(own("https://proxy.example.com") && own("https://proxy.example.com:8443"));
        for origin in
            ["null", "", "http://press-7.local", "http://press-7.local:8080", "https://proxy.example.com:1", "file://"]
        {
            assert!(!own(origin), "{origin}");
        }
    }

    #[test]
    fn a_name_is_a_host() {
        for wrong in ["https://a.example", "a.example/x", "", "a b", "me@a.example"] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
    }
}
