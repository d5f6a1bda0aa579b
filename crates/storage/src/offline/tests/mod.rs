//! Tests of the tools for a log that no store has open, and the logs that they share.

mod convert;
mod load;
mod order;
mod repair;

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::{DurableStore, Options};

const FORMATS: [LogFormat; 2] = [LogFormat::Binary, LogFormat::Json];

/// A log in a folder of its own.
struct Fixture {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.log");
        Self { folder, path }
    }

    /// A log that was written and closed.
    fn written(format: LogFormat) -> Self {
        let fixture = Self::new();
        let store = fixture.store(format);
        run(async {
            for number in 0_u8..100 {
                store.set(&[number], &[0xff, number]).await.unwrap();
                store.set(b"text", &[b'0' + number % 10; 3]).await.unwrap();
            }
            store.delete(&[7]).await.unwrap();
            store.set("schlüssel".as_bytes(), b"").await.unwrap();
        });
        store.close().unwrap();
        fixture
    }

    fn store(&self, format: LogFormat) -> DurableStore {
        open_store(&self.path, format)
    }

    fn log(&self, access: Access) -> OfflineLog {
        OfflineLog::open(&self.path, access).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    /// Changes the file's bytes.
    fn damage(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes();
        change(&mut bytes);
        fs::write(&self.path, bytes).unwrap();
    }

    fn state(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        state(&self.store(LogFormat::Binary))
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn repair(&self) -> Cut {
        let log = self.log(Access::Write);
        let cut = log.find_damage().unwrap().unwrap();
        log.repair(&cut).unwrap();
        cut
    }
}

fn open_store(path: &Path, format: LogFormat) -> DurableStore {
    DurableStore::open(path, Options { log_format: Some(format), ..Options::default() }).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn state(store: &DurableStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut state = Vec::new();
    run(async {
        let keys = store.scan(0, b"", 10_000).await.unwrap().keys;
        for key in keys {
            let value = store.get(&key).await.unwrap().unwrap();
            state.push((key.to_vec(), value.to_vec()));
        }
    });
    state.sort();
    state
}

fn compact(fixture: &Fixture) {
    let store = fixture.store(LogFormat::Binary);
    run(store.compact()).unwrap();
    run(store.set(b"after", b"compaction")).unwrap();
    store.close().unwrap();
}

fn dumped(fixture: &Fixture) -> Vec<u8> {
    let mut lines = Vec::new();
    fixture.log(Access::Read).dump(&mut lines).unwrap();
    lines
}

/// Returns the offsets of the batches that have records, in bytes from the start of the file.
fn batch_offsets(fixture: &Fixture) -> Vec<u64> {
    let mut offsets = Vec::new();
    let log = fixture.log(Access::Read);
    log.inspect(|batch| {
        if batch.records > 0 {
            offsets.push(batch.offset);
        }
        Ok(())
    })
    .unwrap();
    offsets
}

#[test]
fn reading_tools_change_nothing() {
    for format in FORMATS {
        let fixture = Fixture::written(format);
        let before = fixture.bytes();
        let log = fixture.log(Access::Read);
        assert_eq!(log.format(), Some(format));
        assert_eq!(log.verify().unwrap().records, 202);
        assert_eq!(log.inspect(|_| Ok(())).unwrap().sets, 201);
        assert_eq!(log.dump(&mut Vec::new()).unwrap().records, 202);
        assert!(log.find_damage().unwrap().is_none());
        drop(log);
        assert_eq!(fixture.bytes(), before);
        assert_eq!(fixture.files(), ["vault.log"]);
    }
}

#[test]
fn a_file_that_cannot_be_written_can_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::written(LogFormat::Binary);
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(fixture.log(Access::Read).verify().unwrap().torn_bytes, 0);
}

#[test]
fn an_absent_log_is_not_made() {
    let fixture = Fixture::new();
    for access in [Access::Read, Access::Write] {
        let error = OfflineLog::open(&fixture.path, access).unwrap_err();
        assert!(matches!(error, Error::Io { action: "open", .. }), "{error}");
    }
    assert!(fixture.files().is_empty());
}

#[test]
fn a_log_that_a_store_has_is_locked_and_the_other_way_round() {
    let fixture = Fixture::new();
    let store = fixture.store(LogFormat::Binary);
    let error = OfflineLog::open(&fixture.path, Access::Read).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    drop(store);
    let log = fixture.log(Access::Read);
    let error = DurableStore::open(&fixture.path, Options::default()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    drop(log);
    fixture.store(LogFormat::Binary);
}

#[test]
fn what_is_no_log_is_refused_and_left_as_it_is() {
    for content in
        ["hello, world, this is a text of some other program, long enough for a header", "{\"a\":1}\n"]
    {
        let fixture = Fixture::new();
        fs::write(&fixture.path, content).unwrap();
        let log = OfflineLog::open(&fixture.path, Access::Write);
        let error = log.and_then(|log| log.find_damage()).unwrap_err();
        assert!(matches!(error, Error::NotALog { .. }), "{error}");
        assert_eq!(fixture.bytes(), content.as_bytes());
    }
}

#[test]
fn an_empty_file_is_a_log_without_records() {
    let fixture = Fixture::new();
    for content in [&[][..], &[0; 5000]] {
        fs::write(&fixture.path, content).unwrap();
        let log = fixture.log(Access::Read);
        assert_eq!(log.format(), None);
        assert_eq!(log.verify().unwrap().records, 0);
        assert_eq!(log.inspect(|_| Ok(())).unwrap().end_offset, 0);
        assert!(log.find_damage().unwrap().is_none());
        assert!(dumped_is_empty(&log));
        drop(log);
        assert_eq!(fixture.bytes(), content);
    }
    fixture.log(Access::Write).convert(LogFormat::Binary).unwrap();
    assert!(fixture.state().is_empty());
}

fn dumped_is_empty(log: &OfflineLog) -> bool {
    let mut lines = Vec::new();
    log.dump(&mut lines).unwrap();
    lines.is_empty()
}

#[test]
fn a_torn_tail_is_sound_and_told() {
    let fixture = Fixture::written(LogFormat::Binary);
    let end = *batch_offsets(&fixture).last().unwrap();
    fixture.damage(|bytes| bytes.truncate(end as usize + 60));
    let log = fixture.log(Access::Read);
    let checked = log.verify().unwrap();
    assert_eq!((checked.end_offset, checked.torn_bytes), (end, 60));
    let found = log.inspect(|_| Ok(())).unwrap();
    assert_eq!((found.end_offset, found.torn_bytes), (end, 60));
    assert!(found.damage.is_none() && !found.binary.unwrap().is_closed);
    assert!(log.find_damage().unwrap().is_none());
}

#[test]
fn inspecting_tells_the_parts_of_a_compacted_log() {
    let fixture = Fixture::written(LogFormat::Binary);
    compact(&fixture);
    let mut kinds = Vec::new();
    let found = fixture.log(Access::Read).inspect(|batch| {
        kinds.push(batch.kind);
        Ok(())
    });
    let found = found.unwrap();
    let binary = found.binary.unwrap();
    assert_eq!(kinds.first(), Some(&BatchKind::Entries));
    assert_eq!(kinds.last(), Some(&BatchKind::ClosingSeal));
    assert!(binary.is_compacted && binary.is_closed);
    assert_eq!((binary.blocks, binary.entries, binary.batches), (1, 101, 1));
    assert_eq!((found.sets, found.deletes, found.clears), (1, 0, 0));
    assert_eq!(found.last_lsn, Some(binary.synced_lsn));
    assert_eq!(binary.epochs.len(), 1, "{:?}", binary.epochs);
}

#[test]
fn inspecting_ends_at_the_damage_with_what_is_before_it() {
    let fixture = Fixture::written(LogFormat::Binary);
    let bad = batch_offsets(&fixture)[50];
    fixture.damage(|bytes| bytes[bad as usize + 60] ^= 1);
    let found = fixture.log(Access::Read).inspect(|_| Ok(())).unwrap();
    assert!(matches!(found.damage, Some(Error::Corrupted { offset, .. }) if offset == bad), "{found:?}");
    assert_eq!((found.end_offset, found.sets), (bad, 50));
}

#[test]
fn everything_that_is_read_is_told() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    for format in FORMATS {
        let fixture = Fixture::written(format);
        let total = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&total);
        let log = fixture.log(Access::Read).on_read(move |bytes| {
            counter.fetch_add(bytes, Ordering::Relaxed);
        });
        log.verify().unwrap();
        assert!(total.load(Ordering::Relaxed) >= log.len_bytes() - 64);
    }
}
