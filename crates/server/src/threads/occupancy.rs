//! Number of a worker's connections, and whether it is blocked, which is while it waits for a disk for its only connection.
//!
//! Both are one atomic state, so a blocked worker never gets a connection. Permits ensure that one worker is never blocked.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bit of a worker's state that is set while it is blocked. The other bits count its connections.
const BLOCKED: usize = 1 << (usize::BITS - 1);

/// The state in which a worker may be blocked: one connection, not blocked.
const ALONE: usize = 1;

/// Number of connections of one worker, including those on their way to it, and whether it is blocked.
#[derive(Debug, Default)]
pub(crate) struct Occupancy(AtomicUsize);

/// Permits to block a worker: one fewer than there are workers, so that at least one serves at any moment.
#[derive(Debug)]
pub(crate) struct BlockingPermits {
    taken: AtomicUsize,
    max: usize,
}

/// A worker that may be blocked while this lives.
#[derive(Debug)]
pub(crate) struct BlockedWorker<'a> {
    occupancy: &'a Occupancy,
    permits: &'a BlockingPermits,
}

impl Occupancy {
    pub(crate) fn connections(&self) -> usize {
        self.0.load(Ordering::Relaxed) & !BLOCKED
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BLOCKED != 0
    }

    /// Counts a connection that is about to be sent to the worker; returns `false` if that is blocked.
    pub(crate) fn try_add(&self) -> bool {
        let add = |state| (state & BLOCKED == 0).then_some(state + 1);
        self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, add).is_ok()
    }

    /// Subtracts a connection that has left, or could not be delivered.
    pub(crate) fn remove(&self) {
        let state = self.0.fetch_sub(1, Ordering::Release);
        debug_assert!(state & !BLOCKED > 0, "a connection leaves once");
    }

    /// Marks the worker as blocked, if it has exactly one connection and another worker remains that serves.
    pub(crate) fn try_block<'a>(&'a self, permits: &'a BlockingPermits) -> Option<BlockedWorker<'a>> {
        // Checked first, because most workers have more connections, and the permits are shared by all workers.
        if self.0.load(Ordering::Relaxed) != ALONE || !permits.try_take() {
            return None;
        }
        // The permit is taken before the mark is set, and returned after it is cleared: there are never more marks than
        // permits.
        if self.0.compare_exchange(ALONE, ALONE | BLOCKED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            permits.put_back();
            return None;
        }
        Some(BlockedWorker { occupancy: self, permits })
    }
}

impl BlockingPermits {
    pub(crate) const fn new(workers: usize) -> Self {
        Self { taken: AtomicUsize::new(0), max: workers.saturating_sub(1) }
    }

    fn try_take(&self) -> bool {
        let take = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).is_ok()
    }

    fn put_back(&self) {
        let taken = self.taken.fetch_sub(1, Ordering::Release);
        debug_assert!((1..=self.max).contains(&taken), "only what was taken is put back");
    }
}

impl Drop for BlockedWorker<'_> {
    fn drop(&mut self) {
        let state = self.occupancy.0.fetch_and(!BLOCKED, Ordering::Release);
        debug_assert_eq!(state, ALONE | BLOCKED, "no connection came or left meanwhile");
        self.permits.put_back();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::{hint, mem, thread};

    use super::*;

    const ROUNDS: usize = 100_000;

    /// Two threads that try something at the same moment, again and again; one of them must succeed each time.
    #[derive(Default)]
    struct Duel {
        arrivals: AtomicUsize,
        succeeded: [AtomicBool; 2],
    }

    impl Duel {
        /// Returns in how many rounds exactly one thread has succeeded, up to the first in which that was not so.
        fn run<L, R>(left: impl Fn() -> Option<L> + Sync, right: impl Fn() -> Option<R> + Sync) -> usize {
            let duel = Self::default();
            thread::scope(|scope| {
                scope.spawn(|| duel.fight(0, &left));
                duel.fight(1, &right)
            })
        }

        fn fight<G>(&self, number: usize, attempt: &(impl Fn() -> Option<G> + Sync)) -> usize {
            for round in 0..ROUNDS {
                self.meet();
                // The threads leave `meet` at moments that differ by little, in a way that would stay the same.
                (0..round % 7 * number).for_each(|_| hint::spin_loop());
                let success = attempt();
                self.succeeded[number].store(success.is_some(), Ordering::SeqCst);
                self.meet();
                let [left, right] = self.succeeded.each_ref().map(|flag| flag.load(Ordering::SeqCst));
                if left == right {
                    // Its assertions would end this thread only.
                    mem::forget(success);
                    return round;
                }
            }
            ROUNDS
        }

        /// Returns once both threads have arrived.
        fn meet(&self) {
            let end = self.arrivals.fetch_add(1, Ordering::SeqCst) / 2 * 2 + 2;
            let mut spins = 0;
            while self.arrivals.load(Ordering::SeqCst) < end {
                spins += 1;
                if spins % 256 == 0 { thread::yield_now() } else { hint::spin_loop() }
            }
        }
    }

    /// A connection that leaves when this is dropped.
    struct Added<'a>(&'a Occupancy);

    impl Drop for Added<'_> {
        fn drop(&mut self) {
            self.0.remove();
        }
    }

    fn alone() -> Occupancy {
        let occupancy = Occupancy::default();
        assert!(occupancy.try_add());
        occupancy
    }

    #[test]
    fn a_worker_is_either_blocked_or_given_a_connection() {
        let (occupancy, permits) = (alone(), BlockingPermits::new(2));
        let block = || occupancy.try_block(&permits);
        let add = || occupancy.try_add().then(|| Added(&occupancy));
        assert_eq!(Duel::run(block, add), ROUNDS);
    }

    #[test]
    fn of_two_workers_one_is_blocked_at_a_time() {
        let (workers, permits) = ([alone(), alone()], BlockingPermits::new(2));
        let [left, right] = workers.each_ref();
        assert_eq!(Duel::run(|| left.try_block(&permits), || right.try_block(&permits)), ROUNDS);
    }

    #[test]
    fn the_only_worker_is_never_blocked() {
        assert!(alone().try_block(&BlockingPermits::new(1)).is_none());
    }

    #[test]
    fn a_worker_is_blocked_with_exactly_one_connection() {
        let (occupancy, permits) = (Occupancy::default(), BlockingPermits::new(2));
        assert!(occupancy.try_block(&permits).is_none());
        assert!(occupancy.try_add() && occupancy.try_add());
        assert!(occupancy.try_block(&permits).is_none());
        occupancy.remove();
        let blocked = occupancy.try_block(&permits);
        assert!(blocked.is_some() && occupancy.is_blocked() && !occupancy.try_add());
        drop(blocked);
        assert!(!occupancy.is_blocked() && occupancy.try_add());
    }
}
