//! Reads back what the log in use holds from some offset on, for its successor.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use memchr::memchr;

use super::successor::Successor;
use crate::fs::{LogFile, read_up_to};
use crate::wal::format::batch::{BATCH_HEADER_BYTES, BatchError, BatchHeader, BatchKind};
use crate::wal::format::bytes::crc;
use crate::wal::format::json;
use crate::wal::format::record::{LoggedChange, record_bytes};
use crate::wal::write::log_end::LogEnd;
use crate::{Error, LogFormat};

/// Bytes that are read at a time, and copied at a time.
const WINDOW_BYTES: usize = 512 * 1024;

/// Content of the log in use from some place on, for its successor.
pub(super) struct LogSource {
    file: Arc<dyn LogFile>,
    path: PathBuf,
    format: LogFormat,
    /// Seed of the checksums, in the binary format alone.
    crc_seed: u32,
    /// Offset at which the next batch, or line, begins, in bytes from the start of the file.
    offset: u64,
    window: Vec<u8>,
    window_start: u64,
    /// A buffer for lines.
    line: Vec<u8>,
}

impl LogSource {
    /// A source of what a log has from `end` on, whose file is at `path`.
    pub(super) fn new(end: LogEnd, path: PathBuf) -> Self {
        let LogEnd { file, format, offset, crc_seed, .. } = end;
        Self {
            file,
            path,
            format,
            crc_seed,
            offset,
            window: Vec::new(),
            window_start: offset,
            line: Vec::new(),
        }
    }

    /// Returns the number of bytes that are not copied yet of a log that ends at `end`.
    pub(super) const fn bytes_to(&self, end: u64) -> u64 {
        end - self.offset
    }

    pub(super) fn file(&self) -> &dyn LogFile {
        &*self.file
    }

    /// Memory that it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.window.capacity() + self.line.capacity()
    }

    /// Copies up to `end`, where a batch or line ends, or until `max_bytes` are copied. What the successor has
    /// in another format is decoded, and encoded anew.
    pub(super) fn copy(&mut self, end: u64, max_bytes: u64, to: &mut Successor) -> Result<(), Error> {
        let pause = end.min(self.offset.saturating_add(max_bytes));
        while self.offset < pause {
            match (self.format, to.format()) {
                (LogFormat::Binary, _) => self.copy_batch(end, to)?,
                (LogFormat::Json, LogFormat::Json) => {
                    let piece = self.window_at(self.offset, pause)?;
                    let len = piece.len() as u64;
                    to.push(piece)?;
                    self.offset += len;
                }
                (LogFormat::Json, LogFormat::Binary) => self.copy_line(end, to)?,
            }
        }
        Ok(())
    }

    fn copy_batch(&mut self, end: u64, to: &mut Successor) -> Result<(), Error> {
        let crc_seed = self.crc_seed;
        let head = self.bytes_at(self.offset, BATCH_HEADER_BYTES, end)?;
        let (header, _) = BatchHeader::decode(head, crc_seed).map_err(|error| self.bad_batch(error))?;
        // The successor has a seal of its own, behind everything that is copied.
        if header.kind == BatchKind::Records {
            let payload_crc = self.check(&header, to.crc_seed(), end)?;
            match to.format() {
                LogFormat::Binary => {
                    to.push_header(&header, payload_crc)?;
                    self.each_piece(&header, end, |piece| to.push(piece))?;
                }
                LogFormat::Json => self.copy_records(&header, end, to)?,
            }
        }
        self.offset += header.total_bytes();
        Ok(())
    }

    /// Makes sure that the payload is what was written; returns its checksum with another seed.
    fn check(&mut self, header: &BatchHeader, other_seed: u32, end: u64) -> Result<u32, Error> {
        let (mut own_crc, mut other_crc) = (self.crc_seed, other_seed);
        self.each_piece(header, end, |piece| {
            own_crc = crc(own_crc, piece);
            other_crc = crc(other_crc, piece);
            Ok(())
        })?;
        if own_crc == header.payload_crc {
            Ok(other_crc)
        } else {
            Err(self.changed("the checksum of a batch does not match"))
        }
    }

    /// Adds the records of a batch, whose checksum is right, one by one.
    fn copy_records(&mut self, header: &BatchHeader, end: u64, to: &mut Successor) -> Result<(), Error> {
        const BAD: Error = Error::Internal("a record that was written cannot be read");
        // A record may reach over several pieces.
        let mut held = Vec::new();
        self.each_piece(header, end, |piece| {
            held.extend_from_slice(piece);
            let mut rest = &held[..];
            while record_bytes(rest).is_some_and(|bytes| bytes <= rest.len()) {
                let (change, timestamp_ms, after) = LoggedChange::decode(rest).map_err(|_| BAD)?;
                to.push_record(change, timestamp_ms)?;
                rest = after;
            }
            let done = held.len() - rest.len();
            held.drain(..done);
            Ok(())
        })?;
        if held.is_empty() { Ok(()) } else { Err(BAD) }
    }

    fn copy_line(&mut self, end: u64, to: &mut Successor) -> Result<(), Error> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        while !line.ends_with(b"\n") {
            let piece = self.window_at(self.offset, end)?;
            let part = memchr(b'\n', piece).map_or(piece, |newline| piece.split_at(newline + 1).0);
            line.extend_from_slice(part);
            let len = part.len() as u64;
            self.offset += len;
        }
        let record = json::decode(&line).map_err(|_| self.changed("a line is no record"))?;
        to.push_record(record.change(), record.timestamp_ms)?;
        line.shrink_to(WINDOW_BYTES);
        self.line = line;
        Ok(())
    }

    fn each_piece(
        &mut self,
        header: &BatchHeader,
        end: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut at = self.offset + BATCH_HEADER_BYTES as u64;
        let payload_end = self.offset + header.total_bytes();
        while at < payload_end {
            let len = (payload_end - at).min(WINDOW_BYTES as u64) as usize;
            take(self.bytes_at(at, len, end)?)?;
            at += len as u64;
        }
        Ok(())
    }

    /// Some bytes of the file before `end`, at least one.
    fn window_at(&mut self, offset: u64, end: u64) -> Result<&[u8], Error> {
        let window_end = self.window_start + self.window.len() as u64;
        let is_in_window = (self.window_start..window_end).contains(&offset);
        let have = if is_in_window { window_end } else { offset + WINDOW_BYTES as u64 };
        self.bytes_at(offset, (have.min(end) - offset).max(1) as usize, end)
    }

    /// `len` bytes of the file, at most a window, of which nothing changes before `end`.
    fn bytes_at(&mut self, offset: u64, len: usize, end: u64) -> Result<&[u8], Error> {
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || offset + len as u64 > window_end {
            self.window.resize(end.saturating_sub(offset).min(WINDOW_BYTES as u64) as usize, 0);
            self.window_start = offset;
            let read = read_up_to(&*self.file, &mut self.window, offset);
            let read = read.map_err(|error| self.io_error(error))?;
            self.window.truncate(read);
        }
        let start = (offset - self.window_start) as usize;
        if self.window.len() < start + len {
            return Err(self.io_error(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(self.window.split_at(start).1.split_at(len).0)
    }

    fn bad_batch(&self, error: BatchError) -> Error {
        self.changed(match error {
            BatchError::Damaged(reason) => reason,
            BatchError::UnknownKind { .. } => "a batch has an unknown kind",
        })
    }

    fn changed(&self, reason: &'static str) -> Error {
        self.io_error(io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    fn io_error(&self, source: io::Error) -> Error {
        Error::Io { action: "read back", path: self.path.clone(), source: Arc::new(source) }
    }
}
