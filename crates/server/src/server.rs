//! A server: binds, recovers its log, serves until it is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustvault_storage::engine::BatchStore;
use rustvault_storage::{DurableStore, LogFormat, Stats};
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::engine::Engine;
use crate::listener::Acceptor;
use crate::threads::affinity::LogWriter;
use crate::threads::worker::Workers;
use crate::{CpuAffinity, Error, ServerConfig};

/// How long connections get to finish at a stop; with the last sync it stays below ten seconds.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Connections that may wait to be accepted; the kernel has a limit of its own (net.core.somaxconn). With
/// the usual 128 a thousand clients that come at once lose packets, and some wait seconds for a new try.
const BACKLOG_CONNECTIONS: u32 = 4096;

/// How long error answers get to leave once the log has failed.
const FAILURE_DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// A durable server that has its address and has recovered its log, but serves nobody yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    store: DurableStore,
    config: ServerConfig,
}

impl Server {
    /// Binds the address, then opens the log and recovers what it holds.
    ///
    /// Connections that come meanwhile wait.
    ///
    /// # Errors
    /// A field of `config` out of range, an address that cannot be listened on, a log that cannot be opened.
    pub async fn bind(config: ServerConfig) -> Result<Self, Error> {
        config.validate()?;
        let bind_error = |source| Error::Bind { addr: config.bind_addr.clone(), source };
        let listener = listen(&config.bind_addr).await.map_err(bind_error)?;
        let local_addr = listener.local_addr().map_err(bind_error)?;
        let (path, options) = (config.wal_path.clone(), config.store_options());
        let store = blocking(move || DurableStore::open(path, options)).await??;
        Ok(Self { listener, local_addr, store, config })
    }

    /// The address that is listened on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
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
                () = shutdown => Stop { failure: None, drain_limit: DRAIN_LIMIT },
                failure = self.store.poisoned() => {
                    Stop { failure: Some(failure), drain_limit: FAILURE_DRAIN_LIMIT }
                }
            }
        };
        let writer = self.pinned_writer();
        let failure = serve_until(self.listener, self.store.clone(), &self.config, writer, stop).await?;
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
        if !self.local_addr.ip().is_loopback() {
            warn!(address = %self.local_addr, "anybody who can reach this address can read and write: there is no authentication");
        }
        info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %self.local_addr,
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

/// Serves any store, for example a [`MemoryStore`](rustvault_storage::MemoryStore), on a listener of the
/// caller's until `shutdown` ends; then lets every connection finish what was received, for five seconds
/// at most. The store stays open.
///
/// Of `config`, the address and the CPU affinity are not used, and the path of the log and the sync policy are only shown by
/// `INFO`.
///
/// # Errors
/// A field of `config` out of range, or a system that refuses the threads.
pub async fn serve<S: BatchStore>(
    listener: TcpListener,
    store: S,
    config: &ServerConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    config.validate()?;
    let stop = async {
        shutdown.await;
        Stop { failure: None, drain_limit: DRAIN_LIMIT }
    };
    serve_until(listener, store, config, None, stop).await.map(|_| ())
}

/// Why and how a server stops.
struct Stop {
    failure: Option<rustvault_storage::Error>,
    drain_limit: Duration,
}

async fn serve_until<S: BatchStore>(
    listener: TcpListener,
    store: S,
    config: &ServerConfig,
    log_writer: Option<LogWriter>,
    stop: impl Future<Output = Stop>,
) -> Result<Option<rustvault_storage::Error>, Error> {
    let engine = Arc::new(Engine::new(store, config));
    let mut workers = Workers::start(&engine, log_writer)?;
    let stop = Acceptor::new(listener, &workers, &engine, config.max_connections).run(stop).await?;
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

/// Listens on the first address that `bind_addr` resolves to and that can be had.
async fn listen(bind_addr: &str) -> io::Result<TcpListener> {
    let mut last_error = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for addr in lookup_host(bind_addr).await? {
        match listen_on(addr) {
            Ok(listener) => return Ok(listener),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server takes its port back although old connections are still in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG_CONNECTIONS)
}
