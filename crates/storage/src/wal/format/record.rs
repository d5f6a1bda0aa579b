//! Records: changes, and entries of a compacted log, as bytes. The only file that names bincode.

use bincode::Options as _;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use crate::Lsn;

/// Bytes before a record's body: kind, flags, body length.
pub(crate) const RECORD_HEADER_BYTES: usize = 6;

/// Bytes of a `Set` record beside its key and value: the header, 8 of timestamp, 4 of variant, 8 of key
/// length, 8 of value length.
const SET_OVERHEAD_BYTES: usize = RECORD_HEADER_BYTES + 28;

/// Bytes before the record of an entry.
const ENTRY_LSN_BYTES: usize = 8;

/// Bytes of a `Delete` record beside its key.
const DELETE_OVERHEAD_BYTES: usize = RECORD_HEADER_BYTES + 20;

/// Bytes of a `Clear` record.
const CLEAR_BYTES: usize = RECORD_HEADER_BYTES + 12;

/// No record is shorter, in bytes.
pub(in crate::wal) const MIN_RECORD_BYTES: usize = CLEAR_BYTES;

const KIND_SET: u8 = 1;
const KIND_DELETE: u8 = 2;
const KIND_CLEAR: u8 = 3;

/// A change of the keyspace, with all that its key needs to be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoggedChange<'a> {
    Set {
        key: &'a [u8],
        value: &'a [u8],
    },
    Delete {
        key: &'a [u8],
    },
    /// All keys go: one record, however many there are.
    Clear,
}

/// Content that the log keeps of a change, in every encoding. The encodings differ in how they put the fields
/// of a command: `S` are those of `Set`, `D` those of `Delete`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record<S, D> {
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp: u64,
    pub(super) command: LoggedCommand<S, D>,
}

/// A change as the log encodes it, under the name of the command that asks for it.
#[derive(Serialize, Deserialize)]
pub(super) enum LoggedCommand<S, D> {
    Set(S),
    Delete(D),
    Clear,
}

type BinaryRecord<'a> = Record<SetFields<'a>, DeleteFields<'a>>;

#[derive(Serialize, Deserialize)]
struct SetFields<'a> {
    #[serde(borrow)]
    key: &'a Bytes,
    value: &'a Bytes,
}

#[derive(Serialize, Deserialize)]
struct DeleteFields<'a> {
    #[serde(borrow)]
    key: &'a Bytes,
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordError {
    UnknownKind { kind: u8, flags: u8 },
    Damaged(&'static str),
}

impl<'a> LoggedChange<'a> {
    /// Returns the length of the change's record in the log, in bytes.
    pub(crate) const fn encoded_bytes(&self) -> usize {
        match self {
            Self::Set { key, value } => SET_OVERHEAD_BYTES + key.len() + value.len(),
            Self::Delete { key } => DELETE_OVERHEAD_BYTES + key.len(),
            Self::Clear => CLEAR_BYTES,
        }
    }

    /// Returns the length of the entries of this many keys in a compacted log, in bytes; their keys and
    /// values have `payload_bytes`.
    pub(crate) const fn live_bytes(keys: u64, payload_bytes: u64) -> u64 {
        keys * (ENTRY_LSN_BYTES + SET_OVERHEAD_BYTES) as u64 + payload_bytes
    }

    /// Appends the change's record. Its time is 0 until [`set_timestamp`] is called on these bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (kind, command) = match *self {
            Self::Set { key, value } => {
                let fields = SetFields { key: Bytes::new(key), value: Bytes::new(value) };
                (KIND_SET, LoggedCommand::Set(fields))
            }
            Self::Delete { key } => {
                (KIND_DELETE, LoggedCommand::Delete(DeleteFields { key: Bytes::new(key) }))
            }
            Self::Clear => (KIND_CLEAR, LoggedCommand::Clear),
        };
        let body_bytes = self.encoded_bytes() - RECORD_HEADER_BYTES;
        let body_len =
            u32::try_from(body_bytes).unwrap_or_else(|_| unreachable!("keys and values are under 1 GiB"));
        out.reserve(self.encoded_bytes());
        out.extend_from_slice(&[kind, 0]);
        out.extend_from_slice(&body_len.to_le_bytes());
        let record = BinaryRecord { timestamp: 0, command };
        if encoding(u64::MAX).serialize_into(out, &record).is_err() {
            unreachable!("writing to memory does not fail and the type has no unserialisable part");
        }
    }

    /// Reads the record at the front of `bytes`: the change, its timestamp, the bytes after it.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<(Self, u64, &'a [u8]), RecordError> {
        let (header, rest) = bytes
            .split_first_chunk::<RECORD_HEADER_BYTES>()
            .ok_or(RecordError::Damaged("a record is cut short"))?;
        let [kind, flags, body_len @ ..] = *header;
        if !matches!(kind, KIND_SET..=KIND_CLEAR) || flags != 0 {
            return Err(RecordError::UnknownKind { kind, flags });
        }
        let body_len = u32::from_le_bytes(body_len) as usize;
        let (body, rest) =
            rest.split_at_checked(body_len).ok_or(RecordError::Damaged("a record is cut short"))?;
        let record: BinaryRecord<'_> = encoding(body_len as u64)
            .deserialize(body)
            .map_err(|_| RecordError::Damaged("the body of a record cannot be read"))?;
        let change = match (kind, record.command) {
            (KIND_SET, LoggedCommand::Set(SetFields { key, value })) => Self::Set { key, value },
            (KIND_DELETE, LoggedCommand::Delete(DeleteFields { key })) => Self::Delete { key },
            (KIND_CLEAR, LoggedCommand::Clear) => Self::Clear,
            _ => return Err(RecordError::Damaged("a record's body is not of its kind")),
        };
        Ok((change, record.timestamp, rest))
    }
}

/// Returns the length of the record that begins with these bytes, its header included, in bytes; `None` if
/// too few of them are there.
pub(in crate::wal) fn record_bytes(start: &[u8]) -> Option<usize> {
    let [_, _, body_len @ ..] = start.first_chunk::<RECORD_HEADER_BYTES>()?;
    Some(RECORD_HEADER_BYTES + u32::from_le_bytes(*body_len) as usize)
}

/// A live key as a compaction writes it: the LSN of the record that made it, and a `Set` record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoggedEntry<'a> {
    pub(crate) lsn: Lsn,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> LoggedEntry<'a> {
    /// Returns the length of the entry in the log, in bytes.
    pub(crate) const fn encoded_bytes(&self) -> usize {
        ENTRY_LSN_BYTES + SET_OVERHEAD_BYTES + self.key.len() + self.value.len()
    }

    /// Appends the entry.
    pub(crate) fn encode(&self, timestamp_ms: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.lsn.get().to_le_bytes());
        let start = out.len();
        LoggedChange::Set { key: self.key, value: self.value }.encode(out);
        set_timestamp(out.split_at_mut(start).1, timestamp_ms);
    }

    /// Reads the entry at the front of `bytes`: the entry, its timestamp, the bytes after it.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<(Self, u64, &'a [u8]), RecordError> {
        let (lsn, record) = bytes
            .split_first_chunk::<ENTRY_LSN_BYTES>()
            .ok_or(RecordError::Damaged("an entry is cut short"))?;
        match LoggedChange::decode(record)? {
            (LoggedChange::Set { key, value }, timestamp_ms, rest) => {
                Ok((Self { lsn: Lsn::new(u64::from_le_bytes(*lsn)), key, value }, timestamp_ms, rest))
            }
            _ => Err(RecordError::Damaged("an entry is no Set record")),
        }
    }
}

/// Puts the time into an encoded record: the body starts with it.
///
/// Records are encoded before their place in the log is known, and times in a log never run backwards,
/// so the time can only be given when the place is.
pub(crate) fn set_timestamp(record: &mut [u8], timestamp_ms: u64) {
    if let Some(field) = record.get_mut(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + 8) {
        field.copy_from_slice(&timestamp_ms.to_le_bytes());
    }
}

/// The frozen encoding of record bodies: bincode 1 with fixed-width little-endian integers.
fn encoding(limit_bytes: u64) -> impl bincode::Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_limit(limit_bytes).reject_trailing_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: LoggedChange<'_> = LoggedChange::Set { key: b"user:1", value: b"john" };
    const DELETE: LoggedChange<'_> = LoggedChange::Delete { key: b"user:1" };

    fn encode(change: LoggedChange<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        change.encode(&mut bytes);
        bytes
    }

    #[test]
    fn records_read_back_as_they_were_written() {
        for change in [SET, DELETE, LoggedChange::Clear, LoggedChange::Set { key: b"", value: b"" }] {
            let mut bytes = encode(change);
            assert_eq!(bytes.len(), change.encoded_bytes());
            assert_eq!(record_bytes(&bytes), Some(bytes.len()));
            set_timestamp(&mut bytes, 1_640_995_200_000);
            bytes.extend_from_slice(b"rest");
            assert_eq!(LoggedChange::decode(&bytes), Ok((change, 1_640_995_200_000, &b"rest"[..])));
        }
    }

    #[test]
    fn the_bytes_of_a_record_never_change() {
        let mut bytes = encode(SET);
        set_timestamp(&mut bytes, 0x0102_0304_0506_0708);
        let golden = b"\x01\0\x26\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01\0\0\0\0\
            \x06\0\0\0\0\0\0\0user:1\x04\0\0\0\0\0\0\0john";
        assert_eq!(bytes, golden);
    }

    #[test]
    fn unknown_kinds_and_flags_are_told_from_damage() {
        for (kind, flags) in [(0, 0), (4, 0), (KIND_SET, 1)] {
            let mut bytes = encode(SET);
            bytes[0] = kind;
            bytes[1] = flags;
            assert_eq!(LoggedChange::decode(&bytes), Err(RecordError::UnknownKind { kind, flags }));
        }
    }

    #[test]
    fn hostile_lengths_are_refused_without_allocating() {
        for len_at in [2, 18, 32] {
            let mut bytes = encode(SET);
            bytes[len_at..len_at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            assert!(
                matches!(LoggedChange::decode(&bytes), Err(RecordError::Damaged(_))),
                "length at {len_at}"
            );
        }
    }

    #[test]
    fn entries_read_back_as_they_were_written() {
        let entry = LoggedEntry { lsn: Lsn::new(77), key: b"user:1", value: b"john" };
        let mut bytes = Vec::new();
        entry.encode(1_640_995_200_000, &mut bytes);
        assert_eq!(bytes.len(), entry.encoded_bytes());
        assert_eq!(bytes.len() as u64, LoggedChange::live_bytes(1, 10));
        bytes.extend_from_slice(b"rest");
        assert_eq!(LoggedEntry::decode(&bytes), Ok((entry, 1_640_995_200_000, &b"rest"[..])));
    }

    #[test]
    fn an_entry_that_deletes_is_damage() {
        let mut bytes = 5_u64.to_le_bytes().to_vec();
        bytes.extend(encode(DELETE));
        assert!(matches!(LoggedEntry::decode(&bytes), Err(RecordError::Damaged(_))));
    }

    #[test]
    fn a_body_of_another_kind_is_damage() {
        let mut bytes = encode(DELETE);
        bytes[0] = KIND_SET;
        assert!(matches!(LoggedChange::decode(&bytes), Err(RecordError::Damaged(_))));
    }
}
