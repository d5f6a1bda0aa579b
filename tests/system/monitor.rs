//! `MONITOR` of a daemon: a reader that never reads, over TLS, and a user who loses the right to it.

use std::thread;

use rustvault_tests::tls::{Authority, TlsWire, write_file};
use rustvault_tests::{Daemon, Launch, Wire};

use super::reload::{token, users_file};
use super::tls::tls_addr;

const COMMANDS: usize = 100_000;
const MAX_GROWTH_BYTES: u64 = 16 << 20;

#[test]
fn a_monitor_that_never_reads_costs_little_holds_up_nobody_and_learns_what_it_missed() {
    let daemon = Launch::new().start();
    let (mut monitor, mut other) = (daemon.wire(), daemon.wire());
    other.ask("SET k v\r\n", "OK\r\n");
    let value = "v".repeat(300);
    let before = daemon.resident_bytes();
    monitor.ask("MONITOR\r\n", "OK\r\n");
    let mut highest = before;
    for _ in 0..COMMANDS / 1000 {
        other.ask(format!("SET k {value}\r\n").repeat(1000), "OK\r\n".repeat(1000));
        highest = highest.max(daemon.resident_bytes());
    }
    let grown = highest - before;
    println!("memory grew by {grown} bytes");
    assert!(grown < MAX_GROWTH_BYTES, "memory grew by {grown} bytes");
    let (mut shown, mut left_out) = (0, 0);
    while shown + left_out < COMMANDS {
        let line = monitor.line();
        if line.ends_with(&format!("] \"SET\" \"k\" \"{value}\"")) {
            shown += 1;
        } else {
            let (_, text) = line.split_once(" [0 monitor:0] \"(").unwrap_or_else(|| panic!("{line}"));
            left_out += text.split_once(' ').unwrap().0.parse::<usize>().unwrap();
        }
    }
    println!("{shown} commands were shown, {left_out} left out");
    assert!(left_out > 0 && shown + left_out == COMMANDS, "{shown} {left_out}");
    // Once it reads, nothing is left out.
    other.ask("PING\r\n", "PONG\r\n");
    assert!(monitor.line().ends_with("] \"PING\""));
}

/// Connections that are served while the lines are written are served as if nobody monitored.
#[test]
fn many_clients_are_answered_while_some_monitor_and_do_not_read() {
    let daemon = Launch::new().start();
    let mut monitors: Vec<_> = (0..3).map(|_| daemon.wire()).collect();
    monitors.iter_mut().for_each(|monitor| monitor.ask("MONITOR\r\n", "OK\r\n"));
    thread::scope(|scope| {
        for client in 0..4 {
            let mut wire = daemon.wire();
            scope.spawn(move || {
                for number in 0..2000 {
                    wire.ask(
                        format!("SET k:{client} {number}\r\nGET k:{client}\r\n"),
                        format!("OK\r\nVALUE {number}\r\n"),
                    );
                }
            });
        }
    });
    daemon.stop();
}

fn logged_in(daemon: &Daemon, name: &str) -> Wire {
    let mut wire = daemon.wire();
    wire.ask(format!("AUTH {name} {}\r\n", token(name)), "OK\r\n");
    wire
}

#[test]
fn who_loses_the_right_to_monitor_is_told_so_and_sees_nothing_more() {
    let launch = Launch::new();
    let path = launch.folder().join("users.toml");
    write_file(
        &path,
        &users_file(&[("boss", "[\"admin\"]"), ("eve", "[\"admin\"]"), ("gone", "[\"admin\"]")]),
    );
    let daemon = launch.with_args(&format!("--users {}", path.display())).start();
    let (mut eve, mut gone) = (logged_in(&daemon, "eve"), logged_in(&daemon, "gone"));
    eve.ask("MONITOR\r\n", "OK\r\n");
    gone.ask("MONITOR\r\n", "OK\r\n");
    let mut boss = logged_in(&daemon, "boss");
    for monitor in [&mut eve, &mut gone] {
        let line = monitor.line();
        assert!(line.ends_with("] \"AUTH\" \"(redacted)\" \"(redacted)\""), "{line}");
    }
    write_file(&path, &users_file(&[("boss", "[\"admin\"]"), ("eve", "[\"read\"]")]));
    boss.send("CONFIG RELOAD\r\n");
    boss.list();
    boss.ask("PING\r\n", "PONG\r\n");
    let line = eve.line();
    assert!(line.starts_with("ERROR DENIED the user 'eve' may no longer monitor"), "{line}");
    let line = gone.line();
    assert!(line.starts_with("ERROR AUTH_REQUIRED this client may no longer monitor"), "{line}");
    boss.ask("PING\r\n", "PONG\r\n");
    eve.ask("GET k\r\n", "NOT_FOUND\r\n");
    eve.ask_error("MONITOR\r\n", "DENIED");
    gone.ask_error("MONITOR\r\n", "AUTH_REQUIRED");
    daemon.stop();
}

#[test]
fn a_monitor_over_tls_is_sent_lines_and_ended_by_what_it_sends() {
    let (authority, launch) = (Authority::new(), Launch::new());
    authority.issue("the server").write(launch.folder());
    let folder = launch.folder().display().to_string();
    let args =
        format!("--tls-bind 127.0.0.1:0 --tls-cert {folder}/cert.pem --tls-key {folder}/key.pem --threads 1");
    let daemon = launch.with_args(&args).start();
    let mut monitor =
        TlsWire::connect(tls_addr(daemon.ready_line()), &authority.client(None)).expect("it is served");
    monitor.ask("MONITOR\r\n", "OK\r\n");
    let mut other = daemon.wire();
    for _ in 0..3 {
        other.ask("PING\r\n", "PONG\r\n");
        let line = monitor.line();
        assert!(line.starts_with("VALUE ") && line.ends_with("] \"PING\"\r\n"), "{line}");
    }
    monitor.ask("ECHO a\r\n", "VALUE a\r\n");
    daemon.stop();
}
