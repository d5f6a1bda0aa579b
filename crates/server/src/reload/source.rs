//! Where a running server gets its configuration again, who asks for it, and who follows its changes.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::ReloadError;
use crate::ServerConfig;

/// Source of the configuration of a running server, which [`Server::reload_from`](crate::Server::reload_from) makes
/// reloadable.
///
/// Clones share the requests: a program keeps one to [request](Self::request) a reload, for example at a signal.
///
/// ```
/// # use rustvault_server::{ConfigSource, ServerConfig};
/// let source = ConfigSource::new(|| Ok(ServerConfig::default())).on_change(|config| {
///     println!("at most {} connections from now on", config.max_connections);
/// });
/// source.request();
/// ```
#[derive(Clone)]
pub struct ConfigSource {
    load: Arc<dyn Fn() -> Result<ServerConfig, ReloadError> + Send + Sync>,
    follow: Arc<dyn Fn(&ServerConfig) + Send + Sync>,
    requests: Arc<Notify>,
    counts: watch::Sender<ReloadCounts>,
}

/// Reloads of a server since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadCounts {
    /// Reloads that have begun.
    pub begun: u64,
    /// Reloads among them that have ended, whether the configuration was taken over or not.
    pub ended: u64,
}

/// Guard of a reload that runs; dropping it ends the reload.
#[derive(Debug)]
pub(super) struct RunningReload(watch::Sender<ReloadCounts>);

impl Drop for RunningReload {
    fn drop(&mut self) {
        self.0.send_modify(|counts| counts.ended += 1);
    }
}

impl ConfigSource {
    /// Makes a source; `load` returns the whole configuration, as at the start. It may block: it never runs on a thread that
    /// serves.
    pub fn new(load: impl Fn() -> Result<ServerConfig, ReloadError> + Send + Sync + 'static) -> Self {
        let counts = watch::Sender::new(ReloadCounts::default());
        Self { load: Arc::new(load), follow: Arc::new(|_| {}), requests: Arc::default(), counts }
    }

    /// Sets a function that is called with each configuration once it is in force. It must not block.
    #[must_use]
    pub fn on_change(mut self, follow: impl Fn(&ServerConfig) + Send + Sync + 'static) -> Self {
        self.follow = Arc::new(follow);
        self
    }

    /// Requests a reload, and does not wait for it. Requests before it begins are one; during recovery it waits for the end.
    pub fn request(&self) {
        self.requests.notify_one();
    }

    /// Returns a receiver of the reloads that begin and end, for a program that reports them.
    pub fn watch_reloads(&self) -> watch::Receiver<ReloadCounts> {
        self.counts.subscribe()
    }

    /// Counts a reload that begins. It ends with the guard, also if the future that reloads is dropped.
    pub(super) fn begin_reload(&self) -> RunningReload {
        self.counts.send_modify(|counts| counts.begun += 1);
        RunningReload(self.counts.clone())
    }

    pub(super) fn load(&self) -> Result<ServerConfig, ReloadError> {
        (self.load)()
    }

    pub(super) fn announce(&self, config: &ServerConfig) {
        (self.follow)(config);
    }

    /// Waits for a request, of which none is lost.
    pub(super) async fn requested(&self) {
        self.requests.notified().await;
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSource").finish_non_exhaustive()
    }
}
