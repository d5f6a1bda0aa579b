//! RustVault's own fields, which the text protocol shows, and RESP as its last section.

use std::process;

use rustvault_storage::{CommitLatency, LatencySummary};

use super::{Field, InfoState, fields as make, one_line};

/// Returns RustVault's own fields.
pub(super) fn fields<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    let (engine, stats, metrics, config) = (state.engine, state.stats, &state.metrics, &state.config);
    let (counters, tls) = (&engine.counters, &engine.tls);
    let wal_path = config.wal_path.display();
    let reloads = &engine.reloads.outcomes;
    let compaction_error = one_line(stats.last_compaction_error.as_deref().unwrap_or_default());
    let mut fields = make([
        ("version", &env!("CARGO_PKG_VERSION")),
        ("pid", &process::id()),
        ("uptime_seconds", &engine.started.elapsed().as_secs()),
        ("threads", &config.threads),
        ("fsync", &config.sync_policy),
        ("wal_path", &wal_path),
        ("wal_format", &stats.log_format),
        ("read_only", &u8::from(stats.is_disk_full || stats.is_log_removed)),
        ("log_removed", &u8::from(stats.is_log_removed)),
        ("keys", &stats.keys),
        ("used_bytes", &stats.used_bytes),
        ("max_memory_bytes", &config.max_memory_bytes.unwrap_or(0)),
        ("log_bytes", &stats.log_bytes),
        ("live_bytes", &stats.live_bytes),
        ("compactions", &stats.compactions),
        ("compaction_running", &u8::from(stats.compaction_running)),
        ("last_compaction_ms", &stats.last_compaction_ms),
        ("last_compaction_unix_ms", &stats.last_compaction_unix_ms),
        ("last_compaction_error", &compaction_error),
        ("durable_lsn", &stats.durable_lsn),
        ("syncs", &stats.syncs),
        ("sync_running_ms", &stats.sync_running_ms),
        ("batches", &stats.batches),
        ("peak_batch_records", &stats.peak_batch_records),
        ("records_recovered", &stats.records_recovered),
        ("torn_bytes_dropped", &stats.torn_bytes_dropped),
        ("connections", &counters.connections.get()),
        ("total_connections", &counters.total_connections.get()),
        ("rejected_connections", &counters.rejected_connections()),
        ("buffer_bytes", &engine.buffers.claimed_bytes()),
        ("max_buffer_bytes", &config.max_buffer_bytes),
        ("buffer_limit_refusals", &engine.buffers.refusals.get()),
        ("rejected_for_descriptors", &counters.rejected_for_descriptors.get()),
        ("total_commands", &metrics.total_commands()),
        ("total_errors", &metrics.total_errors()),
        ("config_reloads", &reloads.reloads.get()),
        ("config_reloads_failed", &reloads.failed_reloads.get()),
        ("last_reload_error", &reloads.last.error()),
        ("users_reload_error", &reloads.users.error()),
        ("tls_reload_error", &reloads.tls.error()),
        ("tls_certificate_not_after", &tls.not_after_seconds()),
        ("tls_connections", &tls.counters.connections.get()),
        ("tls_handshakes", &tls.counters.handshakes.get()),
        ("tls_handshake_errors", &tls.counters.handshake_errors.get()),
        ("tls_handshake_timeouts", &tls.counters.handshake_timeouts.get()),
    ]);
    fields.extend(counters.closings.counters().map(|(name, closed)| (name.into(), closed.to_string())));
    fields.extend(engine.logins.figures().map(|(name, figure)| (name.into(), figure.to_string())));
    fields.extend(commit_stages(&stats.commit_latency).map(|(name, summary)| (name.into(), summary)));
    fields
}

/// Returns the durations of a commit's stages, in the format of Redis's `latency_percentiles_usec_…`, with `max` added.
fn commit_stages(commit: &CommitLatency) -> [(&'static str, String); 6] {
    let stages = [
        ("commit_gather_us", commit.gather),
        ("commit_queue_us", commit.queue),
        ("commit_write_us", commit.write),
        ("commit_sync_us", commit.sync),
        ("commit_wake_us", commit.wake),
        ("commit_reserve_us", commit.reserve),
    ];
    stages.map(|(name, LatencySummary { p50_us, p99_us, p999_us, max_us, .. })| {
        (name, format!("p50={p50_us},p99={p99_us},p99.9={p999_us},max={max_us}"))
    })
}
