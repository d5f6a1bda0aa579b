//! Faults at what happens beside the commits, while two committers write and a third thread compacts: the call is held
//! until the others have gone on, and then fails.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::{DurableStore, Error, LogFormat, Options, SyncPolicy};

use super::{State, in_parallel, open, state};
use rustvault_testkit::block_on;
use rustvault_testkit::files::{Crash, FileCall, Hooked, LOG, MemoryDisk, Operation, WHOLE};

/// Writes of each committer, unless the log fails before.
const WRITES: usize = 24;

/// How long a call is held at most: who should go on meanwhile may be waiting for this very call.
const HELD_FOR: Duration = Duration::from_millis(20);

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Reserve,
    /// Of the log itself; with the policy `interval` it happens on a thread of its own.
    Sync,
    RewriteWrite,
    RewriteSync,
    Rename,
    OpenDirectory,
    SyncDirectory,
}

const TARGETS: [Target; 7] = [
    Target::Reserve,
    Target::Sync,
    Target::RewriteWrite,
    Target::RewriteSync,
    Target::Rename,
    Target::OpenDirectory,
    Target::SyncDirectory,
];

impl Target {
    fn is(self, operation: Operation<'_>) -> bool {
        let is_of_log = operation.path.as_os_str() == LOG;
        match (self, operation.call) {
            (Self::Reserve, FileCall::Reserve { .. }) | (Self::Sync, FileCall::Sync) => is_of_log,
            (Self::RewriteWrite, FileCall::Write { .. }) | (Self::RewriteSync, FileCall::Sync) => !is_of_log,
            (Self::Rename, FileCall::Rename)
            | (Self::OpenDirectory, FileCall::OpenParent)
            | (Self::SyncDirectory, FileCall::SyncParent) => true,
            _ => false,
        }
    }

    /// Whether a failure ends the log. Others are a full disk, or end a compaction.
    fn is_final(self, errno: i32) -> bool {
        matches!(self, Self::Sync | Self::SyncDirectory) || (self == Self::Reserve && errno == EIO)
    }
}

#[derive(Debug, Clone, Copy)]
struct Case {
    target: Target,
    errno: i32,
    policy: SyncPolicy,
    format: LogFormat,
    /// The call of the target that fails, of those after the store was opened.
    nth: usize,
}

/// Fails one call, and looks at what is written after it.
struct Fault {
    case: Case,
    disk: MemoryDisk,
    is_armed: AtomicBool,
    seen: AtomicUsize,
    is_hit: AtomicBool,
    has_taken_over: AtomicBool,
    /// Calls that change the log or a successor and began after the failure of one that is final.
    later: AtomicUsize,
    /// Writes that the committers have begun with.
    begun: Mutex<usize>,
    changed: Condvar,
}

impl Fault {
    fn before(&self, operation: Operation<'_>) -> io::Result<usize> {
        let Case { target, errno, nth, .. } = self.case;
        if self.is_hit.load(Ordering::SeqCst) {
            if target.is_final(errno) && self.changes_log(operation) {
                self.later.fetch_add(1, Ordering::SeqCst);
            }
            return Ok(WHOLE);
        }
        let is_it = self.is_armed.load(Ordering::SeqCst) && target.is(operation);
        // A successor that has become the log keeps the name under which it was opened.
        if operation.call == FileCall::Rename && !is_it {
            self.has_taken_over.store(true, Ordering::SeqCst);
        }
        let is_past = self.has_taken_over.load(Ordering::SeqCst) && target != Target::SyncDirectory;
        if !is_it || is_past || self.seen.fetch_add(1, Ordering::SeqCst) != nth {
            return Ok(WHOLE);
        }
        self.hold();
        self.is_hit.store(true, Ordering::SeqCst);
        let error = io::Error::from_raw_os_error(errno);
        if operation.call == FileCall::Sync {
            self.disk.fail_next_sync(error);
            return Ok(WHOLE);
        }
        Err(error)
    }

    /// Whether nobody may begin with this once the log has failed.
    fn changes_log(&self, operation: Operation<'_>) -> bool {
        let is_of_log = operation.path.as_os_str() == LOG || self.has_taken_over.load(Ordering::SeqCst);
        match operation.call {
            FileCall::Rename => true,
            // Beside the interval's thread a batch, or beside a batch that thread's sync, may be on its way.
            FileCall::Write { .. } | FileCall::Sync => is_of_log && self.case.policy == SyncPolicy::Always,
            _ => false,
        }
    }

    /// Waits until both committers have gone on, or cannot.
    fn hold(&self) {
        let begun = self.begun.lock().unwrap();
        let enough = *begun + 2;
        drop(self.changed.wait_timeout_while(begun, HELD_FOR, |begun| *begun < enough).unwrap());
    }

    /// Waits until the committers have begun with half of their writes, or one of them has stopped.
    fn wait_for_half(&self) {
        let begun = self.begun.lock().unwrap();
        drop(self.changed.wait_while(begun, |begun| *begun < WRITES).unwrap());
    }

    fn note_stopped(&self) {
        *self.begun.lock().unwrap() += WRITES;
        self.changed.notify_all();
    }

    fn note_begun(&self) {
        *self.begun.lock().unwrap() += 1;
        self.changed.notify_all();
    }
}

/// What became of a committer's writes.
#[derive(Default)]
struct Told {
    acknowledged: State,
    refused: State,
    unknown: State,
}

/// Writes as a connection that is alone on its thread does, or as one of several, in turn.
fn commit_in_turn(name: u8, store: &DurableStore, fault: &Fault) -> Told {
    let mut told = Told::default();
    for number in 0..WRITES {
        // Some are so large that room has to be reserved for them.
        let len = if number % 8 == 3 { 150_000 } else { 50 };
        let (key, value) = (vec![name, number as u8], vec![number as u8; len]);
        fault.note_begun();
        let mut replies = Vec::new();
        let set = Op::Set { key: &key, value: &value };
        let submission = block_on(store.submit(&[set], usize::MAX, &mut replies));
        if number % 2 == usize::from(name % 2) {
            submission.commit_here();
        } else {
            drop(submission);
        }
        let reply = replies.remove(0);
        let waited = reply.outcome.and_then(|_| block_on(store.wait(reply.depends_on)));
        match waited {
            Ok(()) => told.acknowledged.insert(key, value),
            Err(Error::DiskFull) => told.refused.insert(key, value),
            Err(Error::Poisoned { .. }) => {
                told.unknown.insert(key, value);
                break;
            }
            Err(other) => panic!("{:?}: {other}", fault.case),
        };
    }
    fault.note_stopped();
    told
}

/// Runs a case; `false`: there are not so many calls.
fn is_hit(case: Case) -> bool {
    let disk = MemoryDisk::default();
    let fault = Arc::new(Fault {
        case,
        disk: disk.clone(),
        is_armed: AtomicBool::new(false),
        seen: AtomicUsize::new(0),
        is_hit: AtomicBool::new(false),
        has_taken_over: AtomicBool::new(false),
        later: AtomicUsize::new(0),
        begun: Mutex::new(0),
        changed: Condvar::new(),
    });
    let hook = Arc::clone(&fault);
    let fs = Hooked::new(disk.clone(), move |operation| hook.before(operation));
    let mut options = Options::default();
    options.sync_policy = case.policy;
    options.log_format = Some(case.format);
    let store = DurableStore::open_on(Arc::new(fs), LOG, options).unwrap();
    fault.is_armed.store(true, Ordering::SeqCst);
    let are_writing = AtomicBool::new(true);
    let told = thread::scope(|scope| {
        let committers = [b'a', b'b'].map(|name| {
            let (store, fault) = (&store, &fault);
            scope.spawn(move || commit_in_turn(name, store, fault))
        });
        scope.spawn(|| {
            // First the calls that no compaction makes, while the log is the file that was opened.
            fault.wait_for_half();
            while are_writing.load(Ordering::SeqCst) {
                // One that fails, or that nobody could begin any more, is not what is looked at here.
                let _ = block_on(store.compact());
            }
        });
        let told = committers.map(|committer| committer.join().unwrap());
        are_writing.store(false, Ordering::SeqCst);
        told
    });
    let has_failed = store.close().is_err();
    // Only now: under an interval the last sync, which the fault may be for, is that of the closing.
    let is_hit = fault.is_hit.load(Ordering::SeqCst);
    let is_final = is_hit && case.target.is_final(case.errno);
    assert_eq!(has_failed, is_final, "{case:?}");
    drop(store);
    assert_eq!(fault.later.load(Ordering::SeqCst), 0, "{case:?}: changed after it has failed");
    for crash in [Crash::Kill, Crash::PowerLoss] {
        if crash == Crash::Kill || case.policy == SyncPolicy::Always {
            check(&disk.after(crash), &told, &format!("{case:?}, {crash:?}"));
        }
    }
    is_hit
}

/// What was acknowledged is there, what was refused is not, and nothing else is but what is in doubt.
fn check(disk: &MemoryDisk, told: &[Told], case: &str) {
    let store = open(disk).unwrap_or_else(|error| panic!("{case}: {error}"));
    let mut found = block_on(state(&store));
    for told in told {
        for (key, value) in &told.acknowledged {
            assert!(found.remove(key).as_ref() == Some(value), "{case}: {} is lost", key.escape_ascii());
        }
        for (key, value) in &told.unknown {
            assert!(found.remove(key).is_none_or(|found| found == *value), "{case}: {}", key.escape_ascii());
        }
    }
    // What was refused would be left here.
    assert!(found.is_empty(), "{case}: {:?} was never written", found.keys());
}

#[test]
fn no_fault_beside_two_committers_loses_or_invents_a_write() {
    let mut cases = Vec::new();
    for target in TARGETS {
        for errno in [EIO, ENOSPC] {
            for policy in [SyncPolicy::Always, SyncPolicy::Interval(Duration::from_millis(1))] {
                for format in [LogFormat::Binary, LogFormat::Json] {
                    cases.push(Case { target, errno, policy, format, nth: 0 });
                }
            }
        }
    }
    let hits = Mutex::new(Vec::new());
    in_parallel(&cases, |&case| {
        /// Later ones meet what earlier ones have.
        const MAX_NTH: usize = 6;
        let count = (0..MAX_NTH).take_while(|&nth| is_hit(Case { nth, ..case })).count();
        hits.lock().unwrap().push((case.target, count));
    });
    let hits = hits.into_inner().unwrap();
    for target in TARGETS {
        let of_target = hits.iter().filter(|(hit, _)| *hit == target).map(|(_, count)| count).sum::<usize>();
        println!("two committers: {target:?} failed {of_target} times");
        assert!(of_target > 0, "{target:?}");
    }
}
