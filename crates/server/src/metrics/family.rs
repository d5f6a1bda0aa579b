//! Families of metrics: the rows that `/metrics`, its document and tests are made from.

/// A family of metrics, as `/metrics` shows it.
#[derive(Debug)]
#[non_exhaustive]
pub struct MetricFamily {
    /// Name of its series; those of a histogram end in `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// Kind of its values.
    pub kind: MetricKind,
    /// Labels that each of its series has.
    pub labels: &'static [&'static str],
    /// Meaning and unit, as `/metrics` shows it.
    pub help: &'static str,
    /// Advice for a person on call: what to do, and when.
    pub advice: &'static str,
}

/// Kind of the values of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows, until the server ends.
    Counter,
    /// It grows and shrinks.
    Gauge,
    /// Numbers of values in buckets, with their sum.
    Histogram,
}

impl MetricKind {
    /// Returns its name in `/metrics`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Families on one subject.
#[derive(Debug)]
#[non_exhaustive]
pub struct MetricGroup {
    /// Heading in documents.
    pub title: &'static str,
    /// Families, in the order of `/metrics`.
    pub families: &'static [&'static MetricFamily],
}

impl MetricGroup {
    pub(super) const fn new(title: &'static str, families: &'static [&'static MetricFamily]) -> Self {
        Self { title, families }
    }
}

impl MetricFamily {
    pub(super) const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        advice: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Counter, labels, help, advice }
    }

    pub(super) const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        advice: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Gauge, labels, help, advice }
    }

    pub(super) const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        advice: &'static str,
    ) -> Self {
        Self { name, kind: MetricKind::Histogram, labels, help, advice }
    }
}
