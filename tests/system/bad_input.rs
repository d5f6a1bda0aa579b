//! Bytes that no client of ours would send.

use std::io::Write;
use std::time::Duration;

use fastrand::Rng;
use rustvault_tests::{Launch, Wire, until};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Every line gets exactly one answer, whatever is in it.
#[test]
fn random_bytes_are_answered_line_by_line_and_the_connection_lives_on() {
    let daemon = Launch::new().with_args("--max-value-bytes 64KiB").start();
    let mut rng = Rng::with_seed(0x5eed);
    for _ in 0..40 {
        let mut wire = daemon.wire();
        // A first line that is none of ours would end the connection.
        wire.ask("PING\r\n", "PONG\r\n");
        for _ in 0..10 {
            let garbage = if rng.bool() { random_bytes(&mut rng) } else { random_words(&mut rng) };
            let lines = garbage.iter().filter(|byte| **byte == b'\n').count();
            wire.send(&garbage);
            for _ in 0..lines {
                read_answer(&mut wire);
            }
            wire.ask("PING\r\n", "PONG\r\n");
        }
    }
    daemon.stop();
}

fn random_bytes(rng: &mut Rng) -> Vec<u8> {
    let few = rng.bool();
    let byte = |rng: &mut Rng| if few { *rng.choice(b"\"\\x \r\n\0\xffa").unwrap() } else { rng.u8(..) };
    let mut bytes: Vec<u8> = (0..rng.usize(..3000)).map(|_| byte(rng)).collect();
    bytes.push(b'\n');
    bytes
}

fn random_words(rng: &mut Rng) -> Vec<u8> {
    const WORDS: [&str; 24] = [
        "SET",
        "GET",
        "DELETE",
        "EXISTS",
        "PING",
        "COUNT",
        "SCAN",
        "INFO",
        "PREFIX",
        "LIMIT",
        "0",
        "1",
        "99999999999999999999",
        "k",
        "\"",
        "\"k k\"",
        "\"\\x00\"",
        "\"\\",
        " ",
        "",
        "\r",
        "\n",
        "\r\n",
        "*1\r\n$4\r\nPING\r\n",
    ];
    let mut line = String::new();
    for _ in 0..rng.usize(..200) {
        line += rng.choice(WORDS).unwrap();
        line += rng.choice(["", " ", " ", "\r\n"]).unwrap();
    }
    line.push('\n');
    line.into_bytes()
}

fn read_answer(wire: &mut Wire) {
    let line = wire.line();
    if let Some(count) = line.strip_prefix("LIST ") {
        for _ in 0..count.parse().unwrap() {
            assert!(wire.line().starts_with("VALUE "));
        }
    } else {
        let is_answer = ["OK", "NOT_FOUND", "PONG"].contains(&&*line)
            || ["VALUE ", "ERROR SYNTAX ", "ERROR UNKNOWN_COMMAND ", "ERROR TOO_LARGE "]
                .iter()
                .any(|start| line.starts_with(start));
        assert!(is_answer, "{line:?}");
    }
}

#[test]
fn a_line_of_a_gibibyte_is_answered_once_and_costs_at_most_twice_the_frame_limit() {
    const LINE_BYTES: u64 = 1024 * MIB;
    const MAX_LINE_BYTES: u64 = 4 * (64 * KIB + 16 * MIB) + 64;
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    wire.ask("PING\r\n", "PONG\r\n");
    let before = daemon.resident_bytes();
    let (piece, mut highest) = (vec![b'x'; MIB as usize], before);
    for _ in (0..LINE_BYTES).step_by(piece.len()) {
        wire.send(&piece);
        highest = highest.max(daemon.resident_bytes());
    }
    let answer = wire.line();
    assert!(answer.starts_with("ERROR TOO_LARGE "), "{answer}");
    wire.ask("\r\nPING\r\n", "PONG\r\n");
    let (grown, left) = (highest.saturating_sub(before), daemon.resident_bytes().saturating_sub(before));
    println!("a line of {LINE_BYTES} bytes: memory grew by {grown} bytes, {left} of them stayed");
    assert!(grown <= 2 * MAX_LINE_BYTES, "memory grew by {grown} bytes");
    assert!(left <= 4 * MIB, "{left} bytes stayed");
}

#[test]
fn a_command_whose_client_leaves_in_the_middle_is_not_applied() {
    let launch = Launch::new();
    let daemon = launch.start();
    let mut other = daemon.wire();
    for (command, leave_politely) in
        [("SET a half", true), ("SET b half", false), ("SET c half\r", true), ("DELETE k", true)]
    {
        other.ask("SET k v\r\n", "OK\r\n");
        let mut wire = daemon.wire();
        wire.send(format!("PING\r\n{command}"));
        wire.expect("PONG\r\n");
        if leave_politely {
            wire.finish_sending();
            assert_eq!(wire.rest(), "", "{command:?}");
        }
        drop(wire);
        until("the connection has ended", || other.info("connections") == "1");
        other.ask("GET k\r\nCOUNT\r\n", "VALUE v\r\nVALUE 1\r\n");
    }
    daemon.stop();
    launch.start().wire().ask("GET k\r\nCOUNT\r\n", "VALUE v\r\nVALUE 1\r\n");
}

#[test]
fn a_client_that_sends_byte_by_byte_is_understood() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for byte in b"SET \"a\\x20b\" some value\r\nGET \"a b\"\n" {
        wire.send([*byte]);
    }
    wire.expect("OK\r\nVALUE some value\r\n");
}

#[test]
fn connections_that_are_reset_hurt_nobody() {
    let daemon = Launch::new().start();
    let mut other = daemon.wire();
    other.ask(format!("SET big {}\r\n", "v".repeat(1 << 20)), "OK\r\n");
    for _ in 0..50 {
        let wire = daemon.wire();
        wire.socket().set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        // Closing with unread answers resets the connection.
        let _ = wire.socket().write_all("GET big\r\n".repeat(20).as_bytes());
    }
    other.ask("PING\r\n", "PONG\r\n");
    until("the connections have ended", || other.info("connections") == "1");
    daemon.stop();
}
