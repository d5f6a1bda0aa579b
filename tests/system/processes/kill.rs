//! kill -9, again and again: under load, while the log is compacted, while a start recovers it. What was
//! acknowledged or read is there afterwards.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use rustvault_tests::{Daemon, Launch, number_in, until};

use crate::history::{BALLAST_PREFIX, History, WRITERS};

/// Kills under each policy, 200 together; `RUSTVAULT_KILL_CYCLES` says how many there are under each instead.
const ALWAYS_KILLS: u32 = 120;
const OTHER_KILLS: u32 = 40;

/// Acknowledged writes before a kill, or before a compaction begins; the next may come at any time from then on.
const MAX_TARGET: u64 = 1500;

/// Values that nobody changes, so that compactions and recoveries take a while.
const BALLAST_KEYS: usize = 1000;
const BALLAST_VALUE_BYTES: usize = 8 * 1024;

/// When a daemon is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    UnderLoad,
    /// Under load, too.
    InCompaction,
    InRecovery,
}

impl Moment {
    /// Half of the kills are meant for a compaction: some come when it has ended.
    fn of(kill: u32) -> Self {
        match kill % 6 {
            0 | 2 | 4 => Self::InCompaction,
            1 | 3 => Self::UnderLoad,
            _ => Self::InRecovery,
        }
    }
}

#[test]
fn no_acknowledged_write_is_lost_by_kill_9_under_always() {
    kill_again_and_again("--fsync always", ALWAYS_KILLS);
}

#[test]
fn no_acknowledged_write_is_lost_by_kill_9_under_interval() {
    kill_again_and_again("--fsync interval:20ms", OTHER_KILLS);
}

#[test]
fn no_acknowledged_write_is_lost_by_kill_9_under_never() {
    kill_again_and_again("--fsync never", OTHER_KILLS);
}

fn kill_again_and_again(policy: &str, kills: u32) {
    let kills = number_in("RUSTVAULT_KILL_CYCLES").unwrap_or(kills);
    let seed = fastrand::u64(..);
    println!("{policy}: seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let launch = Launch::new().with_args(policy);
    let mut history = History::default();
    let (mut in_compaction, mut in_recovery, mut torn_tails) = (0, 0, 0);
    let mut recovery_ms = 1;
    store_ballast(&launch);
    for kill in 0..kills {
        let moment = Moment::of(kill);
        if moment == Moment::InRecovery {
            let delay = Duration::from_micros(rng.u64(..500 * recovery_ms));
            in_recovery += u32::from(!launch.start_and_kill(delay));
            continue;
        }
        let daemon = launch.start();
        recovery_ms = recovery_ms_of(&daemon);
        torn_tails += u64::from(daemon.wire().info_number("torn_bytes_dropped") > 0);
        judge(&mut history, &daemon);
        let target = rng.u64(1..=MAX_TARGET);
        if moment == Moment::UnderLoad {
            history.write(&daemon, &mut rng, target, || daemon.signal(Signal::KILL));
            daemon.kill();
        } else {
            let bytes = rng.usize(..BALLAST_KEYS * BALLAST_VALUE_BYTES * 11 / 10) as u64;
            history.write(&daemon, &mut rng, target, || kill_in_compaction(&daemon, bytes));
            daemon.kill();
            in_compaction += u32::from(successor_of(&launch).exists());
        }
    }
    judge(&mut history, &launch.start());
    let History { sent, acknowledged, .. } = history;
    println!(
        "{policy}: {kills} kills, {in_compaction} of them in a compaction and {in_recovery} in a recovery; \
         {WRITERS} writers sent {sent} writes, {acknowledged} acknowledged, none lost; {torn_tails} torn tails"
    );
    assert!(in_compaction * 3 >= kills, "too few kills hit a compaction: {in_compaction} of {kills}");
    assert!(in_recovery > 0 || kills < 6, "no kill hit a recovery");
}

/// How long the daemon took to recover its log, rounded up.
fn recovery_ms_of(daemon: &Daemon) -> u64 {
    let line = daemon.ready_line();
    let (_, rest) = line.split_once("recovery_ms=").unwrap_or_else(|| panic!("not told in {line:?}"));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse::<u64>().unwrap() + 1
}

/// What a compaction makes; what is there after a kill, it was making.
fn successor_of(launch: &Launch) -> PathBuf {
    launch.wal().with_file_name("vault.log.compacting")
}

/// Starts a compaction, and kills when the new log has so many bytes, or has taken the old one's place.
fn kill_in_compaction(daemon: &Daemon, bytes: u64) {
    let successor = successor_of(daemon.launch());
    let mut wire = daemon.wire();
    wire.send("COMPACT\r\n");
    let mut has_begun = false;
    until("the compaction has come so far", || match fs::metadata(&successor) {
        Ok(file) => {
            has_begun = true;
            file.len() >= bytes
        }
        Err(_) => has_begun || !wire.has_nothing(),
    });
    daemon.signal(Signal::KILL);
}

fn store_ballast(launch: &Launch) {
    let daemon = launch.start();
    let mut wire = daemon.wire();
    for number in 0..BALLAST_KEYS {
        wire.ask(format!("SET {BALLAST_PREFIX}{number} {}\r\n", ballast(number)), "OK\r\n");
    }
}

fn ballast(number: usize) -> String {
    char::from(b'a' + (number % 26) as u8).to_string().repeat(BALLAST_VALUE_BYTES)
}

fn judge(history: &mut History, daemon: &Daemon) {
    history.judge(daemon);
    assert_eq!((history.refused, history.failed), (0, 0), "every write was taken");
    let mut wire = daemon.wire();
    for number in 0..BALLAST_KEYS {
        wire.send(format!("GET {BALLAST_PREFIX}{number}\r\n"));
        let is_there = wire.line().strip_prefix("VALUE ") == Some(&ballast(number));
        assert!(is_there, "ballast {number} is lost");
    }
}
