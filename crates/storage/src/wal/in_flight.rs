//! Counts those who are admitted and have not appended yet, which takes no waiting: a closing log waits for them.
//!
//! Both sides first say something and then look at what the other one says, with a fence in between: so either who
//! was admitted sees that admission has ended, or the closing log sees them. `tests/fences.rs` tries it on the weak
//! memory that a processor may have.

use crate::sync::atomic::{AtomicUsize, Ordering, fence};

/// Admissions that may still append.
pub(super) struct InFlight(AtomicUsize);

/// One of them.
pub(super) struct Flight<'f>(&'f InFlight);

impl InFlight {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Begins one. Only after this is it asked whether admission has ended; who is told so appends nothing.
    pub(super) fn begin(&self) -> Flight<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Flight(self)
    }

    /// To be called after admission has ended, and before anybody asks whether there [is any](Self::is_any).
    pub(super) fn admission_has_ended(&self) {
        fence(Ordering::SeqCst);
    }

    /// Whether somebody may still append. Once nobody does after admission has ended, nobody ever will, and
    /// what they appended is seen.
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
