//! The wire protocols of the load: how requests are written, and who finds the answers.

use std::io;

use bytes::{BufMut, BytesMut};
use rustvault_protocol::{ClientCodec, Command, Protocol, Reply, encode_request};
use tokio_util::codec::Decoder;

use super::resp::RespAnswers;
use crate::commands::LIMITS;

/// A wire protocol that the load generator speaks.
pub(super) trait Dialect: Clone + 'static {
    /// Finds the answers of one connection in what was read.
    type Answers: Decoder<Item = Reply, Error = io::Error>;

    /// Appends a request to read `key`.
    fn get(&self, key: &[u8], out: &mut BytesMut);

    /// Appends a request to store `value` under `key`.
    fn set(&self, key: &[u8], value: &[u8], out: &mut BytesMut);

    /// A decoder at the start of a connection.
    fn answers(&self) -> Self::Answers;
}

/// RustVault's text protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text;

impl Dialect for Text {
    type Answers = ClientCodec;

    fn get(&self, key: &[u8], out: &mut BytesMut) {
        encode_request(Command::Get, &[key], out);
    }

    fn set(&self, key: &[u8], value: &[u8], out: &mut BytesMut) {
        encode_request(Command::Set, &[key, value], out);
    }

    fn answers(&self) -> ClientCodec {
        ClientCodec::text(LIMITS)
    }
}

/// Redis's protocol, version 2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resp;

impl Dialect for Resp {
    type Answers = RespAnswers;

    fn get(&self, key: &[u8], out: &mut BytesMut) {
        out.put_slice(b"*2\r\n$3\r\nGET\r\n");
        put_bulk(key, out);
    }

    fn set(&self, key: &[u8], value: &[u8], out: &mut BytesMut) {
        out.put_slice(b"*3\r\n$3\r\nSET\r\n");
        put_bulk(key, out);
        put_bulk(value, out);
    }

    fn answers(&self) -> RespAnswers {
        RespAnswers
    }
}

fn put_bulk(bytes: &[u8], out: &mut BytesMut) {
    Protocol::Resp2.encode(&Reply::Bulk(bytes), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resp_requests_are_arrays_of_bulk_strings() {
        let mut out = BytesMut::new();
        Resp.get(b"k", &mut out);
        Resp.set(b"k\r\n", b"", &mut out);
        assert_eq!(&out[..], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n");
    }
}
