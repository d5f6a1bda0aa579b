//! Clients that send too little, or too much.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::resp_wire;
use crate::Wire;

const SLOW_WRITERS: usize = 50;
const PAUSE: Duration = Duration::from_millis(2);

/// Sends commands byte by byte on many connections, and leaves in the middle of the last one.
pub(super) fn write_slowly(addr: SocketAddr) {
    thread::scope(|scope| {
        for number in 0..SLOW_WRITERS {
            scope.spawn(move || {
                let value = "v".repeat(400);
                let mut wire = if number % 2 == 0 { Wire::connect(addr) } else { resp_wire(addr) };
                let (command, answer) = match number % 2 {
                    0 => (format!("SET slow:{number} {value}\r\n"), "OK\r\n"),
                    _ => (format!("*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n$400\r\n{value}\r\n"), "+OK\r\n"),
                };
                for byte in command.bytes() {
                    wire.send([byte]);
                    thread::sleep(PAUSE);
                }
                wire.expect(answer);
                wire.send(&command.as_bytes()[..command.len() / 2]);
            });
        }
    });
}

const GIB: usize = 1024 * 1024 * 1024;

/// Sends a line without an end, and a value that is announced as just as long: either is refused and nobody keeps it.
pub(super) fn send_too_much(addr: SocketAddr) {
    let too_long_value = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${GIB}\r\n");
    for (beginning, refusal) in [("SET k ", "ERROR "), (too_long_value.as_str(), "-ERR ")] {
        let wire = Wire::connect(addr);
        let mut socket = wire.socket();
        let piece = vec![b'v'; 1024 * 1024];
        thread::scope(|scope| {
            // The answer may come early, and a connection that is closed with bytes unread forgets it.
            let answer = scope.spawn(|| {
                let mut answer = vec![0; refusal.len()];
                wire.socket().read_exact(&mut answer).map(|()| answer)
            });
            let pieces = (0..GIB / piece.len()).map(|_| piece.as_slice());
            for bytes in [beginning.as_bytes()].into_iter().chain(pieces) {
                // It may be closed as soon as it is clear that this is too much.
                if socket.write_all(bytes).is_err() {
                    break;
                }
            }
            let answer = answer.join().expect("it only reads").expect("a refusal comes before the end");
            assert_eq!(String::from_utf8_lossy(&answer), refusal);
        });
    }
}

const COMMANDS: usize = 1_000_000;

/// Sends a million commands before it looks for answers.
pub(super) fn send_a_million_commands(addr: SocketAddr) {
    let mut wire = Wire::connect(addr);
    let mut socket = wire.socket().try_clone().expect("a socket can be shared");
    thread::scope(|scope| {
        scope.spawn(move || {
            let pipeline: String =
                (0..1000).map(|key| format!("SET pipeline:{key} v\r\nGET pipeline:{key}\r\n")).collect();
            for _ in 0..COMMANDS / 2000 {
                socket.write_all(pipeline.as_bytes()).expect("the server reads on");
            }
        });
        for _ in 0..COMMANDS / 2 {
            wire.expect("OK\r\nVALUE v\r\n");
        }
    });
}
