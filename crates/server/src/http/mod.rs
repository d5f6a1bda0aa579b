//! HTTP: metrics for Prometheus and probes, on a thread of its own from before the recovery until the end.

mod accept;
mod check;
mod connection;
mod counters;
mod credentials;
mod listeners;
mod open_connections;
mod readiness;
mod routes;
mod scrape;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustvault_storage::batch::BatchStore;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Identification};
use crate::{Error, Lifecycle, ServerConfig};
pub(crate) use counters::HttpCounters;
pub(crate) use listeners::HttpListeners;
use open_connections::OpenConnections;
use scrape::Scraper;

/// Longest wait at a stop for answers that are on their way.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// State that all connections of HTTP share.
#[derive(Debug)]
struct HttpState {
    lifecycle: Lifecycle,
    identification: Identification,
    scraper: Scraper,
    connections: Arc<OpenConnections>,
    counters: Arc<HttpCounters>,
    /// The configuration at the start, whose limits on connections HTTP keeps.
    config: ServerConfig,
    stopping: CancellationToken,
}

impl HttpState {
    fn new(identification: Identification, lifecycle: Lifecycle, config: ServerConfig) -> Self {
        Self {
            lifecycle,
            identification,
            scraper: Scraper::default(),
            connections: Arc::default(),
            counters: Arc::default(),
            config,
            stopping: CancellationToken::new(),
        }
    }
}

/// The thread that serves HTTP. Dropping this stops it, without waiting for its end.
#[derive(Debug)]
pub(crate) struct HttpServer {
    state: Arc<HttpState>,
    ended: oneshot::Receiver<()>,
}

impl HttpServer {
    /// Starts the thread, which serves what there is until an engine is [attached](Self::attach).
    ///
    /// # Errors
    /// The system refuses a thread, or what its runtime needs.
    pub(crate) fn start(
        listeners: HttpListeners,
        identification: Identification,
        lifecycle: Lifecycle,
        config: ServerConfig,
    ) -> Result<Self, Error> {
        let system = |action| move |source| Error::System { action, source };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(system("start the runtime of HTTP"))?;
        let state = Arc::new(HttpState::new(identification, lifecycle, config));
        let (end, ended) = oneshot::channel();
        let serving = Arc::clone(&state);
        let run = move || {
            runtime.block_on(accept::run(listeners, serving));
            // Connections that are left end with their runtime, and then nobody uses the engine any more.
            drop(runtime);
            drop(end);
        };
        thread::Builder::new().name("http".to_owned()).spawn(run).map_err(system("start a thread"))?;
        Ok(Self { state, ended })
    }

    /// Returns what counts requests and connections.
    pub(crate) fn counters(&self) -> Arc<HttpCounters> {
        Arc::clone(&self.state.counters)
    }

    /// Makes `/metrics` and `/readyz` show the state of an engine, from now until the [stop](Self::stop).
    pub(crate) fn attach<S: BatchStore>(&self, engine: Arc<Engine<S>>) {
        self.state.scraper.attach(engine);
    }

    /// Stops: answers that are on their way may leave for a second.
    pub(crate) async fn stop(mut self) {
        self.state.stopping.cancel();
        // It ends by itself in time; whatever keeps it must not keep the server.
        let _ = timeout(DRAIN_LIMIT * 2, &mut self.ended).await;
        self.state.scraper.detach();
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.state.stopping.cancel();
        self.state.scraper.detach();
    }
}

#[cfg(test)]
mod tests;
