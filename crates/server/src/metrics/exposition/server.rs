//! Families of the server's life and its process.

use rustvault_storage::Stats;

use super::samples::Samples;
use crate::metrics::family::MetricFamily;
use crate::process_stats::ProcessStats;
use crate::{Lifecycle, Phase};

pub(super) static SERVER_FAMILIES: [&MetricFamily; 7] =
    [&BUILD_INFO, &READY, &WORKERS, &RECOVERY_PROGRESS, &RECOVERY_RECORDS, &RECOVERY_BYTES, &TORN_BYTES];

static BUILD_INFO: MetricFamily = MetricFamily::gauge(
    "rustvault_build_info",
    &["version", "arch"],
    "1, with the version and the processor architecture as labels",
    "–",
);

static READY: MetricFamily = MetricFamily::gauge(
    "rustvault_ready",
    &[],
    "1 while the server serves and its log takes writes, as `/readyz` answers; 0 while it recovers or stops, or its log was removed or \
     has failed",
    "`/readyz` says why",
);

static WORKERS: MetricFamily =
    MetricFamily::gauge("rustvault_worker_threads", &[], "Threads that serve connections (--threads)", "–");

static RECOVERY_PROGRESS: MetricFamily = MetricFamily::gauge(
    "rustvault_recovery_progress_ratio",
    &[],
    "Part of the log that the recovery at the start has read, from 0 to 1",
    "Its speed says how long the recovery will take. A smaller log is recovered faster: `COMPACT` before a planned stop",
);

static RECOVERY_RECORDS: MetricFamily = MetricFamily::gauge(
    "rustvault_recovery_records",
    &[],
    "Records of the log that the recovery at the start has read",
    "–",
);

static RECOVERY_BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_recovery_read_bytes",
    &[],
    "Bytes of the log that the recovery at the start has read",
    "–",
);

static TORN_BYTES: MetricFamily = MetricFamily::gauge(
    "rustvault_recovery_torn_bytes",
    &[],
    "Bytes of unconfirmed writes that a crash cut off, which the recovery at the start dropped",
    "Not 0: the server or the machine ended without a stop before this start",
);

pub(super) static PROCESS_FAMILIES: [&MetricFamily; 7] =
    [&CPU_SECONDS, &RESIDENT_BYTES, &VIRTUAL_BYTES, &OPEN_FDS, &MAX_FDS, &START_TIME, &THREADS];

static CPU_SECONDS: MetricFamily = MetricFamily::counter(
    "process_cpu_seconds_total",
    &[],
    "Processor time that the process has used, user and system, in seconds",
    "A rate near the number of cores: the machine is too small, or a client sends commands on the whole keyspace",
);

static RESIDENT_BYTES: MetricFamily = MetricFamily::gauge(
    "process_resident_memory_bytes",
    &[],
    "Memory of the process that is in RAM, in bytes",
    "Near the machine's memory: set --max-memory and --max-buffer-bytes lower, with room for the rest of the process",
);

static VIRTUAL_BYTES: MetricFamily = MetricFamily::gauge(
    "process_virtual_memory_bytes",
    &[],
    "Size of the process's address space, in bytes",
    "–",
);

static OPEN_FDS: MetricFamily = MetricFamily::gauge(
    "process_open_fds",
    &[],
    "Open file descriptors",
    "Near `process_max_fds`: as descriptors of `rustvault_rejected_total`",
);

static MAX_FDS: MetricFamily =
    MetricFamily::gauge("process_max_fds", &[], "Most file descriptors that may be open", "–");

static START_TIME: MetricFamily = MetricFamily::gauge(
    "process_start_time_seconds",
    &[],
    "Start of the process, in seconds since 1970",
    "A change is a restart: look at the messages before it",
);

static THREADS: MetricFamily = MetricFamily::gauge("process_threads", &[], "Threads of the process", "–");

/// Adds the figures of the server's life: those that are there from its first moment.
pub(super) fn collect(lifecycle: &Lifecycle, stats: Option<&Stats>, samples: &mut Samples) {
    samples.gauge(&BUILD_INFO, &[env!("CARGO_PKG_VERSION"), std::env::consts::ARCH], 1.0);
    let takes_writes = stats.is_none_or(|stats| !stats.is_log_removed && !stats.is_poisoned);
    samples.flag(&READY, &[], lifecycle.phase() == Phase::Serving && takes_writes);
    let recovery = lifecycle.recovery();
    let is_over = lifecycle.phase() != Phase::Starting;
    let read = recovery.read_bytes() as f64 / recovery.len_bytes().max(1) as f64;
    samples.gauge(&RECOVERY_PROGRESS, &[], if is_over { 1.0 } else { read.min(1.0) });
    samples.gauge(&RECOVERY_RECORDS, &[], recovery.records() as f64);
    samples.gauge(&RECOVERY_BYTES, &[], recovery.read_bytes() as f64);
}

/// Adds what is known once the server serves.
pub(super) fn collect_serving(workers: usize, stats: Option<&Stats>, samples: &mut Samples) {
    samples.gauge(&WORKERS, &[], workers as f64);
    if let Some(stats) = stats {
        samples.gauge(&TORN_BYTES, &[], stats.torn_bytes_dropped as f64);
    }
}

/// Adds the figures of the process, those that the system has.
pub(super) fn collect_process(process: &ProcessStats, samples: &mut Samples) {
    samples.count_seconds(&CPU_SECONDS, &[], process.cpu.as_secs_f64());
    let gauges = [
        (&RESIDENT_BYTES, process.resident_bytes),
        (&VIRTUAL_BYTES, process.virtual_bytes),
        (&OPEN_FDS, process.open_fds),
        (&MAX_FDS, process.max_fds),
        (&THREADS, process.threads),
    ];
    for (family, value) in gauges {
        if let Some(value) = value {
            samples.gauge(family, &[], value as f64);
        }
    }
    if let Some(started_unix_seconds) = process.started_unix_seconds {
        samples.gauge(&START_TIME, &[], started_unix_seconds);
    }
}
