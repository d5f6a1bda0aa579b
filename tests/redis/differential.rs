//! The same commands to Redis and to RustVault, and the same replies.

use std::collections::BTreeSet;

use rustvault_tests::{Launch, Wire, number_in, resp_request};

use crate::generator::{Arguments, Generator, Step};
use crate::peer::{Redis, bulks};

const SEQUENCES: usize = 20;
const COMMANDS_PER_SEQUENCE: usize = 5_000;

#[test]
fn a_hundred_thousand_random_commands_are_answered_as_redis_does() {
    let Some(redis) = Redis::start() else { return };
    let daemon = Launch::new().with_args("--fsync never").start();
    let seed = number_in("RUSTVAULT_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("RUSTVAULT_SEED={seed}");
    let mut commands = 0;
    for sequence in 0..SEQUENCES {
        let mut pair = Pair { redis: redis.wire(), rustvault: daemon.wire() };
        commands += run_sequence(&mut pair, seed.wrapping_add(sequence as u64));
    }
    assert!(commands >= SEQUENCES * COMMANDS_PER_SEQUENCE);
    println!("{commands} commands");
    daemon.stop();
}

/// A sequence of its own for each connection, in RESP2 or RESP3 as the seed decides.
fn run_sequence(pair: &mut Pair, seed: u64) -> usize {
    let is_resp3 = !seed.is_multiple_of(2);
    let mut generator = Generator::new(seed);
    let place = format!("RUSTVAULT_SEED={seed}, {}", if is_resp3 { "RESP3" } else { "RESP2" });
    pair.compare(&[Step::Exact(vec![b"FLUSHALL".to_vec()])], &place);
    let mut commands = 0;
    while commands < COMMANDS_PER_SEQUENCE {
        if is_resp3 {
            // Each time anew, for the sake of RESET; what HELLO answers is each server's own.
            pair.redis.call(&[b"HELLO", b"3"]);
            pair.rustvault.call(&[b"HELLO", b"3"]);
        }
        let chunk = generator.chunk();
        for pipeline in chunk.split_inclusive(|step| matches!(step, Step::Scan(_))) {
            pair.compare(pipeline, &place);
        }
        commands += chunk.iter().filter(|step| !matches!(step, Step::Silence(_))).count();
    }
    pair.compare(&[Step::Exact(vec![b"quit".to_vec()])], &place);
    assert_eq!(
        (pair.redis.rest_or_reset(), pair.rustvault.rest_or_reset()),
        (Vec::new(), Vec::new()),
        "{place}: QUIT closes"
    );
    commands
}

/// A connection to each of the two.
struct Pair {
    redis: Wire,
    rustvault: Wire,
}

impl Pair {
    /// Sends the steps to both as one pipeline and compares what comes back.
    fn compare(&mut self, steps: &[Step], place: &str) {
        let bytes: Vec<u8> = steps.iter().flat_map(on_wire).collect();
        self.redis.send(&bytes);
        self.rustvault.send(&bytes);
        for (index, step) in steps.iter().enumerate() {
            let (expected, got) = match step {
                Step::Silence(_) => continue,
                Step::Exact(_) => (self.redis.reply(), self.rustvault.reply()),
                Step::AnyOrder(_) => (in_order(&self.redis.reply()), in_order(&self.rustvault.reply())),
                Step::Scan(options) => (scan(&mut self.redis, options), scan(&mut self.rustvault, options)),
            };
            if expected != got {
                let shown: Vec<_> = steps[index.saturating_sub(3)..=index].iter().map(shown).collect();
                panic!(
                    "{place}, at the last of\n  {}\n redis     \"{}\"\n rustvault \"{}\"",
                    shown.join("\n  "),
                    expected.escape_ascii(),
                    got.escape_ascii()
                );
            }
        }
    }
}

/// What is sent before replies are read; a scan follows when it is its turn.
fn on_wire(step: &Step) -> Vec<u8> {
    match step {
        Step::Exact(arguments) | Step::AnyOrder(arguments) => resp_request(arguments),
        Step::Silence(bytes) => bytes.to_vec(),
        Step::Scan(_) => Vec::new(),
    }
}

fn in_order(reply: &[u8]) -> Vec<u8> {
    let mut strings = bulks(reply);
    strings.sort_unstable();
    resp_request(&strings)
}

/// The keys that a whole walk finds, as a reply in order.
fn scan(peer: &mut Wire, options: &Arguments) -> Vec<u8> {
    let (mut cursor, mut found) = (b"0".to_vec(), BTreeSet::new());
    loop {
        let mut arguments: Vec<&[u8]> = vec![b"SCAN", &cursor];
        arguments.extend(options.iter().map(Vec::as_slice));
        let reply = peer.call(&arguments);
        assert!(reply.starts_with(b"*2\r\n$"), "\"{}\"", reply.escape_ascii());
        let strings = bulks(&reply);
        let (next, keys) = strings.split_first().expect("a cursor");
        found.extend(keys.iter().map(|key| key.to_vec()));
        cursor = next.to_vec();
        if cursor == b"0" {
            return resp_request(&found.into_iter().collect::<Vec<_>>());
        }
    }
}

fn shown(step: &Step) -> String {
    let words = |arguments: &Arguments| {
        arguments.iter().map(|word| format!(" \"{}\"", word.escape_ascii())).collect::<String>()
    };
    match step {
        Step::Exact(arguments) | Step::AnyOrder(arguments) => words(arguments),
        Step::Scan(options) => format!(" a scan with{}", words(options)),
        Step::Silence(bytes) => format!(" silent \"{}\"", bytes.escape_ascii()),
    }
}
