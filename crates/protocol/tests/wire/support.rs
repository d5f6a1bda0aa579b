//! What the properties range over, and a connection's side that reads requests.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*, sample::select};
use rustvault_protocol::{
    Command, ErrorCode, ErrorReply, Fatal, Limits, OwnedRequest, Protocol, Reply, RequestParser, Step,
    encode_request,
};
use tokio_util::codec::Decoder;

pub(crate) type Request = Result<OwnedRequest, Box<ErrorReply>>;

/// So small that generated fields and lines fall on both sides.
pub(crate) const LIMITS: Limits = Limits { max_key_bytes: 6, max_value_bytes: 10 };

/// What replies say in a word.
const WORDS: [&str; 4] = ["OK", "PONG", "string", "Background append only file rewriting started"];

/// Any bytes, those more often that mean something to the protocols.
pub(crate) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let telling = select(&b"\"\\ \r\n\t\0\x1f\x7f\x80x0aF"[..]);
    prop_oneof![
        vec(any::<u8>(), 0..24),
        vec(telling, 0..24),
        vec(any::<u8>(), 0..300),
        "[a-z]{0,200}".prop_map(String::into_bytes),
    ]
}

/// Any request that a protocol has, with any number of arguments; a command with subcommands has none.
pub(crate) fn any_request(protocol: Protocol) -> impl Strategy<Value = OwnedRequest> {
    let served = |command: &Command| command.spec().protocols.contains(protocol);
    let commands: Vec<_> = Command::ALL.iter().copied().filter(served).collect();
    (select(commands), vec(any_bytes(), 0..5)).prop_map(|(command, mut arguments)| {
        if command.spec().is_container {
            arguments.clear();
        }
        // Of more a parser reads one, by which it is known that there are too many.
        arguments.truncate(command.spec().arity.bounds().1.saturating_add(1));
        OwnedRequest::new(command, arguments)
    })
}

/// The replies that a client of the text protocol tells apart.
pub(crate) fn any_text_reply() -> impl Strategy<Value = Reply> {
    let bulk = || any_bytes().prop_map(|bytes| Reply::Bulk(bytes.into()));
    let item = prop_oneof![3 => bulk(), 1 => Just(Reply::Null)];
    prop_oneof![
        select(vec![Reply::OK, Reply::simple("PONG"), Reply::Null]),
        bulk(),
        vec(item, 0..8).prop_map(Reply::Array),
        any_error(),
    ]
}

/// Replies of every kind, nested.
pub(crate) fn any_reply() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        Just(Reply::Null),
        select(&WORDS[..]).prop_map(Reply::simple),
        any::<i64>().prop_map(Reply::Integer),
        proptest::num::f64::NORMAL.prop_map(Reply::Double),
        any_bytes().prop_map(|bytes| Reply::Bulk(bytes.into())),
        any_bytes().prop_map(|bytes| Reply::Verbatim(bytes.into())),
        any_error(),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Reply::Array),
            vec(inner.clone(), 0..4).prop_map(Reply::Set),
            vec((inner.clone(), inner), 0..3).prop_map(Reply::Map),
        ]
    })
}

fn any_error() -> impl Strategy<Value = Reply> {
    (select(&ErrorCode::ALL[..]), "[^\\x00-\\x1f\\x7f-\\x{9f}]{0,40}")
        .prop_map(|(code, message)| Reply::error(code, message))
}

/// A line as it comes in from anybody: well-formed, nearly so, rubbish, or far too long.
pub(crate) fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let name = select(
        &["SET", "get", "DELETE", "Exists", "mget", "SCAN", "PING", "client", "CLIENT ID", "INCR", "PUT", ""]
            [..],
    );
    let argument = prop_oneof![
        "[a-c]{0,7}".prop_map(String::into_bytes),
        r#""([a-c ]|\\[rnt"\\x]|\\x[0-9a-fA-F]{2}){0,6}"?"#.prop_map(String::into_bytes),
        select(&["PREFIX", "limit", "0", "setname"][..]).prop_map(|word| word.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    let nearly = (name, vec(argument, 0..5)).prop_map(|(name, arguments)| {
        arguments.into_iter().fold(name.as_bytes().to_vec(), |line, argument| [line, argument].join(&b' '))
    });
    let content = prop_oneof![
        8 => nearly,
        2 => any_request(Protocol::Text).prop_map(|request| encoded_request(&request)),
        2 => any_bytes(),
        1 => (0..4 * LIMITS.max_line_bytes()).prop_map(|len| vec![b'x'; len]),
        1 => (0..4usize).prop_map(|over| vec![b'\r'; LIMITS.max_line_bytes() + over]),
    ];
    (content, select(&["\n", "\r\n"][..])).prop_map(|(content, end)| [&content, end.as_bytes()].concat())
}

/// How to cut an input: the sizes of its pieces, over and over.
pub(crate) fn any_cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), vec(1..4usize, 1..5), vec(1..200usize, 1..5)]
}

pub(crate) fn pieces<'a>(mut input: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    cuts.iter().cycle().map_while(move |cut| {
        let (piece, rest) = input.split_at_checked(*cut).unwrap_or((input, &[]));
        input = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A parser of a connection whose first line has shown that it speaks text.
pub(crate) fn in_text(limits: Limits) -> RequestParser {
    let mut parser = RequestParser::new(limits);
    parser.next(b"PING\n", &mut Vec::new());
    assert_eq!(parser.is_resp(), Some(false));
    parser
}

/// How a connection is left when its input has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With so many bytes of a request that is not whole.
    Open(Vec<u8>),
    Fatal(Box<Fatal>),
}

/// What a server that reads these pieces is asked for, and how the connection is left.
pub(crate) fn session<'a>(
    mut parser: RequestParser,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Request>, End) {
    let (mut buffer, mut requests) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            // Arguments are appended to what is there.
            let mut arguments = vec![Cow::Borrowed(&b"of an earlier request"[..])];
            let consumed_bytes = match parser.next(&buffer, &mut arguments) {
                Step::Request { command, consumed_bytes } => {
                    assert_eq!(arguments.remove(0), &b"of an earlier request"[..]);
                    assert!(arguments.len() < consumed_bytes, "{} arguments", arguments.len());
                    requests.push(command.map(|command| {
                        OwnedRequest::new(command, arguments.into_iter().map(Cow::into_owned))
                    }));
                    consumed_bytes
                }
                Step::Skip { consumed_bytes } => consumed_bytes,
                Step::Incomplete => break,
                Step::Fatal(fatal) => return (requests, End::Fatal(fatal)),
            };
            assert!(consumed_bytes > 0, "a step without progress never ends");
            buffer.drain(..consumed_bytes);
        }
    }
    (requests, End::Open(buffer))
}

/// A request of RESP, its name first.
pub(crate) fn array(arguments: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        wire.extend([format!("${}\r\n", argument.len()).as_bytes(), argument, b"\r\n"].concat());
    }
    wire
}

pub(crate) fn encoded_request(request: &OwnedRequest) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_request(request.command, &request.arguments, &mut out);
    out.to_vec()
}

pub(crate) fn encoded_reply(reply: &Reply<Bytes>, protocol: Protocol) -> Vec<u8> {
    let mut out = BytesMut::new();
    protocol.encode(reply, &mut out);
    out.to_vec()
}

/// Returns the items that a codec decodes, up to an error.
pub(crate) fn decode_all<'a, D: Decoder>(
    mut codec: D,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<D::Item>, Option<D::Error>) {
    let (mut buffer, mut items) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
    }
    (items, None)
}
