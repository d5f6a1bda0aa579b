use std::path::PathBuf;
use std::thread;

use rustvault_protocol::Limits;
use rustvault_storage::{Options, SyncPolicy};

/// Address that is bound unless the configuration says otherwise.
pub const DEFAULT_BIND_ADDR: &str = "127.0.0.1:8080";

/// Log file that is used unless the configuration says otherwise.
pub const DEFAULT_WAL_PATH: &str = "vault.log";

/// Connections that are served at a time unless the configuration says otherwise.
pub const DEFAULT_MAX_CONNECTIONS: usize = 1000;

/// The highest `max_connections` that is accepted.
pub const MAX_CONNECTIONS_LIMIT: usize = 1_000_000;

/// The highest `max_value_bytes` that is accepted: 512 MiB, so that one command, all of it escaped, stays below
/// the 4 GiB that a batch of the log may have.
pub const MAX_VALUE_BYTES_LIMIT: usize = 1 << 29;

/// The highest number of threads that is accepted.
pub const MAX_THREADS: usize = 1024;

/// What a server is told before it starts.
///
/// ```
/// let mut config = rustvault_server::ServerConfig::default();
/// config.bind_addr = "127.0.0.1:0".to_owned();
/// config.max_connections = 50;
/// config.validate()?;
/// # Ok::<(), rustvault_server::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// `host:port` to listen on; port 0 lets the system choose one. [`DEFAULT_BIND_ADDR`] by default.
    pub bind_addr: String,
    /// The log file; it is made if it is not there. [`DEFAULT_WAL_PATH`] by default.
    pub wal_path: PathBuf,
    /// Connections served at a time, 1 to [`MAX_CONNECTIONS_LIMIT`]; [`DEFAULT_MAX_CONNECTIONS`] by default.
    pub max_connections: usize,
    /// When a write counts as done; [`SyncPolicy::Always`] by default.
    pub sync_policy: SyncPolicy,
    /// Longest value in bytes, 1 to [`MAX_VALUE_BYTES_LIMIT`]; 16 MiB by default.
    pub max_value_bytes: usize,
    /// Threads that serve connections, 1 to [`MAX_THREADS`]; one per core by default.
    pub threads: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind_addr: DEFAULT_BIND_ADDR.to_owned(),
            wal_path: PathBuf::from(DEFAULT_WAL_PATH),
            max_connections: DEFAULT_MAX_CONNECTIONS,
            sync_policy: SyncPolicy::default(),
            max_value_bytes: Options::default().max_value_bytes,
            threads: default_threads(),
        }
    }
}

impl ServerConfig {
    /// Checks every field; [`Server::bind`](crate::Server::bind) and [`serve`](crate::serve) do so, too.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_bind_addr(&self.bind_addr)?;
        check_range("max_connections", self.max_connections, MAX_CONNECTIONS_LIMIT)?;
        check_range("max_value_bytes", self.max_value_bytes, MAX_VALUE_BYTES_LIMIT)?;
        check_range("threads", self.threads, MAX_THREADS)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { max_value_bytes: self.max_value_bytes, ..Limits::default() }
    }

    pub(crate) fn store_options(&self) -> Options {
        let mut options = Options::default();
        options.sync_policy = self.sync_policy;
        options.max_key_bytes = self.limits().max_key_bytes;
        options.max_value_bytes = self.max_value_bytes;
        options
    }
}

/// A field of a [`ServerConfig`] that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The address is not `host:port`.
    #[error("'{addr}' is no address to listen on: say host:port, such as {DEFAULT_BIND_ADDR}")]
    BindAddr {
        /// What was given.
        addr: String,
    },
    /// A number is out of its range.
    #[error("{field} is {value}, it must be 1 to {max}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was given.
        value: usize,
        /// The highest value that is accepted.
        max: usize,
    },
}

fn check_bind_addr(addr: &str) -> Result<(), ConfigError> {
    let is_host_and_port =
        addr.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_host_and_port { Ok(()) } else { Err(ConfigError::BindAddr { addr: addr.to_owned() }) }
}

fn check_range(field: &'static str, value: usize, max: usize) -> Result<(), ConfigError> {
    if (1..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { field, value, max }) }
}

fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(ServerConfig::default().validate(), Ok(()));
    }

    #[test]
    fn addresses_without_host_or_port_are_refused() {
        for addr in ["", "8080", ":8080", "localhost", "localhost:", "localhost:65536", "localhost:http"] {
            assert!(check_bind_addr(addr).is_err(), "{addr}");
        }
        for addr in ["localhost:8080", "0.0.0.0:0", "[::1]:8080"] {
            assert_eq!(check_bind_addr(addr), Ok(()), "{addr}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let refused = [
            ServerConfig { max_connections: 0, ..ServerConfig::default() },
            ServerConfig { max_connections: MAX_CONNECTIONS_LIMIT + 1, ..ServerConfig::default() },
            ServerConfig { max_value_bytes: 0, ..ServerConfig::default() },
            ServerConfig { max_value_bytes: MAX_VALUE_BYTES_LIMIT + 1, ..ServerConfig::default() },
            ServerConfig { threads: 0, ..ServerConfig::default() },
        ];
        for config in refused {
            assert!(matches!(config.validate(), Err(ConfigError::OutOfRange { .. })), "{config:?}");
        }
    }
}
