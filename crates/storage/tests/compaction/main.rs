//! What a compaction keeps, what it gives back, and what it does when something fails.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod lines;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::fs::OsFileSystem;
use rustvault_storage::{DurableStore, Error, LogFormat, Options, SyncPolicy};
use rustvault_testkit::files::{Faults, FileCall, Hooked, WHOLE};

/// This process has no descriptor left.
const EMFILE: i32 = 24;

type State = BTreeMap<Vec<u8>, Vec<u8>>;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.log().into_os_string();
        name.push(format!(".{ending}"));
        name.into()
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("the.log")
    }

    fn compacting(&self) -> PathBuf {
        self.0.path().join("the.log.compacting")
    }

    fn open(&self) -> DurableStore {
        DurableStore::open(self.log(), by_hand()).unwrap()
    }
}

/// Nothing is compacted by itself.
fn by_hand() -> Options {
    let mut options = Options::default();
    options.compact_min_bytes = u64::MAX;
    options
}

/// The same, and the log is to have this format.
fn by_hand_as(format: LogFormat) -> Options {
    let mut options = by_hand();
    options.log_format = Some(format);
    options
}

fn log_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

async fn fill(store: &DurableStore, keys: u32, value: &[u8]) {
    for chunk in (0..keys).collect::<Vec<_>>().chunks(1000) {
        let keys: Vec<_> = chunk.iter().map(|key| format!("key:{key}")).collect();
        let pairs: Vec<_> = keys.iter().map(|key| [key.as_bytes(), value]).collect();
        let mut replies = Vec::new();
        drop(store.submit(&[Op::SetMany { pairs: &pairs }], usize::MAX, &mut replies).await);
        store.wait(replies[0].depends_on).await.unwrap();
    }
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

/// What the log gives back when it is opened as a crash would have left it now.
async fn state_after_crash(folder: &Folder) -> State {
    let other = Folder::new();
    std::fs::copy(folder.log(), other.log()).unwrap();
    state(&other.open()).await
}

#[tokio::test]
async fn a_compacted_log_is_as_large_as_its_live_data_and_opens_with_all_of_it() {
    let folder = Folder::new();
    let store = folder.open();
    for round in 0..5 {
        fill(&store, 3000, format!("value {round}").as_bytes()).await;
    }
    store.delete(b"key:7").await.unwrap();
    let before = state(&store).await;
    let bytes_before = store.stats().await.unwrap().log_bytes;
    store.compact().await.unwrap();
    let stats = store.stats().await.unwrap();
    assert!(stats.log_bytes < stats.live_bytes + 1024, "{stats:?}");
    assert_eq!((stats.compactions, stats.compaction_running), (1, false));
    assert!(stats.last_compaction_unix_ms > 0 && stats.last_compaction_error.is_none());
    assert_eq!(stats.compaction_written_bytes, stats.log_bytes);
    assert_eq!(stats.compaction_freed_bytes, bytes_before - stats.log_bytes);
    assert_eq!((stats.compaction_ms, stats.failed_compactions), (stats.last_compaction_ms, 0));
    store.set(b"later", b"yes").await.unwrap();
    assert_eq!(state_after_crash(&folder).await.len(), before.len() + 1);
    drop(store);
    let mut after = state(&folder.open()).await;
    assert_eq!(after.remove(&b"later"[..]), Some(b"yes".to_vec()));
    assert_eq!(after, before);
    assert!(!folder.compacting().exists());
}

#[tokio::test]
async fn an_empty_store_and_one_that_was_emptied_can_be_compacted() {
    let folder = Folder::new();
    let store = folder.open();
    store.compact().await.unwrap();
    fill(&store, 100, b"v").await;
    drop(store.submit(&[Op::Clear], usize::MAX, &mut Vec::new()).await);
    store.compact().await.unwrap();
    assert!(store.stats().await.unwrap().log_bytes < 256);
    drop(store);
    let store = folder.open();
    assert_eq!(store.count().await.unwrap(), 0);
    store.set(b"a", b"1").await.unwrap();
    drop(store);
    assert_eq!(folder.open().count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_large_value_survives_a_compaction() {
    let folder = Folder::new();
    let store = folder.open();
    let large = vec![b'x'; 16 * 1024 * 1024];
    fill(&store, 10, b"v").await;
    store.set(b"large", &large).await.unwrap();
    store.compact().await.unwrap();
    drop(store);
    let store = folder.open();
    assert_eq!(store.get(b"large").await.unwrap().unwrap(), large[..]);
    assert_eq!(store.count().await.unwrap(), 11);
}

#[tokio::test]
async fn a_scan_goes_on_where_it_was_after_a_compaction_and_a_restart() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 5000, b"v").await;
    let first = store.scan(0, b"", 1000).await.unwrap();
    store.compact().await.unwrap();
    drop(store);
    let store = folder.open();
    let mut keys: Vec<_> = first.keys.iter().map(|key| key.to_vec()).collect();
    let mut cursor = first.next_cursor;
    while cursor != 0 {
        let page = store.scan(cursor, b"", 1000).await.unwrap();
        keys.extend(page.keys.iter().map(|key| key.to_vec()));
        cursor = page.next_cursor;
    }
    assert_eq!(keys.len(), 5000);
}

#[tokio::test]
async fn lsns_go_on_growing_over_a_compaction_and_a_restart() {
    let folder = Folder::new();
    let mut last = 0;
    for _ in 0..3 {
        let store = folder.open();
        for _ in 0..2 {
            let mut replies = Vec::new();
            drop(store.submit(&[Op::Set { key: b"k", value: b"v" }], usize::MAX, &mut replies).await);
            store.wait(replies[0].depends_on).await.unwrap();
            assert!(replies[0].depends_on.get() > last);
            last = replies[0].depends_on.get();
            store.compact().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_the_successor_is_synced_comes_along() {
    let folder = Folder::new();
    let faults = Arc::new(Faults::default());
    let mut options = by_hand();
    options.sync_policy = SyncPolicy::Never;
    let store = DurableStore::open_on(Arc::new(faults.file_system()), folder.log(), options).unwrap();
    for (key, value) in [("user:1", "john"), ("both", "older"), ("gone", "soon")] {
        store.set(key.as_bytes(), value.as_bytes()).await.unwrap();
    }
    let gate = faults.hold_syncs();
    let begun = faults.syncs_begun();
    let compaction = tokio::spawn({
        let store = store.clone();
        async move { store.compact().await }
    });
    faults.sync_begun_after(begun).await;
    // Nobody waits for the compaction's syncs.
    store.set(b"both", b"newer").await.unwrap();
    assert!(store.delete(b"gone").await.unwrap());
    assert!(store.stats().await.unwrap().compaction_running);
    drop(gate);
    compaction.await.unwrap().unwrap();
    store.set(b"after", b"the compaction").await.unwrap();
    store.close().unwrap();
    assert_eq!(state(&store).await, golden_state());
    drop(store);
    assert_eq!(state(&folder.open()).await, golden_state());
}

fn golden_state() -> State {
    let pairs = [("after", "the compaction"), ("both", "newer"), ("user:1", "john")];
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// Writers of their own keys, beside compactions; each knows what its keys must hold.
async fn writes_survive_compactions(policy: SyncPolicy) {
    writes_survive_conversions(policy, LogFormat::Binary, LogFormat::Binary).await;
}

/// The same; the first of the compactions gives the log another format.
async fn writes_survive_conversions(policy: SyncPolicy, from: LogFormat, to: LogFormat) {
    let folder = Folder::new();
    let store = DurableStore::open(folder.log(), by_hand_as(from)).unwrap();
    fill(&store, 3000, b"as it was").await;
    drop(store);
    let mut options = by_hand_as(to);
    options.sync_policy = policy;
    let store = DurableStore::open(folder.log(), options).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (0..4).map(|writer| tokio::spawn(write_until(store.clone(), writer, Arc::clone(&is_over)))).collect();
    for _ in 0..5 {
        store.compact().await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    assert_eq!(store.stats().await.unwrap().log_format, to);
    let mut expected: State =
        (0..3000).map(|key| (format!("key:{key}").into_bytes(), b"as it was".to_vec())).collect();
    for writer in writers {
        for (key, value) in writer.await.unwrap() {
            match value {
                Some(value) => expected.insert(key, value),
                None => expected.remove(&key),
            };
        }
    }
    assert_eq!(state(&store).await, expected);
    store.wait(store.reply_watermark()).await.unwrap();
    assert_eq!(state_after_crash(&folder).await, expected);
    store.compact().await.unwrap();
    drop(store);
    assert_eq!(state(&folder.open()).await, expected);
}

async fn write_until(
    store: DurableStore,
    writer: u32,
    is_over: Arc<AtomicBool>,
) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut mine = BTreeMap::new();
    let mut step = 0_u32;
    while !is_over.load(Ordering::Relaxed) || step < 500 {
        // Some of the keys were there before.
        let key = format!("key:{}", writer + 4 * (step.wrapping_mul(7919) % 1000)).into_bytes();
        if step % 3 == 2 {
            store.delete(&key).await.unwrap();
            mine.insert(key, None);
        } else {
            let value = format!("{writer} {step}").into_bytes();
            store.set(&key, &value).await.unwrap();
            mine.insert(key, Some(value));
        }
        step += 1;
    }
    mine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_during_compactions_survive_under_always() {
    writes_survive_compactions(SyncPolicy::Always).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_during_compactions_survive_under_interval() {
    writes_survive_compactions(SyncPolicy::Interval(Duration::from_millis(1))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_during_compactions_survive_under_never() {
    writes_survive_compactions(SyncPolicy::Never).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clear_during_a_compaction_clears() {
    let folder = Folder::new();
    let store = folder.open();
    for round in 0..10_u32 {
        fill(&store, 2000, b"old").await;
        let compaction = tokio::spawn({
            let store = store.clone();
            async move { store.compact().await }
        });
        store.set(b"before", b"v").await.unwrap();
        let mut replies = Vec::new();
        drop(store.submit(&[Op::Clear], usize::MAX, &mut replies).await);
        store.wait(replies[0].depends_on).await.unwrap();
        store.set(b"after", &round.to_le_bytes()).await.unwrap();
        compaction.await.unwrap().unwrap();
        let expected = State::from([(b"after".to_vec(), round.to_le_bytes().to_vec())]);
        assert_eq!(state_after_crash(&folder).await, expected);
    }
}

#[tokio::test]
async fn what_a_crash_left_of_a_compaction_is_removed_and_nothing_else() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 10, b"v").await;
    drop(store);
    std::fs::write(folder.compacting(), b"rubbish").unwrap();
    let other = folder.0.path().join("the.log.compacting.txt");
    std::fs::write(&other, b"mine").unwrap();
    let store = folder.open();
    assert!(!folder.compacting().exists() && other.exists());
    assert_eq!(store.count().await.unwrap(), 10);
}

#[tokio::test]
async fn a_log_that_somebody_else_has_keeps_what_lies_beside_it() {
    let folder = Folder::new();
    let store = folder.open();
    std::fs::write(folder.compacting(), b"somebody's").unwrap();
    assert!(matches!(DurableStore::open(folder.log(), by_hand()), Err(Error::Locked { .. })));
    assert!(folder.compacting().exists());
    drop(store);
}

#[tokio::test]
async fn a_compacted_log_is_locked_and_a_link_to_it_stays_a_link() {
    let folder = Folder::new();
    let link = folder.0.path().join("link");
    std::os::unix::fs::symlink("the.log", &link).unwrap();
    let store = DurableStore::open(&link, by_hand()).unwrap();
    fill(&store, 10, b"v").await;
    store.compact().await.unwrap();
    assert!(link.is_symlink() && folder.log().is_file() && !folder.log().is_symlink());
    assert!(matches!(DurableStore::open(folder.log(), by_hand()), Err(Error::Locked { .. })));
    drop(store);
    assert_eq!(folder.open().count().await.unwrap(), 10);
}

#[tokio::test]
async fn a_failed_compaction_is_told_and_leaves_the_log_serving() {
    let folder = Folder::new();
    let faults = Arc::new(Faults::default());
    let store = DurableStore::open_on(Arc::new(faults.file_system()), folder.log(), by_hand()).unwrap();
    fill(&store, 10, b"v").await;
    let mut failures = 0;
    for fail in [Faults::fail_next_write, Faults::fail_next_sync] {
        fail(&faults);
        let error = store.compact().await.unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
        let stats = store.stats().await.unwrap();
        assert!(stats.last_compaction_error.is_some() && !stats.is_poisoned);
        failures += 1;
        assert_eq!((stats.failed_compactions, stats.compactions), (failures, 0));
        assert!(!folder.compacting().exists());
        store.set(b"after", b"v").await.unwrap();
    }
    store.compact().await.unwrap();
    assert!(store.stats().await.unwrap().last_compaction_error.is_none());
    drop(store);
    assert_eq!(folder.open().count().await.unwrap(), 11);
}

#[tokio::test]
async fn without_a_descriptor_for_the_take_over_the_log_goes_on() {
    let folder = Folder::new();
    let has_descriptors = Arc::new(AtomicBool::new(true));
    let has_any = Arc::clone(&has_descriptors);
    let fs = Hooked::new(OsFileSystem, move |operation| match operation.call {
        FileCall::OpenParent if !has_any.load(Ordering::SeqCst) => Err(io::Error::from_raw_os_error(EMFILE)),
        _ => Ok(WHOLE),
    });
    let store = DurableStore::open_on(Arc::new(fs), folder.log(), by_hand()).unwrap();
    fill(&store, 10, b"v").await;
    has_descriptors.store(false, Ordering::SeqCst);
    let error = store.compact().await.unwrap_err();
    assert!(matches!(&error, Error::Io { source, .. } if source.raw_os_error() == Some(EMFILE)), "{error}");
    assert!(!folder.compacting().exists());
    store.set(b"after", b"v").await.unwrap();
    has_descriptors.store(true, Ordering::SeqCst);
    store.compact().await.unwrap();
    assert_eq!(state_after_crash(&folder).await.len(), 11);
}

#[tokio::test]
async fn a_log_that_was_moved_away_is_written_anew_and_no_file_is_lost() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 10, b"v").await;
    std::fs::rename(folder.log(), folder.0.path().join("moved.log")).unwrap();
    std::fs::write(folder.log(), b"somebody's").unwrap();
    // Before the store has noticed.
    store.compact().await.unwrap();
    assert_eq!(std::fs::read(folder.beside("replaced-1")).unwrap(), b"somebody's");
    store.set(b"a", b"v").await.unwrap();
    drop(store);
    assert_eq!(folder.open().count().await.unwrap(), 11);
    let moved = DurableStore::open(folder.0.path().join("moved.log"), by_hand()).unwrap();
    assert_eq!(moved.count().await.unwrap(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_abandons_a_compaction() {
    let folder = Folder::new();
    let faults = Arc::new(Faults::default());
    let store = DurableStore::open_on(Arc::new(faults.file_system()), folder.log(), by_hand()).unwrap();
    fill(&store, 1000, &[b'v'; 5000]).await;
    let gate = faults.hold_syncs();
    let begun = faults.syncs_begun();
    let compaction = tokio::spawn({
        let store = store.clone();
        async move { store.compact().await }
    });
    faults.sync_begun_after(begun).await;
    let closing = tokio::task::spawn_blocking({
        let store = store.clone();
        move || store.close()
    });
    // The call is refused as soon as closing has begun.
    while !matches!(store.compact().await, Err(Error::Closed)) {}
    drop(gate);
    closing.await.unwrap().unwrap();
    assert!(matches!(compaction.await.unwrap(), Err(Error::Closed)));
    assert!(!folder.compacting().exists());
    drop(store);
    assert_eq!(folder.open().count().await.unwrap(), 1000);
}

#[tokio::test]
async fn overwriting_the_same_keys_never_fills_the_disk() {
    let folder = Folder::new();
    let mut options = Options::default();
    options.compact_min_bytes = 1024 * 1024;
    let store = DurableStore::open(folder.log(), options).unwrap();
    for _ in 0..150 {
        fill(&store, 1000, &[b'v'; 100]).await;
        // Beside busy neighbours a compaction may take its time, but it comes.
        let is_compacted = async {
            while log_bytes(&folder.log()) > 4 * 1024 * 1024 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), is_compacted).await.expect("nothing compacts the log");
    }
    assert!(store.stats().await.unwrap().compactions > 3);
}

#[tokio::test]
async fn a_log_without_garbage_is_not_compacted_by_itself() {
    let folder = Folder::new();
    let mut options = Options::default();
    options.compact_min_bytes = 0;
    options.sync_policy = SyncPolicy::Never;
    let store = DurableStore::open(folder.log(), options).unwrap();
    for round in 0..20 {
        let keys: Vec<_> = (0..500).map(|key| format!("key:{round}:{key}")).collect();
        let pairs: Vec<_> = keys.iter().map(|key| [key.as_bytes(), &b"value"[..]]).collect();
        drop(store.submit(&[Op::SetMany { pairs: &pairs }], usize::MAX, &mut Vec::new()).await);
    }
    // The first write of all may find a log that is larger than nothing.
    assert!(store.stats().await.unwrap().compactions <= 1);
}

#[tokio::test]
async fn damage_in_what_a_compaction_wrote_is_corruption_wherever_it_is() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store, 20, b"value").await;
    store.compact().await.unwrap();
    let end = store.stats().await.unwrap().log_bytes as usize;
    let good = std::fs::read(folder.log()).unwrap()[..end].to_vec();
    drop(store);
    let damaged = folder.0.path().join("damaged.log");
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&damaged, bytes).unwrap();
        match DurableStore::open(&damaged, by_hand()) {
            Err(Error::Corrupted { .. }) => assert_eq!(std::fs::read(&damaged).unwrap(), bytes),
            other => panic!("{what}: {other:?}"),
        }
    };
    for cut in (64..end).step_by(7).chain([end - 1]) {
        refused(&good[..cut], &format!("cut at {cut}"));
        let mut zeroed = good.clone();
        zeroed[cut..].fill(0);
        refused(&zeroed, &format!("zeros from {cut}"));
    }
    for at in (0..end).step_by(5) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&damaged, &flipped).unwrap();
        assert!(DurableStore::open(&damaged, by_hand()).is_err_and(|error| error.is_bad_log()), "byte {at}");
    }
}

#[tokio::test]
async fn a_compacted_log_of_format_1_opens_for_ever() {
    let folder = Folder::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-1-compacted.wal");
    std::fs::copy(golden, folder.log()).unwrap();
    assert_eq!(state(&folder.open()).await, golden_state());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_went_bad_is_not_copied_as_if_it_were_sound() {
    use std::os::unix::fs::FileExt;

    let folder = Folder::new();
    let faults = Arc::new(Faults::default());
    let mut options = by_hand();
    options.sync_policy = SyncPolicy::Never;
    let store = DurableStore::open_on(Arc::new(faults.file_system()), folder.log(), options).unwrap();
    fill(&store, 10, b"v").await;
    let gate = faults.hold_syncs();
    let begun = faults.syncs_begun();
    let compaction = tokio::spawn({
        let store = store.clone();
        async move { store.compact().await }
    });
    faults.sync_begun_after(begun).await;
    // The compaction is at its first sync, with this still to be copied.
    store.set(b"copied", &[b'v'; 100]).await.unwrap();
    let end = store.stats().await.unwrap().log_bytes;
    let log = std::fs::OpenOptions::new().write(true).open(folder.log()).unwrap();
    log.write_all_at(b"w", end - 50).unwrap();
    drop(gate);
    let error = compaction.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert!(!folder.compacting().exists());
    assert_eq!(store.get(b"copied").await.unwrap().as_deref(), Some(&[b'v'; 100][..]));
}
