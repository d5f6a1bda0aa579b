//! A disk that fills up and is freed again, for real.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustvault_tests::{Daemon, Launch, SmallDisk, need, until};

use crate::history::{BALLAST_PREFIX, History};

const DISK_BYTES: u64 = 8 * 1024 * 1024;

/// What else lies on the disk. While it does, there is no room for a compaction.
const OTHER_BYTES: usize = 4 * 1024 * 1024;

/// The limit on the size of a file, which is no multiple of what the log asks for.
const FILE_LIMIT_BYTES: u64 = 700_000;

/// How soon writes are taken once there is space again.
const RESUME_LIMIT: Duration = Duration::from_secs(1);

fn other_file(disk: &SmallDisk) -> PathBuf {
    disk.path().join("other")
}

/// Waits until the daemon refuses writes, and looks what it still does: reads, and deletes of this key.
fn watch_it_fill(daemon: &Daemon, key: &str) {
    let mut wire = daemon.wire();
    until("the disk is full", || {
        wire.send(format!("SET {BALLAST_PREFIX} 1\r\n"));
        wire.line().starts_with("ERROR READ_ONLY disk full")
    });
    assert_eq!(wire.info_number("read_only"), 1);
    wire.ask(format!("GET {key}\r\n"), "VALUE 1\r\n");
    wire.ask(format!("DELETE {key}\r\nEXISTS {key}\r\n"), "OK\r\nNOT_FOUND\r\n");
}

/// How long it takes until a write is taken.
fn time_to_write(daemon: &Daemon) -> Duration {
    let (mut wire, start) = (daemon.wire(), Instant::now());
    until("writes are taken again", || {
        wire.send(format!("SET {BALLAST_PREFIX} 2\r\n"));
        wire.line() == "OK"
    });
    start.elapsed()
}

#[test]
fn a_disk_that_fills_up_loses_nothing_and_writes_go_on_within_a_second_of_space() {
    let Some(disk) = SmallDisk::mount(DISK_BYTES) else { return };
    fs::write(other_file(&disk), vec![1; OTHER_BYTES]).unwrap();
    let launch = Launch::new().with_wal(disk.path().join("vault.log"));
    let (mut history, mut rng) = (History::default(), Rng::new());

    let keys = ["first", "second"].map(|name| format!("{BALLAST_PREFIX}{name}"));
    let daemon = launch.start();
    for key in &keys {
        daemon.wire().ask(format!("SET {key} 1\r\n"), "OK\r\n");
    }
    history.write_while(daemon, &mut rng, |daemon| watch_it_fill(daemon, &keys[0]));
    let refused = history.refused;
    assert!(refused > 0, "writers met the full disk");

    // The log has kept what was reserved for it: it opens on the full disk.
    let daemon = launch.start();
    history.judge(&daemon);
    let mut resumed_after = Duration::MAX;
    history.write_while(daemon, &mut rng, |daemon| {
        watch_it_fill(daemon, &keys[1]);
        fs::remove_file(other_file(&disk)).unwrap();
        resumed_after = time_to_write(daemon);
    });
    println!(
        "{} writes acknowledged, none lost; {} refused, none carried out; writes went on {resumed_after:?} after there was space",
        history.acknowledged, history.refused
    );
    assert!(resumed_after <= RESUME_LIMIT, "{resumed_after:?}");
    let daemon = launch.start();
    history.judge(&daemon);
    assert_eq!(history.failed, 0);
    daemon.stop();
}

#[test]
fn a_log_at_the_limit_of_a_files_size_has_writes_refused_and_loses_nothing() {
    if !need("prlimit") {
        return;
    }
    let launch = Launch::new();
    let limited = launch.clone().with_file_size_limit(FILE_LIMIT_BYTES);
    let (mut history, mut rng) = (History::default(), Rng::new());
    let key = format!("{BALLAST_PREFIX}first");
    let daemon = limited.start();
    daemon.wire().ask(format!("SET {key} 1\r\n"), "OK\r\n");
    history.write_while(daemon, &mut rng, |daemon| {
        watch_it_fill(daemon, &key);
        // The live data take little, so a compaction makes room; the writers use it up again.
        daemon.wire().ask("COMPACT\r\n", "OK\r\n");
        time_to_write(daemon);
        until("the log is at the limit again", || daemon.wire().info_number("read_only") == 1);
    });
    assert!(history.refused > 0, "writers met the limit");
    // Under a limit below its size no start can make sure of its end, and none is killed for trying.
    let refusal = launch.clone().with_file_size_limit(FILE_LIMIT_BYTES / 2).refused();
    assert_eq!(refusal.code, 1, "{:#?}", refusal.lines);
    let daemon = limited.start();
    history.judge(&daemon);
    assert_eq!(daemon.wire().info_number("read_only"), 1);
    let unlimited = Rlimit { current: None, maximum: None };
    prlimit(Pid::from_raw(daemon.pid().try_into().unwrap()), Resource::Fsize, unlimited).unwrap();
    time_to_write(&daemon);
    daemon.stop();
    let daemon = launch.start();
    history.judge(&daemon);
    daemon.stop();
    println!(
        "{} writes acknowledged, none lost; {} refused, none carried out",
        history.acknowledged, history.refused
    );
    assert_eq!(history.failed, 0);
}

#[test]
fn overwriting_does_not_fill_a_small_disk() {
    const VALUE_BYTES: usize = 1000;
    const KEYS: usize = 1000;
    let Some(disk) = SmallDisk::mount(3 * DISK_BYTES) else { return };
    let launch = Launch::new().with_wal(disk.path().join("vault.log"));
    let daemon = launch.start();
    let mut wire = daemon.wire();
    let value = "v".repeat(VALUE_BYTES);
    let round: String = (0..KEYS).map(|key| format!("SET key:{key} {value}\r\n")).collect();
    let all_done = "OK\r\n".repeat(KEYS);
    for _ in 0..100 {
        wire.ask(&round, &all_done);
    }
    let compactions = wire.info_number("compactions");
    println!(
        "100 MB of overwrites on a disk of {} MiB: {compactions} compactions",
        3 * DISK_BYTES / (1024 * 1024)
    );
    assert!(compactions >= 3);
    daemon.stop();
}
