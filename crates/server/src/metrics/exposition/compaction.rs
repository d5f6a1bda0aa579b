//! Families of compactions.

use rustvault_storage::Stats;

use super::samples::Samples;
use crate::metrics::family::MetricFamily;

pub(super) static FAMILIES: [&MetricFamily; 5] =
    [&RUNNING, &SUCCESSES, &LAST_SUCCESS, &LAST_DURATION, &LAST_TIMESTAMP];

static RUNNING: MetricFamily =
    MetricFamily::gauge("rustvault_compaction_running", &[], "1 while a compaction is running", "–");

static SUCCESSES: MetricFamily = MetricFamily::counter(
    "rustvault_compaction_successes_total",
    &[],
    "Compactions that succeeded",
    "Many an hour: raise --compact-ratio or --compact-min-bytes",
);

static LAST_SUCCESS: MetricFamily = MetricFamily::gauge(
    "rustvault_compaction_last_success",
    &[],
    "0 if the last compaction failed, else 1, also before the first one",
    "`INFO` has the error (`last_compaction_error`), most often a full disk: a compaction needs room for a second log. It is tried again",
);

static LAST_DURATION: MetricFamily = MetricFamily::gauge(
    "rustvault_compaction_last_duration_seconds",
    &[],
    "Duration of the last compaction that succeeded",
    "–",
);

static LAST_TIMESTAMP: MetricFamily = MetricFamily::gauge(
    "rustvault_compaction_last_success_timestamp_seconds",
    &[],
    "End of the last compaction that succeeded, in seconds since 1970; 0 if none has",
    "–",
);

/// Adds the figures of compactions.
pub(super) fn collect(stats: &Stats, samples: &mut Samples) {
    samples.flag(&RUNNING, &[], stats.compaction_running);
    samples.count(&SUCCESSES, &[], stats.compactions);
    samples.flag(&LAST_SUCCESS, &[], stats.last_compaction_error.is_none());
    samples.gauge(&LAST_DURATION, &[], stats.last_compaction_ms as f64 / 1000.0);
    samples.gauge(&LAST_TIMESTAMP, &[], stats.last_compaction_unix_ms as f64 / 1000.0);
}
