//! A server: binds its addresses, recovers its log, and serves until a stop is requested.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustvault_storage::batch::BatchStore;
use rustvault_storage::{DurableStore, LogFormat, Stats};
use rustvault_users::Users;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::acceptor::Acceptor;
use crate::engine::{Engine, Identification};
use crate::http::{HttpListeners, HttpServer};
use crate::listener::{Listener, Listeners};
use crate::login::{Logins, load_users};
use crate::public::TcpAddrs;
use crate::reload::{FilesSeen, Reloads};
use crate::threads::affinity::LogWriter;
use crate::threads::worker::Workers;
use crate::tls;
use crate::{ConfigSource, CpuAffinity, Error, Lifecycle, Phase, ServerConfig, reload};

/// Longest time in which connections finish at a stop. With the last sync, a stop takes less than ten seconds.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Longest time in which error answers are sent after the log has failed.
const FAILURE_DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// A durable server that has bound its addresses and recovered its log, but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    addrs: TcpAddrs,
    identification: Identification,
    http: Option<HttpServer>,
    store: DurableStore,
    /// The files of users and TLS, as they were before they were loaded.
    files: FilesSeen,
    config: ServerConfig,
    source: Option<ConfigSource>,
    lifecycle: Lifecycle,
}

impl Server {
    /// Binds the addresses, then opens the log and recovers what it holds.
    ///
    /// Connections that arrive during recovery wait in the kernel's queue.
    ///
    /// # Errors
    /// A field of `config` is out of range, the users cannot be loaded, an address cannot be listened on or is
    /// [public](ServerConfig::allow_unauthenticated) without users, or the log cannot be opened.
    pub async fn bind(config: ServerConfig) -> Result<Self, Error> {
        Self::bind_watched(config, Lifecycle::default()).await
    }

    /// Binds the addresses and opens the log as [`bind`](Self::bind) does; `lifecycle` shows how far the server is.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn bind_watched(config: ServerConfig, lifecycle: Lifecycle) -> Result<Self, Error> {
        config.validate()?;
        let files = see_files(&config).await?;
        let users = load(&config).await?;
        let tls_config = config.tls.clone();
        let tls = blocking(move || tls::load(&tls_config)).await??;
        let (listeners, mut addrs) = listen(&config).await?;
        let http_listeners = HttpListeners::bind(&config).await?;
        (addrs.http, addrs.tls_http) = (http_listeners.addrs(false), http_listeners.addrs(true));
        addrs.check(users.is_some(), &config)?;
        let identification = Identification::new(users, &config.tls, tls);
        start_logins(&identification.logins)?;
        let http = start_http(http_listeners, &addrs, &identification, &lifecycle, &config)?;
        let (path, options) = (config.wal_path.clone(), config.store_options());
        let progress = lifecycle.recovery().clone();
        let store = blocking(move || DurableStore::open_watched(path, options, &progress)).await??;
        Ok(Self { listeners, addrs, identification, http, store, files, config, source: None, lifecycle })
    }

    /// Returns the first address that the server listens on, with its real port: one with TLS if there is no other.
    pub fn local_addr(&self) -> SocketAddr {
        self.addrs.plain.first().copied().unwrap_or_else(|| self.addrs.tls[0])
    }

    /// Returns all addresses that the server listens on, with their real ports, in the order of
    /// [`bind_addrs`](ServerConfig::bind_addrs).
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs.plain
    }

    /// Returns all addresses that the server listens on with TLS, with their real ports, in the order of
    /// [`TlsConfig::bind_addrs`](crate::TlsConfig::bind_addrs).
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        &self.addrs.tls
    }

    /// Returns all addresses of HTTP, with their real ports, in the order of [`http_addrs`](ServerConfig::http_addrs).
    pub fn http_addrs(&self) -> &[SocketAddr] {
        &self.addrs.http
    }

    /// Returns all addresses of HTTP over TLS, with their real ports, in the order of
    /// [`TlsConfig::http_addrs`](crate::TlsConfig::http_addrs).
    pub fn tls_http_addrs(&self) -> &[SocketAddr] {
        &self.addrs.tls_http
    }

    /// Returns the path of the Unix socket that the server listens on, if there is one.
    pub fn unix_socket(&self) -> Option<&Path> {
        self.config.unix_socket.as_deref()
    }

    /// Makes the configuration reloadable: at a [request](ConfigSource::request) of the source, and by `CONFIG RELOAD`.
    ///
    /// Without a source `CONFIG RELOAD` finds the configuration that is in force.
    #[must_use]
    pub fn reload_from(mut self, source: ConfigSource) -> Self {
        self.source = Some(source);
        self
    }

    /// Serves until `shutdown` ends. Then every connection answers what it has received, for five seconds at most, and the
    /// log is closed.
    ///
    /// Dropping the future ends the server at once, like a crash: acknowledged writes are kept.
    ///
    /// # Errors
    /// [`Error::Store`] after the log has failed; the server has stopped.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        self.report_start(&self.store.stats().await?);
        let stop = async {
            let shutdown = tokio::select! {
                () = shutdown => Shutdown { failure: None, drain_limit: DRAIN_LIMIT },
                failure = self.store.poisoned() => {
                    Shutdown { failure: Some(failure), drain_limit: FAILURE_DRAIN_LIMIT }
                }
            };
            self.lifecycle.enter(Phase::Stopping { has_failed: shutdown.failure.is_some() });
            shutdown
        };
        let writer = self.pinned_writer();
        let engine = Engine::new(self.store.clone(), &self.config)
            .with_identification(&self.identification)
            .with_lifecycle(self.lifecycle.clone())
            .with_http(self.http.as_ref().map(HttpServer::counters))
            .with_reloads(Reloads::new(self.source, self.files, self.addrs));
        let served = serve_until(self.listeners, engine, writer, self.http.as_ref(), stop).await;
        if let Some(http) = self.http {
            http.stop().await;
        }
        let failure = served?;
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

    fn report_start(&self, stats: &Stats) {
        let wal_format = stats.log_format;
        let recovery = self.store.recovery();
        if recovery.torn_bytes_dropped > 0 {
            let bytes = recovery.torn_bytes_dropped;
            warn!(bytes, "truncated the torn tail of the log: unconfirmed writes that a crash cut off");
        }
        self.warn_of_full_memory(stats);
        let users = self.identification.access.load();
        for address in self.addrs.public(&self.config).filter(|_| users.is_none()) {
            warn!(%address, "anybody who can reach this address can read and write, because there are no users and --allow-unauthenticated is set");
        }
        for address in self.addrs.public_http(&self.config).filter(|_| users.is_none()) {
            warn!(%address, "anybody who can reach this address can read the metrics, because there are no users and --allow-unauthenticated is set");
        }
        if users.is_some_and(|users| users.is_empty()) {
            warn!("nobody can log in: the file of users holds none; add one with 'rustvault-cli user add'");
        }
        info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %join(&self.addrs.plain),
            tls_address = (!self.addrs.tls.is_empty()).then(|| join(&self.addrs.tls)),
            http_address = (!self.addrs.http.is_empty()).then(|| join(&self.addrs.http)),
            tls_http_address = (!self.addrs.tls_http.is_empty()).then(|| join(&self.addrs.tls_http)),
            unix_socket = self.unix_socket().map(|path| path.display().to_string()),
            wal = %self.config.wal_path.display(),
            wal_format = (wal_format != LogFormat::Binary).then(|| wal_format.to_string()),
            fsync = %self.config.sync_policy,
            keys_recovered = recovery.keys,
            recovery_ms = recovery.elapsed.as_millis() as u64,
            "ready"
        );
    }

    /// Warns if `max_memory_bytes` is reached, so that every write that adds data is refused.
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
                "no write can succeed: an empty store takes more memory than --max-memory allows; raise it"
            );
        } else {
            warn!(
                used_bytes,
                max_memory_bytes,
                "writes that add data are refused: --max-memory is reached; raise it or delete keys"
            );
        }
    }
}

/// Serves any store, for example a [`MemoryStore`](rustvault_storage::MemoryStore), on the caller's listeners until
/// `shutdown` ends. Then every connection answers what it has received, for five seconds at most. The store stays open.
///
/// Ignores the addresses and the CPU affinity of `config`. `INFO` shows its log path and sync policy, which have no other
/// effect.
///
/// # Errors
/// A field of `config` is out of range, the users cannot be loaded, or the system refuses to start the threads.
pub async fn serve<S: BatchStore>(
    listeners: impl Into<Listeners>,
    store: S,
    config: &ServerConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    config.validate()?;
    let files = see_files(config).await?;
    let users = load(config).await?;
    let stop = async {
        shutdown.await;
        Shutdown { failure: None, drain_limit: DRAIN_LIMIT }
    };
    let reloads = Reloads::new(None, files, TcpAddrs::default());
    let identification = Identification::new(users, &config.tls, None);
    start_logins(&identification.logins)?;
    let engine = Engine::new(store, config).with_identification(&identification).with_reloads(reloads);
    serve_until(listeners.into(), engine, None, None, stop).await.map(|_| ())
}

/// Why and how a server stops.
struct Shutdown {
    failure: Option<rustvault_storage::Error>,
    drain_limit: Duration,
}

async fn serve_until<S: BatchStore>(
    listeners: Listeners,
    engine: Engine<S>,
    log_writer: Option<LogWriter>,
    http: Option<&HttpServer>,
    stop: impl Future<Output = Shutdown>,
) -> Result<Option<rustvault_storage::Error>, Error> {
    let engine = Arc::new(engine);
    let mut workers = Workers::start(&engine, log_writer)?;
    if let Some(http) = http {
        http.attach(Arc::clone(&engine));
    }
    engine.lifecycle.enter(Phase::Serving);
    let stop = tokio::select! {
        stop = Acceptor::new(listeners, &workers, &engine).run(stop) => stop?,
        never = reload::follow(&engine) => match never {},
        never = engine.tls.watch_expiry() => never,
    };
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

/// Starts the thread that checks passwords. Called before there are workers, whose threads may be pinned: the new one would inherit
/// the core of its starter.
fn start_logins(logins: &Logins) -> Result<(), Error> {
    logins.start().map_err(|source| Error::System { action: "start a thread", source })
}

/// Starts HTTP if there are addresses for it: before the recovery, which it reports.
fn start_http(
    listeners: HttpListeners,
    addrs: &TcpAddrs,
    identification: &Identification,
    lifecycle: &Lifecycle,
    config: &ServerConfig,
) -> Result<Option<HttpServer>, Error> {
    if listeners.is_empty() {
        return Ok(None);
    }
    let http = HttpServer::start(listeners, identification.clone(), lifecycle.clone(), config.clone())?;
    let http_address = (!addrs.http.is_empty()).then(|| join(&addrs.http));
    let tls_http_address = (!addrs.tls_http.is_empty()).then(|| join(&addrs.tls_http));
    info!(http_address, tls_http_address, "HTTP is served, also during the recovery");
    Ok(Some(http))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.map_err(|_| Error::ThreadDied)
}

/// Listens on all addresses of the configuration; returns those of TCP as well.
async fn listen(config: &ServerConfig) -> Result<(Listeners, TcpAddrs), Error> {
    let (mut listeners, mut local_addrs, mut tls_addrs) = (Vec::new(), Vec::new(), Vec::new());
    for addr in &config.bind_addrs {
        let (listener, local_addr) = Listener::bind(addr).await?;
        listeners.push(listener);
        local_addrs.push(local_addr);
    }
    for addr in &config.tls.bind_addrs {
        let (listener, tls_addr) = Listener::bind(addr).await?;
        listeners.push(listener.with_tls());
        tls_addrs.push(tls_addr);
    }
    if let Some(path) = &config.unix_socket {
        listeners.push(Listener::bind_unix(path).await?);
    }
    Ok((
        listeners.into(),
        TcpAddrs { plain: local_addrs.into(), tls: tls_addrs.into(), ..TcpAddrs::default() },
    ))
}

/// Looks at the files of users and TLS.
async fn see_files(config: &ServerConfig) -> Result<FilesSeen, Error> {
    let config = config.clone();
    blocking(move || FilesSeen::of(&config)).await
}

/// Loads the users of a configuration, which reads a file and takes time.
async fn load(config: &ServerConfig) -> Result<Option<Users>, Error> {
    let config = config.clone();
    Ok(blocking(move || load_users(&config)).await??)
}

fn join(addrs: &[SocketAddr]) -> String {
    addrs.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
}
