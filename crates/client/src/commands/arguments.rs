//! The arguments of typed commands, put together as a request.

use rustvault_protocol::{Command, Request};

pub(super) const fn request<'a>(command: Command, arguments: &'a [&'a [u8]]) -> Request<'a> {
    Request { command, arguments }
}

/// Hands any number of arguments to `send`.
pub(super) fn with_all<A: AsRef<[u8]>, O>(
    command: Command,
    arguments: impl IntoIterator<Item = A>,
    send: impl FnOnce(Request<'_>) -> O,
) -> O {
    let arguments: Vec<A> = arguments.into_iter().collect();
    let arguments: Vec<&[u8]> = arguments.iter().map(AsRef::as_ref).collect();
    send(request(command, &arguments))
}

/// Hands any number of keys, each with its value, to `send`.
pub(super) fn with_pairs<K: AsRef<[u8]>, V: AsRef<[u8]>, O>(
    command: Command,
    pairs: impl IntoIterator<Item = (K, V)>,
    send: impl FnOnce(Request<'_>) -> O,
) -> O {
    let pairs: Vec<(K, V)> = pairs.into_iter().collect();
    let arguments: Vec<&[u8]> =
        pairs.iter().flat_map(|(key, value)| [key.as_ref(), value.as_ref()]).collect();
    send(request(command, &arguments))
}

/// The decimal digits of a number, to be an argument.
pub(super) struct Digits(itoa::Buffer);

impl Digits {
    pub(super) fn new() -> Self {
        Self(itoa::Buffer::new())
    }

    pub(super) fn of(&mut self, number: impl itoa::Integer) -> &[u8] {
        self.0.format(number).as_bytes()
    }
}

/// Returns the pattern of all keys that start with `prefix`.
pub(super) fn prefix_glob(prefix: &[u8]) -> Vec<u8> {
    let mut glob = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            glob.push(b'\\');
        }
        glob.push(*byte);
    }
    glob.push(b'*');
    glob
}

#[cfg(test)]
mod tests {
    use rustvault_protocol::glob_matches;

    use super::*;

    #[test]
    fn the_pattern_of_a_prefix_matches_what_begins_with_it_and_nothing_else() {
        let prefixes: [&[u8]; 7] = [b"", b"user:", b"a*b", b"a?", b"[a]", b"\\", b"\xff]"];
        for prefix in prefixes {
            let glob = prefix_glob(prefix);
            for key in prefixes.iter().map(|other| [other, &b"x"[..]].concat()).chain([prefix.to_vec()]) {
                assert_eq!(glob_matches(&glob, &key), key.starts_with(prefix), "{prefix:?} {key:?}");
            }
        }
    }
}
