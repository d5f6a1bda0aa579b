//! On which core the log's writer and the thread that serves run.
//!
//! The kernel wakes a thread where it ran last if that core is idle, else rather where its waker runs. On a machine of two
//! cores whose clients run there, too, that soon has the log's writer wait behind a client, or a client behind the thread
//! that serves it, for up to a millisecond while the other core idles (`perf sched`). So both run on one core as long as it
//! is enough for them, and leave the other one to the clients. It is the core that the disk interrupts: what a sync wakes is
//! then next to what waits for it. Throughput, Redis = 1, without and with this: SET from 50 connections 1.21 and 1.45, from
//! 500 1.02 and 1.11, in pipelines of 16 2.32 and 2.74. Pinned from outside (`taskset`) to the core of the disk these
//! were 1.38, 1.07 and 2.64, to the other core 1.21, 0.93 and 2.49.
//!
//! With more cores the kernel mostly finds an idle one, and nothing is placed.

use std::io;
use std::path::Path;

use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity};
use tracing::debug;

use super::procfs::{ThreadTime, interrupted_core, thread_time};

/// With more than this part of the core, in thousandths, the writer gets one of its own: it has much to copy.
const BUSY_WRITER: u32 = 500;

/// With more than this part of a core of its own, in thousandths, it keeps that. What takes 550 there may take
/// 250 beside the thread that serves, whose records it then finds in its core's caches.
const BUSY_WRITER_APART: u32 = 700;

/// What both threads together may wait for their core, in thousandths of the time. They wait about 300 for each
/// other, and 550 to 850 beside a thread that keeps their core or the other one busy.
const CROWDED: u32 = 500;

/// How long both are left to the kernel when their core was not enough for them, in microseconds.
const RETRY_US: u64 = 2_000_000;

/// Where the writer and the thread that serves run. Only that thread uses it.
#[derive(Debug)]
pub(crate) struct Placement {
    writer: Placed,
    server: Placed,
    anywhere: CpuSet,
    home: CpuSet,
    judge: Judge,
}

/// One of the two threads, and what it has had of the cores so far.
#[derive(Debug)]
struct Placed {
    thread: Pid,
    time: ThreadTime,
}

/// Says whether both are to be on one core.
#[derive(Debug, Default)]
struct Judge {
    are_together: bool,
    retry_at_us: u64,
    /// What the writer took of a core in the last window, in thousandths.
    writer_share: u32,
    /// What both have waited for their core in the last windows, of late rather than long ago, in thousandths.
    waited: u32,
}

impl Placement {
    /// For this thread and the writer of the log at `log`; `None` if they are left to the kernel.
    pub(crate) fn new(writer: Option<i32>, log: &Path) -> Option<Self> {
        let (writer, server) = (Placed::new(Pid::from_raw(writer?)?)?, Placed::new(gettid())?);
        let anywhere = sched_getaffinity(None).ok()?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| anywhere.is_set(core));
        let (first, second, None) = (cores.next()?, cores.next()?, cores.next()) else { return None };
        let mut home = CpuSet::new();
        home.set(if interrupted_core(log) == Some(second) { second } else { first });
        Some(Self { writer, server, anywhere, home, judge: Judge::default() })
    }

    /// Looks what the threads had of the cores in the window that ends now. Returns what the writer took of this
    /// thread's core, in thousandths of it; `None`: the writer has ended.
    pub(crate) fn measure(&mut self, window_us: u64) -> Option<u32> {
        let (Some(writer), Some(server)) = (self.writer.lately(), self.server.lately()) else {
            // The number of one that has ended may be another's by now.
            let _ = sched_setaffinity(Some(self.server.thread), &self.anywhere);
            return None;
        };
        let thousandths = |us: u64| u32::try_from(us * 1000 / window_us).unwrap_or(u32::MAX);
        self.judge.learn(thousandths(writer.ran_us), thousandths(writer.waited_us + server.waited_us));
        Some(if self.judge.are_together { self.judge.writer_share } else { 0 })
    }

    /// Places the threads by what was measured; `is_one_enough`: no other thread serves, or should.
    pub(crate) fn settle(&mut self, is_one_enough: bool, now_us: u64) -> io::Result<()> {
        let were_together = self.judge.are_together;
        if self.judge.decide(is_one_enough, now_us) == were_together {
            return Ok(());
        }
        let Judge { are_together, writer_share, waited, .. } = self.judge;
        debug!(
            are_together,
            is_one_enough, writer_share, waited, "placed the log's writer and the thread that serves"
        );
        let placed = self.run_on(if were_together { &self.anywhere } else { &self.home });
        if placed.is_err() {
            // Not one of them alone; it has failed anyway.
            let _ = self.run_on(&self.anywhere);
        }
        placed
    }

    fn run_on(&self, cores: &CpuSet) -> io::Result<()> {
        let writer = sched_setaffinity(Some(self.writer.thread), cores);
        let server = sched_setaffinity(Some(self.server.thread), cores);
        Ok(writer.and(server)?)
    }
}

impl Placed {
    fn new(thread: Pid) -> Option<Self> {
        Some(Self { thread, time: thread_time(thread)? })
    }

    /// What the thread has had of the cores since this was last asked.
    fn lately(&mut self) -> Option<ThreadTime> {
        let now = thread_time(self.thread)?;
        let before = std::mem::replace(&mut self.time, now);
        Some(ThreadTime {
            ran_us: now.ran_us.saturating_sub(before.ran_us),
            waited_us: now.waited_us.saturating_sub(before.waited_us),
        })
    }
}

impl Judge {
    fn learn(&mut self, writer_share: u32, waited: u32) {
        self.writer_share = writer_share;
        // In single windows it strays.
        self.waited = if self.are_together { (3 * self.waited).saturating_add(waited) / 4 } else { 0 };
    }

    fn decide(&mut self, is_one_enough: bool, now_us: u64) -> bool {
        let busy = if self.are_together { BUSY_WRITER } else { BUSY_WRITER_APART };
        let is_too_much = self.writer_share > busy || self.waited > CROWDED;
        if is_too_much {
            self.retry_at_us = now_us + RETRY_US;
        }
        // Without writes it does not matter, and nothing is changed.
        let may_begin = self.writer_share > 0 && now_us >= self.retry_at_us;
        self.are_together = is_one_enough && !is_too_much && (self.are_together || may_begin);
        self.are_together
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(are_together: bool, writer_share: u32, waited: u32) -> Judge {
        Judge { are_together, retry_at_us: 0, writer_share, waited }
    }

    #[test]
    fn a_writer_with_little_to_do_runs_beside_the_thread_that_serves() {
        assert!(judge(false, 600, 0).decide(true, 1));
        assert!(judge(true, 200, 400).decide(true, 1));
    }

    #[test]
    fn a_busy_writer_gets_a_core_of_its_own_and_keeps_it_for_a_while() {
        assert!(!judge(false, 800, 0).decide(true, 1));
        let mut judge = judge(true, 600, 0);
        assert!(!judge.decide(true, 1));
        judge.writer_share = 100;
        assert!(!judge.decide(true, RETRY_US));
        assert!(judge.decide(true, RETRY_US + 1));
    }

    #[test]
    fn a_core_that_others_want_is_left() {
        let mut judge = judge(true, 200, 300);
        let lasts = (1..10).take_while(|_| {
            judge.learn(200, 700);
            judge.decide(true, 1)
        });
        assert_eq!(lasts.count(), 2, "one window tells little");
        judge.learn(200, 900);
        assert_eq!(judge.waited, 0, "apart, they wait for others");
    }

    #[test]
    fn what_needs_several_threads_is_left_to_the_kernel() {
        assert!(!judge(true, 200, 0).decide(false, 1));
        assert!(!judge(false, 200, 0).decide(false, 1));
    }

    #[test]
    fn without_writes_nothing_changes() {
        assert!(judge(true, 0, 0).decide(true, 1));
        assert!(!judge(false, 0, 0).decide(true, 1));
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
            let Some(mut placement) = Placement::new(Some(writer.as_raw_nonzero().get()), Path::new("log"))
            else {
                return eprintln!("skipped: not a machine of two cores");
            };
            placement.judge.writer_share = 100;
            placement.settle(true, 1).expect("both may be placed");
            assert_eq!((on(writer).count(), on(writer)), (1, on(gettid())));
            placement.settle(false, 1).expect("both may be placed");
            assert_eq!((on(writer), on(gettid())), (before, before));
            drop(ended.0);
        });
    }
}
