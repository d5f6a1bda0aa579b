use std::io;
use std::sync::Arc;

use super::admission::now_ms;
use super::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchKind};
use super::format::crc;
use super::header::FileHeader;
use super::json;
use super::record::{Change, set_timestamp};
use super::rewrite::Location;
use super::successor::{Mark, Successor};
use crate::fs::{LogFile, write_all_at};
use crate::{Error, LogFormat, Lsn};

/// Size at which a batch, or some lines, are complete; a larger record makes them larger.
const PIECE_BYTES: usize = 256 * 1024;

/// The only epoch of a copy.
const EPOCH: u32 = 1;

/// A log that is written beside another one that nobody writes, record by record, to take its place.
///
/// Dropped before it is finished, it removes what it has written.
pub(crate) struct LogCopy {
    location: Location,
    to: Target,
    is_finished: bool,
}

enum Target {
    Binary(Batches),
    Json(Lines),
}

/// Records in batches of a log of the binary format.
struct Batches {
    log: Successor,
    /// The records of the next batch.
    payload: Vec<u8>,
    records: u32,
    next_lsn: u64,
    last_timestamp_ms: u64,
}

/// Records as lines.
struct Lines {
    file: Arc<dyn LogFile>,
    offset: u64,
    lines: Vec<u8>,
}

impl LogCopy {
    /// Begins the successor of the log at `location`.
    pub(crate) fn begin(location: Location, format: LogFormat) -> Result<Self, Error> {
        let file = location.create()?;
        let to = match format {
            LogFormat::Binary => Batches::begin(file, &location).map(Target::Binary),
            LogFormat::Json => Ok(Target::Json(Lines { file, offset: 0, lines: Vec::new() })),
        };
        match to {
            Ok(to) => Ok(Self { location, to, is_finished: false }),
            Err(error) => {
                location.discard();
                Err(error)
            }
        }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, change: Change<'_>, timestamp_ms: u64) -> Result<(), Error> {
        match &mut self.to {
            Target::Binary(batches) => batches.push(change, timestamp_ms),
            Target::Json(lines) => {
                lines.push(change, timestamp_ms).map_err(|error| io_error("write to", &self.location, error))
            }
        }
    }

    /// Makes all of it durable, and gives it the place of the other log.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        match &mut self.to {
            Target::Binary(batches) => batches.finish()?,
            Target::Json(lines) => {
                lines.flush().map_err(|error| io_error("write to", &self.location, error))?;
                lines.file.sync().map_err(|error| io_error("sync", &self.location, error))?;
            }
        }
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

impl Batches {
    fn begin(file: Arc<dyn LogFile>, location: &Location) -> Result<Self, Error> {
        let header = FileHeader {
            log_id: crate::random::bytes()?,
            hash_seed: crate::random::bytes()?,
            created_ms: now_ms(),
            // As after a compaction all of it is synced before it becomes the log.
            is_compacted: true,
        };
        let mark = Mark { last_lsn: Lsn::ZERO, last_timestamp_ms: 0, epoch: EPOCH };
        let mut log = Successor::new(file, location.successor().to_owned(), &header, mark);
        // No log in use waits for the disk.
        log.hurry();
        Ok(Self { log, payload: Vec::new(), records: 0, next_lsn: 1, last_timestamp_ms: 0 })
    }

    fn push(&mut self, change: Change<'_>, timestamp_ms: u64) -> Result<(), Error> {
        // Lines of other programs may have times that run backwards; in this format they do not.
        self.last_timestamp_ms = self.last_timestamp_ms.max(timestamp_ms);
        let start = self.payload.len();
        change.encode(&mut self.payload);
        set_timestamp(self.payload.split_at_mut(start).1, self.last_timestamp_ms);
        self.records += 1;
        if self.payload.len() + BATCH_HEADER_BYTES >= PIECE_BYTES { self.end_batch() } else { Ok(()) }
    }

    fn end_batch(&mut self) -> Result<(), Error> {
        let payload_bytes = u32::try_from(self.payload.len());
        let header = BatchHeader {
            kind: BatchKind::Records,
            jumps: false,
            epoch: EPOCH,
            payload_bytes: payload_bytes.map_err(|_| Error::Internal("a batch passed 4 GiB"))?,
            records: self.records,
            first_lsn: Lsn::new(self.next_lsn),
            synced_lsn: Lsn::ZERO,
            // The successor fills it in.
            previous_crc: 0,
            payload_crc: 0,
        };
        self.log.push_header(&header, crc(self.log.crc_seed(), &self.payload))?;
        self.log.push(&self.payload)?;
        self.next_lsn += u64::from(std::mem::take(&mut self.records));
        self.payload.clear();
        self.payload.shrink_to(2 * PIECE_BYTES);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.records > 0 {
            self.end_batch()?;
        }
        self.log.seal(Lsn::new(self.next_lsn - 1))
    }
}

impl Lines {
    fn push(&mut self, change: Change<'_>, timestamp_ms: u64) -> io::Result<()> {
        json::encode(change, timestamp_ms, &mut self.lines);
        if self.lines.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        write_all_at(&*self.file, &self.lines, self.offset)?;
        self.offset += self.lines.len() as u64;
        self.lines.clear();
        self.lines.shrink_to(2 * PIECE_BYTES);
        Ok(())
    }
}

fn io_error(action: &'static str, location: &Location, source: io::Error) -> Error {
    Error::Io { action, path: location.successor().to_owned(), source: Arc::new(source) }
}
