//! Mutexes that every thread takes in one order, so that no two wait for each other; debug builds check it.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use super::{Mutex, MutexGuard};

/// The places in the order: with one of these held, only later ones may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// The log's end.
    Appender,
    /// The file to sync.
    Syncing,
    /// The records that are not written yet.
    Tail,
    /// A group of waiters.
    Waiters,
}

/// A mutex with its place in the order.
pub(crate) struct OrderedMutex<T> {
    rank: Rank,
    mutex: Mutex<T>,
}

/// The right to what an [`OrderedMutex`] has.
pub(crate) struct OrderedGuard<'m, T> {
    // Dropped first: it is held until it is released.
    guard: MutexGuard<'m, T>,
    _held: HeldRank,
}

impl<T> OrderedMutex<T> {
    pub(crate) fn new(rank: Rank, value: T) -> Self {
        Self { rank, mutex: Mutex::new(value) }
    }

    pub(crate) fn lock(&self) -> OrderedGuard<'_, T> {
        let held = HeldRank::new(self.rank);
        OrderedGuard { guard: self.mutex.lock(), _held: held }
    }
}

impl<'m, T> OrderedGuard<'m, T> {
    /// For a condition variable, which gives the mutex up while it waits.
    pub(crate) fn guard_mut(&mut self) -> &mut MutexGuard<'m, T> {
        &mut self.guard
    }
}

impl<T> Deref for OrderedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for OrderedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Release builds check nothing. Nor does the model checker's build: it runs all of its threads on one of the system's, and
/// finds those that wait for each other itself.
const IS_CHECKED: bool = cfg!(all(debug_assertions, not(feature = "shuttle")));

thread_local! {
    /// A bit for each rank of which this thread has a mutex.
    static HELD_RANKS: Cell<u8> = const { Cell::new(0) };
}

/// A mark that this thread has a mutex of a rank, or waits for it.
struct HeldRank {
    bit: u8,
}

impl HeldRank {
    fn new(rank: Rank) -> Self {
        let bit = 1 << rank as u8;
        if IS_CHECKED {
            let held = HELD_RANKS.get();
            assert!(
                held < bit,
                "{rank:?} is waited for with {held:#b} held, which comes later or is the same"
            );
            HELD_RANKS.set(held | bit);
        }
        Self { bit }
    }
}

impl Drop for HeldRank {
    fn drop(&mut self) {
        if IS_CHECKED {
            HELD_RANKS.set(HELD_RANKS.get() & !self.bit);
        }
    }
}

#[cfg(all(test, debug_assertions, not(feature = "shuttle")))]
mod tests {
    use super::*;

    #[test]
    fn mutexes_are_taken_in_their_order_and_again_once_they_were_released() {
        let (appender, tail) = (OrderedMutex::new(Rank::Appender, 1), OrderedMutex::new(Rank::Tail, 2));
        for _ in 0..2 {
            let appender = appender.lock();
            for _ in 0..2 {
                assert_eq!(*appender + *tail.lock(), 3);
            }
        }
    }

    #[test]
    #[should_panic(expected = "Appender is waited for")]
    fn a_mutex_that_comes_earlier_is_not_waited_for() {
        let (appender, tail) = (OrderedMutex::new(Rank::Appender, ()), OrderedMutex::new(Rank::Tail, ()));
        let _tail = tail.lock();
        drop(appender.lock());
    }

    #[test]
    #[should_panic(expected = "Waiters is waited for")]
    fn two_of_one_place_are_not_held_at_a_time() {
        let groups = [(); 2].map(|()| OrderedMutex::new(Rank::Waiters, ()));
        let _first = groups[0].lock();
        drop(groups[1].lock());
    }
}
