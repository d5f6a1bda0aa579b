//! The slow log: the last commands that took longer than `--slow-ms`. Its memory is bounded.

mod entry;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

pub(crate) use entry::SlowCommand;

use crate::ServerConfig;
use crate::rate_limit::RateLimit;

/// Most bytes of all entries: 10,000 short commands, or some 400 of the longest ones. It also bounds the answer that has them all.
const MAX_SLOW_LOG_BYTES: usize = 2 * 1024 * 1024;

/// Threshold that no duration reaches.
const NEVER: u64 = u64::MAX;

/// The slow commands of a server.
#[derive(Debug)]
pub(crate) struct SlowLog {
    /// Duration from which a command is slow, in nanoseconds.
    threshold_ns: AtomicU64,
    /// Duration from which a command is slow or a latency event, in nanoseconds.
    noticed_ns: AtomicU64,
    entries: Mutex<SlowEntries>,
    pub(crate) messages: RateLimit,
}

/// Entries, the oldest first.
#[derive(Debug, Default)]
struct SlowEntries {
    max_entries: usize,
    next_id: u64,
    by_age: VecDeque<Arc<SlowCommand>>,
    /// Memory of the entries.
    bytes: usize,
}

impl SlowLog {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let log = Self {
            threshold_ns: AtomicU64::new(NEVER),
            noticed_ns: AtomicU64::new(NEVER),
            entries: Mutex::default(),
            messages: RateLimit::default(),
        };
        log.follow(config);
        log
    }

    /// Takes over the settings of a configuration.
    pub(crate) fn follow(&self, config: &ServerConfig) {
        let thresholds = [config.slow_threshold, config.latency_threshold];
        let [slow_ns, latency_ns] = thresholds.map(|threshold| {
            threshold.map_or(NEVER, |threshold| u64::try_from(threshold.as_nanos()).unwrap_or(NEVER))
        });
        self.threshold_ns.store(slow_ns, Ordering::Relaxed);
        self.noticed_ns.store(slow_ns.min(latency_ns), Ordering::Relaxed);
        let mut entries = self.entries.lock();
        entries.max_entries = config.slow_log_entries;
        entries.forget_oldest();
    }

    /// Returns whether a command that took so long is slow or a latency event. Every submit asks: it costs a relaxed load.
    #[inline]
    pub(crate) fn is_noticed(&self, duration: Duration) -> bool {
        duration.as_nanos() >= u128::from(self.noticed_ns.load(Ordering::Relaxed))
    }

    /// Returns whether a command that took so long is slow.
    pub(crate) fn is_slow(&self, duration: Duration) -> bool {
        duration.as_nanos() >= u128::from(self.threshold_ns.load(Ordering::Relaxed))
    }

    /// Returns the number of entries since the start, for Prometheus.
    pub(crate) fn total(&self) -> u64 {
        self.entries.lock().next_id
    }

    /// Adds a command; returns its id.
    pub(crate) fn add(&self, mut command: SlowCommand) -> u64 {
        let mut entries = self.entries.lock();
        let id = entries.next_id;
        command.id = id;
        entries.next_id += 1;
        entries.bytes += command.bytes();
        entries.by_age.push_back(Arc::new(command));
        entries.forget_oldest();
        id
    }

    /// Returns up to so many commands, the newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Arc<SlowCommand>> {
        self.entries.lock().by_age.iter().rev().take(limit).map(Arc::clone).collect()
    }

    /// Returns the number of commands.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().by_age.len()
    }

    /// Forgets all commands; later ones have the ids that follow.
    pub(crate) fn clear(&self) {
        let mut entries = self.entries.lock();
        let forgotten = std::mem::take(&mut entries.by_age);
        entries.bytes = 0;
        drop(entries);
        // Freed without the lock, for which others may wait.
        drop(forgotten);
    }
}

impl SlowEntries {
    /// Forgets the oldest commands until the limits are kept.
    fn forget_oldest(&mut self) {
        while self.by_age.len() > self.max_entries || self.bytes > MAX_SLOW_LOG_BYTES {
            let Some(oldest) = self.by_age.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use rustvault_protocol::Command;

    use super::*;
    use crate::session::Session;

    fn config(slow_log_entries: usize) -> ServerConfig {
        ServerConfig { slow_log_entries, ..ServerConfig::default() }
    }

    fn entry(arguments: &[&str]) -> SlowCommand {
        let session = Session::for_tests();
        SlowCommand::new(Command::MGet, arguments, 0, Duration::from_secs(1), &session.client)
    }

    fn ids(log: &SlowLog) -> Vec<u64> {
        log.newest(usize::MAX).iter().map(|command| command.id).collect()
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_are_forgotten() {
        let log = SlowLog::new(&config(3));
        (0..5).for_each(|id| assert_eq!(log.add(entry(&["k"])), id));
        assert_eq!((ids(&log), log.len()), (vec![4, 3, 2], 3));
        assert_eq!(log.newest(1)[0].id, 4);
        log.follow(&config(1));
        assert_eq!(ids(&log), [4]);
        log.clear();
        assert_eq!((log.len(), log.add(entry(&["k"]))), (0, 5));
    }

    #[test]
    fn a_command_is_slow_from_the_threshold_on() {
        let log = SlowLog::new(&ServerConfig::default());
        let slow = |micros: u64| log.is_slow(Duration::from_micros(micros));
        assert_eq!([slow(99_999), slow(100_000), slow(u64::MAX)], [false, true, true]);
        log.follow(&ServerConfig { slow_threshold: None, ..ServerConfig::default() });
        assert!(!slow(u64::from(u32::MAX) * 1_000_000));
    }

    #[test]
    fn the_memory_of_the_longest_commands_is_bounded() {
        let log = SlowLog::new(&config(crate::MAX_SLOW_LOG_ENTRIES));
        let long = "x".repeat(1_000_000);
        let arguments = vec![long.as_str(); 100];
        (0..1000).for_each(|_| _ = log.add(entry(&arguments)));
        let bytes = log.newest(usize::MAX).iter().map(|command| command.bytes()).sum::<usize>();
        assert_eq!(bytes, log.entries.lock().bytes);
        assert!((MAX_SLOW_LOG_BYTES * 99 / 100..=MAX_SLOW_LOG_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn others_may_add_while_one_resets_and_one_reads() {
        const ADDED: u64 = 2000;
        let (log, is_done) = (SlowLog::new(&config(16)), AtomicBool::new(false));
        thread::scope(|scope| {
            let adding: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| (0..ADDED).map(|_| log.add(entry(&["k"]))).collect::<Vec<_>>()))
                .collect();
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let ids = ids(&log);
                    assert!(ids.len() <= 16 && ids.windows(2).all(|pair| pair[0] > pair[1]), "{ids:?}");
                    log.clear();
                }
            });
            let mut added: Vec<_> = adding.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            is_done.store(true, Ordering::Relaxed);
            added.sort_unstable();
            assert_eq!(added, (0..2 * ADDED).collect::<Vec<_>>());
        });
        let entries = log.entries.lock();
        let bytes = entries.by_age.iter().map(|command| command.bytes()).sum::<usize>();
        assert_eq!(entries.bytes, bytes);
    }
}
