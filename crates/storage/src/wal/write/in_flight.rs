//! Counter of admitted writers that have not appended yet, for which a closing log waits. Each side writes its flag, executes a fence,
//! then reads the other's flag, so at least one sees the other. `tests/fences.rs` checks this with loom.

use crate::sync::atomic::{AtomicUsize, Ordering, fence};

/// Admissions that may still append.
pub(super) struct InFlight(AtomicUsize);

/// An admission that may still append: counted until this is dropped.
pub(super) struct Flight<'f>(&'f InFlight);

impl InFlight {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Counts a writer. It must ask afterwards whether admission has ended, and append nothing if so.
    pub(super) fn begin(&self) -> Flight<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Flight(self)
    }

    /// Orders the end of admission before the next [`is_any`](Self::is_any).
    pub(super) fn admission_has_ended(&self) {
        fence(Ordering::SeqCst);
    }

    /// Returns whether an admitted writer may still append. After admission has ended, `false` is final, and makes all
    /// appends visible.
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
