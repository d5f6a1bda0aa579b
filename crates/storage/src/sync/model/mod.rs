//! Primitives whose schedule the model checker shuttle chooses: its own, and on top of them those that it lacks.
//!
//! A schedule is a list of choices: which thread goes on at each step, whether a timed wait ends, what random
//! bytes are. So nothing in here may depend on anything else: no real clock, no real randomness.

mod clock;
mod condvar;
mod futures;
mod lock;
pub(crate) mod thread;

use std::time::Duration;

pub use clock::pass_time;
pub(crate) use clock::{Instant, SystemTime};
pub(crate) use condvar::Condvar;
pub(crate) use futures::{Notified, Notify, Semaphore, SemaphorePermit, SetOnce, TryAcquireError, oneshot};
pub(crate) use lock::{Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use std::sync::LazyLock;

/// Numbers and flags that threads share without a lock. Every order is as strong as the strongest here, and
/// fences do nothing: what depends on them is tried elsewhere.
pub(crate) mod atomic {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
}

/// Atomics of the keyspace, which are only changed under the lock of a shard or only counted with: nobody's
/// steps depend on when others see them, so they are no steps of a schedule.
pub(crate) mod counter {
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
}

/// Fills `bytes` by the schedule's choice.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), std::io::Error> {
    use shuttle::rand::RngCore as _;
    shuttle::rand::thread_rng().fill_bytes(bytes);
    Ok(())
}

/// Lets the schedule put another thread in here.
fn step() {
    // This is how shuttle names its plain step; time does not pass.
    shuttle::thread::sleep(Duration::ZERO);
}

/// Chooses a number below `end`.
fn choose(end: usize) -> usize {
    use shuttle::rand::Rng as _;
    if end > 1 { shuttle::rand::thread_rng().gen_range(0..end) } else { 0 }
}
