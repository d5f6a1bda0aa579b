//! The lines that `INFO` answers.

use std::fmt::Display;
use std::process;

use rustvault_storage::Stats;

use crate::shared::Shared;

/// The lines that `INFO` answers, each `name=value`.
pub(crate) fn lines<S>(shared: &Shared<S>, stats: &Stats) -> Vec<String> {
    let counters = &shared.counters;
    let wal_path = shared.wal_path.display();
    let compaction_error = one_line(stats.last_compaction_error.as_deref().unwrap_or_default());
    let figures: [(&str, &dyn Display); 31] = [
        ("version", &env!("CARGO_PKG_VERSION")),
        ("pid", &process::id()),
        ("uptime_seconds", &shared.started.elapsed().as_secs()),
        ("threads", &shared.threads),
        ("fsync", &shared.sync_policy),
        ("wal_path", &wal_path),
        ("wal_format", &stats.log_format),
        ("read_only", &u8::from(stats.is_disk_full || stats.is_log_removed)),
        ("log_removed", &u8::from(stats.is_log_removed)),
        ("keys", &stats.keys),
        ("used_bytes", &stats.used_bytes),
        ("max_memory_bytes", &shared.max_memory_bytes.unwrap_or(0)),
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
        ("rejected_connections", &counters.rejected_connections.get()),
        ("total_commands", &counters.total_commands.get()),
        ("total_errors", &counters.total_errors.get()),
    ];
    let closed = counters.closings.counters().map(|(name, closed)| format!("{name}={closed}"));
    figures.iter().map(|(name, value)| format!("{name}={value}")).chain(closed).collect()
}

/// Returns whether a line describes the data, and so may show writes that are not durable.
pub(crate) fn is_of_data(line: &str) -> bool {
    ["keys=", "used_bytes=", "live_bytes=", "log_bytes=", "batches=", "peak_batch_records="]
        .iter()
        .any(|name| line.starts_with(name))
}

/// RESP's `INFO` is one text of lines, so a line break in a value would begin another.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
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
        for line in ["fsync=always", "wal_format=binary", "read_only=0", "max_memory_bytes=0"] {
            assert!(lines.contains(&line.to_owned()), "{line}");
        }
    }

    #[test]
    fn figures_of_the_data_are_known() {
        let lines = lines(&Shared::new((), &ServerConfig::default()), &Stats::default());
        assert_eq!(lines.iter().filter(|line| is_of_data(line)).count(), 6);
    }

    #[test]
    fn a_failed_compaction_is_told_on_one_line() {
        let shared = Shared::new((), &ServerConfig::default());
        let mut stats = Stats::default();
        stats.compaction_running = true;
        stats.last_compaction_error = Some("cannot\r\nwrite".into());
        let lines = lines(&shared, &stats);
        assert!(lines.contains(&"compaction_running=1".to_owned()));
        assert!(lines.contains(&"last_compaction_error=cannot  write".to_owned()));
    }
}
