//! Handle of a compaction to the log in use.

use std::sync::Arc;
use std::time::Duration;

use super::group_commit::SharedLog;
use super::log::Log;
use crate::sync::atomic::Ordering;
use crate::{Error, LogFormat};

/// A handle to the log in use, for a compaction.
#[derive(Clone)]
pub(crate) struct LogHandle {
    pub(in crate::wal) shared: Arc<SharedLog>,
}

impl Log {
    /// Returns a handle for a compaction.
    pub(crate) fn handle(&self) -> LogHandle {
        LogHandle { shared: Arc::clone(&self.shared) }
    }
}

impl LogHandle {
    /// Returns the format in which the log is encoded.
    pub(crate) fn format(&self) -> LogFormat {
        self.shared.space.format()
    }

    /// Returns the log's size in bytes.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.shared.space.log_end()
    }

    /// Sets the size, in bytes, at which the log calls `on_size` once, after the write that reaches it.
    pub(crate) fn set_alarm(&self, at_bytes: u64) {
        self.shared.size_limit.set_alarm(at_bytes);
    }

    /// Limits the size of the log, in bytes: writers that need more wait for another limit.
    pub(crate) fn set_size_limit(&self, max_bytes: u64) {
        if self.shared.size_limit.set_max(max_bytes) {
            self.shared.space.wake_all();
        }
    }

    /// Returns the size of the log that writers wait for, in bytes; 0 if nobody waits.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.shared.size_limit.held_bytes()
    }

    /// Sets the pause after every batch.
    pub(crate) fn set_pause(&self, pause: Duration) {
        let pause_us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.shared.pause_us.store(pause_us, Ordering::Relaxed);
    }

    /// The failure, if the log has failed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.shared.check()
    }

    /// Writes all records that were appended so far.
    pub(crate) fn commit(&self) -> Result<(), Error> {
        self.shared.commit()
    }

    /// Returns whether the log's file was removed, replaced or truncated.
    pub(crate) fn is_removed(&self) -> bool {
        self.shared.file_watch.is_removed()
    }

    /// Fails the log.
    pub(crate) fn fail(&self, error: Error) {
        self.shared.fail(error);
    }
}
