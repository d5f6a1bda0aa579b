//! Errors of a server: why it could not start, or had to stop.

use std::io;
use std::path::PathBuf;

use crate::tls::TlsError;
use crate::unix_socket::MAX_PATH_BYTES;
use crate::{ConfigError, LoadUsersError};

/// Error for which a server could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The users could not be loaded.
    #[error(transparent)]
    Users(#[from] LoadUsersError),
    /// The server cannot listen on the address.
    #[error("cannot listen on {addr}: {source}; choose another address")]
    Bind {
        /// The address, as configured.
        addr: String,
        /// The system's error.
        source: io::Error,
    },
    /// The server cannot listen on the Unix socket.
    #[error("cannot listen on the Unix socket {}: {source}", path.display())]
    UnixSocket {
        /// The path, as configured.
        path: PathBuf,
        /// The reason.
        source: UnixSocketError,
    },
    /// A file of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refuses something that a server needs.
    #[error("cannot {action}: {source}")]
    System {
        /// The action that failed, as a verb: `start a thread`.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The store could not be opened, or has failed.
    #[error(transparent)]
    Store(#[from] rustvault_storage::Error),
    /// A thread that serves connections has panicked, which is a defect.
    #[error(
        "a thread that serves connections ended, which is a defect; please report it with the messages above"
    )]
    ThreadDied,
}

impl Error {
    /// Returns the exit code of a program that stops because of this error: 2 for a bad configuration, 3 for a log
    /// that is corrupt, foreign or from a newer version, otherwise 1.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Users(_) | Self::Tls(_) => 2,
            Self::Store(error) if error.is_bad_log() => 3,
            Self::Bind { .. }
            | Self::UnixSocket { .. }
            | Self::System { .. }
            | Self::Store(_)
            | Self::ThreadDied => 1,
        }
    }
}

/// Reason for which the server cannot listen on a Unix socket. An existing file is left unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnixSocketError {
    /// Another server listens there.
    #[error("a server listens on it already; stop that one, or choose another path")]
    InUse,
    /// Something else has the name, for example a file.
    #[error("something else has this name and was left unchanged; move it away, or choose another path")]
    NotASocket,
    /// The path is longer than the system accepts.
    #[error("the path has {len_bytes} bytes, the system's limit is {MAX_PATH_BYTES}; choose a shorter path")]
    TooLong {
        /// Its length.
        len_bytes: usize,
    },
    /// The path does not end with a file name.
    #[error("the path does not end with a file name; add one, for example rustvault.sock")]
    NoName,
    /// The folder does not exist.
    #[error("its folder does not exist; create it, or choose another path")]
    NoFolder,
    /// Another program keeps a lock on the folder.
    #[error("another program keeps its folder locked; try again, or choose a folder of the server's own")]
    FolderLocked,
    /// The system refuses something.
    #[error(
        "cannot {action}: {source}; check that the server's user may read and write the folder, or choose another path"
    )]
    System {
        /// The action that failed, as a verb: `open its folder`.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
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
