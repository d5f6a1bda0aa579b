//! Connections that are refused or end: who is told, and what is counted.

use std::net::Shutdown;

use rustvault_tests::{Daemon, Launch, until};

/// How many lines of standard error have this text.
fn lines_with(daemon: &Daemon, text: &str) -> usize {
    daemon.log_lines().iter().filter(|line| line.contains(text)).count()
}

#[test]
fn refused_connections_are_reported_at_the_default_level_but_not_each_of_a_crowd() {
    let daemon = Launch::new().with_args("--max-connections 1").start();
    let mut first = daemon.wire();
    first.ask("PING\r\n", "PONG\r\n");
    for _ in 0..100 {
        assert!(daemon.wire().rest().starts_with("ERROR TOO_MANY_CONNECTIONS "));
    }
    let line = daemon.wait_for_line("connection refused");
    assert!(line.contains("WARN") && line.contains("--max-connections"), "{line}");
    assert_eq!(first.info_number("rejected_connections"), 100);
    let reported = lines_with(&daemon, "connection refused");
    assert!((1..=10).contains(&reported), "{reported} of 100 refusals were reported");
}

#[test]
fn a_protocol_error_is_reported_at_the_default_level_and_counted() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.send("*1\r\n$x\r\n");
    assert!(wire.rest().starts_with("-ERR Protocol error"));
    let peer = wire.local_addr().to_string();
    drop(wire);
    let line = daemon.wait_for_line("protocol error");
    for part in ["WARN", "connection closed", &peer, "invalid bulk length"] {
        assert!(line.contains(part), "no {part:?} in {line:?}");
    }
    assert_eq!(daemon.wire().info_number("closed_protocol_error"), 1);
}

#[test]
fn a_thousand_protocol_errors_are_ten_lines_and_a_count() {
    let daemon = Launch::new().start();
    for _ in 0..1000 {
        let mut wire = daemon.wire();
        wire.send("*x\r\n");
        wire.rest();
    }
    let mut wire = daemon.wire();
    until("all are counted", || wire.info_number("closed_protocol_error") == 1000);
    daemon.wait_for_line("protocol error");
    let reported = lines_with(&daemon, "protocol error");
    assert!((1..=20).contains(&reported), "{reported} lines");
}

#[test]
fn every_connection_that_ends_is_counted_with_its_reason() {
    let daemon = Launch::new().with_args("--message-level debug").start();
    let mut watching = daemon.wire();
    daemon.wire().ask("PING\r\n", "PONG\r\n");
    daemon.wait_for_line("closed by the client");

    let mut quitting = daemon.wire();
    quitting.ask("QUIT\r\n", "OK\r\n");
    drop(quitting);
    daemon.wait_for_line("the client asked for it");

    let mut resetting = daemon.wire();
    resetting.ask("SET k v\r\n", "OK\r\n");
    // A socket that is closed with unread input resets its connection.
    resetting.send("GET k\r\n");
    until("the answer is there", || !resetting.has_nothing());
    resetting.socket().shutdown(Shutdown::Read).unwrap();
    drop(resetting);
    daemon.wait_for_line("lost: ");

    let ended = ["closed_by_client", "closed_quit", "closed_lost"];
    until("all are counted", || ended.iter().all(|name| watching.info_number(name) == 1));
    assert_eq!(watching.info_number("total_connections"), 4);
    daemon.stop();
}
