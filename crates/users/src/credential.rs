//! Credentials: passwords, as argon2id hashes, and tokens, as SHA-256 hashes.

use std::fmt;
use std::time::SystemTime;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The first bytes of every token, by which people and scanners recognise one.
pub const TOKEN_PREFIX: &str = "rv_";

/// Longest password or token.
pub const MAX_SECRET_BYTES: usize = 512;

/// A credential of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// A name for people; a user's labels differ.
    pub label: String,
    /// What a login is compared with.
    pub secret: Secret,
    /// From when on it is not accepted; `None` for never.
    pub expires: Option<SystemTime>,
}

/// What a password or a token is compared with.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// An argon2id hash, in PHC's string format.
    Password(String),
    /// The SHA-256 hash of a token.
    Token([u8; 32]),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

impl Secret {
    /// Returns whether this is its password or token. A password takes some 20 ms of CPU and 19 MiB, a token a microsecond.
    pub fn matches(&self, given: &[u8]) -> bool {
        match self {
            Self::Password(hash) => {
                let hash = PasswordHash::new(hash);
                hash.is_ok_and(|hash| Argon2::default().verify_password(given, &hash).is_ok())
            }
            Self::Token(hash) => bool::from(Sha256::digest(given).as_slice().ct_eq(hash)),
        }
    }
}
