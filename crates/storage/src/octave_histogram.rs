//! Histograms whose buckets double, for monitoring systems that add buckets up.

/// Buckets of a histogram. The last one ends at 2²⁶: 67 seconds if the values are microseconds.
const OCTAVES: usize = 27;

/// Histogram whose buckets double: the first one holds 0 and 1, the second one 2, the third one 3 and 4, the last one values up to
/// 2²⁶. The field that has one says the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OctaveHistogram {
    /// Number of values.
    pub count: u64,
    /// Sum of the values.
    pub sum: u64,
    octaves: [u64; OCTAVES],
}

impl OctaveHistogram {
    /// Returns the upper bound of each bucket, which belongs to it, and the number of values in that bucket alone. The bounds are
    /// always the same. Values above the last bound are in [`count`](Self::count) alone.
    pub fn octaves(&self) -> impl Iterator<Item = (u64, u64)> {
        self.octaves.iter().enumerate().map(|(octave, &count)| (1 << octave, count))
    }

    /// Adds a value.
    pub(crate) fn record(&mut self, value: u64) {
        self.count_value(value);
        self.sum = self.sum.saturating_add(value);
    }

    /// Returns the same histogram with another sum.
    pub(crate) const fn with_sum(self, sum: u64) -> Self {
        Self { sum, ..self }
    }

    /// Adds a value whose share of the sum the caller adds.
    pub(crate) fn count_value(&mut self, value: u64) {
        self.count += 1;
        let octave = u64::BITS - value.saturating_sub(1).leading_zeros();
        if let Some(count) = self.octaves.get_mut(octave as usize) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_whose_bounds_hold_it() {
        let mut expected = 0;
        for (octave, (bound, _)) in OctaveHistogram::default().octaves().enumerate() {
            for (value, octave) in [(bound, octave), (bound + 1, octave + 1)] {
                let mut histogram = OctaveHistogram::default();
                histogram.record(value);
                let found = histogram.octaves().position(|(_, count)| count == 1);
                assert_eq!(found, (octave < OCTAVES).then_some(octave), "{value}");
                assert_eq!((histogram.count, histogram.sum), (1, value));
            }
            expected += 1;
        }
        assert_eq!(expected, OCTAVES);
    }

    #[test]
    fn extreme_values_are_counted() {
        let mut histogram = OctaveHistogram::default();
        [0, u64::MAX].into_iter().for_each(|value| histogram.record(value));
        assert_eq!((histogram.count, histogram.sum), (2, u64::MAX));
        assert_eq!(histogram.octaves().map(|(_, count)| count).sum::<u64>(), 1);
    }
}
