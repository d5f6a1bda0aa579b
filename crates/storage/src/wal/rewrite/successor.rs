//! Builds a log that is to take the place of another: entries, records, a seal, in either format.

use std::path::PathBuf;
use std::sync::Arc;

use super::file_writer::{FileWriter, PIECE_BYTES};
use crate::fs::LogFile;
use crate::wal::format::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchKind};
use crate::wal::format::bytes::crc;
use crate::wal::format::header::{FILE_HEADER_BYTES, FileHeader};
use crate::wal::format::json;
use crate::wal::format::record::{LoggedChange, LoggedEntry, set_timestamp};
use crate::wal::write::log_end::{LogEnd, Mark};
use crate::{Error, LogFormat, Lsn};

/// Size at which a block of entries, or a batch of records, is complete: small enough for all cores to have
/// some, large enough for its header not to matter. A larger entry makes a larger block.
const BLOCK_BYTES: usize = PIECE_BYTES;

/// A log that is being made to take the place of another: entries, records, a seal.
pub(super) struct Successor {
    out: FileWriter,
    mark: Mark,
    encoding: Encoding,
    /// Times never run backwards: those of lines that somebody else wrote may.
    last_timestamp_ms: u64,
}

enum Encoding {
    Binary(BatchBuilder),
    Json,
}

/// Builds batches of the binary format, each of which names the one before it.
struct BatchBuilder {
    crc_seed: u32,
    previous_crc: u32,
    /// The batch at the end of the output's buffer, which has room for its header, and what it holds so far.
    open: Option<(BatchKind, u32)>,
    /// LSN of the next record that comes by itself.
    next_lsn: u64,
}

impl Successor {
    /// A successor in the empty file at `path`: a binary log with this header, or one of lines without any.
    pub(super) fn new(
        file: Arc<dyn LogFile>,
        path: PathBuf,
        header: Option<&FileHeader>,
        mark: Mark,
    ) -> Self {
        let mut out = FileWriter::new(file, path);
        let encoding = header.map_or(Encoding::Json, |header| {
            out.buffer.extend_from_slice(&header.encode());
            Encoding::Binary(BatchBuilder {
                crc_seed: header.crc_seed(),
                previous_crc: header.chain_start(),
                open: None,
                next_lsn: mark.last_lsn.get() + 1,
            })
        });
        Self { out, mark, encoding, last_timestamp_ms: mark.last_timestamp_ms }
    }

    pub(super) const fn format(&self) -> LogFormat {
        match self.encoding {
            Encoding::Binary(_) => LogFormat::Binary,
            Encoding::Json => LogFormat::Json,
        }
    }

    /// Adds an entry. All of them come before the first record.
    pub(super) fn push_entry(&mut self, entry: &LoggedEntry<'_>) -> Result<(), Error> {
        let timestamp_ms = self.mark.last_timestamp_ms;
        match &mut self.encoding {
            Encoding::Binary(builder) => {
                builder.open(BatchKind::Entries, entry.encoded_bytes(), &mut self.out, self.mark)?;
                entry.encode(timestamp_ms, &mut self.out.buffer);
                Ok(())
            }
            Encoding::Json => {
                json::encode(
                    LoggedChange::Set { key: entry.key, value: entry.value },
                    timestamp_ms,
                    &mut self.out.buffer,
                );
                self.out.flush_if_full()
            }
        }
    }

    /// Adds a record, which has the LSN after the one before it, the first the LSN after the mark.
    pub(super) fn push_record(&mut self, change: LoggedChange<'_>, timestamp_ms: u64) -> Result<(), Error> {
        self.last_timestamp_ms = self.last_timestamp_ms.max(timestamp_ms);
        match &mut self.encoding {
            Encoding::Binary(builder) => {
                builder.open(BatchKind::Records, change.encoded_bytes(), &mut self.out, self.mark)?;
                let start = self.out.buffer.len();
                change.encode(&mut self.out.buffer);
                set_timestamp(self.out.buffer.split_at_mut(start).1, self.last_timestamp_ms);
                Ok(())
            }
            Encoding::Json => {
                json::encode(change, self.last_timestamp_ms, &mut self.out.buffer);
                self.out.flush_if_full()
            }
        }
    }

    /// Completes what was added so far.
    fn complete(&mut self) -> Result<(), Error> {
        match &mut self.encoding {
            Encoding::Binary(builder) => builder.close(&mut self.out, self.mark),
            Encoding::Json => Ok(()),
        }
    }

    /// Ends the entries.
    pub(super) fn end_entries(&mut self) -> Result<(), Error> {
        self.complete()?;
        self.out.flush()
    }

    /// The start of a batch's checksum in this log, for its bytes to be added with [`crc`]; lines have none.
    pub(super) const fn crc_seed(&self) -> u32 {
        match &self.encoding {
            Encoding::Binary(builder) => builder.crc_seed,
            Encoding::Json => 0,
        }
    }

    /// Adds the header of another log's batch, made to fit in here; [`push`](Self::push) takes its payload.
    pub(super) fn push_header(&mut self, header: &BatchHeader, payload_crc: u32) -> Result<(), Error> {
        let Encoding::Binary(builder) = &mut self.encoding else {
            return Err(Error::Internal("a batch was put into a log of lines"));
        };
        let bytes = builder.link(&BatchHeader { previous_crc: builder.previous_crc, payload_crc, ..*header });
        self.out.push(&bytes)
    }

    /// Adds bytes as they are in a log of the same format.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.push(bytes)
    }

    /// Makes the file system keep room of so many bytes behind the seal that comes next.
    pub(super) fn reserve(&mut self, bytes: u64) -> Result<(), Error> {
        self.complete()?;
        self.out.reserve(bytes + BATCH_HEADER_BYTES as u64)
    }

    /// Puts zeros behind what there is, where the format has them, and syncs all.
    pub(super) fn zero_ahead(&mut self) -> Result<(), Error> {
        self.complete()?;
        match self.format() {
            LogFormat::Binary => self.out.zero_ahead(),
            LogFormat::Json => self.out.sync(),
        }
    }

    /// Ends the log at `last_lsn`: syncs it, and adds the seal that says so, where the format has them.
    pub(super) fn seal(&mut self, last_lsn: Lsn) -> Result<(), Error> {
        self.complete()?;
        match &mut self.encoding {
            Encoding::Binary(builder) => {
                let (epoch, previous_crc) = (self.mark.epoch, builder.previous_crc);
                let bytes =
                    builder.link(&BatchHeader::seal(false, epoch, last_lsn, previous_crc, builder.crc_seed));
                self.out.push(&bytes)?;
            }
            // An empty file would be a new log, of any format.
            Encoding::Json if self.out.len_bytes() == 0 => {
                self.push_record(LoggedChange::Clear, self.last_timestamp_ms)?;
            }
            Encoding::Json => {}
        }
        self.out.sync()
    }

    /// Syncs more at one go from now on.
    pub(super) const fn hurry(&mut self) {
        self.out.hurry();
    }

    /// Bytes so far.
    pub(super) fn len_bytes(&self) -> u64 {
        self.out.len_bytes()
    }

    /// Memory that it takes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.out.memory_bytes()
    }

    pub(super) fn file(&self) -> &Arc<dyn LogFile> {
        self.out.file()
    }

    /// Returns the place where the log goes on behind the seal.
    pub(super) fn end(&self) -> LogEnd {
        let (crc_seed, previous_crc) = match &self.encoding {
            Encoding::Binary(builder) => (builder.crc_seed, builder.previous_crc),
            Encoding::Json => (0, 0),
        };
        LogEnd {
            file: Arc::clone(self.out.file()),
            format: self.format(),
            offset: self.out.offset(),
            zeroed_end: self.out.zeroed_end(),
            reserved_end: self.out.reserved_end(),
            crc_seed,
            previous_crc,
        }
    }
}

impl BatchBuilder {
    /// Makes sure that something of `bytes` can be added to a batch of this kind, and counts it.
    fn open(&mut self, kind: BatchKind, bytes: usize, out: &mut FileWriter, mark: Mark) -> Result<(), Error> {
        let is_full = out.buffer.len() + bytes > BLOCK_BYTES;
        if self.open.is_some_and(|(open, _)| open != kind || is_full) {
            self.close(out, mark)?;
        }
        if self.open.is_none() {
            out.flush()?;
            out.buffer.resize(BATCH_HEADER_BYTES, 0);
        }
        let (_, records) = self.open.unwrap_or((kind, 0));
        self.open = Some((kind, records + 1));
        Ok(())
    }

    /// Completes the open batch.
    fn close(&mut self, out: &mut FileWriter, mark: Mark) -> Result<(), Error> {
        let Some((kind, records)) = self.open.take() else { return Ok(()) };
        let payload = out.buffer.split_at(BATCH_HEADER_BYTES).1;
        let payload_bytes = u32::try_from(payload.len());
        let header = BatchHeader {
            kind,
            jumps: false,
            epoch: mark.epoch,
            payload_bytes: payload_bytes.map_err(|_| Error::Internal("a block passed 4 GiB"))?,
            records,
            first_lsn: Lsn::new(self.next_lsn),
            synced_lsn: mark.last_lsn,
            previous_crc: self.previous_crc,
            payload_crc: crc(self.crc_seed, payload),
        };
        if kind == BatchKind::Records {
            self.next_lsn += u64::from(records);
        }
        let bytes = self.link(&header);
        if let Some(room) = out.buffer.first_chunk_mut() {
            *room = bytes;
        }
        out.flush()
    }

    /// The header's bytes; what comes next names it.
    fn link(&mut self, header: &BatchHeader) -> [u8; BATCH_HEADER_BYTES] {
        let (bytes, header_crc) = header.encode(self.crc_seed);
        self.previous_crc = header_crc;
        bytes
    }
}

/// Returns the number of bytes that the file of a compacted log has around its entries and batches; the
/// entries have `entry_bytes`.
pub(crate) const fn compacted_overhead_bytes(entry_bytes: u64) -> u64 {
    let blocks = entry_bytes / BLOCK_BYTES as u64 + 1;
    FILE_HEADER_BYTES as u64 + (blocks + 1) * BATCH_HEADER_BYTES as u64
}
