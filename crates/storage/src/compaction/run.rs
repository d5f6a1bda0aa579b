//! The run of a compaction: entries, then what was written meanwhile, then the take-over.

use std::time::Duration;

use super::control::Control;
use super::pace::Pace;
use super::rule::room_bytes;
use crate::keyspace::{Keyspace, KeyspaceWalk};
use crate::wal::{Location, LogHandle, LoggedEntry, Rewrite};
use crate::{Error, LogFormat};

/// Bytes of entries that a compaction holds at one time, or one larger entry.
const MAX_HELD_BYTES: usize = 1024 * 1024;

/// Bytes of the log that are copied between two rests.
const COPY_STEP_BYTES: u64 = 1024 * 1024;

/// Most bytes of the log that may be left for the moment in which nothing is written. That is more than the
/// batches that come while so much is copied, of large values too, or the copy would never be near the end.
const LITTLE_BYTES: u64 = 2 * 1024 * 1024;

/// Rounds in which the copy may catch up with a log that goes on growing, before writers are slowed down.
const PATIENT_ROUNDS: u32 = 2;

/// Rounds in all, before the rest is copied while nothing is written.
const MAX_ROUNDS: u32 = 10;

/// By how much writers are slowed down at first, before each batch; twice as much in each further round.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// By how much they are slowed down at most.
const MAX_PAUSE: Duration = Duration::from_millis(8);

/// Figures of a compaction that succeeded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Summary {
    pub(super) entries: u64,
    /// Most bytes of memory that it held: entries, of which the keys may have got other values, and buffers.
    pub(super) peak_memory_bytes: usize,
}

/// A compaction, with all that it works on.
pub(super) struct Run<'c> {
    pub(super) keyspace: &'c Keyspace,
    pub(super) log: &'c LogHandle,
    pub(super) location: &'c Location,
    pub(super) control: &'c Control,
    /// Format in which the successor is encoded.
    pub(super) format: LogFormat,
    /// Allows taking the place of a log that was removed or replaced.
    pub(super) may_restore: bool,
}

impl Run<'_> {
    /// Makes a successor of the log and has it take over.
    pub(super) fn run(&self, live_bytes: u64) -> Result<Summary, Error> {
        let free_bytes = self.location.free_bytes()?;
        if free_bytes < room_bytes(live_bytes) {
            return Err(self.location.no_room());
        }
        let mut pace = Pace::begin(self.control, self.log, self.location, live_bytes, free_bytes);
        pace.check()?;
        let mut rewrite = Rewrite::begin(self.log, self.location, self.format, self.keyspace.seed().0)?;
        let summary = self.write_entries(&mut rewrite, &mut pace)?;
        // The walk has skipped what was written after it began, and missed what was deleted: the records of
        // all that have to be in the successor too.
        self.log.commit()?;
        {
            let _at_full_speed_again = FullSpeed(self.log);
            self.catch_up(&mut rewrite, |done_bytes| pace.rest(done_bytes))?;
            rewrite.zero_ahead()?;
            self.catch_up(&mut rewrite, |_| pace.check())?;
            // Closing the old file frees its blocks, which may take long: here nobody waits for it.
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

    /// Copies what was written since the entries, until little is left of it.
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
