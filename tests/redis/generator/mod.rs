//! Random commands that Redis and RustVault must answer alike.

mod table;
mod words;

use fastrand::Rng;

pub(crate) type Arguments = Vec<Vec<u8>>;

/// One step of a sequence.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A command whose reply is the same, byte for byte.
    Exact(Arguments),
    /// A command that replies with the same strings, in any order.
    AnyOrder(Arguments),
    /// A walk over all keys with these options, which finds the same keys.
    Scan(Arguments),
    /// Bytes between commands that get no reply.
    Silence(&'static [u8]),
}

const SILENCES: [&[u8]; 5] = [b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n", b"*-7\r\n"];

/// Scans that are answered with an error.
const BAD_SCANS: [&str; 14] = [
    "SCAN x",
    "SCAN -",
    "SCAN 1x",
    "SCAN 1.5",
    "SCAN 18446744073709551616",
    "SCAN x COUNT 1",
    "SCAN 0 COUNT",
    "SCAN 0 COUNT 0",
    "SCAN 0 COUNT -5",
    "SCAN 0 COUNT x",
    "SCAN 0 COUNT 9223372036854775808",
    "SCAN 0 MATCH",
    "SCAN 0 MATCH * COUNT",
    "SCAN 0 FOO 1",
];

/// Fixed commands on the connection: what the table does not tell, their errors above all.
const SESSION: [&str; 20] = [
    "AUTH x",
    "AUTH default x",
    "AUTH someone x",
    "CLIENT SETNAME tester",
    "CLIENT SETNAME other:1",
    "CLIENT SETNAME ",
    "CLIENT GETNAME",
    "CLIENT foo bar",
    "HELLO 4",
    "HELLO 1",
    "HELLO x",
    "HELLO 2 FOO",
    "HELLO 3 AUTH u",
    "HELLO 3 SETNAME",
    "HELLO 3 AUTH someone x",
    "CONFIG foo",
    "COMMAND foo",
    "FLUSHALL FOO",
    "FLUSHALL SYNC SYNC",
    "RESET",
];

/// Fixed commands on numbers and conditions, on keys that no other step touches: sums that Redis's binary numbers hold exactly.
const ONE_STEP: [&str; 38] = [
    "SET n 9223372036854775807",
    "SET n -9223372036854775808",
    "SET n 12",
    "SET n 012",
    "SET n +1",
    "INCR n",
    "DECR n",
    "INCRBY n 41",
    "INCRBY n 9223372036854775807",
    "INCRBY n 9223372036854775808",
    "INCRBY n 1.5",
    "DECRBY n -9223372036854775808",
    "DECRBY n 9223372036854775807",
    "GETDEL n",
    "GETSET n 7",
    "SETNX n 1",
    "SET n 1 NX",
    "SET n 2 XX",
    "SET n 3 GET",
    "SET n 4 NX GET",
    "SET n 5 GET XX",
    "SET n 6 NX XX",
    "SET n 6 NX NX",
    "SET n 6 FOO",
    "SET x 3.0e2",
    "SET x 10.5",
    "SET x text",
    "INCRBYFLOAT x 0.5",
    "INCRBYFLOAT x -1.25",
    "INCRBYFLOAT x 2e3",
    "INCRBYFLOAT x inf",
    "INCRBYFLOAT x nan",
    "INCRBYFLOAT x abc",
    "SETRANGE x -1 a",
    "SETRANGE x 3 ",
    "COPY n n",
    "RENAME nothing n",
    "DEL x",
];

/// An endless sequence of steps, the same for the same seed.
pub(crate) struct Generator {
    rng: Rng,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed) }
    }

    /// Some steps, to be sent as one pipeline.
    pub(crate) fn chunk(&mut self) -> Vec<Step> {
        (0..self.rng.usize(1..=200)).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Step {
        match self.rng.u32(..1000) {
            0..760 => self.of_table(),
            760..840 => Step::Exact(self.fixed(&SESSION)),
            840..910 => Step::Exact(self.unknown()),
            910..940 => Step::Exact(self.fixed(&BAD_SCANS)),
            940..970 => Step::Exact(self.fixed(&ONE_STEP)),
            _ => Step::Silence(self.choose(&SILENCES)),
        }
    }

    /// No command of Redis's, with arguments of any bytes and length.
    fn unknown(&mut self) -> Arguments {
        let mut name = vec![self.choose(b"_?$\0\xff\r\n'x")];
        if name == b"x" {
            name = Vec::new();
        } else {
            name.extend(self.bytes(160));
        }
        let mut command = vec![name];
        for _ in 0..self.rng.usize(..5) {
            command.push(self.bytes(90));
        }
        command
    }

    /// One of these lines, its first word as somebody types it.
    fn fixed(&mut self, lines: &[&str]) -> Arguments {
        let line = self.choose(lines);
        let (name, rest) = line.split_once(' ').map_or((line, None), |(name, rest)| (name, Some(rest)));
        let rest = rest.into_iter().flat_map(|rest| rest.split(' ')).map(|word| word.as_bytes().to_vec());
        [self.case(name)].into_iter().chain(rest).collect()
    }
}
