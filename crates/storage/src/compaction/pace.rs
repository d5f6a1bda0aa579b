//! Rests between stretches of a compaction, and reasons to abandon it.

use std::time::Duration;

use super::control::Control;
use super::rule::is_too_tight;
use crate::Error;
use crate::sync::Instant;
use crate::wal::{Location, LogHandle};

/// Rest after each stretch of work, in parts of what the work took: clients keep most of the disk and the cores.
const REST_PER_WORK: u32 = 6;

/// Work between two rests, so that resting costs little itself.
const MIN_WORK: Duration = Duration::from_millis(1);

/// Longest rest.
const MAX_REST: Duration = Duration::from_millis(100);

/// With less room on the disk than this there is no rest, in bytes: writers could take it during the longest one.
const LEAST_ROOM_TO_REST: u64 = 64 * 1024 * 1024;

/// Keeps a compaction from taking the machine for itself, and looks whether it should go on at all.
pub(super) struct Pace<'c> {
    control: &'c Control,
    log: &'c LogHandle,
    location: &'c Location,
    log_bytes_at_start: u64,
    work_began: Instant,
}

impl<'c> Pace<'c> {
    pub(super) fn new(control: &'c Control, log: &'c LogHandle, location: &'c Location) -> Self {
        Self { control, log, location, log_bytes_at_start: log.len_bytes(), work_began: Instant::now() }
    }

    /// Rests after some work, unless the log has grown more meanwhile than `done_bytes`, what was done so far,
    /// or the disk is small.
    pub(super) fn rest(&mut self, done_bytes: u64) -> Result<(), Error> {
        let worked = self.work_began.elapsed();
        if worked < MIN_WORK {
            return Ok(());
        }
        let free_bytes = self.free_bytes()?;
        let grown_bytes = self.log.len_bytes().saturating_sub(self.log_bytes_at_start);
        if grown_bytes <= done_bytes && free_bytes >= LEAST_ROOM_TO_REST {
            self.control.rest((worked * REST_PER_WORK).min(MAX_REST));
        }
        self.work_began = Instant::now();
        Ok(())
    }

    /// An error if the compaction is to be abandoned.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.free_bytes().map(|_| ())
    }

    /// What is free on the disk; an error if the compaction is to be abandoned.
    fn free_bytes(&self) -> Result<u64, Error> {
        if self.control.is_stopping() {
            return Err(Error::Closed);
        }
        self.log.check()?;
        let free_bytes = self.location.free_bytes()?;
        if is_too_tight(free_bytes) { Err(self.location.no_room()) } else { Ok(free_bytes) }
    }
}
