//! Sections `Server`, `Clients`, `Replication`, `Cluster` and `Keyspace` of `INFO`.

use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::system::uname;

use super::{Field, InfoState, constants, fields};
use crate::commands::REDIS_VERSION;

/// `master_replid2` of a server that never was a replica.
const NO_REPLICATION_ID: &str = "0000000000000000000000000000000000000000";

pub(super) fn server<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    let uptime = state.engine.started.elapsed().as_secs();
    let system = uname();
    let [name, release, machine] = [system.sysname(), system.release(), system.machine()];
    let os = [name, release, machine].map(|part| part.to_string_lossy()).join(" ");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    fields([
        ("redis_version", &REDIS_VERSION),
        // The version of the server itself is `version` of the section RustVault.
        ("server_name", &"rustvault"),
        ("redis_build_id", &env!("CARGO_PKG_VERSION")),
        ("redis_mode", &"standalone"),
        ("os", &os),
        ("arch_bits", &usize::BITS),
        ("process_id", &process::id()),
        ("run_id", &state.engine.run_id),
        ("tcp_port", &state.engine.reloads.tcp_port()),
        ("server_time_usec", &now.as_micros()),
        ("uptime_in_seconds", &uptime),
        ("uptime_in_days", &(uptime / (24 * 60 * 60))),
        ("io_threads_active", &u8::from(state.config.threads > 1)),
    ])
}

pub(super) fn clients<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    const NO_BLOCKING: &str = "cluster_connections blocked_clients tracking_clients clients_in_timeout_table \
        total_blocking_keys total_blocking_keys_on_nokey";
    let mut clients = fields([
        ("connected_clients", &state.engine.counters.connections.get()),
        ("maxclients", &state.config.max_connections),
    ]);
    clients.extend(constants("0", NO_BLOCKING));
    clients
}

pub(super) fn replication<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    const NO_BACKLOG: &str =
        "repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen";
    let mut replication = fields([
        ("role", &"master"),
        ("connected_slaves", &0),
        ("master_failover_state", &"no-failover"),
        ("master_replid", &state.engine.run_id),
        ("master_replid2", &NO_REPLICATION_ID),
        ("master_repl_offset", &0),
        ("second_repl_offset", &-1),
    ]);
    replication.extend(constants("0", NO_BACKLOG));
    replication
}

pub(super) fn cluster<S>(_: &InfoState<'_, S>) -> Vec<Field> {
    fields([("cluster_enabled", &0)])
}

/// Returns the database, which Redis does not show while it is empty.
pub(super) fn keyspace<S>(state: &InfoState<'_, S>) -> Vec<Field> {
    match state.stats.keys {
        0 => Vec::new(),
        keys => fields([("db0", &format_args!("keys={keys},expires=0,avg_ttl=0"))]),
    }
}
