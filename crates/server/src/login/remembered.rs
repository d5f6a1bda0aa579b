//! Logins by password that were right lately, so that repeating them takes no check.
//!
//! Wrong passwords are not remembered: whoever sends them decides how many differ, and a wrong one that is answered sooner than
//! others tells that it was tried before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rustvault_users::{User, Users};

use super::secrets::SecretHash;

/// Time for which a right password is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Most right passwords that are remembered.
const MAX_REMEMBERED: usize = 4096;

/// A moment, in the clock that never leaps and in that of the credentials' expiry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) monotonic: Instant,
    pub(super) calendar: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), calendar: SystemTime::now() }
    }
}

/// Passwords that were right lately, by their keyed hash.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<HashMap<SecretHash, RememberedLogin>>);

/// A password that was right.
#[derive(Debug)]
struct RememberedLogin {
    /// The user as it was then.
    user: Arc<User>,
    checked_at: Moment,
}

impl RememberedLogin {
    fn is_recent(&self, now: Moment) -> bool {
        now.monotonic.saturating_duration_since(self.checked_at.monotonic) < REMEMBERED_FOR
    }

    /// Returns whether a check would have the same result now.
    fn holds(&self, user: &User, now: Moment) -> bool {
        let is_valid_as_then = user.credentials.iter().all(|credential| {
            credential.is_valid_at(self.checked_at.calendar) == credential.is_valid_at(now.calendar)
        });
        self.is_recent(now) && user.credentials == self.user.credentials && is_valid_as_then
    }
}

impl Remembered {
    /// Returns the user of these whose password it was lately, unless the user's credentials have changed or expired since.
    pub(super) fn get(&self, hash: SecretHash, users: &Users, now: Moment) -> Option<Arc<User>> {
        let mut verdicts = self.0.lock();
        let verdict = verdicts.get(&hash)?;
        let user = users.get(&verdict.user.name).filter(|user| verdict.holds(user, now));
        if user.is_none() {
            verdicts.remove(&hash);
        }
        user.cloned()
    }

    /// Remembers a right password.
    pub(super) fn insert(&self, hash: SecretHash, user: Arc<User>, checked_at: Moment) {
        let mut verdicts = self.0.lock();
        if verdicts.len() >= MAX_REMEMBERED && !verdicts.contains_key(&hash) {
            verdicts.retain(|_, verdict| verdict.is_recent(checked_at));
            let oldest = verdicts.iter().min_by_key(|(_, verdict)| verdict.checked_at.monotonic);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash).filter(|_| verdicts.len() >= MAX_REMEMBERED) {
                verdicts.remove(&oldest);
            }
        }
        verdicts.insert(hash, RememberedLogin { user, checked_at });
    }

    /// Returns how many are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use rustvault_users::{Credential, Rights, Secret};

    use super::*;

    fn user(name: &str, tokens: &[(&str, Option<SystemTime>)]) -> User {
        let credential = |(token, expires): &(&str, Option<SystemTime>)| Credential {
            label: (*token).to_owned(),
            secret: Secret::of(token.as_bytes()).unwrap(),
            expires: *expires,
        };
        let credentials = tokens.iter().map(credential).collect();
        User { name: name.to_owned(), credentials, rights: Rights::default() }
    }

    fn after(moment: Moment, seconds: u64) -> Moment {
        let passed = Duration::from_secs(seconds);
        Moment { monotonic: moment.monotonic + passed, calendar: moment.calendar + passed }
    }

    #[test]
    fn a_verdict_holds_for_a_minute() {
        let (remembered, now) = (Remembered::default(), Moment::now());
        let users = Users::new([user("a", &[("rv_1", None)])]).unwrap();
        remembered.insert(1, Arc::clone(users.get("a").unwrap()), now);
        assert!(remembered.get(1, &users, after(now, 59)).is_some());
        assert!(remembered.get(2, &users, now).is_none());
        assert!(remembered.get(1, &users, after(now, 60)).is_none());
        assert_eq!(remembered.len(), 0);
    }

    #[test]
    fn a_verdict_ends_with_the_credentials_that_it_was_about() {
        let now = Moment::now();
        let in_10_s = now.calendar + Duration::from_secs(10);
        let old = Users::new([user("a", &[("rv_1", None)]), user("b", &[("rv_2", Some(in_10_s))])]).unwrap();
        let get = |name: &str, users: &Users, now_then| {
            let remembered = Remembered::default();
            remembered.insert(1, Arc::clone(old.get(name).unwrap()), now);
            remembered.get(1, users, now_then)
        };
        for changed in [Users::default(), Users::new([user("a", &[("rv_1", None), ("rv_3", None)])]).unwrap()]
        {
            assert!(get("a", &changed, now).is_none());
        }
        // Rights may change: the verdict was about the password, and the new rights are those of the login.
        let same = Users::new([user("a", &[("rv_1", None)])]).unwrap();
        assert!(Arc::ptr_eq(&get("a", &same, now).unwrap(), same.get("a").unwrap()));
        assert!(get("b", &old, after(now, 9)).is_some());
        assert!(get("b", &old, after(now, 10)).is_none());
    }

    #[test]
    fn so_many_verdicts_are_remembered_and_the_oldest_is_forgotten() {
        let (remembered, now) = (Remembered::default(), Moment::now());
        let users = Users::new([user("a", &[("rv_1", None)])]).unwrap();
        for hash in 0..MAX_REMEMBERED as u128 + 10 {
            let at = Moment { monotonic: now.monotonic + Duration::from_micros(hash as u64), ..now };
            remembered.insert(hash, Arc::clone(users.get("a").unwrap()), at);
        }
        assert_eq!(remembered.len(), MAX_REMEMBERED);
        assert!(remembered.get(9, &users, after(now, 1)).is_none());
        assert!(remembered.get(10, &users, after(now, 1)).is_some());
    }
}
