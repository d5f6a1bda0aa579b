//! A client that asks for much and hardly reads.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::resp_wire;
use crate::{Wire, resp_request};

/// Values that are asked for at one go.
const VALUES: usize = 100;
const VALUE_BYTES: usize = 1024 * 1024;

/// What is read at a time, and how often.
const STEP_BYTES: usize = 64 * 1024;
const STEPS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

fn key(number: usize) -> Vec<u8> {
    format!("large:{number}").into_bytes()
}

pub(super) fn store_large_values(addr: SocketAddr) {
    // Several times: what overwriting takes by itself is none of the attack's.
    for _ in 0..3 {
        overwrite(&mut resp_wire(addr), b'a');
    }
}

fn overwrite(wire: &mut Wire, letter: u8) {
    let value = vec![letter; VALUE_BYTES];
    for number in 0..VALUES {
        wire.ask(resp_request(&[&b"SET"[..], &key(number), &value]), "+OK\r\n");
    }
}

/// Asks for all of them at once and takes the answer in small pieces, beside a client that overwrites them all: what an
/// answer holds on to cannot be given back.
pub(super) fn read_slowly(addr: SocketAddr) {
    let keys: Vec<Vec<u8>> = (0..VALUES).map(key).collect();
    let command = resp_request(
        &[b"MGET" as &[u8]].into_iter().chain(keys.iter().map(Vec::as_slice)).collect::<Vec<_>>(),
    );
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut wire = resp_wire(addr);
            wire.send(&command);
            wire.expect(format!("*{VALUES}\r\n"));
            let mut piece = vec![0; STEP_BYTES];
            for _ in 0..STEPS {
                // The server may have had enough of it.
                if wire.try_read(&mut piece).is_err() {
                    break;
                }
                thread::sleep(PAUSE);
            }
        });
        let mut writer = resp_wire(addr);
        for letter in [b'b', b'c'] {
            overwrite(&mut writer, letter);
        }
    });
}
