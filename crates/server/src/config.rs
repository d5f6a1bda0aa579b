//! Configuration of a server, its defaults and its limits.

mod error;
mod validate;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use rustvault_protocol::Limits;
use rustvault_storage::{DEFAULT_COMPACT_MIN_BYTES, DEFAULT_COMPACT_RATIO, LogFormat, Options, SyncPolicy};
use rustvault_users::Users;
use tracing::level_filters::LevelFilter;

use crate::tls::TlsConfig;
use crate::{CpuAffinity, Password};

pub use error::ConfigError;

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
}
