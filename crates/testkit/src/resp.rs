//! RESP as Redis's clients speak it: requests, and replies as they stand on the wire.

use std::io;

use bytes::BytesMut;
use rustvault_protocol::{ClientCodec, Limits, Reply, encode_resp_words};
use tokio_util::codec::Decoder;

use crate::wire::Wire;

/// Encodes a request: its name, then its arguments.
pub fn resp_request(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    encode_resp_words(words, &mut bytes);
    bytes.into()
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

    /// Reads the next reply of a connection whose replies all go through `codec`; `None` when the connection has ended, even
    /// within a reply.
    ///
    /// # Panics
    /// What comes is none.
    #[track_caller]
    pub fn try_decode(&mut self, codec: &mut ClientCodec) -> Option<Reply> {
        loop {
            let decoded = codec.decode(&mut self.received);
            if let Some(reply) = decoded.unwrap_or_else(|error| panic!("no reply: {error}")) {
                return Some(reply);
            }
            if self.read_ahead().ok()? == 0 {
                return None;
            }
        }
    }

    fn read_reply(&mut self, reply: &mut Vec<u8>) -> io::Result<()> {
        let mut codec = resp_codec();
        let mut undecoded = BytesMut::new();
        loop {
            self.read_at_least(1)?;
            reply.extend_from_slice(&self.received);
            undecoded.unsplit(self.received.split());
            if codec.decode(&mut undecoded)?.is_some() {
                reply.truncate(reply.len() - undecoded.len());
                self.received = undecoded;
                return Ok(());
            }
        }
    }
}

/// Decodes a reply that stands alone.
///
/// # Panics
/// It is none, or not whole.
#[track_caller]
pub fn resp_reply(wire: &[u8]) -> Reply {
    let decoded = resp_codec().decode(&mut BytesMut::from(wire));
    decoded.ok().flatten().unwrap_or_else(|| panic!("no whole reply: \"{}\"", wire.escape_ascii()))
}

/// A codec that takes what the server may be set to send.
fn resp_codec() -> ClientCodec {
    ClientCodec::resp(Limits { max_value_bytes: usize::MAX, ..Limits::default() })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TWO_REPLIES: &[u8] = b"*2\r\n$4\r\na\r\nb\r\n$-1\r\n:7\r\n";

    #[test]
    fn a_reply_is_returned_whole_and_what_follows_is_kept() {
        let (mut wire, mut server) = crate::wire::tests::pair();
        for piece in TWO_REPLIES.chunks(3) {
            server.write_all(piece).unwrap();
        }
        assert_eq!(wire.reply(), b"*2\r\n$4\r\na\r\nb\r\n$-1\r\n");
        let mut codec = resp_codec();
        assert_eq!(wire.try_decode(&mut codec), Some(Reply::Integer(7)));
        server.write_all(b"$2\r\na").unwrap();
        drop(server);
        assert_eq!(wire.try_decode(&mut codec), None);
    }
}
