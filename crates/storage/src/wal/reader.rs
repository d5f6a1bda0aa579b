use std::collections::VecDeque;
use std::io;

use memchr::memmem;

use super::batch::{BATCH_HEADER_BYTES, BATCH_MAGIC, BatchError, BatchHeader, BatchKind};
use super::format::crc;
use super::header::{FILE_HEADER_BYTES, FileHeader};
use super::record::{Change, RecordError};
use crate::Lsn;
use crate::fs::{LogFile, read_up_to};

/// What disks write at one go, in bytes: a crash leaves such a piece whole, old or new.
const SECTOR_BYTES: u64 = 512;

/// How much is read at one go.
const WINDOW_BYTES: usize = 1024 * 1024;

/// How far apart the places are that [`Unproven`] remembers.
const UNPROVEN_STEP_BYTES: u64 = 1024 * 1024;

/// Reads a log from front to back and judges what it finds. It changes nothing.
pub(crate) struct Reader<'a> {
    file: &'a dyn LogFile,
    len: u64,
    crc_seed: u32,
    window: Vec<u8>,
    window_start: u64,
    /// Where the next batch should start.
    offset: u64,
    chain: Chain,
    unproven: Unproven,
    /// Where the last batch began.
    last_start: Option<u64>,
}

/// What the next batch must agree with.
#[derive(Debug, Clone, Copy)]
struct Chain {
    previous_crc: u32,
    epoch: u32,
    next_lsn: Lsn,
    last_timestamp_ms: u64,
    records: u64,
    /// Nothing can have been lost: the last thing read was the seal of a clean stop.
    is_closed: bool,
}

/// How a log ends, when it is sound.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// Where the sound part ends: the next batch goes here.
    pub(crate) offset: u64,
    /// Bytes of a torn tail after that, zeros at the end of the file not counted.
    pub(crate) torn_bytes: u64,
    pub(crate) previous_crc: u32,
    pub(crate) epoch: u32,
    pub(crate) next_lsn: Lsn,
    pub(crate) last_timestamp_ms: u64,
    pub(crate) records: u64,
    /// Nothing can have been lost: the log was closed and sealed.
    pub(crate) is_closed: bool,
    /// From here to `offset` nothing proves that the bytes are on the disk.
    pub(crate) unproven_from: u64,
}

/// Why a log cannot be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Io(io::Error),
    Corrupted { offset: u64, reason: String },
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where the part of a log begins that no later header claims to be synced.
#[derive(Debug, Default)]
pub(crate) struct Unproven {
    /// First LSN and offset of batches, a step apart.
    starts: VecDeque<(Lsn, u64)>,
    /// The highest LSN that any header read so far claims to be synced.
    synced: Lsn,
}

/// A batch that is not what it should be.
struct Damage {
    offset: u64,
    /// How far the damaged batch goes, as far as its header can be trusted.
    end: u64,
    reason: String,
}

enum Next {
    Batch(BatchHeader, u32),
    End,
    Damaged(Damage),
}

impl<'a> Reader<'a> {
    /// A reader behind the file header of a file of `len` bytes.
    pub(crate) fn new(file: &'a dyn LogFile, len: u64, header: &FileHeader) -> Self {
        Self {
            file,
            len,
            crc_seed: header.crc_seed(),
            window: Vec::new(),
            window_start: 0,
            offset: FILE_HEADER_BYTES as u64,
            chain: Chain {
                previous_crc: header.chain_start(),
                epoch: 0,
                next_lsn: Lsn::new(1),
                last_timestamp_ms: header.created_ms,
                records: 0,
                // No LSN was given before the first epoch.
                is_closed: true,
            },
            unproven: Unproven::default(),
            last_start: None,
        }
    }

    /// Reads every record, in order, into `apply`, and tells how the log ends.
    ///
    /// # Errors
    /// Damage that is not a torn tail, and what the system says.
    pub(crate) fn read(mut self, mut apply: impl FnMut(Change<'_>, Lsn)) -> Result<Ending, ReadError> {
        loop {
            match self.next_batch()? {
                Next::Batch(header, header_crc) => self.take(&header, header_crc, &mut apply)?,
                Next::End => return Ok(self.ending(0)),
                Next::Damaged(damage) => return self.judge(damage),
            }
        }
    }

    fn next_batch(&mut self) -> Result<Next, ReadError> {
        let (offset, left, crc_seed) = (self.offset, self.len - self.offset, self.crc_seed);
        let head = self.bytes_at(offset, left.min(BATCH_HEADER_BYTES as u64) as usize)?;
        if is_zero(head) && self.is_zero_from(offset)? {
            return Ok(Next::End);
        }
        let head = self.bytes_at(offset, left.min(BATCH_HEADER_BYTES as u64) as usize)?;
        let (header, header_crc) = match BatchHeader::decode(head, crc_seed) {
            Ok(decoded) => decoded,
            Err(BatchError::UnknownKind { kind, flags }) => {
                let reason = format!(
                    "a batch of unknown kind {kind} with flags {flags:#04x}: a newer RustVault may read it"
                );
                return Err(ReadError::Corrupted { offset, reason });
            }
            Err(BatchError::Damaged(reason)) => {
                let end = offset + BATCH_HEADER_BYTES as u64;
                return Ok(Next::Damaged(Damage { offset, end, reason: reason.to_owned() }));
            }
        };
        let end = offset + header.total_bytes();
        if let Err(reason) = self.check_chain(&header) {
            return Ok(Next::Damaged(Damage { offset, end, reason: reason.to_owned() }));
        }
        if end > self.len {
            let reason = "a batch runs past the end of the file".to_owned();
            return Ok(Next::Damaged(Damage { offset, end, reason }));
        }
        let payload = self.bytes_at(offset + BATCH_HEADER_BYTES as u64, header.payload_bytes as usize)?;
        if crc(crc_seed, payload) != header.payload_crc {
            let reason = "the checksum of a batch does not match".to_owned();
            return Ok(Next::Damaged(Damage { offset, end, reason }));
        }
        Ok(Next::Batch(header, header_crc))
    }

    fn check_chain(&self, header: &BatchHeader) -> Result<(), &'static str> {
        let chain = &self.chain;
        if header.previous_crc != chain.previous_crc {
            return Err("a batch does not continue the one before it");
        }
        if header.epoch < chain.epoch {
            return Err("a batch is of an earlier epoch than the one before it");
        }
        let jumps = header.jumps && header.epoch > chain.epoch && header.first_lsn > chain.next_lsn;
        if !jumps && (header.jumps || header.first_lsn != chain.next_lsn) {
            return Err("a batch leaves a gap in the LSNs that nothing declares");
        }
        if header.synced_lsn >= header.first_lsn {
            return Err("a batch claims that LSNs after it are synced");
        }
        if (header.kind == BatchKind::Records) == (header.records == 0) {
            return Err("a batch has no records, or a seal has some");
        }
        Ok(())
    }

    /// Applies a sound batch, and expects the next one behind it.
    fn take(
        &mut self,
        header: &BatchHeader,
        header_crc: u32,
        apply: &mut impl FnMut(Change<'_>, Lsn),
    ) -> Result<(), ReadError> {
        let offset = self.offset;
        let mut last_timestamp_ms = self.chain.last_timestamp_ms;
        let payload = self.bytes_at(offset + BATCH_HEADER_BYTES as u64, header.payload_bytes as usize)?;
        let mut rest = payload;
        for lsn in header.first_lsn.get()..header.next_lsn().get() {
            let at = offset + header.total_bytes() - rest.len() as u64;
            let (change, timestamp_ms, after) =
                Change::decode(rest).map_err(|error| corrupted_record(at, error))?;
            apply(change, Lsn::new(lsn));
            last_timestamp_ms = last_timestamp_ms.max(timestamp_ms);
            rest = after;
        }
        if !rest.is_empty() {
            let reason = "a batch has bytes after its last record".to_owned();
            return Err(ReadError::Corrupted { offset, reason });
        }
        self.unproven.note(header, offset);
        self.last_start = Some(offset);
        self.offset += header.total_bytes();
        self.chain = Chain {
            previous_crc: header_crc,
            epoch: header.epoch,
            next_lsn: header.next_lsn(),
            last_timestamp_ms,
            records: self.chain.records + u64::from(header.records),
            is_closed: header.kind == BatchKind::Seal { closed: true },
        };
        Ok(())
    }

    /// Decides whether damage is a torn tail, which ends the log, or corruption.
    ///
    /// Bytes that some header claims to be synced were on the disk: no crash tears them. Of later bytes a
    /// crash loses whole sectors, which then read as zeros, or lie beyond the end of the file.
    fn judge(mut self, damage: Damage) -> Result<Ending, ReadError> {
        let synced = self.unproven.synced.max(self.highest_claim_after(damage.offset)?);
        let reason = if synced >= self.chain.next_lsn {
            format!("{}, although LSN {} and all before it were synced", damage.reason, synced)
        } else if damage.end > self.len || self.has_hole(damage.offset, damage.end)? {
            let torn_bytes = self.end_of_data()?.saturating_sub(damage.offset);
            return Ok(self.ending(torn_bytes));
        } else {
            format!("{}, and not in the way that a crash tears a write", damage.reason)
        };
        Err(ReadError::Corrupted { offset: damage.offset, reason })
    }

    /// The highest synced LSN that a sound header anywhere after `offset` claims.
    fn highest_claim_after(&mut self, offset: u64) -> Result<Lsn, ReadError> {
        let mut highest = Lsn::ZERO;
        let mut at = offset;
        while at < self.len {
            let crc_seed = self.crc_seed;
            let want = (self.len - at).min(WINDOW_BYTES as u64) as usize;
            let bytes = self.bytes_at(at, want)?;
            for found in memmem::find_iter(bytes, &BATCH_MAGIC) {
                if let Ok((header, _)) = BatchHeader::decode(bytes.split_at(found).1, crc_seed) {
                    highest = highest.max(header.synced_lsn);
                }
            }
            if at + want as u64 == self.len {
                break;
            }
            // A header may lie across the end of what was looked at: go on early enough to see it whole.
            at += (want - BATCH_HEADER_BYTES) as u64;
        }
        Ok(highest)
    }

    /// Whether a sector, or the part of it between `start` and `end`, is all zeros.
    fn has_hole(&mut self, start: u64, end: u64) -> Result<bool, ReadError> {
        let mut at = start;
        while at < end {
            let sector_end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let part_end = sector_end.min(end);
            if is_zero(self.bytes_at(at, (part_end - at) as usize)?) {
                return Ok(true);
            }
            at = part_end;
        }
        Ok(false)
    }

    fn is_zero_from(&mut self, offset: u64) -> Result<bool, ReadError> {
        let mut at = offset;
        while at < self.len {
            let want = (self.len - at).min(WINDOW_BYTES as u64) as usize;
            if !is_zero(self.bytes_at(at, want)?) {
                return Ok(false);
            }
            at += want as u64;
        }
        Ok(true)
    }

    /// The offset behind the last byte that is not zero.
    fn end_of_data(&mut self) -> Result<u64, ReadError> {
        let mut end = self.len;
        while end > 0 {
            let start = end.saturating_sub(WINDOW_BYTES as u64);
            let bytes = self.bytes_at(start, (end - start) as usize)?;
            if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
                return Ok(start + last as u64 + 1);
            }
            end = start;
        }
        Ok(0)
    }

    fn ending(self, torn_bytes: u64) -> Ending {
        let is_closed = self.chain.is_closed && torn_bytes == 0;
        // The seal of a clean stop proves all before it, but not itself.
        let unproven_from = if is_closed { self.last_start } else { self.unproven.from() };
        Ending {
            offset: self.offset,
            torn_bytes,
            previous_crc: self.chain.previous_crc,
            epoch: self.chain.epoch,
            next_lsn: self.chain.next_lsn,
            last_timestamp_ms: self.chain.last_timestamp_ms,
            records: self.chain.records,
            is_closed,
            unproven_from: unproven_from.unwrap_or(self.offset),
        }
    }

    /// `len` bytes of the file, which must lie inside it.
    fn bytes_at(&mut self, offset: u64, len: usize) -> Result<&[u8], ReadError> {
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || offset + len as u64 > window_end {
            let want = (self.len - offset).min(len.max(WINDOW_BYTES) as u64) as usize;
            self.window.resize(want, 0);
            self.window_start = offset;
            let read = read_up_to(self.file, &mut self.window, offset)?;
            self.window.truncate(read);
        }
        let start = (offset - self.window_start) as usize;
        let bytes = self.window.get(start..start + len);
        bytes.ok_or_else(|| ReadError::Io(io::Error::other("the file became shorter while it was read")))
    }
}

impl Unproven {
    fn note(&mut self, header: &BatchHeader, offset: u64) {
        self.synced = self.synced.max(header.synced_lsn);
        // The entry that holds the first unsynced LSN stays, and all after it.
        while self
            .starts
            .get(1)
            .is_some_and(|&(first_lsn, _)| first_lsn.get() <= self.synced.get().saturating_add(1))
        {
            self.starts.pop_front();
        }
        let is_a_step_on = self.starts.back().is_none_or(|&(_, last)| offset - last >= UNPROVEN_STEP_BYTES);
        if is_a_step_on {
            self.starts.push_back((header.first_lsn, offset));
        }
    }

    fn from(&self) -> Option<u64> {
        self.starts.front().map(|&(_, offset)| offset)
    }
}

fn corrupted_record(offset: u64, error: RecordError) -> ReadError {
    let reason = match error {
        RecordError::Damaged(reason) => reason.to_owned(),
        RecordError::UnknownKind { kind, flags } => {
            format!("a record of unknown kind {kind} with flags {flags:#04x}: a newer RustVault may read it")
        }
    };
    ReadError::Corrupted { offset, reason }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
