//! Random commands that Redis and RustVault must answer alike.

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

/// Names that are served, and with any number of arguments of [`word`] do nothing that is left out here.
const SERVED: [&str; 15] = [
    "GET", "DEL", "EXISTS", "MGET", "MSET", "STRLEN", "TYPE", "PING", "ECHO", "DBSIZE", "KEYS", "FLUSHALL",
    "AUTH", "CLIENT", "SCAN",
];

const SILENCES: [&[u8]; 5] = [b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n", b"*-7\r\n"];

/// Globs are put together from these; keys have many of them, too.
const GLOB_PARTS: [&[u8]; 19] = [
    b"k", b"key:", b"1", b"7", b"*", b"**", b"?", b"[0-5]", b"[^0-5]", b"[5-0]", b"[k1]", b"[", b"]", b"\\",
    b"\\*", b"^", b"-", b"\xff", b"",
];

const NUMBERS: [&[u8]; 14] = [
    b"0",
    b"1",
    b"-1",
    b"00",
    b"+0",
    b"-0",
    b" 0",
    b"0 ",
    b"",
    b"x",
    b"2147483647",
    b"2147483648",
    b"9223372036854775808",
    b"-9223372036854775809",
];

/// Scans that are answered with an error.
const BAD_SCANS: [&str; 14] = [
    "x",
    "-",
    "1x",
    "1.5",
    "18446744073709551616",
    "x COUNT 1",
    "0 COUNT",
    "0 COUNT 0",
    "0 COUNT -5",
    "0 COUNT x",
    "0 COUNT 9223372036854775808",
    "0 MATCH",
    "0 MATCH * COUNT",
    "0 FOO 1",
];

/// Fixed commands on the connection, their errors above all.
const SESSION: [&str; 27] = [
    "AUTH x",
    "AUTH default x",
    "AUTH someone x",
    "AUTH a b c",
    "AUTH",
    "CLIENT GETNAME",
    "CLIENT GETNAME x",
    "CLIENT SETNAME",
    "CLIENT SETNAME tester",
    "CLIENT SETNAME other:1",
    "CLIENT ID x",
    "CLIENT foo",
    "CLIENT foo bar",
    "CLIENT",
    "HELLO 4",
    "HELLO 1",
    "HELLO x",
    "HELLO 2 FOO",
    "HELLO 3 AUTH u",
    "HELLO 3 SETNAME",
    "HELLO 3 AUTH someone x",
    "CONFIG",
    "CONFIG GET",
    "CONFIG foo",
    "COMMAND foo",
    "COMMAND COUNT x",
    "RESET x",
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
            0..600 => Step::Exact(self.on_keys()),
            600..700 => Step::Exact(self.on_connection()),
            700..780 => Step::Exact(self.any_arity()),
            780..850 => Step::Exact(self.unknown()),
            850..890 => Step::Exact(self.words(&BAD_SCANS, "SCAN")),
            890..940 => Step::AnyOrder(vec![self.case("KEYS"), self.glob()]),
            940..955 => Step::Scan(self.scan_options()),
            955..960 => Step::Exact(self.flush()),
            _ => Step::Silence(self.choose(&SILENCES)),
        }
    }

    fn on_keys(&mut self) -> Arguments {
        let name = self.choose(&[
            "GET", "GET", "SET", "SET", "SET", "DEL", "EXISTS", "MGET", "MSET", "STRLEN", "TYPE", "DBSIZE",
        ]);
        let mut command = vec![self.case(name)];
        match name {
            "SET" => command.extend([self.key(), self.value()]),
            "MSET" => {
                (0..self.rng.usize(1..5)).for_each(|_| command.extend([self.key(), self.value()]));
                if self.rng.u8(..10) == 0 {
                    command.push(self.key());
                }
            }
            "DEL" | "EXISTS" | "MGET" => (0..self.rng.usize(1..6)).for_each(|_| command.push(self.key())),
            "DBSIZE" => {}
            _ => command.push(self.key()),
        }
        command
    }

    fn on_connection(&mut self) -> Arguments {
        match self.rng.u8(..10) {
            0 => vec![self.case("PING")],
            1 => vec![self.case("PING"), self.value()],
            2 | 3 => vec![self.case("ECHO"), self.value()],
            4 | 5 => vec![self.case("SELECT"), self.choose(&NUMBERS).to_vec()],
            6 => vec![self.case("CLIENT"), self.case("SETNAME"), self.word()],
            7 if self.rng.u8(..5) == 0 => vec![self.case("RESET")],
            _ => {
                let line = self.choose(&SESSION);
                line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
            }
        }
    }

    /// A served command with some number of arguments, most often the wrong one.
    fn any_arity(&mut self) -> Arguments {
        if self.rng.u8(..4) == 0 {
            let mut set = vec![self.case("SET"), self.key()];
            (0..self.rng.usize(..4)).for_each(|_| set.push(self.word()));
            return set;
        }
        let name = self.choose(&SERVED);
        let mut command = vec![self.case(name)];
        (0..self.rng.usize(..5)).for_each(|_| command.push(self.word()));
        // A pattern's matches come in any order.
        if name == "KEYS" && command.len() == 2 {
            command.pop();
        }
        command
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

    fn flush(&mut self) -> Arguments {
        let name = self.choose(&["FLUSHALL", "FLUSHDB"]);
        let mut command = vec![self.case(name)];
        let options = self.choose(&["", "", "ASYNC", "SYNC", "async", "FOO", "SYNC SYNC"]);
        command.extend(options.split_whitespace().map(|word| word.as_bytes().to_vec()));
        command
    }

    fn scan_options(&mut self) -> Arguments {
        let mut options = Vec::new();
        if self.rng.bool() {
            options.extend([self.case("MATCH"), self.glob()]);
        }
        if self.rng.bool() {
            options.extend([self.case("COUNT"), self.choose(&[&b"1"[..], b"3", b"1000"]).to_vec()]);
        }
        options
    }

    fn words(&mut self, lines: &[&str], name: &str) -> Arguments {
        let line = self.choose(lines);
        [self.case(name)].into_iter().chain(line.split(' ').map(|word| word.as_bytes().to_vec())).collect()
    }

    /// One of few keys, so that most are there; some are binary, and some look like globs.
    fn key(&mut self) -> Vec<u8> {
        match self.rng.u8(..10) {
            0..5 => format!("key:{}", self.rng.u8(..20)).into_bytes(),
            5 | 6 => self
                .choose(&[&b"k1"[..], b"k", b"[k1]", b"k*", b"\\", b"KEY:1", b"a\r\nb", b" ", b""])
                .to_vec(),
            7 => vec![0xff, self.rng.u8(..4)],
            _ => self.glob(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.rng.u8(..20) {
            0 => Vec::new(),
            1..8 => self.rng.i64(..).to_string().into_bytes(),
            8 => self.bytes(5000),
            _ => self.bytes(40),
        }
    }

    fn glob(&mut self) -> Vec<u8> {
        (0..self.rng.usize(1..4)).flat_map(|_| self.choose(&GLOB_PARTS).to_vec()).collect()
    }

    /// An argument that is no option of any command and no cursor.
    fn word(&mut self) -> Vec<u8> {
        match self.rng.u8(..4) {
            0 => self.choose(&[&b"foo"[..], b"a b", b"\n", b"-", b"\xc3\xa9"]).to_vec(),
            1 => format!("key:{}", self.rng.u8(..20)).into_bytes(),
            _ => [b"w", &self.bytes(20)[..]].concat(),
        }
    }

    fn bytes(&mut self, max_len: usize) -> Vec<u8> {
        let is_text = self.rng.bool();
        let byte = |rng: &mut Rng| if is_text { rng.u8(b' '..=b'~') } else { rng.u8(..) };
        (0..self.rng.usize(..=max_len)).map(|_| byte(&mut self.rng)).collect()
    }

    /// The name as somebody types it.
    fn case(&mut self, name: &str) -> Vec<u8> {
        match self.rng.u8(..3) {
            0 => name.into(),
            1 => name.to_ascii_lowercase().into(),
            _ => {
                let odd = |byte: u8| if self.rng.bool() { byte.to_ascii_lowercase() } else { byte };
                name.bytes().map(odd).collect()
            }
        }
    }

    fn choose<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.rng.usize(..items.len())]
    }
}
