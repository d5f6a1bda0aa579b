//! Reports the progress of a recovery, and the time that is left.

use std::time::Duration;

use tracing::info;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Instant, Mutex};

/// Interval at which a recovery that takes longer reports its progress.
const INTERVAL: Duration = Duration::from_secs(1);

/// Progress of a recovery.
pub(super) struct RecoveryProgress {
    began: Instant,
    len_bytes: u64,
    bytes: AtomicU64,
    records: AtomicU64,
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

impl RecoveryProgress {
    /// Begins at `now` the recovery of a log of `len_bytes`.
    pub(super) fn new(len_bytes: u64, now: Instant) -> Self {
        Self { began: now, len_bytes, bytes: 0.into(), records: 0.into(), reported_at: Mutex::new(now) }
    }

    /// Adds progress, and reports it if a second has passed since the last report.
    pub(super) fn advance(&self, records: u64, bytes: u64) {
        if let Some(ProgressReport { records, percent, left }) = self.count(records, bytes, Instant::now()) {
            info!(records, percent, seconds_left = left.as_secs(), "reading the log");
        }
    }

    fn count(&self, records: u64, bytes: u64, now: Instant) -> Option<ProgressReport> {
        let records = self.records.fetch_add(records, Ordering::Relaxed) + records;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // If another thread holds the lock, that one reports.
        let mut reported_at = self.reported_at.try_lock()?;
        if now.saturating_duration_since(*reported_at) < INTERVAL {
            return None;
        }
        *reported_at = now;
        let percent = (u128::from(bytes) * 100 / u128::from(self.len_bytes.max(1))) as u64;
        let share_left = self.len_bytes.saturating_sub(bytes) as f64 / bytes.max(1) as f64;
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
        let progress = RecoveryProgress::new(1000, began);
        for millis in [0, 500, 999] {
            assert_eq!(progress.count(1, 100, began + Duration::from_millis(millis)), None);
        }
    }

    #[test]
    fn a_slow_recovery_tells_once_a_second_how_far_it_is() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let progress = RecoveryProgress::new(1000, began);
        assert_eq!(progress.count(10, 100, at(900)), None);
        let report = ProgressReport { records: 20, percent: 20, left: Duration::from_secs(8) };
        assert_eq!(progress.count(10, 100, at(2000)), Some(report));
        assert_eq!(progress.count(10, 100, at(2999)), None);
        let report = ProgressReport { records: 35, percent: 40, left: Duration::from_millis(4500) };
        assert_eq!(progress.count(5, 100, at(3000)), Some(report));
    }

    #[test]
    fn the_figures_of_an_empty_file_are_sound() {
        let began = Instant::now();
        let report = ProgressReport { records: 0, percent: 0, left: Duration::ZERO };
        assert_eq!(RecoveryProgress::new(0, began).count(0, 0, began + INTERVAL), Some(report));
    }
}
