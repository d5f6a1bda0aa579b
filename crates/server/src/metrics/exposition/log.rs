//! Families of the log: syncs, commits, and whether it takes writes.

use rustvault_storage::Stats;

use super::samples::Samples;
use crate::engine::Engine;
use crate::metrics::family::MetricFamily;

pub(super) static FAMILIES: [&MetricFamily; 8] =
    [&INFO, &BYTES, &LIVE_BYTES, &DURABLE_LSN, &SYNC_RUNNING, &READ_ONLY, &DISK_FULL, &REMOVED];

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

static SYNC_RUNNING: MetricFamily = MetricFamily::gauge(
    "rustvault_log_sync_running_seconds",
    &[],
    "Time that the running sync has taken; 0 if none runs",
    "Seconds mean that the disk hangs, and every write with it: look at the kernel's messages and the disk's health",
);

static READ_ONLY: MetricFamily = MetricFamily::gauge(
    "rustvault_read_only",
    &[],
    "1 while writes are refused, because the disk is full, or the log was removed",
    "See `rustvault_log_disk_full` and `rustvault_log_removed`",
);

static DISK_FULL: MetricFamily = MetricFamily::gauge(
    "rustvault_log_disk_full",
    &[],
    "1 while writes that need room are refused because the disk, a quota or the limit on the size of files is reached",
    "Make room: writes are accepted again by themselves. Deletes are accepted meanwhile, and `COMPACT` makes the log smaller",
);

static REMOVED: MetricFamily = MetricFamily::gauge(
    "rustvault_log_removed",
    &[],
    "1 while writes are refused because the log's file was removed, replaced or truncated",
    "Nothing is lost while the server runs: `COMPACT` writes a new log from memory. Then find out who removed the file",
);

/// Adds the figures of the log that could reveal writes that are not durable.
pub(super) fn collect_data(stats: &Stats, samples: &mut Samples) {
    samples.gauge(&BYTES, &[], stats.log_bytes as f64);
    samples.gauge(&LIVE_BYTES, &[], stats.live_bytes as f64);
}

/// Adds the other figures of the log.
pub(super) fn collect<S>(engine: &Engine<S>, stats: &Stats, samples: &mut Samples) {
    let fsync = engine.config().sync_policy.to_string();
    samples.gauge(&INFO, &[&stats.log_format.to_string(), &fsync], 1.0);
    samples.gauge(&DURABLE_LSN, &[], stats.durable_lsn as f64);
    samples.gauge(&SYNC_RUNNING, &[], stats.sync_running_ms as f64 / 1000.0);
    samples.flag(&READ_ONLY, &[], stats.is_disk_full || stats.is_log_removed);
    samples.flag(&DISK_FULL, &[], stats.is_disk_full);
    samples.flag(&REMOVED, &[], stats.is_log_removed);
}
