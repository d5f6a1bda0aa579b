//! Writes a log that no store has open anew in the other format.

use std::sync::Arc;

use super::{Checked, OfflineLog};
use crate::wal::{Location, LogCopy, Logged, Visitor};
use crate::{Error, LogFormat};

impl OfflineLog {
    /// Writes all records of the log, with their times, in another format, in the place of the log.
    ///
    /// The new log grows beside the old one as `<log>.compacting`, which has to have room, and takes its name
    /// when all of it is synced: a crash leaves the one or the other. Nothing is done if the log has that
    /// format already. What the log did not hold for sure is not in the new one: a torn tail. LSNs begin at 1
    /// again. Ends the lock.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`Error::Io`]: the log is as it was, unless the directory could not be
    /// synced after the log had been replaced.
    pub fn convert(self, format: LogFormat) -> Result<Checked, Error> {
        if self.format() == Some(format) {
            return self.verify();
        }
        let location = Location::new(Arc::clone(&self.fs), self.log.target.clone());
        let mut copy = Copying(LogCopy::begin(location, format, &*self.log.file)?);
        let checked = self.visit(&mut copy)?;
        copy.0.finish()?;
        Ok(checked)
    }
}

struct Copying(LogCopy);

impl Visitor for Copying {
    fn record(&mut self, logged: Logged<'_>, timestamp_ms: u64) -> Result<(), Error> {
        self.0.push(logged.change, timestamp_ms)
    }
}
