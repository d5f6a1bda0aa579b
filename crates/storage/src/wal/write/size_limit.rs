//! Calls the compactor when the log has reached a size, and holds writers that would take the room it needs.

use crate::sync::atomic::AtomicU64;
use crate::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Limit on the size of the log until the compactor has looked again.
///
/// The compactor is a thread like any other: when it is late, writers must not have filled the disk with what
/// it would have given back.
pub(super) struct SizeLimit {
    /// The size at which the compactor is called, once, in bytes.
    alarm_bytes: AtomicU64,
    /// Beyond this size of the file no room is reserved, in bytes.
    max_bytes: AtomicU64,
    /// The size that somebody waits for, who was held; 0 for nobody.
    held_bytes: AtomicU64,
    call: Box<dyn Fn() + Send + Sync>,
}

impl SizeLimit {
    /// No limit, and no alarm. `call` calls the compactor.
    pub(super) fn new(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            alarm_bytes: AtomicU64::new(u64::MAX),
            max_bytes: AtomicU64::new(u64::MAX),
            held_bytes: AtomicU64::new(0),
            call: Box::new(call),
        }
    }

    pub(super) fn set_alarm(&self, at_bytes: u64) {
        self.alarm_bytes.store(at_bytes, Relaxed);
    }

    /// Calls the compactor if the log has grown to the size that was set.
    pub(super) fn check_alarm(&self, log_bytes: u64) {
        if log_bytes >= self.alarm_bytes.load(Relaxed) {
            self.alarm_bytes.store(u64::MAX, Relaxed);
            (self.call)();
        }
    }

    /// The size up to which room may be reserved, in bytes.
    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes.load(SeqCst)
    }

    /// Returns whether the file may have room up to `end`. If not, the compactor is called, to change that.
    pub(super) fn admits(&self, end: u64) -> bool {
        if end <= self.max_bytes() {
            return true;
        }
        // Told before it is looked at again: whoever sets another limit at this moment sees this, or is seen.
        self.held_bytes.fetch_max(end, SeqCst);
        if end <= self.max_bytes() {
            return true;
        }
        (self.call)();
        false
    }

    /// Sets the limit. Returns whether somebody was held by the one before, who is to try again.
    pub(super) fn set_max(&self, max_bytes: u64) -> bool {
        self.max_bytes.store(max_bytes, SeqCst);
        self.held_bytes.swap(0, SeqCst) > 0
    }

    /// The size that somebody waits for; 0 for nobody.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes.load(SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sync::atomic::AtomicUsize;

    fn counted() -> (SizeLimit, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let call = move || {
            counter.fetch_add(1, SeqCst);
        };
        (SizeLimit::new(call), calls)
    }

    #[test]
    fn the_compactor_is_called_once_at_the_size_that_was_set() {
        let (limit, calls) = counted();
        limit.check_alarm(1 << 40);
        limit.set_alarm(100);
        limit.check_alarm(99);
        assert_eq!(calls.load(SeqCst), 0);
        limit.check_alarm(100);
        limit.check_alarm(200);
        assert_eq!(calls.load(SeqCst), 1);
    }

    #[test]
    fn who_is_held_calls_the_compactor_and_is_known_until_there_is_another_limit() {
        let (limit, calls) = counted();
        assert!(limit.admits(u64::MAX) && !limit.set_max(100));
        assert!(limit.admits(100) && !limit.admits(130) && !limit.admits(120));
        assert_eq!((limit.held_bytes(), calls.load(SeqCst)), (130, 2));
        assert!(limit.set_max(130), "one waits");
        assert!(limit.admits(130) && limit.held_bytes() == 0);
    }
}
