use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::group_commit::{Shared, spawn};
use crate::Error;

/// Syncs at an interval, on a thread of its own, so that writes go on meanwhile.
pub(super) struct Syncer {
    state: Arc<State>,
    interval: Duration,
    thread: Option<JoinHandle<()>>,
}

struct State {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    sync_began: Option<Instant>,
    is_stopping: bool,
}

impl Syncer {
    pub(super) fn start(log: Arc<Shared>, interval: Duration) -> Result<Self, Error> {
        let state = Arc::new(State { progress: Mutex::default(), changed: Condvar::new() });
        let thread = {
            let (state, log) = (Arc::clone(&state), Arc::clone(&log));
            spawn("wal-syncer", &Arc::clone(&log), move || state.run(&log, interval))?
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

impl State {
    fn run(&self, log: &Shared, interval: Duration) {
        while self.rest(interval) {
            if log.synced() < log.written() && !log.has_failed() {
                self.progress.lock().sync_began = Some(Instant::now());
                if let Err(error) = log.sync() {
                    log.fail(error);
                }
                self.progress.lock().sync_began = None;
                self.changed.notify_all();
            }
        }
    }

    /// Waits for an interval; `false`: it is time to stop.
    fn rest(&self, interval: Duration) -> bool {
        let until = Instant::now() + interval;
        let mut progress = self.progress.lock();
        while !progress.is_stopping {
            if self.changed.wait_until(&mut progress, until).timed_out() {
                return true;
            }
        }
        false
    }
}
