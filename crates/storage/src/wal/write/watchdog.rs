//! Reports a sync that hangs: it neither ends nor fails, so no error would say so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::atomic::Ordering::{Relaxed, SeqCst};
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{Condvar, Instant, Mutex};

/// A sync that takes longer than this is reported.
const HANGS_AFTER: Duration = Duration::from_secs(5);

/// Interval between looks at a running sync. The thread sleeps while none runs.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Reports syncs of the log that take very long, on a thread of its own: whoever syncs is stuck in the system.
pub(in crate::wal) struct Watchdog {
    state: Arc<WatchdogState>,
    is_started: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// State that the watching thread shares with those that sync.
struct WatchdogState {
    path: PathBuf,
    opened: Instant,
    /// Start of the running sync, in microseconds since `opened`, at least 1; 0 if none runs.
    sync_began_us: AtomicU64,
    slow_syncs: AtomicU64,
    /// Start of the last sync that was counted in `slow_syncs`, as in `sync_began_us`.
    last_slow_began_us: AtomicU64,
    /// The thread sleeps until a sync begins.
    is_asleep: AtomicBool,
    is_stopping: Mutex<bool>,
    changed: Condvar,
}

/// News of a sync, and how long it has taken.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Hangs(Duration),
    Ended(Duration),
}

/// A sync that runs; dropped when it is over.
pub(in crate::wal) struct RunningSync<'w>(&'w WatchdogState);

impl Watchdog {
    /// A watchdog of the log at `path`, which does not look yet.
    pub(super) fn new(path: PathBuf) -> Self {
        let state = WatchdogState {
            path,
            opened: Instant::now(),
            sync_began_us: AtomicU64::new(0),
            slow_syncs: AtomicU64::new(0),
            last_slow_began_us: AtomicU64::new(0),
            is_asleep: AtomicBool::new(false),
            is_stopping: Mutex::new(false),
            changed: Condvar::new(),
        };
        Self { state: Arc::new(state), is_started: AtomicBool::new(false), thread: Mutex::new(None) }
    }

    /// Starts the thread, unless it was started before: a log that is only opened needs none. Without one syncs are
    /// timed all the same, and nothing is reported.
    pub(super) fn start(&self) {
        if self.is_started.load(Relaxed) || self.is_started.swap(true, Relaxed) {
            return;
        }
        let state = Arc::clone(&self.state);
        let thread = Builder::new().name("wal-watchdog".to_owned()).spawn(move || state.run());
        match thread {
            Ok(thread) => *self.thread.lock() = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "cannot start the thread that watches the log's syncs: a sync that hangs will not be reported");
                self.is_started.store(false, Relaxed);
            }
        }
    }

    /// Times a sync that begins now. The log's syncs run one at a time.
    pub(in crate::wal) fn sync_begins(&self) -> RunningSync<'_> {
        let state = &*self.state;
        state.sync_began_us.store(state.now_us().max(1), SeqCst);
        if state.is_asleep.load(SeqCst) && state.is_asleep.swap(false, SeqCst) {
            drop(state.is_stopping.lock());
            state.changed.notify_one();
        }
        RunningSync(state)
    }

    /// Returns how long the running sync has taken; zero if none runs.
    pub(super) fn sync_running(&self) -> Duration {
        self.state.sync_running()
    }

    /// Returns the number of syncs that have taken [`HANGS_AFTER`] or more, the running one included.
    pub(super) fn slow_syncs(&self) -> u64 {
        self.state.note_if_slow();
        self.state.slow_syncs.load(Relaxed)
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        *self.state.is_stopping.lock() = true;
        self.state.changed.notify_one();
        if self.thread.lock().take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that watches the log's syncs panicked");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Drop for RunningSync<'_> {
    fn drop(&mut self) {
        self.0.note_if_slow();
        self.0.sync_began_us.store(0, SeqCst);
    }
}

impl WatchdogState {
    fn run(&self) {
        let mut hanging_since_us = None;
        let mut is_stopping = self.is_stopping.lock();
        while !*is_stopping {
            match self.look(&mut hanging_since_us) {
                Some(News::Hangs(running)) => tracing::error!(
                    "the disk hangs: a sync of {} has run for {} s; writes wait for it, reads continue",
                    self.path.display(),
                    running.as_secs()
                ),
                Some(News::Ended(took)) => tracing::warn!(
                    "the sync of {} that hung has ended, after about {} s",
                    self.path.display(),
                    took.as_secs()
                ),
                None => {}
            }
            // First told, then looked: either a sync that begins now sees that we sleep, or we see it.
            self.is_asleep.store(true, SeqCst);
            if self.sync_began_us.load(SeqCst) == 0 && hanging_since_us.is_none() {
                while !*is_stopping && self.is_asleep.load(SeqCst) {
                    self.changed.wait(&mut is_stopping);
                }
            }
            self.is_asleep.store(false, SeqCst);
            if !*is_stopping {
                self.changed.wait_for(&mut is_stopping, LOOK_EVERY);
            }
        }
    }

    /// Finds, once each, that a sync hangs and that it has ended; `hanging_since_us` remembers which one.
    fn look(&self, hanging_since_us: &mut Option<u64>) -> Option<News> {
        let began_us = self.sync_began_us.load(SeqCst);
        if let Some(since_us) = hanging_since_us.take_if(|since_us| *since_us != began_us) {
            return Some(News::Ended(self.since(since_us)));
        }
        let hangs = began_us > 0 && hanging_since_us.is_none() && self.since(began_us) >= HANGS_AFTER;
        hangs.then(|| {
            *hanging_since_us = Some(began_us);
            News::Hangs(self.since(began_us))
        })
    }

    /// Counts the running sync if it is slow, and only once: syncs begin one after the other, so the latest one that was counted tells.
    fn note_if_slow(&self) {
        let began_us = self.sync_began_us.load(SeqCst);
        let is_slow = began_us > 0 && self.since(began_us) >= HANGS_AFTER;
        if is_slow && self.last_slow_began_us.fetch_max(began_us, SeqCst) < began_us {
            self.slow_syncs.fetch_add(1, Relaxed);
        }
    }

    fn sync_running(&self) -> Duration {
        match self.sync_began_us.load(SeqCst) {
            0 => Duration::ZERO,
            began_us => self.since(began_us),
        }
    }

    fn since(&self, began_us: u64) -> Duration {
        Duration::from_micros(self.now_us().saturating_sub(began_us))
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_hangs_is_reported_once_and_so_is_its_end() {
        let mut watchdog = Watchdog::new("vault.log".into());
        let mut hanging = None;
        let running = {
            let state = Arc::get_mut(&mut watchdog.state).unwrap();
            state.opened -= Duration::from_secs(100);
            state.sync_began_us.store(95_000_000, SeqCst);
            RunningSync(state)
        };
        let found = running.0.look(&mut hanging);
        assert!(matches!(found, Some(News::Hangs(running)) if running.as_secs() == 5), "{found:?}");
        assert_eq!(running.0.look(&mut hanging), None);
        drop(running);
        let found = watchdog.state.look(&mut hanging);
        assert!(matches!(found, Some(News::Ended(_))), "{found:?}");
        assert_eq!(watchdog.state.look(&mut hanging), None);
        let _next = watchdog.sync_begins();
        assert_eq!(watchdog.state.look(&mut hanging), None, "it has just begun");
    }

    #[test]
    fn a_slow_sync_is_counted_once_while_it_runs_or_when_it_ends_and_a_quick_one_is_not() {
        let mut watchdog = Watchdog::new("vault.log".into());
        Arc::get_mut(&mut watchdog.state).unwrap().opened -= Duration::from_secs(100);
        let slow_sync = |began_us| {
            watchdog.state.sync_began_us.store(began_us, SeqCst);
            RunningSync(&watchdog.state)
        };
        drop(watchdog.sync_begins());
        assert_eq!(watchdog.slow_syncs(), 0);
        let running = slow_sync(80_000_000);
        assert_eq!([watchdog.slow_syncs(), watchdog.slow_syncs()], [1, 1], "while it runs");
        drop(running);
        assert_eq!(watchdog.slow_syncs(), 1, "it was counted before");
        drop(slow_sync(90_000_000));
        assert_eq!(watchdog.slow_syncs(), 2, "nobody looked while it ran");
    }

    #[test]
    fn the_thread_sleeps_while_nothing_is_synced_and_ends_when_it_is_told_to() {
        let watchdog = Watchdog::new("vault.log".into());
        watchdog.start();
        while !watchdog.state.is_asleep.load(SeqCst) {
            std::thread::yield_now();
        }
        drop(watchdog.sync_begins());
        assert!(!watchdog.state.is_asleep.load(SeqCst));
        watchdog.stop();
        assert!(watchdog.thread.lock().is_none());
    }
}
