//! Stopping on request, with writes under way.

use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;
use rustvault_tests::{Daemon, Launch, PATIENCE, Wire, until};

use crate::history::History;

const STOP_LIMIT: Duration = Duration::from_secs(10);

#[test]
fn sigterm_under_load_ends_with_0_and_keeps_every_answered_write() {
    stop_under_load(Signal::TERM, "--fsync always");
}

#[test]
fn sigint_under_load_ends_with_0_and_keeps_every_answered_write() {
    stop_under_load(Signal::INT, "--fsync always");
    stop_under_load(Signal::INT, "--fsync interval:1s");
    stop_under_load(Signal::INT, "--fsync never");
}

fn stop_under_load(signal: Signal, policy: &str) {
    let launch = Launch::new().with_args(policy);
    let (mut history, mut rng) = (History::default(), Rng::with_seed(1));
    for _ in 0..3 {
        let mut daemon = launch.start();
        history.write(&daemon, &mut rng, 500, || daemon.signal(signal));
        let status = daemon.wait(STOP_LIMIT);
        assert_eq!(status.code(), Some(0), "{status}: {:#?}", daemon.log_lines());
        let daemon = launch.start();
        assert_eq!(daemon.wire().info("torn_bytes_dropped"), "0");
        history.judge(&daemon);
        assert_eq!((history.refused, history.failed), (0, 0), "every write was taken");
        daemon.stop();
    }
}

#[test]
fn a_stop_answers_what_was_received() {
    let launch = Launch::new();
    let mut daemon = launch.start();
    let mut wire = daemon.wire();
    let commands: String = (0..1000).map(|n| format!("SET key:{n} {n}\r\n")).collect();
    wire.ask("PING\r\n", "PONG\r\n");
    wire.send(commands);
    wire.expect("OK\r\n");
    daemon.signal(Signal::TERM);
    let answers = wire.rest();
    drop(wire);
    assert_eq!(daemon.wait(STOP_LIMIT).code(), Some(0));
    let answered = answers.lines().count() + 1;
    assert_eq!(answers, "OK\r\n".repeat(answered - 1));
    launch.start().wire().ask("COUNT\r\n", format!("VALUE {answered}\r\n"));
}

#[test]
fn a_stop_abandons_a_compaction_and_answers_who_waits_for_it() {
    let launch = Launch::new();
    let mut daemon = launch.start();
    let mut wire = daemon.wire();
    // So much takes a compaction, which rests between its steps, longer than a test looks for it.
    let value = "v".repeat(32 * 1024);
    for key in 0..1000 {
        wire.ask(format!("SET key:{key} {value}\r\n"), "OK\r\n");
    }
    let successor = launch.wal().with_file_name("vault.log.compacting");
    wire.send("COMPACT\r\nSET last 1\r\n");
    until("the compaction has begun", || successor.exists());
    daemon.signal(Signal::TERM);
    assert!(wire.line().starts_with("ERROR SHUTTING_DOWN "));
    assert_eq!(wire.rest(), "OK\r\n");
    drop(wire);
    assert_eq!(daemon.wait(Duration::from_secs(3)).code(), Some(0), "{:#?}", daemon.log_lines());
    assert!(!successor.exists());
    launch.start().wire().ask("COUNT\r\n", "VALUE 1001\r\n");
}

#[test]
fn a_stopped_log_is_sealed_and_the_numbering_goes_on() {
    let launch = Launch::new();
    let daemon = launch.start();
    let mut wire = daemon.wire();
    wire.ask("SET k 1\r\n".repeat(10), "OK\r\n".repeat(10));
    assert_eq!(wire.info_number("durable_lsn"), 10);
    daemon.stop();
    let sealed = std::fs::read(launch.wal()).unwrap();

    let daemon = launch.start();
    let mut wire = daemon.wire();
    assert_eq!((wire.info("torn_bytes_dropped"), wire.info("records_recovered")), ("0".into(), "10".into()));
    wire.ask("SET k 2\r\n", "OK\r\n");
    assert_eq!(wire.info_number("durable_lsn"), 11, "nothing can be lost, so no number is skipped");
    daemon.kill();

    // A byte of a sealed log that changes is told from a crash.
    let mut damaged = sealed;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(launch.wal(), damaged).unwrap();
    assert_eq!(launch.refused().code, 3);
}

#[test]
fn clients_that_do_not_read_hold_up_a_stop_for_some_seconds_at_most() {
    let (launch, mut daemon, _stuck) = daemon_with_a_stuck_client();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait(STOP_LIMIT).code(), Some(0));
    launch.start().wire().ask("EXISTS big\r\n", "OK\r\n");
}

#[test]
fn a_second_signal_ends_at_once_and_loses_nothing() {
    for (first, second, code) in [(Signal::TERM, Signal::TERM, 143), (Signal::TERM, Signal::INT, 130)] {
        let (launch, mut daemon, _stuck) = daemon_with_a_stuck_client();
        daemon.signal(first);
        daemon.wait_for_line("stopping");
        let start = Instant::now();
        daemon.signal(second);
        assert_eq!(daemon.wait(PATIENCE).code(), Some(code));
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        launch.start().wire().ask("EXISTS big\r\n", "OK\r\n");
    }
}

#[test]
fn a_hangup_reloads_and_ends_nothing() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.ask("SET k v\r\n", "OK\r\n");
    for _ in 0..3 {
        daemon.signal(Signal::HUP);
    }
    daemon.wait_for_line("the configuration is reloaded");
    wire.ask("GET k\r\n", "VALUE v\r\n");
    drop(wire);
    daemon.stop();
}

/// A daemon whose client has asked for more than it takes.
fn daemon_with_a_stuck_client() -> (Launch, Daemon, Wire) {
    let launch = Launch::new();
    let daemon = launch.start();
    let mut wire = daemon.wire();
    wire.ask(format!("SET big {}\r\n", "v".repeat(1 << 20)), "OK\r\n");
    wire.send("GET big\r\n".repeat(64));
    wire.expect("VALUE v");
    (launch, daemon, wire)
}
