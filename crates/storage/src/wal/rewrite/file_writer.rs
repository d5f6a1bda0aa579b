//! Writes a new file from front to back, and syncs it step by step.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Error;
use crate::fs::{LogFile, write_all_at};
use crate::wal::write::appender::zeros_ahead;

/// Bytes that are written at one go; a larger piece makes more of them.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// Bytes that are synced at one go: few, because the log's own syncs wait behind them in the disk's queue.
const SYNC_STEP_BYTES: u64 = 1024 * 1024;

/// The same for a file that has to be finished soon: syncs take longer than copying.
const HURRIED_SYNC_STEP_BYTES: u64 = 32 * 1024 * 1024;

/// The buffer is given back to the allocator if a piece made it larger than this.
const MAX_KEPT_BUFFER_BYTES: usize = 4 * PIECE_BYTES;

/// A new file that is written from front to back, and synced step by step.
pub(super) struct FileWriter {
    file: Arc<dyn LogFile>,
    path: PathBuf,
    /// Bytes that are written next.
    pub(super) buffer: Vec<u8>,
    /// Offset in the file at which `buffer` goes, in bytes.
    offset: u64,
    synced_end: u64,
    sync_step_bytes: u64,
    zeroed_end: u64,
    reserved_end: u64,
}

impl FileWriter {
    /// Writes the empty file at `path`.
    pub(super) const fn new(file: Arc<dyn LogFile>, path: PathBuf) -> Self {
        Self {
            file,
            path,
            buffer: Vec::new(),
            offset: 0,
            synced_end: 0,
            sync_step_bytes: SYNC_STEP_BYTES,
            zeroed_end: 0,
            reserved_end: 0,
        }
    }

    /// Adds bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        self.flush_if_full()
    }

    /// Writes the buffer out if it has grown to a piece.
    pub(super) fn flush_if_full(&mut self) -> Result<(), Error> {
        if self.buffer.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes the buffer out.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let written = write_all_at(&*self.file, &self.buffer, self.offset);
        written.map_err(|error| self.io_error("write to", error))?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(MAX_KEPT_BUFFER_BYTES);
        if self.offset - self.synced_end >= self.sync_step_bytes { self.sync_file() } else { Ok(()) }
    }

    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.sync_file()
    }

    fn sync_file(&mut self) -> Result<(), Error> {
        self.file.sync().map_err(|error| self.io_error("sync", error))?;
        self.synced_end = self.offset;
        Ok(())
    }

    /// Syncs more at one go from now on.
    pub(super) const fn hurry(&mut self) {
        self.sync_step_bytes = HURRIED_SYNC_STEP_BYTES;
    }

    /// Makes the file system keep room of so many bytes behind what there is.
    pub(super) fn reserve(&mut self, bytes: u64) -> Result<(), Error> {
        self.flush()?;
        match self.file.reserve(self.offset, bytes) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.put_zeros(&vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)])?;
            }
            reserved => reserved.map_err(|error| self.io_error("reserve room for", error))?,
        }
        self.reserved_end = self.offset + bytes;
        Ok(())
    }

    /// Puts zeros behind what there is, and syncs all: what is added to it next is overwriting, and syncs fast. It is the
    /// shortest step of zeros, because the size of the next batches is not known.
    pub(super) fn zero_ahead(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.put_zeros(zeros_ahead(0))?;
        self.sync_file()
    }

    fn put_zeros(&mut self, zeros: &[u8]) -> Result<(), Error> {
        let written = write_all_at(&*self.file, zeros, self.offset);
        written.map_err(|error| self.io_error("write to", error))?;
        self.zeroed_end = self.zeroed_end.max(self.offset + zeros.len() as u64);
        Ok(())
    }

    /// Bytes so far.
    pub(super) fn len_bytes(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }

    /// Memory that it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    pub(super) fn file(&self) -> &Arc<dyn LogFile> {
        &self.file
    }

    /// Returns the offset of the next byte once the buffer is written out, in bytes from the start of the
    /// file.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Up to here the file holds zeros behind what was written.
    pub(super) fn zeroed_end(&self) -> u64 {
        self.zeroed_end.max(self.offset)
    }

    /// Up to here the file system keeps room for the file.
    pub(super) const fn reserved_end(&self) -> u64 {
        self.reserved_end
    }

    fn io_error(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io { action, path: self.path.clone(), source: Arc::new(source) }
    }
}
