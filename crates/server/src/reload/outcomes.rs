//! Outcomes of reloads, for `INFO`.

use parking_lot::Mutex;

use super::ReloadError;

/// Outcomes of the reloads so far. A figure for people: nothing depends on it.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(Mutex<ReloadOutcomes>);

/// Counts of reloads, and the present errors.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReloadOutcomes {
    /// Reloads that were taken over.
    pub(crate) reloads: u64,
    /// Reloads that were refused.
    pub(crate) failed_reloads: u64,
    /// The error of the last reload, if it was refused.
    pub(crate) last_error: Option<String>,
}

impl Outcomes {
    pub(super) fn record(&self, error: Option<&ReloadError>) {
        let mut outcomes = self.0.lock();
        match error {
            None => outcomes.reloads += 1,
            Some(_) => outcomes.failed_reloads += 1,
        }
        outcomes.last_error = error.map(ReloadError::to_string);
    }

    pub(crate) fn get(&self) -> ReloadOutcomes {
        self.0.lock().clone()
    }
}
