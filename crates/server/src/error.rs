use std::io;

use crate::ConfigError;

/// Why a server could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; choose another address")]
    Bind {
        /// The address, as configured.
        addr: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system refuses something that a server needs.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried, as a verb: `start a thread`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The store could not be opened, or has failed.
    #[error(transparent)]
    Store(#[from] rustvault_storage::Error),
    /// A thread that serves connections has died, which is a defect.
    #[error("a serving thread has died, please report it with the log")]
    ThreadDied,
}

impl Error {
    /// What a program that stops because of this error exits with: 2 for a bad configuration, 3 for a log
    /// that is corrupt, foreign or from a newer version, otherwise 1.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Store(error) if error.is_bad_log() => 3,
            Self::Bind { .. } | Self::System { .. } | Self::Store(_) | Self::ThreadDied => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_log_that_cannot_be_trusted_exits_with_3_and_a_locked_one_with_1() {
        let path = PathBuf::from("vault.log");
        let foreign = rustvault_storage::Error::NotALog { path: path.clone(), reason: "it is text" };
        let locked = rustvault_storage::Error::Locked { path, holder_pid: None };
        assert_eq!(Error::from(foreign).exit_code(), 3);
        assert_eq!(Error::from(locked).exit_code(), 1);
        assert_eq!(Error::from(ConfigError::BindAddr { addr: String::new() }).exit_code(), 2);
    }
}
