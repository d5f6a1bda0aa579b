//! The primitives of the system, of parking_lot and of tokio, as they are.

pub(crate) use getrandom::fill as fill_random;
pub(crate) use std::sync::{LazyLock, OnceLock};
pub(crate) use std::time::{Instant, SystemTime};

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub(crate) use tokio::sync::{
    Notify, Semaphore, SemaphorePermit, SetOnce, TryAcquireError, futures::Notified, oneshot,
};

/// Numbers and flags that threads share without a lock.
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
}

/// Atomics of the keyspace, which are only changed under the lock of a shard or only counted with: nobody's
/// steps depend on when others see them.
pub(crate) mod counter {
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
}

/// Starting threads, and waiting.
pub(crate) mod thread {
    pub(crate) use std::thread::{Builder, JoinHandle, available_parallelism, panicking, scope, sleep};

    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A small number of the calling thread: threads are counted in the order in which they first ask.
    pub(crate) fn number() -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
        }
        NUMBER.with(|number| {
            let own = number.get().unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed));
            number.set(Some(own));
            own
        })
    }
}
