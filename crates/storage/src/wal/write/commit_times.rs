//! Measures how long each step of a commit takes: what a slow write has waited for.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::sync::Mutex;
use crate::{CommitLatency, Latency};

/// Longest time that a histogram tells apart, in microseconds.
const MAX_US: u64 = 60_000_000;

/// Decimal digits to which a histogram is exact.
const DIGITS: u8 = 2;

/// The times of all commits since the start.
#[derive(Debug)]
pub(super) struct CommitTimes {
    /// Changed under the appender's lock alone.
    pub(super) gather: Times,
    pub(super) queue: Times,
    pub(super) write: Times,
    pub(super) reserve: Times,
    /// Changed by whoever syncs.
    pub(super) sync: Times,
    /// Changed by those who are woken.
    pub(super) wake: Times,
}

/// The times that one step took.
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
