//! The server's side of the protocols as a codec.

use std::io;

use bytes::{Buf, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::{FieldBytes, invalid_data};
use crate::{ErrorReply, Limits, OwnedRequest, Protocol, Reply, RequestParser, Step};

/// The server's side as a codec: decodes requests of either protocol, encodes replies.
///
/// Arguments are slices of the read buffer, copied only where escapes had to be resolved; each keeps its whole buffer
/// alive, so copy what is to be stored. A bad request is an item, to be answered like any other; how many arguments there
/// are and how long they may be is not checked here. A request that the connection's end cuts off is dropped. Replies are
/// in RESP2 for a client that speaks RESP.
///
/// # Errors
/// Decoding fails with [`io::ErrorKind::InvalidData`] where nothing more can be understood: answer with the error's text
/// and close the connection.
#[derive(Debug)]
pub struct ServerCodec {
    parser: RequestParser,
}

impl ServerCodec {
    /// A codec at the start of a connection.
    pub const fn new(limits: Limits) -> Self {
        Self { parser: RequestParser::new(limits) }
    }
}

impl Decoder for ServerCodec {
    type Item = Result<OwnedRequest, Box<ErrorReply>>;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        loop {
            let mut arguments = Vec::new();
            match self.parser.next(src, &mut arguments) {
                Step::Request { command, consumed_bytes } => {
                    let parts: Vec<_> =
                        arguments.into_iter().map(|argument| FieldBytes::of(argument, src)).collect();
                    let frame = src.split_to(consumed_bytes).freeze();
                    let arguments = parts.into_iter().map(|part| part.of_frame(&frame));
                    return Ok(Some(command.map(|command| OwnedRequest::new(command, arguments))));
                }
                Step::Skip { consumed_bytes } => src.advance(consumed_bytes),
                Step::Incomplete => return Ok(None),
                Step::Fatal(fatal) => return Err(invalid_data(fatal.error.to_string())),
            }
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        self.decode(src)
    }
}

impl<B: AsRef<[u8]>> Encoder<Reply<B>> for ServerCodec {
    type Error = io::Error;

    fn encode(&mut self, item: Reply<B>, dst: &mut BytesMut) -> Result<(), Self::Error> {
        let protocol = if self.parser.is_resp() == Some(true) { Protocol::Resp2 } else { Protocol::Text };
        protocol.encode(&item, dst);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;

    const LIMITS: Limits = Limits { max_key_bytes: 64, max_value_bytes: 64 };

    #[test]
    fn a_value_is_a_slice_of_the_read_buffer() {
        let mut buffer = BytesMut::from("SET k \"v\" \r\nSET k value\r\nSET k \"value\"\r\n");
        let read_buffer = buffer.as_ptr_range();
        let mut codec = ServerCodec::new(LIMITS);
        assert!(codec.decode(&mut buffer).unwrap().unwrap().is_err());
        for _ in 0..2 {
            let Some(Ok(request)) = codec.decode(&mut buffer).unwrap() else { panic!() };
            assert_eq!(request, OwnedRequest::new(Command::Set, ["k", "value"]));
            assert!(read_buffer.contains(&request.arguments[1].as_ptr()));
        }
    }

    #[test]
    fn a_server_understands_both_protocols_and_answers_in_that_of_its_client() {
        for (request, answer) in
            [("GET k\r\n", "VALUE v\r\n"), ("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$1\r\nv\r\n")]
        {
            let (mut codec, mut out) = (ServerCodec::new(LIMITS), BytesMut::new());
            let item = codec.decode(&mut BytesMut::from(request)).unwrap();
            assert_eq!(item, Some(Ok(OwnedRequest::new(Command::Get, ["k"]))));
            codec.encode(Reply::Bulk("v"), &mut out).unwrap();
            assert_eq!(out, answer);
        }
        let error = ServerCodec::new(LIMITS).decode(&mut BytesMut::from("*x\r\n")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_request_cut_off_by_the_end_is_dropped_without_error() {
        let mut buffer = BytesMut::from("PING\r\nSET k v");
        let mut codec = ServerCodec::new(LIMITS);
        let ping = OwnedRequest::new(Command::Ping, [""; 0]);
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), Some(Ok(ping)));
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), None);
    }
}
