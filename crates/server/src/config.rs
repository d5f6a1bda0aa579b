//! Configuration of a server, its defaults and its limits.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use rustvault_protocol::Limits;
use rustvault_storage::{DEFAULT_COMPACT_MIN_BYTES, DEFAULT_COMPACT_RATIO, LogFormat, Options, SyncPolicy};
use rustvault_users::Users;
use tracing::level_filters::LevelFilter;

use crate::tls::{ClientAuth, ClientCertUser, MAX_HANDSHAKE_TIMEOUT, MAX_HANDSHAKES_LIMIT, TlsConfig};
use crate::{CpuAffinity, Password};

/// Default address to listen on.
pub const DEFAULT_BIND_ADDR: &str = "127.0.0.1:8080";

/// Most addresses to listen on.
pub const MAX_BIND_ADDRS: usize = 64;

/// Default path of the log.
pub const DEFAULT_WAL_PATH: &str = "vault.log";

/// Default of `max_connections`.
pub const DEFAULT_MAX_CONNECTIONS: usize = 1000;

/// Highest accepted `max_connections`.
pub const MAX_CONNECTIONS_LIMIT: usize = 1_000_000;

/// Highest accepted `max_value_bytes`: 512 MiB. A command with such a value, even if every byte is escaped, stays below 4 GiB,
/// the limit of a batch in the log.
pub const MAX_VALUE_BYTES_LIMIT: usize = 1 << 29;

/// Default of `max_output_bytes`.
pub const DEFAULT_MAX_OUTPUT_BYTES: usize = 32 * 1024 * 1024;

/// Highest accepted number of threads.
pub const MAX_THREADS: usize = 1024;

/// Default of `tcp_keepalive`: a minute. Common firewalls and address translators forget a connection later than that, so the
/// probes also keep idle connections open. Redis's default is 300 s.
pub const DEFAULT_TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Longest accepted `tcp_keepalive`, which is the kernel's limit (`MAX_TCP_KEEPIDLE`).
pub const MAX_TCP_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// Longest accepted `idle_timeout`: a year.
pub const MAX_IDLE_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Default of `request_timeout`: a minute, as long as a client may read nothing of its answers.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Default of `max_buffer_bytes`: 1 GiB. That is room for sixteen of the longest commands at a time with the default of
/// `max_value_bytes`, and for thousands of common ones.
pub const DEFAULT_MAX_BUFFER_BYTES: usize = 1 << 30;

/// Default of `reserved_descriptors`. A compaction and a reload open a few files each, others are opened
/// by the runtime's threads.
pub const DEFAULT_RESERVED_DESCRIPTORS: usize = 32;

/// Highest accepted `reserved_descriptors`.
pub const MAX_RESERVED_DESCRIPTORS: usize = 4096;

/// Default of `slow_threshold`. A sync of a disk that is not busy takes less, so what takes longer is worth a look.
pub const DEFAULT_SLOW_THRESHOLD: Duration = Duration::from_millis(100);

/// Longest accepted `slow_threshold`.
pub const MAX_SLOW_THRESHOLD: Duration = Duration::from_secs(60 * 60);

/// Default of `slow_log_entries`, as in Redis.
pub const DEFAULT_SLOW_LOG_ENTRIES: usize = 128;

/// Highest accepted `slow_log_entries`. An entry takes up to 5 KiB.
pub const MAX_SLOW_LOG_ENTRIES: usize = 10_000;

/// Settings of a server.
///
/// ```
/// let mut config = rustvault_server::ServerConfig::default();
/// config.bind_addrs = vec!["127.0.0.1:0".to_owned()];
/// config.max_connections = 50;
/// config.validate()?;
/// # Ok::<(), rustvault_server::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Addresses to listen on, 1 to [`MAX_BIND_ADDRS`], each `host:port`; port 0 lets the system choose one.
    /// [`DEFAULT_BIND_ADDR`] by default.
    pub bind_addrs: Vec<String>,
    /// Path of a Unix socket to listen on as well; none by default. It is created with mode 0660, and removed at the end.
    pub unix_socket: Option<PathBuf>,
    /// Addresses of HTTP, each `host:port`; none by default.
    pub http_addrs: Vec<String>,
    /// Path of the log; a missing log is created. [`DEFAULT_WAL_PATH`] by default.
    pub wal_path: PathBuf,
    /// Most connections at a time, 1 to [`MAX_CONNECTIONS_LIMIT`]; [`DEFAULT_MAX_CONNECTIONS`] by default.
    pub max_connections: usize,
    /// Policy by which writes are synced; [`SyncPolicy::Always`] by default.
    pub sync_policy: SyncPolicy,
    /// Longest value in bytes, 1 to [`MAX_VALUE_BYTES_LIMIT`]; 16 MiB by default.
    pub max_value_bytes: usize,
    /// Format of the log. An existing log in another format is converted by its next compaction. With `None`, the default, a
    /// new log is binary, and an existing one keeps its format.
    pub wal_format: Option<LogFormat>,
    /// Ratio of the log's size to that of its live data at which the log is compacted: above 1; 2 by default.
    pub compact_ratio: f64,
    /// Least size of a log that is compacted automatically, in bytes; 32 MiB by default.
    pub compact_min_bytes: u64,
    /// Most bytes of memory for keys, values and tables; beyond it, writes are refused. No limit by default.
    pub max_memory_bytes: Option<u64>,
    /// Most bytes of stored values, or of listed keys, that one connection holds for an answer that its client has not
    /// read; at least 1. A single value may exceed it. [`DEFAULT_MAX_OUTPUT_BYTES`] by default.
    pub max_output_bytes: usize,
    /// Threads that serve connections, 1 to [`MAX_THREADS`]; one per core by default.
    pub threads: usize,
    /// Pinning of threads to cores, only by a [`Server`](crate::Server); [`CpuAffinity::Off`] by default.
    pub cpu_affinity: CpuAffinity,
    /// Silence after which the kernel probes whether a client's machine is still there, in whole seconds, 1 s to
    /// [`MAX_TCP_KEEPALIVE`]; `None` for never. [`DEFAULT_TCP_KEEPALIVE`] by default.
    pub tcp_keepalive: Option<Duration>,
    /// Time without a request after which a connection is closed, 1 s to [`MAX_IDLE_TIMEOUT`]; `None`, the default, for
    /// never.
    pub idle_timeout: Option<Duration>,
    /// Users at the start. Connections then begin logged out; without users, the default, everybody may do everything.
    pub users: Option<Arc<Users>>,
    /// Time in which a request that has begun to arrive must bring its end, or 64 KiB more, 1 s to [`MAX_IDLE_TIMEOUT`];
    /// `None` for no limit. [`DEFAULT_REQUEST_TIMEOUT`] by default.
    pub request_timeout: Option<Duration>,
    /// Most bytes that all connections together hold in buffers, beyond 128 KiB that each may hold anyway: at least twice
    /// `max_value_bytes`. [`DEFAULT_MAX_BUFFER_BYTES`] by default.
    pub max_buffer_bytes: usize,
    /// File of further users, which is read at the start; none by default.
    pub users_path: Option<PathBuf>,
    /// Password of the user `default`, who may do everything; none by default.
    pub password: Option<Password>,
    /// Allows everybody who reaches the server to do everything although a bind address is beyond loopback. Without it and
    /// without users, [`Server::bind`](crate::Server::bind) refuses such an address. Unset by default.
    pub allow_unauthenticated: bool,
    /// TLS; off by default.
    pub tls: TlsConfig,
    /// Open files, below the process's limit of them, that connections leave free for the log, compactions and reloads, 1 to
    /// [`MAX_RESERVED_DESCRIPTORS`]; a quarter of that limit if it is less. [`DEFAULT_RESERVED_DESCRIPTORS`] by default.
    pub reserved_descriptors: usize,
    /// Time from which a command is slow, in whole microseconds, up to [`MAX_SLOW_THRESHOLD`]; `None` for never.
    /// [`DEFAULT_SLOW_THRESHOLD`] by default.
    pub slow_threshold: Option<Duration>,
    /// Time from which a command or a sync is a latency event, in whole microseconds, up to [`MAX_SLOW_THRESHOLD`]; `None`, the
    /// default, for never.
    pub latency_threshold: Option<Duration>,
    /// Slow commands that are remembered, 1 to [`MAX_SLOW_LOG_ENTRIES`]; [`DEFAULT_SLOW_LOG_ENTRIES`] by default.
    pub slow_log_entries: usize,
    /// Format of messages, [`MessageFormat::Text`] by default. The daemon reads it; the library reports by tracing.
    pub message_format: MessageFormat,
    /// Least important messages that are printed, `info` by default. The daemon reads it.
    pub message_level: LevelFilter,
}

/// Format of the daemon's messages on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MessageFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

impl fmt::Display for MessageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind_addrs: vec![DEFAULT_BIND_ADDR.to_owned()],
            unix_socket: None,
            http_addrs: Vec::new(),
            wal_path: PathBuf::from(DEFAULT_WAL_PATH),
            max_connections: DEFAULT_MAX_CONNECTIONS,
            sync_policy: SyncPolicy::default(),
            max_value_bytes: Options::default().max_value_bytes,
            wal_format: None,
            compact_ratio: DEFAULT_COMPACT_RATIO,
            compact_min_bytes: DEFAULT_COMPACT_MIN_BYTES,
            max_memory_bytes: None,
            max_output_bytes: DEFAULT_MAX_OUTPUT_BYTES,
            threads: default_threads(),
            cpu_affinity: CpuAffinity::Off,
            tcp_keepalive: Some(DEFAULT_TCP_KEEPALIVE),
            idle_timeout: None,
            users: None,
            users_path: None,
            password: None,
            allow_unauthenticated: false,
            reserved_descriptors: DEFAULT_RESERVED_DESCRIPTORS,
            slow_threshold: Some(DEFAULT_SLOW_THRESHOLD),
            latency_threshold: None,
            slow_log_entries: DEFAULT_SLOW_LOG_ENTRIES,
            message_format: MessageFormat::Text,
            message_level: LevelFilter::INFO,
            request_timeout: Some(DEFAULT_REQUEST_TIMEOUT),
            max_buffer_bytes: DEFAULT_MAX_BUFFER_BYTES,
            tls: TlsConfig::default(),
        }
    }
}

impl ServerConfig {
    /// Checks every field, as [`Server::bind`](crate::Server::bind) and [`serve`](crate::serve) do.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let commands = || self.bind_addrs.iter().chain(&self.tls.bind_addrs);
        let http = || self.http_addrs.iter().chain(&self.tls.http_addrs);
        let addrs = || commands().chain(http());
        check_range("bind_addrs", commands().count(), MAX_BIND_ADDRS)?;
        // None is as good.
        check_range("http_addrs", http().count().max(1), MAX_BIND_ADDRS)?;
        addrs().try_for_each(|addr| check_bind_addr(addr))?;
        check_repeated_addrs(addrs())?;
        check_tls(&self.tls)?;
        check_range("max_connections", self.max_connections, MAX_CONNECTIONS_LIMIT)?;
        check_range("max_value_bytes", self.max_value_bytes, MAX_VALUE_BYTES_LIMIT)?;
        check_range("max_output_bytes", self.max_output_bytes, usize::MAX)?;
        check_range("threads", self.threads, MAX_THREADS)?;
        check_seconds("tcp_keepalive", self.tcp_keepalive, MAX_TCP_KEEPALIVE)?;
        check_seconds("idle_timeout", self.idle_timeout, MAX_IDLE_TIMEOUT)?;
        check_seconds("request_timeout", self.request_timeout, MAX_IDLE_TIMEOUT)?;
        check_range("slow_log_entries", self.slow_log_entries, MAX_SLOW_LOG_ENTRIES)?;
        check_range("reserved_descriptors", self.reserved_descriptors, MAX_RESERVED_DESCRIPTORS)?;
        check_max_buffer(self.max_buffer_bytes, self.max_value_bytes)?;
        check_compact_ratio(self.compact_ratio)?;
        check_max_memory(self.max_memory_bytes)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { max_value_bytes: self.max_value_bytes, ..Limits::default() }
    }

    pub(crate) fn store_options(&self) -> Options {
        let mut options = Options::default();
        options.sync_policy = self.sync_policy;
        options.max_key_bytes = self.limits().max_key_bytes;
        options.max_value_bytes = self.max_value_bytes;
        options.log_format = self.wal_format;
        options.compact_ratio = self.compact_ratio;
        options.compact_min_bytes = self.compact_min_bytes;
        options.max_memory_bytes = self.max_memory_bytes;
        options
    }
}

/// Invalid field of a [`ServerConfig`].
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

fn check_bind_addr(addr: &str) -> Result<(), ConfigError> {
    let is_host_and_port =
        addr.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_host_and_port { Ok(()) } else { Err(ConfigError::BindAddr { addr: addr.to_owned() }) }
}

/// Refuses repeated addresses. Binding the second one would report a port in use, as if by another program.
fn check_repeated_addrs<'a>(addrs: impl Iterator<Item = &'a String>) -> Result<(), ConfigError> {
    let mut earlier = HashSet::new();
    let has_port = |addr: &&String| !addr.ends_with(":0");
    match addrs.filter(has_port).find(|addr| !earlier.insert(addr.as_str())) {
        Some(addr) => Err(ConfigError::RepeatedBindAddr { addr: addr.clone() }),
        None => Ok(()),
    }
}

fn check_range(field: &'static str, value: usize, max: usize) -> Result<(), ConfigError> {
    if (1..=max).contains(&value) { Ok(()) } else { Err(ConfigError::OutOfRange { field, value, max }) }
}

fn check_seconds(field: &'static str, value: Option<Duration>, max: Duration) -> Result<(), ConfigError> {
    match value.filter(|value| !(Duration::from_secs(1)..=max).contains(value)) {
        Some(value) => Err(ConfigError::DurationOutOfRange { field, value, max }),
        None => Ok(()),
    }
}

fn check_compact_ratio(ratio: f64) -> Result<(), ConfigError> {
    if ratio.is_finite() && ratio > 1.0 { Ok(()) } else { Err(ConfigError::CompactRatio { ratio }) }
}

fn check_max_memory(max_memory_bytes: Option<u64>) -> Result<(), ConfigError> {
    if max_memory_bytes == Some(0) { Err(ConfigError::NoMemory) } else { Ok(()) }
}

/// Refuses a limit at which a client that is alone could not store the longest value.
fn check_max_buffer(value: usize, max_value_bytes: usize) -> Result<(), ConfigError> {
    let min = max_value_bytes.saturating_mul(2);
    if value >= min { Ok(()) } else { Err(ConfigError::BufferBytes { value, min }) }
}

fn check_tls(tls: &TlsConfig) -> Result<(), ConfigError> {
    check_seconds("tls.handshake-timeout", Some(tls.handshake_timeout), MAX_HANDSHAKE_TIMEOUT)?;
    check_range("tls.max-handshakes", tls.max_handshakes, MAX_HANDSHAKES_LIMIT)?;
    let (is_on, has_pair) = (tls.is_on(), tls.cert.is_some() && tls.key.is_some());
    let reason = if is_on && !has_pair {
        "tls.bind and tls.http need a certificate and its key: set tls.cert and tls.key"
    } else if !is_on && (tls.cert.is_some() || tls.key.is_some()) {
        "tls.cert and tls.key have no use without an address: set tls.bind, for example to 127.0.0.1:8443, or tls.http"
    } else if tls.client_auth != ClientAuth::Off && tls.client_ca.is_none() {
        "tls.client-auth needs the authority that issues the clients' certificates: set tls.client-ca"
    } else if tls.client_auth == ClientAuth::Off && tls.client_cert_user != ClientCertUser::Off {
        "tls.client-cert-user needs client certificates: set tls.client-auth to optional or required"
    } else {
        return Ok(());
    };
    Err(ConfigError::Tls { reason })
}

/// Returns the number of cores that the process had at first. A reload may run on a thread that has been pinned since, and would
/// see fewer.
fn default_threads() -> usize {
    static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    (*CORES).min(MAX_THREADS)
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
    fn an_address_is_given_once_unless_the_system_chooses_its_port() {
        let validate = |addrs: &[&str]| {
            let bind_addrs = addrs.iter().map(|addr| (*addr).to_owned()).collect();
            ServerConfig { bind_addrs, ..ServerConfig::default() }.validate()
        };
        let refusal = validate(&["[::1]:1", "localhost:1", "localhost:1"]).map_err(|error| error.to_string());
        assert_eq!(refusal, Err("the address 'localhost:1' is given twice: give it once".to_owned()));
        assert_eq!(validate(&["localhost:1", "localhost:2"]), Ok(()));
        assert_eq!(validate(&["localhost:0", "localhost:0"]), Ok(()));
    }

    #[test]
    fn a_compact_ratio_must_be_a_number_above_1() {
        for compact_ratio in [1.0, 0.0, -2.0, f64::NAN, f64::INFINITY] {
            let config = ServerConfig { compact_ratio, ..ServerConfig::default() };
            assert!(matches!(config.validate(), Err(ConfigError::CompactRatio { .. })), "{compact_ratio}");
        }
        assert_eq!(ServerConfig { compact_ratio: 1.01, ..ServerConfig::default() }.validate(), Ok(()));
    }

    #[test]
    fn a_memory_limit_of_nothing_is_refused() {
        let config = ServerConfig { max_memory_bytes: Some(0), ..ServerConfig::default() };
        assert_eq!(config.validate(), Err(ConfigError::NoMemory));
    }

    #[test]
    fn a_limit_on_buffers_has_room_for_the_longest_value_and_its_double() {
        let config = |max_buffer_bytes, max_value_bytes| {
            ServerConfig { max_buffer_bytes, max_value_bytes, ..ServerConfig::default() }.validate()
        };
        assert_eq!(config(2000, 1000), Ok(()));
        assert_eq!(config(1999, 1000), Err(ConfigError::BufferBytes { value: 1999, min: 2000 }));
        assert_eq!(config(DEFAULT_MAX_BUFFER_BYTES, MAX_VALUE_BYTES_LIMIT), Ok(()));
    }

    #[test]
    fn durations_out_of_range_are_refused() {
        let (no_time, too_long) = (Some(Duration::ZERO), Some(MAX_IDLE_TIMEOUT + Duration::from_secs(1)));
        for value in [no_time, too_long] {
            for config in [
                ServerConfig { tcp_keepalive: value, ..ServerConfig::default() },
                ServerConfig { idle_timeout: value, ..ServerConfig::default() },
                ServerConfig { request_timeout: value, ..ServerConfig::default() },
            ] {
                assert!(
                    matches!(config.validate(), Err(ConfigError::DurationOutOfRange { .. })),
                    "{config:?}"
                );
            }
        }
    }

    #[test]
    fn every_setting_of_the_store_reaches_it() {
        let config = ServerConfig {
            sync_policy: SyncPolicy::Never,
            max_value_bytes: 7,
            wal_format: Some(LogFormat::Json),
            compact_ratio: 3.5,
            compact_min_bytes: 5,
            max_memory_bytes: Some(9),
            ..ServerConfig::default()
        };
        let options = config.store_options();
        assert_eq!((options.sync_policy, options.max_value_bytes), (SyncPolicy::Never, 7));
        assert_eq!(options.log_format, Some(LogFormat::Json));
        assert_eq!((options.compact_ratio, options.compact_min_bytes), (3.5, 5));
        assert_eq!(options.max_memory_bytes, Some(9));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let refused = [
            ServerConfig { max_connections: 0, ..ServerConfig::default() },
            ServerConfig { max_connections: MAX_CONNECTIONS_LIMIT + 1, ..ServerConfig::default() },
            ServerConfig { max_value_bytes: 0, ..ServerConfig::default() },
            ServerConfig { max_value_bytes: MAX_VALUE_BYTES_LIMIT + 1, ..ServerConfig::default() },
            ServerConfig { bind_addrs: Vec::new(), ..ServerConfig::default() },
            ServerConfig { threads: 0, ..ServerConfig::default() },
            ServerConfig { reserved_descriptors: 0, ..ServerConfig::default() },
        ];
        for config in refused {
            assert!(matches!(config.validate(), Err(ConfigError::OutOfRange { .. })), "{config:?}");
        }
    }
}
