//! The limit on memory: what is refused, what is not, and that the count is right.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustvault_storage::batch::{BatchStore, Completion, Op};
use rustvault_storage::{DurableStore, Error, MemoryStore, Options, Store, SyncPolicy};

const MAX_BYTES: u64 = 200_000;

/// What a table of a few keys grows by.
const TABLE_GROWTH_BYTES: u64 = 1_000;

fn limited_to(max_bytes: Option<u64>) -> Options {
    let mut options = Options::default();
    options.sync_policy = SyncPolicy::Never;
    options.max_memory_bytes = max_bytes;
    options
}

fn memory_store() -> MemoryStore {
    MemoryStore::new(limited_to(Some(MAX_BYTES))).unwrap()
}

/// Stores values of 1,000 bytes until one is refused; returns how many it took.
async fn fill(store: &impl Store) -> usize {
    for number in 0..1_000 {
        match store.set(&key(number), &[b'v'; 1_000]).await {
            Ok(()) => {}
            Err(error) => {
                assert!(is_refusal(&error), "{error}");
                return number;
            }
        }
    }
    panic!("none of 1,000 writes was refused")
}

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::OutOfMemory { max_bytes: MAX_BYTES })
}

async fn used_bytes(store: &impl Store) -> u64 {
    store.stats().await.unwrap().used_bytes
}

#[tokio::test]
async fn a_write_over_the_limit_is_refused_before_it_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let store = DurableStore::open(&path, limited_to(Some(MAX_BYTES))).unwrap();
    let taken = fill(&store).await;
    let before = store.stats().await.unwrap();
    assert!(before.used_bytes < MAX_BYTES + TABLE_GROWTH_BYTES, "{} bytes", before.used_bytes);

    let pairs: [[&[u8]; 2]; 2] = [[b"many", b"x"], [b"many too", &[b'v'; 1_000]]];
    let mut replies = Vec::new();
    store.submit(&[Op::SetMany { pairs: &pairs }], usize::MAX, &mut replies).await;
    assert!(matches!(&replies[..], [Completion { outcome: Err(error), .. }] if is_refusal(error)));
    assert!(is_refusal(&store.set(b"one", &[b'v'; 2_000]).await.unwrap_err()));

    let after = store.stats().await.unwrap();
    assert_eq!((after.log_bytes, after.used_bytes), (before.log_bytes, before.used_bytes));
    store.close().unwrap();
    drop(store);
    let store = DurableStore::open(&path, limited_to(None)).unwrap();
    assert_eq!(store.count().await.unwrap(), taken as u64);
    for key in [&b"many"[..], b"many too", b"one"] {
        assert!(!store.exists(key).await.unwrap());
    }
}

#[tokio::test]
async fn deleting_works_at_the_limit_and_makes_room() {
    let store = memory_store();
    let taken = fill(&store).await;
    // Two, because the last key may have had a table grow beyond the limit.
    assert!(store.delete(&key(0)).await.unwrap());
    assert!(store.delete(&key(1)).await.unwrap());
    store.set(&key(taken), &[b'v'; 1_000]).await.unwrap();
    assert!(is_refusal(&store.set(&key(0), &[b'v'; 3_000]).await.unwrap_err()));
}

#[tokio::test]
async fn values_that_are_no_longer_are_taken_at_the_limit() {
    let store = memory_store();
    fill(&store).await;
    store.set(&key(0), &[b'w'; 1_000]).await.unwrap();
    assert!(is_refusal(&store.set(&key(0), &[b'w'; 3_000]).await.unwrap_err()));
    assert_eq!(store.get(&key(0)).await.unwrap().unwrap(), [b'w'; 1_000]);

    // Of a key that comes twice only the last value stays.
    let (old, new) = (key(0), key(1));
    let pairs: [[&[u8]; 2]; 3] = [[&old, &[b'x'; 1_000]], [&new, &[b'y'; 900]], [&old, &[b'z'; 1_000]]];
    let mut replies = Vec::new();
    store.submit(&[Op::SetMany { pairs: &pairs }], usize::MAX, &mut replies).await;
    assert!(replies[0].outcome.is_ok());
    assert_eq!(store.get(&old).await.unwrap().unwrap(), [b'z'; 1_000]);
}

#[tokio::test]
async fn each_operation_of_a_batch_is_judged_for_itself() {
    let store = memory_store();
    fill(&store).await;
    let (first, second, value) = (key(0), key(1), [b'v'; 1_000]);
    let refused_at_first = Op::Set { key: b"a new key", value: &value };
    let ops = [
        refused_at_first,
        Op::Get { key: &first },
        Op::Delete { key: &first },
        Op::Delete { key: &second },
        refused_at_first,
    ];
    let mut replies = Vec::new();
    store.submit(&ops, usize::MAX, &mut replies).await;
    let taken: Vec<bool> = replies.iter().map(|reply| reply.outcome.is_ok()).collect();
    assert_eq!(taken, [false, true, true, true, true]);
}

#[tokio::test]
async fn a_log_over_the_limit_opens_and_serves_reads_and_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let store = DurableStore::open(&path, limited_to(None)).unwrap();
    for number in 0..400 {
        store.set(&key(number), &[b'v'; 1_000]).await.unwrap();
    }
    store.close().unwrap();
    drop(store);

    let store = DurableStore::open(&path, limited_to(Some(MAX_BYTES))).unwrap();
    assert!(used_bytes(&store).await > MAX_BYTES);
    assert_eq!(store.get(&key(399)).await.unwrap().unwrap(), [b'v'; 1_000]);
    assert!(is_refusal(&store.set(b"new", b"").await.unwrap_err()));
    store.set(&key(0), b"shorter").await.unwrap();
    for number in 0..300 {
        assert!(store.delete(&key(number)).await.unwrap());
    }
    store.set(b"new", b"").await.unwrap();
}

#[tokio::test]
async fn the_count_returns_to_where_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.log");
    let store = DurableStore::open(&path, limited_to(None)).unwrap();
    let empty = used_bytes(&store).await;
    for number in 0..20_000 {
        let (key, value) = (key(number), vec![b'v'; number % 100]);
        store.submit(&[Op::Set { key: &key, value: &value }], usize::MAX, &mut Vec::new()).await;
    }
    let full = used_bytes(&store).await;
    assert!(full > empty + 20_000 * 80, "{full} bytes");
    store.close().unwrap();
    drop(store);

    // What recovery puts in is counted, too.
    let store = DurableStore::open(&path, limited_to(None)).unwrap();
    let recovered = used_bytes(&store).await;
    assert!(recovered.abs_diff(full) < full / 4, "{recovered} bytes, {full} before");
    for number in 0..20_000 {
        assert!(store.delete(&key(number)).await.unwrap());
    }
    // Every deletion that finds nothing clears tombstones of others away.
    for number in 0..20_000 {
        assert!(!store.delete(&key(number)).await.unwrap());
    }
    assert_eq!(used_bytes(&store).await, empty);
}

#[tokio::test]
async fn the_limit_of_a_running_store_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let durable = DurableStore::open(folder.path().join("vault.log"), limited_to(None)).unwrap();
    the_next_write_obeys_a_changed_limit(&durable).await;
    the_next_write_obeys_a_changed_limit(&MemoryStore::new(limited_to(None)).unwrap()).await;
}

async fn the_next_write_obeys_a_changed_limit(store: &impl Store) {
    for number in 0..400 {
        store.set(&key(number), &[b'v'; 1_000]).await.unwrap();
    }
    store.limit_memory(Some(MAX_BYTES));
    assert!(is_refusal(&store.set(b"new", b"").await.unwrap_err()));
    assert_eq!(store.count().await.unwrap(), 400, "nothing is removed");
    assert_eq!(store.get(&key(399)).await.unwrap().unwrap(), [b'v'; 1_000]);
    store.set(&key(0), b"shorter").await.unwrap();

    store.limit_memory(Some(2 * used_bytes(store).await));
    store.set(b"new", b"").await.unwrap();
    store.limit_memory(Some(1));
    assert!(store.set(b"newer", b"").await.is_err());
    store.limit_memory(None);
    store.set(b"newer", b"").await.unwrap();
}

#[tokio::test]
async fn clearing_makes_room() {
    let store = memory_store();
    let empty = used_bytes(&store).await;
    fill(&store).await;
    store.submit(&[Op::Clear], usize::MAX, &mut Vec::new()).await;
    assert_eq!(used_bytes(&store).await, empty);
}

#[test]
fn writers_at_once_pass_the_limit_by_what_one_write_of_each_adds() {
    const THREADS: u64 = 4;
    const ADDED_BY_WRITE: u64 = 64 * 1024;
    let store = memory_store();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let take = async || {
                    let key = next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                    store.set(&key, &[b'v'; 100]).await
                };
                while runtime.handle().block_on(take()).is_ok() {
                    assert!(next.load(Ordering::Relaxed) < 10_000, "no write was refused");
                }
            });
        }
    });
    let used = runtime.block_on(used_bytes(&store));
    assert!(used > MAX_BYTES - 140 && used < MAX_BYTES + THREADS * ADDED_BY_WRITE, "{used} bytes");
}
