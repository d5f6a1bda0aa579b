//! Scheduler: assigns new connections to workers, samples the load of each worker, and plans migrations.
//!
//! It uses as few workers as keep up with the connections. More workers wake more often, each for less work, and on few cores
//! they take time from the clients (redis-benchmark on 2 cores, GET in pipelines of 16: 1.39 times Redis's throughput with one
//! worker, 1.17 with two). With writes the difference is larger, because fewer writes share a sync (50 connections: 19 per
//! sync with one worker, 11 with two; 1.4 times the throughput). Connections migrate between two batches, to workers with less
//! load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::accepted::AcceptedConnection;
use super::affinity;
use super::occupancy::BlockingPermits;
use super::procfs::thread_cpu_us;
use super::worker_stats::{WorkerStats, micros};
use crate::Error;

/// Shortest window in which a worker's load is measured.
const WINDOW: Duration = Duration::from_millis(60);

/// Load, in thousandths of a core, above which a worker does not keep up.
const SATURATED: u32 = 920;

/// Highest average load, in thousandths of a core, that the remaining workers may have when one of them is no longer used.
const RELAXED: u32 = 600;

/// Difference of loads, in thousandths of a core, below which no connection migrates.
const ALIKE: u32 = 100;

/// All workers, and which of them are in use.
#[derive(Debug)]
pub(crate) struct Scheduler {
    workers: Box<[WorkerStats]>,
    /// Number of workers in use: the first ones.
    in_use: AtomicUsize,
    pub(super) blocking: BlockingPermits,
    started: Instant,
}

impl Scheduler {
    /// Makes a scheduler of workers with these inboxes.
    pub(crate) fn new(inboxes: impl Iterator<Item = UnboundedSender<AcceptedConnection>>) -> Arc<Self> {
        let workers: Box<[WorkerStats]> = inboxes.map(WorkerStats::new).collect();
        Arc::new(Self {
            blocking: BlockingPermits::new(workers.len()),
            workers,
            in_use: AtomicUsize::new(1),
            started: Instant::now(),
        })
    }

    pub(super) fn stats(&self, worker: usize) -> &WorkerStats {
        &self.workers[worker]
    }

    /// Assigns a new connection to the worker in use with the fewest connections, never to a blocked one.
    pub(crate) fn assign(&self, connection: AcceptedConnection) -> Result<(), Error> {
        let now_us = self.now_us();
        if self.workers.iter().all(|stats| stats.share_at(now_us) == 0) {
            self.in_use.store(1, Ordering::Relaxed);
        }
        let stats = self.add_to_best().ok_or(Error::ThreadDied)?;
        stats.send(connection).map_err(|_| Error::ThreadDied)
    }

    /// Counts a connection on the worker that is best for it; `None` if there are no workers.
    fn add_to_best(&self) -> Option<&WorkerStats> {
        let in_use = self.in_use.load(Ordering::Relaxed);
        let rank = |&(index, stats): &(usize, &WorkerStats)| {
            (stats.occupancy.is_blocked(), index >= in_use, stats.occupancy.connections())
        };
        loop {
            let (_, stats) = self.workers.iter().enumerate().min_by_key(rank)?;
            // The worker may have been blocked since it was ranked. At any moment, some worker is not blocked.
            if stats.occupancy.try_add() {
                return Some(stats);
            }
        }
    }

    /// Ends the worker's window if that has lasted long enough: measures the load, then decides on the number of workers in use and
    /// on migrations. Runs on that worker.
    pub(super) fn sample(&self, worker: usize) {
        let stats = self.stats(worker);
        let now_us = self.now_us();
        let window_us = now_us - stats.window_began_us.load(Ordering::Relaxed);
        if window_us < micros(WINDOW) {
            return;
        }
        let cpu_us = thread_cpu_us();
        let used_us = cpu_us - stats.cpu_us.swap(cpu_us, Ordering::Relaxed);
        let writer_share = affinity::sample(window_us, stats.one_is_enough.load(Ordering::Relaxed));
        // The log writer's share of the worker's core is not available to the worker.
        let used = used_us * 1000 / window_us + u64::from(writer_share);
        let share = used.min(1000) as u32;
        stats.share.store(share, Ordering::Relaxed);
        stats.window_began_us.store(now_us, Ordering::Relaxed);
        let wanted = self.wanted_workers(stats, self.in_use.load(Ordering::Relaxed));
        let in_use = wanted.min(self.workers.len());
        self.in_use.store(in_use, Ordering::Relaxed);
        self.plan_migration(worker, share, in_use);
        stats.one_is_enough.store(wanted == 1, Ordering::Relaxed);
        stats.end_window();
    }

    /// Returns the number of workers that the load needs, which may be more than exist.
    fn wanted_workers(&self, stats: &WorkerStats, in_use: usize) -> usize {
        let now_us = self.now_us();
        let shares: u32 = self.workers.iter().map(|stats| stats.share_at(now_us)).sum();
        if stats.share.load(Ordering::Relaxed) > SATURATED {
            in_use + usize::from(stats.finds_idle_core(now_us))
        } else if in_use > 1 && shares < RELAXED * (in_use as u32 - 1) {
            in_use - 1
        } else {
            in_use
        }
    }

    /// Decides how many of the worker's connections migrate, and to which worker.
    fn plan_migration(&self, worker: usize, share: u32, in_use: usize) {
        let (stats, now_us) = (self.stats(worker), self.now_us());
        let others = self.workers.iter().enumerate().take(in_use).filter(|&(index, _)| index != worker);
        let target = others
            .filter(|(_, other)| !other.occupancy.is_blocked())
            .map(|(index, other)| (other.share_at(now_us), index))
            .min();
        let active = stats.active.load(Ordering::Relaxed);
        let to_migrate = match target {
            Some(_) if worker >= in_use => active,
            Some((least, _)) if share > least + ALIKE => active * (share - least) / (2 * share),
            _ => 0,
        };
        stats.migrate_to.store(target.map_or(worker, |(_, index)| index), Ordering::Relaxed);
        stats.to_migrate.store(to_migrate, Ordering::Relaxed);
    }

    fn now_us(&self) -> u64 {
        micros(self.started.elapsed())
    }
}

#[cfg(test)]
impl Scheduler {
    /// Makes each worker hand its connections over to the next one, until the load is measured again.
    pub(crate) fn migrate_all(&self) {
        for (index, stats) in self.workers.iter().enumerate() {
            stats.migrate_to.store((index + 1) % self.workers.len(), Ordering::Relaxed);
            stats.to_migrate.store(u32::MAX / 2, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use tokio::sync::mpsc::{self, UnboundedReceiver};

    use super::super::worker_handle::WorkerHandle;
    use super::*;
    use crate::engine::OpenConnection;
    use crate::metrics::ListenerKind;
    use crate::session::Session;
    use crate::transport::{Socket, Transport};

    /// Makes a scheduler of three workers, the first two in use, whose last window has just ended with these loads.
    fn scheduler(shares: [u32; 3]) -> Arc<Scheduler> {
        let scheduler = Scheduler::new((0..3).map(|_| mpsc::unbounded_channel().0));
        scheduler.in_use.store(2, Ordering::Relaxed);
        for (stats, share) in scheduler.workers.iter().zip(shares) {
            stats.share.store(share, Ordering::Relaxed);
            stats.window_began_us.store(scheduler.now_us(), Ordering::Relaxed);
            stats.batches.store(1000, Ordering::Relaxed);
            stats.active.store(40, Ordering::Relaxed);
        }
        scheduler
    }

    fn wanted(scheduler: &Scheduler) -> usize {
        scheduler.wanted_workers(scheduler.stats(0), 2)
    }

    /// Returns how many connections of a worker are to migrate, and where.
    fn migration(scheduler: &Scheduler, worker: usize, in_use: usize) -> (u32, usize) {
        let stats = scheduler.stats(worker);
        scheduler.plan_migration(worker, stats.share.load(Ordering::Relaxed), in_use);
        (stats.to_migrate.load(Ordering::Relaxed), stats.migrate_to.load(Ordering::Relaxed))
    }

    #[test]
    fn what_one_worker_could_serve_gives_the_other_up() {
        assert_eq!(wanted(&scheduler([300, 250, 0])), 1);
        assert_eq!(wanted(&scheduler([500, 450, 0])), 2);
    }

    #[test]
    fn a_worker_with_much_more_load_gives_away_half_of_the_difference() {
        assert_eq!(migration(&scheduler([800, 400, 0]), 0, 2), (10, 1));
        assert_eq!(migration(&scheduler([450, 400, 0]), 0, 2).0, 0);
        assert_eq!(migration(&scheduler([800, 400, 0]), 1, 2).0, 0);
    }

    #[test]
    fn nothing_migrates_to_a_worker_that_waits_for_a_disk() {
        let scheduler = scheduler([0, 800, 0]);
        assert!(scheduler.stats(0).occupancy.try_add());
        let handle = WorkerHandle::new(&scheduler, 0);
        let _blocked = handle.try_block().unwrap();
        assert_eq!(migration(&scheduler, 1, 1).0, 0);
        assert_eq!(migration(&scheduler, 1, 2).0, 0);
    }

    /// Makes a connection as the acceptor does.
    fn connection() -> AcceptedConnection {
        let (stream, _) = UnixStream::pair().unwrap();
        AcceptedConnection {
            transport: Transport::Plain(Socket::from(stream)),
            session: Box::new(Session::for_tests()),
            open: OpenConnection::open(&Arc::default(), ListenerKind::Tcp, 1).unwrap(),
            start_permit: None,
        }
    }

    #[test]
    fn a_new_connection_goes_past_a_blocked_worker_and_no_connection_migrates_there() {
        let (inboxes, outboxes): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::unbounded_channel()).unzip();
        let scheduler = Scheduler::new(inboxes.into_iter());
        let handles = [0, 1].map(|worker| WorkerHandle::new(&scheduler, worker));
        scheduler.assign(connection()).unwrap();
        let blocked = handles[0].try_block().unwrap();
        for _ in 0..3 {
            scheduler.assign(connection()).unwrap();
        }
        assert_eq!(outboxes.iter().map(UnboundedReceiver::len).collect::<Vec<_>>(), [1, 3]);
        assert!(handles[1].migrate(connection()).is_err());
        drop(blocked);
        assert!(handles[1].migrate(connection()).is_ok());
    }

    #[test]
    fn a_connection_that_cannot_be_delivered_is_not_counted() {
        let scheduler = scheduler([0, 0, 0]);
        assert!(scheduler.assign(connection()).is_err());
        assert!(WorkerHandle::new(&scheduler, 1).migrate(connection()).is_err());
        assert!(scheduler.workers.iter().all(|stats| stats.occupancy.connections() == 0));
    }

    #[test]
    fn a_worker_that_was_given_up_gives_all_away() {
        assert_eq!(migration(&scheduler([800, 400, 0]), 1, 1), (40, 0));
    }
}
