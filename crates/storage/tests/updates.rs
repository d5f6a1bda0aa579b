//! Operations that read and write in one step: nothing comes between, nothing is lost, and what they tell waits for its log.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_storage::batch::{BatchStore, Completion, KeyUpdate, Op, Outcome, StringUpdate, UpdateWith};
use rustvault_storage::{Change, DurableStore, Error, Options};
use rustvault_testkit::block_on;

const MAX_VALUE_BYTES: usize = 1024 * 1024;

fn open(path: &Path) -> DurableStore {
    let mut options = Options::default();
    options.max_value_bytes = MAX_VALUE_BYTES;
    DurableStore::open(path, options).unwrap()
}

const fn update<'a>(key: &'a [u8], update: StringUpdate<'a>) -> Op<'a> {
    Op::Update { key, update }
}

async fn submit(store: &DurableStore, op: Op<'_>) -> Completion {
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

/// Checks that every call has a blocking twin that does the same, on a thread without any runtime.
#[test]
fn a_program_without_a_runtime_has_the_same_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let store = open(&path);
    let calls = store.blocking();
    calls.set("a", "1").unwrap();
    calls.set_many([("b", "2"), ("c", "3"), ("other", "4")]).unwrap();
    assert_eq!(calls.get("a").unwrap().unwrap(), *b"1");
    assert_eq!(calls.get_many(["a", "missing", "c"]).unwrap().iter().flatten().count(), 2);
    assert!(calls.exists("b").unwrap());
    assert!(calls.update("b", |value| Change::Put([value.unwrap(), b"!"].concat())).unwrap());
    assert!(!calls.update("b", |_| Change::Keep).unwrap());
    assert!(calls.delete("c").unwrap());
    assert_eq!(calls.delete_many(["other", "missing"]).unwrap(), 1);
    assert_eq!(calls.count().unwrap(), 2);
    assert_eq!(calls.scan(0, "", 10).unwrap().keys.len(), 2);
    assert_eq!(calls.stats().unwrap().keys, 2);
    calls.compact().unwrap();
    store.close().unwrap();
    let closed = calls.set("a", "5").unwrap_err();
    assert!(matches!(closed, Error::Closed), "{closed}");
    drop(store);

    let store = open(&path);
    let mut entries: Vec<_> = store
        .blocking()
        .entries("")
        .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap())
        .collect();
    entries.sort_unstable();
    assert_eq!(entries, [(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"2!".to_vec())]);
}

#[test]
fn threads_that_block_share_syncs_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("log"));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for number in 0..100 {
                    store.blocking().set(format!("{thread}-{number}"), "value").unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let stats = store.blocking().stats().unwrap();
    assert_eq!(stats.keys, 800);
    assert!(stats.syncs < 800, "{} syncs", stats.syncs);
}

#[tokio::test]
async fn an_iteration_returns_every_key_and_every_entry_of_a_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("log"));
    store.set_many((0..3000).map(|number| (format!("a:{number}"), number.to_string()))).await.unwrap();
    store.set_many((0..3000).map(|number| (format!("b:{number}"), "other"))).await.unwrap();
    let mut keys = store.keys("a:");
    let mut seen = std::collections::BTreeSet::new();
    while let Some(key) = keys.next().await.unwrap() {
        assert!(seen.insert(key.to_vec()), "a key came twice");
    }
    assert_eq!(seen.len(), 3000);
    let mut entries = store.entries("a:");
    let mut count = 0;
    while let Some((key, value)) = entries.next().await.unwrap() {
        assert_eq!(key.strip_prefix(b"a:"), Some(&*value));
        count += 1;
        // What goes before its page is read is not returned.
        store.delete("a:2999").await.unwrap();
    }
    assert!((2999..=3000).contains(&count), "{count}");
}

#[tokio::test]
async fn a_sum_is_no_longer_than_a_value_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableStore::open(folder.path().join("log"), Options::default().max_value_bytes(4)).unwrap();
    for sum in [StringUpdate::Add(1_000_000), StringUpdate::AddDecimal(b"1e300")] {
        let refused = run(&store, update(b"k", sum)).await;
        assert!(matches!(refused, Err(Error::ValueTooLarge { .. })), "{refused:?}");
    }
    assert!(!store.exists("k").await.unwrap());
}

/// Checks that each command of a pipeline costs no sync of its own: a submit that ends early does.
#[tokio::test]
async fn a_pipeline_of_updates_of_one_key_is_one_submit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("log"));
    let appends = [update(b"k", StringUpdate::Append(b"0123456789")); 100];
    let set_and_rename = [
        Op::Set { key: b"new", value: &[b'v'; 1000] },
        Op::UpdateKeys { from: b"new", to: b"k", update: KeyUpdate::Rename { only_if_new: false } },
    ];
    for ops in [&appends[..], &set_and_rename] {
        let mut completions = Vec::new();
        drop(store.submit(ops, usize::MAX, &mut completions).await);
        assert_eq!(completions.len(), ops.len());
    }
}

#[tokio::test]
async fn short_operations_on_a_long_value_end_a_submit_so_that_others_have_a_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("log"));
    store.set("k", vec![b'v'; MAX_VALUE_BYTES]).await.unwrap();
    let ops = [update(b"k", StringUpdate::SetRange { offset: 0, bytes: b"x" }); 60];
    let mut completions = Vec::new();
    drop(store.submit(&ops, usize::MAX, &mut completions).await);
    assert_eq!(completions.len(), 1);
}
