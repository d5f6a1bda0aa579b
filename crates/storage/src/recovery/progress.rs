//! Progress of a recovery: shown to others, and reported with the time that is left.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use crate::sync::{Instant, Mutex};

/// Interval at which a recovery that takes longer reports its progress.
const INTERVAL: Duration = Duration::from_secs(1);

/// Progress of a recovery, which other threads may look at while it runs. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct RecoveryProgress(Arc<ProgressCounts>);

#[derive(Debug, Default)]
struct ProgressCounts {
    /// A [`RecoveryPhase`].
    phase: AtomicU8,
    len_bytes: AtomicU64,
    bytes: AtomicU64,
    records: AtomicU64,
}

/// Phase of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RecoveryPhase {
    /// The log is opened and locked.
    #[default]
    Opening,
    /// Its records are read.
    Reading,
    /// All records were read: the keyspace is completed, and the end of the file is repaired and synced.
    Finishing,
}

impl fmt::Display for RecoveryPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening the log",
            Self::Reading => "reading the log",
            Self::Finishing => "finishing the recovery",
        })
    }
}

impl RecoveryProgress {
    /// Returns the phase, which is the last one once the recovery has ended.
    pub fn phase(&self) -> RecoveryPhase {
        let phases = [RecoveryPhase::Opening, RecoveryPhase::Reading];
        let phase = usize::from(self.0.phase.load(Ordering::Acquire));
        phases.get(phase).copied().unwrap_or(RecoveryPhase::Finishing)
    }

    fn enter(&self, phase: RecoveryPhase) {
        self.0.phase.store(phase as u8, Ordering::Release);
    }

    /// Returns the size of the log in bytes; 0 before it is opened.
    pub fn len_bytes(&self) -> u64 {
        self.0.len_bytes.load(Ordering::Relaxed)
    }

    /// Returns the bytes of the log that were read.
    pub fn read_bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Returns the records that were read.
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// Returns how much of the log was read, in percent.
    pub fn percent(&self) -> u64 {
        match self.phase() {
            RecoveryPhase::Opening => 0,
            RecoveryPhase::Reading => percent(self.read_bytes(), self.len_bytes()),
            RecoveryPhase::Finishing => 100,
        }
    }
}

fn percent(bytes: u64, len_bytes: u64) -> u64 {
    (u128::from(bytes) * 100 / u128::from(len_bytes.max(1))) as u64
}

/// Reports the progress of a recovery.
pub(super) struct ProgressReporter {
    began: Instant,
    progress: RecoveryProgress,
    /// Time of the last report.
    reported_at: Mutex<Instant>,
}

/// Report on the progress of a recovery.
#[derive(Debug, PartialEq, Eq)]
struct ProgressReport {
    records: u64,
    percent: u64,
    /// Estimate at the present speed.
    left: Duration,
}

impl ProgressReporter {
    /// Begins at `now` the recovery of a log of `len_bytes`.
    pub(super) fn new(progress: &RecoveryProgress, len_bytes: u64, now: Instant) -> Self {
        progress.0.len_bytes.store(len_bytes, Ordering::Relaxed);
        progress.enter(RecoveryPhase::Reading);
        Self { began: now, progress: progress.clone(), reported_at: Mutex::new(now) }
    }

    /// Adds progress, and reports it if a second has passed since the last report.
    pub(super) fn advance(&self, records: u64, bytes: u64) {
        if let Some(ProgressReport { records, percent, left }) = self.count(records, bytes, Instant::now()) {
            info!(records, percent, seconds_left = left.as_secs(), "reading the log");
        }
    }

    /// Ends the reading. What was not counted are zeros and a torn tail at the end of the file.
    pub(super) fn finish(&self) {
        let counts = &*self.progress.0;
        counts.bytes.store(self.progress.len_bytes(), Ordering::Relaxed);
        self.progress.enter(RecoveryPhase::Finishing);
    }

    fn count(&self, records: u64, bytes: u64, now: Instant) -> Option<ProgressReport> {
        let counts = &*self.progress.0;
        let records = counts.records.fetch_add(records, Ordering::Relaxed) + records;
        let bytes = counts.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let len_bytes = self.progress.len_bytes();
        // If another thread holds the lock, that one reports.
        let mut reported_at = self.reported_at.try_lock()?;
        if now.saturating_duration_since(*reported_at) < INTERVAL {
            return None;
        }
        *reported_at = now;
        let percent = percent(bytes, len_bytes);
        let share_left = len_bytes.saturating_sub(bytes) as f64 / bytes.max(1) as f64;
        let left = now.saturating_duration_since(self.began).as_secs_f64() * share_left;
        let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
        Some(ProgressReport { records, percent, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_recovery_tells_nothing() {
        let began = Instant::now();
        let progress = ProgressReporter::new(&RecoveryProgress::default(), 1000, began);
        for millis in [0, 500, 999] {
            assert_eq!(progress.count(1, 100, began + Duration::from_millis(millis)), None);
        }
    }

    #[test]
    fn a_slow_recovery_tells_once_a_second_how_far_it_is() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let progress = ProgressReporter::new(&RecoveryProgress::default(), 1000, began);
        assert_eq!(progress.count(10, 100, at(900)), None);
        let report = ProgressReport { records: 20, percent: 20, left: Duration::from_secs(8) };
        assert_eq!(progress.count(10, 100, at(2000)), Some(report));
        assert_eq!(progress.count(10, 100, at(2999)), None);
        let report = ProgressReport { records: 35, percent: 40, left: Duration::from_millis(4500) };
        assert_eq!(progress.count(5, 100, at(3000)), Some(report));
    }

    #[test]
    fn each_phase_can_be_seen_and_the_end_of_the_reading_is_all_of_it() {
        let progress = RecoveryProgress::default();
        assert_eq!((progress.phase(), progress.percent()), (RecoveryPhase::Opening, 0));
        let reporter = ProgressReporter::new(&progress, 1000, Instant::now());
        reporter.advance(1, 300);
        assert_eq!((progress.phase(), progress.percent()), (RecoveryPhase::Reading, 30));
        reporter.finish();
        assert_eq!((progress.phase(), progress.percent()), (RecoveryPhase::Finishing, 100));
        assert_eq!((progress.records(), progress.read_bytes()), (1, 1000));
    }

    #[test]
    fn the_figures_of_an_empty_file_are_sound() {
        let began = Instant::now();
        let report = ProgressReport { records: 0, percent: 0, left: Duration::ZERO };
        assert_eq!(
            ProgressReporter::new(&RecoveryProgress::default(), 0, began).count(0, 0, began + INTERVAL),
            Some(report)
        );
    }
}
