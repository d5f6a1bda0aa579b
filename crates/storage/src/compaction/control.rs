//! Requests to the compacting thread, and its statistics.

use std::time::Duration;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Instant, Mutex, oneshot};
use crate::{Error, Stats};

/// Callers that wait for a compaction; each receives its result.
pub(super) type Waiting = Vec<oneshot::Sender<Result<(), Error>>>;

/// State that the compacting thread shares with other threads: requests to it, and its statistics.
#[derive(Default)]
pub(super) struct Control {
    requests: Mutex<Requests>,
    changed: Condvar,
    is_stopping: AtomicBool,
    pub(super) stats: Mutex<CompactionStats>,
}

#[derive(Default)]
struct Requests {
    /// Callers that wait for a compaction that has not begun.
    waiting: Waiting,
    /// The log has grown.
    is_alarmed: bool,
    is_stopping: bool,
}

/// Figures of compactions that [`Stats`] reports.
#[derive(Default)]
pub(super) struct CompactionStats {
    pub(super) compactions: u64,
    pub(super) is_running: bool,
    pub(super) last_ms: u64,
    pub(super) last_unix_ms: u64,
    pub(super) failures: u64,
    /// Sums over all that succeeded.
    pub(super) total_ms: u64,
    pub(super) written_bytes: u64,
    pub(super) freed_bytes: u64,
    pub(super) last_error: Option<std::sync::Arc<str>>,
}

/// Reason for which the compacting thread woke up.
pub(super) enum Wakeup {
    /// A check if a compaction is due.
    Look,
    /// A requested compaction.
    Asked(Waiting),
    Stop,
}

impl Control {
    /// Requests a compaction and waits until it has ended.
    pub(super) async fn compact(&self) -> Result<(), Error> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut requests = self.requests.lock();
            if requests.is_stopping {
                return Err(Error::Closed);
            }
            requests.waiting.push(sender);
        }
        self.changed.notify_one();
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    /// Reports that the log has grown.
    pub(super) fn alarm(&self) {
        self.requests.lock().is_alarmed = true;
        self.changed.notify_one();
    }

    /// Requests that the running compaction is abandoned and the thread ends, and waits for neither.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        let mut requests = self.requests.lock();
        requests.is_stopping = true;
        requests.waiting.clear();
        drop(requests);
        self.changed.notify_one();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Waits for a reason to wake up, until `look_at` at the latest if that is set.
    pub(super) fn next_wakeup(&self, look_at: Option<Instant>) -> Wakeup {
        let mut requests = self.requests.lock();
        loop {
            if requests.is_stopping {
                return Wakeup::Stop;
            }
            if !requests.waiting.is_empty() {
                return Wakeup::Asked(std::mem::take(&mut requests.waiting));
            }
            if std::mem::take(&mut requests.is_alarmed) {
                return Wakeup::Look;
            }
            match look_at {
                Some(look_at) if self.changed.wait_until(&mut requests, look_at).timed_out() => {
                    return Wakeup::Look;
                }
                Some(_) => {}
                None => self.changed.wait(&mut requests),
            }
        }
    }

    /// Rests; returns early if a stop is requested.
    pub(super) fn rest(&self, rest: Duration) {
        let until = Instant::now() + rest;
        let mut requests = self.requests.lock();
        while !requests.is_stopping && !self.changed.wait_until(&mut requests, until).timed_out() {}
    }

    pub(super) fn fill_stats(&self, stats: &mut Stats) {
        let own = self.stats.lock();
        stats.compactions = own.compactions;
        stats.failed_compactions = own.failures;
        stats.compaction_ms = own.total_ms;
        stats.compaction_written_bytes = own.written_bytes;
        stats.compaction_freed_bytes = own.freed_bytes;
        stats.compaction_running = own.is_running;
        stats.last_compaction_ms = own.last_ms;
        stats.last_compaction_unix_ms = own.last_unix_ms;
        stats.last_compaction_error.clone_from(&own.last_error);
    }
}
