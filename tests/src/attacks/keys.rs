//! Clients that ask for all keys at once.

use std::net::SocketAddr;

use super::resp_wire;
use crate::resp_request;

const KEYS: usize = 1_000_000;

/// `KEYS` lists a million at most, and there are others.
const KEYS_TO_MATCH: usize = 990_000;

/// Keys in one MSET.
const PER_COMMAND: usize = 10_000;

/// Almost matches at every byte of a key, so that each `*` is tried at each of them.
const WORST_PATTERN: &[u8] = b"*a*a*a*a*a*a*a*a*b";

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

/// A key of many `a`, so that the pattern has much to try.
fn key_to_match(number: usize) -> Vec<u8> {
    format!("aaaaaaaaaaaaaaaaaaaaaaaa{number}").into_bytes()
}

pub(super) fn store_keys(addr: SocketAddr) {
    store(addr, KEYS, key);
}

pub(super) fn store_keys_to_match(addr: SocketAddr) {
    store(addr, KEYS_TO_MATCH, key_to_match);
}

fn store(addr: SocketAddr, keys: usize, key: fn(usize) -> Vec<u8>) {
    let mut wire = resp_wire(addr);
    for first in (0..keys).step_by(PER_COMMAND) {
        let keys: Vec<_> = (first..first + PER_COMMAND).map(key).collect();
        let mut arguments: Vec<&[u8]> = vec![b"MSET"];
        arguments.extend(keys.iter().flat_map(|key| [key.as_slice(), b"v"]));
        wire.ask(resp_request(&arguments), "+OK\r\n");
    }
}

/// Asks for the values of all keys in one command.
pub(super) fn get_a_million(addr: SocketAddr) {
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let mut arguments: Vec<&[u8]> = vec![b"MGET"];
    arguments.extend(keys.iter().map(Vec::as_slice));
    let mut wire = resp_wire(addr);
    wire.send(resp_request(&arguments));
    wire.expect(format!("*{KEYS}\r\n"));
    for _ in 0..KEYS {
        wire.expect("$1\r\nv\r\n");
    }
}

/// Asks for the keys that match a pattern that is slow to match: all at once, then in the largest pages.
pub(super) fn match_slowly(addr: SocketAddr) {
    let mut wire = resp_wire(addr);
    wire.ask(resp_request(&[&b"KEYS"[..], WORST_PATTERN]), "*0\r\n");
    let mut cursor = "0".to_owned();
    loop {
        wire.send(resp_request(&[
            &b"SCAN"[..],
            cursor.as_bytes(),
            b"MATCH",
            WORST_PATTERN,
            b"COUNT",
            b"1000000",
        ]));
        wire.expect("*2\r\n");
        wire.line();
        cursor = wire.line();
        wire.expect("*0\r\n");
        if cursor == "0" {
            break;
        }
    }
}
