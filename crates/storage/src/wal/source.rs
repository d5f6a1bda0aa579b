use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::batch::{BATCH_HEADER_BYTES, BatchError, BatchHeader, BatchKind};
use super::format::crc;
use super::successor::Successor;
use crate::Error;
use crate::fs::{LogFile, read_up_to};

/// How much is read at one go, and copied at one go.
const WINDOW_BYTES: usize = 512 * 1024;

/// The batches of the log in use, from some place on, for its successor.
pub(super) struct BatchSource {
    file: Arc<dyn LogFile>,
    path: PathBuf,
    crc_seed: u32,
    /// Where the next batch begins.
    offset: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl BatchSource {
    pub(super) fn new(file: Arc<dyn LogFile>, path: PathBuf, crc_seed: u32, offset: u64) -> Self {
        Self { file, path, crc_seed, offset, window: Vec::new(), window_start: offset }
    }

    /// What is not copied yet of a log that ends at `end`, in bytes.
    pub(super) const fn bytes_to(&self, end: u64) -> u64 {
        end - self.offset
    }

    /// Memory that it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.window.capacity()
    }

    /// Copies batches up to `end`, where one ends, or until `max_bytes` are copied.
    pub(super) fn copy(&mut self, end: u64, max_bytes: u64, to: &mut Successor) -> Result<(), Error> {
        let pause = end.min(self.offset.saturating_add(max_bytes));
        while self.offset < pause {
            self.copy_batch(end, to)?;
        }
        Ok(())
    }

    fn copy_batch(&mut self, end: u64, to: &mut Successor) -> Result<(), Error> {
        let crc_seed = self.crc_seed;
        let head = self.bytes_at(self.offset, BATCH_HEADER_BYTES, end)?;
        let (header, _) = BatchHeader::decode(head, crc_seed).map_err(|error| self.changed(error))?;
        // The successor has a seal of its own, behind everything that is copied.
        if header.kind == BatchKind::Records {
            let payload_crc = self.check(&header, to.crc_seed(), end)?;
            to.push_header(&header, payload_crc)?;
            self.each_piece(&header, end, |piece| to.push(piece))?;
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
            Err(self.changed(BatchError::Damaged("the checksum of a batch does not match")))
        }
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

    fn changed(&self, error: BatchError) -> Error {
        let reason = match error {
            BatchError::Damaged(reason) => reason,
            BatchError::UnknownKind { .. } => "a batch has an unknown kind",
        };
        self.io_error(io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    fn io_error(&self, source: io::Error) -> Error {
        Error::Io { action: "read back", path: self.path.clone(), source: Arc::new(source) }
    }
}
