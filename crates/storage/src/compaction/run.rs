//! A running compaction: writes the entries, copies the records that were written meanwhile, and swaps the files.

use std::time::Duration;

use super::control::Control;
use super::pace::Pace;
use super::rule::room_bytes;
use crate::keyspace::{Keyspace, KeyspaceWalk};
use crate::wal::{Location, LogHandle, LoggedEntry, Rewrite};
use crate::{Error, LogFormat};

/// Most bytes of entries that a compaction holds at a time, or one larger entry.
const MAX_HELD_BYTES: usize = 1024 * 1024;

/// Bytes of the log to copy between two rests.
const COPY_STEP_BYTES: u64 = 1024 * 1024;

/// Most bytes of the log that are copied while writers are blocked. It exceeds the batches that arrive while so much is copied, also
/// with large values; otherwise the copy would never come that close to the end.
const LITTLE_BYTES: u64 = 2 * 1024 * 1024;

/// Rounds in which the copy may catch up with the growing log before writers are slowed down.
const PATIENT_ROUNDS: u32 = 2;

/// Most rounds; then the rest is copied while writers are blocked.
const MAX_ROUNDS: u32 = 10;

/// First pause of writers before each batch; doubled in each further round.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Longest pause of writers before each batch.
const MAX_PAUSE: Duration = Duration::from_millis(8);

/// Statistics of a compaction that succeeded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Summary {
    pub(super) entries: u64,
    /// Most bytes of memory that it held: entries, which may have been overwritten since, and buffers.
    pub(super) peak_memory_bytes: usize,
}

/// A compaction and its inputs.
pub(super) struct Run<'c> {
    pub(super) keyspace: &'c Keyspace,
    pub(super) log: &'c LogHandle,
    pub(super) location: &'c Location,
    pub(super) control: &'c Control,
    /// Format of the successor.
    pub(super) format: LogFormat,
    /// Set if it may replace a log that was removed or replaced.
    pub(super) may_restore: bool,
}

impl Run<'_> {
    /// Writes a successor of the log, and swaps it in.
    pub(super) fn run(&self, live_bytes: u64) -> Result<Summary, Error> {
        let free_bytes = self.location.free_bytes()?;
        if free_bytes < room_bytes(live_bytes) {
            return Err(self.location.no_room());
        }
        let mut pace = Pace::begin(self.control, self.log, self.location, live_bytes, free_bytes);
        pace.check()?;
        let mut rewrite = Rewrite::begin(self.log, self.location, self.format, self.keyspace.seed().0)?;
        let summary = self.write_entries(&mut rewrite, &mut pace)?;
        // The walk skipped entries that were written after it began, and missed keys that were deleted: the successor must
        // contain the records of both.
        self.log.commit()?;
        {
            let _at_full_speed_again = FullSpeed(self.log);
            self.catch_up(&mut rewrite, |done_bytes| pace.rest(done_bytes))?;
            rewrite.zero_ahead()?;
            self.catch_up(&mut rewrite, |_| pace.check())?;
            // Closing the old file frees its blocks, which may take long. On this thread, nobody waits for it.
            drop(rewrite.take_over(self.may_restore)?);
        }
        Ok(summary)
    }

    fn write_entries(&self, rewrite: &mut Rewrite, pace: &mut Pace<'_>) -> Result<Summary, Error> {
        let mut summary = Summary::default();
        let mut walk = KeyspaceWalk::new(self.keyspace, rewrite.last_lsn(), MAX_HELD_BYTES);
        let mut entries = Vec::new();
        while walk.next_page(&mut entries) {
            let held_bytes: usize =
                entries.iter().map(|entry| entry.memory_bytes() + size_of_val(entry)).sum();
            summary.entries += entries.len() as u64;
            for entry in entries.drain(..) {
                let (lsn, key, value) = (entry.lsn(), entry.key(), entry.value());
                rewrite.push_entry(&LoggedEntry { lsn, key, value })?;
            }
            summary.peak_memory_bytes = summary.peak_memory_bytes.max(held_bytes + rewrite.memory_bytes());
            pace.rest(rewrite.len_bytes())?;
        }
        rewrite.end_entries()?;
        Ok(summary)
    }

    /// Copies the records that were written since the walk began, until few are left.
    fn catch_up(
        &self,
        rewrite: &mut Rewrite,
        mut rest: impl FnMut(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for round in 0..MAX_ROUNDS {
            let mut behind = rewrite.bytes_behind();
            if behind <= LITTLE_BYTES {
                break;
            }
            if round > 0 {
                rewrite.hurry();
            }
            if round >= PATIENT_ROUNDS {
                self.log.set_pause((FIRST_PAUSE * (1 << (round - PATIENT_ROUNDS))).min(MAX_PAUSE));
            }
            while behind > 0 {
                rewrite.copy(COPY_STEP_BYTES)?;
                behind = behind.saturating_sub(COPY_STEP_BYTES);
                rest(rewrite.len_bytes())?;
            }
        }
        Ok(())
    }
}

/// Ends the slowing down of writers.
struct FullSpeed<'c>(&'c LogHandle);

impl Drop for FullSpeed<'_> {
    fn drop(&mut self) {
        self.0.set_pause(Duration::ZERO);
    }
}
