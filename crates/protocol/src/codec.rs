//! The text protocol as codecs of tokio-util, for both sides.

use std::{borrow::Cow, io, ops::Range};

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::limits::MAX_LIST_ITEMS;
use crate::parse::{Frame, LineReader, Reply, parse_reply};
use crate::{Command, Limits, ProtocolError, RequestParser, Response};

/// The server's side as a codec: decodes commands, encodes responses.
///
/// Keys and values are slices of the read buffer, copied only where escapes had to be resolved; each keeps
/// its whole buffer alive, so copy what is to be stored. Bad input is an item, to be answered like any other,
/// and decoding never fails. A command that the connection's end cuts off is dropped.
#[derive(Debug)]
pub struct ServerCodec {
    parser: RequestParser,
}

impl ServerCodec {
    /// A codec at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Self { parser: RequestParser::new(limits) }
    }
}

impl Decoder for ServerCodec {
    type Item = Result<Command<Bytes>, ProtocolError>;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        loop {
            match self.parser.frame(src) {
                Frame::Whole { consumed_bytes } => {
                    let frame = src.split_to(consumed_bytes).freeze();
                    let request = self.parser.parse(&frame);
                    return Ok(Some(request.map(|request| request.map(|field| share(field, &frame)))));
                }
                Frame::TooLong { consumed_bytes } => {
                    src.advance(consumed_bytes);
                    return Ok(Some(Err(self.parser.too_long())));
                }
                Frame::Skip { consumed_bytes } => src.advance(consumed_bytes),
                Frame::Incomplete => return Ok(None),
            }
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        self.decode(src)
    }
}

impl<B: AsRef<[u8]>> Encoder<Response<B>> for ServerCodec {
    type Error = io::Error;

    fn encode(&mut self, item: Response<B>, dst: &mut BytesMut) -> Result<(), Self::Error> {
        crate::encode_response(&item, dst);
        Ok(())
    }
}

/// The client's side as a codec: encodes commands, decodes responses.
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

/// The part of a `LIST` that has arrived. It grows with what arrives, whatever length was announced.
#[derive(Debug)]
struct PartialList {
    missing: usize,
    items: Vec<Option<Bytes>>,
}

impl ClientCodec {
    /// A codec at the start of a connection; a response over `limits` is an error.
    pub fn new(limits: Limits) -> Self {
        Self { limits, lines: LineReader::of_answers(&limits), list: None }
    }

    /// The response that ends with this line, if one does.
    fn take_line(&mut self, line: Reply<Bytes>) -> io::Result<Option<Response>> {
        let list = match (self.list.take(), line) {
            (None, Reply::Ok) => return Ok(Some(Response::Ok)),
            (None, Reply::Pong) => return Ok(Some(Response::Pong)),
            (None, Reply::NotFound) => return Ok(Some(Response::NotFound)),
            (None, Reply::Value(value)) => return Ok(Some(Response::Value(value))),
            (None, Reply::Error { code, message }) => return Ok(Some(Response::Error { code, message })),
            (None, Reply::List(items)) if items > MAX_LIST_ITEMS => {
                return Err(invalid_data(format!(
                    "a list of {items} items is over the limit of {MAX_LIST_ITEMS}"
                )));
            }
            (None, Reply::List(items)) => PartialList { missing: items, items: Vec::new() },
            (Some(PartialList { missing, mut items }), item) => {
                items.push(match item {
                    Reply::Value(value) => Some(value),
                    Reply::NotFound => None,
                    _ => return Err(invalid_data("a list holds something other than VALUE and NOT_FOUND")),
                });
                PartialList { missing: missing - 1, items }
            }
        };
        if list.missing == 0 {
            return Ok(Some(Response::List(list.items)));
        }
        self.list = Some(list);
        Ok(None)
    }
}

impl Decoder for ClientCodec {
    type Item = Response<Bytes>;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        loop {
            match self.lines.next(src) {
                Frame::Whole { consumed_bytes } => {
                    let line = parse_line(src, consumed_bytes, &self.limits)?;
                    if let Some(response) = self.take_line(line)? {
                        return Ok(Some(response));
                    }
                }
                Frame::TooLong { .. } | Frame::Skip { .. } => {
                    let max_bytes = self.limits.max_line_bytes();
                    return Err(invalid_data(format!(
                        "a line of the answer is longer than {max_bytes} bytes"
                    )));
                }
                Frame::Incomplete => return Ok(None),
            }
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        let response = self.decode(src)?;
        if response.is_none() && (!src.is_empty() || self.list.is_some()) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection in the middle of an answer",
            ));
        }
        Ok(response)
    }
}

impl<B: AsRef<[u8]>> Encoder<Command<B>> for ClientCodec {
    type Error = io::Error;

    fn encode(&mut self, item: Command<B>, dst: &mut BytesMut) -> Result<(), Self::Error> {
        crate::encode_command(&item, dst);
        Ok(())
    }
}

/// Parses the line at the front of `src` and takes it out. Only what the answer keeps is split off, and once:
/// each handle on the buffer costs two atomic operations.
fn parse_line(src: &mut BytesMut, line_bytes: usize, limits: &Limits) -> io::Result<Reply<Bytes>> {
    let (line, _) = src.split_at(line_bytes);
    let reply = parse_reply(line, limits)
        .map_err(|error| invalid_data(format!("the server sent no valid answer: {error}")))?
        .map(|value| Part::of(value, line));
    let mut left_bytes = line_bytes;
    let reply = reply.map(|value| match value {
        Part::Slice(place) => {
            src.advance(place.start);
            left_bytes -= place.end;
            src.split_to(place.len()).freeze()
        }
        Part::Unescaped(value) => value.into(),
    });
    src.advance(left_bytes);
    Ok(reply)
}

/// Where the bytes of a value are.
enum Part {
    /// Here in its line.
    Slice(Range<usize>),
    /// Not in the line, because escapes had to be resolved.
    Unescaped(Vec<u8>),
}

impl Part {
    fn of(value: Cow<'_, [u8]>, line: &[u8]) -> Self {
        match value {
            Cow::Borrowed(slice) => {
                let start = slice.as_ptr().addr() - line.as_ptr().addr();
                Self::Slice(start..start + slice.len())
            }
            Cow::Owned(unescaped) => Self::Unescaped(unescaped),
        }
    }
}

/// A field that was parsed from `frame`, without copying what is a slice of it.
fn share(field: Cow<'_, [u8]>, frame: &Bytes) -> Bytes {
    match field {
        Cow::Borrowed(slice) => frame.slice_ref(slice),
        Cow::Owned(unescaped) => Bytes::from(unescaped),
    }
}

fn invalid_data(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_key_bytes: 64, max_value_bytes: 64 };

    fn answer(bytes: &[u8]) -> io::Result<Option<Response>> {
        ClientCodec::new(LIMITS).decode(&mut BytesMut::from(bytes))
    }

    #[test]
    fn a_value_is_a_slice_of_the_read_buffer() {
        let mut buffer = BytesMut::from("SET k \"v\" \r\nSET k value\r\nSET k \"value\"\r\n");
        let read_buffer = buffer.as_ptr_range();
        let mut codec = ServerCodec::new(LIMITS);
        assert!(codec.decode(&mut buffer).unwrap().unwrap().is_err());
        for _ in 0..2 {
            let Some(Ok(Command::Set { value, .. })) = codec.decode(&mut buffer).unwrap() else { panic!() };
            assert_eq!(value, "value");
            assert!(read_buffer.contains(&value.as_ptr()));
        }
    }

    #[test]
    fn a_scan_without_prefix_has_an_empty_one() {
        let item = ServerCodec::new(LIMITS).decode(&mut BytesMut::from("SCAN 7\n")).unwrap();
        assert_eq!(item, Some(Ok(Command::Scan { cursor: 7, prefix: Bytes::new(), limit: 100 })));
    }

    #[test]
    fn a_command_cut_off_by_the_end_is_dropped_without_error() {
        let mut buffer = BytesMut::from("PING\r\nSET k v");
        let mut codec = ServerCodec::new(LIMITS);
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), Some(Ok(Command::Ping)));
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
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), Some(Response::Ok));
        assert_eq!(codec.decode_eof(&mut buffer).unwrap(), None);
    }

    #[test]
    fn a_list_is_one_answer_once_its_last_item_is_there() {
        let mut codec = ClientCodec::new(LIMITS);
        let mut buffer = BytesMut::from("LIST 3\r\nVALUE a b\r\nNOT_FOUND\r\n");
        assert_eq!(codec.decode(&mut buffer).unwrap(), None);
        assert!(buffer.is_empty(), "progress inside the list is remembered, not read again");
        buffer.extend_from_slice(b"VALUE \"\"\r\nLIST 0\r\nOK\r\n");
        let list = vec![Some(Bytes::from("a b")), None, Some(Bytes::new())];
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Response::List(list)));
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Response::List(vec![])));
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Response::Ok));
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
        assert_eq!(list, Some(Response::List(vec![Some(Bytes::from("12345678"))])));
    }
}
