use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::appender::zeros_ahead;
use super::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchKind};
use super::format::crc;
use super::header::{FILE_HEADER_BYTES, FileHeader};
use super::record::LoggedEntry;
use crate::fs::{LogFile, write_all_at};
use crate::{Error, Lsn};

/// Size at which a block of entries is complete: small enough for all cores to have some, large enough for
/// its header not to matter. A larger entry makes a larger block.
const BLOCK_BYTES: usize = 256 * 1024;

/// Bytes that are synced at one go: few, because the log's own syncs wait behind them in the disk's queue.
const SYNC_STEP_BYTES: u64 = 1024 * 1024;

/// The same for a successor that has to hurry: syncs take longer than copying.
const HURRIED_SYNC_STEP_BYTES: u64 = 32 * 1024 * 1024;

/// The buffer is given back to the allocator if an entry made it larger than this.
const MAX_KEPT_BUFFER_BYTES: usize = 4 * BLOCK_BYTES;

/// What a log was like when its successor was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The last record that was written.
    pub(super) last_lsn: Lsn,
    pub(super) last_timestamp_ms: u64,
    pub(super) epoch: u32,
}

/// A log that is being made to take the place of the one in use: entries, batches, a seal.
pub(super) struct Successor {
    file: Arc<dyn LogFile>,
    path: PathBuf,
    mark: Mark,
    crc_seed: u32,
    previous_crc: u32,
    /// Where `buffer` goes.
    offset: u64,
    /// While entries come: one block of them, with room for its header.
    buffer: Vec<u8>,
    /// Entries in `buffer`.
    entries: u32,
    synced_end: u64,
    sync_step_bytes: u64,
    zeroed_end: u64,
    reserved_end: u64,
}

/// Where a log goes on.
pub(super) struct LogEnd {
    pub(super) file: Arc<dyn LogFile>,
    pub(super) offset: u64,
    /// From `offset` to here the file holds zeros.
    pub(super) zeroed_end: u64,
    /// Up to here the file system keeps room for the file.
    pub(super) reserved_end: u64,
    pub(super) crc_seed: u32,
    pub(super) previous_crc: u32,
}

impl Successor {
    /// A successor in the empty file at `path`.
    pub(super) fn new(file: Arc<dyn LogFile>, path: PathBuf, header: &FileHeader, mark: Mark) -> Self {
        Self {
            file,
            path,
            mark,
            crc_seed: header.crc_seed(),
            previous_crc: header.chain_start(),
            offset: 0,
            buffer: header.encode().to_vec(),
            entries: 0,
            synced_end: 0,
            sync_step_bytes: SYNC_STEP_BYTES,
            zeroed_end: 0,
            reserved_end: 0,
        }
    }

    /// Adds an entry. All of them come before the first batch.
    pub(super) fn push_entry(&mut self, entry: &LoggedEntry<'_>) -> Result<(), Error> {
        if self.entries > 0 && self.buffer.len() + entry.encoded_bytes() > BLOCK_BYTES {
            self.end_block()?;
        }
        if self.entries == 0 {
            self.flush()?;
            self.buffer.resize(BATCH_HEADER_BYTES, 0);
        }
        entry.encode(self.mark.last_timestamp_ms, &mut self.buffer);
        self.entries += 1;
        Ok(())
    }

    /// Ends the entries.
    pub(super) fn end_entries(&mut self) -> Result<(), Error> {
        if self.entries > 0 { self.end_block() } else { self.flush() }
    }

    fn end_block(&mut self) -> Result<(), Error> {
        let payload = self.buffer.split_at(BATCH_HEADER_BYTES).1;
        let header = BatchHeader {
            kind: BatchKind::Entries,
            jumps: false,
            epoch: self.mark.epoch,
            payload_bytes: payload_len(payload.len())?,
            records: std::mem::take(&mut self.entries),
            first_lsn: Lsn::new(self.mark.last_lsn.get() + 1),
            synced_lsn: self.mark.last_lsn,
            previous_crc: self.previous_crc,
            payload_crc: crc(self.crc_seed, payload),
        };
        let bytes = self.link(&header);
        if let Some(room) = self.buffer.first_chunk_mut() {
            *room = bytes;
        }
        self.flush()
    }

    /// The checksum of a batch's first bytes, for more of them to be added with [`crc`].
    pub(super) const fn crc_seed(&self) -> u32 {
        self.crc_seed
    }

    /// Adds the header of another log's batch, made to fit in here; [`push`](Self::push) takes its payload.
    pub(super) fn push_header(&mut self, header: &BatchHeader, payload_crc: u32) -> Result<(), Error> {
        let bytes = self.link(&BatchHeader { previous_crc: self.previous_crc, payload_crc, ..*header });
        self.push(&bytes)
    }

    /// Adds bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Has the file system keep room behind the seal that comes next.
    pub(super) fn reserve(&mut self, bytes: u64) -> Result<(), Error> {
        self.flush()?;
        let len_bytes = bytes + BATCH_HEADER_BYTES as u64;
        match self.file.reserve(self.offset, len_bytes) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let zeros = vec![0; usize::try_from(len_bytes).unwrap_or(usize::MAX)];
                let written = write_all_at(&*self.file, &zeros, self.offset);
                written.map_err(|error| self.io_error("write to", error))?;
                self.zeroed_end = self.zeroed_end.max(self.offset + len_bytes);
            }
            reserved => reserved.map_err(|error| self.io_error("reserve room for", error))?,
        }
        self.reserved_end = self.offset + len_bytes;
        Ok(())
    }

    /// Adds the seal behind `last_lsn` that says that everything before was synced, and makes it true.
    pub(super) fn seal(&mut self, last_lsn: Lsn) -> Result<(), Error> {
        let seal = BatchHeader::seal(false, self.mark.epoch, last_lsn, self.previous_crc, self.crc_seed);
        let bytes = self.link(&seal);
        self.push(&bytes)?;
        self.sync()
    }

    /// The header's bytes; what comes next names it.
    fn link(&mut self, header: &BatchHeader) -> [u8; BATCH_HEADER_BYTES] {
        let (bytes, header_crc) = header.encode(self.crc_seed);
        self.previous_crc = header_crc;
        bytes
    }

    /// Puts zeros behind what there is, and syncs all: what is added to it next is overwriting, and syncs fast.
    pub(super) fn zero_ahead(&mut self) -> Result<(), Error> {
        self.flush()?;
        let zeros = zeros_ahead(self.offset);
        let written = write_all_at(&*self.file, zeros, self.offset);
        written.map_err(|error| self.io_error("write to", error))?;
        self.zeroed_end = self.offset + zeros.len() as u64;
        self.sync()
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

    fn flush(&mut self) -> Result<(), Error> {
        let written = write_all_at(&*self.file, &self.buffer, self.offset);
        written.map_err(|error| self.io_error("write to", error))?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(MAX_KEPT_BUFFER_BYTES);
        if self.offset - self.synced_end >= self.sync_step_bytes { self.sync_file() } else { Ok(()) }
    }

    /// Syncs more at one go from now on.
    pub(super) const fn hurry(&mut self) {
        self.sync_step_bytes = HURRIED_SYNC_STEP_BYTES;
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

    /// Where the log goes on behind the seal.
    pub(super) fn end(&self) -> LogEnd {
        LogEnd {
            file: Arc::clone(&self.file),
            offset: self.offset,
            zeroed_end: self.zeroed_end.max(self.offset),
            reserved_end: self.reserved_end,
            crc_seed: self.crc_seed,
            previous_crc: self.previous_crc,
        }
    }

    fn io_error(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io { action, path: self.path.clone(), source: Arc::new(source) }
    }
}

/// What the file of a compacted log has around its entries and batches.
pub(crate) const fn compacted_overhead_bytes(entry_bytes: u64) -> u64 {
    let blocks = entry_bytes / BLOCK_BYTES as u64 + 1;
    FILE_HEADER_BYTES as u64 + (blocks + 1) * BATCH_HEADER_BYTES as u64
}

fn payload_len(bytes: usize) -> Result<u32, Error> {
    u32::try_from(bytes).map_err(|_| Error::Internal("a block of entries passed 4 GiB"))
}
