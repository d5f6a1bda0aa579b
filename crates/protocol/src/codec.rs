//! Both protocols as a codec for servers, the text protocol as one for clients; of tokio-util.

use std::{borrow::Cow, fmt::Display, io, ops::Range};

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::limits::MAX_LIST_ITEMS;
use crate::parse::{LineFrame, LineReader, ReplyLine, parse_line};
use crate::{ErrorReply, Limits, OwnedRequest, Protocol, Reply, RequestParser, Step, encode_request};

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

/// The client's side of the text protocol as a codec: encodes requests, decodes replies.
///
/// A `LIST` with its values is one item. Decoding fails with [`io::ErrorKind::InvalidData`] on what is no
/// answer of this protocol or is over a limit, and with [`io::ErrorKind::UnexpectedEof`] where the
/// connection's end cuts an answer off; the connection is of no use after either.
#[derive(Debug)]
pub struct ClientCodec {
    limits: Limits,
    lines: LineReader,
    list: Option<PartialList>,
}

/// Says of an item of a list that it may not stand there.
const NO_ITEM: &str = "a list holds something other than VALUE and NOT_FOUND";

/// The part of a `LIST` that has arrived. It grows with what arrives, whatever length was announced.
#[derive(Debug)]
struct PartialList {
    len: usize,
    items: Vec<Reply>,
}

impl ClientCodec {
    /// A codec at the start of a connection; a reply over `limits` is an error.
    pub fn new(limits: Limits) -> Self {
        Self { limits, lines: LineReader::of_answers(&limits), list: None }
    }

    /// Takes the line at the front of `src` out of it; returns the reply that ends with it, if one does.
    fn take_line(&mut self, src: &mut BytesMut, line_bytes: usize) -> io::Result<Option<Reply>> {
        let rest_bytes = src.len() - line_bytes;
        let (line, _) = src.split_at(line_bytes);
        let reply = match parse_line(line).map_err(no_answer)? {
            ReplyLine::Value(value) => {
                // The items of a list may be keys.
                let max_bytes = self.limits.max_value_bytes.max(self.limits.max_key_bytes);
                if value.len() > max_bytes {
                    return Err(no_answer(ErrorReply::over_limit("value", value.len(), max_bytes)));
                }
                Some(Reply::Bulk(FieldBytes::of(value, line).take_from(src)))
            }
            ReplyLine::List(len) if len > MAX_LIST_ITEMS => {
                let problem = format!("a list of {len} items is over the limit of {MAX_LIST_ITEMS}");
                return Err(invalid_data(problem));
            }
            ReplyLine::List(_) if self.list.is_some() => return Err(invalid_data(NO_ITEM)),
            ReplyLine::List(len) => {
                self.list = Some(PartialList { len, items: Vec::new() });
                None
            }
            ReplyLine::Other(reply) => Some(reply),
        };
        src.advance(src.len() - rest_bytes);
        match (&mut self.list, reply) {
            (None, reply) => return Ok(reply),
            (Some(_), None) => {}
            (Some(list), Some(item @ (Reply::Bulk(_) | Reply::Null))) => list.items.push(item),
            (Some(_), Some(_)) => return Err(invalid_data(NO_ITEM)),
        }
        Ok(self.list.take_if(|list| list.items.len() == list.len).map(|list| Reply::Array(list.items)))
    }
}

impl Decoder for ClientCodec {
    type Item = Reply<Bytes>;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        loop {
            match self.lines.next(src) {
                LineFrame::Whole { consumed_bytes } => {
                    if let Some(reply) = self.take_line(src, consumed_bytes)? {
                        return Ok(Some(reply));
                    }
                }
                LineFrame::TooLong { .. } | LineFrame::Skip { .. } => {
                    let max_bytes = self.limits.max_line_bytes();
                    return Err(invalid_data(format!(
                        "a line of the answer is longer than {max_bytes} bytes"
                    )));
                }
                LineFrame::Incomplete => return Ok(None),
            }
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        let reply = self.decode(src)?;
        if reply.is_none() && (!src.is_empty() || self.list.is_some()) {
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
        encode_request(item.command, &item.arguments, dst);
        Ok(())
    }
}

/// The bytes of a field, or their place.
enum FieldBytes {
    /// Here in the buffer.
    Slice(Range<usize>),
    /// Not in the buffer, because escapes had to be resolved.
    Unescaped(Vec<u8>),
}

impl FieldBytes {
    fn of(field: Cow<'_, [u8]>, buffer: &[u8]) -> Self {
        match field {
            Cow::Borrowed([]) => Self::Slice(0..0),
            Cow::Borrowed(slice) => {
                let start = slice.as_ptr().addr() - buffer.as_ptr().addr();
                Self::Slice(start..start + slice.len())
            }
            Cow::Owned(unescaped) => Self::Unescaped(unescaped),
        }
    }

    fn of_frame(self, frame: &Bytes) -> Bytes {
        match self {
            Self::Slice(place) => frame.slice(place),
            Self::Unescaped(unescaped) => unescaped.into(),
        }
    }

    /// Takes the field, and what stands before it, out of the buffer. Only what is kept is split off, and once: each handle
    /// on the buffer costs two atomic operations.
    fn take_from(self, buffer: &mut BytesMut) -> Bytes {
        match self {
            Self::Slice(place) => {
                buffer.advance(place.start);
                buffer.split_to(place.len()).freeze()
            }
            Self::Unescaped(unescaped) => unescaped.into(),
        }
    }
}

fn no_answer(problem: impl Display) -> io::Error {
    invalid_data(format!("the server sent no valid answer: {problem}"))
}

fn invalid_data(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;

    const LIMITS: Limits = Limits { max_key_bytes: 64, max_value_bytes: 64 };

    fn answer(bytes: &[u8]) -> io::Result<Option<Reply>> {
        ClientCodec::new(LIMITS).decode(&mut BytesMut::from(bytes))
    }

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

    #[test]
    fn an_answer_cut_off_by_the_end_is_an_error() {
        for cut_off in ["VALUE jo", "LIST 2\r\n", "LIST 2\r\nVALUE 0\r\n", "LIST 1\r\nVALUE 0\r"] {
            let error = ClientCodec::new(LIMITS).decode_eof(&mut BytesMut::from(cut_off)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut_off:?}");
        }
        let mut buffer = BytesMut::from("OK\r\n");
        let mut codec = ClientCodec::new(LIMITS);
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), Some(Reply::OK));
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), None);
    }

    #[test]
    fn a_list_is_one_answer_once_its_last_item_is_there() {
        let mut codec = ClientCodec::new(LIMITS);
        let mut buffer = BytesMut::from("LIST 3\r\nVALUE a b\r\nNOT_FOUND\r\n");
        assert_eq!(codec.decode(&mut buffer).unwrap(), None);
        assert!(buffer.is_empty(), "progress inside the list is remembered, not read again");
        buffer.extend_from_slice(b"VALUE \"\"\r\nLIST 0\r\nOK\r\n");
        let list = vec![Reply::Bulk(Bytes::from("a b")), Reply::Null, Reply::Bulk(Bytes::new())];
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Reply::Array(list)));
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Reply::Array(vec![])));
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Reply::OK));
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut codec = ClientCodec::new(LIMITS);
        let longest = format!("LIST {MAX_LIST_ITEMS}\r\n");
        assert_eq!(codec.decode(&mut BytesMut::from(longest.as_str())).unwrap(), None);
        assert_eq!(codec.list.unwrap().items.capacity(), 0);
    }

    #[test]
    fn what_is_no_answer_is_invalid_data() {
        let too_many = format!("LIST {}\r\n", MAX_LIST_ITEMS + 1);
        let long_line = format!("VALUE {}", "x".repeat(LIMITS.max_line_bytes()));
        let large_value = format!("VALUE {}\r\n", "x".repeat(LIMITS.max_value_bytes + 1));
        let nested = "LIST 1\r\nLIST 1\r\n";
        let not_a_value = "LIST 1\r\nOK\r\n";
        for bad in ["HTTP/1.1 400\r\n", "\r\n", nested, not_a_value, &too_many, &long_line, &large_value] {
            let error = answer(bad.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bad:?}");
        }
    }

    #[test]
    fn the_items_of_a_list_may_be_as_long_as_a_key() {
        let limits = Limits { max_key_bytes: 8, max_value_bytes: 1 };
        let mut buffer = BytesMut::from("LIST 1\r\nVALUE 12345678\r\n");
        let list = ClientCodec::new(limits).decode(&mut buffer).unwrap();
        assert_eq!(list, Some(Reply::Array(vec![Reply::Bulk(Bytes::from("12345678"))])));
    }
}
