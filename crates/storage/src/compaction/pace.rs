use std::time::{Duration, Instant};

use super::control::Control;
use super::rule::is_too_tight;
use crate::Error;
use crate::wal::{Location, LogHandle};

/// Rest after each stretch of work, in parts of what the work took: clients keep most of the disk and the cores.
const REST_PER_WORK: u32 = 6;

/// Work between two rests, so that resting costs little itself.
const MIN_WORK: Duration = Duration::from_millis(1);

/// Longest rest.
const MAX_REST: Duration = Duration::from_millis(100);

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

    /// Rests after some work, unless the log has grown more meanwhile than `done_bytes`, what was done so far.
    pub(super) fn rest(&mut self, done_bytes: u64) -> Result<(), Error> {
        let worked = self.work_began.elapsed();
        if worked < MIN_WORK {
            return Ok(());
        }
        self.check()?;
        let grown_bytes = self.log.len_bytes().saturating_sub(self.log_bytes_at_start);
        if grown_bytes <= done_bytes {
            self.control.rest((worked * REST_PER_WORK).min(MAX_REST));
        }
        self.work_began = Instant::now();
        Ok(())
    }

    /// An error if the compaction is to be abandoned.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.control.is_stopping() {
            return Err(Error::Closed);
        }
        self.log.check()?;
        if is_too_tight(self.location.free_bytes()?) { Err(self.location.no_room()) } else { Ok(()) }
    }
}
