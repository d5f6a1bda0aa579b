//! Fields of `INFO`: RustVault's own for both protocols, and before them Redis's for RESP.

use std::fmt::Display;
use std::process;

use rustvault_storage::{CommitLatency, LatencySummary, Stats};

use crate::commands::REDIS_VERSION;
use crate::engine::Engine;
use crate::metrics::MetricsSnapshot;

/// The fields of `INFO`: Redis's and RustVault's own.
pub(crate) struct InfoFields(Vec<Field>);

/// Section, name and value of a field. The fields of a section are consecutive.
type Field = (&'static str, &'static str, String);

/// The section of RustVault's own fields, which follows those of Redis.
const OURS: &str = "RustVault";

/// Arguments for which `INFO` returns all sections.
const ALL: [&str; 3] = ["all", "default", "everything"];

impl InfoFields {
    /// Collects the fields; without `show_data` it omits those that could reveal writes that are not durable.
    pub(crate) fn new<S>(engine: &Engine<S>, stats: &Stats, show_data: bool) -> Self {
        let metrics = engine.metrics.since_reset();
        let mut fields = of_redis(engine, stats, &metrics);
        fields.extend(ours(engine, stats, &metrics));
        fields.retain(|(_, name, _)| show_data || !is_of_data(name));
        Self(fields)
    }

    /// Returns RustVault's own fields.
    pub(crate) fn of_rustvault(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ours = self.0.iter().filter(|(section, ..)| *section == OURS);
        ours.map(|(_, name, value)| (*name, value.as_str()))
    }

    /// Returns the named sections in Redis's format, or all if no section is named.
    pub(crate) fn sections(&self, names: &[&[u8]]) -> String {
        let is_wanted = |section: &str| {
            let is = |name: &[u8], known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            names.is_empty()
                || names.iter().any(|name| is(name, section) || ALL.iter().any(|all| is(name, all)))
        };
        let (mut text, mut begun) = (String::new(), "");
        for (section, name, value) in self.0.iter().filter(|(section, ..)| is_wanted(section)) {
            if *section != begun {
                let separator = if text.is_empty() { "" } else { "\r\n" };
                text.push_str(&format!("{separator}# {section}\r\n"));
                begun = section;
            }
            // Redis shows the section of an empty keyspace, without a field in it.
            if !name.is_empty() {
                text.push_str(&format!("{name}:{value}\r\n"));
            }
        }
        text
    }
}

fn ours<S>(engine: &Engine<S>, stats: &Stats, metrics: &MetricsSnapshot) -> Vec<Field> {
    let (counters, tls) = (&engine.counters, &engine.tls);
    let config = engine.config();
    let wal_path = config.wal_path.display();
    let reloads = &engine.reloads.outcomes;
    let compaction_error = one_line(stats.last_compaction_error.as_deref().unwrap_or_default());
    let figures: [(&str, &dyn Display); 45] = [
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
        ("rejected_connections", &counters.rejected_connections.get()),
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
    ];
    let closed = counters.closings.counters().map(|(name, closed)| (OURS, name, closed.to_string()));
    let logins = engine.logins.figures().map(|(name, figure)| (OURS, name, figure.to_string()));
    let stages = commit_stages(&stats.commit_latency).map(|(name, summary)| (OURS, name, summary));
    let figures = figures.iter().map(|(name, value)| (OURS, *name, one_line(&value.to_string())));
    figures.chain(closed).chain(logins).chain(stages).collect()
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

/// Returns the fields that clients and monitoring tools of Redis read.
fn of_redis<S>(engine: &Engine<S>, stats: &Stats, metrics: &MetricsSnapshot) -> Vec<Field> {
    let (counters, config) = (&engine.counters, engine.config());
    let uptime = engine.started.elapsed().as_secs();
    let used_memory_human = format!("{:.2}M", stats.used_bytes as f64 / (1024.0 * 1024.0));
    let last_rewrite = if stats.last_compaction_error.is_some() { "err" } else { "ok" };
    let keys = format!("keys={},expires=0,avg_ttl=0", stats.keys);
    let figures: [(&str, &str, &dyn Display); 27] = [
        ("Server", "redis_version", &REDIS_VERSION),
        ("Server", "server_name", &"rustvault"),
        ("Server", "redis_mode", &"standalone"),
        ("Server", "os", &std::env::consts::OS),
        ("Server", "arch_bits", &usize::BITS),
        ("Server", "process_id", &process::id()),
        ("Server", "uptime_in_seconds", &uptime),
        ("Server", "uptime_in_days", &(uptime / (24 * 60 * 60))),
        ("Clients", "connected_clients", &counters.connections.get()),
        ("Clients", "maxclients", &config.max_connections),
        ("Clients", "blocked_clients", &0),
        ("Memory", "used_memory", &stats.used_bytes),
        ("Memory", "used_memory_human", &used_memory_human),
        ("Memory", "maxmemory", &config.max_memory_bytes.unwrap_or(0)),
        ("Memory", "maxmemory_policy", &"noeviction"),
        ("Persistence", "loading", &0),
        ("Persistence", "aof_enabled", &1),
        ("Persistence", "aof_rewrite_in_progress", &u8::from(stats.compaction_running)),
        ("Persistence", "aof_last_bgrewrite_status", &last_rewrite),
        ("Persistence", "aof_current_size", &stats.log_bytes),
        ("Stats", "total_connections_received", &counters.total_connections.get()),
        ("Stats", "total_commands_processed", &metrics.total_commands()),
        ("Stats", "rejected_connections", &counters.rejected_connections.get()),
        ("Stats", "total_error_replies", &metrics.total_errors()),
        ("Replication", "role", &"master"),
        ("Replication", "connected_slaves", &0),
        ("Cluster", "cluster_enabled", &0),
    ];
    let keyspace = ("Keyspace", if stats.keys > 0 { "db0" } else { "" }, keys);
    let fields = figures.iter().map(|(section, name, value)| (*section, *name, value.to_string()));
    fields.chain([keyspace]).collect()
}

/// Returns whether a field depends on the data, and so could reveal writes that are not durable.
fn is_of_data(name: &str) -> bool {
    const OF_DATA: &str = "keys used_bytes live_bytes log_bytes batches peak_batch_records used_memory used_memory_human \
        aof_current_size db0";
    OF_DATA.split(' ').any(|of_data| of_data == name)
}

/// Returns the text without control characters: a line break in a value would begin another field.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerConfig;

    fn figures(stats: &Stats, show_data: bool) -> InfoFields {
        InfoFields::new(&Engine::new((), &ServerConfig::default()), stats, show_data)
    }

    fn lines(figures: &InfoFields) -> Vec<String> {
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
        // Ten figures, and the heading of the section that has no other.
        assert_eq!(all.sections(&[]).lines().count() - some.sections(&[]).lines().count(), 12);
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
