//! Outcomes of reloads, for `INFO`.

use parking_lot::Mutex;

use super::ReloadError;
use crate::engine::Counter;

/// Outcomes of the reloads so far. Figures for people: nothing depends on them.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// Reloads that were taken over.
    pub(crate) reloads: Counter,
    /// Reloads that were refused.
    pub(crate) failed_reloads: Counter,
    /// The last reload.
    pub(crate) last: FileOutcome,
    /// The file of users.
    pub(crate) users: FileOutcome,
    /// The files of TLS.
    pub(crate) tls: FileOutcome,
}

/// Reason why something was not taken over; empty if it was.
#[derive(Debug, Default)]
pub(crate) struct FileOutcome(Mutex<Option<String>>);

impl FileOutcome {
    pub(super) fn set(&self, error: Option<String>) {
        *self.0.lock() = error;
    }

    /// Returns whether it was taken over.
    pub(crate) fn is_success(&self) -> bool {
        self.0.lock().is_none()
    }

    /// Returns the reason, or an empty text.
    pub(crate) fn error(&self) -> String {
        self.0.lock().clone().unwrap_or_default()
    }
}

impl Outcomes {
    pub(super) fn record(&self, error: Option<&ReloadError>) {
        self.last.set(error.map(ReloadError::to_string));
        match error {
            None => {
                self.reloads.add(1);
                self.users.set(None);
                self.tls.set(None);
            }
            Some(_) => self.failed_reloads.add(1),
        }
    }
}
