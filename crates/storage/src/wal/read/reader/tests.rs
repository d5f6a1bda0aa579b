//! Tests of reading: damaged logs against an oracle, and the order in which units are applied.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::fs::Lock;
use crate::wal::format::batch::{BatchHeader, BatchKind};
use crate::wal::format::bytes::crc;
use crate::wal::format::header::FILE_HEADER_BYTES;
use crate::wal::format::record::{LoggedChange, set_timestamp};

const HEADER: FileHeader =
    FileHeader { log_id: [3; 16], hash_seed: [5; 16], created_ms: 1000, is_compacted: false };

/// A file in memory that is read, up to the offset that an error comes from.
struct ReadOnly {
    bytes: Vec<u8>,
    fails_from: u64,
}

impl LogFile for ReadOnly {
    fn try_lock(&self) -> io::Result<Lock> {
        Ok(Lock::Taken)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset + buffer.len() as u64 > self.fails_from {
            return Err(io::ErrorKind::HostUnreachable.into());
        }
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn is_at(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }
}

/// Writes a log batch by batch.
struct LogMaker {
    bytes: Vec<u8>,
    previous_crc: u32,
    next_lsn: u64,
    epoch: u32,
}

impl LogMaker {
    fn new() -> Self {
        Self { bytes: HEADER.encode().to_vec(), previous_crc: HEADER.chain_start(), next_lsn: 1, epoch: 1 }
    }

    /// A batch of `records` records, written when the last `unsynced` LSNs before it were not synced.
    fn batch(&mut self, records: u32, value_len: usize, unsynced: u64) {
        let first_lsn = self.next_lsn;
        let mut payload = Vec::new();
        for lsn in first_lsn..first_lsn + u64::from(records) {
            let start = payload.len();
            let value = vec![lsn as u8 | 1; value_len];
            LoggedChange::Set { key: &lsn.to_le_bytes(), value: &value }.encode(&mut payload);
            set_timestamp(payload.split_at_mut(start).1, 1000 + lsn);
        }
        let seed = HEADER.crc_seed();
        self.next_lsn += u64::from(records);
        self.push(BatchHeader {
            kind: BatchKind::Records,
            jumps: false,
            epoch: self.epoch,
            payload_bytes: payload.len() as u32,
            records,
            first_lsn: Lsn::new(first_lsn),
            synced_lsn: Lsn::new((first_lsn - 1).saturating_sub(unsynced)),
            previous_crc: self.previous_crc,
            payload_crc: crc(seed, &payload),
        });
        self.bytes.extend_from_slice(&payload);
    }

    /// Writes the seal that an open writes after a crash.
    fn leap(&mut self) {
        self.epoch += 1;
        self.next_lsn += 1 << 32;
        self.seal(false, true);
    }

    fn seal(&mut self, closed: bool, jumps: bool) {
        let last_lsn = Lsn::new(self.next_lsn - 1);
        let seal = BatchHeader::seal(closed, self.epoch, last_lsn, self.previous_crc, HEADER.crc_seed());
        self.push(BatchHeader { jumps, ..seal });
    }

    fn push(&mut self, header: BatchHeader) {
        let (bytes, header_crc) = header.encode(HEADER.crc_seed());
        self.bytes.extend_from_slice(&bytes);
        self.previous_crc = header_crc;
    }
}

/// The log of `shape`: for each batch its records, the length of their values, and what was not synced.
fn log_of(shape: &[(u32, usize, u64)], is_closed: bool) -> Vec<u8> {
    let mut log = LogMaker::new();
    for &(records, value_len, unsynced) in shape {
        if records == 0 {
            log.leap();
        } else {
            log.batch(records, value_len, unsynced);
        }
    }
    if is_closed {
        log.seal(true, false);
    }
    log.bytes
}

fn many_small_batches() -> Vec<u8> {
    let shape: Vec<_> = (0..32).map(|n| (n % 4, (n as usize * 37) % 100, 3)).collect();
    log_of(&shape, false)
}

/// Reads a log; returns the reader's verdict, in words that can be compared, and the records that it applied.
fn read(bytes: &[u8], cores: Cores) -> (String, BTreeMap<Lsn, String>) {
    let file = ReadOnly { bytes: bytes.to_vec(), fails_from: u64::MAX };
    let applied = Mutex::new(BTreeMap::new());
    let result = Reader::new(&file, bytes.len() as u64, &HEADER, cores).read(|records, _| {
        for logged in records {
            let before = applied.lock().insert(logged.lsn, format!("{:?}", logged.change));
            assert_eq!(before, None, "LSN {} was applied twice", logged.lsn);
        }
    });
    (format!("{result:?}"), applied.into_inner())
}

fn check_against_oracle(bytes: &[u8], cores: Cores) {
    let (expected, records) = oracle::judge(bytes, &HEADER);
    let is_sound = expected.is_ok();
    let (found, applied) = read(bytes, cores);
    assert_eq!(found, format!("{expected:?}"), "{cores:?}");
    // Of a log that is refused, nothing is kept.
    if is_sound {
        let records = records.into_iter().map(|(lsn, change)| (lsn, format!("{change:?}"))).collect();
        assert_eq!(applied, records, "{cores:?}");
    }
}

fn spread() -> impl Iterator<Item = Cores> {
    [(1, 1 << 20), (1, 1), (2, 300), (4, 1)]
        .into_iter()
        .map(|(threads, unit_bytes)| Cores { threads, unit_bytes })
}

#[test]
fn a_log_cut_anywhere_is_judged_as_one_thread_would() {
    let bytes = many_small_batches();
    for len in FILE_HEADER_BYTES..=bytes.len() {
        check_against_oracle(&bytes[..len], Cores { threads: 2, unit_bytes: 1000 });
    }
}

#[test]
fn a_lost_sector_anywhere_is_judged_as_one_thread_would() {
    for synced in [1, 1_000_000] {
        let shape: Vec<_> = (0..40).map(|n| (1 + n % 3, (n as usize * 37) % 400, synced)).collect();
        let bytes = log_of(&shape, false);
        for start in (FILE_HEADER_BYTES..bytes.len()).step_by(64) {
            let mut torn = bytes.clone();
            let end = (start / 512 + 1) * 512;
            torn[start..end.min(bytes.len())].fill(0);
            check_against_oracle(&torn, Cores { threads: 3, unit_bytes: 200 });
        }
    }
}

#[test]
fn nothing_behind_damage_is_applied() {
    // All unsynced, so a hole in the payload of the tenth batch is a torn tail, with sound batches after it.
    let bytes = log_of(&[(1, 2000, u64::MAX); 40], false);
    let batch = (bytes.len() - FILE_HEADER_BYTES) / 40;
    let mut torn = bytes;
    let middle = (FILE_HEADER_BYTES + 9 * batch + batch / 2) / 512 * 512;
    torn[middle..middle + 512].fill(0);
    for cores in spread() {
        let (verdict, applied) = read(&torn, cores);
        assert!(verdict.starts_with("Ok"), "{verdict}");
        assert!(applied.keys().copied().eq((1..=9).map(Lsn::new)), "{cores:?}: {applied:?}");
    }
}

#[test]
fn a_read_error_behind_the_first_units_refuses_the_log() {
    let bytes = many_small_batches();
    let len = bytes.len() as u64;
    for cores in spread() {
        let file = ReadOnly { bytes: bytes.clone(), fails_from: len / 2 };
        let error = Reader::new(&file, len, &HEADER, cores).read(|_, _| {}).unwrap_err();
        assert!(matches!(error, ReadError::Io(error) if error.kind() == io::ErrorKind::HostUnreachable));
    }
}

#[test]
fn a_panic_of_a_thread_is_an_error() {
    let bytes = many_small_batches();
    let len = bytes.len() as u64;
    let file = ReadOnly { bytes, fails_from: u64::MAX };
    let caller = thread::current().id();
    let (is_first, is_panicking) = (AtomicBool::new(true), AtomicBool::new(false));
    let apply = |_: &[Logged<'_>], _| {
        if thread::current().id() != caller {
            is_panicking.store(true, Ordering::SeqCst);
            panic!("a panic that is asked for");
        }
        // The caller reads the first unit alone; then it leaves the others to the helper.
        while !is_first.swap(false, Ordering::SeqCst) && !is_panicking.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    };
    let result = Reader::new(&file, len, &HEADER, Cores { threads: 2, unit_bytes: 2000 }).read(apply);
    assert!(matches!(result, Err(ReadError::Internal(_))), "{result:?}");
}

#[test]
fn a_small_log_is_read_by_the_calling_thread_alone() {
    let mut bytes = many_small_batches();
    // Zeros ahead of the end do not make a log large.
    bytes.resize(8 << 20, 0);
    let file = ReadOnly { bytes, fails_from: u64::MAX };
    let caller = thread::current().id();
    let cores = Cores { threads: 4, ..Cores::default() };
    let apply = |_: &[Logged<'_>], _| assert_eq!(thread::current().id(), caller);
    assert!(Reader::new(&file, 8 << 20, &HEADER, cores).read(apply).is_ok());
}

proptest! {
    #[test]
    fn a_damaged_log_is_judged_as_one_thread_would(
        shape in prop::collection::vec((0..5_u32, 0..600_usize, prop::sample::select(vec![0, 2, 20, 1000])), 1..40),
        is_closed: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 0..3),
        hole in prop::option::of((any::<prop::sample::Index>(), 1..3_usize)),
        cut in prop::option::of(any::<prop::sample::Index>()),
        zeros in 0..2000_usize,
        threads in 1..5_usize,
        unit_bytes in prop::sample::select(vec![1, 100, 1000, 10_000]),
    ) {
        let mut bytes = log_of(&shape, is_closed);
        let content = bytes.len() - FILE_HEADER_BYTES;
        for (at, bit) in flips {
            if content > 0 {
                bytes[FILE_HEADER_BYTES + at.index(content)] ^= 1 << bit;
            }
        }
        if let Some((at, sectors)) = hole && content > 0 {
            let start = (FILE_HEADER_BYTES + at.index(content)) / 512 * 512;
            let end = (start + sectors * 512).min(bytes.len());
            bytes[start.max(FILE_HEADER_BYTES)..end].fill(0);
        }
        if let Some(at) = cut {
            bytes.truncate(FILE_HEADER_BYTES + at.index(content + 1));
        }
        bytes.resize(bytes.len() + zeros, 0);
        check_against_oracle(&bytes, Cores { threads, unit_bytes });
    }
}
