//! The figures that `INFO` tells.

use std::fmt::{Display, Write};
use std::process;

use rustvault_storage::Stats;

use crate::commands::REDIS_VERSION;
use crate::shared::Shared;

/// What `INFO` tells: names and values, ours and in Redis's terms.
pub(crate) struct Figures {
    ours: Vec<(&'static str, String)>,
    of_redis: Vec<Section>,
}

/// A section of Redis's `INFO`.
struct Section {
    name: &'static str,
    lines: Vec<(&'static str, String)>,
}

/// The name of the section with our own figures, which comes after Redis's.
const OURS: &str = "RustVault";

/// Words for which `INFO` tells all sections.
const ALL: [&[u8]; 3] = [b"all", b"default", b"everything"];

impl Figures {
    /// The figures at this moment; those of the data only if they `show_data` that is durable.
    pub(crate) fn new<S>(shared: &Shared<S>, stats: &Stats, show_data: bool) -> Self {
        let (mut ours, mut of_redis) = (ours(shared, stats), of_redis(shared, stats));
        if !show_data {
            ours.retain(|(name, _)| !is_of_data(name));
            of_redis.iter_mut().for_each(|section| section.lines.retain(|(name, _)| !is_of_data(name)));
        }
        Self { ours, of_redis }
    }

    /// Returns our own figures.
    pub(crate) fn of_rustvault(&self) -> impl Iterator<Item = &(&'static str, String)> {
        self.ours.iter()
    }

    /// Returns the text that Redis's clients expect, with the sections of these names; with all if none is named.
    pub(crate) fn sections(&self, names: &[&[u8]]) -> String {
        let is_named = |section: &str| {
            let is_it = |name: &&[u8]| {
                name.eq_ignore_ascii_case(section.as_bytes())
                    || ALL.iter().any(|all| name.eq_ignore_ascii_case(all))
            };
            names.is_empty() || names.iter().any(is_it)
        };
        let sections =
            self.of_redis.iter().map(|section| (section.name, &section.lines)).chain([(OURS, &self.ours)]);
        let mut text = String::new();
        for (name, lines) in sections.filter(|(name, _)| is_named(name)) {
            let separator = if text.is_empty() { "" } else { "\r\n" };
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}# {name}\r\n");
            for (name, value) in lines {
                let _ = write!(text, "{name}:{value}\r\n");
            }
        }
        text
    }
}

fn ours<S>(shared: &Shared<S>, stats: &Stats) -> Vec<(&'static str, String)> {
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
    let closed = counters.closings.counters().map(|(name, closed)| (name, closed.to_string()));
    figures.iter().map(|(name, value)| (*name, one_line(&value.to_string()))).chain(closed).collect()
}

/// Returns what Redis's clients, and the tools around them, read in its terms.
fn of_redis<S>(shared: &Shared<S>, stats: &Stats) -> Vec<Section> {
    let section = |name, lines: &[(&'static str, &dyn Display)]| {
        let lines = lines.iter().map(|(name, value)| (*name, value.to_string())).collect();
        Section { name, lines }
    };
    let counters = &shared.counters;
    let uptime = shared.started.elapsed().as_secs();
    let used_memory_human = format!("{:.2}M", stats.used_bytes as f64 / (1024.0 * 1024.0));
    let max_memory = shared.max_memory_bytes.unwrap_or(0);
    let mut keyspace = section("Keyspace", &[]);
    if stats.keys > 0 {
        keyspace.lines.push(("db0", format!("keys={},expires=0,avg_ttl=0", stats.keys)));
    }
    vec![
        section(
            "Server",
            &[
                ("redis_version", &REDIS_VERSION),
                ("server_name", &"rustvault"),
                ("redis_mode", &"standalone"),
                ("os", &std::env::consts::OS),
                ("arch_bits", &usize::BITS),
                ("process_id", &process::id()),
                ("uptime_in_seconds", &uptime),
                ("uptime_in_days", &(uptime / (24 * 60 * 60))),
            ],
        ),
        section(
            "Clients",
            &[("connected_clients", &counters.connections.get()), ("maxclients", &shared.max_connections)],
        ),
        section(
            "Memory",
            &[
                ("used_memory", &stats.used_bytes),
                ("used_memory_human", &used_memory_human),
                ("maxmemory", &max_memory),
                ("maxmemory_policy", &"noeviction"),
            ],
        ),
        section(
            "Persistence",
            &[
                ("loading", &0),
                ("aof_enabled", &1),
                ("aof_rewrite_in_progress", &u8::from(stats.compaction_running)),
                (
                    "aof_last_bgrewrite_status",
                    &if stats.last_compaction_error.is_some() { "err" } else { "ok" },
                ),
                ("aof_current_size", &stats.log_bytes),
            ],
        ),
        section(
            "Stats",
            &[
                ("total_connections_received", &counters.total_connections.get()),
                ("total_commands_processed", &counters.total_commands.get()),
                ("rejected_connections", &counters.rejected_connections.get()),
                ("total_error_replies", &counters.total_errors.get()),
            ],
        ),
        section("Replication", &[("role", &"master"), ("connected_slaves", &0)]),
        section("Cluster", &[("cluster_enabled", &0)]),
        keyspace,
    ]
}

/// Returns whether a figure describes the data, and so may show writes that are not durable.
fn is_of_data(name: &str) -> bool {
    [
        "keys",
        "used_bytes",
        "live_bytes",
        "log_bytes",
        "batches",
        "peak_batch_records",
        "used_memory",
        "used_memory_human",
        "aof_current_size",
        "db0",
    ]
    .contains(&name)
}

/// A line break in a value would begin another line.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerConfig;

    fn figures(stats: &Stats, show_data: bool) -> Figures {
        Figures::new(&Shared::new((), &ServerConfig::default()), stats, show_data)
    }

    fn lines(figures: &Figures) -> Vec<String> {
        figures.of_rustvault().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn every_figure_is_one_name_and_one_value() {
        let lines = lines(&figures(&Stats::default(), true));
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
    fn figures_of_the_data_are_left_out_where_they_may_show_what_is_not_durable() {
        let mut stats = Stats::default();
        stats.keys = 1;
        let (all, some) = (figures(&stats, true), figures(&stats, false));
        assert_eq!(lines(&all).len() - lines(&some).len(), 6);
        assert_eq!(all.sections(&[]).lines().count() - some.sections(&[]).lines().count(), 10);
        for name in ["used_memory", "db0", "aof_current_size", "keys"] {
            assert!(!some.sections(&[]).contains(&format!("\n{name}:")), "{name}");
        }
    }

    #[test]
    fn sections_are_told_by_name_in_any_case() {
        let figures = figures(&Stats::default(), true);
        assert!(figures.sections(&[]).starts_with("# Server\r\nredis_version:7.2.4\r\n"));
        assert_eq!(figures.sections(&[b"cluster"]), "# Cluster\r\ncluster_enabled:0\r\n");
        assert!(figures.sections(&[b"rustvault"]).starts_with("# RustVault\r\nversion:"));
        assert_eq!(figures.sections(&[b"nonsense"]), "");
        assert_eq!(figures.sections(&[b"everything"]), figures.sections(&[]));
        let two = figures.sections(&[b"KEYSPACE", b"Cluster"]);
        assert_eq!(two, "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n");
    }

    #[test]
    fn a_failed_compaction_is_told_on_one_line() {
        let mut stats = Stats::default();
        stats.compaction_running = true;
        stats.last_compaction_error = Some("cannot\r\nwrite".into());
        let lines = lines(&figures(&stats, true));
        assert!(lines.contains(&"compaction_running=1".to_owned()));
        assert!(lines.contains(&"last_compaction_error=cannot  write".to_owned()));
    }
}
