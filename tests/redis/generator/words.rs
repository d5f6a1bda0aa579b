//! The words that commands are made of.

use fastrand::Rng;

use super::Generator;

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

impl Generator {
    /// One of few keys, so that most are there; some are binary, and some look like globs.
    pub(super) fn key(&mut self) -> Vec<u8> {
        match self.rng.u8(..10) {
            0..5 => format!("key:{}", self.rng.u8(..20)).into_bytes(),
            5 | 6 => self
                .choose(&[&b"k1"[..], b"k", b"[k1]", b"k*", b"\\", b"KEY:1", b"a\r\nb", b" ", b""])
                .to_vec(),
            7 => vec![0xff, self.rng.u8(..4)],
            _ => self.glob(),
        }
    }

    pub(super) fn value(&mut self) -> Vec<u8> {
        match self.rng.u8(..20) {
            0 => Vec::new(),
            1..8 => self.rng.i64(..).to_string().into_bytes(),
            8 => self.bytes(5000),
            _ => self.bytes(40),
        }
    }

    pub(super) fn glob(&mut self) -> Vec<u8> {
        (0..self.rng.usize(1..4)).flat_map(|_| self.choose(&GLOB_PARTS).to_vec()).collect()
    }

    /// An argument that is no option of any command and no cursor.
    pub(super) fn word(&mut self) -> Vec<u8> {
        match self.rng.u8(..4) {
            0 => self.choose(&[&b"foo"[..], b"a b", b"\n", b"-", b"\xc3\xa9"]).to_vec(),
            1 => format!("key:{}", self.rng.u8(..20)).into_bytes(),
            _ => [b"w", &self.bytes(20)[..]].concat(),
        }
    }

    pub(super) fn bytes(&mut self, max_len: usize) -> Vec<u8> {
        let is_text = self.rng.bool();
        let byte = |rng: &mut Rng| if is_text { rng.u8(b' '..=b'~') } else { rng.u8(..) };
        (0..self.rng.usize(..=max_len)).map(|_| byte(&mut self.rng)).collect()
    }

    /// The name as somebody types it.
    pub(super) fn case(&mut self, name: &str) -> Vec<u8> {
        match self.rng.u8(..3) {
            0 => name.into(),
            1 => name.to_ascii_lowercase().into(),
            _ => {
                let odd = |byte: u8| if self.rng.bool() { byte.to_ascii_lowercase() } else { byte };
                name.bytes().map(odd).collect()
            }
        }
    }

    pub(super) fn choose<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.rng.usize(..items.len())]
    }

    /// A number, or what is nearly one.
    pub(super) fn number(&mut self) -> Vec<u8> {
        if self.rng.bool() {
            self.choose(&NUMBERS).to_vec()
        } else {
            self.rng.i8(-20..20).to_string().into_bytes()
        }
    }

    /// A number that is no mistake for any option.
    pub(super) fn small_number(&mut self) -> Vec<u8> {
        self.choose(&[&b"1"[..], b"3", b"1000"]).to_vec()
    }
}
