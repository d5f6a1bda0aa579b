//! Families of compactions.

use rustvault_storage::Stats;

use super::samples::Samples;
use crate::metrics::family::MetricFamily;

pub(super) static FAMILIES: [&MetricFamily; 9] = [
    &RUNNING,
    &SUCCESSES,
    &FAILURES,
    &LAST_SUCCESS,
    &LAST_DURATION,
    &LAST_TIMESTAMP,
    &DURATION,
    &WRITTEN_BYTES,
    &FREED_BYTES,
];

static RUNNING: MetricFamily =
    MetricFamily::gauge("rustvault_compaction_running", &[], "1 while a compaction is running", "–");

static SUCCESSES: MetricFamily = MetricFamily::counter(
    "rustvault_compaction_successes_total",
    &[],
    "Compactions that succeeded",
    "Many an hour: raise --compact-ratio or --compact-min-bytes",
);

static FAILURES: MetricFamily = MetricFamily::counter(
    "rustvault_compaction_failures_total",
    &[],
    "Compactions that failed, with the log unchanged",
    "`INFO` has the error (`last_compaction_error`), most often a full disk: a compaction needs room for a second log. It is tried again",
);

static LAST_SUCCESS: MetricFamily = MetricFamily::gauge(
    "rustvault_compaction_last_success",
    &[],
    "0 if the last compaction failed, else 1, also before the first one",
    "As `rustvault_compaction_failures_total`",
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

static DURATION: MetricFamily = MetricFamily::counter(
    "rustvault_compaction_duration_seconds_total",
    &[],
    "Time that successful compactions took, together",
    "A rate near 1 means that compactions run all the time: raise --compact-ratio",
);

static WRITTEN_BYTES: MetricFamily = MetricFamily::counter(
    "rustvault_compaction_written_bytes_total",
    &[],
    "Bytes of the logs that successful compactions wrote",
    "Compared with the rate of the network it says how much the disk writes for each byte that clients write",
);

static FREED_BYTES: MetricFamily = MetricFamily::counter(
    "rustvault_compaction_freed_bytes_total",
    &[],
    "Bytes by which successful compactions made the log smaller",
    "–",
);

/// Adds the figures of compactions.
pub(super) fn collect(stats: &Stats, samples: &mut Samples) {
    samples.flag(&RUNNING, &[], stats.compaction_running);
    samples.count(&SUCCESSES, &[], stats.compactions);
    samples.count(&FAILURES, &[], stats.failed_compactions);
    samples.flag(&LAST_SUCCESS, &[], stats.last_compaction_error.is_none());
    samples.gauge(&LAST_DURATION, &[], stats.last_compaction_ms as f64 / 1000.0);
    samples.gauge(&LAST_TIMESTAMP, &[], stats.last_compaction_unix_ms as f64 / 1000.0);
    samples.count_seconds(&DURATION, &[], stats.compaction_ms as f64 / 1000.0);
}

/// Adds the sizes of the logs that compactions wrote, which could reveal writes that are not durable.
pub(super) fn collect_data(stats: &Stats, samples: &mut Samples) {
    samples.count(&WRITTEN_BYTES, &[], stats.compaction_written_bytes);
    samples.count(&FREED_BYTES, &[], stats.compaction_freed_bytes);
}
