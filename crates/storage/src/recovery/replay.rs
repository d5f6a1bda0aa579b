//! Applies the records of a log to a keyspace that is being recovered.

use super::progress::{ProgressReporter, RecoveryProgress};
use crate::Error;
use crate::keyspace::{HashSeed, Keyspace, Past, Restore};
use crate::sync::Instant;
use crate::wal::{Logged, LoggedChange};

/// Builds a keyspace from the log's records, in any order.
pub(super) struct Replay {
    restore: Restore,
    progress: ProgressReporter,
}

impl Replay {
    /// Begins with a log of `len_bytes`.
    pub(super) fn new(seed: HashSeed, len_bytes: u64, progress: &RecoveryProgress) -> Self {
        let progress = ProgressReporter::new(progress, len_bytes, Instant::now());
        Self { restore: Restore::new(seed), progress }
    }

    /// Applies records that take `bytes` of the log.
    pub(super) fn apply(&self, records: &[Logged<'_>], bytes: u64) {
        let clears = records.iter().filter(|logged| logged.change == LoggedChange::Clear);
        if let Some(newest) = clears.map(|logged| logged.lsn).max() {
            self.restore.clear(newest);
        }
        self.restore.put(records, past);
        self.progress.advance(records.len() as u64, bytes);
    }

    pub(super) fn finish(self) -> Result<Keyspace, Error> {
        self.progress.finish();
        self.restore.finish()
    }
}

fn past<'a>(logged: &'a Logged<'_>) -> Option<Past<'a>> {
    let lsn = logged.lsn;
    match logged.change {
        LoggedChange::Set { key, value } => Some(Past { lsn, key, value: Some(value) }),
        LoggedChange::Delete { key } => Some(Past { lsn, key, value: None }),
        LoggedChange::Clear => None,
    }
}
