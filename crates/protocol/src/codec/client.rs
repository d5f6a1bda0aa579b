//! The client's side of the protocols as a codec.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::no_answer;
use super::resp_replies::RespReplies;
use super::text_replies::TextReplies;
use crate::{Limits, OwnedRequest, Reply, encode_request, encode_resp_request};

/// The client's side of a protocol as a codec: encodes requests, decodes replies.
///
/// A byte string is a slice of the read buffer, copied only where escapes had to be resolved; each keeps its whole buffer
/// alive, so copy what is to be kept. A reply that is made of others is one item, and takes memory as it arrives, whatever
/// length it announces.
///
/// # RESP
/// Both versions are understood without being told which the server speaks. A reply of a type that [`Reply`] lacks becomes
/// the next best: true and false are the integers 1 and 0, a big number is the byte string of its digits, each null is
/// [`Reply::Null`], an error that comes as a byte string is an error like any other. The format in front of a verbatim
/// string is taken off. Attributes and push messages are skipped: nothing asks for them yet.
/// Strings and aggregates of unknown length (`$?`, `*?`), which no server sends, are refused.
///
/// A server that turns a connection away before its first byte cannot know its protocol, and says so in text: that error
/// is understood as the first reply.
///
/// # Limits
/// In text, a value may be as long as the longest key or value, and a list may have
/// [`MAX_LIST_ITEMS`](crate::limits::MAX_LIST_ITEMS) items. In RESP, a byte string may be as long as the longest key or value, but
/// in any case [`DEFAULT_MAX_VALUE_BYTES`](crate::limits::DEFAULT_MAX_VALUE_BYTES): a limit that is set small is one on
/// values, not on what `INFO` says. A reply may have [`MAX_REPLY_ELEMENTS`](crate::limits::MAX_REPLY_ELEMENTS) elements, over
/// [`MAX_REPLY_DEPTH`](crate::limits::MAX_REPLY_DEPTH) levels, and lines of
/// [`MAX_REPLY_LINE_BYTES`](crate::limits::MAX_REPLY_LINE_BYTES).
///
/// # Errors
/// Decoding fails with [`io::ErrorKind::InvalidData`] on what is no answer of this protocol or is over a limit, and with
/// [`io::ErrorKind::UnexpectedEof`] where the connection's end cuts an answer off; the connection is of no use after either.
#[derive(Debug)]
pub struct ClientCodec {
    replies: ReplyDecoder,
}

#[derive(Debug)]
enum ReplyDecoder {
    Text(TextReplies),
    Resp(RespReplies),
}

impl ClientCodec {
    /// A codec of the text protocol, at the start of a connection.
    pub fn text(limits: Limits) -> Self {
        Self { replies: ReplyDecoder::Text(TextReplies::new(limits)) }
    }

    /// A codec of RESP, at the start of a connection.
    pub fn resp(limits: Limits) -> Self {
        Self { replies: ReplyDecoder::Resp(RespReplies::new(&limits)) }
    }

    /// Returns whether a part of an answer has been taken out of the buffer.
    fn is_inside(&self) -> bool {
        match &self.replies {
            ReplyDecoder::Text(replies) => replies.is_inside(),
            ReplyDecoder::Resp(replies) => replies.is_inside(),
        }
    }
}

impl Decoder for ClientCodec {
    type Item = Reply<Bytes>;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        match &mut self.replies {
            ReplyDecoder::Text(replies) => replies.next(src),
            ReplyDecoder::Resp(replies) => replies.next(src).map_err(no_answer),
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        let reply = self.decode(src)?;
        if reply.is_none() && (!src.is_empty() || self.is_inside()) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection in the middle of an answer",
            ));
        }
        Ok(reply)
    }
}

impl Encoder<&OwnedRequest> for ClientCodec {
    type Error = io::Error;

    fn encode(&mut self, item: &OwnedRequest, dst: &mut BytesMut) -> Result<(), Self::Error> {
        match self.replies {
            ReplyDecoder::Text(_) => encode_request(item.command, &item.arguments, dst),
            ReplyDecoder::Resp(_) => encode_resp_request(item.command, &item.arguments, dst),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_key_bytes: 64, max_value_bytes: 64 };

    #[test]
    fn an_answer_cut_off_by_the_end_is_an_error() {
        for cut_off in ["VALUE jo", "LIST 2\r\n", "LIST 2\r\nVALUE 0\r\n", "LIST 1\r\nVALUE 0\r"] {
            let error = ClientCodec::text(LIMITS).decode_eof(&mut BytesMut::from(cut_off)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut_off:?}");
        }
        let mut buffer = BytesMut::from("OK\r\n");
        let mut codec = ClientCodec::text(LIMITS);
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), Some(Reply::OK));
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), None);
    }
}
