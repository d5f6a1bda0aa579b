//! The encoders: replies as they stand on the wire, in each protocol.

mod resp;
mod text;

use bytes::{BufMut, BytesMut};

use crate::{Protocol, Reply};

pub use resp::{encode_resp_request, encode_resp_words};
pub use text::{encode_request, needs_quotes};

const CRLF: &[u8] = b"\r\n";

impl Protocol {
    /// Appends a reply.
    #[inline]
    pub fn encode<B: AsRef<[u8]>>(self, reply: &Reply<B>, out: &mut BytesMut) {
        match self {
            Self::Text => {
                text::put(reply, out);
                out.put_slice(CRLF);
            }
            Self::Resp2 => resp::put(reply, false, out),
            Self::Resp3 => resp::put(reply, true, out),
        }
    }

    /// Begins an array, whose items the caller encodes one by one.
    pub fn begin_array(self, items: usize, out: &mut BytesMut) {
        match self {
            Self::Text => text::put_list_header(items, out),
            Self::Resp2 | Self::Resp3 => return resp::put_header(b'*', items, out),
        }
        out.put_slice(CRLF);
    }

    /// Begins a byte string, which the caller writes piece by piece: it may be too large to encode in one piece.
    pub fn begin_bulk(self, bytes: &[u8], out: &mut BytesMut) -> BulkEncoder {
        match self {
            Self::Text if needs_quotes(bytes, false) => {
                out.put_slice(b"VALUE \"");
                return BulkEncoder::Quoted;
            }
            Self::Text => out.put_slice(b"VALUE "),
            Self::Resp2 | Self::Resp3 => resp::put_header(b'$', bytes.len(), out),
        }
        BulkEncoder::AsItIs
    }
}

/// The form of a large byte string on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkEncoder {
    /// Bytes as they are, with [`LINE_END`](Self::LINE_END) after them.
    AsItIs,
    /// Quoted, which is encoded piece by piece. Escapes are bytewise, so any cut will do.
    Quoted,
}

impl BulkEncoder {
    /// The end of bytes that are written as they are.
    pub const LINE_END: &'static [u8] = CRLF;

    /// Appends a piece.
    pub fn piece(self, piece: &[u8], out: &mut BytesMut) {
        match self {
            Self::AsItIs => out.put_slice(piece),
            Self::Quoted => text::put_escaped(piece, out),
        }
    }

    /// Appends the end, after the last piece.
    pub fn end(self, out: &mut BytesMut) {
        if self == Self::Quoted {
            out.put_u8(b'"');
        }
        out.put_slice(Self::LINE_END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_be_encoded_in_pieces_cut_anywhere() {
        for protocol in [Protocol::Text, Protocol::Resp2, Protocol::Resp3] {
            for value in [&b"a\"b\\\r\n\x01"[..], b"plain"] {
                let mut whole = BytesMut::new();
                protocol.encode(&Reply::Bulk(value), &mut whole);
                for at in 0..value.len() {
                    let mut pieces = BytesMut::new();
                    let encoder = protocol.begin_bulk(value, &mut pieces);
                    encoder.piece(&value[..at], &mut pieces);
                    encoder.piece(&value[at..], &mut pieces);
                    encoder.end(&mut pieces);
                    assert_eq!(pieces, whole);
                }
            }
        }
    }

    #[test]
    fn an_array_may_be_encoded_item_by_item() {
        for protocol in [Protocol::Text, Protocol::Resp2, Protocol::Resp3] {
            let items = [Reply::Bulk("a"), Reply::Null, Reply::Array(vec![Reply::Integer(1)])];
            let (mut whole, mut pieces) = (BytesMut::new(), BytesMut::new());
            protocol.encode(&Reply::Array(items.to_vec()), &mut whole);
            protocol.begin_array(items.len(), &mut pieces);
            items.iter().for_each(|item| protocol.encode(item, &mut pieces));
            assert_eq!(pieces, whole);
        }
    }
}
