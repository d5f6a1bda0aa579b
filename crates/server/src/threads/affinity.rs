//! Pins the log writer and the first worker to one core, or unpins both. Only on two cores: with more, the kernel mostly finds an
//! idle one, and nothing is pinned.
//!
//! The kernel wakes a thread on its last core if that is idle, otherwise often on the waker's core. If clients run on the same
//! two cores, the log writer then waits behind a client, or a client behind its worker, for up to a millisecond while the other
//! core is idle (`perf sched`). So log writer and worker share one core as long as it suffices, and leave the other one to the
//! clients. The shared core is the one that the disk interrupts, so the interrupt of a sync wakes the log writer on its own core.
//! Throughput of `compare`, Redis = 1, without and with pinning: SET from 50 connections 1.21 and 1.45, from 500 1.02 and 1.11, in
//! pipelines of 16 2.32 and 2.74. Pinned from outside (`taskset`) to the disk's core: 1.38, 1.07 and 2.64; to the other core:
//! 1.21, 0.93 and 2.49.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;

use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity};
use tracing::debug;

use super::pinning_policy::{PinningPolicy, SampleWindow};
use super::procfs::{ThreadTime, interrupted_core, thread_time};

/// Pinning of threads to cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CpuAffinity {
    /// No thread is pinned: all keep the cores of the process.
    #[default]
    Off,
    /// On exactly two cores, the thread that writes the log and the first one that serves connections are pinned to one core
    /// while that is better. On any other number no thread is pinned. This overrides an affinity that is set from outside while
    /// the process runs, for example by taskset(1).
    Auto,
}

/// The thread that writes the log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// Thread id (gettid(2)).
    pub(crate) thread: i32,
    /// The file that it writes.
    pub(crate) log: PathBuf,
}

thread_local! {
    /// Affinity that this worker maintains. Only the first worker has one.
    static AFFINITY: RefCell<Option<Affinity>> = const { RefCell::new(None) };
}

/// Begins to pin this thread, the first worker, and the log writer.
pub(super) fn begin(writer: &LogWriter) {
    AFFINITY.set(Affinity::new(writer));
}

/// Samples the window that ends now, then pins or unpins the log writer and this worker.
///
/// `one_is_enough` means that no other worker serves, or should. Returns the share of this worker's core that the writer used in
/// the window, in thousandths.
pub(super) fn sample(window_us: u64, one_is_enough: bool) -> u32 {
    AFFINITY.with_borrow_mut(|affinity| {
        let share = affinity.as_mut().map(|affinity| affinity.sample(window_us, one_is_enough));
        share.unwrap_or(Ok(0)).unwrap_or_else(|error| {
            debug!(%error, "the log writer and the first worker are not pinned any more");
            *affinity = None;
            0
        })
    })
}

/// Returns whether this worker and the log writer are pinned to one core. In the last windows, no other thread competed for it.
pub(super) fn shares_core_with_writer() -> bool {
    AFFINITY.with_borrow(|affinity| affinity.as_ref().is_some_and(|affinity| affinity.policy.is_pinned))
}

/// Unpins the log writer and this worker until the next sample. A thread inherits the cores of the one that starts it.
pub(crate) fn unpin() {
    AFFINITY.with_borrow_mut(|affinity| {
        // The next sample tries again what fails here.
        let _ = affinity.as_mut().map(Affinity::unpin);
    });
}

/// Affinity of the log writer and the first worker.
#[derive(Debug)]
struct Affinity {
    writer: PinnedThread,
    worker: PinnedThread,
    all_cores: CpuSet,
    home_core: CpuSet,
    policy: PinningPolicy,
}

/// One of the two threads, and its time at the last sample.
#[derive(Debug)]
struct PinnedThread {
    thread: Pid,
    time: ThreadTime,
}

impl Affinity {
    /// Returns the affinity of this thread and a log writer; `None` if nothing is to be pinned.
    fn new(LogWriter { thread, log }: &LogWriter) -> Option<Self> {
        let (writer, worker) = (PinnedThread::new(Pid::from_raw(*thread)?)?, PinnedThread::new(gettid())?);
        let all_cores = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| all_cores.is_set(core));
        let (first, second, None) = (cores.next()?, cores.next()?, cores.next()) else { return None };
        let mut home_core = CpuSet::new();
        home_core.set(if interrupted_core(log) == Some(second) { second } else { first });
        Some(Self { writer, worker, all_cores, home_core, policy: PinningPolicy::default() })
    }

    fn sample(&mut self, window_us: u64, one_is_enough: bool) -> io::Result<u32> {
        let (Some(writer), Some(worker)) = (self.writer.since_last_sample(), self.worker.since_last_sample())
        else {
            // The id of a thread that has ended may belong to another one by now, so only this worker is unpinned.
            let _ = sched_setaffinity(Some(self.worker.thread), &self.all_cores);
            return Err(io::Error::other("the log writer has ended"));
        };
        let thousandths = |us: u64| u32::try_from(us * 1000 / window_us.max(1)).unwrap_or(u32::MAX);
        let waited = thousandths(writer.waited_us + worker.waited_us);
        let window = SampleWindow { length_us: window_us, writer: thousandths(writer.ran_us), waited };
        let was_pinned = self.policy.is_pinned;
        if self.policy.decide(window, one_is_enough) != was_pinned {
            self.apply()?;
            if was_pinned {
                debug!(one_is_enough, ?window, "unpinned the log writer and the first worker");
            } else {
                debug!(?window, "pinned the log writer and the first worker to one core");
            }
        }
        Ok(if was_pinned { window.writer } else { 0 })
    }

    fn unpin(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.policy.is_pinned) {
            return Ok(());
        }
        self.apply()
    }

    /// Applies the policy's decision to both threads.
    fn apply(&self) -> io::Result<()> {
        let applied = self.run_on(if self.policy.is_pinned { &self.home_core } else { &self.all_cores });
        if applied.is_err() {
            // Never only one of them: unpin both. This may fail as well.
            let _ = self.run_on(&self.all_cores);
        }
        applied
    }

    fn run_on(&self, cores: &CpuSet) -> io::Result<()> {
        let writer = sched_setaffinity(Some(self.writer.thread), cores);
        let worker = sched_setaffinity(Some(self.worker.thread), cores);
        Ok(writer.and(worker)?)
    }
}

impl PinnedThread {
    fn new(thread: Pid) -> Option<Self> {
        Some(Self { thread, time: thread_time(thread)? })
    }

    /// Returns the thread's time since this was last called.
    fn since_last_sample(&mut self) -> Option<ThreadTime> {
        let now = thread_time(self.thread)?;
        let before = std::mem::replace(&mut self.time, now);
        Some(ThreadTime {
            ran_us: now.ran_us.saturating_sub(before.ran_us),
            waited_us: now.waited_us.saturating_sub(before.waited_us),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::thread;

    use tracing::Level;

    use super::*;

    /// Length of a window, in microseconds.
    const WINDOW_US: u64 = 60_000;

    /// Returns the cores on which a thread may run.
    fn cores_of(thread: Pid) -> CpuSet {
        sched_getaffinity(Some(thread)).expect("the thread is there")
    }

    /// Runs `work` with the number of a thread that does nothing meanwhile, as the log writer.
    fn beside_writer(work: impl FnOnce(Pid)) {
        thread::scope(|scope| {
            let (started, number) = std::sync::mpsc::channel();
            let (ended, is_over) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || {
                let _ = started.send(gettid());
                let _ = is_over.recv();
            });
            work(number.recv().expect("the thread has begun"));
            drop(ended);
        });
    }

    /// Pins this thread and the writer to one core; `false` if there are not two cores.
    fn pin_beside(writer: Pid) -> bool {
        begin(&LogWriter { thread: writer.as_raw_nonzero().get(), log: PathBuf::from("log") });
        AFFINITY.with_borrow_mut(|affinity| {
            let Some(affinity) = affinity else { return false };
            affinity.policy.is_pinned = true;
            affinity.apply().expect("both may be pinned");
            true
        })
    }

    /// Returns the messages that are reported meanwhile.
    fn messages_of(work: impl FnOnce()) -> String {
        let log = tempfile::NamedTempFile::new().expect("a temporary file");
        let writer = Arc::new(log.reopen().expect("it is there"));
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_ansi(false);
        tracing::subscriber::with_default(subscriber.with_writer(writer).finish(), work);
        fs::read_to_string(&log).expect("it is there")
    }

    #[test]
    fn the_threads_are_on_one_core_and_free_again() {
        beside_writer(|writer| {
            let before = cores_of(writer);
            if !pin_beside(writer) {
                return eprintln!("skipped: needs two cores");
            }
            assert_eq!((cores_of(writer).count(), cores_of(writer)), (1, cores_of(gettid())));
            let said = messages_of(|| {
                sample(WINDOW_US, false);
            });
            assert!(said.contains(" unpinned the log writer and the first worker"), "{said}");
            assert_eq!((cores_of(writer), cores_of(gettid())), (before, before));
        });
    }

    #[test]
    fn a_thread_that_is_started_after_unpinning_may_run_on_any_core() {
        beside_writer(|writer| {
            let before = cores_of(writer);
            if !pin_beside(writer) {
                return eprintln!("skipped: needs two cores");
            }
            unpin();
            let cores = thread::spawn(|| cores_of(gettid())).join().expect("it returns its cores");
            assert_eq!((cores, cores_of(writer)), (before, before));
        });
    }

    #[test]
    fn a_thread_with_no_affinity_to_keep_is_left_alone() {
        let before = cores_of(gettid());
        assert_eq!(sample(WINDOW_US, true), 0);
        unpin();
        assert_eq!(cores_of(gettid()), before);
    }
}
