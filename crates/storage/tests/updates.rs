//! Operations that read and write in one step: nothing comes between, nothing is lost, and what they tell waits for its log.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_storage::{
    Change, DurableStore, Error, KeyUpdate, Op, Options, Outcome, Reply, Store, StringUpdate, UpdateWith,
};

const MAX_VALUE_BYTES: usize = 1024 * 1024;

fn open(path: &Path) -> DurableStore {
    let mut options = Options::default();
    options.max_value_bytes = MAX_VALUE_BYTES;
    DurableStore::open(path, options).unwrap()
}

const fn update<'a>(key: &'a [u8], update: StringUpdate<'a>) -> Op<'a> {
    Op::Update { key, update }
}

async fn submit(store: &DurableStore, op: Op<'_>) -> Reply {
    let mut replies = Vec::new();
    drop(store.submit(&[op], usize::MAX, &mut replies).await);
    replies.pop().unwrap()
}

async fn run(store: &DurableStore, op: Op<'_>) -> Result<Outcome, Error> {
    let reply = submit(store, op).await;
    store.wait(reply.depends_on).await?;
    reply.outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_between_reading_and_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let store = open(&path);
    let tasks: Vec<_> = (0..8_i64)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..200 {
                    run(&store, update(b"sum", StringUpdate::Add(task))).await.unwrap();
                    run(&store, update(b"text", StringUpdate::Append(&[b'x'; 50]))).await.unwrap();
                    let add_one = |value: Option<&[u8]>| {
                        let number = value.map_or(0, |value| value.len());
                        Change::Put(vec![b'1'; number + 1])
                    };
                    run(&store, update(b"unary", StringUpdate::With(UpdateWith(&add_one)))).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    store.close().unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.get(b"sum").await.unwrap().unwrap(), *b"5600");
    assert_eq!(store.get(b"text").await.unwrap().unwrap().len(), 8 * 200 * 50);
    assert_eq!(store.get(b"unary").await.unwrap().unwrap().len(), 8 * 200);
}

#[tokio::test]
async fn a_result_longer_than_was_expected_is_admitted_again_and_those_around_it_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("log"));
    let calls = AtomicUsize::new(0);
    let grow = |value: Option<&[u8]>| {
        calls.fetch_add(1, Ordering::Relaxed);
        Change::Put([value.unwrap_or_default(), &[b'x'; 500_000]].concat())
    };
    let with = update(b"k", StringUpdate::With(UpdateWith(&grow)));
    let ops = [
        Op::Set { key: b"before", value: b"1" },
        with,
        update(b"k", StringUpdate::Append(b"y")),
        Op::Set { key: b"after", value: b"1" },
        with,
    ];
    let mut replies = Vec::new();
    while replies.len() < ops.len() {
        let before = replies.len();
        drop(store.submit(&ops[before..], usize::MAX, &mut replies).await);
        assert!(replies.len() > before, "a submit carries out at least one operation");
    }
    store.wait(replies.last().unwrap().depends_on).await.unwrap();
    let lsns: Vec<_> = replies.iter().map(|reply| reply.depends_on).collect();
    assert!(lsns.is_sorted() && replies.iter().all(|reply| reply.outcome.is_ok()), "{replies:?}");
    let value = store.get(b"k").await.unwrap().unwrap();
    assert_eq!((value.len(), value[500_000]), (1_000_001, b'y'));
    assert!(calls.load(Ordering::Relaxed) >= 4, "it was not known how long the values would be");
}

#[tokio::test]
async fn a_function_that_panics_or_returns_too_much_changes_nothing_and_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("log"));
    store.set(b"k", b"old").await.unwrap();
    let panics = |_: Option<&[u8]>| -> Change { panic!("as the test wants") };
    let refused = run(&store, update(b"k", StringUpdate::With(UpdateWith(&panics)))).await;
    assert!(matches!(refused, Err(Error::UpdatePanicked)), "{refused:?}");
    let too_much = |_: Option<&[u8]>| Change::Put(vec![0; MAX_VALUE_BYTES + 1]);
    let refused = run(&store, update(b"k", StringUpdate::With(UpdateWith(&too_much)))).await;
    assert!(matches!(refused, Err(Error::ValueTooLarge { .. })), "{refused:?}");
    assert_eq!(store.get(b"k").await.unwrap().unwrap(), *b"old");
    store.set(b"k", b"new").await.unwrap();
}

#[tokio::test]
async fn a_renamed_value_is_under_one_key_at_every_moment_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let store = open(&path);
    store.set(b"a", b"value").await.unwrap();
    let reader = {
        let store = store.clone();
        move || {
            let keys: [&[u8]; 2] = [b"a", b"b"];
            let mut replies = Vec::new();
            block_on(store.submit(&[Op::CountOf { keys: &keys }], usize::MAX, &mut replies));
            replies.pop().unwrap().outcome.unwrap()
        }
    };
    let is_over = Arc::new(AtomicUsize::new(0));
    let watcher = std::thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            while is_over.load(Ordering::Relaxed) == 0 {
                assert!(matches!(reader(), Outcome::Count(1)));
            }
        }
    });
    for _ in 0..500 {
        for (from, to) in [(b"a", b"b"), (b"b", b"a")] {
            let update = KeyUpdate::Rename { only_if_new: true };
            let renamed = submit(&store, Op::UpdateKeys { from, to, update }).await.outcome.unwrap();
            assert!(matches!(renamed, Outcome::Changed(true)));
        }
    }
    is_over.store(1, Ordering::Relaxed);
    watcher.join().unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.get(b"a").await.unwrap().unwrap(), *b"value");
    assert_eq!(store.count().await.unwrap(), 1);
}

fn block_on<T>(future: impl Future<Output = T>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}
