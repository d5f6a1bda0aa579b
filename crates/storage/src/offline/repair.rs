//! Cuts a damaged log off where the damage begins, and keeps what was cut.

use std::io;
use std::path::{Path, PathBuf};

use super::{DetectedFormat, NoVisitor, OfflineLog};
use crate::fs::{Access, LogFile, read_up_to, sync_parent, write_all_at};
use crate::recovery::{io_error, json};
use crate::wal::{
    Ending, FileHeader, JsonEnding, JsonReadError, Logged, Passed, Visitor, headers_from, pass,
};
use crate::{Error, Lsn, SyncPolicy};

/// Bytes that are copied at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// Most files of what was cut at the same place that may lie beside a log.
const MAX_CUT_FILES: u32 = 1000;

/// Part that a repair would cut off a damaged log: everything from the first batch, or line, that is not
/// sound.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cut {
    /// The damage: [`Error::Corrupted`].
    pub damage: Error,
    /// Offset at which the sound part ends, in bytes from the start of the file.
    pub offset: u64,
    /// Length of the part behind that, in bytes, zeros at the end of the file included.
    pub bytes: u64,
    /// Records that stay.
    pub kept_records: u64,
    /// The highest LSN that anything behind the cut tells of, in a log of the binary format.
    pub highest_lost_lsn: Option<Lsn>,
    /// The file that the bytes will be kept in; `None` if there are none.
    pub keep_in: Option<PathBuf>,
    end: End,
}

/// State in which the log goes on behind the cut.
#[derive(Debug, Clone)]
enum End {
    Batches { header: FileHeader, sound: Ending },
    Lines(JsonEnding),
}

impl OfflineLog {
    /// Returns the part that has to be cut off for the log to open; `None` if it opens as it is: a torn tail
    /// needs no repair.
    ///
    /// # Errors
    /// [`Error::NotALog`], [`Error::Io`].
    pub fn find_damage(&self) -> Result<Option<Cut>, Error> {
        match self.format {
            DetectedFormat::Blank => Ok(None),
            DetectedFormat::Binary(header) => self.find_bad_batch(&header),
            DetectedFormat::Json => self.find_bad_line(),
        }
    }

    fn find_bad_batch(&self, header: &FileHeader) -> Result<Option<Cut>, Error> {
        let Passed { mut sound, verdict } = pass(&*self.log.file, self.len, header, &mut NoVisitor)?;
        let damage = match verdict.map_err(|error| self.log.read_error(error)) {
            Ok(_) => return Ok(None),
            Err(damage @ Error::Corrupted { .. }) => damage,
            Err(error) => return Err(error),
        };
        let lost = headers_from(&*self.log.file, self.len, header, sound.offset);
        let lost = lost.map_err(|error| self.log.read_error(error))?;
        let highest_lost_lsn = lost.next_lsn.get().checked_sub(1).filter(|&lsn| lsn >= sound.next_lsn.get());
        // LSNs and epochs that the log has had are not given again.
        sound.next_lsn = sound.next_lsn.max(lost.next_lsn);
        sound.epoch = sound.epoch.max(lost.epoch);
        sound.is_closed = false;
        sound.torn_bytes = self.len - sound.offset;
        let (offset, records) = (sound.offset, sound.records);
        let cut = self.cut_at(offset, damage, records, End::Batches { header: *header, sound })?;
        Ok(Some(Cut { highest_lost_lsn: highest_lost_lsn.map(Lsn::new), ..cut }))
    }

    fn find_bad_line(&self) -> Result<Option<Cut>, Error> {
        let mut counter = RecordCounter(0);
        let (offset, damage) = match self.visit_lines(&mut counter) {
            Ok(_) => return Ok(None),
            Err(error @ JsonReadError::Corrupted { offset, .. }) => {
                (offset, json::read_error(&self.log, error))
            }
            Err(error) => return Err(json::read_error(&self.log, error)),
        };
        let records = counter.0;
        let end = JsonEnding {
            offset,
            torn_bytes: self.len - offset,
            lacks_newline: false,
            next_lsn: Lsn::new(records + 1),
            last_timestamp_ms: 0,
            records,
        };
        self.cut_at(offset, damage, records, End::Lines(end)).map(Some)
    }

    fn cut_at(&self, offset: u64, damage: Error, kept_records: u64, end: End) -> Result<Cut, Error> {
        let bytes = self.len - offset;
        let keep_in = if bytes > 0 { Some(self.free_cut_path(offset)?) } else { None };
        Ok(Cut { damage, offset, bytes, kept_records, highest_lost_lsn: None, keep_in, end })
    }

    /// A name beside the log that no file has.
    fn free_cut_path(&self, offset: u64) -> Result<PathBuf, Error> {
        for number in 1..=MAX_CUT_FILES {
            let mut name = self.log.target.clone().into_os_string();
            name.push(format!(".cut-{offset}"));
            if number > 1 {
                name.push(format!(".{number}"));
            }
            let is_free = self.fs.open_existing(Path::new(&name), Access::Read).err();
            if is_free.is_some_and(|error| error.kind() == io::ErrorKind::NotFound) {
                return Ok(name.into());
            }
        }
        let error = io::Error::new(io::ErrorKind::AlreadyExists, "all names for it are taken");
        Err(io_error("keep what would be cut off", &self.log.path, error))
    }

    /// Cuts the damage off, once the bytes are in the file [`Cut::keep_in`] and synced. The log then opens.
    ///
    /// The log has to be open for [`Access::Write`], and the cut to come from
    /// [`find_damage`](Self::find_damage) of it. A crash leaves the log as it was, or cut, or such that another
    /// repair brings it there. Ends the lock.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn repair(self, cut: &Cut) -> Result<(), Error> {
        if let Some(path) = &cut.keep_in {
            self.keep(cut, path).map_err(|error| io_error("write to", path, error))?;
        }
        match &cut.end {
            End::Batches { header, sound } => {
                self.log.mend(sound)?;
                // The seal tells that LSNs are missing; a compacted log has to have one.
                self.log.seal(&self.log.begin_epoch(header, sound, SyncPolicy::Always)?)?;
            }
            End::Lines(ending) => {
                json::mend(&self.log, ending, self.len)?;
            }
        }
        Ok(())
    }

    fn keep(&self, cut: &Cut, path: &Path) -> io::Result<()> {
        let kept = self.fs.create(path, self.log.file.ownership()?)?;
        copy(&*self.log.file, cut.offset, cut.bytes, &*kept)?;
        kept.sync()?;
        sync_parent(&*self.fs, path)
    }
}

/// Copies bytes of a file to the start of another.
fn copy(from: &dyn LogFile, offset: u64, bytes: u64, to: &dyn LogFile) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut done = 0;
    while done < bytes {
        let wanted_bytes = (bytes - done).min(COPY_BYTES as u64) as usize;
        let piece = buffer.split_at_mut(wanted_bytes).0;
        if read_up_to(from, piece, offset + done)? < wanted_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all_at(to, piece, done)?;
        done += wanted_bytes as u64;
    }
    Ok(())
}

struct RecordCounter(u64);

impl Visitor for RecordCounter {
    fn record(&mut self, _: Logged<'_>, _: u64) -> Result<(), Error> {
        self.0 += 1;
        Ok(())
    }
}
