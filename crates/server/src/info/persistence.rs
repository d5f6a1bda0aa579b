//! Section `Persistence` of `INFO`. The log is what Redis calls the append-only file; there are no snapshots.

use rustvault_storage::Stats;

use super::{Field, InfoState, constants, fields as make};

pub(super) fn fields<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    // Without rdb_last_save_time: alerts on missing snapshots would fire for a constant, or never.
    const NO_SNAPSHOTS: &str = "rdb_changes_since_last_save rdb_bgsave_in_progress rdb_saves rdb_last_cow_size \
        rdb_last_load_keys_expired rdb_last_load_keys_loaded";
    const NEVER_SCHEDULED: &str = "aof_rewrite_scheduled aof_pending_rewrite aof_last_cow_size module_fork_in_progress \
        module_fork_last_cow_size";
    let stats = state.stats;
    let status = |is_ok| if is_ok { "ok" } else { "err" };
    // A server answers commands only once the log is recovered.
    let mut fields: Vec<Field> = constants("0", "loading async_loading").collect();
    fields.extend(constants("0", NO_SNAPSHOTS));
    fields.extend(constants("ok", "rdb_last_bgsave_status"));
    fields.extend(constants("-1", "rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec"));
    fields.extend(make([
        ("aof_enabled", &1),
        ("aof_rewrite_in_progress", &u8::from(stats.compaction_running)),
        ("aof_rewrites", &stats.compactions),
        ("aof_last_rewrite_time_sec", &last_rewrite_seconds(stats)),
        ("aof_last_bgrewrite_status", &status(stats.last_compaction_error.is_none())),
        (
            "aof_last_write_status",
            &status(!stats.is_disk_full && !stats.is_log_removed && !stats.is_poisoned),
        ),
        ("aof_current_size", &stats.log_bytes),
        // Redis's is the size behind the last rewrite, which only growth is measured by.
        ("aof_base_size", &stats.live_bytes),
        ("aof_pending_bio_fsync", &u8::from(stats.sync_running_ms > 0)),
        ("aof_delayed_fsync", &stats.slow_syncs),
    ]));
    fields.extend(constants("0", NEVER_SCHEDULED));
    fields
}

/// Returns the duration of the last compaction that succeeded, rounded up; -1 if none has.
fn last_rewrite_seconds(stats: &Stats) -> i64 {
    match stats.compactions {
        0 => -1,
        _ => i64::try_from(stats.last_compaction_ms.div_ceil(1000)).unwrap_or(i64::MAX),
    }
}
