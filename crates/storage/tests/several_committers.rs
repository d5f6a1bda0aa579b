//! Several committers at one log: what one of them does to the others when its write fails, holds its records back,
//! or needs more room than there is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use rustvault_storage::batch::{BatchStore, Op, Submission};
use rustvault_storage::fs::OsFileSystem;
use rustvault_storage::{DurableStore, Error, LogFormat, Lsn, Options};
use rustvault_testkit::files::{FileCall, Hooked, Operation, WHOLE};
use rustvault_testkit::{block_on, soon};
use tokio::select;

fn with_format(format: LogFormat) -> Options {
    let mut options = Options::default();
    options.log_format = Some(format);
    options
}

/// Submits a SET; returns its records, still to be committed, and the LSN to wait for.
fn submit<'s>(store: &'s DurableStore, key: &[u8]) -> (Submission<'s>, Lsn) {
    let mut replies = Vec::new();
    let submission = block_on(store.submit(&[Op::Set { key, value: b"v" }], usize::MAX, &mut replies));
    (submission, replies[0].depends_on)
}

/// A file system that, once armed, holds the next write until it is told what becomes of it.
struct HeldWrite {
    is_armed: Mutex<bool>,
    has_begun: mpsc::Sender<()>,
    fate: Mutex<mpsc::Receiver<Fate>>,
    writes_after: AtomicUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fails,
    Panics,
}

impl HeldWrite {
    fn new() -> (Arc<Self>, mpsc::Receiver<()>, mpsc::Sender<Fate>) {
        let (has_begun, begun) = mpsc::channel();
        let (decide, fate) = mpsc::channel();
        let (is_armed, fate) = (Mutex::new(false), Mutex::new(fate));
        (Arc::new(Self { is_armed, has_begun, fate, writes_after: AtomicUsize::new(0) }), begun, decide)
    }

    fn file_system(self: &Arc<Self>) -> Arc<Hooked<OsFileSystem>> {
        let held = Arc::clone(self);
        Arc::new(Hooked::new(OsFileSystem, move |operation| held.before(operation)))
    }

    fn before(&self, operation: Operation<'_>) -> io::Result<usize> {
        if !matches!(operation.call, FileCall::Write { .. }) {
            return Ok(WHOLE);
        }
        if !std::mem::take(&mut *self.is_armed.lock().unwrap()) {
            self.writes_after.fetch_add(1, Ordering::SeqCst);
            return Ok(WHOLE);
        }
        self.has_begun.send(()).unwrap();
        let fate = self.fate.lock().unwrap().recv().unwrap();
        self.writes_after.store(0, Ordering::SeqCst);
        assert!(fate == Fate::Fails, "a panic that is asked for");
        Err(io::Error::from_raw_os_error(5))
    }
}

/// Has the write of one committer end like this while another one has records to commit.
fn fail_one_of_two(log: &Path, format: LogFormat, fate: Fate) {
    let (held, begun, decide) = HeldWrite::new();
    let store = DurableStore::open_on(held.file_system(), log, with_format(format)).unwrap();
    block_on(store.set(b"before", b"v")).unwrap();
    let (first, first_lsn) = submit(&store, b"first");
    *held.is_armed.lock().unwrap() = true;
    thread::scope(|scope| {
        let committer = scope.spawn(|| catch_unwind(AssertUnwindSafe(|| first.commit_here())));
        begun.recv().unwrap();
        let (second, second_lsn) = submit(&store, b"second");
        decide.send(fate).unwrap();
        assert_eq!(committer.join().unwrap().is_err(), fate == Fate::Panics);
        second.commit_here();
        for lsn in [first_lsn, second_lsn] {
            let waited = block_on(store.wait(lsn));
            assert!(matches!(waited, Err(Error::Poisoned { .. })), "{format}, {fate:?}: {waited:?}");
        }
    });
    assert!(store.close().is_err());
    assert_eq!(held.writes_after.load(Ordering::SeqCst), 0, "{format}, {fate:?}: written after the failure");
    drop(store);
    let store = DurableStore::open(log, with_format(format)).unwrap();
    let keys = [&b"before"[..], b"first", b"second"].map(|key| block_on(store.exists(key)).unwrap());
    assert_eq!(keys, [true, false, false], "{format}, {fate:?}");
}

#[test]
fn after_a_failed_write_no_other_committer_writes_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (number, format) in [LogFormat::Binary, LogFormat::Json].into_iter().enumerate() {
        fail_one_of_two(&folder.path().join(format!("{number}.log")), format, Fate::Fails);
    }
}

#[test]
fn after_a_panic_at_the_end_of_the_log_no_other_committer_writes_there() {
    let folder = tempfile::tempdir().unwrap();
    fail_one_of_two(&folder.path().join("vault.log"), LogFormat::Binary, Fate::Panics);
}

#[test]
fn records_that_are_held_back_are_committed_by_whoever_waits_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableStore::open(folder.path().join("vault.log"), Options::default()).unwrap();
    let (held, lsn) = submit(&store, b"k");
    block_on(soon(store.wait(lsn))).unwrap();
    drop(held);
    // Also when somebody else waits, who read them.
    let (_held, _) = submit(&store, b"k");
    assert!(block_on(soon(store.get(b"k"))).unwrap().is_some());
}

#[tokio::test]
async fn a_large_write_finds_room_behind_a_steady_stream_of_small_ones() {
    const MAX_SYNCS: usize = 20;

    let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let (end, may_end) = mpsc::channel::<()>();
    let may_end = Mutex::new(may_end);
    let are_held = Arc::new(AtomicBool::new(false));
    let hook_holds = Arc::clone(&are_held);
    let held = Hooked::new(OsFileSystem, move |operation| {
        let is_held = operation.call == FileCall::Sync && hook_holds.load(Ordering::SeqCst);
        // The test is over once it has let go of its ends.
        if is_held && begin.send(()).is_ok() {
            let _ = may_end.lock().unwrap().recv();
        }
        Ok(WHOLE)
    });
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("vault.log");
    let store = DurableStore::open_on(Arc::new(held), log, Options::default()).unwrap();
    are_held.store(true, Ordering::SeqCst);

    let large = [Op::Set { key: b"large", value: &vec![0; 2 * 1024 * 1024] }];
    let small = [Op::Set { key: b"small", value: b"v" }];
    let (mut large_replies, mut small_replies) = (Vec::new(), vec![Vec::new(); MAX_SYNCS]);
    let mut small_writes = Vec::new();
    drop(store.submit(&small, usize::MAX, &mut Vec::new()).await);
    let mut large = Box::pin(store.submit(&large, usize::MAX, &mut large_replies));
    for replies in &mut small_replies {
        // Whenever a sync ends, the next small write is there.
        select! {
            biased;
            _ = &mut large => return drop((begun, end)),
            _ = begun.recv() => {}
        }
        let mut submitting = Box::pin(store.submit(&small, usize::MAX, replies));
        select! {
            biased;
            _ = &mut submitting => {}
            () = std::future::ready(()) => small_writes.push(submitting),
        }
        end.send(()).unwrap();
    }
    drop((begun, end));
    panic!("no room for the large write after {MAX_SYNCS} syncs");
}
