//! Syncs the log at an interval, on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use super::group_commit::{SharedLog, spawn};
use crate::Error;
use crate::sync::thread::JoinHandle;
use crate::sync::{Condvar, Instant, Mutex};

/// Syncs at an interval, on a thread of its own, so that writes go on meanwhile.
pub(super) struct Syncer {
    state: Arc<SyncerState>,
    interval: Duration,
    thread: Option<JoinHandle<()>>,
}

/// State that the syncing thread shares with those that start, wait for and stop it.
struct SyncerState {
    progress: Mutex<SyncProgress>,
    changed: Condvar,
}

/// The sync that runs, if one does, and whether any other will.
#[derive(Default)]
struct SyncProgress {
    sync_began: Option<Instant>,
    is_stopping: bool,
}

impl Syncer {
    pub(super) fn start(log: Arc<SharedLog>, interval: Duration) -> Result<Self, Error> {
        let state = Arc::new(SyncerState { progress: Mutex::default(), changed: Condvar::new() });
        let thread = {
            let (state, log) = (Arc::clone(&state), Arc::clone(&log));
            spawn("wal-syncer", &Arc::clone(&log), move || {
                let running = std::panic::AssertUnwindSafe(|| state.run(&log, interval));
                if std::panic::catch_unwind(running).is_err() {
                    log.fail(Error::Internal("the syncing thread panicked"));
                    state.progress.lock().sync_began = None;
                    state.changed.notify_all();
                }
            })?
        };
        Ok(Self { state, interval, thread: Some(thread) })
    }

    /// Waits while a sync takes longer than one further interval: what a power loss takes stays bounded.
    pub(super) fn wait_while_lagging(&self) {
        let mut progress = self.state.progress.lock();
        while progress.sync_began.is_some_and(|began| began.elapsed() > self.interval) {
            self.state.changed.wait(&mut progress);
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.state.progress.lock().is_stopping = true;
        self.state.changed.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the syncing thread panicked");
        }
    }
}

impl SyncerState {
    fn run(&self, log: &SharedLog, interval: Duration) {
        let mut next = Instant::now() + interval;
        while self.rest_until(next) {
            let began = Instant::now();
            // Counted from when a sync begins: what it missed waits no longer than one further interval.
            next = began + interval;
            if log.synced() < log.written() {
                self.progress.lock().sync_began = Some(began);
                // A failure poisons the log, which is how everybody learns of it.
                let is_over = log.sync().is_err();
                self.progress.lock().sync_began = None;
                self.changed.notify_all();
                if is_over {
                    return;
                }
            }
        }
    }

    /// Waits; `false`: it is time to stop.
    fn rest_until(&self, until: Instant) -> bool {
        let mut progress = self.progress.lock();
        while !progress.is_stopping {
            if self.changed.wait_until(&mut progress, until).timed_out() {
                return true;
            }
        }
        false
    }
}
