//! Seals: the mark behind which a log is known to be complete and synced. One begins each epoch, one follows a pause in the
//! writes, one closes the log.

use super::appender::Appender;
use super::group_commit::SharedLog;
use crate::Error;
use crate::error::is_no_space;

impl SharedLog {
    /// Writes and syncs the seal that begins the epoch, unless that is done; `false`: there is no room for it.
    pub(super) fn open_epoch(&self, appender: &mut Appender) -> Result<bool, Error> {
        if !appender.lacks_opening() {
            return Ok(true);
        }
        match appender.write_opening() {
            Err(error) if is_no_space(&error) => return Ok(false),
            written => written.map_err(|error| self.write_error(error))?,
        }
        self.sync()?;
        self.space.used(appender.offset(), 0);
        Ok(true)
    }

    /// Marks everything so far as complete and synced, which it makes it first, unless something new came.
    pub(super) fn seal(&self) -> Result<(), Error> {
        self.at_end(|appender| {
            if !self.tail.lock().is_empty() {
                return Ok(());
            }
            // A seal makes the file longer, too.
            self.check_file(appender);
            if self.file_watch.is_removed() {
                self.tail.lock().set_sealed();
                return Ok(());
            }
            self.write_seal(appender, false)
        })
    }

    /// Seals the log behind its last batch.
    pub(super) fn seal_for_good(&self) -> Result<(), Error> {
        self.at_end(|appender| {
            self.check_file(appender);
            if self.file_watch.is_removed() {
                // What is left of it stays as it is; it may have been renamed, and be all that there is.
                return self.sync();
            }
            // Without its first seal the epoch has nothing, and the log is as it was opened.
            if self.open_epoch(appender)? {
                self.write_seal(appender, true)?;
            }
            self.check_append(appender.trim())
        })
    }

    fn write_seal(&self, appender: &mut Appender, closed: bool) -> Result<(), Error> {
        let written = self.written();
        if self.synced() < written {
            self.sync()?;
        }
        self.check_append(appender.write_seal(closed, written))?;
        self.space.used(appender.offset(), 0);
        self.sync()?;
        self.tail.lock().set_sealed();
        Ok(())
    }
}
