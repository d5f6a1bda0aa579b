//! Units of whole batches, with sound headers: checks their payloads and decodes their records.

use super::judge::Damage;
use super::pass::Visitor;
use super::place::Place;
use super::reader::ReadError;
use super::scanner::ScanEnd;
use crate::wal::format::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchKind};
use crate::wal::format::bytes::crc;
use crate::wal::format::record::{LoggedChange, LoggedEntry, MIN_RECORD_BYTES, RecordError};
use crate::{Error, Lsn};

/// A change that the log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logged<'a> {
    pub(crate) lsn: Lsn,
    pub(crate) change: LoggedChange<'a>,
}

/// Some whole batches, one after the other, whose headers are sound: what a core works on at a time.
#[derive(Debug)]
pub(super) struct Unit {
    /// Counted from 0 in the order of the file.
    pub(super) number: u64,
    /// The place that it begins at.
    pub(super) before: Place,
    pub(super) batches: Vec<(BatchHeader, u32)>,
    /// Reason why no other unit comes after it, if none does.
    pub(super) end: Option<ScanEnd>,
}

/// The content of a unit, up to the first fault in it.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    pub(super) records: Vec<Logged<'a>>,
    pub(super) bytes: u64,
    pub(super) last_timestamp_ms: u64,
    /// Why nothing follows, and where that is.
    pub(super) end: Option<(Place, ScanEnd)>,
}

impl Unit {
    pub(super) const fn new(number: u64, before: Place) -> Self {
        Self { number, before, batches: Vec::new(), end: None }
    }

    /// Checks and decodes the unit, whose bytes these are.
    pub(super) fn decode(self, bytes: &[u8], crc_seed: u32) -> Decoded<'_> {
        let count = self.batches.iter().map(|(header, _)| header.records as usize);
        // No more than fit into the bytes, whatever a header says.
        let capacity = count.sum::<usize>().min(bytes.len() / MIN_RECORD_BYTES);
        let start = self.before.offset;
        let mut decoded =
            Decoded { records: Vec::with_capacity(capacity), bytes: 0, last_timestamp_ms: 0, end: None };
        let mut place = self.before;
        let mut rest = bytes;
        for (header, header_crc) in &self.batches {
            let (batch, after) = rest.split_at(header.total_bytes() as usize);
            if let Err(end) = decoded.take(header, batch, place.offset, crc_seed) {
                decoded.end = Some((place, end));
                return decoded;
            }
            rest = after;
            place.pass(header, *header_crc);
            decoded.bytes = place.offset - start;
        }
        decoded.end = self.end.map(|end| (place, end));
        decoded
    }

    /// Checks the unit, whose bytes these are, and shows `visitor` what is in it, in order. Returns why
    /// nothing follows, and where that is.
    pub(super) fn visit(
        self,
        bytes: &[u8],
        crc_seed: u32,
        visitor: &mut impl Visitor,
    ) -> Option<(Place, ScanEnd)> {
        let mut place = self.before;
        let mut rest = bytes;
        for (header, header_crc) in &self.batches {
            let (batch, after) = rest.split_at(header.total_bytes() as usize);
            if let Err(end) = show(header, batch, place.offset, crc_seed, visitor) {
                return Some((place, end));
            }
            rest = after;
            place.pass(header, *header_crc);
        }
        self.end.map(|end| (place, end))
    }
}

impl<'a> Decoded<'a> {
    fn take(
        &mut self,
        header: &BatchHeader,
        batch: &'a [u8],
        offset: u64,
        crc_seed: u32,
    ) -> Result<(), ScanEnd> {
        let payload = check_payload(header, batch, offset, crc_seed)?;
        each_record(header, payload, offset, |logged, timestamp_ms| {
            self.records.push(logged);
            self.last_timestamp_ms = self.last_timestamp_ms.max(timestamp_ms);
            Ok(())
        })?;
        Ok(())
    }
}

/// Checks the batch at `offset`, whose bytes these are, and shows it to `visitor`.
fn show(
    header: &BatchHeader,
    batch: &[u8],
    offset: u64,
    crc_seed: u32,
    visitor: &mut impl Visitor,
) -> Result<(), ScanEnd> {
    let payload = check_payload(header, batch, offset, crc_seed)?;
    visitor.batch(offset, header).map_err(ReadError::Internal)?;
    each_record(header, payload, offset, |logged, timestamp_ms| visitor.record(logged, timestamp_ms))?;
    Ok(())
}

/// Checks the batch at `offset`, whose bytes these are; returns its payload.
fn check_payload<'a>(
    header: &BatchHeader,
    batch: &'a [u8],
    offset: u64,
    crc_seed: u32,
) -> Result<&'a [u8], ScanEnd> {
    let payload = batch.split_at(BATCH_HEADER_BYTES).1;
    if crc(crc_seed, payload) == header.payload_crc {
        return Ok(payload);
    }
    let reason = "the checksum of a batch does not match".to_owned();
    Err(ScanEnd::Damaged(Damage { offset, end: offset + header.total_bytes(), reason }))
}

/// Gives each record of the batch at `offset`, with its timestamp, to `take`.
fn each_record<'a>(
    header: &BatchHeader,
    payload: &'a [u8],
    offset: u64,
    mut take: impl FnMut(Logged<'a>, u64) -> Result<(), Error>,
) -> Result<(), ReadError> {
    let end = offset + header.total_bytes();
    let mut rest = payload;
    for number in 0..u64::from(header.records) {
        let at = end - rest.len() as u64;
        let (logged, timestamp_ms, after) =
            decode(header, number, rest).map_err(|error| corrupted_record(at, error))?;
        take(logged, timestamp_ms).map_err(ReadError::Internal)?;
        rest = after;
    }
    if !rest.is_empty() {
        let reason = "a batch has bytes after its last record".to_owned();
        return Err(ReadError::Corrupted { offset, reason });
    }
    Ok(())
}

/// Reads the record at the front of `bytes`, the batch's one of this number: the record, its timestamp, the
/// bytes after it.
fn decode<'a>(
    header: &BatchHeader,
    number: u64,
    bytes: &'a [u8],
) -> Result<(Logged<'a>, u64, &'a [u8]), RecordError> {
    if header.kind == BatchKind::Entries {
        let (LoggedEntry { lsn, key, value }, timestamp_ms, rest) = LoggedEntry::decode(bytes)?;
        if lsn >= header.first_lsn {
            return Err(RecordError::Damaged("an entry has the LSN of a later record"));
        }
        return Ok((Logged { lsn, change: LoggedChange::Set { key, value } }, timestamp_ms, rest));
    }
    let (change, timestamp_ms, rest) = LoggedChange::decode(bytes)?;
    Ok((Logged { lsn: Lsn::new(header.first_lsn.get().saturating_add(number)), change }, timestamp_ms, rest))
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
