//! What the fuzz targets of the protocols share.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use rustvault_protocol::{
    ClientCodec, ErrorReply, Fatal, Limits, OwnedRequest, Protocol, Reply, RequestParser, Step,
};
use tokio_util::codec::Decoder;

/// So small that a fuzzer finds both sides of every limit.
pub const LIMITS: Limits = Limits { max_key_bytes: 16, max_value_bytes: 40 };

/// Cuts `input` into pieces; its first two bytes say how long they are, in turn.
pub fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let [first, second, rest @ ..] = input else { return Vec::new() };
    let (mut rest, mut pieces) = (rest, Vec::new());
    for len in [first, second].into_iter().cycle().map(|len| usize::from(*len).max(1)) {
        let (piece, after) = rest.split_at(rest.len().min(len));
        if piece.is_empty() {
            break;
        }
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// What came of a connection's input.
#[derive(Debug, Default, PartialEq)]
pub struct Session {
    /// Each request that gets an answer.
    pub requests: Vec<Result<OwnedRequest, Box<ErrorReply>>>,
    /// What ended the connection.
    pub fatal: Option<Box<Fatal>>,
    /// What is held of a request that is not whole.
    pub held: Vec<u8>,
}

/// Feeds the pieces to a parser as a connection does.
///
/// # Panics
/// Where a step makes no progress, takes more than there is or has more arguments than bytes, or more is held than a
/// request may have.
pub fn session(mut parser: RequestParser, pieces: &[&[u8]]) -> Session {
    let mut session = Session::default();
    for piece in pieces {
        session.held.extend_from_slice(piece);
        loop {
            let mut arguments = Vec::new();
            let consumed_bytes = match parser.next(&session.held, &mut arguments) {
                Step::Request { command, consumed_bytes } => {
                    assert!(arguments.len() < consumed_bytes, "{} arguments", arguments.len());
                    let arguments = arguments.into_iter().map(Cow::into_owned);
                    session.requests.push(command.map(|command| OwnedRequest::new(command, arguments)));
                    consumed_bytes
                }
                Step::Skip { consumed_bytes } => consumed_bytes,
                Step::Incomplete => break,
                Step::Fatal(fatal) => {
                    session.held.clear();
                    session.fatal = Some(fatal);
                    return session;
                }
            };
            assert!((1..=session.held.len()).contains(&consumed_bytes), "a step without progress never ends");
            session.held.drain(..consumed_bytes);
        }
        // A line may be whole but for the LF of its CRLF.
        assert!(session.held.len() <= LIMITS.max_line_bytes() + 1, "{} bytes are held", session.held.len());
    }
    session
}

/// Parses a request that an encoder wrote, with limits that its quotes and escapes are within.
///
/// # Panics
/// Where something else comes out.
pub fn assert_parses_to(request: &OwnedRequest, wire: &[u8]) {
    let (mut parser, mut arguments) = (RequestParser::new(Limits::default()), Vec::new());
    let step = parser.next(wire, &mut arguments);
    let expected = Step::Request { command: Ok(request.command), consumed_bytes: wire.len() };
    assert_eq!(step, expected, "of \"{}\"", wire.escape_ascii());
    let arguments = arguments.into_iter().map(Cow::into_owned);
    assert_eq!(&OwnedRequest::new(request.command, arguments), request);
}

/// Encodes answers as a server would: the error that there is, or the arguments.
///
/// # Panics
/// Where an error takes more than a line, or a value differs that is written piece by piece.
pub fn answer(request: &Result<OwnedRequest, Box<ErrorReply>>) {
    for protocol in [Protocol::Text, Protocol::Resp2, Protocol::Resp3] {
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                assert_one_line(error, protocol);
                continue;
            }
        };
        let (mut whole, mut pieces) = (Default::default(), Default::default());
        let items: Vec<_> = request.arguments.iter().map(Reply::Bulk).collect();
        protocol.encode(&Reply::Array(items), &mut whole);
        protocol.begin_array(request.arguments.len(), &mut pieces);
        for argument in &request.arguments {
            let encoder = protocol.begin_bulk(argument, &mut pieces);
            argument.chunks(3).for_each(|piece| encoder.piece(piece, &mut pieces));
            encoder.end(&mut pieces);
        }
        assert_eq!(whole, pieces);
    }
}

/// Decodes the input as a server's replies.
///
/// # Panics
/// Where the pieces make a difference, or what was understood is another reply when it is encoded and decoded again.
pub fn assert_decoded(codec: fn(Limits) -> ClientCodec, protocol: Protocol, pieces: &[&[u8]]) {
    let (replies, error) = replies(codec(LIMITS), pieces);
    let at_once = self::replies(codec(LIMITS), &[&pieces.concat()]);
    let said = encoded(&replies, protocol);
    assert_eq!((said.clone(), error), (encoded(&at_once.0, protocol), at_once.1));
    // Quotes and escapes make a line longer.
    let again = self::replies(codec(Limits::default()), &[&said]);
    assert_eq!((encoded(&again.0, protocol), again.1), (said, None));
}

/// The replies that a codec finds, and why it has ended, if it has.
fn replies(mut codec: ClientCodec, pieces: &[&[u8]]) -> (Vec<Reply>, Option<std::io::ErrorKind>) {
    let (mut buffer, mut replies) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error.kind())),
            }
        }
    }
    (replies, None)
}

/// Replies are compared by their bytes, because a double need not be equal to itself.
fn encoded(replies: &[Reply<Bytes>], protocol: Protocol) -> BytesMut {
    let mut wire = BytesMut::new();
    replies.iter().for_each(|reply| protocol.encode(reply, &mut wire));
    wire
}

/// Encodes an error.
///
/// # Panics
/// Where it takes more than a line.
pub fn assert_one_line(error: &ErrorReply, protocol: Protocol) {
    let mut wire = Default::default();
    protocol.encode(&Reply::<&[u8]>::from(error.clone()), &mut wire);
    let line = wire.strip_suffix(b"\r\n").expect("a line end");
    assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n')), "\"{}\"", line.escape_ascii());
}
