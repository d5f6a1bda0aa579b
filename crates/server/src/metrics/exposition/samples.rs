//! Samples of one scrape, and their text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::metrics::family::{MetricFamily, MetricKind};

/// Values of a server's metrics at one moment.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<FamilySamples>);

#[derive(Debug)]
struct FamilySamples {
    family: &'static MetricFamily,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    /// In the order of the family's labels.
    labels: Vec<String>,
    value: SampleValue,
}

#[derive(Debug)]
enum SampleValue {
    Count(u64),
    Seconds(f64),
    Gauge(f64),
    Histogram(HistogramValue),
}

/// Values of a histogram.
#[derive(Debug, Default)]
pub(super) struct HistogramValue {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Upper bound, which belongs to it, and number of values in each bucket alone. Those above the last bound are in `count` alone.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl Samples {
    /// Adds a value of a counter.
    pub(super) fn count(&mut self, family: &'static MetricFamily, labels: &[&str], count: u64) {
        debug_assert_eq!(family.kind, MetricKind::Counter, "{}", family.name);
        self.add(family, labels, SampleValue::Count(count));
    }

    /// Adds a value of a counter of seconds.
    pub(super) fn count_seconds(&mut self, family: &'static MetricFamily, labels: &[&str], seconds: f64) {
        debug_assert_eq!(family.kind, MetricKind::Counter, "{}", family.name);
        self.add(family, labels, SampleValue::Seconds(seconds));
    }

    /// Adds a value of a gauge.
    pub(super) fn gauge(&mut self, family: &'static MetricFamily, labels: &[&str], value: f64) {
        debug_assert_eq!(family.kind, MetricKind::Gauge, "{}", family.name);
        self.add(family, labels, SampleValue::Gauge(value));
    }

    /// Adds a gauge that is 1 or 0.
    pub(super) fn flag(&mut self, family: &'static MetricFamily, labels: &[&str], is_set: bool) {
        self.gauge(family, labels, f64::from(u8::from(is_set)));
    }

    /// Adds a histogram.
    pub(super) fn histogram(
        &mut self,
        family: &'static MetricFamily,
        labels: &[&str],
        histogram: HistogramValue,
    ) {
        debug_assert_eq!(family.kind, MetricKind::Histogram, "{}", family.name);
        self.add(family, labels, SampleValue::Histogram(histogram));
    }

    fn add(&mut self, family: &'static MetricFamily, labels: &[&str], value: SampleValue) {
        debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let sample = Sample { labels, value };
        let known = self.0.iter_mut().find(|known| std::ptr::eq(known.family, family));
        match known {
            Some(known) => known.samples.push(sample),
            None => self.0.push(FamilySamples { family, samples: vec![sample] }),
        }
    }

    /// Returns the samples in Prometheus's text format, version 0.0.4.
    pub(super) fn into_text(self) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register_collector(Box::new(self));
        // Writing to a string does not fail.
        let _ = prometheus_text::encode(&mut text, &registry);
        text
    }
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|samples| samples.encode(&mut encoder))
    }
}

impl FamilySamples {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (kind, suffix) = match self.family.kind {
            // The library appends it.
            MetricKind::Counter => (MetricType::Counter, "_total"),
            MetricKind::Gauge => (MetricType::Gauge, ""),
            MetricKind::Histogram => (MetricType::Histogram, ""),
        };
        let name = self.family.name.strip_suffix(suffix).unwrap_or(self.family.name);
        let mut encoder = encoder.encode_descriptor(name, self.family.help, None, kind)?;
        for sample in &self.samples {
            let values = sample.labels.iter().map(String::as_str);
            let labels: Vec<_> = self.family.labels.iter().copied().zip(values).collect();
            if labels.is_empty() {
                sample.value.encode(&mut encoder)?;
            } else {
                sample.value.encode(&mut encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl SampleValue {
    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => encoder.encode_counter::<NoLabelSet, u64, f64>(count, None),
            Self::Seconds(seconds) => encoder.encode_counter::<NoLabelSet, f64, f64>(seconds, None),
            Self::Gauge(value) => encoder.encode_gauge(value),
            Self::Histogram(HistogramValue { count, sum, buckets }) => {
                encoder.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SEEN: MetricFamily = MetricFamily::counter("seen_total", &["by"], "Seen \\ things", "");
    static LEVEL: MetricFamily = MetricFamily::gauge("level_bytes", &[], "Level", "");
    static TIMES: MetricFamily = MetricFamily::histogram("times_seconds", &[], "Times", "");

    #[test]
    fn the_text_has_each_family_once_with_all_its_series_escaped_and_buckets_that_add_up() {
        let mut samples = Samples::default();
        samples.count(&SEEN, &["a\"b"], 2);
        samples.gauge(&LEVEL, &[], 1.5);
        samples.count(&SEEN, &["c"], 3);
        let buckets = vec![(0.5, 1), (1.0, 2)];
        samples.histogram(&TIMES, &[], HistogramValue { count: 4, sum: 9.5, buckets });
        let expected = "\
            # HELP seen_total Seen \\\\ things\n# TYPE seen_total counter\n\
            seen_total{by=\"a\\\"b\"} 2\nseen_total{by=\"c\"} 3\n\
            # HELP level_bytes Level\n# TYPE level_bytes gauge\nlevel_bytes 1.5\n\
            # HELP times_seconds Times\n# TYPE times_seconds histogram\n\
            times_seconds_bucket{le=\"0.5\"} 1\ntimes_seconds_bucket{le=\"1\"} 3\n\
            times_seconds_bucket{le=\"+Inf\"} 4\ntimes_seconds_sum 9.5\ntimes_seconds_count 4\n";
        assert_eq!(samples.into_text(), expected);
    }
}
