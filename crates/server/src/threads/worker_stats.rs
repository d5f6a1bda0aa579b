//! Statistics of one worker for the scheduler: its connections, its load in the last window, and its planned migrations.
//!
//! Each worker alone changes its own measurements, so every access is relaxed.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::accepted::AcceptedConnection;
use super::occupancy::Occupancy;
use super::procfs::idle_us;

/// Age of a sample from which the worker counts as idle.
pub(super) const STALE: Duration = Duration::from_millis(200);

/// Idle time of all cores together, in thousandths of a core, above which a further worker has a core to run on.
const IDLE_CORE: u64 = 400;

/// Load and inbox of one worker.
#[derive(Debug)]
pub(super) struct WorkerStats {
    // Unbounded, but each connection in it holds a permit.
    inbox: UnboundedSender<AcceptedConnection>,
    pub(super) occupancy: Occupancy,
    /// Number of the current window.
    pub(super) window: AtomicU32,
    pub(super) window_began_us: AtomicU64,
    pub(super) cpu_us: AtomicU64,
    pub(super) batches: AtomicU32,
    /// Number of connections that had a batch in this window.
    pub(super) active: AtomicU32,
    /// Number of commits in this window; a batch that is executed in parts has several.
    pub(super) commits: AtomicU32,
    /// Number of connections that write at a time, estimated from the window before: active connections, times the share of
    /// batches with a commit.
    pub(super) writing: AtomicU32,
    /// Idle time of the machine's cores when this worker was last saturated.
    idle_us: AtomicU64,
    /// The moment at which this worker was last saturated.
    idle_at_us: AtomicU64,
    /// Share of a core that the worker used in the last window, in thousandths.
    pub(super) share: AtomicU32,
    /// Connections that are to move to `migrate_to`.
    pub(super) to_migrate: AtomicU32,
    pub(super) migrate_to: AtomicUsize,
    /// Set if, by the last window, this worker alone could serve all connections.
    pub(super) one_is_enough: AtomicBool,
}

impl WorkerStats {
    pub(super) fn new(inbox: UnboundedSender<AcceptedConnection>) -> Self {
        Self {
            inbox,
            occupancy: Occupancy::default(),
            window: AtomicU32::new(1),
            window_began_us: AtomicU64::new(0),
            cpu_us: AtomicU64::new(0),
            batches: AtomicU32::new(0),
            active: AtomicU32::new(0),
            commits: AtomicU32::new(0),
            writing: AtomicU32::new(0),
            idle_us: AtomicU64::new(0),
            idle_at_us: AtomicU64::new(0),
            share: AtomicU32::new(0),
            to_migrate: AtomicU32::new(0),
            migrate_to: AtomicUsize::new(0),
            one_is_enough: AtomicBool::new(false),
        }
    }

    /// Sends the worker a connection that was added to its occupancy. If the worker has ended, subtracts and returns it.
    pub(super) fn send(&self, connection: AcceptedConnection) -> Result<(), AcceptedConnection> {
        self.inbox.send(connection).map_err(|error| {
            self.occupancy.remove();
            error.0
        })
    }

    /// Returns the worker's share of a core at `now_us`, in thousandths; 0 if its last sample is [stale](STALE).
    pub(super) fn share_at(&self, now_us: u64) -> u32 {
        let age_us = now_us.saturating_sub(self.window_began_us.load(Ordering::Relaxed));
        if age_us > micros(STALE) { 0 } else { self.share.load(Ordering::Relaxed) }
    }

    /// Begins another window, and estimates the number of writing connections from the last one.
    pub(super) fn end_window(&self) {
        self.window.fetch_add(1, Ordering::Relaxed);
        let [active, commits, batches] = [&self.active, &self.commits, &self.batches]
            .map(|count| u64::from(count.swap(0, Ordering::Relaxed)));
        // A batch may have several commits.
        let writing = active * commits.min(batches) / batches.max(1);
        self.writing.store(u32::try_from(writing).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Returns whether some core has been idle since this worker was last saturated. Without an idle core, a further worker would
    /// only take time from the clients.
    pub(super) fn finds_idle_core(&self, now_us: u64) -> bool {
        let Some(idle_us) = idle_us() else { return true };
        let idle_us = idle_us - self.idle_us.swap(idle_us, Ordering::Relaxed).min(idle_us);
        let elapsed_us = now_us - self.idle_at_us.swap(now_us, Ordering::Relaxed);
        elapsed_us < micros(STALE) && idle_us * 1000 > elapsed_us * IDLE_CORE
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many connections write after a window in which 50 had a hundred batches and so many commits.
    fn writing(commits: u32) -> u32 {
        let stats = WorkerStats::new(tokio::sync::mpsc::unbounded_channel().0);
        stats.active.store(50, Ordering::Relaxed);
        stats.batches.store(100, Ordering::Relaxed);
        stats.commits.store(commits, Ordering::Relaxed);
        stats.end_window();
        stats.writing.load(Ordering::Relaxed)
    }

    #[test]
    fn connections_count_as_writing_by_the_share_of_batches_that_asked_for_a_commit() {
        assert_eq!([0, 10, 100, 300].map(writing), [0, 5, 50, 50]);
    }
}
