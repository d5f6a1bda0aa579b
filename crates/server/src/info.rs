use std::fmt::Display;
use std::process;

use rustvault_storage::Stats;

use crate::shared::Shared;

/// The lines that `INFO` answers, each `name=value`.
pub(crate) fn lines<S>(shared: &Shared<S>, stats: &Stats) -> Vec<String> {
    let counters = &shared.counters;
    let wal_path = shared.wal_path.display();
    let figures: [(&str, &dyn Display); 21] = [
        ("version", &env!("CARGO_PKG_VERSION")),
        ("pid", &process::id()),
        ("uptime_seconds", &shared.started.elapsed().as_secs()),
        ("threads", &shared.threads),
        ("fsync", &shared.sync_policy),
        ("wal_path", &wal_path),
        ("keys", &stats.keys),
        ("used_bytes", &stats.used_bytes),
        ("log_bytes", &stats.log_bytes),
        ("live_bytes", &stats.live_bytes),
        ("durable_lsn", &stats.durable_lsn),
        ("syncs", &stats.syncs),
        ("batches", &stats.batches),
        ("peak_batch_records", &stats.peak_batch_records),
        ("records_recovered", &stats.records_recovered),
        ("torn_bytes_dropped", &stats.torn_bytes_dropped),
        ("connections", &counters.connections.get()),
        ("total_connections", &counters.total_connections.get()),
        ("rejected_connections", &counters.rejected_connections.get()),
        ("total_commands", &counters.total_commands.get()),
        ("total_errors", &counters.total_errors.get()),
    ];
    figures.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerConfig;

    #[test]
    fn every_figure_is_one_name_and_one_value() {
        let shared = Shared::new((), &ServerConfig::default());
        let lines = lines(&shared, &Stats::default());
        for name in ["version", "uptime_seconds", "fsync", "keys", "connections", "durable_lsn"] {
            let found =
                lines.iter().filter(|line| line.split_once('=').is_some_and(|(left, _)| left == name));
            assert_eq!(found.count(), 1, "{name}");
        }
        assert!(lines.contains(&"fsync=always".to_owned()));
    }
}
