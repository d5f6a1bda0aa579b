//! Families of the log: syncs, commits, and whether it takes writes.

use rustvault_storage::{OctaveHistogram, Stats};

use super::samples::{HistogramValue, Samples};
use crate::engine::Engine;
use crate::metrics::family::MetricFamily;

pub(super) static FAMILIES: [&MetricFamily; 15] = [
    &INFO,
    &BYTES,
    &LIVE_BYTES,
    &DURABLE_LSN,
    &SYNC_DURATION,
    &COMMIT_STAGE,
    &BATCH_RECORDS,
    &SYNC_RUNNING,
    &SLOW_SYNCS,
    &READ_ONLY,
    &DISK_FULL,
    &DISK_FULL_EPISODES,
    &REMOVED,
    &POISONED,
    &FAILURES,
];

static INFO: MetricFamily = MetricFamily::gauge(
    "rustvault_log_info",
    &["format", "fsync"],
    "1, with the format of the log (binary, json) and the sync policy (--fsync) as labels",
    "–",
);

static BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_log_bytes",
    &[],
    "Size of the log, in bytes",
    "Far above `rustvault_live_bytes` × --compact-ratio: compactions fail or cannot keep up; see the families of compaction",
);

static LIVE_BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_live_bytes",
    &[],
    "Size that a compacted binary log would have, in bytes",
    "–",
);

static DURABLE_LSN: MetricFamily = MetricFamily::gauge(
    "rustvault_durable_lsn",
    &[],
    "Highest LSN that survives a power loss; its growth is the rate of durable writes, in records",
    "If it stands still while clients write, look at `rustvault_log_sync_running_seconds`",
);

static SYNC_DURATION: MetricFamily = MetricFamily::histogram(
    "rustvault_log_sync_duration_seconds",
    &[],
    "Durations of the log's syncs",
    "A slow disk, or others that use it: move the log to a disk of its own. No other setting makes a durable write faster than its sync",
);

static COMMIT_STAGE: MetricFamily = MetricFamily::histogram(
    "rustvault_log_commit_stage_seconds",
    &["stage"],
    "Durations of the stages that a durable write waits for: gather, queue, write, sync, wake, reserve",
    "The slow stage points to the cause. gather: commits are delayed to share a sync. queue: the previous commit, or no core for the \
     log writer. write: memory, or the file system. sync: the disk. wake: no core for the worker. reserve: the file system",
);

static BATCH_RECORDS: MetricFamily = MetricFamily::histogram(
    "rustvault_log_batch_records",
    &[],
    "Records in each batch of the log, which share one write and one sync",
    "Few while many clients write: they send one command at a time. A pipeline, or more clients, makes more of each sync",
);

static SYNC_RUNNING: MetricFamily = MetricFamily::gauge(
    "rustvault_log_sync_running_seconds",
    &[],
    "Time that the running sync has taken; 0 if none runs",
    "Seconds mean that the disk hangs, and every write with it: look at the kernel's messages and the disk's health",
);

static SLOW_SYNCS: MetricFamily = MetricFamily::counter(
    "rustvault_log_slow_syncs_total",
    &[],
    "Syncs that took more than 5 seconds, a running one included",
    "As `rustvault_log_sync_running_seconds`",
);

static READ_ONLY: MetricFamily = MetricFamily::gauge(
    "rustvault_read_only",
    &[],
    "1 while writes are refused, because the disk is full, or the log was removed or has failed",
    "See `rustvault_log_disk_full`, `rustvault_log_removed` and `rustvault_log_poisoned`",
);

static DISK_FULL: MetricFamily = MetricFamily::gauge(
    "rustvault_log_disk_full",
    &[],
    "1 while writes that need room are refused because the disk, a quota or the limit on the size of files is reached",
    "Make room: writes are accepted again by themselves. Deletes are accepted meanwhile, and `COMPACT` makes the log smaller",
);

static DISK_FULL_EPISODES: MetricFamily = MetricFamily::counter(
    "rustvault_log_disk_full_episodes_total",
    &[],
    "Times that writes began to be refused because the disk was full",
    "As `rustvault_log_disk_full`",
);

static REMOVED: MetricFamily = MetricFamily::gauge(
    "rustvault_log_removed",
    &[],
    "1 while writes are refused because the log's file was removed, replaced or truncated",
    "Nothing is lost while the server runs: `COMPACT` writes a new log from memory. Then find out who removed the file",
);

static POISONED: MetricFamily = MetricFamily::gauge(
    "rustvault_log_poisoned",
    &[],
    "1 once a write or a sync of the log has failed: the server answers with errors and ends",
    "Look at the error in the messages and at the disk, then start the server again: it recovers what is in the log",
);

static FAILURES: MetricFamily = MetricFamily::counter(
    "rustvault_log_failures_total",
    &["call"],
    "Failed calls on the log's file, by call (write, sync, reserve); a full disk is none",
    "As `rustvault_log_poisoned`",
);

/// Adds the figures of the log that could reveal writes that are not durable.
pub(super) fn collect_data(stats: &Stats, samples: &mut Samples) {
    samples.gauge(&BYTES, &[], stats.log_bytes as f64);
    samples.gauge(&LIVE_BYTES, &[], stats.live_bytes as f64);
    let commit = &stats.commit_latency;
    let stages = [
        ("gather", &commit.gather),
        ("queue", &commit.queue),
        ("write", &commit.write),
        ("sync", &commit.sync),
        ("wake", &commit.wake),
        ("reserve", &commit.reserve),
    ];
    for (stage, latency) in stages {
        samples.histogram(&COMMIT_STAGE, &[stage], value(&latency.histogram, SECONDS_IN_MICROSECOND));
    }
    samples.histogram(&BATCH_RECORDS, &[], value(&stats.batch_records, 1.0));
}

/// Adds the other figures of the log.
pub(super) fn collect<S>(engine: &Engine<S>, stats: &Stats, samples: &mut Samples) {
    let fsync = engine.config().sync_policy.to_string();
    samples.gauge(&INFO, &[&stats.log_format.to_string(), &fsync], 1.0);
    samples.gauge(&DURABLE_LSN, &[], stats.durable_lsn as f64);
    let syncs = value(&stats.commit_latency.sync.histogram, SECONDS_IN_MICROSECOND);
    samples.histogram(&SYNC_DURATION, &[], syncs);
    samples.gauge(&SYNC_RUNNING, &[], stats.sync_running_ms as f64 / 1000.0);
    samples.count(&SLOW_SYNCS, &[], stats.slow_syncs);
    samples.flag(&READ_ONLY, &[], stats.is_disk_full || stats.is_log_removed || stats.is_poisoned);
    samples.flag(&DISK_FULL, &[], stats.is_disk_full);
    samples.count(&DISK_FULL_EPISODES, &[], stats.disk_full_episodes);
    samples.flag(&REMOVED, &[], stats.is_log_removed);
    samples.flag(&POISONED, &[], stats.is_poisoned);
    let failures = [
        ("write", stats.failed_writes),
        ("sync", stats.failed_syncs),
        ("reserve", stats.failed_reservations),
    ];
    for (call, count) in failures {
        samples.count(&FAILURES, &[call], count);
    }
}

const SECONDS_IN_MICROSECOND: f64 = 1e-6;

fn value(histogram: &OctaveHistogram, unit: f64) -> HistogramValue {
    HistogramValue {
        count: histogram.count,
        sum: histogram.sum as f64 * unit,
        buckets: histogram.octaves().map(|(upper, count)| (upper as f64 * unit, count)).collect(),
    }
}
