//! Keyed hashes of names and passwords, by which both are recognised without being kept.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use siphasher::sip128::{Hasher128, SipHasher24};

/// Keyed hash of a user's name and a password.
pub(super) type SecretHash = u128;

/// The key of the hashes: random, and of this process alone.
pub(super) struct HashKey(SipHasher24);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

impl HashKey {
    /// Makes a random key, of what the standard library keys its maps with: the system's random bytes.
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self(SipHasher24::new_with_keys(random.hash_one(1), random.hash_one(2)))
    }

    /// Hashes a name.
    pub(super) fn name(&self, name: &str) -> u128 {
        self.hash(name.as_bytes(), b"")
    }

    /// Hashes a name with a password.
    pub(super) fn secret(&self, name: &str, secret: &[u8]) -> SecretHash {
        self.hash(name.as_bytes(), secret)
    }

    fn hash(&self, name: &[u8], secret: &[u8]) -> u128 {
        let mut hasher = self.0;
        // The length keeps "a" with "bc" and "ab" with "c" apart.
        hasher.write_usize(name.len());
        hasher.write(name);
        hasher.write(secret);
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_password_are_kept_apart_and_each_process_has_a_key() {
        let (key, other) = (HashKey::random(), HashKey::random());
        assert_eq!(key.secret("a", b"bc"), key.secret("a", b"bc"));
        assert_ne!(key.secret("a", b"bc"), key.secret("ab", b"c"));
        assert_ne!(key.secret("a", b"bc"), other.secret("a", b"bc"));
        assert_eq!(format!("{key:?}"), "HashKey(…)");
    }
}
