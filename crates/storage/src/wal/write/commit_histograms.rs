//! Histograms of the durations of a commit's stages since the start, which show the stage that slow writes wait for.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::sync::{FiguresMutex, Instant};
use crate::{CommitLatency, LatencySummary};

/// Longest duration that a histogram distinguishes, in microseconds: a minute. A longer sync is reported as a hanging disk.
const MAX_US: u64 = 60_000_000;

/// Significant decimal digits of a histogram, which takes 20 KiB. Three digits would take seven times the memory, and show no more about a cause.
const DIGITS: u8 = 2;

/// Durations of all commits' stages, as [`CommitLatency`] defines them.
///
/// Each stage has a lock of its own, because the committing thread, the syncer and woken threads record at the same time.
#[derive(Debug, Default)]
pub(super) struct CommitHistograms {
    /// This one and the next three are recorded under the appender's lock alone.
    pub(super) gather: Durations,
    pub(super) queue: Durations,
    pub(super) write: Durations,
    pub(super) reserve: Durations,
    /// Recorded by whoever syncs.
    pub(super) sync: Durations,
    /// Recorded by those who are woken, on their own threads.
    pub(super) wake: Durations,
}

/// Histogram of the durations of one stage.
#[derive(Debug)]
pub(super) struct Durations(FiguresMutex<Histogram<u64>>);

impl CommitHistograms {
    /// Returns summaries of what was recorded so far.
    pub(super) fn latency(&self) -> CommitLatency {
        CommitLatency {
            gather: self.gather.summary(),
            queue: self.queue.summary(),
            write: self.write.summary(),
            sync: self.sync.summary(),
            wake: self.wake.summary(),
            reserve: self.reserve.summary(),
        }
    }
}

impl Durations {
    /// Adds one duration.
    pub(super) fn record(&self, duration: Duration) {
        self.0.lock().saturating_record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// Runs `work` and adds the duration of that.
    pub(super) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.record(began.elapsed());
        result
    }

    fn summary(&self) -> LatencySummary {
        let histogram = self.0.lock();
        LatencySummary {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}

impl Default for Durations {
    fn default() -> Self {
        let histogram = Histogram::new_with_max(MAX_US, DIGITS);
        Self(FiguresMutex::new(histogram.unwrap_or_else(|_| unreachable!("these bounds are accepted"))))
    }
}
