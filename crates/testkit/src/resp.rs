//! RESP as Redis's clients speak it: requests, and replies as they stand on the wire.

use std::io;

use crate::wire::Wire;

/// Encodes a request: its name, then its arguments.
pub fn resp_request(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

impl Wire {
    /// Sends a request in RESP and reads the reply, whole, as it stands on the wire.
    ///
    /// # Panics
    /// None comes.
    #[track_caller]
    pub fn call(&mut self, words: &[&[u8]]) -> Vec<u8> {
        self.send(resp_request(words));
        self.reply()
    }

    /// Reads the next reply in RESP, whole, as it stands on the wire.
    ///
    /// # Panics
    /// None comes.
    #[track_caller]
    pub fn reply(&mut self) -> Vec<u8> {
        let mut reply = Vec::new();
        let result = self.read_reply(&mut reply);
        result.unwrap_or_else(|error| panic!("{error} after \"{}\"", reply.escape_ascii()));
        reply
    }

    fn read_reply(&mut self, reply: &mut Vec<u8>) -> io::Result<()> {
        let line = self.try_line().ok_or(io::ErrorKind::UnexpectedEof)?;
        reply.extend_from_slice(&line);
        reply.extend_from_slice(b"\r\n");
        let number = || -> Option<usize> { std::str::from_utf8(&line[1..]).ok()?.parse().ok() };
        match line.first() {
            Some(b'$' | b'=') => {
                // Of a null there is no more.
                let Some(len) = number() else { return Ok(()) };
                let begun = reply.len();
                reply.resize(begun + len + b"\r\n".len(), 0);
                self.try_read(&mut reply[begun..])
            }
            Some(b'*' | b'~') => (0..number().unwrap_or(0)).try_for_each(|_| self.read_reply(reply)),
            Some(b'%') => (0..2 * number().unwrap_or(0)).try_for_each(|_| self.read_reply(reply)),
            _ => Ok(()),
        }
    }
}
