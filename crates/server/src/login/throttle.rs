//! Throttles wrong passwords by the address that they come from.
//!
//! A name that has logged in from an address before is throttled there on its own: whoever tries other names from the same
//! address, for example behind the same address translator, does not lock it out. Nobody is locked out for longer than
//! [`MAX_DEBT`] after the last wrong password.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::addr::Addr;

/// Wrong passwords after which further ones from the same address are refused.
pub(super) const MAX_FAILURES: u32 = 10;

/// Time after which one of them is forgotten: ten a minute go on being tried.
const FORGIVEN_AFTER: Duration = Duration::from_secs(6);

/// Longest time until all wrong passwords of an address are forgotten.
const MAX_DEBT: Duration = Duration::from_secs(120);

/// Most passwords from the same address that are checked or wait for it at a time.
pub(super) const MAX_PENDING_PER_ADDRESS: u32 = 16;

/// Most addresses that are remembered; beyond it, others are forgotten. An entry takes some 100 bytes.
const MAX_ADDRESSES: usize = 8192;

/// Most pairs of an address and a name that has logged in there that are remembered.
const MAX_KNOWN_PAIRS: usize = 8192;

/// Time for which such a pair is remembered after its last login.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Least time between two searches for entries that are over, while a table is full.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// The part of a client's address that stands for one customer: of IPv6 the first 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum LoginSource {
    Network(IpAddr),
    /// Whoever may connect to the Unix socket.
    Local,
}

impl From<&Addr> for LoginSource {
    fn from(addr: &Addr) -> Self {
        match addr {
            Addr::Unix(_) => Self::Local,
            Addr::Tcp(addr) => Self::Network(match addr.ip().to_canonical() {
                IpAddr::V4(ip) => ip.into(),
                IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (!0 << 64)).into(),
            }),
        }
    }
}

/// A name of a user, as its keyed hash.
pub(super) type NameHash = u128;

/// The wrong passwords of all addresses.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<FailureTables>);

#[derive(Debug, Default)]
struct FailureTables {
    addresses: FailureTable<LoginSource>,
    /// Addresses with a name that has logged in there.
    known: FailureTable<(LoginSource, NameHash)>,
}

/// Reason for which a password is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Throttled {
    /// There were too many wrong ones.
    Failures,
    /// Too many are waiting.
    Pending,
}

impl Throttle {
    /// Admits a password to the check, unless too many were wrong or are pending.
    pub(super) fn admit(
        self: &Arc<Self>,
        source: LoginSource,
        name: NameHash,
        now: Instant,
    ) -> Result<AdmittedLogin, Throttled> {
        let mut tables = self.0.lock();
        let pair = (source, name);
        let is_known = tables.known.get(pair).is_some_and(|tally| tally.known_until > Some(now));
        let tally = match is_known {
            true => tables.known.get_or_insert(pair, MAX_KNOWN_PAIRS, now),
            false => tables.addresses.get_or_insert(source, MAX_ADDRESSES, now),
        };
        if tally.is_blocked(now) {
            return Err(Throttled::Failures);
        }
        if tally.pending == MAX_PENDING_PER_ADDRESS {
            return Err(Throttled::Pending);
        }
        tally.pending += 1;
        drop(tables);
        Ok(AdmittedLogin { throttle: Arc::clone(self), source, name, is_known })
    }
}

/// A password that is being checked; its place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct AdmittedLogin {
    throttle: Arc<Throttle>,
    source: LoginSource,
    name: NameHash,
    /// Set if the name has logged in from the address before.
    pub(super) is_known: bool,
}

impl AdmittedLogin {
    /// Counts a wrong password; returns whether the address may try no further names.
    ///
    /// The answer must not depend on whether the name was known there, so it says the same in both cases.
    pub(super) fn fail(self, now: Instant) -> bool {
        let mut tables = self.throttle.0.lock();
        let was_blocked = tables.addresses.get(self.source).is_some_and(|tally| tally.is_blocked(now));
        if let Some(tally) = tables.tally(&self) {
            tally.owe_one_more(now);
        }
        was_blocked
    }

    /// Remembers that the name has logged in from the address.
    pub(super) fn succeed(self, now: Instant) {
        let mut tables = self.throttle.0.lock();
        let pair = (self.source, self.name);
        let known = tables.known.get_or_insert(pair, MAX_KNOWN_PAIRS, now);
        known.known_until = Some(now + KNOWN_FOR);
    }
}

impl Drop for AdmittedLogin {
    fn drop(&mut self) {
        if let Some(tally) = self.throttle.0.lock().tally(self) {
            // It may be another entry for the same address, if the table was full meanwhile.
            tally.pending = tally.pending.saturating_sub(1);
        }
    }
}

impl FailureTables {
    fn tally(&mut self, admitted: &AdmittedLogin) -> Option<&mut FailureTally> {
        match admitted.is_known {
            true => self.known.get((admitted.source, admitted.name)),
            false => self.addresses.get(admitted.source),
        }
    }
}

/// The wrong passwords of an address, as the time at which all are forgotten.
#[derive(Debug, Default)]
struct FailureTally {
    forgiven_at: Option<Instant>,
    pending: u32,
    /// Set for a name that has logged in there.
    known_until: Option<Instant>,
}

impl FailureTally {
    fn debt(&self, now: Instant) -> Duration {
        self.forgiven_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    fn is_blocked(&self, now: Instant) -> bool {
        self.debt(now) > FORGIVEN_AFTER * (MAX_FAILURES - 1)
    }

    fn owe_one_more(&mut self, now: Instant) {
        self.forgiven_at = Some(now + (self.debt(now) + FORGIVEN_AFTER).min(MAX_DEBT));
    }

    fn is_over(&self, now: Instant) -> bool {
        self.pending == 0 && self.debt(now).is_zero() && self.known_until.is_none_or(|until| until <= now)
    }
}

/// Tallies, of which there is a limited number.
#[derive(Debug)]
struct FailureTable<K> {
    tallies: HashMap<K, FailureTally>,
    purged_at: Option<Instant>,
}

impl<K> Default for FailureTable<K> {
    fn default() -> Self {
        Self { tallies: HashMap::new(), purged_at: None }
    }
}

impl<K: Copy + Eq + Hash> FailureTable<K> {
    fn get(&mut self, key: K) -> Option<&mut FailureTally> {
        self.tallies.get_mut(&key)
    }

    /// Returns the tally of the key, which is new if there was none. It takes the place of another in a full table.
    fn get_or_insert(&mut self, key: K, max: usize, now: Instant) -> &mut FailureTally {
        if self.tallies.len() >= max && !self.tallies.contains_key(&key) {
            self.make_room(now);
        }
        match self.tallies.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(FailureTally::default()),
        }
    }

    /// Removes what is over, or else any entry: with so many addresses an attacker is slowed by the queue alone.
    fn make_room(&mut self, now: Instant) {
        if self.purged_at.is_none_or(|at| now.saturating_duration_since(at) >= PURGE_INTERVAL) {
            self.purged_at = Some(now);
            self.tallies.retain(|_, tally| !tally.is_over(now));
        }
        let idle = self.tallies.iter().find(|(_, tally)| tally.pending == 0);
        // Fewer are pending than the table has room for.
        if let Some(key) = idle.map(|(key, _)| *key) {
            self.tallies.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn source(addr: &str) -> LoginSource {
        LoginSource::from(&Addr::from(addr.parse::<SocketAddr>().unwrap()))
    }

    fn fail(
        throttle: &Arc<Throttle>,
        source: LoginSource,
        name: NameHash,
        now: Instant,
    ) -> Result<bool, Throttled> {
        throttle.admit(source, name, now).map(|admitted| admitted.fail(now))
    }

    /// Fails once with each name.
    fn fail_with(
        throttle: &Arc<Throttle>,
        source: LoginSource,
        names: impl IntoIterator<Item = NameHash>,
        now: Instant,
    ) {
        for name in names {
            assert!(fail(throttle, source, name, now).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_ipv4_address_are_one_address_each() {
        assert_eq!(source("[2001:db8::1]:1"), source("[2001:db8::ffff:ffff]:2"));
        assert_ne!(source("[2001:db8::1]:1"), source("[2001:db8:0:1::1]:1"));
        assert_eq!(source("[::ffff:10.0.0.1]:1"), source("10.0.0.1:2"));
        assert_ne!(source("10.0.0.1:1"), source("10.0.0.2:1"));
        let local = Addr::Unix(std::path::Path::new("/s").into());
        assert_eq!(LoginSource::from(&local), LoginSource::Local);
    }

    #[test]
    fn after_ten_wrong_passwords_an_address_may_try_ten_a_minute() {
        let (throttle, start) = (Arc::new(Throttle::default()), Instant::now());
        let (bad, good) = (source("10.0.0.1:1"), source("10.0.0.2:1"));
        for name in 0..10 {
            assert_eq!(fail(&throttle, bad, name, start), Ok(false));
        }
        assert_eq!(fail(&throttle, bad, 11, start), Err(Throttled::Failures));
        assert_eq!(fail(&throttle, good, 11, start), Ok(false));
        let later = |millis| start + Duration::from_millis(millis);
        assert_eq!(fail(&throttle, bad, 11, later(5_999)), Err(Throttled::Failures));
        assert_eq!(fail(&throttle, bad, 11, later(6_000)), Ok(false));
        assert_eq!(fail(&throttle, bad, 11, later(6_001)), Err(Throttled::Failures));
    }

    #[test]
    fn a_name_that_logged_in_from_an_address_is_not_locked_out_by_others_there() {
        let (throttle, now) = (Arc::new(Throttle::default()), Instant::now());
        let shared = source("10.0.0.1:1");
        throttle.admit(shared, 7, now).unwrap().succeed(now);
        fail_with(&throttle, shared, 100..110, now);
        assert_eq!(throttle.admit(shared, 8, now).unwrap_err(), Throttled::Failures);
        throttle.admit(shared, 7, now).unwrap().succeed(now);
        // The answer to a wrong password does not show that the name is known.
        assert_eq!(fail(&throttle, shared, 7, now), Ok(true));
        fail_with(&throttle, shared, [7; 9], now);
        assert_eq!(throttle.admit(shared, 7, now).unwrap_err(), Throttled::Failures);
        assert!(throttle.admit(shared, 7, now + FORGIVEN_AFTER).is_ok());
        // A day later it is a name like any other.
        let later = now + KNOWN_FOR;
        fail_with(&throttle, shared, 100..110, later);
        assert_eq!(throttle.admit(shared, 7, later).unwrap_err(), Throttled::Failures);
    }

    #[test]
    fn an_address_has_sixteen_pending_and_all_of_them_may_fail() {
        let (throttle, now) = (Arc::new(Throttle::default()), Instant::now());
        let (one, other) = (source("10.0.0.1:1"), source("10.0.0.2:1"));
        for _ in 0..3 {
            let admitted: Vec<_> = (0..16).map(|name| throttle.admit(one, name, now).unwrap()).collect();
            assert_eq!(throttle.admit(one, 99, now).unwrap_err(), Throttled::Pending);
            assert!(throttle.admit(other, 99, now).is_ok());
            drop(admitted);
        }
        let admitted: Vec<_> = (0..16).map(|name| throttle.admit(one, name, now).unwrap()).collect();
        let blocked = admitted.into_iter().map(|admitted| admitted.fail(now)).filter(|blocked| *blocked);
        // The tenth blocks the address, so the six behind it are told so.
        assert_eq!(blocked.count(), 6);
        let owed = FORGIVEN_AFTER * 16;
        assert!(throttle.admit(one, 0, now + owed - FORGIVEN_AFTER * 9).is_ok());
        assert!(throttle.admit(one, 0, now + owed - FORGIVEN_AFTER * 9 - Duration::from_millis(1)).is_err());
        let mut tally = FailureTally::default();
        (0..1000).for_each(|_| tally.owe_one_more(now));
        assert_eq!(tally.debt(now), MAX_DEBT);
    }

    #[test]
    fn a_full_table_forgets_addresses_and_never_what_is_pending() {
        let (throttle, now) = (Arc::new(Throttle::default()), Instant::now());
        let address = |number: u32| LoginSource::Network(IpAddr::V4(number.into()));
        let pending = throttle.admit(address(0), 0, now).unwrap();
        for number in 1..=3 * MAX_ADDRESSES as u32 {
            assert_eq!(fail(&throttle, address(number), 0, now), Ok(false));
        }
        let tables = throttle.0.lock();
        assert_eq!(tables.addresses.tallies.len(), MAX_ADDRESSES);
        assert_eq!(tables.addresses.tallies[&address(0)].pending, 1);
        drop(tables);
        drop(pending);
        assert_eq!(throttle.0.lock().addresses.tallies[&address(0)].pending, 0);
    }
}
