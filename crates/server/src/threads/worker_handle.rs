//! A connection's handle to its worker: counts batches and commits, and moves the connection. The scheduler decides.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::accepted::AcceptedConnection;
use super::occupancy::BlockedWorker;
use super::scheduler::Scheduler;
use super::worker_stats::WorkerStats;

/// Batches between two reads of the clock.
const BATCHES_PER_SAMPLE: u32 = 64;

/// Number of [writing connections](WorkerStats::writing) from which a commit waits for
/// [a part of them](COMMIT_GROUPS_IN_A_ROUND). With fewer, waiting would only delay their clients.
const MANY_WRITING: u32 = 32;

/// Number of commit groups over which many writing connections are spread: while one group is synced, the next one forms, and
/// the clients of the others are sending requests.
const COMMIT_GROUPS_IN_A_ROUND: u32 = 4;

/// Handle of a connection to its worker.
#[derive(Debug, Clone)]
pub(crate) struct WorkerHandle {
    scheduler: Arc<Scheduler>,
    worker: usize,
    /// The last window in which the connection had a batch.
    window: u32,
}

impl WorkerHandle {
    /// Makes a handle to the worker with this index.
    pub(crate) fn new(scheduler: &Arc<Scheduler>, worker: usize) -> Self {
        Self { scheduler: Arc::clone(scheduler), worker, window: 0 }
    }

    /// Returns the index of the worker.
    #[inline]
    pub(crate) const fn index(&self) -> usize {
        self.worker
    }

    /// Marks the worker as blocked, if it has a single connection and another worker remains for new ones.
    pub(crate) fn try_block(&self) -> Option<BlockedWorker<'_>> {
        self.stats().occupancy.try_block(&self.scheduler.blocking)
    }

    /// Counts a commit of the connection.
    pub(crate) fn count_commit(&self) {
        self.stats().commits.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of connections up to which a commit group waits for more.
    pub(crate) fn commit_group_size(&self) -> u32 {
        let writing = self.stats().writing.load(Ordering::Relaxed);
        if writing < MANY_WRITING { 1 } else { writing / COMMIT_GROUPS_IN_A_ROUND }
    }

    /// Counts a batch; returns `true` if the connection should [migrate](Self::migrate).
    pub(crate) fn count_batch(&mut self) -> bool {
        let stats = self.scheduler.stats(self.worker);
        let window = stats.window.load(Ordering::Relaxed);
        if self.window != window {
            self.window = window;
            stats.active.fetch_add(1, Ordering::Relaxed);
        }
        let batches = stats.batches.fetch_add(1, Ordering::Relaxed) + 1;
        if batches.is_multiple_of(BATCHES_PER_SAMPLE) {
            self.scheduler.sample(self.worker);
        }
        stats.to_migrate.load(Ordering::Relaxed) > 0
    }

    /// Sends the connection to a worker with less load; returns it if that worker has ended or is blocked.
    pub(crate) fn migrate(&self, connection: AcceptedConnection) -> Result<(), AcceptedConnection> {
        let stats = self.stats();
        stats.to_migrate.fetch_sub(1, Ordering::Relaxed);
        let target = self.scheduler.stats(stats.migrate_to.load(Ordering::Relaxed));
        // On a blocked worker the connection would wait for another one's sync.
        if target.occupancy.try_add() { target.send(connection) } else { Err(connection) }
    }

    /// Subtracts the connection from this worker's.
    pub(crate) fn leave(&self) {
        self.stats().occupancy.remove();
    }

    fn stats(&self) -> &WorkerStats {
        self.scheduler.stats(self.worker)
    }
}
