//! Follows a log from batch header to batch header, checks each, and cuts the log into units.

use std::io;

use super::judge::{Damage, FileWindow, is_zero};
use super::place::Place;
use super::reader::ReadError;
use super::unit::Unit;
use crate::fs::{LogFile, read_up_to};
use crate::wal::format::batch::{BATCH_HEADER_BYTES, BatchError, BatchHeader};

/// Goes through a log from batch header to batch header, and cuts it into units.
pub(super) struct Scanner<'a> {
    file: &'a dyn LogFile,
    len: u64,
    crc_seed: u32,
    unit_bytes: usize,
    place: Place,
    next_unit: u64,
    is_over: bool,
}

/// Reason why the scan ends.
#[derive(Debug)]
pub(super) enum ScanEnd {
    EndOfLog,
    Damaged(Damage),
    Failed(ReadError),
}

impl From<ReadError> for ScanEnd {
    fn from(error: ReadError) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Scanner<'a> {
    /// A scanner that goes from `place` to the end of a file of `len` bytes.
    pub(super) const fn new(
        file: &'a dyn LogFile,
        len: u64,
        crc_seed: u32,
        unit_bytes: usize,
        place: Place,
    ) -> Self {
        // A unit has room for a header at least, or it would never get on.
        let unit_bytes = if unit_bytes < BATCH_HEADER_BYTES { BATCH_HEADER_BYTES } else { unit_bytes };
        Self { file, len, crc_seed, unit_bytes, place, next_unit: 0, is_over: false }
    }

    /// The next unit, with its bytes in `buffer`; `None` after the last one, which knows why the scan ended.
    ///
    /// A batch that begins in a unit is in it with all its bytes. `before_large` is called before more than
    /// the usual bytes are read for one.
    pub(super) fn next_unit(&mut self, buffer: &mut Vec<u8>, before_large: impl FnMut()) -> Option<Unit> {
        if self.is_over {
            return None;
        }
        let mut unit = Unit::new(self.next_unit, self.place.clone());
        self.next_unit += 1;
        unit.end = self.fill_unit(&mut unit, buffer, before_large).err();
        self.is_over = unit.end.is_some();
        Some(unit)
    }

    fn fill_unit(
        &mut self,
        unit: &mut Unit,
        buffer: &mut Vec<u8>,
        mut before_large: impl FnMut(),
    ) -> Result<(), ScanEnd> {
        let start = self.place.offset;
        buffer.clear();
        self.read_to(buffer, start, start.saturating_add(self.unit_bytes as u64).min(self.len))?;
        loop {
            let at = (self.place.offset - start) as usize;
            let head = buffer.get(at..).unwrap_or_default();
            let is_whole = head.len() >= BATCH_HEADER_BYTES || start + buffer.len() as u64 == self.len;
            if at >= self.unit_bytes || !is_whole {
                return Ok(());
            }
            let (header, header_crc) = self.check_header(head)?;
            let end = self.place.offset + header.total_bytes();
            if end - start > 2 * self.unit_bytes as u64 {
                before_large();
            }
            self.read_to(buffer, start, end)?;
            self.place.pass(&header, header_crc);
            unit.batches.push((header, header_crc));
        }
    }

    /// The header that stands at the scanner's place, at the front of `head`, if a batch may come there.
    fn check_header(&self, head: &[u8]) -> Result<(BatchHeader, u32), ScanEnd> {
        let offset = self.place.offset;
        let damaged = |end, reason: &str| ScanEnd::Damaged(Damage { offset, end, reason: reason.to_owned() });
        let corrupted = |reason: String| ScanEnd::Failed(ReadError::Corrupted { offset, reason });
        let head = head.split_at(head.len().min(BATCH_HEADER_BYTES)).0;
        if is_zero(head) && FileWindow::new(self.file, self.len).is_zero_from(offset)? {
            return Err(ScanEnd::EndOfLog);
        }
        let (header, header_crc) = BatchHeader::decode(head, self.crc_seed).map_err(|error| match error {
            BatchError::UnknownKind { kind, flags } => corrupted(format!(
                "a batch of unknown kind {kind} with flags {flags:#04x}: a newer RustVault may read it"
            )),
            BatchError::Damaged(reason) => damaged(offset + BATCH_HEADER_BYTES as u64, reason),
        })?;
        let end = offset + header.total_bytes();
        if !self.place.chain.is_continued_by(&header) {
            return Err(damaged(end, "a batch does not continue the one before it"));
        }
        self.place.chain.check(&header).map_err(|reason| corrupted(reason.to_owned()))?;
        if end > self.len {
            return Err(damaged(end, "a batch runs past the end of the file"));
        }
        Ok((header, header_crc))
    }

    /// Reads on into `buffer`, which has the file's bytes from `start` on, until it has those up to `end`.
    fn read_to(&self, buffer: &mut Vec<u8>, start: u64, end: u64) -> Result<(), ReadError> {
        let had = buffer.len();
        let want = (end - start) as usize;
        if want <= had {
            return Ok(());
        }
        buffer.resize(want, 0);
        let read = read_up_to(self.file, buffer.split_at_mut(had).1, start + had as u64)?;
        if had + read < want {
            return Err(io::Error::other("the file became shorter while it was read").into());
        }
        Ok(())
    }
}
