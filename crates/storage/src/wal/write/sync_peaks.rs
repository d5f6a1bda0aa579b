//! The longest syncs of the last seconds, which show when the disk was slow.

use std::collections::VecDeque;
use std::time::Duration;

use super::admission::now_ms;
use crate::SyncPeak;
use crate::sync::FiguresMutex;

/// Shortest sync that is kept.
const MIN_DURATION: Duration = Duration::from_millis(10);

/// Most seconds that are kept, as in Redis's latency monitor.
const MAX_SECONDS: usize = 160;

/// The longest sync of each second that had one of at least [`MIN_DURATION`].
#[derive(Debug, Default)]
pub(super) struct SyncPeaks(FiguresMutex<VecDeque<SyncPeak>>);

impl SyncPeaks {
    /// Adds a sync that has just ended. Locks only for a long one.
    pub(super) fn record(&self, duration: Duration) {
        if duration >= MIN_DURATION {
            let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            self.keep(SyncPeak { unix_seconds: now_ms() / 1000, ms });
        }
    }

    fn keep(&self, peak: SyncPeak) {
        let mut peaks = self.0.lock();
        match peaks.back_mut() {
            Some(last) if last.unix_seconds == peak.unix_seconds => last.ms = last.ms.max(peak.ms),
            _ => {
                if peaks.len() == MAX_SECONDS {
                    peaks.pop_front();
                }
                peaks.push_back(peak);
            }
        }
    }

    /// Returns the kept ones, oldest first.
    pub(super) fn recent(&self) -> Vec<SyncPeak> {
        self.0.lock().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_sync_of_each_second_is_kept_for_the_last_seconds() {
        let peaks = SyncPeaks::default();
        for unix_seconds in 0..MAX_SECONDS as u64 + 5 {
            [20, 40, 30].into_iter().for_each(|ms| peaks.keep(SyncPeak { unix_seconds, ms }));
        }
        let recent = peaks.recent();
        assert_eq!(recent.len(), MAX_SECONDS);
        assert_eq!(recent.first(), Some(&SyncPeak { unix_seconds: 5, ms: 40 }));
        assert_eq!(recent.last(), Some(&SyncPeak { unix_seconds: MAX_SECONDS as u64 + 4, ms: 40 }));
    }

    #[test]
    fn a_quick_sync_is_not_kept() {
        let peaks = SyncPeaks::default();
        peaks.record(MIN_DURATION - Duration::from_micros(1));
        assert_eq!(peaks.recent(), []);
        peaks.record(MIN_DURATION);
        assert!(matches!(peaks.recent()[..], [SyncPeak { ms: 10, .. }]));
    }
}
