//! Credentials: passwords, as argon2id hashes, and tokens, as SHA-256 hashes.

use std::fmt;
use std::time::SystemTime;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The first bytes of every token, by which people and scanners recognise one.
pub const TOKEN_PREFIX: &str = "rv_";

/// Longest password or token.
pub const MAX_SECRET_BYTES: usize = 512;

/// Longest label of a credential.
pub const MAX_LABEL_BYTES: usize = 64;

/// Latest time at which a credential can expire, in seconds from 1970: the end of the year 9999, after which there are no
/// dates.
pub const MAX_EXPIRY_SECONDS: u64 = 253_402_300_799;

/// Most memory that the check of a password may take, in KiB: a login allocates it.
pub const MAX_HASH_MEMORY_KIB: u32 = 64 * 1024;

/// Most passes over that memory.
pub const MAX_HASH_PASSES: u32 = 10;

/// Most lanes of that memory.
pub const MAX_HASH_LANES: u32 = 4;

const TOKEN_BYTES: usize = 32;
const SALT_BYTES: usize = 16;

/// A credential of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// A name for people; a user's labels differ.
    pub label: String,
    /// The secret that a login is compared with.
    pub secret: Secret,
    /// Time from which on it is not accepted; `None` for never.
    pub expires: Option<SystemTime>,
}

impl Credential {
    /// Returns whether it is accepted at this time.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Returns whether it is a password, and not a token.
    pub fn is_password(&self) -> bool {
        matches!(self.secret, Secret::Password(_))
    }
}

/// Hash that a password or a token is compared with.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// An argon2id hash, in PHC's string format.
    Password(String),
    /// The SHA-256 hash of a token.
    Token([u8; TOKEN_BYTES]),
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
    /// Hashes a secret that somebody has chosen or was given: as a token if it looks like one, and otherwise as a password,
    /// which takes some 20 ms of CPU and 19 MiB.
    ///
    /// # Errors
    /// It is empty or too long, or the system gives no random bytes.
    pub fn of(plain: &[u8]) -> Result<Self, SecretError> {
        match plain.len() {
            0 => Err(SecretError::Empty),
            len_bytes if len_bytes > MAX_SECRET_BYTES => Err(SecretError::TooLong { len_bytes }),
            _ if is_token(plain) => Ok(Self::of_token(plain)),
            _ => Self::of_password(plain),
        }
    }

    /// Makes a new random token and its hash. The token itself is nowhere else.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new_token() -> Result<(String, Self), SecretError> {
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random)?;
        let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let secret = Self::of_token(token.as_bytes());
        Ok((token, secret))
    }

    pub(crate) fn of_token(token: &[u8]) -> Self {
        Self::Token(Sha256::digest(token).into())
    }

    /// Hashes with the parameters that OWASP recommends first, which are the crate's defaults: 19 MiB, 2 passes, 1 lane.
    fn of_password(password: &[u8]) -> Result<Self, SecretError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)?;
        let hash = Argon2::default().hash_password_with_salt(password, &salt);
        Ok(Self::Password(hash.map_err(|_| SecretError::NotHashable)?.to_string()))
    }

    /// Returns whether both are the same token, in a time that does not depend on where they differ.
    pub(crate) fn is_same_token(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(hash), Self::Token(other)) => bool::from(hash.as_slice().ct_eq(other)),
            _ => false,
        }
    }

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

/// Returns whether a secret looks like a token, so that it is compared with tokens alone; others are passwords.
pub fn is_token(secret: &[u8]) -> bool {
    secret.starts_with(TOKEN_PREFIX.as_bytes())
}

/// Checks that a password can be compared with this hash, within the limits.
///
/// # Errors
/// It is no argon2id hash, or a comparison would cost too much.
pub fn check_hash(hash: &str) -> Result<(), HashError> {
    let hash = PasswordHash::new(hash).map_err(|_| HashError::Malformed)?;
    if hash.algorithm.as_str() != "argon2id" {
        return Err(HashError::OtherAlgorithm);
    }
    if hash.salt.is_none() || hash.hash.is_none() || hash.version.is_some_and(|version| version != 19) {
        return Err(HashError::Malformed);
    }
    let params = Params::try_from(&hash).map_err(|_| HashError::Malformed)?;
    for (name, value, max) in [
        ("memory 'm' in KiB", params.m_cost(), MAX_HASH_MEMORY_KIB),
        ("number of passes 't'", params.t_cost(), MAX_HASH_PASSES),
        ("number of lanes 'p'", params.p_cost(), MAX_HASH_LANES),
    ] {
        if value > max {
            return Err(HashError::TooExpensive { name, value, max });
        }
    }
    Ok(())
}

/// Reason why a text is no hash to compare passwords with. It never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// It does not have the form.
    #[error("this is no argon2id hash: expected $argon2id$v=19$m=…,t=…,p=…$salt$hash")]
    Malformed,
    /// It is a hash of another kind.
    #[error("this is no argon2id hash, and no other kind is accepted")]
    OtherAlgorithm,
    /// Every login would cost too much.
    #[error("the hash's {name} is {value}, over the limit of {max}: every login would take that much")]
    TooExpensive {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: u32,
        /// Its limit.
        max: u32,
    },
}

/// Reason why a secret cannot be made or hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// It is too long.
    #[error("a password of {len_bytes} bytes is over the limit of {MAX_SECRET_BYTES}")]
    TooLong {
        /// Its length.
        len_bytes: usize,
    },
    /// Argon2 takes no such password.
    #[error("the password cannot be hashed")]
    NotHashable,
    /// The system's generator fails.
    #[error("the system gives no random bytes: {0}")]
    NoRandom(#[from] getrandom::Error),
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const CHEAP: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$";

    #[test]
    fn a_password_matches_its_hash_alone_and_hashes_differ() {
        let (one, other) = (Secret::of(b"correct horse").unwrap(), Secret::of(b"correct horse").unwrap());
        assert!(one.matches(b"correct horse") && !one.matches(b"correct horse ") && !one.matches(b""));
        assert_ne!(one, other, "the salt is random");
        let Secret::Password(hash) = one else { panic!("a password") };
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(check_hash(&hash), Ok(()));
    }

    #[test]
    fn a_token_is_random_is_recognised_and_matches_alone() {
        let ((token, secret), (other, _)) = (Secret::new_token().unwrap(), Secret::new_token().unwrap());
        assert_ne!(token, other);
        assert_eq!((token.len(), is_token(token.as_bytes())), (TOKEN_PREFIX.len() + 43, true));
        assert!(secret.matches(token.as_bytes()) && !secret.matches(other.as_bytes()));
        assert_eq!(Secret::of(token.as_bytes()), Ok(secret));
    }

    #[test]
    fn secrets_out_of_bounds_are_refused() {
        assert_eq!(Secret::of(b""), Err(SecretError::Empty));
        let long = [b'x'; MAX_SECRET_BYTES + 1];
        assert_eq!(Secret::of(&long), Err(SecretError::TooLong { len_bytes: MAX_SECRET_BYTES + 1 }));
    }

    #[test]
    fn hashes_that_are_none_or_cost_too_much_are_refused() {
        let hash = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(check_hash(&format!("{CHEAP}{hash}")), Ok(()));
        for malformed in [
            "",
            "secret",
            "$argon2id$",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=1,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(check_hash(malformed), Err(HashError::Malformed), "{malformed}");
        }
        let other = format!("{}{hash}", CHEAP.replace("argon2id", "argon2i"));
        assert_eq!(check_hash(&other), Err(HashError::OtherAlgorithm));
        for params in ["m=65537,t=1,p=1", "m=8,t=11,p=1", "m=40,t=1,p=5", "m=4294967295,t=1,p=1"] {
            let hash = format!("$argon2id$v=19${params}$c29tZXNhbHQ${hash}");
            assert!(matches!(check_hash(&hash), Err(HashError::TooExpensive { .. })), "{hash}");
        }
    }

    #[test]
    fn a_credential_is_valid_before_it_expires() {
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        let mut credential =
            Credential { label: "x".into(), secret: Secret::Token([0; 32]), expires: Some(at(10)) };
        assert!(credential.is_valid_at(at(9)) && !credential.is_valid_at(at(10)));
        credential.expires = None;
        assert!(credential.is_valid_at(at(u32::MAX.into())));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let shown = format!("{:?}", [Secret::Password("hash".into()), Secret::Token([7; 32])]);
        assert_eq!(shown, "[Password(…), Token(…)]");
    }
}
