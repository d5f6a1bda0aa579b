//! Histograms of the durations of a commit's stages since the start, which show the stage that slow writes wait for.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::sync_peaks::SyncPeaks;
use crate::sync::{FiguresMutex, Instant};
use crate::{CommitLatency, LatencySummary, OctaveHistogram};

/// Longest duration that a histogram distinguishes, in microseconds: a minute. A longer sync is reported as a hanging disk.
const MAX_US: u64 = 60_000_000;

const NS_IN_US: u64 = 1000;

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
    pub(super) sync: SyncDurations,
    /// Recorded by those who are woken, on their own threads.
    pub(super) wake: Durations,
    /// Records of each batch, with the first three.
    batch_records: FiguresMutex<OctaveHistogram>,
}

/// Histograms of the durations of one stage.
#[derive(Debug)]
pub(super) struct Durations(FiguresMutex<StageHistograms>);

/// Both views of the same durations: the one has precise percentiles, the other one has buckets that can be added up.
#[derive(Debug)]
struct StageHistograms {
    percentiles: Histogram<u64>,
    /// In microseconds; the sum is in `sum_ns`, because many stages take less than one.
    octaves: OctaveHistogram,
    sum_ns: u64,
}

/// Durations of syncs, with the peaks of the last seconds.
#[derive(Debug, Default)]
pub(super) struct SyncDurations {
    durations: Durations,
    pub(super) peaks: SyncPeaks,
}

impl CommitHistograms {
    /// Returns summaries of what was recorded so far.
    pub(super) fn latency(&self) -> CommitLatency {
        CommitLatency {
            gather: self.gather.summary(),
            queue: self.queue.summary(),
            write: self.write.summary(),
            sync: self.sync.durations.summary(),
            wake: self.wake.summary(),
            reserve: self.reserve.summary(),
        }
    }

    /// Adds a batch of so many records.
    pub(super) fn count_batch(&self, records: u32) {
        self.batch_records.lock().record(u64::from(records));
    }

    /// Returns the histogram of the batches' records.
    pub(super) fn batch_records(&self) -> OctaveHistogram {
        *self.batch_records.lock()
    }
}

impl Durations {
    /// Adds one duration.
    pub(super) fn record(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut histograms = self.0.lock();
        histograms.percentiles.saturating_record(ns / NS_IN_US);
        // Rounded up, so that no duration is in a bucket whose bound it exceeds.
        histograms.octaves.count_value(ns.div_ceil(NS_IN_US));
        histograms.sum_ns = histograms.sum_ns.saturating_add(ns);
    }

    /// Runs `work` and adds the duration of that.
    pub(super) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.record(began.elapsed());
        result
    }

    fn summary(&self) -> LatencySummary {
        let StageHistograms { percentiles, octaves, sum_ns } = &*self.0.lock();
        LatencySummary {
            count: percentiles.len(),
            p50_us: percentiles.value_at_quantile(0.5),
            p99_us: percentiles.value_at_quantile(0.99),
            p999_us: percentiles.value_at_quantile(0.999),
            max_us: percentiles.max(),
            histogram: octaves.with_sum(sum_ns / NS_IN_US),
        }
    }
}

impl Default for Durations {
    fn default() -> Self {
        let percentiles = Histogram::new_with_max(MAX_US, DIGITS);
        Self(FiguresMutex::new(StageHistograms {
            percentiles: percentiles.unwrap_or_else(|_| unreachable!("these bounds are accepted")),
            octaves: OctaveHistogram::default(),
            sum_ns: 0,
        }))
    }
}

impl SyncDurations {
    /// Runs a sync and adds the duration of that.
    pub(super) fn time<T>(&self, sync: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = sync();
        let duration = began.elapsed();
        self.durations.record(duration);
        self.peaks.record(duration);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_no_bucket_whose_bound_it_exceeds_and_the_sum_keeps_fractions() {
        let durations = Durations::default();
        for ns in [400, 400, 1000, 1001, 2000, 2400] {
            durations.record(Duration::from_nanos(ns));
        }
        let LatencySummary { count, histogram, .. } = durations.summary();
        let buckets: Vec<_> = histogram.octaves().take(4).collect();
        assert_eq!(buckets, [(1, 3), (2, 2), (4, 1), (8, 0)]);
        assert_eq!((count, histogram.count, histogram.sum), (6, 6, 7));
    }

    #[test]
    fn a_duration_beyond_the_last_bucket_is_in_the_count_alone() {
        let durations = Durations::default();
        durations.record(Duration::from_secs(100));
        let histogram = durations.summary().histogram;
        assert_eq!((histogram.count, histogram.sum), (1, 100_000_000));
        assert!(histogram.octaves().all(|(_, count)| count == 0));
    }
}
