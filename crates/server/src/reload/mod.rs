//! Changes of a running server: the configuration is loaded again, checked as a whole, and taken over as a whole or not at all.
//!
//! One change runs at a time. Everything that can fail comes before the first swap, and nothing waits between the swaps.

mod error;
mod outcomes;
mod report;
mod source;

use std::convert::Infallible;
use std::sync::Arc;

use rustvault_storage::batch::BatchStore;
use tokio::select;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tracing::{error, info};

pub use error::ReloadError;
pub(crate) use outcomes::Outcomes;
pub(crate) use report::ReloadReport;
use report::{OptionOutcome, OptionReport};
pub use source::ConfigSource;

use crate::ServerConfig;
use crate::engine::Engine;
use crate::options::options;
use crate::tls::{self, LoadedTls};

/// State of the reloads of a server.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    source: Option<ConfigSource>,
    /// Held from the load to the swap: two changes at once would each undo what the other has changed.
    turn: Mutex<()>,
    pub(crate) outcomes: Outcomes,
}

impl Reloads {
    pub(crate) fn new(source: Option<ConfigSource>) -> Self {
        Self { source, ..Self::default() }
    }

    async fn requested(&self) {
        match &self.source {
            Some(source) => source.requested().await,
            None => std::future::pending().await,
        }
    }
}

/// A configuration that is loaded and checked, with all that it names, so that taking it over cannot fail.
#[derive(Debug)]
struct PreparedChange {
    config: Arc<ServerConfig>,
    tls: Option<LoadedTls>,
    report: ReloadReport,
}

/// Reloads whenever somebody asks the source for it. It never ends.
pub(crate) async fn follow<S: BatchStore>(engine: &Engine<S>) -> Infallible {
    loop {
        select! {
            () = engine.reloads.requested() => {
                // A message says how it ended.
                let _ = reload(engine).await;
            }
        }
    }
}

/// Loads the configuration again and takes it over, or changes nothing. Messages and `INFO` report it as well.
///
/// If the future is dropped, nothing has changed.
pub(crate) async fn reload<S: BatchStore>(engine: &Engine<S>) -> Result<ReloadReport, ReloadError> {
    let _turn = engine.reloads.turn.lock().await;
    let (source, running) = (engine.reloads.source.clone(), engine.config_full());
    let prepared = blocking(move || {
        let loaded = match source {
            Some(source) => source.load()?,
            None => ServerConfig::clone(&running),
        };
        loaded.validate()?;
        prepare(&running, &loaded)
    });
    let reloaded = prepared.await.map(|prepared| commit(engine, prepared));
    engine.reloads.outcomes.record(reloaded.as_ref().err());
    match &reloaded {
        Ok(report) => {
            let (applied, needs_restart) = (report.applied(), report.needs_restart());
            info!(applied, needs_restart, "the configuration is reloaded");
        }
        Err(refusal) => {
            for problem in refusal.problems() {
                error!("{problem}");
            }
            error!(problems = refusal.problems().count(), "the reload is refused, and nothing has changed");
        }
    }
    reloaded
}

/// Changes the configuration of the running server by `edit`, or changes nothing. The next reload undoes it.
///
/// If the future is dropped, nothing has changed.
pub(crate) async fn change<S: BatchStore>(
    engine: &Engine<S>,
    edit: impl FnOnce(&mut ServerConfig) -> Result<(), ReloadError>,
) -> Result<ReloadReport, ReloadError> {
    let _turn = engine.reloads.turn.lock().await;
    let running = engine.config_full();
    let mut wanted = ServerConfig::clone(&running);
    edit(&mut wanted)?;
    wanted.validate()?;
    let prepared = blocking(move || prepare(&running, &wanted)).await?;
    let report = commit(engine, prepared);
    info!(applied = report.applied(), "the running configuration is changed, until the next reload");
    Ok(report)
}

/// Loads everything that a configuration names, and checks it. Blocks.
fn prepare(running: &ServerConfig, wanted: &ServerConfig) -> Result<PreparedChange, ReloadError> {
    let (config, report) = merge(running, wanted);
    // Options that need a restart keep their values, which the others may not fit.
    config.validate()?;
    let tls = tls::load(&config.tls).map_err(|error| ReloadError::new([error.to_string()]))?;
    Ok(PreparedChange { config: Arc::new(config), tls, report })
}

/// Returns the running configuration with those wanted values that need no restart.
fn merge(running: &ServerConfig, wanted: &ServerConfig) -> (ServerConfig, ReloadReport) {
    let mut merged = running.clone();
    let report = options().map(|option| {
        let outcome = if option.is_same(running, wanted) {
            OptionOutcome::Unchanged
        } else if option.is_live {
            option.copy(&mut merged, wanted);
            OptionOutcome::Applied { from: option.show(running), to: option.show(wanted) }
        } else {
            OptionOutcome::NeedsRestart { kept: option.show(running), wanted: option.show(wanted) }
        };
        OptionReport { name: option.name, outcome }
    });
    let report = report.collect();
    (merged, ReloadReport(report))
}

/// Takes over what is prepared. Nothing here can fail or wait.
fn commit<S: BatchStore>(engine: &Engine<S>, prepared: PreparedChange) -> ReloadReport {
    let PreparedChange { config, tls, report } = prepared;
    engine.store.limit_memory(config.max_memory_bytes);
    engine.replace_config(Arc::clone(&config));
    engine.tls.replace(tls);
    if let Some(source) = &engine.reloads.source {
        source.tell(&config);
    }
    report
}

/// Runs what reads files on a thread that serves nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReloadError> + Send + 'static,
) -> Result<T, ReloadError> {
    let ended = spawn_blocking(work).await;
    ended.unwrap_or_else(|_| {
        Err(ReloadError::new(["a defect: loading the configuration has panicked; please report it"]))
    })
}
