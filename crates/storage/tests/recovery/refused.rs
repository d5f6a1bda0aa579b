//! Logs that no crash leaves and no checksum gives away: what recovery says of each, and that it touches none.
//!
//! They are made of sound ones, from the byte tables in docs/wal-format.md, and have sound checksums.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_storage::{DurableStore, Error, Options};

use super::{open, state};
use rustvault_testkit::block_on;
use rustvault_testkit::files::{FileCall, Hooked, LOG, MemoryDisk, WHOLE};

const FILE_HEADER_BYTES: usize = 64;
const BATCH_HEADER_BYTES: usize = 48;

/// Where fields of a batch header are.
const KIND: usize = 4;
const PAYLOAD_LEN: usize = 12;
const RECORDS: usize = 16;
const FIRST_LSN: usize = 20;
const SYNCED_LSN: usize = 28;
const PREVIOUS_CRC: usize = 36;
const PAYLOAD_CRC: usize = 40;
const HEADER_CRC: usize = 44;

/// A log in parts: its header, and its batches with their headers.
struct Parts {
    header: Vec<u8>,
    batches: Vec<Vec<u8>>,
}

impl Parts {
    /// A log of a seal and six batches, each with a value that has a sector of zeros in it, none of which is
    /// claimed to be synced by the one behind: whatever can be taken for a torn tail is.
    fn of_a_crashed_log() -> Self {
        let disk = MemoryDisk::default();
        let store = open(&disk).unwrap();
        for key in [b"a", b"b", b"c", b"d", b"e", b"f"] {
            block_on(store.set(key, &[0; 1100])).unwrap();
        }
        let log = disk.log();
        let (header, mut rest) = log.split_at(FILE_HEADER_BYTES);
        let mut batches = Vec::new();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at((BATCH_HEADER_BYTES + payload_len(rest)).min(rest.len()));
            batches.push(batch.to_vec());
            rest = after;
        }
        // The last value ends in zeros, which the disk cannot tell from those behind the log.
        let last = batches.last_mut().unwrap();
        last.resize(BATCH_HEADER_BYTES + payload_len(last), 0);
        let mut parts = Self { header: header.to_vec(), batches };
        parts.edit_all(|batch| batch[SYNCED_LSN..][..8].fill(0));
        parts
    }

    fn edit_all(&mut self, edit: impl Fn(&mut Vec<u8>)) {
        self.batches.iter_mut().for_each(edit);
    }

    /// The log with sound checksums.
    fn sealed_up(&mut self) -> Vec<u8> {
        let seed = crc32fast::hash(&self.header[16..32]);
        let header_crc = crc32fast::hash(&self.header[..60]);
        put(&mut self.header, 60, &header_crc.to_le_bytes());
        let mut previous = crc(seed, &self.header);
        for batch in &mut self.batches {
            let payload_crc = crc(seed, &batch[BATCH_HEADER_BYTES..]);
            put(batch, PAYLOAD_CRC, &payload_crc.to_le_bytes());
            put(batch, PREVIOUS_CRC, &previous.to_le_bytes());
            previous = crc(seed, &batch[..HEADER_CRC]);
            put(batch, HEADER_CRC, &previous.to_le_bytes());
        }
        [&self.header[..], &self.batches.concat()].concat()
    }

    /// Where a batch begins in the file.
    fn offset(&self, batch: usize) -> u64 {
        (self.header.len() + self.batches[..batch].iter().map(Vec::len).sum::<usize>()) as u64
    }
}

fn payload_len(batch: &[u8]) -> usize {
    u32::from_le_bytes(batch[PAYLOAD_LEN..][..4].try_into().unwrap()) as usize
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// Opens a log that is refused as corrupt at `offset` for a reason with these words in it, and left as it is.
#[track_caller]
fn assert_corrupt(log: &[u8], offset: u64, words: &str) {
    let disk = MemoryDisk::of(log);
    match open(&disk) {
        Err(Error::Corrupted { offset: found, reason, .. }) => {
            assert!(reason.contains(words) && found == offset, "at {found}: {reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(disk.bytes() == log, "the file is left as it is");
}

#[test]
fn a_log_that_was_taken_apart_and_put_together_opens() {
    let store = open(&MemoryDisk::of(&Parts::of_a_crashed_log().sealed_up())).unwrap();
    assert_eq!(block_on(state(&store)).len(), 6);
}

#[test]
fn a_gap_in_the_lsns_that_nothing_declares_is_corruption() {
    for left_out in 1..6 {
        let mut parts = Parts::of_a_crashed_log();
        parts.batches.remove(left_out);
        let log = parts.sealed_up();
        assert_corrupt(&log, parts.offset(left_out), "gap");
    }
}

#[test]
fn a_batch_that_claims_to_be_synced_before_it_was_written_is_corruption() {
    let mut parts = Parts::of_a_crashed_log();
    let first_lsn = parts.batches[6][FIRST_LSN..][..8].to_vec();
    put(&mut parts.batches[6], SYNCED_LSN, &first_lsn);
    let log = parts.sealed_up();
    assert_corrupt(&log, parts.offset(6), "synced");
}

#[test]
fn batches_and_records_of_unknown_kind_are_refused_and_the_log_is_left_as_it_is() {
    for batch in [1, 6] {
        let mut parts = Parts::of_a_crashed_log();
        parts.batches[batch][KIND] = 9;
        let log = parts.sealed_up();
        assert_corrupt(&log, parts.offset(batch), "a batch of unknown kind 9");
        let mut parts = Parts::of_a_crashed_log();
        parts.batches[batch][BATCH_HEADER_BYTES] = 9;
        let log = parts.sealed_up();
        let record = parts.offset(batch) + BATCH_HEADER_BYTES as u64;
        assert_corrupt(&log, record, "a record of unknown kind 9");
    }
}

#[test]
fn a_newer_format_version_is_refused_and_the_log_is_left_as_it_is() {
    let mut parts = Parts::of_a_crashed_log();
    parts.header[8] = 2;
    let log = parts.sealed_up();
    let disk = MemoryDisk::of(&log);
    assert!(matches!(open(&disk), Err(Error::NewerFormat { found: 2, supported: 1, .. })));
    assert!(disk.bytes() == log);
}

#[test]
fn absurd_lengths_are_judged_like_other_damage() {
    // Beyond the end of the file: so far a crash may have come.
    for len in [u32::MAX, 1 << 30, 1200] {
        let mut parts = Parts::of_a_crashed_log();
        put(&mut parts.batches[6], PAYLOAD_LEN, &len.to_le_bytes());
        let store = open(&MemoryDisk::of(&parts.sealed_up())).unwrap();
        assert_eq!(block_on(state(&store)).len(), 5, "{len}");
        assert!(store.recovery().torn_bytes_dropped > 0);
    }
    // Not where a later batch says that all before it was synced.
    let mut parts = Parts::of_a_crashed_log();
    put(&mut parts.batches[3], PAYLOAD_LEN, &u32::MAX.to_le_bytes());
    let synced = u64::from_le_bytes(parts.batches[6][FIRST_LSN..][..8].try_into().unwrap()) - 1;
    put(&mut parts.batches[6], SYNCED_LSN, &synced.to_le_bytes());
    let log = parts.sealed_up();
    assert_corrupt(&log, parts.offset(3), "synced");
    // A batch of records that has none, and one whose records take less or more than its payload.
    for (field, number, words) in
        [(RECORDS, 0, "no records"), (RECORDS, 2, "cut short"), (RECORDS, 1 << 31, "cut short")]
    {
        let mut parts = Parts::of_a_crashed_log();
        put(&mut parts.batches[6], field, &u32::to_le_bytes(number));
        let log = parts.sealed_up();
        let at = parts.offset(6) + if number == 0 { 0 } else { parts.batches[6].len() as u64 };
        assert_corrupt(&log, at, words);
    }
}

#[test]
fn an_error_at_any_read_refuses_the_log_and_changes_nothing() {
    let log = Parts::of_a_crashed_log().sealed_up();
    let mut refused = 0;
    loop {
        let disk = MemoryDisk::of(&log);
        let reads = Arc::new(AtomicUsize::new(0));
        let fs = Hooked::new(disk.clone(), move |operation| match operation.call {
            FileCall::Read { .. } if reads.fetch_add(1, Ordering::SeqCst) == refused => {
                Err(std::io::Error::from_raw_os_error(5))
            }
            _ => Ok(WHOLE),
        });
        match DurableStore::open_on(Arc::new(fs), LOG, Options::default()) {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, Error::Io { action: "read", .. }), "{error}"),
        }
        assert!(disk.bytes() == log, "after an error at read {refused}");
        refused += 1;
    }
    assert!(refused > 3, "{refused} reads");
}
