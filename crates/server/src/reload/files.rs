//! Files that a configuration names: those of users and of TLS, loaded when they have changed.
//!
//! Their contents tell, not their times: Kubernetes exchanges a symbolic link to a folder, and copies may keep the time of the
//! original.

use std::hash::Hasher;

use rustvault_users::{Users, file};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::ReloadError;
use crate::ServerConfig;
use crate::login::load_users;
use crate::tls::{self, LoadedTls, TlsFingerprint};

/// Contents of the files of a configuration at one moment, readable or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilesSeen {
    pub(super) users: UsersFingerprint,
    pub(super) tls: TlsFingerprint,
}

/// Hash of the file of users, or of the reason why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsersFingerprint(u128);

impl FilesSeen {
    /// Returns what is seen where no files are configured.
    pub(crate) fn none() -> Self {
        Self::of(&ServerConfig::default())
    }

    /// Reads the files. Blocks.
    pub(crate) fn of(config: &ServerConfig) -> Self {
        Self { users: UsersFingerprint::of(config), tls: tls::fingerprint(&config.tls) }
    }
}

impl UsersFingerprint {
    fn of(config: &ServerConfig) -> Self {
        let mut hasher = SipHasher13::new();
        match config.users_path.as_deref().map(file::read) {
            None => {}
            Some(Ok(text)) => hasher.write(text.as_bytes()),
            Some(Err(error)) => hasher.write(error.to_string().as_bytes()),
        }
        Self(hasher.finish128().as_u128())
    }
}

/// Loaded files that take the place of those in force; `None` for files that stay as they are.
#[derive(Debug)]
pub(super) struct LoadedFiles {
    pub(super) users: Option<Option<Users>>,
    pub(super) tls: Option<Option<LoadedTls>>,
}

/// Loads the files whose contents or options have changed. Blocks.
///
/// What is unchanged is not loaded: an unchanged certificate may have expired by now, which must not keep a limit from changing.
///
/// # Errors
/// All files that cannot be used.
pub(super) fn load(
    running: &ServerConfig,
    config: &ServerConfig,
    in_force: &FilesSeen,
    now: &FilesSeen,
) -> Result<LoadedFiles, ReloadError> {
    let has_other_users = (&running.users_path, &running.password) != (&config.users_path, &config.password);
    let users = (has_other_users || in_force.users != now.users).then(|| load_users(config)).transpose();
    let has_other_tls = running.tls != config.tls || in_force.tls != now.tls;
    let tls = has_other_tls.then(|| tls::load(&config.tls)).transpose();
    match (users, tls) {
        (Ok(users), Ok(tls)) => Ok(LoadedFiles { users, tls }),
        (users, tls) => {
            let problems =
                [users.err().map(|error| error.to_string()), tls.err().map(|error| error.to_string())];
            Err(ReloadError::new(problems.into_iter().flatten()))
        }
    }
}
