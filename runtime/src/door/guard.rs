//! Who may come in: the facts of a request in, a verdict out. Pure. Knows nothing of sockets, handlers or time.
//!
//! 1. The `Host` must be this device (DNS rebinding).
//! 2. What another site's page has the browser send is refused, but for opening the page.
//! 3. Who is not on this machine needs the token. On this machine is who connects from loopback, to a name of loopback, and
//!    not through a proxy: a header that tells of a proxy can only take trust away.

use std::net::IpAddr;

use super::names::{Host, Names};
use super::token::Token;

/// The cookie that stands for the token.
pub(super) const COOKIE: &str = "acclimate-session";

/// What a route asks of who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: the files of the page, and whether the process answers.
    Nothing,
    /// The token, from elsewhere.
    Token,
}

/// What a request says of itself, and what its connection says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// What its route asks.
    pub(super) need: Need,
    /// Whether its method changes nothing.
    pub(super) safe: bool,
    /// Where it comes from.
    pub(super) peer: IpAddr,
    /// The address that was connected to.
    pub(super) local: IpAddr,
    /// `Host`; none where there is not exactly one.
    pub(super) host: Option<&'a str>,
    /// `Origin`.
    pub(super) origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub(super) site: Option<&'a str>,
    /// Whether a proxy left a trace.
    pub(super) forwarded: bool,
    /// What stands behind `Authorization: Bearer`.
    pub(super) bearer: Option<&'a str>,
    /// `Cookie`.
    pub(super) cookie: Option<&'a str>,
}

/// Why a request does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It comes from another site's page.
    CrossSite,
    /// It is meant for another host.
    Host,
    /// A token is needed and none was given.
    NoToken,
    /// A token is needed and there is none.
    NoTokenKnown,
    /// The token is not this one.
    WrongToken,
}

/// What decides.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub(super) names: Names,
    pub(super) token: Option<Token>,
}

impl Guard {
    /// Whether a request comes in.
    pub(super) fn judge(&self, facts: &Facts<'_>) -> Result<(), Denied> {
        let host = facts.host.and_then(Host::new).filter(|host| self.names.know(host, facts.local));
        let Some(host) = host else { return Err(Denied::Host) };
        // The page itself may be opened from anywhere; nothing else is a matter of other sites, be it by reading.
        if !(facts.safe && facts.need == Need::Nothing) {
            let foreign_site = facts.site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
            let foreign_origin = facts.origin.is_some_and(|origin| !self.names.own_origin(origin, &host));
            if foreign_site || foreign_origin {
                return Err(Denied::CrossSite);
            }
        }
        if facts.need == Need::Nothing {
            return Ok(());
        }
        if let (Some(bearer), Some(token)) = (facts.bearer, &self.token) {
            return if token.is(bearer) { Ok(()) } else { Err(Denied::WrongToken) };
        }
        let here = facts.peer.to_canonical().is_loopback() && host.is_loopback() && !facts.forwarded;
        let Some(token) = &self.token else { return if here { Ok(()) } else { Err(Denied::NoTokenKnown) } };
        // A cookie of another token is no guess: it outlived its token.
        let known = sessions(facts.cookie).any(|session| token.is_session(session));
        if here || known { Ok(()) } else { Err(Denied::NoToken) }
    }
}

/// The values of our cookie in a header; two paths may have one each.
fn sessions(cookie: Option<&str>) -> impl Iterator<Item = &str> {
    let pairs = cookie.unwrap_or_default().split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 50));
    const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

    fn guard(token: Option<&Token>) -> Guard {
        let names = Names::new("press-7", vec!["proxy.example.com".parse().unwrap()]);
        Guard { names, token: token.cloned() }
    }

    fn from_here() -> Facts<'static> {
        Facts {
            need: Need::Token,
            safe: false,
            peer: HERE,
            local: HERE,
            host: Some("127.0.0.1:7070"),
            origin: None,
            site: None,
            forwarded: false,
            bearer: None,
            cookie: None,
        }
    }

    fn from_there() -> Facts<'static> {
        Facts { peer: THERE, local: OURS, host: Some("press-7.local:7070"), ..from_here() }
    }

    #[test]
    fn another_host_is_refused_whatever_else_is_right() {
        let token = Token::random().unwrap();
        for host in [None, Some("evil.example"), Some(""), Some("192.168.1.8:7070")] {
            for need in [Need::Nothing, Need::Token] {
                let facts = Facts { host, need, safe: true, bearer: Some(token.reveal()), ..from_here() };
                assert_eq!(guard(Some(&token)).judge(&facts), Err(Denied::Host), "{host:?}");
            }
        }
    }

    #[test]
    fn another_sites_page_changes_nothing_and_reads_nothing_but_may_link_to_the_page() {
        let guard = guard(None);
        let with = |origin, site, safe, need| guard.judge(&Facts { need, safe, origin, site, ..from_here() });
        for (origin, site) in [
            (Some("http://evil.example"), None),
            (Some("null"), None),
            (Some("http://127.0.0.1:8080"), None),
            (None, Some("cross-site")),
            (None, Some("same-site")),
            (Some("http://127.0.0.1:7070"), Some("cross-site")),
        ] {
            for (safe, need) in [(false, Need::Token), (true, Need::Token), (false, Need::Nothing)] {
                assert_eq!(with(origin, site, safe, need), Err(Denied::CrossSite), "{origin:?} {site:?}");
            }
            assert_eq!(with(origin, site, true, Need::Nothing), Ok(()));
        }
        for (origin, site) in [
            (None, None),
            (Some("http://127.0.0.1:7070"), Some("same-origin")),
            (None, Some("none")),
            (None, Some("same-origin")),
        ] {
            assert_eq!(with(origin, site, false, Need::Token), Ok(()), "{origin:?} {site:?}");
        }
    }

    #[test]
    fn who_is_not_on_this_machine_needs_the_token() {
        let token = Token::random().unwrap();
        let guard = guard(Some(&token));
        let elsewhere = [
            from_there(),
            Facts { forwarded: true, ..from_here() },
            Facts { host: Some("proxy.example.com"), ..from_here() },
            Facts { host: Some("press-7"), ..from_here() },
            Facts { host: Some("localhost:7070"), ..from_there() },
        ];
        let session = format!("theme=dark; {COOKIE}={}", token.session());
        for facts in elsewhere {
            assert_eq!(guard.judge(&facts), Err(Denied::NoToken), "{facts:?}");
            assert_eq!(guard.judge(&Facts { cookie: Some("acclimate-session=stale"), ..facts }), Err(Denied::NoToken));
            assert_eq!(guard.judge(&Facts { bearer: Some("wrong"), ..facts }), Err(Denied::WrongToken));
            assert_eq!(
                guard.judge(&Facts { bearer: Some("wrong"), cookie: Some(&session), ..facts }),
                Err(Denied::WrongToken)
            );
            assert_eq!(guard.judge(&Facts { bearer: Some(token.reveal()), ..facts }), Ok(()));
            assert_eq!(guard.judge(&Facts { cookie: Some(&session), ..facts }), Ok(()));
            assert_eq!(guard.judge(&Facts { need: Need::Nothing, safe: true, ..facts }), Ok(()));
        }
        assert_eq!(guard.judge(&from_here()), Ok(()));
        assert_eq!(guard.judge(&Facts { bearer: Some("wrong"), ..from_here() }), Err(Denied::WrongToken));
    }

    #[test]
    fn without_a_token_nobody_comes_in_from_elsewhere() {
        let guard = guard(None);
        assert_eq!(guard.judge(&from_here()), Ok(()));
        for facts in
            [from_there(), Facts { forwarded: true, ..from_here() }, Facts { bearer: Some(""), ..from_there() }]
        {
            assert_eq!(guard.judge(&facts), Err(Denied::NoTokenKnown));
        }
    }
}
