//! Counters that one thread changes and any thread reads, without an atomic read-modify-write.

use std::sync::atomic::{AtomicU64, Ordering};

/// Adds to a counter that no other thread changes.
#[inline]
pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// Returns the count.
#[inline]
pub(super) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
