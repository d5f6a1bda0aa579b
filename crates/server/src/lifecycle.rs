//! Phase of a server's life, which probes and the service manager look at.

use rustvault_storage::RecoveryProgress;
use tokio::sync::watch;

/// Phase of a server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It loads its files, listens, and recovers the log.
    Starting,
    /// It serves.
    Serving,
    /// It was asked to stop, or its log has failed: connections are answered and end.
    Stopping {
        /// Set if the log has failed.
        has_failed: bool,
    },
}

/// Life of a server: the present phase, and the progress of the recovery. Clones share it.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
    recovery: RecoveryProgress,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Starting), recovery: RecoveryProgress::default() }
    }
}

impl Lifecycle {
    /// Returns the present phase.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Returns a receiver of all further phases.
    pub fn watch(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Returns the progress of the recovery.
    pub const fn recovery(&self) -> &RecoveryProgress {
        &self.recovery
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}
