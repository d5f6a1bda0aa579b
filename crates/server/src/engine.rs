//! The engine, which listeners share: the store, limits, counters, clients. It knows no socket.

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

/// The part of a server that all its listeners and connections share.
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
    /// Permits as many connections, whichever listener they come to.
    pub(crate) connection_permits: Arc<Semaphore>,
    pub(crate) max_memory_bytes: Option<u64>,
    pub(crate) max_output_bytes: usize,
    pub(crate) tcp_keepalive: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    /// Permits one compaction that was begun without waiting for its end.
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

/// Counters that a server keeps in addition to the store's own figures.
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

/// Counts a connection as open, also when its task panics.
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

/// A figure for people; it orders nothing, so relaxed is enough.
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
