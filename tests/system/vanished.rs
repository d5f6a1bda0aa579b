//! Clients that vanish, or say nothing for long: how the daemon finds out, and gives their places to others.

use std::time::{Duration, Instant};

use rustvault_client::{Client, Commands};
use rustvault_tests::{Keepalive, Launch, SocketOptions, socket_options, until};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn keepalive(silence: u64, interval: u64) -> Option<Keepalive> {
    Some(Keepalive { silence: secs(silence), interval: secs(interval), probes: 3 })
}

#[test]
fn accepted_sockets_probe_silent_peers_and_give_up_on_those_that_take_nothing() {
    for (args, keepalive, user_timeout) in [
        ("", keepalive(60, 20), secs(120)),
        ("--tcp-keepalive 300", keepalive(300, 100), secs(600)),
        ("--tcp-keepalive 1", keepalive(1, 1), secs(120)),
        ("--tcp-keepalive 0", None, secs(120)),
    ] {
        let daemon = Launch::new().with_args(args).start();
        let mut wire = daemon.wire();
        wire.ask("PING\r\n", "PONG\r\n");
        let port = wire.local_addr().port();
        let Some(options) = socket_options(daemon.pid(), daemon.addr().port(), port) else { return };
        assert_eq!(options, SocketOptions { keepalive, user_timeout, nodelay: true }, "{args}");
    }
}

#[tokio::test]
async fn sockets_of_the_client_crate_notice_a_vanished_server() {
    let daemon = Launch::new().start();
    let client = Client::connect(daemon.addr().to_string()).await.unwrap();
    client.ping().await.unwrap();
    let port = connected_port(std::process::id(), daemon.addr().port());
    let Some(options) = socket_options(std::process::id(), port, daemon.addr().port()) else { return };
    let expected = SocketOptions { keepalive: keepalive(60, 20), user_timeout: secs(120), nodelay: true };
    assert_eq!(options, expected);
}

/// The port of the one connection that a process has to this port.
fn connected_port(pid: u32, peer_port: u16) -> u16 {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let peer = format!(":{peer_port:04X}");
    let line =
        table.lines().find(|line| line.split_whitespace().nth(2).is_some_and(|end| end.ends_with(&peer)));
    let local = line.unwrap().split_whitespace().nth(1).unwrap();
    u16::from_str_radix(local.split(':').nth(1).unwrap(), 16).unwrap()
}

#[test]
fn an_idle_connection_is_closed_after_the_timeout_and_an_active_one_is_not() {
    let daemon = Launch::new().with_args("--idle-timeout 1").start();
    let (mut idle, mut half) = (daemon.wire(), daemon.wire());
    idle.ask("PING\r\n", "PONG\r\n");
    half.send("SET half ");
    let mut active = daemon.wire();
    let start = Instant::now();
    until("the idle ones are closed", || active.info_number("closed_idle") == 2);
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    assert_eq!((idle.rest(), half.rest()), (String::new(), String::new()));
    until("several timeouts have passed", || {
        active.ask("PING\r\n", "PONG\r\n");
        start.elapsed() > secs(3)
    });
    assert_eq!(active.info_number("connections"), 1);
}
