//! The engine: the store, limits, counters and clients that all listeners share. It knows no socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustvault_protocol::Limits;
use rustvault_storage::SyncPolicy;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ServerConfig;
use crate::clients::Clients;
use crate::closing::Closings;
use crate::rate_limit::RateLimit;

/// State that all listeners and connections of a server share.
#[derive(Debug)]
pub(crate) struct Engine<S> {
    pub(crate) store: S,
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) started: Instant,
    pub(crate) sync_policy: SyncPolicy,
    pub(crate) wal_path: PathBuf,
    pub(crate) threads: usize,
    pub(crate) max_connections: usize,
    /// One permit for each connection that may be open, over all listeners.
    pub(crate) connection_permits: Arc<Semaphore>,
    pub(crate) max_memory_bytes: Option<u64>,
    pub(crate) max_output_bytes: usize,
    pub(crate) tcp_keepalive: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    /// The permit of the one background compaction (`BGREWRITEAOF`).
    pub(crate) background_compaction: Arc<Semaphore>,
}

impl<S> Engine<S> {
    pub(crate) fn new(store: S, config: &ServerConfig) -> Self {
        Self {
            store,
            limits: config.limits(),
            counters: Arc::default(),
            clients: Arc::default(),
            started: Instant::now(),
            sync_policy: config.sync_policy,
            wal_path: config.wal_path.clone(),
            threads: config.threads,
            max_connections: config.max_connections,
            connection_permits: Arc::new(Semaphore::new(config.max_connections)),
            max_memory_bytes: config.max_memory_bytes,
            max_output_bytes: config.max_output_bytes,
            tcp_keepalive: config.tcp_keepalive,
            idle_timeout: config.idle_timeout,
            background_compaction: Arc::new(Semaphore::new(1)),
        }
    }
}

/// Counters of the server, in addition to the store's statistics.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Counter,
    pub(crate) total_connections: Counter,
    pub(crate) rejected_connections: Counter,
    pub(crate) closings: Closings,
    /// Warnings about refused connections.
    pub(crate) refusal_warnings: RateLimit,
    pub(crate) total_commands: Counter,
    pub(crate) total_errors: Counter,
}

/// Counts a connection as open until it is dropped, so also when its task panics.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    counters: Arc<Counters>,
    _permit: OwnedSemaphorePermit,
}

impl OpenConnection {
    pub(crate) fn new(counters: &Arc<Counters>, permit: OwnedSemaphorePermit) -> Self {
        counters.connections.add(1);
        counters.total_connections.add(1);
        Self { counters: Arc::clone(counters), _permit: permit }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.connections.decrement();
    }
}

/// A counter for people. No other memory access is ordered by it, so relaxed accesses suffice.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
