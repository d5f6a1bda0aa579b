//! A log that is written beside another one that nobody writes, to take its place.

use super::successor::Successor;
use super::swap::Location;
use crate::fs::LogFile;
use crate::wal::format::record::LoggedChange;
use crate::wal::write::log_end::Mark;
use crate::{Error, LogFormat, Lsn};

/// The only epoch of a copy.
const EPOCH: u32 = 1;

/// A log that is written beside another one that nobody writes, record by record, to take its place.
///
/// Dropped before it is finished, it removes what it has written.
pub(crate) struct LogCopy {
    location: Location,
    to: Successor,
    last_lsn: u64,
    is_finished: bool,
}

impl LogCopy {
    /// Begins the successor of the log at `location`, whose file is `log`.
    pub(crate) fn begin(location: Location, format: LogFormat, log: &dyn LogFile) -> Result<Self, Error> {
        let mark = Mark { last_lsn: Lsn::ZERO, last_timestamp_ms: 0, epoch: EPOCH };
        let mut to = location.begin_successor(format, crate::random::bytes()?, mark, log)?;
        // No log in use waits for the disk.
        to.hurry();
        Ok(Self { location, to, last_lsn: 0, is_finished: false })
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, change: LoggedChange<'_>, timestamp_ms: u64) -> Result<(), Error> {
        self.last_lsn += 1;
        self.to.push_record(change, timestamp_ms)
    }

    /// Makes all of it durable, and gives it the place of the other log.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.to.seal(Lsn::new(self.last_lsn))?;
        self.location.replace()?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for LogCopy {
    fn drop(&mut self) {
        if !self.is_finished {
            self.location.discard();
        }
    }
}
