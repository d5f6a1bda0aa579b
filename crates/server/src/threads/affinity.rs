//! Pins the log writer and the first worker to one core, or leaves both to the kernel, whatever is better. Relies on two
//! cores alone: with more the kernel mostly finds an idle one, and nothing is pinned.
//!
//! The kernel wakes a thread where it ran last if that core is idle, else rather where its waker runs. On a machine of two
//! cores whose clients run there, too, that soon has the log writer wait behind a client, or a client behind the worker
//! that serves it, for up to a millisecond while the other core idles (`perf sched`). So log writer and worker run on one core as
//! long as it is enough for them, and leave the other one to the clients. It is the core that the disk interrupts: what a sync wakes is
//! then next to what waits for it. Throughput, Redis = 1, without and with this: SET from 50 connections 1.21 and 1.45, from
//! 500 1.02 and 1.11, in pipelines of 16 2.32 and 2.74. Pinned from outside (`taskset`) to the core of the disk these
//! were 1.38, 1.07 and 2.64, to the other core 1.21, 0.93 and 2.49.

use std::io;
use std::path::Path;

use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity};
use tracing::debug;

use super::procfs::{ThreadTime, interrupted_core, thread_time};

/// Share of the core, in thousandths, above which the writer is not pinned any more: it has much to copy.
const BUSY_PINNED_WRITER: u32 = 500;

/// Share of a core of its own, in thousandths, above which the writer is not pinned. What uses 550 there may use 250 beside
/// the worker, whose records it then finds in its core's caches.
const BUSY_UNPINNED_WRITER: u32 = 700;

/// Most that both threads together may wait for their core, in thousandths of the time. They wait about 300 for each
/// other, and 550 to 850 beside a thread that keeps their core or the other one busy.
const CROWDED: u32 = 500;

/// Time for which both are left to the kernel after their core was not enough for them, in microseconds.
const RETRY_US: u64 = 2_000_000;

/// The cores of the log writer and the first worker. Only that worker uses it.
#[derive(Debug)]
pub(crate) struct Affinity {
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

/// The decision whether both are to be on one core, and what it is based on.
#[derive(Debug, Default)]
struct PinningPolicy {
    is_pinned: bool,
    retry_at_us: u64,
    /// Share of a core that the writer used in the last window, in thousandths.
    writer_share: u32,
    /// Time that both have waited for their core in the last windows, in thousandths; recent ones count more.
    waited: u32,
}

impl Affinity {
    /// Makes one for this thread and the writer of the log at `log`; `None` if the kernel is to decide.
    pub(crate) fn new(writer: Option<i32>, log: &Path) -> Option<Self> {
        let (writer, worker) = (PinnedThread::new(Pid::from_raw(writer?)?)?, PinnedThread::new(gettid())?);
        let all_cores = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| all_cores.is_set(core));
        let (first, second, None) = (cores.next()?, cores.next()?, cores.next()) else { return None };
        let mut home_core = CpuSet::new();
        home_core.set(if interrupted_core(log) == Some(second) { second } else { first });
        Some(Self { writer, worker, all_cores, home_core, policy: PinningPolicy::default() })
    }

    /// Measures both threads in the window that ends now. Returns the share of this worker's core that the writer used, in
    /// thousandths; `None`: the writer has ended.
    pub(crate) fn measure(&mut self, window_us: u64) -> Option<u32> {
        let (Some(writer), Some(worker)) = (self.writer.since_last_sample(), self.worker.since_last_sample())
        else {
            // The number of a thread that has ended may be another's by now.
            let _ = sched_setaffinity(Some(self.worker.thread), &self.all_cores);
            return None;
        };
        let thousandths = |us: u64| u32::try_from(us * 1000 / window_us).unwrap_or(u32::MAX);
        self.policy.observe(thousandths(writer.ran_us), thousandths(writer.waited_us + worker.waited_us));
        Some(if self.policy.is_pinned { self.policy.writer_share } else { 0 })
    }

    /// Pins or unpins the threads by what was measured; `is_one_enough`: no other worker serves, or should.
    pub(crate) fn apply(&mut self, is_one_enough: bool, now_us: u64) -> io::Result<()> {
        let was_pinned = self.policy.is_pinned;
        if self.policy.decide(is_one_enough, now_us) == was_pinned {
            return Ok(());
        }
        let PinningPolicy { is_pinned, writer_share, waited, .. } = self.policy;
        debug!(
            is_pinned,
            is_one_enough, writer_share, waited, "pinned or unpinned the log writer and the first worker"
        );
        let applied = self.run_on(if was_pinned { &self.all_cores } else { &self.home_core });
        if applied.is_err() {
            // Not one of them alone; it has failed anyway.
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

impl PinningPolicy {
    fn observe(&mut self, writer_share: u32, waited: u32) {
        self.writer_share = writer_share;
        // Single windows vary too much.
        self.waited = if self.is_pinned { (3 * self.waited).saturating_add(waited) / 4 } else { 0 };
    }

    fn decide(&mut self, is_one_enough: bool, now_us: u64) -> bool {
        let busy = if self.is_pinned { BUSY_PINNED_WRITER } else { BUSY_UNPINNED_WRITER };
        let is_crowded = self.writer_share > busy || self.waited > CROWDED;
        if is_crowded {
            self.retry_at_us = now_us + RETRY_US;
        }
        // Without writes it makes no difference, and nothing is changed.
        let may_begin = self.writer_share > 0 && now_us >= self.retry_at_us;
        self.is_pinned = is_one_enough && !is_crowded && (self.is_pinned || may_begin);
        self.is_pinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(is_pinned: bool, writer_share: u32, waited: u32) -> PinningPolicy {
        PinningPolicy { is_pinned, retry_at_us: 0, writer_share, waited }
    }

    #[test]
    fn a_writer_with_little_to_do_runs_beside_the_worker() {
        assert!(policy(false, 600, 0).decide(true, 1));
        assert!(policy(true, 200, 400).decide(true, 1));
    }

    #[test]
    fn a_busy_writer_gets_a_core_of_its_own_and_keeps_it_for_a_while() {
        assert!(!policy(false, 800, 0).decide(true, 1));
        let mut policy = policy(true, 600, 0);
        assert!(!policy.decide(true, 1));
        policy.writer_share = 100;
        assert!(!policy.decide(true, RETRY_US));
        assert!(policy.decide(true, RETRY_US + 1));
    }

    #[test]
    fn a_core_that_others_want_is_left() {
        let mut policy = policy(true, 200, 300);
        let lasts = (1..10).take_while(|_| {
            policy.observe(200, 700);
            policy.decide(true, 1)
        });
        assert_eq!(lasts.count(), 2, "one window tells little");
        policy.observe(200, 900);
        assert_eq!(policy.waited, 0, "apart, they wait for others");
    }

    #[test]
    fn what_needs_several_workers_is_left_to_the_kernel() {
        assert!(!policy(true, 200, 0).decide(false, 1));
        assert!(!policy(false, 200, 0).decide(false, 1));
    }

    #[test]
    fn without_writes_nothing_changes() {
        assert!(policy(true, 0, 0).decide(true, 1));
        assert!(!policy(false, 0, 0).decide(true, 1));
    }

    #[test]
    fn the_threads_are_on_one_core_and_free_again() {
        std::thread::scope(|scope| {
            let (ended, writer) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel());
            scope.spawn(move || {
                let _ = writer.0.send(gettid());
                let _ = ended.1.recv();
            });
            let writer = writer.1.recv().expect("the thread has begun");
            let on = |thread| sched_getaffinity(Some(thread)).expect("the thread is there");
            let before = on(writer);
            let Some(mut affinity) = Affinity::new(Some(writer.as_raw_nonzero().get()), Path::new("log"))
            else {
                return eprintln!("skipped: not a machine of two cores");
            };
            affinity.policy.writer_share = 100;
            affinity.apply(true, 1).expect("both may be pinned");
            assert_eq!((on(writer).count(), on(writer)), (1, on(gettid())));
            affinity.apply(false, 1).expect("both may be pinned");
            assert_eq!((on(writer), on(gettid())), (before, before));
            drop(ended.0);
        });
    }
}
