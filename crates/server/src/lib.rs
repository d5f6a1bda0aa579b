//! The RustVault server: serves a store over TCP and Unix sockets, in text and RESP.
#![doc = include_str!("../README.md")]
// They panic when nobody reads.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod acceptor;
mod access;
mod addr;
mod batch;
mod buffer_budget;
mod buffers;
mod check;
mod clients;
mod closing;
mod commands;
mod config;
mod connection;
mod deadlines;
mod descriptors;
mod engine;
mod error;
mod http;
mod info;
mod input;
mod latency;
mod lifecycle;
mod linger;
mod listener;
mod login;
pub mod metrics;
mod monitors;
pub mod options;
mod outbox;
mod preview;
mod process_stats;
mod public;
mod rate_limit;
mod redact;
mod reload;
mod respond;
mod server;
mod session;
mod slow_log;
mod tcp_options;
mod threads;
mod tls;
mod transport;
mod unix_socket;

pub use config::{
    ConfigError, DEFAULT_BIND_ADDR, DEFAULT_MAX_BUFFER_BYTES, DEFAULT_MAX_CONNECTIONS,
    DEFAULT_MAX_OUTPUT_BYTES, DEFAULT_REQUEST_TIMEOUT, DEFAULT_RESERVED_DESCRIPTORS,
    DEFAULT_SLOW_LOG_ENTRIES, DEFAULT_SLOW_THRESHOLD, DEFAULT_TCP_KEEPALIVE, DEFAULT_WAL_PATH,
    MAX_BIND_ADDRS, MAX_CONNECTIONS_LIMIT, MAX_IDLE_TIMEOUT, MAX_RESERVED_DESCRIPTORS, MAX_SLOW_LOG_ENTRIES,
    MAX_SLOW_THRESHOLD, MAX_TCP_KEEPALIVE, MAX_THREADS, MAX_VALUE_BYTES_LIMIT, MessageFormat, ServerConfig,
};
pub use error::{Error, UnixSocketError};
pub use lifecycle::{Lifecycle, Phase};
pub use listener::Listeners;
pub use login::{LoadUsersError, Password, PasswordError};
pub use reload::{ConfigSource, ReloadCounts, ReloadError};
pub use server::{Server, serve};
pub use threads::CpuAffinity;
pub use tls::{
    ClientAuth, ClientCertUser, DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_HANDSHAKES, MAX_HANDSHAKE_TIMEOUT,
    MAX_HANDSHAKES_LIMIT, MinTlsVersion, TlsConfig, TlsError, TlsProblem,
};
