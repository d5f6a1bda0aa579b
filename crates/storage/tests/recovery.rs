//! What a log gives back after a stop, a crash, or damage.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustvault_storage::fs::{FileSystem, Lock, LogFile};
use rustvault_storage::{DurableStore, Error, Op, Options, Store, SyncPolicy};

/// A file in memory: opening thousands of damaged logs costs no disk.
#[derive(Clone, Default)]
struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl MemoryFile {
    fn of(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(bytes.to_vec())))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.lock().unwrap().clone();
        // Without the zeros that the log may keep ahead of its end.
        let len = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(len);
        bytes
    }
}

impl FileSystem for MemoryFile {
    fn open(&self, _: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(self.clone()))
    }

    fn sync_parent(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn create(&self, _: &Path) -> io::Result<Arc<dyn LogFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl LogFile for MemoryFile {
    fn try_lock(&self) -> io::Result<Lock> {
        Ok(Lock::Taken)
    }

    fn len_bytes(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<usize> {
        let mut bytes = self.0.lock().unwrap();
        let end = offset as usize + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(new.len())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(len_bytes as usize, 0);
        Ok(())
    }

    fn reserve(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn is_at(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }
}

/// Remembers which bytes were written.
#[derive(Clone)]
struct RecordingFile {
    file: MemoryFile,
    written: Arc<Mutex<Vec<std::ops::Range<usize>>>>,
}

impl FileSystem for RecordingFile {
    fn open(&self, _: &Path) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(self.clone()))
    }

    fn sync_parent(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn create(&self, _: &Path) -> io::Result<Arc<dyn LogFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl LogFile for RecordingFile {
    fn try_lock(&self) -> io::Result<Lock> {
        self.file.try_lock()
    }

    fn len_bytes(&self) -> io::Result<u64> {
        self.file.len_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<usize> {
        self.written.lock().unwrap().push(offset as usize..offset as usize + new.len());
        self.file.write_at(new, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)
    }

    fn reserve(&self, offset: u64, len_bytes: u64) -> io::Result<()> {
        self.file.reserve(offset, len_bytes)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.file.is_at(path)
    }
}

type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn open(file: &MemoryFile) -> Result<DurableStore, Error> {
    DurableStore::open_on(Arc::new(file.clone()), "the.log", Options::default())
}

async fn state(store: &DurableStore) -> State {
    let mut state = State::new();
    let mut cursor = 0;
    loop {
        let page = store.scan(cursor, b"", 1000).await.unwrap();
        for key in &page.keys {
            state.insert(key.to_vec(), store.get(key).await.unwrap().unwrap().to_vec());
        }
        cursor = page.next_cursor;
        if cursor == 0 {
            return state;
        }
    }
}

/// A log of `writes` batches as a crash leaves it, without a seal at its end, and the states in between.
fn crashed_log(writes: u8) -> (Vec<u8>, Vec<State>) {
    let file = MemoryFile::default();
    run(async {
        let store = open(&file).unwrap();
        let mut states = vec![State::new()];
        for n in 0..writes {
            let mut state = states.last().unwrap().clone();
            if n % 4 == 3 {
                store.delete(&[b'k', n - 1]).await.unwrap();
                state.remove(&vec![b'k', n - 1]);
            } else {
                // No sector of a value is all zeros.
                store.set(&[b'k', n], &[n + 1; 300]).await.unwrap();
                state.insert(vec![b'k', n], vec![n + 1; 300]);
            }
            states.push(state);
        }
        (file.bytes(), states)
    })
}

/// The same, after a clean stop.
fn sealed_log(writes: u8) -> (Vec<u8>, Vec<State>) {
    let (bytes, states) = crashed_log(writes);
    let file = MemoryFile::of(&bytes);
    open(&file).unwrap().close().unwrap();
    (file.bytes(), states)
}

#[test]
fn everything_is_there_after_a_clean_stop_and_after_a_crash() {
    for (bytes, states) in [crashed_log(10), sealed_log(10)] {
        let store = open(&MemoryFile::of(&bytes)).unwrap();
        assert_eq!(run(state(&store)), states[10]);
        assert_eq!(store.recovery().torn_bytes_dropped, 0);
        assert_eq!(store.recovery().records, 10);
        assert_eq!(run(store.stats()).unwrap().records_recovered, 10);
    }
}

#[test]
fn recovering_twice_gives_the_same() {
    let (bytes, states) = crashed_log(10);
    let cut = &bytes[..bytes.len() - 100];
    let file = MemoryFile::of(cut);
    for _ in 0..3 {
        let store = open(&file).unwrap();
        assert_eq!(run(state(&store)), states[9]);
    }
}

#[test]
fn a_log_cut_anywhere_gives_a_prefix_of_its_history() {
    let (bytes, states) = crashed_log(8);
    for len in 64..bytes.len() {
        let store = open(&MemoryFile::of(&bytes[..len])).unwrap();
        assert!(states.contains(&run(state(&store))), "cut at {len}");
    }
}

#[test]
fn a_log_cut_inside_its_header_is_refused() {
    let (bytes, _) = crashed_log(1);
    for len in 1..64 {
        let file = MemoryFile::of(&bytes[..len]);
        assert!(open(&file).unwrap_err().is_bad_log(), "cut at {len}");
        assert_eq!(*file.0.lock().unwrap(), &bytes[..len], "the file is left as it is");
    }
}

#[test]
fn every_flipped_bit_of_a_sealed_log_is_noticed() {
    let (bytes, _) = sealed_log(5);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let file = MemoryFile::of(&damaged);
        let error = open(&file).unwrap_err();
        assert!(error.is_bad_log(), "bit {bit}: {error}");
        assert_eq!(file.bytes(), damaged, "the file is left as it is");
    }
}

#[test]
fn no_flipped_bit_of_a_crashed_log_gives_a_wrong_value() {
    let (bytes, states) = crashed_log(5);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(store) = open(&MemoryFile::of(&damaged)) {
            assert!(states.contains(&run(state(&store))), "bit {bit}");
        }
    }
}

/// Byte ranges of the batches of a log, found by their magic.
fn batches(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut starts: Vec<_> =
        bytes.windows(4).enumerate().filter(|(_, w)| *w == b"RVB\xf1").map(|(at, _)| at).collect();
    starts.push(bytes.len());
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

#[test]
fn a_lost_sector_of_the_last_batch_is_a_torn_tail() {
    let (bytes, states) = crashed_log(6);
    let last = batches(&bytes).last().unwrap().clone();
    for sector in (0..bytes.len()).step_by(512) {
        let lost = sector.max(last.start)..(sector + 512).min(last.end);
        if lost.is_empty() {
            continue;
        }
        let mut torn = bytes.clone();
        torn[lost].fill(0);
        let file = MemoryFile::of(&torn);
        let store = open(&file).unwrap();
        assert_eq!(run(state(&store)), states[5]);
        let dropped = store.recovery().torn_bytes_dropped;
        assert!(dropped > 0);
        assert_eq!(run(store.stats()).unwrap().torn_bytes_dropped, dropped);
        drop(store);
        assert_eq!(open(&file).unwrap().recovery().torn_bytes_dropped, 0, "it was cut off");
    }
}

#[test]
fn a_lost_sector_before_a_synced_batch_is_corruption() {
    let (bytes, _) = crashed_log(6);
    let batches = batches(&bytes);
    // The second but last batch is claimed as synced by the header of the last one.
    let synced = batches[batches.len() - 2].clone();
    let mut damaged = bytes.clone();
    damaged[synced.clone()].fill(0);
    let file = MemoryFile::of(&damaged);
    match open(&file).unwrap_err() {
        Error::Corrupted { offset, reason, .. } => {
            assert_eq!(offset, synced.start as u64);
            assert!(reason.contains("synced"), "{reason}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(file.bytes(), damaged, "the file is left as it is");
}

#[test]
fn damage_without_a_hole_is_corruption_even_in_the_last_batch() {
    let (mut bytes, _) = crashed_log(6);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(matches!(open(&MemoryFile::of(&bytes)), Err(Error::Corrupted { .. })));
}

#[test]
fn swapped_duplicated_and_foreign_batches_are_noticed() {
    let (bytes, _) = crashed_log(6);
    let (other, _) = crashed_log(6);
    let ranges = batches(&bytes);
    let (third, fourth) = (ranges[3].clone(), ranges[4].clone());
    let swapped =
        [&bytes[..third.start], &bytes[fourth.clone()], &bytes[third.clone()], &bytes[fourth.end..]].concat();
    let doubled = [&bytes[..third.end], &bytes[third.clone()], &bytes[third.end..]].concat();
    let appended = [&bytes[..], &other[ranges[1].start..]].concat();
    for damaged in [swapped, doubled, appended] {
        assert!(matches!(open(&MemoryFile::of(&damaged)), Err(Error::Corrupted { .. })));
    }
}

#[test]
fn a_batch_of_another_future_of_the_same_log_is_noticed() {
    // Two copies of one log go different ways: same log id, same epoch, same LSNs.
    let (common, _) = sealed_log(2);
    let future = |value: &[u8]| {
        let file = MemoryFile::of(&common);
        run(async {
            let store = open(&file).unwrap();
            store.set(b"first", value).await.unwrap();
            store.set(b"second", value).await.unwrap();
            file.bytes()
        })
    };
    let (one, two) = (future(b"one"), future(b"two"));
    let last = batches(&one).last().unwrap().clone();
    let spliced = [&one[..last.start], &two[last]].concat();
    assert!(matches!(open(&MemoryFile::of(&spliced)), Err(Error::Corrupted { .. })));
}

#[test]
fn what_nothing_proves_to_be_synced_is_written_again() {
    // After a failed sync the page cache may show bytes that the disk lacks: only a new write and sync helps.
    let (bytes, _) = crashed_log(6);
    let last = batches(&bytes).last().unwrap().clone();
    let file = RecordingFile { file: MemoryFile::of(&bytes), written: Arc::default() };
    DurableStore::open_on(Arc::new(file.clone()), "the.log", Options::default()).unwrap();
    let written = file.written.lock().unwrap();
    assert!(written.iter().any(|range| range.start <= last.start && range.end >= last.end), "{written:?}");
}

#[test]
fn a_log_inside_a_value_is_not_taken_for_a_part_of_the_log() {
    let (inner, _) = sealed_log(6);
    let file = MemoryFile::default();
    run(async {
        let store = open(&file).unwrap();
        store.set(b"before", b"").await.unwrap();
        store.set(b"a log", &inner).await.unwrap();
    });
    // The batch with the inner log loses its last sector: its inner headers must claim nothing.
    let mut torn = file.bytes();
    let len = torn.len() - torn.len() % 512;
    torn.truncate(len - 512);
    let store = open(&MemoryFile::of(&torn)).unwrap();
    assert!(run(store.exists(b"before")).unwrap());
    assert!(!run(store.exists(b"a log")).unwrap());
}

#[test]
fn zeros_after_the_last_batch_mean_nothing() {
    let (mut bytes, states) = crashed_log(6);
    bytes.extend_from_slice(&[0; 100_000]);
    let store = open(&MemoryFile::of(&bytes)).unwrap();
    assert_eq!(run(state(&store)), states[6]);
    assert_eq!(store.recovery().torn_bytes_dropped, 0);
}

#[test]
fn blank_files_become_logs_and_others_are_refused_untouched() {
    for blank in [vec![], vec![0; 10], vec![0; 5000]] {
        let store = open(&MemoryFile::of(&blank)).unwrap();
        assert_eq!(run(store.count()).unwrap(), 0);
    }
    let text = b"#!/bin/sh\necho this is no log, and somebody may want to keep it\n";
    for foreign in [&text[..], b"x", &[0xff; 1000], b"{\"timestamp\":1}\n"] {
        let file = MemoryFile::of(foreign);
        assert!(matches!(open(&file), Err(Error::NotALog { .. })));
        assert_eq!(file.bytes(), foreign);
    }
}

#[test]
fn lsns_are_not_given_again_after_a_crash() {
    async fn next_lsn(store: &DurableStore) -> u64 {
        let mut replies = Vec::new();
        store.submit(&[Op::Set { key: b"k", value: b"v" }], usize::MAX, &mut replies).await;
        store.wait(replies[0].depends_on).await.unwrap();
        replies[0].depends_on.get()
    }
    let file = MemoryFile::default();
    run(async {
        let store = open(&file).unwrap();
        assert_eq!(next_lsn(&store).await, 1);
        let crashed = MemoryFile::of(&file.bytes());
        store.close().unwrap();
        // After a clean stop nothing can be lost: they go on.
        assert_eq!(next_lsn(&open(&file).unwrap()).await, 2);
        // After a crash LSN 2 may have been given to a write that is lost; twice crashed, further ones.
        let once = open(&crashed).unwrap();
        let after_one = next_lsn(&once).await;
        assert!(after_one > 1_000_000);
        let crashed = MemoryFile::of(&crashed.bytes()[..crashed.bytes().len() - 20]);
        assert!(next_lsn(&open(&crashed).unwrap()).await > after_one);
    });
}

#[test]
fn a_long_log_read_by_many_threads_gives_the_state_of_one_order() {
    // Each of a few keys is set and deleted all over some 10 MiB, with clears in between.
    let file = MemoryFile::default();
    let mut expected = State::new();
    run(async {
        let store = open(&file).unwrap();
        for n in 0..10_000_u32 {
            let key = [b'k', (n.wrapping_mul(2_654_435_761) >> 27) as u8];
            if n % 3333 == 3000 {
                let mut replies = Vec::new();
                store.submit(&[Op::Clear], usize::MAX, &mut replies).await;
                store.wait(replies[0].depends_on).await.unwrap();
                expected.clear();
            } else if n % 7 == 0 {
                store.delete(&key).await.unwrap();
                expected.remove(key.as_slice());
            } else {
                let value = [&n.to_le_bytes()[..], &[1; 1000]].concat();
                store.set(&key, &value).await.unwrap();
                expected.insert(key.to_vec(), value);
            }
        }
    });
    for _ in 0..10 {
        let store = open(&MemoryFile::of(&file.bytes())).unwrap();
        assert!(run(state(&store)) == expected);
    }
}

#[test]
fn scan_cursors_survive_a_restart() {
    let file = MemoryFile::default();
    run(async {
        let store = open(&file).unwrap();
        for n in 0..100_u8 {
            store.set(&[n], b"").await.unwrap();
        }
        let page = store.scan(0, b"", 30).await.unwrap();
        drop(store);
        let store = open(&file).unwrap();
        let rest = store.scan(page.next_cursor, b"", 100).await.unwrap();
        assert_eq!(page.keys.len() + rest.keys.len(), 100);
        assert!(page.keys.iter().all(|key| !rest.keys.contains(key)));
    });
}

#[test]
fn a_second_store_on_the_same_log_is_refused_and_names_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let _first = DurableStore::open(&path, Options::default()).unwrap();
    let link = folder.path().join("another name");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [path, link] {
        match DurableStore::open(&path, Options::default()).unwrap_err() {
            Error::Locked { holder_pid, .. } => assert_eq!(holder_pid, Some(std::process::id())),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_is_no_file_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path(), &folder.path().join("missing/vault.log"), Path::new("/dev/null")] {
        assert!(
            matches!(DurableStore::open(path, Options::default()), Err(Error::Io { .. })),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_log_of_format_1_opens_for_ever() {
    let golden = include_bytes!("golden/format-1.wal");
    let store = open(&MemoryFile::of(golden)).unwrap();
    let expected = State::from([
        (b"empty".to_vec(), vec![]),
        (b"user:1".to_vec(), b"john".to_vec()),
        ((0..=255).collect(), (0..=255).rev().collect()),
        (b"after the crash".to_vec(), b"yes".to_vec()),
    ]);
    assert_eq!(run(state(&store)), expected);
    assert_eq!(store.recovery().records, 7);
}

/// Writes the golden file; run once per format version:
/// `cargo test -p rustvault-storage --test recovery -- --ignored write_the_golden_log`
#[test]
#[ignore = "writes the golden file of the current format"]
fn write_the_golden_log() {
    let file = MemoryFile::default();
    run(async {
        let mut options = Options::default();
        options.sync_policy = SyncPolicy::Always;
        let store = DurableStore::open_on(Arc::new(file.clone()), "golden", options.clone()).unwrap();
        store.set(b"user:1", b"jane").await.unwrap();
        store.set(b"user:1", b"john").await.unwrap();
        store.set(b"empty", b"").await.unwrap();
        store.set(b"gone", b"soon").await.unwrap();
        store.delete(b"gone").await.unwrap();
        store.set(&(0..=255).collect::<Vec<u8>>(), &(0..=255).rev().collect::<Vec<u8>>()).await.unwrap();
        let crashed = MemoryFile::of(&file.bytes());
        let store = DurableStore::open_on(Arc::new(crashed.clone()), "golden", options).unwrap();
        store.set(b"after the crash", b"yes").await.unwrap();
        store.close().unwrap();
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/format-1.wal"), crashed.bytes())
            .unwrap();
    });
}
