//! Logins: whether a name and a secret are those of a user, in a time that does not tell which of them is wrong.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use crate::{Secret, User, Users, is_token};

/// Keys the choice of the user whose hashes stand in for those of a name without any, for as long as the process runs.
static STAND_IN: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Users {
    /// Returns the user with this name if the secret is one of its credentials and has not expired. A secret that
    /// [`is_token`] takes microseconds; any other is a password, and takes some 20 ms of CPU for each password of a user,
    /// as long for a name that nobody has as for a wrong password.
    pub fn log_in(&self, name: &str, secret: &[u8], now: SystemTime) -> Option<&Arc<User>> {
        if is_token(secret) {
            self.log_in_by_token(name, secret, now)
        } else {
            self.log_in_by_password(name, secret, now)
        }
    }

    fn log_in_by_token(&self, name: &str, token: &[u8], now: SystemTime) -> Option<&Arc<User>> {
        let user = self.get(name)?;
        let is_same = |secret: &Secret| matches!(secret, Secret::Token(_)) && secret.matches(token);
        // A token has 256 random bits: that an unknown name is found out sooner helps nobody to guess one.
        let mut valid = user.credentials.iter().filter(|credential| credential.is_valid_at(now));
        valid.any(|credential| is_same(&credential.secret)).then_some(user)
    }

    /// Returns the user that a token belongs to, if it has not expired: for clients that send no name with it. It takes a microsecond, and
    /// some nanoseconds for each credential of all users.
    pub fn find_by_token(&self, token: &[u8], now: SystemTime) -> Option<&Arc<User>> {
        if !is_token(token) {
            return None;
        }
        let secret = Secret::of_token(token);
        self.iter().find(|user| {
            let mut valid = user.credentials.iter().filter(|credential| credential.is_valid_at(now));
            valid.any(|credential| credential.secret.is_same_token(&secret))
        })
    }

    fn log_in_by_password(&self, name: &str, password: &[u8], now: SystemTime) -> Option<&Arc<User>> {
        let user = self.get(name).filter(|user| user.has_password());
        // Somebody's hashes stand in, always the same for a name, so that its duration is that of some user's.
        let compared = user.or_else(|| self.stand_in_for(name))?;
        let mut is_right = false;
        for credential in compared.credentials.iter().filter(|credential| credential.is_password()) {
            // What has expired is compared, too: a wrong password takes as long as before.
            let matches = credential.secret.matches(password);
            is_right |= matches && credential.is_valid_at(now);
        }
        user.filter(|_| is_right)
    }

    fn stand_in_for(&self, name: &str) -> Option<&Arc<User>> {
        let with_password = self.with_password();
        let number = usize::try_from(STAND_IN.hash_one(name) >> 1).unwrap_or(0);
        with_password.get(number.checked_rem(with_password.len())?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::{Credential, Rights};

    fn users(users: &[(&str, &[(&str, u64)])]) -> Users {
        let credential = |(plain, expires): &(&str, u64)| Credential {
            label: (*plain).to_owned(),
            secret: Secret::of(plain.as_bytes()).unwrap(),
            expires: (*expires > 0).then(|| UNIX_EPOCH + Duration::from_secs(*expires)),
        };
        let user = |(name, credentials): &(&str, &[(&str, u64)])| User {
            name: (*name).to_owned(),
            credentials: credentials.iter().map(credential).collect(),
            rights: Rights::default(),
        };
        Users::new(users.iter().map(user)).unwrap()
    }

    #[test]
    fn each_valid_credential_of_a_user_logs_in_and_nobody_elses() {
        let users = users(&[
            ("alice", &[("old password", 10), ("new password", 0), ("rv_1", 10), ("rv_2", 0)]),
            ("bob", &[("bob's", 0), ("rv_3", 0)]),
            ("cert", &[]),
        ]);
        let log_in = |name: &str, secret: &str, now| {
            let user = users.log_in(name, secret.as_bytes(), UNIX_EPOCH + Duration::from_secs(now));
            user.map(|user| user.name.clone())
        };
        for secret in ["old password", "new password", "rv_1", "rv_2"] {
            assert_eq!(log_in("alice", secret, 9).as_deref(), Some("alice"), "{secret}");
            let is_for_ever = secret.starts_with("new") || secret.ends_with('2');
            assert_eq!(log_in("alice", secret, 10).is_some(), is_for_ever, "{secret}");
        }
        for (name, secret) in [
            ("alice", "bob's"),
            ("bob", "rv_1"),
            ("cert", "bob's"),
            ("x", "bob's"),
            ("x", "rv_3"),
            ("bob", ""),
        ] {
            assert_eq!(log_in(name, secret, 9), None, "{name} {secret}");
        }
    }

    #[test]
    fn a_token_finds_its_user_until_it_expires_and_a_password_finds_nobody() {
        let users = users(&[("alice", &[("password", 0), ("rv_1", 10)]), ("bob", &[("rv_2", 0)])]);
        let find = |secret: &str, now| {
            let user = users.find_by_token(secret.as_bytes(), UNIX_EPOCH + Duration::from_secs(now));
            user.map(|user| user.name.clone())
        };
        assert_eq!((find("rv_1", 9).as_deref(), find("rv_1", 10)), (Some("alice"), None));
        assert_eq!(find("rv_2", 10).as_deref(), Some("bob"));
        for secret in ["password", "rv_3", "rv_", ""] {
            assert_eq!(find(secret, 9), None, "{secret}");
        }
    }

    #[test]
    fn a_name_without_a_password_is_compared_with_somebodys() {
        let known = users(&[("a", &[("p", 0)]), ("b", &[("rv_q", 0)])]);
        for name in ["b", "nobody", ""] {
            assert_eq!(known.stand_in_for(name).map(|user| &*user.name), Some("a"), "{name}");
        }
        assert!(users(&[("b", &[("rv_q", 0)])]).stand_in_for("nobody").is_none());
    }
}
