//! Logs of JSON lines, and those that become such logs or cease to be.

use std::time::Duration;

use super::*;

/// Compactions from one format into another, lines among them.
const CHANGES: [(LogFormat, LogFormat); 3] = [
    (LogFormat::Json, LogFormat::Json),
    (LogFormat::Json, LogFormat::Binary),
    (LogFormat::Binary, LogFormat::Json),
];

fn text(folder: &Folder) -> String {
    String::from_utf8(std::fs::read(folder.log()).unwrap()).unwrap()
}

fn is_of_lines(folder: &Folder) -> bool {
    std::fs::read(folder.log()).unwrap().starts_with(b"{")
}

/// The times of the lines, which are all records.
fn times(text: &str) -> Vec<u64> {
    let time = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["timestamp"].as_u64().unwrap()
    };
    assert!(text.ends_with('\n'));
    text.lines().map(time).collect()
}

/// A log of this format with three keys, one of which no text holds, opened to have another.
async fn small_log(from: LogFormat, to: LogFormat) -> (Folder, DurableStore, State) {
    let folder = Folder::new();
    let store = DurableStore::open(folder.log(), by_hand_as(from)).unwrap();
    for (key, value) in [(&b"user:1"[..], &b"john"[..]), (b"\xff\0", b"\xfe\"\\\n"), (b"empty", b"")] {
        store.set(key, b"older").await.unwrap();
        store.set(key, value).await.unwrap();
    }
    store.set(b"gone", b"soon").await.unwrap();
    store.delete(b"gone").await.unwrap();
    drop(store);
    let store = DurableStore::open(folder.log(), by_hand_as(to)).unwrap();
    let state = state(&store).await;
    assert_eq!(state.len(), 3);
    (folder, store, state)
}

#[tokio::test]
async fn a_compacted_log_of_lines_has_a_line_for_each_live_key() {
    let (folder, store, before) = small_log(LogFormat::Json, LogFormat::Json).await;
    store.compact().await.unwrap();
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.log_format, stats.compactions), (LogFormat::Json, 1));
    assert_eq!(stats.log_bytes, text(&folder).len() as u64);
    assert_eq!(times(&text(&folder)).len(), 3);
    assert_eq!(state_after_crash(&folder).await, before);
    store.set(b"later", b"yes").await.unwrap();
    drop(store);
    let times = times(&text(&folder));
    assert!(times.len() == 4 && times.is_sorted(), "{times:?}");
    let mut after = state(&folder.open()).await;
    assert_eq!(after.remove(&b"later"[..]), Some(b"yes".to_vec()));
    assert_eq!(after, before);
    assert!(!folder.compacting().exists());
}

#[tokio::test]
async fn a_log_changes_its_format_when_it_is_compacted_and_not_before() {
    for (from, to) in CHANGES {
        let (folder, store, before) = small_log(from, to).await;
        store.set(b"k", b"v").await.unwrap();
        assert_eq!(store.stats().await.unwrap().log_format, from);
        assert_eq!(is_of_lines(&folder), from == LogFormat::Json);
        store.compact().await.unwrap();
        assert_eq!(store.stats().await.unwrap().log_format, to);
        assert_eq!(is_of_lines(&folder), to == LogFormat::Json);
        assert!(store.delete(b"k").await.unwrap());
        drop(store);
        // Whoever asks for no format gets the one that is there.
        let store = folder.open();
        assert_eq!(store.stats().await.unwrap().log_format, to);
        assert_eq!(state(&store).await, before);
        store.compact().await.unwrap();
        assert_eq!(store.stats().await.unwrap().log_format, to);
        drop(store);
        assert_eq!(state(&DurableStore::open(folder.log(), by_hand_as(from)).unwrap()).await, before);
    }
}

#[tokio::test]
async fn an_emptied_log_of_lines_stays_one() {
    for from in [LogFormat::Json, LogFormat::Binary] {
        let (folder, store, _) = small_log(from, LogFormat::Json).await;
        drop(store.submit(&[Op::Clear], usize::MAX, &mut Vec::new()).await);
        store.compact().await.unwrap();
        drop(store);
        assert_eq!(times(&text(&folder)).len(), 1);
        let store = folder.open();
        assert_eq!(store.count().await.unwrap(), 0);
        store.set(b"a", b"1").await.unwrap();
        drop(store);
        assert!(times(&text(&folder)).is_sorted());
        assert_eq!(folder.open().count().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn lsns_and_scans_go_on_when_lines_become_binary() {
    let (folder, store, before) = small_log(LogFormat::Json, LogFormat::Binary).await;
    fill(&store, 3000, b"v").await;
    let first = store.scan(0, b"key:", 500).await.unwrap();
    store.compact().await.unwrap();
    let mut last = 0;
    let mut store = store;
    for _ in 0..3 {
        let mut replies = Vec::new();
        drop(store.submit(&[Op::Set { key: b"k", value: b"v" }], usize::MAX, &mut replies).await);
        store.wait(replies[0].depends_on).await.unwrap();
        assert!(replies[0].depends_on.get() > last.max(3000), "{last}: {replies:?}");
        last = replies[0].depends_on.get();
        drop(store);
        store = folder.open();
    }
    let mut keys: std::collections::BTreeSet<_> = first.keys.iter().map(|key| key.to_vec()).collect();
    let mut cursor = first.next_cursor;
    while cursor != 0 {
        let page = store.scan(cursor, b"key:", 500).await.unwrap();
        keys.extend(page.keys.iter().map(|key| key.to_vec()));
        cursor = page.next_cursor;
    }
    assert_eq!(keys.len(), 3000);
    assert_eq!(store.count().await.unwrap(), before.len() as u64 + 3001);
}

/// Begins a compaction and keeps it from ending until the first of its syncs is let go.
async fn write_meanwhile(from: LogFormat, to: LogFormat, writes: impl AsyncFn(&DurableStore)) -> Folder {
    let (folder, store, _) = small_log(from, to).await;
    drop(store);
    let faults = Arc::new(Faults::default());
    let mut options = by_hand_as(to);
    options.sync_policy = SyncPolicy::Never;
    let store = DurableStore::open_on(Arc::new(faults.file_system()), folder.log(), options).unwrap();
    let gate = faults.hold_syncs();
    let begun = faults.syncs_begun();
    let compaction = tokio::spawn({
        let store = store.clone();
        async move { store.compact().await }
    });
    faults.sync_begun_after(begun).await;
    writes(&store).await;
    assert!(folder.compacting().exists());
    assert_eq!(is_of_lines(&folder), from == LogFormat::Json);
    let expected = state(&store).await;
    // The log that is there until the compaction ends.
    assert_eq!(state_after_crash(&folder).await, expected, "{from} to {to}");
    drop(gate);
    compaction.await.unwrap().unwrap();
    assert_eq!(is_of_lines(&folder), to == LogFormat::Json);
    assert_eq!(state_after_crash(&folder).await, expected, "{from} to {to}");
    store.set(b"after", b"the compaction").await.unwrap();
    store.close().unwrap();
    drop(store);
    let mut after = state(&folder.open()).await;
    assert_eq!(after.remove(&b"after"[..]), Some(b"the compaction".to_vec()));
    assert_eq!(after, expected, "{from} to {to}");
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_the_format_changes_comes_along() {
    for (from, to) in CHANGES {
        let folder = write_meanwhile(from, to, async |store| {
            store.set(b"user:1", b"newer").await.unwrap();
            store.delete(b"empty").await.unwrap();
            let pairs: [[&[u8]; 2]; 2] = [[b"one", b"\xff"], [b"two", b""]];
            for op in [Op::SetMany { pairs: &pairs }, Op::DeleteMany { keys: &[b"one", b"nobody"] }] {
                store.submit(&[op], usize::MAX, &mut Vec::new()).await;
            }
        });
        let folder = folder.await;
        if to == LogFormat::Json {
            assert!(times(&text(&folder)).is_sorted());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clear_while_the_format_changes_clears() {
    for (from, to) in CHANGES {
        write_meanwhile(from, to, async |store| {
            drop(store.submit(&[Op::Clear], usize::MAX, &mut Vec::new()).await);
            store.set(b"only", b"this").await.unwrap();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_longer_than_what_is_read_at_one_go_come_along() {
    for (from, to) in CHANGES {
        write_meanwhile(from, to, async |store| {
            for (key, value) in [(b"zeros", vec![0; 700_000]), (b"bytes", vec![0xff; 1_300_000])] {
                store.set(b"small", b"before").await.unwrap();
                store.set(key, &value).await.unwrap();
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_what_is_left_for_the_end_comes_along() {
    for (from, to) in CHANGES {
        write_meanwhile(from, to, async |store| fill(store, 30_000, &[b'v'; 100]).await).await;
    }
}

async fn writes_survive_with_lines(policy: SyncPolicy) {
    for (from, to) in CHANGES {
        writes_survive_conversions(policy, from, to).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_while_lines_are_compacted_survive_under_always() {
    writes_survive_with_lines(SyncPolicy::Always).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_while_lines_are_compacted_survive_under_interval() {
    writes_survive_with_lines(SyncPolicy::Interval(Duration::from_millis(1))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_while_lines_are_compacted_survive_under_never() {
    writes_survive_with_lines(SyncPolicy::Never).await;
}

#[tokio::test]
async fn a_change_of_format_that_fails_leaves_the_log_as_it_was() {
    for (from, to) in CHANGES {
        let (folder, store, mut expected) = small_log(from, to).await;
        drop(store);
        let faults = Arc::new(Faults::default());
        let store =
            DurableStore::open_on(Arc::new(faults.file_system()), folder.log(), by_hand_as(to)).unwrap();
        for fail in [Faults::fail_next_write, Faults::fail_next_sync] {
            fail(&faults);
            let error = store.compact().await.unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{error}");
            assert_eq!(store.stats().await.unwrap().log_format, from);
            assert!(!folder.compacting().exists());
            store.set(b"after", b"v").await.unwrap();
        }
        expected.insert(b"after".to_vec(), b"v".to_vec());
        assert_eq!(state_after_crash(&folder).await, expected);
        store.compact().await.unwrap();
        assert_eq!(store.stats().await.unwrap().log_format, to);
        drop(store);
        assert_eq!(state(&folder.open()).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_due_is_compacted_and_changes_its_format_by_itself() {
    for (from, to) in CHANGES {
        let (folder, store, _) = small_log(from, to).await;
        drop(store);
        let mut options = Options::default();
        options.compact_min_bytes = 64 * 1024;
        options.log_format = Some(to);
        options.sync_policy = SyncPolicy::Never;
        let store = DurableStore::open(folder.log(), options).unwrap();
        for round in 0_u32.. {
            store.set(b"user:1", format!("{round}: {}", "v".repeat(1000)).as_bytes()).await.unwrap();
            let stats = store.stats().await.unwrap();
            if stats.compactions > 2 {
                assert_eq!(stats.log_format, to);
                break;
            }
            assert!(round < 1_000_000, "{stats:?}");
        }
        // A compaction that had to wait for a core has left the log long: then the next one is due.
        let is_short = async {
            while store.stats().await.unwrap().log_bytes >= 16 * 1024 * 1024 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), is_short).await.unwrap();
        store.close().unwrap();
        assert!(log_bytes(&folder.log()) < 16 * 1024 * 1024);
        drop(store);
        assert_eq!(folder.open().count().await.unwrap(), 3);
    }
}

#[tokio::test]
async fn lines_without_garbage_are_not_compacted_by_themselves_however_long_they_are() {
    let folder = Folder::new();
    let mut options = Options::default();
    options.compact_min_bytes = 0;
    options.log_format = Some(LogFormat::Json);
    options.sync_policy = SyncPolicy::Never;
    let store = DurableStore::open(folder.log(), options.clone()).unwrap();
    for round in 0..20 {
        let keys: Vec<_> = (0..100).map(|key| format!("key:{round}:{key}")).collect();
        // As lines they take six times as much.
        let pairs: Vec<_> = keys.iter().map(|key| [key.as_bytes(), &[0; 100][..]]).collect();
        drop(store.submit(&[Op::SetMany { pairs: &pairs }], usize::MAX, &mut Vec::new()).await);
    }
    // Answered once all that precedes it is in the log file.
    store.set(b"last", b"v").await.unwrap();
    let stats = store.stats().await.unwrap();
    assert!(stats.log_bytes > 3 * stats.live_bytes, "{stats:?}");
    // The first write of all may find a log that is larger than nothing.
    assert!(stats.compactions <= 1, "{stats:?}");
    drop(store);
    let store = DurableStore::open(folder.log(), options).unwrap();
    store.set(b"k", b"v").await.unwrap();
    assert_eq!(store.stats().await.unwrap().compactions, 0);
}

#[tokio::test]
async fn a_compacted_log_of_lines_of_this_version_opens_for_ever() {
    let folder = Folder::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-json-compacted.log");
    std::fs::copy(&golden, folder.log()).unwrap();
    assert_eq!(state(&folder.open()).await, golden_state());
    assert_eq!(std::fs::read(folder.log()).unwrap(), std::fs::read(golden).unwrap());
}
