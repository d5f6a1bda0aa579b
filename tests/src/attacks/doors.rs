//! Clients that come to the wrong place, or do not stay.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use fastrand::Rng;
use rustix::net::sockopt;

use crate::Wire;

const VISITORS: usize = 4;
const VISITS: usize = 1500;

/// Connects and leaves at once: politely, by a reset, and in the middle of a command.
pub(super) fn come_and_go(addr: SocketAddr) {
    thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(move || {
                for visit in 0..VISITS {
                    let mut socket = TcpStream::connect(addr).expect("the server listens");
                    // As long as it is refused it may have been closed already.
                    let _ = match visit % 3 {
                        0 => Ok(()),
                        1 => socket.write_all(b"SET half"),
                        _ => socket.write_all(b"*3\r\n$3\r\nSET"),
                    };
                    if visit % 2 == 0 {
                        // Then closing resets the connection, and no port stays taken for a while.
                        sockopt::set_socket_linger(&socket, Some(std::time::Duration::ZERO))
                            .expect("TCP can");
                    }
                }
            });
        }
    });
}

/// What other programs say first.
const GREETINGS: [&[u8]; 7] = [
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 14\r\n\r\nSET pwned 1\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET pwned 1\r\n",
    b"OPTIONS * HTTP/1.1\r\nSET pwned 1\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nSET pwned 1\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\nSET pwned 1\r\n",
    b"EHLO mail.example.org\r\nSET pwned 1\r\n",
    b"SSH-2.0-client\r\nSET pwned 1\r\n",
];

/// Random greetings, of either protocol.
const RANDOM: usize = 200;
const MAX_RANDOM_BYTES: usize = 4096;

/// Speaks what the server does not. Nothing of it is stored.
pub(super) fn speak_other_protocols(addr: SocketAddr) {
    for greeting in GREETINGS {
        greet(addr, greeting);
        let mut again = greeting.to_vec();
        again.splice(0..0, *b"\x00");
        greet(addr, &again);
    }
    let mut rng = Rng::new();
    for number in 0..RANDOM {
        let mut greeting: Vec<u8> = (0..rng.usize(1..MAX_RANDOM_BYTES)).map(|_| rng.u8(..)).collect();
        // The first byte decides on the protocol.
        if number % 2 == 0 {
            greeting[0] = b'*';
        }
        greet(addr, &greeting);
    }
    Wire::connect(addr).ask("EXISTS pwned\r\n", "NOT_FOUND\r\n");
}

fn greet(addr: SocketAddr, greeting: &[u8]) {
    let mut socket = TcpStream::connect(addr).expect("the server listens");
    // The server may close before it has all of it, and that is found out here.
    let _ = socket.write_all(greeting);
    let _ = socket.shutdown(Shutdown::Write);
    let _ = socket.read_to_end(&mut Vec::new());
}
