//! A full disk: what is refused, what goes on, and that writes come back by themselves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustvault_storage::batch::{BatchStore, Condition, KeyUpdate, Op, Outcome, StringUpdate};
use rustvault_storage::fs::OsFileSystem;
use rustvault_storage::{Change, DurableStore, Error, Options};
use rustvault_testkit::files::{FileCall, Hooked, WHOLE};
use rustvault_testkit::{SmallDisk, until};

const ROOM_BYTES: u64 = 1024 * 1024;

/// The system's files on a disk that ends at `room` bytes of each.
fn disk(room: &Arc<AtomicU64>) -> Arc<Hooked<OsFileSystem>> {
    let room = Arc::clone(room);
    Arc::new(Hooked::new(OsFileSystem, move |operation| {
        let end = match operation.call {
            FileCall::Write { offset, len } => offset + len as u64,
            FileCall::Reserve { offset, len } => offset + len,
            _ => 0,
        };
        let fits = end <= room.load(Ordering::SeqCst);
        if fits { Ok(WHOLE) } else { Err(io::ErrorKind::StorageFull.into()) }
    }))
}

/// Opens a log that may have been closed just now.
///
/// Other tests of this process start programs to mount disks. Until such a program has replaced its copy of the process, it
/// holds the lock as well.
fn open(path: &Path) -> DurableStore {
    let mut opened = None;
    until("the log is not locked any more", || match DurableStore::open(path, Options::default()) {
        Err(Error::Locked { .. }) => false,
        result => {
            opened = Some(result.unwrap());
            true
        }
    });
    opened.unwrap()
}

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

/// Stores values of 1,000 bytes until one is refused; returns how many it took.
async fn fill(store: &DurableStore) -> usize {
    for number in 0..10_000 {
        match store.set(&key(number), &[b'v'; 1_000]).await {
            Ok(()) => {}
            Err(error) => {
                assert!(matches!(error, Error::DiskFull), "{error}");
                return number;
            }
        }
    }
    panic!("none of 10,000 writes was refused")
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_nothing_until_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let room = Arc::new(AtomicU64::new(ROOM_BYTES));
    let store = DurableStore::open_on(disk(&room), &path, Options::default()).unwrap();
    let taken = fill(&store).await;
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.is_disk_full, stats.disk_full_episodes, stats.is_poisoned), (true, 1, false));

    assert_eq!(store.get(&key(taken)).await.unwrap(), None, "a refused write has changed nothing");
    assert_eq!(store.get(&key(0)).await.unwrap().as_deref(), Some(&[b'v'; 1_000][..]));
    let keys = [key(1), key(2)];
    let pipeline = [
        Op::Set { key: b"large", value: &[0; 1_000] },
        Op::Delete { key: &keys[0] },
        Op::Get { key: &keys[0] },
    ];
    let mut replies = Vec::new();
    store.submit(&pipeline, usize::MAX, &mut replies).await;
    assert!(matches!(replies[0].outcome, Err(Error::DiskFull)), "{:?}", replies[0]);
    assert!(replies[1].outcome.is_ok() && replies[2].outcome.is_ok(), "{replies:?}");
    assert!(store.delete(&keys[1]).await.unwrap());

    room.store(100 * ROOM_BYTES, Ordering::SeqCst);
    set_once_there_is_space(&store, b"after").await;
    store.close().unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.count().await.unwrap(), taken as u64 - 2 + 1);
}

#[tokio::test]
async fn on_a_full_disk_what_reads_and_writes_is_refused_and_changes_nothing_unless_it_removes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let room = Arc::new(AtomicU64::new(ROOM_BYTES));
    let store = DurableStore::open_on(disk(&room), &path, Options::default()).unwrap();
    store.set("number", "41").await.unwrap();
    store.set("taken", "value").await.unwrap();
    store.set("removed", "value").await.unwrap();
    let taken = fill(&store).await;
    // There may be room for less: up to the last record.
    while store.set("f", "").await.is_ok() {}
    let one = |op| {
        let store = &store;
        async move {
            let mut completions = Vec::new();
            drop(store.submit(&[op], usize::MAX, &mut completions).await);
            completions.remove(0).outcome
        }
    };
    let update = |key, update| Op::Update { key, update };
    let rename = KeyUpdate::Rename { only_if_new: false };
    for op in [
        update(b"number", StringUpdate::Add(1)),
        update(b"number", StringUpdate::Append(b"0")),
        update(b"number", StringUpdate::SetRange { offset: 0, bytes: b"9" }),
        update(b"new", StringUpdate::SetIf { value: b"v", condition: Condition::IfNew }),
        Op::SetManyIfNew { pairs: &[[b"new", b"v"]] },
        Op::UpdateKeys { from: b"number", to: b"new", update: rename },
    ] {
        let refused = one(op).await;
        assert!(matches!(refused, Err(Error::DiskFull)), "{op:?}: {refused:?}");
    }
    assert!(store.update("removed", |_| Change::Delete).await.unwrap());
    let refused = store.update("number", |_| Change::Put(b"42".to_vec())).await;
    assert!(matches!(refused, Err(Error::DiskFull)), "{refused:?}");
    assert!(matches!(one(update(b"taken", StringUpdate::Take)).await, Ok(Outcome::Value(Some(_)))));
    assert_eq!(store.get("number").await.unwrap().unwrap(), *b"41");
    // There may have been no room for even one of the smallest.
    let smallest = u64::from(store.exists("f").await.unwrap());
    assert_eq!(store.count().await.unwrap(), taken as u64 + 1 + smallest);

    room.store(100 * ROOM_BYTES, Ordering::SeqCst);
    set_once_there_is_space(&store, b"after").await;
    assert!(matches!(one(update(b"number", StringUpdate::Add(1))).await, Ok(Outcome::Integer(42))));
    store.close().unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.get("number").await.unwrap().unwrap(), *b"42");
    assert!(!store.exists("taken").await.unwrap() && !store.exists("new").await.unwrap());
}

/// Checks that what is refused whatever is stored asks for no room: a few bytes of a client would mark the disk as full.
#[tokio::test]
async fn a_set_range_beyond_the_limit_of_a_value_wants_nothing_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let room = Arc::new(AtomicU64::new(ROOM_BYTES));
    let store = DurableStore::open_on(disk(&room), folder.path().join("log"), Options::default()).unwrap();
    store.set("k", "v").await.unwrap();
    let mut completions = Vec::new();
    for bytes in [&b"x"[..], b""] {
        let update = StringUpdate::SetRange { offset: 1 << 40, bytes };
        drop(store.submit(&[Op::Update { key: b"k", update }], usize::MAX, &mut completions).await);
    }
    assert!(matches!(completions[0].outcome, Err(Error::ValueTooLarge { .. })), "{completions:?}");
    assert!(matches!(completions[1].outcome, Ok(Outcome::Count(1))), "{completions:?}");
    store.set("other", "v").await.unwrap();
    assert!(!store.stats().await.unwrap().is_disk_full, "there is room");
}

#[tokio::test]
async fn a_log_opened_on_a_full_disk_is_read_and_takes_writes_once_there_is_space() {
    for is_torn in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.log");
        let before = log_without_room(&path, is_torn).await;
        let bytes = std::fs::read(&path).unwrap();
        let room = Arc::new(AtomicU64::new(bytes.len() as u64));
        for _ in 0..2 {
            let store = DurableStore::open_on(disk(&room), &path, Options::default()).unwrap();
            assert!(store.stats().await.unwrap().is_disk_full);
            assert_eq!(store.count().await.unwrap(), before);
            assert_eq!(store.get(&key(0)).await.unwrap().as_deref(), Some(&b"value"[..]));
            assert!(matches!(store.set(b"new", b"v").await, Err(Error::DiskFull)));
            assert!(matches!(store.delete(&key(0)).await, Err(Error::DiskFull)));
            store.close().unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes[..bytes.len() - if is_torn { TORN } else { 0 }]);
        }
        let store = DurableStore::open_on(disk(&room), &path, Options::default()).unwrap();
        room.store(100 * ROOM_BYTES, Ordering::SeqCst);
        set_once_there_is_space(&store, b"after").await;
        drop(store);
        let store = open(&path);
        assert_eq!(store.count().await.unwrap(), before + 1);
    }
}

/// Bytes of a torn tail.
const TORN: usize = 20;

/// Makes a log of a few keys that ends where its file does; tells how many keys.
async fn log_without_room(path: &Path, is_torn: bool) -> u64 {
    let store = open(path);
    for number in 0..10 {
        store.set(&key(number), b"value").await.unwrap();
    }
    store.close().unwrap();
    if is_torn {
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(&[0xee; TORN]).unwrap();
    }
    10
}

/// Stores a key; until there is space, that is refused.
async fn set_once_there_is_space(store: &DurableStore, key: &[u8]) {
    while let Err(error) = store.set(key, b"v").await {
        assert!(matches!(error, Error::DiskFull), "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_compaction_frees_a_log_that_was_opened_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let before = log_without_room(&path, false).await;
    let len = std::fs::metadata(&path).unwrap().len();
    // The log's own file cannot grow; another one has room.
    let fs = Hooked::new(OsFileSystem, {
        let path = path.clone();
        move |operation| match operation.call {
            FileCall::Write { offset, len: bytes }
                if operation.path == path && offset + bytes as u64 > len =>
            {
                Err(io::ErrorKind::FileTooLarge.into())
            }
            _ => Ok(WHOLE),
        }
    });
    let store = DurableStore::open_on(Arc::new(fs), &path, Options::default()).unwrap();
    assert!(matches!(store.set(b"new", b"v").await, Err(Error::DiskFull)));
    store.compact().await.unwrap();
    set_once_there_is_space(&store, b"after").await;
    drop(store);
    let store = open(&path);
    assert_eq!(store.count().await.unwrap(), before + 1);
}

#[tokio::test]
async fn a_compaction_without_room_says_that_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let room = Arc::new(AtomicU64::new(ROOM_BYTES));
    let store = DurableStore::open_on(disk(&room), &path, Options::default()).unwrap();
    store.set(&key(0), b"v").await.unwrap();
    room.store(10, Ordering::SeqCst);
    assert!(matches!(store.compact().await, Err(Error::DiskFull)));
    assert!(store.stats().await.unwrap().last_compaction_error.is_some());
    assert_eq!(store.get(&key(0)).await.unwrap().as_deref(), Some(&b"v"[..]));
}

/// Writes to a compaction's file wait until this lets them through, or fail then.
#[derive(Default)]
struct Gate {
    /// Whether one came; how they end, once they may.
    state: Mutex<(bool, Option<io::Result<()>>)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        self.changed.notify_all();
        let state = self.changed.wait_while(state, |state| state.1.is_none()).unwrap();
        state.1.as_ref().unwrap().as_ref().copied().map_err(|error| error.kind().into())
    }

    fn wait_for_one(&self) {
        drop(self.changed.wait_while(self.state.lock().unwrap(), |state| !state.0).unwrap());
    }

    fn open(&self, result: io::Result<()>) {
        self.state.lock().unwrap().1.get_or_insert(result);
        self.changed.notify_all();
    }
}

/// A store on a disk of 24 MiB, of which a compaction has just begun and is held.
struct HeldCompaction {
    store: DurableStore,
    gate: Arc<Gate>,
    _tmpfs: SmallDisk,
}

impl HeldCompaction {
    async fn begin() -> Option<Self> {
        let tmpfs = SmallDisk::mount(24 << 20)?;
        let gate = Arc::new(Gate::default());
        let fs = Hooked::new(OsFileSystem, {
            let gate = Arc::clone(&gate);
            move |operation| {
                let is_compaction = operation.path.extension().is_some_and(|ending| ending == "compacting");
                if is_compaction && matches!(operation.call, FileCall::Write { .. }) {
                    gate.pass()?;
                }
                Ok(WHOLE)
            }
        });
        let path = tmpfs.path().join("vault.log");
        let store = DurableStore::open_on(Arc::new(fs), &path, Options::default()).unwrap();
        while !store.stats().await.unwrap().compaction_running {
            overwrite(&store, 1).await.unwrap();
        }
        gate.wait_for_one();
        Some(Self { store, gate, _tmpfs: tmpfs })
    }
}

impl Drop for HeldCompaction {
    /// A test that fails must not wait for what it holds.
    fn drop(&mut self) {
        self.gate.open(Err(io::ErrorKind::Other.into()));
    }
}

/// Overwrites 1 MiB so many times.
async fn overwrite(store: &DurableStore, rounds: usize) -> Result<(), Error> {
    for _ in 0..rounds {
        for number in 0..64 {
            store.set(&key(number), &[b'v'; 16 * 1024]).await?;
        }
    }
    Ok(())
}

/// Watches a writer that has to wait.
///
/// # Panics
/// It ends.
async fn assert_waits(writing: &mut (impl Future<Output = Result<(), Error>> + Unpin)) {
    let ended = tokio::time::timeout(WATCHED, writing).await;
    assert!(ended.is_err(), "{ended:?}, not waiting for the compaction");
}

/// More than there can be room for while the compaction is held.
const ROUNDS: usize = 40;

/// How long writers are watched that must not go on.
const WATCHED: Duration = Duration::from_millis(500);

#[tokio::test]
async fn overwrites_wait_for_a_late_compaction_that_makes_room_for_them() {
    let Some(held) = HeldCompaction::begin().await else { return };
    let store = &held.store;
    let mut writing = Box::pin(overwrite(store, ROUNDS));
    assert_waits(&mut writing).await;
    let stats = store.stats().await.unwrap();
    assert!(stats.compaction_running && !stats.is_disk_full);
    assert!(store.get(&key(0)).await.unwrap().is_some(), "reads go on");
    held.gate.open(Ok(()));
    writing.await.unwrap();
    let stats = store.stats().await.unwrap();
    assert!(stats.compactions >= 2 && stats.last_compaction_error.is_none(), "{stats:?}");
}

#[tokio::test]
async fn a_compaction_that_fails_leaves_no_writer_waiting() {
    let Some(held) = HeldCompaction::begin().await else { return };
    let store = &held.store;
    let mut writing = Box::pin(overwrite(store, ROUNDS));
    assert_waits(&mut writing).await;
    held.gate.open(Err(io::ErrorKind::Other.into()));
    let written = writing.await;
    assert!(matches!(written, Err(Error::DiskFull)), "{written:?}");
    assert!(store.stats().await.unwrap().last_compaction_error.is_some());
}

#[tokio::test]
async fn a_store_that_is_closed_leaves_no_writer_waiting() {
    let Some(held) = HeldCompaction::begin().await else { return };
    let store = &held.store;
    let mut writing = Box::pin(overwrite(store, ROUNDS));
    assert_waits(&mut writing).await;
    // Closing waits for the compaction to see it, which is held.
    let closing = std::thread::spawn({
        let store = store.clone();
        move || store.close()
    });
    held.gate.open(Err(io::ErrorKind::Other.into()));
    assert!(matches!(writing.await, Err(Error::DiskFull | Error::Closed)));
    closing.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_log_on_a_full_tmpfs_is_opened_and_read_and_takes_writes_once_there_is_space() {
    let Some(tmpfs) = SmallDisk::mount(1 << 20) else { return };
    let path = tmpfs.path().join("vault.log");
    open(&path).set(&key(0), b"value").await.unwrap();
    end_with_a_page(&path).await;
    let ballast = tmpfs.path().join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; PAGE_BYTES]).is_ok() {}

    let store = open(&path);
    assert_eq!(store.get(&key(0)).await.unwrap().as_deref(), Some(&b"value"[..]));
    assert!(matches!(store.set(b"new", b"v").await, Err(Error::DiskFull)));
    assert!(matches!(store.compact().await, Err(Error::DiskFull)));
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    set_once_there_is_space(&store, b"after").await;
    drop(store);
    assert_eq!(open(&path).count().await.unwrap(), 3);
}

/// What a file takes room by.
const PAGE_BYTES: usize = 4096;

/// Has the log end where a page does, so that the next byte needs another one.
async fn end_with_a_page(path: &Path) {
    let len = || std::fs::metadata(path).unwrap().len() as usize;
    // What a value of no bytes makes the log longer by; known after the first one.
    let mut overhead = 0;
    while !len().is_multiple_of(PAGE_BYTES) {
        let before = len();
        let value = vec![b'v'; (before + overhead).next_multiple_of(PAGE_BYTES) - before - overhead];
        let store = open(path);
        store.set(b"filler", &value).await.unwrap();
        store.close().unwrap();
        overhead = len() - before - value.len();
    }
}
