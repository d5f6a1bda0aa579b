//! A store on the schedule's disk, its clients, and what a crash of it leaves.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustvault_storage::batch::{BatchStore, Completion, Op, Outcome, Submission};
use rustvault_storage::fs::FileSystem as _;
use rustvault_storage::{DurableStore, Error, LogFormat, Lsn, Options, SyncPolicy};
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};

use crate::disk::{Faults, Trouble};
use crate::history::{Change, History, State, Told};
use rustvault_testkit::files::{Crash, Hooked, LOG, MemoryDisk, Operation};

/// Logs to begin with.
const GOLDEN: &[u8] = include_bytes!("../golden/format-1.wal");
const GOLDEN_LINES: &[u8] = include_bytes!("../golden/format-json.log");

/// Everything of one schedule.
pub(crate) struct World {
    disk: MemoryDisk,
    faults: Arc<Faults>,
    policy: SyncPolicy,
    format: LogFormat,
    trouble: Trouble,
    history: Mutex<History>,
    crash: Mutex<Sample>,
    is_log_removed: AtomicBool,
}

/// A crash that happens at one of the moments seen so far.
#[derive(Default)]
struct Sample {
    moments: u32,
    left: Option<Left>,
}

/// What a crash left, and what had been told before it.
struct Left {
    disk: MemoryDisk,
    least: Lsn,
}

/// Who commits what a client has submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The client, on its own thread.
    Itself,
    /// The log's thread.
    Log,
    /// The wait: the submission is held all along.
    Wait,
}

impl World {
    pub(crate) fn new(policy: SyncPolicy, format: LogFormat, trouble: Trouble, is_shown: bool) -> Arc<Self> {
        let golden = if format == LogFormat::Json { GOLDEN_LINES } else { GOLDEN };
        let disk = if thread_rng().r#gen() { MemoryDisk::default() } else { MemoryDisk::of(golden) };
        Arc::new(Self {
            faults: Arc::new(Faults::new(disk.clone(), policy == SyncPolicy::Always, is_shown)),
            disk,
            policy,
            format,
            trouble,
            history: Mutex::default(),
            crash: Mutex::default(),
            is_log_removed: AtomicBool::new(false),
        })
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        (options.sync_policy, options.log_format) = (self.policy, Some(self.format));
        options
    }

    /// Opens the store; trouble begins then.
    pub(crate) fn open(self: &Arc<Self>) -> DurableStore {
        let world = Arc::clone(self);
        let fs = Hooked::new(self.disk.clone(), move |operation| world.before(operation));
        let store = DurableStore::open_on(Arc::new(fs), LOG, self.options()).unwrap();
        self.faults.begin(self.trouble);
        store
    }

    /// Lets trouble begin.
    pub(crate) fn begin(&self, trouble: Trouble) {
        self.faults.begin(trouble);
    }

    /// Removes the log's file, which stays open. A crash that comes before it is back leaves nothing.
    pub(crate) fn remove_log(&self) {
        self.faults.show(|| "the log's file is removed".to_owned());
        self.is_log_removed.store(true, Ordering::Relaxed);
        self.disk.remove(Path::new(LOG)).unwrap();
    }

    /// Ends all trouble.
    pub(crate) fn heal(&self) {
        self.faults.end();
    }

    fn before(&self, operation: Operation<'_>) -> io::Result<usize> {
        self.maybe_crash();
        self.faults.before(operation)
    }

    /// Each moment that this is called at is as likely to be the one of the crash.
    fn maybe_crash(&self) {
        if self.is_log_removed.load(Ordering::Relaxed) {
            return;
        }
        let mut crash = self.crash.lock().unwrap();
        crash.moments += 1;
        if thread_rng().gen_range(0..crash.moments) == 0 {
            crash.left = Some(self.left(self.history.lock().unwrap().told));
        }
    }

    /// What a crash leaves now.
    fn left(&self, told: Told) -> Left {
        let crash = if thread_rng().r#gen() { Crash::Kill } else { Crash::PowerLoss };
        let is_durable = crash == Crash::Kill || self.policy == SyncPolicy::Always;
        let least = if is_durable { told.acknowledged } else { told.durable };
        self.faults
            .show(|| format!("if this was the moment of the crash: {crash:?}, at least {least} is there"));
        Left { disk: self.disk.after(crash), least }
    }

    /// Carries `ops` out; what they change is part of the history. Returns the replies and what is left to commit.
    pub(crate) fn submit<'s>(
        &self,
        store: &'s DurableStore,
        ops: &[Op<'_>],
    ) -> (Submission<'s>, Vec<Completion>) {
        let mut replies = Vec::new();
        let submission = block_on(store.submit(ops, usize::MAX, &mut replies));
        assert_eq!(replies.len(), ops.len(), "all was carried out");
        for (op, reply) in ops.iter().zip(&replies) {
            let is_change = matches!(reply.outcome, Ok(Outcome::Stored | Outcome::Deleted(true)));
            self.faults
                .show(|| format!("{op:?}: {:?} depends on {}", reply.outcome.is_ok(), reply.depends_on));
            if is_change {
                self.history.lock().unwrap().add(reply.depends_on, changes(op));
            }
            if let Err(error) = &reply.outcome {
                self.expect_reason(error);
                self.history.lock().unwrap().add_refused(changes(op));
            }
        }
        (submission, replies)
    }

    /// A client: one operation, from submitting it to its acknowledgement.
    pub(crate) fn run(&self, store: &DurableStore, by: By, op: Op<'_>) -> Result<Outcome, Error> {
        let (submission, mut replies) = self.submit(store, &[op]);
        let Completion { depends_on, outcome } = replies.pop().unwrap();
        match by {
            By::Itself => submission.commit_here(),
            By::Log => drop(submission),
            By::Wait => return self.wait(store, depends_on).and(outcome),
        }
        self.wait(store, depends_on).and(outcome)
    }

    pub(crate) fn set(&self, store: &DurableStore, by: By, key: &str) -> Result<(), Error> {
        let value = format!("the value of {key}");
        self.run(store, by, Op::Set { key: key.as_bytes(), value: value.as_bytes() }).map(|_| ())
    }

    /// Waits until `lsn` may be shown.
    pub(crate) fn wait(&self, store: &DurableStore, lsn: Lsn) -> Result<(), Error> {
        let result = block_on(store.wait(lsn));
        self.told(store, lsn, &result);
        result
    }

    /// Notes what a wait for `lsn` came to.
    pub(crate) fn told(&self, store: &DurableStore, lsn: Lsn, result: &Result<(), Error>) {
        self.faults.show(|| format!("wait for {lsn}: {result:?}"));
        match result {
            Ok(()) => {
                let durable = self.durable(store);
                let told = &mut self.history.lock().unwrap().told;
                told.acknowledged = told.acknowledged.max(lsn);
                told.durable = told.durable.max(durable);
            }
            Err(error) => self.expect_reason(error),
        }
        self.maybe_crash();
    }

    fn durable(&self, store: &DurableStore) -> Lsn {
        let mut replies = Vec::new();
        drop(block_on(store.submit(&[Op::Stats], usize::MAX, &mut replies)));
        match replies.pop().unwrap().outcome {
            Ok(Outcome::Stats(stats)) => Lsn::new(stats.durable_lsn),
            other => panic!("the figures are {other:?}"),
        }
    }

    /// Nobody is refused, or told of a failure, without a reason.
    fn expect_reason(&self, error: &Error) {
        let is_reasonable = match error {
            Error::Poisoned { .. } => self.faults.failures() > 0,
            Error::DiskFull => self.faults.failures() > 0,
            Error::Closed => true,
            Error::LogRemoved { .. } => self.is_log_removed.load(Ordering::Relaxed),
            _ => false,
        };
        assert!(is_reasonable, "{error:?}");
    }

    /// Compacts the log.
    pub(crate) fn compact(&self, store: &DurableStore) -> Result<(), Error> {
        let result = block_on(store.compact());
        self.faults.show(|| format!("compaction: {result:?}"));
        assert!(
            result.is_ok()
                || self.faults.failures() > 0
                || self.is_log_removed.load(Ordering::Relaxed)
                || matches!(result, Err(Error::Closed)),
            "{result:?}"
        );
        result
    }

    /// Closes the store, maybe crashes instead, and looks at what is left.
    pub(crate) fn end(&self, store: DurableStore) {
        let closed = store.close();
        self.faults.show(|| format!("close: {closed:?}"));
        if closed.is_err() && self.faults.failures() > 0 {
            self.expect_reason(&block_on(store.poisoned()));
        }
        drop(store);
        assert_eq!(self.faults.violations(), [""; 0]);
        assert!(closed.is_ok() || self.faults.failures() > 0, "{closed:?}");
        assert!(
            closed.is_err() || !self.faults.is_final(),
            "the log has failed, and was closed as if it had not"
        );
        let history = self.history.lock().unwrap();
        let mut told = history.told;
        if closed.is_ok() {
            (told.acknowledged, told.durable) = (history.last(), history.last());
        }
        let at_end = self.left(told);
        let sample = self.crash.lock().unwrap().left.take().filter(|_| thread_rng().r#gen());
        self.check(&history, sample.unwrap_or(at_end));
    }

    /// What a crash left opens, and has everything that it must have, in order.
    fn check(&self, history: &History, left: Left) {
        let store = match DurableStore::open_on(Arc::new(left.disk), LOG, self.options()) {
            Ok(store) => store,
            Err(error) => panic!("the log does not open any more: {error}"),
        };
        let mut state = State::new();
        for key in history.keys() {
            if let Some(value) = block_on(store.get(key)).unwrap() {
                state.insert(key.to_vec(), value.as_ref().to_vec());
            }
        }
        store.close().unwrap();
        assert!(
            history.leads_to(&state, left.least),
            "no part of the history up to {} or beyond leads to {:?}; it is {history:?}",
            left.least,
            texts(&state),
        );
    }
}

/// What an operation changes.
fn changes(op: &Op<'_>) -> Vec<Change> {
    match *op {
        Op::Set { key, value } => vec![(key.to_vec(), Some(value.to_vec()))],
        Op::SetMany { pairs } => {
            pairs.iter().map(|&[key, value]| (key.to_vec(), Some(value.to_vec()))).collect()
        }
        Op::Delete { key } => vec![(key.to_vec(), None)],
        _ => Vec::new(),
    }
}

fn texts(state: &State) -> BTreeMap<String, usize> {
    state.iter().map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), value.len())).collect()
}
