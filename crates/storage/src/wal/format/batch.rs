//! Batch headers: their fields, bytes and checksums. docs/wal-format.md has the byte table.

use super::bytes::{crc, field, put};
use crate::Lsn;

/// Marks the start of a batch: "RVB" and a byte that no text has.
pub(crate) const BATCH_MAGIC: [u8; 4] = *b"RVB\xf1";

/// Bytes of a batch header.
pub(crate) const BATCH_HEADER_BYTES: usize = 48;

/// Most bytes of records that a batch may have: their number has 32 bits in its header.
pub(crate) const MAX_BATCH_PAYLOAD_BYTES: usize = u32::MAX as usize;

/// Number of LSNs that are skipped after a crash, so that an LSN which was lost is never given again: more
/// than the records that can ever have been waiting for a sync.
pub(crate) const LSN_STRIDE: u64 = 1 << 32;

const FLAG_LSN_JUMP: u8 = 1;
const FLAG_CLOSED: u8 = 1 << 1;

/// Kind of a batch: the content that follows its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchKind {
    /// Records of writes.
    Records,
    /// Live entries that a compaction found, each with its own LSN.
    Entries,
    /// Nothing: a mark that all before it is complete and synced.
    Seal,
    /// The seal of a clean stop: nothing of its epoch follows.
    ClosingSeal,
}

/// Header in front of the records that one write put into the log. docs/wal-format.md has the byte table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) kind: BatchKind,
    /// `first_lsn` does not follow the LSN before: the log was reopened after a crash.
    pub(crate) jumps: bool,
    /// Raised by one at every open.
    pub(crate) epoch: u32,
    pub(crate) payload_bytes: u32,
    pub(crate) records: u32,
    /// The LSN of the first record; of a seal, the next LSN; of entries, one above all of theirs.
    pub(crate) first_lsn: Lsn,
    /// Highest LSN that was synced when this header was written.
    pub(crate) synced_lsn: Lsn,
    /// The `header_crc` of the batch before, or [`FileHeader::chain_start`](super::header::FileHeader).
    pub(crate) previous_crc: u32,
    pub(crate) payload_crc: u32,
}

impl BatchHeader {
    /// The header of a seal after `last_lsn`.
    pub(crate) fn seal(closed: bool, epoch: u32, last_lsn: Lsn, previous_crc: u32, crc_seed: u32) -> Self {
        Self {
            kind: if closed { BatchKind::ClosingSeal } else { BatchKind::Seal },
            jumps: false,
            epoch,
            payload_bytes: 0,
            records: 0,
            first_lsn: Lsn::new(last_lsn.get() + 1),
            synced_lsn: last_lsn,
            previous_crc,
            payload_crc: crc(crc_seed, &[]),
        }
    }

    /// The header's bytes, whose last four are its checksum: the link for the next batch.
    pub(crate) fn encode(&self, crc_seed: u32) -> ([u8; BATCH_HEADER_BYTES], u32) {
        let (kind, closed) = match self.kind {
            BatchKind::Records => (1, 0),
            BatchKind::Seal => (2, 0),
            BatchKind::ClosingSeal => (2, FLAG_CLOSED),
            BatchKind::Entries => (3, 0),
        };
        let mut bytes = [0; BATCH_HEADER_BYTES];
        put(&mut bytes, 0, &BATCH_MAGIC);
        put(&mut bytes, 4, &[kind, closed | if self.jumps { FLAG_LSN_JUMP } else { 0 }]);
        put(&mut bytes, 8, &self.epoch.to_le_bytes());
        put(&mut bytes, 12, &self.payload_bytes.to_le_bytes());
        put(&mut bytes, 16, &self.records.to_le_bytes());
        put(&mut bytes, 20, &self.first_lsn.get().to_le_bytes());
        put(&mut bytes, 28, &self.synced_lsn.get().to_le_bytes());
        put(&mut bytes, 36, &self.previous_crc.to_le_bytes());
        put(&mut bytes, 40, &self.payload_crc.to_le_bytes());
        let header_crc = crc(crc_seed, bytes.split_at(44).0);
        put(&mut bytes, 44, &header_crc.to_le_bytes());
        (bytes, header_crc)
    }

    /// The header at the front of `bytes` with its checksum, or what is wrong with it.
    pub(crate) fn decode(bytes: &[u8], crc_seed: u32) -> Result<(Self, u32), BatchError> {
        let bytes = bytes
            .first_chunk::<BATCH_HEADER_BYTES>()
            .ok_or(BatchError::Damaged("a batch header is cut short"))?;
        if field(bytes, 0) != BATCH_MAGIC {
            return Err(BatchError::Damaged("no batch starts here"));
        }
        let header_crc = u32::from_le_bytes(field(bytes, 44));
        if crc(crc_seed, bytes.split_at(44).0) != header_crc {
            return Err(BatchError::Damaged("the checksum of a batch header does not match"));
        }
        let [kind, flags, reserved @ ..]: [u8; 4] = field(bytes, 4);
        let kind = match (kind, flags & !FLAG_LSN_JUMP, reserved) {
            (1, 0, [0, 0]) => BatchKind::Records,
            (2, 0, [0, 0]) => BatchKind::Seal,
            (2, FLAG_CLOSED, [0, 0]) => BatchKind::ClosingSeal,
            (3, 0, [0, 0]) => BatchKind::Entries,
            _ => return Err(BatchError::UnknownKind { kind, flags }),
        };
        let header = Self {
            kind,
            jumps: flags & FLAG_LSN_JUMP != 0,
            epoch: u32::from_le_bytes(field(bytes, 8)),
            payload_bytes: u32::from_le_bytes(field(bytes, 12)),
            records: u32::from_le_bytes(field(bytes, 16)),
            first_lsn: Lsn::new(u64::from_le_bytes(field(bytes, 20))),
            synced_lsn: Lsn::new(u64::from_le_bytes(field(bytes, 28))),
            previous_crc: u32::from_le_bytes(field(bytes, 36)),
            payload_crc: u32::from_le_bytes(field(bytes, 40)),
        };
        Ok((header, header_crc))
    }

    /// Bytes of header and payload.
    pub(crate) const fn total_bytes(&self) -> u64 {
        BATCH_HEADER_BYTES as u64 + self.payload_bytes as u64
    }

    /// The LSN after the last record.
    pub(crate) const fn next_lsn(&self) -> Lsn {
        match self.kind {
            BatchKind::Entries => self.first_lsn,
            _ => Lsn::new(self.first_lsn.get().saturating_add(self.records as u64)),
        }
    }
}

/// Why bytes are no batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchError {
    /// They are not one, or not any more.
    Damaged(&'static str),
    /// They are a sound one of a kind that this build does not know.
    UnknownKind { kind: u8, flags: u8 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            kind: BatchKind::Records,
            jumps: false,
            epoch: 1,
            payload_bytes: 99,
            records: 2,
            first_lsn: Lsn::new(10),
            synced_lsn: Lsn::new(9),
            previous_crc: 77,
            payload_crc: 88,
        }
    }

    #[test]
    fn headers_read_back_as_they_were_written() {
        for kind in [BatchKind::Records, BatchKind::Entries, BatchKind::Seal, BatchKind::ClosingSeal] {
            for jumps in [false, true] {
                let header = BatchHeader { kind, jumps, ..header() };
                let (bytes, crc) = header.encode(5);
                assert_eq!(BatchHeader::decode(&bytes, 5), Ok((header, crc)));
            }
        }
    }

    #[test]
    fn a_header_of_another_log_is_not_taken_for_one_of_this() {
        let (bytes, _) = header().encode(5);
        assert!(matches!(BatchHeader::decode(&bytes, 6), Err(BatchError::Damaged(_))));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let (good, _) = header().encode(5);
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(BatchHeader::decode(&bad, 5).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn an_unknown_kind_is_told_from_damage() {
        let (mut bytes, _) = header().encode(5);
        bytes[4] = 7;
        let crc = crc(5, &bytes[..44]);
        bytes[44..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(BatchHeader::decode(&bytes, 5), Err(BatchError::UnknownKind { kind: 7, flags: 0 }));
    }
}
