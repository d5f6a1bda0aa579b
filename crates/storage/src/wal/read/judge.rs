//! Decides whether damage is a torn tail or corruption, by what sound batch headers behind it prove.

use std::io;

use memchr::memmem;

use super::place::Place;
use super::reader::ReadError;
use crate::Lsn;
use crate::fs::{LogFile, SECTOR_BYTES, read_up_to};
use crate::wal::format::batch::{BATCH_HEADER_BYTES, BATCH_MAGIC, BatchHeader};

/// Bytes that are read at a time.
const WINDOW_BYTES: usize = 1024 * 1024;

/// Bytes that are checked at a time for one that is not zero: without a branch for each.
const ZERO_CHECK_BYTES: usize = 4096;

/// A batch that is not what it should be.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) offset: u64,
    /// Offset at which the damaged batch ends, in bytes from the start of the file, as far as its header can
    /// be trusted.
    pub(super) end: u64,
    pub(super) reason: String,
}

/// Highest values that some sound batch headers state.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Headers {
    /// The highest LSN that one claims to be synced.
    pub(crate) synced: Lsn,
    /// Above every LSN that they give.
    pub(crate) next_lsn: Lsn,
    /// The highest epoch.
    pub(crate) epoch: u32,
}

/// The bytes of a part of a file, read when they are asked for: a view that moves over it.
pub(super) struct FileWindow<'a> {
    file: &'a dyn LogFile,
    len: u64,
    bytes: Vec<u8>,
    start: u64,
}

/// Decides whether damage behind `place` is a torn tail, which ends the log, or corruption; returns the torn
/// bytes.
///
/// Bytes that some header claims to be synced were on the disk: no crash tears them. Of later bytes a
/// crash loses whole sectors, which then read as zeros, or lie beyond the end of the file.
pub(super) fn judge(
    window: &mut FileWindow<'_>,
    crc_seed: u32,
    place: &Place,
    damage: &Damage,
) -> Result<u64, ReadError> {
    let synced = place.unproven.synced.max(window.headers_from(damage.offset, crc_seed)?.synced);
    let reason = if synced >= place.chain.next_lsn {
        format!("{}, although LSN {} and all before it were synced", damage.reason, synced)
    } else if damage.end > window.len || window.has_hole(damage.offset, damage.end)? {
        return Ok(window.end_of_data()?.saturating_sub(damage.offset));
    } else {
        format!("{}, and not in the way that a crash tears a write", damage.reason)
    };
    Err(ReadError::Corrupted { offset: damage.offset, reason })
}

impl Headers {
    fn note(&mut self, header: &BatchHeader) {
        self.synced = self.synced.max(header.synced_lsn);
        self.next_lsn = self.next_lsn.max(header.next_lsn());
        self.epoch = self.epoch.max(header.epoch);
    }
}

impl<'a> FileWindow<'a> {
    /// On a file of `len` bytes.
    pub(super) const fn new(file: &'a dyn LogFile, len: u64) -> Self {
        Self { file, len, bytes: Vec::new(), start: 0 }
    }

    pub(super) fn is_zero_from(&mut self, offset: u64) -> Result<bool, ReadError> {
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

    /// Returns the highest values that the sound headers from `offset` on state, whatever is between them.
    pub(super) fn headers_from(&mut self, offset: u64, crc_seed: u32) -> Result<Headers, ReadError> {
        let mut headers = Headers::default();
        let mut at = offset;
        while at < self.len {
            let want = (self.len - at).min(WINDOW_BYTES as u64) as usize;
            let bytes = self.bytes_at(at, want)?;
            for found in memmem::find_iter(bytes, &BATCH_MAGIC) {
                if let Ok((header, _)) = BatchHeader::decode(bytes.split_at(found).1, crc_seed) {
                    headers.note(&header);
                }
            }
            if at + want as u64 == self.len {
                break;
            }
            // A header may lie across the end of what was looked at: go on early enough to see it whole.
            at += (want - BATCH_HEADER_BYTES) as u64;
        }
        Ok(headers)
    }

    /// Returns whether a sector between `start` and `end`, or the part of one that lies there, is all zeros.
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

    /// `len` bytes of the file, which must lie inside it.
    fn bytes_at(&mut self, offset: u64, len: usize) -> Result<&[u8], ReadError> {
        let window_end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + len as u64 > window_end {
            let want = (self.len - offset).min(len.max(WINDOW_BYTES) as u64) as usize;
            self.bytes.resize(want, 0);
            self.start = offset;
            let read = read_up_to(self.file, &mut self.bytes, offset)?;
            self.bytes.truncate(read);
        }
        let start = (offset - self.start) as usize;
        let bytes = self.bytes.get(start..start + len);
        bytes.ok_or_else(|| ReadError::Io(io::Error::other("the file became shorter while it was read")))
    }
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZERO_CHECK_BYTES).all(|chunk| chunk.iter().fold(0, |any, &byte| any | byte) == 0)
}
