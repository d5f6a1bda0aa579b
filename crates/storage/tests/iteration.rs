//! Iterations that are given up, or fail, in the middle.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Waker};

use rustvault_storage::batch::{BatchStore, Op, Outcome, PrefixRule};
use rustvault_storage::fs::OsFileSystem;
use rustvault_storage::{DurableStore, MemoryStore, Options};
use rustvault_testkit::files::{FileCall, Hooked, WHOLE};

#[test]
fn a_blocking_iteration_ends_after_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let is_broken = Arc::new(AtomicBool::new(false));
    let fs = Hooked::new(OsFileSystem, {
        let is_broken = Arc::clone(&is_broken);
        move |operation| match operation.call {
            FileCall::Sync if is_broken.load(Ordering::SeqCst) => Err(io::ErrorKind::Other.into()),
            _ => Ok(WHOLE),
        }
    });
    let store = DurableStore::open_on(Arc::new(fs), folder.path().join("log"), Options::default()).unwrap();
    store.blocking().set("a", "1").unwrap();
    is_broken.store(true, Ordering::SeqCst);
    assert!(store.blocking().set("b", "2").is_err());
    let keys = store.blocking().keys("").take(1000).filter(Result::is_err).count();
    assert_eq!(keys, 1, "keys");
    let entries = store.blocking().entries("").take(1000).filter(Result::is_err).count();
    assert_eq!(entries, 1, "entries");
}

#[tokio::test]
async fn a_page_counts_only_the_keys_that_its_rules_allow() {
    let store = MemoryStore::new(Options::default()).unwrap();
    for number in 0..2000 {
        store.blocking().set(format!("a:{number}"), "").unwrap();
    }
    for key in ["b:1", "b:2", "b:no:1", "b:no:yes:1", "c:1", "b"] {
        store.blocking().set(key, "").unwrap();
    }
    let rules: &[PrefixRule] =
        &[(b"b:no:yes:".to_vec(), true), (b"b:no:".to_vec(), false), (b"b:".to_vec(), true)];
    for (prefix, limit, expected) in
        [("", 3, 3), ("", 2, 2), ("b:no:", 9, 1), ("a:", 9, 0), ("b", 9, 3), ("c:", 9, 0)]
    {
        let mut completions = Vec::new();
        let op = Op::Scan { cursor: 0, prefix: prefix.as_bytes(), rules, limit };
        drop(store.submit(&[op], usize::MAX, &mut completions).await);
        let Ok(Outcome::Page(page)) = completions.remove(0).outcome else { panic!("no page") };
        assert_eq!(page.keys.len(), expected, "{prefix} {limit}");
        let allowed = ["b:1", "b:2", "b:no:yes:1"].map(str::as_bytes);
        assert!(page.keys.iter().all(|key| allowed.contains(&key.as_ref())), "{prefix}");
    }
}

/// Lets so many syncs through; further ones wait.
#[derive(Default)]
struct Turnstile {
    /// The syncs that may pass, and those that wait.
    left: Mutex<(u64, u64)>,
    changed: Condvar,
}

impl Turnstile {
    fn let_through(&self, syncs: u64) {
        self.left.lock().unwrap().0 += syncs;
        self.changed.notify_all();
    }

    fn hold(&self) {
        self.left.lock().unwrap().0 = 0;
    }

    fn pass(&self) {
        let mut left = self.left.lock().unwrap();
        left.1 += 1;
        self.changed.notify_all();
        let mut left = self.changed.wait_while(left, |(left, _)| *left == 0).unwrap();
        *left = (left.0 - 1, left.1 - 1);
    }

    fn until_one_waits(&self) {
        let left = self.left.lock().unwrap();
        drop(self.changed.wait_while(left, |(_, waiting)| *waiting == 0).unwrap());
    }
}

/// A test that fails ends, too: closing the store syncs.
struct LetThroughOnDrop(Arc<Turnstile>);

impl Drop for LetThroughOnDrop {
    fn drop(&mut self) {
        self.0.let_through(1_000_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_whose_next_was_dropped_while_it_waited_lose_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let turnstile = Arc::new(Turnstile::default());
    turnstile.let_through(1000);
    let fs = Hooked::new(OsFileSystem, {
        let turnstile = Arc::clone(&turnstile);
        move |operation| {
            if operation.call == FileCall::Sync {
                turnstile.pass();
            }
            Ok(WHOLE)
        }
    });
    let store = DurableStore::open_on(Arc::new(fs), folder.path().join("log"), Options::default()).unwrap();
    store.set_many([("a", "1"), ("b", "1"), ("c", "1")]).await.unwrap();
    turnstile.hold();
    let _opened = LetThroughOnDrop(Arc::clone(&turnstile));

    let mut replies = Vec::new();
    drop(store.submit(&[Op::Set { key: b"x", value: b"1" }], usize::MAX, &mut replies).await);
    // The writer has taken the first write alone.
    turnstile.until_one_waits();
    let mut entries = store.entries("");
    {
        let mut next = pin!(entries.next());
        let mut context = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut context).is_pending(), "the scan waits for x");
        drop(store.submit(&[Op::Set { key: b"a", value: b"22" }], usize::MAX, &mut replies).await);
        turnstile.let_through(1);
        while store.reply_watermark() < replies[0].depends_on {
            std::thread::yield_now();
        }
        assert!(store.reply_watermark() < replies[1].depends_on, "the second sync is held");
        assert!(next.as_mut().poll(&mut context).is_pending(), "the values wait for a");
    }
    turnstile.let_through(1_000_000);
    store.wait(replies[1].depends_on).await.unwrap();
    let mut count = 0;
    while entries.next().await.unwrap().is_some() {
        count += 1;
    }
    assert!(count >= 3, "{count} of 3 entries that were there all along");
}
