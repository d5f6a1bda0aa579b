//! Log-linear histograms of durations. One thread records, any thread reads.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::counter;

/// Octaves of nanoseconds, of which the first one holds everything below [`FIRST_NS`].
const OCTAVES: usize = 28;

/// Buckets in an octave: a quantile is too high by an eighth at most.
const BUCKETS_IN_OCTAVE: usize = 8;

/// Buckets of a histogram; the last one holds everything above the others.
const BUCKETS: usize = OCTAVES * BUCKETS_IN_OCTAVE + 1;

/// Upper bound of the first octave: a duration below a microsecond is counted as one of them all the same.
const FIRST_NS: u64 = 1 << FIRST_SHIFT;
const FIRST_SHIFT: u32 = 10;

/// Binary digits of nanoseconds that a sum has no room for.
///
/// With ten thousand commands on their way at any moment, a sum of nanoseconds would begin again at 0 after three weeks.
const REST_SHIFT: u32 = 16;

/// Histogram that one thread records into.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// Sum of the durations without their last [`REST_SHIFT`] digits.
    sum: AtomicU64,
    /// Sum of those digits, in nanoseconds: enough for years of a million records a second.
    rest_ns: AtomicU64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            sum: AtomicU64::new(0),
            rest_ns: AtomicU64::new(0),
        }
    }

    /// Adds `count` durations of the same length.
    #[inline]
    pub(super) fn record(&self, duration: Duration, count: u64) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket(ns)) {
            counter::add(bucket, count);
        }
        let total_ns = ns.saturating_mul(count);
        counter::add(&self.sum, total_ns >> REST_SHIFT);
        counter::add(&self.rest_ns, total_ns & ((1 << REST_SHIFT) - 1));
    }

    /// Adds what was recorded so far to a snapshot.
    pub(super) fn add_to(&self, snapshot: &mut HistogramSnapshot) {
        for (sum, bucket) in snapshot.buckets.iter_mut().zip(&self.buckets) {
            *sum = sum.wrapping_add(counter::get(bucket));
        }
        let sum_ns = u128::from(counter::get(&self.sum)) << REST_SHIFT;
        snapshot.sum_ns += sum_ns + u128::from(counter::get(&self.rest_ns));
    }
}

/// Returns the bucket of a duration. Its upper bound belongs to it, as Prometheus's `le` wants it.
#[inline]
fn bucket(ns: u64) -> usize {
    let below = ns.saturating_sub(1);
    let octave = (u64::BITS - below.leading_zeros()).saturating_sub(FIRST_SHIFT);
    if octave == 0 {
        return (below * BUCKETS_IN_OCTAVE as u64 / FIRST_NS) as usize;
    }
    let begin = FIRST_NS << (octave - 1);
    let within = (below - begin) >> (octave - 1 + FIRST_SHIFT - BUCKETS_IN_OCTAVE.ilog2());
    (octave as usize * BUCKETS_IN_OCTAVE + within as usize).min(BUCKETS - 1)
}

/// Returns the upper bound of a bucket, which belongs to it; `None` for the last one, which has none.
fn upper_ns(bucket: usize) -> Option<u64> {
    let (octave, within) = (bucket / BUCKETS_IN_OCTAVE, (bucket % BUCKETS_IN_OCTAVE) as u64 + 1);
    match octave {
        0 => Some(within * (FIRST_NS / BUCKETS_IN_OCTAVE as u64)),
        _ if bucket + 1 == BUCKETS => None,
        _ => {
            let begin = FIRST_NS << (octave - 1);
            Some(begin + within * (begin / BUCKETS_IN_OCTAVE as u64))
        }
    }
}

/// Sum of histograms at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistogramSnapshot {
    buckets: Box<[u64; BUCKETS]>,
    sum_ns: u128,
}

impl Default for HistogramSnapshot {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), sum_ns: 0 }
    }
}

impl HistogramSnapshot {
    /// Returns the number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the sum of all durations.
    pub(crate) fn sum(&self) -> Duration {
        const NS_PER_SECOND: u128 = 1_000_000_000;
        let seconds = u64::try_from(self.sum_ns / NS_PER_SECOND).unwrap_or(u64::MAX);
        Duration::new(seconds, (self.sum_ns % NS_PER_SECOND) as u32)
    }

    /// Returns the duration that the share `quantile` of all durations does not exceed: 0.99 for 99%. It is the upper bound of a
    /// bucket; zero if there are no durations.
    pub(crate) fn quantile(&self, quantile: f64) -> Duration {
        let rank = (self.count() as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_ns(bucket).unwrap_or(u64::MAX));
            }
        }
        Duration::ZERO
    }

    /// Returns, octave by octave, the upper bound, which belongs to it, and the number of durations in it alone.
    pub(crate) fn octaves(&self) -> impl Iterator<Item = (Duration, u64)> {
        let octaves = self.buckets.chunks(BUCKETS_IN_OCTAVE).enumerate();
        octaves.filter_map(|(octave, buckets)| {
            let upper_ns = upper_ns(octave * BUCKETS_IN_OCTAVE + BUCKETS_IN_OCTAVE - 1);
            let is_whole = buckets.len() == BUCKETS_IN_OCTAVE;
            upper_ns.filter(|_| is_whole).map(|ns| (Duration::from_nanos(ns), buckets.iter().sum()))
        })
    }

    /// Adds what another snapshot has.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, other) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *sum = sum.wrapping_add(*other);
        }
        self.sum_ns = self.sum_ns.wrapping_add(other.sum_ns);
    }

    /// Subtracts what an earlier snapshot has.
    pub(super) fn subtract(&mut self, earlier: &Self) {
        for (sum, earlier) in self.buckets.iter_mut().zip(earlier.buckets.iter()) {
            *sum = sum.wrapping_sub(*earlier);
        }
        self.sum_ns = self.sum_ns.wrapping_sub(earlier.sum_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_bucket_whose_bounds_hold_it() {
        let last = upper_ns(BUCKETS - 2).unwrap();
        for bound in (0..BUCKETS - 1).map(|bucket| upper_ns(bucket).unwrap()) {
            let at = bucket(bound);
            assert_eq!(upper_ns(at), Some(bound), "the bound itself");
            assert_eq!(bucket(bound + 1), at + 1, "a nanosecond more");
        }
        assert_eq!((bucket(0), bucket(last + 1), bucket(u64::MAX)), (0, BUCKETS - 1, BUCKETS - 1));
        assert!(Duration::from_nanos(last) > Duration::from_secs(120), "{last}");
    }

    #[test]
    fn a_quantile_is_too_high_by_an_eighth_at_most() {
        let histogram = Histogram::new();
        (1..=1000).for_each(|us| histogram.record(Duration::from_micros(us), 1));
        let mut snapshot = HistogramSnapshot::default();
        histogram.add_to(&mut snapshot);
        assert_eq!((snapshot.count(), snapshot.sum()), (1000, Duration::from_micros(500_500)));
        for (quantile, us) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let found = snapshot.quantile(quantile).as_micros();
            assert!((us..=us * 9 / 8).contains(&found), "{quantile}: {found}");
        }
        assert_eq!(HistogramSnapshot::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn a_sum_has_room_for_years_of_many_commands_at_once() {
        let histogram = Histogram::new();
        let duration = Duration::new(1000, 1);
        (0..100).for_each(|_| histogram.record(duration, 1_000_000));
        let mut snapshot = HistogramSnapshot::default();
        histogram.add_to(&mut snapshot);
        assert_eq!(snapshot.sum(), duration * 100_000_000);
    }

    #[test]
    fn octaves_hold_every_duration_but_the_longest_and_double_each_time() {
        let histogram = Histogram::new();
        for ns in [1, FIRST_NS, FIRST_NS + 1, 2 * FIRST_NS] {
            histogram.record(Duration::from_nanos(ns), 2);
        }
        histogram.record(Duration::from_secs(1 << 20), 1);
        let mut snapshot = HistogramSnapshot::default();
        histogram.add_to(&mut snapshot);
        let octaves: Vec<_> = snapshot.octaves().collect();
        assert_eq!(
            octaves[..2],
            [(Duration::from_nanos(FIRST_NS), 4), (Duration::from_nanos(2 * FIRST_NS), 4)]
        );
        assert_eq!((octaves.len(), octaves.iter().map(|(_, count)| count).sum::<u64>()), (OCTAVES, 8));
        assert!(octaves.windows(2).all(|pair| pair[1].0 == pair[0].0 * 2));
    }
}
