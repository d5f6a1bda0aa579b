//! The engine: the store, limits, counters and clients that all listeners share. It knows no socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use rustvault_protocol::Limits;
use rustvault_users::Users;
use tokio::sync::Semaphore;

use crate::access::UserAccess;
use crate::buffer_budget::BufferBudget;
use crate::clients::Clients;
use crate::closing::Closings;
use crate::http::HttpCounters;
use crate::info::RateSampler;
use crate::latency::LatencyEvents;
use crate::login::Logins;
use crate::metrics::{ListenerKind, Metrics};
use crate::monitors::Monitors;
use crate::public::TcpAddrs;
use crate::rate_limit::RateLimit;
use crate::reload::{FilesSeen, Reloads};
use crate::slow_log::SlowLog;
use crate::tls::{LoadedTls, TlsState};
use crate::{Lifecycle, ServerConfig, TlsConfig};

/// Hexadecimal digits of a run's name, as in Redis.
const RUN_ID_DIGITS: usize = 40;

/// State that all listeners and connections of a server share.
#[derive(Debug)]
pub(crate) struct Engine<S> {
    pub(crate) store: S,
    /// The users, whose rights decide about every request.
    pub(crate) access: Arc<UserAccess>,
    pub(crate) logins: Arc<Logins>,
    /// The limits on requests, which stay as they were at the start.
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counters>,
    /// Counters and histograms of the workers.
    pub(crate) metrics: Metrics,
    pub(crate) slow_log: SlowLog,
    /// Samples that the rates of `INFO` are computed from.
    pub(crate) rates: RateSampler,
    pub(crate) latency: LatencyEvents,
    pub(crate) clients: Arc<Clients>,
    /// Counters of HTTP.
    pub(crate) http: Arc<HttpCounters>,
    /// The clients that are sent what all clients do.
    pub(crate) monitors: Arc<Monitors>,
    pub(crate) started: Instant,
    pub(crate) lifecycle: Lifecycle,
    /// Random name of this run, 40 hexadecimal digits, by which tools notice a restart.
    pub(crate) run_id: String,
    config: ArcSwap<ServerConfig>,
    /// Counts the changes of `config`, for those that keep something of it.
    config_generation: AtomicU64,
    pub(crate) reloads: Reloads,
    /// The memory of the connections' buffers.
    pub(crate) buffers: Arc<BufferBudget>,
    pub(crate) tls: Arc<TlsState>,
    /// The permit of the one background compaction (`BGREWRITEAOF`).
    pub(crate) background_compaction: Arc<Semaphore>,
}

impl<S> Engine<S> {
    pub(crate) fn new(store: S, config: &ServerConfig) -> Self {
        let started = Instant::now();
        Self {
            store,
            access: Arc::new(UserAccess::new(config.users.clone())),
            logins: Arc::default(),
            limits: config.limits(),
            counters: Arc::default(),
            metrics: Metrics::new(config.threads),
            slow_log: SlowLog::new(config),
            rates: RateSampler::new(started),
            latency: LatencyEvents::default(),
            clients: Arc::default(),
            http: Arc::default(),
            lifecycle: Lifecycle::default(),
            started,
            run_id: (0..RUN_ID_DIGITS).map(|_| fastrand::digit(16)).collect(),
            monitors: Arc::default(),
            config: ArcSwap::from_pointee(config.clone()),
            config_generation: AtomicU64::new(0),
            reloads: Reloads::new(None, FilesSeen::none(), TcpAddrs::default()),
            buffers: Arc::default(),
            tls: Arc::new(TlsState::new(&config.tls)),
            background_compaction: Arc::new(Semaphore::new(1)),
        }
    }

    /// Sets the users, in place of those of the configuration, which are a part of them.
    #[cfg(test)]
    pub(crate) fn with_users(mut self, users: Option<Users>) -> Self {
        self.access = Arc::new(UserAccess::new(users.map(Arc::new)));
        self
    }

    /// Sets what decides who a client is, in place of the users of the configuration, which are a part of it.
    pub(crate) fn with_identification(mut self, identification: &Identification) -> Self {
        let Identification { access, logins, tls } = identification.clone();
        (self.access, self.logins, self.tls) = (access, logins, tls);
        self
    }

    /// Sets the counters of HTTP, which is served already.
    pub(crate) fn with_http(mut self, counters: Option<Arc<HttpCounters>>) -> Self {
        self.http = counters.unwrap_or_default();
        self
    }

    /// Replaces the users. Each session obeys the new ones from its next batch on, and those of removed users are logged out.
    pub(crate) fn replace_users(&self, users: Option<Users>) {
        let users = users.map(Arc::new);
        self.access.replace(users.clone());
        // Behind the users: whoever logs in from now on is one of them.
        self.clients.forget_removed(users.as_deref());
    }

    /// Returns the configuration as of now. A batch loads it once at most: the next one may find another.
    #[inline]
    pub(crate) fn config(&self) -> Guard<Arc<ServerConfig>> {
        self.config.load()
    }

    /// Returns the configuration as of now, for those that keep it for long.
    pub(crate) fn config_full(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Returns the configuration if it was replaced since `generation`, which becomes the present one.
    #[inline]
    pub(crate) fn config_since(&self, generation: &mut u64) -> Option<Guard<Arc<ServerConfig>>> {
        let present = self.config_generation.load(Ordering::Acquire);
        if present == *generation {
            return None;
        }
        *generation = present;
        Some(self.config())
    }

    /// Replaces the configuration, which must be valid. Everybody finds the new one from the next [`config`](Self::config) on.
    pub(crate) fn replace_config(&self, config: Arc<ServerConfig>) {
        self.slow_log.follow(&config);
        self.config.store(config);
        // After the store: whoever sees the new number finds the new configuration, or a later one.
        self.config_generation.fetch_add(1, Ordering::Release);
        // Connections that wait for their clients have timers by the old one.
        self.clients.wake_all();
    }

    /// Sets the life that the server is in.
    pub(crate) fn with_lifecycle(mut self, lifecycle: Lifecycle) -> Self {
        self.lifecycle = lifecycle;
        self
    }

    /// Sets where reloads get the configuration from, and what they compare with.
    pub(crate) fn with_reloads(mut self, reloads: Reloads) -> Self {
        self.reloads = reloads;
        self
    }
}

/// Users, logins and TLS, by which all listeners find out who a client is. HTTP is served before there is an engine.
#[derive(Debug, Clone)]
pub(crate) struct Identification {
    pub(crate) access: Arc<UserAccess>,
    pub(crate) logins: Arc<Logins>,
    pub(crate) tls: Arc<TlsState>,
}

impl Identification {
    /// Makes the state of a server with these users and files of TLS.
    pub(crate) fn new(users: Option<Users>, config: &TlsConfig, tls: Option<LoadedTls>) -> Self {
        let state = TlsState::new(config);
        state.replace(tls);
        let access = UserAccess::new(users.map(Arc::new));
        Self { access: Arc::new(access), logins: Arc::default(), tls: Arc::new(state) }
    }
}

/// Counters of the server, in addition to the store's statistics.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Counter,
    pub(crate) total_connections: ListenerCounters,
    /// Connections that were rejected because as many as may be were open.
    pub(crate) rejected_for_limit: Counter,
    /// Connections that were rejected because too few descriptors were left.
    pub(crate) rejected_for_descriptors: Counter,
    pub(crate) closings: Closings,
    /// Warnings about refused connections.
    pub(crate) refusal_warnings: RateLimit,
    /// Warnings that connections cannot be accepted at present.
    pub(crate) accept_warnings: RateLimit,
}

impl Counters {
    /// Sets the counters to 0 whose growth people watch; the number of open connections stays.
    pub(crate) fn reset(&self) {
        self.total_connections.reset();
        self.rejected_for_limit.reset();
        self.rejected_for_descriptors.reset();
        self.closings.reset();
    }

    /// Returns the number of connections that were rejected since the last reset.
    pub(crate) fn rejected_connections(&self) -> u64 {
        self.rejected_for_limit.get() + self.rejected_for_descriptors.get()
    }
}

/// Counts a connection as open until it is dropped, so also when its task panics.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    counters: Arc<Counters>,
}

impl OpenConnection {
    /// Returns `None` if so many are open already. There is one acceptor, so nobody else opens one meanwhile.
    pub(crate) fn open(
        counters: &Arc<Counters>,
        listener: ListenerKind,
        max_connections: usize,
    ) -> Option<Self> {
        if counters.connections.get() >= max_connections as u64 {
            return None;
        }
        counters.connections.add(1);
        counters.total_connections.add(listener);
        Some(Self { counters: Arc::clone(counters) })
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counters.connections.decrement();
    }
}

/// Counters of connections, by the kind of listener.
#[derive(Debug, Default)]
pub(crate) struct ListenerCounters([Counter; ListenerKind::ALL.len()]);

impl ListenerCounters {
    fn add(&self, listener: ListenerKind) {
        if let Some(counter) = self.0.get(listener as usize) {
            counter.add(1);
        }
    }

    fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }

    /// Returns the sum of the counts since the last reset.
    pub(crate) fn get(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }

    /// Returns the counts since the start, in the order of [`ListenerKind::ALL`].
    pub(crate) fn by_listener(&self) -> [u64; ListenerKind::ALL.len()] {
        self.0.each_ref().map(Counter::total)
    }
}

/// A counter for people. No other memory access is ordered by it, so relaxed accesses suffice.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    count: AtomicU64,
    /// The count at the last [`reset`](Self::reset).
    reset_at: AtomicU64,
}

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.count.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn decrement(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Makes [`get`](Self::get) begin at 0 again.
    pub(crate) fn reset(&self) {
        self.reset_at.store(self.total(), Ordering::Relaxed);
    }

    /// Returns the count since the last reset, for `INFO`.
    pub(crate) fn get(&self) -> u64 {
        self.total().saturating_sub(self.reset_at.load(Ordering::Relaxed))
    }

    /// Returns the count since the start, for Prometheus, which takes a smaller one for a restart.
    pub(crate) fn total(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_changes_what_info_shows_and_not_what_prometheus_reads() {
        let counters = Arc::new(Counters::default());
        drop(OpenConnection::open(&counters, ListenerKind::Tls, 1).unwrap());
        counters.reset();
        let _open = OpenConnection::open(&counters, ListenerKind::Unix, 1).unwrap();
        assert!(OpenConnection::open(&counters, ListenerKind::Tcp, 1).is_none());
        assert_eq!((counters.total_connections.get(), counters.connections.get()), (1, 1));
        assert_eq!(counters.total_connections.by_listener(), [0, 1, 1]);
    }
}
