//! Histograms of the durations of a commit's stages, since the start: they say what a slow write has waited for.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::sync::Mutex;
use crate::{CommitLatency, Latency};

/// Longest duration that a histogram distinguishes, in microseconds: a minute. A disk that takes longer is reported as one that hangs.
const MAX_US: u64 = 60_000_000;

/// Significant decimal digits of a histogram. Three would take seven times the memory (20 KiB now), and say no more about a cause.
const DIGITS: u8 = 2;

/// Durations of all commits' stages, as [`CommitLatency`] defines them.
///
/// Each stage has a lock of its own, because the committing thread, the syncer and woken threads record at the same time.
#[derive(Debug)]
pub(super) struct CommitTimes {
    /// This one and the next three are recorded under the appender's lock alone.
    pub(super) gather: Times,
    pub(super) queue: Times,
    pub(super) write: Times,
    pub(super) reserve: Times,
    /// Recorded by whoever syncs.
    pub(super) sync: Times,
    /// Recorded by those who are woken, on their own threads.
    pub(super) wake: Times,
}

/// Durations of one stage.
#[derive(Debug)]
pub(super) struct Times(Mutex<Histogram<u64>>);

impl CommitTimes {
    pub(super) fn new() -> Self {
        Self {
            gather: Times::new(),
            queue: Times::new(),
            write: Times::new(),
            reserve: Times::new(),
            sync: Times::new(),
            wake: Times::new(),
        }
    }

    /// Returns summaries of what was recorded so far.
    pub(super) fn latency(&self) -> CommitLatency {
        CommitLatency {
            gather: self.gather.latency(),
            queue: self.queue.latency(),
            write: self.write.latency(),
            sync: self.sync.latency(),
            wake: self.wake.latency(),
            reserve: self.reserve.latency(),
        }
    }
}

impl Times {
    fn new() -> Self {
        let histogram = Histogram::new_with_max(MAX_US, DIGITS);
        Self(Mutex::new(histogram.unwrap_or_else(|_| unreachable!("these bounds are accepted"))))
    }

    /// Adds one duration.
    pub(super) fn record(&self, time: Duration) {
        self.0.lock().saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    fn latency(&self) -> Latency {
        let histogram = self.0.lock();
        Latency {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}
