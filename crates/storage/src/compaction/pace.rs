//! Throttle of a compaction: rests between stretches of work, the log's size limit meanwhile, and reasons to abandon it.

use std::time::Duration;

use super::control::Control;
use super::rule::{is_too_tight, size_limit_beside};
use crate::Error;
use crate::sync::Instant;
use crate::wal::{Location, LogHandle};

/// Rest after each stretch of work, as a multiple of its duration: clients keep most of the disk and of the cores.
const REST_PER_WORK: u32 = 6;

/// Least duration of work between two rests, so that the overhead of resting is small.
const MIN_WORK: Duration = Duration::from_millis(1);

/// Longest rest.
const MAX_REST: Duration = Duration::from_millis(100);

/// Free room on the disk, in bytes, below which there is no rest: writers could fill it during the longest one.
const LEAST_ROOM_TO_REST: u64 = 64 * 1024 * 1024;

/// Throttles a compaction, and decides whether it continues.
pub(super) struct Pace<'c> {
    control: &'c Control,
    log: &'c LogHandle,
    location: &'c Location,
    live_bytes_at_start: u64,
    log_bytes_at_start: u64,
    /// The present size limit of the log.
    size_limit: u64,
    /// Set after the warning that writers wait.
    has_told: bool,
    work_began: Instant,
}

impl<'c> Pace<'c> {
    /// Begins a compaction with these live bytes, and these free bytes on the disk.
    pub(super) fn begin(
        control: &'c Control,
        log: &'c LogHandle,
        location: &'c Location,
        live_bytes_at_start: u64,
        free_bytes: u64,
    ) -> Self {
        let (log_bytes_at_start, work_began) = (log.len_bytes(), Instant::now());
        let mut pace = Self {
            control,
            log,
            location,
            live_bytes_at_start,
            log_bytes_at_start,
            size_limit: 0,
            has_told: false,
            work_began,
        };
        pace.raise_size_limit(0, free_bytes);
        pace
    }

    /// Rests after some work, unless the log has grown by more than the `done_bytes` so far, the disk is nearly full, or writers
    /// wait for the end of the compaction.
    pub(super) fn rest(&mut self, done_bytes: u64) -> Result<(), Error> {
        let worked = self.work_began.elapsed();
        if worked < MIN_WORK {
            return Ok(());
        }
        let free_bytes = self.free_bytes()?;
        self.raise_size_limit(done_bytes, free_bytes);
        let grown_bytes = self.log.len_bytes().saturating_sub(self.log_bytes_at_start);
        let is_awaited = self.log.held_bytes() > 0;
        if is_awaited && !std::mem::replace(&mut self.has_told, true) {
            tracing::warn!(
                free_bytes,
                "the disk is nearly full: writes wait until the compaction has freed space"
            );
        }
        if grown_bytes <= done_bytes && free_bytes >= LEAST_ROOM_TO_REST && !is_awaited {
            self.control.rest((worked * REST_PER_WORK).min(MAX_REST));
        }
        self.work_began = Instant::now();
        Ok(())
    }

    /// Returns an error if the compaction must be abandoned.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.free_bytes().map(|_| ())
    }

    /// Raises the size limit of the log by the room that the compaction no longer needs after this progress.
    fn raise_size_limit(&mut self, done_bytes: u64, free_bytes: u64) {
        let (live_bytes, log_bytes) = (self.live_bytes_at_start, self.log.len_bytes());
        let limit = size_limit_beside(live_bytes, done_bytes, self.log_bytes_at_start, log_bytes, free_bytes);
        if limit > self.size_limit {
            self.size_limit = limit;
            self.log.set_size_limit(limit);
        }
    }

    /// Returns the free bytes on the disk, or an error if the compaction must be abandoned.
    fn free_bytes(&self) -> Result<u64, Error> {
        if self.control.is_stopping() {
            return Err(Error::Closed);
        }
        self.log.check()?;
        let free_bytes = self.location.free_bytes()?;
        if is_too_tight(free_bytes) { Err(self.location.no_room()) } else { Ok(free_bytes) }
    }
}
