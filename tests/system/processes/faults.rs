//! A disk that fails a running daemon: strace has its system calls return errors.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use rustvault_tests::{Launch, leave_descriptors, need_strace, until};

use crate::history::History;

/// How long a daemon may take to end once its log has failed.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Writes that are acknowledged before something is tried.
const SOME_WRITES: u64 = 200;

/// No daemon whose disk fails gets so far.
const TOO_MANY_WRITES: u64 = 300_000;

/// A seed that is told, so that a failure can be looked into.
fn rng() -> Rng {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    Rng::with_seed(seed)
}

/// Checks that a daemon on a sound disk finds all that was promised.
fn judge(launch: &Launch, history: &mut History) {
    let daemon = launch.start();
    history.judge(&daemon);
    daemon.kill();
}

/// The calls in a trace after the one that failed.
fn calls_after_failure(trace: &Path, call: &str) -> usize {
    let trace = fs::read_to_string(trace).unwrap();
    let lines = trace.lines().skip_while(|line| !line.contains("(INJECTED)")).skip(1);
    lines.filter(|line| line.contains(&format!(" {call}("))).count()
}

#[test]
fn an_error_of_the_disk_ends_the_daemon_with_1_and_loses_nothing() {
    if !need_strace() {
        return;
    }
    let mut rng = rng();
    let (mut failures, mut told, mut acknowledged) = (0, 0, 0);
    for policy in ["--fsync always", "--fsync interval:20ms", "--fsync never"] {
        let launch = Launch::new().with_args(policy);
        let mut history = History::default();
        // There is a log: the calls of a start that makes one do not count.
        launch.start().kill();
        for fault in ["fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC"] {
            if policy == "--fsync never" && fault.starts_with("fdatasync") {
                continue;
            }
            let (call, _) = fault.split_once(':').unwrap();
            let fault = format!("{fault}:when={}", rng.u32(5..40));
            let trace = launch.folder().join("trace");
            let mut daemon = launch.clone().with_fault(&fault, &trace).start();
            history.write(&daemon, &mut rng, TOO_MANY_WRITES, || daemon.signal(Signal::KILL));
            let status = daemon.wait(END_LIMIT);
            assert_eq!(status.code(), Some(1), "{policy}, {fault}: {:#?}", daemon.log_lines());
            let path = launch.wal().to_str().unwrap();
            assert!(daemon.wait_for_line("the log has failed").contains(path), "{:#?}", daemon.log_lines());
            if call == "fdatasync" {
                assert_eq!(calls_after_failure(&trace, call), 0, "{policy}, {fault}: tried again");
            }
            judge(&launch, &mut history);
            failures += 1;
        }
        assert!(policy != "--fsync always" || history.failed > 0, "who waited was told");
        assert_eq!(history.refused, 0);
        told += history.failed;
        acknowledged += history.acknowledged;
    }
    println!(
        "{failures} failed writes and syncs: {acknowledged} acknowledged writes, none lost, {told} were told STORAGE"
    );
}

#[test]
fn a_disk_that_gives_no_more_room_has_writes_refused_and_loses_nothing() {
    if !need_strace() {
        return;
    }
    let (mut rng, mut history) = (rng(), History::default());
    let launch = Launch::new();
    for error in ["ENOSPC", "EDQUOT", "EFBIG"] {
        // What the start asks for is given; each thread meets the full disk from its second look on.
        let fault = format!("fallocate:error={error}:when=2+");
        let daemon = launch.clone().with_fault(&fault, &launch.folder().join("trace")).start();
        history.write_while(daemon, &mut rng, |daemon| {
            let mut wire = daemon.wire();
            wire.ask("SET ballast: 1\r\n", "OK\r\n");
            until("the disk is full", || {
                wire.send("SET ballast: 1\r\n");
                wire.line().starts_with("ERROR READ_ONLY disk full")
            });
            wire.ask("GET ballast:\r\n", "VALUE 1\r\n");
            wire.ask("DELETE ballast:\r\nGET ballast:\r\n", "OK\r\nNOT_FOUND\r\n");
        });
        judge(&launch, &mut history);
    }
    let History { acknowledged, refused, failed, .. } = history;
    println!("{acknowledged} acknowledged writes, none lost; {refused} refused, none carried out");
    assert_eq!(failed, 0);
}

#[test]
fn a_compaction_that_the_disk_fails_is_given_up_and_loses_nothing() {
    if !need_strace() {
        return;
    }
    let (mut rng, mut history) = (rng(), History::default());
    let launch = Launch::new();
    let successor = launch.wal().with_file_name("vault.log.compacting");
    for (fault, answer) in [
        ("fdatasync:error=EIO:when=1", "ERROR STORAGE "),
        ("pwrite64:error=EIO:when=1", "ERROR STORAGE "),
        ("pwrite64:error=ENOSPC:when=2", "ERROR "),
        ("rename:error=EIO:when=1", "ERROR STORAGE "),
    ] {
        let trace = launch.folder().join("trace");
        let daemon = launch.clone().with_fault_at(&successor, fault, &trace).start();
        let compact = || {
            let mut wire = daemon.wire();
            wire.send("COMPACT\r\n");
            let line = wire.line();
            assert!(line.starts_with(answer), "{fault}: {line}");
            assert!(!successor.exists(), "{fault}: what is left of it is removed");
            wire.ask("SET ballast: 1\r\nGET ballast:\r\n", "OK\r\nVALUE 1\r\n");
            // The fault was for once.
            wire.ask("COMPACT\r\n", "OK\r\n");
            daemon.signal(Signal::KILL);
        };
        history.write(&daemon, &mut rng, SOME_WRITES, compact);
        daemon.kill();
        judge(&launch, &mut history);
    }
    assert_eq!((history.refused, history.failed), (0, 0));
}

#[test]
fn a_directory_that_cannot_be_synced_after_a_compaction_ends_the_daemon_and_loses_nothing() {
    if !need_strace() {
        return;
    }
    let (mut rng, mut history) = (rng(), History::default());
    let launch = Launch::new();
    let trace = launch.folder().join("trace");
    // Each thread's first one goes well: that of the start, and of the first compaction.
    let fault = launch.clone().with_fault_at(launch.folder(), "fsync:error=EIO:when=2", &trace);
    let mut daemon = fault.start();
    let compact = || {
        let mut wire = daemon.wire();
        wire.ask("COMPACT\r\n", "OK\r\n");
        wire.send("COMPACT\r\n");
        // The answer may not come any more.
        let answer = wire.try_line();
        assert!(answer.is_none_or(|line| line.starts_with(b"ERROR S")));
    };
    history.write(&daemon, &mut rng, SOME_WRITES, compact);
    assert_eq!(daemon.wait(END_LIMIT).code(), Some(1), "{:#?}", daemon.log_lines());
    judge(&launch, &mut history);
}

#[test]
fn a_compaction_that_lacks_a_descriptor_is_given_up_and_the_daemon_goes_on() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.ask("SET a 1\r\n", "OK\r\n");
    // One is for the new log, and one for the directory.
    for spare in 0..2 {
        leave_descriptors(daemon.pid(), Some(spare));
        wire.send("COMPACT\r\n");
        let line = wire.line();
        assert!(line.starts_with("ERROR STORAGE ") && line.contains("os error 24"), "{spare}: {line}");
        wire.ask("SET a 2\r\n", "OK\r\n");
    }
    leave_descriptors(daemon.pid(), None);
    wire.ask("COMPACT\r\nGET a\r\n", "OK\r\nVALUE 2\r\n");
    daemon.stop();
}

#[test]
fn a_start_that_the_disk_fails_is_refused_with_1_and_loses_nothing() {
    if !need_strace() {
        return;
    }
    let (mut rng, mut history) = (rng(), History::default());
    let launch = Launch::new();
    let daemon = launch.start();
    history.write(&daemon, &mut rng, 2000, || daemon.signal(Signal::KILL));
    daemon.kill();
    let trace = launch.folder().join("trace");
    for fault in ["pread64:error=EIO:when=1", "pread64:error=EIO:when=3"] {
        let before = fs::read(launch.wal()).unwrap();
        let refusal = launch.clone().with_fault_at(launch.wal(), fault, &trace).refused();
        assert_eq!(refusal.code, 1, "{fault}: {:#?}", refusal.lines);
        assert!(before == fs::read(launch.wal()).unwrap(), "{fault}: the log was changed");
    }
    for fault in [
        "fdatasync:error=EIO:when=1",
        "fdatasync:error=EIO:when=2",
        "pwrite64:error=EIO:when=1",
        "fsync:error=EIO:when=1",
    ] {
        let refusal = launch.clone().with_fault(fault, &trace).refused();
        assert_eq!(refusal.code, 1, "{fault}: {:#?}", refusal.lines);
    }
    judge(&launch, &mut history);
}
