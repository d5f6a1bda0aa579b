//! Section `Stats` of `INFO`.

use super::{Field, InfoState, constants, fields as make};
use crate::closing::CloseReason;

pub(super) fn fields<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    const NOTHING_EXPIRES_OR_IS_EVICTED: &str = "expired_keys expired_time_cap_reached_count expire_cycle_cpu_milliseconds evicted_keys evicted_clients \
        total_eviction_exceeded_time current_eviction_exceeded_time slave_expires_tracked_keys";
    const NO_CHANNELS_NOR_REPLICAS: &str = "pubsub_channels pubsub_patterns pubsubshard_channels acl_access_denied_channel \
        total_net_repl_input_bytes total_net_repl_output_bytes sync_full sync_partial_ok sync_partial_err migrate_cached_sockets";
    const NO_FORKS_NOR_TRACKING: &str = "latest_fork_usec total_forks active_defrag_hits active_defrag_misses \
        active_defrag_key_hits active_defrag_key_misses tracking_total_keys tracking_total_items \
        tracking_total_prefixes unexpected_error_replies dump_payload_sanitizations";
    let (engine, metrics) = (state.engine, &state.metrics);
    let (counters, rates) = (&engine.counters, engine.rates.sample(&engine.metrics.snapshot()));
    let mut fields = make([
        ("total_connections_received", &counters.total_connections.get()),
        ("total_commands_processed", &metrics.total_commands()),
        ("instantaneous_ops_per_sec", &rates.commands_per_second),
        ("keyspace_hits", &metrics.hits),
        ("keyspace_misses", &metrics.misses),
        ("total_net_input_bytes", &metrics.received_bytes),
        ("total_net_output_bytes", &metrics.sent_bytes),
        ("instantaneous_input_kbps", &format_args!("{:.2}", rates.received_kib_per_second)),
        ("instantaneous_output_kbps", &format_args!("{:.2}", rates.sent_kib_per_second)),
        ("rejected_connections", &counters.rejected_connections()),
        ("total_error_replies", &metrics.total_errors()),
        ("client_query_buffer_limit_disconnections", &counters.closings.count(CloseReason::BufferLimit)),
        ("client_output_buffer_limit_disconnections", &counters.closings.count(CloseReason::OutputLimit)),
        ("acl_access_denied_auth", &engine.logins.failed_logins()),
    ]);
    fields.extend(constants("0", NOTHING_EXPIRES_OR_IS_EVICTED));
    fields.extend(constants("0.00", "expired_stale_perc"));
    fields.extend(constants("0", NO_CHANNELS_NOR_REPLICAS));
    fields.extend(constants("0", NO_FORKS_NOR_TRACKING));
    fields
}
