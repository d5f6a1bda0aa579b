//! Tests of the fields that `INFO` shows and leaves out.

use super::*;

fn with_state<T>(stats: &Stats, show_data: bool, look: impl FnOnce(&InfoState<'_, ()>) -> T) -> T {
    let engine = Engine::new((), &ServerConfig::default());
    look(&InfoState::new(&engine, stats, show_data))
}

fn lines(stats: &Stats, show_data: bool) -> Vec<String> {
    with_state(stats, show_data, |state| {
        state.of_rustvault().map(|(name, value)| format!("{name}={value}")).collect()
    })
}

fn sections(names: &[&[u8]]) -> String {
    with_state(&Stats::default(), true, |state| state.sections(names))
}

#[test]
fn every_figure_is_one_name_and_one_value() {
    let lines = lines(&Stats::default(), true);
    for name in ["version", "uptime_seconds", "fsync", "keys", "connections", "durable_lsn"] {
        let found = lines.iter().filter(|line| line.split_once('=').is_some_and(|(left, _)| left == name));
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
    assert_eq!(lines(&stats, true).len() - lines(&stats, false).len(), 6);
    let count = |show_data| with_state(&stats, show_data, |state| state.sections(&[]).lines().count());
    assert_eq!(count(true) - count(false), 15);
    let some = with_state(&stats, false, |state| state.sections(&[]));
    for name in
        ["used_memory", "used_memory_dataset", "mem_fragmentation_ratio", "db0", "aof_current_size", "keys"]
    {
        assert!(!some.contains(&format!("\n{name}:")), "{name}");
    }
}

#[test]
fn sections_are_told_by_name_in_any_case() {
    assert!(sections(&[]).starts_with("# Server\r\nredis_version:7.2.4\r\n"));
    assert_eq!(sections(&[b"cluster"]), "# Cluster\r\ncluster_enabled:0\r\n");
    assert!(sections(&[b"rustvault"]).starts_with("# RustVault\r\nversion:"));
    assert_eq!(sections(&[b"nonsense"]), "");
    assert_eq!(sections(&[b"KEYSPACE", b"Cluster"]), "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n");
}

#[test]
fn statistics_of_commands_are_shown_to_who_names_them_or_asks_for_all() {
    let headings = |names: &[&[u8]]| {
        let text = sections(names);
        text.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let default = headings(&[]);
    assert_eq!(headings(&[b"default"]), default);
    assert!(!default.contains(&"Commandstats".to_owned()) && !default.contains(&"Latencystats".to_owned()));
    let all = headings(&[b"ALL"]);
    assert_eq!((all.len(), headings(&[b"everything"])), (default.len() + 2, all));
    assert_eq!(headings(&[b"latencystats", b"commandstats"]), ["Commandstats", "Latencystats"]);
    assert_eq!(headings(&[b"default", b"commandstats"]).len(), default.len() + 1);
}

#[test]
fn a_failed_compaction_is_told_on_one_line() {
    let mut stats = Stats::default();
    stats.compaction_running = true;
    stats.last_compaction_error = Some("cannot\r\nwrite".into());
    let lines = lines(&stats, true);
    assert!(lines.contains(&"compaction_running=1".to_owned()));
    assert!(lines.contains(&"last_compaction_error=cannot  write".to_owned()));
}

#[test]
fn no_name_is_there_twice_among_those_of_redis() {
    let text = sections(&[b"everything"]);
    let (of_redis, _) = text.split_once("# RustVault").unwrap();
    let mut names: Vec<_> =
        of_redis.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}

#[test]
fn every_reason_to_refuse_writes_shows_in_the_status_of_the_last_write() {
    let status = |change: fn(&mut Stats)| {
        let mut stats = Stats::default();
        change(&mut stats);
        let text = with_state(&stats, true, |state| state.sections(&[b"persistence"]));
        text.lines().find_map(|line| line.strip_prefix("aof_last_write_status:")).unwrap().to_owned()
    };
    assert_eq!(status(|_| {}), "ok");
    let refusals: [fn(&mut Stats); 3] = [
        |stats| stats.is_disk_full = true,
        |stats| stats.is_log_removed = true,
        |stats| stats.is_poisoned = true,
    ];
    assert_eq!(refusals.map(status), ["err"; 3]);
}

#[test]
fn compactions_and_slow_syncs_have_redis_names() {
    let mut stats = Stats::default();
    let persistence = |stats: &Stats| with_state(stats, true, |state| state.sections(&[b"persistence"]));
    assert!(persistence(&stats).contains("\r\naof_last_rewrite_time_sec:-1\r\n"));
    (stats.compactions, stats.last_compaction_ms, stats.slow_syncs) = (2, 1001, 3);
    stats.last_compaction_error = Some("no space".into());
    (stats.compaction_running, stats.sync_running_ms) = (true, 7000);
    let text = persistence(&stats);
    for line in [
        "aof_rewrites:2",
        "aof_last_rewrite_time_sec:2",
        "aof_last_bgrewrite_status:err",
        "aof_rewrite_in_progress:1",
        "aof_pending_bio_fsync:1",
        "aof_delayed_fsync:3",
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
    }
}
