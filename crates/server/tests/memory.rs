//! What clients that do not read cost; alone in its process, so that the figures are this test's.

#![cfg(test)]

mod support;

use std::io::Write;
use std::time::Duration;

use support::TestServer;

const MAX_GROWTH_BYTES: u64 = 16 << 20;

#[test]
fn clients_that_do_not_read_cost_little_memory_and_hold_up_nobody() {
    let server = TestServer::start();
    a_pipeline_whose_answers_nobody_reads(&server);
    slow_readers_of_one_large_value(&server);
    server.client().ask("PING\r\n", "PONG\r\n");
}

fn a_pipeline_whose_answers_nobody_reads(server: &TestServer) {
    let mut client = server.client();
    client.ask(format!("SET k {}\r\n", "v".repeat(1000)), "OK\r\n");
    client.stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let pipeline = "GET k\r\n".repeat(300_000);
    let before = resident_bytes();
    // Once the answers fill the socket the server reads no more, so this may run out of time.
    let _ = client.stream.write_all(pipeline.as_bytes());
    assert_grown_little_since(before);
}

fn slow_readers_of_one_large_value(server: &TestServer) {
    server.client().ask(format!("SET k {}\r\n", "v".repeat(16 << 20)), "OK\r\n");
    let mut readers: Vec<_> = (0..20).map(|_| server.client()).collect();
    let before = resident_bytes();
    for reader in &mut readers {
        reader.send("GET k\r\n");
        reader.expect("VALUE vvv");
    }
    assert_grown_little_since(before);
}

#[track_caller]
fn assert_grown_little_since(before: u64) {
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < MAX_GROWTH_BYTES, "{grown} bytes");
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}
