//! What clients that do not read cost; alone in its process, so that the figures are this test's.

#![cfg(test)]

mod support;

use std::process;
use std::time::Duration;

use rustvault_testkit::resident_bytes;
use support::{TestServer, start};

const MAX_GROWTH_BYTES: u64 = 16 << 20;

#[test]
fn clients_that_do_not_read_cost_little_memory_and_hold_up_nobody() {
    let server = start();
    a_pipeline_whose_answers_nobody_reads(&server);
    slow_readers_of_one_large_value(&server);
    server.wire().ask("PING\r\n", "PONG\r\n");
}

fn a_pipeline_whose_answers_nobody_reads(server: &TestServer) {
    let mut client = server.wire();
    client.ask(format!("SET k {}\r\n", "v".repeat(1000)), "OK\r\n");
    client.socket().set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let pipeline = "GET k\r\n".repeat(300_000);
    let before = resident_bytes(process::id());
    // Once the answers fill the socket the server reads no more, so this may run out of time.
    let _ = client.try_send(pipeline);
    assert_grown_little_since(before);
}

fn slow_readers_of_one_large_value(server: &TestServer) {
    server.wire().ask(format!("SET k {}\r\n", "v".repeat(16 << 20)), "OK\r\n");
    let mut readers: Vec<_> = (0..20).map(|_| server.wire()).collect();
    let before = resident_bytes(process::id());
    for reader in &mut readers {
        reader.send("GET k\r\n");
        reader.expect("VALUE vvv");
    }
    assert_grown_little_since(before);
}

#[track_caller]
fn assert_grown_little_since(before: u64) {
    let grown = resident_bytes(process::id()).saturating_sub(before);
    assert!(grown < MAX_GROWTH_BYTES, "{grown} bytes");
}
