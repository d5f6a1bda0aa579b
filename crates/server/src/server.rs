//! A server: binds, recovers its log, serves until it is told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustvault_storage::batch::BatchStore;
use rustvault_storage::{DurableStore, LogFormat, Stats};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::acceptor::Acceptor;
use crate::engine::Engine;
use crate::listener::{Listener, Listeners};
use crate::threads::affinity::LogWriter;
use crate::threads::worker::Workers;
use crate::{CpuAffinity, Error, ServerConfig};

/// Longest time that connections get to finish at a stop; with the last sync, a stop stays below ten seconds.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Longest time that error answers get to leave once the log has failed.
const FAILURE_DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// A durable server that has its addresses and has recovered its log, but serves nobody yet.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    local_addrs: Box<[SocketAddr]>,
    store: DurableStore,
    config: ServerConfig,
}

impl Server {
    /// Binds the addresses, then opens the log and recovers what it holds.
    ///
    /// Connections that come meanwhile wait.
    ///
    /// # Errors
    /// A field of `config` out of range, an address that cannot be listened on, a log that cannot be opened.
    pub async fn bind(config: ServerConfig) -> Result<Self, Error> {
        config.validate()?;
        let (listeners, local_addrs) = listen(&config).await?;
        let (path, options) = (config.wal_path.clone(), config.store_options());
        let store = blocking(move || DurableStore::open(path, options)).await??;
        Ok(Self { listeners, local_addrs, store, config })
    }

    /// The address that is listened on, with the real port; of several the first.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addrs[0]
    }

    /// All addresses that are listened on, with their real ports, in the order of
    /// [`bind_addrs`](ServerConfig::bind_addrs).
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// The path of the Unix socket that is listened on, if there is one.
    pub fn unix_socket(&self) -> Option<&Path> {
        self.config.unix_socket.as_deref()
    }

    /// Serves until `shutdown` ends, then lets every connection finish what was received, for five seconds
    /// at most, and closes the log.
    ///
    /// Dropping the future ends at once, as a crash would: what was answered is kept.
    ///
    /// # Errors
    /// [`Error::Store`] once the log has failed; the server takes no more writes then and has stopped.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        self.log_start(&self.store.stats().await?);
        let stop = async {
            tokio::select! {
                () = shutdown => Shutdown { failure: None, drain_limit: DRAIN_LIMIT },
                failure = self.store.poisoned() => {
                    Shutdown { failure: Some(failure), drain_limit: FAILURE_DRAIN_LIMIT }
                }
            }
        };
        let writer = self.pinned_writer();
        let failure = serve_until(self.listeners, self.store.clone(), &self.config, writer, stop).await?;
        if let Some(failure) = failure {
            return Err(Error::Store(failure));
        }
        let store = self.store;
        blocking(move || store.close()).await??;
        info!("stopped");
        Ok(())
    }

    /// Returns the log writer, if threads are to be pinned.
    fn pinned_writer(&self) -> Option<LogWriter> {
        match self.config.cpu_affinity {
            CpuAffinity::Off => None,
            CpuAffinity::Auto => {
                Some(LogWriter { thread: self.store.writer_thread(), log: self.config.wal_path.clone() })
            }
        }
    }

    fn log_start(&self, stats: &Stats) {
        let wal_format = stats.log_format;
        let recovery = self.store.recovery();
        if recovery.torn_bytes_dropped > 0 {
            let bytes = recovery.torn_bytes_dropped;
            warn!(bytes, "dropped the torn tail of the log: unconfirmed writes that a crash cut off");
        }
        self.warn_of_full_memory(stats);
        for address in self.local_addrs.iter().filter(|addr| !addr.ip().is_loopback()) {
            warn!(%address, "anybody who can reach this address can read and write: there is no authentication");
        }
        info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %join(&self.local_addrs),
            unix_socket = self.unix_socket().map(|path| path.display().to_string()),
            wal = %self.config.wal_path.display(),
            wal_format = (wal_format != LogFormat::Binary).then(|| wal_format.to_string()),
            fsync = %self.config.sync_policy,
            keys_recovered = recovery.keys,
            recovery_ms = recovery.elapsed.as_millis() as u64,
            "ready"
        );
    }

    /// Warns of a limit that leaves room for no write that adds something.
    fn warn_of_full_memory(&self, stats: &Stats) {
        let Some(max_memory_bytes) = self.config.max_memory_bytes.filter(|max| *max <= stats.used_bytes)
        else {
            return;
        };
        let used_bytes = stats.used_bytes;
        if stats.keys == 0 {
            warn!(
                used_bytes,
                max_memory_bytes,
                "no write can succeed: an empty store takes more than --max-memory; raise it"
            );
        } else {
            warn!(
                used_bytes,
                max_memory_bytes,
                "writes that add data are refused: --max-memory is used up; raise it or delete keys"
            );
        }
    }
}

/// Serves any store, for example a [`MemoryStore`](rustvault_storage::MemoryStore), on listeners of the
/// caller's until `shutdown` ends; then lets every connection finish what was received, for five seconds
/// at most. The store stays open.
///
/// Ignores the addresses and the CPU affinity of `config`; the path of the log and the sync policy are only shown by `INFO`.
///
/// # Errors
/// A field of `config` out of range, or a system that refuses the threads.
pub async fn serve<S: BatchStore>(
    listeners: impl Into<Listeners>,
    store: S,
    config: &ServerConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    config.validate()?;
    let stop = async {
        shutdown.await;
        Shutdown { failure: None, drain_limit: DRAIN_LIMIT }
    };
    serve_until(listeners.into(), store, config, None, stop).await.map(|_| ())
}

/// Why and how a server stops.
struct Shutdown {
    failure: Option<rustvault_storage::Error>,
    drain_limit: Duration,
}

async fn serve_until<S: BatchStore>(
    listeners: Listeners,
    store: S,
    config: &ServerConfig,
    log_writer: Option<LogWriter>,
    stop: impl Future<Output = Shutdown>,
) -> Result<Option<rustvault_storage::Error>, Error> {
    let engine = Arc::new(Engine::new(store, config));
    let mut workers = Workers::start(&engine, log_writer)?;
    let stop = Acceptor::new(listeners, &workers, &engine).run(stop).await?;
    debug!(connections = engine.counters.connections.get(), "stopping");
    workers.stop();
    if timeout(stop.drain_limit, workers.ended()).await.is_err() {
        warn!(
            connections = engine.counters.connections.get(),
            "dropping connections that do not read their answers"
        );
        workers.abort();
        workers.ended().await;
    }
    workers.join()?;
    Ok(stop.failure)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|_| Error::ThreadDied)
}

/// Listens on all addresses of the configuration; returns those of TCP with their real ports.
async fn listen(config: &ServerConfig) -> Result<(Listeners, Box<[SocketAddr]>), Error> {
    let (mut listeners, mut local_addrs) = (Vec::new(), Vec::new());
    for addr in &config.bind_addrs {
        let (listener, local_addr) = Listener::bind(addr).await?;
        listeners.push(listener);
        local_addrs.push(local_addr);
    }
    if let Some(path) = &config.unix_socket {
        listeners.push(Listener::bind_unix(path).await?);
    }
    Ok((listeners.into(), local_addrs.into()))
}

fn join(addrs: &[SocketAddr]) -> String {
    addrs.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
}
