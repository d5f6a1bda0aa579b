//! Changes of a running server: the configuration is loaded again, checked as a whole, and taken over as a whole or not at all.
//!
//! One change runs at a time. Everything that can fail comes before the first swap, and nothing waits between the swaps.

mod error;
mod files;
mod outcomes;
mod poll;
mod report;
mod source;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use rustvault_storage::batch::BatchStore;
use tokio::select;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{error, info};

pub use error::ReloadError;
pub(crate) use files::FilesSeen;
use files::LoadedFiles;
use outcomes::Outcomes;
use poll::POLL_INTERVAL;
pub(crate) use report::ReloadReport;
use report::{OptionOutcome, OptionReport};
pub use source::{ConfigSource, ReloadCounts};

use crate::ServerConfig;
use crate::engine::Engine;
use crate::options::{ConfigOption, options};
use crate::public::TcpAddrs;
use crate::rate_limit::RateLimit;

/// Most reloads, and most changes by `CONFIG SET`, that are reported in a minute: clients could fill a disk with messages.
const MAX_MESSAGES_PER_MINUTE: u32 = 60;

/// State of the reloads of a server.
#[derive(Debug)]
pub(crate) struct Reloads {
    source: Option<ConfigSource>,
    /// Held from the load to the swap: two changes at once would each undo what the other has changed.
    turn: Mutex<WatchedFiles>,
    addrs: TcpAddrs,
    pub(crate) outcomes: Outcomes,
    /// Messages on reloads, and on changes by `CONFIG SET`.
    reload_messages: RateLimit,
    change_messages: RateLimit,
}

/// The files of users and TLS, as they were seen.
#[derive(Debug)]
struct WatchedFiles {
    in_force: FilesSeen,
    /// At the last look, good or bad.
    looked_at: FilesSeen,
}

impl Reloads {
    /// Makes the state of a server whose `files` were seen before they were loaded.
    pub(crate) fn new(source: Option<ConfigSource>, files: FilesSeen, addrs: TcpAddrs) -> Self {
        let turn = Mutex::new(WatchedFiles { in_force: files.clone(), looked_at: files });
        let limit = || RateLimit::of(MAX_MESSAGES_PER_MINUTE);
        let (reload_messages, change_messages) = (limit(), limit());
        Self { source, turn, addrs, outcomes: Outcomes::default(), reload_messages, change_messages }
    }

    /// Returns the port of the first address without TLS, or else of the first one with it; 0 if there is none.
    pub(crate) fn tcp_port(&self) -> u16 {
        self.addrs.plain.first().or(self.addrs.tls.first()).map_or(0, SocketAddr::port)
    }

    async fn requested(&self) {
        match &self.source {
            Some(source) => source.requested().await,
            None => std::future::pending().await,
        }
    }
}

/// State that a change begins with.
#[derive(Debug)]
struct Running {
    config: Arc<ServerConfig>,
    in_force: FilesSeen,
    addrs: TcpAddrs,
    has_users: bool,
}

impl Running {
    fn of<S>(engine: &Engine<S>, files: &WatchedFiles) -> Self {
        Self {
            config: engine.config_full(),
            in_force: files.in_force.clone(),
            addrs: engine.reloads.addrs.clone(),
            has_users: engine.access.load().is_some(),
        }
    }
}

/// A configuration that is loaded and checked, with all that it names, so that taking it over cannot fail.
#[derive(Debug)]
struct PreparedChange {
    config: Arc<ServerConfig>,
    loaded: LoadedFiles,
    /// The files as they were before they were loaded; none if the change left them alone.
    seen: Option<FilesSeen>,
    report: ReloadReport,
}

/// Reloads whenever somebody asks the source for it, and looks at the files of users and TLS every minute. It never ends.
pub(crate) async fn follow<S: BatchStore>(engine: &Engine<S>) -> Infallible {
    let mut polls = interval_at(Instant::now() + POLL_INTERVAL, POLL_INTERVAL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        select! {
            _ = polls.tick() => poll::poll(engine).await,
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
    let mut files = engine.reloads.turn.lock().await;
    let (source, running) = (engine.reloads.source.clone(), Running::of(engine, &files));
    let _running_reload = source.as_ref().map(ConfigSource::begin_reload);
    let prepared = blocking(move || {
        let loaded = match source {
            Some(source) => source.load()?,
            None => ServerConfig::clone(&running.config),
        };
        loaded.validate()?;
        prepare(&running, &loaded, true)
    });
    let reloaded = prepared.await.map(|prepared| commit(engine, prepared, &mut files));
    engine.reloads.outcomes.record(reloaded.as_ref().err());
    report_reload(&reloaded, &engine.reloads.reload_messages);
    reloaded
}

/// Reports how a reload ended, at a limited rate.
fn report_reload(reloaded: &Result<ReloadReport, ReloadError>, limit: &RateLimit) {
    let Some(left_out) = limit.admit() else { return };
    match reloaded {
        Ok(report) => {
            let (applied, needs_restart) = (report.applied(), report.needs_restart());
            info!(applied, needs_restart, left_out, "the configuration is reloaded");
        }
        Err(refusal) => {
            for problem in refusal.problems() {
                error!("{problem}");
            }
            let problems = refusal.problems().count();
            error!(problems, left_out, "the reload is refused, and nothing has changed");
        }
    }
}

/// Changes the configuration of the running server by `edit`, or changes nothing. The next reload undoes it.
///
/// If the future is dropped, nothing has changed.
pub(crate) async fn change<S: BatchStore>(
    engine: &Engine<S>,
    edit: impl FnOnce(&mut ServerConfig) -> Result<(), ReloadError>,
) -> Result<ReloadReport, ReloadError> {
    let mut files = engine.reloads.turn.lock().await;
    let running = Running::of(engine, &files);
    let mut wanted = ServerConfig::clone(&running.config);
    edit(&mut wanted)?;
    wanted.validate()?;
    // Files that have changed meanwhile are not this change's to take over.
    let prepared = blocking(move || prepare(&running, &wanted, false)).await?;
    let report = commit(engine, prepared, &mut files);
    if let Some(left_out) = engine.reloads.change_messages.admit() {
        info!(
            applied = report.applied(),
            left_out, "the running configuration is changed, until the next reload"
        );
    }
    Ok(report)
}

/// Loads everything that a configuration names, and checks it. Blocks.
fn prepare(
    running: &Running,
    wanted: &ServerConfig,
    looks_at_files: bool,
) -> Result<PreparedChange, ReloadError> {
    let Running { config: running, in_force, addrs, has_users } = running;
    let (config, mut report) = merge(running, wanted);
    // Options that need a restart keep their values, which the others may not fit.
    config.validate().map_err(|error| report.explain(&error))?;
    // Seen before they are loaded: what changes in between is found by the next look.
    let seen = looks_at_files.then(|| FilesSeen::of(&config));
    let now = seen.as_ref().unwrap_or(in_force);
    let loaded = files::load(running, &config, in_force, now)?;
    addrs.check(loaded.users.as_ref().map_or(*has_users, Option::is_some), &config)?;
    if now.users != in_force.users {
        report.set_contents_applied("users");
    }
    if now.tls != in_force.tls {
        report.set_contents_applied("tls.cert");
    }
    Ok(PreparedChange { config: Arc::new(config), loaded, seen, report })
}

/// Returns the running configuration with those wanted values that need no restart.
fn merge(running: &ServerConfig, wanted: &ServerConfig) -> (ServerConfig, ReloadReport) {
    let mut merged = running.clone();
    let report = options().map(|option| {
        let outcome = if option.is_same(running, wanted) {
            OptionOutcome::Unchanged
        } else if option.is_live {
            option.copy(&mut merged, wanted);
            OptionOutcome::Applied { from: shown(option, running), to: shown(option, wanted) }
        } else {
            OptionOutcome::NeedsRestart { kept: shown(option, running), wanted: shown(option, wanted) }
        };
        OptionReport { name: option.name, outcome }
    });
    let report = report.collect();
    (merged, ReloadReport(report))
}

/// Returns a value for a sentence.
fn shown(option: &ConfigOption, config: &ServerConfig) -> String {
    Some(option.show(config)).filter(|value| !value.is_empty()).unwrap_or_else(|| "none".to_owned())
}

/// Takes over what is prepared. Nothing here can fail or wait.
fn commit<S: BatchStore>(
    engine: &Engine<S>,
    prepared: PreparedChange,
    files: &mut WatchedFiles,
) -> ReloadReport {
    let PreparedChange { config, loaded, seen, report } = prepared;
    // Rights first: who loses one must not profit from what else changes.
    if let Some(users) = loaded.users {
        engine.replace_users(users);
    }
    if let Some(tls) = loaded.tls {
        engine.tls.replace(tls);
    }
    engine.store.limit_memory(config.max_memory_bytes);
    engine.replace_config(Arc::clone(&config));
    if let Some(seen) = seen {
        *files = WatchedFiles { in_force: seen.clone(), looked_at: seen };
    }
    if let Some(source) = &engine.reloads.source {
        source.announce(&config);
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
