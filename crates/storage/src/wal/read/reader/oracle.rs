//! The rules of reading a log, as simple as they can be said: one batch after the other, all in memory.

use super::{Ending, ReadError};
use crate::Lsn;
use crate::wal::format::batch::{BATCH_HEADER_BYTES, BATCH_MAGIC, BatchError, BatchHeader, BatchKind};
use crate::wal::format::bytes::crc;
use crate::wal::format::header::{FILE_HEADER_BYTES, FileHeader};
use crate::wal::format::record::{LoggedChange, RecordError};

pub(super) struct Oracle<'a> {
    bytes: &'a [u8],
    seed: u32,
    ending: Ending,
    synced: Lsn,
    /// First LSN and offset of every batch.
    starts: Vec<(Lsn, u64)>,
}

/// Verdict of an oracle on a log: how it ends, and the records that count.
pub(super) type Verdict<'a> = (Result<Ending, ReadError>, Vec<(Lsn, LoggedChange<'a>)>);

pub(super) fn judge<'a>(bytes: &'a [u8], header: &FileHeader) -> Verdict<'a> {
    let ending = Ending {
        offset: FILE_HEADER_BYTES as u64,
        torn_bytes: 0,
        previous_crc: header.chain_start(),
        epoch: 0,
        next_lsn: Lsn::new(1),
        last_timestamp_ms: header.created_ms,
        records: 0,
        is_closed: true,
        unproven_from: 0,
    };
    let seed = header.crc_seed();
    let mut oracle = Oracle { bytes, seed, ending, synced: Lsn::ZERO, starts: Vec::new() };
    let mut records = Vec::new();
    let end = loop {
        match oracle.step(&mut records) {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (end.map(|()| oracle.ending()), records)
}

impl<'a> Oracle<'a> {
    /// Reads a batch; `false`: the log ends.
    fn step(&mut self, records: &mut Vec<(Lsn, LoggedChange<'a>)>) -> Result<bool, ReadError> {
        let rest = &self.bytes[self.ending.offset as usize..];
        if rest.iter().all(|&byte| byte == 0) {
            return Ok(false);
        }
        let (header, header_crc) = match BatchHeader::decode(rest, self.seed) {
            Ok(decoded) => decoded,
            Err(BatchError::UnknownKind { kind, flags }) => {
                let reason = format!(
                    "a batch of unknown kind {kind} with flags {flags:#04x}: a newer RustVault may read it"
                );
                return Err(ReadError::Corrupted { offset: self.ending.offset, reason });
            }
            Err(BatchError::Damaged(reason)) => return self.damage(BATCH_HEADER_BYTES, reason),
        };
        let end = header.total_bytes() as usize;
        let last = &self.ending;
        let jumps = header.jumps && header.epoch > last.epoch && header.first_lsn > last.next_lsn;
        if header.previous_crc != last.previous_crc {
            return self.damage(end, "a batch does not continue the one before it");
        }
        let wrong = [
            (header.epoch < last.epoch, "a batch is of an earlier epoch than the one before it"),
            (
                !jumps && (header.jumps || header.first_lsn != last.next_lsn),
                "a batch leaves a gap in the LSNs that nothing declares",
            ),
            (header.synced_lsn >= header.first_lsn, "a batch claims that LSNs after it are synced"),
            (
                (header.kind == BatchKind::Records) == (header.records == 0),
                "a batch has no records, or a seal has some",
            ),
        ];
        if let Some((_, reason)) = wrong.into_iter().find(|&(is_wrong, _)| is_wrong) {
            return Err(ReadError::Corrupted { offset: self.ending.offset, reason: reason.to_owned() });
        }
        if end > rest.len() {
            return self.damage(end, "a batch runs past the end of the file");
        }
        let mut payload = &rest[BATCH_HEADER_BYTES..end];
        if crc(self.seed, payload) != header.payload_crc {
            return self.damage(end, "the checksum of a batch does not match");
        }
        for lsn in header.first_lsn.get()..header.next_lsn().get() {
            let offset = self.ending.offset + (end - payload.len()) as u64;
            let (change, timestamp_ms, after) =
                LoggedChange::decode(payload).map_err(|error| record(offset, error))?;
            records.push((Lsn::new(lsn), change));
            self.ending.last_timestamp_ms = self.ending.last_timestamp_ms.max(timestamp_ms);
            payload = after;
        }
        if !payload.is_empty() {
            let reason = "a batch has bytes after its last record".to_owned();
            return Err(ReadError::Corrupted { offset: self.ending.offset, reason });
        }
        self.starts.push((header.first_lsn, self.ending.offset));
        self.synced = self.synced.max(header.synced_lsn);
        self.ending.offset += end as u64;
        self.ending.previous_crc = header_crc;
        self.ending.epoch = header.epoch;
        self.ending.next_lsn = header.next_lsn();
        self.ending.records += u64::from(header.records);
        self.ending.is_closed = header.kind == BatchKind::ClosingSeal;
        Ok(true)
    }

    /// Damage that goes on for `len` bytes: the end of the log if it is a torn tail.
    fn damage(&mut self, len: usize, reason: &str) -> Result<bool, ReadError> {
        let offset = self.ending.offset as usize;
        let end = offset + len;
        let claims = (offset..self.bytes.len())
            .filter(|&at| self.bytes[at..].starts_with(&BATCH_MAGIC))
            .filter_map(|at| BatchHeader::decode(&self.bytes[at..], self.seed).ok())
            .map(|(header, _)| header.synced_lsn);
        let synced = claims.max().unwrap_or(Lsn::ZERO).max(self.synced);
        let is_hole = |sector: usize| {
            let part = (sector * 512).max(offset)..((sector + 1) * 512).min(end);
            self.bytes[part].iter().all(|&byte| byte == 0)
        };
        let reason = if synced >= self.ending.next_lsn {
            format!("{reason}, although LSN {synced} and all before it were synced")
        } else if end > self.bytes.len() || (offset / 512..end.div_ceil(512)).any(is_hole) {
            let data_end = self.bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            self.ending.torn_bytes = data_end.saturating_sub(offset) as u64;
            return Ok(false);
        } else {
            format!("{reason}, and not in the way that a crash tears a write")
        };
        Err(ReadError::Corrupted { offset: offset as u64, reason })
    }

    fn ending(mut self) -> Ending {
        let is_closed = self.ending.is_closed && self.ending.torn_bytes == 0;
        // The first batch that holds, or is followed by, an LSN that is not known to be synced. The logs of
        // these tests are shorter than the step in which a reader remembers batches: it names the first.
        let unproven = if is_closed { self.starts.last() } else { self.starts.first() };
        self.ending.unproven_from = unproven.map_or(0, |&(_, offset)| offset);
        self.ending.is_closed = is_closed;
        self.ending
    }
}

fn record(offset: u64, error: RecordError) -> ReadError {
    let reason = match error {
        RecordError::Damaged(reason) => reason.to_owned(),
        RecordError::UnknownKind { kind, flags } => {
            format!("a record of unknown kind {kind} with flags {flags:#04x}: a newer RustVault may read it")
        }
    };
    ReadError::Corrupted { offset, reason }
}
