//! Wrong tokens, counted by where they come from: who guessed too often waits. Bounded; knows nothing of tokens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Wrong tokens within [`WINDOW`] before an address has to wait.
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// Addresses that are remembered; the one that struck first goes when there are more.
const ADDRESSES: usize = 1024;

/// Who guessed how often. Times are since any origin.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    by: HashMap<IpAddr, Struck>,
}

#[derive(Clone, Copy, Debug)]
struct Struck {
    times: u32,
    since: Duration,
}

impl Strikes {
    /// Notes a wrong token.
    pub(super) fn strike(&mut self, address: IpAddr, now: Duration) {
        let address = site(address);
        self.by.retain(|_, struck| now.saturating_sub(struck.since) < WINDOW);
        if self.by.len() >= ADDRESSES
            && !self.by.contains_key(&address)
            && let Some((&first, _)) = self.by.iter().min_by_key(|(_, struck)| struck.since)
        {
            self.by.remove(&first);
        }
        self.by.entry(address).or_insert(Struck { times: 0, since: now }).times += 1;
    }

    /// How long an address has to wait before another token of its is looked at; none where it need not.
    pub(super) fn wait(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        let struck = self.by.get(&site(address)).filter(|struck| struck.times >= MOST)?;
        (struck.since + WINDOW).checked_sub(now).filter(|left| !left.is_zero())
    }
}

/// Whoever has one address of IPv6 has 2⁶⁴.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn ten_wrong_tokens_in_a_minute_cost_the_rest_of_it() {
        let (mut strikes, guesser, other) =
            (Strikes::default(), "10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for second in 0..10 {
            assert_eq!(strikes.wait(guesser, at(second)), None);
            strikes.strike(guesser, at(second));
        }
        assert_eq!(strikes.wait(guesser, at(20)), Some(at(40)));
        assert_eq!(strikes.wait(other, at(20)), None);
        assert_eq!(strikes.wait(guesser, at(60)), None);
        strikes.strike(guesser, at(61));
        assert_eq!(strikes.wait(guesser, at(61)), None);
    }

    #[test]
    fn a_neighbour_in_the_same_64_bits_is_the_same_guesser() {
        let mut strikes = Strikes::default();
        for host in 0..10_u16 {
            strikes.strike(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host).into(), at(0));
        }
        assert!(strikes.wait("2001:db8:0:1::ffff".parse().unwrap(), at(0)).is_some());
        assert!(strikes.wait("2001:db8:0:2::1".parse().unwrap(), at(0)).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut strikes = Strikes::default();
        for n in 0..5000_u32 {
            strikes.strike(std::net::Ipv4Addr::from_bits(n).into(), Duration::from_millis(n.into()));
        }
        assert_eq!(strikes.by.len(), ADDRESSES);
    }
}
