//! Bytes that are no good RESP: a protocol error or a bounded answer, and nobody else notices.

use std::thread;
use std::time::{Duration, Instant};

use rustvault_tests::{Daemon, Launch, PATIENCE, Wire, resp_request};

use crate::peer::Redis;

const MIB: usize = 1024 * 1024;

/// Input, and the line with which the connection ends.
const ENDINGS: [(&[u8], &[u8]); 26] = [
    (b"*99999999999999999999\r\n", ARRAY),
    (b"*+1\r\n$4\r\nPING\r\n", ARRAY),
    (b"*01\r\n$4\r\nPING\r\n", ARRAY),
    (b"*-0\r\n", ARRAY),
    (b"*\r\n", ARRAY),
    (b"*x\r\n", ARRAY),
    (b"*1x\r\n", ARRAY),
    (b"* 1\r\n", ARRAY),
    (b"*1\r\n$-2\r\n", BULK),
    (b"*1\r\n$-1\r\n", BULK),
    (b"*2\r\n$3\r\nGET\r\n$-1\r\n", BULK),
    (b"*1\r\n$99999999999\r\n", BULK),
    (b"*1\r\n$536870913\r\n", BULK),
    (b"*1\r\n$+4\r\nPING\r\n", BULK),
    (b"*1\r\n$04\r\nPING\r\n", BULK),
    (b"*1\r\n$-0\r\n\r\n", BULK),
    (b"*1\r\n$4\nPING\r\n", BULK),
    (b"*1\r\n$\r\n", BULK),
    (b"*1\r\n$x\r\n", BULK),
    (b"*1\r\n*1\r\n$4\r\nPING\r\n", b"expected '$', got '*'"),
    (b"*1\r\n:1\r\n", b"expected '$', got ':'"),
    (b"*1\r\n+PING\r\n", b"expected '$', got '+'"),
    (b"*1\r\n_\r\n", b"expected '$', got '_'"),
    (b"*1\r\n\xff\r\n", b"expected '$', got '\xff'"),
    (b"*1\r\n\r\n$4\r\nPING\r\n", b"expected '$', got ' '"),
    (b"*1\r\n\n$4\r\nPING\r\n", b"expected '$', got ' '"),
];

/// The same, where Redis waits for more, or tries to understand what follows.
const OWN_ENDINGS: [(&[u8], &[u8]); 10] = [
    (b"*2147483647\r\n", ARRAY),
    (b"*1048577\r\n", ARRAY),
    (b"*1\n$4\nPING\n", ARRAY),
    (b"*1\0\r\n", ARRAY),
    (b"*1\r\n$16777217\r\n", b"bulk of 16777217 bytes is over the limit of 16777216"),
    (b"*1\r\n$4\r\nPING\n*1\r\n$4\r\nPING\r\n", b"expected CRLF after a bulk string"),
    (b"*1\r\n$4\r\nPINGXX*1\r\n$4\r\nPING\r\n", b"expected CRLF after a bulk string"),
    (b"*0\r\nPING\r\n", b"expected '*', got 'P'"),
    (b"*0\r\n$4\r\nPING\r\n", b"expected '*', got '$'"),
    (b"*0\r\n\0\r\n", b"expected '*', got '\0'"),
];

const ARRAY: &[u8] = b"invalid multibulk length";
const BULK: &[u8] = b"invalid bulk length";

/// A daemon, a client that must not notice anything, and the memory that was in use before.
struct Victim {
    daemon: Daemon,
    bystander: Wire,
    resident_before: u64,
}

impl Victim {
    fn start() -> Self {
        let daemon = Launch::new().with_args("--fsync never").start();
        let mut bystander = daemon.wire();
        assert_eq!(bystander.call(&[b"SET", b"witness", b"here"]), b"+OK\r\n");
        let resident_before = daemon.resident_bytes();
        Self { daemon, bystander, resident_before }
    }

    /// The daemon lives, has not panicked, serves others, and holds at most so much more memory.
    #[track_caller]
    fn must_be_well(mut self, max_growth: usize) {
        let growth = self.daemon.resident_bytes().saturating_sub(self.resident_before);
        assert!(growth <= max_growth as u64, "the daemon has grown by {growth} bytes");
        assert_eq!(self.bystander.call(&[b"GET", b"witness"]), b"$4\r\nhere\r\n");
        let panics: Vec<_> =
            self.daemon.log_lines().into_iter().filter(|line| line.contains("panicked")).collect();
        assert!(panics.is_empty(), "{panics:#?}");
        self.daemon.stop();
    }
}

#[track_caller]
fn assert_ends(peer: &mut Wire, input: &[u8], error: &[u8]) {
    let expected = [b"-ERR Protocol error: ", error, b"\r\n"].concat();
    let rest = peer.rest_or_reset();
    assert!(rest == expected, "\"{}\" ends with \"{}\"", input.escape_ascii(), rest.escape_ascii());
}

#[test]
fn malformed_commands_end_the_connection_with_redis_error() {
    let victim = Victim::start();
    for (input, error) in ENDINGS.into_iter().chain(OWN_ENDINGS) {
        let mut peer = victim.daemon.wire();
        peer.send(input);
        assert_ends(&mut peer, input, error);
    }
    victim.must_be_well(4 * MIB);
}

#[test]
fn redis_ends_the_connection_with_the_same_error() {
    let Some(redis) = Redis::start() else { return };
    for (input, error) in ENDINGS {
        let mut peer = redis.wire();
        peer.send(input);
        assert_ends(&mut peer, input, error);
    }
}

#[test]
fn an_answer_to_what_came_before_is_not_lost() {
    let victim = Victim::start();
    let mut peer = victim.daemon.wire();
    peer.send(
        [resp_request(&["SET", "k", "v"]), resp_request(&["GET", "k"]), b"*1\r\n$-2\r\n".to_vec()].concat(),
    );
    assert_eq!((peer.reply(), peer.reply()), (b"+OK\r\n".to_vec(), b"$1\r\nv\r\n".to_vec()));
    assert_ends(&mut peer, b"*1\r\n$-2\r\n", BULK);
    victim.must_be_well(4 * MIB);
}

#[test]
fn a_mebibyte_of_array_headers_is_one_error() {
    let victim = Victim::start();
    let input = b"*1\r\n".repeat(MIB / 4);
    let mut wire = victim.daemon.wire();
    // The server may be gone before all of it was sent.
    let _ = wire.try_send(&input);
    assert_eq!(wire.line(), "-ERR Protocol error: expected '$', got '*'");
    victim.must_be_well(4 * MIB);
}

#[test]
fn a_mebibyte_of_empty_arrays_gets_no_answer() {
    let victim = Victim::start();
    let mut peer = victim.daemon.wire();
    for nothing in [&b"*0\r\n"[..], b"*-1\r\n", b"\r\n", b"\n"] {
        peer.send(b"*0\r\n");
        peer.send(nothing.repeat(MIB / nothing.len()));
        assert_eq!(peer.call(&[b"PING"]), b"+PONG\r\n");
    }
    victim.must_be_well(4 * MIB);
}

#[test]
fn announced_lengths_take_no_memory() {
    const CONNECTIONS: usize = 100;
    let victim = Victim::start();
    let mut peers = Vec::new();
    for _ in 0..CONNECTIONS {
        for header in [&b"*1048576\r\n"[..], b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16777216\r\n"] {
            let mut peer = victim.daemon.wire();
            peer.send([b"*1\r\n$4\r\nPING\r\n", header].concat());
            assert_eq!(peer.reply(), b"+PONG\r\n");
            peers.push(peer);
        }
    }
    victim.must_be_well(8 * MIB);
}

#[test]
fn commands_may_come_byte_by_byte() {
    let victim = Victim::start();
    let mut peer = victim.daemon.wire();
    let input = [
        resp_request(&["SET", "k", "a\r\nb"]),
        b"\r\n*0\r\n".to_vec(),
        resp_request(&["MGET", "k", "missing"]),
        resp_request(&["GET"]),
    ];
    for byte in input.concat() {
        peer.send([byte]);
    }
    assert_eq!(peer.reply(), b"+OK\r\n");
    assert_eq!(peer.reply(), b"*2\r\n$4\r\na\r\nb\r\n$-1\r\n");
    assert_eq!(peer.reply(), b"-ERR wrong number of arguments for 'get' command\r\n");
    victim.must_be_well(4 * MIB);
}

#[test]
fn a_slow_16_mebibyte_value_arrives_whole() {
    const PIECES: usize = 4096;
    let victim = Victim::start();
    let mut peer = victim.daemon.wire();
    let value: Vec<u8> = (0..16 * MIB).map(|n| (n % 251) as u8).collect();
    let started = Instant::now();
    let input = resp_request(&[&b"SET"[..], b"slow", &value]);
    for piece in input.chunks(input.len().div_ceil(PIECES)) {
        peer.send(piece);
        thread::yield_now();
    }
    assert_eq!(peer.reply(), b"+OK\r\n");
    assert_eq!(peer.call(&[b"GET", b"slow"]), [b"$16777216\r\n", &value[..], b"\r\n"].concat());
    assert_eq!(peer.call(&[b"STRLEN", b"slow"]), b":16777216\r\n");
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    victim.must_be_well(96 * MIB);
}

#[test]
fn a_large_command_in_small_pieces_is_not_read_again_and_again() {
    const KEYS: usize = 20_000;
    let victim = Victim::start();
    let mut peer = victim.daemon.wire();
    let keys: Vec<_> = (0..KEYS).map(|n| format!("key:{n}")).collect();
    let words: Vec<&str> = ["EXISTS"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let started = Instant::now();
    for piece in resp_request(&words).chunks(16) {
        peer.send(piece);
    }
    assert_eq!(peer.reply(), b":0\r\n");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    victim.must_be_well(8 * MIB);
}

#[test]
fn a_connection_that_ends_within_a_command_is_no_trouble() {
    let victim = Victim::start();
    let whole = resp_request(&["SET", "witness", "gone"]);
    for end in 1..whole.len() {
        let mut wire = Wire::connect(victim.daemon.addr());
        wire.send(&whole[..end]);
        wire.finish_sending();
        assert_eq!(wire.rest(), "");
    }
    victim.must_be_well(4 * MIB);
}

#[test]
fn random_bytes_after_the_first_are_no_trouble() {
    const ROUNDS: u64 = 300;
    let victim = Victim::start();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..ROUNDS {
        let mut input = b"*".to_vec();
        let parts: [&[u8]; 12] =
            [b"*", b"$", b"\r\n", b"\n", b"1", b"3", b"-1", b"GET", b"SET", b"witnes", b"\0", b"\xff"];
        (0..rng.usize(..60)).for_each(|_| input.extend(parts[rng.usize(..parts.len())]));
        let mut wire = victim.daemon.wire();
        // The server may be gone before all of it was sent.
        let _ = wire.try_send(&input);
        wire.finish_sending();
        while wire.try_line().is_some() {}
    }
    victim.must_be_well(4 * MIB);
}
