//! A client that asks and never reads.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use rustvault_tests::{Launch, Socket};

const GETS: usize = 300_000;
const MAX_GROWTH_BYTES: u64 = 16 << 20;

#[test]
fn three_hundred_thousand_unread_answers_cost_less_than_16_mib_and_hold_up_nobody() {
    let daemon = Launch::new().start();
    let mut other = daemon.wire();
    let value = "v".repeat(1000);
    other.ask(format!("SET k {value}\r\n"), "OK\r\n");
    let before = daemon.resident_bytes();

    let wire = daemon.wire();
    let pipeline = "GET k\r\n".repeat(GETS);
    let unsent = send_what_is_taken(wire.socket(), pipeline.as_bytes());
    let mut highest = before;
    for _ in 0..1000 {
        other.ask("GET k\r\nSET other v\r\n", format!("VALUE {value}\r\nOK\r\n"));
        highest = highest.max(daemon.resident_bytes());
    }
    let grown = highest - before;
    println!(
        "{} of {} bytes were taken, memory grew by {grown} bytes",
        pipeline.len() - unsent.len(),
        pipeline.len()
    );
    assert!(grown < MAX_GROWTH_BYTES, "memory grew by {grown} bytes");
    read_all_answers(wire, unsent, &value);
}

/// Sends until nothing more is taken for a while; returns the rest, which the kernel's buffers may make small.
fn send_what_is_taken<'a>(mut socket: &Socket, mut bytes: &'a [u8]) -> &'a [u8] {
    socket.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    bytes
}

/// Once the client reads, everything is answered.
fn read_all_answers(mut wire: rustvault_tests::Wire, unsent: &[u8], value: &str) {
    let mut socket = wire.socket().try_clone().unwrap();
    socket.set_write_timeout(None).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || socket.write_all(unsent).unwrap());
        for _ in 0..GETS {
            wire.expect(format!("VALUE {value}\r\n"));
        }
    });
}
