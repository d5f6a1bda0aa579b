//! The end of the log's file: batches, seals, zeros ahead, and room reserved behind it.

use std::io;
use std::sync::Arc;

use super::log::LogStart;
use super::log_end::{LogEnd, Mark};
use super::tail::PendingBatch;
use crate::error::is_no_space;
use crate::fs::{LogFile, write_all_at, write_chunks_at};
use crate::wal::format::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchKind};
use crate::wal::format::bytes::crc;
use crate::wal::format::json;
use crate::{Error, LogFormat, Lsn};

/// Most and fewest zeros that are written ahead of the log at a time, in bytes.
///
/// A sync of a batch that overwrites zeros is cheaper than one of a batch that grows the file, because that has to write the file's
/// size and blocks as well: 105 instead of 178 µs (`group_commit`).
const MAX_ZERO_STEP_BYTES: usize = 1024 * 1024;
const MIN_ZERO_STEP_BYTES: usize = 64 * 1024;

/// Most and least room that is reserved in addition to the needed one, in bytes.
const MAX_RESERVE_STEP_BYTES: u64 = 16 * 1024 * 1024;
const MIN_RESERVE_STEP_BYTES: u64 = 256 * 1024;

/// Least room for which a reservation is worth a system call, in bytes.
const LEAST_ROOM_BYTES: u64 = 4096;

/// Number of batches of the present size for which one step of zeros has room. So at most one commit in eight writes zeros, unless
/// batches grow, and that commit writes eight times its own bytes, or the shortest step.
const BATCHES_PER_ZERO_STEP: usize = 8;

/// Least size of a batch that grows the file instead: writing its bytes twice would cost more than the cheaper sync saves.
const MAX_ZEROED_BATCH_BYTES: usize = MAX_ZERO_STEP_BYTES / 4;

static ZEROS: [u8; MAX_ZERO_STEP_BYTES] = [0; MAX_ZERO_STEP_BYTES];

/// The end of a log's file, where the next batch is written. Only the thread that holds it writes.
pub(in crate::wal) struct Appender {
    file: Arc<dyn LogFile>,
    format: LogFormat,
    offset: u64,
    /// See [`LogStart::opening_seal`].
    opening_seal: Option<[u8; BATCH_HEADER_BYTES]>,
    /// End of the zeros from `offset` on, in bytes from the start of the file; nothing follows them.
    zeroed_end: u64,
    /// Offset up to which the file system has reserved room for the file.
    reserved_end: u64,
    epoch: u32,
    crc_seed: u32,
    previous_crc: u32,
    /// LSN of the next record.
    next_lsn: Lsn,
    last_timestamp_ms: u64,
    /// A buffer for reuse.
    pub(super) spare: Vec<u8>,
}

impl Appender {
    pub(super) fn new(start: &LogStart) -> Self {
        Self {
            file: Arc::clone(&start.file),
            format: start.format,
            offset: start.offset,
            opening_seal: start.opening_seal,
            zeroed_end: start.file_bytes.max(start.offset),
            reserved_end: start.offset,
            epoch: start.epoch,
            crc_seed: start.crc_seed,
            previous_crc: start.previous_crc,
            next_lsn: start.next_lsn,
            last_timestamp_ms: start.last_timestamp_ms,
            spare: Vec::new(),
        }
    }

    /// Returns the log's file, and its least size in bytes.
    pub(super) fn file(&self) -> (&dyn LogFile, u64) {
        (&*self.file, self.zeroed_end)
    }

    /// Returns whether this batch grows the file.
    pub(super) fn grows_with(&self, batch: &PendingBatch) -> bool {
        // Lines are longer than their records, even including the room for a header.
        self.offset + batch.chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>() > self.zeroed_end
    }

    /// Returns the offset at which the log ends, in bytes from the start of the file.
    pub(in crate::wal) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns whether the epoch's first seal is still to be written: nothing else may be before it.
    pub(super) const fn lacks_opening(&self) -> bool {
        self.opening_seal.is_some()
    }

    /// Writes the epoch's first seal. A retry overwrites the remains of a failed try.
    pub(super) fn write_opening(&mut self) -> io::Result<()> {
        if let Some(seal) = self.opening_seal {
            self.append(&seal)?;
            self.opening_seal = None;
        }
        Ok(())
    }

    /// Writes a batch; nothing is synced yet.
    pub(super) fn write(&mut self, batch: &mut PendingBatch, synced_lsn: Lsn) -> Result<(), AppendError> {
        debug_assert_eq!(batch.first_lsn, self.next_lsn, "a batch that does not follow the one before");
        match self.format {
            LogFormat::Binary => self.write_framed(batch, synced_lsn)?,
            LogFormat::Json => self.write_lines(batch)?,
        }
        debug_assert!(self.offset <= self.reserved_end, "a batch that was written beyond what is reserved");
        self.next_lsn = Lsn::new(batch.last_lsn.get() + 1);
        self.last_timestamp_ms = batch.last_timestamp_ms;
        Ok(())
    }

    fn write_framed(&mut self, batch: &mut PendingBatch, synced_lsn: Lsn) -> Result<(), AppendError> {
        let header_crc = self.frame(batch, synced_lsn)?;
        let bytes = batch.chunks.iter().map(Vec::len).sum();
        self.zero_ahead(bytes)?;
        write_chunks_at(&*self.file, &batch.chunks, self.offset)?;
        self.advance(bytes);
        self.previous_crc = header_crc;
        Ok(())
    }

    /// Writes a batch as lines. A JSON log gets no zeros ahead, because its readers expect lines alone.
    fn write_lines(&mut self, batch: &PendingBatch) -> Result<(), AppendError> {
        let mut lines = Vec::new();
        for records in batch.payload() {
            lines.clear();
            json::transcode(records, &mut lines).map_err(|_| AppendError::BadRecord)?;
            self.append(&lines)?;
        }
        Ok(())
    }

    /// Writes a seal behind `last_lsn`, up to which everything is synced. JSON logs have none.
    pub(super) fn write_seal(&mut self, closed: bool, last_lsn: Lsn) -> Result<(), AppendError> {
        if self.format == LogFormat::Json {
            return Ok(());
        }
        let header = BatchHeader::seal(closed, self.epoch, last_lsn, self.previous_crc, self.crc_seed);
        let (bytes, header_crc) = header.encode(self.crc_seed);
        self.append(&bytes)?;
        self.previous_crc = header_crc;
        Ok(())
    }

    /// Returns whether the room that is reserved beyond the offset `least` is too small.
    pub(super) fn is_short_of(&self, least: u64) -> bool {
        least + self.reserve_step_bytes() / 2 > self.reserved_end
    }

    /// Reserves room at least up to `least` and at most up to `most`, or as much as the disk has; returns its end.
    pub(super) fn reserve(&mut self, least: u64, most: u64) -> io::Result<u64> {
        let end = (least + self.reserve_step_bytes()).min(most).max(least);
        let mut more = end.saturating_sub(self.reserved_end);
        while more >= LEAST_ROOM_BYTES {
            match self.file.reserve(self.reserved_end, more) {
                Ok(()) => {
                    self.reserved_end += more;
                    break;
                }
                Err(error) if is_no_space(&error) => more /= 2,
                Err(error) if is_unsupported(&error) => {
                    self.reserve_by_zeros(self.reserved_end + more)?;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.reserved_end)
    }

    /// Returns the offset at which the reserved room ends, in bytes from the start of the file.
    pub(in crate::wal) const fn reserved_end(&self) -> u64 {
        self.reserved_end
    }

    /// Returns the room that is reserved behind the log's end, in bytes.
    pub(in crate::wal) const fn reserved_bytes(&self) -> u64 {
        self.reserved_end.saturating_sub(self.offset)
    }

    /// Returns the state of the log at the record `last_lsn`.
    pub(in crate::wal) const fn mark(&self, last_lsn: Lsn) -> Mark {
        Mark { last_lsn, last_timestamp_ms: self.last_timestamp_ms, epoch: self.epoch }
    }

    /// Returns the place where the log continues.
    pub(in crate::wal) fn end(&self) -> LogEnd {
        LogEnd {
            file: Arc::clone(&self.file),
            format: self.format,
            offset: self.offset,
            zeroed_end: self.zeroed_end,
            reserved_end: self.reserved_end,
            crc_seed: self.crc_seed,
            previous_crc: self.previous_crc,
        }
    }

    /// Continues at the end of another file; returns the previous one.
    pub(in crate::wal) fn switch_to(&mut self, end: LogEnd) -> Arc<dyn LogFile> {
        let LogEnd { file, format, offset, zeroed_end, reserved_end, crc_seed, previous_crc } = end;
        self.format = format;
        (self.offset, self.zeroed_end, self.reserved_end) = (offset, zeroed_end, reserved_end);
        (self.crc_seed, self.previous_crc) = (crc_seed, previous_crc);
        // That file has a seal of this epoch.
        self.opening_seal = None;
        std::mem::replace(&mut self.file, file)
    }

    /// Truncates the zeros, and releases reserved room.
    pub(super) fn trim(&mut self) -> Result<(), AppendError> {
        (self.zeroed_end, self.reserved_end) = (self.offset, self.offset);
        Ok(self.file.set_len(self.offset)?)
    }

    /// Writes the batch header into the room before the batch's records; returns its checksum.
    fn frame(&self, batch: &mut PendingBatch, synced_lsn: Lsn) -> Result<u32, AppendError> {
        let mut payload_crc = self.crc_seed;
        let mut payload_bytes = 0;
        for payload in batch.payload() {
            payload_crc = crc(payload_crc, payload);
            payload_bytes += payload.len();
        }
        let header = BatchHeader {
            kind: BatchKind::Records,
            jumps: false,
            epoch: self.epoch,
            payload_bytes: u32::try_from(payload_bytes).map_err(|_| AppendError::BatchTooLarge)?,
            records: batch.records,
            first_lsn: batch.first_lsn,
            synced_lsn,
            previous_crc: self.previous_crc,
            payload_crc,
        };
        let (bytes, header_crc) = header.encode(self.crc_seed);
        if let Some(room) = batch.chunks.first_mut().and_then(|chunk| chunk.first_chunk_mut()) {
            *room = bytes;
        }
        Ok(header_crc)
    }

    /// Writes zeros for a batch of this many bytes and some further ones, if there are too few. Does nothing for a large batch, for
    /// which growing the file costs less.
    fn zero_ahead(&mut self, bytes: usize) -> io::Result<()> {
        if bytes < MAX_ZEROED_BATCH_BYTES && self.offset + bytes as u64 > self.zeroed_end {
            let zeros = zeros_ahead(bytes);
            let room = self.reserved_end.saturating_sub(self.zeroed_end).min(zeros.len() as u64) as usize;
            write_all_at(&*self.file, zeros.split_at(room).0, self.zeroed_end)?;
            self.zeroed_end += room as u64;
        }
        Ok(())
    }

    fn reserve_step_bytes(&self) -> u64 {
        (self.offset / 8).clamp(MIN_RESERVE_STEP_BYTES, MAX_RESERVE_STEP_BYTES)
    }

    /// Writes zeros up to `end`, on a file system that cannot reserve room; fewer if the disk is full.
    fn reserve_by_zeros(&mut self, end: u64) -> io::Result<()> {
        while self.zeroed_end < end {
            let room = (end - self.zeroed_end).min(MAX_ZERO_STEP_BYTES as u64) as usize;
            match write_all_at(&*self.file, ZEROS.split_at(room).0, self.zeroed_end) {
                Ok(()) => self.zeroed_end += room as u64,
                Err(error) if is_no_space(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.reserved_end = self.reserved_end.max(self.zeroed_end);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all_at(&*self.file, bytes, self.offset)?;
        self.advance(bytes.len());
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.offset += bytes as u64;
        self.zeroed_end = self.zeroed_end.max(self.offset);
    }
}

/// Returns the number of zeros of one step, for [`BATCHES_PER_ZERO_STEP`] batches of this size, within the bounds of a step.
pub(in crate::wal) fn zeros_ahead(batch_bytes: usize) -> &'static [u8] {
    let step = (batch_bytes * BATCHES_PER_ZERO_STEP).clamp(MIN_ZERO_STEP_BYTES, MAX_ZERO_STEP_BYTES);
    ZEROS.split_at(step).0
}

fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// Error of a write at the log's end.
pub(super) enum AppendError {
    Io(io::Error),
    BatchTooLarge,
    /// The tail holds something that is no record.
    BadRecord,
}

impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl AppendError {
    /// The error of the log, given what its I/O errors are.
    pub(super) fn into_error(self, of_io: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::Io(error) => of_io(error),
            Self::BatchTooLarge => Error::Internal("a batch passed 4 GiB"),
            Self::BadRecord => Error::Internal("a record that was to be written cannot be read"),
        }
    }
}
