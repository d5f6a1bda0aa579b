//! Errors of a configuration, each with the remedy.

use std::net::SocketAddr;
use std::time::Duration;

use super::DEFAULT_BIND_ADDR;

/// Invalid field of a [`ServerConfig`](super::ServerConfig).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The address is not `host:port`.
    #[error("invalid listen address '{addr}': expected HOST:PORT, for example {DEFAULT_BIND_ADDR}")]
    BindAddr {
        /// The value that was given.
        addr: String,
    },
    /// An address is given twice, with a port that only one of them can have.
    #[error("the address '{addr}' is given twice: give it once")]
    RepeatedBindAddr {
        /// The address.
        addr: String,
    },
    /// A number is out of its range.
    #[error("invalid {field} {value}: expected 1 to {max}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The value that was given.
        value: usize,
        /// The highest value that is accepted.
        max: usize,
    },
    /// A duration is out of its range.
    #[error("invalid {field} {value:?}: expected 1s to {max:?}")]
    DurationOutOfRange {
        /// The field.
        field: &'static str,
        /// The value that was given.
        value: Duration,
        /// The longest that is accepted.
        max: Duration,
    },
    /// The ratio is 1 or less: the log would be compacted all the time.
    #[error("invalid compact_ratio {ratio}: expected a number above 1")]
    CompactRatio {
        /// The value that was given.
        ratio: f64,
    },
    /// Everybody on the network could read and change everything.
    #[error(
        "anybody who reaches {addr} could read and change everything, because there are no users: give a file of users \
        (--users), a password (--password-file), or --allow-unauthenticated if that is meant, or bind to loopback"
    )]
    PublicWithoutUsers {
        /// The address, as it was bound.
        addr: SocketAddr,
    },
    /// Everybody on the network could read the metrics.
    #[error(
        "anybody who reaches {addr} could read the metrics, because there are no users: give a file of users (--users), a \
        password (--password-file), or --allow-unauthenticated if that is meant, or bind HTTP to loopback"
    )]
    PublicHttpWithoutUsers {
        /// The address, as it was bound.
        addr: SocketAddr,
    },
    /// The limit on buffers leaves no room for the longest value.
    #[error(
        "invalid max_buffer_bytes {value}: expected at least {min}, twice max_value_bytes; raise it or lower max_value_bytes"
    )]
    BufferBytes {
        /// The value that was given.
        value: usize,
        /// The lowest that is accepted.
        min: usize,
    },
    /// The memory limit is 0: no write could succeed.
    #[error("invalid max_memory_bytes 0: expected more than 0, or None for no limit")]
    NoMemory,
    /// Options of TLS contradict each other.
    #[error("{reason}")]
    Tls {
        /// The missing setting, and the remedy.
        reason: &'static str,
    },
}

impl ConfigError {
    /// Returns the name of the option that is wrong, if another value of it alone would mend it.
    pub(crate) fn option(&self) -> Option<&'static str> {
        match self {
            Self::RepeatedBindAddr { .. } | Self::OutOfRange { field: "bind_addrs", .. } => Some("bind"),
            _ => None,
        }
    }
}
