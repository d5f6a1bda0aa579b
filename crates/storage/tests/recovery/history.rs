//! Logs of 64 KiB whose history is known: batches alone, or what a compaction wrote and batches behind that.

use std::ops::Range;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use fastrand::Rng;
use rustvault_storage::{DurableStore, Options};

use super::{State, open};
use rustvault_testkit::block_on;
use rustvault_testkit::files::{FileCall, Hooked, LOG, MemoryDisk, WHOLE};

const LOG_BYTES: usize = 64 * 1024;
pub(crate) const FILE_HEADER_BYTES: usize = 64;
pub(crate) const BATCH_HEADER_BYTES: usize = 48;

/// Kinds of batches (docs/wal-format.md).
const SEAL: u8 = 2;
const ENTRIES: u8 = 3;

/// A log and its history.
pub(crate) struct History {
    pub(crate) log: Vec<u8>,
    pub(crate) batches: Vec<Batch>,
    /// The states after 0, 1, 2, … records.
    pub(crate) states: Vec<State>,
    /// What the log was earlier, newest last.
    pub(crate) earlier: Vec<Vec<u8>>,
    pub(crate) is_sealed: bool,
    /// Up to here a compaction wrote it: all of that was synced before the file became the log.
    pub(crate) compacted_end: usize,
}

pub(crate) struct Batch {
    pub(crate) range: Range<usize>,
    /// Records up to and with this one.
    pub(crate) records: usize,
    /// How many records the header claims to be synced.
    pub(crate) synced: usize,
}

impl History {
    /// With and without a compaction and a seal at the end.
    pub(crate) fn all() -> [Self; 4] {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(is_compacted, is_sealed)| Self::new(is_compacted, is_sealed))
    }

    /// A log of several epochs, some of which ended in a crash with a torn tail.
    pub(crate) fn new(is_compacted: bool, is_sealed: bool) -> Self {
        let mut writer = Writer::new(if is_compacted { 120 } else { 40 });
        let mut compacted_at = 0;
        for number in 1.. {
            writer.write();
            if number % 50 == 0 {
                writer.store.close().unwrap();
                writer.store = open(&writer.disk).unwrap();
            } else if number % 70 == 0 {
                writer.lose_the_last();
            }
            if is_compacted && number == 120 {
                compacted_at = writer.states.len() - 1;
                writer.compact();
            }
            if writer.disk.log().len() > LOG_BYTES - 2048 && (!is_compacted || number > 120) {
                break;
            }
        }
        writer.write();
        assert!(!is_compacted || compacted_at > 0);
        writer.finish(is_sealed, compacted_at)
    }

    pub(crate) fn name(&self) -> &'static str {
        match (self.compacted_end > 0, self.is_sealed) {
            (false, false) => "a log as a crash leaves it",
            (false, true) => "a sealed log",
            (true, false) => "a compacted log as a crash leaves it",
            (true, true) => "a sealed compacted log",
        }
    }
}

/// Writes a log and its history.
struct Writer {
    disk: MemoryDisk,
    store: DurableStore,
    states: Vec<State>,
    earlier: Vec<Vec<u8>>,
    keys: u8,
    random: Rng,
}

impl Writer {
    fn new(keys: u8) -> Self {
        let disk = MemoryDisk::default();
        let store = open(&disk).unwrap();
        Self { disk, store, states: vec![State::new()], earlier: Vec::new(), keys, random: Rng::with_seed(7) }
    }

    /// One record, whose value has no zero byte: such a sector would look like one that a crash lost.
    fn write(&mut self) {
        let random = &mut self.random;
        let mut state = self.states[self.states.len() - 1].clone();
        let key = vec![b'k', random.u8(1..self.keys)];
        let is_set = random.u8(..) > 60 || !state.contains_key(&key);
        let value: Vec<u8> = (0..random.usize(1..700)).map(|_| random.u8(1..)).collect();
        if is_set {
            block_on(self.store.set(&key, &value)).unwrap();
            state.insert(key, value);
        } else {
            block_on(self.store.delete(&key)).unwrap();
            state.remove(&key);
        }
        self.states.push(state);
        self.earlier.push(self.disk.log());
    }

    /// A crash tears the last record; others are written where it was.
    fn lose_the_last(&mut self) {
        let log = self.disk.log();
        self.disk = MemoryDisk::of(&log[..log.len() - 30]);
        self.states.pop();
        self.store = open(&self.disk).unwrap();
    }

    /// Compacts the log, with some records that come meanwhile.
    fn compact(&mut self) {
        let (begins, begun) = mpsc::channel();
        let (go, goes_on) = mpsc::channel();
        let goes_on = Mutex::new(goes_on);
        self.store.close().unwrap();
        let fs = Hooked::new(self.disk.clone(), move |operation| {
            if operation.call == FileCall::Create {
                begins.send(()).unwrap();
                goes_on.lock().unwrap().recv().unwrap();
            }
            Ok(WHOLE)
        });
        self.store = DurableStore::open_on(Arc::new(fs), LOG, Options::default()).unwrap();
        let store = self.store.clone();
        thread::scope(|scope| {
            let compaction = scope.spawn(move || block_on(store.compact()));
            begun.recv().unwrap();
            (0..5).for_each(|_| self.write());
            go.send(()).unwrap();
            compaction.join().unwrap().unwrap();
        });
    }

    fn finish(mut self, is_sealed: bool, compacted_at: usize) -> History {
        let log = if is_sealed {
            self.store.close().unwrap();
            self.disk.bytes()
        } else {
            self.earlier.pop();
            self.disk.log()
        };
        let batches = batches(&log, compacted_at);
        let is_seal = |batch: &&Batch| log[batch.range.start + 4] == SEAL;
        let first_seal = batches.iter().find(is_seal).map_or(0, |batch| batch.range.end);
        let compacted_end = if compacted_at > 0 { first_seal } else { 0 };
        History { batches, log, states: self.states, earlier: self.earlier, is_sealed, compacted_end }
    }
}

/// The log's batches; `compacted_at`: how many records its entries stand for.
fn batches(log: &[u8], compacted_at: usize) -> Vec<Batch> {
    let number = |at: usize, len: usize| {
        log[at..at + len].iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
    };
    let mut batches: Vec<Batch> = Vec::new();
    let (mut at, mut records) = (FILE_HEADER_BYTES, 0);
    // Records and the LSNs of the first of them, because LSNs jump.
    let mut first_lsns: Vec<(u64, usize)> = vec![(0, 0)];
    while at < log.len() {
        assert_eq!(log[at..at + 4], *b"RVB\xf1");
        let end = at + BATCH_HEADER_BYTES + number(at + 12, 4) as usize;
        let (first_lsn, synced_lsn) = (number(at + 20, 8), number(at + 28, 8));
        if log[at + 4] == ENTRIES {
            records = compacted_at;
            first_lsns.push((first_lsn - 1, records));
        }
        let synced = first_lsns.iter().rev().find(|(lsn, _)| *lsn <= synced_lsn).unwrap().1;
        let count = if log[at + 4] == ENTRIES { 0 } else { number(at + 16, 4) as usize };
        if count > 0 {
            first_lsns.push((first_lsn, records + count));
        }
        records += count;
        batches.push(Batch { range: at..end, records, synced });
        at = end;
    }
    batches
}
