//! The seam between a connection and the protocol that its client speaks.

use bytes::{BufMut, BytesMut};
use rustvault_protocol::{
    Limits, RequestParser, Response, Step, encode_response, encode_value_chunk, needs_quotes,
};

use crate::execute::Field;

/// The text protocol, as one connection speaks it.
#[derive(Debug)]
pub(crate) struct Text {
    parser: RequestParser,
}

impl Text {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { parser: RequestParser::new(limits) }
    }

    pub(crate) fn next<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        self.parser.next(input)
    }

    pub(crate) fn encode(response: &Response<Field>, out: &mut BytesMut) {
        encode_response(response, out);
    }

    /// Begins a value that is encoded piece by piece.
    pub(crate) fn begin_value(value: &[u8], out: &mut BytesMut) -> ValueEncoder {
        let quoted = needs_quotes(value, false);
        out.put_slice(if quoted { b"VALUE \"" } else { b"VALUE " });
        ValueEncoder { quoted }
    }
}

/// Encodes a value piece by piece, so that nobody holds the whole of it encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueEncoder {
    quoted: bool,
}

impl ValueEncoder {
    pub(crate) fn piece(self, piece: &[u8], out: &mut BytesMut) {
        encode_value_chunk(piece, self.quoted, out);
    }

    pub(crate) fn end(self, out: &mut BytesMut) {
        out.put_slice(if self.quoted { b"\"\r\n" } else { b"\r\n" });
    }
}
